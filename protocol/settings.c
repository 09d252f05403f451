#include "protocol/settings.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "protocol/settings_value.h"

static const struct setting_description table[] = {
#define SETTING(kind, key, member, environment, preset, help)                                      \
	{ key, SETTING_##kind, environment, preset, help, offsetof(struct settings, member) },
#include "protocol/settings.def"
#undef SETTING
};

enum { KEYS = SETTINGS_COUNT, DISTANCE_MAX = 2, KEY_BYTES_MAX = 48 };

const struct setting_description *
settings_table(size_t *count)
{
	*count = KEYS;
	return table;
}

void
setting_fault_add(struct setting_faults *faults, const char *format, ...)
{
	va_list arguments;

	if (faults->count == SETTING_FAULTS_MAX) {
		snprintf(faults->lines[SETTING_FAULTS_MAX - 1], SETTING_FAULT_MAX,
			 "(more faults follow: mend these first)");
		return;
	}
	va_start(arguments, format);
	vsnprintf(faults->lines[faults->count], SETTING_FAULT_MAX, format, arguments);
	va_end(arguments);
	faults->count++;
}

const struct setting_description *
settings_find(const char *key)
{
	for (size_t i = 0; i < KEYS; i++) {
		if (strcmp(table[i].key, key) == 0) {
			return &table[i];
		}
	}
	return NULL;
}

const char *
setting_source(const struct setting_faults *faults, const char *key)
{
	const struct setting_description *d = settings_find(key);

	assert(d != NULL);
	return faults->sources[d - table][0] == '\0' ? "preset" : faults->sources[d - table];
}

static size_t
smallest(size_t a, size_t b, size_t c)
{
	const size_t least = a < b ? a : b;

	return least < c ? least : c;
}

/* Levenshtein's distance; both shorter than KEY_BYTES_MAX. */
static size_t
distance(const char *a, const char *b)
{
	size_t row[KEY_BYTES_MAX];
	const size_t wide = strlen(b);

	assert(wide < KEY_BYTES_MAX);
	for (size_t j = 0; j <= wide; j++) {
		row[j] = j;
	}
	for (size_t i = 0; a[i] != '\0'; i++) {
		size_t corner = row[0];

		row[0] = i + 1;
		for (size_t j = 0; j < wide; j++) {
			const size_t above = row[j + 1];

			row[j + 1] = smallest(above + 1, row[j] + 1, corner + (a[i] != b[j]));
			corner = above;
		}
	}
	return row[wide];
}

const char *
setting_nearest_key(const char *key)
{
	const char *best = NULL;
	size_t least = DISTANCE_MAX + 1;

	if (strlen(key) >= KEY_BYTES_MAX) {
		return NULL;
	}
	for (size_t i = 0; i < KEYS; i++) {
		const size_t d = distance(key, table[i].key);

		if (d < least) {
			least = d;
			best = table[i].key;
		}
	}
	return best;
}

static bool
flag_read(const char *word, bool *out)
{
	static const char *const yes[] = { "yes", "true", "on", "1" };
	static const char *const no[] = { "no", "false", "off", "0" };

	for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++) {
		if (strcmp(word, yes[i]) == 0 || strcmp(word, no[i]) == 0) {
			*out = strcmp(word, yes[i]) == 0;
			return true;
		}
	}
	return false;
}

static const struct coturn_key {
	const char *key;
	bool holds;
	const char *text;
} coturn_keys[] = {
#define COTURN(key, holds, text) { key, holds, text },
#include "protocol/coturn.def"
#undef COTURN
};

static const struct coturn_key *
find_coturn(const char *key)
{
	for (size_t i = 0; i < sizeof coturn_keys / sizeof coturn_keys[0]; i++) {
		if (strcmp(coturn_keys[i].key, key) == 0) {
			return &coturn_keys[i];
		}
	}
	return NULL;
}

const char *
setting_coturn(const char *key, bool *holds)
{
	const struct coturn_key *coturn = find_coturn(key);

	*holds = coturn != NULL && coturn->holds;
	return coturn == NULL ? NULL : coturn->text;
}

/* Whether the flag is off is known when all is read: settings_check. */
static void
note_denial(const struct coturn_key *coturn, const char *value, const char *where,
	    struct setting_faults *faults)
{
	bool is_denied = true;

	if (coturn->text[0] == '\0' || faults->denial_count == SETTING_DENIALS_MAX ||
	    (value != NULL && flag_read(value, &is_denied) && !is_denied)) {
		return;
	}
	struct setting_denial *denial = &faults->denials[faults->denial_count++];
	denial->key = coturn->key;
	denial->flag = coturn->text;
	snprintf(denial->source, sizeof denial->source, "%s", where);
}

/* A key that is none of ours: one of coturn's that holds anyway is accepted. */
static bool
refuse_unknown(const char *key, const char *value, const char *where, struct setting_faults *faults)
{
	const struct coturn_key *coturn = find_coturn(key);
	const char *near = setting_nearest_key(key);

	if (coturn != NULL && coturn->holds) {
		note_denial(coturn, value, where, faults);
		return true;
	}
	if (coturn != NULL) {
		setting_fault_add(faults, "%s: %s: %s", where, key, coturn->text);
	} else if (strpbrk(key, " \t") != NULL) {
		setting_fault_add(faults, "%s: \"%.60s\" is no key: write KEY = VALUE", where, key);
	} else if (near != NULL) {
		setting_fault_add(faults, "%s: unknown key \"%.60s\": did you mean \"%s\"?", where,
				  key, near);
	} else {
		setting_fault_add(
			faults,
			"%s: unknown key \"%.60s\": remove it; `man ifswarm.conf` lists all keys",
			where, key);
	}
	return false;
}

