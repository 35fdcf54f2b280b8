// SPDX-License-Identifier: GPL-2.0-only
/*
 * Calgary and CalIOC2 in a machine: where firmware says they are, how their
 * registers are accessed, and when they are started and stopped.
 */
#define pr_fmt(fmt) "calgary: " fmt

#include <linux/cacheflush.h>
#include <linux/crash_dump.h>
#include <linux/init.h>
#include <linux/io.h>
#include <linux/ioport.h>
#include <linux/ktime.h>
#include <linux/minmax.h>
#include <linux/pci_ids.h>
#include <linux/pci_regs.h>
#include <linux/slab.h>
#include <linux/syscore_ops.h>

#include <asm/bios_ebda.h>
#include <asm/e820/api.h>
#include <asm/iommu.h>
#include <asm/pci-direct.h>
#include <asm/x86_init.h>

#include "calgary.h"

/* An EBDA is between the BIOS's variables and the memory of displays. */
#define EBDA_START	0x500
#define EBDA_END	0xa0000

/* The largest table after a crash, when memory is little: 256 KB for 128 MB */
#define CRASH_CODE	2

static u64 read64be(const void __iomem *reg)
{
	return swab64(readq(reg));
}

static void write64be(u64 value, void __iomem *reg)
{
	writeq(swab64(value), reg);
}

/* Where another kernel had its RAM, this one was told of nothing. */
static void *map_old(u64 start, size_t bytes)
{
	if (e820__mapped_any(start, start + bytes, 0))
		return NULL;
	return memremap(start, bytes, MEMREMAP_WB);
}

static const struct calgary_io x86_io = {
	.read32 = ioread32be,
	.write32 = iowrite32be,
	.read64 = read64be,
	.write64 = write64be,
	.now = ktime_get_mono_fast_ns,
	.map = map_old,
	.unmap = memunmap,
	.publish = clflush_cache_range,
};

static bool __init is_ram(u64 start, u64 last)
{
	return e820__mapped_any(start, last + 1, E820_TYPE_RAM);
}

/* Is there the function of any PHB? */
static bool __init has_function(void)
{
	unsigned int bus;
	u32 id;

	for (bus = 0; bus < 256 && early_pci_allowed(); bus++) {
		id = read_pci_config(bus, 0, 0, PCI_VENDOR_ID);
		if (id == (PCI_DEVICE_ID_CALGARY << 16 | PCI_VENDOR_ID_IBM) ||
		    id == (PCI_DEVICE_ID_CALIOC2 << 16 | PCI_VENDOR_ID_IBM))
			return true;
	}
	return false;
}

static struct calgary_chip *chips[CALGARY_MAX_CHIPS] __initdata;
static unsigned int nr_chips __initdata;

static void __init claim_chip(u32 bbar)
{
	struct calgary_chip *chip = kzalloc_obj(*chip);

	if (chip && request_mem_region(bbar, CALGARY_BBAR_SIZE, "calgary"))
		chip->regs = ioremap(bbar, CALGARY_BBAR_SIZE);
	if (!chip || !chip->regs) {
		pr_err("no way to the registers at 0x%x\n", bbar);
		kfree(chip);
		return;
	}
	chip->io = &x86_io;
	chips[nr_chips++] = chip;
}

/*
 * Before PCI devices get their addresses: none shall be where a chip is. What
 * only looks like a table, on another machine, changes nothing.
 */
static int __init calgary_find(void)
{
	unsigned int i, start = get_bios_ebda();
	struct calgary_ebda found;
	int ret;

	calgary_options.on &= !no_iommu;
	/* After a crash, PHBs may translate that this kernel does not want to. */
	if (iommu_detected || (!calgary_options.on && !is_kdump_kernel()) ||
	    start < EBDA_START || start >= EBDA_END)
		return 0;
	/* The first MB is never given away, and always mapped. */
	ret = calgary_ebda_parse(phys_to_virt(start), EBDA_END - start, is_ram,
				 &found);
	if (ret == -ENOENT || !has_function())
		return 0;
	if (ret)
		pr_warn("bad table of chips (%pe), none is used\n",
			ERR_PTR(ret));
	if (found.nr_bad)
		pr_warn("%u chips are not used, the first has %s\n",
			found.nr_bad, found.flaw);
	for (i = 0; i < found.nr_chips; i++)
		claim_chip(found.bbars[i]);
	return 0;
}
arch_initcall(calgary_find);

static struct syscore calgary_syscore = {
	.ops = &(const struct syscore_ops){ .resume = calgary_resume },
};

/* After PCI devices have got their addresses, before drivers are there */
static int __init calgary_init(void)
{
	unsigned int i;

	if (is_kdump_kernel())
		calgary_options.code = min(calgary_options.code, CRASH_CODE);
	for (i = 0; i < nr_chips; i++)
		calgary_add_chip(chips[i]);
	if (nr_chips && calgary_start(&x86_io)) {
		x86_platform.iommu_shutdown = calgary_shutdown;
		register_syscore(&calgary_syscore);
	}
	return 0;
}
rootfs_initcall(calgary_init);
