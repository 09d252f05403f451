/* The state as bytes, and back: canonical, rows by id, peers by number. What is personal stands in
 * a second dump of the same order, so that the first is the same with and without any key. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "actors/allocation.h"

enum {
	ROW_ELEMENTS = 15, /* and those of optional_elements */
	ROW_ELEMENTS_MAX = ROW_ELEMENTS + 3,
	ROW_PERSONAL_ELEMENTS = 3,
	ROSTER_ELEMENTS = 7,
	PEER_ELEMENTS = 3,
	ROW_PEERS_MAX = 2 * PEERS_PER_ALLOCATION_MAX + TCP_PEERS_PER_ALLOCATION_MAX
};

struct by_id {
	struct id id;
	uint32_t row;
};

static int
compare_ids(const void *a, const void *b)
{
	return memcmp(((const struct by_id *)a)->id.bytes, ((const struct by_id *)b)->id.bytes,
		      sizeof(struct id));
}

uint32_t *
allocation_sorted(const struct allocation_state *state, uint32_t *count)
{
	const struct allocation_table *table = &state->table;
	struct by_id *order = calloc((size_t)table->rows_used + 1, sizeof *order);
	uint32_t *rows = calloc((size_t)table->rows_used + 1, sizeof *rows);

	assert(order != NULL);
	assert(rows != NULL);
	*count = 0;
	for (uint32_t row = 0; row < table->rows_fresh; row++) {
		if (!id_is_none(&table->rows[row].id)) {
			order[(*count)++] = (struct by_id){ table->rows[row].id, row };
		}
	}
	assert(*count == table->rows_used);
	qsort(order, *count, sizeof *order, compare_ids);
	for (uint32_t i = 0; i < *count; i++) {
		rows[i] = order[i].row;
	}
	free(order);
	return rows;
}

/* How many peers are in the table for this row, expired ones that are not purged included. */
static uint32_t
peers_of(const struct allocation_table *table, const struct allocation *allocation)
{
	uint32_t count = 0;

	for (uint32_t at = allocation->peer_first; at != PEER_NONE; at = table->peers[at].next) {
		count++;
	}
	return count;
}

/* The client's transport, the second relayed address, how often it moved: up to the last one that
 * says something, so that a row is written in one way. */
static uint32_t
optional_elements(const struct allocation *allocation)
{
	if (allocation->moves > 0) {
		return 3;
	}
	if (allocation->relayed_also.family != ADDRESS_NONE) {
		return 2;
	}
	return allocation->client_transport != CLIENT_UDP;
}

static void
write_row(struct mp_writer *w, const struct allocation_table *table,
	  const struct allocation *allocation)
{
	const uint32_t more = optional_elements(allocation);

	mp_put_array(w, ROW_ELEMENTS + more);
	mp_put_id(w, &allocation->id);
	mp_put_id(w, &allocation->user);
	mp_put_id(w, &allocation->trace);
	mp_put_u64(w, allocation->relay);
	mp_put_u64(w, allocation->transport);
	address_write(w, &allocation->server);
	address_write(w, &allocation->relayed);
	mp_put_bin(w, allocation->transaction.bytes, sizeof allocation->transaction.bytes);
	mp_put_u64(w, allocation->expires_us);
	mp_put_u64(w, allocation->usage.packets_up);
	mp_put_u64(w, allocation->usage.bytes_up);
	mp_put_u64(w, allocation->usage.packets_down);
	mp_put_u64(w, allocation->usage.bytes_down);
	mp_put_u64(w, allocation->peer_next_number);
	if (more >= 1) {
		mp_put_u64(w, allocation->client_transport);
	}
	if (more >= 2) {
		address_write(w, &allocation->relayed_also);
	}
	if (more >= 3) {
		mp_put_u64(w, allocation->moves);
	}
	mp_put_array(w, peers_of(table, allocation));
	for (uint32_t at = allocation->peer_first; at != PEER_NONE; at = table->peers[at].next) {
		mp_put_array(w, PEER_ELEMENTS);
		mp_put_u64(w, table->peers[at].number);
		mp_put_u64(w, table->peers[at].channel);
		mp_put_u64(w, table->peers[at].expires_us);
	}
}

