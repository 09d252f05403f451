/* What a relay answers, as bytes. Before authentication nothing that a stranger could use to
 * amplify: no SOFTWARE, no reason phrase (THREATS E1). */
#include <assert.h>
#include <string.h>

#include "actors/relay_state.h"
#include "actors/relay_ticket.h"
#include "protocol/turn.h"

/* Without a version: it would tell an attacker more than a user. */
static const char software[] = "ifswarm";

static struct relay_answer
answer_of(const struct reply_to *to, struct stun_writer *w)
{
	if (to->fingerprint) {
		stun_put_fingerprint(w); /* RFC 8489 section 7 */
	}
	assert(!w->bad);
	return (struct relay_answer){ .action = RELAY_REPLY,
				      .from = to->listener,
				      .to = to->client,
				      .bytes = stun_written(w) };
}

static struct stun_writer
begin(struct relay *relay, const struct reply_to *to, enum stun_class class)
{
	return stun_writer_of(relay->reply, sizeof relay->reply, to->method, class,
			      &to->transaction);
}

static struct relay_answer
finish(struct relay *relay, const struct reply_to *to, struct stun_writer *w)
{
	if (to->sign) {
		if (!relay->config.no_software) {
			stun_put(w, STUN_SOFTWARE, software, sizeof software - 1);
		}
		stun_put_integrity(w, &relay->integrity, to->hash, &to->key);
	}
	return answer_of(to, w);
}

/* Rounded up, but for a tenth: what was granted as 600 s a moment ago is told as 600 s, also where
 * the allocation actor's clock was read a little later than ours; and never more than is granted to
 * anybody (D7). */
static uint32_t
seconds_left(const struct relay *relay, const struct allocation *allocation, uint64_t now_us)
{
	const uint64_t left_us =
		allocation->expires_us > now_us ? allocation->expires_us - now_us : 0;
	const uint64_t left_s = (left_us + 900000) / 1000000;
	const uint64_t most_s = relay->config.limits.lifetime_max_s;

	return (uint32_t)(left_s < most_s ? left_s : most_s);
}

/* Why there is no second address (RFC 8656 section 7.2, F14): not served, or no port was left. */
static void
put_missing_family(struct relay *relay, struct stun_writer *w, const struct allocation *allocation)
{
	const bool has_ipv4 = allocation->relayed.family == ADDRESS_IPV4;
	const bool is_served = has_ipv4 ? relay->config.serves_ipv6 : relay->config.serves_ipv4;
	const enum verdict verdict = is_served ? REFUSED_CAPACITY : REFUSED_FAMILY;

	stun_put_address_error(w, has_ipv4 ? TURN_FAMILY_IPV6 : TURN_FAMILY_IPV4,
			       verdict_stun_code(verdict), verdict_text(verdict));
}

static void
put_allocated(struct relay *relay, struct stun_writer *w, const struct reply_to *to,
	      const struct allocation *allocation, const struct reply_wishes *wishes,
	      uint64_t now_us)
{
	const struct reservation *reserved =
		reservations_of(&relay->reservations, &allocation->id, now_us);

	stun_put_address(w, STUN_XOR_RELAYED_ADDRESS, &allocation->relayed);
	stun_put_u32(w, STUN_LIFETIME, seconds_left(relay, allocation, now_us));
	stun_put_address(w, STUN_XOR_MAPPED_ADDRESS, &to->client);
	if (reserved != NULL) {
		stun_put(w, STUN_RESERVATION_TOKEN, reserved->token, sizeof reserved->token);
	}
	if (allocation->relayed_also.family != ADDRESS_NONE) {
		stun_put_address(w, STUN_XOR_RELAYED_ADDRESS, &allocation->relayed_also);
	} else if (wishes->both) {
		put_missing_family(relay, w, allocation);
	}
}

/* The one that is good for the next move. */
static void
put_ticket(struct relay *relay, struct stun_writer *w, const struct allocation *allocation)
{
	const struct ticket ticket = { allocation->id, allocation->moves, allocation->user_name };
	char text[TICKET_BYTES];

	relay->rows[allocation - relay->view->table.rows].mobile = true;
	ticket_write(text, &relay->integrity, &relay->config.credentials.nonce_key, &ticket);
	stun_put(w, STUN_MOBILITY_TICKET, text, sizeof text);
}

struct relay_answer
relay_reply_success(struct relay *relay, const struct reply_to *to,
		    const struct allocation *allocation, struct reply_wishes wishes,
		    uint64_t now_us)
{
	struct stun_writer w = begin(relay, to, STUN_SUCCESS);

	if (to->method == TURN_ALLOCATE) {
		put_allocated(relay, &w, to, allocation, &wishes, now_us);
	} else if (to->method == TURN_REFRESH) {
		stun_put_u32(&w, STUN_LIFETIME,
			     wishes.released ? 0 : seconds_left(relay, allocation, now_us));
	}
	if (wishes.ticket && !wishes.released && relay->config.mobility) {
		put_ticket(relay, &w, allocation);
	}
	return finish(relay, to, &w);
}

