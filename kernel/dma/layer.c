// SPDX-License-Identifier: GPL-2.0-only
/*
 * Layers on the DMA operations of a device: the kinds that exist, pushing and
 * popping, and their configuration at boot and through sysfs.
 */
#define pr_fmt(fmt) "dma-layer: " fmt

#include <kunit/visibility.h>
#include <linux/cleanup.h>
#include <linux/ctype.h>
#include <linux/debugfs.h>
#include <linux/export.h>
#include <linux/glob.h>
#include <linux/hex.h>
#include <linux/init.h>
#include <linux/kmod.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/sysfs.h>
#include <trace/events/dma_path.h>
#include "path.h"

/* Under dma_path_mutex. */
static LIST_HEAD(dma_layer_types);

/* dma_layers= as given, several of them joined; fixed after early boot. */
static char dma_layers_buf[1024];
VISIBLE_IF_KUNIT char *dma_layers_cmdline;

static struct dma_layer_type *dma_layer_find_type(const char *name)
{
	struct dma_layer_type *type;

	lockdep_assert_held(&dma_path_mutex);

	list_for_each_entry(type, &dma_layer_types, node) {
		if (!strcmp(type->name, name))
			return type;
	}
	return NULL;
}

/* For messages: what could have been written instead. */
static void dma_layer_names(char *buf, size_t size)
{
	struct dma_layer_type *type;
	int len = 0;

	guard(mutex)(&dma_path_mutex);
	*buf = '\0';
	list_for_each_entry(type, &dma_layer_types, node)
		len += scnprintf(buf + len, size - len, "%s%s",
				 len ? ", " : "", type->name);
	if (!len)
		strscpy(buf, "none", size);
}

static bool dma_layer_name_valid(const char *name, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++) {
		if (!islower(name[i]) && !isdigit(name[i]))
			return false;
	}
	return len && len < DMA_LAYER_NAME_MAX;
}

static bool dma_layer_on_stack(struct dma_path *path,
			       const struct dma_layer_type *type)
{
	struct dma_layer *layer;

	for (layer = path->head.below; layer; layer = layer->below) {
		if (layer->type == type)
			return true;
	}
	return false;
}

/* The device is locked and unbound: no mapping walks the stack meanwhile. */
static void dma_path_set_top(struct dma_path *path, struct dma_layer *top,
			     int depth_change)
{
	guard(mutex)(&dma_path_mutex);
	guard(spinlock_irqsave)(&dma_path_lock);
	path->head.below = top;
	path->depth += depth_change;
	dma_path_resolve(path);
}

/* Returns the type of that name with a reference to its module. */
static struct dma_layer_type *dma_layer_get_type(struct dma_path *path,
						 const char *name)
{
	struct dma_layer_type *type;

	guard(mutex)(&dma_path_mutex);
	type = dma_layer_find_type(name);
	if (!type)
		return ERR_PTR(-ENOENT);
	if (dma_layer_on_stack(path, type))
		return ERR_PTR(-EEXIST);
	if (path->depth >= DMA_LAYERS_MAX)
		return ERR_PTR(-ENOSPC);
	if (!try_module_get(type->owner))
		return ERR_PTR(-ENOENT);
	return type;
}

static void dma_layer_free(struct dma_layer *layer)
{
	debugfs_remove(layer->debugfs);
	if (layer->type->detach)
		layer->type->detach(layer);
	module_put(layer->type->owner);
	kfree(layer);
}

static void dma_layer_pop_one(struct dma_path *path)
{
	struct dma_layer *layer = path->head.below;

	trace_dma_layer_pop(path->dev, layer->type->name, 0);
	if (layer->type->groups)
		device_remove_groups(path->dev, layer->type->groups);
	dma_path_set_top(path, layer->below, -1);
	dma_layer_free(layer);
}

static struct dma_layer *dma_layer_attach(struct dma_path *path,
					  struct dma_layer_type *type)
{
	struct dma_layer *layer = kzalloc_obj(*layer);
	int ret = 0;

