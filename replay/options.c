#include "replay/options.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "replay/words.h"

/* Which commands know an option. */
enum {
	FOR_LOG = 1 << ASK_LOG,
	FOR_SHOW = 1 << ASK_SHOW,
	FOR_AGENT = 1 << ASK_AGENT,
	FOR_STATE = 1 << ASK_STATE,
	FOR_VERIFY = 1 << ASK_VERIFY,
	FOR_FOLLOW = 1 << ASK_FOLLOW,
	FOR_BACKUP = 1 << ASK_BACKUP,
	FOR_RESTORE = 1 << ASK_RESTORE,
	FOR_REPAIR = 1 << ASK_REPAIR,
	FOR_DOCTOR = 1 << ASK_DOCTOR,
	FOR_PROVE = 1 << ASK_PROVE,
	FOR_ALL = FOR_LOG | FOR_SHOW | FOR_AGENT | FOR_STATE | FOR_VERIFY | FOR_FOLLOW |
		  FOR_BACKUP | FOR_RESTORE | FOR_REPAIR | FOR_DOCTOR | FOR_PROVE,
};

enum operand { OPERAND_NONE, OPERAND_SEQ, OPERAND_PROOF, OPERAND_AGENT, OPERAND_COPY };

static const struct {
	const char *name;
	enum ask ask;
	enum operand operand;
} commands[] = {
	{ "log", ASK_LOG, OPERAND_NONE },       { "show", ASK_SHOW, OPERAND_SEQ },
	{ "agent", ASK_AGENT, OPERAND_AGENT },  { "state", ASK_STATE, OPERAND_NONE },
	{ "verify", ASK_VERIFY, OPERAND_NONE }, { "follow", ASK_FOLLOW, OPERAND_NONE },
	{ "backup", ASK_BACKUP, OPERAND_COPY }, { "restore", ASK_RESTORE, OPERAND_COPY },
	{ "repair", ASK_REPAIR, OPERAND_NONE }, { "doctor", ASK_DOCTOR, OPERAND_NONE },
	{ "prove", ASK_PROVE, OPERAND_PROOF },
};

enum option_kind {
	OPTION_DATA_DIR,
	OPTION_JSON,
	OPTION_AGENT,
	OPTION_ROOM,
	OPTION_TYPE,
	OPTION_STREAM,
	OPTION_FROM,
	OPTION_TO,
	OPTION_AT,
	OPTION_LIMIT,
	OPTION_CHECKPOINT,
	OPTION_VKEY,
	OPTION_KEYS,
	OPTION_DISCARD,
	OPTION_RANGE,
	OPTION_FROM_CHECKPOINT
};

static const struct option_row {
	const char *name;
	enum option_kind kind;
	bool has_value;
	unsigned commands;
} rows[] = {
	{ "--data-dir", OPTION_DATA_DIR, true, FOR_ALL },
	{ "--json", OPTION_JSON, false, FOR_ALL },
	{ "--agent", OPTION_AGENT, true, FOR_LOG | FOR_FOLLOW },
	{ "--room", OPTION_ROOM, true, FOR_LOG | FOR_FOLLOW },
	{ "--type", OPTION_TYPE, true, FOR_LOG | FOR_FOLLOW },
	{ "--stream", OPTION_STREAM, true, FOR_LOG | FOR_FOLLOW },
	{ "--from", OPTION_FROM, true, FOR_LOG | FOR_AGENT | FOR_FOLLOW | FOR_REPAIR },
	{ "--to", OPTION_TO, true, FOR_LOG | FOR_AGENT },
	{ "--at", OPTION_AT, true, FOR_STATE },
	{ "--limit", OPTION_LIMIT, true, FOR_LOG },
	{ "--checkpoint", OPTION_CHECKPOINT, true, FOR_VERIFY },
	{ "--vkey", OPTION_VKEY, true, FOR_VERIFY | FOR_PROVE },
	{ "--range", OPTION_RANGE, true, FOR_PROVE },
	{ "--from-checkpoint", OPTION_FROM_CHECKPOINT, true, FOR_PROVE },
	{ "--keys", OPTION_KEYS, true, FOR_BACKUP | FOR_RESTORE },
	{ "--discard", OPTION_DISCARD, false, FOR_RESTORE },
};

