/* Clients over TCP, TLS and DTLS. Messages that are sent together leave together: in one write over
 * a stream, in one call over DTLS; so they are read. All buffers but what of a message is not whole
 * yet are shared: nothing stays in them from one call to the next. */
#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "bench/turn_load.h"
#include "protocol/address_io.h"
#include "protocol/stream.h"

enum {
	READ_BYTES = 64 * 1024,
	RECORD_BYTES = 16 * 1024,
	REST_BYTES = LOAD_DATAGRAM_MAX + 4,
	SEALED_BYTES = 2 * LOAD_BURST_MAX * LOAD_DATAGRAM_MAX,
	PLACE_BYTES = LOAD_DATAGRAM_MAX + 64, /* a sealed datagram */
	MTU = LOAD_DATAGRAM_MAX,
	WAIT_MS = 1000,
	WAITS_MAX = 10,
};

struct load_wire {
	SSL *ssl; /* NULL over TCP */
	int fd;
	bool is_datagrams;
	struct span in; /* sealed bytes that are being taken */
	size_t rest_count;
	uint8_t rest[REST_BYTES]; /* the start of a message */
};

/* What leaves with the next flush: bytes of a stream, or datagrams in places of their own. */
static struct {
	uint8_t memory[SEALED_BYTES];
	size_t count;
	struct mmsghdr headers[LOAD_BURST_MAX];
	struct iovec vectors[LOAD_BURST_MAX];
	unsigned datagrams;
} out;

static struct {
	uint8_t memory[LOAD_BURST_MAX][PLACE_BYTES];
	struct mmsghdr headers[LOAD_BURST_MAX];
	struct iovec vectors[LOAD_BURST_MAX];
} in;

static void
wait_for(const struct load_wire *wire, short events)
{
	struct pollfd wanted = { .fd = wire->fd, .events = events };

	if (poll(&wanted, 1, WAIT_MS) == 0 && events == POLLOUT) {
		load_fail("the server has not read for %d s", WAIT_MS / 1000);
	}
}

static void
send_stream(const struct load_wire *wire, struct span bytes)
{
	size_t done = 0;

	while (done < bytes.count) {
		const ssize_t sent = send(wire->fd, bytes.at + done, bytes.count - done,
					  MSG_DONTWAIT | MSG_NOSIGNAL);
		if (sent > 0) {
			done += (size_t)sent;
		} else if (errno == EAGAIN) {
			wait_for(wire, POLLOUT);
		} else {
			load_fail("a connection broke: %s", strerror(errno));
		}
	}
}

static void
flush(const struct load_wire *wire)
{
	if (wire->is_datagrams && out.datagrams > 0) {
		sendmmsg(wire->fd, out.headers, out.datagrams, 0);
	} else if (out.count > 0) {
		send_stream(wire, (struct span){ out.memory, out.count });
	}
	out.count = 0;
	out.datagrams = 0;
}

/* --- the transport, as OpenSSL sees it --- */

static int
bio_read(BIO *bio, char *to, int size)
{
	struct load_wire *wire = BIO_get_data(bio);
	const size_t count = wire->in.count < (size_t)size ? wire->in.count : (size_t)size;

	BIO_clear_retry_flags(bio);
	if (count == 0) {
		BIO_set_retry_read(bio);
		return -1;
	}
	memcpy(to, wire->in.at, count);
	wire->in = (struct span){ wire->in.at + count, wire->in.count - count };
	return (int)count;
}

static int
bio_write(BIO *bio, const char *from, int size)
{
	const struct load_wire *wire = BIO_get_data(bio);
	const size_t count = (size_t)size;

	BIO_clear_retry_flags(bio);
	if (out.datagrams == LOAD_BURST_MAX || out.count + count > sizeof out.memory) {
		flush(wire);
	}
	assert(count <= sizeof out.memory);
	memcpy(out.memory + out.count, from, count);
	if (wire->is_datagrams) {
		out.vectors[out.datagrams] = (struct iovec){ out.memory + out.count, count };
		out.headers[out.datagrams].msg_hdr = (struct msghdr){
			.msg_iov = &out.vectors[out.datagrams],
			.msg_iovlen = 1,
		};
		out.datagrams++;
	}
	out.count += count;
	return size;
}

