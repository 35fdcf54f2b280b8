// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of mappings through DMA windows, on the software IOMMU: what the
 * device reaches at each address is what was mapped.
 */
#include <kunit/test.h>
#include <linux/anon_inodes.h>
#include <linux/cleanup.h>
#include <linux/dma-map-ops.h>
#include <linux/dma-mapping.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/iommu.h>
#include <linux/iommu-dma.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/panic.h>
#include <linux/pci.h>
#include <linux/prandom.h>
#include <linux/scatterlist.h>
#include <linux/sizes.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "dma-window-plan.h"
#include "dma-window_kunit.h"
#include "soft/soft-iommu.h"

#define AREA_ORDER	5
#define AREA_SIZE	(PAGE_SIZE << AREA_ORDER)
/* Where the first half of the block is seen, and where else there is room */
#define DIRECT_AT	BIT_ULL(40)
#define TRANSLATED_AT	0x10000000ULL
#define TRANSLATED_SIZE	SZ_4M
#define TRANSLATED_LAST	(TRANSLATED_AT + TRANSLATED_SIZE - 1)

#define SG_ENTRIES	24
#define SG_ROUNDS	400

struct map_test {
	struct device *dev;
	struct page *block;
	phys_addr_t phys;
	phys_addr_t direct_end;
	struct rnd_state rnd;
	struct scatterlist sg[SG_ENTRIES];
	struct scatterlist before[SG_ENTRIES];
};

/* For callbacks of the software IOMMU; tests run one by one. */
static struct {
	struct dma_window windows[3];
	unsigned int count;
	int error;
	unsigned int attached;
} ask;

/* The page table of the model is what does the direct windows, too. */
static int attach_with_windows(struct iommu_domain *domain, struct device *dev)
{
	const struct dma_window *w;
	int ret;

	ret = iommu_dma_set_windows(domain, ask.windows, ask.count);
	if (ret)
		return ret;
	for (w = ask.windows; w < ask.windows + ask.count; w++) {
		if (w->kind != DMA_WINDOW_DIRECT)
			continue;
		ret = iommu_map(domain, w->first, w->phys,
				w->last - w->first + 1,
				IOMMU_READ | IOMMU_WRITE, GFP_KERNEL);
		if (ret)
			return ret;
	}
	return 0;
}

static int attach_or_not(struct iommu_domain *domain, struct device *dev)
{
	ask.attached++;
	return ask.error;
}

static void make_device(struct kunit *test,
			const struct soft_iommu_config *config)
{
	struct map_test *t = test->priv;

	t->dev = soft_iommu_device_create(config, NULL);
	if (IS_ERR(t->dev))
		t->dev = NULL;
	KUNIT_ASSERT_NOT_NULL(test, t->dev);
}

static struct device *
make_device_with(struct kunit *test, const struct dma_window *windows,
		 unsigned int count, phys_addr_t direct_end)
{
	const struct soft_iommu_config config = {
		.iotlb_lg2 = 10,
		.attach = attach_with_windows,
	};
	struct map_test *t = test->priv;

	memcpy(ask.windows, windows, count * sizeof(*windows));
	ask.count = count;
	t->direct_end = direct_end;
	make_device(test, &config);
	return t->dev;
}

#define DIRECT(_first, _last, _phys) { \
	.first = (_first), .last = (_last), .phys = (_phys), \
	.kind = DMA_WINDOW_DIRECT, \
}

#define TRANSLATED(_first, _last) { \
	.first = (_first), .last = (_last), \
	.kind = DMA_WINDOW_TRANSLATED, \
}

/* A device that sees the first half of the block, far up */
static struct device *half_direct(struct kunit *test)
{
	struct map_test *t = test->priv;
	const struct dma_window windows[] = {
		DIRECT(DIRECT_AT, DIRECT_AT + AREA_SIZE / 2 - 1, t->phys),
		TRANSLATED(TRANSLATED_AT, TRANSLATED_LAST),
	};

	return make_device_with(test, windows, ARRAY_SIZE(windows),
				t->phys + AREA_SIZE / 2);
}

/* A device that sees all memory far up, as on POWER */
static struct device *all_direct(struct kunit *test)
{
	static const struct dma_window windows[] = {
		DIRECT(DIRECT_AT, DIRECT_AT + 64ULL * SZ_1G - 1, 0),
		TRANSLATED(TRANSLATED_AT, TRANSLATED_LAST),
	};

	return make_device_with(test, windows, ARRAY_SIZE(windows),
				PHYS_ADDR_MAX);
}

/* The aperture of a GART hides the second half of the block. */
static struct device *with_aperture(struct kunit *test)
{
	struct map_test *t = test->priv;
	u64 at = t->phys + AREA_SIZE / 2;
	const struct dma_window windows[] = {
		DIRECT(0, at - 1, 0),
		TRANSLATED(at, at + TRANSLATED_SIZE - 1),
		DIRECT(at + TRANSLATED_SIZE, 64ULL * SZ_1G - 1,
		       at + TRANSLATED_SIZE),
	};

	return make_device_with(test, windows, ARRAY_SIZE(windows), at);
}

/* A bus that Calgary translates */
static struct device *none_direct(struct kunit *test)
{
	static const struct dma_window windows[] = {
		TRANSLATED(SZ_1M, SZ_1M + TRANSLATED_SIZE - 1),
	};

	return make_device_with(test, windows, ARRAY_SIZE(windows), 0);
}

/* A bus that it leaves alone */
static struct device *none_translated(struct kunit *test)
{
	static const struct dma_window windows[] = {
		DIRECT(0, 64ULL * SZ_1G - 1, 0),
	};

	return make_device_with(test, windows, ARRAY_SIZE(windows),
				PHYS_ADDR_MAX);
}

struct layout {
	const char *name;
	struct device *(*make)(struct kunit *test);
};

static const struct layout layouts[] = {
	{ "half-direct", half_direct },
	{ "all-direct", all_direct },
	{ "aperture", with_aperture },
	{ "none-direct", none_direct },
	{ "none-translated", none_translated },
};

KUNIT_ARRAY_PARAM_DESC(layout, layouts, name);

static struct device *make_layout(struct kunit *test)
{
	const struct layout *layout = test->param_value;

	return layout->make(test);
}

static unsigned long live(struct device *dev)
{
	return dma_windows_live(iommu_dma_windows(iommu_get_dma_domain(dev)));
}

