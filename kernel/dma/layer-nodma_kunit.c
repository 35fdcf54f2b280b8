// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of no-DMA ranges and of the DMA layer "nodma".
 *
 * Mapping is tested over operations that count everything and over direct
 * mapping; with bounce slots that the test supplies, and with swiotlb where
 * there is one.
 */
#include <linux/bitmap.h>
#include <linux/dma-direct.h>
#include <linux/dma-nodma.h>
#include <linux/prandom.h>
#include <linux/string.h>
#include <kunit/static_stub.h>
#include "layer_kunit.h"
#include "nodma.h"

#define NODMA_NAME	"dma-nodma-kunit"

#define POOL_SLOTS	16

/* Where no machine has memory. */
#define TEST_MMIO	BIT_ULL(43)

/*
 * Ranges
 */

static const struct nodma_ranges border_set = {
	.nr = 4,
	.range = {
		{ 0x1000, 0x1fff },
		{ 0x3000, 0x3000 },
		{ 0x5000, 0x6fff },
		{ PHYS_ADDR_MAX - 0xff, PHYS_ADDR_MAX },
	},
};

static const struct border {
	phys_addr_t start;
	size_t size;
	bool hit;
} borders[] = {
	{ 0, 0x1000, false },		/* ends one byte below */
	{ 0, 0x1001, true },		/* ends at the first byte */
	{ 0xfff, 1, false },
	{ 0x1000, 1, true },
	{ 0x1fff, 1, true },		/* the last byte */
	{ 0x2000, 1, false },		/* one byte above */
	{ 0x2000, 0x1000, false },	/* fits between two ranges */
	{ 0x1fff, 0x1001, true },
	{ 0x2000, 0x1001, true },
	{ 0x800, 0x2000, true },	/* around a range */
	{ 0x2fff, 1, false },
	{ 0x3000, 1, true },
	{ 0x3001, 1, false },
	{ 0x3001, 0x1fff, false },
	{ 0x4fff, 2, true },
	{ 0, 0x10000, true },
	{ 0x7000, 0x1000, false },
	{ 0x1800, 0, true },		/* empty, inside */
	{ 0x2000, 0, false },		/* empty, outside */
	{ PHYS_ADDR_MAX - 0x100, 1, false },
	{ PHYS_ADDR_MAX - 0x100, 2, true },
	{ PHYS_ADDR_MAX, 1, true },
	{ PHYS_ADDR_MAX, 2, true },	/* wraps: never safe */
	{ 0x10000, SIZE_MAX, true },
};

static void ranges_are_hit_at_their_borders(struct kunit *test)
{
	const struct nodma_ranges none = {};
	int i;

	for (i = 0; i < ARRAY_SIZE(borders); i++) {
		const struct border *b = &borders[i];

		KUNIT_EXPECT_EQ_MSG(test, b->hit,
				    nodma_ranges_hit(&border_set, b->start,
						     b->size),
				    "%pa + %zx", &b->start, b->size);
		KUNIT_EXPECT_FALSE(test, nodma_ranges_hit(&none, b->start,
							  b->size));
	}
}

static void expect_tidy(struct kunit *test, const struct nodma_ranges *set)
{
	unsigned int i;

	KUNIT_EXPECT_LE(test, set->nr, NODMA_RANGES_MAX);
	for (i = 0; i < set->nr; i++) {
		KUNIT_EXPECT_LE(test, set->range[i].start, set->range[i].last);
		if (i)
			KUNIT_EXPECT_GT(test, set->range[i].start,
					set->range[i - 1].last + 1);
	}
}

#define MODEL_BITS	512

/* The set and a bitmap of addresses must stay the same set of addresses. */
static void ranges_match_bitmap_over_random_edits(struct kunit *test)
{
	DECLARE_BITMAP(model, MODEL_BITS) = {};
	struct nodma_ranges *set = kunit_kzalloc(test, sizeof(*set),
						 GFP_KERNEL);
	struct rnd_state rnd;
	int step, full = 0;

	KUNIT_ASSERT_NOT_NULL(test, set);
	prandom_seed_state(&rnd, 42);
	for (step = 0; step < 2000; step++) {
		u32 r = prandom_u32_state(&rnd);
		u32 start = r % MODEL_BITS, len = 1 + (r >> 10) % 3;
		u32 end = min(start + len, MODEL_BITS), a;
		int ret;

		if ((r >> 20) % 2) {
			ret = nodma_ranges_add(set, start, end - 1);
			if (!ret)
				bitmap_set(model, start, end - start);
		} else {
			ret = nodma_ranges_cut(set, start, end - 1);
			if (ret != -ENOSPC)
				KUNIT_EXPECT_EQ(test, ret == -ENOENT,
						find_next_bit(model, end,
							      start) >= end);
			if (!ret)
				bitmap_clear(model, start, end - start);
		}
		full += ret == -ENOSPC;
		if (step % 200 == 199) {
			ret = nodma_ranges_cut(set, 100, 400);
			if (!ret)
				bitmap_clear(model, 100, 301);
		}
		expect_tidy(test, set);
		a = (r >> 3) % MODEL_BITS;
		KUNIT_EXPECT_EQ_MSG(test, nodma_ranges_hit(set, a, len),
				    find_next_bit(model, min(a + len,
							     MODEL_BITS), a) <
				    min(a + len, MODEL_BITS),
				    "step %d at %u + %u", step, a, len);
	}
	for (step = 0; step < MODEL_BITS; step++)
		KUNIT_EXPECT_EQ(test, nodma_ranges_hit(set, step, 1),
				test_bit(step, model));
	KUNIT_EXPECT_GT(test, full, 0);
}

static void ranges_have_a_limit(struct kunit *test)
{
	struct nodma_ranges *set = kunit_kzalloc(test, 2 * sizeof(*set),
						 GFP_KERNEL);
	struct nodma_ranges *before = set + 1;
	int i;

	KUNIT_ASSERT_NOT_NULL(test, set);
	for (i = 0; i < NODMA_RANGES_MAX; i++)
		KUNIT_EXPECT_EQ(test, 0,
				nodma_ranges_add(set, i * 4, i * 4 + 1));
	*before = *set;
	KUNIT_EXPECT_EQ(test, -ENOSPC, nodma_ranges_add(set, 0x1000, 0x1001));
	KUNIT_EXPECT_MEMEQ(test, set, before, sizeof(*set));
	/* What needs no entry of its own still fits. */
	KUNIT_EXPECT_EQ(test, 0, nodma_ranges_add(set, 2, 2));
	KUNIT_EXPECT_EQ(test, set->nr, NODMA_RANGES_MAX);
	KUNIT_EXPECT_EQ(test, 0, nodma_ranges_add(set, 3, 3));
	KUNIT_EXPECT_EQ(test, set->nr, NODMA_RANGES_MAX - 1);
	KUNIT_EXPECT_EQ(test, 0, nodma_ranges_add(set, 0x1000, 0x1001));

	/* Splitting one needs an entry. */
	*before = *set;
	KUNIT_EXPECT_EQ(test, -ENOSPC, nodma_ranges_cut(set, 2, 2));
	KUNIT_EXPECT_MEMEQ(test, set, before, sizeof(*set));

	KUNIT_EXPECT_EQ(test, 0, nodma_ranges_add(set, 0, PHYS_ADDR_MAX));
	KUNIT_EXPECT_EQ(test, set->nr, 1);
	KUNIT_EXPECT_EQ(test, -EINVAL, nodma_ranges_add(set, 2, 1));
	KUNIT_EXPECT_EQ(test, -EINVAL, nodma_ranges_cut(set, 2, 1));
	KUNIT_EXPECT_EQ(test, 0, nodma_ranges_cut(set, 0, PHYS_ADDR_MAX));
	KUNIT_EXPECT_EQ(test, set->nr, 0);
}

/*
 * Text
 */

