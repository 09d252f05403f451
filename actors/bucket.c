#include "actors/bucket.h"

#include <assert.h>

#include "protocol/limits.h"

static const uint64_t SECOND_US = 1000000;

static uint64_t
holds(uint64_t bytes_per_s)
{
	return bytes_per_s > DATAGRAM_BYTES_MAX ? bytes_per_s : DATAGRAM_BYTES_MAX;
}

/* What has come in since the last time. */
static void
fill(struct bucket *bucket, uint64_t bytes_per_s, uint64_t now_us)
{
	assert(bytes_per_s > 0 && bytes_per_s <= BYTES_PER_S_MAX);
	const uint64_t passed_us = now_us > bucket->at_us ? now_us - bucket->at_us : 0;
	/* After so long it is full, whatever it owed, and nothing overflows. */
	const uint64_t full_us = 3 * holds(bytes_per_s) * SECOND_US / bytes_per_s;
	const uint64_t given = passed_us > full_us ? UINT64_MAX : passed_us * bytes_per_s;

	bucket->at_us = now_us;
	bucket->taken = given > bucket->taken ? 0 : bucket->taken - given;
}

bool
bucket_take(struct bucket *bucket, uint64_t bytes_per_s, size_t bytes, uint64_t now_us)
{
	fill(bucket, bytes_per_s, now_us);
	if (bucket->taken + bytes * SECOND_US > holds(bytes_per_s) * SECOND_US) {
		return false;
	}
	bucket->taken += bytes * SECOND_US;
	return true;
}

bool
bucket_has(struct bucket *bucket, uint64_t bytes_per_s, uint64_t now_us)
{
	fill(bucket, bytes_per_s, now_us);
	return bucket->taken < holds(bytes_per_s) * SECOND_US;
}

void
bucket_take_all(struct bucket *bucket, uint64_t bytes_per_s, size_t bytes, uint64_t now_us)
{
	fill(bucket, bytes_per_s, now_us);
	bucket->taken += bytes * SECOND_US;
}
