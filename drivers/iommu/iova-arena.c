// SPDX-License-Identifier: GPL-2.0-only
/*
 * IOVA arenas.
 *
 * An arena is a piece of the space with a bitmap of its pages, and belongs to
 * one CPU. That CPU allocates from it front to back under a lock that nobody
 * else wants. Whoever gives pages back, on whichever CPU, sets bits in a second
 * bitmap, and that is all: no lock, no list, no memory. When the owner is
 * through with its arena it takes in what was given back meanwhile and starts
 * again at the front, in lazy mode after a flush.
 *
 *	busy	  not to be allocated; only under the owner's lock
 *	freed	  given back since the owner last looked; atomically
 *	waiting	  of these, what the owner has seen and what waits for a flush
 *
 * What does not fit into an arena comes out of the tree, as do the arenas.
 *
 * Interrupts stay on. Who allocates tries a pool's lock and goes on to another
 * pool if it is taken, by another CPU or by what was interrupted on this one. It
 * waits for the other CPU, though not for long, if it would fail otherwise.
 * Nothing is called under it but what is in this file. The tree has an ordinary
 * lock; none is taken under another.
 */
#define pr_fmt(fmt) "iova: " fmt

#include <kunit/visibility.h>
#include <linux/bitmap.h>
#include <linux/bitops.h>
#include <linux/cleanup.h>
#include <linux/cpu.h>
#include <linux/cpuhotplug.h>
#include <linux/debugfs.h>
#include <linux/init.h>
#include <linux/list.h>
#include <linux/log2.h>
#include <linux/mutex.h>
#include <linux/percpu.h>
#include <linux/sched.h>
#include <linux/seq_file.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

#include "dma-flush.h"
#include "iova-arena.h"
#include "iova-tree.h"

/*
 * Pages of an arena: as many as make 32 of them below 4 GiB, at most 2^12, with
 * pages of less than 4 KiB as many as make NEAR_PLACES.
 */
#define ARENA_MAX_ORDER		12
#define ARENA_MIN_ORDER		6
/* An arena has room for this many of the largest requests it serves. */
#define ARENA_SMALL_SHIFT	4
/* Task, softirq, hardirq: one of a CPU's pools is always free. */
#define CPU_POOLS		3
/* Arenas that one allocation looks at, in each pool, if it need not succeed. */
#define POOL_MAX_SCAN		8
/* And above 4 GiB if it should. */
#define POOL_MAX_SCAN_HARD	256
/* And the pools of other CPUs. */
#define STEAL_MAX_SOFT		8
/* How often a request that must not fail looks again. */
#define LOOK_MAX		2
/* And how long it waits for the pools of other CPUs each time. */
#define LOOK_MAX_SPINS		2048
/* Arenas that debugfs shows under one hold of their pool's lock. */
#define SHOW_BATCH		16
/*
 * Arenas that a pool fills before it flushes for less than a batch; fewer where
 * they would not be enough for all CPUs.
 */
#define POOL_MIN_ARENAS		8
#define POOL_MAX_ARENAS		64
/* Arenas that are trimmed under one hold of their pool's lock. */
#define TRIM_BATCH		16
/* Places of arenas below 4 GiB: no two arenas have the same, modulo this. */
#define NEAR_PLACES		256
/* So many words of an arena that change are looked at for longer runs. */
#define REAP_MAX_KNOWN		8
/* Places told apart when something is given back: these, then all others. */
#define DIRTY_BITS		(2 * NEAR_PLACES)
/* Ranges of the tree given back that wait for one flush. */
#define TREE_MAX_FREED		128
/* And of those flushed, how many are taken in under one hold of the lock. */
#define TREE_MAX_REAP		16
/* Gaps across a multiple of 4 GiB that a search passes over. */
#define TREE_MAX_CROSSED	16
/* How long an unused arena is kept. */
#define TRIM_DELAY		HZ

/*
 * Masks below 32 bits, of 32 bits, and above. The first two allocate from the
 * top, so that small masks find room at the bottom; the last from 4 GiB up.
 */
enum iova_class {
	IOVA_NARROW,
	IOVA_LOW,
	IOVA_HIGH,
	IOVA_CLASSES,
};

/**
 * struct iova_arena - pages that one CPU allocates from
 * @node: in the pool's list
 * @pool: that pool
 * @stamp: of the flush that its pages wait for
 * @class: which of the pool's lists
 * @mark: its bit in the map of those that pages were given back to
 * @cursor: where the next allocation looks first
 * @used: bits set in the map of busy pages
 * @nr_waiting: bits set in the map of pages that wait for a flush
 * @allocs: allocations, for the trimmer
 * @seen_allocs: how many there were when it last came by
 * @longest: for each order, no run of free pages that begins aligned is longer
 * @apart_skew: at which skew, with @apart_order, a search was in vain
 * @apart_order: with which order
 * @apart_size: for how many pages; 0 if there is room again, or was always
 * @range: its place in the tree
 * @map: bitmaps: freed, busy, waiting
 *
 * All but the freed pages are protected by the pool's lock. The first cache line
 * says whether a look at the rest is worth it, for requests without alignment.
 */
struct iova_arena {
	struct list_head node;
	struct iova_pool *pool;
	s64 stamp;
	enum iova_class class;
	unsigned int mark;
	unsigned int cursor;
	unsigned int used;
	unsigned int nr_waiting;
	unsigned int allocs;
	unsigned int seen_allocs;
	unsigned int longest[IOVA_TREE_ORDERS];
	unsigned long apart_skew;
	unsigned int apart_order;
	unsigned int apart_size;
	struct iova_range range;
	unsigned long map[] ____cacheline_aligned_in_smp;
};

/**
 * struct iova_pool - arenas of a CPU
 * @lock: the CPU that uses the pool or what is in its arenas, plus 1, or 0
 * @allocs: allocations since this pool last flushed
 * @steals: allocations by other CPUs
 * @flushes: flushes for want of addresses
 * @nr: arenas of each class
 * @waiting: pages in them that wait for a flush
 * @arenas: the arenas, the one in use first
 * @near: where those below 4 GiB are
 */
struct iova_pool {
	unsigned int lock;
	unsigned int allocs;
	unsigned int steals;
	unsigned int flushes;
	unsigned int nr[IOVA_CLASSES];
	unsigned int waiting[IOVA_CLASSES];
	struct list_head arenas[IOVA_CLASSES];
	DECLARE_BITMAP(near, NEAR_PLACES);
};

struct iova_cpu {
	struct iova_pool pool[CPU_POOLS];
};

/**
 * struct iova_arenas - a space
 * @near: arenas below 4 GiB by their place
 * @room: no run of free pages in these is longer; each one's pool protects it
 * @map: arenas above
 * @order: log2 of the pages of an arena
 * @pages: these pages
 * @words: longs of a bitmap of them
 * @small: largest request that an arena serves
 * @cpus: pools of each CPU
 * @flush: flushes in lazy mode, NULL in strict mode
 * @batch: allocations of a CPU between its flushes
 * @max_pool: arenas that it fills if there are fewer, its share below 4 GiB
 * @start: first page of the space
 * @end: last page of the space
 * @last32: last page below 4 GiB
 * @dirty: for each place, modulo the bits, whether pages were given back
 * @shared: arenas above 4 GiB have shared one of these bits
 * @departed: arenas that have left a pool or the tree
 * @arrived: those of them that are in the other, or in another pool, by now
 * @lock: protects the tree and all below
 * @tree: what is taken
 * @freed: ranges of the tree that wait for a flush, the oldest first
 * @last_freed: where to add one
 * @nr_freed: how many there are
 * @last_stamp: of the range given back last
 * @nr_unflushed: how many have this stamp
 * @places: bits of @dirty that an arena has
 * @nr_arenas: arenas there are
 * @nr_limited: those of them below 4 GiB
 * @max_limited: how many there may be: three quarters of the space
 * @nr_created: arenas there ever were
 * @nr_ranges: ranges of the tree in use
 * @trim: gives back unused arenas
 * @dead: for the loss of a CPU
 * @debugfs: file
 */
struct iova_arenas {
	struct iova_arena **near;
	struct xarray map;
	unsigned int order;
	unsigned int pages;
	unsigned int words;
	unsigned int small;
	struct iova_cpu __percpu *cpus;
	struct dma_flush *flush;
	unsigned int batch;
	unsigned int max_pool;
	unsigned long start;
	unsigned long end;
	unsigned long last32;
	DECLARE_BITMAP(dirty, DIRTY_BITS);
	u16 room[NEAR_PLACES];
	bool shared;
	atomic_t departed;
	atomic_t arrived;

