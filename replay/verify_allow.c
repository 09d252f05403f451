#include "replay/verify_allow.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct erased_subject {
	struct id subject;
	uint64_t by;
	struct id request;
};

struct erased_part {
	uint64_t id; /* seq * 2 + part */
	uint64_t by;
	struct id request;
};

struct erased_month {
	uint64_t month;
	uint64_t by;
};

struct kept_key {
	struct id subject;
	uint64_t month;
};

/* --- lists ---------------------------------------------------------------------------------------
 */

static void
add(struct verify_allow *allow, struct allow_list *list, const void *item, size_t size, size_t most)
{
	if (list->count == most) {
		allow->is_overfull = true;
		return;
	}
	if (list->count == list->room) {
		list->room = list->room == 0 ? 64 : 2 * list->room;
		list->items = realloc(list->items, list->room * size);
		assert(list->items != NULL);
	}
	memcpy(list->items + list->count++ * size, item, size);
}

static int
compare_numbers(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

static int
compare_subjects(const void *a, const void *b)
{
	const struct erased_subject *one = a;
	const struct erased_subject *other = b;
	const int order = memcmp(&one->subject, &other->subject, sizeof one->subject);

	return order != 0 ? order : compare_numbers(one->by, other->by);
}

static int
compare_parts(const void *a, const void *b)
{
	const struct erased_part *one = a;
	const struct erased_part *other = b;
	const int order = compare_numbers(one->id, other->id);

	return order != 0 ? order : compare_numbers(one->by, other->by);
}

static int
compare_kept(const void *a, const void *b)
{
	const struct kept_key *one = a;
	const struct kept_key *other = b;
	const int order = memcmp(&one->subject, &other->subject, sizeof one->subject);

	return order != 0 ? order : compare_numbers(one->month, other->month);
}

static int
compare_ids(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct id));
}

static int
compare_ranges(const void *a, const void *b)
{
	const struct allow_range *one = a;
	const struct allow_range *other = b;

	return compare_numbers(one->first, other->first);
}

static void
sort(struct allow_list *list, size_t size, int (*compare)(const void *, const void *))
{
	if (list->count > 1) {
		qsort(list->items, list->count, size, compare);
	}
}

typedef int compare_items(const void *, const void *);

/* How many items come before `key` or are equal to it. */
static size_t
place_after(const struct allow_list *list, size_t size, compare_items *compare, const void *key)
{
	size_t low = 0;
	size_t high = list->count;

	while (low < high) {
		const size_t middle = low + (high - low) / 2;

		if (compare(list->items + middle * size, key) <= 0) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	return low;
}

void
allow_free(struct verify_allow *allow)
{
	struct allow_list *const lists[] = { &allow->subjects, &allow->parts,    &allow->kept,
					     &allow->months,   &allow->requests, &allow->pruned,
					     &allow->lost };

	for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
		free(lists[i]->items);
	}
	memset(allow, 0, sizeof *allow);
}

/* --- what the events say -------------------------------------------------------------------------
 */

bool
allow_wants(uint64_t type)
{
	return type == EVENT_SUBJECT_ERASED || type == EVENT_PART_ERASED || type == EVENT_ERASED ||
	       type == EVENT_MONTH_ERASED || type == EVENT_KEY_KEPT || type == EVENT_LOG_PRUNED ||
	       type == EVENT_PARTS_LOST;
}

static void
take_range(struct verify_allow *allow, struct allow_list *list, const struct allow_range *range)
{
	/* It can speak only of what was there when it was written. */
	if (range->first < range->end && range->end <= range->by) {
		add(allow, list, range, sizeof *range, ALLOW_RANGES_MAX);
	}
}

static void
take_subject(struct verify_allow *allow, uint64_t seq, const struct event_subject_erased *e)
{
	const struct erased_subject item = { e->subject, seq, e->request };

	add(allow, &allow->subjects, &item, sizeof item, ALLOW_SUBJECTS_MAX);
}

