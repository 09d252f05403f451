#include "store/export_key_io.h"

#include <stdio.h>
#include <string.h>

#include "store/seal.h"

/* What others need to check our signature. */
static bool
write_vkey(const char *directory, const struct log_signer *signer)
{
	char path[FILE_PATH_MAX];
	char text[CHECKPOINT_VKEY_MAX + 1];

	path_join(path, directory, "export.vkey");
	if (file_exists(path)) {
		return true;
	}
	log_verifier_write(text, &signer->verifier);
	const size_t count = strlen(text);
	text[count] = '\n';
	return file_replace(path, (struct span){ (const uint8_t *)text, count + 1 }, 0644, true) ==
	       FILE_OK;
}

bool
export_key_open(const char *directory, const char *origin, struct log_signer *out, char *fault,
		size_t fault_size)
{
	char path[FILE_PATH_MAX];
	char name[ORIGIN_BYTES_MAX + 16];
	uint8_t seed[32];

	snprintf(name, sizeof name, "%s/export", origin);
	if (!origin_is_wellformed(name)) {
		snprintf(fault, fault_size, "the origin %s is too long to name an export key",
			 origin);
		return false;
	}
	path_join(path, directory, "private/export.key");
	enum file_result result = secret_read(path, seed);
	if (result == FILE_MISSING) {
		result = secret_make(path, seed);
	}
	if (result != FILE_OK) {
		snprintf(fault, fault_size,
			 "%s: the key that signs exports cannot be read or made: export from the "
			 "log's own data directory",
			 path);
		return false;
	}
	log_signer_make(out, name, seed);
	seal_forget(seed, sizeof seed);
	if (!write_vkey(directory, out)) {
		snprintf(fault, fault_size, "%s/export.vkey cannot be written", directory);
		return false;
	}
	return true;
}
