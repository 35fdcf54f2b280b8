// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of MMUs that drivers bring for their devices.
 *
 * The test is the driver and the hardware: the page table is an array, and the
 * device reads and writes memory by it, through an IOTLB that remembers every
 * entry until it is flushed. The devices are on the auxiliary bus, of which the
 * IOMMU core knows nothing, and on the platform bus, which it watches.
 */
#define pr_fmt(fmt) "dma-mmu-test: " fmt

#include <kunit/test.h>
#include <linux/auxiliary_bus.h>
#include <linux/cleanup.h>
#include <linux/debugfs.h>
#include <linux/dma-map-ops.h>
#include <linux/dma-mapping.h>
#include <linux/dma-mmu.h>
#include <linux/iommu-dma.h>
#include <linux/iommu.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/platform_device.h>
#include <linux/scatterlist.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "dma-iommu.h"
#include "soft/soft-iommu.h"

/* Addresses of the MMU: 32 MiB from 1 MiB on */
#define KM_FIRST	SZ_1M
#define KM_ENTRIES	8192
#define KM_LAST		(KM_FIRST + KM_ENTRIES * SZ_4K - 1)
#define KM_DEVICES	3
#define KM_BUFFER	(3 * PAGE_SIZE)
#define KM_ROUNDS	50
/* More than setting an MMU up with its devices allocates */
#define KM_FAULTS	1000

struct km_domain {
	struct iommu_domain domain;
	struct km *km;
	u64 table[KM_ENTRIES];
};

/* A device of the MMU, on one bus or the other */
struct km_sub {
	struct auxiliary_device *aux;
	struct platform_device *pdev;
	struct device *dev;
	bool behind;
	bool added;
};

/**
 * struct km - the device with the MMU, its driver, and its hardware
 * @mmu: the MMU
 * @parent: the device
 * @sub: those behind the MMU
 * @hw: by what the hardware translates, NULL: it refuses everything
 * @tlb: entries that the hardware remembers
 * @domains: domains there are
 * @attached: calls of attach
 * @blocked: calls of block
 * @flushes: calls of iotlb_sync and flush_iotlb_all
 * @left: entries that were in the tables when they were freed
 * @alloc_error: for domain_alloc
 * @attach_error: for attach
 * @registered: the MMU is
 */
struct km {
	struct dma_mmu mmu;
	struct platform_device *parent;
	struct km_sub sub[KM_DEVICES];
	struct km_domain *hw;
	u64 tlb[KM_ENTRIES];
	unsigned int domains;
	unsigned int attached;
	unsigned int blocked;
	unsigned int flushes;
	unsigned int left;
	int alloc_error;
	int attach_error;
	bool registered;
};

static struct km_domain *to_km_domain(struct iommu_domain *domain)
{
	return container_of(domain, struct km_domain, domain);
}

static unsigned long km_index(unsigned long iova)
{
	return (iova - KM_FIRST) / SZ_4K;
}

/*
 * The driver of the MMU
 */

static struct iommu_domain *km_domain_alloc(struct dma_mmu *mmu)
{
	struct km *km = container_of(mmu, struct km, mmu);
	struct km_domain *kd;

	if (km->alloc_error)
		return ERR_PTR(km->alloc_error);
	kd = kzalloc_obj(*kd);
	if (!kd)
		return ERR_PTR(-ENOMEM);
	kd->km = km;
	km->domains++;
	return &kd->domain;
}

static void km_domain_free(struct iommu_domain *domain)
{
	struct km_domain *kd = to_km_domain(domain);
	unsigned int i;

	for (i = 0; i < KM_ENTRIES; i++)
		kd->km->left += !!kd->table[i];
	kd->km->domains--;
	kfree(kd);
}

static int km_map_pages(struct iommu_domain *domain, unsigned long iova,
			phys_addr_t phys, size_t page, size_t count, int prot,
			gfp_t gfp, size_t *mapped)
{
	u64 *entry = to_km_domain(domain)->table + km_index(iova);
	size_t i;

	for (i = 0; i < count; i++)
		WRITE_ONCE(entry[i], (phys + i * page) | 1);
	*mapped = count * page;
	return 0;
}

static size_t km_unmap_pages(struct iommu_domain *domain, unsigned long iova,
			     size_t page, size_t count,
			     struct iommu_iotlb_gather *gather)
{
	u64 *entry = to_km_domain(domain)->table + km_index(iova);
	size_t i;

	for (i = 0; i < count && entry[i]; i++)
		WRITE_ONCE(entry[i], 0);
	iommu_iotlb_gather_add_page(domain, gather, iova, i * page);
	return i * page;
}

static phys_addr_t km_iova_to_phys(struct iommu_domain *domain,
				   dma_addr_t iova)
{
	u64 entry;

	if (iova < KM_FIRST || iova > KM_LAST)
		return 0;
	entry = READ_ONCE(to_km_domain(domain)->table[km_index(iova)]);
	return entry ? (entry & ~1ULL) + iova % SZ_4K : 0;
}

static void km_flush(struct km *km, unsigned long first, unsigned long last)
{
	km->flushes++;
	memset(km->tlb + first, 0, (last - first + 1) * sizeof(*km->tlb));
}

static void km_flush_all(struct iommu_domain *domain)
{
	km_flush(to_km_domain(domain)->km, 0, KM_ENTRIES - 1);
}

static void km_sync(struct iommu_domain *domain,
		    struct iommu_iotlb_gather *gather)
{
	km_flush(to_km_domain(domain)->km, km_index(gather->start),
		 km_index(gather->end));
}

static int km_attach(struct dma_mmu *mmu, struct iommu_domain *domain)
{
	struct km *km = container_of(mmu, struct km, mmu);

	if (km->attach_error)
		return km->attach_error;
	km->attached++;
	km->hw = to_km_domain(domain);
	memset(km->tlb, 0, sizeof(km->tlb));
	return 0;
}

static void km_block(struct dma_mmu *mmu)
{
	struct km *km = container_of(mmu, struct km, mmu);

	km->blocked++;
	km->hw = NULL;
	memset(km->tlb, 0, sizeof(km->tlb));
}

