/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Flat page tables: an array of entries in given memory, one for each page.
 */
#ifndef __DRIVERS_IOMMU_FLAT_PT_H
#define __DRIVERS_IOMMU_FLAT_PT_H

#include <linux/bits.h>
#include <linux/compiler.h>
#include <linux/errno.h>
#include <linux/iommu.h>
#include <linux/limits.h>
#include <linux/minmax.h>
#include <linux/types.h>
#include <asm/barrier.h>
#include <asm/byteorder.h>

/**
 * enum flat_pt_entry - size and byte order of an entry
 * @FLAT_PT_LE32: 4 bytes, little endian
 * @FLAT_PT_BE32: 4 bytes, big endian
 * @FLAT_PT_LE64: 8 bytes, little endian
 * @FLAT_PT_BE64: 8 bytes, big endian
 */
enum flat_pt_entry {
	FLAT_PT_LE32,
	FLAT_PT_BE32,
	FLAT_PT_LE64,
	FLAT_PT_BE64,
};

/**
 * struct flat_pt_field - where some bits of a physical address are
 * @mask: bits of the address, 0 for none
 * @left: how far left of there they are in the entry; negative for right
 */
struct flat_pt_field {
	u64 mask;
	int left;
};

/**
 * struct flat_pt_format - what an entry looks like
 * @phys: where the physical address is, from the bit of a page up; one whose
 *	address has other bits cannot be mapped
 * @always: bits of every entry that maps a page
 * @read: bits that let a device read, 0 if the hardware has none
 * @write: bits that let a device write, 0 if the hardware has none
 * @present: an entry maps a page if any of these bits is set, and if it is not
 *	the empty one of its table
 * @entry: size and byte order
 * @page_shift: log2 of the bytes of a page
 */
struct flat_pt_format {
	struct flat_pt_field phys[2];
	u64 always;
	u64 read;
	u64 write;
	u64 present;
	enum flat_pt_entry entry;
	unsigned int page_shift;
};

/**
 * struct flat_pt - a flat page table
 * @format: what its entries look like
 * @table: the entries; aligned to the size of one
 * @first: IOVA of the first page
 * @pages: number of entries
 * @empty: entry of a page that is not mapped: 0, or what flat_pt_encode() says
 *	for a page that no mapping will ever be made to
 * @publish: makes the hardware see what was stored to these bytes, or NULL when
 *	it sees all stores, in their order, since it snoops caches or @table is
 *	uncached. Called with any lock held that the caller of this library holds
 *
 * Filled in by its owner, who also owns @table, and only read by the library.
 *
 * Locking: there is none. Mapping and unmapping may go on at the same time in
 * ranges of IOVAs that are disjoint, which is what an allocator of IOVAs
 * provides; entries are written whole, by one store, so that hardware and
 * readers see the old or the new one. The owner excludes flat_pt_clear() from
 * all else. What hardware has cached of an entry is the owner's affair.
 */
struct flat_pt {
	const struct flat_pt_format *format;
	void *table;
	u64 first;
	unsigned long pages;
	u64 empty;
	void (*publish)(void *start, unsigned int bytes);
};

/**
 * struct flat_pt_domain - a domain that has a table for itself
 * @domain: what the IOMMU core knows
 * @pt: its table
 */
struct flat_pt_domain {
	struct iommu_domain domain;
	struct flat_pt pt;
};

int flat_pt_check(const struct flat_pt *pt);
size_t flat_pt_bytes(const struct flat_pt *pt);
int flat_pt_encode(const struct flat_pt_format *format, phys_addr_t phys,
		   int prot, u64 *entry);
void flat_pt_clear(const struct flat_pt *pt);
int flat_pt_map(const struct flat_pt *pt, u64 iova, phys_addr_t phys,
		size_t count, int prot, size_t *mapped);
size_t flat_pt_unmap(const struct flat_pt *pt, u64 iova, size_t count);
phys_addr_t flat_pt_iova_to_phys(const struct flat_pt *pt, u64 iova);

/* Operations of a &struct flat_pt_domain, see &struct iommu_domain_ops */
int flat_pt_map_pages(struct iommu_domain *domain, unsigned long iova,
		      phys_addr_t phys, size_t pgsize, size_t pgcount, int prot,
		      gfp_t gfp, size_t *mapped);
size_t flat_pt_unmap_pages(struct iommu_domain *domain, unsigned long iova,
			   size_t pgsize, size_t pgcount,
			   struct iommu_iotlb_gather *gather);
phys_addr_t flat_pt_domain_phys(struct iommu_domain *domain, dma_addr_t iova);

/*
 * The same, for callers that know the format: @pt is a local variable of theirs,
 * a copy of their table in which they name it, and whatever else they know. The
 * library itself has to look at each part of it.
 */

static __always_inline unsigned int
flat_pt_entry_shift(const struct flat_pt_format *format)
{
	return format->entry == FLAT_PT_LE32 || format->entry == FLAT_PT_BE32 ?
	       2 : 3;
}

