/* One disclosed event, as every file of an export sees it: the exporter decides once what the
 * profile lets out, and the writers of JSON, CSV, OCSF, SQL and the report need not know profiles.
 *
 *   none           nothing is withheld: sealed parts, and the names and addresses in them
 *
 *   pseudonymous   sealed parts are withheld; a name is a pseudonym that is the same throughout one
 *                  log, though one name has many handles; addresses are empty
 *
 *   envelope       entries alone: no sealed part, no name, no address
 */
#ifndef IFSWARM_REPLAY_DISCLOSED_H
#define IFSWARM_REPLAY_DISCLOSED_H

#include "protocol/event.h"
#include "store/entry.h"

enum profile { PROFILE_NONE, PROFILE_PSEUDONYMOUS, PROFILE_ENVELOPE };

/* Valid during the call it is given to. */
struct disclosed {
	const struct entry *entry;
	struct span bytes;         /* the entry as it lies in the log */
	struct digest leaf;        /* its leaf hash */
	const struct event *event; /* personal fields hold what the profile shows, empty fields what
				    * it does not; NULL: a type that this program does not know */
	/* Sealed rows by part; count 0: withheld, or erased. */
	struct span salt[SEALED_PARTS_MAX];
	struct span body[SEALED_PARTS_MAX];
};

#endif
