/* Standard output: a page of text, or one JSON object on each line. Colours only on a terminal. */
#ifndef IFSWARM_REPLAY_PRINT_IO_H
#define IFSWARM_REPLAY_PRINT_IO_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "replay/paper.h"

void print_paper(const struct paper *paper);
/* In bold on a terminal. */
void print_head(const struct paper *paper);
/* One line; takes the object over. Everything beyond ASCII is escaped, so that nothing of it can
 * drive a terminal. */
void print_json(json_t *object);
/* False if the reader of our output has gone away or the disk is full; what is buffered goes out.
 */
bool print_flush(void);
/* While something long runs: a count on a terminal's stderr, nothing into a pipe. */
void print_progress(const char *what, uint64_t done, uint64_t of);
void print_progress_end(void);

#endif
