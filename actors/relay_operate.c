#include "actors/relay_operate.h"

#include <assert.h>

#include "actors/relay_state.h"
#include "protocol/credential_name.h"

enum {
	ROW_BYTES_MAX = NAME_BYTES_MAX + 256 + OPERATE_PEERS_MAX * 48,
	ROWS_BYTES = OPERATE_PAGE_BYTES - 64
};
_Static_assert((int)ROWS_BYTES > 4 * (int)ROW_BYTES_MAX, "a page holds some of the longest rows");

static struct name
read_name(struct mp_reader *r)
{
	const struct span bytes = mp_get_str(r, NAME_BYTES_MAX);
	struct name name = { 0 };

	if (bytes.count > 0) {
		name_set(&name, (const char *)bytes.at, bytes.count);
	}
	return name;
}

static void
put_head(struct mp_writer *w, size_t elements, uint64_t epoch)
{
	mp_put_array(w, elements);
	mp_put_u64(w, ACCEPTED);
	mp_put_u64(w, epoch);
}

/* --- who holds what --- */

static struct usage
usage_of(const struct relay *relay, uint32_t row)
{
	const struct allocation_table *table = &relay->view->table;
	struct usage sum = relay->rows[row].told;

	for (uint32_t at = table->rows[row].peer_first; at != PEER_NONE;
	     at = table->peers[at].next) {
		usage_add(&sum, &relay->usage[at]);
	}
	return sum;
}

/* As many of them as an answer holds. */
static size_t
live_peers(const struct allocation_table *table, uint32_t row, uint64_t now_us)
{
	size_t count = 0;

	for (uint32_t at = table->rows[row].peer_first; at != PEER_NONE;
	     at = table->peers[at].next) {
		count += table->peers[at].expires_us > now_us && count < OPERATE_PEERS_MAX;
	}
	return count;
}

static void
put_peers(const struct allocation_table *table, uint32_t row, uint64_t now_us, struct mp_writer *w)
{
	size_t left = live_peers(table, row, now_us);

	mp_put_array(w, left);
	for (uint32_t at = table->rows[row].peer_first; at != PEER_NONE && left > 0;
	     at = table->peers[at].next) {
		const struct peer *peer = &table->peers[at];

		if (peer->expires_us > now_us) {
			mp_put_array(w, 3);
			address_write(w, &peer->address);
			mp_put_u64(w, peer->channel);
			mp_put_u64(w, peer->expires_us);
			left--;
		}
	}
}

static void
put_row(const struct relay *relay, uint32_t row, uint64_t now_us, struct mp_writer *w)
{
	const struct allocation *allocation = &relay->view->table.rows[row];
	const struct usage usage = usage_of(relay, row);

	mp_put_array(w, OPERATE_ALLOCATION_ELEMENTS);
	mp_put_id(w, &allocation->id);
	mp_put_str(w, allocation->user_name.bytes, allocation->user_name.length);
	address_write(w, &allocation->client);
	mp_put_u64(w, allocation->client_transport);
	address_write(w, &allocation->server);
	mp_put_u64(w, allocation->transport);
	address_write(w, &allocation->relayed);
	address_write(w, &allocation->relayed_also);
	mp_put_u64(w, allocation->created_us);
	mp_put_u64(w, allocation->expires_us);
	mp_put_u64(w, usage.packets_up);
	mp_put_u64(w, usage.bytes_up);
	mp_put_u64(w, usage.packets_down);
	mp_put_u64(w, usage.bytes_down);
	put_peers(&relay->view->table, row, now_us, w);
}

static bool
is_asked_for(const struct allocation *allocation, const struct name *agent, uint64_t now_us)
{
	return !id_is_none(&allocation->id) && allocation_is_live(allocation, now_us) &&
	       (agent->length == 0 || credential_name_is_of(&allocation->user_name, agent));
}

static void
put_page(const struct relay *relay, uint64_t from, const struct name *agent, uint64_t epoch,
	 uint64_t now_us, struct mp_writer *w)
{
	const struct allocation_table *table = &relay->view->table;
	uint8_t memory[ROWS_BYTES];
	struct mp_writer rows = mp_writer_of(memory, sizeof memory);
	uint64_t row = from;
	size_t count = 0;

	while (row < table->rows_fresh && row - from < OPERATE_ROWS_LOOKED_AT &&
	       mp_written(&rows).count + ROW_BYTES_MAX <= sizeof memory) {
		if (is_asked_for(&table->rows[row], agent, now_us)) {
			put_row(relay, (uint32_t)row, now_us, &rows);
			count++;
		}
		row++;
	}
	assert(!rows.bad);
	put_head(w, 4, epoch);
	mp_put_u64(w, row < table->rows_fresh ? row : 0);
	mp_put_array(w, count);
	mp_put_raw(w, mp_written(&rows));
}

static bool
take_allocations(const struct relay *relay, struct mp_reader *r, uint64_t epoch, uint64_t now_us,
		 struct mp_writer *w)
{
	const uint64_t from = mp_get_u64(r);
	const struct name agent = read_name(r);

	if (!mp_reader_is_done(r)) {
		return false;
	}
	put_page(relay, from, &agent, epoch, now_us, w);
	return true;
}

/* --- what is to end --- */

static bool
take_kill(struct relay *relay, struct mp_reader *r, uint64_t epoch, struct mp_writer *w)
{
	const struct name agent = read_name(r);
	const struct id allocation = mp_get_id(r);

	if (!mp_reader_is_done(r) || (agent.length == 0) == id_is_none(&allocation)) {
		return false;
	}
	put_head(w, 3, epoch);
	mp_put_u64(w, agent.length > 0 ? relay_kill_agent(relay, &agent, END_KILLED)
				       : relay_kill_allocation(relay, &allocation));
	return true;
}

bool
relay_operate(struct relay *relay, struct span request, uint64_t epoch, uint64_t now_us,
	      struct mp_writer *w)
{
	struct mp_reader r = mp_reader_of(request);

	if (mp_get_array(&r, 8) != 3) {
		return false;
	}
	switch (mp_get_u64(&r)) {
	case REQUEST_ALLOCATIONS:
		return take_allocations(relay, &r, epoch, now_us, w);
	case REQUEST_KILL:
		return take_kill(relay, &r, epoch, w);
	}
	return false;
}
