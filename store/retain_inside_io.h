/* Between the files of a retention: retain_io.c does it, retain_read_io.c finds what is kept. */
#ifndef IFSWARM_STORE_RETAIN_INSIDE_IO_H
#define IFSWARM_STORE_RETAIN_INSIDE_IO_H

#include "store/kept.h"
#include "store/retain_io.h"

enum retain_phase {
	READ_HOLDS,
	READ_NAMES, /* of one hold's agent */
	READ_PARTS,
	COUNT_PARTS,
	DECIDE,
	FORGET_KEYS,
	DELETE_PARTS,
	CLEAN,
	ENDED,
};

struct hold {
	struct id id;
	uint64_t until_us;
	struct name agent;
};

struct retaining {
	struct evidence *evidence;
	struct log_reader *reader;
	struct log_keys *keys;
	enum retain_phase phase;
	enum erase_state state;
	uint64_t end; /* the first seq after the month */
	uint64_t at;
	struct hold *holds;
	size_t hold_count, hold_room;
	size_t hold_at;    /* whose agent is read for */
	uint64_t holds_to; /* up to where holds were read */
	bool holds_changed;
	struct erase_plan plan;
	struct kept_set kept;
	struct retain_report report;
	char fault[EVIDENCE_FAULT_MAX];
};

/* --- retain_read_io.c: one step each, on to the next phase when it is through --- */
/* The holds that stand. */
enum erase_state retain_read_holds(struct retaining *retaining, uint64_t now_us);
/* All that names the agent of one of them. */
enum erase_state retain_read_names(struct retaining *retaining);
/* The keys of that. */
enum erase_state retain_read_parts(struct retaining *retaining);
/* A hold that was placed while the log was read counts: then it is read again. */
enum erase_state retain_check_holds(struct retaining *retaining);

#endif
