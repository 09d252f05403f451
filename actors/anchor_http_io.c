#include <string.h>

#include "actors/anchor_io.h"

enum { CONNECT_WITHIN_MS = 10 * 1000, ANSWER_WITHIN_MS = 30 * 1000, WAIT_FDS_MAX = 4 };

bool
anchor_http_open(struct anchor_http *http)
{
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
		return false;
	}
	http->multi = curl_multi_init();
	http->stamp_headers = curl_slist_append(NULL, "Content-Type: application/timestamp-query");
	http->note_headers = curl_slist_append(NULL, "Content-Type: text/plain; charset=utf-8");
	return http->multi != NULL && http->stamp_headers != NULL && http->note_headers != NULL;
}

void
anchor_http_close(struct anchor_http *http)
{
	curl_slist_free_all(http->stamp_headers);
	curl_slist_free_all(http->note_headers);
	curl_multi_cleanup(http->multi);
	curl_global_cleanup();
}

/* What is more than may be wanted ends the transfer. */
static size_t
take_bytes(char *bytes, size_t size, size_t count, void *context)
{
	struct transfer *transfer = context;

	count *= size;
	if (count > sizeof transfer->answer - transfer->answer_count) {
		return 0;
	}
	memcpy(transfer->answer + transfer->answer_count, bytes, count);
	transfer->answer_count += count;
	return count;
}

/* No redirects, no other protocols, no proxy of the environment: exactly whom the configuration
 * names. */
static bool
prepare(struct transfer *transfer)
{
	CURL *easy = curl_easy_init();

	transfer->easy = easy;
	return easy != NULL && curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_bytes) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->fault) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_PROXY, "") == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_USERAGENT, "ifswarm/" IFSWARM_VERSION) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_WITHIN_MS) ==
		       CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)ANSWER_WITHIN_MS) == CURLE_OK;
}

bool
anchor_http_begin(struct anchor_http *http, const struct anchor_target *target,
		  struct transfer *transfer)
{
	transfer->answer_count = 0;
	transfer->fault[0] = '\0';
	if (transfer->easy == NULL && !prepare(transfer)) {
		return false;
	}
	const bool is_ready =
		curl_easy_setopt(transfer->easy, CURLOPT_URL, target->url) == CURLE_OK &&
		curl_easy_setopt(transfer->easy, CURLOPT_HTTPHEADER,
				 target->kind == ANCHOR_AUTHORITY
					 ? http->stamp_headers
					 : http->note_headers) == CURLE_OK &&
		curl_easy_setopt(transfer->easy, CURLOPT_POSTFIELDSIZE,
				 (long)transfer->request_count) == CURLE_OK &&
		curl_easy_setopt(transfer->easy, CURLOPT_POSTFIELDS, transfer->request) == CURLE_OK;
	return is_ready && curl_multi_add_handle(http->multi, transfer->easy) == CURLM_OK;
}

void
anchor_http_work(struct anchor_http *http)
{
	int running = 0;

	curl_multi_perform(http->multi, &running);
}

static const char *
why_of(const struct transfer *transfer, CURLcode code)
{
	if (code == CURLE_WRITE_ERROR) {
		return "its answer is larger than 65536 bytes";
	}
	return transfer->fault[0] != '\0' ? transfer->fault : curl_easy_strerror(code);
}

struct transfer *
anchor_http_ended(struct anchor_http *http, unsigned *status, const char **why)
{
	struct transfer *transfer = NULL;
	long code = 0;
	int left = 0;
	const CURLMsg *message;

	do {
		message = curl_multi_info_read(http->multi, &left);
		if (message == NULL) {
			return NULL;
		}
	} while (message->msg != CURLMSG_DONE);
	const CURLcode result = message->data.result;
	CURL *easy = message->easy_handle;
	curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&transfer);
	curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &code);
	curl_multi_remove_handle(http->multi, easy);
	*status = (unsigned)code;
	*why = result == CURLE_OK ? NULL : why_of(transfer, result);
	return transfer;
}

void
anchor_http_wait(struct anchor_http *http, const int *fds, size_t count, int timeout_ms)
{
	struct curl_waitfd waits[WAIT_FDS_MAX];
	unsigned used = 0;

	for (size_t i = 0; i < count && used < WAIT_FDS_MAX; i++) {
		waits[used++] = (struct curl_waitfd){ .fd = fds[i], .events = CURL_WAIT_POLLIN };
	}
	curl_multi_poll(http->multi, waits, used, timeout_ms, NULL);
}
