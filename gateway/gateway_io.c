#include "gateway/gateway_io.h"

#include <openssl/ssl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>

#include "actors/reload_io.h"
#include "actors/sandbox_io.h"
#include "protocol/log_line_io.h"
#include "protocol/time_io.h"

enum {
	HEADERS_AT_ONCE = 1024,
	HEADER_BYTES_MAX = 4096,
	UPGRADE_WITHIN_S = 10,
	PING_AFTER_S = 20,
	HANG_UP_AFTER_S =
		45, /* of silence, in spite of the ping: a dead client is noticed within a minute */
	LEAVE_WITHIN_US = 3 * 1000 * 1000,
	CLOSE_WITHIN_US = 1000 * 1000,
	MAILBOX_SLOTS = 8,
	RECEIVE_BYTES = 16 * 1024,
	DESCRIPTORS_SPARE = 256,
};

static const struct lws_protocols protocols[] = {
	{ .name = "ifswarm",
	  .callback = socket_callback,
	  .per_session_data_size = sizeof(struct socket),
	  .rx_buffer_size = RECEIVE_BYTES },
	{ 0 },
};

static const lws_retry_bo_t keepalive = { .secs_since_valid_ping = PING_AFTER_S,
					  .secs_since_valid_hangup = HANG_UP_AFTER_S };

/* --- phases ------------------------------------------------------------------------------------
 */

static void
enter_phase(struct gateway *gateway, enum gateway_phase phase)
{
	gateway->phase = phase;
	gateway->phase_since_us = time_monotonic_us();
}

/* The log says that everybody left before anybody sees a socket close. */
static void
begin_stop(struct gateway *gateway)
{
	struct connection *each = NULL;

	if (gateway->phase != GATEWAY_SERVES) {
		return;
	}
	enter_phase(gateway, GATEWAY_TAKES_LEAVE);
	acceptor_stop(&gateway->acceptor);
	while ((each = connection_next(gateway->connections, each)) != NULL) {
		speak_leave(gateway, each, LEAVE_GATEWAY_STOPPED);
	}
}

static void
close_sockets(struct gateway *gateway)
{
	struct connection *each = NULL;

	enter_phase(gateway, GATEWAY_CLOSES);
	while ((each = connection_next(gateway->connections, each)) != NULL) {
		each->close_reason = LEAVE_GATEWAY_STOPPED;
		socket_close(each);
	}
}

static void
advance_phase(struct gateway *gateway, uint64_t now_us)
{
	const uint64_t since_us = now_us - gateway->phase_since_us;

	if (gateway->phase == GATEWAY_TAKES_LEAVE &&
	    (since_us > LEAVE_WITHIN_US ||
	     (gateway->late_count == 0 && link_is_quiet(gateway->link)))) {
		close_sockets(gateway);
	} else if (gateway->phase == GATEWAY_CLOSES &&
		   (since_us > CLOSE_WITHIN_US || connections_count(gateway->connections) == 0)) {
		uv_stop(&gateway->loop);
	}
}

/* --- what the loop calls -----------------------------------------------------------------------
 */

static void
on_tick(uv_timer_t *timer)
{
	struct gateway *gateway = timer->data;
	const uint64_t now_us = time_monotonic_us();

	if (gateway->phase == GATEWAY_SERVES) {
		acceptor_tick(&gateway->acceptor, now_us);
	}
	http_tick(gateway, now_us);
	speak_tick(gateway, now_us);
	advance_phase(gateway, now_us);
}

/* After a turn's frames: they travel together. */
static void
on_check(uv_check_t *check)
{
	struct gateway *gateway = check->data;

	if (gateway->dirty) {
		speak_pump(gateway);
	}
}

static void
on_link(uv_poll_t *poll, int status, int events)
{
	(void)status;
	(void)events;
	speak_pump(poll->data);
}

static void
on_roster(uv_poll_t *poll, int status, int events)
{
	(void)status;
	(void)events;
	http_roster_replied(poll->data);
}

static void
on_terminate(uv_signal_t *handle, int number)
{
	(void)number;
	begin_stop(handle->data);
}

/* A ping may bring what the pages tell: [PING, when the log was last read again, findings, what
 * each relay counts]. */
