// SPDX-License-Identifier: GPL-2.0-only
/*
 * Caches and memory types for devices that do not snoop.
 *
 * Memory is uncached in all of its kernel mappings at once: processors may
 * check that they agree, and a cached one can bring lines back by speculation.
 */
#include <kunit/static_stub.h>
#include <linux/cacheflush.h>
#include <linux/device.h>
#include <linux/dma-map-ops.h>
#include <linux/dma-noncoherent.h>
#include <linux/io.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/set_memory.h>
#include <linux/sizes.h>
#include <linux/vmalloc.h>
#include <asm/dma-noncoherent.h>

/**
 * x86_dma_flush - write back and drop what caches hold of a range of memory
 * @phys: where it begins; memory that is in the direct map
 * @size: bytes
 *
 * CLFLUSH has all caches of the coherence domain give up a line.  What is
 * clean, as after a device has written to memory, is just dropped.
 *
 * Context: any.
 */
void x86_dma_flush(phys_addr_t phys, size_t size)
{
	KUNIT_STATIC_STUB_REDIRECT(x86_dma_flush, phys, size);

	while (size) {
		/* clflush_cache_range() counts in an unsigned int. */
		unsigned int len = min(size, SZ_1G);

		clflush_cache_range(phys_to_virt(phys), len);
		phys += len;
		size -= len;
	}
}

/* The pages themselves first, so that their type is known to whoever maps them. */
static int x86_dma_uncache_remapped(void *vaddr, int nr, bool write_combine)
{
	struct page **pages = dma_common_find_pages(vaddr);
	unsigned long addr = (unsigned long)vaddr;
	int ret;

	if (WARN_ON(!pages))
		return -EINVAL;
	if (write_combine)
		ret = set_pages_array_wc(pages, nr) ?: _set_memory_wc(addr, nr);
	else
		ret = set_pages_array_uc(pages, nr) ?: _set_memory_uc(addr, nr);
	if (ret) {
		_set_memory_wb(addr, nr);
		set_pages_array_wb(pages, nr);
	}
	return ret;
}

static int x86_dma_recache_remapped(void *vaddr, int nr)
{
	struct page **pages = dma_common_find_pages(vaddr);

	if (WARN_ON(!pages))
		return -EINVAL;
	return _set_memory_wb((unsigned long)vaddr, nr) ?:
	       set_pages_array_wb(pages, nr);
}

/**
 * x86_dma_uncache - take memory out of the caches
 * @vaddr: kernel address, in the direct map or of a remapped buffer
 * @size: bytes
 * @write_combine: writes may be collected
 *
 * Context: process, may sleep.
 * Return: 0, or an errno, and all is as it was.
 */
int x86_dma_uncache(void *vaddr, size_t size, bool write_combine)
{
	unsigned long addr = (unsigned long)vaddr;
	int nr = PFN_UP(size);
	int ret;

	KUNIT_STATIC_STUB_REDIRECT(x86_dma_uncache, vaddr, size, write_combine);

	if (is_vmalloc_addr(vaddr))
		return x86_dma_uncache_remapped(vaddr, nr, write_combine);
	if (write_combine)
		ret = set_memory_wc(addr, nr);
	else
		ret = set_memory_uc(addr, nr);
	if (ret)
		_set_memory_wb(addr, nr);
	return ret;
}

/**
 * x86_dma_recache - undo x86_dma_uncache()
 * @vaddr: kernel address
 * @size: bytes
 *
 * Context: process, may sleep.
 * Return: 0, or an errno, and the memory must not be used for anything else.
 */
int x86_dma_recache(void *vaddr, size_t size)
{
	if (is_vmalloc_addr(vaddr))
		return x86_dma_recache_remapped(vaddr, PFN_UP(size));
	return set_memory_wb((unsigned long)vaddr, PFN_UP(size));
}

/* What firmware says: _CCA of ACPI, "dma-noncoherent" of a device tree */
void arch_setup_dma_ops(struct device *dev, bool coherent)
{
	int ret;

	if (coherent)
		return;
	ret = dma_set_noncoherent(dev);
	if (ret)
		dev_err(dev, "firmware calls it non-coherent, which is ignored: %pe\n",
			ERR_PTR(ret));
}
