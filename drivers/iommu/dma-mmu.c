// SPDX-License-Identifier: GPL-2.0-only
/*
 * MMUs that drivers bring for devices of their own.
 *
 * To the IOMMU core each is an IOMMU with one group. To its driver it is one
 * page table at a time, for all devices behind it, and functions that map,
 * unmap and flush; addresses, scatterlists and deferred flushes are up to
 * iommu-dma.
 *
 * A device must never do DMA past its MMU. So it has no DMA masks, without
 * which the DMA API refuses everything, but from when the core has attached it
 * to a domain for the DMA API until it is released, and not while another user
 * of its group has taken the domain away.
 *
 * Domains may outlive the devices, in user space for example, and each pins the
 * module of the driver.
 */
#define pr_fmt(fmt) "dma-mmu: " fmt

#include <linux/cleanup.h>
#include <linux/dma-direct.h>
#include <linux/dma-map-ops.h>
#include <linux/dma-mmu.h>
#include <linux/dma-path.h>
#include <linux/err.h>
#include <linux/iommu.h>
#include <linux/list.h>
#include <linux/log2.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/notifier.h>
#include <linux/property.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/wait.h>

#include "dma-iommu.h"
#include "iommu-priv.h"

/* How often one who waits for domains says so */
#define DMA_MMU_PATIENCE	(10 * HZ)

/**
 * struct dma_mmu_state - the core's side of an MMU
 * @node: in dma_mmus
 * @mmu: the driver's side
 * @parent: device that the MMU is part of
 * @owner: module of the driver
 * @iommu: what the IOMMU core knows
 * @ops: operations of the IOMMU
 * @domain_ops: those of its domains: the driver's, but for two
 * @buses: buses on which the MMU has, or had, devices; under @setup
 * @setup: held while devices are added and removed, and at the end
 * @lock: protects the next three; within @setup and the group's mutex
 * @devices: devices of the MMU
 * @domain: what the hardware translates by, or NULL
 * @probed: devices that the IOMMU core serves
 * @domains: domains there are; under the lock of @idle
 * @idle: for who waits until there are none
 */
struct dma_mmu_state {
	struct list_head node;
	struct dma_mmu *mmu;
	struct device *parent;
	struct module *owner;
	struct iommu_device iommu;
	struct iommu_ops ops;
	struct iommu_domain_ops domain_ops;
	struct list_head buses;
	/* Holds still what the driver does to its devices */
	struct mutex setup;
	/* Orders attachments, and protects the list of devices */
	struct mutex lock;
	struct list_head devices;
	struct iommu_domain *domain;
	unsigned int probed;
	unsigned int domains;
	wait_queue_head_t idle;
};

/**
 * struct dma_mmu_device - a device behind an MMU
 * @node: in the list of the MMU
 * @state: that MMU
 * @dev: the device
 * @domain: what the core has attached it to, NULL: nothing or blocked
 * @open: it has DMA masks
 * @used: its driver counts as user of the group's DMA domain
 * @dma_mask: for a bus whose devices have none
 * @mask: mask of the device, wherever it is
 * @parms: for a bus whose devices have none
 */
struct dma_mmu_device {
	struct list_head node;
	struct dma_mmu_state *state;
	struct device *dev;
	struct iommu_domain *domain;
	bool open;
	bool used;
	u64 dma_mask;
	u64 *mask;
	struct device_dma_parameters parms;
};

/* A bus on which an MMU has devices */
struct dma_mmu_bus {
	struct list_head node;
	struct dma_mmu_state *state;
	const struct bus_type *bus;
	struct notifier_block nb;
};

/* All MMUs, whose names differ for each parent */
static DEFINE_MUTEX(dma_mmus_lock);
static LIST_HEAD(dma_mmus);

static struct dma_mmu_device *to_mmu_device(struct device *dev)
{
	return dev_iommu_priv_get(dev);
}

static struct dma_mmu_state *domain_state(struct iommu_domain *domain)
{
	return container_of(domain->owner, struct dma_mmu_state, ops);
}

static struct dma_mmu_device *find_device(struct dma_mmu_state *state,
					  struct device *dev)
{
	struct dma_mmu_device *md;

	guard(mutex)(&state->lock);
	list_for_each_entry(md, &state->devices, node)
		if (md->dev == dev)
			return md;
	return NULL;
}

/*
 * Domains
 */

