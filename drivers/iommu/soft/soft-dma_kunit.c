// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of the DMA API on the software IOMMU: what is mapped by which
 * pages, what unmapping flushes, and two CPUs that share a domain.
 *
 * The page table is compared, entry by entry, with a twin that only knows that
 * the largest page which fits is the right one. soft_iommu_walk() reads it,
 * nothing of the code that has written it.
 */

#include <kunit/test.h>
#include <linux/align.h>
#include <linux/cpumask.h>
#include <linux/delay.h>
#include <linux/dma-mapping.h>
#include <linux/generic_pt/iommu.h>
#include <linux/iommu.h>
#include <linux/irqflags.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/prandom.h>
#include <linux/scatterlist.h>
#include <linux/sizes.h>

#include "soft-iommu.h"

#define SD_IOTLB_LG2	8
/* Time enough for flushes that were put off, which is at most 10 ms */
#define SD_PATIENCE	(2 * HZ)
/* A device of so few bits has used up its space after so many leaks */
#define SD_FEW_BITS	24
#define SD_MANY		(2 * BIT(SD_FEW_BITS) / SZ_4K)
/* Physical addresses that have no memory; nobody gets there */
#define SD_PHYS		BIT_ULL(40)
#define SD_ROUNDS	200
#define SD_BLOCK	SZ_4M
#define SD_NENTS	24
#define SD_SLOTS	32
#define SD_OPS		20000

static const unsigned long sd_pgsizes[] = {
	SZ_4K, SZ_4K | SZ_2M, SZ_4K | SZ_2M | SZ_1G,
};

/* A piece of memory, in whole pages */
struct sd_range {
	phys_addr_t phys;
	size_t len;
};

struct sd_test {
	struct device *dev;
	unsigned long pgsizes;
	struct rnd_state rnd;
	struct page *block;
};

static void sd_device(struct kunit *test,
		      const struct soft_iommu_config *config)
{
	struct sd_test *sd = test->priv;

	if (sd->dev)
		soft_iommu_device_destroy(sd->dev);
	sd->pgsizes = config->pgsizes;
	sd->dev = soft_iommu_device_create(config, NULL);
	if (IS_ERR(sd->dev)) {
		long error = PTR_ERR(sd->dev);

		sd->dev = NULL;
		KUNIT_ASSERT_EQ_MSG(test, error, 0, "no device");
	}
}

static void sd_device_with(struct kunit *test, unsigned long pgsizes)
{
	const struct soft_iommu_config config = { .pgsizes = pgsizes };

	sd_device(test, &config);
}

/* The largest page that fits; the twin */
static size_t sd_twin(unsigned long pgsizes, u64 iova, phys_addr_t phys,
		      size_t left)
{
	size_t page;

	for (page = SZ_1G; page > SZ_4K; page /= 2)
		if (pgsizes & page && iova % page == 0 && phys % page == 0 &&
		    left >= page)
			break;
	return page;
}

/* Compare the table with the twin; returns the number of entries */
static unsigned long sd_compare(struct kunit *test, u64 iova,
				const struct sd_range *range)
{
	struct sd_test *sd = test->priv;
	unsigned long entries = 0;
	phys_addr_t found = 0;
	size_t pos, page;

	for (pos = 0; pos < range->len; pos += page) {
		page = sd_twin(sd->pgsizes, iova + pos, range->phys + pos,
			       range->len - pos);
		KUNIT_ASSERT_EQ_MSG(test, page,
				    soft_iommu_walk(sd->dev, iova + pos,
						    &found),
				    "%zx behind %llx", pos, iova);
		KUNIT_ASSERT_EQ(test, found, range->phys + pos);
		entries++;
	}
	return entries;
}

/* No entry for any of it, nor right before and behind */
static void sd_expect_nothing(struct kunit *test, u64 iova, size_t len)
{
	struct sd_test *sd = test->priv;
	phys_addr_t found;
	size_t pos;

	for (pos = 0; pos < len + 2 * SZ_4K; pos += SZ_4K)
		KUNIT_ASSERT_EQ_MSG(test, 0,
				    soft_iommu_walk(sd->dev, iova + pos - SZ_4K,
						    &found),
				    "%zx behind %llx", pos, iova - SZ_4K);
}

static void sd_expect_ends(struct kunit *test, u64 iova, size_t len)
{
	struct sd_test *sd = test->priv;
	phys_addr_t found;

	KUNIT_EXPECT_EQ(test, soft_iommu_walk(sd->dev, iova - 1, &found), 0);
	KUNIT_EXPECT_EQ(test, soft_iommu_walk(sd->dev, iova + len, &found), 0);
}

