/* What each command leads to: early refusals in the order of RFC 8656, the happy path last. */
#include <assert.h>
#include <string.h>

#include "actors/allocation_decide.h"
#include "protocol/credential_name.h"
#include "protocol/turn.h"

static const uint64_t SECOND_US = 1000 * 1000;

struct event *
allocation_emit(struct event_list *out, enum event_type type, const struct command *command,
		const struct id *trace)
{
	return event_emit(out, type, command->now_us, &command->command_id, trace);
}

/* As long as asked, but not beyond the credential's end where the relay names one. */
uint64_t
allocation_expires_us(const struct allocation_state *state, const struct command *command,
		      uint64_t asked_s, uint64_t until_s)
{
	const uint64_t lifetime_us =
		turn_lifetime_s(asked_s, state->limits.lifetime_max_s) * SECOND_US;
	const uint64_t now_s = command->now_us / SECOND_US;

	if (until_s == 0 || until_s > now_s + lifetime_us / SECOND_US) {
		return command->now_us + lifetime_us;
	}
	return until_s > now_s ? until_s * SECOND_US : command->now_us;
}

uint32_t
allocation_find_live(const struct allocation_state *state, const struct command *command,
		     const struct id *id)
{
	const uint32_t row = allocation_find(&state->table, id);
	const struct allocation *allocation = row == ROW_NONE ? NULL : &state->table.rows[row];

	if (allocation == NULL || allocation->relay != command->front ||
	    !allocation_is_live(allocation, command->now_us)) {
		return ROW_NONE;
	}
	return row;
}

void
allocation_emit_end(const struct allocation *allocation, enum end_reason reason,
		    const struct command *command, struct event_list *out)
{
	const struct usage *usage = &allocation->usage;

	allocation_emit(out, EVENT_TURN_ALLOCATION_ENDED, command, &allocation->trace)
		->turn_allocation_ended = (struct event_turn_allocation_ended){
		.allocation = allocation->id,
		.relay = allocation->relay,
		.reason = reason,
		.never_used = usage->packets_up == 0 && usage->packets_down == 0,
		.packets_up = usage->packets_up,
		.bytes_up = usage->bytes_up,
		.packets_down = usage->packets_down,
		.bytes_down = usage->bytes_down,
	};
}

/* Allocate, RFC 8656 section 7.2. */

static bool
is_readable_allocate(const struct command_allocate *c)
{
	return !id_is_none(&c->allocation) && !id_is_none(&c->user) &&
	       c->client.family != ADDRESS_NONE && c->server.family != ADDRESS_NONE &&
	       c->relayed.family != ADDRESS_NONE && c->relayed_also.family != c->relayed.family &&
	       c->client_transport <= CLIENT_DTLS;
}

/* The handle under which a name is in the log; `fresh` if it is not there yet. */
static struct id
subject_of(const struct allocation_state *state, enum directory_kind kind, const struct name *name,
	   const struct id *fresh)
{
	struct id known;

	return directory_find(state->names, kind, name, &known) ? known : *fresh;
}

static enum verdict
check_quotas(const struct allocation_state *state, const struct command *command,
	     const struct id *user, uint32_t rows_used)
{
	const struct allocation_limits *limits = &state->limits;

	if (limits->user_quota > 0 &&
	    allocation_count_user(&state->table, user, command->now_us) >= limits->user_quota) {
		return REFUSED_QUOTA;
	}
	if (limits->address_quota > 0 &&
	    allocation_count_source(&state->table, &command->allocate.client, command->now_us) >=
		    limits->address_quota) {
		return REFUSED_QUOTA;
	}
	/* Every allocation has its whole share for itself: nobody who was let in is starved. */
	if (limits->capacity_per_s > 0 &&
	    (rows_used + 1) * limits->bytes_per_s > limits->capacity_per_s) {
		return REFUSED_CAPACITY;
	}
	if (limits->total_quota > 0 && rows_used >= limits->total_quota) {
		return REFUSED_CAPACITY;
	}
	return rows_used < limits->allocations_max ? ACCEPTED : REFUSED_CAPACITY;
}

