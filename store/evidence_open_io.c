/* The first and the last moments: making or checking the data directory, the witness's first
 * events, and the orderly end. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "store/erase_io.h"
#include "store/evidence_state_io.h"
#include "store/head_io.h"
#include "store/prune_io.h"
#include "store/pub_io.h"
#include "store/retain_io.h"

static const char format_name[] = "ifswarm-evidence/v1";

struct opening {
	const struct evidence_options *options;
	struct evidence *e;
	bool is_new; /* the log is empty */
	char *fault;
	size_t fault_size;
};

static bool
say(const struct opening *o, const char *path, const char *what)
{
	snprintf(o->fault, o->fault_size, "%s: %s", path, what);
	return false;
}

/* --- the directory
 * --------------------------------------------------------------------------------- */

static bool
open_directory(struct opening *o)
{
	const char *directory = o->options->directory;
	char private[FILE_PATH_MAX];

	path_join(private, directory, "private");
	if (directory_make(directory, 0700) != FILE_OK ||
	    directory_make(private, 0700) != FILE_OK) {
		snprintf(o->fault, o->fault_size,
			 "%s: cannot be made: %s: name a directory of your own", private,
			 strerror(errno));
		return false;
	}
	o->e->lock = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (o->e->lock < 0 || flock(o->e->lock, LOCK_EX | LOCK_NB) != 0) {
		return say(
			o, directory,
			"another witness writes here, or it cannot be locked: stop that one first");
	}
	snprintf(o->e->directory, sizeof o->e->directory, "%s", directory);
	path_join(o->e->ballast, directory, "ballast");
	ballast_yield(o->e->ballast);
	return true;
}

static bool
open_log(struct opening *o)
{
	struct evidence *e = o->e;
	char path[FILE_PATH_MAX];

	path_join(path, e->directory, "witness.db");
	if (head_exists(e->directory) && !file_exists(path)) {
		return say(o, path,
			   "missing, though DATA/head says that events were published: restore it; "
			   "a new "
			   "log must not take its place");
	}
	if (!log_open(&e->log, path, o->fault, o->fault_size)) {
		return false;
	}
	e->has_log = true;
	if (!evidence_reload(e)) {
		return say(o, path,
			   "its newest rows cannot be read: keep it, and see ifreplay verify");
	}
	o->is_new = e->tree.size == 0;
	if (o->is_new && head_exists(e->directory)) {
		return say(o, path,
			   "empty, though DATA/head says that events were published: restore the "
			   "one that "
			   "holds them");
	}
	return true;
}

static bool
check_origin(struct opening *o)
{
	struct entry header;
	struct event event;

	if (!origin_is_wellformed(o->options->origin)) {
		return say(o, o->options->origin,
			   "not an origin: 1 to 64 printable characters, no blank, no +");
	}
	snprintf(o->e->origin, sizeof o->e->origin, "%s", o->options->origin);
	if (o->is_new) {
		return true;
	}
	if (lookup_event(&o->e->log.lookup, 0, &header, &event) != ENTRY_KNOWN ||
	    event.type != EVENT_LOG_CREATED) {
		return say(o, o->e->directory,
			   "witness.db does not begin with log_created: see ifreplay verify");
	}
	if (!text_equal(&event.log_created.origin, o->e->origin)) {
		snprintf(o->fault, o->fault_size,
			 "%s: witness.db is the log of %.*s, not of %s: set node back, or name "
			 "another "
			 "data directory",
			 o->e->directory, event.log_created.origin.length,
			 event.log_created.origin.bytes, o->e->origin);
		return false;
	}
	return true;
}

/* --- secrets
 * --------------------------------------------------------------------------------------- */

/* Made with a new log only: a lost key is not replaced in silence. */
static bool
take_secret(struct opening *o, const char *path, uint8_t out[32], const char *if_missing)
{
	enum file_result result = secret_read(path, out);

	if (result == FILE_MISSING && o->is_new) {
		result = secret_make(path, out);
	}
	if (result == FILE_OK) {
		return true;
	}
	return say(o, path,
		   result == FILE_MISSING
			   ? if_missing
			   : "cannot be read or made: it holds 64 hex digits, mode 0600");
}

