/* settings.c and its splits: every key, every fault with its line, what is written is read again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "protocol/settings.h"

static struct settings settings;
static struct setting_faults faults;

static void
start_over(void)
{
	memset(&faults, 0, sizeof faults);
	settings_preset(&settings);
}

static bool
some_fault_says(const char *wanted)
{
	for (size_t i = 0; i < faults.count; i++) {
		if (strstr(faults.lines[i], wanted) != NULL) {
			return true;
		}
	}
	return false;
}

static void
the_presets_are_a_right_configuration(void **state)
{
	(void)state;
	start_over();
	settings_check(&settings, &faults);
	assert_int_equal(faults.count, 0);
	assert_int_equal(settings.port, 8443);
	assert_string_equal(settings.host.bytes, "127.0.0.1");
	assert_int_equal(settings.listening_ip.count, 2);
	assert_string_equal(settings.listening_ip.items[1].bytes, "::1");
	assert_false(settings.open_signaling);
	assert_int_equal(settings.static_auth_secret.count, 0);
}

/* given a text, when it is read and checked, then exactly these words are in a fault ("" none). */
static const struct {
	const char *what;
	const char *text;
	const char *fault;
} rows[] = {
	{ "an empty file", "", "" },
	{ "comments and blank lines", "# a\n; b\n\n   \n\t# c\n", "" },
	{ "a value with blanks around it", "  port\t=   9000  \r\n", "" },
	{ "coturn's way, without blanks", "listening-port=3479\nmin-port=50000\nmax-port=50100\n",
	  "" },
	{ "a bare flag", "no-auth\n", "" },
	{ "a flag with a value", "no-auth = off\n", "" },
	{ "a byte order mark", "\xEF\xBB\xBFport = 9000\n", "" },
	{ "a last line without an end", "port = 9000", "" },
	{ "a secret with every separator in it", "static-auth-secret = a;b#c=d:e ; f\n", "" },
	{ "an unknown key", "port = 1\nno-such-key = 1\n", "f:2: unknown key \"no-such-key\"" },
	{ "a misspelt key", "listenig-port = 1\n",
	  "f:1: unknown key \"listenig-port\": did you mean \"listening-port\"?" },
	{ "a key and a value without a sign between", "\n\nport 1\n", "f:3: \"port 1\" is no key" },
	{ "a section", "port = 1\n[turn]\n", "f:2: sections are not used" },
	{ "a section that does not end", "[turn\n", "f:1: sections are not used" },
	{ "a key that needs a value", "realm\n", "f:1: realm needs a value" },
	{ "a key of coturn that holds anyway", "lt-cred-mech\nno-multicast-peers\n", "" },
	{ "a key of coturn that is not served", "\nsecure-stun\n", "f:2: secure-stun:" },
	{ "TURN over TLS as coturn has it", "cert=a.pem\npkey=b.pem\ntls-listening-port=5349\n",
	  "" },
	{ "a certificate of TURN without its key", "cert = a.pem\n",
	  "f:1: cert is set and pkey is not" },
	{ "a key of TURN without its certificate", "pkey = a.pem\n",
	  "f:1: pkey is set and cert is not" },
	{ "one port for both", "cert=a\npkey=b\ntls-listening-port=3478\n",
	  "f:3: tls-listening-port 3478 is listening-port, too" },
	{ "a port for TLS among the relayed ones", "cert=a\npkey=b\ntls-listening-port=50000\n",
	  "f:3: tls-listening-port 50000 lies among" },
	{ "the same without TLS", "tls-listening-port=50000\n", "" },
	{ "the same with TLS turned off",
	  "cert=a\npkey=b\ntls-listening-port=50000\nno-tls\nno-dtls\n", "" },
	{ "a port for DTLS among the relayed ones",
	  "cert=a\npkey=b\nno-tls\ntls-listening-port=50000\n",
	  "f:4: tls-listening-port 50000 lies among" },
	{ "a proxy's port", "tcp-proxy-port=3480\ntcp-proxy-from=192.0.2.1\n", "" },
	{ "a proxy's port for anybody", "tcp-proxy-port=3480\n",
	  "f:1: tcp-proxy-port is set and tcp-proxy-from is not" },
	{ "a proxy without a port", "tcp-proxy-from=192.0.2.0/24\n",
	  "f:1: tcp-proxy-from is set and tcp-proxy-port is not" },
	{ "a proxy's port that is relayed", "tcp-proxy-port=50000\ntcp-proxy-from=192.0.2.1\n",
	  "f:1: tcp-proxy-port 50000" },
	{ "TLS beside TCP", "cert=a\npkey=b\nturn-tcp\ntls-on-turn-tcp\n", "" },
	{ "TLS beside no TCP", "cert=a\npkey=b\ntls-on-turn-tcp\n",
	  "f:3: tls-on-turn-tcp needs TCP and TLS" },
	{ "no TLS beside TCP", "turn-tcp\ntls-on-turn-tcp\n",
	  "f:2: tls-on-turn-tcp needs TCP and TLS" },
	{ "a host for turns: URLs", "cert=a\npkey=b\nturns-host = turn.example.org\n", "" },
	{ "an address for turns: URLs", "cert=a\npkey=b\nturns-host = 2001:db8::1\n", "" },
	{ "a host without TLS", "turns-host = turn.example.org\n", "f:1: turns-host without" },
	{ "a host that is none", "turns-host = turn example\n",
	  "f:1: turns-host: \"turn example\": no host name" },
	{ "coturn's no-tcp beside no turn-tcp", "no-tcp\nturn-tcp = no\n", "" },
	{ "coturn's no-tcp, switched off", "no-tcp = no\nturn-tcp = yes\n", "" },
	{ "coturn's no-tcp beside turn-tcp", "no-tcp\n\nturn-tcp = yes\n",
	  "f:1: no-tcp, and yet turn-tcp is on (f:3): remove one of both" },
	{ "a value without a key", "= 5\n", "f:1: unknown key \"\"" },
	{ "a number with a unit", "port = 80x\n", "f:1: port: \"80x\": no whole number" },
	{ "a negative number", "port = -1\n", "f:1: port: \"-1\": no whole number" },
	{ "an empty number", "port =\n", "f:1: port: \"\": no whole number" },
	{ "a number of 20 digits", "user-quota = 99999999999999999999\n", "no whole number" },
	{ "port 0", "port = 0\n", "f:1: port: \"0\": not a number from 1 to 65535" },
	{ "port 65536", "port = 65536\n", "not a number from 1 to 65535" },
	{ "more relays than there may be", "relays = 17\n",
	  "f:1: relays: \"17\": not a number from 1 to 16" },
	{ "a flag that is maybe", "open-signaling = maybe\n",
	  "f:1: open-signaling: \"maybe\": neither yes nor no" },
	{ "a host that is a name", "host = example.org\n", "f:1: host:" },
	{ "localhost", "host = localhost\n", "" },
	{ "a listening address with a port", "listening-ip = 127.0.0.1:3478\n",
	  "f:1: listening-ip:" },
	{ "a listening address that is none", "listening-ip = 127.0.0.256\n",
	  "f:1: listening-ip:" },
	{ "an external address behind NAT", "external-ip = 192.0.2.1/10.0.0.1\n", "" },
	{ "an external address without its second half", "external-ip = 192.0.2.1/\n",
	  "f:1: external-ip:" },
	{ "an external address to be found", "external-ip = auto-detect\n", "" },
	{ "an external address that is every address", "external-ip = 0.0.0.0\n",
	  "name the one that is meant" },
	{ "threat_B11: a prefix that is too long", "\ndenied-peer-ip = 10.0.0.0/33\n",
	  "f:2: denied-peer-ip:" },
	{ "threat_B11: an inverted range", "allowed-peer-ip = 10.0.0.9-10.0.0.1\n",
	  "f:1: allowed-peer-ip:" },
	{ "threat_B11: host bits set", "allowed-peer-ip = 10.0.0.1/8\n", "f:1: allowed-peer-ip:" },
	{ "a user without a password", "user = alice\n", "f:1: user: not NAME:PASSWORD" },
	{ "a user without a name", "user = :secret\n", "f:1: user: not NAME:PASSWORD" },
	{ "a user with an empty password", "user = alice:\n", "f:1: user: not NAME:PASSWORD" },
	{ "an empty realm", "realm =\n", "f:1: realm:" },
	{ "a realm with a quote", "realm = a\"b\n", "f:1: realm:" },
	{ "a node with capital letters", "node = Node1\n", "f:1: node:" },
	{ "a web origin", "allow-origin = https://example.org\n", "" },
	{ "a web origin with a path", "allow-origin = https://example.org/a\n",
	  "f:1: allow-origin:" },
	{ "a log level nobody knows", "log-level = loud\n", "f:1: log-level:" },
	{ "no data directory", "data-dir =\n", "f:1: data-dir:" },
	{ "a control character in a value", "realm = a\tb\n", "f:1: realm:" },
	{ "min-port above max-port", "min-port = 50001\nmax-port = 50000\n",
	  "f:1: min-port 50001 is above" },
	{ "a listening port among the relayed ones", "listening-port = 50000\n",
	  "f:1: listening-port 50000 lies among" },
	{ "a user's quota above all users'", "user-quota = 9\ntotal-quota = 8\n",
	  "f:1: user-quota 9" },
	{ "a capacity without a share", "bps-capacity = 1000000\n",
	  "f:1: bps-capacity 1000000 is shared out" },
	{ "a share above the capacity", "bps-capacity = 1000\nmax-bps = 2000\n",
	  "f:1: bps-capacity 1000 is shared out" },
	{ "more than can be counted", "max-bps = 2000000000\n", "f:1: max-bps:" },
	{ "a certificate without its key", "tls-cert = a.pem\n",
	  "f:1: tls-cert is set and tls-key is not" },
	{ "a key without its certificate", "tls-key = a.pem\n",
	  "f:1: tls-key is set and tls-cert is not" },
	{ "signaling beyond loopback", "host = 0.0.0.0\n",
	  "f:1: host 0.0.0.0 is reachable from outside" },
	{ "signaling beyond loopback over IPv6", "host = ::\n", "f:1: host :: is reachable" },
	{ "signaling beyond loopback, asked for", "host = 0.0.0.0\nopen-signaling = yes\n", "" },
	{ "signaling on another loopback address", "host = 127.1.2.3\n", "" },
	{ "no listening address", "listening-ip =\n", "f:1: listening-ip is empty" },
	{ "every address, without a relay's", "listening-ip = 0.0.0.0\n",
	  "f:1: listening-ip 0.0.0.0 stands for every" },
	{ "every address, with a relay's", "listening-ip = 0.0.0.0\nrelay-ip = 127.0.0.1\n", "" },
	{ "threat_C17: open beside users", "no-auth\nuser = a:b\n",
	  "f:1: no-auth opens TURN to anyone" },
	{ "threat_C17: open beside a secret", "static-auth-secret = x\nno-auth\n",
	  "f:2: no-auth opens TURN" },
	{ "threat_C13: secrets beyond all rollover",
	  "static-auth-secret=1\nstatic-auth-secret=2\nstatic-auth-secret=3\nstatic-auth-secret=4\n"
	  "static-auth-secret=5\nstatic-auth-secret=6\nstatic-auth-secret=7\nstatic-auth-secret=8\n"
	  "static-auth-secret=9\n",
	  "f:9: more than 8 secrets at once" },
	{ "entries pruned, and their personal data kept", "retain.envelope_months = 24\n",
	  "f:1: retain.envelope_months without retain.payload_days" },
	{ "entries pruned after their personal data",
	  "retain.payload_days = 90\nretain.envelope_months = 24\n", "" },
	{ "more months than anybody keeps", "retain.payload_days=1\nretain.envelope_months=1201\n",
	  "f:2: retain.envelope_months: \"1201\": not a number from 0 to 1200" },
	{ "a retired secret", "retired-auth-secret = 1900000000:a:b\n", "" },
	{ "a retired secret without its end", "retired-auth-secret = secret\n",
	  "f:1: retired-auth-secret: not UNTIL:SECRET" },
	{ "retired secrets count too",
	  "static-auth-secret=1\nretired-auth-secret=9:2\nretired-auth-secret=9:3\n"
	  "retired-auth-secret=9:4\nretired-auth-secret=9:5\nretired-auth-secret=9:6\n"
	  "retired-auth-secret=9:7\nretired-auth-secret=9:8\nretired-auth-secret=9:9\n",
	  "f:1: more than 8 secrets at once" },
};