	if (!layer)
		return ERR_PTR(-ENOMEM);
	layer->type = type;
	layer->dev = path->dev;
	layer->below = path->head.below;
	layer->debugfs = dma_path_debugfs_dir(type->name, path->debugfs);
	if (type->attach)
		ret = type->attach(layer);
	if (ret) {
		debugfs_remove(layer->debugfs);
		kfree(layer);
		return ERR_PTR(ret);
	}
	return layer;
}

static int dma_layer_push_one(struct dma_path *path, const char *name)
{
	struct dma_layer_type *type = dma_layer_get_type(path, name);
	struct dma_layer *layer;
	int ret;

	if (IS_ERR(type))
		return PTR_ERR(type);
	layer = dma_layer_attach(path, type);
	if (IS_ERR(layer)) {
		module_put(type->owner);
		return PTR_ERR(layer);
	}

	dma_path_set_top(path, layer, 1);
	if (!type->groups)
		return 0;
	ret = device_add_groups(path->dev, type->groups);
	if (ret) {
		dma_path_set_top(path, layer->below, -1);
		dma_layer_free(layer);
	}
	return ret;
}

static struct dma_path *dma_path_unbound(struct device *dev, const char *what)
{
	struct dma_path *path = dev->archdata.dma_path;

	device_lock_assert(dev);

	if (!path) {
		dev_err(dev, "cannot %s: not on a DMA-capable bus\n", what);
		return ERR_PTR(-ENODEV);
	}
	if (dev->driver) {
		dev_err(dev, "cannot %s while driver %s is bound; unbind it first\n",
			what, dev_driver_string(dev));
		return ERR_PTR(-EBUSY);
	}
	return path;
}

static void dma_layer_complain(struct device *dev, const char *name, int err)
{
	char names[128];

	dma_layer_names(names, sizeof(names));
	switch (err) {
	case -ENOENT:
		dev_err(dev, "unknown layer \"%s\"; accepted: %s\n", name,
			names);
		break;
	case -EEXIST:
		dev_err(dev, "layer %s is on the device already\n", name);
		break;
	case -ENOSPC:
		dev_err(dev, "no layer %s: a device carries at most %d\n",
			name, DMA_LAYERS_MAX);
		break;
	default:
		dev_err(dev, "layer %s cannot be pushed: %pe\n", name,
			ERR_PTR(err));
	}
}

/**
 * dma_layer_push - put a layer on top of a device's DMA operations
 * @dev: device, locked by the caller
 * @name: name of a registered layer
 *
 * Context: process, may sleep.
 * Return: 0; -EBUSY when a driver is bound; -ENODEV when the device is not on
 * a DMA-capable bus; -ENOENT for an unknown layer, -EEXIST when the device has
 * it already, -ENOSPC when it has DMA_LAYERS_MAX; or an error of the layer.
 * Every refusal is reported with what would be accepted.
 */
int dma_layer_push(struct device *dev, const char *name)
{
	struct dma_path *path = dma_path_unbound(dev, "push a layer");
	int ret;

	if (IS_ERR(path)) {
		ret = PTR_ERR(path);
	} else {
		ret = dma_layer_push_one(path, name);
		if (ret)
			dma_layer_complain(dev, name, ret);
	}
	trace_dma_layer_push(dev, name, ret);
	return ret;
}
EXPORT_SYMBOL_GPL(dma_layer_push);

/**
 * dma_layer_pop - take the top layer off a device
 * @dev: device, locked by the caller
 *
 * Context: process, may sleep.
 * Return: 0; -EBUSY when a driver is bound; -ENODEV when the device is not on
 * a DMA-capable bus; -ENOENT when it has no layer.
 */
int dma_layer_pop(struct device *dev)
{
	struct dma_path *path = dma_path_unbound(dev, "pop a layer");
	int ret = -ENOENT;

	if (IS_ERR(path)) {
		ret = PTR_ERR(path);
	} else if (path->depth) {
		dma_layer_pop_one(path);
		return 0;
	}
	trace_dma_layer_pop(dev, "", ret);
	return ret;
}
EXPORT_SYMBOL_GPL(dma_layer_pop);

void dma_layers_pop_all(struct dma_path *path)
{
	device_lock_assert(path->dev);

	while (path->depth)
		dma_layer_pop_one(path);
}

