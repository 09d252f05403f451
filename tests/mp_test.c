/* msgpack cursors: what is read, what is refused, and that the writer's bytes are the only ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "protocol/mp.h"

enum kind { U64, BIN, STR, ARRAY, ID, VALUE, FIXED3 };

static uint64_t
get(struct mp_reader *r, enum kind kind)
{
	uint8_t fixed[3];
	struct id id;

	switch (kind) {
	case U64:
		return mp_get_u64(r);
	case BIN:
		return mp_get_bin(r, 300).count;
	case STR:
		return mp_get_str(r, 300).count;
	case ARRAY:
		return mp_get_array(r, 300);
	case ID:
		id = mp_get_id(r);
		return id.bytes[15];
	case VALUE:
		return mp_get_value(r).count;
	case FIXED3:
		mp_get_fixed(r, fixed, sizeof fixed);
		return fixed[2];
	}
	return 0;
}

static void
values_are_read_or_refused(void **unused)
{
	static const struct {
		const char *when;
		enum kind kind;
		size_t count; /* of the bytes; what lies behind is zero */
		uint8_t bytes[24];
		bool then;
		uint64_t value;
	} rows[] = {
		{ "0", U64, 1, { 0 }, true, 0 },
		{ "127", U64, 1, { 0x7F }, true, 127 },
		{ "128", U64, 2, { 0xCC, 0x80 }, true, 128 },
		{ "256", U64, 3, { 0xCD, 1, 0 }, true, 256 },
		{ "65536", U64, 5, { 0xCE, 0, 1, 0, 0 }, true, 65536 },
		{ "2^32", U64, 9, { 0xCF, 0, 0, 0, 1, 0, 0, 0, 0 }, true, 0x100000000 },
		{ "127 in two bytes", U64, 2, { 0xCC, 0x7F }, false, 0 },
		{ "255 in three bytes", U64, 3, { 0xCD, 0, 0xFF }, false, 0 },
		{ "65535 in five bytes", U64, 5, { 0xCE, 0, 0, 0xFF, 0xFF }, false, 0 },
		{ "2^32 - 1 in nine bytes",
		  U64,
		  9,
		  { 0xCF, 0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF },
		  false,
		  0 },
		{ "a number cut short", U64, 2, { 0xCD, 1 }, false, 0 },
		{ "no number", U64, 0, { 0 }, false, 0 },
		{ "a negative number", U64, 1, { 0xFF }, false, 0 },
		{ "a signed number", U64, 2, { 0xD0, 5 }, false, 0 },
		{ "a float", U64, 5, { 0xCA, 0, 0, 0, 0 }, false, 0 },
		{ "a boolean", VALUE, 1, { 0xC3 }, false, 0 },
		{ "a map", VALUE, 1, { 0x80 }, false, 0 },
		{ "an extension", VALUE, 3, { 0xD4, 1, 1 }, false, 0 },
		{ "never used", VALUE, 1, { 0xC1 }, false, 0 },
		{ "an empty bin", BIN, 2, { 0xC4, 0 }, true, 0 },
		{ "a bin of 3", BIN, 5, { 0xC4, 3, 1, 2, 3 }, true, 3 },
		{ "a bin of 3 cut short", BIN, 4, { 0xC4, 3, 1, 2 }, false, 0 },
		{ "a bin of 3 in a longer form", BIN, 6, { 0xC5, 0, 3, 1, 2, 3 }, false, 0 },
		{ "a bin of 4 GiB", BIN, 5, { 0xC6, 0xFF, 0xFF, 0xFF, 0xFF }, false, 0 },
		{ "a bin where a str belongs", STR, 3, { 0xC4, 1, 'a' }, false, 0 },
		{ "a str where a bin belongs", BIN, 2, { 0xA1, 'a' }, false, 0 },
		{ "a str of 2", STR, 3, { 0xA2, 'a', 'b' }, true, 2 },
		{ "a str of 2 in a longer form", STR, 4, { 0xD9, 2, 'a', 'b' }, false, 0 },
		{ "a str of 4 GiB", STR, 5, { 0xDB, 0xFF, 0xFF, 0xFF, 0xFF }, false, 0 },
		{ "an array of 2", ARRAY, 3, { 0x92, 1, 2 }, true, 2 },
		{ "an array that announces more than there is",
		  ARRAY,
		  3,
		  { 0x93, 1, 2 },
		  false,
		  0 },
		{ "an array of 2 in a longer form", ARRAY, 5, { 0xDC, 0, 2, 1, 2 }, false, 0 },
		{ "an array of 4 G", ARRAY, 5, { 0xDD, 0xFF, 0xFF, 0xFF, 0xFF }, false, 0 },
		{ "nil is no id", ID, 1, { 0xC0 }, true, 0 },
		{ "an id", ID, 18, { 0xC4, 16, 1, [17] = 9 }, true, 9 },
		{ "none must be nil", ID, 18, { 0xC4, 16 }, false, 0 },
		{ "an id of 15", ID, 17, { 0xC4, 15, 1 }, false, 0 },
		{ "three fixed bytes", FIXED3, 5, { 0xC4, 3, 1, 2, 3 }, true, 3 },
		{ "two instead of three", FIXED3, 4, { 0xC4, 2, 1, 2 }, false, 0 },
		{ "eight arrays deep",
		  VALUE,
		  9,
		  { 0x91, 0x91, 0x91, 0x91, 0x91, 0x91, 0x91, 0x91, 1 },
		  true,
		  9 },
		{ "nine arrays deep",
		  VALUE,
		  10,
		  { 0x91, 0x91, 0x91, 0x91, 0x91, 0x91, 0x91, 0x91, 0x91, 1 },
		  false,
		  0 },
		{ "no value", VALUE, 0, { 0 }, false, 0 },
	};

	(void)unused;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct mp_reader r = mp_reader_of((struct span){ rows[i].bytes, rows[i].count });

		print_message("  %s\n", rows[i].when);
		const uint64_t value = get(&r, rows[i].kind);
		assert_int_equal(r.bad, !rows[i].then);
		assert_int_equal(value, rows[i].value);
		assert_true(r.bad || rows[i].kind == ARRAY || mp_reader_is_done(&r));
	}
}

