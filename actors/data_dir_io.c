#include "actors/data_dir_io.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "protocol/log_line_io.h"
#include "protocol/nonce.h"

enum { PATH_BYTES = 1024, SECRET_BYTES = 32, LOCK_WAIT_MS = 30000, LOCK_STEP_MS = 100 };

static bool
path_of(char out[PATH_BYTES], const char *data, const char *name)
{
	const int length = snprintf(out, PATH_BYTES, "%s/%s", data, name);

	if (length > 0 && length < PATH_BYTES) {
		return true;
	}
	log_error("%.64s...: the path is too long: choose a shorter --data-dir", data);
	return false;
}

/* Ours alone: a directory in /tmp could have been made by somebody else. */
static bool
own_directory(const char *path)
{
	struct stat status;

	if (mkdir(path, S_IRWXU) != 0 && errno != EEXIST) {
		log_error("cannot make the directory %s: %s: make it, or choose another --data-dir",
			  path, strerror(errno));
		return false;
	}
	if (lstat(path, &status) != 0 || !S_ISDIR(status.st_mode) || status.st_uid != geteuid()) {
		log_error(
			"%s is no directory of this user: remove it, or choose another --data-dir",
			path);
		return false;
	}
	if ((status.st_mode & (S_IRWXG | S_IRWXO)) != 0 && chmod(path, S_IRWXU) != 0) {
		log_error("%s is open to others: chmod 700 %s", path, path);
		return false;
	}
	return true;
}

bool
data_dir_make(const char *data)
{
	char path[PATH_BYTES];
	char resolved[PATH_MAX];

	/* The directory itself may be a link that the operator made. */
	if (realpath(data, resolved) == NULL) {
		snprintf(resolved, sizeof resolved, "%s", data);
	}
	return own_directory(resolved) && path_of(path, data, "private") && own_directory(path);
}

/* --- the lock --- */

static long
read_pid(int fd)
{
	char digits[24] = { 0 };
	const ssize_t got = pread(fd, digits, sizeof digits - 1, 0);

	return got > 0 ? strtol(digits, NULL, 10) : 0;
}

/* By another descriptor: the lock's own is read-only, for the children have it too. */
static bool
write_pid(const char *path)
{
	char digits[24];
	const int length = snprintf(digits, sizeof digits, "%ld\n", (long)getpid());
	const int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0) {
		return false;
	}
	const bool written = write(fd, digits, (size_t)length) == length;

	close(fd);
	return written;
}

static bool
is_alive(long pid)
{
	return pid > 0 && (kill((pid_t)pid, 0) == 0 || errno == EPERM);
}

/* A supervisor that was killed leaves actors that end by themselves: they are waited for. */
static bool
take_lock(int fd, const char *data)
{
	for (int waited_ms = 0; flock(fd, LOCK_EX | LOCK_NB) != 0; waited_ms += LOCK_STEP_MS) {
		const long pid = read_pid(fd);

		if (is_alive(pid)) {
			log_error("the data directory %s is held by the cluster with pid %ld: stop "
				  "it with "
				  "`ifswarm stop --data-dir %s`, or choose another --data-dir",
				  data, pid, data);
			return false;
		}
		if (waited_ms == 0) {
			log_info("the cluster with pid %ld was killed: waiting for its actors to "
				 "end",
				 pid);
		}
		if (waited_ms >= LOCK_WAIT_MS) {
			log_error("actors of the killed cluster with pid %ld still run on %s: "
				  "`fuser %s/lock` "
				  "names them, kill them",
				  pid, data, data);
			return false;
		}
		poll(NULL, 0, LOCK_STEP_MS);
	}
	return true;
}

int
data_dir_lock(const char *data)
{
	char path[PATH_BYTES];

	if (!path_of(path, data, "lock")) {
		return -1;
	}
	const int fd = open(path, O_RDONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, S_IRUSR | S_IWUSR);

	if (fd < 0) {
		log_error("cannot open %s: %s: check who may write there", path, strerror(errno));
		return -1;
	}
	if (!take_lock(fd, data)) {
		close(fd);
		return -1;
	}
	if (!write_pid(path)) {
		log_error("cannot write %s: %s: is the disk full?", path, strerror(errno));
		close(fd);
		return -1;
	}
	return fd;
}

