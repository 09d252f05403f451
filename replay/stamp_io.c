#include "replay/stamp_io.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actors/anchor_io.h"
#include "replay/moment.h"
#include "store/files_io.h"

enum { WAIT_MS = 1000, HTTP_OK = 200 };

static bool
says(struct stamp *out, const char *url, const char *what)
{
	snprintf(out->says, sizeof out->says, "%.200s: %.250s", url, what);
	return false;
}

static bool
holds(struct stamp *out, const struct witnesses *w, struct span bytes, const uint8_t *nonce)
{
	const char *url = w->settings.tsa_url.bytes;
	char fault[TIMESTAMP_FAULT_MAX], time[MOMENT_PRINT_MAX];
	uint64_t time_s = 0;

	if (!timestamp_holds((struct span){ out->token, out->count }, bytes, nonce, w->trust,
			     &time_s, fault)) {
		return says(out, url, fault);
	}
	snprintf(out->says, sizeof out->says, "%.200s, at %s", url,
		 moment_print(time, sizeof time, time_s * 1000000));
	return true;
}

/* --- asked ---------------------------------------------------------------------------------------
 */

/* Until it has ended; libcurl bounds the time. */
static bool
wait_for(struct anchor_http *http, struct stamp *out, const char *url)
{
	const char *why = NULL;
	unsigned status = 0;

	for (;;) {
		anchor_http_work(http);
		struct transfer *ended = anchor_http_ended(http, &status, &why);

		if (ended == NULL) {
			anchor_http_wait(http, NULL, 0, WAIT_MS);
			continue;
		}
		if (why != NULL || status != HTTP_OK) {
			char text[64];

			snprintf(text, sizeof text, "it answers with HTTP status %u", status);
			return says(out, url, why != NULL ? why : text);
		}
		if (ended->answer_count > sizeof out->token) {
			return says(out, url, "its answer is too large");
		}
		memcpy(out->token, ended->answer, ended->answer_count);
		out->count = ended->answer_count;
		return true;
	}
}

static bool
exchange(struct stamp *out, const char *url, struct transfer *transfer)
{
	struct anchor_target target = { .kind = ANCHOR_AUTHORITY };
	struct anchor_http http;

	if (strlen(url) >= sizeof target.url) {
		return says(out, url, "it cannot be asked: that is too long for a URL");
	}
	memcpy(target.url, url, strlen(url) + 1);
	if (!anchor_http_open(&http)) {
		return says(out, url, "libcurl cannot be started: see whether there is memory");
	}
	const bool ok = anchor_http_begin(&http, &target, transfer)
				? wait_for(&http, out, url)
				: says(out, url, "it cannot be asked: see whether that is a URL");
	curl_easy_cleanup(transfer->easy);
	anchor_http_close(&http);
	return ok;
}

static bool
ask(struct stamp *out, const struct witnesses *w, struct span bytes)
{
	struct transfer *transfer = calloc(1, sizeof *transfer);

	assert(transfer != NULL);
	random_bytes(transfer->nonce, sizeof transfer->nonce);
	transfer->request_count =
		timestamp_request(bytes, transfer->nonce, (uint8_t *)transfer->request);
	const bool ok = exchange(out, w->settings.tsa_url.bytes, transfer) &&
			holds(out, w, bytes, transfer->nonce);
	free(transfer);
	return ok;
}

/* --- kept ----------------------------------------------------------------------------------------
 */

static void
keep(const struct stamp *stamp, const char *folder, const char *path)
{
	const struct span token = { stamp->token, stamp->count };

	if (directory_make(folder, 0700) != FILE_OK ||
	    file_replace(path, token, 0600, true) != FILE_OK) {
		fprintf(stderr,
			"ifreplay: the timestamp cannot be kept in %s: the same export will have "
			"another one: "
			"see who owns it\n",
			folder);
	}
}

bool
stamp_get(struct stamp *out, const char *data_dir, const struct witnesses *witnesses,
	  struct span bytes, const struct digest *digest)
{
	char name[2 * sizeof digest->bytes + 8];
	char folder[FILE_PATH_MAX], path[FILE_PATH_MAX];

	hex_write(name, digest->bytes, sizeof digest->bytes);
	memcpy(name + 2 * sizeof digest->bytes, ".tsr", 5);
	path_join(folder, data_dir, "stamps");
	path_join(path, folder, name);
	if (file_read(path, out->token, sizeof out->token, &out->count) == FILE_OK &&
	    holds(out, witnesses, bytes, NULL)) {
		return true;
	}
	if (!ask(out, witnesses, bytes)) {
		return false;
	}
	keep(out, folder, path);
	return true;
}
