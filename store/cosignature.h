/* Cosignatures: what a witness says about somebody else's checkpoint (C2SP tlog-cosignature v1,
 * Ed25519). A witness vouches that at that time this was the largest tree of that log it had seen,
 * and that all it saw before are prefixes of it. So a log that shows two histories needs a witness
 * that lies.
 *
 *     — <witness> <base64(key id || time, 8 bytes big-endian || Ed25519 signature)>\n
 *
 * over "cosignature/v1\ntime <seconds>\n" and the checkpoint's text. The key id is that of
 * VKEY_COSIGNER (store/checkpoint.h): a log's key cannot cosign by mistake.
 */
#ifndef IFSWARM_STORE_COSIGNATURE_H
#define IFSWARM_STORE_COSIGNATURE_H

#include "store/checkpoint.h"

enum { COSIGNATURE_LINE_MAX = 256, COSIGNATURE_BYTES = 4 + 8 + SIGNATURE_BYTES };
_Static_assert(4 + ORIGIN_BYTES_MAX + 1 + (COSIGNATURE_BYTES + 2) / 3 * 4 + 2 <=
		       COSIGNATURE_LINE_MAX,
	       "dash, name, base64, newline and NUL");
_Static_assert((int)COSIGNATURE_LINE_MAX <= (int)NAME_BYTES_MAX, "a line fits checkpoint_cosigned");

/* The line with its newline, terminated; returns its length. `text` is what note_split gives, at
 * most CHECKPOINT_NOTE_MAX bytes; the signer is a VKEY_COSIGNER. */
size_t cosignature_sign(const struct log_signer *signer, struct span text, uint64_t time_s,
			char out[COSIGNATURE_LINE_MAX]);

enum cosignature_check {
	COSIGNATURE_HOLDS,
	COSIGNATURE_MALFORMED, /* no signature's line, or of another length */
	COSIGNATURE_FOREIGN,   /* by another key */
	COSIGNATURE_FORGED,    /* the signature does not verify, or no time is said */
};
/* `line` has no newline; *time_s is set when it holds. */
enum cosignature_check cosignature_verify(struct span line, struct span text,
					  const struct log_verifier *verifier, uint64_t *time_s);
const char *cosignature_check_text(enum cosignature_check check);

#endif
