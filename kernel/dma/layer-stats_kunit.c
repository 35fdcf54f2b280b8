// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of the DMA layer "stats".
 */
#include <linux/cpumask.h>
#include <linux/prandom.h>
#include <linux/sched.h>
#include "layer_kunit.h"

#define STATS_NAME	"dma-stats-kunit"
#define STATS_SLOTS	24
#define STATS_STEPS	1000

/* Something that the device has, and how to give it back. */
struct stats_slot {
	enum { SLOT_FREE, SLOT_PHYS, SLOT_SG, SLOT_ALLOC } kind;
	size_t size;
	dma_addr_t addr;
	void *vaddr;
	struct page *page[2];
	struct scatterlist sg[2];
};

struct stats_test {
	struct layer_test t;
	struct dma_layer *layer;
	struct rnd_state rnd;
	struct stats_slot slot[STATS_SLOTS];
	struct dma_stats_sum model;
};

static void stats_test_start(struct kunit *test, struct stats_test *s)
{
	int i;

	layer_test_init(test, &s->t, STATS_NAME, false);
	s->layer = layer_test_push(test, &s->t, &dma_layer_stats_type);
	for (i = 0; i < FAKE_PAGES; i++)
		s->t.bus->pages[s->t.bus->nr_pages++] = layer_test_page(test);
	/* Memory of their own: dma-debug goes by bus addresses. */
	for (i = 0; i < STATS_SLOTS; i++) {
		s->slot[i].page[0] = layer_test_page(test);
		s->slot[i].page[1] = layer_test_page(test);
	}
	prandom_seed_state(&s->rnd, 4711);
}

static struct stats_test *stats_test_new(struct kunit *test)
{
	struct stats_test *s = kunit_kzalloc(test, sizeof(*s), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, s);
	stats_test_start(test, s);
	return s;
}

static void model_live(struct stats_test *s, int by)
{
	s->model.live += by;
	s->model.peak = max(s->model.peak, s->model.live);
}

static void model_mapped(struct stats_test *s, size_t size)
{
	int bucket = 0;

	while (size >> (bucket + 1))
		bucket++;
	s->model.n[DMA_STAT_MAPS]++;
	s->model.n[DMA_STAT_BYTES] += size;
	s->model.size[bucket]++;
	model_live(s, 1);
}

static void do_map_phys(struct stats_test *s, struct stats_slot *slot)
{
	slot->addr = test_map(s->t.dev, page_to_phys(slot->page[0]), slot->size,
			      DMA_TO_DEVICE, TEST_ATTRS);
	if (slot->addr == DMA_MAPPING_ERROR) {
		s->model.n[DMA_STAT_MAP_FAILURES]++;
		return;
	}
	slot->kind = SLOT_PHYS;
	model_mapped(s, slot->size);
}

static void do_map_sg(struct stats_test *s, struct stats_slot *slot)
{
	sg_init_table(slot->sg, 2);
	sg_set_page(&slot->sg[0], slot->page[0], slot->size, 0);
	sg_set_page(&slot->sg[1], slot->page[1], 64, 0);
	if (!dma_map_sg_attrs(s->t.dev, slot->sg, 2, DMA_FROM_DEVICE,
			      TEST_ATTRS)) {
		s->model.n[DMA_STAT_MAP_FAILURES]++;
		return;
	}
	slot->kind = SLOT_SG;
	s->model.n[DMA_STAT_SG_MAPS]++;
	s->model.n[DMA_STAT_SG_ENTRIES] += 2;
	model_mapped(s, slot->size + 64);
}

static void do_alloc(struct stats_test *s, struct stats_slot *slot)
{
	slot->vaddr = dma_alloc_coherent(s->t.dev, slot->size, &slot->addr,
					 GFP_KERNEL);
	if (!slot->vaddr) {
		s->model.n[DMA_STAT_ALLOC_FAILURES]++;
		return;
	}
	slot->kind = SLOT_ALLOC;
	s->model.n[DMA_STAT_ALLOCS]++;
	s->model.n[DMA_STAT_ALLOC_BYTES] += slot->size;
	model_live(s, 1);
}

static void do_give_back(struct stats_test *s, struct stats_slot *slot)
{
	struct device *dev = s->t.dev;

	switch (slot->kind) {
	case SLOT_PHYS:
		dma_sync_single_for_cpu(dev, slot->addr, slot->size,
					DMA_TO_DEVICE);
		dma_sync_single_for_device(dev, slot->addr, slot->size,
					   DMA_TO_DEVICE);
		s->model.n[DMA_STAT_SYNCS] += 2;
		dma_unmap_phys(dev, slot->addr, slot->size, DMA_TO_DEVICE,
			       TEST_ATTRS);
		s->model.n[DMA_STAT_UNMAPS]++;
		break;
	case SLOT_SG:
		dma_sync_sg_for_cpu(dev, slot->sg, 2, DMA_FROM_DEVICE);
		dma_sync_sg_for_device(dev, slot->sg, 2, DMA_FROM_DEVICE);
		s->model.n[DMA_STAT_SYNCS] += 2;
		dma_unmap_sg_attrs(dev, slot->sg, 2, DMA_FROM_DEVICE,
				   TEST_ATTRS);
		s->model.n[DMA_STAT_UNMAPS]++;
		break;
	case SLOT_ALLOC:
		dma_free_coherent(dev, slot->size, slot->vaddr, slot->addr);
		s->model.n[DMA_STAT_FREES]++;
		break;
	case SLOT_FREE:
		return;
	}
	slot->kind = SLOT_FREE;
	model_live(s, -1);
}

