// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of TCE tables that take their addresses from arenas, against a
 * look at each entry.
 */
#include <kunit/test.h>
#include <linux/bitmap.h>
#include <linux/delay.h>
#include <linux/device.h>
#include <linux/dma-mapping.h>
#include <linux/log2.h>
#include <linux/minmax.h>
#include <linux/prandom.h>
#include <linux/sizes.h>

#include <asm/iommu.h>

#define SHIFT		16
#define ENTRIES		4096
/* Entries between two multiples of 4 GB, which no address range crosses */
#define BORDER		(SZ_4G >> SHIFT)
#define ROUNDS		2000
#define STEPS		20000
#define LIVE		400

/**
 * struct table - a table and a device
 * @tbl: the table
 * @dev: the device
 * @parms: where it says which boundaries it cannot cross
 * @rnd: random numbers
 * @hole: first entry that is reserved
 * @hole_end: the entry after these
 * @busy: what is allocated, by entry
 */
struct table {
	struct iommu_table tbl;
	struct device dev;
	struct device_dma_parameters parms;
	struct rnd_state rnd;
	unsigned long hole;
	unsigned long hole_end;
	DECLARE_BITMAP(busy, ENTRIES);
};

struct request {
	unsigned long npages;
	unsigned long last;
	unsigned int order;
};

static u32 rnd(struct table *t, u32 below)
{
	return prandom_u32_state(&t->rnd) % below;
}

/* Sizes of all orders of magnitude alike */
static u32 rnd_size(struct table *t, u32 max)
{
	u32 top = 1U << rnd(t, ilog2(max) + 1);

	return min(max, top + rnd(t, top));
}

static struct table *table_new(struct kunit *test)
{
	struct table *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, t);
	prandom_seed_state(&t->rnd, 815);
	t->tbl.it_page_shift = SHIFT;
	t->tbl.it_index = ULONG_MAX;
	t->dev.dma_parms = &t->parms;
	return t;
}

static void table_create(struct kunit *test, struct table *t,
			 unsigned long offset, unsigned long size)
{
	t->tbl.it_offset = offset;
	t->tbl.it_size = size;
	bitmap_zero(t->busy, ENTRIES);
	KUNIT_ASSERT_EQ(test, tce_arena_create(&t->tbl, t->hole, t->hole_end),
			0);
}

static bool crosses(unsigned long first, unsigned long last, unsigned long unit)
{
	return last - first < unit && first / unit != last / unit;
}

/* May the entries from @first on be allocated, which is no index? */
static bool fits(struct table *t, const struct request *rq, unsigned long first)
{
	unsigned long offset = t->tbl.it_offset, last = first + rq->npages - 1;
	unsigned long boundary = dma_get_seg_boundary(&t->dev);

	return first && first >= offset && last < offset + t->tbl.it_size &&
	       last <= rq->last && IS_ALIGNED(first, 1UL << rq->order) &&
	       max(first, t->hole) >= min(last + 1, t->hole_end) &&
	       !crosses(first, last, BORDER) &&
	       !crosses(first, last, (boundary >> SHIFT) + 1) &&
	       find_next_bit(t->busy, ENTRIES, first - offset) > last - offset;
}

/* Is there a place that is aligned enough not to cross any boundary? */
static bool has_place(struct table *t, struct request rq)
{
	unsigned long at = t->tbl.it_offset;

	if (dma_get_seg_boundary(&t->dev) != DMA_BIT_MASK(32))
		rq.order = max_t(unsigned int, rq.order,
				 order_base_2(rq.npages));
	for (; at < t->tbl.it_offset + t->tbl.it_size; at++) {
		if (fits(t, &rq, at))
			return true;
	}
	return false;
}

/* Returns the index, whatever is found wrong with it. */
static unsigned long take(struct kunit *test, struct table *t,
			  const struct request *rq)
{
	unsigned long at = tce_arena_alloc(&t->dev, &t->tbl, rq->npages,
					   rq->last, rq->order);

	if (at == DMA_MAPPING_ERROR)
		return at;
	KUNIT_ASSERT_TRUE_MSG(test, fits(t, rq, t->tbl.it_offset + at),
			      "%lu at %lx order %u last %lx of %lx-%lx",
			      rq->npages, at, rq->order, rq->last,
			      t->tbl.it_offset, t->tbl.it_size);
	bitmap_set(t->busy, at, rq->npages);
	return at;
}

static void give(struct table *t, unsigned long at, unsigned long npages)
{
	bitmap_clear(t->busy, at, npages);
	tce_arena_free(&t->tbl, t->tbl.it_offset + at, npages);
}

static void random_device(struct table *t)
{
	static const unsigned long boundaries[] = {
		0, SZ_64K - 1, SZ_1M - 1, SZ_16M - 1, DMA_BIT_MASK(32),
	};

	t->parms.segment_boundary_mask =
		boundaries[rnd(t, ARRAY_SIZE(boundaries))];
}

static struct request random_request(struct table *t)
{
	return (struct request) {
		.npages = rnd_size(t, 300),
		.last = rnd(t, 2) ? ULONG_MAX : t->tbl.it_offset +
						rnd(t, t->tbl.it_size + 2),
		.order = rnd(t, 2) * rnd(t, 9),
	};
}

/* A table below, at or above 4 GB, with a hole that may begin or end outside */
static void random_table(struct kunit *test, struct table *t)
{
	unsigned long size = 7 + rnd_size(t, 700);
	unsigned long offset = rnd(t, 3) * BORDER;

	if (rnd(t, 2))
		offset = BORDER - rnd(t, 700);
	t->hole = offset + rnd(t, size + 40);
	t->hole -= min(t->hole, 20UL);
	t->hole_end = t->hole + rnd(t, 2) * rnd_size(t, 300);
	table_create(test, t, offset, size);
}

