/* Transactions, publishing, snapshots, and what a fault of the disk means. */
#include "store/evidence_io.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/evidence_state_io.h"
#include "store/head_io.h"
#include "store/pub_io.h"
#include "store/sha256.h"

const char *
evidence_read_only(const struct evidence *e)
{
	return e->is_read_only ? e->fault : NULL;
}

const char *
evidence_fault(const struct evidence *e)
{
	return e->fault;
}

bool
evidence_has_failed(const struct evidence *e)
{
	return e->has_failed;
}

bool
evidence_is_suspended(const struct evidence *e)
{
	return e->is_suspended;
}

uint64_t
evidence_size(const struct evidence *e)
{
	return e->tree.size;
}

void
evidence_root(const struct evidence *e, struct digest *out)
{
	merkle_root(&e->tree, out);
}

struct stream_head
evidence_stream_head(const struct evidence *e, uint64_t stream)
{
	assert(stream > 0 && stream < STREAMS);
	return e->heads[stream];
}

/* --- faults --------------------------------------------------------------------------------------
 */

bool
evidence_reload(struct evidence *e)
{
	struct entry last = { 0 };
	struct span bytes;
	uint64_t size = 0;

	memset(e->head_changed, 0, sizeof e->head_changed);
	memset(e->digests, 0, sizeof e->digests);
	e->appended_count = 0;
	if (!lookup_size(&e->log.lookup, &size) || !log_heads(&e->log, e->heads) ||
	    !merkle_resume(&e->tree, size, lookup_hashes, &e->log.lookup)) {
		return false;
	}
	if (size > 0 && (!lookup_entry(&e->log.lookup, size - 1, e->entry, &bytes) ||
			 !entry_read(bytes, &last))) {
		return false;
	}
	e->recorded_us = last.recorded_us;
	e->clock_is_behind = false;
	e->substance = size;
	e->own_anchors = 0;
	e->checkpointed = log_checkpointed(&e->log);
	return true;
}

static enum evidence_result
fail(struct evidence *e, const char *doing)
{
	snprintf(e->fault, sizeof e->fault,
		 "%.*s: %s: %s: the evidence ends here; mend the disk and start again",
		 EVIDENCE_FAULT_MAX / 2, e->directory, doing, sqlite3_errmsg(e->log.db));
	e->has_failed = true;
	e->in_transaction = false;
	log_rollback(&e->log);
	keys_rollback(e->keys);
	return EVIDENCE_FAILED;
}

static void
give_up_transaction(struct evidence *e)
{
	e->in_transaction = false;
	log_rollback(&e->log);
	keys_rollback(e->keys);
}

/* A transaction with one event of the witness. A full disk within it is the caller's to take. */
static enum evidence_result
note_alone(struct evidence *e, enum event_type type, const char *why)
{
	struct event event = { .type = type };

	text_set(type == EVENT_LOG_SUSPENDED ? &event.log_suspended.why : &event.log_resumed.why,
		 why);
	enum evidence_result result = evidence_begin(e);
	if (result == EVIDENCE_OK && !e->has_started) {
		result = evidence_note_start(e, e->recorded_us);
	}
	if (result == EVIDENCE_OK) {
		result = evidence_note(e, &event, e->recorded_us);
	}
	return result == EVIDENCE_OK ? evidence_commit(e) : result;
}

/* The ballast is freed once; what it leaves room for is the event that says so. If even that does
 * not fit, the evidence is suspended all the same, and log_resumed will be the only trace. */
static enum evidence_result
suspend(struct evidence *e)
{
	const bool had_ballast = file_exists(e->ballast);

	give_up_transaction(e);
	if (!evidence_reload(e)) {
		return fail(e, "reading the log again after the disk was full");
	}
	if (e->is_suspended) {
		return EVIDENCE_FULL;
	}
	ballast_free(e->ballast);
	if (had_ballast && note_alone(e, EVENT_LOG_SUSPENDED, "disk full") == EVIDENCE_FAILED) {
		return EVIDENCE_FAILED;
	}
	e->is_suspended = true;
	return EVIDENCE_FULL;
}

enum evidence_result
evidence_after(struct evidence *e, enum db_result result, const char *doing)
{
	switch (result) {
	case DB_OK:
		return EVIDENCE_OK;
	case DB_FULL:
		return suspend(e);
	case DB_FAILED:
		return fail(e, doing);
	}
	return EVIDENCE_FAILED;
}

