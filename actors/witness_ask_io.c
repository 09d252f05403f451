#include "actors/witness_ask_io.h"

#include <assert.h>
#include <stdio.h>
#include <time.h>

#include "actors/act_io.h"
#include "actors/data_dir_io.h"
#include "actors/mailbox_io.h"

enum { WAIT_MS = 30000, PAUSE_MS = 50 };

/* One request and its answer, whose verdict is ACCEPTED. */
static bool
ask(const char *url, struct span request, uint8_t answer[ACTS_ANSWER_BYTES], struct mp_reader *r,
    char *fault, size_t fault_size)
{
	enum verdict verdict = REFUSED_MALFORMED;
	const size_t count = mailbox_ask(url, request, answer, ACTS_ANSWER_BYTES, WAIT_MS);

	if (count == 0) {
		snprintf(fault, fault_size, "the witness does not answer: see ifswarm status");
		return false;
	}
	*r = mp_reader_of((struct span){ answer, count });
	mp_get_array(r, 16);
	if (verdict_from_number(mp_get_u64(r), &verdict) && verdict == ACCEPTED) {
		return true;
	}
	snprintf(fault, fault_size, "the witness refuses it: %s",
		 verdict == REFUSED_FULL ? "another erasure or retention is under way"
					 : verdict_text(verdict));
	return false;
}

static void
pause_a_little(void)
{
	const struct timespec time = { .tv_nsec = PAUSE_MS * 1000 * 1000 };

	nanosleep(&time, NULL);
}

static bool
find_witness(const char *data, char url[MAILBOX_URL_MAX])
{
	char run_dir[RUN_DIR_BYTES_MAX];

	if (data_dir_holder(data) == 0 || !run_dir_find(data, run_dir)) {
		return false;
	}
	mailbox_url(url, MAILBOX_URL_MAX, run_dir, "witness");
	return true;
}

static struct id
fresh_id(void)
{
	struct event stamp = { .type = EVENT_ERASE_REQUESTED };

	act_stamp(&stamp);
	return stamp.command_id;
}

static enum told
not_understood(char *fault, size_t fault_size)
{
	snprintf(fault, fault_size,
		 "the witness answers what this program does not understand: are both of one "
		 "version?");
	return TOLD_REFUSED;
}

enum told
erase_ask(const char *data, const struct erase_order *order, erase_progress *progress,
	  void *context, enum erase_state *state, struct erase_report *report, char *fault,
	  size_t fault_size)
{
	char url[MAILBOX_URL_MAX];
	uint8_t request[ERASE_REQUEST_BYTES];
	uint8_t answer[ACTS_ANSWER_BYTES];
	struct mp_writer w = mp_writer_of(request, sizeof request);
	const struct id id = fresh_id();
	struct mp_reader r;

	if (!find_witness(data, url)) {
		return TOLD_NOT_RUNNING;
	}
	erase_request_write(&w, &id, order);
	assert(!w.bad);
	do {
		if (!ask(url, mp_written(&w), answer, &r, fault, fault_size)) {
			return TOLD_REFUSED;
		}
		if (!erase_answer_read(&r, state, report)) {
			return not_understood(fault, fault_size);
		}
		pause_a_little();
	} while ((*state == ERASE_WORKS || *state == ERASE_WAITS) &&
		 progress(context, *state, report));
	return TOLD_END;
}

enum told
retain_ask(const char *data, const struct retain_order *order, retain_progress *progress,
	   void *context, enum erase_state *state, struct retain_result *result, char *fault,
	   size_t fault_size)
{
	char url[MAILBOX_URL_MAX];
	uint8_t request[64];
	uint8_t answer[ACTS_ANSWER_BYTES];
	struct mp_writer w = mp_writer_of(request, sizeof request);
	const struct id id = fresh_id();
	struct mp_reader r;

	if (!find_witness(data, url)) {
		return TOLD_NOT_RUNNING;
	}
	retain_request_write(&w, &id, order);
	assert(!w.bad);
	do {
		if (!ask(url, mp_written(&w), answer, &r, fault, fault_size)) {
			return TOLD_REFUSED;
		}
		if (!retain_answer_read(&r, state, result)) {
			return not_understood(fault, fault_size);
		}
		pause_a_little();
	} while ((*state == ERASE_WORKS || *state == ERASE_WAITS) && progress(context, *state));
	return TOLD_END;
}
