#include "replay/acts_io.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "actors/act_io.h"
#include "replay/care_io.h"

/* How far back an operator's handle is looked for: further back it gets a fresh one. */
enum { LOOK_BACK = 4096 };

/* Only the log's own directory can be written to; anything else is somebody's copy. */
static bool
is_copy(const char *data_dir)
{
	char path[4096];
	struct stat status;

	snprintf(path, sizeof path, "%s/private/log.key", data_dir);
	return stat(path, &status) != 0;
}

enum acts_result
acts_record(const char *data_dir, const char *origin, const struct event *event,
	    char fault[ACTS_FAULT_MAX])
{
	_Static_assert((int)ACTS_FAULT_MAX >= (int)CARE_FAULT_MAX, "care_log's faults fit");
	if (is_copy(data_dir)) {
		return ACTS_COPY;
	}
	switch (act_log(data_dir, event, fault, ACTS_FAULT_MAX)) {
	case ACT_LOGGED:
		return ACTS_RECORDED;
	case ACT_REFUSED:
		return ACTS_FAILED;
	case ACT_NOT_RUNNING:
		break;
	}
	return care_log(data_dir, origin, event, 1, fault) ? ACTS_RECORDED : ACTS_FAILED;
}

struct search {
	const struct name *name;
	struct id found;
};

static bool
visit_act(void *context, const struct event *event, const struct entry *entry)
{
	struct search *search = context;

	(void)entry;
	if (event == NULL) {
		return true;
	}
	if (event->type == EVENT_QUERY_MADE &&
	    name_equal(&event->query_made.operator_name, search->name)) {
		search->found = event->query_made.operator;
	} else if (event->type == EVENT_EXPORT_MADE &&
		   name_equal(&event->export_made.operator_name, search->name)) {
		search->found = event->export_made.operator;
	}
	return id_is_none(&search->found);
}

void
acts_operator(struct source *source, struct id *handle, struct name *name)
{
	struct search search = { .name = name };
	uint64_t size = 0;

	act_login_name(name);
	if (source->keys != NULL && log_reader_size(source->reader, &size)) {
		log_read_events_back(source->reader, source->keys,
				     size > LOOK_BACK ? size - LOOK_BACK : 0, size,
				     LOG_STREAM(STREAM_WITNESS), visit_act, &search);
	}
	*handle = search.found;
	while (id_is_none(handle)) {
		const ssize_t got = getrandom(handle->bytes, sizeof handle->bytes, 0);
		assert(got == (ssize_t)sizeof handle->bytes);
	}
}

void
acts_query(const struct options *options, struct source *source)
{
	struct event event = { .type = EVENT_QUERY_MADE };
	struct event_query_made *query = &event.query_made;
	char fault[ACTS_FAULT_MAX] = "";

	if (source->keys == NULL) {
		return;
	}
	acts_operator(source, &query->operator, & query->operator_name);
	text_set(&query->command, options_command_name(options->ask));
	text_set(&query->scope, options->scope);
	if (options->asked != NULL) {
		name_set(&query->asked, options->asked, strlen(options->asked));
	}
	if (acts_record(options->data_dir, log_reader_origin(source->reader), &event, fault) ==
	    ACTS_FAILED) {
		fprintf(stderr,
			"ifreplay: this question cannot be recorded (%s), so names stay sealed\n",
			fault);
		source_forget_keys(source);
	}
}
