// SPDX-License-Identifier: GPL-2.0-only
/*
 * A parser of the "Rio Grande" table in the EBDA.
 *
 * The EBDA of another maker's machine holds anything at all, and all machines
 * with an EBDA come here. So nothing is believed: neither that blocks follow
 * each other, nor that what they announce fits, nor any address. It is a
 * function of bytes in memory and touches no hardware, so that it is tested
 * and fuzzed where it does no harm, see tools/testing/calgary.
 *
 * "Offsets" count from the start of the EBDA. "End" is the first byte behind
 * something, "last" its last one.
 */
#include <linux/errno.h>
#include <linux/string.h>
#include <linux/types.h>
#include <linux/unaligned.h>

#include "ebda.h"

/* The first byte of an EBDA is its size in KB. */
#define EBDA_KB		1024

/* Blocks: offset of the next one, id, payload */
#define FIRST_BLOCK	0x180
#define BLOCK_NEXT	0
#define BLOCK_ID	2
#define BLOCK_PAYLOAD	4
#define RIO_BLOCK	0x4752

/* The table: version, number of entries of each kind, the entries */
#define RIO_VERSION	0
#define RIO_NR_SCAL	1
#define RIO_NR_CHIPS	2
#define RIO_ENTRIES	3

/* Sizes of its entries, by its version: others', and chips' */
static const u8 scal_sizes[] = { [2] = 11, [3] = 12 };
static const u8 chip_sizes[] = { [2] = 13, [3] = 15 };

/* An entry of a chip */
#define CHIP_BBAR	1
#define CHIP_TYPE	5

/* Those types that translate */
#define TYPE_COMPAT	4
#define TYPE_SECOND	5

/* I/O APICs and local APICs are here in any machine. */
#define APICS_START	0xfec00000U
#define APICS_LAST	0xfeefffffU

/*
 * Find the table's block. Each offset has to be greater than the one before,
 * so this ends. A next block bounds the payload, if it is in the EBDA.
 */
static bool find_rio(const u8 *ebda, size_t size, size_t *payload, size_t *end)
{
	size_t block = FIRST_BLOCK, next;

	while (size >= BLOCK_PAYLOAD && block <= size - BLOCK_PAYLOAD) {
		next = get_unaligned_le16(ebda + block + BLOCK_NEXT);
		if (get_unaligned_le16(ebda + block + BLOCK_ID) == RIO_BLOCK) {
			*payload = block + BLOCK_PAYLOAD;
			*end = next > block && next < size ? next : size;
			return true;
		}
		if (next <= block)
			break;
		block = next;
	}
	return false;
}

/* What is wrong with it, or NULL */
static const char *check_bbar(u32 bbar, calgary_ebda_is_ram is_ram,
			      const struct calgary_ebda *found)
{
	u32 last = bbar + (CALGARY_BBAR_SIZE - 1);
	unsigned int i;

	if (!bbar)
		return "no address";
	if (bbar & (CALGARY_BBAR_SIZE - 1))
		return "an odd address";
	if ((bbar <= APICS_LAST && last >= APICS_START) || is_ram(bbar, last))
		return "an address where something else is";
	for (i = 0; i < found->nr_chips; i++) {
		if (found->bbars[i] == bbar)
			return "the address of another";
	}
	return found->nr_chips == CALGARY_MAX_CHIPS ?
	       "no number of a bus left" : NULL;
}

static void add_chip(const u8 *entry, calgary_ebda_is_ram is_ram,
		     struct calgary_ebda *found)
{
	u32 bbar = get_unaligned_le32(entry + CHIP_BBAR);
	const char *flaw;

	if (entry[CHIP_TYPE] != TYPE_COMPAT && entry[CHIP_TYPE] != TYPE_SECOND)
		return;
	flaw = check_bbar(bbar, is_ram, found);
	if (!flaw)
		found->bbars[found->nr_chips++] = bbar;
	else if (!found->nr_bad++)
		found->flaw = flaw;
}

/**
 * calgary_ebda_parse - find the chips that firmware announces
 * @ebda: the EBDA, or a copy of it
 * @size: how much of it can be read; no more is, whatever it says of itself
 * @is_ram: tells where RAM is, no chip can be there
 * @found: where to store the chips; valid only when 0 is returned
 *
 * An entry with a bad address, or one too many, is counted and left out:
 * devices behind it are not translated then. A table that is bad as a whole is
 * refused.
 *
 * Context: Any, if @is_ram allows it.
 *
 * Return: 0; -ENOENT when there is no such table, as on most machines;
 * -EPROTO for a version that is not known; -EOVERFLOW when the table is larger
 * than the room that it has.
 */
int calgary_ebda_parse(const u8 *ebda, size_t size, calgary_ebda_is_ram is_ram,
		       struct calgary_ebda *found)
{
	size_t payload, end, chips;
	u8 version, n;

	memset(found, 0, sizeof(*found));
	if (size && ebda[0] && size > ebda[0] * EBDA_KB)
		size = ebda[0] * EBDA_KB;
	if (!find_rio(ebda, size, &payload, &end))
		return -ENOENT;
	/* Sums of offsets are below 128 K and never wrap. */
	if (end < payload + RIO_ENTRIES)
		return -EOVERFLOW;

	ebda += payload;
	version = ebda[RIO_VERSION];
	if (version != 2 && version != 3)
		return -EPROTO;
	chips = RIO_ENTRIES + ebda[RIO_NR_SCAL] * scal_sizes[version];
	if (end < payload + chips + ebda[RIO_NR_CHIPS] * chip_sizes[version])
		return -EOVERFLOW;
	for (n = 0; n < ebda[RIO_NR_CHIPS]; n++)
		add_chip(ebda + chips + n * chip_sizes[version], is_ram, found);
	return 0;
}
