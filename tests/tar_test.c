/* What the tar writer writes, the tar reader of untar.h finds again; the same files give the same
 * bytes, and what no header can say is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "replay/tar.h"
#include "replay/untar.h"

#define LONGEST                                                                                    \
	"data/"                                                                                    \
	"6789012345678901234567890123456789012345678901234567890123456789012345678901234567890123" \
	"456789"
_Static_assert(sizeof LONGEST - 1 == TAR_NAME_MAX, "the longest name there is");

static const struct {
	const char *what;
	const char *name;
	uint64_t size;
} files[] = {
	{ "nothing in it", "data/omissions.jsonl", 0 },
	{ "one byte", "README.txt", 1 },
	{ "one byte short of a block", "a", 511 },
	{ "a block", "log/tile/0/x001/000.p/1", 512 },
	{ "one byte more than a block", "verify/verify.sh", 513 },
	{ "the longest name", LONGEST, 7 },
};
enum { FILES = sizeof files / sizeof files[0] };

struct found {
	size_t begun, ended, faults;
	uint64_t bytes;
};

static void
on_begin(void *context, const struct untar_member *member)
{
	struct found *found = context;

	assert_true(found->begun < FILES);
	assert_string_equal(member->name, files[found->begun].name);
	assert_int_equal(member->size, files[found->begun].size);
	found->begun++;
	found->bytes = 0;
}

static void
on_bytes(void *context, struct span piece)
{
	struct found *found = context;

	for (size_t i = 0; i < piece.count; i++) {
		assert_int_equal(piece.at[i], (uint8_t)('a' + found->begun - 1));
	}
	found->bytes += piece.count;
}

static void
on_end(void *context)
{
	struct found *found = context;

	assert_int_equal(found->bytes, files[found->ended].size);
	found->ended++;
}

static void
on_fault(void *context, enum untar_fault fault, const char *name, uint64_t offset)
{
	struct found *found = context;

	(void)offset;
	print_error("%s: %s\n", name, untar_fault_text(fault));
	found->faults++;
}

static size_t
write_all(char *tar)
{
	size_t at = 0;

	for (size_t i = 0; i < FILES; i++) {
		assert_true(tar_header(tar + at, files[i].name, files[i].size));
		at += TAR_BLOCK_BYTES;
		memset(tar + at, 'a' + (int)i, files[i].size);
		at += files[i].size;
		memset(tar + at, 0, tar_padding(files[i].size));
		at += tar_padding(files[i].size);
		assert_int_equal(at % TAR_BLOCK_BYTES, 0);
	}
	memset(tar + at, 0, 2 * (size_t)TAR_BLOCK_BYTES);
	return at + 2 * (size_t)TAR_BLOCK_BYTES;
}

static void
the_reader_finds_every_file(void **state)
{
	static char tar[16 * 1024];
	const size_t count = write_all(tar);

	(void)state;
	for (size_t piece = 1; piece <= count; piece = piece < 512 ? piece + 73 : 2 * piece) {
		struct found found = { 0 };
		struct untar untar;

		untar_start(&untar,
			    &(struct untar_reader){ on_begin, on_bytes, on_end, on_fault, &found });
		for (size_t at = 0; at < count; at += piece) {
			untar_feed(&untar,
				   (struct span){ (const uint8_t *)tar + at,
						  count - at < piece ? count - at : piece });
		}
		untar_finish(&untar);
		assert_int_equal(found.faults, 0);
		assert_int_equal(found.ended, FILES);
	}
}

/* The numbers of IEEE Std 1003.1: no owner, no time, nothing that another run could differ in. */
static void
a_header_says_nothing_of_its_maker(void **state)
{
	char block[TAR_BLOCK_BYTES], again[TAR_BLOCK_BYTES];

	(void)state;
	memset(block, 0xAA, sizeof block);
	memset(again, 0x55, sizeof again);
	assert_true(tar_header(block, "README.txt", 5));
	assert_true(tar_header(again, "README.txt", 5));
	assert_memory_equal(block, again, sizeof block);
	assert_string_equal(block + 100, "0000644");
	assert_string_equal(block + 108, "0000000");
	assert_string_equal(block + 116, "0000000");
	assert_string_equal(block + 124, "00000000005");
	assert_string_equal(block + 136, "00000000000");
	assert_int_equal(block[156], '0');
	assert_memory_equal(block + 257,
			    "ustar\0"
			    "00",
			    8);
	for (size_t i = 265; i < sizeof block; i++) {
		assert_int_equal(block[i], 0);
	}
}

static const struct {
	const char *what;
	const char *name;
	uint64_t size;
	bool fits;
} limits[] = {
	{ "the largest file", "a", (UINT64_C(1) << 33) - 1, true },
	{ "a file of 8 GiB", "a", UINT64_C(1) << 33, false },
	{ "a size beyond all", "a", UINT64_MAX, false },
	{ "the longest name", LONGEST, 0, true },
	{ "a longer name", LONGEST "0", 0, false },
};

static void
what_no_header_can_say_is_refused(void **state)
{
	char block[TAR_BLOCK_BYTES];

	(void)state;
	for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
		if (tar_header(block, limits[i].name, limits[i].size) != limits[i].fits) {
			fail_msg("%s", limits[i].what);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_reader_finds_every_file),
		cmocka_unit_test(a_header_says_nothing_of_its_maker),
		cmocka_unit_test(what_no_header_can_say_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
