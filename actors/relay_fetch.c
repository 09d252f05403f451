/* A reserved port (RFC 8656 section 14.9) that another relay keeps, because the kernel brought the
 * client's second Allocate here.
 *
 *   - This relay sees by the token whose it is (relay_token.c) and asks that one. A token that is
 *     forged, of another user or too old is no reason to ask anybody: no stranger can make relays
 *     talk.
 *   - The relay that keeps the port gives the bound socket away and forgets it: there is one taker.
 *     It does so whatever became of the allocation that reserved it, as within one relay.
 *   - Here it is an Allocate whose port was bound, from there on.
 *
 * A relay that was restarted keeps nothing, and one that has not answered after
 * RESERVATION_FETCH_MS is not waited for: 508 then, as for a token that nobody knows. What comes
 * too late is closed. */
#include <assert.h>
#include <string.h>

#include "actors/relay_state.h"

enum { AGAIN_US = 100 * 1000 }; /* so long it is not asked again */
_Static_assert(AGAIN_US < RESERVATION_FETCH_MS * 1000, "it is asked more than once");

/* --- the relay that asks --- */

static enum fetch_sent
ask(struct relay *relay, struct fetch *fetch, uint64_t now_us)
{
	struct fetch_message asked = { .kind = FETCH_ASKED,
				       .from = relay->config.number,
				       .user = relay->pending.items[fetch->pending].user };

	memcpy(asked.token, fetch->token, sizeof asked.token);
	fetch->asked_us = now_us;
	return relay->sink->tell(relay->sink->context, fetch->keeper, &asked, SOCKET_NONE);
}

struct relay_answer
relay_fetch_port(struct relay *relay, const struct relay_request *request)
{
	const struct span token = request->message->values[STUN_RESERVATION_TOKEN];
	const uint64_t keeper =
		token_relay(token, &relay->integrity, &relay->config.credentials.nonce_key,
			    &request->credential.user, request->now_us);

	if (keeper == 0 || keeper == relay->config.number) {
		return relay_refuse(relay, request, REFUSED_CAPACITY);
	}
	const uint32_t at = relay->fetches.count == RESERVATIONS_FETCHED_MAX
				    ? PENDING_NONE
				    : relay_allocate_pending(relay, request);
	if (at == PENDING_NONE) {
		return relay_drop(relay, RELAY_COUNT_PENDING_FULL);
	}
	struct fetch *fetch = &relay->fetches.items[relay->fetches.count];
	*fetch = (struct fetch){ .pending = at, .keeper = keeper, .since_us = request->now_us };
	memcpy(fetch->token, token.at, sizeof fetch->token);
	if (ask(relay, fetch, request->now_us) == FETCH_NOBODY) {
		pending_release(&relay->pending, at);
		return relay_refuse(relay, request, REFUSED_CAPACITY);
	}
	relay->fetches.count++;
	return (struct relay_answer){ .action = RELAY_DROP };
}

/* It is waited for no more: whose it was. */
static uint32_t
take_fetch(struct fetches *fetches, uint32_t at)
{
	assert(at < fetches->count);
	const uint32_t pending = fetches->items[at].pending;

	fetches->items[at] = fetches->items[--fetches->count];
	return pending;
}

/* PENDING_NONE if nobody waits for the port of that token. */
static uint32_t
take_waiting(struct fetches *fetches, const uint8_t token[RESERVATION_TOKEN_BYTES])
{
	for (uint32_t i = 0; i < fetches->count; i++) {
		if (memcmp(fetches->items[i].token, token, RESERVATION_TOKEN_BYTES) == 0) {
			return take_fetch(fetches, i);
		}
	}
	return PENDING_NONE;
}

static void
refuse(struct relay *relay, uint32_t pending, uint64_t now_us)
{
	const bool is_heard = !relay->pending.items[pending].client_gone;
	const struct relay_answer answer = relay_unbound(relay, pending, now_us);

	if (is_heard) {
		relay->sink->reply(relay->sink->context, answer.from, &answer.to, answer.bytes);
	}
}

static void
take_port(struct relay *relay, const struct fetch_message *given, uint32_t socket, uint64_t now_us)
{
	const struct relay_ports ports = { .socket = socket,
					   .also = SOCKET_NONE,
					   .relayed = given->relayed };
	const uint32_t pending = take_waiting(&relay->fetches, given->token);
	const bool is_wanted =
		pending != PENDING_NONE && !relay->pending.items[pending].client_gone;

	if (is_wanted && socket != SOCKET_NONE) {
		relay_bound(relay, pending, &ports, now_us);
		return;
	}
	if (socket != SOCKET_NONE) {
		relay->sink->close(relay->sink->context, socket);
	}
	if (pending != PENDING_NONE) {
		refuse(relay, pending, now_us);
	}
}

/* Else it is asked again when it is time, for what was said may have found a queue full. An answer
 * to each of two questions does no harm: the second is NONE, and nobody waits. */
static bool
is_over(struct relay *relay, struct fetch *fetch, uint64_t now_us)
{
	return now_us - fetch->since_us >= RESERVATION_FETCH_MS * 1000ull ||
	       (now_us - fetch->asked_us >= AGAIN_US && ask(relay, fetch, now_us) == FETCH_NOBODY);
}

void
relay_fetch_tick(struct relay *relay, uint64_t now_us)
{
	for (uint32_t i = 0; i < relay->fetches.count;) {
		if (is_over(relay, &relay->fetches.items[i], now_us)) {
			refuse(relay, take_fetch(&relay->fetches, i), now_us);
		} else {
			i++;
		}
	}
}

/* --- the relay that is asked --- */

/* Whom the answer does not reach asks again: the port is kept for that. */
static void
give_port(struct relay *relay, const struct fetch_message *asked, uint64_t now_us)
{
	const struct span token = { asked->token, sizeof asked->token };
	struct reservation *reserved =
		reservations_find(&relay->reservations, token, &asked->user, now_us);
	struct fetch_message answer = { .kind = reserved == NULL ? FETCH_NONE : FETCH_GIVEN,
					.from = relay->config.number };

	memcpy(answer.token, asked->token, sizeof answer.token);
	if (reserved == NULL) {
		relay->sink->tell(relay->sink->context, asked->from, &answer, SOCKET_NONE);
		return;
	}
	answer.relayed = reserved->relayed;
	if (relay->sink->tell(relay->sink->context, asked->from, &answer, reserved->socket) ==
	    FETCH_SENT) {
		relay->sink->close(relay->sink->context, reserved->socket);
		reservations_remove(&relay->reservations, reserved);
	}
}

void
relay_handle_fetch(struct relay *relay, const struct fetch_message *message, uint32_t socket,
		   uint64_t now_us)
{
	switch (message->kind) {
	case FETCH_ASKED:
		give_port(relay, message, now_us);
		break;
	case FETCH_GIVEN:
	case FETCH_NONE:
		take_port(relay, message, socket, now_us);
		break;
	}
}
