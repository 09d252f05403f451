/* Any bytes as a body of claims: refused by name, or claims whose every field is well-formed. */
#include <assert.h>

#include "gateway/claim.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

static void
check(void *context, const struct claim *claim)
{
	size_t *taken = context;

	assert(name_is_wellformed(&claim->event) && name_is_wellformed(&claim->agent));
	assert(claim->timestamp.length > 0);
	assert(claim->peer.length == 0 || name_is_wellformed(&claim->peer));
	assert(claim->trace.length == 0 || name_is_wellformed(&claim->trace));
	++*taken;
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
	struct claims_report report;
	size_t taken = 0;

	if (claims_read((struct span){ bytes, count }, check, &taken, &report)) {
		assert(taken == report.count && taken > 0 && taken <= CLAIMS_PER_REQUEST_MAX);
	} else {
		assert(report.fault[0] != '\0' && (report.status == 400 || report.status == 413));
	}
	return 0;
}
