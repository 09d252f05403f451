/* One entry in words: as a line of a table, as a page, as a JSON object.
 *
 * A type that this program does not know is told by its number, with its fields in JSON as they lie
 * there: the log explains itself (type_declared), and a newer program's events are not hidden.
 */
#ifndef IFSWARM_REPLAY_TELLING_H
#define IFSWARM_REPLAY_TELLING_H

#include <jansson.h>

#include "protocol/event.h"
#include "replay/names.h"
#include "replay/paper.h"
#include "store/entry.h"

/* What became of a sealed part. */
enum part_state {
	PART_OPEN,    /* it was unsealed: the event holds its fields */
	PART_SEALED,  /* its ciphertext is there, its key is not at hand */
	PART_ERASED,  /* its ciphertext is gone */
	PART_UNKNOWN, /* nobody looked */
};
const char *part_state_name(enum part_state state);

struct telling {
	const struct entry *entry;
	const struct event *event; /* NULL: not in this program's catalog */
	names_ask *name_of;
	void *names;
	enum part_state part[SEALED_PARTS_MAX];
};

/* The table's head, and one line of it: both end in a newline. */
void telling_head(struct paper *out);
void telling_line(struct paper *out, const struct telling *telling);
/* The last column of that line: "agent=alice room=lobby"; without a newline. */
void telling_what(struct paper *out, const struct telling *telling);

/* Everything, for one entry, in lines. */
void telling_page(struct paper *out, const struct telling *telling, struct span entry_bytes);

/* Owned by the caller. Fields by name: numbers as numbers, ids and digests in hex, names and
 * addresses as strings, null for what is none, sealed or erased; "names" holds the known names of
 * handles. With entry_bytes (count not 0) also "leaf_hash", "entry_b64" and the sealed parts. */
json_t *telling_json(const struct telling *telling, struct span entry_bytes);

#endif
