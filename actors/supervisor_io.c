#include "actors/supervisor_io.h"

#include <assert.h>
#include <errno.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "actors/child_io.h"
#include "actors/ready_io.h"
#include "actors/sandbox_io.h"
#include "actors/supervisor_act_io.h"
#include "protocol/log_line_io.h"
#include "protocol/message.h"
#include "protocol/time_io.h"
#include "store/scrub_io.h"

enum {
	SLOTS = 8,
	TURN_MS = 50, /* of the loop while something changes */
	STATUS_BYTES_MAX = 8192,
	RESEND_MS = 3000, /* a ping lost with a connection is sent again */
	LANE_PING = 0,    /* the other is the reload's */
	FD_SIGNALS = 0,
	FD_REQUESTS = 1,
	FD_LOG = 2,
	FD_ACTORS = 3,
};

/* --- what comes in --- */

static void
child_exited(struct running *r, size_t at, int status)
{
	struct actor *actor = &r->cluster.actors[at];
	char cause[32];

	child_cause(status, cause, sizeof cause);
	snprintf(actor->last_exit, sizeof actor->last_exit, "pid %ld %s", (long)actor->pid, cause);
	actor->pid = 0;
	if (supervisor_exited(&r->cluster.supervisor, at, time_monotonic_us())) {
		log_warning("%s ended: %s: it will be restarted", actor->name, actor->last_exit);
		note_failed(r, actor, actor->last_exit);
		if (WIFEXITED(status) && WEXITSTATUS(status) == CHILD_EXIT_HOPELESS) {
			supervisor_hopeless(&r->cluster.supervisor, at);
		}
	} else {
		log_info("%s stopped: %s", actor->name, actor->last_exit);
	}
}

static void
reap(struct running *r)
{
	for (size_t i = 0; i < r->cluster.supervisor.count; i++) {
		const pid_t pid = r->cluster.actors[i].pid;
		int status = 0;

		if (pid > 0 && waitpid(pid, &status, WNOHANG) == pid) {
			child_exited(r, i, status);
		}
	}
}

static void
take_signals(struct running *r)
{
	struct signalfd_siginfo signal;

	while (read(r->signals, &signal, sizeof signal) == sizeof signal) {
		if (signal.ssi_signo == SIGHUP) {
			operate_signal(r, signal.ssi_uid);
		} else if (signal.ssi_signo != SIGCHLD && r->cluster.supervisor.stopping) {
			log_info("stopping already");
		} else if (signal.ssi_signo != SIGCHLD) {
			log_info("stopping in order");
			supervisor_stop(&r->cluster.supervisor);
		}
	}
	reap(r);
}

static void
put_tallies(const struct running *r, struct mp_writer *w)
{
	size_t count = 0;

	for (size_t i = 0; i < RELAYS_MAX; i++) {
		count += r->tallies[i].relay != 0;
	}
	mp_put_array(w, count);
	for (size_t i = 0; i < RELAYS_MAX; i++) {
		if (r->tallies[i].relay != 0) {
			turn_tally_write(w, &r->tallies[i]);
		}
	}
}

/* Gateways are told what their pages tell of the log and of the relays. */
static void
send_ping(const struct running *r, struct actor *actor, const struct scrub_state *scrub)
{
	uint8_t bytes[64 + RELAYS_MAX * TURN_TALLY_BYTES_MAX];
	struct mp_writer w = mp_writer_of(bytes, sizeof bytes);
	const bool is_told = actor->kind == ACTOR_GATEWAY;

	mp_put_array(&w, is_told ? 4 : 1);
	mp_put_u64(&w, REQUEST_PING);
	if (is_told) {
		mp_put_u64(&w, scrub->ended_s);
		mp_put_u64(&w, scrub->ended_findings + scrub->findings);
		put_tallies(r, &w);
	}
	assert(!w.bad);
	mailbox_request(actor->mailbox, LANE_PING, mp_written(&w));
}

static void
send_pings(struct running *r)
{
	struct scrub_state scrub;
	const uint64_t now_us = time_monotonic_us();
	const bool is_starting = !supervisor_is_ready(&r->cluster.supervisor);

	/* A start is noticed sooner. */
	if (now_us - r->pinged_us < (is_starting ? SUPERVISOR_PING_US / 10 : SUPERVISOR_PING_US)) {
		return;
	}
	r->pinged_us = now_us;
	scrub_load(r->cluster.settings->data_dir.bytes, &scrub);
	for (size_t i = 0; i < r->cluster.supervisor.count; i++) {
		struct actor *actor = &r->cluster.actors[i];

		if (actor->pid > 0 && mailbox_lane_is_free(actor->mailbox, LANE_PING)) {
			send_ping(r, actor, &scrub);
		}
	}
}

