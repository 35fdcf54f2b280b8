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
#include <linux/crash_dump.h>
#include <linux/pci.h>
#include <linux/ratelimit.h>
#include <linux/seq_buf.h>

#include "calgary.h"

#define WATCHDOG_PERIOD	(2 * HZ)

/* All that translate; none ever goes away. */
static LIST_HEAD(phbs);
static unsigned int nr_chips;

/* The first buses of PHBs */
static DECLARE_BITMAP(roots, 256);

/* Read by PHBs whose devices have to be kept from all memory */
static struct calgary_table *empty_table;

/* Of a dead kernel's devices, which may go on for long */
static DEFINE_RATELIMIT_STATE(old_errors, 60 * HZ, 10);

#define to_phb(dev)		iommu_get_iommu_dev(dev, struct calgary_phb, iommu)
#define to_table(which)		container_of(which, struct calgary_table, flat.domain)

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

/*
 * A Calgary tells its slots apart at best; whatever is in that one may have
 * done it. Behind the port of a CalIOC2 all are suspect.
 */
static bool is_suspect(struct pci_dev *pdev, struct calgary_phb *phb,
		       unsigned int agent)
{
	struct pci_dev *top = pdev;

	if (pci_domain_nr(pdev->bus) || pci_is_bridge(pdev) ||
	    is_host_function(pdev))
		return false;
	while (top && top->bus->number != phb->first_bus)
		top = pci_upstream_bridge(top);
	return top && (phb->calioc2 || PCI_SLOT(top->devfn) == agent);
}

static void report(struct calgary_phb *phb, const struct calgary_errors *e)
{
	unsigned int i, agent = FIELD_GET(CSR_AGENT, e->csr);
	DECLARE_SEQ_BUF(details, 14 * CALGARY_NR_DETAILS);
	struct device *dev = phb->iommu.dev;
	struct pci_dev *pdev = NULL;

	for (i = 0; i < CALGARY_NR_DETAILS; i++)
		seq_buf_printf(&details, " %03x:%08x", calgary_detail_regs[i],
			       e->details[i]);
	dev_err(dev, "errant DMA of agent %u on bus %02x, address 0x%08x by register 820\n",
		agent, phb->first_bus, e->details[CALGARY_DETAIL_ADDRESS]);
	dev_err(dev, "CSR %08x, details%s\n", e->csr, seq_buf_str(&details));
	/* Devices, and buses, may be removed meanwhile. */
	for_each_pci_dev(pdev) {
		if (is_suspect(pdev, phb, agent))
			pci_err(pdev, "suspected of an errant DMA\n");
	}
	dev_err(dev, "%s\n", phb->lenient ?
		"may be of the kernel before, slots stay on" :
		"slots are off until 'enable' is written to its calgary/bus in sysfs");
}

static void watchdog(struct work_struct *work)
{
	struct calgary_phb *phb = container_of(to_delayed_work(work),
					       struct calgary_phb, watchdog);
	struct calgary_errors errors;

	if (calgary_phb_check(phb, &errors) &&
	    (!phb->lenient || __ratelimit(&old_errors)))
		report(phb, &errors);
	if (errors.news)
		dev_err(phb->iommu.dev, "%s\n", errors.news);
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
	if (ret)
		dev_err(phb->iommu.dev, "slots stay off\n");
	else
		dev_info(phb->iommu.dev, "slots are on again\n");
	start_watchdog(phb);
	return ret;
}

/* /sys/class/iommu/<PHB>/calgary/, see Documentation/ABI/testing */

#define sysfs_phb(dev) \
	container_of(dev_to_iommu_device(dev), struct calgary_phb, iommu)

static ssize_t bus_show(struct device *dev, struct device_attribute *attr,
			char *buf)
{
	/* By enum calgary_state */
	static const char * const names[] = {
		"untranslated", "translated", "isolated",
	};

	return sysfs_emit(buf, "%s\n",
			  names[READ_ONCE(sysfs_phb(dev)->state)]);
}

static ssize_t bus_store(struct device *dev, struct device_attribute *attr,
			 const char *buf, size_t count)
{
	if (!sysfs_streq(buf, "enable"))
		return -EINVAL;
	return enable_bus(sysfs_phb(dev)) ?: count;
}
static DEVICE_ATTR_RW(bus);

static const struct attribute_group *calgary_groups[] = {
	&(const struct attribute_group){
		.name = "calgary",
		.attrs = (struct attribute *[]){ &dev_attr_bus.attr, NULL },
	}, NULL
};

/* Domains */

/* Locks may be held here. If there is news, the watchdog tells. */
static void calgary_flush_all(struct iommu_domain *domain)
{
	calgary_phb_flush(to_table(domain)->phb);
}

static void calgary_iotlb_sync(struct iommu_domain *domain,
			       struct iommu_iotlb_gather *gather)
{
	calgary_flush_all(domain);
}

