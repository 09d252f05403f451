#include "actors/relay_icmp_io.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include <linux/errqueue.h> /* wants time.h */

#include "protocol/address_io.h"

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

/* The part that says what came back; NULL if there is none. */
static const struct sock_extended_err *
find_error(struct msghdr *header)
{
	for (struct cmsghdr *part = CMSG_FIRSTHDR(header); part != NULL;
	     part = CMSG_NXTHDR(header, part)) {
		if ((part->cmsg_level == IPPROTO_IP && part->cmsg_type == IP_RECVERR) ||
		    (part->cmsg_level == IPPROTO_IPV6 && part->cmsg_type == IPV6_RECVERR)) {
			return (const struct sock_extended_err *)(const void *)CMSG_DATA(part);
		}
	}
	return NULL;
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
		const struct sock_extended_err *error = find_error(&header);
		if (error != NULL && (error->ee_origin == SO_EE_ORIGIN_ICMP ||
				      error->ee_origin == SO_EE_ORIGIN_ICMP6)) {
			*out = (struct relay_icmp){ .peer = address_from_sockaddr(&peer),
						    .type = error->ee_type,
						    .code = error->ee_code,
						    .mtu = error->ee_info };
			return true;
		}
	}
	return false;
}
