#include "replay/verify_anchors.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "replay/moment.h"

enum { TEXT_MAX = 160, US_PER_S = 1000 * 1000 };

static const char clocks[] = "a time that the log's own clock allows, give or take an hour";

static bool
time_is_sane(const struct anchor_tree *tree, uint64_t time_s)
{
	return time_s <= UINT64_MAX / US_PER_S - ANCHOR_CLOCK_SLACK_S &&
	       (time_s + ANCHOR_CLOCK_SLACK_S) * US_PER_S >= tree->after_us &&
	       (tree->before_us == 0 ||
		time_s * US_PER_S <= tree->before_us + (uint64_t)ANCHOR_CLOCK_SLACK_S * US_PER_S);
}

static void
say_time(struct verify_voice *voice, const char *what, const char *where, uint64_t time_s)
{
	char found[MOMENT_PRINT_MAX];

	if (time_s > UINT64_MAX / US_PER_S) {
		voice_say(voice, what, where, clocks, "a time beyond all calendars");
		return;
	}
	voice_say(voice, what, where, clocks, moment_print(found, sizeof found, time_s * US_PER_S));
}

/* --- cosignatures --------------------------------------------------------------------------------
 */

static int
find_witness(const struct policy *policy, const struct note_line *line)
{
	for (uint32_t i = 0; policy != NULL && i < policy->witness_count; i++) {
		if (note_line_is_by(line, &policy->witnesses[i].key)) {
			return (int)i;
		}
	}
	return -1;
}

static bool
is_named(const struct note_line *line, const char *named)
{
	return named == NULL || (strlen(named) == line->name.count &&
				 memcmp(named, line->name.at, line->name.count) == 0);
}

static bool
breaks(struct anchor_judge *judge, const char *what, const char *where, const char *expected,
       const char *found)
{
	judge->broken++;
	voice_say(judge->voice, what, where, expected, found);
	return false;
}

static enum cosignature_check
check_line(const struct log_verifier *key, struct span line, const struct checkpoint *checkpoint,
	   uint64_t *time_s)
{
	char text[CHECKPOINT_BYTES_MAX];
	const size_t count = checkpoint_text(checkpoint, text);

	return cosignature_verify(line, (struct span){ (const uint8_t *)text, count }, key, time_s);
}

static bool
judge_signature(struct anchor_judge *judge, const char *where, struct span line, int witness,
		const struct anchor_tree *tree)
{
	const struct log_verifier *key = &judge->policy->witnesses[witness].key;
	struct anchor_seen *newest = &judge->newest[witness];
	char expected[TEXT_MAX + ORIGIN_BYTES_MAX];
	uint64_t time_s = 0;
	const enum cosignature_check check = check_line(key, line, &tree->checkpoint, &time_s);

	if (check != COSIGNATURE_HOLDS) {
		snprintf(expected, sizeof expected,
			 "one by %s over the tree that this log had at size %" PRIu64, key->name,
			 tree->checkpoint.size);
		return breaks(judge, "a cosignature does not hold", where, expected,
			      "one over something else: the line was altered, or that witness saw "
			      "another tree");
	}
	if (!time_is_sane(tree, time_s)) {
		judge->broken++;
		say_time(judge->voice, "a cosignature of another time", where, time_s);
		return false;
	}
	judge->held++;
	if (tree->checkpoint.size > newest->size) {
		*newest = (struct anchor_seen){ tree->checkpoint.size, time_s };
	}
	return true;
}

bool
anchor_judge_line(struct anchor_judge *judge, const char *where, struct span line,
		  const char *named, const struct anchor_tree *tree)
{
	struct note_line read;

	if (!note_line_read(line, &read) || read.count != COSIGNATURE_BYTES) {
		return breaks(judge, "a cosignature cannot be read", where,
			      "a line of cosignature/v1", "another line");
	}
	if (!is_named(&read, named)) {
		char found[ORIGIN_BYTES_MAX + 1];

		snprintf(found, sizeof found, "%.*s", (int)read.name.count,
			 (const char *)read.name.at);
		return breaks(judge, "a cosignature is by another witness than the event says",
			      where, named, found);
	}
	const int witness = find_witness(judge->policy, &read);
	if (witness < 0) {
		judge->unjudged++;
		return false;
	}
	return judge_signature(judge, where, line, witness, tree);
}

void
anchor_lines(struct span note, const struct log_verifier *log, anchor_line_visitor *visit,
	     void *context)
{
	struct span text, lines;
	struct note_line read;

	if (!note_split(note, &text, &lines)) {
		return;
	}
	for (size_t from = 0; from < lines.count;) {
		const uint8_t *end = memchr(lines.at + from, '\n', lines.count - from);
		const size_t count =
			(size_t)(end == NULL ? lines.at + lines.count - (lines.at + from)
					     : end - (lines.at + from));
		const struct span line = { lines.at + from, count };

		if (!note_line_read(line, &read) || !note_line_is_by(&read, log)) {
			visit(context, line);
		}
		from += count + 1;
	}
}

