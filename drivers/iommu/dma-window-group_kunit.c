// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of IOMMU groups in pass-through whose devices need DMA windows, on
 * the software IOMMU: several devices in a group, in every order, and set-up
 * that fails at each of its allocations.
 */
#include <kunit/test.h>
#include <linux/bitops.h>
#include <linux/debugfs.h>
#include <linux/dma-map-ops.h>
#include <linux/dma-mapping.h>
#include <linux/iommu.h>
#include <linux/iommu-dma.h>
#include <linux/ioport.h>
#include <linux/mm.h>
#include <linux/mmzone.h>
#include <linux/sizes.h>
#include <linux/vmstat.h>

#include "dma-window-plan.h"
#include "dma-window_kunit.h"
#include "soft/soft-iommu.h"

#define AREA_ORDER	4
#define AREA_SIZE	(PAGE_SIZE << AREA_ORDER)
#define HALF		(AREA_SIZE / 2)
/* The block is beyond what the wider of the limited devices can address. */
#define NARROW		DMA_BIT_MASK(24)
#define LIMITED		DMA_BIT_MASK(26)
#define ALL		DMA_BIT_MASK(64)
/* What each of them sees directly, whatever its windows are */
#define LOW		SZ_1M

/* More than any set-up allocates, and less than each has to */
#define FAULTS_MAX	500
#define FAULTS_MIN	6

struct group_test {
	struct device *dev;
	struct device *peer;
	struct page *block;
	phys_addr_t phys;
};

/* A driver comes, and leaves. */
static void bind(struct kunit *test, struct device *dev)
{
	KUNIT_ASSERT_EQ(test, iommu_device_use_default_domain(dev), 0);
}

static void unbind(struct device *dev)
{
	iommu_device_unuse_default_domain(dev);
}

static struct device *make_device(struct kunit *test, struct device *peer,
				  u64 mask, bool stock)
{
	const struct soft_iommu_config config = {
		.mode = SOFT_IOMMU_IDENTITY,
		.iotlb_lg2 = 10,
		.caps = BIT(IOMMU_CAP_DMA_WINDOWS),
		.stock = stock,
	};
	struct device *dev = soft_iommu_device_create(&config, peer);

	KUNIT_ASSERT_FALSE(test, IS_ERR(dev));
	set_masks(dev, mask);
	return dev;
}

static long count_table_pages(struct pglist_data *node)
{
	long sum = atomic_long_read(&node->vm_stat[NR_IOMMU_PAGES]);
#ifdef CONFIG_SMP
	int cpu;

	for_each_online_cpu(cpu)
		sum += per_cpu_ptr(node->per_cpu_nodestats, cpu)
			->vm_node_stat_diff[NR_IOMMU_PAGES];
#endif
	return sum;
}

/*
 * All pages that page tables consist of. Their number does not change now, but
 * it may be on its way from one counter to another.
 */
static long table_pages(struct group_test *t)
{
	long pages, again = count_table_pages(page_pgdat(t->block));

	do {
		pages = again;
		cond_resched();
		again = count_table_pages(page_pgdat(t->block));
	} while (again != pages);
	return pages;
}

/* What the device finds at an address, with windows or in pass-through */
static phys_addr_t seen(struct device *dev, dma_addr_t addr)
{
	phys_addr_t phys = ~0;

	return soft_iommu_access(dev, addr, &phys) == -EOPNOTSUPP ? addr : phys;
}

static void expect_seen(struct kunit *test, struct device *dev,
			dma_addr_t addr, phys_addr_t phys, size_t size)
{
	size_t at;

	for (at = 0; at < size; at += PAGE_SIZE)
		KUNIT_EXPECT_EQ(test, seen(dev, addr + at), phys + at);
}

static dma_addr_t map(struct kunit *test, struct device *dev, phys_addr_t phys,
		      size_t size)
{
	dma_addr_t addr = dma_map_phys(dev, phys, size, DMA_BIDIRECTIONAL, 0);

	KUNIT_ASSERT_FALSE(test, dma_mapping_error(dev, addr));
	KUNIT_EXPECT_LE(test, addr + size - 1, dma_get_mask(dev));
	expect_seen(test, dev, addr, phys, size);
	return addr;
}