static bool
open_signer(struct opening *o)
{
	struct evidence *e = o->e;
	struct log_verifier known;
	char path[FILE_PATH_MAX];
	char text[CHECKPOINT_VKEY_MAX + 1];
	uint8_t seed[32];
	size_t count = 0;

	path_join(path, e->directory, "private/log.key");
	if (!take_secret(
		    o, path, seed,
		    "missing: this log is signed with it; put it back, a new key would be another "
		    "log's")) {
		return false;
	}
	log_signer_make(&e->signer, e->origin, seed);
	seal_forget(seed, sizeof seed);
	path_join(path, e->directory, "log.vkey");
	const enum file_result result = file_read(path, text, sizeof text - 1, &count);
	text[count] = '\0';
	if (result == FILE_MISSING) {
		log_verifier_write(text, &e->signer.verifier);
		strcat(text, "\n");
		const struct span bytes = { (const uint8_t *)text, strlen(text) };
		return file_replace(path, bytes, 0644, true) == FILE_OK ||
		       say(o, path, "cannot be written: see who owns the directory");
	}
	if (!log_verifier_read(text, &known) ||
	    memcmp(known.public_key, e->signer.verifier.public_key, sizeof known.public_key) != 0) {
		return say(o, path,
			   "not the verifier of private/log.key: put back the key of this log");
	}
	return true;
}

static bool
open_keys(struct opening *o)
{
	char path[FILE_PATH_MAX];
	char wrap_path[FILE_PATH_MAX];
	struct seal_key wrap;
	const char *named = o->options->wrap_key_file;

	path_join(path, o->e->directory, "keys.db");
	path_join(wrap_path, o->e->directory, "private/wrap.key");
	if (named == NULL || named[0] == '\0') {
		named = wrap_path;
	}
	if (!o->is_new && !file_exists(path)) {
		return say(o, path,
			   "missing: the log's personal parts are sealed with the keys in it; "
			   "restore it "
			   "from its own backup");
	}
	if (!take_secret(o, named, wrap.bytes,
			 "missing: it unwraps the keys in keys.db; put it back, nothing can "
			 "replace it")) {
		return false;
	}
	const bool ok = keys_open(path, DB_WRITE, &wrap, &o->e->keys, o->fault, o->fault_size);
	seal_forget(&wrap, sizeof wrap);
	return ok;
}

/* --- the witness's first events
 * ---------------------------------------------------------------------- */

static void
list_fields(const struct event_description *description, struct name *out)
{
	out->length = 0;
	for (size_t i = 0; i < description->shape.count; i++) {
		const char *name = description->shape.fields[i].name;
		const size_t count = strlen(name);

		assert(out->length + 1 + count <= NAME_BYTES_MAX);
		if (i > 0) {
			out->bytes[out->length++] = ' ';
		}
		memcpy(out->bytes + out->length, name, count);
		out->length = (uint16_t)(out->length + count);
	}
}

static enum evidence_result
declare_type(struct evidence *e, const struct event_description *description, uint64_t now_us)
{
	struct event event = { .type = EVENT_TYPE_DECLARED,
			       .type_declared = { .number = description->type,
						  .version = description->version,
						  .stream = description->stream } };

	list_fields(description, &event.type_declared.field_names);
	const bool fits = text_set(&event.type_declared.name, description->name);
	assert(fits);
	const enum evidence_result result = evidence_note(e, &event, now_us);
	return result != EVIDENCE_OK
		       ? result
		       : evidence_after(e,
					log_put_declared(&e->log, description->type,
							 description->version, e->tree.size - 1),
					"declaring an event type");
}

static enum evidence_result
note_creation(struct evidence *e, uint64_t now_us)
{
	struct event event = { .type = EVENT_LOG_CREATED };
	const bool fits = text_set(&event.log_created.origin, e->origin) &&
			  text_set(&event.log_created.format, format_name);

	assert(fits);
	return evidence_note(e, &event, now_us);
}

/* Clean if the last event is the end of the run before. */
static bool
ended_cleanly(struct evidence *e)
{
	struct entry header;
	struct event event;

	return e->tree.size > 0 &&
	       lookup_event(&e->log.lookup, e->tree.size - 1, &header, &event) == ENTRY_KNOWN &&
	       event.type == EVENT_WITNESS_STOPPED;
}

