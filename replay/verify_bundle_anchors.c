/* What others said, in a bundle (docs/bundle.md, anchors/): a cosigned checkpoint and a timestamped
 * one, each a prefix of the log that the bundle is of, or the other way round; and a timestamp of
 * the manifest. */
#include "replay/verify_bundle.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/tlog_proof.h"

enum { ANCHOR_NAME_MAX = 64 };

struct anchor {
	char name[ANCHOR_NAME_MAX]; /* of the file with the note */
	char *note;                 /* NULL: it is not there, or does not hold */
	size_t count;
	struct anchor_tree tree;
};

/* --- tied to the bundle's checkpoint -------------------------------------------------------------
 */

static bool
follow(struct bundle *b, const char *where, struct span text, const struct checkpoint *anchor)
{
	const struct bundle_manifest *m = &b->manifest;
	const bool is_older = anchor->size < m->size;
	const uint64_t old_size = is_older ? anchor->size : m->size;
	const struct digest *old_root = is_older ? &anchor->root : &m->root;
	struct tlog_proof proof;
	struct checkpoint old;

	if (!tlog_proof_read(text, &proof) || proof.kind != TLOG_CONSISTENCY ||
	    checkpoint_verify(proof.note, &m->log_key, &old) != CHECKPOINT_HOLDS) {
		bundle_say(b, "an anchor's proof cannot be followed", where,
			   "a proof from a checkpoint of this log", "something else");
		return false;
	}
	if (proof.number != old_size || old.size != old_size ||
	    !digest_equal(&old.root, old_root)) {
		voice_say_numbers(&b->voice, "an anchor's proof is from another checkpoint", where,
				  old_size, old.size);
		return false;
	}
	if (!proof_check_consistency(old_size, old_root, is_older ? m->size : anchor->size,
				     is_older ? &m->root : &anchor->root, &proof.proof)) {
		bundle_say(b, "an anchor is not of this log's tree", where,
			   "a proof that leads to both signed roots", "another");
		return false;
	}
	return true;
}

static bool
is_tied(struct bundle *b, const char *kind, const struct checkpoint *anchor)
{
	const struct bundle_manifest *m = &b->manifest;
	char name[ANCHOR_NAME_MAX];
	size_t count = 0;

	snprintf(name, sizeof name, "anchors/%s.proof", kind);
	if (anchor->size == m->size) {
		if (!digest_equal(&anchor->root, &m->root)) {
			voice_say_digests(&b->voice, "an anchor is not of this log's tree", name,
					  &m->root, &anchor->root);
		}
		return digest_equal(&anchor->root, &m->root);
	}
	char *text = bundle_text(b, name, &count);
	const bool ok = text != NULL &&
			follow(b, name, (struct span){ (const uint8_t *)text, count }, anchor);
	free(text);
	return ok;
}

/* False if there is none, or it does not hold; freed by the caller in any case. */
static bool
anchor_read(struct bundle *b, const char *kind, struct anchor *out)
{
	*out = (struct anchor){ .count = 0 };
	snprintf(out->name, sizeof out->name, "anchors/%s.checkpoint", kind);
	if (bundle_find(b->files, out->name) == NULL ||
	    (out->note = bundle_text(b, out->name, &out->count)) == NULL) {
		return false;
	}
	const enum checkpoint_check check =
		checkpoint_verify((struct span){ (const uint8_t *)out->note, out->count },
				  &b->manifest.log_key, &out->tree.checkpoint);
	if (check != CHECKPOINT_HOLDS) {
		bundle_say(b, "an anchor is no checkpoint of this log", out->name,
			   "a checkpoint that the log has signed", checkpoint_check_text(check));
		return false;
	}
	return is_tied(b, kind, &out->tree.checkpoint);
}

/* --- witnesses -----------------------------------------------------------------------------------
 */

struct lines {
	struct bundle *b;
	struct anchor *anchor;
	struct anchor_judge judge;
	struct anchor_quorum quorum;
};

static void
judge_line(void *context, struct span line)
{
	struct lines *lines = context;

	lines->b->anchors.cosignatures++;
	anchor_judge_line(&lines->judge, lines->anchor->name, line, NULL, &lines->anchor->tree);
}

