#include "replay/verify_bundle.h"

#include <assert.h>
#include <inttypes.h>
#include <jansson.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/sha256.h"
#include "store/tlog_proof.h"

void
bundle_say(struct bundle *b, const char *what, const char *where, const char *expected,
	   const char *found)
{
	voice_say(&b->voice, what, where, expected, found);
}

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

static void
check_sums(struct bundle *b)
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

static void
check_manifest(struct bundle *b)
{
	const struct bundle_manifest *m = &b->manifest;
	const struct bundle_file *sums = bundle_find(b->files, "SHA256SUMS");
	size_t count = 0;
	char *text = bundle_text(b, "manifest.json", &count);
	struct digest digest;
	char hex[2 * sizeof digest + 1] = "none";

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

/* --- the checkpoint ------------------------------------------------------------------------------
 */

static bool
check_checkpoint(struct bundle *b)
{
	struct bundle_manifest *m = &b->manifest;
	struct checkpoint checkpoint;
	size_t count = 0;
	char *note = bundle_text(b, "log/checkpoint", &count);

	if (strcmp(m->origin, m->log_key.name) != 0) {
		bundle_say(b, "the key is of another log", "manifest.json", m->origin,
			   m->log_key.name);
	}
	if (note == NULL) {
		return false;
	}
	const enum checkpoint_check check = checkpoint_verify(
		(struct span){ (const uint8_t *)note, count }, &m->log_key, &checkpoint);
	free(note);
	if (check != CHECKPOINT_HOLDS) {
		bundle_say(b, "the checkpoint does not hold", "log/checkpoint", m->log_key.name,
			   checkpoint_check_text(check));
		return false;
	}
	if (checkpoint.size != m->size) {
		voice_say_numbers(&b->voice, "the manifest names another size", "manifest.json",
				  checkpoint.size, m->size);
		return false;
	}
	if (!digest_equal(&checkpoint.root, &m->root)) {
		voice_say_digests(&b->voice, "the manifest names another root", "manifest.json",
				  &checkpoint.root, &m->root);
		return false;
	}
	b->is_signed = true;
	return true;
}

/* The root at another size, as far as the tiles of the bundle, or its own proof, reach. */
static bool
root_at(struct bundle *b, uint64_t size, struct digest *out)
{
	if (size == b->manifest.size) {
		*out = b->manifest.root;
		return true;
	}
	if (b->manifest.has_previous && size == b->manifest.previous_size) {
		*out = b->manifest.previous_root;
		return true;
	}
	return size < b->manifest.size && proof_root(bundle_fetch, b, size, out);
}

/* A checkpoint that one has from elsewhere: this log must go through it. */
static void
check_given(struct bundle *b, const char *where, struct span note)
{
	struct checkpoint given;
	struct digest root;
	const enum checkpoint_check check = checkpoint_verify(note, &b->manifest.log_key, &given);
	char found[96];

	if (check != CHECKPOINT_HOLDS) {
		bundle_say(b, "what you gave is no checkpoint of this log", where,
			   b->manifest.log_key.name, checkpoint_check_text(check));
		return;
	}
	if (!root_at(b, given.size, &root)) {
		snprintf(found, sizeof found, "%s: ask for ifreplay prove --from-checkpoint",
			 given.size > b->manifest.size ? "it is of a later log"
						       : "the tiles that it needs are not here");
		bundle_say(b, "the checkpoint you gave cannot be compared with this bundle", where,
			   "one of this size, of the export before it, or below its tiles", found);
	} else if (!digest_equal(&root, &given.root)) {
		voice_say_digests(&b->voice, "this log does not go through the checkpoint you gave",
				  where, &given.root, &root);
	}
}

static void
check_previous(struct bundle *b)
{
	struct checkpoint given;

	check_given(b, "the previous export", b->trust->previous);
	if (checkpoint_read(b->trust->previous, &given) && given.size != b->manifest.size &&
	    (!b->manifest.has_previous || given.size != b->manifest.previous_size)) {
		bundle_say(b, "this export does not follow the one you gave", "manifest.json",
			   "its checkpoint as the previous one", "another, or none");
	}
}

/* --- proofs --------------------------------------------------------------------------------------
 */

static void
check_proof(struct bundle *b, const struct bundle_file *file, const char *text, size_t count)
{
	struct tlog_proof proof;
	struct checkpoint checkpoint;
	char name[64];
	struct digest tile[TILE_HASHES];

	if (!tlog_proof_read((struct span){ (const uint8_t *)text, count }, &proof) ||
	    proof.kind != TLOG_INCLUSION ||
	    checkpoint_verify(proof.note, &b->manifest.log_key, &checkpoint) != CHECKPOINT_HOLDS) {
		bundle_say(b, "a proof cannot be followed", file->name,
			   "a C2SP tlog-proof over a signed checkpoint", "something else");
		return;
	}
	snprintf(name, sizeof name, "proofs/%" PRIu64 ".tlog-proof", proof.number);
	if (strcmp(name, file->name) != 0) {
		bundle_say(b, "a proof is of another event than its name says", file->name,
			   file->name, name);
	}
	if (proof.number < b->manifest.from || proof.number >= b->manifest.end ||
	    !bundle_fetch(b, 0, proof.number / TILE_HASHES,
			  (uint32_t)(proof.number % TILE_HASHES) + 1, tile)) {
		bundle_say(b, "a proof cannot be followed", file->name, "an event of the range",
			   "another");
	} else if (!proof_check_inclusion(&tile[proof.number % TILE_HASHES], proof.number,
					  checkpoint.size, &checkpoint.root, &proof.proof)) {
		bundle_say(b, "an inclusion proof does not lead to the root", file->name,
			   "the signed root", "another");
	}
	b->proofs++;
}

static bool
is_proof(const char *name)
{
	const size_t count = strlen(name);
	static const char end[] = ".tlog-proof";

	return strncmp(name, "proofs/", 7) == 0 && count > sizeof end &&
	       strcmp(name + count - (sizeof end - 1), end) == 0;
}

static void
check_growth(struct bundle *b, const char *text, size_t count)
{
	static const char where[] = "proofs/consistency.txt";
	const struct bundle_manifest *m = &b->manifest;
	struct tlog_proof proof;
	struct checkpoint old;

	if (!tlog_proof_read((struct span){ (const uint8_t *)text, count }, &proof) ||
	    proof.kind != TLOG_CONSISTENCY ||
	    checkpoint_verify(proof.note, &m->log_key, &old) != CHECKPOINT_HOLDS) {
		bundle_say(b, "the consistency proof cannot be followed", where,
			   "a proof from a checkpoint of this log", "something else");
		return;
	}
	if (proof.number != m->previous_size || old.size != m->previous_size) {
		voice_say_numbers(&b->voice, "the consistency proof is from another size", where,
				  m->previous_size, old.size);
	}
	if (!digest_equal(&old.root, &m->previous_root)) {
		voice_say_digests(&b->voice, "the previous checkpoint has another root", where,
				  &m->previous_root, &old.root);
	}
	if (!proof_check_consistency(old.size, &old.root, m->size, &m->root, &proof.proof)) {
		bundle_say(b, "the consistency proof does not lead to the roots", where,
			   "the previous root, and the signed one", "others");
	}
}

static void
check_consistency(struct bundle *b)
{
	static const char name[] = "proofs/consistency.txt";
	size_t count = 0;

	if (!b->manifest.has_previous) {
		if (bundle_find(b->files, name) != NULL) {
			bundle_say(b, "a consistency proof without a previous export", name,
				   "no such file", "a file");
		}
		return;
	}
	char *text = bundle_text(b, name, &count);
	if (text != NULL) {
		check_growth(b, text, count);
	}
	free(text);
}

void
bundle_check_proofs(struct bundle *b)
{
	for (size_t i = 0; i < b->files->count; i++) {
		const struct bundle_file *file = &b->files->items[i];
		size_t count = 0;

		if (!is_proof(file->name)) {
			continue;
		}
		char *text = bundle_text(b, file->name, &count);
		if (text != NULL) {
			check_proof(b, file, text, count);
		}
		free(text);
	}
	check_consistency(b);
}

/* --- all of it -----------------------------------------------------------------------------------
 */

static void
check_log(struct bundle *b)
{
	if (!check_checkpoint(b)) {
		return;
	}
	bundle_check_tiles(b);
	bundle_check_rows(b);
	bundle_check_range(b);
	bundle_check_proofs(b);
	bundle_check_csv(b);
	bundle_check_anchors(b);
	if (b->trust->has_checkpoint) {
		check_given(b, "the checkpoint you gave", b->trust->checkpoint);
	}
	if (b->trust->has_previous) {
		check_previous(b);
	}
}

void
bundle_check(struct bundle *b, const struct bundle_files *files, const struct bundle_trust *trust,
	     verify_report *report, void *context)
{
	memset(b, 0, sizeof *b);
	b->voice = (struct verify_voice){ report, context, 0 };
	b->files = files;
	b->trust = trust;
	check_sums(b);
	if (!bundle_manifest_read(b)) {
		return;
	}
	trust_key(b, "log", trust->has_log_key, &trust->log_key, &b->manifest.log_key);
	trust_key(b, "export", trust->has_export_key, &trust->export_key, &b->manifest.export_key);
	check_manifest(b);
	bundle_check_stamp(b);
	check_log(b);
}
