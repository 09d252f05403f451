/* prove: what a stranger can check without this log. Every proof is over the newest checkpoint that
 * the log has signed, because a root that nobody signed proves nothing. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "replay/commands_io.h"
#include "replay/print_io.h"
#include "replay/words.h"
#include "store/files_io.h"
#include "store/tlog_proof.h"

struct newest {
	struct checkpoint checkpoint; /* size 0: there is none */
	char note[CHECKPOINT_NOTE_MAX];
	size_t count;
};

static int
refuse(const char *what)
{
	fprintf(stderr, "ifreplay: prove: %s\n", what);
	return 1;
}

static bool
keep_newest(void *context, uint64_t size, struct span note)
{
	struct newest *newest = context;
	struct checkpoint read;

	if (note.count <= sizeof newest->note && checkpoint_read(note, &read) &&
	    read.size == size && size > newest->checkpoint.size) {
		newest->checkpoint = read;
		newest->count = note.count;
		memcpy(newest->note, note.at, note.count);
	}
	return true;
}

static bool
read_key(const struct options *options, struct source *source, struct log_verifier *out)
{
	char text[CHECKPOINT_VKEY_MAX + 1];
	size_t count = 0;

	if (options->vkey == NULL) {
		return log_read_verifier(source->reader, out);
	}
	if (file_read(options->vkey, text, sizeof text - 1, &count) != FILE_OK) {
		return false;
	}
	text[count] = '\0';
	return log_verifier_read(text, out);
}

static struct span
note_of(const struct newest *newest)
{
	return (struct span){ (const uint8_t *)newest->note, newest->count };
}

/* Root and signature are checked first: no proof is handed out over a checkpoint that this log does
 * not give any more. */
static int
take_newest(const struct options *options, struct source *source, struct newest *out)
{
	struct checkpoint signed_one;
	struct log_verifier key;
	struct digest root;

	out->checkpoint.size = 0;
	if (!log_read_checkpoints(source->reader, keep_newest, out)) {
		return source_failed(source);
	}
	if (out->checkpoint.size == 0) {
		return refuse("the log has no checkpoint yet: it signs one within a second");
	}
	if (!read_key(options, source, &key)) {
		return refuse("the log's key cannot be read: give it with --vkey FILE");
	}
	if (checkpoint_verify(note_of(out), &key, &signed_one) != CHECKPOINT_HOLDS ||
	    !proof_root(log_fetch_hashes, source->reader, signed_one.size, &root) ||
	    !digest_equal(&root, &signed_one.root)) {
		return refuse("the newest checkpoint does not hold over these entries: run "
			      "ifreplay verify");
	}
	return 0;
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

static json_t *
entry_json(struct source *source, uint64_t seq, uint64_t size)
{
	struct log_row row;
	struct digest leaf;
	bool found = false;
	char hex[2 * sizeof leaf + 1];

	if (!log_read_row(source->reader, seq, &row, &found) || !found) {
		return NULL;
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
				    .note = note_of(newest) };

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
	struct tlog_proof proof = { .kind = TLOG_CONSISTENCY, .note = note_of(newest) };
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
	int code = take_newest(options, source, newest);
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
