#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/cosigner_io.h"
#include "gateway/socket_address_io.h"
#include "protocol/time_io.h"

enum { PAGE_BYTES_MAX = 1024 };

static const char text_type[] = "text/plain; charset=utf-8";
static const char size_type[] = "text/x.tlog.size"; /* of a 409 (C2SP tlog-witness) */

static struct cosigner_process *
process_of(struct lws *wsi)
{
	return lws_context_user(lws_get_context(wsi));
}

/* --- answers -------------------------------------------------------------------------------------
 */

static const char *
text_of(unsigned status)
{
	switch (status) {
	case 400:
		return "not an add-checkpoint body: see c2sp.org/tlog-witness\n";
	case 403:
		return "no signature by a key that is known here for that log\n";
	case 404:
		return "that log is not witnessed here; checkpoints go to POST /add-checkpoint\n";
	case 405:
		return "checkpoints are sent with POST\n";
	case 411:
		return "say how long the body is: Content-Length is needed\n";
	case 413:
		return "the body is larger than an add-checkpoint can be\n";
	case 422:
		return "the checkpoint does not go on from the one that was cosigned last\n";
	case 429:
		return "too often: wait a second\n";
	default:
		return "nothing can be cosigned now: send it again later\n";
	}
}

static int
answer(struct cosigner_socket *socket, unsigned status, const char *type, struct span text)
{
	static const struct answer_header wait_a_second[] = { { "retry-after:", "1" }, { 0 } };
	static const struct answer_header allow[] = { { "allow:", "POST" }, { 0 } };
	const struct answer_header *more = status == 405                    ? allow
					   : status == 429 || status == 503 ? wait_a_second
									    : NULL;
	char *page = malloc(text.count + 1);

	if (page != NULL) {
		memcpy(page, text.at, text.count);
		page[text.count] = '\0';
	}
	return answer_start(socket->wsi, &socket->answer, status, type, page, more);
}

static int
answer_status(struct cosigner_socket *socket, unsigned status)
{
	const char *text = text_of(status);
	struct cosigner_facts *facts = &process_of(socket->wsi)->facts;

	facts->refused_rate += status == 429;
	facts->refused_busy += status == 503;
	facts->refused += status != 429 && status != 503;
	return answer(socket, status, text_type,
		      (struct span){ (const uint8_t *)text, strlen(text) });
}

void
cosigner_http_answer(struct cosigner_socket *socket, unsigned status, struct span text)
{
	struct cosigner_facts *facts = &process_of(socket->wsi)->facts;
	int ended;

	socket->waits = false;
	facts->cosigned += status == ADD_CHECKPOINT_OK;
	facts->stale += status == ADD_CHECKPOINT_STALE;
	if (status == ADD_CHECKPOINT_OK || status == ADD_CHECKPOINT_STALE) {
		ended = answer(socket, status, status == ADD_CHECKPOINT_OK ? text_type : size_type,
			       text);
	} else {
		ended = answer_status(socket, status);
	}
	if (ended != 0) {
		lws_set_timeout(socket->wsi, PENDING_TIMEOUT_USER_OK, LWS_TO_KILL_ASYNC);
	}
}

static int
on_get(struct cosigner_process *process, struct cosigner_socket *socket, const char *path)
{
	const struct cosigner_facts *f = &process->facts;
	char page[PAGE_BYTES_MAX] = "ok\n";

	if (strcmp(path, "/metrics") == 0) {
		snprintf(page, sizeof page,
			 "# TYPE ifswarm_checkpoints_cosigned_total counter\n"
			 "ifswarm_checkpoints_cosigned_total %" PRIu64 "\n"
			 "# TYPE ifswarm_checkpoints_refused_total counter\n"
			 "ifswarm_checkpoints_refused_total{reason=\"stale\"} %" PRIu64 "\n"
			 "ifswarm_checkpoints_refused_total{reason=\"request\"} %" PRIu64 "\n"
			 "ifswarm_checkpoints_refused_total{reason=\"rate\"} %" PRIu64 "\n"
			 "ifswarm_checkpoints_refused_total{reason=\"busy\"} %" PRIu64 "\n",
			 f->cosigned, f->stale, f->refused, f->refused_rate, f->refused_busy);
	} else if (strcmp(path, "/health") != 0) {
		return answer_status(socket, strcmp(path, "/add-checkpoint") == 0 ? 405 : 404);
	}
	return answer(socket, 200, text_type, (struct span){ (const uint8_t *)page, strlen(page) });
}

/* --- one request ---------------------------------------------------------------------------------
 */

static unsigned
judge(struct cosigner_process *process, struct cosigner_socket *socket, const char *path,
      bool has_length, uint64_t length)
{
	struct address client;

	socket_peer(socket->wsi, &client);
	if (!limit_take(&process->limit, &client, time_now_us())) {
		return 429;
	}
	if (strcmp(path, "/add-checkpoint") != 0) {
		return 404;
	}
	if (!has_length || length > ADD_CHECKPOINT_BODY_MAX) {
		return has_length ? 413 : 411;
	}
	return !body_begin(&socket->body, length) || process->actor.stopping ? 503 : 0;
}

static int
on_request(struct cosigner_process *process, struct cosigner_socket *socket, const char *path)
{
	char *uri;
	int uri_length;
	uint64_t length = 0;
	const int method = lws_http_get_uri_and_method(socket->wsi, &uri, &uri_length);

	socket->answer.is_head = method == LWSHUMETH_HEAD;
	socket->answer.closes = false;
	socket->refusal = 0;
	body_drop(&socket->body);
	if (method == LWSHUMETH_GET || method == LWSHUMETH_HEAD) {
		return on_get(process, socket, path);
	}
	if (method != LWSHUMETH_POST) {
		socket->answer.closes = true;
		return answer_status(socket, 405);
	}
	const bool has_length = body_length(socket->wsi, &length);
	socket->refusal = judge(process, socket, path, has_length, length);
	/* A body that is not too long is read first: who still sends would not see an answer. */
	if (!has_length || length == 0 || length > ADD_CHECKPOINT_BODY_MAX) {
		body_drop(&socket->body);
		socket->answer.closes = length != 0;
		return answer_status(socket, socket->refusal == 0 ? 400 : socket->refusal);
	}
	return 0;
}

/* What needs no state is turned away here. */
static unsigned
admit(struct cosigner_process *process, struct span body)
{
	static struct add_checkpoint request;

	return add_checkpoint_read(body, &request) ? add_checkpoint_admit(&request, &process->logs)
						   : ADD_CHECKPOINT_BAD;
}

static int
on_whole_body(struct cosigner_process *process, struct cosigner_socket *socket)
{
	const struct span body = body_read(&socket->body);
	unsigned status = socket->refusal;

	if (status == 0) {
		status = admit(process, body);
	}
	if (status == ADD_CHECKPOINT_OK && !cosigner_ask(process, socket, body)) {
		status = 503;
	}
	body_drop(&socket->body);
	if (status != ADD_CHECKPOINT_OK) {
		return answer_status(socket, status);
	}
	socket->waits = true;
	/* However long the witness takes: the log decides. */
	lws_set_timeout(socket->wsi, NO_PENDING_TIMEOUT, 0);
	return 0;
}

static void
on_closed(struct cosigner_process *process, struct cosigner_socket *socket)
{
	if (socket->waits) {
		cosigner_forget(process, socket);
	}
	socket->waits = false;
	body_drop(&socket->body);
	answer_free(&socket->answer);
}

int
cosigner_http_callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
		       size_t length)
{
	struct cosigner_socket *socket = user;

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
