#include "replay/verify_bundle.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void
bundle_say(struct bundle *b, const char *what, const char *where, const char *expected,
	   const char *found)
{
	voice_say(&b->voice, what, where, expected, found);
}

/* --- the checkpoint ------------------------------------------------------------------------------
 */

static bool
check_checkpoint(struct bundle *b)
{
	struct bundle_manifest *m = &b->manifest;
	struct checkpoint checkpoint;
	size_t count = 0;
	char *note = bundle_text(b, "log/checkpoint", &count);

	if (strcmp(m->origin, m->log_key.name) != 0) {
		bundle_say(b, "the key is of another log", "manifest.json", m->origin,
			   m->log_key.name);
	}
	if (note == NULL) {
		return false;
	}
	const enum checkpoint_check check = checkpoint_verify(
		(struct span){ (const uint8_t *)note, count }, &m->log_key, &checkpoint);
	free(note);
	if (check != CHECKPOINT_HOLDS) {
		bundle_say(b, "the checkpoint does not hold", "log/checkpoint", m->log_key.name,
			   checkpoint_check_text(check));
		return false;
	}
	if (checkpoint.size != m->size) {
		voice_say_numbers(&b->voice, "the manifest names another size", "manifest.json",
				  checkpoint.size, m->size);
		return false;
	}
	if (!digest_equal(&checkpoint.root, &m->root)) {
		voice_say_digests(&b->voice, "the manifest names another root", "manifest.json",
				  &checkpoint.root, &m->root);
		return false;
	}
	b->is_signed = true;
	return true;
}

/* The root at another size, as far as the tiles of the bundle, or its own proof, reach. */
static bool
root_at(struct bundle *b, uint64_t size, struct digest *out)
{
	if (size == b->manifest.size) {
		*out = b->manifest.root;
		return true;
	}
	if (b->manifest.has_previous && size == b->manifest.previous_size) {
		*out = b->manifest.previous_root;
		return true;
	}
	return size < b->manifest.size && proof_root(bundle_fetch, b, size, out);
}

/* A checkpoint that one has from elsewhere: this log must go through it. */
static void
check_given(struct bundle *b, const char *where, struct span note)
{
	struct checkpoint given;
	struct digest root;
	const enum checkpoint_check check = checkpoint_verify(note, &b->manifest.log_key, &given);
	char found[96];

	if (check != CHECKPOINT_HOLDS) {
		bundle_say(b, "what you gave is no checkpoint of this log", where,
			   b->manifest.log_key.name, checkpoint_check_text(check));
		return;
	}
	if (!root_at(b, given.size, &root)) {
		snprintf(found, sizeof found, "%s: ask for ifreplay prove --from-checkpoint",
			 given.size > b->manifest.size ? "it is of a later log"
						       : "the tiles that it needs are not here");
		bundle_say(b, "the checkpoint you gave cannot be compared with this bundle", where,
			   "one of this size, of the export before it, or below its tiles", found);
	} else if (!digest_equal(&root, &given.root)) {
		voice_say_digests(&b->voice, "this log does not go through the checkpoint you gave",
				  where, &given.root, &root);
	}
}

static void
check_previous(struct bundle *b)
{
	struct checkpoint given;

	check_given(b, "the previous export", b->trust->previous);
	if (checkpoint_read(b->trust->previous, &given) && given.size != b->manifest.size &&
	    (!b->manifest.has_previous || given.size != b->manifest.previous_size)) {
		bundle_say(b, "this export does not follow the one you gave", "manifest.json",
			   "its checkpoint as the previous one", "another, or none");
	}
}

/* --- all of it -----------------------------------------------------------------------------------
 */

static void
check_log(struct bundle *b)
{
	if (!check_checkpoint(b)) {
		return;
	}
	bundle_check_tiles(b);
	bundle_check_rows(b);
	bundle_check_range(b);
	bundle_check_proofs(b);
	bundle_check_csv(b);
	bundle_check_anchors(b);
	if (b->trust->has_checkpoint) {
		check_given(b, "the checkpoint you gave", b->trust->checkpoint);
	}
	if (b->trust->has_previous) {
		check_previous(b);
	}
}

void
bundle_check(struct bundle *b, const struct bundle_files *files, const struct bundle_trust *trust,
	     verify_report *report, void *context)
{
	memset(b, 0, sizeof *b);
	b->voice = (struct verify_voice){ report, context, 0 };
	b->files = files;
	b->trust = trust;
	bundle_check_sums(b);
	if (!bundle_manifest_read(b)) {
		return;
	}
	bundle_check_manifest(b);
	bundle_check_stamp(b);
	check_log(b);
}
