#include "protocol/address.h"

#include <arpa/inet.h>
#include <assert.h>
#include <string.h>

static const char fault_ip[] = "not an IP address: write 192.0.2.1 or 2001:db8::1";
static const char fault_port[] = "not a port: write 1 to 65535 behind the colon";
static const char fault_prefix[] = "not a prefix length: write 0 to 32 for IPv4, 0 to 128 for IPv6";
static const char fault_host[] =
	"host bits are set behind the prefix: write the network's first address";
static const char fault_order[] = "the range is inverted: write the lower address first";
static const char fault_family[] = "the two ends are of different families: write two ranges";

/* An IP as it was written, before an IPv4-mapped one loses its clothes: a prefix counts the bits of
 * that. */
struct literal {
	uint8_t bytes[16];
	size_t count; /* 4 or 16 */
};

static bool
literal_read(struct literal *out, const char *text, size_t count)
{
	char copy[INET6_ADDRSTRLEN];

	if (count == 0 || count >= sizeof copy) {
		return false;
	}
	memcpy(copy, text, count);
	copy[count] = '\0';
	memset(out, 0, sizeof *out);
	out->count = memchr(copy, ':', count) == NULL ? 4 : 16;
	return inet_pton(out->count == 4 ? AF_INET : AF_INET6, copy, out->bytes) == 1;
}

static bool
is_mapped(const uint8_t bytes[16])
{
	static const uint8_t prefix[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF };

	return memcmp(bytes, prefix, sizeof prefix) == 0;
}

struct address
address_of_ip(const uint8_t *bytes, size_t count, uint16_t port)
{
	struct address address = { .family = ADDRESS_IPV4, .port = port };

	assert(count == 4 || count == 16);
	if (count == 16 && is_mapped(bytes)) {
		bytes += 12;
		count = 4;
	}
	if (count == 16) {
		address.family = ADDRESS_IPV6;
	}
	memcpy(address.bytes, bytes, count);
	return address;
}

/* Decimal digits only, without leading zeros, so that a number has one spelling. */
static bool
number_read(uint32_t *out, const char *text, size_t count, uint32_t most)
{
	uint32_t value = 0;

	if (count == 0 || count > 5 || (count > 1 && text[0] == '0')) {
		return false;
	}
	for (size_t i = 0; i < count; i++) {
		if (text[i] < '0' || text[i] > '9') {
			return false;
		}
		value = value * 10 + (uint32_t)(text[i] - '0');
	}
	*out = value;
	return value <= most;
}

static const char *
parse_with_port(struct address *out, const char *ip, size_t ip_count, const char *port)
{
	struct literal literal;
	uint32_t number = 0;

	if (!literal_read(&literal, ip, ip_count)) {
		return fault_ip;
	}
	if (port != NULL && (!number_read(&number, port, strlen(port), 65535) || number == 0)) {
		return fault_port;
	}
	*out = address_of_ip(literal.bytes, literal.count, (uint16_t)number);
	return NULL;
}

const char *
address_parse(struct address *out, const char *text)
{
	const char *colon = strchr(text, ':');

	memset(out, 0, sizeof *out);
	if (text[0] == '[') {
		const char *close = strchr(text, ']');

		/* Brackets are for IPv6 alone. */
		if (close == NULL || colon == NULL || colon > close) {
			return fault_ip;
		}
		if (close[1] != '\0' && close[1] != ':') {
			return fault_port;
		}
		return parse_with_port(out, text + 1, (size_t)(close - text - 1),
				       close[1] == ':' ? close + 2 : NULL);
	}
	if (colon != NULL && strchr(colon + 1, ':') == NULL) {
		return parse_with_port(out, text, (size_t)(colon - text), colon + 1);
	}
	return parse_with_port(out, text, strlen(text), NULL);
}

static const char *
parse_cidr(struct address_range *out, const char *text, size_t ip_count, const char *prefix)
{
	struct literal first, last;
	uint32_t bits = 0;

	if (!literal_read(&first, text, ip_count)) {
		return fault_ip;
	}
	if (!number_read(&bits, prefix, strlen(prefix), (uint32_t)first.count * 8)) {
		return fault_prefix;
	}
	last = first;
	for (size_t bit = bits; bit < first.count * 8; bit++) {
		const uint8_t mask = (uint8_t)(0x80 >> (bit % 8));

		if ((first.bytes[bit / 8] & mask) != 0) {
			return fault_host;
		}
		last.bytes[bit / 8] |= mask;
	}
	out->first = address_of_ip(first.bytes, first.count, 0);
	out->last = address_of_ip(last.bytes, last.count, 0);
	/* ::/80 ends where the mapped addresses end, but is a network of IPv6. */
	if (out->first.family == ADDRESS_IPV6) {
		out->last.family = ADDRESS_IPV6;
		memcpy(out->last.bytes, last.bytes, sizeof last.bytes);
	}
	return NULL;
}

