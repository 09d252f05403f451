#include "protocol/credential_name.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

static struct span
span_of(const void *bytes, size_t count)
{
	return (struct span){ bytes, count };
}

void
credential_name_password(char out[CREDENTIAL_PASSWORD_BYTES + 1], struct integrity *integrity,
			 struct span secret, struct span username)
{
	uint8_t sum[INTEGRITY_BYTES_MAX];
	const size_t count = integrity_hmac(integrity, INTEGRITY_SHA1, secret, &username, 1, sum);

	EVP_EncodeBlock((unsigned char *)out, sum, (int)count);
}

struct id
credential_trace(struct integrity *integrity, struct span secret, struct span username)
{
	static const char label[] = "ifswarm/trace/v1"; /* its NUL is the 0x00 of the rule */
	const struct span parts[] = { span_of(label, sizeof label), username };
	uint8_t sum[INTEGRITY_BYTES_MAX];
	struct id trace;

	integrity_hmac(integrity, INTEGRITY_SHA256, secret, parts, 2, sum);
	memcpy(trace.bytes, sum, sizeof trace.bytes);
	return trace;
}

/* ':' separates and '%' escapes, so these two are written as escapes. 0: too long. */
static size_t
escape(char *out, size_t size, const struct name *name)
{
	size_t count = 0;

	for (size_t i = 0; i < name->length; i++) {
		const char c = name->bytes[i];
		const char *coded = c == ':' ? "%3A" : c == '%' ? "%25" : NULL;
		const size_t need = coded == NULL ? 1 : 3;

		if (need > size - count) {
			return 0;
		}
		memcpy(out + count, coded == NULL ? &c : coded, need);
		count += need;
	}
	return count;
}

/* Only our own two escapes are one; another issuer's '%' stands for itself. */
static bool
unescape(struct name *out, const uint8_t *at, size_t count)
{
	memset(out, 0, sizeof *out);
	for (size_t i = 0; i < count; i++) {
		const bool coded = count - i >= 3 &&
				   (memcmp(at + i, "%3A", 3) == 0 || memcmp(at + i, "%25", 3) == 0);

		if (out->length == NAME_BYTES_MAX) {
			return false;
		}
		out->bytes[out->length++] = (char)(!coded ? at[i] : at[i + 1] == '3' ? ':' : '%');
		i += coded ? 2 : 0;
	}
	return name_is_wellformed(out);
}

/* Up to 10 digits without a leading zero: a time has one spelling (C11). 0: none. */
static uint64_t
read_expiry(const uint8_t *at, size_t count)
{
	uint64_t value = 0;

	if (count == 0 || count > 10 || at[0] == '0') {
		return 0;
	}
	for (size_t i = 0; i < count; i++) {
		if (at[i] < '0' || at[i] > '9') {
			return 0;
		}
		value = value * 10 + (uint64_t)(at[i] - '0');
	}
	return value;
}

bool
credential_name_read(struct credential *out, struct span username, uint64_t now_s)
{
	const uint8_t *colon =
		username.count == 0 ? NULL : memchr(username.at, ':', username.count);

	if (colon == NULL) {
		return false;
	}
	const size_t digits = (size_t)(colon - username.at);
	const size_t rest = username.count - digits - 1;

	if (memchr(colon + 1, ':', rest) != NULL) {
		return false;
	}
	out->is_timed = true;
	out->expires_s = read_expiry(username.at, digits);
	return out->expires_s > now_s && out->expires_s - now_s <= CREDENTIAL_FUTURE_MAX_S &&
	       unescape(&out->user, colon + 1, rest);
}

bool
credential_name_is_of(const struct name *user, const struct name *agent)
{
	const char *colon = memchr(user->bytes, ':', user->length);
	struct name named;

	if (name_equal(user, agent)) {
		return true;
	}
	if (colon == NULL) {
		return false;
	}
	const size_t digits = (size_t)(colon - user->bytes);
	return read_expiry((const uint8_t *)user->bytes, digits) != 0 &&
	       unescape(&named, (const uint8_t *)colon + 1, user->length - digits - 1) &&
	       name_equal(&named, agent);
}

bool
credential_make(struct credential_pair *out, struct integrity *integrity, const char *secret,
		const struct name *agent, uint64_t expires_s)
{
	memset(out, 0, sizeof *out);
	if (!name_is_wellformed(agent) || expires_s == 0 || expires_s > 9999999999u) {
		return false;
	}
	const int digits = snprintf(out->username, sizeof out->username, "%" PRIu64 ":", expires_s);
	const size_t count =
		escape(out->username + digits, CREDENTIAL_USERNAME_BYTES - (size_t)digits, agent);

	if (count == 0) {
		memset(out, 0, sizeof *out);
		return false;
	}
	credential_name_password(out->password, integrity, span_of(secret, strlen(secret)),
				 span_of(out->username, (size_t)digits + count));
	return true;
}
