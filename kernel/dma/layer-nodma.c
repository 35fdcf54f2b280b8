// SPDX-License-Identifier: GPL-2.0-only
/*
 * DMA layer "nodma": physical memory that a device must never touch.
 *
 * A buffer that lies in a no-DMA range, or only touches one, is replaced by a
 * slot of swiotlb's pool, which is mapped below in its place.  Memory that is
 * allocated through the layer is taken from elsewhere.
 *
 * The slot belongs to this layer.  What lies below would otherwise recognise an
 * address of swiotlb's pool when it unmaps, copy, and release the slot a second
 * time.  DMA_ATTR_REQUIRE_COHERENT tells it not to: it promises that neither
 * bouncing nor cache maintenance takes place.  The layer therefore needs a
 * cache-coherent device, and does not forward syncs of a slot.
 *
 * Which addresses stand for a slot is kept in a tree by bus address.  While the
 * device has none, unmap and sync look at one counter.
 *
 * The ranges change with the device locked and no driver bound only; there is
 * no lock around reading them.
 */
#include <linux/cleanup.h>
#include <linux/device.h>
#include <linux/dma-direct.h>
#include <linux/dma-map-ops.h>
#include <linux/dma-noncoherent.h>
#include <linux/gfp.h>
#include <linux/hash.h>
#include <linux/memremap.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/rbtree.h>
#include <linux/scatterlist.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/sysfs.h>
#include <linux/vmalloc.h>
#include <kunit/static_stub.h>
#include <kunit/visibility.h>
#include "layer-types.h"
#include "nodma.h"

/* How many slots, or blocks of memory, are looked at before giving up. */
#define NODMA_SLOT_TRIES	8
#define NODMA_ALLOC_TRIES	4
#define NODMA_ZONES		3
#define NODMA_TRIES		(NODMA_ZONES * NODMA_ALLOC_TRIES)

static void nodma_refuse(struct dma_layer *layer, unsigned long attrs,
			 const char *why)
{
	struct nodma *nodma = layer->priv;

	atomic64_inc(&nodma->failures);
	if (!(attrs & DMA_ATTR_NO_WARN))
		dev_err_ratelimited(layer->dev, "nodma: request refused: %s\n",
				    why);
}

/*
 * Entries
 */

VISIBLE_IF_KUNIT struct nodma_entry *nodma_entry_new(gfp_t gfp)
{
	KUNIT_STATIC_STUB_REDIRECT(nodma_entry_new, gfp);

	return kzalloc_obj(struct nodma_entry, gfp);
}
EXPORT_SYMBOL_IF_KUNIT(nodma_entry_new);

static struct hlist_head *nodma_list_head(struct nodma *nodma,
					  struct scatterlist *sgl)
{
	return &nodma->lists[hash_ptr(sgl, NODMA_LIST_BITS)];
}

static void nodma_insert(struct nodma *nodma, struct nodma_entry *entry)
{
	struct rb_node **link = &nodma->entries.rb_node, *parent = NULL;

	guard(spinlock_irqsave)(&nodma->lock);
	while (*link) {
		parent = *link;
		if (entry->addr < rb_entry(parent, struct nodma_entry,
					   node)->addr)
			link = &parent->rb_left;
		else
			link = &parent->rb_right;
	}
	rb_link_node(&entry->node, parent, link);
	rb_insert_color(&entry->node, &nodma->entries);
	if (entry->sgl)
		hlist_add_head(&entry->list_node,
			       nodma_list_head(nodma, entry->sgl));
	atomic_inc(&nodma->live);
}

/* The entry that contains @addr. */
static struct nodma_entry *nodma_find(struct nodma *nodma, dma_addr_t addr)
{
	struct rb_node *node = nodma->entries.rb_node;
	struct nodma_entry *entry;

	lockdep_assert_held(&nodma->lock);

	while (node) {
		entry = rb_entry(node, struct nodma_entry, node);
		if (addr >= entry->addr && addr - entry->addr < entry->size)
			return entry;
		node = addr < entry->addr ? node->rb_left : node->rb_right;
	}
	return NULL;
}

/* Takes the entry that begins at @addr out of the tree. */
static struct nodma_entry *nodma_take(struct nodma *nodma, dma_addr_t addr,
				      bool own)
{
	struct nodma_entry *entry;

	/*
	 * The caller learned of @addr from a map call that has returned, so the
	 * counter includes it.
	 */
	if (!atomic_read(&nodma->live))
		return NULL;

	guard(spinlock_irqsave)(&nodma->lock);
	entry = nodma_find(nodma, addr);
	if (!entry || entry->addr != addr || !entry->page == own)
		return NULL;
	rb_erase(&entry->node, &nodma->entries);
	if (entry->sgl)
		hlist_del(&entry->list_node);
	atomic_dec(&nodma->live);
	return entry;
}