static void unmap(struct device *dev, dma_addr_t addr, size_t size)
{
	dma_unmap_phys(dev, addr, size, DMA_BIDIRECTIONAL, 0);
}

/* Memory beyond the mask is mapped, within it. */
static void expect_windows(struct kunit *test, struct device *dev)
{
	struct group_test *t = test->priv;

	KUNIT_ASSERT_TRUE(test, use_dma_iommu(dev));
	unmap(dev, map(test, dev, t->phys, AREA_SIZE), AREA_SIZE);
}

static bool is_pass_through(struct device *dev)
{
	return !use_dma_iommu(dev) &&
	       iommu_get_domain_for_dev(dev)->type == IOMMU_DOMAIN_IDENTITY;
}

static void expect_pass_through(struct kunit *test, struct device *dev)
{
	dma_addr_t addr;

	KUNIT_EXPECT_TRUE(test, is_pass_through(dev));
	addr = map(test, dev, LOW, PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, addr, LOW);
	unmap(dev, addr, PAGE_SIZE);
}

/* Allocations that fail */

#ifdef CONFIG_FAULT_INJECTION_DEBUG_FS
/* What has to be set so that any allocation can fail, without a report */
static struct {
	bool *slab_spares_sleepers;
	bool *pages_spare_sleepers;
	u32 *pages_min_order;
	unsigned long *slab_verbose;
	unsigned long *pages_verbose;
	/* From before */
	unsigned long slab_was_verbose;
	unsigned long pages_were_verbose;
} knobs;

/* The variable behind a file, which is static */
static void *knob(struct kunit *test, const char *dir, const char *name)
{
	struct dentry *parent = debugfs_lookup(dir, NULL);
	struct dentry *file = parent ? debugfs_lookup(name, parent) : NULL;
	void *data = file ? d_inode(file)->i_private : NULL;

	dput(file);
	dput(parent);
	if (!data)
		kunit_skip(test, "no %s/%s in debugfs", dir, name);
	return data;
}

static void faults_end(void *unused)
{
	current->fail_nth = 0;
	*knobs.slab_spares_sleepers = true;
	*knobs.pages_spare_sleepers = true;
	*knobs.pages_min_order = 1;
	*knobs.slab_verbose = knobs.slab_was_verbose;
	*knobs.pages_verbose = knobs.pages_were_verbose;
}

static void faults_begin(struct kunit *test)
{
	knobs.slab_spares_sleepers = knob(test, "failslab", "ignore-gfp-wait");
	knobs.slab_verbose = knob(test, "failslab", "verbose");
	knobs.pages_spare_sleepers = knob(test, "fail_page_alloc",
					  "ignore-gfp-wait");
	knobs.pages_min_order = knob(test, "fail_page_alloc", "min-order");
	knobs.pages_verbose = knob(test, "fail_page_alloc", "verbose");
	knobs.slab_was_verbose = *knobs.slab_verbose;
	knobs.pages_were_verbose = *knobs.pages_verbose;
	*knobs.slab_spares_sleepers = false;
	*knobs.pages_spare_sleepers = false;
	*knobs.pages_min_order = 0;
	*knobs.slab_verbose = 0;
	*knobs.pages_verbose = 0;
	KUNIT_ASSERT_EQ(test,
			kunit_add_action_or_reset(test, faults_end, NULL), 0);
}

static void fail_nth(unsigned int nth)
{
	current->fail_nth = nth;
}

/* Whether there was an nth allocation, which failed */
static bool has_failed(void)
{
	return !xchg(&current->fail_nth, 0);
}
#else
static void faults_begin(struct kunit *test)
{
	kunit_skip(test, "needs CONFIG_FAULT_INJECTION_DEBUG_FS");
}

static void fail_nth(unsigned int nth)
{
}

static bool has_failed(void)
{
	return false;
}
#endif

/* One allocation fails while a driver is bound; false: there was none left */
static bool fault_while_bound(struct kunit *test, struct device *dev,
			      unsigned int nth, long pages,
			      unsigned int *failures)
{
	bool failed;
	int ret;

	fail_nth(nth);
	ret = iommu_device_use_default_domain(dev);
	failed = has_failed();
	KUNIT_ASSERT_EQ(test, ret, 0);
	if (use_dma_iommu(dev)) {
		/* What failed was not necessary. */
		expect_windows(test, dev);
	} else {
		KUNIT_EXPECT_TRUE(test, failed);
		KUNIT_EXPECT_EQ(test, table_pages(test->priv), pages);
		expect_pass_through(test, dev);
		(*failures)++;
	}
	unbind(dev);

	bind(test, dev);
	expect_windows(test, dev);
	unbind(dev);
	return failed;
}

