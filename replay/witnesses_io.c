#include "replay/witnesses_io.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actors/anchor_config_io.h"
#include "actors/data_dir_io.h"

static void
set_word(struct setting_word *word, const char *text)
{
	if (text != NULL) {
		snprintf(word->bytes, sizeof word->bytes, "%s", text);
	}
}

/* What the cluster was given may be gone by now, or lie on another machine: that is said in the
 * place of the file's name. */
static bool
take_policy(struct witnesses *w)
{
	char fault[ANCHOR_FAULT_MAX];
	const bool is_read = anchor_policy_read(&w->settings, &w->policy, fault);

	w->has_policy = is_read && w->policy.witness_count > 0;
	w->is_broken = !is_read;
	if (!is_read) {
		snprintf(w->policy_from, sizeof w->policy_from, "%.500s", fault);
	} else if (w->has_policy) {
		snprintf(w->policy_from, sizeof w->policy_from, "%.500s",
			 w->settings.policy_file.bytes[0] != '\0' ? w->settings.policy_file.bytes
								  : "policy.txt");
	} else {
		snprintf(w->policy_from, sizeof w->policy_from, "%s",
			 w->settings.policy_file.bytes[0] != '\0' ? "that policy names no witness"
								  : "there is no policy.txt");
	}
	return is_read;
}

static bool
take_trust(struct witnesses *w)
{
	char fault[ANCHOR_FAULT_MAX];

	if (w->settings.tsa_ca_file.bytes[0] == '\0') {
		return true;
	}
	w->trust = anchor_trust_read(&w->settings, fault);
	snprintf(w->trust_from, sizeof w->trust_from, "%.500s",
		 w->trust == NULL ? fault : w->settings.tsa_ca_file.bytes);
	return w->trust != NULL;
}

static void
take_settings(struct witnesses *w, const char *data_dir)
{
	if (data_dir == NULL || !last_settings_read(data_dir, &w->settings)) {
		settings_preset(&w->settings);
	}
	set_word(&w->settings.data_dir, data_dir);
}

struct witnesses *
witnesses_open(const char *data_dir, const char *policy_file, const char *ca_file)
{
	struct witnesses *w = calloc(1, sizeof *w);

	assert(w != NULL);
	take_settings(w, data_dir);
	set_word(&w->settings.policy_file, policy_file);
	set_word(&w->settings.tsa_ca_file, ca_file);
	if (data_dir == NULL && policy_file == NULL) {
		snprintf(w->policy_from, sizeof w->policy_from, "no policy was given");
	} else if (!take_policy(w) && policy_file != NULL) {
		snprintf(w->fault, sizeof w->fault, "%s", w->policy_from);
	}
	if (!take_trust(w) && ca_file != NULL) {
		snprintf(w->fault, sizeof w->fault, "%s", w->trust_from);
	}
	return w;
}

void
witnesses_close(struct witnesses *witnesses)
{
	if (witnesses != NULL) {
		timestamp_trust_free(witnesses->trust);
	}
	free(witnesses);
}
