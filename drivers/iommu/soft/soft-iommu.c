// SPDX-License-Identifier: GPL-2.0-only
/*
 * An IOMMU made of software, for tests and benchmarks of the DMA API.
 *
 * It is an ordinary IOMMU driver: devices that a test creates are probed by
 * the core, get a group and a default domain, and dma_map_*() on them runs
 * through dma-iommu into a page table that nobody walks. A flush takes the
 * time that the test says, and is counted.
 *
 * On demand, a domain has an IOTLB. A test plays the device by calling
 * soft_iommu_access(), which answers from the IOTLB, stale or not. The model
 * is the least that hardware has to promise: what was cached when a flush
 * begins is gone when the flush ends, no sooner; what is cached while a flush
 * runs may outlive it.
 */

#include <linux/cleanup.h>
#include <linux/dma-mapping.h>
#include <linux/generic_pt/iommu.h>
#include <linux/init.h>
#include <linux/iommu.h>
#include <linux/ktime.h>
#include <linux/list.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/percpu.h>
#include <linux/platform_device.h>
#include <linux/property.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#include "../iommu-pages.h"
#include "../iommu-priv.h"
#include "soft-iommu.h"

#define SOFT_PAGE_SHIFT	12
#define SOFT_PAGE_MASK	(~((1ULL << SOFT_PAGE_SHIFT) - 1))
/* A table has 512 entries of 8 bytes */
#define SOFT_TABLE_SHIFT	9
#define SOFT_PTE_PRESENT	BIT_ULL(0)
/* In all but the lowest level, where nobody sets it */
#define SOFT_PTE_LARGE		BIT_ULL(7)
#define SOFT_PTE_ADDRESS	GENMASK_ULL(51, 12)

/* One slot of the IOTLB: a page, or nothing while @era is 0 */
struct soft_iotlb_slot {
	u64 iova;
	phys_addr_t phys;
	u64 era;
};

/* The IOTLB of a domain; a page has one slot in which it can be */
struct soft_iotlb {
	/* Protects all below, and keeps flushes out while a table is walked */
	spinlock_t lock;
	/* Number of flushes that have begun, plus 1 */
	u64 era;
	unsigned long mask;
	struct soft_iotlb_slot slots[];
};

struct soft_domain {
	union {
		struct iommu_domain domain;
		struct pt_iommu_x86_64 pt;
	};
	/* Held over each flush when config.serial says so */
	spinlock_t flush_lock;
	struct soft_iommu_config config;
	struct soft_iommu_counts __percpu *counts;
	struct soft_iotlb *iotlb;
};

PT_IOMMU_CHECK_DOMAIN(struct soft_domain, pt.iommu, domain);

struct soft_device {
	struct platform_device *pdev;
	struct device *peer;
	struct soft_iommu_config config;
	/* NULL while identity or blocked; changes under the group's mutex */
	struct soft_domain *domain;
};

static struct iommu_device soft_iommu;

static struct soft_domain *to_soft_domain(struct iommu_domain *domain)
{
	return container_of(domain, struct soft_domain, domain);
}

static struct soft_device *to_soft_device(struct device *dev)
{
	return *(struct soft_device **)dev_get_platdata(dev);
}

/* The IOTLB */

static struct soft_iotlb *soft_iotlb_alloc(unsigned int lg2)
{
	struct soft_iotlb *tlb;

	tlb = kvzalloc(struct_size(tlb, slots, BIT(lg2)), GFP_KERNEL);
	if (!tlb)
		return NULL;
	spin_lock_init(&tlb->lock);
	tlb->era = 1;
	tlb->mask = BIT(lg2) - 1;
	return tlb;
}

static struct soft_iotlb_slot *soft_iotlb_slot(struct soft_iotlb *tlb,
					       u64 iova)
{
	return &tlb->slots[(iova >> SOFT_PAGE_SHIFT) & tlb->mask];
}

/* A flush begins; returns the last era of the entries that it removes */
static u64 soft_iotlb_begin(struct soft_iotlb *tlb)
{
	guard(spinlock_irqsave)(&tlb->lock);
	return tlb->era++;
}

static void soft_iotlb_drop(struct soft_iotlb_slot *slot, u64 start, u64 last,
			    u64 era)
{
	if (slot->era <= era && slot->iova >= start && slot->iova <= last)
		slot->era = 0;
}

