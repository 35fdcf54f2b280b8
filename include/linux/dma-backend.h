/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Back ends: who decides about the DMA operations of which device.
 *
 * Documentation/core-api/dma-layers.rst describes how the pieces fit together.
 */
#ifndef _LINUX_DMA_BACKEND_H
#define _LINUX_DMA_BACKEND_H

#include <linux/device.h>
#include <linux/list.h>

struct dma_map_ops;
struct module;

/**
 * struct dma_backend - offers DMA operations to devices as they appear
 * @name: shown in sysfs and debugfs; unique
 * @owner: module that holds the functions and the operations; pinned while a
 *	driver is bound to a device that the back end serves
 * @priority: a device goes to the highest priority that takes it; back ends of
 *	equal priority are asked in the order of their names
 * @probe: called once for each device on a DMA-capable bus, for those that
 *	exist at registration and for the others as they appear; never with a
 *	driver bound.  Returns 0 to take the device, -ENODEV if it is none of
 *	the back end's, or another errno, which is reported; in both cases the
 *	next back end is asked.  A back end that takes a device calls
 *	dma_backend_set_ops() from here, unless the device is served through
 *	the IOMMU API.  It is asked again only after another one has let go of
 *	the device.
 * @remove: optional; undoes @probe when the device goes away, when a back end
 *	of higher priority takes the device, or at unregistration
 * @node: private to the core
 * @serial: private to the core
 *
 * Both functions run in process context and may sleep; the device may or may
 * not be locked.  They must not register or unregister back ends or layers,
 * push or pop layers, or add or remove devices.
 */
struct dma_backend {
	const char *name;
	struct module *owner;
	int priority;
	int (*probe)(struct device *dev);
	void (*remove)(struct device *dev);
	struct list_head node;
	u64 serial;
};

#ifdef CONFIG_DMA_LAYERS

int dma_backend_register(struct dma_backend *backend);
int dma_backend_unregister(struct dma_backend *backend);
void dma_backend_set_ops(struct device *dev, const struct dma_map_ops *ops);

/* For the driver core. */
void dma_device_add(struct device *dev);
void dma_device_remove(struct device *dev);
void dma_device_bind(struct device *dev);
void dma_device_unbound(struct device *dev);

#else

static inline void dma_device_add(struct device *dev) { }
static inline void dma_device_remove(struct device *dev) { }
static inline void dma_device_bind(struct device *dev) { }
static inline void dma_device_unbound(struct device *dev) { }

#endif /* CONFIG_DMA_LAYERS */
#endif /* _LINUX_DMA_BACKEND_H */
