/* pub/ beside the log: what anyone may have taken from there must be what the log holds.
 */
#ifndef IFSWARM_REPLAY_VERIFY_PUB_IO_H
#define IFSWARM_REPLAY_VERIFY_PUB_IO_H

#include "replay/verify.h"

/* The bundles of entries, read as the rows come by in order of seq; one reader, one bundle. */
struct pub_bundle;
/* `published`: entries below it lie in pub/; with 0 nothing is compared. */
struct pub_bundle *pub_bundle_make(const char *data_dir, uint64_t published);
void pub_bundle_free(struct pub_bundle *bundle);
/* Compares one row with the place of its seq. A bundle that is missing or malformed is named once.
 */
void pub_bundle_check(struct pub_bundle *bundle, struct verify_voice *voice, uint64_t seq,
		      struct span entry);

/* A tile of the log's own table, or a computed partial one, against its file. */
void pub_tile_check(struct verify *v, const char *data_dir, unsigned level, uint64_t index,
		    uint32_t width, const struct digest *hashes);
/* Entries that were lawfully pruned must not lie here either. */
void pub_pruned_check(struct verify *v, const char *data_dir, uint64_t published);

#endif
