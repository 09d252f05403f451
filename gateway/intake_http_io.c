#include <inttypes.h>
#include <jansson.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/intake_io.h"
#include "gateway/socket_address_io.h"
#include "protocol/time_io.h"

enum { HEADER_VALUE_MAX = 512, PAGE_BYTES_MAX = 2048 };

static const char json_page_type[] = "application/json";
static const char text_type[] = "text/plain; version=0.0.4; charset=utf-8";

static struct intake_process *
process_of(struct lws *wsi)
{
	return lws_context_user(lws_get_context(wsi));
}

/* --- answers
 * -------------------------------------------------------------------------------------- */

static int
answer_json(struct intake_socket *socket, unsigned status, json_t *object,
	    const struct answer_header *more)
{
	char *text = json_dumps(object, JSON_COMPACT | JSON_ENSURE_ASCII);

	json_decref(object);
	if (text != NULL) {
		const size_t count = strlen(text);
		char *line = realloc(text, count + 2);

		if (line == NULL) {
			free(text);
			return -1;
		}
		memcpy(line + count, "\n", 2);
		text = line;
	}
	return answer_start(socket->wsi, &socket->answer, status, json_page_type, text, more);
}

static int
refuse(struct intake_socket *socket, unsigned status, const char *why)
{
	static const struct answer_header wait_a_second[] = { { "retry-after:", "1" }, { 0 } };
	static const struct answer_header bearer[] = {
		{ "www-authenticate:", "Bearer realm=\"claims\"" },
		{ 0 },
	};
	static const struct answer_header allow[] = { { "allow:", "POST" }, { 0 } };
	const struct answer_header *more = status == 401                    ? bearer
					   : status == 405                  ? allow
					   : status == 429 || status == 503 ? wait_a_second
									    : NULL;
	json_t *text = json_string(why);

	return answer_json(socket, status,
			   json_pack("{s:s, s:o}", "status", "refused", "error",
				     text != NULL ? text : json_string("the body is not JSON")),
			   more);
}

static const char *
text_of(unsigned status)
{
	switch (status) {
	case 401:
		return "a token is wanted here: send Authorization: Bearer TOKEN";
	case 404:
		return "claims are taken at POST /events, /api/events and /api/log";
	case 405:
		return "claims are sent with POST";
	case 411:
		return "say how long the body is: Content-Length is needed";
	case 413:
		return "the body is larger than 1048576 bytes: send fewer claims at once";
	case 429:
		return "too many requests from this address: wait a second";
	default:
		return "the log cannot take it now: nothing was recorded, send it again";
	}
}

void
intake_http_durable(void *owner, const uint64_t *seqs, size_t count)
{
	struct intake_socket *socket = owner;
	json_t *object = json_pack("{s:s, s:I, s:I}", "status", "recorded", "accepted",
				   (json_int_t)count, "seq", (json_int_t)seqs[count - 1]);
	json_t *all = json_array();
	json_t *ignored = json_array();

	process_of(socket->wsi)->facts.accepted += count;
	socket->waits = false;
	for (size_t i = 0; i < count; i++) {
		json_array_append_new(all, json_integer((json_int_t)seqs[i]));
	}
	for (size_t i = 0; i < socket->report.ignored; i++) {
		json_array_append_new(ignored, json_string(socket->report.ignored_name[i]));
	}
	json_object_set_new(object, "seqs", all);
	if (json_array_size(ignored) > 0) {
		json_object_set(object, "ignored", ignored);
	}
	json_decref(ignored);
	if (answer_json(socket, 201, object, NULL) != 0) {
		lws_set_timeout(socket->wsi, PENDING_TIMEOUT_USER_OK, LWS_TO_KILL_ASYNC);
	}
}

/* --- who may send, and how much
 * ----------------------------------------------------------------------- */

