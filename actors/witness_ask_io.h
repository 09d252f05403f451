/* Asks the witness of a running cluster for an erasure or a retention, and waits for its end: the
 * other end of actors/witness_acts.h. */
#ifndef IFSWARM_ACTORS_WITNESS_ASK_IO_H
#define IFSWARM_ACTORS_WITNESS_ASK_IO_H

#include "actors/witness_acts.h"

enum told {
	TOLD_END,         /* the state says how */
	TOLD_NOT_RUNNING, /* no cluster runs on that directory */
	TOLD_REFUSED,     /* `fault` says why */
};

/* Called while it works; false gives up waiting, not the erasure. */
typedef bool erase_progress(void *context, enum erase_state state,
			    const struct erase_report *report);

enum told erase_ask(const char *data, const struct erase_order *order, erase_progress *progress,
		    void *context, enum erase_state *state, struct erase_report *report,
		    char *fault, size_t fault_size);

/* Likewise a round of retention and pruning. */
typedef bool retain_progress(void *context, enum erase_state state);
enum told retain_ask(const char *data, const struct retain_order *order, retain_progress *progress,
		     void *context, enum erase_state *state, struct retain_result *result,
		     char *fault, size_t fault_size);

#endif
