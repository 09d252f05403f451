/* The tables and views of evidence.db, as SQL. */
#ifndef IFSWARM_STORE_EVIDENCE_DB_SCHEMA_H
#define IFSWARM_STORE_EVIDENCE_DB_SCHEMA_H

/* Fields that are asked for the most: each is a column of table event too, behind those of
 * bundle.md, NULL where a type has no such field. */
#define EVIDENCE_DB_COLUMNS(X)                                                                     \
	X(agent)                                                                                   \
	X(agent_name)                                                                              \
	X(room)                                                                                    \
	X(room_name)                                                                               \
	X(connection)                                                                              \
	X(user)                                                                                    \
	X(user_name)                                                                               \
	X(client)                                                                                  \
	X(allocation)                                                                              \
	X(relayed)                                                                                 \
	X(peer)                                                                                    \
	X(bytes_up)                                                                                \
	X(bytes_down)                                                                              \
	X(packets_up)                                                                              \
	X(packets_down)                                                                            \
	X(verdict)                                                                                 \
	X(count)                                                                                   \
	X(source)                                                                                  \
	X(operator_name)                                                                           \
	X(reason)                                                                                  \
	X(purpose)                                                                                 \
	X(why)                                                                                     \
	X(by_us)

extern const char *const evidence_db_schema;
/* Takes the columns of bundle.md, `event` and `fields`; the columns above come from `fields`. */
extern const char *const evidence_db_insert;

#endif