static const struct iommu_domain_ops km_domain_ops = {
	.map_pages = km_map_pages,
	.unmap_pages = km_unmap_pages,
	.iova_to_phys = km_iova_to_phys,
	.flush_iotlb_all = km_flush_all,
	.iotlb_sync = km_sync,
	.free = km_domain_free,
};

static const struct dma_mmu_ops km_ops = {
	.domain_alloc = km_domain_alloc,
	.attach = km_attach,
	.block = km_block,
	.domain_ops = &km_domain_ops,
};

/*
 * The hardware
 */

/* Where the device gets to, NULL for a fault */
static void *km_reach(struct km *km, dma_addr_t iova)
{
	u64 *entry;

	if (!km->hw || iova < KM_FIRST || iova > KM_LAST)
		return NULL;
	entry = km->tlb + km_index(iova);
	if (!*entry)
		*entry = km->hw->table[km_index(iova)];
	return *entry ? phys_to_virt((*entry & ~1ULL) + iova % SZ_4K) : NULL;
}

/* The device reads; returns how many bytes are as they should be */
static size_t km_compare(struct km *km, dma_addr_t iova, const u8 *wanted,
			 size_t size)
{
	size_t i;

	for (i = 0; i < size; i++) {
		const u8 *p = km_reach(km, iova + i);

		if (!p || *p != wanted[i])
			break;
	}
	return i;
}

static bool km_write(struct km *km, dma_addr_t iova, u8 byte, size_t size)
{
	size_t i;

	for (i = 0; i < size; i++) {
		u8 *p = km_reach(km, iova + i);

		if (!p)
			return false;
		*p = byte;
	}
	return true;
}

/*
 * The devices behind it
 */

static void km_aux_release(struct device *dev)
{
	kfree(to_auxiliary_dev(dev));
}

/* Initialised, and not added */
static int km_aux_create(struct km *km, unsigned int nr)
{
	struct auxiliary_device *aux = kzalloc_obj(*aux);
	int ret;

	if (!aux)
		return -ENOMEM;
	aux->name = "sub";
	aux->id = nr;
	aux->dev.parent = &km->parent->dev;
	aux->dev.release = km_aux_release;
	ret = auxiliary_device_init(aux);
	if (ret) {
		kfree(aux);
		return ret;
	}
	km->sub[nr].aux = aux;
	km->sub[nr].dev = &aux->dev;
	return 0;
}

static int km_pdev_create(struct km *km, unsigned int nr)
{
	struct platform_device *pdev;

	pdev = platform_device_alloc("dma-mmu-sub", PLATFORM_DEVID_AUTO);
	if (!pdev)
		return -ENOMEM;
	pdev->dev.parent = &km->parent->dev;
	pdev->dev.bus = &platform_bus_type;
	km->sub[nr].pdev = pdev;
	km->sub[nr].dev = &pdev->dev;
	return 0;
}

/* The last one is a platform device */
static int km_create(struct km *km, unsigned int nr)
{
	return nr < KM_DEVICES - 1 ? km_aux_create(km, nr) :
				     km_pdev_create(km, nr);
}

static int km_add(struct km_sub *sub)
{
	int ret = sub->aux ? auxiliary_device_add(sub->aux) :
			     platform_device_add(sub->pdev);

	sub->added = !ret;
	return ret;
}

static void km_del(struct km_sub *sub)
{
	if (sub->added && sub->aux)
		auxiliary_device_delete(sub->aux);
	else if (sub->added)
		platform_device_del(sub->pdev);
	sub->added = false;
}

/* As a driver's remove function does it */
static void km_drop(struct km *km, unsigned int nr)
{
	struct km_sub *sub = &km->sub[nr];

	if (!sub->dev)
		return;
	km_del(sub);
	if (sub->behind)
		dma_mmu_remove_device(&km->mmu, sub->dev);
	if (sub->aux)
		auxiliary_device_uninit(sub->aux);
	else
		platform_device_put(sub->pdev);
	*sub = (struct km_sub){};
}

/* As a driver's probe function does it */
static int km_start(struct km *km, unsigned int nr)
{
	struct km_sub *sub = &km->sub[nr];
	int ret = km_create(km, nr);

	if (ret)
		return ret;
	ret = dma_mmu_add_device(&km->mmu, sub->dev);
	if (ret)
		goto err_drop;
	sub->behind = true;
	ret = km_add(sub);
	if (ret)
		goto err_drop;
	ret = dma_mmu_check_device(&km->mmu, sub->dev);
	if (ret)
		goto err_drop;
	return 0;

err_drop:
	km_drop(km, nr);
	return ret;
}

static const struct dma_mmu km_good = {
	.ops = &km_ops,
	.name = "mmu",
	.page_sizes = SZ_4K,
	.first = KM_FIRST,
	.last = KM_LAST,
};

static int km_register(struct km *km)
{
	bool strict = km->mmu.strict;
	int ret;

	km->mmu = km_good;
	km->mmu.strict = strict;
	ret = dma_mmu_register(&km->mmu, &km->parent->dev);
	km->registered = !ret;
	return ret;
}

static int km_unregister(struct km *km)
{
	int ret = km->registered ? dma_mmu_unregister(&km->mmu) : 0;

	if (!ret)
		km->registered = false;
	return ret;
}

static void km_stop(struct km *km)
{
	int i;

	for (i = KM_DEVICES - 1; i >= 0; i--)
		km_drop(km, i);
	km_unregister(km);
}

static int km_init(struct kunit *test)
{
	struct km *km = kvzalloc_obj(*km);
	int ret;

	if (!km)
		return -ENOMEM;
	km->parent = platform_device_alloc("dma-mmu-parent",
					   PLATFORM_DEVID_AUTO);
	ret = km->parent ? platform_device_add(km->parent) : -ENOMEM;
	if (ret) {
		platform_device_put(km->parent);
		kvfree(km);
		return ret;
	}
	test->priv = km;
	return dma_set_mask_and_coherent(&km->parent->dev, DMA_BIT_MASK(64));
}

static void km_exit(struct kunit *test)
{
	struct km *km = test->priv;

	if (!km)
		return;
	km_stop(km);
	KUNIT_EXPECT_EQ(test, km->domains, 0);
	KUNIT_EXPECT_EQ(test, km->left, 0);
	KUNIT_EXPECT_NULL(test, km->hw);
	platform_device_unregister(km->parent);
	kvfree(km);
}