static const struct text {
	const char *text;
	int ret;
	unsigned int nr;
	struct nodma_range range[3];
} texts[] = {
	{ "0x1000-0x1fff", 0, 1, { { 0x1000, 0x1fff } } },
	{ "4096-8191", 0, 1, { { 0x1000, 0x1fff } } },
	{ "0-0", 0, 1, { { 0, 0 } } },
	{ "1M@16M", 0, 1, { { 0x1000000, 0x10fffff } } },
	{ "1@0", 0, 1, { { 0, 0 } } },
	{ "4k-0x1fff", 0, 1, { { 0x1000, 0x1fff } } },
	{ "2G-0xbfffffff", 0, 1, { { 0x80000000, 0xbfffffff } } },
	{ "0x2000-0x2fff+0-1", 0, 2, { { 0, 1 }, { 0x2000, 0x2fff } } },
	{ " 0-1  4-5\n8-9\n", 0, 3, { { 0, 1 }, { 4, 5 }, { 8, 9 } } },
	{ "0-1+2-3", 0, 1, { { 0, 3 } } },
	{ "0-7+2-3+1-9", 0, 1, { { 0, 9 } } },
#ifdef CONFIG_PHYS_ADDR_T_64BIT
	{ "0-0xffffffffffffffff", 0, 1, { { 0, U64_MAX } } },
	{ "0x100000000-0x1ffffffff", 0, 1, { { SZ_4G, 2 * SZ_4G - 1 } } },
	{ "1@0xffffffffffffffff", 0, 1, { { U64_MAX, U64_MAX } } },
#endif
	{ "", -EINVAL }, { " ", -EINVAL }, { "\n", -EINVAL },
	{ "+", -EINVAL }, { "-", -EINVAL }, { "@", -EINVAL },
	{ "0x1000", -EINVAL }, { "0x1000-", -EINVAL }, { "-0x1000", -EINVAL },
	{ "0x1fff-0x1000", -EINVAL },		/* reversed */
	{ "1-0", -EINVAL },
	{ "0@0x1000", -EINVAL },		/* empty */
	{ "0x1000@", -EINVAL }, { "@0x1000", -EINVAL },
	{ "2@0xffffffffffffffff", -EINVAL },	/* wraps */
	{ "0-0x10000000000000000", -EINVAL },	/* too large */
	{ "0-99999999999999999999999999", -EINVAL },
	{ "0-16777216T", -EINVAL },		/* too large by its suffix */
	{ "17179869184G@0", -EINVAL },
	{ "0x1000-0x1fffx", -EINVAL },		/* junk */
	{ "0x1000-0x1fff-0x2fff", -EINVAL },
	{ "0x1000-0x1fff@3", -EINVAL },
	{ "0x1000-0x1fff,0x3000-0x3fff", -EINVAL },
	{ "0x1000 - 0x1fff", -EINVAL },
	{ "0x1000-0x1fff;", -EINVAL },
	{ "0x1000-0x1fff+", -EINVAL }, { "+0x1000-0x1fff", -EINVAL },
	{ "0-1++4-5", -EINVAL }, { "0-1 + 4-5", -EINVAL },
	{ "K-M", -EINVAL }, { "0x-0x1", -EINVAL }, { "0-1KK", -EINVAL },
	{ "1P@0", -EINVAL }, { "a-f", -EINVAL }, { "0-+1", -EINVAL },
	{ "0--1", -EINVAL }, { "none", -EINVAL }, { "*", -EINVAL },
};

static void text_to_desc(const struct text *t, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "\"%s\"", t->text);
	strreplace(desc, '\n', ' ');
}

KUNIT_ARRAY_PARAM(text, texts, text_to_desc);

static void expect_ranges(struct kunit *test, const struct nodma_ranges *set,
			  const struct text *t)
{
	unsigned int i;

	KUNIT_ASSERT_EQ(test, set->nr, t->nr);
	for (i = 0; i < t->nr; i++) {
		KUNIT_EXPECT_EQ(test, set->range[i].start, t->range[i].start);
		KUNIT_EXPECT_EQ(test, set->range[i].last, t->range[i].last);
	}
}

static void ranges_are_read_from_text(struct kunit *test)
{
	const struct text *t = test->param_value;
	struct nodma_ranges *set = kunit_kzalloc(test, sizeof(*set),
						 GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, set);
	*set = border_set;
	KUNIT_EXPECT_EQ(test, t->ret, nodma_ranges_parse(t->text, set));
	if (t->ret)
		KUNIT_EXPECT_MEMEQ(test, set, &border_set, sizeof(*set));
	else
		expect_ranges(test, set, t);
}

static void too_many_ranges_are_refused(struct kunit *test)
{
	struct nodma_ranges *set = kunit_kzalloc(test, sizeof(*set),
						 GFP_KERNEL);
	char *text = kunit_kzalloc(test, PAGE_SIZE, GFP_KERNEL);
	int i, len = 0;

	KUNIT_ASSERT_NOT_NULL(test, set);
	KUNIT_ASSERT_NOT_NULL(test, text);
	for (i = 0; i < NODMA_RANGES_MAX; i++)
		len += scnprintf(text + len, PAGE_SIZE - len, "%d-%d ", 4 * i,
				 4 * i + 1);
	KUNIT_EXPECT_EQ(test, 0, nodma_ranges_parse(text, set));
	KUNIT_EXPECT_EQ(test, set->nr, NODMA_RANGES_MAX);
	scnprintf(text + len, PAGE_SIZE - len, "%d-%d", 4 * i, 4 * i + 1);
	KUNIT_EXPECT_EQ(test, -ENOSPC, nodma_ranges_parse(text, set));
}

static void entries_of_the_command_line_are_read(struct kunit *test)
{
	static const struct {
		const char *entry;
		const char *device;	/* NULL when the entry is bad */
		phys_addr_t start;
	} cases[] = {
		{ "0000:00:05.0:0x1000-0x1fff", "0000:00:05.0", 0x1000 },
		{ "*:1M@2M", "*", SZ_2M },
		{ "pci:8086:*:0-1", "pci:8086:*", 0 },
		{ "edu.0:16-17+32-33", "edu.0", 16 },
		{ "" }, { "0-1" }, { "edu.0" }, { ":0-1" }, { ": " },
		{ "edu.0:" }, { "edu.0: " }, { "edu.0:0-1:" }, { "*:1-0" },
		{ "0000:00:05.0" }, { "edu.0:0-1 junk" }, { "edu.0=0-1" },
	};
	struct nodma_ranges *set = kunit_kzalloc(test, sizeof(*set),
						 GFP_KERNEL);
	int i;

	KUNIT_ASSERT_NOT_NULL(test, set);
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *device = NULL;
		int ret;

		*set = border_set;
		ret = nodma_entry_parse(cases[i].entry, &device, set);
		KUNIT_EXPECT_EQ_MSG(test, !ret, !!cases[i].device, "\"%s\"",
				    cases[i].entry);
		if (ret) {
			KUNIT_EXPECT_EQ(test, ret, -EINVAL);
			KUNIT_EXPECT_NULL(test, device);
			KUNIT_EXPECT_MEMEQ(test, set, &border_set,
					   sizeof(*set));
			continue;
		}
		KUNIT_EXPECT_STREQ(test, device, cases[i].device);
		KUNIT_EXPECT_EQ(test, set->range[0].start, cases[i].start);
		kfree(device);
	}
}

