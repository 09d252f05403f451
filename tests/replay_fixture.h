/* A small true log for the tests of ifreplay, written by the store itself: two agents meet in a
 * room, one is given a relay, both states log their digests, 40 candidates fill the tree. Static
 * functions, included by the tests that need it.
 */
#ifndef IFSWARM_TESTS_REPLAY_FIXTURE_H
#define IFSWARM_TESTS_REPLAY_FIXTURE_H

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "replay/states.h"
#include "store/evidence_io.h"

/* The agents' names, and that of their room. A test that looks for them among random bytes takes
 * longer ones: three letters turn up there by chance, and so do five at last. */
#ifndef FIXTURE_FIRST
#define FIXTURE_FIRST "alice"
#endif
#ifndef FIXTURE_SECOND
#define FIXTURE_SECOND "bob"
#endif
#ifndef FIXTURE_ROOM
#define FIXTURE_ROOM "lobby"
#endif

#define FIXTURE_ORIGIN "ifswarm.local/test"

enum { FIXTURE_START_S = 1790000000, FIXTURE_CANDIDATES = 560 };

struct fixture {
	struct evidence *evidence;
	struct states states;
	uint64_t epochs[STREAMS];
	uint64_t now_us;
	uint64_t commands;
	uint64_t seq; /* of the last event */
};

static inline struct id
fixture_id(uint8_t kind, uint64_t number)
{
	struct id id = { { kind } };

	for (size_t i = 0; i < 8; i++) {
		id.bytes[15 - i] = (uint8_t)(number >> (8 * i));
	}
	return id;
}

static inline struct address
fixture_address(uint8_t last, uint16_t port)
{
	return (struct address){ ADDRESS_IPV4, { 192, 0, 2, last }, port };
}

static inline struct name
fixture_name(const char *word)
{
	struct name name;

	name_set(&name, word, strlen(word));
	return name;
}

/* One event, decided now, by the stream's writer. */
static inline void
fixture_append(struct fixture *f, enum stream stream, struct event *event)
{
	uint8_t memory[8192];
	struct mp_writer w = mp_writer_of(memory, sizeof memory);
	struct event_wire wire;
	struct entry entry = { .stream = stream };
	struct digest claimed;
	struct digest found;

	f->now_us += 1000;
	event->occurred_us = f->now_us;
	event->command_id = fixture_id(0x01, ++f->commands);
	event_write(&w, event);
	assert(!w.bad);
	struct mp_reader r = mp_reader_of(mp_written(&w));
	event_wire_read(&r, &wire);
	assert(!r.bad);
	entry.stream_version = evidence_stream_head(f->evidence, stream).version;
	assert(evidence_append(f->evidence, stream, f->epochs[stream], &wire, f->now_us, &f->seq) ==
	       EVIDENCE_OK);
	states_feed(&f->states, &entry, event, &claimed, &found);
}

static inline void
fixture_begin(struct fixture *f)
{
	assert(evidence_begin(f->evidence) == EVIDENCE_OK);
}

static inline void
fixture_commit(struct fixture *f)
{
	assert(evidence_commit(f->evidence) == EVIDENCE_OK);
	assert(evidence_publish(f->evidence) == EVIDENCE_OK);
}

static inline void
fixture_claim(struct fixture *f, enum stream stream, const char *writer)
{
	assert(evidence_claim(f->evidence, stream, writer, f->now_us, &f->epochs[stream]) ==
	       EVIDENCE_OK);
}

static inline void
fixture_register(struct fixture *f, uint8_t agent, const char *name, uint64_t connection)
{
	struct event event = { .type = EVENT_AGENT_REGISTERED,
			       .trace_id = fixture_id(0x7A, agent) };

	event.agent_registered = (struct event_agent_registered){
		.agent = fixture_id(0xA0, agent),
		.room = fixture_id(0xB0, 1),
		.gateway = 1,
		.instance = fixture_id(0xC0, 1),
		.connection = connection,
		.agent_name = fixture_name(name),
		.client = fixture_address(agent, 5000),
		.room_name = fixture_name(FIXTURE_ROOM),
	};
	fixture_append(f, STREAM_SESSION, &event);
}

static inline void
fixture_signal(struct fixture *f, enum event_type type, uint8_t from, uint8_t to)
{
	struct event event = { .type = type, .trace_id = fixture_id(0x7A, from) };

	/* The three kinds of signals have the same fields. */
	event.sdp_offer_relayed = (struct event_sdp_offer_relayed){
		.from = fixture_id(0xA0, from),
		.to = fixture_id(0xA0, to),
		.room = fixture_id(0xB0, 1),
		.digest = { { from, to } },
		.bytes = 1200,
	};
	fixture_append(f, STREAM_SESSION, &event);
}

