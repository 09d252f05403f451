/* Any bytes as a frame: what is accepted has well-formed names, and is bounded. */
#include <assert.h>
#include <string.h>

#include "gateway/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct frame frame;

	if (frame_parse((struct span){ data, size }, &frame) != ACCEPTED) {
		return 0;
	}
	assert(size <= FRAME_BYTES_MAX);
	if (frame.is_register) {
		assert(name_is_wellformed(&frame.agent));
		assert(name_is_wellformed(&frame.room));
	} else {
		assert(frame.kind >= SIGNAL_OFFER);
		assert(frame.kind <= SIGNAL_CANDIDATE);
		assert(name_is_wellformed(&frame.from));
		assert(name_is_wellformed(&frame.to));
	}
	return 0;
}
