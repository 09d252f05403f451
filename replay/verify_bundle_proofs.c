/* proofs/: each of its inclusion proofs, and the one of growth from the export before. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "replay/verify_bundle.h"
#include "store/tlog_proof.h"

static void
check_proof(struct bundle *b, const struct bundle_file *file, const char *text, size_t count)
{
	struct tlog_proof proof;
	struct checkpoint checkpoint;
	char name[64];
	struct digest tile[TILE_HASHES];

	if (!tlog_proof_read((struct span){ (const uint8_t *)text, count }, &proof) ||
	    proof.kind != TLOG_INCLUSION ||
	    checkpoint_verify(proof.note, &b->manifest.log_key, &checkpoint) != CHECKPOINT_HOLDS) {
		bundle_say(b, "a proof cannot be followed", file->name,
			   "a C2SP tlog-proof over a signed checkpoint", "something else");
		return;
	}
	snprintf(name, sizeof name, "proofs/%" PRIu64 ".tlog-proof", proof.number);
	if (strcmp(name, file->name) != 0) {
		bundle_say(b, "a proof is of another event than its name says", file->name,
			   file->name, name);
	}
	if (proof.number < b->manifest.from || proof.number >= b->manifest.end ||
	    !bundle_fetch(b, 0, proof.number / TILE_HASHES,
			  (uint32_t)(proof.number % TILE_HASHES) + 1, tile)) {
		bundle_say(b, "a proof cannot be followed", file->name, "an event of the range",
			   "another");
	} else if (!proof_check_inclusion(&tile[proof.number % TILE_HASHES], proof.number,
					  checkpoint.size, &checkpoint.root, &proof.proof)) {
		bundle_say(b, "an inclusion proof does not lead to the root", file->name,
			   "the signed root", "another");
	}
	b->proofs++;
}

static bool
is_proof(const char *name)
{
	const size_t count = strlen(name);
	static const char end[] = ".tlog-proof";

	return strncmp(name, "proofs/", 7) == 0 && count > sizeof end &&
	       strcmp(name + count - (sizeof end - 1), end) == 0;
}

static void
check_growth(struct bundle *b, const char *text, size_t count)
{
	static const char where[] = "proofs/consistency.txt";
	const struct bundle_manifest *m = &b->manifest;
	struct tlog_proof proof;
	struct checkpoint old;

	if (!tlog_proof_read((struct span){ (const uint8_t *)text, count }, &proof) ||
	    proof.kind != TLOG_CONSISTENCY ||
	    checkpoint_verify(proof.note, &m->log_key, &old) != CHECKPOINT_HOLDS) {
		bundle_say(b, "the consistency proof cannot be followed", where,
			   "a proof from a checkpoint of this log", "something else");
		return;
	}
	if (proof.number != m->previous_size || old.size != m->previous_size) {
		voice_say_numbers(&b->voice, "the consistency proof is from another size", where,
				  m->previous_size, old.size);
	}
	if (!digest_equal(&old.root, &m->previous_root)) {
		voice_say_digests(&b->voice, "the previous checkpoint has another root", where,
				  &m->previous_root, &old.root);
	}
	if (!proof_check_consistency(old.size, &old.root, m->size, &m->root, &proof.proof)) {
		bundle_say(b, "the consistency proof does not lead to the roots", where,
			   "the previous root, and the signed one", "others");
	}
}

static void
check_consistency(struct bundle *b)
{
	static const char name[] = "proofs/consistency.txt";
	size_t count = 0;

	if (!b->manifest.has_previous) {
		if (bundle_find(b->files, name) != NULL) {
			bundle_say(b, "a consistency proof without a previous export", name,
				   "no such file", "a file");
		}
		return;
	}
	char *text = bundle_text(b, name, &count);
	if (text != NULL) {
		check_growth(b, text, count);
	}
	free(text);
}

void
bundle_check_proofs(struct bundle *b)
{
	for (size_t i = 0; i < b->files->count; i++) {
		const struct bundle_file *file = &b->files->items[i];
		size_t count = 0;

		if (!is_proof(file->name)) {
			continue;
		}
		char *text = bundle_text(b, file->name, &count);
		if (text != NULL) {
			check_proof(b, file, text, count);
		}
		free(text);
	}
	check_consistency(b);
}
