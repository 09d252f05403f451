/* What a relay's process holds, for relay_io.c (its loop), relay_start_io.c (its beginning and
 * end) and what the loop calls. */
#ifndef IFSWARM_ACTORS_RELAY_PROCESS_IO_H
#define IFSWARM_ACTORS_RELAY_PROCESS_IO_H

#include "actors/dtls_io.h"
#include "actors/gather.h"
#include "actors/link_io.h"
#include "actors/mailbox_io.h"
#include "actors/relay_batch_io.h"
#include "actors/relay_post_io.h"
#include "actors/relay_sockets_io.h"
#include "actors/relay_tcp_io.h"
#include "actors/start_io.h"
#include "actors/streams_io.h"

struct relay_process {
	const struct start *start;
	struct relay_config config;
	struct relay_ips ips;
	struct relay_sockets sockets;
	struct relay_hand *hand;
	struct relay_post *fetch;
	/* The sockets; -1: TLS spoken beside TCP, at the socket of another listener. */
	int listeners[RELAY_LISTENERS_MAX];
	uint32_t drops[RELAY_LISTENERS_MAX];
	uint64_t kernel_drops; /* in all, of clients' and peers' datagrams */
	struct relay *relay;
	struct relay_sink sink;
	struct link_io *link;
	struct mailbox_server *mailbox;
	struct streams_io *streams; /* NULL if no listener is TCP or TLS */
	struct relay_tcp_io *tcp;   /* NULL if it is, or if no TCP is relayed */
	struct tls_server *tls;     /* NULL if none is TLS */
	struct dtls_io *dtls;       /* NULL if none is DTLS */
	struct tls_server *dtls_server;
	struct batch_in *in;
	struct batch_out *out;
	int epoll;
	bool serving;         /* the listeners are read */
	uint32_t taken;       /* datagrams in this turn */
	struct gather gather; /* in monotonic time */
	uint64_t started_us;
	bool asked; /* commands were given to the link and not sent yet */
	uint64_t now_us;
	uint64_t linked_us;
	uint64_t ticked_us;
};

/* Opens everything but the listeners' watches; the sink is filled. False: it was logged. */
bool relay_process_open(struct relay_process *process, const struct start *start);
/* The connections that TCP and TLS listeners accept, and the sessions of DTLS, as far as there are
 * such listeners. False: it was logged. */
bool relay_process_open_streams(struct relay_process *process);
/* One round of a DTLS listener's datagrams. */
void relay_process_read_dtls(struct relay_process *process, uint32_t listener);
/* The certificate that the supervisor handed over, if TLS is served: before the sandbox closes, for
 * OpenSSL reads its own configuration then. False: it was logged. */
bool relay_process_load_certificate(struct relay_process *process, const struct start *start);
/* Another one, if the RELOAD brings it: for new connections. */
bool relay_process_reload_certificate(struct relay_process *process, struct span request);
/* Reads a UDP listener's datagrams, up to a bound. */
void relay_process_read_listener(struct relay_process *process, uint32_t listener);
/* Reads datagrams of a relayed socket into the places from `used` on, and returns the first free
 * place behind them. What they are answered with leaves with the next batch_send. */
uint32_t relay_process_read_relayed(struct relay_process *process, uint32_t socket, uint32_t used);
/* What goes out leaves if there is no room for one more. */
void relay_process_make_room(struct relay_process *process);
/* At the end of a turn: a short pause when so much comes that several datagrams for each waking are
 * worth it. */
void relay_process_gather(struct relay_process *process);
/* Answers what has come over the mailbox. */
void relay_process_answer_mailbox(struct relay_process *process);
/* The sink's `tell`; reads what other relays tell (relay_fetch.c). */
enum fetch_sent relay_process_tell(void *context, uint64_t relay,
				   const struct fetch_message *message, uint32_t socket);
void relay_process_read_fetch(struct relay_process *process);
/* Does what the relay answers. */
void relay_process_act(struct relay_process *process, const struct relay_answer *answer);
/* The RELOAD of that request; false if it cannot be used (logged). */
bool relay_process_reload(struct relay_process *process, struct span request);
/* Also what was opened in part. Frees it. */
void relay_process_close(struct relay_process *process);
/* Has the streams accept from the socket of that listener, for TLS beside it too. */
bool relay_process_listen(struct relay_process *process, uint32_t listener);
/* Hands a descriptor to the epoll. */
bool relay_process_watch(struct relay_process *process, int fd, uint32_t kind, uint32_t number);

#endif
