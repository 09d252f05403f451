#include "actors/relay_icmp_io.h"

#include <netinet/in.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include <linux/errqueue.h> /* wants time.h */

#include "actors/relay_errqueue.h"
#include "protocol/address_io.h"

#define SAME(a, a_member, b, b_member)                                                             \
	(offsetof(a, a_member) == offsetof(b, b_member) &&                                         \
	 sizeof(((a *)0)->a_member) == sizeof(((b *)0)->b_member))
_Static_assert(sizeof(struct errqueue_part) == CMSG_LEN(0) &&
		       SAME(struct errqueue_part, length, struct cmsghdr, cmsg_len) &&
		       SAME(struct errqueue_part, level, struct cmsghdr, cmsg_level) &&
		       SAME(struct errqueue_part, type, struct cmsghdr, cmsg_type) &&
		       CMSG_ALIGN(1) == sizeof(size_t),
	       "a part is the kernel's");
_Static_assert(sizeof(struct errqueue_error) == sizeof(struct sock_extended_err) &&
		       SAME(struct errqueue_error, origin, struct sock_extended_err, ee_origin) &&
		       SAME(struct errqueue_error, type, struct sock_extended_err, ee_type) &&
		       SAME(struct errqueue_error, code, struct sock_extended_err, ee_code) &&
		       SAME(struct errqueue_error, info, struct sock_extended_err, ee_info),
	       "so is an error");
_Static_assert((int)ERRQUEUE_IPV4_LEVEL == (int)IPPROTO_IP && ERRQUEUE_IPV4_TYPE == IP_RECVERR &&
		       (int)ERRQUEUE_IPV6_LEVEL == (int)IPPROTO_IPV6 &&
		       ERRQUEUE_IPV6_TYPE == IPV6_RECVERR &&
		       ERRQUEUE_ORIGIN_ICMP == SO_EE_ORIGIN_ICMP &&
		       ERRQUEUE_ORIGIN_ICMP6 == SO_EE_ORIGIN_ICMP6,
	       "and their numbers");

void
relay_icmp_watch(int fd, int family)
{
	const int one = 1;

	if (family == AF_INET) {
		setsockopt(fd, IPPROTO_IP, IP_RECVERR, &one, sizeof one);
	} else {
		setsockopt(fd, IPPROTO_IPV6, IPV6_RECVERR, &one, sizeof one);
	}
}

void
relay_icmp_let_fragment(int fd, uint8_t family, bool may)
{
	const int how = may ? IP_PMTUDISC_DONT : IP_PMTUDISC_PROBE;
	const int how_v6 = may ? IPV6_PMTUDISC_DONT : IPV6_PMTUDISC_PROBE;

	if (family == ADDRESS_IPV4) {
		setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &how, sizeof how);
	} else {
		setsockopt(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, &how_v6, sizeof how_v6);
	}
}

bool
relay_icmp_read(int fd, struct relay_icmp *out)
{
	uint8_t byte;
	_Alignas(struct cmsghdr) uint8_t control[256];
	struct sockaddr_storage peer;

	for (int i = 0; i < ICMP_READS_MAX; i++) {
		struct iovec vector = { &byte, sizeof byte };
		struct msghdr header = { .msg_name = &peer,
					 .msg_namelen = sizeof peer,
					 .msg_iov = &vector,
					 .msg_iovlen = 1,
					 .msg_control = control,
					 .msg_controllen = sizeof control };

		memset(&peer, 0, sizeof peer);
		if (recvmsg(fd, &header, MSG_ERRQUEUE | MSG_DONTWAIT) < 0) {
			return false;
		}
		if (relay_errqueue_read((struct span){ control, header.msg_controllen }, out)) {
			out->peer = address_from_sockaddr(&peer);
			return true;
		}
	}
	return false;
}