/**
 * dma_layer_get - find a device's layer of a given type
 * @dev: device
 * @type: type
 *
 * Context: process, may sleep; the caller knows that the layer stays, because
 * it is called from an attribute of @type or holds the device lock.
 * Return: the layer, or NULL.
 */
struct dma_layer *dma_layer_get(struct device *dev,
				const struct dma_layer_type *type)
{
	struct dma_layer *layer;

	guard(mutex)(&dma_path_mutex);
	if (!dev->archdata.dma_path)
		return NULL;
	layer = dev->archdata.dma_path->head.below;
	while (layer && layer->type != type)
		layer = layer->below;
	return layer;
}
EXPORT_SYMBOL_GPL(dma_layer_get);

/* Bottom to top, as in the grammar of dma_layers=. */
int dma_layers_print(struct dma_path *path, char *buf, size_t size)
{
	struct dma_layer *layers[DMA_LAYERS_MAX], *layer;
	unsigned int n = 0;
	int len = 0;

	lockdep_assert_held(&dma_path_mutex);

	if (!path->depth)
		return scnprintf(buf, size, "none");
	for (layer = path->head.below; layer; layer = layer->below)
		layers[n++] = layer;
	while (n--)
		len += scnprintf(buf + len, size - len, "%s%s",
				 len ? "+" : "", layers[n]->type->name);
	return len;
}

/* How many names does "name[+name...]" hold?  An errno if it is not of the form. */
static int dma_layers_count(const char *spec)
{
	size_t len;
	int n = 0;

	if (!strcmp(spec, "none"))
		return 0;
	for (;; spec += len + 1) {
		len = strcspn(spec, "+");
		if (!dma_layer_name_valid(spec, len))
			return -EINVAL;
		if (++n > DMA_LAYERS_MAX)
			return -ENOSPC;
		if (!spec[len])
			return n;
	}
}

/* Cuts @spec into its names and returns their number. */
static int dma_layers_split(char *spec, char **names)
{
	int i, n;

	spec = strim(spec);
	n = dma_layers_count(spec);
	for (i = 0; i < n; i++)
		names[i] = strsep(&spec, "+");
	return n;
}

static int dma_layers_split_or_complain(struct device *dev, char *spec,
					char **names)
{
	char known[128];
	int n = dma_layers_split(spec, names);

	if (n >= 0)
		return n;
	dma_layer_names(known, sizeof(known));
	dev_err(dev, "bad list of layers; accepted: none, or up to %d of %s joined by \"+\", bottom first\n",
		DMA_LAYERS_MAX, known);
	return n;
}

/* How many layers, counted from the bottom, are as wanted already. */
static int dma_layers_common(struct dma_path *path, char **names, int n)
{
	struct dma_layer *layer;
	int pos = path->depth, common = n;

	for (layer = path->head.below; layer; layer = layer->below) {
		pos--;
		if (pos < n && strcmp(layer->type->name, names[pos]))
			common = pos;
	}
	return min_t(int, common, path->depth);
}

/* Refuse what can be known to fail before anything is popped. */
static int dma_layers_check_names(struct device *dev, char **names, int n)
{
	bool known;
	int i, j;

	for (i = 0; i < n; i++) {
		scoped_guard(mutex, &dma_path_mutex)
			known = dma_layer_find_type(names[i]);
		if (!known) {
			dma_layer_complain(dev, names[i], -ENOENT);
			return -ENOENT;
		}
		for (j = 0; j < i; j++) {
			if (strcmp(names[i], names[j]))
				continue;
			dma_layer_complain(dev, names[i], -EEXIST);
			return -EEXIST;
		}
	}
	return 0;
}

static void dma_layers_restore(struct dma_path *path, char *spec)
{
	char *names[DMA_LAYERS_MAX];
	int i, n, keep;

	n = dma_layers_split(spec, names);
	keep = dma_layers_common(path, names, n);
	while (path->depth > keep)
		dma_layer_pop_one(path);
	for (i = keep; i < n; i++) {
		int ret = dma_layer_push_one(path, names[i]);

		if (ret) {
			dev_err(path->dev, "former layer %s is lost: %pe\n",
				names[i], ERR_PTR(ret));
			break;
		}
	}
}