static void
every_row_has_its_fault(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		start_over();
		settings_read(&settings, rows[i].text, "f", &faults);
		settings_check(&settings, &faults);
		const bool right = rows[i].fault[0] == '\0'
					   ? faults.count == 0
					   : faults.count == 1 && some_fault_says(rows[i].fault);
		if (!right) {
			fail_msg("%s: wanted \"%s\", got %zu, first \"%s\"", rows[i].what,
				 rows[i].fault, faults.count, faults.lines[0]);
		}
	}
}

static void
a_secret_is_never_repeated(void **state)
{
	(void)state;
	start_over();
	settings_read(&settings, "user = hunter2\nstatic-auth-secret = hunter2\x01\n", "f",
		      &faults);
	assert_int_equal(faults.count, 2);
	assert_false(some_fault_says("hunter2"));
}

static void
a_list_replaces_the_presets_and_then_grows(void **state)
{
	(void)state;
	start_over();
	settings_read(&settings, "listening-ip = 127.0.0.2\nlistening-ip = 127.0.0.3\n", "f",
		      &faults);
	assert_int_equal(faults.count, 0);
	assert_int_equal(settings.listening_ip.count, 2);
	assert_string_equal(settings.listening_ip.items[0].bytes, "127.0.0.2");
	settings_read(&settings, "listening-ip = 127.0.0.4\n", "g", &faults);
	assert_int_equal(settings.listening_ip.count, 1);
	assert_string_equal(setting_source(&faults, "listening-ip"), "g:1");
	assert_string_equal(setting_source(&faults, "port"), "preset");
}

