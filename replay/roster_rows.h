/* The rows of a state's roster (core.h) as text: what state prints and diff compares. */
#ifndef IFSWARM_REPLAY_ROSTER_ROWS_H
#define IFSWARM_REPLAY_ROSTER_ROWS_H

#include "protocol/event.h"
#include "replay/paper.h"
#include "replay/states.h"

enum { ROSTER_COLUMNS_MAX = 7, ROSTER_VALUE_MAX = 4 * NAME_BYTES_MAX + 1 };

struct roster_kind {
	const char *name; /* "agents" */
	const char *columns[ROSTER_COLUMNS_MAX];
	size_t at[ROSTER_COLUMNS_MAX]; /* where each column begins */
	size_t column_count;
	size_t key_count; /* of them, that name the row */
};
/* STREAM_SESSION or STREAM_ALLOCATION. */
const struct roster_kind *roster_kind_of(enum stream stream);

/* One value as text: escaped words, an address, hex, a number, or "-"; moves the reader on. */
void roster_add_value(struct paper *paper, struct mp_reader *r);

#endif
