/* A log opened for reading, with the keys if they are at hand, and the names behind its handles.
 *
 * Names are learnt as the log is read; one that was said before the place where reading began is
 * looked for backwards, and every name on that way is kept, so that the log is walked at most once.
 */
#ifndef IFSWARM_REPLAY_SOURCE_IO_H
#define IFSWARM_REPLAY_SOURCE_IO_H

#include "replay/moment.h"
#include "replay/names.h"
#include "replay/telling.h"
#include "store/read_io.h"

enum { SOURCE_GAPS_MAX = 16, SOURCE_WORDS_MAX = 160 };

struct source {
	struct log_reader *reader;
	struct log_keys *keys;         /* NULL: names stay sealed */
	struct log_reader *far_reader; /* for looking back while the first one walks */
	struct log_keys *far_keys;
	struct names names;
	uint64_t names_from; /* what lies before it has not been searched for names */
	/* index_io.h; the walk that goes by it says where it is, and leaves names unlearnt behind
	 * it. */
	struct log_index *index;
	bool has_no_index; /* --no-index, or there is none to be had */
	bool index_is_filled;
	bool index_is_old;
	bool is_by_index;
	uint64_t position;
	/* Pruned ranges that were told, by their events: each is told once. */
	uint64_t gaps[SOURCE_GAPS_MAX];
	size_t gap_count;
	struct idmap nameless; /* handles whose name could not be found; where in `searched` */
	uint64_t *searched;    /* and below which seq it is not */
};

/* False with one line in `fault` if there is no log to read. Without keys a line on stderr says so.
 * Walks pass over what was pruned, and a line on stderr says that, too. */
bool source_open(struct source *source, const char *data_dir, char *fault, size_t fault_size);
void source_close(struct source *source);
/* From here on names stay sealed. */
void source_forget_keys(struct source *source);

/* A walk begins: names count from where they are said on, whoever learnt them before. */
void source_forget_names(struct source *source);

/* A names_ask; the context is the source. */
const struct name *source_name_of(void *source, const struct id *handle);

/* Reading is about to begin there: names before it are looked up when asked for. */
void source_names_from(struct source *source, uint64_t seq);

/* For questions that only acts that last answer: what was pruned is not worth a line. */
void source_pass_silently(struct source *source);
/* What stands in the place of an entry that is not there: pruned, by event n, or missing. */
void source_say_missing(struct source *source, uint64_t seq, char *out, size_t size);

/* When the entry was recorded; what was pruned, no later than the first entry behind it. *us is 0
 * if neither is there; false if the log cannot be read. */
bool source_time(struct source *source, uint64_t seq, uint64_t *us);

/* The first seq recorded at or after the moment (a seq is itself); false if the log cannot be read.
 */
bool source_seek(struct source *source, const struct moment *moment, uint64_t size, uint64_t *seq);

/* Says the reader's fault on stderr and gives the exit code. */
int source_failed(const struct source *source);

/* One telling over what a walk handed out. */
struct telling source_telling(struct source *source, const struct event *event,
			      const struct entry *entry);

#endif