/* Secrets are not repeated in a fault. */
static bool
refuse_value(const struct setting_description *d, const char *value, const char *where,
	     const char *wanted, struct setting_faults *faults)
{
	if (d->kind == SETTING_SECRETS) {
		setting_fault_add(faults, "%s: %s: %s", where, d->key, wanted);
	} else {
		setting_fault_add(faults, "%s: %s: \"%.60s\": %s", where, d->key, value, wanted);
	}
	return false;
}

static bool
number_read(const char *digits, uint64_t *out)
{
	uint64_t value = 0;
	size_t i = 0;

	for (; digits[i] >= '0' && digits[i] <= '9' && i < 18; i++) {
		value = value * 10 + (uint64_t)(digits[i] - '0');
	}
	if (i == 0 || digits[i] != '\0') {
		return false;
	}
	*out = value;
	return true;
}

/* Without the blanks around it; false if it is too long or has control characters. */
static bool
word_read(const char *value, struct setting_word *out)
{
	value += strspn(value, " \t");
	size_t length = strlen(value);

	while (length > 0 && (value[length - 1] == ' ' || value[length - 1] == '\t')) {
		length--;
	}
	if (length >= SETTING_BYTES_MAX) {
		return false;
	}
	for (size_t i = 0; i < length; i++) {
		if ((unsigned char)value[i] < 0x20 || value[i] == 0x7F) {
			return false;
		}
	}
	memset(out, 0, sizeof *out);
	memcpy(out->bytes, value, length);
	return true;
}

/* An empty value empties the list. */
static bool
list_add(struct setting_list *list, const struct setting_word *word, bool fresh)
{
	if (fresh || word->bytes[0] == '\0') {
		memset(list, 0, sizeof *list);
	}
	if (word->bytes[0] == '\0') {
		return true;
	}
	if (list->count == SETTING_ITEMS_MAX) {
		return false;
	}
	list->items[list->count++] = *word;
	return true;
}

static bool
number_set(const struct setting_description *d, uint64_t *place, const char *digits,
	   const char *where, struct setting_faults *faults)
{
	char wanted[SETTING_VALUE_FAULT_MAX];
	uint64_t number = 0;

	if (!number_read(digits, &number)) {
		return refuse_value(d, digits, where, "no whole number", faults);
	}
	if (setting_number_fault(d->key, number, wanted)) {
		return refuse_value(d, digits, where, wanted, faults);
	}
	*place = number;
	return true;
}

static bool
value_set(struct settings *settings, const struct setting_description *d,
	  const struct setting_word *word, bool fresh, const char *where,
	  struct setting_faults *faults)
{
	void *place = (char *)settings + d->offset;
	const bool is_list = d->kind == SETTING_LIST || d->kind == SETTING_SECRETS;
	const char *wanted = NULL;

	if (!is_list || word->bytes[0] != '\0') {
		wanted = setting_word_fault(d->key, word->bytes);
	}
	if (wanted != NULL) {
		return refuse_value(d, word->bytes, where, wanted, faults);
	}
	switch (d->kind) {
	case SETTING_NUMBER:
		return number_set(d, place, word->bytes, where, faults);
	case SETTING_FLAG:
		return flag_read(word->bytes, place) ||
		       refuse_value(d, word->bytes, where, "neither yes nor no", faults);
	case SETTING_WORD:
		memcpy(place, word, sizeof *word);
		return true;
	case SETTING_LIST:
	case SETTING_SECRETS:
		return list_add(place, word, fresh) ||
		       refuse_value(d, word->bytes, where, "one too many: at most 64 are kept",
				    faults);
	}
	return false;
}

bool
settings_set(struct settings *settings, const char *key, const char *value, bool fresh,
	     const char *where, struct setting_faults *faults)
{
	const struct setting_description *d = settings_find(key);
	struct setting_word word;

	if (d == NULL) {
		return refuse_unknown(key, value, where, faults);
	}
	if (value == NULL && d->kind != SETTING_FLAG) {
		setting_fault_add(faults, "%s: %s needs a value: write %s = VALUE", where, key,
				  key);
		return false;
	}
	if (!word_read(value == NULL ? "yes" : value, &word)) {
		return refuse_value(d, value, where,
				    "longer than 511 bytes, or control characters in it", faults);
	}
	snprintf(faults->sources[d - table], SETTING_SOURCE_MAX, "%s", where);
	return value_set(settings, d, &word, fresh, where, faults);
}

static void
preset_list(struct setting_list *list, const char *preset)
{
	memset(list, 0, sizeof *list);
	while (*preset != '\0') {
		const size_t length = strcspn(preset, ",");

		assert(list->count < SETTING_ITEMS_MAX);
		assert(length < SETTING_BYTES_MAX);
		memcpy(list->items[list->count++].bytes, preset, length);
		preset += length + (preset[length] == ',');
	}
}

void
settings_preset(struct settings *settings)
{
	struct setting_faults none = { 0 };

	memset(settings, 0, sizeof *settings);
	for (size_t i = 0; i < KEYS; i++) {
		if (table[i].kind == SETTING_LIST || table[i].kind == SETTING_SECRETS) {
			preset_list((void *)((char *)settings + table[i].offset), table[i].preset);
			continue;
		}
		const bool fits = settings_set(settings, table[i].key, table[i].preset, true,
					       "preset", &none);

		assert(fits);
	}
}
