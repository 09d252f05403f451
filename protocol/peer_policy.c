#include "protocol/peer_policy.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* The special-purpose registries of IANA (RFC 6890 and after) and what clouds put beside them. The
 * first that contains an address names it, so the narrow ones come first. A reserved one is opened
 * only by a rule that lies inside it. */
static const struct {
	const char *text;
	bool reserved;
	const char *what;
} special[] = {
	{ "169.254.169.254", true, "cloud metadata" },
	{ "100.100.100.200", true, "cloud metadata" },
	{ "192.0.0.192", true, "cloud metadata" },
	{ "168.63.129.16", true, "cloud metadata" },
	{ "fd00:ec2::254", true, "cloud metadata" },
	{ "fd20:ce::254", true, "cloud metadata" },
	{ "0.0.0.0", true, "unspecified" },
	{ "::", true, "unspecified" },
	{ "224.0.0.0/4", true, "multicast" },
	{ "ff00::/8", true, "multicast" },
	{ "255.255.255.255", true, "broadcast" },
	{ "0.0.0.0/8", false, "this network" },
	{ "10.0.0.0/8", false, "private network" },
	{ "100.64.0.0/10", false, "carrier-grade NAT" },
	{ "127.0.0.0/8", false, "loopback" },
	{ "169.254.0.0/16", false, "link-local" },
	{ "172.16.0.0/12", false, "private network" },
	{ "192.0.0.0/24", false, "protocol assignments" },
	{ "192.0.2.0/24", false, "documentation" },
	{ "192.88.99.0/24", false, "6to4 relays" },
	{ "192.168.0.0/16", false, "private network" },
	{ "198.18.0.0/15", false, "benchmarks" },
	{ "198.51.100.0/24", false, "documentation" },
	{ "203.0.113.0/24", false, "documentation" },
	{ "240.0.0.0/4", false, "reserved" },
	{ "::1", false, "loopback" },
	{ "::/96", false, "IPv4-compatible" },
	{ "::ffff:0:0:0/96", false, "IPv4-translated" },
	{ "64:ff9b:1::/48", false, "local NAT64" },
	{ "100::/64", false, "discard" },
	{ "100:0:0:1::/64", false, "dummy prefix" },
	{ "2001::/23", false, "protocol assignments, Teredo" },
	{ "2001:db8::/32", false, "documentation" },
	{ "3fff::/20", false, "documentation" },
	{ "5f00::/16", false, "segment routing" },
	{ "fc00::/7", false, "unique local" },
	{ "fe80::/10", false, "link-local" },
	{ "fec0::/10", false, "site-local" },
};
_Static_assert(sizeof special / sizeof special[0] == PEER_SPECIAL,
	       "the header makes room for the table");

void
peer_policy_init(struct peer_policy *policy, uint16_t port_min, uint16_t port_max)
{
	assert(port_min <= port_max);
	memset(policy, 0, sizeof *policy);
	policy->port_min = port_min;
	policy->port_max = port_max;
	for (size_t i = 0; i < PEER_SPECIAL; i++) {
		const char *fault = address_range_parse(&policy->special[i], special[i].text);

		assert(fault == NULL);
	}
}

static const char *
add_rule(struct peer_policy *policy, const char *text, bool allow)
{
	struct peer_rule rule = { .allow = allow };
	const char *fault = address_range_parse(&rule.range, text);

	if (fault != NULL) {
		return fault;
	}
	if (strlen(text) >= sizeof rule.text) {
		return "the rule is too long: write it without needless digits";
	}
	if (policy->rule_count == PEER_RULES_MAX) {
		return "too many rules: join ranges";
	}
	strcpy(rule.text, text);
	policy->rules[policy->rule_count++] = rule;
	return NULL;
}

const char *
peer_policy_add_allow(struct peer_policy *policy, const char *text)
{
	return add_rule(policy, text, true);
}

const char *
peer_policy_add_deny(struct peer_policy *policy, const char *text)
{
	return add_rule(policy, text, false);
}

bool
peer_policy_add_listener(struct peer_policy *policy, const struct address *listener)
{
	if (policy->listener_count == PEER_OWN_MAX) {
		return false;
	}
	policy->listeners[policy->listener_count++] = *listener;
	return true;
}

