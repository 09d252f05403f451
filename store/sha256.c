/* OpenSSL 3 deprecates these functions in favour of EVP, which allocates a context for each digest
 * and takes several times as long for the short inputs of a Merkle tree. They are the same code
 * beneath. */
#define OPENSSL_SUPPRESS_DEPRECATED

#include "store/sha256.h"

#include <openssl/sha.h>

void
sha256_spans(const struct span *spans, size_t count, struct digest *out)
{
	SHA256_CTX context;

	SHA256_Init(&context);
	for (size_t i = 0; i < count; i++) {
		if (spans[i].count > 0) {
			SHA256_Update(&context, spans[i].at, spans[i].count);
		}
	}
	SHA256_Final(out->bytes, &context);
}

void
sha256_span(struct span bytes, struct digest *out)
{
	sha256_spans(&bytes, 1, out);
}
