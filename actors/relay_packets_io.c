/* Datagrams through the relay: received in batches, answered by the pure relay, sent in batches. */
#include <string.h>
#include <time.h>

#include "actors/relay_process_io.h"
#include "protocol/time_io.h"

enum { TURN_DATAGRAMS_MAX = 512 /* from one listener before others get their turn */ };

/* Each datagram of a run is a client's message like any other: one that says it is longer than its
 * datagram is dropped (A6), whatever lies behind it. */
static uint32_t
take_from_client(struct relay_process *process, uint32_t listener, uint32_t place)
{
	const struct batch_piece piece = batch_piece_at(process->in, place);
	uint32_t taken = 0;
	size_t at = 0;

	do {
		const size_t bytes = run_cut(piece.bytes, piece.segment, at);
		const struct relay_answer answer = relay_handle_client(
			process->relay, listener, &piece.source,
			(struct span){ piece.data + at, bytes }, process->now_us);
		relay_process_act(process, &answer);
		taken++;
		at += bytes;
	} while (at < piece.bytes);
	return taken;
}

void
relay_process_read_listener(struct relay_process *process, uint32_t listener)
{
	uint32_t taken = 0;
	uint32_t count = BATCH_MAX;

	while (count == BATCH_MAX && taken < TURN_DATAGRAMS_MAX) {
		count = batch_receive(process->in, process->listeners[listener], 0, BATCH_MAX);
		for (uint32_t i = 0; i < count; i++) {
			taken += take_from_client(process, listener, i);
		}
		batch_send(process->out);
	}
	process->taken += taken;
}

/* The header goes where the datagram before ends, and padding where the next one begins: both are
 * put back once the header is copied. */
static void
forward_between(struct relay_process *process, uint32_t socket, const struct batch_piece *piece,
		struct span payload)
{
	uint8_t *data = piece->data + (payload.at - piece->data);
	uint8_t before[RELAY_HEADROOM];
	uint8_t behind[RELAY_TAILROOM];

	relay_process_make_room(process); /* nothing leaves while they are not as they came */
	memcpy(before, data - RELAY_HEADROOM, sizeof before);
	memcpy(behind, data + payload.count, sizeof behind);
	const struct relay_answer answer = relay_handle_peer(process->relay, socket, &piece->source,
							     data, payload.count, process->now_us);
	if (answer.action == RELAY_TO_CLIENT &&
	    process->config.transports[answer.from] == CLIENT_UDP) {
		batch_add_wrapped(process->out, process->listeners[answer.from], &answer.to,
				  answer.bytes, payload);
	} else {
		relay_process_act(process, &answer);
	}
	memcpy(data - RELAY_HEADROOM, before, sizeof before);
	memcpy(data + payload.count, behind, sizeof behind);
}

static uint32_t
take_from_peer(struct relay_process *process, uint32_t socket, uint32_t place)
{
	struct batch_piece piece = batch_piece_at(process->in, place);
	uint32_t taken = 0;

	relay_ips_outward(&process->ips, &piece.source);
	if (piece.segment == piece.bytes) {
		const struct relay_answer answer =
			relay_handle_peer(process->relay, socket, &piece.source, piece.data,
					  piece.bytes, process->now_us);
		relay_process_act(process, &answer);
		return 1;
	}
	for (size_t at = 0; at < piece.bytes; taken++) {
		const size_t bytes = run_cut(piece.bytes, piece.segment, at);
		forward_between(process, socket, &piece, (struct span){ piece.data + at, bytes });
		at += bytes;
	}
	return taken;
}

/* Datagrams of many relayed sockets gather in places `used` and following, and leave together. Of
 * each as many are asked for as there were lately: to find a socket empty costs nearly as much as a
 * datagram. What is left is told by epoll again. */
uint32_t
relay_process_read_relayed(struct relay_process *process, uint32_t socket, uint32_t used)
{
	const int fd = process->sockets.fds[socket];

	if (fd < 0) {
		return used; /* closed since epoll spoke */
	}
	uint8_t *wanted = &process->sockets.wanted[socket];
	const uint32_t most = *wanted < BATCH_MAX - used ? *wanted : BATCH_MAX - used;
	const uint32_t count = batch_receive(process->in, fd, used, most);
	if (count == *wanted) {
		*wanted = (uint8_t)(count < BATCH_MAX / 2 ? 2 * count : BATCH_MAX);
	} else if (count < most) {
		*wanted = (uint8_t)(count > 0 ? count : 1);
	}
	for (uint32_t i = used; i < used + count; i++) {
		process->taken += take_from_peer(process, socket, i);
	}
	return used + count;
}

void
relay_process_gather(struct relay_process *process)
{
	const uint64_t pause_us = process->config.gather_us;
	const struct timespec pause = { .tv_nsec = (long)pause_us * 1000 };
	const uint64_t before_us = time_monotonic_us();

	gather_count(&process->gather, process->taken, before_us);
	if (gather_is_due(&process->gather, pause_us, before_us)) {
		nanosleep(&pause, NULL);
		gather_paused(&process->gather, pause_us, before_us, time_monotonic_us());
	}
}
