#include "actors/certificate_io.h"

#include <assert.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "protocol/address.h"
#include "protocol/log_line_io.h"
#include "protocol/mp.h"
#include "store/files_io.h"

/* --- the files --- */

struct pem {
	size_t count;
	uint8_t bytes[CERTIFICATE_FILE_MAX];
};

static bool
say(char fault[SETTING_FAULT_MAX], const char *path, const char *what)
{
	snprintf(fault, SETTING_FAULT_MAX, "%.240s: %s", path, what);
	return false;
}

static bool
read_pem(const char *path, struct pem *out, char fault[SETTING_FAULT_MAX])
{
	char what[128];

	errno = 0;
	switch (file_read(path, out->bytes, sizeof out->bytes, &out->count)) {
	case FILE_OK:
		return true;
	case FILE_MISSING:
		return say(fault, path, "no such file: check the path");
	case FILE_FULL:
	case FILE_FAILED:
		break;
	}
	snprintf(what, sizeof what, "cannot be read%s%s: check who may read it",
		 errno == 0 ? ", or is larger than 64 KiB" : ": ",
		 errno == 0 ? "" : strerror(errno));
	return say(fault, path, what);
}

/* A key that asks for a pass phrase has nobody to ask. */
static int
no_pass_phrase(char *out, int size, int writing, void *context)
{
	(void)out;
	(void)size;
	(void)writing;
	(void)context;
	return -1;
}

static X509 *
first_certificate(const struct pem *pem)
{
	BIO *bio = BIO_new_mem_buf(pem->bytes, (int)pem->count);
	X509 *made = bio == NULL ? NULL : PEM_read_bio_X509(bio, NULL, no_pass_phrase, NULL);

	BIO_free(bio);
	return made;
}

static EVP_PKEY *
private_key(const struct pem *pem)
{
	BIO *bio = BIO_new_mem_buf(pem->bytes, (int)pem->count);
	EVP_PKEY *made =
		bio == NULL ? NULL : PEM_read_bio_PrivateKey(bio, NULL, no_pass_phrase, NULL);

	BIO_free(bio);
	return made;
}

static bool
belong_together(const struct settings *settings, const struct pem *chain, const struct pem *key,
		char fault[SETTING_FAULT_MAX])
{
	X509 *certificate = first_certificate(chain);
	EVP_PKEY *secret = private_key(key);
	bool right = false;

	if (certificate == NULL) {
		say(fault, settings->cert.bytes, "holds no certificate (PEM)");
	} else if (secret == NULL) {
		say(fault, settings->pkey.bytes,
		    "holds no private key (PEM), or one with a pass phrase: remove it with "
		    "`openssl pkey`");
	} else if (X509_check_private_key(certificate, secret) != 1) {
		say(fault, settings->pkey.bytes,
		    "is not the key of the first certificate in cert: name its own, and put the "
		    "server's certificate first");
	} else {
		right = true;
	}
	ERR_clear_error();
	X509_free(certificate);
	EVP_PKEY_free(secret);
	return right;
}

size_t
certificate_read(const struct settings *settings, uint8_t out[CERTIFICATE_PACKED_MAX],
		 char fault[SETTING_FAULT_MAX])
{
	struct pem *pems = calloc(2, sizeof *pems);
	struct mp_writer w = mp_writer_of(out, CERTIFICATE_PACKED_MAX);

	assert(pems != NULL);
	if (read_pem(settings->cert.bytes, &pems[0], fault) &&
	    read_pem(settings->pkey.bytes, &pems[1], fault) &&
	    belong_together(settings, &pems[0], &pems[1], fault)) {
		mp_put_array(&w, 2);
		mp_put_bin(&w, pems[0].bytes, pems[0].count);
		mp_put_bin(&w, pems[1].bytes, pems[1].count);
		assert(!w.bad);
	}
	explicit_bzero(pems, 2 * sizeof *pems);
	free(pems);
	return mp_written(&w).count;
}

bool
certificate_parts(struct span packed, struct span *chain, struct span *key)
{
	struct mp_reader r = mp_reader_of(packed);

	r.bad |= mp_get_array(&r, 2) != 2;
	*chain = mp_get_bin(&r, CERTIFICATE_FILE_MAX);
	*key = mp_get_bin(&r, CERTIFICATE_FILE_MAX);
	return mp_reader_is_done(&r);
}

