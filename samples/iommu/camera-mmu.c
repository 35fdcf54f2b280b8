// SPDX-License-Identifier: GPL-2.0-only
/*
 * The MMU of the camera: page tables and flushes
 *
 * The shared layer does the rest. Documentation/driver-api/dma-mmu.rst walks
 * through this file.
 */
#include <linux/device.h>
#include <linux/dma-mapping.h>
#include <linux/dma-mmu.h>
#include <linux/dma-noncoherent.h>
#include <linux/iommu.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#include "camera-core.h"
#include "camera-regs.h"

#define TABLE_ENTRIES	1024

struct camera_mmu {
	struct dma_mmu mmu;
	struct camera *camera;
	spinlock_t invalidation_lock;	/* CAM_MMU_INV_FIRST and what follows */
};

/* Tables are mapped for the function like any other memory that it reads. */
struct camera_table {
	__le32 *entries;
	dma_addr_t dma;
};

struct camera_domain {
	struct iommu_domain domain;
	struct camera *camera;
	spinlock_t lock;		/* tables that are added */
	struct camera_table top;
	struct camera_table tables[TABLE_ENTRIES];
};

static struct camera *to_camera(struct dma_mmu *mmu)
{
	return container_of(mmu, struct camera_mmu, mmu)->camera;
}

static struct camera_domain *to_camera_domain(struct iommu_domain *domain)
{
	return container_of(domain, struct camera_domain, domain);
}

static int table_init(struct camera *cam, struct camera_table *table, gfp_t gfp)
{
	table->entries = (void *)get_zeroed_page(gfp);
	if (!table->entries)
		return -ENOMEM;
	table->dma = dma_map_single(cam->dev, table->entries, SZ_4K,
				    DMA_TO_DEVICE);
	if (!dma_mapping_error(cam->dev, table->dma))
		return 0;
	free_page((unsigned long)table->entries);
	table->entries = NULL;
	return -ENOMEM;
}

static void table_free(struct camera *cam, struct camera_table *table)
{
	if (!table->entries)
		return;
	dma_unmap_single(cam->dev, table->dma, SZ_4K, DMA_TO_DEVICE);
	free_page((unsigned long)table->entries);
}

static void entries_sync(struct camera *cam, struct camera_table *table,
			 unsigned int index, unsigned int count)
{
	dma_sync_single_for_device(cam->dev, table->dma + index * 4, count * 4,
				   DMA_TO_DEVICE);
}

static struct camera_table *table_of(struct camera_domain *d,
				     unsigned long iova)
{
	struct camera_table *table = &d->tables[iova / SZ_4M];

	/* Pairs with table_make(): with the entries there is all else. */
	return smp_load_acquire(&table->entries) ? table : NULL;
}

/* The table for an IOVA, made now if need be */
static struct camera_table *table_make(struct camera_domain *d,
				       unsigned long iova, gfp_t gfp)
{
	struct camera_table *table = &d->tables[iova / SZ_4M], fresh;

	if (table_of(d, iova))
		return table;
	if (table_init(d->camera, &fresh, gfp))
		return NULL;
	scoped_guard(spinlock_irqsave, &d->lock) {
		if (table->entries)
			break;
		table->dma = fresh.dma;
		WRITE_ONCE(d->top.entries[iova / SZ_4M],
			   cpu_to_le32(CAM_PTE(fresh.dma) | CAM_PTE_VALID));
		entries_sync(d->camera, &d->top, iova / SZ_4M, 1);
		/* Pairs with table_of(): who sees the table, so does the MMU. */
		smp_store_release(&table->entries, fresh.entries);
		return table;
	}
	table_free(d->camera, &fresh);
	return table;
}

static unsigned int index_of(unsigned long iova)
{
	return iova / SZ_4K % TABLE_ENTRIES;
}

/* How many of the pages are in the table of the first; the core goes on. */
static unsigned int pages_in_table(unsigned long iova, size_t pages)
{
	return min(pages, TABLE_ENTRIES - index_of(iova));
}

static int camera_map_pages(struct iommu_domain *domain, unsigned long iova,
			    phys_addr_t paddr, size_t pgsize, size_t pgcount,
			    int prot, gfp_t gfp, size_t *mapped)
{
	u32 flags = CAM_PTE_VALID | (prot & IOMMU_WRITE ? CAM_PTE_WRITE : 0);
	unsigned int i, count = pages_in_table(iova, pgcount);
	u32 entry = CAM_PTE(paddr) | flags;
	struct camera_table *table;

	/* Entries have room for 40 bits. */
	if (((u64)paddr + count * SZ_4K - 1) >> 40)
		return -ERANGE;
	table = table_make(to_camera_domain(domain), iova, gfp);
	if (!table)
		return -ENOMEM;
	for (i = 0; i < count; i++, entry += CAM_PTE(SZ_4K))
		WRITE_ONCE(table->entries[index_of(iova) + i],
			   cpu_to_le32(entry));
	*mapped += count * SZ_4K;
	return 0;
}

/* Once for each mapping, of however many pieces it was made */
static int camera_iotlb_sync_map(struct iommu_domain *domain,
				 unsigned long iova, size_t size)
{
	struct camera_domain *d = to_camera_domain(domain);
	unsigned int count;

	for (; size; size -= count * SZ_4K, iova += count * SZ_4K) {
		count = pages_in_table(iova, size / SZ_4K);
		entries_sync(d->camera, table_of(d, iova), index_of(iova),
			     count);
	}
	return 0;
}

