#include "actors/connection_io.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "protocol/stream.h"

/* Plain bytes may be as many as sealed ones, and those of a record that is whole only now. */
enum { SEALED_BYTES = CONNECTION_FRESH_BYTES - TLS_RECORD_BYTES };

static uint8_t *
queue_of(const struct connection *connection)
{
	return connection->memory + CONNECTION_IN_BYTES;
}

void
connection_open(struct connection *connection, int fd, uint8_t *memory)
{
	*connection = (struct connection){ .fd = fd, .memory = memory };
}

static bool
append_sealed(void *context, struct span sealed)
{
	struct connection *connection = context;

	if (connection->out_count + sealed.count > CONNECTION_OUT_BYTES) {
		return false;
	}
	memcpy(queue_of(connection) + connection->out_count, sealed.at, sealed.count);
	connection->out_count += (uint32_t)sealed.count;
	return true;
}

bool
connection_secure(struct connection *connection, const struct tls_server *server)
{
	connection->tls = tls_session_open(server, &(struct tls_out){ connection, append_sealed });
	return connection->tls != NULL;
}

void
connection_close(struct connection *connection)
{
	if (connection->tls != NULL) {
		tls_session_close(connection->tls);
		connection_push(connection);
	}
	close(connection->fd);
	*connection = (struct connection){ .fd = -1 };
}

bool
connection_is_shaking_hands(const struct connection *connection)
{
	return connection->tls != NULL && !tls_session_is_open(connection->tls);
}

/* --- in --- */

static bool
read_plain(struct connection *connection, uint8_t *out, size_t *count)
{
	const ssize_t got = recv(connection->fd, out, CONNECTION_FRESH_BYTES, MSG_DONTWAIT);

	*count = got > 0 ? (size_t)got : 0;
	return got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR));
}

/* A client that waits for an answer of the handshake gets it at once. */
static bool
read_sealed(struct connection *connection, uint8_t *out, size_t *count)
{
	static uint8_t sealed[SEALED_BYTES];
	const ssize_t got = recv(connection->fd, sealed, sizeof sealed, MSG_DONTWAIT);
	const uint32_t queued = connection->out_count;

	*count = 0;
	if (got <= 0) {
		return got < 0 && (errno == EAGAIN || errno == EINTR);
	}
	const bool goes_on =
		tls_session_take(connection->tls, (struct span){ sealed, (size_t)got }, out, count);
	if (connection->out_count > queued) {
		connection_push(connection);
	}
	return goes_on;
}

bool
connection_read(struct connection *connection, uint8_t out[CONNECTION_READ_BYTES], size_t *count)
{
	size_t fresh = 0;

	memcpy(out, connection->memory, connection->in_count);
	uint8_t *behind = out + connection->in_count;
	const bool goes_on = connection->tls == NULL ? read_plain(connection, behind, &fresh)
						     : read_sealed(connection, behind, &fresh);
	*count = connection->in_count + fresh;
	return goes_on;
}

void
connection_keep(struct connection *connection, struct span start)
{
	assert(start.count < CONNECTION_IN_BYTES);
	memcpy(connection->memory, start.at, start.count);
	connection->in_count = (uint32_t)start.count;
}

/* --- out --- */

static const uint8_t zeros[4];

/* How much the kernel took; 0 also if the connection is broken, which reading will tell. */
static size_t
give(const struct connection *connection, struct span message, size_t padding)
{
	struct iovec parts[] = { { (void *)(uintptr_t)message.at, message.count },
				 { (void *)(uintptr_t)zeros, padding } };
	const struct msghdr header = { .msg_iov = parts, .msg_iovlen = padding > 0 ? 2 : 1 };
	const ssize_t sent = sendmsg(connection->fd, &header, MSG_DONTWAIT | MSG_NOSIGNAL);

	return sent < 0 ? 0 : (size_t)sent;
}

