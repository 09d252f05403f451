#include "protocol/turn_tally.h"

#include "protocol/verdict.h"

#define VERDICT(name, wire, stun, text, code)                                                      \
	_Static_assert((wire) < TALLY_VERDICTS, "a refusal has its place");
#include "protocol/verdict.def"
#undef VERDICT

/* All of it is one row of numbers. */
enum {
	PLACES = sizeof(struct turn_tally) / sizeof(uint64_t),
};
_Static_assert(sizeof(struct turn_tally) % sizeof(uint64_t) == 0, "nothing but numbers");
_Static_assert(PLACES * 9 + 3 <= TURN_TALLY_BYTES_MAX, "it fits");

void
turn_tally_write(struct mp_writer *w, const struct turn_tally *tally)
{
	const uint64_t *numbers = (const uint64_t *)tally;

	mp_put_array(w, PLACES);
	for (size_t i = 0; i < PLACES; i++) {
		mp_put_u64(w, numbers[i]);
	}
}

void
turn_tally_read(struct mp_reader *r, struct turn_tally *out)
{
	uint64_t *numbers = (uint64_t *)out;

	r->bad |= mp_get_array(r, PLACES) != PLACES;
	for (size_t i = 0; i < PLACES; i++) {
		numbers[i] = mp_get_u64(r);
	}
}
