#include "actors/sockets_io.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "actors/sockets_steer_io.h"
#include "protocol/address.h"
#include "protocol/address_io.h"
#include "protocol/log_line_io.h"
#include "protocol/record.h"

enum { ACCEPT_BACKLOG = 1024 };

static bool
set_reuse(int fd, int type, int option)
{
	const int one = 1;
	/* What a connection leaves behind (TIME-WAIT) has its listener's options, and would be in
	 * the way of the next one's probe. */
	const bool also = type == SOCK_STREAM && option == SO_REUSEPORT;

	return (option == 0 || setsockopt(fd, SOL_SOCKET, option, &one, sizeof one) == 0) &&
	       (!also || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) == 0);
}

static int
open_bound(const struct address *address, int type, int reuse_option)
{
	struct sockaddr_storage where;
	const socklen_t length = address_to_sockaddr(address, &where);
	const int one = 1;
	const int fd = socket(where.ss_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0) {
		return -1;
	}
	if (!set_reuse(fd, type, reuse_option) ||
	    (where.ss_family == AF_INET6 &&
	     setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one) != 0) ||
	    bind(fd, (const struct sockaddr *)&where, length) != 0) {
		const int kept = errno;
		close(fd);
		errno = kept;
		return -1;
	}
	return fd;
}

static const char *
advice(int fault)
{
	switch (fault) {
	case EADDRINUSE:
		return "another program has that port: stop it, or choose another port";
	case EADDRNOTAVAIL:
	case EAFNOSUPPORT:
		return "this host does not have that address: `ip address` lists those it has";
	case EACCES:
		return "ports below 1024 need CAP_NET_BIND_SERVICE: choose a higher one";
	default:
		return "see the error's name";
	}
}

static void
log_busy(const char *key, const struct address *address, const char *transport, int fault)
{
	char text[ADDRESS_PRINT_MAX];

	address_print(text, sizeof text, address);
	log_error("%s: cannot listen on %s %s: %s: %s", key, transport, text, strerror(fault),
		  advice(fault));
}

static struct address
address_at(const char *ip, uint64_t port)
{
	struct address address;
	const char *fault = address_parse(&address, ip);

	assert(fault == NULL); /* settings_set has parsed it */
	address.port = (uint16_t)port;
	return address;
}

/* SO_REUSEPORT would let another program of the same user share our port unseen, so it is tried
 * without first. 0, or the errno. */
static int
probe_udp(const struct address *address)
{
	const int fd = open_bound(address, SOCK_DGRAM, 0);

	if (fd < 0) {
		return errno;
	}
	close(fd);
	return 0;
}

static void
drop_listening_ip(struct settings *settings, size_t at)
{
	struct setting_list *list = &settings->listening_ip;

	log_info("this host has no %s: listening without it", list->items[at].bytes);
	memmove(&list->items[at], &list->items[at + 1],
		(list->count - at - 1) * sizeof list->items[0]);
	list->count--;
}

static bool
probe_all(struct settings *settings, bool is_preset)
{
	for (size_t i = 0; i < settings->listening_ip.count;) {
		const struct address address =
			address_at(settings->listening_ip.items[i].bytes, settings->listening_port);
		const int fault = probe_udp(&address);

		if (fault == 0) {
			i++;
		} else if (is_preset && (fault == EADDRNOTAVAIL || fault == EAFNOSUPPORT)) {
			drop_listening_ip(settings, i);
		} else {
			log_busy("listening-port", &address, "udp", fault);
			return false;
		}
	}
	if (settings->listening_ip.count == 0) {
		log_error("listening-ip: this host has none of the preset addresses: name one");
	}
	return settings->listening_ip.count != 0;
}

/* Sockets of all relays at that port of each listening-ip. */
static bool
open_udp(int **out, const char *key, uint64_t port, const struct settings *settings)
{
	const size_t each = settings->listening_ip.count;
	const size_t count = settings->relays * each;

	*out = calloc(count, sizeof **out);
	assert(*out != NULL);
	for (size_t i = 0; i < count; i++) {
		const struct address address =
			address_at(settings->listening_ip.items[i % each].bytes, port);

		(*out)[i] = open_bound(&address, SOCK_DGRAM, SO_REUSEPORT);
		if ((*out)[i] < 0) {
			log_busy(key, &address, "udp", errno);
			return false;
		}
	}
	return true;
}

/* Likewise at another port than listening-port, which was probed together with the addresses; NULL
 * if it is not served. */
static bool
open_more_udp(int **out, const char *key, uint64_t port, bool served,
	      const struct settings *settings)
{
	*out = NULL;
	if (!served) {
		return true;
	}
	for (size_t i = 0; i < settings->listening_ip.count; i++) {
		const struct address address =
			address_at(settings->listening_ip.items[i].bytes, port);
		const int fault = probe_udp(&address);

		if (fault != 0) {
			log_busy(key, &address, "udp", fault);
			return false;
		}
	}
	return open_udp(out, key, port, settings);
}

