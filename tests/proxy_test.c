/* The header of a proxy: what is one, what is none, and nothing of the stream behind it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "protocol/address.h"
#include "protocol/proxy.h"

#define SIGNATURE "\x0D\x0A\x0D\x0A\x00\x0D\x0A\x51\x55\x49\x54\x0A"
#define IPV4      "\xCB\x00\x71\x01\xC0\x00\x02\x01\x03\xE8\x0D\x96" /* 203.0.113.1:1000 */
#define MAPPED    "\0\0\0\0\0\0\0\0\0\0\xFF\xFF\xCB\x00\x71\x01"
#define ZERO16    "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
#define IPV6      "\x20\x01\x0D\xB8\0\0\0\0\0\0\0\0\0\0\0\x07"

struct row {
	const char *name;
	const char *bytes;
	size_t count;
	enum proxy_verdict verdict;
	const char *client;
};

#define ROW(name, bytes, verdict, client)                                                          \
	{                                                                                          \
		name, bytes, sizeof(bytes) - 1, verdict, client                                    \
	}

static const struct row rows[] = {
	ROW("TCP over IPv4", SIGNATURE "\x21\x11\x00\x0C" IPV4, PROXY_CLIENT, "203.0.113.1:1000"),
	ROW("TCP over IPv6", SIGNATURE "\x21\x21\x00\x24" IPV6 ZERO16 "\x03\xE8\x0D\x96",
	    PROXY_CLIENT, "[2001:db8::7]:1000"),
	ROW("threat_B3: IPv4 in IPv6 is IPv4",
	    SIGNATURE "\x21\x21\x00\x24" MAPPED ZERO16 "\x03\xE8\x0D\x96", PROXY_CLIENT,
	    "203.0.113.1:1000"),
	ROW("TLVs are passed over",
	    SIGNATURE "\x21\x11\x00\x16" IPV4 "\x04\x00\x02xx\xEA\x00\x02yy", PROXY_CLIENT,
	    "203.0.113.1:1000"),
	ROW("a TLV beyond the header", SIGNATURE "\x21\x11\x00\x11" IPV4 "\x04\x00\x03xx",
	    PROXY_BROKEN, NULL),
	ROW("half a TLV", SIGNATURE "\x21\x11\x00\x0E" IPV4 "\x04\x00", PROXY_BROKEN, NULL),
	ROW("the proxy itself", SIGNATURE "\x20\x00\x00\x00", PROXY_LOCAL, NULL),
	ROW("the proxy itself, with addresses", SIGNATURE "\x20\x11\x00\x0C" IPV4, PROXY_LOCAL,
	    NULL),
	ROW("nothing", "", PROXY_WAIT, NULL),
	ROW("half a header", SIGNATURE "\x21\x11\x00\x0C\xCB\x00", PROXY_WAIT, NULL),
	ROW("version 1", "PROXY TCP4 203.0.113.1 192.0.2.1 1000 3478\r\n", PROXY_BROKEN, NULL),
	ROW("a STUN message", "\x00\x01\x00\x00\x21\x12\xA4\x42", PROXY_BROKEN, NULL),
	ROW("version 1 in binary", SIGNATURE "\x11\x11\x00\x0C" IPV4, PROXY_BROKEN, NULL),
	ROW("an unknown command", SIGNATURE "\x22\x11\x00\x0C" IPV4, PROXY_BROKEN, NULL),
	ROW("UDP", SIGNATURE "\x21\x12\x00\x0C" IPV4, PROXY_BROKEN, NULL),
	ROW("a Unix socket", SIGNATURE "\x21\x31\x00\x0C" IPV4, PROXY_BROKEN, NULL),
	ROW("unspecified", SIGNATURE "\x21\x00\x00\x00", PROXY_BROKEN, NULL),
	ROW("addresses that are cut short", SIGNATURE "\x21\x11\x00\x0B" IPV4, PROXY_BROKEN, NULL),
	ROW("no port", SIGNATURE "\x21\x11\x00\x0C\xCB\x00\x71\x01\xC0\x00\x02\x01\0\0\x0D\x96",
	    PROXY_BROKEN, NULL),
	ROW("too long", SIGNATURE "\x21\x11\x08\x01", PROXY_BROKEN, NULL),
};

static void
each_header_has_its_verdict(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct proxy_header header;
		const struct span bytes = { (const uint8_t *)rows[i].bytes, rows[i].count };

		print_message("%s\n", rows[i].name);
		assert_int_equal(proxy_read(bytes, &header), rows[i].verdict);
		if (rows[i].client != NULL) {
			struct address client;
			assert_null(address_parse(&client, rows[i].client));
			assert_true(address_equal(&client, &header.client));
		}
	}
}

/* Whoever reads as many bytes as are needed gets there, and has none of the client's. */
static void
a_header_is_read_byte_by_byte_and_no_further(void **unused)
{
	static const uint8_t stream[] = SIGNATURE "\x21\x11\x00\x0C" IPV4 "\x16\x03\x01";
	const size_t count = PROXY_HEAD_BYTES + 12;
	struct proxy_header header;

	(void)unused;
	for (size_t have = 0; have < count; have++) {
		assert_int_equal(proxy_read((struct span){ stream, have }, &header), PROXY_WAIT);
		assert_in_range(header.needed, have + 1, count);
	}
	assert_int_equal(proxy_read((struct span){ stream, count }, &header), PROXY_CLIENT);
	assert_int_equal(header.needed, count);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_header_has_its_verdict),
		cmocka_unit_test(a_header_is_read_byte_by_byte_and_no_further),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
