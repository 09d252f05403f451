#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "actors/cli_anchors_io.h"
#include "actors/cli_io.h"
#include "actors/cli_json_io.h"
#include "actors/data_dir_io.h"
#include "actors/mailbox_io.h"
#include "actors/supervisor.h"
#include "protocol/message.h"
#include "store/scrub_io.h"

enum {
	ANSWER_BYTES_MAX = 64 * 1024,
	WAIT_MS = 3000,
	WORD_MAX = 32,
	DRAIN_BYTES = 512,
	STOP_WAIT_MS = 60000,
	POLL_MS = 50
};

static const char status_help[] =
	"usage: ifswarm status [--json] [--data-dir DIR] [--config FILE]\n"
	"\n"
	"What runs: each actor with its process, state, epoch and restarts; the size and root of "
	"the log;\n"
	"what reading it again has found; which checkpoints each witness and authority has seen.\n"
	"Exit code 0: the supervisor answers; 1: no cluster runs there.\n"
	"\n"
	"  --json  "
	"{\"actors\":[{\"name\",\"pid\",\"state\",\"epoch\",\"restarts\"}],\"log\":{\"size\","
	"\"root\"},\n"
	"          \"drain\":null or where clients are sent,\n"
	"          \"scrub\":{\"ended\",\"size\",\"findings\",\"next\",\"end\"},\n"
	"          "
	"\"anchors\":{\"round\",\"age_s\",\"targets\":[{\"name\",\"kind\",\"size\",\"lag\","
	"\"failures\",\"why\"}]}}\n";

static const char stop_help[] =
	"usage: ifswarm stop [--data-dir DIR] [--config FILE]\n"
	"\n"
	"Stops the cluster in order: gateways, relays, session and allocation, witness. Returns "
	"when it\n"
	"has stopped. Exit code 0: stopped, or none was running; 1: it did not stop.\n";

struct actor_line {
	char name[WORD_MAX];
	char state[WORD_MAX];
	uint64_t pid;
	uint64_t epoch;
	uint64_t restarts;
};

struct status {
	size_t count;
	struct actor_line actors[CHILDREN_MAX];
	char drain[DRAIN_BYTES]; /* the value of that key */
	bool has_log;
	uint64_t size;
	uint8_t root[32];
	struct scrub_state scrub;
	struct anchors_status anchors;
};

static struct cli cli;
static struct settings settings;
static struct setting_faults faults;

/* One request to an actor; the reply's reader is bad if there was none. */
static struct mp_reader
ask(const char *run_dir, const char *name, enum request request, uint8_t answer[ANSWER_BYTES_MAX])
{
	char url[MAILBOX_URL_MAX];
	uint8_t bytes[8];
	struct mp_writer w = mp_writer_of(bytes, sizeof bytes);
	uint64_t verdict;

	mailbox_url(url, sizeof url, run_dir, name);
	mp_put_array(&w, 1);
	mp_put_u64(&w, request);
	const size_t count = mailbox_ask(url, mp_written(&w), answer, ANSWER_BYTES_MAX, WAIT_MS);
	struct mp_reader r = mp_reader_of((struct span){ answer, count });

	mp_get_array(&r, 8);
	verdict = mp_get_u64(&r);
	r.bad |= verdict != ACCEPTED;
	return r;
}

/* Who shows our checkpoints to others runs only if there is somebody to ask. */
static void
ask_anchors(const char *run_dir, struct status *out)
{
	static uint8_t answer[ANSWER_BYTES_MAX];

	for (size_t i = 0; i < out->count; i++) {
		if (strcmp(out->actors[i].name, "anchor") == 0) {
			struct mp_reader r = ask(run_dir, "anchor", REQUEST_ANCHORS, answer);

			anchors_status_read(&r, &out->anchors);
		}
	}
}

static void
get_word(struct mp_reader *r, char out[WORD_MAX])
{
	const struct span word = mp_get_str(r, WORD_MAX - 1);

	snprintf(out, WORD_MAX, "%.*s", (int)word.count,
		 word.at == NULL ? "" : (const char *)word.at);
}

