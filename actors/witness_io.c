#include "actors/witness_io.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "actors/sandbox_io.h"
#include "actors/signals_io.h"
#include "actors/witness_process_io.h"
#include "protocol/log_line_io.h"
#include "protocol/time_io.h"

enum { PUBLISH_US = 1000 * 1000, IDLE_MS = 100 };

static void
publish_if_due(struct witness *w)
{
	const uint64_t now_us = time_monotonic_us();

	if (now_us - w->published_us >= PUBLISH_US && evidence_is_publish_due(w->evidence) &&
	    evidence_read_only(w->evidence) == NULL) {
		w->published_us = now_us;
		witness_verdict(w, evidence_publish(w->evidence));
	}
}

static void
serve(struct witness *w)
{
	struct pollfd waits = { .fd = mailbox_server_fd(w->mailbox), .events = POLLIN };

	while (!signals_stop() && !w->failed) {
		struct span request;
		uint32_t slot = 0;
		while (w->held_count < WITNESS_SLOTS && !w->failed &&
		       mailbox_take(w->mailbox, &slot, &request)) {
			witness_take(w, slot, request);
		}
		if (!w->failed) {
			witness_commit(w);
		}
		if (!w->failed) {
			publish_if_due(w);
		}
		bool works = !w->failed && witness_acts_step(w->acts, &w->failed);
		works |= !w->failed && witness_cosign_step(w->cosign);
		if (!w->failed && poll(&waits, 1, works ? 0 : IDLE_MS) == 0) {
			witness_verdict(w, evidence_idle(w->evidence));
		}
	}
}

static bool
open_all(struct witness *w, const char *run_dir, struct settings *settings)
{
	char fault[EVIDENCE_FAULT_MAX];
	char url[MAILBOX_URL_MAX];
	char origin[TEXT_BYTES_MAX + 1];
	const struct sandbox_rules rules = { .writable = { settings->data_dir.bytes, run_dir } };

	snprintf(origin, sizeof origin, "ifswarm.local/%.48s", settings->node.bytes);
	const struct evidence_options options = {
		.directory = settings->data_dir.bytes,
		.origin = origin,
		.wrap_key_file = settings->wrap_key_file.bytes,
		.now_us = time_now_us(),
	};
	if (!evidence_open(&options, &w->evidence, fault, sizeof fault)) {
		log_error("%s", fault);
		return false;
	}
	if (evidence_read_only(w->evidence) != NULL) {
		log_error("the log is served read-only: %s", evidence_read_only(w->evidence));
	}
	w->anchor = witness_anchor_new(w->evidence, settings);
	w->cosign = witness_cosign_new(w->evidence, settings);
	if (w->anchor == NULL || w->cosign == NULL || !sandbox_enter(&rules)) {
		return false;
	}
	mailbox_url(url, sizeof url, run_dir, "witness");
	w->mailbox = mailbox_listen(url, WITNESS_SLOTS, fault, sizeof fault);
	if (w->mailbox == NULL) {
		log_error("%s", fault);
		return false;
	}
	w->settings = settings;
	const struct retain_order retain = { settings->retain_payload_days,
					     settings->retain_envelope_months };
	w->acts = witness_acts_new(w->evidence, &retain);
	log_info("serving %s with %llu events", origin,
		 (unsigned long long)evidence_size(w->evidence));
	return true;
}

int
witness_run(const char *run_dir, struct settings *settings)
{
	struct witness *w = calloc(1, sizeof *w);

	if (w == NULL || !signals_catch()) {
		log_error("out of memory at start");
		free(w);
		return 1;
	}
	const bool opened = open_all(w, run_dir, settings);
	if (opened) {
		serve(w);
		if (w->failed) {
			log_error("%s", evidence_fault(w->evidence));
		}
		mailbox_close(w->mailbox);
	}
	witness_acts_free(w->acts);
	witness_anchor_free(w->anchor);
	witness_cosign_free(w->cosign);
	const bool failed = w->failed;
	evidence_close(w->evidence, time_now_us());
	free(w);
	return opened && !failed ? 0 : 1;
}
