/* Checks an export bundle as docs/bundle.md describes it, believing none of it: the sums, the
 * manifest's signatures, the checkpoint, the tiles below its root, every row of the range, the
 * proofs, and that spreadsheet and database say the same. It shares no code with verify.sh and
 * verify.py, and comes to the same verdicts.
 *
 * Pure: the files are handed in as a list and a function that reads pieces of them, so that it
 * makes no difference whether they lie in a tar, in a folder or in memory. Rows are read as
 * streams: memory is bounded by the number of files and by BUNDLE_LINE_MAX.
 */
#ifndef IFSWARM_REPLAY_VERIFY_BUNDLE_H
#define IFSWARM_REPLAY_VERIFY_BUNDLE_H

#include <jansson.h>

#include "replay/verify.h"
#include "replay/verify_anchors.h"
#include "store/checkpoint.h"
#include "store/proof.h"

enum {
	BUNDLE_NAME_MAX = 255,
	BUNDLE_FILES_MAX = 1 << 20,
	BUNDLE_LINE_MAX = 1 << 20,
	BUNDLE_SMALL_MAX = 1 << 18, /* files that are read whole */
	BUNDLE_PRUNED_MAX = 4096,
	BUNDLE_FOLD_MAX = 16, /* like findings about tiles, before they are folded */
};

struct bundle_file {
	char *name;
	uint64_t size;
	uint64_t offset; /* of its first byte in the tar */
	bool is_listed;  /* in SHA256SUMS */
};

struct bundle_files {
	struct bundle_file *items; /* sorted by name, each name once */
	size_t count;
	/* Exactly those bytes, which lie within the file; false if they cannot be read. */
	bool (*read)(void *context, const struct bundle_file *file, uint64_t at, uint8_t *out,
		     size_t count);
	void *context;
};

/* What one has from elsewhere. */
struct bundle_trust {
	bool has_log_key;
	bool has_export_key;
	struct log_verifier log_key;
	struct log_verifier export_key;
	bool has_checkpoint;
	struct span checkpoint; /* a signed note */
	bool has_previous;
	struct span previous;                /* log/checkpoint of the export before this one */
	const struct policy *policy;         /* NULL: cosignatures are not judged */
	const struct timestamp_trust *trust; /* NULL: who signed a timestamp is not judged */
};

struct bundle_manifest {
	uint64_t size, from, end, disclosed, omitted;
	struct digest root;
	char origin[ORIGIN_BYTES_MAX + 1];
	char sums[2 * sizeof(struct digest) + 1];
	struct log_verifier log_key;
	struct log_verifier export_key;
	bool has_previous;
	uint64_t previous_size;
	struct digest previous_root;
};

/* One disclosed row, as it is compared with spreadsheet and database. */
struct bundle_row {
	uint64_t seq;
	struct digest leaf;
	struct entry entry; /* its fields are gone after the next row */
	struct span bytes;  /* of the entry */
	struct span base64; /* of it, as it stands in the row */
};

struct bundle {
	struct verify_voice voice;
	const struct bundle_files *files;
	const struct bundle_trust *trust;
	struct bundle_manifest manifest;
	bool has_manifest;
	bool is_signed; /* the log's signature over the checkpoint holds */
	uint64_t proofs;
	/* What log_pruned events of data/pruned.jsonl say, each under the root. */
	struct bundle_pruned {
		uint64_t event, first, end;
	} pruned[BUNDLE_PRUNED_MAX];
	size_t pruned_count;
	struct anchors_summary anchors;
	uint64_t stamped_s; /* when manifest.json was timestamped; 0: it was not */
	/* The tile of each level that was read last. */
	struct bundle_tile {
		bool is_read;
		bool is_sound;
		uint64_t index;
		uint32_t width;
		struct digest hashes[TILE_HASHES];
	} tiles[MERKLE_LEVELS];
};

/* The whole check. What is said goes to the voice; `b` is filled on the way. */
void bundle_check(struct bundle *b, const struct bundle_files *files,
		  const struct bundle_trust *trust, verify_report *report, void *context);

