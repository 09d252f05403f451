/* Which segments may be pruned: a row for each rule. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "store/prune.h"
#include "store/retain.h"

/* Seconds since 1970 of the first moment of a month in 2026. */
#define JANUARY UINT64_C(1767225600)
#define MARCH   UINT64_C(1772323200)
#define DAY     UINT64_C(86400)
#define OLD_US  (JANUARY * 1000000)

static const struct {
	const char *what;
	uint64_t months;
	uint64_t now_s;
	uint64_t month;
} months[] = {
	{ "nothing is configured: all is kept", 0, MARCH, 0 },
	{ "a month after its end", 1, MARCH, 202601 },
	{ "and a second before it is not", 1, MARCH - 1, 202512 },
	{ "the end of the month changes nothing", 1, MARCH + 30 * DAY, 202601 },
	{ "a year", 12, MARCH, 202502 },
	{ "a year's turn", 2, MARCH, 202512 },
	{ "more months than there have been since 1970", 1200, MARCH, 0 },
	{ "more months than there can be", UINT64_MAX, MARCH, 0 },
	{ "the first month there was", 1, 59 * DAY, 197001 },
};

static void
a_month_is_old_so_many_months_after_its_end(void **state)
{
	size_t failures = 0;

	(void)state;
	for (size_t i = 0; i < sizeof months / sizeof months[0]; i++) {
		const uint64_t found = prune_month(months[i].months, months[i].now_s * 1000000);
		if (found != months[i].month) {
			print_message("NOT AS EXPECTED: %s: %llu\n", months[i].what,
				      (unsigned long long)found);
			failures++;
		}
	}
	assert_int_equal(failures, 0);
}

/* --- one segment ---------------------------------------------------------------------------------
 */

/* What is different from a segment of January that nobody needs: number 5, 256 entries of session;
 * the newest entry of every stream lies far behind. */
struct given {
	uint64_t index;
	uint64_t entries;
	uint64_t last_us;
	uint64_t needed_from;
	enum event_type type;   /* of one of its entries */
	uint64_t stream, epoch; /* of a claim */
	bool is_gone, has_part, has_key, is_end;
};

static const struct {
	const char *what;
	struct given given;
	enum prune_why why;
} rules[] = {
	{ "nobody needs it", { 0 }, PRUNE_GOES },
	{ "its last entry is of a month that is not old", { .last_us = OLD_US + 1 }, PRUNE_YOUNG },
	{ "its last entry is of the last old moment", { .last_us = OLD_US - 1 }, PRUNE_GOES },
	{ "the first segment", { .index = UINT64_MAX }, PRUNE_BEGINNING },
	{ "a snapshot begins in it", { .needed_from = 5 * 256 + 255 }, PRUNE_NEEDED },
	{ "a snapshot begins right behind it", { .needed_from = 6 * 256 }, PRUNE_GOES },
	{ "a snapshot begins before it", { .needed_from = 256 }, PRUNE_NEEDED },
	{ "an entry is missing", { .entries = 255 }, PRUNE_TORN },
	{ "it was pruned before", { .is_gone = true, .entries = 1 }, PRUNE_GONE },
	{ "a sealed part is left", { .has_part = true }, PRUNE_SEALED },
	{ "a key of it lives", { .has_key = true }, PRUNE_KEY },
	{ "a declared type", { .type = EVENT_TYPE_DECLARED }, PRUNE_LASTING },
	{ "a hold", { .type = EVENT_HOLD_PLACED }, PRUNE_LASTING },
	{ "the end of a hold", { .type = EVENT_HOLD_RELEASED }, PRUNE_LASTING },
	{ "a request for erasure", { .type = EVENT_ERASE_REQUESTED }, PRUNE_LASTING },
	{ "a refusal of one", { .type = EVENT_ERASE_REFUSED }, PRUNE_LASTING },
	{ "an erased subject", { .type = EVENT_SUBJECT_ERASED }, PRUNE_LASTING },
	{ "an erased part", { .type = EVENT_PART_ERASED }, PRUNE_LASTING },
	{ "an erasure's end", { .type = EVENT_ERASED }, PRUNE_LASTING },
	{ "an erased month", { .type = EVENT_MONTH_ERASED }, PRUNE_LASTING },
	{ "a key that a hold kept", { .type = EVENT_KEY_KEPT }, PRUNE_LASTING },
	{ "a pruning", { .type = EVENT_LOG_PRUNED }, PRUNE_LASTING },
	{ "lost parts", { .type = EVENT_PARTS_LOST }, PRUNE_LASTING },
	{ "a key that is gone", { .type = EVENT_KEY_CREATED }, PRUNE_GOES },
	{ "a cosignature", { .type = EVENT_CHECKPOINT_COSIGNED }, PRUNE_GOES },
	{ "a question", { .type = EVENT_QUERY_MADE }, PRUNE_GOES },
	{ "a stream's newest entry", { .is_end = true }, PRUNE_END },
	{ "the claim of the living epoch",
	  { .type = EVENT_STREAM_CLAIMED, .stream = STREAM_SESSION, .epoch = 7 },
	  PRUNE_END },
	{ "the claim of an epoch before",
	  { .type = EVENT_STREAM_CLAIMED, .stream = STREAM_SESSION, .epoch = 6 },
	  PRUNE_GOES },
	{ "a claim of a stream that does not exist",
	  { .type = EVENT_STREAM_CLAIMED, .stream = 99, .epoch = 7 },
	  PRUNE_GOES },
	{ "a snapshot matters before what is sealed",
	  { .needed_from = 1, .has_part = true },
	  PRUNE_NEEDED },
};

