#include "actors/witness_cosign_io.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actors/add_checkpoint.h"
#include "actors/anchor_config_io.h"
#include "protocol/log_line_io.h"
#include "protocol/time_io.h"
#include "store/evidence_anchor_io.h"
#include "store/files_io.h"

enum {
	STEP_ROWS = 16384,
	STATUS_LATER = 503,
	STATUS_TOO_OFTEN = 429,
	GROWTH_US = 500 * 1000, /* each growth is a row of our log: no log may fill it */
};

struct known_log {
	bool is_known; /* read back from our log, or cosigned in this run */
	struct cosigned_before before;
	uint64_t grown_us; /* monotonic */
};

struct witness_cosign {
	struct evidence *evidence;
	bool is_open;
	struct log_signer signer;
	struct policy logs;
	struct known_log known[POLICY_LOGS_MAX]; /* by the first line with that origin */
	bool is_read;                            /* nothing is left to look for */
	uint64_t read_to;                        /* all events from there on were looked at */
	bool failed;                             /* and that was said */
};

/* --- the key -------------------------------------------------------------------------------------
 */

static bool
say(const char *path, const char *what)
{
	log_error("%s: %s", path, what);
	return false;
}

/* The verifier key is written last: where it lies, the seed was there, and is not replaced. */
static bool
open_key(struct witness_cosign *cosign, const struct settings *settings)
{
	char key_path[FILE_PATH_MAX], vkey_path[FILE_PATH_MAX];
	char name[ORIGIN_BYTES_MAX + 1], vkey[CHECKPOINT_VKEY_MAX + 1];
	uint8_t seed[32];

	path_join(key_path, settings->data_dir.bytes, "private/witness.key");
	path_join(vkey_path, settings->data_dir.bytes, "witness.vkey");
	enum file_result result = secret_read(key_path, seed);
	if (result == FILE_MISSING && file_exists(vkey_path)) {
		return say(key_path, "missing: others know us by it: put it back, or remove "
				     "witness.vkey to begin under a new key");
	}
	if (result == FILE_MISSING) {
		result = secret_make(key_path, seed);
	}
	if (result != FILE_OK) {
		return say(key_path, "cannot be read or made: it holds 64 hex digits, mode 0600");
	}
	snprintf(name, sizeof name, "ifswarm.local/%.42s/witness", settings->node.bytes);
	vkey_signer_make(&cosign->signer, name, VKEY_COSIGNER, seed);
	explicit_bzero(seed, sizeof seed);
	log_verifier_write(vkey, &cosign->signer.verifier);
	strcat(vkey, "\n");
	return file_replace(vkey_path, (struct span){ (const uint8_t *)vkey, strlen(vkey) }, 0644,
			    true) == FILE_OK ||
	       say(vkey_path, "cannot be written: see who owns the directory");
}

struct witness_cosign *
witness_cosign_new(struct evidence *evidence, const struct settings *settings)
{
	struct witness_cosign *cosign = calloc(1, sizeof *cosign);
	char fault[ANCHOR_FAULT_MAX];

	assert(cosign != NULL);
	cosign->evidence = evidence;
	cosign->is_open = settings->witness_port != 0;
	cosign->is_read = !cosign->is_open;
	cosign->read_to = evidence_size(evidence);
	const bool has_key = open_key(cosign, settings);
	if (!cosign->is_open) {
		return cosign;
	}
	if (!anchor_logs_read(settings, &cosign->logs, fault)) {
		log_error("%s", fault);
	} else if (has_key) {
		return cosign;
	}
	free(cosign);
	return NULL;
}

void
witness_cosign_free(struct witness_cosign *cosign)
{
	if (cosign != NULL) {
		explicit_bzero(cosign, sizeof *cosign);
		free(cosign);
	}
}

/* --- what we have cosigned -----------------------------------------------------------------------
 */

/* Two keys of one log share what was cosigned of it. */
static struct known_log *
find_log(struct witness_cosign *cosign, const char *origin)
{
	for (uint32_t i = 0; i < cosign->logs.log_count; i++) {
		if (strcmp(cosign->logs.logs[i].key.name, origin) == 0) {
			return &cosign->known[i];
		}
	}
	return NULL;
}