/* With SO_REUSEADDR alone another program's listener is in the way, with SO_REUSEPORT it is not. */
static bool
probe_tcp(const char *key, const struct address *address)
{
	const int fd = open_bound(address, SOCK_STREAM, SO_REUSEADDR);
	const bool is_free = fd >= 0 && listen(fd, 1) == 0;

	if (!is_free) {
		log_busy(key, address, "tcp", errno);
	}
	if (fd >= 0) {
		close(fd);
	}
	return is_free;
}

static bool
listen_for_relays(int *out, const char *key, const struct address *address, size_t relays,
		  size_t each)
{
	if (!probe_tcp(key, address)) {
		return false;
	}
	for (size_t r = 0; r < relays; r++) {
		int *fd = &out[r * each];
		*fd = open_bound(address, SOCK_STREAM, SO_REUSEPORT);
		if (*fd < 0 || listen(*fd, ACCEPT_BACKLOG) != 0) {
			log_busy(key, address, "tcp", errno);
			return false;
		}
	}
	return true;
}

/* Listeners of all relays at that port of each listening-ip; NULL if it is not served. */
static bool
open_turn_streams(int **out, const char *key, uint64_t port, bool served,
		  const struct settings *settings)
{
	const size_t each = settings->listening_ip.count;

	*out = NULL;
	if (!served) {
		return true;
	}
	*out = calloc(settings->relays * each, sizeof **out);
	assert(*out != NULL);
	for (size_t i = 0; i < each; i++) {
		const struct address address =
			address_at(settings->listening_ip.items[i].bytes, port);
		if (!listen_for_relays(*out + i, key, &address, settings->relays, each)) {
			return false;
		}
	}
	return true;
}

static bool
open_turn(struct sockets *out, const struct settings *settings)
{
	out->udp_each = settings->listening_ip.count;
	return open_udp(&out->udp, "listening-port", settings->listening_port, settings) &&
	       open_more_udp(&out->alternate, "alt-listening-port", settings->alt_listening_port,
			     settings->rfc5780, settings) &&
	       open_more_udp(&out->dtls, "tls-listening-port", settings->tls_listening_port,
			     settings_serve_dtls(settings), settings) &&
	       open_turn_streams(&out->turn_tcp, "listening-port", settings->listening_port,
				 settings->turn_tcp, settings) &&
	       open_turn_streams(&out->turn_tls, "tls-listening-port", settings->tls_listening_port,
				 settings_serve_tls(settings), settings) &&
	       open_turn_streams(&out->proxied, "tcp-proxy-port", settings->tcp_proxy_port,
				 settings->tcp_proxy_port != 0, settings);
}

static bool
steer_group(const int *all, const struct settings *settings)
{
	for (size_t i = 0; all != NULL && i < settings->listening_ip.count; i++) {
		const struct address address = address_at(settings->listening_ip.items[i].bytes, 0);
		if (!sockets_steer_by_source(all[i], address.family, settings->relays)) {
			return false;
		}
	}
	return true;
}

/* So that TCP can be relayed by several relays. Not behind a proxy: there every client has the
 * proxy's address, and one relay would have them all. */
static void
steer_streams(const struct sockets *out, struct settings *settings)
{
	const bool is_wanted = settings->relays > 1 && !settings->no_tcp_relay;

	if (is_wanted &&
	    (!steer_group(out->turn_tcp, settings) || !steer_group(out->turn_tls, settings))) {
		log_warning("no-tcp-relay: this kernel does not deal TCP connections out by their "
			    "source (SO_ATTACH_REUSEPORT_CBPF: %s), so %llu relays relay no TCP "
			    "(442): run one relay for it",
			    strerror(errno), (unsigned long long)settings->relays);
		settings->no_tcp_relay = true;
	}
}

static bool
open_tcp(int *out, const char *key, const struct address *address)
{
	*out = open_bound(address, SOCK_STREAM, SO_REUSEADDR);
	if (*out < 0 || listen(*out, ACCEPT_BACKLOG) != 0) {
		log_busy(key, address, "tcp", errno);
		return false;
	}
	return true;
}

static bool
open_listeners(struct sockets *out, const struct settings *settings)
{
	const struct address ws = address_at(settings->host.bytes, settings->port);
	const struct address claims =
		address_at(settings->claims_host.bytes, settings->claims_port);

	const struct address cosigner =
		address_at(settings->witness_host.bytes, settings->witness_port);

	out->claims = out->cosigner = -1;
	return open_tcp(&out->tcp, "port", &ws) &&
	       (settings->claims_port == 0 || open_tcp(&out->claims, "claims-port", &claims)) &&
	       (settings->witness_port == 0 || open_tcp(&out->cosigner, "witness-port", &cosigner));
}

bool
sockets_open(struct sockets *out, struct settings *settings, bool listening_is_preset)
{
	if (!probe_all(settings, listening_is_preset) || !open_turn(out, settings)) {
		return false;
	}
	steer_streams(out, settings);
	return open_listeners(out, settings);
}
