#include "replay/untar.h"

#include <assert.h>
#include <string.h>

/* Where the fields of a ustar header lie. */
enum {
	AT_NAME = 0,
	NAME_BYTES = 100,
	AT_SIZE = 124,
	SIZE_BYTES = 12,
	AT_CHECKSUM = 148,
	CHECKSUM_BYTES = 8,
	AT_TYPE = 156,
	AT_MAGIC = 257,
	AT_PREFIX = 345,
	PREFIX_BYTES = 155,
	END_BYTES = 2 * UNTAR_BLOCK_BYTES,
};
_Static_assert(PREFIX_BYTES + 1 + NAME_BYTES > UNTAR_NAME_MAX,
	       "a longer name is cut, and then refused");

const char *
untar_fault_text(enum untar_fault fault)
{
	switch (fault) {
	case UNTAR_SOUND:
		return "nothing is wrong";
	case UNTAR_ABSOLUTE_NAME:
		return "an absolute path";
	case UNTAR_CLIMBING_NAME:
		return "a path that climbs out of the folder";
	case UNTAR_ODD_NAME:
		return "a name that no file of a bundle has";
	case UNTAR_LINK:
		return "a link";
	case UNTAR_DEVICE:
		return "a device or pipe";
	case UNTAR_DIRECTORY:
		return "a directory";
	case UNTAR_EXTENSION:
		return "an extension header or unknown kind of member";
	case UNTAR_BAD_MAGIC:
		return "not a ustar header";
	case UNTAR_BAD_CHECKSUM:
		return "a header whose checksum is wrong";
	case UNTAR_BAD_SIZE:
		return "a size that is not eleven octal digits";
	case UNTAR_BAD_PADDING:
		return "bytes other than zero after a file's end";
	case UNTAR_LOOSE_END:
		return "bytes after the end of the archive";
	case UNTAR_TRUNCATED:
		return "the archive breaks off";
	}
	return "";
}

/* --- names --- */

static bool
is_plain(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '.' || c == '_' || c == '-';
}

static enum untar_fault
part_check(const char *part, size_t count)
{
	if (count == 2 && memcmp(part, "..", 2) == 0) {
		return UNTAR_CLIMBING_NAME;
	}
	if (count == 0 || (count == 1 && part[0] == '.')) {
		return UNTAR_ODD_NAME;
	}
	for (size_t i = 0; i < count; i++) {
		if (!is_plain(part[i])) {
			return UNTAR_ODD_NAME;
		}
	}
	return UNTAR_SOUND;
}

enum untar_fault
untar_name_check(const char *name)
{
	enum untar_fault worst = UNTAR_SOUND;

	if (name[0] == '/') {
		return UNTAR_ABSOLUTE_NAME;
	}
	for (const char *part = name;; part++) {
		const size_t count = strcspn(part, "/");
		const enum untar_fault fault = part_check(part, count);

		if (fault == UNTAR_CLIMBING_NAME) {
			return fault;
		}
		worst = fault != UNTAR_SOUND ? fault : worst;
		part += count;
		if (*part == '\0') {
			return worst;
		}
	}
}

static size_t
field_length(const uint8_t *field, size_t size)
{
	const uint8_t *nul = memchr(field, 0, size);

	return nul != NULL ? (size_t)(nul - field) : size;
}

/* False if it is longer than a name may be. */
static bool
read_name(const uint8_t *block, char out[UNTAR_NAME_MAX + 1])
{
	const size_t prefix = field_length(block + AT_PREFIX, PREFIX_BYTES);
	const size_t name = field_length(block + AT_NAME, NAME_BYTES);
	const size_t slash = prefix > 0;

	if (prefix + slash + name > UNTAR_NAME_MAX) {
		memcpy(out, block + AT_PREFIX, prefix);
		out[prefix] = '\0';
		return false;
	}
	memcpy(out, block + AT_PREFIX, prefix);
	memcpy(out + prefix, "/", slash);
	memcpy(out + prefix + slash, block + AT_NAME, name);
	out[prefix + slash + name] = '\0';
	return true;
}

