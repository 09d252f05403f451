/* The pure half of the one loop: requests in, appends out, answers and notices when they are
 * durable.
 *
 * The worldly half (loop_io.c, or the simulator) moves the bytes:
 *   - desk_take for each request that arrives, with a ticket to answer it by;
 *   - desk_append when it says so, then desk_appended with the witness's reply;
 *   - desk_answer until it says there is none;
 *   - desk_tick a few times a second.
 * Rule 1 lives here: no answer and no notice leaves before the events it depends on are durable. */
#ifndef IFSWARM_ACTORS_DESK_H
#define IFSWARM_ACTORS_DESK_H

#include "actors/core.h"
#include "actors/outbox.h"
#include "protocol/uuid.h"

enum {
	DESK_DUMP_BYTES_MAX = MESSAGE_BYTES_MAX / 2 - 1024,
	DESK_ANSWERS_MAX = 128,
	DESK_BATCHES_MAX = 2048, /* per front, between settlements */
	DESK_BUSY_EVENTS = 1024, /* gathered: take no more until the append is done */
	DESK_APPEND_BYTES_MAX = EVENTS_PER_APPEND_MAX * 1024,
	DESK_HELD_MAX = 2,          /* requests of a front that wait for something to say */
	DESK_HOLD_US = 1000 * 1000, /* with nothing to say they are answered after that long */
	DESK_LOST_US =
		10 * 1000 *
		1000, /* a front that is silent that long while it is told things is given up */
};

/* An answer that waits for its gate. */
struct desk_answer {
	uint64_t ticket;
	uint64_t gate;
	uint64_t
		front; /* whose COMMANDS it answers, without a notice; 0: it answers another kind */
	enum verdict verdict;
	struct span tail; /* what follows verdict and epoch, owned; NULL if nothing */
};

struct desk_batch {
	uint64_t number;
	uint64_t gate;   /* settled when that append is durable */
	uint64_t posted; /* and the outbox has settled that many */
};

/* A front's request that is held until there is something to say. */
struct desk_held {
	uint64_t ticket;
	uint64_t since_us;
};

struct desk_front {
	bool attached; /* in this epoch */
	bool lost;
	struct id instance;
	uint64_t last_request; /* its number, since the attach */
	uint64_t last_batch;
	uint64_t last_gate; /* what the last batch depends on */
	uint64_t done;      /* the last batch that the front knows to be durable */
	uint64_t settled;
	struct desk_batch batches[DESK_BATCHES_MAX];
	size_t first;
	size_t count;
	struct desk_held held[DESK_HELD_MAX]; /* the oldest first */
	size_t held_count;
};

/* Encoded events on their way to the log. */
struct desk_append {
	bool closed;      /* takes no more: what comes next must not share it */
	uint64_t number;  /* of the append; gates refer to it */
	uint64_t version; /* of the first event */
	uint32_t events;
	uint8_t *memory;
	size_t used;
};

/* An operator ends an agent: one at a time. First the fronts report and end what is theirs
 * (ANNOUNCED), then the rest ends and the name is forgotten in one append of its own (DECIDING),
 * then the fronts forget it too (OVER). Held answers, notices and snapshots that know the name are
 * gone when it is answered. */
enum desk_expel_stage { EXPEL_IDLE, EXPEL_ANNOUNCED, EXPEL_DECIDING, EXPEL_OVER };

struct desk_expel {
	enum desk_expel_stage stage;
	uint64_t ticket;
	struct command command;     /* of the stage: the fronts answer with its id */
	uint64_t since_us;          /* when the stage began */
	bool waits[FRONTS_MAX + 1]; /* for that front's EXPELLED */
	uint64_t gate;              /* the append in which it was forgotten */
	uint64_t posted;            /* notices up to here knew the name */
	uint64_t ended;
	uint64_t forgotten;
	uint64_t size; /* of the log when that append was durable; 0: not yet */
};