static long
bio_control(BIO *bio, int command, long number, void *pointer)
{
	(void)bio;
	(void)number;
	(void)pointer;
	return command == BIO_CTRL_FLUSH;
}

static BIO *
bio_of(struct load_wire *wire)
{
	static BIO_METHOD *method;

	if (method == NULL) {
		method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "a socket");
		BIO_meth_set_read(method, bio_read);
		BIO_meth_set_write(method, bio_write);
		BIO_meth_set_ctrl(method, bio_control);
	}
	BIO *bio = BIO_new(method);

	BIO_set_data(bio, wire);
	BIO_set_init(bio, 1);
	return bio;
}

/* --- in --- */

static void
take_frames(struct load *load, struct load_client *client, uint8_t *bytes, size_t count,
	    load_take *take)
{
	struct load_wire *wire = client->wire;
	const uint64_t at_ns = load_now_ns();
	size_t used = 0;
	size_t taken = 0;
	enum stream_verdict verdict;

	while ((verdict = stream_next((struct span){ bytes + used, count - used }, &taken)) ==
	       STREAM_MESSAGE) {
		take(load, client, (struct span){ bytes + used, taken }, at_ns);
		used += taken;
	}
	wire->rest_count = count - used;
	if (verdict == STREAM_BROKEN || wire->rest_count > sizeof wire->rest) {
		load_fail("a stream came that is neither STUN nor ChannelData");
	}
	memcpy(wire->rest, bytes + used, wire->rest_count);
}

static void
read_stream(struct load *load, struct load_client *client, load_take *take)
{
	static uint8_t sealed[READ_BYTES];
	static uint8_t plain[REST_BYTES + READ_BYTES + RECORD_BYTES];
	struct load_wire *wire = client->wire;
	size_t count = wire->rest_count;
	size_t got_plain = 0;
	const ssize_t got = recv(wire->fd, wire->ssl == NULL ? plain + count : sealed, READ_BYTES,
				 MSG_DONTWAIT);

	if (got == 0 || (got < 0 && errno != EAGAIN)) {
		load_fail("the server closed a connection");
	}
	if (got < 0) {
		return;
	}
	memcpy(plain, wire->rest, wire->rest_count);
	if (wire->ssl == NULL) {
		count += (size_t)got;
	} else {
		wire->in = (struct span){ sealed, (size_t)got };
		while (SSL_read_ex(wire->ssl, plain + count, sizeof plain - count, &got_plain) ==
		       1) {
			count += got_plain;
		}
		flush(wire);
	}
	take_frames(load, client, plain, count, take);
}

static unsigned
receive(const struct load_wire *wire)
{
	for (unsigned i = 0; i < LOAD_BURST_MAX; i++) {
		in.vectors[i] = (struct iovec){ in.memory[i], PLACE_BYTES };
		in.headers[i].msg_hdr =
			(struct msghdr){ .msg_iov = &in.vectors[i], .msg_iovlen = 1 };
	}
	const int count = recvmmsg(wire->fd, in.headers, LOAD_BURST_MAX, MSG_DONTWAIT, NULL);

	return count < 0 ? 0 : (unsigned)count;
}

static void
read_datagrams(struct load *load, struct load_client *client, load_take *take)
{
	struct load_wire *wire = client->wire;
	static uint8_t plain[RECORD_BYTES];
	const unsigned count = receive(wire);
	const uint64_t at_ns = load_now_ns();

	for (unsigned i = 0; i < count; i++) {
		size_t got = 0;
		wire->in = (struct span){ in.memory[i], in.headers[i].msg_len };
		while (SSL_read_ex(wire->ssl, plain, sizeof plain, &got) == 1) {
			take(load, client, (struct span){ plain, got }, at_ns);
		}
	}
	flush(wire);
}

