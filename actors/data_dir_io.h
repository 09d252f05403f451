/* The supervisor's part of the data directory: who holds it, where the actors' sockets lie, and the
 * two secrets that it makes at the first start. (The log and its keys are the witness's.)
 *
 *   DATA/              0700
 *   DATA/lock          the pid of the supervisor that runs
 *   DATA/private/      0700: turn.secret (of time-limited credentials), nonce.key (of the relays),
 * each 0600 DATA/run/          0700: the actors' sockets; or a file `where` that names a directory
 * with a shorter path
 */
#ifndef IFSWARM_ACTORS_DATA_DIR_IO_H
#define IFSWARM_ACTORS_DATA_DIR_IO_H

#include "actors/start_io.h"
#include "protocol/settings.h"

/* Makes what is missing. False if it cannot, or if others could write there: it was logged. */
bool data_dir_make(const char *data);

/* Takes the lock: a read-only, close-on-exec descriptor that holds it until all who have it are
 * gone, so the children get it too. -1, with a line that names the pid that has it. After a killed
 * supervisor it waits for its actors. */
int data_dir_lock(const char *data);
/* The pid of the supervisor that holds it; 0 if none runs. */
long data_dir_holder(const char *data);

/* Where the sockets lie, made with mode 0700; a Unix socket's path has 107 bytes at most, so a long
 * DATA gets a directory in $XDG_RUNTIME_DIR or /tmp, and a line that says so. */
bool run_dir_make(const char *data, char out[RUN_DIR_BYTES_MAX]);
/* The same for those who ask a running cluster; false if DATA has none. */
bool run_dir_find(const char *data, char out[RUN_DIR_BYTES_MAX]);

/* Without a configured secret (and without no-auth) the secret of DATA becomes one of the settings;
 * `make`: and is made if it is missing. False if it cannot be read or made: it was logged. */
bool turn_secret_add(struct settings *settings, bool make);

/* What the running cluster was started with, without its secrets, for the commands that tell others
 * how to reach it: DATA/run/settings. False if it cannot be written (it was logged), or if no
 * cluster runs. */
bool running_settings_write(const char *data, const char *text, size_t count);
bool running_settings_read(const char *data, struct settings *out);
/* The same, of the cluster that ran there last if none runs: for those who audit it afterwards. */
bool last_settings_read(const char *data, struct settings *out);

/* The relays' shared key of nonces, made if it is missing, in a sealed memfd. -1: it was logged. */
int nonce_key_open(const char *data);

/* A sealed, read-only memfd (close-on-exec) with these bytes; -1 with errno. */
int sealed_memfd(const char *name, const void *bytes, size_t count);

#endif
