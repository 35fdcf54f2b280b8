// SPDX-License-Identifier: GPL-2.0-only
/*
 * The MMU of the camera without the shared layer, for comparison
 *
 * A driver that does all by itself: addresses, scatterlists, caches, coherent
 * memory, page tables, flushes. It has what the drivers of the channels use of
 * the DMA API, and no more.
 */
#include <linux/cacheflush.h>
#include <linux/device.h>
#include <linux/dma-map-ops.h>
#include <linux/iova.h>
#include <linux/mm.h>
#include <linux/scatterlist.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>
#include <asm/set_memory.h>

#include "camera-core.h"
#include "camera-regs.h"

#define TABLE_ENTRIES	1024

struct camera_mmu {
	void __iomem *regs;
	bool coherent;
	spinlock_t lock;		/* tables that are added */
	spinlock_t invalidation_lock;	/* CAM_MMU_INV_FIRST and what follows */
	struct iova_domain iovas;
	__le32 *top;
	__le32 *tables[TABLE_ENTRIES];
};

static struct camera_mmu *mmu_of(struct device *unit)
{
	struct camera *cam = dev_get_drvdata(unit->parent);

	return cam->mmu;
}

/*
 * Page tables
 */
static void flush_lines(struct camera_mmu *mmu, void *vaddr, size_t size)
{
	if (!mmu->coherent)
		clflush_cache_range(vaddr, size);
}

static __le32 *table_alloc(struct camera_mmu *mmu, gfp_t gfp)
{
	__le32 *table = (void *)get_zeroed_page(gfp);

	if (table)
		flush_lines(mmu, table, SZ_4K);
	return table;
}

static __le32 *table_make(struct camera_mmu *mmu, u32 iova, gfp_t gfp)
{
	unsigned int index = iova / SZ_4M;
	__le32 *table, *fresh;

	/* Pairs with the release below: the table is empty before it is seen. */
	table = smp_load_acquire(&mmu->tables[index]);
	if (table)
		return table;
	fresh = table_alloc(mmu, gfp);
	if (!fresh)
		return NULL;
	scoped_guard(spinlock_irqsave, &mmu->lock) {
		table = mmu->tables[index];
		if (table)
			break;
		mmu->top[index] = cpu_to_le32(CAM_PTE(virt_to_phys(fresh)) |
					      CAM_PTE_VALID);
		flush_lines(mmu, &mmu->top[index], sizeof(*mmu->top));
		/* Pairs with the acquire above: the MMU has it by then. */
		smp_store_release(&mmu->tables[index], fresh);
		return fresh;
	}
	free_page((unsigned long)fresh);
	return table;
}

static void table_write(struct camera_mmu *mmu, __le32 *first,
			unsigned int count, u32 entry)
{
	unsigned int i;

	for (i = 0; i < count; i++) {
		first[i] = cpu_to_le32(entry);
		if (entry)
			entry += CAM_PTE(SZ_4K);
	}
	flush_lines(mmu, first, count * sizeof(*first));
}

static int mmu_map(struct camera_mmu *mmu, u32 iova, phys_addr_t phys,
		   unsigned int pages, u32 flags, gfp_t gfp)
{
	unsigned int index, count;
	__le32 *table;

	/* Entries have room for 40 bits. */
	if ((phys + pages * SZ_4K - 1) >> 40)
		return -ERANGE;
	for (; pages; pages -= count) {
		index = iova / SZ_4K % TABLE_ENTRIES;
		count = min(pages, TABLE_ENTRIES - index);
		table = table_make(mmu, iova, gfp);
		if (!table)
			return -ENOMEM;
		table_write(mmu, table + index, count, CAM_PTE(phys) | flags);
		iova += count * SZ_4K;
		phys += count * SZ_4K;
	}
	return 0;
}

static void mmu_invalidate(struct camera_mmu *mmu, u32 first, u32 last)
{
	guard(spinlock_irqsave)(&mmu->invalidation_lock);
	writel(first, mmu->regs + CAM_MMU_INV_FIRST);
	writel(last, mmu->regs + CAM_MMU_INV_LAST);
	readl(mmu->regs + CAM_MMU_CTRL);
}

