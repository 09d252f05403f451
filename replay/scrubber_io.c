#include "replay/scrubber_io.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "replay/verify_allow_io.h"
#include "replay/verify_pub_io.h"
#include "store/files_io.h"
#include "store/proof.h"
#include "store/read_scan_io.h"

enum {
	LEARN_ROWS = 8192,
	FINDINGS_MAX = 64, /* of one block; those beyond are counted */
};

/* The block at hand, as it was read. */
struct block {
	uint64_t end;
	uint32_t count;
	uint32_t at; /* the next row to be joined */
	struct verify_fact facts[SCRUB_BLOCK];
	struct span entries[SCRUB_BLOCK]; /* of rows that say more; others are empty */
	uint32_t checkpoint_count;
	struct checkpoint checkpoints[SCRUB_BLOCK];
};

struct scrubber {
	char data_dir[FILE_PATH_MAX];
	struct log_reader *rows;
	struct log_reader *tiles; /* hashes are fetched while rows are joined */
	bool has_verifier;
	struct log_verifier verifier;
	struct verify_allow allow;
	uint64_t learnt; /* removals before it are known */
	bool is_learning;
	struct pub_bundle *bundle;
	uint64_t published; /* whole tiles below it lie in pub/, too */
	struct verify v;
	bool is_begun; /* v stands at v.next_seq, with all before it judged or taken from tiles */
	struct block block;
	struct event said;
	uint64_t found; /* in this look; the first of them are kept */
	struct finding findings[FINDINGS_MAX];
};

static void
keep_finding(void *context, const struct finding *finding)
{
	struct scrubber *s = context;

	if (s->found < FINDINGS_MAX) {
		s->findings[s->found] = *finding;
	}
	s->found++;
}

static uint64_t
tell(struct scrubber *s, verify_report *report, void *context)
{
	const uint64_t kept = s->found < FINDINGS_MAX ? s->found : FINDINGS_MAX;

	for (uint64_t i = 0; i < kept; i++) {
		report(context, &s->findings[i]);
	}
	return s->found;
}

/* --- opening -------------------------------------------------------------------------------------
 */

struct scrubber *
scrubber_open(const char *data_dir, char *fault, size_t fault_size)
{
	struct scrubber *s = calloc(1, sizeof *s);
	uint64_t size;

	assert(s != NULL);
	snprintf(s->data_dir, sizeof s->data_dir, "%s", data_dir);
	if (!log_reader_open(data_dir, &s->rows, fault, fault_size)) {
		free(s);
		return NULL;
	}
	if (!log_reader_open(data_dir, &s->tiles, fault, fault_size)) {
		log_reader_close(s->rows);
		free(s);
		return NULL;
	}
	s->has_verifier = log_read_verifier(s->rows, &s->verifier);
	/* A first look opens the WAL and its index: a sandbox may come after it. */
	log_reader_size(s->rows, &size);
	log_reader_size(s->tiles, &size);
	verify_make(&s->v, keep_finding, s);
	return s;
}

void
scrubber_close(struct scrubber *s)
{
	if (s->bundle != NULL) {
		pub_bundle_free(s->bundle);
	}
	for (uint32_t i = 0; i < s->block.count; i++) {
		free((void *)(uintptr_t)s->block.entries[i].at);
	}
	verify_free(&s->v);
	allow_free(&s->allow);
	log_reader_close(s->tiles);
	log_reader_close(s->rows);
	free(s);
}

const char *
scrubber_origin(const struct scrubber *s)
{
	return log_reader_origin(s->rows);
}

uint64_t
scrubber_size(struct scrubber *s)
{
	uint64_t size = 0;

	return log_reader_size(s->tiles, &size) ? size : 0;
}

uint64_t
scrubber_created_s(struct scrubber *s)
{
	struct log_row row;
	uint64_t seq = 0;
	bool found = false;

	if (!log_next_row(s->tiles, 0, &seq, &found) || !found ||
	    !log_read_row(s->tiles, seq, &row, &found) || !found) {
		return 0;
	}
	return row.recorded_us / 1000000;
}

/* --- what was lawfully removed -------------------------------------------------------------------
 */

bool
scrubber_learn(struct scrubber *s, uint64_t first)
{
	const uint64_t size = scrubber_size(s);

	s->learnt = s->is_learning ? s->learnt : first;
	s->is_learning = true;
	if (s->learnt >= size) {
		return false;
	}
	const uint64_t left = size - s->learnt;
	const uint64_t to = s->learnt + (left < LEARN_ROWS ? left : LEARN_ROWS);
	/* Whatever cannot be read there is found when its block comes. */
	allow_read(&s->allow, s->tiles, s->learnt, to);
	s->learnt = to;
	if (to == size) {
		allow_read_end(&s->allow, s->tiles);
	}
	return to < size;
}

/* --- reading a block -----------------------------------------------------------------------------
 */

