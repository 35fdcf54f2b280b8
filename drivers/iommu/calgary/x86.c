// SPDX-License-Identifier: GPL-2.0-only
/*
 * Calgary and CalIOC2 in a machine: where firmware says they are, how their
 * registers are accessed, and when they are started and stopped.
 */
#define pr_fmt(fmt) "calgary: " fmt

#include <linux/cacheflush.h>
#include <linux/crash_dump.h>
#include <linux/dma-map-ops.h>
#include <linux/init.h>
#include <linux/io.h>
#include <linux/ktime.h>
#include <linux/minmax.h>
#include <linux/slab.h>
#include <linux/syscore_ops.h>

#include <asm/bios_ebda.h>
#include <asm/e820/api.h>
#include <asm/iommu.h>
#include <asm/x86_init.h>

#include "calgary.h"

/*
 * An EBDA is between the BIOS's variables and the memory of displays, and has
 * no more than 64 KB of use to us.
 */
#define EBDA_START	0x500
#define EBDA_END	0xa0000
#define EBDA_MAX	SZ_64K

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

static int __init read_ebda(struct calgary_ebda *found)
{
	unsigned int start = get_bios_ebda();

	if (start < EBDA_START || start >= EBDA_END)
		return -ENOENT;
	/* The first MB is never given away, and always mapped. */
	return calgary_ebda_parse(phys_to_virt(start),
				  min(EBDA_END - start, EBDA_MAX), is_ram,
				  found);
}

static void __init add_chip(u32 bbar)
{
	struct calgary_chip *chip = kzalloc_obj(*chip);

	if (chip)
		chip->regs = ioremap(bbar, CALGARY_BBAR_SIZE);
	if (!chip || !chip->regs) {
		pr_err("no memory for the chip at 0x%x\n", bbar);
		kfree(chip);
		return;
	}
	chip->io = &x86_io;
	calgary_add_chip(chip);
}

static struct syscore calgary_syscore = {
	.ops = &(const struct syscore_ops){ .resume = calgary_resume },
};

/* After PCI devices have got their addresses, before drivers are there */
static int __init calgary_init(void)
{
	bool wanted = !no_iommu && calgary_options.on;
	struct calgary_ebda found;
	unsigned int i;
	int ret;

	if (iommu_detected || (!wanted && !is_kdump_kernel()))
		return 0;
	/* Chips that the dead kernel has left translating do not serve this. */
	if (!wanted)
		bitmap_fill(calgary_options.disabled, 256);
	ret = read_ebda(&found);
	if (ret && ret != -ENOENT)
		pr_warn("bad table of chips (%pe), none is used\n",
			ERR_PTR(ret));
	if (ret)
		return 0;
	if (found.nr_bad)
		pr_warn("%u chips are not used, the first has %s\n",
			found.nr_bad, found.flaw);
	if (is_kdump_kernel())
		calgary_options.code = min(calgary_options.code, CRASH_CODE);
	for (i = 0; i < found.nr_chips; i++)
		add_chip(found.bbars[i]);
	if (calgary_start(&x86_io)) {
		x86_platform.iommu_shutdown = calgary_shutdown;
		register_syscore(&calgary_syscore);
	}
	return 0;
}
rootfs_initcall(calgary_init);
