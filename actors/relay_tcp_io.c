#include "actors/relay_tcp_io.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "actors/relay_tcp_inside_io.h"
#include "actors/relay_tcp_sockets_io.h"
#include "protocol/address_io.h"
#include "protocol/log_line_io.h"

enum {
	READY_MAX = 64,
	LOOK_US = 10 * 1000, /* who is over its rate waits at least so long */
};

enum { MEMORY_BYTES = TCP_PEERS_MAX * CONNECTION_MEMORY_BYTES };

struct relay_tcp_io *
relay_tcp_io_open(struct relay_process *process)
{
	struct relay_tcp_io *io = calloc(1, sizeof *io);

	if (io == NULL) {
		return NULL;
	}
	io->process = process;
	relay_tcp_doors_init(io);
	for (uint32_t i = 0; i < TCP_PEERS_MAX; i++) {
		io->places[i].connection.fd = -1;
	}
	io->epoll = epoll_create1(EPOLL_CLOEXEC);
	io->memory = mmap(NULL, MEMORY_BYTES, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (io->epoll < 0 || io->memory == MAP_FAILED) {
		relay_tcp_io_close(io);
		return NULL;
	}
	return io;
}

void
relay_tcp_io_close(struct relay_tcp_io *io)
{
	for (uint32_t i = 0; i < TCP_PEERS_MAX; i++) {
		if (io->places[i].connection.fd >= 0) {
			connection_close(&io->places[i].connection);
		}
	}
	relay_tcp_doors_close(io);
	if (io->memory != MAP_FAILED) {
		munmap(io->memory, MEMORY_BYTES);
	}
	if (io->epoll >= 0) {
		close(io->epoll);
	}
	free(io);
}

int
relay_tcp_io_fd(const struct relay_tcp_io *io)
{
	return io->epoll;
}

bool
relay_tcp_watch(const struct relay_tcp_io *io, int operation, int fd, uint32_t events,
		uint64_t number)
{
	struct epoll_event event = { .events = events, .data.u64 = number };

	return epoll_ctl(io->epoll, operation, fd, &event) == 0;
}

/* --- connections --- */

static void
watch_place(struct relay_tcp_io *io, uint32_t number, uint32_t wanted)
{
	struct place *place = &io->places[number];
	const int operation = place->watched == 0 ? EPOLL_CTL_ADD
			      : wanted == 0       ? EPOLL_CTL_DEL
						  : EPOLL_CTL_MOD;

	if (wanted != place->watched) {
		relay_tcp_watch(io, operation, place->connection.fd, wanted, number);
		place->watched = wanted;
	}
}

void
relay_tcp_open_place(struct relay_tcp_io *io, uint32_t number, int fd)
{
	struct place *place = &io->places[number];
	const int one = 1;

	assert(place->connection.fd < 0);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	*place = (struct place){ 0 };
	connection_open(&place->connection, fd,
			io->memory + (size_t)number * CONNECTION_MEMORY_BYTES);
}

static void
set_over_rate(struct relay_tcp_io *io, uint32_t number, bool over_rate)
{
	struct place *place = &io->places[number];

	io->over_rate += over_rate && !place->over_rate;
	io->over_rate -= !over_rate && place->over_rate;
	place->over_rate = over_rate;
}

static void
close_place(struct relay_tcp_io *io, uint32_t number)
{
	struct place *place = &io->places[number];

	set_over_rate(io, number, false);
	if (place->connection.fd >= 0) {
		connection_close(&place->connection);
		madvise(io->memory + (size_t)number * CONNECTION_MEMORY_BYTES,
			CONNECTION_MEMORY_BYTES, MADV_DONTNEED);
	}
	*place = (struct place){ .connection.fd = -1 };
}

void
relay_tcp_io_connect(struct relay_tcp_io *io, uint32_t number, uint32_t socket,
		     const struct address *to)
{
	const int fd = relay_tcp_connect_from(relay_tcp_door_local(io, socket), to);

	if (fd < 0) {
		relay_tcp_failed(io->process->relay, number);
		return;
	}
	relay_tcp_open_place(io, number, fd);
	io->places[number].connecting = true;
	watch_place(io, number, EPOLLOUT);
}

/* Not read before a client has come for it. */
static void
connected(struct relay_tcp_io *io, uint32_t number)
{
	struct place *place = &io->places[number];
	int fault = 0;
	socklen_t length = sizeof fault;

	getsockopt(place->connection.fd, SOL_SOCKET, SO_ERROR, &fault, &length);
	place->connecting = false;
	watch_place(io, number, 0);
	if (fault != 0) {
		close_place(io, number);
		relay_tcp_failed(io->process->relay, number);
	} else if (!relay_tcp_connected(io->process->relay, number)) {
		close_place(io, number);
	}
}

/* --- bytes --- */

/* Nothing more is read or written; the relay has it written down, then it closes. */
static void
end(struct relay_tcp_io *io, uint32_t number, enum connection_end reason)
{
	struct place *place = &io->places[number];

	watch_place(io, number, 0);
	if (place->joined) {
		streams_wish(io->process->streams, place->listener, &place->client_address,
			     STREAMS_SILENT);
	}
	relay_tcp_ended(io->process->relay, number, reason);
}

/* One piece; false if the other side cannot take it any more. */
static bool
pass(struct relay_tcp_io *io, uint32_t number, struct connection *from, struct side *side,
     struct connection *to, bool up)
{
	size_t count = 0;

	if (side->ended || !connection_has_room(to) ||
	    !relay_tcp_has_rate(io->process->relay, number, up, io->process->now_us)) {
		return true;
	}
	side->ended = !connection_take(from, io->read, &count);
	if (count == 0) {
		return true;
	}
	relay_tcp_passed(io->process->relay, number, up, count, io->process->now_us);
	return connection_write(to, (struct span){ io->read, count });
}

/* What one side will never send, the other need not wait for. */
static void
finish(const struct side *from, struct connection *to, struct side *other)
{
	if (from->ended && !other->finished && connection_has_room(to)) {
		connection_finish(to);
		other->finished = true;
	}
}

static void
wish(struct relay_tcp_io *io, uint32_t number, const struct connection *client, bool flows)
{
	struct relay *relay = io->process->relay;
	const struct place *place = &io->places[number];
	const uint64_t now_us = io->process->now_us;
	const bool down = flows && relay_tcp_has_rate(relay, number, false, now_us);
	const bool up = flows && relay_tcp_has_rate(relay, number, true, now_us);
	const bool reads_peer = down && !place->peer.ended && connection_has_room(client);
	const bool reads_client =
		up && !place->client.ended && connection_has_room(&place->connection);

	set_over_rate(io, number, flows && (!down || !up));
	const uint32_t out = place->connection.out_count > 0 ? EPOLLOUT : 0;

	watch_place(io, number, (reads_peer ? EPOLLIN : 0) | out);
	streams_wish(io->process->streams, place->listener, &place->client_address,
		     reads_client ? STREAMS_WANT_READ : STREAMS_WANT_NO_READ);
}

static void
pump(struct relay_tcp_io *io, uint32_t number)
{
	struct place *place = &io->places[number];
	struct connection *peer = &place->connection;
	struct connection *client =
		streams_joined(io->process->streams, place->listener, &place->client_address);
	const bool flows = relay_tcp_flows(io->process->relay, number);

	if (client == NULL) {
		return; /* the relay has heard that it is gone */
	}
	if (flows && !pass(io, number, client, &place->client, peer, true)) {
		end(io, number, CONNECTION_END_PEER);
		return;
	}
	if (flows && !pass(io, number, peer, &place->peer, client, false)) {
		end(io, number, CONNECTION_END_CLIENT);
		return;
	}
	finish(&place->client, peer, &place->peer);
	finish(&place->peer, client, &place->client);
	if (place->peer.finished && place->client.finished) {
		end(io, number, CONNECTION_END_PEER);
		return;
	}
	wish(io, number, client, flows);
}

void
relay_tcp_io_joined(struct relay_tcp_io *io, uint32_t listener, const struct address *client,
		    bool broken)
{
	const uint32_t number = relay_tcp_of_client(io->process->relay, listener, client);

	if (number == SOCKET_NONE || !io->places[number].joined) {
		streams_end(io->process->streams, listener, client);
		return;
	}
	if (broken && !io->places[number].client.finished) {
		end(io, number, CONNECTION_END_CLIENT);
		return;
	}
	pump(io, number);
}

static void
serve(struct relay_tcp_io *io, uint32_t number, uint32_t events)
{
	struct place *place = &io->places[number];

	if (place->connection.fd < 0) {
		return;
	}
	if (place->connecting) {
		connected(io, number);
		return;
	}
	if ((events & EPOLLERR) != 0 || ((events & EPOLLHUP) != 0 && !place->peer.finished)) {
		end(io, number, CONNECTION_END_PEER);
		return;
	}
	if ((events & EPOLLOUT) != 0) {
		connection_push(&place->connection);
	}
	pump(io, number);
}

/* --- what the relay asks --- */

static void
sink_close(void *context, uint32_t number)
{
	const struct relay_process *process = context;
	const struct place place = process->tcp->places[number];

	close_place(process->tcp, number);
	if (place.joined) {
		streams_end(process->streams, place.listener, &place.client_address);
	}
}

static void
sink_join(void *context, uint32_t number, uint32_t listener, const struct address *client)
{
	const struct relay_process *process = context;
	struct place *place = &process->tcp->places[number];

	if (streams_join(process->streams, listener, client) == NULL) {
		return; /* it closed meanwhile: the relay hears of that, or has */
	}
	place->joined = true;
	place->listener = listener;
	place->client_address = *client;
	pump(process->tcp, number);
}

static void
sink_resume(void *context, uint32_t listener, const struct address *client)
{
	const struct relay_process *process = context;

	streams_resume(process->streams, listener, client);
}

const struct relay_tcp_sink relay_tcp_io_sink = { sink_close, sink_join, sink_resume };

/* --- rounds --- */

static void
look_at_rates(struct relay_tcp_io *io)
{
	const uint64_t now_us = io->process->now_us;

	if (io->over_rate == 0 || (now_us >= io->looked_us && now_us - io->looked_us < LOOK_US)) {
		return;
	}
	io->looked_us = now_us;
	for (uint32_t number = 0, left = io->over_rate; number < TCP_PEERS_MAX && left > 0;
	     number++) {
		if (!io->places[number].over_rate) {
			continue;
		}
		left--;
		if (relay_tcp_flows(io->process->relay, number)) {
			pump(io, number);
		} else {
			set_over_rate(io, number, false); /* the tick looks at it */
		}
	}
}

void
relay_tcp_io_run(struct relay_tcp_io *io)
{
	struct epoll_event events[READY_MAX];
	const int ready = epoll_wait(io->epoll, events, READY_MAX, 0);

	for (int i = 0; i < ready; i++) {
		const uint32_t number = (uint32_t)events[i].data.u64;
		if (events[i].data.u64 >> 32 != RELAY_TCP_LISTENING) {
			serve(io, number, events[i].events);
		}
	}
	/* Last: a number that was given up in this round is given out again in the next one. */
	for (int i = 0; i < ready; i++) {
		if (events[i].data.u64 >> 32 == RELAY_TCP_LISTENING) {
			relay_tcp_accept(io, (uint32_t)events[i].data.u64);
		}
	}
	look_at_rates(io);
}

void
relay_tcp_io_tick(struct relay_tcp_io *io)
{
	relay_tcp_wake_doors(io);
	/* What was stopped by a release that was refused, or by a policy, may go on. */
	for (uint32_t number = 0; number < TCP_PEERS_MAX; number++) {
		if (io->places[number].joined && relay_tcp_flows(io->process->relay, number)) {
			pump(io, number);
		}
	}
}
