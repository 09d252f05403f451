#include "store/checkpoint.h"

#include <assert.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "protocol/mp.h"
#include "store/sha256.h"

enum { KEY_ID_BYTES = 4 };

static const char dash[] = "\xE2\x80\x94 "; /* an em dash and a space begin every signature line */

bool
origin_is_wellformed(const char *origin)
{
	const size_t count = strlen(origin);

	for (size_t i = 0; i < count; i++) {
		if (origin[i] <= ' ' || origin[i] > '~' || origin[i] == '+') {
			return false;
		}
	}
	return count >= 1 && count <= ORIGIN_BYTES_MAX;
}

/* --- keys --------------------------------------------------------------------------------------
 */

static void
make_key_id(struct log_verifier *verifier)
{
	const uint8_t separator[] = { 0x0A, (uint8_t)verifier->type };
	const struct span spans[] = { { (const uint8_t *)verifier->name, strlen(verifier->name) },
				      { separator, sizeof separator },
				      { verifier->public_key, sizeof verifier->public_key } };
	struct digest digest;

	sha256_spans(spans, 3, &digest);
	memcpy(verifier->key_id, digest.bytes, KEY_ID_BYTES);
}

void
vkey_signer_make(struct log_signer *out, const char *name, enum vkey_type type,
		 const uint8_t seed[32])
{
	size_t count = sizeof out->verifier.public_key;
	EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, 32);

	assert(key != NULL);
	assert(origin_is_wellformed(name));
	memset(out, 0, sizeof *out);
	memcpy(out->seed, seed, sizeof out->seed);
	memcpy(out->verifier.name, name, strlen(name));
	out->verifier.type = type;
	EVP_PKEY_get_raw_public_key(key, out->verifier.public_key, &count);
	assert(count == sizeof out->verifier.public_key);
	EVP_PKEY_free(key);
	make_key_id(&out->verifier);
}

void
log_signer_make(struct log_signer *out, const char *origin, const uint8_t seed[32])
{
	vkey_signer_make(out, origin, VKEY_LOG, seed);
}

void
log_verifier_write(char out[CHECKPOINT_VKEY_MAX], const struct log_verifier *verifier)
{
	uint8_t typed[33] = { (uint8_t)verifier->type };
	char hex[2 * KEY_ID_BYTES + 1];
	char base64[64];

	memcpy(typed + 1, verifier->public_key, sizeof verifier->public_key);
	hex_write(hex, verifier->key_id, KEY_ID_BYTES);
	base64_write(base64, typed, sizeof typed);
	snprintf(out, CHECKPOINT_VKEY_MAX, "%s+%s+%s", verifier->name, hex, base64);
}

bool
vkey_read(const char *text, enum vkey_type type, struct log_verifier *out)
{
	struct log_verifier read = { .type = type };
	uint8_t typed[33];
	char again[CHECKPOINT_VKEY_MAX];
	const size_t name = strcspn(text, "+");
	const size_t whole = strcspn(text, "\n");

	if (name == 0 || name > ORIGIN_BYTES_MAX || whole < name + 10 ||
	    (text[whole] == '\n' && text[whole + 1] != '\0')) {
		return false;
	}
	memcpy(read.name, text, name);
	if (base64_read(typed, sizeof typed, text + name + 10, whole - name - 10) != sizeof typed ||
	    typed[0] != type || !origin_is_wellformed(read.name)) {
		return false;
	}
	memcpy(read.public_key, typed + 1, sizeof read.public_key);
	make_key_id(&read);
	/* What we would write must be what we read: separators, key id and all. */
	log_verifier_write(again, &read);
	if (strlen(again) != whole || memcmp(again, text, whole) != 0) {
		return false;
	}
	*out = read;
	return true;
}

bool
log_verifier_read(const char *text, struct log_verifier *out)
{
	return vkey_read(text, VKEY_LOG, out);
}

/* --- writing -----------------------------------------------------------------------------------
 */

size_t
checkpoint_text(const struct checkpoint *checkpoint, char out[CHECKPOINT_BYTES_MAX])
{
	char root[64];

	base64_write(root, checkpoint->root.bytes, sizeof checkpoint->root.bytes);
	return (size_t)snprintf(out, CHECKPOINT_BYTES_MAX, "%s\n%" PRIu64 "\n%s\n",
				checkpoint->origin, checkpoint->size, root);
}

void
log_signature(const struct log_signer *signer, struct span bytes, uint8_t out[SIGNATURE_BYTES])
{
	EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, signer->seed, 32);
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	size_t length = SIGNATURE_BYTES;

	assert(key != NULL);
	assert(context != NULL);
	int ok = EVP_DigestSignInit(context, NULL, NULL, NULL, key);
	ok &= EVP_DigestSign(context, out, &length, bytes.at, bytes.count);
	assert(ok == 1);
	assert(length == SIGNATURE_BYTES);
	EVP_MD_CTX_free(context);
	EVP_PKEY_free(key);
}

