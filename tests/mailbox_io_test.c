/* The mailbox over real sockets: what is not answered when a server dies is asked again of the
 * next. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "actors/mailbox_io.h"

enum {
	PATIENCE_MS = 10000,
	CLIENTS = 8,
	TURN_MS = 20,
	TURNS_MAX = 3000,
	DEATHS = 40,
	VANISHED = 64,
	DEATH_WAIT_MS = 200,
	LANES = 4,
	ASKED = 20000
};

static char directory[] = "/tmp/ifswarm-mailbox-XXXXXX";
static char url[MAILBOX_URL_MAX];

static struct span
span_of(const char *word)
{
	return (struct span){ (const uint8_t *)word, strlen(word) };
}

static struct mailbox_server *
listen_or_fail(void)
{
	char fault[256] = "";
	struct mailbox_server *server = mailbox_listen(url, 4, fault, sizeof fault);

	if (server == NULL) {
		fail_msg("%s", fault);
	}
	return server;
}

static bool
wait_readable(int fd)
{
	struct pollfd waits = { .fd = fd, .events = POLLIN };

	return poll(&waits, 1, PATIENCE_MS) == 1;
}

/* A server in a process of its own, which starts when `starts` can be read. It tells through the
 * pipe that it has taken a request, and answers it or waits for its end. */
static pid_t
start_server(bool answers, int starts, int *told)
{
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	const pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		char byte;
		char fault[256];
		struct span request;
		uint32_t slot = 0;
		if (starts >= 0 && read(starts, &byte, 1) != 1) {
			_exit(1);
		}
		struct mailbox_server *server = mailbox_listen(url, 4, fault, sizeof fault);
		if (server == NULL || !wait_readable(mailbox_server_fd(server)) ||
		    !mailbox_take(server, &slot, &request) || write(ends[1], "x", 1) != 1) {
			_exit(1);
		}
		if (answers) {
			mailbox_answer(server, slot, span_of("second"));
			mailbox_close(server);
			_exit(0);
		}
		pause();
	}
	close(ends[1]);
	*told = ends[0];
	return pid;
}

static void
given_a_server_killed_with_a_request_then_the_next_one_gets_it(void **unused)
{
	char fault[256];
	char byte;
	int told[2];
	int starts[2];
	size_t lane = 9;
	struct span reply;

	(void)unused;
	/* nng may not be forked once it runs, so both servers exist before the client does. */
	assert_int_equal(pipe(starts), 0);
	const pid_t first = start_server(false, -1, &told[0]);
	const pid_t second = start_server(true, starts[0], &told[1]);
	struct mailbox_client *client = mailbox_dial(url, 2, fault, sizeof fault);
	assert_non_null(client);
	mailbox_request(client, 1, span_of("question"));
	assert_int_equal(read(told[0], &byte, 1), 1);
	kill(first, SIGKILL);
	waitpid(first, NULL, 0);
	assert_int_equal(write(starts[1], "x", 1), 1);

	assert_true(wait_readable(mailbox_client_fd(client)));
	assert_true(mailbox_reply(client, &lane, &reply));
	assert_int_equal(lane, 1);
	assert_int_equal(reply.count, 6);
	assert_memory_equal(reply.at, "second", 6);
	assert_true(mailbox_lane_is_free(client, 1));
	mailbox_hang_up(client);
	waitpid(second, NULL, 0);
	for (int i = 0; i < 2; i++) {
		close(told[i]);
		close(starts[i]);
	}
}

static void
given_two_requests_then_they_may_be_answered_in_any_order(void **unused)
{
	char fault[256];
	struct mailbox_server *server = listen_or_fail();
	struct mailbox_client *client = mailbox_dial(url, 2, fault, sizeof fault);
	uint32_t slots[2];
	struct span bytes[2];
	size_t lane = 9;

	(void)unused;
	mailbox_request(client, 0, span_of("a"));
	mailbox_request(client, 1, span_of("b"));
	for (int i = 0; i < 2; i++) {
		while (!mailbox_take(server, &slots[i], &bytes[i])) {
			assert_true(wait_readable(mailbox_server_fd(server)));
		}
	}
	const int b = bytes[0].at[0] == 'b' ? 0 : 1;
	mailbox_answer(server, slots[b], span_of("to b"));
	assert_true(wait_readable(mailbox_client_fd(client)));
	assert_true(mailbox_reply(client, &lane, &bytes[0]));
	assert_int_equal(lane, 1);
	mailbox_answer(server, slots[1 - b], span_of("to a"));
	assert_true(wait_readable(mailbox_client_fd(client)));
	assert_true(mailbox_reply(client, &lane, &bytes[0]));
	assert_int_equal(lane, 0);
	mailbox_hang_up(client);
	mailbox_close(server);
}

