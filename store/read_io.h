/* The log as its readers see it: read-only connections that never write, never checkpoint, and hold
 * no transaction for long, so that the writer's WAL can shrink. A copied directory can be read too:
 * without keys.db (personal fields stay empty), without -wal and -shm files, and from a place that
 * cannot be written.
 *
 * A visitor may look up hashes through its reader, but starts no other walk and no log_read_row on
 * it: for that it opens a second reader.
 *
 * All functions that can fail give false and keep the reason for log_reader_fault; a visitor that
 * gives false stops the walk, which then counts as successful.
 */
#ifndef IFSWARM_STORE_READ_IO_H
#define IFSWARM_STORE_READ_IO_H

#include "store/checkpoint.h"
#include "store/entry.h"

struct log_reader;
struct log_keys;

/* `directory` is a data directory; a path of a witness.db is taken as well. False, with `fault`
 * naming the file and what to do, if it is missing, foreign, truncated or newer than this program.
 */
bool log_reader_open(const char *directory, struct log_reader **out, char *fault,
		     size_t fault_size);
void log_reader_close(struct log_reader *reader);
const char *log_reader_fault(const struct log_reader *reader);
/* As log_created says it: the first event of the log. */
const char *log_reader_origin(const struct log_reader *reader);
/* Events committed by now. */
bool log_reader_size(struct log_reader *reader, uint64_t *size);

/* The keys, for readers that may see personal fields. wrap_key_file: NULL or "" for the one in the
 * directory. False with a fault if either file is missing or does not fit. Belongs to that reader,
 * and is closed before it. */
bool log_keys_open(struct log_reader *reader, const char *wrap_key_file, struct log_keys **out,
		   char *fault, size_t fault_size);
/* The same for who holds the wrap key already: the writer. */
struct seal_key;
bool log_keys_open_with(struct log_reader *reader, const struct seal_key *wrap,
			struct log_keys **out, char *fault, size_t fault_size);
void log_keys_close(struct log_keys *keys);

/* Between the two a walk costs no transaction of its own, and everything is of one moment: for many
 * short ones. Not for long: while somebody holds, the writer's WAL cannot begin anew. */
void log_reader_hold(struct log_reader *reader);
void log_reader_let_go(struct log_reader *reader);

/* All streams in a mask: LOG_STREAM(STREAM_SESSION) | LOG_STREAM(STREAM_CLAIMED). */
#define LOG_STREAM(stream) (UINT32_C(1) << (stream))
#define LOG_STREAMS_ALL    UINT32_C(0xFFFFFFFF)

/* `event` is NULL if its type or version is not in this program's catalog (the entry says which).
 * Both are valid during the call only. */
typedef bool log_event_visitor(void *context, const struct event *event, const struct entry *entry);

/* From here on the walks below pass over what was lawfully pruned, and tell it: `visit` (may be
 * NULL) is given each range as a walk comes by, and the seq of the log_pruned that says so. Without
 * it a pruned entry is missing like any other: whoever rebuilds a state must have them all. */
typedef void log_pruned_visitor(void *context, uint64_t first, uint64_t end, uint64_t event);
void log_pass_pruned(struct log_reader *reader, log_pruned_visitor *visit, void *context);
/* Whether the log says that the entry was pruned, in which range, by which event. */
bool log_pruned_at(struct log_reader *reader, uint64_t seq, uint64_t *first, uint64_t *end,
		   uint64_t *event);

/* Walks the events from_seq <= seq < to_seq (to_seq UINT64_MAX: all there are) of those streams, in
 * order. Personal fields are filled where `keys` (may be NULL) allow it and empty where they do
 * not: erased, key destroyed. Entries are read strictly, but hashes are not checked: that is
 * `ifreplay verify`. False if an entry is not readable, a seq is missing (but see
 * log_pass_pruned), or a key does not match its commitment. */
bool log_read_events(struct log_reader *reader, struct log_keys *keys, uint64_t from_seq,
		     uint64_t to_seq, uint32_t streams, log_event_visitor *visit, void *context);
/* The newest first, from to_seq - 1 (to_seq UINT64_MAX: from the head) down to from_seq. */
bool log_read_events_back(struct log_reader *reader, struct log_keys *keys, uint64_t from_seq,
			  uint64_t to_seq, uint32_t streams, log_event_visitor *visit,
			  void *context);
/* Opens the sealed parts of one entry; a part that cannot be opened gets count 0. `plain` points
 * into memory of `keys`, valid until the next call. False only for a key that does not match its
 * commitment. */