size_t
note_sign(const struct log_signer *signer, size_t count, char *out, size_t size)
{
	uint8_t line[KEY_ID_BYTES + SIGNATURE_BYTES];
	char base64[128];

	memcpy(line, signer->verifier.key_id, KEY_ID_BYTES);
	log_signature(signer, (struct span){ (const uint8_t *)out, count }, line + KEY_ID_BYTES);
	base64_write(base64, line, sizeof line);
	const size_t added = (size_t)snprintf(out + count, size - count, "\n%s%s %s\n", dash,
					      signer->verifier.name, base64);
	assert(added < size - count);
	return count + added;
}

size_t
checkpoint_sign(const struct checkpoint *checkpoint, const struct log_signer *signer,
		char out[CHECKPOINT_BYTES_MAX])
{
	assert(strcmp(checkpoint->origin, signer->verifier.name) == 0);
	return note_sign(signer, checkpoint_text(checkpoint, out), out, CHECKPOINT_BYTES_MAX);
}

/* --- reading -----------------------------------------------------------------------------------
 */

/* The next line without its newline; bad if there is none. */
static struct span
take_line(struct mp_reader *r)
{
	const uint8_t *start = r->at;
	const uint8_t *end = r->bad ? NULL : memchr(start, '\n', (size_t)(r->end - start));

	if (end == NULL) {
		r->bad = true;
		return (struct span){ start, 0 };
	}
	r->at = end + 1;
	return (struct span){ start, (size_t)(end - start) };
}

static uint64_t
read_decimal(struct mp_reader *r, struct span digits)
{
	uint64_t value = 0;

	r->bad |= digits.count == 0 || (digits.count > 1 && digits.at[0] == '0');
	for (size_t i = 0; i < digits.count; i++) {
		const uint8_t digit = (uint8_t)(digits.at[i] - '0');

		r->bad |= digit > 9 || value > (UINT64_MAX - digit) / 10;
		value = value * 10 + digit;
	}
	return value;
}

static void
read_body(struct mp_reader *r, struct checkpoint *out)
{
	const struct span origin = take_line(r);
	const struct span size = take_line(r);
	const struct span root = take_line(r);

	memset(out, 0, sizeof *out);
	r->bad |= origin.count > ORIGIN_BYTES_MAX;
	if (r->bad) {
		return;
	}
	memcpy(out->origin, origin.at, origin.count);
	r->bad |= strlen(out->origin) != origin.count || !origin_is_wellformed(out->origin);
	out->size = read_decimal(r, size);
	r->bad |= base64_read(out->root.bytes, sizeof out->root.bytes, (const char *)root.at,
			      root.count) != sizeof out->root.bytes;
}

bool
note_line_read(struct span line, struct note_line *out)
{
	const size_t mark = sizeof dash - 1;

	if (line.count < mark || memcmp(line.at, dash, mark) != 0) {
		return false;
	}
	const char *name = (const char *)line.at + mark;
	const char *space = memchr(name, ' ', line.count - mark);
	const size_t length = space == NULL ? 0 : (size_t)(space - name);
	const size_t rest = line.count - mark - length - 1;
	out->name = (struct span){ (const uint8_t *)name, length };
	out->count = length == 0 ? 0 : base64_read(out->bytes, sizeof out->bytes, space + 1, rest);
	return out->count > KEY_ID_BYTES;
}

bool
note_line_is_by(const struct note_line *line, const struct log_verifier *verifier)
{
	return line->name.count == strlen(verifier->name) &&
	       memcmp(line->name.at, verifier->name, line->name.count) == 0 &&
	       memcmp(line->bytes, verifier->key_id, KEY_ID_BYTES) == 0;
}

/* True if the next line is one by `verifier`, whose signature is then copied. */
static bool
read_signature(struct mp_reader *r, const struct log_verifier *verifier,
	       uint8_t out[SIGNATURE_BYTES])
{
	const struct span line = take_line(r);
	struct note_line read;

	if (r->bad || !note_line_read(line, &read)) {
		r->bad = true;
		return false;
	}
	if (!note_line_is_by(&read, verifier)) {
		return false;
	}
	r->bad |= read.count != KEY_ID_BYTES + SIGNATURE_BYTES;
	memcpy(out, read.bytes + KEY_ID_BYTES, SIGNATURE_BYTES);
	return !r->bad;
}

static bool
signature_holds(const struct log_verifier *verifier, struct span text,
		const uint8_t signature[SIGNATURE_BYTES])
{
	EVP_PKEY *key =
		EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, verifier->public_key, 32);
	EVP_MD_CTX *context = EVP_MD_CTX_new();

	assert(context != NULL);
	const bool holds =
		key != NULL && EVP_DigestVerifyInit(context, NULL, NULL, NULL, key) == 1 &&
		EVP_DigestVerify(context, signature, SIGNATURE_BYTES, text.at, text.count) == 1;
	EVP_MD_CTX_free(context);
	EVP_PKEY_free(key);
	return holds;
}

