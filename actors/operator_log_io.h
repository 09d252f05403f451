/* What the supervisor has to tell the log: deployment events and acts of operators, of stream 4,
 * appended through the witness. While the witness is down they wait in a bounded queue; nobody
 * waits for them.
 */
#ifndef IFSWARM_ACTORS_OPERATOR_LOG_IO_H
#define IFSWARM_ACTORS_OPERATOR_LOG_IO_H

#include "protocol/event.h"

struct operator_log;

/* Dials the witness in `run_dir`; NULL if it cannot (logged). */
struct operator_log *operator_log_open(const char *run_dir);
/* Queues an event of type/actor/detail (cut to what a text holds). A full queue drops it, with a
 * line. */
void operator_log_note(struct operator_log *log, enum event_type type, const char *actor,
		       const char *detail);
/* Queues an operator_acted whose fields the caller has set (its place in the queue is its number).
 * 0 if the queue is full: then nothing may be done on it. */
uint64_t operator_log_act(struct operator_log *log, const struct event_operator_acted *act);
/* Likewise an operator_refused. */
uint64_t operator_log_refused(struct operator_log *log, const struct event_operator_refused *act);
/* True once the event with that number is durable. */
bool operator_log_has(const struct operator_log *log, uint64_t number);
/* Readable when operator_log_work has something to take. */
int operator_log_fd(const struct operator_log *log);
/* Takes replies, sends what waits. */
void operator_log_work(struct operator_log *log);
/* Nothing waits and nothing is on its way. */
bool operator_log_is_empty(const struct operator_log *log);
/* The log is served read-only: what waits will not get there. */
bool operator_log_is_in_vain(const struct operator_log *log);
/* The epoch of this supervisor's claim; 0 before it has one. */
uint64_t operator_log_epoch(const struct operator_log *log);
void operator_log_close(struct operator_log *log);

#endif
