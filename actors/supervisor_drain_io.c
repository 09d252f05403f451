#include "actors/supervisor_drain_io.h"

#include <stdio.h>

#include "actors/supervisor_act_io.h"
#include "protocol/drain.h"
#include "protocol/log_line_io.h"
#include "protocol/time_io.h"

void
drain_take(struct running *r, const struct event_operator_acted *asked, bool on, uint32_t slot)
{
	struct draining_act *draining = &r->operate.draining;
	struct event_operator_acted act = *asked;
	struct drain ignored;
	char word[NAME_BYTES_MAX + 1];

	snprintf(word, sizeof word, "%.*s", on ? (int)act.about.length : 0, act.about.bytes);
	if ((on && word[0] == '\0') || drain_parse(word, &ignored) != NULL) {
		operate_answer(r, slot, REFUSED_MALFORMED, NULL);
		return;
	}
	text_set(&act.detail, on ? "takes no new work" : "undone");
	const uint64_t number =
		draining->stage == DRAINING_NOTHING ? operator_log_act(r->log, &act) : 0;

	if (number == 0) {
		operate_answer(r, slot, REFUSED_FULL, NULL);
		return;
	}
	*draining = (struct draining_act){
		.stage = DRAINING_IS_WRITTEN,
		.slot = slot,
		.number = number,
		.since_us = time_monotonic_us(),
	};
	snprintf(draining->word.bytes, sizeof draining->word.bytes, "%s", word);
	operator_log_work(r->log);
}

static void
end(struct running *r, enum verdict verdict)
{
	r->operate.draining.stage = DRAINING_NOTHING;
	operate_answer(r, r->operate.draining.slot, verdict,
		       verdict == ACCEPTED ? &r->reload.report : NULL);
}

void
drain_told(struct running *r)
{
	const char *word = r->operate.draining.word.bytes;

	if (word[0] == '\0') {
		log_info("drain: undone, new work is taken again");
	} else {
		log_info("drain: no new work is taken%s%s",
			 word[1] == 'n' ? "" : ", clients go to ", word[1] == 'n' ? "" : word);
	}
	end(r, ACCEPTED);
}

void
drain_step(struct running *r)
{
	struct draining_act *draining = &r->operate.draining;

	if (draining->stage == DRAINING_IS_WRITTEN) {
		if (operator_log_has(r->log, draining->number)) {
			draining->stage = DRAINING_WAITS;
		} else if (time_monotonic_us() - draining->since_us > OPERATE_RECORD_WITHIN_US) {
			end(r, REFUSED_SUSPENDED); /* while the log cannot be written nothing is
						      done */
		}
	}
	if (draining->stage != DRAINING_WAITS || r->reload.running) {
		return;
	}
	draining->stage = DRAINING_IS_TOLD;
	if (!reload_drain(r, draining->word.bytes)) {
		end(r, REFUSED_SERVER_ERROR);
	}
}
