/* Tars as a stranger might hand them in: whatever is told of a file lies within what was fed, its
 * name stays in the folder, and the pieces in which the bytes came make no difference. */
#include <assert.h>
#include <string.h>

#include "replay/untar.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

struct tally {
	size_t fed;
	uint64_t left;
	bool is_open;
	uint64_t members;
	uint64_t body;
	uint64_t faults;
};

static void
on_begin(void *context, const struct untar_member *member)
{
	struct tally *tally = context;

	assert(!tally->is_open);
	assert(untar_name_check(member->name) == UNTAR_SOUND);
	assert(member->offset <= tally->fed);
	tally->is_open = true;
	tally->left = member->size;
	tally->members++;
}

static void
on_bytes(void *context, struct span piece)
{
	struct tally *tally = context;

	assert(tally->is_open);
	assert(piece.count <= tally->left);
	tally->left -= piece.count;
	tally->body += piece.count;
}

static void
on_end(void *context)
{
	struct tally *tally = context;

	assert(tally->is_open);
	assert(tally->left == 0);
	tally->is_open = false;
}

static void
on_fault(void *context, enum untar_fault fault, const char *name, uint64_t offset)
{
	struct tally *tally = context;

	assert(fault != UNTAR_SOUND);
	assert(strlen(name) <= UNTAR_NAME_MAX);
	assert(offset <= tally->fed);
	tally->faults++;
}

static struct tally
read_in_steps(const uint8_t *bytes, size_t count, size_t step)
{
	struct tally tally = { .fed = count };
	const struct untar_reader reader = { on_begin, on_bytes, on_end, on_fault, &tally };
	struct untar tar;

	untar_start(&tar, &reader);
	for (size_t at = 0; at < count; at += step) {
		const size_t left = count - at;
		untar_feed(&tar, (struct span){ bytes + at, left < step ? left : step });
	}
	untar_finish(&tar);
	return tally;
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
	const struct tally whole = read_in_steps(bytes, count, count + 1);
	const struct tally pieces = read_in_steps(bytes, count, 61);

	assert(whole.members == pieces.members);
	assert(whole.body == pieces.body);
	assert(whole.faults == pieces.faults);
	return 0;
}
