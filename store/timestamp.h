/* Timestamps (RFC 3161): what an authority that knows neither us nor our witnesses says about when
 * a checkpoint existed. The bytes that are stamped are the checkpoint as the log alone signed it,
 * so that anyone can check with openssl:
 *
 *     openssl ts -verify -data SIZE.checkpoint -in SIZE.tsr -CAfile tsa.pem
 *
 * A response is kept whole (TimeStampResp, DER). No function here reads a clock: certificates are
 * judged at the moment the token names, so that an old token holds after its certificate expired.
 */
#ifndef IFSWARM_STORE_TIMESTAMP_H
#define IFSWARM_STORE_TIMESTAMP_H

#include "protocol/types.h"

enum {
	TIMESTAMP_NONCE_BYTES = 8,
	TIMESTAMP_REQUEST_MAX = 128,
	TIMESTAMP_RESPONSE_MAX = 64 * 1024,
	TIMESTAMP_CA_MAX = 256 * 1024,
	TIMESTAMP_FAULT_MAX = 256,
};

/* A TimeStampReq over SHA-256(bytes) that wants the certificate sent along. The first bit of the
 * nonce is not used. Returns the length. */
size_t timestamp_request(struct span bytes, const uint8_t nonce[TIMESTAMP_NONCE_BYTES],
			 uint8_t out[TIMESTAMP_REQUEST_MAX]);

/* The authorities that are believed: PEM certificates. NULL if there is none, or one is broken. */
struct timestamp_trust;
struct timestamp_trust *timestamp_trust_read(struct span pem);
void timestamp_trust_free(struct timestamp_trust *trust);

/* Granted, over these bytes, for that nonce (NULL: any), and signed under one of the authorities
 * (NULL: the signature is not judged). False with a sentence in `fault`; else *time_s is when. */
bool timestamp_holds(struct span response, struct span bytes, const uint8_t *nonce,
		     const struct timestamp_trust *trust, uint64_t *time_s,
		     char fault[TIMESTAMP_FAULT_MAX]);

#endif
