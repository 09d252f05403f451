#include "actors/recover_io.h"

#include <stdio.h>

#include "actors/desk.h"
#include "store/read_io.h"

struct walk {
	const struct core *core;
	uint64_t next_version;
	struct recovered done;
	const char *fault;
};

static bool
apply_one(void *context, const struct event *event, const struct entry *entry)
{
	struct walk *walk = context;

	if (entry->stream_version < walk->next_version) {
		return true; /* the snapshot has it */
	}
	if (entry->stream_version > walk->next_version) {
		walk->fault = "an event of the stream is missing";
		return false;
	}
	if (event == NULL) {
		walk->fault =
			"an event is of a type this program does not know: start the newer program";
		return false;
	}
	walk->core->apply(walk->core->state, event);
	walk->next_version++;
	walk->done.events++;
	walk->done.is_lasting |= desk_is_lasting(walk->core, event);
	return true;
}

static bool
load_snapshot(struct log_reader *reader, struct log_keys *keys, const struct core *core,
	      uint64_t *version, uint64_t *from_seq)
{
	struct log_snapshot snapshot;
	bool found = false;
	bool good = log_snapshot_latest(reader, keys, core->stream, &snapshot, &found);

	if (good && found) {
		good = core->restore(core->state, snapshot.dump, snapshot.annex);
		*version = snapshot.version;
		*from_seq = snapshot.from_seq;
		log_snapshot_free(&snapshot);
	}
	return good;
}

static bool
read_state(const struct recovery *recovery, struct log_reader *reader, struct log_keys *keys,
	   struct walk *walk, char *fault, size_t fault_size)
{
	const uint32_t mask = LOG_STREAM(walk->core->stream);
	uint64_t from_seq = 0;

	if (recovery->use_snapshot &&
	    !load_snapshot(reader, keys, walk->core, &walk->next_version, &from_seq)) {
		snprintf(fault, fault_size,
			 "the snapshot of stream %s cannot be used: %s: run `ifreplay verify`",
			 stream_name(walk->core->stream), log_reader_fault(reader));
		return false;
	}
	if (!log_read_events(reader, keys, from_seq, recovery->to_seq, mask, apply_one, walk)) {
		snprintf(fault, fault_size, "%s: run `ifreplay verify`", log_reader_fault(reader));
		return false;
	}
	if (walk->fault == NULL && walk->next_version != recovery->version) {
		walk->fault = "the log ends before the stream's head";
	}
	if (walk->fault != NULL) {
		snprintf(fault, fault_size, "stream %s, version %llu: %s: run `ifreplay verify`",
			 stream_name(walk->core->stream), (unsigned long long)walk->next_version,
			 walk->fault);
		return false;
	}
	return true;
}

bool
recover(const struct recovery *recovery, const struct core *core, struct recovered *out,
	char *fault, size_t fault_size)
{
	struct walk walk = { .core = core };
	struct log_reader *reader = NULL;
	struct log_keys *keys = NULL;

	if (!log_reader_open(recovery->data_dir, &reader, fault, fault_size)) {
		return false;
	}
	const bool good =
		log_keys_open(reader, recovery->wrap_key_file, &keys, fault, fault_size) &&
		read_state(recovery, reader, keys, &walk, fault, fault_size);
	log_keys_close(keys);
	log_reader_close(reader);
	*out = walk.done;
	return good;
}
