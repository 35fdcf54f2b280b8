// SPDX-License-Identifier: GPL-2.0-only
/*
 * An IOMMU driver for Calgary and CalIOC2.
 *
 * All devices behind a PHB are a group: no requester is told from another.
 * What the IOMMU core knows of a PHB is an IOMMU of its own. Addresses,
 * scatterlists, coherent memory and when to flush are dma-iommu's business.
 *
 * A table is made when a device appears behind a PHB, so empty slots cost
 * nothing, and devices that are plugged in later are served as any other.
 * Devices behind a PHB that does not translate have no IOMMU: they are mapped
 * directly, or through swiotlb where their mask says so.
 *
 * A PHB that has been started always has a table. When its last device is gone,
 * that is an empty one, which all such PHBs share.
 *
 * A kernel that starts after a crash goes on with the dead kernel's table, as
 * devices are at work until their drivers reset them. Where it cannot, what
 * they do is errant, and reported, but does not isolate: the dump has to get to
 * a disk.
 */
#define pr_fmt(fmt) "calgary: " fmt

#include <linux/bitfield.h>
#include <linux/bitmap.h>
#include <linux/crash_dump.h>
#include <linux/device.h>
#include <linux/err.h>
#include <linux/list.h>
#include <linux/pci.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/sysfs.h>

#include "calgary.h"

#define WATCHDOG_PERIOD	(2 * HZ)

struct calgary_domain {
	struct iommu_domain domain;
	struct calgary_phb *phb;
	struct calgary_table *table;
};

/* All that translate; none ever goes away. */
static LIST_HEAD(phbs);
static unsigned int nr_chips;

/* Read by PHBs whose devices have to be kept from all memory */
static struct calgary_table *empty_table;

static struct calgary_domain *to_calgary_domain(struct iommu_domain *domain)
{
	return container_of(domain, struct calgary_domain, domain);
}

static struct calgary_phb *to_phb(struct device *dev)
{
	return container_of(dev->iommu->iommu_dev, struct calgary_phb, iommu);
}

static struct calgary_phb *find_bus(unsigned int nr)
{
	struct calgary_phb *phb;

	list_for_each_entry(phb, &phbs, node) {
		if (nr >= phb->first_bus && nr <= phb->last_bus)
			return phb;
	}
	return NULL;
}

/* Buses behind bridges may have numbers that no PHB has heard of. */
static struct calgary_phb *find_phb(struct pci_dev *pdev)
{
	struct calgary_phb *phb = NULL;
	struct pci_bus *bus;

	if (pci_domain_nr(pdev->bus))
		return NULL;
	for (bus = pdev->bus; bus && !phb; bus = bus->parent)
		phb = find_bus(bus->number);
	return phb;
}

static bool is_host_function(struct pci_dev *pdev)
{
	return pdev->vendor == PCI_VENDOR_ID_IBM &&
	       (pdev->device == PCI_DEVICE_ID_CALGARY ||
		pdev->device == PCI_DEVICE_ID_CALIOC2);
}

/* The watchdog */

struct search {
	struct calgary_phb *phb;
	unsigned int agent;
	unsigned int found;
};

/*
 * A Calgary tells its slots apart at best; whatever is in that one may have
 * done it. Behind the port of a CalIOC2 all are suspect.
 */
static int name_suspect(struct pci_dev *pdev, void *data)
{
	struct search *s = data;
	struct pci_dev *top = pdev;

	while (top->bus->number != s->phb->first_bus && top->bus->self)
		top = top->bus->self;
	if (pci_is_bridge(pdev) || is_host_function(pdev) ||
	    (!s->phb->calioc2 && PCI_SLOT(top->devfn) != s->agent))
		return 0;
	s->found++;
	pci_err(pdev, "suspected of an errant DMA\n");
	return 0;
}

