#include "store/seal.h"

#include <assert.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <stdlib.h>
#include <string.h>

#include "store/sha256.h"

enum { AAD_MAX = TEXT_BYTES_MAX + 1 + 8 + 8 + 32 };

struct sealer {
	EVP_CIPHER *gcm;
	/* Each set up once: naming the cipher again with every key would allocate it again. */
	EVP_CIPHER_CTX *closing;
	EVP_CIPHER_CTX *opening;
	size_t prefix_count;
	uint8_t prefix[TEXT_BYTES_MAX + 1]; /* origin and 0x0A: the beginning of every AAD */
};

/* What one box is encrypted with. */
struct box {
	const struct seal_key *key;
	const uint8_t *iv;
	const uint8_t *aad;
	size_t aad_count;
};

struct sealer *
sealer_new(const char *origin)
{
	struct sealer *sealer = calloc(1, sizeof *sealer);
	const size_t count = strlen(origin);

	assert(sealer != NULL);
	assert(count <= TEXT_BYTES_MAX);
	sealer->gcm = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
	sealer->closing = EVP_CIPHER_CTX_new();
	sealer->opening = EVP_CIPHER_CTX_new();
	assert(sealer->gcm != NULL);
	const int closes = EVP_EncryptInit_ex2(sealer->closing, sealer->gcm, NULL, NULL, NULL);
	const int opens = EVP_DecryptInit_ex2(sealer->opening, sealer->gcm, NULL, NULL, NULL);
	assert(closes == 1);
	assert(opens == 1);
	memcpy(sealer->prefix, origin, count);
	sealer->prefix[count] = 0x0A;
	sealer->prefix_count = count + 1;
	return sealer;
}

void
sealer_free(struct sealer *sealer)
{
	if (sealer != NULL) {
		EVP_CIPHER_CTX_free(sealer->closing);
		EVP_CIPHER_CTX_free(sealer->opening);
		EVP_CIPHER_free(sealer->gcm);
		free(sealer);
	}
}

/* Encryption of bytes we hold, with a key of the right size, has no way to fail but a bug or an
 * OpenSSL without AES. */
static void
box_close(struct sealer *sealer, const struct box *box, struct span plain, uint8_t *out)
{
	EVP_CIPHER_CTX *c = sealer->closing;
	int count = 0;
	int ok = EVP_EncryptInit_ex2(c, NULL, box->key->bytes, box->iv, NULL);

	ok &= EVP_EncryptUpdate(c, NULL, &count, box->aad, (int)box->aad_count);
	if (plain.count > 0) {
		ok &= EVP_EncryptUpdate(c, out, &count, plain.at, (int)plain.count);
	}
	ok &= EVP_EncryptFinal_ex(c, out + plain.count, &count);
	ok &= EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, SEAL_TAG_BYTES, out + plain.count);
	assert(ok == 1);
}

static bool
box_open(struct sealer *sealer, const struct box *box, struct span sealed, uint8_t *plain,
	 size_t *count)
{
	EVP_CIPHER_CTX *c = sealer->opening;
	uint8_t tag[SEAL_TAG_BYTES];
	int done = 0;

	*count = 0;
	if (sealed.count < SEAL_TAG_BYTES) {
		return false;
	}
	const size_t length = sealed.count - SEAL_TAG_BYTES;
	memcpy(tag, sealed.at + length, sizeof tag);
	int ok = EVP_DecryptInit_ex2(c, NULL, box->key->bytes, box->iv, NULL);
	ok &= EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_TAG, SEAL_TAG_BYTES, tag);
	ok &= EVP_DecryptUpdate(c, NULL, &done, box->aad, (int)box->aad_count);
	if (length > 0) {
		ok &= EVP_DecryptUpdate(c, plain, &done, sealed.at, (int)length);
	}
	if (ok != 1 || EVP_DecryptFinal_ex(c, plain + length, &done) != 1) {
		seal_forget(plain, length);
		return false;
	}
	*count = length;
	return true;
}

