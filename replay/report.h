/* What people read: report.html and report.txt. Disclosed events are taken one by one, in order;
 * what is kept of them is bounded whatever their number (tables below), and what found no room is
 * counted and said. The same events give the same bytes: no clock, no randomness.
 *
 * The page needs nothing from elsewhere: no script, no font, no image; its Content-Security-Policy
 * forbids them. Everything from outside is escaped.
 */
#ifndef IFSWARM_REPLAY_REPORT_H
#define IFSWARM_REPLAY_REPORT_H

#include "replay/anchored.h"
#include "replay/disclosed.h"
#include "replay/names.h"

/* Borrowed strings must live as long as the report; NULL or "": not said. */
struct report_scope {
	const char *origin;
	uint64_t size;      /* of the checkpoint that vouches for all this */
	struct digest root; /* of that checkpoint */
	uint64_t from, end; /* the range of seqs: from <= seq < end */
	uint64_t from_us; /* recorded_us of its first event and of its last: the pictures' time axis
			   */
	uint64_t to_us;
	enum profile profile;
	const char *filter; /* in words; NULL: everything in the range */
	const char *requester;
	const char *purpose;
	const struct anchored *anchored; /* NULL: not said */
	bool is_in_bundle; /* proofs lie beside it; else it was made alone and says so */
	names_ask *
		name_of; /* agents named before the range, as the profile shows them; may be NULL */
	void *names;
};

struct report;

/* Owned by the caller; to free NULL does nothing. */
struct report *report_make(const struct report_scope *scope);
void report_free(struct report *report);
/* In order of seq. Seqs of the range that never come are reported as not disclosed. */
void report_feed(struct report *report, const struct disclosed *disclosed);

/* Takes a piece of the page; false stops it. */
typedef bool report_write(void *context, const char *text, size_t count);

/* After the last event, as often as one likes. False if the writer stopped it. */
bool report_html(struct report *report, report_write *write, void *context);
/* 100 columns at most, but for a name that is longer. */
bool report_text(struct report *report, report_write *write, void *context);

#endif
