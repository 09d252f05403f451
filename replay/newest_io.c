#include "replay/newest_io.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "store/files_io.h"
#include "store/proof.h"

struct span
newest_note(const struct newest *newest)
{
	return (struct span){ (const uint8_t *)newest->note, newest->count };
}

static bool
refuse(struct newest *newest, const char *what)
{
	snprintf(newest->fault, sizeof newest->fault, "%s", what);
	return false;
}

struct choice {
	struct newest *newest;
	uint64_t cover;
};

/* They come in order of size. */
static bool
choose(void *context, uint64_t size, struct span note)
{
	struct choice *choice = context;
	struct newest *newest = choice->newest;
	struct checkpoint read;

	if (note.count <= sizeof newest->note && checkpoint_read(note, &read) &&
	    read.size == size && size >= choice->cover && size > newest->checkpoint.size) {
		newest->checkpoint = read;
		newest->count = note.count;
		memcpy(newest->note, note.at, note.count);
		return choice->cover == 0;
	}
	return true;
}

static bool
read_key(struct source *source, const char *vkey, struct log_verifier *out)
{
	char text[CHECKPOINT_VKEY_MAX + 1];
	size_t count = 0;

	if (vkey == NULL) {
		return log_read_verifier(source->reader, out);
	}
	if (file_read(vkey, text, sizeof text - 1, &count) != FILE_OK) {
		return false;
	}
	text[count] = '\0';
	return log_verifier_read(text, out);
}

static bool
check(struct source *source, const char *vkey, struct newest *newest)
{
	struct checkpoint signed_one;
	struct digest root;

	if (!read_key(source, vkey, &newest->key)) {
		return refuse(newest, "the log's key cannot be read: give it with --vkey FILE");
	}
	if (checkpoint_verify(newest_note(newest), &newest->key, &signed_one) != CHECKPOINT_HOLDS ||
	    !proof_root(log_fetch_hashes, source->reader, signed_one.size, &root) ||
	    !digest_equal(&root, &signed_one.root)) {
		return refuse(newest, "the signed checkpoint does not hold over these entries: "
				      "run ifreplay verify");
	}
	return true;
}

bool
newest_take(struct source *source, const char *vkey, uint64_t cover, struct newest *out)
{
	struct choice choice = { out, cover };

	out->checkpoint.size = 0;
	if (!log_read_checkpoints(source->reader, choose, &choice)) {
		return refuse(out, log_reader_fault(source->reader));
	}
	if (out->checkpoint.size == 0) {
		return refuse(out, cover == 0
					   ? "the log has no checkpoint yet: it signs one within "
					     "a second"
					   : "no checkpoint covers that yet: the log signs one "
					     "within a second");
	}
	return check(source, vkey, out);
}

bool
newest_read(struct source *source, const char *vkey, const char *file, struct newest *out)
{
	uint64_t size = 0;

	if (file_read(file, out->note, sizeof out->note, &out->count) != FILE_OK ||
	    !checkpoint_read(newest_note(out), &out->checkpoint)) {
		return refuse(out, "the file of --checkpoint is no checkpoint: give a signed note");
	}
	if (!log_reader_size(source->reader, &size) || out->checkpoint.size > size ||
	    out->checkpoint.size == 0) {
		return refuse(out, "that checkpoint is of a longer log than this one");
	}
	return check(source, vkey, out);
}
