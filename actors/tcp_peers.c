#include "actors/tcp_peers.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/address.h"

static uint64_t
hash_connection_id(const struct tcp_peers *peers, uint32_t connection_id)
{
	return chains_mix(peers->seed ^ connection_id, 0x9E3779B97F4A7C15u);
}

static uint64_t
hash_client(const struct tcp_peers *peers, uint32_t listener, const struct address *client)
{
	return chains_hash_address(peers->seed, client, listener);
}

bool
tcp_peers_init(struct tcp_peers *peers, uint64_t seed)
{
	*peers = (struct tcp_peers){ .seed = seed, .free_count = TCP_PEERS_MAX };
	peers->items = calloc(TCP_PEERS_MAX, sizeof *peers->items);
	peers->free = calloc(TCP_PEERS_MAX, sizeof *peers->free);
	if (peers->items == NULL || peers->free == NULL ||
	    !chains_init(&peers->by_connection_id, TCP_PEERS_MAX) ||
	    !chains_init(&peers->by_allocation, TCP_PEERS_MAX) ||
	    !chains_init(&peers->by_client, TCP_PEERS_MAX) ||
	    !chains_init(&peers->by_command, TCP_PEERS_MAX)) {
		return false;
	}
	for (uint32_t i = 0; i < TCP_PEERS_MAX; i++) {
		peers->free[i] = TCP_PEERS_MAX - 1 - i;
	}
	return true;
}

void
tcp_peers_free(struct tcp_peers *peers)
{
	free(peers->items);
	free(peers->free);
	chains_free(&peers->by_connection_id);
	chains_free(&peers->by_allocation);
	chains_free(&peers->by_client);
	chains_free(&peers->by_command);
}

uint32_t
tcp_peers_used(const struct tcp_peers *peers)
{
	return TCP_PEERS_MAX - peers->free_count;
}

struct tcp_peer *
tcp_peer_at(struct tcp_peers *peers, uint32_t number)
{
	assert(number < TCP_PEERS_MAX);
	assert(peers->items[number].used);
	return &peers->items[number];
}

uint32_t
tcp_peers_claim(struct tcp_peers *peers, const struct tcp_peer *made)
{
	if (peers->free_count == 0) {
		return TCP_PEER_NONE;
	}
	const uint32_t number = peers->free[--peers->free_count];
	struct tcp_peer *peer = &peers->items[number];

	assert(!peer->used);
	assert(made->connection_id != 0);
	assert(tcp_peers_find_id(peers, made->connection_id) == TCP_PEER_NONE);
	*peer = *made;
	peer->used = true;
	peer->command = (struct id){ { 0 } };
	peer->client = (struct address){ 0 };
	chains_link(&peers->by_connection_id, hash_connection_id(peers, peer->connection_id),
		    number);
	chains_link(&peers->by_allocation, chains_hash_id(peers->seed, &peer->allocation), number);
	return number;
}

void
tcp_peers_release(struct tcp_peers *peers, uint32_t number)
{
	const struct id none = { { 0 } };
	struct tcp_peer *peer = &peers->items[number];

	assert(number < TCP_PEERS_MAX);
	assert(peer->used);
	tcp_peers_ask(peers, number, &none);
	tcp_peers_unbind(peers, number);
	chains_unlink(&peers->by_connection_id, hash_connection_id(peers, peer->connection_id),
		      number);
	chains_unlink(&peers->by_allocation, chains_hash_id(peers->seed, &peer->allocation),
		      number);
	memset(peer, 0, sizeof *peer); /* it holds a key */
	peers->free[peers->free_count++] = number;
}

void
tcp_peers_ask(struct tcp_peers *peers, uint32_t number, const struct id *command)
{
	struct tcp_peer *peer = &peers->items[number];

	if (!id_is_none(&peer->command)) {
		chains_unlink(&peers->by_command, chains_hash_id(peers->seed, &peer->command),
			      number);
	}
	peer->command = *command;
	if (!id_is_none(command)) {
		chains_link(&peers->by_command, chains_hash_id(peers->seed, command), number);
	}
}

void
tcp_peers_bind(struct tcp_peers *peers, uint32_t number, uint32_t listener,
	       const struct address *client)
{
	struct tcp_peer *peer = &peers->items[number];

	assert(peer->client.family == ADDRESS_NONE);
	peer->listener = listener;
	peer->client = *client;
	chains_link(&peers->by_client, hash_client(peers, listener, client), number);
}

void
tcp_peers_unbind(struct tcp_peers *peers, uint32_t number)
{
	struct tcp_peer *peer = &peers->items[number];

	if (peer->client.family != ADDRESS_NONE) {
		chains_unlink(&peers->by_client, hash_client(peers, peer->listener, &peer->client),
			      number);
		peer->client = (struct address){ 0 };
	}
}

uint32_t
tcp_peers_find_id(const struct tcp_peers *peers, uint32_t connection_id)
{
	uint32_t at =
		chains_first(&peers->by_connection_id, hash_connection_id(peers, connection_id));

	while (at != TCP_PEER_NONE && peers->items[at].connection_id != connection_id) {
		at = chains_next(&peers->by_connection_id, at);
	}
	return at;
}

uint32_t
tcp_peers_find_client(const struct tcp_peers *peers, uint32_t listener,
		      const struct address *client)
{
	uint32_t at = chains_first(&peers->by_client, hash_client(peers, listener, client));

	while (at != TCP_PEER_NONE && (peers->items[at].listener != listener ||
				       !address_equal(&peers->items[at].client, client))) {
		at = chains_next(&peers->by_client, at);
	}
	return at;
}

uint32_t
tcp_peers_find_command(const struct tcp_peers *peers, const struct id *command)
{
	uint32_t at = chains_first(&peers->by_command, chains_hash_id(peers->seed, command));

	while (at != TCP_PEER_NONE && !id_equal(&peers->items[at].command, command)) {
		at = chains_next(&peers->by_command, at);
	}
	return at;
}

uint32_t
tcp_peers_find_peer(const struct tcp_peers *peers, const struct id *allocation,
		    const struct address *peer)
{
	uint32_t at = tcp_peers_first(peers, allocation);

	while (at != TCP_PEER_NONE && !address_equal(&peers->items[at].peer, peer)) {
		at = tcp_peers_next(peers, at);
	}
	return at;
}

static uint32_t
skip_to(const struct tcp_peers *peers, uint32_t at, const struct id *allocation)
{
	while (at != TCP_PEER_NONE && !id_equal(&peers->items[at].allocation, allocation)) {
		at = chains_next(&peers->by_allocation, at);
	}
	return at;
}

uint32_t
tcp_peers_first(const struct tcp_peers *peers, const struct id *allocation)
{
	return skip_to(peers,
		       chains_first(&peers->by_allocation, chains_hash_id(peers->seed, allocation)),
		       allocation);
}

uint32_t
tcp_peers_next(const struct tcp_peers *peers, uint32_t number)
{
	return skip_to(peers, chains_next(&peers->by_allocation, number),
		       &peers->items[number].allocation);
}

uint32_t
tcp_peers_count(const struct tcp_peers *peers, const struct id *allocation)
{
	uint32_t count = 0;

	for (uint32_t at = tcp_peers_first(peers, allocation); at != TCP_PEER_NONE;
	     at = tcp_peers_next(peers, at)) {
		count++;
	}
	return count;
}