	spinlock_t lock ____cacheline_aligned_in_smp;
	struct iova_tree tree;
	struct iova_range *freed;
	struct iova_range **last_freed;
	unsigned int nr_freed;
	s64 last_stamp;
	unsigned int nr_unflushed;
	DECLARE_BITMAP(places, DIRTY_BITS);
	unsigned long nr_arenas;
	unsigned long nr_limited;
	unsigned long max_limited;
	unsigned long nr_created;
	unsigned long nr_ranges;
	struct delayed_work trim;
	struct hlist_node dead;
	struct dentry *debugfs;
};

static enum cpuhp_state iova_arena_cpuhp;

static struct dma_flush *arenas_flush(struct iova_arenas *as)
{
	/* An address dependency; pairs with the release in iova_arenas_defer(). */
	return READ_ONCE(as->flush);
}

/*
 * Maps of an arena
 */

static atomic_long_t *arena_freed(struct iova_arena *a)
{
	return (atomic_long_t *)a->map;
}

static unsigned long *arena_busy(struct iova_arenas *as, struct iova_arena *a)
{
	return a->map + as->words;
}

static unsigned long *arena_waiting(struct iova_arenas *as,
				    struct iova_arena *a)
{
	return a->map + 2 * as->words;
}

static bool is_near(struct iova_arenas *as, unsigned long pfn)
{
	return pfn <= as->last32;
}

static unsigned int near_place(struct iova_arenas *as, unsigned long pfn)
{
	return (pfn >> as->order) % NEAR_PLACES;
}

static unsigned int dirty_bit(struct iova_arenas *as, unsigned long pfn)
{
	return near_place(as, pfn) + (is_near(as, pfn) ? 0 : NEAR_PLACES);
}

/* What a look at the arena may find; what waits may be free by then. */
static void arena_note_room(struct iova_arenas *as, struct iova_arena *a)
{
	if (a->class != IOVA_HIGH)
		as->room[a->mark] = a->nr_waiting ? U16_MAX :
				    min(a->longest[0], U16_MAX);
}

/* Ones where @n ones in a row begin in a word. */
static unsigned long runs_inside(unsigned long ones, unsigned int n)
{
	unsigned int have = 1;

	while (ones && have < n) {
		unsigned int step = min(have, n - have);

		ones &= ones >> step;
		have += step;
	}
	return ones;
}

/* The first bit from @bit on that is where the request may begin. */
static unsigned int first_place(const struct iova_request *rq,
				unsigned int bit)
{
	return bit + ((rq->skew - bit) & ((1UL << rq->order) - 1));
}

/* Each bit of a word that is, if the lowest one is. */
static unsigned long places_inside(const struct iova_request *rq)
{
	unsigned long places = 1;
	unsigned int n;

	for (n = 1U << rq->order; n < BITS_PER_LONG; n *= 2)
		places |= places << n;
	return places;
}

/*
 * The first run of zeros for a request from bit @start on, or the number of
 * bits. A word at a time, so that a map of many holes costs no more than one
 * without. All bits from @from to the word that is looked at are zeros.
 */
static unsigned int find_run(const unsigned long *map, unsigned int bits,
			     unsigned int start, const struct iova_request *rq)
{
	unsigned long places = places_inside(rq);
	unsigned int from = first_place(rq, start);
	unsigned int i, at, end, first;

	for (i = start / BITS_PER_LONG; i < bits / BITS_PER_LONG; i++) {
		unsigned long word = map[i];

		if (i == start / BITS_PER_LONG)
			word |= (1UL << start % BITS_PER_LONG) - 1;
		at = i * BITS_PER_LONG;
		end = at + (word ? __ffs(word) : BITS_PER_LONG);
		if (end >= from + rq->size)
			return from;
		if (!word)
			continue;
		first = first_place(rq, at) - at;
		if (rq->size < BITS_PER_LONG && first < BITS_PER_LONG &&
		    ~word) {
			unsigned long runs = runs_inside(~word, rq->size) &
					     places << first;

			if (runs)
				return at + __ffs(runs);
		}
		from = first_place(rq, at + __fls(word) + 1);
	}
	return bits;
}

static void arena_take(struct iova_arena *a, unsigned int bit,
		       unsigned int size, unsigned long *pfn)
{
	a->cursor = bit + size;
	a->used += size;
	a->allocs++;
	*pfn = a->range.lo + bit;
}

/* What the first page of a request is aligned to: to its skew, if it has one. */
static unsigned int request_order(const struct iova_request *rq)
{
	return rq->skew ? __ffs(rq->skew) : rq->order;
}

/* Has a search for the like of it, apart from others, been in vain before? */
static bool arena_is_known_full(struct iova_arena *a,
				const struct iova_request *rq)
{
	return a->apart_size && rq->size >= a->apart_size &&
	       rq->order == a->apart_order && rq->skew == a->apart_skew;
}

static bool arena_may_fit(struct iova_arena *a, const struct iova_request *rq)
{
	return a->longest[request_order(rq)] >= rq->size &&
	       !arena_is_known_full(a, rq);
}

/*
 * At the first place from the cursor on, where there is room most of the time.
 * Returns the first page, or 0.
 */
static __always_inline unsigned long
arena_alloc_next(struct iova_arenas *as, struct iova_arena *a,
		 unsigned int size, unsigned int order, unsigned int skew)
{
	unsigned long *busy = arena_busy(as, a), mask, pfn;
	unsigned int bit = a->cursor;

	bit += (skew - bit) & ((1U << order) - 1);
	if (bit + size > as->pages)
		return 0;
	if (size == 1) {
		if (__test_and_set_bit(bit, busy))
			return 0;
	} else if (bit % BITS_PER_LONG + size <= BITS_PER_LONG) {
		busy += bit / BITS_PER_LONG;
		mask = GENMASK(size - 1, 0) << bit % BITS_PER_LONG;
		if (*busy & mask)
			return 0;
		*busy |= mask;
	} else {
		if (find_next_bit(busy, bit + size, bit) < bit + size)
			return 0;
		bitmap_set(busy, bit, size);
	}
	arena_take(a, bit, size, &pfn);
	return pfn;
}

/* A search has failed: with more alignment the next would, too. */
static void arena_full(struct iova_arenas *as, struct iova_arena *a,
		       const struct iova_request *rq)
{
	struct iova_request any = { .size = rq->size };
	unsigned int bits = as->pages;
	unsigned int order = rq->order;

	/* Mostly with none as well, which is known without a look at it. */
	if (order && find_run(arena_busy(as, a), bits, 0, &any) >= bits) {
		order = 0;
	} else if (rq->skew) {
		a->apart_order = rq->order;
		a->apart_skew = rq->skew;
		a->apart_size = rq->size;
		return;
	}
	for (; order <= as->order; order++)
		a->longest[order] = min(a->longest[order], rq->size - 1);
	arena_note_room(as, a);
}

/* There may be one more run of free pages, up to @run of them. */
static void arena_add_run(struct iova_arenas *as, struct iova_arena *a,
			  unsigned int run)
{
	unsigned int order, free = as->pages - a->used;

	a->apart_size = 0;
	for (order = 0; order <= as->order; order++)
		a->longest[order] = min(max(a->longest[order], run), free);
	arena_note_room(as, a);
}

static bool arena_alloc(struct iova_arenas *as, struct iova_arena *a,
			const struct iova_request *rq, unsigned long *pfn)
{
	unsigned int bits = as->pages;
	unsigned int bit;

	if (!arena_may_fit(a, rq))
		return false;
	bit = find_run(arena_busy(as, a), bits, a->cursor, rq);
	if (bit >= bits && a->cursor)
		bit = find_run(arena_busy(as, a), bits, 0, rq);
	if (bit >= bits) {
		arena_full(as, a, rq);
		return false;
	}
	bitmap_set(arena_busy(as, a), bit, rq->size);
	arena_take(a, bit, rq->size, pfn);
	return true;
}

/* A page, mostly, or a word */
static __always_inline void arena_set_freed(struct iova_arena *a,
					    unsigned int bit,
					    unsigned long size)
{
	atomic_long_t *freed = arena_freed(a) + bit / BITS_PER_LONG;

	if (size == 1) {
		set_bit(bit, a->map);
		return;
	}
	bit %= BITS_PER_LONG;
	for (; bit + size > BITS_PER_LONG; bit = 0) {
		atomic_long_or(GENMASK(BITS_PER_LONG - 1, bit), freed++);
		size -= BITS_PER_LONG - bit;
	}
	if (likely(size))
		atomic_long_or(GENMASK(size - 1, 0) << bit, freed);
}