static bool is_translated(dma_addr_t addr, size_t size)
{
	const struct dma_window *w;

	for (w = ask.windows; w < ask.windows + ask.count; w++)
		if (w->kind == DMA_WINDOW_TRANSLATED)
			return addr >= w->first && addr + size - 1 <= w->last;
	return false;
}

/* The device finds the memory, page by page. */
static void expect_reach(struct kunit *test, struct device *dev,
			 dma_addr_t addr, phys_addr_t phys, size_t size)
{
	phys_addr_t found;
	size_t at, step;

	for (at = 0; at < size; at += step) {
		found = ~phys;
		KUNIT_ASSERT_GE(test, soft_iommu_access(dev, addr + at, &found),
				0);
		KUNIT_ASSERT_EQ(test, found, phys + at);
		step = min(size - at, PAGE_SIZE - ((phys + at) & ~PAGE_MASK));
	}
}

static dma_addr_t map(struct kunit *test, struct device *dev, phys_addr_t phys,
		      size_t size)
{
	dma_addr_t addr = dma_map_phys(dev, phys, size, DMA_BIDIRECTIONAL, 0);

	KUNIT_ASSERT_FALSE(test, dma_mapping_error(dev, addr));
	expect_reach(test, dev, addr, phys, size);
	return addr;
}

static void unmap(struct device *dev, dma_addr_t addr, size_t size)
{
	dma_unmap_phys(dev, addr, size, DMA_BIDIRECTIONAL, 0);
}

static void map_takes_the_window_that_fits(struct kunit *test)
{
	struct device *dev = half_direct(test);
	struct map_test *t = test->priv;
	phys_addr_t half = t->phys + AREA_SIZE / 2;
	struct soft_iommu_counts counts;
	phys_addr_t phys;
	dma_addr_t addr;

	/* All of it, and its last byte */
	addr = map(test, dev, t->phys, AREA_SIZE / 2);
	KUNIT_EXPECT_EQ(test, addr, DIRECT_AT);
	unmap(dev, addr, AREA_SIZE / 2);
	addr = map(test, dev, half - 1, 1);
	KUNIT_EXPECT_EQ(test, addr, DIRECT_AT + AREA_SIZE / 2 - 1);
	unmap(dev, addr, 1);
	KUNIT_EXPECT_EQ(test, live(dev), 0);
	soft_iommu_read_counts(dev, &counts);
	KUNIT_EXPECT_EQ(test, counts.ranged, 0);
	expect_reach(test, dev, DIRECT_AT, t->phys, AREA_SIZE / 2);

	/* One byte beyond, and what begins there */
	addr = map(test, dev, half - 1, 2);
	KUNIT_EXPECT_TRUE(test, is_translated(addr, 2));
	unmap(dev, addr, 2);
	addr = map(test, dev, half, PAGE_SIZE);
	KUNIT_EXPECT_TRUE(test, is_translated(addr, PAGE_SIZE));
	KUNIT_EXPECT_EQ(test, live(dev), 1);
	unmap(dev, addr, PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, live(dev), 0);
	KUNIT_EXPECT_EQ(test, soft_iommu_access(dev, addr, &phys), -EFAULT);
}

/* The mask chooses the window; what was mapped keeps its own. */
static void map_follows_the_mask(struct kunit *test)
{
	struct device *dev = half_direct(test);
	struct map_test *t = test->priv;
	dma_addr_t direct, translated;

	direct = map(test, dev, t->phys, PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, direct, DIRECT_AT);
	KUNIT_ASSERT_EQ(test, dma_set_mask(dev, DMA_BIT_MASK(32)), 0);
	translated = map(test, dev, t->phys, PAGE_SIZE);
	KUNIT_EXPECT_TRUE(test, is_translated(translated, PAGE_SIZE));
	unmap(dev, direct, PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, live(dev), 1);
	KUNIT_ASSERT_EQ(test, dma_set_mask(dev, DMA_BIT_MASK(64)), 0);
	unmap(dev, translated, PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, live(dev), 0);
	dev->bus_dma_limit = DMA_BIT_MASK(32);
	translated = map(test, dev, t->phys, PAGE_SIZE);
	KUNIT_EXPECT_TRUE(test, is_translated(translated, PAGE_SIZE));
	unmap(dev, translated, PAGE_SIZE);
	dev->bus_dma_limit = 0;
}

static u32 rnd_below(struct map_test *t, u32 below)
{
	return prandom_u32_state(&t->rnd) % below;
}

/* Elements that are direct, or not, or neither, some of them adjacent */
static int random_list(struct map_test *t)
{
	int nents = 1 + rnd_below(t, SG_ENTRIES), i;

	sg_init_table(t->sg, nents);
	for (i = 0; i < nents; i++) {
		u32 first = rnd_below(t, AREA_SIZE);
		u32 len = 1 + rnd_below(t, min(AREA_SIZE - first, SZ_16K));

		if (rnd_below(t, 2)) {
			first &= PAGE_MASK;
			len = min(PAGE_ALIGN(len), AREA_SIZE - first);
		}
		sg_set_page(&t->sg[i], t->block + (first >> PAGE_SHIFT), len,
			    first & ~PAGE_MASK);
	}
	memcpy(t->before, t->sg, sizeof(t->sg));
	return nents;
}

/* The segments are the memory of the elements, in order, and no more. */
static void expect_segments(struct kunit *test, struct map_test *t, int nents,
			    int segments)
{
	struct scatterlist *s, *d = t->sg;
	size_t at = 0, done, len;
	int i, direct = 0;

	for_each_sg(t->sg, s, nents, i) {
		bool is_direct = sg_phys(s) + s->length <= t->direct_end;

		for (done = 0; done < s->length; done += len) {
			KUNIT_ASSERT_TRUE(test, d < t->sg + segments);
			len = min(s->length - done, sg_dma_len(d) - at);
			KUNIT_ASSERT_GT(test, len, 0);
			KUNIT_ASSERT_EQ(test, is_direct,
					!is_translated(sg_dma_address(d) + at,
						       len));
			expect_reach(test, t->dev, sg_dma_address(d) + at,
				     sg_phys(s) + done, len);
			at += len;
			if (at == sg_dma_len(d)) {
				at = 0;
				d++;
			}
		}
		direct += is_direct;
	}
	KUNIT_ASSERT_PTR_EQ(test, d, t->sg + segments);
	KUNIT_ASSERT_EQ(test, live(t->dev), direct < nents);
}