bool
peer_policy_add_relayed(struct peer_policy *policy, const struct address *ip)
{
	if (policy->relayed_count == PEER_OWN_MAX) {
		return false;
	}
	policy->relayed[policy->relayed_count] = *ip;
	policy->relayed[policy->relayed_count++].port = 0;
	return true;
}

static bool
is_relayed_ip(const struct peer_policy *policy, const struct address *peer)
{
	for (size_t i = 0; i < policy->relayed_count; i++) {
		if (address_equal_ip(&policy->relayed[i], peer)) {
			return true;
		}
	}
	return false;
}

static bool
is_unspecified(const struct address *address)
{
	static const uint8_t zero[16];

	return memcmp(address->bytes, zero, sizeof zero) == 0;
}

static bool
is_listener(const struct peer_policy *policy, const struct address *peer)
{
	for (size_t i = 0; i < policy->listener_count; i++) {
		const struct address *own = &policy->listeners[i];

		if (own->port == peer->port &&
		    (address_equal_ip(own, peer) ||
		     (is_unspecified(own) && is_relayed_ip(policy, peer)))) {
			return true;
		}
	}
	return false;
}

/* Its place in the built-in table, or PEER_SPECIAL. */
static size_t
find_special(const struct peer_policy *policy, const struct address *peer)
{
	for (size_t i = 0; i < PEER_SPECIAL; i++) {
		if (address_range_contains(&policy->special[i], peer)) {
			return i;
		}
	}
	return PEER_SPECIAL;
}

static bool
lies_inside(const struct address_range *inner, const struct address_range *outer)
{
	return address_range_contains(outer, &inner->first) &&
	       address_range_contains(outer, &inner->last);
}

/* The first rule of that kind that is about the peer; `within`, if given, is what an allow rule
 * must not exceed. */
static const struct peer_rule *
find_rule(const struct peer_policy *policy, bool allow, const struct address *peer,
	  const struct address_range *within)
{
	for (size_t i = 0; i < policy->rule_count; i++) {
		const struct peer_rule *rule = &policy->rules[i];

		if (rule->allow == allow && address_range_contains(&rule->range, peer) &&
		    (within == NULL || lies_inside(&rule->range, within))) {
			return rule;
		}
	}
	return NULL;
}

static struct peer_answer
answer_of(enum peer_decision decision, const char *rule, const char *what)
{
	return (struct peer_answer){ decision, rule, what };
}

/* By the rules alone, for an address that is not a relayed one of ours. */
static struct peer_answer
decide_by_rules(const struct peer_policy *policy, const struct address *peer)
{
	const size_t place = find_special(policy, peer);
	const bool reserved = place < PEER_SPECIAL && special[place].reserved;
	const struct address_range *within = reserved ? &policy->special[place] : NULL;
	const struct peer_rule *allow = find_rule(policy, true, peer, within);
	const struct peer_rule *deny = find_rule(policy, false, peer, NULL);

	if (allow != NULL) {
		return answer_of(PEER_ALLOWED_BY_RULE, allow->text, "");
	}
	if (is_relayed_ip(policy, peer)) {
		return answer_of(PEER_DENIED_OWN, "", "");
	}
	if (deny != NULL) {
		return answer_of(PEER_DENIED_BY_RULE, deny->text, "");
	}
	if (place < PEER_SPECIAL) {
		return answer_of(reserved ? PEER_DENIED_RESERVED : PEER_DENIED_SPECIAL,
				 special[place].text, special[place].what);
	}
	return answer_of(PEER_ALLOWED, "", "");
}

static struct peer_answer
decide_one(const struct peer_policy *policy, const struct address *peer)
{
	if (is_listener(policy, peer)) {
		return answer_of(PEER_DENIED_LISTENER, "", "");
	}
	if (is_relayed_ip(policy, peer) && (peer->port == 0 || (peer->port >= policy->port_min &&
								peer->port <= policy->port_max))) {
		return answer_of(PEER_ALLOWED_RELAYED, "", "");
	}
	return decide_by_rules(policy, peer);
}

/* Where IPv6 addresses carry IPv4 ones. Local NAT64 (RFC 8215) may put it elsewhere, too, but then
 * the last bytes are zero, and 0.0.0.0/8 is denied: only its /96 form can be opened. */
