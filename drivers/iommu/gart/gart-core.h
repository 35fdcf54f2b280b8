/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The registers of the GART and its table.
 */
#ifndef __DRIVERS_IOMMU_GART_CORE_H
#define __DRIVERS_IOMMU_GART_CORE_H

#include <linux/atomic.h>
#include <linux/bits.h>
#include <linux/compiler.h>
#include <linux/sizes.h>
#include <linux/spinlock.h>
#include <linux/types.h>

#include "../flat-pt.h"

/* Registers, in the configuration space of function 3 of each northbridge */
#define GART_CONTROL		0x90
#define GART_BASE		0x94
#define GART_TABLE		0x98
#define GART_CACHE		0x9c

#define GART_CONTROL_ENABLE	BIT(0)
#define GART_CONTROL_SIZE	GENMASK(3, 1)
#define GART_CONTROL_NO_CPU	BIT(4)
#define GART_CONTROL_NO_IO	BIT(5)
/* Walks do not look into the caches of CPUs. */
#define GART_CONTROL_NO_PROBE	BIT(6)
/* Bits 39 to 25 of the address */
#define GART_BASE_MASK		GENMASK(14, 0)
#define GART_BASE_SHIFT		25
/* Bits 39 to 12 of the address, in bits 31 to 4 */
#define GART_TABLE_MASK		GENMASK(31, 4)
#define GART_TABLE_SHIFT	8
#define GART_CACHE_FLUSH	BIT(0)
/* An access met an entry that is not valid; writing 1 clears it. */
#define GART_CACHE_ERROR	BIT(1)

/* Zero in all entries of the table */
#define GART_ENTRY_ZEROS	GENMASK(3, 2)

#define GART_SIZE_MIN		SZ_32M
/* How often a flush is looked at, with 1 us in between, before it is given up */
#define GART_FLUSH_TRIES	1000
/* Northbridges are 00:18.3 to 00:1f.3. */
#define GART_NODES_MAX		8

/* A northbridge reads its table by lines of 64 bytes, 16 entries. */
#define GART_LINE_SHIFT		4
#define GART_LINE_ENTRIES	BIT(GART_LINE_SHIFT)
#define GART_LINE_BYTES		(GART_LINE_ENTRIES * SZ_4K)
/*
 * What is known about a line: entries that devices may use; whether they may use
 * the page before it, behind which bridges read on; and how many flushes had been
 * asked for when they last stopped to. The latter lasts for 4 years of flushes,
 * each of which takes a microsecond.
 */
#define GART_LINE_USED		GENMASK_ULL(15, 0)
#define GART_LINE_BEHIND	BIT_ULL(16)
#define GART_LINE_LEFT		GENMASK_ULL(63, 17)
/* One flush, in the unit in which they are counted everywhere */
#define GART_FLUSH		BIT_ULL(17)

struct gart_hw;

/**
 * struct gart_hw_ops - how registers are reached
 * @read: read a register of a node; an error is what the bus says
 * @write: write a register of a node
 */
struct gart_hw_ops {
	int (*read)(struct gart_hw *hw, unsigned int node, int reg,
		    u32 *value);
	int (*write)(struct gart_hw *hw, unsigned int node, int reg,
		     u32 value);
};

/**
 * struct gart_hw - all northbridges, which do the same
 * @ops: how registers are reached
 * @nodes: number of northbridges
 * @first: first address of the aperture
 * @bytes: its size
 * @table: where its table is
 * @lock: serialises flushes
 * @asked: flushes that were asked for, times GART_FLUSH
 * @flushed: what @asked was when the last good flush began; stored with @lock
 * @lines: what is known about each line of the table
 * @always: flush for each mapping; stays set once gart_start() has failed
 * @off: gart_start() has failed, nothing is translated; protected by @lock
 * @failed: nodes whose last flush has not ended; protected by @lock
 * @cache: what GART_CACHE was before anybody flushed, for each node
 */
struct gart_hw {
	const struct gart_hw_ops *ops;
	unsigned int nodes;
	u64 first;
	u64 bytes;
	phys_addr_t table;
	raw_spinlock_t lock;
	atomic64_t asked;
	u64 flushed;
	atomic64_t *lines;
	bool always;
	bool off;
	unsigned long failed;
	u32 cache[GART_NODES_MAX];
};

/* No permissions; bit 1 has the caches of CPUs snooped. */
static const struct flat_pt_format gart_format = {
	.phys = {
		{ .mask = GENMASK_ULL(31, 12), .left = 0 },
		{ .mask = GENMASK_ULL(39, 32), .left = -28 },
	},
	.always = BIT(0) | BIT(1),
	.present = BIT(0),
	.entry = FLAT_PT_LE32,
	.page_shift = 12,
};

/* What the compiler may know of the table that gart_table_init() has filled in */
static __always_inline struct flat_pt
gart_known_table(const struct flat_pt *pt)
{
	struct flat_pt known = *pt;

	known.format = &gart_format;
	known.publish = NULL;
	return known;
}

