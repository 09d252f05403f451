#include "protocol/credential.h"

#include <string.h>

#include "protocol/credential_name.h"

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

/* What is offered, in the order of preference (RFC 8489 section 14.11): number, no parameters. */
static const uint8_t offered[8] = { 0, PASSWORD_SHA256, 0, 0, 0, PASSWORD_MD5, 0, 0 };

static bool
is_equal(struct span a, const void *bytes, size_t count)
{
	return a.count == count && memcmp(a.at, bytes, count) == 0;
}

/* RFC 8489 section 9.2.4: what we offered must come back unchanged, or somebody in between wants a
 * weaker algorithm (C7). False: 400. */
static bool
choose_algorithm(const struct stun_message *request, uint32_t features,
		 enum password_algorithm *out)
{
	const bool list = stun_has(request, STUN_PASSWORD_ALGORITHMS);
	const bool one = stun_has(request, STUN_PASSWORD_ALGORITHM);

	*out = PASSWORD_MD5;
	if (!list && !one) {
		return true;
	}
	if (!list || !one || (features & NONCE_PASSWORD_ALGORITHMS) == 0 ||
	    !is_equal(request->values[STUN_PASSWORD_ALGORITHMS], offered, sizeof offered)) {
		return false;
	}
	const struct span chosen = request->values[STUN_PASSWORD_ALGORITHM];

	*out = is_equal(chosen, offered, 4) ? PASSWORD_SHA256 : PASSWORD_MD5;
	return is_equal(chosen, offered, 4) || is_equal(chosen, offered + 4, 4);
}

/* What a request with integrity must have besides, and well-formed. */
static bool
is_complete(const struct stun_message *request)
{
	const uint64_t needed = stun_set(STUN_REALM) | stun_set(STUN_NONCE);
	const uint64_t names = stun_set(STUN_USERNAME) | stun_set(STUN_USERHASH);
	const uint64_t sums =
		stun_set(STUN_MESSAGE_INTEGRITY) | stun_set(STUN_MESSAGE_INTEGRITY_SHA256);
	const uint64_t words =
		stun_set(STUN_PASSWORD_ALGORITHM) | stun_set(STUN_PASSWORD_ALGORITHMS);

	return (request->present & needed) == needed && (request->present & names) != 0 &&
	       (request->malformed & (needed | names | sums | words)) == 0;
}

static const struct credential_user *
find_sender(const struct credentials *credentials, const struct stun_message *request)
{
	const struct span username = request->values[STUN_USERNAME];
	const struct span hash = request->values[STUN_USERHASH];
	const struct credential_user *found = NULL;

	for (size_t i = 0; i < credentials->user_count; i++) {
		const struct credential_user *user = &credentials->users[i];
		const bool same =
			stun_has(request, STUN_USERNAME)
				? is_equal(username, user->name.bytes, user->name.length)
				: is_equal(hash, user->userhash.bytes, sizeof user->userhash.bytes);

		found = same ? user : found;
	}
	return found;
}

/* An unknown name is checked against a decoy, so that it takes as long (C5). */
static bool
is_static_user(const struct credentials *credentials, struct integrity *integrity,
	       const struct stun_message *request, enum password_algorithm algorithm,
	       struct credential *out)
{
	static const struct integrity_key decoys[2] = { { .count = 16 }, { .count = 32 } };
	const struct credential_user *user = find_sender(credentials, request);
	const size_t place = algorithm == PASSWORD_MD5 ? 0 : 1;
	const struct integrity_key *key = user == NULL ? &decoys[place] : &user->keys[place];

	if (!stun_integrity_holds(request, integrity, key) || user == NULL) {
		return false;
	}
	*out = (struct credential){ .user = user->name, .key = *key };
	return true;
}

static bool
is_accepted(const struct credential_secret *secret, uint64_t now_s)
{
	return secret->until_s == 0 || now_s < secret->until_s;
}

/* Every secret is tried, whatever the name is and even if it has ended: the time tells nothing. */
static bool
is_timed_user(const struct credentials *credentials, struct integrity *integrity,
	      const struct stun_message *request, enum password_algorithm algorithm, uint64_t now_s,
	      struct credential *out)
{
	const struct span username = request->values[STUN_USERNAME];
	struct credential timed = { 0 };
	const bool is_live = credential_name_read(&timed, username, now_s);
	bool found = false;

