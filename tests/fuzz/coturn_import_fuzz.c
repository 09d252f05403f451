/* Any text as turnserver.conf: no crash, and with no fault said the result is read without one. */
#include <stdlib.h>
#include <string.h>

#include "protocol/coturn_import.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { RESULT_MAX = 4 * 1024 * 1024 };

static char result[RESULT_MAX];
static size_t used;
static struct settings settings;
static struct setting_faults faults;

static void
take(void *context, const char *text, bool is_secret)
{
	const size_t length = strlen(text);

	(void)context;
	(void)is_secret;
	if (used + length < sizeof result) {
		memcpy(result + used, text, length + 1);
		used += length;
	}
}

static void
hear(void *context, enum import_kind kind, unsigned number, const char *key, const char *text)
{
	(void)context;
	(void)number;
	if (kind >= IMPORT_KINDS || strlen(key) > IMPORT_LINE_MAX || strlen(text) > 4096) {
		abort();
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct import import = { .write = take, .say = hear };
	char *text = malloc(size + 1);

	if (text == NULL) {
		return 0;
	}
	memcpy(text, data, size);
	text[size] = '\0';
	used = 0;
	result[0] = '\0';
	const size_t said = coturn_import(text, &import);
	free(text);

	memset(&faults, 0, sizeof faults);
	settings_preset(&settings);
	settings_read(&settings, result, "result", &faults);
	settings_check(&settings, &faults);
	if (said == 0 && faults.count != 0) {
		abort();
	}
	return 0;
}
