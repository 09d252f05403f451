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

	assert(connection->fresh_count == 0);
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
	connection_flush(connection);
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

	*count = 0;
	if (got <= 0) {
		return got < 0 && (errno == EAGAIN || errno == EINTR);
	}
	if (!connection_flush(connection)) { /* before what the session answers */
		return false;
	}
	const uint32_t queued = connection->out_count;
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

/* The first of what is queued, which may be nothing if the connection is broken: reading tells. */
static void
give(struct connection *connection)
{
	uint8_t *out = queue_of(connection);
	const ssize_t sent =
		send(connection->fd, out, connection->out_count, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (sent > 0) {
		memmove(out, out + sent, connection->out_count - (size_t)sent);
		connection->out_count -= (uint32_t)sent;
	}
}

/* Each message in a record of its own: coturn's client hears the first one of a record alone. */
static bool
seal_fresh(struct connection *connection)
{
	static uint8_t plain[CONNECTION_OUT_BYTES];
	const uint32_t count = connection->fresh_count;

	connection->fresh_count = 0;
	connection->fresh_messages = 0;
	if (connection->tls == NULL || count == 0) {
		return true;
	}
	connection->out_count -= count;
	memcpy(plain, queue_of(connection) + connection->out_count, count);
	for (size_t at = 0, taken = 0; at < count; at += taken) {
		if (stream_next((struct span){ plain + at, count - at }, &taken) !=
		    STREAM_MESSAGE) {
			taken = count - at;
		}
		if (!tls_session_send(connection->tls, (struct span){ plain + at, taken })) {
			return false;
		}
	}
	return true;
}

/* An empty queue takes any message: none is longer. */
static bool
has_room(const struct connection *connection, size_t count, bool is_data)
{
	const size_t fresh = connection->fresh_count + count;
	const size_t records = (size_t)connection->fresh_messages * TLS_RECORD_OVERHEAD_BYTES;
	const size_t used = connection->out_count - connection->fresh_count +
			    (connection->tls == NULL ? fresh : tls_sealed_bytes(fresh) + records);

	return connection->out_count == 0 ||
	       used <= (is_data ? CONNECTION_DATA_BYTES : CONNECTION_OUT_BYTES);
}

bool
connection_send(struct connection *connection, struct span message, bool is_data)
{
	const size_t padding = stream_padding(message);

	if (connection_is_shaking_hands(connection)) {
		return true; /* a late answer to who had that address before */
	}
	if (!has_room(connection, message.count + padding, is_data)) {
		if (!connection_flush(connection)) {
			return false;
		}
		if (!has_room(connection, message.count + padding, is_data)) {
			return is_data;
		}
	}
	uint8_t *to = queue_of(connection) + connection->out_count;

	memcpy(to, message.at, message.count);
	memset(to + message.count, 0, padding);
	connection->out_count += (uint32_t)(message.count + padding);
	connection->fresh_count += (uint32_t)(message.count + padding);
	connection->fresh_messages++;
	return true;
}

bool
connection_waits(const struct connection *connection)
{
	return connection->out_count > connection->fresh_count;
}

bool
connection_flush(struct connection *connection)
{
	const bool waits = connection_waits(connection);
	const bool is_fresh = connection->fresh_count > 0;
	const bool sealed = seal_fresh(connection);

	if (is_fresh && !waits) {
		give(connection);
	}
	return sealed;
}

bool
connection_push(struct connection *connection)
{
	const bool sealed = seal_fresh(connection);

	give(connection);
	return sealed;
}

/* --- bytes that are no messages --- */

_Static_assert((int)CONNECTION_OUT_BYTES <= (int)TLS_SESSION_PLAIN_MAX,
	       "what is queued is sealed at once, and so is a read");
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
		give(connection);
		return sealed;
	}
	const ssize_t sent =
		send(connection->fd, bytes.at, bytes.count, MSG_DONTWAIT | MSG_NOSIGNAL);
	const size_t taken = sent > 0 ? (size_t)sent : 0;

	memcpy(queue_of(connection), bytes.at + taken, bytes.count - taken);
	connection->out_count = (uint32_t)(bytes.count - taken);
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