long
data_dir_holder(const char *data)
{
	char path[PATH_BYTES];
	long pid = 0;

	if (!path_of(path, data, "lock")) {
		return 0;
	}
	const int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0) {
		return 0;
	}
	if (flock(fd, LOCK_SH | LOCK_NB) != 0) {
		pid = read_pid(fd);
	}
	close(fd);
	return is_alive(pid) ? pid : 0;
}

/* --- the run directory --- */

static uint64_t
path_hash(const char *data)
{
	char resolved[PATH_MAX];
	const char *path = realpath(data, resolved) == NULL ? data : resolved;

	return hash_bytes(0, path, strlen(path));
}

/* Leaves DATA/run/where behind for those who look for the sockets. */
static bool
note_place(const char *run, const char *elsewhere)
{
	char path[PATH_BYTES];

	if (!path_of(path, run, "where")) {
		return false;
	}
	FILE *note = fopen(path, "we");
	const bool written = note != NULL && fprintf(note, "%s\n", elsewhere) > 0;

	if (note == NULL || fclose(note) != 0 || !written) {
		log_error("cannot write %s: %s", path, strerror(errno));
		return false;
	}
	return true;
}

static bool
make_elsewhere(const char *data, const char *run, char out[RUN_DIR_BYTES_MAX])
{
	const char *base = getenv("XDG_RUNTIME_DIR");
	const int length = snprintf(out, RUN_DIR_BYTES_MAX, "%s/ifswarm-%u-%016llx",
				    base == NULL || base[0] != '/' ? "/tmp" : base,
				    (unsigned)geteuid(), (unsigned long long)path_hash(data));

	if (length < 0 || length >= RUN_DIR_BYTES_MAX) {
		log_error("XDG_RUNTIME_DIR is too long for a socket's path: unset it, or choose a "
			  "shorter "
			  "--data-dir");
		return false;
	}
	log_info("%s is too long for the path of a socket: the actors' sockets lie in %s", run,
		 out);
	return own_directory(out) && note_place(run, out);
}

bool
run_dir_make(const char *data, char out[RUN_DIR_BYTES_MAX])
{
	char run[PATH_BYTES];
	char note[PATH_BYTES];

	if (!path_of(run, data, "run") || !path_of(note, run, "where") || !own_directory(run)) {
		return false;
	}
	if (strlen(run) >= RUN_DIR_BYTES_MAX) {
		return make_elsewhere(data, run, out);
	}
	unlink(note);
	strcpy(out, run);
	return true;
}

bool
run_dir_find(const char *data, char out[RUN_DIR_BYTES_MAX])
{
	char run[PATH_BYTES];
	char note[PATH_BYTES];

	if (!path_of(run, data, "run") || !path_of(note, run, "where") || access(run, F_OK) != 0) {
		return false;
	}
	FILE *stream = fopen(note, "re");

	if (stream == NULL) {
		const bool fits = strlen(run) < RUN_DIR_BYTES_MAX;
		snprintf(out, RUN_DIR_BYTES_MAX, "%.*s", RUN_DIR_BYTES_MAX - 1, run);
		return fits;
	}
	const bool found = fgets(out, RUN_DIR_BYTES_MAX, stream) != NULL;

	fclose(stream);
	out[strcspn(out, "\n")] = '\0';
	return found;
}

/* --- secrets --- */

static void
random_bytes(void *out, size_t count)
{
	const ssize_t got = getrandom(out, count, 0);

	assert(got == (ssize_t)count); /* up to 256 bytes are never cut */
}

/* Makes the file with these bytes, all or nothing; durable before it is used. */
static bool
make_private(const char *path, const void *bytes, size_t count)
{
	char fresh[PATH_BYTES + 8];

	snprintf(fresh, sizeof fresh, "%s.new", path);
	unlink(fresh);
	const int fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR);
	const bool kept = fd >= 0 && write(fd, bytes, count) == (ssize_t)count && fsync(fd) == 0;

	if (fd >= 0) {
		close(fd);
	}
	if (!kept || rename(fresh, path) != 0) {
		log_error("cannot write %s: %s: check the disk and who may write there", path,
			  strerror(errno));
		return false;
	}
	return true;
}

