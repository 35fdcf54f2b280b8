/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the rest of the kernel tells and asks about the DMA path of a device.
 */
#ifndef _LINUX_DMA_PATH_H
#define _LINUX_DMA_PATH_H

#include <linux/device.h>
#include <linux/dma-map-ops.h>
#include <linux/iommu-dma.h>

#ifdef CONFIG_DMA_LAYERS

void dma_path_set_iommu(struct device *dev, bool on);
bool dma_path_base_iommu(struct device *dev);
void dma_path_count_bounce(struct device *dev, size_t size);
const struct dma_map_ops *dma_base_ops(struct device *dev);
const struct dma_map_ops *dma_unlayered_ops(struct device *dev);

#else

static inline void dma_path_set_iommu(struct device *dev, bool on)
{
	dev_assign_dma_iommu(dev, on);
}

static inline bool dma_path_base_iommu(struct device *dev)
{
	return false;
}

static inline void dma_path_count_bounce(struct device *dev, size_t size)
{
}

static inline const struct dma_map_ops *dma_base_ops(struct device *dev)
{
	return get_dma_ops(dev);
}

static inline const struct dma_map_ops *dma_unlayered_ops(struct device *dev)
{
	return get_dma_ops(dev);
}

#endif /* CONFIG_DMA_LAYERS */

/*
 * use_dma_iommu() says whether the DMA API calls iommu-dma by itself; this says
 * whether a mapping ends there, be it through layers.
 */
static inline bool dma_ends_in_iommu(struct device *dev)
{
	return IS_ENABLED(CONFIG_IOMMU_DMA) &&
	       (use_dma_iommu(dev) || dma_path_base_iommu(dev));
}

/*
 * For a device that is not direct and has these operations: is it for iommu-dma?
 * Who has none is, even if he has left it since: another thread may set a mask.
 */
static inline bool dma_goes_to_iommu(struct device *dev,
				     const struct dma_map_ops *ops)
{
	return IS_ENABLED(CONFIG_IOMMU_DMA) && (!ops || use_dma_iommu(dev));
}

#endif /* _LINUX_DMA_PATH_H */
