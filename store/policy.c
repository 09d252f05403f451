#include "store/policy.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORDS_MAX = 3 + POLICY_WITNESSES_MAX + POLICY_GROUPS_MAX };

struct word {
	const char *at;
	size_t count;
};

struct reading {
	struct policy *policy;
	enum policy_kind kind;
	uint32_t line;
	size_t word_count;
	struct word words[WORDS_MAX];
	bool has_quorum;
	uint64_t grouped; /* members that are in a group already */
	char *fault;
};

__attribute__((format(printf, 2, 3))) static bool
refuse(const struct reading *r, const char *format, ...)
{
	va_list arguments;
	const int used = snprintf(r->fault, POLICY_FAULT_MAX, "line %u: ", (unsigned)r->line);

	va_start(arguments, format);
	vsnprintf(r->fault + used, POLICY_FAULT_MAX - (size_t)used, format, arguments);
	va_end(arguments);
	return false;
}

/* --- words ---------------------------------------------------------------------------------------
 */

static bool
word_is(const struct word *word, const char *text)
{
	return word->count == strlen(text) && memcmp(word->at, text, word->count) == 0;
}

static bool
word_copy(const struct word *word, char *out, size_t most)
{
	if (word->count > most) {
		return false;
	}
	memcpy(out, word->at, word->count);
	out[word->count] = '\0';
	return true;
}

static bool
split(struct reading *r, const char *line, size_t count)
{
	size_t at = 0;

	r->word_count = 0;
	while (at < count) {
		const size_t start = at;

		while (at < count && line[at] != ' ' && line[at] != '\t') {
			at++;
		}
		if (at > start && r->word_count == WORDS_MAX) {
			return refuse(r, "too many words");
		}
		if (at > start) {
			r->words[r->word_count++] = (struct word){ line + start, at - start };
		}
		at++;
	}
	return true;
}

static bool
has_bad_byte(const char *line, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const uint8_t byte = (uint8_t)line[i];

		if ((byte < 0x20 && byte != '\t') || byte == 0x7F) {
			return true;
		}
	}
	return false;
}

/* --- what a line defines -------------------------------------------------------------------------
 */

static bool
read_key(const struct reading *r, const struct word *word, enum vkey_type type,
	 struct log_verifier *out)
{
	char text[CHECKPOINT_VKEY_MAX];

	if (word_copy(word, text, sizeof text - 1) && vkey_read(text, type, out)) {
		return true;
	}
	return refuse(r,
		      "not the Ed25519 verifier key of a %s: write NAME+KEYID+BASE64, as %s "
		      "publishes it",
		      type == VKEY_LOG ? "log" : "witness",
		      type == VKEY_LOG ? "the log" : "the witness");
}

static bool
read_url(const struct reading *r, size_t at, char out[POLICY_URL_MAX + 1])
{
	out[0] = '\0';
	if (at >= r->word_count) {
		return true;
	}
	if (!word_copy(&r->words[at], out, POLICY_URL_MAX)) {
		return refuse(r, "the URL is longer than %d bytes", POLICY_URL_MAX);
	}
	if (strncmp(out, "http://", 7) != 0 && strncmp(out, "https://", 8) != 0) {
		return refuse(r, "the URL is to begin with https:// or http://");
	}
	return true;
}

static bool
same_key(const struct log_verifier *a, const struct log_verifier *b)
{
	return memcmp(a->public_key, b->public_key, sizeof a->public_key) == 0;
}

static bool
read_log(struct reading *r)
{
	struct policy *p = r->policy;
	struct policy_log *log = &p->logs[p->log_count];

	if (r->word_count < 2 || r->word_count > 3) {
		return refuse(r, "write: log VKEY [URL]");
	}
	if (p->log_count == POLICY_LOGS_MAX) {
		return refuse(r, "more than %d logs", POLICY_LOGS_MAX);
	}
	if (!read_key(r, &r->words[1], VKEY_LOG, &log->key) || !read_url(r, 2, log->url)) {
		return false;
	}
	for (uint32_t i = 0; i < p->log_count; i++) {
		if (same_key(&p->logs[i].key, &log->key)) {
			return refuse(r, "this log's key stands on an earlier line already");
		}
	}
	p->log_count++;
	return true;
}

