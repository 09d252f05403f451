/* state: who was registered and which relays were allocated, as the live actors' own code sees it.
 */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "replay/commands_io.h"
#include "replay/guard_io.h"
#include "replay/newest_io.h"
#include "replay/print_io.h"
#include "replay/rebuild_io.h"
#include "replay/roster_rows.h"
#include "replay/states.h"

enum { ROSTER_BYTES_MAX = MESSAGE_BYTES_MAX, PROGRESS_EVERY = 16384 };

/* The newest digest event of a stream at or before the moment. */
struct logged {
	bool is_there;
	uint64_t seq;
	enum states_check check;
	struct digest claimed;
	struct digest found;
};

struct replay {
	const struct options *options;
	struct moment at;
	bool is_empty; /* the checkpoint covers nothing */
	struct source source;
	struct states states;
	struct rebuild rebuild;
	struct guard *guard;
	uint64_t size;
	uint64_t end; /* the seq after the last event that was applied */
	uint64_t end_us;
	struct logged newest[STREAMS];
};

static bool
visit(void *context, const struct event *event, const struct entry *entry)
{
	struct replay *replay = context;
	struct logged now = { .is_there = true, .seq = entry->seq };

	if (replay->is_empty || !moment_is_kept(&replay->at, entry->seq, entry->recorded_us)) {
		return false;
	}
	replay->guard->seq = entry->seq;
	replay->end = entry->seq + 1;
	replay->end_us = entry->recorded_us;
	if (!rebuild_needs(&replay->rebuild, entry)) {
		return true;
	}
	if (event == NULL) {
		return true; /* a newer program's event: the digests will tell whether it mattered
			      */
	}
	now.check = states_feed(&replay->states, entry, event, &now.claimed, &now.found);
	if (now.check != STATES_NO_DIGEST) {
		replay->newest[entry->stream] = now;
	}
	if (entry->seq % PROGRESS_EVERY == 0) {
		print_progress("replaying", entry->seq, replay->size);
	}
	return true;
}

/* --- printing --- */

static const char *
check_text(const struct logged *newest)
{
	if (!newest->is_there) {
		return "the log has none up to here";
	}
	switch (newest->check) {
	case STATES_HOLDS:
		return "reproduced";
	case STATES_DIFFERS:
		return "DIFFERS from the replay";
	case STATES_MISPLACED:
		return "speaks of another version than its own place";
	case STATES_NO_DIGEST:
		break;
	}
	return "";
}

static void
print_row(const struct options *options, const struct roster_kind *roster, struct mp_reader *r)
{
	const size_t count = mp_get_array(r, 16);
	json_t *object = options->json ? json_object() : NULL;
	struct paper line;
	struct paper value;

	paper_clear(&line);
	for (size_t i = 0; i < count && !r->bad; i++) {
		if (i >= roster->column_count) {
			mp_get_value(r);
			continue;
		}
		paper_clear(&value);
		roster_add_value(&value, r);
		if (object != NULL) {
			json_object_set_new(object, roster->columns[i], json_string(value.text));
			continue;
		}
		paper_to_column(&line, roster->at[i]);
		paper_add(&line, "%s", value.text);
	}
	if (object != NULL) {
		json_object_set_new(object, "kind", json_string(roster->name));
		print_json(object);
		return;
	}
	paper_add(&line, "\n");
	print_paper(&line);
}

static void
print_roster(const struct replay *replay, enum stream stream, const struct roster_kind *roster)
{
	const struct core *core = &replay->states.cores[stream];
	uint8_t *memory = malloc(ROSTER_BYTES_MAX);
	struct mp_writer w = mp_writer_of(memory, ROSTER_BYTES_MAX);
	struct paper head;

	assert(memory != NULL);
	if (core->roster != NULL) {
		core->roster(core->state, &w);
	}
	struct mp_reader r = mp_reader_of(mp_written(&w));
	const size_t rows = w.bad ? 0 : mp_get_array(&r, UINT32_MAX);
	if (!replay->options->json) {
		paper_clear(&head);
		paper_add(&head, "\n%s: %zu\n", roster->name, rows);
		for (size_t i = 0; i < roster->column_count && rows > 0; i++) {
			paper_to_column(&head, roster->at[i]);
			paper_add(&head, "%s", roster->columns[i]);
		}
		paper_add(&head, rows > 0 ? "\n" : "");
		print_head(&head);
	}
	for (size_t i = 0; i < rows && !r.bad; i++) {
		print_row(replay->options, roster, &r);
	}
	free(memory);
}

