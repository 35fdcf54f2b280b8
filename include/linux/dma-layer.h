/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Layers: DMA operations that wrap whatever served a device before.
 *
 * Documentation/core-api/dma-layers.rst describes how the pieces fit together.
 */
#ifndef _LINUX_DMA_LAYER_H
#define _LINUX_DMA_LAYER_H

#include <linux/dma-mapping.h>
#include <linux/list.h>

struct attribute_group;
struct dentry;
struct dma_layer;
struct module;
struct seq_file;

/* Deepest stack that one device can carry, the base not counted. */
#define DMA_LAYERS_MAX		8

/* Longest name of a layer, with the terminating NUL. */
#define DMA_LAYER_NAME_MAX	16

/**
 * struct dma_layer_ops - what a layer does with each operation of the DMA API
 *
 * Every member is optional: an operation that a layer leaves out goes straight
 * to what lies below.  A member that wants the layers below to act calls the
 * dma_below_*() function of the same name.  Contexts, arguments and results
 * are those of the dma_map_ops member of the same name; @layer->dev is the
 * device.  Mapping, unmapping and syncing may run in hard-irq context.
 *
 * @alloc: see dma_alloc_attrs()
 * @free: see dma_free_attrs()
 * @alloc_pages_op: see dma_alloc_pages(); a layer that has it also needs
 *	@alloc_noncontiguous, which may be served without it
 * @free_pages: see dma_free_pages()
 * @alloc_noncontiguous: see dma_alloc_noncontiguous()
 * @free_noncontiguous: see dma_free_noncontiguous()
 * @mmap: see dma_mmap_attrs()
 * @get_sgtable: see dma_get_sgtable_attrs()
 * @map_phys: see dma_map_phys(); DMA_MAPPING_ERROR on failure
 * @unmap_phys: see dma_unmap_phys()
 * @map_sg: number of mapped entries, or one of the errors that
 *	dma_map_sgtable() lists
 * @unmap_sg: see dma_unmap_sg_attrs(); @nents as given to @map_sg
 * @sync_single_for_cpu: see dma_sync_single_for_cpu()
 * @sync_single_for_device: see dma_sync_single_for_device()
 * @sync_sg_for_cpu: see dma_sync_sg_for_cpu()
 * @sync_sg_for_device: see dma_sync_sg_for_device()
 * @dma_supported: 1 if the device can work with @mask, else 0
 * @get_required_mask: see dma_get_required_mask()
 * @max_mapping_size: see dma_max_mapping_size(), in bytes
 * @opt_mapping_size: see dma_opt_mapping_size(), in bytes
 * @get_merge_boundary: see dma_get_merge_boundary()
 */
