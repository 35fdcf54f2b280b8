// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of the driver: how PHBs come and go, and which devices are theirs.
 *
 * This has a copy of the driver with PHBs of its own, so that those of a machine
 * that has some are left alone. Its chip is memory, and where it asks the kernel
 * for something that may fail, or that only a machine has, it asks the tests.
 */
#define pr_fmt(fmt) "calgary: " fmt

#include <kunit/test.h>
#include <linux/crash_dump.h>
#include <linux/iommu.h>
#include <linux/pci.h>
#include <linux/slab.h>

#include "calgary.h"

/* Buses of PHBs 0 and 1; others have none. */
#define BUS	0xf0

static bool crashed, no_memory, pass_through;
static unsigned int tables, refused;
static struct pci_dev *host;
static __be64 *left;
/* Which PHBs' own registers were looked at */
static unsigned long touched;
/* The last warning */
static char warned[200];
/* All PCI devices, and those that were suspected while somebody held them */
static struct pci_dev *all[8];
static unsigned long named;

static void add_chip(struct calgary_chip *chip);
static bool start(const struct calgary_io *io);
static void shut_down(void);
static void come_back(void *data);

static struct pci_dev *function_of(int domain, unsigned int bus,
				   unsigned int devfn)
{
	return bus == BUS || bus == BUS + 1 ? pci_dev_get(host) : NULL;
}

/* As pci_get_device() does it: that which was the last one is let go. */
static struct pci_dev *next_of(unsigned int vendor, unsigned int device,
			       struct pci_dev *from)
{
	unsigned int i = 0;

	while (from && all[i++] != from)
		;
	pci_dev_put(from);
	return pci_dev_get(all[i]);
}

static void note_suspect(struct pci_dev *pdev)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(all); i++) {
		if (all[i] == pdev && kref_read(&pdev->dev.kobj.kref) == 2)
			named |= BIT(i);
	}
}

static struct iommu_resv_region *make_region(phys_addr_t start, size_t length,
					     int prot,
					     enum iommu_resv_type type,
					     gfp_t gfp)
{
	return no_memory && !(gfp & __GFP_NOFAIL) ? NULL :
	       iommu_alloc_resv_region(start, length, prot, type, gfp);
}

static int register_iommu(struct iommu_device *iommu,
			  const struct iommu_ops *ops, struct device *hwdev)
{
	/* The core leaves them there when it fails. */
	iommu->ops = ops;
	return refused & BIT(container_of(iommu, struct calgary_phb, iommu)->nr) ?
	       -EBUSY : 0;
}

static struct calgary_table *make_table(const struct calgary_io *io,
					unsigned int code)
{
	struct calgary_table *table;

	table = no_memory ? NULL : calgary_table_alloc(io, code);
	tables += !!table;
	return table;
}

static void free_table(struct calgary_table *table)
{
	tables -= table && !table->unmap;
	calgary_table_free(table);
}

#define is_kdump_kernel()		crashed
#define iommu_default_passthrough()	pass_through
#define pci_get_domain_bus_and_slot	function_of
#define pci_get_device			next_of
#define iommu_alloc_resv_region		make_region
#define iommu_device_register		register_iommu
#define calgary_table_alloc		make_table
#define calgary_table_free		free_table
#define calgary_add_chip		add_chip
#define calgary_start			start
#define calgary_shutdown		shut_down
#define calgary_resume			come_back
#undef pr_warn
#define pr_warn(...)	snprintf(warned, sizeof(warned), __VA_ARGS__)
#undef pci_err
#define pci_err(pdev, ...)	note_suspect(pdev)
#include "calgary.c"

/* Memory of a chip is aligned to its size, of which this is all that is used. */
#define SPACE	SZ_64K

static void note_access(const void __iomem *reg)
{
	unsigned long offset = (unsigned long)reg & (SPACE - 1);

	if (offset >= 0x8000)
		touched |= BIT((offset - 0x8000) / 0x1000);
}

/* A chip's registers are memory; all that was asked of it is done at once. */
static u32 read32(const void __iomem *reg)
{
	note_access(reg);
	return *(__force u32 *)reg;
}

