/* Appends through the witness as actors make them: two writers, each with one append on its way,
 * over nng, durable (WAL, synchronous=FULL), with tree and sealing. Run bench/append_store_bench
 * beside it for the limit that bare SQLite sets.
 *
 *   append_bench [events=200000] [batch=256] */
#include <assert.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "actors/mailbox_io.h"
#include "actors/witness_io.h"
#include "protocol/message.h"
#include "protocol/time_io.h"
#include "protocol/uuid.h"

enum { WRITERS = 2, SUBJECTS = 1000, TIMEOUT_MS = 30000 };

struct writer {
	enum stream stream;
	const char *url;
	size_t events;
	size_t batch;
	struct uuid_generator ids;
};

static void
check(bool holds, const char *what)
{
	if (!holds) {
		fprintf(stderr, "append_bench: %s\n", what);
		exit(1);
	}
}

static struct span
ask(struct mailbox_client *mailbox, struct span request)
{
	struct pollfd waits = { .fd = mailbox_client_fd(mailbox), .events = POLLIN };
	struct span reply = { 0 };
	size_t lane = 0;

	mailbox_request(mailbox, 0, request);
	check(poll(&waits, 1, TIMEOUT_MS) == 1 && mailbox_reply(mailbox, &lane, &reply),
	      "no reply");
	struct mp_reader r = mp_reader_of(reply);
	mp_get_array(&r, 4);
	check(mp_get_u64(&r) == ACCEPTED, "refused");
	return (struct span){ r.at, (size_t)(r.end - r.at) };
}

static void
fill(struct writer *writer, struct event *event, size_t i)
{
	memset(event, 0, sizeof *event);
	event->occurred_us = time_now_us();
	event->command_id = uuid_next(&writer->ids, event->occurred_us / 1000);
	event->trace_id = event->command_id;
	const size_t subject = i % SUBJECTS;
	const struct id who = { { 1, (uint8_t)writer->stream, (uint8_t)(subject >> 8),
				  (uint8_t)subject } };
	const struct address from = { ADDRESS_IPV4, { 192, 0, 2, (uint8_t)i }, 40000 };
	if (writer->stream == STREAM_SESSION) {
		event->type = EVENT_AGENT_REGISTERED;
		event->agent_registered.agent = who;
		event->agent_registered.room = (struct id){ { 2 } };
		event->agent_registered.gateway = 1;
		event->agent_registered.instance = (struct id){ { 3 } };
		event->agent_registered.connection = i;
		event->agent_registered.client = from;
		name_set(&event->agent_registered.agent_name, "agent-of-the-benchmark", 22);
		name_set(&event->agent_registered.room_name, "default", 7);
	} else {
		event->type = EVENT_TURN_PERMISSION_INSTALLED;
		event->turn_permission_installed.allocation = (struct id){ { 4 } };
		event->turn_permission_installed.user = who;
		event->turn_permission_installed.expires_us = event->occurred_us;
		event->turn_permission_installed.peer = from;
	}
}

static void *
write_events(void *argument)
{
	struct writer *writer = argument;
	char fault[256];
	uint8_t *memory = malloc(MESSAGE_BYTES_MAX);
	struct mailbox_client *mailbox = mailbox_dial(writer->url, 1, fault, sizeof fault);
	struct mp_writer w = mp_writer_of(memory, MESSAGE_BYTES_MAX);
	struct event event;

	check(mailbox != NULL && memory != NULL, "cannot dial");
	mp_put_array(&w, 3);
	mp_put_u64(&w, REQUEST_CLAIM);
	mp_put_u64(&w, writer->stream);
	mp_put_str(&w, "bench", 5);
	struct mp_reader r = mp_reader_of(ask(mailbox, mp_written(&w)));
	const uint64_t epoch = mp_get_u64(&r);
	mp_get_u64(&r);
	uint64_t version = mp_get_u64(&r);
	for (size_t done = 0; done < writer->events; done += writer->batch) {
		w = mp_writer_of(memory, MESSAGE_BYTES_MAX);
		mp_put_array(&w, 5);
		mp_put_u64(&w, REQUEST_APPEND);
		mp_put_u64(&w, writer->stream);
		mp_put_u64(&w, epoch);
		mp_put_u64(&w, version);
		mp_put_array(&w, writer->batch);
		for (size_t i = 0; i < writer->batch; i++) {
			fill(writer, &event, done + i);
			event_write(&w, &event);
		}
		check(!w.bad, "the batch is too large");
		ask(mailbox, mp_written(&w));
		version += writer->batch;
	}
	mailbox_hang_up(mailbox);
	free(memory);
	return NULL;
}

static off_t
size_of(const char *directory, const char *file)
{
	char path[512];
	struct stat about = { 0 };

	snprintf(path, sizeof path, "%s/%s", directory, file);
	stat(path, &about);
	return about.st_size;
}

int
main(int argc, char **argv)
{
	const size_t events = argc > 1 ? strtoul(argv[1], NULL, 10) : 200000;
	const size_t batch = argc > 2 ? strtoul(argv[2], NULL, 10) : 256;
	char directory[] = "./append-bench-XXXXXX";
	static struct settings settings;
	char url[MAILBOX_URL_MAX];
	struct rusage used;
	pthread_t threads[WRITERS];
	struct writer writers[WRITERS];

	check(mkdtemp(directory) != NULL && batch > 0, "no directory to work in");
	settings_preset(&settings);
	snprintf(settings.data_dir.bytes, sizeof settings.data_dir.bytes, "%s", directory);
	mailbox_url(url, sizeof url, directory, "witness");
	const pid_t witness = fork();
	if (witness == 0) {
		_exit(witness_run(directory, &settings));
	}
	/* The first request waits until the witness listens: the time starts after a first small
	 * run. */
	for (size_t i = 0; i < WRITERS; i++) {
		writers[i] = (struct writer){ i == 0 ? STREAM_SESSION : STREAM_ALLOCATION,
					      url,
					      2 * SUBJECTS / batch * batch + batch,
					      batch,
					      { 0 } };
		writers[i].ids.tail[0] = (uint8_t)i;
		write_events(&writers[i]);
		writers[i].events = events / WRITERS;
	}
	const off_t before =
		size_of(directory, "witness.db") + size_of(directory, "witness.db-wal");
	const uint64_t start_us = time_monotonic_us();
	for (size_t i = 0; i < WRITERS; i++) {
		pthread_create(&threads[i], NULL, write_events, &writers[i]);
	}
	for (size_t i = 0; i < WRITERS; i++) {
		pthread_join(threads[i], NULL);
	}
	const double seconds = (double)(time_monotonic_us() - start_us) / 1e6;
	kill(witness, SIGTERM);
	wait4(witness, NULL, 0, &used);
	const double cpu = (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
			   (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
	const off_t after = size_of(directory, "witness.db");
	printf("%zu events, batches of %zu, %d writers: %.0f events/s, witness CPU %.2f us/event, "
	       "about %.0f bytes/event\n",
	       events, batch, WRITERS, (double)events / seconds, cpu * 1e6 / (double)events,
	       (double)(after - before) / (double)events);
	printf("left in %s\n", directory);
	return 0;
}
