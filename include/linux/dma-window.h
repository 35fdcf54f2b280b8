/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * DMA windows: the parts of a bus address space through which devices of a
 * DMA domain reach memory. See Documentation/core-api/dma-windows.rst.
 */
#ifndef _LINUX_DMA_WINDOW_H
#define _LINUX_DMA_WINDOW_H

#include <linux/dma-direction.h>
#include <linux/types.h>

struct device;
struct iommu_domain;
struct page;

/* Windows that a domain can have */
#define DMA_WINDOWS_MAX	8

/**
 * enum dma_window_kind - how memory is seen through a window
 * @DMA_WINDOW_DIRECT: at fixed addresses, without a mapping
 * @DMA_WINDOW_TRANSLATED: where it was mapped
 */
enum dma_window_kind {
	DMA_WINDOW_DIRECT,
	DMA_WINDOW_TRANSLATED,
};

/**
 * struct dma_window - a range of bus addresses
 * @first: first bus address
 * @last: last bus address
 * @phys: memory at @first, for a direct window
 * @kind: what lies behind it
 * @own: of a translated window: no memory is there, and no device has a BAR
 *	there, although it may be among the addresses of a host bridge
 * @line: of a translated window: bytes that mappings had rather not share, a
 *	power of two; each has lines of its own while there are such. 0: any
 *	place is as good as another
 */
struct dma_window {
	u64 first;
	u64 last;
	phys_addr_t phys;
	enum dma_window_kind kind;
	bool own;
	u32 line;
};

#ifdef CONFIG_IOMMU_DMA_WINDOWS
int iommu_dma_set_windows(struct iommu_domain *domain,
			  const struct dma_window *windows,
			  unsigned int count);
bool iommu_dma_is_direct(struct device *dev, dma_addr_t addr);
bool iommu_dma_has_windows(struct device *dev);
struct page *iommu_dma_alloc_pages_last_resort(struct device *dev, size_t size,
					       dma_addr_t *handle,
					       enum dma_data_direction dir,
					       gfp_t gfp);
void iommu_dma_mask_changes(struct device *dev, u64 mask, u64 coherent_mask);
void iommu_dma_unbound(struct device *dev);
#else
static inline bool iommu_dma_is_direct(struct device *dev, dma_addr_t addr)
{
	return false;
}

static inline bool iommu_dma_has_windows(struct device *dev)
{
	return false;
}

static inline struct page *
iommu_dma_alloc_pages_last_resort(struct device *dev, size_t size,
				  dma_addr_t *handle,
				  enum dma_data_direction dir, gfp_t gfp)
{
	return NULL;
}

static inline void iommu_dma_mask_changes(struct device *dev, u64 mask,
					  u64 coherent_mask)
{
}

static inline void iommu_dma_unbound(struct device *dev)
{
}
#endif

#endif /* _LINUX_DMA_WINDOW_H */