static void write32(u32 value, void __iomem *reg)
{
	note_access(reg);
	*(__force u32 *)reg = value;
}

static u64 read64(const void __iomem *reg)
{
	return *(__force u64 *)reg;
}

static void write64(u64 value, void __iomem *reg)
{
	*(__force u64 *)reg = value;
}

static u64 now(void)
{
	return 0;
}

static void *map(u64 phys, size_t bytes)
{
	return phys == 0x12340000 ? left : NULL;
}

static void unmap(void *entries)
{
	left = entries == left ? NULL : left;
}

static const struct calgary_io io = {
	.read32 = read32,
	.write32 = write32,
	.read64 = read64,
	.write64 = write64,
	.now = now,
	.map = map,
	.unmap = unmap,
};

static u32 *reg32(struct calgary_chip *chip, unsigned int phb,
		  unsigned int offset)
{
	return (__force u32 *)(chip->regs + 0x8000 + 0x1000 * phb + offset);
}

static u64 *tar(struct calgary_chip *chip, unsigned int phb)
{
	return (__force u64 *)(chip->regs + 0x580 + 8 * phb);
}

static struct calgary_chip *new_chip(struct kunit *test)
{
	struct calgary_chip *chip = kunit_kzalloc(test, sizeof(*chip),
						  GFP_KERNEL);
	u8 *regs = kunit_kzalloc(test, SPACE, GFP_KERNEL);
	unsigned int phb;

	KUNIT_ASSERT_NOT_NULL(test, chip);
	KUNIT_ASSERT_NOT_NULL(test, regs);
	KUNIT_ASSERT_TRUE(test, IS_ALIGNED((unsigned long)regs, SPACE));
	chip->io = &io;
	chip->regs = (void __iomem *)regs;
	for (phb = 0; phb < 4; phb++) {
		*(u32 *)(regs + 0x4020 + 0x1000 * phb) = (BUS + phb) << 16;
		*(u64 *)(regs + 0x4870 + 0x1000 * phb) = U64_MAX;
		*reg32(chip, phb, 0x200) = 0xc0de;
	}
	return chip;
}

/* A device on a bus, or on one behind that */
static struct pci_dev *new_device(struct kunit *test, u8 nr, bool behind)
{
	struct pci_dev *pdev = kunit_kzalloc(test, sizeof(*pdev), GFP_KERNEL);
	struct pci_bus *buses = kunit_kcalloc(test, 2, sizeof(*buses),
					      GFP_KERNEL);
	/* As much as any architecture has there */
	void *sysdata = kunit_kzalloc(test, 256, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, pdev);
	KUNIT_ASSERT_NOT_NULL(test, buses);
	KUNIT_ASSERT_NOT_NULL(test, sysdata);
	buses[0].number = nr;
	buses[1].number = 0x77;
	buses[1].parent = &buses[0];
	buses[0].sysdata = sysdata;
	buses[1].sysdata = sysdata;
	pdev->bus = &buses[behind];
	pdev->vendor = PCI_VENDOR_ID_INTEL;
	pdev->ats_cap = 0x100;
	pdev->dev.bus = &pci_bus_type;
	return pdev;
}

/* Firmware's word, and that of the chip, are not enough. */
static void those_without_a_function_are_left_alone(struct kunit *test)
{
	struct calgary_chip *chip = new_chip(test);

	add_chip(chip);
	KUNIT_EXPECT_EQ(test, touched, BIT(0) | BIT(1));
	host->device = 0x0302;
	touched = 0;
	add_chip(new_chip(test));
	KUNIT_EXPECT_EQ(test, touched, 0);
}