/* The largest page of which one lies, aligned, in the memory */
static size_t sd_worthwhile(unsigned long pgsizes, const struct sd_range *range)
{
	size_t page;

	for (page = SZ_1G; page > SZ_4K; page /= 2)
		if (pgsizes & page && ALIGN(range->phys, page) + page <=
		    range->phys + range->len)
			break;
	return page;
}

/* With the stock allocator an address is aligned to the size, or to nothing */
static void sd_expect_congruent(struct kunit *test, u64 iova,
				const struct sd_range *range)
{
	struct sd_test *sd = test->priv;

	if (IS_ENABLED(CONFIG_IOMMU_IOVA_ARENA))
		KUNIT_EXPECT_EQ_MSG(test, 0, (iova - range->phys) &
				    (sd_worthwhile(sd->pgsizes, range) - 1),
				    "%llx for %zx bytes at %pa", iova,
				    range->len, &range->phys);
}

static unsigned long sd_map_buffer(struct kunit *test, phys_addr_t phys,
				   size_t len)
{
	size_t offset = phys & (SZ_4K - 1);
	struct sd_test *sd = test->priv;
	struct sd_range range = {
		.phys = phys - offset,
		.len = ALIGN(len + offset, SZ_4K),
	};
	unsigned long entries;
	dma_addr_t addr;

	addr = dma_map_phys(sd->dev, phys, len, DMA_BIDIRECTIONAL,
			    DMA_ATTR_MMIO);
	KUNIT_ASSERT_FALSE(test, dma_mapping_error(sd->dev, addr));
	KUNIT_EXPECT_EQ(test, addr & (SZ_4K - 1), offset);
	addr -= offset;
	sd_expect_congruent(test, addr, &range);
	entries = sd_compare(test, addr, &range);
	sd_expect_ends(test, addr, range.len);
	dma_unmap_phys(sd->dev, addr + offset, len, DMA_BIDIRECTIONAL,
		       DMA_ATTR_MMIO);
	sd_expect_nothing(test, addr, range.len);
	return entries;
}

/* Lengths of all magnitudes up to 64 MB, some of them whole large pages */
static size_t sd_random_len(struct rnd_state *rnd)
{
	u32 n = prandom_u32_state(rnd);
	size_t len = prandom_u32_state(rnd) % BIT(n % 26 + 1) + 1;

	return n & BIT(16) ? ALIGN(len, SZ_2M) : len;
}

static phys_addr_t sd_random_phys(struct rnd_state *rnd)
{
	phys_addr_t phys = SD_PHYS | (u64)prandom_u32_state(rnd) << 6;

	switch (prandom_u32_state(rnd) % 4) {
	case 0:
		return phys;
	case 1:
		return ALIGN_DOWN(phys, SZ_2M);
	case 2:
		return ALIGN_DOWN(phys, SZ_2M) - SZ_4K;
	default:
		return ALIGN_DOWN(phys, SZ_4K);
	}
}

static void buffers_are_split_into_the_largest_pages(struct kunit *test)
{
	struct sd_test *sd = test->priv;
	int i, n;

	for (i = 0; i < ARRAY_SIZE(sd_pgsizes); i++) {
		sd_device_with(test, sd_pgsizes[i]);
		for (n = 0; n < SD_ROUNDS; n++) {
			phys_addr_t phys = sd_random_phys(&sd->rnd);

			sd_map_buffer(test, phys, sd_random_len(&sd->rnd));
			cond_resched();
		}
	}
}

static void aligned_buffers_need_few_entries(struct kunit *test)
{
	sd_device_with(test, SZ_4K | SZ_2M | SZ_1G);
	KUNIT_EXPECT_EQ(test, sd_map_buffer(test, SD_PHYS + SZ_2M, SZ_4M), 2);
	KUNIT_EXPECT_EQ(test, sd_map_buffer(test, SD_PHYS + SZ_2M, SZ_64M), 32);
	KUNIT_EXPECT_EQ(test, sd_map_buffer(test, SD_PHYS, SZ_1G), 1);
	KUNIT_EXPECT_EQ(test, sd_map_buffer(test, SD_PHYS - SZ_2M,
					    SZ_1G + SZ_4M), 3);
	sd_device_with(test, SZ_4K | SZ_2M);
	KUNIT_EXPECT_EQ(test, sd_map_buffer(test, SD_PHYS, SZ_1G), 512);
	sd_device_with(test, SZ_4K);
	KUNIT_EXPECT_EQ(test, sd_map_buffer(test, SD_PHYS + SZ_2M, SZ_4M),
			1024);
}

