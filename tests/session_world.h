/* Session for its tests: the core without a desk or a log, driven by commands in words, and its
 * notices in words. Static functions, and the outbox that session posts to. */
#ifndef IFSWARM_TESTS_SESSION_WORLD_H
#define IFSWARM_TESTS_SESSION_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "actors/session.h"

enum { TEXT_MAX = 2048 };

/* What a test's outbox is: the notices in words. */
struct outbox {
	char text[TEXT_MAX];
};

static inline void
say(char *text, const char *format, ...)
{
	const size_t used = strlen(text);
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text + used, TEXT_MAX - used, format, arguments);
	va_end(arguments);
}

static inline void
say_roster(char *text, struct span body)
{
	struct mp_reader r = mp_reader_of(body);
	const size_t count = mp_get_array(&r, AGENTS_MAX);

	say(text, " [");
	for (size_t i = 0; i < count; i++) {
		const struct span name = mp_get_str(&r, NAME_BYTES_MAX);
		say(text, "%s%.*s", i > 0 ? " " : "", (int)name.count, (const char *)name.at);
	}
	assert_true(mp_reader_is_done(&r));
	say(text, "]");
}

#define NAME(name) (int)(name).length, (name).bytes

void
outbox_post(struct outbox *outbox, uint64_t front, const struct notice *notice, struct span body)
{
	char *text = outbox->text;

	say(text, "%s%llu:", text[0] == '\0' ? "" : "; ", (unsigned long long)front);
	switch ((int)notice->type) {
	case NOTICE_REGISTERED:
		say(text, "registered %llu %.*s", (unsigned long long)notice->registered.connection,
		    NAME(notice->registered.agent_name));
		if (body.count > 0) {
			say_roster(text, body);
		}
		break;
	case NOTICE_REFUSED:
		say(text, "refused %llu %s %.*s", (unsigned long long)notice->refused.connection,
		    verdict_name((enum verdict)notice->refused.verdict),
		    NAME(notice->refused.about));
		break;
	case NOTICE_DELIVER:
		say(text, "deliver %llu %.*s", (unsigned long long)notice->deliver.connection,
		    (int)body.count, (const char *)body.at);
		break;
	case NOTICE_JOINED:
		say(text, "joined %.*s%s", NAME(notice->joined.agent_name),
		    notice->joined.again ? " again" : "");
		break;
	case NOTICE_LEFT:
		say(text, "left %.*s", NAME(notice->left.agent_name));
		break;
	case NOTICE_CLOSE:
		say(text, "close %llu%s", (unsigned long long)notice->close.connection,
		    notice->close.reason == LEAVE_EXPELLED ? " expelled" : "");
		break;
	default:
		fail_msg("notice %d is not session's", (int)notice->type);
	}
}

/* Commands in words. */

struct world {
	struct id instances[3]; /* attached, by gateway */
	uint64_t commands;
	struct outbox outbox;
	struct event_list events;
	struct session_state *state;
};

static inline struct id
id_of(uint8_t kind, uint64_t number)
{
	struct id id = { { kind } };

	for (int i = 0; i < 8; i++) {
		id.bytes[8 + i] = (uint8_t)(number >> (56 - 8 * i));
	}
	return id;
}

/* "_" is the empty name, "^" one with a control character, "*" one of the greatest length. */
static inline struct name
name_in(const char *word)
{
	struct name name;

	if (strcmp(word, "*") == 0) {
		memset(name.bytes, 'n', sizeof name.bytes);
		name.length = NAME_BYTES_MAX;
		return name;
	}
	name_set(&name, word, strcmp(word, "_") == 0 ? 0 : strlen(word));
	if (strcmp(word, "^") == 0) {
		name.bytes[0] = 7;
	}
	return name;
}

