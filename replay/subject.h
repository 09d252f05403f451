/* Subject access: of an event that concerns somebody, their own parts, and nothing of others (GDPR
 * Art. 15 (4)). A part is theirs if it is sealed under one of their handles, or if it says their
 * name: a refusal is sealed under the subject of the day, and still about them.
 */
#ifndef IFSWARM_REPLAY_SUBJECT_H
#define IFSWARM_REPLAY_SUBJECT_H

#include "replay/who.h"
#include "store/entry.h"

/* Empties in the event the fields of parts that are not theirs, and takes away those parts' rows.
 * `event` may be NULL: then all rows go, because nobody can say what they hold. */
void subject_mask(const struct who *who, const struct entry *entry, struct event *event,
		  struct span salt[SEALED_PARTS_MAX], struct span body[SEALED_PARTS_MAX]);

#endif
