/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Sets of DMA windows, and where a translated window finds room.
 */
#ifndef __DRIVERS_IOMMU_DMA_WINDOW_H
#define __DRIVERS_IOMMU_DMA_WINDOW_H

#include <linux/cleanup.h>
#include <linux/compiler.h>
#include <linux/dma-window.h>
#include <linux/percpu.h>
#include <linux/preempt.h>
#include <linux/spinlock.h>
#include <linux/types.h>

/**
 * struct dma_windows - the windows of a domain
 * @live: mappings in translated windows: the sum of what each CPU has added
 * @gate: mappings have to take @lock, as the windows are going to be, or are,
 *	@closed
 * @closed: no mapping is to be made in translated windows
 * @passthrough: the hardware translates nothing for now, whatever @windows say
 * @used: an address in a direct window was given out
 * @carved: there is memory behind bus addresses of a translated window that is
 *	only reached through it
 * @stale: a device has come since for which the windows cannot be used
 * @optional: a device that reaches all memory can do without: what is in a
 *	direct window has its own address, and no memory is anywhere else
 * @same: what is in a direct window has its own address
 * @first: first address of the translated window, if there is one
 * @more: last address of it, less @first
 * @lock: protects @closed; held while @used, or a device's use, is set
 * @retired: next of the domains that were replaced while drivers were bound;
 *	belongs to the IOMMU group
 * @highest: what the devices would have to reach to need none, or 0
 * @count: number of @windows
 * @windows: sorted by address, disjoint
 *
 * A set that belongs to the hardware for good is never closed. That of a
 * device in pass-through is, while the hardware changes between translation
 * and none: as no mapping is live then, no address changes its meaning.
 */
struct dma_windows {
	unsigned long __percpu *live;
	bool gate;
	bool passthrough;
	bool used;
	bool carved;
	bool stale;
	bool optional;
	bool same;
	/* Protects @closed; held while @used, or a device's use, is set */
	spinlock_t lock;
	bool closed;
	struct iommu_domain *retired;
	u64 highest;
	u64 first;
	u64 more;
	unsigned int count;
	struct dma_window windows[];
};

/**
 * enum dma_window_use - what a device does with windows that are optional
 * @DMA_WINDOW_UNUSED: nothing, so far, in the translated one
 * @DMA_WINDOW_USED: it has mapped there; only iommu-dma can undo that
 * @DMA_WINDOW_QUIT: it reaches all memory, and is not with iommu-dma
 */
enum dma_window_use {
	DMA_WINDOW_UNUSED,
	DMA_WINDOW_USED,
	DMA_WINDOW_QUIT,
};

/**
 * struct dma_window_range - what is known about a range of physical addresses
 * @first: first address
 * @last: last address
 * @memory: memory, which a translated window may hide; otherwise something
 *	that must stay where it is
 * @interrupts: no memory, what is written there is an interrupt
 */
struct dma_window_range {
	u64 first;
	u64 last;
	bool memory;
	bool interrupts;
};

/**
 * struct dma_window_hole - room for a translated window
 * @first: first address
 * @last: last address
 * @carved: there is, or may be, memory at these addresses
 */
struct dma_window_hole {
	u64 first;
	u64 last;
	bool carved;
};

struct dma_windows *dma_windows_create(const struct dma_window *windows,
				       unsigned int count);
const struct dma_window *dma_windows_translated(const struct dma_windows *set);
void dma_windows_destroy(struct dma_windows *set);
bool dma_windows_first_direct(struct dma_windows *set);
bool dma_windows_enter_gate(struct dma_windows *set);
bool dma_windows_first_use(struct dma_windows *set, u8 *use);
bool dma_windows_quit(struct dma_windows *set, u8 *use);
void dma_windows_return(struct dma_windows *set, u8 *use);
unsigned long dma_windows_live(const struct dma_windows *set);
bool dma_windows_close(struct dma_windows *set, bool *unused);
void dma_windows_open(struct dma_windows *set);
u64 dma_windows_room(const struct dma_windows *set, u64 limit);
bool dma_windows_serve(const struct dma_windows *set, u64 limit);
int dma_window_find_hole(const struct dma_window_range *ranges,
			 unsigned int count, u64 limit, bool carve,
			 struct dma_window_hole *hole);

/*
 * Both walk a handful of windows; what holds of most domains that have any is
 * that the first one or two decide.
 */

