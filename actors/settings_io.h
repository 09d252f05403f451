/* Settings from the world: the layers an operator gives them in.
 *
 * Layers, each over the one before: presets, ifswarm.conf, environment, options. Secrets come from
 * the file or the environment, never from the command line, where every user of the machine can
 * read them.
 */
#ifndef IFSWARM_ACTORS_SETTINGS_IO_H
#define IFSWARM_ACTORS_SETTINGS_IO_H

#include "actors/start_io.h"
#include "protocol/settings.h"

enum { SETTINGS_FILE_BYTES_MAX = 1024 * 1024 };

struct settings_option {
	const char *key;   /* without the dashes */
	const char *value; /* NULL for a bare flag */
};

enum settings_occasion {
	SETTINGS_FIRST,
	SETTINGS_AGAIN, /* while it runs: what only the host knows (auto-detect) is not asked again
			 */
};

/* All layers in order; `file` NULL: ./ifswarm.conf, else /etc/ifswarm/ifswarm.conf, if there is
 * one. Every fault of every layer is added, and then those of settings_check once the layers are
 * readable. Notes (what is accepted and not needed) go to log_line. `used` gets the file's name, or
 * "". */
void settings_load(struct settings *out, const char *file, const struct settings_option *options,
		   size_t option_count, enum settings_occasion occasion,
		   struct setting_faults *faults, struct setting_word *used);

#endif