/* Physical address of the slot behind @addr; false when there is none. */
static bool nodma_slot_of(struct nodma *nodma, dma_addr_t addr,
			  phys_addr_t *slot)
{
	struct nodma_entry *entry;

	if (!atomic_read(&nodma->live))
		return false;

	guard(spinlock_irqsave)(&nodma->lock);
	entry = nodma_find(nodma, addr);
	if (!entry || entry->page)
		return false;
	*slot = entry->slot + (addr - entry->addr);
	return true;
}

/* Was the list mapped entry by entry? */
static bool nodma_list_bounced(struct nodma *nodma, struct scatterlist *sgl)
{
	struct nodma_entry *entry;

	if (!atomic_read(&nodma->live))
		return false;

	guard(spinlock_irqsave)(&nodma->lock);
	hlist_for_each_entry(entry, nodma_list_head(nodma, sgl), list_node) {
		if (entry->sgl == sgl)
			return true;
	}
	return false;
}

/* Memory that the layer allocated by itself and that begins at @addr. */
static struct page *nodma_own_page(struct nodma *nodma, dma_addr_t addr)
{
	struct nodma_entry *entry;

	if (!atomic_read(&nodma->live))
		return NULL;

	guard(spinlock_irqsave)(&nodma->lock);
	entry = nodma_find(nodma, addr);
	return entry ? entry->page : NULL;
}

/*
 * Streaming mappings
 */

/*
 * Find a slot that the device may use.  Slots that it may not use are held
 * until one is found, so that they are not offered again.
 */
static phys_addr_t nodma_get_slot(struct dma_layer *layer, phys_addr_t phys,
				  size_t size, enum dma_data_direction dir,
				  unsigned long *attrs)
{
	bool direct = dma_layer_base_direct(layer);
	phys_addr_t held[NODMA_SLOT_TRIES], slot;
	phys_addr_t found = DMA_MAPPING_ERROR;
	struct device *dev = layer->dev;
	struct nodma *nodma = layer->priv;
	const char *why = "no bounce slot is free";
	unsigned long flags = *attrs | DMA_ATTR_NO_WARN;
	int n = 0;

	while (n < NODMA_SLOT_TRIES) {
		slot = nodma_slot_map(dev, phys, size, !direct, dir, &flags);
		if (slot == (phys_addr_t)DMA_MAPPING_ERROR)
			break;
		if (direct && !nodma_direct_reaches(dev, slot, size, U64_MAX,
						    flags)) {
			why = "bounce slots lie above the device's DMA mask";
			held[n++] = slot;
			break;
		}
		if (!nodma_ranges_hit(&nodma->ranges, slot, size)) {
			found = slot;
			break;
		}
		why = "bounce slots lie in a no-DMA range themselves";
		held[n++] = slot;
	}
	while (n--)
		nodma_slot_unmap(dev, held[n], size, dir,
				 flags | DMA_ATTR_SKIP_CPU_SYNC);
	if (found == (phys_addr_t)DMA_MAPPING_ERROR)
		nodma_refuse(layer, *attrs, why);
	else
		*attrs = flags;
	return found;
}

static bool nodma_may_bounce(struct dma_layer *layer, size_t size,
			     unsigned long attrs)
{
	const char *why = NULL;

	if (!size)
		why = "empty buffer";
	else if (attrs & DMA_ATTR_MMIO)
		why = "MMIO in a no-DMA range";
	else if (attrs & DMA_ATTR_REQUIRE_COHERENT)
		why = "memory in a no-DMA range must not be bounced";
	else if (!nodma_slots_present(layer->dev))
		why = "no bounce buffers in this system; try swiotlb=force or iommu=soft";
	else if (size > nodma_slot_max(layer->dev))
		why = "buffer in a no-DMA range is too long to be bounced";
	if (why)
		nodma_refuse(layer, attrs, why);
	return !why;
}

static dma_addr_t nodma_map_slot(struct dma_layer *layer, phys_addr_t phys,
				 size_t size, enum dma_data_direction dir,
				 unsigned long attrs, struct scatterlist *sgl)
{
	struct nodma *nodma = layer->priv;
	struct nodma_entry *entry;
	unsigned long slot_attrs = attrs;

	if (!nodma_may_bounce(layer, size, attrs))
		return DMA_MAPPING_ERROR;
	entry = nodma_entry_new(GFP_ATOMIC | __GFP_NOWARN);
	if (!entry) {
		nodma_refuse(layer, attrs, "out of memory");
		return DMA_MAPPING_ERROR;
	}

	entry->slot = nodma_get_slot(layer, phys, size, dir, &slot_attrs);
	if (entry->slot == (phys_addr_t)DMA_MAPPING_ERROR)
		goto err_free;
	entry->attrs = slot_attrs | DMA_ATTR_REQUIRE_COHERENT;
	entry->addr = dma_below_map_phys(layer, entry->slot, size, dir,
					 entry->attrs);
	if (entry->addr == DMA_MAPPING_ERROR)
		goto err_slot;

	entry->size = size;
	entry->dir = dir;
	entry->sgl = sgl;
	nodma_insert(nodma, entry);
	atomic64_inc(&nodma->maps);
	atomic64_add(size, &nodma->bytes);
	return entry->addr;

err_slot:
	nodma_slot_unmap(layer->dev, entry->slot, size, dir,
			 attrs | DMA_ATTR_SKIP_CPU_SYNC);
err_free:
	kfree(entry);
	return DMA_MAPPING_ERROR;
}

