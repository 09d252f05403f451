#include "actors/live_ask_io.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "actors/data_dir_io.h"
#include "actors/mailbox_io.h"

enum { REQUEST_BYTES = NAME_BYTES_MAX + 64, WAIT_MS = 5000, END_WITHIN_MS = 15000, AGAIN_MS = 50 };
_Static_assert((int)RUN_DIR_BYTES_MAX <= (int)sizeof(((struct live *)NULL)->run_dir), "it fits");

bool
live_open(struct live *live, const char *data)
{
	static struct settings running;

	if (!running_settings_read(data, &running) || !run_dir_find(data, live->run_dir)) {
		fprintf(stderr,
			"ifswarm: no cluster runs on %s: start one with `ifswarm up --data-dir "
			"%s`\n",
			data, data);
		return false;
	}
	live->relays = running.relays;
	return true;
}

/* One request; a reader behind verdict and epoch of its answer, which is bad if there is none or it
 * refuses (said). */
static struct mp_reader
ask(const struct live *live, const char *actor, const struct mp_writer *request, uint8_t *answer)
{
	char url[MAILBOX_URL_MAX];
	enum verdict verdict = REFUSED_MALFORMED;

	mailbox_url(url, sizeof url, live->run_dir, actor);
	const size_t count =
		mailbox_ask(url, mp_written(request), answer, OPERATE_PAGE_BYTES, WAIT_MS);
	struct mp_reader r = mp_reader_of((struct span){ answer, count });

	mp_get_array(&r, 8);
	const bool is_read = verdict_from_number(mp_get_u64(&r), &verdict);
	mp_get_u64(&r);
	if (count == 0) {
		fprintf(stderr,
			"ifswarm: %s does not answer: see `ifswarm status`, and ask again\n",
			actor);
	} else if (!is_read || verdict != ACCEPTED) {
		fprintf(stderr, "ifswarm: %s refuses it: %s\n", actor, verdict_text(verdict));
	}
	r.bad |= count == 0 || verdict != ACCEPTED;
	return r;
}

static void
relay_name(char out[32], uint64_t number)
{
	snprintf(out, 32, "relay-%u", (unsigned)number);
}

static struct mp_writer
begin(uint8_t memory[REQUEST_BYTES], size_t elements, enum request request)
{
	struct mp_writer w = mp_writer_of(memory, REQUEST_BYTES);

	mp_put_array(&w, elements);
	mp_put_u64(&w, request);
	return w;
}

/* --- who holds what --- */

static void
read_peers(struct mp_reader *r, struct live_allocation *out)
{
	out->peer_count = mp_get_array(r, OPERATE_PEERS_MAX);
	for (size_t i = 0; i < out->peer_count && !r->bad; i++) {
		mp_get_array(r, 3);
		address_read(r, &out->peers[i].address);
		out->peers[i].channel = mp_get_u64(r);
		out->peers[i].expires_us = mp_get_u64(r);
	}
}

static void
read_allocation(struct mp_reader *r, struct live_allocation *out)
{
	r->bad |= mp_get_array(r, OPERATE_ALLOCATION_ELEMENTS) != OPERATE_ALLOCATION_ELEMENTS;
	out->id = mp_get_id(r);
	const struct span user = mp_get_str(r, NAME_BYTES_MAX);
	out->user = (struct name){ 0 };
	if (user.count > 0) {
		name_set(&out->user, (const char *)user.at, user.count);
	}
	address_read(r, &out->client);
	out->client_transport = mp_get_u64(r);
	address_read(r, &out->server);
	out->transport = mp_get_u64(r);
	address_read(r, &out->relayed);
	address_read(r, &out->relayed_also);
	out->created_us = mp_get_u64(r);
	out->expires_us = mp_get_u64(r);
	out->usage.packets_up = mp_get_u64(r);
	out->usage.bytes_up = mp_get_u64(r);
	out->usage.packets_down = mp_get_u64(r);
	out->usage.bytes_down = mp_get_u64(r);
	read_peers(r, out);
}

