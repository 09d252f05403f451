/* What a process tells the operator: one line on standard error, "time level actor: what: what to
 * do".
 *
 * A fault of the world is logged once, where it is acted on; a refusal is an event, not a line; a
 * packet is neither. Nothing secret and nothing personal belongs in a line: no keys, passwords,
 * agent names or addresses of clients. Control characters are escaped, so that no foreign text can
 * start a line.
 */
#ifndef IFSWARM_PROTOCOL_LOG_LINE_IO_H
#define IFSWARM_PROTOCOL_LOG_LINE_IO_H

#include <stdbool.h>

enum log_level { LOG_LINE_ERROR, LOG_LINE_WARNING, LOG_LINE_INFO, LOG_LINE_DEBUG };

enum { LOG_LINE_BYTES_MAX = 1024 };

/* False if the word is none of error, warning, info, debug. */
bool log_level_from_word(const char *word, enum log_level *out);

/* Names this process ("relay-1") in its lines and drops lines above `level`. Before it is called
 * the name is "ifswarm" and the level info. */
void log_line_start(const char *actor, enum log_level level);

/* Another level from now on. */
void log_level_set(enum log_level level);

/* printf-like, without a newline; cut at LOG_LINE_BYTES_MAX. One write for each line, so that lines
 * of several processes do not mix. Keeps errno. */
__attribute__((format(printf, 2, 3))) void log_line(enum log_level level, const char *format, ...);

#define log_error(...)   log_line(LOG_LINE_ERROR, __VA_ARGS__)
#define log_warning(...) log_line(LOG_LINE_WARNING, __VA_ARGS__)
#define log_info(...)    log_line(LOG_LINE_INFO, __VA_ARGS__)
#define log_debug(...)   log_line(LOG_LINE_DEBUG, __VA_ARGS__)

#endif
