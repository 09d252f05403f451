#include "gateway/cosigner_io.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "actors/anchor_config_io.h"
#include "actors/reload_io.h"
#include "actors/sandbox_io.h"
#include "protocol/log_line_io.h"
#include "protocol/message.h"
#include "protocol/time_io.h"

enum {
	HEADERS_AT_ONCE = 64,
	HEADER_BYTES_MAX = 4096,
	BODY_WITHIN_S = 10,
	KEEPALIVE_S = 60,
	RECEIVE_BYTES = 16 * 1024,
	MAILBOX_SLOTS = 8,
	REQUEST_BYTES_MAX = ADD_CHECKPOINT_BODY_MAX + 16,
	STATUS_BUSY = 503,
};

static const struct lws_protocols protocols[] = {
	{ .name = "cosigner",
	  .callback = cosigner_http_callback,
	  .per_session_data_size = sizeof(struct cosigner_socket),
	  .rx_buffer_size = RECEIVE_BYTES },
	{ 0 },
};

/* --- the witness ---------------------------------------------------------------------------------
 */

bool
cosigner_ask(struct cosigner_process *p, struct cosigner_socket *owner, struct span body)
{
	struct mp_writer w = mp_writer_of(p->scratch, REQUEST_BYTES_MAX);

	for (size_t lane = 0; lane < COSIGNER_LANES; lane++) {
		if (p->lanes[lane].is_taken || !mailbox_lane_is_free(p->witness, lane)) {
			continue;
		}
		mp_put_array(&w, 2);
		mp_put_u64(&w, REQUEST_COSIGN);
		mp_put_bin(&w, body.at, body.count);
		mailbox_request(p->witness, lane, mp_written(&w));
		p->lanes[lane].is_taken = true;
		p->lanes[lane].owner = owner;
		return true;
	}
	return false;
}

void
cosigner_forget(struct cosigner_process *p, const struct cosigner_socket *owner)
{
	for (size_t lane = 0; lane < COSIGNER_LANES; lane++) {
		if (p->lanes[lane].owner == owner) {
			p->lanes[lane].owner = NULL;
		}
	}
}

static void
take_replies(struct cosigner_process *p)
{
	struct span reply;
	size_t lane = 0;

	while (mailbox_reply(p->witness, &lane, &reply)) {
		struct cosigner_socket *owner = p->lanes[lane].owner;
		struct mp_reader r = mp_reader_of(reply);
		enum verdict verdict = REFUSED_MALFORMED;

		p->lanes[lane].is_taken = false;
		p->lanes[lane].owner = NULL;
		mp_get_array(&r, 3);
		const bool is_known = verdict_from_number(mp_get_u64(&r), &verdict);
		const uint64_t status = mp_get_u64(&r);
		const struct span text = mp_get_str(&r, COSIGNER_TEXT_MAX);
		if (owner == NULL) {
			continue;
		}
		if (is_known && verdict == ACCEPTED && mp_reader_is_done(&r)) {
			cosigner_http_answer(owner, (unsigned)status, text);
		} else {
			cosigner_http_answer(owner, STATUS_BUSY, (struct span){ NULL, 0 });
		}
	}
}

/* --- what the loop calls -------------------------------------------------------------------------
 */

static void
stop(struct cosigner_process *p)
{
	p->stopping = true;
	acceptor_stop(&p->acceptor);
	uv_stop(&p->loop);
}

static void
on_tick(uv_timer_t *timer)
{
	struct cosigner_process *p = timer->data;

	take_replies(p);
	if (!p->stopping) {
		acceptor_tick(&p->acceptor, time_monotonic_us());
	}
}

static void
on_witness(uv_poll_t *poll, int status, int events)
{
	(void)status;
	(void)events;
	take_replies(poll->data);
}

static void
on_terminate(uv_signal_t *handle, int number)
{
	(void)number;
	stop(handle->data);
}

