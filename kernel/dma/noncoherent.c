// SPDX-License-Identifier: GPL-2.0-only
/*
 * DMA operations of devices that do not snoop the CPU's caches.
 *
 * They are the base of such a device's stack of layers, whether it has layers
 * or not, and call direct mapping or iommu-dma, which for their part know
 * coherent devices only.  So all other devices are mapped as if these did not
 * exist.
 *
 * Maintenance goes by the memory that the device sees, a bounce buffer
 * perhaps: after mapping, before unmapping.  Both of what lies below leave
 * bounce buffers of unmapped and synced memory to this file.
 */
#include <linux/cleanup.h>
#include <linux/dma-direct.h>
#include <linux/dma-map-ops.h>
#include <linux/dma-noncoherent.h>
#include <linux/dma-path.h>
#include <linux/dma-window.h>
#include <linux/export.h>
#include <linux/genalloc.h>
#include <linux/memremap.h>
#include <linux/mm.h>
#include <linux/pci.h>
#include <linux/scatterlist.h>
#include <linux/sizes.h>
#include <linux/swiotlb.h>
#include <linux/workqueue.h>
#include <asm/dma-noncoherent.h>
#include "direct.h"
#include "path.h"

static const struct dma_map_ops *below(struct device *dev)
{
	return dev->archdata.dma_path->below_caches;
}

static bool is_iommu(struct device *dev)
{
	return IS_ENABLED(CONFIG_IOMMU_DMA) &&
	       below(dev) == &dma_base_iommu_ops;
}

/* Operations of others do not tell where memory is when it is unmapped. */
static bool is_supported(struct device *dev)
{
	if (likely(is_iommu(dev) || below(dev) == &dma_base_direct_ops))
		return true;
	dev_err_once(dev, "not cache-coherent, and behind DMA operations that do not maintain caches: nothing can be mapped\n");
	return false;
}

/* Memory behind a DMA address; 0 if there is none */
static phys_addr_t addr_to_phys(struct device *dev, dma_addr_t addr)
{
	if (is_iommu(dev))
		return iommu_dma_to_phys(dev, addr);
	return dma_to_phys(dev, addr);
}

/*
 * For the device: what is dirty must reach memory, or, if the device writes,
 * must not do so later.
 */
static void flush_for_device(phys_addr_t phys, size_t size)
{
	x86_dma_flush(phys, size);
}

/* For the CPU: what it may have read ahead meanwhile is stale. */
static void flush_for_cpu(phys_addr_t phys, size_t size,
			  enum dma_data_direction dir)
{
	if (dir != DMA_TO_DEVICE)
		x86_dma_flush(phys, size);
}

/*
 * Would the device write to lines that hold something else as well?  When the
 * CPU writes to that, and the line goes to memory, it takes the device's part
 * along as it was before.
 */
static bool shares_lines(phys_addr_t phys, size_t size,
			 enum dma_data_direction dir)
{
	return dir != DMA_TO_DEVICE &&
	       !IS_ALIGNED(phys | size, x86_dma_line_size());
}

static bool can_bounce(struct device *dev, phys_addr_t phys, size_t size)
{
	/* iommu-dma bounces whole pages for these. */
	if (dev_is_pci(dev) && to_pci_dev(dev)->untrusted)
		return false;
	/* A slot shares no line with another. */
	if (swiotlb_find_pool(dev, phys))
		return false;
	if (is_swiotlb_active(dev) && size <= swiotlb_max_mapping_size(dev))
		return true;
	dev_warn_once(dev, "not cache-coherent, and a buffer of %zu bytes shares cache lines with others and cannot be bounced\n",
		      size);
	return false;
}