static bool
visit_row(void *context, const struct log_row *row)
{
	struct scrubber *s = context;
	struct block *block = &s->block;
	const struct verify_opened closed = { 0 };
	const struct verify_row given = { row->seq,
					  row->recorded_us,
					  row->stream,
					  row->type,
					  row->entry,
					  { row->salt[0], row->salt[1] },
					  { row->body[0], row->body[1] } };
	struct verify_fact *fact = &block->facts[block->count];
	struct entry entry;

	assert(block->count < SCRUB_BLOCK);
	verify_look(&s->v.voice, &given, entry_read(row->entry, &entry) ? &entry : NULL, &closed,
		    fact);
	pub_bundle_check(s->bundle, &s->v.voice, row->seq, row->entry);
	struct span kept = { NULL, 0 };
	if (fact->says_more) {
		uint8_t *memory = malloc(row->entry.count);
		assert(memory != NULL);
		memcpy(memory, row->entry.at, row->entry.count);
		kept = (struct span){ memory, row->entry.count };
	}
	block->entries[block->count++] = kept;
	return true;
}

static bool
visit_stray(void *context, uint64_t seq)
{
	struct scrubber *s = context;

	verify_say(&s->v, "a sealed row without an entry", verify_place_of(seq).text,
		   "an entry that names it", "none");
	return true;
}

static bool
visit_checkpoint(void *context, uint64_t size, struct span note)
{
	struct scrubber *s = context;
	struct block *block = &s->block;

	assert(block->checkpoint_count < SCRUB_BLOCK);
	block->checkpoint_count +=
		verify_note(&s->v, size, note, &block->checkpoints[block->checkpoint_count]);
	return true;
}

static bool
read_block(struct scrubber *s, uint64_t first, uint64_t end)
{
	struct block *block = &s->block;

	for (uint32_t i = 0; i < block->count; i++) {
		free((void *)(uintptr_t)block->entries[i].at);
	}
	block->end = end;
	block->count = 0;
	block->at = 0;
	block->checkpoint_count = 0;
	log_watch_stray_sealed(s->rows, visit_stray, s);
	return log_read_rows(s->rows, first, end, visit_row, s) &&
	       log_read_checkpoints_of(s->rows, first, end, visit_checkpoint, s);
}

/* --- judging it ----------------------------------------------------------------------------------
 */

/* What the checker asks for is compared with what is published in the same breath. */
static bool
fetch_recorded(void *context, unsigned level, uint64_t index, uint32_t count, struct digest *hashes)
{
	struct scrubber *s = context;

	if (!log_fetch_hashes(s->tiles, level, index, count, hashes)) {
		return false;
	}
	if (count == TILE_HASHES && index < (s->published >> (8 * level)) / TILE_HASHES) {
		pub_tile_check(&s->v, s->data_dir, level, index, TILE_HASHES, hashes);
	}
	return true;
}

/* Feeds the rows below `until`, and carries the trees over what is missing there. */
static void
advance(struct scrubber *s, uint64_t until)
{
	struct block *block = &s->block;

	while (block->at < block->count && block->facts[block->at].seq < until) {
		const struct span bytes = block->entries[block->at];
		struct entry entry;
		const bool is_known = bytes.count > 0 && entry_read(bytes, &entry) &&
				      entry_to_event(&entry, NULL, &s->said) == ENTRY_KNOWN;

		verify_join(&s->v, &block->facts[block->at++], is_known ? &s->said : NULL);
	}
	if (s->v.next_seq < until) {
		verify_gap(&s->v,
			   block->at < block->count ? block->facts[block->at].seq : block->end,
			   until);
	}
}

static void
join_block(struct scrubber *s)
{
	for (uint32_t i = 0; i < s->block.checkpoint_count; i++) {
		advance(s, s->block.checkpoints[i].size);
		verify_checkpoint(&s->v, &s->block.checkpoints[i]);
	}
	advance(s, s->block.end);
}

static uint64_t
published_size(const struct scrubber *s, struct checkpoint *out)
{
	char path[FILE_PATH_MAX];
	char note[CHECKPOINT_NOTE_MAX];
	size_t count = 0;

	path_join(path, s->data_dir, "pub/checkpoint");
	if (!s->has_verifier || file_read(path, note, sizeof note, &count) != FILE_OK ||
	    checkpoint_verify((struct span){ (const uint8_t *)note, count }, &s->verifier, out) !=
		    CHECKPOINT_HOLDS) {
		return 0;
	}
	return out->size;
}

static void
renew_bundle(struct scrubber *s)
{
	if (s->bundle != NULL) {
		pub_bundle_free(s->bundle);
	}
	s->bundle = pub_bundle_make(s->data_dir, s->published);
}

