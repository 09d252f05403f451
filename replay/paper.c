#include "replay/paper.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "protocol/limits.h"
#include "replay/words.h"

void
paper_clear(struct paper *paper)
{
	paper->count = 0;
	paper->is_cut = false;
	paper->text[0] = '\0';
}

void
paper_add(struct paper *paper, const char *format, ...)
{
	const size_t left = PAPER_MAX - paper->count;
	va_list arguments;

	va_start(arguments, format);
	const int wanted = vsnprintf(paper->text + paper->count, left, format, arguments);
	va_end(arguments);
	assert(wanted >= 0);
	if ((size_t)wanted >= left) {
		paper->is_cut = true;
		paper->count = PAPER_MAX - 1;
		return;
	}
	paper->count += (size_t)wanted;
}

void
paper_put(struct paper *paper, const char *bytes, size_t count)
{
	const size_t left = PAPER_MAX - 1 - paper->count;
	const size_t taken = count < left ? count : left;

	memcpy(paper->text + paper->count, bytes, taken);
	paper->count += taken;
	paper->text[paper->count] = '\0';
	paper->is_cut = paper->is_cut || taken < count;
}

void
paper_add_escaped(struct paper *paper, const char *bytes, size_t count)
{
	char shown[4 * NAME_BYTES_MAX + 1];

	paper_add(paper, "%s", words_escape(shown, sizeof shown, bytes, count));
}

void
paper_to_column(struct paper *paper, size_t column)
{
	size_t start = paper->count;

	while (start > 0 && paper->text[start - 1] != '\n') {
		start--;
	}
	const size_t width = words_width(paper->text + start);
	if (width >= column) {
		paper_add(paper, width > 0 ? " " : "");
		return;
	}
	paper_add(paper, "%*s", (int)(column - width), "");
}
