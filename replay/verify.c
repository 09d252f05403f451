#include "replay/verify.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "replay/words.h"

void
verify_make(struct verify *v, verify_report *report, void *context)
{
	memset(v, 0, sizeof *v);
	v->voice.report = report;
	v->voice.context = context;
	merkle_init(&v->recorded);
	idmap_make(&v->keys, VERIFY_KEYS_MAX);
}

void
verify_free(struct verify *v)
{
	idmap_free(&v->keys);
}

void
verify_use_tiles(struct verify *v, merkle_fetch *fetch, void *tiles, uint64_t size)
{
	v->fetch = fetch;
	v->tiles = tiles;
	v->full_tiles = size / TILE_HASHES;
}

void
verify_use_verifier(struct verify *v, const struct log_verifier *verifier)
{
	v->has_verifier = true;
	v->verifier = *verifier;
}

void
verify_use_allow(struct verify *v, const struct verify_allow *allow)
{
	v->allow = allow;
}

/* --- findings ------------------------------------------------------------------------------------
 */

struct verify_place
verify_place_of(uint64_t seq)
{
	struct verify_place place;

	snprintf(place.text, sizeof place.text, "seq %" PRIu64, seq);
	return place;
}

void
voice_say(struct verify_voice *voice, const char *what, const char *where, const char *expected,
	  const char *found)
{
	struct finding finding;

	words_escape(finding.what, sizeof finding.what, what, strlen(what));
	words_escape(finding.where, sizeof finding.where, where, strlen(where));
	words_escape(finding.expected, sizeof finding.expected, expected, strlen(expected));
	words_escape(finding.found, sizeof finding.found, found, strlen(found));
	voice->findings++;
	voice->report(voice->context, &finding);
}

void
voice_say_numbers(struct verify_voice *voice, const char *what, const char *where,
		  uint64_t expected, uint64_t found)
{
	char one[24];
	char other[24];

	snprintf(one, sizeof one, "%" PRIu64, expected);
	snprintf(other, sizeof other, "%" PRIu64, found);
	voice_say(voice, what, where, one, other);
}

void
voice_say_digests(struct verify_voice *voice, const char *what, const char *where,
		  const struct digest *expected, const struct digest *found)
{
	char one[2 * sizeof expected->bytes + 1];
	char other[2 * sizeof found->bytes + 1];

	hex_write(one, expected->bytes, sizeof expected->bytes);
	hex_write(other, found->bytes, sizeof found->bytes);
	voice_say(voice, what, where, one, other);
}

void
verify_say(struct verify *v, const char *what, const char *where, const char *expected,
	   const char *found)
{
	voice_say(&v->voice, what, where, expected, found);
}

void
verify_say_numbers(struct verify *v, const char *what, const char *where, uint64_t expected,
		   uint64_t found)
{
	voice_say_numbers(&v->voice, what, where, expected, found);
}

void
verify_say_digests(struct verify *v, const char *what, const char *where,
		   const struct digest *expected, const struct digest *found)
{
	voice_say_digests(&v->voice, what, where, expected, found);
}

/* --- tables that are projections of the entries --------------------------------------------------
 */

void
verify_stream_head(struct verify *v, uint64_t stream, uint64_t version, uint64_t epoch,
		   uint64_t last_seq)
{
	char where[64];

	snprintf(where, sizeof where, "stream_head of stream %" PRIu64, stream);
	if (stream == 0 || stream >= STREAMS) {
		verify_say(v, "a head of a stream that does not exist", where, "streams 1 to 5",
			   where);
		return;
	}
	const struct verify_head *head = &v->heads[stream];
	if (verify_head_is_unknown(v, head)) {
		return;
	}
	if (version != head->version) {
		verify_say_numbers(v, "the version column is not what the entries say", where,
				   head->version, version);
	}
	if (epoch != head->epoch) {
		verify_say_numbers(v, "the epoch column is not what the entries say", where,
				   head->epoch, epoch);
	}
	if (head->version > 0 && last_seq != head->last_seq) {
		verify_say_numbers(v, "the last_seq column is not what the entries say", where,
				   head->last_seq, last_seq);
	}
}

static struct verify_type *
find_type(struct verify *v, uint64_t number, uint64_t version)
{
	return verify_is_declared(v, number, version) ? &v->types[v->last_type] : NULL;
}

static struct verify_place
type_place(uint64_t number, uint64_t version)
{
	struct verify_place place;

	snprintf(place.text, sizeof place.text, "declared_type %" PRIu64 " version %" PRIu64,
		 number, version);
	return place;
}

