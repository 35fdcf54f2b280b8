// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of DMA paths: lookup, back ends, stacks of layers.
 *
 * Every test makes platform devices and drivers of its own.  The devices are
 * served by operations that write down who was called with what (the base),
 * below layers that write down the same and forward.  What the DMA API was
 * asked is compared with what each of them saw.
 *
 * Allocations are made to fail through task_struct::fail_nth, which serves the
 * calling task only; see kt_faults_begin().
 */
#include <kunit/device.h>
#include <kunit/test.h>
#include <linux/cleanup.h>
#include <linux/completion.h>
#include <linux/debugfs.h>
#include <linux/device.h>
#include <linux/dma-backend.h>
#include <linux/dma-direct.h>
#include <linux/dma-layer.h>
#include <linux/dma-path.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/iommu.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/mount.h>
#include <linux/pci.h>
#include <linux/platform_device.h>
#include <linux/scatterlist.h>
#include <linux/sched/signal.h>
#include <linux/seq_file.h>
#include <linux/uio.h>
#include "path.h"

#define KT_NAME		"kt-dma-path"
#define KT_LAYERS	(DMA_LAYERS_MAX + 1)
#define KT_NARGS	5
#define KT_LOG		128
#define KT_RESULTS	32
#define KT_ATTRS	(DMA_ATTR_WEAK_ORDERING | DMA_ATTR_NO_WARN)
#define KT_DIR		DMA_BIDIRECTIONAL

/* What the recording base answers; no two alike. */
#define KT_HANDLE_MAP	((dma_addr_t)0x10001000)
#define KT_HANDLE_SG	((dma_addr_t)0x20002000)
#define KT_HANDLE_ALLOC	((dma_addr_t)0x30003000)
#define KT_HANDLE_PAGES	((dma_addr_t)0x40004000)
#define KT_HANDLE_OWN	((dma_addr_t)0x50005000)
#define KT_HANDLE_BE	((dma_addr_t)0x60006000)
#define KT_HANDLE_ARCH	((dma_addr_t)0x70007000)
#define KT_REQUIRED	DMA_BIT_MASK(29)
#define KT_MAX_SIZE	((size_t)0x4000000)
#define KT_OPT_SIZE	((size_t)0x200000)
#define KT_BOUNDARY	0xffffUL

/* An operation is known by the place of its member in dma_layer_ops. */
#define KT_OP(member)	(offsetof(struct dma_layer_ops, member) / \
			 sizeof(void *))
#define KT_OPS		(sizeof(struct dma_layer_ops) / sizeof(void *))
#define KT_PTR(ptr)	((u64)(uintptr_t)(ptr))
#define KT_GFP		((__force u64)GFP_KERNEL)
#define KT_ARGS(...)	((const u64 [KT_NARGS]) { __VA_ARGS__ })

static const char * const kt_op_names[] = {
	[KT_OP(alloc)]			= "alloc",
	[KT_OP(free)]			= "free",
	[KT_OP(alloc_pages_op)]		= "alloc_pages",
	[KT_OP(free_pages)]		= "free_pages",
	[KT_OP(alloc_noncontiguous)]	= "alloc_noncontiguous",
	[KT_OP(free_noncontiguous)]	= "free_noncontiguous",
	[KT_OP(mmap)]			= "mmap",
	[KT_OP(get_sgtable)]		= "get_sgtable",
	[KT_OP(map_phys)]		= "map_phys",
	[KT_OP(unmap_phys)]		= "unmap_phys",
	[KT_OP(map_sg)]			= "map_sg",
	[KT_OP(unmap_sg)]		= "unmap_sg",
	[KT_OP(sync_single_for_cpu)]	= "sync_single_for_cpu",
	[KT_OP(sync_single_for_device)]	= "sync_single_for_device",
	[KT_OP(sync_sg_for_cpu)]	= "sync_sg_for_cpu",
	[KT_OP(sync_sg_for_device)]	= "sync_sg_for_device",
	[KT_OP(dma_supported)]		= "dma_supported",
	[KT_OP(get_required_mask)]	= "get_required_mask",
	[KT_OP(max_mapping_size)]	= "max_mapping_size",
	[KT_OP(opt_mapping_size)]	= "opt_mapping_size",
	[KT_OP(get_merge_boundary)]	= "get_merge_boundary",
};

/* A new operation has to be recorded here, too. */
static_assert(ARRAY_SIZE(kt_op_names) == KT_OPS);

/**
 * struct kt_layer - a kind of layer that records
 * @type: as registered
 * @ops: what it has; a member that is missing is not recorded
 * @name: "kt" and a digit
 * @group: a sysfs directory of that name, used when @groups[0] is set
 * @groups: for @type
 * @attach_ret: what attach() returns
 * @attached: successful calls of attach()
 * @detached: calls of detach()
 * @known: registered
 */
struct kt_layer {
	struct dma_layer_type type;
	struct dma_layer_ops ops;
	char name[DMA_LAYER_NAME_MAX];
	struct attribute_group group;
	const struct attribute_group *groups[2];
	int attach_ret;
	atomic_t attached;
	atomic_t detached;
	bool known;
};

/* One call of a layer, or of the base when @layer is NULL. */
struct kt_event {
	const struct kt_layer *layer;
	unsigned int op;
	u64 arg[KT_NARGS];
};

/* What a call of the DMA API ought to bring about. */
struct kt_want {
	unsigned int op;
	bool layers;
	bool base;
	u64 arg[KT_NARGS];
};

/**
 * struct kt_dev - a device under test
 * @test: the running test
 * @pdev: the device
 * @dev: the device
 * @name: the name of the device, which the driver outlives
 * @drv: a driver for this device alone
 * @probe_ret: what the driver's probe function returns
 * @in_probe: what the driver's probe function calls
 * @buf: two pages of memory
 * @sg: two elements, in @buf
 * @log: calls that were seen
 * @events: how many
 * @want: calls that ought to be seen
 * @wants: how many
 * @result: results of the calls of the DMA API
 * @results: how many
 */
struct kt_dev {
	struct kunit *test;
	struct platform_device *pdev;
	struct device *dev;
	char name[32];
	struct platform_driver drv;
	int probe_ret;
	void (*in_probe)(struct kt_dev *kd);
	void *buf;
	struct scatterlist sg[2];
	struct kt_event log[KT_LOG];
	unsigned int events;
	struct kt_want want[KT_LOG];
	unsigned int wants;
	u64 result[KT_RESULTS];
	unsigned int results;
};

static atomic_t kt_serial;

static bool kt_is_ours(struct device *dev)
{
	return dev_is_platform(dev) && str_has_prefix(dev_name(dev), KT_NAME);
}

static struct kt_dev *kt_dev_of(struct device *dev)
{
	return *(struct kt_dev **)dev_get_platdata(dev);
}

static struct kt_layer *kt_layer_of(const struct dma_layer *layer)
{
	return container_of((struct dma_layer_type *)layer->type,
			    struct kt_layer, type);
}

static void kt_note(struct kt_dev *kd, const struct kt_layer *layer,
		    unsigned int op, const u64 *arg)
{
	struct kt_event *event;

	if (kd->events == KT_LOG)
		return;
	event = &kd->log[kd->events++];
	event->layer = layer;
	event->op = op;
	memcpy(event->arg, arg, sizeof(event->arg));
}

static void kt_note_layer(struct dma_layer *layer, unsigned int op,
			  const u64 *arg)
{
	kt_note(kt_dev_of(layer->dev), kt_layer_of(layer), op, arg);
}

static void kt_note_base(struct device *dev, unsigned int op, const u64 *arg)
{
	kt_note(kt_dev_of(dev), NULL, op, arg);
}

/*
 * The recording base
 */

static void *kt_base_alloc(struct device *dev, size_t size, dma_addr_t *handle,
			   gfp_t gfp, unsigned long attrs)
{
	kt_note_base(dev, KT_OP(alloc),
		     KT_ARGS(size, KT_PTR(handle), (__force u64)gfp, attrs));
	*handle = KT_HANDLE_ALLOC;
	return kt_dev_of(dev)->buf;
}

static void kt_base_free(struct device *dev, size_t size, void *vaddr,
			 dma_addr_t handle, unsigned long attrs)
{
	kt_note_base(dev, KT_OP(free),
		     KT_ARGS(size, KT_PTR(vaddr), handle, attrs));
}

static struct page *kt_base_alloc_pages(struct device *dev, size_t size,
					dma_addr_t *handle,
					enum dma_data_direction dir, gfp_t gfp)
{
	kt_note_base(dev, KT_OP(alloc_pages_op),
		     KT_ARGS(size, KT_PTR(handle), dir, (__force u64)gfp));
	*handle = KT_HANDLE_PAGES;
	return virt_to_page(kt_dev_of(dev)->buf);
}

static void kt_base_free_pages(struct device *dev, size_t size,
			       struct page *page, dma_addr_t handle,
			       enum dma_data_direction dir)
{
	kt_note_base(dev, KT_OP(free_pages),
		     KT_ARGS(size, KT_PTR(page), handle, dir));
}

static int kt_base_mmap(struct device *dev, struct vm_area_struct *vma,
			void *vaddr, dma_addr_t handle, size_t size,
			unsigned long attrs)
{
	kt_note_base(dev, KT_OP(mmap),
		     KT_ARGS(KT_PTR(vma), KT_PTR(vaddr), handle, size, attrs));
	return -EDOM;
}

static int kt_base_get_sgtable(struct device *dev, struct sg_table *sgt,
			       void *vaddr, dma_addr_t handle, size_t size,
			       unsigned long attrs)
{
	kt_note_base(dev, KT_OP(get_sgtable),
		     KT_ARGS(KT_PTR(sgt), KT_PTR(vaddr), handle, size, attrs));
	return -ERANGE;
}

static dma_addr_t kt_base_map_phys(struct device *dev, phys_addr_t phys,
				   size_t size, enum dma_data_direction dir,
				   unsigned long attrs)
{
	kt_note_base(dev, KT_OP(map_phys), KT_ARGS(phys, size, dir, attrs));
	return KT_HANDLE_MAP;
}

static void kt_base_unmap_phys(struct device *dev, dma_addr_t addr,
			       size_t size, enum dma_data_direction dir,
			       unsigned long attrs)
{
	kt_note_base(dev, KT_OP(unmap_phys), KT_ARGS(addr, size, dir, attrs));
}

static int kt_base_map_sg(struct device *dev, struct scatterlist *sg,
			  int nents, enum dma_data_direction dir,
			  unsigned long attrs)
{
	struct scatterlist *s;
	int i;

	kt_note_base(dev, KT_OP(map_sg),
		     KT_ARGS(KT_PTR(sg), nents, dir, attrs));
	for_each_sg(sg, s, nents, i) {
		s->dma_address = KT_HANDLE_SG + i * PAGE_SIZE;
		sg_dma_len(s) = s->length;
	}
	return nents;
}

static void kt_base_unmap_sg(struct device *dev, struct scatterlist *sg,
			     int nents, enum dma_data_direction dir,
			     unsigned long attrs)
{
	kt_note_base(dev, KT_OP(unmap_sg),
		     KT_ARGS(KT_PTR(sg), nents, dir, attrs));
}

static void kt_base_sync_single_for_cpu(struct device *dev, dma_addr_t addr,
					size_t size,
					enum dma_data_direction dir)
{
	kt_note_base(dev, KT_OP(sync_single_for_cpu),
		     KT_ARGS(addr, size, dir));
}

static void kt_base_sync_single_for_device(struct device *dev,
					   dma_addr_t addr, size_t size,
					   enum dma_data_direction dir)
{
	kt_note_base(dev, KT_OP(sync_single_for_device),
		     KT_ARGS(addr, size, dir));
}

static void kt_base_sync_sg_for_cpu(struct device *dev, struct scatterlist *sg,
				    int nents, enum dma_data_direction dir)
{
	kt_note_base(dev, KT_OP(sync_sg_for_cpu),
		     KT_ARGS(KT_PTR(sg), nents, dir));
}

static void kt_base_sync_sg_for_device(struct device *dev,
				       struct scatterlist *sg, int nents,
				       enum dma_data_direction dir)
{
	kt_note_base(dev, KT_OP(sync_sg_for_device),
		     KT_ARGS(KT_PTR(sg), nents, dir));
}

static int kt_base_dma_supported(struct device *dev, u64 mask)
{
	kt_note_base(dev, KT_OP(dma_supported), KT_ARGS(mask));
	return mask >= DMA_BIT_MASK(20);
}

static u64 kt_base_get_required_mask(struct device *dev)
{
	kt_note_base(dev, KT_OP(get_required_mask), KT_ARGS(0));
	return KT_REQUIRED;
}

static size_t kt_base_max_mapping_size(struct device *dev)
{
	kt_note_base(dev, KT_OP(max_mapping_size), KT_ARGS(0));
	return KT_MAX_SIZE;
}

static size_t kt_base_opt_mapping_size(struct device *dev)
{
	kt_note_base(dev, KT_OP(opt_mapping_size), KT_ARGS(0));
	return KT_OPT_SIZE;
}

static unsigned long kt_base_get_merge_boundary(struct device *dev)
{
	kt_note_base(dev, KT_OP(get_merge_boundary), KT_ARGS(0));
	return KT_BOUNDARY;
}

static const struct dma_map_ops kt_base_ops = {
	.alloc			= kt_base_alloc,
	.free			= kt_base_free,
	.alloc_pages_op		= kt_base_alloc_pages,
	.free_pages		= kt_base_free_pages,
	.mmap			= kt_base_mmap,
	.get_sgtable		= kt_base_get_sgtable,
	.map_phys		= kt_base_map_phys,
	.unmap_phys		= kt_base_unmap_phys,
	.map_sg			= kt_base_map_sg,
	.unmap_sg		= kt_base_unmap_sg,
	.sync_single_for_cpu	= kt_base_sync_single_for_cpu,
	.sync_single_for_device	= kt_base_sync_single_for_device,
	.sync_sg_for_cpu	= kt_base_sync_sg_for_cpu,
	.sync_sg_for_device	= kt_base_sync_sg_for_device,
	.dma_supported		= kt_base_dma_supported,
	.get_required_mask	= kt_base_get_required_mask,
	.max_mapping_size	= kt_base_max_mapping_size,
	.opt_mapping_size	= kt_base_opt_mapping_size,
	.get_merge_boundary	= kt_base_get_merge_boundary,
};

/* The least that the DMA API can do with. */
static const struct dma_map_ops kt_bare_ops = { .map_sg = kt_base_map_sg };

/* An operation's place in dma_map_ops. */
#define KT_SLOT(member)	(offsetof(typeof(kt_base_ops), member) / \
			 sizeof(void *))
#define KT_SLOTS	(sizeof(kt_base_ops) / sizeof(void *))

/* Tables that differ in the address that they give out, or fail. */
static dma_addr_t kt_own_map_phys(struct device *dev, phys_addr_t phys,
				  size_t size, enum dma_data_direction dir,
				  unsigned long attrs)
{
	return KT_HANDLE_OWN;
}

static dma_addr_t kt_be_map_phys(struct device *dev, phys_addr_t phys,
				 size_t size, enum dma_data_direction dir,
				 unsigned long attrs)
{
	return KT_HANDLE_BE;
}

static dma_addr_t kt_no_map_phys(struct device *dev, phys_addr_t phys,
				 size_t size, enum dma_data_direction dir,
				 unsigned long attrs)
{
	return DMA_MAPPING_ERROR;
}

static const struct dma_map_ops kt_own_ops = { .map_phys = kt_own_map_phys };
static const struct dma_map_ops kt_be_ops = { .map_phys = kt_be_map_phys };
static const struct dma_map_ops kt_no_ops = { .map_phys = kt_no_map_phys };

/*
 * The recording layers
 */

static void *kt_layer_alloc(struct dma_layer *layer, size_t size,
			    dma_addr_t *handle, gfp_t gfp, unsigned long attrs)
{
	kt_note_layer(layer, KT_OP(alloc),
		      KT_ARGS(size, KT_PTR(handle), (__force u64)gfp, attrs));
	return dma_below_alloc(layer, size, handle, gfp, attrs);
}

static void kt_layer_free(struct dma_layer *layer, size_t size, void *vaddr,
			  dma_addr_t handle, unsigned long attrs)
{
	kt_note_layer(layer, KT_OP(free),
		      KT_ARGS(size, KT_PTR(vaddr), handle, attrs));
	dma_below_free(layer, size, vaddr, handle, attrs);
}

static struct page *kt_layer_alloc_pages(struct dma_layer *layer, size_t size,
					 dma_addr_t *handle,
					 enum dma_data_direction dir,
					 gfp_t gfp)
{
	kt_note_layer(layer, KT_OP(alloc_pages_op),
		      KT_ARGS(size, KT_PTR(handle), dir, (__force u64)gfp));
	return dma_below_alloc_pages(layer, size, handle, dir, gfp);
}

static void kt_layer_free_pages(struct dma_layer *layer, size_t size,
				struct page *page, dma_addr_t handle,
				enum dma_data_direction dir)
{
	kt_note_layer(layer, KT_OP(free_pages),
		      KT_ARGS(size, KT_PTR(page), handle, dir));
	dma_below_free_pages(layer, size, page, handle, dir);
}

static struct sg_table *
kt_layer_alloc_noncontiguous(struct dma_layer *layer, size_t size,
			     enum dma_data_direction dir, gfp_t gfp,
			     unsigned long attrs)
{
	kt_note_layer(layer, KT_OP(alloc_noncontiguous),
		      KT_ARGS(size, dir, (__force u64)gfp, attrs));
	return dma_below_alloc_noncontiguous(layer, size, dir, gfp, attrs);
}

static void kt_layer_free_noncontiguous(struct dma_layer *layer, size_t size,
					struct sg_table *sgt,
					enum dma_data_direction dir)
{
	kt_note_layer(layer, KT_OP(free_noncontiguous),
		      KT_ARGS(size, KT_PTR(sgt), dir));
	dma_below_free_noncontiguous(layer, size, sgt, dir);
}

