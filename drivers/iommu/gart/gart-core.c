// SPDX-License-Identifier: GPL-2.0-only
/*
 * The registers of the GART and its table.
 *
 * Each northbridge has a GART. A device uses that of the node that its bus hangs
 * on, so that all of them must be set up the same way, share one table, and be
 * flushed together. Nothing here depends on the architecture.
 */
#define pr_fmt(fmt) "gart: " fmt

#include <linux/bitfield.h>
#include <linux/bitops.h>
#include <linux/cleanup.h>
#include <linux/delay.h>
#include <linux/errno.h>
#include <linux/export.h>
#include <linux/iommu.h>
#include <linux/log2.h>
#include <linux/minmax.h>
#include <linux/printk.h>
#include <kunit/visibility.h>

#include "gart-core.h"

/**
 * gart_read - read a register
 * @hw: northbridges
 * @node: which of them
 * @reg: a GART_ register
 * @value: where to store what it holds
 *
 * Return: 0, or -EIO when nobody answers, which reads as ones.
 */
int gart_read(struct gart_hw *hw, unsigned int node, int reg, u32 *value)
{
	int ret = hw->ops->read(hw, node, reg, value);

	if (ret || *value == ~0U) {
		pr_err("node %u: register %#x cannot be read\n", node, reg);
		return -EIO;
	}
	return 0;
}

static int gart_write(struct gart_hw *hw, unsigned int node, int reg, u32 value)
{
	return hw->ops->write(hw, node, reg, value) ? -EIO : 0;
}

static int gart_find_node(struct gart_hw *hw, unsigned int node, u64 *first,
			  u64 *bytes)
{
	u32 control, base;
	int ret;

	ret = gart_read(hw, node, GART_CONTROL, &control) ?:
	      gart_read(hw, node, GART_BASE, &base) ?:
	      gart_read(hw, node, GART_CACHE, &hw->cache[node]);
	if (ret)
		return ret;
	hw->cache[node] &= ~(GART_CACHE_FLUSH | GART_CACHE_ERROR);
	*first = (u64)FIELD_GET(GART_BASE_MASK, base) << GART_BASE_SHIFT;
	*bytes = (u64)GART_SIZE_MIN << FIELD_GET(GART_CONTROL_SIZE, control);
	return 0;
}

/**
 * gart_find - find the aperture that firmware or early code has set up
 * @hw: with &gart_hw.ops and &gart_hw.nodes
 *
 * Return: 0, -ENODEV when there are no nodes, or more than can be, -EIO when
 * one does not answer, -EINVAL when the aperture is of no use or nodes disagree.
 */
int gart_find(struct gart_hw *hw)
{
	u64 first, bytes;
	unsigned int i;
	int ret;

	raw_spin_lock_init(&hw->lock);
	if (!hw->nodes || hw->nodes > GART_NODES_MAX)
		return -ENODEV;
	for (i = 0; i < hw->nodes; i++) {
		ret = gart_find_node(hw, i, &first, &bytes);
		if (ret)
			return ret;
		if (!i) {
			hw->first = first;
			hw->bytes = bytes;
		}
		if (first == hw->first && bytes == hw->bytes)
			continue;
		pr_warn("node %u has an aperture other than node 0\n", i);
		return -EINVAL;
	}
	if (!hw->first || hw->bytes > SZ_2G || hw->first & (hw->bytes - 1) ||
	    hw->first + hw->bytes > SZ_4G) {
		pr_warn("no aperture: %#llx bytes at %#llx\n", hw->bytes,
			hw->first);
		return -EINVAL;
	}
	return 0;
}
EXPORT_SYMBOL_IF_KUNIT(gart_find);

/**
 * gart_table_init - fill the table of the aperture
 * @pt: to be filled in
 * @hw: with the aperture
 * @table: memory for it, 4 bytes for each 4 KiB of the aperture
 * @scratch: a page that devices may read and write
 *
 * All entries lead to @scratch. Through an entry that is not valid a northbridge
 * reads the page that is named there nevertheless (erratum 156), and bridges
 * read beyond the end of what is mapped.
 *
 * Return: 0, -EINVAL or -ERANGE for a page that cannot be used.
 */
int gart_table_init(struct flat_pt *pt, const struct gart_hw *hw, void *table,
		    phys_addr_t scratch)
{
	int ret;

	*pt = (struct flat_pt){
		.format = &gart_format,
		.table = table,
		.first = hw->first,
		.pages = hw->bytes >> gart_format.page_shift,
	};
	ret = flat_pt_encode(&gart_format, scratch, IOMMU_READ | IOMMU_WRITE,
			     &pt->empty) ?: flat_pt_check(pt);
	if (ret)
		return ret;
	flat_pt_clear(pt);
	return 0;
}
EXPORT_SYMBOL_IF_KUNIT(gart_table_init);

