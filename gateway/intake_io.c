#include "gateway/intake_io.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "actors/reload_io.h"
#include "actors/sandbox_io.h"
#include "protocol/log_line_io.h"
#include "protocol/message.h"
#include "protocol/time_io.h"

enum {
	HEADERS_AT_ONCE = 256,
	HEADER_BYTES_MAX = 4096,
	BODY_WITHIN_S = 10,
	KEEPALIVE_S = 30,
	RECEIVE_BYTES = 16 * 1024,
	MAILBOX_SLOTS = 8,
	APPEND_BYTES_MAX = CLAIMS_PER_APPEND_MAX * (SEALED_BYTES_MAX + 256) + 256,
	STOP_WITHIN_US = 3 * 1000 * 1000,
	LANE = 0,
};

static const struct lws_protocols protocols[] = {
	{ .name = "claims",
	  .callback = intake_http_callback,
	  .per_session_data_size = sizeof(struct intake_socket),
	  .rx_buffer_size = RECEIVE_BYTES },
	{ 0 },
};

/* --- the witness
 * ---------------------------------------------------------------------------------- */

static void
send_claim(struct intake_process *p)
{
	uint8_t bytes[64];
	struct mp_writer w = mp_writer_of(bytes, sizeof bytes);

	mp_put_array(&w, 3);
	mp_put_u64(&w, REQUEST_CLAIM);
	mp_put_u64(&w, STREAM_CLAIMED);
	mp_put_str(&w, "intake", strlen("intake"));
	mailbox_request(p->witness, LANE, mp_written(&w));
	p->claiming = true;
}

/* While the disk is full nobody can claim: asked again at the next tick. */
static void
take_claim(struct intake_process *p, struct span reply)
{
	struct mp_reader r = mp_reader_of(reply);
	enum verdict verdict = REFUSED_MALFORMED;

	p->claiming = false;
	mp_get_array(&r, 4);
	if (!verdict_from_number(mp_get_u64(&r), &verdict) || verdict != ACCEPTED) {
		return;
	}
	const uint64_t epoch = mp_get_u64(&r);
	mp_get_u64(&r); /* the log's size */
	const uint64_t version = mp_get_u64(&r);
	if (mp_reader_is_done(&r)) {
		intake_attach(p->intake, epoch, version);
	}
}

static void
fail(struct intake_process *p, enum verdict verdict)
{
	log_error("an append was not taken: %s: starting over", verdict_text(verdict));
	p->exit_code = EXIT_FAILURE;
	uv_stop(&p->loop);
}

static void
take_replies(struct intake_process *p)
{
	struct span reply;
	size_t lane = 0;

	while (mailbox_reply(p->witness, &lane, &reply)) {
		if (p->claiming) {
			take_claim(p, reply);
			continue;
		}
		const enum verdict verdict = intake_appended(p->intake, reply, intake_http_durable);
		if (verdict != ACCEPTED) {
			fail(p, verdict);
			return;
		}
	}
}

void
intake_pump(struct intake_process *p)
{
	struct mp_writer w = mp_writer_of(p->scratch, APPEND_BYTES_MAX);

	take_replies(p);
	if (!mailbox_lane_is_free(p->witness, LANE)) {
		return;
	}
	if (intake_epoch(p->intake) == 0) {
		send_claim(p);
	} else if (intake_append(p->intake, &w)) {
		mailbox_request(p->witness, LANE, mp_written(&w));
	}
}

/* --- what the loop calls
 * ---------------------------------------------------------------------------- */

static void
begin_stop(struct intake_process *p)
{
	if (!p->stopping) {
		p->stopping = true;
		p->stop_us = time_monotonic_us();
		acceptor_stop(&p->acceptor);
	}
}

static void
on_tick(uv_timer_t *timer)
{
	struct intake_process *p = timer->data;
	const uint64_t now_us = time_monotonic_us();

	intake_pump(p);
	if (!p->stopping) {
		acceptor_tick(&p->acceptor, now_us);
	} else if (intake_waiting(p->intake) == 0 || now_us - p->stop_us > STOP_WITHIN_US) {
		uv_stop(&p->loop);
	}
}

static void
on_witness(uv_poll_t *poll, int status, int events)
{
	(void)status;
	(void)events;
	intake_pump(poll->data);
}

static void
on_terminate(uv_signal_t *handle, int number)
{
	(void)number;
	begin_stop(handle->data);
}

