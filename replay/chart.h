/* Who was there, who was connected to whom, and when: drawn as a chart with one row for each agent,
 * each two agents and each agent's relays, in the order in which they began.
 *
 *   there      the agent was registered in some room
 *   connected  an offer between two agents was answered, and neither has left the room since;
 * before the answer they are `faint`. What they send each other directly no server sees. relay the
 * agent had an allocation (faint), and what was relayed was measured
 *
 * Read in one pass in bounded memory: the axis begins with the first thing that is drawn and has a
 * fixed number of buckets, which double their width whenever time runs out of them. Every table has
 * a size of its own; what found no room is counted.
 */
#ifndef IFSWARM_REPLAY_CHART_H
#define IFSWARM_REPLAY_CHART_H

#include "replay/filter.h"
#include "replay/names.h"
#include "replay/paper.h"

enum {
	CHART_BUCKETS = 1024, /* a power of two: half of them are in use at least */
	CHART_PARTIES_MAX = 16384,
	CHART_HANDLES_MAX = 65536,
	CHART_LANES_MAX = 16384,
	CHART_PRESENT_MAX = 2 * AGENTS_MAX,
	CHART_WIDTH_MIN = 40,
	CHART_WIDTH_MAX = 500,
	CHART_WIDTH = 80, /* where no terminal says another */
};
_Static_assert(CHART_WIDTH_MAX <= CHART_BUCKETS / 2, "a column has a bucket of its own");
#define CHART_NONE UINT32_MAX

enum chart_kind { CHART_THERE, CHART_CONNECTED, CHART_RELAY };
enum chart_level { CHART_NOTHING, CHART_FAINT, CHART_FULL };

/* One name is one party, whatever its handles; without a name each handle is one. */
struct chart_party {
	struct name name; /* empty: `handle` stands for it */
	struct id handle;
	uint32_t there, relay; /* lanes; CHART_NONE */
	uint32_t pairs;        /* the first of its pairs' lanes */
};

struct chart_lane {
	enum chart_kind kind;
	uint32_t party[2]; /* the second of pairs alone */
	uint32_t next[2];  /* of pairs: the next one of that party */
	struct id room;    /* of pairs: where they are connected */
	uint64_t seq;      /* with which it began */
	uint32_t open;     /* rooms, or allocations */
	enum chart_level level;
	uint64_t since_us; /* at that level */
	/* Within the range that was asked for: */
	bool is_drawn;
	uint64_t from_us, to_us;
	uint64_t span_us; /* there, connected, or with a relay */
	uint64_t times;
	uint64_t offers, answers, candidates;
	uint64_t bytes_up, bytes_down;
	uint8_t marks[CHART_BUCKETS / 4]; /* two bits for each bucket: its highest level */
};

struct chart {
	const struct filter *filter; /* who is asked about */
	names_ask *name_of;
	void *names;
	/* Told of every handle whose departure will matter: of whom somebody asked about has met.
	 * May be NULL. */
	void (*follows)(void *context, const struct id *handle);
	void *context;
	bool is_quiet;    /* before the range that was asked for: learn, draw nothing */
	uint64_t from_us; /* where that range begins; 0: with the first thing that is drawn */

	struct chart_party *parties;
	uint32_t party_count;
	struct idmap party_of_handle, party_of_key;
	struct chart_lane *lanes; /* in the order of seq */
	uint32_t lane_count;
	struct idmap pair_at;
	struct idmap present;     /* agent and room together, to the party */
	struct idmap allocations; /* that have not ended, to the party */
	uint64_t now_us;
	bool has_begun;
	uint64_t begin_us, bucket_us;
	uint64_t end_us; /* of what is drawn, once closed */
	uint64_t not_kept;
};

/* All is borrowed. */
void chart_make(struct chart *chart, const struct filter *filter, names_ask *name_of, void *names);
void chart_free(struct chart *chart);

/* The next event, in order; of everybody, from the first of the log. */
void chart_feed(struct chart *chart, const struct entry *entry, const struct event *event);
/* After the last: what lasts has lasted until then. */
void chart_close(struct chart *chart, uint64_t end_us);

/* Once closed: the highest level within column `column` of `columns` of the axis. */
enum chart_level chart_level_at(const struct chart *chart, const struct chart_lane *lane,
				unsigned column, unsigned columns);

/* --- the page: `width` columns, ASCII alone if asked for. Names are escaped --- */

struct chart_page {
	const struct chart *chart;
	bool is_ascii;
	unsigned bars, label; /* columns of each */
};
/* Of a closed chart, which is borrowed; width from CHART_WIDTH_MIN to CHART_WIDTH_MAX. */
struct chart_page chart_page_make(const struct chart *chart, unsigned width, bool is_ascii);
void chart_page_head(const struct chart_page *page, struct paper *out);
void chart_page_row(const struct chart_page *page, const struct chart_lane *lane,
		    struct paper *out);
void chart_page_legend(const struct chart_page *page, struct paper *out);

#endif