enum evidence_result
evidence_after_file(struct evidence *e, enum file_result result, const char *doing)
{
	const int why = errno;

	if (result == FILE_OK) {
		return EVIDENCE_OK;
	}
	if (result == FILE_FULL) {
		return suspend(e);
	}
	fail(e, doing);
	snprintf(e->fault, sizeof e->fault,
		 "%.*s: %s: %s: see who owns the directory, and start again",
		 EVIDENCE_FAULT_MAX / 2, e->directory, doing, strerror(why));
	return EVIDENCE_FAILED;
}

/* --- transactions --------------------------------------------------------------------------------
 */

static enum evidence_result
refuse_now(const struct evidence *e)
{
	if (e->has_failed) {
		return EVIDENCE_FAILED;
	}
	return e->is_read_only ? EVIDENCE_READ_ONLY : EVIDENCE_OK;
}

static enum evidence_result
resume(struct evidence *e)
{
	if (ballast_make(e->ballast) != FILE_OK) {
		return EVIDENCE_FULL;
	}
	e->is_suspended = false;
	return note_alone(e, EVENT_LOG_RESUMED, "there is room again");
}

enum evidence_result
evidence_begin(struct evidence *e)
{
	enum evidence_result result = refuse_now(e);

	assert(!e->in_transaction);
	if (result == EVIDENCE_OK && e->is_suspended) {
		result = resume(e);
	}
	if (result == EVIDENCE_OK) {
		result = evidence_after(e, log_begin(&e->log), "beginning a transaction");
	}
	e->in_transaction = result == EVIDENCE_OK;
	e->appended_count = 0;
	return result;
}

static enum evidence_result
put_heads(struct evidence *e)
{
	enum evidence_result result = EVIDENCE_OK;

	for (uint64_t stream = 1; stream < STREAMS && result == EVIDENCE_OK; stream++) {
		if (e->head_changed[stream]) {
			result = evidence_after(e, log_put_head(&e->log, stream, &e->heads[stream]),
						"writing a stream's head");
			e->head_changed[stream] = false;
		}
	}
	return result;
}

enum evidence_result
evidence_commit(struct evidence *e)
{
	assert(e->in_transaction);
	enum evidence_result result = put_heads(e);

	/* A key that no event needs does no harm; an event whose key is lost could never be read.
	 */
	if (result == EVIDENCE_OK) {
		result = evidence_after(e, keys_commit(e->keys), "committing keys.db");
	}
	if (result == EVIDENCE_OK) {
		result = evidence_after(e, log_commit(&e->log), "committing witness.db");
	}
	e->in_transaction = false;
	if (result != EVIDENCE_OK) {
		return result;
	}
	/* It is durable already; a full disk while the WAL is moved changes nothing about that. */
	if (log_checkpoint_wal(&e->log, WAL_PAGES_MAX) == DB_FAILED) {
		return fail(e, "moving the WAL into the database");
	}
	return EVIDENCE_OK;
}

enum evidence_result
evidence_rollback(struct evidence *e)
{
	assert(e->in_transaction);
	give_up_transaction(e);
	if (!evidence_reload(e)) {
		return fail(e, "reading the log again after a rollback");
	}
	return EVIDENCE_OK;
}

enum evidence_result
evidence_idle(struct evidence *e)
{
	const enum evidence_result refused = refuse_now(e);

	assert(!e->in_transaction);
	if (refused != EVIDENCE_OK) {
		return refused;
	}
	if (log_checkpoint_wal(&e->log, WAL_PAGES_IDLE) == DB_FAILED ||
	    keys_checkpoint_wal(e->keys, WAL_PAGES_IDLE) == DB_FAILED) {
		return fail(e, "moving the WAL into the database");
	}
	return EVIDENCE_OK;
}

/* --- repeated appends
 * ------------------------------------------------------------------------------ */

size_t
evidence_recall(struct evidence *e, uint64_t stream, uint64_t version, struct id *command_ids,
		uint64_t *seqs, size_t most)
{
	const struct stream_head head = evidence_stream_head(e, stream);
	uint64_t left = 4 * EVENTS_PER_APPEND_MAX;
	struct entry entry = { .stream_version = UINT64_MAX };
	struct span bytes;

	if (version >= head.version) {
		return 0;
	}
	const uint64_t count = head.version - version;
	/* Backwards from the stream's last event to the one with `version`. */
	for (uint64_t seq = head.last_seq + 1; seq-- > 0 && left-- > 0;) {
		if (!lookup_entry(&e->log.lookup, seq, e->entry, &bytes) ||
		    !entry_read(bytes, &entry)) {
			return 0;
		}
		if (entry.stream != stream) {
			continue;
		}
		const uint64_t place = entry.stream_version - version;
		if (command_ids != NULL && place < most) {
			command_ids[place] = entry.command_id;
		}
		if (seqs != NULL && place < most) {
			seqs[place] = seq;
		}
		if (place == 0) {
			return count < most ? (size_t)count : most;
		}
	}
	return 0;
}

