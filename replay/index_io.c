#include "replay/index_io.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "replay/index_keys.h"
#include "replay/print_io.h"
#include "replay/words.h"

enum { HELD_RUNS_MAX = 256 }; /* short reads under one hold of the reader: a few milliseconds */

/* --- keeping it up to the log ------------------------------------------------------------------
 */

struct filler {
	struct log_index *index;
	uint64_t seq;
	uint64_t next; /* expected: what lies before it was read */
	bool has_erasure;
};

static void
post_id(void *context, const struct id *id)
{
	struct filler *filler = context;

	log_index_post(filler->index, log_index_key(INDEX_ID, id->bytes, sizeof id->bytes),
		       filler->seq);
}

static void
post_name(void *context, const struct name *name)
{
	struct filler *filler = context;

	if (log_index_has_names(filler->index)) {
		log_index_post(filler->index, log_index_name_key(filler->index, name), filler->seq);
	}
}

static void
post_named(void *context, const struct id *id)
{
	struct filler *filler = context;

	log_index_post(filler->index, log_index_key(INDEX_NAMED, id->bytes, sizeof id->bytes),
		       filler->seq);
}

static void
post_presence(void *context, const struct id *room, const struct id *agent, bool is_there)
{
	struct filler *filler = context;
	const uint64_t key = log_index_key(INDEX_PRESENCE, room->bytes, sizeof room->bytes);

	log_index_post(filler->index, key, filler->seq);
	log_index_presence(filler->index, key,
			   log_index_key(INDEX_ID, agent->bytes, sizeof agent->bytes), filler->seq,
			   is_there);
}

/* What an erasure took must not live on here as a mark: the index is made again without it. */
static bool
is_erasure(uint64_t type)
{
	return type == EVENT_SUBJECT_ERASED || type == EVENT_PART_ERASED ||
	       type == EVENT_MONTH_ERASED || type == EVENT_LOG_PRUNED;
}

static bool
fill_one(void *context, const struct event *event, const struct entry *entry)
{
	struct filler *filler = context;
	const struct index_keys keys = { .id = post_id,
					 .name = post_name,
					 .named = post_named,
					 .presence = post_presence,
					 .context = filler };
	const uint64_t command = index_command_of(&entry->command_id);

	filler->seq = entry->seq;
	filler->has_erasure = filler->has_erasure || is_erasure(entry->type);
	log_index_post(filler->index, log_index_key(INDEX_TYPE, &entry->type, sizeof entry->type),
		       entry->seq);
	log_index_post(filler->index, log_index_key(INDEX_COMMAND, &command, sizeof command),
		       entry->seq);
	index_keys_of(&keys, entry, event);
	return true;
}

/* One block. An index that had been made before an erasure is begun again: *again. */
static bool
fill_block(struct source *source, struct log_index *index, uint64_t size, bool *again)
{
	const uint64_t from = log_index_covered(index);
	const uint64_t to = size - from < INDEX_BLOCK_MAX ? size : from + INDEX_BLOCK_MAX;
	struct filler filler = { .index = index };

	if (!log_index_begin(index) || !log_read_events(source->reader, source->keys, from, to,
							LOG_STREAMS_ALL, fill_one, &filler)) {
		return false;
	}
	*again = filler.has_erasure && source->index_is_old;
	return *again || log_index_commit(index, to);
}

static void
catch_up(struct source *source, uint64_t size)
{
	bool again = false;

	source->index_is_old = log_index_covered(source->index) > 0;
	while (size - log_index_covered(source->index) >= INDEX_TAIL_MAX) {
		print_progress("indexing", log_index_covered(source->index), size);
		if (!fill_block(source, source->index, size, &again)) {
			break; /* what is not in it is walked */
		}
		if (again) {
			source->index = log_index_renew(source->index, source->keys);
			source->index_is_old = false;
			if (source->index == NULL) {
				break;
			}
		}
	}
	print_progress_end();
}

struct log_index *
source_index(struct source *source, bool may_fill)
{
	uint64_t size = 0;

	if (source->has_no_index || !log_reader_size(source->reader, &size)) {
		return NULL;
	}
	/* A short log is read as quickly as an index is opened. */
	if (source->index == NULL && size >= INDEX_TAIL_MAX) {
		source->index = log_index_open(source->reader, source->keys, may_fill);
		source->has_no_index = source->index == NULL && may_fill;
	}
	if (source->index != NULL && may_fill && !source->index_is_filled) {
		source->index_is_filled = true;
		catch_up(source, size);
	}
	return source->index;
}

/* --- walking -----------------------------------------------------------------------------------
 */

enum { KEYS_MAX = 1 << 17 };

static struct id
id_of_key(uint64_t key)
{
	struct id id = { { 1 } };

	memcpy(id.bytes + 8, &key, sizeof key);
	return id;
}

