// SPDX-License-Identifier: GPL-2.0-only
/*
 * Addresses of a TCE table from arenas instead of the table's bitmap.
 *
 * The bitmap is searched under one of five locks, which CPUs share; an arena
 * belongs to one CPU. TCEs are set and killed by the table as before, and an
 * address is given back when its TCEs have been killed.
 */
#include <linux/dma-mapping.h>
#include <linux/kernel.h>
#include <linux/log2.h>
#include <linux/sizes.h>

#include <asm/iommu.h>
#include "iova-arena.h"
#include "iova-tree.h"

/**
 * tce_arena_create - take a table's addresses from arenas
 * @tbl: table, in which nothing is mapped
 * @res_start: first entry that is not to be used
 * @res_end: the entry after the last of these; @res_start if there are none
 *
 * Entry 0 is never used: drivers may take it for an error.
 *
 * Context: process, may sleep
 * Return: 0, or -ENOMEM.
 */
int tce_arena_create(struct iommu_table *tbl, unsigned long res_start,
		     unsigned long res_end)
{
	struct iova_arenas *arenas;
	char name[16];

	arenas = iova_arenas_create(IOMMU_PAGE_SIZE(tbl),
				    max(tbl->it_offset, 1UL),
				    tbl->it_offset + tbl->it_size - 1);
	if (!arenas)
		return -ENOMEM;
	if (res_start < res_end &&
	    iova_arenas_reserve(arenas, res_start, res_end - 1)) {
		iova_arenas_destroy(arenas);
		return -ENOMEM;
	}
	snprintf(name, sizeof(name), "tce-%lx", tbl->it_index);
	iova_arenas_show_in_debugfs(arenas, name);
	tbl->it_arenas = arenas;
	return 0;
}

/**
 * tce_arena_destroy - a table goes away
 * @tbl: table, which nobody uses any more
 *
 * Context: process, may sleep
 */
void tce_arena_destroy(struct iommu_table *tbl)
{
	iova_arenas_destroy(tbl->it_arenas);
}

/* Arenas know the boundary of 4 GB only; what is aligned crosses no other. */
static unsigned int order_for(struct device *dev, unsigned long npages,
			      unsigned int align_order)
{
	if (dma_get_seg_boundary(dev) < SZ_4G - 1)
		align_order = max_t(unsigned int, align_order,
				    order_base_2(npages));
	return min(align_order, IOVA_TREE_ORDERS - 1U);
}

/**
 * tce_arena_alloc - allocate entries of a table
 * @dev: device
 * @tbl: table with arenas
 * @npages: entries
 * @last: highest entry that the device reaches
 * @align_order: alignment, as log2 of entries
 *
 * Context: any
 * Return: the first entry, counted from the table's own first one, or
 * DMA_MAPPING_ERROR.
 */
unsigned long tce_arena_alloc(struct device *dev, struct iommu_table *tbl,
			      unsigned long npages, unsigned long last,
			      unsigned int align_order)
{
	struct iova_request rq = {
		.size = npages,
		.limit = last,
		.order = order_for(dev, npages, align_order),
	};
	unsigned long entry;

	if (iova_arenas_alloc(tbl->it_arenas, &rq, &entry))
		return entry - tbl->it_offset;
	rq.hard = true;
	if (iova_arenas_alloc(tbl->it_arenas, &rq, &entry))
		return entry - tbl->it_offset;
	return DMA_MAPPING_ERROR;
}

/**
 * tce_arena_free - give entries back
 * @tbl: table with arenas
 * @entry: the first one, whose TCEs are gone
 * @npages: entries, all that one allocation had
 *
 * Context: any
 */
void tce_arena_free(struct iommu_table *tbl, unsigned long entry,
		    unsigned long npages)
{
	iova_arenas_free(tbl->it_arenas, entry, npages);
}
