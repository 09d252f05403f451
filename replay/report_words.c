#include "replay/report_words.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "replay/moment.h"
#include "replay/words.h"

static const uint64_t minute_us = UINT64_C(60) * 1000000, day_us = UINT64_C(86400) * 1000000;

const char *
report_number(char out[REPORT_NUMBER_MAX], uint64_t number)
{
	char digits[REPORT_NUMBER_MAX];
	const int count = snprintf(digits, sizeof digits, "%" PRIu64, number);
	size_t at = 0;

	for (int i = 0; i < count; i++) {
		if (i > 0 && (count - i) % 3 == 0) {
			out[at++] = ' ';
		}
		out[at++] = digits[i];
	}
	out[at] = '\0';
	return out;
}

/* From "2026-11-22T22:48:51.250000Z" */
const char *
report_moment(char *out, size_t size, uint64_t us)
{
	char whole[MOMENT_PRINT_MAX];

	moment_print(whole, sizeof whole, us);
	snprintf(out, size, "%.10s %.8s UTC", whole, strlen(whole) > 18 ? whole + 11 : "");
	return out;
}

bool
report_anchored(const struct anchored *a, unsigned n, const char **what,
		char out[REPORT_ANCHORED_MAX])
{
	const unsigned witnesses = a == NULL ? 0 : a->count;
	char time[MOMENT_PRINT_MAX];

	if (a == NULL || n > witnesses + 1 || (n == witnesses + 1 && a->stamped_size == 0)) {
		return false;
	}
	*what = n == 0 ? "witnessed" : n <= witnesses ? "witnessed by" : "timestamped";
	if (n == 0 && witnesses == 0) {
		snprintf(out, REPORT_ANCHORED_MAX,
			 "by nobody: all of this is on the log's own word");
	} else if (n == 0) {
		snprintf(out, REPORT_ANCHORED_MAX, "up to size %" PRIu64, a->cosigned_size);
	} else if (n <= witnesses) {
		snprintf(out, REPORT_ANCHORED_MAX, "%s, %s", a->by[n - 1].name,
			 report_moment(time, sizeof time, a->by[n - 1].time_s * 1000000));
	} else {
		snprintf(out, REPORT_ANCHORED_MAX, "size %" PRIu64 ", by %s, recorded %s",
			 a->stamped_size, a->authority,
			 report_moment(time, sizeof time, a->stamped_us));
	}
	return true;
}

const char *
report_tick(char *out, size_t size, const struct report *r, uint64_t us)
{
	const uint64_t width = r->scope.to_us - r->scope.from_us;
	char whole[MOMENT_PRINT_MAX];

	moment_print(whole, sizeof whole, us);
	assert(strlen(whole) > 18);
	if (width < 10 * minute_us) {
		snprintf(out, size, "%.8s", whole + 11);
	} else if (width < day_us) {
		snprintf(out, size, "%.5s", whole + 11);
	} else if (width < 10 * day_us) {
		snprintf(out, size, "%.5s %.5s", whole + 5, whole + 11);
	} else {
		snprintf(out, size, "%.10s", whole);
	}
	return out;
}

/* The byte where the scalar number `place` of valid UTF-8 begins. */
static size_t
offset_of(const char *text, size_t place)
{
	size_t at = 0;

	for (; text[at] != '\0'; at++) {
		if (((uint8_t)text[at] & 0xC0) != 0x80 && place-- == 0) {
			return at;
		}
	}
	return at;
}

/* Names that differ at their end only are not rare (agent-0001, agent-0002): both ends stay. */
static void
shorten(char *text, size_t width)
{
	const size_t all = words_width(text);

	if (all <= width) {
		return;
	}
	const size_t head = width - width / 3 - 2, tail = width - 2 - head;
	const size_t keep = offset_of(text, head), from = offset_of(text, all - tail);
	memmove(text + keep + 2, text + from, strlen(text + from) + 1);
	memcpy(text + keep, "..", 2);
}

