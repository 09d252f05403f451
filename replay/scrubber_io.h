/* Reads a log again, block by block, and judges each block by itself: rows against the hashes that
 * the tiles recorded, columns against entries, sealed parts against their digests, tiles against
 * the tiles above, the roots against the checkpoints of that block, and what is published against
 * all of it. It is verify's own checker (verify.h) that judges: it begins at any block, with the
 * tiles standing for what lies before. What needs the whole log (states, stream heads, keys) is
 * left to `ifreplay verify`.
 *
 * A running log changes under it (erasure, pruning): a block in which something was found is looked
 * at once more, and only what is found again is told. No transaction lasts longer than one block,
 * so that the writer's WAL can always be reset. It opens no keys.
 */
#ifndef IFSWARM_REPLAY_SCRUBBER_IO_H
#define IFSWARM_REPLAY_SCRUBBER_IO_H

#include "replay/verify.h"
#include "store/scrub.h"

struct scrubber;

/* NULL, with `fault`, if the log does not open. All files but those of pub/ are open then. */
struct scrubber *scrubber_open(const char *data_dir, char *fault, size_t fault_size);
void scrubber_close(struct scrubber *s);

const char *scrubber_origin(const struct scrubber *s);
/* Events by now; 0 if that cannot be read. */
uint64_t scrubber_size(struct scrubber *s);
/* When the oldest event that is there was recorded, in seconds; 0 if there is none. */
uint64_t scrubber_created_s(struct scrubber *s);

/* Learns what was lawfully removed, from `first` on: one range for each call, true while there is
 * more. Blocks are judged after it. */
bool scrubber_learn(struct scrubber *s, uint64_t first);

/* The rows first <= seq < end, at most SCRUB_BLOCK, first a multiple of it. Gives the number of
 * findings. */
uint64_t scrubber_block(struct scrubber *s, uint64_t first, uint64_t end, verify_report *report,
			void *context);
/* What belongs to no block, once a round: the tiles' places, the form of the file, the published
 * checkpoint. `end`: the round's. */
uint64_t scrubber_rest(struct scrubber *s, uint64_t end, verify_report *report, void *context);

#endif
