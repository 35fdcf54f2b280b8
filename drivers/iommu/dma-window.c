// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sets of DMA windows.
 *
 * Direct: memory has one fixed bus address, a mapping costs nothing and cannot
 * fail. Translated: a mapping takes an IOVA. Which window a mapping is in can
 * be read off its bus address, so that map and unmap agree whatever happens to
 * masks in between. "last" is inclusive everywhere.
 */
#include <linux/align.h>
#include <linux/bitops.h>
#include <linux/cleanup.h>
#include <linux/export.h>
#include <linux/minmax.h>
#include <linux/overflow.h>
#include <linux/percpu.h>
#include <linux/rcupdate.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/sort.h>
#include <linux/string.h>
#include <kunit/visibility.h>

#include "dma-window.h"

/* No translated window is smaller than the first, or larger than the second. */
#define HOLE_MIN	SZ_1M
#define HOLE_MAX	(64ULL * SZ_1G)
/* Large pages of direct windows end where a hole begins. */
#define HOLE_ALIGN	SZ_2M
/* Below is memory for devices of 24 bits. */
#define HOLE_LOW	SZ_16M
/* Nothing is translated beyond. */
#define HOLE_LIMIT	(BIT_ULL(56) - 1)

static int window_cmp(const void *a, const void *b)
{
	const struct dma_window *wa = a, *wb = b;

	return wa->first < wb->first ? -1 : wa->first > wb->first;
}

static bool windows_are_sane(const struct dma_window *windows,
			     unsigned int count)
{
	unsigned int translated = 0;
	const struct dma_window *w;

	for (w = windows; w < windows + count; w++) {
		if (w->last < w->first)
			return false;
		if (w > windows && w->first <= w[-1].last)
			return false;
		if (w->kind == DMA_WINDOW_DIRECT &&
		    w->phys + (w->last - w->first) < w->phys)
			return false;
		translated += w->kind == DMA_WINDOW_TRANSLATED;
	}
	return translated <= 1;
}

/**
 * dma_windows_translated - the window in which mappings can be made
 * @set: windows
 *
 * Return: the window, or NULL if there is none.
 */
const struct dma_window *dma_windows_translated(const struct dma_windows *set)
{
	const struct dma_window *w;

	for (w = set->windows; w < set->windows + set->count; w++)
		if (w->kind == DMA_WINDOW_TRANSLATED)
			return w;
	return NULL;
}
EXPORT_SYMBOL_IF_KUNIT(dma_windows_translated);

static bool windows_are_same(const struct dma_windows *set)
{
	const struct dma_window *w;

	for (w = set->windows; w < set->windows + set->count; w++)
		if (w->kind == DMA_WINDOW_DIRECT && w->phys != w->first)
			return false;
	return true;
}

/*
 * A translated window of the hardware's own, at addresses that are of no use
 * otherwise, while memory is where it is
 */
static bool windows_are_optional(const struct dma_windows *set)
{
	const struct dma_window *w = dma_windows_translated(set);

	if (!w || !w->own || !set->same)
		return false;
	for (w = set->windows; w < set->windows + set->count; w++)
		if (w->kind == DMA_WINDOW_DIRECT)
			return true;
	return false;
}

/**
 * dma_windows_create - make a set of windows
 * @windows: windows in any order, of which at most one is translated
 * @count: their number, 1 to DMA_WINDOWS_MAX
 *
 * Context: process, may sleep
 * Return: the set, for dma_windows_destroy(); -EINVAL when windows overlap or
 * have no end, or two are translated, -ENOMEM.
 */
struct dma_windows *dma_windows_create(const struct dma_window *windows,
				       unsigned int count)
{
	struct dma_windows *set __free(kfree) = NULL;
	const struct dma_window *translated;

	if (!count || count > DMA_WINDOWS_MAX)
		return ERR_PTR(-EINVAL);
	set = kzalloc_flex(*set, windows, count);
	if (!set)
		return ERR_PTR(-ENOMEM);
	spin_lock_init(&set->lock);
	set->count = count;
	memcpy(set->windows, windows, flex_array_size(set, windows, count));
	sort(set->windows, count, sizeof(*windows), window_cmp, NULL);
	if (!windows_are_sane(set->windows, count))
		return ERR_PTR(-EINVAL);
	set->same = windows_are_same(set);
	set->optional = windows_are_optional(set);
	translated = dma_windows_translated(set);
	if (translated) {
		set->first = translated->first;
		set->more = translated->last - translated->first;
	} else {
		/* DMA_MAPPING_ERROR, which is no address */
		set->first = U64_MAX;
		set->gate = true;
		set->closed = true;
		set->used = true;
	}
	set->live = alloc_percpu(unsigned long);
	if (!set->live)
		return ERR_PTR(-ENOMEM);
	return_ptr(set);
}
EXPORT_SYMBOL_IF_KUNIT(dma_windows_create);