static void mmu_unmap(struct camera_mmu *mmu, u32 iova, unsigned int pages)
{
	u32 last = iova + pages * SZ_4K - 1;
	unsigned int index, left, count;
	u32 at = iova;
	__le32 *table;

	for (left = pages; left; left -= count, at += count * SZ_4K) {
		index = at / SZ_4K % TABLE_ENTRIES;
		count = min(left, TABLE_ENTRIES - index);
		/* Mapping may have failed in the middle. */
		table = mmu->tables[at / SZ_4M];
		if (table)
			table_write(mmu, table + index, count, 0);
	}
	mmu_invalidate(mmu, iova, last);
	free_iova_fast(&mmu->iovas, iova / SZ_4K, pages);
}

/* 0: there is none */
static u32 iova_alloc(struct camera_mmu *mmu, struct device *unit, size_t pages)
{
	return alloc_iova_fast(&mmu->iovas, pages,
			       unit->coherent_dma_mask / SZ_4K, true) * SZ_4K;
}

static u32 flags_of(enum dma_data_direction dir)
{
	return CAM_PTE_VALID | (dir == DMA_TO_DEVICE ? 0 : CAM_PTE_WRITE);
}

/*
 * Scatterlists
 */
static void flush_list(struct camera_mmu *mmu, struct scatterlist *sgl,
		       int nents)
{
	struct scatterlist *sg;
	int i;

	if (mmu->coherent)
		return;
	for_each_sg(sgl, sg, nents, i)
		clflush_cache_range(sg_virt(sg), sg->length);
}

static unsigned int pages_of(struct scatterlist *sg)
{
	return PFN_UP(sg->offset + sg->length) - PFN_DOWN(sg->offset);
}

static unsigned int pages_of_list(struct scatterlist *sgl, int nents)
{
	unsigned int pages = 0;
	struct scatterlist *sg;
	int i;

	for_each_sg(sgl, sg, nents, i)
		pages += pages_of(sg);
	return pages;
}

/* What follows without a gap is one piece for the device. */
static int hand_map_sg(struct device *dev, struct scatterlist *sgl, int nents,
		       enum dma_data_direction dir, unsigned long attrs)
{
	unsigned int pages = pages_of_list(sgl, nents);
	struct scatterlist *sg, *piece = NULL;
	struct camera_mmu *mmu = mmu_of(dev);
	u32 first = iova_alloc(mmu, dev, pages), iova = first;
	int i, ret, pieces = 0;

	if (!first)
		return -ENOMEM;
	for_each_sg(sgl, sg, nents, i) {
		unsigned int offset = offset_in_page(sg->offset);

		ret = mmu_map(mmu, iova, sg_phys(sg) - offset, pages_of(sg),
			      flags_of(dir), GFP_ATOMIC);
		if (ret) {
			mmu_unmap(mmu, first, pages);
			return ret;
		}
		if (piece && sg_dma_address(piece) + sg_dma_len(piece) ==
			     iova + offset) {
			sg_dma_len(piece) += sg->length;
		} else {
			piece = piece ? sg_next(piece) : sgl;
			sg_dma_address(piece) = iova + offset;
			sg_dma_len(piece) = sg->length;
			pieces++;
		}
		iova += pages_of(sg) * SZ_4K;
	}
	if (!(attrs & DMA_ATTR_SKIP_CPU_SYNC))
		flush_list(mmu, sgl, nents);
	return pieces;
}

static void hand_unmap_sg(struct device *dev, struct scatterlist *sgl,
			  int nents, enum dma_data_direction dir,
			  unsigned long attrs)
{
	struct camera_mmu *mmu = mmu_of(dev);

	mmu_unmap(mmu, sg_dma_address(sgl) & PAGE_MASK,
		  pages_of_list(sgl, nents));
	if (dir != DMA_TO_DEVICE && !(attrs & DMA_ATTR_SKIP_CPU_SYNC))
		flush_list(mmu, sgl, nents);
}

static void hand_sync_sg_for_device(struct device *dev,
				    struct scatterlist *sgl, int nents,
				    enum dma_data_direction dir)
{
	flush_list(mmu_of(dev), sgl, nents);
}