/* --- headers --- */

/* Octal digits, then a space or NUL, filling the field: no signs, no blanks before, no base-256. */
static bool
read_octal(const uint8_t *field, size_t size, uint64_t *out)
{
	uint64_t value = 0;
	size_t i = 0;

	for (; i < size && field[i] >= '0' && field[i] <= '7'; i++) {
		value = value << 3 | (uint64_t)(field[i] - '0');
	}
	if (i == 0 || i == size) {
		return false;
	}
	for (; i < size; i++) {
		if (field[i] != ' ' && field[i] != '\0') {
			return false;
		}
	}
	*out = value;
	return true;
}

static bool
checksum_holds(const uint8_t *block)
{
	uint64_t stated = 0;
	uint64_t sum = 0;

	for (size_t i = 0; i < UNTAR_BLOCK_BYTES; i++) {
		const bool is_own = i >= AT_CHECKSUM && i < AT_CHECKSUM + CHECKSUM_BYTES;
		sum += is_own ? ' ' : block[i];
	}
	return read_octal(block + AT_CHECKSUM, CHECKSUM_BYTES, &stated) && stated == sum;
}

static enum untar_fault
type_check(uint8_t type)
{
	switch (type) {
	case '0':
	case '\0':
		return UNTAR_SOUND;
	case '1':
	case '2':
		return UNTAR_LINK;
	case '3':
	case '4':
	case '6':
		return UNTAR_DEVICE;
	case '5':
		return UNTAR_DIRECTORY;
	default:
		return UNTAR_EXTENSION;
	}
}

static enum untar_fault
header_check(const uint8_t *block, uint64_t *size)
{
	if (memcmp(block + AT_MAGIC,
		   "ustar\0"
		   "00",
		   8) != 0) {
		return UNTAR_BAD_MAGIC;
	}
	if (!checksum_holds(block)) {
		return UNTAR_BAD_CHECKSUM;
	}
	return read_octal(block + AT_SIZE, SIZE_BYTES, size) ? UNTAR_SOUND : UNTAR_BAD_SIZE;
}

static void
stop(struct untar *tar, enum untar_fault fault, const char *name, uint64_t offset)
{
	tar->step = UNTAR_STOPPED;
	tar->reader.fault(tar->reader.context, fault, name, offset);
}

static void
end_body(struct untar *tar)
{
	tar->step = tar->padding > 0 ? UNTAR_PADDING : UNTAR_HEADER;
	if (!tar->is_skipped) {
		tar->reader.end(tar->reader.context);
	}
}

static void
begin_member(struct untar *tar, enum untar_fault fault)
{
	struct untar_member *member = &tar->member;

	tar->left = member->size;
	tar->padding = (uint32_t)(-member->size % UNTAR_BLOCK_BYTES);
	tar->is_skipped = fault != UNTAR_SOUND;
	tar->step = UNTAR_BODY;
	if (tar->is_skipped) {
		tar->reader.fault(tar->reader.context, fault, member->name,
				  member->offset - UNTAR_BLOCK_BYTES);
	} else {
		tar->reader.begin(tar->reader.context, member);
	}
	if (tar->left == 0) {
		end_body(tar);
	}
}

static bool
is_zero(const uint8_t *bytes, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (bytes[i] != 0) {
			return false;
		}
	}
	return true;
}

