#include "replay/verify_anchors_state_io.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/files_io.h"
#include "store/proof.h"
#include "store/read_scan_io.h"

/* --- the log's own tree --------------------------------------------------------------------------
 */

bool
anchors_find_tree(struct anchors_check *c, const char *where, uint64_t size)
{
	struct anchor_tree *tree = &c->tree;
	struct log_row row;
	bool found = false;
	uint64_t now = 0;

	tree->before_us = 0;
	if (size != 0 && tree->checkpoint.size == size) {
		return true;
	}
	tree->checkpoint.size = 0;
	if (!log_reader_size(c->place->tiles, &now) || size == 0 || size > now ||
	    !proof_root(log_fetch_hashes, c->place->tiles, size, &tree->checkpoint.root)) {
		char expected[64];

		snprintf(expected, sizeof expected, "1 to %" PRIu64 " entries", now);
		verify_say(c->v, "somebody has seen entries that the log does not have", where,
			   expected,
			   size > now ? "more" : "none, or a tree that cannot be computed");
		return false;
	}
	tree->checkpoint.size = size;
	tree->after_us = log_read_row(c->place->tiles, size - 1, &row, &found) && found
				 ? row.recorded_us
				 : 0;
	return true;
}

/* --- cosignatures --------------------------------------------------------------------------------
 */

static void
take_line(void *context, struct span line)
{
	struct cosigned_file *file = context;

	if (file->count < COSIGNED_LINES_MAX) {
		file->lines[file->count++] = line;
	}
}

static void
read_cosigned(struct anchors_check *c)
{
	struct cosigned_file *file = &c->cosigned;
	char path[FILE_PATH_MAX];
	struct checkpoint read;
	size_t count = 0;

	path_join(path, c->place->data_dir, "pub/cosigned");
	if (file_read(path, file->note, sizeof file->note, &count) != FILE_OK ||
	    !c->v->has_verifier) {
		return;
	}
	file->bytes = (struct span){ (const uint8_t *)file->note, count };
	const enum checkpoint_check check = checkpoint_verify(file->bytes, &c->v->verifier, &read);
	if (check != CHECKPOINT_HOLDS) {
		verify_say(c->v, "a cosigned checkpoint is not the log's", "pub/cosigned",
			   "a checkpoint that the log has signed", checkpoint_check_text(check));
	} else if (anchors_find_tree(c, "pub/cosigned", read.size)) {
		file->size = read.size;
		if (!digest_equal(&read.root, &c->tree.checkpoint.root)) {
			verify_say_digests(c->v, "a cosigned checkpoint is of another tree",
					   "pub/cosigned", &c->tree.checkpoint.root, &read.root);
		}
		anchor_lines(file->bytes, &c->v->verifier, take_line, file);
	}
}

static void
mark_line(struct cosigned_file *file, struct span line)
{
	for (uint32_t i = 0; i < file->count; i++) {
		if (file->lines[i].count == line.count &&
		    memcmp(file->lines[i].at, line.at, line.count) == 0) {
			file->is_logged[i] = true;
		}
	}
}

static struct span
line_of(const struct event_checkpoint_cosigned *event)
{
	return (struct span){ (const uint8_t *)event->line.bytes, event->line.length };
}

static void
see_cosigned(struct anchors_check *c, const struct event_checkpoint_cosigned *event,
	     const struct entry *entry)
{
	const struct span line = line_of(event);
	char witness[TEXT_BYTES_MAX + 1];
	char where[ANCHOR_WHERE_MAX];

	snprintf(witness, sizeof witness, "%.*s", (int)event->witness.length, event->witness.bytes);
	snprintf(where, sizeof where, "event %" PRIu64 ": size %" PRIu64 ", witness %s", entry->seq,
		 event->size, witness);
	c->out->cosignatures++;
	if (event->size == c->cosigned.size) {
		mark_line(&c->cosigned, line);
	}
	if (event->size > entry->seq) {
		verify_say_numbers(c->v, "a cosignature of more entries than the log had", where,
				   entry->seq, event->size);
	} else if (anchors_find_tree(c, where, event->size)) {
		c->tree.before_us = entry->recorded_us;
		anchor_judge_line(&c->judge, where, line, witness, &c->tree);
	}
}

static void
check_cosigned_file(struct anchors_check *c)
{
	for (uint32_t i = 0; i < c->cosigned.count; i++) {
		char found[ANCHOR_WHERE_MAX];

		if (c->cosigned.is_logged[i]) {
			continue;
		}
		snprintf(found, sizeof found, "%.*s", (int)c->cosigned.lines[i].count,
			 (const char *)c->cosigned.lines[i].at);
		verify_say(c->v, "a cosignature that the log does not know", "pub/cosigned",
			   "only lines that an event checkpoint_cosigned has brought", found);
	}
}

struct against {
	struct anchors_check *check;
	const char *where;
};

static void
judge_against(void *context, struct span line)
{
	const struct against *against = context;
	struct anchors_check *c = against->check;

	c->out->cosignatures++;
	anchor_judge_line(&c->judge, against->where, line, NULL, &c->tree);
}