static dma_addr_t map_bounced(struct device *dev, phys_addr_t phys,
			      size_t size, enum dma_data_direction dir,
			      unsigned long attrs)
{
	phys_addr_t slot;
	dma_addr_t addr;

	if (!is_iommu(dev))
		return swiotlb_map(dev, phys, size, dir, attrs);

	slot = swiotlb_tbl_map_single(dev, phys, size, 0, dir, &attrs);
	if (slot == (phys_addr_t)DMA_MAPPING_ERROR)
		return DMA_MAPPING_ERROR;
	/* Not bounced again, and the slot is not freed if this fails. */
	addr = iommu_dma_map_phys(dev, slot, size, dir,
				  attrs | DMA_ATTR_REQUIRE_COHERENT);
	if (addr == DMA_MAPPING_ERROR)
		swiotlb_tbl_unmap_single(dev, slot, size, dir,
					 attrs | DMA_ATTR_SKIP_CPU_SYNC);
	return addr;
}

static dma_addr_t noncoherent_map_phys(struct device *dev, phys_addr_t phys,
				       size_t size,
				       enum dma_data_direction dir,
				       unsigned long attrs)
{
	dma_addr_t addr;

	if (!is_supported(dev) || (attrs & DMA_ATTR_REQUIRE_COHERENT))
		return DMA_MAPPING_ERROR;
	if (attrs & DMA_ATTR_MMIO)
		return below(dev)->map_phys(dev, phys, size, dir, attrs);

	if (shares_lines(phys, size, dir) && can_bounce(dev, phys, size))
		addr = map_bounced(dev, phys, size, dir, attrs);
	else
		addr = below(dev)->map_phys(dev, phys, size, dir, attrs);
	if (addr != DMA_MAPPING_ERROR && !(attrs & DMA_ATTR_SKIP_CPU_SYNC))
		flush_for_device(addr_to_phys(dev, addr), size);
	return addr;
}

static void noncoherent_unmap_phys(struct device *dev, dma_addr_t addr,
				   size_t size, enum dma_data_direction dir,
				   unsigned long attrs)
{
	phys_addr_t phys;

	if (!is_supported(dev))
		return;
	if (attrs & DMA_ATTR_MMIO) {
		below(dev)->unmap_phys(dev, addr, size, dir, attrs);
		return;
	}
	phys = addr_to_phys(dev, addr);
	if (WARN_ON(!phys))
		return;
	if (!(attrs & DMA_ATTR_SKIP_CPU_SYNC))
		flush_for_cpu(phys, size, dir);
	/* So called, iommu-dma leaves the bounce buffer alone. */
	if (is_iommu(dev))
		iommu_dma_unmap_phys(dev, addr, size, dir,
				     attrs | DMA_ATTR_REQUIRE_COHERENT);
	swiotlb_tbl_unmap_single(dev, phys, size, dir, attrs);
}

static void noncoherent_sync_single_for_cpu(struct device *dev,
					    dma_addr_t addr, size_t size,
					    enum dma_data_direction dir)
{
	phys_addr_t phys = addr_to_phys(dev, addr);

	flush_for_cpu(phys, size, dir);
	swiotlb_sync_single_for_cpu(dev, phys, size, dir);
}

static void noncoherent_sync_single_for_device(struct device *dev,
					       dma_addr_t addr, size_t size,
					       enum dma_data_direction dir)
{
	phys_addr_t phys = addr_to_phys(dev, addr);

	swiotlb_sync_single_for_device(dev, phys, size, dir);
	flush_for_device(phys, size);
}

/*
 * Scatterlists
 */

/* Memory of another device, no caches are involved */
static bool is_p2p(struct scatterlist *sg)
{
	return is_pci_p2pdma_page(sg_page(sg));
}

/* Has each element of a mapped list an address of its own, perhaps bounced? */
static bool is_by_element(struct device *dev, struct scatterlist *sgl,
			  int nents)
{
	return !is_iommu(dev) || iommu_dma_sg_by_element(dev, sgl, nents);
}

/* Memory of an element as the device sees it */
static phys_addr_t element_phys(struct device *dev, struct scatterlist *sg,
				bool by_element)
{
	return by_element ? addr_to_phys(dev, sg_dma_address(sg)) : sg_phys(sg);
}

