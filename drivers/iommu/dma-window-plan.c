// SPDX-License-Identifier: GPL-2.0-only
/*
 * DMA windows of devices in pass-through that cannot address all memory.
 *
 * Their domain maps all memory at its own address, in the largest pages, but
 * for a hole below the devices' masks, in which all other mappings are made.
 * No address changes its meaning between this domain and none at all, and so
 * the hardware can go from one to the other while devices do DMA.
 */
#define pr_fmt(fmt) "iommu: " fmt

#include <linux/align.h>
#include <linux/cc_platform.h>
#include <linux/cleanup.h>
#include <linux/crash_dump.h>
#include <linux/dma-mapping.h>
#include <linux/init.h>
#include <linux/iommu.h>
#include <linux/ioport.h>
#include <linux/list.h>
#include <linux/memblock.h>
#include <linux/minmax.h>
#include <linux/pci.h>
#include <linux/pfn.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/swiotlb.h>

#include "dma-window-plan.h"
#include "iommu-priv.h"

/* Pages of a domain: 256 TiB in those of 1 GiB, 512 GiB in those of 2 MiB */
#define LEAVES_MAX	BIT_ULL(18)
#define LARGE_PAGE	SZ_2M

static bool dma_windows_on = true;

static int __init dma_windows_setup(char *str)
{
	if (!strcmp(str, "on"))
		dma_windows_on = true;
	else if (!strcmp(str, "off"))
		dma_windows_on = false;
	else
		pr_warn("iommu.windows=%s ignored, accepted are: on, off\n",
			str);
	return 0;
}
early_param("iommu.windows", dma_windows_setup);

/**
 * dma_window_wanted - are devices in pass-through to get windows?
 *
 * A kdump kernel leaves translation as it finds it, and encrypted memory is
 * bounced for reasons of its own.
 *
 * Context: any
 * Return: true if so.
 */
bool dma_window_wanted(void)
{
	return dma_windows_on && !is_kdump_kernel() &&
	       !cc_platform_has(CC_ATTR_MEM_ENCRYPT);
}

/**
 * dma_window_highest - the highest address that memory can have
 *
 * Return: the last byte, of memory that can be hot-added too.
 */
u64 dma_window_highest(void)
{
	return PFN_PHYS(max_t(u64, max_pfn, max_possible_pfn)) - 1;
}

/**
 * dma_window_reach - the highest bus address that all DMA of a device can use
 * @dev: device
 * @mask: its dma_mask
 * @coherent_mask: its coherent_dma_mask
 *
 * A mask of 0 is one that the device has no use for.
 *
 * Return: the address.
 */
u64 dma_window_reach(struct device *dev, u64 mask, u64 coherent_mask)
{
	return min_not_zero(min_not_zero(mask, coherent_mask),
			    dev->bus_dma_limit) ?: U64_MAX;
}

static int plan_add(struct dma_window_plan *plan, u64 first, u64 last,
		    bool memory)
{
	struct dma_window_range *more;

	if (plan->count == plan->room) {
		more = krealloc_array(plan->ranges, plan->room * 2 + 32,
				      sizeof(*more), GFP_KERNEL);
		if (!more)
			return -ENOMEM;
		plan->ranges = more;
		plan->room = plan->room * 2 + 32;
	}
	plan->ranges[plan->count++] = (struct dma_window_range){
		.first = first,
		.last = last,
		.memory = memory,
	};
	return 0;
}

static int plan_add_resource(struct resource *res, void *plan)
{
	return plan_add(plan, res->start, res->end,
			(res->flags & IORESOURCE_SYSTEM_RAM) ==
			IORESOURCE_SYSTEM_RAM);
}

/* Bounce buffers are the last resort, and must be seen directly for that. */
static int plan_add_swiotlb(struct dma_window_plan *plan, struct device *dev)
{
#ifdef CONFIG_SWIOTLB
	struct io_tlb_mem *mem = dev->dma_io_tlb_mem;

	if (mem && mem->nslabs)
		return plan_add(plan, mem->defpool.start, mem->defpool.end - 1,
				false);
#endif
	return 0;
}

