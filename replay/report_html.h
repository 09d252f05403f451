/* Sections of report.html: between its own files. */
#ifndef IFSWARM_REPLAY_REPORT_HTML_H
#define IFSWARM_REPLAY_REPORT_HTML_H

#include "replay/report_state.h"
#include "replay/scroll.h"

/* A row of a list of facts, open for its value: "</dd>" ends it. */
void report_html_fact(struct scroll *out, const char *name);

/* Traffic, refusals, acts, events by type. `number` counts the pictures of the page. */
void report_html_counts(struct scroll *out, const struct report *report, uint32_t *number);

/* Gaps, clocks, what is proved, how to check. */
void report_html_proof(struct scroll *out, const struct report *report);

#endif
