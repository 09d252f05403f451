/* Words for a terminal and for JSON. Names come from strangers, and from files that may be hostile:
 * nothing reaches a terminal that could move its cursor, recolour it, or turn the reading direction
 * round.
 */
#ifndef IFSWARM_REPLAY_WORDS_H
#define IFSWARM_REPLAY_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Copies text, terminated. Control characters (C0, DEL, C1), invisible direction marks and
 * separators (Unicode bidi controls, U+2028, U+2029, U+FEFF) and bytes that are not UTF-8 become
 * \xNN, and a backslash \\, so that two different names never look the same by an escape. What does
 * not fit ends in "...". Returns `out`; size is at least 4. */
const char *words_escape(char *out, size_t size, const char *bytes, size_t count);

/* True for 32 hex digits: what is taken as a handle where a name or a handle may stand. */
bool words_is_handle(const char *word);

/* How many columns valid, escaped text takes: its scalars, each counted as one. */
size_t words_width(const char *text);

/* "0 B", "999 B", "1.0 kB", "12.3 MB": decimal units, as networks count. */
const char *words_bytes(char *out, size_t size, uint64_t bytes);
enum { WORDS_BYTES_MAX = 32 };

/* base64 of RFC 4648 section 4; `out` holds 4 * ((count + 2) / 3) + 1 bytes. */
void words_base64(char *out, const uint8_t *bytes, size_t count);

#endif
