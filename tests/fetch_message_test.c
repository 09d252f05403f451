/* What relays say to one another about reserved ports: it comes as it was said, and nothing else is
 * taken for it. */
#include "actors/fetch_message.h"

#include "tests/relay_world.h"

static struct span
written(const struct fetch_message *message, uint8_t bytes[FETCH_BYTES_MAX])
{
	struct mp_writer w = mp_writer_of(bytes, FETCH_BYTES_MAX);

	fetch_write(&w, message);
	assert_false(w.bad);
	return mp_written(&w);
}

static void
every_message_is_read_as_it_was_written(void **unused)
{
	struct fetch_message rows[] = {
		{ .kind = FETCH_ASKED, .from = 1, .token = { 1, 2, 3 } },
		{ .kind = FETCH_ASKED, .from = RELAYS_MAX, .token = { 4 } }, /* of nobody: open */
		{ .kind = FETCH_GIVEN, .from = 2, .token = { 5 } },
		{ .kind = FETCH_GIVEN, .from = 2, .token = { 6 } },
		{ .kind = FETCH_NONE, .from = 3, .token = { 255 } },
	};
	char longest[NAME_BYTES_MAX];

	(void)unused;
	memset(longest, 'x', sizeof longest);
	name_set(&rows[0].user, longest, sizeof longest);
	rows[2].relayed = address_of("192.0.2.1:50001");
	rows[3].relayed = address_of("[2001:db8::1]:50001");
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		uint8_t bytes[FETCH_BYTES_MAX];
		struct fetch_message read;

		assert_true(fetch_read(written(&rows[i], bytes), &read));
		assert_int_equal(read.kind, rows[i].kind);
		assert_int_equal(read.from, rows[i].from);
		assert_memory_equal(read.token, rows[i].token, sizeof read.token);
		assert_true(name_equal(&read.user, &rows[i].user));
		assert_true(address_equal(&read.relayed, &rows[i].relayed));
	}
}

static void
what_is_cut_or_longer_is_refused(void **unused)
{
	struct fetch_message message = { .kind = FETCH_ASKED, .from = 1 };
	uint8_t bytes[FETCH_BYTES_MAX];
	struct fetch_message read;

	(void)unused;
	name_set(&message.user, "bob", 3);
	const struct span whole = written(&message, bytes);
	for (size_t count = 0; count < whole.count; count++) {
		assert_false(fetch_read((struct span){ bytes, count }, &read));
	}
	assert_false(fetch_read((struct span){ bytes, whole.count + 1 }, &read));
}

static void
an_unknown_kind_or_relay_is_refused(void **unused)
{
	static const struct {
		unsigned kind;
		uint64_t from;
		bool is_read;
	} rows[] = {
		{ FETCH_NONE, 1, true },
		{ 0, 1, false },
		{ FETCH_NONE + 1, 1, false },
		{ FETCH_NONE, 0, false },
		{ FETCH_NONE, RELAYS_MAX + 1, false },
	};

	(void)unused;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		uint8_t bytes[FETCH_BYTES_MAX];
		struct mp_writer w = mp_writer_of(bytes, sizeof bytes);
		const uint8_t token[RESERVATION_TOKEN_BYTES] = { 1 };
		struct fetch_message read;

		mp_put_array(&w, 3);
		mp_put_u64(&w, rows[i].kind);
		mp_put_u64(&w, rows[i].from);
		mp_put_bin(&w, token, sizeof token);
		assert_int_equal(fetch_read(mp_written(&w), &read), rows[i].is_read);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_message_is_read_as_it_was_written),
		cmocka_unit_test(what_is_cut_or_longer_is_refused),
		cmocka_unit_test(an_unknown_kind_or_relay_is_refused),
	};

	return cmocka_run_group_tests_name("fetch_message", tests, NULL, NULL);
}