/* --- publishing
 * ------------------------------------------------------------------------------------ */

static enum evidence_result
keep_checkpoint(struct evidence *e, struct span note)
{
	enum evidence_result result = evidence_begin(e);

	if (result == EVIDENCE_OK) {
		result = evidence_after(e, log_put_checkpoint(&e->log, e->tree.size, note),
					"keeping a checkpoint");
	}
	return result == EVIDENCE_OK ? evidence_commit(e) : result;
}

/* All reads in one transaction: SQLite takes and gives back its file locks once, not for each
 * entry. */
static enum evidence_result
publish_files(struct evidence *e, struct span note)
{
	enum evidence_result result = evidence_after(e, db_run(e->log.db, "BEGIN"), "publishing");

	if (result == EVIDENCE_OK) {
		result = evidence_after_file(
			e, pub_publish(e->directory, &e->log.lookup, e->published, &e->tree, note),
			"publishing into pub/");
		const enum db_result ended = db_run(e->log.db, "COMMIT");
		result = result == EVIDENCE_OK ? evidence_after(e, ended, "publishing") : result;
	}
	return result;
}

enum evidence_result
evidence_publish(struct evidence *e)
{
	struct checkpoint checkpoint = { .size = e->tree.size };
	char text[CHECKPOINT_BYTES_MAX];

	assert(!e->in_transaction);
	enum evidence_result result = refuse_now(e);
	if (result != EVIDENCE_OK ||
	    (e->checkpointed == e->tree.size && e->published == e->tree.size)) {
		return result;
	}
	if (e->is_suspended) {
		return EVIDENCE_FULL;
	}
	memcpy(checkpoint.origin, e->origin, sizeof checkpoint.origin);
	merkle_root(&e->tree, &checkpoint.root);
	const size_t count = checkpoint_sign(&checkpoint, &e->signer, text);
	const struct span note = { (const uint8_t *)text, count };
	if (e->checkpointed < e->tree.size) {
		result = keep_checkpoint(e, note);
	}
	if (result == EVIDENCE_OK) {
		e->checkpointed = checkpoint.size;
		result = evidence_after_file(e, head_write(e->directory, note), "writing head");
	}
	if (result == EVIDENCE_OK) {
		result = publish_files(e, note);
	}
	if (result == EVIDENCE_OK) {
		e->published = checkpoint.size;
		memcpy(e->note, text, count);
		e->note_count = count;
	}
	return result;
}

bool
evidence_is_publish_due(const struct evidence *e)
{
	return e->tree.size - e->own_anchors > e->published;
}

/* --- snapshots
 * ------------------------------------------------------------------------------------- */

static enum evidence_result
put_snapshot(struct evidence *e, const struct seal_annex_place *place, uint64_t seq,
	     struct span dump, struct span annex)
{
	const size_t count = annex.count + SEAL_BOX_EXTRA;
	uint8_t iv[SEAL_IV_BYTES];
	uint8_t *box = malloc(count);

	assert(box != NULL);
	random_take(&e->random, iv, sizeof iv);
	seal_annex(e->sealer, keys_wrap_key(e->keys), place, iv, annex, box);
	const enum db_result result = log_put_snapshot(&e->log, place->stream, place->version, seq,
						       dump, (struct span){ box, count });
	free(box);
	return evidence_after(e, result, "keeping a snapshot");
}

enum evidence_result
evidence_snapshot_put(struct evidence *e, uint64_t stream, uint64_t version, struct span dump,
		      struct span annex)
{
	const struct state_digest *said = &e->digests[stream];
	struct seal_annex_place place = { .stream = stream, .version = version };

	assert(!e->in_transaction);
	sha256_span(dump, &place.dump);
	if (!said->known || said->version != version || !digest_equal(&said->digest, &place.dump)) {
		return EVIDENCE_REFUSED;
	}
	const uint64_t seq = said->seq;
	enum evidence_result result = evidence_begin(e);
	if (result != EVIDENCE_OK) {
		return result;
	}
	result = put_snapshot(e, &place, seq, dump, annex);
	return result == EVIDENCE_OK ? evidence_commit(e) : result;
}