/*
 * The group's mutex is held. A chip that does not stop has its slots off, so
 * that no device is left which uses the old table, and attaching has worked.
 */
static void use_table(struct calgary_phb *phb, struct calgary_table *table)
{
	calgary_phb_use(phb, table ? table->tar : 0);
	phb->table = table;
	start_watchdog(phb);
}

static int calgary_attach(struct iommu_domain *domain, struct device *dev,
			  struct iommu_domain *old)
{
	struct calgary_table *table = to_table(domain);

	if (table->phb != to_phb(dev))
		return -EINVAL;
	if (table->phb->table != table)
		use_table(table->phb, table);
	return 0;
}

static int attach_static(struct iommu_domain *domain, struct device *dev,
			 struct iommu_domain *old)
{
	use_table(to_phb(dev),
		  domain->type == IOMMU_DOMAIN_BLOCKED ? empty_table : NULL);
	return 0;
}

static const struct iommu_domain_ops static_ops = {
	.attach_dev = attach_static,
};

static struct iommu_domain blocked_domain = {
	.type = IOMMU_DOMAIN_BLOCKED,
	.ops = &static_ops,
};

static struct iommu_domain identity_domain = {
	.type = IOMMU_DOMAIN_IDENTITY,
	.ops = &static_ops,
};

/* One that is in use goes with the last device. */
static void calgary_domain_free(struct iommu_domain *domain)
{
	struct calgary_table *table = to_table(domain);
	struct calgary_phb *phb = table->phb;

	if (phb->table == table)
		use_table(phb, empty_table);
	/* What was set aside once stays so. */
	if (calgary_options.empty_slots && !table->unmap) {
		flat_pt_clear(&table->flat.pt);
		table = xchg(&phb->spare, table);
	}
	calgary_table_free(table);
}

static struct calgary_table *alloc_table(struct calgary_phb *phb)
{
	struct calgary_table *table =
		calgary_table_alloc(phb->chip->io, calgary_options.code);

	if (table)
		dev_info(phb->iommu.dev, "table of %zu KB\n",
			 flat_pt_bytes(&table->flat.pt) / SZ_1K);
	return table;
}

static struct iommu_domain *calgary_domain_alloc(struct device *dev)
{
	struct calgary_phb *phb = to_phb(dev);
	struct calgary_table *table;

	table = xchg(&phb->spare, NULL) ?: alloc_table(phb);
	if (!table)
		return ERR_PTR(-ENOMEM);
	table->phb = phb;
	table->flat.domain = (struct iommu_domain){
		.pgsize_bitmap = SZ_4K,
		.geometry.aperture_end = (u64)table->flat.pt.pages * SZ_4K - 1,
		.geometry.force_aperture = true,
	};
	return &table->flat.domain;
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
	/* An IOVA there would reach something else than its TCE says. */
	struct iommu_resv_region *region =
		iommu_alloc_resv_region(start, end - start, 0, type,
					GFP_KERNEL | __GFP_NOFAIL);

	list_add_tail(&region->list, head);
}

/* Those of bridges are dma-iommu's business. */
static void calgary_get_resv_regions(struct device *dev,
				     struct list_head *head)
{
	struct calgary_phb *phb = to_phb(dev);
	struct range ranges[CALGARY_MAX_RANGES];
	unsigned int i, n, from, to;

	n = calgary_phb_ranges(phb, ranges);
	for (i = 0; i < n; i++)
		add_region(head, ranges[i].start, ranges[i].end + 1,
			   ranges[i].start == CALGARY_MSI ? IOMMU_RESV_MSI
							  : IOMMU_RESV_RESERVED);
	for_each_set_bitrange(from, to, phb->old, CALGARY_MB)
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
		.map_pages = flat_pt_map_pages,
		.unmap_pages = flat_pt_unmap_pages,
		.flush_iotlb_all = calgary_flush_all,
		.iotlb_sync = calgary_iotlb_sync,
		.iova_to_phys = flat_pt_domain_phys,
		.free = calgary_domain_free,
	},
};

/* Setting up */

/* Is there one, and what is it? No other register is looked at before. */
static bool find_function(struct calgary_chip *chip, unsigned int nr)
{
	u32 range = chip->io->read32(chip->regs + CALGARY_BUS_RANGE(nr));
	unsigned int bus = FIELD_GET(BUS_RANGE_FIRST, range);
	struct pci_dev *pdev __free(pci_dev_put) =
		pci_get_domain_bus_and_slot(0, bus, 0);
	struct calgary_phb *phb = &chip->phbs[nr];

	phb->first_bus = bus;
	phb->last_bus = FIELD_GET(BUS_RANGE_LAST, range) ?: bus;
	phb->calioc2 = pdev && pdev->device == PCI_DEVICE_ID_CALIOC2;
	return pdev && is_host_function(pdev);
}

