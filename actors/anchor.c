#include "actors/anchor.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static struct anchor_target *
target_at(struct anchors *anchors, size_t target)
{
	assert(target < anchors->count);
	return &anchors->targets[target];
}

static void
add_witness(struct anchors *anchors, const struct policy_witness *witness)
{
	struct anchor_target *target = &anchors->targets[anchors->count++];
	size_t count = strlen(witness->url);

	while (count > 0 && witness->url[count - 1] == '/') {
		count--;
	}
	target->kind = ANCHOR_WITNESS;
	target->key = witness->key;
	snprintf(target->name, sizeof target->name, "%s", witness->name);
	snprintf(target->url, sizeof target->url, "%.*s/add-checkpoint", (int)count, witness->url);
}

void
anchors_make(struct anchors *anchors, const struct policy *policy, const char *tsa_url,
	     uint64_t interval_s, uint64_t stamp_interval_s)
{
	memset(anchors, 0, sizeof *anchors);
	anchors->interval_us = interval_s * 1000000;
	anchors->stamp_interval_us = stamp_interval_s * 1000000;
	for (uint32_t i = 0; i < policy->witness_count; i++) {
		if (policy->witnesses[i].url[0] != '\0') {
			add_witness(anchors, &policy->witnesses[i]);
		}
	}
	if (tsa_url[0] != '\0') {
		struct anchor_target *target = &anchors->targets[anchors->count++];

		target->kind = ANCHOR_AUTHORITY;
		snprintf(target->name, sizeof target->name, "tsa");
		snprintf(target->url, sizeof target->url, "%s", tsa_url);
	}
}

/* --- rounds --------------------------------------------------------------------------------------
 */

bool
anchors_want_offer(const struct anchors *anchors, uint64_t now_us)
{
	return anchors->size == 0 || now_us - anchors->begun_us >= anchors->interval_us;
}

void
anchors_offer(struct anchors *anchors, uint64_t size, uint64_t substance, struct span note,
	      uint64_t now_us)
{
	if (!anchors_want_offer(anchors, now_us) || size <= anchors->size ||
	    substance <= anchors->size || note.count > sizeof anchors->note) {
		return;
	}
	anchors->size = size;
	anchors->begun_us = now_us;
	anchors->note_count = note.count;
	memcpy(anchors->note, note.at, note.count);
}

bool
anchor_is_due(const struct anchors *anchors, size_t at, uint64_t now_us)
{
	assert(at < anchors->count);
	const struct anchor_target *target = &anchors->targets[at];

	if (anchors->size == 0 || target->done >= anchors->size || now_us < target->not_before_us) {
		return false;
	}
	return target->kind == ANCHOR_WITNESS || target->stamped_us == 0 ||
	       now_us - target->stamped_us >= anchors->stamp_interval_us;
}

/* --- how it went ---------------------------------------------------------------------------------
 */

bool
anchor_succeeded(struct anchors *anchors, size_t at, uint64_t size, uint64_t now_us)
{
	struct anchor_target *target = target_at(anchors, at);
	const bool had_failed = target->failures > 0;

	target->done = target->old = size;
	target->stamped_us = target->kind == ANCHOR_AUTHORITY ? now_us : 0;
	target->failures = target->conflicts = 0;
	target->not_before_us = 0;
	target->why[0] = '\0';
	return had_failed;
}

bool
anchor_failed(struct anchors *anchors, size_t at, const char *why, uint64_t now_us)
{
	struct anchor_target *target = target_at(anchors, at);
	uint64_t wait_us = ANCHOR_BACKOFF_US;

	for (unsigned i = 0; i < target->failures && wait_us < ANCHOR_BACKOFF_MAX_US; i++) {
		wait_us *= 2;
	}
	target->not_before_us =
		now_us + (wait_us < ANCHOR_BACKOFF_MAX_US ? wait_us : ANCHOR_BACKOFF_MAX_US);
	target->conflicts = 0;
	snprintf(target->why, sizeof target->why, "%s", why);
	return target->failures++ == 0;
}