static void
a_length_beyond_the_bound_is_refused(void **unused)
{
	static const uint8_t bin[] = { 0xC4, 3, 1, 2, 3 };
	static const uint8_t array[] = { 0x93, 1, 2, 3 };
	struct mp_reader r = mp_reader_of((struct span){ bin, sizeof bin });

	(void)unused;
	assert_int_equal(mp_get_bin(&r, 2).count, 0);
	assert_true(r.bad);
	r = mp_reader_of((struct span){ array, sizeof array });
	assert_int_equal(mp_get_array(&r, 2), 0);
	assert_true(r.bad);
}

static void
a_reader_stays_bad(void **unused)
{
	static const uint8_t bytes[] = { 0xC3, 5, 0xC0 };
	struct mp_reader r = mp_reader_of((struct span){ bytes, sizeof bytes });

	(void)unused;
	assert_int_equal(mp_get_u64(&r), 0);
	assert_int_equal(mp_get_u64(&r), 0);
	assert_false(mp_take_nil(&r));
	assert_int_equal(mp_get_str(&r, 9).count, 0);
	assert_int_equal(mp_get_value(&r).count, 0);
	assert_false(mp_reader_is_done(&r));
}

static void
nothing_at_all_is_read_to_its_end(void **unused)
{
	struct mp_reader r = mp_reader_of((struct span){ 0 });

	(void)unused;
	assert_true(mp_reader_is_done(&r));
	assert_false(mp_take_nil(&r));
	mp_get_u64(&r);
	assert_true(r.bad);
}

static void
numbers_go_both_ways_in_their_shortest_form(void **unused)
{
	static const struct {
		uint64_t value;
		size_t count;
	} rows[] = {
		{ 0, 1 },          { 127, 1 },        { 128, 2 },
		{ 255, 2 },        { 256, 3 },        { 65535, 3 },
		{ 65536, 5 },      { UINT32_MAX, 5 }, { (uint64_t)UINT32_MAX + 1, 9 },
		{ UINT64_MAX, 9 },
	};

	(void)unused;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		uint8_t memory[16];
		struct mp_writer w = mp_writer_of(memory, sizeof memory);

		mp_put_u64(&w, rows[i].value);
		assert_int_equal(mp_written(&w).count, rows[i].count);
		struct mp_reader r = mp_reader_of(mp_written(&w));
		assert_int_equal(mp_get_u64(&r), rows[i].value);
		assert_true(mp_reader_is_done(&r));
	}
}

static void
bytes_go_both_ways_in_their_shortest_form(void **unused)
{
	static const struct {
		size_t count, bin, str, array; /* bytes of header */
	} rows[] = {
		{ 0, 2, 1, 1 },   { 15, 2, 1, 1 },    { 16, 2, 1, 3 },
		{ 31, 2, 1, 3 },  { 32, 2, 2, 3 },    { 255, 2, 2, 3 },
		{ 256, 3, 3, 3 }, { 65535, 3, 3, 3 }, { 65536, 5, 5, 5 },
	};
	static uint8_t memory[70000], content[70000];

	(void)unused;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const size_t count = rows[i].count;
		struct mp_writer w = mp_writer_of(memory, sizeof memory);

		mp_put_bin(&w, content, count);
		assert_int_equal(mp_written(&w).count, rows[i].bin + count);
		struct mp_reader r = mp_reader_of(mp_written(&w));
		assert_int_equal(mp_get_bin(&r, count).count, count);
		assert_true(mp_reader_is_done(&r));
		w = mp_writer_of(memory, sizeof memory);
		mp_put_str(&w, (const char *)content, count);
		assert_int_equal(mp_written(&w).count, rows[i].str + count);
		r = mp_reader_of(mp_written(&w));
		assert_int_equal(mp_get_str(&r, count).count, count);
		assert_true(mp_reader_is_done(&r));
		w = mp_writer_of(memory, sizeof memory);
		mp_put_array(&w, count);
		mp_put_raw(&w, (struct span){ content, count });
		assert_int_equal(mp_written(&w).count, rows[i].array + count);
		r = mp_reader_of(mp_written(&w));
		assert_int_equal(mp_get_value(&r).count, rows[i].array + count);
	}
}

static void
a_writer_without_room_stays_bad(void **unused)
{
	uint8_t memory[4] = { 0 };
	struct mp_writer w = mp_writer_of(memory, 3);
	const struct id none = { { 0 } };

	(void)unused;
	mp_put_bin(&w, "abc", 3);
	assert_true(w.bad);
	const size_t written = mp_written(&w).count;
	mp_put_nil(&w);
	mp_put_id(&w, &none);
	assert_int_equal(mp_written(&w).count, written);
	assert_int_equal(memory[3], 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_are_read_or_refused),
		cmocka_unit_test(a_length_beyond_the_bound_is_refused),
		cmocka_unit_test(a_reader_stays_bad),
		cmocka_unit_test(nothing_at_all_is_read_to_its_end),
		cmocka_unit_test(numbers_go_both_ways_in_their_shortest_form),
		cmocka_unit_test(bytes_go_both_ways_in_their_shortest_form),
		cmocka_unit_test(a_writer_without_room_stays_bad),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