static bool
take_reload(struct intake_process *p, struct span request)
{
	const bool taken = reload_take(request, p->start->settings);

	p->limit.rate = taken ? p->start->settings->claims_rate : p->limit.rate;
	return taken;
}

static void
on_mailbox(uv_poll_t *poll, int status, int events)
{
	struct intake_process *p = poll->data;
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
		const bool reloaded = reload_is(request) && take_reload(p, request);
		mp_put_array(&w, 3);
		mp_put_u64(&w, known || reloaded ? ACCEPTED : REFUSED_MALFORMED);
		mp_put_u64(&w, intake_epoch(p->intake));
		mp_put_u64(&w, intake_epoch(p->intake) != 0);
		mailbox_answer(p->mailbox, slot, mp_written(&w));
		if (known && type == REQUEST_STOP) {
			begin_stop(p);
		}
	}
}

/* --- start
 * ------------------------------------------------------------------------------------------ */

static void
random_bytes_of(void *bytes, size_t count)
{
	if (getrandom(bytes, count, 0) != (ssize_t)count) {
		log_error("the kernel gives no random bytes: start on a kernel with getrandom");
		abort();
	}
}

static void
on_library_line(int level, const char *line)
{
	(void)level;
	log_warning("libwebsockets: %.*s", (int)strcspn(line, "\n"), line);
}

static bool
open_context(struct intake_process *p)
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
		.vhost_name = "claims",
		.server_string = "ifswarm",
	};

	lws_set_log_level(LLL_ERR, on_library_line);
	p->context = lws_create_context(&info);
	p->vhost = p->context == NULL ? NULL : lws_get_vhost_by_name(p->context, "claims");
	if (p->vhost == NULL) {
		log_error("libwebsockets does not start: is the package libwebsockets-evlib-uv "
			  "installed?");
	}
	return p->vhost != NULL;
}

static bool
open_tables(struct intake_process *p)
{
	uint64_t seed;

	random_bytes_of(&seed, sizeof seed);
	limit_init(&p->limit, p->start->settings->claims_rate, seed);
	p->intake = intake_new(random_bytes_of);
	p->scratch = malloc(APPEND_BYTES_MAX);
	if (p->intake == NULL || p->scratch == NULL) {
		log_error("out of memory at start");
	}
	return p->intake != NULL && p->scratch != NULL;
}

static bool
open_mailboxes(struct intake_process *p)
{
	char url[MAILBOX_URL_MAX];
	char fault[MAILBOX_URL_MAX] = "";

	mailbox_url(url, sizeof url, p->start->run_dir, "witness");
	p->witness = mailbox_dial(url, 1, fault, sizeof fault);
	mailbox_url(url, sizeof url, p->start->run_dir, "intake");
	p->mailbox =
		p->witness == NULL ? NULL : mailbox_listen(url, MAILBOX_SLOTS, fault, sizeof fault);
	if (p->mailbox == NULL) {
		log_error("%s", fault);
	}
	return p->mailbox != NULL;
}

static bool
watch(struct intake_process *p, uv_poll_t *poll, int fd, uv_poll_cb call)
{
	if (uv_poll_init(&p->loop, poll, fd) != 0) {
		return false;
	}
	poll->data = p;
	return uv_poll_start(poll, UV_READABLE, call) == 0;
}

static bool
start_handles(struct intake_process *p)
{
	p->tick.data = p->terminate.data = p;
	if (uv_timer_init(&p->loop, &p->tick) != 0 ||
	    uv_timer_start(&p->tick, on_tick, INTAKE_TICK_MS, INTAKE_TICK_MS) != 0 ||
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
	p->acceptor.sockets_max = INTAKE_SOCKETS_MAX;
	return acceptor_start(&p->acceptor);
}

int
intake_run(const struct start *start)
{
	static struct intake_process process;
	const struct sandbox_rules rules = { .writable = { start->run_dir } };

	process.start = start;
	signal(SIGPIPE, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	if (uv_loop_init(&process.loop) != 0 || !open_context(&process) || !open_tables(&process) ||
	    !sandbox_enter(&rules) || !open_mailboxes(&process) || !start_handles(&process)) {
		return EXIT_FAILURE;
	}
	intake_pump(&process);
	uv_run(&process.loop, UV_RUN_DEFAULT);
	mailbox_close(process.mailbox);
	mailbox_hang_up(process.witness);
	return process.exit_code;
}
