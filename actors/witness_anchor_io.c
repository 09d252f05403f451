#include "actors/witness_anchor_io.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actors/anchor_config_io.h"
#include "protocol/log_line_io.h"
#include "store/cosignature.h"
#include "store/evidence_anchor_io.h"
#include "store/sha256.h"

struct witness_anchor {
	struct evidence *evidence;
	struct policy policy;
	struct text authority; /* who stamps: the host of tsa-url */
	/* The newest checkpoint that has cosignatures. */
	uint64_t size;
	size_t note_count;
	char note[CHECKPOINT_BYTES_MAX];
	bool has[POLICY_WITNESSES_MAX];
	char lines[POLICY_WITNESSES_MAX][COSIGNATURE_LINE_MAX];
	bool changed;     /* since pub/ was written */
	uint64_t stamped; /* the newest size with a timestamp, and its digest */
	struct digest token;
	bool file_failed; /* and that was said */
};

static void
name_authority(struct witness_anchor *anchor, const char *url)
{
	const char *host = strstr(url, "://");
	char name[TEXT_BYTES_MAX + 1] = "";

	if (host != NULL) {
		const size_t count = strcspn(host + 3, "/?#");

		snprintf(name, sizeof name, "%.*s", (int)count, host + 3);
	}
	text_set(&anchor->authority, name);
}

struct witness_anchor *
witness_anchor_new(struct evidence *evidence, const struct settings *settings)
{
	struct witness_anchor *anchor = calloc(1, sizeof *anchor);
	char fault[ANCHOR_FAULT_MAX];

	assert(anchor != NULL);
	anchor->evidence = evidence;
	name_authority(anchor, settings->tsa_url.bytes);
	if (!anchor_policy_read(settings, &anchor->policy, fault)) {
		log_error("%s", fault);
		free(anchor);
		return NULL;
	}
	return anchor;
}

void
witness_anchor_free(struct witness_anchor *anchor)
{
	free(anchor);
}

/* --- what is told --------------------------------------------------------------------------------
 */

static void
put_refusal(struct mp_writer *w, enum verdict verdict)
{
	mp_put_array(w, 1);
	mp_put_u64(w, verdict);
}

void
witness_anchor_offer(struct witness_anchor *anchor, struct mp_reader *r, struct mp_writer *w)
{
	uint64_t size = 0, substance = 0;
	const struct span note = evidence_newest_note(anchor->evidence, &size, &substance);

	if (!mp_reader_is_done(r) || note.count == 0) {
		put_refusal(w, mp_reader_is_done(r) ? REFUSED_SUSPENDED : REFUSED_MALFORMED);
		return;
	}
	mp_put_array(w, 4);
	mp_put_u64(w, ACCEPTED);
	mp_put_u64(w, size);
	mp_put_u64(w, substance);
	mp_put_bin(w, note.at, note.count);
}

void
witness_anchor_prove(struct witness_anchor *anchor, struct mp_reader *r, struct mp_writer *w)
{
	const uint64_t from = mp_get_u64(r);
	const uint64_t size = mp_get_u64(r);
	struct proof proof = { .count = 0 };

	if (!mp_reader_is_done(r) || !evidence_consistency(anchor->evidence, from, size, &proof)) {
		put_refusal(w, REFUSED_MALFORMED);
		return;
	}
	mp_put_array(w, 2);
	mp_put_u64(w, ACCEPTED);
	mp_put_array(w, proof.count);
	for (uint32_t i = 0; i < proof.count; i++) {
		mp_put_bin(w, proof.hashes[i].bytes, sizeof proof.hashes[i].bytes);
	}
}

/* --- what is handed in ---------------------------------------------------------------------------
 */

/* The witness of the policy whose cosignature this is; -1 if it is nobody's. */
static int
find_cosigner(const struct policy *policy, struct span line, struct span note)
{
	struct span text, lines;
	uint64_t time_s = 0;

	if (!note_split(note, &text, &lines)) {
		return -1;
	}
	for (uint32_t i = 0; i < policy->witness_count; i++) {
		if (cosignature_verify(line, text, &policy->witnesses[i].key, &time_s) ==
		    COSIGNATURE_HOLDS) {
			return (int)i;
		}
	}
	return -1;
}

/* A cosignature of the newest cosigned checkpoint, or of a newer one, is kept beside it; one that
 * comes late is logged, and no more. */