static bool
is_claims_path(const char *path)
{
	static const char *const paths[] = { "/events", "/api/events", "/api/log" };
	size_t count = strcspn(path, "?#");

	/* A base URL with a slash at its end gives two in a row. */
	while (path[0] == '/' && path[1] == '/') {
		path++;
		count--;
	}
	while (count > 1 && path[count - 1] == '/') {
		count--;
	}
	for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
		if (strlen(paths[i]) == count && strncmp(paths[i], path, count) == 0) {
			return true;
		}
	}
	return false;
}

/* Takes as long for any wrong token of that length. */
static bool
has_token(struct intake_process *process, struct lws *wsi)
{
	static const char scheme[] = "Bearer ";
	const struct setting_list *tokens = &process->actor.start->settings->claims_token;
	char value[HEADER_VALUE_MAX];
	bool holds = tokens->count == 0;

	if (tokens->count == 0) {
		return true;
	}
	const int length = lws_hdr_copy(wsi, value, sizeof value, WSI_TOKEN_HTTP_AUTHORIZATION);
	if (length < (int)sizeof scheme || strncasecmp(value, scheme, sizeof scheme - 1) != 0) {
		return false;
	}
	const char *given = value + sizeof scheme - 1;
	for (size_t i = 0; i < tokens->count; i++) {
		const char *token = tokens->items[i].bytes;

		holds |= strlen(token) == strlen(given) &&
			 CRYPTO_memcmp(token, given, strlen(token)) == 0;
	}
	return holds;
}

static unsigned
judge(struct intake_process *process, struct intake_socket *socket)
{
	struct address client;
	uint64_t length = 0;

	socket_peer(socket->wsi, &client);
	if (!limit_take(&process->limit, &client, time_now_us())) {
		process->facts.refused_rate++;
		return 429;
	}
	if (!has_token(process, socket->wsi)) {
		process->facts.refused_token++;
		return 401;
	}
	if (!body_length(socket->wsi, &length) || length > CLAIM_BODY_MAX) {
		process->facts.refused_request++;
		return length > CLAIM_BODY_MAX ? 413 : 411;
	}
	if (!body_begin(&socket->body, length) || process->actor.stopping) {
		process->facts.refused_busy++;
		return 503;
	}
	return 0;
}

/* --- one request
 * -------------------------------------------------------------------------------------- */

static char *
metrics_page(const struct intake_process *process)
{
	const struct intake_facts *f = &process->facts;
	char *page = malloc(PAGE_BYTES_MAX);

	if (page != NULL) {
		snprintf(page, PAGE_BYTES_MAX,
			 "# TYPE ifswarm_claims_total counter\n"
			 "ifswarm_claims_total %" PRIu64 "\n"
			 "# TYPE ifswarm_claim_requests_total counter\n"
			 "ifswarm_claim_requests_total %" PRIu64 "\n"
			 "# TYPE ifswarm_claim_requests_refused_total counter\n"
			 "ifswarm_claim_requests_refused_total{reason=\"request\"} %" PRIu64 "\n"
			 "ifswarm_claim_requests_refused_total{reason=\"token\"} %" PRIu64 "\n"
			 "ifswarm_claim_requests_refused_total{reason=\"rate\"} %" PRIu64 "\n"
			 "ifswarm_claim_requests_refused_total{reason=\"busy\"} %" PRIu64 "\n"
			 "# TYPE ifswarm_claims_waiting gauge\n"
			 "ifswarm_claims_waiting %zu\n",
			 f->accepted, f->requests, f->refused_request, f->refused_token,
			 f->refused_rate, f->refused_busy, intake_waiting(process->intake));
	}
	return page;
}

static int
on_get(struct intake_process *process, struct intake_socket *socket, const char *path)
{
	const bool is_well = intake_epoch(process->intake) != 0;

	if (strcmp(path, "/health") == 0 || strcmp(path, "/") == 0) {
		return answer_json(socket, is_well ? 200 : 503,
				   json_pack("{s:s}", "status", is_well ? "ok" : "waiting"), NULL);
	}
	if (strcmp(path, "/metrics") == 0) {
		return answer_start(socket->wsi, &socket->answer, 200, text_type,
				    metrics_page(process), NULL);
	}
	return refuse(socket, is_claims_path(path) ? 405 : 404,
		      text_of(is_claims_path(path) ? 405 : 404));
}

