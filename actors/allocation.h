/* The allocation actor: who holds which relayed address, who may send to it, until when (RFC 8656),
 * and how much was relayed. Decides for all relays; each relay keeps a view of its own allocations,
 * which is a state of this same kind changed by the same allocation_apply.
 *
 * Rules beyond the RFC's:
 *   - The relay stops relaying at expires_us, to the microsecond; the sweep ends the allocation
 * EXPIRY_GRACE_S later. In between it is dead for everybody but REPORT_USAGE: so the sums in the
 * log are complete.
 *   - A user holds what its handle holds: user-quota counts live allocations, retransmissions not
 * twice.
 *   - Peers live in a pool of all allocations; PERMIT and BIND_CHANNEL are refused when it is
 * empty. */
#ifndef IFSWARM_ACTORS_ALLOCATION_H
#define IFSWARM_ACTORS_ALLOCATION_H

#include "actors/allocation_table.h"
#include "actors/core.h"
#include "actors/directory.h"
#include "actors/fronts.h"
#include "actors/revocations.h"
#include "protocol/settings.h"

struct allocation_limits {
	uint32_t allocations_max; /* rows, 1 to ALLOCATIONS_MAX */
	uint32_t peers_max;       /* permissions and channels of all rows */
	uint32_t names_max;     /* users (and days) whose handles are known, 1 to KNOWN_NAMES_MAX */
	uint64_t user_quota;    /* 0: no limit */
	uint64_t address_quota; /* likewise */
	uint64_t total_quota;   /* 0: as many as there are rows */
	uint64_t bytes_per_s;   /* max-bps; 0: no limit */
	uint64_t capacity_per_s; /* bps-capacity; 0: no limit */
	uint64_t lifetime_max_s; /* max-allocate-lifetime */
	bool legacy_channels;    /* numbers up to 0x7FFF may be bound */
	uint64_t relay;          /* a view of that relay's alone; 0: the actor's, of all */
	uint64_t seed;           /* random; of the hash indexes, never in the dump */
};

struct allocation_state {
	struct allocation_limits limits;
	struct allocation_table table;
	struct directory *names; /* users, and the day whose subject seals strangers' addresses */
	struct fronts relays;
	struct revocations *revoked;
};

/* As many rows and peers as limits.h allows. */
struct allocation_limits allocation_limits_of(uint64_t user_quota, uint64_t total_quota,
					      uint64_t lifetime_max_s, uint64_t seed);

/* An empty state; takes its memory now and none later. */
struct allocation_state *allocation_new(const struct allocation_limits *limits);
void allocation_free(struct allocation_state *state);
/* Other quotas and lifetimes, from now on; what exists stays, even beyond them. */
void allocation_set_limits(struct allocation_state *state, const struct settings *settings);
/* Empties it: allocations, users, fronts. */
void allocation_clear(struct allocation_state *state);

/* The core over that state (its functions take `struct allocation_state *`). */
struct core allocation_core(struct allocation_state *state);

/* --- what the core consists of --- */

enum verdict allocation_decide(const void *state, const struct command *command,
			       struct event_list *out);
/* Events that do not fit the state (a forged log) are ignored. */
void allocation_apply(void *state, const struct event *event);
bool allocation_repeats(const void *state, const struct command *command);
/* DECIDED to the relay that asked; HAPPENED to the relays whose allocations ended by themselves. */
void allocation_tell(const void *state, const struct command *command, struct span body,
		     enum verdict verdict, const struct event_list *events, struct outbox *outbox);
/* First a HAPPENED with count 0 ("forget your view"), then HAPPENED with the events that rebuild
 * it. */
void allocation_greet(const void *state, uint64_t front, struct outbox *outbox);
/* [relays, names' handles, [row, ...]] with rows sorted by allocation id; nothing personal. While
 * agents are revoked their handles stand behind it, and their names behind the personal dump. */
void allocation_dump(const void *state, struct mp_writer *w);
/* [names, [[user name, client, [peer, ...]], ...]] in the same order; nil for what is erased, and
 * for a user name that is among the names already. */
void allocation_dump_personal(const void *state, struct mp_writer *w);
/* `personal` may be empty: then nothing personal is known. */
bool allocation_restore(void *state, struct span dump, struct span personal);
/* [[allocation id, user name, relay, client, relayed, expires_us, relayed also or nil], ...] */
void allocation_roster(const void *state, struct mp_writer *w);

/* --- between the actor and its relays --- */

/* The peers of a PERMIT in their order, borrowed from it; the unused ones have no family. */
void allocation_permit_peers(const struct command_permit *permit,
			     const struct address *out[PERMIT_PEERS_MAX]);
/* That MOVE is asked by a relay for an allocation of another one, which is to yield it. */
bool allocation_is_called(const struct allocation_state *state, const struct command *command);
/* Allocations in the order of their ids; the caller frees it. */
uint32_t *allocation_sorted(const struct allocation_state *state, uint32_t *count);

#endif
