#include "store/timestamp.h"

#include <assert.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* For struct tm and timegm alone: no clock is read. */
#include <time.h>

#include "store/sha256.h"

/* RFC 3161 section 2.4.2. */
enum { STATUS_GRANTED = 0, STATUS_GRANTED_WITH_MODS = 1, CERTIFICATES_MAX = 256 };

struct timestamp_trust {
	size_t count;
	X509 *certificates[CERTIFICATES_MAX];
};

/* --- what is asked -------------------------------------------------------------------------------
 */

static void
set_imprint(TS_REQ *request, struct span bytes)
{
	TS_MSG_IMPRINT *imprint = TS_MSG_IMPRINT_new();
	X509_ALGOR *algorithm = X509_ALGOR_new();
	struct digest digest;

	assert(imprint != NULL && algorithm != NULL);
	sha256_span(bytes, &digest);
	X509_ALGOR_set0(algorithm, OBJ_nid2obj(NID_sha256), V_ASN1_NULL, NULL);
	int ok = TS_MSG_IMPRINT_set_algo(imprint, algorithm);
	ok &= TS_MSG_IMPRINT_set_msg(imprint, digest.bytes, sizeof digest.bytes);
	ok &= TS_REQ_set_msg_imprint(request, imprint);
	assert(ok == 1);
	X509_ALGOR_free(algorithm);
	TS_MSG_IMPRINT_free(imprint);
}

static void
set_nonce(TS_REQ *request, const uint8_t nonce[TIMESTAMP_NONCE_BYTES])
{
	ASN1_INTEGER *number = ASN1_INTEGER_new();
	uint64_t value = 0;

	assert(number != NULL);
	for (int i = 0; i < TIMESTAMP_NONCE_BYTES; i++) {
		value = value << 8 | nonce[i];
	}
	/* Some authorities read it as a signed number. */
	int ok = ASN1_INTEGER_set_uint64(number, value & INT64_MAX);
	ok &= TS_REQ_set_nonce(request, number);
	assert(ok == 1);
	ASN1_INTEGER_free(number);
}

static TS_REQ *
make_request(struct span bytes, const uint8_t *nonce)
{
	TS_REQ *request = TS_REQ_new();

	assert(request != NULL);
	const int ok = TS_REQ_set_version(request, 1) & TS_REQ_set_cert_req(request, 1);
	assert(ok == 1);
	set_imprint(request, bytes);
	if (nonce != NULL) {
		set_nonce(request, nonce);
	}
	return request;
}

size_t
timestamp_request(struct span bytes, const uint8_t nonce[TIMESTAMP_NONCE_BYTES],
		  uint8_t out[TIMESTAMP_REQUEST_MAX])
{
	TS_REQ *request = make_request(bytes, nonce);
	uint8_t *at = out;

	assert(i2d_TS_REQ(request, NULL) <= TIMESTAMP_REQUEST_MAX);
	const int count = i2d_TS_REQ(request, &at);
	assert(count > 0);
	TS_REQ_free(request);
	return (size_t)count;
}

/* --- who is believed -----------------------------------------------------------------------------
 */

