// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of where mappings are put: does the address let the IOMMU use
 * its large pages, whatever sizes it has?
 *
 * The twin splits a mapping as any IOMMU driver does, into the largest page
 * that fits at each step, and tries other addresses: none may need fewer.
 */
#include <kunit/device.h>
#include <kunit/test.h>
#include <linux/align.h>
#include <linux/delay.h>
#include <linux/device.h>
#include <linux/dma-mapping.h>
#include <linux/iommu.h>
#include <linux/log2.h>
#include <linux/prandom.h>
#include <linux/sizes.h>

#include "dma-arena.h"

#define DA_ROUNDS	150
/* Pages that the twin has to try one by one, which bounds its time */
#define DA_RESIDUES	24
#define DA_LIMIT	DMA_BIT_MASK(40)

struct da_test {
	struct device *dev;
	struct iommu_domain domain;
	struct dma_arena *arena;
	struct device_dma_parameters parms;
	struct rnd_state rnd;
	unsigned int shift;
};

static const unsigned long da_pgsizes[] = {
	SZ_4K,
	SZ_4K | SZ_2M,
	SZ_4K | SZ_2M | SZ_1G,
	SZ_4K | SZ_64K | SZ_2M,
	SZ_16K | SZ_32M,
	SZ_64K | SZ_512M,
	/* Each power of two, as AMD-Vi has */
	GENMASK(30, 12),
};

static void da_destroy(void *data)
{
	struct da_test *da = data;

	dma_arena_destroy(da->arena);
	da->arena = NULL;
}

static void da_arena(struct kunit *test, unsigned long pgsizes)
{
	struct da_test *da = test->priv;

	da_destroy(da);
	da->domain.pgsize_bitmap = pgsizes;
	da->domain.geometry.aperture_end = DMA_BIT_MASK(48);
	da->domain.geometry.force_aperture = true;
	da->shift = __ffs(pgsizes);
	da->arena = dma_arena_create(&da->domain, da->dev, da->shift, 1);
	KUNIT_ASSERT_NOT_NULL(test, da->arena);
}

/* Entries that a mapping needs at an address */
static unsigned long da_entries(unsigned long pgsizes, u64 iova, u64 phys,
				size_t len)
{
	unsigned long entries = 0;

	while (len) {
		unsigned long sizes = pgsizes & GENMASK(__fls(len), 0);

		if (iova | phys)
			sizes &= GENMASK(__ffs64(iova | phys), 0);
		iova += BIT(__fls(sizes));
		phys += BIT(__fls(sizes));
		len -= BIT(__fls(sizes));
		entries++;
	}
	return entries;
}

/*
 * The fewest entries that any address can do with. All that counts is the
 * distance to the memory modulo the largest page that may be of use.
 */
static unsigned long da_fewest(unsigned long pgsizes, u64 phys, size_t len,
			       struct rnd_state *rnd)
{
	unsigned long most = BIT(__fls(pgsizes & GENMASK(__fls(len), 0)));
	unsigned long page = BIT(__ffs(pgsizes)), fewest = ULONG_MAX;
	unsigned long n, distance;

	/* No more than that are tried, at random, but zero always is. */
	for (n = 0; n < min(most / page, DA_RESIDUES); n++) {
		distance = n * page;
		if (n && most / page > DA_RESIDUES)
			distance = prandom_u32_state(rnd) % (most / page) *
				   page;
		/* Far up, where it limits no page */
		fewest = min(fewest, da_entries(pgsizes, BIT_ULL(45) + phys +
						distance, phys, len));
	}
	return fewest;
}

static size_t da_random_len(struct da_test *da)
{
	unsigned int lg2 = prandom_u32_state(&da->rnd) % 13;
	size_t len = 1 + prandom_u32_state(&da->rnd) % BIT(lg2);
	size_t page = BIT(__fls(da->domain.pgsize_bitmap) - da->shift);

	/* Whole large pages, unless so large that the twin needs too long */
	if (page <= BIT(13) && prandom_u32_state(&da->rnd) % 8 == 0)
		len = ALIGN(len, page);
	return len << da->shift;
}

