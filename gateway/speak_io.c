#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "gateway/frame.h"
#include "gateway/gateway_io.h"
#include "gateway/ice.h"
#include "protocol/credential.h"
#include "protocol/log_line_io.h"
#include "protocol/time_io.h"

static const struct span nothing;
static const struct name nobody;

static uint64_t
now_s(void)
{
	return time_now_us() / 1000000;
}

static struct id
random_id(void)
{
	struct id id;

	if (getrandom(&id, sizeof id, 0) != sizeof id) {
		abort(); /* 16 bytes are always given once the kernel has started */
	}
	return id;
}

static bool
send_command(struct gateway *gateway, struct command *command, struct span body)
{
	command->command_id = link_command_id(gateway->link);
	gateway->dirty = true;
	return link_send(gateway->link, command, body);
}

/* --- what a connection is told -----------------------------------------------------------------
 */

/* Frees the text. */
static void
tell(struct gateway *gateway, struct connection *connection, char *text)
{
	if (text != NULL) {
		socket_send(gateway, connection, text, strlen(text));
		free(text);
	}
}

void
speak_refuse(struct gateway *gateway, struct connection *connection, enum verdict verdict,
	     const struct name *about)
{
	const struct refusal refusal = { .source = connection->client, .verdict = verdict };

	gateway->facts.refusals++;
	refusals_note(&gateway->refusals, &refusal, time_monotonic_us());
	tell(gateway, connection, frame_write_error(verdict, about == NULL ? &nobody : about));
}

/* The time-limited credential of an agent can be made again at any time; only its end must be
 * known. */
static bool
make_credential(struct gateway *gateway, const struct connection *connection,
		const struct name *agent, struct credential_pair *out)
{
	const struct settings *settings = gateway->start->settings;

	return settings->static_auth_secret.count > 0 && !settings->no_auth &&
	       credential_make(out, &gateway->integrity,
			       settings->static_auth_secret.items[0].bytes, agent,
			       connection->credential_expires_s);
}

/* Joins the registration with the allocations made under its credential. */
static struct id
trace_of(struct gateway *gateway, const struct connection *connection, const struct name *agent)
{
	const struct setting_list *secrets = &gateway->start->settings->static_auth_secret;
	struct credential_pair pair;

	if (!make_credential(gateway, connection, agent, &pair)) {
		return random_id();
	}
	const char *secret = secrets->items[0].bytes;
	return credential_trace(
		&gateway->integrity, (struct span){ (const uint8_t *)secret, strlen(secret) },
		(struct span){ (const uint8_t *)pair.username, strlen(pair.username) });
}

/* --- from frames to commands -------------------------------------------------------------------
 */

static bool
send_register(struct gateway *gateway, struct connection *connection, const struct frame *frame)
{
	const uint64_t lifetime_s = gateway->start->settings->credential_lifetime;
	struct command command = { .type = COMMAND_REGISTER };

	/* Who registers again gets a fresh credential once half of the time is over. */
	if (connection->credential_expires_s < now_s() + lifetime_s / 2) {
		connection->credential_expires_s = now_s() + lifetime_s;
	}
	command.trace_id = trace_of(gateway, connection, &frame->agent);
	command.register_agent = (struct command_register_agent){
		.connection = connection->number,
		.agent_name = frame->agent,
		.room_name = frame->room,
		.client = connection->client,
		.agent = random_id(),
		.room = random_id(),
		.draining = gateway->start->settings->drain.bytes[0] != '\0',
	};
	connection->asked = true;
	return send_command(gateway, &command, nothing);
}

static bool
send_signal(struct gateway *gateway, const struct connection *connection, const struct frame *frame,
	    struct span text)
{
	struct command command = { .type = COMMAND_SIGNAL };

	command.signal = (struct command_signal){
		.connection = connection->number,
		.kind = frame->kind,
		.from = frame->from,
		.to = frame->to,
		.bytes = text.count,
	};
	SHA256(text.at, text.count, command.signal.digest.bytes);
	return send_command(gateway, &command, text);
}

void
speak_frame(struct gateway *gateway, struct connection *connection, struct span text, bool is_text)
{
	struct frame frame;
	const enum verdict verdict = is_text ? frame_parse(text, &frame) : REFUSED_FRAME;

	gateway->facts.frames_in++;
	if (verdict != ACCEPTED) {
		speak_refuse(gateway, connection, verdict, NULL);
		return;
	}
	const bool sent = frame.is_register ? send_register(gateway, connection, &frame)
					    : send_signal(gateway, connection, &frame, text);
	if (!sent) {
		speak_refuse(gateway, connection, REFUSED_SUSPENDED, NULL);
	}
}

static bool
send_leave(struct gateway *gateway, uint64_t number, uint64_t reason)
{
	struct command command = { .type = COMMAND_LEAVE };

	command.leave = (struct command_leave){ .connection = number, .reason = reason };
	return send_command(gateway, &command, nothing);
}

