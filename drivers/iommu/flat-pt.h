/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Flat page tables: an array of entries in given memory, one for each page.
 */
#ifndef __DRIVERS_IOMMU_FLAT_PT_H
#define __DRIVERS_IOMMU_FLAT_PT_H

#include <linux/iommu.h>
#include <linux/types.h>

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
 * @phys: where the physical address is; a page whose address has other bits
 *	cannot be mapped
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

#endif /* __DRIVERS_IOMMU_FLAT_PT_H */
