/* What a reader holds between calls: shared by the read_*_io.c files, and by nobody else. */
#ifndef IFSWARM_STORE_READER_STATE_IO_H
#define IFSWARM_STORE_READER_STATE_IO_H

#include "store/files_io.h"
#include "store/keys_io.h"
#include "store/lookup_io.h"
#include "store/read_io.h"

enum { READER_FAULT_MAX = 512 };

struct log_reader {
	char directory[FILE_PATH_MAX];
	char path[FILE_PATH_MAX];
	char fault[READER_FAULT_MAX];
	char origin[ORIGIN_BYTES_MAX + 1];
	sqlite3 *db;
	struct lookup lookup;
	sqlite3_stmt *rows;
	sqlite3_stmt *sealed;
	log_seq_visitor *stray; /* of log_watch_stray_sealed */
	void *stray_context;
	bool passes_pruned; /* of log_pass_pruned */
	log_pruned_visitor *pruned;
	void *pruned_context;
	uint8_t *row_memory; /* of log_read_row */
	struct event event;  /* of log_read_events */
};

struct log_keys {
	struct log_reader *reader;
	struct keys *keys;
	struct sealer *sealer;
	uint8_t plain[SEALED_PARTS_MAX][SEALED_BYTES_MAX];
};

/* Gives false, for `return`. */
bool reader_fails(struct log_reader *reader, const char *what);

#endif
