/* The directory: which names are known, and the random 128-bit handle (the subject) under which
 * each of them appears in the log. Part of a deciding actor's state: `directory_note` is called
 * from apply alone.
 *
 * It holds the newest `names_max` names, oldest out first. What is in it, and in which order,
 * depends on the handles alone and never on the names: a state rebuilt without any key has the same
 * dump. A name whose key was destroyed is empty, and is then found by its handle only.
 */
#ifndef IFSWARM_ACTORS_DIRECTORY_H
#define IFSWARM_ACTORS_DIRECTORY_H

#include "protocol/mp.h"

enum directory_kind {
	DIRECTORY_AGENT = 1,
	DIRECTORY_ROOM = 2,
	DIRECTORY_USER = 3,
	DIRECTORY_DAY = 4
};

struct directory;

/* Room for `names_max` names (1 to KNOWN_NAMES_MAX); `seed` is random, for the hashes only: it is
 * in no dump. NULL without memory. */
struct directory *directory_new(size_t names_max, uint64_t seed);
void directory_free(struct directory *directory);

/* True, and the subject in `out`, if that name is known. An empty name never is. */
bool directory_find(const struct directory *directory, enum directory_kind kind,
		    const struct name *name, struct id *out);
/* True if that handle is in use, by whatever kind. */
bool directory_has(const struct directory *directory, const struct id *subject);
/* The name of a subject; empty if it is not known (any more). */
struct name directory_name(const struct directory *directory, const struct id *subject);

/* In apply only: this subject has this name (empty if its key was destroyed). A subject that is in
 * the directory keeps its place, and gets the name if it had none; a new one may push out the
 * oldest. */
void directory_note(struct directory *directory, enum directory_kind kind, const struct id *subject,
		    const struct name *name);

/* Up to `max` subjects of that kind whose name (never an empty one) `is_of` says belongs to `name`;
 * how many there were. */
size_t directory_find_all(const struct directory *directory, enum directory_kind kind,
			  bool (*is_of)(const struct name *known, const struct name *name),
			  const struct name *name, struct id *out, size_t max);
/* In apply only: the subject and its name are no longer known. The others keep their order. */
void directory_forget(struct directory *directory, const struct id *subject);

/* The name of a day for DIRECTORY_DAY, "2025-01-31", from microseconds since 1970 UTC. */
struct name directory_day(uint64_t now_us);

/* One array [[kind, subject], ...], oldest first; and the names in the same order, nil where
 * unknown. */
void directory_write(struct mp_writer *w, const struct directory *directory);
void directory_write_names(struct mp_writer *w, const struct directory *directory);
/* Fills an empty directory. `names` may be NULL: then no name is known. False (or a bad reader) if
 * it cannot be read, holds a subject twice, or more than fit. */
bool directory_read(struct directory *directory, struct mp_reader *handles,
		    struct mp_reader *names);

#endif
