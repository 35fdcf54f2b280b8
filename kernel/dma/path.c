// SPDX-License-Identifier: GPL-2.0-only
/*
 * Per-device DMA paths: the device hook, back ends, and the one place where
 * the operations of a device are resolved.
 *
 * The DMA API loads dev->dma_ops and the DMA_IOMMU flag, nothing else.  What
 * they hold is worked out here whenever one of their sources changes: layers,
 * set_dma_ops(), the back end's choice in dev_archdata, iommu-dma.
 */
#define pr_fmt(fmt) "dma-path: " fmt

#include <linux/cleanup.h>
#include <linux/device.h>
#include <linux/device/bus.h>
#include <linux/export.h>
#include <linux/dma-path.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/workqueue.h>
#include "path.h"

#define CREATE_TRACE_POINTS
#include <trace/events/dma_path.h>

/* Protects the lists of devices, back ends and layers, and see path.h. */
DEFINE_MUTEX(dma_path_mutex);
LIST_HEAD(dma_paths);

/*
 * Held while a source of a device's operations changes, and where a path is
 * published or withdrawn.  Innermost.
 */
DEFINE_SPINLOCK(dma_path_lock);

/* Highest priority first; under dma_path_mutex. */
static LIST_HEAD(dma_backends);
static u64 dma_backend_serial;

/* Both fields hold what they would hold had the stack never been there. */
static void dma_path_unstack(struct dma_path *path)
{
	struct device *dev = path->dev;

	/* iommu-dma comes first, and the DMA API wants only one. */
	dev->dma_ops = path->base_iommu ? NULL :
		       path->own_ops ?: dev->archdata.dma_ops;
	dev_assign_dma_iommu(dev, path->base_iommu);
}

/*
 * With layers, or caches to maintain, the device's operations are those of the
 * stack and iommu-dma does not see the device.
 */
void dma_path_resolve(struct dma_path *path)
{
	const struct dma_map_ops *ops;
	struct device *dev = path->dev;

	lockdep_assert_held(&dma_path_lock);

	/* What is below may bounce although what was there before did not. */
	dma_reset_need_sync(dev);

	if (!path->depth && !dma_is_noncoherent(dev)) {
		dma_path_unstack(path);
		return;
	}

	ops = path->own_ops ?: dev->archdata.dma_ops;
	if (path->base_iommu)
		path->below_caches = &dma_base_iommu_ops;
	else
		path->below_caches = ops ?: get_arch_dma_ops(dev) ?:
				     &dma_base_direct_ops;
	path->base = dma_is_noncoherent(dev) ? &dma_noncoherent_ops :
					       path->below_caches;
	dev_clear_dma_iommu(dev);
	dev->dma_ops = &dma_stack_ops;
}

bool dma_path_is_direct(struct dma_path *path)
{
	struct device *dev = path->dev;

	return !path->base_iommu && !path->own_ops && !dev->archdata.dma_ops &&
	       !get_arch_dma_ops(dev);
}

/* Where the mappings of the device end up, below all layers. */
const char *dma_path_kind(struct dma_path *path)
{
	if (path->base_iommu)
		return "iommu";
	return dma_path_is_direct(path) ? "direct" : "ops";
}

/**
 * set_dma_ops - choose the DMA operations of a device
 * @dev: device
 * @ops: operations, or NULL to go back to the choice of the back end, of the
 *	architecture, or direct mapping, whichever comes first
 *
 * Layers stay on top.  Must not be called while @dev has live mappings.  What
 * another device has is inherited by way of dma_unlayered_ops().
 *
 * Context: any.
 */
void set_dma_ops(struct device *dev, const struct dma_map_ops *ops)
{
	struct dma_path *path;

	/* Its layers are another device's. */
	if (WARN_ON_ONCE(ops == &dma_stack_ops))
		return;

	guard(spinlock_irqsave)(&dma_path_lock);
	path = dev->archdata.dma_path;
	if (path) {
		path->own_ops = ops;
		dma_path_resolve(path);
	} else {
		dev->dma_ops = ops ?: dev->archdata.dma_ops;
	}
}
EXPORT_SYMBOL_GPL(set_dma_ops);