static struct km *km_begin(struct kunit *test, unsigned int devices)
{
	struct km *km = test->priv;
	unsigned int i;

	KUNIT_ASSERT_EQ(test, km_register(km), 0);
	for (i = 0; i < devices; i++)
		KUNIT_ASSERT_EQ(test, km_start(km, i), 0);
	return km;
}

static u8 *km_buffer(struct kunit *test, size_t size)
{
	u8 *buffer = kunit_kmalloc(test, size, GFP_KERNEL);
	size_t i;

	KUNIT_ASSERT_NOT_NULL(test, buffer);
	for (i = 0; i < size; i++)
		buffer[i] = i * 7 + i / 256 + 1;
	return buffer;
}

/* A mapping that the device reads and writes, and after which it reaches nothing */
static void km_expect_dma(struct kunit *test, struct device *dev)
{
	u8 *buffer = km_buffer(test, KM_BUFFER);
	struct km *km = test->priv;
	dma_addr_t addr;

	addr = dma_map_single(dev, buffer, KM_BUFFER, DMA_BIDIRECTIONAL);
	KUNIT_ASSERT_FALSE(test, dma_mapping_error(dev, addr));
	KUNIT_EXPECT_GE(test, addr, KM_FIRST);
	KUNIT_EXPECT_LE(test, addr + KM_BUFFER - 1, KM_LAST);
	KUNIT_EXPECT_EQ(test, km_compare(km, addr, buffer, KM_BUFFER),
			KM_BUFFER);
	KUNIT_EXPECT_TRUE(test, km_write(km, addr, 0x5a, KM_BUFFER));
	dma_unmap_single(dev, addr, KM_BUFFER, DMA_BIDIRECTIONAL);
	KUNIT_EXPECT_EQ(test, buffer[0], 0x5a);
	KUNIT_EXPECT_EQ(test, buffer[KM_BUFFER - 1], 0x5a);
	KUNIT_EXPECT_EQ(test, 0, km_iova_to_phys(&km->hw->domain, addr));
}

/*
 * Registration
 */

static void km_expect_refused(struct kunit *test, const struct dma_mmu *mmu,
			      int error)
{
	struct km *km = test->priv;

	km->mmu = *mmu;
	KUNIT_EXPECT_EQ(test, dma_mmu_register(&km->mmu, &km->parent->dev),
			error);
	KUNIT_EXPECT_NULL(test, km->mmu.state);
}

static void km_test_incomplete(struct kunit *test)
{
	struct dma_mmu mmu = km_good;

	mmu.name = NULL;
	km_expect_refused(test, &mmu, -EINVAL);
	mmu = km_good;
	mmu.ops = NULL;
	km_expect_refused(test, &mmu, -EINVAL);
	mmu = km_good;
	mmu.page_sizes = 0;
	km_expect_refused(test, &mmu, -EINVAL);
	mmu.page_sizes = 2 * PAGE_SIZE;
	km_expect_refused(test, &mmu, -EINVAL);
	mmu = km_good;
	mmu.first++;
	km_expect_refused(test, &mmu, -EINVAL);
	mmu = km_good;
	mmu.last++;
	km_expect_refused(test, &mmu, -EINVAL);
	mmu.last = mmu.first - 1;
	km_expect_refused(test, &mmu, -EINVAL);
}

/* Each operation is required, by its place in the structure. */
static void km_test_operations(struct kunit *test)
{
	static const size_t required[] = {
		offsetof(struct iommu_domain_ops, map_pages),
		offsetof(struct iommu_domain_ops, unmap_pages),
		offsetof(struct iommu_domain_ops, iova_to_phys),
		offsetof(struct iommu_domain_ops, flush_iotlb_all),
		offsetof(struct iommu_domain_ops, iotlb_sync),
		offsetof(struct iommu_domain_ops, free),
	};
	struct iommu_domain_ops domain_ops;
	struct dma_mmu_ops ops = km_ops;
	struct dma_mmu mmu = km_good;
	unsigned int i;

	mmu.ops = &ops;
	ops.domain_ops = &domain_ops;
	for (i = 0; i < ARRAY_SIZE(required); i++) {
		domain_ops = km_domain_ops;
		*(void **)((void *)&domain_ops + required[i]) = NULL;
		km_expect_refused(test, &mmu, -EINVAL);
	}
	domain_ops = km_domain_ops;
	domain_ops.attach_dev = (void *)km_map_pages;
	km_expect_refused(test, &mmu, -EINVAL);
	ops = km_ops;
	ops.domain_alloc = NULL;
	km_expect_refused(test, &mmu, -EINVAL);
	ops = km_ops;
	ops.attach = NULL;
	km_expect_refused(test, &mmu, -EINVAL);
	ops = km_ops;
	ops.block = NULL;
	km_expect_refused(test, &mmu, -EINVAL);
}

static void km_test_parent(struct kunit *test)
{
	static const struct soft_iommu_config config = {};
	struct km *km = test->priv;
	struct dma_mmu mmu = km_good;
	struct device *translated;
	u64 *mask;

	mask = km->parent->dev.dma_mask;
	km->parent->dev.dma_mask = NULL;
	km_expect_refused(test, &mmu, -EOPNOTSUPP);
	km->parent->dev.dma_mask = mask;

	translated = soft_iommu_device_create(&config, NULL);
	KUNIT_ASSERT_FALSE(test, IS_ERR(translated));
	KUNIT_EXPECT_EQ(test, dma_mmu_register(&mmu, translated), -EOPNOTSUPP);
	soft_iommu_device_destroy(translated);
}

static void km_test_names(struct kunit *test)
{
	struct km *km = km_begin(test, 1);
	struct dma_mmu second = km_good;

	KUNIT_EXPECT_EQ(test, dma_mmu_register(&second, &km->parent->dev),
			-EEXIST);
	second.name = "second";
	KUNIT_EXPECT_EQ(test, dma_mmu_register(&second, &km->parent->dev), 0);
	KUNIT_EXPECT_EQ(test, dma_mmu_check_device(&second, km->sub[0].dev),
			-ENODEV);
	KUNIT_EXPECT_EQ(test, dma_mmu_unregister(&second), 0);
	KUNIT_EXPECT_EQ(test, dma_mmu_unregister(&second), 0);
	km_expect_dma(test, km->sub[0].dev);
}

