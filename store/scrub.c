#include "store/scrub.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DAY_S = 86400 };

static const char first_line[] = "ifswarm scrub 1\n";

static const struct {
	const char *key;
	size_t field;
} keys[] = {
	{ "next", offsetof(struct scrub_state, next) },
	{ "end", offsetof(struct scrub_state, end) },
	{ "began", offsetof(struct scrub_state, began_s) },
	{ "findings", offsetof(struct scrub_state, findings) },
	{ "tries", offsetof(struct scrub_state, tries) },
	{ "ended", offsetof(struct scrub_state, ended_s) },
	{ "ended-size", offsetof(struct scrub_state, ended_size) },
	{ "ended-findings", offsetof(struct scrub_state, ended_findings) },
};
enum { KEYS = sizeof keys / sizeof keys[0] };

size_t
scrub_write(const struct scrub_state *state, char out[SCRUB_TEXT_MAX])
{
	size_t at = (size_t)snprintf(out, SCRUB_TEXT_MAX, "%s", first_line);

	for (size_t i = 0; i < KEYS; i++) {
		uint64_t value;

		memcpy(&value, (const char *)state + keys[i].field, sizeof value);
		at += (size_t)snprintf(out + at, SCRUB_TEXT_MAX - at, "%s %" PRIu64 "\n",
				       keys[i].key, value);
		assert(at < SCRUB_TEXT_MAX);
	}
	return at;
}

/* Whatever it reads, it is only believed if writing gives the same bytes again. */
bool
scrub_read(struct span text, struct scrub_state *out)
{
	char copy[SCRUB_TEXT_MAX] = "";
	char again[SCRUB_TEXT_MAX];
	const char *at = copy + strlen(first_line);

	memset(out, 0, sizeof *out);
	if (text.count < strlen(first_line) || text.count >= sizeof copy) {
		return false;
	}
	memcpy(copy, text.at, text.count);
	for (size_t i = 0; i < KEYS; i++) {
		const size_t length = strlen(keys[i].key);

		if (strncmp(at, keys[i].key, length) != 0) {
			break;
		}
		const uint64_t value = strtoull(at + length, NULL, 10);
		memcpy((char *)out + keys[i].field, &value, sizeof value);
		at += length;
		at += strcspn(at, "\n");
		at += *at == '\n';
	}
	if (scrub_write(out, again) == text.count && memcmp(again, text.at, text.count) == 0 &&
	    out->next <= out->end && (out->next % SCRUB_BLOCK == 0 || out->next == out->end)) {
		return true;
	}
	memset(out, 0, sizeof *out);
	return false;
}

bool
scrub_is_due(const struct scrub_state *state, uint64_t created_s, uint64_t days, uint64_t now_s)
{
	const uint64_t from_s = state->began_s > 0 ? state->began_s : created_s;

	assert(days <= SCRUB_DAYS_MAX);
	/* A clock that was set back puts nothing off for long. */
	return state->end > 0 || from_s > now_s + DAY_S || now_s >= from_s + days * DAY_S;
}

uint64_t
scrub_pause_us(const struct scrub_state *state, uint64_t days, uint64_t now_s, uint64_t work_us)
{
	const uint64_t until_s = state->began_s + days * DAY_S;
	const uint64_t left_us = now_s < until_s ? (until_s - now_s) * UINT64_C(1000000) : 0;
	const uint64_t blocks = (state->end - state->next) / SCRUB_BLOCK + 1;
	const uint64_t rest_us = work_us * SCRUB_REST;
	uint64_t pause_us = left_us / blocks;

	assert(state->next <= state->end);
	if (pause_us > SCRUB_PAUSE_MAX_US) {
		pause_us = SCRUB_PAUSE_MAX_US;
	}
	return pause_us > rest_us ? pause_us : rest_us;
}