static __always_inline u64 flat_pt_shift_left(u64 value, int left)
{
	return left < 0 ? value >> -left : value << left;
}

/* Bits that the address of a page can have */
static __always_inline u64
flat_pt_phys_mask(const struct flat_pt_format *format)
{
	return format->phys[0].mask | format->phys[1].mask;
}

static __always_inline u64
flat_pt_encode_phys(const struct flat_pt_format *format, u64 phys)
{
	const struct flat_pt_field *low = &format->phys[0];
	const struct flat_pt_field *high = &format->phys[1];

	return flat_pt_shift_left(phys & low->mask, low->left) |
	       flat_pt_shift_left(phys & high->mask, high->left);
}

static __always_inline u64
flat_pt_decode_phys(const struct flat_pt_format *format, u64 entry)
{
	const struct flat_pt_field *low = &format->phys[0];
	const struct flat_pt_field *high = &format->phys[1];

	return (flat_pt_shift_left(entry, -low->left) & low->mask) |
	       (flat_pt_shift_left(entry, -high->left) & high->mask);
}

/* Bits of an entry other than the address; 0 if there can be no such entry */
static __always_inline u64
flat_pt_encode_prot(const struct flat_pt_format *format, int prot)
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

static __always_inline u64 flat_pt_entry_load(const struct flat_pt *pt,
					      unsigned long i)
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

static __always_inline void flat_pt_entry_store(const struct flat_pt *pt,
						unsigned long i, u64 entry)
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

static __always_inline bool flat_pt_entry_maps(const struct flat_pt *pt,
					       u64 entry)
{
	return entry != pt->empty && entry & pt->format->present;
}

/* The hardware is going to see @count entries from @i on. */
static __always_inline void flat_pt_publish(const struct flat_pt *pt,
					    unsigned long i,
					    unsigned long count)
{
	unsigned int shift = flat_pt_entry_shift(pt->format);

	if (pt->publish && count)
		pt->publish(pt->table + (i << shift), count << shift);
	/* Before the doorbell that makes a device use the mapping */
	wmb();
}

/* Index of @iova, and in @count how many pages there are from it on */
static __always_inline bool flat_pt_find_entry(const struct flat_pt *pt,
					       u64 iova, unsigned long *i,
					       unsigned long *count)
{
	/* Below the table this is above it: neither end goes round the other. */
	u64 page = (iova - pt->first) >> pt->format->page_shift;

	if (page >= pt->pages)
		return false;
	*i = page;
	*count = pt->pages - page;
	return true;
}

static __always_inline int
flat_pt_map_inline(const struct flat_pt *pt, u64 iova, phys_addr_t phys,
		   size_t count, int prot, size_t *mapped)
{
	const struct flat_pt_format *format = pt->format;
	u64 bits = flat_pt_encode_prot(format, prot);
	u64 top = flat_pt_phys_mask(format);
	unsigned int shift = format->page_shift;
	u64 step = flat_pt_encode_phys(format, BIT_ULL(shift)), entry;
	unsigned long i, room, done;
	int ret = 0;

	if (!count || !bits || (iova | phys) & (BIT_ULL(shift) - 1))
		return -EINVAL;
	if (!flat_pt_find_entry(pt, iova, &i, &room) || count > room)
		return -ERANGE;
	if (phys > top || (u64)(count - 1) << shift > top - phys)
		return -ERANGE;

	entry = flat_pt_encode_phys(format, phys) | bits;
	for (done = 0; done < count; done++) {
		if (flat_pt_entry_maps(pt, flat_pt_entry_load(pt, i + done))) {
			ret = -EADDRINUSE;
			break;
		}
		flat_pt_entry_store(pt, i + done, entry);
		entry += step;
		phys += BIT_ULL(shift);
		/* Nothing is left in the first field: on with the second. */
		if (!(phys & format->phys[0].mask))
			entry = flat_pt_encode_phys(format, phys) | bits;
	}
	flat_pt_publish(pt, i, done);
	*mapped += (size_t)done << shift;
	return ret;
}

static __always_inline size_t
flat_pt_unmap_inline(const struct flat_pt *pt, u64 iova, size_t count)
{
	unsigned int shift = pt->format->page_shift;
	unsigned long i, room, done;

	if (iova & (BIT_ULL(shift) - 1) ||
	    !flat_pt_find_entry(pt, iova, &i, &room))
		return 0;
	count = min(count, room);
	for (done = 0; done < count; done++) {
		if (!flat_pt_entry_maps(pt, flat_pt_entry_load(pt, i + done)))
			break;
		flat_pt_entry_store(pt, i + done, pt->empty);
	}
	flat_pt_publish(pt, i, done);
	return (size_t)done << shift;
}

#endif /* __DRIVERS_IOMMU_FLAT_PT_H */