/* A flush ends, of all from @start to the page that holds @last */
static void soft_iotlb_end(struct soft_iotlb *tlb, u64 start, u64 last,
			   u64 era)
{
	unsigned long i;
	u64 iova;

	start &= SOFT_PAGE_MASK;
	guard(spinlock_irqsave)(&tlb->lock);
	if ((last - start) >> SOFT_PAGE_SHIFT > tlb->mask) {
		for (i = 0; i <= tlb->mask; i++)
			soft_iotlb_drop(&tlb->slots[i], start, last, era);
		return;
	}
	for (iova = start; iova - start <= last - start;
	     iova += BIT(SOFT_PAGE_SHIFT))
		soft_iotlb_drop(soft_iotlb_slot(tlb, iova), start, last, era);
}

/**
 * soft_iommu_access - read or write memory as a device does
 * @dev: a device made by soft_iommu_device_create()
 * @iova: the address that the device uses
 * @phys: where to store the physical address that it reaches
 *
 * The translation comes from the IOTLB, however old it is, and otherwise from
 * the page table. In the second case it stays in the IOTLB until it is flushed
 * or another page needs its slot.
 *
 * Context: Any; any number of CPUs, beside any other call of the DMA API. The
 * device must neither go away nor change its domain meanwhile.
 *
 * Return: 1 when the IOTLB had the translation, 0 when it came from the page
 * table, -EFAULT when there is none, -EOPNOTSUPP for a domain without IOTLB.
 */
int soft_iommu_access(struct device *dev, dma_addr_t iova, phys_addr_t *phys)
{
	struct soft_domain *domain = to_soft_device(dev)->domain;
	u64 page = iova & SOFT_PAGE_MASK;
	struct soft_iotlb_slot *slot;
	int hit = 1;

	if (!domain || !domain->iotlb)
		return -EOPNOTSUPP;

	/*
	 * The lock makes the walk safe: the page table's pages may be freed
	 * once a flush has begun, soft_iotlb_begin(), and has ended.
	 */
	guard(spinlock_irqsave)(&domain->iotlb->lock);
	slot = soft_iotlb_slot(domain->iotlb, page);
	if (!slot->era || slot->iova != page) {
		phys_addr_t found;

		found = pt_iommu_x86_64_iova_to_phys(&domain->domain, page);
		if (!found)
			return -EFAULT;
		*slot = (struct soft_iotlb_slot){
			.iova = page,
			.phys = found,
			.era = domain->iotlb->era,
		};
		hit = 0;
	}
	*phys = slot->phys + (iova - page);
	return hit;
}
EXPORT_SYMBOL_GPL(soft_iommu_access);

/**
 * soft_iommu_walk - find the entry of the page table for an address
 * @dev: a device made by soft_iommu_device_create()
 * @iova: the address that the device uses
 * @phys: where to store the physical address
 *
 * Reads the table bit by bit, as the manuals say that hardware does, so that
 * it is a witness of what the code that writes tables has done.
 *
 * Context: Any. Nothing of the domain may be mapped or unmapped meanwhile.
 *
 * Return: bytes that the entry is for, 0 when there is none.
 */
size_t soft_iommu_walk(struct device *dev, dma_addr_t iova, phys_addr_t *phys)
{
	struct soft_domain *domain = to_soft_device(dev)->domain;
	struct pt_iommu_x86_64_hw_info info;
	unsigned int level, shift;
	u64 entry;

	if (!domain)
		return 0;
	pt_iommu_x86_64_hw_info(&domain->pt, &info);
	entry = info.gcr3_pt;
	for (level = info.levels; level--;) {
		const u64 *table = phys_to_virt(entry & SOFT_PTE_ADDRESS);

		shift = SOFT_PAGE_SHIFT + level * SOFT_TABLE_SHIFT;
		entry = READ_ONCE(table[(iova >> shift) &
					(BIT(SOFT_TABLE_SHIFT) - 1)]);
		if (!(entry & SOFT_PTE_PRESENT))
			return 0;
		if (entry & SOFT_PTE_LARGE)
			break;
	}
	*phys = (entry & SOFT_PTE_ADDRESS & ~(BIT_ULL(shift) - 1)) |
		(iova & (BIT_ULL(shift) - 1));
	return BIT(shift);
}
EXPORT_SYMBOL_GPL(soft_iommu_walk);

