/* The page for people inside a bundle: report.html and report.txt of what the bundle discloses, as
 * it discloses it. */
#include <inttypes.h>
#include <string.h>

#include "replay/export_state_io.h"

static bool
time_of(struct export *x, uint64_t seq, uint64_t *us)
{
	if (!source_time(x->source, seq, us)) {
		return export_fails(x, "%s", log_reader_fault(x->source->reader));
	}
	return *us > 0 || export_fails(x, "entry %" PRIu64 " is missing: run ifreplay verify", seq);
}

/* A names_ask: who was named before the range. With --subject others are pseudonyms, and the
 * subject's own name stands in the events. */
static const struct name *
name_of(void *context, const struct id *handle)
{
	struct export *x = context;
	const struct name *known = source_name_of(x->source, handle);
	const struct discloser *by = x->options->subject != NULL ? &x->others : &x->discloser;

	if (known == NULL) {
		return NULL;
	}
	x->asked = discloser_name(by, PSEUDONYM_AGENT, known);
	return &x->asked;
}

bool
export_report_begin(struct export *x, uint64_t first)
{
	const struct export_words *w = &x->words;
	struct report_scope scope = {
		.origin = w->origin,
		.size = w->checkpoint.size,
		.root = w->checkpoint.root,
		.from = w->from,
		.end = w->end,
		.profile = w->profile,
		.filter = w->filter,
		.requester = w->requester,
		.purpose = w->purpose,
		.anchored = &x->anchored,
		.is_in_bundle = true,
		.name_of = name_of,
		.names = x,
	};

	if (!time_of(x, w->from, &scope.from_us) || !time_of(x, w->end - 1, &scope.to_us)) {
		return false;
	}
	source_names_from(x->source, first);
	x->report = report_make(&scope);
	return true;
}

static bool
write_piece(void *member, const char *text, size_t count)
{
	bundle_write(member, text, count);
	return true;
}

void
export_report_end(struct export *x)
{
	struct bundle_member *page = bundle_begin(x->bundle, "report.html");

	report_html(x->report, write_piece, page);
	bundle_end(page);
	page = bundle_begin(x->bundle, "report.txt");
	report_text(x->report, write_piece, page);
	bundle_end(page);
}
