/* doctor: those who see our checkpoints, as the log tells of them; whether what they said holds is
 * for verify. */
#include "replay/doctor_state_io.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/time_io.h"
#include "replay/moment.h"
#include "replay/verify_anchors.h"
#include "replay/witnesses_io.h"
#include "store/files_io.h"
#include "store/read_scan_io.h"

/* So long may somebody be away before it is told. */
enum { AWAY_S = 3600, ROUNDS_AWAY = 10 };

struct looking {
	struct visit *visit;
	struct log_reader *reader;
	const struct witnesses *witnesses;
	struct anchor_judge newest; /* of each witness, by its name: not judged here */
	uint64_t stamped;           /* the largest size */
	uint64_t missing;
	uint64_t first_missing;
};

/* --- what was said -------------------------------------------------------------------------------
 */

static void
see_cosigned(struct looking *l, const struct event_checkpoint_cosigned *said)
{
	const struct policy *policy = &l->witnesses->policy;

	for (uint32_t i = 0; i < policy->witness_count; i++) {
		const char *name = policy->witnesses[i].key.name;

		if (said->witness.length == strlen(name) &&
		    memcmp(said->witness.bytes, name, said->witness.length) == 0 &&
		    said->size > l->newest.newest[i].size) {
			l->newest.newest[i].size = said->size;
		}
	}
}

static void
see_stamped(struct looking *l, const struct event_checkpoint_timestamped *said)
{
	char name[64], path[FILE_PATH_MAX];

	snprintf(name, sizeof name, "pub/timestamp/%" PRIu64 ".tsr", said->size);
	path_join(path, l->visit->data, name);
	l->stamped = said->size > l->stamped ? said->size : l->stamped;
	if (!file_exists(path)) {
		l->first_missing = l->missing == 0 ? said->size : l->first_missing;
		l->missing++;
	}
}

static bool
see(void *context, const struct event *event, const struct entry *entry)
{
	(void)entry;
	if (event->type == EVENT_CHECKPOINT_COSIGNED) {
		see_cosigned(context, &event->checkpoint_cosigned);
	} else {
		see_stamped(context, &event->checkpoint_timestamped);
	}
	return true;
}

/* --- how long ago
 * ---------------------------------------------------------------------------------
 */

/* What anchors say calls for no anchor (store/evidence_append_io.c, weigh). */
static bool
find_substance(void *context, const struct event *event, const struct entry *entry)
{
	uint64_t *recorded_us = context;
	const bool is_anchor = event != NULL && (event->type == EVENT_CHECKPOINT_COSIGNED ||
						 event->type == EVENT_CHECKPOINT_TIMESTAMPED ||
						 event->type == EVENT_FOREIGN_CHECKPOINT_COSIGNED);

	*recorded_us = is_anchor ? 0 : entry->recorded_us;
	return is_anchor;
}

/* For how long something has stood in the log that who has seen `size` of it has not seen; 0: there
 * is nothing. */
static uint64_t
unseen_us(const struct looking *l, uint64_t size)
{
	const uint64_t now_us = time_now_us();
	uint64_t since_us = 0;

	if (!log_read_events(l->reader, NULL, size, UINT64_MAX, LOG_STREAMS_ALL, find_substance,
			     &since_us) ||
	    since_us == 0 || since_us > now_us) {
		return 0;
	}
	return now_us - since_us;
}

static bool
is_long(uint64_t us, uint64_t interval_s, uint64_t rounds)
{
	const uint64_t allowed_s = AWAY_S > interval_s * rounds ? AWAY_S : interval_s * rounds;

	return us / 1000000 > allowed_s;
}

/* --- what is told --------------------------------------------------------------------------------
 */

static void
tell_witness(const struct looking *l, uint32_t at)
{
	const struct policy_witness *witness = &l->witnesses->policy.witnesses[at];
	const uint64_t size = l->newest.newest[at].size;
	const uint64_t us = unseen_us(l, size);
	char span[MOMENT_PRINT_MAX];

	if (witness->url[0] != '\0' &&
	    is_long(us, l->witnesses->settings.anchor_interval, ROUNDS_AWAY)) {
		doctor_note(l->visit, WRONG,
			    "ifswarm status says why; see whether its URL and keys are right",
			    "witness %s has seen nothing after size %" PRIu64
			    ", and what it has not seen is %s old",
			    witness->name, size, moment_print_span(span, sizeof span, us));
	}
}

static void
tell_quorum(const struct looking *l)
{
	const struct anchor_quorum quorum = anchor_quorum_find(&l->newest);
	const uint64_t us = unseen_us(l, quorum.size);
	char span[MOMENT_PRINT_MAX];

	if (!is_long(us, l->witnesses->settings.anchor_interval, ROUNDS_AWAY)) {
		return;
	}
	moment_print_span(span, sizeof span, us);
	if (quorum.size == 0) {
		doctor_note(l->visit, WRONG,
			    "see to the witnesses: all of the log is on its own word",
			    "no checkpoint has been seen by the quorum of %.200s",
			    l->witnesses->policy_from);
	} else {
		doctor_note(l->visit, WRONG,
			    "see to the witnesses: what came after it is on the log's own word",
			    "the quorum is behind: it has seen size %" PRIu64
			    ", and what it has not seen is %s old",
			    quorum.size, span);
	}
}

static void
tell_tokens(const struct looking *l)
{
	const struct settings *settings = &l->witnesses->settings;
	char span[MOMENT_PRINT_MAX];

	if (l->missing > 0) {
		doctor_note(
			l->visit, WRONG, "copy them back from a backup: nobody can make them again",
			"%" PRIu64
			" timestamps that the log knows are missing in pub/timestamp, the first "
			"%" PRIu64 ".tsr",
			l->missing, l->first_missing);
	}
	if (l->visit->is_running && settings->tsa_url.bytes[0] != '\0') {
		const uint64_t us = unseen_us(l, l->stamped);

		if (is_long(us, settings->tsa_interval, 2)) {
			doctor_note(l->visit, WRONG,
				    "ifswarm status says why; see whether tsa-url is right",
				    "nothing after size %" PRIu64 " has been timestamped for %s",
				    l->stamped, moment_print_span(span, sizeof span, us));
		}
	}
}

void
doctor_look_at_anchors(struct visit *v, struct log_reader *reader)
{
	static const uint64_t types[] = { EVENT_CHECKPOINT_COSIGNED, EVENT_CHECKPOINT_TIMESTAMPED };
	struct witnesses *w = witnesses_open(v->data, NULL, NULL);
	struct looking *l = calloc(1, sizeof *l);

	assert(l != NULL);
	*l = (struct looking){ .visit = v, .reader = reader, .witnesses = w };
	l->newest.policy = &w->policy;
	if (w->is_broken) {
		doctor_note(v, WRONG,
			    "put it right: nobody is asked to witness, and nothing is judged",
			    "the policy cannot be read: %.400s", w->policy_from);
	}
	/* That it cannot be read to its end, look_at_events has said. */
	if (log_read_types(reader, types, sizeof types / sizeof types[0], 0, see, l)) {
		for (uint32_t i = 0; v->is_running && i < w->policy.witness_count; i++) {
			tell_witness(l, i);
		}
		if (v->is_running && w->has_policy) {
			tell_quorum(l);
		}
		tell_tokens(l);
	}
	free(l);
	witnesses_close(w);
}
