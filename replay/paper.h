/* A bounded sheet of text that pure code writes on and worldly code prints. What does not fit is
 * cut: the sheet stays terminated, and `is_cut` says so.
 */
#ifndef IFSWARM_REPLAY_PAPER_H
#define IFSWARM_REPLAY_PAPER_H

#include <stdbool.h>
#include <stddef.h>

enum { PAPER_MAX = 16384 };

struct paper {
	size_t count;
	bool is_cut;
	char text[PAPER_MAX];
};

void paper_clear(struct paper *paper);
void paper_add(struct paper *paper, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Bytes as they are. */
void paper_put(struct paper *paper, const char *bytes, size_t count);
/* Text from outside, escaped (words.h). */
void paper_add_escaped(struct paper *paper, const char *bytes, size_t count);
/* Blanks up to that column of the current line; at least one if anything stands there. */
void paper_to_column(struct paper *paper, size_t column);

#endif
