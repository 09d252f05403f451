#include "protocol/turn.h"

#include <assert.h>

const char *
turn_method_name(uint64_t method)
{
	switch (method) {
	case TURN_BINDING:
		return "Binding";
	case TURN_ALLOCATE:
		return "Allocate";
	case TURN_REFRESH:
		return "Refresh";
	case TURN_SEND:
		return "Send";
	case TURN_DATA:
		return "Data";
	case TURN_CREATE_PERMISSION:
		return "CreatePermission";
	case TURN_CHANNEL_BIND:
		return "ChannelBind";
	case TURN_CONNECT:
		return "Connect";
	case TURN_CONNECTION_BIND:
		return "ConnectionBind";
	case TURN_CONNECTION_ATTEMPT:
		return "ConnectionAttempt";
	}
	return NULL;
}

uint8_t
turn_family(uint8_t on_the_wire)
{
	switch (on_the_wire) {
	case TURN_FAMILY_IPV4:
		return ADDRESS_IPV4;
	case TURN_FAMILY_IPV6:
		return ADDRESS_IPV6;
	default:
		return ADDRESS_NONE;
	}
}

bool
turn_channel_is_valid(uint64_t channel, bool legacy)
{
	return channel >= CHANNEL_NUMBER_MIN &&
	       channel <= (legacy ? CHANNEL_NUMBER_LEGACY_MAX : CHANNEL_NUMBER_MAX);
}

bool
turn_channel_read(struct span datagram, struct channel_data *out)
{
	if (datagram.count < CHANNEL_HEADER_BYTES) {
		return false;
	}
	const uint8_t *at = datagram.at;
	const uint16_t number = (uint16_t)(at[0] << 8 | at[1]);
	const size_t count = (size_t)(at[2] << 8 | at[3]);

	if (!turn_channel_is_valid(number, true) || count > datagram.count - CHANNEL_HEADER_BYTES) {
		return false;
	}
	*out = (struct channel_data){ number, { at + CHANNEL_HEADER_BYTES, count } };
	return true;
}

void
turn_channel_write(uint8_t out[CHANNEL_HEADER_BYTES], uint16_t channel, size_t count)
{
	assert(turn_channel_is_valid(channel, true));
	assert(count <= UINT16_MAX);
	out[0] = (uint8_t)(channel >> 8);
	out[1] = (uint8_t)channel;
	out[2] = (uint8_t)(count >> 8);
	out[3] = (uint8_t)count;
}

uint64_t
turn_lifetime_s(uint64_t asked_s, uint64_t most_s)
{
	const uint64_t least_s = most_s < ALLOCATION_LIFETIME_S ? most_s : ALLOCATION_LIFETIME_S;

	if (asked_s <= least_s) {
		return least_s;
	}
	return asked_s < most_s ? asked_s : most_s;
}