static void hand_sync_sg_for_cpu(struct device *dev, struct scatterlist *sgl,
				 int nents, enum dma_data_direction dir)
{
	if (dir != DMA_TO_DEVICE)
		flush_list(mmu_of(dev), sgl, nents);
}

/*
 * Contiguous memory, cached
 */
static struct page *hand_alloc_pages(struct device *dev, size_t size,
				     dma_addr_t *handle,
				     enum dma_data_direction dir, gfp_t gfp)
{
	struct camera_mmu *mmu = mmu_of(dev);
	unsigned int pages = PFN_UP(size);
	struct page *page = alloc_pages(gfp, get_order(size));

	if (!page)
		return NULL;
	*handle = iova_alloc(mmu, dev, pages);
	if (!*handle)
		goto free_pages;
	if (mmu_map(mmu, *handle, page_to_phys(page), pages, flags_of(dir),
		    gfp & ~__GFP_ZERO)) {
		mmu_unmap(mmu, *handle, pages);
		goto free_pages;
	}
	flush_lines(mmu, page_address(page), size);
	return page;

free_pages:
	__free_pages(page, get_order(size));
	return NULL;
}

static void hand_free_pages(struct device *dev, size_t size, struct page *page,
			    dma_addr_t handle, enum dma_data_direction dir)
{
	mmu_unmap(mmu_of(dev), handle, PFN_UP(size));
	__free_pages(page, get_order(size));
}

/*
 * Coherent memory: single pages, uncached where the device does not snoop
 */
static pgprot_t prot_of(struct camera_mmu *mmu, pgprot_t prot,
			unsigned long attrs)
{
	if (mmu->coherent)
		return prot;
	return attrs & DMA_ATTR_WRITE_COMBINE ? pgprot_writecombine(prot) :
						pgprot_noncached(prot);
}

/* Memory that cannot be cached again is lost. */
static void coherent_free(struct camera_mmu *mmu, struct page **pages,
			  unsigned int count)
{
	if (!mmu->coherent && set_pages_array_wb(pages, count))
		return;
	while (count--)
		__free_page(pages[count]);
	kvfree(pages);
}

static struct page **coherent_alloc(struct camera_mmu *mmu, unsigned int count,
				    gfp_t gfp, unsigned long attrs)
{
	struct page **pages = kvmalloc_objs(*pages, count);
	unsigned int i;
	int ret = 0;

	if (!pages)
		return NULL;
	for (i = 0; i < count; i++) {
		pages[i] = alloc_page(gfp | __GFP_ZERO);
		if (!pages[i])
			goto free_pages;
	}
	if (!mmu->coherent)
		ret = attrs & DMA_ATTR_WRITE_COMBINE ?
			      set_pages_array_wc(pages, count) :
			      set_pages_array_uc(pages, count);
	if (!ret)
		return pages;
free_pages:
	while (i--)
		__free_page(pages[i]);
	kvfree(pages);
	return NULL;
}

static void *hand_alloc(struct device *dev, size_t size, dma_addr_t *handle,
			gfp_t gfp, unsigned long attrs)
{
	struct camera_mmu *mmu = mmu_of(dev);
	unsigned int i, count = PFN_UP(size);
	struct page **pages = coherent_alloc(mmu, count, gfp, attrs);
	void *vaddr;

	if (!pages)
		return NULL;
	*handle = iova_alloc(mmu, dev, count);
	if (!*handle)
		goto free_pages;
	for (i = 0; i < count; i++)
		if (mmu_map(mmu, *handle + i * SZ_4K, page_to_phys(pages[i]),
			    1, flags_of(DMA_BIDIRECTIONAL), gfp))
			goto unmap;
	vaddr = vmap(pages, count, VM_MAP, prot_of(mmu, PAGE_KERNEL, attrs));
	if (!vaddr)
		goto unmap;
	kvfree(pages);
	return vaddr;

unmap:
	mmu_unmap(mmu, *handle, count);
free_pages:
	coherent_free(mmu, pages, count);
	return NULL;
}