static int kt_layer_mmap(struct dma_layer *layer, struct vm_area_struct *vma,
			 void *vaddr, dma_addr_t handle, size_t size,
			 unsigned long attrs)
{
	kt_note_layer(layer, KT_OP(mmap),
		      KT_ARGS(KT_PTR(vma), KT_PTR(vaddr), handle, size, attrs));
	return dma_below_mmap(layer, vma, vaddr, handle, size, attrs);
}

static int kt_layer_get_sgtable(struct dma_layer *layer, struct sg_table *sgt,
				void *vaddr, dma_addr_t handle, size_t size,
				unsigned long attrs)
{
	kt_note_layer(layer, KT_OP(get_sgtable),
		      KT_ARGS(KT_PTR(sgt), KT_PTR(vaddr), handle, size, attrs));
	return dma_below_get_sgtable(layer, sgt, vaddr, handle, size, attrs);
}

static dma_addr_t kt_layer_map_phys(struct dma_layer *layer, phys_addr_t phys,
				    size_t size, enum dma_data_direction dir,
				    unsigned long attrs)
{
	kt_note_layer(layer, KT_OP(map_phys), KT_ARGS(phys, size, dir, attrs));
	return dma_below_map_phys(layer, phys, size, dir, attrs);
}

static void kt_layer_unmap_phys(struct dma_layer *layer, dma_addr_t addr,
				size_t size, enum dma_data_direction dir,
				unsigned long attrs)
{
	kt_note_layer(layer, KT_OP(unmap_phys),
		      KT_ARGS(addr, size, dir, attrs));
	dma_below_unmap_phys(layer, addr, size, dir, attrs);
}

static int kt_layer_map_sg(struct dma_layer *layer, struct scatterlist *sg,
			   int nents, enum dma_data_direction dir,
			   unsigned long attrs)
{
	kt_note_layer(layer, KT_OP(map_sg),
		      KT_ARGS(KT_PTR(sg), nents, dir, attrs));
	return dma_below_map_sg(layer, sg, nents, dir, attrs);
}

static void kt_layer_unmap_sg(struct dma_layer *layer, struct scatterlist *sg,
			      int nents, enum dma_data_direction dir,
			      unsigned long attrs)
{
	kt_note_layer(layer, KT_OP(unmap_sg),
		      KT_ARGS(KT_PTR(sg), nents, dir, attrs));
	dma_below_unmap_sg(layer, sg, nents, dir, attrs);
}

static void kt_layer_sync_single_for_cpu(struct dma_layer *layer,
					 dma_addr_t addr, size_t size,
					 enum dma_data_direction dir)
{
	kt_note_layer(layer, KT_OP(sync_single_for_cpu),
		      KT_ARGS(addr, size, dir));
	dma_below_sync_single_for_cpu(layer, addr, size, dir);
}

static void kt_layer_sync_single_for_device(struct dma_layer *layer,
					    dma_addr_t addr, size_t size,
					    enum dma_data_direction dir)
{
	kt_note_layer(layer, KT_OP(sync_single_for_device),
		      KT_ARGS(addr, size, dir));
	dma_below_sync_single_for_device(layer, addr, size, dir);
}

static void kt_layer_sync_sg_for_cpu(struct dma_layer *layer,
				     struct scatterlist *sg, int nents,
				     enum dma_data_direction dir)
{
	kt_note_layer(layer, KT_OP(sync_sg_for_cpu),
		      KT_ARGS(KT_PTR(sg), nents, dir));
	dma_below_sync_sg_for_cpu(layer, sg, nents, dir);
}

static void kt_layer_sync_sg_for_device(struct dma_layer *layer,
					struct scatterlist *sg, int nents,
					enum dma_data_direction dir)
{
	kt_note_layer(layer, KT_OP(sync_sg_for_device),
		      KT_ARGS(KT_PTR(sg), nents, dir));
	dma_below_sync_sg_for_device(layer, sg, nents, dir);
}

static int kt_layer_dma_supported(struct dma_layer *layer, u64 mask)
{
	kt_note_layer(layer, KT_OP(dma_supported), KT_ARGS(mask));
	return dma_below_dma_supported(layer, mask);
}

static u64 kt_layer_get_required_mask(struct dma_layer *layer)
{
	kt_note_layer(layer, KT_OP(get_required_mask), KT_ARGS(0));
	return dma_below_get_required_mask(layer);
}

static size_t kt_layer_max_mapping_size(struct dma_layer *layer)
{
	kt_note_layer(layer, KT_OP(max_mapping_size), KT_ARGS(0));
	return dma_below_max_mapping_size(layer);
}

static size_t kt_layer_opt_mapping_size(struct dma_layer *layer)
{
	kt_note_layer(layer, KT_OP(opt_mapping_size), KT_ARGS(0));
	return dma_below_opt_mapping_size(layer);
}

static unsigned long kt_layer_get_merge_boundary(struct dma_layer *layer)
{
	kt_note_layer(layer, KT_OP(get_merge_boundary), KT_ARGS(0));
	return dma_below_get_merge_boundary(layer);
}

static const struct dma_layer_ops kt_layer_ops = {
	.alloc			= kt_layer_alloc,
	.free			= kt_layer_free,
	.alloc_pages_op		= kt_layer_alloc_pages,
	.free_pages		= kt_layer_free_pages,
	.alloc_noncontiguous	= kt_layer_alloc_noncontiguous,
	.free_noncontiguous	= kt_layer_free_noncontiguous,
	.mmap			= kt_layer_mmap,
	.get_sgtable		= kt_layer_get_sgtable,
	.map_phys		= kt_layer_map_phys,
	.unmap_phys		= kt_layer_unmap_phys,
	.map_sg			= kt_layer_map_sg,
	.unmap_sg		= kt_layer_unmap_sg,
	.sync_single_for_cpu	= kt_layer_sync_single_for_cpu,
	.sync_single_for_device	= kt_layer_sync_single_for_device,
	.sync_sg_for_cpu	= kt_layer_sync_sg_for_cpu,
	.sync_sg_for_device	= kt_layer_sync_sg_for_device,
	.dma_supported		= kt_layer_dma_supported,
	.get_required_mask	= kt_layer_get_required_mask,
	.max_mapping_size	= kt_layer_max_mapping_size,
	.opt_mapping_size	= kt_layer_opt_mapping_size,
	.get_merge_boundary	= kt_layer_get_merge_boundary,
};

static bool kt_layer_has(const struct kt_layer *kl, unsigned int op)
{
	return ((void * const *)&kl->ops)[op];
}

static int kt_layer_attach(struct dma_layer *layer)
{
	struct kt_layer *kl = kt_layer_of(layer);

	if (kl->attach_ret)
		return kl->attach_ret;
	layer->priv = kl;
	atomic_inc(&kl->attached);
	return 0;
}

static void kt_layer_detach(struct dma_layer *layer)
{
	struct kt_layer *kl = kt_layer_of(layer);

	/* A layer that was never attached does not count. */
	if (layer->priv == kl)
		atomic_inc(&kl->detached);
}

static ssize_t kt_knob_show(struct device *dev, struct device_attribute *attr,
			    char *buf)
{
	return sysfs_emit(buf, "%s\n", dev_name(dev));
}

static struct device_attribute dev_attr_kt_knob =
	__ATTR(knob, 0444, kt_knob_show, NULL);

static struct attribute *kt_layer_attrs[] = {
	&dev_attr_kt_knob.attr,
	NULL
};

static void kt_layer_init(struct kt_layer *kl, unsigned int nr)
{
	snprintf(kl->name, sizeof(kl->name), "kt%u", nr);
	kl->ops = kt_layer_ops;
	kl->type.name = kl->name;
	kl->type.ops = &kl->ops;
	kl->type.attach = kt_layer_attach;
	kl->type.detach = kt_layer_detach;
	kl->type.groups = kl->groups;
	kl->group.name = kl->name;
	kl->group.attrs = kt_layer_attrs;
}

static void kt_layer_forget(void *data)
{
	struct kt_layer *kl = data;

	if (kl->known)
		dma_layer_unregister(&kl->type);
	kl->known = false;
}

static void kt_layer_register(struct kunit *test, struct kt_layer *kl)
{
	KUNIT_ASSERT_EQ(test, dma_layer_register(&kl->type), 0);
	kl->known = true;
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, kt_layer_forget,
							kl), 0);
}

/* Layers kt0, kt1 and so on; none is registered yet. */
static struct kt_layer *kt_layers_alloc(struct kunit *test)
{
	struct kt_layer *layers = kunit_kcalloc(test, KT_LAYERS,
						sizeof(*layers), GFP_KERNEL);
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, layers);
	for (i = 0; i < KT_LAYERS; i++)
		kt_layer_init(&layers[i], i);
	return layers;
}

/* The same, all but the last one registered. */
static struct kt_layer *kt_layers(struct kunit *test)
{
	struct kt_layer *layers = kt_layers_alloc(test);
	unsigned int i;

	for (i = 0; i < KT_LAYERS - 1; i++)
		kt_layer_register(test, &layers[i]);
	return layers;
}

static int kt_layer_on(const struct kt_layer *kl)
{
	return atomic_read(&kl->attached) - atomic_read(&kl->detached);
}

/*
 * Devices and drivers
 */

static void kt_dev_del(void *data)
{
	struct kt_dev *kd = data;

	platform_device_unregister(kd->pdev);
}

static int kt_dev_probe(struct platform_device *pdev)
{
	struct kt_dev *kd = kt_dev_of(&pdev->dev);

	if (kd->in_probe)
		kd->in_probe(kd);
	return kd->probe_ret;
}

static struct platform_device *kt_pdev_alloc(struct kt_dev *kd)
{
	struct platform_device *pdev;

	/* With a colon, as in the names of PCI devices. */
	snprintf(kd->name, sizeof(kd->name), KT_NAME ":%d",
		 atomic_inc_return(&kt_serial));
	pdev = platform_device_alloc(kd->name, PLATFORM_DEVID_NONE);
	if (pdev && platform_device_add_data(pdev, &kd, sizeof(kd))) {
		platform_device_put(pdev);
		return NULL;
	}
	return pdev;
}

static struct kt_dev *kt_dev_alloc(struct kunit *test)
{
	struct kt_dev *kd = kunit_kzalloc(test, sizeof(*kd), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, kd);
	kd->test = test;
	kd->buf = kunit_kmalloc(test, 2 * PAGE_SIZE, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, kd->buf);
	sg_init_table(kd->sg, 2);
	sg_set_buf(&kd->sg[0], kd->buf, 256);
	sg_set_buf(&kd->sg[1], kd->buf + PAGE_SIZE, 512);
	kd->pdev = kt_pdev_alloc(kd);
	KUNIT_ASSERT_NOT_NULL(test, kd->pdev);
	kd->dev = &kd->pdev->dev;
	*kd->dev->dma_mask = DMA_BIT_MASK(64);
	kd->dev->coherent_dma_mask = DMA_BIT_MASK(64);
	kd->drv.probe = kt_dev_probe;
	kd->drv.driver.name = kd->name;
	kd->drv.driver.probe_type = PROBE_FORCE_SYNCHRONOUS;
	return kd;
}

static void kt_dev_add(struct kt_dev *kd)
{
	int ret = platform_device_add(kd->pdev);

	if (ret)
		platform_device_put(kd->pdev);
	KUNIT_ASSERT_EQ(kd->test, ret, 0);
	KUNIT_ASSERT_EQ(kd->test,
			kunit_add_action_or_reset(kd->test, kt_dev_del, kd),
			0);
}

/* The device goes away before the test ends. */
static void kt_dev_remove(struct kt_dev *kd)
{
	kunit_release_action(kd->test, kt_dev_del, kd);
}

static struct kt_dev *kt_dev(struct kunit *test)
{
	struct kt_dev *kd = kt_dev_alloc(test);

	kt_dev_add(kd);
	KUNIT_ASSERT_NOT_NULL(test, kd->dev->archdata.dma_path);
	return kd;
}

static void kt_driver_del(void *data)
{
	struct kt_dev *kd = data;

	platform_driver_unregister(&kd->drv);
}

static void kt_bind(struct kt_dev *kd)
{
	struct kunit *test = kd->test;

	KUNIT_ASSERT_EQ(test, platform_driver_register(&kd->drv), 0);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, kt_driver_del,
							kd), 0);
	KUNIT_ASSERT_PTR_EQ(test, kd->dev->driver, &kd->drv.driver);
}

static void kt_unbind(struct kt_dev *kd)
{
	kunit_release_action(kd->test, kt_driver_del, kd);
	KUNIT_ASSERT_NULL(kd->test, kd->dev->driver);
}

static int kt_push(struct kt_dev *kd, const char *name)
{
	guard(device)(kd->dev);
	return dma_layer_push(kd->dev, name);
}

static int kt_pop(struct kt_dev *kd)
{
	guard(device)(kd->dev);
	return dma_layer_pop(kd->dev);
}

static int kt_set(struct kt_dev *kd, const char *spec)
{
	guard(device)(kd->dev);
	return dma_layers_set(kd->dev, spec);
}

static void kt_expect_layers(struct kt_dev *kd, const char *layers)
{
	struct dma_path *path = kd->dev->archdata.dma_path;
	char buf[DMA_LAYERS_MAX * DMA_LAYER_NAME_MAX];

	scoped_guard(mutex, &dma_path_mutex)
		dma_layers_print(path, buf, sizeof(buf));
	KUNIT_EXPECT_STREQ(kd->test, buf, layers);
}

/* The address that a mapping gets tells who served it. */
static dma_addr_t kt_map(struct kt_dev *kd)
{
	dma_addr_t addr = dma_map_single(kd->dev, kd->buf, 64, KT_DIR);

	if (dma_mapping_error(kd->dev, addr))
		return DMA_MAPPING_ERROR;
	dma_unmap_single(kd->dev, addr, 64, KT_DIR);
	return addr;
}

static dma_addr_t kt_direct_addr(struct kt_dev *kd)
{
	return phys_to_dma(kd->dev, virt_to_phys(kd->buf));
}

static void kt_expect_direct(struct kt_dev *kd)
{
	KUNIT_EXPECT_EQ(kd->test, kt_map(kd), kt_direct_addr(kd));
	KUNIT_EXPECT_STREQ(kd->test,
			   dma_path_kind(kd->dev->archdata.dma_path),
			   "direct");
}

#define KT_EXPECT_MAP(kd, addr)						\
do {									\
	struct kt_dev *_kd = (kd);					\
									\
	KUNIT_EXPECT_EQ(_kd->test, kt_map(_kd), (addr));		\
} while (0)

/*
 * What the DMA API is asked, and what ought to come of it
 */

static void kt_want(struct kt_dev *kd, unsigned int op, bool layers, bool base,
		    const u64 *arg)
{
	struct kt_want *want;

	KUNIT_ASSERT_LT(kd->test, kd->wants, KT_LOG);
	want = &kd->want[kd->wants++];
	want->op = op;
	want->layers = layers;
	want->base = base;
	memcpy(want->arg, arg, sizeof(want->arg));
}

/* Both the layers and the base see the same call. */
#define KT_WANT(kd, member, ...) \
	kt_want(kd, KT_OP(member), true, true, KT_ARGS(__VA_ARGS__))

static void kt_result(struct kt_dev *kd, u64 result)
{
	KUNIT_ASSERT_LT(kd->test, kd->results, KT_RESULTS);
	kd->result[kd->results++] = result;
}

static void kt_clear(struct kt_dev *kd)
{
	kd->events = 0;
	kd->wants = 0;
	kd->results = 0;
}

static void kt_play_single(struct kt_dev *kd)
{
	phys_addr_t phys = virt_to_phys(kd->buf) + 0x40;
	struct device *dev = kd->dev;
	dma_addr_t addr;

	addr = dma_map_phys(dev, phys, 0x180, KT_DIR, KT_ATTRS);
	KT_WANT(kd, map_phys, phys, 0x180, KT_DIR, KT_ATTRS);
	kt_result(kd, addr);
	if (dma_mapping_error(dev, addr))
		return;
	dma_sync_single_for_cpu(dev, addr + 16, 0x20, KT_DIR);
	KT_WANT(kd, sync_single_for_cpu, addr + 16, 0x20, KT_DIR);
	dma_sync_single_for_device(dev, addr + 32, 0x40, KT_DIR);
	KT_WANT(kd, sync_single_for_device, addr + 32, 0x40, KT_DIR);
	dma_unmap_phys(dev, addr, 0x180, KT_DIR, KT_ATTRS);
	KT_WANT(kd, unmap_phys, addr, 0x180, KT_DIR, KT_ATTRS);
}

static void kt_play_sg(struct kt_dev *kd)
{
	struct device *dev = kd->dev;
	int n;

	n = dma_map_sg_attrs(dev, kd->sg, 2, KT_DIR, KT_ATTRS);
	KT_WANT(kd, map_sg, KT_PTR(kd->sg), 2, KT_DIR, KT_ATTRS);
	kt_result(kd, n);
	if (n <= 0)
		return;
	kt_result(kd, sg_dma_address(&kd->sg[0]));
	kt_result(kd, sg_dma_address(&kd->sg[1]));
	kt_result(kd, sg_dma_len(&kd->sg[1]));
	dma_sync_sg_for_cpu(dev, kd->sg, 2, KT_DIR);
	KT_WANT(kd, sync_sg_for_cpu, KT_PTR(kd->sg), 2, KT_DIR);
	dma_sync_sg_for_device(dev, kd->sg, 2, KT_DIR);
	KT_WANT(kd, sync_sg_for_device, KT_PTR(kd->sg), 2, KT_DIR);
	dma_unmap_sg_attrs(dev, kd->sg, 2, KT_DIR, KT_ATTRS);
	KT_WANT(kd, unmap_sg, KT_PTR(kd->sg), 2, KT_DIR, KT_ATTRS);
}

