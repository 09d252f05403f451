/* Fills an allowance (verify_allow.h) from the log. */
#ifndef IFSWARM_REPLAY_VERIFY_ALLOW_IO_H
#define IFSWARM_REPLAY_VERIFY_ALLOW_IO_H

#include "replay/verify_allow.h"
#include "store/read_io.h"

/* Takes every event from <= seq < to that says that something was removed, in one transaction.
 * False if the log cannot be read. */
bool allow_read(struct verify_allow *allow, struct log_reader *reader, uint64_t from, uint64_t to);
/* After the last range, and again after more: puts all in order to be asked, with the prunings that
 * are under way. */
bool allow_read_end(struct verify_allow *allow, struct log_reader *reader);

#endif