static void expect_untouched(struct kunit *test, struct map_test *t, int nents)
{
	int i;

	for (i = 0; i < nents; i++) {
		KUNIT_ASSERT_EQ(test, sg_phys(&t->sg[i]),
				sg_phys(&t->before[i]));
		KUNIT_ASSERT_EQ(test, t->sg[i].length, t->before[i].length);
	}
}

static void lists_may_be_mixed(struct kunit *test)
{
	struct device *dev = make_layout(test);
	struct map_test *t = test->priv;
	int i, nents, segments;

	for (i = 0; i < SG_ROUNDS; i++) {
		nents = random_list(t);
		segments = dma_map_sg(dev, t->sg, nents, DMA_BIDIRECTIONAL);
		KUNIT_ASSERT_GT(test, segments, 0);
		expect_segments(test, t, nents, segments);
		expect_untouched(test, t, nents);
		dma_sync_sg_for_cpu(dev, t->sg, nents, DMA_BIDIRECTIONAL);
		dma_unmap_sg(dev, t->sg, nents, DMA_BIDIRECTIONAL);
		expect_untouched(test, t, nents);
		KUNIT_ASSERT_EQ(test, live(dev), 0);
	}
}

/* Segment limits hold for what is translated, next to what is direct. */
static void lists_keep_segment_limits(struct kunit *test)
{
	struct device *dev = make_layout(test);
	struct map_test *t = test->priv;
	struct scatterlist *s;
	int i, j, nents, segments;

	dma_set_seg_boundary(dev, SZ_32K - 1);
	dma_set_max_seg_size(dev, SZ_16K);
	for (i = 0; i < SG_ROUNDS; i++) {
		nents = random_list(t);
		segments = dma_map_sg(dev, t->sg, nents, DMA_BIDIRECTIONAL);
		KUNIT_ASSERT_GT(test, segments, 0);
		expect_segments(test, t, nents, segments);
		for_each_sg(t->sg, s, segments, j) {
			KUNIT_ASSERT_LE(test, sg_dma_len(s), SZ_16K);
			if (!is_translated(sg_dma_address(s), sg_dma_len(s)))
				continue;
			KUNIT_ASSERT_EQ(test, sg_dma_address(s) / SZ_32K,
					(sg_dma_address(s) + sg_dma_len(s) -
					 1) / SZ_32K);
		}
		dma_unmap_sg(dev, t->sg, nents, DMA_BIDIRECTIONAL);
		KUNIT_ASSERT_EQ(test, live(dev), 0);
	}
}

/* A full window is an error, not a wrong address; nothing is lost. */
static void full_window_is_an_error(struct kunit *test)
{
	struct device *dev = half_direct(test);
	struct map_test *t = test->priv;
	phys_addr_t half = t->phys + AREA_SIZE / 2;
	const size_t size = AREA_SIZE / 2;
	dma_addr_t *addrs, addr;
	unsigned int n = 0, i;

	addrs = kunit_kcalloc(test, TRANSLATED_SIZE / size, sizeof(*addrs),
			      GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, addrs);
	for (;;) {
		addr = dma_map_phys(dev, half, size, DMA_TO_DEVICE, 0);
		if (dma_mapping_error(dev, addr))
			break;
		KUNIT_ASSERT_LT(test, n, TRANSLATED_SIZE / size);
		addrs[n++] = addr;
	}
	KUNIT_EXPECT_GE(test, n, TRANSLATED_SIZE / size / 2);
	KUNIT_EXPECT_EQ(test, live(dev), n);

	sg_init_table(t->sg, 2);
	sg_set_page(&t->sg[0], t->block, PAGE_SIZE, 0);
	sg_set_page(&t->sg[1], phys_to_page(half), size, 0);
	memcpy(t->before, t->sg, sizeof(t->sg));
	KUNIT_EXPECT_EQ(test, dma_map_sg(dev, t->sg, 2, DMA_TO_DEVICE), 0);
	expect_untouched(test, t, 2);
	KUNIT_EXPECT_EQ(test, live(dev), n);
	/* What is direct cannot fail. */
	unmap(dev, map(test, dev, t->phys, size), size);

	for (i = 0; i < n; i++)
		dma_unmap_phys(dev, addrs[i], size, DMA_TO_DEVICE, 0);
	KUNIT_EXPECT_EQ(test, live(dev), 0);
	unmap(dev, map(test, dev, half, size), size);
}

/* One block that is seen directly is better than nothing. */
static void noncontiguous_without_a_window(struct kunit *test)
{
	const unsigned int most = TRANSLATED_SIZE / AREA_SIZE;
	struct device *dev = all_direct(test);
	struct map_test *t = test->priv;
	struct sg_table *sgt;
	dma_addr_t *addrs;
	unsigned int n;

	addrs = kunit_kcalloc(test, most, sizeof(*addrs), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, addrs);
	set_masks(dev, DMA_BIT_MASK(32));
	for (n = 0; n < most; n++) {
		addrs[n] = dma_map_phys(dev, t->phys, AREA_SIZE, DMA_TO_DEVICE,
					0);
		if (dma_mapping_error(dev, addrs[n]))
			break;
	}
	KUNIT_EXPECT_NULL(test, dma_alloc_noncontiguous(dev, AREA_SIZE,
							DMA_BIDIRECTIONAL,
							GFP_KERNEL, 0));
	KUNIT_ASSERT_EQ(test, dma_set_mask(dev, DMA_BIT_MASK(64)), 0);
	/* The zones that it names are not those of the device. */
	sgt = dma_alloc_noncontiguous(dev, AREA_SIZE, DMA_BIDIRECTIONAL,
				      GFP_KERNEL | __GFP_HIGHMEM, 0);
	KUNIT_ASSERT_NOT_NULL(test, sgt);
	KUNIT_EXPECT_EQ(test, sgt->orig_nents, 1);
	KUNIT_EXPECT_EQ(test, sg_dma_len(sgt->sgl), AREA_SIZE);
	KUNIT_EXPECT_EQ(test, sg_dma_address(sgt->sgl),
			DIRECT_AT + sg_phys(sgt->sgl));
	KUNIT_EXPECT_PTR_EQ(test, dma_vmap_noncontiguous(dev, AREA_SIZE, sgt),
			    sg_virt(sgt->sgl));
	dma_free_noncontiguous(dev, AREA_SIZE, sgt, DMA_BIDIRECTIONAL);
	/* No block is that large; that is no reason for a warning. */
	KUNIT_EXPECT_NULL(test, dma_alloc_noncontiguous(dev, SZ_8M,
							DMA_BIDIRECTIONAL,
							GFP_KERNEL, 0));
	KUNIT_EXPECT_EQ(test, live(dev), n);
	while (n--)
		dma_unmap_phys(dev, addrs[n], AREA_SIZE, DMA_TO_DEVICE, 0);
	KUNIT_EXPECT_EQ(test, live(dev), 0);
}