static void
take_ping(struct gateway *gateway, struct mp_reader *r)
{
	const uint64_t ended_s = mp_get_u64(r);
	const uint64_t findings = mp_get_u64(r);
	const size_t relays = mp_get_array(r, RELAYS_MAX);

	for (size_t i = 0; i < relays; i++) {
		turn_tally_read(r, &gateway->facts.tallies[i]);
	}
	if (mp_reader_is_done(r)) {
		gateway->facts.relays = relays;
		gateway->facts.scrub_ended_s = ended_s;
		gateway->facts.scrub_findings = findings;
	}
}

static void
answer_mailbox(struct gateway *gateway, uint32_t slot, struct span request)
{
	struct mp_reader r = mp_reader_of(request);
	uint8_t bytes[32];
	struct mp_writer w = mp_writer_of(bytes, sizeof bytes);

	const size_t elements = mp_get_array(&r, 4);
	const uint64_t type = mp_get_u64(&r);
	if (type == REQUEST_PING && elements == 4) {
		take_ping(gateway, &r);
	}
	const bool known = mp_reader_is_done(&r) && (type == REQUEST_PING || type == REQUEST_STOP);
	const bool reloaded = reload_is(request) && reload_take(request, gateway->start->settings);
	mp_put_array(&w, 3);
	mp_put_u64(&w, known || reloaded ? ACCEPTED : REFUSED_MALFORMED);
	mp_put_u64(&w, link_epoch(gateway->link));
	mp_put_u64(&w, link_state(gateway->link) == LINK_ATTACHED);
	mailbox_answer(gateway->mailbox, slot, mp_written(&w));
	if (known && type == REQUEST_STOP) {
		begin_stop(gateway);
	}
}

static void
on_mailbox(uv_poll_t *poll, int status, int events)
{
	struct gateway *gateway = poll->data;
	struct span request;
	uint32_t slot;

	(void)status;
	(void)events;
	while (mailbox_take(gateway->mailbox, &slot, &request)) {
		answer_mailbox(gateway, slot, request);
	}
}

/* --- start -------------------------------------------------------------------------------------
 */

static void
on_library_line(int level, const char *line)
{
	(void)level;
	log_warning("libwebsockets: %.*s", (int)strcspn(line, "\n"), line);
}

static unsigned
raise_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
		return 1024;
	}
	limit.rlim_cur = limit.rlim_max < SOCKETS_MAX + DESCRIPTORS_SPARE
				 ? limit.rlim_max
				 : SOCKETS_MAX + DESCRIPTORS_SPARE;
	setrlimit(RLIMIT_NOFILE, &limit);
	return (unsigned)limit.rlim_cur;
}

static bool
open_context(struct gateway *gateway)
{
	const struct settings *settings = gateway->start->settings;
	const bool tls = settings->tls_cert.bytes[0] != '\0';
	void *loops[1] = { &gateway->loop };
	struct lws_context_creation_info info = {
		.port = CONTEXT_PORT_NO_LISTEN_SERVER,
		.protocols = protocols,
		.user = gateway,
		.gid = -1,
		.uid = -1,
		.options = LWS_SERVER_OPTION_LIBUV | LWS_SERVER_OPTION_DISABLE_OS_CA_CERTS,
		.foreign_loops = loops,
		.retry_and_idle_policy = &keepalive,
		.timeout_secs = UPGRADE_WITHIN_S,
		.keepalive_timeout = UPGRADE_WITHIN_S,
		.max_http_header_pool = HEADERS_AT_ONCE,
		.max_http_header_data = HEADER_BYTES_MAX,
		.pt_serv_buf_size = RECEIVE_BYTES,
		.fd_limit_per_thread = raise_descriptors(),
		.vhost_name = "ifswarm",
		.server_string = "ifswarm",
	};

	if (tls) {
		info.options |= LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT;
		info.ssl_cert_filepath = settings->tls_cert.bytes;
		info.ssl_private_key_filepath = settings->tls_key.bytes;
		info.ssl_options_set = SSL_OP_NO_TLSv1 | SSL_OP_NO_TLSv1_1;
	}
	lws_set_log_level(LLL_ERR, on_library_line);
	gateway->context = lws_create_context(&info);
	gateway->vhost = gateway->context == NULL
				 ? NULL
				 : lws_get_vhost_by_name(gateway->context, "ifswarm");
	if (gateway->vhost == NULL) {
		log_error("libwebsockets does not start: is the package libwebsockets-evlib-uv "
			  "installed%s?",
			  tls ? ", and can tls-cert and tls-key be read" : "");
	}
	return gateway->vhost != NULL;
}

