/* What an erasure holds between its steps: shared by erase_io.c (finding, deciding, listing) and
 * erase_deed_io.c (destroying), and by nobody else. */
#ifndef IFSWARM_STORE_ERASE_STATE_IO_H
#define IFSWARM_STORE_ERASE_STATE_IO_H

#include "store/erase_io.h"
#include "store/evidence_state_io.h"

enum erase_phase {
	ERASE_READ_NAMES,
	ERASE_READ_PARTS,
	ERASE_DECIDE,
	ERASE_LIST,
	ERASE_FORGET_KEYS,
	ERASE_DELETE_PARTS,
	ERASE_CLEAN,
	ERASE_FINISH,
	ERASE_ENDED,
};

struct erasing {
	struct evidence *evidence;
	struct erase_order order;
	struct erase_plan plan;
	struct log_reader *reader; /* while it reads */
	struct log_keys *keys;
	enum erase_phase phase;
	enum erase_state state;
	struct id request;
	uint64_t learned; /* how far the names were read */
	uint64_t at;      /* the next seq to read, the next item to list, the next row to look at */
	bool was_interrupted; /* and not listed whole */
	struct erase_report report;
	uint64_t deleted; /* sealed parts */
	char fault[EVIDENCE_FAULT_MAX];
};

/* What a step of the evidence means for the erasure: a full disk is waited for. */
enum erase_state erase_after(struct erasing *x, enum evidence_result result);
/* Appends one of the witness's own events, personal parts and all, within a transaction. */
enum evidence_result erase_note(struct evidence *e, const struct event *event, uint64_t now_us);

/* DATA/erasing, DATA/retaining: where in the log to look for what is under way. */
#define ERASE_MARK  "erasing"
#define RETAIN_MARK "retaining"
bool erase_mark(const char *directory, const char *name, uint64_t seq);
bool erase_marked(const char *directory, const char *name, uint64_t *seq);
bool erase_unmark(const char *directory, const char *name);

/* The next rows of the table `sealed` from `*at` on, which moves behind them; 0: there are no more.
 */
enum { ERASE_ROWS_AT_ONCE = 1024 };
size_t erase_next_rows(sqlite3 *db, uint64_t *at, uint64_t ids[ERASE_ROWS_AT_ONCE],
		       enum db_result *result);
/* Removes index.db and empties both WALs; *done false: a reader still needs an old page. */
enum db_result erase_clean(struct evidence *e, bool *done);

/* The steps from ERASE_FORGET_KEYS on. */
enum erase_state erase_deed_step(struct erasing *x, uint64_t now_us);
/* Within a transaction: the snapshots whose annex holds the name or an own address. */
enum evidence_result erase_drop_snapshots(struct erasing *x);

#endif
