/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the DMA API asks a stack of layers beyond dma_map_ops.
 */
#ifndef _KERNEL_DMA_STACK_H
#define _KERNEL_DMA_STACK_H

#include <linux/dma-map-ops.h>

#ifdef CONFIG_DMA_LAYERS

extern const struct dma_map_ops dma_stack_ops;

static inline bool dma_ops_stacked(const struct dma_map_ops *ops)
{
	return ops == &dma_stack_ops;
}

#else

static inline bool dma_ops_stacked(const struct dma_map_ops *ops)
{
	return false;
}

#endif /* CONFIG_DMA_LAYERS */

struct sg_table *dma_stack_alloc_noncontiguous(struct device *dev, size_t size,
					       enum dma_data_direction dir,
					       gfp_t gfp, unsigned long attrs);
void dma_stack_free_noncontiguous(struct device *dev, size_t size,
				  struct sg_table *sgt,
				  enum dma_data_direction dir);
bool dma_stack_can_mmap(struct device *dev);
bool dma_stack_is_direct(struct device *dev);

#endif /* _KERNEL_DMA_STACK_H */