static struct prune_bounds
bounds_of(uint64_t needed_from)
{
	struct prune_bounds bounds = { .before_us = OLD_US, .needed_from = needed_from };

	for (size_t i = 0; i < STREAMS; i++) {
		bounds.ends[i] = (struct prune_end){ 1000000, 7 };
	}
	return bounds;
}

static enum prune_why
judge(const struct given *g)
{
	struct prune_bounds bounds = bounds_of(g->needed_from > 0 ? g->needed_from : 900000);
	const uint64_t index = g->index == UINT64_MAX ? 0 : 5;
	const uint64_t count = g->entries > 0 ? g->entries : TILE_HASHES;
	struct prune_segment segment = { .index = index,
					 .is_gone = g->is_gone,
					 .has_part = g->has_part,
					 .has_key = g->has_key };
	struct prune_plan plan;

	if (g->is_end) {
		bounds.ends[STREAM_SESSION].last_seq = index * TILE_HASHES + 17;
	}
	prune_plan_make(&plan, &bounds);
	for (uint64_t i = 0; i < count; i++) {
		const bool is_special = i == 17 && g->type != 0;
		struct event event = { .type = is_special ? g->type : EVENT_GATEWAY_ATTACHED };
		const struct entry entry = {
			.seq = index * TILE_HASHES + i,
			.recorded_us = i == count - 1 && g->last_us > 0 ? g->last_us : 5,
			.stream = event_describe(event.type)->stream,
			.type = event.type,
		};
		if (event.type == EVENT_STREAM_CLAIMED) {
			event.stream_claimed.stream = g->stream;
			event.stream_claimed.epoch = g->epoch;
		}
		prune_see(&plan, &segment, &entry, &event);
	}
	const enum prune_why why = prune_judge(&plan, &segment);
	prune_plan_free(&plan);
	return why;
}

static void
each_rule_keeps_what_it_is_for(void **state)
{
	size_t failures = 0;

	(void)state;
	for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
		const enum prune_why why = judge(&rules[i].given);
		if (why != rules[i].why) {
			print_message("NOT AS EXPECTED: %s: %s\n", rules[i].what,
				      prune_why_text(why));
			failures++;
		}
	}
	assert_int_equal(failures, 0);
}

/* --- a round -------------------------------------------------------------------------------------
 */

/* One segment of 256 entries, the 17th of which tells of a foreign log, or with a "+" before its
 * name of a witness. */
static bool
take(struct prune_plan *plan, uint64_t index, const char *origin, bool has_part)
{
	const bool is_witness = origin != NULL && origin[0] == '+';
	struct prune_segment segment = { .index = index, .has_part = has_part };

	for (uint64_t i = 0; i < TILE_HASHES; i++) {
		struct event event = { .type = origin == NULL || i != 17 ? EVENT_GATEWAY_ATTACHED
					       : is_witness              ? EVENT_CHECKPOINT_COSIGNED
							    : EVENT_FOREIGN_CHECKPOINT_COSIGNED };
		const struct entry entry = { .seq = index * TILE_HASHES + i,
					     .recorded_us = 5,
					     .stream = STREAM_SESSION,
					     .type = event.type };
		if (event.type == EVENT_FOREIGN_CHECKPOINT_COSIGNED) {
			assert_true(text_set(&event.foreign_checkpoint_cosigned.origin, origin));
		} else if (event.type == EVENT_CHECKPOINT_COSIGNED) {
			assert_true(text_set(&event.checkpoint_cosigned.witness, origin + 1));
		}
		prune_see(plan, &segment, &entry, &event);
	}
	return prune_take(plan, &segment);
}