void
allocation_dump(const void *opaque, struct mp_writer *w)
{
	const struct allocation_state *state = opaque;
	uint32_t count = 0;
	uint32_t *rows = allocation_sorted(state, &count);

	mp_put_array(w, 3 + (state->revoked->count > 0));
	fronts_write(w, &state->relays);
	directory_write(w, state->names);
	mp_put_array(w, count);
	for (uint32_t i = 0; i < count; i++) {
		write_row(w, &state->table, &state->table.rows[rows[i]]);
	}
	if (state->revoked->count > 0) {
		revocations_write(w, state->revoked);
	}
	free(rows);
}

static void
write_name(struct mp_writer *w, const struct name *name)
{
	if (name->length == 0) {
		mp_put_nil(w);
	} else {
		mp_put_str(w, name->bytes, name->length);
	}
}

/* A name that the directory knows is not written twice: names make up most of a dump. */
static void
write_row_personal(struct mp_writer *w, const struct allocation_state *state,
		   const struct allocation *allocation)
{
	const struct allocation_table *table = &state->table;
	const struct name known = directory_name(state->names, &allocation->user);
	const struct name empty = { 0 };

	mp_put_array(w, ROW_PERSONAL_ELEMENTS);
	write_name(w, name_equal(&known, &allocation->user_name) ? &empty : &allocation->user_name);
	address_write(w, &allocation->client);
	mp_put_array(w, peers_of(table, allocation));
	for (uint32_t at = allocation->peer_first; at != PEER_NONE; at = table->peers[at].next) {
		address_write(w, &table->peers[at].address);
	}
}

void
allocation_dump_personal(const void *opaque, struct mp_writer *w)
{
	const struct allocation_state *state = opaque;
	uint32_t count = 0;
	uint32_t *rows = allocation_sorted(state, &count);

	mp_put_array(w, 2 + (state->revoked->count > 0));
	directory_write_names(w, state->names);
	mp_put_array(w, count);
	for (uint32_t i = 0; i < count; i++) {
		write_row_personal(w, state, &state->table.rows[rows[i]]);
	}
	if (state->revoked->count > 0) {
		revocations_write_names(w, state->revoked);
	}
	free(rows);
}

void
allocation_roster(const void *opaque, struct mp_writer *w)
{
	const struct allocation_state *state = opaque;
	uint32_t count = 0;
	uint32_t *rows = allocation_sorted(state, &count);

	mp_put_array(w, count);
	for (uint32_t i = 0; i < count; i++) {
		const struct allocation *allocation = &state->table.rows[rows[i]];
		mp_put_array(w, ROSTER_ELEMENTS);
		mp_put_id(w, &allocation->id);
		if (allocation->user_name.length == 0) {
			mp_put_id(w, &allocation->user); /* sealed away: still told apart */
		} else {
			write_name(w, &allocation->user_name);
		}
		mp_put_u64(w, allocation->relay);
		address_write(w, &allocation->client);
		address_write(w, &allocation->relayed);
		mp_put_u64(w, allocation->expires_us);
		address_write(w, &allocation->relayed_also);
	}
	free(rows);
}

static void
read_optional(struct mp_reader *r, size_t elements, struct allocation *allocation)
{
	uint64_t moves = 0;

	if (elements > ROW_ELEMENTS) {
		allocation->client_transport = mp_get_u64(r);
	}
	if (elements > ROW_ELEMENTS + 1) {
		address_read(r, &allocation->relayed_also);
	}
	if (elements > ROW_ELEMENTS + 2) {
		moves = mp_get_u64(r);
	}
	allocation->moves = (uint32_t)moves;
	r->bad |= moves > UINT32_MAX || allocation->client_transport > CLIENT_DTLS ||
		  allocation->relayed_also.family == allocation->relayed.family ||
		  (elements >= ROW_ELEMENTS &&
		   elements - ROW_ELEMENTS != optional_elements(allocation));
}

