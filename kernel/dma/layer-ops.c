// SPDX-License-Identifier: GPL-2.0-only
/*
 * How an operation travels down a stack of layers.
 *
 * dma_below_*() finds the next layer that has the operation, and past the last
 * one the base, where it treats what is missing as the DMA API does for a
 * device without layers.  dma_stack_ops is the way in from the top.
 *
 * Nothing here locks: a stack changes only while no driver is bound.
 */
#include <linux/dma-direct.h>
#include <linux/export.h>
#include <linux/dma-path.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>
#include "direct.h"
#include "path.h"

#define LAYER_OP(op)	offsetof(struct dma_layer_ops, op)

/* The next layer down that has the operation at offset @op of its table. */
static struct dma_layer *dma_layer_next(struct dma_layer *layer, size_t op)
{
	do {
		layer = layer->below;
	} while (layer && !*(void **)((void *)layer->type->ops + op));
	return layer;
}

/* The base of a stack for an operation that is subject to @mask. */
static const struct dma_map_ops *dma_layer_base(struct dma_layer *layer,
						u64 mask)
{
	struct device *dev = layer->dev;
	const struct dma_map_ops *base = dma_path_of_layer(layer)->base;

	if (IS_ENABLED(CONFIG_DMA_OPS_BYPASS) && dev_dma_ops_bypass(dev) &&
	    min_not_zero(mask, dev->bus_dma_limit) >=
	    dma_direct_get_required_mask(dev))
		return &dma_base_direct_ops;
	return base;
}

/* Read once for each mapping: it may change meanwhile. */
static u64 dma_layer_mask(struct dma_layer *layer)
{
	const u64 *mask = layer->dev->dma_mask;

	return mask ? READ_ONCE(*mask) : 0;
}

static const struct dma_map_ops *dma_layer_map_base(struct dma_layer *layer)
{
	return dma_layer_base(layer, dma_get_mask(layer->dev));
}

static const struct dma_map_ops *dma_layer_alloc_base(struct dma_layer *layer)
{
	return dma_layer_base(layer, layer->dev->coherent_dma_mask);
}

static bool dma_layer_base_iommu(struct dma_layer *layer)
{
	return IS_ENABLED(CONFIG_IOMMU_DMA) &&
	       dma_path_of_layer(layer)->base_iommu;
}

/**
 * dma_below_alloc - allocate coherent memory from what lies below a layer
 * @layer: the calling layer
 * @size: bytes
 * @handle: where the DMA address goes
 * @gfp: as for dma_alloc_attrs()
 * @attrs: DMA_ATTR_*
 *
 * Context: as @gfp allows.
 * Return: kernel address, or NULL.
 */
void *dma_below_alloc(struct dma_layer *layer, size_t size, dma_addr_t *handle,
		      gfp_t gfp, unsigned long attrs)
{
	struct dma_layer *next = dma_layer_next(layer, LAYER_OP(alloc));
	const struct dma_map_ops *ops, *base;
	void *vaddr;

	if (next)
		return next->type->ops->alloc(next, size, handle, gfp, attrs);
	if (arch_dma_alloc_direct(layer->dev))
		ops = &dma_base_direct_ops;
	else
		ops = dma_layer_alloc_base(layer);
	if (!ops->alloc)
		return NULL;
	vaddr = ops->alloc(layer->dev, size, handle, gfp, attrs);
	/* As in dma_alloc_attrs(), what has a bypass is another way. */
	base = dma_path_of_layer(layer)->base;
	if (!vaddr && base != ops && base->alloc)
		vaddr = base->alloc(layer->dev, size, handle, gfp, attrs);
	return vaddr;
}
EXPORT_SYMBOL_GPL(dma_below_alloc);

/**
 * dma_below_free - free what dma_below_alloc() returned
 * @layer: the calling layer
 * @size: bytes
 * @vaddr: kernel address
 * @handle: DMA address
 * @attrs: DMA_ATTR_*
 *
 * Context: as dma_free_attrs().
 */