static void
segments_side_by_side_are_one_range(void **state)
{
	static struct prune_range ranges[PRUNE_RANGES_MAX];
	const struct prune_bounds bounds = bounds_of(9 * TILE_HASHES);
	struct prune_plan plan;

	(void)state;
	prune_plan_make(&plan, &bounds);
	for (uint64_t index = 0; index < 9; index++) {
		assert_true(take(&plan, index, NULL, index == 4));
	}
	/* The tenth is needed: nobody looks further. */
	assert_false(take(&plan, 9, NULL, false));
	const size_t count = prune_ranges(&plan, ranges);
	assert_int_equal(count, 2);
	assert_int_equal(ranges[0].first, 256);
	assert_int_equal(ranges[0].end, 4 * 256);
	assert_int_equal(ranges[1].first, 5 * 256);
	assert_int_equal(ranges[1].end, 9 * 256);
	const struct prune_report report = prune_report_of(&plan, 202601, ranges, count);
	assert_int_equal(report.ranges, 2);
	assert_int_equal(report.entries, 7 * 256);
	assert_int_equal(report.stays[PRUNE_BEGINNING], 1);
	assert_int_equal(report.stays[PRUNE_SEALED], 1);
	assert_int_equal(report.stays[PRUNE_NEEDED], 1);
	prune_plan_free(&plan);
}

static void
the_newest_cosignatures_stay(void **state)
{
	static const char *const origins[] = { NULL, "a", "b", "a", "a", NULL };
	static struct prune_range ranges[PRUNE_RANGES_MAX];
	const struct prune_bounds bounds = bounds_of(900000);
	struct prune_plan plan;

	(void)state;
	prune_plan_make(&plan, &bounds);
	for (uint64_t index = 0; index < 6; index++) {
		assert_true(take(&plan, index, origins[index], false));
	}
	assert_int_equal(prune_ranges(&plan, ranges), 3);
	assert_int_equal(ranges[0].first, 256);
	assert_int_equal(ranges[0].end, 2 * 256);
	assert_int_equal(ranges[1].first, 3 * 256);
	assert_int_equal(ranges[1].end, 4 * 256);
	assert_int_equal(ranges[2].first, 5 * 256);
	assert_int_equal(plan.stays[PRUNE_COSIGNED], 2);
	prune_plan_free(&plan);
}

static void
a_witness_is_not_a_log_of_its_name(void **state)
{
	static const char *const names[] = { NULL, "+a", "a", "+a" };
	static struct prune_range ranges[PRUNE_RANGES_MAX];
	const struct prune_bounds bounds = bounds_of(900000);
	struct prune_plan plan;

	(void)state;
	prune_plan_make(&plan, &bounds);
	for (uint64_t index = 0; index < 4; index++) {
		assert_true(take(&plan, index, names[index], false));
	}
	assert_int_equal(prune_ranges(&plan, ranges), 1);
	assert_int_equal(ranges[0].first, 256);
	assert_int_equal(ranges[0].end, 512);
	prune_plan_free(&plan);
}

static void
logs_beyond_the_table_keep_every_segment_that_tells_of_them(void **state)
{
	const struct prune_bounds bounds = bounds_of(900000);
	struct prune_plan plan;
	char origin[16];

	(void)state;
	prune_plan_make(&plan, &bounds);
	for (unsigned i = 0; i <= PRUNE_COSIGNERS_MAX; i++) {
		snprintf(origin, sizeof origin, "log %u", i);
		take(&plan, 1 + i, origin, false);
	}
	assert_int_equal(plan.stays[PRUNE_LASTING], 1);
	assert_int_equal(plan.stays[PRUNE_GOES], PRUNE_COSIGNERS_MAX);
	prune_plan_free(&plan);
}

static void
a_round_says_no_more_ranges_than_it_may(void **state)
{
	static struct prune_range ranges[PRUNE_RANGES_MAX];
	const struct prune_bounds bounds = bounds_of(900000);
	struct prune_plan plan;

	(void)state;
	prune_plan_make(&plan, &bounds);
	for (uint64_t index = 1; index < 2 * PRUNE_RANGES_MAX + 20; index++) {
		take(&plan, index, NULL, index % 2 == 0);
	}
	assert_int_equal(prune_ranges(&plan, ranges), PRUNE_RANGES_MAX);
	assert_int_equal(ranges[0].first, 256);
	prune_plan_free(&plan);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_month_is_old_so_many_months_after_its_end),
		cmocka_unit_test(each_rule_keeps_what_it_is_for),
		cmocka_unit_test(segments_side_by_side_are_one_range),
		cmocka_unit_test(the_newest_cosignatures_stay),
		cmocka_unit_test(a_witness_is_not_a_log_of_its_name),
		cmocka_unit_test(logs_beyond_the_table_keep_every_segment_that_tells_of_them),
		cmocka_unit_test(a_round_says_no_more_ranges_than_it_may),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