static void expect_coherent(struct kunit *test, struct device *dev, gfp_t gfp,
			    unsigned long attrs, bool direct)
{
	const size_t size = 3 * PAGE_SIZE;
	struct sg_table sgt;
	dma_addr_t addr;
	u8 *mem;

	mem = dma_alloc_attrs(dev, size, &addr, gfp, attrs);
	KUNIT_ASSERT_NOT_NULL(test, mem);
	KUNIT_EXPECT_EQ(test, direct, addr >= DIRECT_AT);
	KUNIT_EXPECT_EQ(test, direct, !is_translated(addr, size));
	KUNIT_EXPECT_EQ(test, live(dev), !direct);
	KUNIT_EXPECT_NULL(test, memchr_inv(mem, 0, size));
	KUNIT_ASSERT_EQ(test, dma_get_sgtable_attrs(dev, &sgt, mem, addr, size,
						    attrs), 0);
	expect_reach(test, dev, addr, sg_phys(sgt.sgl), PAGE_SIZE);
	sg_free_table(&sgt);
	dma_free_attrs(dev, size, mem, addr, attrs);
	KUNIT_EXPECT_EQ(test, live(dev), 0);
}

/* Each mask decides for its own kind of memory. */
static void coherent_mask_is_independent(struct kunit *test)
{
	struct device *dev = all_direct(test);
	struct map_test *t = test->priv;
	dma_addr_t addr;

	expect_coherent(test, dev, GFP_KERNEL, 0, true);
	expect_coherent(test, dev, GFP_ATOMIC, 0, true);
	expect_coherent(test, dev, GFP_KERNEL, DMA_ATTR_FORCE_CONTIGUOUS, true);
	KUNIT_ASSERT_EQ(test, dma_set_coherent_mask(dev, DMA_BIT_MASK(32)), 0);
	expect_coherent(test, dev, GFP_KERNEL, 0, false);
	expect_coherent(test, dev, GFP_ATOMIC, 0, false);
	expect_coherent(test, dev, GFP_KERNEL, DMA_ATTR_FORCE_CONTIGUOUS,
			false);
	addr = map(test, dev, t->phys, AREA_SIZE);
	KUNIT_EXPECT_EQ(test, addr, DIRECT_AT + t->phys);
	unmap(dev, addr, AREA_SIZE);
}

static void other_entry_points(struct kunit *test)
{
	struct device *dev = half_direct(test);
	struct map_test *t = test->priv;
	struct dma_iova_state state;
	struct sg_table *sgt;
	struct page *page;
	dma_addr_t addr;

	KUNIT_EXPECT_FALSE(test, dma_iova_try_alloc(dev, &state, t->phys,
						    PAGE_SIZE));
	KUNIT_EXPECT_EQ(test, dma_get_merge_boundary(dev), 0);
	KUNIT_EXPECT_EQ(test, dma_max_mapping_size(dev), TRANSLATED_SIZE / 4);
	KUNIT_EXPECT_GE(test, dma_get_required_mask(dev),
			t->phys);
	KUNIT_EXPECT_FALSE(test, dma_addressing_limited(dev));

	sgt = dma_alloc_noncontiguous(dev, SZ_64K, DMA_BIDIRECTIONAL,
				      GFP_KERNEL, 0);
	KUNIT_ASSERT_NOT_NULL(test, sgt);
	KUNIT_EXPECT_TRUE(test, is_translated(sg_dma_address(sgt->sgl),
					      SZ_64K));
	dma_free_noncontiguous(dev, SZ_64K, sgt, DMA_BIDIRECTIONAL);
	page = dma_alloc_pages(dev, PAGE_SIZE, &addr, DMA_BIDIRECTIONAL,
			       GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, page);
	expect_reach(test, dev, addr, page_to_phys(page), PAGE_SIZE);
	dma_free_pages(dev, PAGE_SIZE, page, addr, DMA_BIDIRECTIONAL);

	addr = dma_map_resource(dev, t->phys, PAGE_SIZE, DMA_BIDIRECTIONAL, 0);
	KUNIT_EXPECT_FALSE(test, dma_mapping_error(dev, addr));
	dma_unmap_resource(dev, addr, PAGE_SIZE, DMA_BIDIRECTIONAL, 0);
	KUNIT_EXPECT_EQ(test, live(dev), 0);
}

static void coherent_in_each_layout(struct kunit *test)
{
	struct device *dev = make_layout(test);
	const size_t size = 3 * PAGE_SIZE;
	struct sg_table sgt;
	struct sg_page_iter at;
	dma_addr_t addr;
	unsigned int i = 0;
	void *mem;

	mem = dma_alloc_coherent(dev, size, &addr, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, mem);
	KUNIT_EXPECT_EQ(test, live(dev), is_translated(addr, size));
	KUNIT_ASSERT_EQ(test, dma_get_sgtable(dev, &sgt, mem, addr, size), 0);
	for_each_sgtable_page(&sgt, &at, 0)
		expect_reach(test, dev, addr + PAGE_SIZE * i++,
			     page_to_phys(sg_page_iter_page(&at)), PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, i, 3);
	sg_free_table(&sgt);
	dma_free_coherent(dev, size, mem, addr);
	KUNIT_EXPECT_EQ(test, live(dev), 0);
}

/* What user space maps is what the device reaches. */
static struct {
	struct device *dev;
	void *mem;
	dma_addr_t addr;
	size_t size;
} shown;

static int shown_mmap(struct file *file, struct vm_area_struct *vma)
{
	return dma_mmap_coherent(shown.dev, vma, shown.mem, shown.addr,
				 shown.size);
}

static const struct file_operations shown_fops = { .mmap = shown_mmap };

