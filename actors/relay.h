/* The relay's pure half: what a TURN server does with each datagram (RFC 8656), told from what it
 * touches.
 *
 * Requests are authenticated here, without any state before that; what changes something is asked
 * of the allocation actor, and the client is answered when its DECIDED notice has come and gone
 * through the view. ChannelData, Send and peers' datagrams are routed over the view alone: no heap,
 * no lock, no clock.
 *
 * The view is an allocation_state of this relay's allocations. A new greeting (the actor was
 * restarted) is built into a second one and put in its place by WELCOME; packets flow over the old
 * one meanwhile.
 *
 * What was relayed is counted for each permission and channel, and reported before anything forgets
 * it: on an interval, when a permission or channel has ended, before a release, and after expiry,
 * for which the actor waits EXPIRY_GRACE_S. So the sums in the log equal what was relayed, up to a
 * kill -9. */
#ifndef IFSWARM_ACTORS_RELAY_H
#define IFSWARM_ACTORS_RELAY_H

#include "actors/allocation.h"
#include "actors/fetch_message.h"
#include "protocol/credential.h"
#include "protocol/drain.h"
#include "protocol/peer_policy.h"
#include "protocol/turn_tally.h"

enum {
	/* Each listening-ip over UDP, DTLS, TCP, TLS; TLS beside TCP; both behind a proxy. */
	RELAY_LISTENERS_MAX = 448,
	RELAY_SOCKETS_MAX = ALLOCATIONS_MAX + 2048, /* rows of the view, and what is asked */
	RELAY_SOCKETS_ALL =
		RELAY_SOCKETS_MAX + TCP_ALLOCATIONS_MAX, /* behind them: TCP listeners */
	RELAY_PENDING_MAX = 2048,
	RELAY_SEED_BYTES = 32,
	RELAY_HEADROOM = 48, /* before a peer's datagram: the longest header put in front of it */
	RELAY_TAILROOM = 4,  /* behind it: padding */
	SOCKET_NONE = UINT32_MAX,
	LISTENER_NONE = UINT32_MAX,
};

struct relay_config {
	uint64_t number; /* this relay's, from 1 */
	uint32_t listener_count;
	/* Where clients are heard: a local address, and how they speak there. One socket may be
	 * several of these. */
	struct address listeners[RELAY_LISTENERS_MAX];
	struct address outside[RELAY_LISTENERS_MAX]; /* the same, as external-ip has them */
	enum client_transport transports[RELAY_LISTENERS_MAX];
	bool serves_ipv4; /* there is an IP for relayed sockets of that family */
	bool serves_ipv6;
	bool serves_tcp;         /* RFC 6062, for who comes over TCP or TLS */
	uint16_t scattered_port; /* but there: a client's connections reach several relays; 0: none
				  */
	uint64_t usage_interval_s;
	uint64_t gather_us; /* how long datagrams are left alone under load: gather.h */
	struct drain drain;
	bool strict_expiry; /* an allocation outlives no credential (THREATS C12) */
	bool discovery;     /* Bindings tell clients about their NATs (RFC 5780), at these ports */
	uint16_t discovery_ports[2];
	bool mobility;                   /* clients may move (RFC 8016) */
	bool no_software;                /* replies do not name it, to nobody */
	uint64_t bytes_per_s;            /* of one allocation, each way (max-bps); 0: no limit */
	uint64_t unauthenticated_rate;   /* replies a second to one source; 0: no limit */
	struct allocation_limits limits; /* of the view */
	struct credentials credentials;
	struct peer_policy policy;
	uint8_t seed[RELAY_SEED_BYTES]; /* random: fresh ids, table hashes */
};

/* What it asks about TCP connections with peers, by their numbers. */
struct relay_tcp_sink {
	/* It is over: its socket, if there is one, and the client's bound to it close. */
	void (*close)(void *context, uint32_t number);
	/* That client's connection carries its bytes from now on. */
	void (*join)(void *context, uint32_t number, uint32_t listener,
		     const struct address *client);
	/* What was held (RELAY_HOLD) carries messages again. */
	void (*resume)(void *context, uint32_t listener, const struct address *client);
};

/* What became of a message to another relay: LATER if its queue is full, NOBODY if it does not run.
 */
enum fetch_sent { FETCH_SENT, FETCH_LATER, FETCH_NOBODY };