static int
on_request(struct intake_process *process, struct intake_socket *socket, const char *path)
{
	char *uri;
	int length;
	const int method = lws_http_get_uri_and_method(socket->wsi, &uri, &length);

	socket->answer.is_head = method == LWSHUMETH_HEAD;
	socket->answer.closes = false;
	body_drop(&socket->body);
	socket->refusal = 0;
	if (method == LWSHUMETH_GET || method == LWSHUMETH_HEAD) {
		return on_get(process, socket, path);
	}
	process->facts.requests++;
	if (method != LWSHUMETH_POST) {
		socket->answer.closes = true;
		return refuse(socket, 405, text_of(405));
	}
	socket->refusal = is_claims_path(path) ? judge(process, socket) : 404;
	/* A body that is not too long is read first: who still sends would not see an answer. */
	uint64_t bytes = 0;
	if (!body_length(socket->wsi, &bytes) || bytes > CLAIM_BODY_MAX || bytes == 0) {
		body_drop(&socket->body);
		socket->answer.closes = bytes != 0;
		return refuse(socket, socket->refusal == 0 ? 400 : socket->refusal,
			      socket->refusal == 0 ? "the body holds no claim"
						   : text_of(socket->refusal));
	}
	return 0;
}

static int
on_whole_body(struct intake_process *process, struct intake_socket *socket)
{
	struct address client;
	enum intake_result result = INTAKE_FULL;

	if (socket->refusal != 0) {
		body_drop(&socket->body);
		return refuse(socket, socket->refusal, text_of(socket->refusal));
	}
	socket_peer(socket->wsi, &client);
	if (intake_epoch(process->intake) != 0) {
		result = intake_take(process->intake, body_read(&socket->body), &client,
				     time_now_us(), socket, &socket->report);
	}
	body_drop(&socket->body);
	switch (result) {
	case INTAKE_REFUSED:
		process->facts.refused_request++;
		return refuse(socket, socket->report.status, socket->report.fault);
	case INTAKE_FULL:
		process->facts.refused_busy++;
		return refuse(socket, 503, text_of(503));
	case INTAKE_WAITS:
		break;
	}
	socket->waits = true;
	/* However long the witness takes: the log decides when it is recorded. */
	lws_set_timeout(socket->wsi, NO_PENDING_TIMEOUT, 0);
	intake_pump(process);
	return 0;
}

static void
on_closed(struct intake_process *process, struct intake_socket *socket)
{
	if (socket->waits) {
		intake_forget(process->intake, socket);
	}
	socket->waits = false;
	body_drop(&socket->body);
	answer_free(&socket->answer);
}

int
intake_http_callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
		     size_t length)
{
	struct intake_socket *socket = user;

	switch ((unsigned)reason) {
	case LWS_CALLBACK_HTTP:
		socket->wsi = wsi;
		return on_request(process_of(wsi), socket, in);
	case LWS_CALLBACK_HTTP_BODY:
		body_add(&socket->body, in, length);
		return 0;
	case LWS_CALLBACK_HTTP_BODY_COMPLETION:
		return socket->answer.page != NULL ? 0 : on_whole_body(process_of(wsi), socket);
	case LWS_CALLBACK_HTTP_WRITEABLE:
		return answer_writeable(wsi, &socket->answer);
	case LWS_CALLBACK_CLOSED_HTTP:
		if (socket != NULL) {
			on_closed(process_of(wsi), socket);
		}
		return 0;
	case LWS_CALLBACK_WSI_DESTROY:
		acceptor_closed(&process_of(wsi)->actor.acceptor);
		return 0;
	default:
		return lws_callback_http_dummy(wsi, reason, user, in, length);
	}
}
