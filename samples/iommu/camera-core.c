// SPDX-License-Identifier: GPL-2.0-only
/*
 * A driver for a PCI function with an own MMU: the function, its interrupt,
 * and the MMU, which serves a device for each channel
 *
 * The function exists in emulators only. Documentation/driver-api/dma-mmu.rst
 * walks through this file.
 */
#include <linux/dma-mapping.h>
#include <linux/dma-mmu.h>
#include <linux/dma-noncoherent.h>
#include <linux/interrupt.h>
#include <linux/iommu.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#include "camera-regs.h"
#include "camera.h"

#define CAMERA_UNITS	8
#define TABLE_ENTRIES	1024

struct camera {
	struct dma_mmu mmu;
	struct device *dev;
	void __iomem *regs;
	spinlock_t invalidation_lock;	/* CAM_MMU_INV_FIRST and what follows */
	unsigned int units;
	struct camera_unit *unit[CAMERA_UNITS];
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

/* Entries that follow each other: pages that do so, or none */
static void table_write(struct camera *cam, struct camera_table *table,
			unsigned int index, unsigned int count, u32 entry)
{
	unsigned int i;

	for (i = index; i < index + count; i++) {
		WRITE_ONCE(table->entries[i], cpu_to_le32(entry));
		if (entry)
			entry += CAM_PTE(SZ_4K);
	}
	dma_sync_single_for_device(cam->dev, table->dma + index * 4, count * 4,
				   DMA_TO_DEVICE);
}

static struct camera_table *table_of(struct camera_domain *d,
				     unsigned long iova)
{
	struct camera_table *table = &d->tables[iova / SZ_4M];

	/* Pairs with table_make(): with the entries there is .dma. */
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
		/* Pairs with table_of() */
		smp_store_release(&table->entries, fresh.entries);
		table_write(d->camera, &d->top, iova / SZ_4M, 1,
			    CAM_PTE(fresh.dma) | CAM_PTE_VALID);
		return table;
	}
	table_free(d->camera, &fresh);
	return table;
}

static int camera_map_pages(struct iommu_domain *domain, unsigned long iova,
			    phys_addr_t paddr, size_t pgsize, size_t pgcount,
			    int prot, gfp_t gfp, size_t *mapped)
{
	struct camera_domain *d = to_camera_domain(domain);
	u32 flags = CAM_PTE_VALID | (prot & IOMMU_WRITE ? CAM_PTE_WRITE : 0);
	struct camera_table *table;
	unsigned int index, count;

	/* Entries have room for 40 bits. */
	if (((u64)paddr + pgcount * SZ_4K - 1) >> 40)
		return -ERANGE;
	for (; pgcount; pgcount -= count, iova += count * SZ_4K) {
		index = iova / SZ_4K % TABLE_ENTRIES;
		count = min(pgcount, TABLE_ENTRIES - index);
		table = table_make(d, iova, gfp);
		if (!table)
			return -ENOMEM;
		table_write(d->camera, table, index, count,
			    CAM_PTE(paddr) | flags);
		paddr += count * SZ_4K;
		*mapped += count * SZ_4K;
	}
	return 0;
}

static size_t camera_unmap_pages(struct iommu_domain *domain,
				 unsigned long iova, size_t pgsize,
				 size_t pgcount,
				 struct iommu_iotlb_gather *gather)
{
	struct camera_domain *d = to_camera_domain(domain);
	size_t size = pgcount * SZ_4K;
	struct camera_table *table;
	unsigned int index, count;

	iommu_iotlb_gather_add_page(domain, gather, iova, size);
	for (; pgcount; pgcount -= count, iova += count * SZ_4K) {
		index = iova / SZ_4K % TABLE_ENTRIES;
		count = min(pgcount, TABLE_ENTRIES - index);
		table = table_of(d, iova);
		if (table)
			table_write(d->camera, table, index, count, 0);
	}
	return size;
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
	entry = le32_to_cpu(READ_ONCE(table->entries[iova / SZ_4K %
						     TABLE_ENTRIES]));
	return entry ? CAM_PTE_ADDR(entry) | iova % SZ_4K : 0;
}