/* What the relay asks of its worldly half, besides the answer to a datagram. */
struct relay_sink {
	void *context;
	/* Gives the command an id and sends it to the allocation actor; false if too much is on its
	 * way. */
	bool (*ask)(void *context, struct command *command);
	/* Sends bytes to a client, from that listener. */
	void (*reply)(void *context, uint32_t listener, const struct address *to,
		      struct span bytes);
	/* Binds a socket to that relayed address (as clients and peers see it) again; SOCKET_NONE
	 * if it cannot. */
	uint32_t (*open)(void *context, const struct address *relayed);
	void (*close)(void *context, uint32_t socket);
	const struct relay_tcp_sink *tcp; /* NULL unless serves_tcp */
	/* Gives that relay a relayed socket of ours, for its own `open` of the same address, and
	 * reads no more from it: what comes waits. It is ours, too, until `close`. Where it cannot
	 * be given the other one binds the port when we have closed it. */
	void (*hand)(void *context, uint32_t socket, uint64_t relay);
	/* Says that to another relay, beside FETCH_GIVEN with the relayed socket that it is to
	 * have; else SOCKET_NONE. The socket is ours, too, until `close`. */
	enum fetch_sent (*tell)(void *context, uint64_t relay, const struct fetch_message *message,
				uint32_t socket);
};

enum relay_action {
	RELAY_DROP,
	RELAY_REPLY,     /* send `bytes` from listener `from` to `to` */
	RELAY_TO_PEER,   /* send `bytes` from relayed socket `from` to `to` */
	RELAY_TO_CLIENT, /* like RELAY_REPLY, but relayed data */
	RELAY_CONNECT, /* connect to `to` from relayed socket `from`, as TCP connection `pending` */
	RELAY_HOLD, /* take no more from the client `to` of listener `from` until join or resume */
	RELAY_BIND, /* bind a relayed socket, then call relay_bound or relay_unbound with `pending`
		     */
};

/* Borrows from the datagram, or from the relay until its next call. */
struct relay_answer {
	enum relay_action action;
	uint32_t from;
	struct address to;
	struct span bytes;
	uint32_t pending;
	bool dont_fragment; /* RELAY_TO_PEER: as the client asked */
	/* RELAY_BIND */
	uint8_t family;      /* ADDRESS_IPV4 or ADDRESS_IPV6 */
	uint8_t family_also; /* of a second address, ADDRESS_NONE if none is wanted */
	bool tcp;            /* one that listens, numbered from RELAY_SOCKETS_MAX on */
	bool even_port;
	bool port_pair; /* the port behind it is wanted, too */
};

/* What was bound: sockets by number, with their addresses as peers see them. `also` is the port
 * behind the first, or an address of the other family; SOCKET_NONE if there is none. */
struct relay_ports {
	uint32_t socket;
	uint32_t also;
	struct address relayed;
	struct address relayed_also;
};

enum relay_count {
	RELAY_COUNT_PACKETS_UP,
	RELAY_COUNT_BYTES_UP,
	RELAY_COUNT_PACKETS_DOWN,
	RELAY_COUNT_BYTES_DOWN,
	RELAY_COUNT_NOT_STUN,     /* dropped: neither STUN nor ChannelData */
	RELAY_COUNT_NO_ROUTE,     /* dropped: no allocation, channel or permission */
	RELAY_COUNT_DENIED,       /* dropped: the peer policy forbids it */
	RELAY_COUNT_LIMITED,      /* dropped: the source asks too often without credentials */
	RELAY_COUNT_PENDING_FULL, /* dropped: too much is being asked */
	RELAY_COUNT_REQUESTS,
	RELAY_COUNT_REFUSALS,
	RELAY_COUNT_CHALLENGES, /* of the refusals: those that every client begins with */
	RELAY_COUNT_OVER_RATE,  /* dropped: max-bps */
	RELAY_COUNTS
};

struct relay;

/* `sink` is borrowed for the life of the relay. Takes its memory now and none later. */
struct relay *relay_new(const struct relay_config *config, const struct relay_sink *sink);
/* NULL is ignored. */
void relay_free(struct relay *relay);

/* A datagram from a client, at the listening socket `listener`. */
struct relay_answer relay_handle_client(struct relay *relay, uint32_t listener,
					const struct address *source, struct span datagram,
					uint64_t now_us);
/* False if what came before any request of that source may not be answered: it asks too often (E3).
 */
bool relay_may_answer(struct relay *relay, const struct address *source, uint64_t now_us);
/* The connection of a client of that listener (TCP, TLS or DTLS) has closed: its allocation ends.
 */