/*
 * Devices
 */

static void km_test_devices(struct kunit *test)
{
	struct km *km = km_begin(test, KM_DEVICES);
	struct iommu_domain *domain;
	unsigned int i;

	domain = iommu_get_domain_for_dev(km->sub[0].dev);
	KUNIT_ASSERT_NOT_NULL(test, domain);
	KUNIT_EXPECT_PTR_EQ(test, domain, &km->hw->domain);
	KUNIT_EXPECT_EQ(test, km->attached, 1);
	KUNIT_EXPECT_EQ(test, km->domains, 1);
	for (i = 0; i < KM_DEVICES; i++) {
		struct device *dev = km->sub[i].dev;

		KUNIT_EXPECT_PTR_EQ(test, iommu_get_domain_for_dev(dev),
				    domain);
		KUNIT_EXPECT_TRUE(test, use_dma_iommu(dev));
		KUNIT_EXPECT_EQ(test, dma_get_mask(dev), SZ_64M - 1);
		KUNIT_EXPECT_EQ(test, dev->coherent_dma_mask, SZ_64M - 1);
		KUNIT_EXPECT_EQ(test, dma_get_max_seg_size(dev), UINT_MAX);
		KUNIT_EXPECT_EQ(test, dev_is_dma_coherent(dev),
				dev_is_dma_coherent(&km->parent->dev));
		km_expect_dma(test, dev);
	}
}

/* Layers and back ends see them as all others that do DMA. */
static void km_test_path(struct kunit *test)
{
	struct km *km = km_begin(test, KM_DEVICES);
	unsigned int i;

	if (!IS_ENABLED(CONFIG_DMA_LAYERS))
		kunit_skip(test, "needs CONFIG_DMA_LAYERS");
#ifdef CONFIG_DMA_LAYERS
	for (i = 0; i < KM_DEVICES; i++)
		KUNIT_EXPECT_NOT_NULL(test,
				      km->sub[i].dev->archdata.dma_path);
#endif
}

/* Others on the bus do not notice, but that they are on it. */
static void km_test_others(struct kunit *test)
{
	struct km *km = km_begin(test, 1);
	struct device *other;

	KUNIT_ASSERT_EQ(test, km_create(km, 1), 0);
	other = km->sub[1].dev;
	KUNIT_ASSERT_EQ(test, km_add(&km->sub[1]), 0);
	KUNIT_EXPECT_NULL(test, other->iommu);
	KUNIT_EXPECT_NULL(test, other->iommu_group);
	KUNIT_EXPECT_NULL(test, other->dma_mask);
	KUNIT_EXPECT_NULL(test, other->dma_parms);
	KUNIT_EXPECT_FALSE(test, use_dma_iommu(other));
	KUNIT_EXPECT_EQ(test, dma_mmu_check_device(&km->mmu, other), -ENODEV);
#ifdef CONFIG_DMA_LAYERS
	KUNIT_EXPECT_NULL(test, other->archdata.dma_path);
#endif
}

static void km_test_add_refused(struct kunit *test)
{
	struct km *km = km_begin(test, 1);
	struct device *dev;

	/* It is added already. */
	KUNIT_EXPECT_EQ(test, dma_mmu_add_device(&km->mmu, km->sub[0].dev),
			-EINVAL);
	KUNIT_ASSERT_EQ(test, km_create(km, 1), 0);
	dev = km->sub[1].dev;
	KUNIT_ASSERT_EQ(test, dma_mmu_add_device(&km->mmu, dev), 0);
	km->sub[1].behind = true;
	/* Twice */
	KUNIT_EXPECT_EQ(test, dma_mmu_add_device(&km->mmu, dev), -EINVAL);
	KUNIT_EXPECT_EQ(test, dma_mmu_check_device(&km->mmu, dev), -ENODEV);
}

/* A device that is never added leaves nothing behind. */
static void km_test_never_added(struct kunit *test)
{
	struct km *km = km_begin(test, 0);
	unsigned int i;

	for (i = 0; i < KM_DEVICES; i += KM_DEVICES - 1) {
		struct device *dev;
		u64 *mask;

		KUNIT_ASSERT_EQ(test, km_create(km, i), 0);
		dev = get_device(km->sub[i].dev);
		mask = dev->dma_mask;
		KUNIT_EXPECT_EQ(test, dma_mmu_add_device(&km->mmu, dev), 0);
		KUNIT_EXPECT_NULL(test, dev->dma_mask);
		km->sub[i].behind = true;
		KUNIT_EXPECT_EQ(test, dma_mmu_unregister(&km->mmu), -EBUSY);
		km_drop(km, i);
		KUNIT_EXPECT_NULL(test, dev->iommu);
		KUNIT_EXPECT_PTR_EQ(test, dev->dma_mask, mask);
		put_device(dev);
	}
}

/* The others go on when one leaves; with the last one the hardware is blocked. */
static void km_test_leave(struct kunit *test)
{
	struct km *km = km_begin(test, KM_DEVICES);
	int i;

	for (i = 0; i < KM_DEVICES - 1; i++) {
		km_drop(km, i);
		KUNIT_EXPECT_EQ(test, km->blocked, 0);
		km_expect_dma(test, km->sub[KM_DEVICES - 1].dev);
	}
	KUNIT_EXPECT_EQ(test, km->attached, 1);
	km_drop(km, KM_DEVICES - 1);
	KUNIT_EXPECT_EQ(test, km->blocked, 1);
	KUNIT_EXPECT_NULL(test, km->hw);
	KUNIT_EXPECT_EQ(test, km->domains, 0);

	/* And comes back */
	KUNIT_ASSERT_EQ(test, km_start(km, 0), 0);
	km_expect_dma(test, km->sub[0].dev);
}

static void km_test_again(struct kunit *test)
{
	struct km *km = test->priv;
	unsigned int i, round;

	for (round = 0; round < KM_ROUNDS; round++) {
		KUNIT_ASSERT_EQ(test, km_register(km), 0);
		for (i = 0; i < KM_DEVICES; i++)
			KUNIT_ASSERT_EQ(test, km_start(km, i), 0);
		for (i = 0; i < KM_DEVICES; i++)
			km_expect_dma(test, km->sub[i].dev);
		km_stop(km);
		KUNIT_ASSERT_EQ(test, km->domains, 0);
	}
}