/**
 * dma_path_set_iommu - say whether iommu-dma serves a device
 * @dev: device
 * @on: true when the device's default domain belongs to iommu-dma
 *
 * Context: any; the mutex of the device's IOMMU group is held.
 */
void dma_path_set_iommu(struct device *dev, bool on)
{
	struct dma_path *path;

	guard(spinlock_irqsave)(&dma_path_lock);
	path = dev->archdata.dma_path;
	if (path) {
		path->base_iommu = on;
		dma_path_resolve(path);
	} else {
		dev_assign_dma_iommu(dev, on);
	}
}

#ifdef CONFIG_DMA_NONCOHERENT
/*
 * Does the device snoop the CPU's caches?  Like set_dma_ops(), not to be called
 * while there are live mappings.
 */
void dma_path_set_coherent(struct device *dev, bool coherent)
{
	guard(spinlock_irqsave)(&dma_path_lock);
	dev_assign_dma_coherent(dev, coherent);
	if (dev->archdata.dma_path)
		dma_path_resolve(dev->archdata.dma_path);
}
#endif

/**
 * dma_path_base_iommu - does iommu-dma serve the device below its layers?
 * @dev: device
 *
 * Context: any; the device is registered.
 * Return: true if so; false for a coherent device without layers in any case.
 */
bool dma_path_base_iommu(struct device *dev)
{
	return dev->dma_ops == &dma_stack_ops &&
	       dev->archdata.dma_path->base_iommu;
}

/**
 * dma_base_ops - operations below all layers of a device
 * @dev: device
 *
 * Not those that maintain caches, but what they call.
 *
 * For helpers that implement one operation of a back end by another of its
 * operations, and must not enter the stack anew.
 *
 * Context: any.
 * Return: the operations, or NULL for iommu-dma and for direct mapping when
 * the device is coherent and carries no layer.
 */
const struct dma_map_ops *dma_base_ops(struct device *dev)
{
	const struct dma_map_ops *ops = get_dma_ops(dev);

	if (ops == &dma_stack_ops)
		return dev->archdata.dma_path->below_caches;
	return ops;
}

/**
 * dma_unlayered_ops - operations that a device would have without layers
 * @dev: device
 *
 * For those who compare them, or hand them on to another device.
 *
 * Context: any.
 * Return: the operations, or NULL for iommu-dma and for direct mapping.
 */
const struct dma_map_ops *dma_unlayered_ops(struct device *dev)
{
	const struct dma_map_ops *base = dma_base_ops(dev);

	if (base == &dma_base_direct_ops || base == &dma_base_iommu_ops)
		return NULL;
	return base;
}

/**
 * dma_path_count_bounce - note that a buffer went through swiotlb
 * @dev: device
 * @size: bytes
 *
 * Context: any.
 */
void dma_path_count_bounce(struct device *dev, size_t size)
{
	struct dma_path *path;

	guard(rcu)();
	path = READ_ONCE(dev->archdata.dma_path);
	if (path)
		atomic64_add(size, &path->bounced);
}

/**
 * dma_backend_set_ops - choose the DMA operations of a device as its back end
 * @dev: device that the caller's &dma_backend.probe is taking
 * @ops: operations, or NULL for those of the architecture or direct mapping
 *
 * set_dma_ops() overrides the choice for as long as it holds.
 *
 * Context: process, from within &dma_backend.probe or &dma_backend.remove.
 */
void dma_backend_set_ops(struct device *dev, const struct dma_map_ops *ops)
{
	struct dma_path *path = dev->archdata.dma_path;

	lockdep_assert_held(&dma_path_mutex);

	guard(spinlock_irqsave)(&dma_path_lock);
	dev->archdata.dma_ops = ops;
	dma_path_resolve(path);
}
EXPORT_SYMBOL_GPL(dma_backend_set_ops);

