/* TLS, and DTLS, over somebody else's transport: sealed bytes go in and come out on one side, plain
 * ones on the other. Nothing here knows a socket or waits for anything.
 *
 * TLS and DTLS 1.2 with forward secrecy and authenticated encryption, and TLS 1.3 (RFC 9325). No
 * renegotiation, compression or early data; resumption by tickets, whose keys live and end with the
 * certificate of this process. Of ALPN's names `stun.turn` and `stun.nat-discovery` (RFC 7443) are
 * taken, whoever offers none is served, and whoever offers only others hears
 * no_application_protocol (RFC 7301 section 3.2).
 *
 * A stream's session holds no buffers while it is idle, and during its handshake at most the 128
 * KiB that OpenSSL lets a ClientHello have; one of datagrams holds some 16 KiB each way. OpenSSL
 * takes the buffers of a record from the heap: the one place where a relayed packet does. */
#ifndef IFSWARM_ACTORS_TLS_IO_H
#define IFSWARM_ACTORS_TLS_IO_H

#include "protocol/types.h"

enum {
	TLS_FAULT_MAX = 256,
	TLS_RECORD_BYTES = 16 * 1024,      /* of plain bytes */
	TLS_RECORD_OVERHEAD_BYTES = 64,    /* header, explicit nonce, tag, content type */
	TLS_SESSION_PLAIN_MAX = 96 * 1024, /* what one call of tls_session_send seals */
	DTLS_DATAGRAM_BYTES = 1200,        /* of a handshake: any path takes them whole */
};

/* A certificate and its key, and how they are served. */
struct tls_server;
/* One client's session; it keeps what it needs of its server. */
struct tls_session;

/* Where sealed bytes go: whole, or it says false and the session ends. */
struct tls_out {
	void *context;
	bool (*send)(void *context, struct span sealed);
};

enum tls_kind { TLS_STREAMS, TLS_DATAGRAMS };

/* From a packed certificate (certificate_io.h). NULL with a fault. */
struct tls_server *tls_server_open(enum tls_kind kind, struct span certificate,
				   char fault[TLS_FAULT_MAX]);
/* Sessions that are open stay so. NULL is ignored. */
void tls_server_close(struct tls_server *server);

/* NULL without memory. */
struct tls_session *tls_session_open(const struct tls_server *server, const struct tls_out *out);
/* Says so to the other side, if it still can. */
void tls_session_close(struct tls_session *session);

/* Says that nothing more is sent; the other side may still be heard. */
void tls_session_finish(struct tls_session *session);

/* The handshake is over. */
bool tls_session_is_open(const struct tls_session *session);
/* Takes all of these sealed bytes, and adds what they hold to `plain`: there must be room for as
 * many, and a record more. False if the session has ended; what came before that is there. */
bool tls_session_take(struct tls_session *session, struct span sealed, uint8_t *plain,
		      size_t *count);
/* Seals up to TLS_SESSION_PLAIN_MAX bytes, once the session is open. */
bool tls_session_send(struct tls_session *session, struct span plain);
/* At most so many sealed bytes come of it. */
size_t tls_sealed_bytes(size_t plain);

/* The session of a client of which nothing is known but this datagram, once its ClientHello brings
 * the cookie that its address was sent (RFC 6347 section 4.2.1): the caller's, to be answered. Else
 * NULL, and no state is kept; a ClientHello without it was answered by a HelloVerifyRequest, which
 * is shorter. */
struct tls_session *dtls_server_listen(struct tls_server *server, const struct address *client,
				       struct span datagram, const struct tls_out *out);
/* Answers the ClientHello that it came of, over `out` like all that follows. False if it has ended.
 */
bool dtls_session_answer(struct tls_session *session, const struct tls_out *out);
/* Unseals a datagram in its own place, where there is room for `room` bytes, and hands over the
 * plain bytes of each record; they stay where they are. False if the session has ended. What is not
 * of this session is dropped. */
bool dtls_session_take(struct tls_session *session, uint8_t *datagram, size_t count, size_t room,
		       void (*message)(void *context, struct span plain), void *context);
/* About once a second: repeats what of a handshake was lost. False if that was too often. */
bool dtls_session_tick(struct tls_session *session);

#endif
