/* Erasure: one agent goes out of the evidence, and the proofs stay (EVIDENCE section 2).
 *
 *   erase_begin, erase_step ... while ERASE_WORKS or ERASE_WAITS, erase_end
 *
 * A step takes some milliseconds, never lies within a transaction of the caller, and leaves the log
 * whole: so the witness serves between steps. In order: the log is read (erase.h); erase_requested
 * is durable; if a hold stands, erase_refused; else a subject_erased for each handle and a
 * part_erased for each part under another's; then the keys are destroyed, the parts (salt and
 * ciphertext) deleted, snapshots that hold the name or an address dropped, index.db removed;
 * `erased` says what went, once no page of either database or -wal holds it.
 *
 * DATA/erasing marks an erasure under way. Whatever dies in the middle: evidence_open carries
 * through what the log lists already; an erasure that was not listed whole ends with erase_refused
 * ("interrupted") and has to be asked for again.
 */
#ifndef IFSWARM_STORE_ERASE_IO_H
#define IFSWARM_STORE_ERASE_IO_H

#include "store/erase.h"
#include "store/evidence_io.h"
#include "store/read_io.h"

struct erasing;

/* The evidence is not read-only. NULL, with `fault`, if the log or its keys cannot be read, or the
 * reason names the agent. */
struct erasing *erase_begin(struct evidence *evidence, const struct erase_order *order, char *fault,
			    size_t fault_size);
enum erase_state erase_step(struct erasing *erasing, uint64_t now_us);
struct erase_report erase_report_of(const struct erasing *erasing);
const char *erase_fault(const struct erasing *erasing);
void erase_end(struct erasing *erasing);

/* The same reading alone, for --dry-run and for holds: fills a plan that erase_plan_make made.
 * False: see log_reader_fault. */
bool erase_survey(struct log_reader *reader, struct log_keys *keys, struct erase_plan *plan);

/* At the start: what DATA/erasing says was under way is carried through. False with `fault`. */
bool erase_resume(struct evidence *evidence, uint64_t now_us, char *fault, size_t fault_size);

#endif