void dma_below_free(struct dma_layer *layer, size_t size, void *vaddr,
		    dma_addr_t handle, unsigned long attrs)
{
	struct dma_layer *next = dma_layer_next(layer, LAYER_OP(free));
	const struct dma_map_ops *ops;

	if (next) {
		next->type->ops->free(next, size, vaddr, handle, attrs);
		return;
	}
	if (arch_dma_free_direct(layer->dev, handle))
		ops = &dma_base_direct_ops;
	else
		ops = dma_layer_alloc_base(layer);
	if (ops->free)
		ops->free(layer->dev, size, vaddr, handle, attrs);
}
EXPORT_SYMBOL_GPL(dma_below_free);

/**
 * dma_below_alloc_pages - allocate and map pages below a layer
 * @layer: the calling layer
 * @size: bytes, a multiple of the page size
 * @handle: where the DMA address goes
 * @dir: direction
 * @gfp: as for dma_alloc_pages()
 *
 * Context: as @gfp allows.
 * Return: the first page, or NULL.
 */
struct page *dma_below_alloc_pages(struct dma_layer *layer, size_t size,
				   dma_addr_t *handle,
				   enum dma_data_direction dir, gfp_t gfp)
{
	struct dma_layer *next = dma_layer_next(layer, LAYER_OP(alloc_pages_op));
	const struct dma_map_ops *ops, *base;
	struct page *page;

	if (next)
		return next->type->ops->alloc_pages_op(next, size, handle, dir,
						       gfp);
	ops = dma_layer_alloc_base(layer);
	if (!ops->alloc_pages_op)
		return NULL;
	page = ops->alloc_pages_op(layer->dev, size, handle, dir, gfp);
	base = dma_path_of_layer(layer)->base;
	if (!page && base != ops && base->alloc_pages_op)
		page = base->alloc_pages_op(layer->dev, size, handle, dir, gfp);
	return page;
}
EXPORT_SYMBOL_GPL(dma_below_alloc_pages);

/**
 * dma_below_free_pages - free what dma_below_alloc_pages() returned
 * @layer: the calling layer
 * @size: bytes, a multiple of the page size
 * @page: first page
 * @handle: DMA address
 * @dir: direction
 *
 * Context: as dma_free_pages().
 */
void dma_below_free_pages(struct dma_layer *layer, size_t size,
			  struct page *page, dma_addr_t handle,
			  enum dma_data_direction dir)
{
	struct dma_layer *next = dma_layer_next(layer, LAYER_OP(free_pages));
	const struct dma_map_ops *ops;

	if (next) {
		next->type->ops->free_pages(next, size, page, handle, dir);
		return;
	}
	ops = dma_layer_alloc_base(layer);
	if (ops->free_pages)
		ops->free_pages(layer->dev, size, page, handle, dir);
}
EXPORT_SYMBOL_GPL(dma_below_free_pages);

/* Without iommu-dma, non-contiguous memory is one contiguous piece. */
static struct sg_table *dma_below_alloc_single(struct dma_layer *layer,
					       size_t size,
					       enum dma_data_direction dir,
					       gfp_t gfp)
{
	struct sg_table *sgt __free(kfree) = kmalloc_obj(*sgt, gfp);
	struct page *page;

	size = PAGE_ALIGN(size);
	if (!sgt || sg_alloc_table(sgt, 1, gfp))
		return NULL;
	page = dma_below_alloc_pages(layer, size, &sgt->sgl->dma_address, dir,
				     gfp);
	if (!page) {
		sg_free_table(sgt);
		return NULL;
	}
	sg_set_page(sgt->sgl, page, size, 0);
	sg_dma_len(sgt->sgl) = size;
	return no_free_ptr(sgt);
}

