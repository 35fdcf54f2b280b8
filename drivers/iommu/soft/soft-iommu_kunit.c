// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of the software IOMMU: does it do what other tests rely on?
 */

#include <kunit/test.h>
#include <linux/dma-mapping.h>
#include <linux/iommu.h>
#include <linux/jiffies.h>
#include <linux/ktime.h>
#include <linux/sizes.h>

#include "soft-iommu.h"

#define SOFT_IOTLB_LG2	8
/* Time enough for flushes that were put off, which is at most 10 ms */
#define SOFT_PATIENCE	(2 * HZ)
/* That, and what a timer may be late; one of so many tries shows it. */
#define SOFT_BOUND	(msecs_to_jiffies(10) + 3)
#define SOFT_TRIES	20

struct soft_test {
	struct device *dev;
	struct page *page;
};

static struct device *soft_test_device(struct kunit *test,
				       const struct soft_iommu_config *config)
{
	struct soft_test *priv = test->priv;

	priv->dev = soft_iommu_device_create(config, NULL);
	if (IS_ERR(priv->dev)) {
		long error = PTR_ERR(priv->dev);

		priv->dev = NULL;
		KUNIT_ASSERT_EQ_MSG(test, error, 0, "no device");
	}
	return priv->dev;
}

static dma_addr_t soft_test_map(struct kunit *test, struct device *dev,
				size_t size)
{
	struct soft_test *priv = test->priv;
	dma_addr_t addr;

	addr = dma_map_page(dev, priv->page, 0, size, DMA_BIDIRECTIONAL);
	KUNIT_ASSERT_FALSE(test, dma_mapping_error(dev, addr));
	return addr;
}

static void soft_test_unmap(struct device *dev, dma_addr_t addr, size_t size)
{
	dma_unmap_page(dev, addr, size, DMA_BIDIRECTIONAL);
}

/* What the device reaches is what was mapped, and nothing beside it */
static void soft_test_translates(struct kunit *test)
{
	const struct soft_iommu_config config = { .iotlb_lg2 = SOFT_IOTLB_LG2 };
	struct device *dev = soft_test_device(test, &config);
	struct soft_test *priv = test->priv;
	phys_addr_t base = page_to_phys(priv->page), phys = 0;
	dma_addr_t addr = soft_test_map(test, dev, SZ_16K);

	KUNIT_EXPECT_EQ(test, soft_iommu_access(dev, addr + 123, &phys), 0);
	KUNIT_EXPECT_EQ(test, phys, base + 123);
	KUNIT_EXPECT_EQ(test, soft_iommu_access(dev, addr + 321, &phys), 1);
	KUNIT_EXPECT_EQ(test, phys, base + 321);
	KUNIT_EXPECT_EQ(test, soft_iommu_access(dev, addr + 3 * SZ_4K, &phys), 0);
	KUNIT_EXPECT_EQ(test, phys, base + 3 * SZ_4K);
	KUNIT_EXPECT_EQ(test, soft_iommu_access(dev, addr + SZ_16K, &phys),
			-EFAULT);
	KUNIT_EXPECT_EQ(test, soft_iommu_access(dev, addr - 1, &phys), -EFAULT);
	soft_test_unmap(dev, addr, SZ_16K);
}

/* Strict: the cached translation is gone when unmap returns */
static void soft_test_strict(struct kunit *test)
{
	const struct soft_iommu_config config = { .iotlb_lg2 = SOFT_IOTLB_LG2 };
	struct device *dev = soft_test_device(test, &config);
	dma_addr_t addr = soft_test_map(test, dev, SZ_8K);
	struct soft_iommu_counts counts;
	phys_addr_t phys;

	KUNIT_EXPECT_EQ(test, soft_iommu_access(dev, addr, &phys), 0);
	KUNIT_EXPECT_EQ(test, soft_iommu_access(dev, addr + SZ_4K, &phys), 0);
	soft_test_unmap(dev, addr, SZ_8K);
	KUNIT_EXPECT_EQ(test, soft_iommu_access(dev, addr, &phys), -EFAULT);
	KUNIT_EXPECT_EQ(test, soft_iommu_access(dev, addr + SZ_4K, &phys),
			-EFAULT);
	soft_iommu_read_counts(dev, &counts);
	KUNIT_EXPECT_EQ(test, counts.ranged, 1);
	KUNIT_EXPECT_EQ(test, counts.pages, 2);
	KUNIT_EXPECT_EQ(test, counts.all, 0);
}

/* Map a page, use and unmap it; for how many jiffies is it reached? */
static unsigned long soft_test_stale_for(struct kunit *test, struct device *dev)
{
	struct iommu_domain *domain = iommu_get_domain_for_dev(dev);
	dma_addr_t addr = soft_test_map(test, dev, SZ_4K);
	unsigned long begin, taken;
	phys_addr_t phys;

	KUNIT_EXPECT_EQ(test, soft_iommu_access(dev, addr, &phys), 0);
	begin = jiffies;
	soft_test_unmap(dev, addr, SZ_4K);
	KUNIT_EXPECT_EQ(test, iommu_iova_to_phys(domain, addr), 0);
	do {
		cond_resched();
		taken = jiffies - begin;
	} while (soft_iommu_access(dev, addr, &phys) == 1 &&
		 taken < SOFT_PATIENCE);
	KUNIT_EXPECT_EQ(test, soft_iommu_access(dev, addr, &phys), -EFAULT);
	return taken;
}

