#include "store/index_pack.h"

size_t
index_pack(uint8_t *out, uint64_t base, const uint64_t *seqs, size_t count)
{
	size_t at = 0;

	for (size_t i = 0; i < count; i++) {
		uint64_t step = seqs[i] - base;

		for (; step >= 0x80; step >>= 7) {
			out[at++] = (uint8_t)(step | 0x80);
		}
		out[at++] = (uint8_t)step;
		base = seqs[i] + 1;
	}
	return at;
}

size_t
index_unpack(struct span bytes, uint64_t base, uint64_t end, uint64_t *out, size_t most)
{
	size_t count = 0;

	for (size_t at = 0; at < bytes.count;) {
		uint64_t step = 0;
		unsigned shift = 0;

		while (at < bytes.count && (bytes.at[at] & 0x80) != 0 && shift < 56) {
			step |= (uint64_t)(bytes.at[at++] & 0x7F) << shift;
			shift += 7;
		}
		if (at == bytes.count || (bytes.at[at] & 0x80) != 0) {
			return SIZE_MAX;
		}
		step |= (uint64_t)bytes.at[at++] << shift;
		if (count == most || base >= end || step >= end - base) {
			return SIZE_MAX;
		}
		out[count++] = base + step;
		base += step + 1;
	}
	return count;
}