static struct iommu_domain *dma_mmu_domain_alloc(struct device *dev)
{
	struct dma_mmu_state *state = to_mmu_device(dev)->state;
	struct dma_mmu *mmu = state->mmu;
	struct iommu_domain *domain;

	if (!try_module_get(state->owner))
		return ERR_PTR(-ENODEV);
	domain = mmu->ops->domain_alloc(mmu);
	if (IS_ERR_OR_NULL(domain)) {
		module_put(state->owner);
		return domain ?: ERR_PTR(-ENOMEM);
	}
	domain->ops = &state->domain_ops;
	domain->pgsize_bitmap = mmu->page_sizes;
	domain->geometry = (struct iommu_domain_geometry){
		.aperture_start = mmu->first,
		.aperture_end = mmu->last,
		.force_aperture = true,
	};
	guard(spinlock_irq)(&state->idle.lock);
	state->domains++;
	return domain;
}

static void dma_mmu_domain_free(struct iommu_domain *domain)
{
	struct dma_mmu_state *state = domain_state(domain);
	struct module *owner = state->owner;

	state->mmu->ops->domain_ops->free(domain);
	/* Who waits frees the state, once this has let go of the lock. */
	scoped_guard(spinlock_irq, &state->idle.lock) {
		if (!--state->domains)
			wake_up_all_locked(&state->idle);
	}
	module_put(owner);
}

/* All devices follow the first one, for there is one page table. */
static int dma_mmu_attach(struct iommu_domain *domain, struct device *dev,
			  struct iommu_domain *old)
{
	struct dma_mmu_device *md = to_mmu_device(dev);
	struct dma_mmu_state *state = md->state;
	int ret;

	guard(mutex)(&state->lock);
	if (state->domain != domain) {
		ret = state->mmu->ops->attach(state->mmu, domain);
		if (ret)
			return ret;
		state->domain = domain;
	}
	md->domain = domain;
	return 0;
}

/* The others go on, if there are any. */
static int dma_mmu_block(struct iommu_domain *domain, struct device *dev,
			 struct iommu_domain *old)
{
	struct dma_mmu_device *md = to_mmu_device(dev), *other;
	struct dma_mmu_state *state = md->state;

	guard(mutex)(&state->lock);
	md->domain = NULL;
	list_for_each_entry(other, &state->devices, node)
		if (other->domain)
			return 0;
	if (state->domain)
		state->mmu->ops->block(state->mmu);
	state->domain = NULL;
	return 0;
}

static const struct iommu_domain_ops dma_mmu_blocked_ops = {
	.attach_dev = dma_mmu_block,
};

static struct iommu_domain dma_mmu_blocked = {
	.type = IOMMU_DOMAIN_BLOCKED,
	.ops = &dma_mmu_blocked_ops,
};

/*
 * Devices, as the IOMMU core sees them
 */

static bool dma_mmu_capable(struct device *dev, enum iommu_cap cap)
{
	switch (cap) {
	case IOMMU_CAP_CACHE_COHERENCY:
		return dev_dma_coherent(dev);
	case IOMMU_CAP_DEFERRED_FLUSH:
		return !to_mmu_device(dev)->state->mmu->strict;
	default:
		return false;
	}
}

static struct iommu_device *dma_mmu_probe_device(struct device *dev)
{
	struct dma_mmu_state *state = to_mmu_device(dev)->state;

	guard(mutex)(&state->lock);
	state->probed++;
	return &state->iommu;
}

/* Where the last device has left, what is mapped has been forgotten. */
static void dma_mmu_undo(struct dma_mmu_state *state, struct device *dev)
{
	struct iommu_dma_live live;

	if (!dev->iommu_group)
		return;
	iommu_dma_domain_live(iommu_group_default_domain(dev->iommu_group),
			      true, &live);
	if (live.ranges)
		dev_err(state->parent,
			"MMU %s: its devices are gone, unmapped what they left, ranges: %lu, bytes: %llu, the first at %pad\n",
			state->mmu->name, live.ranges, live.bytes, &live.first);
}

static void dma_mmu_release_device(struct device *dev)
{
	struct dma_mmu_state *state = to_mmu_device(dev)->state;
	bool last;

	scoped_guard(mutex, &state->lock)
		last = !--state->probed;
	if (last)
		dma_mmu_undo(state, dev);
}

