#include "actors/supervisor_operate_io.h"

#include <assert.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "actors/supervisor_act_io.h"
#include "protocol/log_line_io.h"
#include "protocol/message.h"
#include "protocol/time_io.h"

enum { REFUSED_WINDOW_US = 60 * 1000 * 1000 };

/* --- who asks --------------------------------------------------------------------------------- */

static struct id
handle_of(struct operate *operate, const struct name *name)
{
	struct id id;
	const ssize_t got = getrandom(id.bytes, sizeof id.bytes, 0);

	assert(got == (ssize_t)sizeof id.bytes);
	for (size_t i = 0; i < operate->operator_count; i++) {
		if (name_equal(&operate->operators[i].name, name)) {
			return operate->operators[i].id;
		}
	}
	if (operate->operator_count < OPERATORS_MAX) {
		operate->operators[operate->operator_count++] =
			(struct operator_handle){ *name, id };
	}
	return id;
}

/* "alice as root, uid 0" */
static struct event_operator_acted
act_of(struct operate *operate, const char *act, const char *operator_name, uint64_t uid,
       const struct name *about)
{
	struct event_operator_acted out = { .about = *about };
	char text[NAME_BYTES_MAX];

	snprintf(text, sizeof text, "%.200s, uid %" PRIu64, operator_name, uid);
	if (!name_set(&out.operator_name, text, strlen(text)) ||
	    !name_is_wellformed(&out.operator_name)) {
		name_set(&out.operator_name, "unknown", strlen("unknown"));
	}
	text_set(&out.act, act);
	out.operator= handle_of(operate, &out.operator_name);
	return out;
}

/* --- answers ---------------------------------------------------------------------------------- */

void
operate_answer(struct running *r, uint32_t slot, enum verdict verdict, const struct report *report)
{
	static uint8_t bytes[OPERATE_BYTES_MAX];
	struct mp_writer w = mp_writer_of(bytes, sizeof bytes);
	const size_t count = report == NULL ? 0 : report->count;

	mp_put_array(&w, 2);
	mp_put_u64(&w, verdict);
	mp_put_array(&w, count);
	for (size_t i = 0; i < count; i++) {
		mp_put_array(&w, 2);
		mp_put_u64(&w, report->kinds[i]);
		mp_put_str(&w, report->lines[i], strlen(report->lines[i]));
	}
	assert(!w.bad);
	mailbox_answer(r->requests, slot, mp_written(&w));
}

/* --- what is written down alone --------------------------------------------------------------- */

static void
record(struct running *r, const struct event_operator_acted *act, uint32_t slot)
{
	struct operate *operate = &r->operate;
	size_t at = 0;

	while (at < OPERATE_WAITS_MAX && operate->waits[at].used) {
		at++;
	}
	const uint64_t number = at == OPERATE_WAITS_MAX ? 0 : operator_log_act(r->log, act);

	if (number == 0) {
		operate_answer(r, slot, REFUSED_FULL, NULL);
		return;
	}
	operate->waits[at].used = true;
	operate->waits[at].slot = slot;
	operate->waits[at].number = number;
	operate->waits[at].since_us = time_monotonic_us();
	operator_log_work(r->log);
}

/* While the log cannot be written nothing is done. */
static void
answer_recorded(struct running *r)
{
	const uint64_t now_us = time_monotonic_us();

	for (size_t i = 0; i < OPERATE_WAITS_MAX; i++) {
		const bool durable = operator_log_has(r->log, r->operate.waits[i].number);

		if (r->operate.waits[i].used &&
		    (durable || now_us - r->operate.waits[i].since_us > OPERATE_RECORD_WITHIN_US)) {
			r->operate.waits[i].used = false;
			operate_answer(r, r->operate.waits[i].slot,
				       durable ? ACCEPTED : REFUSED_SUSPENDED, NULL);
		}
	}
}

/* --- reload ----------------------------------------------------------------------------------- */

static void
end_reload(struct running *r)
{
	struct operate *operate = &r->operate;
	struct event_operator_acted act = operate->reload_act;
	const struct setting_changes *changes = &r->reload.changes;
	char detail[TEXT_BYTES_MAX + 1];

	if (r->reload.verdict == ACCEPTED) {
		snprintf(detail, sizeof detail, "%zu keys changed, %zu need a restart",
			 changes->taken_count, changes->kept_count);
	} else {
		snprintf(detail, sizeof detail, "refused, %zu faults", r->reload.report.count);
	}
	text_set(&act.detail, detail);
	json_text_set(&act.keys, r->reload.keys, strlen(r->reload.keys));
	if (operator_log_act(r->log, &act) == 0) {
		log_warning("the witness is down for long: this reload is not in the log");
	}
	if (operate->reload_is_asked) {
		operate_answer(r, operate->reload_slot, r->reload.verdict, &r->reload.report);
	}
	operate->reload_is_asked = false;
}

static void
begin_reload(struct running *r, const struct event_operator_acted *act)
{
	r->operate.reload_act = *act;
	if (!reload_begin(r)) {
		end_reload(r);
	}
}

