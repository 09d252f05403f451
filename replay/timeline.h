/* One agent's story, told from the log as it is read: what it did and what was done to it, and at
 * the end whom it met, over which relays and peers, how much, and what it was refused.
 *
 * Two agents have met while both were in one room; offers, answers and candidates are counted both
 * ways. Every table is bounded; what no longer fits is counted and said.
 */
#ifndef IFSWARM_REPLAY_TIMELINE_H
#define IFSWARM_REPLAY_TIMELINE_H

#include <jansson.h>

#include "replay/names.h"
#include "replay/paper.h"
#include "replay/who.h"
#include "store/entry.h"

enum {
	TIMELINE_MET_MAX = 4096,
	TIMELINE_PEERS_MAX = 1024,
	TIMELINE_PRESENT_MAX = 2 * AGENTS_MAX,
	TIMELINE_RELAYS_MAX = 1024,
};

struct timeline_met {
	struct id agent;
	uint32_t rooms; /* shared at the moment */
	uint64_t since_us;
	uint64_t together_us;
	uint64_t meetings;
	uint64_t first_us;  /* when they met first; meaningless without meetings */
	uint64_t parted_us; /* last; 0: never */
	uint64_t offers_sent, offers_received;
	uint64_t answers_sent, answers_received;
	uint64_t candidates_sent, candidates_received;
};

struct timeline_peer {
	struct address address; /* none: sealed or erased */
	uint64_t bytes_up, bytes_down;
	uint64_t permissions;
};

struct timeline_present {
	struct id agent;
	struct id room;
	uint64_t since_us;
	uint64_t since_seq;
	bool is_used;
	bool is_ours;
};

struct timeline_relay {
	struct id allocation;
	struct address relayed;
	struct address relayed_also; /* of the other family, if it was given both */
	uint64_t since_us;
	uint64_t bytes_up, bytes_down; /* as usage events said them */
	uint64_t end_reason;           /* 0: not ended */
	uint64_t until_us;
};

/* What is told, as it happens. `kind` is a word such as "registered". */
typedef void timeline_say(void *context, uint64_t seq, uint64_t us, const char *kind,
			  const char *text);

struct timeline {
	struct who *who;
	names_ask *name_of;
	void *names;
	timeline_say *say;
	void *context;
	bool is_quiet; /* before the range that was asked for: learn, but tell and count nothing */

	struct idmap present_at;
	struct timeline_present *present;
	uint32_t present_count;
	struct timeline_across {
		uint64_t since_seq;
		uint32_t place;
	} * across; /* those on the other side, while somebody comes or goes */
	struct idmap met_at;
	struct timeline_met *met;
	uint32_t met_count;
	struct timeline_peer *peers;
	uint32_t peer_count;
	struct idmap relay_at;
	struct timeline_relay *relays;
	uint32_t relay_count;

	uint64_t last_us;
	uint64_t registrations;
	uint64_t connected_us;
	uint64_t allocations;
	uint64_t bytes_up, bytes_down;
	uint64_t refusals;
	uint64_t not_kept; /* rows that found no room in a table */
};

/* `who` and the names are borrowed. */
void timeline_make(struct timeline *t, struct who *who, names_ask *name_of, void *names,
		   timeline_say *say, void *context);
void timeline_free(struct timeline *t);

/* The next event of the log, from its first on. */
void timeline_feed(struct timeline *t, const struct entry *entry, const struct event *event);

/* Whoever is not told of everybody's comings and goings tells of those that matter: of rooms where
 * one of ours is. True while one is; a room that has none can be forgotten, and told again. */
bool timeline_has_ours(const struct timeline *t, const struct id *room);
void timeline_forget_room(struct timeline *t, const struct id *room);

/* After the last event: the tables. One piece of the page at a time, until it is false. */
bool timeline_page(const struct timeline *t, uint32_t piece, struct paper *out);
/* The same as one JSON object, owned by the caller. */
json_t *timeline_json(const struct timeline *t);

/* --- between the timeline's own files --- */

/* The row of an agent among those met; NULL if the table is full. */
struct timeline_met *timeline_met_of(struct timeline *t, const struct id *agent);
/* Counts and tells what concerns rooms; the rest is timeline.c's. */
void timeline_presence(struct timeline *t, const struct entry *entry, const struct event *event);
/* An address; without its port where that is 0 (a permission is for all ports of a peer). */
void timeline_print_address(char *out, size_t size, const struct address *address);
/* Time in any room, what lasts included. */
uint64_t timeline_connected_us(const struct timeline *t);
/* Time shared so far, one that lasts included. */
uint64_t timeline_together_us(const struct timeline *t, const struct timeline_met *met);
void timeline_tell(struct timeline *t, const struct entry *entry, const char *kind,
		   const struct paper *paper);
/* A name or the handle itself. */
void timeline_add_name(const struct timeline *t, struct paper *paper, const struct id *handle);

#endif
