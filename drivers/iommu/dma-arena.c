// SPDX-License-Identifier: GPL-2.0-only
/*
 * What iommu-dma wants of IOVAs, said in the terms of arenas: pages, and where
 * a mapping should lie so that large pages of the IOMMU fit.
 */
#define pr_fmt(fmt) "iommu: " fmt

#include <linux/align.h>
#include <linux/cleanup.h>
#include <linux/device.h>
#include <linux/dma-mapping.h>
#include <linux/init.h>
#include <linux/iommu.h>
#include <linux/iova.h>
#include <linux/log2.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "dma-arena.h"
#include "dma-flush.h"
#include "iommu-pages.h"
#include "iova-arena.h"
#include "iova-tree.h"

/**
 * struct dma_arena - the addresses of a domain
 * @space: allocator
 * @flush: deferred flushes, once @space uses them
 * @shift: log2 of the bytes of a page of @space
 * @pgsize_bitmap: page sizes of the domain
 */
struct dma_arena {
	struct iova_arenas *space;
	struct dma_flush flush;
	unsigned int shift;
	unsigned long pgsize_bitmap;
};

static bool dma_arena_default = true;

static int __init dma_arena_setup(char *str)
{
	if (!strcmp(str, "arena"))
		dma_arena_default = true;
	else if (!strcmp(str, "rcache"))
		dma_arena_default = false;
	else
		pr_warn("iommu.iova=%s ignored, accepted are: arena, rcache\n",
			str);
	return 0;
}
early_param("iommu.iova", dma_arena_setup);

/**
 * dma_arena_wanted - shall the domain of a device have arenas?
 * @dev: first device of the domain
 *
 * Return: false to use the caches over a linear tree.
 */
bool dma_arena_wanted(struct device *dev)
{
	return dma_arena_default && !dev->iommu->iova_rcache;
}

/* A device may have several domains that use parts of the address space. */
static void dma_arena_show(struct dma_arena *arena, struct iommu_domain *domain,
			   struct device *dev)
{
	char name[64];

	if (domain->geometry.aperture_start)
		snprintf(name, sizeof(name), "%s@%#llx", dev_name(dev),
			 (u64)domain->geometry.aperture_start);
	else
		strscpy(name, dev_name(dev));
	iova_arenas_show_in_debugfs(arena->space, name);
}

/**
 * dma_arena_create - the addresses of a new domain
 * @domain: domain
 * @dev: its first device
 * @shift: log2 of the bytes of its smallest page
 * @start: first page that may be used, not 0
 *
 * Context: process, may sleep
 * Return: the addresses, or NULL.
 */
struct dma_arena *dma_arena_create(struct iommu_domain *domain,
				   struct device *dev, unsigned int shift,
				   unsigned long start)
{
	struct dma_arena *arena __free(kfree) = kzalloc_obj(*arena);
	u64 end = U64_MAX;

	if (!arena)
		return NULL;
	if (domain->geometry.force_aperture)
		end = domain->geometry.aperture_end;
	arena->shift = shift;
	arena->pgsize_bitmap = domain->pgsize_bitmap;
	arena->space = iova_arenas_create(1UL << shift, start, end >> shift);
	if (!arena->space)
		return NULL;
	dma_arena_show(arena, domain, dev);
	return no_free_ptr(arena);
}

/**
 * dma_arena_destroy - the domain goes away
 * @arena: its addresses, or NULL
 *
 * Context: process, may sleep
 */
void dma_arena_destroy(struct dma_arena *arena)
{
	if (!arena)
		return;
	if (arena->flush.domain)
		dma_flush_exit(&arena->flush);
	iova_arenas_destroy(arena->space);
	kfree(arena);
}

static void dma_arena_flushed(struct dma_flush *flush)
{
	iova_arenas_flushed(container_of(flush, struct dma_arena,
					 flush)->space);
}

/**
 * dma_arena_defer - flush lazily from now on
 * @arena: addresses
 * @domain: their domain
 * @delay_ms: how long what was unmapped may stay in the IOTLB
 * @batch: mappings of a CPU that one flush should serve
 *
 * Context: process
 */
void dma_arena_defer(struct dma_arena *arena, struct iommu_domain *domain,
		     unsigned int delay_ms, unsigned int batch)
{
	dma_flush_init(&arena->flush, domain, delay_ms, dma_arena_flushed);
	iova_arenas_defer(arena->space, &arena->flush, batch);
}

