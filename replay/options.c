#include "replay/options.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "replay/chart.h"
#include "replay/words.h"

/* Which commands know an option. */
#define FOR(ask) (UINT64_C(1) << ASK_##ask)
#define FOR_ALL  UINT64_MAX
/* Those that tell events one by one, and those that add them up. */
#define FOR_EVENTS (FOR(LOG) | FOR(FOLLOW) | FOR(TRACE))
#define FOR_REPORTS                                                                                \
	(FOR(ROOM) | FOR(SESSION) | FOR(PEERS) | FOR(TIMELINE) | FOR(REFUSALS) | FOR(STATS))
#define FOR_FILTERS (FOR_EVENTS | FOR_REPORTS)
_Static_assert((int)ASK_COUNT <= 64, "a command for each bit");

/* How a word becomes a value, and what to say of one that does not. */
enum take {
	TAKE_FLAG,
	TAKE_TEXT,
	TAKE_NAME,
	TAKE_PRIVATE,
	TAKE_COUNT,
	TAKE_WIDTH,
	TAKE_MOMENT,
	TAKE_SEQ,
	TAKE_TYPE,
	TAKE_STREAM,
	TAKE_OUTCOME,
	TAKE_ID,
	TAKE_PLACE,
	TAKE_NUMBER
};

static const char *const take_advice[] = {
	[TAKE_FLAG] = "see ifreplay --help",
	[TAKE_TEXT] = "it must not be empty",
	[TAKE_PRIVATE] = "it must not be empty",
	[TAKE_NAME] = "give a name, or a handle of 32 hex digits",
	[TAKE_COUNT] = "give a number above 0",
	[TAKE_WIDTH] = "give a number from 40 to 500",
	[TAKE_MOMENT] = "give a seq, or a time with its zone such as 2026-01-31T09:00:00Z",
	[TAKE_SEQ] = "give the number of an entry",
	[TAKE_TYPE] = "'ifreplay log --type type_declared' lists the types",
	[TAKE_STREAM] = "one of session, allocation, witness, operator, claimed",
	[TAKE_OUTCOME] = "accepted, refused, or a verdict such as REFUSED_QUOTA",
	[TAKE_PLACE] = "give a seq, a time, or a checkpoint's file",
	[TAKE_ID] = "give 32 hex digits",
	[TAKE_NUMBER] = "give the number of an entry",
};

