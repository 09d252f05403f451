/* Sealed bytes in, plain bytes out, without a socket: a client of OpenSSL's stands on the other
 * side of a queue. */
#include "tests/tls_world.h"

enum { LONG_BYTES = 60 * 1000 };

/* --- both sides --- */

struct both {
	struct tls_session *session;
	SSL *client;
	size_t step; /* sealed bytes that the session gets at once; 0: all */
	uint8_t plain[QUEUE_BYTES];
	size_t plain_count;
};

static struct both *
both_of(const struct tls_server *server, int version, const char *protocols)
{
	struct both *both = calloc(1, sizeof *both);
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());

	queued = 0;
	room = QUEUE_BYTES;
	SSL_CTX_set_security_level(context, 0); /* TLS 1.0 is to be tried, too */
	SSL_CTX_set_min_proto_version(context, version);
	SSL_CTX_set_max_proto_version(context, version);
	both->client = SSL_new(context);
	SSL_CTX_free(context);
	SSL_set_bio(both->client, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
	BIO_set_mem_eof_return(SSL_get_rbio(both->client), -1);
	SSL_set_connect_state(both->client);
	if (protocols != NULL) {
		SSL_set_alpn_protos(both->client, (const unsigned char *)protocols,
				    (unsigned)strlen(protocols));
	}
	both->session = tls_session_open(server, &to_queue);
	assert_non_null(both->session);
	return both;
}

static void
both_end(struct both *both)
{
	tls_session_close(both->session);
	SSL_free(both->client);
	free(both);
}

/* What the client has sent, to the session; false if it ended. */
static bool
to_session(struct both *both)
{
	uint8_t *bytes = NULL;
	const size_t count = (size_t)BIO_get_mem_data(SSL_get_wbio(both->client), &bytes);
	const size_t step = both->step == 0 ? count : both->step;
	bool goes_on = true;

	for (size_t at = 0; at < count && goes_on; at += step) {
		uint8_t *plain = malloc(step + TLS_RECORD_BYTES);
		const size_t piece = count - at < step ? count - at : step;
		size_t got = 0;

		goes_on = tls_session_take(both->session, (struct span){ bytes + at, piece }, plain,
					   &got);
		memcpy(both->plain + both->plain_count, plain, got);
		both->plain_count += got;
		free(plain);
	}
	BIO_reset(SSL_get_wbio(both->client));
	return goes_on;
}

static void
to_client(struct both *both)
{
	if (queued > 0) {
		assert_int_equal(BIO_write(SSL_get_rbio(both->client), queue, (int)queued), queued);
		queued = 0;
	}
}

/* True if the client is through. */
static bool
shake_hands(struct both *both)
{
	for (int i = 0; i < 8; i++) {
		const bool done = SSL_do_handshake(both->client) == 1;

		if (!to_session(both)) {
			return false;
		}
		to_client(both);
		if (done && tls_session_is_open(both->session)) {
			return true;
		}
	}
	return false;
}

/* --- tests --- */

static void
bytes_come_through_both_ways_however_they_are_cut(void **unused)
{
	static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };
	static const size_t steps[] = { 0, 1, 7, 5000 };
	static uint8_t longer[LONG_BYTES];
	static uint8_t back[LONG_BYTES];
	struct tls_server *server = server_of(TLS_STREAMS, "cut");

	(void)unused;
	memset(longer, 'x', sizeof longer);
	for (size_t i = 0; i < 8; i++) {
		struct both *both = both_of(server, versions[i % 2], NULL);
		size_t got = 0;

		both->step = steps[i / 2];
		assert_true(shake_hands(both));
		assert_int_equal(SSL_write(both->client, longer, sizeof longer), sizeof longer);
		assert_true(to_session(both));
		assert_int_equal(both->plain_count, sizeof longer);
		assert_memory_equal(both->plain, longer, sizeof longer);

		const struct span plain = { longer, sizeof longer };
		assert_true(tls_session_send(both->session, plain));
		assert_true(queued <= tls_sealed_bytes(sizeof longer));
		to_client(both);
		for (int read = 1; read > 0; got += (size_t)(read > 0 ? read : 0)) {
			read = SSL_read(both->client, back + got, (int)(sizeof back - got));
		}
		assert_int_equal(got, sizeof longer);
		both_end(both);
	}
	tls_server_close(server);
}