static void
take_tally(struct running *r, struct mp_reader *reader)
{
	struct turn_tally tally;

	turn_tally_read(reader, &tally);
	if (mp_reader_is_done(reader) && tally.relay >= 1 && tally.relay <= RELAYS_MAX) {
		r->tallies[tally.relay - 1] = tally;
	}
}

static void
take_answer(struct running *r, size_t at, struct span reply)
{
	struct mp_reader reader = mp_reader_of(reply);
	struct supervisor *s = &r->cluster.supervisor;
	struct actor *actor = &r->cluster.actors[at];
	const bool was_starting = s->children[at].state == CHILD_STARTING;

	mp_get_array(&reader, 8);
	mp_get_u64(&reader); /* whatever the verdict: somebody answers */
	const uint64_t epoch = mp_get_u64(&reader);
	if (!reader.bad) {
		actor->epoch = epoch;
	}
	if (actor->kind == ACTOR_RELAY) {
		take_tally(r, &reader);
	}
	if (actor->pid == 0) {
		return; /* it has died since */
	}
	supervisor_answered(s, at, time_monotonic_us());
	if (was_starting && actor->kind == ACTOR_GATEWAY) {
		char detail[96];

		snprintf(detail, sizeof detail, "pid %ld", (long)actor->pid);
		operator_log_note(r->log, EVENT_SIGNALING_SERVER_STARTED, actor->name, detail);
	}
}

static void
take_answers(struct running *r)
{
	for (size_t i = 0; i < r->cluster.supervisor.count; i++) {
		struct span reply;
		size_t lane;

		while (mailbox_reply(r->cluster.actors[i].mailbox, &lane, &reply)) {
			if (lane == LANE_PING) {
				take_answer(r, i, reply);
			} else {
				reload_answered(r, i, reply);
			}
		}
	}
}

static void
write_status(const struct running *r, struct mp_writer *w)
{
	const struct supervisor *s = &r->cluster.supervisor;

	const char *drain = r->cluster.settings->drain.bytes;

	mp_put_array(w, 3);
	mp_put_u64(w, ACCEPTED);
	mp_put_array(w, s->count);
	for (size_t i = 0; i < s->count; i++) {
		const struct actor *actor = &r->cluster.actors[i];
		const char *state = child_state_name(s->children[i].state);

		mp_put_array(w, 5);
		mp_put_str(w, actor->name, strlen(actor->name));
		mp_put_u64(w, (uint64_t)actor->pid);
		mp_put_str(w, state, strlen(state));
		mp_put_u64(w, actor->epoch);
		mp_put_u64(w, s->children[i].restarts);
	}
	mp_put_str(w, drain, strlen(drain));
}

static void
write_verdict(struct mp_writer *w, enum verdict verdict)
{
	mp_put_array(w, 1);
	mp_put_u64(w, verdict);
}

static void
answer(struct running *r, uint32_t slot, struct span request)
{
	uint8_t bytes[STATUS_BYTES_MAX];
	struct mp_writer w = mp_writer_of(bytes, sizeof bytes);
	struct mp_reader reader = mp_reader_of(request);

	mp_get_array(&reader, 5);
	switch (mp_get_u64(&reader)) {
	case REQUEST_STATUS:
		write_status(r, &w);
		break;
	case REQUEST_PING:
		write_verdict(&w, ACCEPTED);
		break;
	case REQUEST_OPERATE:
		operate_take(r, &reader, slot);
		return;
	case REQUEST_STOP:
		if (!mailbox_sender_is_operator(r->requests, slot)) {
			operate_note_refused(r, slot, "stop");
			write_verdict(&w, REFUSED_OPERATOR);
			break;
		}
		log_info("asked to stop: stopping in order");
		supervisor_stop(&r->cluster.supervisor);
		write_verdict(&w, ACCEPTED);
		break;
	default:
		write_verdict(&w, REFUSED_MALFORMED);
		break;
	}
	assert(!w.bad);
	mailbox_answer(r->requests, slot, mp_written(&w));
}

static void
take_requests(struct running *r)
{
	struct span request;
	uint32_t slot;

	while (mailbox_take(r->requests, &slot, &request)) {
		answer(r, slot, request);
	}
}

