#include "protocol/uuid.h"

#include <string.h>

enum { COUNTER_MAX = (1 << 26) - 1 };

struct id
uuid_next(struct uuid_generator *generator, uint64_t now_ms)
{
	if (now_ms > generator->last_ms) {
		generator->last_ms = now_ms;
		generator->counter = 0;
	} else if (generator->counter == COUNTER_MAX) {
		generator->last_ms++;
		generator->counter = 0;
	} else {
		generator->counter++;
	}
	const uint64_t ms = generator->last_ms;
	const uint32_t counter = generator->counter;
	struct id id = { {
		(uint8_t)(ms >> 40), (uint8_t)(ms >> 32), (uint8_t)(ms >> 24), (uint8_t)(ms >> 16),
		(uint8_t)(ms >> 8), (uint8_t)ms, (uint8_t)(0x70 | counter >> 22),
		(uint8_t)(counter >> 14),                                  /* version 7 */
		(uint8_t)(0x80 | (counter >> 8 & 0x3F)), (uint8_t)counter, /* variant 10 */
	} };

	memcpy(id.bytes + 10, generator->tail, sizeof generator->tail);
	return id;
}