/* All of them, one after the other, with and without arenas */
static void bind_survives_faults(struct kunit *test)
{
	struct group_test *t = test->priv;
	unsigned int nth, failures, stock;
	long pages;

	faults_begin(test);
	for (stock = 0; stock < 2; stock++) {
		t->dev = make_device(test, NULL, NARROW, stock);
		pages = table_pages(t);
		failures = 0;
		for (nth = 1; nth < FAULTS_MAX; nth++)
			if (!fault_while_bound(test, t->dev, nth, pages,
					       &failures))
				break;
		kunit_info(test, "%u faults, %u of them in vain\n", nth - 1,
			   nth - 1 - failures);
		KUNIT_EXPECT_LT(test, nth, FAULTS_MAX);
		KUNIT_EXPECT_GE(test, failures, FAULTS_MIN);
		soft_iommu_device_destroy(t->dev);
		t->dev = NULL;
		KUNIT_EXPECT_EQ(test, table_pages(t), pages);
	}
}

static struct dma_windows *windows_of(struct device *dev)
{
	return iommu_dma_windows(iommu_get_dma_domain(dev));
}

static u64 translated_last(struct device *dev)
{
	return dma_windows_translated(windows_of(dev))->last;
}

static u64 translated_size(struct device *dev)
{
	return dma_windows_room(windows_of(dev), U64_MAX);
}

/*
 * One allocation fails while a mask becomes narrower, for which the windows that
 * the device has are no good; these stay.
 */
static bool fault_while_narrowed(struct kunit *test, struct device *dev,
				 unsigned int nth, unsigned int *failures)
{
	struct iommu_domain *before;
	bool failed;
	long pages;

	set_masks(dev, LIMITED);
	bind(test, dev);
	expect_windows(test, dev);
	KUNIT_ASSERT_GT(test, translated_last(dev), NARROW);
	before = iommu_get_domain_for_dev(dev);
	pages = table_pages(test->priv);

	fail_nth(nth);
	iommu_dma_mask_changes(dev, NARROW, NARROW);
	failed = has_failed();
	if (translated_last(dev) > NARROW) {
		KUNIT_EXPECT_TRUE(test, failed);
		KUNIT_EXPECT_PTR_EQ(test, iommu_get_domain_for_dev(dev),
				    before);
		KUNIT_EXPECT_EQ(test, table_pages(test->priv), pages);
		expect_windows(test, dev);
		(*failures)++;
	}
	set_masks(dev, NARROW);
	KUNIT_EXPECT_LE(test, translated_last(dev), NARROW);
	expect_windows(test, dev);
	unbind(dev);
	return failed;
}

static void mask_change_survives_faults(struct kunit *test)
{
	struct group_test *t = test->priv;
	unsigned int nth, failures = 0;
	long pages;

	faults_begin(test);
	t->dev = make_device(test, NULL, ALL, false);
	pages = table_pages(t);
	for (nth = 1; nth < FAULTS_MAX; nth++)
		if (!fault_while_narrowed(test, t->dev, nth, &failures))
			break;
	kunit_info(test, "%u faults, %u of them in vain\n", nth - 1,
		   nth - 1 - failures);
	KUNIT_EXPECT_LT(test, nth, FAULTS_MAX);
	KUNIT_EXPECT_GE(test, failures, FAULTS_MIN);

	/* With the next driver all windows go. */
	set_masks(t->dev, ALL);
	bind(test, t->dev);
	expect_pass_through(test, t->dev);
	KUNIT_EXPECT_EQ(test, table_pages(t), pages);
	unbind(t->dev);
}

/* Several devices */

/* One that has something mapped all the time */
struct client {
	struct device *dev;
	phys_addr_t phys;
	dma_addr_t addr;
};

static void client_comes(struct kunit *test, struct client *client)
{
	bind(test, client->dev);
	client->addr = map(test, client->dev, client->phys, HALF);
}

