/* What every file of a bundle hangs on: SHA256SUMS, and the manifest that is signed over it. */
#include <assert.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "replay/verify_bundle.h"
#include "store/sha256.h"

/* --- sums ----------------------------------------------------------------------------------------
 */

/* Files that SHA256SUMS cannot or need not hold: what signs it, and what grows as it is handed on.
 */
static bool
is_unlisted(const char *name)
{
	static const char *const names[] = { "SHA256SUMS",         "manifest.json",
					     "manifest.json.note", "manifest.json.sig",
					     "manifest.json.tsr",  "custody.jsonl" };

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		if (strcmp(names[i], name) == 0) {
			return true;
		}
	}
	return false;
}

static bool
hash_file(struct bundle *b, const struct bundle_file *file, struct digest *out)
{
	EVP_MD_CTX *sum = EVP_MD_CTX_new();
	uint8_t piece[1 << 14];
	bool ok = sum != NULL && EVP_DigestInit_ex(sum, EVP_sha256(), NULL) == 1;

	assert(ok);
	for (uint64_t at = 0; ok && at < file->size;) {
		const uint64_t left = file->size - at;
		const size_t count = left < sizeof piece ? (size_t)left : sizeof piece;

		ok = b->files->read(b->files->context, file, at, piece, count) &&
		     EVP_DigestUpdate(sum, piece, count) == 1;
		at += count;
	}
	ok = ok && EVP_DigestFinal_ex(sum, out->bytes, NULL) == 1;
	EVP_MD_CTX_free(sum);
	return ok;
}

static void
check_sum(struct bundle *b, const char *hex, const char *name)
{
	const struct bundle_file *found = bundle_find(b->files, name);
	char lying[2 * sizeof(struct digest) + 1];
	struct digest digest;

	if (found == NULL) {
		bundle_say(b, "a file is missing", name, hex, "no such file");
		return;
	}
	struct bundle_file *file = &b->files->items[found - b->files->items];
	if (file->is_listed || is_unlisted(name)) {
		bundle_say(b, "a line of SHA256SUMS", name, "each file of the bundle once",
			   file->is_listed ? "again" : "one that is not to stand there");
	}
	file->is_listed = true;
	if (!hash_file(b, file, &digest)) {
		bundle_say(b, "a file cannot be read", name, "all its bytes", "fewer");
		return;
	}
	hex_write(lying, digest.bytes, sizeof digest.bytes);
	if (strcmp(lying, hex) != 0) {
		bundle_say(b, "a file is not the one that was exported", name, hex, lying);
	}
}

/* "hash  name", as sha256sum writes it. */
static bool
split_sum(struct span line, char hex[65], char name[BUNDLE_NAME_MAX + 1])
{
	const size_t rest = line.count - 66;

	if (line.count < 67 || rest > BUNDLE_NAME_MAX || memcmp(line.at + 64, "  ", 2) != 0 ||
	    memchr(line.at, '\0', line.count) != NULL) {
		return false;
	}
	memcpy(hex, line.at, 64);
	hex[64] = '\0';
	memcpy(name, line.at + 66, rest);
	name[rest] = '\0';
	return strspn(hex, "0123456789abcdef") == 64;
}

void
bundle_check_sums(struct bundle *b)
{
	struct bundle_lines lines;
	struct span line;
	char hex[65];
	char name[BUNDLE_NAME_MAX + 1];
	char where[64];

	bundle_lines_open(&lines, b->files, "SHA256SUMS");
	if (lines.file == NULL) {
		bundle_say(b, "a file is missing", "SHA256SUMS", "a file", "none");
	}
	while (bundle_lines_next(&lines, &line)) {
		if (split_sum(line, hex, name)) {
			check_sum(b, hex, name);
			continue;
		}
		snprintf(where, sizeof where, "SHA256SUMS line %" PRIu64, lines.number);
		bundle_say(b, "a line of SHA256SUMS", where, "hash, two spaces, name",
			   "something else");
	}
	if (lines.is_broken) {
		bundle_say(b, "a file cannot be read to its end", "SHA256SUMS",
			   "lines that end in newlines", "a line that does not");
	}
	bundle_lines_close(&lines);
	for (size_t i = 0; i < b->files->count; i++) {
		const struct bundle_file *file = &b->files->items[i];
		if (!file->is_listed && !is_unlisted(file->name)) {
			bundle_say(b, "a file that SHA256SUMS does not list", file->name,
				   "no such file", "a file");
		}
	}
}

/* --- the manifest --------------------------------------------------------------------------------
 */

bool
bundle_take_count(const json_t *json, const char *key, uint64_t *out)
{
	const json_t *const value = json_object_get(json, key);

	*out = json_is_integer(value) ? (uint64_t)json_integer_value(value) : 0;
	return json_is_integer(value) && json_integer_value(value) >= 0;
}

static bool
take_string(const json_t *json, const char *key, char *out, size_t size)
{
	const json_t *const value = json_object_get(json, key);

	if (!json_is_string(value) || json_string_length(value) >= size ||
	    strlen(json_string_value(value)) != json_string_length(value)) {
		return false;
	}
	memcpy(out, json_string_value(value), json_string_length(value) + 1);
	return true;
}

bool
bundle_take_root(const json_t *json, const char *key, struct digest *out)
{
	char text[64];
	size_t count = 0;

	return take_string(json, key, text, sizeof text) &&
	       bundle_base64((struct span){ (const uint8_t *)text, strlen(text) }, out->bytes,
			     sizeof out->bytes, &count) &&
	       count == sizeof out->bytes;
}

static bool
take_key(const json_t *json, const char *key, struct log_verifier *out)
{
	char text[CHECKPOINT_VKEY_MAX];

	return take_string(json, key, text, sizeof text) && log_verifier_read(text, out);
}

