/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The DMA path of a device: which back end chose its operations, which layers
 * lie on top, and what the lowest layer forwards to.
 */
#ifndef _KERNEL_DMA_PATH_H
#define _KERNEL_DMA_PATH_H

#include <linux/dma-backend.h>
#include <linux/dma-layer.h>
#include <linux/dma-map-ops.h>
#include <linux/dma-noncoherent.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <linux/spinlock.h>
#include "stack.h"

/**
 * struct dma_path - state of one device on a DMA-capable bus
 * @dev: the device; dev->archdata.dma_path points back while it is registered
 * @node: on dma_paths, under dma_path_mutex
 * @backend: whose device it is, or NULL; under dma_path_mutex
 * @pinned: back end whose module the bound driver holds; under the device lock
 * @asked: serial of the newest back end that was asked; under dma_path_mutex
 * @scan: a new back end or a new layer may concern the device; under
 *	dma_path_mutex
 * @head: where an operation enters the stack; @head.below is the top layer.
 *	Changes with the device locked, no driver bound and dma_path_mutex held
 * @depth: number of layers; as @head
 * @wanted: what remains of a list of layers until their modules appear, or
 *	NULL; as @head
 * @own_ops: what set_dma_ops() chose for the device; under dma_path_lock
 * @base: what the lowest layer forwards to; under dma_path_lock
 * @below_caches: @base, or what it calls if it maintains caches; as @base
 * @base_iommu: iommu-dma serves the device, be it below layers; under
 *	dma_path_lock
 * @in_sysfs: the device has a directory dma_path
 * @bounced: bytes that went through swiotlb
 * @debugfs: <debugfs>/dma/<device>, or NULL
 * @rcu: for dma_path_count_bounce()
 */
struct dma_path {
	struct device *dev;
	struct list_head node;
	struct dma_backend *backend;
	struct dma_backend *pinned;
	u64 asked;
	bool scan;
	struct dma_layer head;
	unsigned int depth;
	char *wanted;
	const struct dma_map_ops *own_ops;
	const struct dma_map_ops *base;
	const struct dma_map_ops *below_caches;
	bool base_iommu;
	bool in_sysfs;
	atomic64_t bounced;
	struct dentry *debugfs;
	struct rcu_head rcu;
};

/*
 * Order of locks: device lock, dma_path_mutex, mutex of an IOMMU group,
 * dma_path_lock.
 */
extern struct mutex dma_path_mutex;
extern spinlock_t dma_path_lock;
extern struct list_head dma_paths;

extern const struct dma_map_ops dma_base_direct_ops;
extern const struct dma_map_ops dma_base_iommu_ops;
extern const struct dma_map_ops dma_noncoherent_ops;

static inline struct dma_path *dma_path_of_layer(struct dma_layer *layer)
{
	return layer->dev->archdata.dma_path;
}

void dma_path_resolve(struct dma_path *path);
void dma_path_set_coherent(struct device *dev, bool coherent);
bool dma_path_is_direct(struct dma_path *path);
bool dma_pattern_match(const char *pattern, struct device *dev);
const char *dma_path_kind(struct dma_path *path);
void dma_paths_mark(void);
void dma_paths_scan(void);

void dma_layers_boot(struct dma_path *path);
void dma_layers_pop_all(struct dma_path *path);
void dma_layers_resume(struct dma_path *path);
int dma_layers_print(struct dma_path *path, char *buf, size_t size);

extern const struct attribute_group dma_path_group;

struct dentry *dma_path_debugfs_dir(const char *name, struct dentry *parent);
void dma_path_debugfs_add(struct dma_path *path);
void dma_path_debugfs_remove(struct dma_path *path);

#if IS_ENABLED(CONFIG_KUNIT)
extern char *dma_layers_cmdline;
#endif

#endif /* _KERNEL_DMA_PATH_H */