/* The address of memory that direct mapping allocates varies. */
static void kt_play_coherent(struct kt_dev *kd)
{
	struct device *dev = kd->dev;
	struct vm_area_struct *vma = (void *)kd->buf;
	struct sg_table sgt = { };
	dma_addr_t handle = 0;
	void *vaddr;

	vaddr = dma_alloc_attrs(dev, 64, &handle, GFP_KERNEL, KT_ATTRS);
	KT_WANT(kd, alloc, 64, KT_PTR(&handle), KT_GFP, KT_ATTRS);
	kt_result(kd, !!vaddr);
	kt_result(kd, dma_can_mmap(dev));
	if (!vaddr)
		return;
	if (vaddr == kd->buf) {
		kt_result(kd, dma_mmap_attrs(dev, vma, vaddr, handle, 64,
					     KT_ATTRS));
		KT_WANT(kd, mmap, KT_PTR(vma), KT_PTR(vaddr), handle, 64,
			KT_ATTRS);
	}
	kt_result(kd, dma_get_sgtable_attrs(dev, &sgt, vaddr, handle, 64,
					    KT_ATTRS));
	KT_WANT(kd, get_sgtable, KT_PTR(&sgt), KT_PTR(vaddr), handle, 64,
		KT_ATTRS);
	sg_free_table(&sgt);
	dma_free_attrs(dev, 64, vaddr, handle, KT_ATTRS);
	KT_WANT(kd, free, 64, KT_PTR(vaddr), handle, KT_ATTRS);
}

static void kt_play_pages(struct kt_dev *kd)
{
	struct device *dev = kd->dev;
	dma_addr_t handle = 0;
	struct page *page;

	page = dma_alloc_pages(dev, PAGE_SIZE, &handle, KT_DIR, GFP_KERNEL);
	KT_WANT(kd, alloc_pages_op, PAGE_SIZE, KT_PTR(&handle), KT_DIR,
		KT_GFP);
	kt_result(kd, !!page);
	if (!page)
		return;
	dma_free_pages(dev, PAGE_SIZE, page, handle, KT_DIR);
	KT_WANT(kd, free_pages, PAGE_SIZE, KT_PTR(page), handle, KT_DIR);
}

/* Below the layers these are contiguous pages, of whole pages in size. */
static void kt_play_noncontiguous(struct kt_dev *kd)
{
	const size_t size = PAGE_SIZE - 100;
	struct device *dev = kd->dev;
	struct scatterlist *sg;
	struct sg_table *sgt;

	sgt = dma_alloc_noncontiguous(dev, size, KT_DIR, GFP_KERNEL, 0);
	kt_want(kd, KT_OP(alloc_noncontiguous), true, false,
		KT_ARGS(size, KT_DIR, KT_GFP, 0));
	kt_result(kd, !!sgt);
	if (!sgt) {
		kt_want(kd, KT_OP(alloc_pages_op), false, true, KT_ARGS(0));
		return;
	}
	sg = sgt->sgl;
	kt_want(kd, KT_OP(alloc_pages_op), false, true,
		KT_ARGS(PAGE_SIZE, KT_PTR(&sg->dma_address), KT_DIR,
			KT_GFP));
	kt_result(kd, sgt->nents);
	kt_result(kd, sg_dma_len(sg));
	kt_result(kd, dma_vmap_noncontiguous(dev, size, sgt) ==
		  page_address(sg_page(sg)));
	kt_want(kd, KT_OP(free_noncontiguous), true, false,
		KT_ARGS(size, KT_PTR(sgt), KT_DIR));
	kt_want(kd, KT_OP(free_pages), false, true,
		KT_ARGS(PAGE_SIZE, KT_PTR(sg_page(sg)), sg_dma_address(sg),
			KT_DIR));
	dma_free_noncontiguous(dev, size, sgt, KT_DIR);
}

/* Memory shared with the hypervisor: only direct mapping takes it. */
static void kt_play_shared(struct kt_dev *kd)
{
	phys_addr_t phys = virt_to_phys(kd->buf);
	struct device *dev = kd->dev;
	dma_addr_t addr;

	addr = dma_map_phys(dev, phys, 64, KT_DIR, DMA_ATTR_CC_SHARED);
	kt_want(kd, KT_OP(map_phys), true, false,
		KT_ARGS(phys, 64, KT_DIR, DMA_ATTR_CC_SHARED));
	kt_result(kd, addr);
	if (!dma_mapping_error(dev, addr))
		dma_unmap_phys(dev, addr, 64, KT_DIR, DMA_ATTR_CC_SHARED);
}

static void kt_play_limits(struct kt_dev *kd)
{
	struct device *dev = kd->dev;

	kt_result(kd, dma_set_mask(dev, DMA_BIT_MASK(10)));
	KT_WANT(kd, dma_supported, DMA_BIT_MASK(10));
	kt_result(kd, dma_set_mask_and_coherent(dev, DMA_BIT_MASK(64)));
	KT_WANT(kd, dma_supported, DMA_BIT_MASK(64));
	KT_WANT(kd, dma_supported, DMA_BIT_MASK(64));
	kt_result(kd, dma_get_required_mask(dev));
	KT_WANT(kd, get_required_mask, 0);
	kt_result(kd, dma_max_mapping_size(dev));
	KT_WANT(kd, max_mapping_size, 0);
	kt_result(kd, dma_opt_mapping_size(dev));
	KT_WANT(kd, opt_mapping_size, 0);
	KT_WANT(kd, max_mapping_size, 0);
	kt_result(kd, dma_get_merge_boundary(dev));
	KT_WANT(kd, get_merge_boundary, 0);
}

static void kt_play_limited(struct kt_dev *kd)
{
	*kd->dev->dma_mask = DMA_BIT_MASK(24);
	kt_result(kd, dma_addressing_limited(kd->dev));
	*kd->dev->dma_mask = DMA_BIT_MASK(64);
	kt_result(kd, dma_addressing_limited(kd->dev));
	KT_WANT(kd, get_required_mask, 0);
	KT_WANT(kd, get_required_mask, 0);
}

static void (* const kt_plays[])(struct kt_dev *kd) = {
	kt_play_single,
	kt_play_sg,
	kt_play_coherent,
	kt_play_pages,
	kt_play_noncontiguous,
	kt_play_shared,
	kt_play_limits,
	kt_play_limited,
};

static void kt_expect_event(struct kt_dev *kd, unsigned int nr,
			    const struct kt_layer *layer,
			    const struct kt_want *want)
{
	const char *who = layer ? layer->name : "base";
	const char *op = kt_op_names[want->op];
	const struct kt_event *event = &kd->log[nr];
	unsigned int i;

	KUNIT_ASSERT_LT_MSG(kd->test, nr, kd->events, "%s of %s missing", op,
			    who);
	KUNIT_ASSERT_PTR_EQ_MSG(kd->test, event->layer, layer,
				"call %u should be %s of %s", nr, op, who);
	KUNIT_ASSERT_STREQ(kd->test, kt_op_names[event->op], op);
	for (i = 0; i < KT_NARGS; i++)
		KUNIT_EXPECT_EQ_MSG(kd->test, event->arg[i], want->arg[i],
				    "argument %u of %s of %s", i, op, who);
}

/* Each call went through the layers, top to bottom, to the base. */
static void kt_expect_calls(struct kt_dev *kd, struct kt_layer **stack,
			    unsigned int depth)
{
	unsigned int w, l, nr = 0;

	for (w = 0; w < kd->wants; w++) {
		const struct kt_want *want = &kd->want[w];

		for (l = depth; want->layers && l--;) {
			if (kt_layer_has(stack[l], want->op))
				kt_expect_event(kd, nr++, stack[l], want);
		}
		if (want->base)
			kt_expect_event(kd, nr++, NULL, want);
	}
	KUNIT_EXPECT_EQ(kd->test, nr, kd->events);
}

/* Layers that leave something out; all forward what they have. */
static void kt_layer_thin(struct kt_layer *kl, unsigned int keep_modulo_2)
{
	void **op = (void **)&kl->ops;
	unsigned int i;

	for (i = 0; i < KT_OPS; i++) {
		if (i % 2 != keep_modulo_2)
			op[i] = NULL;
	}
}

static void kt_push_all(struct kt_dev *kd, struct kt_layer **stack,
			unsigned int depth)
{
	unsigned int i;

	for (i = 0; i < depth; i++)
		KUNIT_ASSERT_EQ(kd->test, kt_push(kd, stack[i]->name), 0);
}

static void kt_play_and_expect(struct kt_dev *kd, struct kt_layer **stack,
			       unsigned int depth)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(kt_plays); i++) {
		kt_clear(kd);
		kt_plays[i](kd);
		kt_expect_calls(kd, stack, depth);
	}
}

static const unsigned int kt_depths[] = { 0, 1, 2, 3, 4, DMA_LAYERS_MAX };

static void kt_depth_desc(const unsigned int *depth, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "depth %u", *depth);
}

KUNIT_ARRAY_PARAM(kt_depth, kt_depths, kt_depth_desc);

static void stack_forwards_every_operation(struct kunit *test)
{
	const unsigned int depth = *(const unsigned int *)test->param_value;
	struct kt_layer *stack[KT_LAYERS], *layers = kt_layers(test);
	struct kt_dev *kd = kt_dev(test);
	unsigned int i;

	for (i = 0; i < depth; i++)
		stack[i] = &layers[i];
	set_dma_ops(kd->dev, &kt_base_ops);
	kt_push_all(kd, stack, depth);
	kt_play_and_expect(kd, stack, depth);
}

static void stack_passes_layers_without_the_operation(struct kunit *test)
{
	struct kt_layer *stack[4], *layers = kt_layers(test);
	struct kt_dev *kd = kt_dev(test);
	unsigned int i;

	/* Every other one, the rest, nothing at all, everything. */
	for (i = 0; i < ARRAY_SIZE(stack); i++)
		stack[i] = &layers[i];
	kt_layer_thin(stack[0], 0);
	kt_layer_thin(stack[1], 1);
	kt_layer_thin(stack[2], 2);
	set_dma_ops(kd->dev, &kt_base_ops);
	kt_push_all(kd, stack, ARRAY_SIZE(stack));
	kt_play_and_expect(kd, stack, ARRAY_SIZE(stack));
}

/* One play of a device: results, and calls that reached the base. */
struct kt_trail {
	u64 result[KT_RESULTS];
	unsigned int results;
	unsigned int base[KT_LOG];
	unsigned int calls;
};

static void kt_follow(struct kt_dev *kd, void (*play)(struct kt_dev *kd),
		      struct kt_trail *trail)
{
	unsigned int i;

	memset(trail, 0, sizeof(*trail));
	kt_clear(kd);
	play(kd);
	trail->results = kd->results;
	memcpy(trail->result, kd->result, sizeof(kd->result));
	for (i = 0; i < kd->events; i++) {
		if (!kd->log[i].layer)
			trail->base[trail->calls++] = kd->log[i].op;
	}
}

/* A stack changes nothing that the driver or the base can see. */
static void kt_expect_same(struct kt_dev *kd, const struct dma_map_ops *base,
			   const char *what)
{
	struct kunit *test = kd->test;
	struct kt_trail *with, *without;
	unsigned int i, r;

	with = kunit_kzalloc(test, sizeof(*with), GFP_KERNEL);
	without = kunit_kzalloc(test, sizeof(*without), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, with);
	KUNIT_ASSERT_NOT_NULL(test, without);

	set_dma_ops(kd->dev, base);
	for (i = 0; i < ARRAY_SIZE(kt_plays); i++) {
		kt_follow(kd, kt_plays[i], without);
		KUNIT_ASSERT_EQ(test, kt_set(kd, "kt0+kt1"), 0);
		kt_follow(kd, kt_plays[i], with);
		KUNIT_ASSERT_EQ(test, kt_set(kd, "none"), 0);

		KUNIT_ASSERT_EQ(test, with->results, without->results);
		for (r = 0; r < with->results; r++)
			KUNIT_EXPECT_EQ_MSG(test, with->result[r],
					    without->result[r],
					    "%s: play %u, result %u", what, i,
					    r);
		KUNIT_EXPECT_EQ_MSG(test, with->calls, without->calls,
				    "%s: play %u", what, i);
		KUNIT_EXPECT_MEMEQ(test, with->base, without->base,
				   sizeof(with->base));
	}
	kunit_kfree(test, with);
	kunit_kfree(test, without);
}

static void stack_is_as_its_base(struct kunit *test)
{
	void **slot = kunit_kzalloc(test, sizeof(kt_base_ops), GFP_KERNEL);
	struct kt_dev *kd;
	unsigned int i;
	char what[24];

	KUNIT_ASSERT_NOT_NULL(test, slot);
	kt_layers(test);
	kd = kt_dev(test);
	kt_expect_same(kd, &kt_base_ops, "all members");
	for (i = 0; i < KT_SLOTS; i++) {
		/* The DMA API needs this one. */
		if (i == KT_SLOT(map_sg))
			continue;
		snprintf(what, sizeof(what), "no member %u", i);
		memcpy(slot, &kt_base_ops, sizeof(kt_base_ops));
		slot[i] = NULL;
		kt_expect_same(kd, (void *)slot, what);
	}
	kt_expect_same(kd, &kt_bare_ops, "no members");
	set_dma_ops(kd->dev, NULL);
}

static void stack_is_as_direct_mapping(struct kunit *test)
{
	struct kt_dev *kd;

	kt_layers(test);
	kd = kt_dev(test);
	if (!dma_path_is_direct(kd->dev->archdata.dma_path))
		kunit_skip(test, "platform devices are not mapped directly");
	kt_expect_same(kd, NULL, "direct");
}

static void stack_map_helpers_reach_layers(struct kunit *test)
{
	struct kt_layer *layers = kt_layers(test);
	struct kt_layer *stack[] = { &layers[0] };
	struct kt_dev *kd = kt_dev(test);
	phys_addr_t phys = virt_to_phys(kd->buf);
	dma_addr_t addr;

	set_dma_ops(kd->dev, &kt_base_ops);
	kt_push_all(kd, stack, 1);
	kt_clear(kd);
	addr = dma_map_page(kd->dev, virt_to_page(kd->buf), 8, 24, KT_DIR);
	KUNIT_EXPECT_FALSE(test, dma_mapping_error(kd->dev, addr));
	KT_WANT(kd, map_phys, phys + 8, 24, KT_DIR, 0);
	dma_unmap_page(kd->dev, addr, 24, KT_DIR);
	KT_WANT(kd, unmap_phys, addr, 24, KT_DIR, 0);
	/* No memory is there. */
	phys = BIT_ULL(45);
	addr = dma_map_resource(kd->dev, phys, 64, KT_DIR, 0);
	KUNIT_EXPECT_FALSE(test, dma_mapping_error(kd->dev, addr));
	KT_WANT(kd, map_phys, phys, 64, KT_DIR, DMA_ATTR_MMIO);
	dma_unmap_resource(kd->dev, addr, 64, KT_DIR, 0);
	KT_WANT(kd, unmap_phys, addr, 64, KT_DIR, DMA_ATTR_MMIO);
	kt_expect_calls(kd, stack, 1);
}

static void stack_declines_iova(struct kunit *test)
{
	struct dma_iova_state state = { };
	struct kt_dev *kd;

	kt_layers(test);
	kd = kt_dev(test);
	KUNIT_ASSERT_EQ(test, kt_set(kd, "kt0+kt1"), 0);
	KUNIT_EXPECT_FALSE(test, dma_iova_try_alloc(kd->dev, &state,
						    virt_to_phys(kd->buf),
						    PAGE_SIZE));
	KUNIT_EXPECT_FALSE(test, dma_use_iova(&state));
	KUNIT_EXPECT_FALSE(test, dma_pci_p2pdma_supported(kd->dev));
}

static void stack_sees_syncs_whatever_was_before(struct kunit *test)
{
	struct kt_layer *layers = kt_layers(test);
	struct kt_layer *stack[] = { &layers[0] };
	struct kt_dev *kd = kt_dev(test);

	/* A former driver ran without a need for syncs. */
	set_dma_ops(kd->dev, &kt_own_ops);
	KUNIT_ASSERT_EQ(test, dma_set_mask(kd->dev, DMA_BIT_MASK(64)), 0);

	kt_push_all(kd, stack, 1);
	set_dma_ops(kd->dev, &kt_base_ops);
	kt_clear(kd);
	kt_play_single(kd);
	kt_expect_calls(kd, stack, 1);
}

static int kt_layer_refuse_sg(struct dma_layer *layer, struct scatterlist *sg,
			      int nents, enum dma_data_direction dir,
			      unsigned long attrs)
{
	return -ENOMEM;
}

static dma_addr_t kt_layer_refuse_phys(struct dma_layer *layer,
				       phys_addr_t phys, size_t size,
				       enum dma_data_direction dir,
				       unsigned long attrs)
{
	return DMA_MAPPING_ERROR;
}

static void stack_layer_may_refuse(struct kunit *test)
{
	struct kt_layer *layers = kt_layers_alloc(test);
	struct sg_table sgt;
	struct kt_dev *kd;

	layers[1].ops.map_phys = kt_layer_refuse_phys;
	layers[1].ops.map_sg = kt_layer_refuse_sg;
	kt_layer_register(test, &layers[0]);
	kt_layer_register(test, &layers[1]);
	kd = kt_dev(test);
	set_dma_ops(kd->dev, &kt_base_ops);
	KUNIT_ASSERT_EQ(test, kt_set(kd, "kt0+kt1"), 0);

	kt_clear(kd);
	KT_EXPECT_MAP(kd, DMA_MAPPING_ERROR);
	sgt.sgl = kd->sg;
	sgt.orig_nents = 2;
	KUNIT_EXPECT_EQ(test, dma_map_sgtable(kd->dev, &sgt, KT_DIR, 0),
			-ENOMEM);
	/* Nothing below the one that refused was asked. */
	KUNIT_EXPECT_EQ(test, kd->events, 0);
}

/* An unbound device that an IOMMU serves, if the machine has one. */
static struct device *kt_find_iommu_device(void)
{
	struct dma_path *path;