/* Each begins with 0x10-0x1f and 0x30-0x3f. */
static const struct text edits[] = {
	{ "none", 0, 0 },
	{ "none\n", 0, 0 },
	{ "0x50-0x5f", 0, 1, { { 0x50, 0x5f } } },
	{ "+0x50-0x5f", 0, 3,
	  { { 0x10, 0x1f }, { 0x30, 0x3f }, { 0x50, 0x5f } } },
	{ "+0x20-0x2f\n", 0, 1, { { 0x10, 0x3f } } },
	{ "-0x10-0x1f", 0, 1, { { 0x30, 0x3f } } },
	{ "-0x18-0x37", 0, 2, { { 0x10, 0x17 }, { 0x38, 0x3f } } },
	{ "-0x34-0x34", 0, 3,
	  { { 0x10, 0x1f }, { 0x30, 0x33 }, { 0x35, 0x3f } } },
	{ "-0-0xff", 0, 0 },
	{ "-16@0x10+1@0x30", 0, 1, { { 0x31, 0x3f } } },
	{ " +0x50-0x5f ", 0, 3,
	  { { 0x10, 0x1f }, { 0x30, 0x3f }, { 0x50, 0x5f } } },
	{ "-0x20-0x2f", -ENOENT },
	{ "-0x10-0x1f+0x50-0x5f", -ENOENT },
	{ "", -EINVAL }, { "+", -EINVAL }, { "-", -EINVAL },
	{ "+none", -EINVAL }, { "nonee", -EINVAL }, { "++0-1", -EINVAL },
	{ "+-0-1", -EINVAL }, { "--0-1", -EINVAL }, { "+0x1f-0x10", -EINVAL },
	{ "=0-1", -EINVAL }, { "-0x10-0x1f junk", -EINVAL },
};

KUNIT_ARRAY_PARAM(edit, edits, text_to_desc);

static void ranges_are_edited_by_text(struct kunit *test)
{
	static const struct nodma_ranges start = {
		.nr = 2,
		.range = { { 0x10, 0x1f }, { 0x30, 0x3f } },
	};
	const struct text *t = test->param_value;
	struct nodma_ranges *set = kunit_kzalloc(test, sizeof(*set),
						 GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, set);
	*set = start;
	KUNIT_EXPECT_EQ(test, t->ret, nodma_ranges_edit(t->text, set));
	if (t->ret)
		KUNIT_EXPECT_MEMEQ(test, set, &start, sizeof(*set));
	else
		expect_ranges(test, set, t);
}

/*
 * Bounce slots that the test supplies
 */

struct pool_slot {
	bool used;
	phys_addr_t orig;
	size_t size;
};

/**
 * struct pool - bounce slots of one page each
 * @page: the slots
 * @slot: what is in them
 * @live: slots in use
 * @next: where to look first, as swiotlb does
 * @fail_in: the n-th of the following requests fails; 0 for none
 * @entry_fail_in: the same for the layer's own memory
 */
struct pool {
	struct page *page[POOL_SLOTS];
	struct pool_slot slot[POOL_SLOTS];
	int live;
	int next;
	int fail_in;
	int entry_fail_in;
};

struct nodma_test {
	struct layer_test t;
	struct dma_layer *layer;
	struct nodma *nodma;
	struct pool *pool;
	phys_addr_t phys;
	u8 *buf;
};

static struct nodma_test *nodma_test_of(struct kunit *test)
{
	return test->priv;
}

static int pool_index(struct pool *pool, phys_addr_t phys)
{
	int i;

	for (i = 0; i < POOL_SLOTS; i++) {
		phys_addr_t page = page_to_phys(pool->page[i]);

		if (phys >= page && phys < page + PAGE_SIZE)
			return i;
	}
	return -1;
}

static bool pool_slots_present(struct device *dev)
{
	return true;
}

static size_t pool_slot_max(struct device *dev)
{
	return PAGE_SIZE;
}

static phys_addr_t pool_slot_map(struct device *dev, phys_addr_t phys,
				 size_t size, bool whole_pages,
				 enum dma_data_direction dir,
				 unsigned long *attrs)
{
	struct pool *pool = nodma_test_of(kunit_get_current_test())->pool;
	int i, n;

	if (pool->fail_in && !--pool->fail_in)
		return DMA_MAPPING_ERROR;
	for (n = 0; n < POOL_SLOTS; n++) {
		i = (pool->next + n) % POOL_SLOTS;
		if (pool->slot[i].used)
			continue;
		pool->next = i + 1;
		pool->slot[i] = (struct pool_slot){ true, phys, size };
		pool->live++;
		memcpy(page_address(pool->page[i]), phys_to_virt(phys), size);
		return page_to_phys(pool->page[i]);
	}
	return DMA_MAPPING_ERROR;
}

static void pool_sync_for_cpu(struct device *dev, phys_addr_t phys,
			      size_t size, enum dma_data_direction dir)
{
	struct kunit *test = kunit_get_current_test();
	struct pool *pool = nodma_test_of(test)->pool;
	int i = pool_index(pool, phys);
	size_t offset = offset_in_page(phys);

	KUNIT_ASSERT_GE(test, i, 0);
	KUNIT_EXPECT_LE(test, offset + size, pool->slot[i].size);
	if (dir != DMA_TO_DEVICE)
		memcpy(phys_to_virt(pool->slot[i].orig + offset),
		       phys_to_virt(phys), size);
}

static void pool_sync_for_device(struct device *dev, phys_addr_t phys,
				 size_t size, enum dma_data_direction dir)
{
	struct kunit *test = kunit_get_current_test();
	struct pool *pool = nodma_test_of(test)->pool;
	int i = pool_index(pool, phys);
	size_t offset = offset_in_page(phys);

	KUNIT_ASSERT_GE(test, i, 0);
	KUNIT_EXPECT_LE(test, offset + size, pool->slot[i].size);
	if (dir != DMA_FROM_DEVICE)
		memcpy(phys_to_virt(phys),
		       phys_to_virt(pool->slot[i].orig + offset), size);
}

static void pool_slot_unmap(struct device *dev, phys_addr_t phys, size_t size,
			    enum dma_data_direction dir, unsigned long attrs)
{
	struct kunit *test = kunit_get_current_test();
	struct pool *pool = nodma_test_of(test)->pool;
	int i = pool_index(pool, phys);

	KUNIT_ASSERT_GE(test, i, 0);
	KUNIT_EXPECT_TRUE(test, pool->slot[i].used);
	KUNIT_EXPECT_EQ(test, pool->slot[i].size, size);
	if (!(attrs & DMA_ATTR_SKIP_CPU_SYNC))
		pool_sync_for_cpu(dev, phys, size, dir);
	pool->slot[i].used = false;
	pool->live--;
}

static struct nodma_entry *pool_entry_new(gfp_t gfp)
{
	struct pool *pool = nodma_test_of(kunit_get_current_test())->pool;

	if (pool->entry_fail_in && !--pool->entry_fail_in)
		return NULL;
	return kzalloc_obj(struct nodma_entry, gfp);
}

static void pool_init(struct kunit *test, struct nodma_test *n)
{
	int i;

	n->pool = kunit_kzalloc(test, sizeof(*n->pool), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, n->pool);
	for (i = 0; i < POOL_SLOTS; i++)
		n->pool->page[i] = layer_test_page(test);
	kunit_activate_static_stub(test, nodma_slots_present,
				   pool_slots_present);
	kunit_activate_static_stub(test, nodma_slot_max, pool_slot_max);
	kunit_activate_static_stub(test, nodma_slot_map, pool_slot_map);
	kunit_activate_static_stub(test, nodma_slot_unmap, pool_slot_unmap);
	kunit_activate_static_stub(test, nodma_slot_sync_for_cpu,
				   pool_sync_for_cpu);
	kunit_activate_static_stub(test, nodma_slot_sync_for_device,
				   pool_sync_for_device);
	kunit_activate_static_stub(test, nodma_entry_new, pool_entry_new);
}

/*
 * Mapping
 */

/* What serves the device below, and where the slots come from. */
static const struct rig {
	const char *name;
	bool direct;
	bool swiotlb;
} rigs[] = {
	{ "operations of a back end, slots of the test", false, false },
	{ "direct mapping, slots of the test", true, false },
	{ "operations of a back end, swiotlb", false, true },
	{ "direct mapping, swiotlb", true, true },
};

