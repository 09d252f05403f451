/* The connections and sessions of a relay's process: what they ask of it, where they come from, and
 * the certificate that they see. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "actors/certificate_io.h"
#include "actors/relay_process_io.h"
#include "actors/reload_io.h"
#include "protocol/address.h"
#include "protocol/log_line_io.h"

static void
on_message(void *context, uint32_t listener, const struct address *client, struct span message)
{
	struct relay_process *process = context;
	const struct relay_answer answer =
		relay_handle_client(process->relay, listener, client, message, process->now_us);

	relay_process_act(process, &answer);
}

static void
on_flush(void *context)
{
	struct relay_process *process = context;

	batch_send(process->out);
}

static bool
on_holds(void *context, uint32_t listener, const struct address *client)
{
	const struct relay_process *process = context;

	return relay_client_holds(process->relay, listener, client, process->now_us);
}

static bool
on_may_answer(void *context, const struct address *client)
{
	struct relay_process *process = context;

	return relay_may_answer(process->relay, client, process->now_us);
}

static void
on_gone(void *context, uint32_t listener, const struct address *client)
{
	struct relay_process *process = context;

	relay_client_gone(process->relay, listener, client);
}

static void
on_joined(void *context, uint32_t listener, const struct address *client, bool broken)
{
	struct relay_process *process = context;

	relay_tcp_io_joined(process->tcp, listener, client, broken);
}

static bool
has_transport(const struct relay_process *process, enum client_transport transport)
{
	for (uint32_t i = 0; i < process->config.listener_count; i++) {
		if (process->config.transports[i] == transport) {
			return true;
		}
	}
	return false;
}

static void
on_sealed(void *context, uint32_t listener, const struct address *client, struct span sealed)
{
	struct relay_process *process = context;
	const int fd = process->listeners[listener];

	if (sealed.count > BATCH_COPY_MAX) {
		batch_send_alone(process->out, fd, client, sealed);
		return;
	}
	if (batch_is_full(process->out)) {
		batch_send(process->out);
	}
	batch_add_copy(process->out, fd, client, sealed);
}

/* Who may say at the proxies' port whose connection it is. */
static void
trust_proxies(struct relay_process *process)
{
	const struct setting_list *list = &process->start->settings->tcp_proxy_from;

	for (size_t i = 0; i < list->count; i++) {
		struct address_range range;
		const char *fault = address_range_parse(&range, list->items[i].bytes);

		assert(fault == NULL); /* settings_set has parsed it */
		streams_trust(process->streams, &range);
	}
}

static bool
open_streams(struct relay_process *process, uint64_t seed)
{
	const struct streams_owner owner = { process,  on_message, on_flush,
					     on_holds, on_gone,    on_joined };

	if (!has_transport(process, CLIENT_TCP) && !has_transport(process, CLIENT_TLS)) {
		return true;
	}
	process->streams = streams_open(&owner, seed);
	if (process->streams == NULL ||
	    !relay_process_watch(process, streams_fd(process->streams), WATCH_STREAMS, 0)) {
		return false;
	}
	streams_serve_tls(process->streams, process->tls);
	trust_proxies(process);
	return true;
}

static bool
open_tcp(struct relay_process *process)
{
	if (process->streams == NULL || !process->config.serves_tcp) {
		return true;
	}
	process->tcp = relay_tcp_io_open(process);
	return process->tcp != NULL &&
	       relay_process_watch(process, relay_tcp_io_fd(process->tcp), WATCH_STREAMS, 0);
}

static bool
open_dtls(struct relay_process *process, uint64_t seed)
{
	const struct dtls_owner owner = { process,  on_message,    on_sealed,
					  on_holds, on_may_answer, on_gone };

	if (!has_transport(process, CLIENT_DTLS)) {
		return true;
	}
	process->dtls = dtls_open(&owner, seed);
	if (process->dtls == NULL) {
		return false;
	}
	dtls_serve(process->dtls, process->dtls_server);
	return true;
}