/* One page; where the next begins, 0 after the last or if this one cannot be had. */
static uint64_t
list_page(const struct live *live, uint64_t relay, uint64_t from, const char *agent, bool *good,
	  void (*take)(void *context, const struct live_allocation *allocation), void *context)
{
	static uint8_t answer[OPERATE_PAGE_BYTES];
	static struct live_allocation allocation;
	uint8_t memory[REQUEST_BYTES];
	char actor[32];
	struct mp_writer w = begin(memory, 3, REQUEST_ALLOCATIONS);

	relay_name(actor, relay);
	mp_put_u64(&w, from);
	mp_put_str(&w, agent, strlen(agent));
	struct mp_reader r = ask(live, actor, &w, answer);
	const uint64_t next = mp_get_u64(&r);

	for (size_t left = mp_get_array(&r, ALLOCATIONS_MAX); left > 0 && !r.bad; left--) {
		read_allocation(&r, &allocation);
		allocation.relay = relay;
		if (!r.bad) {
			take(context, &allocation);
		}
	}
	*good &= !r.bad;
	return r.bad || next <= from ? 0 : next;
}

bool
live_list(const struct live *live, const char *agent,
	  void (*take)(void *context, const struct live_allocation *allocation), void *context)
{
	bool good = true;

	for (uint64_t relay = 1; relay <= live->relays; relay++) {
		uint64_t from = 0;

		do {
			from = list_page(live, relay, from, agent, &good, take, context);
		} while (from != 0);
	}
	return good;
}

/* --- what is to end --- */

static void
count_one(void *context, const struct live_allocation *allocation)
{
	uint64_t *count = context;

	(void)allocation;
	(*count)++;
}

/* All relays, once. */
static bool
kill_round(const struct live *live, const char *agent, const struct id *allocation, uint64_t *found)
{
	static const struct id none;
	uint8_t answer[OPERATE_PAGE_BYTES];
	uint8_t memory[REQUEST_BYTES];
	char actor[32];
	bool good = true;

	*found = 0;
	for (uint64_t relay = 1; relay <= live->relays; relay++) {
		struct mp_writer w = begin(memory, 3, REQUEST_KILL);

		mp_put_str(&w, agent, strlen(agent));
		mp_put_id(&w, allocation == NULL ? &none : allocation);
		relay_name(actor, relay);
		struct mp_reader r = ask(live, actor, &w, answer);

		*found += mp_get_u64(&r);
		good &= mp_reader_is_done(&r);
	}
	return good;
}

static bool
say_late(uint64_t left)
{
	fprintf(stderr,
		"ifswarm: %llu allocations have stopped relaying and are not ended in the log yet: "
		"see `ifswarm status`, and ask again\n",
		(unsigned long long)left);
	return false;
}

bool
live_kill(const struct live *live, const char *agent, const struct id *allocation, uint64_t *ended)
{
	uint64_t left = 0;

	if (!kill_round(live, agent, allocation, ended)) {
		return false;
	}
	left = *ended;
	for (int waited_ms = 0; left > 0; waited_ms += AGAIN_MS) {
		if (waited_ms >= END_WITHIN_MS) {
			return say_late(left);
		}
		poll(NULL, 0, AGAIN_MS);
		if (!kill_round(live, agent, allocation, &left)) {
			return false;
		}
	}
	return true;
}

bool
live_wait_gone(const struct live *live, const char *agent)
{
	for (int waited_ms = 0; waited_ms < END_WITHIN_MS; waited_ms += AGAIN_MS) {
		uint64_t left = 0;

		if (!live_list(live, agent, count_one, &left)) {
			return false;
		}
		if (left == 0) {
			return true;
		}
		poll(NULL, 0, AGAIN_MS);
	}
	return say_late(1);
}

bool
live_kill_agent(const struct live *live, const char *agent, uint64_t *ended)
{
	uint8_t answer[OPERATE_PAGE_BYTES];
	uint8_t memory[REQUEST_BYTES];
	struct mp_writer w = begin(memory, 2, REQUEST_KILL);

	mp_put_str(&w, agent, strlen(agent));
	struct mp_reader r = ask(live, "session", &w, answer);

	*ended = mp_get_u64(&r);
	return mp_reader_is_done(&r);
}

bool
live_revoke(const struct live *live, const char *agent, bool undo, uint64_t *changed)
{
	uint8_t answer[OPERATE_PAGE_BYTES];
	uint8_t memory[REQUEST_BYTES];
	struct id handle;
	struct mp_writer w = begin(memory, 4, REQUEST_REVOKE);

	if (getrandom(handle.bytes, sizeof handle.bytes, 0) != (ssize_t)sizeof handle.bytes) {
		fprintf(stderr, "ifswarm: the kernel gave no random bytes: ask again\n");
		return false;
	}
	mp_put_str(&w, agent, strlen(agent));
	mp_put_id(&w, &handle);
	mp_put_u64(&w, undo);
	struct mp_reader r = ask(live, "allocation", &w, answer);

	*changed = mp_get_u64(&r);
	return mp_reader_is_done(&r);
}
