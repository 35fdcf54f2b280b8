// SPDX-License-Identifier: GPL-2.0-only
/*
 * Flat page tables.
 *
 * Old and simple IOMMUs have one: an array of entries of fixed width, one for
 * each page of IOVA space, in memory whose size and place the hardware
 * prescribes. All that differs is how an entry is encoded, what stands in one
 * that maps nothing, and what it takes until the hardware sees a store. The
 * functions here are meant to be the body of the operations of a domain. What
 * they do is in proportion to the pages that they are asked for.
 */
#include <linux/align.h>
#include <linux/bits.h>
#include <linux/errno.h>
#include <linux/export.h>
#include <linux/iommu.h>
#include <linux/limits.h>
#include <linux/log2.h>
#include <linux/sizes.h>
#include <kunit/visibility.h>

#include "flat-pt.h"

/* No hardware has a larger one. */
#define TABLE_MAX	SZ_1G

/**
 * flat_pt_bytes - the size of a table
 * @pt: table
 *
 * Return: bytes.
 */
size_t flat_pt_bytes(const struct flat_pt *pt)
{
	return (size_t)pt->pages << flat_pt_entry_shift(pt->format);
}
EXPORT_SYMBOL_IF_KUNIT(flat_pt_bytes);

/* Is each bit from @shift up to some other in the mask, and nothing else? */
static bool is_run_from(u64 mask, unsigned int shift)
{
	return mask && __ffs64(mask) == shift &&
	       is_power_of_2((mask >> shift) + 1);
}

static bool format_is_sane(const struct flat_pt_format *format)
{
	u64 fits = flat_pt_entry_shift(format) == 2 ? U32_MAX : U64_MAX;
	u64 flags = format->always | format->read | format->write;
	u64 phys = flat_pt_encode_phys(format, U64_MAX);
	u64 mask = flat_pt_phys_mask(format);

	if (format->page_shift < 12 || format->page_shift > 34)
		return false;
	/* The fields share no bits, neither here nor there. */
	if (format->phys[0].mask & format->phys[1].mask ||
	    flat_pt_encode_phys(format, format->phys[0].mask) &
	    flat_pt_encode_phys(format, format->phys[1].mask))
		return false;
	/* All bits from that of a page up to some other, and each comes back */
	if (flat_pt_decode_phys(format, phys) != mask ||
	    !is_run_from(mask, format->page_shift) ||
	    !is_run_from(format->phys[0].mask, format->page_shift))
		return false;
	return !((flags | phys) & ~fits) && !(flags & phys) &&
	       format->present && !(format->present & ~flags);
}

/**
 * flat_pt_check - is a table described in a way that makes sense?
 * @pt: table, filled in
 *
 * Return: 0, or -EINVAL.
 */
int flat_pt_check(const struct flat_pt *pt)
{
	const struct flat_pt_format *format = pt->format;
	u64 page_mask;

	if (!format_is_sane(format))
		return -EINVAL;
	page_mask = BIT_ULL(format->page_shift) - 1;
	if (!pt->table || !pt->pages || pt->first & page_mask ||
	    pt->pages > TABLE_MAX >> flat_pt_entry_shift(format))
		return -EINVAL;
	if (!IS_ALIGNED((unsigned long)pt->table,
			BIT(flat_pt_entry_shift(format))))
		return -EINVAL;
	if (pt->pages - 1 > (U64_MAX - pt->first) >> format->page_shift)
		return -EINVAL;
	if (flat_pt_entry_shift(format) == 2 && pt->empty > U32_MAX)
		return -EINVAL;
	return 0;
}
EXPORT_SYMBOL_IF_KUNIT(flat_pt_check);

/**
 * flat_pt_encode - the entry that maps a page
 * @format: what entries look like
 * @phys: physical address of the page
 * @prot: IOMMU_READ, IOMMU_WRITE or both. Where the hardware has no bit for one
 *	of them, it lets devices do it in any case
 * @entry: where to store the entry
 *
 * Context: any
 * Return: 0, -ERANGE when hardware cannot have that address, -EINVAL when @phys
 * is not the begin of a page, or there is no entry for @prot.
 */
int flat_pt_encode(const struct flat_pt_format *format, phys_addr_t phys,
		   int prot, u64 *entry)
{
	u64 bits = flat_pt_encode_prot(format, prot);

	if (!bits || phys & (BIT_ULL(format->page_shift) - 1))
		return -EINVAL;
	if (phys & ~flat_pt_phys_mask(format))
		return -ERANGE;
	*entry = flat_pt_encode_phys(format, phys) | bits;
	return 0;
}
EXPORT_SYMBOL_IF_KUNIT(flat_pt_encode);

/**
 * flat_pt_clear - map nothing
 * @pt: table; what it holds does not matter
 *
 * Context: any; excludes all other uses of @pt
 */
