#include "actors/witness_acts_io.h"

#include <assert.h>
#include <stdlib.h>

#include "protocol/log_line_io.h"
#include "protocol/time_io.h"
#include "store/erase_io.h"
#include "store/retain_io.h"

struct witness_acts {
	struct evidence *evidence;
	struct erasing *erasing; /* kept after its end, so that who asks again is told */
	struct id erase_id;
	enum erase_state erase_state;
	uint64_t payload_days;
	uint64_t retained_us; /* monotonic: when the last round by itself began; 0: none yet */
	struct retaining *retaining; /* likewise kept */
	struct id retain_id;
	enum erase_state retain_state;
	struct retain_report retained;
};

struct witness_acts *
witness_acts_new(struct evidence *evidence, uint64_t payload_days)
{
	struct witness_acts *acts = calloc(1, sizeof *acts);

	assert(acts != NULL);
	acts->evidence = evidence;
	acts->payload_days = payload_days;
	return acts;
}

void
witness_acts_free(struct witness_acts *acts)
{
	if (acts != NULL) {
		erase_end(acts->erasing);
		retain_end(acts->retaining);
		free(acts);
	}
}

static bool
goes_on(enum erase_state state)
{
	return state == ERASE_WORKS || state == ERASE_WAITS;
}

static bool
is_erasing(const struct witness_acts *acts)
{
	return acts->erasing != NULL && goes_on(acts->erase_state);
}

static bool
is_retaining(const struct witness_acts *acts)
{
	return acts->retaining != NULL && goes_on(acts->retain_state);
}

static enum verdict
check_free(const struct witness_acts *acts)
{
	if (is_erasing(acts) || is_retaining(acts)) {
		return REFUSED_FULL;
	}
	return evidence_read_only(acts->evidence) != NULL || evidence_is_suspended(acts->evidence)
		       ? REFUSED_SUSPENDED
		       : ACCEPTED;
}

static enum verdict
begin_erase(struct witness_acts *acts, const struct id *id, const struct erase_order *order)
{
	char fault[EVIDENCE_FAULT_MAX];

	const enum verdict verdict = check_free(acts);

	if (verdict != ACCEPTED) {
		return verdict;
	}
	erase_end(acts->erasing);
	acts->erasing = erase_begin(acts->evidence, order, fault, sizeof fault);
	if (acts->erasing == NULL) {
		log_error("an erasure cannot begin: %s", fault);
		return REFUSED_MALFORMED;
	}
	acts->erase_id = *id;
	acts->erase_state = ERASE_WORKS;
	return ACCEPTED;
}

enum verdict
witness_acts_erase(struct witness_acts *acts, struct mp_reader *r,
		   uint64_t numbers[WITNESS_ACT_NUMBERS], size_t *count)
{
	_Static_assert((int)ERASE_NUMBERS <= (int)WITNESS_ACT_NUMBERS, "its answer fits");
	struct erase_order order;
	struct id id;
	enum verdict verdict = erase_request_read(r, &id, &order);

	*count = 0;
	if (verdict == ACCEPTED && (acts->erasing == NULL || !id_equal(&id, &acts->erase_id))) {
		verdict = begin_erase(acts, &id, &order);
	}
	if (verdict != ACCEPTED) {
		return verdict;
	}
	const struct erase_report report = erase_report_of(acts->erasing);
	erase_answer_put(numbers, acts->erase_state, &report);
	*count = ERASE_NUMBERS;
	return ACCEPTED;
}

static void
say_ended(const struct witness_acts *acts)
{
	const struct erase_report report = erase_report_of(acts->erasing);

	switch (acts->erase_state) {
	case ERASE_DONE:
		log_info("an agent was erased: %llu handles, %llu keys, %llu parts",
			 (unsigned long long)report.subjects, (unsigned long long)report.keys,
			 (unsigned long long)(report.own_parts + report.other_parts));
		break;
	case ERASE_HELD:
		log_info("an erasure was refused: %llu holds stand in its way",
			 (unsigned long long)report.holds);
		break;
	case ERASE_FAILED:
		log_error("an erasure failed: %s", erase_fault(acts->erasing));
		break;
	case ERASE_WORKS:
	case ERASE_WAITS:
		break;
	}
}

