/* The files of a bundle as they lie in the world: a tar, read where it lies, or a folder. Nothing
 * is unpacked, and nothing is written. */
#ifndef IFSWARM_REPLAY_VERIFY_BUNDLE_IO_H
#define IFSWARM_REPLAY_VERIFY_BUNDLE_IO_H

#include "replay/verify_bundle.h"

struct bundle_place {
	struct bundle_files files;
	char *path;
	int tar; /* -1: it is a folder */
};

/* What is wrong with its form is said to the voice; false, with nothing said, if there is no such
 * file or folder. */
bool bundle_place_open(struct bundle_place *place, const char *path, struct verify_voice *voice);
void bundle_place_close(struct bundle_place *place);

#endif