static phys_addr_t da_random_phys(struct da_test *da)
{
	u64 phys = (u64)prandom_u32_state(&da->rnd) << da->shift;
	unsigned int lg2 = prandom_u32_state(&da->rnd) % 10 + da->shift;

	return ALIGN_DOWN(phys, BIT_ULL(lg2));
}

static void buffers_need_the_fewest_entries(struct kunit *test)
{
	struct da_test *da = test->priv;
	int i, n;

	for (i = 0; i < ARRAY_SIZE(da_pgsizes); i++) {
		da_arena(test, da_pgsizes[i]);
		for (n = 0; n < DA_ROUNDS; n++) {
			struct dma_arena_like like = {
				.phys = da_random_phys(da),
				.size = da_random_len(da),
			};
			dma_addr_t iova;

			iova = dma_arena_alloc(da->arena, da->dev, like.size,
					       DA_LIMIT, &like, true);
			KUNIT_ASSERT_NE(test, iova, 0);
			KUNIT_ASSERT_LE(test, iova + like.size - 1, DA_LIMIT);
			KUNIT_ASSERT_EQ_MSG(test,
					    da_entries(da_pgsizes[i], iova,
						       like.phys, like.size),
					    da_fewest(da_pgsizes[i], like.phys,
						      like.size, &da->rnd),
					    "sizes %lx: %zx bytes of %pa at %pad",
					    da_pgsizes[i], like.size,
					    &like.phys, &iova);
			dma_arena_free(da->arena, iova, like.size, NULL);
			cond_resched();
		}
	}
}

/* The element that decides may be anywhere in the mapping. */
static void elements_need_the_fewest_entries(struct kunit *test)
{
	struct da_test *da = test->priv;
	int i, n;

	for (i = 0; i < ARRAY_SIZE(da_pgsizes); i++) {
		da_arena(test, da_pgsizes[i]);
		for (n = 0; n < DA_ROUNDS; n++) {
			struct dma_arena_like like = {
				.phys = da_random_phys(da),
				.size = da_random_len(da),
				.offset = da_random_len(da),
			};
			size_t len = like.offset + like.size +
				     da_random_len(da);
			dma_addr_t iova;

			iova = dma_arena_alloc(da->arena, da->dev, len,
					       DA_LIMIT, &like, true);
			KUNIT_ASSERT_NE(test, iova, 0);
			KUNIT_ASSERT_EQ(test,
					da_entries(da_pgsizes[i],
						   iova + like.offset,
						   like.phys, like.size),
					da_fewest(da_pgsizes[i], like.phys,
						  like.size, &da->rnd));
			dma_arena_free(da->arena, iova, len, NULL);
			cond_resched();
		}
	}
}

static void coherent_memory_is_aligned_to_its_size(struct kunit *test)
{
	struct da_test *da = test->priv;
	int n;

	da_arena(test, SZ_4K | SZ_2M);
	for (n = 0; n < DA_ROUNDS; n++) {
		size_t len = da_random_len(da);
		dma_addr_t iova = dma_arena_alloc(da->arena, da->dev, len,
						  DA_LIMIT, NULL, true);

		KUNIT_ASSERT_NE(test, iova, 0);
		KUNIT_ASSERT_EQ(test, iova & (roundup_pow_of_two(len) - 1), 0);
		dma_arena_free(da->arena, iova, len, NULL);
	}
}

