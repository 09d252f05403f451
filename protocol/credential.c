#include "protocol/credential.h"

#include <string.h>

#include "protocol/settings_reload.h"

static struct span
span_of(const void *bytes, size_t count)
{
	return (struct span){ bytes, count };
}

static struct span
realm_of(const struct credentials *credentials)
{
	return span_of(credentials->realm, credentials->realm_count);
}

static struct span
name_span(const struct name *name)
{
	return span_of(name->bytes, name->length);
}

const char *
credentials_init(struct credentials *credentials, const char *realm,
		 const struct nonce_key *nonce_key, uint64_t nonce_lifetime_s)
{
	struct name name;
	const size_t count = strlen(realm);

	memset(credentials, 0, sizeof *credentials);
	if (count > CREDENTIAL_REALM_BYTES || !name_set(&name, realm, count) ||
	    !name_is_wellformed(&name) || strpbrk(realm, "\"") != NULL) {
		return "a realm is 1 to 128 bytes of UTF-8 without control characters and quotes";
	}
	memcpy(credentials->realm, realm, count);
	credentials->realm_count = count;
	credentials->nonce_key = *nonce_key;
	credentials->nonce_lifetime_s = nonce_lifetime_s;
	return NULL;
}

static const struct credential_user *
find_user(const struct credentials *credentials, const struct name *name)
{
	for (size_t i = 0; i < credentials->user_count; i++) {
		if (name_equal(&credentials->users[i].name, name)) {
			return &credentials->users[i];
		}
	}
	return NULL;
}

/* coturn takes "0x" and 32 hex digits for the MD5 key itself; from it no SHA-256 key can be made.
 */
static bool
is_hashed(const char *password)
{
	uint8_t key[16];

	return strncmp(password, "0x", 2) == 0 && strlen(password) == 34 &&
	       hex_read(key, password + 2, sizeof key);
}

const char *
credentials_add_user(struct credentials *credentials, struct integrity *integrity,
		     const char *name_and_password)
{
	const char *colon = strchr(name_and_password, ':');
	struct credential_user user = { 0 };

	if (colon == NULL || colon[1] == '\0') {
		return "a user is NAME:PASSWORD";
	}
	if (!name_set(&user.name, name_and_password, (size_t)(colon - name_and_password)) ||
	    !name_is_wellformed(&user.name)) {
		return "a user's name is 1 to 256 bytes of UTF-8 without control characters";
	}
	if (is_hashed(colon + 1)) {
		return "a user's password is given as a hash: write the password itself";
	}
	if (find_user(credentials, &user.name) != NULL) {
		return "the user is named twice";
	}
	if (credentials->user_count == CREDENTIAL_USERS_MAX) {
		return "too many users: use time-limited credentials (static-auth-secret)";
	}
	const struct span name = name_span(&user.name);
	const struct span password = span_of(colon + 1, strlen(colon + 1));
	const struct span realm = realm_of(credentials);

	user.userhash = integrity_userhash(integrity, name, realm);
	user.keys[0] = integrity_long_term_key(integrity, PASSWORD_MD5, name, realm, password);
	user.keys[1] = integrity_long_term_key(integrity, PASSWORD_SHA256, name, realm, password);
	credentials->users[credentials->user_count++] = user;
	return NULL;
}

static const char *
add_secret(struct credentials *credentials, const char *secret, uint64_t until_s)
{
	const size_t count = strlen(secret);

	if (count == 0 || count > CREDENTIAL_SECRET_BYTES) {
		return "a static-auth-secret is 1 to 512 bytes";
	}
	if (credentials->secret_count == CREDENTIAL_SECRETS_MAX) {
		return "too many static-auth-secrets: drop the oldest";
	}
	struct credential_secret *place = &credentials->secrets[credentials->secret_count++];

	place->until_s = until_s;
	place->count = count;
	memcpy(place->bytes, secret, count);
	return NULL;
}

const char *
credentials_add_secret(struct credentials *credentials, const char *secret)
{
	return add_secret(credentials, secret, 0);
}

const char *
credentials_add_retired(struct credentials *credentials, const char *until_and_secret)
{
	uint64_t until_s = 0;
	const char *secret = retired_secret_read(until_and_secret, &until_s);

	if (secret == NULL || until_s == 0) {
		return "a retired-auth-secret is UNTIL:SECRET";
	}
	return add_secret(credentials, secret, until_s);
}
