/* The words of an export bundle (docs/bundle.md): what it says about itself, for machines and
 * people. No clock: the same export gives the same words. */
#ifndef IFSWARM_REPLAY_EXPORT_TEXT_H
#define IFSWARM_REPLAY_EXPORT_TEXT_H

#include "replay/disclosed.h"
#include "store/checkpoint.h"

/* Beyond so many disclosed events no proof is written for each: the tiles in log/ prove them all.
 */
enum { EXPORT_PROOFS_MAX = 100, EXPORT_FILTER_MAX = 1024 };

struct export_words {
	const char *origin;
	char log_key[CHECKPOINT_VKEY_MAX];
	char export_key[CHECKPOINT_VKEY_MAX];
	struct checkpoint checkpoint;
	struct checkpoint previous; /* size 0: none */
	uint64_t from, end;
	uint64_t disclosed, omitted;
	enum profile profile;
	char filter[EXPORT_FILTER_MAX]; /* as the profile shows it; empty: everything */
	const char *requester;          /* NULL: not said */
	const char *purpose;
	struct digest sums; /* of SHA256SUMS */
};

/* Each gives an allocated, terminated text. */
char *export_manifest(const struct export_words *words);
char *export_readme(const struct export_words *words);
char *export_custody(const struct export_words *words, const struct digest *manifest);
/* What the .note signs: three lines. */
size_t export_note_text(char out[CHECKPOINT_BYTES_MAX], const struct export_words *words,
			const struct digest *manifest);

#endif
