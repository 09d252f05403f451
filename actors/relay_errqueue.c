#include "actors/relay_errqueue.h"

#include <string.h>

static bool
is_error(const struct errqueue_part *part)
{
	return (part->level == ERRQUEUE_IPV4_LEVEL && part->type == ERRQUEUE_IPV4_TYPE) ||
	       (part->level == ERRQUEUE_IPV6_LEVEL && part->type == ERRQUEUE_IPV6_TYPE);
}

static bool
take_error(struct span value, struct relay_icmp *out)
{
	struct errqueue_error error;

	if (value.count < sizeof error) {
		return false;
	}
	memcpy(&error, value.at, sizeof error);
	if (error.origin != ERRQUEUE_ORIGIN_ICMP && error.origin != ERRQUEUE_ORIGIN_ICMP6) {
		return false;
	}
	out->type = error.type;
	out->code = error.code;
	out->mtu = error.info;
	return true;
}

bool
relay_errqueue_read(struct span control, struct relay_icmp *out)
{
	struct errqueue_part part;

	for (size_t at = 0; at < control.count && control.count - at >= sizeof part;) {
		memcpy(&part, control.at + at, sizeof part);
		if (part.length < sizeof part || part.length > control.count - at) {
			return false;
		}
		const struct span value = { control.at + at + sizeof part,
					    part.length - sizeof part };
		if (is_error(&part) && take_error(value, out)) {
			return true;
		}
		/* What the last one lacks to its padding is nothing's. */
		at += (part.length + sizeof(size_t) - 1) / sizeof(size_t) * sizeof(size_t);
	}
	return false;
}