bool log_open_parts(struct log_keys *keys, const struct entry *entry, const struct span salt[],
		    const struct span body[], struct span plain[SEALED_PARTS_MAX]);

/* --- raw, for verify: everything as it lies there, believed by nobody ---------------------------
 */

struct log_row {
	uint64_t seq; /* columns: projections of the entry, to be compared with it */
	uint64_t recorded_us;
	uint64_t stream;
	uint64_t type;
	struct span entry;
	/* Sealed rows by part; count 0 where there is none. */
	struct span salt[SEALED_PARTS_MAX];
	struct span body[SEALED_PARTS_MAX];
};
typedef bool log_row_visitor(void *context, const struct log_row *row);
/* Gaps in seq are the visitor's to find. */
bool log_read_rows(struct log_reader *reader, uint64_t from_seq, uint64_t to_seq,
		   log_row_visitor *visit, void *context);
/* One row; *found false if there is none. The spans are valid until the next call on the reader. */
bool log_read_row(struct log_reader *reader, uint64_t seq, struct log_row *out, bool *found);
/* Seqs of sealed rows that belong to no event row, from that seq on. */
typedef bool log_seq_visitor(void *context, uint64_t seq);
bool log_read_stray_sealed(struct log_reader *reader, uint64_t from_seq, log_seq_visitor *visit,
			   void *context);
/* log_read_rows tells them too, as it passes them: between its rows, and before and behind them in
 * its range. What the visitor gives is not looked at; NULL: nobody is told. */
void log_watch_stray_sealed(struct log_reader *reader, log_seq_visitor *visit, void *context);

/* `hashes` are as many bytes as lie there: 8192 if nobody touched them. */
typedef bool log_tile_visitor(void *context, unsigned level, uint64_t index, struct span hashes);
bool log_read_tiles(struct log_reader *reader, log_tile_visitor *visit, void *context);
/* The first `count` hashes of a tile, from a full tile if there is one, else from entries and the
 * tiles below: a merkle_fetch whose context is the reader. */
bool log_fetch_hashes(void *reader, unsigned level, uint64_t index, uint32_t count,
		      struct digest *hashes);

typedef bool log_checkpoint_visitor(void *context, uint64_t size, struct span note);
bool log_read_checkpoints(struct log_reader *reader, log_checkpoint_visitor *visit, void *context);
/* The stream_head table: a projection too. */
typedef bool log_head_visitor(void *context, uint64_t stream, uint64_t version, uint64_t epoch,
			      uint64_t last_seq);
bool log_read_stream_heads(struct log_reader *reader, log_head_visitor *visit, void *context);
typedef bool log_snapshot_visitor(void *context, uint64_t stream, uint64_t version, uint64_t seq,
				  struct span dump, struct span box);
bool log_read_snapshots(struct log_reader *reader, log_snapshot_visitor *visit, void *context);

/* Files beside the log, read whole: DATA/head and DATA/log.vkey. False if missing or malformed. */
bool log_read_head(struct log_reader *reader, char note[CHECKPOINT_NOTE_MAX], size_t *count);
bool log_read_verifier(struct log_reader *reader, struct log_verifier *out);

/* --- snapshots ---------------------------------------------------------------------------------
 */

struct log_snapshot {
	uint64_t version;  /* of the stream, as the state digest event says it */
	uint64_t seq;      /* of that event */
	uint64_t from_seq; /* of the stream's first event whose stream_version is not below
			    * `version`: read on from here and skip by stream_version */
	struct span dump;
	struct span annex; /* opened; count 0 if there were no keys */
	uint8_t *memory;   /* owns both */
};
/* The newest snapshot of that stream that the log vouches for: the event at its seq is the stream's
 * state digest for that version and SHA-256(dump), and its annex opens (with keys). Others are
 * passed over. *found false if there is none. Freed by log_snapshot_free. */
bool log_snapshot_latest(struct log_reader *reader, struct log_keys *keys, uint64_t stream,
			 struct log_snapshot *out, bool *found);
/* The same, of those whose digest event lies at or before that seq. */
bool log_snapshot_before(struct log_reader *reader, struct log_keys *keys, uint64_t stream,
			 uint64_t seq, struct log_snapshot *out, bool *found);
void log_snapshot_free(struct log_snapshot *snapshot);
/* From which seq on the newest two of that stream need the log, or the only one; *found false if
 * there is none. */
bool log_snapshots_need(struct log_reader *reader, struct log_keys *keys, uint64_t stream,
			uint64_t *from_seq, bool *found);

#endif