	guard(mutex)(&dma_path_mutex);
	list_for_each_entry(path, &dma_paths, node) {
		if (path->base_iommu && !path->depth && !path->dev->driver &&
		    path->dev->dma_mask && !kt_is_ours(path->dev))
			return get_device(path->dev);
	}
	return NULL;
}

static void kt_iommu_map(struct kunit *test, struct device *dev, void *buf)
{
	struct iommu_domain *domain = iommu_get_domain_for_dev(dev);
	phys_addr_t phys = virt_to_phys(buf);
	dma_addr_t addr;

	KUNIT_EXPECT_FALSE(test, use_dma_iommu(dev));
	KUNIT_EXPECT_TRUE(test, dma_ends_in_iommu(dev));
	addr = dma_map_single(dev, buf, PAGE_SIZE, KT_DIR);
	if (dma_mapping_error(dev, addr)) {
		KUNIT_FAIL(test, "not mapped");
		return;
	}
	KUNIT_EXPECT_EQ(test, iommu_iova_to_phys(domain, addr), phys);
	dma_unmap_single(dev, addr, PAGE_SIZE, KT_DIR);
	KUNIT_EXPECT_EQ(test, iommu_iova_to_phys(domain, addr), 0);
}

KUNIT_DEFINE_ACTION_WRAPPER(kt_put_device, put_device, struct device *);

/* This layer is put on a device that is not ours: it must not record. */
static void stack_ends_in_iommu(struct kunit *test)
{
	struct kt_layer *layers = kt_layers_alloc(test);
	struct device *dev = kt_find_iommu_device();
	void *buf;

	if (!dev)
		kunit_skip(test, "no unbound device behind an IOMMU");
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, kt_put_device,
							dev), 0);
	buf = kunit_kzalloc(test, PAGE_SIZE, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, buf);
	kt_layer_thin(&layers[0], 2);
	kt_layer_register(test, &layers[0]);

	device_lock(dev);
	if (!dev->driver && !dma_layer_push(dev, "kt0")) {
		kt_iommu_map(test, dev, buf);
		KUNIT_EXPECT_EQ(test, dma_layer_pop(dev), 0);
		KUNIT_EXPECT_TRUE(test, use_dma_iommu(dev));
		KUNIT_EXPECT_NULL(test, dev->dma_ops);
	} else {
		KUNIT_FAIL(test, "no layer on %s", dev_name(dev));
	}
	device_unlock(dev);
}

static struct kunit_case kt_stack_cases[] = {
	KUNIT_CASE_PARAM(stack_forwards_every_operation, kt_depth_gen_params),
	KUNIT_CASE(stack_passes_layers_without_the_operation),
	KUNIT_CASE(stack_is_as_its_base),
	KUNIT_CASE(stack_is_as_direct_mapping),
	KUNIT_CASE(stack_map_helpers_reach_layers),
	KUNIT_CASE(stack_declines_iova),
	KUNIT_CASE(stack_sees_syncs_whatever_was_before),
	KUNIT_CASE(stack_layer_may_refuse),
	KUNIT_CASE(stack_ends_in_iommu),
	{ }
};

static struct kunit_suite kt_stack_suite = {
	.name = "dma-stack",
	.test_cases = kt_stack_cases,
};

/*
 * Back ends
 */

/**
 * struct kt_backend - takes devices of these tests, and no others
 * @be: as registered
 * @ops: what it chooses for them, or NULL
 * @ret: what probe() returns for them
 * @probes: how many it was asked about
 * @removes: how many it let go
 * @taken: how many it has now
 * @asked: completed by probe()
 * @known: registered
 */
struct kt_backend {
	struct dma_backend be;
	const struct dma_map_ops *ops;
	int ret;
	atomic_t probes;
	atomic_t removes;
	atomic_t taken;
	struct completion asked;
	bool known;
};

/* Back ends are told the device only, so they are found by its taker. */
static struct kt_backend *kt_backends[3];

static int kt_backend_probe(struct kt_backend *kb, struct device *dev)
{
	if (!kt_is_ours(dev))
		return -ENODEV;
	atomic_inc(&kb->probes);
	if (kb->ops)
		dma_backend_set_ops(dev, kb->ops);
	if (!kb->ret)
		atomic_inc(&kb->taken);
	complete(&kb->asked);
	return kb->ret;
}

static void kt_backend_remove(struct kt_backend *kb, struct device *dev)
{
	atomic_inc(&kb->removes);
	atomic_dec(&kb->taken);
	/* What a back end does here must not hurt its successor. */
	dma_backend_set_ops(dev, NULL);
}

static int kt_probe_0(struct device *dev)
{
	return kt_backend_probe(kt_backends[0], dev);
}

static void kt_remove_0(struct device *dev)
{
	kt_backend_remove(kt_backends[0], dev);
}

static int kt_probe_1(struct device *dev)
{
	return kt_backend_probe(kt_backends[1], dev);
}

static void kt_remove_1(struct device *dev)
{
	kt_backend_remove(kt_backends[1], dev);
}

static int kt_probe_2(struct device *dev)
{
	return kt_backend_probe(kt_backends[2], dev);
}

static void kt_remove_2(struct device *dev)
{
	kt_backend_remove(kt_backends[2], dev);
}

static const struct dma_backend kt_backend_init[] = {
	{ .name = "kt-a", .probe = kt_probe_0, .remove = kt_remove_0 },
	{ .name = "kt-b", .probe = kt_probe_1, .remove = kt_remove_1 },
	{ .name = "kt-c", .probe = kt_probe_2, .remove = kt_remove_2 },
};

/* Back ends kt-a, kt-b, kt-c; none is registered yet. */
static struct kt_backend *kt_backends_alloc(struct kunit *test)
{
	unsigned int n = ARRAY_SIZE(kt_backend_init), i;
	struct kt_backend *kb = kunit_kcalloc(test, n, sizeof(*kb),
					      GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, kb);
	for (i = 0; i < n; i++) {
		kb[i].be = kt_backend_init[i];
		kb[i].ops = &kt_be_ops;
		init_completion(&kb[i].asked);
		kt_backends[i] = &kb[i];
	}
	return kb;
}

static void kt_backend_forget(void *data)
{
	struct kt_backend *kb = data;

	if (kb->known && !dma_backend_unregister(&kb->be))
		kb->known = false;
}

static void kt_backend_register(struct kunit *test, struct kt_backend *kb)
{
	KUNIT_ASSERT_EQ(test, dma_backend_register(&kb->be), 0);
	kb->known = true;
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test,
							kt_backend_forget,
							kb), 0);
}

static void kt_expect_backend(struct kt_dev *kd, const char *name)
{
	struct dma_path *path = kd->dev->archdata.dma_path;
	struct dma_backend *backend;

	scoped_guard(mutex, &dma_path_mutex)
		backend = path->backend;
	KUNIT_EXPECT_STREQ(kd->test, backend ? backend->name : "none", name);
}

static const unsigned int kt_orders[][3] = {
	{ 0, 1, 2 }, { 0, 2, 1 }, { 1, 0, 2 },
	{ 1, 2, 0 }, { 2, 0, 1 }, { 2, 1, 0 },
};

static void kt_order_desc(const unsigned int (*order)[3], char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%u %u %u", (*order)[0],
		 (*order)[1], (*order)[2]);
}

KUNIT_ARRAY_PARAM(kt_order, kt_orders, kt_order_desc);

/* kt-b has the highest priority, kt-c comes last. */
static void kt_register_in_order(struct kunit *test, struct kt_backend *kb)
{
	const unsigned int (*order)[3] = test->param_value;
	unsigned int i;

	kb[0].be.priority = 5;
	kb[1].be.priority = 10;
	kb[2].be.priority = -3;
	for (i = 0; i < 3; i++)
		kt_backend_register(test, &kb[(*order)[i]]);
}

static void backend_order_for_later_device(struct kunit *test)
{
	struct kt_backend *kb = kt_backends_alloc(test);
	struct kt_dev *kd;

	kt_register_in_order(test, kb);
	kd = kt_dev(test);
	kt_expect_backend(kd, "kt-b");
	KUNIT_EXPECT_EQ(test, atomic_read(&kb[1].probes), 1);
	KUNIT_EXPECT_EQ(test, atomic_read(&kb[0].probes), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&kb[2].probes), 0);
}

static void backend_order_for_earlier_device(struct kunit *test)
{
	struct kt_backend *kb = kt_backends_alloc(test);
	struct kt_dev *kd = kt_dev(test);
	unsigned int i;

	kt_register_in_order(test, kb);
	kt_expect_backend(kd, "kt-b");
	for (i = 0; i < 3; i++) {
		KUNIT_EXPECT_LE(test, atomic_read(&kb[i].probes), 1);
		KUNIT_EXPECT_EQ(test, atomic_read(&kb[i].taken), i == 1);
	}
}

static void backend_order_of_refusals(struct kunit *test)
{
	struct kt_backend *kb = kt_backends_alloc(test);
	struct kt_dev *kd;

	/* The first has made its choice before it fails. */
	kb[1].ret = -EIO;
	kb[1].ops = &kt_no_ops;
	kb[0].ret = -ENODEV;
	kt_register_in_order(test, kb);
	kd = kt_dev(test);
	kt_expect_backend(kd, "kt-c");
	KT_EXPECT_MAP(kd, KT_HANDLE_BE);
	KUNIT_EXPECT_EQ(test, atomic_read(&kb[0].probes), 1);
	KUNIT_EXPECT_EQ(test, atomic_read(&kb[1].probes), 1);
}

static void backend_names_decide_between_equals(struct kunit *test)
{
	struct kt_backend *kb = kt_backends_alloc(test);
	struct kt_dev *kd;

	kt_backend_register(test, &kb[2]);
	kt_backend_register(test, &kb[0]);
	kt_backend_register(test, &kb[1]);
	kd = kt_dev(test);
	kt_expect_backend(kd, "kt-a");
}

static void backend_failure_leaves_no_ops(struct kunit *test)
{
	struct kt_backend *kb = kt_backends_alloc(test);
	struct kt_dev *kd = kt_dev(test);

	kb[0].ret = -EIO;
	kt_backend_register(test, &kb[0]);
	KUNIT_EXPECT_EQ(test, atomic_read(&kb[0].probes), 1);
	kt_expect_backend(kd, "none");
	KUNIT_EXPECT_NULL(test, kd->dev->archdata.dma_ops);
	KUNIT_EXPECT_NULL(test, kd->dev->dma_ops);
}

static void backend_is_asked_once(struct kunit *test)
{
	struct kt_backend *kb = kt_backends_alloc(test);
	struct kt_dev *kd = kt_dev(test);

	kb[0].ret = -ENODEV;
	kt_backend_register(test, &kb[0]);
	kb[1].ret = -ENODEV;
	kt_backend_register(test, &kb[1]);
	kt_bind(kd);
	kt_unbind(kd);
	KUNIT_EXPECT_EQ(test, atomic_read(&kb[0].probes), 1);
	KUNIT_EXPECT_EQ(test, atomic_read(&kb[1].probes), 1);
}

static void backend_waits_for_unbind(struct kunit *test)
{
	struct kt_backend *kb = kt_backends_alloc(test);
	struct kt_dev *kd = kt_dev(test);

	kt_bind(kd);
	kt_backend_register(test, &kb[0]);
	KUNIT_EXPECT_EQ(test, atomic_read(&kb[0].probes), 0);
	kt_expect_backend(kd, "none");
	kt_unbind(kd);
	KUNIT_EXPECT_EQ(test, atomic_read(&kb[0].probes), 1);
	kt_expect_backend(kd, "kt-a");
	KT_EXPECT_MAP(kd, KT_HANDLE_BE);
}

/* A driver that registers a back end in its probe function, for example. */
static void backend_registers_under_device_lock(struct kunit *test)
{
	struct kt_backend *kb = kt_backends_alloc(test);
	struct kt_dev *kd = kt_dev(test);

	device_lock(kd->dev);
	kt_backend_register(test, &kb[0]);
	KUNIT_EXPECT_EQ(test, atomic_read(&kb[0].probes), 0);
	device_unlock(kd->dev);
	/* A work item does it; the limit is for kernels where none does. */
	KUNIT_EXPECT_GT(test, wait_for_completion_timeout(&kb[0].asked,
							  30 * HZ), 0);
	kt_expect_backend(kd, "kt-a");
}

static void backend_is_kept_while_bound(struct kunit *test)
{
	struct kt_backend *kb = kt_backends_alloc(test);
	struct kt_dev *kd = kt_dev(test);

	kt_backend_register(test, &kb[0]);
	kt_bind(kd);
	KUNIT_EXPECT_EQ(test, dma_backend_unregister(&kb[0].be), -EBUSY);
	kt_expect_backend(kd, "kt-a");
	KT_EXPECT_MAP(kd, KT_HANDLE_BE);
	KUNIT_EXPECT_EQ(test, atomic_read(&kb[0].removes), 0);
	/* Registered as before: its name is taken. */
	KUNIT_EXPECT_EQ(test, dma_backend_register(&kb[0].be), -EEXIST);
	kt_unbind(kd);
	KUNIT_EXPECT_EQ(test, dma_backend_unregister(&kb[0].be), 0);
	kb[0].known = false;
	kt_expect_backend(kd, "none");
	KUNIT_EXPECT_EQ(test, atomic_read(&kb[0].removes), 1);
	KUNIT_EXPECT_NULL(test, kd->dev->dma_ops);
}

/* One of two devices is bound: the other one comes back. */
static void backend_gets_back_what_it_let_go(struct kunit *test)
{
	struct kt_backend *kb = kt_backends_alloc(test);
	struct kt_dev *free = kt_dev(test), *bound = kt_dev(test);

	kb[0].be.priority = 10;
	kt_backend_register(test, &kb[0]);
	kt_backend_register(test, &kb[1]);
	kt_bind(bound);
	KUNIT_EXPECT_EQ(test, dma_backend_unregister(&kb[0].be), -EBUSY);
	kt_expect_backend(bound, "kt-a");
	kt_expect_backend(free, "kt-a");
	KT_EXPECT_MAP(free, KT_HANDLE_BE);
	KUNIT_EXPECT_EQ(test, atomic_read(&kb[0].taken), 2);
	KUNIT_EXPECT_EQ(test, atomic_read(&kb[1].taken), 0);
}

static void backend_leaves_to_the_next(struct kunit *test)
{
	struct kt_backend *kb = kt_backends_alloc(test);
	struct kt_dev *kd = kt_dev(test);

	kb[0].be.priority = 10;
	kb[0].ops = &kt_own_ops;
	kt_backend_register(test, &kb[0]);
	kt_backend_register(test, &kb[1]);
	KT_EXPECT_MAP(kd, KT_HANDLE_OWN);
	KUNIT_EXPECT_EQ(test, dma_backend_unregister(&kb[0].be), 0);
	kb[0].known = false;
	kt_expect_backend(kd, "kt-b");
	KT_EXPECT_MAP(kd, KT_HANDLE_BE);
}

static void backend_takes_over(struct kunit *test)
{
	struct kt_backend *kb = kt_backends_alloc(test);
	struct kt_dev *kd = kt_dev(test);

	kb[0].ops = &kt_no_ops;
	kt_backend_register(test, &kb[0]);
	KT_EXPECT_MAP(kd, DMA_MAPPING_ERROR);
	kb[1].be.priority = 1;
	kt_backend_register(test, &kb[1]);
	kt_expect_backend(kd, "kt-b");
	KT_EXPECT_MAP(kd, KT_HANDLE_BE);
	KUNIT_EXPECT_EQ(test, atomic_read(&kb[0].removes), 1);
	KUNIT_EXPECT_EQ(test, atomic_read(&kb[0].taken), 0);
	/* Of lower priority: not even asked. */
	kb[2].be.priority = -1;
	kt_backend_register(test, &kb[2]);
	KUNIT_EXPECT_EQ(test, atomic_read(&kb[2].probes), 0);
	kt_expect_backend(kd, "kt-b");
}

/* The taker is served through the IOMMU API, so it chooses no operations. */
static void backend_without_ops_takes_over(struct kunit *test)
{
	struct kt_backend *kb = kt_backends_alloc(test);
	struct kt_dev *kd = kt_dev(test);

	kt_backend_register(test, &kb[0]);
	KT_EXPECT_MAP(kd, KT_HANDLE_BE);
	kb[1].be.priority = 1;
	kb[1].ops = NULL;
	kt_backend_register(test, &kb[1]);
	kt_expect_backend(kd, "kt-b");
	KUNIT_EXPECT_NULL(test, kd->dev->archdata.dma_ops);
	KUNIT_EXPECT_NULL(test, kd->dev->dma_ops);
}

static void backend_that_fails_takes_nothing_over(struct kunit *test)
{
	struct kt_backend *kb = kt_backends_alloc(test);
	struct kt_dev *kd = kt_dev(test);

	kt_backend_register(test, &kb[0]);
	kb[1].be.priority = 1;
	kb[1].ret = -ENOMEM;
	kb[1].ops = &kt_no_ops;
	kt_backend_register(test, &kb[1]);
	KUNIT_EXPECT_EQ(test, atomic_read(&kb[1].probes), 1);
	kt_expect_backend(kd, "kt-a");
	KT_EXPECT_MAP(kd, KT_HANDLE_BE);
	KUNIT_EXPECT_EQ(test, atomic_read(&kb[0].removes), 0);
}

static void backend_sees_devices_come_and_go(struct kunit *test)
{
	struct kt_backend *kb = kt_backends_alloc(test);
	struct kt_dev *kd;

	kt_backend_register(test, &kb[0]);
	kd = kt_dev(test);
	KUNIT_EXPECT_EQ(test, atomic_read(&kb[0].taken), 1);
	kt_dev_remove(kd);
	KUNIT_EXPECT_EQ(test, atomic_read(&kb[0].removes), 1);
	KUNIT_EXPECT_EQ(test, atomic_read(&kb[0].taken), 0);
	kt_dev(test);
	KUNIT_EXPECT_EQ(test, atomic_read(&kb[0].taken), 1);
}

