/* What a message between two actors costs: requests of 300 bytes and replies of 100, one after the
 * other, between two processes; over the mailbox (nng REQ/REP), and over a bare Unix socket as the
 * limit. Beside them what one durable write costs here. The three bound what one client can have
 * changed in a second: a change is two such round trips and one write.
 *
 *   mailbox_bench [round trips=5000] */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "actors/mailbox_io.h"
#include "protocol/time_io.h"

enum { REQUEST_BYTES = 300, REPLY_BYTES = 100, TIMEOUT_MS = 30000, BLOCK = 4096, BLOCKS = 500 };

static uint8_t memory[BLOCK];
static const struct span request = { memory, REQUEST_BYTES };
static const struct span reply = { memory, REPLY_BYTES };

static void
check(bool holds, const char *what)
{
	if (!holds) {
		perror(what);
		exit(1);
	}
}

static double
cpu_us(const struct rusage *used)
{
	return (double)(used->ru_utime.tv_sec + used->ru_stime.tv_sec) * 1e6 +
	       (double)(used->ru_utime.tv_usec + used->ru_stime.tv_usec);
}

static void
say(const char *what, size_t count, uint64_t since_us, const struct rusage *before, pid_t server)
{
	const double wall_us = (double)(time_monotonic_us() - since_us);
	struct rusage ours;
	struct rusage theirs;

	getrusage(RUSAGE_SELF, &ours);
	kill(server, SIGKILL);
	check(wait4(server, NULL, 0, &theirs) == server, "wait4");
	printf("%s: %.0f us of wall, %.0f us of CPU of both ends, each\n", what,
	       wall_us / (double)count,
	       (cpu_us(&ours) - cpu_us(before) + cpu_us(&theirs)) / (double)count);
}

static void
serve_mailbox(const char *url)
{
	char fault[256];
	struct mailbox_server *server = mailbox_listen(url, 8, fault, sizeof fault);
	uint32_t slot = 0;
	struct span bytes;

	check(server != NULL, "mailbox_listen");
	for (;;) {
		struct pollfd waits = { .fd = mailbox_server_fd(server), .events = POLLIN };
		poll(&waits, 1, -1);
		while (mailbox_take(server, &slot, &bytes)) {
			mailbox_answer(server, slot, reply);
		}
	}
}

static void
ask_mailbox(struct mailbox_client *client)
{
	struct pollfd waits = { .fd = mailbox_client_fd(client), .events = POLLIN };
	struct span bytes;
	size_t lane = 0;

	mailbox_request(client, 0, request);
	check(poll(&waits, 1, TIMEOUT_MS) == 1 && mailbox_reply(client, &lane, &bytes), "no reply");
}

static void
measure_mailbox(const char *directory, size_t count)
{
	char url[MAILBOX_URL_MAX];
	char fault[256];
	struct rusage before;

	mailbox_url(url, sizeof url, directory, "bench");
	const pid_t server = fork();
	if (server == 0) {
		serve_mailbox(url);
	}
	struct mailbox_client *client = mailbox_dial(url, 1, fault, sizeof fault);
	check(client != NULL, "mailbox_dial");
	ask_mailbox(client); /* it listens now */
	getrusage(RUSAGE_SELF, &before);
	const uint64_t since_us = time_monotonic_us();
	for (size_t i = 0; i < count; i++) {
		ask_mailbox(client);
	}
	say("mailbox, a round trip", count, since_us, &before, server);
	mailbox_hang_up(client);
	unlink(url + sizeof "ipc://" - 1);
}

static size_t
receive(int fd, uint8_t *out, size_t size)
{
	struct pollfd waits = { .fd = fd, .events = POLLIN };

	check(poll(&waits, 1, TIMEOUT_MS) == 1, "poll");
	const ssize_t count = recv(fd, out, size, 0);
	check(count > 0, "recv");
	return (size_t)count;
}

static void
measure_socket(size_t count)
{
	uint8_t bytes[BLOCK];
	int ends[2];
	struct rusage before;

	check(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0, "socketpair");
	const pid_t server = fork();
	while (server == 0) {
		receive(ends[1], bytes, sizeof bytes);
		check(send(ends[1], reply.at, reply.count, 0) == REPLY_BYTES, "send");
	}
	getrusage(RUSAGE_SELF, &before);
	const uint64_t since_us = time_monotonic_us();
	for (size_t i = 0; i < count; i++) {
		check(send(ends[0], request.at, request.count, 0) == REQUEST_BYTES, "send");
		receive(ends[0], bytes, sizeof bytes);
	}
	say("bare Unix socket, a round trip", count, since_us, &before, server);
	close(ends[0]);
	close(ends[1]);
}

/* Over a file that is as long already, as SQLite's log is once it was full. */
static void
measure_disk(const char *directory)
{
	char path[128];

	snprintf(path, sizeof path, "%s/blocks", directory);
	const int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	check(fd >= 0, path);
	for (off_t i = 0; i < BLOCKS; i++) {
		check(pwrite(fd, memory, BLOCK, i * BLOCK) == BLOCK, path);
	}
	check(fsync(fd) == 0, path);
	const uint64_t since_us = time_monotonic_us();
	for (off_t i = 0; i < BLOCKS; i++) {
		check(pwrite(fd, memory, BLOCK, i * BLOCK) == BLOCK && fdatasync(fd) == 0, path);
	}
	printf("a durable write of %d bytes: %.0f us of wall\n", BLOCK,
	       (double)(time_monotonic_us() - since_us) / BLOCKS);
	close(fd);
	unlink(path);
}

int
main(int argc, char **argv)
{
	const size_t count = argc > 1 ? strtoul(argv[1], NULL, 10) : 5000;
	char directory[] = "./mailbox-bench-XXXXXX";

	check(count > 0 && mkdtemp(directory) != NULL, "no directory to work in");
	measure_socket(count);
	measure_disk(directory);
	measure_mailbox(directory, count);
	rmdir(directory);
	return 0;
}