static void rig_to_desc(const struct rig *rig, char *desc)
{
	strscpy(desc, rig->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(rig, rigs, rig_to_desc);

static struct nodma_test *nodma_test_new(struct kunit *test,
					 const struct rig *rig)
{
	struct nodma_test *n = kunit_kzalloc(test, sizeof(*n), GFP_KERNEL);
	struct page *page;

	KUNIT_ASSERT_NOT_NULL(test, n);
	test->priv = n;
	layer_test_init(test, &n->t, NODMA_NAME, rig->direct);
	if (!rig->swiotlb)
		pool_init(test, n);
	else if (!nodma_slots_present(n->t.dev))
		kunit_skip(test, "no swiotlb in this system");
	n->layer = layer_test_push(test, &n->t, &dma_layer_nodma_type);
	n->nodma = n->layer->priv;
	n->nodma->ranges.nr = 0;
	page = layer_test_page(test);
	n->phys = page_to_phys(page);
	n->buf = page_address(page);
	return n;
}

static struct nodma_test *nodma_test_param(struct kunit *test)
{
	return nodma_test_new(test, test->param_value);
}

static struct nodma_test *nodma_test_fake(struct kunit *test)
{
	return nodma_test_new(test, &rigs[0]);
}

static void forbid(struct kunit *test, struct nodma_test *n, phys_addr_t start,
		   size_t size)
{
	KUNIT_ASSERT_EQ(test, 0, nodma_ranges_add(&n->nodma->ranges, start,
						  start + size - 1));
}

/* The memory that the device reaches at a bus address. */
static u8 *device_sees(struct nodma_test *n, dma_addr_t addr)
{
	if (n->t.bus)
		return phys_to_virt(fake_phys(addr));
	return phys_to_virt(dma_to_phys(n->t.dev, addr));
}

static void fill(u8 *p, size_t size, u8 seed)
{
	size_t i;

	for (i = 0; i < size; i++)
		p[i] = seed + 7 * i;
}

static bool filled(const u8 *p, size_t size, u8 seed)
{
	size_t i;

	for (i = 0; i < size; i++) {
		if (p[i] != (u8)(seed + 7 * i))
			return false;
	}
	return true;
}

static void expect_nothing_left(struct kunit *test, struct nodma_test *n)
{
	KUNIT_EXPECT_EQ(test, 0, atomic_read(&n->nodma->live));
	KUNIT_EXPECT_TRUE(test, RB_EMPTY_ROOT(&n->nodma->entries));
	if (n->pool)
		KUNIT_EXPECT_EQ(test, 0, n->pool->live);
	if (n->t.bus) {
		KUNIT_EXPECT_EQ(test, 0, n->t.bus->maps);
		KUNIT_EXPECT_EQ(test, 0, n->t.bus->bytes);
		KUNIT_EXPECT_EQ(test, 0, n->t.bus->allocs);
	}
}

/* Map, move data both ways, unmap; says whether the buffer was bounced. */
static bool round_trip(struct kunit *test, struct nodma_test *n, size_t offset,
		       size_t size)
{
	struct device *dev = n->t.dev;
	u8 *buf = n->buf + offset, *seen;
	dma_addr_t addr;
	bool bounced;

	fill(n->buf, PAGE_SIZE, 1);
	fill(buf, size, 2);
	addr = test_map(dev, n->phys + offset, size, DMA_BIDIRECTIONAL,
			TEST_ATTRS);
	KUNIT_ASSERT_FALSE(test, dma_mapping_error(dev, addr));
	seen = device_sees(n, addr);
	bounced = seen != buf;
	KUNIT_EXPECT_FALSE(test, nodma_ranges_hit(&n->nodma->ranges,
						  virt_to_phys(seen), size));
	KUNIT_EXPECT_TRUE(test, filled(seen, size, 2));
	fill(seen, size, 3);
	dma_unmap_phys(dev, addr, size, DMA_BIDIRECTIONAL, TEST_ATTRS);
	KUNIT_EXPECT_TRUE(test, filled(buf, size, 3));
	KUNIT_EXPECT_TRUE(test, filled(n->buf, offset, 1));
	return bounced;
}

static void buffers_are_bounced_at_range_borders(struct kunit *test)
{
	static const struct {
		size_t offset;
		size_t size;
		bool bounced;
	} cases[] = {
		{ 0, 0x400, false },	/* ends one byte below */
		{ 0, 0x401, true },	/* ends at the first byte */
		{ 0x3ff, 1, false },
		{ 0x400, 1, true },
		{ 0x500, 0x80, true },	/* inside */
		{ 0x400, 0x400, true },	/* is the range */
		{ 0x300, 0x700, true },	/* around it */
		{ 0x7ff, 1, true },	/* at the last byte */
		{ 0x7ff, 0x100, true },
		{ 0x800, 1, false },	/* one byte above */
		{ 0x800, 0x800, false },
		{ 0, PAGE_SIZE, true },
	};
	struct nodma_test *n = nodma_test_param(test);
	int i;

	forbid(test, n, n->phys + 0x400, 0x400);
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		KUNIT_EXPECT_EQ_MSG(test, cases[i].bounced,
				    round_trip(test, n, cases[i].offset,
					       cases[i].size),
				    "%zx + %zx", cases[i].offset,
				    cases[i].size);
		expect_nothing_left(test, n);
	}
}

static void nothing_is_bounced_without_ranges(struct kunit *test)
{
	struct nodma_test *n = nodma_test_param(test);

	KUNIT_EXPECT_FALSE(test, round_trip(test, n, 0, PAGE_SIZE));
	KUNIT_EXPECT_EQ(test, 0, atomic64_read(&n->nodma->maps));
}

/* A bounced buffer, all of the test's page. */
static dma_addr_t map_page(struct kunit *test, struct nodma_test *n,
			   enum dma_data_direction dir)
{
	dma_addr_t addr;

	forbid(test, n, n->phys, PAGE_SIZE);
	addr = test_map(n->t.dev, n->phys, PAGE_SIZE, dir, TEST_ATTRS);
	KUNIT_ASSERT_FALSE(test, dma_mapping_error(n->t.dev, addr));
	KUNIT_ASSERT_PTR_NE(test, device_sees(n, addr), n->buf);
	return addr;
}

static void data_moves_in_the_direction_of_the_mapping(struct kunit *test)
{
	struct nodma_test *n = nodma_test_param(test);
	dma_addr_t addr;

	fill(n->buf, PAGE_SIZE, 1);
	addr = map_page(test, n, DMA_TO_DEVICE);
	fill(device_sees(n, addr), PAGE_SIZE, 2);
	dma_unmap_phys(n->t.dev, addr, PAGE_SIZE, DMA_TO_DEVICE, TEST_ATTRS);
	KUNIT_EXPECT_TRUE(test, filled(n->buf, PAGE_SIZE, 1));

	/* What the device does not write must survive. */
	addr = map_page(test, n, DMA_FROM_DEVICE);
	fill(device_sees(n, addr), 100, 3);
	dma_unmap_phys(n->t.dev, addr, PAGE_SIZE, DMA_FROM_DEVICE, TEST_ATTRS);
	KUNIT_EXPECT_TRUE(test, filled(n->buf, 100, 3));
	KUNIT_EXPECT_EQ(test, n->buf[100], (u8)(1 + 7 * 100));
	expect_nothing_left(test, n);
}

static void unmap_may_skip_the_copy(struct kunit *test)
{
	struct nodma_test *n = nodma_test_param(test);
	dma_addr_t addr;

	fill(n->buf, PAGE_SIZE, 1);
	addr = map_page(test, n, DMA_FROM_DEVICE);
	fill(device_sees(n, addr), PAGE_SIZE, 2);
	dma_unmap_phys(n->t.dev, addr, PAGE_SIZE, DMA_FROM_DEVICE,
		       TEST_ATTRS | DMA_ATTR_SKIP_CPU_SYNC);
	KUNIT_EXPECT_TRUE(test, filled(n->buf, PAGE_SIZE, 1));
	expect_nothing_left(test, n);
}

static void part_of_a_buffer_is_synced(struct kunit *test)
{
	struct nodma_test *n = nodma_test_param(test);
	struct device *dev = n->t.dev;
	dma_addr_t addr;
	u8 *seen;

	fill(n->buf, PAGE_SIZE, 1);
	addr = map_page(test, n, DMA_BIDIRECTIONAL);
	seen = device_sees(n, addr);

	fill(seen, PAGE_SIZE, 2);
	dma_sync_single_range_for_cpu(dev, addr, 0x123, 0x45,
				      DMA_BIDIRECTIONAL);
	KUNIT_EXPECT_TRUE(test, filled(n->buf, 0x123, 1));
	KUNIT_EXPECT_MEMEQ(test, n->buf + 0x123, seen + 0x123, 0x45);
	KUNIT_EXPECT_EQ(test, n->buf[0x168], (u8)(1 + 7 * 0x168));

	fill(n->buf, PAGE_SIZE, 4);
	dma_sync_single_range_for_device(dev, addr, PAGE_SIZE - 0x10, 0x10,
					 DMA_BIDIRECTIONAL);
	KUNIT_EXPECT_TRUE(test, filled(seen, PAGE_SIZE - 0x10, 2));
	KUNIT_EXPECT_MEMEQ(test, n->buf + PAGE_SIZE - 0x10,
			   seen + PAGE_SIZE - 0x10, 0x10);

	dma_unmap_phys(dev, addr, PAGE_SIZE, DMA_BIDIRECTIONAL,
		       TEST_ATTRS | DMA_ATTR_SKIP_CPU_SYNC);
	expect_nothing_left(test, n);
}

/* While something is bounced, other addresses must still go their way. */
static void neighbours_are_told_apart(struct kunit *test)
{
	struct nodma_test *n = nodma_test_fake(test);
	struct page *page = layer_test_page(test);
	dma_addr_t bounced, plain;

	bounced = map_page(test, n, DMA_FROM_DEVICE);
	plain = test_map(n->t.dev, page_to_phys(page), 64, DMA_FROM_DEVICE,
			 TEST_ATTRS);
	KUNIT_ASSERT_EQ(test, plain, fake_addr(page_to_phys(page)));
	dma_sync_single_for_cpu(n->t.dev, plain, 64, DMA_FROM_DEVICE);
	KUNIT_EXPECT_EQ(test, n->t.bus->syncs, 1);
	dma_sync_single_for_cpu(n->t.dev, bounced, 64, DMA_FROM_DEVICE);
	KUNIT_EXPECT_EQ(test, n->t.bus->syncs, 1);
	dma_unmap_phys(n->t.dev, plain, 64, DMA_FROM_DEVICE, TEST_ATTRS);
	KUNIT_EXPECT_EQ(test, n->pool->live, 1);
	dma_unmap_phys(n->t.dev, bounced, PAGE_SIZE, DMA_FROM_DEVICE,
		       TEST_ATTRS);
	expect_nothing_left(test, n);
}

/*
 * Below, a slot must neither be bounced nor released again, which is what
 * DMA_ATTR_REQUIRE_COHERENT is for.
 */
static void slots_are_marked_for_what_lies_below(struct kunit *test)
{
	struct nodma_test *n = nodma_test_fake(test);
	struct page *page = layer_test_page(test);
	dma_addr_t bounced, plain;

	bounced = map_page(test, n, DMA_FROM_DEVICE);
	KUNIT_EXPECT_TRUE(test, n->t.bus->attrs & DMA_ATTR_REQUIRE_COHERENT);
	plain = test_map(n->t.dev, page_to_phys(page), 64, DMA_FROM_DEVICE,
			 TEST_ATTRS);
	KUNIT_EXPECT_EQ(test, n->t.bus->attrs, TEST_ATTRS);
	dma_unmap_phys(n->t.dev, plain, 64, DMA_FROM_DEVICE, TEST_ATTRS);
	dma_unmap_phys(n->t.dev, bounced, PAGE_SIZE, DMA_FROM_DEVICE,
		       TEST_ATTRS);
}

static void what_cannot_be_bounced_is_refused(struct kunit *test)
{
	static const struct {
		size_t size;
		unsigned long attrs;
	} cases[] = {
		{ 64, DMA_ATTR_MMIO },
		{ 64, DMA_ATTR_REQUIRE_COHERENT },
		{ 2 * PAGE_SIZE, 0 },	/* longer than a slot */
		{ 0, 0 },
	};
	struct nodma_test *n = nodma_test_fake(test);
	dma_addr_t addr;
	int i;

	forbid(test, n, n->phys, PAGE_SIZE);
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		addr = test_map(n->t.dev, n->phys, cases[i].size, DMA_TO_DEVICE,
				cases[i].attrs | DMA_ATTR_NO_WARN);
		KUNIT_EXPECT_EQ(test, addr, DMA_MAPPING_ERROR);
		KUNIT_EXPECT_EQ(test, i + 1,
				atomic64_read(&n->nodma->failures));
		expect_nothing_left(test, n);
	}

	/* Outside of the range, MMIO is let through. */
	addr = test_map(n->t.dev, TEST_MMIO, 64, DMA_TO_DEVICE, DMA_ATTR_MMIO);
	KUNIT_EXPECT_EQ(test, addr, fake_addr(TEST_MMIO));
	dma_unmap_phys(n->t.dev, addr, 64, DMA_TO_DEVICE, DMA_ATTR_MMIO);
	expect_nothing_left(test, n);
}

