#include "actors/allocation_table.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/address.h"

/* The permission of an address is for its IP. */
static struct address
ip_of(const struct address *address)
{
	struct address ip = *address;

	ip.port = 0;
	return ip;
}

static uint64_t
hash_client(const struct allocation_table *table, const struct address *client,
	    const struct address *server, uint64_t client_transport, uint64_t relay)
{
	return chains_hash_address(
		table->seed, client,
		chains_hash_address(table->seed, server, relay << 8 | client_transport));
}

enum peer_kind
peer_kind_of(const struct peer *peer)
{
	if (peer->channel == 0) {
		return PEER_KIND_PERMISSION;
	}
	return peer->channel == PEER_CONNECTION ? PEER_KIND_CONNECTION : PEER_KIND_CHANNEL;
}

static uint64_t
hash_peer(const struct allocation_table *table, uint32_t row, enum peer_kind kind,
	  const struct address *address)
{
	return chains_hash_address(table->seed, address, (uint64_t)row << 2 | kind);
}

static uint64_t
hash_channel(const struct allocation_table *table, uint32_t row, uint16_t channel)
{
	return chains_mix(table->seed ^ ((uint64_t)row << 16 | channel), 0x9E3779B97F4A7C15u);
}

void
allocation_table_clear(struct allocation_table *table)
{
	struct chains *indexes[] = { &table->by_id,           &table->by_client, &table->by_relayed,
				     &table->by_relayed_also, &table->by_user,   &table->by_source,
				     &table->by_peer,         &table->by_channel };

	for (size_t i = 0; i < sizeof indexes / sizeof indexes[0]; i++) {
		chains_clear(indexes[i]);
	}
	table->rows_used = 0;
	table->peers_used = 0;
	table->rows_fresh = 0;
	table->peers_fresh = 0;
	table->row_free = ROW_NONE;
	table->peer_free = PEER_NONE;
}

void
allocation_table_init(struct allocation_table *table, uint32_t rows_max, uint32_t peers_max,
		      uint64_t seed)
{
	*table = (struct allocation_table){ .rows_max = rows_max,
					    .peers_max = peers_max,
					    .seed = seed };
	table->rows = calloc(rows_max, sizeof *table->rows);
	table->peers = calloc(peers_max, sizeof *table->peers);
	assert(table->rows != NULL);
	assert(table->peers != NULL);
	const bool indexed = chains_init(&table->by_id, rows_max) &&
			     chains_init(&table->by_client, rows_max) &&
			     chains_init(&table->by_relayed, rows_max) &&
			     chains_init(&table->by_relayed_also, rows_max) &&
			     chains_init(&table->by_user, rows_max) &&
			     chains_init(&table->by_source, rows_max) &&
			     chains_init(&table->by_peer, peers_max) &&
			     chains_init(&table->by_channel, peers_max);
	assert(indexed);
	allocation_table_clear(table);
}

void
allocation_table_free(struct allocation_table *table)
{
	free(table->rows);
	free(table->peers);
	chains_free(&table->by_id);
	chains_free(&table->by_client);
	chains_free(&table->by_relayed);
	chains_free(&table->by_relayed_also);
	chains_free(&table->by_user);
	chains_free(&table->by_source);
	chains_free(&table->by_peer);
	chains_free(&table->by_channel);
}

uint32_t
allocation_find(const struct allocation_table *table, const struct id *id)
{
	uint32_t row = chains_first(&table->by_id, chains_hash_id(table->seed, id));

	while (row != ROW_NONE && !id_equal(&table->rows[row].id, id)) {
		row = chains_next(&table->by_id, row);
	}
	return row;
}

static bool
is_five_tuple(const struct allocation *allocation, const struct address *client,
	      const struct address *server, uint64_t client_transport, uint64_t relay)
{
	return allocation->relay == relay && allocation->client_transport == client_transport &&
	       address_equal(&allocation->client, client) &&
	       address_equal(&allocation->server, server);
}