static void client_leaves(struct kunit *test, struct client *client)
{
	expect_seen(test, client->dev, client->addr, client->phys, HALF);
	unmap(client->dev, client->addr, HALF);
	unbind(client->dev);
}

/* What both have is still there, and one may map more. */
static void expect_clients(struct kunit *test, struct client *a,
			   struct client *b, struct client *maps)
{
	dma_addr_t addr = map(test, maps->dev, maps->phys, PAGE_SIZE);

	expect_seen(test, a->dev, a->addr, a->phys, HALF);
	expect_seen(test, b->dev, b->addr, b->phys, HALF);
	unmap(maps->dev, addr, PAGE_SIZE);
}

/*
 * Memory of a machine that has none below what a narrow mask can address, but
 * for 8 MiB, so that windows can be had at any time.
 */
static struct resource ranges[] = {
	{ .name = "below", .start = 0, .end = SZ_8M - 1,
	  .flags = IORESOURCE_SYSTEM_RAM | IORESOURCE_BUSY },
	{ .name = "above", .start = SZ_16M, .end = SZ_2G - 1,
	  .flags = IORESOURCE_SYSTEM_RAM | IORESOURCE_BUSY },
};

static void remove_range(void *range)
{
	remove_resource(range);
}

static void insert_range(struct kunit *test, struct resource *range)
{
	if (insert_resource(&iomem_resource, range))
		kunit_skip(test, "the machine describes its memory");
	KUNIT_ASSERT_EQ(test,
			kunit_add_action_or_reset(test, remove_range, range),
			0);
}

static void make_gap(struct kunit *test)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(ranges); i++)
		insert_range(test, &ranges[i]);
}

static void make_clients(struct kunit *test, struct client *limited,
			 struct client *capable)
{
	struct group_test *t = test->priv;

	t->dev = make_device(test, NULL, NARROW, false);
	t->peer = make_device(test, t->dev, ALL, false);
	*limited = (struct client){ .dev = t->dev, .phys = t->phys };
	*capable = (struct client){ .dev = t->peer, .phys = t->phys + HALF };
	KUNIT_ASSERT_PTR_EQ(test, t->dev->iommu_group, t->peer->iommu_group);
}

static void destroy_clients(struct group_test *t)
{
	if (!IS_ERR_OR_NULL(t->peer))
		soft_iommu_device_destroy(t->peer);
	if (t->dev) {
		/* A test has set it, not the driver core. */
		t->dev->driver = NULL;
		soft_iommu_device_destroy(t->dev);
	}
	t->peer = NULL;
	t->dev = NULL;
}

/* Each changes its masks while both have mappings. */
static void change_masks(struct kunit *test, struct client *limited,
			 struct client *capable)
{
	KUNIT_EXPECT_EQ(test, capable->addr, capable->phys);
	set_masks(capable->dev, NARROW);
	KUNIT_EXPECT_TRUE(test, use_dma_iommu(capable->dev));
	expect_clients(test, limited, capable, capable);
	set_masks(limited->dev, ALL);
	expect_clients(test, limited, capable, limited);
	expect_clients(test, limited, capable, capable);
	set_masks(capable->dev, ALL);
	expect_clients(test, limited, capable, capable);
	/* What is translated keeps the windows. */
	KUNIT_EXPECT_FALSE(test, is_pass_through(limited->dev));
	set_masks(limited->dev, NARROW);
	expect_clients(test, limited, capable, limited);
}

static void use_in_order(struct kunit *test, bool limited_first,
			 bool limited_leaves)
{
	struct client limited, capable, *first, *second, *stays;

	make_clients(test, &limited, &capable);
	first = limited_first ? &limited : &capable;
	second = limited_first ? &capable : &limited;
	client_comes(test, first);
	client_comes(test, second);
	KUNIT_EXPECT_TRUE(test, use_dma_iommu(limited.dev));
	expect_clients(test, &limited, &capable, first);
	expect_clients(test, &limited, &capable, second);
	change_masks(test, &limited, &capable);

	stays = limited_leaves ? &capable : &limited;
	client_leaves(test, limited_leaves ? &limited : &capable);
	expect_clients(test, stays, stays, stays);
	if (limited_leaves) {
		/* Nobody needs windows any more, as the next mask says. */
		set_masks(capable.dev, DMA_BIT_MASK(48));
		set_masks(capable.dev, ALL);
		KUNIT_EXPECT_TRUE(test, is_pass_through(capable.dev));
		expect_clients(test, stays, stays, stays);
	} else {
		KUNIT_EXPECT_FALSE(test, is_pass_through(limited.dev));
	}
	client_leaves(test, stays);
	KUNIT_EXPECT_EQ(test, iommu_get_domain_for_dev(limited.dev)->type,
			IOMMU_DOMAIN_IDENTITY);
	bind(test, capable.dev);
	expect_pass_through(test, capable.dev);
	unbind(capable.dev);
}

