// SPDX-License-Identifier: GPL-2.0-only
/*
 * Going on with the table of a kernel that has crashed.
 *
 * Devices are still at work, with addresses that the table has for them. Until a
 * driver resets them, these must lead where they led. So what was mapped stays so,
 * by whole MB, and this kernel maps elsewhere in the same table. The table stays
 * where it is: while northbridges are told of another, nothing is translated.
 */
#define pr_fmt(fmt) "gart: " fmt

#include <linux/bitmap.h>
#include <linux/errno.h>
#include <linux/export.h>
#include <kunit/visibility.h>

#include "gart-core.h"

#define PER_MB	(SZ_1M / SZ_4K)

/**
 * gart_running - find the table that all nodes translate with
 * @hw: northbridges
 * @table: where to store its physical address, 0 when no node translates
 *
 * Return: 0, -EBUSY when nodes disagree, -EIO when one does not answer.
 */
int gart_running(struct gart_hw *hw, phys_addr_t *table)
{
	phys_addr_t here;
	u32 control, base;
	unsigned int i;
	int ret;

	for (i = 0; i < hw->nodes; i++) {
		ret = gart_read(hw, i, GART_CONTROL, &control) ?:
		      gart_read(hw, i, GART_TABLE, &base);
		if (ret)
			return ret;
		here = (phys_addr_t)(base & GART_TABLE_MASK) << GART_TABLE_SHIFT;
		if (!(control & GART_CONTROL_ENABLE))
			here = 0;
		if (i && here != *table)
			return -EBUSY;
		*table = here;
	}
	return 0;
}
EXPORT_SYMBOL_IF_KUNIT(gart_running);

/*
 * All that is not mapped has the same entry. Nobody knows it, but if this is what
 * more than half of the table has, this finds it. What cannot be an entry is not
 * memory of a table.
 */
static int find_empty(struct flat_pt *pt)
{
	unsigned long i, votes = 0;
	u64 entry;

	for (i = 0; i < pt->pages; i++) {
		entry = flat_pt_entry_load(pt, i);
		if (!(entry & pt->format->present) || entry & GART_ENTRY_ZEROS)
			return -EINVAL;
		if (!votes)
			pt->empty = entry;
		votes += entry == pt->empty ? 1 : -1;
	}
	return 0;
}

/* Returns how many entries are in use. */
static unsigned long note_used(const struct flat_pt *pt, unsigned long *used)
{
	unsigned long i, n = 0;

	for (i = 0; i < pt->pages; i++) {
		if (flat_pt_entry_load(pt, i) == pt->empty)
			continue;
		__set_bit(i / PER_MB, used);
		n++;
	}
	return n;
}

/**
 * gart_table_adopt - go on with a table that is in use
 * @pt: to be filled in
 * @hw: with the aperture
 * @table: its memory, mapped uncached, which may hold anything
 * @used: a bit for each MB of the aperture; set where something is mapped
 *
 * Return: 0, -EINVAL when that is no table, -ENOSPC when so much is mapped that
 * nobody can tell what is not.
 */
int gart_table_adopt(struct flat_pt *pt, const struct gart_hw *hw, void *table,
		     unsigned long *used)
{
	int ret;

	*pt = (struct flat_pt){
		.format = &gart_format,
		.table = table,
		.first = hw->first,
		.pages = hw->bytes >> gart_format.page_shift,
	};
	ret = flat_pt_check(pt) ?: find_empty(pt);
	if (ret)
		return ret;
	return note_used(pt, used) < pt->pages / 2 ? 0 : -ENOSPC;
}
EXPORT_SYMBOL_IF_KUNIT(gart_table_adopt);
