#include "replay/verify_rows_io.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "replay/verify_pub_io.h"
#include "store/read_scan_io.h"

enum {
	BLOCK_ROWS = 8 * TILE_HASHES,
	CHUNK_NOTES_MAX = 512,
	CHUNK_KEPT_MAX = 1 << 20,
	SLOTS = 3,
};

/* A finding about one row. */
struct note {
	uint32_t row; /* its place in the chunk */
	struct finding finding;
};

/* What a helper hands over at once: a block, or the part of it that a chunk can hold. */
struct chunk {
	uint64_t first; /* the rows of this chunk have seqs from it on */
	uint64_t end;   /* rows below it are in this chunk or in none */
	bool is_last;   /* of this helper */
	bool has_fault;
	char fault[256];
	uint64_t strays; /* sealed rows without an entry, beyond what could be named one by one */
	uint32_t rows;
	uint32_t notes;
	uint32_t kept_count;
	_Atomic bool is_followed; /* the follower is through with it, and has freed it */
	struct verify_fact facts[BLOCK_ROWS];
	struct note note[CHUNK_NOTES_MAX];
	uint8_t kept[CHUNK_KEPT_MAX]; /* entries that somebody reads again, each behind a head */
};

/* Before each kept entry. */
struct kept_head {
	uint32_t row; /* its place in the chunk */
	uint32_t count;
};

struct helper {
	pid_t process;
	int line; /* a byte here for each chunk that is ready, one there for each that is free again
		   */
	struct chunk *chunks;
	unsigned at; /* the chunk that is being read */
	bool has_chunk;
	bool is_over;
	uint32_t row; /* the next one of that chunk */
	uint32_t note;
	uint32_t kept;
	unsigned
		freed; /* chunks that the parent is through with and that were freed, by whomever */
};

/* The process that replays the states, while it lives. */
struct follower {
	int line; /* a byte there, the number of a helper, for each chunk of it in order */
	bool is_there;
	struct guard_child *child;
	guard_read *read;
	void *reader;
	uint64_t message_bytes;
};

struct verify_rows {
	struct rows_options options;
	unsigned jobs;
	struct helper helpers[ROWS_JOBS_MAX];
	struct helper *current; /* the one that has the next row; NULL: not known */
	struct follower follower;
	int follow; /* the follower's end of its line */
	struct event event;
};

/* --- tokens --------------------------------------------------------------------------------------
 */

/* False if the other side is gone. */
static bool
pass_number(int line, unsigned char number)
{
	ssize_t sent;

	do {
		sent = send(line, &number, 1, MSG_NOSIGNAL);
	} while (sent < 0 && errno == EINTR);
	return sent == 1;
}

static bool
take_number(int line, unsigned char *number)
{
	ssize_t got;

	do {
		got = recv(line, number, 1, 0);
	} while (got < 0 && errno == EINTR);
	return got == 1;
}

static bool
pass_token(int line)
{
	return pass_number(line, 1);
}

static bool
take_token(int line)
{
	unsigned char token;

	return take_number(line, &token);
}

/* --- in a helper ---------------------------------------------------------------------------------
 */

struct work {
	const struct rows_options *options;
	unsigned number;
	unsigned jobs;
	struct chunk *chunks;
	int line;
	unsigned at;
	struct chunk *chunk; /* being filled */
	struct log_reader *reader;
	struct log_keys *keys;
	struct verify_voice voice;
	struct pub_bundle *bundle;
	uint64_t next_seq; /* of the block */
};

