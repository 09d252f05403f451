/* Words that both pages, HTML and text, use. */
#ifndef IFSWARM_REPLAY_REPORT_WORDS_H
#define IFSWARM_REPLAY_REPORT_WORDS_H

#include "replay/report_state.h"

enum { REPORT_NUMBER_MAX = 32, REPORT_LABEL_MAX = 4 * NAME_BYTES_MAX + 1 };

/* "1 234 567": with thin groups, so that it is read the same in every country. */
const char *report_number(char out[REPORT_NUMBER_MAX], uint64_t number);
/* "2026-11-22 22:48:51 UTC" */
const char *report_moment(char *out, size_t size, uint64_t us);
/* As short as the width of the range allows: "22:48:51", "22:48", "11-22 22:48" or "2026-11-22". */
const char *report_tick(char *out, size_t size, const struct report *report, uint64_t us);

/* An agent's name, escaped for a terminal and cut in the middle at `width` columns (at least 8), or
 * the beginning of its handle. */
const char *report_label(char out[REPORT_LABEL_MAX], const struct report_agent *agent,
			 size_t width);

/* The n-th fact about who else has seen the log, as it was logged: that it is true, the verifiers
 * say. False behind the last one, or if it is not said. */
enum { REPORT_ANCHORED_MAX = ORIGIN_BYTES_MAX + TEXT_BYTES_MAX + 128 };
bool report_anchored(const struct anchored *anchored, unsigned n, const char **what,
		     char out[REPORT_ANCHORED_MAX]);

/* "agent registered" for "agent_registered". */
const char *report_type(char *out, size_t size, const char *name);

/* What a profile means for a reader, in one sentence. */
const char *report_profile(enum profile profile);

/* The delay that 50 or 99 of a hundred events do not exceed, as "under 4 ms". */
const char *report_delay(char *out, size_t size, const struct report *report, unsigned percent);

/* Statements about proof: the n-th, NULL after the last. */
const char *report_proved(const struct report *report, unsigned n);
const char *report_not_proved(unsigned n);

#endif
