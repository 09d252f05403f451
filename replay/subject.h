/* Subject access: everything about somebody, and nothing about others (GDPR Art. 15 (1), (4)).
 *
 * An event is about them if one of their handles stands in it, or their name: so are the questions
 * and exports that asked for them. Of its personal fields they see their own name, and what is
 * sealed under a handle of theirs; names of others become pseudonyms, addresses of others and words
 * that may tell of anybody (reasons, a claim's metadata) are left out. A sealed part is given as it
 * is only if it is theirs and tells of nobody else.
 */
#ifndef IFSWARM_REPLAY_SUBJECT_H
#define IFSWARM_REPLAY_SUBJECT_H

#include "replay/discloser.h"
#include "replay/who.h"
#include "store/entry.h"

/* Beside what who_concerns_agent finds. */
bool subject_concerns(const struct who *who, const struct event *event);

/* `others` makes the pseudonyms. `event` may be NULL: then all rows go, because nobody can say what
 * they hold. */
void subject_mask(const struct who *who, const struct discloser *others, const struct entry *entry,
		  struct event *event, struct span salt[SEALED_PARTS_MAX],
		  struct span body[SEALED_PARTS_MAX]);

#endif
