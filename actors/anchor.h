/* The anchor's pure half: who is to be asked for what, when, and what an answer means. It knows no
 * socket and no clock; actors/anchor_io.c does what it says.
 *
 * Anchoring goes in rounds: all witnesses are shown one checkpoint, so that their cosignatures meet
 * on it. A round begins when something but anchors was logged since the last one, and no sooner
 * than anchor-interval after it. Nobody is waited for: who fails is asked again later and later, at
 * most every ten minutes, and the next round goes on without him.
 *
 * Times are microseconds of a clock that never steps.
 */
#ifndef IFSWARM_ACTORS_ANCHOR_H
#define IFSWARM_ACTORS_ANCHOR_H

#include "store/cosignature.h"
#include "store/policy.h"

enum {
	ANCHOR_TARGETS_MAX = POLICY_WITNESSES_MAX + 1, /* and one authority */
	ANCHOR_ANSWER_MAX = 64 * 1024, /* bytes of an HTTP answer: more is a fault */
	ANCHOR_WHY_MAX = 160,
	ANCHOR_BACKOFF_US = 1000 * 1000,
	ANCHOR_BACKOFF_MAX_US = 600 * 1000 * 1000,
	ANCHOR_CONFLICTS_MAX = 3, /* in a row: a witness that always says 409 is none */
};

enum anchor_kind { ANCHOR_WITNESS, ANCHOR_AUTHORITY };

struct anchor_target {
	enum anchor_kind kind;
	char name[POLICY_NAME_MAX + 1];
	char url[POLICY_URL_MAX + 16]; /* of the request itself */
	struct log_verifier key;       /* of a witness */
	uint64_t old;                  /* what a witness has cosigned last, as far as we know */
	uint64_t done;                 /* the size of our newest checkpoint that it anchored */
	uint64_t stamped_us;           /* of an authority: the last time; 0 never */
	uint64_t not_before_us;
	unsigned failures; /* in a row */
	unsigned conflicts;
	char why[ANCHOR_WHY_MAX]; /* it failed last; "" if it did not */
};

struct anchors {
	size_t count;
	struct anchor_target targets[ANCHOR_TARGETS_MAX];
	uint64_t interval_us;
	uint64_t stamp_interval_us;
	/* The round. */
	uint64_t size;
	uint64_t begun_us;
	size_t note_count;
	char note[CHECKPOINT_BYTES_MAX];
};

/* All witnesses with a URL, and the authority if `tsa_url` is not empty. */
void anchors_make(struct anchors *anchors, const struct policy *policy, const char *tsa_url,
		  uint64_t interval_s, uint64_t stamp_interval_s);

/* It is time to ask the log what there is. */
bool anchors_want_offer(const struct anchors *anchors, uint64_t now_us);
/* What it said. */
void anchors_offer(struct anchors *anchors, uint64_t size, uint64_t substance, struct span note,
		   uint64_t now_us);

/* This target is to be asked about the round's checkpoint now. */
bool anchor_is_due(const struct anchors *anchors, size_t target, uint64_t now_us);

enum anchor_step {
	ANCHOR_DONE,   /* `line` is a cosignature that holds: hand it in, then anchor_succeeded */
	ANCHOR_AGAIN,  /* it has another size in mind: ask again, with a proof from there */
	ANCHOR_FAILED, /* as anchor_failed: the target's `why` says it */
};
/* What a witness has answered when it was shown that checkpoint, of this round or an earlier one.
 */
struct anchor_answer {
	uint64_t size;
	struct span note;
	unsigned status; /* of HTTP */
	struct span body;
};
/* `line` borrows from the body. */
enum anchor_step anchor_answered(struct anchors *anchors, size_t target,
				 const struct anchor_answer *answer, uint64_t now_us,
				 struct span *line);
/* True if it had failed before. */
bool anchor_succeeded(struct anchors *anchors, size_t target, uint64_t size, uint64_t now_us);
/* True if it had not failed before: then the operator is to be told. */
bool anchor_failed(struct anchors *anchors, size_t target, const char *why, uint64_t now_us);

#endif
