#include "replay/verify_io.h"

#include <inttypes.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "replay/commands_io.h"
#include "replay/print_io.h"
#include "replay/states.h"
#include "replay/verify_allow_io.h"
#include "replay/verify_pub_io.h"
#include "replay/verify_rows_io.h"
#include "store/proof.h"
#include "store/read_scan_io.h"
#include "store/seal.h"

enum { PROGRESS_EVERY = 16384, BATCH_MAX = 4096 };

/* Checkpoints whose signatures were checked, and whose roots wait for the rows. */
struct batch {
	bool is_begun;
	uint64_t last_size;
	uint32_t count;
	struct checkpoint items[BATCH_MAX];
};

struct run {
	const struct options *options;
	struct source *source;
	struct log_reader *tiles; /* hashes are fetched while rows are read */
	struct verify_rows *rows;
	struct verify_allow allow;
	uint64_t allow_size; /* the log's when the events of `allow` were read; 0: they were not */
	uint64_t allow_from; /* rows before it were judged without them */
	struct verify v;
	struct verify_summary summary;
	struct head_row {
		uint64_t stream, version, epoch, last_seq;
	} heads[STREAMS];
	uint32_t head_count;
	uint64_t heads_end; /* the heads describe the log up to there */
	uint64_t published; /* the size that pub/checkpoint covers */
	struct batch batch;
};

/* --- reading failed: a finding like any other --- */

static void
say_unreadable(struct run *run, const char *what, const struct log_reader *reader)
{
	verify_say(&run->v, what, "witness.db", "readable rows to the end",
		   log_reader_fault(reader));
}

/* --- what was lawfully removed --- */

/* The events that remove stand after what they remove. They are looked for when the first thing is
 * missing, since most logs have none; and again when the log has grown meanwhile. */
static void
read_allowances(struct run *run)
{
	uint64_t size = 0;

	if (!log_reader_size(run->tiles, &size) ||
	    (size > run->allow_size &&
	     !allow_read(&run->allow, run->tiles, run->allow_size, UINT64_MAX))) {
		say_unreadable(run, "the erasures cannot all be read", run->tiles);
		return;
	}
	run->allow_from = run->allow_size == 0 ? run->v.next_seq : run->allow_from;
	if (size > run->allow_size) {
		run->allow_size = size;
		if (!allow_read_end(&run->allow, run->tiles)) {
			say_unreadable(run, "what was pruned cannot all be read", run->tiles);
		}
	}
}