/* By the IOMMU API, where the address is the caller's, congruent or not */
static void unmap_says_how_much(struct kunit *test)
{
	struct sd_test *sd = test->priv;
	struct iommu_domain *domain;
	int i, n;

	for (i = 0; i < ARRAY_SIZE(sd_pgsizes); i++) {
		sd_device_with(test, sd_pgsizes[i]);
		domain = iommu_get_domain_for_dev(sd->dev);
		for (n = 0; n < SD_ROUNDS; n++) {
			u64 iova = ALIGN_DOWN(sd_random_phys(&sd->rnd), SZ_4K);
			struct sd_range range = {
				ALIGN_DOWN(sd_random_phys(&sd->rnd), SZ_4K),
				ALIGN(sd_random_len(&sd->rnd), SZ_4K),
			};

			KUNIT_ASSERT_EQ(test, 0,
					iommu_map(domain, iova, range.phys,
						  range.len, IOMMU_READ,
						  GFP_KERNEL));
			sd_compare(test, iova, &range);
			sd_expect_ends(test, iova, range.len);
			KUNIT_ASSERT_EQ(test, iommu_unmap(domain, iova,
							  range.len),
					range.len);
			sd_expect_nothing(test, iova, range.len);
			KUNIT_ASSERT_EQ(test, 0, iommu_unmap(domain, iova,
							     range.len));
			cond_resched();
		}
	}
}

static void misaligned_requests_are_refused(struct kunit *test)
{
	struct sd_test *sd = test->priv;
	static const struct {
		u64 iova;
		phys_addr_t phys;
		size_t len;
		int error;
	} bad[] = {
		{ SD_PHYS + 512, SD_PHYS, SZ_4K, -ENXIO },
		{ SD_PHYS, SD_PHYS + 512, SZ_4K, -ENXIO },
		{ SD_PHYS, SD_PHYS, 512, -ENXIO },
		{ SD_PHYS, SD_PHYS, SZ_4K + 512, -ENXIO },
		{ SD_PHYS + 512, SD_PHYS + 512, SZ_2M, -ENXIO },
		/* More than an entry can hold, more than the table covers */
		{ SD_PHYS, BIT_ULL(52), SZ_4K, -ERANGE },
		{ BIT_ULL(47), SD_PHYS, SZ_4K, -ERANGE },
	};
	struct iommu_domain *domain;
	dma_addr_t addr;
	int i;

	sd_device_with(test, SZ_4K | SZ_2M);
	domain = iommu_get_domain_for_dev(sd->dev);
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		KUNIT_EXPECT_EQ_MSG(test, bad[i].error,
				    iommu_map(domain, bad[i].iova, bad[i].phys,
					      bad[i].len, IOMMU_READ,
					      GFP_KERNEL), "request %d", i);
		sd_expect_nothing(test, ALIGN_DOWN(bad[i].iova, SZ_4K), SZ_8K);
	}
	addr = dma_map_phys(sd->dev, BIT_ULL(52), SZ_4K, DMA_BIDIRECTIONAL,
			    DMA_ATTR_MMIO);
	KUNIT_EXPECT_EQ(test, addr, DMA_MAPPING_ERROR);
}

/**
 * struct sd_list - a scatterlist in the memory of sd_test.block
 * @sgl: its elements
 * @ranges: what they are in whole pages, neighbours in memory being one
 * @nents: number of elements
 * @nr: number of ranges
 * @like: offset of the largest element in the mapping
 * @largest: that element
 */
struct sd_list {
	struct scatterlist sgl[SD_NENTS];
	struct sd_range ranges[SD_NENTS];
	unsigned int nents;
	unsigned int nr;
	size_t like;
	struct sd_range largest;
};

static size_t sd_list_add(struct sd_test *sd, struct sd_list *list,
			  struct scatterlist *sg, size_t pos)
{
	size_t offset = prandom_u32_state(&sd->rnd) % SD_BLOCK;
	size_t len = sd_random_len(&sd->rnd) % SD_BLOCK + 1;
	struct sd_range *last = list->nr ? &list->ranges[list->nr - 1] : NULL;
	struct sd_range range;

	if (prandom_u32_state(&sd->rnd) % 4 == 0)
		offset &= SZ_2M;
	len = min(len, SD_BLOCK - offset);
	sg_set_page(sg, sd->block + offset / PAGE_SIZE, len,
		    offset % PAGE_SIZE);
	range.phys = ALIGN_DOWN(sg_phys(sg), SZ_4K);
	range.len = ALIGN(sg_phys(sg) + len, SZ_4K) - range.phys;
	if (range.len > list->largest.len) {
		list->largest = range;
		list->like = pos;
	}
	if (last && last->phys + last->len == range.phys)
		last->len += range.len;
	else
		list->ranges[list->nr++] = range;
	return pos + range.len;
}