static void
given_nobody_listens_then_a_question_gets_no_reply(void **unused)
{
	uint8_t reply[16];

	(void)unused;
	assert_int_equal(mailbox_ask("ipc:///tmp/ifswarm-nobody.ipc", span_of("x"), reply,
				     sizeof reply, 100),
			 0);
}

static void
given_a_directory_that_is_not_there_then_listening_says_so(void **unused)
{
	char fault[256] = "";

	(void)unused;
	assert_null(mailbox_listen("ipc:///nonexistent-directory/a.ipc", 1, fault, sizeof fault));
	assert_non_null(strstr(fault, "/nonexistent-directory/a.ipc"));
}

static struct sockaddr_un
socket_path(void)
{
	struct sockaddr_un where = { .sun_family = AF_UNIX };
	const char *path = url + strlen("ipc://");

	assert_true(strlen(path) < sizeof where.sun_path);
	memcpy(where.sun_path, path, strlen(path) + 1);
	return where;
}

/* A client that is killed as soon as it has connected: the server's greeting hears EPIPE. */
static void
connect_and_vanish(void)
{
	const struct sockaddr_un where = socket_path();
	const int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	assert_int_equal(connect(fd, (const struct sockaddr *)&where, sizeof where), 0);
	close(fd);
}

static void
given_clients_that_vanish_while_they_are_greeted_then_the_next_one_is_heard(void **state)
{
	char fault[256];
	struct span bytes = { 0 };
	uint32_t slot = 0;
	size_t lane = 9;
	struct mailbox_server *server = listen_or_fail();

	(void)state;
	for (int i = 0; i < VANISHED; i++) {
		connect_and_vanish();
	}
	struct mailbox_client *client = mailbox_dial(url, 1, fault, sizeof fault);
	assert_non_null(client);
	mailbox_request(client, 0, span_of("still there?"));
	assert_true(wait_readable(mailbox_server_fd(server)));
	assert_true(mailbox_take(server, &slot, &bytes));
	assert_int_equal(bytes.count, strlen("still there?"));
	mailbox_answer(server, slot, span_of("yes"));
	assert_true(wait_readable(mailbox_client_fd(client)));
	assert_true(mailbox_reply(client, &lane, &bytes));
	mailbox_hang_up(client);
	mailbox_close(server);
}

/* A server that dies with connections it has not accepted yet: their senders hear EPIPE. */
static void
listen_and_die(void)
{
	const struct sockaddr_un where = socket_path();
	const int listener = socket(AF_UNIX, SOCK_STREAM, 0);
	struct pollfd waits = { .fd = listener, .events = POLLIN };

	unlink(where.sun_path);
	assert_int_equal(bind(listener, (const struct sockaddr *)&where, sizeof where), 0);
	assert_int_equal(listen(listener, 16), 0);
	poll(&waits, 1, DEATH_WAIT_MS);
	close(listener);
	unlink(where.sun_path);
}

static void
given_servers_that_die_while_clients_connect_then_the_next_one_hears_all_of_them(void **state)
{
	struct mailbox_client *clients[CLIENTS];
	char fault[256];
	struct span bytes;
	uint32_t slot = 0;
	size_t lane = 0;

	(void)state;
	for (size_t i = 0; i < CLIENTS; i++) {
		clients[i] = mailbox_dial(url, 1, fault, sizeof fault);
		assert_non_null(clients[i]);
		mailbox_request(clients[i], 0, span_of("anyone?"));
	}
	for (int i = 0; i < DEATHS; i++) {
		listen_and_die();
	}
	struct mailbox_server *server = listen_or_fail();
	for (size_t heard = 0, turns = 0; heard < CLIENTS; turns++) {
		assert_true(turns < TURNS_MAX);
		struct pollfd waits = { .fd = mailbox_server_fd(server), .events = POLLIN };
		poll(&waits, 1, TURN_MS);
		while (mailbox_take(server, &slot, &bytes)) {
			mailbox_answer(server, slot, span_of("yes"));
		}
		for (size_t i = 0; i < CLIENTS; i++) {
			heard += mailbox_reply(clients[i], &lane, &bytes);
		}
	}
	for (size_t i = 0; i < CLIENTS; i++) {
		mailbox_hang_up(clients[i]);
	}
	mailbox_close(server);
}

