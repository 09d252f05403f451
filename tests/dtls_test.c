/* What a stranger may say over DTLS. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "protocol/dtls.h"

enum { HEADERS_BYTES = 25 };
static const uint8_t hello[HEADERS_BYTES + 1] = {
	22, 0xFE, 0xFF, 0, 0, 0, 0, 0, 0, 0, 0, 0, 13, 1
};

static void
threat_D4_only_a_client_hello_is_heard(void **unused)
{
	static const struct {
		const char *given;
		size_t at;
		uint8_t byte;
		size_t count;
		bool heard;
	} rows[] = {
		{ "a ClientHello", 0, 22, HEADERS_BYTES + 1, true },
		{ "of DTLS 1.2", 2, 0xFD, HEADERS_BYTES + 1, true },
		{ "nothing behind its headers", 0, 22, HEADERS_BYTES, false },
		{ "a piece of the header", 0, 22, 13, false },
		{ "nothing", 0, 22, 0, false },
		{ "a change of ciphers", 0, 0x14, HEADERS_BYTES + 1, false },
		{ "an alert", 0, 0x15, HEADERS_BYTES + 1, false },
		{ "application data", 0, 0x17, HEADERS_BYTES + 1, false },
		{ "STUN", 0, 0, HEADERS_BYTES + 1, false },
		{ "TLS", 1, 3, HEADERS_BYTES + 1, false },
		{ "an encrypted one", 4, 1, HEADERS_BYTES + 1, false },
		{ "a ClientKeyExchange", 13, 16, HEADERS_BYTES + 1, false },
	};

	(void)unused;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		uint8_t datagram[sizeof hello];

		memcpy(datagram, hello, sizeof hello);
		datagram[rows[i].at] = rows[i].byte;
		if (dtls_is_client_hello((struct span){ datagram, rows[i].count }) !=
		    rows[i].heard) {
			fail_msg("%s", rows[i].given);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(threat_D4_only_a_client_hello_is_heard),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
