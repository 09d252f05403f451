#include "actors/relay_reserve.h"

#include <assert.h>

#include "protocol/integrity.h"

static bool
is_free(const struct reservation *reservation)
{
	return id_is_none(&reservation->allocation);
}

bool
reservations_have_room(const struct reservations *reservations, const struct name *user)
{
	uint32_t held = 0;

	for (uint32_t i = 0; i < RESERVATIONS_MAX; i++) {
		const struct reservation *reservation = &reservations->items[i];
		held += !is_free(reservation) && name_equal(&reservation->user, user);
	}
	return reservations->count < RESERVATIONS_MAX && held < RESERVATIONS_PER_USER_MAX;
}

void
reservations_add(struct reservations *reservations, const struct reservation *reservation)
{
	uint32_t at = 0;

	assert(reservations->count < RESERVATIONS_MAX);
	assert(!is_free(reservation));
	while (!is_free(&reservations->items[at])) {
		at++;
	}
	reservations->items[at] = *reservation;
	reservations->count++;
}

struct reservation *
reservations_find(struct reservations *reservations, struct span token, const struct name *user,
		  uint64_t now_us)
{
	if (token.count != RESERVATION_TOKEN_BYTES) {
		return NULL;
	}
	for (uint32_t i = 0; i < RESERVATIONS_MAX; i++) {
		struct reservation *reservation = &reservations->items[i];
		if (!is_free(reservation) && reservation->until_us > now_us &&
		    integrity_equal(reservation->token, token.at, token.count) &&
		    name_equal(&reservation->user, user)) {
			return reservation;
		}
	}
	return NULL;
}

const struct reservation *
reservations_of(const struct reservations *reservations, const struct id *allocation,
		uint64_t now_us)
{
	for (uint32_t i = 0; i < RESERVATIONS_MAX; i++) {
		const struct reservation *reservation = &reservations->items[i];
		if (!is_free(reservation) && reservation->until_us > now_us &&
		    id_equal(&reservation->allocation, allocation)) {
			return reservation;
		}
	}
	return NULL;
}

void
reservations_remove(struct reservations *reservations, struct reservation *reservation)
{
	assert(!is_free(reservation));
	assert(reservations->count > 0);
	*reservation = (struct reservation){ 0 };
	reservations->count--;
}
