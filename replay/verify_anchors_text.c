/* What others said of the log, in words and as JSON. */
#include "replay/verify_anchors.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "replay/moment.h"

static const char *
print_time(char out[MOMENT_PRINT_MAX], uint64_t time_s)
{
	return moment_print(out, MOMENT_PRINT_MAX, time_s * 1000000);
}

void
anchors_sentence(const struct anchors_summary *s, char out[ANCHOR_SENTENCE_MAX])
{
	char time[MOMENT_PRINT_MAX];

	if (!s->has_policy) {
		snprintf(out, ANCHOR_SENTENCE_MAX,
			 "no witness was judged: all of it is on the log's own word");
	} else if (s->quorum.size == 0) {
		snprintf(out, ANCHOR_SENTENCE_MAX,
			 "no checkpoint has been seen by enough of the %" PRIu32
			 " witnesses: all of it is on the log's own word",
			 s->witnesses);
	} else {
		snprintf(out, ANCHOR_SENTENCE_MAX,
			 "the last checkpoint that %" PRIu32 " of %" PRIu32
			 " witnesses have seen is %" PRIu64
			 ", at %s; what came after it is on the log's own word",
			 s->quorum.count, s->witnesses, s->quorum.size,
			 print_time(time, s->quorum.time_s));
	}
}

static void
add_tokens(struct paper *paper, const struct anchors_summary *s)
{
	char time[MOMENT_PRINT_MAX];

	if (s->tokens + s->tokens_missing == 0) {
		return;
	}
	paper_add(paper, "timestamps    %" PRIu64 " hold", s->tokens);
	if (s->newest_token.size > 0) {
		paper_add(paper, ", the newest over size %" PRIu64 ", at %s", s->newest_token.size,
			  print_time(time, s->newest_token.time_s));
	}
	if (s->tokens_missing > 0) {
		paper_add(paper, "; %" PRIu64 " are missing in pub/timestamp", s->tokens_missing);
	}
	if (s->has_trust) {
		paper_add(paper, "\n              signed under %s\n", s->trust_from);
	} else {
		paper_add(paper, "\n              who signed them was not judged: give the "
				 "authority's certificates"
				 " (--tsa-ca)\n");
	}
}

void
anchors_add(struct paper *paper, const struct anchors_summary *s)
{
	char sentence[ANCHOR_SENTENCE_MAX];

	anchors_sentence(s, sentence);
	if (!s->has_policy && s->cosignatures == 0) {
		paper_add(paper, "witnesses     nobody has cosigned it, and %s (--policy)\n",
			  s->policy_from);
	} else if (!s->has_policy) {
		paper_add(paper,
			  "witnesses     %" PRIu64 " cosignatures, not judged: %s (--policy)\n",
			  s->cosignatures, s->policy_from);
	} else {
		paper_add(paper,
			  "witnesses     %" PRIu64 " cosignatures hold, by %" PRIu32
			  " of the %" PRIu32 " of %s\n",
			  s->held, s->heard, s->witnesses, s->policy_from);
		if (s->unjudged > 0) {
			paper_add(paper,
				  "              %" PRIu64
				  " were not judged: by others than those\n",
				  s->unjudged);
		}
		paper_add(paper, "              %s\n", sentence);
	}
	add_tokens(paper, s);
}

static json_t *
number_or_null(uint64_t number)
{
	return number == 0 ? json_null() : json_integer((json_int_t)number);
}

json_t *
anchors_json(const struct anchors_summary *s)
{
	return json_pack("{s:o, s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:I, s:I, s:b, s:o, s:o, s:I}",
			 "policy", s->has_policy ? json_string(s->policy_from) : json_null(),
			 "witnesses", (json_int_t)s->witnesses, "witnesses_heard",
			 (json_int_t)s->heard, "cosignatures", (json_int_t)s->cosignatures, "hold",
			 (json_int_t)s->held, "not_judged", (json_int_t)s->unjudged,
			 "witnessed_size", number_or_null(s->quorum.size), "witnessed_time_s",
			 number_or_null(s->quorum.time_s), "witnessed_by",
			 (json_int_t)s->quorum.count, "timestamps", (json_int_t)s->tokens,
			 "timestamp_signers_judged", s->has_trust, "timestamped_size",
			 number_or_null(s->newest_token.size), "timestamped_time_s",
			 number_or_null(s->newest_token.time_s), "timestamps_missing",
			 (json_int_t)s->tokens_missing);
}