/* A device of another bus can do no DMA. */
static void backend_is_not_asked_without_dma(struct kunit *test)
{
	struct device_driver *drv;
	struct device *dev;

	drv = kunit_driver_create(test, KT_NAME);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, drv);
	dev = kunit_device_register_with_driver(test, KT_NAME "-none", drv);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dev);
	KUNIT_EXPECT_NULL(test, dev->archdata.dma_path);
	device_release_driver(dev);
	guard(device)(dev);
	KUNIT_EXPECT_EQ(test, dma_layer_push(dev, "kt0"), -ENODEV);
	KUNIT_EXPECT_EQ(test, dma_layer_pop(dev), -ENODEV);
	KUNIT_EXPECT_EQ(test, dma_layers_set(dev, "none"), -ENODEV);
	KUNIT_EXPECT_NULL(test, dma_layer_get(dev, NULL));
}

static void backend_must_be_complete(struct kunit *test)
{
	struct kt_backend *kb = kt_backends_alloc(test);

	kb[0].be.name = NULL;
	KUNIT_EXPECT_EQ(test, dma_backend_register(&kb[0].be), -EINVAL);
	kb[0].be.name = "";
	KUNIT_EXPECT_EQ(test, dma_backend_register(&kb[0].be), -EINVAL);
	kb[1].be.probe = NULL;
	KUNIT_EXPECT_EQ(test, dma_backend_register(&kb[1].be), -EINVAL);
	kb[2].be.remove = NULL;
	kt_backend_register(test, &kb[2]);
	kt_dev_remove(kt_dev(test));
	kb[0].be.name = kb[2].be.name;
	KUNIT_EXPECT_EQ(test, dma_backend_register(&kb[0].be), -EEXIST);
}

#ifdef CONFIG_MODULE_UNLOAD
/* Enough of a module for try_module_get() and module_put(). */
static struct module *kt_module(struct kunit *test)
{
	struct module *mod = kunit_kzalloc(test, sizeof(*mod), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, mod);
	mod->state = MODULE_STATE_LIVE;
	atomic_set(&mod->refcnt, 1);
	strscpy(mod->name, KT_NAME);
	return mod;
}

static void kt_expect_users(struct kunit *test, struct module *mod, int users)
{
	KUNIT_EXPECT_EQ(test, atomic_read(&mod->refcnt), users + 1);
}
#else
static struct module *kt_module(struct kunit *test)
{
	kunit_skip(test, "needs CONFIG_MODULE_UNLOAD");
}

static void kt_expect_users(struct kunit *test, struct module *mod, int users)
{
}
#endif

static void backend_module_stays_while_bound(struct kunit *test)
{
	struct module *mod = kt_module(test);
	struct kt_backend *kb = kt_backends_alloc(test);
	struct kt_dev *kd;

	kb[0].be.owner = mod;
	kt_backend_register(test, &kb[0]);
	kd = kt_dev(test);
	kt_expect_users(test, mod, 0);
	kt_bind(kd);
	kt_expect_users(test, mod, 1);
	kt_unbind(kd);
	kt_expect_users(test, mod, 0);

	/* A driver that fails lets go, too. */
	kd->probe_ret = -ENODEV;
	KUNIT_EXPECT_EQ(test, platform_driver_register(&kd->drv), 0);
	KUNIT_EXPECT_NULL(test, kd->dev->driver);
	platform_driver_unregister(&kd->drv);
	kt_expect_users(test, mod, 0);
}

/* Its module is on the way out when a driver comes. */
static void backend_that_goes_is_not_used(struct kunit *test)
{
	struct module *mod = kt_module(test);
	struct kt_backend *kb = kt_backends_alloc(test);
	struct kt_dev *kd;

	kb[0].be.owner = mod;
	kb[0].be.priority = 1;
	kb[0].ops = &kt_no_ops;
	kt_backend_register(test, &kb[0]);
	kt_backend_register(test, &kb[1]);
	kd = kt_dev(test);
	kt_expect_backend(kd, "kt-a");
	mod->state = MODULE_STATE_GOING;
	kt_bind(kd);
	kt_expect_users(test, mod, 0);
	kt_expect_backend(kd, "kt-b");
	KT_EXPECT_MAP(kd, KT_HANDLE_BE);
	KUNIT_EXPECT_EQ(test, atomic_read(&kb[0].taken), 0);
	KUNIT_EXPECT_EQ(test, dma_backend_unregister(&kb[0].be), 0);
	kb[0].known = false;
}

static struct kunit_case kt_backend_cases[] = {
	KUNIT_CASE_PARAM(backend_order_for_later_device, kt_order_gen_params),
	KUNIT_CASE_PARAM(backend_order_for_earlier_device,
			 kt_order_gen_params),
	KUNIT_CASE_PARAM(backend_order_of_refusals, kt_order_gen_params),
	KUNIT_CASE(backend_names_decide_between_equals),
	KUNIT_CASE(backend_failure_leaves_no_ops),
	KUNIT_CASE(backend_is_asked_once),
	KUNIT_CASE(backend_waits_for_unbind),
	KUNIT_CASE(backend_registers_under_device_lock),
	KUNIT_CASE(backend_is_kept_while_bound),
	KUNIT_CASE(backend_gets_back_what_it_let_go),
	KUNIT_CASE(backend_leaves_to_the_next),
	KUNIT_CASE(backend_takes_over),
	KUNIT_CASE(backend_without_ops_takes_over),
	KUNIT_CASE(backend_that_fails_takes_nothing_over),
	KUNIT_CASE(backend_sees_devices_come_and_go),
	KUNIT_CASE(backend_is_not_asked_without_dma),
	KUNIT_CASE(backend_must_be_complete),
	KUNIT_CASE(backend_module_stays_while_bound),
	KUNIT_CASE(backend_that_goes_is_not_used),
	{ }
};

static struct kunit_suite kt_backend_suite = {
	.name = "dma-backend",
	.test_cases = kt_backend_cases,
};

/*
 * Whose operations serve a device
 */

static void lookup_falls_through(struct kunit *test)
{
	struct kt_backend *kb = kt_backends_alloc(test);
	struct kt_dev *kd = kt_dev(test);

	if (!dma_path_is_direct(kd->dev->archdata.dma_path))
		kunit_skip(test, "platform devices are not mapped directly");
	kt_expect_direct(kd);
	kt_backend_register(test, &kb[0]);
	KT_EXPECT_MAP(kd, KT_HANDLE_BE);
	set_dma_ops(kd->dev, &kt_own_ops);
	KT_EXPECT_MAP(kd, KT_HANDLE_OWN);
	KUNIT_EXPECT_STREQ(test, dma_path_kind(kd->dev->archdata.dma_path),
			   "ops");
	set_dma_ops(kd->dev, NULL);
	KT_EXPECT_MAP(kd, KT_HANDLE_BE);
	KUNIT_ASSERT_EQ(test, dma_backend_unregister(&kb[0].be), 0);
	kb[0].known = false;
	kt_expect_direct(kd);
}

static void lookup_is_the_same_below_layers(struct kunit *test)
{
	struct kt_backend *kb = kt_backends_alloc(test);
	struct kt_dev *kd;

	kt_layers(test);
	kd = kt_dev(test);
	if (!dma_path_is_direct(kd->dev->archdata.dma_path))
		kunit_skip(test, "platform devices are not mapped directly");
	KUNIT_ASSERT_EQ(test, kt_set(kd, "kt0+kt1"), 0);
	kt_expect_direct(kd);
	kt_backend_register(test, &kb[0]);
	KT_EXPECT_MAP(kd, KT_HANDLE_BE);
	set_dma_ops(kd->dev, &kt_own_ops);
	KT_EXPECT_MAP(kd, KT_HANDLE_OWN);
	KUNIT_EXPECT_PTR_EQ(test, get_dma_ops(kd->dev), &dma_stack_ops);
	KUNIT_EXPECT_EQ(test, kt_pop(kd), 0);
	KT_EXPECT_MAP(kd, KT_HANDLE_OWN);
	set_dma_ops(kd->dev, NULL);
	KT_EXPECT_MAP(kd, KT_HANDLE_BE);
	KUNIT_EXPECT_EQ(test, kt_pop(kd), 0);
	KT_EXPECT_MAP(kd, KT_HANDLE_BE);
	KUNIT_EXPECT_PTR_EQ(test, kd->dev->dma_ops, &kt_be_ops);
	KUNIT_ASSERT_EQ(test, dma_backend_unregister(&kb[0].be), 0);
	kb[0].known = false;
	kt_expect_direct(kd);
	KUNIT_EXPECT_NULL(test, kd->dev->dma_ops);
}

/* As a bus does that knows what serves its devices. */
static void lookup_keeps_ops_set_before_device_add(struct kunit *test)
{
	struct kt_dev *kd = kt_dev_alloc(test);

	kt_layers(test);
	set_dma_ops(kd->dev, &kt_own_ops);
	kt_dev_add(kd);
	KT_EXPECT_MAP(kd, KT_HANDLE_OWN);
	KUNIT_ASSERT_EQ(test, kt_set(kd, "kt0"), 0);
	KT_EXPECT_MAP(kd, KT_HANDLE_OWN);
	KUNIT_ASSERT_EQ(test, kt_set(kd, "none"), 0);
	KUNIT_EXPECT_PTR_EQ(test, kd->dev->dma_ops, &kt_own_ops);
	get_device(kd->dev);
	kt_dev_remove(kd);
	KUNIT_EXPECT_PTR_EQ(test, kd->dev->dma_ops, &kt_own_ops);
	KUNIT_EXPECT_NULL(test, kd->dev->archdata.dma_path);
	put_device(kd->dev);
}

/* As a parent's operations are given to a child. */
static void lookup_hands_on_no_stack(struct kunit *test)
{
	struct kt_dev *parent, *child;

	kt_layers(test);
	parent = kt_dev(test);
	child = kt_dev(test);
	KUNIT_ASSERT_EQ(test, kt_set(parent, "kt0+kt1"), 0);
	if (dma_path_is_direct(parent->dev->archdata.dma_path))
		KUNIT_EXPECT_NULL(test, dma_unlayered_ops(parent->dev));
	set_dma_ops(parent->dev, &kt_own_ops);
	KUNIT_EXPECT_PTR_EQ(test, dma_unlayered_ops(parent->dev),
			    &kt_own_ops);
	set_dma_ops(child->dev, dma_unlayered_ops(parent->dev));
	KT_EXPECT_MAP(child, KT_HANDLE_OWN);
	kunit_warning_suppress(test)
		set_dma_ops(child->dev, get_dma_ops(parent->dev));
	KT_EXPECT_MAP(child, KT_HANDLE_OWN);
}

static void kt_set_ops_in_probe(struct kt_dev *kd)
{
	set_dma_ops(kd->dev, &kt_own_ops);
}

static void lookup_survives_rebind(struct kunit *test)
{
	struct kt_backend *kb = kt_backends_alloc(test);
	struct kt_dev *kd;

	kt_layers(test);
	kt_backend_register(test, &kb[0]);
	kd = kt_dev(test);
	KUNIT_ASSERT_EQ(test, kt_set(kd, "kt0+kt1"), 0);
	kt_bind(kd);
	kt_expect_layers(kd, "kt0+kt1");
	KT_EXPECT_MAP(kd, KT_HANDLE_BE);
	kt_unbind(kd);
	kt_expect_layers(kd, "kt0+kt1");
	kt_expect_backend(kd, "kt-a");
	kd->in_probe = kt_set_ops_in_probe;
	kt_bind(kd);
	KT_EXPECT_MAP(kd, KT_HANDLE_OWN);
	kt_expect_layers(kd, "kt0+kt1");
	KUNIT_EXPECT_EQ(test, atomic_read(&kb[0].probes), 1);
}

/* Two back ends at once, and one has no room left. */
static void lookup_serves_each_device_by_its_own(struct kunit *test)
{
	struct kt_dev *a = kt_dev(test), *b = kt_dev(test), *c = kt_dev(test);
	struct dma_path *path;

	scoped_guard(mutex, &dma_path_mutex) {
		dma_backend_set_ops(a->dev, &kt_be_ops);
		dma_backend_set_ops(b->dev, &kt_no_ops);
	}
	KT_EXPECT_MAP(a, KT_HANDLE_BE);
	KT_EXPECT_MAP(b, DMA_MAPPING_ERROR);
	KUNIT_EXPECT_EQ(test, dma_mapping_error(b->dev, DMA_MAPPING_ERROR),
			-ENOMEM);
	KUNIT_EXPECT_EQ(test, dma_mapping_error(a->dev, KT_HANDLE_BE), 0);
	path = c->dev->archdata.dma_path;
	if (dma_path_is_direct(path))
		kt_expect_direct(c);
	KUNIT_EXPECT_NULL(test, c->dev->archdata.dma_ops);
}

/* Whatever the order of the two, the layers stay on top of iommu-dma. */
static void lookup_follows_the_iommu(struct kunit *test)
{
	struct dma_path *path;
	struct kt_dev *kd;

	if (!IS_ENABLED(CONFIG_IOMMU_DMA))
		kunit_skip(test, "needs CONFIG_IOMMU_DMA");
	kt_layers(test);
	kd = kt_dev(test);
	path = kd->dev->archdata.dma_path;
	dma_path_set_iommu(kd->dev, true);
	KUNIT_EXPECT_TRUE(test, use_dma_iommu(kd->dev));
	KUNIT_EXPECT_STREQ(test, dma_path_kind(path), "iommu");
	KUNIT_ASSERT_EQ(test, kt_set(kd, "kt0"), 0);
	KUNIT_EXPECT_FALSE(test, use_dma_iommu(kd->dev));
	KUNIT_EXPECT_TRUE(test, dma_ends_in_iommu(kd->dev));
	KUNIT_EXPECT_PTR_EQ(test, path->base, &dma_base_iommu_ops);
	dma_path_set_iommu(kd->dev, false);
	KUNIT_EXPECT_FALSE(test, dma_ends_in_iommu(kd->dev));
	KUNIT_EXPECT_PTR_NE(test, path->base, &dma_base_iommu_ops);
	dma_path_set_iommu(kd->dev, true);
	KUNIT_ASSERT_EQ(test, kt_set(kd, "none"), 0);
	KUNIT_EXPECT_TRUE(test, use_dma_iommu(kd->dev));
	dma_path_set_iommu(kd->dev, false);
	KUNIT_EXPECT_FALSE(test, use_dma_iommu(kd->dev));
}

#if defined(CONFIG_X86_64) && !defined(CONFIG_UML)
/* Other devices are mapped as before, our own can be told apart. */
static dma_addr_t kt_arch_map_phys(struct device *dev, phys_addr_t phys,
				   size_t size, enum dma_data_direction dir,
				   unsigned long attrs)
{
	if (kt_is_ours(dev))
		return KT_HANDLE_ARCH;
	return dma_base_direct_ops.map_phys(dev, phys, size, dir, attrs);
}

static void kt_arch_unmap_phys(struct device *dev, dma_addr_t addr,
			       size_t size, enum dma_data_direction dir,
			       unsigned long attrs)
{
	if (!kt_is_ours(dev))
		dma_base_direct_ops.unmap_phys(dev, addr, size, dir, attrs);
}

static void kt_arch_reset(void *unused)
{
	WRITE_ONCE(dma_ops, NULL);
}

/* Nothing else may run meanwhile that is served by another dma_ops. */
static void kt_arch_set(struct kunit *test)
{
	void **slot = kunit_kmalloc(test, sizeof(dma_base_direct_ops),
				    GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, slot);
	if (dma_ops)
		kunit_skip(test, "the machine has system-wide operations");
	memcpy(slot, &dma_base_direct_ops, sizeof(dma_base_direct_ops));
	slot[KT_SLOT(map_phys)] = kt_arch_map_phys;
	slot[KT_SLOT(unmap_phys)] = kt_arch_unmap_phys;
	WRITE_ONCE(dma_ops, (void *)slot);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, kt_arch_reset,
							NULL), 0);
}
#else
static void kt_arch_set(struct kunit *test)
{
	kunit_skip(test, "no system-wide operations on this architecture");
}
#endif

static void lookup_comes_to_the_architecture_last(struct kunit *test)
{
	struct kt_backend *kb = kt_backends_alloc(test);
	struct kt_dev *kd;

	kt_layers(test);
	kd = kt_dev(test);
	kt_arch_set(test);
	KT_EXPECT_MAP(kd, KT_HANDLE_ARCH);
	KUNIT_EXPECT_STREQ(test, dma_path_kind(kd->dev->archdata.dma_path),
			   "ops");
	KUNIT_ASSERT_EQ(test, kt_set(kd, "kt0"), 0);
	KT_EXPECT_MAP(kd, KT_HANDLE_ARCH);
	kt_backend_register(test, &kb[0]);
	KT_EXPECT_MAP(kd, KT_HANDLE_BE);
	KUNIT_ASSERT_EQ(test, dma_backend_unregister(&kb[0].be), 0);
	kb[0].known = false;
	KT_EXPECT_MAP(kd, KT_HANDLE_ARCH);
}

/* They may come after the device, and after its layers. */
static void lookup_finds_a_late_architecture(struct kunit *test)
{
	struct kt_dev *kd;

	kt_layers(test);
	kd = kt_dev(test);
	KUNIT_ASSERT_EQ(test, kt_set(kd, "kt0"), 0);
	kt_arch_set(test);
	kt_bind(kd);
	KT_EXPECT_MAP(kd, KT_HANDLE_ARCH);
}

static struct kunit_case kt_lookup_cases[] = {
	KUNIT_CASE(lookup_falls_through),
	KUNIT_CASE(lookup_is_the_same_below_layers),
	KUNIT_CASE(lookup_keeps_ops_set_before_device_add),
	KUNIT_CASE(lookup_hands_on_no_stack),
	KUNIT_CASE(lookup_survives_rebind),
	KUNIT_CASE(lookup_serves_each_device_by_its_own),
	KUNIT_CASE(lookup_follows_the_iommu),
	KUNIT_CASE(lookup_comes_to_the_architecture_last),
	KUNIT_CASE(lookup_finds_a_late_architecture),
	{ }
};