/* An invalidation has ended when it has arrived: when a read has come back. */
static void camera_invalidate(struct camera *cam, u32 first, u32 last)
{
	guard(spinlock_irqsave)(&cam->invalidation_lock);
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
	d->camera = container_of(mmu, struct camera, mmu);
	spin_lock_init(&d->lock);
	if (table_init(d->camera, &d->top, GFP_KERNEL)) {
		kvfree(d);
		return ERR_PTR(-ENOMEM);
	}
	return &d->domain;
}

static void camera_block(struct dma_mmu *mmu)
{
	struct camera *cam = container_of(mmu, struct camera, mmu);

	writel(0, cam->regs + CAM_MMU_CTRL);
	camera_invalidate(cam, 0, U32_MAX);
}

static int camera_attach(struct dma_mmu *mmu, struct iommu_domain *domain)
{
	struct camera *cam = container_of(mmu, struct camera, mmu);

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
		.unmap_pages = camera_unmap_pages,
		.iova_to_phys = camera_iova_to_phys,
		.iotlb_sync = camera_iotlb_sync,
		.flush_iotlb_all = camera_flush_iotlb_all,
		.free = camera_domain_free,
	},
};

static irqreturn_t camera_interrupt(int irq, void *data)
{
	struct camera *cam = data;
	u32 status, fault;
	unsigned int i;

	/* A line may be shared, and others use it when this one is disabled. */
	status = readl(cam->regs + CAM_IRQ_STATUS) &
		 readl(cam->regs + CAM_IRQ_ENABLE);
	if (!status || status == U32_MAX)
		return IRQ_NONE;
	writel(status, cam->regs + CAM_IRQ_STATUS);
	if (status & CAM_IRQ_FAULT) {
		fault = readl(cam->regs + CAM_FAULT_STATUS);
		dev_err_ratelimited(cam->dev, "channel %u: %s of %#x: fault %u\n",
				    CAM_FAULT_CHANNEL(fault),
				    fault & CAM_FAULT_WRITE ? "write" : "read",
				    readl(cam->regs + CAM_FAULT_ADDR),
				    CAM_FAULT_WHY(fault));
		writel(0, cam->regs + CAM_FAULT_STATUS);
	}
	for (i = 0; i < cam->units; i++)
		wake_up(&cam->unit[i]->wait);
	return IRQ_HANDLED;
}

static void camera_unit_release(struct device *dev)
{
	kfree(container_of(dev, struct camera_unit, aux.dev));
}

static void camera_del_unit(struct camera *cam, struct camera_unit *unit)
{
	dma_mmu_remove_device(&cam->mmu, &unit->aux.dev);
	auxiliary_device_uninit(&unit->aux);
}

static void camera_del_units(struct camera *cam)
{
	unsigned int i;

	/* No interrupt wakes anybody any more. */
	writel(0, cam->regs + CAM_IRQ_ENABLE);
	synchronize_irq(pci_irq_vector(to_pci_dev(cam->dev), 0));
	while (cam->units) {
		i = --cam->units;
		auxiliary_device_delete(&cam->unit[i]->aux);
		camera_del_unit(cam, cam->unit[i]);
	}
}

static int camera_add_unit(struct camera *cam, unsigned int channel)
{
	struct camera_unit *unit = kzalloc_obj(*unit);
	int ret;

	if (!unit)
		return -ENOMEM;
	unit->regs = cam->regs + CAM_CH(channel);
	unit->captures = !(channel & 1);
	init_waitqueue_head(&unit->wait);
	unit->aux.name = unit->captures ? "capture" : "readback";
	unit->aux.id = pci_dev_id(to_pci_dev(cam->dev)) * CAMERA_UNITS + channel;
	unit->aux.dev.parent = cam->dev;
	unit->aux.dev.release = camera_unit_release;
	ret = auxiliary_device_init(&unit->aux);
	if (ret) {
		kfree(unit);
		return ret;
	}
	if (dma_is_noncoherent(cam->dev))
		dma_set_noncoherent(&unit->aux.dev);
	ret = dma_mmu_add_device(&cam->mmu, &unit->aux.dev);
	if (ret) {
		auxiliary_device_uninit(&unit->aux);
		return ret;
	}
	ret = auxiliary_device_add(&unit->aux);
	if (ret) {
		camera_del_unit(cam, unit);
		return ret;
	}
	cam->unit[channel] = unit;
	cam->units = channel + 1;
	return dma_mmu_check_device(&cam->mmu, &unit->aux.dev);
}

