#include "actors/relay_hand_io.h"

#include <stdlib.h>
#include <unistd.h>

#include "actors/relay_post_io.h"
#include "protocol/address.h"
#include "protocol/log_line_io.h"

enum {
	GIVEN_MAX = 256, /* not taken yet; more than a crowd that moves at once */
	KEPT_TICKS = 5,
};

struct given {
	int fd;
	unsigned ticks;
};

struct relay_hand {
	struct relay_post *post;
	size_t count;
	struct given items[GIVEN_MAX];
};

struct relay_hand *
relay_hand_open(const char *run_dir, unsigned relay)
{
	struct relay_hand *hand = calloc(1, sizeof *hand);

	if (hand == NULL) {
		log_error("out of memory at start");
		return NULL;
	}
	hand->post = relay_post_open(run_dir, "hand", relay);
	if (hand->post == NULL) {
		free(hand);
		return NULL;
	}
	return hand;
}

void
relay_hand_close(struct relay_hand *hand)
{
	if (hand == NULL) {
		return;
	}
	for (size_t i = 0; i < hand->count; i++) {
		close(hand->items[i].fd);
	}
	relay_post_close(hand->post);
	free(hand);
}

/* A datagram of one byte with one descriptor beside it. */
bool
relay_hand_give(struct relay_hand *hand, uint64_t relay, int fd)
{
	const uint8_t byte = 0;

	return relay_post_send(hand->post, relay, (struct span){ &byte, 1 }, fd);
}

/* -1 if nothing more is there. */
static int
receive_one(const struct relay_hand *hand)
{
	uint8_t byte;
	int fd = -1;

	while (relay_post_receive(hand->post, &byte, 1, &fd) > 0 && fd < 0) {
		/* one whose descriptor we had no room for */
	}
	return fd;
}

/* What there is no room for stays in the kernel. */
static void
receive(struct relay_hand *hand)
{
	while (hand->count < GIVEN_MAX) {
		const int fd = receive_one(hand);
		if (fd < 0) {
			return;
		}
		hand->items[hand->count++] = (struct given){ .fd = fd };
	}
}

static void
forget(struct relay_hand *hand, size_t at)
{
	hand->items[at] = hand->items[--hand->count];
}

int
relay_hand_take(struct relay_hand *hand, const struct address *local)
{
	receive(hand);
	for (size_t i = hand->count; i > 0; i--) { /* the newest, if it was given twice */
		const int fd = hand->items[i - 1].fd;
		const struct address bound = relay_post_bound(fd);
		if (address_equal(&bound, local)) {
			forget(hand, i - 1);
			return fd;
		}
	}
	return -1;
}

void
relay_hand_tick(struct relay_hand *hand)
{
	receive(hand);
	for (size_t i = 0; i < hand->count;) {
		if (++hand->items[i].ticks > KEPT_TICKS) {
			close(hand->items[i].fd);
			forget(hand, i);
		} else {
			i++;
		}
	}
}
