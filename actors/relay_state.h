/* The inside of struct relay, for the files relay*.c alone. */
#ifndef IFSWARM_ACTORS_RELAY_STATE_H
#define IFSWARM_ACTORS_RELAY_STATE_H

#include "actors/bucket.h"
#include "actors/relay.h"
#include "actors/relay_limit.h"
#include "actors/relay_pending.h"
#include "actors/relay_refusals.h"
#include "actors/relay_reserve.h"
#include "actors/tcp_peers.h"

enum { RELAY_REPLY_BYTES_MAX = 1024 };

/* What a relay knows of a row of its view beyond the view. */
struct relay_row {
	uint32_t sockets[2];  /* of IPv4 and of IPv6: relay_row_socket; SOCKET_NONE: not bound */
	uint32_t listener;    /* where its client comes in; LISTENER_NONE: no longer listened at */
	bool releasing;       /* a release is asked: nothing is relayed any more */
	bool ending;          /* its END is asked: so it stays, over a new greeting too */
	struct id end;        /* the command that asks it */
	bool gone;            /* its client's connection closed: it is no client's any more */
	bool mobile;          /* its client has a ticket: it outlives its connection (RFC 8016) */
	enum end_reason kill; /* an operator ended it: END_KILLED, END_REVOKED; 0 otherwise */
	bool waits_for_port;  /* it came from another relay, which has not closed its port yet */
	uint64_t port_us;     /* since then, by the clock of ticks; 0: not seen by one yet */
	struct bucket up;     /* what max-bps leaves, each way */
	struct bucket down;
	struct usage told;  /* the sums that were reported */
	bool dirty;         /* something is counted and not reported */
	uint64_t report_us; /* when it is due, if dirty */
	uint64_t icmp_us;   /* before that no ICMP error is told */
};

/* What was counted for a peer and could not be reported before it left the view. */
struct usage_owed {
	struct id allocation;
	struct id trace;
	uint64_t number;
	struct address peer;
	struct usage usage;
};

/* Allocates whose port another relay is asked for, by their places in `pending`. */
struct fetches {
	uint32_t count;
	struct fetch {
		uint32_t pending;
		uint8_t token[RESERVATION_TOKEN_BYTES];
		uint64_t keeper; /* the relay that is asked */
		uint64_t since_us;
		uint64_t asked_us; /* the last time */
	} items[RESERVATIONS_FETCHED_MAX];
};

struct relay {
	struct relay_config config;
	const struct relay_sink *sink;
	uint64_t seed;         /* of the tables */
	uint64_t fresh_number; /* of the ids made so far */
	struct integrity integrity;
	struct id indication; /* what Data indications are told apart by, anew every so often */
	uint32_t indications;

	struct allocation_state *view;
	struct allocation_state *next; /* being built by a greeting */
	bool greeting;
	bool has_view;
	struct relay_row *rows; /* by row of the view */
	struct relay_row *spare_rows;
	struct usage *usage;       /* by peer of the view: counted and not reported */
	struct usage *spare_usage; /* all zero */
	struct usage_owed *owed;   /* peers_max: of peers that the view has forgotten */
	uint32_t owed_count;
	uint32_t *socket_rows; /* by socket; ROW_NONE: no allocation yet */

	struct name expelled; /* between the two EXPEL notices of an agent; empty otherwise */
	struct id expel_owed; /* the EXPELLED that could not be sent yet; none otherwise */
	bool owes_gone;       /* an END of a client that is gone could not be asked yet */
	bool owes_kill;       /* likewise of an operator's */
	bool owes_port;       /* some row waits for its port */
	uint32_t called;      /* pending requests that wait for another relay to yield */
	struct pending_table pending;
	bool forbidding;   /* the policy has changed: peers that it forbids may be left */
	uint32_t deciding; /* the pending request whose DECIDED is being applied, or PENDING_NONE */
	struct reservations reservations;
	struct fetches fetches;
	struct tcp_peers tcp;
	struct limit limit;
	struct refusals refusals;
	uint64_t counts[RELAY_COUNTS];
	uint64_t refused[TALLY_VERDICTS]; /* without the challenges */
	uint8_t reply[RELAY_REPLY_BYTES_MAX];
};

