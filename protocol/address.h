/* Addresses as people and packets write them. A struct address is canonical: an IPv4 address in
 * IPv6 clothes (::ffff:a.b.c.d) is IPv4 from the moment it is read. Printing is address_print
 * (record.h).
 *
 * Faults are sentences an operator can act on; the caller says which line they are about.
 */
#ifndef IFSWARM_PROTOCOL_ADDRESS_H
#define IFSWARM_PROTOCOL_ADDRESS_H

#include "protocol/types.h"

/* Both ends belong to it; one family; first <= last; ports are 0. */
struct address_range {
	struct address first;
	struct address last;
};

/* "192.0.2.1", "192.0.2.1:3478", "2001:db8::1", "[2001:db8::1]", "[2001:db8::1]:3478"; port 0 where
 * there is none. NULL, or what is wrong. */
const char *address_parse(struct address *out, const char *text);
/* One address, "192.0.2.0/24", or "192.0.2.1-192.0.2.9". NULL, or what is wrong (B11). */
const char *address_range_parse(struct address_range *out, const char *text);

/* From an IP in network order, 4 or 16 bytes. */
struct address address_of_ip(const uint8_t *bytes, size_t count, uint16_t port);

bool address_equal(const struct address *a, const struct address *b);
/* The same IP, whatever the ports: what a permission is about. */
bool address_equal_ip(const struct address *a, const struct address *b);
/* Less than, equal or greater than 0: by family, then IP. */
int address_compare_ip(const struct address *a, const struct address *b);
/* Who stands behind a source: an IPv4 address, or the /64 of an IPv6 one; port 0. */
struct address address_source(const struct address *address);
bool address_range_contains(const struct address_range *range, const struct address *address);

/* The value of MAPPED-ADDRESS (RFC 8489 section 14.1), or with the transaction given of the XOR
 * forms (section 14.2): 8 or 20 bytes. */
enum { ADDRESS_WIRE_MAX = 20 };
size_t address_to_wire(uint8_t out[ADDRESS_WIRE_MAX], const struct address *address,
		       const struct transaction *transaction);
/* False if the size does not fit the family, or there is no such family (A10, A11). */
bool address_from_wire(struct address *out, struct span value,
		       const struct transaction *transaction);

#endif
