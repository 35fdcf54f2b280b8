// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of tables of TCEs: what a chip finds in memory.
 */
#include <kunit/test.h>
#include <linux/io.h>
#include <linux/iommu.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "calgary.h"

/* What has been brought to memory */
static void *published;
static unsigned int published_bytes;

static void publish(void *start, unsigned int bytes)
{
	published = start;
	published_bytes = bytes;
}

static const struct calgary_io io = { .publish = publish };

static void tables_are_aligned_and_empty(struct kunit *test)
{
	struct calgary_table *table;
	unsigned int code;

	/* 1 MB at most: memory of a test machine is not for more. */
	for (code = 0; code <= 4; code++) {
		size_t bytes = SZ_64K << code;

		published_bytes = 0;
		table = calgary_table_alloc(&io, code);
		KUNIT_ASSERT_NOT_NULL(test, table);
		KUNIT_EXPECT_EQ(test, flat_pt_check(&table->flat.pt), 0);
		if ((table->tar & 7) == code) {
			u64 phys = table->tar - code;

			KUNIT_EXPECT_EQ(test, phys & (bytes - 1), 0);
			KUNIT_EXPECT_LE(test, phys, SZ_4G - bytes);
			KUNIT_EXPECT_EQ(test, phys,
					virt_to_phys(table->flat.pt.table));
			KUNIT_EXPECT_NULL(test, memchr_inv(table->flat.pt.table, 0,
							   bytes));
			KUNIT_EXPECT_EQ(test, table->flat.pt.pages * 4096,
					(u64)SZ_32M << code);
			/* Zeros in a cache are none to a chip. */
			KUNIT_EXPECT_EQ(test, published_bytes, bytes);
		}
		calgary_table_free(table);
	}
}

static void tces_are_as_chips_want_them(struct kunit *test)
{
	static const u8 tces[3][8] = {
		{ 0x00, 0x00, 0x7f, 0xff, 0x12, 0x34, 0x50, 0x01 },
		{ 0x00, 0x00, 0x7f, 0xff, 0x12, 0x34, 0x50, 0x03 },
		{ 0x00, 0x00, 0x7f, 0xff, 0x12, 0x34, 0x50, 0x03 },
	};
	static const int prots[3] = {
		IOMMU_READ, IOMMU_WRITE, IOMMU_READ | IOMMU_WRITE,
	};
	struct calgary_table *table = calgary_table_alloc(&io, 0);
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, table);
	for (i = 0; i < 3; i++) {
		u8 *tce = table->flat.pt.table + 8 * (0x100 + i);
		u64 iova = (0x100 + i) * SZ_4K;
		size_t mapped = 0;

		KUNIT_EXPECT_EQ(test, flat_pt_map(&table->flat.pt, iova,
						  0x7fff12345000, 1,
						  prots[i], &mapped), 0);
		KUNIT_EXPECT_MEMEQ(test, tce, tces[i], 8);
		KUNIT_EXPECT_PTR_EQ(test, published, (void *)tce);
		KUNIT_EXPECT_EQ(test, published_bytes, 8);
		KUNIT_EXPECT_EQ(test, flat_pt_iova_to_phys(&table->flat.pt,
							   iova + 5),
				0x7fff12345005);
		published = NULL;
		KUNIT_EXPECT_EQ(test, flat_pt_unmap(&table->flat.pt, iova, 1),
				SZ_4K);
		KUNIT_EXPECT_NULL(test, memchr_inv(tce, 0, 8));
		KUNIT_EXPECT_PTR_EQ(test, published, (void *)tce);
	}
	calgary_table_free(table);
}

/* Neither beyond the table nor where no TCE can point */
static void impossible_mappings_are_refused(struct kunit *test)
{
	struct calgary_table *table = calgary_table_alloc(&io, 0);
	size_t mapped = 0;

	KUNIT_ASSERT_NOT_NULL(test, table);
	KUNIT_EXPECT_NE(test, flat_pt_map(&table->flat.pt, SZ_32M, 0, 1, IOMMU_READ,
					  &mapped), 0);
	KUNIT_EXPECT_NE(test, flat_pt_map(&table->flat.pt, SZ_32M - SZ_4K, 0, 2,
					  IOMMU_READ, &mapped), 0);
	KUNIT_EXPECT_NE(test, flat_pt_map(&table->flat.pt, SZ_1M, 1ULL << 48, 1,
					  IOMMU_READ, &mapped), 0);
	KUNIT_EXPECT_EQ(test, mapped, 0);
	KUNIT_EXPECT_NULL(test, memchr_inv(table->flat.pt.table, 0, SZ_64K));
	calgary_table_free(table);
}

/* What a dead kernel has left, in memory of this one */
static u8 *left;
static u64 left_start;
static size_t left_bytes;
static int mapped;
static DECLARE_BITMAP(used, CALGARY_MB);

static void *map_left(u64 start, size_t bytes)
{
	left_start = start;
	left_bytes = bytes;
	mapped++;
	return left;
}

static void unmap_left(void *entries)
{
	mapped -= entries == left;
}

static const struct calgary_io left_io = {
	.publish = publish,
	.map = map_left,
	.unmap = unmap_left,
};

/* A table of 64 KB with three entries, which are two MB of IOVAs */
static void leave(struct kunit *test)
{
	left = kunit_kzalloc(test, SZ_64K, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, left);
	left[8 * 0x100 + 7] = 1;
	left[8 * 0x1ff + 7] = 3;
	left[8 * 0x1fff + 2] = 0x12;
	left[8 * 0x1fff + 7] = 2;
	mapped = 0;
	bitmap_zero(used, CALGARY_MB);
}

