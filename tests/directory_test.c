/* The directory: names and handles, bounded, and the same without any name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "actors/directory.h"

static struct name
name_of(const char *word)
{
	struct name name;

	name_set(&name, word, strlen(word));
	return name;
}

static struct id
subject(uint8_t number)
{
	return (struct id){ .bytes = { number } };
}

static void
note(struct directory *directory, enum directory_kind kind, uint8_t number, const char *word)
{
	const struct id id = subject(number);
	const struct name name = name_of(word);

	directory_note(directory, kind, &id, &name);
}

/* The number of the subject that a name has; 0 if it is not known. */
static uint8_t
found(const struct directory *directory, enum directory_kind kind, const char *word)
{
	const struct name name = name_of(word);
	struct id id = { { 0 } };

	return directory_find(directory, kind, &name, &id) ? id.bytes[0] : 0;
}

static void
names_are_found_by_kind(void **unused)
{
	struct directory *directory = directory_new(4, 7);

	(void)unused;
	note(directory, DIRECTORY_AGENT, 1, "x");
	note(directory, DIRECTORY_ROOM, 2, "x");
	assert_int_equal(found(directory, DIRECTORY_AGENT, "x"), 1);
	assert_int_equal(found(directory, DIRECTORY_ROOM, "x"), 2);
	assert_int_equal(found(directory, DIRECTORY_USER, "x"), 0);
	assert_int_equal(found(directory, DIRECTORY_AGENT, ""), 0);
	const struct id one = subject(1);
	const struct name known = directory_name(directory, &one);
	assert_int_equal(known.length, 1);
	directory_free(directory);
}

static void
the_oldest_goes_first(void **unused)
{
	struct directory *directory = directory_new(2, 7);

	(void)unused;
	note(directory, DIRECTORY_AGENT, 1, "a");
	note(directory, DIRECTORY_AGENT, 2, "b");
	note(directory, DIRECTORY_AGENT, 1, "a"); /* it keeps its place */
	note(directory, DIRECTORY_AGENT, 3, "c");
	assert_int_equal(found(directory, DIRECTORY_AGENT, "a"), 0);
	assert_int_equal(found(directory, DIRECTORY_AGENT, "b"), 2);
	assert_int_equal(found(directory, DIRECTORY_AGENT, "c"), 3);
	directory_free(directory);
}

static void
an_erased_name_is_learnt_again(void **unused)
{
	struct directory *directory = directory_new(2, 7);
	const struct id one = subject(1);

	(void)unused;
	note(directory, DIRECTORY_AGENT, 1, "");
	assert_int_equal(directory_name(directory, &one).length, 0);
	note(directory, DIRECTORY_AGENT, 1, "a");
	assert_int_equal(found(directory, DIRECTORY_AGENT, "a"), 1);
	directory_free(directory);
}

/* What is forgotten leaves the same as if it had never been there, whoever comes before or after.
 */
static void
what_is_forgotten_leaves_no_gap(void **unused)
{
	(void)unused;
	for (uint8_t gone = 1; gone <= 6; gone++) {
		struct directory *directory = directory_new(4, 7);
		const struct id id = subject(gone);
		static const char *const words[] = { "", "b", "c", "d", "e", "f", "g" };
		const struct name name = name_of(words[gone]);
		struct id known[4];

		for (uint8_t i = 1; i <= 6; i++) {
			note(directory, DIRECTORY_AGENT, i, words[i]); /* 1 and 2 are pushed out */
		}
		const bool was_known = gone > 2;
		assert_int_equal(
			directory_find_all(directory, DIRECTORY_AGENT, name_equal, &name, known, 4),
			was_known);
		directory_forget(directory, &id);
		assert_false(directory_has(directory, &id));
		for (uint8_t i = 3; i <= 6; i++) {
			const struct id other = subject(i);
			assert_int_equal(directory_has(directory, &other), i != gone);
			assert_int_equal(found(directory, DIRECTORY_AGENT, words[i]),
					 i == gone ? 0 : i);
		}
		note(directory, DIRECTORY_AGENT, 9, words[gone]);
		assert_int_equal(found(directory, DIRECTORY_AGENT, words[gone]), 9);
		assert_int_equal(found(directory, DIRECTORY_AGENT, words[6]), gone == 6 ? 9 : 6);
		directory_free(directory);
	}
}

