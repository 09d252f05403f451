/* The checker of EVIDENCE section 5: it is fed a log as it lies there, one row after the other,
 * believes none of it, and names every break: what, where, expected, found. It never stops at the
 * first.
 *
 * Pure and streaming: it holds the current tile, the head of every stream, and bounded tables. The
 * worldly half (verify_io.h) reads the files; the tests feed it from memory.
 *
 * Two Merkle trees grow side by side. One is over the entries; the other over the leaf hashes that
 * the tiles recorded when the entries were written. As long as the second still gives the signed
 * roots, the tiles tell exactly which entries were altered, and only those are named.
 */
#ifndef IFSWARM_REPLAY_VERIFY_H
#define IFSWARM_REPLAY_VERIFY_H

#include "replay/idmap.h"
#include "store/checkpoint.h"
#include "store/entry.h"
#include "store/merkle.h"

enum {
	FINDING_TEXT_MAX = 192,
	VERIFY_ANCHORS_MAX = 8,
	VERIFY_KEYS_MAX = 1 << 18,
	VERIFY_TYPES_MAX = 1024,
	VERIFY_GAP_MAX = 1 << 20,
};

/* One break, in words; all escaped and terminated. */
struct finding {
	char what[FINDING_TEXT_MAX];
	char where[FINDING_TEXT_MAX];
	char expected[FINDING_TEXT_MAX];
	char found[FINDING_TEXT_MAX];
};
typedef void verify_report(void *context, const struct finding *finding);

/* A row as it lies in the tables: columns that claim to be projections, and the sealed rows. */
struct verify_row {
	uint64_t seq;
	uint64_t recorded_us;
	uint64_t stream;
	uint64_t type;
	struct span entry;
	struct span salt[SEALED_PARTS_MAX]; /* count 0: there is none */
	struct span body[SEALED_PARTS_MAX];
};

/* What opening the sealed parts gave: NULL plain when nobody tried (no keys). */
struct verify_opened {
	bool is_tried;
	bool has_bad_key;                    /* a key does not match its commitment */
	struct span plain[SEALED_PARTS_MAX]; /* count 0: it did not open */
};

/* A root that somebody vouches for. */
struct verify_anchor {
	const char *where; /* "head", "pub/checkpoint": a literal */
	struct checkpoint checkpoint;
	bool is_seen;
};

struct verify_head {
	uint64_t version;
	uint64_t epoch;
	uint64_t last_seq;
	bool is_claimed;
};

struct verify_type {
	uint64_t number;
	uint64_t version;
};

struct verify {
	verify_report *report;
	void *context;
	merkle_fetch *fetch; /* the recorded tiles; NULL if there are none to compare with */
	void *tiles;
	uint64_t full_tiles; /* level-0 tiles that must be recorded: size / TILE_HASHES */

	uint64_t next_seq;
	uint64_t recorded_us;
	struct verify_head heads[STREAMS];
	struct verify_type types[VERIFY_TYPES_MAX];
	uint32_t type_count;
	struct idmap keys;
	bool keys_overfull;
	char origin[ORIGIN_BYTES_MAX + 1]; /* as log_created says it */

	struct merkle entries;
	struct merkle recorded;
	bool trees_differ;
	bool has_recorded; /* of the tile that is being filled */
	struct digest recorded_tile[TILE_HASHES];

	struct verify_anchor anchors[VERIFY_ANCHORS_MAX];
	uint32_t anchor_count;
	bool has_verifier;
	struct log_verifier verifier;
	uint64_t signed_size; /* of the largest checkpoint that holds */

	uint64_t rows;
	uint64_t findings;
	uint64_t checkpoints;
	uint64_t sealed_present;
	uint64_t sealed_opened;
	uint64_t sealed_shut; /* tried with the keys at hand, in vain */
	uint64_t first_shut;
	uint64_t roots_unreachable; /* checkpoints that failed after the first one did, folded */
	uint64_t last_unreachable;
};

/* `full_tiles`: how many level-0 tiles the size of the log asks for. */
void verify_make(struct verify *v, verify_report *report, void *context);
void verify_free(struct verify *v);
/* The recorded tiles to compare with; without them only roots are checked. */
void verify_use_tiles(struct verify *v, merkle_fetch *fetch, void *tiles, uint64_t size);
/* The key that checkpoints must be signed with. */
void verify_use_verifier(struct verify *v, const struct log_verifier *verifier);

/* Before the rows: a signed note found outside the table. Reported at once if its signature fails;
 * its root is compared when the tree has that size. */
void verify_anchor(struct verify *v, const char *where, struct span note);

/* The next row in order of seq. */
void verify_row(struct verify *v, const struct verify_row *row, const struct verify_opened *opened);

/* A checkpoint of the table: reads it and checks its signature. True if its root is to be compared
 * once the rows have been fed up to its size, by verify_checkpoint. */
bool verify_note(struct verify *v, uint64_t size, struct span note, struct checkpoint *out);
void verify_checkpoint(struct verify *v, const struct checkpoint *checkpoint);

/* A row of stream_head, when the rows have been fed up to where it was read. */
void verify_stream_head(struct verify *v, uint64_t stream, uint64_t version, uint64_t epoch,
			uint64_t last_seq);

/* A row of the tile table, in order of level and index; compared with nothing but its place and
 * length. */
struct verify_tiles {
	unsigned level;
	uint64_t index;
};
void verify_tile(struct verify *v, struct verify_tiles *at, unsigned level, uint64_t index,
		 size_t bytes);
void verify_tiles_end(struct verify *v, struct verify_tiles *at);

/* After all rows: anchors and checkpoints beyond the end, types never declared. */
void verify_end(struct verify *v);

/* Any other break that the worldly half finds. Texts are escaped and cut. */
void verify_say(struct verify *v, const char *what, const char *where, const char *expected,
		const char *found);

/* What a log cannot prove, in lines that end in newlines. */
const char *verify_limits(void);

/* --- between the checker's own files --- */

void verify_say_numbers(struct verify *v, const char *what, const char *where, uint64_t expected,
			uint64_t found);
void verify_say_digests(struct verify *v, const char *what, const char *where,
			const struct digest *expected, const struct digest *found);
/* The row's entry when it could be read. */
void verify_entry(struct verify *v, const struct verify_row *row, const struct entry *entry,
		  const struct verify_opened *opened);
/* Grows both trees by one leaf; entry NULL: the row is missing. */
void verify_leaf(struct verify *v, uint64_t seq, const struct span *entry);

#endif
