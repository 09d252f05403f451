#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "replay/verify_pub_io.h"
#include "replay/verify_rows_helper_io.h"
#include "store/read_scan_io.h"

bool
rows_pass_number(int line, unsigned char number)
{
	ssize_t sent;

	do {
		sent = send(line, &number, 1, MSG_NOSIGNAL);
	} while (sent < 0 && errno == EINTR);
	return sent == 1;
}

bool
rows_take_number(int line, unsigned char *number)
{
	ssize_t got;

	do {
		got = recv(line, number, 1, 0);
	} while (got < 0 && errno == EINTR);
	return got == 1;
}

bool
rows_pass_token(int line)
{
	return rows_pass_number(line, 1);
}

bool
rows_take_token(int line)
{
	unsigned char token;

	return rows_take_number(line, &token);
}

static void
begin_chunk(struct rows_work *work, uint64_t first)
{
	if (!rows_take_token(work->line)) {
		_exit(0);
	}
	work->chunk = &work->chunks[work->at++ % ROWS_SLOTS];
	work->chunk->first = first;
	work->chunk->strays = 0;
	work->chunk->rows = 0;
	work->chunk->notes = 0;
	work->chunk->kept_count = 0;
	work->chunk->is_followed = false;
	work->chunk->is_last = false;
	work->chunk->has_fault = false;
}

static void
end_chunk(struct rows_work *work, uint64_t end)
{
	work->chunk->end = end;
	work->chunk = NULL;
	if (!rows_pass_token(work->line)) {
		_exit(0);
	}
}

static void
keep_note(void *context, const struct finding *finding)
{
	struct rows_work *work = context;
	struct chunk *chunk = work->chunk;

	/* visit_row leaves room for all that one row can bring. */
	assert(chunk->notes < ROWS_NOTES_MAX);
	chunk->note[chunk->notes++] = (struct note){ chunk->rows, *finding };
}

static void
keep_entry(struct chunk *chunk, struct span entry)
{
	const struct kept_head head = { chunk->rows, (uint32_t)entry.count };

	memcpy(chunk->kept + chunk->kept_count, &head, sizeof head);
	memcpy(chunk->kept + chunk->kept_count + sizeof head, entry.at, entry.count);
	chunk->kept_count += (uint32_t)sizeof head + head.count;
}

static bool
has_room(const struct chunk *chunk)
{
	return chunk->rows < ROWS_BLOCK &&
	       chunk->notes + VERIFY_LOOK_FINDINGS_MAX <= ROWS_NOTES_MAX &&
	       chunk->kept_count + ENTRY_BYTES_MAX + sizeof(struct kept_head) <= ROWS_KEPT_MAX;
}

/* Among the findings about the row that comes next, if there is room: one row of the table sealed
 * can be anywhere, and there may be any number of them. */
static bool
visit_stray(void *context, uint64_t seq)
{
	struct rows_work *work = context;

	if (work->chunk->notes + VERIFY_LOOK_FINDINGS_MAX < ROWS_NOTES_MAX) {
		voice_say(&work->voice, "a sealed row without an entry", verify_place_of(seq).text,
			  "an entry that names it", "none");
	} else {
		work->chunk->strays++;
	}
	return true;
}

static struct verify_opened
open_parts(struct rows_work *work, const struct log_row *row, const struct entry *entry)
{
	struct verify_opened opened = { .is_tried = work->keys != NULL };

	if (opened.is_tried && entry->parts > 0) {
		opened.has_bad_key =
			!log_open_parts(work->keys, entry, row->salt, row->body, opened.plain);
	}
	return opened;
}

