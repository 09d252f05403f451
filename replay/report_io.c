/* report: the page for people, alone. It reads up to a signed checkpoint, so that what it says can
 * be checked; what it says of names is what the profile lets out, as an export would. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "replay/anchored_io.h"
#include "replay/commands_io.h"
#include "replay/discloser.h"
#include "replay/filter.h"
#include "replay/newest_io.h"
#include "replay/print_io.h"
#include "replay/report.h"
#include "store/pseudonym_key_io.h"
#include "store/seal.h"

enum { REPORT_FAULT_MAX = 512, REPORT_FILTER_MAX = 4 * NAME_BYTES_MAX, PROGRESS_EVERY = 65536 };

struct making {
	const struct options *options;
	struct source *source;
	struct filter filter;
	struct discloser discloser;
	struct newest newest;
	struct report_scope scope;
	struct anchored_choice choice; /* who else has seen it */
	struct anchored anchored;
	struct report *report;
	struct name asked; /* memory of name_of */
	char filter_words[REPORT_FILTER_MAX];
	char fault[REPORT_FAULT_MAX];
};

static bool fails(struct making *m, const char *format, ...) __attribute__((format(printf, 2, 3)));

static bool
fails(struct making *m, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(m->fault, sizeof m->fault, format, arguments);
	va_end(arguments);
	return false;
}

/* --- what is asked for --- */

/* Without keys all names are sealed anyway: then handles stand in their place, whatever was asked.
 */
static bool
choose_profile(struct making *m)
{
	const char *word = m->options->profile;
	enum profile profile = PROFILE_PSEUDONYMOUS;
	uint8_t key[PSEUDONYM_KEY_BYTES] = { 0 };

	if (word != NULL && !profile_from_word(word, &profile)) {
		return fails(m, "--profile: one of none, pseudonymous, envelope");
	}
	if (m->source->keys == NULL) {
		profile = PROFILE_ENVELOPE;
	} else {
		log_keys_pseudonym_key(m->source->keys, key);
	}
	discloser_make(&m->discloser, profile, key);
	seal_forget(key, sizeof key);
	m->scope.profile = profile;
	return true;
}

static bool
seek(struct making *m, const struct moment *moment, uint64_t most, uint64_t *seq)
{
	if (!source_seek(m->source, moment, most, seq)) {
		return fails(m, "%s", log_reader_fault(m->source->reader));
	}
	*seq = *seq < most ? *seq : most;
	return true;
}

static bool
time_of(struct making *m, uint64_t seq, uint64_t *us)
{
	if (!source_time(m->source, seq, us)) {
		return fails(m, "%s", log_reader_fault(m->source->reader));
	}
	return *us > 0 || fails(m, "entry %" PRIu64 " is missing: run ifreplay verify", seq);
}

/* The oldest checkpoint that covers a range with an end: the same range gives the same page for
 * ever. */
static bool
choose_range(struct making *m)
{
	const struct options *o = m->options;
	struct moment after = o->to;
	struct report_scope *s = &m->scope;

	if (!newest_take(m->source, o->vkey, 0, &m->newest)) {
		return fails(m, "%s", m->newest.fault);
	}
	s->end = m->newest.checkpoint.size;
	after.value++;
	if ((o->from.is_set && !seek(m, &o->from, s->end, &s->from)) ||
	    (o->to.is_set && !seek(m, &after, s->end, &s->end))) {
		return false;
	}
	if (s->from >= s->end) {
		return fails(m,
			     "no signed event lies in that range: the newest checkpoint covers "
			     "entries 0 to %" PRIu64,
			     m->newest.checkpoint.size - 1);
	}
	if (o->to.is_set && !newest_take(m->source, o->vkey, s->end, &m->newest)) {
		return fails(m, "%s", m->newest.fault);
	}
	s->size = m->newest.checkpoint.size;
	s->root = m->newest.checkpoint.root;
	s->anchored = &m->anchored;
	if (!anchored_choose(m->source->reader, s->size, &m->choice)) {
		return fails(m, "%s", log_reader_fault(m->source->reader));
	}
	anchored_tell(&m->choice, &m->anchored);
	return time_of(m, s->from, &s->from_us) && time_of(m, s->end - 1, &s->to_us);
}

static void
describe_name(struct making *m, const char *what, enum pseudonym_kind kind, const char *word)
{
	const size_t at = strlen(m->filter_words);
	struct name name = { 0 };

	if (word != NULL) {
		name_set(&name, word, strlen(word));
		name = discloser_name(&m->discloser, kind, &name);
		snprintf(m->filter_words + at, sizeof m->filter_words - at, "%s%s %.*s",
			 at > 0 ? ", " : "what concerns ", what, (int)name.length, name.bytes);
	}
}