static void do_step(struct stats_test *s)
{
	u32 r = prandom_u32_state(&s->rnd);
	struct stats_slot *slot = &s->slot[r % STATS_SLOTS];

	if (slot->kind != SLOT_FREE) {
		do_give_back(s, slot);
		return;
	}
	slot->size = 1 + (r >> 8) % PAGE_SIZE;
	s->t.bus->fail_in = !((r >> 4) % 8);
	switch ((r >> 24) % 3) {
	case 0:
		do_map_phys(s, slot);
		break;
	case 1:
		do_map_sg(s, slot);
		break;
	default:
		do_alloc(s, slot);
		break;
	}
	s->t.bus->fail_in = 0;
}

static void expect_model(struct kunit *test, struct stats_test *s)
{
	struct dma_stats_sum sum;
	int i;

	dma_stats_read(s->layer, &sum);
	for (i = 0; i < DMA_STAT_NR; i++)
		KUNIT_EXPECT_EQ_MSG(test, sum.n[i], s->model.n[i],
				    "counter %d", i);
	for (i = 0; i < DMA_STAT_SIZES; i++)
		KUNIT_EXPECT_EQ_MSG(test, sum.size[i], s->model.size[i],
				    "bucket %d", i);
	KUNIT_EXPECT_EQ(test, sum.live, s->model.live);
	KUNIT_EXPECT_EQ(test, sum.peak, s->model.peak);
}

static void stats_match_model_over_random_calls(struct kunit *test)
{
	struct stats_test *s = stats_test_new(test);
	int i;

	for (i = 0; i < STATS_STEPS; i++) {
		do_step(s);
		if (i % 100 == 0)
			expect_model(test, s);
	}
	KUNIT_EXPECT_GT(test, s->model.n[DMA_STAT_MAP_FAILURES], 0);
	KUNIT_EXPECT_GT(test, s->model.n[DMA_STAT_ALLOC_FAILURES], 0);
	for (i = 0; i < STATS_SLOTS; i++)
		do_give_back(s, &s->slot[i]);
	expect_model(test, s);
	KUNIT_EXPECT_EQ(test, s->model.live, 0);
	KUNIT_EXPECT_EQ(test, s->t.bus->maps, 0);
	KUNIT_EXPECT_EQ(test, s->t.bus->bytes, 0);
}

/* A mapping may be undone on another CPU than made it. */
static void stats_match_model_across_cpus(struct kunit *test)
{
	struct stats_test *s = stats_test_new(test);
	int i, cpu = 0;

	if (num_online_cpus() < 2)
		kunit_skip(test, "needs two CPUs");
	for (i = 0; i < STATS_STEPS; i++) {
		if (i % 16 == 0) {
			cpu = cpumask_next_wrap(cpu, cpu_online_mask);
			KUNIT_ASSERT_EQ(test, 0,
					set_cpus_allowed_ptr(current,
							     cpumask_of(cpu)));
		}
		do_step(s);
	}
	set_cpus_allowed_ptr(current, cpu_possible_mask);
	expect_model(test, s);
	for (i = 0; i < STATS_SLOTS; i++)
		do_give_back(s, &s->slot[i]);
	expect_model(test, s);
}

/* What the file comment promises for peaks that are not small. */
static void stats_peak_is_near_when_large(struct kunit *test)
{
	struct stats_test *s = stats_test_new(test);
	long n = 100L * min(num_possible_cpus(), 64), i;
	u8 *buf = kunit_kzalloc(test, n * 16, GFP_KERNEL);
	struct dma_stats_sum sum;
	phys_addr_t phys;
	dma_addr_t addr;

	KUNIT_ASSERT_NOT_NULL(test, buf);
	phys = virt_to_phys(buf);
	for (i = 0; i < n; i++) {
		addr = test_map(s->t.dev, phys + 16 * i, 16, DMA_TO_DEVICE,
				TEST_ATTRS);
		KUNIT_ASSERT_NE(test, addr, DMA_MAPPING_ERROR);
	}
	for (i = 0; i < n; i++)
		dma_unmap_phys(s->t.dev, fake_addr(phys + 16 * i), 16,
			       DMA_TO_DEVICE, TEST_ATTRS);
	dma_stats_read(s->layer, &sum);
	KUNIT_EXPECT_EQ(test, sum.live, 0);
	KUNIT_EXPECT_EQ(test, sum.size[4], n);
	KUNIT_EXPECT_LE(test, sum.peak, n);
	KUNIT_EXPECT_GE(test, sum.peak, n - n / 16);
}