static bool
visit_row(void *context, const struct log_row *row)
{
	struct rows_work *work = context;
	struct verify_opened opened = { 0 };
	const struct verify_row given = { row->seq,
					  row->recorded_us,
					  row->stream,
					  row->type,
					  row->entry,
					  { row->salt[0], row->salt[1] },
					  { row->body[0], row->body[1] } };
	struct entry entry;

	if (!has_room(work->chunk)) {
		return false;
	}
	const bool is_entry = entry_read(row->entry, &entry);
	if (is_entry) {
		opened = open_parts(work, row, &entry);
	}
	struct verify_fact *fact = &work->chunk->facts[work->chunk->rows];
	verify_look(&work->voice, &given, is_entry ? &entry : NULL, &opened, fact);
	pub_bundle_check(work->bundle, &work->voice, row->seq, row->entry);
	if (fact->says_more || rows_is_decided(fact->stream)) {
		keep_entry(work->chunk, row->entry);
	}
	work->chunk->rows++;
	work->next_seq = row->seq + 1;
	return true;
}

/* One chunk of the block, from next_seq on; true while the block has more. A part that cannot be
 * read is left out, and said: what lies behind it is read all the same. */
static bool
read_chunk(struct rows_work *work, uint64_t end)
{
	begin_chunk(work, work->next_seq);
	if (!log_read_rows(work->reader, work->next_seq, end, visit_row, work)) {
		work->chunk->has_fault = true;
		snprintf(work->chunk->fault, sizeof work->chunk->fault, "%s",
			 log_reader_fault(work->reader));
		work->next_seq = end;
	}
	if (work->chunk->rows > 0 && !has_room(work->chunk) && work->next_seq < end) {
		end_chunk(work, work->next_seq);
		return true;
	}
	end_chunk(work, end);
	return false;
}

/* The first own block at or after the one that holds that seq. */
static uint64_t
own_block(const struct rows_work *work, uint64_t seq)
{
	const uint64_t block = seq / ROWS_BLOCK;
	const uint64_t behind = block % work->jobs;

	return block + (work->number + work->jobs - behind) % work->jobs;
}

/* A forged seq may lie any distance away: blocks without rows are not gone through one by one. */
static uint64_t
next_block(struct rows_work *work, uint64_t block)
{
	uint64_t seq = 0;
	bool found = false;

	if (!log_next_row(work->reader, (block + 1) * ROWS_BLOCK, &seq, &found)) {
		return block + work->jobs;
	}
	return found ? own_block(work, seq) : UINT64_MAX;
}

static void
read_blocks(struct rows_work *work)
{
	const uint64_t size = work->options->size;
	uint64_t block = own_block(work, 0);

	while (block < UINT64_MAX / ROWS_BLOCK && block * ROWS_BLOCK < size) {
		const uint64_t left = size - block * ROWS_BLOCK;
		const uint64_t end = block * ROWS_BLOCK + (left < ROWS_BLOCK ? left : ROWS_BLOCK);
		uint64_t rows = 0;

		work->next_seq = block * ROWS_BLOCK;
		while (read_chunk(work, end)) {
			rows++;
		}
		rows += work->chunks[(work->at - 1) % ROWS_SLOTS].rows;
		block = rows > 0 ? block + work->jobs : next_block(work, block);
	}
	begin_chunk(work, UINT64_MAX);
	work->chunk->is_last = true;
	end_chunk(work, UINT64_MAX);
}

static void
open_log(struct rows_work *work)
{
	char fault[512];

	if (!log_reader_open(work->options->data_dir, &work->reader, fault, sizeof fault)) {
		_exit(1);
	}
	if (work->options->has_keys &&
	    !log_keys_open(work->reader, NULL, &work->keys, fault, sizeof fault)) {
		_exit(1);
	}
}

void
rows_run_helper(struct rows_work *work)
{
	const struct rlimit none = { 0, 0 };

	setrlimit(RLIMIT_CORE, &none);
	work->voice = (struct verify_voice){ keep_note, work, 0 };
	open_log(work);
	log_watch_stray_sealed(work->reader, visit_stray, work);
	work->bundle = pub_bundle_make(work->options->data_dir, work->options->published);
	read_blocks(work);
	pub_bundle_free(work->bundle);
	log_keys_close(work->keys);
	log_reader_close(work->reader);
	_exit(0);
}