/**
 * dma_below_alloc_noncontiguous - allocate a list of pages below a layer
 * @layer: the calling layer
 * @size: bytes
 * @dir: direction
 * @gfp: as for dma_alloc_noncontiguous()
 * @attrs: DMA_ATTR_ALLOC_SINGLE_PAGES or 0
 *
 * Context: as @gfp allows.
 * Return: the table, mapped as one DMA range, or NULL.
 */
struct sg_table *dma_below_alloc_noncontiguous(struct dma_layer *layer,
					       size_t size,
					       enum dma_data_direction dir,
					       gfp_t gfp, unsigned long attrs)
{
	struct dma_layer *next = dma_layer_next(layer, LAYER_OP(alloc_noncontiguous));

	if (next)
		return next->type->ops->alloc_noncontiguous(next, size, dir,
							    gfp, attrs);
	if (dma_layer_base_iommu(layer))
		return iommu_dma_alloc_noncontiguous(layer->dev, size, dir,
						     gfp, attrs);
	return dma_below_alloc_single(layer, size, dir, gfp);
}
EXPORT_SYMBOL_GPL(dma_below_alloc_noncontiguous);

/**
 * dma_below_free_noncontiguous - free what dma_below_alloc_noncontiguous() gave
 * @layer: the calling layer
 * @size: bytes
 * @sgt: the table
 * @dir: direction
 *
 * Context: as dma_free_noncontiguous().
 */
void dma_below_free_noncontiguous(struct dma_layer *layer, size_t size,
				  struct sg_table *sgt,
				  enum dma_data_direction dir)
{
	struct dma_layer *next = dma_layer_next(layer, LAYER_OP(free_noncontiguous));

	if (next) {
		next->type->ops->free_noncontiguous(next, size, sgt, dir);
		return;
	}
	if (dma_layer_base_iommu(layer)) {
		iommu_dma_free_noncontiguous(layer->dev, size, sgt, dir);
		return;
	}
	dma_below_free_pages(layer, PAGE_ALIGN(size), sg_page(sgt->sgl),
			     sgt->sgl->dma_address, dir);
	sg_free_table(sgt);
	kfree(sgt);
}
EXPORT_SYMBOL_GPL(dma_below_free_noncontiguous);

/**
 * dma_below_mmap - map coherent memory into user space
 * @layer: the calling layer
 * @vma: where to
 * @vaddr: kernel address
 * @handle: DMA address
 * @size: bytes
 * @attrs: DMA_ATTR_*
 *
 * Context: process.
 * Return: 0 or an errno.
 */
int dma_below_mmap(struct dma_layer *layer, struct vm_area_struct *vma,
		   void *vaddr, dma_addr_t handle, size_t size,
		   unsigned long attrs)
{
	struct dma_layer *next = dma_layer_next(layer, LAYER_OP(mmap));
	const struct dma_map_ops *ops;

	if (next)
		return next->type->ops->mmap(next, vma, vaddr, handle, size,
					     attrs);
	ops = dma_layer_alloc_base(layer);
	if (!ops->mmap)
		return -ENXIO;
	return ops->mmap(layer->dev, vma, vaddr, handle, size, attrs);
}
EXPORT_SYMBOL_GPL(dma_below_mmap);

/**
 * dma_below_get_sgtable - describe coherent memory by a scatterlist
 * @layer: the calling layer
 * @sgt: table to fill
 * @vaddr: kernel address
 * @handle: DMA address
 * @size: bytes
 * @attrs: DMA_ATTR_*
 *
 * Context: process.
 * Return: 0 or an errno.
 */
int dma_below_get_sgtable(struct dma_layer *layer, struct sg_table *sgt,
			  void *vaddr, dma_addr_t handle, size_t size,
			  unsigned long attrs)
{
	struct dma_layer *next = dma_layer_next(layer, LAYER_OP(get_sgtable));
	const struct dma_map_ops *ops;

	if (next)
		return next->type->ops->get_sgtable(next, sgt, vaddr, handle,
						    size, attrs);
	ops = dma_layer_alloc_base(layer);
	if (!ops->get_sgtable)
		return -ENXIO;
	return ops->get_sgtable(layer->dev, sgt, vaddr, handle, size, attrs);
}
EXPORT_SYMBOL_GPL(dma_below_get_sgtable);