/*
 * There is no pass-through, which is not to be tried in vain each time, nor to
 * decide about deferred flushes. What exists already may be changed by root.
 */
static int dma_mmu_def_domain_type(struct device *dev)
{
	if (!iommu_default_passthrough() ||
	    iommu_group_default_domain(dev->iommu_group))
		return 0;
	return iommu_dma_domain_type();
}

static void dma_mmu_init_ops(struct dma_mmu_state *state)
{
	state->domain_ops = *state->mmu->ops->domain_ops;
	state->domain_ops.attach_dev = dma_mmu_attach;
	state->domain_ops.free = dma_mmu_domain_free;
	state->ops = (struct iommu_ops){
		.capable = dma_mmu_capable,
		.domain_alloc_paging = dma_mmu_domain_alloc,
		.probe_device = dma_mmu_probe_device,
		.release_device = dma_mmu_release_device,
		.device_group = generic_single_device_group,
		.def_domain_type = dma_mmu_def_domain_type,
		.blocked_domain = &dma_mmu_blocked,
		.release_domain = &dma_mmu_blocked,
		.default_domain_ops = &state->domain_ops,
		.owner = state->owner,
	};
}

/*
 * Devices, as the DMA API sees them
 */

static void device_close(struct dma_mmu_device *md)
{
	md->dev->dma_mask = NULL;
	md->dev->coherent_dma_mask = 0;
	md->open = false;
}

/* Its driver may narrow the masks. */
static void device_open(struct dma_mmu_device *md)
{
	u64 mask = DMA_BIT_MASK(fls64(md->state->mmu->last));

	*md->mask = mask;
	md->dev->dma_mask = md->mask;
	md->dev->coherent_dma_mask = mask;
	md->open = true;
}

static void device_added(struct dma_mmu_device *md)
{
	struct device *dev = md->dev;
	int ret = -ENODEV;

	if (!iommu_watches_bus(dev->bus))
		ret = iommu_probe_device(dev) ?: ret;
	/* The core goes on without IOMMU if it could not be had. */
	if (dma_ends_in_iommu(dev))
		device_open(md);
	else
		dev_err(dev, "not served by MMU %s.%s, no DMA: %pe\n",
			dev_name(md->state->parent), md->state->mmu->name,
			ERR_PTR(ret));
}

static void device_removed(struct dma_mmu_device *md)
{
	if (!iommu_watches_bus(md->dev->bus))
		iommu_release_device(md->dev);
	device_close(md);
}

/* A bus that configures no DMA does not ask for the domain either. */
static void device_binds(struct dma_mmu_device *md)
{
	struct device *dev = md->dev;
	int ret;

	if (!md->open || md->used || dev->bus->dma_configure)
		return;
	ret = iommu_device_use_default_domain(dev);
	md->used = !ret;
	if (!ret)
		return;
	dev_err(dev, "its domain is another user's, no DMA: %pe\n",
		ERR_PTR(ret));
	device_close(md);
}

/* The next driver finds the masks as this one did. */
static void device_unbound(struct dma_mmu_device *md)
{
	if (md->used)
		iommu_device_unuse_default_domain(md->dev);
	md->used = false;
	if (dma_ends_in_iommu(md->dev))
		device_open(md);
}

static int dma_mmu_notify(struct notifier_block *nb, unsigned long action,
			  void *data)
{
	struct dma_mmu_bus *mb = container_of(nb, struct dma_mmu_bus, nb);
	struct dma_mmu_device *md = find_device(mb->state, data);

	if (!md)
		return NOTIFY_DONE;
	switch (action) {
	case BUS_NOTIFY_ADD_DEVICE:
		device_added(md);
		break;
	case BUS_NOTIFY_BIND_DRIVER:
		device_binds(md);
		break;
	case BUS_NOTIFY_DRIVER_NOT_BOUND:
	case BUS_NOTIFY_UNBOUND_DRIVER:
		device_unbound(md);
		break;
	case BUS_NOTIFY_REMOVED_DEVICE:
		device_removed(md);
		break;
	}
	return NOTIFY_OK;
}

