#include "store/pseudonym_key_io.h"

#include "store/reader_state_io.h"

_Static_assert((int)LOG_PSEUDONYM_KEY_BYTES == (int)SEAL_KEY_BYTES, "what seal_derive gives");

void
log_keys_pseudonym_key(const struct log_keys *keys, uint8_t out[LOG_PSEUDONYM_KEY_BYTES])
{
	seal_derive(keys_wrap_key(keys->keys), "ifswarm/pseudonym/v1", out);
}
