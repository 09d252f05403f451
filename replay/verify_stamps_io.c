/* Tokens of an authority: what the events name, and what lies in pub/timestamp/. */
#include "replay/verify_anchors_state_io.h"

#include <assert.h>
#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/files_io.h"
#include "store/sha256.h"

static void
stamp_path(const struct anchors_check *c, uint64_t size, const char *ending,
	   char out[FILE_PATH_MAX])
{
	char name[64];

	snprintf(name, sizeof name, "pub/timestamp/%" PRIu64 ".%s", size, ending);
	path_join(out, c->place->data_dir, name);
}

static bool
read_token(struct anchors_check *c, uint64_t size, struct span *token)
{
	char path[FILE_PATH_MAX];
	size_t count = 0;

	stamp_path(c, size, "tsr", path);
	const bool ok = file_read(path, c->token, sizeof c->token, &count) == FILE_OK;
	*token = (struct span){ c->token, ok ? count : 0 };
	return ok;
}

static void
judge_stamp(struct anchors_check *c, uint64_t size, struct span token,
	    const struct anchor_tree *tree)
{
	char path[FILE_PATH_MAX], where[ANCHOR_WHERE_MAX];
	char note[CHECKPOINT_NOTE_MAX];
	uint64_t time_s = 0;
	size_t count = 0;

	snprintf(where, sizeof where, "pub/timestamp/%" PRIu64 ".tsr", size);
	stamp_path(c, size, "checkpoint", path);
	if (file_read(path, note, sizeof note, &count) != FILE_OK) {
		verify_say(c->v, "what was timestamped is missing", where,
			   "the checkpoint beside it", "no such file");
		return;
	}
	if (c->v->has_verifier &&
	    anchor_judge_token(&c->v->voice, where, token,
			       (struct span){ (const uint8_t *)note, count }, &c->v->verifier,
			       c->witnesses->trust, tree, &time_s)) {
		c->out->tokens++;
		if (size >= c->out->newest_token.size) {
			c->out->newest_token = (struct anchor_seen){ size, time_s };
		}
	}
}

/* All events of one size were seen. */
static void
end_size(struct anchors_check *c)
{
	const struct stamps *s = &c->stamps;
	struct span token;
	char where[ANCHOR_WHERE_MAX];

	if (s->size == 0) {
		return;
	}
	if (!s->is_there) {
		c->out->tokens_missing++;
	} else if (!s->is_matched) {
		snprintf(where, sizeof where, "pub/timestamp/%" PRIu64 ".tsr, event %" PRIu64,
			 s->size, s->seq);
		verify_say_digests(c->v, "a timestamp is not the one that was logged", where,
				   &s->expected, &s->found);
	} else if (read_token(c, s->size, &token)) {
		judge_stamp(c, s->size, token, &s->tree);
	}
}

static void
begin_stamps(struct anchors_check *c, uint64_t size, const char *where)
{
	uint64_t *grown = realloc(c->stamped, (c->stamped_count + 1) * sizeof *grown);
	struct span token;

	assert(grown != NULL);
	end_size(c);
	c->stamps = (struct stamps){ .size = 0 };
	c->stamped = grown;
	c->stamped[c->stamped_count++] = size;
	if (anchors_find_tree(c, where, size)) {
		c->stamps = (struct stamps){ .size = size, .tree = c->tree };
		c->stamps.is_there = read_token(c, size, &token);
		sha256_span(token, &c->stamps.found);
	}
}

void
stamps_see(struct anchors_check *c, const struct event_checkpoint_timestamped *event,
	   const struct entry *entry)
{
	char where[ANCHOR_WHERE_MAX];

	snprintf(where, sizeof where, "event %" PRIu64 ": timestamp of size %" PRIu64, entry->seq,
		 event->size);
	if (c->stamps.size != event->size) {
		begin_stamps(c, event->size, where);
	}
	c->stamps.tree.before_us = entry->recorded_us;
	if (digest_equal(&event->token, &c->stamps.found)) {
		c->stamps.is_matched = true;
	} else {
		c->stamps.seq = entry->seq;
		c->stamps.expected = event->token;
	}
}

static bool
was_stamped(const struct anchors_check *c, uint64_t size)
{
	for (size_t i = c->stamped_count; i > 0; i--) {
		if (c->stamped[i - 1] == size) {
			return true;
		}
	}
	return false;
}

/* A token is written before its event, so one that no event names is no break; but it is judged. */
static void
check_stamp_files(struct anchors_check *c)
{
	char path[FILE_PATH_MAX];

	path_join(path, c->place->data_dir, "pub/timestamp");
	DIR *directory = opendir(path);
	for (const struct dirent *item = directory == NULL ? NULL : readdir(directory);
	     item != NULL; item = readdir(directory)) {
		struct span token;
		char *end = NULL;
		const uint64_t size = strtoull(item->d_name, &end, 10);

		if (strcmp(end, ".tsr") == 0 && !was_stamped(c, size) &&
		    anchors_find_tree(c, item->d_name, size) && read_token(c, size, &token)) {
			judge_stamp(c, size, token, &c->tree);
		}
	}
	if (directory != NULL) {
		closedir(directory);
	}
}

void
stamps_end(struct anchors_check *c)
{
	end_size(c);
	check_stamp_files(c);
	free(c->stamped);
}