static void
take_header(struct untar *tar)
{
	struct untar_member *member = &tar->member;
	const uint64_t offset = tar->at - UNTAR_BLOCK_BYTES;

	tar->filled = 0;
	if (is_zero(tar->block, UNTAR_BLOCK_BYTES)) {
		tar->step = UNTAR_ENDING;
		tar->filled = UNTAR_BLOCK_BYTES;
		return;
	}
	member->offset = tar->at;
	const bool fits = read_name(tar->block, member->name);
	const enum untar_fault broken = header_check(tar->block, &member->size);
	if (broken != UNTAR_SOUND) {
		stop(tar, broken, member->name, offset);
		return;
	}
	const enum untar_fault kind = type_check(tar->block[AT_TYPE]);
	const enum untar_fault name = fits ? untar_name_check(member->name) : UNTAR_ODD_NAME;
	/* Where a name leads out of the folder, that is the worse news; directories end in a slash.
	 */
	begin_member(tar, kind == UNTAR_SOUND || name == UNTAR_CLIMBING_NAME ||
					  name == UNTAR_ABSOLUTE_NAME
				  ? name
				  : kind);
}

/* --- feeding; each takes some bytes, at least one, and says how many --- */

static size_t
feed_header(struct untar *tar, struct span bytes)
{
	const size_t room = UNTAR_BLOCK_BYTES - tar->filled;
	const size_t count = bytes.count < room ? bytes.count : room;

	memcpy(tar->block + tar->filled, bytes.at, count);
	tar->filled += (uint32_t)count;
	tar->at += count;
	if (tar->filled == UNTAR_BLOCK_BYTES) {
		take_header(tar);
	}
	return count;
}

static size_t
feed_body(struct untar *tar, struct span bytes)
{
	const size_t count = bytes.count < tar->left ? bytes.count : (size_t)tar->left;

	assert(count > 0);
	if (!tar->is_skipped) {
		tar->reader.bytes(tar->reader.context, (struct span){ bytes.at, count });
	}
	tar->left -= count;
	tar->at += count;
	if (tar->left == 0) {
		end_body(tar);
	}
	return count;
}

static size_t
feed_padding(struct untar *tar, struct span bytes)
{
	const size_t count = bytes.count < tar->padding ? bytes.count : tar->padding;

	if (!is_zero(bytes.at, count)) {
		stop(tar, UNTAR_BAD_PADDING, tar->member.name, tar->at);
		return count;
	}
	tar->padding -= (uint32_t)count;
	tar->at += count;
	if (tar->padding == 0) {
		tar->step = UNTAR_HEADER;
	}
	return count;
}

/* Zeroes up to any length may follow: tar pads to its record size. */
static size_t
feed_ending(struct untar *tar, struct span bytes)
{
	if (!is_zero(bytes.at, bytes.count)) {
		stop(tar, UNTAR_LOOSE_END, "", tar->at);
		return bytes.count;
	}
	tar->at += bytes.count;
	tar->filled = bytes.count < END_BYTES - tar->filled ? tar->filled + (uint32_t)bytes.count
							    : END_BYTES;
	return bytes.count;
}

void
untar_start(struct untar *tar, const struct untar_reader *reader)
{
	memset(tar, 0, sizeof *tar);
	tar->reader = *reader;
	tar->step = UNTAR_HEADER;
}

static size_t
feed_some(struct untar *tar, struct span bytes)
{
	switch (tar->step) {
	case UNTAR_HEADER:
		return feed_header(tar, bytes);
	case UNTAR_BODY:
		return feed_body(tar, bytes);
	case UNTAR_PADDING:
		return feed_padding(tar, bytes);
	case UNTAR_ENDING:
		return feed_ending(tar, bytes);
	case UNTAR_STOPPED:
		break;
	}
	return bytes.count;
}

void
untar_feed(struct untar *tar, struct span bytes)
{
	while (bytes.count > 0) {
		const size_t taken = feed_some(tar, bytes);
		bytes.at += taken;
		bytes.count -= taken;
	}
}

void
untar_finish(struct untar *tar)
{
	if (tar->step == UNTAR_STOPPED || (tar->step == UNTAR_ENDING && tar->filled == END_BYTES)) {
		return;
	}
	stop(tar, UNTAR_TRUNCATED, tar->step == UNTAR_BODY ? tar->member.name : "", tar->at);
}
