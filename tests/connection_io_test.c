/* What a client's connection sends, gathers and drops; the client is the other end of a pair of
 * sockets. */
#include "tests/tls_server.h"

#include <sys/socket.h>
#include <unistd.h>

#include "actors/connection_io.h"

enum {
	MESSAGE_BYTES = 1000,
	SMALL_BUFFER_BYTES = 4096,
	RECORD_HEADER_BYTES = 5,
	ALL_BYTES = 1 << 20
};

static uint8_t memory[CONNECTION_MEMORY_BYTES];
static uint8_t got[ALL_BYTES];

/* ChannelData of `count` bytes in all, of which each is its number. */
static struct span
message_of(uint8_t number, size_t count)
{
	static uint8_t bytes[STREAM_MESSAGE_BYTES_MAX];

	assert_true(count <= sizeof bytes);
	memset(bytes, number, count);
	bytes[0] = 0x40;
	bytes[1] = 0x00;
	bytes[2] = (uint8_t)((count - 4) >> 8);
	bytes[3] = (uint8_t)(count - 4);
	return (struct span){ bytes, count };
}

/* `kind`: SOCK_SEQPACKET shows what was sent in one piece. */
static int
client_of(struct connection *connection, int kind)
{
	int ends[2];
	const int small = SMALL_BUFFER_BYTES;

	assert_int_equal(socketpair(AF_UNIX, kind | SOCK_NONBLOCK, 0, ends), 0);
	if (kind == SOCK_STREAM) {
		setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
	}
	connection_open(connection, ends[0], memory);
	return ends[1];
}

static size_t
take(int client)
{
	const ssize_t count = recv(client, got, sizeof got, 0);

	return count > 0 ? (size_t)count : 0;
}

static void
messages_leave_together_with_their_padding(void **unused)
{
	struct connection connection;
	const int client = client_of(&connection, SOCK_SEQPACKET);

	(void)unused;
	assert_true(connection_send(&connection, message_of(1, 6), true));
	assert_true(connection_send(&connection, message_of(2, 8), false));
	assert_int_equal(take(client), 0); /* not yet */
	assert_false(connection_waits(&connection));
	assert_true(connection_flush(&connection));
	assert_int_equal(take(client), 16);
	assert_memory_equal(got, "\x40\0\0\x02\1\1\0\0\x40\0\0\x04\2\2\2\2", 16);
	assert_true(connection_flush(&connection)); /* of nothing is nothing */
	assert_int_equal(take(client), 0);
	connection_close(&connection);
	close(client);
}

static void
what_was_sent_leaves_before_the_connection_closes(void **unused)
{
	struct connection connection;
	const int client = client_of(&connection, SOCK_SEQPACKET);

	(void)unused;
	assert_true(connection_send(&connection, message_of(1, 8), false));
	connection_close(&connection);
	assert_int_equal(take(client), 8);
	close(client);
}

/* Whole messages alone, in their order, though the kernel takes them piece by piece. */
static void
assert_whole(size_t count, unsigned messages)
{
	assert_int_equal(count, (size_t)messages * MESSAGE_BYTES);
	for (size_t at = 0; at < count; at += MESSAGE_BYTES) {
		const uint8_t number = (uint8_t)(at / MESSAGE_BYTES);
		const struct span whole = message_of(number, MESSAGE_BYTES);
		assert_memory_equal(got + at, whole.at, whole.count);
	}
}

static size_t
drain(struct connection *connection, int client)
{
	size_t count = 0;
	ssize_t more;

	while ((more = recv(client, got + count, sizeof got - count, 0)) > 0 ||
	       connection_waits(connection)) {
		count += more > 0 ? (size_t)more : 0;
		assert_true(connection_push(connection));
	}
	return count;
}

/* The bounds of connection_io.h: data first, then replies, then the end. */
static void
data_that_finds_no_room_is_dropped_and_a_reply_ends_it(void **unused)
{
	struct connection connection;
	const int client = client_of(&connection, SOCK_STREAM);
	unsigned sent = 0;
	uint32_t before;

	(void)unused;
	for (; !connection_waits(&connection); sent++) { /* until the kernel takes no more */
		assert_true(connection_send(&connection, message_of((uint8_t)sent, MESSAGE_BYTES),
					    true));
		assert_true(connection_flush(&connection));
	}
	do {
		before = connection.out_count;
		assert_true(connection_send(&connection, message_of((uint8_t)sent, MESSAGE_BYTES),
					    true));
		sent += connection.out_count > before;
	} while (connection.out_count > before);
	assert_in_range(connection.out_count, CONNECTION_DATA_BYTES - MESSAGE_BYTES,
			CONNECTION_DATA_BYTES);
	for (; connection.out_count + MESSAGE_BYTES <= CONNECTION_OUT_BYTES; sent++) {
		assert_true(connection_send(&connection, message_of((uint8_t)sent, MESSAGE_BYTES),
					    false));
	}
	assert_false(connection_send(&connection, message_of(0, MESSAGE_BYTES), false));
	assert_true(connection_flush(&connection));
	assert_whole(drain(&connection, client), sent);
	connection_close(&connection);
	close(client);
}

/* --- over TLS --- */

static SSL *
shaken_hands(struct connection *connection, int client)
{
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());
	SSL *ssl = SSL_new(context);
	static uint8_t plain[CONNECTION_READ_BYTES];
	size_t count = 0;

	SSL_CTX_free(context);
	SSL_set_fd(ssl, client);
	while (SSL_connect(ssl) != 1 || connection_is_shaking_hands(connection)) {
		assert_true(connection_read(connection, plain, &count));
	}
	return ssl;
}

/* Together, but each in a record of its own: turnutils_uclient hears the first of a record alone.
 */
static void
messages_leave_in_records_of_their_own(void **unused)
{
	struct connection connection;
	struct tls_server *server = server_of(TLS_STREAMS, "here");
	const int client = client_of(&connection, SOCK_STREAM);

	(void)unused;
	assert_true(connection_secure(&connection, server));
	SSL *ssl = shaken_hands(&connection, client);
	take(client); /* tickets, which this client does without */
	assert_true(connection_send(&connection, message_of(1, 8), true));
	assert_true(connection_send(&connection, message_of(2, 8), true));
	assert_true(connection_send(&connection, message_of(3, 8), false));
	assert_int_equal(take(client), 0);
	assert_true(connection_flush(&connection));
	const size_t count = take(client);
	size_t records = 0;
	for (size_t at = 0; at < count; records++) {
		assert_int_equal(got[at], SSL3_RT_APPLICATION_DATA);
		at += RECORD_HEADER_BYTES + (size_t)(got[at + 3] << 8 | got[at + 4]);
		assert_true(at <= count);
	}
	assert_int_equal(records, 3);
	connection_close(&connection);
	SSL_free(ssl);
	tls_server_close(server);
	close(client);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages_leave_together_with_their_padding),
		cmocka_unit_test(what_was_sent_leaves_before_the_connection_closes),
		cmocka_unit_test(data_that_finds_no_room_is_dropped_and_a_reply_ends_it),
		cmocka_unit_test(messages_leave_in_records_of_their_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