/* Lazy: the stale translation is seen until a flush, and then no more */
static void soft_test_lazy(struct kunit *test)
{
	const struct soft_iommu_config config = {
		.mode = SOFT_IOMMU_LAZY,
		.iotlb_lg2 = SOFT_IOTLB_LG2,
	};
	struct device *dev = soft_test_device(test, &config);
	struct iommu_domain *domain = iommu_get_domain_for_dev(dev);
	struct soft_iommu_counts counts;
	unsigned long least = ULONG_MAX;
	unsigned int tries = 0;

	KUNIT_ASSERT_EQ(test, domain->type, IOMMU_DOMAIN_DMA_FQ);
	/* On a busy machine the timer may be late, but not each time. */
	while (least > SOFT_BOUND && tries < SOFT_TRIES) {
		least = min(least, soft_test_stale_for(test, dev));
		tries++;
	}
	KUNIT_EXPECT_LE(test, least, SOFT_BOUND);
	soft_iommu_read_counts(dev, &counts);
	KUNIT_EXPECT_EQ(test, counts.all + counts.ranged, tries);
}

/* Nothing but a flush removes a translation whose page table entry is gone */
static void soft_test_stale(struct kunit *test)
{
	const struct soft_iommu_config config = { .iotlb_lg2 = SOFT_IOTLB_LG2 };
	struct device *dev = soft_test_device(test, &config);
	struct iommu_domain *domain = iommu_get_domain_for_dev(dev);
	struct soft_test *priv = test->priv;
	dma_addr_t addr = soft_test_map(test, dev, SZ_8K);
	phys_addr_t base = page_to_phys(priv->page), phys;
	struct iommu_iotlb_gather gather;

	KUNIT_EXPECT_EQ(test, soft_iommu_access(dev, addr, &phys), 0);
	KUNIT_EXPECT_EQ(test, soft_iommu_access(dev, addr + SZ_4K, &phys), 0);
	iommu_iotlb_gather_init(&gather);
	KUNIT_EXPECT_EQ(test, iommu_unmap_fast(domain, addr, SZ_8K, &gather),
			SZ_8K);
	KUNIT_EXPECT_EQ(test, soft_iommu_access(dev, addr, &phys), 1);

	/* A flush of the second page only */
	gather.start = addr + SZ_4K;
	iommu_iotlb_sync(domain, &gather);
	KUNIT_EXPECT_EQ(test, soft_iommu_access(dev, addr, &phys), 1);
	KUNIT_EXPECT_EQ(test, soft_iommu_access(dev, addr + SZ_4K, &phys),
			-EFAULT);
	iommu_flush_iotlb_all(domain);
	KUNIT_EXPECT_EQ(test, soft_iommu_access(dev, addr, &phys), -EFAULT);

	/* Give the DMA API back what it believes to be mapped. */
	KUNIT_EXPECT_EQ(test, iommu_map(domain, addr, base, SZ_8K, IOMMU_READ,
					GFP_KERNEL), 0);
	soft_test_unmap(dev, addr, SZ_8K);
}

static void soft_test_api_user(struct kunit *test, struct iommu_domain *domain,
			       phys_addr_t base)
{
	struct soft_test *priv = test->priv;
	struct soft_iommu_counts before, counts;
	/* Where the DMA API has not begun to allocate */
	unsigned long iova = SZ_1M;
	phys_addr_t phys;

	KUNIT_EXPECT_EQ(test, iommu_map(domain, iova, base, SZ_8K, IOMMU_READ,
					GFP_KERNEL), 0);
	KUNIT_EXPECT_EQ(test, soft_iommu_access(priv->dev, iova, &phys), 0);
	KUNIT_EXPECT_EQ(test, soft_iommu_access(priv->dev, iova + SZ_4K, &phys),
			0);
	soft_iommu_read_counts(priv->dev, &before);
	KUNIT_EXPECT_EQ(test, iommu_unmap(domain, iova, SZ_8K), SZ_8K);
	KUNIT_EXPECT_EQ(test, soft_iommu_access(priv->dev, iova, &phys),
			-EFAULT);
	KUNIT_EXPECT_EQ(test, soft_iommu_access(priv->dev, iova + SZ_4K, &phys),
			-EFAULT);
	soft_iommu_read_counts(priv->dev, &counts);
	KUNIT_EXPECT_EQ(test, counts.ranged, before.ranged + 1);
	KUNIT_EXPECT_EQ(test, counts.all, before.all);
}

/*
 * Users of the IOMMU API are flushed before unmapping returns, also in a domain
 * of their own beside a lazy one, and in a lazy one.
 */
