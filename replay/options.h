/* The command line of ifreplay, as a value. Everything that is not understood is refused by name:
 * an audit that silently ignored an option would answer another question than the one asked.
 */
#ifndef IFSWARM_REPLAY_OPTIONS_H
#define IFSWARM_REPLAY_OPTIONS_H

#include "protocol/event.h"
#include "replay/moment.h"

enum ask {
	ASK_NONE,
	ASK_HELP,
	ASK_VERSION,
	ASK_LOG,
	ASK_SHOW,
	ASK_AGENT,
	ASK_STATE,
	ASK_VERIFY,
	ASK_FOLLOW,
	ASK_PROVE,
	/* From here on no log needs to open first. */
	ASK_BACKUP,
	ASK_RESTORE,
	ASK_REPAIR,
	ASK_DOCTOR,
};

/* Strings are borrowed from the command line. */
struct options {
	enum ask ask;
	const char *data_dir;
	bool json;
	const char *agent;                    /* a name or 32 hex digits; NULL any */
	const char *room;                     /* the same */
	const struct event_description *type; /* NULL any */
	uint64_t stream;                      /* 0 any */
	struct moment from;
	struct moment to;
	struct moment at;
	uint64_t limit;         /* 0 no limit */
	uint64_t seq;           /* of show, prove; the last one of a range */
	struct moment range_from;    /* of prove: the first seq of a range */
	const char *from_checkpoint; /* of prove: a file; NULL none */
	const char *checkpoint; /* a file with a checkpoint of one's own; NULL none */
	const char *copy;       /* DIR of backup, BACKUP of restore, COPY of repair */
	const char *keys;       /* of backup, restore: the keys' own place; NULL none */
	bool discard;           /* of restore: keep no old files */
	const char *vkey;       /* a file with the log's key of one's own; NULL: DATA/log.vkey */
};

enum { OPTIONS_FAULT_MAX = 320 };

/* Reads argv[1..]; without --data-dir the value of IFSWARM_DATA counts, which may be NULL (then
 * ./var). False: `fault` holds one line that names what is wrong and what to do. */
bool options_parse(int argc, char *const argv[], const char *data_variable, struct options *out,
		   char fault[OPTIONS_FAULT_MAX]);

/* What --help prints: it fits a screen. */
const char *options_help(void);

#endif