static void tables_of_another_kernel_are_kept(struct kunit *test)
{
	struct calgary_table *table;
	size_t done = 0;

	leave(test);
	/* The bit that says it is valid, and others around */
	table = calgary_table_adopt(&left_io, 0xabcd000012340008ULL, used);
	KUNIT_ASSERT_NOT_NULL(test, table);
	KUNIT_EXPECT_EQ(test, left_start, 0x12340000);
	KUNIT_EXPECT_EQ(test, left_bytes, SZ_64K);
	KUNIT_EXPECT_EQ(test, table->tar, 0x12340000);
	KUNIT_EXPECT_EQ(test, table->flat.pt.pages, 0x2000);
	KUNIT_EXPECT_EQ(test, bitmap_weight(used, 4096), 2);
	KUNIT_EXPECT_TRUE(test, test_bit(1, used));
	KUNIT_EXPECT_TRUE(test, test_bit(31, used));
	KUNIT_EXPECT_EQ(test, flat_pt_map(&table->flat.pt, 2 * SZ_1M, 0x5000, 1,
					  IOMMU_READ, &done), 0);
	KUNIT_EXPECT_EQ(test, left[8 * 0x200 + 6], 0x50);
	KUNIT_EXPECT_EQ(test, left[8 * 0x100 + 7], 1);
	KUNIT_EXPECT_EQ(test, left[8 * 0x1fff + 2], 0x12);
	calgary_table_free(table);
	KUNIT_EXPECT_EQ(test, mapped, 0);
	KUNIT_EXPECT_EQ(test, left[8 * 0x100 + 7], 1);
}

static void nonsense_is_not_adopted(struct kunit *test)
{
	/* In low memory, no multiple of its size, beyond 4 GB, at its end */
	static const u64 places[] = {
		0, 0x10000, 0x88000, 0x12348000, 0x12350001, 0x123400000007,
		0x100000000, 0xffff8000, 0xffffffffffffffff,
	};
	/* Byte of an entry, its value */
	static const u64 flaws[] = {
		BIT_ULL(56) | 3, BIT_ULL(48) | 3, BIT_ULL(8) | 3, BIT_ULL(7) | 3,
		BIT_ULL(2) | 3, SZ_64K,
	};
	unsigned int i;

	leave(test);
	for (i = 0; i < ARRAY_SIZE(places); i++)
		KUNIT_EXPECT_NULL(test, calgary_table_adopt(&left_io, places[i],
							    used));
	KUNIT_EXPECT_EQ(test, mapped, 0);
	for (i = 0; i < ARRAY_SIZE(flaws); i++) {
		leave(test);
		((__be64 *)left)[0x300] = cpu_to_be64(flaws[i]);
		left_bytes = 0;
		KUNIT_EXPECT_NULL(test, calgary_table_adopt(&left_io,
							    0x12340000, used));
		KUNIT_EXPECT_EQ(test, left_bytes, SZ_64K);
		KUNIT_EXPECT_EQ(test, mapped, 0);
	}
	/* An empty one may be shared. */
	memset(left, 0, SZ_64K);
	KUNIT_EXPECT_NULL(test, calgary_table_adopt(&left_io, 0x12340000,
						    used));
	KUNIT_EXPECT_EQ(test, mapped, 0);
	/* It may be where this kernel's memory is. */
	left = NULL;
	KUNIT_EXPECT_NULL(test, calgary_table_adopt(&left_io, 0x12340000,
						    used));
}

static void full_tables_are_not_adopted(struct kunit *test)
{
	struct calgary_table *table;
	unsigned int i;

	leave(test);
	for (i = 0; i < 16; i++)
		left[8 * 0x100 * i + 7] = 3;
	left[8 * 0x1fff + 7] = 0;
	left[8 * 0x1fff + 2] = 0;
	table = calgary_table_adopt(&left_io, 0x12340000, used);
	KUNIT_EXPECT_NOT_NULL(test, table);
	calgary_table_free(table);
	left[8 * 0x100 * 16 + 7] = 3;
	KUNIT_EXPECT_NULL(test, calgary_table_adopt(&left_io, 0x12340000,
						    used));
}

/* Where nothing can be mapped, there is no room either. */
static void reserved_iovas_are_no_room(struct kunit *test)
{
	struct calgary_table *table;
	unsigned int mb;

	/* Two MB of 32 are the old kernel's, one of which is reserved as well. */
	for (mb = 0; mb < 17; mb++) {
		leave(test);
		bitmap_set(used, 31 - mb, mb + 1);
		/* What is beyond the table takes none of its room. */
		bitmap_set(used, 32, 100);
		table = calgary_table_adopt(&left_io, 0x12340000, used);
		KUNIT_EXPECT_EQ_MSG(test, !!table, mb < 15, "%u MB", mb);
		calgary_table_free(table);
	}
}

static struct kunit_case calgary_table_cases[] = {
	KUNIT_CASE(tables_are_aligned_and_empty),
	KUNIT_CASE(tces_are_as_chips_want_them),
	KUNIT_CASE(impossible_mappings_are_refused),
	KUNIT_CASE(tables_of_another_kernel_are_kept),
	KUNIT_CASE(nonsense_is_not_adopted),
	KUNIT_CASE(full_tables_are_not_adopted),
	KUNIT_CASE(reserved_iovas_are_no_room),
	{}
};

static struct kunit_suite calgary_table_suite = {
	.name = "iommu-calgary-table",
	.test_cases = calgary_table_cases,
};

kunit_test_suite(calgary_table_suite);