void
speak_leave(struct gateway *gateway, struct connection *connection, uint64_t reason)
{
	if (!connection->asked) {
		return;
	}
	connection->asked = false;
	if (reason == LEAVE_SHUTDOWN) {
		return; /* session itself said so */
	}
	if (reason == LEAVE_EXPELLED) {
		reason = LEAVE_CLOSED; /* of what it may have registered as meanwhile */
	}
	if (!send_leave(gateway, connection->number, reason)) {
		gateway->late[gateway->late_count++] =
			(struct late_leave){ connection->number, reason };
	}
}

static void
send_late_leaves(struct gateway *gateway)
{
	while (gateway->late_count > 0) {
		const struct late_leave *last = &gateway->late[gateway->late_count - 1];

		if (!send_leave(gateway, last->connection, last->reason)) {
			return;
		}
		gateway->late_count--;
	}
}

static void
report_refusal(struct gateway *gateway, const struct refusal *refusal)
{
	struct command command = { .type = COMMAND_SIGNALING_REFUSED };

	command.signaling_refused = (struct command_signaling_refused){
		.verdict = refusal->verdict,
		.count = refusal->count,
		.window_us = REFUSALS_WINDOW_S * 1000000ull,
		.day = random_id(),
		.source = refusal->source,
	};
	send_command(gateway, &command, nothing);
}

static void
report_refusals(struct gateway *gateway)
{
	struct refusals *refusals = &gateway->refusals;

	for (size_t i = 0; i <= REFUSALS_MAX; i++) {
		if (refusal_is_told(&refusals->items[i])) {
			report_refusal(gateway, &refusals->items[i]);
		}
	}
	refusals_clear(refusals);
}

static void
report_refusals_if_due(struct gateway *gateway, uint64_t now_us)
{
	if (refusals_are_due(&gateway->refusals, now_us) &&
	    link_state(gateway->link) == LINK_ATTACHED) {
		report_refusals(gateway);
	}
}

/* What was folded stands before it, so that nothing of before is told after it. */
static void
send_expelled(struct gateway *gateway)
{
	struct command command = { .type = COMMAND_EXPELLED };

	if (id_is_none(&gateway->expel_owed)) {
		return;
	}
	report_refusals(gateway);
	command.expelled.expel = gateway->expel_owed;
	if (send_command(gateway, &command, nothing)) {
		gateway->expel_owed = (struct id){ { 0 } };
	}
}

/* --- from notices to frames --------------------------------------------------------------------
 */

/* To everybody here in that room, but one. Frees the text. */
static void
tell_room(struct gateway *gateway, const struct id *room, uint64_t but, char *text)
{
	const size_t count = text == NULL ? 0 : strlen(text);
	uint32_t at = roster_next_here(gateway->rosters, room, SLOT_NONE);

	for (; text != NULL && at != SLOT_NONE; at = roster_next_here(gateway->rosters, room, at)) {
		const uint64_t number = roster_connection(gateway->rosters, at);
		struct connection *connection = connection_find(gateway->connections, number);

		if (number != but && connection != NULL) {
			socket_send(gateway, connection, text, count);
		}
	}
	free(text);
}

static void
join(struct gateway *gateway, const struct id *room, const struct name *agent, uint64_t connection,
     bool again)
{
	const enum roster_change change =
		roster_join(gateway->rosters, room, agent, connection, again);

	if (change == ROSTER_REPLACED) {
		tell_room(gateway, room, connection, frame_write_left(agent));
	}
	if (change != ROSTER_SAME) {
		tell_room(gateway, room, connection, frame_write_joined(agent));
	}
}

/* The others of a room that nobody here was in. */
static void
open_roster(struct gateway *gateway, const struct id *room, struct span body)
{
	struct mp_reader r = mp_reader_of(body);
	const size_t count = mp_get_array(&r, AGENTS_MAX);

	for (size_t i = 0; i < count && !r.bad; i++) {
		const struct span bytes = mp_get_str(&r, NAME_BYTES_MAX);
		struct name name;

		if (bytes.count > 0 && name_set(&name, (const char *)bytes.at, bytes.count)) {
			roster_join(gateway->rosters, room, &name, 0, false);
		}
	}
}

/* Walks a room, all but one. */
struct walk {
	const struct gateway *gateway;
	const struct id *room;
	uint64_t but;
	uint32_t at;
};

static const struct name *
walk_next(void *context)
{
	struct walk *walk = context;

	do {
		walk->at = roster_next(walk->gateway->rosters, walk->room, walk->at);
	} while (walk->at != SLOT_NONE &&
		 roster_connection(walk->gateway->rosters, walk->at) == walk->but);
	return walk->at == SLOT_NONE ? NULL : roster_name(walk->gateway->rosters, walk->at);
}

