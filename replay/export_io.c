/* export: a bundle to take away (docs/bundle.md). What it holds depends on the log up to one signed
 * checkpoint and on the command line alone: the same export gives the same bytes. */
#include "replay/export_state_io.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "replay/acts_io.h"
#include "replay/commands_io.h"
#include "replay/print_io.h"
#include "replay/rebuild_io.h"
#include "replay/verifiers.h"
#include "store/pseudonym_key_io.h"
#include "store/read_scan_io.h"
#include "store/seal.h"

bool
export_fails(struct export *x, const char *format, ...)
{
	va_list arguments;

	if (x->fault[0] == '\0') {
		va_start(arguments, format);
		vsnprintf(x->fault, sizeof x->fault, format, arguments);
		va_end(arguments);
	}
	return false;
}

/* --- what is asked for
 * ---------------------------------------------------------------------------- */

/* The seq of a moment, at most `most`. */
static bool
seek(struct export *x, struct moment moment, uint64_t most, uint64_t *seq)
{
	if (!source_seek(x->source, &moment, most, seq)) {
		return export_fails(x, "%s", log_reader_fault(x->source->reader));
	}
	if (*seq > most) {
		*seq = most;
	}
	return true;
}

struct cover {
	uint64_t from, end;
	uint64_t size; /* the smallest that a checkpoint may have */
};

static bool
take_pruned(void *context, const struct log_pruned_row *row)
{
	struct cover *cover = context;

	if (row->first < cover->end && cover->from < row->end && row->event >= cover->size) {
		cover->size = row->event + 1;
	}
	return true;
}

/* The range, and the events that say what of it was pruned. */
static bool
find_cover(struct export *x, uint64_t *size)
{
	struct cover cover = { x->words.from, x->words.end, x->words.end };

	if (!log_read_pruned(x->source->reader, take_pruned, &cover)) {
		return export_fails(x, "%s", log_reader_fault(x->source->reader));
	}
	*size = cover.size;
	return true;
}

/* The checkpoint is the oldest that covers the range, so that a range that has an end gives the
 * same bytes for ever; without --to it is the newest, and the range ends with it. */
static bool
choose_range(struct export *x)
{
	const struct options *o = x->options;
	struct moment after = o->to;
	struct export_words *w = &x->words;

	if (!(o->checkpoint == NULL ? newest_take(x->source, o->vkey, 0, &x->newest)
				    : newest_read(x->source, o->vkey, o->checkpoint, &x->newest))) {
		return export_fails(x, "%s", x->newest.fault);
	}
	w->end = x->newest.checkpoint.size;
	if (o->from.is_set && !seek(x, o->from, w->end, &w->from)) {
		return false;
	}
	after.value++;
	if (o->to.is_set && !seek(x, after, w->end, &w->end)) {
		return false;
	}
	if (w->from >= w->end) {
		return export_fails(x,
				    "no signed event lies in that range: the newest checkpoint "
				    "covers entries 0 to %" PRIu64,
				    x->newest.checkpoint.size - 1);
	}
	uint64_t cover = 0;
	if (!find_cover(x, &cover)) {
		return false;
	}
	if (o->to.is_set && o->checkpoint == NULL &&
	    !newest_take(x->source, o->vkey, cover, &x->newest)) {
		return export_fails(x, "%s", x->newest.fault);
	}
	w->checkpoint = x->newest.checkpoint;
	return true;
}

static bool
choose_anchors(struct export *x)
{
	if (!anchored_choose(x->source->reader, x->newest.checkpoint.size, &x->anchors)) {
		return export_fails(x, "%s", log_reader_fault(x->source->reader));
	}
	anchored_tell(&x->anchors, &x->anchored);
	return true;
}

static bool
choose_previous(struct export *x)
{
	if (x->options->previous == NULL) {
		return true;
	}
	if (!newest_read(x->source, x->options->vkey, x->options->previous, &x->previous)) {
		return export_fails(x, "--previous: %s", x->previous.fault);
	}
	if (x->previous.checkpoint.size > x->newest.checkpoint.size) {
		return export_fails(x, "--previous: that checkpoint is newer than the one of this "
				       "export");
	}
	x->words.previous = x->previous.checkpoint;
	return true;
}