const char *
report_label(char out[REPORT_LABEL_MAX], const struct report_agent *agent, size_t width)
{
	char hex[2 * sizeof agent->handle.bytes + 1];

	assert(width >= 8);
	if (agent->name.length > 0) {
		words_escape(out, REPORT_LABEL_MAX, agent->name.bytes, agent->name.length);
	} else {
		hex_write(hex, agent->handle.bytes, sizeof agent->handle.bytes);
		snprintf(out, REPORT_LABEL_MAX, "handle %.12s", hex);
	}
	shorten(out, width);
	return out;
}

const char *
report_type(char *out, size_t size, const char *name)
{
	snprintf(out, size, "%s", name);
	for (char *c = out; *c != '\0'; c++) {
		*c = *c == '_' ? ' ' : *c;
	}
	return out;
}

const char *
report_profile(enum profile profile)
{
	static const char *const sentences[] = {
		[PROFILE_NONE] =
			"none: names and addresses stand here as they were recorded, except "
			"where they were erased",
		[PROFILE_PSEUDONYMOUS] =
			"pseudonymous: a name is a pseudonym, the same one throughout the log; "
			"addresses and free text are withheld",
		[PROFILE_ENVELOPE] = "envelope: no names, no addresses; agents are told apart by "
				     "their random handles alone",
	};

	return sentences[profile];
}

const char *
report_delay(char *out, size_t size, const struct report *r, unsigned percent)
{
	uint64_t sum = 0, seen = 0;
	char span[MOMENT_PRINT_MAX];

	for (unsigned i = 0; i < REPORT_DELAYS_MAX; i++) {
		sum += r->delays[i];
	}
	for (unsigned i = 0; i < REPORT_DELAYS_MAX && sum > 0; i++) {
		seen += r->delays[i];
		if (seen * 100 >= sum * percent) {
			const uint64_t ms = UINT64_C(1) << i;
			if (ms < 1000) {
				snprintf(out, size, "under %" PRIu64 " ms", ms);
			} else {
				snprintf(out, size, "under %s",
					 moment_print_span(span, sizeof span, ms * 1000));
			}
			return out;
		}
	}
	snprintf(out, size, "not known");
	return out;
}

const char *
report_proved(const struct report *r, unsigned n)
{
	static const char *const in_bundle[] = {
		"Every entry disclosed in this bundle is in the log that the log's key signed, at "
		"its "
		"place, and not one bit of it has changed since.",
		("Nothing in the range was left out in silence: each entry that is not disclosed "
		 "is listed with its hash and the reason."),
		"If there was an export before this one, the log has only grown since.",
	};
	static const char *const alone[] = {
		"This page by itself proves nothing: it was made from a log by a program, and "
		"anybody "
		"can change a page.",
		"The log behind it can prove all of it: every entry has its place in a signed hash "
		"tree "
		"(RFC 6962), and an export carries those proofs.",
	};
	const char *const *list = r->scope.is_in_bundle ? in_bundle : alone;
	const unsigned count = r->scope.is_in_bundle ? sizeof in_bundle / sizeof in_bundle[0]
						     : sizeof alone / sizeof alone[0];

	return n < count ? list[n] : NULL;
}

const char *
report_not_proved(unsigned n)
{
	static const char *const list[] = {
		"That everything that happened was recorded: an event that was never appended "
		"leaves no "
		"trace in any hash.",
		"That what agents claim about themselves is true. Claims are counted apart and "
		"used for "
		"nothing else here.",
		"Who a person is: a name is what an agent called itself.",
		"What was said. Signals are recorded by their hash, and media passed through "
		"relays is "
		"counted, never kept.",
		"What happened after the last checkpoint that somebody else witnessed, on a "
		"machine "
		"that an attacker owned.",
	};

	return n < sizeof list / sizeof list[0] ? list[n] : NULL;
}