	for (size_t i = 0; i < credentials->secret_count; i++) {
		const struct credential_secret *place = &credentials->secrets[i];
		const struct span secret = span_of(place->bytes, place->count);
		char password[CREDENTIAL_PASSWORD_BYTES + 1];

		credential_name_password(password, integrity, secret, username);
		timed.key = integrity_long_term_key(integrity, algorithm, username,
						    realm_of(credentials),
						    span_of(password, CREDENTIAL_PASSWORD_BYTES));
		if (stun_integrity_holds(request, integrity, &timed.key) && is_live && !found &&
		    is_accepted(place, now_s)) {
			*out = timed;
			out->trace = credential_trace(integrity, secret, username);
			found = true;
		}
	}
	return found;
}

enum verdict
credential_authenticate(const struct credentials *credentials, struct integrity *integrity,
			const struct stun_message *request, const struct address *client,
			uint64_t now_s, struct credential *out)
{
	enum password_algorithm algorithm;
	uint32_t features = 0;

	memset(out, 0, sizeof *out);
	if (credentials->open) {
		return ACCEPTED;
	}
	if (!stun_has(request, STUN_MESSAGE_INTEGRITY) &&
	    !stun_has(request, STUN_MESSAGE_INTEGRITY_SHA256)) {
		return REFUSED_UNAUTHENTICATED;
	}
	if (!is_complete(request)) {
		return REFUSED_BAD_REQUEST;
	}
	/* Before the key: an invented nonce costs one HMAC, not one for every secret. */
	if (!nonce_is_fresh(request->values[STUN_NONCE], integrity, &credentials->nonce_key, client,
			    now_s, &features)) {
		return REFUSED_STALE_NONCE;
	}
	if (!choose_algorithm(request, features, &algorithm)) {
		return REFUSED_BAD_REQUEST;
	}
	const bool is_static = is_static_user(credentials, integrity, request, algorithm, out);
	const bool is_timed = is_timed_user(credentials, integrity, request, algorithm, now_s, out);
	const bool is_ours =
		is_equal(request->values[STUN_REALM], credentials->realm, credentials->realm_count);

	if ((!is_static && !is_timed) || !is_ours) {
		memset(out, 0, sizeof *out);
		return REFUSED_UNAUTHENTICATED;
	}
	out->hash = stun_integrity_hash(request);
	return ACCEPTED;
}

/* E1: a reply to a stranger stays below 3.5 times the request. */
static uint32_t
features_for(const struct credentials *credentials, size_t request_bytes)
{
	const size_t long_form = STUN_HEADER_BYTES + 8 + 4 +
				 (credentials->realm_count + 3) / 4 * 4 + 4 +
				 (NONCE_BYTES_MAX + 3) / 4 * 4 + 4 + sizeof offered;
	const bool hashes = credentials->user_count > 0 && credentials->secret_count == 0;

	if (long_form * 10 > request_bytes * 35) {
		return 0;
	}
	/* Behind a hash of a time-limited name we could not find the name. */
	return NONCE_PASSWORD_ALGORITHMS | (hashes ? NONCE_USERNAME_ANONYMITY : 0u);
}

void
credential_challenge(const struct credentials *credentials, struct integrity *integrity,
		     const struct stun_message *request, const struct address *client,
		     uint64_t now_s, struct stun_writer *w)
{
	const uint32_t features = features_for(credentials, request->bytes.count);
	char nonce[NONCE_BYTES_MAX];
	const size_t count = nonce_write(nonce, integrity, &credentials->nonce_key, client,
					 features, now_s + credentials->nonce_lifetime_s);

	stun_put(w, STUN_REALM, credentials->realm, credentials->realm_count);
	stun_put(w, STUN_NONCE, nonce, count);
	if ((features & NONCE_PASSWORD_ALGORITHMS) != 0) {
		stun_put(w, STUN_PASSWORD_ALGORITHMS, offered, sizeof offered);
	}
}