/* The first device on a bus has the MMU told about all that come after it. */
static int watch_bus(struct dma_mmu_state *state, const struct bus_type *bus)
{
	struct dma_mmu_bus *mb;
	int ret;

	lockdep_assert_held(&state->setup);

	list_for_each_entry(mb, &state->buses, node)
		if (mb->bus == bus)
			return 0;
	mb = kzalloc_obj(*mb);
	if (!mb)
		return -ENOMEM;
	mb->state = state;
	mb->bus = bus;
	mb->nb.notifier_call = dma_mmu_notify;
	/* After the IOMMU core */
	mb->nb.priority = -1;
	ret = bus_register_notifier(bus, &mb->nb);
	if (ret) {
		kfree(mb);
		return ret;
	}
	list_add(&mb->node, &state->buses);
	return 0;
}

static void unwatch_buses(struct dma_mmu_state *state)
{
	struct dma_mmu_bus *mb, *next;

	list_for_each_entry_safe(mb, next, &state->buses, node) {
		bus_unregister_notifier(mb->bus, &mb->nb);
		kfree(mb);
	}
}

/* From now on the core finds the MMU when it probes the device. */
static int name_mmu(struct dma_mmu_device *md)
{
	int ret;

	guard(mutex)(&iommu_probe_device_lock);
	ret = iommu_fwspec_init(md->dev, md->state->iommu.fwnode);
	if (ret) {
		if (md->dev->iommu)
			dev_iommu_free(md->dev);
		return ret;
	}
	dev_iommu_priv_set(md->dev, md);
	return 0;
}

static void device_init(struct dma_mmu_device *md)
{
	struct device *dev = md->dev;

	md->mask = dev->dma_mask ?: &md->dma_mask;
	device_close(md);
	if (!dev->dma_parms)
		dev->dma_parms = &md->parms;
	/* What is contiguous behind the MMU is one segment. */
	dma_set_max_seg_size(dev, UINT_MAX);
	/* Where firmware says it; elsewhere it is up to the driver. */
	if (dev_is_dma_coherent(md->state->parent) != dma_default_coherent)
		dev_assign_dma_coherent(dev, !dma_default_coherent);
}

static void device_exit(struct dma_mmu_device *md)
{
	struct device *dev = md->dev;

	if (dev->dma_parms == &md->parms)
		dev->dma_parms = NULL;
	dev->dma_mask = md->mask == &md->dma_mask ? NULL : md->mask;
	put_device(dev);
	kfree(md);
}

/**
 * dma_mmu_add_device - put a device behind an MMU
 * @mmu: registered MMU
 * @dev: device with its bus, initialised and not added yet, which the caller
 *	made.  A platform device gets its bus only when it is added, unless the
 *	caller sets it.
 *
 * Before the device's driver is bound, device_add(), or what the bus has
 * instead, makes the device a member of the MMU's group and gives it DMA masks
 * that reach all of the MMU's addresses; its bus need not configure DMA. Without
 * masks, which is if that fails, no DMA is possible: dma_mmu_check_device().
 * Until dma_mmu_remove_device() the MMU cannot be unregistered.
 *
 * Context: process, may sleep.
 * Return: 0, -EINVAL when @dev is on no bus, or known to the driver core or an
 * IOMMU already, -ENOMEM.
 */
int dma_mmu_add_device(struct dma_mmu *mmu, struct device *dev)
{
	struct dma_mmu_state *state = mmu->state;
	struct dma_mmu_device *md;
	int ret;

	if (!state || !dev->bus || device_is_registered(dev) || dev->iommu) {
		dev_err(dev, "not put behind MMU %s: it has no bus, was added already, or the MMU is not registered\n",
			mmu->name);
		return -EINVAL;
	}
	guard(mutex)(&state->setup);
	ret = watch_bus(state, dev->bus);
	if (ret)
		return ret;
	md = kzalloc_obj(*md);
	if (!md)
		return -ENOMEM;
	md->state = state;
	md->dev = dev;
	ret = name_mmu(md);
	if (ret) {
		kfree(md);
		return ret;
	}
	get_device(dev);
	device_init(md);
	guard(mutex)(&state->lock);
	list_add_tail(&md->node, &state->devices);
	return 0;
}
EXPORT_SYMBOL_GPL(dma_mmu_add_device);

/**
 * dma_mmu_check_device - does the MMU serve a device?
 * @mmu: registered MMU
 * @dev: device that was added after dma_mmu_add_device()
 *
 * Context: process, may sleep.
 * Return: 0, or -ENODEV if not, the reason for which has been reported.
 */
int dma_mmu_check_device(struct dma_mmu *mmu, struct device *dev)
{
	return find_device(mmu->state, dev) && dma_ends_in_iommu(dev) ?
	       0 : -ENODEV;
}
EXPORT_SYMBOL_GPL(dma_mmu_check_device);

