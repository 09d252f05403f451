/* Proofs as text, from anybody: what is read is written again as it was, and checking it against
 * any tree ends. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "store/tlog_proof.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
	static struct tlog_proof proof;
	static struct tlog_proof again;
	static char text[TLOG_PROOF_MAX];
	struct digest leaf = { { 1 } };

	if (!tlog_proof_read((struct span){ bytes, count }, &proof)) {
		return 0;
	}
	const size_t written = tlog_proof_write(text, &proof);
	assert(tlog_proof_read((struct span){ (const uint8_t *)text, written }, &again));
	assert(again.number == proof.number);
	assert(again.proof.count == proof.proof.count);
	assert(again.note.count == proof.note.count);
	(void)proof_check_inclusion(&leaf, proof.number, proof.number + 1 + count, &leaf,
				    &proof.proof);
	(void)proof_check_consistency(proof.number, &leaf, proof.number + count, &leaf,
				      &proof.proof);
	return 0;
}
