#include "actors/supervisor_reload_io.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "actors/data_dir_io.h"
#include "actors/relay_config.h"
#include "actors/supervisor_act_io.h"
#include "protocol/log_line_io.h"
#include "protocol/message.h"
#include "protocol/time_io.h"

enum { ANSWER_WITHIN_US = 5 * 1000 * 1000, LANE_RELOAD = 1 };

void
report_add(struct report *report, enum report_kind kind, const char *format, ...)
{
	va_list arguments;

	if (report->count == REPORT_LINES_MAX) {
		return;
	}
	va_start(arguments, format);
	vsnprintf(report->lines[report->count], SETTING_FAULT_MAX, format, arguments);
	va_end(arguments);
	report->kinds[report->count++] = kind;
}

/* --- reading ---------------------------------------------------------------------------------- */

/* What only this start knows is no difference: addresses this host does not have, and the one that
 * auto-detect found. */
static void
keep_found(struct settings *next, const struct cluster *cluster)
{
	if (cluster->source->listening_is_preset) {
		next->listening_ip = cluster->settings->listening_ip;
	}
	for (size_t i = 0; i < next->external_ip.count; i++) {
		if (strcmp(next->external_ip.items[i].bytes, "auto-detect") == 0 &&
		    i < cluster->settings->external_ip.count) {
			next->external_ip.items[i] = cluster->settings->external_ip.items[i];
		}
	}
}

static bool
read_next(struct running *r, struct settings *next)
{
	static struct setting_faults faults;
	const struct settings_source *source = r->cluster.source;
	struct report *report = &r->reload.report;
	struct setting_word file;

	settings_load(next, source->file, source->options, source->option_count, SETTINGS_AGAIN,
		      &faults, &file);
	for (size_t i = 0; i < faults.count; i++) {
		report_add(report, REPORT_FAULT, "%s", faults.lines[i]);
	}
	if (faults.count == 0 && !turn_secret_add(next, true)) {
		report_add(report, REPORT_FAULT, "the secret in %s/private cannot be read",
			   next->data_dir.bytes);
	}
	keep_found(next, &r->cluster);
	next->drain = r->cluster.settings->drain; /* an operator's to set while it runs */
	return report->count == 0;
}

/* Between keys, and what only a relay finds out. */
static bool
check_merged(struct running *r, const struct settings *merged)
{
	static struct setting_faults faults;
	struct report *report = &r->reload.report;

	faults.count = 0;
	settings_check(merged, &faults);
	for (size_t i = 0; i < faults.count; i++) {
		report_add(report, REPORT_FAULT, "%s", faults.lines[i]);
	}
	const char *fault = faults.count == 0 ? relay_config_fault(merged) : NULL;

	if (fault != NULL) {
		report_add(report, REPORT_FAULT, "%s", fault);
	}
	return report->count == 0;
}

/* --- telling ---------------------------------------------------------------------------------- */

/* The names of the keys, as far as they fit. */
static void
note_keys(struct reload *reload)
{
	size_t count;
	size_t used = 1;
	const struct setting_description *table = settings_table(&count);

	strcpy(reload->keys, "[");
	for (size_t i = 0; i < count; i++) {
		const size_t room = sizeof reload->keys - used - 1;

		if (reload->changes.taken[i] && strlen(table[i].key) + 4 < room) {
			used += (size_t)snprintf(reload->keys + used, room, "%s\"%s\"",
						 used > 1 ? "," : "", table[i].key);
		}
	}
	strcat(reload->keys, "]");
}

static void
note_changes(struct running *r)
{
	size_t count;
	const struct setting_description *table = settings_table(&count);
	struct reload *reload = &r->reload;

	for (size_t i = 0; i < count; i++) {
		if (reload->changes.taken[i]) {
			report_add(&reload->report, REPORT_DONE, "%s: taken over", table[i].key);
		} else if (reload->changes.kept[i]) {
			report_add(&reload->report, REPORT_KEPT,
				   "%s: needs a restart, it stays as it was", table[i].key);
		}
	}
	const size_t retired = r->cluster.settings->retired_auth_secret.count;

	if (reload->changes.taken[SETTING_PLACE_static_auth_secret]) {
		report_add(&reload->report, REPORT_DONE,
			   "secrets that are still accepted beside the new: %zu (secret-overlap "
			   "%llu s)",
			   retired, (unsigned long long)r->cluster.settings->secret_overlap);
	}
	note_keys(reload);
}

