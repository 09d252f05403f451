/* What of this server a relay must not reach, whatever is opened: the ports that are configured. */
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

static enum peer_decision
decide(const char *given, const char *peer)
{
	static struct setting_faults faults;
	static struct relay_ips ips;
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
	const struct address address = at(peer);
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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(own_ports_are_those_that_are_configured),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
