#include "replay/verify_io.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "replay/commands_io.h"
#include "replay/print_io.h"
#include "replay/states.h"
#include "replay/verify_allow_io.h"
#include "replay/verify_rows_io.h"
#include "replay/verify_run_io.h"
#include "store/proof.h"
#include "store/read_scan_io.h"

enum { PROGRESS_EVERY = 16384 };

void
verify_unreadable(struct verify_run *run, const char *what, const struct log_reader *reader)
{
	verify_say(&run->v, what, "witness.db", "readable rows to the end",
		   log_reader_fault(reader));
}

/* --- what was lawfully removed --- */

/* The events that remove stand after what they remove. They are looked for when the first thing is
 * missing, since most logs have none; and again when the log has grown meanwhile. */
static void
read_allowances(struct verify_run *run)
{
	uint64_t size = 0;

	if (!log_reader_size(run->tiles, &size) ||
	    (size > run->allow_size &&
	     !allow_read(&run->allow, run->tiles, run->allow_size, UINT64_MAX))) {
		verify_unreadable(run, "the erasures cannot all be read", run->tiles);
		return;
	}
	run->allow_from = run->allow_size == 0 ? run->v.next_seq : run->allow_from;
	if (size > run->allow_size) {
		run->allow_size = size;
		if (!allow_read_end(&run->allow, run->tiles)) {
			verify_unreadable(run, "what was pruned cannot all be read", run->tiles);
		}
	}
}

static bool
look_again(void *context, const struct log_row *row)
{
	struct verify_run *run = context;
	struct verify_fact fact = { .seq = row->seq };
	struct entry entry;

	if (entry_read(row->entry, &entry)) {
		fact.recorded_us = entry.recorded_us;
		fact.parts = (uint8_t)entry.parts;
		for (uint32_t i = 0; i < entry.parts; i++) {
			fact.subject[i] = entry.part[i].subject;
			fact.part[i] =
				row->body[i].count > 0 ? VERIFY_PART_PRESENT : VERIFY_PART_ABSENT;
		}
	}
	verify_again(&run->v, &fact);
	return true;
}

/* The tiles of what was pruned must still give the root that the event says. */
static void
check_pruned_roots(struct verify_run *run)
{
	for (size_t i = 0; i < allow_pruned_count(&run->allow); i++) {
		const struct allow_range *range = allow_pruned_at(&run->allow, i);
		char where[96];
		struct digest root;

		snprintf(where, sizeof where, "event %" PRIu64 ", of the tree of size %" PRIu64,
			 range->by, range->end);
		if (range->end > run->v.next_seq ||
		    !proof_root(log_fetch_hashes, run->tiles, range->end, &root)) {
			verify_say(&run->v, "the tiles below a pruned range cannot be read", where,
				   "all tiles up to its end", log_reader_fault(run->tiles));
		} else if (!digest_equal(&root, &range->root)) {
			verify_say_digests(&run->v,
					   "the root of what was pruned is not the one "
					   "that was logged",
					   where, &range->root, &root);
		}
	}
}

/* What should be gone, among the rows that were judged before anything was known to be. */
static void
check_what_stayed(struct verify_run *run)
{
	if (run->v.removals == 0) {
		return;
	}
	read_allowances(run);
	check_pruned_roots(run);
	if (run->allow_from > 0 &&
	    !log_read_rows(run->source->far_reader, 0, run->allow_from, look_again, run)) {
		verify_unreadable(run, "the entries cannot all be read", run->source->far_reader);
	}
}

static bool
has_part(const struct verify_fact *fact, enum verify_part state)
{
	return (fact->parts > 0 && fact->part[0] == state) ||
	       (fact->parts > 1 && fact->part[1] == state);
}

/* Something that only an event can explain. With keys of another log no part opens at all: that is
 * no cause to look more than once. */
static bool
needs_allowances(const struct verify_run *run, const struct verify_fact *fact)
{
	return has_part(fact, VERIFY_PART_ABSENT) || fact->seq > run->v.next_seq ||
	       (run->allow_size == 0 && has_part(fact, VERIFY_PART_SHUT));
}

/* --- rows --- */

static void
join_next(struct verify_run *run, const struct verify_fact *fact)
{
	if (run->v.rows == 0) {
		run->summary.first_us = fact->recorded_us;
	}
	if (fact->seq % PROGRESS_EVERY == 0) {
		print_progress("verifying", fact->seq, run->summary.size);
	}
	rows_take(run->rows, &run->v);
}

static void
pump(struct verify_run *run, uint64_t until)
{
	const struct verify_fact *fact;

	while (run->v.next_seq < until && (fact = rows_peek(run->rows, &run->v)) != NULL) {
		if (needs_allowances(run, fact)) {
			read_allowances(run);
		}
		if (fact->seq >= until) {
			verify_gap(&run->v, fact->seq, until);
			return;
		}
		join_next(run, fact);
	}
}

