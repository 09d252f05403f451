/* Reads a tar as a stream, and never unpacks it: the caller is told where each file's bytes lie.
 *
 * The tar comes from outside. Only what an export bundle needs is accepted: POSIX ustar headers
 * (IEEE Std 1003.1, pax: "ustar Interchange Format"), plain files, names that stay below the folder
 * they are unpacked in. Everything else is named and skipped: links, devices, directories,
 * extension headers, names that climb out. Where the structure itself is broken, so that nothing
 * after it can be located, reading ends.
 *
 * Memory is one block. Pure: bytes are fed in pieces of any size.
 */
#ifndef IFSWARM_REPLAY_UNTAR_H
#define IFSWARM_REPLAY_UNTAR_H

#include "protocol/types.h"

enum {
	UNTAR_BLOCK_BYTES = 512,
	UNTAR_NAME_MAX = 255,
};

enum untar_fault {
	UNTAR_SOUND,
	/* A member that is skipped; reading goes on. */
	UNTAR_ABSOLUTE_NAME,
	UNTAR_CLIMBING_NAME,
	UNTAR_ODD_NAME,
	UNTAR_LINK,
	UNTAR_DEVICE,
	UNTAR_DIRECTORY,
	UNTAR_EXTENSION,
	/* Nothing can be located from here on; reading has ended. */
	UNTAR_BAD_MAGIC,
	UNTAR_BAD_CHECKSUM,
	UNTAR_BAD_SIZE,
	UNTAR_BAD_PADDING,
	UNTAR_LOOSE_END,
	UNTAR_TRUNCATED,
};

/* What is wrong, for people. */
const char *untar_fault_text(enum untar_fault fault);

struct untar_member {
	char name[UNTAR_NAME_MAX +
		  1]; /* as it stands there, cut off at NUL; escape before printing */
	uint64_t size;
	uint64_t offset; /* of its first byte, from the tar's beginning */
};

struct untar_reader {
	/* A sound member begins; then its bytes in pieces; then it ends. */
	void (*begin)(void *context, const struct untar_member *member);
	void (*bytes)(void *context, struct span piece);
	void (*end)(void *context);
	/* Member or header at `offset`; `name` may be empty. */
	void (*fault)(void *context, enum untar_fault fault, const char *name, uint64_t offset);
	void *context;
};

enum untar_step { UNTAR_HEADER, UNTAR_BODY, UNTAR_PADDING, UNTAR_ENDING, UNTAR_STOPPED };

struct untar {
	struct untar_reader reader;
	enum untar_step step;
	uint64_t at;     /* bytes fed so far */
	uint64_t left;   /* of the body */
	uint32_t filled; /* of the header, or zero blocks' bytes at the end */
	uint32_t padding;
	bool is_skipped;
	struct untar_member member;
	uint8_t block[UNTAR_BLOCK_BYTES];
};

void untar_start(struct untar *tar, const struct untar_reader *reader);
void untar_feed(struct untar *tar, struct span bytes);
/* After the last piece: the two blocks of zeroes must have been there. */
void untar_finish(struct untar *tar);

/* UNTAR_SOUND if a file of this name can lie in a bundle: letters, digits, dot, underscore, hyphen,
 * in parts between single slashes, none of which is "." or "..". */
enum untar_fault untar_name_check(const char *name);

#endif
