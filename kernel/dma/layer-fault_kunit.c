// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of the DMA layer "fault".
 */
#include <linux/bits.h>
#include "layer_kunit.h"

#define FAULT_NAME	"dma-fault-kunit"
#define FAULT_ALL	GENMASK(DMA_FAULT_NR - 1, 0)

struct fault_test {
	struct layer_test t;
	struct dma_fault *fault;
	struct page *page;
};

static struct fault_test *fault_test_new(struct kunit *test)
{
	struct fault_test *f = kunit_kzalloc(test, sizeof(*f), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, f);
	layer_test_init(test, &f->t, FAULT_NAME, false);
	f->fault = layer_test_push(test, &f->t, &dma_layer_fault_type)->priv;
	f->page = layer_test_page(test);
	f->t.bus->pages[f->t.bus->nr_pages++] = layer_test_page(test);
	/* The boot parameter may have set anything. */
	f->fault->attr.verbose = 0;
	f->fault->attr.probability = 100;
	f->fault->attr.interval = 1;
	atomic_set(&f->fault->attr.times, -1);
	atomic_set(&f->fault->attr.space, 0);
	return f;
}

static bool try_map_phys(struct fault_test *f, size_t size)
{
	dma_addr_t addr = test_map(f->t.dev, page_to_phys(f->page), size,
				   DMA_TO_DEVICE, 0);

	if (dma_mapping_error(f->t.dev, addr))
		return false;
	dma_unmap_phys(f->t.dev, addr, size, DMA_TO_DEVICE, 0);
	return true;
}

/* 0, or the error; both forms of the call must agree. */
static int try_map_sg(struct fault_test *f)
{
	struct sg_table sgt;
	struct scatterlist sg;
	int ret;

	sg_init_table(&sg, 1);
	sg_set_page(&sg, f->page, 100, 0);
	sgt.sgl = &sg;
	sgt.orig_nents = 1;
	sgt.nents = 1;
	ret = dma_map_sgtable(f->t.dev, &sgt, DMA_TO_DEVICE, 0);
	if (!ret)
		dma_unmap_sgtable(f->t.dev, &sgt, DMA_TO_DEVICE, 0);
	return ret;
}

static bool try_alloc(struct fault_test *f)
{
	dma_addr_t addr;
	void *vaddr = dma_alloc_coherent(f->t.dev, 100, &addr, GFP_KERNEL);

	if (vaddr)
		dma_free_coherent(f->t.dev, 100, vaddr, addr);
	return vaddr;
}

static bool try_alloc_pages(struct fault_test *f)
{
	dma_addr_t addr;
	struct page *page = dma_alloc_pages(f->t.dev, PAGE_SIZE, &addr,
					    DMA_TO_DEVICE, GFP_KERNEL);

	if (page)
		dma_free_pages(f->t.dev, PAGE_SIZE, page, addr, DMA_TO_DEVICE);
	return page;
}

static bool try_alloc_noncontiguous(struct fault_test *f)
{
	struct sg_table *sgt = dma_alloc_noncontiguous(f->t.dev, PAGE_SIZE,
						       DMA_TO_DEVICE,
						       GFP_KERNEL, 0);

	if (sgt)
		dma_free_noncontiguous(f->t.dev, PAGE_SIZE, sgt, DMA_TO_DEVICE);
	return sgt;
}

/* Makes every call once; returns the mask of those that failed. */
static unsigned long fault_try_all(struct fault_test *f)
{
	unsigned long failed = 0;

	if (!try_map_phys(f, 100))
		failed |= BIT(DMA_FAULT_MAP_PHYS);
	if (try_map_sg(f))
		failed |= BIT(DMA_FAULT_MAP_SG);
	if (!try_alloc(f))
		failed |= BIT(DMA_FAULT_ALLOC);
	if (!try_alloc_pages(f))
		failed |= BIT(DMA_FAULT_ALLOC_PAGES);
	if (!try_alloc_noncontiguous(f))
		failed |= BIT(DMA_FAULT_ALLOC_NONCONTIGUOUS);
	return failed;
}

