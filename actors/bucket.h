/* A token bucket: so many bytes a second, and a second's worth at once. */
#ifndef IFSWARM_ACTORS_BUCKET_H
#define IFSWARM_ACTORS_BUCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Zeroed it is full. */
struct bucket {
	uint64_t taken; /* of a full bucket, in bytes times microseconds: no rounding adds up */
	uint64_t at_us;
};

/* Takes `bytes`, or nothing and is false if there are not that many. Holds at least one datagram of
 * the largest size, however low the rate (not 0) is. A clock that goes back gives nothing. */
bool bucket_take(struct bucket *bucket, uint64_t bytes_per_s, size_t bytes, uint64_t now_us);

/* For a stream, of which nothing may be lost and the next piece's size is not known: there is
 * something left, so one piece may be read; then it is taken, all of it. What it is more than was
 * left (never more than the piece) has to come in again before there is something left. */
bool bucket_has(struct bucket *bucket, uint64_t bytes_per_s, uint64_t now_us);
void bucket_take_all(struct bucket *bucket, uint64_t bytes_per_s, size_t bytes, uint64_t now_us);

#endif
