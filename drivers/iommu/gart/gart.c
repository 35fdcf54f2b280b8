// SPDX-License-Identifier: GPL-2.0-only
/*
 * The GART of AMD northbridges, K8 to family 15h, as an IOMMU.
 *
 * It translates what devices access in one range of addresses below 4 GiB, the
 * aperture; all others pass unchanged. So devices have a direct window below the
 * aperture and one above, and the aperture is a translated window. All devices
 * share it: there is one group, and no protection. Early code has found room
 * for the aperture, in arch/x86/kernel/aperture_64.c.
 */
#define pr_fmt(fmt) "gart: " fmt

#include <linux/bitmap.h>
#include <linux/cleanup.h>
#include <linux/crash_dump.h>
#include <linux/dma-window.h>
#include <linux/gfp.h>
#include <linux/init.h>
#include <linux/io.h>
#include <linux/iommu.h>
#include <linux/iommu-words.h>
#include <linux/ioport.h>
#include <linux/kstrtox.h>
#include <linux/mm.h>
#include <linux/pci.h>
#include <linux/pfn.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <linux/syscore_ops.h>
#include <asm/amd/nb.h>
#include <asm/dma.h>
#include <asm/gart.h>
#include <asm/iommu.h>
#include <asm/set_memory.h>
#include <asm/x86_init.h>

#include "../iommu-priv.h"
#include "gart-core.h"

/* Less is soon exhausted. */
#define GART_WINDOW_FAIR	SZ_64M
#define GART_WINDOW_MIN		SZ_1M
/* Free in the table of a kernel that has crashed, else it is not adopted */
#define GART_ADOPT_MIN		SZ_4M

static struct gart_hw gart_hw;
static struct pci_dev *gart_nodes[GART_NODES_MAX];
static struct flat_pt gart_pt;
static struct iommu_device gart_iommu;
/* The part of the aperture that is used, at its end */
static u64 gart_first, gart_last;
static unsigned long gart_size __initdata;
static void *gart_scratch __initdata;
/* By MB of the aperture, what a kernel has mapped that has crashed */
static unsigned long *gart_kept;

/* The aperture has one table. */
static struct iommu_domain *gart_domain;
static DEFINE_MUTEX(gart_domain_lock);
static bool gart_has_windows;

static int gart_config_read(struct gart_hw *hw, unsigned int node, int reg,
			    u32 *value)
{
	return pci_read_config_dword(gart_nodes[node], reg, value);
}

static int gart_config_write(struct gart_hw *hw, unsigned int node, int reg,
			     u32 value)
{
	return pci_write_config_dword(gart_nodes[node], reg, value);
}

static const struct gart_hw_ops gart_config_ops = {
	.read = gart_config_read,
	.write = gart_config_write,
};

/* Domains */

static int gart_map(struct iommu_domain *domain, unsigned long iova,
		    phys_addr_t phys, size_t pgsize, size_t pgcount, int prot,
		    gfp_t gfp, size_t *mapped)
{
	const struct flat_pt pt = gart_known_table(&gart_pt);

	/* Nobody has said what becomes of an access that ends at a device. */
	if (prot & IOMMU_MMIO)
		return -EOPNOTSUPP;
	return flat_pt_map_inline(&pt, iova, phys, pgcount, prot, mapped);
}

/* Only now are all entries stored; elements of a list may share lines. */
static int gart_sync_map(struct iommu_domain *domain, unsigned long iova,
			 size_t size)
{
	return size ? gart_use(&gart_hw, iova, size) : 0;
}

static size_t gart_unmap(struct iommu_domain *domain, unsigned long iova,
			 size_t pgsize, size_t pgcount,
			 struct iommu_iotlb_gather *gather)
{
	const struct flat_pt pt = gart_known_table(&gart_pt);
	size_t size = flat_pt_unmap_inline(&pt, iova, pgcount);

	if (!size)
		return 0;
	gart_leave(&gart_hw, iova, size);
	iommu_iotlb_gather_add_range(gather, iova, size);
	return size;
}

/*
 * Nobody hears of it when these fail. That keeps no address from being used
 * again: what was left before the last good flush is flushed for the next
 * mapping, which fails if that cannot be done.
 */
static void gart_flush_all(struct iommu_domain *domain)
{
	gart_flush(&gart_hw);
}

static void gart_sync(struct iommu_domain *domain,
		      struct iommu_iotlb_gather *gather)
{
	gart_flush(&gart_hw);
}

static phys_addr_t gart_iova_to_phys(struct iommu_domain *domain,
				     dma_addr_t iova)
{
	return flat_pt_iova_to_phys(&gart_pt, iova);
}