/* The last access to the arena is the last atomic operation. */
static __always_inline void arena_free(struct iova_arenas *as,
				       struct iova_arena *a, unsigned long pfn,
				       unsigned long size)
{
	unsigned int mark = dirty_bit(as, pfn);

	/*
	 * The page table was cleared, and in strict mode the IOTLB flushed,
	 * before. Pairs with the exchange in arena_collect().
	 */
	smp_mb__before_atomic();
	arena_set_freed(a, pfn & (as->pages - 1), size);
	/*
	 * Pairs with the barrier in the flush timer, see dma_flush_arm(), and
	 * with that in arena_dirty(): either the bits are seen there, or this
	 * sees that the mark is gone.
	 */
	smp_mb__after_atomic();
	if (!test_bit(mark, as->dirty))
		set_bit(mark, as->dirty);
}

/* Was anything given back? Takes the mark away: what follows has to look. */
static bool arena_dirty(struct iova_arenas *as, struct iova_arena *a)
{
	/* A mark may be for another arena. */
	if (a->class == IOVA_HIGH && READ_ONCE(as->shared))
		return true;
	if (!test_bit(a->mark, as->dirty))
		return false;
	clear_bit(a->mark, as->dirty);
	/* Pairs with the barrier at the end of arena_free(). */
	smp_mb__after_atomic();
	return true;
}

/* Take in what was given back; in lazy mode it waits for a flush. */
static void arena_collect(struct iova_arenas *as, struct iova_arena *a)
{
	unsigned long *waiting = arena_waiting(as, a);
	atomic_long_t *freed = arena_freed(a);
	struct dma_flush *flush;
	unsigned int i, n = 0;

	for (i = 0; i < as->words; i++) {
		unsigned long word;

		if (!atomic_long_read(&freed[i]))
			continue;
		/* Full barrier, pairs with the one in arena_free(). */
		word = atomic_long_xchg(&freed[i], 0);
		waiting[i] |= word;
		n += hweight_long(word);
	}
	if (!n)
		return;
	a->nr_waiting += n;
	a->pool->waiting[a->class] += n;
	arena_note_room(as, a);
	/* Deferred flushes may begin meanwhile, but not be missed. */
	flush = arenas_flush(as);
	if (flush)
		a->stamp = dma_flush_stamp(flush);
}

/* Zeros right below a word, and right above it. */
static unsigned int zeros_below(const unsigned long *map, unsigned int word)
{
	unsigned int n = 0;

	for (; word; word--, n += BITS_PER_LONG) {
		if (map[word - 1])
			return n + BITS_PER_LONG - 1 - __fls(map[word - 1]);
	}
	return n;
}

static unsigned int zeros_above(const unsigned long *map, unsigned int words,
				unsigned int word)
{
	unsigned int n = 0;

	while (++word < words) {
		if (map[word])
			return n + __ffs(map[word]);
		n += BITS_PER_LONG;
	}
	return n;
}

/* The longest run of zeros that a word is part of. */
static unsigned int run_through(const unsigned long *map, unsigned int words,
				unsigned int word)
{
	unsigned int below = zeros_below(map, word);
	unsigned int above = zeros_above(map, words, word);
	unsigned long zeros = ~map[word];
	unsigned int n = 0;

	if (!map[word])
		return below + BITS_PER_LONG + above;
	below += __ffs(map[word]);
	above += BITS_PER_LONG - 1 - __fls(map[word]);
	for (; zeros; zeros &= zeros << 1)
		n++;
	return max3(n, below, above);
}

/*
 * Make free what has waited for its flush. In a full space that is little, and
 * it is cheaper to know that no run is long enough than to search for one.
 */
static void arena_reap(struct iova_arenas *as, struct iova_arena *a)
{
	struct dma_flush *flush = arenas_flush(as);
	unsigned long *waiting = arena_waiting(as, a);
	unsigned long *busy = arena_busy(as, a);
	unsigned int changed[REAP_MAX_KNOWN];
	unsigned int i, nr = 0, run = 0;

	if (!a->nr_waiting ||
	    (flush && !dma_flush_passed(flush, a->stamp)))
		return;
	for (i = 0; i < as->words; i++) {
		if (!waiting[i])
			continue;
		busy[i] &= ~waiting[i];
		waiting[i] = 0;
		if (nr < REAP_MAX_KNOWN)
			changed[nr] = i;
		nr++;
	}
	a->used -= a->nr_waiting;
	a->pool->waiting[a->class] -= a->nr_waiting;
	a->nr_waiting = 0;
	a->cursor = 0;
	if (nr > REAP_MAX_KNOWN)
		run = as->pages;
	else
		while (nr--)
			run = max(run, run_through(busy, as->words,
						   changed[nr]));
	arena_add_run(as, a, run);
}

static void arena_refill(struct iova_arenas *as, struct iova_arena *a)
{
	/* In this order: collecting puts the flush off for all that waits. */
	arena_reap(as, a);
	if (!arena_dirty(as, a))
		return;
	arena_collect(as, a);
	if (!arenas_flush(as))
		arena_reap(as, a);
}

/*
 * The tree
 */

static enum iova_class class_of(struct iova_arenas *as, unsigned long limit)
{
	/* In the order of their numbers */
	return (limit >= as->last32) + (limit > as->last32);
}

static bool crosses_4g(struct iova_arenas *as, unsigned long pfn,
		       unsigned long size)
{
	return size <= as->last32 &&
	       (pfn & ~as->last32) != ((pfn + size - 1) & ~as->last32);
}

/**
 * struct iova_look - a search through all arenas
 * @missed: there is more than it has seen: in use, or it waits for a flush
 * @spins: how often it may still wait for another CPU
 * @low: only what is below 4 GiB is of use
 */
struct iova_look {
	bool missed;
	unsigned int spins;
	bool low;
};

static void request_again(const struct iova_request *rq)
{
	if (rq->look)
		rq->look->missed = true;
}

static bool tree_find_from(struct iova_arenas *as, unsigned long from,
			   const struct iova_request *rq, unsigned int order,
			   unsigned long *pfn)
{
	unsigned long need = rq->size + rq->skew;

	return iova_tree_find_first(&as->tree, need, order, from, pfn) &&
	       *pfn + need - 1 <= rq->limit;
}

/*
 * Nothing shall lie on both sides of a multiple of 4 GiB: devices exist that
 * take the upper half of an address from a register.
 */
static bool tree_find_high(struct iova_arenas *as,
			   const struct iova_request *rq, unsigned long *pfn)
{
	unsigned int natural = order_base_2(rq->size + rq->skew);
	unsigned long from = as->last32 + 1;
	unsigned int i;

	for (i = 0; i <= TREE_MAX_CROSSED; i++) {
		if (!tree_find_from(as, from, rq, rq->order, pfn))
			return false;
		if (!crosses_4g(as, *pfn + rq->skew, rq->size))
			return true;
		from = (*pfn | as->last32) + 1;
	}
	return natural < IOVA_TREE_ORDERS &&
	       tree_find_from(as, from, rq, max(rq->order, natural), pfn) &&
	       !crosses_4g(as, *pfn + rq->skew, rq->size);
}

static bool tree_find(struct iova_arenas *as, const struct iova_request *rq,
		      unsigned long *pfn)
{
	lockdep_assert_held(&as->lock);

	if (rq->order >= IOVA_TREE_ORDERS || rq->size >= U32_MAX - rq->skew)
		return false;
	/* What is larger than 4 GiB may begin anywhere. */
	if (rq->size > as->last32) {
		if (!tree_find_from(as, as->start, rq, rq->order, pfn))
			return false;
	} else if (class_of(as, rq->limit) == IOVA_HIGH) {
		if (!tree_find_high(as, rq, pfn))
			return false;
	} else if (!iova_tree_find_last(&as->tree, rq->size + rq->skew,
					rq->order, rq->limit, pfn)) {
		return false;
	}
	*pfn += rq->skew;
	return true;
}

/* The range of the tree that was given back first, if its flush is over. */
static struct iova_range *tree_first_freed(struct iova_arenas *as)
{
	struct iova_range *range = as->freed;

	lockdep_assert_held(&as->lock);

	return range && dma_flush_passed(as->flush, range->stamp) ? range
								   : NULL;
}

static void tree_pop_freed(struct iova_arenas *as)
{
	WRITE_ONCE(as->freed, as->freed->next);
	if (!as->freed)
		as->last_freed = &as->freed;
	as->nr_freed--;
}

/* Devices ask for the same sizes again: without a way through the tree. */
static bool tree_reuse(struct iova_arenas *as, const struct iova_request *rq,
		       unsigned long *pfn)
{
	struct iova_range *range = tree_first_freed(as);
	unsigned long mask = (1UL << rq->order) - 1;
	bool high = class_of(as, rq->limit) == IOVA_HIGH;

	if (!range || range->hi - range->lo + 1 != rq->size ||
	    range->hi > rq->limit || ((range->lo - rq->skew) & mask) ||
	    high == is_near(as, range->lo))
		return false;
	tree_pop_freed(as);
	*pfn = range->lo;
	return true;
}

