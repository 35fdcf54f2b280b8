// SPDX-License-Identifier: GPL-2.0-only
/*
 * The DMA path of each device in debugfs: dma/<device>/status in words, and
 * dma/devices with one line for each device.
 */
#include <linux/cleanup.h>
#include <linux/debugfs.h>
#include <linux/dma-direct.h>
#include <linux/init.h>
#include <linux/dma-path.h>
#include <linux/memblock.h>
#include <linux/seq_file.h>
#include "path.h"

static struct dentry *dma_path_root;

/* Fields come as "key: value" lines or as "key=value" words of one line. */
struct dma_path_out {
	struct seq_file *m;
	bool line;
	bool started;
};

static void out_key(struct dma_path_out *out, const char *key)
{
	if (out->line && out->started)
		seq_putc(out->m, ' ');
	out->started = true;
	seq_printf(out->m, out->line ? "%s=" : "%s: ", key);
}

static __printf(3, 4) void out_field(struct dma_path_out *out, const char *key,
				     const char *fmt, ...)
{
	va_list args;

	out_key(out, key);
	va_start(args, fmt);
	seq_vprintf(out->m, fmt, args);
	va_end(args);
	if (!out->line)
		seq_putc(out->m, '\n');
}

/* Names may contain blanks, which separate the fields of a line. */
static void out_name(struct dma_path_out *out, const char *key,
		     const char *name)
{
	out_key(out, key);
	seq_escape(out->m, name, out->line ? " \t\n\\" : "\n\\");
	if (!out->line)
		seq_putc(out->m, '\n');
}

static void out_masks(struct dma_path_out *out, struct device *dev)
{
	if (dev->dma_mask)
		out_field(out, "dma_mask", "0x%llx", *dev->dma_mask);
	else
		out_field(out, "dma_mask", "-");
	out_field(out, "coherent_mask", "0x%llx", dev->coherent_dma_mask);
}

#ifndef dma_has_direct_window
#define dma_has_direct_window(dev)	dev_dma_ops_bypass(dev)
#endif

#ifndef dma_translated_window
static bool dma_translated_window(struct device *dev, u64 *first, u64 *last)
{
	return false;
}
#endif

static const char *window_kind(const struct iommu_dma_status_window *window)
{
	return window->direct ? "direct" : "translated";
}

/* One line for each, as the addresses of the memory may be others. */
static void out_each_window(struct dma_path_out *out,
			    const struct iommu_dma_status *iommu)
{
	const struct iommu_dma_status_window *w;

	for (w = iommu->window; w < iommu->window + iommu->windows; w++) {
		if (w->direct)
			out_field(out, "window",
				  "%s first=0x%llx last=0x%llx phys=0x%llx",
				  window_kind(w), w->first, w->last, w->phys);
		else
			out_field(out, "window", "%s first=0x%llx last=0x%llx",
				  window_kind(w), w->first, w->last);
	}
}

/* Why it is not simply in pass-through: what does not reach all memory */
static const char *windows_for(struct device *dev, u64 highest)
{
	bool coherent = dev->coherent_dma_mask < highest;

	if (!highest)
		return "backend";
	if (dev->bus_dma_limit && dev->bus_dma_limit < highest)
		return "bus";
	if (dma_get_mask(dev) < highest)
		return coherent ? "masks" : "dma_mask";
	return coherent ? "coherent_mask" : "group";
}

/* Windows that only the operations of a platform know of */
static void out_own_windows(struct dma_path_out *out, struct device *dev)
{
	bool direct = dma_has_direct_window(dev), translated;
	u64 first, last;

	translated = dma_translated_window(dev, &first, &last);
	out_key(out, "windows");
	if (translated)
		seq_printf(out->m, "translated:0x%llx-0x%llx", first, last);
	if (translated && direct)
		seq_putc(out->m, ',');
	if (direct)
		seq_printf(out->m, "direct:0x%llx-0x%llx",
			   (u64)phys_to_dma(dev, 0),
			   (u64)phys_to_dma(dev, PFN_PHYS(max_pfn) - 1));
	if (!translated && !direct)
		seq_putc(out->m, '-');
	if (!out->line)
		seq_putc(out->m, '\n');
}

static void out_windows(struct dma_path_out *out, struct dma_path *path,
			const struct iommu_dma_status *iommu)
{
	struct device *dev = path->dev;
	const char *comma = "";
	unsigned int i;

	if (path->base_iommu && iommu->windows) {
		out_key(out, "windows");
		for (i = 0; i < iommu->windows; i++, comma = ",")
			seq_printf(out->m, "%s%s:0x%llx-0x%llx", comma,
				   window_kind(&iommu->window[i]),
				   iommu->window[i].first,
				   iommu->window[i].last);
		if (!out->line)
			seq_putc(out->m, '\n');
	} else if (path->base_iommu) {
		out_field(out, "windows", "translated:0x%llx-0x%llx",
			  iommu->first, iommu->last);
	} else if (dma_path_is_direct(path) && !dev->dma_range_map) {
		out_field(out, "windows", "direct:0x0-0x%llx",
			  (u64)PFN_PHYS(max_pfn) - 1);
	} else {
		out_own_windows(out, dev);
	}
}