static bool
choose_profile(struct export *x)
{
	const struct options *o = x->options;
	uint8_t key[PSEUDONYM_KEY_BYTES] = { 0 };

	x->words.profile = o->subject != NULL ? PROFILE_NONE : PROFILE_PSEUDONYMOUS;
	if (o->profile != NULL && !profile_from_word(o->profile, &x->words.profile)) {
		return export_fails(x, "--profile: one of none, pseudonymous, envelope");
	}
	if (o->subject != NULL && x->words.profile != PROFILE_NONE) {
		return export_fails(x, "--subject gives somebody their own data whole: it takes no "
				       "--profile but none");
	}
	if (x->source->keys != NULL) {
		log_keys_pseudonym_key(x->source->keys, key);
	} else if (x->words.profile != PROFILE_ENVELOPE) {
		return export_fails(x, "names are sealed and the keys are not at hand: export with "
				       "--profile envelope, or where the keys are");
	}
	discloser_make(&x->discloser, x->words.profile, key);
	discloser_make(&x->others, PROFILE_PSEUDONYMOUS, key);
	seal_forget(key, sizeof key);
	return true;
}

static void
add_word(char *out, const char *name, const struct name *value)
{
	const size_t at = strlen(out);

	snprintf(out + at, EXPORT_FILTER_MAX - at, "%s%s%s%.*s", at > 0 ? " " : "", name,
		 value->length > 0 ? " " : "", (int)value->length, value->bytes);
}

static void
add_agent(struct export *x, const char *what, const char *agent)
{
	struct name word = { 0 };

	if (agent != NULL) {
		name_set(&word, agent, strlen(agent));
		word = discloser_name(&x->discloser, PSEUDONYM_AGENT, &word);
		add_word(x->words.filter, what, &word);
	}
}

static void
add_plain(struct export *x, const char *what, const char *value)
{
	struct name word = { 0 };

	if (value != NULL) {
		name_set(&word, value, strlen(value));
		add_word(x->words.filter, what, &word);
	}
}

static void
add_id(struct export *x, const char *what, const struct id *id)
{
	char hex[2 * sizeof id->bytes + 1];

	hex_write(hex, id->bytes, sizeof id->bytes);
	add_plain(x, what, id_is_none(id) ? NULL : hex);
}

/* As the profile shows it: a name in the filter is a name. */
static void
describe_filter(struct export *x)
{
	const struct options *o = x->options;
	struct name room = { 0 };

	add_agent(x, o->subject != NULL ? "subject" : "agent", o->agent);
	add_agent(x, "peer", o->peer);
	if (o->room != NULL) {
		name_set(&room, o->room, strlen(o->room));
		room = discloser_name(&x->discloser, PSEUDONYM_ROOM, &room);
		add_word(x->words.filter, "room", &room);
	}
	add_plain(x, "type", o->type == NULL ? NULL : o->type->name);
	add_plain(x, "stream", o->stream == 0 ? NULL : stream_name(o->stream));
	add_plain(x, "outcome", outcome_name(&o->outcome));
	add_id(x, "allocation", &o->allocation);
	add_id(x, "trace", &o->trace);
}

/* --- what is put in
 * ------------------------------------------------------------------------------- */

/* Whether it can: behind what was pruned only a snapshot helps. If not, the member says so. */
static bool
is_rebuilt(struct export *x, const char *name, const struct moment *at)
{
	struct rebuild rebuild;
	struct states states;
	char why[REBUILD_WHY_MAX];

	states_make(&states);
	const bool can = rebuild_begin(&rebuild, x->source, &states, at, at, why);
	states_free(&states);
	if (!can) {
		json_t *said = json_pack("{s:s, s:s}", "kind", "unknown", "why", why);
		char *text = json_dumps(said, JSON_COMPACT | JSON_ENSURE_ASCII);
		struct bundle_member *member = bundle_begin(x->bundle, name);
		bundle_write(member, text, strlen(text));
		bundle_write(member, "\n", 1);
		bundle_end(member);
		free(text);
		json_decref(said);
	}
	return can;
}

