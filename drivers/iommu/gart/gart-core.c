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
#include <linux/cleanup.h>
#include <linux/delay.h>
#include <linux/errno.h>
#include <linux/export.h>
#include <linux/iommu.h>
#include <linux/log2.h>
#include <linux/printk.h>
#include <kunit/visibility.h>

#include "gart-core.h"

/* No permissions; bit 1 has the caches of CPUs snooped. */
const struct flat_pt_format gart_format = {
	.phys = {
		{ .mask = GENMASK_ULL(31, 12), .left = 0 },
		{ .mask = GENMASK_ULL(39, 32), .left = -28 },
	},
	.always = BIT(0) | BIT(1),
	.present = BIT(0),
	.entry = FLAT_PT_LE32,
	.page_shift = 12,
};
EXPORT_SYMBOL_IF_KUNIT(gart_format);

/* What nobody answers reads as ones. */
static int gart_read(struct gart_hw *hw, unsigned int node, int reg, u32 *value)
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
 * hardware does not do what it should; it is stopped then.
 */
int gart_start(struct gart_hw *hw, phys_addr_t table)
{
	unsigned int i;
	int ret = 0;

	if (table & (SZ_4K - 1) || table >> 40)
		return -EINVAL;
	hw->table = table;
	gart_stop(hw);
	for (i = 0; i < hw->nodes && !ret; i++)
		ret = gart_set_up_node(hw, i);
	for (i = 0; i < hw->nodes && !ret; i++)
		ret = gart_write(hw, i, GART_CONTROL,
				 gart_control(hw) | GART_CONTROL_ENABLE);
	if (!ret)
		ret = gart_flush(hw);
	if (ret)
		gart_stop(hw);
	return ret;
}
EXPORT_SYMBOL_IF_KUNIT(gart_start);

static void gart_report_error(struct gart_hw *hw, unsigned int node)
{
	pr_err_ratelimited("node %u: access to an entry that is not valid\n",
			   node);
	gart_write(hw, node, GART_CACHE, hw->cache[node] | GART_CACHE_ERROR);
}

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
			gart_report_error(hw, node);
		return 0;
	}
	/* It will not be the last time. */
	if (hw->failed != node + 1)
		pr_err("node %u does not finish a flush\n", node);
	hw->failed = node + 1;
	return -ETIMEDOUT;
}

static int gart_flush_now(struct gart_hw *hw)
{
	unsigned int i;
	int ret = 0;

	lockdep_assert_held(&hw->lock);

	for (i = 0; i < hw->nodes; i++)
		if (gart_write(hw, i, GART_CACHE,
			       hw->cache[i] | GART_CACHE_FLUSH))
			ret = -EIO;
	for (i = 0; i < hw->nodes; i++)
		ret = gart_flush_wait(hw, i) ?: ret;
	return ret;
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
	u64 mine = atomic64_inc_return(&hw->asked), begun;
	int ret;

	guard(raw_spinlock_irqsave)(&hw->lock);
	if (hw->flushed >= mine)
		return 0;
	begun = atomic64_read(&hw->asked);
	/* What the others stored to the table before they asked comes first. */
	smp_mb();
	ret = gart_flush_now(hw);
	if (!ret)
		hw->flushed = begun;
	return ret;
}
EXPORT_SYMBOL_IF_KUNIT(gart_flush);
