/* How a relay's process begins and ends. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <unistd.h>

#include "actors/relay_process_io.h"
#include "actors/reload_io.h"
#include "actors/sandbox_io.h"
#include "actors/signals_io.h"
#include "protocol/address.h"
#include "protocol/log_line_io.h"
#include "protocol/time_io.h"

enum { MAILBOX_SLOTS = 8 };

bool
relay_process_watch(struct relay_process *process, int fd, uint32_t kind, uint32_t number)
{
	struct epoll_event event = { .events = EPOLLIN, .data.u64 = watch_pack(kind, number) };

	return epoll_ctl(process->epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

struct listeners {
	size_t count;
	struct address addresses[RELAY_LISTENERS_MAX];
	enum client_transport transports[RELAY_LISTENERS_MAX];
};

static void
add_listener(struct relay_process *process, struct listeners *out, int fd,
	     const struct address *address, enum client_transport transport)
{
	assert(out->count < RELAY_LISTENERS_MAX);
	process->listeners[out->count] = fd;
	out->addresses[out->count] = *address;
	out->transports[out->count++] = transport;
}

/* TLS is spoken there, too. */
static bool
has_tls_beside(const struct settings *settings, const struct address *address)
{
	return address->port == settings->tcp_proxy_port ? settings_serve_tls(settings)
							 : settings->tls_on_turn_tcp;
}

/* Each socket is one listener, or two where plain TCP and TLS share it. */
static bool
read_listeners(struct relay_process *process, const struct start *start, struct listeners *out)
{
	const struct settings *settings = start->settings;

	out->count = 0;
	for (size_t i = 0; i < start->socket_count; i++) {
		const int fd = start->sockets[i];
		struct address address;
		bool is_stream;

		if (!relay_listener_address(fd, &address, &is_stream)) {
			log_error("file descriptor %d is no bound socket", fd);
			return false;
		}
		const enum client_transport transport =
			relay_transport_of(settings, &address, is_stream);

		add_listener(process, out, fd, &address, transport);
		if (transport == CLIENT_TCP && has_tls_beside(settings, &address)) {
			add_listener(process, out, -1, &address, CLIENT_TLS);
		}
	}
	return true;
}

static bool
read_config(struct relay_process *process, const struct start *start)
{
	struct listeners listeners;
	struct nonce_key nonce_key;
	uint8_t seed[RELAY_SEED_BYTES];

	if (pread(start->nonce_key_fd, nonce_key.bytes, sizeof nonce_key.bytes, 0) !=
		    (ssize_t)sizeof nonce_key.bytes ||
	    getrandom(seed, sizeof seed, 0) != (ssize_t)sizeof seed) {
		log_error("the supervisor gave no nonce key, or the kernel no random bytes");
		return false;
	}
	if (!read_listeners(process, start, &listeners)) {
		return false;
	}
	const char *fault = relay_config_read(
		&process->config, &process->ips, start->settings, start->number,
		listeners.addresses, listeners.transports, listeners.count, &nonce_key, seed);
	explicit_bzero(&nonce_key, sizeof nonce_key);
	if (fault != NULL) {
		log_error("the settings cannot be used: %s", fault);
	}
	return fault == NULL;
}

/* Keys of nonces and tables stay: what was handed out stays good. */
bool
relay_process_reload(struct relay_process *process, struct span request)
{
	static struct relay_config next;
	static struct relay_ips ips;
	const struct relay_config *now = &process->config;

	if (!relay_process_reload_certificate(process, request) ||
	    !reload_take(request, process->start->settings)) {
		return false;
	}
	const char *fault = relay_config_read(&next, &ips, process->start->settings, now->number,
					      now->listeners, now->transports, now->listener_count,
					      &now->credentials.nonce_key, now->seed);
	if (fault == NULL) {
		process->config = next;
		relay_reload(process->relay, &next);
	} else {
		log_error("the settings cannot be used: %s", fault);
	}
	explicit_bzero(&next, sizeof next);
	return fault == NULL;
}

