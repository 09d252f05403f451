#include "actors/relay_post_io.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "protocol/address_io.h"
#include "protocol/log_line_io.h"

struct relay_post {
	const char *run_dir;
	const char *purpose;
	int socket; /* -1: not open */
};

static bool
path_of(const struct relay_post *post, uint64_t relay, struct sockaddr_un *out)
{
	*out = (struct sockaddr_un){ .sun_family = AF_UNIX };
	const int length = snprintf(out->sun_path, sizeof out->sun_path, "%s/relay-%llu.%s",
				    post->run_dir, (unsigned long long)relay, post->purpose);

	errno = ENAMETOOLONG;
	return length > 0 && (size_t)length < sizeof out->sun_path;
}

struct relay_post *
relay_post_open(const char *run_dir, const char *purpose, unsigned relay)
{
	struct relay_post *post = calloc(1, sizeof *post);
	struct sockaddr_un path;

	if (post == NULL) {
		log_error("out of memory at start");
		return NULL;
	}
	*post = (struct relay_post){ .run_dir = run_dir, .purpose = purpose };
	post->socket = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (post->socket >= 0 && path_of(post, relay, &path)) {
		unlink(path.sun_path); /* of the relay before this one */
		if (bind(post->socket, (const struct sockaddr *)&path, sizeof path) == 0) {
			return post;
		}
	}
	log_error("cannot bind a socket in %s for other relays: %s", run_dir, strerror(errno));
	relay_post_close(post);
	return NULL;
}

void
relay_post_close(struct relay_post *post)
{
	if (post == NULL) {
		return;
	}
	if (post->socket >= 0) {
		close(post->socket);
	}
	free(post);
}

int
relay_post_fd(const struct relay_post *post)
{
	return post->socket;
}

union control {
	struct cmsghdr header;
	char bytes[CMSG_SPACE(sizeof(int))];
};

static void
put_descriptor(struct msghdr *message, union control *control, int fd)
{
	message->msg_control = control->bytes;
	message->msg_controllen = sizeof control->bytes;
	struct cmsghdr *header = CMSG_FIRSTHDR(message);

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof fd);
	memcpy(CMSG_DATA(header), &fd, sizeof fd);
}

bool
relay_post_send(const struct relay_post *post, uint64_t relay, struct span bytes, int fd)
{
	struct sockaddr_un path;
	uint8_t copy[RELAY_POST_BYTES_MAX];
	struct iovec part = { copy, bytes.count };
	union control control = { 0 };
	struct msghdr message = {
		.msg_name = &path, .msg_namelen = sizeof path, .msg_iov = &part, .msg_iovlen = 1
	};

	assert(bytes.count > 0);
	assert(bytes.count <= sizeof copy);
	memcpy(copy, bytes.at, bytes.count);
	if (fd >= 0) {
		put_descriptor(&message, &control, fd);
	}
	return path_of(post, relay, &path) &&
	       sendmsg(post->socket, &message, MSG_DONTWAIT) == (ssize_t)bytes.count;
}

size_t
relay_post_receive(const struct relay_post *post, uint8_t *out, size_t size, int *fd)
{
	struct iovec part = { out, size };
	union control control = { 0 };
	struct msghdr message = { .msg_iov = &part,
				  .msg_iovlen = 1,
				  .msg_control = control.bytes,
				  .msg_controllen = sizeof control.bytes };
	const ssize_t count = recvmsg(post->socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	*fd = -1;
	if (count <= 0) {
		return 0;
	}
	const struct cmsghdr *header = CMSG_FIRSTHDR(&message);
	if (header != NULL && header->cmsg_type == SCM_RIGHTS &&
	    header->cmsg_len == CMSG_LEN(sizeof *fd)) {
		memcpy(fd, CMSG_DATA(header), sizeof *fd);
	}
	return (size_t)count;
}

struct address
relay_post_bound(int fd)
{
	struct sockaddr_storage where = { 0 };
	socklen_t length = sizeof where;
	int type = 0;
	socklen_t type_length = sizeof type;

	if (getsockname(fd, (struct sockaddr *)&where, &length) != 0 ||
	    getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &type_length) != 0 || type != SOCK_DGRAM) {
		return (struct address){ .family = ADDRESS_NONE };
	}
	return address_from_sockaddr(&where);
}
