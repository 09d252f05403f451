/* Retention, done: the keys of past months are destroyed and what they sealed is deleted, but for
 * what a hold keeps. Like an erasure (store/erase_io.h) it goes in steps, outside any transaction:
 *
 *   retain_begin, retain_step ... while ERASE_WORKS or ERASE_WAITS, retain_end
 *
 * In order: the holds that stand are read, and for each what concerns its agent; a key_kept for
 * each key that stays and month_erased are durable together; the keys go, then the parts, then the
 * pages of both -wal files. DATA/retaining marks it until then, and evidence_open carries it
 * through. Nothing is logged if nothing goes.
 *
 * A hold keeps the keys of its agent's handles, of its own words, and of every subject under which
 * another part names the agent: for a refusal that is the whole day's.
 */
#ifndef IFSWARM_STORE_RETAIN_IO_H
#define IFSWARM_STORE_RETAIN_IO_H

#include "store/evidence_io.h"
#include "store/read_io.h"
#include "store/retain.h"

struct retaining;

/* month: from retain_month, not 0. NULL, with `fault`, if the log or its keys cannot be read. */
struct retaining *retain_begin(struct evidence *evidence, uint64_t month, char *fault,
			       size_t fault_size);
/* ERASE_DONE at the end; never ERASE_HELD. */
enum erase_state retain_step(struct retaining *retaining, uint64_t now_us);
struct retain_report retain_report_of(const struct retaining *retaining);
const char *retain_fault(const struct retaining *retaining);
void retain_end(struct retaining *retaining);

/* At the start: what DATA/retaining says was under way. False with `fault`. */
bool retain_resume(struct evidence *evidence, uint64_t now_us, char *fault, size_t fault_size);

#endif