static void fault_expect_clean(struct kunit *test, struct fault_test *f)
{
	KUNIT_EXPECT_EQ(test, f->t.bus->maps, 0);
	KUNIT_EXPECT_EQ(test, f->t.bus->allocs, 0);
}

static void fault_fails_nothing_unless_told(struct kunit *test)
{
	struct fault_test *f = fault_test_new(test);

	f->fault->attr.probability = 0;
	KUNIT_EXPECT_EQ(test, fault_try_all(f), 0);
	fault_expect_clean(test, f);
}

static void fault_fails_chosen_calls_only(struct kunit *test)
{
	struct fault_test *f = fault_test_new(test);
	unsigned long calls;
	int call;

	for (calls = 0; calls <= FAULT_ALL; calls++) {
		f->fault->calls = calls;
		KUNIT_EXPECT_EQ(test, fault_try_all(f), calls);
	}
	for (call = 0; call < DMA_FAULT_NR; call++) {
		KUNIT_EXPECT_EQ(test, FAULT_ALL + 1,
				atomic_long_read(&f->fault->seen[call]));
		KUNIT_EXPECT_EQ(test, (FAULT_ALL + 1) / 2,
				atomic_long_read(&f->fault->injected[call]));
	}
	fault_expect_clean(test, f);
}

static void fault_reports_what_callers_expect(struct kunit *test)
{
	struct fault_test *f = fault_test_new(test);
	struct scatterlist sg;

	KUNIT_EXPECT_EQ(test, try_map_sg(f), -ENOMEM);
	sg_init_table(&sg, 1);
	sg_set_page(&sg, f->page, 100, 0);
	KUNIT_EXPECT_EQ(test, 0, dma_map_sg(f->t.dev, &sg, 1, DMA_TO_DEVICE));
	KUNIT_EXPECT_EQ(test, DMA_MAPPING_ERROR,
			test_map(f->t.dev, page_to_phys(f->page), 1,
				 DMA_TO_DEVICE, 0));
	fault_expect_clean(test, f);
}

static void fault_interval_fails_every_nth(struct kunit *test)
{
	struct fault_test *f = fault_test_new(test);
	int n, i;

	for (n = 1; n < 9; n++) {
		f->fault->attr.interval = n;
		f->fault->attr.count = 0;
		for (i = 1; i <= 5 * n; i++)
			KUNIT_EXPECT_EQ_MSG(test, try_map_phys(f, 8),
					    i % n != 0, "call %d of %d", i, n);
	}
	fault_expect_clean(test, f);
}

/* Calls that are not chosen must not disturb the interval. */
static void fault_interval_counts_chosen_calls(struct kunit *test)
{
	struct fault_test *f = fault_test_new(test);
	int i;

	f->fault->calls = BIT(DMA_FAULT_MAP_PHYS);
	f->fault->attr.interval = 3;
	for (i = 1; i <= 12; i++) {
		KUNIT_EXPECT_EQ(test, try_map_sg(f), 0);
		KUNIT_EXPECT_EQ(test, try_map_phys(f, 8), i % 3 != 0);
		KUNIT_EXPECT_TRUE(test, try_alloc(f));
	}
}

static void fault_times_limits_failures(struct kunit *test)
{
	struct fault_test *f = fault_test_new(test);
	int i;

	atomic_set(&f->fault->attr.times, 3);
	for (i = 0; i < 10; i++)
		KUNIT_EXPECT_EQ(test, try_map_phys(f, 8), i >= 3);
	fault_expect_clean(test, f);
}

/* "space" is a number of bytes that are let through first. */
static void fault_space_counts_bytes(struct kunit *test)
{
	struct fault_test *f = fault_test_new(test);
	int i;

	atomic_set(&f->fault->attr.space, 401);
	for (i = 0; i < 8; i++)
		KUNIT_EXPECT_EQ(test, try_map_phys(f, 100), i < 4);

	/* A list counts with the sum of its entries. */
	atomic_set(&f->fault->attr.space, 101);
	KUNIT_EXPECT_EQ(test, try_map_sg(f), 0);
	KUNIT_EXPECT_EQ(test, try_map_sg(f), -ENOMEM);
	fault_expect_clean(test, f);
}

