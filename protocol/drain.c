#include "protocol/drain.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "protocol/address.h"

enum { PLAIN_PORT = 3478, SECURED_PORT = 5349 }; /* RFC 8489 section 8.1 */

static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-";

static void
put_alternate(struct drain *out, const struct address *address)
{
	struct address *place = &out->to[address->family == ADDRESS_IPV6];

	if (place->family == ADDRESS_NONE) {
		*place = *address;
	}
}

const char *
drain_parse(const char *text, struct drain *out)
{
	char first[SETTING_BYTES_MAX];
	struct address address;
	const size_t length = strcspn(text, " ");
	const char *name = text[length] == ' ' ? text + length + 1 : "";

	*out = (struct drain){ .on = text[0] != '\0' };
	if (text[0] == '\0' || strcmp(text, "on") == 0) {
		return NULL;
	}
	snprintf(first, sizeof first, "%.*s", (int)length, text);
	const char *fault = address_parse(&address, first);
	if (fault != NULL) {
		return fault;
	}
	if (strlen(name) >= sizeof out->domain || strspn(name, letters) != strlen(name)) {
		return "no host name behind the address";
	}
	put_alternate(out, &address);
	strcpy(out->domain, name);
	return NULL;
}

void
drain_of(struct drain *out, const struct settings *settings)
{
	const struct setting_list *list = &settings->alternate_server;
	const char *fault = drain_parse(settings->drain.bytes, out);
	const bool is_named =
		out->to[0].family != ADDRESS_NONE || out->to[1].family != ADDRESS_NONE;

	assert(fault == NULL); /* settings_set has parsed it */
	for (size_t i = 0; i < list->count && !is_named; i++) {
		struct address address;

		fault = address_parse(&address, list->items[i].bytes);
		assert(fault == NULL);
		put_alternate(out, &address);
	}
	if (!is_named) {
		snprintf(out->domain, sizeof out->domain, "%.255s",
			 settings->alternate_domain.bytes);
	}
}

bool
drain_alternate(const struct drain *drain, uint8_t family, bool is_secured, struct address *out)
{
	*out = drain->to[family == ADDRESS_IPV6];
	if (out->port == 0) {
		out->port = is_secured ? SECURED_PORT : PLAIN_PORT;
	}
	return out->family != ADDRESS_NONE;
}