/*
 * Ranges of the tree whose flush is over; returns whether all are through. Who
 * gives one back takes in more than that when there are many, so they come to
 * an end.
 */
static bool tree_reap(struct iova_arenas *as)
{
	struct iova_range *range;
	unsigned int i;

	lockdep_assert_held(&as->lock);

	for (i = 0; i < TREE_MAX_REAP; i++) {
		range = tree_first_freed(as);
		if (!range)
			return true;
		tree_pop_freed(as);
		as->nr_ranges--;
		iova_tree_erase(&as->tree, range);
		kfree(range);
	}
	return false;
}

static void tree_reap_all(struct iova_arenas *as)
{
	bool through = false;

	while (!through) {
		guard(spinlock_irqsave)(&as->lock);
		through = tree_reap(as);
	}
}

/* A range of its own, for what is too large for an arena, or has no room. */
static bool tree_alloc(struct iova_arenas *as, const struct iova_request *rq,
		       unsigned long *pfn)
{
	struct iova_range *range;
	bool through;

	if (READ_ONCE(as->freed)) {
		guard(spinlock_irqsave)(&as->lock);
		if (tree_reuse(as, rq, pfn))
			return true;
	}
	range = kmalloc_obj(*range, GFP_ATOMIC | __GFP_NOWARN);
	if (!range)
		return false;
	do {
		guard(spinlock_irqsave)(&as->lock);
		through = tree_reap(as);
		if (tree_find(as, rq, pfn)) {
			iova_tree_insert(&as->tree, range, *pfn,
					 *pfn + rq->size - 1);
			as->nr_ranges++;
			return true;
		}
		if (through && as->freed)
			request_again(rq);
	} while (!through);
	kfree(range);
	return false;
}

static struct iova_range *tree_range(struct iova_arenas *as,
				     unsigned long pfn, unsigned long size)
{
	struct iova_range *range = iova_tree_from(&as->tree, pfn);

	lockdep_assert_held(&as->lock);

	if (WARN_ON(range->lo != pfn || range->hi != pfn + size - 1))
		return NULL;
	return range;
}

static void tree_free_now(struct iova_arenas *as, unsigned long pfn,
			  unsigned long size)
{
	struct iova_range *range;

	scoped_guard(spinlock_irqsave, &as->lock) {
		range = tree_range(as, pfn, size);
		if (!range)
			return;
		iova_tree_erase(&as->tree, range);
		as->nr_ranges--;
	}
	kfree(range);
}

static void tree_free_later(struct iova_arenas *as, struct dma_flush *flush,
			    unsigned long pfn, unsigned long size)
{
	struct iova_range *range;

	/* Pairs with the barrier in dma_flush_now(); see dma_flush_passed(). */
	smp_mb();
	scoped_guard(spinlock_irqsave, &as->lock) {
		range = tree_range(as, pfn, size);
		if (!range)
			return;
		range->stamp = dma_flush_stamp(flush);
		range->next = NULL;
		/* It may be the list's head, which is looked at without the lock. */
		WRITE_ONCE(*as->last_freed, range);
		as->last_freed = &range->next;
		/* Those whose flush is over are kept for the next requests. */
		if (++as->nr_freed > TREE_MAX_FREED)
			tree_reap(as);
		/* Whatever flush begins serves all those before. */
		if (range->stamp != as->last_stamp) {
			as->last_stamp = range->stamp;
			as->nr_unflushed = 0;
		}
		if (++as->nr_unflushed % TREE_MAX_FREED)
			return;
	}
	dma_flush_now(flush);
}

/*
 * Making and unmaking arenas
 */

/* An arena on its way is seen by nobody, so that these are counted. */
static void arena_departs(struct iova_arenas *as)
{
	atomic_inc(&as->departed);
	/* Who sees that it has left sees the number; see alloc_anywhere(). */
	smp_mb__after_atomic();
}

static void arena_arrives(struct iova_arenas *as)
{
	/* Who sees the number sees where it is now; see alloc_anywhere(). */
	smp_mb__before_atomic();
	atomic_inc(&as->arrived);
}

static struct iova_arena *arena_create(struct iova_arenas *as,
				       enum iova_class class,
				       const struct iova_request *request)
{
	unsigned long max = request->modest ? as->max_limited / 2
					    : as->max_limited;
	struct iova_request rq = {
		.size = as->pages,
		.order = as->order,
		.limit = request->limit,
	};
	struct iova_arena *a;
	unsigned int order;
	unsigned long pfn;

	/* Most requests for one too many need no lock. */
	if (class != IOVA_HIGH && READ_ONCE(as->nr_limited) >= max)
		return NULL;
	a = kzalloc_flex(*a, map, 3 * as->words,
			 GFP_ATOMIC | __GFP_NOWARN);
	if (!a)
		return NULL;
	for (order = 0; order <= as->order; order++)
		a->longest[order] = rq.size;
	a->class = class;
	scoped_guard(spinlock_irqsave, &as->lock) {
		tree_reap(as);
		if ((class != IOVA_HIGH && as->nr_limited >= max) ||
		    !tree_find(as, &rq, &pfn)) {
			kfree(a);
			return NULL;
		}
		arena_departs(as);
		iova_tree_insert(&as->tree, &a->range, pfn,
				 pfn + rq.size - 1);
		a->mark = dirty_bit(as, pfn);
		if (__test_and_set_bit(a->mark, as->places))
			WRITE_ONCE(as->shared, true);
		as->nr_arenas++;
		as->nr_created++;
		WRITE_ONCE(as->nr_limited,
			   as->nr_limited + (class != IOVA_HIGH));
	}
	return a;
}

static void arena_destroy(struct iova_arenas *as, struct iova_arena *a)
{
	scoped_guard(spinlock_irqsave, &as->lock) {
		iova_tree_erase(&as->tree, &a->range);
		__clear_bit(a->mark, as->places);
		as->nr_arenas--;
		WRITE_ONCE(as->nr_limited,
			   as->nr_limited - (a->class != IOVA_HIGH));
	}
	arena_arrives(as);
	kfree(a);
}

/*
 * From now on pages can be given back. Nobody can give one back before it was
 * allocated, so what was allocated brings the pointer along.
 */
static bool arena_publish(struct iova_arenas *as, struct iova_arena *a)
{
	unsigned long flags;
	void *old;

	if (a->class != IOVA_HIGH) {
		as->near[a->mark] = a;
		return true;
	}
	xa_lock_irqsave(&as->map, flags);
	old = __xa_store(&as->map, a->range.lo >> as->order, a,
			 GFP_ATOMIC | __GFP_NOWARN);
	xa_unlock_irqrestore(&as->map, flags);
	return !xa_is_err(old);
}

static void arena_withdraw(struct iova_arenas *as, struct iova_arena *a)
{
	unsigned long flags;

	if (a->class != IOVA_HIGH) {
		as->near[a->mark] = NULL;
		return;
	}
	xa_lock_irqsave(&as->map, flags);
	__xa_erase(&as->map, a->range.lo >> as->order);
	xa_unlock_irqrestore(&as->map, flags);
}

/*
 * Pools
 */

/* If it fails, @mine tells whether what this has interrupted has the pool. */
static bool pool_trylock_mine(struct iova_pool *pool, bool *mine)
{
	unsigned int me, owner = 0;

	preempt_disable();
	me = raw_smp_processor_id() + 1;
	if (try_cmpxchg_acquire(&pool->lock, &owner, me))
		return true;
	*mine = owner == me;
	preempt_enable();
	return false;
}

static bool pool_trylock(struct iova_pool *pool)
{
	bool mine;

	return pool_trylock_mine(pool, &mine);
}

static void pool_unlock(struct iova_pool *pool)
{
	/* Pairs with the acquire in pool_trylock_mine(). */
	smp_store_release(&pool->lock, 0);
	preempt_enable();
}

/*
 * Waits for another CPU, up to half of the time that is left, so that there is
 * some for other pools. What was interrupted goes on only after the search.
 */
static bool pool_lock_soon(struct iova_pool *pool, struct iova_look *look)
{
	unsigned int spins = look ? look->spins / 2 : 0;
	bool mine;

	while (!pool_trylock_mine(pool, &mine)) {
		if (!look || mine)
			return false;
		do {
			if (!spins--) {
				look->missed = true;
				return false;
			}
			look->spins--;
			cpu_relax();
		} while (READ_ONCE(pool->lock));
	}
	return true;
}