/**
 * dma_below_map_phys - map a physical range below a layer
 * @layer: the calling layer
 * @phys: first byte
 * @size: bytes
 * @dir: direction
 * @attrs: DMA_ATTR_*
 *
 * Context: any.
 * Return: DMA address, or DMA_MAPPING_ERROR.
 */
dma_addr_t dma_below_map_phys(struct dma_layer *layer, phys_addr_t phys,
			      size_t size, enum dma_data_direction dir,
			      unsigned long attrs)
{
	struct dma_layer *next = dma_layer_next(layer, LAYER_OP(map_phys));
	const struct dma_map_ops *ops;
	u64 mask;

	if (next)
		return next->type->ops->map_phys(next, phys, size, dir, attrs);
	mask = dma_layer_mask(layer);
	ops = dma_layer_base(layer, mask);
	if (ops == &dma_base_direct_ops ||
	    (!(attrs & (DMA_ATTR_MMIO | DMA_ATTR_CC_SHARED)) &&
	     arch_dma_map_phys_direct(layer->dev, phys + size, mask)))
		return dma_direct_map_phys(layer->dev, phys, size, dir, attrs,
					   mask);
	/* As in dma_map_phys(), only direct mapping takes shared memory. */
	if ((attrs & DMA_ATTR_CC_SHARED) || !ops->map_phys)
		return DMA_MAPPING_ERROR;
	return ops->map_phys(layer->dev, phys, size, dir, attrs);
}
EXPORT_SYMBOL_GPL(dma_below_map_phys);

/**
 * dma_below_unmap_phys - undo dma_below_map_phys()
 * @layer: the calling layer
 * @addr: DMA address
 * @size: bytes
 * @dir: direction
 * @attrs: DMA_ATTR_*
 *
 * Context: any.
 */
void dma_below_unmap_phys(struct dma_layer *layer, dma_addr_t addr,
			  size_t size, enum dma_data_direction dir,
			  unsigned long attrs)
{
	struct dma_layer *next = dma_layer_next(layer, LAYER_OP(unmap_phys));
	const struct dma_map_ops *ops;

	if (next) {
		next->type->ops->unmap_phys(next, addr, size, dir, attrs);
		return;
	}
	ops = dma_layer_map_base(layer);
	if (!(attrs & (DMA_ATTR_MMIO | DMA_ATTR_CC_SHARED)) &&
	    arch_dma_unmap_phys_direct(layer->dev, addr + size))
		ops = &dma_base_direct_ops;
	if (ops->unmap_phys)
		ops->unmap_phys(layer->dev, addr, size, dir, attrs);
}
EXPORT_SYMBOL_GPL(dma_below_unmap_phys);

/**
 * dma_below_map_sg - map a scatterlist below a layer
 * @layer: the calling layer
 * @sg: the list
 * @nents: number of elements
 * @dir: direction
 * @attrs: DMA_ATTR_*
 *
 * Context: any.
 * Return: number of DMA ranges, or a negative error that dma_map_sgtable()
 * lists.
 */
int dma_below_map_sg(struct dma_layer *layer, struct scatterlist *sg,
		     int nents, enum dma_data_direction dir,
		     unsigned long attrs)
{
	struct dma_layer *next = dma_layer_next(layer, LAYER_OP(map_sg));
	const struct dma_map_ops *ops;
	u64 mask;

	if (next)
		return next->type->ops->map_sg(next, sg, nents, dir, attrs);
	mask = dma_layer_mask(layer);
	ops = dma_layer_base(layer, mask);
	if (ops == &dma_base_direct_ops ||
	    arch_dma_map_sg_direct(layer->dev, sg, nents, mask))
		return dma_direct_map_sg(layer->dev, sg, nents, dir, attrs,
					 mask);
	return ops->map_sg(layer->dev, sg, nents, dir, attrs);
}
EXPORT_SYMBOL_GPL(dma_below_map_sg);

