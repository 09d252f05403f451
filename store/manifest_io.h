/* The list of all files of a directory and their SHA-256, as `sha256sum` writes it and checks it
 * (sha256sum --check MANIFEST.sha256), in the order of the names; the list itself is not in it.
 */
#ifndef IFSWARM_STORE_MANIFEST_IO_H
#define IFSWARM_STORE_MANIFEST_IO_H

#include "store/files_io.h"

#define MANIFEST_NAME "MANIFEST.sha256"

/* Lists what is there, durably. `files`: how many; `out`: SHA-256 of the list. False with one line
 * in `fault`. */
bool manifest_write(const char *directory, uint64_t *files, struct digest *out, char *fault,
		    size_t fault_size);
/* Compares the files with the list: false with the first difference in `fault`. A file that the
 * list does not name is a difference too. */
bool manifest_check(const char *directory, char *fault, size_t fault_size);

#endif