static void soft_test_api(struct kunit *test)
{
	const struct soft_iommu_config config = {
		.mode = SOFT_IOMMU_LAZY,
		.iotlb_lg2 = SOFT_IOTLB_LG2,
	};
	struct device *dev = soft_test_device(test, &config);
	struct iommu_domain *own, *lazy = iommu_get_domain_for_dev(dev);
	struct soft_test *priv = test->priv;
	phys_addr_t base = page_to_phys(priv->page);

	KUNIT_ASSERT_EQ(test, lazy->type, IOMMU_DOMAIN_DMA_FQ);
	soft_test_api_user(test, lazy, base);

	own = iommu_paging_domain_alloc(dev);
	KUNIT_ASSERT_FALSE(test, IS_ERR(own));
	KUNIT_EXPECT_EQ(test, iommu_attach_device(own, dev), 0);
	if (iommu_get_domain_for_dev(dev) == own) {
		soft_test_api_user(test, own, base);
		iommu_detach_device(own, dev);
	}
	iommu_domain_free(own);
}

/* Two devices, one domain: what one maps, the other reaches */
static void soft_test_peers(struct kunit *test)
{
	const struct soft_iommu_config config = { .iotlb_lg2 = SOFT_IOTLB_LG2 };
	struct soft_iommu_config small = config;
	struct device *dev = soft_test_device(test, &config), *peer;
	dma_addr_t addr;
	phys_addr_t phys;

	small.dma_bits = 32;
	peer = soft_iommu_device_create(&small, dev);
	KUNIT_ASSERT_FALSE(test, IS_ERR(peer));
	KUNIT_EXPECT_PTR_EQ(test, iommu_get_domain_for_dev(peer),
			    iommu_get_domain_for_dev(dev));
	addr = soft_test_map(test, peer, SZ_4K);
	KUNIT_EXPECT_LT(test, addr, 1ULL << 32);
	KUNIT_EXPECT_EQ(test, soft_iommu_access(dev, addr, &phys), 0);
	soft_test_unmap(peer, addr, SZ_4K);
	soft_iommu_device_destroy(peer);
	KUNIT_EXPECT_EQ(test, soft_iommu_access(dev, addr, &phys), -EFAULT);
}

/* Each setting has the effect that it promises */
static void soft_test_settings(struct kunit *test)
{
	const struct soft_iommu_config config = {
		.flush_ns = 1000000,
		.serial = true,
		.caching = true,
		.low_first = true,
	};
	struct device *dev = soft_test_device(test, &config);
	u64 begin = ktime_get_ns();
	dma_addr_t addr = soft_test_map(test, dev, SZ_4K);
	struct soft_iommu_counts counts;
	phys_addr_t phys;

	KUNIT_EXPECT_LT(test, addr, 1ULL << 32);
	KUNIT_EXPECT_EQ(test, soft_iommu_access(dev, addr, &phys), -EOPNOTSUPP);
	soft_test_unmap(dev, addr, SZ_4K);
	/* One flush on map, one on unmap: never less than both take */
	KUNIT_EXPECT_GE(test, ktime_get_ns() - begin, 2 * config.flush_ns);
	soft_iommu_read_counts(dev, &counts);
	KUNIT_EXPECT_EQ(test, counts.maps, 1);
	KUNIT_EXPECT_EQ(test, counts.ranged, 1);
}

static void soft_test_identity(struct kunit *test)
{
	const struct soft_iommu_config config = {
		.mode = SOFT_IOMMU_IDENTITY,
	};
	struct device *dev = soft_test_device(test, &config);
	struct soft_test *priv = test->priv;
	dma_addr_t addr = soft_test_map(test, dev, SZ_4K);

	KUNIT_EXPECT_EQ(test, addr, page_to_phys(priv->page));
	soft_test_unmap(dev, addr, SZ_4K);
}

static int soft_test_init(struct kunit *test)
{
	struct soft_test *priv;

	priv = kunit_kzalloc(test, sizeof(*priv), GFP_KERNEL);
	if (!priv)
		return -ENOMEM;
	priv->page = alloc_pages(GFP_KERNEL, get_order(SZ_16K));
	if (!priv->page)
		return -ENOMEM;
	test->priv = priv;
	return 0;
}

static void soft_test_exit(struct kunit *test)
{
	struct soft_test *priv = test->priv;

	if (!priv)
		return;
	if (priv->dev)
		soft_iommu_device_destroy(priv->dev);
	__free_pages(priv->page, get_order(SZ_16K));
}

static struct kunit_case soft_test_cases[] = {
	KUNIT_CASE(soft_test_translates),
	KUNIT_CASE(soft_test_strict),
	KUNIT_CASE(soft_test_lazy),
	KUNIT_CASE(soft_test_stale),
	KUNIT_CASE(soft_test_api),
	KUNIT_CASE(soft_test_peers),
	KUNIT_CASE(soft_test_settings),
	KUNIT_CASE(soft_test_identity),
	{}
};

static struct kunit_suite soft_test_suite = {
	.name = "soft-iommu",
	.init = soft_test_init,
	.exit = soft_test_exit,
	.test_cases = soft_test_cases,
};

kunit_test_suite(soft_test_suite);

MODULE_DESCRIPTION("KUnit tests of the software IOMMU");
MODULE_LICENSE("GPL");