/* --- what a witness says -------------------------------------------------------------------------
 */

static enum anchor_step
fail(struct anchors *anchors, size_t at, uint64_t now_us, const char *why)
{
	anchor_failed(anchors, at, why, now_us);
	return ANCHOR_FAILED;
}

/* "20852014\n" */
static bool
read_size(struct span body, uint64_t *out)
{
	*out = 0;
	if (body.count < 2 || body.at[body.count - 1] != '\n' ||
	    (body.at[0] == '0' && body.count > 2)) {
		return false;
	}
	for (size_t i = 0; i + 1 < body.count; i++) {
		const uint8_t digit = (uint8_t)(body.at[i] - '0');

		if (digit > 9 || *out > (UINT64_MAX - digit) / 10) {
			return false;
		}
		*out = *out * 10 + digit;
	}
	return true;
}

static enum anchor_step
take_conflict(struct anchors *anchors, size_t at, uint64_t size, struct span body, uint64_t now_us)
{
	struct anchor_target *target = target_at(anchors, at);
	uint64_t seen = 0;
	char why[ANCHOR_WHY_MAX];

	if (!read_size(body, &seen)) {
		return fail(anchors, at, now_us, "it answers 409 without a size");
	}
	if (seen > size) {
		snprintf(why, sizeof why,
			 "it has seen %" PRIu64 " events of this log, which had %" PRIu64
			 ": was an old copy put back?",
			 seen, size);
		return fail(anchors, at, now_us, why);
	}
	if (++target->conflicts > ANCHOR_CONFLICTS_MAX) {
		return fail(anchors, at, now_us, "it answers 409 again and again");
	}
	target->old = seen;
	return ANCHOR_AGAIN;
}

static enum anchor_step
take_lines(struct anchors *anchors, size_t at, const struct anchor_answer *answer, uint64_t now_us,
	   struct span *line)
{
	const struct anchor_target *target = target_at(anchors, at);
	const struct span body = answer->body;
	struct span text, lines;
	uint64_t time_s = 0;
	size_t from = 0;

	const bool is_note = note_split(answer->note, &text, &lines);
	assert(is_note);
	while (from < body.count) {
		const uint8_t *end = memchr(body.at + from, '\n', body.count - from);

		if (end == NULL) {
			break;
		}
		*line = (struct span){ body.at + from, (size_t)(end - body.at) - from };
		/* Lines by other keys are ignored (C2SP tlog-witness). */
		if (line->count < COSIGNATURE_LINE_MAX &&
		    cosignature_verify(*line, text, &target->key, &time_s) == COSIGNATURE_HOLDS) {
			return ANCHOR_DONE;
		}
		from += line->count + 1;
	}
	return fail(anchors, at, now_us,
		    "its answer holds no cosignature by the key of policy.txt that verifies");
}

static const char *
why_of(unsigned status)
{
	switch (status) {
	case 403:
		return "it does not trust the key of this log (403): give it the present log.vkey";
	case 404:
		return "it does not know this log (404): give it log.vkey; or the URL is another";
	case 422:
		return "it says that this log does not extend what it has seen (422): run ifreplay "
		       "verify, and keep both";
	default:
		return NULL;
	}
}

enum anchor_step
anchor_answered(struct anchors *anchors, size_t at, const struct anchor_answer *answer,
		uint64_t now_us, struct span *line)
{
	const unsigned status = answer->status;
	char why[ANCHOR_WHY_MAX];

	if (status == 200) {
		return take_lines(anchors, at, answer, now_us, line);
	}
	if (status == 409) {
		return take_conflict(anchors, at, answer->size, answer->body, now_us);
	}
	snprintf(why, sizeof why, "it answers with HTTP status %u", status);
	return fail(anchors, at, now_us, why_of(status) == NULL ? why : why_of(status));
}
