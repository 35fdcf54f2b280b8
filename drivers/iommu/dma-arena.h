/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * IOVAs of a DMA domain out of arenas, with deferred flushes.
 */
#ifndef __DRIVERS_IOMMU_DMA_ARENA_H
#define __DRIVERS_IOMMU_DMA_ARENA_H

#include <linux/iommu.h>
#include <linux/jiffies.h>
#include <linux/types.h>

#include "dma-flush.h"
#include "iommu-pages.h"
#include "iova-arena.h"

struct device;

/**
 * struct dma_arena_like - memory whose alignment the addresses should share
 * @phys: memory
 * @size: bytes of it in one piece
 * @offset: where in the mapping it will be
 */
struct dma_arena_like {
	phys_addr_t phys;
	size_t size;
	size_t offset;
};

/**
 * struct dma_arena - the addresses of a domain
 * @space: allocator
 * @flush: deferred flushes, once @space uses them
 * @shift: log2 of the bytes of a page of @space
 * @pgsize_bitmap: page sizes of the domain
 * @first: first page of @space
 * @last: last page of @space
 * @line: log2 of the pages of a line, see dma_arena_set_line(); 0 for none
 * @page_order: what a mapping of one page is aligned to
 * @crowded: until when lines are not looked for
 */
struct dma_arena {
	struct iova_arenas *space;
	struct dma_flush flush;
	unsigned int shift;
	unsigned long pgsize_bitmap;
	unsigned long first;
	unsigned long last;
	unsigned int line;
	unsigned int page_order;
	unsigned long crowded;
};

#ifdef CONFIG_IOMMU_IOVA_ARENA
bool dma_arena_wanted(struct device *dev);
struct dma_arena *dma_arena_create(struct iommu_domain *domain,
				   struct device *dev, unsigned int shift,
				   unsigned long start);
void dma_arena_set_line(struct dma_arena *arena, unsigned int line);
void dma_arena_destroy(struct dma_arena *arena);
void dma_arena_defer(struct dma_arena *arena, struct iommu_domain *domain,
		     unsigned int delay_ms, unsigned int batch);
int dma_arena_reserve(struct dma_arena *arena, unsigned long lo,
		      unsigned long hi);
dma_addr_t dma_arena_alloc(struct dma_arena *arena, struct device *dev,
			   size_t size, u64 limit,
			   const struct dma_arena_like *like, bool hard);
bool dma_arena_next(struct dma_arena *arena, unsigned long *lo,
		    unsigned long *hi);
size_t dma_arena_opt_size(struct dma_arena *arena);
u64 dma_arena_flushes(struct dma_arena *arena);

/* For a while after lines were looked for in vain, any place is good enough. */
static inline bool dma_arena_is_crowded(struct dma_arena *arena)
{
	return arena->line && time_before(jiffies, READ_ONCE(arena->crowded));
}

/**
 * dma_arena_alloc_page - allocate the address of a page, if one is at hand
 * @arena: addresses
 * @size: bytes, whole pages
 * @limit: highest address that may be used
 *
 * A single page lies well wherever it is, so that nothing else needs to be known;
 * but see align_to_lines().
 *
 * Context: any
 * Return: the address, 0 when there is none without a search, or for more than a
 * page: see dma_arena_alloc().
 */
static __always_inline dma_addr_t
dma_arena_alloc_page(struct dma_arena *arena, size_t size, u64 limit)
{
	unsigned long pfn;

	if (size >> arena->shift != 1 || dma_arena_is_crowded(arena))
		return 0;
	pfn = iova_arenas_alloc_page(arena->space, arena->page_order,
				     limit >> arena->shift);
	return (dma_addr_t)pfn << arena->shift;
}

/**
 * dma_arena_free - give the addresses of a mapping back
 * @arena: addresses
 * @iova: from dma_arena_alloc()
 * @size: the same as for dma_arena_alloc()
 * @gather: of the unmapping, which is deferred if it says so; or NULL
 *
 * Context: any
 */
static inline void dma_arena_free(struct dma_arena *arena, dma_addr_t iova,
				  size_t size,
				  struct iommu_iotlb_gather *gather)
{
	if (gather && gather->queued &&
	    !iommu_pages_list_empty(&gather->freelist))
		dma_flush_add_pages(&arena->flush, &gather->freelist);
	iova_arenas_free(arena->space, iova >> arena->shift,
			 size >> arena->shift);
}
#else
static inline bool dma_arena_wanted(struct device *dev)
{
	return false;
}

static inline struct dma_arena *dma_arena_create(struct iommu_domain *domain,
						 struct device *dev,
						 unsigned int shift,
						 unsigned long start)
{
	return NULL;
}

static inline void dma_arena_set_line(struct dma_arena *arena,
				      unsigned int line)
{
}

static inline void dma_arena_destroy(struct dma_arena *arena) {}

static inline void dma_arena_defer(struct dma_arena *arena,
				   struct iommu_domain *domain,
				   unsigned int delay_ms, unsigned int batch)
{
}

static inline int dma_arena_reserve(struct dma_arena *arena, unsigned long lo,
				    unsigned long hi)
{
	return 0;
}

static inline dma_addr_t dma_arena_alloc(struct dma_arena *arena,
					 struct device *dev, size_t size,
					 u64 limit,
					 const struct dma_arena_like *like,
					 bool hard)
{
	return 0;
}

static inline dma_addr_t dma_arena_alloc_page(struct dma_arena *arena,
					      size_t size, u64 limit)
{
	return 0;
}

static inline void dma_arena_free(struct dma_arena *arena, dma_addr_t iova,
				  size_t size,
				  struct iommu_iotlb_gather *gather)
{
}

static inline bool dma_arena_next(struct dma_arena *arena, unsigned long *lo,
				  unsigned long *hi)
{
	return false;
}

static inline size_t dma_arena_opt_size(struct dma_arena *arena)
{
	return 0;
}

static inline u64 dma_arena_flushes(struct dma_arena *arena)
{
	return 0;
}
#endif

#endif /* __DRIVERS_IOMMU_DMA_ARENA_H */