static void
print_digest(const struct replay *replay, enum stream stream)
{
	const struct logged *newest = &replay->newest[stream];
	char now[2 * sizeof(struct digest) + 1];
	char claimed[2 * sizeof(struct digest) + 1];
	struct digest digest;
	struct paper paper;

	states_digest(&replay->states, stream, &digest);
	hex_write(now, digest.bytes, sizeof digest.bytes);
	hex_write(claimed, newest->claimed.bytes, sizeof newest->claimed.bytes);
	if (replay->options->json) {
		json_t *object =
			json_pack("{s:s, s:s, s:s, s:s}", "kind", "digest", "stream",
				  stream_name(stream), "now", now, "logged", check_text(newest));
		if (newest->is_there) {
			json_object_set_new(object, "logged_seq",
					    json_integer((json_int_t)newest->seq));
			json_object_set_new(object, "logged_digest", json_string(claimed));
			json_object_set_new(object, "holds",
					    json_boolean(newest->check == STATES_HOLDS));
		}
		print_json(object);
		return;
	}
	paper_clear(&paper);
	paper_add(&paper, "\n%s\n  digest now     %s\n", stream_name(stream), now);
	if (newest->is_there) {
		paper_add(&paper, "  logged digest  %s\n                 at seq %" PRIu64 ": %s\n",
			  claimed, newest->seq, check_text(newest));
	} else {
		paper_add(&paper, "  logged digest  %s\n", check_text(newest));
	}
	print_paper(&paper);
}

static void
print_place(const struct replay *replay)
{
	char when[MOMENT_PRINT_MAX];
	struct paper paper;

	moment_print(when, sizeof when, replay->end_us);
	if (replay->options->json) {
		print_json(json_pack("{s:s, s:I, s:s}", "kind", "state", "events",
				     (json_int_t)replay->end, "recorded", when));
		return;
	}
	paper_clear(&paper);
	if (replay->end == 0) {
		paper_add(&paper, "state before the first event\n");
	} else {
		paper_add(&paper, "state after seq %" PRIu64 " (%s)\n", replay->end - 1, when);
	}
	print_paper(&paper);
}

static int
print_state(const struct replay *replay)
{
	print_progress_end();
	print_place(replay);
	print_roster(replay, STREAM_SESSION, roster_kind_of(STREAM_SESSION));
	print_roster(replay, STREAM_ALLOCATION, roster_kind_of(STREAM_ALLOCATION));
	print_digest(replay, STREAM_SESSION);
	print_digest(replay, STREAM_ALLOCATION);
	if (!print_flush()) {
		return 1;
	}
	for (size_t stream = 0; stream < STREAMS; stream++) {
		const struct logged *newest = &replay->newest[stream];
		if (newest->is_there && newest->check != STATES_HOLDS) {
			return 1;
		}
	}
	return 0;
}

/* --- in the child --- */

struct task {
	const struct options *options;
	bool shows_names;
};

/* A checkpoint that this log still gives stands for the entries it covers. */
static bool
find_moment(struct replay *replay)
{
	const char *file = replay->options->at_file;
	struct newest *given = calloc(1, sizeof *given);

	assert(given != NULL);
	replay->at = replay->options->at;
	if (file == NULL) {
		free(given);
		return true;
	}
	const bool is_ours = newest_read(&replay->source, NULL, file, given);
	if (!is_ours) {
		fprintf(stderr,
			"ifreplay: --at: neither a seq, nor a time, nor a checkpoint of "
			"this log: %s\n",
			given->fault);
	}
	replay->is_empty = given->checkpoint.size == 0;
	replay->at = (struct moment){ .is_set = is_ours && !replay->is_empty,
				      .value = given->checkpoint.size - 1 };
	free(given);
	return is_ours;
}

static int
replay_log(struct replay *replay)
{
	char why[REBUILD_WHY_MAX];

	if (!find_moment(replay)) {
		return 1;
	}
	if (!rebuild_begin(&replay->rebuild, &replay->source, &replay->states, &replay->at,
			   &replay->at, why)) {
		fprintf(stderr, "ifreplay: %s\n", why);
		return 1;
	}
	if (!log_reader_size(replay->source.reader, &replay->size) ||
	    !log_read_events(replay->source.reader, replay->source.keys, replay->rebuild.from_seq,
			     UINT64_MAX, LOG_STREAM(STREAM_SESSION) | LOG_STREAM(STREAM_ALLOCATION),
			     visit, replay)) {
		print_progress_end();
		return source_failed(&replay->source);
	}
	return print_state(replay);
}

static int
work(void *context, struct guard *guard)
{
	const struct task *task = context;
	struct replay replay = { .options = task->options, .guard = guard };
	char fault[512];

	if (!source_open(&replay.source, replay.options->data_dir, fault, sizeof fault)) {
		fprintf(stderr, "ifreplay: %s\n", fault);
		return 1;
	}
	source_pass_silently(&replay.source); /* rebuild_begin knows what may be passed */
	if (!task->shows_names) {
		source_forget_keys(&replay.source);
	}
	states_make(&replay.states);
	const int code = replay_log(&replay);
	states_free(&replay.states);
	source_close(&replay.source);
	return code;
}

int
state_command(const struct options *options, struct source *source)
{
	struct task task = { options, source->keys != NULL };

	return guard_replay(work, &task);
}