static size_t
put_bytes(uint8_t *at, const void *bytes, size_t count)
{
	memcpy(at, bytes, count);
	return count;
}

static size_t
put_u64(uint8_t *at, uint64_t value)
{
	for (int i = 7; i >= 0; i--) {
		*at++ = (uint8_t)(value >> (8 * i));
	}
	return 8;
}

static size_t
part_aad(const struct sealer *sealer, const struct seal_place *place, uint8_t aad[AAD_MAX])
{
	size_t count = put_bytes(aad, sealer->prefix, sealer->prefix_count);

	count += put_u64(aad + count, place->seq);
	aad[count++] = place->part;
	return count + put_bytes(aad + count, place->key_id.bytes, sizeof place->key_id.bytes);
}

size_t
seal_part(struct sealer *sealer, const struct seal_key *key, const struct seal_place *place,
	  const uint8_t salt[SEAL_SALT_BYTES], struct span plain, uint8_t body[SEAL_BODY_MAX],
	  struct digest *digest)
{
	uint8_t aad[AAD_MAX];
	const struct box box = { key, salt, aad, part_aad(sealer, place, aad) };
	const size_t count = plain.count + SEAL_TAG_BYTES;

	assert(plain.count <= SEALED_BYTES_MAX);
	box_close(sealer, &box, plain, body);
	seal_digest(salt, (struct span){ body, count }, digest);
	return count;
}

bool
seal_open(struct sealer *sealer, const struct seal_key *key, const struct seal_place *place,
	  const uint8_t salt[SEAL_SALT_BYTES], struct span body, uint8_t plain[SEALED_BYTES_MAX],
	  size_t *count)
{
	uint8_t aad[AAD_MAX];
	const struct box box = { key, salt, aad, part_aad(sealer, place, aad) };

	*count = 0;
	return body.count <= SEAL_BODY_MAX && box_open(sealer, &box, body, plain, count);
}

void
seal_digest(const uint8_t salt[SEAL_SALT_BYTES], struct span body, struct digest *out)
{
	static const char label[] = "ifswarm/sealed/v1";
	const struct span spans[] = { { (const uint8_t *)label, sizeof label - 1 },
				      { salt, SEAL_SALT_BYTES },
				      body };

	sha256_spans(spans, 3, out);
}

void
seal_derive(const struct seal_key *key, const char *label, uint8_t out[SEAL_KEY_BYTES])
{
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
	EVP_KDF_CTX *context = EVP_KDF_CTX_new(kdf);
	uint8_t secret[SEAL_KEY_BYTES];
	char hash[] = "SHA256";
	char info[32];

	assert(context != NULL);
	assert(strlen(label) < sizeof info);
	memcpy(secret, key->bytes, sizeof secret);
	memcpy(info, label, strlen(label) + 1);
	const OSSL_PARAM parameters[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, hash, 0),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, secret, sizeof secret),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, info, strlen(info)),
		OSSL_PARAM_construct_end(),
	};
	const int ok = EVP_KDF_derive(context, out, SEAL_KEY_BYTES, parameters);
	assert(ok == 1);
	seal_forget(secret, sizeof secret);
	EVP_KDF_CTX_free(context);
	EVP_KDF_free(kdf);
}

void
seal_commitment(const struct seal_key *key, struct digest *out)
{
	seal_derive(key, "ifswarm/commit/v1", out->bytes);
}

