#include "gateway/answer_io.h"

#include <stdlib.h>
#include <string.h>

enum { HEADER_BYTES_MAX = 1024, WRITE_BYTES_MAX = 64 * 1024 };

static bool
add_header(struct lws *wsi, const char *name, const char *value, unsigned char **at,
	   unsigned char *end)
{
	return lws_add_http_header_by_name(wsi, (const unsigned char *)name,
					   (const unsigned char *)value, (int)strlen(value), at,
					   end) == 0;
}

int
answer_start(struct lws *wsi, struct answer *answer, unsigned status, const char *type, char *page,
	     const struct answer_header *more)
{
	unsigned char header[LWS_PRE + HEADER_BYTES_MAX];
	unsigned char *start = header + LWS_PRE;
	unsigned char *at = start;
	unsigned char *end = header + sizeof header - 1;

	if (page == NULL) {
		return -1;
	}
	answer->page = page;
	answer->bytes = strlen(page);
	answer->sent = 0;
	if (lws_add_http_common_headers(wsi, status, type, answer->bytes, &at, end) != 0 ||
	    !add_header(wsi, "cache-control:", "no-store", &at, end) ||
	    !add_header(wsi, "x-content-type-options:", "nosniff", &at, end)) {
		return -1;
	}
	if (answer->closes && !add_header(wsi, "connection:", "close", &at, end)) {
		return -1;
	}
	for (; more != NULL && more->name != NULL; more++) {
		if (!add_header(wsi, more->name, more->value, &at, end)) {
			return -1;
		}
	}
	if (lws_finalize_write_http_header(wsi, start, &at, end) != 0) {
		return -1;
	}
	if (answer->is_head) {
		answer->sent = answer->bytes;
	}
	lws_callback_on_writable(wsi);
	return 0;
}

int
answer_writeable(struct lws *wsi, struct answer *answer)
{
	if (answer->page == NULL) {
		return 0;
	}
	const size_t left = answer->bytes - answer->sent;
	const size_t count = left < WRITE_BYTES_MAX ? left : WRITE_BYTES_MAX;
	if (count > 0) {
		unsigned char *bytes = malloc(LWS_PRE + count);

		if (bytes == NULL) {
			return -1;
		}
		memcpy(bytes + LWS_PRE, answer->page + answer->sent, count);
		const int written =
			lws_write(wsi, bytes + LWS_PRE, count,
				  count == left ? LWS_WRITE_HTTP_FINAL : LWS_WRITE_HTTP);
		free(bytes);
		if (written < (int)count) {
			return -1;
		}
		answer->sent += count;
	}
	if (answer->sent < answer->bytes) {
		lws_callback_on_writable(wsi);
		return 0;
	}
	answer_free(answer);
	return answer->closes || lws_http_transaction_completed(wsi) != 0 ? -1 : 0;
}

void
answer_free(struct answer *answer)
{
	free(answer->page);
	answer->page = NULL;
}
