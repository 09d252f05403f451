#include "protocol/address_io.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "protocol/address.h"

struct address
address_from_sockaddr(const struct sockaddr_storage *socket_address)
{
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;

	if (socket_address->ss_family == AF_INET) {
		memcpy(&v4, socket_address, sizeof v4);
		return address_of_ip((const uint8_t *)&v4.sin_addr, 4, ntohs(v4.sin_port));
	}
	if (socket_address->ss_family == AF_INET6) {
		memcpy(&v6, socket_address, sizeof v6);
		return address_of_ip(v6.sin6_addr.s6_addr, 16, ntohs(v6.sin6_port));
	}
	return (struct address){ .family = ADDRESS_NONE };
}

socklen_t
address_to_sockaddr(const struct address *address, struct sockaddr_storage *out)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(address->port) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(address->port) };

	memset(out, 0, sizeof *out);
	if (address->family == ADDRESS_IPV4) {
		memcpy(&v4.sin_addr, address->bytes, 4);
		memcpy(out, &v4, sizeof v4);
		return sizeof v4;
	}
	if (address->family == ADDRESS_IPV6) {
		memcpy(&v6.sin6_addr, address->bytes, 16);
		memcpy(out, &v6, sizeof v6);
		return sizeof v6;
	}
	return 0;
}
