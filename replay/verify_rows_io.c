#include "replay/verify_rows_io.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "replay/verify_rows_helper_io.h"

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

	helper->chunks = mmap(NULL, ROWS_SLOTS * sizeof *helper->chunks, PROT_READ | PROT_WRITE,
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
		struct rows_work work = { .options = &rows->options,
					  .number = number,
					  .jobs = rows->jobs,
					  .chunks = helper->chunks,
					  .line = line[1] };
		/* The parent's ends, of this and of other lines, must not keep those open. */
		for (unsigned i = 0; i < number; i++) {
			close(rows->helpers[i].line);
		}
		close(line[0]);
		rows_run_helper(&work);
	}
	close(line[1]);
	helper->line = line[0];
	for (unsigned i = 0; i < ROWS_SLOTS; i++) {
		rows_pass_token(helper->line);
	}
}

static unsigned
jobs_of(const struct rows_options *options)
{
	const long cores = sysconf(_SC_NPROCESSORS_ONLN);
	const uint64_t blocks = options->size / ROWS_BLOCK + 1;
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
	return &helper->chunks[helper->at % ROWS_SLOTS];
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
	rows_pass_token(helper->line); /* in vain if it has ended: fetch_chunk will tell */
}

/* It ended, by itself or by an assertion: what it was given and has not freed, nobody else will. */
static void
lose_follower(struct verify_rows *rows)
{
	rows->follower.is_there = false;
	for (unsigned i = 0; i < rows->jobs; i++) {
		struct helper *helper = &rows->helpers[i];

		for (; helper->freed < helper->at; helper->freed++) {
			if (!helper->chunks[helper->freed % ROWS_SLOTS].is_followed) {
				rows_pass_token(helper->line);
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
	if (follower->is_there && rows_pass_number(follower->line, number)) {
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
	return rows_take_token(helper->line);
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
		if (entry_read(bytes, &entry) && rows_is_decided(entry.stream) &&
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
	while (rows_take_number(rows->follow, &number)) {
		struct helper *helper = &rows->helpers[number];
		struct chunk *chunk = &helper->chunks[at[number]++ % ROWS_SLOTS];

		if (!follow_chunk(chunk, visit, context)) {
			return false;
		}
		chunk->is_followed = true;
		rows_pass_token(helper->line);
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
		munmap(helper->chunks, ROWS_SLOTS * sizeof *helper->chunks);
	}
	free(rows);
}