enum evidence_result
evidence_note_start(struct evidence *e, uint64_t now_us)
{
	const bool is_new = e->tree.size == 0;
	struct event started = { .type = EVENT_WITNESS_STARTED,
				 .witness_started = { .clean = is_new || ended_cleanly(e),
						      .size = e->tree.size } };
	enum evidence_result result = EVIDENCE_OK;

	assert(e->in_transaction);
	e->heads[STREAM_WITNESS].epoch++;
	if (is_new) {
		result = note_creation(e, now_us);
	}
	for (size_t i = 0; i < event_types() && result == EVIDENCE_OK; i++) {
		const struct event_description *description = event_describe_at(i);
		if (!log_is_declared(&e->log, description->type, description->version)) {
			result = declare_type(e, description, now_us);
		}
	}
	if (result == EVIDENCE_OK) {
		result = evidence_note(e, &started, now_us);
	}
	e->has_started = result == EVIDENCE_OK;
	return result;
}

/* With a full disk the start is logged as soon as there is room. */
static enum evidence_result
start(struct evidence *e, uint64_t now_us)
{
	enum evidence_result result = evidence_begin(e);

	if (result == EVIDENCE_OK && !e->has_started) {
		result = evidence_note_start(e, now_us);
	}
	return result == EVIDENCE_OK ? evidence_commit(e) : result;
}

static bool
begin_run(struct opening *o)
{
	struct evidence *e = o->e;

	random_bytes(e->ids.tail, sizeof e->ids.tail);
	e->published = pub_size(e->directory);
	e->is_read_only =
		!head_is_extended(e->directory, &e->signer.verifier, &e->log.lookup, e->tree.size,
				  e->checkpointed, e->fault, sizeof e->fault);
	if (e->is_read_only) {
		return true;
	}
	e->is_suspended = ballast_make(e->ballast) == FILE_FULL;
	enum evidence_result result = start(e, o->options->now_us);
	/* Before anything is decrypted. */
	if (result == EVIDENCE_OK &&
	    (!erase_resume(e, o->options->now_us, o->fault, o->fault_size) ||
	     !retain_resume(e, o->options->now_us, o->fault, o->fault_size))) {
		return false;
	}
	if (result == EVIDENCE_OK) {
		result = evidence_publish(e);
	}
	if (result == EVIDENCE_OK &&
	    !prune_resume(e, o->options->now_us, o->fault, o->fault_size)) {
		return false;
	}
	/* A log that exists can be read, and its runs go on, while it cannot grow. */
	if (result == EVIDENCE_OK || (result == EVIDENCE_FULL && !o->is_new)) {
		return true;
	}
	return result == EVIDENCE_FULL
		       ? say(o, e->directory, "the disk is full: a new log needs room")
		       : say(o, e->directory, e->fault);
}

static void
release(struct evidence *e)
{
	keys_close(e->keys);
	if (e->has_log) {
		log_close(&e->log);
	}
	sealer_free(e->sealer);
	if (e->lock >= 0) {
		close(e->lock);
	}
	free(e->appended);
	seal_forget(e, sizeof *e);
	free(e);
}

bool
evidence_open(const struct evidence_options *options, struct evidence **out, char *fault,
	      size_t fault_size)
{
	struct evidence *e = calloc(1, sizeof *e);
	struct opening o = { .options = options, .e = e, .fault = fault, .fault_size = fault_size };

	assert(e != NULL);
	e->lock = -1;
	if (!open_directory(&o) || !open_log(&o) || !check_origin(&o) || !open_signer(&o) ||
	    !open_keys(&o)) {
		release(e);
		return false;
	}
	e->sealer = sealer_new(e->origin);
	if (!begin_run(&o)) {
		release(e);
		return false;
	}
	*out = e;
	return true;
}

void
evidence_close(struct evidence *e, uint64_t now_us)
{
	if (e == NULL) {
		return;
	}
	if (e->in_transaction) {
		evidence_rollback(e);
	}
	struct event stopped = { .type = EVENT_WITNESS_STOPPED,
				 .witness_stopped = { .size = e->tree.size } };
	if (evidence_begin(e) == EVIDENCE_OK && evidence_note(e, &stopped, now_us) == EVIDENCE_OK &&
	    evidence_commit(e) == EVIDENCE_OK) {
		evidence_publish(e);
	}
	release(e);
}
