/* Notes and verifier keys as a stranger might hand them in. */
#include <assert.h>
#include <string.h>

#include "store/checkpoint.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

static void
read_key(const uint8_t *bytes, size_t count)
{
	char text[CHECKPOINT_VKEY_MAX + 8], again[CHECKPOINT_VKEY_MAX];
	struct log_verifier verifier;

	if (count >= sizeof text) {
		return;
	}
	memcpy(text, bytes, count);
	text[count] = '\0';
	if (log_verifier_read(text, &verifier)) {
		log_verifier_write(again, &verifier);
		assert(strncmp(again, text, strlen(again)) == 0);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
	static const uint8_t seed[32];
	static struct log_signer signer;
	struct checkpoint checkpoint;
	const struct span note = { bytes, count };

	if (signer.verifier.name[0] == '\0') {
		log_signer_make(&signer, "ifswarm.local/node1", seed);
	}
	checkpoint_read(note, &checkpoint);
	/* Nobody has the key: nothing can hold. */
	assert(checkpoint_verify(note, &signer.verifier, &checkpoint) != CHECKPOINT_HOLDS);
	read_key(bytes, count);
	return 0;
}
