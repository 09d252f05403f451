#include "replay/states.h"

#include <assert.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>

#include "actors/allocation.h"
#include "actors/desk.h"
#include "actors/session.h"

/* Any will do: the dump does not depend on it. */
enum { SEED = 1 };

void
states_make(struct states *states)
{
	const struct allocation_limits limits =
		allocation_limits_of(0, 0, ALLOCATION_LIFETIME_MAX_S, SEED);

	const struct session_sizes sizes = session_sizes_default();

	memset(states, 0, sizeof *states);
	states->session = session_new(&sizes, SEED);
	states->allocation = allocation_new(&limits);
	states->dump = malloc(DESK_DUMP_BYTES_MAX);
	assert(states->session != NULL && states->allocation != NULL);
	assert(states->dump != NULL);
	states->cores[STREAM_SESSION] = session_core(states->session);
	states->cores[STREAM_ALLOCATION] = allocation_core(states->allocation);
}

void
states_free(struct states *states)
{
	session_free(states->session);
	allocation_free(states->allocation);
	free(states->dump);
}

void
states_digest(const struct states *states, enum stream stream, struct digest *out)
{
	const struct core *core = &states->cores[stream];
	struct mp_writer w = mp_writer_of(states->dump, DESK_DUMP_BYTES_MAX);

	assert(core->dump != NULL);
	core->dump(core->state, &w);
	assert(!w.bad);
	SHA256(states->dump, mp_written(&w).count, out->bytes);
}

bool
states_claim(const struct event *event, uint64_t *version, struct digest *digest)
{
	if (event->type == EVENT_SESSION_STATE_DIGEST) {
		*version = event->session_state_digest.version;
		*digest = event->session_state_digest.digest;
		return true;
	}
	if (event->type == EVENT_ALLOCATION_STATE_DIGEST) {
		*version = event->allocation_state_digest.version;
		*digest = event->allocation_state_digest.digest;
		return true;
	}
	return false;
}

enum states_check
states_feed(struct states *states, const struct entry *entry, const struct event *event,
	    struct digest *claimed, struct digest *found)
{
	enum states_check check = STATES_NO_DIGEST;
	uint64_t version = 0;

	if (entry->stream >= STREAMS || states->cores[entry->stream].apply == NULL) {
		return STATES_NO_DIGEST;
	}
	if (states_claim(event, &version, claimed)) {
		states_digest(states, (enum stream)entry->stream, found);
		check = digest_equal(claimed, found) ? STATES_HOLDS : STATES_DIFFERS;
		check = version == entry->stream_version ? check : STATES_MISPLACED;
	}
	states->cores[entry->stream].apply(states->cores[entry->stream].state, event);
	return check;
}

bool
states_restore(struct states *states, enum stream stream, struct span dump, struct span annex)
{
	const struct core *core = &states->cores[stream];

	assert(core->restore != NULL);
	return core->restore(core->state, dump, annex);
}