/* A names_ask: what was said before the range, as the profile shows it. */
static const struct name *
name_of(void *context, const struct id *handle)
{
	struct making *m = context;
	const struct name *known = source_name_of(m->source, handle);

	if (known == NULL) {
		return NULL;
	}
	m->asked = discloser_name(&m->discloser, PSEUDONYM_AGENT, known);
	return &m->asked;
}

static void
describe(struct making *m)
{
	const struct options *o = m->options;
	struct report_scope *s = &m->scope;

	describe_name(m, "agent", PSEUDONYM_AGENT, o->agent);
	describe_name(m, "room", PSEUDONYM_ROOM, o->room);
	s->origin = log_reader_origin(m->source->reader);
	s->filter = m->filter_words;
	s->requester = o->requester;
	s->purpose = o->purpose;
	s->name_of = name_of;
	s->names = m;
}

/* --- reading --- */

static bool
visit(void *context, const struct event *event, const struct entry *entry)
{
	struct making *m = context;
	struct disclosed disclosed;

	if (event != NULL) {
		names_learn(&m->source->names, event);
	}
	if (entry->seq % PROGRESS_EVERY == 0) {
		print_progress("reading", entry->seq, m->scope.end);
	}
	if (!filter_admits(&m->filter, entry, event) || entry->seq < m->scope.from) {
		return true;
	}
	discloser_disclose(&m->discloser, entry, (struct span){ 0 }, event, NULL, NULL, &disclosed);
	report_feed(m->report, &disclosed);
	return true;
}

static bool
read_log(struct making *m)
{
	filter_make(&m->filter, m->options);
	const uint64_t first = filter_must_learn(&m->filter) ? 0 : m->scope.from;
	source_names_from(m->source, first);
	const bool is_read = log_read_events(m->source->reader, m->source->keys, first,
					     m->scope.end, LOG_STREAMS_ALL, visit, m);
	print_progress_end();
	filter_free(&m->filter);
	return is_read || fails(m, "%s", log_reader_fault(m->source->reader));
}

/* --- writing --- */

static bool
write_piece(void *file, const char *text, size_t count)
{
	return fwrite(text, 1, count, file) == count;
}

static bool
write_page(struct making *m, FILE *file)
{
	return m->options->text ? report_text(m->report, write_piece, file)
				: report_html(m->report, write_piece, file);
}

/* A page with names in it is for its maker's eyes alone until they decide otherwise: mode 0600. */
static bool
write_file(struct making *m)
{
	const char *path = m->options->copy;
	const int kind = m->options->discard ? O_TRUNC : O_EXCL;
	const int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | kind, 0600);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "w");

	if (file == NULL) {
		return fails(m, "%.300s: %s: name another file%s", path, strerror(errno),
			     errno == EEXIST ? ", or give --discard to write over it" : "");
	}
	const bool is_written = write_page(m, file);
	if (fclose(file) != 0 || !is_written) {
		return fails(m, "%.300s cannot be written: %s", path, strerror(errno));
	}
	return true;
}

static void
print_made(const struct making *m)
{
	const struct report_scope *s = &m->scope;

	if (m->options->json) {
		print_json(json_pack("{s:s, s:I, s:I, s:I, s:s}", "file", m->options->copy, "from",
				     (json_int_t)s->from, "end", (json_int_t)s->end, "size",
				     (json_int_t)s->size, "profile", profile_name(s->profile)));
		return;
	}
	printf("%s: events %" PRIu64 " to %" PRIu64 ", profile %s\n", m->options->copy, s->from,
	       s->end - 1, profile_name(s->profile));
}

static bool
write_report(struct making *m)
{
	if (m->options->copy == NULL) {
		return write_page(m, stdout) || fails(m, "standard output: %s", strerror(errno));
	}
	if (!write_file(m)) {
		return false;
	}
	print_made(m);
	return true;
}

static bool
make(struct making *m)
{
	if (m->options->json && m->options->copy == NULL) {
		return fails(m, "--json tells what was written: name a FILE for the page");
	}
	if (!choose_profile(m) || !choose_range(m)) {
		return false;
	}
	describe(m);
	m->report = report_make(&m->scope);
	const bool is_made = read_log(m) && write_report(m);
	report_free(m->report);
	return is_made;
}

int
report_command(const struct options *options, struct source *source)
{
	struct making *m = calloc(1, sizeof *m);

	if (m == NULL) {
		fprintf(stderr, "ifreplay: report: out of memory\n");
		return 1;
	}
	m->options = options;
	m->source = source;
	const bool is_made = make(m);
	if (!is_made) {
		fprintf(stderr, "ifreplay: report: %s\n", m->fault);
	}
	free(m);
	return print_flush() && is_made ? 0 : 1;
}