static void slots_in_a_range_are_passed_over(struct kunit *test)
{
	struct nodma_test *n = nodma_test_fake(test);
	dma_addr_t addr;
	int i;

	for (i = 0; i < 5; i++)
		forbid(test, n, page_to_phys(n->pool->page[i]), PAGE_SIZE);
	addr = map_page(test, n, DMA_TO_DEVICE);
	KUNIT_EXPECT_PTR_EQ(test, device_sees(n, addr),
			    (u8 *)page_address(n->pool->page[5]));
	KUNIT_EXPECT_EQ(test, n->pool->live, 1);
	dma_unmap_phys(n->t.dev, addr, PAGE_SIZE, DMA_TO_DEVICE, TEST_ATTRS);

	for (; i < POOL_SLOTS; i++)
		forbid(test, n, page_to_phys(n->pool->page[i]), PAGE_SIZE);
	addr = test_map(n->t.dev, n->phys, 64, DMA_TO_DEVICE, DMA_ATTR_NO_WARN);
	KUNIT_EXPECT_EQ(test, addr, DMA_MAPPING_ERROR);
	expect_nothing_left(test, n);
}

/* Bouncing what was bounced already is not possible. */
static void slots_above_the_mask_are_refused(struct kunit *test)
{
	struct nodma_test *n = nodma_test_new(test, &rigs[1]);
	phys_addr_t lowest = PHYS_ADDR_MAX;
	dma_addr_t addr;
	u64 mask;
	int i;

	for (i = 0; i < POOL_SLOTS; i++)
		lowest = min(lowest, page_to_phys(n->pool->page[i]));
	mask = lowest - 1;
	forbid(test, n, n->phys, PAGE_SIZE);
	*n->t.dev->dma_mask = mask;
	addr = test_map(n->t.dev, n->phys, 64, DMA_TO_DEVICE, DMA_ATTR_NO_WARN);
	*n->t.dev->dma_mask = DMA_BIT_MASK(64);
	KUNIT_EXPECT_EQ(test, addr, DMA_MAPPING_ERROR);
	/* By the layer: direct mapping would warn. */
	KUNIT_EXPECT_EQ(test, 1, atomic64_read(&n->nodma->failures));
	expect_nothing_left(test, n);
}

/*
 * Scatterlists
 */

#define SG_ENTRIES	4