enum checkpoint_check
checkpoint_verify(struct span note, const struct log_verifier *verifier, struct checkpoint *out)
{
	struct mp_reader r = mp_reader_of(note);
	struct checkpoint read;
	uint8_t signature[SIGNATURE_BYTES];
	bool signed_by_log = false;

	r.bad |= note.count > CHECKPOINT_NOTE_MAX;
	read_body(&r, &read);
	const struct span text = { note.at, (size_t)(r.at - note.at) };
	r.bad |= take_line(&r).count != 0;
	do {
		signed_by_log |= read_signature(&r, verifier, signature);
	} while (!r.bad && r.at < r.end);
	if (r.bad) {
		return CHECKPOINT_MALFORMED;
	}
	if (!signed_by_log || strcmp(read.origin, verifier->name) != 0) {
		return CHECKPOINT_FOREIGN;
	}
	if (!signature_holds(verifier, text, signature)) {
		return CHECKPOINT_FORGED;
	}
	*out = read;
	return CHECKPOINT_HOLDS;
}

const char *
checkpoint_check_text(enum checkpoint_check check)
{
	switch (check) {
	case CHECKPOINT_HOLDS:
		return "the signature holds";
	case CHECKPOINT_MALFORMED:
		return "it is not a signed checkpoint of three lines";
	case CHECKPOINT_FOREIGN:
		return "it is of another log, or not signed with this log's key";
	case CHECKPOINT_FORGED:
		return "the signature does not verify";
	}
	return "";
}

bool
checkpoint_read(struct span note, struct checkpoint *out)
{
	struct mp_reader r = mp_reader_of(note);

	r.bad |= note.count > CHECKPOINT_NOTE_MAX;
	read_body(&r, out);
	return !r.bad;
}

/* --- for those without our programs ------------------------------------------------------------
 */

void
checkpoint_recipe(char out[CHECKPOINT_RECIPE_MAX], const struct log_verifier *verifier)
{
	/* The SubjectPublicKeyInfo of an Ed25519 key (RFC 8410 section 4) is this prefix and the
	 * key. */
	uint8_t der[44] = {
		0x30, 0x2A, 0x30, 0x05, 0x06, 0x03, 0x2B, 0x65, 0x70, 0x03, 0x21, 0x00
	};
	char base64[64];

	memcpy(der + 12, verifier->public_key, sizeof verifier->public_key);
	base64_write(base64, der, sizeof der);
	snprintf(
		out, CHECKPOINT_RECIPE_MAX,
		"printf '%%s\\n' '-----BEGIN PUBLIC KEY-----' '%s' '-----END PUBLIC KEY-----' > "
		"log.pem\n"
		"head -n 3 checkpoint > checkpoint.text\n"
		"sed -n 's|^%s%s ||p' checkpoint | head -n 1 | base64 -d | tail -c 64 > "
		"checkpoint.sig\n"
		"openssl pkeyutl -verify -pubin -inkey log.pem -rawin -in checkpoint.text -sigfile "
		"checkpoint.sig\n",
		base64, dash, verifier->name);
}

/* --- any signed note ---------------------------------------------------------------------------
 */

bool
log_signature_holds(const struct log_verifier *verifier, struct span bytes,
		    const uint8_t signature[SIGNATURE_BYTES])
{
	return signature_holds(verifier, bytes, signature);
}

/* The last empty line parts them. */
bool
note_split(struct span note, struct span *text, struct span *lines)
{
	size_t end = note.count;

	while (end >= 2 && (note.at[end - 1] != '\n' || note.at[end - 2] != '\n')) {
		end--;
	}
	if (end < 3 || end == note.count || note.count > CHECKPOINT_NOTE_MAX) {
		return false;
	}
	*text = (struct span){ note.at, end - 1 };
	*lines = (struct span){ note.at + end, note.count - end };
	return true;
}

enum checkpoint_check
note_verify(struct span note, const struct log_verifier *verifier, struct span *text)
{
	uint8_t signature[SIGNATURE_BYTES];
	bool is_signed = false;
	struct span lines;

	if (!note_split(note, text, &lines)) {
		return CHECKPOINT_MALFORMED;
	}
	struct mp_reader r = mp_reader_of(lines);
	do {
		is_signed |= read_signature(&r, verifier, signature);
	} while (!r.bad && r.at < r.end);
	if (r.bad) {
		return CHECKPOINT_MALFORMED;
	}
	if (!is_signed) {
		return CHECKPOINT_FOREIGN;
	}
	return signature_holds(verifier, *text, signature) ? CHECKPOINT_HOLDS : CHECKPOINT_FORGED;
}
