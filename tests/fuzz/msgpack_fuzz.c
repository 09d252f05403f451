/* What one actor reads from another: values, events, commands, notices. What is read is written
 * again, and must be the same bytes: each value has one encoding. */
#include <assert.h>
#include <string.h>

#include "protocol/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

static uint8_t memory[65536];

static void
assert_same(const struct mp_writer *w, const uint8_t *bytes, const struct mp_reader *r)
{
	const struct span written = mp_written(w);

	assert(!w->bad);
	assert(written.count == (size_t)(r->at - bytes));
	assert(memcmp(written.at, bytes, written.count) == 0);
}

static void
read_event(struct span input)
{
	struct mp_reader r = mp_reader_of(input);
	struct mp_writer w = mp_writer_of(memory, sizeof memory);
	struct event event;

	event_read(&r, &event);
	if (!r.bad) {
		event_write(&w, &event);
		assert_same(&w, input.at, &r);
	}
}

static void
read_command(struct span input)
{
	struct mp_reader r = mp_reader_of(input);
	struct mp_writer w = mp_writer_of(memory, sizeof memory);
	struct command command;
	struct span body;

	command_read(&r, &command, &body);
	if (!r.bad) {
		command_write(&w, &command, body);
		assert_same(&w, input.at, &r);
	}
}

static void
read_notice(struct span input)
{
	struct mp_reader r = mp_reader_of(input);
	struct mp_writer w = mp_writer_of(memory, sizeof memory);
	struct notice notice;
	struct span body;

	notice_read(&r, &notice, &body);
	if (!r.bad) {
		notice_write(&w, &notice, body);
		assert_same(&w, input.at, &r);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
	/* The first byte chooses, so that no reader has the corpus to itself. */
	if (count < 1 || count > sizeof memory) {
		return 0;
	}
	const struct span input = { bytes + 1, count - 1 };
	struct mp_reader r = mp_reader_of(input);

	switch (bytes[0] % 4) {
	case 0:
		mp_get_value(&r);
		assert(r.at <= r.end);
		break;
	case 1:
		read_event(input);
		break;
	case 2:
		read_command(input);
		break;
	case 3:
		read_notice(input);
		break;
	}
	return 0;
}