/* More important than large pages: segments stay within boundaries. */
static void boundaries_are_kept(struct kunit *test)
{
	struct dma_arena_like like = {};
	struct da_test *da = test->priv;
	unsigned int lg2;
	int n;

	da->dev->dma_parms = &da->parms;
	da_arena(test, SZ_4K | SZ_2M);
	for (n = 0; n < DA_ROUNDS; n++) {
		dma_addr_t iova;

		lg2 = 16 + prandom_u32_state(&da->rnd) % 9;
		dma_set_seg_boundary(da->dev, BIT(lg2) - 1);
		like.phys = da_random_phys(da);
		like.size = da_random_len(da);
		iova = dma_arena_alloc(da->arena, da->dev, like.size, DA_LIMIT,
				       &like, true);
		KUNIT_ASSERT_NE(test, iova, 0);
		/* What is longer begins at one, as __finalise_sg() expects. */
		if (like.size > BIT(lg2))
			KUNIT_ASSERT_EQ(test, iova & (BIT(lg2) - 1), 0);
		else
			KUNIT_ASSERT_EQ(test, iova >> lg2,
					(iova + like.size - 1) >> lg2);
		dma_arena_free(da->arena, iova, like.size, NULL);
	}
	da->dev->dma_parms = NULL;
}

#define DA_LINE		16
#define DA_FIRST	SZ_4M
#define DA_PAGES	1024U

/* A space with lines of 16 pages, and who has each page: 0 for nobody */
struct da_lines {
	struct da_test *da;
	u16 owner[DA_PAGES];
	dma_addr_t iova[DA_PAGES];
	u16 pages[DA_PAGES];
	unsigned int nr;
};

static struct da_lines *da_with_lines(struct kunit *test)
{
	struct da_lines *l = kunit_kzalloc(test, sizeof(*l), GFP_KERNEL);
	struct da_test *da = test->priv;

	KUNIT_ASSERT_NOT_NULL(test, l);
	l->da = da;
	da->domain.pgsize_bitmap = SZ_4K;
	da->domain.geometry.aperture_end = DA_FIRST + DA_PAGES * SZ_4K - 1;
	da->domain.geometry.force_aperture = true;
	da->arena = dma_arena_create(&da->domain, da->dev, 12, DA_FIRST >> 12);
	KUNIT_ASSERT_NOT_NULL(test, da->arena);
	dma_arena_set_line(da->arena, DA_LINE * SZ_4K);
	return l;
}

/* Is a line that these pages are in, or the page behind them, another's? */
static bool da_shared(struct da_lines *l, unsigned int page, unsigned int n,
		      unsigned int me)
{
	unsigned int i, end = ALIGN(page + n + 1, DA_LINE);

	for (i = ALIGN_DOWN(page, DA_LINE); i < min(end, DA_PAGES); i++)
		if (l->owner[i] && l->owner[i] != me)
			return true;
	i = ALIGN_DOWN(page, DA_LINE);
	/* Behind one that ends with the line before */
	return i && l->owner[i - 1] && l->owner[i - 1] != me;
}

/* As iommu-dma does it: most pages are at hand. */
static dma_addr_t da_alloc(struct da_test *da, size_t size,
			   const struct dma_arena_like *like)
{
	return dma_arena_alloc_page(da->arena, size, DMA_BIT_MASK(32)) ?:
	       dma_arena_alloc(da->arena, da->dev, size, DMA_BIT_MASK(32),
			       like, true);
}

/* Whether there was room, and in @shared, whether not of its own */
static bool da_take(struct kunit *test, struct da_lines *l, unsigned int n,
		    bool natural, bool *shared)
{
	struct dma_arena_like like = { .phys = SZ_64K, .size = n * SZ_4K };
	dma_addr_t iova = da_alloc(l->da, n * SZ_4K, natural ? NULL : &like);
	unsigned int page = (iova - DA_FIRST) / SZ_4K, i;

	if (!iova)
		return false;
	if (natural)
		KUNIT_EXPECT_EQ(test, iova & (roundup_pow_of_two(n) * SZ_4K - 1),
				0);
	KUNIT_ASSERT_LE(test, page + n, DA_PAGES);
	l->iova[l->nr] = iova;
	l->pages[l->nr++] = n;
	for (i = page; i < page + n; i++) {
		KUNIT_EXPECT_EQ(test, l->owner[i], 0);
		l->owner[i] = l->nr;
	}
	*shared = da_shared(l, page, n, l->nr);
	return true;
}