struct reload_parts {
	char text[SETTINGS_TEXT_MAX];
	uint8_t certificate[CERTIFICATE_PACKED_MAX];
	uint8_t request[SETTINGS_TEXT_MAX + CERTIFICATE_PACKED_MAX + 32];
};

/* The settings of that kind of actor, over its mailbox; a relay's certificate with them. */
static void
tell_actor(struct running *r, size_t at)
{
	struct actor *actor = &r->cluster.actors[at];
	struct reload_parts *parts = malloc(sizeof *parts);

	assert(parts != NULL);
	const size_t length = cluster_settings_text(&r->cluster, actor->kind, parts->text);
	const size_t certificate = actor->kind == ACTOR_RELAY
					   ? cluster_certificate(&r->cluster, parts->certificate)
					   : 0;
	struct mp_writer w = mp_writer_of(parts->request, sizeof parts->request);

	mp_put_array(&w, 3);
	mp_put_u64(&w, REQUEST_RELOAD);
	mp_put_str(&w, parts->text, length);
	mp_put_bin(&w, parts->certificate, certificate);
	if (!w.bad && length > 0) {
		/* Who did not answer the last one gets this in its place. */
		if (!mailbox_lane_is_free(actor->mailbox, LANE_RELOAD)) {
			mailbox_cancel(actor->mailbox, LANE_RELOAD);
		}
		mailbox_request(actor->mailbox, LANE_RELOAD, mp_written(&w));
		r->reload.waits[at] = true;
	}
	explicit_bzero(parts, sizeof *parts);
	free(parts);
}

static void
tell_group(struct running *r, unsigned group)
{
	const struct supervisor *s = &r->cluster.supervisor;

	r->reload.group = group;
	r->reload.since_us = time_monotonic_us();
	for (size_t i = 0; i < s->count; i++) {
		if (s->children[i].group == group && r->cluster.actors[i].pid > 0) {
			tell_actor(r, i);
		}
	}
}

void
reload_answered(struct running *r, size_t at, struct span reply)
{
	struct mp_reader reader = mp_reader_of(reply);
	enum verdict verdict = REFUSED_MALFORMED;

	mp_get_array(&reader, 8);
	if (!verdict_from_number(mp_get_u64(&reader), &verdict) || reader.bad) {
		verdict = REFUSED_MALFORMED;
	}
	if (r->reload.waits[at] && verdict != ACCEPTED) {
		report_add(&r->reload.report, REPORT_LATE, "%s refuses it: %s",
			   r->cluster.actors[at].name, verdict_text(verdict));
	}
	r->reload.waits[at] = false;
}

/* --- the whole -------------------------------------------------------------------------------- */

static bool
refuse(struct running *r)
{
	for (size_t i = 0; i < r->reload.report.count; i++) {
		log_error("%s", r->reload.report.lines[i]);
	}
	log_error("the configuration has faults: nothing was changed");
	r->reload.verdict = REFUSED_CONFIGURATION;
	return false;
}

/* A certificate that was renewed lies in the same file: no key has changed, and yet it is another.
 */
static void
take_certificate(struct running *r, int fd)
{
	static struct setting_faults doubts;
	struct setting_changes *changes = &r->reload.changes;

	if (cluster_take_certificate(&r->cluster, fd) && !changes->taken[SETTING_PLACE_cert]) {
		changes->taken[SETTING_PLACE_cert] = true;
		changes->taken_count++;
	}
	doubts.count = 0;
	certificate_doubt(r->cluster.settings, &doubts);
	for (size_t i = 0; i < doubts.count; i++) {
		report_add(&r->reload.report, REPORT_DONE, "%s", doubts.lines[i]);
	}
}