static void
names_are_found_by_whom_they_belong_to(void **unused)
{
	struct directory *directory = directory_new(4, 7);
	const struct name name = name_of("x");
	struct id known[4];

	(void)unused;
	note(directory, DIRECTORY_AGENT, 1, "x");
	note(directory, DIRECTORY_AGENT, 2, "x"); /* its first handle was pushed out once */
	note(directory, DIRECTORY_ROOM, 3, "x");
	note(directory, DIRECTORY_AGENT, 4, "");
	assert_int_equal(
		directory_find_all(directory, DIRECTORY_AGENT, name_equal, &name, known, 4), 2);
	assert_int_equal(
		directory_find_all(directory, DIRECTORY_AGENT, name_equal, &name, known, 1), 1);
	directory_free(directory);
}

static size_t
dump(const struct directory *directory, bool names, uint8_t *out, size_t size)
{
	struct mp_writer w = mp_writer_of(out, size);

	(names ? directory_write_names : directory_write)(&w, directory);
	assert_false(w.bad);
	return mp_written(&w).count;
}

static void
dumps_do_not_depend_on_names(void **unused)
{
	struct directory *known = directory_new(3, 7);
	struct directory *nameless = directory_new(3, 8);
	struct directory *restored = directory_new(3, 9);
	static uint8_t left[256], right[256], names[256];

	(void)unused;
	for (uint8_t i = 0; i < 50; i++) {
		const uint8_t number = (uint8_t)(1 + i * 7 % 5);
		const char word[2] = { (char)('a' + number), '\0' };

		note(known, DIRECTORY_AGENT, number, word);
		note(nameless, DIRECTORY_AGENT, number, "");
		const size_t bytes = dump(known, false, left, sizeof left);
		assert_int_equal(dump(nameless, false, right, sizeof right), bytes);
		assert_memory_equal(left, right, bytes);
	}
	struct mp_reader handles =
		mp_reader_of((struct span){ left, dump(known, false, left, sizeof left) });
	struct mp_reader personal =
		mp_reader_of((struct span){ names, dump(known, true, names, sizeof names) });
	assert_true(directory_read(restored, &handles, &personal));
	assert_int_equal(dump(restored, false, right, sizeof right),
			 dump(known, false, left, sizeof left));
	assert_memory_equal(left, right, dump(known, false, left, sizeof left));
	assert_int_equal(dump(restored, true, right, sizeof right),
			 dump(known, true, names, sizeof names));
	assert_memory_equal(names, right, dump(known, true, names, sizeof names));
	directory_free(known);
	directory_free(nameless);
	directory_free(restored);
}

static void
a_subject_twice_is_no_directory(void **unused)
{
	struct directory *directory = directory_new(3, 7);
	const struct id one = subject(1);
	uint8_t memory[128];
	struct mp_writer w = mp_writer_of(memory, sizeof memory);

	(void)unused;
	mp_put_array(&w, 2);
	for (int i = 0; i < 2; i++) {
		mp_put_array(&w, 2);
		mp_put_u64(&w, DIRECTORY_AGENT);
		mp_put_id(&w, &one);
	}
	struct mp_reader handles = mp_reader_of(mp_written(&w));
	assert_false(directory_read(directory, &handles, NULL));
	directory_free(directory);
}

static void
days_have_their_dates(void **unused)
{
	static const struct {
		uint64_t seconds;
		const char *date;
	} rows[] = {
		{ 0, "1970-01-01" },          { 951782400, "2000-02-29" },
		{ 951868800, "2000-03-01" },  { 1735689599, "2024-12-31" },
		{ 1735689600, "2025-01-01" }, { 4107542400, "2100-03-01" },
	};

	(void)unused;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const struct name day = directory_day(rows[i].seconds * 1000000);
		const struct name date = name_of(rows[i].date);

		print_message("  %s\n", rows[i].date);
		assert_true(name_equal(&day, &date));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_found_by_kind),
		cmocka_unit_test(the_oldest_goes_first),
		cmocka_unit_test(an_erased_name_is_learnt_again),
		cmocka_unit_test(what_is_forgotten_leaves_no_gap),
		cmocka_unit_test(names_are_found_by_whom_they_belong_to),
		cmocka_unit_test(dumps_do_not_depend_on_names),
		cmocka_unit_test(a_subject_twice_is_no_directory),
		cmocka_unit_test(days_have_their_dates),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