/* A lane whose request was given up asks the next one, whether the first one had left or not. */
static void
given_a_request_that_is_given_up_then_the_lane_asks_another(void **unused)
{
	char fault[256];
	struct mailbox_client *client = mailbox_dial(url, 1, fault, sizeof fault);
	uint32_t slot = 0;
	struct span bytes;
	size_t lane = 9;

	(void)unused;
	mailbox_request(client, 0, span_of("before anybody listens"));
	mailbox_cancel(client, 0);
	assert_true(mailbox_lane_is_free(client, 0));
	struct mailbox_server *server = listen_or_fail();
	mailbox_request(client, 0, span_of("while it is held"));
	assert_true(wait_readable(mailbox_server_fd(server)));
	assert_true(mailbox_take(server, &slot, &bytes));
	assert_memory_equal(bytes.at, "while it is held", bytes.count);
	mailbox_cancel(client, 0);
	mailbox_answer(server, slot, span_of("too late"));

	mailbox_request(client, 0, span_of("at last"));
	assert_true(wait_readable(mailbox_server_fd(server)));
	assert_true(mailbox_take(server, &slot, &bytes));
	assert_memory_equal(bytes.at, "at last", bytes.count);
	mailbox_answer(server, slot, span_of("yes"));
	assert_true(wait_readable(mailbox_client_fd(client)));
	assert_true(mailbox_reply(client, &lane, &bytes));
	assert_int_equal(bytes.count, 3);
	assert_memory_equal(bytes.at, "yes", 3);
	mailbox_request(client, 0, span_of("and hangs up"));
	mailbox_hang_up(client);
	mailbox_close(server);
}

static void
answer_all(struct mailbox_server *server)
{
	uint32_t slot = 0;
	struct span bytes;

	while (mailbox_take(server, &slot, &bytes)) {
		mailbox_answer(server, slot, span_of("yes"));
	}
}

/* The second of two requests waits until the first has left, and its reply may be there before nng
 * is through with what it sent: the lane asks again at once all the same. */
static void
given_lanes_that_ask_again_at_once_then_each_is_answered(void **unused)
{
	char fault[256];
	struct mailbox_server *server = listen_or_fail();
	struct mailbox_client *client = mailbox_dial(url, LANES, fault, sizeof fault);
	struct span bytes;
	size_t lane = 0;
	size_t left = ASKED;

	(void)unused;
	for (size_t i = 0; i < LANES; i++) {
		mailbox_request(client, i, span_of("question"));
	}
	while (left > 0) {
		struct pollfd waits[] = {
			{ .fd = mailbox_client_fd(client), .events = POLLIN },
			{ .fd = mailbox_server_fd(server), .events = POLLIN },
		};
		assert_true(poll(waits, 2, PATIENCE_MS) > 0);
		answer_all(server);
		while (left > 0 && mailbox_reply(client, &lane, &bytes)) {
			assert_int_equal(bytes.count, 3);
			left--;
			if (left >= LANES) {
				mailbox_request(client, lane, span_of("question"));
			}
		}
	}
	mailbox_hang_up(client);
	mailbox_close(server);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		/* First: it forks, and nng has no threads yet. */
		cmocka_unit_test(given_a_server_killed_with_a_request_then_the_next_one_gets_it),
		cmocka_unit_test(given_two_requests_then_they_may_be_answered_in_any_order),
		cmocka_unit_test(
			given_clients_that_vanish_while_they_are_greeted_then_the_next_one_is_heard),
		cmocka_unit_test(
			given_servers_that_die_while_clients_connect_then_the_next_one_hears_all_of_them),
		cmocka_unit_test(given_a_request_that_is_given_up_then_the_lane_asks_another),
		cmocka_unit_test(given_lanes_that_ask_again_at_once_then_each_is_answered),
		cmocka_unit_test(given_nobody_listens_then_a_question_gets_no_reply),
		cmocka_unit_test(given_a_directory_that_is_not_there_then_listening_says_so),
	};

	if (mkdtemp(directory) == NULL) {
		return 1;
	}
	mailbox_url(url, sizeof url, directory, "test");
	const int failed = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(url + strlen("ipc://"));
	rmdir(directory);
	return failed;
}
