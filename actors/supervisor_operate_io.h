/* What operators ask of the supervisor, and how it is written down: every act on the running
 * cluster is an operator_acted of stream 4, with who asked.
 *
 *   [OPERATE, act, operator name, about, argument]    [verdict, [[report_kind, line], ...]]
 *
 *   drain                  argument 1: take no new work, about: a value of the key `drain`
 *                          argument 0: take it again
 *   reload                 read the configuration again; answered when every actor has it
 *   kill, revoke, restore, allocations
 *                          written down alone: answered when that is durable, and done by who asked
 *
 * The operator's name is what the command found (the login, under sudo too); the uid beside it is
 * the kernel's word. Only the user who owns the run directory, and root, may ask (THREATS G3). */
#ifndef IFSWARM_ACTORS_SUPERVISOR_OPERATE_IO_H
#define IFSWARM_ACTORS_SUPERVISOR_OPERATE_IO_H

#include "actors/mailbox_io.h"
#include "actors/supervisor_drain_io.h"
#include "actors/supervisor_reload_io.h"
#include "protocol/event.h"

enum { OPERATORS_MAX = 16, OPERATE_WAITS_MAX = 8, OPERATE_BYTES_MAX = 96 * 1024 };

/* The handle an operator has in this supervisor's events. */
struct operator_handle {
	struct name name;
	struct id id;
};

/* Acts that were refused since that was told last. */
struct operate_refusals {
	uint64_t told_us;
	uint64_t count;
};

struct operate {
	struct draining_act draining;
	struct operator_handle operators[OPERATORS_MAX];
	size_t operator_count;
	struct event_operator_acted reload_act; /* whose reload runs */
	bool reload_is_asked;                   /* and by whom it is waited for */
	uint32_t reload_slot;
	struct event_operator_acted next_act; /* whose reload comes after it: with reload.again */
	bool next_is_asked;
	uint32_t next_slot;
	struct operate_refusals refusals;
	struct {
		bool used;
		uint32_t slot;
		uint64_t number; /* in the log's queue */
		uint64_t since_us;
	} waits[OPERATE_WAITS_MAX];
};

struct running;

/* While the log cannot be written for that long nothing is done. */
enum { OPERATE_RECORD_WITHIN_US = 8 * 1000 * 1000 };
/* The report may be NULL. */
void operate_answer(struct running *r, uint32_t slot, enum verdict verdict,
		    const struct report *report);

/* One request, after its kind; it is answered now or later. */
void operate_take(struct running *r, struct mp_reader *reader, uint32_t slot);
/* SIGHUP, from a process of that user. */
void operate_signal(struct running *r, uint64_t uid);
/* Somebody who may not asked for that act: refused, and written down. */
void operate_note_refused(struct running *r, uint32_t slot, const char *act);
/* What can be answered now, and the reload that has ended. */
void operate_step(struct running *r);

#endif