/**
 * dma_layers_set - give a device exactly the layers of a list
 * @dev: device, locked by the caller
 * @spec: "none", or names joined by "+", bottom first
 *
 * Layers that are in place already stay as they are, with their settings.
 * When one cannot be pushed the former layers are put back.
 *
 * Context: process, may sleep.
 * Return: 0, -EINVAL for a malformed list, or an error of dma_layer_push().
 */
int dma_layers_set(struct device *dev, const char *spec)
{
	char before[DMA_LAYERS_MAX * DMA_LAYER_NAME_MAX];
	char *names[DMA_LAYERS_MAX];
	struct dma_path *path;
	int i, n, keep, ret;

	char *copy __free(kfree) = kstrdup(spec, GFP_KERNEL);
	if (!copy)
		return -ENOMEM;

	path = dma_path_unbound(dev, "change layers");
	if (IS_ERR(path))
		return PTR_ERR(path);
	n = dma_layers_split_or_complain(dev, copy, names);
	if (n < 0)
		return n;
	ret = dma_layers_check_names(dev, names, n);
	if (ret)
		return ret;

	scoped_guard(mutex, &dma_path_mutex)
		dma_layers_print(path, before, sizeof(before));
	keep = dma_layers_common(path, names, n);
	while (path->depth > keep)
		dma_layer_pop_one(path);
	for (i = keep; i < n; i++) {
		ret = dma_layer_push(dev, names[i]);
		if (ret) {
			dma_layers_restore(path, before);
			return ret;
		}
	}
	kfree(path->wanted);
	path->wanted = NULL;
	return 0;
}
EXPORT_SYMBOL_GPL(dma_layers_set);

static void dma_layers_request(const char *spec)
{
	char *names[DMA_LAYERS_MAX];
	int n;

	char *copy __free(kfree) = kstrdup(spec, GFP_KERNEL);
	if (!copy)
		return;
	n = dma_layers_split(copy, names);
	while (n-- > 0) {
		struct dma_layer_type *type;

		scoped_guard(mutex, &dma_path_mutex)
			type = dma_layer_find_type(names[n]);
		if (!type)
			request_module("dma-layer-%s", names[n]);
	}
}

/*
 * Push what @path->wanted lists, as far as the layers exist; the rest stays
 * wanted until the next one is registered.
 */
void dma_layers_resume(struct dma_path *path)
{
	char *rest = path->wanted;

	device_lock_assert(path->dev);

	while (rest) {
		size_t len = strcspn(rest, "+");
		bool known;

		char *name __free(kfree) = kmemdup_nul(rest, len, GFP_KERNEL);
		if (!name)
			break;
		scoped_guard(mutex, &dma_path_mutex)
			known = dma_layer_find_type(name);
		if (!known)
			break;
		dma_layer_push(path->dev, name);
		rest = rest[len] ? rest + len + 1 : NULL;
	}
	if (rest == path->wanted)
		return;
	if (rest) {
		memmove(path->wanted, rest, strlen(rest) + 1);
	} else {
		kfree(path->wanted);
		path->wanted = NULL;
	}
}

/**
 * dma_layer_register - make a layer known under its name
 * @type: the layer; must stay valid until dma_layer_unregister()
 *
 * Devices for which the layer was asked for at boot get it, unless they are
 * bound to a driver: they follow when it is unbound.
 *
 * Context: process, may sleep.
 * Return: 0, -EINVAL for a bad name or missing operations, -EEXIST when the
 * name is taken.
 */