static bool
open_actors(struct relay_process *process, const struct start *start)
{
	char url[MAILBOX_URL_MAX];
	char name[32];
	char fault[512];

	snprintf(name, sizeof name, "relay-%u", start->number);
	mailbox_url(url, sizeof url, start->run_dir, name);
	process->link = link_open(start->run_dir, "allocation", start->number, fault, sizeof fault);
	if (process->link != NULL) {
		process->mailbox = mailbox_listen(url, MAILBOX_SLOTS, fault, sizeof fault);
	}
	if (process->link == NULL || process->mailbox == NULL) {
		log_error("%s", fault);
		return false;
	}
	process->hand = relay_hand_open(start->run_dir, start->number);
	process->fetch = relay_post_open(start->run_dir, "fetch", start->number);
	return process->hand != NULL && process->fetch != NULL &&
	       relay_process_watch(process, relay_post_fd(process->fetch), WATCH_FETCH, 0) &&
	       relay_process_watch(process, link_fd(process->link), WATCH_LINK, 0) &&
	       relay_process_watch(process, mailbox_server_fd(process->mailbox), WATCH_MAILBOX, 0);
}

static void
prepare_listener(struct relay_process *process, uint32_t i)
{
	const struct address *local = &process->config.listeners[i];
	const enum client_transport transport = process->config.transports[i];
	char text[ADDRESS_PRINT_MAX];

	if (transport == CLIENT_UDP || transport == CLIENT_DTLS) {
		relay_listener_prepare(process->listeners[i], client_transport_name(transport),
				       local);
		process->drops[i] = relay_socket_drops(process->listeners[i]);
		if (transport == CLIENT_UDP) {
			batch_coalesce(
				process->listeners[i]); /* a DTLS record is unsealed in its place */
		}
		return;
	}
	address_print(text, sizeof text, local);
	log_info("listening on %s %s", client_transport_name(transport), text);
}

bool
relay_process_open(struct relay_process *process, const struct start *start)
{
	const struct sandbox_rules rules = { .writable = { start->run_dir } };

	process->start = start;
	process->epoll = epoll_create1(EPOLL_CLOEXEC);
	process->in = batch_in_new();
	process->out = batch_out_new();
	if (process->epoll < 0 || process->in == NULL || process->out == NULL || !signals_catch() ||
	    !relay_sockets_open(&process->sockets, &process->ips, process->epoll)) {
		log_error("out of memory or file descriptors at start");
		return false;
	}
	/* The mailbox starts threads, and they inherit the sandbox only if it is there before them.
	 */
	if (!read_config(process, start) || !relay_process_load_certificate(process, start) ||
	    !sandbox_enter(&rules) || !open_actors(process, start)) {
		return false;
	}
	for (uint32_t i = 0; i < process->config.listener_count; i++) {
		prepare_listener(process, i);
	}
	process->started_us = time_monotonic_us();
	process->relay = relay_new(&process->config, &process->sink);
	if (!relay_process_open_streams(process)) {
		return false;
	}
	const uint32_t of_clients = process->streams == NULL ? 0 : STREAMS_MAX;
	const uint32_t with_peers = process->tcp == NULL ? 0 : TCP_PEERS_MAX;
	relay_sockets_announce(&process->sockets, of_clients + with_peers);
	return true;
}

void
relay_process_close(struct relay_process *process)
{
	if (process->tcp != NULL) {
		relay_tcp_io_close(process->tcp);
	}
	if (process->streams != NULL) {
		streams_close(process->streams);
	}
	if (process->dtls != NULL) {
		dtls_close(process->dtls);
		batch_send(process->out); /* their goodbyes */
	}
	tls_server_close(process->tls);
	tls_server_close(process->dtls_server);
	if (process->relay != NULL) {
		relay_free(process->relay);
	}
	if (process->mailbox != NULL) {
		mailbox_close(process->mailbox);
	}
	if (process->link != NULL) {
		link_close(process->link);
	}
	if (process->sockets.fds != NULL && process->sockets.free != NULL) {
		relay_sockets_close(&process->sockets);
	}
	relay_hand_close(process->hand);
	relay_post_close(process->fetch);
	batch_in_free(process->in);
	batch_out_free(process->out);
	explicit_bzero(process, sizeof *process);
	free(process);
}