/**
 * dma_below_unmap_sg - undo dma_below_map_sg()
 * @layer: the calling layer
 * @sg: the list
 * @nents: number of elements as given for mapping
 * @dir: direction
 * @attrs: DMA_ATTR_*
 *
 * Context: any.
 */
void dma_below_unmap_sg(struct dma_layer *layer, struct scatterlist *sg,
			int nents, enum dma_data_direction dir,
			unsigned long attrs)
{
	struct dma_layer *next = dma_layer_next(layer, LAYER_OP(unmap_sg));
	const struct dma_map_ops *ops;

	if (next) {
		next->type->ops->unmap_sg(next, sg, nents, dir, attrs);
		return;
	}
	ops = dma_layer_map_base(layer);
	if (arch_dma_unmap_sg_direct(layer->dev, sg, nents))
		ops = &dma_base_direct_ops;
	if (ops->unmap_sg)
		ops->unmap_sg(layer->dev, sg, nents, dir, attrs);
}
EXPORT_SYMBOL_GPL(dma_below_unmap_sg);

/**
 * dma_below_sync_single_for_cpu - give a mapped buffer to the CPU
 * @layer: the calling layer
 * @addr: DMA address, which may lie inside the mapping
 * @size: bytes
 * @dir: direction
 *
 * Context: any.
 */
void dma_below_sync_single_for_cpu(struct dma_layer *layer, dma_addr_t addr,
				   size_t size, enum dma_data_direction dir)
{
	struct dma_layer *next = dma_layer_next(layer, LAYER_OP(sync_single_for_cpu));
	const struct dma_map_ops *ops;

	if (next) {
		next->type->ops->sync_single_for_cpu(next, addr, size, dir);
		return;
	}
	ops = dma_layer_map_base(layer);
	if (ops->sync_single_for_cpu)
		ops->sync_single_for_cpu(layer->dev, addr, size, dir);
}
EXPORT_SYMBOL_GPL(dma_below_sync_single_for_cpu);

/**
 * dma_below_sync_single_for_device - give a mapped buffer to the device
 * @layer: the calling layer
 * @addr: DMA address, which may lie inside the mapping
 * @size: bytes
 * @dir: direction
 *
 * Context: any.
 */
void dma_below_sync_single_for_device(struct dma_layer *layer, dma_addr_t addr,
				      size_t size, enum dma_data_direction dir)
{
	struct dma_layer *next = dma_layer_next(layer, LAYER_OP(sync_single_for_device));
	const struct dma_map_ops *ops;

	if (next) {
		next->type->ops->sync_single_for_device(next, addr, size, dir);
		return;
	}
	ops = dma_layer_map_base(layer);
	if (ops->sync_single_for_device)
		ops->sync_single_for_device(layer->dev, addr, size, dir);
}
EXPORT_SYMBOL_GPL(dma_below_sync_single_for_device);

/**
 * dma_below_sync_sg_for_cpu - give a mapped scatterlist to the CPU
 * @layer: the calling layer
 * @sg: the list
 * @nents: number of elements as given for mapping
 * @dir: direction
 *
 * Context: any.
 */
void dma_below_sync_sg_for_cpu(struct dma_layer *layer, struct scatterlist *sg,
			       int nents, enum dma_data_direction dir)
{
	struct dma_layer *next = dma_layer_next(layer, LAYER_OP(sync_sg_for_cpu));
	const struct dma_map_ops *ops;

	if (next) {
		next->type->ops->sync_sg_for_cpu(next, sg, nents, dir);
		return;
	}
	ops = dma_layer_map_base(layer);
	if (ops->sync_sg_for_cpu)
		ops->sync_sg_for_cpu(layer->dev, sg, nents, dir);
}
EXPORT_SYMBOL_GPL(dma_below_sync_sg_for_cpu);

