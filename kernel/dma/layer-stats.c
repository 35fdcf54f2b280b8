// SPDX-License-Identifier: GPL-2.0-only
/*
 * DMA layer "stats": what a device maps, how much of it, and how often that
 * fails.
 *
 * Counting costs a few per-CPU additions for each call.  One call is one
 * mapping, whether of a buffer or of a scatterlist; the length of a list is the
 * sum of its entries.
 *
 * The number of live mappings is exact when read while the device is quiet.
 * Its peak needs a counter that all CPUs share.  Each CPU collects changes
 * until they reach a batch and only then adds them to it.  The batch is 1 up to
 * a peak of STATS_EXACT_PER_CPU for each CPU, so small peaks are exact, and
 * grows with the peak so that no more than 1/STATS_EXACT_PER_CPU of it can be
 * missing.
 */
#include <linux/debugfs.h>
#include <linux/device.h>
#include <linux/log2.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/percpu.h>
#include <linux/scatterlist.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <kunit/visibility.h>
#include "layer-types.h"

#define STATS_EXACT_PER_CPU	16
#define STATS_BATCH_MAX		64

struct stats_cpu {
	u64 n[DMA_STAT_NR];
	u64 size[DMA_STAT_SIZES];
	long pending;
};

/**
 * struct stats - counters of one device
 * @cpu: counters proper; only ever grow
 * @live: live mappings, less what CPUs have pending
 * @peak: highest @live seen
 * @batch: pending changes that a CPU collects before it touches @live
 * @lock: protects @base
 * @base: sums at the last reset
 */
struct stats {
	struct stats_cpu __percpu *cpu;
	atomic_long_t live;
	atomic_long_t peak;
	long batch;
	struct mutex lock;	/* for base */
	struct dma_stats_sum base;
};

static const char * const stats_names[DMA_STAT_NR] = {
	[DMA_STAT_MAPS] = "maps",
	[DMA_STAT_SG_MAPS] = "sg_maps",
	[DMA_STAT_SG_ENTRIES] = "sg_entries",
	[DMA_STAT_BYTES] = "bytes",
	[DMA_STAT_UNMAPS] = "unmaps",
	[DMA_STAT_SYNCS] = "syncs",
	[DMA_STAT_ALLOCS] = "allocs",
	[DMA_STAT_ALLOC_BYTES] = "alloc_bytes",
	[DMA_STAT_FREES] = "frees",
	[DMA_STAT_MAP_FAILURES] = "map_failures",
	[DMA_STAT_ALLOC_FAILURES] = "alloc_failures",
};

#define stats_inc(stats, what)		this_cpu_inc((stats)->cpu->n[what])
#define stats_add(stats, what, by)	this_cpu_add((stats)->cpu->n[what], by)

static void stats_set_batch(struct stats *stats, long peak)
{
	peak /= STATS_EXACT_PER_CPU * (long)num_possible_cpus();
	WRITE_ONCE(stats->batch, clamp(1 + peak, 1, STATS_BATCH_MAX));
}

static void stats_raise_peak(struct stats *stats, long live)
{
	long peak = atomic_long_read(&stats->peak);

	while (live > peak) {
		if (atomic_long_try_cmpxchg(&stats->peak, &peak, live))
			break;
	}
	stats_set_batch(stats, live);
}

static void stats_live_add(struct stats *stats, long by)
{
	long pending = this_cpu_add_return(stats->cpu->pending, by);

	if (abs(pending) < READ_ONCE(stats->batch))
		return;

	/* An interrupt may have been here already; then there is less to add. */
	pending = this_cpu_xchg(stats->cpu->pending, 0);
	pending = atomic_long_add_return(pending, &stats->live);
	if (pending > atomic_long_read(&stats->peak))
		stats_raise_peak(stats, pending);
}