/* Entries of different lengths, 0x100 apart. */
static void sg_fill(struct nodma_test *n, struct scatterlist *sgl)
{
	static const unsigned int len[SG_ENTRIES] = { 0x100, 0x80, 0xf0, 0x10 };
	int i;

	sg_init_table(sgl, SG_ENTRIES);
	for (i = 0; i < SG_ENTRIES; i++)
		sg_set_page(&sgl[i], virt_to_page(n->buf), len[i], i * 0x100);
}

static unsigned long sg_bounced(struct nodma_test *n, struct scatterlist *sgl)
{
	unsigned long mask = 0;
	int i;

	for (i = 0; i < SG_ENTRIES; i++) {
		if (device_sees(n, sg_dma_address(&sgl[i])) != sg_virt(&sgl[i]))
			mask |= BIT(i);
	}
	return mask;
}

static void sg_round_trip(struct kunit *test, struct nodma_test *n,
			  unsigned long bounced)
{
	struct scatterlist sgl[SG_ENTRIES];
	struct device *dev = n->t.dev;
	int i;

	sg_fill(n, sgl);
	for (i = 0; i < SG_ENTRIES; i++)
		fill(sg_virt(&sgl[i]), sgl[i].length, i);
	KUNIT_ASSERT_EQ(test, SG_ENTRIES,
			dma_map_sg_attrs(dev, sgl, SG_ENTRIES,
					 DMA_BIDIRECTIONAL, TEST_ATTRS));
	KUNIT_EXPECT_EQ(test, bounced, sg_bounced(n, sgl));
	for (i = 0; i < SG_ENTRIES; i++) {
		u8 *seen = device_sees(n, sg_dma_address(&sgl[i]));

		KUNIT_EXPECT_EQ(test, sg_dma_len(&sgl[i]), sgl[i].length);
		KUNIT_EXPECT_TRUE(test, filled(seen, sgl[i].length, i));
		fill(seen, sgl[i].length, 0x10 + i);
	}
	dma_sync_sg_for_cpu(dev, sgl, SG_ENTRIES, DMA_BIDIRECTIONAL);
	for (i = 0; i < SG_ENTRIES; i++) {
		KUNIT_EXPECT_TRUE(test, filled(sg_virt(&sgl[i]), sgl[i].length,
					       0x10 + i));
		fill(sg_virt(&sgl[i]), sgl[i].length, 0x20 + i);
	}
	dma_sync_sg_for_device(dev, sgl, SG_ENTRIES, DMA_BIDIRECTIONAL);
	for (i = 0; i < SG_ENTRIES; i++) {
		u8 *seen = device_sees(n, sg_dma_address(&sgl[i]));

		KUNIT_EXPECT_TRUE(test, filled(seen, sgl[i].length, 0x20 + i));
		fill(seen, sgl[i].length, 0x30 + i);
	}
	dma_unmap_sg_attrs(dev, sgl, SG_ENTRIES, DMA_BIDIRECTIONAL, TEST_ATTRS);
	for (i = 0; i < SG_ENTRIES; i++)
		KUNIT_EXPECT_TRUE(test, filled(sg_virt(&sgl[i]), sgl[i].length,
					       0x30 + i));
	expect_nothing_left(test, n);
}

static void lists_are_bounced_where_entries_straddle(struct kunit *test)
{
	static const struct {
		size_t start;
		size_t size;
		unsigned long bounced;
	} cases[] = {
		{ 0, 0x100, BIT(0) },		/* is the first entry */
		{ 0xff, 1, BIT(0) },		/* its last byte */
		{ 0x180, 0x80, 0 },		/* between two entries */
		{ 0x17f, 1, BIT(1) },
		{ 0x17f, 0x82, BIT(1) | BIT(2) },
		{ 0x2ef, 0x11, BIT(2) },	/* straddled by the third */
		{ 0x2f0, 0x10, 0 },		/* right after the third */
		{ 0x2f0, 0x11, BIT(3) },
		{ 0x30f, 0x100, BIT(3) },
		{ 0x310, 0x100, 0 },		/* above all */
		{ 0, PAGE_SIZE, 0xf },
	};
	struct nodma_test *n = nodma_test_param(test);
	int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		n->nodma->ranges.nr = 0;
		forbid(test, n, n->phys + cases[i].start, cases[i].size);
		sg_round_trip(test, n, cases[i].bounced);
	}
}

/* A list that was bounced once is an ordinary one the next time. */
static void lists_can_be_used_again(struct kunit *test)
{
	struct nodma_test *n = nodma_test_fake(test);
	struct scatterlist sgl[SG_ENTRIES];
	dma_addr_t other;

	sg_fill(n, sgl);
	forbid(test, n, n->phys + 0x200, 0x10);
	KUNIT_ASSERT_EQ(test, SG_ENTRIES,
			dma_map_sg_attrs(n->t.dev, sgl, SG_ENTRIES,
					 DMA_TO_DEVICE, TEST_ATTRS));
	KUNIT_EXPECT_EQ(test, n->t.bus->maps, SG_ENTRIES);
	dma_unmap_sg_attrs(n->t.dev, sgl, SG_ENTRIES, DMA_TO_DEVICE,
			   TEST_ATTRS);
	expect_nothing_left(test, n);

	/* Something else holds a slot meanwhile. */
	n->nodma->ranges.nr = 0;
	forbid(test, n, n->phys + 0xf00, 0x100);
	other = test_map(n->t.dev, n->phys + 0xf00, 8, DMA_TO_DEVICE,
			 TEST_ATTRS);
	KUNIT_ASSERT_EQ(test, SG_ENTRIES,
			dma_map_sg_attrs(n->t.dev, sgl, SG_ENTRIES,
					 DMA_TO_DEVICE, TEST_ATTRS));
	KUNIT_EXPECT_EQ(test, n->t.bus->maps, 2);
	dma_sync_sg_for_cpu(n->t.dev, sgl, SG_ENTRIES, DMA_TO_DEVICE);
	KUNIT_EXPECT_EQ(test, n->t.bus->syncs, 1);
	dma_unmap_sg_attrs(n->t.dev, sgl, SG_ENTRIES, DMA_TO_DEVICE,
			   TEST_ATTRS);
	KUNIT_EXPECT_EQ(test, n->t.bus->maps, 1);
	dma_unmap_phys(n->t.dev, other, 8, DMA_TO_DEVICE, TEST_ATTRS);
	expect_nothing_left(test, n);
}

/*
 * Failures: each step of each operation once.
 */

static void failed_list_leaves_nothing(struct kunit *test)
{
	struct nodma_test *n = nodma_test_fake(test);
	struct scatterlist sgl[SG_ENTRIES];
	int *fail_in[] = { &n->pool->fail_in, &n->pool->entry_fail_in,
			   &n->t.bus->fail_in };
	int kind, at, failed = 0;

	/* Three entries of four are bounced. */
	forbid(test, n, n->phys, 0x100);
	forbid(test, n, n->phys + 0x200, 0x200);
	for (kind = 0; kind < ARRAY_SIZE(fail_in); kind++) {
		for (at = 1; at <= SG_ENTRIES + 1; at++) {
			int ret;

			sg_fill(n, sgl);
			fill(n->buf, PAGE_SIZE, 1);
			*fail_in[kind] = at;
			ret = dma_map_sg_attrs(n->t.dev, sgl, SG_ENTRIES,
					       DMA_BIDIRECTIONAL,
					       DMA_ATTR_NO_WARN);
			*fail_in[kind] = 0;
			if (ret)
				dma_unmap_sg(n->t.dev, sgl, SG_ENTRIES,
					     DMA_BIDIRECTIONAL);
			failed += !ret;
			KUNIT_EXPECT_TRUE(test, filled(n->buf, PAGE_SIZE, 1));
			expect_nothing_left(test, n);
		}
	}
	KUNIT_EXPECT_EQ(test, failed, 3 + 3 + SG_ENTRIES);
}