static int gart_set_windows(struct iommu_domain *domain)
{
	const struct dma_window windows[] = { {
		.first = gart_first,
		.last = gart_last,
		.kind = DMA_WINDOW_TRANSLATED,
		.own = true,
		.line = GART_LINE_BYTES,
	}, {
		.first = 0,
		.last = gart_hw.first - 1,
		.kind = DMA_WINDOW_DIRECT,
	}, {
		.first = gart_hw.first + gart_hw.bytes,
		.last = U64_MAX,
		.phys = gart_hw.first + gart_hw.bytes,
		.kind = DMA_WINDOW_DIRECT,
	} };

	/* "iommu=force": nothing is direct. */
	return iommu_dma_set_windows(domain, windows,
				     force_iommu ? 1 : ARRAY_SIZE(windows));
}

static int gart_attach(struct iommu_domain *domain, struct device *dev,
		       struct iommu_domain *old)
{
	int ret;

	guard(mutex)(&gart_domain_lock);
	if (domain->cookie_type != IOMMU_COOKIE_DMA_IOVA || gart_has_windows)
		return 0;
	ret = gart_set_windows(domain);
	gart_has_windows = !ret;
	return ret;
}

static void gart_domain_free(struct iommu_domain *domain)
{
	guard(mutex)(&gart_domain_lock);
	if (!gart_kept)
		flat_pt_clear(&gart_pt);
	gart_leave(&gart_hw, gart_hw.first, gart_hw.bytes);
	gart_flush(&gart_hw);
	gart_domain = NULL;
	gart_has_windows = false;
	kfree(domain);
}

static struct iommu_domain *gart_domain_alloc(struct device *dev)
{
	struct iommu_domain *domain;

	guard(mutex)(&gart_domain_lock);
	if (gart_domain)
		return ERR_PTR(-EBUSY);
	domain = kzalloc_obj(*domain);
	if (!domain)
		return ERR_PTR(-ENOMEM);
	domain->pgsize_bitmap = SZ_4K;
	domain->geometry.aperture_start = gart_first;
	domain->geometry.aperture_end = gart_last;
	domain->geometry.force_aperture = true;
	gart_domain = domain;
	return domain;
}

static int gart_identity_attach(struct iommu_domain *domain,
				struct device *dev, struct iommu_domain *old)
{
	return 0;
}

static struct iommu_domain gart_identity = {
	.type = IOMMU_DOMAIN_IDENTITY,
	.ops = &(const struct iommu_domain_ops){
		.attach_dev = gart_identity_attach,
	},
};

/* Devices */

static struct iommu_device *gart_probe_device(struct device *dev)
{
	if (!dev_is_pci(dev))
		return ERR_PTR(-ENODEV);
#ifdef CONFIG_PCI_ATS
	/* Nobody here translates for it; a reset would look for a way to block. */
	to_pci_dev(dev)->ats_cap = 0;
#endif
	return &gart_iommu;
}

static void gart_get_resv_regions(struct device *dev, struct list_head *head)
{
	unsigned int from, to;

	if (!gart_kept)
		return;
	for_each_set_bitrange(from, to, gart_kept, gart_hw.bytes / SZ_1M) {
		struct iommu_resv_region *region;

		region = iommu_alloc_resv_region(gart_hw.first + from * SZ_1M,
						 (size_t)(to - from) * SZ_1M, 0,
						 IOMMU_RESV_RESERVED, GFP_KERNEL);
		/* What is mapped twice there is refused by flat-pt. */
		if (region)
			list_add_tail(&region->list, head);
	}
}

static bool gart_capable(struct device *dev, enum iommu_cap cap)
{
	/* No cache coherency, which user space would take for isolation. */
	return cap == IOMMU_CAP_DEFERRED_FLUSH;
}

/* What pass-through is for, direct windows do. */
static int gart_def_domain_type(struct device *dev)
{
	return iommu_default_passthrough() ? iommu_dma_domain_type() : 0;
}

static const struct iommu_ops gart_ops = {
	.capable = gart_capable,
	.domain_alloc_paging = gart_domain_alloc,
	.probe_device = gart_probe_device,
	.device_group = generic_single_device_group,
	.get_resv_regions = gart_get_resv_regions,
	.def_domain_type = gart_def_domain_type,
	.identity_domain = &gart_identity,
	.default_domain_ops = &(const struct iommu_domain_ops){
		.attach_dev = gart_attach,
		.map_pages = gart_map,
		.unmap_pages = gart_unmap,
		.iotlb_sync_map = gart_sync_map,
		.iotlb_sync = gart_sync,
		.flush_iotlb_all = gart_flush_all,
		.iova_to_phys = gart_iova_to_phys,
		.free = gart_domain_free,
	},
};

/* Set-up */

/*
 * All that there are: those whose processors this kernel does not use translate
 * for their buses, too.
 */
