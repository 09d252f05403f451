#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "actors/cli_io.h"
#include "actors/cli_json_io.h"
#include "actors/live_ask_io.h"
#include "actors/operate_ask_io.h"

static const char kill_help[] =
	"usage: ifswarm kill ALLOCATION|AGENT [--json] [--data-dir DIR]\n"
	"\n"
	"Ends an allocation at once (its 32 hex digits, as `ifswarm allocations` shows them), or "
	"all\n"
	"that is an agent's: its WebSocket connections (close code 4403) and its allocations. "
	"What was\n"
	"relayed is counted to the end. It is no ban: the agent may come back; see `ifswarm "
	"revoke`.\n"
	"The act is an event of the log, with who asked.\n"
	"\n"
	"  --json  {\"registrations\":...,\"allocations\":...}: what has ended\n"
	"\n"
	"Exit code 0: it has ended; 1: nothing of that name is live, or not all has ended.\n";

static const char revoke_help[] =
	"usage: ifswarm revoke AGENT [--undo] [--json] [--data-dir DIR]\n"
	"\n"
	"From now on TURN refuses every credential of that agent (or static user), those that it "
	"is\n"
	"given later too, and its allocations end. This stays so over restarts, until --undo, or "
	"until\n"
	"the agent is erased. Its WebSocket connections go on: `ifswarm kill AGENT` ends them. The "
	"act\n"
	"is an event of the log, with who asked.\n"
	"\n"
	"  --undo  its credentials are good again, as far as they have not expired\n"
	"  --json  {\"agent\":...,\"revoked\":true or false,\"changed\":false if it was so "
	"already}\n"
	"\n"
	"Exit code 0: it is so; 1: it could not be done, or not all allocations have ended.\n";

static struct cli cli;
static struct settings settings;
static struct report report;
static struct live live;

/* The act is written down, and the cluster found. */
static bool
is_written_down(const char *act, const char *about)
{
	const struct operate_question question = { .act = act, .about = about };
	struct name name;

	if (!name_set(&name, about, strlen(about)) || !name_is_wellformed(&name)) {
		fprintf(stderr, "ifswarm: an agent is 1 to 256 bytes of UTF-8 without control "
				"characters\n");
		return false;
	}
	return live_open(&live, settings.data_dir.bytes) &&
	       operate_ask(settings.data_dir.bytes, &question, &report) == ACCEPTED;
}

/* An agent may be called like an allocation: what is live under that id comes first. */
static int
kill_it(const char *what)
{
	struct id id;
	uint64_t allocations = 0;
	uint64_t registrations = 0;
	bool good = true;

	if (strlen(what) == 2 * sizeof id.bytes && hex_read(id.bytes, what, sizeof id.bytes)) {
		good = live_kill(&live, "", &id, &allocations);
	}
	if (good && allocations == 0) {
		/* Session first: who is no longer registered is handed no new credential. */
		good = live_kill_agent(&live, what, &registrations) &&
		       live_kill(&live, what, NULL, &allocations);
	}
	if (!good) {
		return EXIT_TROUBLE;
	}
	if (cli.json) {
		cli_json_print(json_pack("{s:I, s:I}", "registrations", (json_int_t)registrations,
					 "allocations", (json_int_t)allocations));
	}
	if (allocations + registrations == 0) {
		fprintf(stderr,
			"ifswarm: nothing of that name is live: see `ifswarm allocations`\n");
		return EXIT_TROUBLE;
	}
	if (!cli.json) {
		printf("ended: %" PRIu64 " registrations, %" PRIu64 " allocations\n", registrations,
		       allocations);
	}
	return EXIT_HOLDS;
}

int
cli_kill(int argc, char **argv)
{
	const int code = cli_begin(&cli, &settings, argc, argv, kill_help,
				   "allocation or agent: ifswarm kill ALLOCATION|AGENT");

	if (code >= 0) {
		return code;
	}
	return is_written_down("kill", cli.words[0]) ? kill_it(cli.words[0]) : EXIT_TROUBLE;
}

static int
revoke_it(const char *agent, bool undo)
{
	uint64_t changed = 0;

	if (!live_revoke(&live, agent, undo, &changed) ||
	    (!undo && !live_wait_gone(&live, agent))) {
		return EXIT_TROUBLE;
	}
	if (cli.json) {
		cli_json_print(json_pack("{s:s, s:b, s:b}", "agent", agent, "revoked", !undo,
					 "changed", changed != 0));
		return EXIT_HOLDS;
	}
	printf("%s: %s%s\n", agent, changed == 0 ? "already so: " : "",
	       undo ? "its credentials are good" : "its credentials are refused");
	return EXIT_HOLDS;
}

int
cli_revoke(int argc, char **argv)
{
	const bool undo = cli_take_flag(&argc, argv, "undo");
	const int code =
		cli_begin(&cli, &settings, argc, argv, revoke_help, "agent: ifswarm revoke AGENT");

	if (code >= 0) {
		return code;
	}
	return is_written_down(undo ? "restore" : "revoke", cli.words[0])
		       ? revoke_it(cli.words[0], undo)
		       : EXIT_TROUBLE;
}
