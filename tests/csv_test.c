#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "replay/csv.h"
#include "tests/disclosed_fixture.h"

/* threat_A12: what strangers call themselves must not run in a reviewer's spreadsheet either. */
static const struct {
	const char *name;
	const char *given;
	const char *then;
} cell_rows[] = {
	{ "a plain word", "alice", "alice" },
	{ "nothing", "", "" },
	{ "other scripts", "zo\xC3\xAB", "zo\xC3\xAB" },
	{ "a comma", "a,b", "\"a,b\"" },
	{ "a blank", "a b", "\"a b\"" },
	{ "a semicolon, some countries' comma", "a;b", "\"a;b\"" },
	{ "a quote is doubled", "a\"b", "\"a\"\"b\"" },
	{ "a line break is escaped, so that a row is a line", "a\r\nb", "a\\x0d\\x0ab" },
	{ "a formula", "=1+2", "\"'=1+2\"" },
	{ "a formula with quotes", "=HYPERLINK(\"x\")", "\"'=HYPERLINK(\"\"x\"\")\"" },
	{ "a plus", "+1", "\"'+1\"" },
	{ "a minus", "-1", "\"'-1\"" },
	{ "an at", "@SUM(A1)", "\"'@SUM(A1)\"" },
	{ "a tab in front", "\t=1", "\"'\\x09=1\"" },
	{ "a carriage return in front", "\r=1", "\"'\\x0d=1\"" },
	{ "a line feed in front", "\n=1", "\"'\\x0a=1\"" },
	{ "blanks in front", "  =1", "\"'  =1\"" },
	{ "a no-break space in front", "\xC2\xA0=1", "\"'\xC2\xA0=1\"" },
	{ "an ideographic space in front", "\xE3\x80\x80=1", "\"'\xE3\x80\x80=1\"" },
	{ "a full-width equals",
	  "\xEF\xBC\x9D"
	  "1",
	  "\"'\xEF\xBC\x9D"
	  "1\"" },
	{ "a full-width plus",
	  "\xEF\xBC\x8B"
	  "1",
	  "\"'\xEF\xBC\x8B"
	  "1\"" },
	{ "a full-width minus",
	  "\xEF\xBC\x8D"
	  "1",
	  "\"'\xEF\xBC\x8D"
	  "1\"" },
	{ "a full-width at",
	  "\xEF\xBC\xA0"
	  "1",
	  "\"'\xEF\xBC\xA0"
	  "1\"" },
	{ "a sign within is only a sign", "a=1", "a=1" },
	{ "blanks alone", "  ", "\"  \"" },
	{ "DDE", "cmd|' /C calc'!A0", "\"cmd|' /C calc'!A0\"" },
	{ "a terminal escape", "\x1B[31m", "\\x1b[31m" },
	{ "a reading direction turned round", "\xE2\x80\xAEtxt", "\\xe2\\x80\\xaetxt" },
	{ "bytes that are no text", "\xFF=", "\\xff=" },
};

static void
cells(void **state)
{
	struct paper paper;

	(void)state;
	for (size_t i = 0; i < sizeof cell_rows / sizeof cell_rows[0]; i++) {
		paper_clear(&paper);
		csv_cell(&paper, cell_rows[i].given, strlen(cell_rows[i].given));
		if (strcmp(paper.text, cell_rows[i].then) != 0) {
			fail_msg("%s: %s", cell_rows[i].name, paper.text);
		}
	}
}

/* RFC 4180 read strictly: the number of cells in the one record that the text is; 0 if it is none.
 * *formula: a cell begins as one. */
