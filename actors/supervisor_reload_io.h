/* `ifswarm reload` and SIGHUP, in the supervisor: the configuration is read again from where `up`
 * read it, checked whole, and what can change is handed to the running actors; nothing else is
 * touched. A configuration with a fault changes nothing, and every fault is named.
 *
 * The actors are told group by group, in the order in which they start: relays accept a new secret
 * before a gateway hands it out. Who does not answer in time, or is being restarted, has the new
 * configuration from its next start on. What is asked meanwhile leads to one more reload after
 * this one. */
#ifndef IFSWARM_ACTORS_SUPERVISOR_RELOAD_IO_H
#define IFSWARM_ACTORS_SUPERVISOR_RELOAD_IO_H

#include "actors/settings_io.h"
#include "actors/supervisor.h"
#include "protocol/settings_reload.h"
#include "protocol/verdict.h"

enum { REPORT_LINES_MAX = SETTINGS_COUNT + CHILDREN_MAX + SETTING_FAULTS_MAX, REPORT_KIND_MAX = 8 };

/* What an operator is told, a line each. */
enum report_kind {
	REPORT_DONE = 1,  /* took effect */
	REPORT_KEPT = 2,  /* needs a restart */
	REPORT_FAULT = 3, /* is wrong: nothing was changed */
	REPORT_LATE = 4,  /* not everywhere yet */
};

struct report {
	size_t count;
	enum report_kind kinds[REPORT_LINES_MAX];
	char lines[REPORT_LINES_MAX][SETTING_FAULT_MAX];
};
__attribute__((format(printf, 3, 4))) void report_add(struct report *report, enum report_kind kind,
						      const char *format, ...);

/* Where `up` found its settings: to be read again. Borrowed from its command line. */
struct settings_source {
	const char *file; /* --config, or NULL */
	const struct settings_option *options;
	size_t option_count;
	bool listening_is_preset;
};

struct reload {
	bool running;
	bool is_drain;            /* nothing was read again */
	bool again;               /* asked for meanwhile */
	enum verdict verdict;     /* of the last that ended */
	unsigned group;           /* being told */
	bool waits[CHILDREN_MAX]; /* for that actor's answer */
	uint64_t since_us;        /* since the group was told */
	struct setting_changes changes;
	struct report report;
	char keys[JSON_BYTES_MAX + 1]; /* what was taken, as a JSON array */
};

struct running;

/* Begins one; false, with the report saying why, if it changes nothing. */
bool reload_begin(struct running *r);
/* Begins to hand over that value of the key `drain`, which was checked, and nothing else. False if
 * one runs already, or the settings cannot be handed over (logged). */
bool reload_drain(struct running *r, const char *drain);
/* That actor's answer. */
void reload_answered(struct running *r, size_t actor, struct span reply);
/* Goes on as far as it can; true once, when it has ended. */
bool reload_step(struct running *r);

#endif