static void
emit_created(const struct allocation_state *state, const struct command *command,
	     const struct id *user, struct event_list *out)
{
	const struct command_allocate *c = &command->allocate;

	allocation_emit(out, EVENT_TURN_ALLOCATION_CREATED, command, &command->trace_id)
		->turn_allocation_created = (struct event_turn_allocation_created){
		.allocation = c->allocation,
		.user = *user,
		.relay = command->front,
		.transport = c->transport,
		.server = c->server,
		.relayed = c->relayed,
		.transaction = c->transaction,
		.expires_us = allocation_expires_us(state, command, c->lifetime_s, c->until_s),
		.user_name = c->user_name,
		.client = c->client,
		.client_transport = c->client_transport,
		.relayed_also = c->relayed_also,
	};
}

static bool
is_taken(const struct allocation_table *table, const struct address *relayed, uint64_t transport)
{
	return relayed->family != ADDRESS_NONE &&
	       allocation_find_relayed(table, relayed, transport) != ROW_NONE;
}

static enum verdict
decide_allocate(const struct allocation_state *state, const struct command *command,
		struct event_list *out)
{
	const struct command_allocate *c = &command->allocate;
	const struct allocation_table *table = &state->table;

	if (!is_readable_allocate(c)) {
		return REFUSED_MALFORMED;
	}
	if (revocations_find(state->revoked, &c->user_name) != NULL) {
		return REFUSED_UNAUTHENTICATED; /* its relay has not heard of it yet */
	}
	const uint32_t held = allocation_find_client(table, &c->client, &c->server,
						     c->client_transport, command->front);
	const bool expired =
		held != ROW_NONE && !allocation_is_live(&table->rows[held], command->now_us);
	if (held != ROW_NONE && !expired) {
		const struct transaction *first = &table->rows[held].transaction;
		const bool again =
			memcmp(first->bytes, c->transaction.bytes, sizeof first->bytes) == 0;
		return again ? ACCEPTED : REFUSED_NO_ALLOCATION; /* 437 Allocation Mismatch */
	}
	if (c->transport != TURN_TRANSPORT_UDP && c->transport != TURN_TRANSPORT_TCP) {
		return REFUSED_TRANSPORT;
	}
	if (allocation_find(table, &c->allocation) != ROW_NONE) {
		return REFUSED_MALFORMED;
	}
	if (is_taken(table, &c->relayed, c->transport) ||
	    is_taken(table, &c->relayed_also, c->transport)) {
		return REFUSED_CAPACITY;
	}
	const struct id user = subject_of(state, DIRECTORY_USER, &c->user_name, &c->user);
	const enum verdict verdict =
		check_quotas(state, command, &user, table->rows_used - expired);
	if (verdict != ACCEPTED) {
		return verdict;
	}
	if (expired) {
		/* The sweep has not come by yet; the relay reported its usage before it asked. */
		allocation_emit_end(&table->rows[held], END_EXPIRED, command, out);
	}
	emit_created(state, command, &user, out);
	return ACCEPTED;
}

/* Also for an allocation that has expired and is not swept yet. */
static enum verdict
decide_usage(const struct allocation_state *state, const struct command *command,
	     struct event_list *out)
{
	const struct command_report_usage *c = &command->report_usage;
	const uint32_t row = allocation_find(&state->table, &c->allocation);

	if (row == ROW_NONE || state->table.rows[row].relay != command->front) {
		return REFUSED_NO_ALLOCATION;
	}
	if (c->number == 0 || c->number >= state->table.rows[row].peer_next_number ||
	    (c->packets_up == 0 && c->packets_down == 0)) {
		return REFUSED_MALFORMED;
	}
	const struct allocation *allocation = &state->table.rows[row];
	allocation_emit(out, EVENT_TURN_RELAY_USAGE, command, &allocation->trace)
		->turn_relay_usage = (struct event_turn_relay_usage){
		.allocation = allocation->id,
		.user = allocation->user,
		.number = c->number,
		.packets_up = c->packets_up,
		.bytes_up = c->bytes_up,
		.packets_down = c->packets_down,
		.bytes_down = c->bytes_down,
		.peer = c->peer,
	};
	return ACCEPTED;
}

static enum verdict
decide_end(const struct allocation_state *state, const struct command *command,
	   struct event_list *out)
{
	const uint32_t row = allocation_find(&state->table, &command->end.allocation);