struct dma_layer_ops {
	void *(*alloc)(struct dma_layer *layer, size_t size,
		       dma_addr_t *handle, gfp_t gfp, unsigned long attrs);
	void (*free)(struct dma_layer *layer, size_t size, void *vaddr,
		     dma_addr_t handle, unsigned long attrs);
	struct page *(*alloc_pages_op)(struct dma_layer *layer, size_t size,
				       dma_addr_t *handle,
				       enum dma_data_direction dir, gfp_t gfp);
	void (*free_pages)(struct dma_layer *layer, size_t size,
			   struct page *page, dma_addr_t handle,
			   enum dma_data_direction dir);
	struct sg_table *(*alloc_noncontiguous)(struct dma_layer *layer,
						size_t size,
						enum dma_data_direction dir,
						gfp_t gfp, unsigned long attrs);
	void (*free_noncontiguous)(struct dma_layer *layer, size_t size,
				   struct sg_table *sgt,
				   enum dma_data_direction dir);
	int (*mmap)(struct dma_layer *layer, struct vm_area_struct *vma,
		    void *vaddr, dma_addr_t handle, size_t size,
		    unsigned long attrs);
	int (*get_sgtable)(struct dma_layer *layer, struct sg_table *sgt,
			   void *vaddr, dma_addr_t handle, size_t size,
			   unsigned long attrs);
	dma_addr_t (*map_phys)(struct dma_layer *layer, phys_addr_t phys,
			       size_t size, enum dma_data_direction dir,
			       unsigned long attrs);
	void (*unmap_phys)(struct dma_layer *layer, dma_addr_t addr,
			   size_t size, enum dma_data_direction dir,
			   unsigned long attrs);
	int (*map_sg)(struct dma_layer *layer, struct scatterlist *sg,
		      int nents, enum dma_data_direction dir,
		      unsigned long attrs);
	void (*unmap_sg)(struct dma_layer *layer, struct scatterlist *sg,
			 int nents, enum dma_data_direction dir,
			 unsigned long attrs);
	void (*sync_single_for_cpu)(struct dma_layer *layer, dma_addr_t addr,
				    size_t size, enum dma_data_direction dir);
	void (*sync_single_for_device)(struct dma_layer *layer, dma_addr_t addr,
				       size_t size,
				       enum dma_data_direction dir);
	void (*sync_sg_for_cpu)(struct dma_layer *layer, struct scatterlist *sg,
				int nents, enum dma_data_direction dir);
	void (*sync_sg_for_device)(struct dma_layer *layer,
				   struct scatterlist *sg, int nents,
				   enum dma_data_direction dir);
	int (*dma_supported)(struct dma_layer *layer, u64 mask);
	u64 (*get_required_mask)(struct dma_layer *layer);
	size_t (*max_mapping_size)(struct dma_layer *layer);
	size_t (*opt_mapping_size)(struct dma_layer *layer);
	unsigned long (*get_merge_boundary)(struct dma_layer *layer);
};

/* Which members of struct dma_layer_counters a layer has filled in. */
#define DMA_COUNTS_MAPPINGS	BIT(0)	/* live, peak, maps, bytes */

/**
 * struct dma_layer_counters - what layers contribute to a device's summary
 * @known: DMA_COUNTS_* of the members that are valid
 * @live: mappings and allocations that exist now
 * @peak: most that existed at once
 * @maps: successful streaming mappings so far
 * @bytes: sum of their lengths
 */
struct dma_layer_counters {
	unsigned int known;
	u64 live;
	u64 peak;
	u64 maps;
	u64 bytes;
};

/**
 * struct dma_layer_type - a kind of layer, one per name
 * @name: what users write in dma_layers= and in sysfs; lower case letters and
 *	digits, shorter than DMA_LAYER_NAME_MAX
 * @owner: module that holds @ops; pinned while a device carries the layer
 * @ops: what the layer does
 * @attach: optional; makes @layer ready, for example sets @layer->priv.  Runs
 *	with the device locked and no driver bound; may sleep.  0 or an errno,
 *	which refuses the push.
 * @detach: optional; undoes @attach.  Same context.
 * @show: optional; adds "key: value" lines to the device's debugfs status.
 *	Runs concurrently with mapping and with a mutex of the core held: may
 *	sleep, but must not look for layers or push them.
 * @counters: optional; fills in what the layer knows for the device's line in
 *	the summary.  Same context as @show.
 * @groups: optional; sysfs attribute groups that appear in the device's
 *	directory while it carries the layer.  The attributes find their layer
 *	with dma_layer_get().
 * @node: private to the core
 */
struct dma_layer_type {
	const char *name;
	struct module *owner;
	const struct dma_layer_ops *ops;
	int (*attach)(struct dma_layer *layer);
	void (*detach)(struct dma_layer *layer);
	void (*show)(struct dma_layer *layer, struct seq_file *m);
	void (*counters)(struct dma_layer *layer,
			 struct dma_layer_counters *counters);
	const struct attribute_group **groups;
	struct list_head node;
};