static void da_free_all(struct da_lines *l)
{
	for (; l->nr; l->nr--)
		dma_arena_free(l->da->arena, l->iova[l->nr - 1],
			       l->pages[l->nr - 1] * SZ_4K, NULL);
	memset(l->owner, 0, sizeof(l->owner));
}

/* For half of the space in one piece, all unused arenas are given up. */
static void da_give_back(struct kunit *test, struct da_lines *l)
{
	bool shared;

	da_free_all(l);
	KUNIT_EXPECT_TRUE(test, da_take(test, l, DA_PAGES / 2, true, &shared));
	da_free_all(l);
}

/* A space of 64 MiB with lines, as small apertures are */
static void da_aperture(struct kunit *test, struct da_test *da)
{
	da->domain.pgsize_bitmap = SZ_4K;
	da->domain.geometry.aperture_end = SZ_128M - 1;
	da->domain.geometry.force_aperture = true;
	da->arena = dma_arena_create(&da->domain, da->dev, 12, SZ_64M >> 12);
	KUNIT_ASSERT_NOT_NULL(test, da->arena);
	dma_arena_set_line(da->arena, DA_LINE * SZ_4K);
}

/* The buffers that a network card receives into, and then a large one */
static void small_mappings_leave_room_for_large_ones(struct kunit *test)
{
	struct dma_arena_like like = { .phys = SZ_64K, .size = SZ_4K };
	struct da_test *da = test->priv;
	unsigned int i;

	da_aperture(test, da);
	for (i = 0; i < 2048; i++)
		KUNIT_ASSERT_NE(test, 0,
				da_alloc(da, SZ_4K, &like));
	KUNIT_EXPECT_NE(test, 0, dma_arena_alloc(da->arena, da->dev, SZ_16M,
						 DMA_BIT_MASK(32), NULL, true));
	/* What has no place at all is told at once. */
	KUNIT_EXPECT_EQ(test, 0, dma_arena_alloc(da->arena, da->dev, SZ_4K,
						 DMA_BIT_MASK(26), &like, true));
	KUNIT_EXPECT_EQ(test, 0, dma_arena_alloc(da->arena, da->dev, SZ_128M,
						 DMA_BIT_MASK(32), NULL, true));
}

static void lines_do_not_break_boundaries(struct kunit *test)
{
	struct da_test *da = test->priv;
	struct dma_arena_like like = { .phys = SZ_64K };
	size_t size, boundary;
	dma_addr_t iova;

	da_aperture(test, da);
	da->dev->dma_parms = &da->parms;
	for (boundary = SZ_8K; boundary <= SZ_128K; boundary *= 2) {
		dma_set_seg_boundary(da->dev, boundary - 1);
		for (size = SZ_4K; size <= SZ_128K; size += SZ_4K) {
			like.size = size;
			iova = dma_arena_alloc(da->arena, da->dev, size,
					       DMA_BIT_MASK(32), &like, true);
			KUNIT_ASSERT_NE(test, 0, iova);
			KUNIT_EXPECT_EQ_MSG(test, 0, size <= boundary ?
					    (iova ^ (iova + size - 1)) &
					    ~(boundary - 1) :
					    iova & (boundary - 1),
					    "%#zx bytes at %#llx", size,
					    (u64)iova);
			dma_arena_free(da->arena, iova, size, NULL);
		}
	}
	da->dev->dma_parms = NULL;
}

