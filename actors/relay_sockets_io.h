/* The sockets of a relay: the listening ones, inherited from the supervisor, and the relayed ones,
 * each for one allocation and known by a number. */
#ifndef IFSWARM_ACTORS_RELAY_SOCKETS_IO_H
#define IFSWARM_ACTORS_RELAY_SOCKETS_IO_H

#include "actors/relay_config.h"
#include "actors/relay_hand_io.h"

struct relay_sockets {
	const struct relay_ips *ips;
	int epoll;
	int *fds;           /* of relayed sockets, by number; -1: free */
	uint8_t *wanted;    /* how many datagrams are asked for at once */
	uint32_t *drops;    /* datagrams the kernel dropped, as far as that was noticed */
	uint32_t looked_at; /* where the next look for them begins */
	uint32_t *free;
	uint32_t free_count;
};

/* What epoll hands back: a relayed socket's number, or one of these kinds with a number. */
enum { WATCH_RELAYED, WATCH_LISTENER, WATCH_LINK, WATCH_MAILBOX, WATCH_STREAMS, WATCH_FETCH };
uint64_t watch_pack(uint32_t kind, uint32_t number);

bool relay_sockets_open(struct relay_sockets *sockets, const struct relay_ips *ips, int epoll);
/* Says how many allocations fit, by ports and by open files, and what buffers their sockets get.
 * `connections`: how many of clients and with peers there may be beside them. */
void relay_sockets_announce(const struct relay_sockets *sockets, uint32_t connections);
void relay_sockets_close(struct relay_sockets *sockets);

/* Binds a random free port of the configured range on that IP, watches it, and says how peers see
 * it. SOCKET_NONE if there is none. */
uint32_t relay_sockets_bind(struct relay_sockets *sockets, size_t ip, bool even_port,
			    struct address *relayed);
/* Likewise an even port and the one behind it (EVEN-PORT): both, or none and false. */
bool relay_sockets_bind_pair(struct relay_sockets *sockets, size_t ip, struct relay_ports *out);
/* Binds this very relayed address again, unless another relay has handed over the socket. */
uint32_t relay_sockets_bind_again(struct relay_sockets *sockets, struct relay_hand *hand,
				  const struct address *relayed);
/* Watches a socket that another relay has given, if it is bound to that relayed address;
 * SOCKET_NONE, and it is closed, if not. */
uint32_t relay_sockets_adopt(struct relay_sockets *sockets, int fd, const struct address *relayed);
/* Reads from it no more. */
void relay_sockets_rest(struct relay_sockets *sockets, uint32_t number);
void relay_sockets_release(struct relay_sockets *sockets, uint32_t number);

/* Datagrams of peers that the kernel dropped, newly noticed: looks at some of the sockets, and in a
 * few seconds at all of them. */
uint32_t relay_sockets_drops(struct relay_sockets *sockets);

/* Larger buffers for a listening socket, and fragmentation as the network wants it; says once what
 * the kernel gave. */
void relay_listener_prepare(int fd, const char *transport, const struct address *local);
/* Datagrams the kernel dropped on a socket because we were too slow. */
uint32_t relay_socket_drops(int fd);
/* The address a listening socket is bound to, and whether connections are accepted from it. */
bool relay_listener_address(int fd, struct address *out, bool *is_stream);

/* From the kernel; a process without randomness ends, for a port must not be guessed (THREATS D11).
 */
uint32_t relay_random_u32(void);

#endif