uint32_t
allocation_find_client(const struct allocation_table *table, const struct address *client,
		       const struct address *server, uint64_t client_transport, uint64_t relay)
{
	uint32_t row = chains_first(&table->by_client,
				    hash_client(table, client, server, client_transport, relay));

	while (row != ROW_NONE &&
	       !is_five_tuple(&table->rows[row], client, server, client_transport, relay)) {
		row = chains_next(&table->by_client, row);
	}
	return row;
}

static uint64_t
hash_relayed(const struct allocation_table *table, const struct address *relayed)
{
	return chains_hash_address(table->seed, relayed, 0);
}

static uint32_t
find_relayed_also(const struct allocation_table *table, const struct address *relayed,
		  uint64_t transport)
{
	uint32_t row = chains_first(&table->by_relayed_also, hash_relayed(table, relayed));

	while (row != ROW_NONE && (!address_equal(&table->rows[row].relayed_also, relayed) ||
				   table->rows[row].transport != transport)) {
		row = chains_next(&table->by_relayed_also, row);
	}
	return row;
}

uint32_t
allocation_find_relayed(const struct allocation_table *table, const struct address *relayed,
			uint64_t transport)
{
	uint32_t row = chains_first(&table->by_relayed, hash_relayed(table, relayed));

	while (row != ROW_NONE && (!address_equal(&table->rows[row].relayed, relayed) ||
				   table->rows[row].transport != transport)) {
		row = chains_next(&table->by_relayed, row);
	}
	return row != ROW_NONE ? row : find_relayed_also(table, relayed, transport);
}

bool
allocation_has_family(const struct allocation *allocation, uint8_t family)
{
	return family != ADDRESS_NONE &&
	       (allocation->relayed.family == family || allocation->relayed_also.family == family);
}

bool
allocation_is_live(const struct allocation *allocation, uint64_t now_us)
{
	return allocation->expires_us > now_us;
}

uint64_t
allocation_count_user(const struct allocation_table *table, const struct id *user, uint64_t now_us)
{
	uint64_t count = 0;
	uint32_t row = chains_first(&table->by_user, chains_hash_id(table->seed, user));

	for (; row != ROW_NONE; row = chains_next(&table->by_user, row)) {
		const struct allocation *allocation = &table->rows[row];
		count +=
			id_equal(&allocation->user, user) && allocation_is_live(allocation, now_us);
	}
	return count;
}

static uint64_t
hash_source(const struct allocation_table *table, const struct address *client)
{
	const struct address source = address_source(client);

	return chains_hash_address(table->seed, &source, 0);
}

uint64_t
allocation_count_source(const struct allocation_table *table, const struct address *client,
			uint64_t now_us)
{
	const struct address source = address_source(client);
	uint64_t count = 0;
	uint32_t row = chains_first(&table->by_source, hash_source(table, client));

	for (; row != ROW_NONE; row = chains_next(&table->by_source, row)) {
		const struct allocation *allocation = &table->rows[row];
		const struct address other = address_source(&allocation->client);
		count += address_equal(&other, &source) && allocation_is_live(allocation, now_us);
	}
	return count;
}

/* What has no address is of a replay, in which nobody asks by address. */
static bool
is_live_peer(const struct allocation_table *table, const struct peer *peer, uint64_t now_us)
{
	return peer->expires_us > now_us &&
	       (peer->address.family == ADDRESS_NONE ||
		allocation_has_family(&table->rows[peer->row], peer->address.family));
}

static uint32_t
find_peer(const struct allocation_table *table, uint32_t row, enum peer_kind kind,
	  const struct address *address, uint64_t now_us)
{
	uint32_t at = chains_first(&table->by_peer, hash_peer(table, row, kind, address));

	for (; at != PEER_NONE; at = chains_next(&table->by_peer, at)) {
		const struct peer *peer = &table->peers[at];
		if (peer->row == row && peer_kind_of(peer) == kind &&
		    is_live_peer(table, peer, now_us) && address_equal(&peer->address, address)) {
			return at;
		}
	}
	return PEER_NONE;
}

uint32_t
permission_find(const struct allocation_table *table, uint32_t row, const struct address *peer,
		uint64_t now_us)
{
	const struct address ip = ip_of(peer);

	return find_peer(table, row, PEER_KIND_PERMISSION, &ip, now_us);
}