static void failed_mapping_leaves_nothing(struct kunit *test)
{
	struct nodma_test *n = nodma_test_fake(test);
	int *fail_in[] = { &n->pool->fail_in, &n->pool->entry_fail_in,
			   &n->t.bus->fail_in };
	dma_addr_t addr;
	int kind;

	forbid(test, n, n->phys, PAGE_SIZE);
	for (kind = 0; kind < ARRAY_SIZE(fail_in); kind++) {
		*fail_in[kind] = 1;
		addr = test_map(n->t.dev, n->phys, 64, DMA_TO_DEVICE,
				DMA_ATTR_NO_WARN);
		KUNIT_EXPECT_EQ(test, addr, DMA_MAPPING_ERROR);
		KUNIT_EXPECT_EQ(test, *fail_in[kind], 0);
		expect_nothing_left(test, n);
	}
}

/*
 * Allocations
 */

/*
 * Give what lies below @bad pages in a no-DMA range, then @good ones.  Pages
 * come last in, first out.
 */
static void stock_pages(struct kunit *test, struct nodma_test *n, int bad,
			int good)
{
	struct fake_bus *bus = n->t.bus;
	int i;

	bus->nr_pages = 0;
	for (i = 0; i < good + bad; i++) {
		struct page *page = layer_test_page(test);

		if (i >= good)
			forbid(test, n, page_to_phys(page), PAGE_SIZE);
		bus->pages[bus->nr_pages++] = page;
	}
}

static void bad_memory_is_held_until_good_is_found(struct kunit *test)
{
	struct nodma_test *n = nodma_test_fake(test);
	struct device *dev = n->t.dev;
	struct page *good, *page;
	struct sg_table *sgt;
	dma_addr_t addr;
	void *vaddr;

	stock_pages(test, n, 3, 1);
	good = n->t.bus->pages[0];
	vaddr = dma_alloc_coherent(dev, 64, &addr, GFP_KERNEL);
	KUNIT_ASSERT_PTR_EQ(test, vaddr, page_address(good));
	KUNIT_EXPECT_EQ(test, addr, fake_addr(page_to_phys(good)));
	KUNIT_EXPECT_EQ(test, n->t.bus->allocs, 1);
	dma_free_coherent(dev, 64, vaddr, addr);
	expect_nothing_left(test, n);

	stock_pages(test, n, 3, 1);
	good = n->t.bus->pages[0];
	page = dma_alloc_pages(dev, PAGE_SIZE, &addr, DMA_TO_DEVICE,
			       GFP_KERNEL);
	KUNIT_ASSERT_PTR_EQ(test, page, good);
	KUNIT_EXPECT_EQ(test, n->t.bus->allocs, 1);
	dma_free_pages(dev, PAGE_SIZE, page, addr, DMA_TO_DEVICE);
	expect_nothing_left(test, n);

	stock_pages(test, n, 3, 1);
	good = n->t.bus->pages[0];
	sgt = dma_alloc_noncontiguous(dev, PAGE_SIZE, DMA_TO_DEVICE, GFP_KERNEL,
				      0);
	KUNIT_ASSERT_NOT_NULL(test, sgt);
	KUNIT_EXPECT_PTR_EQ(test, sg_page(sgt->sgl), good);
	KUNIT_EXPECT_EQ(test, n->t.bus->allocs, 1);
	dma_free_noncontiguous(dev, PAGE_SIZE, sgt, DMA_TO_DEVICE);
	expect_nothing_left(test, n);
	KUNIT_EXPECT_EQ(test, 0, atomic64_read(&n->nodma->own));
}

static void memory_of_the_layer_is_the_last_resort(struct kunit *test)
{
	struct nodma_test *n = nodma_test_fake(test);
	struct device *dev = n->t.dev;
	struct sg_table sgt, *table;
	struct page *page;
	dma_addr_t addr;
	void *vaddr;

	stock_pages(test, n, 8, 0);
	vaddr = dma_alloc_coherent(dev, 100, &addr, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, vaddr);
	KUNIT_EXPECT_EQ(test, addr, fake_addr(virt_to_phys(vaddr)));
	KUNIT_EXPECT_FALSE(test, nodma_ranges_hit(&n->nodma->ranges,
						  virt_to_phys(vaddr),
						  PAGE_SIZE));
	KUNIT_EXPECT_TRUE(test, mem_is_zero(vaddr, PAGE_SIZE));
	KUNIT_EXPECT_EQ(test, n->t.bus->allocs, 0);
	KUNIT_EXPECT_EQ(test, n->t.bus->maps, 1);
	KUNIT_ASSERT_EQ(test, 0, dma_get_sgtable(dev, &sgt, vaddr, addr, 100));
	KUNIT_EXPECT_PTR_EQ(test, sg_page(sgt.sgl), virt_to_page(vaddr));
	sg_free_table(&sgt);
	dma_free_coherent(dev, 100, vaddr, addr);
	expect_nothing_left(test, n);

	page = dma_alloc_pages(dev, 2 * PAGE_SIZE, &addr, DMA_FROM_DEVICE,
			       GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, page);
	KUNIT_EXPECT_EQ(test, addr, fake_addr(page_to_phys(page)));
	KUNIT_EXPECT_EQ(test, n->t.bus->bytes, 2 * PAGE_SIZE);
	dma_free_pages(dev, 2 * PAGE_SIZE, page, addr, DMA_FROM_DEVICE);
	expect_nothing_left(test, n);
	KUNIT_EXPECT_EQ(test, 2, atomic64_read(&n->nodma->own));

	table = dma_alloc_noncontiguous(dev, 2 * PAGE_SIZE, DMA_TO_DEVICE,
					GFP_KERNEL, 0);
	KUNIT_ASSERT_NOT_NULL(test, table);
	KUNIT_EXPECT_EQ(test, sg_dma_len(table->sgl), 2 * PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, sg_dma_address(table->sgl),
			fake_addr(sg_phys(table->sgl)));
	KUNIT_EXPECT_EQ(test, n->t.bus->allocs, 0);
	KUNIT_EXPECT_EQ(test, n->t.bus->bytes, 2 * PAGE_SIZE);
	dma_free_noncontiguous(dev, 2 * PAGE_SIZE, table, DMA_TO_DEVICE);
	expect_nothing_left(test, n);
	KUNIT_EXPECT_EQ(test, 3, atomic64_read(&n->nodma->own));
}

static void failed_allocation_leaves_nothing(struct kunit *test)
{
	struct nodma_test *n = nodma_test_fake(test);
	struct device *dev = n->t.dev;
	dma_addr_t addr;
	int at;

	stock_pages(test, n, 8, 0);
	n->pool->entry_fail_in = 1;
	KUNIT_EXPECT_NULL(test, dma_alloc_attrs(dev, 64, &addr, GFP_KERNEL,
						DMA_ATTR_NO_WARN));
	expect_nothing_left(test, n);

	/* The first to the fourth request below, then the layer's mapping. */
	for (at = 1; at <= 5; at++) {
		void *vaddr;

		n->t.bus->fail_in = at;
		vaddr = dma_alloc_attrs(dev, 64, &addr, GFP_KERNEL,
					DMA_ATTR_NO_WARN);
		n->t.bus->fail_in = 0;
		KUNIT_EXPECT_EQ_MSG(test, !vaddr, at == 1 || at == 5,
				    "request %d failed", at);
		if (vaddr)
			dma_free_attrs(dev, 64, vaddr, addr, DMA_ATTR_NO_WARN);
		expect_nothing_left(test, n);
	}

	/* No memory at all may be touched. */
	n->nodma->ranges.nr = 0;
	KUNIT_ASSERT_EQ(test, 0, nodma_ranges_add(&n->nodma->ranges, 0,
						  PHYS_ADDR_MAX));
	KUNIT_EXPECT_NULL(test, dma_alloc_attrs(dev, 64, &addr, GFP_KERNEL,
						DMA_ATTR_NO_WARN));
	expect_nothing_left(test, n);
}