/* The checker stands at `first`: it came there by itself, or it begins there. */
static bool
begin_at(struct scrubber *s, uint64_t first)
{
	struct checkpoint published;

	if (s->is_begun && s->v.next_seq == first) {
		return true;
	}
	verify_free(&s->v);
	verify_make(&s->v, keep_finding, s);
	verify_use_tiles(&s->v, fetch_recorded, s, scrubber_size(s));
	verify_use_allow(&s->v, &s->allow);
	if (s->has_verifier) {
		verify_use_verifier(&s->v, &s->verifier);
	}
	/* The rightmost tile of what is published is replaced while the log grows. */
	s->published = published_size(s, &published);
	s->published -= s->published % TILE_HASHES;
	renew_bundle(s);
	s->is_begun = verify_begin(&s->v, first);
	return s->is_begun;
}

static void
say_unreadable(struct scrubber *s, const char *what, uint64_t first, uint64_t end,
	       const struct log_reader *reader)
{
	char where[96];

	snprintf(where, sizeof where, "witness.db, seq %" PRIu64 " to %" PRIu64, first, end - 1);
	verify_say(&s->v, what, where, "readable rows to the end", log_reader_fault(reader));
	s->is_begun = false;
}

static void
look(struct scrubber *s, uint64_t first, uint64_t end)
{
	s->found = 0;
	if (!begin_at(s, first)) {
		say_unreadable(s, "the tiles before a block cannot be read", first, end, s->tiles);
		return;
	}
	if (!read_block(s, first, end)) {
		say_unreadable(s, "the entries cannot all be read", first, end, s->rows);
		return;
	}
	/* What is not there has an event by now, if it went lawfully. */
	while (scrubber_learn(s, first)) {
	}
	join_block(s);
}

uint64_t
scrubber_block(struct scrubber *s, uint64_t first, uint64_t end, verify_report *report,
	       void *context)
{
	assert(first % SCRUB_BLOCK == 0);
	assert(first < end && end - first <= SCRUB_BLOCK);
	look(s, first, end);
	if (s->found > 0) {
		/* From the tiles, as they are by now: nothing is left of the first look. */
		s->is_begun = false;
		look(s, first, end);
	}
	return tell(s, report, context);
}

/* --- what belongs to no block --------------------------------------------------------------------
 */

struct tile_walk {
	struct scrubber *s;
	struct verify_tiles at;
};

static bool
visit_tile(void *context, unsigned level, uint64_t index, uint64_t bytes)
{
	struct tile_walk *walk = context;

	verify_tile(&walk->s->v, &walk->at, level, index, bytes);
	return true;
}

static void
check_tiles(struct scrubber *s)
{
	struct tile_walk walk = { .s = s };

	if (!log_read_tile_sizes(s->rows, visit_tile, &walk)) {
		verify_say(&s->v, "the tiles cannot all be read", "witness.db",
			   "readable rows to the end", log_reader_fault(s->rows));
		return;
	}
	verify_tiles_end(&s->v, &walk.at);
}

static void
check_published(struct scrubber *s)
{
	struct checkpoint published = { 0 };
	struct digest root;
	char found[96];

	if (!s->has_verifier) {
		verify_say(&s->v, "no signature can be checked", "log.vkey",
			   "the log's verifier key", "no such file, or not a key");
	}
	if (published_size(s, &published) == 0) {
		return;
	}
	const uint64_t size = scrubber_size(s);
	if (published.size > size) {
		snprintf(found, sizeof found, "%" PRIu64 " entries: the end of the log is missing",
			 size);
		verify_say(&s->v, "the log is shorter than a signed checkpoint", "pub/checkpoint",
			   "as many entries as it says", found);
	} else if (!proof_root(log_fetch_hashes, s->tiles, published.size, &root)) {
		verify_say(&s->v, "the tiles cannot all be read", "witness.db",
			   "readable rows to the end", log_reader_fault(s->tiles));
	} else if (!digest_equal(&root, &published.root)) {
		verify_say_digests(&s->v, "the root over the tiles is not the signed one",
				   "pub/checkpoint", &published.root, &root);
	}
}

static void
check_form(struct scrubber *s)
{
	char form[LOG_FORM_MAX];
	uint64_t hidden = 0;

	if (!log_read_form(s->rows, form) || !log_count_hidden(s->rows, &hidden)) {
		verify_say(&s->v, "the small tables cannot all be read", "witness.db",
			   "readable rows to the end", log_reader_fault(s->rows));
		return;
	}
	if (form[0] != '\0') {
		verify_say(&s->v, "SQLite finds a table malformed", "witness.db", "ok", form);
	}
	if (hidden > 0) {
		verify_say_numbers(&s->v, "rows that no reader comes by", "below seq 0", 0, hidden);
	}
}

uint64_t
scrubber_rest(struct scrubber *s, uint64_t end, verify_report *report, void *context)
{
	s->found = 0;
	s->v.full_tiles = end / TILE_HASHES;
	check_tiles(s);
	check_published(s);
	check_form(s);
	return tell(s, report, context);
}
