// SPDX-License-Identifier: GPL-2.0-only
/*
 * The geometry of TCE tables, against searches that try every value.
 */
#include <kunit/test.h>
#include "tce-layout.h"

static const u64 starts[] = { 0, PNV_WINDOW_AT_4GB, PNV_WINDOW_AT_BIT_59 };

/* The least power of two that holds what is below the window and in it */
static u64 least_span(u64 start, u64 size)
{
	u64 below = start == SZ_4G ? SZ_4G : 0, span = 1;

	while (span < below + size)
		span *= 2;
	return span;
}

static void tce_span(struct kunit *test)
{
	unsigned int i, shift;
	u64 size;

	for (i = 0; i < ARRAY_SIZE(starts); i++) {
		for (shift = 12; shift < 59; shift++) {
			size = BIT_ULL(shift);
			KUNIT_EXPECT_EQ(test, pnv_tce_span(starts[i], size),
					least_span(starts[i], size));
			size += BIT_ULL(shift - 1);
			if (shift < 58)
				KUNIT_EXPECT_EQ(test,
						pnv_tce_span(starts[i], size),
						least_span(starts[i], size));
		}
		KUNIT_EXPECT_EQ(test, pnv_tce_span(starts[i], BIT_ULL(60)), 0);
	}
	KUNIT_EXPECT_EQ(test, pnv_tce_span(0, 0), 0);
	KUNIT_EXPECT_EQ(test, pnv_tce_span(SZ_4G, BIT_ULL(59)), 0);
}

/* Do levels of so many bytes have that many entries together? */
static bool levels_hold(unsigned int shift, unsigned int levels,
			unsigned int entries_shift)
{
	return shift >= 12 && (shift - 3) * levels >= entries_shift;
}

static void tce_level_shift(struct kunit *test)
{
	unsigned int entries, levels, shift;

	for (entries = 0; entries <= 48; entries++) {
		for (levels = 1; levels <= 5; levels++) {
			shift = pnv_tce_level_shift(entries, levels);
			KUNIT_EXPECT_TRUE(test, levels_hold(shift, levels,
							    entries));
			KUNIT_EXPECT_FALSE(test, levels_hold(shift - 1, levels,
							     entries));
		}
	}
	/* Two levels with TCEs of 1 GB, which was too much for levels of 64 KB */
	KUNIT_EXPECT_LT(test, (pnv_tce_level_shift(6, 2) - 3) * 2 + 30, 55U);
}

static void tce_levels(struct kunit *test)
{
	unsigned int entries, limit, levels;

	for (entries = 0; entries <= 48; entries++) {
		for (limit = 12; limit <= 24; limit++) {
			levels = pnv_tce_levels(entries, limit);
			KUNIT_EXPECT_TRUE(test, levels_hold(limit, levels,
							    entries));
			if (levels > 1)
				KUNIT_EXPECT_FALSE(test,
						   levels_hold(limit,
							       levels - 1,
							       entries));
		}
	}
}

/* The largest size that divides 4 GB, so that a window can begin there */
static unsigned int largest_shift(unsigned long sizes)
{
	unsigned int shift, found = 0;

	for (shift = 0; shift < BITS_PER_LONG; shift++) {
		if (sizes & BIT(shift) && shift <= 32)
			found = shift;
	}
	return found;
}

static void tce_window_shift(struct kunit *test)
{
	static const unsigned int shifts[] = { 12, 16, 21, 24, 30, 32, 34 };
	unsigned long set, sizes;
	unsigned int i;

	for (set = 1; set < BIT(ARRAY_SIZE(shifts)); set++) {
		for (sizes = 0, i = 0; i < ARRAY_SIZE(shifts); i++)
			sizes |= set & BIT(i) ? BIT(shifts[i]) : 0;
		if (largest_shift(sizes))
			KUNIT_EXPECT_EQ(test, pnv_window_shift(sizes),
					largest_shift(sizes));
	}
}

static struct kunit_case tce_layout_cases[] = {
	KUNIT_CASE(tce_span),
	KUNIT_CASE(tce_level_shift),
	KUNIT_CASE(tce_levels),
	KUNIT_CASE(tce_window_shift),
	{}
};

static struct kunit_suite tce_layout_suite = {
	.name = "powernv-tce-layout",
	.test_cases = tce_layout_cases,
};

kunit_test_suite(tce_layout_suite);

MODULE_DESCRIPTION("KUnit tests of the geometry of TCE tables");
MODULE_LICENSE("GPL");