static void stats_mapped(struct stats *stats, size_t size)
{
	unsigned int bucket = size ? ilog2(size) : 0;

	stats_inc(stats, DMA_STAT_MAPS);
	stats_add(stats, DMA_STAT_BYTES, size);
	bucket = min(bucket, DMA_STAT_SIZES - 1);
	this_cpu_inc(stats->cpu->size[bucket]);
	stats_live_add(stats, 1);
}

static void stats_allocated(struct stats *stats, bool ok, size_t size)
{
	if (!ok) {
		stats_inc(stats, DMA_STAT_ALLOC_FAILURES);
		return;
	}
	stats_inc(stats, DMA_STAT_ALLOCS);
	stats_add(stats, DMA_STAT_ALLOC_BYTES, size);
	stats_live_add(stats, 1);
}

static void stats_freed(struct stats *stats)
{
	stats_inc(stats, DMA_STAT_FREES);
	stats_live_add(stats, -1);
}

static void *stats_alloc(struct dma_layer *layer, size_t size,
			 dma_addr_t *handle, gfp_t gfp, unsigned long attrs)
{
	void *vaddr = dma_below_alloc(layer, size, handle, gfp, attrs);

	stats_allocated(layer->priv, vaddr, size);
	return vaddr;
}

static void stats_free(struct dma_layer *layer, size_t size, void *vaddr,
		       dma_addr_t handle, unsigned long attrs)
{
	dma_below_free(layer, size, vaddr, handle, attrs);
	stats_freed(layer->priv);
}

static struct page *stats_alloc_pages(struct dma_layer *layer, size_t size,
				      dma_addr_t *handle,
				      enum dma_data_direction dir, gfp_t gfp)
{
	struct page *page;

	page = dma_below_alloc_pages(layer, size, handle, dir, gfp);
	stats_allocated(layer->priv, page, size);
	return page;
}

static void stats_free_pages(struct dma_layer *layer, size_t size,
			     struct page *page, dma_addr_t handle,
			     enum dma_data_direction dir)
{
	dma_below_free_pages(layer, size, page, handle, dir);
	stats_freed(layer->priv);
}

static struct sg_table *
stats_alloc_noncontiguous(struct dma_layer *layer, size_t size,
			  enum dma_data_direction dir, gfp_t gfp,
			  unsigned long attrs)
{
	struct sg_table *sgt;

	sgt = dma_below_alloc_noncontiguous(layer, size, dir, gfp, attrs);
	stats_allocated(layer->priv, sgt, size);
	return sgt;
}

static void stats_free_noncontiguous(struct dma_layer *layer, size_t size,
				     struct sg_table *sgt,
				     enum dma_data_direction dir)
{
	dma_below_free_noncontiguous(layer, size, sgt, dir);
	stats_freed(layer->priv);
}

static dma_addr_t stats_map_phys(struct dma_layer *layer, phys_addr_t phys,
				 size_t size, enum dma_data_direction dir,
				 unsigned long attrs)
{
	dma_addr_t addr = dma_below_map_phys(layer, phys, size, dir, attrs);
	struct stats *stats = layer->priv;

	if (unlikely(addr == DMA_MAPPING_ERROR))
		stats_inc(stats, DMA_STAT_MAP_FAILURES);
	else
		stats_mapped(stats, size);
	return addr;
}

static void stats_unmap_phys(struct dma_layer *layer, dma_addr_t addr,
			     size_t size, enum dma_data_direction dir,
			     unsigned long attrs)
{
	struct stats *stats = layer->priv;

	dma_below_unmap_phys(layer, addr, size, dir, attrs);
	stats_inc(stats, DMA_STAT_UNMAPS);
	stats_live_add(stats, -1);
}

static int stats_map_sg(struct dma_layer *layer, struct scatterlist *sgl,
			int nents, enum dma_data_direction dir,
			unsigned long attrs)
{
	int i, ret = dma_below_map_sg(layer, sgl, nents, dir, attrs);
	struct stats *stats = layer->priv;
	struct scatterlist *sg;
	size_t size = 0;

	if (unlikely(ret <= 0)) {
		stats_inc(stats, DMA_STAT_MAP_FAILURES);
		return ret;
	}
	for_each_sg(sgl, sg, nents, i)
		size += sg->length;
	stats_inc(stats, DMA_STAT_SG_MAPS);
	stats_add(stats, DMA_STAT_SG_ENTRIES, nents);
	stats_mapped(stats, size);
	return ret;
}

