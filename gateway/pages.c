#include "gateway/pages.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/turn_metrics.h"
#include "protocol/mp.h"
#include "protocol/verdict.h"

enum { METRICS_BYTES = 2048 };

static const struct {
	const char *path;
	const char *type;
} pages[PAGE_NONE] = {
	[PAGE_ROOT] = { "/", "text/plain; charset=utf-8" },
	[PAGE_HEALTH] = { "/health", "application/json" },
	[PAGE_READY] = { "/ready", "application/json" },
	[PAGE_METRICS] = { "/metrics", "text/plain; version=0.0.4; charset=utf-8" },
	[PAGE_AGENTS] = { "/agents", "application/json" },
	[PAGE_CONNECTIONS] = { "/connections", "application/json" },
};

enum page
page_find(const char *path)
{
	size_t length = strcspn(path, "?#");

	while (length > 1 && path[length - 1] == '/') {
		length--;
	}
	for (int i = 0; i < PAGE_NONE; i++) {
		if (strlen(pages[i].path) == length && strncmp(pages[i].path, path, length) == 0) {
			return (enum page)i;
		}
	}
	return PAGE_NONE;
}

bool
page_is_private(enum page page)
{
	return page == PAGE_AGENTS || page == PAGE_CONNECTIONS;
}

const char *
page_type(enum page page)
{
	return page == PAGE_NONE ? pages[PAGE_ROOT].type : pages[page].type;
}

static bool
is_ready(const struct page_facts *facts)
{
	return facts->attached && facts->epoch != 0;
}

unsigned
page_status(enum page page, const struct page_facts *facts)
{
	if (page == PAGE_NONE) {
		return 404;
	}
	return page == PAGE_READY && !is_ready(facts) ? 503 : 200;
}

static char *
copy_of(const char *text)
{
	const size_t size = strlen(text) + 1;
	char *copy = malloc(size);

	return copy == NULL ? NULL : memcpy(copy, text, size);
}

/* Takes the object over. */
static char *
written(json_t *object)
{
	char *text = json_dumps(object, JSON_COMPACT);

	json_decref(object);
	return text;
}

static char *
write_metrics(const struct page_facts *facts)
{
	char *text = malloc(METRICS_BYTES + TURN_METRICS_BYTES_MAX);

	if (text == NULL) {
		return NULL;
	}
	const int used = snprintf(text, METRICS_BYTES,
				  "# TYPE ifswarm_gateway_connections gauge\n"
				  "ifswarm_gateway_connections %" PRIu64 "\n"
				  "# TYPE ifswarm_gateway_session_attached gauge\n"
				  "ifswarm_gateway_session_attached %d\n"
				  "# TYPE ifswarm_gateway_frames_total counter\n"
				  "ifswarm_gateway_frames_total{direction=\"in\"} %" PRIu64 "\n"
				  "ifswarm_gateway_frames_total{direction=\"out\"} %" PRIu64 "\n"
				  "# TYPE ifswarm_gateway_refusals_total counter\n"
				  "ifswarm_gateway_refusals_total %" PRIu64 "\n"
				  "# TYPE ifswarm_gateway_closed_total counter\n"
				  "ifswarm_gateway_closed_total{reason=\"slow\"} %" PRIu64 "\n"
				  "ifswarm_gateway_closed_total{reason=\"fast\"} %" PRIu64 "\n"
				  "# TYPE ifswarm_scrub_last_end_timestamp_seconds gauge\n"
				  "ifswarm_scrub_last_end_timestamp_seconds %" PRIu64 "\n"
				  "# TYPE ifswarm_scrub_findings gauge\n"
				  "ifswarm_scrub_findings %" PRIu64 "\n",
				  facts->connections, facts->attached, facts->frames_in,
				  facts->frames_out, facts->refusals, facts->closed_slow,
				  facts->closed_fast, facts->scrub_ended_s, facts->scrub_findings);
	turn_metrics_write(text + used, TURN_METRICS_BYTES_MAX, facts->tallies, facts->relays,
			   facts->allocations_limit);
	return text;
}

char *
page_write(enum page page, const struct page_facts *facts)
{
	switch (page) {
	case PAGE_ROOT:
		return copy_of("ifswarm signaling server is running\n");
	case PAGE_HEALTH:
		return written(json_pack("{s:s, s:I, s:s, s:I}", "status", "ok", "gateway",
					 (json_int_t)facts->gateway, "version", IFSWARM_VERSION,
					 "connections", (json_int_t)facts->connections));
	case PAGE_READY:
		return written(json_pack("{s:b, s:I, s:I}", "ready", is_ready(facts), "gateway",
					 (json_int_t)facts->gateway, "session_epoch",
					 (json_int_t)facts->epoch));
	case PAGE_METRICS:
		return write_metrics(facts);
	case PAGE_AGENTS:
	case PAGE_CONNECTIONS:
	case PAGE_NONE:
		break;
	}
	return copy_of("there is no such page here\n");
}

static json_t *
read_text(struct mp_reader *r)
{
	if (mp_take_nil(r)) {
		return json_null(); /* its name was erased */
	}
	const struct span name = mp_get_str(r, NAME_BYTES_MAX);
	return json_stringn(name.count > 0 ? (const char *)name.at : "", name.count);
}

static json_t *
read_agent(struct mp_reader *r)
{
	r->bad |= mp_get_array(r, 3) != 3;
	json_t *room = read_text(r);
	json_t *agent = read_text(r);
	const uint64_t gateway = mp_get_u64(r);

	return json_pack("{s:o, s:o, s:I}", "agent_id", agent, "room", room, "gateway",
			 (json_int_t)gateway);
}

char *
page_write_roster(enum page page, struct span reply)
{
	struct mp_reader r = mp_reader_of(reply);
	json_t *agents = json_array();

	r.bad |= mp_get_array(&r, 3) != 3 || mp_get_u64(&r) != ACCEPTED;
	mp_get_u64(&r); /* the epoch */
	const size_t count = mp_get_array(&r, AGENTS_MAX);
	for (size_t i = 0; i < count && !r.bad; i++) {
		json_array_append_new(agents, read_agent(&r));
	}
	if (!mp_reader_is_done(&r)) {
		json_decref(agents);
		return NULL;
	}
	return written(json_pack("{s:I, s:o}", "count", (json_int_t)count,
				 page == PAGE_AGENTS ? "agents" : "connections", agents));
}
