#include <stdlib.h>
#include <string.h>

#include "gateway/gateway_io.h"
#include "protocol/message.h"
#include "protocol/time_io.h"

enum { ROSTER_WAIT_US = 3 * 1000 * 1000 };

static bool
is_loopback(const struct address *address)
{
	static const uint8_t one[16] = { [15] = 1 };

	return address->family == ADDRESS_IPV4 ? address->bytes[0] == 127
					       : memcmp(address->bytes, one, sizeof one) == 0;
}

/* A web page that a resolver sends to 127.0.0.1 still names its own host (threat G3). */
static bool
is_local_host(const char *host)
{
	static const char *const names[] = { "127.0.0.1", "localhost", "[::1]" };

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		const size_t length = strlen(names[i]);

		if (strncmp(host, names[i], length) == 0 &&
		    (host[length] == '\0' || host[length] == ':')) {
			return true;
		}
	}
	return false;
}

/* Who sees the names: this host itself, and not through a proxy that lets everybody in. */
static bool
may_see_names(struct lws *wsi)
{
	char host[256];
	struct address client;

	socket_peer(wsi, &client);
	return is_loopback(&client) && lws_hdr_total_length(wsi, WSI_TOKEN_X_FORWARDED_FOR) == 0 &&
	       lws_hdr_copy(wsi, host, sizeof host, WSI_TOKEN_HOST) > 0 && is_local_host(host);
}

static void
ask_roster(struct gateway *gateway)
{
	uint8_t bytes[8];
	struct mp_writer w = mp_writer_of(bytes, sizeof bytes);

	mp_put_array(&w, 1);
	mp_put_u64(&w, REQUEST_ROSTER);
	if (mailbox_lane_is_free(gateway->roster, 0)) {
		mailbox_request(gateway->roster, 0, mp_written(&w));
	}
}

static int
wait_for_roster(struct gateway *gateway, struct socket *socket)
{
	socket->waits = true;
	socket->waits_since_us = time_monotonic_us();
	socket->next_waiting = gateway->waiting;
	gateway->waiting = socket;
	ask_roster(gateway);
	return 0;
}

int
http_request(struct gateway *gateway, struct socket *socket, const char *path)
{
	struct page_facts *facts = &gateway->facts;
	char *uri;
	int length;
	const int method = lws_http_get_uri_and_method(socket->wsi, &uri, &length);

	facts->connections = connections_count(gateway->connections);
	facts->epoch = link_epoch(gateway->link);
	facts->allocations_limit = gateway->start->settings->total_quota == 0
					   ? ALLOCATIONS_MAX
					   : gateway->start->settings->total_quota;
	facts->attached = link_state(gateway->link) == LINK_ATTACHED;
	socket->answer.is_head = method == LWSHUMETH_HEAD;
	socket->asked = page_find(path);
	if (method != LWSHUMETH_GET && method != LWSHUMETH_HEAD) {
		return answer_start(socket->wsi, &socket->answer, 405, page_type(PAGE_ROOT),
				    strdup("only GET is served here\n"), NULL);
	}
	if (!page_is_private(socket->asked)) {
		return answer_start(socket->wsi, &socket->answer, page_status(socket->asked, facts),
				    page_type(socket->asked), page_write(socket->asked, facts),
				    NULL);
	}
	if (!may_see_names(socket->wsi)) {
		return answer_start(
			socket->wsi, &socket->answer, 403, page_type(PAGE_ROOT),
			strdup("this page names agents: ask from the server's own host\n"), NULL);
	}
	return wait_for_roster(gateway, socket);
}

static void
stop_waiting(struct gateway *gateway, struct socket *socket)
{
	struct socket **link = &gateway->waiting;

	while (*link != NULL && *link != socket) {
		link = &(*link)->next_waiting;
	}
	if (*link != NULL) {
		*link = socket->next_waiting;
	}
	socket->waits = false;
}

void
http_closed(struct gateway *gateway, struct socket *socket)
{
	if (socket->waits) {
		stop_waiting(gateway, socket);
	}
	answer_free(&socket->answer);
}

static void
answer_waiting(struct gateway *gateway, struct socket *socket, char *page)
{
	const bool known = page != NULL;

	stop_waiting(gateway, socket);
	if (answer_start(socket->wsi, &socket->answer, known ? 200 : 503,
			 page_type(known ? socket->asked : PAGE_ROOT),
			 known ? page : strdup("session does not answer: try again\n"),
			 NULL) != 0) {
		lws_set_timeout(socket->wsi, PENDING_TIMEOUT_USER_OK, LWS_TO_KILL_ASYNC);
	}
}

void
http_roster_replied(struct gateway *gateway)
{
	struct span reply;
	size_t lane;

	while (mailbox_reply(gateway->roster, &lane, &reply)) {
		while (gateway->waiting != NULL) {
			struct socket *socket = gateway->waiting;

			answer_waiting(gateway, socket, page_write_roster(socket->asked, reply));
		}
	}
}

void
http_tick(struct gateway *gateway, uint64_t now_us)
{
	struct socket *next;

	for (struct socket *socket = gateway->waiting; socket != NULL; socket = next) {
		next = socket->next_waiting;
		if (now_us > socket->waits_since_us + ROSTER_WAIT_US) {
			answer_waiting(gateway, socket, NULL);
		}
	}
}