static void
tell_registered(struct gateway *gateway, struct connection *connection,
		const struct notice_registered *notice)
{
	static struct credential_pair pair;
	static struct ice ice;
	struct walk walk = { gateway, &notice->room, notice->connection, SLOT_NONE };
	struct frame_roster roster = { walk_next, &walk };
	struct address local;

	socket_local(connection->socket, &local);
	ice_hosts(&ice, gateway->start->settings, &local);
	const bool made = make_credential(gateway, connection, &notice->agent_name, &pair);
	ice.username = made ? pair.username : "";
	ice.credential = made ? pair.password : "";
	tell(gateway, connection,
	     frame_write_registered(&notice->agent_name, &notice->room_name, roster, &ice));
}

static void
take_registered(struct gateway *gateway, const struct notice_registered *notice, struct span body)
{
	struct connection *connection = connection_find(gateway->connections, notice->connection);

	if (!roster_has(gateway->rosters, &notice->room)) {
		open_roster(gateway, &notice->room, body);
	}
	join(gateway, &notice->room, &notice->agent_name, notice->connection, false);
	if (connection != NULL) {
		tell_registered(gateway, connection, notice);
	}
}

static void
take_left(struct gateway *gateway, const struct notice_left *notice)
{
	if (roster_leave(gateway->rosters, &notice->room, &notice->agent_name) != ROSTER_SAME) {
		tell_room(gateway, &notice->room, 0, frame_write_left(&notice->agent_name));
	}
}

/* No refusal that is noted, and none that was noted just before: it would bring the client's
 * address into the log once more. */
static void
expel(struct gateway *gateway, struct connection *connection)
{
	refusals_forget(&gateway->refusals, &connection->client);
	tell(gateway, connection, frame_write_error(REFUSED_EXPELLED, &nobody));
	if (connection->close_reason == 0) {
		connection->close_reason = LEAVE_EXPELLED;
		socket_close(connection);
	}
}

/* What is for one connection, if it is still open. */
static void
take_for_connection(struct gateway *gateway, const struct notice *notice, struct span body)
{
	const uint64_t number = notice->type == NOTICE_DELIVER   ? notice->deliver.connection
				: notice->type == NOTICE_REFUSED ? notice->refused.connection
								 : notice->close.connection;
	struct connection *connection = connection_find(gateway->connections, number);

	if (connection == NULL) {
		return;
	}
	if (notice->type == NOTICE_DELIVER) {
		socket_send(gateway, connection, (const char *)body.at, body.count);
	} else if (notice->type == NOTICE_REFUSED) {
		enum verdict verdict = REFUSED_MALFORMED;

		verdict_from_number(notice->refused.verdict, &verdict);
		speak_refuse(gateway, connection, verdict, &notice->refused.about);
	} else if (notice->close.reason == LEAVE_EXPELLED) {
		expel(gateway, connection);
	} else {
		connection->close_reason = LEAVE_SHUTDOWN;
		socket_close(connection);
	}
}

/* An operator ends that agent: only when session has forgotten it do its connections close. */
static void
take_expel(struct gateway *gateway, const struct notice *notice)
{
	struct notice_left gone = { .agent_name = notice->expel.agent_name };
	uint64_t number = 0;

	while (notice->expel.over != 0 &&
	       roster_find(gateway->rosters, &gone.agent_name, &gone.room, &number)) {
		struct connection *connection = connection_find(gateway->connections, number);

		take_left(gateway, &gone);
		if (connection != NULL) {
			expel(gateway, connection);
		}
	}
	gateway->expel_owed = notice->command_id;
	send_expelled(gateway);
}

static void
take_notice(struct gateway *gateway, const struct notice *notice, struct span body)
{
	switch ((int)notice->type) {
	case NOTICE_REGISTERED:
		take_registered(gateway, &notice->registered, body);
		break;
	case NOTICE_JOINED:
		if (roster_has(gateway->rosters, &notice->joined.room)) {
			join(gateway, &notice->joined.room, &notice->joined.agent_name, 0,
			     notice->joined.again != 0);
		}
		break;
	case NOTICE_LEFT:
		take_left(gateway, &notice->left);
		break;
	case NOTICE_DELIVER:
	case NOTICE_REFUSED:
	case NOTICE_CLOSE:
		take_for_connection(gateway, notice, body);
		break;
	case NOTICE_EXPEL:
		take_expel(gateway, notice);
		break;
	}
}

void
speak_pump(struct gateway *gateway)
{
	static struct notice notice;
	struct span body;

	gateway->dirty = false;
	link_run(gateway->link);
	while (link_next(gateway->link, &notice, &body)) {
		take_notice(gateway, &notice, body);
	}
	if (link_state(gateway->link) == LINK_LOST && gateway->exit_code == EXIT_SUCCESS) {
		log_error("session has given this gateway up: it ends, and a new one is started");
		gateway->exit_code = EXIT_FAILURE;
		uv_stop(&gateway->loop);
	}
}

void
speak_tick(struct gateway *gateway, uint64_t now_us)
{
	send_late_leaves(gateway);
	report_refusals_if_due(gateway, now_us);
	send_expelled(gateway);
	speak_pump(gateway);
}
