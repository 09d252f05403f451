#include "actors/act_io.h"

#include <assert.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "actors/data_dir_io.h"
#include "actors/mailbox_io.h"
#include "protocol/message.h"
#include "protocol/time_io.h"
#include "protocol/uuid.h"

enum { REQUEST_BYTES = ACT_BYTES_MAX + 16, ANSWER_BYTES = 64, WAIT_MS = 10000 };

/* A witness that is killed gets the request again from nng: the id tells it that it is the same. */
static struct id
fresh_id(uint64_t now_us)
{
	struct uuid_generator ids = { 0 };
	const ssize_t got = getrandom(ids.tail, sizeof ids.tail, 0);

	assert(got == (ssize_t)sizeof ids.tail);
	return uuid_next(&ids, now_us / 1000);
}

void
act_stamp(struct event *event)
{
	event->occurred_us = time_now_us();
	event->command_id = fresh_id(event->occurred_us);
}

void
act_login_name(struct name *out)
{
	char text[NAME_BYTES_MAX];
	const struct passwd *user = getpwuid(geteuid());
	const char *sudo = getenv("SUDO_USER");

	if (user == NULL) {
		snprintf(text, sizeof text, "uid %u", (unsigned)geteuid());
	} else if (sudo != NULL && *sudo != '\0' && strcmp(sudo, user->pw_name) != 0) {
		snprintf(text, sizeof text, "%.100s as %.100s", sudo, user->pw_name);
	} else {
		snprintf(text, sizeof text, "%.200s", user->pw_name);
	}
	if (!name_set(out, text, strlen(text)) || !name_is_wellformed(out)) {
		name_set(out, "unknown", strlen("unknown"));
	}
}

static struct span
write_request(const struct event *event, uint8_t memory[REQUEST_BYTES])
{
	struct mp_writer w = mp_writer_of(memory, REQUEST_BYTES);
	struct event act = *event;

	act_stamp(&act);
	mp_put_array(&w, 2);
	mp_put_u64(&w, REQUEST_ACT);
	event_write(&w, &act);
	assert(!w.bad);
	return mp_written(&w);
}

enum act_result
act_log(const char *data, const struct event *event, char *fault, size_t fault_size)
{
	char run_dir[RUN_DIR_BYTES_MAX];
	char url[MAILBOX_URL_MAX];
	uint8_t request[REQUEST_BYTES];
	uint8_t answer[ANSWER_BYTES];
	enum verdict verdict = REFUSED_MALFORMED;

	if (data_dir_holder(data) == 0 || !run_dir_find(data, run_dir)) {
		return ACT_NOT_RUNNING;
	}
	mailbox_url(url, sizeof url, run_dir, "witness");
	const struct span bytes = write_request(event, request);
	const size_t count = mailbox_ask(url, bytes, answer, sizeof answer, WAIT_MS);
	if (count == 0) {
		snprintf(fault, fault_size, "the witness does not answer: see ifswarm status");
		return ACT_REFUSED;
	}
	struct mp_reader r = mp_reader_of((struct span){ answer, count });
	if (mp_get_array(&r, 3) == 0 || !verdict_from_number(mp_get_u64(&r), &verdict) ||
	    verdict != ACCEPTED) {
		snprintf(fault, fault_size, "the witness refuses it: %s", verdict_text(verdict));
		return ACT_REFUSED;
	}
	return ACT_LOGGED;
}