/**
 * dma_mmu_remove_device - undo dma_mmu_add_device()
 * @mmu: the MMU
 * @dev: device, which has been removed, by device_del() or what its bus has
 *	instead, or was never added
 *
 * When the last device of the MMU is removed, what its drivers have left mapped
 * is unmapped and reported: how many ranges, how many bytes, and the first
 * address. Coherent memory that was not freed stays allocated.
 *
 * Context: process, may sleep.
 */
void dma_mmu_remove_device(struct dma_mmu *mmu, struct device *dev)
{
	struct dma_mmu_state *state = mmu->state;
	struct dma_mmu_device *md;

	if (WARN_ON(!state))
		return;
	guard(mutex)(&state->setup);
	md = find_device(state, dev);
	if (WARN_ON(!md || device_is_registered(dev)))
		return;
	/* It was never added, or not served. */
	iommu_release_device(dev);
	scoped_guard(mutex, &state->lock)
		list_del(&md->node);
	device_exit(md);
}
EXPORT_SYMBOL_GPL(dma_mmu_remove_device);

/*
 * MMUs
 */

static bool check_ops(const struct dma_mmu_ops *ops)
{
	const struct iommu_domain_ops *dops;

	if (!ops || !ops->domain_alloc || !ops->attach || !ops->block ||
	    !ops->domain_ops)
		return false;
	dops = ops->domain_ops;
	return dops->map_pages && dops->unmap_pages && dops->iova_to_phys &&
	       dops->iotlb_sync && dops->flush_iotlb_all && dops->free &&
	       !dops->attach_dev && !dops->set_dev_pasid;
}

/* What is wrong with an MMU, or NULL */
static const char *mmu_refusal(const struct dma_mmu *mmu)
{
	unsigned long page;

	if (!mmu->name || !*mmu->name)
		return "it has no name";
	if (!check_ops(mmu->ops))
		return "operations are missing, or not for a driver";
	if (!mmu->page_sizes)
		return "it has no page sizes";
	page = BIT(__ffs(mmu->page_sizes));
	if (page > PAGE_SIZE)
		return "all its pages are larger than the kernel's";
	if (mmu->first >= mmu->last || mmu->first & (page - 1) ||
	    (mmu->last + 1) & (page - 1))
		return "its addresses are no whole pages";
	return NULL;
}

/* Physical addresses are what the parent has to use, and all of them. */
static const char *parent_refusal(struct device *parent)
{
	if (!parent->dma_mask || !*parent->dma_mask)
		return "the device has no DMA mask";
	if (dma_ends_in_iommu(parent))
		return "another IOMMU translates the device; its group's type must be \"identity\"";
	if (dma_unlayered_ops(parent))
		return "the device has DMA operations of its own";
	if (force_dma_unencrypted(parent) || phys_to_dma(parent, 0))
		return "memory is elsewhere for the device";
	return NULL;
}

static int refuse(struct device *parent, struct dma_mmu *mmu,
		  const char *refusal, int error)
{
	dev_err(parent, "MMU %s not registered: %s\n", mmu->name ?: "without name",
		refusal);
	return error;
}

static bool name_is_taken(struct device *parent, const char *name)
{
	struct dma_mmu_state *state;

	lockdep_assert_held(&dma_mmus_lock);

	list_for_each_entry(state, &dma_mmus, node)
		if (state->parent == parent && !strcmp(state->mmu->name, name))
			return true;
	return false;
}

static struct dma_mmu_state *state_create(struct dma_mmu *mmu,
					  struct device *parent,
					  struct module *owner)
{
	struct dma_mmu_state *state = kzalloc_obj(*state);

	if (!state)
		return NULL;
	state->mmu = mmu;
	state->parent = get_device(parent);
	state->owner = owner;
	INIT_LIST_HEAD(&state->buses);
	INIT_LIST_HEAD(&state->devices);
	mutex_init(&state->setup);
	mutex_init(&state->lock);
	init_waitqueue_head(&state->idle);
	dma_mmu_init_ops(state);
	return state;
}

static void state_destroy(struct dma_mmu_state *state)
{
	put_device(state->parent);
	mutex_destroy(&state->lock);
	mutex_destroy(&state->setup);
	kfree(state);
}

