/* Acts of people on the evidence, told to the running witness: it alone writes the log, and takes
 * only the acts of witness_act_is_open (actors/witness.h). */
#ifndef IFSWARM_ACTORS_ACT_IO_H
#define IFSWARM_ACTORS_ACT_IO_H

#include "protocol/event.h"

enum act_result {
	ACT_LOGGED,      /* durable */
	ACT_NOT_RUNNING, /* no cluster runs on that directory */
	ACT_REFUSED,     /* `fault` says why */
};

enum { ACT_BYTES_MAX = 4096 }; /* of an act, as event_write writes it */

/* Gives an act its time and command id. */
void act_stamp(struct event *event);

/* Who is at the terminal: the login name; "alice as root" under sudo. */
void act_login_name(struct name *out);

/* Asks the witness of the cluster on `data` to log the event, which is stamped here. Waits up to a
 * few seconds. */
enum act_result act_log(const char *data, const struct event *event, char *fault,
			size_t fault_size);

#endif
