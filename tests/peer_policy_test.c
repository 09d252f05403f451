/* Who may be a peer: the rows of THREATS B that need no socket. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "protocol/peer_policy.h"

static struct address
address_of(const char *text)
{
	struct address address;

	assert_null(address_parse(&address, text));
	return address;
}

static enum peer_decision
decide(const struct peer_policy *policy, const char *peer)
{
	const struct address address = address_of(peer);

	return peer_policy_decide(policy, &address).decision;
}

static void
threat_B1_to_B7_special_ranges_are_denied(void **unused)
{
	static const struct {
		const char *when;
		const char *peer;
		bool then;
	} rows[] = {
		{ "a public address", "8.8.8.8", true },
		{ "a public IPv6 address", "2606:4700::1111", true },
		{ "threat_B1: loopback", "127.0.0.1", false },
		{ "threat_B1: the end of loopback", "127.255.255.254", false },
		{ "threat_B1: unspecified", "0.0.0.0", false },
		{ "threat_B1: this network", "0.1.2.3", false },
		{ "threat_B2: IPv6 loopback", "::1", false },
		{ "threat_B2: IPv6 unspecified", "::", false },
		{ "threat_B3: mapped loopback", "::ffff:127.0.0.1", false },
		{ "threat_B3: mapped loopback 2", "::ffff:127.0.0.2", false },
		{ "threat_B3: mapped unspecified", "::ffff:0.0.0.0", false },
		{ "threat_B3: mapped private", "::ffff:10.0.0.1", false },
		{ "threat_B3: mapped metadata", "::ffff:169.254.169.254", false },
		{ "threat_B4: compatible loopback", "::127.0.0.1", false },
		{ "threat_B4: compatible public", "::8.8.8.8", false },
		{ "threat_B4: translated loopback", "::ffff:0:127.0.0.1", false },
		{ "threat_B4: 6to4 of loopback", "2002:7f00:1::", false },
		{ "threat_B4: 6to4 of a public address", "2002:808:808::1", true },
		{ "threat_B4: NAT64 of loopback", "64:ff9b::7f00:1", false },
		{ "threat_B4: NAT64 of private", "64:ff9b::10.1.2.3", false },
		{ "threat_B4: NAT64 of a public address", "64:ff9b::8.8.8.8", true },
		{ "threat_B4: local NAT64", "64:ff9b:1::8.8.8.8", false },
		{ "threat_B4: Teredo, client 127.0.0.1", "2001:0:808:808::80ff:fffe", false },
		{ "threat_B4: Teredo of public addresses", "2001:0:808:808::f7f7:f7f7", false },
		{ "threat_B5: private 10/8", "10.0.0.1", false },
		{ "threat_B5: private 172.16/12", "172.16.0.1", false },
		{ "threat_B5: private 192.168/16", "192.168.1.1", false },
		{ "threat_B5: carrier-grade NAT", "100.64.0.1", false },
		{ "threat_B5: link-local", "169.254.1.1", false },
		{ "threat_B5: protocol assignments", "192.0.0.8", false },
		{ "threat_B5: benchmarks", "198.19.255.255", false },
		{ "threat_B5: TEST-NET-1", "192.0.2.1", false },
		{ "threat_B5: TEST-NET-2", "198.51.100.1", false },
		{ "threat_B5: TEST-NET-3", "203.0.113.1", false },
		{ "threat_B5: reserved", "240.0.0.1", false },
		{ "threat_B5: broadcast", "255.255.255.255", false },
		{ "threat_B6: IPv6 link-local", "fe80::1", false },
		{ "threat_B6: unique local", "fd12::1", false },
		{ "threat_B6: site-local", "fec0::1", false },
		{ "threat_B6: IPv6 multicast", "ff02::1", false },
		{ "threat_B6: multicast", "224.0.0.1", false },
		{ "threat_B6: discard", "100::1", false },
		{ "threat_B7: metadata", "169.254.169.254", false },
		{ "threat_B7: IPv6 metadata", "fd00:ec2::254", false },
		{ "threat_B7: metadata elsewhere", "100.100.100.200", false },
	};
	struct peer_policy policy;

	(void)unused;
	peer_policy_init(&policy, 49152, 65535);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		print_message("  %s\n", rows[i].when);
		assert_int_equal(peer_is_allowed(decide(&policy, rows[i].peer)), rows[i].then);
	}
}

static void
threat_B10_borders_are_exact(void **unused)
{
	static const struct {
		const char *before, *first, *last,
			*after; /* NULL: there is none, or it is denied too */
	} rows[] = {
		{ NULL, "0.0.0.0", "0.255.255.255", "1.0.0.0" },
		{ "9.255.255.255", "10.0.0.0", "10.255.255.255", "11.0.0.0" },
		{ "100.63.255.255", "100.64.0.0", "100.127.255.255", "100.128.0.0" },
		{ "126.255.255.255", "127.0.0.0", "127.255.255.255", "128.0.0.0" },
		{ "169.253.255.255", "169.254.0.0", "169.254.255.255", "169.255.0.0" },
		{ "172.15.255.255", "172.16.0.0", "172.31.255.255", "172.32.0.0" },
		{ "191.255.255.255", "192.0.0.0", "192.0.0.255", "192.0.1.0" },
		{ "192.0.1.255", "192.0.2.0", "192.0.2.255", "192.0.3.0" },
		{ "192.88.98.255", "192.88.99.0", "192.88.99.255", "192.88.100.0" },
		{ "192.167.255.255", "192.168.0.0", "192.168.255.255", "192.169.0.0" },
		{ "198.17.255.255", "198.18.0.0", "198.19.255.255", "198.20.0.0" },
		{ "198.51.99.255", "198.51.100.0", "198.51.100.255", "198.51.101.0" },
		{ "203.0.112.255", "203.0.113.0", "203.0.113.255", "203.0.114.0" },
		{ "223.255.255.255", "224.0.0.0", "255.255.255.255", NULL },
		{ "168.63.129.15", "168.63.129.16", "168.63.129.16", "168.63.129.17" },
		{ NULL, "::", "::ffff:ffff", "0:0:0:0:0:1::" },
		{ "ff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "100::", "100::1:ffff:ffff:ffff:ffff",
		  "100:0:0:2::" },
		{ "64:ff9b:0:ffff:ffff:ffff:ffff:ffff",
		  "64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff", "64:ff9b:2::" },
		{ "2000:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
		  "2001::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff", "2001:200::" },
		{ "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff",
		  "2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", "2001:db9::" },
		{ "3ffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
		  "3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff", "3fff:1000::" },
		{ "5eff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
		  "5f00::", "5f00:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "5f01::" },
		{ "fbff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
		  "fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "fe00::" },
		{ "fe7f:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
		  "fe80::", "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NULL },
		{ NULL, "ff00::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NULL },
	};
	struct peer_policy policy;

	(void)unused;
	peer_policy_init(&policy, 49152, 65535);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		print_message("  %s to %s\n", rows[i].first, rows[i].last);
		assert_false(peer_is_allowed(decide(&policy, rows[i].first)));
		assert_false(peer_is_allowed(decide(&policy, rows[i].last)));
		assert_true(rows[i].before == NULL ||
			    peer_is_allowed(decide(&policy, rows[i].before)));
		assert_true(rows[i].after == NULL ||
			    peer_is_allowed(decide(&policy, rows[i].after)));
	}
}

/* A server at 198.51.100.7 (and inside, 10.9.9.9) with rules of all kinds. */
static void
make_policy(struct peer_policy *policy)
{
	static const char *const listeners[] = { "198.51.100.7:3478", "127.0.0.1:8443",
						 "0.0.0.0:9000" };

	peer_policy_init(policy, 50000, 50999);
	assert_null(peer_policy_add_deny(policy, "8.8.0.0/16"));
	assert_null(peer_policy_add_allow(policy, "8.8.4.4-8.8.4.6"));
	assert_null(peer_policy_add_allow(policy, "10.1.0.0/16"));
	assert_null(peer_policy_add_allow(policy, "127.0.0.0/8"));
	assert_null(peer_policy_add_allow(policy, "169.254.0.0/16"));
	assert_null(peer_policy_add_allow(policy, "fc00::/7"));
	assert_null(peer_policy_add_allow(policy, "::/0"));
	assert_null(peer_policy_add_allow(policy, "100.100.100.200"));
	assert_null(peer_policy_add_allow(policy, "239.1.2.0/24"));
	for (size_t i = 0; i < sizeof listeners / sizeof listeners[0]; i++) {
		const struct address listener = address_of(listeners[i]);
		assert_true(peer_policy_add_listener(policy, &listener));
	}
	const struct address outside = address_of("198.51.100.7");
	const struct address inside = address_of("10.9.9.9");
	assert_true(peer_policy_add_relayed(policy, &outside));
	assert_true(peer_policy_add_relayed(policy, &inside));
}

static void
threat_B7_to_B10_rules_and_our_own(void **unused)
{
	static const struct {
		const char *when;
		const char *peer;
		enum peer_decision then;
		const char *rule;
	} rows[] = {
		{ "a denied range", "8.8.0.0:1", PEER_DENIED_BY_RULE, "8.8.0.0/16" },
		{ "the end of a denied range", "8.8.255.255:1", PEER_DENIED_BY_RULE, "8.8.0.0/16" },
		{ "behind a denied range", "8.9.0.0:1", PEER_ALLOWED, "" },
		{ "before an allowed part of it", "8.8.4.3:1", PEER_DENIED_BY_RULE, "8.8.0.0/16" },
		{ "an allowed part of it", "8.8.4.4:1", PEER_ALLOWED_BY_RULE, "8.8.4.4-8.8.4.6" },
		{ "the end of the allowed part", "8.8.4.6:1", PEER_ALLOWED_BY_RULE,
		  "8.8.4.4-8.8.4.6" },
		{ "behind the allowed part", "8.8.4.7:1", PEER_DENIED_BY_RULE, "8.8.0.0/16" },
		{ "an opened private range", "10.1.2.3:1", PEER_ALLOWED_BY_RULE, "10.1.0.0/16" },
		{ "the private range beside it", "10.2.0.0:1", PEER_DENIED_SPECIAL, "10.0.0.0/8" },
		{ "opened IPv6 loopback", "[::1]:1", PEER_ALLOWED_BY_RULE, "::/0" },
		{ "a mapped address of the opened range", "[::ffff:10.1.2.3]:1",
		  PEER_ALLOWED_BY_RULE, "10.1.0.0/16" },
		{ "threat_B4: all IPv6 opened, but 6to4 of private", "[2002:a02:1::]:1",
		  PEER_DENIED_SPECIAL, "10.0.0.0/8" },
		{ "threat_B4: 6to4 of an opened private range", "[2002:a01:1::]:1",
		  PEER_ALLOWED_BY_RULE, "::/0" },
		{ "threat_B4: Teredo, whose server is private", "[2001:0:a02:1::f7f7:f7f7]:1",
		  PEER_DENIED_SPECIAL, "10.0.0.0/8" },
		{ "threat_B4: Teredo, whose client is private", "[2001:0:909:909::f5fd:fffe]:1",
		  PEER_DENIED_SPECIAL, "10.0.0.0/8" },
		{ "threat_B4: local NAT64 of private", "[64:ff9b:1::10.2.0.1]:1",
		  PEER_DENIED_SPECIAL, "10.0.0.0/8" },
		{ "threat_B4: translated private", "[::ffff:0:10.2.0.1]:1", PEER_DENIED_SPECIAL,
		  "10.0.0.0/8" },
		{ "link-local opened", "169.254.169.253:80", PEER_ALLOWED_BY_RULE,
		  "169.254.0.0/16" },
		{ "threat_B7: metadata in an opened range", "169.254.169.254:80",
		  PEER_DENIED_RESERVED, "169.254.169.254" },
		{ "threat_B7: IPv6 metadata in an opened range", "[fd00:ec2::254]:80",
		  PEER_DENIED_RESERVED, "fd00:ec2::254" },
		{ "threat_B7: metadata in IPv6 clothes", "[64:ff9b::169.254.169.254]:80",
		  PEER_DENIED_RESERVED, "169.254.169.254" },
		{ "threat_B7: opened by its own name", "100.100.100.200:80", PEER_ALLOWED_BY_RULE,
		  "100.100.100.200" },
		{ "multicast opened by its own range", "239.1.2.3:5", PEER_ALLOWED_BY_RULE,
		  "239.1.2.0/24" },
		{ "multicast beside it", "239.1.3.0:5", PEER_DENIED_RESERVED, "224.0.0.0/4" },
		{ "IPv6 multicast, all IPv6 opened", "[ff02::1]:5", PEER_DENIED_RESERVED,
		  "ff00::/8" },
		{ "threat_B8: our listener", "198.51.100.7:3478", PEER_DENIED_LISTENER, "" },
		{ "threat_B8: our listener in an opened range", "127.0.0.1:8443",
		  PEER_DENIED_LISTENER, "" },
		{ "threat_B8: another loopback port", "127.0.0.1:8444", PEER_ALLOWED_BY_RULE,
		  "127.0.0.0/8" },
		{ "threat_B8: a listener on all addresses", "198.51.100.7:9000",
		  PEER_DENIED_LISTENER, "" },
		{ "threat_B8: the same inside", "10.9.9.9:9000", PEER_DENIED_LISTENER, "" },
		{ "threat_B8: our listener in 6to4 clothes", "[2002:c633:6407::]:3478",
		  PEER_DENIED_LISTENER, "" },
		{ "threat_B8: another port of ours", "198.51.100.7:22", PEER_DENIED_OWN, "" },
		{ "threat_B8: another port inside", "10.9.9.9:22", PEER_DENIED_OWN, "" },
		{ "threat_B9: before our relayed ports", "198.51.100.7:49999", PEER_DENIED_OWN,
		  "" },
		{ "threat_B9: a relayed port", "198.51.100.7:50000", PEER_ALLOWED_RELAYED, "" },
		{ "threat_B9: the last relayed port", "10.9.9.9:50999", PEER_ALLOWED_RELAYED, "" },
		{ "threat_B9: behind our relayed ports", "10.9.9.9:51000", PEER_DENIED_OWN, "" },
		{ "threat_B9: a permission for our IP, without a port", "198.51.100.7",
		  PEER_ALLOWED_RELAYED, "" },
		{ "a neighbour of ours", "198.51.100.8:50000", PEER_DENIED_SPECIAL,
		  "198.51.100.0/24" },
	};
	struct peer_policy policy;

	(void)unused;
	make_policy(&policy);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const struct address peer = address_of(rows[i].peer);
		const struct peer_answer answer = peer_policy_decide(&policy, &peer);

		print_message("  %s\n", rows[i].when);
		assert_int_equal(answer.decision, rows[i].then);
		assert_string_equal(answer.rule, rows[i].rule);
	}
}

static void
threat_B3_a_mapped_address_that_nobody_canonicalised(void **unused)
{
	struct peer_policy policy;
	const struct address mapped = { .family = ADDRESS_IPV6,
					.bytes = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 127, 0,
						   0, 1 } };
	const struct address none = { 0 };

	(void)unused;
	peer_policy_init(&policy, 1, 2);
	assert_string_equal(peer_policy_decide(&policy, &mapped).rule, "127.0.0.0/8");
	assert_int_equal(peer_policy_decide(&policy, &none).decision, PEER_DENIED_NO_ADDRESS);
}