static void dma_path_leave(struct dma_path *path)
{
	struct dma_backend *backend = path->backend;

	if (!backend)
		return;
	if (backend->remove)
		backend->remove(path->dev);
	dma_backend_set_ops(path->dev, NULL);
	path->backend = NULL;
	trace_dma_backend_leave(path->dev, backend->name);
}

/* True when the back end has taken the device. */
static bool dma_path_offer(struct dma_path *path, struct dma_backend *backend)
{
	struct device *dev = path->dev;
	const struct dma_map_ops *old_ops = dev->archdata.dma_ops;
	const struct dma_map_ops *new_ops;
	int ret;

	/* The old choice must not be mistaken for one of the new back end. */
	dma_backend_set_ops(dev, NULL);
	ret = backend->probe(dev);
	trace_dma_backend_probe(dev, backend->name, ret);
	if (ret) {
		if (ret != -ENODEV)
			dev_err(dev, "DMA back end %s refused the device: %pe\n",
				backend->name, ERR_PTR(ret));
		dma_backend_set_ops(dev, old_ops);
		return false;
	}

	new_ops = dev->archdata.dma_ops;
	dma_path_leave(path);
	dma_backend_set_ops(dev, new_ops);
	path->backend = backend;
	return true;
}

/*
 * Ask the back ends that come before the present one, each once.  The caller
 * knows that no driver is bound.
 */
static void dma_path_settle(struct dma_path *path)
{
	struct dma_backend *backend;
	u64 asked = path->asked;
	bool taken;

	lockdep_assert_held(&dma_path_mutex);

	path->asked = dma_backend_serial;
	list_for_each_entry(backend, &dma_backends, node) {
		if (backend == path->backend)
			break;
		if (backend->serial <= asked || !try_module_get(backend->owner))
			continue;
		taken = dma_path_offer(path, backend);
		module_put(backend->owner);
		if (taken)
			break;
	}
}

/* The back end is gone: others may want the device, whatever they said. */
static void dma_path_settle_anew(struct dma_path *path)
{
	dma_path_leave(path);
	path->asked = 0;
	dma_path_settle(path);
}

/* Have dma_paths_scan() visit every device. */
void dma_paths_mark(void)
{
	struct dma_path *path;

	lockdep_assert_held(&dma_path_mutex);
	list_for_each_entry(path, &dma_paths, node)
		path->scan = true;
}

static struct device *dma_paths_next(void)
{
	struct dma_path *path;

	guard(mutex)(&dma_path_mutex);
	list_for_each_entry(path, &dma_paths, node) {
		if (path->scan) {
			path->scan = false;
			return get_device(path->dev);
		}
	}
	return NULL;
}

/* A bound device has its turn in dma_device_unbound(). */
static void dma_path_visit(struct device *dev)
{
	struct dma_path *path = dev->archdata.dma_path;

	device_lock_assert(dev);
	if (!path || dev->driver)
		return;
	scoped_guard(mutex, &dma_path_mutex)
		dma_path_settle(path);
	dma_layers_resume(path);
}

static void dma_paths_scan_work(struct work_struct *work)
{
	struct device *dev;

	while ((dev = dma_paths_next())) {
		scoped_guard(device, dev)
			dma_path_visit(dev);
		put_device(dev);
	}
}

static DECLARE_WORK(dma_paths_work, dma_paths_scan_work);

/*
 * Visit the marked devices.  A caller may hold the lock of one of them, a
 * driver in its probe function for example: such a device is left to the work
 * item.
 */
void dma_paths_scan(void)
{
	struct device *dev;
	bool again = false;

	while ((dev = dma_paths_next())) {
		if (device_trylock(dev)) {
			dma_path_visit(dev);
			device_unlock(dev);
		} else {
			again = true;
		}
		put_device(dev);
	}
	if (!again)
		return;

	scoped_guard(mutex, &dma_path_mutex)
		dma_paths_mark();
	schedule_work(&dma_paths_work);
}

