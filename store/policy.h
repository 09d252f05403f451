/* Whose word counts: a trust policy as C2SP tlog-policy writes it. It names logs, witnesses, groups
 * of them, and the quorum, the rule that says when a checkpoint is cosigned well enough.
 *
 *     log <vkey> [<url>]
 *     witness <name> <vkey> [<url>]
 *     group <name> all|any|<k> <name>...
 *     quorum <name>|none
 *
 * DATA/policy.txt names the witnesses of our own log: those with a URL are asked. Which logs our
 * own witness endpoint cosigns stands in a file of `log` lines alone.
 *
 * Keys are Ed25519: type 0x01 of a log, 0x04 of a witness (store/checkpoint.h). A witness with
 * another type of key is refused by name, since nothing it says could be checked.
 */
#ifndef IFSWARM_STORE_POLICY_H
#define IFSWARM_STORE_POLICY_H

#include "store/checkpoint.h"

enum {
	POLICY_BYTES_MAX = 64 * 1024,
	POLICY_LOGS_MAX = 32,
	POLICY_WITNESSES_MAX = 32,
	POLICY_GROUPS_MAX = 32,
	POLICY_NAME_MAX = 64,
	POLICY_URL_MAX = 256,
	POLICY_FAULT_MAX = 256,
	POLICY_NONE = -1, /* no cosignature is wanted */
};

struct policy_log {
	struct log_verifier key;
	char url[POLICY_URL_MAX + 1]; /* "" if none is given */
};

struct policy_witness {
	char name[POLICY_NAME_MAX + 1]; /* within the policy; the key has its own */
	struct log_verifier key;
	char url[POLICY_URL_MAX + 1];
};

/* Members count witnesses from 0, then groups from POLICY_WITNESSES_MAX. */
struct policy_group {
	char name[POLICY_NAME_MAX + 1];
	uint32_t threshold;
	uint64_t members; /* a bit for each */
};

struct policy {
	uint32_t log_count;
	uint32_t witness_count;
	uint32_t group_count;
	int quorum; /* a member, or POLICY_NONE */
	struct policy_log logs[POLICY_LOGS_MAX];
	struct policy_witness witnesses[POLICY_WITNESSES_MAX];
	struct policy_group groups[POLICY_GROUPS_MAX];
};
_Static_assert(POLICY_WITNESSES_MAX <= 32, "a set of witnesses is a uint32_t");
_Static_assert(POLICY_WITNESSES_MAX + POLICY_GROUPS_MAX <= 64, "a set of members is a uint64_t");

enum policy_kind {
	POLICY_WHOLE, /* exactly one quorum line */
	POLICY_LOGS,  /* `log` lines and nothing else */
};
/* False with "line N: what is wrong: what to do" at the first fault. */
bool policy_read(struct span text, enum policy_kind kind, struct policy *out,
		 char fault[POLICY_FAULT_MAX]);

/* Is the checkpoint cosigned well enough? `cosigned` has bit i for witness i. */
bool policy_quorum_holds(const struct policy *policy, uint32_t cosigned);

#endif