	if (row == ROW_NONE || state->table.rows[row].relay != command->front) {
		return REFUSED_NO_ALLOCATION;
	}
	/* Expiry and shutdown are the actor's own to say. */
	if (command->end.reason != END_PORT_LOST && command->end.reason != END_RELEASED &&
	    command->end.reason != END_EXPELLED && command->end.reason != END_CLIENT_GONE &&
	    command->end.reason != END_KILLED && command->end.reason != END_REVOKED) {
		return REFUSED_MALFORMED;
	}
	allocation_emit_end(&state->table.rows[row], (enum end_reason)command->end.reason, command,
			    out);
	return ACCEPTED;
}

static enum verdict
decide_forbid(const struct allocation_state *state, const struct command *command,
	      struct event_list *out)
{
	const struct command_forbid *c = &command->forbid;
	const uint32_t row = allocation_find(&state->table, &c->allocation);

	if (row == ROW_NONE || state->table.rows[row].relay != command->front) {
		return REFUSED_NO_ALLOCATION;
	}
	const uint32_t at = peer_find_number(&state->table, row, c->number);
	if (at == PEER_NONE || state->table.peers[at].expires_us <= command->now_us) {
		return ACCEPTED; /* it has ended by itself, or this was asked twice */
	}
	allocation_emit(out, EVENT_TURN_PEER_FORBIDDEN, command, &state->table.rows[row].trace)
		->turn_peer_forbidden = (struct event_turn_peer_forbidden){
		.allocation = c->allocation,
		.number = c->number,
	};
	return ACCEPTED;
}

static enum verdict
decide_refused(const struct allocation_state *state, const struct command *command,
	       struct event_list *out)
{
	const struct command_turn_refused *c = &command->turn_refused;
	const struct id none = { { 0 } };
	const struct name day = directory_day(command->now_us);

	if (id_is_none(&c->day) || c->count == 0) {
		return REFUSED_MALFORMED;
	}
	allocation_emit(out, EVENT_TURN_REQUEST_REFUSED, command, &none)->turn_request_refused =
		(struct event_turn_request_refused){
			.day = subject_of(state, DIRECTORY_DAY, &day, &c->day),
			.relay = command->front,
			.verdict = c->verdict,
			.method = c->method,
			.count = c->count,
			.window_us = c->window_us,
			.source = c->source,
			.user_name = c->user_name,
			.peer = c->peer,
		};
	return ACCEPTED;
}

/* One round: as many ends as a command may have. */
static enum verdict
end_many(const struct allocation_state *state, const struct command *command, uint64_t expired_us,
	 enum end_reason reason, struct event_list *out)
{
	const struct allocation_table *table = &state->table;

	for (uint32_t row = 0; row < table->rows_fresh && out->count < EVENTS_PER_COMMAND_MAX;
	     row++) {
		const struct allocation *allocation = &table->rows[row];
		if (!id_is_none(&allocation->id) && allocation->expires_us <= expired_us) {
			allocation_emit_end(allocation, reason, command, out);
		}
	}
	return ACCEPTED;
}

static enum verdict
decide_sweep(const struct allocation_state *state, const struct command *command,
	     struct event_list *out)
{
	const uint64_t grace_us = EXPIRY_GRACE_S * SECOND_US;

	if (command->now_us < grace_us) {
		return ACCEPTED;
	}
	return end_many(state, command, command->now_us - grace_us, END_EXPIRED, out);
}

/* What the relays have not ended themselves, because they are dead or it is younger; then the
 * users. */
static enum verdict
decide_expel(const struct allocation_state *state, const struct command *command,
	     struct event_list *out)
{
	const struct allocation_table *table = &state->table;
	const struct name *agent = &command->expel.agent_name;
	const struct id none = { { 0 } };
	struct id known[EVENTS_PER_COMMAND_MAX];

	if (command->expel.over == 0) {
		return ACCEPTED; /* the relays report first */
	}
	for (uint32_t row = 0; row < table->rows_fresh && out->count < EVENTS_PER_COMMAND_MAX;
	     row++) {
		const struct allocation *allocation = &table->rows[row];
		if (!id_is_none(&allocation->id) &&
		    credential_name_is_of(&allocation->user_name, agent)) {
			allocation_emit_end(allocation, END_EXPELLED, command, out);
		}
	}
	if (out->count > 0) {
		return ACCEPTED;
	}
	const struct id *revoked = revocations_find(state->revoked, agent);
	if (revoked != NULL) {
		allocation_emit(out, EVENT_USER_FORGOTTEN, command, &none)->user_forgotten.user =
			*revoked;
		return ACCEPTED;
	}
	const size_t count = directory_find_all(state->names, DIRECTORY_USER, credential_name_is_of,
						agent, known, EVENTS_PER_COMMAND_MAX);
	for (size_t i = 0; i < count; i++) {
		allocation_emit(out, EVENT_USER_FORGOTTEN, command, &none)->user_forgotten.user =
			known[i];
	}
	return ACCEPTED;
}

