/* threat_G8: bytes of witness.db are flipped one at a time. A flip is either found (a finding, or
 * the file is refused), or it does not matter: every row that is read is the same as before. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <fcntl.h>

#include "replay/verify_io.h"
#include "tests/replay_fixture.h"
#include <openssl/evp.h>

enum { FLIPS = 96 };

static void
count_finding(void *context, const struct finding *finding)
{
	(void)finding;
	++*(uint64_t *)context;
}

/* Everything that the log says, in one digest. */
struct contents {
	EVP_MD_CTX *hash;
};

static void
add(struct contents *contents, const void *bytes, size_t count)
{
	const uint64_t length = count;

	EVP_DigestUpdate(contents->hash, &length, sizeof length);
	if (count > 0) {
		EVP_DigestUpdate(contents->hash, bytes, count);
	}
}

static bool
add_row(void *context, const struct log_row *row)
{
	struct contents *contents = context;
	const uint64_t columns[4] = { row->seq, row->recorded_us, row->stream, row->type };

	add(contents, columns, sizeof columns);
	add(contents, row->entry.at, row->entry.count);
	for (size_t i = 0; i < SEALED_PARTS_MAX; i++) {
		add(contents, row->salt[i].at, row->salt[i].count);
		add(contents, row->body[i].at, row->body[i].count);
	}
	return true;
}

static bool
add_tile(void *context, unsigned level, uint64_t index, struct span hashes)
{
	const uint64_t place[2] = { level, index };

	add(context, place, sizeof place);
	add(context, hashes.at, hashes.count);
	return true;
}

static bool
add_checkpoint(void *context, uint64_t size, struct span note)
{
	add(context, &size, sizeof size);
	add(context, note.at, note.count);
	return true;
}

static bool
add_head(void *context, uint64_t stream, uint64_t version, uint64_t epoch, uint64_t last_seq)
{
	const uint64_t columns[4] = { stream, version, epoch, last_seq };

	add(context, columns, sizeof columns);
	return true;
}

/* The annex of a snapshot is read by the session actor alone, which opens it authenticated. */
static bool
add_snapshot(void *context, uint64_t stream, uint64_t version, uint64_t seq, struct span dump,
	     struct span box)
{
	const uint64_t columns[3] = { stream, version, seq };

	(void)box;
	add(context, columns, sizeof columns);
	add(context, dump.at, dump.count);
	return true;
}

static bool
read_contents(struct log_reader *reader, struct digest *out)
{
	struct contents contents = { EVP_MD_CTX_new() };

	assert_non_null(contents.hash);
	EVP_DigestInit_ex(contents.hash, EVP_sha256(), NULL);
	const bool is_read = log_read_rows(reader, 0, UINT64_MAX, add_row, &contents) &&
			     log_read_tiles(reader, add_tile, &contents) &&
			     log_read_checkpoints(reader, add_checkpoint, &contents) &&
			     log_read_stream_heads(reader, add_head, &contents) &&
			     log_read_snapshots(reader, add_snapshot, &contents);
	EVP_DigestFinal_ex(contents.hash, out->bytes, NULL);
	EVP_MD_CTX_free(contents.hash);
	return is_read;
}

enum flip { FLIP_REFUSED, FLIP_FOUND, FLIP_MATTERS_NOT, FLIP_MISSED };

static enum flip
judge(const struct digest *before)
{
	struct options options = { .ask = ASK_VERIFY, .data_dir = fixture_truth };
	uint64_t findings = 0;
	struct source source;
	struct digest after;
	char fault[512];

	if (!source_open(&source, fixture_truth, fault, sizeof fault)) {
		return FLIP_REFUSED;
	}
	verify_log(&options, &source, count_finding, &findings);
	const bool is_same = read_contents(source.reader, &after) && digest_equal(before, &after);
	source_close(&source);
	if (findings > 0) {
		return FLIP_FOUND;
	}
	return is_same ? FLIP_MATTERS_NOT : FLIP_MISSED;
}

static void
flip_byte(int file, off_t at)
{
	uint8_t byte = 0;

	assert_int_equal(pread(file, &byte, 1, at), 1);
	byte ^= 0x40;
	assert_int_equal(pwrite(file, &byte, 1, at), 1);
}

static void
a_flipped_byte_is_found_or_does_not_matter(void **state)
{
	char path[256];
	uint64_t counts[4] = { 0 };
	struct source source;
	struct digest before;
	char fault[512];

	(void)state;
	assert_true(source_open(&source, fixture_truth, fault, sizeof fault));
	assert_true(read_contents(source.reader, &before));
	source_close(&source);
	snprintf(path, sizeof path, "%s/witness.db", fixture_truth);
	const int file = open(path, O_RDWR);
	assert_true(file >= 0);
	const off_t size = lseek(file, 0, SEEK_END);
	for (uint64_t i = 0; i < FLIPS; i++) {
		/* Spread evenly, and odd, so that all places within a page are hit. */
		const off_t at = (off_t)((uint64_t)size / FLIPS * i + i * 97 % 89);

		flip_byte(file, at);
		const enum flip flip = judge(&before);
		flip_byte(file, at);
		counts[flip]++;
		if (flip == FLIP_MISSED) {
			print_message("byte %lld\n", (long long)at);
		}
	}
	close(file);
	print_message("%llu refused, %llu found, %llu do not matter, %llu missed\n",
		      (unsigned long long)counts[0], (unsigned long long)counts[1],
		      (unsigned long long)counts[2], (unsigned long long)counts[3]);
	assert_int_equal(counts[FLIP_MISSED], 0);
	assert_true(counts[FLIP_FOUND] > FLIPS / 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(
		a_flipped_byte_is_found_or_does_not_matter) };

	return cmocka_run_group_tests(tests, fixture_set_up, fixture_tear_down);
}