static size_t sd_list_init(struct sd_test *sd, struct sd_list *list)
{
	size_t len = 0;
	unsigned int i;

	list->nents = 1 + prandom_u32_state(&sd->rnd) % SD_NENTS;
	list->nr = 0;
	list->largest.len = 0;
	sg_init_table(list->sgl, list->nents);
	for (i = 0; i < list->nents; i++)
		len = sd_list_add(sd, list, &list->sgl[i], len);
	return len;
}

static void sd_map_list(struct kunit *test, struct sd_list *list, size_t len)
{
	struct sd_test *sd = test->priv;
	struct soft_iommu_counts counts;
	unsigned int i;
	u64 iova, pos;
	u64 before;
	int nents;

	nents = dma_map_sg(sd->dev, list->sgl, list->nents, DMA_BIDIRECTIONAL);
	KUNIT_ASSERT_GT(test, nents, 0);
	iova = ALIGN_DOWN(sg_dma_address(list->sgl), SZ_4K);
	sd_expect_congruent(test, iova + list->like, &list->largest);
	for (i = 0, pos = iova; i < list->nr; i++) {
		sd_compare(test, pos, &list->ranges[i]);
		pos += list->ranges[i].len;
	}
	KUNIT_EXPECT_EQ(test, pos, iova + len);
	sd_expect_ends(test, iova, len);
	soft_iommu_read_counts(sd->dev, &counts);
	before = counts.ranged;
	dma_unmap_sg(sd->dev, list->sgl, list->nents, DMA_BIDIRECTIONAL);
	soft_iommu_read_counts(sd->dev, &counts);
	KUNIT_EXPECT_EQ(test, counts.ranged, before + 1);
	sd_expect_nothing(test, iova, len);
}

static void scatterlists_get_large_pages(struct kunit *test)
{
	struct sd_list *list = kunit_kzalloc(test, sizeof(*list), GFP_KERNEL);
	struct sd_test *sd = test->priv;
	int i, n;

	KUNIT_ASSERT_NOT_NULL(test, list);
	for (i = 0; i < ARRAY_SIZE(sd_pgsizes); i++) {
		sd_device_with(test, sd_pgsizes[i]);
		for (n = 0; n < SD_ROUNDS / 2; n++) {
			sd_map_list(test, list, sd_list_init(sd, list));
			cond_resched();
		}
	}
}

/* The IOMMU caches absent entries: flushed on map, once for each call */
static void mapping_flushes_once(struct kunit *test)
{
	const struct soft_iommu_config config = { .caching = true };
	struct sd_list *list = kunit_kzalloc(test, sizeof(*list), GFP_KERNEL);
	struct sd_test *sd = test->priv;
	struct soft_iommu_counts counts;
	unsigned int n;

	KUNIT_ASSERT_NOT_NULL(test, list);
	sd_device(test, &config);
	sd->pgsizes = SZ_4K | SZ_2M | SZ_1G;
	for (n = 1; n < SD_ROUNDS; n++) {
		sd_map_list(test, list, sd_list_init(sd, list));
		soft_iommu_read_counts(sd->dev, &counts);
		KUNIT_ASSERT_EQ_MSG(test, counts.maps, n, "%u elements",
				    list->nents);
		cond_resched();
	}
	/* A page, and what takes many entries in several tables */
	sd_map_buffer(test, SD_PHYS, SZ_4K);
	sd_map_buffer(test, SD_PHYS + SZ_4K, SZ_8M);
	soft_iommu_read_counts(sd->dev, &counts);
	KUNIT_EXPECT_EQ(test, counts.maps, n + 1);
}

static atomic_t sd_lookups;

static phys_addr_t sd_iova_to_phys(struct iommu_domain *domain, dma_addr_t iova)
{
	atomic_inc(&sd_lookups);
	return pt_iommu_x86_64_iova_to_phys(domain, iova);
}

/* How often does an unmapping look up where the memory is? */
static int sd_count_lookups(struct kunit *test, bool stock)
{
	const struct soft_iommu_config config = { .stock = stock };
	struct sd_test *sd = test->priv;
	const struct iommu_domain_ops *old;
	struct iommu_domain_ops counting;
	struct iommu_domain *domain;
	dma_addr_t addr;

	sd_device(test, &config);
	domain = iommu_get_domain_for_dev(sd->dev);
	old = domain->ops;
	counting = *old;
	counting.iova_to_phys = sd_iova_to_phys;
	atomic_set(&sd_lookups, 0);
	addr = dma_map_page(sd->dev, sd->block, 0, SZ_16K, DMA_BIDIRECTIONAL);
	KUNIT_ASSERT_FALSE(test, dma_mapping_error(sd->dev, addr));
	domain->ops = &counting;
	dma_unmap_page(sd->dev, addr, SZ_16K, DMA_BIDIRECTIONAL);
	domain->ops = old;
	sd_expect_nothing(test, addr, SZ_16K);
	return atomic_read(&sd_lookups);
}

