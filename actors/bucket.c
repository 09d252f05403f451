#include "actors/bucket.h"

#include <assert.h>

#include "protocol/limits.h"

static const uint64_t SECOND_US = 1000000;

bool
bucket_take(struct bucket *bucket, uint64_t bytes_per_s, size_t bytes, uint64_t now_us)
{
	assert(bytes_per_s > 0 && bytes_per_s <= BYTES_PER_S_MAX);
	const uint64_t holds = bytes_per_s > DATAGRAM_BYTES_MAX ? bytes_per_s : DATAGRAM_BYTES_MAX;
	const uint64_t passed_us = now_us > bucket->at_us ? now_us - bucket->at_us : 0;
	/* After two bucketfuls' time it is full, and nothing overflows. */
	const uint64_t full_us = 2 * holds * SECOND_US / bytes_per_s;
	const uint64_t given = passed_us > full_us ? UINT64_MAX : passed_us * bytes_per_s;

	bucket->at_us = now_us;
	bucket->taken = given > bucket->taken ? 0 : bucket->taken - given;
	if (bytes * SECOND_US > holds * SECOND_US - bucket->taken) {
		return false;
	}
	bucket->taken += bytes * SECOND_US;
	return true;
}
