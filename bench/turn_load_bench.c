/* A load for any TURN server, and what it costs that server: CPU time for each relayed
 * packet, how long packets take, memory for each allocation. bench/turn runs it against ours,
 * coturn and a bare forwarder; the options of a run by hand are in `options`. */
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "bench/turn_load.h"
#include "protocol/address.h"
#include "protocol/time_io.h"
#include "protocol/turn.h"

void
load_fail(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	fputs("turn_load_bench: ", stderr);
	vfprintf(stderr, format, arguments);
	fputc('\n', stderr);
	va_end(arguments);
	exit(1);
}

static struct load load = {
	.transport_word = "udp",
	.stop_word = "",
	.user = "bench",
	.password = "bench",
	.allocations = 100,
	.bytes = 172,
	.burst = 1,
	.window = 256,
	.at_once = 64,
	.seconds = 4,
	.peer_address = { .family = ADDRESS_IPV4, .bytes = { 127, 2, 0, 1 } },
};

static const struct {
	const char *name;
	const char *help;
	enum { TAKES_ADDRESS, TAKES_WORD, TAKES_COUNT, TAKES_DECIMAL, TAKES_NOTHING } kind;
	void *out;
} options[] = {
	{ "--server", "IP:PORT of the server", TAKES_ADDRESS, &load.server },
	{ "--peer", "IP:PORT of our peer (default 127.2.0.1, any port)", TAKES_ADDRESS,
	  &load.peer_address },
	{ "--user", "name (default bench)", TAKES_WORD, &load.user },
	{ "--password", "its password (default bench)", TAKES_WORD, &load.password },
	{ "--pid", "server's process: its CPU and memory, and its descendants', are measured",
	  TAKES_COUNT, &load.pid },
	{ "--transport", "udp, tcp, tls or dtls (default udp)", TAKES_WORD, &load.transport_word },
	{ "--stop", "PID,PID… of the server: stopped (SIGSTOP) while packets are measured",
	  TAKES_WORD, &load.stop_word },
	{ "--allocations", "clients, each with one (default 100)", TAKES_COUNT, &load.allocations },
	{ "--at-once", "requests on their way at a time (default 64)", TAKES_COUNT, &load.at_once },
	{ "--bytes", "payload of a packet (default 172)", TAKES_COUNT, &load.bytes },
	{ "--burst", "packets of one client in a row (default 1)", TAKES_COUNT, &load.burst },
	{ "--gso", "bursts leave coalesced (UDP_SEGMENT), the peer takes them so (UDP_GRO)",
	  TAKES_NOTHING, &load.gso },
	{ "--rate", "packets a second over all (default 0: as many as come through)", TAKES_DECIMAL,
	  &load.rate },
	{ "--window", "packets on their way at most, without --rate (default 256)", TAKES_COUNT,
	  &load.window },
	{ "--seconds", "of packets (default 4; 0: none)", TAKES_DECIMAL, &load.seconds },
	{ "--hold", "seconds to keep the allocations, before any packet", TAKES_DECIMAL,
	  &load.hold_s },
	{ "--watch", "seconds between two lines that say the memory of now", TAKES_DECIMAL,
	  &load.watch_s },
	{ "--echo", "the peer sends everything back", TAKES_NOTHING, &load.echo },
	{ "--fill", "rounds in which as many allocations are made as fit, and released",
	  TAKES_COUNT, &load.rounds },
	{ "--plain", "no TURN: the server is turn_forward_bench", TAKES_NOTHING, &load.plain },
};

static void
print_options(void)
{
	for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
		printf("%-14s %s\n", options[i].name, options[i].help);
	}
}

static void
take_option(size_t at, const char *value)
{
	switch (options[at].kind) {
	case TAKES_ADDRESS:
		if (address_parse(options[at].out, value) != NULL) {
			load_fail("%s %s is no address", options[at].name, value);
		}
		break;
	case TAKES_WORD:
		*(const char **)options[at].out = value;
		break;
	case TAKES_COUNT:
		*(uint32_t *)options[at].out = (uint32_t)strtoul(value, NULL, 10);
		break;
	case TAKES_DECIMAL:
		*(double *)options[at].out = atof(value);
		break;
	case TAKES_NOTHING:
		*(bool *)options[at].out = true;
		break;
	}
}

static void
read_transport(void)
{
	static const char *const words[] = {
		[LOAD_UDP] = "udp", [LOAD_TCP] = "tcp", [LOAD_TLS] = "tls", [LOAD_DTLS] = "dtls"
	};

	for (unsigned i = 0; i < sizeof words / sizeof words[0]; i++) {
		if (strcmp(words[i], load.transport_word) == 0) {
			load.transport = (enum load_transport)i;
			return;
		}
	}
	load_fail("--transport %s: udp, tcp, tls or dtls", load.transport_word);
}

static void
read_stopped(void)
{
	char *end = NULL;

	for (const char *at = load.stop_word; *at != '\0'; at = *end == ',' ? end + 1 : end) {
		const long pid = strtol(at, &end, 10);
		if (pid <= 1 || end == at || load.stopped_count == LOAD_STOPPED_MAX) {
			load_fail("--stop %s: up to %d process numbers", load.stop_word,
				  LOAD_STOPPED_MAX);
		}
		load.stopped[load.stopped_count++] = (int)pid;
	}
}