static void stats_reset_keeps_live(struct kunit *test)
{
	struct stats_test *s = stats_test_new(test);
	phys_addr_t phys = page_to_phys(s->slot[0].page[0]);
	struct dma_stats_sum sum;
	dma_addr_t addr;
	int i;

	for (i = 0; i < 3; i++) {
		addr = test_map(s->t.dev, phys + i, 1, DMA_TO_DEVICE,
				TEST_ATTRS);
		KUNIT_ASSERT_EQ(test, addr, fake_addr(phys + i));
	}
	dma_unmap_phys(s->t.dev, fake_addr(phys), 1, DMA_TO_DEVICE, TEST_ATTRS);
	dma_stats_reset(s->layer);
	dma_stats_read(s->layer, &sum);
	KUNIT_EXPECT_EQ(test, sum.n[DMA_STAT_MAPS], 0);
	KUNIT_EXPECT_EQ(test, sum.n[DMA_STAT_BYTES], 0);
	KUNIT_EXPECT_EQ(test, sum.size[0], 0);
	KUNIT_EXPECT_EQ(test, sum.live, 2);
	KUNIT_EXPECT_EQ(test, sum.peak, 2);

	for (i = 1; i < 3; i++)
		dma_unmap_phys(s->t.dev, fake_addr(phys + i), 1, DMA_TO_DEVICE,
			       TEST_ATTRS);
	dma_stats_read(s->layer, &sum);
	KUNIT_EXPECT_EQ(test, sum.n[DMA_STAT_UNMAPS], 2);
	KUNIT_EXPECT_EQ(test, sum.live, 0);
	KUNIT_EXPECT_EQ(test, sum.peak, 2);
}

static void stats_fill_in_the_summary(struct kunit *test)
{
	struct stats_test *s = stats_test_new(test);
	struct dma_layer_counters c = {};
	dma_addr_t addr;

	addr = test_map(s->t.dev, page_to_phys(s->slot[0].page[0]), 100,
			DMA_TO_DEVICE, 0);
	KUNIT_ASSERT_NE(test, addr, DMA_MAPPING_ERROR);
	dma_layer_stats_type.counters(s->layer, &c);
	KUNIT_EXPECT_EQ(test, c.known, DMA_COUNTS_MAPPINGS);
	KUNIT_EXPECT_EQ(test, c.live, 1);
	KUNIT_EXPECT_EQ(test, c.peak, 1);
	KUNIT_EXPECT_EQ(test, c.maps, 1);
	KUNIT_EXPECT_EQ(test, c.bytes, 100);
	dma_unmap_phys(s->t.dev, addr, 100, DMA_TO_DEVICE, 0);
}

static void stats_count_all_kinds_of_allocation(struct kunit *test)
{
	struct stats_test *s = stats_test_new(test);
	struct dma_stats_sum sum;
	struct sg_table *sgt;
	struct page *page;
	dma_addr_t addr;

	page = dma_alloc_pages(s->t.dev, PAGE_SIZE, &addr, DMA_BIDIRECTIONAL,
			       GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, page);
	sgt = dma_alloc_noncontiguous(s->t.dev, PAGE_SIZE, DMA_BIDIRECTIONAL,
				      GFP_KERNEL, 0);
	KUNIT_ASSERT_NOT_NULL(test, sgt);
	dma_stats_read(s->layer, &sum);
	KUNIT_EXPECT_EQ(test, sum.n[DMA_STAT_ALLOCS], 2);
	KUNIT_EXPECT_EQ(test, sum.n[DMA_STAT_ALLOC_BYTES], 2 * PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, sum.live, 2);

	dma_free_noncontiguous(s->t.dev, PAGE_SIZE, sgt, DMA_BIDIRECTIONAL);
	dma_free_pages(s->t.dev, PAGE_SIZE, page, addr, DMA_BIDIRECTIONAL);
	dma_stats_read(s->layer, &sum);
	KUNIT_EXPECT_EQ(test, sum.n[DMA_STAT_FREES], 2);
	KUNIT_EXPECT_EQ(test, sum.live, 0);
	KUNIT_EXPECT_EQ(test, s->t.bus->allocs, 0);
}

static struct kunit_case stats_cases[] = {
	KUNIT_CASE(stats_match_model_over_random_calls),
	KUNIT_CASE(stats_match_model_across_cpus),
	KUNIT_CASE(stats_peak_is_near_when_large),
	KUNIT_CASE(stats_reset_keeps_live),
	KUNIT_CASE(stats_fill_in_the_summary),
	KUNIT_CASE(stats_count_all_kinds_of_allocation),
	{}
};

static struct kunit_suite stats_suite = {
	.name = "dma-layer-stats",
	.test_cases = stats_cases,
};

kunit_test_suite(stats_suite);

MODULE_IMPORT_NS("EXPORTED_FOR_KUNIT_TESTING");
MODULE_DESCRIPTION("KUnit tests of the DMA layer stats");
MODULE_LICENSE("GPL");
