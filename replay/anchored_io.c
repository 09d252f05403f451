#include "replay/anchored_io.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/read_scan_io.h"

/* Cosignatures of one round come together, but a witness may be late: among so many rounds the one
 * that most witnesses met in is taken. What comes after them changes nothing: the same export stays
 * the same. */
enum { ROUNDS_MAX = 16 };
#define YEAR_10000_S UINT64_C(253402300800)

struct round {
	uint64_t size;
	uint32_t count; /* of lines, each once */
	char lines[POLICY_WITNESSES_MAX][COSIGNATURE_LINE_MAX];
};

struct rounds {
	uint64_t cover;
	uint32_t count;      /* that cover the export's checkpoint, the oldest first */
	struct round before; /* the newest that does not; size 0: none */
	struct round items[ROUNDS_MAX];
};

/* --- which ---------------------------------------------------------------------------------------
 */

/* In order of size, the oldest ROUNDS_MAX of them; NULL: it is none of those. */
static struct round *
covering_round(struct rounds *rounds, uint64_t size)
{
	uint32_t at = rounds->count;

	while (at > 0 && rounds->items[at - 1].size >= size) {
		at--;
	}
	if (at < rounds->count && rounds->items[at].size == size) {
		return &rounds->items[at];
	}
	if (at == ROUNDS_MAX) {
		return NULL;
	}
	rounds->count += rounds->count < ROUNDS_MAX;
	memmove(&rounds->items[at + 1], &rounds->items[at],
		(rounds->count - 1 - at) * sizeof rounds->items[0]);
	rounds->items[at] = (struct round){ .size = size };
	return &rounds->items[at];
}

static struct round *
round_of(struct rounds *rounds, uint64_t size)
{
	if (size >= rounds->cover) {
		return covering_round(rounds, size);
	}
	if (size > rounds->before.size) {
		rounds->before = (struct round){ .size = size };
	}
	return size == rounds->before.size ? &rounds->before : NULL;
}

static bool
see_cosigned(void *context, const struct event *event, const struct entry *entry)
{
	const struct event_checkpoint_cosigned *said = &event->checkpoint_cosigned;
	struct round *round = round_of(context, said->size);
	char line[COSIGNATURE_LINE_MAX];

	(void)entry;
	if (round == NULL || said->line.length >= sizeof line ||
	    round->count == POLICY_WITNESSES_MAX) {
		return true;
	}
	snprintf(line, sizeof line, "%.*s", (int)said->line.length, said->line.bytes);
	for (uint32_t i = 0; i < round->count; i++) {
		if (strcmp(round->lines[i], line) == 0) {
			return true;
		}
	}
	memcpy(round->lines[round->count++], line, sizeof line);
	return true;
}

static const struct round *
best_round(const struct rounds *rounds)
{
	const struct round *best = &rounds->before;

	for (uint32_t i = 0; i < rounds->count; i++) {
		if (i == 0 || rounds->items[i].count > best->count) {
			best = &rounds->items[i];
		}
	}
	return best->size == 0 ? NULL : best;
}

/* --- timestamps ----------------------------------------------------------------------------------
 */

struct stamped {
	uint64_t cover;
	uint64_t recorded_us;
	struct text authority;
	uint64_t size; /* 0: none yet */
	struct digest token;
};

/* The oldest that covers the export's checkpoint, or else the newest; of one size the last token.
 */
static bool
see_stamped(void *context, const struct event *event, const struct entry *entry)
{
	const struct event_checkpoint_timestamped *said = &event->checkpoint_timestamped;
	struct stamped *stamped = context;

	if (stamped->size < stamped->cover || said->size <= stamped->size) {
		stamped->size = said->size;
		stamped->token = said->token;
		stamped->authority = said->authority;
		stamped->recorded_us = entry->recorded_us;
	}
	return true;
}

/* --- both ----------------------------------------------------------------------------------------
 */

static bool
choose_cosigned(struct log_reader *reader, uint64_t cover, struct anchored_choice *out)
{
	static const uint64_t type = EVENT_CHECKPOINT_COSIGNED;
	struct rounds *rounds = calloc(1, sizeof *rounds);

	assert(rounds != NULL);
	rounds->cover = cover;
	const bool ok = log_read_types(reader, &type, 1, 0, see_cosigned, rounds);
	const struct round *best = ok ? best_round(rounds) : NULL;
	if (best != NULL) {
		out->size = best->size;
		out->count = best->count;
		memcpy(out->lines, best->lines, sizeof out->lines);
	}
	free(rounds);
	return ok;
}

bool
anchored_choose(struct log_reader *reader, uint64_t cover, struct anchored_choice *out)
{
	static const uint64_t type = EVENT_CHECKPOINT_TIMESTAMPED;
	struct stamped stamped = { .cover = cover };

	memset(out, 0, sizeof *out);
	if (!choose_cosigned(reader, cover, out) ||
	    !log_read_types(reader, &type, 1, 0, see_stamped, &stamped)) {
		return false;
	}
	out->stamped = stamped.size;
	out->stamped_us = stamped.recorded_us;
	out->token = stamped.token;
	out->authority = stamped.authority;
	return true;
}

void
anchored_tell(const struct anchored_choice *choice, struct anchored *out)
{
	struct note_line line;

	memset(out, 0, sizeof *out);
	out->cosigned_size = choice->size;
	for (uint32_t i = 0; i < choice->count; i++) {
		const char *text = choice->lines[i];
		struct anchored_by *by = &out->by[out->count];

		if (!note_line_read((struct span){ (const uint8_t *)text, strlen(text) }, &line) ||
		    line.count != COSIGNATURE_BYTES || line.name.count > ORIGIN_BYTES_MAX) {
			continue;
		}
		memcpy(by->name, line.name.at, line.name.count);
		by->name[line.name.count] = '\0';
		by->time_s = 0;
		for (int k = 0; k < 8; k++) {
			by->time_s = by->time_s << 8 | line.bytes[4 + k];
		}
		out->count += by->time_s < YEAR_10000_S;
	}
	out->stamped_size = choice->stamped;
	out->stamped_us = choice->stamped_us;
	snprintf(out->authority, sizeof out->authority, "%.*s", (int)choice->authority.length,
		 choice->authority.bytes);
}
