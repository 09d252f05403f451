/* An actor that answers HTTP and asks the witness: libwebsockets on libuv in one thread, the
 * supervisor's listening socket, a mailbox for PING, STOP and RELOAD, lanes to the witness. What it
 * is for stands in its kind; the process of each embeds a `struct http_actor` as its first member,
 * and is the context user of libwebsockets.
 */
#ifndef IFSWARM_GATEWAY_HTTP_ACTOR_IO_H
#define IFSWARM_GATEWAY_HTTP_ACTOR_IO_H

#include <libwebsockets.h>
#include <uv.h>

#include "actors/mailbox_io.h"
#include "gateway/acceptor_io.h"

struct http_actor;

struct http_actor_kind {
	const char *name;     /* of its mailbox */
	const char *protocol; /* of its only libwebsockets protocol, and of the vhost */
	lws_callback_function *callback;
	size_t socket_bytes; /* what libwebsockets keeps for each connection */
	size_t sockets_max;
	unsigned short headers_at_once;
	int keepalive_s;
	size_t lanes; /* to the witness */

	/* Tables and memory, before the sandbox. False: it was logged. */
	bool (*open)(struct http_actor *actor);
	/* The witness may have answered: at once, and with each tick. */
	void (*pump)(struct http_actor *actor);
	/* Nothing waits any more: it may end. NULL: whoever waits asks again elsewhere. */
	bool (*is_idle)(const struct http_actor *actor);
	/* Of the stream that it writes; NULL if it writes none. */
	uint64_t (*epoch)(const struct http_actor *actor);
	/* The settings are others. NULL: only the log level is its own. */
	void (*reloaded)(struct http_actor *actor);
};

enum { HTTP_ACTOR_TICK_MS = 100 };

struct http_actor {
	const struct http_actor_kind *kind;
	const struct start *start;
	uv_loop_t loop;
	uv_timer_t tick;
	uv_signal_t terminate;
	uv_poll_t witness_poll;
	uv_poll_t mailbox_poll;
	struct lws_protocols protocols[2];
	struct lws_context *context;
	struct lws_vhost *vhost;
	struct acceptor acceptor;
	struct mailbox_client *witness;
	struct mailbox_server *mailbox;
	bool stopping;
	uint64_t stop_us;
	int exit_code;
};

/* Runs until SIGTERM or STOP. Returns the process's exit code. */
int http_actor_run(struct http_actor *actor, const struct http_actor_kind *kind,
		   const struct start *start);
/* The log has decided otherwise than it can go on with: the process ends, and is started anew. */
void http_actor_fail(struct http_actor *actor);

#endif