static unsigned int __init gart_find_nodes(void)
{
	struct pci_dev *pdev;
	unsigned int n;

	for (n = 0; n < GART_NODES_MAX; n++) {
		pdev = pci_get_domain_bus_and_slot(0, 0, PCI_DEVFN(0x18 + n, 3));
		if (!pdev ||
		    !early_is_amd_nb((u32)pdev->device << 16 | pdev->vendor)) {
			pci_dev_put(pdev);
			break;
		}
		gart_nodes[n] = pdev;
	}
	return n;
}

static void gart_resume(void *data)
{
	if (gart_start(&gart_hw, gart_hw.table))
		pr_err("could not be started again, devices that need it do no more DMA\n");
}

static const struct syscore_ops gart_syscore_ops = {
	.resume = gart_resume,
};

static struct syscore gart_syscore = {
	.ops = &gart_syscore_ops,
};

/* The next kernel finds addresses that mean what they say. */
static void gart_shutdown(void)
{
	gart_stop(&gart_hw);
}

/* Early code has set up nodes; gart_start() does so after resume. */
void set_up_gart_resume(u32 order, u32 base)
{
}

static void __init gart_choose_window(void)
{
	u64 size = gart_hw.bytes;

	if (gart_size && (gart_size < GART_WINDOW_MIN || gart_size > size ||
			  !PAGE_ALIGNED(gart_size)))
		pr_warn("iommu=%lu ignored, accepted are multiples of %lu from %u to %llu\n",
			gart_size, PAGE_SIZE, GART_WINDOW_MIN, size);
	else if (gart_size)
		size = gart_size;
	if (size < GART_WINDOW_FAIR)
		pr_warn("only %llu MiB can be mapped at once\n", size / SZ_1M);
	gart_last = gart_hw.first + gart_hw.bytes - 1;
	gart_first = gart_last - size + 1;
}

/*
 * Memory beneath was set aside by early code. Nothing else may be there, BARs
 * least of all, and none may come.
 */
static int __init gart_claim(void)
{
	switch (region_intersects(gart_hw.first, gart_hw.bytes,
				  IORESOURCE_SYSTEM_RAM, IORES_DESC_NONE)) {
	case REGION_INTERSECTS:
		return 0;
	case REGION_DISJOINT:
		if (request_mem_region(gart_hw.first, gart_hw.bytes, "GART"))
			return 0;
	}
	pr_warn("something else is in the aperture\n");
	return -EBUSY;
}

/*
 * CPUs must not read ahead where devices see other memory: a line that they
 * write back later would end up there.
 */
static int __init gart_hide_aperture(void)
{
	u64 end = gart_hw.first + gart_hw.bytes;
	int ret = 0;

	if (pfn_range_is_mapped(PFN_DOWN(gart_hw.first), PFN_DOWN(end)))
		ret = set_memory_np((unsigned long)__va(gart_hw.first),
				    gart_hw.bytes >> PAGE_SHIFT);
	wbinvd_on_all_cpus();
	return ret;
}

static void __init gart_free_table(void *table)
{
	unsigned int order = get_order(flat_pt_bytes(&gart_pt));

	set_memory_wb((unsigned long)table, 1 << order);
	free_pages((unsigned long)table, order);
	free_page((unsigned long)gart_scratch);
}

static void * __init gart_alloc_table(void)
{
	unsigned int order = get_order(gart_hw.bytes >> 10);
	void *table;

	gart_scratch = (void *)get_zeroed_page(GFP_KERNEL | GFP_DMA32);
	table = (void *)__get_free_pages(GFP_KERNEL | GFP_DMA32, order);
	if (!gart_scratch || !table ||
	    gart_table_init(&gart_pt, &gart_hw, table, __pa(gart_scratch)) ||
	    set_memory_uc((unsigned long)table, 1 << order)) {
		free_page((unsigned long)gart_scratch);
		free_pages((unsigned long)table, order);
		return NULL;
	}
	return table;
}

static int __init gart_begin(void)
{
	void *table = gart_alloc_table();
	int ret;

	if (!table)
		return -ENOMEM;
	ret = gart_start(&gart_hw, __pa(table));
	if (ret)
		gart_free_table(table);
	return ret;
}

/* Is there something left in the window? */
static bool __init gart_has_room(const unsigned long *used)
{
	unsigned int mb = gart_hw.bytes / SZ_1M;
	unsigned int first = DIV_ROUND_UP(gart_first - gart_hw.first, SZ_1M);

	return mb - first - bitmap_weight_from(used, first, mb) >=
	       GART_ADOPT_MIN / SZ_1M;
}

