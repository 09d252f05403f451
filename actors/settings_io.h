/* Settings from the world: the layers an operator gives them in, and the sealed copy that a
 * supervisor hands to its children.
 *
 * Layers, each over the one before: presets, ifswarm.conf, environment, options. Secrets come from
 * the file or the environment, never from the command line, where every user of the machine can
 * read them.
 */
#ifndef IFSWARM_ACTORS_SETTINGS_IO_H
#define IFSWARM_ACTORS_SETTINGS_IO_H

#include "protocol/settings.h"

enum { SETTINGS_FILE_BYTES_MAX = 1024 * 1024, START_FDS_MAX = 16, RUN_DIR_BYTES_MAX = 92 };

/* --- An actor's side ----------------------------------------------------------------------------
 */

/* What a supervisor tells every program it starts:
 *   --number N --settings-fd FD --run-dir DIR [--udp-fd FD]... [--listen-fd FD]... [--nonce-key-fd
 * FD] */
struct start {
	unsigned number;                 /* from 1 */
	struct settings *settings;       /* owned by the library, lives as long as the process */
	char run_dir[RUN_DIR_BYTES_MAX]; /* DIR/witness.ipc and the like, for
					    "ipc://DIR/witness.ipc" */
	int sockets[START_FDS_MAX]; /* --udp-fd or --listen-fd, in order; close-on-exec is set */
	size_t socket_count;
	int nonce_key_fd; /* -1 if none; 32 bytes to be read from offset 0 */
};

/* Reads the arguments and the settings, and starts log_line with the name "KIND-N" ("KIND" alone
 * when `single`: there is only one of it). False if something is missing or unreadable: it was
 * logged. */
bool start_read(struct start *out, const char *kind, bool single, int argc, char **argv);

/* Reads settings_write's text from a descriptor, from offset 0. False if it cannot. */
bool settings_receive(int fd, struct settings *out, struct setting_faults *faults);

/* --- The operator's side ------------------------------------------------------------------------
 */

struct settings_option {
	const char *key;   /* without the dashes */
	const char *value; /* NULL for a bare flag */
};

/* All layers in order; `file` NULL: ./ifswarm.conf, else /etc/ifswarm/ifswarm.conf, if there is
 * one. Every fault of every layer is added, and then those of settings_check once the layers are
 * readable. Notes (what is accepted and not needed) go to log_line. `used` gets the file's name, or
 * "". */
void settings_load(struct settings *out, const char *file, const struct settings_option *options,
		   size_t option_count, struct setting_faults *faults, struct setting_word *used);

#endif
