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
	v->report = report;
	v->context = context;
	merkle_init(&v->entries);
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
verify_say(struct verify *v, const char *what, const char *where, const char *expected,
	   const char *found)
{
	struct finding finding;

	words_escape(finding.what, sizeof finding.what, what, strlen(what));
	words_escape(finding.where, sizeof finding.where, where, strlen(where));
	words_escape(finding.expected, sizeof finding.expected, expected, strlen(expected));
	words_escape(finding.found, sizeof finding.found, found, strlen(found));
	v->findings++;
	v->report(v->context, &finding);
}

void
verify_say_numbers(struct verify *v, const char *what, const char *where, uint64_t expected,
		   uint64_t found)
{
	char one[24];
	char other[24];

	snprintf(one, sizeof one, "%" PRIu64, expected);
	snprintf(other, sizeof other, "%" PRIu64, found);
	verify_say(v, what, where, one, other);
}

void
verify_say_digests(struct verify *v, const char *what, const char *where,
		   const struct digest *expected, const struct digest *found)
{
	char one[2 * sizeof expected->bytes + 1];
	char other[2 * sizeof found->bytes + 1];

	hex_write(one, expected->bytes, sizeof expected->bytes);
	hex_write(other, found->bytes, sizeof found->bytes);
	verify_say(v, what, where, one, other);
}

static void
check_columns(struct verify *v, const struct verify_row *row, const struct entry *entry)
{
	const struct {
		const char *what;
		uint64_t expected, found;
	} columns[] = {
		{ "the seq column is not the entry's seq", entry->seq, row->seq },
		{ "the recorded_us column is not the entry's", entry->recorded_us,
		  row->recorded_us },
		{ "the stream column is not the entry's", entry->stream, row->stream },
		{ "the type column is not the entry's", entry->type, row->type },
	};
	char where[64];

	snprintf(where, sizeof where, "seq %" PRIu64, row->seq);
	for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++) {
		if (columns[i].expected != columns[i].found) {
			verify_say_numbers(v, columns[i].what, where, columns[i].expected,
					   columns[i].found);
		}
	}
}

/* A range is named once; the trees take the recorded hashes of what is missing, so that the rest
 * can still be judged. */
static void
check_gap(struct verify *v, uint64_t seq)
{
	char where[64];

	if (seq == v->next_seq) {
		return;
	}
	if (seq == v->next_seq + 1) {
		snprintf(where, sizeof where, "seq %" PRIu64, v->next_seq);
	} else {
		snprintf(where, sizeof where, "seq %" PRIu64 " to %" PRIu64, v->next_seq, seq - 1);
	}
	verify_say(v, "entries are missing", where, "one row for each seq, without gaps",
		   "no row, and no event says that it was lawfully removed");
	/* A forged seq may claim any distance: nothing is worth filling beyond what rows could
	 * hold. */
	for (uint64_t i = 0; v->next_seq < seq && i < VERIFY_GAP_MAX; i++) {
		verify_leaf(v, v->next_seq++, NULL);
	}
	v->trees_differ = true;
	v->next_seq = seq;
}

void
verify_row(struct verify *v, const struct verify_row *row, const struct verify_opened *opened)
{
	struct entry entry;
	char where[64];

	snprintf(where, sizeof where, "seq %" PRIu64, row->seq);
	if (row->seq < v->next_seq) {
		verify_say_numbers(v, "a row is out of order", where, v->next_seq, row->seq);
		return;
	}
	check_gap(v, row->seq);
	v->rows++;
	if (entry_read(row->entry, &entry)) {
		check_columns(v, row, &entry);
		verify_entry(v, row, &entry, opened);
	} else {
		verify_say(v, "the entry cannot be read", where, "a canonical entry of version 1",
			   "bytes that are not one");
	}
	verify_leaf(v, row->seq, &row->entry);
	v->next_seq = row->seq + 1;
}

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

static bool
is_declared(const struct verify *v, const struct event_description *description)
{
	for (uint32_t i = 0; i < v->type_count; i++) {
		if (v->types[i].number == (uint64_t)description->type &&
		    v->types[i].version == description->version) {
			return true;
		}
	}
	return false;
}

void
verify_end(struct verify *v)
{
	/* log_created and type_declared come before their own declarations. */
	const struct event_description *first[] = { event_describe(EVENT_LOG_CREATED),
						    event_describe(EVENT_TYPE_DECLARED) };

	for (size_t i = 0; i < sizeof first / sizeof first[0]; i++) {
		if (v->rows > 0 && !is_declared(v, first[i])) {
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
verify_limits(void)
{
	return "What this does not prove:\n"
	       "  - that everything that happened was appended: an event never written leaves no "
	       "trace;\n"
	       "  - that what agents claimed about themselves (stream claimed) is true;\n"
	       "  - that the key is the right one: compare log.vkey with the copy you were given;\n"
	       "  - that nothing was cut off after the newest checkpoint you hold from elsewhere: "
	       "whoever\n"
	       "    owned the machine and its key could have rewritten what came after it\n"
	       "    (give your copy with --checkpoint);\n"
	       "  - that the clock was right: only that it did not go back.\n";
}
