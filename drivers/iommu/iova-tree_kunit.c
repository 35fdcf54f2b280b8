// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of the tree of gaps, against a byte for each page.
 */
#include <kunit/test.h>
#include <linux/minmax.h>
#include <linux/prandom.h>
#include <linux/slab.h>

#include "iova-tree.h"

#define FIELD_PAGES	600
#define FIELD_STEPS	6000

struct field {
	struct iova_tree tree;
	struct rnd_state rnd;
	unsigned long lo;
	unsigned int nr;
	u8 taken[FIELD_PAGES];
	struct iova_range ranges[FIELD_PAGES];
};

static u32 field_rnd(struct field *f, u32 below)
{
	return prandom_u32_state(&f->rnd) % below;
}

/* Sizes of all orders of magnitude alike. */
static u32 field_size(struct field *f, u32 max)
{
	u32 top = 1U << field_rnd(f, ilog2(max) + 1);

	return min(max, top + field_rnd(f, top));
}

static struct field *field_new(struct kunit *test, unsigned long lo)
{
	struct field *f = kunit_kzalloc(test, sizeof(*f), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, f);
	prandom_seed_state(&f->rnd, 815);
	f->lo = lo;
	iova_tree_init(&f->tree, lo, lo + FIELD_PAGES - 1);
	return f;
}

static bool field_is_free(struct field *f, unsigned long pfn, u32 size)
{
	return !memchr_inv(f->taken + (pfn - f->lo), 0, size);
}

static void field_take(struct field *f, unsigned long pfn, u32 size)
{
	iova_tree_insert(&f->tree, &f->ranges[f->nr++], pfn, pfn + size - 1);
	memset(f->taken + (pfn - f->lo), 1, size);
}

/* The last of the array fills the place: it moves in the tree as well. */
static void field_give(struct field *f, unsigned int nr)
{
	struct iova_range *range = &f->ranges[nr];
	struct iova_range *last = &f->ranges[--f->nr];

	memset(f->taken + (range->lo - f->lo), 0, range->hi - range->lo + 1);
	iova_tree_erase(&f->tree, range);
	if (range == last)
		return;
	iova_tree_erase(&f->tree, last);
	iova_tree_insert(&f->tree, range, last->lo, last->hi);
}

static void field_step(struct field *f)
{
	u32 size = field_size(f, 50);
	unsigned long pfn = f->lo + field_rnd(f, FIELD_PAGES - size + 1);

	if (f->nr && field_rnd(f, 5) < 2)
		field_give(f, field_rnd(f, f->nr));
	else if (field_is_free(f, pfn, size))
		field_take(f, pfn, size);
}

/* Whether a range can be at @pfn. */
static bool field_fits(struct field *f, unsigned long pfn, u32 size,
		       unsigned int order)
{
	return IS_ALIGNED(pfn, 1UL << order) &&
	       pfn - f->lo + size <= FIELD_PAGES &&
	       field_is_free(f, pfn, size);
}

static void field_compare_last(struct kunit *test, struct field *f, u32 size,
			       unsigned int order, unsigned long limit)
{
	unsigned long pfn, want = 0, at;
	bool found, exists = false;

	for (at = f->lo; at < f->lo + FIELD_PAGES; at++) {
		if (at + size - 1 > limit || !field_fits(f, at, size, order))
			continue;
		exists = true;
		want = at;
	}
	found = iova_tree_find_last(&f->tree, size, order, limit, &pfn);
	KUNIT_ASSERT_EQ_MSG(test, found, exists, "%u order %u limit %lx", size,
			    order, limit);
	if (found)
		KUNIT_ASSERT_EQ_MSG(test, pfn, want, "%u order %u limit %lx",
				    size, order, limit);
}