static void
on_mailbox(uv_poll_t *poll, int status, int events)
{
	struct cosigner_process *p = poll->data;
	struct span request;
	uint32_t slot;

	(void)status;
	(void)events;
	while (mailbox_take(p->mailbox, &slot, &request)) {
		struct mp_reader r = mp_reader_of(request);
		uint8_t bytes[32];
		struct mp_writer w = mp_writer_of(bytes, sizeof bytes);

		mp_get_array(&r, 1);
		const uint64_t type = mp_get_u64(&r);
		const bool known =
			mp_reader_is_done(&r) && (type == REQUEST_PING || type == REQUEST_STOP);
		/* Of what a reload changes only the log level is ours. */
		const bool reloaded =
			reload_is(request) && reload_take(request, p->start->settings);
		mp_put_array(&w, 3);
		mp_put_u64(&w, known || reloaded ? ACCEPTED : REFUSED_MALFORMED);
		mp_put_u64(&w, 0); /* no epoch: it writes no stream */
		mp_put_u64(&w, known);
		mailbox_answer(p->mailbox, slot, mp_written(&w));
		if (known && type == REQUEST_STOP) {
			stop(p);
		}
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
open_context(struct cosigner_process *p)
{
	void *loops[1] = { &p->loop };
	struct lws_context_creation_info info = {
		.port = CONTEXT_PORT_NO_LISTEN_SERVER,
		.protocols = protocols,
		.user = p,
		.gid = -1,
		.uid = -1,
		.options = LWS_SERVER_OPTION_LIBUV | LWS_SERVER_OPTION_DISABLE_OS_CA_CERTS,
		.foreign_loops = loops,
		.timeout_secs = BODY_WITHIN_S,
		.keepalive_timeout = KEEPALIVE_S,
		.max_http_header_pool = HEADERS_AT_ONCE,
		.max_http_header_data = HEADER_BYTES_MAX,
		.pt_serv_buf_size = RECEIVE_BYTES,
		.vhost_name = "cosigner",
		.server_string = "ifswarm",
	};

	lws_set_log_level(LLL_ERR, on_library_line);
	p->context = lws_create_context(&info);
	p->vhost = p->context == NULL ? NULL : lws_get_vhost_by_name(p->context, "cosigner");
	if (p->vhost == NULL) {
		log_error("libwebsockets does not start: is the package libwebsockets-evlib-uv "
			  "installed?");
	}
	return p->vhost != NULL;
}

static bool
open_tables(struct cosigner_process *p)
{
	char fault[ANCHOR_FAULT_MAX];
	uint64_t seed = 0;

	if (getrandom(&seed, sizeof seed, 0) != (ssize_t)sizeof seed ||
	    (p->scratch = malloc(REQUEST_BYTES_MAX)) == NULL) {
		log_error("no memory or no random bytes at start");
		return false;
	}
	limit_init(&p->limit, COSIGNER_RATE, seed);
	if (!anchor_logs_read(p->start->settings, &p->logs, fault)) {
		log_error("%s", fault);
		return false;
	}
	return true;
}

static bool
open_mailboxes(struct cosigner_process *p)
{
	char url[MAILBOX_URL_MAX];
	char fault[MAILBOX_URL_MAX] = "";

	mailbox_url(url, sizeof url, p->start->run_dir, "witness");
	p->witness = mailbox_dial(url, COSIGNER_LANES, fault, sizeof fault);
	mailbox_url(url, sizeof url, p->start->run_dir, "cosigner");
	p->mailbox =
		p->witness == NULL ? NULL : mailbox_listen(url, MAILBOX_SLOTS, fault, sizeof fault);
	if (p->mailbox == NULL) {
		log_error("%s", fault);
	}
	return p->mailbox != NULL;
}

static bool
watch(struct cosigner_process *p, uv_poll_t *poll, int fd, uv_poll_cb call)
{
	if (uv_poll_init(&p->loop, poll, fd) != 0) {
		return false;
	}
	poll->data = p;
	return uv_poll_start(poll, UV_READABLE, call) == 0;
}

static bool
start_handles(struct cosigner_process *p)
{
	p->tick.data = p->terminate.data = p;
	if (uv_timer_init(&p->loop, &p->tick) != 0 ||
	    uv_timer_start(&p->tick, on_tick, COSIGNER_TICK_MS, COSIGNER_TICK_MS) != 0 ||
	    uv_signal_init(&p->loop, &p->terminate) != 0 ||
	    uv_signal_start(&p->terminate, on_terminate, SIGTERM) != 0 ||
	    !watch(p, &p->witness_poll, mailbox_client_fd(p->witness), on_witness) ||
	    !watch(p, &p->mailbox_poll, mailbox_server_fd(p->mailbox), on_mailbox)) {
		log_error("libuv does not start: raise the limit of open files (ulimit -n)");
		return false;
	}
	p->acceptor.loop = &p->loop;
	p->acceptor.vhost = p->vhost;
	p->acceptor.start = p->start;
	p->acceptor.sockets_max = COSIGNER_SOCKETS_MAX;
	return acceptor_start(&p->acceptor);
}

int
cosigner_run(const struct start *start)
{
	static struct cosigner_process process;
	const struct sandbox_rules rules = { .writable = { start->run_dir } };

	process.start = start;
	signal(SIGPIPE, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	if (uv_loop_init(&process.loop) != 0 || !open_context(&process) || !open_tables(&process) ||
	    !sandbox_enter(&rules) || !open_mailboxes(&process) || !start_handles(&process)) {
		return EXIT_FAILURE;
	}
	uv_run(&process.loop, UV_RUN_DEFAULT);
	mailbox_close(process.mailbox);
	mailbox_hang_up(process.witness);
	return process.exit_code;
}