static enum verdict
begin_retain(struct witness_acts *acts, const struct id *id, uint64_t payload_days)
{
	const uint64_t month = retain_month(payload_days, time_now_us());
	char fault[EVIDENCE_FAULT_MAX];
	const enum verdict verdict = check_free(acts);

	if (verdict != ACCEPTED) {
		return verdict;
	}
	retain_end(acts->retaining);
	acts->retaining = NULL;
	acts->retain_id = *id;
	acts->retain_state = ERASE_DONE;
	acts->retained = (struct retain_report){ 0 };
	if (month == 0) {
		return ACCEPTED;
	}
	acts->retaining = retain_begin(acts->evidence, month, fault, sizeof fault);
	if (acts->retaining == NULL) {
		log_error("a retention cannot begin: %s", fault);
		return REFUSED_MALFORMED;
	}
	acts->retain_state = ERASE_WORKS;
	return ACCEPTED;
}

enum verdict
witness_acts_retain(struct witness_acts *acts, struct mp_reader *r,
		    uint64_t numbers[WITNESS_ACT_NUMBERS], size_t *count)
{
	uint64_t payload_days = 0;
	struct id id;
	enum verdict verdict = retain_request_read(r, &id, &payload_days);

	*count = 0;
	if (verdict == ACCEPTED && !id_equal(&id, &acts->retain_id)) {
		verdict = begin_retain(acts, &id,
				       payload_days > 0 ? payload_days : acts->payload_days);
	}
	if (verdict != ACCEPTED) {
		return verdict;
	}
	retain_answer_put(numbers, acts->retain_state, &acts->retained);
	*count = RETAIN_NUMBERS;
	return ACCEPTED;
}

static bool
step_erase(struct witness_acts *acts)
{
	acts->erase_state = erase_step(acts->erasing, time_now_us());
	say_ended(acts);
	return acts->erase_state == ERASE_WORKS;
}

static bool
step_retain(struct witness_acts *acts)
{
	acts->retain_state = retain_step(acts->retaining, time_now_us());
	acts->retained = retain_report_of(acts->retaining);
	if (acts->retain_state == ERASE_FAILED) {
		log_error("a retention failed: %s", retain_fault(acts->retaining));
	} else if (acts->retain_state == ERASE_DONE &&
		   acts->retained.keys + acts->retained.parts > 0) {
		log_info(
			"personal data up to month %llu is destroyed: %llu keys, %llu parts; holds "
			"keep %llu keys",
			(unsigned long long)acts->retained.month,
			(unsigned long long)acts->retained.keys,
			(unsigned long long)acts->retained.parts,
			(unsigned long long)acts->retained.kept);
	}
	return acts->retain_state == ERASE_WORKS;
}

static void
begin_if_due(struct witness_acts *acts)
{
	const struct id nobody = { 0 };
	const uint64_t now_us = time_monotonic_us();

	if (!retain_is_due(acts->payload_days, now_us, acts->retained_us) ||
	    check_free(acts) != ACCEPTED) {
		return;
	}
	/* One that cannot begin has said so, and is tried again tomorrow. */
	acts->retained_us = now_us;
	begin_retain(acts, &nobody, acts->payload_days);
}

bool
witness_acts_step(struct witness_acts *acts, bool *failed)
{
	bool works = false;

	begin_if_due(acts);
	if (is_erasing(acts)) {
		works = step_erase(acts);
	} else if (is_retaining(acts)) {
		works = step_retain(acts);
	}
	/* A fault of the disk is final for the evidence; any other ends this act alone. */
	*failed = evidence_has_failed(acts->evidence);
	return works;
}
