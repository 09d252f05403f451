#include "store/pseudonym_key_io.h"

#include <assert.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>

#include "store/reader_state_io.h"

void
log_keys_pseudonym_key(const struct log_keys *keys, uint8_t out[LOG_PSEUDONYM_KEY_BYTES])
{
	static const char label[] = "ifswarm/pseudonym/v1";
	const struct seal_key *wrap = keys_wrap_key(keys->keys);
	const uint8_t *done = HMAC(EVP_sha256(), wrap->bytes, sizeof wrap->bytes,
				   (const uint8_t *)label, strlen(label), out, NULL);

	assert(done != NULL);
}