static void nodma_unmap_slot(struct dma_layer *layer, struct nodma_entry *entry,
			     enum dma_data_direction dir, unsigned long attrs)
{
	dma_below_unmap_phys(layer, entry->addr, entry->size, entry->dir,
			     entry->attrs);
	nodma_slot_unmap(layer->dev, entry->slot, entry->size, dir, attrs);
	kfree(entry);
}

/* Direct mapping bounces by itself what lies above the device's mask. */
static bool nodma_base_strayed(struct dma_layer *layer, dma_addr_t addr,
			       size_t size)
{
	struct nodma *nodma = layer->priv;

	return nodma->ranges.nr && dma_layer_base_direct(layer) &&
	       nodma_ranges_hit(&nodma->ranges, dma_to_phys(layer->dev, addr),
				size);
}

static dma_addr_t nodma_map_clear(struct dma_layer *layer, phys_addr_t phys,
				  size_t size, enum dma_data_direction dir,
				  unsigned long attrs)
{
	dma_addr_t addr = dma_below_map_phys(layer, phys, size, dir, attrs);

	if (addr == DMA_MAPPING_ERROR || (attrs & DMA_ATTR_MMIO) ||
	    !nodma_base_strayed(layer, addr, size))
		return addr;
	dma_below_unmap_phys(layer, addr, size, dir,
			     attrs | DMA_ATTR_SKIP_CPU_SYNC);
	nodma_refuse(layer, attrs,
		     "direct mapping bounced into a no-DMA range");
	return DMA_MAPPING_ERROR;
}

static bool nodma_must_bounce(struct dma_layer *layer, phys_addr_t phys,
			      size_t size)
{
	struct nodma *nodma = layer->priv;

	if (!nodma_ranges_hit(&nodma->ranges, phys, size))
		return false;

	/* swiotlb=force: the copy is made below, and checked afterwards. */
	return !(dma_layer_base_direct(layer) &&
		 nodma_slots_forced(layer->dev));
}

static dma_addr_t nodma_map_phys(struct dma_layer *layer, phys_addr_t phys,
				 size_t size, enum dma_data_direction dir,
				 unsigned long attrs)
{
	if (nodma_must_bounce(layer, phys, size))
		return nodma_map_slot(layer, phys, size, dir, attrs, NULL);
	return nodma_map_clear(layer, phys, size, dir, attrs);
}

static void nodma_unmap_phys(struct dma_layer *layer, dma_addr_t addr,
			     size_t size, enum dma_data_direction dir,
			     unsigned long attrs)
{
	struct nodma_entry *entry = nodma_take(layer->priv, addr, false);

	if (entry)
		nodma_unmap_slot(layer, entry, dir, attrs);
	else
		dma_below_unmap_phys(layer, addr, size, dir, attrs);
}

static void nodma_sync_single_for_cpu(struct dma_layer *layer, dma_addr_t addr,
				      size_t size, enum dma_data_direction dir)
{
	phys_addr_t slot;

	if (nodma_slot_of(layer->priv, addr, &slot))
		nodma_slot_sync_for_cpu(layer->dev, slot, size, dir);
	else
		dma_below_sync_single_for_cpu(layer, addr, size, dir);
}

static void nodma_sync_single_for_device(struct dma_layer *layer,
					 dma_addr_t addr, size_t size,
					 enum dma_data_direction dir)
{
	phys_addr_t slot;

	if (nodma_slot_of(layer->priv, addr, &slot))
		nodma_slot_sync_for_device(layer->dev, slot, size, dir);
	else
		dma_below_sync_single_for_device(layer, addr, size, dir);
}

/*
 * Scatterlists.  One that has an entry to bounce is mapped entry by entry, and
 * its first slot remembers the list.
 */

static bool nodma_sg_must_bounce(struct dma_layer *layer,
				 struct scatterlist *sgl, int nents)
{
	struct nodma *nodma = layer->priv;
	struct scatterlist *sg;
	int i;

	if (!nodma->ranges.nr)
		return false;
	for_each_sg(sgl, sg, nents, i) {
		if (nodma_must_bounce(layer, sg_phys(sg), sg->length))
			return true;
	}
	return false;
}

