#include "replay/page.h"

struct page
page_of(const struct options *options)
{
	const bool is_forward = options->page > 0 || options->after.is_set;

	return (struct page){
		.is_forward = is_forward,
		.has_after = options->after.is_set,
		.after = options->after.value,
		.room = options->page > 0 ? options->page : options->limit,
	};
}

enum page_says
page_turn(struct page *page, uint64_t seq)
{
	if (page->has_after && seq <= page->after) {
		return PAGE_BEFORE;
	}
	if (page->is_forward && page->room > 0 && page->shown == page->room) {
		page->has_more = true;
		return PAGE_IS_FULL;
	}
	page->shown++;
	page->last = seq;
	return PAGE_SHOWS;
}
