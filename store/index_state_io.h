/* What an open index holds: shared by the index_*_io.c files, and by nobody else. */
#ifndef IFSWARM_STORE_INDEX_STATE_IO_H
#define IFSWARM_STORE_INDEX_STATE_IO_H

#include "store/index_io.h"
#include "store/index_pack.h"
#include "store/reader_state_io.h"

struct posting {
	uint64_t key;
	uint64_t seq;
};

struct presence {
	uint64_t room;
	uint64_t agent;
	uint64_t seq;
	bool is_there;
};

struct log_index {
	struct log_reader *reader;
	char path[FILE_PATH_MAX];
	sqlite3 *db;
	bool is_writable;
	bool is_sound;
	bool has_names;
	uint8_t secret[INDEX_SECRET_BYTES];
	uint64_t covered;
	sqlite3_stmt *next;
	sqlite3_stmt *take;
	sqlite3_stmt *roster;
	/* The block that is being gathered. */
	struct posting *postings;
	size_t posting_count, posting_room;
	struct presence *presences;
	size_t presence_count, presence_room;
};

extern const char *const index_schema[];
enum { INDEX_TABLES = 5 };

/* Within a transaction: what the file is about, covering the entries below that. */
bool index_write_about(struct log_index *index, uint64_t covered);
/* The file is of no use: it is removed, so that the next question makes a new one. */
void index_is_damaged(struct log_index *index);

#endif