static void stats_unmap_sg(struct dma_layer *layer, struct scatterlist *sgl,
			   int nents, enum dma_data_direction dir,
			   unsigned long attrs)
{
	struct stats *stats = layer->priv;

	dma_below_unmap_sg(layer, sgl, nents, dir, attrs);
	stats_inc(stats, DMA_STAT_UNMAPS);
	stats_live_add(stats, -1);
}

static void stats_sync_single_for_cpu(struct dma_layer *layer, dma_addr_t addr,
				      size_t size, enum dma_data_direction dir)
{
	struct stats *stats = layer->priv;

	dma_below_sync_single_for_cpu(layer, addr, size, dir);
	stats_inc(stats, DMA_STAT_SYNCS);
}

static void stats_sync_single_for_device(struct dma_layer *layer,
					 dma_addr_t addr, size_t size,
					 enum dma_data_direction dir)
{
	struct stats *stats = layer->priv;

	dma_below_sync_single_for_device(layer, addr, size, dir);
	stats_inc(stats, DMA_STAT_SYNCS);
}

static void stats_sync_sg_for_cpu(struct dma_layer *layer,
				  struct scatterlist *sgl, int nents,
				  enum dma_data_direction dir)
{
	struct stats *stats = layer->priv;

	dma_below_sync_sg_for_cpu(layer, sgl, nents, dir);
	stats_inc(stats, DMA_STAT_SYNCS);
}

static void stats_sync_sg_for_device(struct dma_layer *layer,
				     struct scatterlist *sgl, int nents,
				     enum dma_data_direction dir)
{
	struct stats *stats = layer->priv;

	dma_below_sync_sg_for_device(layer, sgl, nents, dir);
	stats_inc(stats, DMA_STAT_SYNCS);
}

static const struct dma_layer_ops stats_ops = {
	.alloc = stats_alloc,
	.free = stats_free,
	.alloc_pages_op = stats_alloc_pages,
	.free_pages = stats_free_pages,
	.alloc_noncontiguous = stats_alloc_noncontiguous,
	.free_noncontiguous = stats_free_noncontiguous,
	.map_phys = stats_map_phys,
	.unmap_phys = stats_unmap_phys,
	.map_sg = stats_map_sg,
	.unmap_sg = stats_unmap_sg,
	.sync_single_for_cpu = stats_sync_single_for_cpu,
	.sync_single_for_device = stats_sync_single_for_device,
	.sync_sg_for_cpu = stats_sync_sg_for_cpu,
	.sync_sg_for_device = stats_sync_sg_for_device,
};

static void stats_sum_raw(struct stats *stats, struct dma_stats_sum *sum)
{
	unsigned int i;
	int cpu;

	memset(sum, 0, sizeof(*sum));
	sum->live = atomic_long_read(&stats->live);
	for_each_possible_cpu(cpu) {
		struct stats_cpu *c = per_cpu_ptr(stats->cpu, cpu);

		for (i = 0; i < DMA_STAT_NR; i++)
			sum->n[i] += READ_ONCE(c->n[i]);
		for (i = 0; i < DMA_STAT_SIZES; i++)
			sum->size[i] += READ_ONCE(c->size[i]);
		sum->live += READ_ONCE(c->pending);
	}
	sum->peak = max(sum->live, atomic_long_read(&stats->peak));
}

/* Counts since the last reset; live and peak as they are. */
VISIBLE_IF_KUNIT void dma_stats_read(struct dma_layer *layer,
				     struct dma_stats_sum *sum)
{
	struct stats *stats = layer->priv;
	unsigned int i;

