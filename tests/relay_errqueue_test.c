/* The error queue's control parts: what is an ICMP error, what is none, and what is cut off. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <time.h>

#include <linux/errqueue.h> /* wants time.h */

#include "actors/relay_errqueue.h"

enum { CONTROL_MAX = 256 };

struct row {
	const char *given;
	int level, type;
	uint8_t origin, ee_type, ee_code;
	uint32_t info;
	bool told;
};

/* Appends a part with those bytes; how many there are then. */
static size_t
put_part(uint8_t control[CONTROL_MAX], size_t at, int level, int type, struct span value)
{
	const struct cmsghdr header = { .cmsg_len = CMSG_LEN(value.count),
					.cmsg_level = level,
					.cmsg_type = type };

	memcpy(control + at, &header, sizeof header);
	memcpy(control + at + CMSG_LEN(0), value.at, value.count);
	return at + CMSG_SPACE(value.count);
}

static size_t
put_row(uint8_t control[CONTROL_MAX], size_t at, const struct row *row)
{
	const struct sock_extended_err error = { .ee_origin = row->origin,
						 .ee_type = row->ee_type,
						 .ee_code = row->ee_code,
						 .ee_info = row->info };

	return put_part(control, at, row->level, row->type,
			(struct span){ (const uint8_t *)&error, sizeof error });
}

static const struct row refused = { "refused", IPPROTO_IP, IP_RECVERR, SO_EE_ORIGIN_ICMP,
				    3,         3,          0,          true };

static void
icmp_errors_are_told_and_nothing_else(void **unused)
{
	static const struct row rows[] = {
		{ "IPv4", IPPROTO_IP, IP_RECVERR, SO_EE_ORIGIN_ICMP, 3, 4, 1300, true },
		{ "IPv6", IPPROTO_IPV6, IPV6_RECVERR, SO_EE_ORIGIN_ICMP6, 2, 0, 1280, true },
		{ "any words", IPPROTO_IP, IP_RECVERR, SO_EE_ORIGIN_ICMP, 255, 255, 0xFFFFFFFF,
		  true },
		{ "the kernel's own", IPPROTO_IP, IP_RECVERR, SO_EE_ORIGIN_LOCAL, 3, 4, 1300,
		  false },
		{ "a timestamp", IPPROTO_IP, IP_RECVERR, SO_EE_ORIGIN_TIMESTAMPING, 0, 0, 0,
		  false },
		{ "another option", IPPROTO_IP, IP_TTL, SO_EE_ORIGIN_ICMP, 3, 3, 0, false },
		{ "another level", SOL_SOCKET, IP_RECVERR, SO_EE_ORIGIN_ICMP, 3, 3, 0, false },
	};

	(void)unused;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		uint8_t control[CONTROL_MAX] = { 0 };
		struct relay_icmp icmp = { 0 };
		const size_t count = put_row(control, 0, &rows[i]);

		if (relay_errqueue_read((struct span){ control, count }, &icmp) != rows[i].told) {
			fail_msg("%s", rows[i].given);
		}
		assert_true(!rows[i].told ||
			    (icmp.type == rows[i].ee_type && icmp.code == rows[i].ee_code &&
			     icmp.mtu == rows[i].info));
	}
}

static void
it_is_found_behind_other_parts(void **unused)
{
	uint8_t control[CONTROL_MAX] = { 0 };
	struct relay_icmp icmp = { 0 };
	const uint8_t ttl[] = { 64, 0, 0, 0, 1 };

	(void)unused;
	size_t count = put_part(control, 0, IPPROTO_IP, IP_TTL, (struct span){ ttl, sizeof ttl });
	count = put_row(control, count, &refused);
	assert_true(relay_errqueue_read((struct span){ control, count }, &icmp));
	assert_int_equal(icmp.type, 3);
}

static void
what_is_cut_off_is_nothing(void **unused)
{
	uint8_t control[CONTROL_MAX] = { 0 };
	struct relay_icmp icmp = { 0 };
	const size_t whole = put_row(control, 0, &refused);

	(void)unused;
	for (size_t count = 0; count < whole; count++) {
		assert_false(relay_errqueue_read((struct span){ control, count }, &icmp));
	}
	for (size_t length = 0; length < whole; length++) { /* what it says of itself */
		memcpy(control, &length, sizeof length);
		assert_false(relay_errqueue_read((struct span){ control, whole }, &icmp));
	}
	const size_t beyond[] = { whole + 1, SIZE_MAX, SIZE_MAX - 7 };
	for (size_t i = 0; i < sizeof beyond / sizeof beyond[0]; i++) {
		memcpy(control, &beyond[i], sizeof beyond[i]);
		assert_false(relay_errqueue_read((struct span){ control, whole }, &icmp));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(icmp_errors_are_told_and_nothing_else),
		cmocka_unit_test(it_is_found_behind_other_parts),
		cmocka_unit_test(what_is_cut_off_is_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
