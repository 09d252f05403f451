#include "actors/streams.h"

#include <assert.h>
#include <stdlib.h>

#include "protocol/address.h"
#include "protocol/limits.h"

enum { SECOND_US = 1000 * 1000 };

static uint64_t
hash_client(const struct streams *streams, uint32_t listener, const struct address *client)
{
	return chains_hash_address(streams->seed, client, listener);
}

static uint64_t
hash_source(const struct streams *streams, const struct address *client)
{
	const struct address source = address_source(client);

	return chains_hash_address(streams->seed, &source, 0);
}

bool
streams_init(struct streams *streams, uint64_t seed)
{
	*streams = (struct streams){ .seed = seed, .free_count = STREAMS_MAX };
	streams->items = calloc(STREAMS_MAX, sizeof *streams->items);
	streams->free = calloc(STREAMS_MAX, sizeof *streams->free);
	if (streams->items == NULL || streams->free == NULL ||
	    !chains_init(&streams->by_client, STREAMS_MAX) ||
	    !chains_init(&streams->by_source, STREAMS_MAX)) {
		return false;
	}
	for (uint32_t i = 0; i < STREAMS_MAX; i++) {
		streams->free[i] = STREAMS_MAX - 1 - i;
	}
	return true;
}

void
streams_free(struct streams *streams)
{
	free(streams->items);
	free(streams->free);
	chains_free(&streams->by_client);
	chains_free(&streams->by_source);
}

static uint32_t
idle_from(const struct streams *streams, const struct address *client)
{
	const struct address source = address_source(client);
	uint32_t at = chains_first(&streams->by_source, hash_source(streams, client));
	uint32_t count = 0;

	for (; at != STREAM_NONE; at = chains_next(&streams->by_source, at)) {
		const struct stream *stream = &streams->items[at];
		const struct address other = address_source(&stream->client);
		count += !stream->holds && address_equal_ip(&other, &source);
	}
	return count;
}

static void
link_client(struct streams *streams, uint32_t at)
{
	const struct stream *stream = &streams->items[at];

	chains_link(&streams->by_client, hash_client(streams, stream->listener, &stream->client),
		    at);
	chains_link(&streams->by_source, hash_source(streams, &stream->client), at);
}

static void
unlink_client(struct streams *streams, uint32_t at)
{
	const struct stream *stream = &streams->items[at];

	chains_unlink(&streams->by_client, hash_client(streams, stream->listener, &stream->client),
		      at);
	chains_unlink(&streams->by_source, hash_source(streams, &stream->client), at);
}

uint32_t
streams_admit(struct streams *streams, uint32_t listener, const struct address *client,
	      uint64_t now_us)
{
	return idle_from(streams, client) >= STREAMS_IDLE_PER_SOURCE_MAX
		       ? STREAM_NONE
		       : streams_admit_proxy(streams, listener, client, now_us);
}

bool
streams_name_client(struct streams *streams, uint32_t at, const struct address *client)
{
	struct stream *stream = &streams->items[at];

	assert(stream->used);
	if (idle_from(streams, client) >= STREAMS_IDLE_PER_SOURCE_MAX ||
	    streams_find(streams, stream->listener, client) != STREAM_NONE) {
		return false;
	}
	unlink_client(streams, at);
	stream->client = *client;
	link_client(streams, at);
	return true;
}

uint32_t
streams_admit_proxy(struct streams *streams, uint32_t listener, const struct address *client,
		    uint64_t now_us)
{
	if (streams->free_count == 0 || streams->idle_count == STREAMS_IDLE_MAX ||
	    streams_find(streams, listener, client) != STREAM_NONE) {
		return STREAM_NONE;
	}
	const uint32_t at = streams->free[--streams->free_count];

	assert(!streams->items[at].used);
	streams->items[at] = (struct stream){
		.used = true, .listener = listener, .client = *client, .idle_us = now_us
	};
	streams->idle_count++;
	link_client(streams, at);
	return at;
}

uint32_t
streams_find(const struct streams *streams, uint32_t listener, const struct address *client)
{
	uint32_t at = chains_first(&streams->by_client, hash_client(streams, listener, client));

	while (at != STREAM_NONE && (streams->items[at].listener != listener ||
				     !address_equal(&streams->items[at].client, client))) {
		at = chains_next(&streams->by_client, at);
	}
	return at;
}

void
streams_move(struct streams *streams, uint32_t at, uint32_t listener)
{
	struct stream *stream = &streams->items[at];

	assert(stream->used);
	chains_unlink(&streams->by_client, hash_client(streams, stream->listener, &stream->client),
		      at);
	stream->listener = listener;
	chains_link(&streams->by_client, hash_client(streams, listener, &stream->client), at);
}

void
streams_remove(struct streams *streams, uint32_t at)
{
	struct stream *stream = &streams->items[at];

	assert(stream->used);
	unlink_client(streams, at);
	streams->idle_count -= !stream->holds;
	*stream = (struct stream){ 0 };
	streams->free[streams->free_count++] = at;
}

bool
streams_look(struct streams *streams, uint32_t at, bool holds, uint64_t now_us)
{
	struct stream *stream = &streams->items[at];

	assert(stream->used);
	if (holds != stream->holds) {
		streams->idle_count = holds ? streams->idle_count - 1 : streams->idle_count + 1;
		stream->holds = holds;
		stream->idle_us = now_us;
	}
	if (now_us < stream->idle_us) {
		stream->idle_us = now_us; /* the clock was set back */
	}
	return !holds && now_us - stream->idle_us >= (uint64_t)STREAM_IDLE_S * SECOND_US;
}
