#include "gateway/ice.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "protocol/address.h"

static bool
is_reachable(const struct address *address)
{
	static const uint8_t zero[16];

	return address->family != ADDRESS_NONE &&
	       memcmp(address->bytes, zero, sizeof address->bytes) != 0;
}

struct hosts {
	size_t *count;
	char (*items)[ICE_URL_BYTES_MAX];
};

static bool
is_listed(struct hosts out, const char *host)
{
	for (size_t i = 0; i < *out.count; i++) {
		if (strcmp(out.items[i], host) == 0) {
			return true;
		}
	}
	return false;
}

static void
add_host(struct hosts out, struct address address, uint64_t port)
{
	char host[ADDRESS_PRINT_MAX];

	if (address.family == ADDRESS_NONE || *out.count == ICE_URLS_MAX) {
		return;
	}
	address.port = (uint16_t)port;
	address_print(host, sizeof host, &address);
	if (!is_listed(out, host)) {
		snprintf(out.items[(*out.count)++], ICE_URL_BYTES_MAX, "%s", host);
	}
}

/* The one host that the certificate names. */
static void
add_named(struct hosts out, const char *host, uint64_t port)
{
	struct address address;

	if (address_parse(&address, host) == NULL) {
		add_host(out, address, port);
		return;
	}
	snprintf(out.items[(*out.count)++], ICE_URL_BYTES_MAX, "%.100s:%" PRIu64, host, port);
}

static void
add_all(struct hosts out, const struct settings *settings, const struct address *local,
	uint64_t port)
{
	const struct setting_list *list =
		settings->external_ip.count > 0 ? &settings->external_ip : &settings->listening_ip;

	for (size_t i = 0; i < list->count; i++) {
		char text[SETTING_BYTES_MAX];
		struct address address = { 0 };

		snprintf(text, sizeof text, "%s", list->items[i].bytes);
		text[strcspn(text, "/")] = '\0'; /* PUBLIC/PRIVATE */
		if (address_parse(&address, text) != NULL || !is_reachable(&address)) {
			address = *local;
		}
		add_host(out, address, port);
	}
}

void
ice_hosts(struct ice *out, const struct settings *settings, const struct address *local)
{
	const struct hosts secured = { &out->tls_count, out->tls_hosts };

	out->count = out->tls_count = 0;
	out->over_tcp = settings->turn_tcp;
	add_all((struct hosts){ &out->count, out->hosts }, settings, local,
		settings->listening_port);
	if (!settings_serve_tls(settings)) {
		return;
	}
	if (settings->turns_host.bytes[0] != '\0') {
		add_named(secured, settings->turns_host.bytes, settings->tls_listening_port);
	} else {
		add_all(secured, settings, local, settings->tls_listening_port);
	}
}
