/* verify: what the checker finds, for people and for programs. */
#include <inttypes.h>
#include <stdio.h>

#include "replay/commands_io.h"
#include "replay/print_io.h"
#include "replay/verify_io.h"

static void
report(void *context, const struct finding *finding)
{
	const struct options *options = context;
	struct paper paper;

	print_progress_end();
	if (options->json) {
		print_json(json_pack("{s:s, s:s, s:s, s:s, s:s}", "kind", "break", "what",
				     finding->what, "where", finding->where, "expected",
				     finding->expected, "found", finding->found));
		return;
	}
	paper_clear(&paper);
	paper_add(&paper, "BREAK  %s\n  where     %s\n  expected  %s\n  found     %s\n\n",
		  finding->what, finding->where, finding->expected, finding->found);
	print_paper(&paper);
}

static const char *
limits(const struct verify_summary *s, char out[VERIFY_LIMITS_MAX])
{
	char witnessed[ANCHOR_SENTENCE_MAX];

	anchors_sentence(&s->anchors, witnessed);
	return verify_limits(out, witnessed);
}

static void
print_summary_json(const struct verify_summary *s)
{
	char text[VERIFY_LIMITS_MAX];

	print_json(json_pack(
		"{s:s, s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:b, s:b, s:b, s:o, s:s}",
		"kind", "summary", "holds", s->findings == 0, "breaks", (json_int_t)s->findings,
		"entries", (json_int_t)s->size, "full_tiles", (json_int_t)s->full_tiles,
		"checkpoints", (json_int_t)s->checkpoints, "signed_up_to",
		(json_int_t)s->signed_size, "sealed_parts", (json_int_t)s->sealed_present,
		"sealed_opened", (json_int_t)s->sealed_opened, "state_digests",
		(json_int_t)s->digests, "pruned", (json_int_t)s->pruned, "keys", s->has_keys,
		"head", s->has_head, "published", s->has_published, "anchors",
		anchors_json(&s->anchors), "does_not_prove", limits(s, text)));
}

static void
add_entries(struct paper *paper, const struct verify_summary *s)
{
	char first[MOMENT_PRINT_MAX];
	char last[MOMENT_PRINT_MAX];

	paper_add(paper, "entries       %" PRIu64 ", from %s to %s\n", s->size,
		  moment_print(first, sizeof first, s->first_us),
		  moment_print(last, sizeof last, s->last_us));
	paper_add(paper, "tree          %" PRIu64 " full tiles, %" PRIu64 " checkpoints\n",
		  s->full_tiles, s->checkpoints);
	if (s->pruned + s->going > 0) {
		paper_add(paper,
			  "pruned        %" PRIu64 " entries are lawfully gone, %" PRIu64
			  " are on their way out\n",
			  s->pruned, s->going);
	}
	paper_add(paper, "signed roots  reproduced up to size %" PRIu64 " of %" PRIu64 "\n",
		  s->signed_size, s->size);
}

/* Nobody should have to trust this program: the signature can be checked without it. */
static void
print_recipe(const struct source *source)
{
	struct log_verifier verifier;
	char recipe[CHECKPOINT_RECIPE_MAX];

	if (log_read_verifier(source->reader, &verifier)) {
		checkpoint_recipe(recipe, &verifier);
		printf("\nTo check a checkpoint without this program, in pub/ or beside your "
		       "copy:\n\n%s",
		       recipe);
	}
}

static void
print_summary(const struct options *options, const struct source *source,
	      const struct verify_summary *s)
{
	char text[VERIFY_LIMITS_MAX];
	struct paper paper;

	paper_clear(&paper);
	paper_add(&paper, "log           %s\n", log_reader_origin(source->reader));
	add_entries(&paper, s);
	paper_add(&paper, "sealed parts  %" PRIu64 " match their digests; ", s->sealed_present);
	if (s->has_keys) {
		paper_add(&paper, "%" PRIu64 " were opened\n", s->sealed_opened);
	} else {
		paper_add(&paper, "none was opened: there are no keys here\n");
	}
	paper_add(&paper, "states        %" PRIu64 " logged digests were reproduced by a replay\n",
		  s->digests);
	if (!s->has_head || !s->has_published) {
		paper_add(&paper, "not there     %s%s%s\n", s->has_head ? "" : "head",
			  s->has_head || s->has_published ? "" : ", ",
			  s->has_published ? "" : "pub/checkpoint");
	}
	anchors_add(&paper, &s->anchors);
	if (options->checkpoint == NULL) {
		paper_add(&paper,
			  "not compared  with a checkpoint from elsewhere (--checkpoint)\n");
	}
	print_paper(&paper);
	paper_clear(&paper);
	if (s->findings == 0) {
		paper_add(&paper, "result        it holds\n");
	} else {
		paper_add(&paper, "result        %" PRIu64 " breaks, named above\n", s->findings);
	}
	print_head(&paper);
	printf("\n%s", limits(s, text));
	print_recipe(source);
}

int
verify_command(const struct options *options, struct source *source)
{
	struct options copy = *options;
	const struct verify_summary summary = verify_log(options, source, report, &copy);

	if (options->json) {
		print_summary_json(&summary);
	} else {
		print_summary(options, source, &summary);
	}
	return print_flush() && summary.findings == 0 ? 0 : 1;
}
