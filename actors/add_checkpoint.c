#include "actors/add_checkpoint.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char old_word[] = "old ";

/* --- the body ------------------------------------------------------------------------------------
 */

static bool
next_line(struct span *rest, struct span *line)
{
	const uint8_t *end = rest->count == 0 ? NULL : memchr(rest->at, '\n', rest->count);

	if (end == NULL) {
		return false;
	}
	*line = (struct span){ rest->at, (size_t)(end - rest->at) };
	*rest = (struct span){ end + 1, rest->count - line->count - 1 };
	return true;
}

static bool
read_old(struct span line, uint64_t *out)
{
	const size_t word = sizeof old_word - 1;
	const size_t digits = line.count - word;

	*out = 0;
	if (line.count <= word || memcmp(line.at, old_word, word) != 0 ||
	    (digits > 1 && line.at[word] == '0')) {
		return false;
	}
	for (size_t i = word; i < line.count; i++) {
		const uint8_t digit = (uint8_t)(line.at[i] - '0');

		if (digit > 9 || *out > (UINT64_MAX - digit) / 10) {
			return false;
		}
		*out = *out * 10 + digit;
	}
	return true;
}

static bool
read_proof(struct span *rest, struct proof *out)
{
	struct span line;

	out->count = 0;
	while (next_line(rest, &line)) {
		if (line.count == 0) {
			return true;
		}
		if (out->count == ADD_CHECKPOINT_HASHES_MAX) {
			return false;
		}
		struct digest *hash = &out->hashes[out->count++];
		if (base64_read(hash->bytes, sizeof hash->bytes, (const char *)line.at,
				line.count) != sizeof hash->bytes) {
			return false;
		}
	}
	return false;
}

bool
add_checkpoint_read(struct span body, struct add_checkpoint *out)
{
	struct span rest = body;
	struct span line, signatures;

	return next_line(&rest, &line) && read_old(line, &out->old) &&
	       read_proof(&rest, &out->proof) && note_split(rest, &out->text, &signatures) &&
	       checkpoint_read(rest, &out->checkpoint) && (out->note = rest, true);
}

size_t
add_checkpoint_head(char out[ADD_CHECKPOINT_HEAD_MAX], uint64_t old, const struct proof *proof)
{
	size_t count =
		(size_t)snprintf(out, ADD_CHECKPOINT_HEAD_MAX, "%s%" PRIu64 "\n", old_word, old);

	for (uint32_t i = 0; i < proof->count && i < ADD_CHECKPOINT_HASHES_MAX; i++) {
		count += base64_write(out + count, proof->hashes[i].bytes,
				      sizeof proof->hashes[i].bytes);
		out[count++] = '\n';
	}
	out[count++] = '\n';
	out[count] = '\0';
	return count;
}

/* --- who signed it -------------------------------------------------------------------------------
 */

enum add_checkpoint_status
add_checkpoint_admit(const struct add_checkpoint *request, const struct policy *logs)
{
	enum add_checkpoint_status status = ADD_CHECKPOINT_UNKNOWN;
	bool holds = false;
	struct span text;

	for (uint32_t i = 0; i < logs->log_count; i++) {
		const struct log_verifier *key = &logs->logs[i].key;

		if (strcmp(key->name, request->checkpoint.origin) != 0) {
			continue;
		}
		const enum checkpoint_check check = note_verify(request->note, key, &text);
		/* A line under a known key that does not verify spoils the note, whatever else it
		 * has. */
		if (check == CHECKPOINT_FORGED || check == CHECKPOINT_MALFORMED) {
			return check == CHECKPOINT_FORGED ? ADD_CHECKPOINT_UNTRUSTED
							  : ADD_CHECKPOINT_BAD;
		}
		holds |= check == CHECKPOINT_HOLDS;
		status = ADD_CHECKPOINT_UNTRUSTED;
	}
	if (!holds) {
		return status;
	}
	return request->old > request->checkpoint.size ? ADD_CHECKPOINT_BAD : ADD_CHECKPOINT_OK;
}

/* --- whether it goes on from what was cosigned ---------------------------------------------------
 */

enum add_checkpoint_status
add_checkpoint_judge(const struct add_checkpoint *request, const struct cosigned_before *before)
{
	const struct checkpoint *new = &request->checkpoint;
	struct digest empty;

	if (request->old != before->size) {
		return ADD_CHECKPOINT_STALE;
	}
	merkle_empty_hash(&empty);
	if (new->size == 0 && !digest_equal(&new->root, &empty)) {
		return ADD_CHECKPOINT_INCONSISTENT;
	}
	if (request->old == 0) {
		return request->proof.count == 0 ? ADD_CHECKPOINT_OK : ADD_CHECKPOINT_INCONSISTENT;
	}
	/* It holds for equal sizes with equal roots and no hashes, too. */
	if (new->size < before->size ||
	    !proof_check_consistency(before->size, &before->root, new->size, &new->root,
				     &request->proof)) {
		return ADD_CHECKPOINT_INCONSISTENT;
	}
	return ADD_CHECKPOINT_OK;
}
