#include "store/evidence_db_schema.h"

#define COLUMN(name)  ", " #name " ANY"
#define EXTRACT(name) ", json_extract(?15, '$." #name "')"
#define TIME(us)      "strftime('%Y-%m-%dT%H:%M:%fZ', " us " / 1000000.0, 'unixepoch')"
#define WORD(field, number)                                                                        \
	"(SELECT word FROM word WHERE field = '" field "' AND number = " number ")"

const char *const evidence_db_insert =
	"INSERT INTO event VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, "
	"?15" EVIDENCE_DB_COLUMNS(EXTRACT) ")";

/* 101 to 500 are the numbers of events.def: they are never reused. A name is what the profile
 * showed of it, else the handle stands in its place. Windows rather than joins: one sorted pass,
 * however long the range. No JSON in views: a careful reader trusts no schema, and SQLite 3.40 then
 * refuses it. */
const char
	*const evidence_db_schema =
		"CREATE TABLE event("
		" seq INTEGER PRIMARY KEY, leaf_hash TEXT NOT NULL, entry BLOB NOT NULL,"
		" recorded_us INTEGER NOT NULL, occurred_us INTEGER NOT NULL, stream INTEGER NOT "
		"NULL,"
		" stream_version INTEGER NOT NULL, epoch INTEGER NOT NULL, type INTEGER NOT NULL,"
		" type_version INTEGER NOT NULL, command_id TEXT NOT NULL, trace_id TEXT, cause "
		"INTEGER,"
		" event TEXT, fields TEXT" EVIDENCE_DB_COLUMNS(
			COLUMN) ") STRICT;\n"
				"CREATE TABLE omission("
				" seq INTEGER PRIMARY KEY, leaf_hash TEXT NOT NULL, reason TEXT "
				"NOT NULL) STRICT;\n"
				"CREATE TABLE about(key TEXT PRIMARY KEY, value TEXT) STRICT, "
				"WITHOUT ROWID;\n"
				"CREATE TABLE word(field TEXT, number INTEGER, word TEXT NOT NULL,"
				" PRIMARY KEY(field, number)) STRICT, WITHOUT ROWID;\n"
				"CREATE INDEX event_type ON event(type, seq);\n"

				/* Who was registered where, and for how long; ended_us NULL: still
				   there at the end. */
				"CREATE VIEW sessions AS\n"
				"WITH step AS (SELECT seq, type, recorded_us, agent, agent_name, "
				"room, room_name,\n"
				"  lead(type) OVER w AS next_type, lead(seq) OVER w AS next_seq,\n"
				"  lead(recorded_us) OVER w AS next_us, lead(reason) OVER w AS "
				"next_reason\n"
				" FROM event WHERE type IN (101, 102)\n"
				" WINDOW w AS (PARTITION BY agent, room, connection ORDER BY "
				"seq))\n"
				"SELECT seq AS began_seq, iif(next_type = 102, next_seq, NULL) AS "
				"ended_seq,\n"
				" " TIME(
					"recorded_us") " AS began, recorded_us AS began_us,\n"
						       " iif(next_type = 102, next_us, NULL) AS "
						       "ended_us,\n"
						       " iif(next_type = 102, (next_us - "
						       "recorded_us) / 1000000.0, NULL) AS "
						       "seconds,\n"
						       " coalesce(agent_name, agent) AS agent, "
						       "coalesce(room_name, room) AS room,\n"
						       " iif(next_type = 102, " WORD(
							       "leave_reason", "next_reason") ", "
											      "NULL"
											      ") "
											      "AS "
											      "ende"
											      "d_"
											      "beca"
											      "use"
											      "\n"
											      "FROM"
											      " ste"
											      "p "
											      "WHER"
											      "E "
											      "type"
											      " = "
											      "101 "
											      "ORDE"
											      "R "
											      "BY "
											      "seq;"
											      "\n"

											      /* Pairs
												 that
												 were
												 in
												 one
												 room
												 at
												 the
												 same
												 time.
											       */
											      "CREA"
											      "TE "
											      "VIEW"
											      " who"
											      "_met"
											      "_who"
											      "m "
											      "AS\n"
											      "SELE"
											      "CT "
											      "a."
											      "agen"
											      "t "
											      "AS "
											      "agen"
											      "t, "
											      "b."
											      "agen"
											      "t "
											      "AS "
											      "othe"
											      "r, "
											      "a."
											      "room"
											      " AS "
											      "room"
											      ", "
											      "coun"
											      "t(*)"
											      " AS "
											      "time"
											      "s,\n"
											      " " TIME("min(max(a.began_us, b.began_us))") " AS first_met,\n"
																	   " sum(min(ifnull(a.ended_us, last_us), ifnull(b.ended_us, last_us))\n"
																	   "  - max(a.began_us, b.began_us)) / 1000000.0 AS seconds_together\n"
																	   "FROM sessions a JOIN sessions b ON a.room = b.room AND a.agent < b.agent,\n"
																	   " (SELECT max(recorded_us) AS last_us FROM event)\n"
																	   "WHERE a.began_us <= ifnull(b.ended_us, last_us)\n"
																	   " AND b.began_us <= ifnull(a.ended_us, last_us)\n"
																	   "GROUP BY a.agent, b.agent, a.room ORDER BY seconds_together DESC, a.agent, b.agent;\n"

																	   "CREATE VIEW relays AS\n"
																	   "WITH step AS (SELECT seq, type, recorded_us, user, user_name, client, relayed,\n"
																	   "  lead(seq) OVER w AS next_seq, lead(recorded_us) OVER w AS next_us,\n"
																	   "  lead(bytes_up) OVER w AS up, lead(bytes_down) OVER w AS down,\n"
																	   "  lead(reason) OVER w AS next_reason\n"
																	   " FROM event WHERE type IN (201, 206)\n"
																	   " WINDOW w AS (PARTITION BY allocation ORDER BY seq))\n"
																	   "SELECT seq AS began_seq, next_seq AS ended_seq, " TIME("recorded_us") " AS began,\n"
																										  " (next_us - recorded_us) / 1000000.0 AS seconds,\n"
																										  " coalesce(user_name, user) AS user, client, relayed,\n"
																										  " up AS bytes_up, down AS bytes_down,\n"
																										  " " WORD("end_reason", "next_reason") " AS ended_because\n"
																															"FROM step WHERE type = 201 ORDER BY seq;\n"

																															"CREATE VIEW traffic AS\n"
																															"SELECT strftime('%Y-%m-%dT%H:%MZ', recorded_us / 60000000 * 60, 'unixepoch') AS minute,\n"
																															" sum(bytes_up) AS bytes_up, sum(bytes_down) AS bytes_down,\n"
																															" sum(packets_up) AS packets_up, sum(packets_down) AS packets_down\n"
																															"FROM event WHERE type = 205 GROUP BY recorded_us / 60000000;\n"

																															"CREATE VIEW refusals AS\n"
																															"SELECT seq, " TIME("recorded_us") " AS recorded,\n"
																																			   " iif(type = 106, 'signaling', 'TURN') AS service,\n"
																																			   " ifnull(" WORD(
																																				   "verdict", "verdict") ", verdict) AS reason,\n"
																																							 " count AS requests, source, coalesce(agent_name, user_name) AS name\n"
																																							 "FROM event WHERE type IN (106, 207) ORDER BY seq;\n"

																																							 /* What people did with the evidence, and what became of it. */
																																							 "CREATE VIEW acts AS\n"
																																							 "SELECT seq, " TIME("recorded_us") " AS recorded, event, operator_name AS operator,\n"
																																											    " coalesce(reason, purpose, why) AS reason, fields\n"
																																											    "FROM event WHERE type BETWEEN 306 AND 354 ORDER BY seq;\n"

																																											    /* How far the deciding actor's clock and the witness's lie apart, and each step back. */
																																											    "CREATE VIEW clock AS\n"
																																											    "SELECT seq, " TIME(
																																												    "recorded_us") " AS recorded,\n"
																																														   " (recorded_us - occurred_us) / 1000.0 AS recorded_after_ms, by_us AS stepped_back_us\n"
																																														   "FROM event ORDER BY seq;\n";