static void nodma_unmap_sg_each(struct dma_layer *layer,
				struct scatterlist *sgl, int nents,
				enum dma_data_direction dir,
				unsigned long attrs)
{
	struct scatterlist *sg;
	int i;

	for_each_sg(sgl, sg, nents, i)
		nodma_unmap_phys(layer, sg_dma_address(sg), sg_dma_len(sg), dir,
				 attrs);
}

static int nodma_map_sg_each(struct dma_layer *layer, struct scatterlist *sgl,
			     int nents, enum dma_data_direction dir,
			     unsigned long attrs)
{
	struct scatterlist *sg, *mark = sgl;
	int i, ret = -EIO;

	for_each_sg(sgl, sg, nents, i) {
		phys_addr_t phys = sg_phys(sg);
		dma_addr_t addr;

		/* Peers of a device cannot be told apart from memory below. */
		if (is_pci_p2pdma_page(sg_page(sg))) {
			ret = -EREMOTEIO;
			goto err_unmap;
		}
		if (nodma_must_bounce(layer, phys, sg->length)) {
			addr = nodma_map_slot(layer, phys, sg->length, dir,
					      attrs, mark);
			mark = NULL;
		} else {
			addr = nodma_map_clear(layer, phys, sg->length, dir,
					       attrs);
		}
		if (addr == DMA_MAPPING_ERROR)
			goto err_unmap;
		sg_dma_address(sg) = addr;
		sg_dma_len(sg) = sg->length;
	}
	return nents;

err_unmap:
	nodma_unmap_sg_each(layer, sgl, i, dir, attrs | DMA_ATTR_SKIP_CPU_SYNC);
	return ret;
}

static int nodma_map_sg(struct dma_layer *layer, struct scatterlist *sgl,
			int nents, enum dma_data_direction dir,
			unsigned long attrs)
{
	struct scatterlist *sg;
	int i, ret;

	if (nodma_sg_must_bounce(layer, sgl, nents))
		return nodma_map_sg_each(layer, sgl, nents, dir, attrs);

	ret = dma_below_map_sg(layer, sgl, nents, dir, attrs);
	if (ret <= 0)
		return ret;
	for_each_sg(sgl, sg, ret, i) {
		if (!nodma_base_strayed(layer, sg_dma_address(sg),
					sg_dma_len(sg)))
			continue;
		dma_below_unmap_sg(layer, sgl, nents, dir,
				   attrs | DMA_ATTR_SKIP_CPU_SYNC);
		nodma_refuse(layer, attrs,
			     "direct mapping bounced into a no-DMA range");
		return -EIO;
	}
	return ret;
}

static void nodma_unmap_sg(struct dma_layer *layer, struct scatterlist *sgl,
			   int nents, enum dma_data_direction dir,
			   unsigned long attrs)
{
	if (nodma_list_bounced(layer->priv, sgl))
		nodma_unmap_sg_each(layer, sgl, nents, dir, attrs);
	else
		dma_below_unmap_sg(layer, sgl, nents, dir, attrs);
}

static void nodma_sync_sg_for_cpu(struct dma_layer *layer,
				  struct scatterlist *sgl, int nents,
				  enum dma_data_direction dir)
{
	struct scatterlist *sg;
	int i;

	if (!nodma_list_bounced(layer->priv, sgl)) {
		dma_below_sync_sg_for_cpu(layer, sgl, nents, dir);
		return;
	}
	for_each_sg(sgl, sg, nents, i)
		nodma_sync_single_for_cpu(layer, sg_dma_address(sg),
					  sg_dma_len(sg), dir);
}

static void nodma_sync_sg_for_device(struct dma_layer *layer,
				     struct scatterlist *sgl, int nents,
				     enum dma_data_direction dir)
{
	struct scatterlist *sg;
	int i;

	if (!nodma_list_bounced(layer->priv, sgl)) {
		dma_below_sync_sg_for_device(layer, sgl, nents, dir);
		return;
	}
	for_each_sg(sgl, sg, nents, i)
		nodma_sync_single_for_device(layer, sg_dma_address(sg),
					     sg_dma_len(sg), dir);
}

/*
 * Allocations.  What lies below is asked a few times, while memory that will
 * not do is held: iommu-dma for one zone after the other, as any memory will do
 * for it.  Then the layer allocates by itself, from one zone after the other,
 * and maps that; but a mapping goes by the streaming mask, and its address may
 * be beyond a narrower coherent one.
 */

