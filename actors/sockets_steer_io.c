#include "actors/sockets_steer_io.h"

#include <assert.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "protocol/address.h"

/* Where the source stands in its header. */
enum { IPV4_SOURCE = 12, IPV6_SOURCE = 8 };

/* Clients' addresses differ in few bits, often the lowest or the highest alone: Knuth's
 * multiplicative hash has all of them in its upper half. */
enum { GOLDEN = 0x9E3779B1 };

/* The program sees a SYN, or the ACK of a SYN cookie, from behind its TCP header on; what it loads
 * relative to SKF_NET_OFF is of the IP header. What it returns is a place in the group, in the
 * order of listen(). A load that fails gives 0, which is a place, too. */
#define LOAD(offset) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(SKF_NET_OFF + (offset)))
#define MIX          BPF_STMT(BPF_ALU | BPF_MUL | BPF_K, (uint32_t)GOLDEN)

static bool
attach(int fd, struct sock_filter *code, size_t length)
{
	const struct sock_fprog program = { .len = (unsigned short)length, .filter = code };

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program, sizeof program) == 0;
}

bool
sockets_steer_by_source(int listening, uint8_t family, size_t count)
{
	assert(count > 0);
	struct sock_filter ipv4[] = {
		LOAD(IPV4_SOURCE),
		MIX,
		BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, 16),
		BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, (uint32_t)count),
		BPF_STMT(BPF_RET | BPF_A, 0),
	};
	struct sock_filter ipv6[] = {
		LOAD(IPV6_SOURCE),
		MIX,
		BPF_STMT(BPF_MISC | BPF_TAX, 0),
		LOAD(IPV6_SOURCE + 4),
		BPF_STMT(BPF_ALU | BPF_XOR | BPF_X, 0),
		MIX,
		BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, 16),
		BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, (uint32_t)count),
		BPF_STMT(BPF_RET | BPF_A, 0),
	};

	return family == ADDRESS_IPV6 ? attach(listening, ipv6, sizeof ipv6 / sizeof ipv6[0])
				      : attach(listening, ipv4, sizeof ipv4 / sizeof ipv4[0]);
}