static void
threat_B11_bad_rules_are_refused(void **unused)
{
	static const char *const rows[] = { "10.0.0.1/8", "10.0.0.2-10.0.0.1", "nonsense",
					    "10.0.0.0/33", "" };
	struct peer_policy policy;

	(void)unused;
	peer_policy_init(&policy, 1, 2);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		assert_non_null(peer_policy_add_allow(&policy, rows[i]));
		assert_non_null(peer_policy_add_deny(&policy, rows[i]));
	}
	assert_int_equal(policy.rule_count, 0);
	for (size_t i = 0; i < PEER_RULES_MAX; i++) {
		assert_null(peer_policy_add_allow(&policy, "10.0.0.0/8"));
	}
	assert_non_null(peer_policy_add_allow(&policy, "10.0.0.0/8"));
}

static void
too_many_of_our_own_are_refused(void **unused)
{
	struct peer_policy policy;
	const struct address own = address_of("192.0.2.1:3478");

	(void)unused;
	peer_policy_init(&policy, 1, 2);
	for (size_t i = 0; i < PEER_OWN_MAX; i++) {
		assert_true(peer_policy_add_listener(&policy, &own));
		assert_true(peer_policy_add_relayed(&policy, &own));
	}
	assert_false(peer_policy_add_listener(&policy, &own));
	assert_false(peer_policy_add_relayed(&policy, &own));
}