/* What `ifreplay state` says at that entry; handles stand for names unless nothing is withheld. */
static bool
put_state(struct export *x, const char *name, uint64_t seq)
{
	const bool names = x->words.profile == PROFILE_NONE && x->options->subject == NULL;
	const struct options at = { .ask = ASK_STATE,
				    .data_dir = x->options->data_dir,
				    .json = true,
				    .at = { .is_set = true, .value = seq } };
	struct source source = { .keys = names ? x->source->keys : NULL };
	char path[BUNDLE_PATH_MAX];

	if (!is_rebuilt(x, name, &at.at)) {
		return true;
	}
	bundle_path(x->bundle, name, path);
	const int file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	const int out = dup(STDOUT_FILENO);
	if (file < 0 || out < 0) {
		return export_fails(x, "%.300s cannot be written: %s", path, strerror(errno));
	}
	fflush(stdout);
	dup2(file, STDOUT_FILENO);
	const int code = state_command(&at, &source);
	fflush(stdout);
	dup2(out, STDOUT_FILENO);
	close(out);
	close(file);
	bundle_adopt(x->bundle, name);
	return code == 0 || export_fails(x,
					 "the registry at entry %" PRIu64
					 " does not replay: run ifreplay verify",
					 seq);
}

static bool
put_states(struct export *x)
{
	return (x->words.from == 0 || put_state(x, "state/before.jsonl", x->words.from - 1)) &&
	       put_state(x, "state/after.jsonl", x->words.end - 1);
}

static void
put_text(struct export *x, const char *name, char *text)
{
	bundle_put(x->bundle, name, text, strlen(text));
	free(text);
}

/* Everything that SHA256SUMS lists is there; then what signs it. */
static void
put_signed(struct export *x, struct digest *manifest)
{
	static const char *const unlisted[] = { NULL };
	char note[2 * CHECKPOINT_BYTES_MAX];
	uint8_t signature[SIGNATURE_BYTES];

	bundle_sum(x->bundle, unlisted);
	bundle_digest(x->bundle, "SHA256SUMS", &x->words.sums);
	char *text = export_manifest(&x->words);
	const struct span bytes = { (const uint8_t *)text, strlen(text) };
	log_signature(&x->signer, bytes, signature);
	bundle_put(x->bundle, "manifest.json.sig", signature, sizeof signature);
	bundle_put(x->bundle, "manifest.json", text, bytes.count);
	bundle_digest(x->bundle, "manifest.json", manifest);
	export_stamp(x, bytes, manifest);
	free(text);
	const size_t count = export_note_text(note, &x->words, manifest);
	bundle_put(x->bundle, "manifest.json.note", note,
		   note_sign(&x->signer, count, note, sizeof note));
	put_text(x, "custody.jsonl", export_custody(&x->words, manifest));
}

static bool
gather(struct export *x, struct digest *manifest)
{
	if (!export_rows(x) || !export_proofs(x) || !export_anchors(x) || !put_states(x)) {
		return false;
	}
	put_text(x, "README.txt", export_readme(&x->words));
	bundle_put(x->bundle, "verify/verify.sh", verifier_sh, verifier_sh_count);
	bundle_put(x->bundle, "verify/verify.py", verifier_py, verifier_py_count);
	put_signed(x, manifest);
	return bundle_pack(x->bundle) || export_fails(x, "%s", bundle_fault(x->bundle));
}

/* --- the record, before it can be taken away
 * -------------------------------------------------------- */

static void
set_words(struct name *out, const char *words)
{
	if (words != NULL && !name_set(out, words, strlen(words))) {
		name_set(out, words, NAME_BYTES_MAX);
	}
}

static bool
record(struct export *x, const struct digest *manifest)
{
	struct event event = { .type = EVENT_EXPORT_MADE };
	struct event_export_made *made = &event.export_made;
	char fault[ACTS_FAULT_MAX] = "";

