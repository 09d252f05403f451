/* Whom to believe when STUN servers disagree on our public address. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "actors/external.h"
#include "protocol/address.h"

static const struct {
	const char *what;
	const char *answers[4];
	const char *winner; /* NULL: nobody answered */
	size_t votes;
} rows[] = {
	{ "nobody was asked", { NULL }, NULL, 0 },
	{ "nobody answered", { "", "" }, NULL, 0 },
	{ "one answered", { "", "203.0.113.1:4000" }, "203.0.113.1", 1 },
	{ "all agree, whatever the ports",
	  { "203.0.113.1:1", "203.0.113.1:2", "203.0.113.1:3" },
	  "203.0.113.1",
	  3 },
	{ "one lies first",
	  { "198.51.100.9:1", "203.0.113.1:2", "203.0.113.1:3" },
	  "203.0.113.1",
	  2 },
	{ "a tie: the first", { "203.0.113.1:1", "198.51.100.9:1" }, "203.0.113.1", 1 },
	{ "silence is no vote", { "", "", "203.0.113.1:3" }, "203.0.113.1", 1 },
};

static void
most_votes_win(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct address answers[4] = { 0 };
		struct address out;
		size_t count = 0;

		print_message("  %s\n", rows[i].what);
		while (count < 4 && rows[i].answers[count] != NULL) {
			if (rows[i].answers[count][0] != '\0') {
				assert_null(address_parse(&answers[count], rows[i].answers[count]));
			}
			count++;
		}
		assert_int_equal(external_vote(answers, count, &out), rows[i].votes);
		if (rows[i].winner == NULL) {
			assert_int_equal(out.family, ADDRESS_NONE);
		} else {
			struct address winner;
			assert_null(address_parse(&winner, rows[i].winner));
			assert_true(address_equal(&out, &winner));
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(most_votes_win) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