static struct kunit_suite kt_lookup_suite = {
	.name = "dma-lookup",
	.test_cases = kt_lookup_cases,
};

/*
 * Pushing and popping
 */

static void push_and_pop_in_order(struct kunit *test)
{
	struct kt_layer *layers = kt_layers(test);
	struct kt_dev *kd = kt_dev(test);
	struct dma_layer *layer;

	KUNIT_EXPECT_EQ(test, kt_push(kd, "kt0"), 0);
	KUNIT_EXPECT_EQ(test, kt_push(kd, "kt1"), 0);
	kt_expect_layers(kd, "kt0+kt1");
	layer = dma_layer_get(kd->dev, &layers[1].type);
	KUNIT_ASSERT_NOT_NULL(test, layer);
	KUNIT_EXPECT_PTR_EQ(test, layer->dev, kd->dev);
	KUNIT_EXPECT_PTR_EQ(test, layer->below,
			    dma_layer_get(kd->dev, &layers[0].type));
	KUNIT_EXPECT_NULL(test, layer->below->below);
	KUNIT_EXPECT_NULL(test, dma_layer_get(kd->dev, &layers[2].type));
	KUNIT_EXPECT_EQ(test, kt_pop(kd), 0);
	kt_expect_layers(kd, "kt0");
	KUNIT_EXPECT_EQ(test, kt_layer_on(&layers[0]), 1);
	KUNIT_EXPECT_EQ(test, kt_layer_on(&layers[1]), 0);
	KUNIT_EXPECT_EQ(test, kt_pop(kd), 0);
	kt_expect_layers(kd, "none");
	KUNIT_EXPECT_EQ(test, kt_pop(kd), -ENOENT);
	KUNIT_EXPECT_EQ(test, kt_layer_on(&layers[0]), 0);
}

static void push_refuses_bad_names(struct kunit *test)
{
	struct kt_layer *layers = kt_layers(test);
	struct kt_dev *kd = kt_dev(test);

	KUNIT_EXPECT_EQ(test, kt_push(kd, "kt0"), 0);
	KUNIT_EXPECT_EQ(test, kt_push(kd, "kt0"), -EEXIST);
	KUNIT_EXPECT_EQ(test, kt_push(kd, "kt8"), -ENOENT);
	KUNIT_EXPECT_EQ(test, kt_push(kd, ""), -ENOENT);
	KUNIT_EXPECT_EQ(test, kt_push(kd, "none"), -ENOENT);
	kt_expect_layers(kd, "kt0");
	KUNIT_EXPECT_EQ(test, atomic_read(&layers[0].attached), 1);
}

static void push_stops_at_the_limit(struct kunit *test)
{
	struct kt_layer *layers = kt_layers(test);
	struct kt_dev *kd;
	unsigned int i;

	kt_layer_register(test, &layers[DMA_LAYERS_MAX]);
	kd = kt_dev(test);
	for (i = 0; i < DMA_LAYERS_MAX; i++)
		KUNIT_ASSERT_EQ(test, kt_push(kd, layers[i].name), 0);
	KUNIT_EXPECT_EQ(test, kt_push(kd, layers[i].name), -ENOSPC);
	KUNIT_EXPECT_EQ(test, kt_layer_on(&layers[i]), 0);
	KUNIT_EXPECT_EQ(test, kt_set(kd, "none"), 0);
	KUNIT_EXPECT_EQ(test, kt_push(kd, layers[i].name), 0);
}

static void kt_change_layers_in_probe(struct kt_dev *kd)
{
	struct kunit *test = kd->test;

	/* The driver core holds the device lock. */
	KUNIT_EXPECT_EQ(test, dma_layer_push(kd->dev, "kt1"), -EBUSY);
	KUNIT_EXPECT_EQ(test, dma_layer_pop(kd->dev), -EBUSY);
}

static void push_needs_an_unbound_device(struct kunit *test)
{
	struct kt_layer *layers = kt_layers(test);
	struct kt_dev *kd = kt_dev(test);

	KUNIT_EXPECT_EQ(test, kt_push(kd, "kt0"), 0);
	kd->in_probe = kt_change_layers_in_probe;
	kt_bind(kd);
	KUNIT_EXPECT_EQ(test, kt_push(kd, "kt1"), -EBUSY);
	KUNIT_EXPECT_EQ(test, kt_pop(kd), -EBUSY);
	KUNIT_EXPECT_EQ(test, kt_set(kd, "none"), -EBUSY);
	KUNIT_EXPECT_EQ(test, kt_set(kd, "kt0"), -EBUSY);
	kt_expect_layers(kd, "kt0");
	KUNIT_EXPECT_EQ(test, kt_layer_on(&layers[1]), 0);
	kt_unbind(kd);
	KUNIT_EXPECT_EQ(test, kt_push(kd, "kt1"), 0);
	KUNIT_EXPECT_EQ(test, kt_pop(kd), 0);
	KUNIT_EXPECT_EQ(test, kt_pop(kd), 0);
}

static void push_undone_when_attach_fails(struct kunit *test)
{
	struct kt_layer *layers = kt_layers(test);
	struct kt_dev *kd = kt_dev(test);

	set_dma_ops(kd->dev, &kt_own_ops);
	layers[0].attach_ret = -ENODATA;
	KUNIT_EXPECT_EQ(test, kt_push(kd, "kt0"), -ENODATA);
	kt_expect_layers(kd, "none");
	KUNIT_EXPECT_PTR_EQ(test, kd->dev->dma_ops, &kt_own_ops);
	KUNIT_EXPECT_EQ(test, atomic_read(&layers[0].detached), 0);
	layers[0].attach_ret = 0;
	KUNIT_EXPECT_EQ(test, kt_push(kd, "kt0"), 0);
}

static bool kt_has_group(struct kt_dev *kd, const char *name)
{
	struct kernfs_node *kn = sysfs_get_dirent(kd->dev->kobj.sd, name);

	if (!kn)
		return false;
	sysfs_put(kn);
	return true;
}

static void push_shows_the_groups_of_a_layer(struct kunit *test)
{
	struct kt_layer *layers = kt_layers_alloc(test);
	struct kt_dev *kd;

	layers[0].groups[0] = &layers[0].group;
	kt_layer_register(test, &layers[0]);
	kd = kt_dev(test);
	KUNIT_EXPECT_FALSE(test, kt_has_group(kd, "kt0"));
	KUNIT_ASSERT_EQ(test, kt_push(kd, "kt0"), 0);
	KUNIT_EXPECT_TRUE(test, kt_has_group(kd, "kt0"));
	kt_bind(kd);
	KUNIT_EXPECT_TRUE(test, kt_has_group(kd, "kt0"));
	kt_unbind(kd);
	KUNIT_ASSERT_EQ(test, kt_pop(kd), 0);
	KUNIT_EXPECT_FALSE(test, kt_has_group(kd, "kt0"));
}

static bool kt_has_debugfs(struct kt_dev *kd, const char *name)
{
	struct dma_path *path = kd->dev->archdata.dma_path;
	struct dentry *dentry;

	if (IS_ERR_OR_NULL(path->debugfs))
		return false;
	dentry = debugfs_lookup(name, path->debugfs);
	dput(dentry);
	return dentry;
}

static void push_makes_a_debugfs_directory(struct kunit *test)
{
	struct kt_layer *layers = kt_layers(test);
	struct kt_dev *kd = kt_dev(test);
	struct dma_layer *layer;

	if (!IS_ENABLED(CONFIG_DEBUG_FS))
		kunit_skip(test, "needs CONFIG_DEBUG_FS");
	KUNIT_EXPECT_TRUE(test, kt_has_debugfs(kd, "status"));
	KUNIT_ASSERT_EQ(test, kt_push(kd, "kt0"), 0);
	KUNIT_EXPECT_TRUE(test, kt_has_debugfs(kd, "kt0"));
	layer = dma_layer_get(kd->dev, &layers[0].type);
	KUNIT_EXPECT_NOT_ERR_OR_NULL(test, layer->debugfs);
	KUNIT_ASSERT_EQ(test, kt_pop(kd), 0);
	KUNIT_EXPECT_FALSE(test, kt_has_debugfs(kd, "kt0"));
	layers[0].attach_ret = -EIO;
	KUNIT_ASSERT_EQ(test, kt_push(kd, "kt0"), -EIO);
	KUNIT_EXPECT_FALSE(test, kt_has_debugfs(kd, "kt0"));
}

static void push_pins_the_module(struct kunit *test)
{
	struct module *mod = kt_module(test);
	struct kt_layer *layers = kt_layers_alloc(test);
	struct kt_dev *kd;

	layers[0].type.owner = mod;
	kt_layer_register(test, &layers[0]);
	kd = kt_dev(test);
	KUNIT_EXPECT_EQ(test, kt_push(kd, "kt0"), 0);
	kt_expect_users(test, mod, 1);
	KUNIT_EXPECT_EQ(test, kt_push(kd, "kt0"), -EEXIST);
	kt_expect_users(test, mod, 1);
	KUNIT_EXPECT_EQ(test, kt_pop(kd), 0);
	kt_expect_users(test, mod, 0);
	layers[0].attach_ret = -EIO;
	KUNIT_EXPECT_EQ(test, kt_push(kd, "kt0"), -EIO);
	kt_expect_users(test, mod, 0);
	layers[0].attach_ret = 0;
	mod->state = MODULE_STATE_GOING;
	KUNIT_EXPECT_EQ(test, kt_push(kd, "kt0"), -ENOENT);
	kt_expect_users(test, mod, 0);
}

/* With settings: each has a directory in sysfs and one in debugfs. */
static void push_is_undone_by_removal(struct kunit *test)
{
	struct kt_layer *layers = kt_layers_alloc(test);
	struct kt_dev *kd;
	unsigned int i;

	for (i = 0; i < 3; i++) {
		layers[i].groups[0] = &layers[i].group;
		kt_layer_register(test, &layers[i]);
	}
	kd = kt_dev(test);
	KUNIT_ASSERT_EQ(test, kt_set(kd, "kt0+kt1+kt2"), 0);
	get_device(kd->dev);
	kt_bind(kd);
	kt_dev_remove(kd);
	for (i = 0; i < 3; i++) {
		KUNIT_EXPECT_EQ(test, atomic_read(&layers[i].attached), 1);
		KUNIT_EXPECT_EQ(test, atomic_read(&layers[i].detached), 1);
	}
	KUNIT_EXPECT_NULL(test, kd->dev->dma_ops);
	KUNIT_EXPECT_NULL(test, kd->dev->archdata.dma_path);
	put_device(kd->dev);
}

static void push_outlives_no_type(struct kunit *test)
{
	struct kt_layer *layers = kt_layers(test);
	struct kt_dev *kd = kt_dev(test);

	KUNIT_ASSERT_EQ(test, kt_push(kd, "kt0"), 0);
	kunit_warning_suppress(test) {
		kt_layer_forget(&layers[1]);
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 0);
		kt_layer_forget(&layers[0]);
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 1);
	}
	KUNIT_EXPECT_EQ(test, kt_push(kd, "kt1"), -ENOENT);
	KUNIT_EXPECT_EQ(test, kt_pop(kd), 0);
}

static void set_keeps_what_is_there(struct kunit *test)
{
	struct kt_layer *layers = kt_layers(test);
	struct kt_dev *kd = kt_dev(test);
	struct dma_layer *bottom;

	KUNIT_EXPECT_EQ(test, kt_set(kd, "kt0+kt1+kt2"), 0);
	bottom = dma_layer_get(kd->dev, &layers[0].type);
	KUNIT_EXPECT_EQ(test, kt_set(kd, "kt0+kt1"), 0);
	kt_expect_layers(kd, "kt0+kt1");
	KUNIT_EXPECT_EQ(test, kt_set(kd, "kt0+kt3+kt1"), 0);
	kt_expect_layers(kd, "kt0+kt3+kt1");
	KUNIT_EXPECT_PTR_EQ(test, dma_layer_get(kd->dev, &layers[0].type),
			    bottom);
	KUNIT_EXPECT_EQ(test, atomic_read(&layers[0].attached), 1);
	KUNIT_EXPECT_EQ(test, atomic_read(&layers[1].attached), 2);
	KUNIT_EXPECT_EQ(test, atomic_read(&layers[2].attached), 1);
	KUNIT_EXPECT_EQ(test, kt_set(kd, "kt1+kt0"), 0);
	kt_expect_layers(kd, "kt1+kt0");
	KUNIT_EXPECT_EQ(test, kt_layer_on(&layers[3]), 0);
}

static void set_restores_after_failure(struct kunit *test)
{
	struct kt_layer *layers = kt_layers(test);
	struct kt_dev *kd = kt_dev(test);

	set_dma_ops(kd->dev, &kt_own_ops);
	layers[3].attach_ret = -EREMOTEIO;
	KUNIT_EXPECT_EQ(test, kt_set(kd, "kt2+kt3"), -EREMOTEIO);
	kt_expect_layers(kd, "none");
	KUNIT_EXPECT_PTR_EQ(test, kd->dev->dma_ops, &kt_own_ops);

	KUNIT_EXPECT_EQ(test, kt_set(kd, "kt0+kt1"), 0);
	KUNIT_EXPECT_EQ(test, kt_set(kd, "kt0+kt2+kt3"), -EREMOTEIO);
	kt_expect_layers(kd, "kt0+kt1");
	KUNIT_EXPECT_EQ(test, kt_set(kd, "kt4+kt3+kt1"), -EREMOTEIO);
	kt_expect_layers(kd, "kt0+kt1");
	KUNIT_EXPECT_EQ(test, kt_layer_on(&layers[2]), 0);
	KUNIT_EXPECT_EQ(test, kt_layer_on(&layers[4]), 0);
	KT_EXPECT_MAP(kd, KT_HANDLE_OWN);
}

/* A name that does not exist must not cost the others their settings. */
static void set_disturbs_nothing_for_a_bad_list(struct kunit *test)
{
	struct kt_layer *layers = kt_layers(test);
	struct kt_dev *kd = kt_dev(test);

	KUNIT_EXPECT_EQ(test, kt_set(kd, "kt0+kt1"), 0);
	KUNIT_EXPECT_EQ(test, kt_set(kd, "kt0+missing"), -ENOENT);
	KUNIT_EXPECT_EQ(test, kt_set(kd, "missing"), -ENOENT);
	KUNIT_EXPECT_EQ(test, kt_set(kd, "kt2+kt2"), -EEXIST);
	kt_expect_layers(kd, "kt0+kt1");
	KUNIT_EXPECT_EQ(test, atomic_read(&layers[0].attached), 1);
	KUNIT_EXPECT_EQ(test, atomic_read(&layers[1].attached), 1);
}

static struct kunit_case kt_push_cases[] = {
	KUNIT_CASE(push_and_pop_in_order),
	KUNIT_CASE(push_refuses_bad_names),
	KUNIT_CASE(push_stops_at_the_limit),
	KUNIT_CASE(push_needs_an_unbound_device),
	KUNIT_CASE(push_undone_when_attach_fails),
	KUNIT_CASE(push_shows_the_groups_of_a_layer),
	KUNIT_CASE(push_makes_a_debugfs_directory),
	KUNIT_CASE(push_pins_the_module),
	KUNIT_CASE(push_is_undone_by_removal),
	KUNIT_CASE(push_outlives_no_type),
	KUNIT_CASE(set_keeps_what_is_there),
	KUNIT_CASE(set_restores_after_failure),
	KUNIT_CASE(set_disturbs_nothing_for_a_bad_list),
	{ }
};

static struct kunit_suite kt_push_suite = {
	.name = "dma-layers",
	.test_cases = kt_push_cases,
};

/*
 * What people write
 */

struct kt_spec {
	const char *spec;
	int ret;
	const char *layers;
};

static const struct kt_spec kt_specs[] = {
	{ "none", 0, "none" },
	{ "none\n", 0, "none" },
	{ "kt0", 0, "kt0" },
	{ "kt0+kt1\n", 0, "kt0+kt1" },
	{ " kt1+kt0\t\n", 0, "kt1+kt0" },
	{ "kt7+kt6+kt5+kt4+kt3+kt2+kt1+kt0", 0,
	  "kt7+kt6+kt5+kt4+kt3+kt2+kt1+kt0" },
	{ "kt0+kt1+kt2+kt3+kt4+kt5+kt6+kt7+kt8", -ENOSPC },
	{ "", -EINVAL },
	{ "\n", -EINVAL },
	{ "+", -EINVAL },
	{ "kt0+", -EINVAL },
	{ "+kt0", -EINVAL },
	{ "kt0++kt1", -EINVAL },
	{ "kt0 + kt1", -EINVAL },
	{ "kt0,kt1", -EINVAL },
	{ "kt0+KT1", -EINVAL },
	{ "kt_0", -EINVAL },
	{ "kt0:", -EINVAL },
	{ "k\xc3\xa4t", -EINVAL },
	{ "../kt0", -EINVAL },
	{ "abcdefghijklmno", -ENOENT },
	{ "abcdefghijklmnop", -EINVAL },
	{ "none+kt0", -ENOENT },
	{ "kt0+none", -ENOENT },
	{ "kt8", -ENOENT },
	{ "kt0+kt0", -EEXIST },
	{ "kt0+kt1+kt0", -EEXIST },
};

static void kt_spec_desc(const struct kt_spec *spec, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%*pE", (int)strlen(spec->spec),
		 spec->spec);
}

KUNIT_ARRAY_PARAM(kt_spec, kt_specs, kt_spec_desc);

static void parse_list_of_layers(struct kunit *test)
{
	const struct kt_spec *spec = test->param_value;
	struct kt_layer *layers = kt_layers(test);
	struct kt_dev *kd = kt_dev(test);

	KUNIT_ASSERT_EQ(test, kt_set(kd, "kt2"), 0);
	KUNIT_EXPECT_EQ(test, kt_set(kd, spec->spec), spec->ret);
	kt_expect_layers(kd, spec->ret ? "kt2" : spec->layers);
	if (spec->ret == -EINVAL || spec->ret == -ENOSPC)
		KUNIT_EXPECT_EQ(test, atomic_read(&layers[0].attached), 0);
}

