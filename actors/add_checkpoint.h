/* What our own witness endpoint is asked, and what it may answer: the body and the statuses of
 * add-checkpoint (C2SP tlog-witness). Two processes use it on the same bytes: the one that speaks
 * HTTP turns away what can be judged without state, and the witness, which has the state and the
 * key, believes none of that and judges again.
 *
 *     old <size>\n
 *     <base64 hash>\n ...       consistency proof, at most 63 lines
 *     \n
 *     <checkpoint as a signed note>
 */
#ifndef IFSWARM_ACTORS_ADD_CHECKPOINT_H
#define IFSWARM_ACTORS_ADD_CHECKPOINT_H

#include "store/cosignature.h"
#include "store/policy.h"
#include "store/proof.h"

enum {
	ADD_CHECKPOINT_HASHES_MAX = 63,
	ADD_CHECKPOINT_BODY_MAX = 32 + ADD_CHECKPOINT_HASHES_MAX * 45 + 1 + CHECKPOINT_NOTE_MAX,
};

struct add_checkpoint {
	uint64_t old;
	struct proof proof;
	struct checkpoint checkpoint;
	struct span note; /* borrowed */
	struct span text; /* its signed part */
};

/* The newest checkpoint of that origin that we have cosigned; size 0: none. */
struct cosigned_before {
	uint64_t size;
	struct digest root;
};

/* HTTP statuses; ADD_CHECKPOINT_OK is the one that is cosigned. */
enum add_checkpoint_status {
	ADD_CHECKPOINT_OK = 200,
	ADD_CHECKPOINT_BAD = 400,       /* not a body, or an old size above the new one */
	ADD_CHECKPOINT_UNTRUSTED = 403, /* no signature by a key that we know for that origin */
	ADD_CHECKPOINT_UNKNOWN = 404,   /* a log that is not in our list */
	ADD_CHECKPOINT_STALE = 409,     /* the old size is not what we cosigned last */
	ADD_CHECKPOINT_INCONSISTENT = 422,
};

/* False unless it is exactly that: then ADD_CHECKPOINT_BAD. `out` borrows from the body. */
bool add_checkpoint_read(struct span body, struct add_checkpoint *out);
/* The client's half: writes old line and proof; the note follows. Returns the length. */
enum { ADD_CHECKPOINT_HEAD_MAX = 32 + ADD_CHECKPOINT_HASHES_MAX * 45 + 2 };
size_t add_checkpoint_head(char out[ADD_CHECKPOINT_HEAD_MAX], uint64_t old,
			   const struct proof *proof);

/* What needs no state: origin, signature, old size; ADD_CHECKPOINT_OK if nothing is wrong so far.
 */
enum add_checkpoint_status add_checkpoint_admit(const struct add_checkpoint *request,
						const struct policy *logs);
/* And what does, in the order of the specification. It never lets a smaller or another tree pass.
 */
enum add_checkpoint_status add_checkpoint_judge(const struct add_checkpoint *request,
						const struct cosigned_before *before);

#endif
