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
#include <linux/minmax.h>
#include <linux/sizes.h>
#include <kunit/visibility.h>

#include "flat-pt.h"

/* No hardware has a larger one. */
#define TABLE_MAX	SZ_1G

static unsigned int entry_shift(const struct flat_pt_format *format)
{
	return format->entry == FLAT_PT_LE32 || format->entry == FLAT_PT_BE32 ?
	       2 : 3;
}

static u64 shift_left(u64 value, int left)
{
	return left < 0 ? value >> -left : value << left;
}

/* Bits that the address of a page can have */
static u64 phys_mask(const struct flat_pt_format *format)
{
	return format->phys[0].mask | format->phys[1].mask;
}

static u64 encode_phys(const struct flat_pt_format *format, u64 phys)
{
	const struct flat_pt_field *low = &format->phys[0];
	const struct flat_pt_field *high = &format->phys[1];

	return shift_left(phys & low->mask, low->left) |
	       shift_left(phys & high->mask, high->left);
}

static u64 decode_phys(const struct flat_pt_format *format, u64 entry)
{
	const struct flat_pt_field *low = &format->phys[0];
	const struct flat_pt_field *high = &format->phys[1];

	return (shift_left(entry, -low->left) & low->mask) |
	       (shift_left(entry, -high->left) & high->mask);
}

/* Bits of an entry other than the address; 0 if there can be no such entry */
static u64 encode_prot(const struct flat_pt_format *format, int prot)
{
	u64 bits = format->always;

	if (!(prot & (IOMMU_READ | IOMMU_WRITE)))
		return 0;
	if (prot & IOMMU_READ)
		bits |= format->read;
	if (prot & IOMMU_WRITE)
		bits |= format->write;
	return bits & format->present ? bits : 0;
}

static u64 entry_load(const struct flat_pt *pt, unsigned long i)
{
	switch (pt->format->entry) {
	case FLAT_PT_LE32:
		return le32_to_cpu(READ_ONCE(((__le32 *)pt->table)[i]));
	case FLAT_PT_BE32:
		return be32_to_cpu(READ_ONCE(((__be32 *)pt->table)[i]));
	case FLAT_PT_LE64:
		return le64_to_cpu(READ_ONCE(((__le64 *)pt->table)[i]));
	default:
		return be64_to_cpu(READ_ONCE(((__be64 *)pt->table)[i]));
	}
}

static void entry_store(const struct flat_pt *pt, unsigned long i, u64 entry)
{
	switch (pt->format->entry) {
	case FLAT_PT_LE32:
		WRITE_ONCE(((__le32 *)pt->table)[i], cpu_to_le32(entry));
		break;
	case FLAT_PT_BE32:
		WRITE_ONCE(((__be32 *)pt->table)[i], cpu_to_be32(entry));
		break;
	case FLAT_PT_LE64:
		WRITE_ONCE(((__le64 *)pt->table)[i], cpu_to_le64(entry));
		break;
	case FLAT_PT_BE64:
		WRITE_ONCE(((__be64 *)pt->table)[i], cpu_to_be64(entry));
		break;
	}
}

static bool entry_maps(const struct flat_pt *pt, u64 entry)
{
	return entry != pt->empty && entry & pt->format->present;
}

/* The hardware is going to see @count entries from @i on. */
static void entries_publish(const struct flat_pt *pt, unsigned long i,
			    unsigned long count)
{
	unsigned int shift = entry_shift(pt->format);

	if (pt->publish && count)
		pt->publish(pt->table + (i << shift), count << shift);
	/* Before the doorbell that makes a device use the mapping */
	wmb();
}

/* Index of @iova, and in @count how many pages there are from it on */
static bool find_entry(const struct flat_pt *pt, u64 iova, unsigned long *i,
		       unsigned long *count)
{
	u64 page = (iova - pt->first) >> pt->format->page_shift;

	if (iova < pt->first || page >= pt->pages)
		return false;
	*i = page;
	*count = pt->pages - page;
	return true;
}

/**
 * flat_pt_bytes - the size of a table
 * @pt: table
 *
 * Return: bytes.
 */
size_t flat_pt_bytes(const struct flat_pt *pt)
{
	return (size_t)pt->pages << entry_shift(pt->format);
}
EXPORT_SYMBOL_IF_KUNIT(flat_pt_bytes);

static bool format_is_sane(const struct flat_pt_format *format)
{
	u64 fits = entry_shift(format) == 2 ? U32_MAX : U64_MAX;
	u64 flags = format->always | format->read | format->write;
	u64 phys = encode_phys(format, U64_MAX);

	if (format->page_shift < 12 || format->page_shift > 34)
		return false;
	/* The fields share no bits, neither here nor there. */
	if (format->phys[0].mask & format->phys[1].mask ||
	    encode_phys(format, format->phys[0].mask) &
	    encode_phys(format, format->phys[1].mask))
		return false;
	/* All bits from that of a page up to some other, and each comes back */
	if (decode_phys(format, phys) != phys_mask(format) ||
	    __ffs64(phys_mask(format) | BIT_ULL(63)) != format->page_shift ||
	    !is_power_of_2((phys_mask(format) >> format->page_shift) + 1))
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
	    pt->pages > TABLE_MAX >> entry_shift(format))
		return -EINVAL;
	if (!IS_ALIGNED((unsigned long)pt->table, BIT(entry_shift(format))))
		return -EINVAL;
	if (pt->pages - 1 > (U64_MAX - pt->first) >> format->page_shift)
		return -EINVAL;
	if (entry_shift(format) == 2 && pt->empty > U32_MAX)
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
	u64 bits = encode_prot(format, prot);

	if (!bits || phys & (BIT_ULL(format->page_shift) - 1))
		return -EINVAL;
	if (phys & ~phys_mask(format))
		return -ERANGE;
	*entry = encode_phys(format, phys) | bits;
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
		entry_store(pt, i, pt->empty);
	entries_publish(pt, 0, pt->pages);
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
	u64 bits = encode_prot(pt->format, prot), more;
	unsigned int shift = pt->format->page_shift;
	unsigned long i, room, done;
	int ret = 0;

	if (!count || !bits || (iova | phys) & (BIT_ULL(shift) - 1))
		return -EINVAL;
	if (!find_entry(pt, iova, &i, &room) || count > room)
		return -ERANGE;
	more = (u64)(count - 1) << shift;
	if (more > U64_MAX - phys || phys + more > phys_mask(pt->format))
		return -ERANGE;

	for (done = 0; done < count; done++, phys += BIT_ULL(shift)) {
		if (entry_maps(pt, entry_load(pt, i + done))) {
			ret = -EADDRINUSE;
			break;
		}
		entry_store(pt, i + done, encode_phys(pt->format, phys) | bits);
	}
	entries_publish(pt, i, done);
	*mapped += (size_t)done << shift;
	return ret;
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
	unsigned int shift = pt->format->page_shift;
	unsigned long i, room, done;

	if (iova & (BIT_ULL(shift) - 1) || !find_entry(pt, iova, &i, &room))
		return 0;
	count = min(count, room);
	for (done = 0; done < count; done++) {
		if (!entry_maps(pt, entry_load(pt, i + done)))
			break;
		entry_store(pt, i + done, pt->empty);
	}
	entries_publish(pt, i, done);
	return (size_t)done << shift;
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

	if (!find_entry(pt, iova, &i, &room))
		return 0;
	entry = entry_load(pt, i);
	if (!entry_maps(pt, entry))
		return 0;
	return decode_phys(pt->format, entry) |
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