static void field_compare_first(struct kunit *test, struct field *f, u32 size,
				unsigned int order, unsigned long from)
{
	unsigned long pfn, at;
	bool found;

	for (at = max(from, f->lo); at < f->lo + FIELD_PAGES; at++) {
		if (field_fits(f, at, size, order))
			break;
	}
	found = iova_tree_find_first(&f->tree, size, order, from, &pfn);
	KUNIT_ASSERT_EQ_MSG(test, found, at < f->lo + FIELD_PAGES,
			    "%u order %u from %lx", size, order, from);
	if (found)
		KUNIT_ASSERT_EQ_MSG(test, pfn, at, "%u order %u from %lx",
				    size, order, from);
}

static void tree_agrees_with_brute_force(struct kunit *test)
{
	static const unsigned long los[] = {
		1, 77, 0xfffff, ULONG_MAX - FIELD_PAGES,
	};
	struct field *f;
	int i, n;

	for (i = 0; i < ARRAY_SIZE(los); i++) {
		f = field_new(test, los[i]);
		for (n = 0; n < FIELD_STEPS; n++) {
			u32 size = field_size(f, FIELD_PAGES);
			unsigned int order = field_rnd(f, 9);
			unsigned long at;

			field_step(f);
			at = f->lo + field_rnd(f, FIELD_PAGES + 4) - 2;
			field_compare_last(test, f, size, order, at);
			field_compare_first(test, f, size, order, at);
		}
	}
}

static void tree_finds_what_covers_a_page(struct kunit *test)
{
	struct field *f = field_new(test, 5);
	struct iova_range *range;
	int n, i;

	for (n = 0; n < FIELD_STEPS; n++) {
		field_step(f);
		i = field_rnd(f, FIELD_PAGES);
		range = iova_tree_from(&f->tree, f->lo + i);
		while (i < FIELD_PAGES && !f->taken[i])
			i++;
		KUNIT_ASSERT_LE(test, range->lo, f->lo + i);
		KUNIT_ASSERT_GE(test, range->hi, f->lo + i);
	}
}

static void tree_is_empty_again(struct kunit *test)
{
	struct field *f = field_new(test, 1);
	unsigned int order;
	int n;

	for (n = 0; n < FIELD_STEPS; n++)
		field_step(f);
	while (f->nr)
		field_give(f, f->nr - 1);
	KUNIT_EXPECT_EQ(test, f->tree.top.floor, 1);
	for (order = 0; order < IOVA_TREE_ORDERS; order++)
		KUNIT_EXPECT_EQ(test, f->tree.top.fit[order],
				1U << order > FIELD_PAGES ? 0 :
				FIELD_PAGES + 1 - (1U << order));
}

static void tree_saturates_in_huge_gaps(struct kunit *test)
{
	struct field *f = field_new(test, 1);
	unsigned long hi = 1UL << (BITS_PER_LONG - 12), pfn;

	iova_tree_init(&f->tree, 1, hi);
	KUNIT_ASSERT_TRUE(test, iova_tree_find_last(&f->tree, U32_MAX - 1, 0,
						    hi, &pfn));
	KUNIT_EXPECT_EQ(test, pfn, hi - (U32_MAX - 1) + 1);
	KUNIT_ASSERT_TRUE(test, iova_tree_find_first(&f->tree, U32_MAX - 1,
						     20, 2, &pfn));
	KUNIT_EXPECT_EQ(test, pfn, 1UL << 20);
}

static struct kunit_case tree_cases[] = {
	KUNIT_CASE_SLOW(tree_agrees_with_brute_force),
	KUNIT_CASE(tree_finds_what_covers_a_page),
	KUNIT_CASE(tree_is_empty_again),
	KUNIT_CASE(tree_saturates_in_huge_gaps),
	{}
};

static struct kunit_suite tree_suite = {
	.name = "iova-tree",
	.test_cases = tree_cases,
};

kunit_test_suite(tree_suite);

MODULE_IMPORT_NS("EXPORTED_FOR_KUNIT_TESTING");
MODULE_DESCRIPTION("KUnit tests of the tree of IOVA gaps");
MODULE_LICENSE("GPL");