/**
 * dma_below_sync_sg_for_device - give a mapped scatterlist to the device
 * @layer: the calling layer
 * @sg: the list
 * @nents: number of elements as given for mapping
 * @dir: direction
 *
 * Context: any.
 */
void dma_below_sync_sg_for_device(struct dma_layer *layer,
				  struct scatterlist *sg, int nents,
				  enum dma_data_direction dir)
{
	struct dma_layer *next = dma_layer_next(layer, LAYER_OP(sync_sg_for_device));
	const struct dma_map_ops *ops;

	if (next) {
		next->type->ops->sync_sg_for_device(next, sg, nents, dir);
		return;
	}
	ops = dma_layer_map_base(layer);
	if (ops->sync_sg_for_device)
		ops->sync_sg_for_device(layer->dev, sg, nents, dir);
}
EXPORT_SYMBOL_GPL(dma_below_sync_sg_for_device);

/**
 * dma_below_dma_supported - would a mask do?
 * @layer: the calling layer
 * @mask: addresses that the device can put out
 *
 * Context: process.
 * Return: 1 if so, else 0.
 */
int dma_below_dma_supported(struct dma_layer *layer, u64 mask)
{
	struct dma_layer *next = dma_layer_next(layer, LAYER_OP(dma_supported));
	const struct dma_map_ops *base = dma_path_of_layer(layer)->base;

	if (next)
		return next->type->ops->dma_supported(next, mask);
	/* The back end manages the bypass here, so it is always asked. */
	if (!base->dma_supported)
		return 1;
	return base->dma_supported(layer->dev, mask);
}
EXPORT_SYMBOL_GPL(dma_below_dma_supported);

/**
 * dma_below_get_required_mask - mask that reaches all memory without tricks
 * @layer: the calling layer
 *
 * Context: process.
 * Return: the mask.
 */
u64 dma_below_get_required_mask(struct dma_layer *layer)
{
	struct dma_layer *next = dma_layer_next(layer, LAYER_OP(get_required_mask));
	const struct dma_map_ops *ops;

	if (next)
		return next->type->ops->get_required_mask(next);
	ops = dma_layer_alloc_base(layer);
	if (!ops->get_required_mask)
		return DMA_BIT_MASK(32);
	return ops->get_required_mask(layer->dev);
}
EXPORT_SYMBOL_GPL(dma_below_get_required_mask);

/**
 * dma_below_max_mapping_size - largest single mapping
 * @layer: the calling layer
 *
 * Context: any.
 * Return: bytes, SIZE_MAX for no limit.
 */
size_t dma_below_max_mapping_size(struct dma_layer *layer)
{
	struct dma_layer *next = dma_layer_next(layer, LAYER_OP(max_mapping_size));
	const struct dma_map_ops *ops;

	if (next)
		return next->type->ops->max_mapping_size(next);
	ops = dma_layer_map_base(layer);
	if (!ops->max_mapping_size)
		return SIZE_MAX;
	return ops->max_mapping_size(layer->dev);
}
EXPORT_SYMBOL_GPL(dma_below_max_mapping_size);

/**
 * dma_below_opt_mapping_size - largest single mapping that is still cheap
 * @layer: the calling layer
 *
 * Context: any.
 * Return: bytes, SIZE_MAX for no limit.
 */
size_t dma_below_opt_mapping_size(struct dma_layer *layer)
{
	struct dma_layer *next = dma_layer_next(layer, LAYER_OP(opt_mapping_size));
	const struct dma_map_ops *ops;

	if (next)
		return next->type->ops->opt_mapping_size(next);
	ops = dma_path_of_layer(layer)->base;
	if (!ops->opt_mapping_size)
		return SIZE_MAX;
	return ops->opt_mapping_size(layer->dev);
}
EXPORT_SYMBOL_GPL(dma_below_opt_mapping_size);

