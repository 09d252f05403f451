/* Who may use the relay: the rows of THREATS C that need no socket. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "protocol/address.h"
#include "protocol/credential_name.h"
#include "protocol/turn.h"

enum { NOW = 1700000000, MEMORY = 2048 };

static const struct transaction transaction = { { 9 } };
static const struct nonce_key nonce_key = { { 5 } };
static struct integrity integrity;
static struct credentials credentials;
static struct address client;

static struct span
span_of(const char *text)
{
	return (struct span){ (const uint8_t *)text, strlen(text) };
}

static int
open_all(void **unused)
{
	(void)unused;
	integrity_open(&integrity);
	assert_null(address_parse(&client, "192.0.2.1:1000"));
	assert_null(credentials_init(&credentials, "ifswarm", &nonce_key, 600));
	assert_null(credentials_add_user(&credentials, &integrity, "bob:builder:2"));
	assert_null(credentials_add_user(&credentials, &integrity, "eve:apple"));
	assert_null(credentials_add_secret(&credentials, "new secret"));
	assert_null(credentials_add_secret(&credentials, "old secret"));
	assert_null(credentials_add_retired(&credentials, "1700000001:retiring secret"));
	assert_null(credentials_add_retired(&credentials, "1700000000:retired secret"));
	return 0;
}

static int
close_all(void **unused)
{
	(void)unused;
	integrity_close(&integrity);
	return 0;
}

/* What a client puts into an Allocate. */
struct attempt {
	const char *username; /* NULL: no USERNAME */
	const char *password;
	const char *realm; /* NULL: ifswarm */
	enum password_algorithm algorithm;
	bool sha256;   /* MESSAGE-INTEGRITY-SHA256 */
	bool userhash; /* instead of USERNAME */
	bool no_nonce;
	const char *nonce;      /* NULL: a good one */
	const char *algorithms; /* PASSWORD-ALGORITHMS, 8 bytes; NULL: none */
	const char *chosen;     /* PASSWORD-ALGORITHM, 4 bytes; NULL: none */
	bool plain_nonce;       /* one that offered no algorithms */
};

static void
put_name(struct stun_writer *w, const struct attempt *attempt, struct span realm)
{
	if (attempt->username == NULL) {
		return;
	}
	if (attempt->userhash) {
		const struct digest hash =
			integrity_userhash(&integrity, span_of(attempt->username), realm);

		stun_put(w, STUN_USERHASH, hash.bytes, sizeof hash.bytes);
	} else {
		stun_put(w, STUN_USERNAME, attempt->username, strlen(attempt->username));
	}
}

static void
put_nonce(struct stun_writer *w, const struct attempt *attempt)
{
	char nonce[NONCE_BYTES_MAX];
	const uint32_t features = attempt->plain_nonce ? 0 : NONCE_PASSWORD_ALGORITHMS;
	const size_t count = nonce_write(nonce, &integrity, &nonce_key, &client, features, NOW + 1);

	if (attempt->nonce != NULL) {
		stun_put(w, STUN_NONCE, attempt->nonce, strlen(attempt->nonce));
	} else if (!attempt->no_nonce) {
		stun_put(w, STUN_NONCE, nonce, count);
	}
}

static enum verdict
authenticate(const struct attempt *attempt, struct credential *out)
{
	uint8_t memory[MEMORY];
	const char *realm = attempt->realm == NULL ? "ifswarm" : attempt->realm;
	struct stun_writer w =
		stun_writer_of(memory, sizeof memory, TURN_ALLOCATE, STUN_REQUEST, &transaction);
	struct stun_message message;

	put_name(&w, attempt, span_of(realm));
	stun_put(&w, STUN_REALM, realm, strlen(realm));
	put_nonce(&w, attempt);
	if (attempt->algorithms != NULL) {
		stun_put(&w, STUN_PASSWORD_ALGORITHMS, attempt->algorithms, 8);
	}
	if (attempt->chosen != NULL) {
		stun_put(&w, STUN_PASSWORD_ALGORITHM, attempt->chosen, 4);
	}
	if (attempt->password != NULL) {
		const enum password_algorithm algorithm =
			attempt->algorithm == 0 ? PASSWORD_MD5 : attempt->algorithm;
		const struct integrity_key key = integrity_long_term_key(
			&integrity, algorithm,
			span_of(attempt->username == NULL ? "" : attempt->username), span_of(realm),
			span_of(attempt->password));

		stun_put_integrity(&w, &integrity,
				   attempt->sha256 ? INTEGRITY_SHA256 : INTEGRITY_SHA1, &key);
	}
	assert_true(stun_read(stun_written(&w), &message));
	return credential_authenticate(&credentials, &integrity, &message, &client, NOW, out);
}

