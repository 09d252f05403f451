/* An HTTP answer on its way: header at once, body as the socket takes it. */
#ifndef IFSWARM_GATEWAY_ANSWER_IO_H
#define IFSWARM_GATEWAY_ANSWER_IO_H

#include <libwebsockets.h>

#include "protocol/types.h"

struct answer {
	bool is_head; /* set by the caller: the body is not sent */
	bool closes;  /* set by the caller: the connection ends with it */
	char *page;   /* being written */
	size_t bytes;
	size_t sent;
};

/* One more header, or none: name NULL. */
struct answer_header {
	const char *name; /* lower case, with its colon */
	const char *value;
};

/* `page` is taken over; NULL (out of memory) gives -1. `more` may be NULL, and ends with a row
 * without name. What libwebsockets' callback is to return. */
int answer_start(struct lws *wsi, struct answer *answer, unsigned status, const char *type,
		 char *page, const struct answer_header *more);
/* On LWS_CALLBACK_HTTP_WRITEABLE; likewise. */
int answer_writeable(struct lws *wsi, struct answer *answer);
void answer_free(struct answer *answer);

#endif
