#include "actors/relay_io.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "actors/relay_icmp_io.h"
#include "actors/relay_process_io.h"
#include "actors/signals_io.h"
#include "protocol/log_line_io.h"
#include "protocol/time_io.h"

enum {
	EVENTS_MAX = 128,
	WAIT_MS = 100,
	LINK_US = 20 * 1000, /* the link is run at least that often */
	TICK_US = 1000 * 1000,
	VIEW_WAIT_US = 3 * 1000 * 1000,  /* then STUN is served without it */
	QUIET_WAIT_US = 3 * 1000 * 1000, /* the last reports, at the end */
};

static bool
sink_ask(void *context, struct command *command)
{
	struct relay_process *process = context;

	command->command_id = link_command_id(process->link);
	process->asked = true;
	return link_send(process->link, command, (struct span){ 0 });
}

void
relay_process_make_room(struct relay_process *process)
{
	if (batch_is_full(process->out)) {
		batch_send(process->out);
	}
}

static bool
is_stream(const struct relay_process *process, uint32_t listener)
{
	const enum client_transport transport = process->config.transports[listener];

	return transport == CLIENT_TCP || transport == CLIENT_TLS;
}

/* False if that listener's clients get plain datagrams. */
static bool
send_over_session(struct relay_process *process, uint32_t listener, const struct address *to,
		  struct span bytes, bool is_data)
{
	switch (process->config.transports[listener]) {
	case CLIENT_UDP:
		return false;
	case CLIENT_TCP:
	case CLIENT_TLS:
		streams_send(process->streams, listener, to, bytes, is_data);
		return true;
	case CLIENT_DTLS:
		dtls_send(process->dtls, listener, to, bytes);
		return true;
	}
	return false;
}

/* Who waits, or pauses, does so after it. */
static void
flush_streams(struct relay_process *process)
{
	if (process->streams != NULL) {
		streams_flush(process->streams);
	}
}

static void
sink_reply(void *context, uint32_t listener, const struct address *to, struct span bytes)
{
	struct relay_process *process = context;

	if (!send_over_session(process, listener, to, bytes, false)) {
		relay_process_make_room(process);
		batch_add_copy(process->out, process->listeners[listener], to, bytes);
	}
}

static uint32_t
sink_open(void *context, const struct address *relayed)
{
	struct relay_process *process = context;

	return relay_sockets_bind_again(&process->sockets, process->hand, relayed);
}

static void
sink_hand(void *context, uint32_t socket, uint64_t relay)
{
	struct relay_process *process = context;

	batch_send(process->out); /* what we send leaves before what the other one sends */
	relay_sockets_rest(&process->sockets, socket);
	relay_hand_give(process->hand, relay, process->sockets.fds[socket]);
}

static void
sink_close(void *context, uint32_t socket)
{
	struct relay_process *process = context;

	if (socket >= RELAY_SOCKETS_MAX) {
		relay_tcp_io_release(process->tcp, socket);
		return;
	}
	batch_send(process->out); /* nothing may be on its way over it */
	relay_sockets_release(&process->sockets, socket);
}

/* SOCKET_NONE if there is no port, or no IP of that family. */
static uint32_t
bind_family(struct relay_process *process, const struct relay_answer *asked, uint8_t family,
	    struct address *relayed)
{
	const struct address *local = &process->config.listeners[asked->from];
	const size_t ip = relay_ips_choose(&process->ips, local, family);

	if (ip == process->ips.count) {
		return SOCKET_NONE;
	}
	return asked->tcp ? relay_tcp_io_bind(process->tcp, ip, relayed)
			  : relay_sockets_bind(&process->sockets, ip, asked->even_port, relayed);
}

/* False if there is no port at all. */
static bool
bind_ports(struct relay_process *process, const struct relay_answer *asked, struct relay_ports *out)
{
	const struct address *local = &process->config.listeners[asked->from];

	*out = (struct relay_ports){ .socket = SOCKET_NONE, .also = SOCKET_NONE };
	if (asked->port_pair) {
		const size_t ip = relay_ips_choose(&process->ips, local, asked->family);
		return ip != process->ips.count &&
		       relay_sockets_bind_pair(&process->sockets, ip, out);
	}
	out->socket = bind_family(process, asked, asked->family, &out->relayed);
	if (asked->family_also != ADDRESS_NONE) {
		out->also = bind_family(process, asked, asked->family_also, &out->relayed_also);
	}
	return out->socket != SOCKET_NONE || out->also != SOCKET_NONE;
}