#define LIST   "\0\2\0\0\0\1\0\0"
#define WEAK   "\0\1\0\0\0\2\0\0"
#define STRONG "\0\2\0\0"
#define PLAIN  "\0\1\0\0"
#define OTHER  "\0\3\0\0"

static void
static_users_are_checked(void **unused)
{
	static const struct {
		const char *when;
		struct attempt given;
		enum verdict then;
	} rows[] = {
		{ "the right password", { .username = "bob", .password = "builder:2" }, ACCEPTED },
		{ "another user", { .username = "eve", .password = "apple" }, ACCEPTED },
		{ "threat_C1: no integrity",
		  { .username = "bob", .password = NULL },
		  REFUSED_UNAUTHENTICATED },
		{ "threat_C5: a wrong password",
		  { .username = "bob", .password = "apple" },
		  REFUSED_UNAUTHENTICATED },
		{ "threat_C5: an unknown user",
		  { .username = "mallory", .password = "apple" },
		  REFUSED_UNAUTHENTICATED },
		{ "an empty password of nobody",
		  { .username = "mallory", .password = "" },
		  REFUSED_UNAUTHENTICATED },
		{ "no USERNAME", { .username = NULL, .password = "apple" }, REFUSED_BAD_REQUEST },
		{ "an empty USERNAME",
		  { .username = "", .password = "apple" },
		  REFUSED_BAD_REQUEST },
		{ "no NONCE",
		  { .username = "bob", .password = "builder:2", .no_nonce = true },
		  REFUSED_BAD_REQUEST },
		{ "threat_C3: an invented nonce",
		  { .username = "bob",
		    .password = "builder:2",
		    .nonce = "obMatJos2AAAB0123456789abcdef" },
		  REFUSED_STALE_NONCE },
		{ "threat_C4: forged nonce, forged integrity",
		  { .username = "x", .password = "y", .nonce = "z" },
		  REFUSED_STALE_NONCE },
		{ "threat_C6: another realm",
		  { .username = "bob", .password = "builder:2", .realm = "elsewhere" },
		  REFUSED_UNAUTHENTICATED },
		{ "threat_C7: SHA-256 as offered",
		  { .username = "bob",
		    .password = "builder:2",
		    .algorithm = PASSWORD_SHA256,
		    .sha256 = true,
		    .algorithms = LIST,
		    .chosen = STRONG },
		  ACCEPTED },
		{ "threat_C7: MD5 as offered",
		  { .username = "bob",
		    .password = "builder:2",
		    .algorithms = LIST,
		    .chosen = PLAIN },
		  ACCEPTED },
		{ "threat_C7: neither, so MD5",
		  { .username = "bob", .password = "builder:2", .sha256 = true },
		  ACCEPTED },
		{ "threat_C7: neither, but a SHA-256 key",
		  { .username = "bob",
		    .password = "builder:2",
		    .algorithm = PASSWORD_SHA256,
		    .sha256 = true },
		  REFUSED_UNAUTHENTICATED },
		{ "threat_C7: a changed list",
		  { .username = "bob",
		    .password = "builder:2",
		    .algorithms = WEAK,
		    .chosen = PLAIN },
		  REFUSED_BAD_REQUEST },
		{ "threat_C7: an algorithm not in the list",
		  { .username = "bob",
		    .password = "builder:2",
		    .algorithms = LIST,
		    .chosen = OTHER },
		  REFUSED_BAD_REQUEST },
		{ "threat_C7: the list alone",
		  { .username = "bob", .password = "builder:2", .algorithms = LIST },
		  REFUSED_BAD_REQUEST },
		{ "threat_C7: the choice alone",
		  { .username = "bob", .password = "builder:2", .chosen = PLAIN },
		  REFUSED_BAD_REQUEST },
		{ "threat_C7: nothing was offered",
		  { .username = "bob",
		    .password = "builder:2",
		    .algorithms = LIST,
		    .chosen = STRONG,
		    .plain_nonce = true },
		  REFUSED_BAD_REQUEST },
		{ "a nonce without features",
		  { .username = "bob", .password = "builder:2", .plain_nonce = true },
		  ACCEPTED },
		{ "threat_C8: a hash of the name",
		  { .username = "bob", .password = "builder:2", .userhash = true },
		  ACCEPTED },
		{ "threat_C8: a hash, wrong password",
		  { .username = "bob", .password = "apple", .userhash = true },
		  REFUSED_UNAUTHENTICATED },
		{ "threat_C8: a hash of nobody",
		  { .username = "mallory", .password = "apple", .userhash = true },
		  REFUSED_UNAUTHENTICATED },
	};

	(void)unused;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct credential credential;

		print_message("  %s\n", rows[i].when);
		assert_int_equal(authenticate(&rows[i].given, &credential), rows[i].then);
		if (rows[i].then != ACCEPTED) {
			assert_int_equal(credential.key.count, 0);
			continue;
		}
		assert_int_equal(credential.user.length, 3);
		assert_false(credential.is_timed);
		assert_true(id_is_none(&credential.trace));
		assert_int_equal(credential.hash,
				 rows[i].given.sha256 ? INTEGRITY_SHA256 : INTEGRITY_SHA1);
	}
}