	acts_operator(x->source, &made->operator, & made->operator_name);
	text_set(&made->profile, profile_name(x->words.profile));
	made->first = x->words.from;
	made->end = x->words.end;
	made->events = x->words.disclosed;
	made->manifest = *manifest;
	set_words(&made->asked, x->options->agent != NULL ? x->options->agent : x->options->room);
	set_words(&made->requester, x->options->requester);
	set_words(&made->purpose, x->options->purpose);
	switch (acts_record(x->options->data_dir, x->words.origin, &event, fault)) {
	case ACTS_RECORDED:
		return true;
	case ACTS_COPY:
		fprintf(stderr,
			"ifreplay: this is a copy of the log: the export is not recorded\n");
		return true;
	case ACTS_FAILED:
		break;
	}
	return export_fails(x, "the export cannot be recorded (%s), so it is not handed out",
			    fault);
}

static void
print_made(const struct export *x, const struct digest *manifest)
{
	const struct export_words *w = &x->words;
	char hex[2 * sizeof manifest->bytes + 1];

	hex_write(hex, manifest->bytes, sizeof manifest->bytes);
	if (x->options->json) {
		print_json(json_pack(
			"{s:s, s:I, s:I, s:I, s:I, s:I, s:s, s:s, s:b, s:s?}", "file",
			x->options->copy, "from", (json_int_t)w->from, "end", (json_int_t)w->end,
			"disclosed", (json_int_t)w->disclosed, "omitted", (json_int_t)w->omitted,
			"size", (json_int_t)w->checkpoint.size, "profile", profile_name(w->profile),
			"manifest_sha256", hex, "timestamped", x->is_stamped, "timestamp",
			x->stamp_says[0] == '\0' ? NULL : x->stamp_says));
		return;
	}
	printf("%s: events %" PRIu64 " to %" PRIu64 ", %" PRIu64 " disclosed, %" PRIu64
	       " withheld, profile %s\n"
	       "  over the checkpoint of size %" PRIu64 "; manifest %s\n"
	       "  again, byte for byte: --from %" PRIu64 " --to %" PRIu64 "%s\n",
	       x->options->copy, w->from, w->end - 1, w->disclosed, w->omitted,
	       profile_name(w->profile), w->checkpoint.size, hex, w->from, w->end - 1,
	       x->options->checkpoint == NULL && !x->options->to.is_set
		       ? " --checkpoint with its log/checkpoint"
		       : "");
	if (x->stamp_says[0] != '\0') {
		printf("  %s %s\n",
		       x->is_stamped ? "timestamped by" : "not timestamped:", x->stamp_says);
	}
}

static bool
prepare(struct export *x)
{
	const struct options *o = x->options;

	x->words.origin = log_reader_origin(x->source->reader);
	x->words.requester = o->requester;
	x->words.purpose = o->purpose;
	if (access(o->copy, F_OK) == 0 && !o->discard) {
		return export_fails(x,
				    "%.300s is there already: name another file, or give "
				    "--discard to write over it",
				    o->copy);
	}
	if (!choose_range(x) || !choose_anchors(x) || !choose_previous(x) || !choose_profile(x) ||
	    !export_key_open(o->data_dir, x->words.origin, &x->signer, x->fault, sizeof x->fault)) {
		return false;
	}
	describe_filter(x);
	log_verifier_write(x->words.log_key, &x->newest.key);
	log_verifier_write(x->words.export_key, &x->signer.verifier);
	x->bundle = bundle_make(o->copy, x->fault, sizeof x->fault);
	return x->bundle != NULL;
}

int
export_command(const struct options *options, struct source *source)
{
	struct options copy = *options;
	struct export *x = calloc(1, sizeof *x);
	struct digest manifest;

	if (x == NULL) {
		fprintf(stderr, "ifreplay: export: out of memory\n");
		return 1;
	}
	copy.agent = options->subject != NULL ? options->subject : options->agent;
	x->options = &copy;
	x->source = source;
	const bool ok =
		prepare(x) && gather(x, &manifest) && record(x, &manifest) &&
		(bundle_publish(x->bundle) || export_fails(x, "%s", bundle_fault(x->bundle)));
	if (ok) {
		print_made(x, &manifest);
	} else {
		fprintf(stderr, "ifreplay: export: %s\n", x->fault);
	}
	bundle_free(x->bundle);
	report_free(x->report);
	free(x->pruned);
	seal_forget(x, sizeof *x);
	free(x);
	return ok && print_flush() ? 0 : 1;
}