static void phbs_are_dropped_without_memory(struct kunit *test)
{
	struct calgary_chip *chip = new_chip(test);

	/* Left by another kernel, which has isolated what is behind the second */
	*reg32(chip, 0, 0x160) = 0x20080001;
	*reg32(chip, 1, 0x160) = 0x3c080001;
	add_chip(chip);
	KUNIT_EXPECT_PTR_EQ(test, find_bus(BUS), &chip->phbs[0]);
	KUNIT_EXPECT_PTR_EQ(test, find_bus(BUS + 1), &chip->phbs[1]);
	KUNIT_EXPECT_NULL(test, find_bus(BUS + 2));
	no_memory = true;
	KUNIT_EXPECT_FALSE(test, start(&io));
	KUNIT_EXPECT_TRUE(test, list_empty(&phbs));
	/* As those of a chip that nobody knows of: nothing else is lost. */
	KUNIT_EXPECT_EQ(test, *reg32(chip, 0, 0x160), 0x00080001);
	KUNIT_EXPECT_EQ(test, *reg32(chip, 1, 0x160), 0x00080001);
	KUNIT_EXPECT_EQ(test, *reg32(chip, 0, 0x200), 0xc0de);
	KUNIT_EXPECT_NULL(test, chip->phbs[0].iommu.dev);
	KUNIT_EXPECT_NULL(test, chip->phbs[1].iommu.dev);
	KUNIT_EXPECT_EQ(test, tables, 0);
}

static void one_that_is_refused_is_dropped(struct kunit *test)
{
	struct calgary_chip *chip = new_chip(test);

	*reg32(chip, 0, 0x160) = 0x20080001;
	calgary_options.empty_slots = true;
	refused = BIT(0);
	add_chip(chip);
	KUNIT_EXPECT_TRUE(test, start(&io));
	KUNIT_EXPECT_NULL(test, find_bus(BUS));
	KUNIT_EXPECT_EQ(test, *reg32(chip, 0, 0x160), 0x00080001);
	KUNIT_EXPECT_NULL(test, chip->phbs[0].iommu.dev);
	KUNIT_EXPECT_NULL(test, chip->phbs[0].iommu.ops);
	/* The other has its own, and all have the empty one. */
	KUNIT_EXPECT_PTR_EQ(test, find_bus(BUS + 1), &chip->phbs[1]);
	KUNIT_EXPECT_NOT_NULL(test, chip->phbs[1].spare);
	KUNIT_EXPECT_EQ(test, tables, 2);
	shut_down();
	come_back(NULL);
	KUNIT_EXPECT_EQ(test, *reg32(chip, 1, 0x160), 0);
}

/* The next kernel may know nothing of slots. */
static void isolation_ends_with_the_kernel(struct kunit *test)
{
	struct calgary_chip *chip = new_chip(test);
	struct calgary_errors errors;

	*reg32(chip, 0, 0x160) = 0x00080001;
	add_chip(chip);
	KUNIT_EXPECT_TRUE(test, start(&io));
	calgary_phb_use(&chip->phbs[0], 0x12340000);
	*reg32(chip, 0, 0x110) = 0x80000000;
	KUNIT_EXPECT_TRUE(test, calgary_phb_check(&chip->phbs[0], &errors));
	KUNIT_EXPECT_EQ(test, *reg32(chip, 0, 0x160), 0x3d180001);
	shut_down();
	KUNIT_EXPECT_EQ(test, *reg32(chip, 0, 0x160), 0x00080001);
	KUNIT_EXPECT_EQ(test, *tar(chip, 0), 0);
}

/* What begins nowhere cannot be disabled. */
static void buses_that_none_begins_at(struct kunit *test)
{
	struct calgary_chip *chip = new_chip(test);

	__set_bit(BUS + 1, calgary_options.disabled);
	add_chip(chip);
	KUNIT_EXPECT_TRUE(test, start(&io));
	KUNIT_EXPECT_STREQ(test, warned, "");
	KUNIT_EXPECT_NULL(test, find_bus(BUS + 1));
	__set_bit(3, calgary_options.disabled);
	__set_bit(BUS + 2, calgary_options.disabled);
	calgary_table_free(empty_table);
	start(&io);
	KUNIT_EXPECT_STREQ(test, warned,
			   "'disable=3,242' ignored, accepted are: 240-241\n");
}