/* The password that belongs to any name, well-formed or not. */
static void
password_of(char out[CREDENTIAL_PASSWORD_BYTES + 1], const char *secret, const char *username)
{
	credential_name_password(out, &integrity, span_of(secret), span_of(username));
}

static void
threat_C11_time_limited_names(void **unused)
{
	static const struct {
		const char *when;
		const char *username;
		enum verdict then;
		const char *agent;
	} rows[] = {
		{ "alive", "1700000100:alice", ACCEPTED, "alice" },
		{ "in its last second", "1700000001:alice", ACCEPTED, "alice" },
		{ "escaped separators", "1700000100:a%3Ab%25c", ACCEPTED, "a:b%c" },
		{ "another issuer's percent", "1700000100:a%20b%", ACCEPTED, "a%20b%" },
		{ "UTF-8", "1700000100:\xC3\xA4", ACCEPTED, "\xC3\xA4" },
		{ "expired now", "1700000000:alice", REFUSED_UNAUTHENTICATED, NULL },
		{ "expired", "1600000000:alice", REFUSED_UNAUTHENTICATED, NULL },
		{ "no colon", "1700000100", REFUSED_UNAUTHENTICATED, NULL },
		{ "no colon, a name", "alice", REFUSED_UNAUTHENTICATED, NULL },
		{ "a colon alone", ":", REFUSED_UNAUTHENTICATED, NULL },
		{ "no expiry", ":alice", REFUSED_UNAUTHENTICATED, NULL },
		{ "no agent", "1700000100:", REFUSED_UNAUTHENTICATED, NULL },
		{ "negative", "-1700000100:alice", REFUSED_UNAUTHENTICATED, NULL },
		{ "a plus", "+1700000100:alice", REFUSED_UNAUTHENTICATED, NULL },
		{ "20 digits", "18446744073709551617:alice", REFUSED_UNAUTHENTICATED, NULL },
		{ "a leading zero", "01700000100:alice", REFUSED_UNAUTHENTICATED, NULL },
		{ "zero", "0:alice", REFUSED_UNAUTHENTICATED, NULL },
		{ "hexadecimal", "0x65f00000:alice", REFUSED_UNAUTHENTICATED, NULL },
		{ "a blank", " 1700000100:alice", REFUSED_UNAUTHENTICATED, NULL },
		{ "in ten years", "2015360000:alice", REFUSED_UNAUTHENTICATED, NULL },
		{ "many separators", "1700000100::::alice", REFUSED_UNAUTHENTICATED, NULL },
		{ "a separator in the id", "1700000100:al:ice", REFUSED_UNAUTHENTICATED, NULL },
		{ "the parts swapped", "alice:1700000100", REFUSED_UNAUTHENTICATED, NULL },
		{ "threat_A12: a line break in the id", "1700000100:al\r\nice",
		  REFUSED_UNAUTHENTICATED, NULL },
		{ "threat_A12: an escape in the id", "1700000100:\x1B[2J", REFUSED_UNAUTHENTICATED,
		  NULL },
		{ "threat_A12: invalid UTF-8", "1700000100:\xFF\xFE", REFUSED_UNAUTHENTICATED,
		  NULL },
		{ "threat_A12: overlong UTF-8", "1700000100:\xC0\xAF", REFUSED_UNAUTHENTICATED,
		  NULL },
		{ "threat_A12: format characters are just bytes", "1700000100:%n%s", ACCEPTED,
		  "%n%s" },
	};

	(void)unused;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char password[CREDENTIAL_PASSWORD_BYTES + 1];
		struct credential credential;

		print_message("  %s\n", rows[i].when);
		password_of(password, "new secret", rows[i].username);
		const struct attempt attempt = { .username = rows[i].username,
						 .password = password };
		assert_int_equal(authenticate(&attempt, &credential), rows[i].then);
		if (rows[i].then == ACCEPTED) {
			assert_int_equal(credential.user.length, strlen(rows[i].agent));
			assert_memory_equal(credential.user.bytes, rows[i].agent,
					    credential.user.length);
			assert_true(credential.is_timed);
		}
	}
}

