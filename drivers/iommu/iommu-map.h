/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * iommu_map() and iommu_unmap_fast(): for iommu.c, and to be compiled into what
 * iommu-dma does with a single mapping.
 */
#ifndef __DRIVERS_IOMMU_IOMMU_MAP_H
#define __DRIVERS_IOMMU_IOMMU_MAP_H

#include <linux/bug.h>
#include <linux/compiler.h>
#include <linux/generic_pt/iommu.h>
#include <linux/gfp.h>
#include <linux/iommu.h>
#include <linux/kernel.h>
#include <trace/events/iommu.h>

#include "iommu-priv.h"

int __iommu_map_domain_pgtbl(struct iommu_domain *domain, unsigned long iova,
			     phys_addr_t paddr, size_t size, int prot,
			     gfp_t gfp, size_t *mapped);
size_t __iommu_unmap_domain_pgtbl(struct iommu_domain *domain,
				  unsigned long iova, size_t size,
				  struct iommu_iotlb_gather *iotlb_gather);

/* One page of the smallest size: nothing to choose, and nothing to split */
static inline bool iommu_is_one_page(struct iommu_domain *domain,
				     u64 addresses, size_t size)
{
	return size == (domain->pgsize_bitmap & -domain->pgsize_bitmap) &&
	       !(addresses & (size - 1));
}

/* Discourage passing strange GFP flags or illegal domains */
static inline int iommu_check_map(struct iommu_domain *domain, gfp_t gfp)
{
	might_sleep_if(gfpflags_allow_blocking(gfp));

	if (WARN_ON_ONCE(!(domain->type & __IOMMU_DOMAIN_PAGING) ||
			 !domain->pgsize_bitmap ||
			 (gfp & (__GFP_COMP | __GFP_DMA | __GFP_DMA32 |
				 __GFP_HIGHMEM))))
		return -EINVAL;

	return 0;
}

static __always_inline int
iommu_map_untracked(struct iommu_domain *domain, unsigned long iova,
		    phys_addr_t paddr, size_t size, int prot, gfp_t gfp,
		    size_t *mapped)
{
	struct pt_iommu *pt = iommupt_from_domain(domain);
	const struct iommu_domain_ops *ops = domain->ops;

	if (pt)
		return pt->ops->map_range(pt, iova, paddr, size, prot, gfp,
					  mapped);
	if (ops->map_pages && iommu_is_one_page(domain, iova | paddr, size))
		return ops->map_pages(domain, iova, paddr, size, 1, prot, gfp,
				      mapped);
	return __iommu_map_domain_pgtbl(domain, iova, paddr, size, prot, gfp,
					mapped);
}

static __always_inline int
iommu_map_nosync_inline(struct iommu_domain *domain, unsigned long iova,
			phys_addr_t paddr, size_t size, int prot, gfp_t gfp)
{
	size_t mapped = 0;
	int ret;

	ret = iommu_check_map(domain, gfp);
	if (ret)
		return ret;

	ret = iommu_map_untracked(domain, iova, paddr, size, prot, gfp,
				  &mapped);

	trace_map(iova, paddr, mapped);
	iommu_debug_map(domain, paddr, mapped);
	if (ret) {
		iommu_unmap(domain, iova, mapped);
		return ret;
	}
	return 0;
}

static __always_inline int
iommu_map_inline(struct iommu_domain *domain, unsigned long iova,
		 phys_addr_t paddr, size_t size, int prot, gfp_t gfp)
{
	const struct iommu_domain_ops *ops = domain->ops;
	int ret;

	ret = iommu_map_nosync_inline(domain, iova, paddr, size, prot, gfp);
	if (ret || !ops->iotlb_sync_map)
		return ret;

	ret = ops->iotlb_sync_map(domain, iova, size);
	if (ret)
		iommu_unmap(domain, iova, size);

	return ret;
}

static __always_inline size_t
__iommu_unmap_one_page(struct iommu_domain *domain, unsigned long iova,
		       size_t size, struct iommu_iotlb_gather *iotlb_gather)
{
	size_t unmapped = domain->ops->unmap_pages(domain, iova, size, 1,
						   iotlb_gather);

	/* As in __iommu_unmap_domain_pgtbl() */
	if (unmapped && iotlb_gather->start >= iotlb_gather->end)
		iommu_iotlb_gather_add_range(iotlb_gather, iova, size);
	return unmapped;
}

static __always_inline size_t
iommu_unmap_fast_inline(struct iommu_domain *domain, unsigned long iova,
			size_t size, struct iommu_iotlb_gather *iotlb_gather)
{
	struct pt_iommu *pt;
	size_t unmapped;

	if (WARN_ON_ONCE(!(domain->type & __IOMMU_DOMAIN_PAGING) ||
			 !domain->pgsize_bitmap))
		return 0;

	iommu_debug_unmap_begin(domain, iova, size);

	pt = iommupt_from_domain(domain);
	if (pt)
		unmapped = pt->ops->unmap_range(pt, iova, size, iotlb_gather);
	else if (domain->ops->unmap_pages &&
		 iommu_is_one_page(domain, iova, size))
		unmapped = __iommu_unmap_one_page(domain, iova, size,
						  iotlb_gather);
	else
		unmapped = __iommu_unmap_domain_pgtbl(domain, iova, size,
						      iotlb_gather);
	trace_unmap(iova, size, unmapped);
	iommu_debug_unmap_end(domain, iova, size, unmapped);
	return unmapped;
}

#endif /* __DRIVERS_IOMMU_IOMMU_MAP_H */