static void report(struct calgary_phb *phb, const struct calgary_errors *e)
{
	struct search s = { phb, FIELD_GET(CSR_AGENT, e->csr) };
	struct pci_bus *bus = pci_find_bus(0, phb->first_bus);
	const char *name = dev_name(phb->iommu.dev);

	pr_err("%s: errant DMA of agent %u on bus %02x: CSR %08x PLSSR %08x CSMR %08x MCK %08x root %08x\n",
	       name, s.agent, phb->first_bus, e->csr, e->plssr, e->csmr,
	       e->mck, e->root);
	pr_err("%s: details %08x %08x %08x %08x %08x %08x %08x\n", name,
	       e->detail[0], e->detail[1], e->detail[2], e->detail[3],
	       e->detail[4], e->detail[5], e->detail[6]);
	if (bus)
		pci_walk_bus(bus, name_suspect, &s);
	if (!s.found)
		pr_err("%s: no device is known there\n", name);
	if (phb->lenient)
		pr_err("%s: may be of the kernel before, slots stay on\n",
		       name);
	else
		pr_err("%s: slots are off until 'enable' is written to /sys/class/iommu/%s/calgary/bus\n",
		       name, name);
}

static void watchdog(struct work_struct *work)
{
	struct calgary_phb *phb = container_of(to_delayed_work(work),
					       struct calgary_phb, watchdog);
	struct calgary_errors errors;

	if (calgary_phb_check(phb, &errors) && __ratelimit(&phb->reports))
		report(phb, &errors);
	if (errors.news)
		pr_err_ratelimited("%s %s\n", dev_name(phb->iommu.dev),
				   errors.news);
	if (READ_ONCE(phb->state) == CALGARY_ON)
		schedule_delayed_work(&phb->watchdog, WATCHDOG_PERIOD);
}

/* Look at once, then from time to time. Any context */
static void start_watchdog(struct calgary_phb *phb)
{
	mod_delayed_work(system_percpu_wq, &phb->watchdog, 0);
}

static int enable_bus(struct calgary_phb *phb)
{
	int ret;

	if (READ_ONCE(phb->state) != CALGARY_ISOLATED)
		return 0;
	ret = calgary_phb_enable(phb);
	pr_info("%s: slots %s\n", dev_name(phb->iommu.dev),
		ret ? "stay off" : "are on again");
	start_watchdog(phb);
	return ret;
}

/* /sys/class/iommu/<PHB>/calgary/, see Documentation/ABI/testing */

static struct calgary_phb *sysfs_phb(struct device *dev)
{
	return container_of(dev_to_iommu_device(dev), struct calgary_phb,
			    iommu);
}

static ssize_t bus_show(struct device *dev, struct device_attribute *attr,
			char *buf)
{
	static const char * const names[] = {
		[CALGARY_OFF] = "untranslated",
		[CALGARY_ON] = "translated",
		[CALGARY_ISOLATED] = "isolated",
	};

	return sysfs_emit(buf, "%s\n",
			  names[READ_ONCE(sysfs_phb(dev)->state)]);
}

static ssize_t bus_store(struct device *dev, struct device_attribute *attr,
			 const char *buf, size_t count)
{
	int ret;

	if (!sysfs_streq(buf, "enable")) {
		dev_err(dev, "'%.*s' ignored, accepted is: enable\n",
			(int)min(strcspn(buf, "\n"), 20), buf);
		return -EINVAL;
	}
	ret = enable_bus(sysfs_phb(dev));
	return ret ?: count;
}
static DEVICE_ATTR_RW(bus);

static struct attribute *calgary_attrs[] = {
	&dev_attr_bus.attr,
	NULL
};

static const struct attribute_group calgary_group = {
	.name = "calgary",
	.attrs = calgary_attrs,
};

__ATTRIBUTE_GROUPS(calgary);

/* Domains */

static void calgary_flush_all(struct iommu_domain *domain)
{
	struct calgary_phb *phb = to_calgary_domain(domain)->phb;

	/* Locks may be held here, none when it is reported. */
	if (calgary_phb_flush(phb))
		start_watchdog(phb);
}

static void calgary_iotlb_sync(struct iommu_domain *domain,
			       struct iommu_iotlb_gather *gather)
{
	calgary_flush_all(domain);
}

static int calgary_map(struct iommu_domain *domain, unsigned long iova,
		       phys_addr_t phys, size_t pgsize, size_t pgcount,
		       int prot, gfp_t gfp, size_t *mapped)
{
	return flat_pt_map(&to_calgary_domain(domain)->table->pt, iova, phys,
			   pgcount, prot, mapped);
}