static void
check_heads(struct verify_run *run)
{
	for (uint32_t i = 0; i < run->head_count; i++) {
		const struct head_row *head = &run->heads[i];
		verify_stream_head(&run->v, head->stream, head->version, head->epoch,
				   head->last_seq);
	}
	run->head_count = 0;
}

/* Up to a size, and on the way there the stream heads where they were read. */
static void
pump_past_heads(struct verify_run *run, uint64_t until)
{
	if (run->head_count > 0 && run->heads_end <= until) {
		pump(run, run->heads_end);
		check_heads(run);
	}
	pump(run, until);
}

static bool
visit_head(void *context, uint64_t stream, uint64_t version, uint64_t epoch, uint64_t last_seq)
{
	struct verify_run *run = context;

	if (run->head_count < STREAMS) {
		run->heads[run->head_count++] =
			(struct head_row){ stream, version, epoch, last_seq };
	}
	if (version > 0 && last_seq + 1 > run->heads_end) {
		run->heads_end = last_seq + 1;
	}
	return true;
}

/* The heads lie between two sizes that were read before and after them. */
static void
read_heads(struct verify_run *run)
{
	uint64_t before = 0;

	if (!log_reader_size(run->source->reader, &before) ||
	    !log_read_stream_heads(run->source->reader, visit_head, run) ||
	    !log_reader_size(run->source->reader, &run->summary.size)) {
		verify_unreadable(run, "the stream heads cannot be read", run->source->reader);
		return;
	}
	if (run->heads_end < before || run->heads_end > run->summary.size) {
		verify_say_numbers(&run->v, "stream_head does not describe the end of the log",
				   "stream_head", run->summary.size, run->heads_end);
		run->heads_end = run->summary.size;
	}
}

/* --- checkpoints --- */

static bool
collect_checkpoint(void *context, uint64_t size, struct span note)
{
	struct verify_run *run = context;
	struct batch *batch = &run->batch;
	uint64_t now = 0;

	if (batch->is_begun && size <= batch->last_size) {
		return true;
	}
	/* A running witness may have signed more than there was at the start. */
	if (size > run->summary.size && log_reader_size(run->tiles, &now) && size <= now) {
		return false;
	}
	if (batch->count == VERIFY_BATCH_MAX) {
		return false;
	}
	batch->is_begun = true;
	batch->last_size = size;
	batch->count += verify_note(&run->v, size, note, &batch->items[batch->count]);
	return true;
}

/* In batches: between them no read transaction is held, and what is kept stays bounded. */
static void
check_checkpoints(struct verify_run *run)
{
	struct batch *batch = &run->batch;

	do {
		batch->count = 0;
		if (!log_read_checkpoints(run->source->reader, collect_checkpoint, run)) {
			verify_unreadable(run, "the checkpoints cannot all be read",
					  run->source->reader);
		}
		for (uint32_t i = 0; i < batch->count; i++) {
			if (batch->items[i].size <= run->summary.size) {
				pump_past_heads(run, batch->items[i].size);
			}
			verify_checkpoint(&run->v, &batch->items[i]);
		}
	} while (batch->count == VERIFY_BATCH_MAX);
}

/* A small file, whole; 0 if it is not there or larger than a note may be. */
static size_t
read_note(const char *path, char note[CHECKPOINT_NOTE_MAX])
{
	FILE *file = fopen(path, "rb");

	if (file == NULL) {
		return 0;
	}
	const size_t count = fread(note, 1, CHECKPOINT_NOTE_MAX, file);
	fclose(file);
	return count < CHECKPOINT_NOTE_MAX ? count : 0;
}

static bool
anchor_file(struct verify_run *run, const char *where, const char *path)
{
	char note[CHECKPOINT_NOTE_MAX];
	const size_t count = read_note(path, note);

	if (count > 0) {
		verify_anchor(&run->v, where, (struct span){ (const uint8_t *)note, count });
	}
	return count > 0;
}

/* 0 if its signature did not hold. */
static uint64_t
anchored_size(const struct verify_run *run, const char *where)
{
	for (uint32_t i = 0; i < run->v.anchor_count; i++) {
		if (strcmp(run->v.anchors[i].where, where) == 0) {
			return run->v.anchors[i].checkpoint.size;
		}
	}
	return 0;
}