static void
a_list_holds_64_values(void **state)
{
	char text[65 * 32];
	size_t used = 0;

	(void)state;
	start_over();
	for (int i = 0; i < 65; i++) {
		used += (size_t)snprintf(text + used, sizeof text - used,
					 "denied-peer-ip = 192.0.2.%d\n", i);
	}
	settings_read(&settings, text, "f", &faults);
	assert_int_equal(settings.denied_peer_ip.count, 64);
	assert_int_equal(faults.count, 1);
	assert_true(some_fault_says("f:65: denied-peer-ip: \"192.0.2.64\": one too many"));
}

static void
long_lines_and_values_are_refused(void **state)
{
	static char text[3000];

	(void)state;
	start_over();
	memset(text, 'a', sizeof text - 1);
	memcpy(text, "realm = ", 8);
	text[600] = '\n';
	memcpy(text + 601, "port = 9000\nrealm = ", 20);
	settings_read(&settings, text, "f", &faults);
	assert_int_equal(faults.count, 2);
	assert_true(some_fault_says("f:1: realm:"));
	assert_true(some_fault_says("f:3: the line is longer than"));
	assert_int_equal(settings.port, 9000);
}

static void
the_fault_after_the_last_place_is_told_too(void **state)
{
	static char text[40 * 8];

	(void)state;
	start_over();
	for (int i = 0; i < 40; i++) {
		memcpy(text + 4 * i, "a=b\n", 4);
	}
	settings_read(&settings, text, "f", &faults);
	assert_int_equal(faults.count, SETTING_FAULTS_MAX);
	assert_string_equal(faults.lines[SETTING_FAULTS_MAX - 1],
			    "(more faults follow: mend these first)");
}