	mutex_lock(&stats->lock);
	stats_sum_raw(stats, sum);
	for (i = 0; i < DMA_STAT_NR; i++)
		sum->n[i] -= stats->base.n[i];
	for (i = 0; i < DMA_STAT_SIZES; i++)
		sum->size[i] -= stats->base.size[i];
	mutex_unlock(&stats->lock);
}
EXPORT_SYMBOL_IF_KUNIT(dma_stats_read);

/*
 * The counters go on while other CPUs add to them: only what is subtracted from
 * them changes.
 */
VISIBLE_IF_KUNIT void dma_stats_reset(struct dma_layer *layer)
{
	struct stats *stats = layer->priv;

	mutex_lock(&stats->lock);
	stats_sum_raw(stats, &stats->base);
	atomic_long_set(&stats->peak, stats->base.live);
	stats_set_batch(stats, stats->base.live);
	mutex_unlock(&stats->lock);
}
EXPORT_SYMBOL_IF_KUNIT(dma_stats_reset);

static int stats_reset_set(void *data, u64 val)
{
	if (val != 1)
		return -EINVAL;
	dma_stats_reset(data);
	return 0;
}
DEFINE_DEBUGFS_ATTRIBUTE(stats_reset_fops, NULL, stats_reset_set, "%llu\n");

static int stats_attach(struct dma_layer *layer)
{
	struct stats *stats = kzalloc_obj(*stats);

	if (!stats)
		return -ENOMEM;
	stats->cpu = alloc_percpu(struct stats_cpu);
	if (!stats->cpu) {
		kfree(stats);
		return -ENOMEM;
	}
	stats->batch = 1;
	mutex_init(&stats->lock);
	layer->priv = stats;
	if (layer->debugfs)
		debugfs_create_file_unsafe("reset", 0200, layer->debugfs, layer,
					   &stats_reset_fops);
	return 0;
}

static void stats_detach(struct dma_layer *layer)
{
	struct stats *stats = layer->priv;

	free_percpu(stats->cpu);
	mutex_destroy(&stats->lock);
	kfree(stats);
}

static void stats_show(struct dma_layer *layer, struct seq_file *m)
{
	struct dma_stats_sum sum;
	unsigned int i;

	dma_stats_read(layer, &sum);
	for (i = 0; i < DMA_STAT_NR; i++)
		seq_printf(m, "stats.%s: %llu\n", stats_names[i], sum.n[i]);
	seq_printf(m, "stats.live: %ld\n", sum.live);
	seq_printf(m, "stats.peak: %ld\n", sum.peak);
	for (i = 0; i < DMA_STAT_SIZES; i++) {
		if (sum.size[i])
			seq_printf(m, "stats.size_%lu: %llu\n", BIT(i),
				   sum.size[i]);
	}
}

static void stats_counters(struct dma_layer *layer,
			   struct dma_layer_counters *counters)
{
	struct dma_stats_sum sum;

	dma_stats_read(layer, &sum);
	counters->known |= DMA_COUNTS_MAPPINGS;
	counters->live = sum.live;
	counters->peak = sum.peak;
	counters->maps = sum.n[DMA_STAT_MAPS];
	counters->bytes = sum.n[DMA_STAT_BYTES];
}

VISIBLE_IF_KUNIT struct dma_layer_type dma_layer_stats_type = {
	.name = "stats",
	.owner = THIS_MODULE,
	.ops = &stats_ops,
	.attach = stats_attach,
	.detach = stats_detach,
	.show = stats_show,
	.counters = stats_counters,
};
EXPORT_SYMBOL_IF_KUNIT(dma_layer_stats_type);

static int __init stats_init(void)
{
	return dma_layer_register(&dma_layer_stats_type);
}
subsys_initcall(stats_init);

static void __exit stats_exit(void)
{
	dma_layer_unregister(&dma_layer_stats_type);
}
module_exit(stats_exit);

MODULE_DESCRIPTION("DMA layer that counts what a device maps");
MODULE_LICENSE("GPL");