static bool
verify_is_directory(const char *path)
{
	struct stat status;

	return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

static void
take_anchors(struct verify_run *run)
{
	char note[CHECKPOINT_NOTE_MAX];
	char path[4096];
	size_t count = 0;

	run->summary.has_head = log_read_head(run->source->reader, note, &count);
	if (run->summary.has_head) {
		verify_anchor(&run->v, "head", (struct span){ (const uint8_t *)note, count });
	}
	snprintf(path, sizeof path, "%s/pub/checkpoint", run->options->data_dir);
	run->summary.has_published = anchor_file(run, "pub/checkpoint", path);
	run->published = anchored_size(run, "pub/checkpoint");
	if (run->options->checkpoint != NULL &&
	    !anchor_file(run, "the checkpoint you gave", run->options->checkpoint)) {
		verify_say(&run->v, "the checkpoint you gave cannot be read",
			   run->options->checkpoint, "a file with a signed note",
			   "no such file, or not a note");
	}
}

static void
take_verifier(struct verify_run *run)
{
	struct log_verifier verifier;
	char text[CHECKPOINT_NOTE_MAX];
	bool is_read = false;

	if (run->options->vkey != NULL) {
		const size_t count = read_note(run->options->vkey, text);
		text[count] = '\0';
		is_read = count > 0 && log_verifier_read(text, &verifier);
	} else {
		is_read = log_read_verifier(run->source->reader, &verifier);
	}
	if (is_read) {
		verify_use_verifier(&run->v, &verifier);
		return;
	}
	verify_say(&run->v, "no signature can be checked",
		   run->options->vkey != NULL ? run->options->vkey : "log.vkey",
		   "the log's verifier key", "no such file, or not a key");
}

/* A data directory has a head as soon as anything was signed; a witness.db alone has not. */
static void
check_head_is_there(struct verify_run *run)
{
	if (!run->summary.has_head && run->v.checkpoints > 0 &&
	    verify_is_directory(run->options->data_dir)) {
		verify_say(&run->v, "the head is missing", "head",
			   "the last published checkpoint, beside a log that has checkpoints",
			   "no such file");
	}
	if (run->v.has_verifier && run->v.origin[0] != '\0' &&
	    strcmp(run->v.verifier.name, run->v.origin) != 0) {
		verify_say(&run->v, "the key is of another log", "log.vkey", run->v.origin,
			   run->v.verifier.name);
	}
}

static void
start_rows(struct verify_run *run)
{
	const uint64_t jobs = run->options->jobs;
	const struct rows_options options = {
		.data_dir = run->options->data_dir,
		.size = run->summary.size,
		.published = verify_is_directory(run->options->data_dir) ? run->published : 0,
		.has_keys = run->source->keys != NULL,
		.jobs = jobs < ROWS_JOBS_MAX ? (unsigned)jobs : ROWS_JOBS_MAX,
	};

	run->rows = rows_start(&options);
}

/* The replay broke off at what was pruned: it begins anew behind it. */
static void
end_states(struct verify_run *run, struct guard_child *states)
{
	uint64_t from_seq = 0;

	for (size_t i = 0; run->v.pruned > 0 && i < allow_pruned_count(&run->allow); i++) {
		const uint64_t end = allow_pruned_at(&run->allow, i)->end;
		from_seq = end > from_seq ? end : from_seq;
	}
	if (from_seq > 0) {
		states_drop(states);
		*states = states_start(run->options->data_dir, from_seq);
	}
	states_end(states, &run->v, &run->summary);
}

static void
check_all(struct verify_run *run)
{
	struct verify *v = &run->v;
	struct guard_child states;

	take_verifier(run);
	take_anchors(run);
	read_heads(run);
	verify_use_allow(v, &run->allow);
	verify_use_tiles(v, verify_fetch_recorded, run, run->summary.size);
	start_rows(run);
	states_start_beside(&states, run->rows, v);
	check_checkpoints(run);
	pump_past_heads(run, run->summary.size);
	check_heads(run);
	verify_rows_end(run->rows, v);
	check_what_stayed(run);
	verify_end(v);
	check_head_is_there(run);
	verify_check_rest(run);
	end_states(run, &states);
}

struct verify_summary
verify_log(const struct options *options, struct source *source, verify_report *report,
	   void *context)
{
	struct verify_run *run = calloc(1, sizeof *run);
	struct verify_summary summary;
	char fault[512];

	if (run == NULL || !log_reader_open(options->data_dir, &run->tiles, fault, sizeof fault)) {
		fprintf(stderr, "ifreplay: %s\n", run == NULL ? "out of memory" : fault);
		exit(1);
	}
	run->options = options;
	run->source = source;
	verify_make(&run->v, report, context);
	check_all(run);
	print_progress_end();
	summary = run->summary;
	summary.findings = run->v.voice.findings;
	summary.full_tiles = run->v.full_tiles;
	summary.checkpoints = run->v.checkpoints;
	summary.sealed_present = run->v.sealed_present;
	summary.sealed_opened = run->v.sealed_opened;
	summary.sealed_erased = run->v.sealed_erased;
	summary.sealed_lost = run->v.sealed_lost;
	summary.pruned = run->v.pruned;
	summary.going = run->v.going;
	summary.is_overfull = run->allow.is_overfull;
	summary.signed_size = run->v.signed_size;
	summary.last_us = run->v.recorded_us;
	summary.has_keys = source->keys != NULL;
	allow_free(&run->allow);
	verify_free(&run->v);
	log_reader_close(run->tiles);
	free(run);
	return summary;
}
