#include "actors/witness_acts_io.h"

#include <assert.h>
#include <stdlib.h>

#include "protocol/log_line_io.h"
#include "protocol/time_io.h"
#include "store/erase_io.h"
#include "store/prune_io.h"
#include "store/retain_io.h"

struct witness_acts {
	struct evidence *evidence;
	struct erasing *erasing; /* kept after its end, so that who asks again is told */
	struct id erase_id;
	enum erase_state erase_state;
	struct retain_order configured;
	uint64_t retained_us; /* monotonic: when the last round by itself began; 0: none yet */
	struct id retain_id;
	struct retain_order retain_order;
	enum erase_state retain_state; /* of the whole round: first personal data, then entries */
	struct retaining *retaining;
	struct pruning *pruning;
	struct retain_result retained;
};

struct witness_acts *
witness_acts_new(struct evidence *evidence, const struct retain_order *retain)
{
	struct witness_acts *acts = calloc(1, sizeof *acts);

	assert(acts != NULL);
	acts->evidence = evidence;
	acts->configured = *retain;
	return acts;
}

void
witness_acts_free(struct witness_acts *acts)
{
	if (acts != NULL) {
		erase_end(acts->erasing);
		retain_end(acts->retaining);
		prune_end(acts->pruning);
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
	return (acts->retaining != NULL || acts->pruning != NULL) && goes_on(acts->retain_state);
}

static enum verdict
check_free(const struct witness_acts *acts)
{
	if (is_erasing(acts) || is_retaining(acts)) {
		return REFUSED_FULL;
	}
	if (evidence_read_only(acts->evidence) != NULL) {
		return REFUSED_READ_ONLY;
	}
	return evidence_is_suspended(acts->evidence) ? REFUSED_SUSPENDED : ACCEPTED;
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

/* The second half of a round, if there is anything old. */
static void
begin_prune(struct witness_acts *acts)
{
	const uint64_t month = prune_month(acts->retain_order.envelope_months, time_now_us());
	char fault[EVIDENCE_FAULT_MAX];

	acts->retain_state = ERASE_DONE;
	if (month == 0) {
		return;
	}
	acts->pruning = prune_begin(acts->evidence, month, fault, sizeof fault);
	acts->retain_state = acts->pruning != NULL ? ERASE_WORKS : ERASE_FAILED;
	if (acts->pruning == NULL) {
		log_error("a pruning cannot begin: %s", fault);
	}
}

static void
end_retain(struct witness_acts *acts)
{
	retain_end(acts->retaining);
	prune_end(acts->pruning);
	acts->retaining = NULL;
	acts->pruning = NULL;
}

static enum verdict
begin_retain(struct witness_acts *acts, const struct id *id, const struct retain_order *order)
{
	const uint64_t month = retain_month(order->payload_days, time_now_us());
	char fault[EVIDENCE_FAULT_MAX];
	const enum verdict verdict = check_free(acts);

	if (verdict != ACCEPTED) {
		return verdict;
	}
	end_retain(acts);
	acts->retain_id = *id;
	acts->retain_order = *order;
	acts->retained = (struct retain_result){ 0 };
	if (month == 0) {
		begin_prune(acts);
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
	_Static_assert((int)RETAIN_NUMBERS <= (int)WITNESS_ACT_NUMBERS, "its answer fits");
	struct retain_order order;
	struct id id;
	enum verdict verdict = retain_request_read(r, &id, &order);

	*count = 0;
	if (verdict == ACCEPTED && !id_equal(&id, &acts->retain_id)) {
		if (order.payload_days == 0) {
			order.payload_days = acts->configured.payload_days;
		}
		if (order.envelope_months == 0) {
			order.envelope_months = acts->configured.envelope_months;
		}
		verdict = begin_retain(acts, &id, &order);
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

static void
step_retain(struct witness_acts *acts)
{
	const struct retain_report *report = &acts->retained.payload;

	acts->retain_state = retain_step(acts->retaining, time_now_us());
	acts->retained.payload = retain_report_of(acts->retaining);
	if (acts->retain_state == ERASE_FAILED) {
		log_error("a retention failed: %s", retain_fault(acts->retaining));
	}
	if (acts->retain_state != ERASE_DONE) {
		return;
	}
	if (report->keys + report->parts > 0) {
		log_info("personal data up to month %llu is destroyed: %llu keys, %llu parts; "
			 "holds keep %llu keys",
			 (unsigned long long)report->month, (unsigned long long)report->keys,
			 (unsigned long long)report->parts, (unsigned long long)report->kept);
	}
	retain_end(acts->retaining);
	acts->retaining = NULL;
	begin_prune(acts);
}

static void
step_prune(struct witness_acts *acts)
{
	const struct prune_report *report = &acts->retained.envelope;

	acts->retain_state = prune_step(acts->pruning, time_now_us());
	acts->retained.envelope = prune_report_now(acts->pruning);
	if (acts->retain_state == ERASE_FAILED) {
		log_error("a pruning failed: %s", prune_fault(acts->pruning));
	} else if (acts->retain_state == ERASE_DONE && report->entries > 0) {
		log_info("entries up to month %llu are pruned: %llu, in %llu ranges; tiles and "
			 "proofs stay",
			 (unsigned long long)report->month, (unsigned long long)report->entries,
			 (unsigned long long)report->ranges);
	}
}

static void
begin_if_due(struct witness_acts *acts)
{
	const struct id nobody = { 0 };
	const uint64_t now_us = time_monotonic_us();

	if (!retain_is_due(acts->configured.payload_days, now_us, acts->retained_us) ||
	    check_free(acts) != ACCEPTED) {
		return;
	}
	/* One that cannot begin has said so, and is tried again tomorrow. */
	acts->retained_us = now_us;
	begin_retain(acts, &nobody, &acts->configured);
}

bool
witness_acts_step(struct witness_acts *acts, bool *failed)
{
	bool works = false;

	begin_if_due(acts);
	if (is_erasing(acts)) {
		works = step_erase(acts);
	} else if (is_retaining(acts)) {
		if (acts->retaining != NULL) {
			step_retain(acts);
		} else {
			step_prune(acts);
		}
		works = acts->retain_state == ERASE_WORKS;
	}
	/* A fault of the disk is final for the evidence; any other ends this act alone. */
	*failed = evidence_has_failed(acts->evidence);
	return works;
}