static const struct option_row {
	const char *name;
	enum take take;
	size_t field;
	const char *value; /* as --help names it; empty for a flag */
	const char *meaning;
	uint64_t commands;
} rows[] = {
#define OPTION(field, take, name, value, meaning, commands)                                        \
	{ name, TAKE_##take, offsetof(struct options, field), value, meaning, commands },
#define OPTION_AS OPTION
#include "replay/options.def"
#undef OPTION
#undef OPTION_AS
};
enum { ROWS = sizeof rows / sizeof rows[0] };

enum operand {
	OPERAND_NONE,
	OPERAND_SEQ,
	OPERAND_AGENT,
	OPERAND_PEER,
	OPERAND_ROOM,
	OPERAND_TRACE,
	OPERAND_COPY,
	OPERAND_HOLD
};

static const struct operand_row {
	const char *name;
	enum take take;
	size_t field;
} operands[] = {
	[OPERAND_NONE] = { "nothing", TAKE_FLAG, 0 },
	[OPERAND_SEQ] = { "a seq", TAKE_NUMBER, offsetof(struct options, seq) },
	[OPERAND_AGENT] = { "a name", TAKE_NAME, offsetof(struct options, agent) },
	[OPERAND_PEER] = { "a second name", TAKE_NAME, offsetof(struct options, peer) },
	[OPERAND_ROOM] = { "a room", TAKE_NAME, offsetof(struct options, room) },
	[OPERAND_TRACE] = { "an id", TAKE_ID, offsetof(struct options, trace) },
	[OPERAND_HOLD] = { "a hold's id", TAKE_ID, offsetof(struct options, hold) },
	[OPERAND_COPY] = { "a directory", TAKE_TEXT, offsetof(struct options, copy) },
};

enum { OPERANDS_MAX = 2 };

static const struct command {
	const char *name;
	enum operand operand[OPERANDS_MAX];
	unsigned needed;
	const char *usage;
	const char *summary;
	const char *example;
} commands[ASK_COUNT] = {
	[ASK_NONE] = { "ifreplay", { OPERAND_NONE, OPERAND_NONE }, 0, "", "", "" },
#define COMMAND(ask, function, name, kind, first, second, needed, operands, summary, example)      \
	[ASK_##ask] = { name,   { OPERAND_##first, OPERAND_##second }, needed, operands, summary,  \
			example },
#include "replay/commands.def"
#undef COMMAND
};

const char *
options_command_name(enum ask ask)
{
	return commands[ask].name;
}

static void
help_of_all(char out[OPTIONS_HELP_MAX])
{
	size_t at = (size_t)snprintf(out, OPTIONS_HELP_MAX,
				     "ifreplay " IFSWARM_VERSION
				     ": reads the evidence log, and looks after it.\n\n");

	for (unsigned ask = ASK_NONE + 1; ask < ASK_COUNT; ask++) {
		const struct command *c = &commands[ask];

		at += (size_t)snprintf(out + at, OPTIONS_HELP_MAX - at, "  %-14s %-13s %s\n",
				       c->name, c->usage, c->summary);
		assert(at < OPTIONS_HELP_MAX);
	}
	at += (size_t)snprintf(
		out + at, OPTIONS_HELP_MAX - at,
		"\n"
		"  ifreplay COMMAND --help   the options of one command\n"
		"  --data-dir DIR            the data directory, or a copy of one; default "
		"$IFSWARM_DATA or ./var\n"
		"  --json                    one JSON object on each line\n"
		"  --version\n"
		"\n"
		"Exit code: 0 it holds, 1 something was found or is missing, 2 usage.\n"
		"Without keys.db names stay sealed: handles are shown in their place.\n");
	assert(at < OPTIONS_HELP_MAX);
}

void
options_help(enum ask ask, char out[OPTIONS_HELP_MAX])
{
	if (ask == ASK_NONE) {
		help_of_all(out);
		return;
	}
	const struct command *c = &commands[ask];
	size_t at = (size_t)snprintf(out, OPTIONS_HELP_MAX, "ifreplay %s %s: %s.\n\n", c->name,
				     *c->usage == '\0' ? "[options]" : c->usage, c->summary);

	for (size_t i = 0; i < ROWS; i++) {
		char name[40];

		if ((rows[i].commands & UINT64_C(1) << ask) == 0) {
			continue;
		}
		snprintf(name, sizeof name, "%s %s", rows[i].name, rows[i].value);
		at += (size_t)snprintf(out + at, OPTIONS_HELP_MAX - at, "  %-26s %s\n", name,
				       rows[i].meaning);
		assert(at < OPTIONS_HELP_MAX);
	}
	at += (size_t)snprintf(out + at, OPTIONS_HELP_MAX - at, "\nFor example: ifreplay %s %s\n",
			       c->name, c->example);
	assert(at < OPTIONS_HELP_MAX);
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
take_seq(const char *value, struct moment *out)
{
	struct moment moment = { 0 };

	if (!moment_parse(value, &moment) || moment.is_time) {
		return false;
	}
	*out = moment;
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

/* Dashes, as UUIDs are written, are passed over. */
static bool
take_id(const char *value, struct id *out)
{
	char digits[2 * sizeof out->bytes + 1];
	size_t count = 0;

	for (; *value != '\0'; value++) {
		if (*value == '-') {
			continue;
		}
		if (count == sizeof digits - 1) {
			return false;
		}
		digits[count++] = *value;
	}
	digits[count] = '\0';
	return words_is_handle(digits) && hex_read(out->bytes, digits, sizeof out->bytes) &&
	       !id_is_none(out);
}

static bool
take_word(struct options *out, enum take take, size_t field, const char *word)
{
	void *const at = (char *)out + field;
	struct moment seq = { 0 };

	switch (take) {
	case TAKE_FLAG:
		*(bool *)at = true;
		return true;
	case TAKE_TEXT:
	case TAKE_PRIVATE:
		*(const char **)at = word;
		return *word != '\0';
	case TAKE_NAME:
		*(const char **)at = word;
		out->asked = out->asked == NULL ? word : out->asked;
		return *word != '\0';
	case TAKE_COUNT:
	case TAKE_NUMBER:
		if (!take_seq(word, &seq) || (take == TAKE_COUNT && seq.value == 0)) {
			return false;
		}
		*(uint64_t *)at = seq.value;
		return true;
	case TAKE_WIDTH:
		if (!take_seq(word, &seq) || seq.value < CHART_WIDTH_MIN ||
		    seq.value > CHART_WIDTH_MAX) {
			return false;
		}
		*(uint64_t *)at = seq.value;
		return true;
	case TAKE_MOMENT:
		return moment_parse(word, at);
	case TAKE_SEQ:
		return take_seq(word, at);
	case TAKE_TYPE:
		*(const struct event_description **)at = event_describe_name(word);
		return *(const struct event_description **)at != NULL;
	case TAKE_STREAM:
		return take_stream(word, at);
	case TAKE_OUTCOME:
		return outcome_parse(word, at);
	case TAKE_PLACE:
		out->at_file = moment_parse(word, at) ? NULL : word;
		return *word != '\0';
	case TAKE_ID:
		return take_id(word, at);
	}
	return false;
}

/* One name may mean different things to different commands; `ask` ASK_NONE: any of them. */
static const struct option_row *
find_option(const char *word, enum ask ask)
{
	const size_t count = strcspn(word, "=");

	for (size_t i = 0; i < ROWS; i++) {
		if (strlen(rows[i].name) == count && memcmp(rows[i].name, word, count) == 0 &&
		    (ask == ASK_NONE || (rows[i].commands & UINT64_C(1) << ask) != 0)) {
			return &rows[i];
		}
	}
	return NULL;
}

/* What was asked for beside a name: it goes into the log in the clear. */
static void
widen_scope(struct options *out, const struct option_row *row, const char *value)
{
	const size_t at = strlen(out->scope);

	if (row->take != TAKE_NAME && row->take != TAKE_PRIVATE && row->commands != FOR_ALL) {
		snprintf(out->scope + at, sizeof out->scope - at, "%s%s%s%s", at > 0 ? " " : "",
			 row->name, value != NULL ? " " : "", value != NULL ? value : "");
	}
}

/* "--name value" or "--name=value"; `at` moves over what was used. */
static bool
take_option(int argc, char *const argv[], int *at, struct options *out,
	    char fault[OPTIONS_FAULT_MAX])
{
	const char *word = argv[*at];
	const char *equal = strchr(word, '=');
	const char *value = equal == NULL ? NULL : equal + 1;
	const struct option_row *row = find_option(word, out->ask);

	if (row == NULL && (row = find_option(word, ASK_NONE)) != NULL) {
		return refuse(fault, "this command does not know", row->name, "see its --help");
	}
	if (row == NULL) {
		return refuse(fault, "unknown option", word, "see ifreplay --help");
	}
	if (row->take == TAKE_FLAG && value != NULL) {
		return refuse(fault, "no value is taken by", word, "see ifreplay --help");
	}
	if (row->take != TAKE_FLAG && value == NULL) {
		if (*at + 1 == argc) {
			return refuse(fault, "a value is missing after", word,
				      "see ifreplay --help");
		}
		value = argv[++*at];
	}
	widen_scope(out, row, value);
	return take_word(out, row->take, row->field, value) ||
	       refuse(fault, row->name, value, take_advice[row->take]);
}

static bool
take_operand(const char *word, struct options *out, char fault[OPTIONS_FAULT_MAX])
{
	const struct command *c = &commands[out->ask];
	const enum operand operand =
		out->operands < OPERANDS_MAX ? c->operand[out->operands] : OPERAND_NONE;

	if (operand == OPERAND_NONE) {
		return refuse(fault, "nothing is asked with", word, "see ifreplay --help");
	}
	out->operands++;
	return take_word(out, operands[operand].take, operands[operand].field, word) ||
	       refuse(fault, operand == OPERAND_SEQ ? "not a seq:" : "not a name:", word,
		      take_advice[operands[operand].take]);
}

/* The first word that is neither an option nor an option's value. Options may stand before it. */
static bool
find_command(int argc, char *const argv[], struct options *out, int *at,
	     char fault[OPTIONS_FAULT_MAX])
{
	for (*at = 1; *at < argc; ++*at) {
		const char *word = argv[*at];

		if (strncmp(word, "--", 2) == 0) {
			const struct option_row *row = find_option(word, ASK_NONE);

			*at += row != NULL && row->take != TAKE_FLAG && strchr(word, '=') == NULL;
			continue;
		}
		for (unsigned ask = ASK_NONE + 1; ask < ASK_COUNT; ask++) {
			if (strcmp(commands[ask].name, word) == 0) {
				out->ask = (enum ask)ask;
				return true;
			}
		}
		return refuse(fault, "unknown command", word, "see ifreplay --help");
	}
	return refuse(fault, "a command is missing after", "ifreplay", "see ifreplay --help");
}

static bool
check_whole(const struct options *out, char fault[OPTIONS_FAULT_MAX])
{
	const struct command *c = &commands[out->ask];
	char what[80];
	char next[120];
	const enum operand missing = c->operand[out->operands < OPERANDS_MAX ? out->operands : 0];

	snprintf(next, sizeof next, "for example: ifreplay %s %s", c->name, c->example);
	if (out->ask == ASK_REPAIR && out->copy == NULL) {
		return refuse(fault, "a copy is missing after", c->name, next);
	}
	if (out->operands >= c->needed &&
	    (out->ask != ASK_PROVE || out->operands > 0 || out->from_checkpoint != NULL)) {
		return true;
	}
	snprintf(what, sizeof what, "%s is missing after", operands[missing].name);
	return refuse(fault, what, c->name, next);
}

/* --help and --version count wherever they stand. */
static bool
wants_help(int argc, char *const argv[], struct options *out)
{
	char ignored[OPTIONS_FAULT_MAX];
	int at = 0;

	for (int i = 1; i < argc; i++) {
		out->is_help = out->is_help || strcmp(argv[i], "--help") == 0;
		out->is_version = out->is_version || strcmp(argv[i], "--version") == 0;
	}
	if (out->is_help) {
		find_command(argc, argv, out, &at, ignored);
	}
	return out->is_help || out->is_version;
}

bool
options_parse(int argc, char *const argv[], const char *data_variable, struct options *out,
	      char fault[OPTIONS_FAULT_MAX])
{
	int command = 0;

	assert(argc >= 1);
	*out = (struct options){ .ask = ASK_NONE };
	out->data_dir = data_variable != NULL && *data_variable != '\0' ? data_variable : "./var";
	fault[0] = '\0';
	if (wants_help(argc, argv, out)) {
		return true;
	}
	if (!find_command(argc, argv, out, &command, fault)) {
		return false;
	}
	for (int at = 1; at < argc; at++) {
		if (at == command) {
			continue;
		}
		if (strncmp(argv[at], "--", 2) == 0 ? !take_option(argc, argv, &at, out, fault)
						    : !take_operand(argv[at], out, fault)) {
			return false;
		}
	}
	return check_whole(out, fault);
}