static struct allocation
read_row(struct mp_reader *r)
{
	struct allocation allocation = { 0 };

	const size_t elements = mp_get_array(r, ROW_ELEMENTS_MAX);
	allocation.id = mp_get_id(r);
	allocation.user = mp_get_id(r);
	allocation.trace = mp_get_id(r);
	allocation.relay = mp_get_u64(r);
	allocation.transport = mp_get_u64(r);
	address_read(r, &allocation.server);
	address_read(r, &allocation.relayed);
	mp_get_fixed(r, allocation.transaction.bytes, sizeof allocation.transaction.bytes);
	allocation.expires_us = mp_get_u64(r);
	allocation.usage.packets_up = mp_get_u64(r);
	allocation.usage.bytes_up = mp_get_u64(r);
	allocation.usage.packets_down = mp_get_u64(r);
	allocation.usage.bytes_down = mp_get_u64(r);
	const uint64_t next = mp_get_u64(r);
	allocation.peer_next_number = (uint32_t)next;
	read_optional(r, elements, &allocation);
	r->bad |= elements < ROW_ELEMENTS || next == 0 || next > UINT32_MAX ||
		  id_is_none(&allocation.id) || id_is_none(&allocation.user);
	return allocation;
}

static void
restore_peers(struct allocation_state *state, uint32_t row, struct mp_reader *dump,
	      struct mp_reader *personal)
{
	struct allocation_table *table = &state->table;
	const size_t count = mp_get_array(dump, ROW_PEERS_MAX);
	uint32_t last = 0;

	if (personal != NULL) {
		personal->bad |= mp_get_array(personal, ROW_PEERS_MAX) != count;
	}
	for (size_t i = 0; i < count && !dump->bad; i++) {
		struct peer peer = { 0 };

		dump->bad |= mp_get_array(dump, PEER_ELEMENTS) != PEER_ELEMENTS;
		const uint64_t number = mp_get_u64(dump);
		const uint64_t channel = mp_get_u64(dump);
		peer.expires_us = mp_get_u64(dump);
		if (personal != NULL) {
			address_read(personal, &peer.address);
		}
		if (number <= last || number >= table->rows[row].peer_next_number ||
		    channel > CHANNEL_NUMBER_LEGACY_MAX || table->peers_used == table->peers_max) {
			dump->bad = true;
			return;
		}
		last = (uint32_t)number;
		peer.number = (uint32_t)number;
		peer.channel = (uint16_t)channel;
		peer_claim(table, row, &peer);
	}
}

static void
restore_row(struct allocation_state *state, struct mp_reader *dump, struct mp_reader *personal)
{
	struct allocation allocation = read_row(dump);

	if (personal != NULL) {
		dump->bad |= mp_get_array(personal, ROW_PERSONAL_ELEMENTS) != ROW_PERSONAL_ELEMENTS;
		allocation.user_name = mp_get_name(personal);
		address_read(personal, &allocation.client);
	}
	if (allocation.user_name.length == 0) {
		allocation.user_name = directory_name(state->names, &allocation.user);
	}
	if (dump->bad || allocation_find(&state->table, &allocation.id) != ROW_NONE) {
		dump->bad = true;
		return;
	}
	restore_peers(state, allocation_claim(&state->table, &allocation), dump, personal);
}

bool
allocation_restore(void *opaque, struct span dump, struct span personal)
{
	struct allocation_state *state = opaque;
	struct mp_reader r = mp_reader_of(dump);
	struct mp_reader names = mp_reader_of(personal);
	struct mp_reader *p = personal.count > 0 ? &names : NULL;

	const size_t elements = mp_get_array(&r, 4);
	r.bad |= elements < 3;
	r.bad |= p != NULL && mp_get_array(p, 3) != elements - 1;
	fronts_read(&r, &state->relays);
	if (r.bad || !directory_read(state->names, &r, p)) {
		return false;
	}
	const size_t count = mp_get_array(&r, state->table.rows_max);
	r.bad |= p != NULL && mp_get_array(p, state->table.rows_max) != count;
	for (size_t i = 0; i < count && !r.bad; i++) {
		restore_row(state, &r, p);
	}
	if (elements == 4) {
		revocations_read(state->revoked, &r, p);
	}
	return mp_reader_is_done(&r) && (p == NULL || mp_reader_is_done(p));
}