static unsigned
cells_in(const char *text, bool *formula)
{
	const char *at = text;
	unsigned count = 1;

	for (*formula = false;; at++) {
		const bool is_quoted = *at == '"';
		*formula = *formula ||
			   (at[is_quoted] != '\0' && strchr("=+-@\t", at[is_quoted]) != NULL);
		if (is_quoted) {
			for (at++; *at != '\0' && (*at != '"' || at[1] == '"'); at++) {
				at += *at == '"';
			}
			at += *at == '"';
		} else {
			at += strcspn(at, ",\"\r\n");
		}
		if (*at != ',') {
			return strcmp(at, "\r\n") == 0 ? count : 0;
		}
		count++;
	}
}

/* Whatever a stranger calls itself, every row has the header's columns, and none is a formula. */
static void
every_type_is_one_record(void **state)
{
	static const char *const words[] = { "alice", "=1+2", "a,\"b\"\r\nc", "\t@x", "" };
	struct sample sample;
	struct paper paper;
	bool formula = false;

	(void)state;
	paper_clear(&paper);
	csv_head(&paper);
	const unsigned columns = cells_in(paper.text, &formula);
	assert_int_equal(columns, 14);
	for (size_t i = 0; i < event_types(); i++) {
		for (size_t j = 0; j < sizeof words / sizeof words[0]; j++) {
			const struct event_description *one = event_describe_at(i);
			sample_make(&sample, one->type, i, words[j]);
			paper_clear(&paper);
			csv_row(&paper, &sample.disclosed);
			if (cells_in(paper.text, &formula) != columns || formula) {
				fail_msg("%s with %s: %s", one->name, words[j], paper.text);
			}
		}
	}
}

static void
a_row_says_what_the_entry_says(void **state)
{
	static const char *const head =
		"seq,leaf_hash,recorded_us,occurred_us,stream,stream_version,epoch,type,"
		"type_version,command_id,trace_id,cause,event,fields\r\n";
	static const char *const tail =
		",1790000001000000,1790000000998500,1,1,1,102,1,01020300000000000000000000000000,"
		"09090000000000000000000000000000,0,agent_disconnected,";
	struct sample sample;
	struct paper paper;

	(void)state;
	paper_clear(&paper);
	csv_head(&paper);
	assert_string_equal(paper.text, head);
	sample_make(&sample, EVENT_AGENT_DISCONNECTED, 1, "alice");
	sample.event.agent_disconnected.reason = LEAVE_TOO_SLOW;
	paper_clear(&paper);
	csv_row(&paper, &sample.disclosed);
	assert_non_null(strstr(paper.text, tail));
	assert_non_null(
		strstr(paper.text, "reason=too slow agent_name=alice room_name=alice\"\r\n"));
}

/* The longest that can be: a claim of nothing but quotes. */
static void
the_longest_row_fits(void **state)
{
	char word[JSON_BYTES_MAX + 1];
	struct sample sample;
	struct paper paper;
	bool formula = false;

	(void)state;
	for (int i = 0; i < 2; i++) {
		memset(word, i == 0 ? '"' : '\x01', sizeof word - 1);
		word[sizeof word - 1] = '\0';
		sample_make(&sample, EVENT_CLAIM_REPORTED, 5, word);
		paper_clear(&paper);
		csv_row(&paper, &sample.disclosed);
		assert_false(paper.is_cut);
		assert_int_equal(cells_in(paper.text, &formula), 14);
	}
}

static void
an_unknown_type_is_told(void **state)
{
	struct sample sample;
	struct paper paper;
	bool formula = false;

	(void)state;
	sample_make(&sample, EVENT_WITNESS_STOPPED, 0, "");
	sample.entry.type = 999;
	sample.disclosed.event = NULL;
	paper_clear(&paper);
	csv_row(&paper, &sample.disclosed);
	assert_int_equal(cells_in(paper.text, &formula), 14);
	assert_non_null(strstr(paper.text, ",999,"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cells),
		cmocka_unit_test(every_type_is_one_record),
		cmocka_unit_test(a_row_says_what_the_entry_says),
		cmocka_unit_test(the_longest_row_fits),
		cmocka_unit_test(an_unknown_type_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