static bool
take_previous(const json_t *json, struct bundle_manifest *out)
{
	const json_t *const size = json_object_get(json, "previous_size");

	out->has_previous = size != NULL && !json_is_null(size);
	return !out->has_previous ||
	       (bundle_take_count(json, "previous_size", &out->previous_size) &&
		bundle_take_root(json, "previous_root", &out->previous_root));
}

static bool
take_manifest(const json_t *json, struct bundle_manifest *out)
{
	uint64_t version = 0;

	return bundle_take_count(json, "version", &version) && version == 1 &&
	       bundle_take_count(json, "size", &out->size) &&
	       bundle_take_count(json, "from", &out->from) &&
	       bundle_take_count(json, "end", &out->end) &&
	       bundle_take_count(json, "disclosed", &out->disclosed) &&
	       bundle_take_count(json, "omitted", &out->omitted) &&
	       take_string(json, "origin", out->origin, sizeof out->origin) &&
	       take_string(json, "sha256sums", out->sums, sizeof out->sums) &&
	       bundle_take_root(json, "root", &out->root) &&
	       take_key(json, "log_key", &out->log_key) &&
	       take_key(json, "export_key", &out->export_key) && take_previous(json, out) &&
	       out->from < out->end && out->end <= out->size && out->size <= INT64_MAX / 2;
}

bool
bundle_manifest_read(struct bundle *b)
{
	size_t count = 0;
	char *text = bundle_text(b, "manifest.json", &count);
	json_error_t error;
	json_t *const json =
		text == NULL ? NULL : json_loadb(text, count, JSON_REJECT_DUPLICATES, &error);

	b->has_manifest = json_is_object(json) && take_manifest(json, &b->manifest);
	if (text != NULL && !b->has_manifest) {
		bundle_say(b, "the manifest cannot be read", "manifest.json",
			   "what docs/bundle.md says, and a range within the log",
			   "something else");
	}
	json_decref(json);
	free(text);
	return b->has_manifest;
}

static void
trust_key(struct bundle *b, const char *which, bool is_given, const struct log_verifier *given,
	  struct log_verifier *named)
{
	char what[96];

	if (!is_given) {
		return;
	}
	if (memcmp(given->public_key, named->public_key, sizeof given->public_key) != 0 ||
	    strcmp(given->name, named->name) != 0) {
		snprintf(what, sizeof what, "the %s key is not the one you gave", which);
		bundle_say(b, what, "manifest.json", given->name, named->name);
	}
	*named = *given;
}

/* The keys that one has from elsewhere take the place of those that the bundle names. */
static void
trust_keys(struct bundle *b)
{
	const struct bundle_trust *t = b->trust;

	trust_key(b, "log", t->has_log_key, &t->log_key, &b->manifest.log_key);
	trust_key(b, "export", t->has_export_key, &t->export_key, &b->manifest.export_key);
}

static void
check_note(struct bundle *b, const struct digest *digest)
{
	char expected[CHECKPOINT_NOTE_MAX];
	char base64[64];
	struct span text = { 0 };
	size_t count = 0;
	char *note = bundle_text(b, "manifest.json.note", &count);

	if (note == NULL) {
		return;
	}
	base64_write(base64, digest->bytes, sizeof digest->bytes);
	const size_t length =
		(size_t)snprintf(expected, sizeof expected, "ifswarm export manifest v1\n%s\n%s\n",
				 b->manifest.origin, base64);
	const enum checkpoint_check check = note_verify(
		(struct span){ (const uint8_t *)note, count }, &b->manifest.export_key, &text);
	if (check != CHECKPOINT_HOLDS) {
		bundle_say(b, "the manifest's note does not hold", "manifest.json.note",
			   b->manifest.export_key.name, checkpoint_check_text(check));
	} else if (text.count != length || memcmp(text.at, expected, length) != 0) {
		bundle_say(b, "the note is over another manifest", "manifest.json.note", expected,
			   "another text");
	}
	free(note);
}

static void
check_signature(struct bundle *b, struct span manifest)
{
	size_t count = 0;
	char *signature = bundle_text(b, "manifest.json.sig", &count);

	if (signature != NULL &&
	    (count != SIGNATURE_BYTES ||
	     !log_signature_holds(&b->manifest.export_key, manifest, (const uint8_t *)signature))) {
		bundle_say(b, "the manifest's signature does not verify", "manifest.json.sig",
			   b->manifest.export_key.name, "another signature");
	}
	free(signature);
}

void
bundle_check_manifest(struct bundle *b)
{
	const struct bundle_manifest *m = &b->manifest;
	const struct bundle_file *sums = bundle_find(b->files, "SHA256SUMS");
	size_t count = 0;
	char *text = bundle_text(b, "manifest.json", &count);
	struct digest digest;
	char hex[2 * sizeof digest + 1] = "none";

	trust_keys(b);
	if (text != NULL) {
		const struct span bytes = { (const uint8_t *)text, count };
		sha256_span(bytes, &digest);
		check_signature(b, bytes);
		check_note(b, &digest);
	}
	free(text);
	if (sums != NULL && hash_file(b, sums, &digest)) {
		hex_write(hex, digest.bytes, sizeof digest.bytes);
	}
	if (strcmp(hex, m->sums) != 0) {
		bundle_say(b, "the manifest names other sums", "SHA256SUMS", m->sums, hex);
	}
	if (m->disclosed > m->end || m->end - m->from != m->disclosed + m->omitted) {
		voice_say_numbers(&b->voice, "the counts do not fill the range", "manifest.json",
				  m->end - m->from, m->disclosed + m->omitted);
	}
}
