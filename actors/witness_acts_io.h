/* Erasure, retention and pruning in the witness: begun by a request, worked on between requests, a
 * step at a time, so that nobody waits for them. */
#ifndef IFSWARM_ACTORS_WITNESS_ACTS_IO_H
#define IFSWARM_ACTORS_WITNESS_ACTS_IO_H

#include "actors/witness_acts.h"
#include "store/evidence_io.h"

struct witness_acts;

/* retain: as configured; all 0: nothing is destroyed by itself. */
struct witness_acts *witness_acts_new(struct evidence *evidence, const struct retain_order *retain);
/* What is under way is given up; the next start carries through what the log lists. */
void witness_acts_free(struct witness_acts *acts);

enum { WITNESS_ACT_NUMBERS = 12 };
/* The rest of an ERASE request: begins it, or tells how far it is. What follows the verdict in the
 * answer goes to `numbers`. */
enum verdict witness_acts_erase(struct witness_acts *acts, struct mp_reader *r,
				uint64_t numbers[WITNESS_ACT_NUMBERS], size_t *count);

/* Likewise a RETAIN request. */
enum verdict witness_acts_retain(struct witness_acts *acts, struct mp_reader *r,
				 uint64_t numbers[WITNESS_ACT_NUMBERS], size_t *count);

/* One step of what is under way, or of the retention of the day, outside any transaction. True if
 * another can be done at once; *failed if the evidence has. */
bool witness_acts_step(struct witness_acts *acts, bool *failed);

#endif
