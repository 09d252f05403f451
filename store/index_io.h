/* DATA/index.db: where in the log something is spoken of. It is made by readers, never by the
 * witness, so it costs no append anything; it may be deleted at any time, and what is found through
 * it is read from the log again. So it can make an answer fast, or (if somebody forged it, or a
 * disk damaged it so that it still fits) short of an entry or of the name of a handle, but never
 * wrong: it is no evidence, and `--no-index` does without.
 *
 * A key is 63 bits: a hash of a random handle, or for a name a part of HMAC-SHA256 under a secret
 * that follows from the log's wrap key. For each key and block of the log it holds the seqs where
 * that key occurs. It also remembers for each room who was in it every now and then (rosters), so
 * that the state of a room at some seq need not be put together from the first event on.
 *
 * It is bound to its log by the leaf hash of the last entry that it covers. One that is damaged, or
 * another log's, or ahead of its log, or whose names another key made, is thrown away when it is
 * opened. Two programs may use it at once; who cannot write to it reads it as it is.
 */
#ifndef IFSWARM_STORE_INDEX_IO_H
#define IFSWARM_STORE_INDEX_IO_H

#include "store/read_io.h"

enum {
	INDEX_BLOCK_MAX = 32768, /* events in one block */
	INDEX_SECRET_BYTES = 32,
};

enum index_kind {
	INDEX_ID = 1,   /* any handle, allocation or trace */
	INDEX_NAME,     /* a name that was said */
	INDEX_TYPE,     /* an event type */
	INDEX_NAMED,    /* a handle, where its name is said with it */
	INDEX_PRESENCE, /* a room, where somebody comes or goes */
	INDEX_COMMAND,  /* command ids, many to a key */
};

struct log_index;

/* NULL if there is none to be had: the directory cannot be written to and has none that fits, or
 * `may_write` is not set and it would have to be made. `keys` may be NULL: then no names are in a
 * new one. Borrows the reader. */
struct log_index *log_index_open(struct log_reader *reader, struct log_keys *keys, bool may_write);
void log_index_close(struct log_index *index);
/* Throws it away, and gives an empty one, or NULL. */
struct log_index *log_index_renew(struct log_index *index, struct log_keys *keys);
/* Removes the file and what SQLite keeps beside it; true if nothing is left. */
bool log_index_delete(const char *directory);

/* Entries below that are in it. */
uint64_t log_index_covered(const struct log_index *index);
bool log_index_has_names(const struct log_index *index);
/* False once something in it turned out to be damaged: then it is deleted, and of no use any more.
 */
bool log_index_is_sound(const struct log_index *index);

uint64_t log_index_key(enum index_kind kind, const void *bytes, size_t count);
/* Without names it is a key that nothing has. */
uint64_t log_index_name_key(const struct log_index *index, const struct name *name);

/* --- filling: one block at a time ------------------------------------------------------------- */

/* False if it cannot be written to now: another program does, or the disk is full. */
bool log_index_begin(struct log_index *index);
/* Seqs in ascending order, from covered on, fewer than INDEX_BLOCK_MAX beyond it. */
void log_index_post(struct log_index *index, uint64_t key, uint64_t seq);
/* Somebody is in a room from that seq on, or is not any more. */
void log_index_presence(struct log_index *index, uint64_t room, uint64_t agent, uint64_t seq,
			bool is_there);
/* All of the block up to `end` in one transaction. False and nothing changed on any fault. */
bool log_index_commit(struct log_index *index, uint64_t end);

/* --- reading ---------------------------------------------------------------------------------- */

/* The first block that holds the key, from `block` on; UINT64_MAX if there is none. */
uint64_t log_index_next_block(struct log_index *index, uint64_t key, uint64_t block);
/* Sets the bits of the seqs in that block, counted from its first. */
void log_index_take(struct log_index *index, uint64_t key, uint64_t block,
		    uint8_t bits[INDEX_BLOCK_MAX / 8]);
/* The newest roster of a room that is not after `seq`: the seqs of the registrations that were
 * alive before *as_of; 0 of them and *as_of 0 if there is none. Owned by the caller (free). */
uint64_t *log_index_roster(struct log_index *index, uint64_t room, uint64_t seq, uint64_t *as_of,
			   size_t *count);

#endif
