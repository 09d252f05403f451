/* The files of a bundle, read in pieces. */
#include "replay/verify_bundle.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { PIECE = 1 << 16 };

const struct bundle_file *
bundle_find(const struct bundle_files *files, const char *name)
{
	size_t low = 0;
	size_t high = files->count;

	while (low < high) {
		const size_t middle = low + (high - low) / 2;
		const int order = strcmp(files->items[middle].name, name);

		if (order == 0) {
			return &files->items[middle];
		}
		low = order < 0 ? middle + 1 : low;
		high = order < 0 ? high : middle;
	}
	return NULL;
}

char *
bundle_text(struct bundle *b, const char *name, size_t *count)
{
	const struct bundle_file *file = bundle_find(b->files, name);
	char *text;

	*count = 0;
	if (file == NULL) {
		bundle_say(b, "a file is missing", name, "a file", "none");
		return NULL;
	}
	if (file->size > BUNDLE_SMALL_MAX) {
		bundle_say(b, "a file cannot be read", name, "a small one", "a very large one");
		return NULL;
	}
	text = malloc(file->size + 1);
	assert(text != NULL);
	if (!b->files->read(b->files->context, file, 0, (uint8_t *)text, file->size)) {
		bundle_say(b, "a file cannot be read", name, "all its bytes", "fewer");
		free(text);
		return NULL;
	}
	*count = file->size;
	text[*count] = '\0';
	return text;
}

void
bundle_lines_open(struct bundle_lines *lines, const struct bundle_files *files, const char *name)
{
	*lines = (struct bundle_lines){ .files = files, .file = bundle_find(files, name) };
	lines->memory = malloc(BUNDLE_LINE_MAX + PIECE);
	assert(lines->memory != NULL);
}

void
bundle_lines_close(struct bundle_lines *lines)
{
	free(lines->memory);
	lines->memory = NULL;
}

/* More of the file behind what is at hand; false at its end. */
static bool
fill(struct bundle_lines *lines)
{
	const uint64_t left = lines->file == NULL ? 0 : lines->file->size - lines->at;
	const size_t piece = left < PIECE ? (size_t)left : PIECE;

	if (piece == 0 || lines->is_broken) {
		return false;
	}
	memmove(lines->memory, lines->memory + lines->begin, lines->filled - lines->begin);
	lines->filled -= lines->begin;
	lines->begin = 0;
	if (lines->filled > BUNDLE_LINE_MAX ||
	    !lines->files->read(lines->files->context, lines->file, lines->at,
				(uint8_t *)lines->memory + lines->filled, piece)) {
		lines->is_broken = true;
		return false;
	}
	lines->filled += piece;
	lines->at += piece;
	return true;
}

bool
bundle_lines_next(struct bundle_lines *lines, struct span *line)
{
	size_t searched = 0;

	for (;;) {
		const char *start = lines->memory + lines->begin;
		const size_t count = lines->filled - lines->begin;
		const char *end = memchr(start + searched, '\n', count - searched);

		if (end != NULL) {
			*line = (struct span){ (const uint8_t *)start, (size_t)(end - start) };
			lines->begin += line->count + 1;
			lines->number++;
			return true;
		}
		searched = count;
		if (!fill(lines)) {
			lines->is_broken |= count > 0; /* a line without its end */
			return false;
		}
	}
}

int
bundle_lines_byte(struct bundle_lines *lines)
{
	if (lines->begin == lines->filled && !fill(lines)) {
		return -1;
	}
	return (uint8_t)lines->memory[lines->begin++];
}

static int
value_of(uint8_t c)
{
	if (c >= 'A' && c <= 'Z') {
		return c - 'A';
	}
	if (c >= 'a' && c <= 'z') {
		return c - 'a' + 26;
	}
	if (c >= '0' && c <= '9') {
		return c - '0' + 52;
	}
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

bool
bundle_base64(struct span text, uint8_t *out, size_t most, size_t *count)
{
	const size_t pads = text.count > 0 && text.at[text.count - 1] != '='   ? 0
			    : text.count > 1 && text.at[text.count - 2] != '=' ? 1
									       : 2;
	size_t made = 0;
	uint32_t bits = 0;

	*count = 0;
	if (text.count == 0 || text.count % 4 != 0 || text.count / 4 * 3 - pads > most) {
		return text.count == 0;
	}
	for (size_t i = 0; i < text.count - pads; i++) {
		const int value = value_of(text.at[i]);

		if (value < 0) {
			return false;
		}
		bits = bits << 6 | (uint32_t)value;
		if (i % 4 != 0) {
			out[made++] = (uint8_t)(bits >> (6 - 2 * (i % 4)));
		}
	}
	/* The bits that no byte takes must be zero, or there were several texts for the same bytes.
	 */
	*count = made;
	return (bits & ((UINT32_C(1) << (2 * pads)) - 1)) == 0;
}