void relay_client_gone(struct relay *relay, uint32_t listener, const struct address *client);
/* True while that client holds an allocation. */
bool relay_client_holds(const struct relay *relay, uint32_t listener, const struct address *client,
			uint64_t now_us);
/* What RELAY_BIND asked for, before any other call. Of two families one may be missing, whichever
 * it is; of a pair none. */
void relay_bound(struct relay *relay, uint32_t pending, const struct relay_ports *ports,
		 uint64_t now_us);
/* There is no port left: the answer is the refusal. */
struct relay_answer relay_unbound(struct relay *relay, uint32_t pending, uint64_t now_us);

/* --- ports that another relay keeps for a token: relay_fetch.c --- */

/* What another relay says. With FETCH_GIVEN comes the socket, ours from now on, or SOCKET_NONE if
 * it could not be taken. */
void relay_handle_fetch(struct relay *relay, const struct fetch_message *message, uint32_t socket,
			uint64_t now_us);
/* Asks again, and answers who has waited long enough for another relay. Several times a second. */
void relay_fetch_tick(struct relay *relay, uint64_t now_us);

/* A peer's datagram at relayed socket `socket`. The memory before `data` is writable for
 * RELAY_HEADROOM bytes and behind it for RELAY_TAILROOM: the header for the client is put there. */
struct relay_answer relay_handle_peer(struct relay *relay, uint32_t socket,
				      const struct address *source, uint8_t *data, size_t count,
				      uint64_t now_us);

/* --- TCP connections with peers (RFC 6062): relay_tcp.c --- */

/* What RELAY_CONNECT asked for is there; false if it may no longer be and is to be closed. */
bool relay_tcp_connected(struct relay *relay, uint32_t number);
/* It cannot be had. The client hears of it when its time is over. */
void relay_tcp_failed(struct relay *relay, uint32_t number);
/* A peer has connected to relayed socket `socket`: the number under which it is kept, or UINT32_MAX
 * if it is to be closed. */
uint32_t relay_tcp_attempted(struct relay *relay, uint32_t socket, const struct address *peer,
			     uint64_t now_us);
/* One side has closed or broken and nothing is left to pass on. */
void relay_tcp_ended(struct relay *relay, uint32_t number, enum connection_end reason);
/* The connection to which that client's is bound; UINT32_MAX if there is none. */
uint32_t relay_tcp_of_client(const struct relay *relay, uint32_t listener,
			     const struct address *client);
/* Whether bytes may be passed on over it now; if so, each piece that was is counted. */
bool relay_tcp_flows(const struct relay *relay, uint32_t number);
void relay_tcp_passed(struct relay *relay, uint32_t number, bool up, size_t bytes, uint64_t now_us);
/* Whether max-bps lets a piece pass that way now: if not, it is left where it is, for later. All
 * connections of one allocation share what it may relay. */
bool relay_tcp_has_rate(struct relay *relay, uint32_t number, bool up, uint64_t now_us);

/* What the network says of a datagram that was sent to a peer. */
struct relay_icmp {
	struct address peer; /* to whom it was sent */
	uint8_t type;        /* of ICMP or ICMPv6 */
	uint8_t code;
	uint32_t mtu; /* of the next hop, if it was too long for it */
};
/* It came back to relayed socket `socket`. */
struct relay_answer relay_handle_icmp(struct relay *relay, uint32_t socket,
				      const struct relay_icmp *icmp, uint64_t now_us);

/* A notice of the allocation actor. */
void relay_handle_notice(struct relay *relay, const struct notice *notice, struct span body,
			 uint64_t now_us);
/* Time passes: usage and folded refusals are reported. About once a second, at most EXPIRY_GRACE_S
 * / 2 apart. */
void relay_tick(struct relay *relay, uint64_t now_us);
/* Reports everything that is counted and not reported: before the process ends. */
void relay_report_all(struct relay *relay);

/* Another configuration, from now on: credentials, peer policy, rates and lifetimes; the rest stays
 * as it was. Peers that it forbids are cut off at once, and their permissions and channels end
 * within a second of the next relay_tick. */
void relay_reload(struct relay *relay, const struct relay_config *config);

/* True once a greeting was complete: before that every client looks unknown, so data is better left
 * waiting. */
bool relay_has_view(const struct relay *relay);
/* Allocations of the view, and counts since the start: for metrics. */
uint32_t relay_allocations(const struct relay *relay);
void relay_tally(const struct relay *relay, uint64_t kernel_drops, uint64_t now_us,
		 struct turn_tally *out);
uint64_t relay_counted(const struct relay *relay, enum relay_count which);

#endif
