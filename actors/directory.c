#include "actors/directory.h"

#include "actors/chains.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct entry {
	enum directory_kind kind;
	struct id subject;
	struct name name;
};

/* A ring of entries in the order of their first appearance. */
struct directory {
	uint64_t seed;
	uint32_t size;
	uint32_t oldest;
	uint32_t count;
	struct entry *entries;
	struct chains by_name; /* of those whose name is known */
	struct chains by_subject;
};

struct directory *
directory_new(size_t names_max, uint64_t seed)
{
	assert(names_max >= 1);
	assert(names_max <= KNOWN_NAMES_MAX);
	struct directory *directory = calloc(1, sizeof *directory);

	if (directory == NULL) {
		return NULL;
	}
	directory->seed = seed;
	directory->size = (uint32_t)names_max;
	directory->entries = calloc(names_max, sizeof *directory->entries);
	if (directory->entries == NULL || !chains_init(&directory->by_name, names_max) ||
	    !chains_init(&directory->by_subject, names_max)) {
		directory_free(directory);
		return NULL;
	}
	return directory;
}

void
directory_free(struct directory *directory)
{
	if (directory == NULL) {
		return;
	}
	free(directory->entries);
	chains_free(&directory->by_name);
	chains_free(&directory->by_subject);
	free(directory);
}

static uint64_t
name_hash(const struct directory *d, enum directory_kind kind, const struct name *name)
{
	return hash_bytes(d->seed + kind, name->bytes, name->length);
}

static uint64_t
subject_hash(const struct directory *d, const struct id *subject)
{
	return hash_bytes(d->seed, subject->bytes, sizeof subject->bytes);
}

static uint32_t
entry_of_subject(const struct directory *d, const struct id *subject)
{
	uint32_t at = chains_first(&d->by_subject, subject_hash(d, subject));

	while (at != SLOT_NONE && !id_equal(&d->entries[at].subject, subject)) {
		at = chains_next(&d->by_subject, at);
	}
	return at;
}

bool
directory_find(const struct directory *directory, enum directory_kind kind, const struct name *name,
	       struct id *out)
{
	const uint64_t hash = name_hash(directory, kind, name);

	if (name->length == 0) {
		return false;
	}
	for (uint32_t at = chains_first(&directory->by_name, hash); at != SLOT_NONE;
	     at = chains_next(&directory->by_name, at)) {
		const struct entry *entry = &directory->entries[at];

		if (entry->kind == kind && name_equal(&entry->name, name)) {
			*out = entry->subject;
			return true;
		}
	}
	return false;
}

bool
directory_has(const struct directory *directory, const struct id *subject)
{
	return entry_of_subject(directory, subject) != SLOT_NONE;
}

struct name
directory_name(const struct directory *directory, const struct id *subject)
{
	const uint32_t at = entry_of_subject(directory, subject);

	return at == SLOT_NONE ? (struct name){ 0 } : directory->entries[at].name;
}

static void
give_name(struct directory *d, uint32_t at, const struct name *name)
{
	struct entry *entry = &d->entries[at];

	if (name->length > 0) {
		entry->name = *name;
		chains_link(&d->by_name, name_hash(d, entry->kind, name), at);
	}
}

static void
unlink_entry(struct directory *d, uint32_t at)
{
	const struct entry *entry = &d->entries[at];

	chains_unlink(&d->by_subject, subject_hash(d, &entry->subject), at);
	if (entry->name.length > 0) {
		chains_unlink(&d->by_name, name_hash(d, entry->kind, &entry->name), at);
	}
}

static void
forget_oldest(struct directory *d)
{
	unlink_entry(d, d->oldest);
	d->oldest = (d->oldest + 1) % d->size;
	d->count--;
}

static void
add(struct directory *d, enum directory_kind kind, const struct id *subject,
    const struct name *name)
{
	if (d->count == d->size) {
		forget_oldest(d);
	}
	const uint32_t at = (d->oldest + d->count) % d->size;

	d->entries[at] = (struct entry){ .kind = kind, .subject = *subject };
	d->count++;
	chains_link(&d->by_subject, subject_hash(d, subject), at);
	give_name(d, at, name);
}

void
directory_note(struct directory *directory, enum directory_kind kind, const struct id *subject,
	       const struct name *name)
{
	assert(!id_is_none(subject));
	const uint32_t at = entry_of_subject(directory, subject);

	if (at == SLOT_NONE) {
		add(directory, kind, subject, name);
	} else if (directory->entries[at].name.length == 0) {
		give_name(directory, at, name);
	}
}