/* -1 if there is none or it cannot be read. */
static ssize_t
read_private(const char *path, void *out, size_t size)
{
	const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0) {
		return -1;
	}
	const ssize_t got = read(fd, out, size);

	close(fd);
	return got;
}

static bool
make_secret(const char *path, char hex[2 * SECRET_BYTES + 2])
{
	uint8_t secret[SECRET_BYTES];

	random_bytes(secret, sizeof secret);
	hex_write(hex, secret, sizeof secret);
	explicit_bzero(secret, sizeof secret);
	return make_private(path, hex, 2 * SECRET_BYTES);
}

static bool
take_secret(struct settings *settings, const char *text, const char *path)
{
	static struct setting_faults faults;

	faults.count = 0;
	return settings_set(settings, "static-auth-secret", text, true, path, &faults);
}

bool
turn_secret_add(struct settings *settings, bool make)
{
	char path[PATH_BYTES];
	char text[SETTING_BYTES_MAX] = { 0 };

	if (settings->no_auth || settings->static_auth_secret.count != 0) {
		return true;
	}
	if (!path_of(path, settings->data_dir.bytes, "private/turn.secret")) {
		return false;
	}
	const ssize_t got = read_private(path, text, sizeof text - 1);

	if (got < 0 && errno != ENOENT && errno != ENOTDIR) {
		log_error("cannot read %s: %s: check who may read it", path, strerror(errno));
		return false;
	}
	text[strcspn(text, "\r\n")] = '\0';
	if (got >= 0 && text[0] == '\0') {
		log_error("%s is empty: remove it, and the next start makes a new secret", path);
		return false;
	}
	if (got < 0 && !make) {
		return true;
	}
	if (got < 0 && !make_secret(path, text)) {
		return false;
	}
	const bool taken = take_secret(settings, text, path);

	explicit_bzero(text, sizeof text);
	return taken;
}

int
sealed_memfd(const char *name, const void *bytes, size_t count)
{
	const int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0) {
		return -1;
	}
	if (write(fd, bytes, count) != (ssize_t)count ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
		close(fd);
		return -1;
	}
	return fd;
}

int
nonce_key_open(const char *data)
{
	char path[PATH_BYTES];
	uint8_t key[NONCE_KEY_BYTES];

	if (!path_of(path, data, "private/nonce.key")) {
		return -1;
	}
	/* A lost or cut key costs every client one 438: it is made again. */
	if (read_private(path, key, sizeof key) != sizeof key) {
		random_bytes(key, sizeof key);
		if (!make_private(path, key, sizeof key)) {
			return -1;
		}
	}
	const int fd = sealed_memfd("nonce-key", key, sizeof key);

	explicit_bzero(key, sizeof key);
	if (fd < 0) {
		log_error("cannot make a memfd: %s", strerror(errno));
	}
	return fd;
}

bool
running_settings_write(const char *data, const char *text, size_t count)
{
	char path[PATH_BYTES];

	if (!path_of(path, data, "run/settings")) {
		return false;
	}
	FILE *file = fopen(path, "w");
	const bool opened = file != NULL;
	bool written = opened && fwrite(text, 1, count, file) == count;

	written = (!opened || fclose(file) == 0) && written;
	if (!written) {
		log_error("cannot write %s: %s: see to its directory's space and rights", path,
			  strerror(errno));
	}
	return written;
}

bool
last_settings_read(const char *data, struct settings *out)
{
	static char text[SETTINGS_TEXT_MAX];
	static struct setting_faults faults;
	char path[PATH_BYTES];

	if (!path_of(path, data, "run/settings")) {
		return false;
	}
	FILE *file = fopen(path, "r");
	if (file == NULL) {
		return false;
	}
	const size_t count = fread(text, 1, sizeof text - 1, file);
	fclose(file);
	text[count] = '\0';
	settings_preset(out);
	faults.count = 0;
	settings_read(out, text, path, &faults);
	return faults.count == 0;
}

bool
running_settings_read(const char *data, struct settings *out)
{
	return data_dir_holder(data) != 0 && last_settings_read(data, out);
}