static size_t camera_unmap_pages(struct iommu_domain *domain,
				 unsigned long iova, size_t pgsize,
				 size_t pgcount,
				 struct iommu_iotlb_gather *gather)
{
	unsigned int i, count = pages_in_table(iova, pgcount);
	struct camera_domain *d = to_camera_domain(domain);
	struct camera_table *table = table_of(d, iova);

	if (!table)
		return 0;
	for (i = 0; i < count; i++)
		WRITE_ONCE(table->entries[index_of(iova) + i], 0);
	entries_sync(d->camera, table, index_of(iova), count);
	iommu_iotlb_gather_add_range(gather, iova, count * SZ_4K);
	return count * SZ_4K;
}

static phys_addr_t camera_iova_to_phys(struct iommu_domain *domain,
				       dma_addr_t iova)
{
	struct camera_table *table;
	u32 entry;

	/* Anybody may ask, for any address. */
	if (iova > U32_MAX)
		return 0;
	table = table_of(to_camera_domain(domain), iova);
	if (!table)
		return 0;
	entry = le32_to_cpu(READ_ONCE(table->entries[index_of(iova)]));
	return entry ? CAM_PTE_ADDR(entry) | iova % SZ_4K : 0;
}

/* An invalidation has ended when it has arrived: when a read has come back. */
static void camera_invalidate(struct camera *cam, u32 first, u32 last)
{
	guard(spinlock_irqsave)(&cam->mmu->invalidation_lock);
	writel(first, cam->regs + CAM_MMU_INV_FIRST);
	writel(last, cam->regs + CAM_MMU_INV_LAST);
	readl(cam->regs + CAM_MMU_CTRL);
}

static void camera_iotlb_sync(struct iommu_domain *domain,
			      struct iommu_iotlb_gather *gather)
{
	camera_invalidate(to_camera_domain(domain)->camera, gather->start,
			  gather->end);
}

static void camera_flush_iotlb_all(struct iommu_domain *domain)
{
	camera_invalidate(to_camera_domain(domain)->camera, 0, U32_MAX);
}

static void camera_domain_free(struct iommu_domain *domain)
{
	struct camera_domain *d = to_camera_domain(domain);
	unsigned int i;

	for (i = 0; i < TABLE_ENTRIES; i++)
		table_free(d->camera, &d->tables[i]);
	table_free(d->camera, &d->top);
	kvfree(d);
}

static struct iommu_domain *camera_domain_alloc(struct dma_mmu *mmu)
{
	struct camera_domain *d = kvzalloc_obj(*d);

	if (!d)
		return ERR_PTR(-ENOMEM);
	d->camera = to_camera(mmu);
	spin_lock_init(&d->lock);
	if (table_init(d->camera, &d->top, GFP_KERNEL)) {
		kvfree(d);
		return ERR_PTR(-ENOMEM);
	}
	return &d->domain;
}

static void camera_block(struct dma_mmu *mmu)
{
	struct camera *cam = to_camera(mmu);

	writel(0, cam->regs + CAM_MMU_CTRL);
	camera_invalidate(cam, 0, U32_MAX);
}

static int camera_attach(struct dma_mmu *mmu, struct iommu_domain *domain)
{
	struct camera *cam = to_camera(mmu);

	camera_block(mmu);
	writel(to_camera_domain(domain)->top.dma / SZ_4K,
	       cam->regs + CAM_MMU_TABLE);
	writel(CAM_MMU_ENABLE, cam->regs + CAM_MMU_CTRL);
	return 0;
}

static const struct dma_mmu_ops camera_mmu_ops = {
	.domain_alloc = camera_domain_alloc,
	.attach = camera_attach,
	.block = camera_block,
	.domain_ops = &(const struct iommu_domain_ops) {
		.map_pages = camera_map_pages,
		.iotlb_sync_map = camera_iotlb_sync_map,
		.unmap_pages = camera_unmap_pages,
		.iova_to_phys = camera_iova_to_phys,
		.iotlb_sync = camera_iotlb_sync,
		.flush_iotlb_all = camera_flush_iotlb_all,
		.free = camera_domain_free,
	},
};

int camera_mmu_init(struct camera *cam)
{
	cam->mmu = devm_kzalloc(cam->dev, sizeof(*cam->mmu), GFP_KERNEL);
	if (!cam->mmu)
		return -ENOMEM;
	cam->mmu->camera = cam;
	spin_lock_init(&cam->mmu->invalidation_lock);
	cam->mmu->mmu.ops = &camera_mmu_ops;
	cam->mmu->mmu.name = "mmu";
	cam->mmu->mmu.page_sizes = SZ_4K;
	cam->mmu->mmu.first = SZ_4K;
	cam->mmu->mmu.last = U32_MAX;
	return dma_mmu_register(&cam->mmu->mmu, cam->dev);
}

void camera_mmu_exit(struct camera *cam)
{
	dma_mmu_unregister(&cam->mmu->mmu);
}

int camera_mmu_add(struct camera *cam, struct device *unit)
{
	if (dma_is_noncoherent(cam->dev))
		dma_set_noncoherent(unit);
	return dma_mmu_add_device(&cam->mmu->mmu, unit);
}

int camera_mmu_check(struct camera *cam, struct device *unit)
{
	return dma_mmu_check_device(&cam->mmu->mmu, unit);
}

void camera_mmu_remove(struct camera *cam, struct device *unit)
{
	dma_mmu_remove_device(&cam->mmu->mmu, unit);
}
