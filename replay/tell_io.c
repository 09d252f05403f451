#include "replay/tell_io.h"

#include <inttypes.h>
#include <string.h>

#include "replay/csv.h"
#include "replay/moment.h"
#include "replay/print_io.h"

void
print_telling_head(const struct options *options)
{
	struct paper paper;

	paper_clear(&paper);
	if (options->json) {
		return;
	}
	if (options->csv) {
		paper_add(&paper, "seq,recorded,stream,event,trace_id,cause,what\r\n");
		print_paper(&paper);
		return;
	}
	telling_head(&paper);
	print_head(&paper);
}

static void
print_csv(const struct telling *t)
{
	const struct entry *e = t->entry;
	const char *stream = stream_name(e->stream);
	char shown[MOMENT_PRINT_MAX];
	struct paper line;
	struct paper what;

	paper_clear(&line);
	paper_add(&line, "%" PRIu64 ",%s,%s,", e->seq,
		  moment_print(shown, sizeof shown, e->recorded_us), stream == NULL ? "" : stream);
	if (t->event != NULL) {
		paper_add(&line, "%s,", event_describe(t->event->type)->name);
	} else {
		paper_add(&line, "%" PRIu64 ",", e->type);
	}
	if (!id_is_none(&e->trace_id)) {
		hex_write(shown, e->trace_id.bytes, sizeof e->trace_id.bytes);
		paper_add(&line, "%s", shown);
	}
	paper_add(&line, e->has_cause ? ",%" PRIu64 "," : ",,", e->cause);
	paper_clear(&what);
	telling_what(&what, t);
	csv_cell(&line, what.text, what.count);
	paper_add(&line, "\r\n");
	print_paper(&line);
}

void
print_telling(const struct options *options, const struct telling *telling)
{
	struct paper paper;

	if (options->json) {
		print_json(telling_json(telling, (struct span){ 0 }));
		return;
	}
	if (options->csv) {
		print_csv(telling);
		return;
	}
	paper_clear(&paper);
	telling_line(&paper, telling);
	print_paper(&paper);
}
