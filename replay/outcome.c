#include "replay/outcome.h"

#include <string.h>

static const enum verdict verdicts[] = {
#define VERDICT(name, number, stun, text, code) name,
#include "protocol/verdict.def"
#undef VERDICT
};

bool
outcome_parse(const char *word, struct outcome *out)
{
	*out = (struct outcome){ .kind = OUTCOME_ANY };
	if (strcmp(word, "accepted") == 0) {
		out->kind = OUTCOME_ACCEPTED;
		return true;
	}
	if (strcmp(word, "refused") == 0) {
		out->kind = OUTCOME_REFUSED;
		return true;
	}
	for (size_t i = 0; i < sizeof verdicts / sizeof verdicts[0]; i++) {
		const enum verdict verdict = verdicts[i];

		if (verdict != ACCEPTED && (strcmp(verdict_name(verdict), word) == 0 ||
					    strcmp(verdict_code(verdict), word) == 0)) {
			*out = (struct outcome){ OUTCOME_VERDICT, verdict };
			return true;
		}
	}
	return false;
}

const char *
outcome_name(const struct outcome *outcome)
{
	switch (outcome->kind) {
	case OUTCOME_ANY:
		return NULL;
	case OUTCOME_ACCEPTED:
		return "accepted";
	case OUTCOME_REFUSED:
		return "refused";
	case OUTCOME_VERDICT:
		return verdict_name(outcome->verdict);
	}
	return NULL;
}

bool
outcome_is_refusal(uint64_t type)
{
	return type == EVENT_SIGNALING_REQUEST_REFUSED || type == EVENT_TURN_REQUEST_REFUSED ||
	       type == EVENT_ERASE_REFUSED;
}

bool
outcome_of(const struct event *event, uint64_t *verdict, uint64_t *count)
{
	if (event->type == EVENT_SIGNALING_REQUEST_REFUSED) {
		*verdict = event->signaling_request_refused.verdict;
		*count = event->signaling_request_refused.count;
		return true;
	}
	if (event->type == EVENT_TURN_REQUEST_REFUSED) {
		*verdict = event->turn_request_refused.verdict;
		*count = event->turn_request_refused.count;
		return true;
	}
	return false;
}

bool
outcome_admits(const struct outcome *outcome, uint64_t type, const struct event *event)
{
	uint64_t verdict = 0;
	uint64_t count = 0;

	switch (outcome->kind) {
	case OUTCOME_ANY:
		return true;
	case OUTCOME_ACCEPTED:
		return !outcome_is_refusal(type);
	case OUTCOME_REFUSED:
		return outcome_is_refusal(type);
	case OUTCOME_VERDICT:
		return event != NULL && outcome_of(event, &verdict, &count) &&
		       verdict == (uint64_t)outcome->verdict;
	}
	return false;
}
