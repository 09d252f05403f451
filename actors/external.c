#include "actors/external.h"

#include "protocol/address.h"

static size_t
votes_for(const struct address *answers, size_t count, const struct address *address)
{
	size_t votes = 0;

	for (size_t i = 0; i < count; i++) {
		votes += address_equal_ip(&answers[i], address);
	}
	return votes;
}

size_t
external_vote(const struct address *answers, size_t count, struct address *out)
{
	size_t most = 0;

	*out = (struct address){ 0 };
	for (size_t i = 0; i < count; i++) {
		const size_t votes = answers[i].family == ADDRESS_NONE
					     ? 0
					     : votes_for(answers, count, &answers[i]);

		if (votes > most) {
			most = votes;
			*out = answers[i];
			out->port = 0;
		}
	}
	return most;
}
