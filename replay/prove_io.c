/* prove: what a stranger can check without this log. Every proof is over the newest checkpoint that
 * the log has signed, because a root that nobody signed proves nothing. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "replay/commands_io.h"
#include "replay/newest_io.h"
#include "replay/print_io.h"
#include "replay/words.h"
#include "store/files_io.h"
#include "store/tlog_proof.h"

static int
refuse(const char *what)
{
	fprintf(stderr, "ifreplay: prove: %s\n", what);
	return 1;
}

/* --- what is printed
 * ------------------------------------------------------------------------------
 */

static int
print_proof(const struct options *options, const struct tlog_proof *proof, json_t *object)
{
	char *text = malloc(TLOG_PROOF_MAX);

	if (text == NULL) {
		json_decref(object);
		return refuse("out of memory");
	}
	const size_t count = tlog_proof_write(text, proof);
	if (options->json) {
		json_object_set_new(object, "proof", json_stringn(text, count));
		print_json(object);
	} else {
		fwrite(text, 1, count, stdout);
		json_decref(object);
	}
	free(text);
	return print_flush() ? 0 : 1;
}

static json_t *
base64_json(const uint8_t *bytes, size_t count)
{
	char *text = malloc(4 * ((count + 2) / 3) + 1);

	if (text == NULL) {
		return NULL;
	}
	words_base64(text, bytes, count);
	json_t *json = json_string(text);
	free(text);
	return json;
}

/* --- one entry
 * ------------------------------------------------------------------------------------
 */

static int
refuse_beyond(uint64_t size)
{
	char line[160];

	snprintf(line, sizeof line,
		 "the newest checkpoint covers entries 0 to %" PRIu64
		 ": give one of these, or wait a second for the next checkpoint",
		 size - 1);
	return refuse(line);
}

/* Its tile has the hash, and the proof is as good as ever; the entry itself is for others to have
 * kept. */
static json_t *
pruned_json(struct source *source, uint64_t seq, uint64_t size)
{
	uint64_t first = 0, end = 0, event = 0;
	struct digest hashes[TILE_HASHES];
	char hex[2 * sizeof hashes[0] + 1];

	if (!log_pruned_at(source->reader, seq, &first, &end, &event) ||
	    !log_fetch_hashes(source->reader, 0, seq / TILE_HASHES, TILE_HASHES, hashes)) {
		return NULL;
	}
	fprintf(stderr,
		"ifreplay: prove: entry %" PRIu64 " was pruned, as event %" PRIu64
		" says: the proof holds for whoever keeps the entry\n",
		seq, event);
	hex_write(hex, hashes[seq % TILE_HASHES].bytes, sizeof hashes[0]);
	return json_pack("{s:I, s:I, s:s, s:I}", "seq", (json_int_t)seq, "size", (json_int_t)size,
			 "leaf_hash", hex, "pruned_by", (json_int_t)event);
}

static json_t *
entry_json(struct source *source, uint64_t seq, uint64_t size)
{
	struct log_row row;
	struct digest leaf;
	bool found = false;
	char hex[2 * sizeof leaf + 1];

	if (!log_read_row(source->reader, seq, &row, &found)) {
		return NULL;
	}
	if (!found) {
		return pruned_json(source, seq, size);
	}
	entry_leaf_hash(row.entry, &leaf);
	hex_write(hex, leaf.bytes, sizeof leaf);
	return json_pack("{s:I, s:I, s:s, s:o}", "seq", (json_int_t)seq, "size", (json_int_t)size,
			 "leaf_hash", hex, "entry_b64", base64_json(row.entry.at, row.entry.count));
}

static int
prove_entry(const struct options *options, struct source *source, const struct newest *newest)
{
	const uint64_t size = newest->checkpoint.size;
	struct tlog_proof proof = { .kind = TLOG_INCLUSION,
				    .number = options->seq,
				    .note = newest_note(newest) };

	if (options->seq >= size) {
		return refuse_beyond(size);
	}
	json_t *object = entry_json(source, options->seq, size);
	if (object == NULL ||
	    !proof_inclusion(log_fetch_hashes, source->reader, size, options->seq, &proof.proof)) {
		json_decref(object);
		return refuse("its entry or the tiles around it cannot be read: run ifreplay "
			      "verify");
	}
	return print_proof(options, &proof, object);
}