static bool list_must_bounce(struct device *dev, struct scatterlist *sgl,
			     int nents, enum dma_data_direction dir)
{
	bool bounce = false;
	struct scatterlist *sg;
	int i;

	for_each_sg(sgl, sg, nents, i) {
		if (is_p2p(sg))
			return false;
		bounce |= shares_lines(sg_phys(sg), sg->length, dir) &&
			  can_bounce(dev, sg_phys(sg), sg->length);
	}
	return bounce;
}

static void unmap_elements(struct device *dev, struct scatterlist *sgl,
			   int nents, enum dma_data_direction dir,
			   unsigned long attrs)
{
	struct scatterlist *sg;
	int i;

	for_each_sg(sgl, sg, nents, i) {
		if (sg_dma_is_bus_address(sg))
			sg_dma_unmark_bus_address(sg);
		else
			noncoherent_unmap_phys(dev, sg_dma_address(sg),
					       sg_dma_len(sg), dir, attrs);
	}
	/* The list may be mapped in another way next time. */
	sg_dma_unmark_swiotlb(sgl);
}

static int map_elements(struct device *dev, struct scatterlist *sgl, int nents,
			enum dma_data_direction dir, unsigned long attrs)
{
	struct scatterlist *sg;
	int i;

	if (is_iommu(dev))
		sg_dma_mark_swiotlb(sgl);
	for_each_sg(sgl, sg, nents, i) {
		sg_dma_address(sg) = noncoherent_map_phys(dev, sg_phys(sg),
							  sg->length, dir,
							  attrs);
		if (sg_dma_address(sg) == DMA_MAPPING_ERROR)
			goto out_unmap;
		sg_dma_len(sg) = sg->length;
	}
	return nents;

out_unmap:
	unmap_elements(dev, sgl, i, dir, attrs | DMA_ATTR_SKIP_CPU_SYNC);
	return -EIO;
}

static int noncoherent_map_sg(struct device *dev, struct scatterlist *sgl,
			      int nents, enum dma_data_direction dir,
			      unsigned long attrs)
{
	struct scatterlist *sg;
	bool by_element;
	int i, ents;

	if (!is_supported(dev) || (attrs & DMA_ATTR_REQUIRE_COHERENT))
		return -EINVAL;
	if (list_must_bounce(dev, sgl, nents, dir))
		return map_elements(dev, sgl, nents, dir, attrs);

	ents = below(dev)->map_sg(dev, sgl, nents, dir, attrs);
	if (ents <= 0 || (attrs & (DMA_ATTR_SKIP_CPU_SYNC | DMA_ATTR_MMIO)))
		return ents;
	by_element = is_by_element(dev, sgl, nents);
	for_each_sg(sgl, sg, nents, i) {
		if (!is_p2p(sg))
			flush_for_device(element_phys(dev, sg, by_element),
					 sg->length);
	}
	return ents;
}

static void noncoherent_unmap_sg(struct device *dev, struct scatterlist *sgl,
				 int nents, enum dma_data_direction dir,
				 unsigned long attrs)
{
	struct scatterlist *sg;
	int i;

	if (!is_supported(dev))
		return;
	if (is_by_element(dev, sgl, nents)) {
		unmap_elements(dev, sgl, nents, dir, attrs);
		return;
	}
	for_each_sg(sgl, sg, nents, i) {
		if (!(attrs & (DMA_ATTR_SKIP_CPU_SYNC | DMA_ATTR_MMIO)) &&
		    !is_p2p(sg))
			flush_for_cpu(sg_phys(sg), sg->length, dir);
	}
	iommu_dma_unmap_sg(dev, sgl, nents, dir, attrs);
}

static void noncoherent_sync_sg_for_cpu(struct device *dev,
					struct scatterlist *sgl, int nents,
					enum dma_data_direction dir)
{
	bool by_element = is_by_element(dev, sgl, nents);
	struct scatterlist *sg;
	phys_addr_t phys;
	int i;

