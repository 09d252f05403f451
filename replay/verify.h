/* The checker of EVIDENCE section 5: it is fed a log as it lies there, one row after the other,
 * believes none of it, and names every break: what, where, expected, found. It never stops at the
 * first.
 *
 * It has two halves. `verify_look` judges one row by itself, so that many can look at once, each
 * at other rows; what can only be judged beside the rows before it, it hands on as a
 * `verify_fact`. `verify_join` takes the facts in order of seq. Both are pure; memory is the
 * current tile, the head of every stream, and bounded tables. The worldly half (verify_io.h) reads
 * the files; the tests feed it from memory.
 *
 * Two Merkle trees grow side by side once they differ. One is over the entries; the other over the
 * leaf hashes that the tiles recorded when the entries were written. As long as the second still
 * gives the signed roots, the tiles tell exactly which entries were altered, and only those are
 * named.
 */
#ifndef IFSWARM_REPLAY_VERIFY_H
#define IFSWARM_REPLAY_VERIFY_H

#include "replay/idmap.h"
#include "replay/verify_allow.h"
#include "store/checkpoint.h"
#include "store/entry.h"
#include "store/merkle.h"

enum {
	FINDING_TEXT_MAX = 192,
	VERIFY_ANCHORS_MAX = 8,
	VERIFY_KEYS_MAX = 1 << 18,
	VERIFY_TYPES_MAX = 1024,
	VERIFY_GAP_MAX = 1 << 20,
	VERIFY_LOOK_FINDINGS_MAX = 32, /* of one row by itself */
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

/* What opening the sealed parts gave. */
struct verify_opened {
	bool is_tried;                       /* false: there were no keys */
	bool has_bad_key;                    /* a key does not match its commitment */
	struct span plain[SEALED_PARTS_MAX]; /* count 0: it did not open */
};

enum verify_part {
	VERIFY_PART_ABSENT,
	VERIFY_PART_PRESENT, /* looked at; not opened */
	VERIFY_PART_OPENED,
	VERIFY_PART_SHUT, /* the keys at hand were tried in vain */
};

/* What one row says that is judged beside others. No pointers: it may come from another process. */
struct verify_fact {
	uint64_t seq; /* of the row */
	uint64_t recorded_us;
	uint64_t stream;
	uint64_t stream_version;
	uint64_t epoch;
	uint64_t type;
	uint64_t type_version;
	struct digest leaf;
	struct id subject[SEALED_PARTS_MAX];
	struct id key[SEALED_PARTS_MAX];
	uint8_t part[SEALED_PARTS_MAX]; /* enum verify_part */
	uint8_t parts;
	bool is_entry;  /* false: it could not be read, and only seq and leaf are set */
	bool says_more; /* of the kinds that verify_join wants to read as an event */
};

/* Where findings go. */
struct verify_voice {
	verify_report *report;
	void *context;
	uint64_t findings;
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
};

struct verify_type {
	uint64_t number;
	uint64_t version;
	uint64_t seq;
	bool is_kept; /* the declared_type table has it too */
};

struct verify {
	struct verify_voice voice;
	merkle_fetch *fetch; /* the recorded tiles; NULL if there are none to compare with */
	void *tiles;
	uint64_t full_tiles;              /* level-0 tiles that must be recorded */
	const struct verify_allow *allow; /* NULL: nothing was lawfully removed */

	uint64_t next_seq;
	uint64_t named_to; /* gaps before it are named already */
	uint64_t recorded_us;
	struct verify_head heads[STREAMS];
	struct verify_type types[VERIFY_TYPES_MAX];
	uint32_t type_count;
	uint32_t last_type; /* where the last one was found */
	struct idmap keys;
	bool keys_overfull;
	char origin[ORIGIN_BYTES_MAX + 1]; /* as log_created says it */

	struct merkle recorded;
	struct merkle entries; /* its own only once is_forked */
	bool is_forked;
	bool trees_differ;
	bool is_torn;      /* more is missing than the trees can be carried across */
	bool has_recorded; /* of the tile that is being filled */
	struct digest recorded_tile[TILE_HASHES];

	struct verify_anchor anchors[VERIFY_ANCHORS_MAX];
	uint32_t anchor_count;
	bool has_verifier;
	struct log_verifier verifier;
	uint64_t signed_size; /* of the largest checkpoint that holds */

