/* `ifswarm config import`: a turnserver.conf of coturn, line by line, as an ifswarm.conf. What is
 * taken, what means something else here, what has no counterpart, and what that means for safety is
 * said of each line; what is not taken stands in the result as a comment. */
#ifndef IFSWARM_PROTOCOL_COTURN_IMPORT_H
#define IFSWARM_PROTOCOL_COTURN_IMPORT_H

#include "protocol/settings.h"

enum import_kind {
	IMPORT_TAKEN,   /* as it is */
	IMPORT_DIFFERS, /* taken, and yet not quite the same; or so without being asked */
	IMPORT_LEFT,    /* not taken */
	IMPORT_FAULT,   /* the result would not start: what to do is said */
	IMPORT_KINDS
};

enum { IMPORT_TEXT_MAX = 512, IMPORT_LINE_MAX = 1024 };

struct import {
	/* The result is written here, piece by piece. A secret comes with `is_secret`. */
	void (*write)(void *context, const char *text, bool is_secret);
	/* One sentence about a line; number 0: about what no line says. Never a secret's value. */
	void (*say)(void *context, enum import_kind kind, unsigned number, const char *key,
		    const char *text);
	void *context;
};

/* `text` is terminated. How many faults there are: with none, `ifswarm config check` accepts the
 * result. */
size_t coturn_import(const char *text, const struct import *import);

#endif