/* Two cards in slot 3, one of them behind a bridge, and one in slot 4 */
static void suspects_are_held(struct kunit *test)
{
	struct calgary_chip *chip = new_chip(test);
	struct calgary_phb *phb = &chip->phbs[0];
	unsigned int i;

	add_chip(chip);
	for (i = 0; i < 7; i++) {
		all[i] = new_device(test, i == 5 ? BUS + 1 : BUS, i == 3);
		device_initialize(&all[i]->dev);
		all[i]->devfn = PCI_DEVFN(i == 4 ? 4 : 3, i);
	}
	all[0]->vendor = PCI_VENDOR_ID_IBM;
	all[0]->device = 0x02a1;
	all[1]->hdr_type = PCI_HEADER_TYPE_BRIDGE;
	all[3]->bus->self = all[1];
	all[3]->devfn = PCI_DEVFN(9, 0);
	all[6]->bus->self = all[2];
	calgary_phb_use(phb, 0x12340000);
	*reg32(chip, 0, 0x110) = 0x80030000;
	watchdog(&phb->watchdog.work);
	KUNIT_EXPECT_EQ(test, named, BIT(2) | BIT(3) | BIT(6));
	/* No slot is told from another. */
	named = 0;
	phb->calioc2 = true;
	report(phb, &(struct calgary_errors){ .csr = 0x80000000 });
	KUNIT_EXPECT_EQ(test, named, BIT(2) | BIT(3) | BIT(4) | BIT(6));
	for (i = 0; i < 7; i++)
		KUNIT_EXPECT_EQ(test, kref_read(&all[i]->dev.kobj.kref), 1);
}

static void expect_none(struct kunit *test, struct pci_dev *pdev)
{
	KUNIT_EXPECT_PTR_EQ(test, calgary_probe_device(&pdev->dev),
			    ERR_PTR(-ENODEV));
	KUNIT_EXPECT_EQ(test, pdev->ats_cap, 0x100);
}

/* Chips have no ATS; a device that could use it must not be told to. */
static void devices_have_no_ats(struct kunit *test)
{
	struct calgary_chip *chip = new_chip(test);
	struct pci_dev *pdev;

	add_chip(chip);
	pdev = new_device(test, BUS, false);
	/* Not before it is registered */
	expect_none(test, pdev);
	KUNIT_EXPECT_TRUE(test, start(&io));
	KUNIT_EXPECT_PTR_EQ(test, calgary_probe_device(&pdev->dev),
			    &chip->phbs[0].iommu);
	KUNIT_EXPECT_EQ(test, pdev->ats_cap, 0);
	pdev = new_device(test, BUS + 1, true);
	KUNIT_EXPECT_PTR_EQ(test, calgary_probe_device(&pdev->dev),
			    &chip->phbs[1].iommu);
	KUNIT_EXPECT_EQ(test, pdev->ats_cap, 0);
	/* Others may have another IOMMU, or none. */
	expect_none(test, new_device(test, BUS + 2, false));
	pdev = new_device(test, BUS, false);
	pdev->vendor = PCI_VENDOR_ID_IBM;
	pdev->device = 0x02a1;
	expect_none(test, pdev);
}

static bool is_reserved(struct list_head *regions, u64 address)
{
	struct iommu_resv_region *region;

	list_for_each_entry(region, regions, list) {
		if (address - region->start < region->length)
			return true;
	}
	return false;
}

/* 32 MB, of which the dead kernel has used two; five more are reserved. */
static void leave_table(struct kunit *test, struct calgary_chip *chip)
{
	left = kunit_kzalloc(test, SZ_64K, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, left);
	left[0x100] = cpu_to_be64(0x1003);
	left[0x3ff] = cpu_to_be64(0x2001);
	*reg32(chip, 0, 0x160) = 0x20000000;
	*reg32(chip, 0, 0x190) = 0x1c00000;
	*reg32(chip, 0, 0x1c0) = 0x1f00000;
	*tar(chip, 0) = 0x12340000;
	crashed = true;
}

