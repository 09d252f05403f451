/* DATA/head: the last published checkpoint, kept outside the database, so that a restored old copy
 * of the log is noticed before it signs another history (EVIDENCE section 3). */
#ifndef IFSWARM_STORE_HEAD_IO_H
#define IFSWARM_STORE_HEAD_IO_H

#include "store/checkpoint.h"
#include "store/files_io.h"
#include "store/lookup_io.h"

enum file_result head_write(const char *directory, struct span note);
bool head_exists(const char *directory);

/* True if the log of `size` events, whose newest own checkpoint covers `checkpointed`, extends the
 * head (or neither was ever published). Else `reason` says what is missing or different, and what
 * to do. */
bool head_is_extended(const char *directory, const struct log_verifier *verifier,
		      struct lookup *log, uint64_t size, uint64_t checkpointed, char *reason,
		      size_t reason_size);

#endif
