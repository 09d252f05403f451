/* A state from the evidence: the newest snapshot that the log vouches for, then the tail. */
#ifndef IFSWARM_ACTORS_RECOVER_IO_H
#define IFSWARM_ACTORS_RECOVER_IO_H

#include "actors/core.h"

struct recovery {
	const char *data_dir;
	const char *wrap_key_file; /* NULL or "": the one in the data directory */
	uint64_t version;          /* of the stream's next event, as the claim said */
	uint64_t to_seq;           /* the size of the log, as the claim said */
	bool use_snapshot;
};

struct recovered {
	uint64_t events; /* applied after the snapshot */
	bool is_lasting; /* one of them (core.h): a new snapshot is to carry it on */
};

/* Fills the core's empty state. False, with a sentence in `fault`, if the log cannot be read, an
 * event of the stream is missing, or the keys are not there (a deciding actor needs names). */
bool recover(const struct recovery *recovery, const struct core *core, struct recovered *out,
	     char *fault, size_t fault_size);

#endif
