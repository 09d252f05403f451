#include "replay/scroll.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "replay/words.h"

void
scroll_begin(struct scroll *scroll, report_write *write, void *context)
{
	scroll->write = write;
	scroll->context = context;
	scroll->is_stopped = false;
	scroll->count = 0;
}

static void
hand_on(struct scroll *scroll)
{
	if (!scroll->is_stopped && scroll->count > 0) {
		scroll->is_stopped = !scroll->write(scroll->context, scroll->text, scroll->count);
	}
	scroll->count = 0;
}

bool
scroll_end(struct scroll *scroll)
{
	hand_on(scroll);
	return !scroll->is_stopped;
}

static void
put(struct scroll *scroll, const char *bytes, size_t count)
{
	while (count > 0) {
		const size_t room = SCROLL_PIECE_MAX - scroll->count;
		const size_t piece = count < room ? count : room;

		memcpy(scroll->text + scroll->count, bytes, piece);
		scroll->count += piece;
		bytes += piece;
		count -= piece;
		if (scroll->count == SCROLL_PIECE_MAX) {
			hand_on(scroll);
		}
	}
}

void
scroll_put(struct scroll *scroll, const char *text)
{
	put(scroll, text, strlen(text));
}

void
scroll_add(struct scroll *scroll, const char *format, ...)
{
	char text[SCROLL_ADD_MAX];
	va_list arguments;

	va_start(arguments, format);
	const int count = vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	assert(count >= 0);
	assert((size_t)count < sizeof text);
	put(scroll, text, (size_t)count);
}

static const char *
reference_of(char c)
{
	switch (c) {
	case '&':
		return "&amp;";
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	case '"':
		return "&quot;";
	case '\'':
		return "&#39;";
	}
	return NULL;
}

void
scroll_html_word(struct scroll *scroll, const char *word)
{
	for (; *word != '\0'; word++) {
		const char *reference = reference_of(*word);

		if (reference != NULL) {
			scroll_put(scroll, reference);
		} else {
			put(scroll, word, 1);
		}
	}
}

void
scroll_plain(struct scroll *scroll, const char *bytes, size_t count)
{
	char shown[4 * JSON_BYTES_MAX + 1];

	scroll_put(scroll, words_escape(shown, sizeof shown, bytes, count));
}

void
scroll_html(struct scroll *scroll, const char *bytes, size_t count)
{
	char shown[4 * JSON_BYTES_MAX + 1];

	scroll_html_word(scroll, words_escape(shown, sizeof shown, bytes, count));
}