static const char * const kt_bad_names[] = {
	"", "none", "Kt", "k t", "kt+", "kt_a", "kt-a", "kt\n",
	"abcdefghijklmnop",
};

static void kt_expect_refused(struct kunit *test, struct kt_layer *kl, int err)
{
	int ret = dma_layer_register(&kl->type);

	KUNIT_EXPECT_EQ_MSG(test, ret, err, "%s", kl->type.name);
	if (!ret)
		dma_layer_unregister(&kl->type);
}

static void parse_names_of_layers(struct kunit *test)
{
	struct kt_layer *layers = kt_layers_alloc(test);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(kt_bad_names); i++) {
		layers[0].type.name = kt_bad_names[i];
		kt_expect_refused(test, &layers[0], -EINVAL);
	}
	layers[0].type.name = NULL;
	kt_expect_refused(test, &layers[0], -EINVAL);
	layers[0].type.name = "kt0";
	layers[0].type.ops = NULL;
	kt_expect_refused(test, &layers[0], -EINVAL);
	/* Non-contiguous memory is made of pages when the base has no better. */
	layers[0].type.ops = &layers[0].ops;
	layers[0].ops.alloc_noncontiguous = NULL;
	kt_expect_refused(test, &layers[0], -EINVAL);
	kt_layer_register(test, &layers[1]);
	layers[2].type.name = layers[1].name;
	kt_expect_refused(test, &layers[2], -EEXIST);
	layers[3].type.name = "abcdefghijklmno";
	kt_layer_register(test, &layers[3]);
}

struct kt_pattern {
	const char *pattern;
	bool pci;
	bool platform;
};

/* Device 8086:10d3 at 0000:00:05.0, and a platform device "tick.0". */
static const struct kt_pattern kt_patterns[] = {
	{ "0000:00:05.0", true, false },
	{ "0000:00:05.1", false, false },
	{ "0000:00:5.0", false, false },
	{ "000:00:05.0", false, false },
	{ "0000:00:05.0 ", false, false },
	{ "0000:00:*", true, false },
	{ "????:??:05.?", true, false },
	{ "*", true, true },
	{ "", false, false },
	{ "?", false, false },
	{ "tick.0", false, true },
	{ "tick.*", false, true },
	{ "tick", false, false },
	{ "TICK.0", false, false },
	{ "pci:8086:10d3", true, false },
	{ "pci:8086:10D3", true, false },
	{ "pci:8086:*", true, false },
	{ "pci:*:10d3", true, false },
	{ "pci:*:*", true, false },
	{ "pci:8086:10d4", false, false },
	{ "pci:8087:10d3", false, false },
	{ "pci:8086:10d", false, false },
	{ "pci:8086:10d30", false, false },
	{ "pci:808:10d3", false, false },
	{ "pci:08086:10d3", false, false },
	{ "pci:8086:10d3:", false, false },
	{ "pci:8086:**", false, false },
	{ "pci:8086:10*", false, false },
	{ "pci:8086", false, false },
	{ "pci:8086:", false, false },
	{ "pci:8086.10d3", false, false },
	{ "pci:0x8086:0x10d3", false, false },
	{ "pci::", false, false },
	{ "pci:", false, false },
	{ "pci", false, false },
	{ "PCI:8086:10d3", false, false },
};

static void parse_patterns_of_devices(struct kunit *test)
{
	struct device *platform;
	struct pci_dev *pci;
	unsigned int i;

	/* Neither is registered. */
	pci = kunit_kzalloc(test, sizeof(*pci), GFP_KERNEL);
	platform = kunit_kzalloc(test, sizeof(*platform), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, pci);
	KUNIT_ASSERT_NOT_NULL(test, platform);
	pci->dev.bus = &pci_bus_type;
	pci->dev.init_name = "0000:00:05.0";
	pci->vendor = 0x8086;
	pci->device = 0x10d3;
	platform->bus = &platform_bus_type;
	platform->init_name = "tick.0";

	for (i = 0; i < ARRAY_SIZE(kt_patterns); i++) {
		const struct kt_pattern *p = &kt_patterns[i];

		KUNIT_EXPECT_EQ_MSG(test,
				    dma_pattern_match(p->pattern, platform),
				    p->platform, "%s", p->pattern);
		if (IS_ENABLED(CONFIG_PCI))
			KUNIT_EXPECT_EQ_MSG(test,
					    dma_pattern_match(p->pattern,
							      &pci->dev),
					    p->pci, "%s", p->pattern);
	}
}

struct kt_boot {
	const char *cmdline;
	const char *layers;
	const char *wanted;
};

/* @ stands for the name of the device. */
static const struct kt_boot kt_boots[] = {
	{ "@:kt0", "kt0" },
	{ "@:kt0+kt1", "kt0+kt1" },
	{ "@:kt1+kt0", "kt1+kt0" },
	{ "@*:kt0", "kt0" },
	{ "other:kt0", "none" },
	{ "other:kt0,@:kt1", "kt1" },
	{ "@:kt0,@:kt1", "kt0" },
	{ "@:kt0,other:kt1", "kt0" },
	{ "0000:00:05.0:kt0,@:kt1", "kt1" },
	{ "pci:*:*:kt0", "none" },
	{ ",,@:kt0,,", "kt0" },
	{ "", "none" },
	{ "@", "none" },
	{ "@:", "none" },
	{ ":kt0", "none" },
	{ ":", "none" },
	{ "@:none", "none" },
	{ "@:kt0+", "none" },
	{ "@:+kt0", "none" },
	{ "@:KT0", "none" },
	{ "@:kt0 ,@:kt1", "kt0" },
	{ "@;kt0", "none" },
	{ "@:kt0+,@:kt1", "kt1" },
	{ "@:kt0:kt1", "none" },
	{ "@:kt0+kt1+kt2+kt3+kt4+kt5+kt6+kt7+kt8", "none" },
	{ "@:kt0+kt0+kt1", "kt0+kt1" },
	{ "@:kt8", "none", "kt8" },
	{ "@:kt0+kt8", "kt0", "kt8" },
	{ "@:kt0+kt8+kt1", "kt0", "kt8+kt1" },
};

static void kt_boot_desc(const struct kt_boot *boot, char *desc)
{
	strscpy(desc, boot->cmdline, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(kt_boot, kt_boots, kt_boot_desc);

static char *kt_boot_cmdline;
static char *kt_saved_cmdline;

static void kt_boot_reset(void *unused)
{
	dma_layers_cmdline = kt_saved_cmdline;
}

/* As if the kernel had been started with dma_layers=@text. */
static void kt_boot_with(struct kt_dev *kd, const char *text)
{
	const char *name = kd->name;
	size_t size = strlen(text) + 8 * strlen(name) + 1, n = 0;
	struct kunit *test = kd->test;

	kt_boot_cmdline = kunit_kzalloc(test, size, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, kt_boot_cmdline);
	for (; *text; text++) {
		if (*text == '@')
			n += scnprintf(kt_boot_cmdline + n, size - n, "%s",
				       name);
		else
			kt_boot_cmdline[n++] = *text;
	}
	kt_saved_cmdline = dma_layers_cmdline;
	dma_layers_cmdline = kt_boot_cmdline;
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, kt_boot_reset,
							NULL), 0);
}

static void parse_boot_parameter(struct kunit *test)
{
	const struct kt_boot *boot = test->param_value;
	struct kt_dev *kd;

	kt_layers(test);
	kd = kt_dev_alloc(test);
	kt_boot_with(kd, boot->cmdline);
	kt_dev_add(kd);
	kt_expect_layers(kd, boot->layers);
	KUNIT_EXPECT_STREQ(test, kd->dev->archdata.dma_path->wanted ?: "",
			   boot->wanted ?: "");
}

static void boot_layers_come_with_debugfs(struct kunit *test)
{
	struct kt_layer *layers = kt_layers(test);
	struct kt_dev *kd = kt_dev_alloc(test);
	struct dma_layer *layer;

	if (!IS_ENABLED(CONFIG_DEBUG_FS))
		kunit_skip(test, "needs CONFIG_DEBUG_FS");
	kt_boot_with(kd, "@:kt0");
	kt_dev_add(kd);
	layer = dma_layer_get(kd->dev, &layers[0].type);
	KUNIT_ASSERT_NOT_NULL(test, layer);
	KUNIT_EXPECT_NOT_ERR_OR_NULL(test, layer->debugfs);
	KUNIT_EXPECT_TRUE(test, kt_has_debugfs(kd, "kt0"));
}

static void boot_layers_wait_for_their_module(struct kunit *test)
{
	struct kt_layer *layers = kt_layers_alloc(test);
	struct kt_dev *kd = kt_dev_alloc(test);

	kt_boot_with(kd, "@:kt0+kt1+kt2");
	kt_dev_add(kd);
	kt_layer_register(test, &layers[2]);
	kt_expect_layers(kd, "none");
	kt_layer_register(test, &layers[0]);
	kt_expect_layers(kd, "kt0");
	kt_bind(kd);
	kt_layer_register(test, &layers[1]);
	kt_expect_layers(kd, "kt0");
	kt_unbind(kd);
	kt_expect_layers(kd, "kt0+kt1+kt2");
	KUNIT_EXPECT_NULL(test, kd->dev->archdata.dma_path->wanted);
	kt_dev_remove(kd);
}

static void boot_layers_give_way_to_sysfs(struct kunit *test)
{
	struct kt_layer *layers = kt_layers_alloc(test);
	struct kt_dev *kd = kt_dev_alloc(test);

	kt_layer_register(test, &layers[1]);
	kt_boot_with(kd, "@:kt0");
	kt_dev_add(kd);
	KUNIT_EXPECT_EQ(test, kt_set(kd, "kt1"), 0);
	kt_layer_register(test, &layers[0]);
	kt_expect_layers(kd, "kt1");
	kt_dev_remove(kd);
}

static ssize_t kt_attr_show(struct kt_dev *kd, unsigned int nr, char *buf)
{
	struct attribute *attr = dma_path_group.attrs[nr];
	struct device_attribute *dattr =
		container_of(attr, struct device_attribute, attr);

	return dattr->show(kd->dev, dattr, buf);
}

static ssize_t kt_attr_store(struct kt_dev *kd, unsigned int nr,
			     const char *buf)
{
	struct attribute *attr = dma_path_group.attrs[nr];
	struct device_attribute *dattr =
		container_of(attr, struct device_attribute, attr);

	return dattr->store(kd->dev, dattr, buf, strlen(buf));
}

static void sysfs_files_answer(struct kunit *test)
{
	struct kt_backend *kb = kt_backends_alloc(test);
	struct kt_dev *kd;
	char *buf;

	kt_layers(test);
	kd = kt_dev(test);
	kt_backend_register(test, &kb[0]);
	buf = kunit_kzalloc(test, PAGE_SIZE, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, buf);
	KUNIT_EXPECT_STREQ(test, dma_path_group.attrs[0]->name, "layers");
	KUNIT_EXPECT_STREQ(test, dma_path_group.attrs[1]->name, "backend");
	KUNIT_EXPECT_STREQ(test, dma_path_group.attrs[2]->name, "path");

	KUNIT_EXPECT_EQ(test, kt_attr_store(kd, 0, "kt1+kt0\n"), 8);
	KUNIT_EXPECT_EQ(test, kt_attr_show(kd, 0, buf), 8);
	KUNIT_EXPECT_STREQ(test, buf, "kt1+kt0\n");
	KUNIT_EXPECT_EQ(test, kt_attr_store(kd, 0, "kt1+kt"), -ENOENT);
	KUNIT_EXPECT_EQ(test, kt_attr_store(kd, 0, "kt1+"), -EINVAL);
	kt_attr_show(kd, 1, buf);
	KUNIT_EXPECT_STREQ(test, buf, "kt-a\n");
	kt_attr_show(kd, 2, buf);
	KUNIT_EXPECT_STREQ(test, buf, "ops\n");
	kt_bind(kd);
	KUNIT_EXPECT_EQ(test, kt_attr_store(kd, 0, "none"), -EBUSY);
	kt_attr_show(kd, 0, buf);
	KUNIT_EXPECT_STREQ(test, buf, "kt1+kt0\n");
	kt_unbind(kd);
	KUNIT_EXPECT_EQ(test, kt_attr_store(kd, 0, "none"), 4);
	kt_attr_show(kd, 0, buf);
	KUNIT_EXPECT_STREQ(test, buf, "none\n");
}

/* Whoever holds the lock may be about to remove the file. */
static void sysfs_write_does_not_wait_for_the_lock(struct kunit *test)
{
	struct kt_dev *kd;
	ssize_t ret;

	kt_layers(test);
	kd = kt_dev(test);
	device_lock(kd->dev);
	ret = kt_attr_store(kd, 0, "kt0");
	device_unlock(kd->dev);
	/* No signal is behind it; the system call would start anew. */
	clear_thread_flag(TIF_SIGPENDING);
	KUNIT_EXPECT_EQ(test, ret, -ERESTARTNOINTR);
	kt_expect_layers(kd, "none");
}

/* seq_file by its own means: debugfs has no way for the kernel to read. */
static int kt_read_debugfs(const char *name, char *buf, size_t size)
{
	struct file_system_type *type = get_fs_type("debugfs");
	struct kvec vec = { .iov_base = buf, .iov_len = size - 1 };
	struct vfsmount *mnt;
	struct iov_iter iter;
	struct kiocb iocb;
	struct file *file;
	int ret = 0;

	if (!type)
		return -ENODEV;
	mnt = kern_mount(type);
	if (IS_ERR(mnt)) {
		put_filesystem(type);
		return PTR_ERR(mnt);
	}
	file = file_open_root_mnt(mnt, name, O_RDONLY, 0);
	if (IS_ERR(file)) {
		ret = PTR_ERR(file);
	} else {
		init_sync_kiocb(&iocb, file);
		iov_iter_kvec(&iter, ITER_DEST, &vec, 1, size - 1);
		ret = seq_read_iter(&iocb, &iter);
		__fput_sync(file);
	}
	kern_unmount(mnt);
	put_filesystem(type);
	if (ret >= 0)
		buf[ret] = '\0';
	return ret;
}

static void kt_layer_show(struct dma_layer *layer, struct seq_file *m)
{
	seq_printf(m, "%s.knob: 42\n", layer->type->name);
}

static void kt_layer_counters(struct dma_layer *layer,
			      struct dma_layer_counters *counters)
{
	counters->known |= DMA_COUNTS_MAPPINGS;
	counters->live = 3;
	counters->peak = 4;
	counters->maps = 50;
	counters->bytes = 6000;
}

static void debugfs_shows_the_path(struct kunit *test)
{
	struct kt_layer *layers = kt_layers_alloc(test);
	char *buf, name[64], line[64];
	struct kt_dev *kd;

	if (!IS_ENABLED(CONFIG_DEBUG_FS))
		kunit_skip(test, "needs CONFIG_DEBUG_FS");
	layers[0].type.show = kt_layer_show;
	layers[1].type.counters = kt_layer_counters;
	kt_layer_register(test, &layers[0]);
	kt_layer_register(test, &layers[1]);
	kd = kt_dev(test);
	set_dma_ops(kd->dev, &kt_base_ops);
	KUNIT_ASSERT_EQ(test, kt_set(kd, "kt0+kt1"), 0);
	kt_bind(kd);
	buf = kunit_kzalloc(test, PAGE_SIZE, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, buf);
	snprintf(name, sizeof(name), "dma/%s/status", dev_name(kd->dev));
	KUNIT_ASSERT_GT(test, kt_read_debugfs(name, buf, PAGE_SIZE), 0);
	snprintf(line, sizeof(line), "device: %s\n", dev_name(kd->dev));
	KUNIT_EXPECT_NOT_NULL(test, strstr(buf, line));
	snprintf(line, sizeof(line), "driver: %s\n", kd->name);
	KUNIT_EXPECT_NOT_NULL(test, strstr(buf, line));
	KUNIT_EXPECT_NOT_NULL(test, strstr(buf, "\nbus: platform\n"));
	KUNIT_EXPECT_NOT_NULL(test, strstr(buf, "\npath: ops\n"));
	KUNIT_EXPECT_NOT_NULL(test, strstr(buf, "\nbackend: none\n"));
	KUNIT_EXPECT_NOT_NULL(test, strstr(buf, "\nlayers: kt0+kt1\n"));
	KUNIT_EXPECT_NOT_NULL(test, strstr(buf, "\nlive: 3\n"));
	KUNIT_EXPECT_NOT_NULL(test, strstr(buf, "\npeak: 4\n"));
	KUNIT_EXPECT_NOT_NULL(test, strstr(buf, "\nmaps: 50\n"));
	KUNIT_EXPECT_NOT_NULL(test, strstr(buf, "\nbytes: 6000\n"));
	KUNIT_EXPECT_NOT_NULL(test, strstr(buf, "\nkt0.knob: 42\n"));
	KUNIT_EXPECT_NOT_NULL(test,
			      strstr(buf, "\ndma_mask: 0xffffffffffffffff\n"));
	kt_unbind(kd);
	KUNIT_ASSERT_GT(test, kt_read_debugfs(name, buf, PAGE_SIZE), 0);
	KUNIT_EXPECT_NOT_NULL(test, strstr(buf, "\ndriver: -\n"));
	kt_dev_remove(kd);
	KUNIT_EXPECT_EQ(test, kt_read_debugfs(name, buf, PAGE_SIZE), -ENOENT);
}

