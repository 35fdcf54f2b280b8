/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An IOMMU made of software, for tests and benchmarks of the DMA API.
 */
#ifndef __SOFT_IOMMU_H
#define __SOFT_IOMMU_H

#include <linux/types.h>

struct device;
struct iommu_domain;

/**
 * enum soft_iommu_mode - the default domain of a device
 * @SOFT_IOMMU_STRICT: an unmap flushes before it returns
 * @SOFT_IOMMU_LAZY: flushes are put off (IOMMU_DOMAIN_DMA_FQ)
 * @SOFT_IOMMU_IDENTITY: no translation, hence no IOVAs
 */
enum soft_iommu_mode {
	SOFT_IOMMU_STRICT,
	SOFT_IOMMU_LAZY,
	SOFT_IOMMU_IDENTITY,
};

/**
 * struct soft_iommu_config - what a device and its domain are like
 * @mode: the type of the default domain
 * @flush_ns: the time that any flush takes
 * @iotlb_lg2: model an IOTLB of that many slots, as a power of two; 0: none
 * @dma_bits: streaming and coherent mask of the device; 0 means 64
 * @pgsizes: page sizes that may be used, of 4 KB (which is always), 2 MB and
 *	1 GB, or-ed; 0 means all
 * @serial: a flush holds a lock of the domain, with interrupts off, as long
 *	as it takes. Otherwise flushes of one domain run side by side.
 * @caching: mappings are flushed too, as where absent entries are cached
 * @stock: the domain keeps to the stock address allocator, and to the stock
 *	flush queue, where the kernel has others as well
 * @low_first: addresses below 4 GB are tried first, as for PCI devices
 * @reserved: address of a page that the device uses from the start, and which
 *	has to stay mapped there (&IOMMU_RESV_DIRECT); 0: none
 * @caps: further capabilities, a bit for each &enum iommu_cap
 * @attach: asked before a domain with a page table is attached, with the
 *	group's mutex held; an error is the result of that; may be NULL
 *
 * All of this belongs to the domain, of which the first device of a group
 * decides, except @dma_bits, @low_first, @reserved, @caps and @attach.
 */
struct soft_iommu_config {
	enum soft_iommu_mode mode;
	unsigned int flush_ns;
	unsigned int iotlb_lg2;
	unsigned int dma_bits;
	unsigned long pgsizes;
	bool serial;
	bool caching;
	bool stock;
	bool low_first;
	u64 reserved;
	unsigned long caps;
	int (*attach)(struct iommu_domain *domain, struct device *dev);
};

/**
 * struct soft_iommu_counts - flushes of a domain
 * @all: flushes of the whole domain
 * @ranged: flushes of a range, whatever its length
 * @pages: 4 KB pages in the ranges of @ranged
 * @maps: flushes on map, see &soft_iommu_config.caching
 */
struct soft_iommu_counts {
	u64 all;
	u64 ranged;
	u64 pages;
	u64 maps;
};

struct device *soft_iommu_device_create(const struct soft_iommu_config *config,
					struct device *peer);
void soft_iommu_device_destroy(struct device *dev);
void soft_iommu_read_counts(struct device *dev,
			    struct soft_iommu_counts *counts);
int soft_iommu_access(struct device *dev, dma_addr_t iova, phys_addr_t *phys);
size_t soft_iommu_walk(struct device *dev, dma_addr_t iova, phys_addr_t *phys);

#endif /* __SOFT_IOMMU_H */