static void
threat_G1_versions_and_protocols_are_told_apart(void **unused)
{
	static const struct {
		const char *given;
		int version;
		const char *protocols; /* each behind its length */
		bool served;
		const char *chosen;
	} rows[] = {
		{ "TLS 1.3", TLS1_3_VERSION, NULL, true, "" },
		{ "TLS 1.2", TLS1_2_VERSION, NULL, true, "" },
		{ "TLS 1.1", TLS1_1_VERSION, NULL, false, "" },
		{ "TLS 1.0", TLS1_VERSION, NULL, false, "" },
		{ "stun.turn", TLS1_3_VERSION, "\x9stun.turn", true, "stun.turn" },
		{ "stun.turn is not the first", TLS1_2_VERSION,
		  "\x2h2\x12stun.nat-discovery\x9stun.turn", true, "stun.turn" },
		{ "STUN alone", TLS1_3_VERSION, "\x12stun.nat-discovery", true,
		  "stun.nat-discovery" },
		{ "a name that only begins so", TLS1_3_VERSION, "\xAstun.turnx", false, "" },
		{ "HTTP", TLS1_2_VERSION, "\x2h2\x8http/1.1", false, "" },
	};
	struct tls_server *server = server_of(TLS_STREAMS, "versions");

	(void)unused;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct both *both = both_of(server, rows[i].version, rows[i].protocols);
		const unsigned char *chosen = NULL;
		unsigned length = 0;

		print_message("  %s\n", rows[i].given);
		assert_int_equal(shake_hands(both), rows[i].served);
		if (rows[i].served) {
			SSL_get0_alpn_selected(both->client, &chosen, &length);
			assert_int_equal(length, strlen(rows[i].chosen));
			assert_memory_equal(chosen == NULL ? (const unsigned char *)"" : chosen,
					    rows[i].chosen, length);
		} else {
			/* An alert says why. */
			assert_true(queued > 0);
			assert_int_equal(queue[0], 0x15);
		}
		both_end(both);
	}
	tls_server_close(server);
}

static void
threat_G1_old_sessions_go_on_when_their_server_is_closed(void **unused)
{
	struct tls_server *server = server_of(TLS_STREAMS, "old");
	struct both *both = both_of(server, TLS1_3_VERSION, NULL);
	char back[8];

	(void)unused;
	assert_true(shake_hands(both));
	tls_server_close(server);
	assert_int_equal(SSL_write(both->client, "there", 5), 5);
	assert_true(to_session(both));
	assert_memory_equal(both->plain, "there", 5);
	assert_true(tls_session_send(both->session, (struct span){ (const uint8_t *)"back", 4 }));
	to_client(both);
	assert_int_equal(SSL_read(both->client, back, sizeof back), 4);
	both_end(both);
}

static void
what_comes_before_the_end_is_there(void **unused)
{
	struct tls_server *server = server_of(TLS_STREAMS, "end");
	struct both *both = both_of(server, TLS1_3_VERSION, NULL);

	(void)unused;
	assert_true(shake_hands(both));
	SSL_write(both->client, "last", 4);
	SSL_shutdown(both->client);
	assert_false(to_session(both));
	assert_int_equal(both->plain_count, 4);
	both_end(both);
	tls_server_close(server);
}

static void
a_session_whose_bytes_find_no_room_ends(void **unused)
{
	struct tls_server *server = server_of(TLS_STREAMS, "room");
	struct both *both = both_of(server, TLS1_3_VERSION, NULL);

	(void)unused;
	assert_true(shake_hands(both));
	room = 10;
	assert_false(tls_session_send(both->session, (struct span){ (const uint8_t *)"back", 4 }));
	assert_int_equal(queued, 0);
	both_end(both);
	both = both_of(server, TLS1_2_VERSION, NULL);
	room = 10;
	assert_false(shake_hands(both));
	both_end(both);
	tls_server_close(server);
}

static void
threat_G2_what_is_no_tls_ends_the_session(void **unused)
{
	static const struct {
		const char *given;
		const char *bytes;
		size_t count;
	} rows[] = {
		{ "HTTP", "GET / HTTP/1.1\r\n\r\n", 18 },
		{ "STUN", "\0\1\0\0\x21\x12\xA4\x42____________", 20 },
		{ "a ClientHello of 16 MiB", "\x16\3\1\0\5\1\xFF\xFF\xFF\0", 10 },
		{ "application data before all", "\x17\3\3\0\4abcd", 9 },
	};
	struct tls_server *server = server_of(TLS_STREAMS, "junk");

	(void)unused;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct tls_session *session = tls_session_open(server, &to_queue);
		uint8_t plain[64 + TLS_RECORD_BYTES];
		size_t count = 0;

		print_message("  %s\n", rows[i].given);
		queued = 0;
		room = QUEUE_BYTES;
		assert_false(tls_session_take(
			session, (struct span){ (const uint8_t *)rows[i].bytes, rows[i].count },
			plain, &count));
		assert_int_equal(count, 0);
		tls_session_close(session);
	}
	tls_server_close(server);
}

static void
a_certificate_that_is_none_is_refused(void **unused)
{
	uint8_t packed[64];
	char fault[TLS_FAULT_MAX];
	struct mp_writer w = mp_writer_of(packed, sizeof packed);

	(void)unused;
	mp_put_array(&w, 2);
	mp_put_bin(&w, "no", 2);
	mp_put_bin(&w, "pem", 3);
	assert_null(tls_server_open(TLS_STREAMS, mp_written(&w), fault));
	assert_true(strlen(fault) > 0);
	assert_null(tls_server_open(TLS_STREAMS, (struct span){ packed, 1 }, fault));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_come_through_both_ways_however_they_are_cut),
		cmocka_unit_test(threat_G1_versions_and_protocols_are_told_apart),
		cmocka_unit_test(threat_G1_old_sessions_go_on_when_their_server_is_closed),
		cmocka_unit_test(what_comes_before_the_end_is_there),
		cmocka_unit_test(a_session_whose_bytes_find_no_room_ends),
		cmocka_unit_test(threat_G2_what_is_no_tls_ends_the_session),
		cmocka_unit_test(a_certificate_that_is_none_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
