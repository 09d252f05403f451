/* One event as a line of a table, a JSON object or a row of CSV: what log, trace and follow print.
 */
#ifndef IFSWARM_REPLAY_TELL_IO_H
#define IFSWARM_REPLAY_TELL_IO_H

#include "replay/options.h"
#include "replay/telling.h"

/* The head of the table or of the CSV; none for JSON. */
void print_telling_head(const struct options *options);
void print_telling(const struct options *options, const struct telling *telling);

#endif
