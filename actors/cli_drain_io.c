#include <inttypes.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "actors/cli_io.h"
#include "actors/cli_json_io.h"
#include "actors/data_dir_io.h"
#include "actors/mailbox_io.h"
#include "actors/operate_ask_io.h"
#include "protocol/address.h"
#include "protocol/address_io.h"
#include "protocol/drain.h"
#include "protocol/message.h"
#include "protocol/record.h"
#include "protocol/time_io.h"

enum {
	ROSTER_BYTES_MAX = 16 * 1024 * 1024,
	ANSWER_MS = 5000,
	LOOK_MS = 500,
	WORD_BYTES = 512,
	ADDRESS_TEXT = 64,
	SECONDS_MAX = 7 * 86400,
};

static const char help[] =
	"usage: ifswarm drain [--to HOST[:PORT]] [--timeout SECONDS] [--json] [--data-dir DIR]\n"
	"       ifswarm drain --undo [--json] [--data-dir DIR]\n"
	"\n"
	"Takes no new work: an Allocate gets 300 Try Alternate with where to go, or 508 if nothing "
	"is\n"
	"named here or in alternate-server; an agent that wants to register hears DRAINING. What "
	"is\n"
	"there goes on, and may be refreshed. Then waits until no allocation and no agent is left, "
	"and\n"
	"stops nothing: `ifswarm stop` does. Restarted relays stay drained, a restarted cluster "
	"is not,\n"
	"unless `drain` is in ifswarm.conf. The act is an event of the log, with who asked.\n"
	"\n"
	"  --to HOST[:PORT]   an address, or a name, which clients over TLS are told too\n"
	"  --timeout SECONDS  waits no longer (0: not at all); it stays drained\n"
	"  --undo             takes new work again\n"
	"  --json             {\"drained\":true,\"allocations\":...,\"agents\":...}, or "
	"{\"drained\":false}\n"
	"\n"
	"Exit code 0: nothing is left, or undone; 1: something is left, or it could not be done.\n";

static struct cli cli;
static struct settings settings;
static struct report report;

/* --- where clients are sent ------------------------------------------------------------------- */

/* The name's first address; false if it has none (said). */
static bool
resolve(const char *name, struct address *out)
{
	const struct addrinfo wanted = { .ai_socktype = SOCK_STREAM };
	struct addrinfo *found = NULL;
	struct sockaddr_storage first = { 0 };
	const int fault = getaddrinfo(name, NULL, &wanted, &found);

	if (fault != 0) {
		fprintf(stderr, "ifswarm drain: %s: %s: name an address, or a host that has one\n",
			name, gai_strerror(fault));
		return false;
	}
	memcpy(&first, found->ai_addr, found->ai_addrlen);
	freeaddrinfo(found);
	*out = address_from_sockaddr(&first);
	return true;
}

/* "IP[:PORT]" as it is; a name as "IP:PORT NAME". */
static bool
read_alternate(const char *text, char out[WORD_BYTES])
{
	char host[DRAIN_DOMAIN_BYTES];
	char printed[ADDRESS_TEXT];
	struct address address;
	struct drain ignored;
	const char *colon = strrchr(text, ':');
	const size_t length = colon == NULL ? strlen(text) : (size_t)(colon - text);
	const unsigned long port = colon == NULL ? 0 : strtoul(colon + 1, NULL, 10);

	if (address_parse(&address, text) == NULL) {
		snprintf(out, WORD_BYTES, "%s", text);
		return true;
	}
	if (length == 0 || length >= sizeof host || port > UINT16_MAX) {
		fprintf(stderr, "ifswarm drain: --to %s is no HOST[:PORT]\n", text);
		return false;
	}
	snprintf(host, sizeof host, "%.*s", (int)length, text);
	if (!resolve(host, &address)) {
		return false;
	}
	address.port = (uint16_t)port;
	address_print(printed, sizeof printed, &address);
	snprintf(out, WORD_BYTES, "%s %s", printed, host);
	if (drain_parse(out, &ignored) != NULL) {
		fprintf(stderr, "ifswarm drain: --to %s is no HOST[:PORT]\n", text);
		return false;
	}
	return true;
}

/* --- what is left ----------------------------------------------------------------------------- */

