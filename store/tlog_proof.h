/* Proofs as text that others' programs read: C2SP tlog-proof v1 (inclusion), and the consistency of
 * two checkpoints in the same manner.
 *
 *     c2sp.org/tlog-proof@v1\n            ifswarm.local/consistency@v1\n
 *     index <seq>\n                       old <size>\n
 *     <base64 hash>\n ...                 <base64 hash>\n ...
 *     \n                                  \n
 *     <checkpoint as a signed note>       <the newer checkpoint as a signed note>
 */
#ifndef IFSWARM_STORE_TLOG_PROOF_H
#define IFSWARM_STORE_TLOG_PROOF_H

#include "store/checkpoint.h"
#include "store/proof.h"

enum tlog_proof_kind { TLOG_INCLUSION, TLOG_CONSISTENCY };

enum { TLOG_PROOF_MAX = 128 + PROOF_HASHES_MAX * 45 + CHECKPOINT_NOTE_MAX };

struct tlog_proof {
	enum tlog_proof_kind kind;
	uint64_t number; /* the leaf's index; the old size */
	struct proof proof;
	struct span note; /* borrowed */
};

/* Returns the length; the note is at most CHECKPOINT_NOTE_MAX bytes. */
size_t tlog_proof_write(char out[TLOG_PROOF_MAX], const struct tlog_proof *proof);
/* False unless it is exactly that. An `extra` line (tlog-proof) is passed over: it is nobody's
 * evidence. `out->note` borrows from `text`; neither it nor the hashes are judged here. */
bool tlog_proof_read(struct span text, struct tlog_proof *out);

#endif