static int __init gart_adopt(phys_addr_t at)
{
	unsigned int mb = gart_hw.bytes / SZ_1M;
	size_t bytes = gart_hw.bytes >> 10;
	void __iomem *table;
	int ret;

	unsigned long *used __free(bitmap) = bitmap_zalloc(mb, GFP_KERNEL);
	if (!used)
		return -ENOMEM;
	if (region_intersects(at, bytes, IORESOURCE_SYSTEM_RAM,
			      IORES_DESC_NONE) != REGION_DISJOINT)
		return -EINVAL;
	table = ioremap_uc(at, bytes);
	if (!table)
		return -ENOMEM;
	ret = gart_table_adopt(&gart_pt, &gart_hw, (void __force *)table, used);
	if (!ret && !gart_has_room(used))
		ret = -ENOSPC;
	if (ret) {
		iounmap(table);
		return ret;
	}
	pr_info("going on with the table at %pa, %u of %u MB are left alone\n",
		&at, bitmap_weight(used, mb), mb);
	gart_hw.table = at;
	gart_kept = no_free_ptr(used);
	return 0;
}

/* Devices of a kernel that has crashed are still at work. */
static int __init gart_begin_after_crash(void)
{
	phys_addr_t at;
	int ret;

	gart_hw.always = true;
	ret = gart_running(&gart_hw, &at);
	if (!ret && !at)
		return gart_begin();
	ret = ret ?: gart_adopt(at);
	if (ret)
		pr_warn("the table of the kernel that has crashed goes on without this one\n");
	return ret;
}

static int __init gart_translate(void)
{
	int ret;

	gart_hw.lines = kvcalloc(gart_lines(&gart_hw), sizeof(*gart_hw.lines),
				 GFP_KERNEL);
	if (!gart_hw.lines)
		return -ENOMEM;
	gart_choose_window();
	ret = gart_hide_aperture() ?:
	      is_kdump_kernel() ? gart_begin_after_crash() : gart_begin();
	if (ret)
		kvfree(gart_hw.lines);
	return ret;
}

static int __init gart_register(void)
{
	int ret;

	ret = iommu_device_sysfs_add(&gart_iommu, NULL, NULL, "gart");
	if (ret)
		return ret;
	ret = iommu_device_register(&gart_iommu, &gart_ops, NULL);
	if (ret)
		iommu_device_sysfs_remove(&gart_iommu);
	return ret;
}

static int __init gart_set_up(void)
{
	int ret;

	gart_hw.ops = &gart_config_ops;
	gart_hw.nodes = gart_find_nodes();
	/* What is in the way of devices stays so, whatever comes of the rest. */
	ret = gart_find(&gart_hw) ?: gart_claim() ?: gart_translate();
	if (ret)
		return ret;
	pr_info("aperture [mem %#llx-%#llx], %u node(s)\n", gart_hw.first,
		gart_hw.first + gart_hw.bytes - 1, gart_hw.nodes);
	register_syscore(&gart_syscore);
	x86_platform.iommu_shutdown = gart_shutdown;
	return gart_register();
}

int __init gart_iommu_init(void)
{
	int ret = -ENODEV;

	if (no_iommu || (!force_iommu && max_pfn <= MAX_DMA32_PFN))
		return 0;
	if (gart_iommu_aperture && amd_nb_has_feature(AMD_NB_GART))
		ret = gart_set_up();
	if (ret)
		pr_warn("not used (%d): devices that cannot address all memory are bounced\n",
			ret);
	return 0;
}

/* The words of "iommu=" */

static int __init set_size(const char *name, const char *value)
{
	return kstrtoul(value, 0, &gart_size);
}

static int __init set_nothing(const char *name, const char *value)
{
	return 0;
}

static int __init set_fullflush(const char *name, const char *value)
{
	gart_hw.always = true;
	return 0;
}

static int __init set_nofullflush(const char *name, const char *value)
{
	pr_warn("iommu=nofullflush ignored: a mapping is flushed where devices may know old entries, unmapping is lazy unless iommu.strict=1\n");
	return 0;
}

static int __init set_noaperture(const char *name, const char *value)
{
	fix_aperture = 0;
	return 0;
}

static int __init set_allowed(const char *name, const char *value)
{
	gart_iommu_aperture_allowed = 1;
	return 0;
}

static int __init set_memaper(const char *name, const char *value)
{
	unsigned int order;

	if (value && *value) {
		if (kstrtouint(value, 0, &order) || order > 5)
			return -EINVAL;
		fallback_aper_order = order;
	}
	fallback_aper_force = 1;
	return 0;
}

DEFINE_IOMMU_WORDS(gart_windows_words) = {
	{ NULL,			"<size>",	set_size },
	{ "fullflush",		NULL,		set_fullflush },
	/* What can be done without */
	{ "noagp",		NULL,		set_nothing },
	{ "nofullflush",	NULL,		set_nofullflush },
	{ "noaperture",		NULL,		set_noaperture },
	/* "force" stands in the table of pci-dma.c, too. */
	{ "force",		NULL,		set_allowed },
	{ "allowed",		NULL,		set_allowed },
	{ "memaper",		"[=<order>]",	set_memaper },
};