static void
take_part(struct verify_allow *allow, uint64_t seq, const struct event_part_erased *e)
{
	const struct erased_part item = { e->seq << 1 | e->part, seq, e->request };

	if (e->part < SEALED_PARTS_MAX && e->seq < seq) {
		add(allow, &allow->parts, &item, sizeof item, ALLOW_PARTS_MAX);
	}
}

static void
take_month(struct verify_allow *allow, uint64_t seq, const struct event_month_erased *e)
{
	const struct erased_month item = { e->month, seq };

	add(allow, &allow->months, &item, sizeof item, ALLOW_MONTHS_MAX);
}

static void
take_kept(struct verify_allow *allow, const struct event_key_kept *e)
{
	const struct kept_key item = { e->subject, e->month };

	add(allow, &allow->kept, &item, sizeof item, ALLOW_KEPT_MAX);
}

void
allow_take(struct verify_allow *allow, uint64_t seq, const struct event *event)
{
	if (seq < allow->next_seq) {
		return;
	}
	allow->next_seq = seq + 1;
	if (event->type == EVENT_SUBJECT_ERASED) {
		take_subject(allow, seq, &event->subject_erased);
	} else if (event->type == EVENT_PART_ERASED) {
		take_part(allow, seq, &event->part_erased);
	} else if (event->type == EVENT_ERASED) {
		add(allow, &allow->requests, &event->erased.request, sizeof(struct id),
		    ALLOW_REQUESTS_MAX);
	} else if (event->type == EVENT_MONTH_ERASED) {
		take_month(allow, seq, &event->month_erased);
	} else if (event->type == EVENT_KEY_KEPT) {
		take_kept(allow, &event->key_kept);
	} else if (event->type == EVENT_LOG_PRUNED) {
		const struct event_log_pruned *e = &event->log_pruned;
		take_range(allow, &allow->pruned,
			   &(struct allow_range){
				   .first = e->first, .end = e->end, .by = seq, .root = e->root });
	} else if (event->type == EVENT_PARTS_LOST) {
		const struct event_parts_lost *e = &event->parts_lost;
		take_range(allow, &allow->lost,
			   &(struct allow_range){ .first = e->first, .end = e->end, .by = seq });
	}
}

void
allow_settle(struct verify_allow *allow)
{
	sort(&allow->subjects, sizeof(struct erased_subject), compare_subjects);
	sort(&allow->parts, sizeof(struct erased_part), compare_parts);
	sort(&allow->kept, sizeof(struct kept_key), compare_kept);
	sort(&allow->requests, sizeof(struct id), compare_ids);
	sort(&allow->pruned, sizeof(struct allow_range), compare_ranges);
}

/* --- what is asked -------------------------------------------------------------------------------
 */

bool
allow_is_empty(const struct verify_allow *allow)
{
	return allow->subjects.count == 0 && allow->parts.count == 0 && allow->months.count == 0 &&
	       allow->lost.count == 0;
}

static enum allow_why
why_of(const struct verify_allow *allow, const struct id *request)
{
	const bool is_done = allow->requests.count > 0 &&
			     bsearch(request, allow->requests.items, allow->requests.count,
				     sizeof *request, compare_ids) != NULL;

	return is_done ? ALLOW_ERASED : ALLOW_ERASING;
}

/* The last erasure of that subject; NULL if there is none after that seq. */
static const struct erased_subject *
find_subject(const struct verify_allow *allow, const struct id *subject, uint64_t seq)
{
	const struct erased_subject key = { .subject = *subject, .by = UINT64_MAX };
	const size_t at = place_after(&allow->subjects, sizeof key, compare_subjects, &key);

	if (at == 0) {
		return NULL;
	}
	const struct erased_subject *found =
		(const struct erased_subject *)(const void *)allow->subjects.items + at - 1;
	return id_equal(&found->subject, subject) && found->by > seq ? found : NULL;
}

