/* Between allocation_decide.c, allocation_refresh.c, allocation_peers.c and
 * allocation_connections.c alone. */
#ifndef IFSWARM_ACTORS_ALLOCATION_DECIDE_H
#define IFSWARM_ACTORS_ALLOCATION_DECIDE_H

#include "actors/allocation.h"

/* The next event of this command, with that trace. */
struct event *allocation_emit(struct event_list *out, enum event_type type,
			      const struct command *command, const struct id *trace);
/* The row of the asking relay's own live allocation; ROW_NONE. */
uint32_t allocation_find_live(const struct allocation_state *state, const struct command *command,
			      const struct id *id);

/* When it ends if so much is asked: not beyond the credential's end, where the relay names one. */
uint64_t allocation_expires_us(const struct allocation_state *state, const struct command *command,
			       uint64_t asked_s, uint64_t until_s);
void allocation_emit_end(const struct allocation *allocation, enum end_reason reason,
			 const struct command *command, struct event_list *out);

/* Refresh, RFC 8656 section 8.2. */
enum verdict allocation_decide_refresh(const struct allocation_state *state,
				       const struct command *command, struct event_list *out);
/* Refresh with MOBILITY-TICKET, RFC 8016 section 3.2. Asked by another relay than the allocation's
 * it is accepted without an event: then allocation_tell has that one yield it. */
enum verdict allocation_decide_move(const struct allocation_state *state,
				    const struct command *command, struct event_list *out);

/* CreatePermission and ChannelBind, RFC 8656 sections 10.2 and 12.2. */
enum verdict allocation_decide_permit(const struct allocation_state *state,
				      const struct command *command, struct event_list *out);
enum verdict allocation_decide_bind(const struct allocation_state *state,
				    const struct command *command, struct event_list *out);

/* TCP connections with peers, RFC 6062. */
enum verdict allocation_decide_open(const struct allocation_state *state,
				    const struct command *command, struct event_list *out);
enum verdict allocation_decide_bind_connection(const struct allocation_state *state,
					       const struct command *command,
					       struct event_list *out);
enum verdict allocation_decide_end_connection(const struct allocation_state *state,
					      const struct command *command,
					      struct event_list *out);

/* --- allocation_revoke.c --- */
/* Asked twice it has its effect once. */
enum verdict allocation_decide_revoke(const struct allocation_state *state,
				      const struct command *command, struct event_list *out);

#endif
