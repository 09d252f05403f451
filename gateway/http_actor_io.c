#include "gateway/http_actor_io.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "actors/reload_io.h"
#include "actors/sandbox_io.h"
#include "protocol/log_line_io.h"
#include "protocol/message.h"
#include "protocol/time_io.h"

enum {
	HEADER_BYTES_MAX = 4096,
	BODY_WITHIN_S = 10,
	RECEIVE_BYTES = 16 * 1024,
	MAILBOX_SLOTS = 8,
	STOP_WITHIN_US = 3 * 1000 * 1000,
};

/* --- what the loop calls -------------------------------------------------------------------------
 */

static void
begin_stop(struct http_actor *actor)
{
	if (!actor->stopping) {
		actor->stopping = true;
		actor->stop_us = time_monotonic_us();
		acceptor_stop(&actor->acceptor);
	}
}

void
http_actor_fail(struct http_actor *actor)
{
	actor->exit_code = EXIT_FAILURE;
	uv_stop(&actor->loop);
}

static void
on_tick(uv_timer_t *timer)
{
	struct http_actor *actor = timer->data;
	const uint64_t now_us = time_monotonic_us();

	actor->kind->pump(actor);
	if (!actor->stopping) {
		acceptor_tick(&actor->acceptor, now_us);
	} else if (actor->kind->is_idle == NULL || actor->kind->is_idle(actor) ||
		   now_us - actor->stop_us > STOP_WITHIN_US) {
		uv_stop(&actor->loop);
	}
}

static void
on_witness(uv_poll_t *poll, int status, int events)
{
	struct http_actor *actor = poll->data;

	(void)status;
	(void)events;
	actor->kind->pump(actor);
}

static void
on_terminate(uv_signal_t *handle, int number)
{
	(void)number;
	begin_stop(handle->data);
}

static bool
take_reload(struct http_actor *actor, struct span request)
{
	const bool taken = reload_is(request) && reload_take(request, actor->start->settings);

	if (taken && actor->kind->reloaded != NULL) {
		actor->kind->reloaded(actor);
	}
	return taken;
}

static void
answer_mailbox(struct http_actor *actor, uint32_t slot, struct span request)
{
	const uint64_t epoch = actor->kind->epoch == NULL ? 0 : actor->kind->epoch(actor);
	struct mp_reader r = mp_reader_of(request);
	uint8_t bytes[32];
	struct mp_writer w = mp_writer_of(bytes, sizeof bytes);

	mp_get_array(&r, 1);
	const uint64_t type = mp_get_u64(&r);
	const bool known = mp_reader_is_done(&r) && (type == REQUEST_PING || type == REQUEST_STOP);
	const bool reloaded = take_reload(actor, request);
	mp_put_array(&w, 3);
	mp_put_u64(&w, known || reloaded ? ACCEPTED : REFUSED_MALFORMED);
	mp_put_u64(&w, epoch);
	mp_put_u64(&w, actor->kind->epoch == NULL || epoch != 0);
	mailbox_answer(actor->mailbox, slot, mp_written(&w));
	if (known && type == REQUEST_STOP) {
		begin_stop(actor);
	}
}

static void
on_mailbox(uv_poll_t *poll, int status, int events)
{
	struct http_actor *actor = poll->data;
	struct span request;
	uint32_t slot;

	(void)status;
	(void)events;
	while (mailbox_take(actor->mailbox, &slot, &request)) {
		answer_mailbox(actor, slot, request);
	}
}

/* --- start ---------------------------------------------------------------------------------------
 */

static void
on_library_line(int level, const char *line)
{
	(void)level;
	log_warning("libwebsockets: %.*s", (int)strcspn(line, "\n"), line);
}