/* Does memory that was allocated below touch a range? */
static bool nodma_memory_hit(struct dma_layer *layer, void *vaddr,
			     dma_addr_t handle, size_t size)
{
	struct nodma *nodma = layer->priv;
	size_t pos;

	size = PAGE_ALIGN(size);
	if (dma_layer_base_direct(layer))
		return nodma_ranges_hit(&nodma->ranges,
					dma_to_phys(layer->dev, handle), size);
	if (!is_vmalloc_addr(vaddr))
		return nodma_ranges_hit(&nodma->ranges, virt_to_phys(vaddr),
					size);
	for (pos = 0; pos < size; pos += PAGE_SIZE) {
		if (nodma_ranges_hit(&nodma->ranges,
				     PFN_PHYS(vmalloc_to_pfn(vaddr + pos)),
				     PAGE_SIZE))
			return true;
	}
	return false;
}

static bool nodma_page_usable(struct dma_layer *layer, struct page *page,
			      size_t size)
{
	struct nodma *nodma = layer->priv;
	struct device *dev = layer->dev;

	if (nodma_ranges_hit(&nodma->ranges, page_to_phys(page), size))
		return false;
	return !dma_layer_base_direct(layer) ||
	       nodma_direct_reaches(dev, page_to_phys(page), size,
				    dev->coherent_dma_mask, 0);
}

/* Which memory to ask for at the n-th time. */
static gfp_t nodma_zone(unsigned int n)
{
	static const gfp_t zones[NODMA_ZONES] = { 0, GFP_DMA32, GFP_DMA };

	return zones[n / NODMA_ALLOC_TRIES];
}

/* How often to ask what lies below. */
static unsigned int nodma_tries(struct dma_layer *layer)
{
	return nodma_base_iommu(layer->dev) ? NODMA_TRIES : NODMA_ALLOC_TRIES;
}

static struct page *nodma_get_pages(struct dma_layer *layer, size_t size,
				    gfp_t gfp)
{
	struct page *held[NODMA_TRIES], *page;
	struct page *found = NULL;
	unsigned int order = get_order(size), n = 0, i;

	if (order > MAX_PAGE_ORDER)
		return NULL;
	gfp |= __GFP_ZERO | __GFP_NOWARN;
	for (i = 0; i < ARRAY_SIZE(held) && !found; i++) {
		page = alloc_pages_node(dev_to_node(layer->dev),
					gfp | nodma_zone(i), order);
		if (!page)
			continue;
		if (nodma_page_usable(layer, page, size))
			found = page;
		else
			held[n++] = page;
	}
	while (n--)
		__free_pages(held[n], order);
	return found;
}

static struct page *nodma_own_alloc(struct dma_layer *layer, size_t size,
				    dma_addr_t *handle,
				    enum dma_data_direction dir, gfp_t gfp)
{
	struct device *dev = layer->dev;
	struct nodma *nodma = layer->priv;
	struct nodma_entry *entry;
	struct page *page;
	dma_addr_t addr;

	size = PAGE_ALIGN(size);
	if (nodma_dev_unencrypted(dev))
		return NULL;
	entry = nodma_entry_new(gfp);
	if (!entry)
		return NULL;
	page = nodma_get_pages(layer, size, gfp);
	if (!page)
		goto err_entry;

	addr = dma_below_map_phys(layer, page_to_phys(page), size, dir,
				  DMA_ATTR_REQUIRE_COHERENT);
	if (addr == DMA_MAPPING_ERROR)
		goto err_page;
	if (addr + size - 1 > min_not_zero(dev->coherent_dma_mask,
					   dev->bus_dma_limit)) {
		dma_below_unmap_phys(layer, addr, size, dir,
				     DMA_ATTR_REQUIRE_COHERENT);
		goto err_page;
	}
	entry->addr = addr;
	entry->size = size;
	entry->page = page;
	entry->dir = dir;
	entry->attrs = DMA_ATTR_REQUIRE_COHERENT;
	nodma_insert(nodma, entry);
	atomic64_inc(&nodma->own);
	*handle = addr;
	return page;

err_page:
	__free_pages(page, get_order(size));
err_entry:
	kfree(entry);
	return NULL;
}

static bool nodma_own_free(struct dma_layer *layer, dma_addr_t handle)
{
	struct nodma_entry *entry = nodma_take(layer->priv, handle, true);

	if (!entry)
		return false;
	dma_below_unmap_phys(layer, entry->addr, entry->size, entry->dir,
			     entry->attrs);
	__free_pages(entry->page, get_order(entry->size));
	kfree(entry);
	return true;
}