/*
 * The DMA API
 */

static void km_test_sg(struct kunit *test)
{
	u8 *buffer = km_buffer(test, KM_DEVICES * KM_BUFFER);
	struct km *km = km_begin(test, 1);
	struct device *dev = km->sub[0].dev;
	struct sg_table sgt;
	unsigned int i;

	KUNIT_ASSERT_EQ(test, sg_alloc_table(&sgt, 8, GFP_KERNEL), 0);
	/* Backwards, so that only the MMU can make it contiguous */
	for (i = 0; i < 8; i++)
		sg_set_buf(&sgt.sgl[i],
			   PTR_ALIGN(buffer, PAGE_SIZE) + (7 - i) * PAGE_SIZE,
			   PAGE_SIZE);
	KUNIT_ASSERT_EQ(test, dma_map_sgtable(dev, &sgt, DMA_TO_DEVICE, 0), 0);
	KUNIT_EXPECT_EQ(test, sgt.nents, 1);
	for (i = 0; i < 8; i++)
		KUNIT_EXPECT_EQ(test, PAGE_SIZE,
				km_compare(km, sg_dma_address(sgt.sgl) +
					   i * PAGE_SIZE,
					   sg_virt(&sgt.sgl[i]), PAGE_SIZE));
	dma_unmap_sgtable(dev, &sgt, DMA_TO_DEVICE, 0);
	sg_free_table(&sgt);
}

/* What was unmapped is out of reach at once, or when a flush has come. */
static void km_test_flush(struct kunit *test)
{
	struct km *km = test->priv;
	struct iommu_domain *domain;
	u8 *buffer = km_buffer(test, PAGE_SIZE);
	struct device *dev;
	dma_addr_t addr;

	km->mmu.strict = true;
	km_begin(test, 1);
	dev = km->sub[0].dev;
	domain = iommu_get_domain_for_dev(dev);
	KUNIT_EXPECT_FALSE(test, device_iommu_capable(dev,
						      IOMMU_CAP_DEFERRED_FLUSH));
	KUNIT_EXPECT_EQ(test, domain->type, IOMMU_DOMAIN_DMA);
	addr = dma_map_single(dev, buffer, PAGE_SIZE, DMA_TO_DEVICE);
	KUNIT_ASSERT_FALSE(test, dma_mapping_error(dev, addr));
	KUNIT_EXPECT_EQ(test, km_compare(km, addr, buffer, PAGE_SIZE),
			PAGE_SIZE);
	km->flushes = 0;
	dma_unmap_single(dev, addr, PAGE_SIZE, DMA_TO_DEVICE);
	KUNIT_EXPECT_GE(test, km->flushes, 1);
	KUNIT_EXPECT_NULL(test, km_reach(km, addr));
	km_stop(km);

	km->mmu.strict = false;
	km_begin(test, 1);
	KUNIT_EXPECT_TRUE(test, device_iommu_capable(km->sub[0].dev,
						     IOMMU_CAP_DEFERRED_FLUSH));
}

static void km_test_coherent(struct kunit *test)
{
	size_t size = 5 * PAGE_SIZE;
	struct km *km = km_begin(test, 1);
	struct device *dev = km->sub[0].dev;
	struct page *pages[5];
	dma_addr_t addr;
	u8 *cpu;
	int i;

	cpu = dma_alloc_coherent(dev, size, &addr, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, cpu);
	for (i = 0; i < size; i++)
		cpu[i] = i * 3 + i / 256;
	KUNIT_EXPECT_EQ(test, km_compare(km, addr, cpu, size), size);
	KUNIT_ASSERT_EQ(test, dma_coherent_pages(dev, cpu, size, pages), 0);
	for (i = 0; i < 5; i++)
		KUNIT_EXPECT_EQ(test, 0, memcmp(page_address(pages[i]),
						cpu + i * PAGE_SIZE,
						PAGE_SIZE));
	dma_free_coherent(dev, size, cpu, addr);
	KUNIT_EXPECT_EQ(test, 0, km_iova_to_phys(&km->hw->domain, addr));
}

/* Anything but remapped coherent memory, as much as there is, is refused. */
static void km_test_pages_refused(struct kunit *test)
{
	struct km *km = km_begin(test, 1);
	struct device *dev = km->sub[0].dev;
	struct page *pages[4] = {};
	size_t size = 2 * PAGE_SIZE;
	void *cpu, *plain, *linear, *mapped;
	dma_addr_t addr;

	cpu = dma_alloc_coherent(dev, size, &addr, GFP_KERNEL);
	plain = vmalloc(size);
	linear = kunit_kmalloc(test, size, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, cpu);
	KUNIT_ASSERT_NOT_NULL(test, plain);
	KUNIT_ASSERT_NOT_NULL(test, linear);
	KUNIT_ASSERT_EQ(test, dma_coherent_pages(dev, cpu, size, pages), 0);
	mapped = vmap(pages, 2, VM_MAP, PAGE_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, mapped);

	pages[0] = NULL;
	KUNIT_EXPECT_EQ(test, -EINVAL,
			dma_coherent_pages(dev, plain, size, pages));
	KUNIT_EXPECT_EQ(test, -EINVAL,
			dma_coherent_pages(dev, linear, size, pages));
	KUNIT_EXPECT_EQ(test, -EINVAL,
			dma_coherent_pages(dev, mapped, size, pages));
	KUNIT_EXPECT_EQ(test, -EINVAL, dma_coherent_pages(dev, NULL, size, pages));
	KUNIT_EXPECT_EQ(test, -EINVAL,
			dma_coherent_pages(dev, cpu + PAGE_SIZE, PAGE_SIZE,
					   pages));
	KUNIT_EXPECT_EQ(test, -EINVAL,
			dma_coherent_pages(dev, cpu + 1, PAGE_SIZE, pages));
	KUNIT_EXPECT_EQ(test, -EINVAL,
			dma_coherent_pages(dev, cpu, size + 1, pages));
	KUNIT_EXPECT_EQ(test, -EINVAL, dma_coherent_pages(dev, cpu, 0, pages));
	KUNIT_EXPECT_NULL(test, pages[0]);
	/* Less is no mistake. */
	KUNIT_EXPECT_EQ(test, 0, dma_coherent_pages(dev, cpu, 1, pages));
	KUNIT_EXPECT_NOT_NULL(test, pages[0]);

	vunmap(mapped);
	vfree(plain);
	dma_free_coherent(dev, size, cpu, addr);
}