/* --- the quorum ----------------------------------------------------------------------------------
 */

/* `quorum none` asks for nobody: then one witness is better than none. */
static bool
is_enough(const struct policy *policy, uint32_t seen)
{
	return seen != 0 && policy_quorum_holds(policy, seen);
}

struct anchor_quorum
anchor_quorum_find(const struct anchor_judge *judge)
{
	struct anchor_quorum best = { .size = 0 };

	for (uint32_t i = 0; judge->policy != NULL && i < judge->policy->witness_count; i++) {
		const uint64_t size = judge->newest[i].size;
		uint32_t seen = 0, count = 0;

		for (uint32_t k = 0; k < judge->policy->witness_count; k++) {
			if (judge->newest[k].size >= size) {
				seen |= UINT32_C(1) << k;
				count++;
			}
		}
		if (size > best.size && is_enough(judge->policy, seen)) {
			best = (struct anchor_quorum){ .size = size, .count = count };
		}
	}
	return best;
}

void
anchor_judge_when(struct anchor_judge *judge, const struct anchor_quorum *quorum, struct span line,
		  const struct checkpoint *checkpoint)
{
	struct note_line read;
	uint64_t time_s = 0;

	if (quorum->size == 0 || checkpoint->size < quorum->size || !note_line_read(line, &read) ||
	    read.count != COSIGNATURE_BYTES) {
		return;
	}
	const int witness = find_witness(judge->policy, &read);
	for (int i = 0; i < 8; i++) {
		time_s = time_s << 8 | read.bytes[4 + i];
	}
	if (witness >= 0 && (judge->first_s[witness] == 0 || time_s < judge->first_s[witness]) &&
	    check_line(&judge->policy->witnesses[witness].key, line, checkpoint, &time_s) ==
		    COSIGNATURE_HOLDS) {
		judge->first_s[witness] = time_s;
	}
}

/* Witnesses are added in the order in which they saw it, until they are enough. */
void
anchor_quorum_when(const struct anchor_judge *judge, struct anchor_quorum *quorum)
{
	uint32_t seen = 0;

	while (quorum->size > 0 && !is_enough(judge->policy, seen)) {
		int next = -1;

		for (uint32_t i = 0; i < judge->policy->witness_count; i++) {
			if (judge->first_s[i] != 0 && (seen & UINT32_C(1) << i) == 0 &&
			    (next < 0 || judge->first_s[i] < judge->first_s[next])) {
				next = (int)i;
			}
		}
		if (next < 0) {
			return;
		}
		seen |= UINT32_C(1) << next;
		quorum->time_s = judge->first_s[next];
	}
}

/* --- timestamps ----------------------------------------------------------------------------------
 */

static bool
note_is_the_logs(struct verify_voice *voice, const char *where, struct span note,
		 const struct log_verifier *log, const struct anchor_tree *tree)
{
	struct checkpoint read;
	const enum checkpoint_check check = checkpoint_verify(note, log, &read);

	if (check != CHECKPOINT_HOLDS) {
		voice_say(voice, "what was timestamped is no checkpoint of this log", where,
			  "a checkpoint that the log has signed", checkpoint_check_text(check));
		return false;
	}
	if (read.size != tree->checkpoint.size) {
		voice_say_numbers(voice, "what was timestamped is another checkpoint", where,
				  tree->checkpoint.size, read.size);
		return false;
	}
	if (!digest_equal(&read.root, &tree->checkpoint.root)) {
		voice_say_digests(voice, "what was timestamped is another tree", where,
				  &tree->checkpoint.root, &read.root);
		return false;
	}
	return true;
}

bool
anchor_judge_token(struct verify_voice *voice, const char *where, struct span token,
		   struct span note, const struct log_verifier *log,
		   const struct timestamp_trust *trust, const struct anchor_tree *tree,
		   uint64_t *time_s)
{
	char fault[TIMESTAMP_FAULT_MAX];
	uint64_t time = 0;

	if (!note_is_the_logs(voice, where, note, log, tree)) {
		return false;
	}
	if (!timestamp_holds(token, note, NULL, trust, &time, fault)) {
		voice_say(voice, "a timestamp does not hold", where,
			  trust == NULL ? "a token over the checkpoint beside it"
					: "a token over the checkpoint beside it, by an authority "
					  "that is trusted",
			  fault);
		return false;
	}
	if (!time_is_sane(tree, time)) {
		say_time(voice, "a timestamp of another time", where, time);
		return false;
	}
	*time_s = time;
	return true;
}
