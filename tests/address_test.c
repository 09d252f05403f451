/* Addresses in text, in ranges, on the wire and in sockets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "protocol/address.h"
#include "protocol/address_io.h"
#include "protocol/record.h"

static void
addresses_are_read_or_refused(void **unused)
{
	static const struct {
		const char *when;
		const char *text;
		const char *then; /* as printed; NULL: refused */
	} rows[] = {
		{ "an IPv4 address", "192.0.2.1", "192.0.2.1:0" },
		{ "with a port", "192.0.2.1:3478", "192.0.2.1:3478" },
		{ "the highest port", "192.0.2.1:65535", "192.0.2.1:65535" },
		{ "an IPv6 address", "2001:db8::1", "[2001:db8::1]:0" },
		{ "an IPv6 address in brackets", "[2001:db8::1]", "[2001:db8::1]:0" },
		{ "an IPv6 address with a port", "[2001:db8::1]:3478", "[2001:db8::1]:3478" },
		{ "a mapped address is IPv4", "::ffff:192.0.2.1", "192.0.2.1:0" },
		{ "a mapped address in hex is IPv4", "[::ffff:c000:201]:9", "192.0.2.1:9" },
		{ "nothing", "", NULL },
		{ "a host name", "localhost", NULL },
		{ "a port alone", ":3478", NULL },
		{ "port 0", "192.0.2.1:0", NULL },
		{ "port 65536", "192.0.2.1:65536", NULL },
		{ "a port with a sign", "192.0.2.1:+1", NULL },
		{ "a port with leading zero", "192.0.2.1:03478", NULL },
		{ "no port behind the colon", "192.0.2.1:", NULL },
		{ "IPv4 in brackets", "[192.0.2.1]:3478", NULL },
		{ "an open bracket", "[2001:db8::1", NULL },
		{ "words behind the bracket", "[2001:db8::1]x", NULL },
		{ "no port behind the bracket", "[2001:db8::1]:", NULL },
		{ "leading zeros, which some read as octal", "192.0.02.1", NULL },
		{ "three parts", "192.0.2", NULL },
		{ "a part of 256", "192.0.2.256", NULL },
		{ "a zone", "fe80::1%eth0", NULL },
		{ "blanks", " 192.0.2.1", NULL },
		{ "more than any address has",
		  "2001:db8:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:"
		  "0001",
		  NULL },
	};

	(void)unused;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char text[ADDRESS_PRINT_MAX];
		struct address address;
		const char *fault = address_parse(&address, rows[i].text);

		print_message("  %s\n", rows[i].when);
		assert_int_equal(fault == NULL, rows[i].then != NULL);
		if (rows[i].then != NULL) {
			address_print(text, sizeof text, &address);
			assert_string_equal(text, rows[i].then);
		}
	}
}

static void
threat_B11_ranges_are_read_or_refused(void **unused)
{
	static const struct {
		const char *when;
		const char *text;
		const char *first; /* NULL: refused */
		const char *last;
	} rows[] = {
		{ "one address", "10.1.2.3", "10.1.2.3", "10.1.2.3" },
		{ "a network", "10.0.0.0/8", "10.0.0.0", "10.255.255.255" },
		{ "not on a byte's border", "172.16.0.0/12", "172.16.0.0", "172.31.255.255" },
		{ "everything", "0.0.0.0/0", "0.0.0.0", "255.255.255.255" },
		{ "a host", "10.1.2.3/32", "10.1.2.3", "10.1.2.3" },
		{ "an IPv6 network", "fc00::/7",
		  "fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" },
		{ "an IPv6 host", "::1/128", "::1", "::1" },
		{ "two ends", "10.0.0.5-10.0.1.2", "10.0.0.5", "10.0.1.2" },
		{ "two equal ends", "10.0.0.5-10.0.0.5", "10.0.0.5", "10.0.0.5" },
		{ "two IPv6 ends", "2001:db8::1-2001:db8::ff", "2001:db8::1", "2001:db8::ff" },
		{ "a mapped network", "::ffff:10.0.0.0/104", "10.0.0.0", "10.255.255.255" },
		{ "all of IPv6 is not IPv4", "::/0",
		  "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" },
		{ "host bits", "10.0.0.1/8", NULL, NULL },
		{ "IPv6 host bits", "fc00::1/7", NULL, NULL },
		{ "inverted", "10.0.1.2-10.0.0.5", NULL, NULL },
		{ "two families", "10.0.0.1-2001:db8::1", NULL, NULL },
		{ "a prefix of 33", "10.0.0.0/33", NULL, NULL },
		{ "a prefix of 129", "::/129", NULL, NULL },
		{ "no prefix", "10.0.0.0/", NULL, NULL },
		{ "a negative prefix", "10.0.0.0/-1", NULL, NULL },
		{ "a netmask", "10.0.0.0/255.0.0.0", NULL, NULL },
		{ "a port", "10.0.0.0:80", NULL, NULL },
		{ "one end", "10.0.0.0-", NULL, NULL },
		{ "three ends", "10.0.0.0-10.0.0.1-10.0.0.2", NULL, NULL },
		{ "nothing", "", NULL, NULL },
	};

	(void)unused;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct address_range range;
		struct address first, last;
		const char *fault = address_range_parse(&range, rows[i].text);

		print_message("  %s: %s\n", rows[i].when, fault == NULL ? "taken" : fault);
		assert_int_equal(fault == NULL, rows[i].first != NULL);
		if (rows[i].first != NULL) {
			assert_null(address_parse(&first, rows[i].first));
			assert_null(address_parse(&last, rows[i].last));
			assert_true(address_equal(&range.first, &first));
			assert_true(address_equal(&range.last, &last));
		}
	}
}