const char *
options_help(void)
{
	return "ifreplay " IFSWARM_VERSION ": reads the evidence log, and looks after it.\n"
	       "\n"
	       "  ifreplay log [filters]      events, the newest last\n"
	       "  ifreplay show SEQ           everything about one entry\n"
	       "  ifreplay agent NAME         one agent's story: rooms, whom it met, relays, "
	       "refusals\n"
	       "  ifreplay state [--at WHEN]  who was registered, which relays were allocated\n"
	       "  ifreplay verify             checks everything, names every break\n"
	       "  ifreplay prove SEQ          a C2SP tlog-proof that the entry is in the signed log\n"
	       "    or --range FIRST LAST (nothing left out), or --from-checkpoint FILE (it grew)\n"
	       "  ifreplay follow [filters]   events as they are recorded, until interrupted\n"
	       "  ifreplay backup DIR         a verified copy, beside a running cluster; --keys "
	       "DIR2\n"
	       "  ifreplay restore BACKUP     puts it back, never forks; --keys DIR2, --discard\n"
	       "  ifreplay repair --from COPY  takes from any copy only what proves\n"
	       "  ifreplay doctor             what is wrong here, and what to do\n"
	       "\n"
	       "Filters (log, follow; agent knows --from and --to)\n"
	       "  --agent NAME    an agent's or TURN user's name, or a handle of 32 hex digits\n"
	       "  --room NAME     a room's name or handle\n"
	       "  --type NAME     such as agent_registered\n"
	       "  --stream NAME   session, allocation, witness, operator, claimed\n"
	       "  --from WHEN     that entry and later: a seq, or a time as 2026-01-31T09:00:00Z\n"
	       "  --to WHEN       that entry and earlier (not for follow)\n"
	       "  --limit N       the last N that fit (log)\n"
	       "\n"
	       "Given from elsewhere: --checkpoint FILE (verify), --vkey FILE (verify, prove)\n"
	       "\n"
	       "Everywhere\n"
	       "  --data-dir DIR  the data directory, or a copy of one; default $IFSWARM_DATA or "
	       "./var\n"
	       "  --json          one JSON object on each line\n"
	       "  --help, --version\n"
	       "\n"
	       "Exit code: 0 it holds, 1 something was found or is missing, 2 usage.\n"
	       "Without keys.db names stay sealed: handles are shown in their place.\n";
}

/* What came from outside is quoted escaped and cut: it may be anything. */
static bool
refuse(char fault[OPTIONS_FAULT_MAX], const char *what, const char *word, const char *next)
{
	char shown[80];

	words_escape(shown, sizeof shown, word, strlen(word));
	snprintf(fault, OPTIONS_FAULT_MAX, "%s '%s': %s", what, shown, next);
	return false;
}

static bool
take_number(const char *value, uint64_t *out)
{
	struct moment moment = { 0 };

	if (!moment_parse(value, &moment) || moment.is_time) {
		return false;
	}
	*out = moment.value;
	return true;
}

static bool
take_stream(const char *value, uint64_t *out)
{
	for (uint64_t stream = 1; stream < STREAMS; stream++) {
		if (strcmp(stream_name(stream), value) == 0) {
			*out = stream;
			return true;
		}
	}
	return false;
}

static const char *const bad_moment =
	"give a seq, or a time with its zone such as 2026-01-31T09:00:00Z";

static bool
take_value(struct options *out, const struct option_row *row, const char *value,
	   char fault[OPTIONS_FAULT_MAX])
{
	switch (row->kind) {
	case OPTION_DATA_DIR:
		out->data_dir = value;
		return *value != '\0' || refuse(fault, "--data-dir", value, "give a directory");
	case OPTION_JSON:
		out->json = true;
		return true;
	case OPTION_AGENT:
		out->agent = value;
		return *value != '\0' || refuse(fault, "--agent", value, "give a name or handle");
	case OPTION_ROOM:
		out->room = value;
		return *value != '\0' || refuse(fault, "--room", value, "give a name or handle");
	case OPTION_TYPE:
		out->type = event_describe_name(value);
		return out->type != NULL || refuse(fault, "no event type", value,
						   "'ifreplay log --type "
						   "type_declared' lists them");
	case OPTION_STREAM:
		return take_stream(value, &out->stream) ||
		       refuse(fault, "no stream", value,
			      "one of session, allocation, witness, operator, claimed");
	case OPTION_FROM:
		if (out->ask == ASK_REPAIR) {
			out->copy = value;
			return *value != '\0' || refuse(fault, "--from", value, "give a copy");
		}
		return moment_parse(value, &out->from) ||
		       refuse(fault, "--from", value, bad_moment);
	case OPTION_TO:
		return moment_parse(value, &out->to) || refuse(fault, "--to", value, bad_moment);
	case OPTION_AT:
		return moment_parse(value, &out->at) || refuse(fault, "--at", value, bad_moment);
	case OPTION_LIMIT:
		return (take_number(value, &out->limit) && out->limit > 0) ||
		       refuse(fault, "--limit", value, "give a number above 0");
	case OPTION_CHECKPOINT:
		out->checkpoint = value;
		return *value != '\0' || refuse(fault, "--checkpoint", value, "give a file");
	case OPTION_KEYS:
		out->keys = value;
		return *value != '\0' || refuse(fault, "--keys", value, "give a directory");
	case OPTION_DISCARD:
		out->discard = true;
		return true;
	case OPTION_RANGE:
		return (moment_parse(value, &out->range_from) && !out->range_from.is_time) ||
		       refuse(fault, "--range", value, "give the first and the last seq");
	case OPTION_FROM_CHECKPOINT:
		out->from_checkpoint = value;
		return *value != '\0' || refuse(fault, "--from-checkpoint", value, "give a file");
	case OPTION_VKEY:
		out->vkey = value;
		return *value != '\0' || refuse(fault, "--vkey", value, "give a file");
	}
	return false;
}

