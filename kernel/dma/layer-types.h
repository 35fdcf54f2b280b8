/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The layers of the series as seen by their own KUnit suites.
 */
#ifndef _KERNEL_DMA_LAYER_TYPES_H
#define _KERNEL_DMA_LAYER_TYPES_H

#include <linux/dma-layer.h>
#include <linux/fault-inject.h>

#if IS_ENABLED(CONFIG_KUNIT)
extern struct dma_layer_type dma_layer_stats_type;
extern struct dma_layer_type dma_layer_fault_type;
extern struct dma_layer_type dma_layer_nodma_type;
#endif

/* What the stats layer counts, in the order in which it is printed. */
enum dma_stat {
	DMA_STAT_MAPS,
	DMA_STAT_SG_MAPS,
	DMA_STAT_SG_ENTRIES,
	DMA_STAT_BYTES,
	DMA_STAT_UNMAPS,
	DMA_STAT_SYNCS,
	DMA_STAT_ALLOCS,
	DMA_STAT_ALLOC_BYTES,
	DMA_STAT_FREES,
	DMA_STAT_MAP_FAILURES,
	DMA_STAT_ALLOC_FAILURES,
	DMA_STAT_NR
};

/* Bucket n counts mappings of [2^n, 2^(n+1)) bytes, the last one all above. */
#define DMA_STAT_SIZES		32

/**
 * struct dma_stats_sum - counters of the stats layer, summed over all CPUs
 * @n: indexed by enum dma_stat
 * @size: histogram of mapping lengths
 * @live: mappings and allocations that exist
 * @peak: most that existed at once
 */
struct dma_stats_sum {
	u64 n[DMA_STAT_NR];
	u64 size[DMA_STAT_SIZES];
	long live;
	long peak;
};

#if IS_ENABLED(CONFIG_KUNIT)
void dma_stats_read(struct dma_layer *layer, struct dma_stats_sum *sum);
void dma_stats_reset(struct dma_layer *layer);
#endif

/* Calls that the fault layer can fail; bits of its mask. */
enum dma_fault_call {
	DMA_FAULT_MAP_PHYS,
	DMA_FAULT_MAP_SG,
	DMA_FAULT_ALLOC,
	DMA_FAULT_ALLOC_PAGES,
	DMA_FAULT_ALLOC_NONCONTIGUOUS,
	DMA_FAULT_NR
};

/**
 * struct dma_fault - state of the fault layer on one device
 * @attr: when to fail; the kernel's fault-injection attributes
 * @calls: BIT(enum dma_fault_call) of the calls that count and may fail
 * @seen: calls that passed through, chosen or not
 * @injected: calls that were failed
 */
struct dma_fault {
	struct fault_attr attr;
	unsigned long calls;
	atomic_long_t seen[DMA_FAULT_NR];
	atomic_long_t injected[DMA_FAULT_NR];
};

#if IS_ENABLED(CONFIG_KUNIT)
int dma_fault_parse_calls(struct device *dev, const char *text,
			  unsigned long *calls);
#endif

#endif /* _KERNEL_DMA_LAYER_TYPES_H */