/* Any sizes: at first nothing is shared, in the end nothing is left over. */
static void mappings_have_lines_of_their_own(struct kunit *test)
{
	static const unsigned int sizes[][4] = {
		{ 1, 1, 1, 1 }, { 16, 16, 16, 16 }, { 1, 16, 1, 16 },
		{ 16, 15, 2, 16 }, { 17, 17, 17, 17 }, { 16, 1, 17, 1 },
		{ 32, 1, 16, 32 }, { 3, 32, 16, 48 }, { 64, 1, 32, 16 },
	};
	struct da_lines *l = da_with_lines(test);
	unsigned int i, k, pages;
	bool shared, natural;

	for (i = 0; i < 2 * ARRAY_SIZE(sizes); i++) {
		const unsigned int *size = sizes[i / 2];

		/* A third of the lines */
		natural = i & 1;
		for (k = pages = 0; pages < DA_PAGES / 3; k++) {
			KUNIT_ASSERT_TRUE(test, da_take(test, l, size[k % 4],
							natural, &shared));
			if (!natural)
				KUNIT_EXPECT_FALSE_MSG(test, shared,
						       "sizes %u, number %u",
						       i / 2, k);
			pages += ALIGN(size[k % 4] + 1, 2 * DA_LINE);
		}
		while (da_take(test, l, 1, false, &shared))
			;
		for (k = 0; k < DA_PAGES; k++)
			KUNIT_ASSERT_NE(test, l->owner[k], 0);
		da_give_back(test, l);
		/* After a while they are looked for again. */
		msleep(50);
	}
}

/* More alignment than the allocator has is no reason to have none. */
static void huge_mappings_are_congruent_as_well(struct kunit *test)
{
	struct dma_arena_like like = {
		.phys = 3ULL * SZ_32G + SZ_2M,
		.size = 3ULL * SZ_32G,
	};
	struct da_test *da = test->priv;
	dma_addr_t iova;

	da_arena(test, GENMASK(38, 12));
	/* It is not the first one of its space, which is aligned by luck. */
	dma_arena_alloc(da->arena, da->dev, SZ_32G + SZ_4K, DA_LIMIT, NULL,
			true);
	iova = dma_arena_alloc(da->arena, da->dev, like.size, DA_LIMIT, &like,
			       true);
	KUNIT_ASSERT_NE(test, iova, 0);
	KUNIT_EXPECT_EQ(test, (iova - like.phys) % SZ_4G, 0);
}

static void nothing_has_no_address(struct kunit *test)
{
	struct dma_arena_like like = { .phys = SZ_64K };
	struct da_test *da = test->priv;

	da_arena(test, SZ_4K);
	KUNIT_EXPECT_EQ(test, 0, dma_arena_alloc(da->arena, da->dev, 0, DA_LIMIT,
						 &like, true));
	KUNIT_EXPECT_EQ(test, 0, dma_arena_alloc(da->arena, da->dev, 0, DA_LIMIT,
						 NULL, true));
}

static int da_init(struct kunit *test)
{
	struct da_test *da = kunit_kzalloc(test, sizeof(*da), GFP_KERNEL);

	if (!da)
		return -ENOMEM;
	da->dev = kunit_device_register(test, "dma-arena");
	if (IS_ERR(da->dev))
		return PTR_ERR(da->dev);
	prandom_seed_state(&da->rnd, 11);
	test->priv = da;
	return kunit_add_action_or_reset(test, da_destroy, da);
}

static struct kunit_case da_cases[] = {
	KUNIT_CASE(buffers_need_the_fewest_entries),
	KUNIT_CASE(elements_need_the_fewest_entries),
	KUNIT_CASE(huge_mappings_are_congruent_as_well),
	KUNIT_CASE(coherent_memory_is_aligned_to_its_size),
	KUNIT_CASE(boundaries_are_kept),
	KUNIT_CASE(nothing_has_no_address),
	KUNIT_CASE(mappings_have_lines_of_their_own),
	KUNIT_CASE(small_mappings_leave_room_for_large_ones),
	KUNIT_CASE(lines_do_not_break_boundaries),
	{}
};

static struct kunit_suite da_suite = {
	.name = "dma-arena",
	.init = da_init,
	.test_cases = da_cases,
};

kunit_test_suite(da_suite);
