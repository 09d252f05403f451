#include "actors/link_io.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

#include "actors/mailbox_io.h"
#include "protocol/uuid.h"

enum {
	RETRY_MS = 50,
	IDLE_MS = 10,
	REQUEST_BYTES_MAX = MESSAGE_BYTES_MAX / 4 + DATAGRAM_BYTES_MAX * 4
};

struct link_io {
	struct link link;
	struct uuid_generator ids;
	struct mailbox_client *mailbox;
	uint8_t *request;
	uint64_t quiet_until_ms; /* after a refused attach */
	uint64_t replied_ms;     /* when something last came */
	uint8_t memory[LINK_BYTES_MAX];
};

static uint64_t
clock_ms(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

struct link_io *
link_open(const char *run_dir, const char *actor, uint64_t front, char *fault, size_t fault_size)
{
	char url[MAILBOX_URL_MAX];
	struct id instance;
	struct link_io *link = calloc(1, sizeof *link);
	uint8_t *request = malloc(REQUEST_BYTES_MAX);

	if (link == NULL || request == NULL) {
		snprintf(fault, fault_size, "out of memory for the link to %s", actor);
		free(link);
		free(request);
		return NULL;
	}
	link->request = request;
	if (getrandom(&instance, sizeof instance, 0) != sizeof instance ||
	    getrandom(link->ids.tail, sizeof link->ids.tail, 0) != sizeof link->ids.tail) {
		abort();
	}
	mailbox_url(url, sizeof url, run_dir, actor);
	link_init(&link->link, front, &instance, link->memory);
	link->mailbox = mailbox_dial(url, LINK_LANES, fault, fault_size);
	if (link->mailbox == NULL) {
		free(request);
		free(link);
		return NULL;
	}
	return link;
}

int
link_fd(const struct link_io *link)
{
	return mailbox_client_fd(link->mailbox);
}

enum link_state
link_state(const struct link_io *link)
{
	return link->link.state;
}

uint64_t
link_epoch(const struct link_io *link)
{
	return link->link.epoch;
}

struct id
link_command_id(struct link_io *link)
{
	return uuid_next(&link->ids, clock_ms(CLOCK_REALTIME));
}

bool
link_send(struct link_io *link, const struct command *command, struct span body)
{
	return link_put(&link->link, command, body);
}

static void
send_requests(struct link_io *link)
{
	const uint64_t now_ms = clock_ms(CLOCK_MONOTONIC);
	const bool is_idle = now_ms >= link->replied_ms + IDLE_MS;

	if (now_ms < link->quiet_until_ms) {
		return;
	}
	for (size_t lane = 0; lane < LINK_LANES; lane++) {
		struct mp_writer w = mp_writer_of(link->request, REQUEST_BYTES_MAX);
		if (mailbox_lane_is_free(link->mailbox, lane) &&
		    link_request(&link->link, lane, is_idle, &w)) {
			mailbox_request(link->mailbox, lane, mp_written(&w));
		}
	}
}

void
link_run(struct link_io *link)
{
	struct span reply;
	size_t lane = 0;

	while (link->link.notices_left == 0 && mailbox_reply(link->mailbox, &lane, &reply)) {
		const bool was_attaching = link->link.lanes[lane].attaching;
		link->replied_ms = clock_ms(CLOCK_MONOTONIC);
		link_reply(&link->link, lane, reply);
		if (was_attaching && link->link.state == LINK_DETACHED) {
			link->quiet_until_ms = link->replied_ms + RETRY_MS;
		}
	}
	send_requests(link);
}

bool
link_next(struct link_io *link, struct notice *notice, struct span *body)
{
	if (link_notice(&link->link, notice, body)) {
		return true;
	}
	send_requests(link);
	return false;
}

bool
link_is_quiet(const struct link_io *link)
{
	return link_is_settled(&link->link);
}

void
link_close(struct link_io *link)
{
	mailbox_hang_up(link->mailbox);
	free(link->request);
	free(link);
}