static void
bind_sockets(struct relay_process *process, const struct relay_answer *asked)
{
	struct relay_ports ports;

	if (!bind_ports(process, asked, &ports)) {
		const struct relay_answer refusal =
			relay_unbound(process->relay, asked->pending, process->now_us);
		relay_process_act(process, &refusal);
		return;
	}
	relay_bound(process->relay, asked->pending, &ports, process->now_us);
}

/* In one piece or not at all (RFC 8656 section 15). */
static void
send_whole(struct relay_process *process, int fd, const struct address *to, struct span bytes)
{
	batch_send(process->out); /* what came before may be fragmented */
	relay_icmp_let_fragment(fd, to->family, false);
	batch_add(process->out, fd, to, bytes);
	batch_send(process->out);
	relay_icmp_let_fragment(fd, to->family, true);
}

static void
send_to_peer(struct relay_process *process, const struct relay_answer *answer)
{
	const int fd = process->sockets.fds[answer->from];
	struct address to = answer->to;

	relay_ips_inward(&process->ips, &to);
	if (answer->dont_fragment) {
		send_whole(process, fd, &to, answer->bytes);
		return;
	}
	relay_process_make_room(process);
	batch_add(process->out, fd, &to, answer->bytes);
}

static void
connect_to_peer(struct relay_process *process, const struct relay_answer *answer)
{
	struct address to = answer->to;

	relay_ips_inward(&process->ips, &to);
	relay_tcp_io_connect(process->tcp, answer->pending, answer->from, &to);
}

void
relay_process_act(struct relay_process *process, const struct relay_answer *answer)
{
	switch (answer->action) {
	case RELAY_DROP:
		break;
	case RELAY_REPLY:
		sink_reply(process, answer->from, &answer->to, answer->bytes);
		break;
	case RELAY_TO_PEER:
		send_to_peer(process, answer);
		break;
	case RELAY_TO_CLIENT:
		if (!send_over_session(process, answer->from, &answer->to, answer->bytes, true)) {
			relay_process_make_room(process);
			batch_add(process->out, process->listeners[answer->from], &answer->to,
				  answer->bytes);
		}
		break;
	case RELAY_BIND:
		bind_sockets(process, answer);
		break;
	case RELAY_CONNECT:
		connect_to_peer(process, answer);
		break;
	case RELAY_HOLD:
		streams_hold(process->streams, answer->from, &answer->to);
		break;
	}
}

static void
run_link(struct relay_process *process)
{
	struct notice notice;
	struct span body;

	process->asked = false;
	process->linked_us = process->now_us;
	link_run(process->link);
	while (link_next(process->link, &notice, &body)) {
		relay_handle_notice(process->relay, &notice, body, process->now_us);
	}
	batch_send(process->out);
	if (process->asked) {
		process->asked = false;
		link_run(process->link);
	}
}

static void
watch_drops(struct relay_process *process)
{
	uint32_t more = relay_sockets_drops(&process->sockets);

	for (uint32_t i = 0; i < process->config.listener_count; i++) {
		if (!is_stream(process, i)) {
			const uint32_t drops = relay_socket_drops(process->listeners[i]);
			more += drops - process->drops[i];
			process->drops[i] = drops;
		}
	}
	process->kernel_drops += more;
	if (more > 0) {
		log_warning("the kernel dropped %u datagrams for full buffers: raise "
			    "net.core.rmem_max, or run more relays",
			    more);
	}
}

static void
pass_time(struct relay_process *process)
{
	if (process->now_us - process->ticked_us >= TICK_US ||
	    process->now_us < process->ticked_us) {
		process->ticked_us = process->now_us;
		relay_tick(process->relay, process->now_us);
		relay_hand_tick(process->hand);
		watch_drops(process);
		if (process->streams != NULL) {
			streams_tick(process->streams, process->now_us);
		}
		if (process->tcp != NULL) {
			relay_tcp_io_tick(process->tcp);
		}
		if (process->dtls != NULL) {
			dtls_tick(process->dtls, process->now_us);
			batch_send(process->out);
		}
	}
	relay_fetch_tick(process->relay, process->now_us);
	if (process->asked || process->now_us - process->linked_us >= LINK_US ||
	    process->now_us < process->linked_us) {
		run_link(process);
	}
}

/* Datagrams that came while no relay ran wait in the kernel until there is a view to route them by.
 */
