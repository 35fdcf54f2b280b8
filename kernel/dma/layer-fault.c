// SPDX-License-Identifier: GPL-2.0-only
/*
 * DMA layer "fault": makes mapping calls of one device fail, to see what its
 * driver does then.
 *
 * When to fail is said by the kernel's fault-injection attributes, in
 * <debugfs>/dma/<device>/fault/attr/; which calls by the file "calls" beside
 * it.  Calls that are not chosen do not count for interval and space.  A call
 * that fails never reaches what lies below.
 */
#include <linux/bitmap.h>
#include <linux/cleanup.h>
#include <linux/debugfs.h>
#include <linux/device.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/scatterlist.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include <kunit/visibility.h>
#include "layer-types.h"

#define FAULT_CALLS_ALL		GENMASK(DMA_FAULT_NR - 1, 0)

/* Longest text of the file "calls". */
#define FAULT_CALLS_TEXT	128

static const char * const fault_calls[DMA_FAULT_NR] = {
	[DMA_FAULT_MAP_PHYS] = "map_phys",
	[DMA_FAULT_MAP_SG] = "map_sg",
	[DMA_FAULT_ALLOC] = "alloc",
	[DMA_FAULT_ALLOC_PAGES] = "alloc_pages",
	[DMA_FAULT_ALLOC_NONCONTIGUOUS] = "alloc_noncontiguous",
};

/* What a device starts with; fails nothing unless the boot parameter says so */
static struct fault_attr fault_default = FAULT_ATTR_INITIALIZER;

static char *fault_default_text;

/* The same word on the kernel's and on modprobe's command line. */
#undef MODULE_PARAM_PREFIX
#define MODULE_PARAM_PREFIX	""
module_param_named(dma_layer_fault, fault_default_text, charp, 0444);
MODULE_PARM_DESC(dma_layer_fault,
		 "<interval>,<probability>,<space>,<times> that devices start with");

static bool fault_now(struct dma_layer *layer, enum dma_fault_call call,
		      size_t size)
{
	struct dma_fault *fault = layer->priv;

	atomic_long_inc(&fault->seen[call]);
	if (!(READ_ONCE(fault->calls) & BIT(call)))
		return false;
	if (!should_fail(&fault->attr, min_t(size_t, size, INT_MAX)))
		return false;
	atomic_long_inc(&fault->injected[call]);
	return true;
}

static void *fault_alloc(struct dma_layer *layer, size_t size,
			 dma_addr_t *handle, gfp_t gfp, unsigned long attrs)
{
	if (fault_now(layer, DMA_FAULT_ALLOC, size))
		return NULL;
	return dma_below_alloc(layer, size, handle, gfp, attrs);
}

static struct page *fault_alloc_pages(struct dma_layer *layer, size_t size,
				      dma_addr_t *handle,
				      enum dma_data_direction dir, gfp_t gfp)
{
	if (fault_now(layer, DMA_FAULT_ALLOC_PAGES, size))
		return NULL;
	return dma_below_alloc_pages(layer, size, handle, dir, gfp);
}

static struct sg_table *
fault_alloc_noncontiguous(struct dma_layer *layer, size_t size,
			  enum dma_data_direction dir, gfp_t gfp,
			  unsigned long attrs)
{
	if (fault_now(layer, DMA_FAULT_ALLOC_NONCONTIGUOUS, size))
		return NULL;
	return dma_below_alloc_noncontiguous(layer, size, dir, gfp, attrs);
}

static dma_addr_t fault_map_phys(struct dma_layer *layer, phys_addr_t phys,
				 size_t size, enum dma_data_direction dir,
				 unsigned long attrs)
{
	if (fault_now(layer, DMA_FAULT_MAP_PHYS, size))
		return DMA_MAPPING_ERROR;
	return dma_below_map_phys(layer, phys, size, dir, attrs);
}

static int fault_map_sg(struct dma_layer *layer, struct scatterlist *sgl,
			int nents, enum dma_data_direction dir,
			unsigned long attrs)
{
	struct scatterlist *sg;
	size_t size = 0;
	int i;

	for_each_sg(sgl, sg, nents, i)
		size += sg->length;
	if (fault_now(layer, DMA_FAULT_MAP_SG, size))
		return -ENOMEM;
	return dma_below_map_sg(layer, sgl, nents, dir, attrs);
}

static const struct dma_layer_ops fault_ops = {
	.alloc = fault_alloc,
	.alloc_pages_op = fault_alloc_pages,
	.alloc_noncontiguous = fault_alloc_noncontiguous,
	.map_phys = fault_map_phys,
	.map_sg = fault_map_sg,
};

/*
 * "all", "none", or names separated by blanks, commas or "+".
 */
