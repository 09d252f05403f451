#include "replay/care_io.h"

#include <assert.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "actors/act_io.h"
#include "protocol/time_io.h"
#include "replay/verify_io.h"
#include "store/evidence_io.h"

enum { BREAKS_SHOWN = 5 };

void
care_unlock(int lock)
{
	close(lock);
}

int
care_lock(const char *data)
{
	const int fd = open(data, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static void
report(void *context, const struct finding *finding)
{
	uint64_t *count = context;

	if (++*count <= BREAKS_SHOWN) {
		fprintf(stderr, "ifreplay: %s: %s: expected %s, found %s\n", finding->where,
			finding->what, finding->expected, finding->found);
	}
}

uint64_t
care_verify(const char *directory)
{
	const struct options options = { .ask = ASK_VERIFY, .data_dir = directory };
	struct source source = { 0 };
	uint64_t count = 0;
	char fault[CARE_FAULT_MAX];

	if (!log_reader_open(directory, &source.reader, fault, sizeof fault)) {
		fprintf(stderr, "ifreplay: %s\n", fault);
		return UINT64_MAX;
	}
	if (!log_reader_open(directory, &source.far_reader, fault, sizeof fault)) {
		log_reader_close(source.reader);
		return UINT64_MAX;
	}
	names_make(&source.names);
	const struct verify_summary summary = verify_log(&options, &source, report, &count);
	source_close(&source);
	return summary.findings;
}

/* As act_log would send it. */
static enum evidence_result
append_own(struct evidence *evidence, const struct event *event, uint64_t now_us)
{
	uint8_t memory[ACT_BYTES_MAX];
	struct mp_writer w = mp_writer_of(memory, sizeof memory);
	struct event own = *event;
	struct event_wire wire = { 0 };
	uint64_t seq = 0;

	act_stamp(&own);
	event_write(&w, &own);
	assert(!w.bad);
	struct mp_reader r = mp_reader_of(mp_written(&w));
	event_wire_read(&r, &wire);
	assert(!r.bad);
	return evidence_append(evidence, STREAM_WITNESS,
			       evidence_stream_head(evidence, STREAM_WITNESS).epoch, &wire, now_us,
			       &seq);
}

bool
care_log(const char *data, const char *origin, const struct event *events, size_t count,
	 char fault[CARE_FAULT_MAX])
{
	const uint64_t now_us = time_now_us();
	const struct evidence_options options = { .directory = data,
						  .origin = origin,
						  .now_us = now_us };
	struct evidence *evidence = NULL;
	enum evidence_result result = EVIDENCE_OK;

	if (!evidence_open(&options, &evidence, fault, CARE_FAULT_MAX)) {
		return false;
	}
	const char *why = evidence_read_only(evidence);
	if (why == NULL) {
		result = evidence_begin(evidence);
	}
	for (size_t i = 0; i < count && why == NULL && result == EVIDENCE_OK; i++) {
		result = append_own(evidence, &events[i], now_us);
	}
	if (why == NULL && result == EVIDENCE_OK) {
		result = evidence_commit(evidence);
	}
	if (result != EVIDENCE_OK) {
		why = result == EVIDENCE_FULL ? "the disk is full" : evidence_fault(evidence);
	}
	if (why != NULL) {
		snprintf(fault, CARE_FAULT_MAX, "%s", why);
	}
	const bool ok = why == NULL;
	evidence_close(evidence, time_now_us());
	return ok;
}
