/* What a reload changes: which keys differ between the configuration that runs and the one that was
 * read, and which of them a running cluster can take over (reload.def).
 *
 * A secret that the new configuration no longer names stays accepted for secret-overlap seconds, so
 * that credentials made with it do not end in the middle of a call (THREATS C13): it moves to
 * retired-auth-secret, with the second it ends in. Nothing is retired for longer than that,
 * counted from this reload: secret-overlap = 0 refuses all of them at once.
 */
#ifndef IFSWARM_PROTOCOL_SETTINGS_RELOAD_H
#define IFSWARM_PROTOCOL_SETTINGS_RELOAD_H

#include "protocol/settings.h"

/* Keys by their place in the table of settings. */
struct setting_changes {
	bool taken[SETTINGS_COUNT]; /* takes effect now */
	bool kept[SETTINGS_COUNT];  /* differs, and needs a restart */
	size_t taken_count;
	size_t kept_count;
};

/* True if a running cluster takes over a new value of that key. */
bool setting_is_reloadable(const char *key);
/* True if the key has the same value in both. */
bool setting_is_equal(const struct settings *a, const struct settings *b, size_t place);

/* Takes from `next` into `running` what can be taken, and says what that was. Retired secrets are
 * no change of their own: they follow from static-auth-secret. */
void settings_reload(struct settings *running, const struct settings *next, uint64_t now_s,
		     struct setting_changes *out);

/* "UNTIL:SECRET" of retired-auth-secret, UNTIL in seconds since 1970. The secret is borrowed; NULL
 * if it is none. */
const char *retired_secret_read(const char *text, uint64_t *until_s);

#endif