/* What somebody kept elsewhere need not be known to this log. Whether it is the log's at all,
 * verify_anchor has said. */
static void
check_against(struct anchors_check *c)
{
	static char note[CHECKPOINT_NOTE_MAX];
	struct against against = { c, "the checkpoint you gave" };
	struct checkpoint read;
	size_t count = 0;

	if (c->place->against == NULL || !c->v->has_verifier ||
	    file_read(c->place->against, note, sizeof note, &count) != FILE_OK) {
		return;
	}
	const struct span bytes = { (const uint8_t *)note, count };
	if (checkpoint_verify(bytes, &c->v->verifier, &read) == CHECKPOINT_HOLDS &&
	    read.size <= c->v->next_seq && anchors_find_tree(c, against.where, read.size)) {
		anchor_lines(bytes, &c->v->verifier, judge_against, &against);
	}
}

/* --- the walks -----------------------------------------------------------------------------------
 */

static const uint64_t types[] = { EVENT_CHECKPOINT_COSIGNED, EVENT_CHECKPOINT_TIMESTAMPED };

static bool
see(void *context, const struct event *event, const struct entry *entry)
{
	struct anchors_check *c = context;

	if (event->type == EVENT_CHECKPOINT_COSIGNED) {
		see_cosigned(c, &event->checkpoint_cosigned, entry);
	} else {
		stamps_see(c, &event->checkpoint_timestamped, entry);
	}
	return true;
}

static bool
see_when(void *context, const struct event *event, const struct entry *entry)
{
	struct anchors_check *c = context;
	const struct event_checkpoint_cosigned *said = &event->checkpoint_cosigned;

	(void)entry;
	if (said->size >= c->quorum.size && anchors_find_tree(c, "pub/cosigned", said->size)) {
		anchor_judge_when(&c->judge, &c->quorum, line_of(said), &c->tree.checkpoint);
	}
	return true;
}

static void
walk(struct anchors_check *c, size_t kinds, log_event_visitor *visit)
{
	if (!log_read_types(c->place->walk, types, kinds, 0, visit, c)) {
		verify_say(c->v, "what others said of the log cannot all be read", "witness.db",
			   "readable rows to the end", log_reader_fault(c->place->walk));
	}
}

static void
when_against(void *context, struct span line)
{
	struct anchors_check *c = context;

	anchor_judge_when(&c->judge, &c->quorum, line, &c->tree.checkpoint);
}

/* When enough had seen it: of those who cosigned that size or a larger one, the first time of each.
 */
static void
find_when(struct anchors_check *c)
{
	char note[CHECKPOINT_NOTE_MAX];
	size_t count = 0;
	struct checkpoint read;

	c->quorum = anchor_quorum_find(&c->judge);
	if (c->quorum.size == 0) {
		return;
	}
	walk(c, 1, see_when);
	if (c->place->against != NULL &&
	    file_read(c->place->against, note, sizeof note, &count) == FILE_OK &&
	    checkpoint_read((struct span){ (const uint8_t *)note, count }, &read) &&
	    read.size <= c->v->next_seq &&
	    anchors_find_tree(c, "the checkpoint you gave", read.size)) {
		anchor_lines((struct span){ (const uint8_t *)note, count }, &c->v->verifier,
			     when_against, c);
	}
	anchor_quorum_when(&c->judge, &c->quorum);
}

static void
summarize(const struct anchors_check *c)
{
	struct anchors_summary *out = c->out;

	out->has_policy = c->witnesses->has_policy;
	snprintf(out->policy_from, sizeof out->policy_from, "%s", c->witnesses->policy_from);
	out->has_trust = c->witnesses->trust != NULL;
	snprintf(out->trust_from, sizeof out->trust_from, "%s", c->witnesses->trust_from);
	out->witnesses = c->witnesses->policy.witness_count;
	for (uint32_t i = 0; i < out->witnesses; i++) {
		out->heard += c->judge.newest[i].size > 0;
	}
	out->held = c->judge.held;
	out->unjudged = c->judge.unjudged;
	out->quorum = c->quorum;
}

void
anchors_check(const struct anchors_place *place, struct verify *v, struct anchors_summary *out)
{
	struct anchors_check *c = calloc(1, sizeof *c);
	struct witnesses *w = witnesses_open(place->data_dir, place->policy, place->tsa_ca);

	assert(c != NULL);
	memset(out, 0, sizeof *out);
	*c = (struct anchors_check){ .place = place, .witnesses = w, .v = v, .out = out };
	c->judge.voice = &v->voice;
	c->judge.policy = w->has_policy ? &w->policy : NULL;
	snprintf(c->tree.checkpoint.origin, sizeof c->tree.checkpoint.origin, "%s",
		 log_reader_origin(place->walk));
	if (w->fault[0] != '\0') {
		verify_say(v, "what you gave to judge by cannot be read", "--policy, --tsa-ca",
			   "a policy, and certificates", w->fault);
	}
	read_cosigned(c);
	walk(c, sizeof types / sizeof types[0], see);
	stamps_end(c);
	check_cosigned_file(c);
	check_against(c);
	find_when(c);
	summarize(c);
	witnesses_close(w);
	free(c);
}