/* The rows of data/events.jsonl one after the other, for whoever compares them with a table of
 * theirs; what is wrong with them was said by bundle_check. */
struct bundle_rows;
struct bundle_rows *bundle_rows_open(const struct bundle_files *files);
bool bundle_rows_next(struct bundle_rows *rows, struct bundle_row *out);
void bundle_rows_close(struct bundle_rows *rows);

/* A column of a row, by its name (docs/bundle.md). */
enum bundle_cell { CELL_UNKNOWN, CELL_NULL, CELL_NUMBER, CELL_TEXT };
struct bundle_value {
	enum bundle_cell kind;
	uint64_t number;
	char text[2 * sizeof(struct digest) + 1];
};
struct bundle_value bundle_column(const struct bundle_row *row, const char *name);

/* --- between its own files --- */

const struct bundle_file *bundle_find(const struct bundle_files *files, const char *name);
void bundle_say(struct bundle *b, const char *what, const char *where, const char *expected,
		const char *found);
/* A small file, whole and terminated; freed by the caller. NULL, and said, if it is not there, too
 * large or not readable. */
char *bundle_text(struct bundle *b, const char *name, size_t *count);

/* A file line by line; lines end in newlines, the last one too. */
struct bundle_lines {
	const struct bundle_files *files;
	const struct bundle_file *file;
	uint64_t at;     /* of the file, read into memory so far */
	uint64_t number; /* of the line at hand, from 1 */
	char *memory;
	size_t begin, filled;
	bool is_broken; /* it cannot be read, or a line is longer than BUNDLE_LINE_MAX */
};
/* Without such a file there are no lines. */
void bundle_lines_open(struct bundle_lines *lines, const struct bundle_files *files,
		       const char *name);
bool bundle_lines_next(struct bundle_lines *lines, struct span *line);
/* The next byte, for what is no lines; -1 at the end. */
int bundle_lines_byte(struct bundle_lines *lines);
void bundle_lines_close(struct bundle_lines *lines);

/* `{"seq":N,"leaf_hash":"hex",` at the beginning of a row; false if it begins otherwise. */
bool bundle_row_head(struct span line, uint64_t *seq, struct digest *leaf);
/* A row whole, up to its entry: false if it begins otherwise or holds none. */
bool bundle_row_read(struct span line, uint8_t memory[ENTRY_BYTES_MAX], struct bundle_row *out);
/* Canonical base64; false if it is not, or more than `most` bytes. */
bool bundle_base64(struct span text, uint8_t *out, size_t most, size_t *count);

/* Every file by SHA256SUMS, and none beside them. */
void bundle_check_sums(struct bundle *b);
bool bundle_manifest_read(struct bundle *b);
/* Its signatures, by the keys that one trusts if there are any; its sums; its counts. */
void bundle_check_manifest(struct bundle *b);
/* A value of a JSON object: a number that is not negative; 32 bytes in base64. */
bool bundle_take_count(const json_t *json, const char *key, uint64_t *out);
bool bundle_take_root(const json_t *json, const char *key, struct digest *out);
void bundle_check_tiles(struct bundle *b);
bool bundle_check_tile(struct bundle *b, unsigned level, uint64_t index);
void bundle_check_rows(struct bundle *b);
/* Reads data/pruned.jsonl, if it is there, before omissions are judged by it. */
void bundle_check_pruned(struct bundle *b);
bool bundle_is_pruned(const struct bundle *b, uint64_t event, uint64_t seq);
void bundle_check_range(struct bundle *b);
void bundle_check_proofs(struct bundle *b);
void bundle_check_csv(struct bundle *b);
/* anchors/, tied to the checkpoint; manifest.json.tsr. */
void bundle_check_anchors(struct bundle *b);
void bundle_check_stamp(struct bundle *b);
/* A merkle_fetch over the bundle's tiles; the context is the bundle. Says nothing. */
bool bundle_fetch(void *bundle, unsigned level, uint64_t index, uint32_t count,
		  struct digest *hashes);

#endif
