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
#include <linux/jiffies.h>
#include <linux/log2.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "dma-arena.h"
#include "dma-flush.h"
#include "iommu-pages.h"
#include "iova-arena.h"
#include "iova-tree.h"

/* After a search for free lines in vain: how long any place is good enough */
#define CROWDED_MS	10

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
	arena->first = start;
	arena->last = end >> shift;
	arena->space = iova_arenas_create(1UL << shift, start, arena->last);
	if (!arena->space)
		return NULL;
	dma_arena_show(arena, domain, dev);
	return no_free_ptr(arena);
}

/**
 * dma_arena_set_line - mappings had rather not share lines
 * @arena: addresses, of which none has been allocated yet
 * @line: bytes of a line
 *
 * An IOMMU that caches its table by lines, and must be told to forget them before
 * an entry is used that a device may have seen, is told less often if no device
 * has seen any other entry of the line, nor has read on into it behind the end
 * of a mapping. Small ones spread over half of the space at most, lest none be
 * left in one piece. Where no such lines are left, even after a flush, any other
 * place will do.
 *
 * Context: process
 */
void dma_arena_set_line(struct dma_arena *arena, unsigned int line)
{
	if (!is_power_of_2(line) || line >> arena->shift < 2)
		return;
	arena->crowded = jiffies;
	arena->line = ilog2(line) - arena->shift;
	arena->page_order = arena->line + 1;
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
	unsigned int lg2;

	if (like->size >> arena->shift < 2)
		return;
	/* The allocator can align to no more. */
	lg2 = min(__fls(like->size), arena->shift + IOVA_TREE_ORDERS - 1);
	sizes = arena->pgsize_bitmap & GENMASK(lg2, 0);
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

/*
 * What is smaller than a line begins with one of even number, all else in one of
 * odd number, at multiples of more lines than it has. What would end with a line,
 * so that the page behind it is in the next one, begins and ends some pages later,
 * the more the more alignment it has. So nothing else finds its place free in a
 * line in which something ends, but rarely.
 */
static void align_to_lines(struct dma_arena *arena, struct iova_request *rq)
{
	unsigned long lines = rq->size >> arena->line;
	bool rest = rq->size & ((1UL << arena->line) - 1);
	unsigned int more = max(order_base_2(lines + 1), 1);

	/* It is to be aligned, or small. */
	if (rq->order || !lines) {
		rq->order = max(rq->order, arena->line + more);
		return;
	}
	rq->order = arena->line + more;
	rq->skew = (1UL << arena->line) + (rest ? 0 : more);
}

/*
 * To find that no lines are left costs a flush and a look at all that is free,
 * so that it is not tried again at once. Without lines the request is as before.
 */
static bool alloc_lines(struct dma_arena *arena, struct iova_request *rq,
			bool hard, unsigned long *pfn)
{
	bool small = !(rq->size >> arena->line);
	unsigned int order = rq->order;

	if (!arena->line || rq->skew || dma_arena_is_crowded(arena))
		return false;
	align_to_lines(arena, rq);
	/* Large ones may share lines at their ends. */
	rq->hard = hard && small;
	rq->modest = true;
	if (rq->order < IOVA_TREE_ORDERS) {
		if (iova_arenas_alloc(arena->space, rq, pfn))
			return true;
		if (rq->hard && rq->limit >= arena->last)
			WRITE_ONCE(arena->crowded,
				   jiffies + msecs_to_jiffies(CROWDED_MS));
	}
	rq->order = order;
	rq->skew = 0;
	rq->hard = false;
	rq->modest = false;
	return false;
}

/* Wherever there is room; lies well there if it can. */
static bool alloc_anywhere(struct dma_arena *arena, struct iova_request *rq,
			   bool optional, bool hard, unsigned long *pfn)
{
	if (optional) {
		if (iova_arenas_alloc(arena->space, rq, pfn))
			return true;
		rq->order = 0;
		rq->skew = 0;
	}
	rq->hard = hard;
	return iova_arenas_alloc(arena->space, rq, pfn);
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
	bool optional;

	/* Nothing at all has no address either. */
	if (rq.limit < arena->first || rq.size - 1 > rq.limit - arena->first)
		return 0;
	/* A single page lies well wherever it is. */
	optional = rq.size > 1 && align_request(arena, dev, like, &rq);
	if (!alloc_lines(arena, &rq, hard, &pfn) &&
	    !alloc_anywhere(arena, &rq, optional, hard, &pfn))
		return 0;
	return (dma_addr_t)pfn << arena->shift;
}

/**
 * dma_arena_next - find the next addresses that may be in use
 * @arena: addresses
 * @lo: page to look from; where to store the first page
 * @hi: where to store the last page
 *
 * Context: any
 * Return: whether there are any.
 */
bool dma_arena_next(struct dma_arena *arena, unsigned long *lo,
		    unsigned long *hi)
{
	return iova_arenas_next(arena->space, lo, hi);
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
