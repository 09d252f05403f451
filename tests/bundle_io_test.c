/* A bundle gathers its members in any order, and everybody's tar takes the same ones out of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "replay/bundle_io.h"

static char folder[] = "/tmp/ifswarm-bundle-XXXXXX";

static int
set_up(void **state)
{
	(void)state;
	return mkdtemp(folder) == NULL;
}

static int
tear_down(void **state)
{
	char line[256];

	(void)state;
	snprintf(line, sizeof line, "rm -rf %s", folder);
	return system(line);
}

static const char *
place(const char *name)
{
	static char path[2][256];
	static unsigned turn;
	char *const out = path[turn++ % 2];

	snprintf(out, sizeof path[0], "%s/%s", folder, name);
	return out;
}

/* Runs in the folder; true if it ends well. */
static bool
shell(const char *command)
{
	char line[1024];

	snprintf(line, sizeof line, "cd %s && %s", folder, command);
	return system(line) == 0;
}

static bool
is_there(const char *name)
{
	struct stat status;

	return lstat(place(name), &status) == 0;
}

static struct bundle *
make(const char *name)
{
	char fault[512] = "";
	struct bundle *bundle = bundle_make(place(name), fault, sizeof fault);

	if (bundle == NULL) {
		fail_msg("%s", fault);
	}
	return bundle;
}

/* Two members at once, one in pieces, one written by somebody else. */
static void
fill(struct bundle *bundle)
{
	char path[BUNDLE_PATH_MAX];
	struct bundle_member *rows = bundle_begin(bundle, "data/events.jsonl");
	struct bundle_member *table = bundle_begin(bundle, "data/events.csv");

	for (int i = 0; i < 1000; i++) {
		bundle_write(rows, "{}\n", 3);
		bundle_write(table, "1,2\r\n", 5);
	}
	bundle_end(rows);
	bundle_end(table);
	bundle_put(bundle, "log/tile/0/000", "", 0);
	bundle_put(bundle, "README.txt", "Read me.\n", 9);
	bundle_path(bundle, "data/evidence.db", path);
	FILE *other = fopen(path, "w");
	assert_non_null(other);
	fputs("rows", other);
	fclose(other);
	bundle_adopt(bundle, "data/evidence.db");
	bundle_put(bundle, "custody.jsonl", "{}\n", 3);
	bundle_sum(bundle, (const char *const[]){ "custody.jsonl", NULL });
}

static void
everybodys_tar_takes_it_apart(void **state)
{
	struct bundle *bundle = make("one.tar");

	(void)state;
	fill(bundle);
	assert_true(bundle_pack(bundle));
	assert_false(is_there("one.tar"));
	assert_true(bundle_publish(bundle));
	bundle_free(bundle);
	assert_true(is_there("one.tar"));
	assert_false(is_there("one.tar.partial"));
	assert_false(is_there("one.tar.parts"));
	assert_true(shell(
		"mkdir out && tar xf one.tar -C out && cd out && sha256sum --quiet -c SHA256SUMS"));
	assert_true(shell("test \"$(wc -l <out/SHA256SUMS)\" = 5"));
	assert_true(shell("test \"$(wc -c <out/data/events.csv)\" = 5000"));
	assert_true(shell("test \"$(cat out/data/evidence.db)\" = rows"));
	assert_true(shell("tar tf one.tar | LC_ALL=C sort -c"));
	assert_true(shell("test \"$(tar tf one.tar | wc -l)\" = 7"));
}

static void
the_same_members_give_the_same_bytes(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		struct bundle *bundle = make(i == 0 ? "first.tar" : "second.tar");

		fill(bundle);
		assert_true(bundle_pack(bundle));
		assert_true(bundle_publish(bundle));
		bundle_free(bundle);
	}
	assert_true(shell("cmp first.tar second.tar"));
}

static void
a_member_that_has_ended_has_its_hash(void **state)
{
	/* SHA-256("abc"), FIPS 180-2 appendix B.1. */
	static const char known[] =
		"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
	struct bundle *bundle = make("hash.tar");
	char hex[2 * sizeof(struct digest) + 1];
	struct digest digest;

	(void)state;
	bundle_put(bundle, "manifest.json", "abc", 3);
	assert_true(bundle_digest(bundle, "manifest.json", &digest));
	hex_write(hex, digest.bytes, sizeof digest.bytes);
	assert_string_equal(hex, known);
	assert_false(bundle_digest(bundle, "manifest.jso", &digest));
	bundle_free(bundle);
}

static void
what_is_given_up_leaves_nothing(void **state)
{
	struct bundle *bundle = make("gone.tar");

	(void)state;
	fill(bundle);
	bundle_free(bundle);
	assert_false(is_there("gone.tar"));
	assert_false(is_there("gone.tar.parts"));
	bundle_free(NULL);
}

static void
a_fault_is_kept_and_ends_everything(void **state)
{
	struct bundle *bundle = make("bad.tar");

	(void)state;
	assert_null(bundle_fault(bundle));
	bundle_adopt(bundle, "data/nobody-wrote-this");
	assert_non_null(bundle_fault(bundle));
	assert_non_null(strstr(bundle_fault(bundle), "nobody-wrote-this"));
	struct bundle_member *member = bundle_begin(bundle, "README.txt");
	assert_null(member);
	bundle_write(member, "x", 1);
	bundle_end(member);
	assert_false(bundle_pack(bundle));
	assert_false(is_there("bad.tar.partial"));
	bundle_free(bundle);
}

static void
a_target_nobody_can_write_is_refused(void **state)
{
	char fault[512] = "";

	(void)state;
	assert_null(bundle_make("/nowhere/at/all.tar", fault, sizeof fault));
	assert_non_null(strstr(fault, "/nowhere/at/all.tar"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(everybodys_tar_takes_it_apart),
		cmocka_unit_test(the_same_members_give_the_same_bytes),
		cmocka_unit_test(a_member_that_has_ended_has_its_hash),
		cmocka_unit_test(what_is_given_up_leaves_nothing),
		cmocka_unit_test(a_fault_is_kept_and_ends_everything),
		cmocka_unit_test(a_target_nobody_can_write_is_refused),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
