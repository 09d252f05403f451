/* Refusals on their way to the log, folded: one TURN_REFUSED for each source IP, verdict and method
 * in a window, however many there were (THREATS G9). The table is bounded; when it is full the rest
 * of the window is counted together, without a source.
 *
 * A challenge (401 to a request without credentials, 438) is the ordinary first step of every
 * client: it is told only if a source collects more than REFUSALS_ORDINARY of them. */
#ifndef IFSWARM_ACTORS_RELAY_REFUSALS_H
#define IFSWARM_ACTORS_RELAY_REFUSALS_H

#include "protocol/types.h"
#include "protocol/verdict.h"

enum { REFUSALS_MAX = 256, REFUSALS_ORDINARY = 8, REFUSALS_WINDOW_S = 10 };

struct refusal {
	struct address source; /* port 0 */
	enum verdict verdict;
	uint16_t method;
	bool ordinary; /* nothing but challenges */
	uint64_t count;
	struct name user; /* of the first one */
	struct address peer;
};

struct refusals {
	uint64_t since_us; /* the window's start; 0: nothing counted */
	size_t count;
	struct refusal items[REFUSALS_MAX + 1]; /* the last is the rest */
};

void refusals_note(struct refusals *refusals, const struct refusal *refusal, uint64_t now_us);
/* True if the window is over: then tell the items for which refusal_is_told, and call
 * refusals_clear. */
bool refusals_are_due(const struct refusals *refusals, uint64_t now_us);
bool refusal_is_told(const struct refusal *refusal);
void refusals_clear(struct refusals *refusals);
/* What was counted of that IP is told without it. */
void refusals_forget(struct refusals *refusals, const struct address *source);

#endif