/* The linker hands us the calls that could tell by their time (CMakeLists.txt): what was summed,
 * and what was compared. */
static struct {
	size_t sums, summed_bytes, comparisons, compared_bytes;
} work;

void __real_integrity_hmac(struct integrity *integrity_, enum integrity_hash hash, struct span key,
			   const struct span *parts, size_t count, uint8_t *out);
bool __real_integrity_equal(const uint8_t *a, const uint8_t *b, size_t count);

void
__wrap_integrity_hmac(struct integrity *integrity_, enum integrity_hash hash, struct span key,
		      const struct span *parts, size_t count, uint8_t *out)
{
	work.sums++;
	for (size_t i = 0; i < count; i++) {
		work.summed_bytes += parts[i].count;
	}
	__real_integrity_hmac(integrity_, hash, key, parts, count, out);
}

bool
__wrap_integrity_equal(const uint8_t *a, const uint8_t *b, size_t count)
{
	work.comparisons++;
	work.compared_bytes += count;
	return __real_integrity_equal(a, b, count);
}

/* Every comparison is CRYPTO_memcmp over all bytes, so who is refused learns nothing from how long
 * it took if the same is summed and compared whoever it says it is. */
static void
threat_C15_a_refusal_does_the_same_work_whoever_asks(void **unused)
{
	static const struct {
		const char *when;
		struct attempt given;
	} rows[] = {
		{ "nobody", { .username = "1700000100:nobody", .password = "x" } },
		{ "a user of the configuration",
		  { .username = "bob-has-long-name", .password = "x" } },
		{ "a timed user", { .username = "1700000100:alices", .password = "x" } },
		{ "a timed user of the past",
		  { .username = "1600000000:alices", .password = "x" } },
		{ "no timed user", { .username = "17000001000000000", .password = "x" } },
	};

	(void)unused;
	assert_null(credentials_add_user(&credentials, &integrity, "bob-has-long-name:pear"));
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct credential credential;
		static size_t sums, summed_bytes, comparisons, compared_bytes;

		print_message("  %s\n", rows[i].when);
		assert_int_equal(strlen(rows[i].given.username), strlen(rows[0].given.username));
		memset(&work, 0, sizeof work);
		assert_int_equal(authenticate(&rows[i].given, &credential),
				 REFUSED_UNAUTHENTICATED);
		if (i == 0) {
			sums = work.sums;
			summed_bytes = work.summed_bytes;
			comparisons = work.comparisons;
			compared_bytes = work.compared_bytes;
			assert_true(sums > 0);
			assert_true(comparisons > 0);
		}
		assert_int_equal(work.sums, sums);
		assert_int_equal(work.summed_bytes, summed_bytes);
		assert_int_equal(work.comparisons, comparisons);
		assert_int_equal(work.compared_bytes, compared_bytes);
	}
}

