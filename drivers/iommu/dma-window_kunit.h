/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the KUnit tests of DMA windows on the software IOMMU share.
 */
#ifndef __DRIVERS_IOMMU_DMA_WINDOW_KUNIT_H
#define __DRIVERS_IOMMU_DMA_WINDOW_KUNIT_H

#include <linux/dma-mapping.h>
#include <linux/dma-window.h>
#include <linux/gfp.h>
#include <linux/list.h>
#include <linux/mm.h>

/* A block of memory that begins beyond @limit, or NULL */
static inline struct page *alloc_block_beyond(u64 limit, unsigned int order)
{
	struct page *page, *low, *next;
	LIST_HEAD(all_low);

	for (;;) {
		page = alloc_pages(GFP_KERNEL | __GFP_NORETRY, order);
		if (!page || page_to_phys(page) > limit)
			break;
		list_add(&page->lru, &all_low);
	}
	list_for_each_entry_safe(low, next, &all_low, lru) {
		list_del(&low->lru);
		__free_pages(low, order);
	}
	return page;
}

/* As dma_set_mask() does, which refuses masks that no zone is below. */
static inline void set_masks(struct device *dev, u64 mask)
{
	bool narrower = mask < dma_get_mask(dev);

	if (narrower)
		iommu_dma_mask_changes(dev, mask, mask);
	*dev->dma_mask = mask;
	dev->coherent_dma_mask = mask;
	if (!narrower)
		iommu_dma_mask_changes(dev, mask, mask);
}

#endif /* __DRIVERS_IOMMU_DMA_WINDOW_KUNIT_H */
