/* A page that grows without bound and is handed on piece by piece: what a report is written on.
 * Text of our own goes through scroll_add, text from outside through scroll_html or scroll_plain,
 * which escape it.
 */
#ifndef IFSWARM_REPLAY_SCROLL_H
#define IFSWARM_REPLAY_SCROLL_H

#include "replay/report.h"

enum { SCROLL_PIECE_MAX = 8192, SCROLL_ADD_MAX = 2048 };

struct scroll {
	report_write *write;
	void *context;
	bool is_stopped; /* the writer gave false: nothing more is given to it */
	size_t count;
	char text[SCROLL_PIECE_MAX];
};

void scroll_begin(struct scroll *scroll, report_write *write, void *context);
/* False if the writer stopped it. */
bool scroll_end(struct scroll *scroll);

/* As it is, of any length. */
void scroll_put(struct scroll *scroll, const char *text);
/* At most SCROLL_ADD_MAX bytes, asserted: only for values that are bounded. */
void scroll_add(struct scroll *scroll, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Text from outside: control characters and what turns the reading direction round become \xNN
 * (words.h), and for HTML & < > " ' become references, so that it can stand in an element or in a
 * quoted attribute. */
void scroll_html(struct scroll *scroll, const char *bytes, size_t count);
void scroll_plain(struct scroll *scroll, const char *bytes, size_t count);
/* The same for a terminated string that is escaped for a terminal already, or is ours. */
void scroll_html_word(struct scroll *scroll, const char *word);

#endif
