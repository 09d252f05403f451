/* Pictures as inline SVG: bars and marks that stretch with the page's width (their words stand
 * beside them as text, so that they stay readable on a phone), and one matrix. Colours are the
 * page's classes, every picture has a title and a description for those who do not see it.
 */
#ifndef IFSWARM_REPLAY_PICTURE_H
#define IFSWARM_REPLAY_PICTURE_H

#include "replay/report_state.h"
#include "replay/scroll.h"

/* Begins an <svg> of `width` by `height` units that stretches; `number` tells pictures apart within
 * the page. Between them title and description are to be given with scroll_html_word or scroll_add.
 */
void picture_begin(struct scroll *out, const char *class, unsigned width, unsigned height,
		   uint32_t number);
void picture_describe(struct scroll *out, uint32_t number);
void picture_ready(struct scroll *out);
void picture_end(struct scroll *out);

/* The marked buckets as bars of one row, REPORT_BUCKETS wide. */
void picture_strip(struct scroll *out, const struct report_strip *strip, unsigned height);
/* One bar, `part` of `whole` wide, in a picture 1000 wide. */
void picture_part(struct scroll *out, uint64_t part, uint64_t whole, unsigned height);
/* Two columns on each other for each of REPORT_BARS places, in a picture of 100 units' height. */
void picture_columns(struct scroll *out, const uint64_t *lower, const uint64_t *upper,
		     uint64_t highest);

/* Five moments below a picture, and in which zone they are. */
void picture_axis(struct scroll *out, const struct report *report);

/* Who met whom among those agents. */
enum { PICTURE_MATRIX_MAX = 16 };
void picture_matrix(struct scroll *out, const struct report *report, const uint32_t *agents,
		    uint32_t count, uint32_t number);

#endif