/**
 * dma_windows_destroy - free a set of windows
 * @set: windows, of which none is in use any more
 *
 * Context: process
 */
void dma_windows_destroy(struct dma_windows *set)
{
	free_percpu(set->live);
	kfree(set);
}
EXPORT_SYMBOL_IF_KUNIT(dma_windows_destroy);

/* The slow part of dma_windows_use_direct() */
bool dma_windows_first_direct(struct dma_windows *set)
{
	guard(spinlock_irqsave)(&set->lock);
	if (set->closed && !set->passthrough)
		return false;
	WRITE_ONCE(set->used, true);
	return true;
}
EXPORT_SYMBOL_IF_KUNIT(dma_windows_first_direct);

/* The slow part of dma_windows_enter() */
bool dma_windows_enter_gate(struct dma_windows *set)
{
	guard(spinlock_irqsave)(&set->lock);
	if (set->closed)
		return false;
	this_cpu_inc(*set->live);
	return true;
}
EXPORT_SYMBOL_IF_KUNIT(dma_windows_enter_gate);

/* The slow part of dma_windows_use() */
bool dma_windows_first_use(struct dma_windows *set, u8 *use)
{
	guard(spinlock_irqsave)(&set->lock);
	if (*use == DMA_WINDOW_QUIT)
		return false;
	WRITE_ONCE(*use, DMA_WINDOW_USED);
	return true;
}
EXPORT_SYMBOL_IF_KUNIT(dma_windows_first_use);

/**
 * dma_windows_quit - a device that reaches all memory need not be with iommu-dma
 * @set: windows that are optional
 * @use: enum dma_window_use of the device
 *
 * Context: any
 * Return: false if it may have mapped something that only iommu-dma can undo.
 */
bool dma_windows_quit(struct dma_windows *set, u8 *use)
{
	guard(spinlock_irqsave)(&set->lock);
	if (*use == DMA_WINDOW_USED)
		return false;
	WRITE_ONCE(*use, DMA_WINDOW_QUIT);
	return true;
}
EXPORT_SYMBOL_IF_KUNIT(dma_windows_quit);

/**
 * dma_windows_return - undo dma_windows_quit()
 * @set: windows that are optional
 * @use: enum dma_window_use of the device
 *
 * Context: any
 */
void dma_windows_return(struct dma_windows *set, u8 *use)
{
	guard(spinlock_irqsave)(&set->lock);
	if (*use == DMA_WINDOW_QUIT)
		WRITE_ONCE(*use, DMA_WINDOW_UNUSED);
}
EXPORT_SYMBOL_IF_KUNIT(dma_windows_return);

/**
 * dma_windows_live - how many mappings are in translated windows?
 * @set: windows
 *
 * Context: any
 * Return: their number. While some come and go it is a guess, while some only
 * go it is no less than what is left.
 */
unsigned long dma_windows_live(const struct dma_windows *set)
{
	unsigned long sum = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += READ_ONCE(*per_cpu_ptr(set->live, cpu));
	return sum;
}
EXPORT_SYMBOL_IF_KUNIT(dma_windows_live);

/**
 * dma_windows_close - let no mapping into translated windows from now on
 * @set: windows, which are not closed
 * @unused: where to store whether no direct address was ever given out, in which
 *	case none is from now on; or NULL if these addresses keep their meaning
 *
 * From the gate on, mappings that begin take the lock, and those that did not
 * see it are counted; so what the sum still misses can only be mappings that
 * end.
 *
 * Context: process, may sleep; callers are serialised
 * Return: false, with nothing changed, if there is a mapping.
 */
bool dma_windows_close(struct dma_windows *set, bool *unused)
{
	WRITE_ONCE(set->gate, true);
	synchronize_rcu_expedited();

	guard(spinlock_irqsave)(&set->lock);
	if (dma_windows_live(set)) {
		WRITE_ONCE(set->gate, false);
		return false;
	}
	/* Pairs with dma_windows_leave(). */
	smp_mb();
	set->closed = true;
	if (unused)
		*unused = !set->used;
	else
		WRITE_ONCE(set->used, true);
	return true;
}
EXPORT_SYMBOL_IF_KUNIT(dma_windows_close);

/**
 * dma_windows_open - undo dma_windows_close()
 * @set: windows, which the hardware follows
 *
 * Context: any; callers are serialised
 */
void dma_windows_open(struct dma_windows *set)
{
	guard(spinlock_irqsave)(&set->lock);
	WRITE_ONCE(set->passthrough, false);
	set->closed = false;
	/* Who does not see the gate any more sees the rest. */
	smp_store_release(&set->gate, false);
}
EXPORT_SYMBOL_IF_KUNIT(dma_windows_open);