/* Stock looks it up, which shows that it is seen here. */
static void unmap_looks_up_no_memory(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, sd_count_lookups(test, true), 1);
	if (IS_ENABLED(CONFIG_IOMMU_IOVA_ARENA))
		KUNIT_EXPECT_EQ(test, sd_count_lookups(test, false), 0);
}

/* What Documentation/core-api/dma-iova.rst promises */
static void mappings_up_to_a_megabyte_are_cheap(struct kunit *test)
{
	struct sd_test *sd = test->priv;

	if (!IS_ENABLED(CONFIG_IOMMU_IOVA_ARENA))
		kunit_skip(test, "without arenas");
	sd_device_with(test, SZ_4K);
	KUNIT_EXPECT_EQ(test, dma_opt_mapping_size(sd->dev), SZ_1M);
}

/**
 * struct sd_iova - how dma_iova_try_alloc() and dma_iova_link() are called
 * @offset: where in its first page the memory begins
 * @size: bytes that are allocated
 * @linked: bytes that are linked, from the start
 * @pages: pages in @linked
 */
struct sd_iova {
	size_t offset;
	size_t size;
	size_t linked;
	unsigned int pages;
};

/* Of all, eight pages are allocated. */
static const struct sd_iova sd_iovas[] = {
	{ 0, 8 * SZ_4K, 3 * SZ_4K, 3 },
	{ 0, 8 * SZ_4K, 8 * SZ_4K, 8 },
	{ 512, 7 * SZ_4K + 100, 2 * SZ_4K + 100, 3 },
	/* No more than a page, but parts of two */
	{ SZ_4K - 512, 7 * SZ_4K, SZ_4K, 2 },
};

static void sd_iova_link(struct kunit *test, const struct sd_iova *iova,
			 struct dma_iova_state *state)
{
	struct sd_test *sd = test->priv;
	phys_addr_t phys = page_to_phys(sd->block) + iova->offset;

	KUNIT_ASSERT_TRUE(test, dma_iova_try_alloc(sd->dev, state, phys,
						   iova->size));
	KUNIT_EXPECT_EQ(test, state->addr & (SZ_4K - 1), iova->offset);
	if (!iova->linked)
		return;
	KUNIT_ASSERT_EQ(test, 0, dma_iova_link(sd->dev, state, phys, 0,
					       iova->linked, DMA_BIDIRECTIONAL,
					       0));
	KUNIT_ASSERT_EQ(test, 0, dma_iova_sync(sd->dev, state, 0,
					       iova->linked));
}

/* The device uses all that is linked, and finds nothing behind it. */
static void sd_iova_use(struct kunit *test, const struct sd_iova *iova,
			const struct dma_iova_state *state)
{
	u64 addr = state->addr - iova->offset;
	struct sd_test *sd = test->priv;
	phys_addr_t phys = 0;
	unsigned int i;

	for (i = 0; i < iova->pages; i++) {
		KUNIT_EXPECT_EQ(test, 0, soft_iommu_access(sd->dev,
							   addr + i * SZ_4K,
							   &phys));
		KUNIT_EXPECT_EQ(test, phys,
				page_to_phys(sd->block) + i * SZ_4K);
	}
	sd_expect_ends(test, addr, iova->pages * SZ_4K);
}

/* How many pages of a range does the device reach? */
static unsigned int sd_iova_reached(struct sd_test *sd,
				    const struct sd_iova *iova, u64 addr)
{
	unsigned int i, reached = 0;
	phys_addr_t phys;

	addr -= iova->offset;
	for (i = 0; i < iova->pages; i++)
		if (soft_iommu_access(sd->dev, addr + i * SZ_4K, &phys) >= 0)
			reached++;
	return reached;
}

static void sd_iova_destroy_in_strict(struct kunit *test,
				      const struct sd_iova *iova)
{
	struct sd_test *sd = test->priv;
	struct soft_iommu_counts before, after;
	struct dma_iova_state state;

	sd_iova_link(test, iova, &state);
	sd_iova_use(test, iova, &state);
	soft_iommu_read_counts(sd->dev, &before);
	dma_iova_destroy(sd->dev, &state, iova->linked, DMA_BIDIRECTIONAL, 0);
	KUNIT_EXPECT_EQ(test, 0, sd_iova_reached(sd, iova, state.addr));
	soft_iommu_read_counts(sd->dev, &after);
	KUNIT_EXPECT_EQ(test, after.ranged, before.ranged + 1);
	KUNIT_EXPECT_EQ(test, after.pages, before.pages + iova->pages);
	KUNIT_EXPECT_EQ(test, after.all, before.all);
	sd_expect_nothing(test, state.addr - iova->offset, 8 * SZ_4K);
}