struct relay_answer
relay_reply_connection(struct relay *relay, const struct reply_to *to, uint32_t connection_id)
{
	struct stun_writer w = begin(relay, to, STUN_SUCCESS);

	if (connection_id != 0) {
		stun_put(&w, STUN_CONNECTION_ID, &connection_id, sizeof connection_id);
	}
	return finish(relay, to, &w);
}

struct relay_answer
relay_indicate_attempt(struct relay *relay, uint32_t row, const struct address *peer,
		       uint32_t connection_id)
{
	const struct id random = relay_fresh_id(relay);
	struct reply_to to = {
		.method = TURN_CONNECTION_ATTEMPT,
		.listener = relay->rows[row].listener,
		.client = relay->view->table.rows[row].client,
	};

	memcpy(to.transaction.bytes, random.bytes, sizeof to.transaction.bytes);
	struct stun_writer w = begin(relay, &to, STUN_INDICATION);
	stun_put(&w, STUN_CONNECTION_ID, &connection_id, sizeof connection_id);
	stun_put_address(&w, STUN_XOR_PEER_ADDRESS, peer);
	return finish(relay, &to, &w);
}

struct relay_answer
relay_reply_error(struct relay *relay, const struct reply_to *to, enum verdict verdict)
{
	struct stun_writer w = begin(relay, to, STUN_ERROR);
	const unsigned code = verdict_stun_code(verdict);

	stun_put_error(&w, code == 0 ? 500 : code, verdict_text(verdict));
	return finish(relay, to, &w);
}

/* The name is of use to who compares a certificate with it (RFC 8489 section 10). */
struct relay_answer
relay_reply_alternate(struct relay *relay, const struct reply_to *to,
		      const struct address *alternate)
{
	struct stun_writer w = begin(relay, to, STUN_ERROR);
	const enum client_transport transport = relay->config.transports[to->listener];
	const char *domain = relay->config.drain.domain;
	uint8_t wire[ADDRESS_WIRE_MAX];

	stun_put_error(&w, 300, verdict_text(REFUSED_ALTERNATE));
	stun_put(&w, STUN_ALTERNATE_SERVER, wire, address_to_wire(wire, alternate, NULL));
	if (domain[0] != '\0' && (transport == CLIENT_TLS || transport == CLIENT_DTLS)) {
		stun_put(&w, STUN_ALTERNATE_DOMAIN, domain, strlen(domain));
	}
	return finish(relay, to, &w);
}

struct relay_answer
relay_reply_unknown(struct relay *relay, const struct relay_request *request)
{
	struct stun_writer w = begin(relay, &request->reply, STUN_ERROR);
	const bool known = request->reply.sign;

	stun_put_error(&w, 420, known ? verdict_text(REFUSED_UNKNOWN_ATTRIBUTE) : "");
	stun_put_unknown(&w, request->message);
	return finish(relay, &request->reply, &w);
}

struct relay_answer
relay_reply_challenge(struct relay *relay, const struct relay_request *request,
		      enum verdict verdict)
{
	struct stun_writer w = begin(relay, &request->reply, STUN_ERROR);

	stun_put_error(&w, verdict_stun_code(verdict), "");
	if (verdict != REFUSED_BAD_REQUEST) {
		credential_challenge(&relay->config.credentials, &relay->integrity,
				     request->message, &request->reply.client,
				     request->now_us / 1000000, &w);
	}
	return answer_of(&request->reply, &w);
}

struct relay_answer
relay_reply_binding(struct relay *relay, const struct relay_request *request)
{
	struct stun_writer w = begin(relay, &request->reply, STUN_SUCCESS);

	stun_put_address(&w, STUN_XOR_MAPPED_ADDRESS, &request->reply.client);
	return answer_of(&request->reply, &w);
}

void
relay_note_refusal(struct relay *relay, const struct reply_to *to, enum verdict verdict,
		   const struct name *user, const struct address *peer, bool ordinary,
		   uint64_t now_us)
{
	struct refusal refusal = {
		.source = to->client, .verdict = verdict, .method = to->method, .ordinary = ordinary
	};

	relay->counts[RELAY_COUNT_REFUSALS]++;
	relay->counts[RELAY_COUNT_CHALLENGES] += ordinary;
	relay->refused[verdict_number(verdict)] += !ordinary;
	if (user != NULL) {
		refusal.user = *user;
	}
	if (peer != NULL) {
		refusal.peer = *peer;
	}
	refusals_note(&relay->refusals, &refusal, now_us);
}
