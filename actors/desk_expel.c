/* An operator ends an agent: what the desk asks of the fronts and of the core, and when that is
 * over. */
#include "actors/desk.h"

static bool
asks_fronts(const struct desk_expel *expel)
{
	return expel->stage == EXPEL_ANNOUNCED || expel->stage == EXPEL_OVER;
}

static void
post(struct desk *desk, uint64_t front)
{
	const struct desk_expel *expel = &desk->expel;
	struct notice notice = { .type = NOTICE_EXPEL };

	notice.expel = (struct notice_expel){
		.agent_name = expel->command.expel.agent_name,
		.over = expel->command.expel.over,
	};
	outbox_begin(&desk->outbox, &expel->command, desk_gate(desk));
	outbox_post(&desk->outbox, front, &notice, (struct span){ 0 });
}

/* To a front that is known and not attached it is told when it attaches, after its greeting. */
static void
ask_fronts(struct desk *desk, uint64_t now_us)
{
	const struct core *core = desk->core;

	desk->expel.since_us = now_us;
	for (uint64_t number = 1; number <= FRONTS_MAX; number++) {
		const struct desk_front *front = &desk->fronts[number];

		desk->expel.waits[number] = core->knows_front(core->state, number) && !front->lost;
		if (desk->expel.waits[number] && front->attached) {
			post(desk, number);
		}
	}
}

static void
refuse(struct desk *desk, uint64_t ticket, enum verdict verdict)
{
	desk_put_answer(desk, (struct desk_answer){ .ticket = ticket, .verdict = verdict });
}

static struct command
command_of(struct desk *desk, const struct name *name, bool over, uint64_t now_us)
{
	struct command command = desk_own_command(desk, COMMAND_EXPEL, now_us);

	command.expel = (struct command_expel){ .agent_name = *name, .over = over };
	return command;
}

void
desk_expel_take(struct desk *desk, struct mp_reader *r, uint64_t ticket, uint64_t now_us)
{
	struct desk_expel *expel = &desk->expel;
	const struct span bytes = mp_get_str(r, NAME_BYTES_MAX);
	struct name name = { 0 };

	if (!mp_reader_is_done(r) || !name_set(&name, (const char *)bytes.at, bytes.count) ||
	    !name_is_wellformed(&name)) {
		refuse(desk, ticket, REFUSED_MALFORMED);
		return;
	}
	if (expel->stage != EXPEL_IDLE) {
		/* Asked again by who has lost patience, or somebody else's turn. */
		const bool same = name_equal(&name, &expel->command.expel.agent_name);

		refuse(desk, same ? expel->ticket : ticket, REFUSED_FULL);
		expel->ticket = same ? ticket : expel->ticket;
		return;
	}
	*expel = (struct desk_expel){ .stage = EXPEL_ANNOUNCED, .ticket = ticket };
	expel->command = command_of(desk, &name, false, now_us);
	desk_run(desk, &expel->command, (struct span){ 0 });
	ask_fronts(desk, now_us);
	desk_expel_run(desk, now_us);
}

void
desk_expel_count(struct desk *desk)
{
	for (uint32_t i = 0; desk->expel.stage != EXPEL_IDLE && i < desk->events.count; i++) {
		const struct event *event = &desk->events.items[i];

		desk->expel.ended += (event->type == EVENT_AGENT_DISCONNECTED &&
				      event->agent_disconnected.reason == LEAVE_EXPELLED) ||
				     (event->type == EVENT_TURN_ALLOCATION_ENDED &&
				      event->turn_allocation_ended.reason == END_EXPELLED);
		desk->expel.forgotten += event->type == EVENT_SUBJECT_FORGOTTEN ||
					 event->type == EVENT_USER_FORGOTTEN;
	}
}

void
desk_expel_attached(struct desk *desk, uint64_t front)
{
	if (asks_fronts(&desk->expel)) {
		desk->expel.waits[front] = true;
		post(desk, front);
	}
}

void
desk_expel_done(struct desk *desk, uint64_t front, const struct id *asked)
{
	if (asks_fronts(&desk->expel) && id_equal(asked, &desk->expel.command.command_id)) {
		desk->expel.waits[front] = false;
	}
}

/* A front that was given up, or does not come back, is not waited for: its next incarnation starts
 * empty. */
static bool
waits(const struct desk *desk, uint64_t now_us)
{
	for (uint64_t number = 1; number <= FRONTS_MAX; number++) {
		const struct desk_front *front = &desk->fronts[number];
		const bool comes_back =
			front->attached || (desk->expel.stage == EXPEL_ANNOUNCED &&
					    now_us < desk->expel.since_us + DESK_LOST_US);

		if (desk->expel.waits[number] && !front->lost && comes_back) {
			return true;
		}
	}
	return false;
}

/* What is left ends and the name is forgotten. False if the open append is full: it goes on in the
 * next one. */
static bool
decide(struct desk *desk, uint64_t now_us)
{
	const struct name name = desk->expel.command.expel.agent_name;

	do {
		if (!desk_has_room(desk)) {
			return false;
		}
		desk->expel.command = command_of(desk, &name, true, now_us);
		desk_run(desk, &desk->expel.command, (struct span){ 0 });
	} while (desk->events.count > 0);
	return true;
}

/* The digest goes along, so that the newest snapshot is one without the name; and the append takes
 * nothing else, so that what comes after it is of another life. */
static void
forget(struct desk *desk, uint64_t now_us)
{
	if (desk->digest_gate != 0 || !decide(desk, now_us) || !desk_log_digest(desk, now_us)) {
		return;
	}
	desk->expel.stage = EXPEL_OVER;
	desk->expel.gate = desk->open.number;
	ask_fronts(desk, now_us);
	desk->expel.posted = desk->outbox.posted;
	desk->open.closed = true;
}

void
desk_expel_run(struct desk *desk, uint64_t now_us)
{
	if (desk->expel.stage == EXPEL_ANNOUNCED && !waits(desk, now_us)) {
		desk->expel.stage = EXPEL_DECIDING;
	}
	if (desk->expel.stage == EXPEL_DECIDING) {
		forget(desk, now_us);
	}
}

bool
desk_expel_answer(struct desk *desk, uint64_t now_us, uint64_t *ticket, struct mp_writer *w)
{
	struct desk_expel *expel = &desk->expel;

	if (expel->stage != EXPEL_OVER || expel->size == 0 || desk->digest_gate != 0 ||
	    waits(desk, now_us) || outbox_settled(&desk->outbox) < expel->posted) {
		return false;
	}
	*ticket = expel->ticket;
	mp_put_array(w, 3);
	mp_put_u64(w, ACCEPTED);
	mp_put_u64(w, desk->epoch);
	mp_put_array(w, 3);
	mp_put_u64(w, expel->ended);
	mp_put_u64(w, expel->forgotten);
	mp_put_u64(w, expel->size);
	*expel = (struct desk_expel){ .stage = EXPEL_IDLE };
	return true;
}
