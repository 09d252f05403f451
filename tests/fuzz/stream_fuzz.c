/* A stream in two pieces, cut anywhere, gives the messages it gives in one. */
#include <stdlib.h>

#include "protocol/limits.h"
#include "protocol/stream.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	for (size_t at = 0; at < size;) {
		const struct span rest = { data + at, size - at };
		size_t taken = 0;
		const enum stream_verdict verdict = stream_next(rest, &taken);

		for (size_t cut = 0; cut < rest.count && cut < 64; cut++) {
			size_t early = 0;
			const enum stream_verdict part =
				stream_next((struct span){ rest.at, cut }, &early);
			if ((part == STREAM_MESSAGE && (verdict != part || early != taken)) ||
			    (part == STREAM_BROKEN && verdict != part)) {
				abort();
			}
		}
		if (verdict != STREAM_MESSAGE) {
			return 0;
		}
		if (taken == 0 || taken > rest.count || taken % 4 != 0 ||
		    taken > STREAM_MESSAGE_BYTES_MAX) {
			abort();
		}
		at += taken;
	}
	return 0;
}
