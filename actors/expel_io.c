#include "actors/expel_io.h"

#include <stdio.h>
#include <string.h>

#include "actors/data_dir_io.h"
#include "actors/mailbox_io.h"
#include "protocol/message.h"

enum { REQUEST_BYTES = NAME_BYTES_MAX + 16, ANSWER_BYTES = 64, WAIT_MS = 35000 };

static bool
read_answer(struct span answer, struct expel_part *out, enum verdict *verdict)
{
	struct mp_reader r = mp_reader_of(answer);

	mp_get_array(&r, 3);
	if (!verdict_from_number(mp_get_u64(&r), verdict) || *verdict != ACCEPTED) {
		return false;
	}
	mp_get_u64(&r); /* its epoch */
	r.bad |= mp_get_array(&r, 3) != 3;
	out->ended = mp_get_u64(&r);
	out->forgotten = mp_get_u64(&r);
	out->size = mp_get_u64(&r);
	return mp_reader_is_done(&r);
}

/* The actor may be restarted meanwhile: nng asks the next incarnation, which begins anew. */
static bool
ask_actor(const char *run_dir, const char *actor, const char *name, struct expel_part *out,
	  char *fault, size_t fault_size)
{
	char url[MAILBOX_URL_MAX];
	uint8_t request[REQUEST_BYTES];
	uint8_t answer[ANSWER_BYTES];
	struct mp_writer w = mp_writer_of(request, sizeof request);
	enum verdict verdict = REFUSED_MALFORMED;

	mp_put_array(&w, 2);
	mp_put_u64(&w, REQUEST_EXPEL);
	mp_put_str(&w, name, strlen(name));
	mailbox_url(url, sizeof url, run_dir, actor);
	const size_t count = mailbox_ask(url, mp_written(&w), answer, sizeof answer, WAIT_MS);
	if (count == 0) {
		snprintf(fault, fault_size, "%s does not answer: see ifswarm status", actor);
		return false;
	}
	if (!read_answer((struct span){ answer, count }, out, &verdict)) {
		snprintf(fault, fault_size, "%s refuses it: %s", actor, verdict_text(verdict));
		return false;
	}
	return true;
}

enum expel_result
expel_agent(const char *data, const char *name, struct expel_done *done, char *fault,
	    size_t fault_size)
{
	char run_dir[RUN_DIR_BYTES_MAX];
	struct name agent;

	memset(done, 0, sizeof *done);
	if (!name_set(&agent, name, strlen(name)) || !name_is_wellformed(&agent)) {
		snprintf(fault, fault_size, "%s", verdict_text(REFUSED_NAME));
		return EXPEL_FAILED;
	}
	if (data_dir_holder(data) == 0 || !run_dir_find(data, run_dir)) {
		return EXPEL_NOT_RUNNING;
	}
	/* Session first: who is no longer registered is handed no new credential. */
	const bool good =
		ask_actor(run_dir, "session", name, &done->session, fault, fault_size) &&
		ask_actor(run_dir, "allocation", name, &done->allocation, fault, fault_size);
	return good ? EXPEL_DONE : EXPEL_FAILED;
}
