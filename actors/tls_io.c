#include "actors/tls_io.h"

#include <assert.h>
#include <openssl/err.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actors/certificate_io.h"

enum { COOKIE_SECRET_BYTES = 32, COOKIE_BYTES = 32 };

struct tls_server {
	enum tls_kind kind;
	SSL_CTX *context;
	struct tls_session *listening; /* hears the ClientHellos of strangers; NULL: to be made */
	uint8_t cookie_secret[COOKIE_SECRET_BYTES];
};

struct tls_session {
	SSL *ssl;
	enum tls_kind kind;
	struct tls_out out;
	struct span in; /* what is being taken */
	/* While it listens; else NULL. */
	const struct tls_server *server;
	const struct address *client;
	bool broken; /* nothing more may be said over it */
};

/* --- the transport, as OpenSSL sees it --- */

static int
bio_read(BIO *bio, char *to, int size)
{
	struct tls_session *session = BIO_get_data(bio);
	const size_t room = size < 0 ? 0 : (size_t)size;
	const size_t count = session->in.count < room ? session->in.count : room;

	BIO_clear_retry_flags(bio);
	if (count == 0) {
		BIO_set_retry_read(bio);
		return -1;
	}
	memcpy(to, session->in.at, count);
	/* A datagram is read once: what of it finds no room is no record. */
	session->in = session->kind == TLS_DATAGRAMS
			      ? (struct span){ 0 }
			      : (struct span){ session->in.at + count, session->in.count - count };
	return (int)count;
}

static int
bio_write(BIO *bio, const char *from, int size)
{
	struct tls_session *session = BIO_get_data(bio);
	const struct span sealed = { (const uint8_t *)from, (size_t)size };

	BIO_clear_retry_flags(bio);
	if (session->out.send(session->out.context, sealed)) {
		return size;
	}
	session->broken = true;
	return -1;
}

static long
bio_control(BIO *bio, int command, long number, void *pointer)
{
	(void)bio;
	(void)number;
	(void)pointer;
	return command == BIO_CTRL_FLUSH;
}

/* Made once, and kept: sessions outlive the server they came from. */
static BIO_METHOD *
bio_method(void)
{
	static BIO_METHOD *method;

	if (method == NULL) {
		method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "a transport");
		if (method != NULL) {
			BIO_meth_set_read(method, bio_read);
			BIO_meth_set_write(method, bio_write);
			BIO_meth_set_ctrl(method, bio_control);
		}
	}
	return method;
}

/* --- the server --- */

/* RFC 7301 section 3.1: a list of names, each behind its length; OpenSSL has checked that. */
static bool
offers(const unsigned char *list, unsigned count, const char *name, const unsigned char **out)
{
	const size_t length = strlen(name);

	for (unsigned at = 0; at < count; at += list[at] + 1u) {
		if (list[at] == length && memcmp(list + at + 1, name, length) == 0) {
			*out = list + at + 1;
			return true;
		}
	}
	return false;
}

static int
choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *length,
		const unsigned char *list, unsigned count, void *context)
{
	static const char *const names[] = { "stun.turn", "stun.nat-discovery" };

	(void)ssl;
	(void)context;
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		if (offers(list, count, names[i], out)) {
			*length = (unsigned char)strlen(names[i]);
			return SSL_TLSEXT_ERR_OK;
		}
	}
	return SSL_TLSEXT_ERR_ALERT_FATAL; /* no_application_protocol */
}

/* What only who hears at that address can know. */
static bool
make_cookie(const struct tls_session *session, unsigned char out[COOKIE_BYTES])
{
	const struct address *client = session->client;
	uint8_t where[1 + sizeof client->bytes + 2] = { client->family };

	memcpy(where + 1, client->bytes, sizeof client->bytes);
	where[1 + sizeof client->bytes] = (uint8_t)(client->port >> 8);
	where[2 + sizeof client->bytes] = (uint8_t)client->port;
	return HMAC(EVP_sha256(), session->server->cookie_secret, COOKIE_SECRET_BYTES, where,
		    sizeof where, out, NULL) != NULL;
}

static int
give_cookie(SSL *ssl, unsigned char *cookie, unsigned *length)
{
	*length = COOKIE_BYTES;
	return make_cookie(SSL_get_app_data(ssl), cookie);
}

/* OpenSSL asks again when it answers the ClientHello that had the right one. */
static int
check_cookie(SSL *ssl, const unsigned char *cookie, unsigned length)
{
	const struct tls_session *session = SSL_get_app_data(ssl);
	unsigned char wanted[COOKIE_BYTES];

	return session->client == NULL || (length == COOKIE_BYTES && make_cookie(session, wanted) &&
					   CRYPTO_memcmp(cookie, wanted, COOKIE_BYTES) == 0);
}