void flat_pt_clear(const struct flat_pt *pt)
{
	unsigned long i;

	for (i = 0; i < pt->pages; i++)
		flat_pt_entry_store(pt, i, pt->empty);
	flat_pt_publish(pt, 0, pt->pages);
}
EXPORT_SYMBOL_IF_KUNIT(flat_pt_clear);

/**
 * flat_pt_map - map pages that follow each other
 * @pt: table
 * @iova: where a device shall see the first one
 * @phys: where it is
 * @count: number of pages
 * @prot: as for flat_pt_encode()
 * @mapped: bytes that were mapped are added here, in case of errors as well
 *
 * Context: any; the caller owns the IOVAs
 * Return: 0, -ERANGE when some IOVAs are not of the table or the hardware cannot
 * have some of the physical addresses, in which case nothing is mapped,
 * -EADDRINUSE when a page is mapped already; -EINVAL as flat_pt_encode().
 */
int flat_pt_map(const struct flat_pt *pt, u64 iova, phys_addr_t phys,
		size_t count, int prot, size_t *mapped)
{
	return flat_pt_map_inline(pt, iova, phys, count, prot, mapped);
}
EXPORT_SYMBOL_IF_KUNIT(flat_pt_map);

/**
 * flat_pt_unmap - unmap pages
 * @pt: table
 * @iova: of the first page
 * @count: number of pages
 *
 * It ends early at a page that is not mapped, and at the end of the table. What
 * the hardware has cached is still there.
 *
 * Context: any; the caller owns the IOVAs
 * Return: bytes that were unmapped.
 */
size_t flat_pt_unmap(const struct flat_pt *pt, u64 iova, size_t count)
{
	return flat_pt_unmap_inline(pt, iova, count);
}
EXPORT_SYMBOL_IF_KUNIT(flat_pt_unmap);

/**
 * flat_pt_iova_to_phys - where does an IOVA lead?
 * @pt: table
 * @iova: address, of a page or in one
 *
 * Context: any
 * Return: physical address, 0 if nothing is mapped there.
 */
phys_addr_t flat_pt_iova_to_phys(const struct flat_pt *pt, u64 iova)
{
	unsigned long i, room;
	u64 entry;

	if (!flat_pt_find_entry(pt, iova, &i, &room))
		return 0;
	entry = flat_pt_entry_load(pt, i);
	if (!flat_pt_entry_maps(pt, entry))
		return 0;
	return flat_pt_decode_phys(pt->format, entry) |
	       (iova & (BIT_ULL(pt->format->page_shift) - 1));
}
EXPORT_SYMBOL_IF_KUNIT(flat_pt_iova_to_phys);

static const struct flat_pt *to_pt(struct iommu_domain *domain)
{
	return &container_of(domain, struct flat_pt_domain, domain)->pt;
}

/**
 * flat_pt_map_pages - map pages in a domain
 * @domain: of a &struct flat_pt_domain
 * @iova: as for flat_pt_map()
 * @phys: as for flat_pt_map()
 * @pgsize: what the format says, and @domain
 * @pgcount: number of pages
 * @prot: as for flat_pt_encode()
 * @gfp: not used
 * @mapped: as for flat_pt_map()
 *
 * Context: any; the caller owns the IOVAs
 * Return: as flat_pt_map().
 */
int flat_pt_map_pages(struct iommu_domain *domain, unsigned long iova,
		      phys_addr_t phys, size_t pgsize, size_t pgcount, int prot,
		      gfp_t gfp, size_t *mapped)
{
	return flat_pt_map(to_pt(domain), iova, phys, pgcount, prot, mapped);
}
EXPORT_SYMBOL_IF_KUNIT(flat_pt_map_pages);

/**
 * flat_pt_unmap_pages - unmap pages in a domain
 * @domain: of a &struct flat_pt_domain
 * @iova: as for flat_pt_unmap()
 * @pgsize: what the format says, and @domain
 * @pgcount: number of pages
 * @gather: notes what was unmapped, all of which is to be flushed
 *
 * Context: any; the caller owns the IOVAs
 * Return: bytes that were unmapped.
 */
size_t flat_pt_unmap_pages(struct iommu_domain *domain, unsigned long iova,
			   size_t pgsize, size_t pgcount,
			   struct iommu_iotlb_gather *gather)
{
	size_t size = flat_pt_unmap(to_pt(domain), iova, pgcount);

	if (size)
		iommu_iotlb_gather_add_range(gather, iova, size);
	return size;
}
EXPORT_SYMBOL_IF_KUNIT(flat_pt_unmap_pages);

/**
 * flat_pt_domain_phys - where does an IOVA of a domain lead?
 * @domain: of a &struct flat_pt_domain
 * @iova: address, of a page or in one
 *
 * Context: any
 * Return: physical address, 0 if nothing is mapped there.
 */
phys_addr_t flat_pt_domain_phys(struct iommu_domain *domain, dma_addr_t iova)
{
	return flat_pt_iova_to_phys(to_pt(domain), iova);
}
EXPORT_SYMBOL_IF_KUNIT(flat_pt_domain_phys);