static void dma_backend_insert(struct dma_backend *backend)
{
	struct list_head *pos = &dma_backends;
	struct dma_backend *other;

	list_for_each_entry(other, &dma_backends, node) {
		if (other->priority < backend->priority ||
		    (other->priority == backend->priority &&
		     strcmp(other->name, backend->name) > 0)) {
			pos = &other->node;
			break;
		}
	}
	list_add_tail(&backend->node, pos);
	backend->serial = ++dma_backend_serial;
	dma_paths_mark();
}

/**
 * dma_backend_register - have a back end asked about every DMA-capable device
 * @backend: the back end; must stay valid until dma_backend_unregister()
 *
 * Devices that exist are asked about before the function returns, or, when they
 * are locked at the moment, by the caller for example, soon after from a work
 * item.  Those that are bound to a driver follow when the driver is unbound.
 *
 * Context: process, may sleep.
 * Return: 0, -EINVAL when @backend is incomplete, -EEXIST when its name is
 * taken.
 */
int dma_backend_register(struct dma_backend *backend)
{
	struct dma_backend *other;

	if (!backend->name || !*backend->name || !backend->probe) {
		pr_err("a back end needs a name and a probe function\n");
		return -EINVAL;
	}

	scoped_guard(mutex, &dma_path_mutex) {
		list_for_each_entry(other, &dma_backends, node) {
			if (strcmp(other->name, backend->name))
				continue;
			pr_err("back end %s is registered already\n",
			       backend->name);
			return -EEXIST;
		}
		dma_backend_insert(backend);
	}

	dma_paths_scan();
	return 0;
}
EXPORT_SYMBOL_GPL(dma_backend_register);

static struct device *dma_backend_next_device(struct dma_backend *backend)
{
	struct dma_path *path;

	guard(mutex)(&dma_path_mutex);
	list_for_each_entry(path, &dma_paths, node) {
		if (path->backend == backend)
			return get_device(path->dev);
	}
	return NULL;
}

static int dma_backend_let_go(struct dma_backend *backend, struct device *dev)
{
	struct dma_path *path;

	guard(device)(dev);
	guard(mutex)(&dma_path_mutex);

	path = dev->archdata.dma_path;
	if (!path || path->backend != backend)
		return 0;
	if (dev->driver) {
		dev_err(dev, "back end %s still serves driver %s\n",
			backend->name, dev_driver_string(dev));
		return -EBUSY;
	}
	dma_path_settle_anew(path);
	return 0;
}

/**
 * dma_backend_unregister - take a back end away from its devices
 * @backend: the back end
 *
 * Context: process, may sleep; no device is locked by the caller.
 * Return: 0, or -EBUSY while a driver is bound to one of its devices: the back
 * end then stays registered and is offered again what it has let go.
 */
int dma_backend_unregister(struct dma_backend *backend)
{
	struct device *dev;
	int ret = 0;

	scoped_guard(mutex, &dma_path_mutex)
		list_del_init(&backend->node);

	while (!ret && (dev = dma_backend_next_device(backend))) {
		ret = dma_backend_let_go(backend, dev);
		put_device(dev);
	}
	if (!ret)
		return 0;

	scoped_guard(mutex, &dma_path_mutex)
		dma_backend_insert(backend);
	dma_paths_scan();
	return ret;
}
EXPORT_SYMBOL_GPL(dma_backend_unregister);

/*
 * Devices on other buses do DMA too if someone said that they do not snoop, or
 * had an MMU serve them.
 */
static bool dma_path_capable(struct device *dev)
{
	return dev->bus && (dev->bus->dma_configure ||
			    dma_is_noncoherent(dev) || use_dma_iommu(dev));
}