static void strict_iovas_are_flushed_once(struct kunit *test)
{
	const struct soft_iommu_config config = { .iotlb_lg2 = SD_IOTLB_LG2 };
	int i;

	sd_device(test, &config);
	for (i = 0; i < ARRAY_SIZE(sd_iovas); i++)
		sd_iova_destroy_in_strict(test, &sd_iovas[i]);
}

/* The flush is by a timer of this CPU, which cannot run meanwhile. */
static void sd_iova_destroy_in_lazy(struct kunit *test,
				    const struct sd_iova *iova)
{
	struct sd_test *sd = test->priv;
	struct soft_iommu_counts before, after;
	struct dma_iova_state state;
	unsigned long flags, end;
	unsigned int reached;

	sd_iova_link(test, iova, &state);
	sd_iova_use(test, iova, &state);
	local_irq_save(flags);
	soft_iommu_read_counts(sd->dev, &before);
	dma_iova_destroy(sd->dev, &state, iova->linked, DMA_BIDIRECTIONAL, 0);
	reached = sd_iova_reached(sd, iova, state.addr);
	soft_iommu_read_counts(sd->dev, &after);
	local_irq_restore(flags);

	KUNIT_EXPECT_EQ(test, reached, iova->pages);
	KUNIT_EXPECT_EQ(test, after.ranged, before.ranged);
	KUNIT_EXPECT_EQ(test, after.all, before.all);
	sd_expect_nothing(test, state.addr - iova->offset, 8 * SZ_4K);

	end = jiffies + SD_PATIENCE;
	while (sd_iova_reached(sd, iova, state.addr) &&
	       time_before(jiffies, end))
		cond_resched();
	KUNIT_EXPECT_EQ(test, 0, sd_iova_reached(sd, iova, state.addr));
	soft_iommu_read_counts(sd->dev, &after);
	KUNIT_EXPECT_EQ(test, after.ranged, before.ranged);
	KUNIT_EXPECT_EQ(test, after.all, before.all + 1);
}

static void lazy_iovas_are_not_flushed_at_once(struct kunit *test)
{
	const struct soft_iommu_config config = {
		.mode = SOFT_IOMMU_LAZY,
		.iotlb_lg2 = SD_IOTLB_LG2,
	};
	int i;

	/* The caches over the tree flush at once. */
	if (!IS_ENABLED(CONFIG_IOMMU_IOVA_ARENA))
		kunit_skip(test, "without arenas");
	sd_device(test, &config);
	for (i = 0; i < ARRAY_SIZE(sd_iovas); i++)
		sd_iova_destroy_in_lazy(test, &sd_iovas[i]);
}

/* However little of it was linked, or nothing, all of it comes back. */
static void sd_iova_use_up(struct kunit *test, enum soft_iommu_mode mode)
{
	const struct soft_iommu_config config = {
		.mode = mode,
		.dma_bits = SD_FEW_BITS,
	};
	struct sd_test *sd = test->priv;
	struct dma_iova_state state;
	struct sd_iova iova;
	unsigned int i;

	sd_device(test, &config);
	for (i = 0; i < SD_MANY; i++) {
		iova = sd_iovas[i % ARRAY_SIZE(sd_iovas)];
		if (i % 8 >= 4)
			iova.linked = 0;
		sd_iova_link(test, &iova, &state);
		dma_iova_destroy(sd->dev, &state, iova.linked,
				 DMA_BIDIRECTIONAL, 0);
		cond_resched();
	}
}

static void no_iovas_are_lost(struct kunit *test)
{
	sd_iova_use_up(test, SOFT_IOMMU_STRICT);
	sd_iova_use_up(test, SOFT_IOMMU_LAZY);
}

