/* Disclosed events for a SIEM: one JSON object a line after the Open Cybersecurity Schema
 * Framework, version 1.3.0 (schema.ocsf.io). Every event type has its class in ocsf.c's table:
 *
 *   3002 Authentication     who registered, who left, who was refused
 *   3004 Entity Management  keys, holds, erasures, exports, deployments: what people did to the
 * service 4001 Network Activity   signals passed on, bytes relayed 4014 Tunnel Activity    relay
 * allocations, permissions, channels
 *
 * `unmapped` holds seq, leaf_hash and the fields as events.jsonl names them: from a SIEM's row one
 * finds the proof.
 */
#ifndef IFSWARM_REPLAY_OCSF_H
#define IFSWARM_REPLAY_OCSF_H

#include "replay/disclosed.h"
#include "replay/json_line.h"

#define OCSF_VERSION "1.3.0"

enum { OCSF_LINE_MAX = 16382 };

/* A line without its newline, in place of what `out` held; ASCII only. `origin` is the log's.
 * Fields that would make it longer than OCSF_LINE_MAX are left out, and `unmapped.is_cut` says so.
 */
void ocsf_line(struct json_line *out, const struct disclosed *disclosed, const char *origin);

#endif