static int plan_add_reserved(struct dma_window_plan *plan, struct device *dev)
{
	struct iommu_resv_region *region;
	LIST_HEAD(regions);
	int ret = 0;

	iommu_get_resv_regions(dev, &regions);
	list_for_each_entry(region, &regions, list) {
		if (region->type == IOMMU_RESV_SW_MSI || !region->length)
			continue;
		ret = plan_add(plan, region->start,
			       region->start + region->length - 1, false);
		if (ret)
			break;
		plan->ranges[plan->count - 1].interrupts =
			region->type == IOMMU_RESV_MSI;
	}
	iommu_put_resv_regions(dev, &regions);
	return ret;
}

/* What the bus routes to other devices never gets to the IOMMU. */
static int plan_add_bridge(struct dma_window_plan *plan, struct device *dev)
{
	struct pci_host_bridge *bridge;
	struct resource_entry *window;
	int ret;

	if (!dev_is_pci(dev))
		return 0;
	bridge = pci_find_host_bridge(to_pci_dev(dev)->bus);
	resource_list_for_each_entry(window, &bridge->windows) {
		if (resource_type(window->res) != IORESOURCE_MEM)
			continue;
		ret = plan_add(plan, window->res->start - window->offset,
			       window->res->end - window->offset, false);
		if (ret)
			return ret;
	}
	return 0;
}

static bool plan_has_memory(struct dma_window_plan *plan)
{
	unsigned int i;

	for (i = 0; i < plan->count; i++)
		if (plan->ranges[i].memory && plan->ranges[i].first < SZ_4G)
			return true;
	return false;
}

/**
 * dma_window_plan_start - collect what is where in the machine
 * @plan: filled with 0; dma_window_plan_end() is due in any case
 *
 * Context: process, may sleep
 * Return: 0, or -ENOMEM.
 */
int dma_window_plan_start(struct dma_window_plan *plan)
{
	u64 highest = dma_window_highest();
	int ret;

	/* The gaps between memory may be filled one day. */
	if (highest >= SZ_4G) {
		ret = plan_add(plan, SZ_4G, highest, true);
		if (ret)
			return ret;
	}
	/* Resources within those that are found are passed over. */
	ret = walk_iomem_res_desc(IORES_DESC_NONE, IORESOURCE_MEM, 0, U64_MAX,
				  plan, plan_add_resource);
	if (ret && ret != -EINVAL)
		return ret;
	/* Where memory is no resource, it may be anywhere. */
	return plan_has_memory(plan) ? 0 : plan_add(plan, 0, highest, true);
}

/**
 * dma_window_plan_device - collect what a device needs to stay where it is
 * @plan: plan
 * @dev: device
 *
 * Context: process, may sleep
 * Return: 0, or -ENOMEM.
 */
int dma_window_plan_device(struct dma_window_plan *plan, struct device *dev)
{
	return plan_add_swiotlb(plan, dev) ?: plan_add_reserved(plan, dev) ?:
	       plan_add_bridge(plan, dev);
}

/**
 * dma_window_plan_suits - does a set of windows leave in place what has to stay?
 * @plan: plan
 * @set: windows, one of which is translated
 *
 * Return: false if the translated window hides something other than memory.
 */
bool dma_window_plan_suits(const struct dma_window_plan *plan,
			   const struct dma_windows *set)
{
	const struct dma_window *w = dma_windows_translated(set);
	const struct dma_window_range *r;

	for (r = plan->ranges; r < plan->ranges + plan->count; r++)
		if (!r->memory && r->first <= w->last && r->last >= w->first)
			return false;
	return true;
}

/**
 * dma_window_plan_end - free what a plan holds
 * @plan: plan
 */