/**
 * gart_stop - have addresses pass through
 * @hw: northbridges
 *
 * Context: any; nothing is mapped
 */
void gart_stop(struct gart_hw *hw)
{
	unsigned int i;
	u32 control;

	for (i = 0; i < hw->nodes; i++)
		if (!gart_read(hw, i, GART_CONTROL, &control))
			gart_write(hw, i, GART_CONTROL,
				   control & ~GART_CONTROL_ENABLE);
}
EXPORT_SYMBOL_IF_KUNIT(gart_stop);

static u32 gart_control(const struct gart_hw *hw)
{
	/* The table is uncached: walks have nothing to look for in caches. */
	return FIELD_PREP(GART_CONTROL_SIZE,
			  ilog2(hw->bytes) - ilog2(GART_SIZE_MIN)) |
	       GART_CONTROL_NO_PROBE;
}

static int gart_set_up_node(struct gart_hw *hw, unsigned int node)
{
	return gart_write(hw, node, GART_CONTROL, gart_control(hw)) ?:
	       gart_write(hw, node, GART_BASE, hw->first >> GART_BASE_SHIFT) ?:
	       gart_write(hw, node, GART_TABLE, hw->table >> GART_TABLE_SHIFT);
}

/* With @off, flushes fail, and so do mappings, each of which wants one. */
static void gart_set_off(struct gart_hw *hw, bool off)
{
	guard(raw_spinlock_irqsave)(&hw->lock);
	hw->off = off;
	hw->always |= off;
}

/**
 * gart_start - translate, at boot or after resume
 * @hw: northbridges, with the aperture
 * @table: physical address of the table, below 1 TiB
 *
 * No node is told about an aperture while some node translates, and all agree
 * before the first one does.
 *
 * Context: any; no device does DMA to the aperture
 * Return: 0, -EINVAL for an address that cannot be, -EIO or -ETIMEDOUT when the
 * hardware does not do what it should; it is stopped then, and nothing can be
 * mapped.
 */
int gart_start(struct gart_hw *hw, phys_addr_t table)
{
	unsigned int i;
	int ret = 0;

	if (table & (SZ_4K - 1) || table >> 40)
		return -EINVAL;
	hw->table = table;
	/* Memory may lie before the aperture, from which bridges read on. */
	if (hw->lines)
		atomic64_or(GART_LINE_BEHIND, &hw->lines[0]);
	gart_stop(hw);
	gart_set_off(hw, false);
	for (i = 0; i < hw->nodes && !ret; i++)
		ret = gart_set_up_node(hw, i);
	for (i = 0; i < hw->nodes && !ret; i++)
		ret = gart_write(hw, i, GART_CONTROL,
				 gart_control(hw) | GART_CONTROL_ENABLE);
	if (!ret)
		ret = gart_flush(hw);
	if (ret) {
		gart_stop(hw);
		gart_set_off(hw, true);
	}
	return ret;
}
EXPORT_SYMBOL_IF_KUNIT(gart_start);

/* Returns whether the flush has met an entry that is not valid before. */
static int gart_flush_wait(struct gart_hw *hw, unsigned int node)
{
	unsigned int i;
	u32 value;

	for (i = 0; i < GART_FLUSH_TRIES; i++) {
		if (i)
			udelay(1);
		if (hw->ops->read(hw, node, GART_CACHE, &value))
			break;
		if (value & GART_CACHE_FLUSH)
			continue;
		if (value & GART_CACHE_ERROR)
			gart_write(hw, node, GART_CACHE,
				   hw->cache[node] | GART_CACHE_ERROR);
		return value & GART_CACHE_ERROR;
	}
	return -ETIMEDOUT;
}

/* Nodes with something to report are added to @stuck and @errors. */
static int gart_flush_now(struct gart_hw *hw, unsigned long *stuck,
			  unsigned long *errors)
{
	unsigned int i;
	int ret = 0, one;

	lockdep_assert_held(&hw->lock);

	for (i = 0; i < hw->nodes; i++)
		if (gart_write(hw, i, GART_CACHE,
			       hw->cache[i] | GART_CACHE_FLUSH))
			ret = -EIO;
	for (i = 0; i < hw->nodes; i++) {
		one = gart_flush_wait(hw, i);
		if (one > 0)
			*errors |= BIT(i);
		if (one >= 0) {
			__clear_bit(i, &hw->failed);
			continue;
		}
		ret = one;
		/* It will not be the last time. */
		if (!__test_and_set_bit(i, &hw->failed))
			*stuck |= BIT(i);
	}
	return ret;
}

