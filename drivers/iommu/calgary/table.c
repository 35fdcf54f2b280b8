// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tables of TCEs.
 *
 * A table is contiguous, at a multiple of its own size in physical memory, and
 * below 4 GB. Chips read it from memory, past the caches of CPUs.
 */
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
	struct calgary_table *table = kzalloc_obj(*table);
	void *entries;

	if (!table)
		return NULL;
	while (!(entries = alloc_entries(calgary_table_bytes(code)))) {
		if (!code--) {
			kfree(table);
			return NULL;
		}
	}
	table->tar = virt_to_phys(entries) | code;
	table->pt.format = &tce_format;
	table->pt.table = entries;
	table->pt.pages = calgary_table_bytes(code) / sizeof(__be64);
	table->pt.publish = io->publish;
	/* The zeros have to get to memory as well. */
	flat_pt_clear(&table->pt);
	return table;
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
	free_pages_exact(table->pt.table, flat_pt_bytes(&table->pt));
	kfree(table);
}
