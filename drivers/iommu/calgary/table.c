// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tables of TCEs.
 *
 * A table is contiguous, at a multiple of its own size in physical memory, and
 * below 4 GB. Chips read it from memory, past the caches of CPUs.
 *
 * After a crash, the dead kernel's table is adopted. Devices are still at work,
 * and what they use stays mapped; this kernel maps elsewhere in the same table.
 * Its mappings are kept by whole MB, so that a few thousand ranges at most are
 * to be left alone.
 */
#include <linux/bitfield.h>
#include <linux/cleanup.h>
#include <linux/gfp.h>
#include <linux/io.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/topology.h>

#include "calgary.h"

/* A device that may write may read as well: Linux has never done it else. */
static const struct flat_pt_format tce_format = {
	.phys = { { .mask = TCE_PHYS } },
	.read = TCE_READ,
	.write = TCE_READ | TCE_WRITE,
	.present = TCE_READ | TCE_WRITE,
	.entry = FLAT_PT_BE64,
	.page_shift = 12,
};

#define TCES_PER_MB	(SZ_1M / SZ_4K)
#define MIN_FREE	SZ_16M	/* of IOVAs, else a table is not adopted */

#define TABLE_GFP	(GFP_KERNEL | GFP_DMA32 | __GFP_ZERO | __GFP_NOWARN)

/* Blocks of the buddy allocator, and larger ones, are aligned to their size. */
static void *alloc_entries(size_t bytes)
{
	struct page *page = NULL;

	if (bytes <= PAGE_SIZE << MAX_PAGE_ORDER)
		return alloc_pages_exact(bytes, TABLE_GFP);
#ifdef CONFIG_CONTIG_ALLOC
	/* It wants to know where to begin; other nodes do as well. */
	page = alloc_contig_pages(bytes >> PAGE_SHIFT, TABLE_GFP,
				  numa_mem_id(), NULL);
#endif
	return page ? page_address(page) : NULL;
}

static void describe(struct calgary_table *table, const struct calgary_io *io,
		     void *entries, u64 tar)
{
	table->tar = tar;
	table->flat.pt.format = &tce_format;
	table->flat.pt.table = entries;
	table->flat.pt.pages = CALGARY_TABLE_BYTES(FIELD_GET(TAR_SIZE, tar)) /
			  sizeof(__be64);
	table->flat.pt.publish = io->publish;
}

/**
 * calgary_table_alloc - make an empty table
 * @io: how its TCEs get to memory
 * @code: the size that is wanted; the table is smaller if memory is short
 *
 * Context: May sleep.
 *
 * Return: the table, or NULL when there is no memory for the smallest either.
 */
struct calgary_table *calgary_table_alloc(const struct calgary_io *io,
					  unsigned int code)
{
	struct calgary_table *table __free(kfree) = kzalloc_obj(*table);
	void *entries;

	if (!table)
		return NULL;
	while (!(entries = alloc_entries(CALGARY_TABLE_BYTES(code)))) {
		if (!code--)
			return NULL;
	}
	describe(table, io, entries, virt_to_phys(entries) | code);
	/* The zeros have to get to memory as well. */
	flat_pt_clear(&table->flat.pt);
	return_ptr(table);
}

/*
 * Which MB are in use? Memory with anything else in it is no table. An empty
 * one has nothing to keep, and may be shared by PHBs.
 */
static bool note_old(const struct flat_pt *pt, unsigned long *used)
{
	const __be64 *tces = pt->table;
	bool some = false;
	unsigned long i;

	for (i = 0; i < pt->pages; i++) {
		u64 tce = be64_to_cpu(READ_ONCE(tces[i]));

		if (!tce)
			continue;
		if (tce & ~(TCE_PHYS | TCE_READ | TCE_WRITE) ||
		    !(tce & (TCE_READ | TCE_WRITE)))
			return false;
		__set_bit(i / TCES_PER_MB, used);
		some = true;
	}
	return some;
}

/**
 * calgary_table_adopt - go on with the table of a kernel that crashed
 * @io: how to get at it
 * @tar: where it is, and its size, as a register says, which is not believed
 * @used: MB of IOVAs that cannot be used; those with mappings are added
 *
 * Context: May sleep.
 *
 * Return: the table, or NULL when there is none, or none that can be used.
 */
struct calgary_table *calgary_table_adopt(const struct calgary_io *io, u64 tar,
					  unsigned long *used)
{
	size_t bytes = CALGARY_TABLE_BYTES(FIELD_GET(TAR_SIZE, tar));
	u64 start = tar & TAR_BASE;
	struct calgary_table *table __free(kfree) = kzalloc_obj(*table);
	unsigned int mb;
	void *entries;

	/* All kernels have their tables there. */
	if (!table || start < SZ_1M || start > SZ_4G - bytes ||
	    start & (bytes - 1))
		return NULL;
	entries = io->map(start, bytes);
	if (!entries)
		return NULL;
	table->unmap = io->unmap;
	describe(table, io, entries, tar & (TAR_BASE | TAR_SIZE));
	mb = table->flat.pt.pages / TCES_PER_MB;
	/* Something has to be left, between those and beside what is reserved. */
	if (note_old(&table->flat.pt, used) &&
	    bitmap_weight(used, mb) + MIN_FREE / SZ_1M <= mb)
		return_ptr(table);
	io->unmap(entries);
	return NULL;
}

/**
 * calgary_table_free - free a table that no PHB uses
 * @table: the table, or NULL
 *
 * Context: May sleep.
 */
void calgary_table_free(struct calgary_table *table)
{
	if (!table)
		return;
	if (table->unmap)
		table->unmap(table->flat.pt.table);
	else
		free_pages_exact(table->flat.pt.table, flat_pt_bytes(&table->flat.pt));
	kfree(table);
}
