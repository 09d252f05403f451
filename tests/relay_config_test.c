/* What a relay takes from the settings: ports of this server that no peer may be, addresses behind
 * a NAT, for whom TCP is relayed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "actors/relay_config.h"

static struct settings settings;
static struct relay_config config;

static struct address
at(const char *text)
{
	struct address address;

	assert_null(address_parse(&address, text));
	return address;
}

static struct relay_ips ips;

static void
read_config(const char *given)
{
	static struct setting_faults faults;
	const struct address listener = at("127.0.0.2:3478");
	const enum client_transport transport = CLIENT_UDP;
	const struct nonce_key key = { { 0 } };
	const uint8_t seed[RELAY_SEED_BYTES] = { 0 };
	char text[512];

	memset(&faults, 0, sizeof faults);
	snprintf(text, sizeof text,
		 "static-auth-secret = s\nlistening-ip = 127.0.0.2\nallowed-peer-ip = "
		 "127.0.0.0/8\n%s",
		 given);
	settings_preset(&settings);
	settings_read(&settings, text, "f", &faults);
	settings_check(&settings, &faults);
	assert_int_equal(faults.count, 0);
	assert_null(relay_config_read(&config, &ips, &settings, 1, &listener, &transport, 1, &key,
				      seed));
}

static enum peer_decision
decide(const char *given, const char *peer)
{
	const struct address address = at(peer);

	read_config(given);
	return peer_policy_decide(&config.policy, &address).decision;
}

static void
own_ports_are_those_that_are_configured(void **state)
{
	static const struct {
		const char *when, *given, *peer;
		enum peer_decision then;
	} rows[] = {
		{ "threat_B8: STUN and TURN", "", "127.0.0.2:3478", PEER_DENIED_LISTENER },
		{ "threat_B8: the WebSocket port", "", "127.0.0.1:8443", PEER_DENIED_LISTENER },
		{ "threat_B8: the port of claims, as installed", "", "127.0.0.1:9000",
		  PEER_DENIED_LISTENER },
		{ "threat_B8: the port of claims, elsewhere", "claims-port = 9100\n",
		  "127.0.0.1:9100", PEER_DENIED_LISTENER },
		{ "another's port, where claims are not", "claims-port = 9100\n", "127.0.0.1:9000",
		  PEER_ALLOWED_BY_RULE },
		{ "another's port, where no claims are taken", "claims-port = 0\n",
		  "127.0.0.1:9000", PEER_ALLOWED_BY_RULE },
		{ "threat_B8: the port of witnessing", "witness-port = 9443\n", "127.0.0.1:9443",
		  PEER_DENIED_LISTENER },
		{ "another's port, where nobody is witnessed", "", "127.0.0.1:9443",
		  PEER_ALLOWED_BY_RULE },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		print_message("%s\n", rows[i].when);
		assert_int_equal(decide(rows[i].given, rows[i].peer), rows[i].then);
	}
}

static void
relayed_addresses_are_found_behind_a_nat_that_leads_nothing_back(void **state)
{
	static const char given[] =
		"relay-ip = 10.0.0.1\nrelay-ip = 10.0.0.2\nexternal-ip = 203.0.113.1/10.0.0.1\n"
		"external-ip = 203.0.113.2/10.0.0.2\n";
	static const struct {
		const char *outside, *inside;
	} rows[] = {
		{ "203.0.113.1:50000", "10.0.0.1:50000" },
		{ "203.0.113.2:65535", "10.0.0.2:65535" },
		{ "203.0.113.1:80", NULL }, /* no relayed port */
		{ "203.0.113.3:50000", NULL },
	};

	(void)state;
	read_config(given);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const struct address outside = at(rows[i].outside);
		const struct address inside = rows[i].inside == NULL ? outside : at(rows[i].inside);
		struct address moved = outside;

		relay_ips_inward(&ips, &moved);
		assert_true(address_equal(&moved, &inside));
		relay_ips_outward(&ips, &moved);
		assert_true(address_equal(&moved, &outside));
	}
	read_config("relay-ip = 10.0.0.1\n");
	assert_false(ips.is_mapped);
}

static void
a_listener_is_known_outside_by_its_external_ip(void **state)
{
	static const struct {
		const char *given, *outside;
	} rows[] = {
		{ "", "127.0.0.2:3478" },
		{ "external-ip = 203.0.113.9\n", "203.0.113.9:3478" },
		{ "external-ip = 203.0.113.1/127.0.0.2\n", "203.0.113.1:3478" },
		{ "relay-ip = 10.0.0.1\nexternal-ip = 203.0.113.1/10.0.0.1\n", "127.0.0.2:3478" },
		{ "external-ip = 2001:db8::1\n", "127.0.0.2:3478" }, /* of the other family */
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const struct address outside = at(rows[i].outside);

		print_message("%s\n", rows[i].given);
		read_config(rows[i].given);
		assert_true(address_equal(&config.outside[0], &outside));
	}
}

static void
tcp_is_relayed_by_several_relays_but_not_behind_a_proxy(void **state)
{
	static const struct {
		const char *given;
		bool serves_tcp;
		uint16_t scattered_port;
	} rows[] = {
		{ "", true, 0 },
		{ "relays = 3\n", true, 0 },
		{ "relays = 3\ntcp-proxy-port = 3480\ntcp-proxy-from = 192.0.2.10\n", true, 3480 },
		{ "tcp-proxy-port = 3480\ntcp-proxy-from = 192.0.2.10\n", true, 0 },
		{ "relays = 3\nno-tcp-relay = yes\n", false, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		print_message("%s\n", rows[i].given);
		read_config(rows[i].given);
		assert_int_equal(config.serves_tcp, rows[i].serves_tcp);
		assert_int_equal(config.scattered_port, rows[i].scattered_port);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(own_ports_are_those_that_are_configured),
		cmocka_unit_test(relayed_addresses_are_found_behind_a_nat_that_leads_nothing_back),
		cmocka_unit_test(a_listener_is_known_outside_by_its_external_ip),
		cmocka_unit_test(tcp_is_relayed_by_several_relays_but_not_behind_a_proxy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