/* Flushes */

/* By the clock, because loops are badly calibrated on a busy machine */
static void soft_wait(unsigned int ns)
{
	u64 begin;

	if (!ns)
		return;
	begin = ktime_get_ns();
	while (ktime_get_ns() - begin < ns)
		cpu_relax();
}

static void soft_flush_now(struct soft_domain *domain, u64 start, u64 last)
{
	u64 era = 0;

	if (domain->iotlb)
		era = soft_iotlb_begin(domain->iotlb);
	soft_wait(domain->config.flush_ns);
	if (domain->iotlb)
		soft_iotlb_end(domain->iotlb, start, last, era);
}

static void soft_flush(struct soft_domain *domain, u64 start, u64 last)
{
	if (domain->config.serial) {
		guard(spinlock_irqsave)(&domain->flush_lock);
		soft_flush_now(domain, start, last);
	} else {
		soft_flush_now(domain, start, last);
	}
}

static void soft_flush_iotlb_all(struct iommu_domain *iommu_domain)
{
	struct soft_domain *domain = to_soft_domain(iommu_domain);

	this_cpu_inc(domain->counts->all);
	soft_flush(domain, 0, U64_MAX);
}

static void soft_iotlb_sync(struct iommu_domain *iommu_domain,
			    struct iommu_iotlb_gather *gather)
{
	struct soft_domain *domain = to_soft_domain(iommu_domain);

	this_cpu_inc(domain->counts->ranged);
	this_cpu_add(domain->counts->pages,
		     (gather->end >> SOFT_PAGE_SHIFT) -
		     (gather->start >> SOFT_PAGE_SHIFT) + 1);
	soft_flush(domain, gather->start, gather->end);
	iommu_put_pages_list(&gather->freelist);
}

static int soft_iotlb_sync_map(struct iommu_domain *iommu_domain,
			       unsigned long iova, size_t size)
{
	struct soft_domain *domain = to_soft_domain(iommu_domain);

	this_cpu_inc(domain->counts->maps);
	soft_flush(domain, iova, iova + size - 1);
	return 0;
}

/**
 * soft_iommu_read_counts - how often a device's domain was flushed
 * @dev: a device made by soft_iommu_device_create()
 * @counts: where to store the sums since the domain was made
 *
 * Context: Any. Sums that other CPUs are adding to may lag behind.
 */
void soft_iommu_read_counts(struct device *dev,
			    struct soft_iommu_counts *counts)
{
	struct soft_domain *domain = to_soft_device(dev)->domain;
	int cpu;

	*counts = (struct soft_iommu_counts){};
	if (!domain)
		return;
	for_each_possible_cpu(cpu) {
		const struct soft_iommu_counts *c;

		c = per_cpu_ptr(domain->counts, cpu);
		counts->all += READ_ONCE(c->all);
		counts->ranged += READ_ONCE(c->ranged);
		counts->pages += READ_ONCE(c->pages);
		counts->maps += READ_ONCE(c->maps);
	}
}
EXPORT_SYMBOL_GPL(soft_iommu_read_counts);

/* Domains */

static int soft_attach(struct iommu_domain *iommu_domain, struct device *dev,
		       struct iommu_domain *old)
{
	struct soft_device *soft = to_soft_device(dev);
	int ret = 0;

	if (soft->config.attach)
		ret = soft->config.attach(iommu_domain, dev);
	if (!ret)
		soft->domain = to_soft_domain(iommu_domain);
	return ret;
}

static int soft_attach_static(struct iommu_domain *iommu_domain,
			      struct device *dev, struct iommu_domain *old)
{
	to_soft_device(dev)->domain = NULL;
	return 0;
}

static void soft_domain_free(struct iommu_domain *iommu_domain)
{
	struct soft_domain *domain = to_soft_domain(iommu_domain);

	pt_iommu_deinit(&domain->pt.iommu);
	free_percpu(domain->counts);
	kvfree(domain->iotlb);
	kfree(domain);
}

static const struct iommu_domain_ops soft_domain_ops = {
	IOMMU_PT_DOMAIN_OPS(x86_64),
	.attach_dev = soft_attach,
	.flush_iotlb_all = soft_flush_iotlb_all,
	.iotlb_sync = soft_iotlb_sync,
	.free = soft_domain_free,
};