static bool
ask_actors(const char *run_dir, struct status *out)
{
	static uint8_t answer[ANSWER_BYTES_MAX];
	struct mp_reader r = ask(run_dir, "supervisor", REQUEST_STATUS, answer);
	const size_t count = mp_get_array(&r, CHILDREN_MAX);

	for (size_t i = 0; i < count && !r.bad; i++) {
		struct actor_line *line = &out->actors[i];

		mp_get_array(&r, 5);
		get_word(&r, line->name);
		line->pid = mp_get_u64(&r);
		get_word(&r, line->state);
		line->epoch = mp_get_u64(&r);
		line->restarts = mp_get_u64(&r);
	}
	out->count = count;
	const struct span drain = mp_get_str(&r, DRAIN_BYTES - 1);
	snprintf(out->drain, sizeof out->drain, "%.*s", (int)drain.count,
		 drain.at == NULL ? "" : (const char *)drain.at);
	return mp_reader_is_done(&r);
}

static void
ask_log(const char *run_dir, struct status *out)
{
	static uint8_t answer[ANSWER_BYTES_MAX];
	struct mp_reader r = ask(run_dir, "witness", REQUEST_LOG_STATUS, answer);

	out->size = mp_get_u64(&r);
	mp_get_fixed(&r, out->root, sizeof out->root);
	out->has_log = mp_reader_is_done(&r);
}

static json_t *
scrub_json(const struct scrub_state *scrub)
{
	return json_pack("{s:I, s:I, s:I, s:I, s:I}", "ended", (json_int_t)scrub->ended_s, "size",
			 (json_int_t)scrub->ended_size, "findings",
			 (json_int_t)(scrub->ended_findings + scrub->findings), "next",
			 (json_int_t)scrub->next, "end", (json_int_t)scrub->end);
}

static void
print_scrub(const struct scrub_state *scrub)
{
	char when[32] = "never";
	const time_t ended = (time_t)scrub->ended_s;
	struct tm utc;

	if (scrub->ended_s > 0 && gmtime_r(&ended, &utc) != NULL) {
		strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", &utc);
	}
	printf("scrub: last whole round %s, %" PRIu64 " events, %" PRIu64 " findings", when,
	       scrub->ended_size, scrub->ended_findings);
	if (scrub->end > 0) {
		printf("; now at %" PRIu64 " of %" PRIu64 ", %" PRIu64 " findings", scrub->next,
		       scrub->end, scrub->findings);
	}
	putchar('\n');
}

static void
print_json(const struct status *status)
{
	char root[65] = "";
	json_t *actors = json_array();

	for (size_t i = 0; i < status->count; i++) {
		const struct actor_line *line = &status->actors[i];

		json_array_append_new(actors,
				      json_pack("{s:s, s:I, s:s, s:I, s:I}", "name", line->name,
						"pid", (json_int_t)line->pid, "state", line->state,
						"epoch", (json_int_t)line->epoch, "restarts",
						(json_int_t)line->restarts));
	}
	hex_write(root, status->root, sizeof status->root);
	json_t *all =
		json_pack("{s:o, s:{s:o, s:o}}", "actors", actors, "log", "size",
			  status->has_log ? json_integer((json_int_t)status->size) : json_null(),
			  "root", status->has_log ? json_string(root) : json_null());
	json_object_set_new(all, "drain",
			    status->drain[0] == '\0' ? json_null() : json_string(status->drain));
	json_object_set_new(all, "scrub", scrub_json(&status->scrub));
	json_object_set_new(all, "anchors", anchors_status_json(&status->anchors, status->size));
	cli_json_print(all);
}