static size_t calgary_unmap(struct iommu_domain *domain, unsigned long iova,
			    size_t pgsize, size_t pgcount,
			    struct iommu_iotlb_gather *gather)
{
	size_t size = flat_pt_unmap(&to_calgary_domain(domain)->table->pt,
				    iova, pgcount);

	if (size)
		iommu_iotlb_gather_add_range(gather, iova, size);
	return size;
}

static phys_addr_t calgary_iova_to_phys(struct iommu_domain *domain,
					dma_addr_t iova)
{
	return flat_pt_iova_to_phys(&to_calgary_domain(domain)->table->pt,
				    iova);
}

/*
 * The group's mutex is held. A chip that does not stop has its slots off, so
 * that no device is left which uses the old table, and attaching has worked.
 */
static void use_table(struct calgary_phb *phb, struct calgary_domain *d,
		      const struct calgary_table *table)
{
	if (calgary_phb_use(phb, table ? table->tar : 0))
		pr_err("%s does not stop: its slots are off\n",
		       dev_name(phb->iommu.dev));
	phb->domain = d;
	start_watchdog(phb);
}

static int calgary_attach(struct iommu_domain *domain, struct device *dev,
			  struct iommu_domain *old)
{
	struct calgary_domain *d = to_calgary_domain(domain);

	if (d->phb != to_phb(dev))
		return -EINVAL;
	if (d->phb->domain != d)
		use_table(d->phb, d, d->table);
	return 0;
}

static int attach_blocked(struct iommu_domain *domain, struct device *dev,
			  struct iommu_domain *old)
{
	use_table(to_phb(dev), NULL, empty_table);
	return 0;
}

static int attach_direct(struct iommu_domain *domain, struct device *dev,
			 struct iommu_domain *old)
{
	use_table(to_phb(dev), NULL, NULL);
	return 0;
}

static struct iommu_domain blocked_domain = {
	.type = IOMMU_DOMAIN_BLOCKED,
	.ops = &(const struct iommu_domain_ops){ .attach_dev = attach_blocked },
};

static struct iommu_domain identity_domain = {
	.type = IOMMU_DOMAIN_IDENTITY,
	.ops = &(const struct iommu_domain_ops){ .attach_dev = attach_direct },
};

/* One that is in use goes with the last device. */
static void calgary_domain_free(struct iommu_domain *domain)
{
	struct calgary_domain *d = to_calgary_domain(domain);

	if (d->phb->domain == d)
		use_table(d->phb, NULL, empty_table);
	/* What was set aside once stays so. */
	if (calgary_options.empty_slots && !d->table->unmap) {
		flat_pt_clear(&d->table->pt);
		d->table = xchg(&d->phb->spare, d->table);
	}
	calgary_table_free(d->table);
	kfree(d);
}

static struct iommu_domain *calgary_domain_alloc(struct device *dev)
{
	struct calgary_domain *d = kzalloc_obj(*d);

	if (!d)
		return ERR_PTR(-ENOMEM);
	d->phb = to_phb(dev);
	d->table = xchg(&d->phb->spare, NULL) ?:
		   calgary_table_alloc(d->phb->chip->io, calgary_options.code);
	if (!d->table) {
		kfree(d);
		return ERR_PTR(-ENOMEM);
	}
	if (flat_pt_bytes(&d->table->pt) <
	    calgary_table_bytes(calgary_options.code) && !d->table->unmap)
		pr_notice("%s: table of %zu KB, memory is short for more\n",
			  dev_name(d->phb->iommu.dev),
			  flat_pt_bytes(&d->table->pt) / SZ_1K);
	d->domain.pgsize_bitmap = SZ_4K;
	d->domain.geometry.aperture_end = (u64)d->table->pt.pages * SZ_4K - 1;
	d->domain.geometry.force_aperture = true;
	return &d->domain;
}

/* Devices */

static struct iommu_device *calgary_probe_device(struct device *dev)
{
	struct calgary_phb *phb;

