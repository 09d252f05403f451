/* Small files that must be whole or absent: written beside, synced, renamed; secrets; the ballast.
 */
#ifndef IFSWARM_STORE_FILES_IO_H
#define IFSWARM_STORE_FILES_IO_H

#include "protocol/types.h"

enum { FILE_PATH_MAX = 4096 };

enum file_result { FILE_OK, FILE_MISSING, FILE_FULL, FILE_FAILED };

/* DIRECTORY/NAME. */
void path_join(char out[FILE_PATH_MAX], const char *directory, const char *name);
bool file_exists(const char *path);
/* The directory and those above it that are missing. */
enum file_result directory_make(const char *path, unsigned mode);
/* Replaces the file as a whole: a reader, or a start after a power loss, finds the old or the new
 * one. `durable` waits for the disk. */
enum file_result file_replace(const char *path, struct span bytes, unsigned mode, bool durable);
/* At most `size` bytes; FILE_FAILED if there are more. */
enum file_result file_read(const char *path, void *out, size_t size, size_t *count);

/* 32 secret bytes, kept in hex with a newline, mode 0600. Reading refuses anything else. */
enum file_result secret_read(const char *path, uint8_t out[32]);
enum file_result secret_make(const char *path, uint8_t out[32]);

/* Space that belongs to nobody, kept for the day the disk is full. */
enum { BALLAST_BYTES = 1024 * 1024, BALLAST_SPARE_BYTES = 2 * BALLAST_BYTES };
/* FILE_FULL unless BALLAST_SPARE_BYTES stay free beside it. */
enum file_result ballast_make(const char *path);
void ballast_free(const char *path);
/* Frees it if there is less than that beside it: opening a database takes room, too. */
void ballast_yield(const char *path);

/* From the kernel; ends the process if it has none to give. */
void random_bytes(void *out, size_t count);

#endif
