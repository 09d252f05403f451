/* DTLS without a socket: who gets a session, and what its datagrams hold. */
#include "tests/tls_world.h"

static SSL *
datagram_client(void)
{
	SSL_CTX *context = SSL_CTX_new(DTLS_client_method());
	SSL *client = SSL_new(context);

	SSL_CTX_free(context);
	SSL_set_bio(client, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
	BIO_set_mem_eof_return(SSL_get_rbio(client), -1);
	SSL_set_options(client, SSL_OP_NO_QUERY_MTU);
	SSL_set_mtu(client, DTLS_DATAGRAM_BYTES);
	SSL_set_connect_state(client);
	queued = 0;
	room = QUEUE_BYTES;
	return client;
}

/* What the client has to say, as one datagram. */
static size_t
said(SSL *client, uint8_t out[QUEUE_BYTES])
{
	const int count = BIO_read(SSL_get_wbio(client), out, QUEUE_BYTES);

	return count < 0 ? 0 : (size_t)count;
}

static void
hear(SSL *client)
{
	assert_int_equal(BIO_write(SSL_get_rbio(client), queue, (int)queued), queued);
	queued = 0;
}

/* The ClientHello with the cookie that the server sent to `address`. */
static size_t
hello_of(struct tls_server *server, SSL *client, const struct address *address,
	 uint8_t out[QUEUE_BYTES])
{
	SSL_do_handshake(client);
	const size_t count = said(client, out);

	assert_null(dtls_server_listen(server, address, (struct span){ out, count }, &to_queue));
	assert_true(queued > 0);
	assert_true(queued < count);
	hear(client);
	SSL_do_handshake(client);
	return said(client, out);
}

static void
keep_plain(void *context, struct span plain)
{
	struct span *out = context;

	*out = plain;
}

static void
threat_D4_a_session_begins_with_the_cookie_of_its_address(void **unused)
{
	static uint8_t datagram[QUEUE_BYTES];
	struct tls_server *server = server_of(TLS_DATAGRAMS, "cookie");
	struct tls_server *another = server_of(TLS_DATAGRAMS, "another");
	const struct address ann = { ADDRESS_IPV4, { 192, 0, 2, 1 }, 1000 };
	const struct address elsewhere = { ADDRESS_IPV4, { 192, 0, 2, 2 }, 1000 };
	const struct address beside = { ADDRESS_IPV4, { 192, 0, 2, 1 }, 1001 };
	SSL *client = datagram_client();
	struct span plain = { 0 };

	(void)unused;
	const size_t count = hello_of(server, client, &ann, datagram);
	const struct span hello = { datagram, count };
	assert_null(dtls_server_listen(server, &elsewhere, hello, &to_queue));
	assert_null(dtls_server_listen(server, &beside, hello, &to_queue));
	assert_null(dtls_server_listen(another, &ann, hello, &to_queue));
	queued = 0;
	for (size_t cut = 0; cut < count; cut += 7) {
		assert_null(dtls_server_listen(server, &ann, (struct span){ datagram, cut },
					       &to_queue));
	}
	queued = 0;
	struct tls_session *session = dtls_server_listen(server, &ann, hello, &to_queue);
	assert_non_null(session);
	assert_int_equal(queued, 0);
	assert_true(dtls_session_answer(session, &to_queue));
	for (int i = 0; i < 4 && !(tls_session_is_open(session) && SSL_is_init_finished(client));
	     i++) {
		hear(client);
		SSL_do_handshake(client);
		const size_t more = said(client, datagram);
		assert_true(dtls_session_take(session, datagram, more, sizeof datagram, keep_plain,
					      &plain));
	}
	assert_true(tls_session_is_open(session));
	assert_int_equal(plain.count, 0);

	SSL_write(client, "there", 5);
	const size_t sealed = said(client, datagram);
	datagram[sealed - 1] ^= 1; /* not of this session: dropped */
	assert_true(
		dtls_session_take(session, datagram, sealed, sizeof datagram, keep_plain, &plain));
	assert_int_equal(plain.count, 0);
	SSL_write(client, "again", 5);
	const size_t whole = said(client, datagram);
	assert_true(
		dtls_session_take(session, datagram, whole, sizeof datagram, keep_plain, &plain));
	assert_int_equal(plain.count, 5);
	assert_memory_equal(plain.at, "again", 5);
	tls_session_close(session);
	SSL_free(client);
	tls_server_close(server);
	tls_server_close(another);
}

static void
threat_D4_junk_leaves_a_server_as_it_was(void **unused)
{
	static uint8_t datagram[QUEUE_BYTES];
	struct tls_server *server = server_of(TLS_DATAGRAMS, "junk");
	const struct address ann = { ADDRESS_IPV4, { 192, 0, 2, 1 }, 1000 };
	SSL *client = datagram_client();
	uint8_t junk[300] = { 22, 0xFE, 0xFD };

	(void)unused;
	for (unsigned i = 0; i < 2000; i++) {
		for (size_t at = 3; at < sizeof junk; at++) {
			junk[at] = (uint8_t)(i * 31 + at * at * 7 + (at == 13 ? 0 : i / 3));
		}
		junk[13] = 1;
		assert_null(dtls_server_listen(server, &ann, (struct span){ junk, 14 + i % 280 },
					       &to_queue));
		queued = 0;
	}
	const size_t count = hello_of(server, client, &ann, datagram);
	struct tls_session *session =
		dtls_server_listen(server, &ann, (struct span){ datagram, count }, &to_queue);
	assert_non_null(session);
	tls_session_close(session);
	SSL_free(client);
	tls_server_close(server);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(threat_D4_a_session_begins_with_the_cookie_of_its_address),
		cmocka_unit_test(threat_D4_junk_leaves_a_server_as_it_was),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
