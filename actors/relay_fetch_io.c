/* Ports that are kept for a token, from relay to relay (relay_fetch.c): their messages, and the
 * sockets that come with them. */
#include <errno.h>
#include <unistd.h>

#include "actors/relay_process_io.h"

enum { READ_AT_ONCE = 16 }; /* then the packets of others have their turn */
_Static_assert((int)FETCH_BYTES_MAX <= (int)RELAY_POST_BYTES_MAX, "a message is a datagram");

enum fetch_sent
relay_process_tell(void *context, uint64_t relay, const struct fetch_message *message,
		   uint32_t socket)
{
	struct relay_process *process = context;
	uint8_t bytes[FETCH_BYTES_MAX];
	struct mp_writer w = mp_writer_of(bytes, sizeof bytes);
	const int fd = socket == SOCKET_NONE ? -1 : process->sockets.fds[socket];

	fetch_write(&w, message);
	if (relay_post_send(process->fetch, relay, mp_written(&w), fd)) {
		return FETCH_SENT;
	}
	return errno == EAGAIN ? FETCH_LATER : FETCH_NOBODY;
}

static void
take(struct relay_process *process, struct span bytes, int fd)
{
	struct fetch_message message;
	const bool is_read = fetch_read(bytes, &message);
	uint32_t socket = SOCKET_NONE;

	if (fd >= 0 && is_read && message.kind == FETCH_GIVEN) {
		socket = relay_sockets_adopt(&process->sockets, fd, &message.relayed);
	} else if (fd >= 0) {
		close(fd);
	}
	if (is_read) {
		relay_handle_fetch(process->relay, &message, socket, process->now_us);
	}
}

void
relay_process_read_fetch(struct relay_process *process)
{
	uint8_t bytes[FETCH_BYTES_MAX];

	for (int i = 0; i < READ_AT_ONCE; i++) {
		int fd;
		const size_t count = relay_post_receive(process->fetch, bytes, sizeof bytes, &fd);
		if (count == 0) {
			return;
		}
		take(process, (struct span){ bytes, count }, fd);
	}
}