static bool
open_context(struct http_actor *actor)
{
	const struct http_actor_kind *kind = actor->kind;
	void *loops[1] = { &actor->loop };
	struct lws_context_creation_info info = {
		.port = CONTEXT_PORT_NO_LISTEN_SERVER,
		.protocols = actor->protocols,
		.user = actor,
		.gid = -1,
		.uid = -1,
		.options = LWS_SERVER_OPTION_LIBUV | LWS_SERVER_OPTION_DISABLE_OS_CA_CERTS,
		.foreign_loops = loops,
		.timeout_secs = BODY_WITHIN_S,
		.keepalive_timeout = kind->keepalive_s,
		.max_http_header_pool = kind->headers_at_once,
		.max_http_header_data = HEADER_BYTES_MAX,
		.pt_serv_buf_size = RECEIVE_BYTES,
		.vhost_name = kind->protocol,
		.server_string = "ifswarm",
	};

	actor->protocols[0] = (struct lws_protocols){ .name = kind->protocol,
						      .callback = kind->callback,
						      .per_session_data_size = kind->socket_bytes,
						      .rx_buffer_size = RECEIVE_BYTES };
	lws_set_log_level(LLL_ERR, on_library_line);
	actor->context = lws_create_context(&info);
	actor->vhost = actor->context == NULL
			       ? NULL
			       : lws_get_vhost_by_name(actor->context, kind->protocol);
	if (actor->vhost == NULL) {
		log_error("libwebsockets does not start: is the package libwebsockets-evlib-uv "
			  "installed?");
	}
	return actor->vhost != NULL;
}

static bool
open_mailboxes(struct http_actor *actor)
{
	char url[MAILBOX_URL_MAX];
	char fault[MAILBOX_URL_MAX] = "";

	mailbox_url(url, sizeof url, actor->start->run_dir, "witness");
	actor->witness = mailbox_dial(url, actor->kind->lanes, fault, sizeof fault);
	mailbox_url(url, sizeof url, actor->start->run_dir, actor->kind->name);
	actor->mailbox = actor->witness == NULL
				 ? NULL
				 : mailbox_listen(url, MAILBOX_SLOTS, fault, sizeof fault);
	if (actor->mailbox == NULL) {
		log_error("%s", fault);
	}
	return actor->mailbox != NULL;
}

static bool
watch(struct http_actor *actor, uv_poll_t *poll, int fd, uv_poll_cb call)
{
	if (uv_poll_init(&actor->loop, poll, fd) != 0) {
		return false;
	}
	poll->data = actor;
	return uv_poll_start(poll, UV_READABLE, call) == 0;
}

static bool
start_handles(struct http_actor *actor)
{
	actor->tick.data = actor->terminate.data = actor;
	if (uv_timer_init(&actor->loop, &actor->tick) != 0 ||
	    uv_timer_start(&actor->tick, on_tick, HTTP_ACTOR_TICK_MS, HTTP_ACTOR_TICK_MS) != 0 ||
	    uv_signal_init(&actor->loop, &actor->terminate) != 0 ||
	    uv_signal_start(&actor->terminate, on_terminate, SIGTERM) != 0 ||
	    !watch(actor, &actor->witness_poll, mailbox_client_fd(actor->witness), on_witness) ||
	    !watch(actor, &actor->mailbox_poll, mailbox_server_fd(actor->mailbox), on_mailbox)) {
		log_error("libuv does not start: raise the limit of open files (ulimit -n)");
		return false;
	}
	actor->acceptor.loop = &actor->loop;
	actor->acceptor.vhost = actor->vhost;
	actor->acceptor.start = actor->start;
	actor->acceptor.sockets_max = actor->kind->sockets_max;
	return acceptor_start(&actor->acceptor);
}

int
http_actor_run(struct http_actor *actor, const struct http_actor_kind *kind,
	       const struct start *start)
{
	const struct sandbox_rules rules = { .writable = { start->run_dir } };

	actor->kind = kind;
	actor->start = start;
	signal(SIGPIPE, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	if (uv_loop_init(&actor->loop) != 0 || !open_context(actor) || !kind->open(actor) ||
	    !sandbox_enter(&rules) || !open_mailboxes(actor) || !start_handles(actor)) {
		return EXIT_FAILURE;
	}
	kind->pump(actor);
	uv_run(&actor->loop, UV_RUN_DEFAULT);
	mailbox_close(actor->mailbox);
	mailbox_hang_up(actor->witness);
	return actor->exit_code;
}