static void devices_share_a_group(struct kunit *test)
{
	struct group_test *t = test->priv;
	long pages = table_pages(t);
	unsigned int order;

	make_gap(test);
	for (order = 0; order < 4; order++) {
		use_in_order(test, order & 1, order & 2);
		destroy_clients(t);
		KUNIT_EXPECT_EQ(test, table_pages(t), pages);
	}
}

/*
 * Where there is memory everywhere, a device that may have it mapped is not
 * disturbed for the sake of one that comes later.
 */
static void late_comer_disturbs_nobody(struct kunit *test)
{
	struct client limited, capable;

	make_clients(test, &limited, &capable);
	client_comes(test, &capable);
	KUNIT_EXPECT_TRUE(test, is_pass_through(capable.dev));
	bind(test, limited.dev);
	expect_pass_through(test, limited.dev);
	expect_clients(test, &capable, &capable, &capable);
	KUNIT_EXPECT_EQ(test, capable.addr, capable.phys);
	client_leaves(test, &capable);
	unbind(limited.dev);

	/* Alone, it has its windows; who comes then sees all memory. */
	client_comes(test, &limited);
	KUNIT_EXPECT_TRUE(test, use_dma_iommu(limited.dev));
	client_comes(test, &capable);
	expect_clients(test, &limited, &capable, &capable);
	/* What the window hides, too */
	unmap(capable.dev, map(test, capable.dev,
			       translated_last(limited.dev) + 1 - PAGE_SIZE,
			       PAGE_SIZE), PAGE_SIZE);
	client_leaves(test, &limited);
	expect_clients(test, &capable, &capable, &capable);
	client_leaves(test, &capable);
}

/* A device that comes while another one has windows, and goes again */
static void device_joins_windows(struct kunit *test)
{
	struct group_test *t = test->priv;
	struct client limited, capable;

	make_clients(test, &limited, &capable);
	soft_iommu_device_destroy(t->peer);
	t->peer = NULL;
	client_comes(test, &limited);
	t->peer = make_device(test, t->dev, ALL, false);
	capable.dev = t->peer;
	client_comes(test, &capable);
	KUNIT_EXPECT_EQ(test, capable.addr, capable.phys);
	change_masks(test, &limited, &capable);
	client_leaves(test, &capable);
	soft_iommu_device_destroy(t->peer);
	t->peer = NULL;
	expect_clients(test, &limited, &limited, &limited);
	client_leaves(test, &limited);
}

/* The BAR of some device, above all memory */
static struct resource bar = {
	.name = "BAR",
	.start = 1ULL << 40,
	.end = (1ULL << 40) + SZ_64K - 1,
	.flags = IORESOURCE_MEM,
};

/* What a device in pass-through does DMA to stays, also if it is no memory. */
static void bars_stay_mapped(struct kunit *test)
{
	struct client limited, capable;
	struct device *dev;
	dma_addr_t addr;

	make_gap(test);
	insert_range(test, &bar);
	make_clients(test, &limited, &capable);
	dev = capable.dev;
	client_comes(test, &capable);
	addr = dma_map_resource(dev, bar.start, SZ_64K, DMA_BIDIRECTIONAL, 0);
	KUNIT_EXPECT_EQ(test, addr, bar.start);
	client_comes(test, &limited);
	KUNIT_EXPECT_FALSE(test, is_pass_through(dev));
	expect_seen(test, dev, bar.start, bar.start, SZ_64K);
	dma_unmap_resource(dev, addr, SZ_64K, DMA_BIDIRECTIONAL, 0);
	client_leaves(test, &limited);
	client_leaves(test, &capable);
}

