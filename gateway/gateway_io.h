/* A gateway as a process: WebSocket and HTTP by libwebsockets on libuv, and the link to session.
 *
 * One thread. Its parts share this struct:
 *   gateway_io.c  starts, runs the loop, stops; answers its mailbox
 *   socket_io.c   libwebsockets' callback: WebSocket
 *   http_io.c     the pages
 *   speak_io.c    frames become commands, notices become frames: the only part that touches the
 * link */
#ifndef IFSWARM_GATEWAY_GATEWAY_IO_H
#define IFSWARM_GATEWAY_GATEWAY_IO_H

#include <libwebsockets.h>
#include <uv.h>

#include "actors/link_io.h"
#include "actors/mailbox_io.h"
#include "actors/relay_refusals.h"
#include "actors/start_io.h"
#include "gateway/acceptor_io.h"
#include "gateway/answer_io.h"
#include "gateway/connections.h"
#include "gateway/pages.h"
#include "gateway/rosters.h"
#include "gateway/socket_address_io.h"
#include "protocol/integrity.h"

enum {
	SOCKETS_MAX = CONNECTIONS_MAX + 1024, /* some speak HTTP only */
	TICK_MS = 100,
};

/* What libwebsockets keeps for each socket. */
struct socket {
	struct lws *wsi;
	struct connection *connection; /* NULL unless it is a WebSocket */
	bool has_said_goodbye;
	uint8_t *fragments; /* a frame that comes in pieces */
	size_t fragment_bytes;

	enum page asked;
	struct answer answer;
	bool waits; /* for session's roster, since */
	uint64_t waits_since_us;
	struct socket *next_waiting;
};

/* A LEAVE that the link had no room for: it must not be forgotten. */
struct late_leave {
	uint64_t connection;
	uint64_t reason;
};

enum gateway_phase {
	GATEWAY_SERVES,
	GATEWAY_TAKES_LEAVE, /* every agent's LEAVE is on its way */
	GATEWAY_CLOSES,      /* the sockets are told */
};

struct gateway {
	const struct start *start;
	uv_loop_t loop;
	uv_timer_t tick;
	uv_check_t check;
	uv_signal_t terminate;
	uv_poll_t link_poll;
	uv_poll_t mailbox_poll;
	uv_poll_t roster_poll;
	struct acceptor acceptor;

	struct lws_context *context;
	struct lws_vhost *vhost;
	struct connections *connections;
	struct rosters *rosters;
	struct link_io *link;
	bool dirty; /* something was given to the link */
	struct mailbox_server *mailbox;
	struct mailbox_client *roster; /* asks session for everybody's roster */
	struct socket *waiting;        /* for its reply */
	struct integrity integrity;
	struct refusals refusals;
	struct id expel_owed; /* the EXPELLED that the link had no room for; none otherwise */
	struct late_leave *late;
	size_t late_count;
	struct page_facts facts;

	enum gateway_phase phase;
	uint64_t phase_since_us;
	int exit_code;
};

/* Runs until SIGTERM, a STOP, or the end of this instance. Returns the process's exit code. */
int gateway_run(const struct start *start);

/* --- socket_io.c --- */
int socket_callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
		    size_t len);
struct gateway *gateway_of(struct lws *wsi);
/* Queues a frame; a reader that is too slow is closed. */
void socket_send(struct gateway *gateway, struct connection *connection, const char *text,
		 size_t count);
/* The socket closes as soon as it can be told so, and soon even if it cannot. */
void socket_close(struct connection *connection);

/* --- http_io.c --- */
int http_request(struct gateway *gateway, struct socket *socket, const char *path);
void http_closed(struct gateway *gateway, struct socket *socket);
/* Session's roster has come, or does not come. */
void http_roster_replied(struct gateway *gateway);
void http_tick(struct gateway *gateway, uint64_t now_us);

/* --- speak_io.c --- */
/* One whole frame from a connection. */
void speak_frame(struct gateway *gateway, struct connection *connection, struct span frame,
		 bool is_text);
/* The gateway itself refuses something. */
void speak_refuse(struct gateway *gateway, struct connection *connection, enum verdict verdict,
		  const struct name *about);
/* The connection is closing: session hears of it once. */
void speak_leave(struct gateway *gateway, struct connection *connection, uint64_t reason);
/* Sends what was given to the link, and takes all notices. */
void speak_pump(struct gateway *gateway);
void speak_tick(struct gateway *gateway, uint64_t now_us);

#endif