static void
the_answer_says_what_to_do(void **unused)
{
	static const struct {
		const char *peer;
		const char *then;
	} rows[] = {
		{ "10.2.0.1:1", "denied by 10.0.0.0/8 (private network); allow it with "
				"allowed-peer-ip = 10.0.0.0/8" },
		{ "8.8.8.8:1", "denied by denied-peer-ip = 8.8.0.0/16; allow it with "
			       "allowed-peer-ip = 8.8.0.0/16" },
		{ "169.254.169.254:80", "denied by 169.254.169.254 (cloud metadata); only an "
					"allowed-peer-ip within it allows it" },
		{ "198.51.100.7:3478", "denied: a port this server itself listens on" },
		{ "198.51.100.7:22", "denied: this server's address, but not one of its relayed "
				     "ports; name the address "
				     "in allowed-peer-ip to allow it" },
		{ "198.51.100.7:50000", "allowed: a relayed address of this server" },
		{ "10.1.0.1:1", "allowed by allowed-peer-ip = 10.1.0.0/16" },
		{ "1.1.1.1:1", "allowed" },
	};
	struct peer_policy policy;
	char text[256];

	(void)unused;
	make_policy(&policy);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const struct address peer = address_of(rows[i].peer);

		peer_answer_print(text, sizeof text, peer_policy_decide(&policy, &peer));
		assert_string_equal(text, rows[i].then);
	}
	const struct address none = { 0 };
	peer_answer_print(text, sizeof text, peer_policy_decide(&policy, &none));
	assert_string_equal(text, "denied: not an IP address");
	peer_answer_print(text, 4, peer_policy_decide(&policy, &none));
	assert_string_equal(text, "den");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(threat_B1_to_B7_special_ranges_are_denied),
		cmocka_unit_test(threat_B10_borders_are_exact),
		cmocka_unit_test(threat_B7_to_B10_rules_and_our_own),
		cmocka_unit_test(threat_B3_a_mapped_address_that_nobody_canonicalised),
		cmocka_unit_test(threat_B11_bad_rules_are_refused),
		cmocka_unit_test(too_many_of_our_own_are_refused),
		cmocka_unit_test(the_answer_says_what_to_do),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
