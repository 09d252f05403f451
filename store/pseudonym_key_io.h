/* The key under which names of a log become pseudonyms (replay/discloser.h): seal_derive
 * from the wrap key, for "ifswarm/pseudonym/v1". It is the same as long as the wrap key is, so a
 * name has one pseudonym in every export of a log, and nobody without that key can try names out.
 */
#ifndef IFSWARM_STORE_PSEUDONYM_KEY_IO_H
#define IFSWARM_STORE_PSEUDONYM_KEY_IO_H

#include "store/read_io.h"

enum { LOG_PSEUDONYM_KEY_BYTES = 32 };

void log_keys_pseudonym_key(const struct log_keys *keys, uint8_t out[LOG_PSEUDONYM_KEY_BYTES]);

#endif
