/* Tars as a stranger might make them: what is a file is told, everything else is named. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "replay/untar.h"

/* One member, as a row asks for it. */
struct member {
	const char *name;
	char type;
	const char *body;
	const char *size; /* eleven digits to write instead of the true ones, or NULL */
};

struct story {
	char text[1024];
};

static void
add(struct story *story, const char *format, const char *word)
{
	const size_t used = strlen(story->text);

	snprintf(story->text + used, sizeof story->text - used, format, word);
}

static void
on_begin(void *context, const struct untar_member *member)
{
	add(context, "%s=", member->name);
}

static void
on_bytes(void *context, struct span piece)
{
	char text[64] = "";

	memcpy(text, piece.at, piece.count < 63 ? piece.count : 63);
	add(context, "%s", text);
}

static void
on_end(void *context)
{
	add(context, "%s", ";");
}

static void
on_fault(void *context, enum untar_fault fault, const char *name, uint64_t offset)
{
	(void)name;
	(void)offset;
	add(context, "[%s]", untar_fault_text(fault));
}

static void
seal_header(uint8_t *block)
{
	unsigned sum = 0;

	memset(block + 148, ' ', 8);
	for (size_t i = 0; i < UNTAR_BLOCK_BYTES; i++) {
		sum += block[i];
	}
	snprintf((char *)block + 148, 8, "%06o", sum);
}

static size_t
put_member(uint8_t *at, const struct member *member)
{
	const size_t count = strlen(member->body);
	char size[32];

	memset(at, 0, UNTAR_BLOCK_BYTES);
	memcpy(at, member->name, strlen(member->name));
	snprintf(size, sizeof size, "%011zo", count);
	memcpy(at + 124, member->size != NULL ? member->size : size, 12);
	at[156] = (uint8_t)member->type;
	memcpy(at + 257,
	       "ustar\0"
	       "00",
	       8);
	seal_header(at);
	memset(at + UNTAR_BLOCK_BYTES, 0, UNTAR_BLOCK_BYTES);
	memcpy(at + UNTAR_BLOCK_BYTES, member->body, count);
	return UNTAR_BLOCK_BYTES + (count > 0 ? UNTAR_BLOCK_BYTES : 0);
}

static size_t
put_end(uint8_t *at)
{
	memset(at, 0, 2 * UNTAR_BLOCK_BYTES);
	return 2 * UNTAR_BLOCK_BYTES;
}

static void
tell(struct story *story, const uint8_t *tar, size_t count, size_t step)
{
	const struct untar_reader reader = { on_begin, on_bytes, on_end, on_fault, story };
	struct untar reading;

	story->text[0] = '\0';
	untar_start(&reading, &reader);
	for (size_t at = 0; at < count; at += step) {
		untar_feed(&reading,
			   (struct span){ tar + at, count - at < step ? count - at : step });
	}
	untar_finish(&reading);
}

static void
test_members(void **state)
{
	static const struct {
		const char *name;
		struct member members[3];
		const char *told;
	} rows[] = {
		{ "two files",
		  { { "a", '0', "x", NULL }, { "b/c.d", '\0', "", NULL } },
		  "a=x;b/c.d=;" },
		{ "nothing at all", { { NULL, 0, NULL, NULL } }, "" },
		{ "a path that climbs",
		  { { "../a", '0', "x", NULL }, { "b", '0', "y", NULL } },
		  "[a path that climbs out of the folder]b=y;" },
		{ "a path that climbs in the middle",
		  { { "a/../../b", '0', "x", NULL } },
		  "[a path that climbs out of the folder]" },
		{ "an absolute path", { { "/etc/a", '0', "x", NULL } }, "[an absolute path]" },
		{ "a dot", { { "./a", '0', "x", NULL } }, "[a name that no file of a bundle has]" },
		{ "no name", { { "", '0', "x", NULL } }, "[a name that no file of a bundle has]" },
		{ "a terminal escape",
		  { { "a\033[2J", '0', "x", NULL } },
		  "[a name that no file of a bundle has]" },
		{ "a hard link", { { "a", '1', "", NULL } }, "[a link]" },
		{ "a symbolic link",
		  { { "a", '2', "", NULL }, { "b", '0', "y", NULL } },
		  "[a link]b=y;" },
		{ "a link that climbs",
		  { { "../a", '2', "", NULL } },
		  "[a path that climbs out of the folder]" },
		{ "a device", { { "a", '3', "", NULL } }, "[a device or pipe]" },
		{ "a pipe", { { "a", '6', "", NULL } }, "[a device or pipe]" },
		{ "a directory", { { "a/", '5', "", NULL } }, "[a directory]" },
		{ "a pax header",
		  { { "a", 'x', "path", NULL } },
		  "[an extension header or unknown kind of member]" },
		{ "a GNU long name",
		  { { "a", 'L', "x", NULL } },
		  "[an extension header or unknown kind of member]" },
		{ "a negative size",
		  { { "a", '0', "x", "-0000000001" } },
		  "[a size that is not eleven octal digits]" },
		{ "a size in base 256",
		  { { "a", '0', "x", "\200\0\0\0\0\0\0\0\0\0\1" } },
		  "[a size that is not eleven octal digits]" },
		{ "a size that lies to the end", { { "a", '0', "x", "77777777777" } }, NULL },
		{ "a size that is too small",
		  { { "a", '0', "xyz", "00000000001" } },
		  "a=x;[bytes other than zero after a file's end]" },
	};
	static uint8_t tar[8192];
	struct story story;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		size_t count = 0;

		for (size_t m = 0; m < 3 && rows[i].members[m].name != NULL; m++) {
			count += put_member(tar + count, &rows[i].members[m]);
		}
		count += put_end(tar + count);
		tell(&story, tar, count, count);
		if (rows[i].told != NULL && strcmp(story.text, rows[i].told) != 0) {
			fail_msg("%s: %s", rows[i].name, story.text);
		}
		if (rows[i].told == NULL &&
		    strstr(story.text, "[the archive breaks off]") == NULL) {
			fail_msg("%s: %s", rows[i].name, story.text);
		}
	}
}

