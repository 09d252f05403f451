/* A proxy's header, cut anywhere, is waited for or broken, never another one. */
#include <stdlib.h>

#include "protocol/proxy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct proxy_header header;
	const enum proxy_verdict verdict = proxy_read((struct span){ data, size }, &header);

	if (header.needed < PROXY_HEAD_BYTES || header.needed > PROXY_BYTES_MAX) {
		abort();
	}
	if ((verdict == PROXY_CLIENT && (header.client.family == ADDRESS_NONE ||
					 header.client.port == 0 || header.needed > size)) ||
	    (verdict == PROXY_WAIT && header.needed <= size)) {
		abort();
	}
	for (size_t cut = 0; cut < size && cut < header.needed; cut++) {
		struct proxy_header early;
		const enum proxy_verdict part = proxy_read((struct span){ data, cut }, &early);

		if (part != PROXY_WAIT && (part != PROXY_BROKEN || verdict != PROXY_BROKEN)) {
			abort();
		}
	}
	return 0;
}
