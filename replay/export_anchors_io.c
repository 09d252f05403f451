/* What others said of the log, for a bundle: docs/bundle.md, anchors/. A cosigned checkpoint and a
 * timestamped one, each with the proof that ties it to the checkpoint of the export; and a
 * timestamp of the manifest. */
#include "replay/export_state_io.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "replay/stamp_io.h"
#include "replay/witnesses_io.h"
#include "store/files_io.h"
#include "store/sha256.h"
#include "store/tlog_proof.h"

enum { ANCHOR_NAME_MAX = 48 };

/* --- tied to the export's checkpoint
 * ---------------------------------------------------------------
 */

static bool
put_tie(struct export *x, const char *name, const struct newest *anchor)
{
	const struct newest *own = &x->newest;
	const bool is_older = anchor->checkpoint.size < own->checkpoint.size;
	const struct newest *old = is_older ? anchor : own;
	const struct newest *new = is_older ? own : anchor;
	struct tlog_proof proof = { .kind = TLOG_CONSISTENCY,
				    .number = old->checkpoint.size,
				    .note = newest_note(old) };
	char member[ANCHOR_NAME_MAX];

	if (anchor->checkpoint.size == own->checkpoint.size) {
		return true;
	}
	if (!proof_consistency(log_fetch_hashes, x->source->reader, old->checkpoint.size,
			       new->checkpoint.size, &proof.proof)) {
		return export_fails(x, "its tiles cannot be read: run ifreplay verify");
	}
	char *text = malloc(TLOG_PROOF_MAX);
	assert(text != NULL);
	snprintf(member, sizeof member, "anchors/%s.proof", name);
	bundle_put(x->bundle, member, text, tlog_proof_write(text, &proof));
	free(text);
	return true;
}

static bool
put_cosigned(struct export *x, const struct anchored_choice *choice)
{
	struct newest *anchor = calloc(1, sizeof *anchor);
	char *note = malloc(2 * CHECKPOINT_NOTE_MAX);

	assert(anchor != NULL);
	assert(note != NULL);
	/* The log's own line alone: what the log has signed of exactly that size. */
	bool ok = newest_take(x->source, x->options->vkey, choice->size, anchor) &&
		  anchor->checkpoint.size == choice->size;
	if (ok) {
		size_t count = anchor->count;

		memcpy(note, anchor->note, count);
		for (uint32_t i = 0; i < choice->count; i++) {
			count += (size_t)snprintf(note + count, 2 * CHECKPOINT_NOTE_MAX - count,
						  "%s\n", choice->lines[i]);
		}
		bundle_put(x->bundle, "anchors/cosigned.checkpoint", note, count);
		ok = put_tie(x, "cosigned", anchor);
	} else {
		ok = export_fails(
			x, "a checkpoint that was cosigned does not hold over these entries: "
			   "run ifreplay verify");
	}
	free(note);
	free(anchor);
	return ok;
}

/* --- timestamps ----------------------------------------------------------------------------------
 */

/* A token that is gone, or not the one that was logged, is left out: `verify` and `doctor` name it.
 */
static bool
put_stamped(struct export *x, const struct anchored_choice *choice)
{
	static uint8_t token[TIMESTAMP_RESPONSE_MAX];
	struct newest *anchor = calloc(1, sizeof *anchor);
	char name[64], path[FILE_PATH_MAX];
	struct digest digest;
	size_t count = 0;

	assert(anchor != NULL);
	snprintf(name, sizeof name, "pub/timestamp/%" PRIu64 ".tsr", choice->stamped);
	path_join(path, x->options->data_dir, name);
	bool is_there = file_read(path, token, sizeof token, &count) == FILE_OK;
	sha256_span((struct span){ token, count }, &digest);
	snprintf(name, sizeof name, "pub/timestamp/%" PRIu64 ".checkpoint", choice->stamped);
	path_join(path, x->options->data_dir, name);
	is_there = is_there && digest_equal(&digest, &choice->token) &&
		   newest_read(x->source, x->options->vkey, path, anchor) &&
		   anchor->checkpoint.size == choice->stamped;
	bool ok = true;
	if (is_there) {
		bundle_put(x->bundle, "anchors/stamped.tsr", token, count);
		bundle_put(x->bundle, "anchors/stamped.checkpoint", anchor->note, anchor->count);
		ok = put_tie(x, "stamped", anchor);
	}
	free(anchor);
	return ok;
}

bool
export_anchors(struct export *x)
{
	return (x->anchors.size == 0 || put_cosigned(x, &x->anchors)) &&
	       (x->anchors.stamped == 0 || put_stamped(x, &x->anchors));
}

void
export_stamp(struct export *x, struct span manifest, const struct digest *digest)
{
	struct witnesses *w = witnesses_open(x->options->data_dir, NULL, NULL);
	struct stamp *stamp = calloc(1, sizeof *stamp);

	assert(stamp != NULL);
	if (w->settings.tsa_url.bytes[0] != '\0') {
		x->is_stamped = stamp_get(stamp, x->options->data_dir, w, manifest, digest);
		snprintf(x->stamp_says, sizeof x->stamp_says, "%s", stamp->says);
	}
	if (x->is_stamped) {
		bundle_put(x->bundle, "manifest.json.tsr", stamp->token, stamp->count);
	}
	free(stamp);
	witnesses_close(w);
}