/* The member of that name; POLICY_NONE if there is none yet. */
static int
find_member(const struct policy *p, const struct word *name)
{
	for (uint32_t i = 0; i < p->witness_count; i++) {
		if (word_is(name, p->witnesses[i].name)) {
			return (int)i;
		}
	}
	for (uint32_t i = 0; i < p->group_count; i++) {
		if (word_is(name, p->groups[i].name)) {
			return POLICY_WITNESSES_MAX + (int)i;
		}
	}
	return POLICY_NONE;
}

static bool
read_new_name(const struct reading *r, const struct word *word, char out[POLICY_NAME_MAX + 1])
{
	if (!word_copy(word, out, POLICY_NAME_MAX)) {
		return refuse(r, "the name is longer than %d bytes", POLICY_NAME_MAX);
	}
	if (word_is(word, "none") || find_member(r->policy, word) != POLICY_NONE) {
		return refuse(r, "the name \"%.64s\" is taken: choose another", out);
	}
	return true;
}

static bool
read_witness(struct reading *r)
{
	struct policy *p = r->policy;
	struct policy_witness *witness = &p->witnesses[p->witness_count];

	if (r->word_count < 3 || r->word_count > 4) {
		return refuse(r, "write: witness NAME VKEY [URL]");
	}
	if (p->witness_count == POLICY_WITNESSES_MAX) {
		return refuse(r, "more than %d witnesses", POLICY_WITNESSES_MAX);
	}
	if (!read_new_name(r, &r->words[1], witness->name) ||
	    !read_key(r, &r->words[2], VKEY_COSIGNER, &witness->key) ||
	    !read_url(r, 3, witness->url)) {
		return false;
	}
	for (uint32_t i = 0; i < p->witness_count; i++) {
		if (same_key(&p->witnesses[i].key, &witness->key)) {
			return refuse(r, "this witness's key stands on an earlier line already");
		}
	}
	p->witness_count++;
	return true;
}

static bool
read_members(struct reading *r, uint64_t *members)
{
	for (size_t i = 3; i < r->word_count; i++) {
		const int member = find_member(r->policy, &r->words[i]);

		if (member == POLICY_NONE) {
			return refuse(r, "\"%.*s\" is not defined on a line before this",
				      (int)(r->words[i].count > POLICY_NAME_MAX
						    ? POLICY_NAME_MAX
						    : r->words[i].count),
				      r->words[i].at);
		}
		if ((r->grouped & UINT64_C(1) << member) != 0) {
			return refuse(r, "\"%.*s\" is a member of a group already",
				      (int)r->words[i].count, r->words[i].at);
		}
		r->grouped |= UINT64_C(1) << member;
		*members |= UINT64_C(1) << member;
	}
	return true;
}

/* "all", "any", or a number from 1 to the members' in decimal. */
static bool
read_threshold(const struct reading *r, uint32_t members, uint32_t *out)
{
	const struct word *word = &r->words[2];
	char digits[4];

	if (word_is(word, "all") || word_is(word, "any")) {
		*out = word_is(word, "all") ? members : 1;
		return true;
	}
	const bool is_number = word_copy(word, digits, sizeof digits - 1) &&
			       strspn(digits, "0123456789") == word->count && digits[0] != '0';
	*out = is_number ? (uint32_t)strtoul(digits, NULL, 10) : 0;
	return (*out >= 1 && *out <= members) ||
	       refuse(r, "write all, any, or how many of its %u members are wanted",
		      (unsigned)members);
}