struct desk {
	const struct core *core;
	uint64_t epoch;
	uint64_t snapshot_events;
	struct uuid_generator ids;
	struct outbox outbox;
	struct desk_front fronts[FRONTS_MAX + 1];
	struct desk_append open;
	struct desk_append sent; /* events 0: none on its way */
	uint64_t durable;        /* number of the last durable append */
	uint64_t swept_us;       /* when nothing was left to sweep */
	uint64_t since_digest;   /* events since the last state digest */
	uint64_t digest_gate; /* the append that holds the last digest, while its snapshot is owed;
				 0 none */
	uint64_t digest_version;
	uint8_t *dump; /* what was digested */
	size_t dump_bytes;
	uint8_t *personal;
	size_t personal_bytes;
	bool closed;
	struct desk_expel expel;
	struct desk_answer answers[DESK_ANSWERS_MAX];
	size_t answer_first;
	size_t answer_count;
	struct event_list events; /* scratch of the command being decided */
};

/* `version` is the next version of the stream, as the claim said; `ids_tail` random. False if there
 * is no memory. */
bool desk_init(struct desk *desk, const struct core *core, uint64_t epoch, uint64_t version,
	       uint64_t snapshot_events, const uint8_t ids_tail[6]);
void desk_free(struct desk *desk);

/* True while nothing more should be taken. */
bool desk_is_busy(const struct desk *desk);
/* One request. It is answered through desk_answer, sooner or later, by its ticket. */
void desk_take(struct desk *desk, struct span request, uint64_t ticket, uint64_t now_us);
/* The next append, if one is due and none is on its way. */
bool desk_append(struct desk *desk, struct mp_writer *w);
/* The witness's reply to it. Anything but ACCEPTED is returned and ends the actor. */
enum verdict desk_appended(struct desk *desk, struct span reply);
/* The next answer that may leave. Writes it; false if there is none. */
bool desk_answer(struct desk *desk, uint64_t now_us, uint64_t *ticket, struct mp_writer *w);
/* Time passes: expiry, fronts that went silent. */
void desk_tick(struct desk *desk, uint64_t now_us);

/* Ends everything in order and logs the digest, as far as the open append has room: repeat it until
 * it is true and desk_is_idle. */
bool desk_close(struct desk *desk, uint64_t now_us);
/* True if nothing is gathered or on its way. */
bool desk_is_idle(const struct desk *desk);

/* A snapshot is due, once: the append that holds its digest is durable. Writes the SNAPSHOT
 * request. */
bool desk_snapshot(struct desk *desk, struct mp_writer *w);

/* --- between the desk's own files ---------------------------------------------------------------
 */

/* Decides one command, applies and encodes its events, tells the fronts. */
enum verdict desk_run(struct desk *desk, const struct command *command, struct span body);
/* The append that what happens now depends on. */
uint64_t desk_gate(const struct desk *desk);
/* Puts an answer into the queue; `tail` is owned by the desk from here on. */
void desk_put_answer(struct desk *desk, struct desk_answer answer);
/* Logs the state's digest once enough events have gathered. */
void desk_digest_if_due(struct desk *desk, uint64_t now_us);
/* It is due: with the next tick at the latest. */
void desk_snapshot_soon(struct desk *desk);
bool desk_is_lasting(const struct core *core, const struct event *event);
/* Logs it now; its snapshot is owed from there on. False if there is no room, or one is owed. */
bool desk_log_digest(struct desk *desk, uint64_t now_us);
/* True if the open append takes the events of one more command. */
bool desk_has_room(const struct desk *desk);
/* A command that nobody asked but the actor itself. */
struct command desk_own_command(struct desk *desk, enum command_type type, uint64_t now_us);

/* --- desk_operate.c --- */
/* The requests of operators, after their kind. */
void desk_kill_take(struct desk *desk, struct mp_reader *r, uint64_t ticket, uint64_t now_us);
void desk_revoke_take(struct desk *desk, struct mp_reader *r, uint64_t ticket, uint64_t now_us);

/* --- desk_expel.c --- */
/* The request, after its kind. */
void desk_expel_take(struct desk *desk, struct mp_reader *r, uint64_t ticket, uint64_t now_us);
/* What has just been decided counts, if it is of the agent that is being expelled. */
void desk_expel_count(struct desk *desk);
/* A front has attached, and must hear of it. */
void desk_expel_attached(struct desk *desk, uint64_t front);
/* A front has done what it was asked. */
void desk_expel_done(struct desk *desk, uint64_t front, const struct id *asked);
/* Goes on as far as it can. */
void desk_expel_run(struct desk *desk, uint64_t now_us);
/* The answer, once it is due; false if it is not. */
bool desk_expel_answer(struct desk *desk, uint64_t now_us, uint64_t *ticket, struct mp_writer *w);

#endif