static const struct iommu_domain_ops soft_caching_domain_ops = {
	IOMMU_PT_DOMAIN_OPS(x86_64),
	.attach_dev = soft_attach,
	.flush_iotlb_all = soft_flush_iotlb_all,
	.iotlb_sync = soft_iotlb_sync,
	.iotlb_sync_map = soft_iotlb_sync_map,
	.free = soft_domain_free,
};

static const struct iommu_domain_ops soft_static_domain_ops = {
	.attach_dev = soft_attach_static,
};

static struct iommu_domain soft_identity_domain = {
	.type = IOMMU_DOMAIN_IDENTITY,
	.ops = &soft_static_domain_ops,
};

static struct iommu_domain soft_blocked_domain = {
	.type = IOMMU_DOMAIN_BLOCKED,
	.ops = &soft_static_domain_ops,
};

static int soft_domain_init(struct soft_domain *domain, struct device *dev)
{
	static const struct pt_iommu_x86_64_cfg cfg = {
		.common.features = BIT(PT_FEAT_FLUSH_RANGE),
		.common.hw_max_vasz_lg2 = 47,
		.common.hw_max_oasz_lg2 = 52,
		.top_level = 3,
	};
	unsigned int lg2 = domain->config.iotlb_lg2;
	int ret;

	domain->counts = alloc_percpu(struct soft_iommu_counts);
	if (!domain->counts)
		return -ENOMEM;
	if (lg2) {
		domain->iotlb = soft_iotlb_alloc(lg2);
		if (!domain->iotlb)
			return -ENOMEM;
	}
	domain->pt.iommu.nid = dev_to_node(dev);
	ret = pt_iommu_x86_64_init(&domain->pt, &cfg, GFP_KERNEL);
	if (!ret && domain->config.pgsizes)
		domain->domain.pgsize_bitmap &= domain->config.pgsizes | SZ_4K;
	return ret;
}

static struct iommu_domain *soft_domain_alloc(struct device *dev)
{
	struct soft_device *soft = to_soft_device(dev);
	struct soft_domain *domain;
	int ret;

	domain = kzalloc_obj(*domain);
	if (!domain)
		return ERR_PTR(-ENOMEM);
	spin_lock_init(&domain->flush_lock);
	domain->config = soft->config;
	domain->domain.ops = soft->config.caching ? &soft_caching_domain_ops
						  : &soft_domain_ops;
	ret = soft_domain_init(domain, dev);
	if (ret) {
		soft_domain_free(&domain->domain);
		return ERR_PTR(ret);
	}
	return &domain->domain;
}

/* Devices */

static struct iommu_device *soft_probe_device(struct device *dev)
{
	struct soft_device *soft = to_soft_device(dev);

	dev->iommu->pci_32bit_workaround = soft->config.low_first;
#ifdef CONFIG_IOMMU_IOVA_ARENA
	dev->iommu->iova_rcache = soft->config.stock;
#endif
	return &soft_iommu;
}

static struct iommu_group *soft_device_group(struct device *dev)
{
	struct soft_device *soft = to_soft_device(dev);

	if (soft->peer)
		return iommu_group_get(soft->peer);
	return generic_device_group(dev);
}

static int soft_def_domain_type(struct device *dev)
{
	switch (to_soft_device(dev)->config.mode) {
	case SOFT_IOMMU_LAZY:
		return IOMMU_DOMAIN_DMA_FQ;
	case SOFT_IOMMU_IDENTITY:
		return IOMMU_DOMAIN_IDENTITY;
	default:
		return IOMMU_DOMAIN_DMA;
	}
}

static bool soft_capable(struct device *dev, enum iommu_cap cap)
{
	return cap == IOMMU_CAP_CACHE_COHERENCY ||
	       cap == IOMMU_CAP_DEFERRED_FLUSH ||
	       to_soft_device(dev)->config.caps & BIT(cap);
}

static void soft_get_resv_regions(struct device *dev, struct list_head *head)
{
	u64 start = to_soft_device(dev)->config.reserved;
	struct iommu_resv_region *region;

	if (!start)
		return;
	region = iommu_alloc_resv_region(start, PAGE_SIZE,
					 IOMMU_READ | IOMMU_WRITE,
					 IOMMU_RESV_DIRECT, GFP_KERNEL);
	if (region)
		list_add_tail(&region->list, head);
}

