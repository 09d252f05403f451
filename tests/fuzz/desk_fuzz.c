/* What actors say to one another, as a hostile or broken front might say it: any bytes as a
 * request, and any bytes as the commands of a front that is attached. The allocation actor stands
 * behind the desk. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "actors/allocation.h"
#include "actors/desk.h"

enum { EPOCH = 1, NOW_US = 1000000 };

static const struct id instance = { { 1 } };
static struct allocation_state *state;
static struct core core;
static struct desk desk;
static uint8_t *out;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
drain(uint64_t now_us)
{
	const uint8_t durable[] = { 0x93, ACCEPTED, 1, 2 };
	struct mp_writer w = mp_writer_of(out, MESSAGE_BYTES_MAX);
	uint64_t ticket = 0;

	if (desk_append(&desk, &w) &&
	    desk_appended(&desk, (struct span){ durable, sizeof durable }) != ACCEPTED) {
		abort();
	}
	w = mp_writer_of(out, MESSAGE_BYTES_MAX);
	while (desk_answer(&desk, now_us, &ticket, &w)) {
		w = mp_writer_of(out, MESSAGE_BYTES_MAX);
	}
}

static struct mp_writer
request(enum request kind, size_t elements)
{
	struct mp_writer w = mp_writer_of(out, MESSAGE_BYTES_MAX);

	mp_put_array(&w, elements);
	mp_put_u64(&w, kind);
	mp_put_u64(&w, 1);
	mp_put_id(&w, &instance);
	return w;
}

static void
take(struct span bytes)
{
	/* The desk borrows the request, and `out` is written while it is taken: give it memory of
	 * its own. */
	uint8_t *copy = malloc(bytes.count + 1);

	memcpy(copy, bytes.at, bytes.count);
	desk_take(&desk, (struct span){ copy, bytes.count }, 1, NOW_US);
	free(copy);
	drain(NOW_US);
}

static void
start(void)
{
	const struct allocation_limits limits = { .allocations_max = 64,
						  .peers_max = 256,
						  .names_max = 64,
						  .user_quota = 8,
						  .lifetime_max_s = 3600 };
	const uint8_t tail[6] = { 1 };

	if (state == NULL) {
		out = malloc(MESSAGE_BYTES_MAX);
		state = allocation_new(&limits);
		core = allocation_core(state);
		if (!desk_init(&desk, &core, EPOCH, 0, 4, tail)) {
			abort();
		}
	}
	/* An actor that has forgotten the front takes it for a new incarnation: the desk starts it
	 * over. */
	allocation_clear(state);
	struct mp_writer w = request(REQUEST_ATTACH, 3);
	take(mp_written(&w));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0 || size > 4096) {
		return 0;
	}
	start();
	if (data[0] == 0) {
		take((struct span){ data + 1, size - 1 });
	} else {
		struct mp_writer w = request(REQUEST_COMMANDS, 8);
		mp_put_u64(&w, EPOCH);
		mp_put_u64(&w, 1);
		mp_put_u64(&w, 0);
		mp_put_u64(&w, 1);
		mp_put_raw(&w, (struct span){ data + 1, size - 1 });
		take(mp_written(&w));
	}
	desk_tick(&desk, NOW_US + 1);
	drain(NOW_US + 2 * DESK_HOLD_US);
	return 0;
}
