/* Everything a datagram from a stranger reaches before anybody knows who it is from:
 * classification, ChannelData, the STUN reader, authentication, and the reply. */
#include <assert.h>
#include <string.h>

#include "protocol/address.h"
#include "protocol/credential.h"
#include "protocol/turn.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

static struct integrity integrity;
static struct credentials credentials;

static void
open_once(void)
{
	const struct nonce_key key = { { 1 } };

	if (credentials.user_count > 0) {
		return;
	}
	integrity_open(&integrity);
	assert(credentials_init(&credentials, "example.org", &key, 600) == NULL);
	assert(credentials_add_user(&credentials, &integrity, "bob:builder") == NULL);
	assert(credentials_add_secret(&credentials, "secret") == NULL);
}

static void
check_spans(const struct stun_message *message)
{
	const uint8_t *end = message->bytes.at + message->bytes.count;

	assert(message->peer_count <= STUN_PEERS_MAX);
	assert(message->unknown_count <= STUN_UNKNOWN_MAX);
	assert((message->malformed & ~message->present) == 0);
	for (unsigned i = 0; i < STUN_ATTRIBUTES; i++) {
		const struct span value = message->values[i];

		assert(stun_has(message, (enum stun_attribute)i) == (value.at != NULL));
		assert(value.at == NULL ||
		       (value.at >= message->bytes.at && value.count <= (size_t)(end - value.at)));
	}
}

static void
reply(const struct stun_message *message, const struct address *client)
{
	uint8_t memory[256];
	struct credential credential;
	struct stun_message back;
	const enum verdict verdict =
		credential_authenticate(&credentials, &integrity, message, client, 1, &credential);
	struct stun_writer w = stun_reply_to(message, STUN_ERROR, memory, sizeof memory);

	/* No input can carry a nonce of ours: it would have to be made for this key. */
	assert(verdict != ACCEPTED);
	stun_put_error(&w, verdict_stun_code(verdict), "");
	stun_put_unknown(&w, message);
	credential_challenge(&credentials, &integrity, message, client, 1, &w);
	stun_put_fingerprint(&w);
	assert(!w.bad);
	assert(stun_read(stun_written(&w), &back));
	assert(stun_error_code(&back) == verdict_stun_code(verdict));
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
	const struct span datagram = { bytes, count };
	const enum datagram_kind kind = stun_classify(datagram);
	struct stun_message message;
	struct channel_data data;
	struct address client;

	open_once();
	if (turn_channel_read(datagram, &data)) {
		assert(kind == DATAGRAM_CHANNEL_DATA);
		assert(data.data.count <= count - CHANNEL_HEADER_BYTES);
	}
	if (stun_read(datagram, &message)) {
		assert(kind == DATAGRAM_STUN);
		assert(address_parse(&client, "192.0.2.1:1000") == NULL);
		check_spans(&message);
		reply(&message, &client);
	}
	return 0;
}
