/* Settings as INI text: reading it with inih, and writing what a child reads again. */
#include "protocol/settings.h"

#include <assert.h>
#include <ini.h>
#include <stdio.h>
#include <string.h>

enum { LINE_BYTES_MAX = 1024, PLACE_BYTES_MAX = 300, KEYS_MAX = 128 };
_Static_assert(LINE_BYTES_MAX > SETTING_BYTES_MAX + 64,
	       "the longest line settings_write makes can be read");

struct reading {
	struct settings *settings;
	struct setting_faults *faults;
	const char *file;
	const char *at; /* the rest of the text */
	unsigned line;
	bool seen[KEYS_MAX]; /* by place in the table: a list's first value replaces the presets */
};

static const char *
place(const struct reading *reading, char *out)
{
	snprintf(out, PLACE_BYTES_MAX, "%.256s:%u", reading->file, reading->line);
	return out;
}

/* The length of the line without its end; a lone CR is part of the line. */
static size_t
next_line(struct reading *reading, const char **line)
{
	const size_t length = strcspn(reading->at, "\n");

	*line = reading->at;
	reading->at += length + (reading->at[length] == '\n');
	reading->line++;
	return length;
}

/* inih's reader, as fgets: hands over one line, counts it (inih tells no numbers), and replaces by
 * an empty one what has a fault already. */
static char *
read_line(char *out, int size, void *stream)
{
	struct reading *reading = stream;
	char where[PLACE_BYTES_MAX];
	const char *line;

	if (*reading->at == '\0') {
		return NULL;
	}
	size_t length = next_line(reading, &line);

	if (length + 3 > (size_t)size) {
		setting_fault_add(reading->faults,
				  "%s: the line is longer than %d bytes: shorten it",
				  place(reading, where), size - 3);
		length = 0;
	} else if (length > 0 && line[strspn(line, " \t")] == '[') {
		setting_fault_add(reading->faults, "%s: sections are not used: remove the line",
				  place(reading, where));
		length = 0;
	}
	memcpy(out, line, length);
	memcpy(out + length, "\n", 2);
	return out;
}

static int
take_pair(void *user, const char *section, const char *name, const char *value)
{
	struct reading *reading = user;
	const struct setting_description *d = settings_find(name);
	char where[PLACE_BYTES_MAX];
	bool fresh = true;
	size_t count;

	(void)section;
	if (d != NULL) {
		bool *seen = &reading->seen[d - settings_table(&count)];

		fresh = !*seen;
		*seen = true;
	}
	settings_set(reading->settings, name, value, fresh, place(reading, where), reading->faults);
	return 1;
}

/* Debian's inih takes its options from these variables. */
static void
configure_inih(void)
{
	ini_use_stack = false;
	ini_initial_alloc = LINE_BYTES_MAX;
	ini_max_line = LINE_BYTES_MAX;
	ini_allow_realloc = false;
	ini_allow_multiline = false;
	ini_allow_inline_comments = false; /* a secret may contain " ;" */
	ini_allow_no_value = true;
}

void
settings_read(struct settings *settings, const char *text, const char *file,
	      struct setting_faults *faults)
{
	struct reading reading = {
		.settings = settings,
		.faults = faults,
		.file = file,
		.at = text,
	};
	size_t count;

	settings_table(&count);
	assert(count <= KEYS_MAX);
	configure_inih();
	const int result = ini_parse_stream(read_line, &reading, take_pair, &reading);

	if (result != 0) {
		setting_fault_add(faults, "%s: cannot be read: write KEY = VALUE lines", file);
	}
}

struct writing {
	char *out;
	size_t size;
	size_t used; /* at least `size`: did not fit */
};

static void
put_pair(struct writing *w, const char *key, const char *value)
{
	if (w->used >= w->size) {
		return;
	}
	w->used += (size_t)snprintf(w->out + w->used, w->size - w->used, "%s = %s\n", key, value);
}

static void
put_list(struct writing *w, const char *key, const struct setting_list *list)
{
	if (list->count == 0) {
		put_pair(w, key, "");
	}
	for (size_t i = 0; i < list->count; i++) {
		put_pair(w, key, list->items[i].bytes);
	}
}

static void
put_number(struct writing *w, const char *key, uint64_t number)
{
	char digits[24];

	snprintf(digits, sizeof digits, "%llu", (unsigned long long)number);
	put_pair(w, key, digits);
}

static void
put_setting(struct writing *w, const struct settings *settings, const struct setting_description *d)
{
	const void *value = (const char *)settings + d->offset;

	switch (d->kind) {
	case SETTING_NUMBER:
		put_number(w, d->key, *(const uint64_t *)value);
		return;
	case SETTING_FLAG:
		put_pair(w, d->key, *(const bool *)value ? "yes" : "no");
		return;
	case SETTING_WORD:
		put_pair(w, d->key, ((const struct setting_word *)value)->bytes);
		return;
	case SETTING_LIST:
	case SETTING_SECRETS:
		put_list(w, d->key, value);
		return;
	}
}

size_t
settings_write(const struct settings *settings, char *out, size_t size)
{
	struct writing w = { .out = out, .size = size };
	size_t count;
	const struct setting_description *table = settings_table(&count);

	for (size_t i = 0; i < count; i++) {
		put_setting(&w, settings, &table[i]);
	}
	return w.used < w.size ? w.used : 0;
}