static void running_table_is_adopted(struct kunit *test)
{
	struct calgary_chip *chip = new_chip(test);
	struct pci_dev *pdev = new_device(test, BUS, false);
	struct calgary_phb *phb = &chip->phbs[0];
	struct dev_iommu of_device = { .iommu_dev = &phb->iommu };
	struct iommu_resv_region *region, *next;
	struct iommu_domain *domain;
	struct calgary_table *table;
	LIST_HEAD(regions);
	unsigned int mb;

	leave_table(test, chip);
	add_chip(chip);
	KUNIT_EXPECT_TRUE(test, start(&io));
	table = phb->spare;
	KUNIT_ASSERT_NOT_NULL(test, table);
	KUNIT_EXPECT_TRUE(test, phb->lenient);
	pdev->dev.iommu = &of_device;
	pass_through = true;
	KUNIT_EXPECT_EQ(test, calgary_def_domain_type(&pdev->dev),
			IOMMU_DOMAIN_DMA);

	/* What is the dead kernel's stays so, in the same table. */
	calgary_get_resv_regions(&pdev->dev, &regions);
	for (mb = 0; mb < 32; mb++)
		KUNIT_EXPECT_EQ_MSG(test, is_reserved(&regions, mb * SZ_1M),
				    mb < 2 || mb == 3 || mb >= 28, "%u", mb);
	list_for_each_entry_safe(region, next, &regions, list)
		kfree(region);
	domain = calgary_domain_alloc(&pdev->dev);
	KUNIT_ASSERT_PTR_EQ(test, domain, &table->flat.domain);
	KUNIT_EXPECT_EQ(test, domain->geometry.aperture_end, SZ_32M - 1);
	KUNIT_EXPECT_EQ(test, calgary_attach(domain, &pdev->dev, NULL), 0);
	KUNIT_EXPECT_EQ(test, *tar(chip, 0), 0x12340000);
	KUNIT_EXPECT_EQ(test, *reg32(chip, 0, 0x160), 0x21100000);
	KUNIT_EXPECT_EQ(test, be64_to_cpu(left[0x100]), 0x1003);
	/* It is given back, not freed, and there is no other one like it. */
	calgary_domain_free(domain);
	KUNIT_EXPECT_NULL(test, left);
	KUNIT_EXPECT_EQ(test, *tar(chip, 0), empty_table->tar);
	KUNIT_EXPECT_NULL(test, phb->spare);
	KUNIT_EXPECT_EQ(test, tables, 1);
}

static void others_start_with_nothing(struct kunit *test)
{
	struct calgary_chip *chip = new_chip(test);
	struct pci_dev *pdev = new_device(test, BUS, false);
	struct calgary_phb *phb = &chip->phbs[0];
	struct dev_iommu of_device = { .iommu_dev = &phb->iommu };

	leave_table(test, chip);
	/* What the PHB does not translate leaves 16 MB, two of which are used. */
	*reg32(chip, 0, 0x190) = 0x1100000;
	add_chip(chip);
	KUNIT_EXPECT_TRUE(test, phb->inherited);
	KUNIT_EXPECT_NULL(test, phb->spare);
	KUNIT_EXPECT_TRUE(test, bitmap_empty(phb->old, CALGARY_MB));
	KUNIT_EXPECT_NULL(test, left);
	pdev->dev.iommu = &of_device;
	pass_through = true;
	/* Devices are at work all the same. */
	KUNIT_EXPECT_EQ(test, calgary_def_domain_type(&pdev->dev),
			IOMMU_DOMAIN_DMA);
	/* What did not translate has nothing that could be inherited. */
	of_device.iommu_dev = &chip->phbs[1].iommu;
	KUNIT_EXPECT_FALSE(test, chip->phbs[1].inherited);
	KUNIT_EXPECT_EQ(test, calgary_def_domain_type(&pdev->dev), 0);
	KUNIT_EXPECT_TRUE(test, start(&io));
}

/*
 * What devices of a dead kernel do must not go anywhere: it stays translated,
 * whether this kernel is not to translate, or cannot. Where nothing was
 * translated, that kernel may have died when it had stopped arbitration.
 */