static void
print_table(const struct status *status)
{
	char root[65] = "";

	printf("%-14s %8s  %-12s %6s %9s\n", "actor", "pid", "state", "epoch", "restarts");
	for (size_t i = 0; i < status->count; i++) {
		const struct actor_line *line = &status->actors[i];

		printf("%-14s %8" PRIu64 "  %-12s %6" PRIu64 " %9" PRIu64 "\n", line->name,
		       line->pid, line->state, line->epoch, line->restarts);
	}
	if (status->drain[0] != '\0') {
		printf("drained: no new work is taken (%s); `ifswarm drain --undo` ends it\n",
		       status->drain);
	}
	hex_write(root, status->root, sizeof status->root);
	if (status->has_log) {
		printf("log: %" PRIu64 " events, root %s\n", status->size, root);
	} else {
		printf("log: the witness does not answer\n");
	}
	print_scrub(&status->scrub);
	anchors_status_print(&status->anchors, status->size);
}

/* Reads what both commands take. -1 to go on, else the exit code. */
static int
begin(int argc, char **argv, const char *help, bool may_json)
{
	struct setting_word file;

	if (!cli_read(&cli, false, argc, argv)) {
		return EXIT_USAGE;
	}
	if (cli.help) {
		fputs(help, stdout);
		return EXIT_HOLDS;
	}
	if (cli.word_count != 0 || (cli.json && !may_json)) {
		fprintf(stderr, "ifswarm: \"%s\" does not belong here: see --help\n",
			cli.word_count != 0 ? cli.words[0] : "--json");
		return EXIT_USAGE;
	}
	return cli_settings(&cli, &settings, &faults, &file) == 0 ? -1 : EXIT_USAGE;
}

int
cli_status(int argc, char **argv)
{
	static struct status status;
	char run_dir[RUN_DIR_BYTES_MAX];
	const char *data = settings.data_dir.bytes;
	const int code = begin(argc, argv, status_help, true);

	if (code >= 0) {
		return code;
	}
	if (data_dir_holder(data) == 0 || !run_dir_find(data, run_dir)) {
		fprintf(stderr,
			"ifswarm: no cluster runs on %s: start one with `ifswarm up --data-dir "
			"%s`\n",
			data, data);
		return EXIT_TROUBLE;
	}
	if (!ask_actors(run_dir, &status)) {
		fprintf(stderr, "ifswarm: the supervisor with pid %ld does not answer\n",
			data_dir_holder(data));
		return EXIT_TROUBLE;
	}
	ask_log(run_dir, &status);
	scrub_load(data, &status.scrub);
	ask_anchors(run_dir, &status);
	if (cli.json) {
		print_json(&status);
	} else {
		print_table(&status);
	}
	return EXIT_HOLDS;
}

/* True once nobody holds the data directory. */
static bool
wait_for_end(const char *data)
{
	for (int waited_ms = 0; waited_ms < STOP_WAIT_MS; waited_ms += POLL_MS) {
		if (data_dir_holder(data) == 0) {
			return true;
		}
		poll(NULL, 0, POLL_MS);
	}
	return false;
}

int
cli_stop(int argc, char **argv)
{
	static uint8_t reply[ANSWER_BYTES_MAX];
	char run_dir[RUN_DIR_BYTES_MAX];
	const char *data = settings.data_dir.bytes;
	const int code = begin(argc, argv, stop_help, false);

	if (code >= 0) {
		return code;
	}
	const long pid = data_dir_holder(data);

	if (pid == 0) {
		fprintf(stderr, "ifswarm: no cluster runs on %s\n", data);
		return EXIT_HOLDS;
	}
	if (!run_dir_find(data, run_dir) || ask(run_dir, "supervisor", REQUEST_STOP, reply).bad) {
		fprintf(stderr, "ifswarm: the supervisor with pid %ld does not answer: kill %ld\n",
			pid, pid);
		return EXIT_TROUBLE;
	}
	if (!wait_for_end(data)) {
		fprintf(stderr,
			"ifswarm: the cluster with pid %ld has not stopped yet: see its lines\n",
			pid);
		return EXIT_TROUBLE;
	}
	return EXIT_HOLDS;
}
