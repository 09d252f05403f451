#include "actors/cli_anchors_io.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void
get_text(struct mp_reader *r, char *out, size_t size)
{
	const struct span text = mp_get_str(r, size - 1);

	snprintf(out, size, "%.*s", (int)text.count, text.at == NULL ? "" : (const char *)text.at);
}

void
anchors_status_read(struct mp_reader *r, struct anchors_status *out)
{
	memset(out, 0, sizeof *out);
	out->round = mp_get_u64(r);
	out->age_s = mp_get_u64(r);
	out->count = mp_get_array(r, ANCHOR_TARGETS_MAX);
	for (size_t i = 0; i < out->count && !r->bad; i++) {
		struct anchor_line *line = &out->lines[i];

		mp_get_array(r, 5);
		get_text(r, line->name, sizeof line->name);
		line->is_authority = mp_get_u64(r) != 0;
		line->size = mp_get_u64(r);
		line->failures = mp_get_u64(r);
		get_text(r, line->why, sizeof line->why);
	}
	out->is_there = mp_reader_is_done(r);
}

static uint64_t
lag_of(const struct anchor_line *line, uint64_t log_size)
{
	return log_size > line->size ? log_size - line->size : 0;
}

json_t *
anchors_status_json(const struct anchors_status *status, uint64_t log_size)
{
	json_t *targets = json_array();

	for (size_t i = 0; i < status->count; i++) {
		const struct anchor_line *line = &status->lines[i];

		json_array_append_new(
			targets,
			json_pack("{s:s, s:s, s:I, s:I, s:I, s:s}", "name", line->name, "kind",
				  line->is_authority ? "authority" : "witness", "size",
				  (json_int_t)line->size, "lag", (json_int_t)lag_of(line, log_size),
				  "failures", (json_int_t)line->failures, "why", line->why));
	}
	if (!status->is_there) {
		json_decref(targets);
		return json_null();
	}
	return json_pack("{s:I, s:I, s:o}", "round", (json_int_t)status->round, "age_s",
			 (json_int_t)status->age_s, "targets", targets);
}

void
anchors_status_print(const struct anchors_status *status, uint64_t log_size)
{
	if (!status->is_there) {
		return;
	}
	if (status->round == 0) {
		printf("anchors: no round yet since the anchor's start\n");
	} else {
		printf("anchors: the last round showed size %" PRIu64 ", %" PRIu64 " s ago\n",
		       status->round, status->age_s);
	}
	for (size_t i = 0; i < status->count; i++) {
		const struct anchor_line *line = &status->lines[i];

		printf("  %-9s %-16s ", line->is_authority ? "authority" : "witness", line->name);
		if (line->size == 0) {
			printf("nothing seen since the anchor's start");
		} else {
			printf("size %" PRIu64 ", %" PRIu64 " events behind", line->size,
			       lag_of(line, log_size));
		}
		printf(line->failures == 0 ? "%s\n" : "; failing: %s\n", line->why);
	}
}
