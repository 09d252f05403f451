/* How an actor's process begins: the arguments the supervisor gives it. */
#ifndef IFSWARM_ACTORS_START_IO_H
#define IFSWARM_ACTORS_START_IO_H

#include "protocol/settings.h"

enum { START_FDS_MAX = 64 };

struct start {
	uint64_t number; /* this gateway's or relay's, from 1; 1 for the others */
	char run_dir[SETTING_BYTES_MAX];
	size_t udp_fds;
	int udp_fd[START_FDS_MAX];
	size_t listen_fds;
	int listen_fd[START_FDS_MAX];
	int nonce_key_fd; /* -1 if none */
	struct settings settings;
};

/* Reads `--number N --settings-fd FD --run-dir DIR [--udp-fd FD]… [--listen-fd FD]… [--nonce-key-fd FD]`.
 * False, after a line on standard error, if they are not what a supervisor gives: such a program is
 * not for people. */
bool start_read(int argc, char **argv, struct start *out);

#endif