static unsigned long live(struct device *dev)
{
	return dma_windows_live(windows_of(dev));
}

/*
 * Who reaches the BAR finds it where pass-through has it. For the other one it
 * is translated, as it would be in a domain without windows, and is among what
 * the hardware goes on translating for.
 */
static void bars_are_mapped(struct kunit *test)
{
	struct client limited, capable;
	dma_addr_t addr;

	make_gap(test);
	insert_range(test, &bar);
	make_clients(test, &limited, &capable);
	bind(test, limited.dev);
	bind(test, capable.dev);
	KUNIT_ASSERT_TRUE(test, use_dma_iommu(capable.dev));

	addr = dma_map_phys(capable.dev, bar.start, SZ_64K, DMA_BIDIRECTIONAL,
			    DMA_ATTR_MMIO);
	KUNIT_EXPECT_EQ(test, addr, bar.start);
	expect_seen(test, capable.dev, addr, bar.start, SZ_64K);
	KUNIT_EXPECT_EQ(test, live(capable.dev), 0);
	dma_unmap_phys(capable.dev, addr, SZ_64K, DMA_BIDIRECTIONAL,
		       DMA_ATTR_MMIO);

	addr = dma_map_resource(limited.dev, bar.start, SZ_64K,
				DMA_BIDIRECTIONAL, 0);
	KUNIT_ASSERT_FALSE(test, dma_mapping_error(limited.dev, addr));
	KUNIT_EXPECT_LE(test, addr + SZ_64K - 1, NARROW);
	KUNIT_EXPECT_EQ(test, live(limited.dev), 1);
	set_masks(limited.dev, ALL);
	KUNIT_EXPECT_FALSE(test, is_pass_through(limited.dev));
	expect_seen(test, limited.dev, addr, bar.start, SZ_64K);
	dma_unmap_resource(limited.dev, addr, SZ_64K, DMA_BIDIRECTIONAL, 0);
	KUNIT_EXPECT_EQ(test, live(limited.dev), 0);
	unbind(capable.dev);
	unbind(limited.dev);
}

/* While devres of a driver that has left may free mappings, windows stay. */
static void devres_keeps_windows(struct kunit *test)
{
	static struct device_driver driver = { .name = "leaving" };
	struct client limited, capable;

	make_gap(test);
	make_clients(test, &limited, &capable);
	set_masks(capable.dev, LIMITED);
	limited.dev->driver = &driver;
	client_comes(test, &limited);
	client_leaves(test, &limited);

	/* Windows of its own would be larger, and lie higher. */
	bind(test, capable.dev);
	KUNIT_EXPECT_LE(test, translated_last(capable.dev), NARROW);
	unbind(capable.dev);
	/* Whoever is bound next: nothing is mapped any more. */
	iommu_dma_unbound(limited.dev);
	bind(test, capable.dev);
	KUNIT_EXPECT_GT(test, translated_last(capable.dev), NARROW);
	unbind(capable.dev);
	limited.dev->driver = NULL;
}

/*
 * Windows that came while a driver was bound are where no memory is, and small.
 * Those of the next driver take of the memory what they need.
 */
static void next_driver_has_windows_anew(struct kunit *test)
{
	struct group_test *t = test->priv;
	struct device *dev;
	u64 small;

	make_gap(test);
	dev = make_device(test, NULL, ALL, false);
	t->dev = dev;
	bind(test, dev);
	expect_pass_through(test, dev);
	set_masks(dev, LIMITED);
	expect_windows(test, dev);
	KUNIT_EXPECT_FALSE(test, windows_of(dev)->carved);
	small = translated_size(dev);
	unbind(dev);

	bind(test, dev);
	expect_windows(test, dev);
	KUNIT_EXPECT_TRUE(test, windows_of(dev)->carved);
	KUNIT_EXPECT_GT(test, translated_size(dev), small);
	unbind(dev);
}

/* Who may use PASIDs stays where the hardware looks at them. */
static void pasids_keep_pass_through(struct kunit *test)
{
	struct group_test *t = test->priv;
	struct device *dev = make_device(test, NULL, NARROW, false);

	t->dev = dev;
	dev->iommu->max_pasids = 16;
	bind(test, dev);
	expect_pass_through(test, dev);
	set_masks(dev, LIMITED);
	expect_pass_through(test, dev);
	unbind(dev);
	dev->iommu->max_pasids = 0;
	bind(test, dev);
	expect_windows(test, dev);
	unbind(dev);
}

