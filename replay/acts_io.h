/* What a person does with the evidence is evidence too: every question about people, every export
 * and every act on it is an event of stream 3, durable before its effect is seen. A running
 * cluster's witness writes it (actors/act_io.h); for a stopped one ifreplay is the writer for that
 * moment. A copy, which has no private/log.key, cannot be written to: what is done with it happens
 * outside the log's custody.
 */
#ifndef IFSWARM_REPLAY_ACTS_IO_H
#define IFSWARM_REPLAY_ACTS_IO_H

#include "replay/options.h"
#include "replay/source_io.h"

enum acts_result {
	ACTS_RECORDED,
	ACTS_COPY,   /* there is no log key: nobody can record anything here */
	ACTS_FAILED, /* `fault` says why; nothing may be shown or done */
};

enum { ACTS_FAULT_MAX = 768 };

/* Records one event of stream 3; its command id and times are set here. */
enum acts_result acts_record(const char *data_dir, const char *origin, const struct event *event,
			     char fault[ACTS_FAULT_MAX]);

/* Who is asking: the login name ("alice", "alice as root" under sudo), and the handle it has had in
 * newer acts of the log, or a fresh one. */
void acts_operator(struct source *source, struct id *handle, struct name *name);

/* Records that this question is asked, before it is answered. Where that fails the source gives up
 * its keys: without a record no names are shown (a line on stderr says so). Nothing is recorded if
 * there are no keys, or for a copy. */
void acts_query(const struct options *options, struct source *source);

#endif
