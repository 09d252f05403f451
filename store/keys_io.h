/* keys.db: the data keys, one per subject and calendar month, each wrapped by a key that lies
 * outside (EVIDENCE section 2). Deleting a row erases what it sealed: secure_delete is on, and the
 * file never belongs to the log's backup set.
 *
 * A key names the log's event that announced it (created_seq), so that its commitment can be
 * checked before it is used. keys.db is committed before the log is: after a crash between the two,
 * a key may name an event that is not its own. Then it is announced again.
 */
#ifndef IFSWARM_STORE_KEYS_IO_H
#define IFSWARM_STORE_KEYS_IO_H

#include "store/kept.h"
#include "store/lookup_io.h"
#include "store/seal.h"

extern const struct db_kind keys_kind; /* keys.db */

struct data_key {
	struct id subject;
	uint64_t month;
	struct id id;
	struct seal_key key;
	uint64_t created_seq;
};

struct keys;

/* With DB_WRITE the file is made if it is not there. */
bool keys_open(const char *path, enum db_mode mode, const struct seal_key *wrap, struct keys **out,
	       char *fault, size_t fault_size);
/* Forgets every key it holds. NULL is ignored. */
void keys_close(struct keys *keys);
const struct seal_key *keys_wrap_key(const struct keys *keys);

enum keys_found {
	KEYS_FOUND,
	KEYS_NONE,
	KEYS_BROKEN, /* unreadable, does not unwrap, or is not the key its commitment in the log is
			for */
};
/* The key of a subject for a month, checked against its commitment in `log` the first time.
 * *announced false: no event of the log is about it. `out` points into the cache, until the next
 * call. */
enum keys_found keys_find(struct keys *keys, struct lookup *log, const struct id *subject,
			  uint64_t month, const struct data_key **out, bool *announced);

/* Adds a key, or gives an old one its new created_seq; begins a transaction if none is open. */
enum db_result keys_put(struct keys *keys, const struct data_key *key);
/* Destroys all keys of a subject, or those of the months up to `month` that are not kept;
 * *count grows by how many. Begins a transaction if none is open. */
enum db_result keys_forget_subject(struct keys *keys, const struct id *subject, uint64_t *count);
enum db_result keys_forget_months(struct keys *keys, uint64_t month, const struct kept_key *kept,
				  size_t kept_count, uint64_t *count);
/* How many keys a subject has; how many of months up to `month` there are. */
uint64_t keys_count_subject(struct keys *keys, const struct id *subject);
uint64_t keys_count_months(struct keys *keys, uint64_t month);
bool keys_has(struct keys *keys, const struct id *subject, uint64_t month);
/* Durable when it says DB_OK; nothing to do if nothing was put or destroyed. */
enum db_result keys_commit(struct keys *keys);
/* Gives up what was put. */
void keys_rollback(struct keys *keys);
/* Moves the WAL into the database once it holds that many pages. */
enum db_result keys_checkpoint_wal(struct keys *keys, uint64_t pages_min);
/* See db_empty_wal. */
enum db_result keys_empty_wal(struct keys *keys, bool *empty);

#endif