void dma_window_plan_end(struct dma_window_plan *plan)
{
	kfree(plan->ranges);
}

static bool plan_is_too_large(struct iommu_domain *domain, u64 last)
{
	return last >> __fls(domain->pgsize_bitmap) > LEAVES_MAX;
}

/*
 * Pass-through also reaches what is above all memory: the BARs of devices, which
 * others may be using. Where pages are small, memory has to do.
 */
static u64 plan_last(struct dma_window_plan *plan, struct iommu_domain *domain)
{
	u64 highest = ALIGN(dma_window_highest() + 1, LARGE_PAGE) - 1;
	u64 last = highest;
	unsigned int i;

	for (i = 0; i < plan->count; i++)
		last = max(last, plan->ranges[i].last);
	last = min_t(u64, ALIGN(last + 1, SZ_1G) - 1,
		     domain->geometry.aperture_end);
	return last < highest || plan_is_too_large(domain, last) ? highest :
								     last;
}

/* The first range between two addresses in which writes are interrupts */
static const struct dma_window_range *
plan_interrupts(const struct dma_window_plan *plan, u64 first, u64 last)
{
	const struct dma_window_range *r, *found = NULL;

	for (r = plan->ranges; r < plan->ranges + plan->count; r++)
		if (r->interrupts && r->first <= last && r->last >= first &&
		    (!found || r->first < found->first))
			found = r;
	return found;
}

/*
 * No page leads to where writes are interrupts: QEMU's VT-d refuses all that is
 * in such a page, the BARs in the last GiB below 4 GiB.
 */
static int map_direct(const struct dma_window_plan *plan,
		      struct iommu_domain *domain, u64 first, u64 last)
{
	while (first <= last) {
		const struct dma_window_range *gap;
		u64 end;
		int ret;

		gap = plan_interrupts(plan, first, last);
		end = gap ? gap->first : last + 1;
		if (end > first) {
			ret = iommu_map_window(domain, first, end - first);
			if (ret)
				return ret;
		}
		if (!gap || gap->last >= last)
			break;
		first = gap->last + 1;
	}
	return 0;
}

/**
 * dma_window_plan_apply - give a domain its windows
 * @plan: plan
 * @domain: DMA domain that nothing was done with yet
 * @limit: highest bus address that all of its devices can use
 * @carve: a part of the memory may be reached through the translated window
 *
 * Context: process, may sleep
 * Return: 0, -ENOSPC when there is no room below @limit, -E2BIG when the pages
 * of the IOMMU are too small for so much memory, or what mapping says. The
 * domain is of no use then.
 */
int dma_window_plan_apply(struct dma_window_plan *plan,
			  struct iommu_domain *domain, u64 limit, bool carve)
{
	u64 last = plan_last(plan, domain);
	struct dma_window_hole hole;
	int ret;

	if (plan_is_too_large(domain, last))
		return -E2BIG;
	ret = dma_window_find_hole(plan->ranges, plan->count, limit, carve,
				   &hole);
	if (ret)
		return ret;

	const struct dma_window windows[] = { {
		.first = 0,
		.last = hole.first - 1,
		.kind = DMA_WINDOW_DIRECT,
	}, {
		.first = hole.first,
		.last = hole.last,
		.kind = DMA_WINDOW_TRANSLATED,
	}, {
		.first = hole.last + 1,
		.last = max(last, hole.last + 1),
		.phys = hole.last + 1,
		.kind = DMA_WINDOW_DIRECT,
	} };

	ret = iommu_dma_set_windows(domain, windows, hole.last < last ? 3 : 2);
	if (ret)
		return ret;
	iommu_dma_windows(domain)->carved = hole.carved;
	iommu_dma_windows(domain)->highest = dma_window_highest();
	return map_direct(plan, domain, 0, hole.first - 1) ?:
	       map_direct(plan, domain, hole.last + 1, last);
}