static void user_space_sees_it(struct kunit *test)
{
	struct device *dev = make_layout(test);
	const size_t size = 3 * PAGE_SIZE;
	struct file *file;
	unsigned long at;
	u8 *mem, byte;
	int i;

	mem = dma_alloc_coherent(dev, size, &shown.addr, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, mem);
	for (i = 0; i < 3; i++)
		mem[i * PAGE_SIZE + i] = 0xd0 + i;
	shown.dev = dev;
	shown.mem = mem;
	shown.size = size;
	file = anon_inode_getfile("dma-window", &shown_fops, NULL, O_RDWR);
	KUNIT_ASSERT_FALSE(test, IS_ERR(file));
	/* All but the first page */
	at = kunit_vm_mmap(test, file, 0, size - PAGE_SIZE,
			   PROT_READ | PROT_WRITE, MAP_SHARED, PAGE_SIZE);
	KUNIT_EXPECT_FALSE(test, IS_ERR_VALUE(at));
	for (i = 1; i < 3 && !IS_ERR_VALUE(at); i++) {
		KUNIT_EXPECT_EQ(test, get_user(byte, (u8 __user *)at +
					       (i - 1) * PAGE_SIZE + i), 0);
		KUNIT_EXPECT_EQ(test, byte, 0xd0 + i);
	}
	if (!IS_ERR_VALUE(at))
		vm_munmap(at, size - PAGE_SIZE);
	fput(file);
	dma_free_coherent(dev, size, mem, shown.addr);
}

/* What was mapped below one mask is undone below another. */
static void masks_change_under_mappings(struct kunit *test)
{
	static const u64 masks[] = { DMA_BIT_MASK(64), DMA_BIT_MASK(32) };
	struct device *dev = all_direct(test);
	struct map_test *t = test->priv;
	struct sg_table *sgt;
	int i, nents, segments;
	dma_addr_t addr;
	void *mem;

	for (i = 0; i < 4; i++) {
		bool direct = !(i & 1);

		KUNIT_ASSERT_EQ(test, dma_set_mask_and_coherent(dev,
								masks[i & 1]),
				0);
		nents = random_list(t);
		segments = dma_map_sg(dev, t->sg, nents, DMA_BIDIRECTIONAL);
		KUNIT_ASSERT_GT(test, segments, 0);
		sgt = dma_alloc_noncontiguous(dev, SZ_64K, DMA_BIDIRECTIONAL,
					      GFP_KERNEL, 0);
		KUNIT_ASSERT_NOT_NULL(test, sgt);
		mem = dma_alloc_coherent(dev, SZ_64K, &addr, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, mem);
		/* Pages that lie apart are one segment only when translated. */
		KUNIT_EXPECT_EQ(test, live(dev), direct ? 1 : 3);

		KUNIT_ASSERT_EQ(test, dma_set_mask_and_coherent(dev,
								masks[!(i & 1)]),
				0);
		dma_sync_sgtable_for_cpu(dev, sgt, DMA_BIDIRECTIONAL);
		dma_sync_sg_for_device(dev, t->sg, nents, DMA_BIDIRECTIONAL);
		expect_reach(test, dev, sg_dma_address(sgt->sgl),
			     sg_phys(sgt->sgl), PAGE_SIZE);
		dma_unmap_sg(dev, t->sg, nents, DMA_BIDIRECTIONAL);
		expect_untouched(test, t, nents);
		dma_free_noncontiguous(dev, SZ_64K, sgt, DMA_BIDIRECTIONAL);
		dma_free_coherent(dev, SZ_64K, mem, addr);
		KUNIT_EXPECT_EQ(test, live(dev), 0);
	}
}

/* No mapping is to be larger than what a narrow mask leaves of a window. */
static void size_within_reach(struct kunit *test)
{
	struct device *dev = half_direct(test);

	KUNIT_EXPECT_EQ(test, dma_max_mapping_size(dev), TRANSLATED_SIZE / 4);
	set_masks(dev, TRANSLATED_AT + TRANSLATED_SIZE / 2 - 1);
	KUNIT_EXPECT_EQ(test, dma_max_mapping_size(dev), TRANSLATED_SIZE / 8);
	KUNIT_EXPECT_LE(test, dma_opt_mapping_size(dev), TRANSLATED_SIZE / 8);
	dev->bus_dma_limit = TRANSLATED_AT + TRANSLATED_SIZE / 4 - 1;
	KUNIT_EXPECT_EQ(test, dma_max_mapping_size(dev), TRANSLATED_SIZE / 16);
	/* A page is always worth a try. */
	dev->bus_dma_limit = TRANSLATED_AT + PAGE_SIZE - 1;
	KUNIT_EXPECT_EQ(test, dma_max_mapping_size(dev), PAGE_SIZE);
	/* Out of reach: whatever bounce buffers take */
	dev->bus_dma_limit = TRANSLATED_AT - 1;
	KUNIT_EXPECT_NE(test, dma_max_mapping_size(dev), PAGE_SIZE);
	dev->bus_dma_limit = 0;
}

static void windows_that_cannot_be(struct kunit *test)
{
	struct device *dev = half_direct(test);
	struct iommu_domain *domain = iommu_get_dma_domain(dev);
	struct dma_window odd = ask.windows[1];

	/* In use by now */
	KUNIT_EXPECT_EQ(test, iommu_dma_set_windows(domain, &odd, 1), -EBUSY);
	domain = iommu_paging_domain_alloc(dev);
	KUNIT_ASSERT_FALSE(test, IS_ERR(domain));
	KUNIT_EXPECT_EQ(test, iommu_dma_set_windows(domain, &odd, 1), -EINVAL);
	iommu_domain_free(domain);
}

/*
 * A PCI device that nobody trusts in the place of another one, for the DMA API,
 * which only reads it.
 */
static struct device *untrusted_like(struct kunit *test, struct device *dev)
{
#ifdef CONFIG_PCI
	struct pci_dev *pdev = kunit_kzalloc(test, sizeof(*pdev), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, pdev);
	pdev->dev = *dev;
	pdev->dev.bus = &pci_bus_type;
	pdev->untrusted = true;
	return &pdev->dev;
#else
	kunit_skip(test, "needs CONFIG_PCI");
#endif
}

