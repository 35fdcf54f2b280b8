/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * DMA windows of devices in pass-through that cannot address all memory.
 */
#ifndef __DRIVERS_IOMMU_DMA_WINDOW_PLAN_H
#define __DRIVERS_IOMMU_DMA_WINDOW_PLAN_H

#include <linux/types.h>

#include "dma-window.h"

struct device;
struct iommu_domain;

/**
 * struct dma_window_plan - what is where, while a translated window is placed
 * @ranges: ranges of addresses
 * @count: number of @ranges
 * @room: how many there may be before there must be more memory
 */
struct dma_window_plan {
	struct dma_window_range *ranges;
	unsigned int count;
	unsigned int room;
};

struct dma_windows *iommu_dma_windows(struct iommu_domain *domain);

bool dma_window_wanted(void);
u64 dma_window_highest(void);
u64 dma_window_reach(struct device *dev, u64 mask, u64 coherent_mask);
int dma_window_plan_start(struct dma_window_plan *plan);
int dma_window_plan_device(struct dma_window_plan *plan, struct device *dev);
int dma_window_plan_apply(struct dma_window_plan *plan,
			  struct iommu_domain *domain, u64 limit, bool carve);
bool dma_window_plan_suits(const struct dma_window_plan *plan,
			   const struct dma_windows *set);
void dma_window_plan_end(struct dma_window_plan *plan);

#endif /* __DRIVERS_IOMMU_DMA_WINDOW_PLAN_H */
