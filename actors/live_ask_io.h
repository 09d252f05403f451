/* What the operator's commands ask of the actors that hold what is live (relay_operate.h,
 * desk_operate.c): once the act is written down (operate_ask_io.h), and done here. */
#ifndef IFSWARM_ACTORS_LIVE_ASK_IO_H
#define IFSWARM_ACTORS_LIVE_ASK_IO_H

#include "actors/relay_operate.h"
#include "protocol/settings.h"

/* One allocation as its relay shows it. */
struct live_allocation {
	struct id id;
	uint64_t relay;
	struct name user;
	struct address client;
	uint64_t client_transport;
	struct address server;
	uint64_t transport; /* of the relayed address: a protocol number */
	struct address relayed;
	struct address relayed_also; /* of the other family, if there is one */
	uint64_t created_us;         /* 0: not known */
	uint64_t expires_us;
	struct usage usage;
	size_t peer_count;
	struct live_peer {
		struct address address; /* port 0: a permission */
		uint64_t channel;       /* 0: a permission; PEER_CONNECTION: a TCP connection */
		uint64_t expires_us;    /* UINT64_MAX: with the connection */
	} peers[OPERATE_PEERS_MAX];
};

struct live {
	char run_dir[512];
	uint64_t relays;
};

/* The cluster that runs on `data`; false if none does (said). */
bool live_open(struct live *live, const char *data);
/* Every allocation of that agent (an empty name: of all), relay by relay. False if a relay did not
 * answer (said): then its allocations are missing. */
bool live_list(const struct live *live, const char *agent,
	       void (*take)(void *context, const struct live_allocation *allocation),
	       void *context);
/* Ends allocations, and waits until they have ended; one of `agent` and `allocation` is "" or NULL.
 * False if a relay did not answer, or they have not ended in time (said). */
bool live_kill(const struct live *live, const char *agent, const struct id *allocation,
	       uint64_t *ended);
/* Waits until that agent holds no allocation. */
bool live_wait_gone(const struct live *live, const char *agent);
/* Ends an agent's registrations; how many there were. */
bool live_kill_agent(const struct live *live, const char *agent, uint64_t *ended);
/* `changed` is 0 if it was so already. */
bool live_revoke(const struct live *live, const char *agent, bool undo, uint64_t *changed);

#endif