static void hand_free(struct device *dev, size_t size, void *vaddr,
		      dma_addr_t handle, unsigned long attrs)
{
	struct camera_mmu *mmu = mmu_of(dev);
	unsigned int i, count = PFN_UP(size);
	struct page **pages = kvmalloc_objs(*pages, count,
					    GFP_KERNEL | __GFP_NOFAIL);

	for (i = 0; i < count; i++)
		pages[i] = vmalloc_to_page(vaddr + i * SZ_4K);
	mmu_unmap(mmu, handle, count);
	vunmap(vaddr);
	coherent_free(mmu, pages, count);
}

static int hand_mmap(struct device *dev, struct vm_area_struct *vma,
		     void *vaddr, dma_addr_t handle, size_t size,
		     unsigned long attrs)
{
	unsigned long at;
	int ret = 0;

	if (vma->vm_pgoff || vma->vm_end - vma->vm_start > PAGE_ALIGN(size))
		return -ENXIO;
	vma->vm_page_prot = prot_of(mmu_of(dev), vma->vm_page_prot, attrs);
	for (at = vma->vm_start; at < vma->vm_end && !ret; at += SZ_4K)
		ret = vm_insert_page(vma, at,
				     vmalloc_to_page(vaddr + at -
						     vma->vm_start));
	return ret;
}

static const struct dma_map_ops hand_ops = {
	.alloc = hand_alloc,
	.free = hand_free,
	.mmap = hand_mmap,
	.alloc_pages_op = hand_alloc_pages,
	.free_pages = hand_free_pages,
	.map_sg = hand_map_sg,
	.unmap_sg = hand_unmap_sg,
	.sync_sg_for_device = hand_sync_sg_for_device,
	.sync_sg_for_cpu = hand_sync_sg_for_cpu,
};

/*
 * The function and its channels
 */
int camera_mmu_init(struct camera *cam)
{
	struct camera_mmu *mmu = kzalloc_obj(*mmu);
	int ret = -ENOMEM;

	if (!mmu)
		return -ENOMEM;
	mmu->regs = cam->regs;
	mmu->coherent = readl(cam->regs + CAM_CAPS) & CAM_CAPS_COHERENT;
	spin_lock_init(&mmu->lock);
	spin_lock_init(&mmu->invalidation_lock);
	mmu->top = table_alloc(mmu, GFP_KERNEL);
	if (!mmu->top)
		goto free_mmu;
	ret = iova_cache_get();
	if (ret)
		goto free_top;
	init_iova_domain(&mmu->iovas, SZ_4K, 1);
	ret = iova_domain_init_rcaches(&mmu->iovas);
	if (ret)
		goto put_iovas;
	cam->mmu = mmu;
	writel(virt_to_phys(mmu->top) / SZ_4K, cam->regs + CAM_MMU_TABLE);
	mmu_invalidate(mmu, 0, U32_MAX);
	writel(CAM_MMU_ENABLE, cam->regs + CAM_MMU_CTRL);
	return 0;

put_iovas:
	put_iova_domain(&mmu->iovas);
	iova_cache_put();
free_top:
	free_page((unsigned long)mmu->top);
free_mmu:
	kfree(mmu);
	return ret;
}

void camera_mmu_exit(struct camera *cam)
{
	struct camera_mmu *mmu = cam->mmu;
	unsigned int i;

	writel(0, cam->regs + CAM_MMU_CTRL);
	mmu_invalidate(mmu, 0, U32_MAX);
	put_iova_domain(&mmu->iovas);
	iova_cache_put();
	for (i = 0; i < TABLE_ENTRIES; i++)
		free_page((unsigned long)mmu->tables[i]);
	free_page((unsigned long)mmu->top);
	kfree(mmu);
}

int camera_mmu_add(struct camera *cam, struct device *unit)
{
	unit->dma_mask = &unit->coherent_dma_mask;
	unit->coherent_dma_mask = DMA_BIT_MASK(32);
	set_dma_ops(unit, &hand_ops);
	return 0;
}

int camera_mmu_check(struct camera *cam, struct device *unit)
{
	return 0;
}

void camera_mmu_remove(struct camera *cam, struct device *unit)
{
}