/* What lies next to a buffer would be open to it, so all is translated. */
static void untrusted_sees_nothing_directly(struct kunit *test)
{
	struct device *dev = untrusted_like(test, all_direct(test));
	struct map_test *t = test->priv;
	struct page *page;
	dma_addr_t addr;

	addr = map(test, dev, t->phys, AREA_SIZE);
	KUNIT_EXPECT_TRUE(test, is_translated(addr, AREA_SIZE));
	unmap(dev, addr, AREA_SIZE);
	addr = dma_map_resource(dev, t->phys, AREA_SIZE, DMA_BIDIRECTIONAL, 0);
	KUNIT_EXPECT_TRUE(test, is_translated(addr, AREA_SIZE));
	dma_unmap_resource(dev, addr, AREA_SIZE, DMA_BIDIRECTIONAL, 0);
	sg_init_one(t->sg, page_address(t->block), AREA_SIZE);
	KUNIT_ASSERT_EQ(test, dma_map_sg(dev, t->sg, 1, DMA_BIDIRECTIONAL), 1);
	KUNIT_EXPECT_TRUE(test, is_translated(sg_dma_address(t->sg),
					      AREA_SIZE));
	dma_unmap_sg(dev, t->sg, 1, DMA_BIDIRECTIONAL);
	page = dma_alloc_pages(dev, PAGE_SIZE, &addr, DMA_BIDIRECTIONAL,
			       GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, page);
	KUNIT_EXPECT_TRUE(test, is_translated(addr, PAGE_SIZE));
	dma_free_pages(dev, PAGE_SIZE, page, addr, DMA_BIDIRECTIONAL);
	expect_coherent(test, dev, GFP_KERNEL, 0, false);
	expect_coherent(test, dev, GFP_ATOMIC, 0, false);
}

/* Not even when there is nothing else */
static void untrusted_has_no_last_resort(struct kunit *test)
{
	struct device *dev = untrusted_like(test, none_translated(test));
	struct map_test *t = test->priv;
	dma_addr_t addr;

	addr = dma_map_phys(dev, t->phys, AREA_SIZE, DMA_BIDIRECTIONAL, 0);
	KUNIT_EXPECT_TRUE(test, dma_mapping_error(dev, addr));
	addr = dma_map_resource(dev, t->phys, AREA_SIZE, DMA_BIDIRECTIONAL, 0);
	KUNIT_EXPECT_TRUE(test, dma_mapping_error(dev, addr));
	sg_init_one(t->sg, page_address(t->block), AREA_SIZE);
	KUNIT_EXPECT_EQ(test, dma_map_sg(dev, t->sg, 1, DMA_BIDIRECTIONAL), 0);
	KUNIT_EXPECT_NULL(test, dma_alloc_pages(dev, PAGE_SIZE, &addr,
						DMA_BIDIRECTIONAL, GFP_KERNEL));
	KUNIT_EXPECT_NULL(test, dma_alloc_coherent(dev, PAGE_SIZE, &addr,
						   GFP_KERNEL));
	KUNIT_EXPECT_NULL(test, dma_alloc_coherent(dev, PAGE_SIZE, &addr,
						   GFP_ATOMIC));
}

/* Pass-through */

static struct device *limited(struct kunit *test, unsigned int bits)
{
	const struct soft_iommu_config config = {
		.mode = SOFT_IOMMU_IDENTITY,
		.iotlb_lg2 = 10,
		.caps = BIT(IOMMU_CAP_DMA_WINDOWS),
		.attach = attach_or_not,
	};
	struct map_test *t = test->priv;

	ask.error = 0;
	ask.attached = 0;
	make_device(test, &config);
	set_masks(t->dev, DMA_BIT_MASK(bits));
	return t->dev;
}

static const char *domain_type(struct device *dev)
{
	struct iommu_dma_status status = {};

	return iommu_dma_get_status(dev, &status) ? "none" : status.type;
}

static void expect_pass_through(struct kunit *test, struct device *dev)
{
	struct map_test *t = test->priv;
	dma_addr_t addr;

	KUNIT_EXPECT_STREQ(test, domain_type(dev), "identity");
	KUNIT_EXPECT_FALSE(test, use_dma_iommu(dev));
	addr = dma_map_phys(dev, t->phys, PAGE_SIZE, DMA_TO_DEVICE, 0);
	KUNIT_EXPECT_EQ(test, addr, t->phys);
	dma_unmap_phys(dev, addr, PAGE_SIZE, DMA_TO_DEVICE, 0);
}

/* The block is beyond 24 bits, as the test saw to. */
static dma_addr_t expect_remapped(struct kunit *test, struct device *dev)
{
	struct map_test *t = test->priv;
	dma_addr_t addr;

	KUNIT_EXPECT_TRUE(test, use_dma_iommu(dev));
	addr = map(test, dev, t->phys, AREA_SIZE);
	KUNIT_EXPECT_LT(test, addr + AREA_SIZE - 1, SZ_16M);
	return addr;
}

static void pass_through_when_masks_suffice(struct kunit *test)
{
	struct device *dev = limited(test, 64);

	KUNIT_ASSERT_EQ(test, iommu_device_use_default_domain(dev), 0);
	expect_pass_through(test, dev);
	KUNIT_EXPECT_EQ(test, ask.attached, 0);
	iommu_device_unuse_default_domain(dev);
}

static void windows_when_a_driver_binds(struct kunit *test)
{
	struct device *dev = limited(test, 24);
	phys_addr_t phys;
	dma_addr_t addr;

	/* No driver yet */
	KUNIT_EXPECT_STREQ(test, domain_type(dev), "identity");
	KUNIT_ASSERT_EQ(test, iommu_device_use_default_domain(dev), 0);
	addr = expect_remapped(test, dev);
	unmap(dev, addr, AREA_SIZE);
	/* Memory is where it is */
	KUNIT_EXPECT_EQ(test, soft_iommu_access(dev, SZ_1M, &phys), 0);
	KUNIT_EXPECT_EQ(test, phys, SZ_1M);
	KUNIT_EXPECT_EQ(test, soft_iommu_access(dev, SZ_32M, &phys), 0);
	KUNIT_EXPECT_EQ(test, phys, SZ_32M);
	/* The driver leaves. */
	iommu_device_unuse_default_domain(dev);
	KUNIT_EXPECT_STREQ(test, domain_type(dev), "identity");
	KUNIT_EXPECT_FALSE(test, use_dma_iommu(dev));
}

/* The change waits for what is translated, and disturbs nothing direct. */
static void masks_decide_anew(struct kunit *test)
{
	struct device *dev = limited(test, 24);
	struct map_test *t = test->priv;
	dma_addr_t addr, direct;

	KUNIT_ASSERT_EQ(test, iommu_device_use_default_domain(dev), 0);
	addr = expect_remapped(test, dev);
	KUNIT_ASSERT_EQ(test, dma_set_mask_and_coherent(dev, DMA_BIT_MASK(64)),
			0);
	/* Still mapped: windows serve such a mask, too. */
	KUNIT_EXPECT_TRUE(test, use_dma_iommu(dev));
	expect_reach(test, dev, addr, t->phys, AREA_SIZE);
	direct = map(test, dev, t->phys, PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, direct, t->phys);
	unmap(dev, addr, AREA_SIZE);

	/* One mask is not enough. */
	KUNIT_ASSERT_EQ(test, dma_set_coherent_mask(dev, DMA_BIT_MASK(24)), 0);
	KUNIT_EXPECT_TRUE(test, use_dma_iommu(dev));
	KUNIT_ASSERT_EQ(test, dma_set_coherent_mask(dev, DMA_BIT_MASK(64)), 0);
	expect_pass_through(test, dev);
	unmap(dev, direct, PAGE_SIZE);
	iommu_device_unuse_default_domain(dev);
}

