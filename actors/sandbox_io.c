#include "actors/sandbox_io.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "protocol/log_line_io.h"

/* What Landlock's first version handles, and what later ones added. */
enum {
	READS = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR,
	FIRST_VERSION = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1,
};
#define RENAMES   (UINT64_C(1) << 13) /* LANDLOCK_ACCESS_FS_REFER, version 2 */
#define TRUNCATES (UINT64_C(1) << 14) /* LANDLOCK_ACCESS_FS_TRUNCATE, version 3 */
/* What may be allowed on a path that is no directory. */
#define FILE_ACCESS                                                                                \
	(LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE |                            \
	 LANDLOCK_ACCESS_FS_EXECUTE | TRUNCATES)

bool
sandbox_harden(void)
{
	const struct rlimit none = { 0 };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
	    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0 || setrlimit(RLIMIT_CORE, &none) != 0) {
		log_error("cannot give up privileges: %s: run it where prctl and setrlimit are "
			  "allowed",
			  strerror(errno));
		return false;
	}
	return true;
}

static int
ruleset_open(uint64_t handled)
{
	const struct landlock_ruleset_attr attributes = { .handled_access_fs = handled };

	return (int)syscall(SYS_landlock_create_ruleset, &attributes,
			    sizeof attributes.handled_access_fs, 0);
}

static bool
path_allow(int ruleset, const char *path, uint64_t access)
{
	const int fd = open(path, O_PATH | O_CLOEXEC);
	struct stat status;

	if (fd < 0 || fstat(fd, &status) != 0) {
		log_error("sandbox: cannot open %s: %s: check that it exists", path,
			  strerror(errno));
		if (fd >= 0) {
			close(fd);
		}
		return false;
	}
	const struct landlock_path_beneath_attr rule = {
		.allowed_access = S_ISDIR(status.st_mode) ? access : access & FILE_ACCESS,
		.parent_fd = fd,
	};
	const long failed =
		syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);

	close(fd);
	if (failed != 0) {
		log_error("sandbox: %s cannot be allowed: %s", path, strerror(errno));
	}
	return failed == 0;
}

static bool
paths_allow(int ruleset, const char *const paths[SANDBOX_PATHS_MAX], uint64_t access)
{
	for (int i = 0; i < SANDBOX_PATHS_MAX && paths[i] != NULL; i++) {
		if (!path_allow(ruleset, paths[i], access)) {
			return false;
		}
	}
	return true;
}

static uint64_t
handled_by(long version)
{
	uint64_t handled = FIRST_VERSION;

	if (version >= 2) {
		handled |= RENAMES;
	}
	if (version >= 3) {
		handled |= TRUNCATES;
	}
	return handled;
}

static bool
paths_restrict(const struct sandbox_rules *rules, uint64_t handled)
{
	const int ruleset = ruleset_open(handled);

	if (ruleset < 0) {
		log_error("sandbox: no Landlock ruleset: %s", strerror(errno));
		return false;
	}
	bool done = paths_allow(ruleset, rules->readable, READS) &&
		    paths_allow(ruleset, rules->writable,
				handled & ~(uint64_t)LANDLOCK_ACCESS_FS_EXECUTE);
	if (done && syscall(SYS_landlock_restrict_self, ruleset, 0) != 0) {
		log_error("sandbox: Landlock refused: %s", strerror(errno));
		done = false;
	}
	close(ruleset);
	return done;
}

bool
sandbox_enter(const struct sandbox_rules *rules)
{
	if (!sandbox_harden()) {
		return false;
	}
	const long version =
		syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

	if (version < 1) {
		log_info("this kernel has no Landlock: files are protected by their permissions "
			 "alone");
		return true;
	}
	return paths_restrict(rules, handled_by(version));
}
