#include "store/scrub_io.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "store/files_io.h"

int
scrub_lock(const char *data, bool *is_held)
{
	char path[FILE_PATH_MAX];

	*is_held = false;
	path_join(path, data, "scrub");
	if (directory_make(path, 0700) != FILE_OK) {
		return -1;
	}
	const int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0) {
		*is_held = errno == EWOULDBLOCK;
		close(fd);
		return -1;
	}
	return fd;
}

void
scrub_unlock(int lock)
{
	if (lock >= 0) {
		close(lock);
	}
}

void
scrub_load(const char *data, struct scrub_state *out)
{
	char path[FILE_PATH_MAX];
	char text[SCRUB_TEXT_MAX];
	size_t count = 0;

	path_join(path, data, "scrub/state");
	if (file_read(path, text, sizeof text, &count) != FILE_OK) {
		count = 0;
	}
	scrub_read((struct span){ (const uint8_t *)text, count }, out);
}

bool
scrub_save(const char *data, const struct scrub_state *state)
{
	char path[FILE_PATH_MAX];
	char text[SCRUB_TEXT_MAX];
	const size_t count = scrub_write(state, text);

	path_join(path, data, "scrub/state");
	/* After a power loss an older state makes a few blocks be looked at twice. */
	return file_replace(path, (struct span){ (const uint8_t *)text, count }, 0600, false) ==
	       FILE_OK;
}

void
scrub_forget(const char *data)
{
	char path[FILE_PATH_MAX];

	path_join(path, data, "scrub/state");
	unlink(path);
}
