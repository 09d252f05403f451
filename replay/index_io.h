/* The index as questions use it: brought up to the log, then walked in the order of seqs.
 *
 * A walk has keys: it visits every entry that stands under one of them, and while it does more keys
 * may be added, which count from the entry at hand on. So what is learnt on the way (a handle by a
 * name, an allocation by a trace) is followed as a walk over the whole log would.
 */
#ifndef IFSWARM_REPLAY_INDEX_IO_H
#define IFSWARM_REPLAY_INDEX_IO_H

#include "replay/filter.h"
#include "replay/source_io.h"
#include "store/index_io.h"

/* What lies beyond the index and is shorter than this is walked rather than indexed. */
enum { INDEX_TAIL_MAX = 4096 };

/* The source's index; NULL: there is none, or it was not to be asked. With may_fill it is made if
 * need be, and brought up to the log: progress is shown on a terminal. */
struct log_index *source_index(struct source *source, bool may_fill);
/* Visits what stands under one key, from <= seq < end, within what the index covers; beside a walk,
 * with the source's far reader. False if the log cannot be read. */
bool index_visit_key(struct source *source, uint64_t key, uint64_t from, uint64_t end,
		     log_event_visitor *visit, void *context);
/* Learns the name of a handle from the entries from <= seq < end; false if none of them could be
 * read. The source has an index. */
bool index_find_name(struct source *source, const struct id *handle, uint64_t from, uint64_t end);

struct index_walk {
	struct source *source;
	struct log_index *index;
	struct idmap places; /* of keys in `keys` */
	struct index_walk_key {
		uint64_t key;
		uint64_t next; /* block; UINT64_MAX: it is exhausted */
	} * keys;
	size_t key_count;
	uint64_t block; /* at hand; UINT64_MAX: none yet */
	uint64_t seq;   /* at hand */
	uint8_t *bits;
	bool is_overfull; /* more keys than fit: go on without an index */
	log_event_visitor *visit;
	void *context;
};

void index_walk_make(struct index_walk *walk, struct source *source, struct log_index *index);
void index_walk_free(struct index_walk *walk);

void index_walk_add(struct index_walk *walk, uint64_t key);
/* Nothing happens if it is not there. */
void index_walk_drop(struct index_walk *walk, uint64_t key);
void index_walk_add_id(struct index_walk *walk, const struct id *id);
/* A name or a handle, as it is asked for on the command line. */
void index_walk_add_word(struct index_walk *walk, const char *word);

/* Visits what stands under the keys, of those streams, from `from` on. *next: where a walk without
 * an index has to go on: behind what the index covers, or before that if it was damaged. False if
 * the log cannot be read; *stopped if the visitor has had enough. */
bool index_walk_run(struct index_walk *walk, uint64_t from, uint32_t streams,
		    log_event_visitor *visit, void *context, uint64_t *next, bool *stopped);

#endif
