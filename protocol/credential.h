/* Who may use the relay: long-term credentials (RFC 8489 section 9.2), static or time-limited.
 *
 * A static user is NAME:PASSWORD in the configuration. A time-limited one exists only as a name
 * "expiry:agent" whose password is base64(HMAC-SHA1(secret, name)), as coturn has it: the gateway
 * makes them, the relay checks them, and nothing is stored. Several secrets may be valid at once,
 * so that they can be rolled over (C13). In the agent's part ':' and '%' are written %3A and %25.
 *
 * Whoever asks with an unknown name is given a decoy key, so that the refusal takes the same time
 * and has the same bytes as one for a wrong password (C5).
 */
#ifndef IFSWARM_PROTOCOL_CREDENTIAL_H
#define IFSWARM_PROTOCOL_CREDENTIAL_H

#include "protocol/nonce.h"
#include "protocol/stun.h"
#include "protocol/verdict.h"

enum {
	CREDENTIAL_SECRET_BYTES = 512,
	CREDENTIAL_PASSWORD_BYTES = 28, /* base64 of an HMAC-SHA1 */
	CREDENTIAL_REALM_BYTES = 128,
};

struct credential_user {
	struct name name;
	struct digest userhash;
	struct integrity_key keys[2]; /* MD5, SHA-256 */
};

struct credential_secret {
	uint64_t until_s; /* retired: no longer accepted from then on; 0: for ever */
	size_t count;
	uint8_t bytes[CREDENTIAL_SECRET_BYTES];
};

/* All that authentication needs, filled at start and then only read. */
struct credentials {
	bool open; /* no-auth: set by the caller; credential_authenticate accepts everybody (C17) */
	size_t realm_count;
	char realm[CREDENTIAL_REALM_BYTES];
	uint64_t nonce_lifetime_s;
	struct nonce_key nonce_key;
	size_t user_count;
	struct credential_user users[CREDENTIAL_USERS_MAX];
	size_t secret_count;
	struct credential_secret secrets[CREDENTIAL_SECRETS_MAX];
};

/* NULL, or what is wrong with the realm. */
const char *credentials_init(struct credentials *credentials, const char *realm,
			     const struct nonce_key *nonce_key, uint64_t nonce_lifetime_s);
/* "NAME:PASSWORD". NULL, or what is wrong (without the password in it). */
const char *credentials_add_user(struct credentials *credentials, struct integrity *integrity,
				 const char *name_and_password);
/* The first one is the newest, with which new credentials are made. */
const char *credentials_add_secret(struct credentials *credentials, const char *secret);
/* "UNTIL:SECRET", a former one. NULL, or what is wrong. */
const char *credentials_add_retired(struct credentials *credentials, const char *until_and_secret);

/* Whom a request comes from, once that is proved. */
struct credential {
	struct name user;         /* the static user's or the agent's name */
	bool is_timed;            /* made from a secret: user is an agent's name */
	uint64_t expires_s;       /* 0 for a static user */
	struct id trace;          /* credential_trace; none for a static user */
	enum integrity_hash hash; /* with which, and with what key, the reply is signed */
	struct integrity_key key;
};

/* The checks of RFC 8489 section 9.2.4 in their order, for a request that stun_read gave:
 *   REFUSED_UNAUTHENTICATED  no integrity, unknown user, expired, or wrong password: 401 with a
 * challenge REFUSED_BAD_REQUEST      an attribute is missing or malformed, or a bid-down: 400
 *   REFUSED_STALE_NONCE      438 with a challenge
 * `out` is filled when ACCEPTED; its user is empty (no key: do not sign) when `open`. */
enum verdict credential_authenticate(const struct credentials *credentials,
				     struct integrity *integrity,
				     const struct stun_message *request,
				     const struct address *client, uint64_t now_s,
				     struct credential *out);

/* Adds REALM, NONCE and PASSWORD-ALGORITHMS to a 401 or 438. A request too short to pay for the
 * long form (E1) gets one without PASSWORD-ALGORITHMS. */
void credential_challenge(const struct credentials *credentials, struct integrity *integrity,
			  const struct stun_message *request, const struct address *client,
			  uint64_t now_s, struct stun_writer *w);

/* A time-limited credential as handed out: both terminated. */
struct credential_pair {
	char username[CREDENTIAL_USERNAME_BYTES + 1];
	char password[CREDENTIAL_PASSWORD_BYTES + 1];
};

/* For an agent, valid until `expires_s`. False if the name is not well-formed or too long once
 * encoded. */
bool credential_make(struct credential_pair *out, struct integrity *integrity, const char *secret,
		     const struct name *agent, uint64_t expires_s);

/* Joins what the gateway logs at register with what the relay logs at Allocate: the first 16 bytes
 * of HMAC-SHA256(secret, "ifswarm/trace/v1" || 0x00 || username). */
struct id credential_trace(struct integrity *integrity, struct span secret, struct span username);

#endif
