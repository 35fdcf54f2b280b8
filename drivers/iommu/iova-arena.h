/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Allocator of IOVAs: arenas that CPUs own, over a tree of gaps.
 */
#ifndef __DRIVERS_IOMMU_IOVA_ARENA_H
#define __DRIVERS_IOMMU_IOVA_ARENA_H

#include <linux/types.h>

struct dma_flush;
struct iova_arenas;
struct iova_look;

/**
 * struct iova_request - what an allocation asks for
 * @size: pages
 * @limit: highest page that may be used
 * @order: 2^@order pages is the unit of @skew
 * @skew: the first page is @skew above a multiple of 2^@order pages
 * @hard: also flush, and take from other CPUs, rather than fail
 * @modest: what fits into an arena fails rather than take a range of the tree, or
 *	more than half of the arenas that there may be
 * @look: the allocator's own: what the search for it has seen
 */
struct iova_request {
	unsigned long size;
	unsigned long limit;
	unsigned int order;
	unsigned long skew;
	bool hard;
	bool modest;
	struct iova_look *look;
};

/**
 * struct iova_arena_stats - a look at a space
 * @arenas: arenas there are
 * @limited: those of them below 4 GiB
 * @created: arenas there ever were
 * @steals: allocations from another CPU's arena
 * @flushes: flushes for want of addresses
 * @ranges: ranges too large for an arena, or without room in one
 */
struct iova_arena_stats {
	unsigned long arenas;
	unsigned long limited;
	unsigned long created;
	unsigned long steals;
	unsigned long flushes;
	unsigned long ranges;
};

struct iova_arenas *iova_arenas_create(unsigned long granule,
				       unsigned long start, unsigned long end);
void iova_arenas_destroy(struct iova_arenas *arenas);
void iova_arenas_defer(struct iova_arenas *arenas, struct dma_flush *flush,
		       unsigned int batch);
void iova_arenas_flushed(struct iova_arenas *arenas);
int iova_arenas_reserve(struct iova_arenas *arenas, unsigned long lo,
			unsigned long hi);
bool iova_arenas_alloc(struct iova_arenas *arenas,
		       const struct iova_request *request, unsigned long *pfn);
unsigned long iova_arenas_alloc_page(struct iova_arenas *arenas,
				     unsigned int order, unsigned long limit);
void iova_arenas_free(struct iova_arenas *arenas, unsigned long pfn,
		      unsigned long size);
bool iova_arenas_next(struct iova_arenas *arenas, unsigned long *lo,
		      unsigned long *hi);
unsigned long iova_arenas_cheap_size(struct iova_arenas *arenas);
void iova_arenas_trim(struct iova_arenas *arenas);
void iova_arenas_get_stats(struct iova_arenas *arenas,
			   struct iova_arena_stats *stats);
void iova_arenas_show_in_debugfs(struct iova_arenas *arenas, const char *name);

#if IS_ENABLED(CONFIG_KUNIT)
void iova_arenas_lose_cpu(struct iova_arenas *arenas, unsigned int cpu);
#endif

#endif /* __DRIVERS_IOMMU_IOVA_ARENA_H */