static void adopt(struct calgary_phb *phb)
{
	struct range r[CALGARY_MAX_RANGES];
	unsigned int n;

	for (n = calgary_phb_ranges(phb, r); n--; )
		bitmap_set(phb->old, r[n].start / SZ_1M,
			   r[n].end / SZ_1M + 1 - r[n].start / SZ_1M);
	phb->spare = calgary_table_adopt(phb->chip->io, phb->inherited,
					 phb->old);
	/* Without it, what devices do before they are reset is errant. */
	if (!phb->spare)
		bitmap_zero(phb->old, CALGARY_MB);
	dev_info(phb->iommu.dev, "table at 0x%llx of the kernel that crashed is %s\n",
		 phb->inherited & TAR_BASE, phb->spare ? "kept" : "unusable");
}

/*
 * Its devices are mapped directly, whatever was before. Not so those which a
 * kernel that crashed has at work: without its table, what they still do would
 * go anywhere.
 */
static void leave(struct calgary_phb *phb)
{
	if (!phb->inherited)
		calgary_phb_leave(phb);
	else
		pr_warn("chip %u PHB %u: still translates for the kernel that crashed, its devices will not work\n",
			phb->chip->nr, phb->nr);
}

/* Whether it is to translate */
static bool add_phb(struct calgary_phb *phb)
{
	struct calgary_chip *chip = phb->chip;
	bool disabled, bad = false;
	unsigned int bus;

	/* The kernel before may have died while it had stopped this one. */
	phb->lenient = is_kdump_kernel();
	if (!phb->lenient)
		phb->inherited = 0;
	for (bus = phb->first_bus; bus <= phb->last_bus; bus++)
		bad |= !!find_bus(bus);
	if (phb->last_bus < phb->first_bus || bad) {
		pr_warn("chip %u PHB %u: bad buses %02x-%02x, not translated\n",
			chip->nr, phb->nr, phb->first_bus, phb->last_bus);
		return false;
	}
	disabled = !calgary_options.on ||
		   test_bit(phb->first_bus, calgary_options.disabled);
	__set_bit(phb->first_bus, roots);
	pr_info("chip %u PHB %u: %s, buses %02x-%02x%s\n", chip->nr, phb->nr,
		phb->calioc2 ? "CalIOC2" : "Calgary", phb->first_bus,
		phb->last_bus, disabled ? ", disabled" : "");
	INIT_DELAYED_WORK(&phb->watchdog, watchdog);
	if (disabled ||
	    iommu_device_sysfs_add(&phb->iommu, NULL, calgary_groups,
				   "calgary%u-phb%u", chip->nr, phb->nr))
		return false;
	if (phb->inherited)
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
		if (!find_function(chip, nr))
			continue;
		calgary_phb_init(chip, nr);
		if (!add_phb(&chip->phbs[nr]))
			leave(&chip->phbs[nr]);
	}
}

/* Its devices go on as those of one that is disabled. */
static void drop_phb(struct calgary_phb *phb)
{
	phb->iommu.ops = NULL;
	list_del(&phb->node);
	leave(phb);
	cancel_delayed_work_sync(&phb->watchdog);
	iommu_device_sysfs_remove(&phb->iommu);
	calgary_table_free(phb->spare);
}

/**
 * calgary_start - have the devices behind all PHBs translated
 * @io: how TCEs get to memory
 *
 * Return: whether there are any.
 */
bool calgary_start(const struct calgary_io *io)
{
	struct calgary_phb *phb, *next;
	DECLARE_BITMAP(others, 256);
	int ret;

	if (bitmap_andnot(others, calgary_options.disabled, roots, 256))
		pr_warn("'disable=%*pbl' ignored, accepted are: %*pbl\n",
			256, others, 256, roots);
	if (!list_empty(&phbs))
		empty_table = calgary_table_alloc(io, 0);
	list_for_each_entry_safe(phb, next, &phbs, node) {
		if (calgary_options.empty_slots && !phb->spare)
			phb->spare = alloc_table(phb);
		ret = empty_table ? iommu_device_register(&phb->iommu,
							  &calgary_ops, NULL)
				  : -ENOMEM;
		if (ret) {
			dev_err(phb->iommu.dev, "not started (%pe)\n",
				ERR_PTR(ret));
			drop_phb(phb);
			continue;
		}
		enable_bus(phb);
	}
	return !list_empty(&phbs);
}

/**
 * calgary_shutdown - translate no more, as the next kernel may not know how
 *
 * Nor how to switch slots on. Devices no longer are bus masters by then.
 */
void calgary_shutdown(void)
{
	struct calgary_phb *phb;

	list_for_each_entry(phb, &phbs, node)
		calgary_phb_leave(phb);
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
