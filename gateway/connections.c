#include "gateway/connections.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { MESSAGE_COST_US = 1000 * 1000 / MESSAGES_PER_SECOND };

struct connections {
	uint64_t seed;
	uint64_t last_number;
	size_t max;
	size_t count;
	struct connection *slots;
	uint32_t *free;
	struct chains by_number;
};

struct connections *
connections_new(size_t max, uint64_t first_number, uint64_t now_us)
{
	struct connections *c = calloc(1, sizeof *c);

	assert(max >= 1);
	if (c == NULL) {
		return NULL;
	}
	c->seed = now_us;
	c->last_number = first_number;
	c->max = max;
	c->slots = calloc(max, sizeof *c->slots);
	c->free = malloc(max * sizeof *c->free);
	if (c->slots == NULL || c->free == NULL || !chains_init(&c->by_number, max)) {
		connections_free(c);
		return NULL;
	}
	for (size_t i = 0; i < max; i++) {
		c->free[i] = (uint32_t)(max - 1 - i);
	}
	return c;
}

void
connections_free(struct connections *connections)
{
	if (connections == NULL) {
		return;
	}
	for (size_t i = 0; connections->slots != NULL && i < connections->max; i++) {
		if (connections->slots[i].number != 0) {
			connection_close(connections, &connections->slots[i]);
		}
	}
	chains_free(&connections->by_number);
	free(connections->slots);
	free(connections->free);
	free(connections);
}

static uint64_t
number_hash(const struct connections *c, uint64_t number)
{
	return hash_bytes(c->seed, &number, sizeof number);
}

struct connection *
connection_open(struct connections *connections, void *socket, const struct address *client,
		uint64_t now_us)
{
	if (connections->count == connections->max) {
		return NULL;
	}
	const uint32_t at = connections->free[connections->max - ++connections->count];
	struct connection *connection = &connections->slots[at];

	*connection = (struct connection){
		.number = ++connections->last_number,
		.socket = socket,
		.client = *client,
		.tokens_us = (uint64_t)MESSAGES_BURST * MESSAGE_COST_US,
		.filled_us = now_us,
	};
	chains_link(&connections->by_number, number_hash(connections, connection->number), at);
	return connection;
}

void
connection_close(struct connections *connections, struct connection *connection)
{
	const uint32_t at = (uint32_t)(connection - connections->slots);

	assert(connection->number != 0);
	chains_unlink(&connections->by_number, number_hash(connections, connection->number), at);
	for (struct outgoing *waiting = connection_pop(connection); waiting != NULL;
	     waiting = connection_pop(connection)) {
		free(waiting);
	}
	connection->number = 0;
	connections->free[connections->max - connections->count--] = at;
}

struct connection *
connection_find(const struct connections *connections, uint64_t number)
{
	uint32_t at = chains_first(&connections->by_number, number_hash(connections, number));

	while (at != SLOT_NONE && connections->slots[at].number != number) {
		at = chains_next(&connections->by_number, at);
	}
	return at == SLOT_NONE ? NULL : &connections->slots[at];
}

size_t
connections_count(const struct connections *connections)
{
	return connections->count;
}

struct connection *
connection_next(const struct connections *connections, const struct connection *before)
{
	size_t at = before == NULL ? 0 : (size_t)(before - connections->slots) + 1;

	while (at < connections->max && connections->slots[at].number == 0) {
		at++;
	}
	return at < connections->max ? &connections->slots[at] : NULL;
}

bool
connection_may_speak(struct connection *connection, uint64_t now_us)
{
	const uint64_t most = (uint64_t)MESSAGES_BURST * MESSAGE_COST_US;

	if (now_us > connection->filled_us) {
		connection->tokens_us += now_us - connection->filled_us;
		connection->filled_us = now_us;
	}
	if (connection->tokens_us > most) {
		connection->tokens_us = most;
	}
	if (connection->tokens_us < MESSAGE_COST_US) {
		return false;
	}
	connection->tokens_us -= MESSAGE_COST_US;
	return true;
}

bool
connection_push(struct connection *connection, const char *text, size_t count)
{
	if (connection->first != NULL && connection->queued_bytes + count > OUTGOING_BYTES_MAX) {
		return false;
	}
	struct outgoing *fresh = malloc(sizeof *fresh + count);
	if (fresh == NULL) {
		return false;
	}
	fresh->next = NULL;
	fresh->count = count;
	memcpy(fresh->text, text, count);
	*(connection->last == NULL ? &connection->first : &connection->last->next) = fresh;
	connection->last = fresh;
	connection->queued_bytes += count;
	return true;
}

struct outgoing *
connection_pop(struct connection *connection)
{
	struct outgoing *oldest = connection->first;

	if (oldest == NULL) {
		return NULL;
	}
	connection->first = oldest->next;
	if (connection->first == NULL) {
		connection->last = NULL;
	}
	connection->queued_bytes -= oldest->count;
	return oldest;
}
