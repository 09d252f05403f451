/* Points of a log as a person names them: a sequence number, or a time of RFC 3339.
 *
 * All times of the log are microseconds since 1970 UTC; they are printed in UTC with all six
 * digits, so that what is printed can be given back as an option and means the same entry.
 */
#ifndef IFSWARM_REPLAY_MOMENT_H
#define IFSWARM_REPLAY_MOMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct moment {
	bool is_set;
	bool is_time; /* value is microseconds, compared with recorded_us; otherwise a seq */
	uint64_t value;
};

/* "17", or "2026-11-22T22:48:51.25Z", "2026-11-22T23:48:51+01:00"; the years 1970 to 9999. False
 * (and `out` untouched) for anything else: half a time is a mistake, not a guess. */
bool moment_parse(const char *word, struct moment *out);

/* True if an entry lies at or after, at or before the moment; an unset moment excludes nothing. */
bool moment_is_reached(const struct moment *moment, uint64_t seq, uint64_t recorded_us);
bool moment_is_kept(const struct moment *moment, uint64_t seq, uint64_t recorded_us);

/* "2026-11-22T22:48:51.250000Z" */
const char *moment_print(char *out, size_t size, uint64_t us);
enum { MOMENT_PRINT_MAX = 40 };

/* "0.250 s", "12 s", "3 min 4 s", "2 h 5 min", "4 d 1 h". */
const char *moment_print_span(char *out, size_t size, uint64_t us);

#endif