static void
serve_when_ready(struct relay_process *process)
{
	if (process->serving || (!relay_has_view(process->relay) &&
				 time_monotonic_us() - process->started_us < VIEW_WAIT_US)) {
		return;
	}
	process->serving = true;
	for (uint32_t i = 0; i < process->config.listener_count; i++) {
		const int fd = process->listeners[i];
		if (fd >= 0 && (is_stream(process, i)
					? !relay_process_listen(process, i)
					: !relay_process_watch(process, fd, WATCH_LISTENER, i))) {
			log_error("cannot watch listening socket %u: it is not served", i);
		}
	}
}

/* What came back of what was sent over it. */
static void
read_errors(struct relay_process *process, uint32_t socket)
{
	struct relay_icmp icmp;

	for (int i = 0; i < ICMP_READS_MAX && process->sockets.fds[socket] >= 0; i++) {
		if (!relay_icmp_read(process->sockets.fds[socket], &icmp)) {
			return;
		}
		relay_ips_outward(&process->ips, &icmp.peer);
		const struct relay_answer answer =
			relay_handle_icmp(process->relay, socket, &icmp, process->now_us);
		relay_process_act(process, &answer);
		batch_send(process->out); /* it borrows from the relay */
	}
}

/* First what goes to clients, gathered over the relayed sockets; true if the link has something. */
static bool
handle_ready(struct relay_process *process, const struct epoll_event *events, int ready)
{
	uint32_t used = 0;
	bool linked = false;

	for (int i = 0; i < ready; i++) {
		const uint64_t kind = events[i].data.u64 >> 32;
		if (kind == WATCH_RELAYED) {
			if ((events[i].events & EPOLLERR) != 0) {
				read_errors(process, (uint32_t)events[i].data.u64);
			}
			used = relay_process_read_relayed(process, (uint32_t)events[i].data.u64,
							  used);
		} else if (kind == WATCH_MAILBOX) {
			relay_process_answer_mailbox(process);
		} else if (kind == WATCH_FETCH) {
			relay_process_read_fetch(process);
		}
		linked |= kind == WATCH_LINK;
		if (used == BATCH_MAX) {
			batch_send(process->out);
			used = 0;
		}
	}
	batch_send(process->out);
	flush_streams(process);
	return linked;
}

static void
turn(struct relay_process *process)
{
	struct epoll_event events[EVENTS_MAX];

	relay_process_gather(process);
	const int ready = epoll_wait(process->epoll, events, EVENTS_MAX, WAIT_MS);

	process->now_us = time_now_us();
	process->taken = 0;
	const bool linked = handle_ready(process, events, ready);
	for (int i = 0; i < ready; i++) {
		const uint32_t number = (uint32_t)events[i].data.u64;
		if (events[i].data.u64 >> 32 != WATCH_LISTENER) {
			continue;
		}
		if (process->config.transports[number] == CLIENT_DTLS) {
			relay_process_read_dtls(process, number);
		} else {
			relay_process_read_listener(process, number);
		}
	}
	if (process->streams != NULL) {
		streams_run(process->streams, process->now_us);
	}
	if (process->tcp != NULL) {
		relay_tcp_io_run(process->tcp);
	}
	if (linked) {
		run_link(process);
	}
	pass_time(process);
	serve_when_ready(process);
	flush_streams(process);
}

/* What was relayed is told before the process ends. */
static void
end_in_order(struct relay_process *process)
{
	const uint64_t deadline_us = time_monotonic_us() + QUIET_WAIT_US;

	relay_report_all(process->relay);
	do {
		run_link(process);
		flush_streams(process);
		usleep(2000);
	} while (!link_is_quiet(process->link) && time_monotonic_us() < deadline_us);
	if (!link_is_quiet(process->link)) {
		log_warning("the allocation actor did not take the last reports: some usage is not "
			    "in the log");
	}
}

int
relay_run(const struct start *start)
{
	struct relay_process *process = calloc(1, sizeof *process);

	if (process == NULL) {
		log_error("out of memory at start");
		return 1;
	}
	process->sink = (struct relay_sink){ process,   sink_ask,          sink_reply,
					     sink_open, sink_close,        &relay_tcp_io_sink,
					     sink_hand, relay_process_tell };
	bool failed = !relay_process_open(process, start);
	if (!failed) {
		while (!signals_stop() && link_state(process->link) != LINK_LOST) {
			turn(process);
		}
		failed = link_state(process->link) == LINK_LOST;
		if (failed) {
			log_warning("the allocation actor gave this relay up: starting over");
		} else {
			end_in_order(process);
		}
	}
	relay_process_close(process);
	return failed ? 1 : 0;
}
