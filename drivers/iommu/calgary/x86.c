// SPDX-License-Identifier: GPL-2.0-only
/*
 * Calgary and CalIOC2 in a machine: where firmware says they are, how their
 * registers are accessed, and when they are started and stopped.
 */
#define pr_fmt(fmt) "calgary: " fmt

#include <linux/bitmap.h>
#include <linux/cacheflush.h>
#include <linux/cleanup.h>
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

static u32 read32(struct calgary_chip *chip, unsigned int offset)
{
	return ioread32be(chip->regs + offset);
}

static void write32(struct calgary_chip *chip, unsigned int offset, u32 value)
{
	iowrite32be(value, chip->regs + offset);
}

static u64 read64(struct calgary_chip *chip, unsigned int offset)
{
	return swab64(readq(chip->regs + offset));
}

static void write64(struct calgary_chip *chip, unsigned int offset, u64 value)
{
	writeq(swab64(value), chip->regs + offset);
}

/* Where another kernel had its RAM, this one was told of nothing. */
static void *map_old(u64 start, size_t bytes)
{
	if (e820__mapped_any(start, start + bytes, 0))
		return NULL;
	return memremap(start, bytes, MEMREMAP_WB);
}

static const struct calgary_io x86_io = {
	.read32 = read32,
	.write32 = write32,
	.read64 = read64,
	.write64 = write64,
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

static void __init add_chip(const struct calgary_ebda_chip *info)
{
	struct calgary_chip *chip = kzalloc_obj(*chip);

	if (chip)
		chip->regs = ioremap(info->bbar, CALGARY_BBAR_SIZE);
	if (!chip || !chip->regs) {
		pr_err("no memory for the chip at 0x%x\n", info->bbar);
		kfree(chip);
		return;
	}
	chip->io = &x86_io;
	calgary_add_chip(chip);
}

static void __init add_chips(const struct calgary_ebda *found)
{
	static const char * const flaws[CALGARY_NR_FLAWS] __initconst = {
		[CALGARY_BBAR_ZERO] = "no address",
		[CALGARY_BBAR_UNALIGNED] = "an odd address",
		[CALGARY_BBAR_TAKEN] = "an address where something else is",
		[CALGARY_BBAR_TWICE] = "the address of another",
		[CALGARY_TOO_MANY] = "no number of a bus left",
	};
	unsigned int i;

	for (i = 0; i < CALGARY_NR_FLAWS; i++) {
		if (found->flaws[i])
			pr_warn("%u chips have %s, not used\n",
				found->flaws[i], flaws[i]);
	}
	for (i = 0; i < found->nr_chips; i++)
		add_chip(&found->chips[i]);
}

static const struct syscore_ops calgary_syscore_ops = {
	.resume = calgary_resume,
};

static struct syscore calgary_syscore = {
	.ops = &calgary_syscore_ops,
};

/* After PCI devices have got their addresses, before drivers are there */
static int __init calgary_init(void)
{
	bool wanted = !no_iommu && calgary_options.on;
	struct calgary_ebda *found __free(kfree) = NULL;
	int ret;

	if (iommu_detected || (!wanted && !is_kdump_kernel()))
		return 0;
	/* Chips that the dead kernel has left translating do not serve this. */
	if (!wanted)
		bitmap_fill(calgary_options.disabled, 256);
	found = kzalloc_obj(*found);
	if (!found)
		return -ENOMEM;
	ret = read_ebda(found);
	if (ret) {
		if (ret != -ENOENT)
			pr_warn("bad table of chips (%pe), none is used\n",
				ERR_PTR(ret));
		return 0;
	}
	if (is_kdump_kernel())
		calgary_options.code = min(calgary_options.code, CRASH_CODE);
	add_chips(found);
	if (calgary_start(&x86_io)) {
		x86_platform.iommu_shutdown = calgary_shutdown;
		register_syscore(&calgary_syscore);
	}
	return 0;
}
rootfs_initcall(calgary_init);