static const struct erased_part *
find_part(const struct verify_allow *allow, const struct allow_part *part)
{
	const struct erased_part key = { .id = part->seq << 1 | part->part, .by = UINT64_MAX };
	const size_t at = place_after(&allow->parts, sizeof key, compare_parts, &key);

	if (at == 0) {
		return NULL;
	}
	const struct erased_part *found =
		(const struct erased_part *)(const void *)allow->parts.items + at - 1;
	return found->id == key.id ? found : NULL;
}

static size_t
kept_times(const struct verify_allow *allow, const struct id *subject, uint64_t month)
{
	const struct kept_key key = { *subject, month };
	size_t at = place_after(&allow->kept, sizeof key, compare_kept, &key);
	size_t count = 0;

	for (; at > 0 && compare_kept(allow->kept.items + (at - 1) * sizeof key, &key) == 0; at--) {
		count++;
	}
	return count;
}

/* Each round that passes over a key because of a hold says so once: a key is gone when more rounds
 * came by than kept it. The seq of the last one, or 0. */
static uint64_t
find_month(const struct verify_allow *allow, const struct id *subject, uint64_t month, uint64_t seq)
{
	const struct erased_month *months = (const void *)allow->months.items;
	uint64_t by = 0;
	size_t rounds = 0;

	for (size_t i = 0; i < allow->months.count; i++) {
		if (months[i].month >= month && months[i].by > seq) {
			rounds++;
			by = months[i].by;
		}
	}
	return rounds > 0 && rounds > kept_times(allow, subject, month) ? by : 0;
}

static const struct allow_range *
find_range(const struct allow_list *list, uint64_t seq)
{
	const struct allow_range *ranges = (const void *)list->items;

	for (size_t i = 0; i < list->count; i++) {
		if (ranges[i].first <= seq && seq < ranges[i].end) {
			return &ranges[i];
		}
	}
	return NULL;
}

enum allow_why
allow_part(const struct verify_allow *allow, const struct allow_part *part, uint64_t *by)
{
	const struct erased_subject *subject = find_subject(allow, &part->subject, part->seq);
	const struct erased_part *single = find_part(allow, part);
	const uint64_t month = find_month(allow, &part->subject, part->month, part->seq);
	const struct allow_range *lost = find_range(&allow->lost, part->seq);

	if (subject != NULL && why_of(allow, &subject->request) == ALLOW_ERASED) {
		*by = subject->by;
		return ALLOW_ERASED;
	}
	if (single != NULL) {
		*by = single->by;
		return why_of(allow, &single->request);
	}
	if (month != 0) {
		*by = month;
		return ALLOW_ERASED;
	}
	if (subject != NULL) {
		*by = subject->by;
		return ALLOW_ERASING;
	}
	if (lost != NULL) {
		*by = lost->by;
		return ALLOW_LOST;
	}
	return ALLOW_NOT;
}

uint64_t
allow_key(const struct verify_allow *allow, const struct id *subject, uint64_t month,
	  uint64_t created_seq)
{
	const struct erased_subject *erased = find_subject(allow, subject, created_seq);

	return erased != NULL ? erased->by : find_month(allow, subject, month, created_seq);
}

const struct allow_range *
allow_pruned(const struct verify_allow *allow, uint64_t seq)
{
	return find_range(&allow->pruned, seq);
}

const struct allow_range *
allow_pruned_after(const struct verify_allow *allow, uint64_t seq)
{
	const struct allow_range *ranges = (const void *)allow->pruned.items;

	for (size_t i = 0; i < allow->pruned.count; i++) {
		if (ranges[i].first > seq) {
			return &ranges[i];
		}
	}
	return NULL;
}

void
allow_under_way(struct verify_allow *allow, uint64_t by)
{
	struct allow_range *ranges = (void *)allow->pruned.items;

	for (size_t i = 0; i < allow->pruned.count; i++) {
		ranges[i].is_under_way |= ranges[i].by == by;
	}
}

size_t
allow_pruned_count(const struct verify_allow *allow)
{
	return allow->pruned.count;
}

const struct allow_range *
allow_pruned_at(const struct verify_allow *allow, size_t index)
{
	assert(index < allow->pruned.count);
	return (const struct allow_range *)(const void *)allow->pruned.items + index;
}