static void
threat_C13_every_secret_is_good_until_it_is_dropped(void **unused)
{
	static const struct {
		const char *secret;
		enum verdict then;
	} rows[] = {
		{ "new secret", ACCEPTED },
		{ "old secret", ACCEPTED },
		{ "retiring secret", ACCEPTED }, /* for one more second */
		{ "retired secret", REFUSED_UNAUTHENTICATED },
		{ "dropped secret", REFUSED_UNAUTHENTICATED },
	};
	static const char username[] = "1700000100:alice";

	(void)unused;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char password[CREDENTIAL_PASSWORD_BYTES + 1];
		struct credential credential;
		const struct attempt attempt = { .username = username,
						 .password = password,
						 .sha256 = true,
						 .algorithm = PASSWORD_SHA256,
						 .algorithms = LIST,
						 .chosen = STRONG };

		password_of(password, rows[i].secret, username);
		assert_int_equal(authenticate(&attempt, &credential), rows[i].then);
		if (rows[i].then == ACCEPTED) {
			const struct id trace = credential_trace(
				&integrity, span_of(rows[i].secret), span_of(username));

			assert_true(id_equal(&credential.trace, &trace));
			assert_int_equal(credential.expires_s, 1700000100);
			assert_int_equal(credential.key.count, 32);
		}
	}
}

static void
a_credential_that_is_made_is_accepted(void **unused)
{
	static const struct {
		const char *when;
		const char *agent;
		uint64_t expires_s;
		const char *username; /* NULL: refused */
	} rows[] = {
		{ "a plain name", "alice", 1700000100, "1700000100:alice" },
		{ "separators", "a:b%c", 1700000100, "1700000100:a%3Ab%25c" },
		{ "what looks escaped", "%3A", 1700000100, "1700000100:%253A" },
		{ "a name with blanks", "a b", 1700000100, "1700000100:a b" },
		{ "no name", "", 1700000100, NULL },
		{ "a control character", "a\nb", 1700000100, NULL },
		{ "no end", "alice", 0, NULL },
		{ "an end of 11 digits", "alice", 10000000000, NULL },
	};

	(void)unused;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct credential_pair pair;
		struct credential credential;
		struct name agent;

		print_message("  %s\n", rows[i].when);
		assert_true(name_set(&agent, rows[i].agent, strlen(rows[i].agent)));
		const bool made =
			credential_make(&pair, &integrity, "new secret", &agent, rows[i].expires_s);
		assert_int_equal(made, rows[i].username != NULL);
		if (made) {
			const struct attempt attempt = { .username = pair.username,
							 .password = pair.password };

			assert_string_equal(pair.username, rows[i].username);
			assert_int_equal(authenticate(&attempt, &credential), ACCEPTED);
			assert_true(name_equal(&credential.user, &agent));
		} else {
			assert_string_equal(pair.username, "");
		}
	}
}

static void
a_name_too_long_once_encoded_is_refused(void **unused)
{
	struct credential_pair pair;
	struct credential credential;
	struct name agent = { .length = NAME_BYTES_MAX };

	(void)unused;
	memset(agent.bytes, ':', NAME_BYTES_MAX);
	assert_false(credential_make(&pair, &integrity, "new secret", &agent, 1700000100));
	/* 11 bytes of expiry and 3 for each separator. */
	agent.length = (CREDENTIAL_USERNAME_BYTES - 11) / 3;
	assert_true(credential_make(&pair, &integrity, "new secret", &agent, 1700000100));
	const struct attempt attempt = { .username = pair.username, .password = pair.password };
	assert_int_equal(authenticate(&attempt, &credential), ACCEPTED);
	agent.length++;
	assert_false(credential_make(&pair, &integrity, "new secret", &agent, 1700000100));
	/* The longest name of one-byte characters fits as it is. */
	agent.length = NAME_BYTES_MAX;
	memset(agent.bytes, 'a', NAME_BYTES_MAX);
	assert_true(credential_make(&pair, &integrity, "new secret", &agent, 1700000100));
	assert_int_equal(strlen(pair.username), 11 + NAME_BYTES_MAX);
}