/* Where what goes to peers of that family leaves. */
static inline uint32_t
relay_row_socket(const struct relay_row *row, uint8_t family)
{
	return row->sockets[family == ADDRESS_IPV6];
}

/* Its end is asked or owed: nothing is relayed any more, whatever else is decided. */
static inline bool
relay_row_is_ending(const struct relay_row *row)
{
	return row->ending || row->gone || row->kill != 0;
}

/* A request on its way through relay_request.c. */
struct relay_request {
	const struct stun_message *message;
	uint64_t now_us;
	struct reply_to reply;
	struct credential credential;
};

/* A random id nobody can foresee: HMAC of a counter under the relay's seed. */
struct id relay_fresh_id(struct relay *relay);
static inline struct relay_answer
relay_drop(struct relay *relay, enum relay_count why)
{
	relay->counts[why]++;
	return (struct relay_answer){ .action = RELAY_DROP };
}

/* --- relay_request.c --- */

/* When what this credential asked for ends at the latest, seconds; 0: with its lifetime alone. */
uint64_t relay_until_s(const struct relay *relay, const struct credential *credential);
struct relay_answer relay_handle_request(struct relay *relay, uint32_t listener,
					 const struct address *source,
					 const struct stun_message *message, uint64_t now_us);

/* A refusal after authentication: audited, and answered with its reason; `peer`, if not NULL, is
 * whom it is about. */
struct relay_answer relay_refuse_peer(struct relay *relay, const struct relay_request *request,
				      enum verdict verdict, const struct address *peer);
struct relay_answer relay_refuse(struct relay *relay, const struct relay_request *request,
				 enum verdict verdict);
/* What a request is about, beside its command: what its pending place remembers. */
struct asked {
	struct id allocation;
	size_t peers;     /* of the message's: the first so many */
	bool releases;    /* the allocation ends */
	uint8_t gives_up; /* the family of the relayed address that is released, or ADDRESS_NONE */
	bool calls;       /* the allocation is another relay's */
};
/* Sends a command for this request; its DECIDED notice answers the client. */
struct relay_answer relay_ask(struct relay *relay, const struct relay_request *request,
			      struct command *command, const struct asked *asked);

/* --- relay_refresh.c --- */
struct relay_answer relay_handle_refresh(struct relay *relay, const struct relay_request *request,
					 uint32_t row);
/* Refresh with MOBILITY-TICKET; `own` is the row of where it comes from, or ROW_NONE. */
struct relay_answer relay_handle_ticket(struct relay *relay, const struct relay_request *request,
					uint32_t own);

/* --- relay_move.c: an allocation goes with its client to another relay --- */
/* The ticket is good for an allocation that no row of ours is of: asks that its relay yield it. */
struct relay_answer relay_call_allocation(struct relay *relay, const struct relay_request *request,
					  const struct id *allocation, uint32_t moves);
/* The call was passed on: the request waits for the row. */
void relay_call_accepted(struct relay *relay, uint32_t pending, uint64_t now_us);
/* Answers who waits for rows that have come. */
void relay_calls_settle(struct relay *relay, uint64_t now_us);
void relay_handle_yield(struct relay *relay, const struct notice_yield *notice);
/* If the row is still there it ends. */
void relay_yield_decided(struct relay *relay, uint32_t pending);
/* All of a row has come from another relay. */
void relay_row_arrived(struct relay *relay, uint32_t row);
/* It has gone to another one: nothing is left of it here. */
void relay_row_left(struct relay *relay, uint32_t row);
void relay_move_tick(struct relay *relay, uint64_t now_us);

/* --- relay_allocate.c --- */
struct relay_answer relay_handle_allocate(struct relay *relay, const struct relay_request *request);
/* A place for this Allocate, with what it asks for; PENDING_NONE. */
uint32_t relay_allocate_pending(struct relay *relay, const struct relay_request *request);
/* Gives up the port that allocation reserved, if it did. */
void relay_unreserve(struct relay *relay, const struct id *allocation);
/* Gives up what an agent's users reserved. */
void relay_unreserve_agent(struct relay *relay, const struct name *agent);
/* Gives up what nobody came for in time (D9). */
void relay_reserve_tick(struct relay *relay, uint64_t now_us);