static inline void
fixture_leave(struct fixture *f, uint8_t agent, const char *name, uint64_t connection)
{
	struct event event = { .type = EVENT_AGENT_DISCONNECTED };

	event.agent_disconnected = (struct event_agent_disconnected){
		.agent = fixture_id(0xA0, agent),
		.room = fixture_id(0xB0, 1),
		.gateway = 1,
		.connection = connection,
		.reason = LEAVE_CLOSED,
		.agent_name = fixture_name(name),
		.room_name = fixture_name(FIXTURE_ROOM),
	};
	fixture_append(f, STREAM_SESSION, &event);
}

static inline void
fixture_allocate(struct fixture *f)
{
	struct event event = { .type = EVENT_TURN_ALLOCATION_CREATED };

	event.turn_allocation_created = (struct event_turn_allocation_created){
		.allocation = fixture_id(0xD0, 1),
		.user = fixture_id(0xE0, 1),
		.relay = 1,
		.transport = 17,
		.server = fixture_address(250, 3478),
		.relayed = fixture_address(250, 49152),
		.expires_us = f->now_us + 600000000,
		.user_name = fixture_name("1790003600:" FIXTURE_FIRST),
		.client = fixture_address(1, 6000),
	};
	fixture_append(f, STREAM_ALLOCATION, &event);
	event = (struct event){ .type = EVENT_TURN_PERMISSION_INSTALLED };
	event.turn_permission_installed = (struct event_turn_permission_installed){
		.allocation = fixture_id(0xD0, 1),
		.user = fixture_id(0xE0, 1),
		.number = 1,
		.expires_us = f->now_us + 300000000,
		.peer = fixture_address(2, 0),
	};
	fixture_append(f, STREAM_ALLOCATION, &event);
	event = (struct event){ .type = EVENT_TURN_RELAY_USAGE };
	event.turn_relay_usage = (struct event_turn_relay_usage){
		.allocation = fixture_id(0xD0, 1),
		.user = fixture_id(0xE0, 1),
		.number = 1,
		.packets_up = 10,
		.bytes_up = 12345,
		.packets_down = 9,
		.bytes_down = 6789,
		.peer = fixture_address(2, 0),
	};
	fixture_append(f, STREAM_ALLOCATION, &event);
}

static inline void
fixture_refuse(struct fixture *f)
{
	struct event event = { .type = EVENT_TURN_REQUEST_REFUSED };

	event.turn_request_refused = (struct event_turn_request_refused){
		.day = fixture_id(0xF0, 1),
		.relay = 1,
		.verdict = REFUSED_FORBIDDEN,
		.method = 8,
		.count = 5,
		.window_us = 10000000,
		.source = fixture_address(1, 6000),
		.user_name = fixture_name("1790003600:" FIXTURE_FIRST),
		.peer = { ADDRESS_IPV4, { 127, 0, 0, 1 }, 80 },
	};
	fixture_append(f, STREAM_ALLOCATION, &event);
}

static inline void
fixture_end(struct fixture *f)
{
	struct event event = { .type = EVENT_TURN_ALLOCATION_ENDED };

	event.turn_allocation_ended = (struct event_turn_allocation_ended){
		.allocation = fixture_id(0xD0, 1),
		.relay = 1,
		.reason = END_RELEASED,
		.packets_up = 10,
		.bytes_up = 12345,
		.packets_down = 9,
		.bytes_down = 6789,
	};
	fixture_append(f, STREAM_ALLOCATION, &event);
}

/* The state's digest, as the live actor logs it. */
static inline void
fixture_digest(struct fixture *f, enum stream stream)
{
	struct event event = { .type = stream == STREAM_SESSION ? EVENT_SESSION_STATE_DIGEST
								: EVENT_ALLOCATION_STATE_DIGEST };

	/* Both have the same fields. */
	event.session_state_digest.version = evidence_stream_head(f->evidence, stream).version;
	states_digest(&f->states, stream, &event.session_state_digest.digest);
	fixture_append(f, stream, &event);
}

static inline void
fixture_attach(struct fixture *f)
{
	struct event gateway = { .type = EVENT_GATEWAY_ATTACHED };
	struct event relay = { .type = EVENT_RELAY_ATTACHED };

	gateway.gateway_attached = (struct event_gateway_attached){ 1, fixture_id(0xC0, 1) };
	relay.relay_attached = (struct event_relay_attached){ 1, fixture_id(0xC1, 1) };
	fixture_append(f, STREAM_SESSION, &gateway);
	fixture_append(f, STREAM_ALLOCATION, &relay);
}

