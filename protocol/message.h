/* clang-format off */
/* What actors say to one another: commands (commands.def), notices (notices.def), and the requests
 * and replies that carry them over the mailbox. Every message is one msgpack array, read to its
 * exact end.
 *
 * A front has one or two COMMANDS on their way to its actor. The actor holds each until it has
 * something to say: that its commands are durable, or notices. So one waits for notices while the
 * next carries commands, and what gathers meanwhile goes in one message.
 *
 *   request                                              reply
 *   [ATTACH,   front, instance]                          [verdict, epoch]
 *   [COMMANDS, front, instance, epoch, number, acknowledged, batch, [command]]
 *                                                        [verdict, epoch, done, settled, first, [notice]]
 *   [PING]                                               [verdict, epoch, state]
 *   [ROSTER]               (session)                     [verdict, epoch, [[room, agent, gateway]]]
 *   [STOP]                                               [verdict]
 *   [EXPEL, agent name]    (session, allocation)         [verdict, epoch, [ended, forgotten, size]]
 *   [KILL, agent name]     (session)                     [verdict, epoch, ended]
 *   [KILL, agent name, allocation]     (relay)           [verdict, epoch, found]
 *   [ALLOCATIONS, from, agent name]    (relay)           [verdict, epoch, next, [allocation]]: relay_operate.h
 *   [REVOKE, agent name, handle, undo] (allocation)      [verdict, epoch, changed]
 *   [CLAIM, stream, writer]                              [verdict, epoch, size, version]
 *   [APPEND, stream, epoch, version, [event]]            [verdict, last seq, size]; claims: and [seq]
 *   [SNAPSHOT, stream, epoch, version, dump, annex]      [verdict]
 *   [LOG_STATUS]                                         [verdict, size, root]
 *   [ACT, event]           (witness, from ifreplay)      [verdict, seq, size]
 *   [ERASE | RETAIN, …]    (witness: actors/witness_acts.h) [verdict, state, …]
 *   [RELOAD, settings]     (everybody, from supervisor)  [verdict, epoch, …]
 *   [OPERATE, act, operator name, about, argument] (supervisor) [verdict, [[kind, line]]]: supervisor_operate_io.h
 *   [OFFER]                (witness, from anchor)  [verdict, size, substance, note]
 *   [PROOF, from, size]                                  [verdict, [hash]]
 *   [COSIGNED, size, line] [STAMPED, size, response]     [verdict, seq]
 *   [COSIGN, body]         (witness, from cosigner)      [verdict, HTTP status, text]
 *   [ANCHORS]              (anchor, from ifswarm status) [verdict, [[name, size, failures, why]]]
 *   [STATUS]               (supervisor)                  [verdict, [[name, pid, state, epoch, restarts]], drain]
 *
 * `number` counts requests since the last attach: one that is not newer than the last says that
 * something was lost, and that all from `acknowledged` on is to be told again. `batch` counts an
 * instance's batches of commands from 1, and is 0 if there are none; `done` is the last of them that
 * is durable, and the next one leaves after it. `settled` is the last of them whose effects every
 * front concerned has acknowledged: up to there the front may forget, beyond it repeats after a
 * restart. Notices are numbered from 1 since the last attach; `first` is the number of the first in
 * the reply, or of the next one if there is none; `acknowledged` the last one that was taken. A
 * reply that refuses holds verdict and epoch alone.
 */
/* clang-format on */
#ifndef IFSWARM_PROTOCOL_MESSAGE_H
#define IFSWARM_PROTOCOL_MESSAGE_H

#include "protocol/event.h"
#include "protocol/verdict.h"

enum request {
	REQUEST_ATTACH = 1,
	REQUEST_COMMANDS = 2,
	REQUEST_PING = 4,
	REQUEST_ROSTER = 5,
	REQUEST_STOP = 6,
	REQUEST_EXPEL = 7,
	REQUEST_CLAIM = 10,
	REQUEST_APPEND = 11,
	REQUEST_SNAPSHOT = 12,
	REQUEST_LOG_STATUS = 13,
	REQUEST_STATUS = 14,
	REQUEST_ACT = 15,
	REQUEST_ERASE = 16,
	REQUEST_RETAIN = 17,
	REQUEST_RELOAD = 18,
	REQUEST_OPERATE = 19,
	REQUEST_OFFER = 20,
	REQUEST_PROOF = 21,
	REQUEST_COSIGNED = 22,
	REQUEST_STAMPED = 23,
	REQUEST_COSIGN = 24,
	REQUEST_ANCHORS = 25,
	REQUEST_ALLOCATIONS = 60,
	REQUEST_KILL = 61,
	REQUEST_REVOKE = 62,
};

enum signal_kind { SIGNAL_OFFER = 1, SIGNAL_ANSWER = 2, SIGNAL_CANDIDATE = 3 };

enum command_type {
#define COMMAND(constant, name, number, fields) COMMAND_##constant = (number),
#include "protocol/commands.def"
#undef COMMAND
};

/* Commands that an actor gives itself: no front may send them. */
static inline bool
command_is_own(enum command_type type)
{
	return (type >= COMMAND_ATTACH && type <= COMMAND_EXPEL) || type >= COMMAND_REVOKE;
}

enum notice_type {
#define NOTICE(constant, name, number, fields) NOTICE_##constant = (number),
#include "protocol/notices.def"
#undef NOTICE
};

#define F(kind, place, name) FIELD_TYPE_##kind name;
#define COMMAND(constant, name, number, fields)                                                    \
	struct command_##name {                                                                    \
		fields                                                                             \
	};
#include "protocol/commands.def"
#undef COMMAND
#define NOTICE(constant, name, number, fields)                                                     \
	struct notice_##name {                                                                     \
		fields                                                                             \
	};
#include "protocol/notices.def"
#undef NOTICE
#undef F

/* front, instance and now_us come from the envelope and the deciding actor's clock, not from the
 * item. */
struct command {
	enum command_type type;
	uint64_t front; /* 0: the actor itself */
	struct id instance;
	uint64_t now_us;
	struct id command_id; /* UUIDv7, increasing within one instance */
	struct id trace_id;
	union {
#define COMMAND(constant, name, number, fields) struct command_##name name;
#include "protocol/commands.def"
#undef COMMAND
	};
};

struct notice {
	enum notice_type type;
	struct id command_id; /* what led to it */
	uint64_t origin;      /* the front that asked, 0 the actor itself */
	struct id instance;   /* of that front */
	uint64_t ordinal;     /* 0, 1, ... among the notices that one command sends to one front */
	union {
#define NOTICE(constant, name, number, fields) struct notice_##name name;
#include "protocol/notices.def"
#undef NOTICE
	};
};

/* An item of COMMANDS: [type, command_id, trace_id, fields, body]; body is nil when its count is 0.
 */
void command_write(struct mp_writer *w, const struct command *command, struct span body);
void command_read(struct mp_reader *r, struct command *out, struct span *body);

/* An item of a POLL's reply: [type, command_id, origin, instance, ordinal, fields, body]. */
void notice_write(struct mp_writer *w, const struct notice *notice, struct span body);
void notice_read(struct mp_reader *r, struct notice *out, struct span *body);

#endif