static u64 hole_align(u64 size)
{
	return min_t(u64, size, HOLE_ALIGN);
}

/* A range that is in the way of a hole, or NULL */
static const struct dma_window_range *
hole_obstacle(const struct dma_window_range *ranges, unsigned int count,
	      u64 first, u64 size, bool carve)
{
	const struct dma_window_range *r;

	for (r = ranges; r < ranges + count; r++) {
		if (r->memory && carve)
			continue;
		if (r->first < first + size && r->last >= first)
			return r;
	}
	return NULL;
}

/* The highest place for @size bytes, all at or below @limit; 0 for none */
static u64 hole_highest(const struct dma_window_range *ranges,
			unsigned int count, u64 limit, u64 size, bool carve)
{
	u64 align = hole_align(size), end = limit + 1;
	const struct dma_window_range *r;

	/* An overlap moves the hole below the range, and all is seen again. */
	while (end >= size + align) {
		u64 first = ALIGN_DOWN(end - size, align);

		r = hole_obstacle(ranges, count, first, size, carve);
		if (!r)
			return first;
		end = r->first;
	}
	return 0;
}

/*
 * A place for @size bytes in memory, all at or below @limit; 0 for none. It is
 * a low one if possible, which is below narrower masks, too. What lies lower
 * still is left to the devices that can address nothing else.
 */
static u64 hole_in_memory(const struct dma_window_range *ranges,
			  unsigned int count, u64 limit, u64 size)
{
	const struct dma_window_range *r;
	u64 first = HOLE_LOW;

	while (size <= limit && first <= limit - size + 1) {
		r = hole_obstacle(ranges, count, first, size, true);
		if (!r)
			return first;
		if (r->last >= limit)
			break;
		first = ALIGN(r->last + 1, hole_align(size));
	}
	return hole_highest(ranges, count, limit, size, true);
}

/* How large a translated window should be, of which all is below @limit */
static u64 hole_size(u64 limit)
{
	u64 size = BIT_ULL(fls64(limit + 1) - 1);

	return min(size >> (size > SZ_2G ? 2 : 1), HOLE_MAX);
}

/**
 * dma_windows_room - how much of the translated window can a device use?
 * @set: windows
 * @limit: highest address that the device can use
 *
 * Context: any
 * Return: bytes, 0 for none.
 */
u64 dma_windows_room(const struct dma_windows *set, u64 limit)
{
	const struct dma_window *w = dma_windows_translated(set);

	if (!w || w->first > limit)
		return 0;
	return min(w->last, limit) - w->first + 1;
}
EXPORT_SYMBOL_IF_KUNIT(dma_windows_room);

/**
 * dma_windows_serve - does a device need no other windows?
 * @set: windows
 * @limit: highest address that the device can use
 *
 * Context: any
 * Return: true if all of the translated window is below @limit, or at least half
 * as much as a window of its own would have.
 */
bool dma_windows_serve(const struct dma_windows *set, u64 limit)
{
	const struct dma_window *w = dma_windows_translated(set);
	u64 room;

	limit = min_t(u64, limit, HOLE_LIMIT);
	room = dma_windows_room(set, limit);
	if (!room || w->last <= limit)
		return room;
	return room >= max_t(u64, hole_size(limit) / 2, HOLE_MIN);
}
EXPORT_SYMBOL_IF_KUNIT(dma_windows_serve);

/**
 * dma_window_find_hole - find room for a translated window
 * @ranges: what is at which physical address; nothing is at any other
 * @count: number of @ranges, which may overlap and have any order
 * @limit: highest address that the window may have
 * @carve: memory may be at the same addresses; it is reached through the window
 * @hole: where to store what was found
 *
 * Up to 31 bits the window takes half of what the device can address, beyond a
 * quarter, but no more than 64 GiB. Where nothing is, it lies for preference, as
 * high as possible; in memory it is as low as possible. It becomes smaller, by
 * halves, only when memory does not have the room either. It is never at 0, as
 * this is no valid IOVA.
 *
 * Context: any
 * Return: 0, or -ENOSPC.
 */
int dma_window_find_hole(const struct dma_window_range *ranges,
			 unsigned int count, u64 limit, bool carve,
			 struct dma_window_hole *hole)
{
	u64 size, first;
	bool carved;

	limit = min_t(u64, limit, HOLE_LIMIT);
	for (size = hole_size(limit); size >= HOLE_MIN; size /= 2) {
		first = hole_highest(ranges, count, limit, size, false);
		carved = !first && carve;
		if (carved)
			first = hole_in_memory(ranges, count, limit, size);
		if (!first)
			continue;
		*hole = (struct dma_window_hole){
			.first = first,
			.last = first + size - 1,
			.carved = carved,
		};
		return 0;
	}
	return -ENOSPC;
}
EXPORT_SYMBOL_IF_KUNIT(dma_window_find_hole);
