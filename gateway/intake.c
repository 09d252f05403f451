#include "gateway/intake.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "actors/directory.h"
#include "protocol/message.h"
#include "protocol/uuid.h"

enum { CLAIM_EVENT_BYTES_MAX = SEALED_BYTES_MAX + 256 };
_Static_assert((int)CLAIMS_PER_REQUEST_MAX <= (int)CLAIMS_PER_APPEND_MAX,
	       "a request fits an append");

/* The claims of one request, encoded as the witness takes them. */
struct batch {
	struct batch *next;
	void *owner; /* NULL: gone */
	size_t count;
	size_t used;
	uint8_t bytes[];
};

struct intake {
	void (*random)(void *bytes, size_t count);
	struct directory *reporters;
	struct uuid_generator ids;
	uint64_t epoch;
	uint64_t version;
	struct batch *first, **last; /* a queue; the first `sent` of them are on their way */
	size_t sent;
	size_t sent_claims;
	size_t claims; /* in the queue */
	size_t used;   /* bytes in the queue */
};

struct intake *
intake_new(void (*random)(void *bytes, size_t count))
{
	struct intake *intake = calloc(1, sizeof *intake);
	uint64_t seed;

	if (intake == NULL) {
		return NULL;
	}
	random(&seed, sizeof seed);
	intake->random = random;
	random(intake->ids.tail, sizeof intake->ids.tail);
	intake->last = &intake->first;
	intake->reporters = directory_new(INTAKE_REPORTERS, seed);
	if (intake->reporters == NULL) {
		free(intake);
		return NULL;
	}
	return intake;
}

void
intake_free(struct intake *intake)
{
	if (intake == NULL) {
		return;
	}
	while (intake->first != NULL) {
		struct batch *batch = intake->first;
		intake->first = batch->next;
		free(batch);
	}
	directory_free(intake->reporters);
	free(intake);
}

void
intake_attach(struct intake *intake, uint64_t epoch, uint64_t version)
{
	intake->epoch = epoch;
	intake->version = version;
}

uint64_t
intake_epoch(const struct intake *intake)
{
	return intake->epoch;
}

size_t
intake_waiting(const struct intake *intake)
{
	return intake->claims;
}

/* --- from a body to events ----------------------------------------------------------------------
 */

struct taking {
	struct intake *intake;
	const struct address *client;
	uint64_t now_us;
	uint8_t *memory;
	size_t used;
};

static struct id
handle_of(struct intake *intake, const struct name *reporter)
{
	struct id handle;

	if (directory_find(intake->reporters, DIRECTORY_AGENT, reporter, &handle)) {
		return handle;
	}
	do {
		intake->random(handle.bytes, sizeof handle.bytes);
	} while (id_is_none(&handle) || directory_has(intake->reporters, &handle));
	directory_note(intake->reporters, DIRECTORY_AGENT, &handle, reporter);
	return handle;
}

static void
take_claim(void *context, const struct claim *claim)
{
	struct taking *t = context;
	struct mp_writer w = mp_writer_of(t->memory + t->used, CLAIM_EVENT_BYTES_MAX);
	const struct event event = {
		.type = EVENT_CLAIM_REPORTED,
		.occurred_us = t->now_us,
		.command_id = uuid_next(&t->intake->ids, t->now_us / 1000),
		.claim_reported = { .reporter = handle_of(t->intake, &claim->agent),
				    .event_name = claim->event,
				    .agent_name = claim->agent,
				    .peer_name = claim->peer,
				    .trace = claim->trace,
				    .timestamp = claim->timestamp,
				    .metadata = claim->metadata,
				    .client = *t->client },
	};

	event_write(&w, &event);
	assert(!w.bad);
	t->used += mp_written(&w).count;
}

enum intake_result
intake_take(struct intake *intake, struct span body, const struct address *client, uint64_t now_us,
	    void *owner, struct claims_report *report)
{
	static uint8_t memory[CLAIMS_PER_REQUEST_MAX * CLAIM_EVENT_BYTES_MAX];
	struct taking taking = { intake, client, now_us, memory, 0 };

	if (intake->used > INTAKE_QUEUE_BYTES_MAX) {
		return INTAKE_FULL;
	}
	if (!claims_read(body, take_claim, &taking, report)) {
		return INTAKE_REFUSED;
	}
	struct batch *batch = malloc(sizeof *batch + taking.used);
	if (batch == NULL) {
		return INTAKE_FULL;
	}
	*batch = (struct batch){ .owner = owner, .count = report->count, .used = taking.used };
	memcpy(batch->bytes, memory, taking.used);
	*intake->last = batch;
	intake->last = &batch->next;
	intake->claims += batch->count;
	intake->used += batch->used;
	return INTAKE_WAITS;
}

void
intake_forget(struct intake *intake, const void *owner)
{
	for (struct batch *batch = intake->first; batch != NULL; batch = batch->next) {
		if (batch->owner == owner) {
			batch->owner = NULL;
		}
	}
}

/* --- to the witness and back
 * ---------------------------------------------------------------------- */

bool
intake_append(struct intake *intake, struct mp_writer *w)
{
	if (intake->epoch == 0 || intake->sent > 0 || intake->first == NULL) {
		return false;
	}
	intake->sent_claims = 0;
	for (const struct batch *batch = intake->first;
	     batch != NULL && intake->sent_claims + batch->count <= CLAIMS_PER_APPEND_MAX;
	     batch = batch->next) {
		intake->sent++;
		intake->sent_claims += batch->count;
	}
	mp_put_array(w, 5);
	mp_put_u64(w, REQUEST_APPEND);
	mp_put_u64(w, STREAM_CLAIMED);
	mp_put_u64(w, intake->epoch);
	mp_put_u64(w, intake->version);
	mp_put_array(w, intake->sent_claims);
	const struct batch *batch = intake->first;
	for (size_t i = 0; i < intake->sent; i++, batch = batch->next) {
		mp_put_raw(w, (struct span){ batch->bytes, batch->used });
	}
	return true;
}

static void
drop_first(struct intake *intake)
{
	struct batch *batch = intake->first;

	intake->first = batch->next;
	if (intake->first == NULL) {
		intake->last = &intake->first;
	}
	intake->claims -= batch->count;
	intake->used -= batch->used;
	free(batch);
}

enum verdict
intake_appended(struct intake *intake, struct span reply, intake_tell *tell)
{
	struct mp_reader r = mp_reader_of(reply);
	uint64_t seqs[CLAIMS_PER_APPEND_MAX];
	enum verdict verdict = REFUSED_MALFORMED;

	assert(intake->sent > 0);
	const size_t elements = mp_get_array(&r, 4);
	if (!verdict_from_number(mp_get_u64(&r), &verdict) || r.bad) {
		return REFUSED_MALFORMED;
	}
	if (verdict != ACCEPTED) {
		return verdict;
	}
	mp_get_u64(&r); /* the last seq and the log's size: for those who watch */
	mp_get_u64(&r);
	const size_t count = mp_get_array(&r, CLAIMS_PER_APPEND_MAX);
	for (size_t i = 0; i < count && !r.bad; i++) {
		seqs[i] = mp_get_u64(&r);
	}
	if (elements != 4 || count != intake->sent_claims || !mp_reader_is_done(&r)) {
		return REFUSED_MALFORMED;
	}
	intake->version += count;
	for (size_t at = 0; intake->sent > 0; intake->sent--) {
		if (intake->first->owner != NULL) {
			tell(intake->first->owner, seqs + at, intake->first->count);
		}
		at += intake->first->count;
		drop_first(intake);
	}
	return ACCEPTED;
}