static int camera_add_units(struct camera *cam, unsigned int channels)
{
	unsigned int i;
	int ret = 0;

	for (i = 0; i < min(channels, CAMERA_UNITS) && !ret; i++)
		ret = camera_add_unit(cam, i);
	if (ret)
		camera_del_units(cam);
	else
		writel(U32_MAX, cam->regs + CAM_IRQ_ENABLE);
	return ret;
}

static int camera_init_function(struct camera *cam, struct pci_dev *pdev)
{
	int ret = pcim_enable_device(pdev);

	if (ret)
		return ret;
	cam->regs = pcim_iomap_region(pdev, 0, KBUILD_MODNAME);
	if (IS_ERR(cam->regs))
		return PTR_ERR(cam->regs);
	if (readl(cam->regs + CAM_ID) != CAM_ID_VALUE)
		return -ENODEV;
	writel(0, cam->regs + CAM_RESET);
	pci_set_master(pdev);
	if (!(readl(cam->regs + CAM_CAPS) & CAM_CAPS_COHERENT)) {
		ret = dma_set_noncoherent(&pdev->dev);
		if (ret)
			return ret;
	}
	ret = dma_set_mask_and_coherent(&pdev->dev, DMA_BIT_MASK(40));
	if (ret)
		return ret;
	ret = pci_alloc_irq_vectors(pdev, 1, 1, PCI_IRQ_ALL_TYPES);
	return ret < 0 ? ret : 0;
}

static int camera_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct camera *cam = devm_kzalloc(&pdev->dev, sizeof(*cam), GFP_KERNEL);
	int ret;

	if (!cam)
		return -ENOMEM;
	cam->dev = &pdev->dev;
	spin_lock_init(&cam->invalidation_lock);
	pci_set_drvdata(pdev, cam);
	ret = camera_init_function(cam, pdev);
	if (ret)
		return ret;
	ret = request_irq(pci_irq_vector(pdev, 0), camera_interrupt,
			  IRQF_SHARED, KBUILD_MODNAME, cam);
	if (ret)
		goto free_vectors;
	cam->mmu.ops = &camera_mmu_ops;
	cam->mmu.name = "mmu";
	cam->mmu.page_sizes = SZ_4K;
	cam->mmu.first = SZ_4K;
	cam->mmu.last = U32_MAX;
	ret = dma_mmu_register(&cam->mmu, cam->dev);
	if (ret)
		goto free_interrupt;
	ret = camera_add_units(cam,
			       CAM_CAPS_CHANNELS(readl(cam->regs + CAM_CAPS)));
	if (!ret)
		return 0;
	dma_mmu_unregister(&cam->mmu);
free_interrupt:
	free_irq(pci_irq_vector(pdev, 0), cam);
free_vectors:
	pci_free_irq_vectors(pdev);
	return ret;
}

static void camera_remove(struct pci_dev *pdev)
{
	struct camera *cam = pci_get_drvdata(pdev);

	camera_del_units(cam);
	dma_mmu_unregister(&cam->mmu);
	free_irq(pci_irq_vector(pdev, 0), cam);
	pci_free_irq_vectors(pdev);
}

static const struct pci_device_id camera_ids[] = {
	{ PCI_DEVICE(CAM_VENDOR_ID, CAM_DEVICE_ID) },
	{ }
};
MODULE_DEVICE_TABLE(pci, camera_ids);

static struct pci_driver camera_driver = {
	.name = KBUILD_MODNAME,
	.id_table = camera_ids,
	.probe = camera_probe,
	.remove = camera_remove,
};

static int __init camera_init(void)
{
	int ret = auxiliary_driver_register(&camera_unit_driver);

	if (ret)
		return ret;
	ret = pci_register_driver(&camera_driver);
	if (ret)
		auxiliary_driver_unregister(&camera_unit_driver);
	return ret;
}
module_init(camera_init);

static void __exit camera_exit(void)
{
	pci_unregister_driver(&camera_driver);
	auxiliary_driver_unregister(&camera_unit_driver);
}
module_exit(camera_exit);

MODULE_DESCRIPTION("Sample: a PCI function with an own MMU");
MODULE_IMPORT_NS("DMA_BUF");
MODULE_LICENSE("GPL");
