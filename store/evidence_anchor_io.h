/* What anchors need of the evidence: checkpoints to show, proofs that one extends another, and a
 * place beside the log for what witnesses and authorities said (EVIDENCE section 4).
 *
 *   pub/checkpoint         the newest; with its cosignatures while it is the cosigned one
 *   pub/cosigned           the newest that has cosignatures, with all of them
 *   pub/timestamp/N.tsr    an RFC 3161 response over pub/timestamp/N.checkpoint, of size N
 *
 * Files that cannot be written end nothing: the log holds the cosignatures.
 */
#ifndef IFSWARM_STORE_EVIDENCE_ANCHOR_IO_H
#define IFSWARM_STORE_EVIDENCE_ANCHOR_IO_H

#include "store/checkpoint.h"
#include "store/evidence_io.h"
#include "store/files_io.h"
#include "store/proof.h"

/* The newest published checkpoint as the log alone signed it, borrowed until the next publishing;
 * count 0 if none was in this run. *substance: the log's size after the last event that says more
 * than an anchor; up to there a checkpoint is worth anchoring. */
struct span evidence_newest_note(const struct evidence *evidence, uint64_t *size,
				 uint64_t *substance);
/* That of exactly that size, copied; false if there is none. */
bool evidence_note_of_size(struct evidence *evidence, uint64_t size, char out[CHECKPOINT_BYTES_MAX],
			   size_t *count);
/* 0 < from <= size <= the log's; false if it cannot be computed. */
bool evidence_consistency(struct evidence *evidence, uint64_t from, uint64_t size,
			  struct proof *out);

enum file_result evidence_put_cosigned(struct evidence *evidence, uint64_t size, struct span note);
enum file_result evidence_put_timestamp(struct evidence *evidence, uint64_t size,
					struct span checkpoint, struct span response);

/* Looks back through at most `rows` rows that stand before seq *before, newest first, for
 * foreign_checkpoint_cosigned; *before becomes the seq up to which nothing is left out, 0 at the
 * log's beginning. False if they cannot be read, or some are gone. */
typedef void evidence_foreign_visitor(void *context,
				      const struct event_foreign_checkpoint_cosigned *event);
bool evidence_foreign_before(struct evidence *evidence, uint64_t *before, uint64_t rows,
			     evidence_foreign_visitor *visit, void *context);

#endif
