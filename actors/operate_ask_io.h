/* How the operator's commands ask the supervisor to act, or to write down what they are about to do
 * (supervisor_operate_io.h). */
#ifndef IFSWARM_ACTORS_OPERATE_ASK_IO_H
#define IFSWARM_ACTORS_OPERATE_ASK_IO_H

#include "actors/supervisor_reload_io.h"

struct operate_question {
	const char *act;
	const char *about; /* an agent or allocation; "" for none */
	uint64_t argument;
};

/* Asks the cluster on `data` and waits. ACCEPTED: it was done, or is durable in the log; the report
 * says more. Any other verdict is said on standard error, with what to do; so is that no cluster
 * runs. */
enum verdict operate_ask(const char *data, const struct operate_question *question,
			 struct report *report);

#endif