/**
 * dma_below_get_merge_boundary - at which boundary elements of a list merge
 * @layer: the calling layer
 *
 * Context: any.
 * Return: boundary minus one, or 0 when elements are never merged.
 */
unsigned long dma_below_get_merge_boundary(struct dma_layer *layer)
{
	struct dma_layer *next = dma_layer_next(layer, LAYER_OP(get_merge_boundary));
	const struct dma_map_ops *ops;

	if (next)
		return next->type->ops->get_merge_boundary(next);
	ops = dma_path_of_layer(layer)->base;
	if (!ops->get_merge_boundary)
		return 0;
	return ops->get_merge_boundary(layer->dev);
}
EXPORT_SYMBOL_GPL(dma_below_get_merge_boundary);

/*
 * The way in: dma_map_ops of a device that carries layers.
 */

static struct dma_layer *stack_head(struct device *dev)
{
	return &dev->archdata.dma_path->head;
}

static void *stack_alloc(struct device *dev, size_t size, dma_addr_t *handle,
			 gfp_t gfp, unsigned long attrs)
{
	return dma_below_alloc(stack_head(dev), size, handle, gfp, attrs);
}

static void stack_free(struct device *dev, size_t size, void *vaddr,
		       dma_addr_t handle, unsigned long attrs)
{
	dma_below_free(stack_head(dev), size, vaddr, handle, attrs);
}

static struct page *stack_alloc_pages(struct device *dev, size_t size,
				      dma_addr_t *handle,
				      enum dma_data_direction dir, gfp_t gfp)
{
	return dma_below_alloc_pages(stack_head(dev), size, handle, dir, gfp);
}

static void stack_free_pages(struct device *dev, size_t size,
			     struct page *page, dma_addr_t handle,
			     enum dma_data_direction dir)
{
	dma_below_free_pages(stack_head(dev), size, page, handle, dir);
}

static int stack_mmap(struct device *dev, struct vm_area_struct *vma,
		      void *vaddr, dma_addr_t handle, size_t size,
		      unsigned long attrs)
{
	return dma_below_mmap(stack_head(dev), vma, vaddr, handle, size, attrs);
}

static int stack_get_sgtable(struct device *dev, struct sg_table *sgt,
			     void *vaddr, dma_addr_t handle, size_t size,
			     unsigned long attrs)
{
	return dma_below_get_sgtable(stack_head(dev), sgt, vaddr, handle, size,
				     attrs);
}

static dma_addr_t stack_map_phys(struct device *dev, phys_addr_t phys,
				 size_t size, enum dma_data_direction dir,
				 unsigned long attrs)
{
	return dma_below_map_phys(stack_head(dev), phys, size, dir, attrs);
}

static void stack_unmap_phys(struct device *dev, dma_addr_t addr, size_t size,
			     enum dma_data_direction dir, unsigned long attrs)
{
	dma_below_unmap_phys(stack_head(dev), addr, size, dir, attrs);
}

static int stack_map_sg(struct device *dev, struct scatterlist *sg, int nents,
			enum dma_data_direction dir, unsigned long attrs)
{
	return dma_below_map_sg(stack_head(dev), sg, nents, dir, attrs);
}

static void stack_unmap_sg(struct device *dev, struct scatterlist *sg,
			   int nents, enum dma_data_direction dir,
			   unsigned long attrs)
{
	dma_below_unmap_sg(stack_head(dev), sg, nents, dir, attrs);
}

static void stack_sync_single_for_cpu(struct device *dev, dma_addr_t addr,
				      size_t size, enum dma_data_direction dir)
{
	dma_below_sync_single_for_cpu(stack_head(dev), addr, size, dir);
}