static void first_request_agrees_with_brute_force(struct kunit *test)
{
	struct table *t = table_new(test);
	unsigned int n, found = 0;

	for (n = 0; n < ROUNDS; n++) {
		struct request rq;
		unsigned long at;
		bool place;

		random_device(t);
		random_table(test, t);
		rq = random_request(t);
		place = has_place(t, rq);
		at = take(test, t, &rq);
		if (at == DMA_MAPPING_ERROR)
			KUNIT_ASSERT_FALSE_MSG(test, place,
					       "%lu order %u last %lx of %lx-%lx",
					       rq.npages, rq.order, rq.last,
					       t->tbl.it_offset,
					       t->tbl.it_size);
		else
			found++;
		tce_arena_destroy(&t->tbl);
	}
	KUNIT_EXPECT_GT(test, found, ROUNDS / 4);
	KUNIT_EXPECT_LT(test, found, ROUNDS);
}

/* Others may be looking at what was given back just now. */
static unsigned long take_patiently(struct kunit *test, struct table *t,
				    const struct request *rq)
{
	unsigned long at = take(test, t, rq);
	unsigned int tries;

	for (tries = 0; at == DMA_MAPPING_ERROR && tries < 100; tries++) {
		msleep(20);
		at = take(test, t, rq);
	}
	return at;
}

/* Every entry but those of the hole, and then any that is given back */
static void all_entries_are_used(struct kunit *test, unsigned long offset,
				 unsigned long hole, unsigned long hole_end)
{
	const struct request one = { .npages = 1, .last = ULONG_MAX };
	struct table *t = table_new(test);
	unsigned long entry, at;
	unsigned int n;

	t->hole = hole;
	t->hole_end = hole_end;
	table_create(test, t, offset, ENTRIES);
	for (n = 0; n < ENTRIES; n++) {
		if (take(test, t, &one) == DMA_MAPPING_ERROR)
			break;
	}
	for (entry = offset; entry < offset + ENTRIES; entry++)
		KUNIT_ASSERT_FALSE_MSG(test, fits(t, &one, entry), "entry %lx",
				       entry);
	for (n = 0; n < 200; n++) {
		do
			at = rnd(t, ENTRIES);
		while (!test_bit(at, t->busy));
		give(t, at, 1);
		KUNIT_ASSERT_EQ(test, take_patiently(test, t, &one), at);
	}
	tce_arena_destroy(&t->tbl);
}

static void all_entries_of_a_table_are_used(struct kunit *test)
{
	all_entries_are_used(test, 0, 0, 0);
	all_entries_are_used(test, 0, 1000, 1500);
	all_entries_are_used(test, 0, ENTRIES - 100, ENTRIES + 1);
	all_entries_are_used(test, 3 * BORDER, 0, 0);
	all_entries_are_used(test, 3 * BORDER, 3 * BORDER, 3 * BORDER + 1);
}

/*
 * What arenas hold without using it makes room for what fits into none. Once in
 * a while somebody else is just looking at one of them.
 */
static void arenas_make_room(struct kunit *test)
{
	const struct request one = { .npages = 1, .last = ULONG_MAX };
	const struct request half = {
		.npages = ENTRIES / 2, .last = ULONG_MAX,
	};
	struct table *t = table_new(test);
	unsigned int n, tries;
	bool done = false;

	for (tries = 0; tries < 10 && !done; tries++) {
		table_create(test, t, 0, ENTRIES);
		for (n = 1; n < ENTRIES; n++)
			KUNIT_ASSERT_NE(test, take(test, t, &one),
					DMA_MAPPING_ERROR);
		for (n = 1; n < ENTRIES; n++)
			give(t, n, 1);
		done = take(test, t, &half) != DMA_MAPPING_ERROR;
		tce_arena_destroy(&t->tbl);
	}
	KUNIT_EXPECT_TRUE(test, done);
}

/* Many at a time, of devices that differ */
static void live_entries_are_disjoint(struct kunit *test)
{
	struct table *t = table_new(test);
	struct {
		unsigned long at, npages;
	} *live = kunit_kcalloc(test, LIVE, sizeof(*live), GFP_KERNEL);
	unsigned int n, nr = 0, i;

	KUNIT_ASSERT_NOT_NULL(test, live);
	t->hole = BORDER + 10;
	t->hole_end = BORDER + 20;
	table_create(test, t, BORDER - ENTRIES / 2, ENTRIES);
	for (n = 0; n < STEPS; n++) {
		struct request rq = random_request(t);
		unsigned long at;

		if (nr == LIVE || (nr && rnd(t, 2))) {
			i = rnd(t, nr);
			give(t, live[i].at, live[i].npages);
			live[i] = live[--nr];
			continue;
		}
		random_device(t);
		at = take(test, t, &rq);
		if (at == DMA_MAPPING_ERROR)
			continue;
		live[nr].at = at;
		live[nr++].npages = rq.npages;
	}
	KUNIT_EXPECT_GT(test, nr, 0);
	tce_arena_destroy(&t->tbl);
}

static struct kunit_case tce_arena_cases[] = {
	KUNIT_CASE(first_request_agrees_with_brute_force),
	KUNIT_CASE(all_entries_of_a_table_are_used),
	KUNIT_CASE(arenas_make_room),
	KUNIT_CASE(live_entries_are_disjoint),
	{}
};

static struct kunit_suite tce_arena_suite = {
	.name = "tce-arena",
	.test_cases = tce_arena_cases,
};

kunit_test_suite(tce_arena_suite);

MODULE_DESCRIPTION("KUnit tests of TCE tables with arenas");
MODULE_LICENSE("GPL");