/* For those who may wait: not in an interrupt, which waits for nobody. */
static void pool_lock(struct iova_pool *pool)
{
	while (!pool_trylock(pool))
		cpu_relax();
}

/* One of this CPU's; it is no harm to be on another one by now. */
static struct iova_pool *pool_lock_mine(struct iova_arenas *as)
{
	struct iova_cpu *mine = raw_cpu_ptr(as->cpus);
	unsigned int i;

	for (i = 0; i < CPU_POOLS; i++) {
		if (pool_trylock(&mine->pool[i]))
			return &mine->pool[i];
	}
	return NULL;
}

static void pool_add(struct iova_arenas *as, struct iova_pool *pool,
		     struct iova_arena *a)
{
	a->pool = pool;
	list_add(&a->node, &pool->arenas[a->class]);
	WRITE_ONCE(pool->nr[a->class], pool->nr[a->class] + 1);
	pool->waiting[a->class] += a->nr_waiting;
	if (a->class != IOVA_HIGH)
		__set_bit(a->mark, pool->near);
	arena_note_room(as, a);
	arena_arrives(as);
}

static void pool_remove(struct iova_arenas *as, struct iova_arena *a)
{
	struct iova_pool *pool = a->pool;

	arena_departs(as);
	list_del(&a->node);
	WRITE_ONCE(pool->nr[a->class], pool->nr[a->class] - 1);
	pool->waiting[a->class] -= a->nr_waiting;
	if (a->class != IOVA_HIGH)
		__clear_bit(a->mark, pool->near);
}

/* Most arenas of a full space are not. */
static bool arena_worth(struct iova_arenas *as, struct iova_arena *a,
			const struct iova_request *rq)
{
	return arena_may_fit(a, rq) || a->nr_waiting ||
	       test_bit(a->mark, as->dirty) || a->class == IOVA_HIGH;
}

static bool arena_serve(struct iova_arenas *as, struct iova_arena *a,
			const struct iova_request *rq, unsigned long *pfn)
{
	if (!arena_worth(as, a, rq) || a->range.hi > rq->limit)
		return false;
	if (arena_alloc(as, a, rq, pfn))
		return true;
	arena_refill(as, a);
	if (arena_alloc(as, a, rq, pfn))
		return true;
	if (a->nr_waiting)
		request_again(rq);
	return false;
}

/* From one of the pool's arenas, which comes first then. */
static bool pool_alloc(struct iova_arenas *as, struct iova_pool *pool,
		       enum iova_class class, const struct iova_request *rq,
		       unsigned long *pfn)
{
	struct list_head *arenas = &pool->arenas[class];
	unsigned int left = rq->hard ? POOL_MAX_SCAN_HARD : POOL_MAX_SCAN;
	struct iova_arena *a;

	list_for_each_entry(a, arenas, node) {
		if (!left--) {
			/* Those without room to the end */
			list_rotate_to_front(&a->node, arenas);
			request_again(rq);
			return false;
		}
		if (arena_serve(as, a, rq, pfn)) {
			list_rotate_to_front(&a->node, arenas);
			pool->allocs++;
			return true;
		}
	}
	return false;
}

/*
 * From any of the pool's arenas below 4 GiB. Where the space is full hardly any
 * is worth a look, and those that are not stay out of the CPU's cache.
 */
static bool pool_alloc_near(struct iova_arenas *as, struct iova_pool *pool,
			    const struct iova_request *rq, unsigned long *pfn)
{
	struct iova_arena *a;
	unsigned int place;

	for_each_set_bit(place, pool->near, NEAR_PLACES) {
		if (as->room[place] < rq->size && !test_bit(place, as->dirty))
			continue;
		a = as->near[place];
		if (arena_serve(as, a, rq, pfn)) {
			list_rotate_to_front(&a->node,
					     &pool->arenas[a->class]);
			pool->allocs++;
			return true;
		}
	}
	return false;
}

/* One more arena would be one that another CPU may need, or there is none. */
static bool pool_has_share(struct iova_arenas *as, struct iova_pool *pool,
			   enum iova_class class)
{
	if (class == IOVA_HIGH)
		return pool->nr[class] >= max(as->max_pool, POOL_MIN_ARENAS);
	return pool->nr[class] >= as->max_pool ||
	       READ_ONCE(as->nr_limited) >= as->max_limited;
}

/*
 * Rather flush and use the same addresses again, which the CPU and the IOMMU
 * have in their caches, than spread over more of them. A flush must be worth
 * it, though: large requests fill an arena soon.
 */
static bool pool_should_flush(struct iova_arenas *as, struct iova_pool *pool,
			      enum iova_class class,
			      const struct iova_request *rq)
{
	unsigned long waiting = pool->waiting[class];

	/* What lies apart keeps others off a place of its own. */
	if (rq->modest && !rq->skew)
		waiting *= max((1UL << rq->order) / rq->size, 1UL);
	if (waiting < (pool->nr[class] << as->order) / 4 || !waiting)
		return false;
	return pool->allocs >= as->batch || pool_has_share(as, pool, class);
}

/* One more arena for a pool of this CPU, and the first allocation from it. */
static bool pool_grow(struct iova_arenas *as, enum iova_class class,
		      const struct iova_request *rq, unsigned long *pfn)
{
	struct iova_arena *a = arena_create(as, class, rq);
	struct iova_pool *pool;
	bool ret;

	if (!a)
		return false;
	pool = arena_publish(as, a) ? pool_lock_mine(as) : NULL;
	if (!pool) {
		arena_withdraw(as, a);
		arena_destroy(as, a);
		return false;
	}
	pool_add(as, pool, a);
	ret = arena_alloc(as, a, rq, pfn);
	pool->allocs += ret;
	pool_unlock(pool);
	return ret;
}

/* Unless somebody else is using it. */
static bool pool_steal(struct iova_arenas *as, struct iova_pool *pool,
		       enum iova_class class, const struct iova_request *rq,
		       unsigned long *pfn)
{
	bool ret;

	if (!READ_ONCE(pool->nr[class]))
		return false;
	if (!pool_lock_soon(pool, rq->look))
		return false;
	ret = pool_alloc(as, pool, class, rq, pfn);
	WRITE_ONCE(pool->steals, pool->steals + ret);
	pool_unlock(pool);
	return ret;
}

static bool pool_steal_near(struct iova_arenas *as, struct iova_pool *pool,
			    const struct iova_request *rq, unsigned long *pfn)
{
	bool ret;

	if (!READ_ONCE(pool->nr[IOVA_NARROW]) && !READ_ONCE(pool->nr[IOVA_LOW]))
		return false;
	if (!pool_lock_soon(pool, rq->look))
		return false;
	ret = pool_alloc_near(as, pool, rq, pfn);
	WRITE_ONCE(pool->steals, pool->steals + ret);
	pool_unlock(pool);
	return ret;
}

/* From all arenas below 4 GiB, whichever mask they were made for. */
static bool steal_near(struct iova_arenas *as, const struct iova_request *rq,
		       unsigned long *pfn)
{
	int cpu, own = raw_smp_processor_id();
	unsigned int i;

	for_each_possible_cpu_wrap(cpu, own + 1) {
		struct iova_cpu *other = per_cpu_ptr(as->cpus, cpu);

		for (i = 0; i < CPU_POOLS; i++) {
			if (pool_steal_near(as, &other->pool[i], rq, pfn))
				return true;
		}
	}
	return false;
}

/*
 * From the pools of all CPUs, those of this one last: it may have moved. Not all
 * begin with the same one, whose own allocations they would hinder.
 */
static bool steal(struct iova_arenas *as, enum iova_class class,
		  const struct iova_request *rq, unsigned long *pfn)
{
	int cpu, own = raw_smp_processor_id();
	unsigned int i, seen = 0;

	for_each_possible_cpu_wrap(cpu, own + 1) {
		struct iova_cpu *other = per_cpu_ptr(as->cpus, cpu);

		for (i = 0; i < CPU_POOLS; i++) {
			if (pool_steal(as, &other->pool[i], class, rq, pfn))
				return true;
		}
		if (!rq->hard && ++seen == STEAL_MAX_SOFT)
			break;
	}
	return false;
}

static bool alloc_here(struct iova_arenas *as, enum iova_class class,
		       const struct iova_request *rq, unsigned long *pfn,
		       bool *flush)
{
	struct iova_pool *pool = pool_lock_mine(as);
	bool ret;

	*flush = false;
	if (!pool)
		return false;
	ret = pool_alloc(as, pool, class, rq, pfn);
	if (!ret && pool_should_flush(as, pool, class, rq)) {
		*flush = true;
		pool->allocs = 0;
		WRITE_ONCE(pool->flushes, pool->flushes + 1);
	}
	pool_unlock(pool);
	return ret;
}

