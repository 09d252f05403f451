#include "gateway/ice.h"

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

static bool
is_listed(const struct ice *ice, const char *host)
{
	for (size_t i = 0; i < ice->count; i++) {
		if (strcmp(ice->hosts[i], host) == 0) {
			return true;
		}
	}
	return false;
}

static void
add_host(struct ice *out, struct address address, uint64_t port)
{
	char host[ADDRESS_PRINT_MAX];

	if (address.family == ADDRESS_NONE || out->count == ICE_URLS_MAX) {
		return;
	}
	address.port = (uint16_t)port;
	address_print(host, sizeof host, &address);
	if (!is_listed(out, host)) {
		snprintf(out->hosts[out->count++], ICE_URL_BYTES_MAX, "%s", host);
	}
}

void
ice_hosts(struct ice *out, const struct settings *settings, const struct address *local)
{
	const struct setting_list *list =
		settings->external_ip.count > 0 ? &settings->external_ip : &settings->listening_ip;

	out->count = 0;
	out->over_tcp = settings->turn_tcp;
	for (size_t i = 0; i < list->count; i++) {
		char text[SETTING_BYTES_MAX];
		struct address address = { 0 };

		snprintf(text, sizeof text, "%s", list->items[i].bytes);
		text[strcspn(text, "/")] = '\0'; /* PUBLIC/PRIVATE */
		if (address_parse(&address, text) != NULL || !is_reachable(&address)) {
			address = *local;
		}
		add_host(out, address, settings->listening_port);
	}
}