static bool
configure_datagrams(struct tls_server *server)
{
	SSL_CTX_set_options(server->context, SSL_OP_NO_QUERY_MTU | SSL_OP_COOKIE_EXCHANGE);
	SSL_CTX_set_max_cert_list(server->context, TLS_RECORD_BYTES); /* of any message */
	SSL_CTX_set_cookie_generate_cb(server->context, give_cookie);
	SSL_CTX_set_cookie_verify_cb(server->context, check_cookie);
	return RAND_bytes(server->cookie_secret, COOKIE_SECRET_BYTES) == 1 &&
	       SSL_CTX_set_min_proto_version(server->context, DTLS1_2_VERSION) == 1;
}

static bool
configure(struct tls_server *server)
{
	SSL_CTX *context = server->context;

	SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
					     SSL_OP_CIPHER_SERVER_PREFERENCE |
					     SSL_OP_PRIORITIZE_CHACHA);
	SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_alpn_select_cb(context, choose_protocol, NULL);
	return (server->kind == TLS_DATAGRAMS
			? configure_datagrams(server)
			: SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) == 1) &&
	       SSL_CTX_set_cipher_list(context, "ECDHE+AESGCM:ECDHE+CHACHA20") == 1;
}

/* The server's own certificate comes first, those between it and the root behind. */
static bool
use_chain(SSL_CTX *context, struct span pem)
{
	BIO *bio = BIO_new_mem_buf(pem.at, (int)pem.count);
	X509 *next = bio == NULL ? NULL : PEM_read_bio_X509(bio, NULL, NULL, NULL);
	bool used = next != NULL && SSL_CTX_use_certificate(context, next) == 1;

	X509_free(next);
	while (used && (next = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL) {
		used = SSL_CTX_add0_chain_cert(context, next) == 1;
		if (!used) {
			X509_free(next);
		}
	}
	BIO_free(bio);
	return used;
}

static bool
use_key(SSL_CTX *context, struct span pem)
{
	BIO *bio = BIO_new_mem_buf(pem.at, (int)pem.count);
	EVP_PKEY *key = bio == NULL ? NULL : PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
	const bool used = key != NULL && SSL_CTX_use_PrivateKey(context, key) == 1;

	EVP_PKEY_free(key);
	BIO_free(bio);
	return used;
}

struct tls_server *
tls_server_open(enum tls_kind kind, struct span certificate, char fault[TLS_FAULT_MAX])
{
	struct tls_server *server = calloc(1, sizeof *server);
	struct span chain;
	struct span key;

	ERR_clear_error();
	if (server != NULL) {
		server->kind = kind;
		server->context = SSL_CTX_new(kind == TLS_DATAGRAMS ? DTLS_server_method()
								    : TLS_server_method());
	}
	if (server != NULL && server->context != NULL && configure(server) &&
	    certificate_parts(certificate, &chain, &key) && use_chain(server->context, chain) &&
	    use_key(server->context, key)) {
		ERR_clear_error(); /* the end of the chain was one */
		return server;
	}
	const char *reason = ERR_reason_error_string(ERR_peek_last_error());

	snprintf(fault, TLS_FAULT_MAX, "the certificate cannot be served: %s",
		 reason == NULL ? "it is not what the supervisor packs" : reason);
	ERR_clear_error();
	tls_server_close(server);
	return NULL;
}

void
tls_server_close(struct tls_server *server)
{
	if (server != NULL) {
		if (server->listening != NULL) {
			tls_session_close(server->listening);
		}
		SSL_CTX_free(server->context);
		explicit_bzero(server, sizeof *server);
		free(server);
	}
}

/* --- sessions --- */

struct tls_session *
tls_session_open(const struct tls_server *server, const struct tls_out *out)
{
	struct tls_session *session = calloc(1, sizeof *session);
	BIO *bio = bio_method() == NULL ? NULL : BIO_new(bio_method());

	if (session != NULL) {
		session->ssl = SSL_new(server->context);
	}
	if (session == NULL || bio == NULL || session->ssl == NULL) {
		BIO_free(bio);
		if (session != NULL) {
			SSL_free(session->ssl);
		}
		free(session);
		return NULL;
	}
	session->kind = server->kind;
	session->out = *out;
	SSL_set_app_data(session->ssl, session);
	BIO_set_data(bio, session);
	BIO_set_init(bio, 1);
	SSL_set_bio(session->ssl, bio, bio);
	SSL_set_accept_state(session->ssl);
	return session;
}

void
tls_session_finish(struct tls_session *session)
{
	if (!session->broken && tls_session_is_open(session)) {
		ERR_clear_error();
		SSL_shutdown(session->ssl);
		ERR_clear_error();
	}
}

void
tls_session_close(struct tls_session *session)
{
	tls_session_finish(session);
	SSL_free(session->ssl);
	free(session);
}

bool
tls_session_is_open(const struct tls_session *session)
{
	return SSL_is_init_finished(session->ssl);
}

/* After a call that gave nothing: false if the session has ended. */
static bool
has_taken_all(struct tls_session *session)
{
	const int why = SSL_get_error(session->ssl, 0);
	const bool goes_on = !session->broken && why == SSL_ERROR_WANT_READ;

	session->broken |= !goes_on && why != SSL_ERROR_ZERO_RETURN;
	ERR_clear_error();
	assert(!goes_on || session->in.count == 0);
	session->in = (struct span){ 0 };
	return goes_on;
}

bool
tls_session_take(struct tls_session *session, struct span sealed, uint8_t *plain, size_t *count)
{
	const size_t room = sealed.count + TLS_RECORD_BYTES;
	size_t used = 0;
	size_t got = 0;

	session->in = sealed;
	ERR_clear_error();
	while (!session->broken &&
	       SSL_read_ex(session->ssl, plain + used, room - used, &got) == 1) {
		used += got;
		assert(used <= room);
	}
	*count = used;
	return has_taken_all(session);
}

bool
tls_session_send(struct tls_session *session, struct span plain)
{
	size_t written = 0;

	assert(plain.count > 0);
	assert(plain.count <= TLS_SESSION_PLAIN_MAX);
	ERR_clear_error();
	if (session->broken || SSL_write_ex(session->ssl, plain.at, plain.count, &written) != 1) {
		session->broken = true;
		ERR_clear_error();
	}
	return !session->broken;
}

size_t
tls_sealed_bytes(size_t plain)
{
	return plain + (plain / TLS_RECORD_BYTES + 1) * TLS_RECORD_OVERHEAD_BYTES;
}

/* --- datagrams --- */

static bool
listen_to(struct tls_session *session)
{
	BIO_ADDR *nowhere = BIO_ADDR_new(); /* where it came from is ours to know */

	ERR_clear_error();
	const bool is_there = nowhere != NULL && DTLSv1_listen(session->ssl, nowhere) == 1;
	ERR_clear_error();
	BIO_ADDR_free(nowhere);
	return is_there;
}

struct tls_session *
dtls_server_listen(struct tls_server *server, const struct address *client, struct span datagram,
		   const struct tls_out *out)
{
	assert(server->kind == TLS_DATAGRAMS);
	if (server->listening == NULL) {
		server->listening = tls_session_open(server, out);
	}
	struct tls_session *session = server->listening;
	if (session == NULL) {
		return NULL;
	}
	session->out = *out;
	session->in = datagram;
	session->server = server;
	session->client = client;
	const bool is_there = listen_to(session);
	session->in = (struct span){ 0 };
	session->server = NULL;
	session->client = NULL;
	if (!is_there) {
		return NULL;
	}
	server->listening = NULL;
	SSL_set_mtu(session->ssl, DTLS_DATAGRAM_BYTES);
	return session;
}

bool
dtls_session_answer(struct tls_session *session, const struct tls_out *out)
{
	session->out = *out;
	ERR_clear_error();
	return SSL_do_handshake(session->ssl) == 1 || has_taken_all(session);
}

bool
dtls_session_take(struct tls_session *session, uint8_t *datagram, size_t count, size_t room,
		  void (*message)(void *context, struct span plain), void *context)
{
	size_t used = 0;
	size_t got = 0;

	session->in = (struct span){ datagram, count };
	ERR_clear_error();
	while (!session->broken && room - used >= TLS_RECORD_BYTES &&
	       SSL_read_ex(session->ssl, datagram + used, room - used, &got) == 1) {
		message(context, (struct span){ datagram + used, got });
		used += got;
	}
	/* What was sent before the handshake was over comes after it: nobody has so much to say.
	 * And it has to be taken now: the next datagram will lie where it would be put. */
	session->broken |= room - used < TLS_RECORD_BYTES;
	return has_taken_all(session);
}

bool
dtls_session_tick(struct tls_session *session)
{
	ERR_clear_error();
	session->broken |= DTLSv1_handle_timeout(session->ssl) < 0;
	ERR_clear_error();
	return !session->broken;
}
