/* The half of the checker that judges a row beside those before it. */
#include "replay/verify.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "store/seal.h"

static void
say_numbers(struct verify *v, const char *what, uint64_t seq, uint64_t expected, uint64_t found)
{
	voice_say_numbers(&v->voice, what, verify_place_of(seq).text, expected, found);
}

/* --- what is not there ---------------------------------------------------------------------------
 */

static const struct allow_range *
pruned_at(const struct verify *v, uint64_t seq)
{
	return v->allow == NULL ? NULL : allow_pruned(v->allow, seq);
}

static uint64_t
lesser(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static void
name_missing(struct verify *v, uint64_t first, uint64_t end)
{
	char where[64];

	snprintf(where, sizeof where, "seq %" PRIu64 " to %" PRIu64, first, end - 1);
	verify_say(v, "entries are missing", end - first == 1 ? verify_place_of(first).text : where,
		   "one row for each seq, without gaps",
		   "no row, and no event says that it was lawfully removed");
	v->trees_differ = true;
}

/* A range is named once, whole, but for what was lawfully pruned of it. */
static void
name_gap(struct verify *v, uint64_t at, uint64_t end)
{
	while (at < end) {
		const struct allow_range *range = pruned_at(v, at);
		const struct allow_range *next =
			v->allow == NULL ? NULL : allow_pruned_after(v->allow, at);
		const uint64_t stop = range != NULL  ? lesser(range->end, end)
				      : next != NULL ? lesser(next->first, end)
						     : end;
		if (range == NULL) {
			name_missing(v, at, stop);
		} else {
			v->pruned += stop - at;
			v->pruned_to = stop;
		}
		at = stop;
	}
}

/* The trees take what the tiles recorded, so that the rest can still be judged. A forged seq may
 * claim any distance: nothing is worth filling beyond what rows could hold. */
static void
fill(struct verify *v, uint64_t until)
{
	uint64_t missing = 0;

	while (v->next_seq < until && !v->is_torn) {
		const bool is_pruned = pruned_at(v, v->next_seq) != NULL &&
				       v->next_seq / TILE_HASHES < v->full_tiles;
		verify_leaf(v, v->next_seq++, NULL, is_pruned);
		missing += !(is_pruned && v->has_recorded);
		v->is_torn = missing > VERIFY_GAP_MAX;
	}
	v->trees_differ |= v->is_torn;
	v->next_seq = until > v->next_seq ? until : v->next_seq;
}

void
verify_gap(struct verify *v, uint64_t next, uint64_t until)
{
	const uint64_t from = v->named_to > v->next_seq ? v->named_to : v->next_seq;

	assert(until <= next);
	if (from < next) {
		name_gap(v, from, next);
		v->named_to = next;
	}
	fill(v, until);
}

/* --- streams -------------------------------------------------------------------------------------
 */

static void
check_time(struct verify *v, const struct verify_fact *fact)
{
	if (fact->recorded_us < v->recorded_us) {
		say_numbers(v, "time goes back: recorded_us is before the entry before it",
			    fact->seq, v->recorded_us, fact->recorded_us);
		return;
	}
	v->recorded_us = fact->recorded_us;
}

/* Then its next entry says it. */
bool
verify_head_is_unknown(const struct verify *v, const struct verify_head *head)
{
	return v->pruned_to > 0 && head->last_seq < v->pruned_to;
}

static void
check_stream(struct verify *v, const struct verify_fact *fact)
{
	if (fact->stream == 0 || fact->stream >= STREAMS) {
		say_numbers(v, "a stream that does not exist", fact->seq, STREAM_WITNESS,
			    fact->stream);
		return;
	}
	struct verify_head *head = &v->heads[fact->stream];
	const bool is_unknown = verify_head_is_unknown(v, head);
	if (fact->stream_version != head->version &&
	    !(is_unknown && fact->stream_version > head->version)) {
		say_numbers(v, "the stream's versions are not dense", fact->seq, head->version,
			    fact->stream_version);
	}
	if (fact->epoch < head->epoch) {
		say_numbers(v, "the epoch goes back: a writer that was fenced off", fact->seq,
			    head->epoch, fact->epoch);
	} else if (fact->epoch > head->epoch && fact->stream != STREAM_WITNESS && !is_unknown) {
		say_numbers(v, "an epoch that no stream_claimed gave out", fact->seq, head->epoch,
			    fact->epoch);
	}
	head->epoch = fact->epoch > head->epoch ? fact->epoch : head->epoch;
	head->version = fact->stream_version + 1;
	head->last_seq = fact->seq;
}

/* --- what events of the witness say about the rest -----------------------------------------------
 */

static void
take_claim(struct verify *v, uint64_t seq, const struct event_stream_claimed *e)
{
	if (e->stream == 0 || e->stream >= STREAMS) {
		say_numbers(v, "a claim of a stream that does not exist", seq, STREAM_WITNESS,
			    e->stream);
		return;
	}
	struct verify_head *head = &v->heads[e->stream];
	/* The witness claims its own stream within it: that entry bears the new epoch already. */
	const bool is_own = e->stream == STREAM_WITNESS && e->epoch == head->epoch;
	const bool is_unknown = verify_head_is_unknown(v, head) && e->epoch > head->epoch;
	if (e->epoch != head->epoch + 1 && !is_own && !is_unknown) {
		say_numbers(v, "a claim's epoch is not one above the last", seq, head->epoch + 1,
			    e->epoch);
	}
	head->epoch = e->epoch > head->epoch ? e->epoch : head->epoch;
}

static void
write_field_names(struct name *out, const struct record_shape *shape)
{
	char memory[NAME_BYTES_MAX + 1];
	size_t count = 0;

	memory[0] = '\0';
	for (size_t i = 0; i < shape->count && count < sizeof memory; i++) {
		count += (size_t)snprintf(memory + count, sizeof memory - count, "%s%s",
					  i == 0 ? "" : " ", shape->fields[i].name);
	}
	if (!name_set(out, memory, strlen(memory))) {
		out->length = 0;
	}
}

/* How the fields are parted in field_names is the writer's choice (blank or comma): words are
 * compared. */
static bool
names_same_fields(const struct name *declared, const struct record_shape *shape)
{
	struct name ours;

	write_field_names(&ours, shape);
	if (ours.length != declared->length) {
		return false;
	}
	for (uint16_t i = 0; i < ours.length; i++) {
		const char c = declared->bytes[i] == ',' ? ' ' : declared->bytes[i];
		if (c != ours.bytes[i]) {
			return false;
		}
	}
	return true;
}

static void
take_declaration(struct verify *v, uint64_t seq, const struct event_type_declared *e)
{
	const struct event_description *ours = event_describe(e->number);
	char name[TEXT_BYTES_MAX + 1] = "";

	memcpy(name, e->name.bytes, e->name.length);
	if (ours != NULL && ours->version == e->version &&
	    (strcmp(ours->name, name) != 0 || e->stream != (uint64_t)ours->stream ||
	     !names_same_fields(&e->field_names, &ours->shape))) {
		verify_say(v, "a type is declared otherwise than this program knows it",
			   verify_place_of(seq).text, ours->name, name);
	}
	if (v->type_count == VERIFY_TYPES_MAX) {
		say_numbers(v, "more types are declared than a log can have", seq, VERIFY_TYPES_MAX,
			    (uint64_t)v->type_count + 1);
		return;
	}
	v->types[v->type_count++] = (struct verify_type){ e->number, e->version, seq, false };
}

static void
take_event(struct verify *v, uint64_t seq, const struct event *event)
{
	if (event->type == EVENT_STREAM_CLAIMED) {
		take_claim(v, seq, &event->stream_claimed);
	} else if (event->type == EVENT_TYPE_DECLARED) {
		take_declaration(v, seq, &event->type_declared);
	} else if (event->type == EVENT_KEY_CREATED) {
		v->keys_overfull |= !idmap_put(&v->keys, &event->key_created.key, 0);
	} else if (event->type == EVENT_LOG_CREATED) {
		memcpy(v->origin, event->log_created.origin.bytes,
		       event->log_created.origin.length);
		if (seq != 0) {
			say_numbers(v, "a second beginning: log_created within the log", seq, 0,
				    seq);
		}
	}
	v->removals += allow_wants(event->type);
}

/* Events come in runs of a few types: the last one found is looked at first. */
bool
verify_is_declared(struct verify *v, uint64_t number, uint64_t version)
{
	for (uint32_t i = 0, at = v->last_type; i < v->type_count; i++, at++) {
		at = at < v->type_count ? at : 0;
		if (v->types[at].number == number && v->types[at].version == version) {
			v->last_type = at;
			return true;
		}
	}
	return false;
}

static void
check_type(struct verify *v, const struct verify_fact *fact)
{
	char found[64];

	if (fact->seq == 0 && fact->type != EVENT_LOG_CREATED) {
		say_numbers(v, "the log does not begin with log_created", 0, EVENT_LOG_CREATED,
			    fact->type);
	}
	/* These two come before their declarations; verify_end sees that those are there. What was
	 * pruned may have declared anything. */
	if (fact->type == EVENT_LOG_CREATED || fact->type == EVENT_TYPE_DECLARED ||
	    v->pruned_to > 0 || verify_is_declared(v, fact->type, fact->type_version)) {
		return;
	}
	snprintf(found, sizeof found, "type %" PRIu64 " version %" PRIu64, fact->type,
		 fact->type_version);
	verify_say(v, "an event of a type that was not declared before it",
		   verify_place_of(fact->seq).text, "a type_declared event before it", found);
}

/* --- sealed parts --------------------------------------------------------------------------------
 */

static void
check_absent(struct verify *v, enum allow_why why, const char *where)
{
	switch (why) {
	case ALLOW_NOT:
		if (v->allow == NULL || !v->allow->is_overfull) {
			verify_say(v, "a sealed part is missing", where, "its ciphertext and salt",
				   "none, and no event says that it was lawfully erased");
		}
		break;
	case ALLOW_ERASED:
	case ALLOW_ERASING:
		v->sealed_erased++;
		break;
	case ALLOW_LOST:
		v->sealed_lost++;
		break;
	}
}

static enum allow_why
allow_of(const struct verify *v, const struct verify_fact *fact, uint8_t i, uint64_t *by)
{
	const struct allow_part part = { fact->seq, i, seal_month(fact->recorded_us),
					 fact->subject[i] };

	return v->allow == NULL ? ALLOW_NOT : allow_part(v->allow, &part, by);
}

static void
check_part(struct verify *v, const struct verify_fact *fact, uint8_t i)
{
	uint64_t by = 0;
	const enum allow_why why = allow_of(v, fact, i, &by);
	char where[64];
	char expected[64];

	snprintf(where, sizeof where, "seq %" PRIu64 " sealed part %u", fact->seq, i);
	if (fact->part[i] == VERIFY_PART_ABSENT) {
		check_absent(v, why, where);
	} else if (why == ALLOW_ERASED) {
		snprintf(expected, sizeof expected, "nothing: erased by event %" PRIu64, by);
		verify_say(v, "erased, but still there", where, expected,
			   "its ciphertext and salt");
	}
}

static void
count_part(struct verify *v, const struct verify_fact *fact, uint8_t i, bool asks)
{
	const enum verify_part state = (enum verify_part)fact->part[i];
	uint64_t by = 0;

	v->sealed_present += state != VERIFY_PART_ABSENT;
	v->sealed_opened += state == VERIFY_PART_OPENED;
	/* A key may be gone before the ciphertext is. */
	if (state == VERIFY_PART_SHUT && (!asks || allow_of(v, fact, i, &by) != ALLOW_ERASING)) {
		v->first_shut = v->sealed_shut++ == 0 ? fact->seq : v->first_shut;
	}
}

static void
check_parts(struct verify *v, const struct verify_fact *fact)
{
	const bool asks = v->allow != NULL && !allow_is_empty(v->allow);

	for (uint8_t i = 0; i < fact->parts; i++) {
		count_part(v, fact, i, asks);
		if (asks || fact->part[i] == VERIFY_PART_ABSENT) {
			check_part(v, fact, i);
		}
		if (!v->keys_overfull && v->pruned_to == 0 &&
		    idmap_find(&v->keys, &fact->key[i]) == NULL) {
			char where[64];
			snprintf(where, sizeof where, "seq %" PRIu64 " sealed part %u", fact->seq,
				 i);
			verify_say(v, "sealed under a key that the log does not know", where,
				   "a key_created event before it", "none");
		}
	}
}

/* --- one row -------------------------------------------------------------------------------------
 */

static void
check_not_pruned(struct verify *v, uint64_t seq)
{
	const struct allow_range *range = pruned_at(v, seq);
	char expected[64];

	if (range != NULL && range->is_under_way) {
		v->going++;
	} else if (range != NULL) {
		snprintf(expected, sizeof expected, "nothing: pruned by event %" PRIu64, range->by);
		verify_say(v, "pruned, but still there", verify_place_of(seq).text, expected,
			   "an entry");
	}
}

void
verify_again(struct verify *v, const struct verify_fact *fact)
{
	check_not_pruned(v, fact->seq);
	for (uint8_t i = 0; i < fact->parts; i++) {
		if (fact->part[i] != VERIFY_PART_ABSENT) {
			check_part(v, fact, i);
		}
	}
}

void
verify_join(struct verify *v, const struct verify_fact *fact, const struct event *said)
{
	if (fact->seq < v->next_seq) {
		say_numbers(v, "a row is out of order", fact->seq, v->next_seq, fact->seq);
		return;
	}
	verify_gap(v, fact->seq, fact->seq);
	v->rows++;
	check_not_pruned(v, fact->seq);
	if (fact->is_entry) {
		check_time(v, fact);
		check_stream(v, fact);
		check_type(v, fact);
		check_parts(v, fact);
	}
	if (said != NULL) {
		take_event(v, fact->seq, said);
	}
	verify_leaf(v, fact->seq, &fact->leaf, false);
	v->next_seq = fact->seq + 1;
}

void
verify_row(struct verify *v, const struct verify_row *row, const struct verify_opened *opened)
{
	struct verify_fact fact;
	struct entry entry;
	struct event said;

	const bool is_entry = entry_read(row->entry, &entry);
	verify_look(&v->voice, row, is_entry ? &entry : NULL, opened, &fact);
	const bool has_said = fact.says_more && entry_to_event(&entry, NULL, &said) == ENTRY_KNOWN;
	verify_join(v, &fact, has_said ? &said : NULL);
}