static void *nodma_alloc(struct dma_layer *layer, size_t size,
			 dma_addr_t *handle, gfp_t gfp, unsigned long attrs)
{
	struct {
		void *vaddr;
		dma_addr_t handle;
	} held[NODMA_TRIES];
	unsigned int n = 0, tries = nodma_tries(layer);
	void *vaddr, *found = NULL;
	struct page *page;

	/* The memory is looked up by its address, so there must be one. */
	attrs &= ~DMA_ATTR_NO_KERNEL_MAPPING;
	while (n < tries && !found) {
		vaddr = dma_below_alloc(layer, size, handle,
					gfp | nodma_zone(n), attrs);
		if (!vaddr)
			break;
		if (nodma_memory_hit(layer, vaddr, *handle, size)) {
			held[n].vaddr = vaddr;
			held[n++].handle = *handle;
		} else {
			found = vaddr;
		}
	}
	if (!found && n) {
		page = nodma_own_alloc(layer, size, handle, DMA_BIDIRECTIONAL,
				       gfp);
		if (page)
			found = page_address(page);
		else
			nodma_refuse(layer, attrs,
				     "no memory found outside of the no-DMA ranges");
	}
	while (n--)
		dma_below_free(layer, size, held[n].vaddr, held[n].handle,
			       attrs);
	return found;
}

static void nodma_free(struct dma_layer *layer, size_t size, void *vaddr,
		       dma_addr_t handle, unsigned long attrs)
{
	if (!nodma_own_free(layer, handle))
		dma_below_free(layer, size, vaddr, handle,
			       attrs & ~DMA_ATTR_NO_KERNEL_MAPPING);
}

static struct page *nodma_alloc_pages(struct dma_layer *layer, size_t size,
				      dma_addr_t *handle,
				      enum dma_data_direction dir, gfp_t gfp)
{
	struct {
		struct page *page;
		dma_addr_t handle;
	} held[NODMA_TRIES];
	unsigned int n = 0, tries = nodma_tries(layer);
	struct nodma *nodma = layer->priv;
	struct page *page, *found = NULL;

	while (n < tries && !found) {
		page = dma_below_alloc_pages(layer, size, handle, dir,
					     gfp | nodma_zone(n));
		if (!page)
			break;
		if (nodma_ranges_hit(&nodma->ranges, page_to_phys(page),
				     PAGE_ALIGN(size))) {
			held[n].page = page;
			held[n++].handle = *handle;
		} else {
			found = page;
		}
	}
	if (!found && n) {
		found = nodma_own_alloc(layer, size, handle, dir, gfp);
		if (!found)
			nodma_refuse(layer, 0,
				     "no pages found outside of the no-DMA ranges");
	}
	while (n--)
		dma_below_free_pages(layer, size, held[n].page, held[n].handle,
				     dir);
	return found;
}

static void nodma_free_pages(struct dma_layer *layer, size_t size,
			     struct page *page, dma_addr_t handle,
			     enum dma_data_direction dir)
{
	if (!nodma_own_free(layer, handle))
		dma_below_free_pages(layer, size, page, handle, dir);
}

static bool nodma_table_hit(struct dma_layer *layer, struct sg_table *sgt)
{
	struct nodma *nodma = layer->priv;
	struct scatterlist *sg;
	int i;

	for_each_sgtable_sg(sgt, sg, i) {
		if (nodma_ranges_hit(&nodma->ranges, sg_phys(sg), sg->length))
			return true;
	}
	return false;
}

/* One piece, which is what a table is wherever iommu-dma does not make it. */
static struct sg_table *nodma_own_table(struct dma_layer *layer, size_t size,
					enum dma_data_direction dir, gfp_t gfp)
{
	struct sg_table *sgt __free(kfree) = kmalloc_obj(*sgt, gfp);
	struct page *page;

	if (!sgt || sg_alloc_table(sgt, 1, gfp))
		return NULL;
	page = nodma_own_alloc(layer, size, &sg_dma_address(sgt->sgl), dir,
			       gfp);
	if (!page) {
		sg_free_table(sgt);
		return NULL;
	}
	sg_set_page(sgt->sgl, page, PAGE_ALIGN(size), 0);
	sg_dma_len(sgt->sgl) = PAGE_ALIGN(size);
	return no_free_ptr(sgt);
}

/*
 * Of its tables iommu-dma knows more than they show, so none can be made in its
 * place; but it takes single pages from the zone that it is asked for.
 */
static struct sg_table *
nodma_alloc_noncontiguous(struct dma_layer *layer, size_t size,
			  enum dma_data_direction dir, gfp_t gfp,
			  unsigned long attrs)
{
	unsigned int n = 0, tries = nodma_tries(layer);
	struct sg_table *held[NODMA_TRIES], *sgt;
	struct sg_table *found = NULL;

	while (n < tries && !found) {
		sgt = dma_below_alloc_noncontiguous(layer, size, dir,
						    gfp | nodma_zone(n), attrs);
		if (!sgt)
			break;
		if (nodma_table_hit(layer, sgt))
			held[n++] = sgt;
		else
			found = sgt;
	}
	if (!found && n && !nodma_base_iommu(layer->dev))
		found = nodma_own_table(layer, size, dir, gfp);
	if (!found && n)
		nodma_refuse(layer, attrs,
			     "no pages found outside of the no-DMA ranges");
	while (n--)
		dma_below_free_noncontiguous(layer, size, held[n], dir);
	return found;
}

