/* Reading an index: what lies in it may be anybody's bytes. */
#include "store/index_io.h"

#include <assert.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>

#include "store/index_state_io.h"

/* SQLite's integers have a sign; 63 bits are plenty. */
static const uint64_t KEY_MASK = INT64_MAX;

uint64_t
log_index_covered(const struct log_index *index)
{
	return index->covered;
}

bool
log_index_has_names(const struct log_index *index)
{
	return index->has_names;
}

bool
log_index_is_sound(const struct log_index *index)
{
	return index->is_sound;
}

uint64_t
log_index_key(enum index_kind kind, const void *bytes, size_t count)
{
	return hash_bytes((uint64_t)kind, bytes, count) & KEY_MASK;
}

uint64_t
log_index_name_key(const struct log_index *index, const struct name *name)
{
	uint8_t mac[INDEX_SECRET_BYTES];
	uint8_t said[1 + NAME_BYTES_MAX] = { INDEX_NAME };
	unsigned count = sizeof mac;
	uint64_t key = 0;

	if (!index->has_names) {
		return KEY_MASK;
	}
	memcpy(said + 1, name->bytes, name->length);
	HMAC(EVP_sha256(), index->secret, INDEX_SECRET_BYTES, said, (size_t)name->length + 1, mac,
	     &count);
	memcpy(&key, mac, sizeof key);
	return key & KEY_MASK;
}

uint64_t
log_index_next_block(struct log_index *index, uint64_t key, uint64_t block)
{
	uint64_t found = UINT64_MAX;

	if (!index->is_sound || block >= index->covered) {
		return UINT64_MAX;
	}
	db_bind_u64(index->next, 1, key);
	db_bind_u64(index->next, 2, block);
	const int code = sqlite3_step(index->next);
	if (code == SQLITE_ROW) {
		found = db_u64(index->next, 0);
	}
	sqlite3_reset(index->next);
	if (code != SQLITE_ROW && code != SQLITE_DONE) {
		index_is_damaged(index);
	}
	/* Blocks that another program has added since are not looked at: they are not ours yet. */
	return found >= block && found < index->covered ? found : UINT64_MAX;
}

static uint64_t
end_of_block(const struct log_index *index, uint64_t block)
{
	const uint64_t end = block + INDEX_BLOCK_MAX;

	return end < index->covered ? end : index->covered;
}

void
log_index_take(struct log_index *index, uint64_t key, uint64_t block,
	       uint8_t bits[INDEX_BLOCK_MAX / 8])
{
	static uint64_t seqs[INDEX_BLOCK_MAX];
	size_t count = SIZE_MAX;

	if (!index->is_sound) {
		return;
	}
	db_bind_u64(index->take, 1, key);
	db_bind_u64(index->take, 2, block);
	if (sqlite3_step(index->take) == SQLITE_ROW) {
		count = index_unpack(db_span(index->take, 0), block, end_of_block(index, block),
				     seqs, INDEX_BLOCK_MAX);
	}
	sqlite3_reset(index->take);
	if (count == SIZE_MAX) {
		index_is_damaged(index);
		return;
	}
	for (size_t i = 0; i < count; i++) {
		const uint64_t at = seqs[i] - block;
		bits[at / 8] |= (uint8_t)(1u << (at % 8));
	}
}

uint64_t *
log_index_roster(struct log_index *index, uint64_t room, uint64_t seq, uint64_t *as_of,
		 size_t *count)
{
	uint64_t *seqs = calloc(AGENTS_MAX, sizeof *seqs);

	assert(seqs != NULL);
	*as_of = 0;
	*count = 0;
	if (!index->is_sound) {
		return seqs;
	}
	db_bind_u64(index->roster, 1, room);
	db_bind_u64(index->roster, 2, seq);
	if (sqlite3_step(index->roster) == SQLITE_ROW) {
		*as_of = db_u64(index->roster, 0);
		*count = index_unpack(db_span(index->roster, 1), 0, *as_of, seqs, AGENTS_MAX);
	}
	sqlite3_reset(index->roster);
	if (*count == SIZE_MAX || *as_of > seq) {
		index_is_damaged(index);
		*count = 0;
		*as_of = 0;
	}
	return seqs;
}
