#include "protocol/settings_reload.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char *const reloadable[] = {
#define RELOADABLE(kind, key, member) key,
#include "protocol/reload.def"
#undef RELOADABLE
};

bool
setting_is_reloadable(const char *key)
{
	for (size_t i = 0; i < sizeof reloadable / sizeof reloadable[0]; i++) {
		if (strcmp(reloadable[i], key) == 0) {
			return true;
		}
	}
	return false;
}

static bool
is_in(const struct setting_list *list, const char *text)
{
	for (size_t i = 0; i < list->count; i++) {
		if (strcmp(list->items[i].bytes, text) == 0) {
			return true;
		}
	}
	return false;
}

static bool
is_equal_list(const struct setting_list *a, const struct setting_list *b)
{
	bool equal = a->count == b->count;

	for (size_t i = 0; i < a->count && equal; i++) {
		equal = strcmp(a->items[i].bytes, b->items[i].bytes) == 0;
	}
	return equal;
}

bool
setting_is_equal(const struct settings *a, const struct settings *b, size_t place)
{
	size_t count;
	const struct setting_description *d = &settings_table(&count)[place];
	const void *left = (const char *)a + d->offset;
	const void *right = (const char *)b + d->offset;

	assert(place < count);
	switch (d->kind) {
	case SETTING_NUMBER:
		return *(const uint64_t *)left == *(const uint64_t *)right;
	case SETTING_FLAG:
		return *(const bool *)left == *(const bool *)right;
	case SETTING_WORD:
		return strcmp(left, right) == 0;
	case SETTING_LIST:
	case SETTING_SECRETS:
		return is_equal_list(left, right);
	}
	return true;
}

const char *
retired_secret_read(const char *text, uint64_t *until_s)
{
	uint64_t value = 0;
	size_t i = 0;

	for (; text[i] >= '0' && text[i] <= '9' && i < 18; i++) {
		value = value * 10 + (uint64_t)(text[i] - '0');
	}
	if (i == 0 || text[i] != ':' || text[i + 1] == '\0') {
		return NULL;
	}
	*until_s = value;
	return text + i + 1;
}

static bool
is_retired(const struct setting_list *list, const char *secret)
{
	uint64_t until_s;

	for (size_t i = 0; i < list->count; i++) {
		const char *each = retired_secret_read(list->items[i].bytes, &until_s);

		if (each != NULL && strcmp(each, secret) == 0) {
			return true;
		}
	}
	return false;
}

/* An entry longer than a word, or one too many, cannot be: settings_check has counted them. */
static void
retire(struct setting_list *list, const char *secret, uint64_t until_s)
{
	char text[SETTING_BYTES_MAX + 24];
	const int length = snprintf(text, sizeof text, "%" PRIu64 ":%s", until_s, secret);

	if (list->count == SETTING_ITEMS_MAX || length >= SETTING_BYTES_MAX ||
	    is_retired(list, secret)) {
		return;
	}
	memcpy(list->items[list->count++].bytes, text, (size_t)length + 1);
}

/* Those of `from` that have not ended. */
static void
retire_all(struct setting_list *list, const struct setting_list *from,
	   const struct setting_list *current, uint64_t now_s, uint64_t longest_s)
{
	for (size_t i = 0; i < from->count; i++) {
		uint64_t until_s = 0;
		const char *secret = retired_secret_read(from->items[i].bytes, &until_s);

		if (secret == NULL || until_s <= now_s || is_in(current, secret)) {
			continue;
		}
		retire(list, secret, until_s < longest_s ? until_s : longest_s);
	}
}

static void
retire_secrets(struct settings *running, const struct settings *next, uint64_t now_s)
{
	const uint64_t until_s = now_s + next->secret_overlap;
	const struct setting_list *current = &next->static_auth_secret;
	struct setting_list retired = { 0 };

	if (next->secret_overlap > 0) {
		for (size_t i = 0; i < running->static_auth_secret.count; i++) {
			const char *secret = running->static_auth_secret.items[i].bytes;

			if (!is_in(current, secret)) {
				retire(&retired, secret, until_s);
			}
		}
		retire_all(&retired, &next->retired_auth_secret, current, now_s, until_s);
		retire_all(&retired, &running->retired_auth_secret, current, now_s, until_s);
	}
	running->retired_auth_secret = retired;
}

/* The listeners of TLS are opened at a start: a certificate can take the place of another, but not
 * of none. */
static bool
can_take(const struct settings *running, const struct settings *next, size_t place)
{
	const bool is_of_tls = place == SETTING_PLACE_cert || place == SETTING_PLACE_pkey;

	return setting_is_reloadable(settings_table(&(size_t){ 0 })[place].key) &&
	       (!is_of_tls || (running->cert.bytes[0] == '\0') == (next->cert.bytes[0] == '\0'));
}

void
settings_reload(struct settings *running, const struct settings *next, uint64_t now_s,
		struct setting_changes *out)
{
	memset(out, 0, sizeof *out);
	for (size_t i = 0; i < SETTINGS_COUNT; i++) {
		const bool differs = !setting_is_equal(running, next, i) &&
				     i != SETTING_PLACE_retired_auth_secret;
		const bool can = can_take(running, next, i);

		out->taken[i] = differs && can;
		out->kept[i] = differs && !can;
		out->taken_count += out->taken[i];
		out->kept_count += out->kept[i];
	}
	retire_secrets(running, next, now_s);
	const struct setting_list retired = running->retired_auth_secret;
	const struct setting_word cert = running->cert;
	const struct setting_word pkey = running->pkey;
#define RELOADABLE(kind, key, member) running->member = next->member;
#include "protocol/reload.def"
#undef RELOADABLE
	running->retired_auth_secret = retired;
	if (out->kept[SETTING_PLACE_cert]) {
		running->cert = cert;
		running->pkey = pkey;
	}
}
