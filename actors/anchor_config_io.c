#include "actors/anchor_config_io.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/files_io.h"

static const char *
path_of(const struct settings *settings, const struct setting_word *named, const char *usual,
	char out[FILE_PATH_MAX])
{
	if (named->bytes[0] != '\0') {
		return named->bytes;
	}
	path_join(out, settings->data_dir.bytes, usual);
	return out;
}

static bool
say(char fault[ANCHOR_FAULT_MAX], const char *path, const char *what)
{
	snprintf(fault, ANCHOR_FAULT_MAX, "%.240s: %.256s", path, what);
	return false;
}

static bool
read_policy(const char *path, enum policy_kind kind, struct policy *out,
	    char fault[ANCHOR_FAULT_MAX])
{
	uint8_t *text = malloc(POLICY_BYTES_MAX);
	char what[POLICY_FAULT_MAX];
	size_t count = 0;

	assert(text != NULL);
	const enum file_result result = file_read(path, text, POLICY_BYTES_MAX, &count);
	bool ok = result == FILE_OK;
	if (!ok) {
		say(fault, path,
		    result == FILE_MISSING ? "no such file: make it, or set its key to another"
					   : "cannot be read, or is larger than 64 KiB");
	} else if (!policy_read((struct span){ text, count }, kind, out, what)) {
		ok = say(fault, path, what);
	}
	free(text);
	return ok;
}

bool
anchor_policy_read(const struct settings *settings, struct policy *out,
		   char fault[ANCHOR_FAULT_MAX])
{
	char usual[FILE_PATH_MAX];
	const char *path = path_of(settings, &settings->policy_file, "policy.txt", usual);

	if (path == usual && !file_exists(path)) {
		memset(out, 0, sizeof *out);
		out->quorum = POLICY_NONE;
		return true;
	}
	return read_policy(path, POLICY_WHOLE, out, fault);
}

bool
anchor_logs_read(const struct settings *settings, struct policy *out, char fault[ANCHOR_FAULT_MAX])
{
	char usual[FILE_PATH_MAX];
	const char *path = path_of(settings, &settings->witness_logs, "logs.txt", usual);

	if (!read_policy(path, POLICY_LOGS, out, fault)) {
		return false;
	}
	return out->log_count > 0 ||
	       say(fault, path, "names no log: write lines \"log VKEY\", or witness-port = 0");
}

struct timestamp_trust *
anchor_trust_read(const struct settings *settings, char fault[ANCHOR_FAULT_MAX])
{
	const char *path = settings->tsa_ca_file.bytes;
	uint8_t *text = malloc(TIMESTAMP_CA_MAX);
	size_t count = 0;

	assert(text != NULL);
	struct timestamp_trust *trust = file_read(path, text, TIMESTAMP_CA_MAX, &count) == FILE_OK
						? timestamp_trust_read((struct span){ text, count })
						: NULL;
	free(text);
	if (trust == NULL) {
		say(fault, path, "not certificates that can be read (PEM, at most 256 KiB)");
	}
	return trust;
}

void
anchor_config_check(const struct settings *settings, struct setting_faults *faults)
{
	struct policy *policy = malloc(sizeof *policy);
	char fault[ANCHOR_FAULT_MAX];

	assert(policy != NULL);
	if (!anchor_policy_read(settings, policy, fault)) {
		setting_fault_add(faults, "%s: policy-file: %s",
				  setting_source(faults, "policy-file"), fault);
	}
	if (settings->witness_port != 0 && !anchor_logs_read(settings, policy, fault)) {
		setting_fault_add(faults, "%s: witness-logs: %s",
				  setting_source(faults, "witness-logs"), fault);
	}
	free(policy);
	if (settings->tsa_url.bytes[0] != '\0' && settings->tsa_ca_file.bytes[0] != '\0') {
		struct timestamp_trust *trust = anchor_trust_read(settings, fault);

		if (trust == NULL) {
			setting_fault_add(faults, "%s: tsa-ca-file: %s",
					  setting_source(faults, "tsa-ca-file"), fault);
		}
		timestamp_trust_free(trust);
	}
}

bool
anchor_is_wanted(const struct settings *settings)
{
	struct policy *policy = malloc(sizeof *policy);
	char fault[ANCHOR_FAULT_MAX];
	bool wanted = settings->tsa_url.bytes[0] != '\0';

	assert(policy != NULL);
	if (anchor_policy_read(settings, policy, fault)) {
		for (uint32_t i = 0; i < policy->witness_count; i++) {
			wanted |= policy->witnesses[i].url[0] != '\0';
		}
	}
	free(policy);
	return wanted;
}