/**
 * dma_arena_reserve - keep a part of the space out of use
 * @arena: addresses
 * @lo: first page
 * @hi: last page
 *
 * Context: process, may sleep
 * Return: 0, or -ENOMEM.
 */
int dma_arena_reserve(struct dma_arena *arena, unsigned long lo,
		      unsigned long hi)
{
	return iova_arenas_reserve(arena->space, lo, hi);
}

/*
 * The largest page of the IOMMU that lies, aligned, in the memory; a mapping
 * whose address is congruent to the memory's modulo its size can use it.
 */
static void like_memory(struct dma_arena *arena,
			const struct dma_arena_like *like,
			struct iova_request *rq)
{
	unsigned long sizes;

	if (like->size >> arena->shift < 2)
		return;
	sizes = arena->pgsize_bitmap & GENMASK(__fls(like->size), 0);
	for (; sizes; sizes &= ~BIT(__fls(sizes))) {
		phys_addr_t page = BIT(__fls(sizes));

		if (ALIGN(like->phys, page) + page > like->phys + like->size)
			continue;
		rq->order = __fls(sizes) - arena->shift;
		rq->skew = ((like->phys - like->offset) >> arena->shift) &
			   ((1UL << rq->order) - 1);
		return;
	}
}

/* Aligned to the size, like coherent memory, which also avoids boundaries. */
static void like_size(struct dma_arena *arena, u64 boundary,
		      struct iova_request *rq)
{
	unsigned int order = order_base_2(rq->size);
	unsigned int most = order_base_2((boundary >> arena->shift) + 1);

	rq->order = min3(order, most, IOVA_TREE_ORDERS - 1U);
}

/*
 * How a mapping of more than a page shall lie. The allocator itself knows no
 * boundary but that of 4 GiB. Returns whether it may also lie otherwise.
 */
static bool align_request(struct dma_arena *arena, struct device *dev,
			  const struct dma_arena_like *like,
			  struct iova_request *rq)
{
	unsigned long boundary;

	if (!like) {
		like_size(arena, U64_MAX, rq);
		return false;
	}
	boundary = dma_get_seg_boundary(dev);
	if (boundary < DMA_BIT_MASK(32) ||
	    (rq->size << arena->shift) - 1 > boundary) {
		like_size(arena, boundary, rq);
		return false;
	}
	like_memory(arena, like, rq);
	return rq->order;
}

/**
 * dma_arena_alloc - allocate addresses for a mapping
 * @arena: addresses
 * @dev: device
 * @size: bytes, whole pages
 * @limit: highest address that may be used
 * @like: memory that is going to be mapped, NULL for an address that is aligned
 *	  to the size
 * @hard: flush, and take from other CPUs, rather than fail
 *
 * Context: any
 * Return: the address, 0 when there is none.
 */
dma_addr_t dma_arena_alloc(struct dma_arena *arena, struct device *dev,
			   size_t size, u64 limit,
			   const struct dma_arena_like *like, bool hard)
{
	struct iova_request rq = {
		.size = size >> arena->shift,
		.limit = limit >> arena->shift,
	};
	unsigned long pfn;

	/* A single page lies well wherever it is. */
	if (rq.size > 1 && align_request(arena, dev, like, &rq)) {
		if (iova_arenas_alloc(arena->space, &rq, &pfn))
			return (dma_addr_t)pfn << arena->shift;
		rq.order = 0;
		rq.skew = 0;
	}
	rq.hard = hard;
	if (!iova_arenas_alloc(arena->space, &rq, &pfn))
		return 0;
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
void dma_arena_free(struct dma_arena *arena, dma_addr_t iova, size_t size,
		    struct iommu_iotlb_gather *gather)
{
	if (gather && gather->queued &&
	    !iommu_pages_list_empty(&gather->freelist))
		dma_flush_add_pages(&arena->flush, &gather->freelist);
	iova_arenas_free(arena->space, iova >> arena->shift,
			 size >> arena->shift);
}

/**
 * dma_arena_opt_size - up to which size are mappings cheap?
 * @arena: addresses
 *
 * Return: bytes
 */
size_t dma_arena_opt_size(struct dma_arena *arena)
{
	return iova_arenas_cheap_size(arena->space) << arena->shift;
}

/**
 * dma_arena_flushes - deferred flushes that were made
 * @arena: addresses
 *
 * Return: their number.
 */
u64 dma_arena_flushes(struct dma_arena *arena)
{
	return atomic64_read(&arena->flush.finished);
}
