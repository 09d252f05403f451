/* An operator's act, decided as the actor's own command and answered when it is durable, with how
 * many events it led to. */
#include <stdlib.h>

#include "actors/desk.h"

enum { COUNT_BYTES = 9 };

static struct name
read_name(struct mp_reader *r)
{
	const struct span bytes = mp_get_str(r, NAME_BYTES_MAX);
	struct name name = { 0 };

	r->bad |=
		!name_set(&name, (const char *)bytes.at, bytes.count) || !name_is_wellformed(&name);
	return name;
}

/* `changed` goes along when it was accepted. */
static void
answer(struct desk *desk, uint64_t ticket, enum verdict verdict, uint64_t changed)
{
	uint8_t *memory = verdict == ACCEPTED ? malloc(COUNT_BYTES) : NULL;
	struct mp_writer w = mp_writer_of(memory, memory == NULL ? 0 : COUNT_BYTES);
	struct desk_answer answer = { .ticket = ticket, .verdict = verdict };

	if (memory != NULL) {
		mp_put_u64(&w, changed);
		answer.gate = desk_gate(desk);
		answer.tail = mp_written(&w);
	} else if (verdict == ACCEPTED) {
		answer.verdict = REFUSED_FULL;
	}
	desk_put_answer(desk, answer);
}

/* In rounds, until there is nothing left to do; when the open append is full it is to be asked
 * again. */
static void
run(struct desk *desk, struct command *command, uint64_t ticket, uint64_t now_us)
{
	enum verdict verdict = ACCEPTED;
	uint64_t changed = 0;

	do {
		command->command_id = desk_own_command(desk, command->type, now_us).command_id;
		verdict = desk_run(desk, command, (struct span){ 0 });
		changed += desk->events.count;
	} while (verdict == ACCEPTED && desk->events.count > 0);
	answer(desk, ticket, verdict, changed);
	desk_digest_if_due(desk, now_us);
}

void
desk_kill_take(struct desk *desk, struct mp_reader *r, uint64_t ticket, uint64_t now_us)
{
	struct command command = desk_own_command(desk, COMMAND_KILL, now_us);

	command.kill.agent_name = read_name(r);
	if (mp_reader_is_done(r)) {
		run(desk, &command, ticket, now_us);
	} else {
		answer(desk, ticket, REFUSED_MALFORMED, 0);
	}
}

void
desk_revoke_take(struct desk *desk, struct mp_reader *r, uint64_t ticket, uint64_t now_us)
{
	struct command command = desk_own_command(desk, COMMAND_REVOKE, now_us);

	command.revoke.agent_name = read_name(r);
	command.revoke.agent = mp_get_id(r);
	command.revoke.undo = mp_get_u64(r);
	if (mp_reader_is_done(r)) {
		run(desk, &command, ticket, now_us);
	} else {
		answer(desk, ticket, REFUSED_MALFORMED, 0);
	}
}
