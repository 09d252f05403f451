#include "actors/witness_acts_io.h"

#include <assert.h>
#include <stdlib.h>

#include "protocol/log_line_io.h"
#include "protocol/time_io.h"
#include "store/erase_io.h"

struct witness_acts {
	struct evidence *evidence;
	struct erasing *erasing; /* kept after its end, so that who asks again is told */
	struct id erase_id;
	enum erase_state erase_state;
};

struct witness_acts *
witness_acts_new(struct evidence *evidence)
{
	struct witness_acts *acts = calloc(1, sizeof *acts);

	assert(acts != NULL);
	acts->evidence = evidence;
	return acts;
}

void
witness_acts_free(struct witness_acts *acts)
{
	if (acts != NULL) {
		erase_end(acts->erasing);
		free(acts);
	}
}

static bool
is_under_way(const struct witness_acts *acts)
{
	return acts->erasing != NULL &&
	       (acts->erase_state == ERASE_WORKS || acts->erase_state == ERASE_WAITS);
}

static enum verdict
begin_erase(struct witness_acts *acts, const struct id *id, const struct erase_order *order)
{
	char fault[EVIDENCE_FAULT_MAX];

	if (is_under_way(acts)) {
		return REFUSED_FULL;
	}
	if (evidence_read_only(acts->evidence) != NULL || evidence_is_suspended(acts->evidence)) {
		return REFUSED_SUSPENDED;
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

bool
witness_acts_step(struct witness_acts *acts, bool *failed)
{
	*failed = false;
	if (!is_under_way(acts)) {
		return false;
	}
	acts->erase_state = erase_step(acts->erasing, time_now_us());
	say_ended(acts);
	/* A fault of the disk is final for the evidence; any other ends this erasure alone. */
	*failed = acts->erase_state == ERASE_FAILED && evidence_has_failed(acts->evidence);
	return acts->erase_state == ERASE_WORKS;
}