static inline void
fixture_open(struct fixture *f, const char *directory)
{
	char fault[EVIDENCE_FAULT_MAX];

	memset(f, 0, sizeof *f);
	states_make(&f->states);
	f->now_us = (uint64_t)FIXTURE_START_S * 1000000;
	const struct evidence_options options = { .directory = directory,
						  .origin = FIXTURE_ORIGIN,
						  .now_us = f->now_us };
	if (!evidence_open(&options, &f->evidence, fault, sizeof fault)) {
		fprintf(stderr, "%s\n", fault);
		abort();
	}
	fixture_begin(f);
	fixture_claim(f, STREAM_SESSION, "session");
	fixture_claim(f, STREAM_ALLOCATION, "allocation");
	fixture_attach(f);
	fixture_commit(f);
}

static inline void
fixture_snapshot(struct fixture *f, enum stream stream)
{
	const struct core *core = &f->states.cores[stream];
	uint8_t *memory = malloc(2 << 22);
	struct mp_writer dump = mp_writer_of(memory, 1 << 22);
	struct mp_writer annex = mp_writer_of(memory + (1 << 22), 1 << 22);
	const uint64_t version = evidence_stream_head(f->evidence, stream).version;

	fixture_begin(f);
	fixture_digest(f, stream);
	fixture_commit(f);
	core->dump(core->state, &dump);
	core->dump_personal(core->state, &annex);
	assert(evidence_snapshot_put(f->evidence, stream, version, mp_written(&dump),
				     mp_written(&annex)) == EVIDENCE_OK);
	free(memory);
}

static inline void
fixture_close(struct fixture *f)
{
	evidence_close(f->evidence, f->now_us);
	states_free(&f->states);
}

/* The whole story, in `directory`, which is made. */
static inline void
fixture_make(const char *directory)
{
	struct fixture f;

	mkdir(directory, 0700);
	fixture_open(&f, directory);
	fixture_begin(&f);
	fixture_register(&f, 1, FIXTURE_FIRST, 11);
	fixture_register(&f, 2, FIXTURE_SECOND, 12);
	fixture_signal(&f, EVENT_SDP_OFFER_RELAYED, 1, 2);
	fixture_signal(&f, EVENT_SDP_ANSWER_RELAYED, 2, 1);
	fixture_allocate(&f);
	fixture_refuse(&f);
	fixture_commit(&f);
	fixture_snapshot(&f, STREAM_SESSION);
	for (int i = 0; i < FIXTURE_CANDIDATES; i++) {
		if (i % 140 == 0) {
			fixture_begin(&f);
		}
		fixture_signal(&f, EVENT_ICE_CANDIDATE_RELAYED, (uint8_t)(1 + i % 2),
			       (uint8_t)(2 - i % 2));
		if (i % 140 == 139) {
			fixture_commit(&f);
		}
	}
	fixture_begin(&f);
	fixture_end(&f);
	fixture_leave(&f, 2, FIXTURE_SECOND, 12);
	fixture_digest(&f, STREAM_SESSION);
	fixture_digest(&f, STREAM_ALLOCATION);
	fixture_commit(&f);
	fixture_close(&f);
}

/* A group of tests has the whole story in a directory of its own: give cmocka these two. */
/* Seqs of the fixture move when the catalog grows, because every type is declared at the beginning.
 * A text says them as they are with FIXTURE_TYPES types: "<44>" becomes that seq in this log,
 * "<44*2>" twice that. */
enum { FIXTURE_TYPES = 36, FIXTURE_TEXT_MAX = 4096 };

static inline const char *
fixture_text(const char *text)
{
	static char out[FIXTURE_TEXT_MAX];
	size_t at = 0;

	while (*text != '\0' && at + 24 < sizeof out) {
		const size_t digits = *text == '<' ? strspn(text + 1, "0123456789") : 0;
		const char *end = text + 1 + digits;
		const bool is_twice = digits > 0 && strncmp(end, "*2>", 3) == 0;

		if (digits == 0 || (*end != '>' && !is_twice)) {
			out[at++] = *text++;
			continue;
		}
		const size_t seq = strtoul(text + 1, NULL, 10) - FIXTURE_TYPES + event_types();
		at += (size_t)snprintf(out + at, sizeof out - at, "%zu", is_twice ? 2 * seq : seq);
		text = end + (is_twice ? 3 : 1);
	}
	out[at] = '\0';
	return out;
}

static char fixture_base[] = "/tmp/ifswarm-replay-XXXXXX";
static char fixture_truth[sizeof fixture_base + sizeof "/true"];

static inline int
fixture_set_up(void **state)
{
	(void)state;
	if (mkdtemp(fixture_base) == NULL) {
		return 1;
	}
	snprintf(fixture_truth, sizeof fixture_truth, "%s/true", fixture_base);
	fixture_make(fixture_truth);
	return 0;
}

static inline int
fixture_tear_down(void **state)
{
	char line[256];

	(void)state;
	snprintf(line, sizeof line, "rm -rf %s", fixture_base);
	return system(line);
}

#endif