/* --- relay_fetch.c: a port that is kept for a token at another relay --- */
/* The token is none of ours: asks the relay that made it for the port. */
struct relay_answer relay_fetch_port(struct relay *relay, const struct relay_request *request);

/* --- relay_reply.c --- */
/* What a success may have to say beside the state it shows. */
struct reply_wishes {
	bool released; /* LIFETIME is 0 */
	bool both;     /* ADDITIONAL-ADDRESS-FAMILY was there */
	bool ticket;   /* MOBILITY-TICKET was there */
};
/* Each writes into relay->reply. `allocation` may be NULL for one that is released. */
struct relay_answer relay_reply_success(struct relay *relay, const struct reply_to *to,
					const struct allocation *allocation,
					struct reply_wishes wishes, uint64_t now_us);
struct relay_answer relay_reply_error(struct relay *relay, const struct reply_to *to,
				      enum verdict verdict);
/* 300 with where to go instead. */
struct relay_answer relay_reply_alternate(struct relay *relay, const struct reply_to *to,
					  const struct address *alternate);
/* 420 with the list of what was not understood. */
struct relay_answer relay_reply_unknown(struct relay *relay, const struct relay_request *request);
/* 401, 438, and 400 before authentication: without reason and signature. */
struct relay_answer relay_reply_challenge(struct relay *relay, const struct relay_request *request,
					  enum verdict verdict);
struct relay_answer relay_reply_binding(struct relay *relay, const struct relay_request *request);
/* Remembers a refusal for the log. `peer` may be NULL. */
void relay_note_refusal(struct relay *relay, const struct reply_to *to, enum verdict verdict,
			const struct name *user, const struct address *peer, bool ordinary,
			uint64_t now_us);

/* Connect or ConnectionBind has succeeded; connection_id 0: it is not told. */
struct relay_answer relay_reply_connection(struct relay *relay, const struct reply_to *to,
					   uint32_t connection_id);
/* Tells a row's client of a peer that has connected. */
struct relay_answer relay_indicate_attempt(struct relay *relay, uint32_t row,
					   const struct address *peer, uint32_t connection_id);

/* --- relay_tcp.c, relay_tcp_life.c --- */
/* Whether TCP is relayed for clients of that listener. */
bool relay_serves_tcp_at(const struct relay *relay, uint32_t listener);
struct relay_answer relay_handle_connect(struct relay *relay, const struct relay_request *request,
					 uint32_t row);
struct relay_answer relay_handle_connection_bind(struct relay *relay,
						 const struct relay_request *request);
/* The command may have been about a connection. */
void relay_tcp_decided(struct relay *relay, const struct id *command, enum verdict verdict,
		       uint64_t now_us);
void relay_tcp_client_gone(struct relay *relay, uint32_t listener, const struct address *client);
void relay_tcp_allocation_ended(struct relay *relay, const struct id *allocation);
/* Peers of that allocation may have ended by decree, or with one of its addresses. */
void relay_tcp_forbidden(struct relay *relay, const struct id *allocation, uint64_t now_us);
void relay_tcp_view_taken(struct relay *relay, uint64_t now_us);
void relay_tcp_tick(struct relay *relay, uint64_t now_us);

/* --- relay_route.c --- */
void relay_count_up(struct relay *relay, uint32_t row, uint32_t peer, size_t bytes);
void relay_count_down(struct relay *relay, uint32_t row, uint32_t peer, size_t bytes);

/* --- relay_view.c --- */
/* That request made the allocation, or moved it last: it is sent again. */
bool relay_is_transaction_of(const struct allocation *allocation, const struct reply_to *to);
/* The live allocation of a client; ROW_NONE. */
uint32_t relay_find_row(const struct relay *relay, uint32_t listener, const struct address *client,
			uint64_t now_us);
/* Relaying stops, or goes on because the release was refused. */
void relay_row_releasing(struct relay *relay, uint32_t row, bool releasing);

/* --- relay_rows.c --- */
/* The row is new in the view: it has the sockets that were bound for the request whose answer this
 * is. */
void relay_row_take_bound(struct relay *relay, uint32_t row);
/* Sockets move to the rows of the new view; what is in neither view nor question is closed. */
void relay_rows_move(struct relay *relay, const struct allocation_state *old,
		     const struct relay_row *old_rows);