	for_each_sg(sgl, sg, nents, i) {
		if (is_p2p(sg))
			continue;
		phys = element_phys(dev, sg, by_element);
		flush_for_cpu(phys, sg->length, dir);
		swiotlb_sync_single_for_cpu(dev, phys, sg->length, dir);
	}
}

static void noncoherent_sync_sg_for_device(struct device *dev,
					   struct scatterlist *sgl, int nents,
					   enum dma_data_direction dir)
{
	bool by_element = is_by_element(dev, sgl, nents);
	struct scatterlist *sg;
	phys_addr_t phys;
	int i;

	for_each_sg(sgl, sg, nents, i) {
		if (is_p2p(sg))
			continue;
		phys = element_phys(dev, sg, by_element);
		swiotlb_sync_single_for_device(dev, phys, sg->length, dir);
		flush_for_device(phys, sg->length);
	}
}

/*
 * Uncached memory for atomic context: changing a memory type may sleep.  The
 * pool never shrinks.
 */

#define POOL_CHUNK	SZ_256K

/* Exists before the first device is marked. */
static struct gen_pool *noncoherent_pool;
static DEFINE_MUTEX(noncoherent_pool_lock);

static int noncoherent_pool_add(struct gen_pool *pool)
{
	unsigned int order = get_order(POOL_CHUNK);
	struct page *page;
	void *vaddr;
	int ret;

	/* Where most devices reach it. */
	page = alloc_pages(GFP_KERNEL | GFP_DMA32 | __GFP_NOWARN, order);
	if (!page)
		return -ENOMEM;
	vaddr = page_address(page);
	ret = x86_dma_uncache(vaddr, POOL_CHUNK, false);
	if (ret)
		goto out_free;
	ret = gen_pool_add_virt(pool, (unsigned long)vaddr,
				page_to_phys(page), POOL_CHUNK, NUMA_NO_NODE);
	if (!ret)
		return 0;
	/* If it cannot be cached again, nobody else may have it. */
	if (x86_dma_recache(vaddr, POOL_CHUNK))
		return ret;
out_free:
	__free_pages(page, order);
	return ret;
}

static void noncoherent_pool_grow(struct work_struct *work)
{
	guard(mutex)(&noncoherent_pool_lock);
	noncoherent_pool_add(noncoherent_pool);
}

static DECLARE_WORK(noncoherent_pool_work, noncoherent_pool_grow);

static int noncoherent_pool_init(void)
{
	struct gen_pool *pool;
	int ret;

	guard(mutex)(&noncoherent_pool_lock);
	if (noncoherent_pool)
		return 0;
	pool = gen_pool_create(PAGE_SHIFT, NUMA_NO_NODE);
	if (!pool)
		return -ENOMEM;
	gen_pool_set_algo(pool, gen_pool_first_fit_order_align, NULL);
	ret = noncoherent_pool_add(pool);
	if (ret) {
		gen_pool_destroy(pool);
		return ret;
	}
	noncoherent_pool = pool;
	return 0;
}

static bool from_pool(void *vaddr, size_t size)
{
	return gen_pool_has_addr(noncoherent_pool, (unsigned long)vaddr,
				 PAGE_ALIGN(size));
}

static bool pool_map(struct device *dev, phys_addr_t phys, size_t size,
		     dma_addr_t *handle)
{
	if (!is_iommu(dev)) {
		*handle = phys_to_dma(dev, phys);
		return dma_coherent_ok(dev, phys, size);
	}
	*handle = iommu_dma_map_phys(dev, phys, size, DMA_BIDIRECTIONAL,
				     DMA_ATTR_REQUIRE_COHERENT);
	if (*handle == DMA_MAPPING_ERROR)
		return false;
	if (*handle + size - 1 <= dev->coherent_dma_mask)
		return true;
	iommu_dma_unmap_phys(dev, *handle, size, DMA_BIDIRECTIONAL,
			     DMA_ATTR_REQUIRE_COHERENT);
	return false;
}