static enum verdict
decide_attach(const struct allocation_state *state, const struct command *command,
	      struct event_list *out)
{
	const struct id none = { { 0 } };

	if (!front_is_valid(command->front) || id_is_none(&command->attach.instance)) {
		return REFUSED_MALFORMED;
	}
	if (fronts_is_current(&state->relays, command->front, &command->attach.instance)) {
		return ACCEPTED;
	}
	allocation_emit(out, EVENT_RELAY_ATTACHED, command, &none)->relay_attached =
		(struct event_relay_attached){
			.relay = command->front,
			.instance = command->attach.instance,
		};
	return ACCEPTED;
}

static enum verdict
decide_digest(const struct command *command, struct event_list *out)
{
	const struct id none = { { 0 } };

	allocation_emit(out, EVENT_ALLOCATION_STATE_DIGEST, command, &none)
		->allocation_state_digest = (struct event_allocation_state_digest){
		.version = command->digest.version,
		.digest = command->digest.digest,
	};
	return ACCEPTED;
}

static enum verdict
decide_of_front(const struct allocation_state *state, const struct command *command,
		struct event_list *out)
{
	if (!front_is_valid(command->front)) {
		return REFUSED_MALFORMED;
	}
	switch (command->type) {
	case COMMAND_ALLOCATE:
		return decide_allocate(state, command, out);
	case COMMAND_REFRESH:
		return allocation_decide_refresh(state, command, out);
	case COMMAND_MOVE:
		return allocation_decide_move(state, command, out);
	case COMMAND_PERMIT:
		return allocation_decide_permit(state, command, out);
	case COMMAND_BIND_CHANNEL:
		return allocation_decide_bind(state, command, out);
	case COMMAND_REPORT_USAGE:
		return decide_usage(state, command, out);
	case COMMAND_END:
		return decide_end(state, command, out);
	case COMMAND_FORBID:
		return decide_forbid(state, command, out);
	case COMMAND_OPEN_CONNECTION:
		return allocation_decide_open(state, command, out);
	case COMMAND_BIND_CONNECTION:
		return allocation_decide_bind_connection(state, command, out);
	case COMMAND_END_CONNECTION:
		return allocation_decide_end_connection(state, command, out);
	case COMMAND_TURN_REFUSED:
		return decide_refused(state, command, out);
	case COMMAND_EXPELLED:
		return ACCEPTED; /* said to the desk: nothing of ours changes */
	case COMMAND_EXPEL:
	case COMMAND_ATTACH:
	case COMMAND_SWEEP:
	case COMMAND_DIGEST:
	case COMMAND_CLOSE:
	case COMMAND_REVOKE:
	case COMMAND_KILL:
	case COMMAND_REGISTER:
	case COMMAND_LEAVE:
	case COMMAND_SIGNAL:
	case COMMAND_SIGNALING_REFUSED:
		break;
	}
	return REFUSED_MALFORMED;
}

enum verdict
allocation_decide(const void *opaque, const struct command *command, struct event_list *out)
{
	const struct allocation_state *state = opaque;

	assert(out->count == 0);
	switch ((uint64_t)command->type) {
	case COMMAND_ATTACH:
		return decide_attach(state, command, out);
	case COMMAND_SWEEP:
		return decide_sweep(state, command, out);
	case COMMAND_DIGEST:
		return decide_digest(command, out);
	case COMMAND_CLOSE:
		return end_many(state, command, UINT64_MAX, END_SHUTDOWN, out);
	case COMMAND_EXPEL:
		return command->front != 0 ? REFUSED_MALFORMED : decide_expel(state, command, out);
	case COMMAND_REVOKE:
		return command->front != 0 ? REFUSED_MALFORMED
					   : allocation_decide_revoke(state, command, out);
	default:
		return decide_of_front(state, command, out);
	}
}
