#include "actors/relay_pending.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/address.h"

static uint64_t
hash_request(const struct pending_table *table, const struct reply_to *reply)
{
	uint64_t word;

	memcpy(&word, reply->transaction.bytes, sizeof word);
	return chains_hash_address(table->seed, &reply->client, word ^ reply->listener);
}

void
pending_init(struct pending_table *table, uint32_t max, uint64_t seed)
{
	*table = (struct pending_table){ .max = max, .seed = seed, .free_count = max };
	table->items = calloc(max, sizeof *table->items);
	table->free = calloc(max, sizeof *table->free);
	assert(table->items != NULL);
	assert(table->free != NULL);
	const bool indexed =
		chains_init(&table->by_command, max) && chains_init(&table->by_request, max);
	assert(indexed);
	for (uint32_t i = 0; i < max; i++) {
		table->free[i] = max - 1 - i;
	}
}

void
pending_free(struct pending_table *table)
{
	free(table->items);
	free(table->free);
	chains_free(&table->by_command);
	chains_free(&table->by_request);
}

uint32_t
pending_find_command(const struct pending_table *table, const struct id *command)
{
	uint32_t at = chains_first(&table->by_command, chains_hash_id(table->seed, command));

	while (at != PENDING_NONE && !id_equal(&table->items[at].command, command)) {
		at = chains_next(&table->by_command, at);
	}
	return at;
}

uint32_t
pending_find_request(const struct pending_table *table, const struct reply_to *reply)
{
	uint32_t at = chains_first(&table->by_request, hash_request(table, reply));

	for (; at != PENDING_NONE; at = chains_next(&table->by_request, at)) {
		const struct reply_to *other = &table->items[at].reply;
		if (other->listener == reply->listener &&
		    address_equal(&other->client, &reply->client) &&
		    memcmp(other->transaction.bytes, reply->transaction.bytes,
			   sizeof reply->transaction.bytes) == 0) {
			return at;
		}
	}
	return PENDING_NONE;
}

uint32_t
pending_claim(struct pending_table *table, const struct reply_to *reply)
{
	if (table->free_count == 0) {
		return PENDING_NONE;
	}
	const uint32_t at = table->free[--table->free_count];
	struct pending *claimed = &table->items[at];

	assert(!claimed->used);
	*claimed = (struct pending){ .used = true, .reply = *reply };
	claimed->socket = UINT32_MAX;
	claimed->socket_also = UINT32_MAX;
	chains_link(&table->by_request, hash_request(table, reply), at);
	return at;
}

void
pending_asked(struct pending_table *table, uint32_t at, const struct id *command)
{
	struct pending *pending = &table->items[at];

	assert(pending->used);
	assert(!pending->asked);
	pending->command = *command;
	pending->asked = true;
	chains_link(&table->by_command, chains_hash_id(table->seed, command), at);
}

void
pending_release(struct pending_table *table, uint32_t at)
{
	struct pending *pending = &table->items[at];

	assert(pending->used);
	chains_unlink(&table->by_request, hash_request(table, &pending->reply), at);
	if (pending->asked) {
		chains_unlink(&table->by_command, chains_hash_id(table->seed, &pending->command),
			      at);
	}
	memset(pending, 0, sizeof *pending); /* it holds a key */
	table->free[table->free_count++] = at;
}
