/* Who may be a peer: whom a client of the relay may send to and hear from.
 *
 * In this order: our own listeners are denied whatever the rules say (B8); our own relayed
 * addresses are allowed (B9); then allow rules, deny rules, and the built-in table of
 * special-purpose ranges, which is denied by default (B1 to B6); what none of them names is
 * allowed. Cloud metadata, multicast, broadcast and the unspecified address are opened only by an
 * allow rule that lies inside their own range: 0.0.0.0/0 does not (B7). An IPv6 address that
 * carries an IPv4 address (compatible, translated, 6to4, NAT64, Teredo) is allowed only if both
 * are.
 *
 * A permission is for an IP, but the decision about one of our own IPs depends on the port. So ask
 * at CreatePermission, ChannelBind and Send, each with the address as given: it is cheap.
 */
#ifndef IFSWARM_PROTOCOL_PEER_POLICY_H
#define IFSWARM_PROTOCOL_PEER_POLICY_H

#include "protocol/address.h"

enum { PEER_RULE_BYTES = 96, PEER_SPECIAL = 38 };

struct peer_rule {
	bool allow;
	struct address_range range;
	char text[PEER_RULE_BYTES]; /* as the operator wrote it */
};

struct peer_policy {
	struct address_range special[PEER_SPECIAL]; /* the built-in table, read once */
	size_t rule_count;
	struct peer_rule rules[PEER_RULES_MAX];
	size_t listener_count;
	struct address listeners[PEER_OWN_MAX];
	size_t relayed_count;
	struct address relayed[PEER_OWN_MAX]; /* IPs; port 0 */
	uint16_t port_min;
	uint16_t port_max;
};

enum peer_decision {
	PEER_ALLOWED,         /* nothing speaks against it */
	PEER_ALLOWED_BY_RULE, /* allowed-peer-ip */
	PEER_ALLOWED_RELAYED, /* one of our own relayed addresses */
	PEER_DENIED_LISTENER, /* one of our own ports */
	PEER_DENIED_OWN,      /* one of our own addresses, outside of the relayed ports */
	PEER_DENIED_BY_RULE,  /* denied-peer-ip */
	PEER_DENIED_SPECIAL,  /* a special-purpose range; an allow rule opens it */
	PEER_DENIED_RESERVED, /* likewise, but only a rule inside that range opens it */
	PEER_DENIED_NO_ADDRESS,
};

/* The rule that decided, borrowed from the policy or static: "10.0.0.0/8", "private network"; both
 * "" where there is none. */
struct peer_answer {
	enum peer_decision decision;
	const char *rule;
	const char *what;
};

/* Empty: only the built-in table. Relayed ports are `port_min` to `port_max`. */
void peer_policy_init(struct peer_policy *policy, uint16_t port_min, uint16_t port_max);
/* An IP, a CIDR or A-B. NULL, or what is wrong. */
const char *peer_policy_add_allow(struct peer_policy *policy, const char *text);
const char *peer_policy_add_deny(struct peer_policy *policy, const char *text);
/* One of our own ports: STUN, TURN, WebSocket, metrics. The unspecified IP stands for all our
 * relayed IPs. False if there are too many. */
bool peer_policy_add_listener(struct peer_policy *policy, const struct address *listener);
/* An IP at which peers see us: the relay's, and its external one. */
bool peer_policy_add_relayed(struct peer_policy *policy, const struct address *ip);

struct peer_answer peer_policy_decide(const struct peer_policy *policy, const struct address *peer);
bool peer_is_allowed(enum peer_decision decision);
/* "denied by 10.0.0.0/8; allow it with allowed-peer-ip = 10.0.0.0/8": what a log line and `config
 * check` say after the address. Terminated, never longer than `size`. */
void peer_answer_print(char *out, size_t size, struct peer_answer answer);

#endif