/* Where remapping has not kept the pages, they are looked up. */
static void km_test_pages_contiguous(struct kunit *test)
{
	struct km *km = km_begin(test, 1);
	struct page *pages[2], *page = alloc_pages(GFP_KERNEL, 1);
	void *cpu;

	KUNIT_ASSERT_NOT_NULL(test, page);
	pages[0] = page;
	pages[1] = page + 1;
	cpu = vmap(pages, 2, VM_DMA_COHERENT, PAGE_KERNEL);
	memset(pages, 0, sizeof(pages));
	if (cpu)
		KUNIT_EXPECT_EQ(test, 0,
				dma_coherent_pages(km->sub[0].dev, cpu,
						   2 * PAGE_SIZE, pages));
	KUNIT_EXPECT_PTR_EQ(test, pages[0], page);
	KUNIT_EXPECT_PTR_EQ(test, pages[1], page + 1);
	vunmap(cpu);
	__free_pages(page, 1);
}

static void km_test_noncontiguous(struct kunit *test)
{
	size_t size = 6 * PAGE_SIZE;
	struct km *km = km_begin(test, 1);
	struct device *dev = km->sub[0].dev;
	struct sg_table *sgt;
	u8 *cpu;

	sgt = dma_alloc_noncontiguous(dev, size, DMA_FROM_DEVICE, GFP_KERNEL,
				      0);
	KUNIT_ASSERT_NOT_NULL(test, sgt);
	cpu = dma_vmap_noncontiguous(dev, size, sgt);
	KUNIT_ASSERT_NOT_NULL(test, cpu);
	KUNIT_EXPECT_EQ(test, sgt->nents, 1);
	KUNIT_EXPECT_TRUE(test, km_write(km, sg_dma_address(sgt->sgl), 0xc3,
					 size));
	KUNIT_EXPECT_EQ(test, cpu[0], 0xc3);
	KUNIT_EXPECT_EQ(test, cpu[size - 1], 0xc3);
	dma_vunmap_noncontiguous(dev, cpu);
	dma_free_noncontiguous(dev, size, sgt, DMA_FROM_DEVICE);
}

/*
 * What is left mapped
 */

static void km_expect_live(struct kunit *test, struct device *dev,
			   unsigned long ranges, u64 bytes, dma_addr_t first)
{
	struct iommu_dma_live live;

	iommu_dma_get_live(dev, &live);
	KUNIT_EXPECT_EQ(test, live.ranges, ranges);
	KUNIT_EXPECT_EQ(test, live.bytes, bytes);
	KUNIT_EXPECT_EQ(test, live.first, first);
}

/* With arenas, and with the caches over a tree */
static void km_test_live(struct kunit *test)
{
	u8 *buffer = km_buffer(test, SZ_64K);
	unsigned int i;

	for (i = 0; i < 2; i++) {
		const struct soft_iommu_config config = { .stock = i };
		struct device *dev = soft_iommu_device_create(&config, NULL);
		dma_addr_t small, large;

		KUNIT_ASSERT_FALSE(test, IS_ERR(dev));
		km_expect_live(test, dev, 0, 0, 0);
		small = dma_map_single(dev, buffer, PAGE_SIZE, DMA_TO_DEVICE);
		dma_unmap_single(dev, small, PAGE_SIZE, DMA_TO_DEVICE);
		km_expect_live(test, dev, 0, 0, 0);
		/* Not by chance next to each other */
		small = dma_map_phys(dev, SZ_64M, SZ_4K, DMA_TO_DEVICE,
				     DMA_ATTR_MMIO);
		large = dma_map_phys(dev, SZ_128M, SZ_2M, DMA_TO_DEVICE,
				     DMA_ATTR_MMIO);
		KUNIT_ASSERT_FALSE(test, dma_mapping_error(dev, small));
		KUNIT_ASSERT_FALSE(test, dma_mapping_error(dev, large));
		km_expect_live(test, dev, 2, SZ_2M + SZ_4K, min(small, large));
		dma_unmap_phys(dev, small, SZ_4K, DMA_TO_DEVICE,
			       DMA_ATTR_MMIO);
		km_expect_live(test, dev, 1, SZ_2M, large);
		dma_unmap_phys(dev, large, SZ_2M, DMA_TO_DEVICE,
			       DMA_ATTR_MMIO);
		km_expect_live(test, dev, 0, 0, 0);
		soft_iommu_device_destroy(dev);
	}
}

static void km_test_busy(struct kunit *test)
{
	u8 *buffer = km_buffer(test, PAGE_SIZE);
	struct km *km = km_begin(test, 2);
	struct device *dev = km->sub[0].dev;
	dma_addr_t addr;

	KUNIT_EXPECT_EQ(test, dma_mmu_unregister(&km->mmu), -EBUSY);
	addr = dma_map_single(dev, buffer, PAGE_SIZE, DMA_TO_DEVICE);
	KUNIT_ASSERT_FALSE(test, dma_mapping_error(dev, addr));
	KUNIT_EXPECT_EQ(test, dma_mmu_unregister(&km->mmu), -EBUSY);
	/* It goes on to work. */
	KUNIT_EXPECT_EQ(test, km_compare(km, addr, buffer, PAGE_SIZE),
			PAGE_SIZE);
	dma_unmap_single(dev, addr, PAGE_SIZE, DMA_TO_DEVICE);
	km_drop(km, 0);
	KUNIT_EXPECT_EQ(test, dma_mmu_unregister(&km->mmu), -EBUSY);
	km_drop(km, 1);
	KUNIT_EXPECT_EQ(test, km_unregister(km), 0);
	KUNIT_EXPECT_NULL(test, km->mmu.state);
}

