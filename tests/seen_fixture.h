/* What a checker said, kept for the tests that ask for one finding among them. */
#ifndef IFSWARM_TESTS_SEEN_FIXTURE_H
#define IFSWARM_TESTS_SEEN_FIXTURE_H

#include <stdio.h>
#include <string.h>

#include "replay/verify.h"

enum { SEEN_MAX = 64 };

struct seen {
	uint64_t count;
	struct finding findings[SEEN_MAX];
};

static inline void
collect(void *context, const struct finding *finding)
{
	struct seen *seen = context;

	if (seen->count < SEEN_MAX) {
		seen->findings[seen->count] = *finding;
	}
	seen->count++;
}

static inline bool
is_named(const struct seen *seen, const char *what, const char *where)
{
	for (uint64_t i = 0; i < seen->count && i < SEEN_MAX; i++) {
		if (strstr(seen->findings[i].what, what) != NULL &&
		    strcmp(seen->findings[i].where, where) == 0) {
			return true;
		}
	}
	return false;
}

static inline void
print_seen(const struct seen *seen)
{
	for (uint64_t i = 0; i < seen->count && i < SEEN_MAX; i++) {
		print_message("  %s | %s | %s | %s\n", seen->findings[i].what,
			      seen->findings[i].where, seen->findings[i].expected,
			      seen->findings[i].found);
	}
}

#endif
