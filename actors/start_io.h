/* How an actor's program starts: what the supervisor tells it.
 *
 *   --number N --settings-fd FD --run-dir DIR [--udp-fd FD]... [--listen-fd FD]... [--nonce-key-fd
 * FD] [--certificate-fd FD]
 */
#ifndef IFSWARM_ACTORS_START_IO_H
#define IFSWARM_ACTORS_START_IO_H

#include "protocol/settings.h"

enum {
	START_FDS_MAX = 320, /* each listening-ip over UDP, DTLS, TCP and TLS, and behind a proxy */
	RUN_DIR_BYTES_MAX = 92, /* "/allocation.ipc" behind it, a Unix socket's path has 107 */
};

struct start {
	unsigned number;                 /* this gateway's or relay's, from 1; 1 for the others */
	struct settings *settings;       /* owned by the library, lives as long as the process */
	char run_dir[RUN_DIR_BYTES_MAX]; /* for mailbox_url */
	int sockets[START_FDS_MAX]; /* --udp-fd or --listen-fd, in order; close-on-exec is set */
	size_t socket_count;
	int nonce_key_fd;   /* -1 if none; NONCE_KEY_BYTES (protocol/nonce.h) from offset 0: use
			     * pread, others share it
			     */
	int certificate_fd; /* likewise: a packed certificate (certificate_io.h) */
};

/* Reads the arguments and the settings, and starts log_line with the name "KIND-N" ("KIND" alone
 * when `single`: there is only one of it). False if something is missing or unreadable: it was
 * logged. */
bool start_read(struct start *out, const char *kind, bool single, int argc, char **argv);

#endif