static void stack_sync_single_for_device(struct device *dev, dma_addr_t addr,
					 size_t size,
					 enum dma_data_direction dir)
{
	dma_below_sync_single_for_device(stack_head(dev), addr, size, dir);
}

static void stack_sync_sg_for_cpu(struct device *dev, struct scatterlist *sg,
				  int nents, enum dma_data_direction dir)
{
	dma_below_sync_sg_for_cpu(stack_head(dev), sg, nents, dir);
}

static void stack_sync_sg_for_device(struct device *dev,
				     struct scatterlist *sg, int nents,
				     enum dma_data_direction dir)
{
	dma_below_sync_sg_for_device(stack_head(dev), sg, nents, dir);
}

static int stack_dma_supported(struct device *dev, u64 mask)
{
	return dma_below_dma_supported(stack_head(dev), mask);
}

static u64 stack_get_required_mask(struct device *dev)
{
	return dma_below_get_required_mask(stack_head(dev));
}

static size_t stack_max_mapping_size(struct device *dev)
{
	return dma_below_max_mapping_size(stack_head(dev));
}

static size_t stack_opt_mapping_size(struct device *dev)
{
	return dma_below_opt_mapping_size(stack_head(dev));
}

static unsigned long stack_get_merge_boundary(struct device *dev)
{
	return dma_below_get_merge_boundary(stack_head(dev));
}

const struct dma_map_ops dma_stack_ops = {
	.alloc			= stack_alloc,
	.free			= stack_free,
	.alloc_pages_op		= stack_alloc_pages,
	.free_pages		= stack_free_pages,
	.mmap			= stack_mmap,
	.get_sgtable		= stack_get_sgtable,
	.map_phys		= stack_map_phys,
	.unmap_phys		= stack_unmap_phys,
	.map_sg			= stack_map_sg,
	.unmap_sg		= stack_unmap_sg,
	.sync_single_for_cpu	= stack_sync_single_for_cpu,
	.sync_single_for_device	= stack_sync_single_for_device,
	.sync_sg_for_cpu	= stack_sync_sg_for_cpu,
	.sync_sg_for_device	= stack_sync_sg_for_device,
	.dma_supported		= stack_dma_supported,
	.get_required_mask	= stack_get_required_mask,
	.max_mapping_size	= stack_max_mapping_size,
	.opt_mapping_size	= stack_opt_mapping_size,
	.get_merge_boundary	= stack_get_merge_boundary,
};

struct sg_table *dma_stack_alloc_noncontiguous(struct device *dev, size_t size,
					       enum dma_data_direction dir,
					       gfp_t gfp, unsigned long attrs)
{
	return dma_below_alloc_noncontiguous(stack_head(dev), size, dir, gfp,
					     attrs);
}

void dma_stack_free_noncontiguous(struct device *dev, size_t size,
				  struct sg_table *sgt,
				  enum dma_data_direction dir)
{
	dma_below_free_noncontiguous(stack_head(dev), size, sgt, dir);
}

bool dma_stack_can_mmap(struct device *dev)
{
	const struct dma_map_ops *base =
		dma_layer_alloc_base(stack_head(dev));

	if (base == &dma_base_direct_ops)
		return dma_direct_can_mmap(dev);
	return base->mmap;
}

bool dma_stack_is_direct(struct device *dev)
{
	return dma_path_of_layer(stack_head(dev))->below_caches ==
	       &dma_base_direct_ops;
}

/**
 * dma_layer_base_direct - is a device mapped directly below its layers?
 * @layer: a layer of the device
 *
 * If so, dma_to_phys() turns its DMA addresses into physical ones.
 *
 * Context: any.
 * Return: true if so.
 */
bool dma_layer_base_direct(struct dma_layer *layer)
{
	return dma_stack_is_direct(layer->dev);
}
EXPORT_SYMBOL_GPL(dma_layer_base_direct);