void
index_walk_make(struct index_walk *walk, struct source *source, struct log_index *index)
{
	*walk = (struct index_walk){ .source = source, .index = index, .block = UINT64_MAX };
	idmap_make(&walk->places, KEYS_MAX);
	walk->keys = calloc(KEYS_MAX, sizeof walk->keys[0]);
	walk->bits = calloc(INDEX_BLOCK_MAX / 8, 1);
	assert(walk->keys != NULL && walk->bits != NULL);
}

void
index_walk_free(struct index_walk *walk)
{
	idmap_free(&walk->places);
	free(walk->keys);
	free(walk->bits);
}

static void
take_block(struct index_walk *walk, struct index_walk_key *key)
{
	log_index_take(walk->index, key->key, walk->block, walk->bits);
	key->next = log_index_next_block(walk->index, key->key, walk->block + 1);
}

void
index_walk_add(struct index_walk *walk, uint64_t key)
{
	const struct id id = id_of_key(key);
	const bool has_begun = walk->block != UINT64_MAX;

	if (idmap_find(&walk->places, &id) != NULL) {
		return;
	}
	if (!idmap_put(&walk->places, &id, (uint32_t)walk->key_count)) {
		walk->is_overfull = true;
		return;
	}
	struct index_walk_key *item = &walk->keys[walk->key_count++];
	*item = (struct index_walk_key){ key, log_index_next_block(walk->index, key,
								   has_begun ? walk->block : 0) };
	if (has_begun && item->next == walk->block) {
		take_block(walk, item);
	}
}

void
index_walk_drop(struct index_walk *walk, uint64_t key)
{
	const struct id id = id_of_key(key);
	const uint32_t *place = idmap_find(&walk->places, &id);

	if (place == NULL) {
		return;
	}
	const uint32_t hole = *place;
	idmap_remove(&walk->places, &id);
	walk->keys[hole] = walk->keys[--walk->key_count];
	if (hole < walk->key_count) {
		const struct id moved = id_of_key(walk->keys[hole].key);
		idmap_put(&walk->places, &moved, hole);
	}
}

void
index_walk_add_id(struct index_walk *walk, const struct id *id)
{
	index_walk_add(walk, log_index_key(INDEX_ID, id->bytes, sizeof id->bytes));
}

void
index_walk_add_word(struct index_walk *walk, const char *word)
{
	struct id handle;
	struct name name;

	if (words_is_handle(word) && hex_read(handle.bytes, word, sizeof handle.bytes)) {
		index_walk_add_id(walk, &handle);
	}
	if (name_set(&name, word, strlen(word)) && log_index_has_names(walk->index)) {
		index_walk_add(walk, log_index_name_key(walk->index, &name));
	}
}

static bool
is_set(const struct index_walk *walk, uint64_t at)
{
	return at < INDEX_BLOCK_MAX && (walk->bits[at / 8] >> (at % 8) & 1) != 0;
}

/* The next entry to visit from `at` on; INDEX_BLOCK_MAX if there is none. */
static uint64_t
next_set(const struct index_walk *walk, uint64_t at)
{
	while (at < INDEX_BLOCK_MAX && !is_set(walk, at)) {
		at = at % 8 == 0 && walk->bits[at / 8] == 0 ? at + 8 : at + 1;
	}
	return at < INDEX_BLOCK_MAX ? at : INDEX_BLOCK_MAX;
}

static bool
is_usable(const struct index_walk *walk)
{
	return log_index_is_sound(walk->index) && !walk->is_overfull;
}

struct run {
	struct index_walk *walk;
	bool stopped;
};

static bool
visit_one(void *context, const struct event *event, const struct entry *entry)
{
	struct run *run = context;

	run->walk->seq = entry->seq;
	run->walk->source->position = entry->seq;
	run->stopped = !run->walk->visit(run->walk->context, event, entry);
	return !run->stopped;
}

/* Entries that stand side by side are read together. What is learnt from one may add entries behind
 * it, so a run is never longer than what was known when it began. */
static bool
read_run(struct index_walk *walk, uint64_t *at, uint32_t streams, struct run *run)
{
	const uint64_t first = *at;

	do {
		++*at;
	} while (is_set(walk, *at));
	return log_read_events(walk->source->reader, walk->source->keys, walk->block + first,
			       walk->block + *at, streams, visit_one, run);
}

static bool
run_block(struct index_walk *walk, uint64_t from, uint32_t streams, bool *stopped)
{
	struct log_reader *reader = walk->source->reader;
	struct run run = { .walk = walk };
	uint64_t at = from > walk->block ? from - walk->block : 0;
	bool is_read = true;

	for (unsigned runs = 1; is_read && !run.stopped && is_usable(walk) &&
				(at = next_set(walk, at)) < INDEX_BLOCK_MAX;
	     runs++) {
		log_reader_hold(reader);
		is_read = read_run(walk, &at, streams, &run);
		if (runs % HELD_RUNS_MAX == 0) {
			log_reader_let_go(reader);
		}
	}
	log_reader_let_go(reader);
	*stopped = run.stopped;
	return is_read;
}