static void dma_path_publish(struct dma_path *path)
{
	struct device *dev = path->dev;

	guard(spinlock_irqsave)(&dma_path_lock);
	if (dev->dma_ops != dev->archdata.dma_ops)
		path->own_ops = dev->dma_ops;
	path->base_iommu = use_dma_iommu(dev);
	WRITE_ONCE(dev->archdata.dma_path, path);
	if (dma_is_noncoherent(dev))
		dma_path_resolve(path);
}

static void dma_path_withdraw(struct dma_path *path)
{
	guard(spinlock_irqsave)(&dma_path_lock);
	dma_path_unstack(path);
	WRITE_ONCE(path->dev->archdata.dma_path, NULL);
}

/**
 * dma_device_add - the driver core has a new device
 * @dev: device, visible on its bus, its IOMMU known, not open for drivers yet
 *
 * Context: process, may sleep; @dev is not locked.
 */
void dma_device_add(struct device *dev)
{
	struct dma_path *path;

	if (!dma_path_capable(dev))
		return;

	path = kzalloc_obj(*path);
	if (!path) {
		dev_err(dev, "no memory for a DMA path: no layers, no back end\n");
		return;
	}
	path->dev = dev;
	path->head.dev = dev;

	dma_path_publish(path);
	scoped_guard(mutex, &dma_path_mutex) {
		list_add_tail(&path->node, &dma_paths);
		dma_path_debugfs_add(path);
		dma_path_settle(path);
	}
	scoped_guard(device, dev)
		dma_layers_boot(path);

	path->in_sysfs = !sysfs_create_group(&dev->kobj, &dma_path_group);
	if (!path->in_sysfs)
		dev_err(dev, "no dma_path directory in sysfs\n");
}

/**
 * dma_device_remove - the driver core takes a device away
 * @dev: device that dma_device_add() has seen; no driver is bound any more
 *
 * Context: process, may sleep; @dev is not locked.
 */
void dma_device_remove(struct device *dev)
{
	struct dma_path *path = dev->archdata.dma_path;

	if (!path)
		return;

	if (path->in_sysfs)
		sysfs_remove_group(&dev->kobj, &dma_path_group);

	/* Under one hold of the lock, so that nothing is pushed in between. */
	scoped_guard(device, dev) {
		dma_layers_pop_all(path);
		guard(mutex)(&dma_path_mutex);
		dma_path_leave(path);
		list_del(&path->node);
		dma_path_withdraw(path);
	}
	dma_path_debugfs_remove(path);
	kfree(path->wanted);
	kfree_rcu(path, rcu);
}

/**
 * dma_device_bind - a driver is about to be bound
 * @dev: device, which has no driver yet
 *
 * What could not reach the device when it was registered, because somebody
 * held the device's lock, has its turn now.
 *
 * Keeps the module of the back end until dma_device_unbound().  Operations of
 * the architecture may have come since the device did, GART's for example.
 *
 * Context: process, may sleep; @dev is locked.
 */
void dma_device_bind(struct device *dev)
{
	struct dma_path *path = dev->archdata.dma_path;

	if (!path)
		return;

	dma_path_visit(dev);
	guard(mutex)(&dma_path_mutex);
	while (path->backend && !path->pinned) {
		if (try_module_get(path->backend->owner))
			path->pinned = path->backend;
		else
			dma_path_settle_anew(path);
	}

	guard(spinlock_irqsave)(&dma_path_lock);
	dma_path_resolve(path);
}

/**
 * dma_device_unbound - a driver has let go, or failed to bind
 * @dev: device
 *
 * Context: process, may sleep; @dev is locked.
 */
void dma_device_unbound(struct device *dev)
{
	struct dma_path *path = dev->archdata.dma_path;

	if (!path)
		return;

	scoped_guard(mutex, &dma_path_mutex) {
		if (path->pinned)
			module_put(path->pinned->owner);
		path->pinned = NULL;
	}
	dma_path_visit(dev);
}