int dma_layer_register(struct dma_layer_type *type)
{
	if (!type->ops || !type->name ||
	    !dma_layer_name_valid(type->name, strlen(type->name)) ||
	    !strcmp(type->name, "none")) {
		pr_err("a layer needs operations, and a name of lower case letters and digits shorter than %d other than \"none\"\n",
		       DMA_LAYER_NAME_MAX);
		return -EINVAL;
	}

	if (type->ops->alloc_pages_op && !type->ops->alloc_noncontiguous) {
		pr_err("layer %s would not see non-contiguous memory\n",
		       type->name);
		return -EINVAL;
	}

	scoped_guard(mutex, &dma_path_mutex) {
		if (dma_layer_find_type(type->name)) {
			pr_err("layer %s is registered already\n", type->name);
			return -EEXIST;
		}
		list_add_tail(&type->node, &dma_layer_types);
		dma_paths_mark();
	}
	dma_paths_scan();
	return 0;
}
EXPORT_SYMBOL_GPL(dma_layer_register);

/**
 * dma_layer_unregister - forget a layer
 * @type: the layer; no device carries it, as each one pins its module
 *
 * Context: process, may sleep.
 */
void dma_layer_unregister(struct dma_layer_type *type)
{
	struct dma_path *path;

	guard(mutex)(&dma_path_mutex);
	list_del(&type->node);
	list_for_each_entry(path, &dma_paths, node)
		WARN_ON(dma_layer_on_stack(path, type));
}
EXPORT_SYMBOL_GPL(dma_layer_unregister);

/*
 * Boot parameter
 */

#define DMA_PATTERN_ANY		-1

/* Four hex digits or "*" at the start; returns what follows, or NULL. */
static const char *dma_pattern_id(const char *pattern, int *id)
{
	int i;

	if (*pattern == '*') {
		*id = DMA_PATTERN_ANY;
		return pattern + 1;
	}
	for (i = 0, *id = 0; i < 4; i++) {
		int digit = hex_to_bin(pattern[i]);

		if (digit < 0)
			return NULL;
		*id = *id << 4 | digit;
	}
	return pattern + 4;
}

/* "<vendor>:<device>" */
static bool dma_pattern_parse_pci(const char *pattern, int *vendor,
				  int *device)
{
	pattern = dma_pattern_id(pattern, vendor);
	if (!pattern || *pattern != ':')
		return false;
	pattern = dma_pattern_id(pattern + 1, device);
	return pattern && !*pattern;
}

static bool dma_pattern_match_pci(const char *pattern, struct device *dev)
{
	int vendor, device;

	if (!dma_pattern_parse_pci(pattern, &vendor, &device) ||
	    !dev_is_pci(dev))
		return false;
	if (vendor != DMA_PATTERN_ANY && vendor != to_pci_dev(dev)->vendor)
		return false;
	return device == DMA_PATTERN_ANY || device == to_pci_dev(dev)->device;
}

/*
 * Does a device answer to a pattern of the command line: its name, with * and
 * ?, or "pci:<vendor>:<device>"?
 */
bool dma_pattern_match(const char *pattern, struct device *dev)
{
	if (str_has_prefix(pattern, "pci:"))
		return dma_pattern_match_pci(pattern + 4, dev);
	return glob_match(pattern, dev_name(dev));
}

/* Cuts "<device>:<layers>" at its last colon; NULL when malformed. */
static char *dma_layers_cut(char *entry)
{
	char *colon = strrchr(entry, ':');
	int vendor, device;

	if (!colon || colon == entry)
		return NULL;
	*colon++ = '\0';
	if (str_has_prefix(entry, "pci:") &&
	    !dma_pattern_parse_pci(entry + 4, &vendor, &device))
		return NULL;
	colon = strim(colon);
	return dma_layers_count(colon) > 0 ? colon : NULL;
}

/* The layers of the first entry that matches, or NULL when none does. */
static char *dma_layers_configured(struct device *dev)
{
	char *pos, *entry;

	char *copy __free(kfree) = kstrdup(dma_layers_cmdline, GFP_KERNEL);
	if (!copy)
		return ERR_PTR(-ENOMEM);
	for (pos = copy; (entry = strsep(&pos, ","));) {
		char *layers = dma_layers_cut(entry);

		if (layers && dma_pattern_match(entry, dev))
			return kstrdup(layers, GFP_KERNEL) ?: ERR_PTR(-ENOMEM);
	}
	return NULL;
}

