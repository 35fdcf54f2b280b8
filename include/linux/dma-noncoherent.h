/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Devices that do not snoop the caches of an x86 machine.
 *
 * See Documentation/core-api/dma-noncoherent.rst.
 */
#ifndef _LINUX_DMA_NONCOHERENT_H
#define _LINUX_DMA_NONCOHERENT_H

#include <linux/device.h>
#include <linux/errno.h>

#ifdef CONFIG_DMA_NONCOHERENT

int dma_set_noncoherent(struct device *dev);

/**
 * dma_is_noncoherent - are caches maintained for a device?
 * @dev: device
 *
 * dev_is_dma_coherent() is constant where this option exists, as it would cost
 * all other devices an instruction.
 *
 * Context: any.
 * Return: true after dma_set_noncoherent().
 */
static inline bool dma_is_noncoherent(struct device *dev)
{
	return !dev_dma_coherent(dev);
}

#else

static inline int dma_set_noncoherent(struct device *dev)
{
	return -EOPNOTSUPP;
}

static inline bool dma_is_noncoherent(struct device *dev)
{
	return false;
}

#endif /* CONFIG_DMA_NONCOHERENT */
#endif /* _LINUX_DMA_NONCOHERENT_H */