static bool small_alloc(struct iova_arenas *as, enum iova_class class,
			const struct iova_request *rq, unsigned long *pfn)
{
	bool flush, again;

	/* All arenas there are, once */
	if (rq->hard)
		return (class == IOVA_HIGH ? steal(as, class, rq, pfn) :
					     steal_near(as, rq, pfn)) ||
		       pool_grow(as, class, rq, pfn);
	if (alloc_here(as, class, rq, pfn, &flush))
		return true;
	if (flush) {
		dma_flush_now(as->flush);
		if (alloc_here(as, class, rq, pfn, &again))
			return true;
	}
	return pool_grow(as, class, rq, pfn) || steal(as, class, rq, pfn);
}

/*
 * Giving unused arenas back
 */

/*
 * Looks at the first arenas of a pool, which go to the end of its list or to
 * @gone. Returns whether it is worth coming back: after a flush, or later if
 * those in use may be @idle by then.
 */
static bool pool_trim_some(struct iova_arenas *as, struct list_head *arenas,
			   unsigned int n, bool idle, struct list_head *gone)
{
	struct iova_arena *a;
	bool again = false;

	for (; n && !list_empty(arenas); n--) {
		a = list_first_entry(arenas, typeof(*a), node);
		arena_refill(as, a);
		if (!a->used && (!idle || a->allocs == a->seen_allocs)) {
			pool_remove(as, a);
			list_add(&a->node, gone);
			continue;
		}
		again |= a->nr_waiting ||
			 (idle && a->allocs != a->seen_allocs);
		a->seen_allocs = a->allocs;
		list_rotate_left(arenas);
	}
	return again;
}

static bool pool_trim(struct iova_arenas *as, struct iova_pool *pool,
		      enum iova_class class, bool idle, struct iova_look *look)
{
	unsigned int n, left = READ_ONCE(pool->nr[class]);
	struct list_head *arenas = &pool->arenas[class];
	struct list_head *first = NULL;
	struct iova_arena *a, *next;
	bool again = false;

	while (left) {
		LIST_HEAD(gone);

		if (!pool_lock_soon(pool, look))
			return again;
		if (!first)
			left = pool->nr[class];
		else if (arenas->next != first)
			/* Somebody has moved the list past some of them. */
			look->missed = true;
		n = min(left, TRIM_BATCH);
		again |= pool_trim_some(as, arenas, n, idle, &gone);
		first = arenas->next;
		pool_unlock(pool);
		left -= n;
		list_for_each_entry_safe(a, next, &gone, node) {
			arena_withdraw(as, a);
			arena_destroy(as, a);
		}
	}
	return again;
}

static bool pools_trim(struct iova_arenas *as, struct iova_cpu *owner,
		       bool idle, struct iova_look *look)
{
	enum iova_class class, end = look->low ? IOVA_HIGH : IOVA_CLASSES;
	bool again = false;
	unsigned int i;

	for (i = 0; i < CPU_POOLS; i++) {
		for (class = 0; class < end; class++)
			again |= pool_trim(as, &owner->pool[i], class, idle,
					   look);
	}
	return again;
}

static bool arenas_trim(struct iova_arenas *as, bool idle,
			struct iova_look *look)
{
	bool again;
	int cpu;

	tree_reap_all(as);
	again = READ_ONCE(as->freed);
	for_each_possible_cpu(cpu)
		again |= pools_trim(as, per_cpu_ptr(as->cpus, cpu), idle, look);
	return again;
}

/* Takes in all that was given back, in lazy mode after a flush. */
static void make_room(struct iova_arenas *as, struct iova_look *look)
{
	struct dma_flush *flush = arenas_flush(as);

	if (!arenas_trim(as, false, look) || !flush)
		return;
	dma_flush_now(flush);
	if (arenas_trim(as, false, look))
		look->missed = true;
}

/**
 * iova_arenas_trim - make room: take in all that was given back
 * @as: space
 *
 * Context: any
 */
void iova_arenas_trim(struct iova_arenas *as)
{
	struct iova_look look = {};

	make_room(as, &look);
}
EXPORT_SYMBOL_IF_KUNIT(iova_arenas_trim);

/*
 * Allocation
 */

/* Does an arena of which no page is in use have room for it? */
static bool fits_arena(struct iova_arenas *as, const struct iova_request *rq)
{
	return rq->size <= as->small && rq->order <= as->order &&
	       rq->skew + rq->size <= as->pages;
}

/* Are pages of an arena below the limit, and others above? */
static bool cuts_arena(struct iova_arenas *as, unsigned long limit)
{
	return limit != as->end && (limit + 1) & (as->pages - 1);
}

static bool alloc_in_class(struct iova_arenas *as,
			   const struct iova_request *rq, unsigned long *pfn)
{
	enum iova_class class = class_of(as, rq->limit);
	bool fits = fits_arena(as, rq);

	if (fits && small_alloc(as, class, rq, pfn))
		return true;
	return !(fits && rq->modest) && tree_alloc(as, rq, pfn);
}

static bool alloc_below(struct iova_arenas *as, const struct iova_request *rq,
			unsigned long *pfn)
{
	struct iova_request low = *rq;

	if (alloc_in_class(as, rq, pfn))
		return true;
	if (rq->limit <= as->last32)
		return false;
	low.limit = as->last32;
	return alloc_in_class(as, &low, pfn);
}

/* From all arenas and the tree; notes whether one was on its way meanwhile. */
static bool alloc_anywhere(struct iova_arenas *as,
			   const struct iova_request *rq, unsigned long *pfn)
{
	/* Pairs with the barrier in arena_arrives(). */
	int arrived = atomic_read_acquire(&as->arrived);

	if (alloc_below(as, rq, pfn))
		return true;
	/* Pairs with the barrier in arena_departs(). */
	smp_rmb();
	if (atomic_read(&as->departed) != arrived)
		request_again(rq);
	return false;
}

/* From all arenas, with all that was given back, wherever it waits. */
static bool alloc_hard(struct iova_arenas *as, struct iova_request *rq,
		       unsigned long *pfn)
{
	struct iova_look look = { .low = rq->limit <= as->last32 };
	struct dma_flush *flush = arenas_flush(as);
	unsigned int i;

	rq->look = &look;
	if (alloc_anywhere(as, rq, pfn))
		return true;
	/*
	 * More than once, for what others give back meanwhile puts the flush
	 * off for all that waits in its arena, and pools that they are in are
	 * passed over, as is what they move.
	 */
	for (i = 0; i < LOOK_MAX && look.missed; i++) {
		look.missed = false;
		look.spins = LOOK_MAX_SPINS;
		if (flush) {
			dma_flush_now(flush);
			tree_reap_all(as);
		}
		if (alloc_anywhere(as, rq, pfn))
			return true;
	}
	/* Arenas without a page in use make room for what fits into none. */
	if (fits_arena(as, rq) && !cuts_arena(as, rq->limit))
		return false;
	look.missed = true;
	for (i = 0; i <= LOOK_MAX && look.missed; i++) {
		look.missed = false;
		look.spins = LOOK_MAX_SPINS;
		make_room(as, &look);
		if (alloc_anywhere(as, rq, pfn))
			return true;
	}
	return false;
}

static bool alloc_slowly(struct iova_arenas *as,
			 const struct iova_request *request,
			 unsigned long *pfn)
{
	struct iova_request rq = *request;

	rq.limit = min(rq.limit, as->end);
	rq.hard = false;
	if (alloc_below(as, &rq, pfn))
		return true;
	if (!request->hard)
		return false;

	rq.hard = true;
	return alloc_hard(as, &rq, pfn);
}

/* From the arena in use, if there is room without a search; or 0 */
static __always_inline unsigned long
alloc_next(struct iova_arenas *as, unsigned int size, unsigned int order,
	   unsigned int skew, unsigned long limit)
{
	struct iova_pool *pool = &raw_cpu_ptr(as->cpus)->pool[0];
	struct list_head *arenas;
	unsigned long pfn = 0;
	struct iova_arena *a;

	if (order > as->order || !pool_trylock(pool))
		return 0;
	limit = min(limit, as->end);
	arenas = &pool->arenas[class_of(as, limit)];
	a = list_first_entry(arenas, typeof(*a), node);
	if (!list_entry_is_head(a, arenas, node) && a->range.hi <= limit) {
		pfn = arena_alloc_next(as, a, size, order, skew);
		if (pfn)
			pool->allocs++;
	}
	pool_unlock(pool);
	return pfn;
}

