#include "protocol/stream.h"

#include "protocol/limits.h"
#include "protocol/stun.h"
#include "protocol/turn.h"

enum { FIRST_BYTES = 4, COOKIE_END = 8 };

static size_t
padded(size_t count)
{
	return (count + 3) / 4 * 4;
}

static bool
is_channel(uint8_t first)
{
	return first >> 6 == 1;
}

static size_t
length_of(struct span bytes)
{
	return (size_t)bytes.at[2] << 8 | bytes.at[3];
}

/* As soon as they are there: what cannot become STUN is not waited for. */
static bool
cookie_is_right(struct span bytes)
{
	static const uint8_t cookie[] = { 0x21, 0x12, 0xA4, 0x42 };

	for (size_t i = FIRST_BYTES; i < COOKIE_END && i < bytes.count; i++) {
		if (bytes.at[i] != cookie[i - FIRST_BYTES]) {
			return false;
		}
	}
	return true;
}

static bool
is_broken(struct span bytes)
{
	if (is_channel(bytes.at[0])) {
		/* RFC 8656 section 12: 0x5000 to 0xFFFF are reserved; 0x5000 to 0x7FFF were RFC
		 * 5766's, and the relay decides about them. */
		return false;
	}
	return bytes.at[0] >> 6 != 0 || !cookie_is_right(bytes) ||
	       (bytes.count >= FIRST_BYTES && length_of(bytes) % 4 != 0);
}

enum stream_verdict
stream_next(struct span bytes, size_t *taken)
{
	if (bytes.count == 0) {
		return STREAM_WAIT;
	}
	if (is_broken(bytes)) {
		return STREAM_BROKEN;
	}
	if (bytes.count < FIRST_BYTES) {
		return STREAM_WAIT;
	}
	const size_t header = is_channel(bytes.at[0]) ? CHANNEL_HEADER_BYTES : STUN_HEADER_BYTES;
	const size_t count = header + padded(length_of(bytes));
	if (count > STREAM_MESSAGE_BYTES_MAX) {
		return STREAM_BROKEN;
	}
	*taken = count;
	return bytes.count < count ? STREAM_WAIT : STREAM_MESSAGE;
}

bool
stream_may_begin(struct span bytes)
{
	return bytes.count == 0 || !is_channel(bytes.at[0]);
}

size_t
stream_padding(struct span message)
{
	return message.count > 0 && is_channel(message.at[0])
		       ? padded(message.count) - message.count
		       : 0;
}
