#include "store/files_io.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "store/seal.h"

void
path_join(char out[FILE_PATH_MAX], const char *directory, const char *name)
{
	const int count = snprintf(out, FILE_PATH_MAX, "%s/%s", directory, name);

	assert(count > 0 && count < FILE_PATH_MAX);
}

bool
file_exists(const char *path)
{
	struct stat status;

	return lstat(path, &status) == 0;
}

static enum file_result
result_of_errno(void)
{
	return errno == ENOSPC || errno == EDQUOT ? FILE_FULL
	       : errno == ENOENT                  ? FILE_MISSING
						  : FILE_FAILED;
}

enum file_result
directory_make(const char *path, unsigned mode)
{
	char part[FILE_PATH_MAX];
	const size_t count = strlen(path);

	assert(count < sizeof part);
	memcpy(part, path, count + 1);
	for (size_t i = 1; i <= count; i++) {
		if (part[i] != '/' && part[i] != '\0') {
			continue;
		}
		part[i] = '\0';
		if (mkdir(part, mode) != 0 && errno != EEXIST) {
			return result_of_errno();
		}
		part[i] = i < count ? '/' : '\0';
	}
	return FILE_OK;
}

static bool
write_all(int fd, struct span bytes)
{
	while (bytes.count > 0) {
		const ssize_t count = write(fd, bytes.at, bytes.count);
		if (count < 0 && errno == EINTR) {
			continue;
		}
		if (count < 0) {
			return false;
		}
		bytes.at += count;
		bytes.count -= (size_t)count;
	}
	return true;
}

static bool
sync_parent(const char *path)
{
	char parent[FILE_PATH_MAX];
	const char *slash = strrchr(path, '/');

	snprintf(parent, sizeof parent, "%.*s", slash == NULL ? 1 : (int)(slash - path),
		 slash == NULL ? "." : path);
	const int fd = open(parent[0] == '\0' ? "/" : parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0) {
		return false;
	}
	const bool ok = fsync(fd) == 0;
	close(fd);
	return ok;
}

enum file_result
file_replace(const char *path, struct span bytes, unsigned mode, bool durable)
{
	char beside[FILE_PATH_MAX + 8];

	snprintf(beside, sizeof beside, "%s.new", path);
	const int fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode);
	if (fd < 0) {
		return result_of_errno();
	}
	bool ok = write_all(fd, bytes) && (!durable || fsync(fd) == 0);
	/* A full disk may show only here. */
	ok = close(fd) == 0 && ok;
	if (!ok || rename(beside, path) != 0 || (durable && !sync_parent(path))) {
		const enum file_result result = result_of_errno();
		unlink(beside);
		return result;
	}
	return FILE_OK;
}

enum file_result
file_read(const char *path, void *out, size_t size, size_t *count)
{
	const int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint8_t more;

	*count = 0;
	if (fd < 0) {
		return result_of_errno();
	}
	ssize_t got = 1;
	while (*count < size && got > 0) {
		got = read(fd, (uint8_t *)out + *count, size - *count);
		*count += got > 0 ? (size_t)got : 0;
	}
	const bool whole = got >= 0 && read(fd, &more, 1) == 0;
	close(fd);
	return whole ? FILE_OK : FILE_FAILED;
}

enum file_result
secret_read(const char *path, uint8_t out[32])
{
	char text[66];
	size_t count = 0;
	const enum file_result result = file_read(path, text, sizeof text - 1, &count);

	if (result != FILE_OK) {
		return result;
	}
	if (count == 65 && text[64] == '\n') {
		count = 64;
	}
	text[count] = '\0';
	const bool ok = count == 64 && hex_read(out, text, 32);
	seal_forget(text, sizeof text);
	return ok ? FILE_OK : FILE_FAILED;
}

enum file_result
secret_make(const char *path, uint8_t out[32])
{
	char text[66];

	random_bytes(out, 32);
	hex_write(text, out, 32);
	text[64] = '\n';
	const enum file_result result =
		file_replace(path, (struct span){ (const uint8_t *)text, 65 }, 0600, true);
	seal_forget(text, sizeof text);
	return result;
}

enum file_result
ballast_make(const char *path)
{
	struct statvfs status;
	struct stat already;

	const bool there = stat(path, &already) == 0 && already.st_size == BALLAST_BYTES;
	const int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0) {
		return result_of_errno();
	}
	int code = there ? 0 : posix_fallocate(fd, 0, BALLAST_BYTES);
	if (code == 0 && !there && fstatvfs(fd, &status) == 0 &&
	    status.f_bavail * status.f_frsize < BALLAST_SPARE_BYTES) {
		code = ENOSPC;
	}
	close(fd);
	if (code != 0) {
		unlink(path);
		errno = code;
		return result_of_errno();
	}
	return FILE_OK;
}

void
ballast_free(const char *path)
{
	unlink(path);
}

void
ballast_yield(const char *path)
{
	struct statvfs status;

	if (statvfs(path, &status) == 0 && status.f_bavail * status.f_frsize < BALLAST_BYTES) {
		ballast_free(path);
	}
}

void
random_bytes(void *out, size_t count)
{
	uint8_t *at = out;

	while (count > 0) {
		const ssize_t got = getrandom(at, count, 0);
		assert(got > 0 || errno == EINTR);
		if (got > 0) {
			at += got;
			count -= (size_t)got;
		}
	}
}