void
verify_declared_type(struct verify *v, uint64_t number, uint64_t version, uint64_t seq)
{
	struct verify_type *type = find_type(v, number, version);

	/* A running witness may have declared more since the rows were read. */
	if (seq >= v->next_seq || (type == NULL && v->pruned_to > 0)) {
		return;
	}
	if (type == NULL) {
		verify_say(v, "a declared type that no event declares",
			   type_place(number, version).text, "a type_declared event", "none");
		return;
	}
	type->is_kept = true;
	if (type->seq != seq) {
		verify_say_numbers(v, "the seq column is not that of the type_declared event",
				   type_place(number, version).text, type->seq, seq);
	}
}

void
verify_declared_types_end(struct verify *v)
{
	for (uint32_t i = 0; i < v->type_count; i++) {
		if (!v->types[i].is_kept) {
			verify_say(v, "a declared type is missing in its table",
				   type_place(v->types[i].number, v->types[i].version).text,
				   "a row for the type_declared event", "none");
			v->types[i].is_kept = true;
		}
	}
}

void
verify_key(struct verify *v, const struct id *subject, const struct id *key, uint64_t month,
	   uint64_t created_seq)
{
	char where[64] = "key ";
	char expected[64];
	const uint64_t by = v->allow == NULL ? 0 : allow_key(v->allow, subject, month, created_seq);

	if (by > 0) {
		hex_write(where + strlen(where), key->bytes, sizeof key->bytes);
		snprintf(expected, sizeof expected, "nothing: destroyed by event %" PRIu64, by);
		verify_say(v, "erased, but its key is still there", where, expected,
			   "a key in keys.db");
	}
}

/* --- the end -------------------------------------------------------------------------------------
 */

static void
check_anchors_reached(struct verify *v)
{
	char found[96];

	for (uint32_t i = 0; i < v->anchor_count; i++) {
		const struct verify_anchor *anchor = &v->anchors[i];

		if (anchor->is_seen) {
			continue;
		}
		char expected[96];
		snprintf(expected, sizeof expected, "at least %" PRIu64 " entries, as it says",
			 anchor->checkpoint.size);
		snprintf(found, sizeof found, "%" PRIu64 " entries: the end of the log is missing",
			 v->next_seq);
		verify_say(v, "the log is shorter than a signed checkpoint", anchor->where,
			   expected, found);
	}
}

void
verify_end(struct verify *v)
{
	/* log_created and type_declared come before their own declarations. */
	const struct event_description *first[] = { event_describe(EVENT_LOG_CREATED),
						    event_describe(EVENT_TYPE_DECLARED) };

	for (size_t i = 0; i < sizeof first / sizeof first[0]; i++) {
		if (v->rows > 0 && v->pruned_to == 0 &&
		    !verify_is_declared(v, (uint64_t)first[i]->type, first[i]->version)) {
			verify_say(v, "an event type is used and never declared", first[i]->name,
				   "a type_declared event", "none");
		}
	}
	if (v->rows == 0) {
		verify_say(v, "the log is empty", "witness.db", "log_created at seq 0", "no row");
	}
	check_anchors_reached(v);
	if (v->sealed_shut > 0) {
		char parts[96];
		snprintf(parts, sizeof parts, "%" PRIu64 " parts, the first at seq %" PRIu64,
			 v->sealed_shut, v->first_shut);
		verify_say(v, "sealed parts do not open with the keys that are here", parts,
			   "the keys of this log, none destroyed without an event",
			   "other keys, or fewer");
	}
	if (v->roots_unreachable > 0) {
		char where[96];
		snprintf(where, sizeof where, "%" PRIu64 " checkpoints, up to size %" PRIu64,
			 v->roots_unreachable, v->last_unreachable);
		verify_say(v, "signed roots that the entries no longer give", where,
			   "the signed roots, which the recorded hashes still give",
			   "other roots: the entries named above were altered");
	}
}

const char *
verify_limits(char out[VERIFY_LIMITS_MAX], const char *witnessed)
{
	snprintf(
		out, VERIFY_LIMITS_MAX,
		"What this does not prove:\n"
		"  - that everything that happened was appended: an event never written leaves no "
		"trace;\n"
		"  - that what agents claimed about themselves (stream claimed) is true;\n"
		"  - that the key is the right one: compare log.vkey with the copy you were "
		"given;\n"
		"  - that nothing was cut off after the newest checkpoint you hold from elsewhere: "
		"whoever\n"
		"    owned the machine and its key could have rewritten what came after it\n"
		"    (give your copy with --checkpoint);\n"
		"  - what nobody else has seen: %s;\n"
		"  - that the clock was right: only that it did not go back.\n",
		witnessed);
	return out;
}