void
certificate_check(const struct settings *settings, struct setting_faults *faults)
{
	uint8_t *packed = malloc(CERTIFICATE_PACKED_MAX);
	char fault[SETTING_FAULT_MAX];
	struct stat status;

	assert(packed != NULL);
	if (!settings_use_certificate(settings) || settings->pkey.bytes[0] == '\0') {
		free(packed); /* settings_check says so */
		return;
	}
	const size_t count = certificate_read(settings, packed, fault);

	if (count == 0) {
		setting_fault_add(faults, "%s: %.400s", setting_source(faults, "cert"), fault);
	} else if (stat(settings->pkey.bytes, &status) == 0 && (status.st_mode & S_IROTH) != 0) {
		log_warning("%s is a private key and everyone may read it: chmod o-r %s",
			    settings->pkey.bytes, settings->pkey.bytes);
	}
	explicit_bzero(packed, count);
	free(packed);
}

/* --- what clients make of it --- */

static void
print_time(const ASN1_TIME *time, char out[64])
{
	struct tm tm = { 0 };

	ASN1_TIME_to_tm(time, &tm);
	snprintf(out, 64, "%04d-%02d-%02d %02d:%02d UTC", tm.tm_year + 1900, tm.tm_mon + 1,
		 tm.tm_mday, tm.tm_hour, tm.tm_min);
}

static void
doubt_time(const struct settings *settings, const X509 *certificate, struct setting_faults *faults)
{
	const ASN1_TIME *begins = X509_get0_notBefore(certificate);
	const ASN1_TIME *ends = X509_get0_notAfter(certificate);
	const char *source = setting_source(faults, "cert");
	char text[64];

	if (X509_cmp_current_time(ends) < 0) {
		print_time(ends, text);
		setting_fault_add(faults,
				  "%s: %.200s has expired on %s, clients refuse it: renew it, then "
				  "`ifswarm reload`",
				  source, settings->cert.bytes, text);
	} else if (X509_cmp_current_time(begins) > 0) {
		print_time(begins, text);
		setting_fault_add(faults,
				  "%s: %.200s is valid only from %s on, clients refuse it: is the "
				  "clock right?",
				  source, settings->cert.bytes, text);
	}
}

static bool
names_host(X509 *certificate, const char *host)
{
	struct address address;

	return address_parse(&address, host) == NULL
		       ? X509_check_ip_asc(certificate, host, 0) == 1
		       : X509_check_host(certificate, host, 0, 0, NULL) == 1;
}

/* What turns: URLs are made of without turns-host; "" for a wildcard, in whose place each client is
 * told another. */
static void
told_host(const char *text, char out[SETTING_BYTES_MAX])
{
	static const uint8_t zero[16];
	struct address address = { 0 };

	snprintf(out, SETTING_BYTES_MAX, "%.*s", (int)strcspn(text, "/"), text);
	address_parse(&address, out);
	if (memcmp(address.bytes, zero, sizeof zero) == 0) {
		out[0] = '\0';
	}
}

static void
doubt_names(const struct settings *settings, X509 *certificate, struct setting_faults *faults)
{
	const struct setting_list *told =
		settings->external_ip.count > 0 ? &settings->external_ip : &settings->listening_ip;

	if (settings->turns_host.bytes[0] != '\0') {
		if (!names_host(certificate, settings->turns_host.bytes)) {
			setting_fault_add(
				faults,
				"%s: turns-host %.100s is none of the names in %.200s, clients "
				"refuse it: take one of them",
				setting_source(faults, "turns-host"), settings->turns_host.bytes,
				settings->cert.bytes);
		}
		return;
	}
	for (size_t i = 0; i < told->count; i++) {
		char host[SETTING_BYTES_MAX];

		told_host(told->items[i].bytes, host);
		if (host[0] != '\0' && !names_host(certificate, host)) {
			setting_fault_add(
				faults,
				"%s: %.200s does not name %.64s, and clients that are told "
				"turns:%.64s refuse it: set turns-host = one of its names",
				setting_source(faults, "cert"), settings->cert.bytes, host, host);
			return;
		}
	}
}

void
certificate_doubt(const struct settings *settings, struct setting_faults *faults)
{
	struct pem *pem = calloc(1, sizeof *pem);
	char fault[SETTING_FAULT_MAX];

	assert(pem != NULL);
	X509 *certificate =
		settings_use_certificate(settings) && read_pem(settings->cert.bytes, pem, fault)
			? first_certificate(pem)
			: NULL;

	free(pem);
	if (certificate != NULL) {
		doubt_time(settings, certificate, faults);
		doubt_names(settings, certificate, faults);
		X509_free(certificate);
	}
	ERR_clear_error();
}