/* Both values were computed by coturn's rule with openssl on a command line. */
static void
passwords_and_traces_do_not_change(void **unused)
{
	struct credential_pair pair;
	struct name agent;
	char trace[33];

	(void)unused;
	assert_true(name_set(&agent, "alice", 5));
	assert_true(credential_make(&pair, &integrity, "north", &agent, 1700000000));
	assert_string_equal(pair.username, "1700000000:alice");
	assert_string_equal(pair.password, "Cd/49soE35ICqcJF/bCTn8Z4OyE=");
	const struct id id =
		credential_trace(&integrity, span_of("north"), span_of("1700000000:alice"));
	hex_write(trace, id.bytes, sizeof id.bytes);
	assert_string_equal(trace, "b77897e58fdbac230f5ee89f01e3190d");
}

static size_t
challenge_size(size_t request_bytes, bool *offers)
{
	uint8_t memory[MEMORY];
	uint8_t request_memory[MEMORY];
	struct stun_message request, reply;
	struct stun_writer ask = stun_writer_of(request_memory, sizeof request_memory,
						TURN_ALLOCATE, STUN_REQUEST, &transaction);

	if (request_bytes > STUN_HEADER_BYTES) {
		stun_put(&ask, STUN_SOFTWARE, memory, 0);
		ask.at[-2] = (uint8_t)((request_bytes - 24) >> 8);
		ask.at[-1] = (uint8_t)(request_bytes - 24);
		memset(ask.at, 0, request_bytes - 24);
		ask.at += request_bytes - 24;
		ask.start[3] = (uint8_t)(request_bytes - STUN_HEADER_BYTES);
	}
	assert_true(stun_read(stun_written(&ask), &request));
	struct stun_writer w = stun_reply_to(&request, STUN_ERROR, memory, sizeof memory);
	stun_put_error(&w, 401, "");
	credential_challenge(&credentials, &integrity, &request, &client, NOW, &w);
	assert_true(stun_read(stun_written(&w), &reply));
	assert_int_equal(reply.values[STUN_REALM].count, credentials.realm_count);
	*offers = stun_has(&reply, STUN_PASSWORD_ALGORITHMS);
	return stun_written(&w).count;
}

static void
threat_E1_a_challenge_amplifies_little(void **unused)
{
	bool offers = false;

	(void)unused;
	/* A bare Allocate: 60 bytes, 3.0 to 1. */
	assert_int_equal(challenge_size(20, &offers), 60);
	assert_false(offers);
	/* With REQUESTED-TRANSPORT, as real clients send it: 88 bytes, 3.1 to 1. */
	assert_int_equal(challenge_size(28, &offers), 88);
	assert_true(offers);
}

static void
threat_C5_both_refusals_have_the_same_bytes(void **unused)
{
	const struct attempt rows[] = { { .username = "bob", .password = "wrong" },
					{ .username = "mallory", .password = "wrong" },
					{ .username = "1700000100:bob", .password = "wrong" } };
	struct credential credential, first;

	(void)unused;
	assert_int_equal(authenticate(&rows[0], &first), REFUSED_UNAUTHENTICATED);
	for (size_t i = 1; i < 3; i++) {
		assert_int_equal(authenticate(&rows[i], &credential), REFUSED_UNAUTHENTICATED);
		assert_memory_equal(&credential, &first, sizeof first);
	}
}