static void *pool_alloc(struct device *dev, size_t size, dma_addr_t *handle)
{
	struct gen_pool *pool = noncoherent_pool;
	unsigned long addr;

	size = PAGE_ALIGN(size);
	if (size > POOL_CHUNK)
		return NULL;
	addr = gen_pool_alloc(pool, size);
	/* It may be in pieces as well. */
	if (!addr || gen_pool_avail(pool) < POOL_CHUNK / 2)
		schedule_work(&noncoherent_pool_work);
	if (!addr)
		return NULL;
	if (!pool_map(dev, gen_pool_virt_to_phys(pool, addr), size, handle)) {
		gen_pool_free(pool, addr, size);
		return NULL;
	}
	memset((void *)addr, 0, size);
	return (void *)addr;
}

static void pool_free(struct device *dev, size_t size, void *vaddr,
		      dma_addr_t handle)
{
	size = PAGE_ALIGN(size);
	if (is_iommu(dev))
		iommu_dma_unmap_phys(dev, handle, size, DMA_BIDIRECTIONAL,
				     DMA_ATTR_REQUIRE_COHERENT);
	gen_pool_free(noncoherent_pool, (unsigned long)vaddr, size);
}

/*
 * Coherent memory, which for such a device is uncached
 */

/* There is a kernel mapping in any case, and it must not be a cached one. */
static unsigned long coherent_attrs(unsigned long attrs)
{
	return attrs & ~DMA_ATTR_NO_KERNEL_MAPPING;
}

static void *noncoherent_alloc(struct device *dev, size_t size,
			       dma_addr_t *handle, gfp_t gfp,
			       unsigned long attrs)
{
	void *vaddr;

	if (!is_supported(dev))
		return NULL;
	if (!gfpflags_allow_blocking(gfp))
		return pool_alloc(dev, size, handle);

	attrs = coherent_attrs(attrs);
	vaddr = below(dev)->alloc(dev, size, handle, gfp, attrs);
	if (!vaddr)
		return NULL;
	if (!x86_dma_uncache(vaddr, size, attrs & DMA_ATTR_WRITE_COMBINE))
		return vaddr;
	below(dev)->free(dev, size, vaddr, *handle, attrs);
	return NULL;
}

static void noncoherent_free(struct device *dev, size_t size, void *vaddr,
			     dma_addr_t handle, unsigned long attrs)
{
	if (!is_supported(dev))
		return;
	if (from_pool(vaddr, size)) {
		pool_free(dev, size, vaddr, handle);
		return;
	}

	might_sleep();
	if (x86_dma_recache(vaddr, size)) {
		dev_warn_ratelimited(dev, "leaking DMA memory that cannot be cached again\n");
		return;
	}
	below(dev)->free(dev, size, vaddr, handle, coherent_attrs(attrs));
}

static int noncoherent_mmap(struct device *dev, struct vm_area_struct *vma,
			    void *vaddr, dma_addr_t handle, size_t size,
			    unsigned long attrs)
{
	if (!is_supported(dev))
		return -ENXIO;
	if ((attrs & DMA_ATTR_WRITE_COMBINE) && !from_pool(vaddr, size))
		vma->vm_page_prot = pgprot_writecombine(vma->vm_page_prot);
	else
		vma->vm_page_prot = pgprot_noncached(vma->vm_page_prot);
	return below(dev)->mmap(dev, vma, vaddr, handle, size,
				coherent_attrs(attrs));
}

static int noncoherent_get_sgtable(struct device *dev, struct sg_table *sgt,
				   void *vaddr, dma_addr_t handle, size_t size,
				   unsigned long attrs)
{
	if (!is_supported(dev))
		return -ENXIO;
	return below(dev)->get_sgtable(dev, sgt, vaddr, handle, size,
				       coherent_attrs(attrs));
}

/*
 * What needs no maintenance.  Pages are the driver's to sync before use.
 */