struct timestamp_trust *
timestamp_trust_read(struct span pem)
{
	struct timestamp_trust *trust = calloc(1, sizeof *trust);
	BIO *bio = pem.count > TIMESTAMP_CA_MAX ? NULL : BIO_new_mem_buf(pem.at, (int)pem.count);
	X509 *next;

	while (trust != NULL && bio != NULL && trust->count < CERTIFICATES_MAX &&
	       (next = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL) {
		trust->certificates[trust->count++] = next;
	}
	/* It ends well only if there was no further PEM to begin with. */
	const unsigned long fault = ERR_peek_last_error();
	const bool ended =
		ERR_GET_LIB(fault) == ERR_LIB_PEM && ERR_GET_REASON(fault) == PEM_R_NO_START_LINE;
	ERR_clear_error();
	BIO_free(bio);
	if (trust != NULL && (trust->count == 0 || !ended)) {
		timestamp_trust_free(trust);
		return NULL;
	}
	return trust;
}

void
timestamp_trust_free(struct timestamp_trust *trust)
{
	for (size_t i = 0; trust != NULL && i < trust->count; i++) {
		X509_free(trust->certificates[i]);
	}
	free(trust);
}

/* The authorities, as they are to be judged at that moment. */
static X509_STORE *
make_store(const struct timestamp_trust *trust, uint64_t time_s)
{
	X509_STORE *store = X509_STORE_new();

	assert(store != NULL);
	for (size_t i = 0; i < trust->count; i++) {
		X509_STORE_add_cert(store, trust->certificates[i]);
	}
	X509_VERIFY_PARAM_set_time(X509_STORE_get0_param(store), (time_t)time_s);
	return store;
}

/* --- what was answered ---------------------------------------------------------------------------
 */

static bool
refuse(char fault[TIMESTAMP_FAULT_MAX], const char *what)
{
	const char *reason = ERR_reason_error_string(ERR_peek_last_error());

	snprintf(fault, TIMESTAMP_FAULT_MAX, "%s%s%s", what, reason == NULL ? "" : ": ",
		 reason == NULL ? "" : reason);
	ERR_clear_error();
	return false;
}

static bool
is_granted(TS_RESP *response)
{
	const ASN1_INTEGER *status = TS_STATUS_INFO_get0_status(TS_RESP_get_status_info(response));
	uint64_t number = 0;

	return ASN1_INTEGER_get_uint64(&number, status) == 1 &&
	       (number == STATUS_GRANTED || number == STATUS_GRANTED_WITH_MODS);
}

static bool
read_time(TS_RESP *response, uint64_t *time_s)
{
	TS_TST_INFO *info = TS_RESP_get_tst_info(response);
	const ASN1_GENERALIZEDTIME *time = info == NULL ? NULL : TS_TST_INFO_get_time(info);
	struct tm parts;

	if (time == NULL || ASN1_TIME_to_tm(time, &parts) != 1) {
		return false;
	}
	const time_t seconds = timegm(&parts);
	*time_s = (uint64_t)seconds;
	return seconds > 0;
}

static bool
verify(TS_RESP *response, TS_REQ *request, const struct timestamp_trust *trust, uint64_t time_s)
{
	TS_VERIFY_CTX *context = TS_REQ_to_TS_VERIFY_CTX(request, NULL);
	unsigned flags = TS_VFY_VERSION | TS_VFY_IMPRINT;

	assert(context != NULL);
	flags |= TS_REQ_get_nonce(request) == NULL ? 0U : TS_VFY_NONCE;
	flags |= trust == NULL ? 0U : TS_VFY_SIGNATURE;
	TS_VERIFY_CTX_set_flags(context, (int)flags);
	if (trust != NULL) {
		TS_VERIFY_CTX_set_store(context, make_store(trust, time_s));
	}
	const bool holds = TS_RESP_verify_response(context, response) == 1;
	TS_VERIFY_CTX_free(context);
	return holds;
}

static bool
judge(TS_RESP *response, struct span bytes, const uint8_t *nonce,
      const struct timestamp_trust *trust, uint64_t *time_s, char fault[TIMESTAMP_FAULT_MAX])
{
	uint64_t time = 0;

	if (!is_granted(response)) {
		return refuse(fault, "the authority did not grant a timestamp");
	}
	if (!read_time(response, &time)) {
		return refuse(fault, "the token names no time");
	}
	TS_REQ *request = make_request(bytes, nonce);
	const bool holds = verify(response, request, trust, time);
	TS_REQ_free(request);
	if (!holds) {
		return refuse(fault, "the token does not verify");
	}
	*time_s = time;
	return true;
}

bool
timestamp_holds(struct span response, struct span bytes, const uint8_t *nonce,
		const struct timestamp_trust *trust, uint64_t *time_s,
		char fault[TIMESTAMP_FAULT_MAX])
{
	const uint8_t *at = response.at;

	ERR_clear_error();
	if (response.count == 0 || response.count > TIMESTAMP_RESPONSE_MAX) {
		return refuse(fault, "not a timestamp response");
	}
	TS_RESP *read = d2i_TS_RESP(NULL, &at, (long)response.count);
	if (read == NULL || at != response.at + response.count) {
		TS_RESP_free(read);
		return refuse(fault, "not a timestamp response");
	}
	const bool holds = judge(read, bytes, nonce, trust, time_s, fault);
	TS_RESP_free(read);
	return holds;
}