size_t
directory_find_all(const struct directory *directory, enum directory_kind kind,
		   bool (*is_of)(const struct name *known, const struct name *name),
		   const struct name *name, struct id *out, size_t max)
{
	size_t found = 0;

	for (uint32_t i = 0; i < directory->count && found < max; i++) {
		const struct entry *entry =
			&directory->entries[(directory->oldest + i) % directory->size];

		if (entry->kind == kind && entry->name.length > 0 && is_of(&entry->name, name)) {
			out[found++] = entry->subject;
		}
	}
	return found;
}

/* Those that came after it move up by one place: few, for who is expelled was here lately. */
void
directory_forget(struct directory *directory, const struct id *subject)
{
	uint32_t at = entry_of_subject(directory, subject);

	if (at == SLOT_NONE) {
		return;
	}
	const uint32_t newest = (directory->oldest + directory->count - 1) % directory->size;

	unlink_entry(directory, at);
	while (at != newest) {
		const uint32_t next = (at + 1) % directory->size;
		const struct entry moved = directory->entries[next];

		unlink_entry(directory, next);
		directory->entries[at] =
			(struct entry){ .kind = moved.kind, .subject = moved.subject };
		chains_link(&directory->by_subject, subject_hash(directory, &moved.subject), at);
		give_name(directory, at, &moved.name);
		at = next;
	}
	memset(&directory->entries[newest], 0, sizeof directory->entries[newest]);
	directory->count--;
}

/* Days since 1970 to a date of the Gregorian calendar, by counting from 1 March of year 0: leap
 * days then come last in their year. */
struct name
directory_day(uint64_t now_us)
{
	const uint64_t days = now_us / 1000000 / 86400 + 719468;
	const uint64_t era = days / 146097;
	const uint64_t of_era = days % 146097;
	const uint64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	const uint64_t of_year = of_era - (365 * year + year / 4 - year / 100);
	const uint64_t month = (5 * of_year + 2) / 153; /* 0 is March */
	const uint64_t day = of_year - (153 * month + 2) / 5 + 1;
	char text[64];
	struct name name;

	const int length = snprintf(text, sizeof text, "%04u-%02u-%02u",
				    (unsigned)(year + era * 400 + (month >= 10 ? 1 : 0)),
				    (unsigned)(month < 10 ? month + 3 : month - 9), (unsigned)day);
	name_set(&name, text, (size_t)length);
	return name;
}

void
directory_write(struct mp_writer *w, const struct directory *directory)
{
	mp_put_array(w, directory->count);
	for (uint32_t i = 0; i < directory->count; i++) {
		const struct entry *entry =
			&directory->entries[(directory->oldest + i) % directory->size];

		mp_put_array(w, 2);
		mp_put_u64(w, entry->kind);
		mp_put_id(w, &entry->subject);
	}
}

void
directory_write_names(struct mp_writer *w, const struct directory *directory)
{
	mp_put_array(w, directory->count);
	for (uint32_t i = 0; i < directory->count; i++) {
		const struct entry *entry =
			&directory->entries[(directory->oldest + i) % directory->size];

		if (entry->name.length == 0) {
			mp_put_nil(w);
		} else {
			mp_put_str(w, entry->name.bytes, entry->name.length);
		}
	}
}

bool
directory_read(struct directory *directory, struct mp_reader *handles, struct mp_reader *names)
{
	assert(directory->count == 0);
	const size_t count = mp_get_array(handles, directory->size);

	if (names != NULL && mp_get_array(names, directory->size) != count) {
		return false;
	}
	for (size_t i = 0; i < count && !handles->bad; i++) {
		handles->bad |= mp_get_array(handles, 2) != 2;
		const uint64_t kind = mp_get_u64(handles);
		const struct id subject = mp_get_id(handles);
		const struct name name = names == NULL ? (struct name){ 0 } : mp_get_name(names);

		if (kind < DIRECTORY_AGENT || kind > DIRECTORY_DAY || id_is_none(&subject) ||
		    directory_has(directory, &subject)) {
			return false;
		}
		add(directory, (enum directory_kind)kind, &subject, &name);
	}
	return !handles->bad && (names == NULL || !names->bad);
}
