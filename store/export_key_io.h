/* The key that signs exports: Ed25519, made at the first export, and never the log's own, which
 * belongs to the witness alone. DATA/private/export.key (0600) and DATA/export.vkey, named
 * "<origin>/export". */
#ifndef IFSWARM_STORE_EXPORT_KEY_IO_H
#define IFSWARM_STORE_EXPORT_KEY_IO_H

#include "store/checkpoint.h"
#include "store/files_io.h"

/* False, with one line in `fault`, if it is not there and cannot be made. */
bool export_key_open(const char *directory, const char *origin, struct log_signer *out, char *fault,
		     size_t fault_size);

#endif
