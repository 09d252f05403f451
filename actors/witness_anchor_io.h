/* Anchoring in the witness: what `ifswarm-anchor`, which speaks with the world and is believed
 * nothing, may ask of the log, and what it may hand in. A cosignature is verified here against
 * policy.txt before it is logged; a timestamp was verified there, is kept as it came, and
 * `ifreplay verify` judges it again. */
#ifndef IFSWARM_ACTORS_WITNESS_ANCHOR_IO_H
#define IFSWARM_ACTORS_WITNESS_ANCHOR_IO_H

#include "protocol/message.h"
#include "protocol/settings.h"
#include "store/evidence_io.h"

struct witness_anchor;

/* NULL if policy.txt cannot be read: it was logged. */
struct witness_anchor *witness_anchor_new(struct evidence *evidence,
					  const struct settings *settings);
void witness_anchor_free(struct witness_anchor *anchor);

/* What follows [OFFER or [PROOF; the whole answer goes to `w`. */
void witness_anchor_offer(struct witness_anchor *anchor, struct mp_reader *r, struct mp_writer *w);
void witness_anchor_prove(struct witness_anchor *anchor, struct mp_reader *r, struct mp_writer *w);
/* What follows [COSIGNED or [STAMPED. ACCEPTED: `event` is to be logged, unless *known: it was. */
enum verdict witness_anchor_cosigned(struct witness_anchor *anchor, struct mp_reader *r,
				     struct event *event, bool *known);
enum verdict witness_anchor_stamped(struct witness_anchor *anchor, struct mp_reader *r,
				    struct event *event, bool *known);
/* The events since the last call are durable (or were given up): the cosignatures appear in pub/.
 */
void witness_anchor_settled(struct witness_anchor *anchor, bool durable);

#endif