static struct kunit_case kt_text_cases[] = {
	KUNIT_CASE_PARAM(parse_list_of_layers, kt_spec_gen_params),
	KUNIT_CASE(parse_names_of_layers),
	KUNIT_CASE(parse_patterns_of_devices),
	KUNIT_CASE_PARAM(parse_boot_parameter, kt_boot_gen_params),
	KUNIT_CASE(boot_layers_come_with_debugfs),
	KUNIT_CASE(boot_layers_wait_for_their_module),
	KUNIT_CASE(boot_layers_give_way_to_sysfs),
	KUNIT_CASE(sysfs_files_answer),
	KUNIT_CASE(sysfs_write_does_not_wait_for_the_lock),
	KUNIT_CASE(debugfs_shows_the_path),
	{ }
};

static struct kunit_suite kt_text_suite = {
	.name = "dma-text",
	.test_cases = kt_text_cases,
};

/*
 * Allocations that fail
 *
 * task_struct::fail_nth makes the nth allocation of the current task fail, and
 * of no other.  Two settings of failslab have to be changed meanwhile, which
 * are reached through the files that show them: allocations that may sleep
 * fail, too, and no report is printed for each.
 */

#if defined(CONFIG_FAILSLAB) && defined(CONFIG_FAULT_INJECTION_DEBUG_FS)
static bool *kt_ignore_wait;
static unsigned long *kt_verbose;
static unsigned long kt_saved_verbose;

static void *kt_failslab_file(struct kunit *test, const char *name)
{
	struct dentry *dir = debugfs_lookup("failslab", NULL);
	struct dentry *file = dir ? debugfs_lookup(name, dir) : NULL;
	void *data = file ? d_inode(file)->i_private : NULL;

	dput(file);
	dput(dir);
	if (!data)
		kunit_skip(test, "no failslab/%s in debugfs", name);
	return data;
}

static void kt_faults_end(void *unused)
{
	current->fail_nth = 0;
	*kt_ignore_wait = true;
	*kt_verbose = kt_saved_verbose;
}

static void kt_faults_begin(struct kunit *test)
{
	kt_ignore_wait = kt_failslab_file(test, "ignore-gfp-wait");
	kt_verbose = kt_failslab_file(test, "verbose");
	kt_saved_verbose = *kt_verbose;
	*kt_verbose = 0;
	*kt_ignore_wait = false;
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, kt_faults_end,
							NULL), 0);
}

/* True when the nth allocation of @fn() was reached, and failed. */
static bool kt_fail_nth(struct kt_dev *kd, unsigned int nth,
			int (*fn)(struct kt_dev *kd), int *ret)
{
	unsigned int left;

	current->fail_nth = nth;
	*ret = fn(kd);
	left = current->fail_nth;
	current->fail_nth = 0;
	return !left;
}
#else
static void kt_faults_begin(struct kunit *test)
{
	kunit_skip(test, "needs CONFIG_FAILSLAB, its files in debugfs");
}

static bool kt_fail_nth(struct kt_dev *kd, unsigned int nth,
			int (*fn)(struct kt_dev *kd), int *ret)
{
	return false;
}
#endif

/* More than any of the operations allocates. */
#define KT_FAULTS	500

static struct kt_layer *kt_layers_with_groups(struct kunit *test)
{
	struct kt_layer *layers = kt_layers_alloc(test);
	unsigned int i;

	for (i = 0; i < 4; i++) {
		layers[i].groups[0] = &layers[i].group;
		kt_layer_register(test, &layers[i]);
	}
	return layers;
}

static int kt_fault_push(struct kt_dev *kd)
{
	return kt_push(kd, "kt0");
}

static void fault_in_push(struct kunit *test)
{
	struct kt_layer *layers = kt_layers_with_groups(test);
	struct kt_dev *kd = kt_dev(test);
	unsigned int nth;
	bool failed = true;
	int ret;

	set_dma_ops(kd->dev, &kt_own_ops);
	kt_faults_begin(test);
	for (nth = 1; nth < KT_FAULTS && failed; nth++) {
		failed = kt_fail_nth(kd, nth, kt_fault_push, &ret);
		kt_expect_layers(kd, ret ? "none" : "kt0");
		KUNIT_EXPECT_EQ(test, kt_layer_on(&layers[0]), !ret);
		KUNIT_EXPECT_EQ(test, kt_has_group(kd, "kt0"), !ret);
		if (ret) {
			KUNIT_EXPECT_EQ(test, ret, -ENOMEM);
			KUNIT_EXPECT_PTR_EQ(test, kd->dev->dma_ops,
					    &kt_own_ops);
			KUNIT_EXPECT_FALSE(test, kt_has_debugfs(kd, "kt0"));
		} else {
			KUNIT_EXPECT_EQ(test, kt_pop(kd), 0);
		}
	}
	KUNIT_EXPECT_FALSE(test, failed);
	KUNIT_EXPECT_GT(test, nth, 3);
}

static int kt_fault_set(struct kt_dev *kd)
{
	return kt_set(kd, "kt0+kt2+kt3");
}

/* Once a single allocation has failed, there is memory to put things back. */
static void fault_in_set(struct kunit *test)
{
	struct kt_layer *layers = kt_layers_with_groups(test);
	struct kt_dev *kd = kt_dev(test);
	unsigned int nth, i;
	bool failed = true;
	int ret, on = 0;

	KUNIT_ASSERT_EQ(test, kt_set(kd, "kt0+kt1"), 0);
	kt_faults_begin(test);
	for (nth = 1; nth < KT_FAULTS && failed; nth++) {
		failed = kt_fail_nth(kd, nth, kt_fault_set, &ret);
		kt_expect_layers(kd, ret ? "kt0+kt1" : "kt0+kt2+kt3");
		for (on = 0, i = 0; i < 4; i++)
			on += kt_layer_on(&layers[i]);
		KUNIT_EXPECT_EQ(test, on, ret ? 2 : 3);
		KUNIT_EXPECT_EQ(test, kt_has_group(kd, "kt1"), !!ret);
		KUNIT_EXPECT_EQ(test, kt_has_group(kd, "kt3"), !ret);
		KUNIT_ASSERT_EQ(test, kt_set(kd, "kt0+kt1"), 0);
	}
	KUNIT_EXPECT_FALSE(test, failed);
	KUNIT_EXPECT_EQ(test, atomic_read(&layers[0].attached), 1);
}

static int kt_fault_add(struct kt_dev *kd)
{
	return platform_device_add(kd->pdev);
}

/* Adds a device with a fault, and takes away what came of it. */
static bool kt_fault_add_and_remove(struct kunit *test, unsigned int nth,
				    struct kt_layer *layers,
				    unsigned int *pathless,
				    unsigned int *layerless)
{
	struct kt_dev *kd = kt_dev_alloc(test);
	bool failed;
	int ret;

	kt_boot_with(kd, "@:kt0+kt1");
	failed = kt_fail_nth(kd, nth, kt_fault_add, &ret);
	if (ret) {
		platform_device_put(kd->pdev);
	} else {
		*pathless += !kd->dev->archdata.dma_path;
		*layerless += kt_layer_on(&layers[0]) != 1;
		platform_device_unregister(kd->pdev);
	}
	kunit_release_action(test, kt_boot_reset, NULL);
	return failed;
}

/* Each allocation in turn; returns whether the last one was reached. */
static bool kt_fault_sweep(struct kunit *test, struct kt_backend *kb,
			   struct kt_layer *layers, unsigned int *pathless,
			   unsigned int *layerless)
{
	bool failed = true;
	unsigned int nth;

	for (nth = 1; nth < KT_FAULTS && failed; nth++) {
		/* Faults are no reason to warn, the removal no exception. */
		kunit_warning_suppress(test) {
			failed = kt_fault_add_and_remove(test, nth, layers,
							 pathless, layerless);
			KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 0);
		}
		KUNIT_EXPECT_EQ(test, kt_layer_on(&layers[0]), 0);
		KUNIT_EXPECT_EQ(test, kt_layer_on(&layers[1]), 0);
		KUNIT_EXPECT_EQ(test, atomic_read(&kb->taken), 0);
	}
	return !failed;
}

static void fault_in_device_add(struct kunit *test)
{
	struct kt_layer *layers = kt_layers_with_groups(test);
	struct kt_backend *kb = kt_backends_alloc(test);
	unsigned int round, pathless = 0, layerless = 0;

	kt_backend_register(test, &kb[0]);
	kt_faults_begin(test);
	/*
	 * The slab allocator allocates for itself now and then, which takes the
	 * fault that was meant for one of ours; a later round hits it.
	 */
	for (round = 0; round < 8 && (!pathless || layerless <= pathless);
	     round++)
		KUNIT_EXPECT_TRUE(test, kt_fault_sweep(test, &kb[0], layers,
						       &pathless, &layerless));
	/* The allocations of the hook itself were among those that failed. */
	KUNIT_EXPECT_GT(test, pathless, 0);
	KUNIT_EXPECT_GT(test, layerless, pathless);
}

static int kt_fault_noncontiguous(struct kt_dev *kd)
{
	struct sg_table *sgt;

	sgt = dma_alloc_noncontiguous(kd->dev, PAGE_SIZE, KT_DIR, GFP_KERNEL,
				      0);
	if (!sgt)
		return -ENOMEM;
	dma_free_noncontiguous(kd->dev, PAGE_SIZE, sgt, KT_DIR);
	return 0;
}

/* Each allocation fails once; how often the call failed then */
static unsigned int kt_fault_each_noncontiguous(struct kunit *test,
						struct kt_dev *kd)
{
	unsigned int nth, failures = 0;
	bool failed = true;
	int ret;

	for (nth = 1; nth < KT_FAULTS && failed; nth++) {
		kt_clear(kd);
		failed = kt_fail_nth(kd, nth, kt_fault_noncontiguous, &ret);
		failures += !!ret;
		KUNIT_EXPECT_EQ(test, kd->events, ret ? 1 : 4);
		KUNIT_EXPECT_TRUE(test, !ret || ret == -ENOMEM);
	}
	KUNIT_EXPECT_FALSE(test, failed);
	return failures;
}

static void fault_in_noncontiguous(struct kunit *test)
{
	unsigned int round, failures = 0;
	struct kt_dev *kd;

	kt_layers(test);
	kd = kt_dev(test);
	set_dma_ops(kd->dev, &kt_base_ops);
	KUNIT_ASSERT_EQ(test, kt_set(kd, "kt0"), 0);
	kt_faults_begin(test);
	/*
	 * The table and its only element; debugging may allocate more. The
	 * slab allocator, too, now and then, and does without.
	 */
	for (round = 0; round < 8 && failures < 2; round++)
		failures = kt_fault_each_noncontiguous(test, kd);
	KUNIT_EXPECT_GE(test, failures, 2);
}

static struct kunit_case kt_fault_cases[] = {
	KUNIT_CASE(fault_in_push),
	KUNIT_CASE(fault_in_set),
	KUNIT_CASE_SLOW(fault_in_device_add),
	KUNIT_CASE(fault_in_noncontiguous),
	{ }
};

static struct kunit_suite kt_fault_suite = {
	.name = "dma-path-faults",
	.test_cases = kt_fault_cases,
};

/*
 * Everything at once
 */

#define KT_ROUNDS	30
#define KT_THREADS	5

struct kt_race {
	struct kunit *test;
	struct kt_backend *kb;
	struct kt_layer *layers;
	atomic_t errors;
	atomic_t running;
	atomic_t rounds;
	wait_queue_head_t moved;
	atomic_t pushed;
	unsigned long end;
	char *buf;
};

struct kt_racer {
	struct kt_race *race;
	unsigned int nr;
	int (*fn)(struct kt_racer *racer, unsigned int round);
	struct completion done;
};

static const char * const kt_race_names[] = {
	KT_NAME "-race0", KT_NAME "-race1",
};

/* One device comes and goes, every other time with a driver. */
static int kt_race_device(struct kt_racer *racer, unsigned int round)
{
	const char *name = kt_race_names[racer->nr % 2];
	struct platform_driver drv = {
		.driver.name = name,
		.driver.probe_type = PROBE_FORCE_SYNCHRONOUS,
	};
	struct platform_device *pdev;
	int ret;

	pdev = platform_device_register_simple(name, PLATFORM_DEVID_NONE, NULL,
					       0);
	if (IS_ERR(pdev))
		return PTR_ERR(pdev);
	ret = round % 2 ? platform_driver_register(&drv) : 0;
	if (round % 2 && !ret)
		platform_driver_unregister(&drv);
	platform_device_unregister(pdev);
	return ret;
}

/* Returns false when the device has lost its path, or never had one. */
static bool kt_race_push_one(struct kt_race *race, struct device *dev,
			     unsigned int round)
{
	guard(device)(dev);
	if (!dev->archdata.dma_path)
		return false;
	if (dev->driver)
		return true;
	if (!dma_layer_get(dev, &race->layers[0].type) &&
	    !dma_layer_push(dev, "kt0"))
		atomic_inc(&race->pushed);
	dma_layers_set(dev, round % 3 ? "kt1+kt0" : "kt2");
	if (round % 4)
		dma_layer_pop(dev);
	return true;
}

/* Nothing but the device lock and a reference protects the device. */
static int kt_race_push(struct kt_racer *racer, unsigned int round)
{
	const char *name = kt_race_names[round % 2];
	struct device *dev;

	dev = bus_find_device_by_name(&platform_bus_type, NULL, name);
	if (!dev)
		return 0;
	/* Until it is gone: the last moments are those that matter. */
	while (kt_race_push_one(racer->race, dev, round++))
		cond_resched();
	put_device(dev);
	return 0;
}

static int kt_race_read(struct kt_racer *racer, unsigned int round)
{
	int ret;

	if (!IS_ENABLED(CONFIG_DEBUG_FS))
		return 0;
	ret = kt_read_debugfs("dma/devices", racer->race->buf, PAGE_SIZE);
	return min(ret, 0);
}

static int kt_race_register(struct kt_racer *racer, unsigned int round)
{
	struct kt_race *race = racer->race;
	int ret, rounds;

	kt_layer_forget(&race->layers[3]);
	ret = dma_backend_register(&race->kb->be);
	if (ret)
		return ret;
	race->kb->known = true;
	ret = dma_layer_register(&race->layers[3].type);
	if (ret)
		return ret;
	race->layers[3].known = true;
	/* Refused when a driver happens to be bound, for which rounds end. */
	for (;;) {
		rounds = atomic_read(&race->rounds);
		ret = dma_backend_unregister(&race->kb->be);
		if (ret != -EBUSY)
			break;
		wait_event(race->moved, !atomic_read(&race->running) ||
			   atomic_read(&race->rounds) != rounds);
	}
	race->kb->known = ret;
	return ret;
}

/*
 * The devices come and go until each of the others has met one, which takes
 * long on a busy machine; the others go on for as long as the devices do.
 */
static bool kt_race_goes_on(struct kt_racer *racer, unsigned int round)
{
	struct kt_race *race = racer->race;

	if (round < KT_ROUNDS)
		return true;
	if (racer->nr > 1)
		return atomic_read(&race->running);
	return time_before(jiffies, race->end) &&
	       (!atomic_read(&race->pushed) ||
		!atomic_read(&race->kb->removes));
}

static int kt_race_thread(void *data)
{
	struct kt_racer *racer = data;
	struct kt_race *race = racer->race;
	unsigned int round;

	for (round = 0; kt_race_goes_on(racer, round); round++) {
		if (racer->fn(racer, round))
			atomic_inc(&race->errors);
		atomic_inc(&race->rounds);
		wake_up_all(&race->moved);
		cond_resched();
	}
	if (racer->nr < 2)
		atomic_dec(&race->running);
	wake_up_all(&race->moved);
	complete(&racer->done);
	return 0;
}

static void kt_race_run(struct kt_race *race, struct kt_racer *racers)
{
	struct task_struct *task;
	unsigned int i;

	race->end = jiffies + 30 * HZ;
	atomic_set(&race->running, 2);
	for (i = 0; i < KT_THREADS; i++) {
		init_completion(&racers[i].done);
		racers[i].race = race;
		racers[i].nr = i;
		task = kthread_run(kt_race_thread, &racers[i], "kt-race/%u",
				   i);
		if (IS_ERR(task)) {
			atomic_inc(&race->errors);
			if (i < 2)
				atomic_dec(&race->running);
			complete(&racers[i].done);
		}
	}
	for (i = 0; i < KT_THREADS; i++)
		wait_for_completion(&racers[i].done);
}

static void race_of_hotplug_and_layers(struct kunit *test)
{
	struct kt_racer *racers = kunit_kcalloc(test, KT_THREADS,
						sizeof(*racers), GFP_KERNEL);
	struct kt_race *race = kunit_kzalloc(test, sizeof(*race), GFP_KERNEL);
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, racers);
	KUNIT_ASSERT_NOT_NULL(test, race);
	race->test = test;
	init_waitqueue_head(&race->moved);
	race->layers = kt_layers(test);
	race->kb = kt_backends_alloc(test);
	race->buf = kunit_kzalloc(test, PAGE_SIZE, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, race->buf);
	racers[0].fn = kt_race_device;
	racers[1].fn = kt_race_device;
	racers[2].fn = kt_race_push;
	racers[3].fn = kt_race_read;
	racers[4].fn = kt_race_register;
	kt_race_run(race, racers);

	KUNIT_EXPECT_EQ(test, atomic_read(&race->errors), 0);
	KUNIT_EXPECT_GT(test, atomic_read(&race->pushed), 0);
	for (i = 0; i < KT_LAYERS; i++)
		KUNIT_EXPECT_EQ_MSG(test, kt_layer_on(&race->layers[i]), 0,
				    "kt%u", i);
	KUNIT_EXPECT_EQ(test, atomic_read(&race->kb->taken), 0);
	KUNIT_EXPECT_GT(test, atomic_read(&race->kb->removes), 0);
}

static struct kunit_case kt_race_cases[] = {
	KUNIT_CASE_SLOW(race_of_hotplug_and_layers),
	{ }
};

static struct kunit_suite kt_race_suite = {
	.name = "dma-path-race",
	.test_cases = kt_race_cases,
};

kunit_test_suites(&kt_lookup_suite, &kt_backend_suite, &kt_push_suite,
		  &kt_stack_suite, &kt_text_suite, &kt_fault_suite,
		  &kt_race_suite);
