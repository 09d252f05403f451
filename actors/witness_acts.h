/* Erasure and retention as requests to the running witness, which alone writes: what is said both
 * ways. They take longer than a request may, so whoever asks repeats the same request (the same id)
 * until its answer says that it has ended:
 *
 *   [ERASE, id, agent, operator, operator name, reason, session's end, allocation's end]
 *                          [verdict, state, read, size, subjects, keys, own parts, other parts,
 * addresses, holds] [RETAIN, id, days, months]     [verdict, state, month, keys, parts, kept,
 * holds, pruned month, ranges, entries] days or months 0: as configured
 *
 * One at a time: another id is refused with REFUSED_FULL while one is under way. A witness that was
 * killed in the middle carries through what the log lists (store/erase_io.h), and takes the
 * repeated request as a new one, which finds nothing that is left.
 */
#ifndef IFSWARM_ACTORS_WITNESS_ACTS_H
#define IFSWARM_ACTORS_WITNESS_ACTS_H

#include "protocol/message.h"
#include "store/prune.h"
#include "store/retain.h"

enum { ERASE_REQUEST_BYTES = 1024, ACTS_ANSWER_BYTES = 160 };

/* After [ERASE, …. */
void erase_request_write(struct mp_writer *w, const struct id *id, const struct erase_order *order);
enum verdict erase_request_read(struct mp_reader *r, struct id *id, struct erase_order *order);

/* After [verdict, …; the hold's id is not told: `ifreplay holds` lists them. */
enum { ERASE_NUMBERS = 9 };
void erase_answer_put(uint64_t numbers[ERASE_NUMBERS], enum erase_state state,
		      const struct erase_report *report);
bool erase_answer_read(struct mp_reader *r, enum erase_state *state, struct erase_report *report);

/* A round: personal data first, then entries. 0: as the witness is configured. */
struct retain_order {
	uint64_t payload_days;
	uint64_t envelope_months;
};
struct retain_result {
	struct retain_report payload;
	struct prune_report envelope; /* month, ranges and entries alone */
};
void retain_request_write(struct mp_writer *w, const struct id *id,
			  const struct retain_order *order);
enum verdict retain_request_read(struct mp_reader *r, struct id *id, struct retain_order *order);
enum { RETAIN_NUMBERS = 9, RETAIN_DAYS_MAX = 36500, RETAIN_MONTHS_MAX = 1200 };
void retain_answer_put(uint64_t numbers[RETAIN_NUMBERS], enum erase_state state,
		       const struct retain_result *result);
bool retain_answer_read(struct mp_reader *r, enum erase_state *state, struct retain_result *result);

#endif
