#include <stdlib.h>
#include <string.h>

#include "gateway/gateway_io.h"
#include "protocol/time_io.h"

enum {
	CLOSE_GRACE_S = 3,
	WRITES_PER_TURN = 16,
	CLOSE_TOO_FAST = 1008,
	CLOSE_TOO_BIG = 1009,
	CLOSE_GOING_AWAY = 1001,
	CLOSE_EXPELLED = 4403,
};

struct gateway *
gateway_of(struct lws *wsi)
{
	return lws_context_user(lws_get_context(wsi));
}

void
socket_send(struct gateway *gateway, struct connection *connection, const char *text, size_t count)
{
	struct lws *wsi = connection->socket;

	if (connection->close_reason != 0) {
		return;
	}
	if (!connection_push(connection, text, count)) {
		gateway->facts.closed_slow++;
		connection->close_reason = LEAVE_TOO_SLOW;
		/* It does not read, so it cannot be told. */
		lws_set_timeout(wsi, PENDING_TIMEOUT_USER_OK, LWS_TO_KILL_ASYNC);
		return;
	}
	lws_callback_on_writable(wsi);
}

void
socket_close(struct connection *connection)
{
	lws_callback_on_writable(connection->socket);
	lws_set_timeout(connection->socket, PENDING_TIMEOUT_USER_OK, CLOSE_GRACE_S);
}

static int
close_with(struct lws *wsi, enum lws_close_status code, const char *why)
{
	unsigned char text[64];
	const size_t length = strlen(why);

	memcpy(text, why, length);
	lws_close_reason(wsi, code, text, length);
	return -1;
}

/* A web page of another origin may not speak for its visitor (threat H1). Who sends no Origin is no
 * browser. */
static bool
is_allowed_origin(const struct gateway *gateway, struct lws *wsi)
{
	const struct setting_list *allowed = &gateway->start->settings->allow_origin;
	char origin[SETTING_BYTES_MAX];

	if (allowed->count == 0 || lws_hdr_total_length(wsi, WSI_TOKEN_ORIGIN) == 0) {
		return true;
	}
	if (lws_hdr_copy(wsi, origin, sizeof origin, WSI_TOKEN_ORIGIN) <= 0) {
		return false;
	}
	for (size_t i = 0; i < allowed->count; i++) {
		if (strcmp(allowed->items[i].bytes, origin) == 0) {
			return true;
		}
	}
	return false;
}

static bool
header_is(struct lws *wsi, enum lws_token_indexes header, const char *value)
{
	char text[32];

	return lws_hdr_copy(wsi, text, sizeof text, header) > 0 && strcmp(text, value) == 0;
}

static int
refuse_upgrade(struct lws *wsi, unsigned status, const char *why)
{
	lws_return_http_status(wsi, status, why);
	return 1;
}

/* What libwebsockets itself would let pass (threat H1). */
static int
on_upgrade(struct gateway *gateway, struct lws *wsi)
{
	if (gateway->phase != GATEWAY_SERVES) {
		return -1;
	}
	if (!header_is(wsi, WSI_TOKEN_HTTP, "HTTP/1.1")) {
		return refuse_upgrade(wsi, 400, "WebSocket needs HTTP/1.1");
	}
	if (!header_is(wsi, WSI_TOKEN_VERSION, "13")) {
		return refuse_upgrade(wsi, 426, "WebSocket version 13 is served here");
	}
	if (!is_allowed_origin(gateway, wsi)) {
		return refuse_upgrade(wsi, 403, "this origin is not in allow-origin");
	}
	return 0;
}

static int
on_established(struct gateway *gateway, struct socket *socket, struct lws *wsi)
{
	struct address client;

	socket_peer(wsi, &client);
	socket->wsi = wsi;
	socket->connection =
		connection_open(gateway->connections, wsi, &client, time_monotonic_us());
	return socket->connection == NULL ? -1 : 0;
}

/* Adds a piece to the frame that is gathering; false if it becomes too long. */
static bool
gather(struct socket *socket, const void *in, size_t len)
{
	if (socket->fragment_bytes + len > FRAME_BYTES_MAX) {
		return false;
	}
	if (socket->fragments == NULL) {
		socket->fragments = malloc(FRAME_BYTES_MAX);
		if (socket->fragments == NULL) {
			return false;
		}
	}
	if (len > 0) {
		memcpy(socket->fragments + socket->fragment_bytes, in, len);
	}
	socket->fragment_bytes += len;
	return true;
}

static void
forget_fragments(struct socket *socket)
{
	free(socket->fragments);
	socket->fragments = NULL;
	socket->fragment_bytes = 0;
}