/* Rows of that actor's roster; false if it does not answer. */
static bool
count_roster(const char *run_dir, const char *actor, uint8_t *memory, uint64_t *out)
{
	char url[MAILBOX_URL_MAX];
	uint8_t request[8];
	struct mp_writer w = mp_writer_of(request, sizeof request);

	mp_put_array(&w, 1);
	mp_put_u64(&w, REQUEST_ROSTER);
	mailbox_url(url, sizeof url, run_dir, actor);
	const size_t count = mailbox_ask(url, mp_written(&w), memory, ROSTER_BYTES_MAX, ANSWER_MS);
	struct mp_reader r = mp_reader_of((struct span){ memory, count });

	mp_get_array(&r, 3);
	const bool accepted = mp_get_u64(&r) == ACCEPTED;
	mp_get_u64(&r);
	*out = mp_get_array(&r, ALLOCATIONS_MAX > AGENTS_MAX ? ALLOCATIONS_MAX : AGENTS_MAX);
	return accepted && !r.bad;
}

/* Progress on a terminal, and none into a pipe. */
static void
show(uint64_t allocations, uint64_t agents, bool is_last)
{
	if (isatty(STDERR_FILENO)) {
		fprintf(stderr, "\r%" PRIu64 " allocations and %" PRIu64 " agents are left  %s",
			allocations, agents, is_last ? "\n" : "");
	}
}

static int
wait_empty(const char *data, uint64_t seconds)
{
	const uint64_t end_us = time_monotonic_us() + seconds * 1000000;
	uint8_t *memory = malloc(ROSTER_BYTES_MAX);
	char run_dir[RUN_DIR_BYTES_MAX];
	uint64_t allocations = 0;
	uint64_t agents = 0;
	bool answered = memory != NULL && run_dir_find(data, run_dir);
	bool is_over = !answered;

	while (!is_over) {
		answered = count_roster(run_dir, "allocation", memory, &allocations) &&
			   count_roster(run_dir, "session", memory, &agents);
		/* An actor that is being restarted answers later. */
		is_over = (answered && allocations + agents == 0) || time_monotonic_us() >= end_us;
		show(allocations, agents, is_over);
		if (!is_over) {
			usleep(LOOK_MS * 1000);
		}
	}
	free(memory);
	if (!answered) {
		fprintf(stderr, "ifswarm drain: what is left is not known: see `ifswarm status`\n");
		return EXIT_TROUBLE;
	}
	if (cli.json) {
		cli_json_print(json_pack("{s:b, s:I, s:I}", "drained", 1, "allocations",
					 (json_int_t)allocations, "agents", (json_int_t)agents));
	} else {
		printf("drained: %" PRIu64 " allocations and %" PRIu64 " agents are left\n",
		       allocations, agents);
	}
	return allocations + agents == 0 ? EXIT_HOLDS : EXIT_TROUBLE;
}

/* --- the command ------------------------------------------------------------------------------ */

static bool
read_seconds(const char *text, uint64_t *out)
{
	char *end = NULL;

	*out = text == NULL ? SECONDS_MAX : strtoull(text, &end, 10);
	if (text != NULL && (*text < '0' || *text > '9' || *end != '\0' || *out > SECONDS_MAX)) {
		fprintf(stderr, "ifswarm drain: --timeout is 0 to %d seconds\n", SECONDS_MAX);
		return false;
	}
	return true;
}

static bool
set(const char *word, bool on)
{
	const struct operate_question question = { .act = "drain", .about = word, .argument = on };
	bool all = operate_ask(settings.data_dir.bytes, &question, &report) == ACCEPTED;

	for (size_t i = 0; i < report.count; i++) {
		fprintf(stderr, "%s\n", report.lines[i]);
		all = false;
	}
	return all;
}

int
cli_drain(int argc, char **argv)
{
	char word[WORD_BYTES] = "on";
	uint64_t seconds = 0;
	const char *to = cli_take_value(&argc, argv, "to");
	const char *timeout = cli_take_value(&argc, argv, "timeout");
	const bool undo = cli_take_flag(&argc, argv, "undo");
	const int code = cli_begin(&cli, &settings, argc, argv, help, NULL);

	if (code >= 0) {
		return code;
	}
	if (undo && (to != NULL || timeout != NULL)) {
		fprintf(stderr, "ifswarm drain: --undo stands alone: see --help\n");
		return EXIT_USAGE;
	}
	if (!read_seconds(timeout, &seconds) || (to != NULL && !read_alternate(to, word))) {
		return EXIT_USAGE;
	}
	if (!set(undo ? "" : word, !undo)) {
		return EXIT_TROUBLE;
	}
	if (!undo) {
		return wait_empty(settings.data_dir.bytes, seconds);
	}
	if (cli.json) {
		cli_json_print(json_pack("{s:b}", "drained", 0));
	} else {
		puts("new work is taken again");
	}
	return EXIT_HOLDS;
}