/* There may be direct mappings: no hole where memory is, all is as in stock. */
static void no_hole_in_memory_that_may_be_mapped(struct kunit *test)
{
	struct device *dev = limited(test, 64);

	KUNIT_ASSERT_EQ(test, iommu_device_use_default_domain(dev), 0);
	expect_pass_through(test, dev);
	set_masks(dev, DMA_BIT_MASK(24));
	KUNIT_EXPECT_STREQ(test, domain_type(dev), "identity");
	KUNIT_EXPECT_FALSE(test, use_dma_iommu(dev));
	KUNIT_EXPECT_EQ(test, ask.attached, 0);
	iommu_device_unuse_default_domain(dev);
	/* The next driver starts anew. */
	KUNIT_ASSERT_EQ(test, iommu_device_use_default_domain(dev), 0);
	unmap(dev, expect_remapped(test, dev), AREA_SIZE);
	iommu_device_unuse_default_domain(dev);
}

/* The mask of the bus may suffice, and that of the driver not. */
static void windows_until_the_driver_has_said(struct kunit *test)
{
	struct device *dev = limited(test, 32);

	if (dma_window_highest() >= SZ_4G)
		kunit_skip(test, "32 bits do not suffice");
	KUNIT_ASSERT_EQ(test, iommu_device_use_default_domain(dev), 0);
	KUNIT_EXPECT_TRUE(test, use_dma_iommu(dev));
	set_masks(dev, DMA_BIT_MASK(24));
	unmap(dev, expect_remapped(test, dev), AREA_SIZE);
	iommu_device_unuse_default_domain(dev);

	/* As when a driver is bound that has set none */
	set_masks(dev, DMA_BIT_MASK(32));
	KUNIT_ASSERT_EQ(test, iommu_device_use_default_domain(dev), 0);
	KUNIT_EXPECT_TRUE(test, use_dma_iommu(dev));
	iommu_dma_mask_changes(dev, DMA_BIT_MASK(32), DMA_BIT_MASK(32));
	expect_pass_through(test, dev);
	iommu_device_unuse_default_domain(dev);
}

/* Where there cannot be windows, masks may be set in any context. */
static void masks_are_set_under_a_spinlock(struct kunit *test)
{
	const struct soft_iommu_config config = {
		.mode = SOFT_IOMMU_IDENTITY,
	};
	static DEFINE_SPINLOCK(lock);
	struct map_test *t = test->priv;
	int warned = test_taint(TAINT_WARN);

	if (!IS_ENABLED(CONFIG_DEBUG_ATOMIC_SLEEP))
		kunit_skip(test, "needs CONFIG_DEBUG_ATOMIC_SLEEP");
	make_device(test, &config);
	KUNIT_ASSERT_EQ(test, iommu_device_use_default_domain(t->dev), 0);
	scoped_guard(spinlock_irqsave, &lock) {
		dma_set_mask(t->dev, DMA_BIT_MASK(32));
		dma_set_coherent_mask(t->dev, DMA_BIT_MASK(32));
	}
	iommu_device_unuse_default_domain(t->dev);
	/* What sleeping there would have led to */
	KUNIT_EXPECT_EQ(test, test_taint(TAINT_WARN), warned);
}

/* A narrower mask gets a lower hole while nothing is mapped. */
static void hole_moves_down(struct kunit *test)
{
	struct device *dev = limited(test, 26);
	dma_addr_t addr;

	KUNIT_ASSERT_EQ(test, iommu_device_use_default_domain(dev), 0);
	KUNIT_EXPECT_EQ(test, ask.attached, 1);
	KUNIT_ASSERT_EQ(test, dma_set_mask_and_coherent(dev, DMA_BIT_MASK(24)),
			0);
	addr = expect_remapped(test, dev);
	/* Now something is. */
	KUNIT_ASSERT_EQ(test, dma_set_mask_and_coherent(dev, DMA_BIT_MASK(22)),
			0);
	KUNIT_EXPECT_EQ(test, ask.attached, 2);
	unmap(dev, addr, AREA_SIZE);
	iommu_device_unuse_default_domain(dev);
}

/* Windows that cannot be set up leave what stock has. */
static void failure_leaves_pass_through(struct kunit *test)
{
	struct device *dev = limited(test, 24);

	ask.error = -ENOMEM;
	KUNIT_ASSERT_EQ(test, iommu_device_use_default_domain(dev), 0);
	KUNIT_EXPECT_EQ(test, ask.attached, 1);
	KUNIT_EXPECT_STREQ(test, domain_type(dev), "identity");
	KUNIT_EXPECT_FALSE(test, use_dma_iommu(dev));
	iommu_device_unuse_default_domain(dev);
	ask.error = 0;

	/* No room below 20 bits */
	set_masks(dev, DMA_BIT_MASK(20));
	KUNIT_ASSERT_EQ(test, iommu_device_use_default_domain(dev), 0);
	KUNIT_EXPECT_EQ(test, ask.attached, 1);
	KUNIT_EXPECT_STREQ(test, domain_type(dev), "identity");
	iommu_device_unuse_default_domain(dev);
}

/* Windows of the hardware's own */

/* The aperture of a GART, where no memory is, as far as the test knows */
static struct device *with_own_aperture(struct kunit *test, bool own)
{
	struct dma_window windows[] = {
		TRANSLATED(SZ_8M, SZ_8M + TRANSLATED_SIZE - 1),
		DIRECT(0, SZ_8M - 1, 0),
		DIRECT(SZ_8M + TRANSLATED_SIZE, 64ULL * SZ_1G - 1,
		       SZ_8M + TRANSLATED_SIZE),
	};
	struct device *dev;

	windows[0].own = own;
	dev = make_device_with(test, windows, ARRAY_SIZE(windows),
			       PHYS_ADDR_MAX);
	set_masks(dev, DMA_BIT_MASK(24));
	KUNIT_ASSERT_EQ(test, iommu_device_use_default_domain(dev), 0);
	KUNIT_EXPECT_TRUE(test, use_dma_iommu(dev));
	return dev;
}