static void out_domain(struct dma_path_out *out, struct dma_path *path)
{
	struct iommu_dma_status iommu = { .type = "-" };

	iommu_dma_get_status(path->dev, &iommu);
	out_field(out, "domain", "%s", iommu.type);
	out_windows(out, path, &iommu);
	if (path->base_iommu && iommu.windows)
		out_field(out, "windows_for", "%s",
			  windows_for(path->dev, iommu.highest));
	else
		out_field(out, "windows_for", "-");
	if (path->base_iommu && !out->line)
		out_each_window(out, &iommu);
	if (path->base_iommu)
		out_field(out, "flushes", "%llu", iommu.flushes);
	else
		out_field(out, "flushes", "-");
}

static void out_counters(struct dma_path_out *out, struct dma_path *path)
{
	struct dma_layer_counters c;
	struct dma_layer *layer;

	for (layer = path->head.below; layer; layer = layer->below) {
		if (!layer->type->counters)
			continue;
		c.known = 0;
		layer->type->counters(layer, &c);
		if (!(c.known & DMA_COUNTS_MAPPINGS))
			continue;
		out_field(out, "live", "%llu", c.live);
		out_field(out, "peak", "%llu", c.peak);
		out_field(out, "maps", "%llu", c.maps);
		out_field(out, "bytes", "%llu", c.bytes);
		return;
	}
	out_field(out, "live", "-");
	out_field(out, "peak", "-");
	out_field(out, "maps", "-");
	out_field(out, "bytes", "-");
}

static void out_path(struct dma_path_out *out, struct dma_path *path)
{
	char layers[DMA_LAYERS_MAX * DMA_LAYER_NAME_MAX];
	struct device *dev = path->dev;
	const char *driver = dev_driver_string(dev);

	lockdep_assert_held(&dma_path_mutex);

	/* Unbound, dev_driver_string() names the bus. */
	if (!READ_ONCE(dev->driver))
		driver = "-";
	dma_layers_print(path, layers, sizeof(layers));

	out_name(out, "bus", dev->bus->name);
	out_name(out, "driver", driver);
	out_field(out, "path", "%s", dma_path_kind(path));
	out_field(out, "backend", "%s",
		  path->backend ? path->backend->name : "none");
	out_field(out, "layers", "%s", layers);
	out_masks(out, dev);
	out_domain(out, path);
	out_counters(out, path);
	out_field(out, "bounced", "%llu", atomic64_read(&path->bounced));
}

static int status_show(struct seq_file *m, void *unused)
{
	struct dma_path_out out = { .m = m };
	struct dma_path *path = m->private;
	struct dma_layer *layer;

	guard(mutex)(&dma_path_mutex);
	out_name(&out, "device", dev_name(path->dev));
	out_path(&out, path);
	if (dma_is_noncoherent(path->dev))
		out_field(&out, "coherent", "no");
	for (layer = path->head.below; layer; layer = layer->below) {
		if (layer->type->show)
			layer->type->show(layer, m);
	}
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(status);

static void *devices_start(struct seq_file *m, loff_t *pos)
{
	mutex_lock(&dma_path_mutex);
	return seq_list_start(&dma_paths, *pos);
}

static void *devices_next(struct seq_file *m, void *v, loff_t *pos)
{
	return seq_list_next(v, &dma_paths, pos);
}

static void devices_stop(struct seq_file *m, void *v)
{
	mutex_unlock(&dma_path_mutex);
}

static int devices_show(struct seq_file *m, void *v)
{
	struct dma_path *path = list_entry(v, struct dma_path, node);
	struct dma_path_out out = { .m = m, .line = true };

	out_name(&out, "device", dev_name(path->dev));
	out_path(&out, path);
	seq_putc(m, '\n');
	return 0;
}

static const struct seq_operations devices_sops = {
	.start = devices_start,
	.next = devices_next,
	.stop = devices_stop,
	.show = devices_show,
};
DEFINE_SEQ_ATTRIBUTE(devices);

/* NULL when there is no such directory, so that nothing lands elsewhere. */
struct dentry *dma_path_debugfs_dir(const char *name, struct dentry *parent)
{
	struct dentry *dir;

	if (!parent)
		return NULL;
	dir = debugfs_create_dir(name, parent);
	return IS_ERR(dir) ? NULL : dir;
}

void dma_path_debugfs_add(struct dma_path *path)
{
	lockdep_assert_held(&dma_path_mutex);

	/* dma_path_root: NULL while it is too early for debugfs. */
	path->debugfs = dma_path_debugfs_dir(dev_name(path->dev),
					     dma_path_root);
	if (path->debugfs)
		debugfs_create_file("status", 0444, path->debugfs, path,
				    &status_fops);
}

void dma_path_debugfs_remove(struct dma_path *path)
{
	debugfs_remove(path->debugfs);
}

static int __init dma_path_debugfs_init(void)
{
	struct dentry *root = debugfs_create_dir("dma", NULL);
	struct dma_path *path;

	if (IS_ERR(root))
		return 0;

	guard(mutex)(&dma_path_mutex);
	dma_path_root = root;
	list_for_each_entry(path, &dma_paths, node)
		dma_path_debugfs_add(path);
	debugfs_create_file("devices", 0444, dma_path_root, NULL,
			    &devices_fops);
	return 0;
}

/*
 * After debugfs itself, before devices are looked for.  Layers that platform
 * code pushed earlier have no files.
 */
postcore_initcall(dma_path_debugfs_init);