static const struct {
	uint8_t prefix[12];
	size_t count;
	size_t at;
	uint8_t mask;
} carriers[] = {
	{ { 0 }, 12, 12, 0 },                                        /* compatible, RFC 4291 */
	{ { 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 0, 0 }, 12, 12, 0 }, /* translated, RFC 2765 */
	{ { 0x20, 0x02 }, 2, 2, 0 },                                 /* 6to4, RFC 3056 */
	{ { 0x00, 0x64, 0xFF, 0x9B }, 12, 12, 0 },                   /* NAT64, RFC 6052 */
	{ { 0x00, 0x64, 0xFF, 0x9B, 0x00, 0x01 }, 6, 12, 0 },        /* local NAT64, RFC 8215 */
	{ { 0x20, 0x01, 0x00, 0x00 }, 4, 4, 0 },                     /* Teredo server, RFC 4380 */
	{ { 0x20, 0x01, 0x00, 0x00 }, 4, 12, 0xFF },                 /* Teredo client */
};
enum { CARRIERS = sizeof carriers / sizeof carriers[0] };

/* True if the peer is IPv6 with an IPv4 address in that place of the table. */
static bool
carries(const struct address *peer, size_t place, struct address *out)
{
	const uint8_t *at = peer->bytes + carriers[place].at;
	uint8_t ip[4];

	/* :: and ::1 are no IPv4 addresses. */
	if (peer->family != ADDRESS_IPV6 || (place == 0 && at[0] == 0) ||
	    memcmp(peer->bytes, carriers[place].prefix, carriers[place].count) != 0) {
		return false;
	}
	for (size_t i = 0; i < sizeof ip; i++) {
		ip[i] = at[i] ^ carriers[place].mask;
	}
	*out = address_of_ip(ip, sizeof ip, peer->port);
	return true;
}

struct peer_answer
peer_policy_decide(const struct peer_policy *policy, const struct address *peer)
{
	struct address carried;

	if (peer->family != ADDRESS_IPV4 && peer->family != ADDRESS_IPV6) {
		return answer_of(PEER_DENIED_NO_ADDRESS, "", "");
	}
	const size_t count = peer->family == ADDRESS_IPV4 ? 4 : 16;
	const struct address canonical = address_of_ip(peer->bytes, count, peer->port);
	const struct peer_answer outer = decide_one(policy, &canonical);

	for (size_t i = 0; i < CARRIERS; i++) {
		if (peer_is_allowed(outer.decision) && carries(&canonical, i, &carried)) {
			const struct peer_answer inner = decide_one(policy, &carried);

			if (!peer_is_allowed(inner.decision)) {
				return inner;
			}
		}
	}
	return outer;
}

bool
peer_is_allowed(enum peer_decision decision)
{
	return decision <= PEER_ALLOWED_RELAYED;
}

void
peer_answer_print(char *out, size_t size, struct peer_answer answer)
{
	const char *rule = answer.rule;

	switch (answer.decision) {
	case PEER_ALLOWED:
		snprintf(out, size, "allowed");
		break;
	case PEER_ALLOWED_BY_RULE:
		snprintf(out, size, "allowed by allowed-peer-ip = %s", rule);
		break;
	case PEER_ALLOWED_RELAYED:
		snprintf(out, size, "allowed: a relayed address of this server");
		break;
	case PEER_DENIED_LISTENER:
		snprintf(out, size, "denied: a port this server itself listens on");
		break;
	case PEER_DENIED_OWN:
		snprintf(out, size,
			 "denied: this server's address, but not one of its relayed ports; "
			 "name the address in allowed-peer-ip to allow it");
		break;
	case PEER_DENIED_BY_RULE:
		snprintf(out, size,
			 "denied by denied-peer-ip = %s; allow it with allowed-peer-ip = %s", rule,
			 rule);
		break;
	case PEER_DENIED_SPECIAL:
		snprintf(out, size, "denied by %s (%s); allow it with allowed-peer-ip = %s", rule,
			 answer.what, rule);
		break;
	case PEER_DENIED_RESERVED:
		snprintf(out, size,
			 "denied by %s (%s); only an allowed-peer-ip within it allows it", rule,
			 answer.what);
		break;
	case PEER_DENIED_NO_ADDRESS:
		snprintf(out, size, "denied: not an IP address");
		break;
	}
}