static void
what_is_written_is_read_again(void **state)
{
	static struct settings again;
	static char text[64 * 1024];
	static const char given[] =
		"data-dir = /a b\nhost = ::1\nport = 1\nno-auth\nlistening-ip =\n"
		"user = a:b:c\nuser = d: e\nstatic-auth-secret = ; x\nrealm = ü\n"
		"allowed-peer-ip = 10.0.0.0/8\nallow-origin = http://a:1\n";

	(void)state;
	start_over();
	settings_read(&settings, given, "f", &faults);
	assert_int_equal(faults.count, 0);
	const size_t length = settings_write(&settings, text, sizeof text);

	assert_int_equal(length, strlen(text));
	settings_preset(&again);
	settings_read(&again, text, "g", &faults);
	assert_int_equal(faults.count, 0);
	assert_memory_equal(&settings, &again, sizeof settings);
	assert_int_equal(settings_write(&settings, text, length), 0);
}

static void
the_table_is_sound(void **state)
{
	size_t count;
	const struct setting_description *table = settings_table(&count);

	(void)state;
	assert_int_equal(count, SETTINGS_COUNT);
	for (size_t i = 0; i < count; i++) {
		assert_ptr_equal(settings_find(table[i].key), &table[i]);
		assert_true(strlen(table[i].help) > 0);
	}
	assert_null(settings_find("no-such-key"));
	assert_string_equal(setting_nearest_key("prt"), "port");
	assert_null(setting_nearest_key(
		"something else that is far longer than any key there is at all"));
}

