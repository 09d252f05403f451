/* What a profile lets out of one event (disclosed.h): names become pseudonyms or nothing, addresses
 * and sealed parts stay or go. Export and report ask here, so that both show the same.
 *
 * A pseudonym is HMAC-SHA256 over the kind of the name and the name, under a key that never leaves
 * the operator: "agent-7f3a9c01d2e4". One name has one pseudonym as long as the key is the same,
 * though it has many handles; a TURN user "expiry:alice" is the agent alice. 48 bits are shown:
 * among a million names two are confused with a probability of one in 500. Words that are no name
 * of somebody (reasons, purposes, what agents claim) are withheld, because nobody can say what they
 * tell.
 *
 * Fields in the clear are the log's own (handles, our relay's addresses): they lie in every entry,
 * so no profile hides them.
 */
#ifndef IFSWARM_REPLAY_DISCLOSER_H
#define IFSWARM_REPLAY_DISCLOSER_H

#include "replay/disclosed.h"

enum { PSEUDONYM_KEY_BYTES = 32, PSEUDONYM_DIGITS = 12 };

enum pseudonym_kind { PSEUDONYM_AGENT, PSEUDONYM_ROOM, PSEUDONYM_OPERATOR, PSEUDONYM_PERSON };

struct discloser {
	enum profile profile;
	uint8_t key[PSEUDONYM_KEY_BYTES]; /* only PROFILE_PSEUDONYMOUS uses it */
	struct event shown;               /* memory of the last discloser_disclose */
};

/* "none", "pseudonymous", "envelope"; false for any other word. */
bool profile_from_word(const char *word, enum profile *out);
const char *profile_name(enum profile profile);

/* `key` may be NULL where the profile needs none. */
void discloser_make(struct discloser *discloser, enum profile profile,
		    const uint8_t key[PSEUDONYM_KEY_BYTES]);

/* `out` borrows from the arguments and from the discloser, until its next call. `event` is what was
 * read with the keys at hand, NULL for a type that this program does not know; `salt` and `body`
 * are the sealed rows by part (count 0 where there is none), NULL if there are none at all. */
void discloser_disclose(struct discloser *discloser, const struct entry *entry, struct span bytes,
			const struct event *event, const struct span *salt, const struct span *body,
			struct disclosed *out);

/* True, with its kind, if a sealed field of that name names somebody; all other words are free
 * text.
 */
bool discloser_kind(const char *field, enum pseudonym_kind *kind);

/* A name as the profile shows it, empty if it does not. */
struct name discloser_name(const struct discloser *discloser, enum pseudonym_kind kind,
			   const struct name *name);

#endif