static void fault_probability_is_kept(struct kunit *test)
{
	struct fault_test *f = fault_test_new(test);
	int i, failed = 0;

	f->fault->attr.probability = 30;
	for (i = 0; i < 2000; i++)
		failed += !try_map_phys(f, 8);
	/* 600 expected; one run in 10^20 is farther off. */
	KUNIT_EXPECT_GT(test, failed, 400);
	KUNIT_EXPECT_LT(test, failed, 800);
}

static const struct fault_words {
	const char *text;
	int ret;
	unsigned long calls;
} fault_words[] = {
	{ "all", 0, FAULT_ALL },
	{ "none", 0, 0 },
	{ "map_phys\n", 0, BIT(DMA_FAULT_MAP_PHYS) },
	{ "map_sg alloc", 0, BIT(DMA_FAULT_MAP_SG) | BIT(DMA_FAULT_ALLOC) },
	{ "alloc,alloc_pages", 0,
	  BIT(DMA_FAULT_ALLOC) | BIT(DMA_FAULT_ALLOC_PAGES) },
	{ " map_phys+alloc_noncontiguous ", 0,
	  BIT(DMA_FAULT_MAP_PHYS) | BIT(DMA_FAULT_ALLOC_NONCONTIGUOUS) },
	{ "map_phys map_phys", 0, BIT(DMA_FAULT_MAP_PHYS) },
	{ "", -EINVAL }, { "\n", -EINVAL }, { " , +", -EINVAL },
	{ "map", -EINVAL }, { "map_physx", -EINVAL }, { "MAP_SG", -EINVAL },
	{ "map_sg unmap_sg", -EINVAL }, { "0x1f", -EINVAL },
};

static void fault_words_to_desc(const struct fault_words *w, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "\"%.60s\"",
		 *w->text == '\n' ? "\\n" : w->text);
	strreplace(desc, '\n', ' ');
}

KUNIT_ARRAY_PARAM(fault_words, fault_words, fault_words_to_desc);

static void fault_parses_calls(struct kunit *test)
{
	const struct fault_words *w = test->param_value;
	struct fault_test *f = fault_test_new(test);
	unsigned long calls = 0x5a;

	KUNIT_EXPECT_EQ(test, w->ret,
			dma_fault_parse_calls(f->t.dev, w->text, &calls));
	KUNIT_EXPECT_EQ(test, calls, w->ret ? 0x5a : w->calls);
}

/* However right the words are. */
static void fault_refuses_long_text(struct kunit *test)
{
	struct fault_test *f = fault_test_new(test);
	char text[161] = "";
	unsigned long calls = 0x5a;

	while (strlen(text) < 160)
		strcat(text, "all ");
	KUNIT_EXPECT_EQ(test, -EINVAL,
			dma_fault_parse_calls(f->t.dev, text, &calls));
	KUNIT_EXPECT_EQ(test, calls, 0x5a);
}

static struct kunit_case fault_cases[] = {
	KUNIT_CASE(fault_fails_nothing_unless_told),
	KUNIT_CASE(fault_fails_chosen_calls_only),
	KUNIT_CASE(fault_reports_what_callers_expect),
	KUNIT_CASE(fault_interval_fails_every_nth),
	KUNIT_CASE(fault_interval_counts_chosen_calls),
	KUNIT_CASE(fault_times_limits_failures),
	KUNIT_CASE(fault_space_counts_bytes),
	KUNIT_CASE(fault_probability_is_kept),
	KUNIT_CASE_PARAM(fault_parses_calls, fault_words_gen_params),
	KUNIT_CASE(fault_refuses_long_text),
	{}
};

static struct kunit_suite fault_suite = {
	.name = "dma-layer-fault",
	.test_cases = fault_cases,
};

kunit_test_suite(fault_suite);

MODULE_IMPORT_NS("EXPORTED_FOR_KUNIT_TESTING");
MODULE_DESCRIPTION("KUnit tests of the DMA layer fault");
MODULE_LICENSE("GPL");
