// SPDX-License-Identifier: GPL-2.0-only
/*
 * A libFuzzer target: bytes are an EBDA. The first bytes of an input say how
 * it is laid out, so that a small input gets to the table's entries:
 *
 *	0	bit 0: the rest of the input is put at the first block, and what
 *		lies before it is zero; otherwise the input is the EBDA
 *	1	size in KB that the EBDA claims, with bit 0
 *
 * A second parser, which is slow and knows no way but to look at each byte
 * from the front, has to agree with the first one.
 */
#include "shim.h"

#include "ebda.c"

#define CHECK(condition) do {						\
	if (!(condition))						\
		abort();						\
} while (0)

static const u8 *bytes;
static size_t nr_bytes;
static bool beyond;

/* RAM up to 3 GB */
static bool is_ram(u64 start, u64 last)
{
	CHECK(start <= last && last <= 0xffffffff);
	return start < 0xc0000000;
}

/* A byte, or 0 and a note that there is none */
static unsigned int at(size_t offset)
{
	if (offset < nr_bytes)
		return bytes[offset];
	beyond = true;
	return 0;
}

static unsigned int at16(size_t offset)
{
	return at(offset) | at(offset + 1) << 8;
}

/* Offset of the table's block, or 0 */
static size_t block_again(void)
{
	size_t block = 0x180, next;

	for (;;) {
		unsigned int id = at16(block + 2);

		next = at16(block);
		if (beyond)
			return 0;
		if (id == 0x4752)
			break;
		if (next <= block)
			return 0;
		block = next;
	}
	/* What follows the table is none of its. */
	if (next > block && next < nr_bytes)
		nr_bytes = next;
	return block;
}

static bool known(const struct calgary_ebda *found, unsigned int nr, u32 bbar)
{
	while (nr--) {
		if (found->bbars[nr] == bbar)
			return true;
	}
	return false;
}

static void chips_again(const struct calgary_ebda *found, size_t entry,
			unsigned int nr, unsigned int size)
{
	unsigned int i, chips = 0, bad = 0;

	for (i = 0; i < nr; i++, entry += size) {
		u32 bbar = at16(entry + 1) | (u32)at16(entry + 3) << 16;
		unsigned int type = at(entry + 5);

		if (type != 4 && type != 5)
			continue;
		if (bbar << 12 || bbar < 0xc0000000 ||
		    (bbar >= 0xfec00000 && bbar <= 0xfee00000) ||
		    known(found, chips, bbar) || chips == CALGARY_MAX_CHIPS) {
			bad++;
			continue;
		}
		CHECK(chips < found->nr_chips);
		CHECK(found->bbars[chips] == bbar);
		chips++;
	}
	CHECK(chips == found->nr_chips);
	CHECK(bad == found->nr_bad);
	CHECK(!bad == !found->flaw);
}

static void parse_again(const struct calgary_ebda *found, int ret)
{
	unsigned int version, scal, nr, size;
	size_t block;

	beyond = false;
	if (nr_bytes && at(0) && nr_bytes > at(0) * 1024u)
		nr_bytes = at(0) * 1024u;
	block = block_again();
	if (!block) {
		CHECK(ret == -ENOENT);
		return;
	}
	version = at(block + 4);
	scal = at(block + 5);
	nr = at(block + 6);
	if (beyond) {
		CHECK(ret == -EOVERFLOW);
		return;
	}
	if (version < 2 || version > 3) {
		CHECK(ret == -EPROTO);
		return;
	}
	size = version == 2 ? 13 : 15;
	block += 7 + scal * (version + 9);
	if (scal + nr && block + nr * size)
		at(block + nr * size - 1);
	if (beyond) {
		CHECK(ret == -EOVERFLOW);
		return;
	}
	CHECK(!ret);
	chips_again(found, block, nr, size);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct calgary_ebda found;
	u8 *ebda;
	int ret;

	if (size < 2)
		return 0;
	nr_bytes = size - 2;
	if (data[0] & 1)
		nr_bytes += 0x180;
	/* Exactly as large as it is, so that each byte too far is seen. */
	ebda = calloc(1, nr_bytes ?: 1);
	CHECK(ebda);
	memcpy(ebda + nr_bytes - (size - 2), data + 2, size - 2);
	if (data[0] & 1)
		ebda[0] = data[1];
	bytes = ebda;
	ret = calgary_ebda_parse(ebda, nr_bytes, is_ram, &found);
	parse_again(&found, ret);
	free(ebda);
	return 0;
}
