/* What the log itself says was lawfully removed: erased, pruned, or lost in a restore. It is read
 * before the rows are judged, because it stands after what it removes; then every part that is not
 * there has an event that says why, or it is missing.
 *
 * An event speaks only of what was logged before it. Memory is bounded: 40 bytes for each subject
 * and 32 for each single part, up to the limits below; beyond them nothing is called missing that
 * might have been erased, and that is said.
 */
#ifndef IFSWARM_REPLAY_VERIFY_ALLOW_H
#define IFSWARM_REPLAY_VERIFY_ALLOW_H

#include "protocol/event.h"

enum {
	ALLOW_SUBJECTS_MAX = 1 << 20,
	ALLOW_PARTS_MAX = 1 << 20,
	ALLOW_KEPT_MAX = 1 << 19,
	ALLOW_MONTHS_MAX = 4096,
	ALLOW_RANGES_MAX = 4096,
	ALLOW_REQUESTS_MAX = 1 << 18,
};

enum allow_why {
	ALLOW_NOT,
	ALLOW_ERASED,  /* and its ciphertext must be gone */
	ALLOW_ERASING, /* its keys are gone; the ciphertext may still be on its way out */
	ALLOW_LOST,    /* in a restore; not erased */
};

/* A range of entries: pruned, or whose parts were lost. */
struct allow_range {
	uint64_t first, end;
	uint64_t by; /* seq of the event that says so */
	struct digest root;
	bool is_under_way; /* pruned, and some of it may still be there */
};

/* A part as an entry names it. */
struct allow_part {
	uint64_t seq;
	uint64_t part;
	uint64_t month; /* as seal_month gives it */
	struct id subject;
};

/* One growing array of values of equal size. */
struct allow_list {
	uint8_t *items;
	size_t count, room;
};

struct verify_allow {
	struct allow_list subjects, parts, kept, months, requests, pruned, lost;
	uint64_t next_seq; /* all events before it were taken */
	bool is_overfull;
};

/* Zeroed memory is an allowance of nothing. */
void allow_free(struct verify_allow *allow);

/* Which event types it wants to be given. */
bool allow_wants(uint64_t type);
/* The next such event of the log, in order of seq; others are passed over. */
void allow_take(struct verify_allow *allow, uint64_t seq, const struct event *event);
/* After the last one, and again after more: puts everything in order to be asked. */
void allow_settle(struct verify_allow *allow);

/* Nothing at all was removed: no need to ask about each part. */
bool allow_is_empty(const struct verify_allow *allow);
/* Why a part may not be there; *by is the event that says so. */
enum allow_why allow_part(const struct verify_allow *allow, const struct allow_part *part,
			  uint64_t *by);
/* By event, whether every key of the subject from before it is destroyed: the seq of the last
 * erasure of that subject, or of a month from that one on; 0 if its keys may be there. */
uint64_t allow_key(const struct verify_allow *allow, const struct id *subject, uint64_t month,
		   uint64_t created_seq);
/* The pruned range that holds the entry; NULL if none does. */
const struct allow_range *allow_pruned(const struct verify_allow *allow, uint64_t seq);
/* The first pruned range that begins after the entry; NULL if none does. */
const struct allow_range *allow_pruned_after(const struct verify_allow *allow, uint64_t seq);
/* The pruned range of that event is not done yet. After allow_settle. */
void allow_under_way(struct verify_allow *allow, uint64_t by);
size_t allow_pruned_count(const struct verify_allow *allow);
const struct allow_range *allow_pruned_at(const struct verify_allow *allow, size_t index);

#endif