static uint64_t
next_block(const struct index_walk *walk)
{
	uint64_t block = UINT64_MAX;

	for (size_t i = 0; i < walk->key_count; i++) {
		block = walk->keys[i].next < block ? walk->keys[i].next : block;
	}
	return block;
}

static void
load_block(struct index_walk *walk, uint64_t block)
{
	walk->block = block;
	memset(walk->bits, 0, INDEX_BLOCK_MAX / 8);
	for (size_t i = 0; i < walk->key_count; i++) {
		if (walk->keys[i].next == block) {
			take_block(walk, &walk->keys[i]);
		}
	}
}

bool
index_walk_run(struct index_walk *walk, uint64_t from, uint32_t streams, log_event_visitor *visit,
	       void *context, uint64_t *next, bool *stopped)
{
	const uint64_t covered = log_index_covered(walk->index);
	uint64_t block = 0;

	walk->visit = visit;
	walk->context = context;
	walk->seq = UINT64_MAX; /* nothing was visited */
	*stopped = false;
	while (!*stopped && is_usable(walk) && (block = next_block(walk)) != UINT64_MAX) {
		load_block(walk, block);
		if (is_usable(walk) && !run_block(walk, from, streams, stopped)) {
			return false;
		}
	}
	*next = covered > from ? covered : from;
	if (!is_usable(walk)) {
		*next = walk->seq == UINT64_MAX || walk->seq < from ? from : walk->seq + 1;
	}
	return true;
}

/* --- one key -----------------------------------------------------------------------------------
 */

struct look {
	log_event_visitor *visit;
	void *context;
	bool stopped;
};

static bool
look_at(void *context, const struct event *event, const struct entry *entry)
{
	struct look *look = context;

	look->stopped = !look->visit(look->context, event, entry);
	return !look->stopped;
}

static bool
look_in_block(struct source *source, const struct index_walk *block, uint64_t from, uint64_t end,
	      struct look *look)
{
	uint64_t at = from > block->block ? from - block->block : 0;
	bool is_read = true;

	for (unsigned looks = 1;
	     is_read && !look->stopped && (at = next_set(block, at)) < INDEX_BLOCK_MAX &&
	     block->block + at < end;
	     looks++, at++) {
		log_reader_hold(source->far_reader);
		is_read = log_read_events(source->far_reader, source->far_keys, block->block + at,
					  block->block + at + 1, LOG_STREAMS_ALL, look_at, look);
		if (looks % HELD_RUNS_MAX == 0) {
			log_reader_let_go(source->far_reader);
		}
	}
	log_reader_let_go(source->far_reader);
	return is_read;
}

bool
index_visit_key(struct source *source, uint64_t key, uint64_t from, uint64_t end,
		log_event_visitor *visit, void *context)
{
	struct index_walk walk = { .bits = calloc(INDEX_BLOCK_MAX / 8, 1) };
	struct look look = { visit, context, false };
	bool is_read = true;

	assert(walk.bits != NULL);
	walk.block = log_index_next_block(source->index, key,
					  from > INDEX_BLOCK_MAX ? from - INDEX_BLOCK_MAX : 0);
	while (is_read && !look.stopped && walk.block < end) {
		memset(walk.bits, 0, INDEX_BLOCK_MAX / 8);
		log_index_take(source->index, key, walk.block, walk.bits);
		is_read = look_in_block(source, &walk, from, end, &look);
		walk.block = log_index_next_block(source->index, key, walk.block + 1);
	}
	free(walk.bits);
	return is_read;
}

/* An erased name is looked for so many times: it may be said again under a newer key. */
enum { NAME_TRIES = 64 };

struct namer {
	struct source *source;
	const struct id *handle;
	unsigned tries;
};

static bool
learn_name(void *context, const struct event *event, const struct entry *entry)
{
	struct namer *namer = context;

	(void)entry;
	if (event != NULL) {
		names_learn(&namer->source->names, event);
	}
	return ++namer->tries < NAME_TRIES &&
	       names_find(&namer->source->names, namer->handle) == NULL;
}

bool
index_find_name(struct source *source, const struct id *handle, uint64_t from, uint64_t end)
{
	struct namer namer = { .source = source, .handle = handle };

	index_visit_key(source, log_index_key(INDEX_NAMED, handle->bytes, sizeof handle->bytes),
			from, end, learn_name, &namer);
	return names_find(&source->names, handle) != NULL;
}
