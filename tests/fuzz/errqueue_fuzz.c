/* A relayed socket's error queue: control parts of any bytes are read to their exact end, and what
 * a client is told of them is well-formed, whatever type and code somebody on the way wrote.
 *
 * The first byte chooses the peer; the rest is the control part. */
#include "actors/relay_errqueue.h"
#include "protocol/stun.h"
#include "tests/relay_world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_told(const struct relay_answer *answer, const struct relay_icmp *icmp)
{
	struct stun_message message;

	if (answer->action == RELAY_DROP) {
		return;
	}
	if (answer->action != RELAY_TO_CLIENT || !stun_read(answer->bytes, &message) ||
	    message.class != STUN_INDICATION || message.malformed != 0 ||
	    !stun_has(&message, STUN_ICMP) || stun_has(&message, STUN_DATA) ||
	    !address_equal(&message.peers[0], &icmp->peer)) {
		abort();
	}
}

/* Another world for each input would cost more than the input: there is one as long as its
 * permissions live. */
static struct world *
world_of_ann(void)
{
	static struct world *world;
	static bool is_ready;

	if (!is_ready) {
		is_ready = world_setup(NULL) == 0;
	}
	if (world != NULL && world->now_us - START_US >= PERMISSION_LIFETIME_S * 500000ull) {
		world_free(world);
		world = NULL;
	}
	if (world == NULL) {
		world = world_new(false);
		given(world);
	}
	world->now_us += ICMP_INTERVAL_MS * 1000ull; /* so often is one told */
	return world;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const peers[] = { "198.51.100.1:9", "198.51.100.2:7000",
					     "198.51.100.9:1", "[2001:db8:2::1]:9" };
	struct relay_icmp icmp = { 0 };

	if (size == 0) {
		return 0;
	}
	struct world *world = world_of_ann();
	uint8_t *control = malloc(size - 1); /* of that size: a byte beyond it is found */

	memcpy(control, data + 1, size - 1);
	if (relay_errqueue_read((struct span){ control, size - 1 }, &icmp)) {
		icmp.peer = address_of(peers[data[0] % 4]);
		const struct relay_answer answer =
			relay_handle_icmp(world->relay, world->last_socket, &icmp, world->now_us);
		check_told(&answer, &icmp);
	}
	free(control);
	return 0;
}