/* While one runs, one more waits for it; those who come after that are in time for it too. */
static void
ask_reload(struct running *r, const struct event_operator_acted *act, bool is_asked, uint32_t slot)
{
	struct operate *operate = &r->operate;

	if (!r->reload.running) {
		operate->reload_is_asked = is_asked;
		operate->reload_slot = slot;
		begin_reload(r, act);
		return;
	}
	if (is_asked && operate->next_is_asked) {
		operate_answer(r, slot, REFUSED_FULL, NULL);
		return;
	}
	if (is_asked || !r->reload.again) {
		operate->next_act = *act;
		operate->next_is_asked = is_asked;
		operate->next_slot = slot;
	}
	r->reload.again = true;
}

void
operate_signal(struct running *r, uint64_t uid)
{
	const struct passwd *user = getpwuid((uid_t)uid);
	const struct name nobody = { 0 };
	const struct event_operator_acted act = act_of(
		&r->operate, "reload", user == NULL ? "SIGHUP" : user->pw_name, uid, &nobody);

	ask_reload(r, &act, false, 0);
}

/* --- the whole -------------------------------------------------------------------------------- */

static bool
is_recorded_alone(const char *act)
{
	static const char *const acts[] = { "allocations", "kill", "revoke", "restore" };

	for (size_t i = 0; i < sizeof acts / sizeof acts[0]; i++) {
		if (strcmp(act, acts[i]) == 0) {
			return true;
		}
	}
	return false;
}

static bool
act_is_known(const char *act)
{
	return strcmp(act, "reload") == 0 || strcmp(act, "drain") == 0 || is_recorded_alone(act);
}

static struct name
read_name(struct mp_reader *reader)
{
	const struct span bytes = mp_get_str(reader, NAME_BYTES_MAX);
	struct name name = { 0 };

	if (bytes.count > 0) {
		name_set(&name, (const char *)bytes.at, bytes.count);
		reader->bad |= !name_is_wellformed(&name);
	}
	return name;
}

/* Told at once when it is the first, and then as a sum: a stranger must not fill the log. */
void
operate_note_refused(struct running *r, uint32_t slot, const char *act)
{
	const uint64_t uid = mailbox_sender_uid(r->requests, slot);
	struct operate_refusals *refusals = &r->operate.refusals;
	const uint64_t now_us = time_monotonic_us();
	const struct name nobody = { 0 };

	refusals->count++;
	if (refusals->told_us != 0 && now_us - refusals->told_us < REFUSED_WINDOW_US) {
		return;
	}
	const struct passwd *user = getpwuid((uid_t)uid);
	const struct event_operator_acted asked =
		act_of(&r->operate, act, user == NULL ? "unknown" : user->pw_name, uid, &nobody);

	if (operator_log_refused(r->log, &(struct event_operator_refused){
						 .operator= asked.operator,
						 .act = asked.act,
						 .count = refusals->count,
						 .operator_name = asked.operator_name }) != 0) {
		refusals->told_us = now_us;
		refusals->count = 0;
		log_warning("a process of uid %" PRIu64 " asked for an operator's act: refused",
			    uid);
	}
}

void
operate_take(struct running *r, struct mp_reader *reader, uint32_t slot)
{
	const uint64_t uid = mailbox_sender_uid(r->requests, slot);
	const struct name word = read_name(reader);
	const struct name operator_name = read_name(reader);
	const struct name about = read_name(reader);
	char act_word[TEXT_BYTES_MAX + 1];
	char operator_word[NAME_BYTES_MAX + 1];

	const uint64_t argument = mp_get_u64(reader);
	if (!mp_reader_is_done(reader)) {
		operate_answer(r, slot, REFUSED_MALFORMED, NULL);
		return;
	}
	snprintf(act_word, sizeof act_word, "%.*s", (int)word.length, word.bytes);
	if (!mailbox_sender_is_operator(r->requests, slot)) {
		operate_note_refused(r, slot, act_is_known(act_word) ? act_word : "unknown");
		operate_answer(r, slot, REFUSED_OPERATOR, NULL);
		return;
	}
	snprintf(operator_word, sizeof operator_word, "%.*s", (int)operator_name.length,
		 operator_name.bytes);
	const struct event_operator_acted act =
		act_of(&r->operate, act_word, operator_word, uid, &about);

	if (text_equal(&act.act, "reload")) {
		ask_reload(r, &act, true, slot);
	} else if (text_equal(&act.act, "drain")) {
		drain_take(r, &act, argument != 0, slot);
	} else if (is_recorded_alone(act_word)) {
		record(r, &act, slot);
	} else {
		operate_answer(r, slot, REFUSED_MALFORMED, NULL);
	}
}

static void
begin_next(struct running *r)
{
	struct operate *operate = &r->operate;

	if (r->reload.again) {
		operate->reload_is_asked = operate->next_is_asked;
		operate->reload_slot = operate->next_slot;
		operate->next_is_asked = false;
		begin_reload(r, &operate->next_act);
	}
}

void
operate_step(struct running *r)
{
	if (reload_step(r)) {
		if (r->reload.is_drain) {
			drain_told(r);
		} else {
			end_reload(r);
		}
		begin_next(r);
	}
	drain_step(r);
	answer_recorded(r);
}