static EVP_CIPHER_CTX *
wrap_context(void)
{
	EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();

	assert(c != NULL);
	EVP_CIPHER_CTX_set_flags(c, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
	return c;
}

void
seal_wrap(const struct seal_key *wrap, const struct seal_key *key, uint8_t out[SEAL_WRAPPED_BYTES])
{
	EVP_CIPHER_CTX *c = wrap_context();
	int count = 0;
	int ok = EVP_EncryptInit_ex2(c, EVP_aes_256_wrap(), wrap->bytes, NULL, NULL);

	ok &= EVP_EncryptUpdate(c, out, &count, key->bytes, SEAL_KEY_BYTES);
	assert(ok == 1);
	assert(count == SEAL_WRAPPED_BYTES);
	EVP_CIPHER_CTX_free(c);
}

bool
seal_unwrap(const struct seal_key *wrap, const uint8_t wrapped[SEAL_WRAPPED_BYTES],
	    struct seal_key *out)
{
	EVP_CIPHER_CTX *c = wrap_context();
	uint8_t plain[SEAL_WRAPPED_BYTES];
	int count = 0;
	int ok = EVP_DecryptInit_ex2(c, EVP_aes_256_wrap(), wrap->bytes, NULL, NULL);

	assert(ok == 1);
	ok = EVP_DecryptUpdate(c, plain, &count, wrapped, SEAL_WRAPPED_BYTES);
	EVP_CIPHER_CTX_free(c);
	if (ok == 1 && count == SEAL_KEY_BYTES) {
		memcpy(out->bytes, plain, sizeof out->bytes);
	}
	seal_forget(plain, sizeof plain);
	return ok == 1 && count == SEAL_KEY_BYTES;
}

static size_t
annex_aad(const struct sealer *sealer, const struct seal_annex_place *place, uint8_t aad[AAD_MAX])
{
	size_t count = put_bytes(aad, sealer->prefix, sealer->prefix_count);

	count += put_u64(aad + count, place->stream);
	count += put_u64(aad + count, place->version);
	return count + put_bytes(aad + count, place->dump.bytes, sizeof place->dump.bytes);
}

void
seal_annex(struct sealer *sealer, const struct seal_key *wrap, const struct seal_annex_place *place,
	   const uint8_t iv[SEAL_IV_BYTES], struct span plain, uint8_t *out)
{
	struct seal_key key;
	uint8_t aad[AAD_MAX];
	const struct box box = { &key, iv, aad, annex_aad(sealer, place, aad) };

	seal_derive(wrap, "ifswarm/snapshot/v1", key.bytes);
	memcpy(out, iv, SEAL_IV_BYTES);
	box_close(sealer, &box, plain, out + SEAL_IV_BYTES);
	seal_forget(&key, sizeof key);
}

bool
seal_annex_open(struct sealer *sealer, const struct seal_key *wrap,
		const struct seal_annex_place *place, struct span sealed, uint8_t *plain,
		size_t *count)
{
	struct seal_key key;
	uint8_t aad[AAD_MAX];
	const struct box box = { &key, sealed.at, aad, annex_aad(sealer, place, aad) };

	*count = 0;
	if (sealed.count < SEAL_BOX_EXTRA) {
		return false;
	}
	seal_derive(wrap, "ifswarm/snapshot/v1", key.bytes);
	const struct span body = { sealed.at + SEAL_IV_BYTES, sealed.count - SEAL_IV_BYTES };
	const bool opened = box_open(sealer, &box, body, plain, count);
	seal_forget(&key, sizeof key);
	return opened;
}

/* Days to year and month of the proleptic Gregorian calendar, counted in 400-year eras that start
 * in March, so that the leap day comes last. */
uint64_t
seal_month(uint64_t time_us)
{
	const uint64_t days = time_us / (UINT64_C(86400) * 1000000) + 719468;
	const uint64_t day_of_era = days % 146097;
	const uint64_t year_of_era =
		(day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
	const uint64_t day_of_year =
		day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	const uint64_t shifted = (5 * day_of_year + 2) / 153; /* 0 is March */
	const uint64_t month = shifted < 10 ? shifted + 3 : shifted - 9;
	const uint64_t year = days / 146097 * 400 + year_of_era + (month <= 2);

	return year * 100 + month;
}

void
seal_forget(void *secret, size_t count)
{
	OPENSSL_cleanse(secret, count);
}