static const struct iommu_ops soft_iommu_ops = {
	.capable = soft_capable,
	.domain_alloc_paging = soft_domain_alloc,
	.probe_device = soft_probe_device,
	.device_group = soft_device_group,
	.def_domain_type = soft_def_domain_type,
	.get_resv_regions = soft_get_resv_regions,
	.identity_domain = &soft_identity_domain,
	.blocked_domain = &soft_blocked_domain,
	.release_domain = &soft_blocked_domain,
	.default_domain_ops = &soft_domain_ops,
};

/* Make the core find this driver for a device that is not yet added */
static int soft_bind(struct device *dev)
{
	guard(mutex)(&iommu_probe_device_lock);
	return iommu_fwspec_init(dev, soft_iommu.fwnode);
}

/* After this, the device belongs to @soft, and @soft to the caller */
static int soft_device_add(struct soft_device *soft)
{
	struct platform_device *pdev = soft->pdev;
	struct device *dev = &pdev->dev;
	int ret;

	ret = platform_device_add_data(pdev, &soft, sizeof(soft));
	if (ret)
		return ret;
	ret = soft_bind(dev);
	if (ret)
		return ret;
	ret = platform_device_add(pdev);
	if (ret) {
		if (dev->iommu)
			dev_iommu_free(dev);
		return ret;
	}
	if (!dev->iommu_group) {
		platform_device_del(pdev);
		return -ENODEV;
	}
	return 0;
}

/**
 * soft_iommu_device_create - make a device that the software IOMMU serves
 * @config: what it and its domain are like
 * @peer: a device of this kind whose group and domain it shares, or NULL
 *
 * The device has no driver and needs none to be used with the DMA API.
 *
 * Context: May sleep; neither a device's lock nor the IOMMU core's are held.
 *
 * Return: the device, or an error pointer.
 */
struct device *soft_iommu_device_create(const struct soft_iommu_config *config,
					struct device *peer)
{
	unsigned int bits = config->dma_bits ?: 64;
	struct soft_device *soft;
	int ret = -ENOMEM;

	soft = kzalloc_obj(*soft);
	if (!soft)
		return ERR_PTR(-ENOMEM);
	soft->config = *config;
	soft->peer = peer;
	soft->pdev = platform_device_alloc("soft-iommu-device",
					   PLATFORM_DEVID_AUTO);
	if (!soft->pdev)
		goto err_free;
	ret = soft_device_add(soft);
	if (ret)
		goto err_put;
	/* Neither can fail, the IOMMU reaches all memory. */
	dma_set_mask_and_coherent(&soft->pdev->dev, DMA_BIT_MASK(bits));
	dma_set_max_seg_size(&soft->pdev->dev, UINT_MAX);
	return &soft->pdev->dev;

err_put:
	platform_device_put(soft->pdev);
err_free:
	kfree(soft);
	return ERR_PTR(ret);
}
EXPORT_SYMBOL_GPL(soft_iommu_device_create);

/**
 * soft_iommu_device_destroy - remove a device
 * @dev: a device made by soft_iommu_device_create()
 *
 * With the last device of a group its domain goes away. Nothing may be mapped.
 *
 * Context: May sleep.
 */
void soft_iommu_device_destroy(struct device *dev)
{
	struct soft_device *soft = to_soft_device(dev);

	platform_device_unregister(soft->pdev);
	kfree(soft);
}
EXPORT_SYMBOL_GPL(soft_iommu_device_destroy);

static int __init soft_iommu_init(void)
{
	int ret;

	soft_iommu.fwnode = fwnode_create_software_node(NULL, NULL);
	if (IS_ERR(soft_iommu.fwnode))
		return PTR_ERR(soft_iommu.fwnode);
	ret = iommu_device_sysfs_add(&soft_iommu, NULL, NULL, "soft-iommu");
	if (ret)
		goto err_node;
	ret = iommu_device_register(&soft_iommu, &soft_iommu_ops, NULL);
	if (ret)
		goto err_sysfs;
	return 0;

err_sysfs:
	iommu_device_sysfs_remove(&soft_iommu);
err_node:
	fwnode_remove_software_node(soft_iommu.fwnode);
	return ret;
}
device_initcall(soft_iommu_init);

MODULE_IMPORT_NS("GENERIC_PT_IOMMU");
