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
#include "store/cosignature.h"
#include "store/files_io.h"
#include "store/policy.h"
#include "store/read_scan_io.h"
#include "store/sha256.h"
#include "store/tlog_proof.h"

/* Cosignatures of one round come together, but a witness may be late: among so many rounds the one
 * that most witnesses met in is taken. What comes after them changes nothing: the same export stays
 * the same. */
enum { ROUNDS_MAX = 16, ANCHOR_NAME_MAX = 48 };

struct round {
	uint64_t size;
	uint32_t count; /* of lines, each once */
	char lines[POLICY_WITNESSES_MAX][COSIGNATURE_LINE_MAX];
};

struct rounds {
	struct export *x;
	uint64_t cover;
	uint32_t count;      /* that cover the export's checkpoint, the oldest first */
	struct round before; /* the newest that does not; size 0: none */
	struct round items[ROUNDS_MAX];
};

/* --- which ---------------------------------------------------------------------------------------
 */

/* In order of size, the oldest ROUNDS_MAX of them; NULL: it is none of those. */
static struct round *
covering_round(struct rounds *rounds, uint64_t size)
{
	uint32_t at = rounds->count;

	while (at > 0 && rounds->items[at - 1].size >= size) {
		at--;
	}
	if (at < rounds->count && rounds->items[at].size == size) {
		return &rounds->items[at];
	}
	if (at == ROUNDS_MAX) {
		return NULL;
	}
	rounds->count += rounds->count < ROUNDS_MAX;
	memmove(&rounds->items[at + 1], &rounds->items[at],
		(rounds->count - 1 - at) * sizeof rounds->items[0]);
	rounds->items[at] = (struct round){ .size = size };
	return &rounds->items[at];
}

static struct round *
round_of(struct rounds *rounds, uint64_t size)
{
	if (size >= rounds->cover) {
		return covering_round(rounds, size);
	}
	if (size > rounds->before.size) {
		rounds->before = (struct round){ .size = size };
	}
	return size == rounds->before.size ? &rounds->before : NULL;
}

static bool
see_cosigned(void *context, const struct event *event, const struct entry *entry)
{
	const struct event_checkpoint_cosigned *said = &event->checkpoint_cosigned;
	struct round *round = round_of(context, said->size);
	char line[COSIGNATURE_LINE_MAX];

	(void)entry;
	if (round == NULL || said->line.length >= sizeof line ||
	    round->count == POLICY_WITNESSES_MAX) {
		return true;
	}
	snprintf(line, sizeof line, "%.*s", (int)said->line.length, said->line.bytes);
	for (uint32_t i = 0; i < round->count; i++) {
		if (strcmp(round->lines[i], line) == 0) {
			return true;
		}
	}
	memcpy(round->lines[round->count++], line, sizeof line);
	return true;
}

static const struct round *
best_round(const struct rounds *rounds)
{
	const struct round *best = &rounds->before;

	for (uint32_t i = 0; i < rounds->count; i++) {
		if (i == 0 || rounds->items[i].count > best->count) {
			best = &rounds->items[i];
		}
	}
	return best->size == 0 ? NULL : best;
}

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
put_cosigned(struct export *x, const struct round *round)
{
	struct newest *anchor = calloc(1, sizeof *anchor);
	char *note = malloc(2 * CHECKPOINT_NOTE_MAX);

	assert(anchor != NULL);
	assert(note != NULL);
	/* The log's own line alone: what the log has signed of exactly that size. */
	bool ok = newest_take(x->source, x->options->vkey, round->size, anchor) &&
		  anchor->checkpoint.size == round->size;
	if (ok) {
		size_t count = anchor->count;

		memcpy(note, anchor->note, count);
		for (uint32_t i = 0; i < round->count; i++) {
			count += (size_t)snprintf(note + count, 2 * CHECKPOINT_NOTE_MAX - count,
						  "%s\n", round->lines[i]);
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

static bool
export_cosigned(struct export *x)
{
	static const uint64_t type = EVENT_CHECKPOINT_COSIGNED;
	struct rounds *rounds = calloc(1, sizeof *rounds);

	assert(rounds != NULL);
	rounds->x = x;
	rounds->cover = x->newest.checkpoint.size;
	bool ok = log_read_types(x->source->reader, &type, 1, 0, see_cosigned, rounds) ||
		  export_fails(x, "%s", log_reader_fault(x->source->reader));
	const struct round *best = ok ? best_round(rounds) : NULL;
	ok = ok && (best == NULL || put_cosigned(x, best));
	free(rounds);
	return ok;
}

/* --- timestamps ----------------------------------------------------------------------------------
 */

struct stamped {
	struct export *x;
	uint64_t size; /* 0: none yet */
	struct digest token;
};

/* The oldest that covers the export's checkpoint, or else the newest; of one size the last token.
 */
static bool
see_stamped(void *context, const struct event *event, const struct entry *entry)
{
	const struct event_checkpoint_timestamped *said = &event->checkpoint_timestamped;
	struct stamped *stamped = context;
	const uint64_t cover = stamped->x->newest.checkpoint.size;

	(void)entry;
	if (stamped->size < cover || said->size <= stamped->size) {
		stamped->size = said->size;
		stamped->token = said->token;
	}
	return true;
}

/* A token that is gone, or not the one that was logged, is left out: `verify` and `doctor` name it.
 */
static bool
put_stamped(struct export *x, const struct stamped *stamped)
{
	static uint8_t token[TIMESTAMP_RESPONSE_MAX];
	struct newest *anchor = calloc(1, sizeof *anchor);
	char name[64], path[FILE_PATH_MAX];
	struct digest digest;
	size_t count = 0;

	assert(anchor != NULL);
	snprintf(name, sizeof name, "pub/timestamp/%" PRIu64 ".tsr", stamped->size);
	path_join(path, x->options->data_dir, name);
	bool is_there = file_read(path, token, sizeof token, &count) == FILE_OK;
	sha256_span((struct span){ token, count }, &digest);
	snprintf(name, sizeof name, "pub/timestamp/%" PRIu64 ".checkpoint", stamped->size);
	path_join(path, x->options->data_dir, name);
	is_there = is_there && digest_equal(&digest, &stamped->token) &&
		   newest_read(x->source, x->options->vkey, path, anchor) &&
		   anchor->checkpoint.size == stamped->size;
	bool ok = true;
	if (is_there) {
		bundle_put(x->bundle, "anchors/stamped.tsr", token, count);
		bundle_put(x->bundle, "anchors/stamped.checkpoint", anchor->note, anchor->count);
		ok = put_tie(x, "stamped", anchor);
	}
	free(anchor);
	return ok;
}

static bool
export_stamped(struct export *x)
{
	static const uint64_t type = EVENT_CHECKPOINT_TIMESTAMPED;
	struct stamped stamped = { .x = x };

	if (!log_read_types(x->source->reader, &type, 1, 0, see_stamped, &stamped)) {
		return export_fails(x, "%s", log_reader_fault(x->source->reader));
	}
	return stamped.size == 0 || put_stamped(x, &stamped);
}

bool
export_anchors(struct export *x)
{
	return export_cosigned(x) && export_stamped(x);
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
