/* More of what lies in a data directory, for those who check it: events picked by their types,
 * declared types, checkpoints of a range, the file's own form, and the key store's own list. As in
 * store/read_io.h nothing of it is believed, and what fails leaves its reason in log_reader_fault.
 */
#ifndef IFSWARM_STORE_READ_SCAN_IO_H
#define IFSWARM_STORE_READ_SCAN_IO_H

#include "store/read_io.h"

/* Walks the events whose `type` column is one of `types`, from that seq on, in order. Entries that
 * cannot be read, or are not of the type that their column says, are passed over: whoever reads
 * them all names them. */
bool log_read_types(struct log_reader *reader, const uint64_t *types, size_t count,
		    uint64_t from_seq, log_event_visitor *visit, void *context);
/* Those before to_seq: one transaction, so that who must not hold the writer's WAL asks for short
 * ranges. */
bool log_read_types_to(struct log_reader *reader, const uint64_t *types, size_t count,
		       uint64_t from_seq, uint64_t to_seq, log_event_visitor *visit, void *context);

/* The checkpoints of sizes from < size <= to, in order. */
bool log_read_checkpoints_of(struct log_reader *reader, uint64_t from, uint64_t to,
			     log_checkpoint_visitor *visit, void *context);
/* The size of the newest checkpoint up to that size, 0 if there is none. */
bool log_checkpoint_below(struct log_reader *reader, uint64_t to, uint64_t *size);

/* What SQLite says of witness.db without reading the great tables, whose pages the walks come by:
 * the small ones. "" if all is well. */
enum { LOG_FORM_MAX = 256 };
bool log_read_form(struct log_reader *reader, char form[LOG_FORM_MAX]);

/* The lowest seq from that one on that has an event or a sealed part; *found false if there is
 * none. */
bool log_next_row(struct log_reader *reader, uint64_t from_seq, uint64_t *seq, bool *found);

/* The tile table, in order of level and index: how many bytes lie there, without reading them. */
typedef bool log_tile_size_visitor(void *context, unsigned level, uint64_t index, uint64_t bytes);
bool log_read_tile_sizes(struct log_reader *reader, log_tile_size_visitor *visit, void *context);

/* Rows of event below seq 0, where no walk comes by. */
bool log_count_hidden(struct log_reader *reader, uint64_t *count);

/* The declared_type table: a projection of the type_declared events. */
typedef bool log_type_visitor(void *context, uint64_t number, uint64_t version, uint64_t seq);
bool log_read_declared_types(struct log_reader *reader, log_type_visitor *visit, void *context);

/* The table `pruned`, in order: an index of the log_pruned events. `is_done`: its writer claims
 * that nothing of the range is left in any file. */
struct log_pruned_row {
	uint64_t first, end;
	uint64_t event;
	bool is_done;
};
typedef bool log_pruned_row_visitor(void *context, const struct log_pruned_row *row);
bool log_read_pruned(struct log_reader *reader, log_pruned_row_visitor *visit, void *context);

/* The keys that keys.db beside the log holds, without opening them: no wrap key is needed. *found
 * false if there is no keys.db. */
typedef bool log_key_visitor(void *context, const struct id *subject, const struct id *key,
			     uint64_t month, uint64_t created_seq);
bool log_read_keys(struct log_reader *reader, log_key_visitor *visit, void *context, bool *found);

#endif