uint32_t
channel_find_peer(const struct allocation_table *table, uint32_t row, const struct address *peer,
		  uint64_t now_us)
{
	return find_peer(table, row, PEER_KIND_CHANNEL, peer, now_us);
}

uint32_t
connection_find(const struct allocation_table *table, uint32_t row, const struct address *peer,
		uint64_t now_us)
{
	return find_peer(table, row, PEER_KIND_CONNECTION, peer, now_us);
}

uint32_t
channel_find(const struct allocation_table *table, uint32_t row, uint16_t channel, uint64_t now_us)
{
	uint32_t at = chains_first(&table->by_channel, hash_channel(table, row, channel));

	for (; at != PEER_NONE; at = chains_next(&table->by_channel, at)) {
		const struct peer *peer = &table->peers[at];
		if (peer->row == row && peer->channel == channel &&
		    is_live_peer(table, peer, now_us)) {
			return at;
		}
	}
	return PEER_NONE;
}

uint32_t
peer_find_number(const struct allocation_table *table, uint32_t row, uint64_t number)
{
	uint32_t at = table->rows[row].peer_first;

	while (at != PEER_NONE && table->peers[at].number != number) {
		at = table->peers[at].next;
	}
	return at;
}

uint32_t
peer_count(const struct allocation_table *table, uint32_t row, enum peer_kind kind, uint64_t now_us)
{
	uint32_t count = 0;

	for (uint32_t at = table->rows[row].peer_first; at != PEER_NONE;
	     at = table->peers[at].next) {
		const struct peer *peer = &table->peers[at];
		count += peer_kind_of(peer) == kind && is_live_peer(table, peer, now_us);
	}
	return count;
}

static void
link_relayed(struct allocation_table *table, uint32_t row)
{
	const struct allocation *allocation = &table->rows[row];

	chains_link(&table->by_relayed, hash_relayed(table, &allocation->relayed), row);
	if (allocation->relayed_also.family != ADDRESS_NONE) {
		chains_link(&table->by_relayed_also, hash_relayed(table, &allocation->relayed_also),
			    row);
	}
}

static void
unlink_relayed(struct allocation_table *table, uint32_t row)
{
	const struct allocation *allocation = &table->rows[row];

	chains_unlink(&table->by_relayed, hash_relayed(table, &allocation->relayed), row);
	if (allocation->relayed_also.family != ADDRESS_NONE) {
		chains_unlink(&table->by_relayed_also,
			      hash_relayed(table, &allocation->relayed_also), row);
	}
}

void
allocation_drop_relayed(struct allocation_table *table, uint32_t row, const struct address *relayed)
{
	struct allocation *allocation = &table->rows[row];

	assert(allocation->relayed_also.family != ADDRESS_NONE);
	unlink_relayed(table, row);
	if (address_equal(&allocation->relayed, relayed)) {
		allocation->relayed = allocation->relayed_also;
	}
	allocation->relayed_also = (struct address){ 0 };
	link_relayed(table, row);
}

static void
link_client(struct allocation_table *table, uint32_t row)
{
	const struct allocation *allocation = &table->rows[row];

	if (allocation->client.family != ADDRESS_NONE) {
		chains_link(&table->by_client,
			    hash_client(table, &allocation->client, &allocation->server,
					allocation->client_transport, allocation->relay),
			    row);
		chains_link(&table->by_source, hash_source(table, &allocation->client), row);
	}
}

static void
unlink_client(struct allocation_table *table, uint32_t row)
{
	const struct allocation *allocation = &table->rows[row];

	if (allocation->client.family != ADDRESS_NONE) {
		chains_unlink(&table->by_client,
			      hash_client(table, &allocation->client, &allocation->server,
					  allocation->client_transport, allocation->relay),
			      row);
		chains_unlink(&table->by_source, hash_source(table, &allocation->client), row);
	}
}

