/* The certificate of TURN over TLS as the supervisor holds it: in a memfd, for relays that start.
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "actors/cluster_io.h"
#include "actors/data_dir_io.h"
#include "protocol/log_line_io.h"

static size_t
read_memfd(int fd, uint8_t out[CERTIFICATE_PACKED_MAX])
{
	const ssize_t count = fd < 0 ? 0 : pread(fd, out, CERTIFICATE_PACKED_MAX, 0);

	return count < 0 ? 0 : (size_t)count;
}

int
cluster_read_certificate(const struct settings *settings, char fault[SETTING_FAULT_MAX])
{
	uint8_t *packed = malloc(CERTIFICATE_PACKED_MAX);
	size_t count = 0;
	int fd = -1;

	assert(packed != NULL);
	fault[0] = '\0';
	if (settings_use_certificate(settings)) {
		count = certificate_read(settings, packed, fault);
	}
	if (count > 0) {
		fd = sealed_memfd("certificate", packed, count);
	}
	if (count > 0 && fd < 0) {
		snprintf(fault, SETTING_FAULT_MAX, "cannot make a memfd: %s", strerror(errno));
	}
	explicit_bzero(packed, count);
	free(packed);
	return fd;
}

bool
cluster_prepare_certificate(struct cluster *cluster)
{
	static struct setting_faults doubts;
	char fault[SETTING_FAULT_MAX];

	cluster->certificate_fd = cluster_read_certificate(cluster->settings, fault);
	if (fault[0] != '\0') {
		log_error("%s", fault);
		return false;
	}
	certificate_doubt(cluster->settings, &doubts);
	for (size_t i = 0; i < doubts.count; i++) {
		log_warning("%s", doubts.lines[i]);
	}
	return true;
}

static bool
are_equal(int a, int b)
{
	uint8_t *bytes = malloc(2 * (size_t)CERTIFICATE_PACKED_MAX);

	assert(bytes != NULL);
	const size_t first = read_memfd(a, bytes);
	const size_t second = read_memfd(b, bytes + CERTIFICATE_PACKED_MAX);
	const bool equal =
		first == second && memcmp(bytes, bytes + CERTIFICATE_PACKED_MAX, first) == 0;

	explicit_bzero(bytes, 2 * (size_t)CERTIFICATE_PACKED_MAX);
	free(bytes);
	return equal;
}

bool
cluster_take_certificate(struct cluster *cluster, int fd)
{
	const bool is_another = !are_equal(cluster->certificate_fd, fd);

	if (cluster->certificate_fd >= 0) {
		close(cluster->certificate_fd);
	}
	cluster->certificate_fd = fd;
	return is_another;
}

size_t
cluster_certificate(const struct cluster *cluster, uint8_t out[CERTIFICATE_PACKED_MAX])
{
	return read_memfd(cluster->certificate_fd, out);
}