/* Consoles are slow: not with a lock that others spin on. */
static void gart_report(unsigned long stuck, unsigned long errors)
{
	unsigned int i;

	for_each_set_bit(i, &stuck, GART_NODES_MAX)
		pr_err("node %u does not finish a flush\n", i);
	for_each_set_bit(i, &errors, GART_NODES_MAX)
		pr_err_ratelimited("node %u: access to an entry that is not valid\n",
				   i);
}

/**
 * gart_flush - forget all translations, on all nodes
 * @hw: northbridges
 *
 * There is no flush of less. Who waits for the flush of another CPU to end is
 * content with the next one, whoever does it: one flush is enough for all that
 * were waiting when it began.
 *
 * Context: any; waits for the hardware, a millisecond for each node at most
 * Return: 0, -ETIMEDOUT or -EIO when some node may still use old translations.
 */
int gart_flush(struct gart_hw *hw)
{
	u64 mine = atomic64_add_return(GART_FLUSH, &hw->asked), begun;
	unsigned long stuck = 0, errors = 0;
	int ret;

	scoped_guard(raw_spinlock_irqsave, &hw->lock) {
		if (hw->flushed >= mine)
			return 0;
		if (hw->off)
			return -EIO;
		begun = atomic64_read(&hw->asked);
		/*
		 * What others stored to the table before they asked comes
		 * first, and what they left before; see gart_leave().
		 */
		smp_mb();
		ret = gart_flush_now(hw, &stuck, &errors);
		if (!ret)
			/* Pairs with the acquire in gart_flushed_since(). */
			smp_store_release(&hw->flushed, begun);
	}
	gart_report(stuck, errors);
	return ret;
}
EXPORT_SYMBOL_IF_KUNIT(gart_flush);

/**
 * gart_lines - how many lines has the table?
 * @hw: northbridges, with the aperture
 *
 * Return: what &gart_hw.lines must have room for; zeros, to begin with.
 */
size_t gart_lines(const struct gart_hw *hw)
{
	return hw->bytes / GART_LINE_BYTES;
}
EXPORT_SYMBOL_IF_KUNIT(gart_lines);

/*
 * Behind the last line to look at: that of the page behind a mapping, of which no
 * entry was written
 */
static unsigned long gart_lines_end(struct gart_hw *hw, unsigned long end)
{
	return min(end / GART_LINE_ENTRIES + 1, gart_lines(hw));
}

/* Bits of the first line of a mapping that goes on in the next one */
static u64 gart_first_bits(unsigned long first)
{
	return GART_LINE_USED & (GART_LINE_USED << first % GART_LINE_ENTRIES);
}

/* Bits of a later one, with the pages before @end */
static u64 gart_next_bits(unsigned long line, unsigned long end)
{
	unsigned long pages = end - line * GART_LINE_ENTRIES;

	if (pages >= GART_LINE_ENTRIES)
		return GART_LINE_BEHIND | GART_LINE_USED;
	return GART_LINE_BEHIND | (BIT_ULL(pages) - 1);
}

/**
 * gart_use_lines - devices are going to use pages of more than one line
 * @hw: northbridges
 * @first: first page in the aperture
 * @count: pages
 *
 * See gart_use().
 *
 * Return: as gart_flush().
 */
int gart_use_lines(struct gart_hw *hw, unsigned long first, size_t count)
{
	unsigned long line = first / GART_LINE_ENTRIES, end = first + count;
	unsigned long stop = gart_lines_end(hw, end);
	u64 bits = gart_first_bits(first);
	bool flush = hw->always;

	for (; line < stop; line++, bits = gart_next_bits(line, end)) {
		/* Nobody uses the page behind them now. */
		if (gart_use_line(hw, line, bits) && bits & GART_LINE_USED)
			flush = true;
	}
	return flush ? gart_flush(hw) : 0;
}
EXPORT_SYMBOL_IF_KUNIT(gart_use_lines);

/**
 * gart_leave_lines - devices use no more pages of more than one line
 * @hw: northbridges
 * @first: first page in the aperture
 * @count: pages
 * @asked: flushes that had been asked for
 *
 * See gart_leave().
 */
void gart_leave_lines(struct gart_hw *hw, unsigned long first, size_t count,
		      u64 asked)
{
	unsigned long line = first / GART_LINE_ENTRIES, end = first + count;
	unsigned long stop = gart_lines_end(hw, end);
	u64 bits = gart_first_bits(first);

	for (; line < stop; line++, bits = gart_next_bits(line, end))
		gart_leave_line(hw, line, bits, asked);
}
EXPORT_SYMBOL_IF_KUNIT(gart_leave_lines);
