/* DATA/pub: the log as a C2SP tlog-tiles directory that anyone may serve, copy or mirror: tiles,
 * entry bundles, and the checkpoint that covers them, written last. All of it follows from
 * witness.db; if the directory is deleted, the next publishing writes it again from the start, but
 * for the bundles of what was pruned. */
#ifndef IFSWARM_STORE_PUB_IO_H
#define IFSWARM_STORE_PUB_IO_H

#include "store/files_io.h"
#include "store/lookup_io.h"
#include "store/merkle.h"

/* The size that pub/checkpoint covers; 0 if there is none. */
uint64_t pub_size(const char *directory);
/* Brings the directory from `from` events to those of `tree`, then puts `note` there. The
 * caller has a transaction open, so that the file's locks are taken once and not for each entry. */
enum file_result pub_publish(const char *directory, struct lookup *log, uint64_t from,
			     const struct merkle *tree, struct span note);
/* Removes the bundles of whole tiles first <= seq < end; one that is not there is removed already.
 * Durable after pub_sync. */
enum file_result pub_drop_entries(const char *directory, uint64_t first, uint64_t end);
enum file_result pub_sync(const char *directory);

#endif
