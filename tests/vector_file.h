/* Test vectors: JSON files in tests/vectors/, read for the tests that check a frozen format. */
#ifndef IFSWARM_TESTS_VECTOR_FILE_H
#define IFSWARM_TESTS_VECTOR_FILE_H

/* cmocka wants these before itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "protocol/types.h"

static inline json_t *
vectors_load(const char *name)
{
	char path[4096];
	json_error_t error;

	snprintf(path, sizeof path, "%s/tests/vectors/%s.json", IFSWARM_SOURCE, name);
	json_t *root = json_load_file(path, 0, &error);
	if (root == NULL) {
		fail_msg("%s:%d: %s", path, error.line, error.text);
	}
	return root;
}

static inline const char *
vector_text(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	if (text == NULL) {
		fail_msg("a vector lacks %s", key);
	}
	return text;
}

static inline uint64_t
vector_number(const json_t *object, const char *key)
{
	assert_true(json_is_integer(json_object_get(object, key)));
	return (uint64_t)json_integer_value(json_object_get(object, key));
}

/* Bytes from hex, in memory that lives until vectors_bytes_free. */
struct vector_bytes {
	struct span span;
	uint8_t *memory;
};

static inline struct vector_bytes
vector_hex_text(const char *hex)
{
	const size_t count = strlen(hex) / 2;
	uint8_t *memory = malloc(count + 1);

	assert_non_null(memory);
	assert_true(hex_read(memory, hex, count));
	return (struct vector_bytes){ { memory, count }, memory };
}

static inline struct vector_bytes
vector_hex(const json_t *object, const char *key)
{
	return vector_hex_text(vector_text(object, key));
}

/* Exactly `count` bytes. */
static inline void
vector_fixed(const json_t *object, const char *key, uint8_t *out, size_t count)
{
	assert_int_equal(strlen(vector_text(object, key)), 2 * count);
	assert_true(hex_read(out, vector_text(object, key), count));
}

static inline void
assert_span_equal(struct span a, struct span b)
{
	assert_int_equal(a.count, b.count);
	if (a.count > 0) {
		assert_memory_equal(a.at, b.at, a.count);
	}
}

#endif
