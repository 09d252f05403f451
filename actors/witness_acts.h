/* Erasure and retention as requests to the running witness, which alone writes: what is said both
 * ways. They take longer than a request may, so whoever asks repeats the same request (the same id)
 * until its answer says that it has ended:
 *
 *   [ERASE, id, agent, operator, operator name, reason, session's end, allocation's end]
 *                          [verdict, state, read, size, subjects, keys, own parts, other parts,
 * addresses, holds] [RETAIN, id, days]     [verdict, state, month, keys, parts, kept, holds] days
 * 0: as configured
 *
 * One at a time: another id is refused with REFUSED_FULL while one is under way. A witness that was
 * killed in the middle carries through what the log lists (store/erase_io.h), and takes the
 * repeated request as a new one, which finds nothing that is left.
 */
#ifndef IFSWARM_ACTORS_WITNESS_ACTS_H
#define IFSWARM_ACTORS_WITNESS_ACTS_H

#include "protocol/message.h"
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

/* Likewise; payload_days 0: what the witness is configured to. */
void retain_request_write(struct mp_writer *w, const struct id *id, uint64_t payload_days);
enum verdict retain_request_read(struct mp_reader *r, struct id *id, uint64_t *payload_days);
enum { RETAIN_NUMBERS = 6, RETAIN_DAYS_MAX = 36500 };
void retain_answer_put(uint64_t numbers[RETAIN_NUMBERS], enum erase_state state,
		       const struct retain_report *report);
bool retain_answer_read(struct mp_reader *r, enum erase_state *state, struct retain_report *report);

#endif