static void
begin_chunk(struct work *work, uint64_t first)
{
	if (!take_token(work->line)) {
		_exit(0);
	}
	work->chunk = &work->chunks[work->at++ % SLOTS];
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
end_chunk(struct work *work, uint64_t end)
{
	work->chunk->end = end;
	work->chunk = NULL;
	if (!pass_token(work->line)) {
		_exit(0);
	}
}

static void
keep_note(void *context, const struct finding *finding)
{
	struct work *work = context;
	struct chunk *chunk = work->chunk;

	/* visit_row leaves room for all that one row can bring. */
	assert(chunk->notes < CHUNK_NOTES_MAX);
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
	return chunk->rows < BLOCK_ROWS &&
	       chunk->notes + VERIFY_LOOK_FINDINGS_MAX <= CHUNK_NOTES_MAX &&
	       chunk->kept_count + ENTRY_BYTES_MAX + sizeof(struct kept_head) <= CHUNK_KEPT_MAX;
}

/* Among the findings about the row that comes next, if there is room: one row of the table sealed
 * can be anywhere, and there may be any number of them. */
static bool
visit_stray(void *context, uint64_t seq)
{
	struct work *work = context;

	if (work->chunk->notes + VERIFY_LOOK_FINDINGS_MAX < CHUNK_NOTES_MAX) {
		voice_say(&work->voice, "a sealed row without an entry", verify_place_of(seq).text,
			  "an entry that names it", "none");
	} else {
		work->chunk->strays++;
	}
	return true;
}

static struct verify_opened
open_parts(struct work *work, const struct log_row *row, const struct entry *entry)
{
	struct verify_opened opened = { .is_tried = work->keys != NULL };

	if (opened.is_tried && entry->parts > 0) {
		opened.has_bad_key =
			!log_open_parts(work->keys, entry, row->salt, row->body, opened.plain);
	}
	return opened;
}

/* Whoever decides keeps a state, which the follower replays. */
static bool
is_decided(uint64_t stream)
{
	return stream == STREAM_SESSION || stream == STREAM_ALLOCATION;
}

static bool
visit_row(void *context, const struct log_row *row)
{
	struct work *work = context;
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
	if (fact->says_more || is_decided(fact->stream)) {
		keep_entry(work->chunk, row->entry);
	}
	work->chunk->rows++;
	work->next_seq = row->seq + 1;
	return true;
}

/* One chunk of the block, from next_seq on; true while the block has more. A part that cannot be
 * read is left out, and said: what lies behind it is read all the same. */
static bool
read_chunk(struct work *work, uint64_t end)
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
own_block(const struct work *work, uint64_t seq)
{
	const uint64_t block = seq / BLOCK_ROWS;
	const uint64_t behind = block % work->jobs;

	return block + (work->number + work->jobs - behind) % work->jobs;
}

/* A forged seq may lie any distance away: blocks without rows are not gone through one by one. */
static uint64_t
next_block(struct work *work, uint64_t block)
{
	uint64_t seq = 0;
	bool found = false;

	if (!log_next_row(work->reader, (block + 1) * BLOCK_ROWS, &seq, &found)) {
		return block + work->jobs;
	}
	return found ? own_block(work, seq) : UINT64_MAX;
}

static void
read_blocks(struct work *work)
{
	const uint64_t size = work->options->size;
	uint64_t block = own_block(work, 0);

	while (block < UINT64_MAX / BLOCK_ROWS && block * BLOCK_ROWS < size) {
		const uint64_t left = size - block * BLOCK_ROWS;
		const uint64_t end = block * BLOCK_ROWS + (left < BLOCK_ROWS ? left : BLOCK_ROWS);
		uint64_t rows = 0;

		work->next_seq = block * BLOCK_ROWS;
		while (read_chunk(work, end)) {
			rows++;
		}
		rows += work->chunks[(work->at - 1) % SLOTS].rows;
		block = rows > 0 ? block + work->jobs : next_block(work, block);
	}
	begin_chunk(work, UINT64_MAX);
	work->chunk->is_last = true;
	end_chunk(work, UINT64_MAX);
}

static void
open_log(struct work *work)
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

static void
run_helper(struct work *work)
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

/* --- in the parent -------------------------------------------------------------------------------
 */

static void
fail(const char *what)
{
	fprintf(stderr,
		"ifreplay: cannot start a helper process (%s): free some memory, try again\n",
		what);
	exit(1);
}

static void
start_helper(struct verify_rows *rows, unsigned number)
{
	struct helper *helper = &rows->helpers[number];
	int line[2];

	helper->chunks = mmap(NULL, SLOTS * sizeof *helper->chunks, PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (helper->chunks == MAP_FAILED || socketpair(AF_UNIX, SOCK_STREAM, 0, line) != 0) {
		fail("mmap or socketpair");
	}
	fflush(stdout);
	fflush(stderr);
	helper->process = fork();
	if (helper->process < 0) {
		fail("fork");
	}
	if (helper->process == 0) {
		struct work work = { .options = &rows->options,
				     .number = number,
				     .jobs = rows->jobs,
				     .chunks = helper->chunks,
				     .line = line[1] };
		/* The parent's ends, of this and of other lines, must not keep those open. */
		for (unsigned i = 0; i < number; i++) {
			close(rows->helpers[i].line);
		}
		close(line[0]);
		run_helper(&work);
	}
	close(line[1]);
	helper->line = line[0];
	for (unsigned i = 0; i < SLOTS; i++) {
		pass_token(helper->line);
	}
}

static unsigned
jobs_of(const struct rows_options *options)
{
	const long cores = sysconf(_SC_NPROCESSORS_ONLN);
	const uint64_t blocks = options->size / BLOCK_ROWS + 1;
	uint64_t jobs = options->jobs > 0 ? options->jobs : cores > 1 ? (uint64_t)cores : 1;

	if (options->jobs == 0 && jobs > ROWS_JOBS_DEFAULT_MAX) {
		jobs = ROWS_JOBS_DEFAULT_MAX;
	}
	jobs = jobs < ROWS_JOBS_MAX ? jobs : ROWS_JOBS_MAX;
	return (unsigned)(jobs < blocks ? jobs : blocks);
}

struct verify_rows *
rows_start(const struct rows_options *options)
{
	struct verify_rows *rows = calloc(1, sizeof *rows);

	if (rows == NULL) {
		fail("memory");
	}
	rows->options = *options;
	rows->jobs = jobs_of(options);
	for (unsigned i = 0; i < rows->jobs; i++) {
		start_helper(rows, i);
	}
	int line[2];
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, line) != 0) {
		fail("socketpair");
	}
	rows->follower.line = line[0];
	rows->follow = line[1];
	return rows;
}

