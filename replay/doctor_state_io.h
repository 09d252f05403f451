/* A doctor's visit to a data directory: what its files share. */
#ifndef IFSWARM_REPLAY_DOCTOR_STATE_IO_H
#define IFSWARM_REPLAY_DOCTOR_STATE_IO_H

#include "store/read_io.h"
#include "store/scrub_io.h"

enum { AILMENTS_MAX = 64 };

/* In the order in which they are told. */
enum severity { LOST, WRONG, NOTICE };

struct ailment {
	enum severity severity;
	char what[512];
	char todo[256];
};

struct visit {
	const char *data;
	bool is_running;
	struct scrub_state scrub;
	unsigned count;
	struct ailment ailments[AILMENTS_MAX];
};

void doctor_note(struct visit *v, enum severity severity, const char *todo, const char *what, ...)
	__attribute__((format(printf, 4, 5)));

/* doctor_anchors_io.c: witnesses that were not reached for long, a quorum that is behind,
 * timestamps that are missing. */
void doctor_look_at_anchors(struct visit *v, struct log_reader *reader);

#endif