/* km_domain_free() counts what it finds in the table, km_exit() wants none. */
static void km_test_leak(struct kunit *test)
{
	u8 *buffer = km_buffer(test, 4 * PAGE_SIZE);
	struct km *km = km_begin(test, KM_DEVICES);
	dma_addr_t addr, first = DMA_MAPPING_ERROR;
	struct iommu_dma_live live;
	unsigned int i;

	for (i = 0; i < KM_DEVICES; i++) {
		addr = dma_map_single(km->sub[i].dev, buffer + i * PAGE_SIZE,
				      PAGE_SIZE, DMA_TO_DEVICE);
		KUNIT_ASSERT_FALSE(test,
				   dma_mapping_error(km->sub[i].dev, addr));
		first = min(first, addr);
	}
	/* While others are there nobody knows whose it is. */
	km_drop(km, 0);
	iommu_dma_get_live(km->sub[1].dev, &live);
	KUNIT_EXPECT_GE(test, live.ranges, 1);
	KUNIT_EXPECT_EQ(test, live.bytes, KM_DEVICES * PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, live.first, first);
	km_stop(km);
	KUNIT_EXPECT_EQ(test, km->left, 0);
	KUNIT_EXPECT_EQ(test, km->domains, 0);
}

/*
 * Failures
 */

/* Without its MMU a device has no masks, and so does no DMA. */
static void km_test_no_domain(struct kunit *test)
{
	struct km *km = km_begin(test, 0);
	unsigned int i;

	km->alloc_error = -ENOSPC;
	for (i = 0; i < KM_DEVICES; i += KM_DEVICES - 1) {
		struct km_sub *sub = &km->sub[i];

		KUNIT_ASSERT_EQ(test, km_create(km, i), 0);
		KUNIT_ASSERT_EQ(test, dma_mmu_add_device(&km->mmu, sub->dev),
				0);
		sub->behind = true;
		KUNIT_EXPECT_EQ(test, km_add(sub), 0);
		KUNIT_EXPECT_EQ(test, dma_mmu_check_device(&km->mmu, sub->dev),
				-ENODEV);
		KUNIT_EXPECT_NULL(test, sub->dev->iommu_group);
		KUNIT_EXPECT_NULL(test, sub->dev->dma_mask);
		KUNIT_EXPECT_EQ(test, sub->dev->coherent_dma_mask, 0);
		KUNIT_EXPECT_NE(test, 0,
				dma_set_mask_and_coherent(sub->dev,
							  DMA_BIT_MASK(32)));
		km_drop(km, i);
	}
	km->alloc_error = 0;
	KUNIT_ASSERT_EQ(test, km_start(km, 0), 0);
	km_expect_dma(test, km->sub[0].dev);
}

/* Another domain is refused by the hardware: the first one stays. */
static void km_test_no_attach(struct kunit *test)
{
	struct km *km = km_begin(test, 2);
	struct iommu_group *group = iommu_group_get(km->sub[0].dev);
	struct iommu_domain *domain;

	domain = iommu_paging_domain_alloc(km->sub[0].dev);
	KUNIT_ASSERT_FALSE(test, IS_ERR(domain));
	km->attach_error = -EBUSY;
	KUNIT_EXPECT_EQ(test, iommu_attach_group(domain, group), -EBUSY);
	km->attach_error = 0;
	km_expect_dma(test, km->sub[1].dev);
	KUNIT_EXPECT_EQ(test, km->attached, 1);

	/* And not, whereupon it is for all of them. */
	KUNIT_EXPECT_EQ(test, iommu_attach_group(domain, group), 0);
	KUNIT_EXPECT_EQ(test, km->attached, 2);
	KUNIT_EXPECT_PTR_EQ(test, &km->hw->domain, domain);
	iommu_detach_group(domain, group);
	KUNIT_EXPECT_EQ(test, km->attached, 3);
	iommu_domain_free(domain);
	iommu_group_put(group);
	km_expect_dma(test, km->sub[1].dev);
	KUNIT_EXPECT_EQ(test, km->blocked, 0);
}

#if defined(CONFIG_FAILSLAB) && defined(CONFIG_FAULT_INJECTION_DEBUG_FS)
static bool *km_ignore_wait;
static unsigned long *km_verbose;
static unsigned long km_saved_verbose;

static void *km_failslab_file(struct kunit *test, const char *name)
{
	struct dentry *dir = debugfs_lookup("failslab", NULL);
	struct dentry *file = dir ? debugfs_lookup(name, dir) : NULL;
	void *data = file ? d_inode(file)->i_private : NULL;

	dput(file);
	dput(dir);
	if (!data)
		kunit_skip(test, "no failslab/%s in debugfs", name);
	return data;
}

static void km_faults_end(void *unused)
{
	current->fail_nth = 0;
	*km_ignore_wait = true;
	*km_verbose = km_saved_verbose;
}

static void km_faults_begin(struct kunit *test)
{
	km_ignore_wait = km_failslab_file(test, "ignore-gfp-wait");
	km_verbose = km_failslab_file(test, "verbose");
	km_saved_verbose = *km_verbose;
	*km_verbose = 0;
	*km_ignore_wait = false;
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, km_faults_end,
							NULL), 0);
}

/* Sets all up with the nth allocation failing; returns whether there was one */
static bool km_start_with_fault(struct km *km, unsigned int nth, int *ret)
{
	unsigned int i;
	bool failed;

	current->fail_nth = nth;
	*ret = km_register(km);
	for (i = 0; !*ret && i < KM_DEVICES; i++)
		*ret = km_start(km, i);
	failed = !current->fail_nth;
	current->fail_nth = 0;
	return failed;
}
#else
static void km_faults_begin(struct kunit *test)
{
	kunit_skip(test, "needs CONFIG_FAILSLAB, its files in debugfs");
}

static bool km_start_with_fault(struct km *km, unsigned int nth, int *ret)
{
	return false;
}
#endif