static const struct option_row *
find_option(const char *word, size_t count)
{
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		if (strlen(rows[i].name) == count && memcmp(rows[i].name, word, count) == 0) {
			return &rows[i];
		}
	}
	return NULL;
}

/* "--name value" or "--name=value"; `at` moves over what was used. */
static bool
take_option(int argc, char *const argv[], int *at, struct options *out, unsigned *used,
	    char fault[OPTIONS_FAULT_MAX])
{
	const char *word = argv[*at];
	const char *equal = strchr(word, '=');
	const char *value = equal == NULL ? NULL : equal + 1;
	const struct option_row *row =
		find_option(word, equal == NULL ? strlen(word) : (size_t)(equal - word));

	if (row == NULL) {
		return refuse(fault, "unknown option", word, "see ifreplay --help");
	}
	if (!row->has_value && value != NULL) {
		return refuse(fault, "no value is taken by", word, "see ifreplay --help");
	}
	if (row->has_value && value == NULL) {
		if (*at + 1 == argc) {
			return refuse(fault, "a value is missing after", word,
				      "see ifreplay --help");
		}
		value = argv[++*at];
	}
	*used |= 1u << row->kind;
	return take_value(out, row, value, fault);
}

static bool
take_command(const char *word, struct options *out, enum operand *operand,
	     char fault[OPTIONS_FAULT_MAX])
{
	for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
		if (strcmp(commands[i].name, word) == 0) {
			out->ask = commands[i].ask;
			*operand = commands[i].operand;
			return true;
		}
	}
	return refuse(fault, "unknown command", word, "see ifreplay --help");
}

static bool
take_operand(const char *word, struct options *out, enum operand *operand,
	     char fault[OPTIONS_FAULT_MAX])
{
	const enum operand wanted = *operand;

	*operand = OPERAND_NONE;
	switch (wanted) {
	case OPERAND_NONE:
		return refuse(fault, "nothing is asked with", word, "see ifreplay --help");
	case OPERAND_SEQ:
	case OPERAND_PROOF:
		return take_number(word, &out->seq) ||
		       refuse(fault, "not a seq:", word, "give the number of an entry");
	case OPERAND_COPY:
		out->copy = word;
		return *word != '\0' || refuse(fault, "no directory", word, "name one");
	case OPERAND_AGENT:
		out->agent = word;
		return *word != '\0' || refuse(fault, "no agent", word, "give a name or handle");
	}
	return false;
}

static bool
check_whole(const struct options *out, enum operand missing, unsigned used,
	    char fault[OPTIONS_FAULT_MAX])
{
	if (out->ask == ASK_NONE) {
		return refuse(fault, "a command is missing after", "ifreplay",
			      "see ifreplay --help");
	}
	if (missing == OPERAND_SEQ) {
		return refuse(fault, "a seq is missing after", "show",
			      "for example: ifreplay show 0");
	}
	if (missing == OPERAND_PROOF && out->from_checkpoint == NULL) {
		return refuse(fault, "a seq is missing after", "prove",
			      "for example: ifreplay prove 0");
	}
	if (missing == OPERAND_COPY) {
		return refuse(fault, "a directory is missing after",
			      out->ask == ASK_BACKUP ? "backup" : "restore",
			      "name the backup's directory");
	}
	if (out->ask == ASK_REPAIR && out->copy == NULL) {
		return refuse(fault, "a copy is missing after", "repair",
			      "for example: ifreplay repair --from /backup/monday");
	}
	if (missing == OPERAND_AGENT) {
		return refuse(fault, "a name is missing after", "agent",
			      "for example: ifreplay agent alice");
	}
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		if ((used & 1u << rows[i].kind) != 0 && (rows[i].commands & 1u << out->ask) == 0) {
			return refuse(fault, "this command does not know", rows[i].name,
				      "see ifreplay --help");
		}
	}
	return true;
}

bool
options_parse(int argc, char *const argv[], const char *data_variable, struct options *out,
	      char fault[OPTIONS_FAULT_MAX])
{
	enum operand operand = OPERAND_NONE;
	unsigned used = 0;

	assert(argc >= 1);
	*out = (struct options){ .ask = ASK_NONE };
	out->data_dir = data_variable != NULL && *data_variable != '\0' ? data_variable : "./var";
	fault[0] = '\0';
	for (int at = 1; at < argc; at++) {
		const char *word = argv[at];
		bool taken = false;

		if (strcmp(word, "--help") == 0 || strcmp(word, "--version") == 0) {
			out->ask = word[2] == 'h' ? ASK_HELP : ASK_VERSION;
			return true;
		}
		if (strncmp(word, "--", 2) == 0) {
			taken = take_option(argc, argv, &at, out, &used, fault);
		} else if (out->ask == ASK_NONE) {
			taken = take_command(word, out, &operand, fault);
		} else {
			taken = take_operand(word, out, &operand, fault);
		}
		if (!taken) {
			return false;
		}
	}
	return check_whole(out, operand, used, fault);
}
