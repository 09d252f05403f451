/* What became of what was asked: the value of --outcome. An event is a refusal or it is not; a
 * refusal says its verdict.
 */
#ifndef IFSWARM_REPLAY_OUTCOME_H
#define IFSWARM_REPLAY_OUTCOME_H

#include "protocol/event.h"
#include "protocol/verdict.h"

struct outcome {
	enum { OUTCOME_ANY, OUTCOME_ACCEPTED, OUTCOME_REFUSED, OUTCOME_VERDICT } kind;
	enum verdict verdict; /* of OUTCOME_VERDICT */
};

/* "accepted", "refused", or a verdict as verdict.def names it (REFUSED_QUOTA) or as programs read
 * it (QUOTA). False for anything else. */
bool outcome_parse(const char *word, struct outcome *out);
/* The word for it; NULL for any outcome. */
const char *outcome_name(const struct outcome *outcome);

/* True for the types that say a refusal. */
bool outcome_is_refusal(uint64_t type);
/* What a refusal says: its verdict's number and how many requests it folds; false for the others,
 * and for a refusal that has no verdict (erase_refused). */
bool outcome_of(const struct event *event, uint64_t *verdict, uint64_t *count);

/* `event` may be NULL: a type that this program does not know is not refused. */
bool outcome_admits(const struct outcome *outcome, uint64_t type, const struct event *event);

#endif
