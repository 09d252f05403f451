/* A server of TLS or DTLS with a certificate of its own. */
#ifndef IFSWARM_TESTS_TLS_SERVER_H
#define IFSWARM_TESTS_TLS_SERVER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "actors/certificate_io.h"
#include "actors/tls_io.h"
#include "protocol/mp.h"

enum { PEM_BYTES = 4096 };

static size_t
written(BIO *bio, uint8_t out[PEM_BYTES])
{
	const int count = BIO_read(bio, out, PEM_BYTES);

	BIO_free(bio);
	assert_true(count > 0);
	return (size_t)count;
}

static X509 *
sign_itself(EVP_PKEY *key, const char *name)
{
	X509 *made = X509_new();

	X509_set_version(made, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(made), 1);
	X509_gmtime_adj(X509_getm_notBefore(made), -60);
	X509_gmtime_adj(X509_getm_notAfter(made), 3600);
	X509_set_pubkey(made, key);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(made), "CN", MBSTRING_ASC,
				   (const unsigned char *)name, -1, -1, 0);
	X509_set_issuer_name(made, X509_get_subject_name(made));
	assert_true(X509_sign(made, key, EVP_sha256()) > 0);
	return made;
}

/* A server with a fresh certificate of that name. */
static struct tls_server *
server_of(enum tls_kind kind, const char *name)
{
	uint8_t chain[PEM_BYTES];
	uint8_t secret[PEM_BYTES];
	uint8_t packed[2 * PEM_BYTES + 16];
	char fault[TLS_FAULT_MAX];
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *certificate = sign_itself(key, name);
	BIO *bio = BIO_new(BIO_s_mem());
	struct mp_writer w = mp_writer_of(packed, sizeof packed);

	assert_int_equal(PEM_write_bio_X509(bio, certificate), 1);
	const size_t chain_count = written(bio, chain);
	bio = BIO_new(BIO_s_mem());
	assert_int_equal(PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL), 1);
	const size_t secret_count = written(bio, secret);
	mp_put_array(&w, 2);
	mp_put_bin(&w, chain, chain_count);
	mp_put_bin(&w, secret, secret_count);
	struct tls_server *server = tls_server_open(kind, mp_written(&w), fault);
	assert_non_null(server);
	X509_free(certificate);
	EVP_PKEY_free(key);
	return server;
}

#endif
