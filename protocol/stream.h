/* STUN and ChannelData on a byte stream (TCP, TLS): where one message ends and the next begins.
 *
 * There is no framing beside the messages' own (RFC 8489 section 6.2.2, RFC 8656 section 12.5): a
 * STUN message has its length in its header, ChannelData too and is padded to a multiple of four.
 * So a stream on which one message cannot be told is lost for good and is closed. Bounded: no
 * message is longer than STREAM_MESSAGE_BYTES_MAX, and nothing is looked at beyond what is there.
 */
#ifndef IFSWARM_PROTOCOL_STREAM_H
#define IFSWARM_PROTOCOL_STREAM_H

#include "protocol/types.h"

enum stream_verdict {
	STREAM_WAIT,    /* not all of it is there yet */
	STREAM_MESSAGE, /* `taken` bytes of the stream are one message, with its padding */
	STREAM_BROKEN,  /* neither STUN nor ChannelData, or too long: close (A4, A7, A17) */
};

enum stream_verdict stream_next(struct span bytes, size_t *taken);
/* A stream begins with STUN: before an Allocate nobody has a channel, and what looks like one is
 * HTTP, perhaps, whose letters would be waited for as ChannelData (G2). */
bool stream_may_begin(struct span bytes);

/* How many zero bytes follow that message on a stream: ChannelData's padding, 0 to 3. */
size_t stream_padding(struct span message);

#endif
