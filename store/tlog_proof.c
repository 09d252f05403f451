#include "store/tlog_proof.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const struct {
	enum tlog_proof_kind kind;
	const char *head;
	const char *word;
} forms[] = {
	{ TLOG_INCLUSION, "c2sp.org/tlog-proof@v1", "index " },
	{ TLOG_CONSISTENCY, "ifswarm.local/consistency@v1", "old " },
};

size_t
tlog_proof_write(char out[TLOG_PROOF_MAX], const struct tlog_proof *proof)
{
	size_t at =
		(size_t)snprintf(out, TLOG_PROOF_MAX, "%s\n%s%" PRIu64 "\n",
				 forms[proof->kind].head, forms[proof->kind].word, proof->number);

	assert(proof->note.count <= CHECKPOINT_NOTE_MAX);
	for (uint32_t i = 0; i < proof->proof.count; i++) {
		at += base64_write(out + at, proof->proof.hashes[i].bytes, sizeof(struct digest));
		out[at++] = '\n';
	}
	out[at++] = '\n';
	memcpy(out + at, proof->note.at, proof->note.count);
	return at + proof->note.count;
}

/* The next line without its newline; false if none ends. */
static bool
take_line(struct span *text, struct span *line)
{
	const uint8_t *end = text->count > 0 ? memchr(text->at, '\n', text->count) : NULL;

	if (end == NULL) {
		return false;
	}
	*line = (struct span){ text->at, (size_t)(end - text->at) };
	*text = (struct span){ end + 1, text->count - line->count - 1 };
	return true;
}

static bool
begins(struct span line, const char *word)
{
	return line.count >= strlen(word) && memcmp(line.at, word, strlen(word)) == 0;
}

/* Decimal, without leading zeroes. */
static bool
take_number(struct span digits, uint64_t *out)
{
	if (digits.count == 0 || digits.count > 19 || (digits.at[0] == '0' && digits.count > 1)) {
		return false;
	}
	*out = 0;
	for (size_t i = 0; i < digits.count; i++) {
		if (digits.at[i] < '0' || digits.at[i] > '9') {
			return false;
		}
		*out = *out * 10 + (uint64_t)(digits.at[i] - '0');
	}
	return true;
}

static bool
take_head(struct span *text, struct tlog_proof *out)
{
	struct span line;

	if (!take_line(text, &line)) {
		return false;
	}
	for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
		const size_t count = strlen(forms[i].head);
		if (line.count != count || memcmp(line.at, forms[i].head, count) != 0) {
			continue;
		}
		out->kind = forms[i].kind;
		if (!take_line(text, &line) ||
		    (out->kind == TLOG_INCLUSION && begins(line, "extra ") &&
		     !take_line(text, &line)) ||
		    !begins(line, forms[i].word)) {
			return false;
		}
		const size_t skip = strlen(forms[i].word);
		return take_number((struct span){ line.at + skip, line.count - skip },
				   &out->number);
	}
	return false;
}

bool
tlog_proof_read(struct span text, struct tlog_proof *out)
{
	struct span line;

	memset(out, 0, sizeof *out);
	if (!take_head(&text, out)) {
		return false;
	}
	while (take_line(&text, &line)) {
		if (line.count == 0) {
			out->note = text;
			return text.count > 0 && text.count <= CHECKPOINT_NOTE_MAX;
		}
		if (out->proof.count == PROOF_HASHES_MAX ||
		    base64_read(out->proof.hashes[out->proof.count].bytes, sizeof(struct digest),
				(const char *)line.at, line.count) != sizeof(struct digest)) {
			return false;
		}
		out->proof.count++;
	}
	return false;
}