static void nodma_free_noncontiguous(struct dma_layer *layer, size_t size,
				     struct sg_table *sgt,
				     enum dma_data_direction dir)
{
	if (!nodma_own_free(layer, sg_dma_address(sgt->sgl))) {
		dma_below_free_noncontiguous(layer, size, sgt, dir);
		return;
	}
	sg_free_table(sgt);
	kfree(sgt);
}

static int nodma_mmap(struct dma_layer *layer, struct vm_area_struct *vma,
		      void *vaddr, dma_addr_t handle, size_t size,
		      unsigned long attrs)
{
	struct page *page = nodma_own_page(layer->priv, handle);

	if (page)
		return dma_mmap_pages(layer->dev, vma, size, page);
	return dma_below_mmap(layer, vma, vaddr, handle, size, attrs);
}

static int nodma_get_sgtable(struct dma_layer *layer, struct sg_table *sgt,
			     void *vaddr, dma_addr_t handle, size_t size,
			     unsigned long attrs)
{
	struct page *page = nodma_own_page(layer->priv, handle);
	int ret;

	if (!page)
		return dma_below_get_sgtable(layer, sgt, vaddr, handle, size,
					     attrs);
	ret = sg_alloc_table(sgt, 1, GFP_KERNEL);
	if (!ret)
		sg_set_page(sgt->sgl, page, PAGE_ALIGN(size), 0);
	return ret;
}

/*
 * Limits
 */

static size_t nodma_max_mapping_size(struct dma_layer *layer)
{
	struct nodma *nodma = layer->priv;
	size_t below = dma_below_max_mapping_size(layer);

	if (!nodma->ranges.nr)
		return below;
	return min(below, nodma_slot_max(layer->dev));
}

static size_t nodma_opt_mapping_size(struct dma_layer *layer)
{
	return min(dma_below_opt_mapping_size(layer),
		   nodma_max_mapping_size(layer));
}

/* Slots are not adjacent, so entries of a list cannot be merged. */
static unsigned long nodma_get_merge_boundary(struct dma_layer *layer)
{
	struct nodma *nodma = layer->priv;

	return nodma->ranges.nr ? 0 : dma_below_get_merge_boundary(layer);
}

static const struct dma_layer_ops nodma_ops = {
	.alloc = nodma_alloc,
	.free = nodma_free,
	.alloc_pages_op = nodma_alloc_pages,
	.free_pages = nodma_free_pages,
	.alloc_noncontiguous = nodma_alloc_noncontiguous,
	.free_noncontiguous = nodma_free_noncontiguous,
	.mmap = nodma_mmap,
	.get_sgtable = nodma_get_sgtable,
	.map_phys = nodma_map_phys,
	.unmap_phys = nodma_unmap_phys,
	.map_sg = nodma_map_sg,
	.unmap_sg = nodma_unmap_sg,
	.sync_single_for_cpu = nodma_sync_single_for_cpu,
	.sync_single_for_device = nodma_sync_single_for_device,
	.sync_sg_for_cpu = nodma_sync_sg_for_cpu,
	.sync_sg_for_device = nodma_sync_sg_for_device,
	.max_mapping_size = nodma_max_mapping_size,
	.opt_mapping_size = nodma_opt_mapping_size,
	.get_merge_boundary = nodma_get_merge_boundary,
};

/*
 * Configuration
 */

/* What the user should know about ranges that have come into force. */
static void nodma_advise(struct device *dev, const struct nodma_ranges *ranges)
{
	if (!ranges->nr)
		return;
	if (!nodma_slots_present(dev))
		dev_warn(dev, "nodma: no bounce buffers in this system, buffers in a no-DMA range will be refused; swiotlb=force or iommu=soft brings some\n");
	else if (nodma_slots_hit(dev, ranges))
		dev_warn(dev, "nodma: the pool of bounce buffers lies partly in a no-DMA range, mappings may fail\n");
}

static ssize_t ranges_show(struct device *dev, struct device_attribute *attr,
			   char *buf)
{
	struct dma_layer *layer;
	struct nodma *nodma;
	unsigned int i;
	int len = 0;

	/* The layer waits for us with the lock held when it goes. */
	if (!device_trylock(dev))
		return restart_syscall();
	layer = dma_layer_get(dev, &dma_layer_nodma_type);
	nodma = layer ? layer->priv : NULL;
	for (i = 0; nodma && i < nodma->ranges.nr; i++)
		len += sysfs_emit_at(buf, len, "0x%016llx-0x%016llx\n",
				     (u64)nodma->ranges.range[i].start,
				     (u64)nodma->ranges.range[i].last);
	if (!len)
		len = sysfs_emit(buf, "none\n");
	device_unlock(dev);
	return len;
}