static struct chunk *
chunk_of(const struct helper *helper)
{
	return &helper->chunks[helper->at % SLOTS];
}

static void
say_fault(struct verify *v, const struct chunk *chunk)
{
	char where[96];

	snprintf(where, sizeof where, "witness.db, seq %" PRIu64 " to %" PRIu64,
		 chunk->rows > 0 ? chunk->facts[chunk->rows - 1].seq + 1 : chunk->first,
		 chunk->end - 1);
	verify_say(v, "the entries cannot all be read", where, "readable rows to the end",
		   chunk->fault);
}

/* --- the follower --------------------------------------------------------------------------------
 */

static void
free_chunk(struct helper *helper)
{
	helper->freed++;
	pass_token(helper->line); /* in vain if it has ended: fetch_chunk will tell */
}

/* It ended, by itself or by an assertion: what it was given and has not freed, nobody else will. */
static void
lose_follower(struct verify_rows *rows)
{
	rows->follower.is_there = false;
	for (unsigned i = 0; i < rows->jobs; i++) {
		struct helper *helper = &rows->helpers[i];

		for (; helper->freed < helper->at; helper->freed++) {
			if (!helper->chunks[helper->freed % SLOTS].is_followed) {
				pass_token(helper->line);
			}
		}
	}
}

static void
hand_on(struct verify_rows *rows, struct helper *helper)
{
	struct follower *follower = &rows->follower;
	const unsigned char number = (unsigned char)(helper - rows->helpers);

	helper->at++;
	if (follower->is_there && pass_number(follower->line, number)) {
		return;
	}
	if (follower->is_there) {
		lose_follower(rows);
		return;
	}
	free_chunk(helper);
}

void
rows_followed(struct verify_rows *rows, struct guard_child *child, guard_read *read, void *reader,
	      uint64_t message_bytes)
{
	close(rows->follow);
	rows->follower.is_there = true;
	rows->follower.child = child;
	rows->follower.read = read;
	rows->follower.reader = reader;
	rows->follower.message_bytes = message_bytes;
}

/* While a helper is waited for, the follower must not wait for us: it may have much to say, or have
 * ended with chunks that the helper needs. False if the helper is gone. */
static bool
wait_for(struct verify_rows *rows, struct helper *helper)
{
	struct follower *follower = &rows->follower;

	while (follower->is_there) {
		struct pollfd ready[] = { { helper->line, POLLIN, 0 },
					  { follower->line, POLLIN, 0 },
					  { follower->child->input, POLLIN, 0 } };

		if (poll(ready, 3, -1) < 0) {
			continue;
		}
		if (ready[0].revents != 0) {
			break;
		}
		if ((ready[2].revents & POLLIN) != 0) {
			guard_take(follower->child, follower->read, follower->reader,
				   follower->message_bytes);
		} else if (ready[1].revents != 0) {
			lose_follower(rows);
		}
	}
	return take_token(helper->line);
}

/* In the follower: the chunks of each helper come in order. */
static bool
follow_chunk(struct chunk *chunk, rows_entry *visit, void *context)
{
	for (uint32_t at = 0; at < chunk->kept_count;) {
		struct kept_head head;
		struct entry entry;

		memcpy(&head, chunk->kept + at, sizeof head);
		const struct span bytes = { chunk->kept + at + sizeof head, head.count };
		at += (uint32_t)sizeof head + head.count;
		if (entry_read(bytes, &entry) && is_decided(entry.stream) &&
		    !visit(context, &entry)) {
			return false;
		}
	}
	return true;
}

bool
rows_follow(struct verify_rows *rows, rows_entry *visit, void *context)
{
	unsigned at[ROWS_JOBS_MAX] = { 0 };
	unsigned char number = 0;

	close(rows->follower.line);
	while (take_number(rows->follow, &number)) {
		struct helper *helper = &rows->helpers[number];
		struct chunk *chunk = &helper->chunks[at[number]++ % SLOTS];

		if (!follow_chunk(chunk, visit, context)) {
			return false;
		}
		chunk->is_followed = true;
		pass_token(helper->line);
	}
	return true;
}