	/* The function that stands for a PHB does no DMA. */
	if (!dev_is_pci(dev) || is_host_function(to_pci_dev(dev)))
		return ERR_PTR(-ENODEV);
	phb = find_phb(to_pci_dev(dev));
	/* One by one they are registered, and each time all devices come. */
	if (!phb || !phb->iommu.ops)
		return ERR_PTR(-ENODEV);
	/* Chips have none, and its reset must not block all of the bus. */
	to_pci_dev(dev)->ats_cap = 0;
	return &phb->iommu;
}

/* What devices of a dead kernel still do must not reach memory as it is. */
static int calgary_def_domain_type(struct device *dev)
{
	return to_phb(dev)->inherited && iommu_default_passthrough() ?
	       IOMMU_DOMAIN_DMA : 0;
}

static void add_region(struct list_head *head, u64 start, u64 end,
		       enum iommu_resv_type type)
{
	struct iommu_resv_region *region;

	region = iommu_alloc_resv_region(start, end - start, 0, type,
					 GFP_KERNEL);
	if (region)
		list_add_tail(&region->list, head);
}

/* Those of bridges are dma-iommu's business. */
static void calgary_get_resv_regions(struct device *dev,
				     struct list_head *head)
{
	struct calgary_phb *phb = to_phb(dev);
	struct range ranges[CALGARY_MAX_RANGES];
	const struct calgary_table *table = phb->domain ? phb->domain->table
							: phb->spare;
	u64 end = table ? (u64)table->pt.pages * SZ_4K : SZ_4G;
	unsigned int i, n, from, to;

	n = calgary_phb_ranges(phb, end, ranges);
	for (i = 0; i < n; i++)
		add_region(head, ranges[i].start, ranges[i].end + 1,
			   ranges[i].start == CALGARY_MSI ? IOMMU_RESV_MSI
							  : IOMMU_RESV_RESERVED);
	if (!table)
		return;
	for_each_set_bitrange(from, to, table->old, SZ_4G / SZ_1M)
		add_region(head, (u64)from * SZ_1M, (u64)to * SZ_1M,
			   IOMMU_RESV_RESERVED);
}

static bool calgary_capable(struct device *dev, enum iommu_cap cap)
{
	return cap == IOMMU_CAP_CACHE_COHERENCY ||
	       cap == IOMMU_CAP_DEFERRED_FLUSH;
}

static const struct iommu_ops calgary_ops = {
	.capable = calgary_capable,
	.domain_alloc_paging = calgary_domain_alloc,
	.probe_device = calgary_probe_device,
	.def_domain_type = calgary_def_domain_type,
	.device_group = generic_single_device_group,
	.get_resv_regions = calgary_get_resv_regions,
	.identity_domain = &identity_domain,
	.blocked_domain = &blocked_domain,
	.default_domain_ops = &(const struct iommu_domain_ops){
		.attach_dev = calgary_attach,
		.map_pages = calgary_map,
		.unmap_pages = calgary_unmap,
		.flush_iotlb_all = calgary_flush_all,
		.iotlb_sync = calgary_iotlb_sync,
		.iova_to_phys = calgary_iova_to_phys,
		.free = calgary_domain_free,
	},
};

/* Setting up */

/* Is there one, and what is it? */
static bool find_function(struct calgary_phb *phb)
{
	u32 range = phb->chip->io->read32(phb->chip, calgary_bus_range(phb->nr));
	struct pci_dev *pdev;
	bool found;

	phb->first_bus = FIELD_GET(BUS_RANGE_FIRST, range);
	phb->last_bus = FIELD_GET(BUS_RANGE_LAST, range) ?: phb->first_bus;
	pdev = pci_get_domain_bus_and_slot(0, phb->first_bus, 0);
	found = pdev && is_host_function(pdev);
	phb->calioc2 = found && pdev->device == PCI_DEVICE_ID_CALIOC2;
	pci_dev_put(pdev);
	return found;
}

static void adopt(struct calgary_phb *phb)
{
	u64 tar = calgary_phb_left(phb);

	phb->lenient = true;
	phb->inherited = tar;
	if (!tar)
		return;
	phb->spare = calgary_table_adopt(phb->chip->io, tar);
	if (phb->spare)
		pr_info("%s: going on with the table at 0x%llx, mappings in %u MB are kept\n",
			dev_name(phb->iommu.dev), tar & TAR_BASE,
			bitmap_weight(phb->spare->old, SZ_4G / SZ_1M));
	else
		pr_warn("%s: no usable table at 0x%llx, what devices do before they are reset is errant\n",
			dev_name(phb->iommu.dev), tar & TAR_BASE);
}

