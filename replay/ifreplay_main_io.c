/* ifreplay: the audit, and the care of the log. See docs/reviewer-guide.md, docs/operator-guide.md.
 */
#include <stdio.h>
#include <stdlib.h>

#include "replay/care_io.h"
#include "replay/commands_io.h"
#include "replay/doctor_io.h"

enum { EXIT_USAGE = 2 };

static int
run(const struct options *options, struct source *source)
{
	switch (options->ask) {
	case ASK_LOG:
		return log_command(options, source);
	case ASK_SHOW:
		return show_command(options, source);
	case ASK_AGENT:
		return agent_command(options, source);
	case ASK_STATE:
		return state_command(options, source);
	case ASK_PROVE:
		return prove_command(options, source);
	case ASK_VERIFY:
		return verify_command(options, source);
	case ASK_FOLLOW:
		return follow_command(options, source);
	case ASK_NONE:
	case ASK_HELP:
	case ASK_VERSION:
	case ASK_BACKUP:
	case ASK_RESTORE:
	case ASK_REPAIR:
	case ASK_DOCTOR:
		break;
	}
	return EXIT_USAGE;
}

/* Commands that must work where no log opens; false for all others. */
static bool
run_care(const struct options *options, int *code)
{
	const struct care care = { .data = options->data_dir,
				   .copy = options->copy,
				   .keys = options->keys,
				   .discard = options->discard,
				   .json = options->json };

	if (options->ask == ASK_BACKUP) {
		*code = care_backup(&care);
	} else if (options->ask == ASK_RESTORE) {
		*code = care_restore(&care);
	} else if (options->ask == ASK_REPAIR) {
		*code = care_repair(&care);
	} else if (options->ask == ASK_DOCTOR) {
		*code = doctor(options->data_dir, options->json);
	} else {
		return false;
	}
	return true;
}

int
main(int argc, char *argv[])
{
	struct options options;
	struct source source;
	char fault[512];
	int care_code = 0;

	if (!options_parse(argc, argv, getenv("IFSWARM_DATA"), &options, fault)) {
		fprintf(stderr, "ifreplay: %s\n", fault);
		return EXIT_USAGE;
	}
	if (options.ask == ASK_HELP || options.ask == ASK_VERSION) {
		fputs(options.ask == ASK_HELP ? options_help() : "ifreplay " IFSWARM_VERSION "\n",
		      stdout);
		return 0;
	}
	if (run_care(&options, &care_code)) {
		return care_code;
	}
	if (!source_open(&source, options.data_dir, fault, sizeof fault)) {
		fprintf(stderr, "ifreplay: %s\n", fault);
		return 1;
	}
	const int code = run(&options, &source);
	source_close(&source);
	return code;
}
