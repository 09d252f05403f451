/* What the parts of turn_load_bench share: a load for any TURN server over UDP, TCP, TLS or DTLS,
 * and for a forwarder that knows no TURN.
 *
 * Each client is a connected socket with an address of its own on loopback, one allocation and one
 * channel to our one peer, which is always UDP. One thread does everything: it must cost less for
 * each packet than the server, which has the other core. */
#ifndef IFSWARM_BENCH_TURN_LOAD_H
#define IFSWARM_BENCH_TURN_LOAD_H

#include "protocol/stun.h"

enum {
	LOAD_CLIENTS_MAX = 16384,
	LOAD_BURST_MAX = 64,
	LOAD_DATAGRAM_MAX = 2048,
	LOAD_CHANNEL = 0x4000,
	LOAD_PROCESSES_MAX = 64,
	LOAD_STOPPED_MAX = 8,
	LOAD_DELAYS = 1024, /* classes of a histogram */
	LOAD_WORD_MAX = 128,
};

/* Where a client stands; each but the resting ones is a request that is on its way. */
enum load_step {
	LOAD_NEW,
	LOAD_CHALLENGED, /* Allocate without credentials, for the nonce */
	LOAD_ALLOCATING,
	LOAD_BINDING,
	LOAD_READY,
	LOAD_REFRESHING,
	LOAD_REBINDING,
	LOAD_RELEASING,
	LOAD_GONE,
};

enum load_transport { LOAD_UDP, LOAD_TCP, LOAD_TLS, LOAD_DTLS };

/* What a client over a stream or DTLS has beside its socket (turn_wires_io.c). */
struct load_wire;

struct load_client {
	int fd;
	struct load_wire *wire; /* NULL over UDP */
	enum load_step step;
	uint32_t tries;
	uint64_t asked_us;
	uint64_t number; /* of its last request */
	char nonce[LOAD_WORD_MAX];
};

struct load_delays {
	uint64_t counts[LOAD_DELAYS];
	uint64_t total;
};

struct load {
	/* Options. */
	struct address server;
	struct address peer_address;
	const char *user;
	const char *password;
	int pid;
	const char *transport_word;
	const char *stop_word;
	enum load_transport transport;
	int stopped[LOAD_STOPPED_MAX]; /* processes that stand still while packets are measured */
	uint32_t stopped_count;
	uint32_t allocations;
	uint32_t bytes;
	uint32_t burst;
	uint32_t window; /* packets on their way, without a rate */
	uint32_t at_once;
	double rate; /* packets a second; 0: as many as the server takes */
	double seconds;
	double hold_s;
	double watch_s; /* between two looks at the memory; 0: none */
	bool echo;
	bool gso;        /* bursts leave coalesced, and the peer takes and echoes them so */
	uint32_t rounds; /* of filling and freeing; a refusal for want of room is no failure then */
	bool plain;      /* no TURN: a forwarder takes ChannelData from anybody */

	/* State. */
	struct integrity integrity;
	struct integrity_key key;
	char realm[LOAD_WORD_MAX];
	uint64_t requests;
	uint32_t waiting; /* clients with a request on its way */
	int peer;
	int epoll;
	struct load_client clients[LOAD_CLIENTS_MAX];

	/* What went where: packets and payload bytes. */
	uint64_t sent, sent_bytes;
	uint64_t at_peer, at_peer_bytes;
	uint64_t echoed, echoed_bytes;
	uint64_t at_client, at_client_bytes;
	struct load_delays delays; /* until the peer has it; with echo until it is back */
};

_Noreturn void load_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* --- turn_clients_io.c --- */

/* Sockets for all clients, without a word yet. */
void load_clients_open(struct load *load);
/* Leads every client to `rests`, which is LOAD_READY or LOAD_GONE, `at_once` at a time. */
void load_clients_lead(struct load *load, enum load_step rests);
/* A message that is no ChannelData has come to a client. */
void load_client_take(struct load *load, struct load_client *client, struct span answer);
/* Keeps allocations and channels alive; call it often. */
void load_clients_keep(struct load *load, uint64_t now_us);

/* --- turn_wires_io.c --- */

/* Connects a bound socket, over which the client speaks from now on; waits for the handshake. */
void load_wire_open(struct load *load, struct load_client *client);
/* Messages of `each` bytes, one behind the other: one write over a stream, a record each over DTLS,
 * which leave together. */
void load_wire_send(struct load *load, struct load_client *client, struct span messages,
		    size_t each);
/* Takes what is there, message by message. */
typedef void load_take(struct load *load, struct load_client *client, struct span message,
		       uint64_t at_ns);
void load_wire_read(struct load *load, struct load_client *client, load_take *take);

/* --- turn_traffic_io.c --- */

void load_peer_open(struct load *load);
/* Sends, echoes and counts for `seconds`, then waits for what is still on its way. */
void load_run(struct load *load);

/* --- turn_measure_io.c --- */

uint64_t load_now_ns(void);
/* CPU seconds and proportional set size of a process and all that descend from it. */
double load_cpu_s(int pid);
uint64_t load_pss_bytes(int pid);
void load_delay_add(struct load_delays *delays, uint64_t ns);
/* The delay that `share` of them stay within, in us. */
double load_delay_us(const struct load_delays *delays, double share);

#endif
