/* The names of time-limited credentials, "expiry:agent", and the passwords that belong to them.
 * Making (gateway, command line) and checking (relay) share this; others use credential.h. */
#ifndef IFSWARM_PROTOCOL_CREDENTIAL_NAME_H
#define IFSWARM_PROTOCOL_CREDENTIAL_NAME_H

#include "protocol/credential.h"

/* Fills user, is_timed and expires_s. False if it is not "expiry:agent" with exactly one separator,
 * has ended, is absurdly far away, or names no well-formed agent (C11). */
bool credential_name_read(struct credential *out, struct span username, uint64_t now_s);

/* True if that TURN user acts for the agent: it has its name, or is "expiry:agent" of whatever
 * time. */
bool credential_name_is_of(const struct name *user, const struct name *agent);

/* base64(HMAC-SHA1(secret, username)), terminated. */
void credential_name_password(char out[CREDENTIAL_PASSWORD_BYTES + 1], struct integrity *integrity,
			      struct span secret, struct span username);

#endif
