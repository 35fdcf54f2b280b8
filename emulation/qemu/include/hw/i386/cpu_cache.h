/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A cache between processors and memory, for devices that do not see it
 */
#ifndef HW_I386_CPU_CACHE_H
#define HW_I386_CPU_CACHE_H

#include "exec/hwaddr.h"
#include "exec/memattrs.h"

/* There is a device that needs it; it needs TCG. */
bool cpu_cache_enable(Error **errp);

/* DMA of such a device */
MemTxResult cpu_cache_dma(AddressSpace *as, hwaddr addr, void *data,
                          hwaddr size, bool write);

/* What processors do: CLFLUSH, and the first access by a mapping */
bool cpu_cache_enabled(void);
void cpu_cache_flush(AddressSpace *as, hwaddr addr);
void cpu_cache_mapped(AddressSpace *as, hwaddr addr, bool uncached);

#endif