static int state_announce(struct dma_mmu_state *state)
{
	struct iommu_device *iommu = &state->iommu;
	int ret;

	iommu->fwnode = fwnode_create_software_node(NULL, NULL);
	if (IS_ERR(iommu->fwnode))
		return PTR_ERR(iommu->fwnode);
	/*
	 * Not below the parent: if an IOMMU serves that, it has a link of the
	 * same name as the class's directory.
	 */
	ret = iommu_device_sysfs_add(iommu, NULL, NULL, "%s.%s",
				     dev_name(state->parent), state->mmu->name);
	if (ret) {
		fwnode_remove_software_node(iommu->fwnode);
		return ret;
	}
	iommu_device_register_named(iommu, &state->ops);
	return 0;
}

static void state_withdraw(struct dma_mmu_state *state)
{
	iommu_device_unregister_named(&state->iommu);
	iommu_device_sysfs_remove(&state->iommu);
	fwnode_remove_software_node(state->iommu.fwnode);
}

/**
 * __dma_mmu_register - dma_mmu_register() with the module of the driver
 * @mmu: see dma_mmu_register()
 * @parent: see dma_mmu_register()
 * @owner: module with the operations; cannot be unloaded while the MMU has
 *	devices, or user space a domain
 *
 * Context: process, may sleep.
 * Return: see dma_mmu_register().
 */
int __dma_mmu_register(struct dma_mmu *mmu, struct device *parent,
		       struct module *owner)
{
	const char *refusal = mmu_refusal(mmu);
	struct dma_mmu_state *state;
	int ret;

	if (refusal)
		return refuse(parent, mmu, refusal, -EINVAL);
	refusal = parent_refusal(parent);
	if (refusal)
		return refuse(parent, mmu, refusal, -EOPNOTSUPP);

	guard(mutex)(&dma_mmus_lock);
	if (name_is_taken(parent, mmu->name))
		return refuse(parent, mmu, "the device has one of that name",
			      -EEXIST);
	state = state_create(mmu, parent, owner);
	if (!state)
		return -ENOMEM;
	ret = state_announce(state);
	if (ret) {
		state_destroy(state);
		return ret;
	}
	list_add(&state->node, &dma_mmus);
	mmu->state = state;
	return 0;
}
EXPORT_SYMBOL_GPL(__dma_mmu_register);

/* For the driver's author: who is it that is still there? */
static int report_busy(struct dma_mmu_state *state)
{
	struct dma_mmu_device *first;
	struct iommu_dma_live live;

	first = list_first_entry(&state->devices, typeof(*first), node);
	iommu_dma_get_live(first->dev, &live);
	dev_err(state->parent,
		"MMU %s not unregistered, devices: %zu, the first: %s %s; mapped ranges: %lu, bytes: %llu, the first at %pad\n",
		state->mmu->name, list_count_nodes(&state->devices),
		dev_driver_string(first->dev), dev_name(first->dev),
		live.ranges, live.bytes, &live.first);
	return -EBUSY;
}

static bool is_idle(struct dma_mmu_state *state)
{
	guard(spinlock_irq)(&state->idle.lock);
	return !state->domains;
}

/**
 * dma_mmu_unregister - undo dma_mmu_register()
 * @mmu: the MMU; of no more use afterwards, nor before dma_mmu_register()
 *
 * When all devices have been removed this does not fail. It waits if user space
 * has got hold of a domain by way of iommufd, until that is gone.
 *
 * Context: process, may sleep.
 * Return: 0, or -EBUSY while @mmu has devices, which is reported with the name
 * of one of them, its driver, and what is mapped; @mmu goes on to work then.
 */
int dma_mmu_unregister(struct dma_mmu *mmu)
{
	struct dma_mmu_state *state = mmu->state;

	if (!state)
		return 0;
	scoped_guard(mutex, &state->setup) {
		if (!list_empty(&state->devices))
			return report_busy(state);
	}
	while (!wait_event_timeout(state->idle, is_idle(state),
				   DMA_MMU_PATIENCE))
		dev_info(state->parent, "MMU %s waits for domains that user space holds\n",
			 mmu->name);
	unwatch_buses(state);
	guard(mutex)(&dma_mmus_lock);
	state_withdraw(state);
	list_del(&state->node);
	state_destroy(state);
	mmu->state = NULL;
	return 0;
}
EXPORT_SYMBOL_GPL(dma_mmu_unregister);