/* Wherever memory runs out: nothing is left, and no device is past the MMU. */
static void km_test_faults(struct kunit *test)
{
	struct km *km = test->priv;
	unsigned int nth, failures = 0;
	int ret = 0;

	km_faults_begin(test);
	for (nth = 1; nth < KM_FAULTS; nth++) {
		bool failed = km_start_with_fault(km, nth, &ret);
		unsigned int i;

		failures += !!ret;
		for (i = 0; !ret && i < KM_DEVICES; i++)
			km_expect_dma(test, km->sub[i].dev);
		km_stop(km);
		KUNIT_ASSERT_EQ(test, km->domains, 0);
		KUNIT_ASSERT_NULL(test, km->hw);
		if (!failed)
			break;
	}
	KUNIT_EXPECT_EQ(test, ret, 0);
	KUNIT_EXPECT_LT(test, nth, KM_FAULTS);
	kunit_info(test, "%u of %u failed allocations were fatal\n", failures,
		   nth - 1);
	/* Each device alone needs more than ten. */
	KUNIT_EXPECT_GT(test, failures, 10 * KM_DEVICES);
}

/*
 * Drivers of the devices
 */

/* What the next probe of the test's auxiliary driver does, and finds */
static struct {
	int error;
	int mask_error;
	unsigned int probes;
	unsigned int removes;
} km_driver;

static int km_probe(struct auxiliary_device *aux,
		    const struct auxiliary_device_id *id)
{
	km_driver.probes++;
	/* As most drivers do; it is the next one's no more. */
	km_driver.mask_error = dma_set_mask_and_coherent(&aux->dev,
							 DMA_BIT_MASK(23));
	return km_driver.error;
}

static void km_remove(struct auxiliary_device *aux)
{
	km_driver.removes++;
}

static const struct auxiliary_device_id km_ids[] = {
	{ .name = KBUILD_MODNAME ".sub" },
	{ }
};

static struct auxiliary_driver km_aux_driver = {
	.name = "dma-mmu-test",
	.probe = km_probe,
	.remove = km_remove,
	.id_table = km_ids,
};

static void km_driver_end(void *unused)
{
	auxiliary_driver_unregister(&km_aux_driver);
}

static void km_driver_begin(struct kunit *test)
{
	memset(&km_driver, 0, sizeof(km_driver));
	KUNIT_ASSERT_EQ(test, auxiliary_driver_register(&km_aux_driver), 0);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, km_driver_end,
							NULL), 0);
}

static void km_test_bound(struct kunit *test)
{
	struct km *km;
	struct device *dev;
	struct iommu_group *group;

	km_driver_begin(test);
	km = km_begin(test, 1);
	dev = km->sub[0].dev;
	KUNIT_ASSERT_NOT_NULL(test, dev->driver);
	KUNIT_EXPECT_EQ(test, km_driver.mask_error, 0);
	KUNIT_EXPECT_EQ(test, dma_get_mask(dev), SZ_8M - 1);
	KUNIT_EXPECT_EQ(test, dma_mmu_unregister(&km->mmu), -EBUSY);

	/* Nobody else gets the group while the driver uses it. */
	group = iommu_group_get(dev);
	KUNIT_EXPECT_EQ(test, iommu_group_claim_dma_owner(group, test),
			-EPERM);
	device_release_driver(dev);
	KUNIT_EXPECT_EQ(test, km_driver.removes, 1);
	KUNIT_EXPECT_EQ(test, dma_get_mask(dev), SZ_64M - 1);
	KUNIT_EXPECT_EQ(test, iommu_group_claim_dma_owner(group, test), 0);
	KUNIT_EXPECT_EQ(test, km->blocked, 1);

	/* Nor does the driver while somebody else has it. */
	KUNIT_EXPECT_EQ(test, device_attach(dev), 1);
	KUNIT_EXPECT_EQ(test, km_driver.mask_error, -EIO);
	KUNIT_EXPECT_NULL(test, dev->dma_mask);
	device_release_driver(dev);
	iommu_group_release_dma_owner(group);
	KUNIT_EXPECT_EQ(test, device_attach(dev), 1);
	KUNIT_EXPECT_EQ(test, km_driver.mask_error, 0);
	iommu_group_put(group);
}

/* A probe that fails leaves the group to others. */
static void km_test_probe_fails(struct kunit *test)
{
	struct km *km;
	struct iommu_group *group;

	km_driver_begin(test);
	km_driver.error = -ENXIO;
	km = km_begin(test, 2);
	KUNIT_EXPECT_EQ(test, km_driver.probes, 2);
	KUNIT_EXPECT_NULL(test, km->sub[0].dev->driver);
	group = iommu_group_get(km->sub[0].dev);
	KUNIT_EXPECT_EQ(test, iommu_group_claim_dma_owner(group, test), 0);
	iommu_group_release_dma_owner(group);
	iommu_group_put(group);
	km_expect_dma(test, km->sub[0].dev);
}

static struct kunit_case km_cases[] = {
	KUNIT_CASE(km_test_incomplete),
	KUNIT_CASE(km_test_operations),
	KUNIT_CASE(km_test_parent),
	KUNIT_CASE(km_test_names),
	KUNIT_CASE(km_test_devices),
	KUNIT_CASE(km_test_path),
	KUNIT_CASE(km_test_others),
	KUNIT_CASE(km_test_add_refused),
	KUNIT_CASE(km_test_never_added),
	KUNIT_CASE(km_test_leave),
	KUNIT_CASE(km_test_again),
	KUNIT_CASE(km_test_sg),
	KUNIT_CASE(km_test_flush),
	KUNIT_CASE(km_test_coherent),
	KUNIT_CASE(km_test_pages_refused),
	KUNIT_CASE(km_test_pages_contiguous),
	KUNIT_CASE(km_test_noncontiguous),
	KUNIT_CASE(km_test_live),
	KUNIT_CASE(km_test_busy),
	KUNIT_CASE(km_test_leak),
	KUNIT_CASE(km_test_no_domain),
	KUNIT_CASE(km_test_no_attach),
	KUNIT_CASE_SLOW(km_test_faults),
	KUNIT_CASE(km_test_bound),
	KUNIT_CASE(km_test_probe_fails),
	{}
};

static struct kunit_suite km_suite = {
	.name = "dma-mmu",
	.init = km_init,
	.exit = km_exit,
	.test_cases = km_cases,
};

kunit_test_suite(km_suite);

MODULE_IMPORT_NS("EXPORTED_FOR_KUNIT_TESTING");
MODULE_DESCRIPTION("KUnit tests of MMUs that drivers bring for their devices");
MODULE_LICENSE("GPL");