static bool
open_tables(struct gateway *gateway)
{
	uint64_t seed;

	if (getrandom(&seed, sizeof seed, 0) != sizeof seed) {
		log_error("the kernel gives no random bytes: start on a kernel with getrandom");
		return false;
	}
	gateway->connections = connections_new(CONNECTIONS_MAX, time_now_us(), seed);
	gateway->rosters = rosters_new(AGENTS_MAX, seed);
	gateway->late = calloc(CONNECTIONS_MAX, sizeof *gateway->late);
	if (gateway->connections == NULL || gateway->rosters == NULL || gateway->late == NULL) {
		log_error("no memory for the tables of a gateway: free some, or start on a larger "
			  "host");
		return false;
	}
	integrity_open(&gateway->integrity);
	return true;
}

static bool
open_mailboxes(struct gateway *gateway)
{
	const char *run_dir = gateway->start->run_dir;
	char url[MAILBOX_URL_MAX];
	char name[32];
	char fault[MAILBOX_URL_MAX] = "";

	gateway->link = link_open(run_dir, "session", gateway->start->number, fault, sizeof fault);
	mailbox_url(url, sizeof url, run_dir, "session");
	gateway->roster = gateway->link == NULL ? NULL : mailbox_dial(url, 1, fault, sizeof fault);
	snprintf(name, sizeof name, "gateway-%u", gateway->start->number);
	mailbox_url(url, sizeof url, run_dir, name);
	gateway->mailbox = gateway->roster == NULL
				   ? NULL
				   : mailbox_listen(url, MAILBOX_SLOTS, fault, sizeof fault);
	if (gateway->mailbox == NULL) {
		log_error("%s", fault);
	}
	return gateway->mailbox != NULL;
}

static bool
watch(struct gateway *gateway, uv_poll_t *poll, int fd, uv_poll_cb call)
{
	if (uv_poll_init(&gateway->loop, poll, fd) != 0) {
		return false;
	}
	poll->data = gateway;
	return uv_poll_start(poll, UV_READABLE, call) == 0;
}

static bool
start_handles(struct gateway *gateway)
{
	gateway->tick.data = gateway->check.data = gateway->terminate.data = gateway;
	if (uv_timer_init(&gateway->loop, &gateway->tick) != 0 ||
	    uv_timer_start(&gateway->tick, on_tick, TICK_MS, TICK_MS) != 0 ||
	    uv_check_init(&gateway->loop, &gateway->check) != 0 ||
	    uv_check_start(&gateway->check, on_check) != 0 ||
	    uv_signal_init(&gateway->loop, &gateway->terminate) != 0 ||
	    uv_signal_start(&gateway->terminate, on_terminate, SIGTERM) != 0 ||
	    !watch(gateway, &gateway->link_poll, link_fd(gateway->link), on_link) ||
	    !watch(gateway, &gateway->roster_poll, mailbox_client_fd(gateway->roster), on_roster) ||
	    !watch(gateway, &gateway->mailbox_poll, mailbox_server_fd(gateway->mailbox),
		   on_mailbox)) {
		log_error("libuv does not start: raise the limit of open files (ulimit -n)");
		return false;
	}
	gateway->acceptor.loop = &gateway->loop;
	gateway->acceptor.vhost = gateway->vhost;
	gateway->acceptor.start = gateway->start;
	gateway->acceptor.sockets_max = SOCKETS_MAX;
	return acceptor_start(&gateway->acceptor);
}

int
gateway_run(const struct start *start)
{
	static struct gateway gateway;
	const struct sandbox_rules rules = { .writable = { start->run_dir } };

	gateway.start = start;
	gateway.facts.gateway = start->number;
	signal(SIGPIPE, SIG_IGN);
	signal(SIGINT,
	       SIG_IGN); /* a terminal sends it to the whole family; the supervisor stops us */
	if (uv_loop_init(&gateway.loop) != 0 || !open_context(&gateway) || !open_tables(&gateway) ||
	    !sandbox_enter(&rules) || !open_mailboxes(&gateway) || !start_handles(&gateway)) {
		return EXIT_FAILURE;
	}
	uv_run(&gateway.loop, UV_RUN_DEFAULT);
	mailbox_close(gateway.mailbox);
	link_close(gateway.link);
	return gateway.exit_code;
}
