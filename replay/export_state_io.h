/* An export on its way: what its files share. `ifreplay export` is
 *
 *   export_io.c         what is asked for; the checkpoint; manifest, signatures, the record
 *   export_rows_io.c    one walk over the log: events.jsonl, events.csv, omissions.jsonl, ...
 *   export_report_io.c  the page for people, from the same walk
 *   export_proofs_io.c  tiles and proofs
 *   export_pruned_io.c  the events that say what of the range is not there any more
 *   export_anchors_io.c what others said of the log
 *   export_text.c       the words: manifest.json, README.txt, custody.jsonl
 */
#ifndef IFSWARM_REPLAY_EXPORT_STATE_IO_H
#define IFSWARM_REPLAY_EXPORT_STATE_IO_H

#include "replay/anchored_io.h"
#include "replay/bundle_io.h"
#include "replay/discloser.h"
#include "replay/export_text.h"
#include "replay/filter.h"
#include "replay/newest_io.h"
#include "replay/report.h"
#include "store/export_key_io.h"

enum { EXPORT_FAULT_MAX = 640 };

struct export
{
	const struct options *options; /* with --subject: its name as --agent */
	struct source *source;
	struct newest newest;           /* what vouches for it all */
	struct newest previous;         /* checkpoint.size 0: none */
	struct anchored_choice anchors; /* what others said of it, and of what stands before it */
	struct anchored anchored;
	struct log_signer signer;
	struct bundle *bundle;
	struct discloser discloser;
	struct discloser others; /* with --subject: names that are not theirs */
	struct export_words words;
	struct report *report;
	struct name asked;                 /* memory of the report's names_ask */
	uint64_t proof[EXPORT_PROOFS_MAX]; /* seqs of disclosed events, while there are few */
	bool is_stamped;                   /* the manifest, by an authority */
	char stamp_says[EXPORT_FAULT_MAX]; /* by whom and when, or why not; "" nobody is to be asked
					    */
	uint64_t *pruned; /* seqs of the log_pruned that tell of entries of the range, in order */
	size_t pruned_count;
	char fault[EXPORT_FAULT_MAX];
};

/* Each adds its members; false with x->fault. export_rows sets words.disclosed and words.omitted.
 */
bool export_rows(struct export *x);
bool export_proofs(struct export *x);
/* Notes that this event tells of entries of the range; writes down those that were noted. */
void export_note_pruned(struct export *x, uint64_t event);
bool export_pruned(struct export *x);
bool export_anchors(struct export *x);
/* manifest.json.tsr, if an authority is configured and answers: without it the export goes on. */
void export_stamp(struct export *x, struct span manifest, const struct digest *digest);
/* The report: begun before the walk, whose first entry is `first`; fed with what is disclosed;
 * ended as members. */
bool export_report_begin(struct export *x, uint64_t first);
void export_report_end(struct export *x);
/* false, for `return`. */
bool export_fails(struct export *x, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
