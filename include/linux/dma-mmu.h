/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * MMUs that drivers bring for devices of their own.
 *
 * Documentation/driver-api/dma-mmu.rst shows a driver from probe to removal.
 */
#ifndef _LINUX_DMA_MMU_H
#define _LINUX_DMA_MMU_H

#include <linux/export.h>
#include <linux/types.h>

struct device;
struct dma_mmu;
struct dma_mmu_state;
struct iommu_domain;
struct iommu_domain_ops;

/**
 * struct dma_mmu_ops - what a driver does for its MMU
 * @domain_alloc: allocate a domain, that is an empty page table.  The driver
 *	embeds &struct iommu_domain in a structure of its own, which it
 *	allocates with zeroes, and returns the address of the former or an
 *	error pointer; type, operations, page sizes and aperture are filled in
 *	by the caller.  May sleep.
 * @attach: have the hardware translate by a domain from now on, for all
 *	devices of the MMU, and flush what it has cached.  May replace another
 *	domain.  An error leaves the hardware as it was.  May sleep.
 * @block: have the hardware refuse all accesses of all devices of the MMU, and
 *	flush what it has cached.  Called when the last device leaves its
 *	domain, and after @attach only.  The hardware may be gone.  May sleep.
 * @domain_ops: operations on domains.  Required are @map_pages, @unmap_pages,
 *	@iova_to_phys, @iotlb_sync, @flush_iotlb_all, and @free, which undoes
 *	@domain_alloc; @iotlb_sync_map is for hardware that caches empty
 *	entries.  Those that map, unmap and flush are called in any context, and
 *	at the same time for different ranges, which may share a page table.
 *	Addresses in memory that an entry cannot hold are for @map_pages to
 *	refuse.  @attach_dev and @set_dev_pasid are not the driver's.
 *
 * Calls of @attach and @block are serialised.
 */
struct dma_mmu_ops {
	struct iommu_domain *(*domain_alloc)(struct dma_mmu *mmu);
	int (*attach)(struct dma_mmu *mmu, struct iommu_domain *domain);
	void (*block)(struct dma_mmu *mmu);
	const struct iommu_domain_ops *domain_ops;
};

/**
 * struct dma_mmu - an MMU with the devices behind it
 * @ops: functions of the driver
 * @name: tells the MMUs of one parent apart; with the name of the parent it is
 *	the name in /sys/class/iommu: <parent>.<name>
 * @page_sizes: bitmap of the sizes of pages, of which the smallest is not more
 *	than PAGE_SIZE
 * @first: lowest address that the devices can use
 * @last: highest such address
 * @strict: flush on each unmapping, whatever the options of the kernel say
 * @state: private to the core
 *
 * A driver embeds it, with zeroes, in what it allocates for the parent, fills
 * in all but @state, and calls dma_mmu_register().
 */
struct dma_mmu {
	const struct dma_mmu_ops *ops;
	const char *name;
	unsigned long page_sizes;
	dma_addr_t first;
	dma_addr_t last;
	bool strict;
	struct dma_mmu_state *state;
};

int __dma_mmu_register(struct dma_mmu *mmu, struct device *parent,
		       struct module *owner);
int dma_mmu_unregister(struct dma_mmu *mmu);
int dma_mmu_add_device(struct dma_mmu *mmu, struct device *dev);
int dma_mmu_check_device(struct dma_mmu *mmu, struct device *dev);
void dma_mmu_remove_device(struct dma_mmu *mmu, struct device *dev);

/**
 * dma_mmu_register - have an MMU serve devices
 * @mmu: the MMU; must stay valid until dma_mmu_unregister() has returned 0
 * @parent: device that the MMU is part of, with its DMA masks set. What the
 *	MMU translates to are physical addresses, so the DMA of the parent must
 *	be direct: no other IOMMU may translate it
 *
 * Context: process, may sleep.
 * Return: 0, -EINVAL when @mmu is incomplete, -EOPNOTSUPP when the DMA of
 * @parent is not direct, -EEXIST when @parent has an MMU of that name,
 * -ENOMEM. All but the last are reported with what is wrong.
 */
#define dma_mmu_register(mmu, parent) \
	__dma_mmu_register(mmu, parent, THIS_MODULE)

#endif /* _LINUX_DMA_MMU_H */