static void own_memory_fits_the_coherent_mask(struct kunit *test)
{
	struct nodma_test *n = nodma_test_fake(test);
	dma_addr_t addr;

	/* Every bus address of the test's operations is above this. */
	stock_pages(test, n, 8, 0);
	n->t.dev->coherent_dma_mask = DMA_BIT_MASK(32);
	KUNIT_EXPECT_NULL(test, dma_alloc_attrs(n->t.dev, 64, &addr, GFP_KERNEL,
						DMA_ATTR_NO_WARN));
	n->t.dev->coherent_dma_mask = DMA_BIT_MASK(64);
	expect_nothing_left(test, n);
}

static void direct_allocations_avoid_ranges(struct kunit *test)
{
	struct nodma_test *n = nodma_test_new(test, &rigs[1]);
	struct device *dev = n->t.dev;
	dma_addr_t addr;
	void *vaddr;
	int i;

	/* What the page allocator would give again and again. */
	for (i = 0; i < 6; i++) {
		vaddr = dma_alloc_coherent(dev, PAGE_SIZE, &addr, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, vaddr);
		KUNIT_EXPECT_FALSE(test, nodma_ranges_hit(&n->nodma->ranges,
							  virt_to_phys(vaddr),
							  PAGE_SIZE));
		dma_free_coherent(dev, PAGE_SIZE, vaddr, addr);
		forbid(test, n, virt_to_phys(vaddr), PAGE_SIZE);
	}
	expect_nothing_left(test, n);
}

/*
 * Limits and configuration
 */

static void limits_follow_the_ranges(struct kunit *test)
{
	struct nodma_test *n = nodma_test_fake(test);

	KUNIT_EXPECT_EQ(test, dma_max_mapping_size(n->t.dev), SIZE_MAX);
	KUNIT_EXPECT_EQ(test, dma_get_merge_boundary(n->t.dev), PAGE_SIZE - 1);
	forbid(test, n, n->phys, 1);
	KUNIT_EXPECT_EQ(test, dma_max_mapping_size(n->t.dev), PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, dma_opt_mapping_size(n->t.dev), PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, dma_get_merge_boundary(n->t.dev), 0);
}

static void pop_layer(struct kunit *test, struct layer_test *t)
{
	int ret;

	device_lock(t->dev);
	ret = dma_layer_pop(t->dev);
	device_unlock(t->dev);
	KUNIT_ASSERT_EQ(test, 0, ret);
}

static void platform_code_states_ranges(struct kunit *test)
{
	struct layer_test t, other;
	struct nodma *nodma;

	layer_test_init(test, &t, NODMA_NAME, false);
	layer_test_init(test, &other, NODMA_NAME, false);

	KUNIT_EXPECT_EQ(test, -EINVAL, dma_nodma_add_range(t.dev, 2, 1));
	KUNIT_EXPECT_EQ(test, -ENOENT, dma_nodma_remove_range(t.dev, 1, 2));
	KUNIT_ASSERT_EQ(test, 0, dma_nodma_add_range(t.dev, 0x1000, 0x1fff));
	KUNIT_EXPECT_EQ(test, 0, dma_nodma_add_range(t.dev, 0x2000, 0x2fff));

	nodma = layer_test_push(test, &t, &dma_layer_nodma_type)->priv;
	KUNIT_EXPECT_TRUE(test, nodma_ranges_hit(&nodma->ranges, 0x1000, 1));
	KUNIT_EXPECT_TRUE(test, nodma_ranges_hit(&nodma->ranges, 0x2fff, 1));
	KUNIT_EXPECT_FALSE(test, nodma_ranges_hit(&nodma->ranges, 0xfff, 1));
	KUNIT_EXPECT_FALSE(test, nodma_ranges_hit(&nodma->ranges, 0x3000, 1));

	/* Not while the device, or with NULL any device, carries the layer. */
	KUNIT_EXPECT_EQ(test, -EBUSY, dma_nodma_add_range(t.dev, 8, 9));
	KUNIT_EXPECT_EQ(test, -EBUSY, dma_nodma_add_range(NULL, 8, 9));
	KUNIT_EXPECT_EQ(test, -EBUSY,
			dma_nodma_remove_range(t.dev, 0x1000, 0x1fff));
	KUNIT_EXPECT_EQ(test, 0, dma_nodma_add_range(other.dev, 8, 9));
	KUNIT_EXPECT_EQ(test, 0, dma_nodma_remove_range(other.dev, 8, 9));

	nodma = layer_test_push(test, &other, &dma_layer_nodma_type)->priv;
	KUNIT_EXPECT_FALSE(test, nodma_ranges_hit(&nodma->ranges, 0x1000, 1));
	pop_layer(test, &other);
	pop_layer(test, &t);

	/* They are there again after the layer was away. */
	nodma = layer_test_push(test, &t, &dma_layer_nodma_type)->priv;
	KUNIT_EXPECT_TRUE(test, nodma_ranges_hit(&nodma->ranges, 0x1000, 1));
	pop_layer(test, &t);
	KUNIT_EXPECT_EQ(test, 0,
			dma_nodma_remove_range(t.dev, 0x1000, 0x2fff));
	KUNIT_EXPECT_EQ(test, -ENOENT,
			dma_nodma_remove_range(t.dev, 0x1000, 0x2fff));
}

static struct kunit_case nodma_cases[] = {
	KUNIT_CASE(ranges_are_hit_at_their_borders),
	KUNIT_CASE(ranges_match_bitmap_over_random_edits),
	KUNIT_CASE(ranges_have_a_limit),
	KUNIT_CASE_PARAM(ranges_are_read_from_text, text_gen_params),
	KUNIT_CASE(too_many_ranges_are_refused),
	KUNIT_CASE(entries_of_the_command_line_are_read),
	KUNIT_CASE_PARAM(ranges_are_edited_by_text, edit_gen_params),
	KUNIT_CASE_PARAM(buffers_are_bounced_at_range_borders, rig_gen_params),
	KUNIT_CASE_PARAM(nothing_is_bounced_without_ranges, rig_gen_params),
	KUNIT_CASE_PARAM(data_moves_in_the_direction_of_the_mapping,
			 rig_gen_params),
	KUNIT_CASE_PARAM(unmap_may_skip_the_copy, rig_gen_params),
	KUNIT_CASE_PARAM(part_of_a_buffer_is_synced, rig_gen_params),
	KUNIT_CASE(neighbours_are_told_apart),
	KUNIT_CASE(slots_are_marked_for_what_lies_below),
	KUNIT_CASE(what_cannot_be_bounced_is_refused),
	KUNIT_CASE(slots_in_a_range_are_passed_over),
	KUNIT_CASE(slots_above_the_mask_are_refused),
	KUNIT_CASE_PARAM(lists_are_bounced_where_entries_straddle,
			 rig_gen_params),
	KUNIT_CASE(lists_can_be_used_again),
	KUNIT_CASE(failed_mapping_leaves_nothing),
	KUNIT_CASE(failed_list_leaves_nothing),
	KUNIT_CASE(bad_memory_is_held_until_good_is_found),
	KUNIT_CASE(memory_of_the_layer_is_the_last_resort),
	KUNIT_CASE(failed_allocation_leaves_nothing),
	KUNIT_CASE(own_memory_fits_the_coherent_mask),
	KUNIT_CASE(direct_allocations_avoid_ranges),
	KUNIT_CASE(limits_follow_the_ranges),
	KUNIT_CASE(platform_code_states_ranges),
	{}
};

static struct kunit_suite nodma_suite = {
	.name = "dma-layer-nodma",
	.test_cases = nodma_cases,
};

kunit_test_suite(nodma_suite);

MODULE_IMPORT_NS("EXPORTED_FOR_KUNIT_TESTING");
MODULE_DESCRIPTION("KUnit tests of the DMA layer nodma");
MODULE_LICENSE("GPL");