static void
test_pieces(void **state)
{
	static const struct member first = { "a", '0', "hello", NULL };
	static const struct member second = { "b", '0', "world", NULL };
	static const size_t steps[] = { 1, 7, 511, 512, 513, 4096 };
	static uint8_t tar[8192];
	struct story story;

	(void)state;
	size_t count = put_member(tar, &first);
	count += put_member(tar + count, &second);
	count += put_end(tar + count);
	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
		tell(&story, tar, count, steps[i]);
		assert_string_equal(story.text, "a=hello;b=world;");
	}
}

static void
test_cut_anywhere(void **state)
{
	static const struct member only = { "a", '0', "hello", NULL };
	static uint8_t tar[4096];
	struct story story;

	(void)state;
	size_t count = put_member(tar, &only);
	count += put_end(tar + count);
	for (size_t cut = 0; cut < count; cut++) {
		tell(&story, tar, cut, 4096);
		assert_non_null(strstr(story.text, "[the archive breaks off]"));
	}
}

static void
test_broken_structure(void **state)
{
	static const struct {
		const char *name;
		size_t at;
		uint8_t flip;
		const char *told;
	} rows[] = {
		{ "the magic", 257, 1, "[not a ustar header]" },
		{ "the version", 263, 1, "[not a ustar header]" },
		{ "a byte of the name", 0, 1, "[a header whose checksum is wrong]" },
		{ "the checksum", 150, 1, "[a header whose checksum is wrong]" },
		{ "the padding", 600, 1, "a=hello;[bytes other than zero after a file's end]" },
		{ "the end", 2047, 1, "a=hello;[bytes after the end of the archive]" },
	};
	static const struct member only = { "a", '0', "hello", NULL };
	static uint8_t tar[4096];
	struct story story;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		size_t count = put_member(tar, &only);

		count += put_end(tar + count);
		tar[rows[i].at] ^= rows[i].flip;
		tell(&story, tar, count, 4096);
		if (strcmp(story.text, rows[i].told) != 0) {
			fail_msg("%s: %s", rows[i].name, story.text);
		}
	}
}

static void
test_long_names(void **state)
{
	static const struct member only = { "leaf", '0', "x", NULL };
	static uint8_t tar[4096];
	struct story story;

	(void)state;
	size_t count = put_member(tar, &only);
	memset(tar + 345, 'p', 155);
	seal_header(tar);
	count += put_end(tar + count);
	tell(&story, tar, count, 4096);
	assert_non_null(strstr(story.text, "ppp/leaf=x;"));

	/* 155 and 100 bytes and a slash: one more than any name of ours may have. */
	memset(tar, 'n', 100);
	seal_header(tar);
	tell(&story, tar, count, 4096);
	assert_string_equal(story.text, "[a name that no file of a bundle has]");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_members),      cmocka_unit_test(test_pieces),
		cmocka_unit_test(test_cut_anywhere), cmocka_unit_test(test_broken_structure),
		cmocka_unit_test(test_long_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
