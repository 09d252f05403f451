/* The connection table of a gateway, the rosters it keeps, and its pages. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/connections.h"
#include "gateway/ice.h"
#include "gateway/pages.h"
#include "gateway/rosters.h"
#include "protocol/address.h"
#include "protocol/mp.h"

static const struct address anywhere;

static void
connections_are_numbered_and_bounded(void **unused)
{
	struct connections *table = connections_new(2, 1000, 0);
	struct connection *a = connection_open(table, NULL, &anywhere, 0);
	struct connection *b = connection_open(table, NULL, &anywhere, 0);

	(void)unused;
	assert_int_equal(a->number, 1001);
	assert_int_equal(b->number, 1002);
	assert_null(connection_open(table, NULL, &anywhere, 0));
	assert_ptr_equal(connection_find(table, 1002), b);
	connection_close(table, a);
	assert_null(connection_find(table, 1001));
	assert_int_equal(connections_count(table), 1);
	a = connection_open(table, NULL, &anywhere, 0);
	assert_int_equal(a->number, 1003); /* a number never comes again */
	assert_ptr_equal(connection_next(table, NULL), a);
	assert_ptr_equal(connection_next(table, a), b);
	assert_null(connection_next(table, b));
	connections_free(table);
}

static void
threat_H4_fast_talkers_are_found(void **unused)
{
	struct connections *table = connections_new(1, 0, 0);
	struct connection *a = connection_open(table, NULL, &anywhere, 5);

	(void)unused;
	for (int i = 0; i < MESSAGES_BURST; i++) {
		assert_true(connection_may_speak(a, 5));
	}
	assert_false(connection_may_speak(a, 5));
	/* One second later it has the messages of one second, and no more. */
	for (int i = 0; i < MESSAGES_PER_SECOND; i++) {
		assert_true(connection_may_speak(a, 1000005));
	}
	assert_false(connection_may_speak(a, 1000005));
	assert_false(connection_may_speak(a, 3)); /* a clock that goes back gives nothing */
	connections_free(table);
}

static void
threat_H5_slow_readers_are_found(void **unused)
{
	static char big[OUTGOING_BYTES_MAX + 5];
	struct connections *table = connections_new(1, 0, 0);
	struct connection *a = connection_open(table, NULL, &anywhere, 0);

	(void)unused;
	assert_null(connection_pop(a));
	assert_true(connection_push(a, big, sizeof big)); /* one frame of any size fits */
	assert_false(connection_push(a, "x", 1));
	free(connection_pop(a));
	assert_true(connection_push(a, "first", 5));
	assert_true(connection_push(a, big, OUTGOING_BYTES_MAX - 5));
	assert_false(connection_push(a, "x", 1));
	struct outgoing *first = connection_pop(a);
	assert_memory_equal(first->text, "first", 5);
	free(first);
	assert_true(connection_push(a, "x", 1));
	connections_free(table); /* with what still waits */
}

/* --- rosters -----------------------------------------------------------------------------------
 */

static struct name
name_of(const char *word)
{
	struct name name;

	name_set(&name, word, strlen(word));
	return name;
}

static enum roster_change
join(struct rosters *rosters, uint8_t room, const char *word, uint64_t connection, bool again)
{
	const struct id id = { { room } };
	const struct name name = name_of(word);

	return roster_join(rosters, &id, &name, connection, again);
}

static enum roster_change
leave(struct rosters *rosters, uint8_t room, const char *word)
{
	const struct id id = { { room } };
	const struct name name = name_of(word);

	return roster_leave(rosters, &id, &name);
}

/* "A B" of all, or of those who are here. */
static const char *
listed(const struct rosters *rosters, uint8_t room, bool here)
{
	static char text[64];
	const struct id id = { { room } };
	uint32_t (*next)(const struct rosters *, const struct id *, uint32_t) =
		here ? roster_next_here : roster_next;

	text[0] = '\0';
	for (uint32_t at = next(rosters, &id, SLOT_NONE); at != SLOT_NONE;
	     at = next(rosters, &id, at)) {
		const struct name *name = roster_name(rosters, at);
		snprintf(text + strlen(text), sizeof text - strlen(text), "%s%.*s",
			 text[0] == '\0' ? "" : " ", (int)name->length, name->bytes);
	}
	return text;
}

static void
somebody_is_found_in_whatever_room(void **unused)
{
	struct rosters *rosters = rosters_new(8, 5);
	struct name name;
	struct id room;
	uint64_t connection = 0;

	(void)unused;
	name_set(&name, "A", 1);
	assert_false(roster_find(rosters, &name, &room, &connection));
	join(rosters, 1, "B", 10, false);
	join(rosters, 1, "A", 0, false);
	join(rosters, 2, "A", 12, false);
	uint64_t sum = 0;
	for (int i = 0; i < 2; i++) {
		assert_true(roster_find(rosters, &name, &room, &connection));
		assert_int_equal(roster_leave(rosters, &room, &name), ROSTER_CHANGED);
		sum += connection;
	}
	assert_int_equal(sum, 12);
	assert_false(roster_find(rosters, &name, &room, &connection));
	assert_string_equal(listed(rosters, 1, false), "B");
	rosters_free(rosters);
}