static struct page *noncoherent_alloc_pages(struct device *dev, size_t size,
					    dma_addr_t *handle,
					    enum dma_data_direction dir,
					    gfp_t gfp)
{
	if (!is_supported(dev))
		return NULL;
	return below(dev)->alloc_pages_op(dev, size, handle, dir, gfp);
}

static void noncoherent_free_pages(struct device *dev, size_t size,
				   struct page *page, dma_addr_t handle,
				   enum dma_data_direction dir)
{
	if (is_supported(dev))
		below(dev)->free_pages(dev, size, page, handle, dir);
}

static int noncoherent_dma_supported(struct device *dev, u64 mask)
{
	if (!below(dev)->dma_supported)
		return 1;
	return below(dev)->dma_supported(dev, mask);
}

static u64 noncoherent_get_required_mask(struct device *dev)
{
	if (!below(dev)->get_required_mask)
		return DMA_BIT_MASK(32);
	return below(dev)->get_required_mask(dev);
}

static size_t noncoherent_max_mapping_size(struct device *dev)
{
	if (!below(dev)->max_mapping_size)
		return SIZE_MAX;
	return below(dev)->max_mapping_size(dev);
}

static size_t noncoherent_opt_mapping_size(struct device *dev)
{
	if (!below(dev)->opt_mapping_size)
		return SIZE_MAX;
	return below(dev)->opt_mapping_size(dev);
}

static unsigned long noncoherent_get_merge_boundary(struct device *dev)
{
	if (!below(dev)->get_merge_boundary)
		return 0;
	return below(dev)->get_merge_boundary(dev);
}

const struct dma_map_ops dma_noncoherent_ops = {
	.alloc			= noncoherent_alloc,
	.free			= noncoherent_free,
	.alloc_pages_op		= noncoherent_alloc_pages,
	.free_pages		= noncoherent_free_pages,
	.mmap			= noncoherent_mmap,
	.get_sgtable		= noncoherent_get_sgtable,
	.map_phys		= noncoherent_map_phys,
	.unmap_phys		= noncoherent_unmap_phys,
	.map_sg			= noncoherent_map_sg,
	.unmap_sg		= noncoherent_unmap_sg,
	.sync_single_for_cpu	= noncoherent_sync_single_for_cpu,
	.sync_single_for_device	= noncoherent_sync_single_for_device,
	.sync_sg_for_cpu	= noncoherent_sync_sg_for_cpu,
	.sync_sg_for_device	= noncoherent_sync_sg_for_device,
	.dma_supported		= noncoherent_dma_supported,
	.get_required_mask	= noncoherent_get_required_mask,
	.max_mapping_size	= noncoherent_max_mapping_size,
	.opt_mapping_size	= noncoherent_opt_mapping_size,
	.get_merge_boundary	= noncoherent_get_merge_boundary,
};

/* Has the device a path, or will it have one? */
static bool dma_path_may_follow(struct device *dev)
{
	if (dev->archdata.dma_path || !device_is_registered(dev))
		return true;
	return !dev->driver && dev->bus && dev->bus->dma_configure;
}

/**
 * dma_set_noncoherent - have caches maintained for a device
 * @dev: device that does not snoop the CPU's caches
 *
 * To be called by who creates the device, before it is registered or before
 * its driver is bound, or by the driver before it maps or allocates anything.
 * Firmware that says so calls it as well.  It holds as long as the device
 * exists; devices below are not affected.  A device on a bus that is not
 * DMA-capable in itself, as the auxiliary bus, must not be registered yet.
 *
 * Context: process, may sleep.
 * Return: 0; -ENODEV when the device is registered on such a bus; -ENOMEM.
 */
int dma_set_noncoherent(struct device *dev)
{
	int ret;

	if (!dma_path_may_follow(dev))
		return -ENODEV;
	ret = noncoherent_pool_init();
	if (ret)
		return ret;
	dma_path_set_coherent(dev, false);
	return 0;
}
EXPORT_SYMBOL_GPL(dma_set_noncoherent);
