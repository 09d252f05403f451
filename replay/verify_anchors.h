/* What others said of the log, judged: cosignatures of witnesses (store/cosignature.h) and
 * timestamps of an authority (store/timestamp.h), beside the log that they speak of. The worldly
 * half, which finds them and computes the roots anew, is verify_anchors_io.h.
 *
 * A witness vouches that all it saw before are prefixes of what it cosigns. So whoever cosigned a
 * tree has seen every smaller one, and the last checkpoint that a quorum has seen is the largest
 * size up to which enough witnesses have cosigned anything. What came after it is on the log's own
 * word.
 *
 * Whose word counts stands in a policy (store/policy.h). Without one nothing is judged, and that is
 * said: it is no break, because the log may well be true. A name that the policy does not know is
 * not judged either.
 */
#ifndef IFSWARM_REPLAY_VERIFY_ANCHORS_H
#define IFSWARM_REPLAY_VERIFY_ANCHORS_H

#include <jansson.h>

#include "replay/paper.h"
#include "replay/verify.h"
#include "store/cosignature.h"
#include "store/policy.h"
#include "store/timestamp.h"

enum {
	/* Between the log's clock and another's. More is a wrong clock or a wrong story: either is
	   told. */
	ANCHOR_CLOCK_SLACK_S = 3600,
	ANCHOR_SENTENCE_MAX = 320,
	ANCHOR_FROM_MAX = 512,
};

/* The tree that is spoken of, as this log gives it, and when that can have been. */
struct anchor_tree {
	struct checkpoint checkpoint;
	uint64_t after_us;  /* its last entry was recorded then; 0: not known */
	uint64_t before_us; /* what was said of it was recorded then; 0: not known */
};

struct anchor_seen {
	uint64_t size; /* 0: nothing */
	uint64_t time_s;
};

/* The largest size that enough have seen. */
struct anchor_quorum {
	uint64_t size;   /* 0: none */
	uint64_t time_s; /* when enough had seen it */
	uint32_t count;  /* who has */
};

struct anchor_judge {
	struct verify_voice *voice;
	const struct policy *policy; /* NULL: nobody is judged */
	uint64_t held, unjudged, broken;
	struct anchor_seen newest[POLICY_WITNESSES_MAX]; /* of each witness */
	uint64_t first_s[POLICY_WITNESSES_MAX]; /* anchor_judge_when: that it saw the quorum's size;
						   0 never */
};

/* One cosignature, a line without its newline. `named`: whose it is said to be, or NULL. Breaks go
 * to the voice; true if it holds. */
bool anchor_judge_line(struct anchor_judge *judge, const char *where, struct span line,
		       const char *named, const struct anchor_tree *tree);
/* All lines of a note but those of the log's own key: what is done with each is the visitor's. */
typedef void anchor_line_visitor(void *context, struct span line);
void anchor_lines(struct span note, const struct log_verifier *log, anchor_line_visitor *visit,
		  void *context);

/* After the last line. The time is filled in by anchor_quorum_when. */
struct anchor_quorum anchor_quorum_find(const struct anchor_judge *judge);
/* Each line again, to learn when the quorum's size had been seen; its signature is checked only if
 * it is older than what was learnt before. */
void anchor_judge_when(struct anchor_judge *judge, const struct anchor_quorum *quorum,
		       struct span line, const struct checkpoint *checkpoint);
void anchor_quorum_when(const struct anchor_judge *judge, struct anchor_quorum *quorum);

/* A timestamp over `note`, which must be the log's checkpoint of that tree. `trust` NULL: the
 * signer is not judged. True if it holds. */
bool anchor_judge_token(struct verify_voice *voice, const char *where, struct span token,
			struct span note, const struct log_verifier *log,
			const struct timestamp_trust *trust, const struct anchor_tree *tree,
			uint64_t *time_s);

/* --- what is told of it (verify_anchors_text.c) --- */

struct anchors_summary {
	bool has_policy;
	char policy_from[ANCHOR_FROM_MAX]; /* or why there is none */
	uint32_t witnesses;                /* of the policy */
	uint32_t heard;                    /* of them: who said something that holds */
	uint64_t cosignatures, held, unjudged;
	struct anchor_quorum quorum;
	bool has_trust;
	char trust_from[ANCHOR_FROM_MAX];
	uint64_t tokens;         /* that hold */
	uint64_t tokens_missing; /* the log knows their digests, and no file has them */
	struct anchor_seen newest_token;
};

/* "the last checkpoint that 2 of 3 witnesses have seen is 1200, at ...; ..." */
void anchors_sentence(const struct anchors_summary *summary, char out[ANCHOR_SENTENCE_MAX]);
/* Lines of verify's summary. */
void anchors_add(struct paper *paper, const struct anchors_summary *summary);
json_t *anchors_json(const struct anchors_summary *summary);

#endif