/**
 * dma_windows_out_of_reach - is memory in no direct window that a device reaches?
 * @set: windows
 * @phys: memory
 * @mask: of the device
 *
 * Context: any
 * Return: true if that is known without a look at them.
 */
static inline bool dma_windows_out_of_reach(const struct dma_windows *set,
					    phys_addr_t phys, u64 mask)
{
	return phys > mask && set->same;
}

/**
 * dma_windows_to_bus - does a device see memory directly, and where?
 * @set: windows
 * @phys: memory
 * @size: bytes
 * @limit: highest bus address that the device can use
 * @bus: where to store the address; only written when there is one
 *
 * Context: any
 * Return: true if all of the memory is in one direct window.
 */
static inline bool dma_windows_to_bus(const struct dma_windows *set,
				      phys_addr_t phys, size_t size, u64 limit,
				      dma_addr_t *bus)
{
	u64 more = size ? size - 1 : 0;
	const struct dma_window *w;

	if (dma_windows_out_of_reach(set, phys, limit))
		return false;
	/* Pairs with the release when the hardware has changed. */
	if (smp_load_acquire(&set->passthrough)) {
		if (phys > limit || more > limit - phys)
			return false;
		*bus = phys;
		return true;
	}
	for (w = set->windows; w < set->windows + set->count; w++) {
		u64 offset = phys - w->phys, last = min(w->last, limit);

		if (w->kind != DMA_WINDOW_DIRECT || phys < w->phys ||
		    last < w->first || offset > last - w->first ||
		    more > last - w->first - offset)
			continue;
		*bus = w->first + offset;
		return true;
	}
	return false;
}

/**
 * dma_windows_to_phys - what lies behind a bus address?
 * @set: windows
 * @bus: bus address
 * @phys: where to store the memory; only written when it is seen directly
 *
 * Context: any
 * Return: true if @bus is in a direct window.
 */
static inline bool dma_windows_to_phys(const struct dma_windows *set,
				       dma_addr_t bus, phys_addr_t *phys)
{
	const struct dma_window *w;

	/* As above */
	if (smp_load_acquire(&set->passthrough)) {
		*phys = bus;
		return true;
	}
	/* Most addresses that anybody asks about */
	if (bus - set->first <= set->more)
		return false;
	for (w = set->windows; w < set->windows + set->count; w++) {
		if (bus > w->last)
			continue;
		if (bus < w->first || w->kind != DMA_WINDOW_DIRECT)
			return false;
		*phys = w->phys + (bus - w->first);
		return true;
	}
	return false;
}

/**
 * dma_windows_use_direct - an address of a direct window is going to be used
 * @set: windows
 *
 * Context: any
 * Return: false if the windows are about to be replaced by others, for which
 * the address may mean something else.
 */
static inline bool dma_windows_use_direct(struct dma_windows *set)
{
	return likely(READ_ONCE(set->used)) || dma_windows_first_direct(set);
}

/**
 * dma_windows_enter - a mapping in a translated window begins
 * @set: windows
 *
 * Context: any
 * Return: false if there must be none for the time being.
 */
static inline bool dma_windows_enter(struct dma_windows *set)
{
	guard(preempt)();
	/*
	 * Pairs with synchronize_rcu_expedited() in dma_windows_close(), and
	 * with the release in dma_windows_open().
	 */
	if (unlikely(smp_load_acquire(&set->gate)))
		return dma_windows_enter_gate(set);
	this_cpu_inc(*set->live);
	return true;
}

/**
 * dma_windows_use - may a device map in the translated window?
 * @set: windows
 * @use: enum dma_window_use of the device
 *
 * Context: any
 * Return: false if it has just found that it need not.
 */
static inline bool dma_windows_use(struct dma_windows *set, u8 *use)
{
	return !set->optional || likely(READ_ONCE(*use) == DMA_WINDOW_USED) ||
	       dma_windows_first_use(set, use);
}

/**
 * dma_windows_leave - a mapping in a translated window is gone
 * @set: windows
 *
 * Context: any
 */
static inline void dma_windows_leave(struct dma_windows *set)
{
	/* All that unmapping did comes first; pairs with dma_windows_close(). */
	smp_mb();
	this_cpu_dec(*set->live);
}

#endif /* __DRIVERS_IOMMU_DMA_WINDOW_H */