/* The newest comes first: what is known already is newer. */
static void
recall(void *context, const struct event_foreign_checkpoint_cosigned *event)
{
	struct witness_cosign *cosign = context;
	char origin[TEXT_BYTES_MAX + 1] = "";

	memcpy(origin, event->origin.bytes, event->origin.length);
	struct known_log *log = find_log(cosign, origin);
	if (log != NULL && !log->is_known) {
		log->is_known = true;
		log->before = (struct cosigned_before){ event->size, event->root };
	}
}

static bool
all_are_known(struct witness_cosign *cosign)
{
	for (uint32_t i = 0; i < cosign->logs.log_count; i++) {
		if (!find_log(cosign, cosign->logs.logs[i].key.name)->is_known) {
			return false;
		}
	}
	return true;
}

bool
witness_cosign_step(struct witness_cosign *cosign)
{
	if (cosign->is_read || cosign->failed) {
		return false;
	}
	if (!evidence_foreign_before(cosign->evidence, &cosign->read_to, STEP_ROWS, recall,
				     cosign)) {
		cosign->failed = true;
		log_error("the log before seq %" PRIu64 " cannot be read back or was pruned: a log "
			  "of witness-logs that was not cosigned since is not witnessed",
			  cosign->read_to);
		return false;
	}
	if (cosign->read_to == 0) {
		for (uint32_t i = 0; i < cosign->logs.log_count; i++) {
			cosign->known[i].is_known = true;
		}
	}
	cosign->is_read = cosign->read_to == 0 || all_are_known(cosign);
	return !cosign->is_read;
}

void
witness_cosign_forget(struct witness_cosign *cosign)
{
	if (cosign->is_open) {
		memset(cosign->known, 0, sizeof cosign->known);
		cosign->is_read = false;
		cosign->read_to = evidence_size(cosign->evidence);
	}
}

/* --- one request ---------------------------------------------------------------------------------
 */

static void
grow(struct known_log *log, const struct checkpoint *new, struct cosign_answer *out)
{
	struct event_foreign_checkpoint_cosigned *said = &out->event.foreign_checkpoint_cosigned;

	out->is_new = true;
	out->event.type = EVENT_FOREIGN_CHECKPOINT_COSIGNED;
	const bool fits = text_set(&said->origin, new->origin);
	assert(fits);
	said->size = new->size;
	said->root = new->root;
	log->before = (struct cosigned_before){ new->size, new->root };
	log->grown_us = time_monotonic_us();
}

/* The same tree again is cosigned again, and is no event: nothing has changed but the time. */
static void
cosign_it(struct witness_cosign *cosign, struct known_log *log,
	  const struct add_checkpoint *request, struct cosign_answer *out)
{
	const bool is_first = log->before.size == 0 && log->grown_us == 0;

	if (request->checkpoint.size > log->before.size || is_first) {
		if (!is_first && time_monotonic_us() - log->grown_us < GROWTH_US) {
			out->status = STATUS_TOO_OFTEN;
			return;
		}
		grow(log, &request->checkpoint, out);
	}
	cosignature_sign(&cosign->signer, request->text, time_now_us() / 1000000, out->text);
}

enum verdict
witness_cosign_judge(struct witness_cosign *cosign, struct mp_reader *r, struct cosign_answer *out)
{
	static struct add_checkpoint request;
	const struct span body = mp_get_bin(r, ADD_CHECKPOINT_BODY_MAX);

	*out = (struct cosign_answer){ .status = ADD_CHECKPOINT_BAD };
	if (!mp_reader_is_done(r) || !cosign->is_open) {
		return REFUSED_MALFORMED;
	}
	if (!add_checkpoint_read(body, &request)) {
		return ACCEPTED;
	}
	out->status = add_checkpoint_admit(&request, &cosign->logs);
	if (out->status != ADD_CHECKPOINT_OK) {
		return ACCEPTED;
	}
	struct known_log *log = find_log(cosign, request.checkpoint.origin);
	assert(log != NULL);
	if (!log->is_known) {
		out->status = STATUS_LATER;
		return ACCEPTED;
	}
	out->status = add_checkpoint_judge(&request, &log->before);
	if (out->status == ADD_CHECKPOINT_OK) {
		cosign_it(cosign, log, &request, out);
	} else if (out->status == ADD_CHECKPOINT_STALE) {
		snprintf(out->text, sizeof out->text, "%" PRIu64 "\n", log->before.size);
	}
	return ACCEPTED;
}