static void
configurations_are_taken_or_refused(void **unused)
{
	static const struct {
		const char *when;
		const char *user;
		bool then;
	} rows[] = {
		{ "a user", "ann:secret", true },
		{ "the same again", "bob:other", false },
		{ "no password", "ann", false },
		{ "an empty password", "ann:", false },
		{ "no name", ":secret", false },
		{ "a control character", "a\tn:secret", false },
		{ "coturn's hashed key", "ann:0xbc807ee29df3c9ffa736523fb2c4e8ee", false },
	};
	static struct credentials other;
	char name[300];

	(void)unused;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		assert_null(credentials_init(&other, "ifswarm", &nonce_key, 600));
		assert_null(credentials_add_user(&other, &integrity, "bob:builder"));
		print_message("  %s\n", rows[i].when);
		assert_int_equal(credentials_add_user(&other, &integrity, rows[i].user) == NULL,
				 rows[i].then);
	}
	assert_non_null(credentials_init(&other, "", &nonce_key, 600));
	assert_non_null(credentials_init(&other, "a\"b", &nonce_key, 600));
	assert_null(credentials_init(&other, "ifswarm", &nonce_key, 600));
	assert_non_null(credentials_add_secret(&other, ""));
	for (int i = 0; i < CREDENTIAL_SECRETS_MAX; i++) {
		assert_null(credentials_add_secret(&other, "secret"));
	}
	assert_non_null(credentials_add_secret(&other, "secret"));
	for (int i = 0; i < CREDENTIAL_USERS_MAX; i++) {
		snprintf(name, sizeof name, "user%d:secret", i);
		assert_null(credentials_add_user(&other, &integrity, name));
	}
	assert_non_null(credentials_add_user(&other, &integrity, "ann:secret"));
}

static void
threat_C17_open_only_when_asked_for(void **unused)
{
	static struct credentials other;
	uint8_t memory[64];
	struct stun_writer w =
		stun_writer_of(memory, sizeof memory, TURN_ALLOCATE, STUN_REQUEST, &transaction);
	struct stun_message message;
	struct credential credential;

	(void)unused;
	assert_null(credentials_init(&other, "ifswarm", &nonce_key, 600));
	assert_true(stun_read(stun_written(&w), &message));
	assert_int_equal(
		credential_authenticate(&other, &integrity, &message, &client, NOW, &credential),
		REFUSED_UNAUTHENTICATED);
	other.open = true;
	assert_int_equal(
		credential_authenticate(&other, &integrity, &message, &client, NOW, &credential),
		ACCEPTED);
	assert_int_equal(credential.key.count, 0);
}

static void
a_user_acts_for_an_agent(void **unused)
{
	static const struct {
		const char *when;
		const char *user;
		const char *agent;
		bool is_of;
	} rows[] = {
		{ "itself", "ann", "ann", true },
		{ "a credential of whatever time", "1:ann", "ann", true },
		{ "a name with a separator is escaped", "1800000000:a%3Ab", "a:b", true },
		{ "a name that begins like a credential", "1:ann", "1:ann", true },
		{ "another one", "bob", "ann", false },
		{ "another one's credential", "1800000000:joann", "ann", false },
		{ "only the end is the same", "joann", "ann", false },
		{ "no time", ":ann", "ann", false },
		{ "words for a time", "soon:ann", "ann", false },
		{ "nobody", "1800000000:", "ann", false },
		{ "no user", "", "ann", false },
	};

	(void)unused;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct name user, agent;

		print_message("  %s\n", rows[i].when);
		name_set(&user, rows[i].user, strlen(rows[i].user));
		name_set(&agent, rows[i].agent, strlen(rows[i].agent));
		assert_int_equal(credential_name_is_of(&user, &agent), rows[i].is_of);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_user_acts_for_an_agent),
		cmocka_unit_test(static_users_are_checked),
		cmocka_unit_test(threat_C11_time_limited_names),
		cmocka_unit_test(threat_C15_a_refusal_does_the_same_work_whoever_asks),
		cmocka_unit_test(threat_C13_every_secret_is_good_until_it_is_dropped),
		cmocka_unit_test(a_credential_that_is_made_is_accepted),
		cmocka_unit_test(a_name_too_long_once_encoded_is_refused),
		cmocka_unit_test(passwords_and_traces_do_not_change),
		cmocka_unit_test(threat_E1_a_challenge_amplifies_little),
		cmocka_unit_test(threat_C5_both_refusals_have_the_same_bytes),
		cmocka_unit_test(configurations_are_taken_or_refused),
		cmocka_unit_test(threat_C17_open_only_when_asked_for),
	};

	return cmocka_run_group_tests(tests, open_all, close_all);
}