static int
on_receive(struct gateway *gateway, struct socket *socket, const void *in, size_t len)
{
	struct connection *connection = socket->connection;
	struct lws *wsi = socket->wsi;

	if (connection->close_reason != 0 || gateway->phase != GATEWAY_SERVES) {
		return 0;
	}
	/* Pieces are counted, too: a frame in 65,536 pieces costs as much as as many frames. */
	if (!connection_may_speak(connection, time_monotonic_us())) {
		gateway->facts.closed_fast++;
		speak_refuse(gateway, connection, REFUSED_TOO_FAST, NULL);
		connection->close_reason = LEAVE_TOO_FAST;
		return close_with(wsi, (enum lws_close_status)CLOSE_TOO_FAST, "too many messages");
	}
	const bool is_whole = lws_is_final_fragment(wsi) && lws_remaining_packet_payload(wsi) == 0;
	if (is_whole && socket->fragment_bytes == 0 && len <= FRAME_BYTES_MAX) {
		speak_frame(gateway, connection, (struct span){ in, len },
			    !lws_frame_is_binary(wsi));
		return 0;
	}
	if (!gather(socket, in, len)) {
		return close_with(wsi, (enum lws_close_status)CLOSE_TOO_BIG, "message too big");
	}
	if (is_whole) {
		speak_frame(gateway, connection,
			    (struct span){ socket->fragments, socket->fragment_bytes },
			    !lws_frame_is_binary(wsi));
		forget_fragments(socket);
	}
	return 0;
}

static int
write_frame(struct gateway *gateway, struct lws *wsi, struct connection *connection)
{
	struct outgoing *frame = connection_pop(connection);
	unsigned char *text = malloc(LWS_PRE + frame->count);
	const int count = (int)frame->count;

	if (text == NULL) {
		free(frame);
		return -1;
	}
	memcpy(text + LWS_PRE, frame->text, frame->count);
	const int written = lws_write(wsi, text + LWS_PRE, frame->count, LWS_WRITE_TEXT);
	free(text);
	free(frame);
	gateway->facts.frames_out++;
	return written < count ? -1 : 0;
}

/* Returning -1 from here closes without a word, so the frame is written by hand (RFC 6455
 * section 5.5.1), once; the client answers it and closes, or the grace of socket_close ends.
 * libwebsockets 4.1 has a number for such a write, but no name in its header. */
static int
write_goodbye(struct socket *socket, unsigned code)
{
	enum { WRITE_CLOSE = 4 };
	unsigned char frame[LWS_PRE + 2] = { 0 };

	if (socket->has_said_goodbye) {
		return 0;
	}
	socket->has_said_goodbye = true;

	frame[LWS_PRE] = (unsigned char)(code >> 8);
	frame[LWS_PRE + 1] = (unsigned char)(code & 0xFF);
	return lws_write(socket->wsi, frame + LWS_PRE, 2, (enum lws_write_protocol)WRITE_CLOSE) < 0
		       ? -1
		       : 0;
}

static int
on_writeable(struct gateway *gateway, struct socket *socket)
{
	struct connection *connection = socket->connection;

	for (int i = 0; connection->first != NULL && i < WRITES_PER_TURN; i++) {
		if (write_frame(gateway, socket->wsi, connection) != 0) {
			return -1;
		}
		if (lws_send_pipe_choked(socket->wsi)) {
			break;
		}
	}
	if (connection->first != NULL) {
		lws_callback_on_writable(socket->wsi);
		return 0;
	}
	if (connection->close_reason == LEAVE_SHUTDOWN ||
	    connection->close_reason == LEAVE_GATEWAY_STOPPED) {
		return write_goodbye(socket, CLOSE_GOING_AWAY);
	}
	return connection->close_reason == LEAVE_EXPELLED ? write_goodbye(socket, CLOSE_EXPELLED)
							  : 0;
}

static void
on_closed(struct gateway *gateway, struct socket *socket)
{
	struct connection *connection = socket->connection;

	forget_fragments(socket);
	if (connection == NULL) {
		return;
	}
	speak_leave(gateway, connection,
		    connection->close_reason != 0 ? connection->close_reason : LEAVE_CLOSED);
	connection_close(gateway->connections, connection);
	socket->connection = NULL;
}

int
socket_callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t len)
{
	struct socket *socket = user;

	switch ((int)reason) {
	case LWS_CALLBACK_HTTP_CONFIRM_UPGRADE:
		return on_upgrade(gateway_of(wsi), wsi);
	case LWS_CALLBACK_ESTABLISHED:
		return on_established(gateway_of(wsi), socket, wsi);
	case LWS_CALLBACK_RECEIVE:
		return on_receive(gateway_of(wsi), socket, in, len);
	case LWS_CALLBACK_SERVER_WRITEABLE:
		return on_writeable(gateway_of(wsi), socket);
	case LWS_CALLBACK_CLOSED:
		on_closed(gateway_of(wsi), socket);
		return 0;
	case LWS_CALLBACK_HTTP:
		socket->wsi = wsi;
		return http_request(gateway_of(wsi), socket, in);
	case LWS_CALLBACK_HTTP_WRITEABLE:
		return answer_writeable(wsi, &socket->answer);
	case LWS_CALLBACK_CLOSED_HTTP:
		if (socket != NULL) {
			http_closed(gateway_of(wsi), socket);
		}
		return 0;
	case LWS_CALLBACK_WSI_DESTROY:
		acceptor_closed(&gateway_of(wsi)->acceptor);
		return 0;
	}
	return lws_callback_http_dummy(wsi, reason, user, in, len);
}
