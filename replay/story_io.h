/* One agent's story, read: what `agent` and `peers` share. */
#ifndef IFSWARM_REPLAY_STORY_IO_H
#define IFSWARM_REPLAY_STORY_IO_H

#include "replay/filter.h"
#include "replay/source_io.h"
#include "replay/timeline.h"

struct story {
	const struct options *options;
	struct options rest; /* the filters beside the two names */
	struct source *source;
	struct filter filter; /* of the rest, and who the peer is */
	struct who who;
	struct timeline timeline;
	struct index_walk *by; /* NULL: the whole log is walked */
	bool is_with_peer;     /* the event at hand concerns --peer, too; true without one */
	struct idmap watched;  /* rooms of ours: everybody's comings and goings there matter */
};

/* Everything is borrowed; `say` is told what happens between --from and --to. */
void story_make(struct story *story, const struct options *options, struct source *source,
		timeline_say *say, void *context);
void story_free(struct story *story);
/* False if the log cannot be read. */
bool story_read(struct story *story);
/* Says on stderr that the log knows nobody of that name, and gives the exit code. */
int story_is_empty(const struct story *story);

#endif