static void
judge_when(void *context, struct span line)
{
	struct lines *lines = context;

	anchor_judge_when(&lines->judge, &lines->quorum, line, &lines->anchor->tree.checkpoint);
}

static void
check_cosigned(struct bundle *b, struct anchor *anchor)
{
	struct anchors_summary *out = &b->anchors;
	struct lines lines = {
		b, anchor, { .voice = &b->voice, .policy = b->trust->policy }, { 0 }
	};
	const struct span note = { (const uint8_t *)anchor->note, anchor->count };

	anchor_lines(note, &b->manifest.log_key, judge_line, &lines);
	lines.quorum = anchor_quorum_find(&lines.judge);
	anchor_lines(note, &b->manifest.log_key, judge_when, &lines);
	anchor_quorum_when(&lines.judge, &lines.quorum);
	out->held = lines.judge.held;
	out->unjudged = lines.judge.unjudged;
	out->quorum = lines.quorum;
	for (uint32_t i = 0; i < out->witnesses; i++) {
		out->heard += lines.judge.newest[i].size > 0;
	}
}

/* --- timestamps ----------------------------------------------------------------------------------
 */

static void
check_stamped(struct bundle *b, const struct anchor *anchor)
{
	const struct span note = { (const uint8_t *)anchor->note, anchor->count };
	size_t count = 0;
	uint64_t time_s = 0;
	char *token = bundle_text(b, "anchors/stamped.tsr", &count);

	if (token != NULL &&
	    anchor_judge_token(&b->voice, "anchors/stamped.tsr",
			       (struct span){ (const uint8_t *)token, count }, note,
			       &b->manifest.log_key, b->trust->trust, &anchor->tree, &time_s)) {
		b->anchors.tokens = 1;
		b->anchors.newest_token =
			(struct anchor_seen){ anchor->tree.checkpoint.size, time_s };
	}
	free(token);
}

void
bundle_check_stamp(struct bundle *b)
{
	static const char name[] = "manifest.json.tsr";
	size_t count = 0, length = 0;
	char fault[TIMESTAMP_FAULT_MAX];

	if (bundle_find(b->files, name) == NULL) {
		return;
	}
	char *token = bundle_text(b, name, &count);
	char *manifest = bundle_text(b, "manifest.json", &length);
	if (token != NULL && manifest != NULL &&
	    !timestamp_holds((struct span){ (const uint8_t *)token, count },
			     (struct span){ (const uint8_t *)manifest, length }, NULL,
			     b->trust->trust, &b->stamped_s, fault)) {
		bundle_say(b, "the manifest's timestamp does not hold", name,
			   "a token over manifest.json, by an authority that is trusted", fault);
	}
	free(token);
	free(manifest);
}

/* --- all of it -----------------------------------------------------------------------------------
 */

/* What belongs to a checkpoint that is not there would be judged by nobody. */
static void
check_strays(struct bundle *b)
{
	static const char *const files[][2] = {
		{ "anchors/cosigned.proof", "anchors/cosigned.checkpoint" },
		{ "anchors/stamped.proof", "anchors/stamped.checkpoint" },
		{ "anchors/stamped.tsr", "anchors/stamped.checkpoint" },
	};

	for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
		if (bundle_find(b->files, files[i][0]) != NULL &&
		    bundle_find(b->files, files[i][1]) == NULL) {
			bundle_say(b, "a file is missing", files[i][1],
				   "what the file beside it is of", "none");
		}
	}
}

void
bundle_check_anchors(struct bundle *b)
{
	struct anchor cosigned, stamped;

	b->anchors.has_policy = b->trust->policy != NULL;
	b->anchors.has_trust = b->trust->trust != NULL;
	b->anchors.witnesses = b->trust->policy == NULL ? 0 : b->trust->policy->witness_count;
	if (anchor_read(b, "cosigned", &cosigned)) {
		check_cosigned(b, &cosigned);
	}
	if (anchor_read(b, "stamped", &stamped)) {
		check_stamped(b, &stamped);
	}
	check_strays(b);
	free(cosigned.note);
	free(stamped.note);
}