/* A page is replaced by another one while its neighbours stay. */
static void sd_iova_replace(struct kunit *test, enum soft_iommu_mode mode)
{
	const struct soft_iommu_config config = {
		.mode = mode,
		.iotlb_lg2 = SD_IOTLB_LG2,
	};
	const struct sd_iova *iova = &sd_iovas[0];
	struct sd_test *sd = test->priv;
	phys_addr_t other = page_to_phys(sd->block) + SZ_1M, phys = 0;
	struct soft_iommu_counts counts;
	struct dma_iova_state state;

	sd_device(test, &config);
	sd_iova_link(test, iova, &state);
	sd_iova_use(test, iova, &state);
	dma_iova_unlink(sd->dev, &state, SZ_4K, SZ_4K, DMA_BIDIRECTIONAL, 0);
	KUNIT_EXPECT_EQ(test, -EFAULT,
			soft_iommu_access(sd->dev, state.addr + SZ_4K, &phys));
	soft_iommu_read_counts(sd->dev, &counts);
	KUNIT_EXPECT_EQ(test, counts.ranged, 1);
	KUNIT_EXPECT_EQ(test, counts.pages, 1);
	KUNIT_EXPECT_EQ(test, counts.all, 0);

	KUNIT_EXPECT_EQ(test, 0, dma_iova_link(sd->dev, &state, other, SZ_4K,
					       SZ_4K, DMA_BIDIRECTIONAL, 0));
	KUNIT_EXPECT_EQ(test, 0, dma_iova_sync(sd->dev, &state, SZ_4K, SZ_4K));
	KUNIT_EXPECT_EQ(test, 0, soft_iommu_access(sd->dev, state.addr + SZ_4K,
						   &phys));
	KUNIT_EXPECT_EQ(test, phys, other);
	KUNIT_EXPECT_EQ(test, 1, soft_iommu_access(sd->dev, state.addr, &phys));
	dma_iova_destroy(sd->dev, &state, iova->linked, DMA_BIDIRECTIONAL, 0);
}

static void iovas_can_be_linked_again(struct kunit *test)
{
	sd_iova_replace(test, SOFT_IOMMU_STRICT);
	sd_iova_replace(test, SOFT_IOMMU_LAZY);
}

/* Where absent entries are cached: for all links together, by dma_iova_sync() */
static void links_are_flushed_by_sync(struct kunit *test)
{
	const struct soft_iommu_config config = { .caching = true };
	struct sd_test *sd = test->priv;
	phys_addr_t phys = page_to_phys(sd->block);
	struct soft_iommu_counts counts;
	struct dma_iova_state state;
	size_t pos;

	sd_device(test, &config);
	KUNIT_ASSERT_TRUE(test, dma_iova_try_alloc(sd->dev, &state, phys,
						   8 * SZ_4K));
	for (pos = 0; pos < 4 * SZ_4K; pos += SZ_4K)
		KUNIT_EXPECT_EQ(test, 0, dma_iova_link(sd->dev, &state, phys,
						       pos, SZ_4K,
						       DMA_TO_DEVICE, 0));
	soft_iommu_read_counts(sd->dev, &counts);
	KUNIT_EXPECT_EQ(test, counts.maps, 0);
	KUNIT_EXPECT_EQ(test, 0, dma_iova_sync(sd->dev, &state, 0, pos));
	soft_iommu_read_counts(sd->dev, &counts);
	KUNIT_EXPECT_EQ(test, counts.maps, 1);
	dma_iova_destroy(sd->dev, &state, pos, DMA_TO_DEVICE, 0);
}

/**
 * struct sd_race - two CPUs that map and unmap for one device
 * @dev: the device
 * @block: physical address of the memory
 * @handed: what one leaves for whoever comes by next: address, plus CPU + 1
 * @running: threads that are not through
 * @away: mappings that another CPU has removed
 * @wrong: times that the device reached something else than what was mapped
 * @end: jiffies when it is enough in any case
 */
struct sd_race {
	struct device *dev;
	phys_addr_t block;
	atomic64_t handed[SD_SLOTS];
	atomic_t running;
	atomic_t away;
	atomic_t wrong;
	unsigned long end;
};

/* Map a page; the device must reach it at once, and nothing older. */
static u64 sd_race_map(struct sd_race *race, u32 n)
{
	phys_addr_t phys = race->block + n % (SD_BLOCK / SZ_4K) * SZ_4K;
	phys_addr_t reached = 0;
	dma_addr_t addr;

	addr = dma_map_phys(race->dev, phys, SZ_4K, DMA_BIDIRECTIONAL, 0);
	if (dma_mapping_error(race->dev, addr) ||
	    soft_iommu_access(race->dev, addr, &reached) < 0 ||
	    reached != phys) {
		atomic_inc(&race->wrong);
		return 0;
	}
	return addr + raw_smp_processor_id() + 1;
}

static void sd_race_unmap(struct sd_race *race, u64 what)
{
	dma_addr_t addr = ALIGN_DOWN(what, SZ_4K);

	if (!what)
		return;
	if (what - addr != raw_smp_processor_id() + 1)
		atomic_inc(&race->away);
	dma_unmap_phys(race->dev, addr, SZ_4K, DMA_BIDIRECTIONAL, 0);
}

/* On a busy machine the CPUs of an emulated one take turns, and hardly race. */
static bool sd_race_is_over(struct sd_race *race, int ops)
{
	if (atomic_read(&race->wrong))
		return true;
	return ops >= SD_OPS && (num_online_cpus() == 1 ||
				 atomic_read(&race->away) > SD_OPS / 10 ||
				 time_after(jiffies, race->end));
}