	uint64_t rows;
	uint64_t removals; /* events that say that something was removed */
	uint64_t checkpoints;
	uint64_t sealed_present;
	uint64_t sealed_opened;
	uint64_t sealed_erased; /* lawfully */
	uint64_t sealed_lost;   /* in a restore that says so */
	uint64_t pruned;        /* entries, lawfully */
	uint64_t going;         /* entries that are to go with a pruning under way */
	uint64_t pruned_to;     /* the end of the last pruned range, or where it began: what lies
				 * before it may have said anything */
	uint64_t sealed_shut;   /* tried with the keys at hand, in vain */
	uint64_t first_shut;
	uint64_t roots_unreachable; /* checkpoints that failed after the first one did, folded */
	uint64_t last_unreachable;
};

void verify_make(struct verify *v, verify_report *report, void *context);
void verify_free(struct verify *v);
/* The recorded tiles to compare with, and the size of the log that they must cover; without them
 * only roots are checked. */
void verify_use_tiles(struct verify *v, merkle_fetch *fetch, void *tiles, uint64_t size);
/* The key that checkpoints must be signed with. */
void verify_use_verifier(struct verify *v, const struct log_verifier *verifier);
/* What was lawfully removed. It may stay empty until the first thing is missing, and is asked each
 * time; rows that were fed before it was filled are to be given to verify_again. */
void verify_use_allow(struct verify *v, const struct verify_allow *allow);

/* Before the rows, with tiles: begins in the midst of a log whose rows before `seq`, a multiple of
 * TILE_HASHES, were judged at another time. The tiles stand for them, as for what was pruned, and
 * what only they could say is not judged. The unfinished tiles there are compared with those below
 * them. False if the tiles cannot be read. */
bool verify_begin(struct verify *v, uint64_t seq);

/* Before the rows: a signed note found outside the table. Reported at once if its signature fails;
 * its root is compared when the tree has that size. */
void verify_anchor(struct verify *v, const char *where, struct span note);

/* One row by itself: columns against the entry, the sealed parts against their digests, the fields
 * against the catalog. Findings go to the voice; `out` is for verify_join. */
void verify_look(struct verify_voice *voice, const struct verify_row *row,
		 const struct entry *entry, const struct verify_opened *opened,
		 struct verify_fact *out);
/* The next fact in order of seq; `said` is the row's event if the fact says_more, else NULL. */
void verify_join(struct verify *v, const struct verify_fact *fact, const struct event *said);
/* Of a row that was joined already: whether it, or a part of it, should not be there. */
void verify_again(struct verify *v, const struct verify_fact *fact);
/* Both halves at once. */
void verify_row(struct verify *v, const struct verify_row *row, const struct verify_opened *opened);
/* The next row that is there has the seq `next`: what is missing before it is named, and the trees
 * are carried on up to `until` <= next. */
void verify_gap(struct verify *v, uint64_t next, uint64_t until);

/* A checkpoint of the table: reads it and checks its signature. True if its root is to be compared
 * once the rows have been fed up to its size, by verify_checkpoint. */
bool verify_note(struct verify *v, uint64_t size, struct span note, struct checkpoint *out);
void verify_checkpoint(struct verify *v, const struct checkpoint *checkpoint);

/* A row of stream_head, when the rows have been fed up to where it was read. */
void verify_stream_head(struct verify *v, uint64_t stream, uint64_t version, uint64_t epoch,
			uint64_t last_seq);

/* A row of declared_type, after all rows of the log; then what it lacks. */
void verify_declared_type(struct verify *v, uint64_t number, uint64_t version, uint64_t seq);
void verify_declared_types_end(struct verify *v);

/* A key that keys.db holds, after all rows. */
void verify_key(struct verify *v, const struct id *subject, const struct id *key, uint64_t month,
		uint64_t created_seq);

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

/* What a log cannot prove, in lines that end in newlines; `witnessed`: how far others have seen it.
 */
enum { VERIFY_LIMITS_MAX = 2048 };
const char *verify_limits(char out[VERIFY_LIMITS_MAX], const char *witnessed);

/* --- between the checker's own files --- */

void voice_say(struct verify_voice *voice, const char *what, const char *where,
	       const char *expected, const char *found);
void voice_say_numbers(struct verify_voice *voice, const char *what, const char *where,
		       uint64_t expected, uint64_t found);
void voice_say_digests(struct verify_voice *voice, const char *what, const char *where,
		       const struct digest *expected, const struct digest *found);
void verify_say_numbers(struct verify *v, const char *what, const char *where, uint64_t expected,
			uint64_t found);
void verify_say_digests(struct verify *v, const char *what, const char *where,
			const struct digest *expected, const struct digest *found);
/* "seq 17": for findings alone, because making a text costs more than judging a row. */
struct verify_place {
	char text[64];
};
struct verify_place verify_place_of(uint64_t seq);
/* Grows the trees by one leaf; NULL: the row is missing. `is_pruned`: lawfully, so that what the
 * tiles recorded stands for it. */
void verify_leaf(struct verify *v, uint64_t seq, const struct digest *leaf, bool is_pruned);
/* The root over the entries so far. */
void verify_root(const struct verify *v, struct digest *out);
/* An entry of that stream may lie in a range that was pruned: how far it had come is not known. */
bool verify_head_is_unknown(const struct verify *v, const struct verify_head *head);
bool verify_is_declared(struct verify *v, uint64_t number, uint64_t version);

#endif
