/* evidence.db: the rows of an export for those who ask in SQL. Written once, from the first row to
 * the last, and never changed; the same rows give the same bytes with the same SQLite.
 *
 *   event     one row for each line of events.jsonl, columns named like its keys (docs/bundle.md),
 *             then `event` (the type's name) and `fields` (JSON by field name)
 *   omission  the seqs of the range that are not disclosed, and why
 *   about     key and value: origin, range, profile, whatever the exporter says
 *
 * and views over them: sessions, who_met_whom, relays, traffic, refusals, acts, clock.
 */
#ifndef IFSWARM_STORE_EVIDENCE_DB_IO_H
#define IFSWARM_STORE_EVIDENCE_DB_IO_H

#include "store/entry.h"

enum { EVIDENCE_DB_APPLICATION_ID = 0x69664564 }; /* "ifEd" */

struct evidence_db;

struct evidence_db_row {
	const struct entry *entry;
	struct span bytes; /* the entry as it lies in the log */
	const struct digest *leaf;
	const char *event;  /* the type's name, NULL if unknown */
	struct span fields; /* JSON object; empty if the type is unknown */
};

/* A new file; one that is there already is refused. False with `fault`. */
bool evidence_db_create(const char *path, struct evidence_db **out, char *fault, size_t fault_size);
/* In order of seq. False: see evidence_db_fault. */
bool evidence_db_put(struct evidence_db *db, const struct evidence_db_row *row);
bool evidence_db_omit(struct evidence_db *db, uint64_t seq, const struct digest *leaf,
		      const char *reason);
bool evidence_db_about(struct evidence_db *db, const char *key, const char *value);
const char *evidence_db_fault(const struct evidence_db *db);
/* Complete and on disk when it is true; the handle is gone either way. */
bool evidence_db_finish(struct evidence_db *db, char *fault, size_t fault_size);

#endif