static inline struct command
command_in(struct world *world, const char *words)
{
	char verb[16] = "", one[64] = "_", two[64] = "_";
	unsigned front = 0, connection = 0;
	struct command c = { .now_us = 1735689600000000 + world->commands };

	const int count =
		sscanf(words, "%15s %u %u %63s %63s", verb, &front, &connection, one, two);
	assert_true(count >= 1);
	c.front = front;
	c.instance = world->instances[front <= 2 ? front : 0];
	c.command_id = id_of(0, ++world->commands);
	c.trace_id = id_of(4, connection);
	if (strcmp(verb, "attach") == 0) {
		c.type = COMMAND_ATTACH;
		c.attach.instance = connection == 0 ? (struct id){ { 0 } } : id_of(3, connection);
		c.instance = c.attach.instance;
	} else if (strcmp(verb, "register") == 0 || strcmp(verb, "drained") == 0) {
		c.type = COMMAND_REGISTER;
		c.register_agent = (struct command_register_agent){
			.connection = connection,
			.agent_name = name_in(one),
			.room_name = name_in(two),
			.agent = id_of(1, world->commands),
			.room = id_of(2, world->commands),
			.draining = strcmp(verb, "drained") == 0, /* registers while it is so */
		};
	} else if (strcmp(verb, "leave") == 0) {
		c.type = COMMAND_LEAVE;
		c.leave = (struct command_leave){ .connection = connection,
						  .reason = (uint64_t)atoi(one) };
	} else if (strcmp(verb, "refused") == 0) {
		c.type = COMMAND_SIGNALING_REFUSED;
		c.signaling_refused =
			(struct command_signaling_refused){ .verdict = connection,
							    .count = (uint64_t)atoi(one),
							    .day = id_of(5, world->commands) };
	} else if (strcmp(verb, "sweep") == 0) {
		c.type = COMMAND_SWEEP;
	} else if (strcmp(verb, "close") == 0) {
		c.type = COMMAND_CLOSE;
	} else if (strcmp(verb, "expel") == 0) {
		c.type = COMMAND_EXPEL;
		c.expel = (struct command_expel){ .agent_name = name_in(one), .over = connection };
	} else if (strcmp(verb, "expelled") == 0) {
		c.type = COMMAND_EXPELLED;
	} else if (strcmp(verb, "digest") == 0) {
		c.type = COMMAND_DIGEST;
	} else {
		c.type = COMMAND_SIGNAL;
		c.signal = (struct command_signal){ .connection = connection,
						    .from = name_in(one),
						    .to = name_in(two),
						    .bytes = 5 };
		c.signal.kind = verb[0] == 'o'   ? SIGNAL_OFFER
				: verb[0] == 'a' ? SIGNAL_ANSWER
				: verb[0] == 'c' ? SIGNAL_CANDIDATE
						 : 9;
	}
	return c;
}

/* What the desk does with a command, without a log. */
static inline enum verdict
run(struct world *world, const struct command *command)
{
	static const struct span frame = { (const uint8_t *)"frame", 5 };
	enum verdict verdict = ACCEPTED;

	world->events.count = 0;
	world->outbox.text[0] = '\0';
	if (!session_repeats(world->state, command)) {
		verdict = session_decide(world->state, command, &world->events);
	}
	assert_true(verdict == ACCEPTED || world->events.count == 0);
	for (uint32_t i = 0; i < world->events.count; i++) {
		session_apply(world->state, &world->events.items[i]);
	}
	if (verdict == ACCEPTED && command->type == COMMAND_ATTACH && command->front <= 2) {
		world->instances[command->front] = command->attach.instance;
	}
	session_tell(world->state, command, frame, verdict, &world->events, &world->outbox);
	return verdict;
}

static inline void
begin(struct world *world, struct session_sizes sizes)
{
	memset(world, 0, sizeof *world);
	world->state = session_new(&sizes, 99);
	assert_non_null(world->state);
}

/* Steps separated by ';' that are all accepted. */
static inline void
prepare(struct world *world, const char *given)
{
	char text[512];
	char *rest = text;

	snprintf(text, sizeof text, "%s", given);
	for (char *step = strtok_r(text, ";", &rest); step != NULL;
	     step = strtok_r(NULL, ";", &rest)) {
		const struct command command = command_in(world, step);
		assert_int_equal(run(world, &command), ACCEPTED);
	}
}

/* Two gateways, and an agent of each in one room. */
#define BOTH "attach 1 1; attach 2 2"
#define PAIR BOTH "; register 1 10 A den; register 2 20 B den"

static const struct session_sizes small = { .agents = 4, .rooms = 2, .names = 6, .recent = 5 };

#endif
