#include "store/head_io.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "store/merkle.h"

enum file_result
head_write(const char *directory, struct span note)
{
	char path[FILE_PATH_MAX];

	path_join(path, directory, "head");
	return file_replace(path, note, 0600, true);
}

bool
head_exists(const char *directory)
{
	char path[FILE_PATH_MAX];

	path_join(path, directory, "head");
	return file_exists(path);
}

static bool
root_of_size(struct lookup *log, uint64_t size, struct digest *out)
{
	struct merkle *tree = malloc(sizeof *tree);
	const bool ok = tree != NULL && merkle_resume(tree, size, lookup_hashes, log);

	if (ok) {
		merkle_root(tree, out);
	}
	free(tree);
	return ok;
}

static bool
log_contains(struct lookup *log, uint64_t size, const struct checkpoint *head, const char *path,
	     char *reason, size_t reason_size)
{
	struct digest root;

	if (size < head->size) {
		snprintf(reason, reason_size,
			 "%s covers %" PRIu64 " events, witness.db holds %" PRIu64
			 ": events %" PRIu64 " to %" PRIu64
			 " are missing; put back the witness.db that has them",
			 path, head->size, size, size, head->size - 1);
		return false;
	}
	if (!root_of_size(log, head->size, &root) || !digest_equal(&root, &head->root)) {
		snprintf(reason, reason_size,
			 "%s was signed over other events: 0 to %" PRIu64
			 " of witness.db do not give its "
			 "root; put back the witness.db that does, and see ifreplay verify",
			 path, head->size - 1);
		return false;
	}
	return true;
}

bool
head_is_extended(const char *directory, const struct log_verifier *verifier, struct lookup *log,
		 uint64_t size, uint64_t checkpointed, char *reason, size_t reason_size)
{
	char path[FILE_PATH_MAX];
	char note[CHECKPOINT_NOTE_MAX];
	size_t count = 0;
	struct checkpoint head = { 0 };

	path_join(path, directory, "head");
	const enum file_result result = file_read(path, note, sizeof note, &count);
	if (result == FILE_MISSING && checkpointed == 0) {
		return true;
	}
	if (result == FILE_MISSING) {
		snprintf(reason, reason_size,
			 "%s is missing, though checkpoints up to %" PRIu64
			 " events were published: put it "
			 "back, or copy the newest pub/checkpoint there",
			 path, checkpointed);
		return false;
	}
	const struct span bytes = { (const uint8_t *)note, count };
	const enum checkpoint_check check = result == FILE_OK
						    ? checkpoint_verify(bytes, verifier, &head)
						    : CHECKPOINT_MALFORMED;
	if (check != CHECKPOINT_HOLDS) {
		snprintf(reason, reason_size, "%s: %s: put back the one this log published", path,
			 checkpoint_check_text(check));
		return false;
	}
	return log_contains(log, size, &head, path, reason, reason_size);
}