static int nodma_store_ranges(struct device *dev, const char *buf)
{
	struct dma_layer *layer = dma_layer_get(dev, &dma_layer_nodma_type);
	struct nodma *nodma;
	int ret;

	if (!layer)
		return -ENODEV;
	if (dev->driver) {
		dev_err(dev, "no-DMA ranges cannot change while driver %s is bound; unbind it first\n",
			dev_driver_string(dev));
		return -EBUSY;
	}
	nodma = layer->priv;
	ret = nodma_ranges_edit(buf, &nodma->ranges);
	if (ret)
		dev_err(dev, "no-DMA ranges unchanged (%pe); accepted: <ranges> to replace, +<ranges> to add, -<ranges> to take out what is there, none; <ranges> is %s\n",
			ERR_PTR(ret), NODMA_ACCEPTED);
	else
		nodma_advise(dev, &nodma->ranges);
	return ret;
}

static ssize_t ranges_store(struct device *dev, struct device_attribute *attr,
			    const char *buf, size_t count)
{
	int ret;

	if (!device_trylock(dev))
		return restart_syscall();
	ret = nodma_store_ranges(dev, buf);
	device_unlock(dev);
	return ret ?: count;
}
static DEVICE_ATTR_RW(ranges);

static struct attribute *nodma_attrs[] = {
	&dev_attr_ranges.attr,
	NULL
};

static const struct attribute_group nodma_group = {
	.name = "dma_nodma",
	.attrs = nodma_attrs,
};

static const struct attribute_group *nodma_groups[] = {
	&nodma_group,
	NULL
};

static int nodma_attach(struct dma_layer *layer)
{
	struct device *dev = layer->dev;
	struct nodma *nodma;
	int ret;

	if (dma_is_noncoherent(dev) || !dev_is_dma_coherent(dev)) {
		dev_err(dev, "nodma: only for cache-coherent devices\n");
		return -EOPNOTSUPP;
	}
	nodma = kzalloc_obj(*nodma);
	if (!nodma)
		return -ENOMEM;
	spin_lock_init(&nodma->lock);
	nodma->entries = RB_ROOT;
	ret = nodma_user_add(&nodma->user, dev, &nodma->ranges);
	if (ret) {
		kfree(nodma);
		return ret;
	}
	nodma_advise(dev, &nodma->ranges);
	layer->priv = nodma;
	return 0;
}

static void nodma_detach(struct dma_layer *layer)
{
	struct nodma *nodma = layer->priv;
	struct nodma_entry *entry, *next;

	nodma_user_remove(&nodma->user);
	/* A driver that left mappings behind has been told off by dma-debug. */
	rbtree_postorder_for_each_entry_safe(entry, next, &nodma->entries, node)
		kfree(entry);
	kfree(nodma);
}

static void nodma_show(struct dma_layer *layer, struct seq_file *m)
{
	struct nodma *nodma = layer->priv;
	unsigned int i;

	seq_puts(m, "nodma.ranges: ");
	for (i = 0; i < nodma->ranges.nr; i++)
		seq_printf(m, "%s0x%016llx-0x%016llx", i ? "+" : "",
			   (u64)nodma->ranges.range[i].start,
			   (u64)nodma->ranges.range[i].last);
	seq_printf(m, "%s\n", nodma->ranges.nr ? "" : "none");
	seq_printf(m, "nodma.bounced_maps: %lld\n",
		   atomic64_read(&nodma->maps));
	seq_printf(m, "nodma.bounced_bytes: %lld\n",
		   atomic64_read(&nodma->bytes));
	seq_printf(m, "nodma.own_allocs: %lld\n", atomic64_read(&nodma->own));
	seq_printf(m, "nodma.live: %d\n", atomic_read(&nodma->live));
	seq_printf(m, "nodma.failures: %lld\n",
		   atomic64_read(&nodma->failures));
}

VISIBLE_IF_KUNIT struct dma_layer_type dma_layer_nodma_type = {
	.name = "nodma",
	.owner = THIS_MODULE,
	.ops = &nodma_ops,
	.attach = nodma_attach,
	.detach = nodma_detach,
	.show = nodma_show,
	.groups = nodma_groups,
};
EXPORT_SYMBOL_IF_KUNIT(dma_layer_nodma_type);

static int __init nodma_init(void)
{
	return dma_layer_register(&dma_layer_nodma_type);
}
subsys_initcall(nodma_init);

static void __exit nodma_exit(void)
{
	dma_layer_unregister(&dma_layer_nodma_type);
}
module_exit(nodma_exit);

MODULE_DESCRIPTION("DMA layer that keeps a device off physical memory");
MODULE_LICENSE("GPL");
