/* A bundle being made: its members gather as files in a folder beside the target, each hashed as it
 * is written, several at once if need be; then they become one tar, sorted by name. Memory does not
 * grow with their sizes. A fault is kept, and everything after it does nothing: it is asked for
 * once, at the end.
 */
#ifndef IFSWARM_REPLAY_BUNDLE_IO_H
#define IFSWARM_REPLAY_BUNDLE_IO_H

#include "protocol/types.h"
#include "replay/tar.h"

struct bundle;
struct bundle_member;

/* The folder TARGET.parts is made, empty; what an interrupted export left there goes. NULL: `fault`
 * says why. */
struct bundle *bundle_make(const char *target, char *fault, size_t fault_size);
/* Removes the folder. NULL is ignored. */
void bundle_free(struct bundle *bundle);
/* NULL, or what went wrong first. */
const char *bundle_fault(const struct bundle *bundle);

/* A member in pieces; NULL only after a fault, and then the other two do nothing. */
struct bundle_member *bundle_begin(struct bundle *bundle, const char *name);
void bundle_write(struct bundle_member *member, const void *bytes, size_t count);
void bundle_end(struct bundle_member *member);
/* A member at once. */
void bundle_put(struct bundle *bundle, const char *name, const void *bytes, size_t count);
/* For a member that somebody else writes: its path, whose folder is there; bundle_adopt takes the
 * file over when it is whole. */
enum { BUNDLE_PATH_MAX = 4096 + TAR_NAME_MAX + 2 };
void bundle_path(const struct bundle *bundle, const char *name, char out[BUNDLE_PATH_MAX]);
void bundle_adopt(struct bundle *bundle, const char *name);

/* The lines of SHA256SUMS over all members so far but those of `unlisted` (NULL ends them), as a
 * member. */
void bundle_sum(struct bundle *bundle, const char *const *unlisted);
/* SHA-256 of a member that has ended. */
bool bundle_digest(const struct bundle *bundle, const char *name, struct digest *out);

/* Everything as TARGET.partial, synced. False after any fault. */
bool bundle_pack(struct bundle *bundle);
/* TARGET.partial becomes TARGET. */
bool bundle_publish(struct bundle *bundle);

#endif