/* Whether it is to translate */
static bool add_phb(struct calgary_phb *phb)
{
	struct calgary_chip *chip = phb->chip;
	bool disabled, bad = false;
	unsigned int bus;

	for (bus = phb->first_bus; bus <= phb->last_bus; bus++)
		bad |= !!find_bus(bus);
	if (phb->last_bus < phb->first_bus || bad) {
		pr_warn("chip %u PHB %u: bad buses %02x-%02x, not translated\n",
			chip->nr, phb->nr, phb->first_bus, phb->last_bus);
		return false;
	}
	disabled = test_bit(phb->first_bus, calgary_options.disabled);
	pr_info("chip %u PHB %u: %s, buses %02x-%02x%s\n", chip->nr, phb->nr,
		phb->calioc2 ? "CalIOC2" : "Calgary", phb->first_bus,
		phb->last_bus, disabled ? ", disabled" : "");
	INIT_DELAYED_WORK(&phb->watchdog, watchdog);
	ratelimit_state_init(&phb->reports, DEFAULT_RATELIMIT_INTERVAL,
			     DEFAULT_RATELIMIT_BURST);
	if (disabled ||
	    iommu_device_sysfs_add(&phb->iommu, NULL, calgary_groups,
				   "calgary%u-phb%u", chip->nr, phb->nr))
		return false;
	if (is_kdump_kernel())
		adopt(phb);
	list_add_tail(&phb->node, &phbs);
	return true;
}

/**
 * calgary_add_chip - take over a chip
 * @chip: the chip, with @io and @regs; it stays for good
 */
void calgary_add_chip(struct calgary_chip *chip)
{
	unsigned int nr;

	chip->nr = nr_chips++;
	for (nr = 0; nr < CALGARY_PHBS; nr++) {
		calgary_phb_init(chip, nr);
		/* What is not known to be one is not touched. */
		if (!find_function(&chip->phbs[nr]))
			continue;
		/* Its devices are mapped directly, whatever was before. */
		if (!add_phb(&chip->phbs[nr]))
			calgary_phb_leave(&chip->phbs[nr]);
	}
}

/* Its devices go on as those of one that is disabled. */
static void drop_phb(struct calgary_phb *phb)
{
	phb->iommu.ops = NULL;
	list_del(&phb->node);
	calgary_phb_leave(phb);
	cancel_delayed_work_sync(&phb->watchdog);
	iommu_device_sysfs_remove(&phb->iommu);
	calgary_table_free(xchg(&phb->spare, NULL));
}

/**
 * calgary_start - have the devices behind all PHBs translated
 * @io: how TCEs get to memory
 *
 * Return: number of PHBs.
 */
unsigned int calgary_start(const struct calgary_io *io)
{
	struct calgary_phb *phb, *next;
	unsigned int n = 0;
	int ret;

	if (!list_empty(&phbs))
		empty_table = calgary_table_alloc(io, 0);
	list_for_each_entry_safe(phb, next, &phbs, node) {
		if (calgary_options.empty_slots && !phb->spare)
			phb->spare = calgary_table_alloc(io,
							 calgary_options.code);
		ret = empty_table ? iommu_device_register(&phb->iommu,
							  &calgary_ops, NULL)
				  : -ENOMEM;
		if (ret) {
			pr_err("%s: not started (%pe)\n",
			       dev_name(phb->iommu.dev), ERR_PTR(ret));
			drop_phb(phb);
			continue;
		}
		enable_bus(phb);
		n++;
	}
	return n;
}

/**
 * calgary_shutdown - translate no more, as the next kernel may not know how
 */
void calgary_shutdown(void)
{
	struct calgary_phb *phb;

	list_for_each_entry(phb, &phbs, node)
		calgary_phb_use(phb, 0);
}

/**
 * calgary_resume - translate again after the machine was suspended
 * @data: not used
 */
void calgary_resume(void *data)
{
	struct calgary_phb *phb;

	list_for_each_entry(phb, &phbs, node)
		calgary_phb_restore(phb);
}