void dma_layers_boot(struct dma_path *path)
{
	char *wanted;

	if (!dma_layers_cmdline)
		return;
	wanted = dma_layers_configured(path->dev);
	if (IS_ERR(wanted)) {
		dev_err(path->dev, "dma_layers: no memory\n");
		return;
	}
	path->wanted = wanted;
	dma_layers_resume(path);
}

static int __init dma_layers_setup(char *str)
{
	size_t len = strlen(dma_layers_buf);
	int need = snprintf(dma_layers_buf + len, sizeof(dma_layers_buf) - len,
			    "%s%s", len ? "," : "", str);

	if (need >= sizeof(dma_layers_buf) - len) {
		dma_layers_buf[len] = '\0';
		pr_err("dma_layers: \"%s\" ignored: more than %zu characters in all\n",
		       str, sizeof(dma_layers_buf) - 1);
	}
	dma_layers_cmdline = dma_layers_buf;
	return 1;
}
__setup("dma_layers=", dma_layers_setup);

/* One message for each malformed entry, when the console is up. */
static int __init dma_layers_check(void)
{
	char *pos, *entry;

	if (!dma_layers_cmdline)
		return 0;

	char *copy __free(kfree) = kstrdup(dma_layers_cmdline, GFP_KERNEL);
	for (pos = copy; (entry = strsep(&pos, ","));) {
		char *shown __free(kfree) = kstrdup(entry, GFP_KERNEL);

		if (!dma_layers_cut(entry))
			pr_err("dma_layers: \"%s\" ignored; accepted: <device>:<layer>[+<layer>...], where <device> is a device name such as 0000:00:05.0 (with * and ?) or pci:<vendor>:<device> (four hex digits or *)\n",
			       shown ?: "?");
	}
	return 0;
}
core_initcall(dma_layers_check);

/* Modules may bring layers later, so this is a hint, not an error. */
static int __init dma_layers_check_wanted(void)
{
	struct dma_path *path;
	char names[128];

	dma_layer_names(names, sizeof(names));
	guard(mutex)(&dma_path_mutex);
	list_for_each_entry(path, &dma_paths, node) {
		if (path->wanted)
			dev_warn(path->dev, "dma_layers: \"%s\" waits for a module; present: %s\n",
				 path->wanted, names);
	}
	return 0;
}
late_initcall_sync(dma_layers_check_wanted);

/*
 * sysfs
 */

static ssize_t layers_show(struct device *dev, struct device_attribute *attr,
			   char *buf)
{
	int len;

	guard(mutex)(&dma_path_mutex);
	if (!dev->archdata.dma_path)
		return -ENODEV;
	len = dma_layers_print(dev->archdata.dma_path, buf, PAGE_SIZE - 1);
	return len + sysfs_emit_at(buf, len, "\n");
}

static ssize_t layers_store(struct device *dev, struct device_attribute *attr,
			    const char *buf, size_t count)
{
	int ret;

	dma_layers_request(buf);

	/* Removal of the device or of a layer waits for us with the lock held. */
	if (!device_trylock(dev))
		return restart_syscall();
	ret = dma_layers_set(dev, buf);
	device_unlock(dev);
	return ret ?: count;
}
static DEVICE_ATTR_RW(layers);

static ssize_t backend_show(struct device *dev, struct device_attribute *attr,
			    char *buf)
{
	struct dma_path *path;

	guard(mutex)(&dma_path_mutex);
	path = dev->archdata.dma_path;
	if (!path)
		return -ENODEV;
	return sysfs_emit(buf, "%s\n", path->backend ? path->backend->name :
					       "none");
}
static DEVICE_ATTR_RO(backend);

static ssize_t path_show(struct device *dev, struct device_attribute *attr,
			 char *buf)
{
	guard(mutex)(&dma_path_mutex);
	if (!dev->archdata.dma_path)
		return -ENODEV;
	return sysfs_emit(buf, "%s\n", dma_path_kind(dev->archdata.dma_path));
}
static DEVICE_ATTR_RO(path);

static struct attribute *dma_path_attrs[] = {
	&dev_attr_layers.attr,
	&dev_attr_backend.attr,
	&dev_attr_path.attr,
	NULL
};

const struct attribute_group dma_path_group = {
	.name = "dma_path",
	.attrs = dma_path_attrs,
};