static void
rosters_follow_session(void **unused)
{
	struct rosters *rosters = rosters_new(8, 5);

	(void)unused;
	assert_int_equal(join(rosters, 1, "A", 0, false), ROSTER_CHANGED);
	assert_int_equal(join(rosters, 1, "B", 10, false), ROSTER_CHANGED);
	assert_int_equal(join(rosters, 1, "C", 11, false), ROSTER_CHANGED);
	assert_int_equal(join(rosters, 2, "A", 12, false), ROSTER_CHANGED);
	assert_string_equal(listed(rosters, 1, false), "A B C");
	assert_string_equal(listed(rosters, 1, true), "C B");
	assert_int_equal(join(rosters, 1, "C", 11, false), ROSTER_SAME); /* told again */
	assert_int_equal(leave(rosters, 1, "X"), ROSTER_SAME);
	assert_int_equal(leave(rosters, 1, "B"), ROSTER_CHANGED);
	assert_int_equal(leave(rosters, 1, "B"), ROSTER_SAME);
	assert_string_equal(listed(rosters, 1, true), "C");
	/* With the last one here, the room is forgotten: nothing of it is told from then on. */
	assert_int_equal(leave(rosters, 1, "C"), ROSTER_CHANGED);
	assert_string_equal(listed(rosters, 1, false), "");
	assert_string_equal(listed(rosters, 2, false), "A");
	rosters_free(rosters);
}

static void
an_agent_comes_again_at_another_gateway(void **unused)
{
	struct rosters *rosters = rosters_new(8, 5);

	(void)unused;
	join(rosters, 1, "B", 10, false);
	join(rosters, 1, "A", 0, false);
	assert_int_equal(join(rosters, 1, "A", 0, true), ROSTER_REPLACED);
	assert_int_equal(join(rosters, 1, "A", 11, false), ROSTER_REPLACED);
	assert_string_equal(listed(rosters, 1, true), "A B");
	assert_int_equal(join(rosters, 1, "A", 0, true), ROSTER_REPLACED);
	assert_string_equal(listed(rosters, 1, true), "B");
	assert_string_equal(listed(rosters, 1, false), "B A");
	rosters_free(rosters);
}

static void
rosters_are_bounded(void **unused)
{
	struct rosters *rosters = rosters_new(2, 5);

	(void)unused;
	for (int round = 0; round < 3; round++) {
		assert_int_equal(join(rosters, 1, "A", 10, false), ROSTER_CHANGED);
		assert_int_equal(join(rosters, 2, "B", 11, false), ROSTER_CHANGED);
		assert_int_equal(join(rosters, 3, "C", 12, false), ROSTER_SAME);
		assert_int_equal(leave(rosters, 1, "A"), ROSTER_CHANGED);
		assert_int_equal(leave(rosters, 2, "B"), ROSTER_CHANGED);
	}
	rosters_free(rosters);
}

/* --- pages, and where STUN is ------------------------------------------------------------------
 */

static const struct {
	const char *path;
	enum page page;
} paths[] = {
	{ "/", PAGE_ROOT },
	{ "/?x", PAGE_ROOT },
	{ "/health", PAGE_HEALTH },
	{ "/health/", PAGE_HEALTH },
	{ "/ready?a=b", PAGE_READY },
	{ "/agents", PAGE_AGENTS },
	{ "/connections", PAGE_CONNECTIONS },
	{ "/metrics", PAGE_METRICS },
	{ "/healthy", PAGE_NONE },
	{ "/heal", PAGE_NONE },
	{ "/../etc/passwd", PAGE_NONE },
	{ "", PAGE_NONE },
};

static void
pages_are_found(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
		print_message("  %s\n", paths[i].path);
		assert_int_equal(page_find(paths[i].path), paths[i].page);
	}
	assert_true(page_is_private(PAGE_AGENTS));
	assert_true(page_is_private(PAGE_CONNECTIONS));
	assert_false(page_is_private(PAGE_HEALTH));
}

static void
pages_say_what_is_so(void **unused)
{
	struct page_facts facts = { .gateway = 2, .connections = 3 };

	(void)unused;
	assert_int_equal(page_status(PAGE_READY, &facts), 503);
	assert_int_equal(page_status(PAGE_HEALTH, &facts), 200);
	assert_int_equal(page_status(PAGE_NONE, &facts), 404);
	facts.attached = true;
	facts.epoch = 7;
	assert_int_equal(page_status(PAGE_READY, &facts), 200);
	char *ready = page_write(PAGE_READY, &facts);
	assert_string_equal(ready, "{\"ready\":true,\"gateway\":2,\"session_epoch\":7}");
	free(ready);
}