static void windows_are_quit_when_masks_suffice(struct kunit *test)
{
	struct device *dev = with_own_aperture(test, true);
	struct map_test *t = test->priv;
	dma_addr_t addr, direct;

	set_masks(dev, DMA_BIT_MASK(64));
	KUNIT_EXPECT_FALSE(test, use_dma_iommu(dev));
	direct = map(test, dev, t->phys, AREA_SIZE);
	KUNIT_EXPECT_EQ(test, direct, t->phys);

	/* One mask is not enough. What is direct stays so. */
	iommu_dma_mask_changes(dev, DMA_BIT_MASK(64), DMA_BIT_MASK(24));
	dev->coherent_dma_mask = DMA_BIT_MASK(24);
	KUNIT_EXPECT_TRUE(test, use_dma_iommu(dev));
	unmap(dev, direct, AREA_SIZE);
	KUNIT_EXPECT_EQ(test, live(dev), 0);

	/* What is translated keeps the device where it is. */
	set_masks(dev, DMA_BIT_MASK(24));
	addr = expect_remapped(test, dev);
	set_masks(dev, DMA_BIT_MASK(64));
	KUNIT_EXPECT_TRUE(test, use_dma_iommu(dev));
	direct = map(test, dev, t->phys, AREA_SIZE);
	KUNIT_EXPECT_EQ(test, direct, t->phys);
	unmap(dev, addr, AREA_SIZE);
	KUNIT_EXPECT_EQ(test, live(dev), 0);
	unmap(dev, direct, AREA_SIZE);
	iommu_device_unuse_default_domain(dev);

	/* The next driver starts anew. */
	KUNIT_ASSERT_EQ(test, iommu_device_use_default_domain(dev), 0);
	KUNIT_EXPECT_FALSE(test, use_dma_iommu(dev));
	set_masks(dev, DMA_BIT_MASK(24));
	unmap(dev, expect_remapped(test, dev), AREA_SIZE);
	iommu_device_unuse_default_domain(dev);
}

/* Who maps while the device quits has found that it need not be translated. */
static void who_quits_is_not_translated(struct kunit *test)
{
	struct device *dev = with_own_aperture(test, true);
	struct map_test *t = test->priv;
	dma_addr_t addr;

	set_masks(dev, DMA_BIT_MASK(64));
	addr = iommu_dma_map_phys(dev, t->phys, AREA_SIZE, DMA_BIDIRECTIONAL,
				  0);
	KUNIT_EXPECT_EQ(test, addr, t->phys);
	/* With the mask from before */
	*dev->dma_mask = DMA_BIT_MASK(24);
	addr = iommu_dma_map_phys(dev, t->phys, AREA_SIZE, DMA_BIDIRECTIONAL,
				  DMA_ATTR_REQUIRE_COHERENT);
	KUNIT_EXPECT_EQ(test, addr, DMA_MAPPING_ERROR);
	KUNIT_EXPECT_EQ(test, live(dev), 0);
	*dev->dma_mask = DMA_BIT_MASK(64);
	iommu_device_unuse_default_domain(dev);
}

static void other_windows_are_not_quit(struct kunit *test)
{
	struct device *dev = with_own_aperture(test, false);

	set_masks(dev, DMA_BIT_MASK(64));
	KUNIT_EXPECT_TRUE(test, use_dma_iommu(dev));
	iommu_device_unuse_default_domain(dev);
}

static int dma_window_map_init(struct kunit *test)
{
	struct map_test *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);

	if (!t)
		return -ENOMEM;
	/* Beyond what 24 bits address */
	t->block = alloc_block_beyond(SZ_32M - 1, AREA_ORDER);
	if (!t->block)
		return -ENOMEM;
	t->phys = page_to_phys(t->block);
	prandom_seed_state(&t->rnd, 2009);
	test->priv = t;
	return 0;
}

static void dma_window_map_exit(struct kunit *test)
{
	struct map_test *t = test->priv;

	if (!t)
		return;
	if (t->dev)
		soft_iommu_device_destroy(t->dev);
	__free_pages(t->block, AREA_ORDER);
}

static struct kunit_case dma_window_map_cases[] = {
	KUNIT_CASE(map_takes_the_window_that_fits),
	KUNIT_CASE(map_follows_the_mask),
	KUNIT_CASE_PARAM(coherent_in_each_layout, layout_gen_params),
	KUNIT_CASE_PARAM(lists_may_be_mixed, layout_gen_params),
	KUNIT_CASE_PARAM(lists_keep_segment_limits, layout_gen_params),
	KUNIT_CASE_PARAM(user_space_sees_it, layout_gen_params),
	KUNIT_CASE(masks_change_under_mappings),
	KUNIT_CASE(size_within_reach),
	KUNIT_CASE(full_window_is_an_error),
	KUNIT_CASE(noncontiguous_without_a_window),
	KUNIT_CASE(coherent_mask_is_independent),
	KUNIT_CASE(other_entry_points),
	KUNIT_CASE(windows_that_cannot_be),
	KUNIT_CASE(untrusted_sees_nothing_directly),
	KUNIT_CASE(untrusted_has_no_last_resort),
	KUNIT_CASE(pass_through_when_masks_suffice),
	KUNIT_CASE(windows_when_a_driver_binds),
	KUNIT_CASE(masks_decide_anew),
	KUNIT_CASE(no_hole_in_memory_that_may_be_mapped),
	KUNIT_CASE(windows_until_the_driver_has_said),
	KUNIT_CASE(masks_are_set_under_a_spinlock),
	KUNIT_CASE(hole_moves_down),
	KUNIT_CASE(failure_leaves_pass_through),
	KUNIT_CASE(windows_are_quit_when_masks_suffice),
	KUNIT_CASE(who_quits_is_not_translated),
	KUNIT_CASE(other_windows_are_not_quit),
	{}
};

static struct kunit_suite dma_window_map_suite = {
	.name = "dma-window-map",
	.init = dma_window_map_init,
	.exit = dma_window_map_exit,
	.test_cases = dma_window_map_cases,
};

kunit_test_suite(dma_window_map_suite);

MODULE_IMPORT_NS("EXPORTED_FOR_KUNIT_TESTING");
MODULE_DESCRIPTION("KUnit tests of mappings through DMA windows");
MODULE_LICENSE("GPL");