bool
relay_process_open_streams(struct relay_process *process)
{
	uint64_t seed;

	memcpy(&seed, process->config.seed, sizeof seed);
	if (!open_streams(process, seed) || !open_tcp(process) || !open_dtls(process, seed)) {
		log_error("no memory or descriptors for the connections of clients");
		return false;
	}
	return true;
}

/* Few at once: what is too much for this round is better left in the kernel. */
void
relay_process_read_dtls(struct relay_process *process, uint32_t listener)
{
	enum { AT_ONCE = 16, ROUNDS = 8 };
	uint32_t count = AT_ONCE;

	dtls_begin(process->dtls, process->now_us);
	for (int i = 0; i < ROUNDS && count == AT_ONCE && dtls_has_time(process->dtls); i++) {
		count = batch_receive(process->in, process->listeners[listener], 0, AT_ONCE);
		for (uint32_t place = 0; place < count; place++) {
			struct address client;
			size_t bytes = 0;
			uint8_t *datagram = batch_data(process->in, place, &bytes, &client);

			dtls_take(process->dtls, listener, &client, datagram, bytes);
		}
		batch_send(process->out);
	}
}

/* The listener for TLS at the same socket: it has none of its own. */
static uint32_t
tls_beside(const struct relay_process *process, uint32_t listener)
{
	const struct relay_config *config = &process->config;

	for (uint32_t i = 0; i < config->listener_count; i++) {
		if (process->listeners[i] < 0 &&
		    address_equal(&config->listeners[i], &config->listeners[listener])) {
			return i;
		}
	}
	return NOT_SPOKEN;
}

bool
relay_process_listen(struct relay_process *process, uint32_t listener)
{
	const bool is_tls = process->config.transports[listener] == CLIENT_TLS;
	const uint64_t proxy_port = process->start->settings->tcp_proxy_port;
	const struct streams_door door = {
		.fd = process->listeners[listener],
		.plain = is_tls ? NOT_SPOKEN : listener,
		.tls = is_tls ? listener : tls_beside(process, listener),
		.is_proxied = process->config.listeners[listener].port == proxy_port,
	};

	return streams_listen(process->streams, &door);
}

/* --- the certificate --- */

/* In the place of the one there is; false, with nothing changed, if it cannot be served. */
static bool
replace(struct tls_server **server, enum tls_kind kind, struct span packed)
{
	char fault[TLS_FAULT_MAX];
	struct tls_server *next = tls_server_open(kind, packed, fault);

	if (next == NULL) {
		log_error("%s: see `ifswarm config check`", fault);
		return false;
	}
	tls_server_close(*server);
	*server = next;
	return true;
}

static bool
take_certificate(struct relay_process *process, struct span packed)
{
	if (!replace(&process->tls, TLS_STREAMS, packed) ||
	    !replace(&process->dtls_server, TLS_DATAGRAMS, packed)) {
		return false;
	}
	if (process->streams != NULL) {
		streams_serve_tls(process->streams, process->tls);
	}
	if (process->dtls != NULL) {
		dtls_serve(process->dtls, process->dtls_server);
	}
	return true;
}

bool
relay_process_load_certificate(struct relay_process *process, const struct start *start)
{
	uint8_t *packed = malloc(CERTIFICATE_PACKED_MAX);

	assert(packed != NULL);
	if (!settings_use_certificate(start->settings)) {
		free(packed);
		return true;
	}
	const ssize_t count = pread(start->certificate_fd, packed, CERTIFICATE_PACKED_MAX, 0);
	const bool taken =
		count > 0 && take_certificate(process, (struct span){ packed, (size_t)count });

	if (count <= 0) {
		log_error("the supervisor gave no certificate");
	}
	explicit_bzero(packed, CERTIFICATE_PACKED_MAX);
	free(packed);
	return taken;
}

bool
relay_process_reload_certificate(struct relay_process *process, struct span request)
{
	const struct span packed = reload_certificate(request);

	return packed.count == 0 || process->tls == NULL || take_certificate(process, packed);
}
