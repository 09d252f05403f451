#include "replay/verify_allow_io.h"

#include "store/read_scan_io.h"

static bool
take(void *context, const struct event *event, const struct entry *entry)
{
	allow_take(context, entry->seq, event);
	return true;
}

bool
allow_read(struct verify_allow *allow, struct log_reader *reader, uint64_t from, uint64_t to)
{
	static const uint64_t types[] = { EVENT_SUBJECT_ERASED, EVENT_PART_ERASED, EVENT_ERASED,
					  EVENT_MONTH_ERASED,   EVENT_KEY_KEPT,    EVENT_LOG_PRUNED,
					  EVENT_PARTS_LOST };

	return log_read_types_to(reader, types, sizeof types / sizeof types[0], from, to, take,
				 allow);
}

static bool
take_under_way(void *context, const struct log_pruned_row *row)
{
	if (!row->is_done) {
		allow_under_way(context, row->event);
	}
	return true;
}

bool
allow_read_end(struct verify_allow *allow, struct log_reader *reader)
{
	allow_settle(allow);
	return log_read_pruned(reader, take_under_way, allow);
}