static bool
read_group(struct reading *r)
{
	struct policy *p = r->policy;
	struct policy_group group = { .threshold = 0 };

	if (r->word_count < 4) {
		return refuse(r, "write: group NAME all|any|K MEMBER...");
	}
	if (p->group_count == POLICY_GROUPS_MAX) {
		return refuse(r, "more than %d groups", POLICY_GROUPS_MAX);
	}
	if (!read_new_name(r, &r->words[1], group.name) ||
	    !read_threshold(r, (uint32_t)r->word_count - 3, &group.threshold) ||
	    !read_members(r, &group.members)) {
		return false;
	}
	p->groups[p->group_count++] = group;
	return true;
}

static bool
read_quorum(struct reading *r)
{
	if (r->word_count != 2) {
		return refuse(r, "write: quorum NAME, or quorum none");
	}
	if (r->has_quorum) {
		return refuse(r, "a second quorum: there is to be one");
	}
	r->has_quorum = true;
	if (word_is(&r->words[1], "none")) {
		return true;
	}
	r->policy->quorum = find_member(r->policy, &r->words[1]);
	return r->policy->quorum != POLICY_NONE ||
	       refuse(r, "the quorum names nothing that is defined on a line before this");
}

/* --- the file ------------------------------------------------------------------------------------
 */

static bool
read_line(struct reading *r, const char *line, size_t count)
{
	if (has_bad_byte(line, count)) {
		return refuse(r, "a control character: is it a text file with Unix line ends?");
	}
	const size_t blank = strspn(line, " \t");
	if (blank >= count || line[blank] == '#') {
		return true;
	}
	if (!split(r, line, count)) {
		return false;
	}
	if (word_is(&r->words[0], "log")) {
		return read_log(r);
	}
	if (r->kind == POLICY_LOGS) {
		return refuse(r, "only lines \"log VKEY [URL]\" belong here");
	}
	if (word_is(&r->words[0], "witness")) {
		return read_witness(r);
	}
	if (word_is(&r->words[0], "group")) {
		return read_group(r);
	}
	if (word_is(&r->words[0], "quorum")) {
		return read_quorum(r);
	}
	return refuse(r, "a line begins with log, witness, group or quorum");
}

static bool
read_lines(struct reading *r, const char *text, size_t count)
{
	size_t at = 0;

	while (at < count) {
		const char *end = memchr(text + at, '\n', count - at);

		r->line++;
		if (end == NULL) {
			return refuse(r, "the last line does not end in a newline: is the file "
					 "whole?");
		}
		if (!read_line(r, text + at, (size_t)(end - text) - at)) {
			return false;
		}
		at = (size_t)(end - text) + 1;
	}
	if (r->kind == POLICY_WHOLE && !r->has_quorum) {
		return refuse(r, "no quorum line: write quorum NAME, or quorum none");
	}
	return true;
}

bool
policy_read(struct span text, enum policy_kind kind, struct policy *out,
	    char fault[POLICY_FAULT_MAX])
{
	struct reading r = { .policy = out, .kind = kind, .fault = fault };

	memset(out, 0, sizeof *out);
	out->quorum = POLICY_NONE;
	if (text.count > POLICY_BYTES_MAX) {
		return refuse(&r, "the file is larger than %d bytes", POLICY_BYTES_MAX);
	}
	return read_lines(&r, (const char *)text.at, text.count);
}

/* --- the quorum ----------------------------------------------------------------------------------
 */

static uint32_t
count_members(uint64_t members)
{
	uint32_t count = 0;

	for (; members != 0; members &= members - 1) {
		count++;
	}
	return count;
}

bool
policy_quorum_holds(const struct policy *policy, uint32_t cosigned)
{
	uint64_t witnessed = cosigned;

	/* A group refers to earlier ones only: one pass settles them all. */
	for (uint32_t i = 0; i < policy->group_count; i++) {
		const struct policy_group *group = &policy->groups[i];

		if (count_members(group->members & witnessed) >= group->threshold) {
			witnessed |= UINT64_C(1) << (POLICY_WITNESSES_MAX + i);
		}
	}
	assert(policy->quorum < POLICY_WITNESSES_MAX + POLICY_GROUPS_MAX);
	return policy->quorum == POLICY_NONE || (witnessed & UINT64_C(1) << policy->quorum) != 0;
}