static bool
look_again(void *context, const struct log_row *row)
{
	struct run *run = context;
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
check_pruned_roots(struct run *run)
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
check_what_stayed(struct run *run)
{
	if (run->v.removals == 0) {
		return;
	}
	read_allowances(run);
	check_pruned_roots(run);
	if (run->allow_from > 0 &&
	    !log_read_rows(run->source->far_reader, 0, run->allow_from, look_again, run)) {
		say_unreadable(run, "the entries cannot all be read", run->source->far_reader);
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
needs_allowances(const struct run *run, const struct verify_fact *fact)
{
	return has_part(fact, VERIFY_PART_ABSENT) || fact->seq > run->v.next_seq ||
	       (run->allow_size == 0 && has_part(fact, VERIFY_PART_SHUT));
}

/* --- rows --- */

static void
join_next(struct run *run, const struct verify_fact *fact)
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
pump(struct run *run, uint64_t until)
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
check_heads(struct run *run)
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
pump_past_heads(struct run *run, uint64_t until)
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
	struct run *run = context;

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
read_heads(struct run *run)
{
	uint64_t before = 0;

	if (!log_reader_size(run->source->reader, &before) ||
	    !log_read_stream_heads(run->source->reader, visit_head, run) ||
	    !log_reader_size(run->source->reader, &run->summary.size)) {
		say_unreadable(run, "the stream heads cannot be read", run->source->reader);
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
	struct run *run = context;
	struct batch *batch = &run->batch;
	uint64_t now = 0;

	if (batch->is_begun && size <= batch->last_size) {
		return true;
	}
	/* A running witness may have signed more than there was at the start. */
	if (size > run->summary.size && log_reader_size(run->tiles, &now) && size <= now) {
		return false;
	}
	if (batch->count == BATCH_MAX) {
		return false;
	}
	batch->is_begun = true;
	batch->last_size = size;
	batch->count += verify_note(&run->v, size, note, &batch->items[batch->count]);
	return true;
}

/* In batches: between them no read transaction is held, and what is kept stays bounded. */
static void
check_checkpoints(struct run *run)
{
	struct batch *batch = &run->batch;

	do {
		batch->count = 0;
		if (!log_read_checkpoints(run->source->reader, collect_checkpoint, run)) {
			say_unreadable(run, "the checkpoints cannot all be read",
				       run->source->reader);
		}
		for (uint32_t i = 0; i < batch->count; i++) {
			if (batch->items[i].size <= run->summary.size) {
				pump_past_heads(run, batch->items[i].size);
			}
			verify_checkpoint(&run->v, &batch->items[i]);
		}
	} while (batch->count == BATCH_MAX);
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
anchor_file(struct run *run, const char *where, const char *path)
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
anchored_size(const struct run *run, const char *where)
{
	for (uint32_t i = 0; i < run->v.anchor_count; i++) {
		if (strcmp(run->v.anchors[i].where, where) == 0) {
			return run->v.anchors[i].checkpoint.size;
		}
	}
	return 0;
}

static bool
is_directory(const char *path)
{
	struct stat status;

	return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

static void
take_anchors(struct run *run)
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
take_verifier(struct run *run)
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
check_head_is_there(struct run *run)
{
	if (!run->summary.has_head && run->v.checkpoints > 0 &&
	    is_directory(run->options->data_dir)) {
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

/* --- tiles, sealed rows, snapshots --- */

/* What the checker asks for is compared with what is published in the same breath. */
static bool
fetch_recorded(void *context, unsigned level, uint64_t index, uint32_t count, struct digest *hashes)
{
	struct run *run = context;

	if (!log_fetch_hashes(run->tiles, level, index, count, hashes)) {
		return false;
	}
	if (count == TILE_HASHES && index < (run->published >> (8 * level)) / TILE_HASHES) {
		pub_tile_check(&run->v, run->options->data_dir, level, index, TILE_HASHES, hashes);
	}
	return true;
}

struct tile_walk {
	struct run *run;
	struct verify_tiles at;
};

static bool
visit_tile(void *context, unsigned level, uint64_t index, uint64_t bytes)
{
	struct tile_walk *walk = context;

	verify_tile(&walk->run->v, &walk->at, level, index, bytes);
	return true;
}

/* The rightmost tiles of what is published, which the table has not. */
static void
check_partial_tiles(struct run *run)
{
	struct digest hashes[TILE_HASHES];

	for (unsigned level = 0; level < MERKLE_LEVELS; level++) {
		const uint64_t count = run->published >> (8 * level);
		const uint32_t width = (uint32_t)(count % TILE_HASHES);

		if (width > 0 &&
		    log_fetch_hashes(run->tiles, level, count / TILE_HASHES, width, hashes)) {
			pub_tile_check(&run->v, run->options->data_dir, level, count / TILE_HASHES,
				       width, hashes);
		}
	}
}

static void
check_tiles(struct run *run)
{
	struct tile_walk walk = { .run = run };

	if (!log_read_tile_sizes(run->source->reader, visit_tile, &walk)) {
		say_unreadable(run, "the tiles cannot all be read", run->source->reader);
		return;
	}
	verify_tiles_end(&run->v, &walk.at);
	check_partial_tiles(run);
	pub_pruned_check(&run->v, run->options->data_dir, run->published);
}

/* The table lets rows go and readers pass: no word of it counts that an event does not say. */
static bool
visit_pruned(void *context, const struct log_pruned_row *row)
{
	struct run *run = context;
	uint64_t first = 0, end = 0, event = 0;
	char where[96];

	if (!log_pruned_at(run->tiles, row->first, &first, &end, &event) || first != row->first) {
		snprintf(where, sizeof where, "table pruned, seq %" PRIu64 " to %" PRIu64,
			 row->first, row->end - 1);
		verify_say(&run->v, "a range is marked as pruned and no event says so", where,
			   "a log_pruned event of that range", "none at the seq that it names");
	}
	return true;
}

static void
check_pruned_table(struct run *run)
{
	if (!log_read_pruned(run->source->reader, visit_pruned, run)) {
		say_unreadable(run, "what was pruned cannot all be read", run->source->reader);
	}
}

static bool
visit_stray(void *context, uint64_t seq)
{
	struct run *run = context;
	char where[64];

	snprintf(where, sizeof where, "seq %" PRIu64, seq);
	verify_say(&run->v, "a sealed row without an entry", where, "an entry that names it",
		   "none");
	return true;
}

static bool
visit_snapshot(void *context, uint64_t stream, uint64_t version, uint64_t seq, struct span dump,
	       struct span box)
{
	struct run *run = context;
	uint64_t claimed = 0;
	struct digest digest;
	struct digest logged = { { 0 } };
	struct entry entry;
	struct event event;
	struct log_row row;
	bool found = false;
	char where[96];

	SHA256(dump.at, dump.count, digest.bytes);
	snprintf(where, sizeof where, "snapshot of stream %" PRIu64 " version %" PRIu64, stream,
		 version);
	if (!log_read_row(run->tiles, seq, &row, &found) || !found ||
	    !entry_read(row.entry, &entry) || entry_to_event(&entry, NULL, &event) != ENTRY_KNOWN ||
	    entry.stream != stream || !states_claim(&event, &claimed, &logged)) {
		verify_say(&run->v, "a snapshot that the log does not vouch for", where,
			   "a state digest event at the seq that it names", "none");
	} else if (claimed != version) {
		verify_say_numbers(&run->v, "a snapshot stands under another version", where,
				   claimed, version);
	} else if (!digest_equal(&digest, &logged)) {
		verify_say_digests(&run->v, "a snapshot is not the state that was logged", where,
				   &logged, &digest);
	} else if (box.count < SEAL_BOX_EXTRA && allow_is_empty(&run->allow)) {
		verify_say(&run->v, "a snapshot without its sealed annex", where,
			   "the personal half of the state, sealed",
			   "none, and no event says that anything was erased");
	}
	return true;
}

/* --- declared types, keys --- */

static bool
visit_type(void *context, uint64_t number, uint64_t version, uint64_t seq)
{
	verify_declared_type(context, number, version, seq);
	return true;
}

static bool
visit_key(void *context, const struct id *subject, const struct id *key, uint64_t month,
	  uint64_t created_seq)
{
	verify_key(context, subject, key, month, created_seq);
	return true;
}

static void
check_keys(struct run *run)
{
	bool found = false;

	if (!log_read_keys(run->tiles, visit_key, &run->v, &found)) {
		verify_say(&run->v, "the keys cannot all be read", "keys.db",
			   "readable rows to the end", log_reader_fault(run->tiles));
	}
}

static void
check_declared_types(struct run *run)
{
	if (!log_read_declared_types(run->source->reader, visit_type, &run->v)) {
		say_unreadable(run, "the declared types cannot all be read", run->source->reader);
		return;
	}
	verify_declared_types_end(&run->v);
}

static void
check_hidden(struct run *run)
{
	uint64_t count = 0;

	if (!log_count_hidden(run->source->reader, &count)) {
		say_unreadable(run, "the entries cannot all be read", run->source->reader);
	} else if (count > 0) {
		verify_say_numbers(&run->v, "rows that no reader comes by", "below seq 0", 0,
				   count);
	}
}

static void
check_rest(struct run *run)
{
	check_hidden(run);
	check_tiles(run);
	/* The helpers have named those below. */
	if (!log_read_stray_sealed(run->source->reader, run->summary.size, visit_stray, run)) {
		say_unreadable(run, "the sealed rows cannot all be read", run->source->reader);
	}
	if (!log_read_snapshots(run->source->reader, visit_snapshot, run)) {
		say_unreadable(run, "the snapshots cannot all be read", run->source->reader);
	}
	check_pruned_table(run);
	check_declared_types(run);
	check_keys(run);
	anchors_check(&(struct anchors_place){ run->options->data_dir, run->options->policy,
					       run->options->tsa_ca, run->options->checkpoint,
					       run->source->far_reader, run->tiles },
		      &run->v, &run->summary.anchors);
}

static void
start_rows(struct run *run)
{
	const uint64_t jobs = run->options->jobs;
	const struct rows_options options = {
		.data_dir = run->options->data_dir,
		.size = run->summary.size,
		.published = is_directory(run->options->data_dir) ? run->published : 0,
		.has_keys = run->source->keys != NULL,
		.jobs = jobs < ROWS_JOBS_MAX ? (unsigned)jobs : ROWS_JOBS_MAX,
	};

	run->rows = rows_start(&options);
}

/* The replay broke off at what was pruned: it begins anew behind it. */
static void
end_states(struct run *run, struct guard_child *states)
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
check_all(struct run *run)
{
	struct verify *v = &run->v;
	struct guard_child states;

	take_verifier(run);
	take_anchors(run);
	read_heads(run);
	verify_use_allow(v, &run->allow);
	verify_use_tiles(v, fetch_recorded, run, run->summary.size);
	start_rows(run);
	states_start_beside(&states, run->rows, v);
	check_checkpoints(run);
	pump_past_heads(run, run->summary.size);
	check_heads(run);
	verify_rows_end(run->rows, v);
	check_what_stayed(run);
	verify_end(v);
	check_head_is_there(run);
	check_rest(run);
	end_states(run, &states);
}

struct verify_summary
verify_log(const struct options *options, struct source *source, verify_report *report,
	   void *context)
{
	struct run *run = calloc(1, sizeof *run);
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