static void
the_roster_page_escapes(void **unused)
{
	uint8_t memory[64];
	struct mp_writer w = mp_writer_of(memory, sizeof memory);

	(void)unused;
	mp_put_array(&w, 3);
	mp_put_u64(&w, 0);
	mp_put_u64(&w, 7);
	mp_put_array(&w, 1);
	mp_put_array(&w, 3);
	mp_put_str(&w, "d\"n", 3);
	mp_put_nil(&w);
	mp_put_u64(&w, 1);
	const struct span reply = mp_written(&w);
	char *page = page_write_roster(PAGE_AGENTS, reply);
	assert_string_equal(
		page,
		"{\"count\":1,\"agents\":[{\"agent_id\":null,\"room\":\"d\\\"n\",\"gateway\":1}]}");
	free(page);
	for (size_t cut = 0; cut < reply.count; cut++) {
		assert_null(page_write_roster(PAGE_AGENTS, (struct span){ reply.at, cut }));
	}
}

static const struct {
	const char *name;
	const char *listening;
	const char *external;
	const char *host;
} places[] = {
	{ "where it listens", "192.0.2.1", "", "192.0.2.1:3478" },
	{ "the public address is told", "10.0.0.1", "198.51.100.1", "198.51.100.1:3478" },
	{ "of a pair the public one", "10.0.0.1", "198.51.100.1/10.0.0.1", "198.51.100.1:3478" },
	{ "for a wildcard where the client arrived", "0.0.0.0", "", "203.0.113.9:3478" },
	{ "IPv6 has brackets", "2001:db8::1", "", "[2001:db8::1]:3478" },
};

static void
stun_is_told_where_it_is(void **unused)
{
	static struct settings settings;
	static struct ice ice;
	struct address local;

	(void)unused;
	address_parse(&local, "203.0.113.9:8443");
	for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
		print_message("  %s\n", places[i].name);
		memset(&settings, 0, sizeof settings);
		settings.listening_port = 3478;
		settings.listening_ip.count = 1;
		strcpy(settings.listening_ip.items[0].bytes, places[i].listening);
		settings.external_ip.count = places[i].external[0] != '\0';
		strcpy(settings.external_ip.items[0].bytes, places[i].external);
		ice_hosts(&ice, &settings, &local);
		assert_int_equal(ice.count, 1);
		assert_string_equal(ice.hosts[0], places[i].host);
	}
}

static const struct {
	const char *name;
	const char *external;
	const char *turns_host;
	bool no_tls;
	const char *host; /* NULL: none */
} secured[] = {
	{ "the address", "", "", false, "192.0.2.1:5349" },
	{ "the public address", "198.51.100.1/192.0.2.1", "", false, "198.51.100.1:5349" },
	{ "the certificate's name", "198.51.100.1", "turn.example.org", false,
	  "turn.example.org:5349" },
	{ "the certificate's address", "", "2001:db8::1", false, "[2001:db8::1]:5349" },
	{ "TLS is turned off", "", "turn.example.org", true, NULL },
};

static void
turns_is_told_where_it_is(void **unused)
{
	static struct settings settings;
	static struct ice ice;
	const struct address local = { 0 };

	(void)unused;
	for (size_t i = 0; i < sizeof secured / sizeof secured[0]; i++) {
		print_message("  %s\n", secured[i].name);
		memset(&settings, 0, sizeof settings);
		settings.tls_listening_port = 5349;
		settings.no_tls = secured[i].no_tls;
		strcpy(settings.cert.bytes, "chain.pem");
		strcpy(settings.turns_host.bytes, secured[i].turns_host);
		settings.listening_ip.count = 1;
		strcpy(settings.listening_ip.items[0].bytes, "192.0.2.1");
		settings.external_ip.count = secured[i].external[0] != '\0';
		strcpy(settings.external_ip.items[0].bytes, secured[i].external);
		ice_hosts(&ice, &settings, &local);
		assert_int_equal(ice.tls_count, secured[i].host != NULL);
		if (secured[i].host != NULL) {
			assert_string_equal(ice.tls_hosts[0], secured[i].host);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(connections_are_numbered_and_bounded),
		cmocka_unit_test(threat_H4_fast_talkers_are_found),
		cmocka_unit_test(threat_H5_slow_readers_are_found),
		cmocka_unit_test(rosters_follow_session),
		cmocka_unit_test(somebody_is_found_in_whatever_room),
		cmocka_unit_test(an_agent_comes_again_at_another_gateway),
		cmocka_unit_test(rosters_are_bounded),
		cmocka_unit_test(pages_are_found),
		cmocka_unit_test(pages_say_what_is_so),
		cmocka_unit_test(the_roster_page_escapes),
		cmocka_unit_test(stun_is_told_where_it_is),
		cmocka_unit_test(turns_is_told_where_it_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
