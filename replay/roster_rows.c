#include "replay/roster_rows.h"

#include <inttypes.h>
#include <string.h>

static const struct roster_kind agents = {
	.name = "agents",
	.columns = { "room", "agent", "gateway" },
	.at = { 2, 36, 70 },
	.column_count = 3,
	.key_count = 2,
};

static const struct roster_kind allocations = {
	.name = "allocations",
	.columns = { "allocation", "user", "relay", "client", "relayed", "expires_us",
		     "relayed_also" },
	.at = { 2, 36, 60, 67, 90, 113, 131 },
	.column_count = 7,
	.key_count = 1,
};

const struct roster_kind *
roster_kind_of(enum stream stream)
{
	return stream == STREAM_SESSION ? &agents : &allocations;
}

void
roster_add_value(struct paper *paper, struct mp_reader *r)
{
	char shown[ADDRESS_PRINT_MAX];
	const uint8_t first = r->at < r->end ? *r->at : 0;
	struct address address = { 0 };

	if (mp_take_nil(r)) {
		paper_add(paper, "-");
	} else if (first < 0x80 || (first >= 0xCC && first <= 0xCF)) {
		paper_add(paper, "%" PRIu64, mp_get_u64(r));
	} else if (first >= 0xC4 && first <= 0xC6) {
		const struct span bytes = mp_get_bin(r, 64);
		if (bytes.count == 6 || bytes.count == 18) {
			address.family = bytes.count == 6 ? ADDRESS_IPV4 : ADDRESS_IPV6;
			memcpy(address.bytes, bytes.at, bytes.count - 2);
			address.port = (uint16_t)(bytes.at[bytes.count - 2] << 8 |
						  bytes.at[bytes.count - 1]);
			address_print(shown, sizeof shown, &address);
			paper_add(paper, "%s", shown);
			return;
		}
		for (size_t i = 0; i < bytes.count; i++) {
			paper_add(paper, "%02x", bytes.at[i]);
		}
	} else {
		const struct span text = mp_get_str(r, NAME_BYTES_MAX);
		paper_add_escaped(paper, (const char *)text.at, text.count);
	}
}

struct roster {
	const char *name;
	const char *const *columns;
	size_t column_count;
	const size_t *at; /* where each column begins */
};
