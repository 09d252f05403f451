/* The cluster as the supervisor holds it: data directory, sockets, settings, and a plan for each
 * child. */
#ifndef IFSWARM_ACTORS_CLUSTER_IO_H
#define IFSWARM_ACTORS_CLUSTER_IO_H

#include <sys/types.h>

#include "actors/certificate_io.h"
#include "actors/mailbox_io.h"
#include "actors/sockets_io.h"
#include "actors/start_io.h"
#include "actors/supervisor.h"
#include "actors/supervisor_reload_io.h"

/* In the order in which they are started; also the supervisor's groups. */
enum cluster_group { GROUP_WITNESS, GROUP_DECIDERS, GROUP_RELAYS, GROUP_GATEWAYS };

enum actor_kind {
	ACTOR_WITNESS,
	ACTOR_SESSION,
	ACTOR_ALLOCATION,
	ACTOR_RELAY,
	ACTOR_GATEWAY,
	ACTOR_INTAKE,
	ACTOR_ANCHOR,
	ACTOR_COSIGNER
};

enum { CLUSTER_PROGRAM_MAX = 1024 };

struct actor {
	enum actor_kind kind;
	unsigned number; /* from 1 */
	char name[32];   /* "relay-1", and the name of its mailbox */
	char program[CLUSTER_PROGRAM_MAX];
	pid_t pid;          /* 0 if none runs */
	uint64_t epoch;     /* as its last answer said */
	char last_exit[48]; /* "pid 12 signal 9"; "" before the first */
	struct mailbox_client *mailbox;
};

struct cluster {
	struct settings *settings; /* what runs */
	const struct settings_source *source;
	char run_dir[RUN_DIR_BYTES_MAX];
	int lock_fd;
	struct sockets sockets;
	int settings_fd;        /* with TURN's secrets: for relays and gateways */
	int settings_claims_fd; /* with the claims' token: for the intake */
	int settings_public_fd; /* without any: for the others */
	int nonce_key_fd;
	int certificate_fd; /* packed (certificate_io.h); -1 if TURN over TLS is not served */
	struct supervisor supervisor; /* its children are `actors`, index by index */
	struct actor actors[CHILDREN_MAX];
};

/* Makes and locks the data directory, opens everything. Changes the settings (the secret of DATA,
 * addresses this host does not have). False: it was logged. */
bool cluster_prepare(struct cluster *cluster, struct settings *settings,
		     const struct settings_source *source);

/* Takes over other settings: for who starts from now on, and as cluster_settings_text. False, with
 * nothing changed, if they cannot be handed over (logged). */
bool cluster_reload(struct cluster *cluster, const struct settings *settings);
/* The settings that kind of actor is given, SETTINGS_TEXT_MAX bytes at most; 0 if they cannot be
 * read. */
size_t cluster_settings_text(const struct cluster *cluster, enum actor_kind kind, char *out);

/* The certificate of TURN over TLS, where that is served; with a warning if clients will not
 * believe it. False if it cannot be used (logged). */
bool cluster_prepare_certificate(struct cluster *cluster);
/* That of other settings, to be given to cluster_take_certificate or closed; -1 without TLS, and
 * with a fault (else "") if it cannot be used. */
int cluster_read_certificate(const struct settings *settings, char fault[SETTING_FAULT_MAX]);
/* For who starts from now on, and as cluster_certificate. True if it is another. */
bool cluster_take_certificate(struct cluster *cluster, int fd);
/* Packed, for a RELOAD; 0 if there is none. */
size_t cluster_certificate(const struct cluster *cluster, uint8_t out[CERTIFICATE_PACKED_MAX]);
/* Where that other program lies: beside this one. False: it was logged. */
bool cluster_program(char out[CLUSTER_PROGRAM_MAX], const char *name);

/* Starts the process; false if it cannot (logged). */
bool cluster_start(struct cluster *cluster, size_t actor);

/* True for what STUN and TURN need, and for what signaling needs: the witness is both. */
bool actor_serves_turn(const struct actor *actor);
bool actor_serves_signaling(const struct actor *actor);

#endif