/* All of a row's relayed addresses have sockets again, or its allocation ends. */
void relay_row_open(struct relay *relay, uint32_t row);
/* Likewise, and nothing flows until then; one that has moved waits some seconds for its port. */
void relay_row_wait(struct relay *relay, uint32_t row);
/* Tries again for those that wait. */
void relay_rows_tick(struct relay *relay, uint64_t now_us);
/* Its client is elsewhere. */
void relay_row_moved(struct relay *relay, uint32_t row);
/* Closes its socket of that family, if it has one. */
void relay_row_close(struct relay *relay, uint32_t row, uint8_t family);
/* Closes what was bound for a request and taken by no row. */
void relay_socket_close_free(struct relay *relay, uint32_t socket);

/* --- relay_expel.c --- */
/* Nothing flows to or from an agent that is being expelled; what flowed is reported, and its
 * allocations end. */
void relay_handle_expel(struct relay *relay, const struct notice_expel *notice,
			const struct id *asked, uint64_t now_us);
/* That row, if it is such an agent's. False if what is to be asked could not be. */
bool relay_end_if_expelled(struct relay *relay, uint32_t row);
/* Tries again what could not be sent. */
void relay_expel_tick(struct relay *relay, uint64_t now_us);

/* --- relay_enforce.c --- */
/* True while a peer that was permitted before is forbidden by what was reloaded since. */
bool relay_is_forbidden(const struct relay *relay, const struct address *peer);
/* A permission or channel for that peer has come into the view. */
void relay_enforce_installed(struct relay *relay, const struct address *peer);
void relay_enforce_tick(struct relay *relay, uint64_t now_us);

/* --- relay_discovery.c --- */
enum { DISCOVERY_PADDING_MAX = RELAY_REPLY_BYTES_MAX - 128 };
/* The listener at the other address, the other port or both of the four of RFC 5780; LISTENER_NONE
 * if that listener is none of them. */
uint32_t relay_discovery_other(const struct relay_config *config, uint32_t listener, bool other_ip,
			       bool other_port);
/* The answer to a Binding; where it is not served, what asks for more is unknown (E4). */
struct relay_answer relay_discovery_binding(struct relay *relay,
					    const struct relay_request *request);
/* What only a Binding may ask for is unknown in every other request. */
bool relay_discovery_is_asked(const struct stun_message *message);
void relay_discovery_disown(struct stun_message *message);

/* --- relay_gone.c --- */
/* Nothing flows over the row any more, and its END is asked for, once; false if it could not be
 * yet. */
bool relay_ask_end(struct relay *relay, uint32_t row, enum end_reason reason);
/* That row's client has no connection: nothing flows over it, and its END is asked, now or in a
 * tick. */
void relay_end_gone(struct relay *relay, uint32_t row);
void relay_gone_tick(struct relay *relay);

/* --- relay_kill.c --- */
/* The allocations of those users stop and end; of rows that are named none, or all of an agent's.
 * How many there are that have not ended yet. */
uint64_t relay_kill_agent(struct relay *relay, const struct name *agent, enum end_reason reason);
uint64_t relay_kill_allocation(struct relay *relay, const struct id *allocation);
/* That row, if its user is revoked. */
void relay_end_if_revoked(struct relay *relay, uint32_t row);
/* True if that user's credentials are taken back. */
bool relay_is_revoked(const struct relay *relay, const struct name *user);
/* Tries again what could not be asked. */
void relay_kill_tick(struct relay *relay);

/* --- relay_usage.c --- */
/* Reports what is counted for a row: of the peers that ended at `ended_us` or before, or with
 * UINT64_MAX of all. */
void relay_report_row(struct relay *relay, uint32_t row, uint64_t ended_us);
void usage_add(struct usage *sum, const struct usage *more);
/* The actor will hear nothing more of that row: it has ended. */
void relay_usage_forget(struct relay *relay, uint32_t row);
/* Counts go along into the new view, by allocation and number of the peer. */
void relay_usage_carry(struct relay *relay, const struct allocation_state *old,
		       const struct relay_row *old_rows);
/* Tells the refusals that gathered, due or not. */
void relay_tell_refusals(struct relay *relay, uint64_t now_us);

#endif
