// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>

#include "pattern.h"

/* Spreads a counter over 64 bits, so that neighbouring blocks differ. */
static uint64_t mix(uint64_t x)
{
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
	return x ^ (x >> 31);
}

static void fill_block(uint64_t *words, uint64_t seed, uint64_t block)
{
	uint64_t x = mix(seed + (block + 1) * 0x9e3779b97f4a7c15ull);
	size_t i;

	if (!x)
		x = 1;
	for (i = 0; i < PATTERN_BLOCK / sizeof(x); i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		words[i] = x;
	}
}

/* One step: as much of [pos, pos + len) as lies within the block of pos. */
static size_t step(uint64_t *words, uint64_t seed, uint64_t pos, size_t len)
{
	size_t left = PATTERN_BLOCK - pos % PATTERN_BLOCK;

	fill_block(words, seed, pos / PATTERN_BLOCK);
	return len < left ? len : left;
}

void pattern_fill(unsigned char *buf, uint64_t seed, uint64_t pos, size_t len)
{
	uint64_t words[PATTERN_BLOCK / sizeof(uint64_t)];

	while (len) {
		size_t n = step(words, seed, pos, len);

		memcpy(buf, (unsigned char *)words + pos % PATTERN_BLOCK, n);
		buf += n;
		pos += n;
		len -= n;
	}
}

int64_t pattern_check(const unsigned char *buf, uint64_t seed, uint64_t pos,
		      size_t len)
{
	uint64_t words[PATTERN_BLOCK / sizeof(uint64_t)];

	while (len) {
		size_t n = step(words, seed, pos, len), i;
		const unsigned char *want =
			(unsigned char *)words + pos % PATTERN_BLOCK;

		if (memcmp(buf, want, n)) {
			for (i = 0; buf[i] == want[i]; i++)
				;
			return (int64_t)(pos + i);
		}
		buf += n;
		pos += n;
		len -= n;
	}
	return -1;
}
