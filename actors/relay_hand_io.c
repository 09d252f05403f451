#include "actors/relay_hand_io.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "protocol/address.h"
#include "protocol/address_io.h"
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
	const char *run_dir;
	int socket;
	size_t count;
	struct given items[GIVEN_MAX];
};

static bool
path_of(const struct relay_hand *hand, uint64_t relay, struct sockaddr_un *out)
{
	*out = (struct sockaddr_un){ .sun_family = AF_UNIX };
	const int length = snprintf(out->sun_path, sizeof out->sun_path, "%s/relay-%llu.hand",
				    hand->run_dir, (unsigned long long)relay);

	return length > 0 && (size_t)length < sizeof out->sun_path;
}

struct relay_hand *
relay_hand_open(const char *run_dir, unsigned relay)
{
	struct relay_hand *hand = calloc(1, sizeof *hand);
	struct sockaddr_un path;

	if (hand == NULL) {
		log_error("out of memory at start");
		return NULL;
	}
	hand->run_dir = run_dir;
	hand->socket = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (hand->socket >= 0 && path_of(hand, relay, &path)) {
		unlink(path.sun_path); /* of the relay before this one */
		if (bind(hand->socket, (const struct sockaddr *)&path, sizeof path) == 0) {
			return hand;
		}
	}
	log_error("cannot bind a socket in %s for other relays: %s", run_dir, strerror(errno));
	relay_hand_close(hand);
	return NULL;
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
	if (hand->socket >= 0) {
		close(hand->socket);
	}
	free(hand);
}

/* A datagram of one byte with one descriptor beside it. */
union control {
	struct cmsghdr header;
	char bytes[CMSG_SPACE(sizeof(int))];
};

bool
relay_hand_give(struct relay_hand *hand, uint64_t relay, int fd)
{
	struct sockaddr_un path;
	char byte = 0;
	struct iovec part = { &byte, 1 };
	union control control = { 0 };
	struct msghdr message = { .msg_name = &path,
				  .msg_namelen = sizeof path,
				  .msg_iov = &part,
				  .msg_iovlen = 1,
				  .msg_control = control.bytes,
				  .msg_controllen = sizeof control.bytes };
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof fd);
	memcpy(CMSG_DATA(header), &fd, sizeof fd);
	return path_of(hand, relay, &path) && sendmsg(hand->socket, &message, MSG_DONTWAIT) == 1;
}

/* -1 if nothing more is there. */
static int
receive_one(const struct relay_hand *hand)
{
	char byte;
	struct iovec part = { &byte, 1 };
	union control control = { 0 };
	struct msghdr message = { .msg_iov = &part,
				  .msg_iovlen = 1,
				  .msg_control = control.bytes,
				  .msg_controllen = sizeof control.bytes };
	int fd = -1;

	while (fd < 0 && recvmsg(hand->socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) >= 0) {
		const struct cmsghdr *header = CMSG_FIRSTHDR(&message);
		if (header != NULL && header->cmsg_type == SCM_RIGHTS &&
		    header->cmsg_len == CMSG_LEN(sizeof fd)) {
			memcpy(&fd, CMSG_DATA(header), sizeof fd);
		}
		message.msg_controllen = sizeof control.bytes;
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

static bool
is_bound_to(int fd, const struct address *local)
{
	struct sockaddr_storage where = { 0 };
	socklen_t length = sizeof where;
	int type = 0;
	socklen_t type_length = sizeof type;

	if (getsockname(fd, (struct sockaddr *)&where, &length) != 0 ||
	    getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &type_length) != 0 || type != SOCK_DGRAM) {
		return false;
	}
	const struct address bound = address_from_sockaddr(&where);
	return address_equal(&bound, local);
}

int
relay_hand_take(struct relay_hand *hand, const struct address *local)
{
	receive(hand);
	for (size_t i = hand->count; i > 0; i--) { /* the newest, if it was given twice */
		const int fd = hand->items[i - 1].fd;
		if (is_bound_to(fd, local)) {
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