static bool
is_in_file(const char *file, const char *wanted)
{
	static char text[256 * 1024];
	char path[1024];

	snprintf(path, sizeof path, "%s/%s", IFSWARM_SOURCE, file);
	FILE *stream = fopen(path, "re");

	assert_non_null(stream);
	text[fread(text, 1, sizeof text - 1, stream)] = '\0';
	fclose(stream);
	return strstr(text, wanted) != NULL;
}

/* docs/generate was run after the last change of settings.def. */
static void
every_key_is_documented(void **state)
{
	size_t count;
	const struct setting_description *table = settings_table(&count);
	char line[1024];

	(void)state;
	for (size_t i = 0; i < count; i++) {
		snprintf(line, sizeof line, "\n# %s", table[i].help);
		assert_true(is_in_file("deploy/ifswarm.conf.example", line));
		snprintf(line, sizeof line, "\n#%s =", table[i].key);
		assert_true(is_in_file("deploy/ifswarm.conf.example", line));
		snprintf(line, sizeof line, "| %s |\n", table[i].help);
		assert_true(is_in_file("docs/operator-guide.md", line));
		snprintf(line, sizeof line, "| `%s`", table[i].key);
		assert_true(is_in_file("docs/operator-guide.md", line));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_presets_are_a_right_configuration),
		cmocka_unit_test(every_row_has_its_fault),
		cmocka_unit_test(a_secret_is_never_repeated),
		cmocka_unit_test(a_list_replaces_the_presets_and_then_grows),
		cmocka_unit_test(a_list_holds_64_values),
		cmocka_unit_test(long_lines_and_values_are_refused),
		cmocka_unit_test(the_fault_after_the_last_place_is_told_too),
		cmocka_unit_test(what_is_written_is_read_again),
		cmocka_unit_test(the_table_is_sound),
		cmocka_unit_test(every_key_is_documented),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