static const char *
parse_ends(struct address_range *out, const char *first, size_t first_count, const char *last)
{
	struct literal low, high;

	if (!literal_read(&low, first, first_count) || !literal_read(&high, last, strlen(last))) {
		return fault_ip;
	}
	out->first = address_of_ip(low.bytes, low.count, 0);
	out->last = address_of_ip(high.bytes, high.count, 0);
	if (out->first.family != out->last.family) {
		return fault_family;
	}
	return address_compare_ip(&out->first, &out->last) > 0 ? fault_order : NULL;
}

const char *
address_range_parse(struct address_range *out, const char *text)
{
	const char *slash = strchr(text, '/');
	const char *dash = strchr(text, '-');

	memset(out, 0, sizeof *out);
	if (slash != NULL) {
		return parse_cidr(out, text, (size_t)(slash - text), slash + 1);
	}
	if (dash != NULL) {
		return parse_ends(out, text, (size_t)(dash - text), dash + 1);
	}
	return parse_ends(out, text, strlen(text), text);
}

bool
address_equal_ip(const struct address *a, const struct address *b)
{
	return address_compare_ip(a, b) == 0;
}

bool
address_equal(const struct address *a, const struct address *b)
{
	return a->port == b->port && address_equal_ip(a, b);
}

int
address_compare_ip(const struct address *a, const struct address *b)
{
	if (a->family != b->family) {
		return a->family < b->family ? -1 : 1;
	}
	return memcmp(a->bytes, b->bytes, a->family == ADDRESS_IPV4 ? 4 : 16);
}

struct address
address_source(const struct address *address)
{
	struct address source = *address;

	source.port = 0;
	if (source.family == ADDRESS_IPV6) {
		memset(source.bytes + 8, 0, 8);
	}
	return source;
}

bool
address_range_contains(const struct address_range *range, const struct address *address)
{
	return range->first.family == address->family &&
	       address_compare_ip(&range->first, address) <= 0 &&
	       address_compare_ip(address, &range->last) <= 0;
}

/* RFC 8489 section 14.2: the port is mixed with the cookie, the IP with the cookie and transaction.
 */
static void
mix(uint8_t *port, uint8_t *ip, size_t count, const struct transaction *transaction)
{
	static const uint8_t cookie[4] = { 0x21, 0x12, 0xA4, 0x42 };

	if (transaction == NULL) {
		return;
	}
	port[0] ^= cookie[0];
	port[1] ^= cookie[1];
	for (size_t i = 0; i < count; i++) {
		ip[i] ^= i < 4 ? cookie[i] : transaction->bytes[i - 4];
	}
}

size_t
address_to_wire(uint8_t out[ADDRESS_WIRE_MAX], const struct address *address,
		const struct transaction *transaction)
{
	const size_t count = address->family == ADDRESS_IPV4 ? 4 : 16;

	assert(address->family != ADDRESS_NONE);
	out[0] = 0;
	out[1] = address->family == ADDRESS_IPV4 ? 1 : 2;
	out[2] = (uint8_t)(address->port >> 8);
	out[3] = (uint8_t)address->port;
	memcpy(out + 4, address->bytes, count);
	mix(out + 2, out + 4, count, transaction);
	return 4 + count;
}

bool
address_from_wire(struct address *out, struct span value, const struct transaction *transaction)
{
	uint8_t port[2];
	uint8_t ip[16];

	memset(out, 0, sizeof *out);
	if (value.count != 8 && value.count != 20) {
		return false;
	}
	if (value.at[1] != (value.count == 8 ? 1 : 2)) {
		return false;
	}
	memcpy(port, value.at + 2, sizeof port);
	memcpy(ip, value.at + 4, value.count - 4);
	mix(port, ip, value.count - 4, transaction);
	*out = address_of_ip(ip, value.count - 4, (uint16_t)(port[0] << 8 | port[1]));
	return true;
}
