/* Addresses and ranges as an operator or a packet writes them, and the policy's decision about
 * them. */
#include <assert.h>
#include <string.h>

#include "protocol/peer_policy.h"
#include "protocol/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

/* What is printed is read again as the same. */
static void
check_text(const char *text)
{
	char printed[ADDRESS_PRINT_MAX];
	struct address address, again;

	if (address_parse(&address, text) != NULL) {
		return;
	}
	address_print(printed, sizeof printed, &address);
	if (address.port == 0) {
		/* "IP:0" is not something to write. */
		return;
	}
	assert(address_parse(&again, printed) == NULL);
	assert(address_equal(&address, &again));
}

static void
check_policy(const char *text)
{
	static struct peer_policy policy;
	struct address_range range;
	char why[256];

	peer_policy_init(&policy, 49152, 65535);
	const char *fault = peer_policy_add_deny(&policy, text);
	if (fault != NULL) {
		assert(strlen(fault) > 0);
		return;
	}
	assert(address_range_parse(&range, text) == NULL);
	assert(address_compare_ip(&range.first, &range.last) <= 0);
	assert(!peer_is_allowed(peer_policy_decide(&policy, &range.first).decision));
	peer_answer_print(why, sizeof why, peer_policy_decide(&policy, &range.last));
	assert(strncmp(why, "denied", 6) == 0);
}

static void
check_wire(struct span value)
{
	static const struct transaction transaction = { { 3, 1, 4, 1, 5, 9 } };
	uint8_t wire[ADDRESS_WIRE_MAX];
	struct address address, again;

	if (!address_from_wire(&address, value, &transaction)) {
		return;
	}
	const size_t count = address_to_wire(wire, &address, &transaction);
	assert(address_from_wire(&again, (struct span){ wire, count }, &transaction));
	assert(address_equal(&address, &again));
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
	char text[256] = { 0 };

	check_wire((struct span){ bytes, count });
	memcpy(text, bytes, count < sizeof text - 1 ? count : sizeof text - 1);
	check_text(text);
	check_policy(text);
	return 0;
}