VISIBLE_IF_KUNIT int dma_fault_parse_calls(struct device *dev, const char *text,
					   unsigned long *calls)
{
	char buf[FAULT_CALLS_TEXT], *pos = buf, *word;
	unsigned long mask = 0;
	int words = 0, call;

	if (strscpy(buf, text) < 0)
		goto refuse;
	while ((word = strsep(&pos, " \t\n,+"))) {
		if (!*word)
			continue;
		words++;
		if (!strcmp(word, "all")) {
			mask |= FAULT_CALLS_ALL;
			continue;
		}
		if (!strcmp(word, "none"))
			continue;
		call = match_string(fault_calls, DMA_FAULT_NR, word);
		if (call < 0)
			goto refuse;
		mask |= BIT(call);
	}
	if (!words)
		goto refuse;
	*calls = mask;
	return 0;

refuse:
	dev_err(dev, "calls for the fault layer refused; accepted: all, none, or some of map_phys, map_sg, alloc, alloc_pages, alloc_noncontiguous\n");
	return -EINVAL;
}
EXPORT_SYMBOL_IF_KUNIT(dma_fault_parse_calls);

static void fault_print_calls(struct seq_file *m, unsigned long calls)
{
	const char *sep = "";
	int call;

	if (!calls)
		seq_puts(m, "none");
	for_each_set_bit(call, &calls, DMA_FAULT_NR) {
		seq_printf(m, "%s%s", sep, fault_calls[call]);
		sep = "+";
	}
	seq_putc(m, '\n');
}

static int fault_calls_show(struct seq_file *m, void *unused)
{
	struct dma_layer *layer = m->private;
	struct dma_fault *fault = layer->priv;

	fault_print_calls(m, READ_ONCE(fault->calls));
	return 0;
}

static int fault_calls_open(struct inode *inode, struct file *file)
{
	return single_open(file, fault_calls_show, inode->i_private);
}

static ssize_t fault_calls_write(struct file *file, const char __user *ubuf,
				 size_t count, loff_t *ppos)
{
	struct dma_layer *layer = ((struct seq_file *)file->private_data)->private;
	struct dma_fault *fault = layer->priv;
	unsigned long calls;
	int ret;

	if (count > PAGE_SIZE)
		return -EINVAL;
	char *text __free(kfree) = memdup_user_nul(ubuf, count);
	if (IS_ERR(text))
		return PTR_ERR(no_free_ptr(text));
	ret = dma_fault_parse_calls(layer->dev, text, &calls);
	if (ret)
		return ret;
	WRITE_ONCE(fault->calls, calls);
	return count;
}

static const struct file_operations fault_calls_fops = {
	.owner = THIS_MODULE,
	.open = fault_calls_open,
	.read = seq_read,
	.write = fault_calls_write,
	.llseek = seq_lseek,
	.release = single_release,
};

static int fault_attach(struct dma_layer *layer)
{
	struct dma_fault *fault = kzalloc_obj(*fault);
	struct dentry *dir;

	if (!fault)
		return -ENOMEM;
	fault->attr = fault_default;
	/* A copied lock must not keep the original's lockdep class. */
	ratelimit_state_init(&fault->attr.ratelimit_state, 0,
			     DEFAULT_RATELIMIT_BURST);
	/* One line for each failure; "verbose" asks for a stack trace. */
	fault->attr.verbose = 1;
	fault->calls = FAULT_CALLS_ALL;
	layer->priv = fault;
	if (!layer->debugfs)
		return 0;

	dir = fault_create_debugfs_attr("attr", layer->debugfs, &fault->attr);
	if (IS_ERR(dir))
		dev_warn(layer->dev, "no fault-injection attributes: %pe\n",
			 dir);
	debugfs_create_file("calls", 0600, layer->debugfs, layer,
			    &fault_calls_fops);
	return 0;
}

static void fault_detach(struct dma_layer *layer)
{
	kfree(layer->priv);
}

static void fault_show(struct dma_layer *layer, struct seq_file *m)
{
	struct dma_fault *fault = layer->priv;
	int call;

	seq_puts(m, "fault.calls: ");
	fault_print_calls(m, READ_ONCE(fault->calls));
	for (call = 0; call < DMA_FAULT_NR; call++) {
		seq_printf(m, "fault.seen_%s: %ld\n", fault_calls[call],
			   atomic_long_read(&fault->seen[call]));
		seq_printf(m, "fault.injected_%s: %ld\n", fault_calls[call],
			   atomic_long_read(&fault->injected[call]));
	}
}

VISIBLE_IF_KUNIT struct dma_layer_type dma_layer_fault_type = {
	.name = "fault",
	.owner = THIS_MODULE,
	.ops = &fault_ops,
	.attach = fault_attach,
	.detach = fault_detach,
	.show = fault_show,
};
EXPORT_SYMBOL_IF_KUNIT(dma_layer_fault_type);

/*
 * Not while the command line is parsed: that is before there is memory, which
 * the parser of the attributes needs.
 */
static void __init fault_read_default(void)
{
	if (!fault_default_text ||
	    setup_fault_attr(&fault_default, fault_default_text))
		return;
	pr_err("dma_layer_fault: \"%s\" ignored; accepted: <interval>,<probability>,<space>,<times>\n",
	       fault_default_text);
}

static int __init fault_init(void)
{
	fault_read_default();
	return dma_layer_register(&dma_layer_fault_type);
}
subsys_initcall(fault_init);

static void __exit fault_exit(void)
{
	dma_layer_unregister(&dma_layer_fault_type);
}
module_exit(fault_exit);

MODULE_DESCRIPTION("DMA layer that makes mapping calls fail");
MODULE_LICENSE("GPL");