static void
keep_line(struct witness_anchor *anchor, uint64_t size, struct span note, int witness,
	  struct span line)
{
	if (size < anchor->size) {
		return;
	}
	if (size > anchor->size) {
		memset(anchor->has, 0, sizeof anchor->has);
		anchor->size = size;
		anchor->note_count = note.count;
		memcpy(anchor->note, note.at, note.count);
	}
	anchor->has[witness] = true;
	memcpy(anchor->lines[witness], line.at, line.count);
	anchor->lines[witness][line.count] = '\0';
	anchor->changed = true;
}

enum verdict
witness_anchor_cosigned(struct witness_anchor *anchor, struct mp_reader *r, struct event *event,
			bool *known)
{
	const uint64_t size = mp_get_u64(r);
	const struct span line = mp_get_str(r, COSIGNATURE_LINE_MAX - 1);
	char memory[CHECKPOINT_BYTES_MAX];
	struct span note = { (const uint8_t *)memory, 0 };

	*known = false;
	if (!mp_reader_is_done(r) ||
	    !evidence_note_of_size(anchor->evidence, size, memory, &note.count)) {
		return REFUSED_MALFORMED;
	}
	const int witness = find_cosigner(&anchor->policy, line, note);
	if (witness < 0) {
		return REFUSED_MALFORMED;
	}
	*known = size == anchor->size && anchor->has[witness];
	*event = (struct event){ .type = EVENT_CHECKPOINT_COSIGNED,
				 .checkpoint_cosigned = { .size = size } };
	const bool fits =
		text_set(&event->checkpoint_cosigned.witness,
			 anchor->policy.witnesses[witness].key.name) &&
		name_set(&event->checkpoint_cosigned.line, (const char *)line.at, line.count);
	assert(fits);
	keep_line(anchor, size, note, witness, line);
	return ACCEPTED;
}

enum verdict
witness_anchor_stamped(struct witness_anchor *anchor, struct mp_reader *r, struct event *event,
		       bool *known)
{
	const uint64_t size = mp_get_u64(r);
	const struct span response = mp_get_bin(r, TIMESTAMP_RESPONSE_MAX);
	char memory[CHECKPOINT_BYTES_MAX];
	struct span note = { (const uint8_t *)memory, 0 };
	struct digest token;

	*known = false;
	if (!mp_reader_is_done(r) || response.count == 0 ||
	    !evidence_note_of_size(anchor->evidence, size, memory, &note.count)) {
		return REFUSED_MALFORMED;
	}
	sha256_span(response, &token);
	*known = size == anchor->stamped && digest_equal(&token, &anchor->token);
	/* The log holds no more than its digest: the token itself must be there first. */
	if (!*known && evidence_put_timestamp(anchor->evidence, size, note, response) != FILE_OK) {
		return REFUSED_SUSPENDED;
	}
	anchor->stamped = size;
	anchor->token = token;
	*event = (struct event){ .type = EVENT_CHECKPOINT_TIMESTAMPED,
				 .checkpoint_timestamped = { .size = size,
							     .token = token,
							     .authority = anchor->authority } };
	return ACCEPTED;
}

/* --- pub/ ----------------------------------------------------------------------------------------
 */

static void
write_cosigned(struct witness_anchor *anchor)
{
	static char note[CHECKPOINT_NOTE_MAX];
	size_t count = anchor->note_count;

	memcpy(note, anchor->note, count);
	for (uint32_t i = 0; i < anchor->policy.witness_count; i++) {
		if (anchor->has[i]) {
			count += (size_t)snprintf(note + count, sizeof note - count, "%s\n",
						  anchor->lines[i]);
		}
	}
	_Static_assert(CHECKPOINT_BYTES_MAX + POLICY_WITNESSES_MAX * COSIGNATURE_LINE_MAX <=
			       CHECKPOINT_NOTE_MAX,
		       "all lines of all witnesses fit a note");
	const struct span bytes = { (const uint8_t *)note, count };
	const bool ok = evidence_put_cosigned(anchor->evidence, anchor->size, bytes) == FILE_OK;
	if (!ok && !anchor->file_failed) {
		log_warning("pub/cosigned cannot be written: the log holds the cosignatures, those "
			    "who read pub/ do not see them: see who owns it, and whether there is "
			    "room");
	}
	anchor->file_failed = !ok;
}

void
witness_anchor_settled(struct witness_anchor *anchor, bool durable)
{
	if (durable && anchor->changed) {
		write_cosigned(anchor);
	} else if (!durable) {
		/* What is kept here may not be in the log: it is to be handed in again. */
		anchor->size = 0;
		anchor->stamped = 0;
		memset(anchor->has, 0, sizeof anchor->has);
	}
	anchor->changed = false;
}
