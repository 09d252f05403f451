/* What an erasure of one agent would take, found by reading the log twice with its keys:
 *
 *   erase_learn     under which handles the name stood, which addresses were its own, which holds
 * keep it erase_collect   every sealed part that goes: those under these handles, and those under
 * others' that name it
 *
 * A handle is the agent's if a registration, a TURN allocation, a claim or a hold was made in its
 * name; a TURN user "expiry:agent" belongs to the agent. Under another's handle a part goes if it
 *
 *   - holds the name (or such a user) in a field for a name: a refusal, a claim about a peer, a
 * query
 *   - holds the name as a whole word in what somebody typed or reported (reason, purpose, metadata)
 *   - holds an address that was the agent's own, no more than ERASE_ADDRESS_SLACK_US before it was
 *     first or after it was last seen as such: a peer of somebody's relay, the source of a refusal
 *
 * A part goes as a whole. What stays: the address by which another agent itself came, even if it is
 * the same one (both behind one NAT); and the same address at other times.
 *
 * The same plan tells what a hold keeps.
 */
#ifndef IFSWARM_STORE_ERASE_H
#define IFSWARM_STORE_ERASE_H

#include "store/entry.h"

#define ERASE_ADDRESS_SLACK_US (UINT64_C(86400) * 1000 * 1000)

/* One sealed part of the log, and the subject it is sealed under. */
struct erase_part {
	uint64_t seq;
	uint32_t part;
	uint64_t month; /* of its key */
	struct id subject;
};

/* A host that was the agent's own, and when. */
struct erase_address {
	struct address host; /* port 0 */
	uint64_t first_us, last_us;
};

struct erase_hold {
	struct id hold;
	uint64_t until_us; /* 0: until it is released */
};

struct erase_plan {
	struct name agent;
	/* By stream: events of that seq and later are of a life that began after the agent was
	 * expelled, and are left alone. UINT64_MAX: there is none. */
	uint64_t ends[STREAMS];

	struct id *subjects; /* sorted */
	size_t subject_count, subject_room;
	struct erase_address *addresses;
	size_t address_count, address_room;
	struct erase_hold *holds; /* that name the agent and are not released */
	size_t hold_count, hold_room;
	/* Under other subjects. */
	struct erase_part *parts;
	size_t part_count, part_room;
	uint64_t own_parts; /* under the agent's own */
};

void erase_plan_make(struct erase_plan *plan, const struct name *agent);
void erase_plan_free(struct erase_plan *plan);

/* Events in the order of the log, each once; personal fields are empty where they were erased. */
void erase_learn(struct erase_plan *plan, const struct event *event, const struct entry *entry);
/* After erase_learn has seen all; from the start again if it has seen more since. */
void erase_collect(struct erase_plan *plan, const struct event *event, const struct entry *entry);
void erase_collect_again(struct erase_plan *plan);

/* What a log has listed before, when an erasure goes on after a crash. */
void erase_plan_add_subject(struct erase_plan *plan, const struct id *subject);
void erase_plan_add_part(struct erase_plan *plan, const struct erase_part *part);

bool erase_plan_has(const struct erase_plan *plan, const struct id *subject);
/* The first hold that stands at that time, or NULL. */
const struct erase_hold *erase_plan_hold(const struct erase_plan *plan, uint64_t now_us);

/* What is asked for, how far it is, and what it came to: store/erase_io.h does it. */
struct erase_order {
	struct name agent;
	struct id operator;
	struct name operator_name;
	struct name reason;     /* does not name the agent */
	uint64_t ends[STREAMS]; /* as in struct erase_plan; 0 too means that there is none */
};

enum erase_state {
	ERASE_WORKS,
	ERASE_WAITS, /* the disk is full, or a reader still holds an old page: step again later */
	ERASE_DONE,
	ERASE_HELD,   /* a hold stands in the way; nothing was erased */
	ERASE_FAILED, /* erase_fault says why; what was listed is carried through at the next start
		       */
};

struct erase_report {
	uint64_t read, size; /* how far the log was read, twice: 2 * size in the end */
	uint64_t subjects;
	uint64_t keys;
	uint64_t own_parts;   /* under those subjects */
	uint64_t other_parts; /* under others' */
	uint64_t addresses;   /* that were the agent's own */
	uint64_t holds;       /* in the way */
	struct id hold;       /* the first of them */
};

/* True if `text` holds `word` with no letter, digit or byte above ASCII on either side of it. */
bool erase_text_names(struct span text, struct span word);

#endif
