/* ChannelData, lifetimes and the names of methods. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "protocol/turn.h"

static void
threat_A6_A7_channel_data_is_read_or_dropped(void **unused)
{
	static const struct {
		const char *when;
		uint8_t bytes[16];
		size_t count;
		bool then;
		uint16_t channel;
		size_t data;
	} rows[] = {
		{ "as long as it says", { 0x40, 0, 0, 4, 1, 2, 3, 4 }, 8, true, 0x4000, 4 },
		{ "empty", { 0x4F, 0xFF, 0, 0 }, 4, true, 0x4FFF, 0 },
		{ "threat_A6: padded", { 0x40, 1, 0, 1, 1, 0, 0, 0 }, 8, true, 0x4001, 1 },
		{ "threat_A6: not padded", { 0x40, 1, 0, 1, 1 }, 5, true, 0x4001, 1 },
		{ "threat_A6: longer than the datagram",
		  { 0x40, 0, 0, 5, 1, 2, 3, 4 },
		  8,
		  false,
		  0,
		  0 },
		{ "threat_A6: of 65535", { 0x40, 0, 0xFF, 0xFF }, 4, false, 0, 0 },
		{ "a header cut short", { 0x40, 0, 0 }, 3, false, 0, 0 },
		{ "nothing", { 0 }, 0, false, 0, 0 },
		{ "threat_A7: number 0x3FFF", { 0x3F, 0xFF, 0, 0 }, 4, false, 0, 0 },
		{ "number 0x5000, of RFC 5766", { 0x50, 0, 0, 0 }, 4, true, 0x5000, 0 },
		{ "number 0x7FFF, of RFC 5766", { 0x7F, 0xFF, 0, 0 }, 4, true, 0x7FFF, 0 },
		{ "threat_A7: number 0x8000", { 0x80, 0, 0, 0 }, 4, false, 0, 0 },
	};

	(void)unused;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct channel_data data = { 0 };

		print_message("  %s\n", rows[i].when);
		assert_int_equal(
			turn_channel_read((struct span){ rows[i].bytes, rows[i].count }, &data),
			rows[i].then);
		assert_int_equal(data.channel, rows[i].channel);
		assert_int_equal(data.data.count, rows[i].data);
	}
}

static void
what_is_written_is_read(void **unused)
{
	uint8_t bytes[CHANNEL_HEADER_BYTES + 300] = { 0 };
	struct channel_data data;

	(void)unused;
	turn_channel_write(bytes, 0x4ABC, 300);
	assert_true(turn_channel_read((struct span){ bytes, sizeof bytes }, &data));
	assert_int_equal(data.channel, 0x4ABC);
	assert_int_equal(data.data.count, 300);
	assert_ptr_equal(data.data.at, bytes + CHANNEL_HEADER_BYTES);
}

static void
threat_D7_lifetimes_are_clipped(void **unused)
{
	static const struct {
		const char *when;
		uint64_t asked_s, most_s, then_s;
	} rows[] = {
		{ "nothing asked", 0, 3600, 600 },
		{ "less than the default", 10, 3600, 600 },
		{ "the default", 600, 3600, 600 },
		{ "more than the default", 601, 3600, 601 },
		{ "the most", 3600, 3600, 3600 },
		{ "more than the most", 3601, 3600, 3600 },
		{ "for ever", 0xFFFFFFFF, 3600, 3600 },
		{ "nothing asked of a strict server", 0, 300, 300 },
		{ "much asked of a strict server", 3600, 300, 300 },
	};

	(void)unused;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		print_message("  %s\n", rows[i].when);
		assert_int_equal(turn_lifetime_s(rows[i].asked_s, rows[i].most_s), rows[i].then_s);
	}
}

static void
threat_A19_methods_have_names_or_are_unknown(void **unused)
{
	static const struct {
		uint64_t method;
		const char *then;
	} rows[] = {
		{ 1, "Binding" }, { 3, "Allocate" },         { 4, "Refresh" },     { 6, "Send" },
		{ 7, "Data" },    { 8, "CreatePermission" }, { 9, "ChannelBind" },
	};

	(void)unused;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		assert_string_equal(turn_method_name(rows[i].method), rows[i].then);
	}
	assert_null(turn_method_name(0));
	assert_null(turn_method_name(2));
	assert_null(turn_method_name(0xFFF));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(threat_A6_A7_channel_data_is_read_or_dropped),
		cmocka_unit_test(what_is_written_is_read),
		cmocka_unit_test(threat_D7_lifetimes_are_clipped),
		cmocka_unit_test(threat_A19_methods_have_names_or_are_unknown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