/* --- chunks, in the parent -----------------------------------------------------------------------
 */

/* The helper's next chunk, if it has none at hand. */
static void
fetch_chunk(struct verify_rows *rows, struct helper *helper, struct verify *v)
{
	if (helper->has_chunk || helper->is_over) {
		return;
	}
	if (!wait_for(rows, helper)) {
		verify_say(v, "the entries cannot all be read", "witness.db",
			   "a file that SQLite reads to the end",
			   "one that brings it down: take a copy that is whole");
		helper->is_over = true;
		return;
	}
	helper->has_chunk = true;
	helper->row = 0;
	helper->note = 0;
	helper->kept = 0;
	helper->is_over = chunk_of(helper)->is_last;
}

/* The findings about a row, or those that stand behind the last one. */
static void
tell_notes(struct helper *helper, struct verify *v, uint32_t row)
{
	const struct chunk *chunk = chunk_of(helper);

	while (helper->note < chunk->notes && chunk->note[helper->note].row == row) {
		v->voice.findings++;
		v->voice.report(v->voice.context, &chunk->note[helper->note++].finding);
	}
}

static void
say_strays(struct verify *v, const struct chunk *chunk)
{
	char where[96];

	if (chunk->strays > 0) {
		snprintf(where, sizeof where,
			 "%" PRIu64 " more between seq %" PRIu64 " and %" PRIu64, chunk->strays,
			 chunk->first, chunk->end - 1);
		verify_say(v, "a sealed row without an entry", where, "entries that name them",
			   "none");
	}
}

static void
drop_chunk(struct verify_rows *rows, struct helper *helper, struct verify *v)
{
	tell_notes(helper, v, chunk_of(helper)->rows);
	say_strays(v, chunk_of(helper));
	if (chunk_of(helper)->has_fault) {
		say_fault(v, chunk_of(helper));
	}
	helper->has_chunk = false;
	hand_on(rows, helper);
}

/* The helper whose chunk begins first. */
static struct helper *
first_helper(struct verify_rows *rows, struct verify *v)
{
	struct helper *first = NULL;

	for (unsigned i = 0; i < rows->jobs; i++) {
		struct helper *helper = &rows->helpers[i];

		fetch_chunk(rows, helper, v);
		if (helper->has_chunk && !helper->is_over &&
		    (first == NULL || chunk_of(helper)->first < chunk_of(first)->first)) {
			first = helper;
		}
	}
	return first;
}

const struct verify_fact *
rows_peek(struct verify_rows *rows, struct verify *v)
{
	for (;;) {
		if (rows->current == NULL) {
			rows->current = first_helper(rows, v);
		}
		struct helper *helper = rows->current;
		if (helper == NULL) {
			return NULL;
		}
		const struct chunk *chunk = chunk_of(helper);
		if (helper->row < chunk->rows) {
			return &chunk->facts[helper->row];
		}
		drop_chunk(rows, helper, v);
		rows->current = NULL;
	}
}

/* The event of the row at hand: its entry stands somewhere behind those that were passed. */
static const struct event *
said_by(struct verify_rows *rows, struct helper *helper)
{
	const struct chunk *chunk = chunk_of(helper);
	struct kept_head head = { 0, 0 };
	struct entry entry;

	do {
		assert(helper->kept < chunk->kept_count);
		memcpy(&head, chunk->kept + helper->kept, sizeof head);
		helper->kept += (uint32_t)sizeof head + head.count;
	} while (head.row != helper->row);
	const struct span bytes = { chunk->kept + helper->kept - head.count, head.count };
	const bool is_known = entry_read(bytes, &entry) &&
			      entry_to_event(&entry, NULL, &rows->event) == ENTRY_KNOWN;
	return is_known ? &rows->event : NULL;
}

void
rows_take(struct verify_rows *rows, struct verify *v)
{
	struct helper *helper = rows->current;
	assert(helper != NULL);
	const struct chunk *chunk = chunk_of(helper);
	const struct verify_fact *fact = &chunk->facts[helper->row];

	tell_notes(helper, v, helper->row);
	verify_join(v, fact, fact->says_more ? said_by(rows, helper) : NULL);
	helper->row++;
}

void
verify_rows_end(struct verify_rows *rows, struct verify *v)
{
	while (rows_peek(rows, v) != NULL) {
		rows_take(rows, v);
	}
	close(rows->follower.line);
	for (unsigned i = 0; i < rows->jobs; i++) {
		struct helper *helper = &rows->helpers[i];

		close(helper->line);
		while (waitpid(helper->process, NULL, 0) < 0 && errno == EINTR) {
		}
		munmap(helper->chunks, SLOTS * sizeof *helper->chunks);
	}
	free(rows);
}