static int sd_race_thread(void *data)
{
	struct sd_race *race = data;
	struct rnd_state rnd;
	int i;

	prandom_seed_state(&rnd, raw_smp_processor_id() + 1);
	for (i = 0; !sd_race_is_over(race, i); i++) {
		u32 n = prandom_u32_state(&rnd);
		u64 what = n & BIT(31) ? sd_race_map(race, n) : 0;

		what = atomic64_xchg(&race->handed[n >> 16 & (SD_SLOTS - 1)],
				     what);
		sd_race_unmap(race, what);
		if (i % 64 == 0)
			cond_resched();
	}
	atomic_dec(&race->running);
	return 0;
}

static void sd_race_run(struct kunit *test, struct sd_race *race)
{
	struct task_struct *task;
	unsigned int cpu;
	int i;

	race->end = jiffies + 30 * HZ;
	for_each_online_cpu(cpu) {
		task = kthread_create_on_cpu(sd_race_thread, race, cpu,
					     "soft-dma/%u");
		KUNIT_EXPECT_FALSE(test, IS_ERR(task));
		if (IS_ERR(task))
			continue;
		atomic_inc(&race->running);
		wake_up_process(task);
	}
	while (atomic_read(&race->running))
		msleep(20);
	for (i = 0; i < SD_SLOTS; i++)
		sd_race_unmap(race, atomic64_read(&race->handed[i]));
	KUNIT_EXPECT_EQ(test, atomic_read(&race->wrong), 0);
	kunit_info(test, "%d were unmapped by another CPU\n",
		   atomic_read(&race->away));
	if (num_online_cpus() > 1)
		KUNIT_EXPECT_GT(test, atomic_read(&race->away), SD_OPS / 10);
}

static void sd_race_in(struct kunit *test, enum soft_iommu_mode mode)
{
	const struct soft_iommu_config config = {
		.mode = mode,
		.iotlb_lg2 = 12,
	};
	struct sd_race *race = kunit_kzalloc(test, sizeof(*race), GFP_KERNEL);
	struct sd_test *sd = test->priv;

	KUNIT_ASSERT_NOT_NULL(test, race);
	sd_device(test, &config);
	race->dev = sd->dev;
	race->block = page_to_phys(sd->block);
	sd_race_run(test, race);
}

static void strict_cpus_reach_what_they_mapped(struct kunit *test)
{
	sd_race_in(test, SOFT_IOMMU_STRICT);
}

static void lazy_cpus_reach_what_they_mapped(struct kunit *test)
{
	sd_race_in(test, SOFT_IOMMU_LAZY);
}

static int sd_init(struct kunit *test)
{
	struct sd_test *sd = kunit_kzalloc(test, sizeof(*sd), GFP_KERNEL);

	if (!sd)
		return -ENOMEM;
	prandom_seed_state(&sd->rnd, 7);
	/* A block of the buddy allocator is aligned to its size. */
	sd->block = alloc_pages(GFP_KERNEL, get_order(SD_BLOCK));
	if (!sd->block)
		return -ENOMEM;
	test->priv = sd;
	return 0;
}

static void sd_exit(struct kunit *test)
{
	struct sd_test *sd = test->priv;

	if (!sd)
		return;
	if (sd->dev)
		soft_iommu_device_destroy(sd->dev);
	__free_pages(sd->block, get_order(SD_BLOCK));
}

static struct kunit_case sd_cases[] = {
	KUNIT_CASE(buffers_are_split_into_the_largest_pages),
	KUNIT_CASE(aligned_buffers_need_few_entries),
	KUNIT_CASE(unmap_says_how_much),
	KUNIT_CASE(misaligned_requests_are_refused),
	KUNIT_CASE(scatterlists_get_large_pages),
	KUNIT_CASE(mapping_flushes_once),
	KUNIT_CASE(unmap_looks_up_no_memory),
	KUNIT_CASE(mappings_up_to_a_megabyte_are_cheap),
	KUNIT_CASE(strict_iovas_are_flushed_once),
	KUNIT_CASE(lazy_iovas_are_not_flushed_at_once),
	KUNIT_CASE(no_iovas_are_lost),
	KUNIT_CASE(iovas_can_be_linked_again),
	KUNIT_CASE(links_are_flushed_by_sync),
	KUNIT_CASE_SLOW(strict_cpus_reach_what_they_mapped),
	KUNIT_CASE_SLOW(lazy_cpus_reach_what_they_mapped),
	{}
};

static struct kunit_suite sd_suite = {
	.name = "dma-iommu",
	.init = sd_init,
	.exit = sd_exit,
	.test_cases = sd_cases,
};

kunit_test_suite(sd_suite);

MODULE_DESCRIPTION("KUnit tests of the DMA API on the software IOMMU");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS("GENERIC_PT_IOMMU");
