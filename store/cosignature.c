#include "store/cosignature.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { HEADER_MAX = 64, KEY_ID_BYTES = 4, TIME_BYTES = 8 };

struct message {
	char bytes[HEADER_MAX + CHECKPOINT_NOTE_MAX];
	size_t count;
};

static void
write_message(struct message *out, uint64_t time_s, struct span text)
{
	assert(text.count <= CHECKPOINT_NOTE_MAX);
	const int header =
		snprintf(out->bytes, HEADER_MAX, "cosignature/v1\ntime %" PRIu64 "\n", time_s);

	memcpy(out->bytes + header, text.at, text.count);
	out->count = (size_t)header + text.count;
}

static struct span
message_span(const struct message *message)
{
	return (struct span){ (const uint8_t *)message->bytes, message->count };
}

size_t
cosignature_sign(const struct log_signer *signer, struct span text, uint64_t time_s,
		 char out[COSIGNATURE_LINE_MAX])
{
	uint8_t bytes[COSIGNATURE_BYTES];
	char base64[(COSIGNATURE_BYTES + 2) / 3 * 4 + 1];
	struct message message;

	assert(signer->verifier.type == VKEY_COSIGNER);
	memcpy(bytes, signer->verifier.key_id, KEY_ID_BYTES);
	for (int i = 0; i < TIME_BYTES; i++) {
		bytes[KEY_ID_BYTES + i] = (uint8_t)(time_s >> 8 * (TIME_BYTES - 1 - i));
	}
	write_message(&message, time_s, text);
	log_signature(signer, message_span(&message), bytes + KEY_ID_BYTES + TIME_BYTES);
	base64_write(base64, bytes, sizeof bytes);
	return (size_t)snprintf(out, COSIGNATURE_LINE_MAX, "\xE2\x80\x94 %s %s\n",
				signer->verifier.name, base64);
}

enum cosignature_check
cosignature_verify(struct span line, struct span text, const struct log_verifier *verifier,
		   uint64_t *time_s)
{
	struct note_line read;
	struct message message;
	uint64_t time = 0;

	if (text.count > CHECKPOINT_NOTE_MAX || !note_line_read(line, &read)) {
		return COSIGNATURE_MALFORMED;
	}
	if (!note_line_is_by(&read, verifier)) {
		return COSIGNATURE_FOREIGN;
	}
	if (read.count != COSIGNATURE_BYTES) {
		return COSIGNATURE_MALFORMED;
	}
	for (int i = 0; i < TIME_BYTES; i++) {
		time = time << 8 | read.bytes[KEY_ID_BYTES + i];
	}
	/* It must not omit the time (tlog-witness), nor leave POSIX's range (tlog-cosignature). */
	if (time == 0 || time > INT64_MAX) {
		return COSIGNATURE_FORGED;
	}
	write_message(&message, time, text);
	if (!log_signature_holds(verifier, message_span(&message),
				 read.bytes + KEY_ID_BYTES + TIME_BYTES)) {
		return COSIGNATURE_FORGED;
	}
	*time_s = time;
	return COSIGNATURE_HOLDS;
}

const char *
cosignature_check_text(enum cosignature_check check)
{
	switch (check) {
	case COSIGNATURE_HOLDS:
		return "the cosignature holds";
	case COSIGNATURE_MALFORMED:
		return "it is not a line of cosignature/v1";
	case COSIGNATURE_FOREIGN:
		return "it is by another key";
	case COSIGNATURE_FORGED:
		return "the cosignature does not verify";
	}
	return "";
}
