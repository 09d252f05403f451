/* Entries as a foreign or damaged log might hold them: what is read is written again as the same
 * bytes. */
#include <assert.h>
#include <string.h>

#include "store/entry.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
	static uint8_t memory[ENTRY_BYTES_MAX];
	struct mp_writer w = mp_writer_of(memory, sizeof memory);
	struct entry entry;
	struct event event;

	if (!entry_read((struct span){ bytes, count }, &entry)) {
		return 0;
	}
	entry_write(&w, &entry);
	assert(!w.bad);
	assert(mp_written(&w).count == count);
	assert(memcmp(memory, bytes, count) == 0);
	entry_to_event(&entry, NULL, &event);
	return 0;
}