void
load_wire_read(struct load *load, struct load_client *client, load_take *take)
{
	if (client->wire->is_datagrams) {
		read_datagrams(load, client, take);
	} else {
		read_stream(load, client, take);
	}
}

/* --- out --- */

static void
seal(struct load_wire *wire, struct span plain)
{
	size_t written = 0;

	if (SSL_write_ex(wire->ssl, plain.at, plain.count, &written) != 1) {
		load_fail("a session broke");
	}
}

void
load_wire_send(struct load *load, struct load_client *client, struct span messages, size_t each)
{
	struct load_wire *wire = client->wire;

	(void)load;
	if (wire->ssl == NULL) {
		send_stream(wire, messages);
		return;
	}
	if (!wire->is_datagrams) {
		seal(wire, messages);
	}
	for (size_t at = 0; wire->is_datagrams && at < messages.count; at += each) {
		seal(wire, (struct span){ messages.at + at, each });
	}
	flush(wire);
}

/* --- the beginning --- */

/* Of both versions the ciphers that hardware is made for, so that servers' choices are alike. */
static SSL_CTX *
context_of(enum load_transport transport)
{
	static SSL_CTX *context;

	if (context == NULL) {
		context = SSL_CTX_new(transport == LOAD_DTLS ? DTLS_client_method()
							     : TLS_client_method());
		SSL_CTX_set_options(context, SSL_OP_NO_QUERY_MTU);
		if (context == NULL ||
		    SSL_CTX_set_cipher_list(context, "ECDHE-ECDSA-AES256-GCM-SHA384") != 1 ||
		    SSL_CTX_set_ciphersuites(context, "TLS_AES_256_GCM_SHA384") != 1) {
			load_fail("OpenSSL has no AES-256-GCM");
		}
	}
	return context;
}

static void
receive_sealed(struct load_wire *wire)
{
	static uint8_t sealed[READ_BYTES];
	const ssize_t got = recv(wire->fd, sealed, sizeof sealed, MSG_DONTWAIT);

	wire->in = got > 0 ? (struct span){ sealed, (size_t)got } : (struct span){ 0 };
	if (got == 0 && !wire->is_datagrams) {
		load_fail("the server closed a connection in its handshake");
	}
}

static void
shake_hands(struct load_wire *wire)
{
	int waits = 0;

	while (SSL_do_handshake(wire->ssl) != 1) {
		if (SSL_get_error(wire->ssl, -1) != SSL_ERROR_WANT_READ || waits++ > WAITS_MAX) {
			load_fail("the handshake failed");
		}
		flush(wire);
		wait_for(wire, POLLIN);
		if (wire->is_datagrams) {
			DTLSv1_handle_timeout(wire->ssl);
		}
		receive_sealed(wire);
	}
	flush(wire);
}

static void
secure(struct load_wire *wire, enum load_transport transport)
{
	wire->ssl = SSL_new(context_of(transport));
	if (wire->ssl == NULL) {
		load_fail("no memory for a session");
	}
	BIO *bio = bio_of(wire);

	SSL_set_bio(wire->ssl, bio, bio);
	SSL_set_connect_state(wire->ssl);
	if (wire->is_datagrams) {
		SSL_set_mtu(wire->ssl, MTU);
	}
	shake_hands(wire);
}

static void
connect_stream(const struct load *load, int fd)
{
	const int one = 1;
	struct sockaddr_storage where;
	const socklen_t length = address_to_sockaddr(&load->server, &where);

	if (connect(fd, (struct sockaddr *)&where, length) != 0) {
		load_fail("cannot connect a client: %s", strerror(errno));
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
}

void
load_wire_open(struct load *load, struct load_client *client)
{
	struct load_wire *wire = calloc(1, sizeof *wire);

	assert(wire != NULL);
	client->wire = wire;
	wire->fd = client->fd;
	wire->is_datagrams = load->transport == LOAD_DTLS;
	if (!wire->is_datagrams) {
		connect_stream(load, client->fd);
	}
	if (load->transport != LOAD_TCP) {
		secure(wire, load->transport);
	}
}
