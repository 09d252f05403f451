#include "actors/operate_ask_io.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actors/act_io.h"
#include "actors/data_dir_io.h"
#include "actors/mailbox_io.h"
#include "actors/supervisor_operate_io.h"
#include "protocol/message.h"

enum { REQUEST_BYTES = 1024, WAIT_MS = 40000 };

static void
put_text(struct mp_writer *w, const char *text)
{
	mp_put_str(w, text, strlen(text));
}

static struct span
write_request(const struct operate_question *question, uint8_t memory[REQUEST_BYTES])
{
	struct mp_writer w = mp_writer_of(memory, REQUEST_BYTES);
	struct name operator_name;

	act_login_name(&operator_name);
	mp_put_array(&w, 5);
	mp_put_u64(&w, REQUEST_OPERATE);
	put_text(&w, question->act);
	mp_put_str(&w, operator_name.bytes, operator_name.length);
	put_text(&w, question->about);
	mp_put_u64(&w, question->argument);
	return w.bad ? (struct span){ 0 } : mp_written(&w);
}

static enum verdict
read_answer(struct span answer, struct report *report)
{
	struct mp_reader r = mp_reader_of(answer);
	enum verdict verdict = REFUSED_MALFORMED;

	mp_get_array(&r, 2);
	if (!verdict_from_number(mp_get_u64(&r), &verdict)) {
		return REFUSED_MALFORMED;
	}
	const size_t count = mp_get_array(&r, REPORT_LINES_MAX);
	for (size_t i = 0; i < count && !r.bad; i++) {
		mp_get_array(&r, 2);
		const uint64_t kind = mp_get_u64(&r);
		const struct span line = mp_get_str(&r, SETTING_FAULT_MAX);
		report_add(report, kind <= REPORT_LATE ? (enum report_kind)kind : REPORT_LATE,
			   "%.*s", (int)line.count, line.count > 0 ? (const char *)line.at : "");
	}
	return mp_reader_is_done(&r) ? verdict : REFUSED_MALFORMED;
}

static enum verdict
say(enum verdict verdict)
{
	if (verdict == REFUSED_SUSPENDED) {
		fprintf(stderr, "ifswarm: the evidence log cannot take this act now, so nothing "
				"was done: see `ifswarm status`, and ask again\n");
	} else if (verdict == REFUSED_FULL) {
		fprintf(stderr, "ifswarm: another such act is under way: ask again\n");
	} else if (verdict != ACCEPTED) {
		fprintf(stderr, "ifswarm: refused: %s\n", verdict_text(verdict));
	}
	return verdict;
}

enum verdict
operate_ask(const char *data, const struct operate_question *question, struct report *report)
{
	static uint8_t answer[OPERATE_BYTES_MAX];
	uint8_t request[REQUEST_BYTES];
	char run_dir[RUN_DIR_BYTES_MAX];
	char url[MAILBOX_URL_MAX];
	const struct span bytes = write_request(question, request);

	report->count = 0;
	if (bytes.count == 0) {
		return say(REFUSED_NAME);
	}
	if (data_dir_holder(data) == 0 || !run_dir_find(data, run_dir)) {
		fprintf(stderr,
			"ifswarm: no cluster runs on %s: start one with `ifswarm up --data-dir "
			"%s`\n",
			data, data);
		return REFUSED_NOT_ATTACHED;
	}
	mailbox_url(url, sizeof url, run_dir, "supervisor");
	const size_t count = mailbox_ask(url, bytes, answer, sizeof answer, WAIT_MS);

	if (count == 0) {
		fprintf(stderr, "ifswarm: the supervisor with pid %ld does not answer\n",
			data_dir_holder(data));
		return REFUSED_NOT_ATTACHED;
	}
	return say(read_answer((struct span){ answer, count }, report));
}