static void
read_options(int argc, char **argv)
{
	const size_t count = sizeof options / sizeof options[0];

	for (int i = 1; i < argc; i++) {
		size_t at = 0;
		while (at < count && strcmp(options[at].name, argv[i]) != 0) {
			at++;
		}
		const bool valued = at < count && options[at].kind != TAKES_NOTHING;
		if (at == count || (valued && i + 1 == argc)) {
			print_options();
			exit(strcmp(argv[i], "--help") == 0 ? 0 : 2);
		}
		i += valued;
		take_option(at, argv[i]);
	}
	read_transport();
	read_stopped();
	if (load.gso && load.transport != LOAD_UDP) {
		load_fail("--gso is for --transport udp");
	}
	if (load.server.port == 0 || load.pid == 0) {
		load_fail("--server and --pid are needed: see --help");
	}
	if (load.allocations == 0 || load.allocations > LOAD_CLIENTS_MAX || load.burst == 0 ||
	    load.burst > LOAD_BURST_MAX || load.bytes < 2 * sizeof(uint64_t) ||
	    load.bytes + CHANNEL_HEADER_BYTES > LOAD_DATAGRAM_MAX) {
		load_fail("1 to %d allocations, bursts of 1 to %d, 16 to %d bytes",
			  LOAD_CLIENTS_MAX, LOAD_BURST_MAX,
			  LOAD_DATAGRAM_MAX - CHANNEL_HEADER_BYTES);
	}
}

static void
raise_fd_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static void
rest(double seconds)
{
	const struct timespec pause = { .tv_sec = (time_t)seconds };

	nanosleep(&pause, NULL);
}

/* Allocations are made, and the memory they take is measured. */
static void
set_up(void)
{
	const uint64_t before_bytes = load_pss_bytes(load.pid);
	const double cpu_before_s = load_cpu_s(load.pid);
	const uint64_t start_us = time_monotonic_us();

	load_clients_lead(&load, LOAD_READY);
	const double taken_s = (double)(time_monotonic_us() - start_us) / 1e6;
	printf("setup_s=%.3f per_s=%.0f setup_cpu_us=%.1f ", taken_s, load.allocations / taken_s,
	       (load_cpu_s(load.pid) - cpu_before_s) * 1e6 / load.allocations);
	const double idle_before_s = load_cpu_s(load.pid);
	rest(load.hold_s);
	if (load.hold_s > 0) {
		printf("idle_ms=%.2f ", (load_cpu_s(load.pid) - idle_before_s) * 1e3 / load.hold_s);
	}
	const uint64_t held_bytes = load_pss_bytes(load.pid);
	printf("pss_kib=%llu pss_each=%.0f ", (unsigned long long)held_bytes / 1024,
	       ((double)held_bytes - (double)before_bytes) / load.allocations);
}

static void
report(double cpu_s)
{
	const uint64_t relayed = load.at_peer + load.at_client;
	const double lost_up = 100.0 * (double)(load.sent - load.at_peer) / (double)load.sent;
	const double lost_down = load.echoed == 0 ? 0
						  : 100.0 * (double)(load.echoed - load.at_client) /
							    (double)load.echoed;

	printf("cpu_us=%.3f pps=%.0f core=%.0f lost_up=%.3f lost_down=%.3f p50_us=%.1f "
	       "p99_us=%.1f ",
	       cpu_s * 1e6 / (double)relayed, (double)relayed / load.seconds,
	       100 * cpu_s / load.seconds, lost_up, lost_down, load_delay_us(&load.delays, 0.5),
	       load_delay_us(&load.delays, 0.99));
	printf("peer_packets=%llu peer_bytes=%llu echo_packets=%llu echo_bytes=%llu",
	       (unsigned long long)load.at_peer, (unsigned long long)load.at_peer_bytes,
	       (unsigned long long)load.echoed, (unsigned long long)load.echoed_bytes);
}

/* Whatever ends us. */
static void
let_go_on(void)
{
	for (uint32_t i = 0; i < load.stopped_count; i++) {
		kill(load.stopped[i], SIGCONT);
	}
}

static void
stand_still(void)
{
	atexit(let_go_on);
	for (uint32_t i = 0; i < load.stopped_count; i++) {
		if (kill(load.stopped[i], SIGSTOP) != 0) {
			load_fail("cannot stop process %d", load.stopped[i]);
		}
	}
}

static void
measure_packets(void)
{
	stand_still();
	const double before_s = load_cpu_s(load.pid);
	load_run(&load);
	report(load_cpu_s(load.pid) - before_s);
	let_go_on();
}

/* As many fit each time, if nothing is lost. */
static void
fill_and_free(void)
{
	uint32_t least = UINT32_MAX;
	uint32_t most = 0;

	for (uint32_t round = 0; round < load.rounds; round++) {
		uint32_t count = 0;
		load_clients_lead(&load, LOAD_READY);
		for (uint32_t i = 0; i < load.allocations; i++) {
			count += load.clients[i].step == LOAD_READY;
		}
		least = count < least ? count : least;
		most = count > most ? count : most;
		load_clients_lead(&load, LOAD_GONE);
	}
	printf("rounds=%u least=%u most=%u\n", load.rounds, least, most);
}

int
main(int argc, char **argv)
{
	read_options(argc, argv);
	raise_fd_limit();
	load_peer_open(&load);
	load_clients_open(&load);
	if (load.rounds > 0) {
		fill_and_free();
		return 0;
	}
	if (!load.plain) {
		set_up();
	}
	if (load.seconds > 0) {
		measure_packets();
	}
	printf("\n");
	if (!load.plain) {
		load_clients_lead(&load, LOAD_GONE);
	}
	return 0;
}
