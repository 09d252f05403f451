/* The set of keys that a retention keeps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "store/kept.h"

static struct kept_key
key(uint8_t subject, uint64_t month)
{
	return (struct kept_key){ { { subject } }, month };
}

static void
add(struct kept_set *set, uint8_t subject, uint64_t month, uint8_t hold)
{
	const struct kept_key its = key(subject, month);
	const struct id by = { { hold } };

	kept_add(set, &its, &by);
}

static bool
has(const struct kept_set *set, uint8_t subject, uint64_t month)
{
	const struct kept_key its = key(subject, month);

	return kept_has(set, &its);
}

static void
given_keys_in_any_order_then_they_are_sorted_and_found(void **unused)
{
	struct kept_set set = { 0 };

	(void)unused;
	assert_false(has(&set, 1, 202601));
	for (unsigned i = 0; i < 256; i++) { /* 7 is odd: each subject once, in another order */
		add(&set, (uint8_t)(i * 7), 202602, 1);
		add(&set, (uint8_t)(i * 7), 202601, 1);
	}
	assert_int_equal(set.count, 512);
	for (size_t i = 0; i < set.count; i++) {
		assert_int_equal(set.items[i].key.subject.bytes[0], i / 2);
		assert_int_equal(set.items[i].key.month, 202601 + i % 2);
		assert_true(kept_has(&set, &set.items[i].key));
	}
	assert_false(has(&set, 1, 202603));
	kept_free(&set);
	assert_false(has(&set, 1, 202601));
}

static void
given_two_holds_of_one_key_then_the_first_is_said(void **unused)
{
	struct kept_set set = { 0 };

	(void)unused;
	add(&set, 5, 202601, 1);
	add(&set, 5, 202601, 2);
	assert_int_equal(set.count, 1);
	assert_int_equal(set.items[0].hold.bytes[0], 1);
	kept_free(&set);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(given_keys_in_any_order_then_they_are_sorted_and_found),
		cmocka_unit_test(given_two_holds_of_one_key_then_the_first_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