int gart_read(struct gart_hw *hw, unsigned int node, int reg, u32 *value);
int gart_find(struct gart_hw *hw);
int gart_running(struct gart_hw *hw, phys_addr_t *table);
int gart_table_adopt(struct flat_pt *pt, const struct gart_hw *hw, void *table,
		     unsigned long *used);
int gart_table_init(struct flat_pt *pt, const struct gart_hw *hw, void *table,
		    phys_addr_t scratch);
int gart_start(struct gart_hw *hw, phys_addr_t table);
void gart_stop(struct gart_hw *hw);
int gart_flush(struct gart_hw *hw);
size_t gart_lines(const struct gart_hw *hw);
int gart_use_lines(struct gart_hw *hw, unsigned long first, size_t count);
void gart_leave_lines(struct gart_hw *hw, unsigned long first, size_t count,
		      u64 asked);

/*
 * When to flush for a mapping
 *
 * A node may have a line of the table in its cache because of an access to any
 * of its entries. Devices access what is mapped for them, and bridges read on
 * into the page behind it. From the moment that something is mapped, a line that
 * it is in, or that the page behind it is in, may be cached, until a flush that
 * began after it was unmapped has ended. A mapping in lines of which none may be
 * cached needs no flush; the allocator of IOVAs looks for such, see
 * dma_arena_set_line().
 *
 * Devices do not know a mapping before gart_use() has returned. One that uses
 * what was never mapped, or no more, may see old entries, and so may whoever is
 * given its line next: where such devices are, flush always.
 */

/* Has a flush ended that began after @asked had been asked for, and was good? */
static inline bool gart_flushed_since(struct gart_hw *hw, u64 asked)
{
	/* Pairs with the release in gart_flush(). */
	return smp_load_acquire(&hw->flushed) > asked;
}

/* Returns whether it takes a flush before what has just been stored is used. */
static inline bool gart_use_line(struct gart_hw *hw, unsigned long line,
				 u64 bits)
{
	/*
	 * A full barrier: the entries were stored before. Whoever uses the line
	 * from now on sees them. Whoever has used it until now is seen here, or
	 * has left and is in the number.
	 */
	u64 old = atomic64_fetch_or(bits, &hw->lines[line]);

	return old & (GART_LINE_USED | GART_LINE_BEHIND) ||
	       !gart_flushed_since(hw, old);
}

static inline void gart_leave_line(struct gart_hw *hw, unsigned long line,
				   u64 bits, u64 asked)
{
	s64 old = atomic64_read(&hw->lines[line]);
	u64 new;

	do {
		new = old & ~bits;
		/* Others may have left at the same time with a later number. */
		if (new < asked)
			new = asked | (new & ~GART_LINE_LEFT);
	} while (!atomic64_try_cmpxchg(&hw->lines[line], &old, new));
}

/* Do pages share a line with the page behind them? */
static inline bool gart_in_line(unsigned long first, size_t count)
{
	return count < GART_LINE_ENTRIES - first % GART_LINE_ENTRIES;
}

/* If so: their bits */
static inline u64 gart_inner_bits(unsigned long first, size_t count)
{
	return ((1ULL << count) - 1) << first % GART_LINE_ENTRIES;
}

/**
 * gart_use - devices are going to use what was just mapped
 * @hw: northbridges
 * @iova: of the first page
 * @size: bytes, not 0
 *
 * Flushes if that is needed. On failure the caller unmaps again, and tells no
 * device.
 *
 * Context: any, as gart_flush()
 * Return: as gart_flush().
 */
static inline int gart_use(struct gart_hw *hw, u64 iova, size_t size)
{
	unsigned long first = (iova - hw->first) / SZ_4K;
	size_t count = size / SZ_4K;

	if (unlikely(!gart_in_line(first, count)))
		return gart_use_lines(hw, first, count);
	if (likely(!gart_use_line(hw, first >> GART_LINE_SHIFT,
				  gart_inner_bits(first, count)) &&
		   !hw->always))
		return 0;
	return gart_flush(hw);
}

/**
 * gart_leave - devices use no more what was just unmapped
 * @hw: northbridges
 * @iova: of the first page
 * @size: bytes, not 0
 *
 * Its lines may be cached until a flush has ended that begins after this.
 *
 * Context: any
 */
static inline void gart_leave(struct gart_hw *hw, u64 iova, size_t size)
{
	unsigned long first = (iova - hw->first) / SZ_4K;
	size_t count = size / SZ_4K;
	u64 asked;

	/*
	 * The entries were stored before. Pairs with the barrier in
	 * gart_flush(): a flush that has read a higher number than this comes
	 * after them, and after the last access of the device. One that has
	 * begun by now has this number, or less, and does not count.
	 */
	smp_mb();
	asked = atomic64_read(&hw->asked);
	if (likely(gart_in_line(first, count)))
		gart_leave_line(hw, first >> GART_LINE_SHIFT,
				gart_inner_bits(first, count), asked);
	else
		gart_leave_lines(hw, first, count, asked);
}

#endif /* __DRIVERS_IOMMU_GART_CORE_H */