/**
 * struct dma_layer - one layer on one device
 * @type: what kind of layer
 * @dev: the device
 * @below: next layer down; NULL when only the base is left
 * @priv: for @type
 * @debugfs: directory <debugfs>/dma/<device>/<layer>, for @type's own files;
 *	NULL when there is none.  The core removes it before @type->detach
 */
struct dma_layer {
	const struct dma_layer_type *type;
	struct device *dev;
	struct dma_layer *below;
	void *priv;
	struct dentry *debugfs;
};

#ifdef CONFIG_DMA_LAYERS

int dma_layer_register(struct dma_layer_type *type);
void dma_layer_unregister(struct dma_layer_type *type);

int dma_layer_push(struct device *dev, const char *name);
int dma_layer_pop(struct device *dev);
int dma_layers_set(struct device *dev, const char *spec);

struct dma_layer *dma_layer_get(struct device *dev,
				const struct dma_layer_type *type);

bool dma_layer_base_direct(struct dma_layer *layer);

void *dma_below_alloc(struct dma_layer *layer, size_t size, dma_addr_t *handle,
		      gfp_t gfp, unsigned long attrs);
void dma_below_free(struct dma_layer *layer, size_t size, void *vaddr,
		    dma_addr_t handle, unsigned long attrs);
struct page *dma_below_alloc_pages(struct dma_layer *layer, size_t size,
				   dma_addr_t *handle,
				   enum dma_data_direction dir, gfp_t gfp);
void dma_below_free_pages(struct dma_layer *layer, size_t size,
			  struct page *page, dma_addr_t handle,
			  enum dma_data_direction dir);
struct sg_table *dma_below_alloc_noncontiguous(struct dma_layer *layer,
					       size_t size,
					       enum dma_data_direction dir,
					       gfp_t gfp, unsigned long attrs);
void dma_below_free_noncontiguous(struct dma_layer *layer, size_t size,
				  struct sg_table *sgt,
				  enum dma_data_direction dir);
int dma_below_mmap(struct dma_layer *layer, struct vm_area_struct *vma,
		   void *vaddr, dma_addr_t handle, size_t size,
		   unsigned long attrs);
int dma_below_get_sgtable(struct dma_layer *layer, struct sg_table *sgt,
			  void *vaddr, dma_addr_t handle, size_t size,
			  unsigned long attrs);
dma_addr_t dma_below_map_phys(struct dma_layer *layer, phys_addr_t phys,
			      size_t size, enum dma_data_direction dir,
			      unsigned long attrs);
void dma_below_unmap_phys(struct dma_layer *layer, dma_addr_t addr,
			  size_t size, enum dma_data_direction dir,
			  unsigned long attrs);
int dma_below_map_sg(struct dma_layer *layer, struct scatterlist *sg,
		     int nents, enum dma_data_direction dir,
		     unsigned long attrs);
void dma_below_unmap_sg(struct dma_layer *layer, struct scatterlist *sg,
			int nents, enum dma_data_direction dir,
			unsigned long attrs);
void dma_below_sync_single_for_cpu(struct dma_layer *layer, dma_addr_t addr,
				   size_t size, enum dma_data_direction dir);
void dma_below_sync_single_for_device(struct dma_layer *layer, dma_addr_t addr,
				      size_t size, enum dma_data_direction dir);
void dma_below_sync_sg_for_cpu(struct dma_layer *layer, struct scatterlist *sg,
			       int nents, enum dma_data_direction dir);
void dma_below_sync_sg_for_device(struct dma_layer *layer,
				  struct scatterlist *sg, int nents,
				  enum dma_data_direction dir);
int dma_below_dma_supported(struct dma_layer *layer, u64 mask);
u64 dma_below_get_required_mask(struct dma_layer *layer);
size_t dma_below_max_mapping_size(struct dma_layer *layer);
size_t dma_below_opt_mapping_size(struct dma_layer *layer);
unsigned long dma_below_get_merge_boundary(struct dma_layer *layer);

#endif /* CONFIG_DMA_LAYERS */
#endif /* _LINUX_DMA_LAYER_H */