void
allocation_move(struct allocation_table *table, uint32_t row, const struct client_place *place)
{
	struct allocation *allocation = &table->rows[row];

	assert(!id_is_none(&allocation->id));
	unlink_client(table, row);
	allocation->relay = place->relay;
	allocation->client = place->client;
	allocation->server = place->server;
	allocation->client_transport = place->transport;
	link_client(table, row);
}

uint32_t
allocation_claim(struct allocation_table *table, const struct allocation *allocation)
{
	const bool reused = table->row_free != ROW_NONE;
	const uint32_t row = reused ? table->row_free : table->rows_fresh++;

	assert(row < table->rows_max);
	assert(!id_is_none(&allocation->id));
	struct allocation *taken = &table->rows[row];
	table->row_free = reused ? taken->next_free : ROW_NONE;
	table->rows_used++;
	*taken = *allocation;
	taken->peer_first = PEER_NONE;
	taken->peer_last = PEER_NONE;
	taken->next_free = ROW_NONE;
	chains_link(&table->by_id, chains_hash_id(table->seed, &taken->id), row);
	chains_link(&table->by_user, chains_hash_id(table->seed, &taken->user), row);
	link_relayed(table, row);
	link_client(table, row);
	return row;
}

/* Out of the indexes and onto the free places; the caller has taken it out of its row's list. */
static void
free_peer(struct allocation_table *table, uint32_t at)
{
	struct peer *peer = &table->peers[at];

	if (peer_kind_of(peer) == PEER_KIND_CHANNEL) {
		chains_unlink(&table->by_channel, hash_channel(table, peer->row, peer->channel),
			      at);
	}
	if (peer->address.family != ADDRESS_NONE) {
		chains_unlink(&table->by_peer,
			      hash_peer(table, peer->row, peer_kind_of(peer), &peer->address), at);
	}
	*peer = (struct peer){ .row = ROW_NONE, .next = table->peer_free };
	table->peer_free = at;
	table->peers_used--;
}

void
allocation_release(struct allocation_table *table, uint32_t row)
{
	struct allocation *allocation = &table->rows[row];

	assert(row < table->rows_max);
	assert(!id_is_none(&allocation->id));
	peer_purge(table, row, UINT64_MAX);
	chains_unlink(&table->by_id, chains_hash_id(table->seed, &allocation->id), row);
	chains_unlink(&table->by_user, chains_hash_id(table->seed, &allocation->user), row);
	unlink_relayed(table, row);
	unlink_client(table, row);
	memset(allocation, 0, sizeof *allocation);
	allocation->next_free = table->row_free;
	table->row_free = row;
	table->rows_used--;
}

uint32_t
peer_claim(struct allocation_table *table, uint32_t row, const struct peer *peer)
{
	struct allocation *allocation = &table->rows[row];
	const bool reused = table->peer_free != PEER_NONE;
	const uint32_t at = reused ? table->peer_free : table->peers_fresh++;

	assert(at < table->peers_max);
	struct peer *taken = &table->peers[at];
	table->peer_free = reused ? taken->next : PEER_NONE;
	table->peers_used++;
	*taken = *peer;
	taken->row = row;
	taken->next = PEER_NONE;
	if (allocation->peer_last == PEER_NONE) {
		allocation->peer_first = at;
	} else {
		table->peers[allocation->peer_last].next = at;
	}
	allocation->peer_last = at;
	if (peer_kind_of(taken) == PEER_KIND_CHANNEL) {
		chains_link(&table->by_channel, hash_channel(table, row, taken->channel), at);
	}
	if (taken->address.family != ADDRESS_NONE) {
		chains_link(&table->by_peer,
			    hash_peer(table, row, peer_kind_of(taken), &taken->address), at);
	}
	return at;
}

void
peer_purge(struct allocation_table *table, uint32_t row, uint64_t now_us)
{
	struct allocation *allocation = &table->rows[row];
	uint32_t *link = &allocation->peer_first;

	allocation->peer_last = PEER_NONE;
	while (*link != PEER_NONE) {
		const uint32_t at = *link;
		struct peer *peer = &table->peers[at];

		if (peer->expires_us <= now_us) {
			*link = peer->next;
			free_peer(table, at);
		} else {
			allocation->peer_last = at;
			link = &peer->next;
		}
	}
}