static bool
take_merged(struct running *r, const struct settings *merged)
{
	char fault[SETTING_FAULT_MAX];
	const int certificate = cluster_read_certificate(merged, fault);

	if (fault[0] != '\0') {
		report_add(&r->reload.report, REPORT_FAULT, "%s", fault);
		return false;
	}
	if (!cluster_reload(&r->cluster, merged)) {
		report_add(&r->reload.report, REPORT_FAULT,
			   "the new settings cannot be handed over: see the lines of `ifswarm up`");
		if (certificate >= 0) {
			close(certificate);
		}
		return false;
	}
	take_certificate(r, certificate);
	return true;
}

static bool
take(struct running *r, const struct settings *next)
{
	static struct settings merged;
	struct reload *reload = &r->reload;

	merged = *r->cluster.settings;
	settings_reload(&merged, next, time_now_us() / 1000000, &reload->changes);
	const bool taken = check_merged(r, &merged) && take_merged(r, &merged);

	explicit_bzero(&merged, sizeof merged);
	return taken;
}

bool
reload_begin(struct running *r)
{
	static struct settings next;
	struct reload *reload = &r->reload;
	enum log_level level = LOG_LINE_INFO;

	reload->report.count = 0;
	reload->keys[0] = '\0';
	reload->again = false;
	reload->is_drain = false;
	memset(&reload->changes, 0, sizeof reload->changes);
	const bool taken = read_next(r, &next) && take(r, &next);

	explicit_bzero(&next, sizeof next);
	if (!taken) {
		return refuse(r);
	}
	reload->running = true;
	reload->verdict = ACCEPTED;
	log_level_from_word(r->cluster.settings->log_level.bytes, &level);
	log_level_set(level);
	note_changes(r);
	tell_group(r, GROUP_WITNESS);
	return true;
}

bool
reload_drain(struct running *r, const char *drain)
{
	static struct settings next;
	struct reload *reload = &r->reload;

	if (reload->running) {
		return false;
	}
	next = *r->cluster.settings;
	snprintf(next.drain.bytes, sizeof next.drain.bytes, "%s", drain);
	const bool taken = cluster_reload(&r->cluster, &next);

	explicit_bzero(&next, sizeof next);
	if (!taken) {
		return false;
	}
	reload->report.count = 0;
	reload->verdict = ACCEPTED;
	reload->is_drain = true;
	reload->running = true;
	tell_group(r, GROUP_WITNESS);
	return true;
}

static bool
group_waits(struct running *r)
{
	const bool late = time_monotonic_us() - r->reload.since_us > ANSWER_WITHIN_US;
	bool waits = false;

	for (size_t i = 0; i < r->cluster.supervisor.count; i++) {
		if (r->reload.waits[i] && (late || r->cluster.actors[i].pid == 0)) {
			r->reload.waits[i] = false;
			report_add(&r->reload.report, REPORT_LATE,
				   "%s does not answer: it has the new configuration from its next "
				   "start on",
				   r->cluster.actors[i].name);
		}
		waits |= r->reload.waits[i];
	}
	return waits;
}

bool
reload_step(struct running *r)
{
	struct reload *reload = &r->reload;

	if (!reload->running || group_waits(r)) {
		return false;
	}
	if (reload->group < GROUP_GATEWAYS) {
		tell_group(r, reload->group + 1);
		return false;
	}
	reload->running = false;
	if (reload->is_drain) {
		return true;
	}
	for (size_t i = 0; i < reload->report.count; i++) {
		log_line(reload->report.kinds[i] == REPORT_DONE ? LOG_LINE_INFO : LOG_LINE_WARNING,
			 "reload: %s", reload->report.lines[i]);
	}
	log_info("reloaded: %zu keys changed, %zu need a restart", reload->changes.taken_count,
		 reload->changes.kept_count);
	return true;
}
