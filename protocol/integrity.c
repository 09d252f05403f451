#include "protocol/integrity.h"

#include <assert.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <string.h>

static EVP_MAC_CTX *
hmac_open(const char *digest)
{
	char name[16] = "";

	/* Before the parameter is made: its length is taken from the name there and then. */
	assert(strlen(digest) < sizeof name);
	strcpy(name, digest);
	const OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name, 0),
		OSSL_PARAM_construct_end(),
	};
	EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	EVP_MAC_CTX *context = EVP_MAC_CTX_new(mac);
	assert(context != NULL);
	const int set = EVP_MAC_CTX_set_params(context, params);
	assert(set == 1);
	EVP_MAC_free(mac); /* the context holds its own reference */
	return context;
}

void
integrity_open(struct integrity *integrity)
{
	integrity->md5 = EVP_MD_fetch(NULL, "MD5", NULL);
	integrity->sha256 = EVP_MD_fetch(NULL, "SHA2-256", NULL);
	integrity->digest = EVP_MD_CTX_new();
	integrity->hmac[INTEGRITY_SHA1] = hmac_open("SHA1");
	integrity->hmac[INTEGRITY_SHA256] = hmac_open("SHA2-256");
	assert(integrity->md5 != NULL);
	assert(integrity->sha256 != NULL);
	assert(integrity->digest != NULL);
}

void
integrity_close(struct integrity *integrity)
{
	EVP_MAC_CTX_free(integrity->hmac[INTEGRITY_SHA256]);
	EVP_MAC_CTX_free(integrity->hmac[INTEGRITY_SHA1]);
	EVP_MD_CTX_free(integrity->digest);
	EVP_MD_free(integrity->sha256);
	EVP_MD_free(integrity->md5);
	memset(integrity, 0, sizeof *integrity);
}

size_t
integrity_hmac(struct integrity *integrity, enum integrity_hash hash, struct span key,
	       const struct span *parts, size_t count, uint8_t out[INTEGRITY_BYTES_MAX])
{
	static const uint8_t empty[1];
	EVP_MAC_CTX *context = integrity->hmac[hash];
	size_t written = 0;

	/* OpenSSL reads a null key as "the key of before". */
	int done = EVP_MAC_init(context, key.count == 0 ? empty : key.at, key.count, NULL);
	for (size_t i = 0; i < count; i++) {
		done &= EVP_MAC_update(context, parts[i].at, parts[i].count);
	}
	done &= EVP_MAC_final(context, out, &written, INTEGRITY_BYTES_MAX);
	assert(done == 1);
	return written;
}

static size_t
digest_joined(struct integrity *integrity, const EVP_MD *algorithm, const struct span *words,
	      size_t count, uint8_t out[INTEGRITY_BYTES_MAX])
{
	unsigned written = 0;
	int done = EVP_DigestInit_ex2(integrity->digest, algorithm, NULL);

	for (size_t i = 0; i < count; i++) {
		done &= EVP_DigestUpdate(integrity->digest, ":", i > 0);
		done &= EVP_DigestUpdate(integrity->digest, words[i].at, words[i].count);
	}
	done &= EVP_DigestFinal_ex(integrity->digest, out, &written);
	assert(done == 1);
	return written;
}

struct integrity_key
integrity_long_term_key(struct integrity *integrity, enum password_algorithm algorithm,
			struct span user, struct span realm, struct span password)
{
	const struct span words[] = { user, realm, password };
	const EVP_MD *digest = algorithm == PASSWORD_MD5 ? integrity->md5 : integrity->sha256;
	struct integrity_key key = { 0 };

	key.count = (uint8_t)digest_joined(integrity, digest, words, 3, key.bytes);
	return key;
}

struct digest
integrity_userhash(struct integrity *integrity, struct span user, struct span realm)
{
	const struct span words[] = { user, realm };
	struct digest hash;

	digest_joined(integrity, integrity->sha256, words, 2, hash.bytes);
	return hash;
}

/* CRC-32 of ITU V.42, as RFC 8489 section 14.7 asks, four bits at a time. */
uint32_t
integrity_fingerprint(struct span message)
{
	static const uint32_t table[16] = {
		0x00000000, 0x1DB71064, 0x3B6E20C8, 0x26D930AC, 0x76DC4190, 0x6B6B51F4,
		0x4DB26158, 0x5005713C, 0xEDB88320, 0xF00F9344, 0xD6D6A3E8, 0xCB61B38C,
		0x9B64C2B0, 0x86D3D2D4, 0xA00AE278, 0xBDBDF21C,
	};
	uint32_t crc = 0xFFFFFFFF;

	for (size_t i = 0; i < message.count; i++) {
		crc ^= message.at[i];
		crc = crc >> 4 ^ table[crc & 15];
		crc = crc >> 4 ^ table[crc & 15];
	}
	return ~crc ^ 0x5354554E;
}

bool
integrity_equal(const uint8_t *a, const uint8_t *b, size_t count)
{
	return CRYPTO_memcmp(a, b, count) == 0;
}
