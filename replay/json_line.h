/* JSON written as it is said, for the files of an export that hold a line for each event: no tree
 * of values is built first. (jansson's tree and its dump took 64 % of an export; it stays for
 * whatever is read, and for single documents.) RFC 8259, compact, ASCII: what lies beyond is
 * \uXXXX.
 *
 *   json_line_start, json_line_open(line, NULL, '{'), values ..., json_line_close(line, '}')
 *
 * A key is NULL within an array and for the whole; keys are ASCII that needs no escape. The text
 * grows with the line and is kept from one line to the next.
 */
#ifndef IFSWARM_REPLAY_JSON_LINE_H
#define IFSWARM_REPLAY_JSON_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json_line {
	char *text; /* terminated, once a line was started */
	size_t count;
	size_t size;
	bool has_value; /* before here, in this object or array: a comma is due */
};

/* From all zeros, or from a line before. */
void json_line_start(struct json_line *line);
void json_line_free(struct json_line *line);

void json_line_open(struct json_line *line, const char *key, char bracket);
void json_line_close(struct json_line *line, char bracket);

void json_line_word(struct json_line *line, const char *key, const char *text);
/* As it is if it is UTF-8, with the escapes of words.h if it is not. */
void json_line_string(struct json_line *line, const char *key, const char *bytes, size_t count);
/* A number up to INT64_MAX, which every reader takes; a string for what no honest log holds. */
void json_line_number(struct json_line *line, const char *key, uint64_t number);
void json_line_hex(struct json_line *line, const char *key, const void *bytes, size_t count);
void json_line_base64(struct json_line *line, const char *key, const uint8_t *bytes, size_t count);
void json_line_true(struct json_line *line, const char *key);
void json_line_null(struct json_line *line, const char *key);

#endif
