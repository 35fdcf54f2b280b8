/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The geometry of TCE tables: arithmetic without side effects.
 */
#ifndef _POWERNV_TCE_LAYOUT_H
#define _POWERNV_TCE_LAYOUT_H

#include <linux/bits.h>
#include <linux/log2.h>
#include <linux/math.h>
#include <linux/minmax.h>
#include <linux/sizes.h>
#include <linux/types.h>

/*
 * Where the second window of a PE begins. There, the hardware knows the address
 * by bit 59, which is not part of the index, or takes all from 4 GB on.
 */
#define PNV_WINDOW_AT_BIT_59		BIT_ULL(59)
#define PNV_WINDOW_AT_4GB		SZ_4G

/* Bytes of the address space that a table has TCEs for, but no window */
static inline u64 pnv_tce_below(u64 start)
{
	return start == PNV_WINDOW_AT_4GB ? start : 0;
}

/* Bytes that a table has TCEs for when its window is so large, or 0 */
static inline u64 pnv_tce_span(u64 start, u64 size)
{
	u64 span = pnv_tce_below(start) + size;

	return span && span <= BIT_ULL(59) ? roundup_pow_of_two(span) : 0;
}

/* Levels of a table have at least 4 KB. */
#define PNV_TCE_LEVEL_SHIFT_MIN		12

/* log2 of the bytes that 1 << @entries_shift TCEs take */
static inline unsigned int pnv_tce_table_shift(unsigned int entries_shift)
{
	return max(entries_shift + 3, PNV_TCE_LEVEL_SHIFT_MIN);
}

/* log2 of the bytes of each of the @levels that these TCEs are spread over */
static inline unsigned int pnv_tce_level_shift(unsigned int entries_shift,
					       unsigned int levels)
{
	return pnv_tce_table_shift(DIV_ROUND_UP(entries_shift, levels));
}

/* The least number of levels that are not larger than 1 << @limit bytes */
static inline unsigned int pnv_tce_levels(unsigned int entries_shift,
					  unsigned int limit)
{
	unsigned int levels = 1;

	while (pnv_tce_level_shift(entries_shift, levels) > limit)
		levels++;
	return levels;
}

/* log2 of the largest of these TCE sizes that a window at 4 GB may have */
static inline unsigned int pnv_window_shift(unsigned long sizes)
{
	return ilog2(sizes & (2 * PNV_WINDOW_AT_4GB - 1));
}

#endif /* _POWERNV_TCE_LAYOUT_H */