/* --- from an older checkpoint
 * ---------------------------------------------------------------------
 */

static int
prove_growth(const struct options *options, struct source *source, const struct newest *newest)
{
	struct tlog_proof proof = { .kind = TLOG_CONSISTENCY, .note = newest_note(newest) };
	const struct checkpoint *now = &newest->checkpoint;
	char note[CHECKPOINT_NOTE_MAX];
	struct checkpoint old;
	struct digest root;
	size_t count = 0;

	if (file_read(options->from_checkpoint, note, sizeof note, &count) != FILE_OK ||
	    !checkpoint_read((struct span){ (const uint8_t *)note, count }, &old)) {
		return refuse("the file of --from-checkpoint is no checkpoint: give a signed note, "
			      "such as an old pub/checkpoint");
	}
	if (strcmp(old.origin, now->origin) != 0) {
		return refuse("that checkpoint is of another log");
	}
	if (old.size == 0 || old.size > now->size) {
		return refuse(old.size == 0
				      ? "a checkpoint over nothing is extended by everything"
				      : "that checkpoint is of a longer log than this one: the end "
					"of this one is missing, or not signed yet");
	}
	if (!proof_root(log_fetch_hashes, source->reader, old.size, &root) ||
	    !digest_equal(&root, &old.root)) {
		return refuse("this log does not extend that checkpoint: one of the two was "
			      "altered; run ifreplay verify --checkpoint with it");
	}
	proof.number = old.size;
	if (!proof_consistency(log_fetch_hashes, source->reader, old.size, now->size,
			       &proof.proof)) {
		return refuse("its tiles cannot be read: run ifreplay verify");
	}
	return print_proof(options, &proof,
			   json_pack("{s:I, s:I}", "old_size", (json_int_t)old.size, "size",
				     (json_int_t)now->size));
}

/* --- a range
 * --------------------------------------------------------------------------------------
 */

static int
prove_range(const struct options *options, struct source *source, const struct newest *newest)
{
	const uint64_t first = options->range_from.value;
	const uint64_t end = options->seq + 1;
	const struct checkpoint *now = &newest->checkpoint;
	struct proof proof;

	if (first >= end) {
		return refuse("a range is its first and its last seq: --range 100 200");
	}
	if (end > now->size) {
		return refuse_beyond(now->size);
	}
	if (!proof_range(log_fetch_hashes, source->reader, first, end, now->size, &proof)) {
		return refuse("its tiles cannot be read: run ifreplay verify");
	}
	json_t *hashes = json_array();
	for (uint32_t i = 0; i < proof.count; i++) {
		json_array_append_new(hashes, base64_json(proof.hashes[i].bytes, 32));
	}
	print_json(json_pack("{s:I, s:I, s:I, s:o, s:o, s:s%}", "from", (json_int_t)first, "end",
			     (json_int_t)end, "size", (json_int_t)now->size, "root",
			     base64_json(now->root.bytes, 32), "hashes", hashes, "checkpoint",
			     newest->note, newest->count));
	return print_flush() ? 0 : 1;
}

int
prove_command(const struct options *options, struct source *source)
{
	struct newest *newest = calloc(1, sizeof *newest);

	if (newest == NULL) {
		return refuse("out of memory");
	}
	int code = newest_take(source, options->vkey, 0, newest) ? 0 : refuse(newest->fault);
	if (code == 0 && options->from_checkpoint != NULL) {
		code = prove_growth(options, source, newest);
	} else if (code == 0 && options->range_from.is_set) {
		code = prove_range(options, source, newest);
	} else if (code == 0) {
		code = prove_entry(options, source, newest);
	}
	free(newest);
	return code;
}