/**
 * iova_arenas_alloc_page - allocate the address of a page, if one is at hand
 * @as: space
 * @order: what it is aligned to
 * @limit: highest page that may be used
 *
 * Context: any
 * Return: the page, or 0 when it takes iova_arenas_alloc() to find one.
 */
unsigned long iova_arenas_alloc_page(struct iova_arenas *as, unsigned int order,
				     unsigned long limit)
{
	return alloc_next(as, 1, order, 0, limit);
}
EXPORT_SYMBOL_IF_KUNIT(iova_arenas_alloc_page);

/**
 * iova_arenas_alloc - allocate addresses
 * @as: space
 * @request: what is wanted
 * @pfn: where to store the first page
 *
 * Context: any; with interrupts off for one search in the tree. Looks at a few
 * arenas first; @request->hard may add looks at the arenas of all CPUs, a flush
 * of the IOTLB before each of them, and short waits for other CPUs.
 * Return: whether there was room.
 */
bool iova_arenas_alloc(struct iova_arenas *as,
		       const struct iova_request *request, unsigned long *pfn)
{
	if (request->size <= as->small) {
		*pfn = alloc_next(as, request->size, request->order,
				  request->skew, request->limit);
		if (*pfn)
			return true;
	}
	return alloc_slowly(as, request, pfn);
}
EXPORT_SYMBOL_IF_KUNIT(iova_arenas_alloc);

/* What was given back is taken in after a while if nobody wants it before. */
static noinline void take_in_later(struct iova_arenas *as,
				   struct dma_flush *flush)
{
	if (flush)
		dma_flush_arm(flush);
	else if (!delayed_work_pending(&as->trim))
		schedule_delayed_work(&as->trim, TRIM_DELAY);
}

/* Of an arena above 4 GiB, or of the tree */
static noinline void free_elsewhere(struct iova_arenas *as, unsigned long pfn,
				    unsigned long size)
{
	struct dma_flush *flush = arenas_flush(as);
	struct iova_arena *a = NULL;

	if (!is_near(as, pfn))
		a = xa_load(&as->map, pfn >> as->order);
	if (a)
		arena_free(as, a, pfn, size);
	else if (flush)
		tree_free_later(as, flush, pfn, size);
	else
		tree_free_now(as, pfn, size);
	take_in_later(as, flush);
}

/**
 * iova_arenas_free - give addresses back
 * @as: space
 * @pfn: first page
 * @size: pages, as allocated
 *
 * In lazy mode they are not allocated again before a flush that begins after
 * this call; otherwise the caller has flushed them.
 *
 * Context: any
 */
void iova_arenas_free(struct iova_arenas *as, unsigned long pfn,
		      unsigned long size)
{
	struct iova_arena *a = NULL;
	struct dma_flush *flush;

	if (likely(is_near(as, pfn)))
		a = as->near[near_place(as, pfn)];
	if (unlikely(!a)) {
		free_elsewhere(as, pfn, size);
		return;
	}
	flush = arenas_flush(as);
	arena_free(as, a, pfn, size);
	if (likely(flush && dma_flush_armed(flush)))
		return;
	take_in_later(as, flush);
}
EXPORT_SYMBOL_IF_KUNIT(iova_arenas_free);

/**
 * iova_arenas_reserve - take a part of the space for good
 * @as: space, from which nothing has been allocated yet
 * @lo: first page
 * @hi: last page
 *
 * What is reserved already, or lies outside of the space, is no error.
 *
 * Context: process, may sleep
 * Return: 0, or -ENOMEM.
 */
int iova_arenas_reserve(struct iova_arenas *as, unsigned long lo,
			unsigned long hi)
{
	lo = max(lo, as->start);
	hi = min(hi, as->end);
	while (lo <= hi) {
		struct iova_range *above, *range = kmalloc_obj(*range);

		if (!range)
			return -ENOMEM;
		guard(spinlock_irqsave)(&as->lock);
		above = iova_tree_from(&as->tree, lo);
		if (above->lo <= lo) {
			kfree(range);
		} else {
			iova_tree_insert(&as->tree, range, lo,
					 min(hi, above->lo - 1));
			above = range;
		}
		lo = above->hi + 1;
	}
	return 0;
}
EXPORT_SYMBOL_IF_KUNIT(iova_arenas_reserve);

static void trim_work(struct work_struct *work)
{
	struct iova_arenas *as = container_of(work, struct iova_arenas,
					      trim.work);
	struct dma_flush *flush = arenas_flush(as);
	struct iova_look look = {};

	if (!arenas_trim(as, true, &look) && !look.missed)
		return;
	/* What waits needs a flush, after which this comes by again. */
	if (flush)
		dma_flush_arm(flush);
	else
		schedule_delayed_work(&as->trim, TRIM_DELAY);
}

/**
 * iova_arenas_flushed - the timer has flushed
 * @as: space
 *
 * Context: timer
 */
void iova_arenas_flushed(struct iova_arenas *as)
{
	schedule_delayed_work(&as->trim, TRIM_DELAY);
}
EXPORT_SYMBOL_IF_KUNIT(iova_arenas_flushed);

static void pool_move(struct iova_arenas *as, struct iova_pool *from,
		      struct iova_pool *to)
{
	struct iova_arena *a, *next;
	enum iova_class class;
	LIST_HEAD(arenas);

	pool_lock(from);
	for (class = 0; class < IOVA_CLASSES; class++) {
		list_for_each_entry_safe(a, next, &from->arenas[class], node) {
			pool_remove(as, a);
			list_add(&a->node, &arenas);
		}
	}
	pool_unlock(from);

	pool_lock(to);
	list_for_each_entry_safe(a, next, &arenas, node)
		pool_add(as, to, a);
	pool_unlock(to);
}

/* What a lost CPU owned goes to the one that runs this. */
VISIBLE_IF_KUNIT void iova_arenas_lose_cpu(struct iova_arenas *as,
					   unsigned int cpu)
{
	struct iova_cpu *from = per_cpu_ptr(as->cpus, cpu);
	struct iova_cpu *to = raw_cpu_ptr(as->cpus);
	unsigned int i;

	for (i = 0; i < CPU_POOLS; i++)
		pool_move(as, &from->pool[i], &to->pool[i]);
}
EXPORT_SYMBOL_IF_KUNIT(iova_arenas_lose_cpu);

static int iova_arena_cpu_dead(unsigned int cpu, struct hlist_node *node)
{
	iova_arenas_lose_cpu(hlist_entry(node, struct iova_arenas, dead), cpu);
	return 0;
}

/*
 * Life of a space
 */

static void pools_init(struct iova_cpu *cpu)
{
	enum iova_class class;
	unsigned int i;

	for (i = 0; i < CPU_POOLS; i++) {
		for (class = 0; class < IOVA_CLASSES; class++)
			INIT_LIST_HEAD(&cpu->pool[i].arenas[class]);
	}
}

/* What is larger than an arena, or for a small mask, has a quarter at least. */
static void arenas_set_sizes(struct iova_arenas *as)
{
	unsigned long pages = min(as->end, as->last32) - as->start + 1;
	unsigned long share;

	if (as->start > as->last32)
		pages = as->end - as->start + 1;
	as->order = clamp(ilog2(pages) - 5, ARENA_MIN_ORDER,
			  max(ARENA_MAX_ORDER, ilog2((as->last32 + 1) /
						     NEAR_PLACES)));
	as->pages = 1U << as->order;
	as->words = BITS_TO_LONGS(as->pages);
	as->small = as->pages >> ARENA_SMALL_SHIFT;
	as->max_limited = (pages >> as->order) / 4 * 3;
	share = max(as->max_limited / num_online_cpus(), 1);
	as->max_pool = clamp(share / 2, min(share, POOL_MIN_ARENAS),
			     POOL_MAX_ARENAS);
}

/**
 * iova_arenas_create - make a space
 * @granule: bytes of a page, a power of two
 * @start: first page; not 0
 * @end: last page
 *
 * Context: process, may sleep
 * Return: the space, or NULL.
 */
