/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Physical memory that devices must never touch, for platform code.
 */
#ifndef _LINUX_DMA_NODMA_H
#define _LINUX_DMA_NODMA_H

#include <linux/errno.h>
#include <linux/types.h>

struct device;

#ifdef CONFIG_DMA_NODMA

int dma_nodma_add_range(struct device *dev, phys_addr_t start,
			phys_addr_t last);
int dma_nodma_remove_range(struct device *dev, phys_addr_t start,
			   phys_addr_t last);

#else /* CONFIG_DMA_NODMA */

static inline int dma_nodma_add_range(struct device *dev, phys_addr_t start,
				      phys_addr_t last)
{
	return -EOPNOTSUPP;
}

static inline int dma_nodma_remove_range(struct device *dev, phys_addr_t start,
					 phys_addr_t last)
{
	return -EOPNOTSUPP;
}

#endif /* CONFIG_DMA_NODMA */
#endif /* _LINUX_DMA_NODMA_H */
