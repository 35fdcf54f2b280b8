/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * No-DMA ranges and bounce slots: the part that is always built in.
 *
 * In names, "last" is the address of the last byte.
 */
#ifndef _KERNEL_DMA_NODMA_H
#define _KERNEL_DMA_NODMA_H

#include <linux/dma-direction.h>
#include <linux/gfp_types.h>
#include <linux/list.h>
#include <linux/rbtree.h>
#include <linux/spinlock.h>
#include <linux/types.h>

struct device;
struct page;
struct scatterlist;

/* Most ranges that a set can hold after merging. */
#define NODMA_RANGES_MAX	64

/* For messages; must fit NODMA_RANGES_MAX. */
#define NODMA_ACCEPTED \
	"<start>-<last> or <size>@<start>, joined by \"+\", at most 64 after merging; numbers as 0x80000000, 4096, 64K, 16M, 2G; <last> is the last byte"

/**
 * struct nodma_range - physical addresses that are off limits
 * @start: first byte
 * @last: last byte
 */
struct nodma_range {
	phys_addr_t start;
	phys_addr_t last;
};

/**
 * struct nodma_ranges - set of ranges, ascending, none touching the next
 * @nr: number of ranges
 * @range: the ranges
 */
struct nodma_ranges {
	unsigned int nr;
	struct nodma_range range[NODMA_RANGES_MAX];
};

/**
 * struct nodma_user - a device that carries the nodma layer
 * @node: on the list of all of them
 * @dev: the device
 */
struct nodma_user {
	struct list_head node;
	struct device *dev;
};

#define NODMA_LIST_BITS		6

/**
 * struct nodma_entry - a bus address that does not stand for the caller's memory
 * @node: in nodma::entries, by @addr
 * @list_node: in nodma::lists when @sgl is set
 * @sgl: scatterlist that was mapped entry by entry and has here its first slot
 * @addr: bus address of the first byte
 * @size: length that was mapped below
 * @slot: bounce slot, unless @page is set
 * @page: memory that the layer allocated by itself
 * @dir: direction of the mapping below
 * @attrs: attributes of the mapping below
 */
struct nodma_entry {
	struct rb_node node;
	struct hlist_node list_node;
	struct scatterlist *sgl;
	dma_addr_t addr;
	size_t size;
	phys_addr_t slot;
	struct page *page;
	enum dma_data_direction dir;
	unsigned long attrs;
};

/**
 * struct nodma - state of the layer on one device
 * @ranges: what the device must not touch
 * @user: says that the device carries the layer
 * @live: number of entries in @entries
 * @lock: protects @entries and @lists; taken in any context
 * @entries: all entries, by bus address
 * @lists: the entries that have a scatterlist
 * @maps: mappings that were bounced so far
 * @bytes: sum of their lengths
 * @own: allocations that the layer had to make by itself
 * @failures: requests that were refused
 */
struct nodma {
	struct nodma_ranges ranges;
	struct nodma_user user;
	atomic_t live;
	spinlock_t lock;	/* for entries and lists */
	struct rb_root entries;
	struct hlist_head lists[1 << NODMA_LIST_BITS];
	atomic64_t maps;
	atomic64_t bytes;
	atomic64_t own;
	atomic64_t failures;
};

#if IS_ENABLED(CONFIG_KUNIT)
struct nodma_entry *nodma_entry_new(gfp_t gfp);
#endif

bool nodma_ranges_hit(const struct nodma_ranges *set, phys_addr_t start,
		      size_t size);
int nodma_ranges_add(struct nodma_ranges *set, phys_addr_t start,
		     phys_addr_t last);
int nodma_ranges_cut(struct nodma_ranges *set, phys_addr_t start,
		     phys_addr_t last);
int nodma_ranges_parse(const char *text, struct nodma_ranges *set);
int nodma_entry_parse(const char *entry, const char **pattern,
		      struct nodma_ranges *set);
int nodma_ranges_edit(const char *text, struct nodma_ranges *set);

int nodma_user_add(struct nodma_user *user, struct device *dev,
		   struct nodma_ranges *set);
void nodma_user_remove(struct nodma_user *user);

bool nodma_slots_present(struct device *dev);
bool nodma_slots_hit(struct device *dev, const struct nodma_ranges *set);
bool nodma_slots_forced(struct device *dev);
size_t nodma_slot_max(struct device *dev);
bool nodma_dev_unencrypted(struct device *dev);
bool nodma_base_iommu(struct device *dev);
bool nodma_direct_reaches(struct device *dev, phys_addr_t phys, size_t size,
			  u64 mask, unsigned long attrs);
phys_addr_t nodma_slot_map(struct device *dev, phys_addr_t phys, size_t size,
			   bool whole_pages, enum dma_data_direction dir,
			   unsigned long *attrs);
void nodma_slot_unmap(struct device *dev, phys_addr_t slot, size_t size,
		      enum dma_data_direction dir, unsigned long attrs);
void nodma_slot_sync_for_cpu(struct device *dev, phys_addr_t slot, size_t size,
			     enum dma_data_direction dir);
void nodma_slot_sync_for_device(struct device *dev, phys_addr_t slot,
				size_t size, enum dma_data_direction dir);

#endif /* _KERNEL_DMA_NODMA_H */
