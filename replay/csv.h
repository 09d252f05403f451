/* Disclosed events as CSV: RFC 4180 (CRLF, quoted where needed), one row for each, safe to open in
 * a spreadsheet and to print on a terminal.
 *
 * A cell from outside that a spreadsheet could take for a formula (it begins with = + - @, a tab or
 * a carriage return, also full-width and also behind blanks) gets an apostrophe in front, as
 * OWASP's page on CSV injection advises; control characters and what turns the reading direction
 * round are escaped (words.h), and with them every line break. Columns that bundle.md names repeat
 * the entry; `event` and `fields` behind them are for people: "agent_name=alice
 * client=192.0.2.1:3478".
 */
#ifndef IFSWARM_REPLAY_CSV_H
#define IFSWARM_REPLAY_CSV_H

#include "replay/disclosed.h"
#include "replay/paper.h"

/* One cell, without a comma around it. Text from outside, of any length: what does not fit is cut
 * with
 * "..." before it is quoted, so that the row stays well-formed. */
void csv_cell(struct paper *out, const char *bytes, size_t count);

/* The header and one row: both end in CRLF. A row fits a sheet, whatever the event. */
void csv_head(struct paper *out);
void csv_row(struct paper *out, const struct disclosed *disclosed);

#endif