/* Its last address is ::ffff:ffff:ffff, which alone would be IPv4: address_parse cannot say it. */
static void
a_network_that_ends_with_the_mapped_ones_stays_ipv6(void **unused)
{
	static const uint8_t last[16] = { [10] = 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF };
	struct address_range range;

	(void)unused;
	assert_null(address_range_parse(&range, "::/80"));
	assert_int_equal(range.first.family, ADDRESS_IPV6);
	assert_int_equal(range.last.family, ADDRESS_IPV6);
	assert_memory_equal(range.last.bytes, last, sizeof last);
}

static void
sockets_give_back_what_they_got(void **unused)
{
	static const char *const rows[] = { "192.0.2.1:3478", "[2001:db8::1]:65535" };
	struct sockaddr_storage storage;
	struct address address, back;

	(void)unused;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		assert_null(address_parse(&address, rows[i]));
		assert_true(address_to_sockaddr(&address, &storage) > 0);
		back = address_from_sockaddr(&storage);
		assert_true(address_equal(&address, &back));
	}
	address = (struct address){ 0 };
	assert_int_equal(address_to_sockaddr(&address, &storage), 0);
	storage.ss_family = AF_UNIX;
	assert_int_equal(address_from_sockaddr(&storage).family, ADDRESS_NONE);
}

static void
a_mapped_socket_address_is_ipv4(void **unused)
{
	struct sockaddr_storage storage;
	struct address address, expected;
	struct address raw = { .family = ADDRESS_IPV6,
			       .port = 5,
			       .bytes = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 192, 0, 2,
					  1 } };

	(void)unused;
	address_to_sockaddr(&raw, &storage);
	address = address_from_sockaddr(&storage);
	assert_null(address_parse(&expected, "192.0.2.1:5"));
	assert_true(address_equal(&address, &expected));
}

static void
addresses_are_compared_by_ip(void **unused)
{
	struct address a, b, c;

	(void)unused;
	assert_null(address_parse(&a, "192.0.2.1:1"));
	assert_null(address_parse(&b, "192.0.2.1:2"));
	assert_null(address_parse(&c, "192.0.3.0:1"));
	assert_true(address_equal_ip(&a, &b));
	assert_false(address_equal(&a, &b));
	assert_true(address_compare_ip(&a, &c) < 0);
	assert_true(address_compare_ip(&c, &a) > 0);
	/* Families do not mix, whatever the bytes are. */
	b.family = ADDRESS_IPV6;
	assert_false(address_equal_ip(&a, &b));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_are_read_or_refused),
		cmocka_unit_test(threat_B11_ranges_are_read_or_refused),
		cmocka_unit_test(a_network_that_ends_with_the_mapped_ones_stays_ipv6),
		cmocka_unit_test(sockets_give_back_what_they_got),
		cmocka_unit_test(a_mapped_socket_address_is_ipv4),
		cmocka_unit_test(addresses_are_compared_by_ip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
