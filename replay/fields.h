/* An event's fields for machines and for people, by the names of events.def: one place for CSV,
 * OCSF, SQL and the report.
 */
#ifndef IFSWARM_REPLAY_FIELDS_H
#define IFSWARM_REPLAY_FIELDS_H

#include "protocol/event.h"
#include "replay/json_line.h"

/* An object of all fields. Numbers as numbers, ids and digests in hex, names, texts and addresses
 * as strings (with escapes if they are not UTF-8); null for what is none or not shown. */
void fields_json(struct json_line *line, const char *key, const struct event *event);

/* In hex; null for none. */
void fields_id(struct json_line *line, const char *key, const struct id *id);

/* "agent=… agent_name=alice reason=closed": what is empty is left out, what comes from outside is
 * escaped (words.h), numbers that stand for a word are that word. Cut with "..." at `size`, which
 * is at least 8. Returns how many bytes there are. */
size_t fields_text(char *out, size_t size, const struct event *event);

/* The word that a number stands for (verdict, reason, stream); NULL if it is just a number. */
const char *fields_word(enum event_type type, const struct field *field, uint64_t number);

#endif