struct iova_arenas *iova_arenas_create(unsigned long granule,
				       unsigned long start, unsigned long end)
{
	struct iova_arenas *as __free(kfree) = kzalloc_obj(*as);
	int cpu;

	if (!as)
		return NULL;
	as->start = start;
	as->end = min(end, ULONG_MAX >> ilog2(granule));
	as->last32 = (SZ_4G - 1) >> ilog2(granule);
	arenas_set_sizes(as);
	struct iova_arena **near __free(kfree) =
		kcalloc(min((min(as->end, as->last32) >> as->order) + 1,
			    NEAR_PLACES), sizeof(*near), GFP_KERNEL);
	if (!near)
		return NULL;
	as->cpus = alloc_percpu(struct iova_cpu);
	if (!as->cpus)
		return NULL;
	as->near = no_free_ptr(near);
	for_each_possible_cpu(cpu)
		pools_init(per_cpu_ptr(as->cpus, cpu));
	spin_lock_init(&as->lock);
	iova_tree_init(&as->tree, as->start, as->end);
	as->last_freed = &as->freed;
	xa_init_flags(&as->map, XA_FLAGS_LOCK_IRQ);
	INIT_DELAYED_WORK(&as->trim, trim_work);
	if (iova_arena_cpuhp > 0)
		cpuhp_state_add_instance_nocalls(iova_arena_cpuhp, &as->dead);
	return no_free_ptr(as);
}
EXPORT_SYMBOL_IF_KUNIT(iova_arenas_create);

static void pools_exit(struct iova_arenas *as, struct iova_cpu *cpu)
{
	struct iova_arena *a, *next;
	enum iova_class class;
	unsigned int i;

	for (i = 0; i < CPU_POOLS; i++) {
		for (class = 0; class < IOVA_CLASSES; class++)
			list_for_each_entry_safe(a, next,
						 &cpu->pool[i].arenas[class],
						 node)
				arena_destroy(as, a);
	}
}

/**
 * iova_arenas_destroy - unmake a space, whatever is still allocated
 * @as: space, or NULL
 *
 * Context: process, may sleep; nobody uses the space any more, and its
 * struct dma_flush, if there is one, has had its dma_flush_exit().
 */
void iova_arenas_destroy(struct iova_arenas *as)
{
	struct iova_range *range, *next;
	int cpu;

	if (!as)
		return;
	debugfs_remove(as->debugfs);
	if (iova_arena_cpuhp > 0)
		cpuhp_state_remove_instance_nocalls(iova_arena_cpuhp,
						    &as->dead);
	cancel_delayed_work_sync(&as->trim);
	for_each_possible_cpu(cpu)
		pools_exit(as, per_cpu_ptr(as->cpus, cpu));
	xa_destroy(&as->map);
	rbtree_postorder_for_each_entry_safe(range, next, &as->tree.root,
					     node) {
		if (range != &as->tree.top)
			kfree(range);
	}
	free_percpu(as->cpus);
	kfree(as->near);
	kfree(as);
}
EXPORT_SYMBOL_IF_KUNIT(iova_arenas_destroy);

/**
 * iova_arenas_defer - from now on, what is given back waits for a flush
 * @as: space
 * @flush: flushes, which call iova_arenas_flushed() when the timer was it
 * @batch: allocations of a CPU that one flush should serve
 *
 * Context: process; there is no way back.
 */
void iova_arenas_defer(struct iova_arenas *as, struct dma_flush *flush,
		       unsigned int batch)
{
	as->batch = batch;
	/* Who sees the pointer sees what it points to. */
	smp_store_release(&as->flush, flush);
}
EXPORT_SYMBOL_IF_KUNIT(iova_arenas_defer);

/**
 * iova_arenas_cheap_size - up to which size is an allocation cheap?
 * @as: space
 *
 * Return: pages; what is larger needs the lock that all CPUs share.
 */
unsigned long iova_arenas_cheap_size(struct iova_arenas *as)
{
	return as->small;
}

/*
 * Looking at it
 */

/**
 * iova_arenas_next - find the next pages that the tree does not have
 * @as: space
 * @lo: where to look from; where to store the first such page
 * @hi: where to store the last one
 *
 * These are arenas, in use or not, as well as ranges, also those that wait for a
 * flush, and what is reserved.
 *
 * Context: any
 * Return: whether there are any.
 */
bool iova_arenas_next(struct iova_arenas *as, unsigned long *lo,
		      unsigned long *hi)
{
	struct iova_range *range;

	guard(spinlock_irqsave)(&as->lock);
	range = iova_tree_from(&as->tree, *lo);
	if (range == &as->tree.top)
		return false;
	*lo = max(*lo, range->lo);
	*hi = range->hi;
	return true;
}
EXPORT_SYMBOL_IF_KUNIT(iova_arenas_next);

/**
 * iova_arenas_get_stats - a look at the counters
 * @as: space
 * @stats: where to store them
 *
 * Context: any
 */
void iova_arenas_get_stats(struct iova_arenas *as,
			   struct iova_arena_stats *stats)
{
	unsigned int i;
	int cpu;

	memset(stats, 0, sizeof(*stats));
	for_each_possible_cpu(cpu) {
		struct iova_cpu *owner = per_cpu_ptr(as->cpus, cpu);

		for (i = 0; i < CPU_POOLS; i++) {
			stats->steals += READ_ONCE(owner->pool[i].steals);
			stats->flushes += READ_ONCE(owner->pool[i].flushes);
		}
	}
	guard(spinlock_irqsave)(&as->lock);
	stats->arenas = as->nr_arenas;
	stats->limited = as->nr_limited;
	stats->created = as->nr_created;
	stats->ranges = as->nr_ranges;
}
EXPORT_SYMBOL_IF_KUNIT(iova_arenas_get_stats);

/*
 * Shows some arenas of a list, from the @nth on; returns how many. Few at a time,
 * lest others wait. What moves meanwhile is left out, or shown twice.
 */
static unsigned int arenas_show_some(struct seq_file *m, struct iova_arenas *as,
				     struct iova_pool *pool,
				     enum iova_class class, int cpu,
				     unsigned int nth)
{
	struct {
		unsigned long lo, hi;
		unsigned int used, waiting;
	} seen[SHOW_BATCH];
	struct iova_arena *a;
	unsigned int i, n = 0;

	pool_lock(pool);
	list_for_each_entry(a, &pool->arenas[class], node) {
		if (nth) {
			nth--;
			continue;
		}
		if (n == SHOW_BATCH)
			break;
		seen[n].lo = a->range.lo;
		seen[n].hi = a->range.hi;
		seen[n].used = a->used;
		seen[n++].waiting = a->nr_waiting;
	}
	pool_unlock(pool);
	for (i = 0; i < n; i++)
		seq_printf(m, "arena: first=0x%lx last=0x%lx cpu=%d used=%u waiting=%u of=%lu\n",
			   seen[i].lo, seen[i].hi, cpu, seen[i].used,
			   seen[i].waiting, 1UL << as->order);
	return n;
}

static void pool_show(struct seq_file *m, struct iova_arenas *as,
		      struct iova_pool *pool, int cpu)
{
	enum iova_class class;
	unsigned int nth, n;

	for (class = 0; class < IOVA_CLASSES; class++) {
		nth = 0;
		do {
			n = arenas_show_some(m, as, pool, class, cpu, nth);
			nth += n;
			cond_resched();
		} while (n == SHOW_BATCH && !seq_has_overflowed(m));
	}
}

static int iova_arena_show(struct seq_file *m, void *unused)
{
	struct iova_arenas *as = m->private;
	struct iova_arena_stats stats;
	unsigned int i;
	int cpu;

	iova_arenas_get_stats(as, &stats);
	seq_printf(m, "pages: 0x%lx-0x%lx\n", as->start, as->end);
	seq_printf(m, "arenas: %lu\nlimited: %lu\ncreated: %lu\n",
		   stats.arenas, stats.limited, stats.created);
	seq_printf(m, "steals: %lu\nflushes: %lu\nranges: %lu\n",
		   stats.steals, stats.flushes, stats.ranges);
	for_each_possible_cpu(cpu) {
		for (i = 0; i < CPU_POOLS; i++)
			pool_show(m, as, &per_cpu_ptr(as->cpus, cpu)->pool[i],
				  cpu);
	}
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(iova_arena);

/**
 * iova_arenas_show_in_debugfs - add a file that shows the space
 * @as: space
 * @name: name of the file in the directory iova/
 *
 * Context: process, may sleep
 */
void iova_arenas_show_in_debugfs(struct iova_arenas *as, const char *name)
{
	static struct dentry *dir;
	static DEFINE_MUTEX(lock);

	scoped_guard(mutex, &lock) {
		if (!dir)
			dir = debugfs_create_dir("iova", NULL);
	}
	as->debugfs = debugfs_create_file(name, 0400, dir, as,
					  &iova_arena_fops);
}

static int __init iova_arena_init(void)
{
	int ret = cpuhp_setup_state_multi(CPUHP_BP_PREPARE_DYN,
					  "iommu/iova-arena:dead", NULL,
					  iova_arena_cpu_dead);

	/* Without it the arenas of a lost CPU are there to be stolen. */
	if (ret < 0)
		pr_warn("no notice of lost CPUs: %d\n", ret);
	else
		iova_arena_cpuhp = ret;
	return 0;
}
core_initcall(iova_arena_init);