/* A device that comes while another one has windows, with reserved memory */
static struct device *join_with_region(struct kunit *test, dma_addr_t addr)
{
	const struct soft_iommu_config config = {
		.mode = SOFT_IOMMU_IDENTITY,
		.iotlb_lg2 = 10,
		.caps = BIT(IOMMU_CAP_DMA_WINDOWS),
		.reserved = addr,
	};
	struct group_test *t = test->priv;

	return soft_iommu_device_create(&config, t->dev);
}

/* It is not hidden by the window that was there first, in use or not. */
static void join_later(struct kunit *test, struct device *dev, bool left)
{
	struct group_test *t = test->priv;
	dma_addr_t region;

	bind(test, dev);
	expect_windows(test, dev);
	region = translated_last(dev) & PAGE_MASK;
	if (left) {
		set_masks(dev, ALL);
		KUNIT_EXPECT_TRUE(test, is_pass_through(dev));
	}
	t->peer = join_with_region(test, region);
	KUNIT_ASSERT_FALSE(test, IS_ERR(t->peer));
	set_masks(dev, NARROW);
	expect_seen(test, t->peer, region, region, PAGE_SIZE);
	KUNIT_EXPECT_LT(test, translated_last(dev), region);
	expect_windows(test, dev);
	unbind(dev);
	KUNIT_EXPECT_TRUE(test, is_pass_through(dev));
	soft_iommu_device_destroy(t->peer);
	t->peer = NULL;
}

static void reserved_memory_joins_windows(struct kunit *test)
{
	struct group_test *t = test->priv;
	struct client limited = { .phys = t->phys };
	u64 last;

	make_gap(test);
	t->dev = make_device(test, NULL, NARROW, false);
	limited.dev = t->dev;
	client_comes(test, &limited);
	last = translated_last(t->dev);
	/* As long as something is translated there is no other way. */
	t->peer = join_with_region(test, last & PAGE_MASK);
	KUNIT_ASSERT_TRUE(test, IS_ERR(t->peer));
	KUNIT_EXPECT_EQ(test, translated_last(t->dev), last);
	client_leaves(test, &limited);

	join_later(test, t->dev, false);
	join_later(test, t->dev, true);
}

static int dma_window_group_init(struct kunit *test)
{
	struct group_test *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);

	if (!t)
		return -ENOMEM;
	t->block = alloc_block_beyond(LIMITED, AREA_ORDER);
	if (!t->block)
		return -ENOMEM;
	t->phys = page_to_phys(t->block);
	test->priv = t;
	return 0;
}

static void dma_window_group_exit(struct kunit *test)
{
	struct group_test *t = test->priv;

	if (!t)
		return;
	destroy_clients(t);
	__free_pages(t->block, AREA_ORDER);
}

static struct kunit_case dma_window_group_cases[] = {
	KUNIT_CASE_SLOW(bind_survives_faults),
	KUNIT_CASE_SLOW(mask_change_survives_faults),
	KUNIT_CASE(devices_share_a_group),
	KUNIT_CASE(late_comer_disturbs_nobody),
	KUNIT_CASE(device_joins_windows),
	KUNIT_CASE(bars_stay_mapped),
	KUNIT_CASE(bars_are_mapped),
	KUNIT_CASE(next_driver_has_windows_anew),
	KUNIT_CASE(pasids_keep_pass_through),
	KUNIT_CASE(devres_keeps_windows),
	KUNIT_CASE(reserved_memory_joins_windows),
	{}
};

static struct kunit_suite dma_window_group_suite = {
	.name = "dma-window-group",
	.init = dma_window_group_init,
	.exit = dma_window_group_exit,
	.test_cases = dma_window_group_cases,
};

kunit_test_suite(dma_window_group_suite);

MODULE_IMPORT_NS("EXPORTED_FOR_KUNIT_TESTING");
MODULE_DESCRIPTION("KUnit tests of DMA windows of IOMMU groups");
MODULE_LICENSE("GPL");
