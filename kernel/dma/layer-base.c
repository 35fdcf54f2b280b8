// SPDX-License-Identifier: GPL-2.0-only
/*
 * DMA operations that call direct mapping and iommu-dma, so that a stack of
 * layers has the same kind of base on every device.
 */
#include <linux/dma-path.h>
#include "direct.h"
#include "path.h"

static dma_addr_t base_direct_map_phys(struct device *dev, phys_addr_t phys,
				       size_t size,
				       enum dma_data_direction dir,
				       unsigned long attrs)
{
	return dma_direct_map_phys(dev, phys, size, dir, attrs,
				   dma_deciding_mask(dev));
}

static void base_direct_unmap_phys(struct device *dev, dma_addr_t addr,
				   size_t size, enum dma_data_direction dir,
				   unsigned long attrs)
{
	dma_direct_unmap_phys(dev, addr, size, dir, attrs, true);
}

static void base_direct_sync_single_for_cpu(struct device *dev,
					    dma_addr_t addr, size_t size,
					    enum dma_data_direction dir)
{
	dma_direct_sync_single_for_cpu(dev, addr, size, dir, true);
}

static void base_direct_sync_single_for_device(struct device *dev,
					       dma_addr_t addr, size_t size,
					       enum dma_data_direction dir)
{
	dma_direct_sync_single_for_device(dev, addr, size, dir);
}

static int base_direct_map_sg(struct device *dev, struct scatterlist *sg,
			      int nents, enum dma_data_direction dir,
			      unsigned long attrs)
{
	return dma_direct_map_sg(dev, sg, nents, dir, attrs,
				 dma_deciding_mask(dev));
}

static void base_direct_unmap_sg(struct device *dev, struct scatterlist *sg,
				 int nents, enum dma_data_direction dir,
				 unsigned long attrs)
{
	dma_direct_unmap_sg(dev, sg, nents, dir, attrs);
}

static void base_direct_sync_sg_for_cpu(struct device *dev,
					struct scatterlist *sg, int nents,
					enum dma_data_direction dir)
{
	dma_direct_sync_sg_for_cpu(dev, sg, nents, dir);
}

static void base_direct_sync_sg_for_device(struct device *dev,
					   struct scatterlist *sg, int nents,
					   enum dma_data_direction dir)
{
	dma_direct_sync_sg_for_device(dev, sg, nents, dir);
}

const struct dma_map_ops dma_base_direct_ops = {
	.alloc			= dma_direct_alloc,
	.free			= dma_direct_free,
	.alloc_pages_op		= dma_direct_alloc_pages,
	.free_pages		= dma_direct_free_pages,
	.mmap			= dma_direct_mmap,
	.get_sgtable		= dma_direct_get_sgtable,
	.map_phys		= base_direct_map_phys,
	.unmap_phys		= base_direct_unmap_phys,
	.map_sg			= base_direct_map_sg,
	.unmap_sg		= base_direct_unmap_sg,
	.sync_single_for_cpu	= base_direct_sync_single_for_cpu,
	.sync_single_for_device	= base_direct_sync_single_for_device,
	.sync_sg_for_cpu	= base_direct_sync_sg_for_cpu,
	.sync_sg_for_device	= base_direct_sync_sg_for_device,
	.dma_supported		= dma_direct_supported,
	.get_required_mask	= dma_direct_get_required_mask,
	.max_mapping_size	= dma_direct_max_mapping_size,
};

#ifdef CONFIG_IOMMU_DMA
const struct dma_map_ops dma_base_iommu_ops = {
	.alloc			= iommu_dma_alloc,
	.free			= iommu_dma_free,
	.alloc_pages_op		= dma_common_alloc_pages,
	.free_pages		= dma_common_free_pages,
	.mmap			= iommu_dma_mmap,
	.get_sgtable		= iommu_dma_get_sgtable,
	.map_phys		= iommu_dma_map_phys,
	.unmap_phys		= iommu_dma_unmap_phys,
	.map_sg			= iommu_dma_map_sg,
	.unmap_sg		= iommu_dma_unmap_sg,
	.sync_single_for_cpu	= iommu_dma_sync_single_for_cpu,
	.sync_single_for_device	= iommu_dma_sync_single_for_device,
	.sync_sg_for_cpu	= iommu_dma_sync_sg_for_cpu,
	.sync_sg_for_device	= iommu_dma_sync_sg_for_device,
	.max_mapping_size	= iommu_dma_max_mapping_size,
	.opt_mapping_size	= iommu_dma_opt_mapping_size,
	.get_merge_boundary	= iommu_dma_get_merge_boundary,
};
#else
/* Never used: without iommu-dma no device has it as its base. */
const struct dma_map_ops dma_base_iommu_ops = { };
#endif