static void
queue(struct connection *connection, struct span message, size_t padding, size_t sent)
{
	uint8_t *to = queue_of(connection) + connection->out_count;
	const size_t taken = sent < message.count ? sent : message.count;

	memcpy(to, message.at + taken, message.count - taken);
	memset(to + message.count - taken, 0, padding - (sent - taken));
	connection->out_count += (uint32_t)(message.count + padding - sent);
}

/* The message and its padding as one record, if they fit one. */
static bool
seal(struct connection *connection, struct span message, size_t padding)
{
	static uint8_t whole[STREAM_MESSAGE_BYTES_MAX + sizeof zeros];

	assert(message.count + padding <= sizeof whole);
	memcpy(whole, message.at, message.count);
	memset(whole + message.count, 0, padding);
	return tls_session_send(connection->tls, (struct span){ whole, message.count + padding });
}

/* An empty queue takes any message: none is longer. */
static bool
has_room(const struct connection *connection, size_t count, bool is_data)
{
	return connection->out_count == 0 ||
	       connection->out_count + count <=
		       (is_data ? CONNECTION_DATA_BYTES : CONNECTION_OUT_BYTES);
}

bool
connection_send(struct connection *connection, struct span message, bool is_data)
{
	const size_t padding = stream_padding(message);
	const size_t count = message.count + padding;
	const bool was_empty = connection->out_count == 0;

	if (connection_is_shaking_hands(connection)) {
		return true; /* a late answer to who had that address before */
	}
	if (!has_room(connection, connection->tls == NULL ? count : tls_sealed_bytes(count),
		      is_data)) {
		return is_data;
	}
	if (connection->tls == NULL) {
		const size_t sent = was_empty ? give(connection, message, padding) : 0;
		/* Data of which nothing went out is still whole: it waits like any other. */
		if (sent < count) {
			queue(connection, message, padding, sent);
		}
		return true;
	}
	const bool sealed = seal(connection, message, padding);
	if (was_empty) {
		connection_push(connection);
	}
	return sealed;
}

void
connection_push(struct connection *connection)
{
	uint8_t *out = queue_of(connection);
	const size_t sent = give(connection, (struct span){ out, connection->out_count }, 0);

	memmove(out, out + sent, connection->out_count - sent);
	connection->out_count -= (uint32_t)sent;
}

/* --- bytes that are no messages --- */

_Static_assert((int)CONNECTION_FRESH_BYTES <= (int)TLS_SESSION_PLAIN_MAX,
	       "a read is sealed at once");
_Static_assert((int)CONNECTION_IN_BYTES <= (int)TLS_SESSION_PLAIN_MAX, "so is what was kept");
_Static_assert((int)CONNECTION_FRESH_BYTES + 8 * (int)TLS_RECORD_OVERHEAD_BYTES <=
		       (int)CONNECTION_OUT_BYTES,
	       "an empty queue takes all of a read");

bool
connection_has_room(const struct connection *connection)
{
	return connection->out_count == 0 && !connection_is_shaking_hands(connection);
}

bool
connection_take(struct connection *connection, uint8_t out[CONNECTION_READ_BYTES], size_t *count)
{
	if (connection->in_count > 0) {
		memcpy(out, connection->memory, connection->in_count);
		*count = connection->in_count;
		connection->in_count = 0;
		return true;
	}
	return connection->tls == NULL ? read_plain(connection, out, count)
				       : read_sealed(connection, out, count);
}

bool
connection_write(struct connection *connection, struct span bytes)
{
	assert(connection->out_count == 0);
	assert(bytes.count > 0);
	if (connection->tls != NULL) {
		const bool sealed = tls_session_send(connection->tls, bytes);
		connection_push(connection);
		return sealed;
	}
	const size_t sent = give(connection, bytes, 0);
	if (sent < bytes.count) {
		queue(connection, bytes, 0, sent);
	}
	return true;
}

void
connection_finish(struct connection *connection)
{
	assert(connection->out_count == 0);
	if (connection->tls != NULL) {
		tls_session_finish(connection->tls);
		connection_push(connection);
	}
	shutdown(connection->fd, SHUT_WR);
}
