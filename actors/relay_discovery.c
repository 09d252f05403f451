/* How a client's NAT behaves (RFC 5780): a Binding is answered from another address or port of
 * ours, or to another port of the client, and says where from. Served over UDP alone, at two ports
 * of the first two addresses of a family. Nobody is sent more than he has sent, but for the
 * addresses: PADDING is as long as it came. */
#include <string.h>

#include "actors/relay_state.h"

enum { CHANGE_PORT = 2, CHANGE_IP = 4 }; /* RFC 5780 section 7.2 */

static const enum stun_attribute asked[] = { STUN_CHANGE_REQUEST, STUN_PADDING,
					     STUN_RESPONSE_PORT };

/* The place of an address among the first two of its family, by order of the listeners; 2 if it is
 * none of them, or if both are one address to who is outside. `pair` is filled as far as there are
 * some. */
static size_t
place_of(const struct relay_config *config, const struct address *own,
	 const struct address *pair[2])
{
	const struct address *outside = NULL;
	size_t count = 0;

	for (uint32_t i = 0; i < config->listener_count && count < 2; i++) {
		const struct address *address = &config->listeners[i];
		if (config->transports[i] == CLIENT_UDP && address->family == own->family &&
		    (count == 0 || (!address_equal_ip(address, pair[0]) &&
				    !address_equal_ip(&config->outside[i], outside)))) {
			outside = &config->outside[i];
			pair[count++] = address;
		}
	}
	size_t place = 0;
	while (place < count && !address_equal_ip(own, pair[place])) {
		place++;
	}
	return count == 2 ? place : 2;
}

static uint32_t
find_listener(const struct relay_config *config, const struct address *address)
{
	for (uint32_t i = 0; i < config->listener_count; i++) {
		if (config->transports[i] == CLIENT_UDP &&
		    address_equal(&config->listeners[i], address)) {
			return i;
		}
	}
	return LISTENER_NONE;
}

uint32_t
relay_discovery_other(const struct relay_config *config, uint32_t listener, bool other_ip,
		      bool other_port)
{
	const struct address *own = &config->listeners[listener];
	const uint16_t *ports = config->discovery_ports;
	const struct address *pair[2];

	if (!config->discovery || config->transports[listener] != CLIENT_UDP ||
	    (own->port != ports[0] && own->port != ports[1])) {
		return LISTENER_NONE;
	}
	const size_t place = place_of(config, own, pair);
	if (place == 2) {
		return LISTENER_NONE;
	}
	struct address other = other_ip ? *pair[1 - place] : *own;
	other.port = ports[(own->port == ports[1]) != other_port];
	return find_listener(config, &other);
}

/* What the client wants changed; none if the attribute is not there. */
static uint8_t
changes(const struct stun_message *message)
{
	return stun_has(message, STUN_CHANGE_REQUEST) ? message->values[STUN_CHANGE_REQUEST].at[3]
						      : 0;
}

static void
put_plain_address(struct stun_writer *w, enum stun_attribute attribute,
		  const struct address *address)
{
	uint8_t wire[ADDRESS_WIRE_MAX];

	stun_put(w, attribute, wire, address_to_wire(wire, address, NULL));
}

static void
put_padding(struct stun_writer *w, size_t count)
{
	static const uint8_t zeros[DISCOVERY_PADDING_MAX];

	stun_put(w, STUN_PADDING, zeros, count < sizeof zeros ? count : sizeof zeros);
}

bool
relay_discovery_is_asked(const struct stun_message *message)
{
	bool is_asked = false;

	for (size_t i = 0; i < sizeof asked / sizeof asked[0]; i++) {
		is_asked |= stun_has(message, asked[i]);
	}
	return is_asked;
}

void
relay_discovery_disown(struct stun_message *message)
{
	for (size_t i = 0; i < sizeof asked / sizeof asked[0]; i++) {
		stun_disown(message, asked[i]);
	}
}

static struct relay_answer
answer_plainly(struct relay *relay, const struct relay_request *request)
{
	struct stun_message plain = *request->message;
	struct relay_request again = *request;

	relay_discovery_disown(&plain);
	again.message = &plain;
	return plain.unknown_count > 0 ? relay_reply_unknown(relay, &again)
				       : relay_reply_binding(relay, &again);
}

struct relay_answer
relay_discovery_binding(struct relay *relay, const struct relay_request *request)
{
	const struct relay_config *config = &relay->config;
	const struct stun_message *message = request->message;
	const uint8_t wanted = changes(message);
	const uint32_t listener = request->reply.listener;
	const uint32_t from = relay_discovery_other(config, listener, (wanted & CHANGE_IP) != 0,
						    (wanted & CHANGE_PORT) != 0);
	const uint32_t other = relay_discovery_other(config, listener, true, true);
	struct reply_to to = request->reply;

	if (other == LISTENER_NONE || from == LISTENER_NONE) {
		return answer_plainly(relay, request);
	}
	const bool is_padded = stun_has(message, STUN_PADDING);
	const bool is_redirected = stun_has(message, STUN_RESPONSE_PORT);
	const uint64_t malformed =
		message->malformed & (stun_set(STUN_CHANGE_REQUEST) | stun_set(STUN_RESPONSE_PORT));
	if (malformed != 0 || (is_padded && is_redirected)) {
		return relay_reply_error(relay, &to, REFUSED_BAD_REQUEST); /* section 7.6 */
	}
	struct stun_writer w = stun_writer_of(relay->reply, sizeof relay->reply, to.method,
					      STUN_SUCCESS, &to.transaction);
	stun_put_address(&w, STUN_XOR_MAPPED_ADDRESS, &to.client);
	put_plain_address(&w, STUN_MAPPED_ADDRESS, &to.client);
	put_plain_address(&w, STUN_RESPONSE_ORIGIN, &config->outside[from]);
	put_plain_address(&w, STUN_OTHER_ADDRESS, &config->outside[other]);
	if (is_padded) {
		put_padding(&w, message->values[STUN_PADDING].count);
	}
	if (to.fingerprint) {
		stun_put_fingerprint(&w);
	}
	if (is_redirected) {
		const uint8_t *port = message->values[STUN_RESPONSE_PORT].at;
		to.client.port = (uint16_t)(port[0] << 8 | port[1]);
	}
	return (struct relay_answer){
		.action = RELAY_REPLY, .from = from, .to = to.client, .bytes = stun_written(&w)
	};
}