static void those_not_used_stay_translated_after_a_crash(struct kunit *test)
{
	struct calgary_chip *chip;
	unsigned int i;

	for (i = 0; i < 3; i++) {
		chip = new_chip(test);
		leave_table(test, chip);
		*reg32(chip, 0, 0x200) = 0;
		*reg32(chip, 1, 0x200) = 0;
		calgary_options = (struct calgary_options){ .on = i > 0 };
		if (i == 1)
			bitmap_set(calgary_options.disabled, BUS, 2);
		no_memory = i == 2;
		warned[0] = 0;
		add_chip(chip);
		KUNIT_EXPECT_FALSE(test, start(&io));
		KUNIT_EXPECT_NULL(test, find_bus(BUS));
		KUNIT_EXPECT_EQ(test, *reg32(chip, 0, 0x160), 0x20000000);
		KUNIT_EXPECT_EQ(test, *tar(chip, 0), 0x12340000);
		KUNIT_EXPECT_EQ(test, *reg32(chip, 0, 0x200), 0);
		KUNIT_EXPECT_NOT_NULL(test, strstr(warned, "PHB 0: still translates"));
		KUNIT_EXPECT_EQ(test, *reg32(chip, 1, 0x160), 0);
		KUNIT_EXPECT_EQ(test, *reg32(chip, 1, 0x200), AER_ALL);
	}
}

/* Else an IOVA would be handed out that is not translated. */
static void ranges_are_reserved_without_memory(struct kunit *test)
{
	struct calgary_chip *chip = new_chip(test);
	struct pci_dev *pdev = new_device(test, BUS, false);
	struct dev_iommu of_device = { .iommu_dev = &chip->phbs[0].iommu };
	struct iommu_resv_region *region, *next;
	LIST_HEAD(regions);

	leave_table(test, chip);
	add_chip(chip);
	KUNIT_EXPECT_TRUE(test, start(&io));
	pdev->dev.iommu = &of_device;
	no_memory = true;
	calgary_get_resv_regions(&pdev->dev, &regions);
	KUNIT_EXPECT_TRUE(test, is_reserved(&regions, 0xfffff));
	KUNIT_EXPECT_TRUE(test, is_reserved(&regions, 0x1c00000));
	KUNIT_EXPECT_TRUE(test, is_reserved(&regions, 0xfee00000));
	list_for_each_entry_safe(region, next, &regions, list)
		kfree(region);
}

static struct calgary_options kept;

static int calgary_test_init(struct kunit *test)
{
	host = new_device(test, 0, false);
	device_initialize(&host->dev);
	host->vendor = PCI_VENDOR_ID_IBM;
	host->device = 0x02a1;
	/* Names of a machine's own PHBs are others. */
	nr_chips = 1000;
	crashed = false;
	no_memory = false;
	pass_through = false;
	refused = 0;
	tables = 0;
	kept = calgary_options;
	calgary_options = (struct calgary_options){ .on = true };
	bitmap_zero(roots, 256);
	memset(all, 0, sizeof(all));
	memset(warned, 0, sizeof(warned));
	named = 0;
	touched = 0;
	return 0;
}

static void calgary_test_exit(struct kunit *test)
{
	struct calgary_phb *phb, *next;

	list_for_each_entry_safe(phb, next, &phbs, node)
		drop_phb(phb);
	free_table(empty_table);
	empty_table = NULL;
	calgary_options = kept;
}

static struct kunit_case calgary_cases[] = {
	KUNIT_CASE(those_without_a_function_are_left_alone),
	KUNIT_CASE(phbs_are_dropped_without_memory),
	KUNIT_CASE(one_that_is_refused_is_dropped),
	KUNIT_CASE(isolation_ends_with_the_kernel),
	KUNIT_CASE(buses_that_none_begins_at),
	KUNIT_CASE(suspects_are_held),
	KUNIT_CASE(devices_have_no_ats),
	KUNIT_CASE(running_table_is_adopted),
	KUNIT_CASE(others_start_with_nothing),
	KUNIT_CASE(those_not_used_stay_translated_after_a_crash),
	KUNIT_CASE(ranges_are_reserved_without_memory),
	{}
};

static struct kunit_suite calgary_suite = {
	.name = "iommu-calgary",
	.init = calgary_test_init,
	.exit = calgary_test_exit,
	.test_cases = calgary_cases,
};

kunit_test_suite(calgary_suite);
