#include "protocol/proxy.h"

#include <string.h>

#include "protocol/address.h"

enum {
	VERSION_2 = 2,
	COMMAND_LOCAL = 0,
	COMMAND_PROXY = 1,
	TCP_OVER_IPV4 = 0x11,
	TCP_OVER_IPV6 = 0x21
};
enum { TLV_HEAD_BYTES = 3 };

static const uint8_t signature[12] = "\r\n\r\n\0\r\nQUIT\n";

static size_t
read_u16(const uint8_t *at)
{
	return (size_t)at[0] << 8 | at[1];
}

/* As soon as they are there: what cannot become a header is not waited for. */
static bool
begins_wrong(struct span bytes)
{
	const size_t count = bytes.count < sizeof signature ? bytes.count : sizeof signature;

	return memcmp(bytes.at, signature, count) != 0 ||
	       (bytes.count > sizeof signature &&
		(bytes.at[12] >> 4 != VERSION_2 || (bytes.at[12] & 15) > COMMAND_PROXY));
}

/* Each within the header, and the last ends with it. */
static bool
tlvs_are_whole(struct span rest)
{
	while (rest.count >= TLV_HEAD_BYTES) {
		const size_t count = TLV_HEAD_BYTES + read_u16(rest.at + 1);

		if (count > rest.count) {
			return false;
		}
		rest = (struct span){ rest.at + count, rest.count - count };
	}
	return rest.count == 0;
}

/* Source IP, destination IP, source port, destination port. */
static enum proxy_verdict
read_client(struct span block, size_t ip_bytes, struct address *out)
{
	const size_t count = 2 * ip_bytes + 4;

	if (block.count < count ||
	    !tlvs_are_whole((struct span){ block.at + count, block.count - count })) {
		return PROXY_BROKEN;
	}
	*out = address_of_ip(block.at, ip_bytes, (uint16_t)read_u16(block.at + 2 * ip_bytes));
	return out->port == 0 ? PROXY_BROKEN : PROXY_CLIENT;
}

enum proxy_verdict
proxy_read(struct span bytes, struct proxy_header *out)
{
	*out = (struct proxy_header){ .needed = PROXY_HEAD_BYTES };
	if (bytes.count == 0) {
		return PROXY_WAIT;
	}
	if (begins_wrong(bytes)) {
		return PROXY_BROKEN;
	}
	if (bytes.count < PROXY_HEAD_BYTES) {
		return PROXY_WAIT;
	}
	const size_t count = read_u16(bytes.at + 14);
	if (count > PROXY_BYTES_MAX - PROXY_HEAD_BYTES) {
		return PROXY_BROKEN;
	}
	out->needed += count;
	if (bytes.count < out->needed) {
		return PROXY_WAIT;
	}
	const struct span block = { bytes.at + PROXY_HEAD_BYTES, count };
	if ((bytes.at[12] & 15) == COMMAND_LOCAL) {
		return PROXY_LOCAL; /* what is said of addresses then means nothing */
	}
	switch (bytes.at[13]) {
	case TCP_OVER_IPV4:
		return read_client(block, 4, &out->client);
	case TCP_OVER_IPV6:
		return read_client(block, 16, &out->client);
	default:
		return PROXY_BROKEN;
	}
}
