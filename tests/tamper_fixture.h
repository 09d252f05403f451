/* A true log (fixture_truth) is copied, and one thing is changed in the copy. */
#ifndef IFSWARM_TESTS_TAMPER_FIXTURE_H
#define IFSWARM_TESTS_TAMPER_FIXTURE_H

#include "tests/replay_fixture.h"
#include "tests/seen_fixture.h"

static char copy[128];

/* Another one than it was, whatever it was: entries end in random bytes. */
#define LAST_BYTE_CHANGED                                                                          \
	"UPDATE event SET entry = CAST(substr(entry, 1, length(entry) - 1) || CASE "               \
	"substr(entry, -1) WHEN x'00' THEN x'01' ELSE x'00' END AS BLOB) "

static inline void
shell(const char *command)
{
	if (system(command) != 0) {
		fail_msg("%s", command);
	}
}

/* A fresh copy without triggers, changed by one SQL text and one shell command ("" for neither). */
static inline void
tamper(const char *sql, const char *command)
{
	char line[8192];

	snprintf(line, sizeof line,
		 "rm -rf %s && cp -r %s %s && sqlite3 %s/witness.db \"SELECT 'DROP TRIGGER ' || "
		 "name || ';' "
		 "FROM sqlite_master WHERE type = 'trigger'\" | sqlite3 %s/witness.db",
		 copy, fixture_truth, copy, copy, copy);
	shell(line);
	if (*sql != '\0') {
		snprintf(line, sizeof line, "sqlite3 -batch %s/witness.db \"%s\"", copy, sql);
		shell(line);
	}
	if (*command != '\0') {
		snprintf(line, sizeof line, "cd %s && %s", copy, command);
		shell(line);
	}
}

#endif