/* --- the loop --- */

static void
announce(struct running *r)
{
	const uint64_t now_us = time_monotonic_us();

	if (r->done.announced || !supervisor_is_ready(&r->cluster.supervisor) ||
	    now_us - r->done.asked_us < SUPERVISOR_PING_US / 10) {
		return;
	}
	r->done.asked_us = now_us;
	if (ready_ask(r->cluster.settings)) {
		r->done.announced = true;
		ready_print(r->cluster.settings);
	}
}

static void
wait_for_something(struct running *r)
{
	struct pollfd waits[FD_ACTORS + CHILDREN_MAX];
	const size_t actors = r->cluster.supervisor.count;
	const bool is_calm = r->done.announced && supervisor_is_ready(&r->cluster.supervisor);

	waits[FD_SIGNALS] = (struct pollfd){ .fd = r->signals, .events = POLLIN };
	waits[FD_REQUESTS] =
		(struct pollfd){ .fd = mailbox_server_fd(r->requests), .events = POLLIN };
	waits[FD_LOG] = (struct pollfd){ .fd = operator_log_fd(r->log), .events = POLLIN };
	for (size_t i = 0; i < actors; i++) {
		const int fd = mailbox_client_fd(r->cluster.actors[i].mailbox);
		waits[FD_ACTORS + i] = (struct pollfd){ .fd = fd, .events = POLLIN };
	}
	poll(waits, FD_ACTORS + actors, is_calm ? SUPERVISOR_PING_US / 1000 : TURN_MS);
}

static void
turn(struct running *r)
{
	struct supervisor *s = &r->cluster.supervisor;

	wait_for_something(r);
	take_signals(r);
	take_answers(r);
	take_requests(r);
	supervisor_wake(s, time_monotonic_us());
	while (perform(r, supervisor_next(s, time_monotonic_us()))) {
	}
	send_pings(r);
	note_completed(r);
	operator_log_work(r->log);
	operate_step(r);
	scrub_work(r);
	announce(r);
}

static int
catch_signals(void)
{
	sigset_t caught;

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&caught);
	sigaddset(&caught, SIGCHLD);
	sigaddset(&caught, SIGTERM);
	sigaddset(&caught, SIGINT);
	sigaddset(&caught, SIGHUP);
	/* Before nng starts its threads: they inherit the mask. */
	sigprocmask(SIG_BLOCK, &caught, NULL);
	return signalfd(-1, &caught, SFD_CLOEXEC | SFD_NONBLOCK);
}

static bool
open_own_ends(struct running *r)
{
	char url[MAILBOX_URL_MAX];
	char fault[MAILBOX_URL_MAX + 128];

	mailbox_url(url, sizeof url, r->cluster.run_dir, "supervisor");
	r->requests = mailbox_listen(url, SLOTS, fault, sizeof fault);
	if (r->requests == NULL) {
		log_error("%s", fault);
		return false;
	}
	for (size_t i = 0; i < r->cluster.supervisor.count; i++) {
		mailbox_lane_resend(r->cluster.actors[i].mailbox, LANE_PING, RESEND_MS);
	}
	r->log = operator_log_open(r->cluster.run_dir);
	return r->log != NULL;
}

static void
close_own_ends(struct running *r)
{
	for (size_t i = 0; i < r->cluster.supervisor.count; i++) {
		mailbox_hang_up(r->cluster.actors[i].mailbox);
	}
	operator_log_close(r->log);
	mailbox_close(r->requests);
}

int
supervisor_run(struct settings *settings, const struct settings_source *source)
{
	static struct running running;
	struct running *r = &running;

	close_range(STDERR_FILENO + 1, ~0U,
		    CLOSE_RANGE_CLOEXEC); /* what a caller left open ends here */
	umask(S_IRWXG | S_IRWXO);         /* whatever the actors make is for this user alone */
	r->signals = catch_signals();
	if (r->signals < 0) {
		log_error("cannot catch signals: %s", strerror(errno));
		return 1;
	}
	if (!sandbox_harden() || !cluster_prepare(&r->cluster, settings, source) ||
	    !open_own_ends(r)) {
		return 1;
	}
	note_started(r);
	while (!supervisor_is_done(&r->cluster.supervisor)) {
		turn(r);
	}
	scrub_end(r);
	close_own_ends(r);
	log_info("stopped");
	return r->given_up ? 1 : 0;
}
