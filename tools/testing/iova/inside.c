// SPDX-License-Identifier: GPL-2.0-only
/* The allocator itself, and checks of what it keeps. */
#include "iova-tree.c"
#include "iova-arena.c"
#include "dma-flush.c"

#include "test.h"

/* The slow way: one page after the other is the first of a run. */
static u32 slow_fit(unsigned long floor, unsigned long lo, unsigned int order)
{
	unsigned long mask = (1UL << order) - 1;
	unsigned long start = floor;

	if (start & mask)
		start = (start | mask) + 1;
	if (!start || start >= lo)
		return 0;
	return lo - start > U32_MAX ? U32_MAX : lo - start;
}

static unsigned int node_check(struct rb_node *node)
{
	struct iova_range *range = to_range(node);
	struct rb_node *child[2];
	unsigned int order, i, n;

	if (!node)
		return 0;
	child[0] = node->rb_left;
	child[1] = node->rb_right;
	n = 1 + node_check(child[0]) + node_check(child[1]);
	for (order = 0; order < IOVA_TREE_ORDERS; order++) {
		u32 fit = slow_fit(range->floor, range->lo, order);

		for (i = 0; i < 2; i++) {
			struct iova_range *below = to_range(child[i]);

			if (below)
				fit = max(fit, below->fit[order]);
		}
		CHECK(range->fit[order] == fit,
		      "fit[%u] of 0x%lx-0x%lx is %u instead of %u", order,
		      range->lo, range->hi, range->fit[order], fit);
	}
	return n;
}

/* Returns how many ranges are taken. */
unsigned int tree_check(struct iova_tree *tree)
{
	unsigned int n = node_check(tree->root.rb_node);
	struct rb_node *node = rb_first(&tree->root);
	struct iova_range *below = NULL;

	while (node) {
		struct iova_range *range = to_range(node);

		CHECK(range->lo <= range->hi, "0x%lx-0x%lx", range->lo,
		      range->hi);
		CHECK(range->floor <= range->lo, "gap 0x%lx-0x%lx",
		      range->floor, range->lo);
		CHECK(!below || range->floor == below->hi + 1,
		      "gap at 0x%lx after 0x%lx", range->floor, below->hi);
		below = range;
		node = rb_next(node);
		n--;
	}
	CHECK(below == &tree->top, "what is above the space is not last");
	CHECK(!n, "%u ranges out of line", n);
	return node_check(tree->root.rb_node) - 1;
}

/* The slow way: at each place, page by page */
static unsigned int slow_find(unsigned long *map, unsigned int bits,
			      unsigned int start, const struct iova_request *rq)
{
	unsigned long mask = (1UL << rq->order) - 1;
	unsigned int at, n;

	for (at = start; at + rq->size <= bits; at++) {
		if ((at - rq->skew) & mask)
			continue;
		for (n = 0; n < rq->size && !test_bit(at + n, map); n++)
			;
		if (n == rq->size)
			return at;
	}
	return bits;
}

void find_check(unsigned long *map, unsigned int bits, unsigned int start,
		const struct iova_request *rq)
{
	unsigned int fast = find_run(map, bits, start, rq);
	unsigned int slow = slow_find(map, bits, start, rq);

	CHECK(fast == slow, "%lu order %u skew %lu from %u: %u, not %u",
	      rq->size, rq->order, rq->skew, start, fast, slow);
}

/* Of those that begin at a multiple of 2^@order */
static unsigned int longest_run(unsigned long *map, unsigned int bits,
				unsigned int order)
{
	unsigned int i, run = 0, longest = 0;

	for (i = 0; i < bits; i++) {
		if (test_bit(i, map))
			run = 0;
		else if (run || !(i & ((1U << order) - 1)))
			run++;
		longest = max(longest, run);
	}
	return longest;
}

/* What says from afar whether an arena below 4 GiB is worth a look. */
static void near_check(struct iova_arenas *as, struct iova_arena *a)
{
	CHECK(as->near[a->mark] == a, "place %u", a->mark);
	CHECK(test_bit(a->mark, a->pool->near), "not in the pool's map");
	CHECK(as->room[a->mark] == (a->nr_waiting ? U16_MAX :
				      min(a->longest[0], U16_MAX)),
	      "room %u, not %u", as->room[a->mark], a->longest[0]);
}

/* As whoever gives back an address finds it */
static struct iova_arena *arena_of(struct iova_arenas *as, unsigned long pfn)
{
	return is_near(as, pfn) ? as->near[near_place(as, pfn)]
				: xa_load(&as->map, pfn >> as->order);
}

static void arena_check(struct iova_arenas *as, enum iova_class class,
			struct iova_arena *a)
{
	unsigned long *freed = (unsigned long *)arena_freed(a);
	unsigned long *busy = arena_busy(as, a);
	unsigned long *waiting = arena_waiting(as, a);
	unsigned int i, bits = 1U << as->order;

	CHECK(a->range.hi - a->range.lo + 1 == bits, "size");
	CHECK(!(a->range.lo & (bits - 1)), "alignment");
	CHECK((class == IOVA_HIGH) == (a->range.lo > as->last32), "class");
	CHECK(arena_of(as, a->range.lo) == a, "map");
	CHECK(arena_of(as, a->range.hi) == a, "map");
	CHECK(iova_tree_from(&as->tree, a->range.lo) == &a->range, "tree");
	CHECK(bitmap_weight(busy, bits) == a->used, "used %u", a->used);
	CHECK(bitmap_weight(waiting, bits) == a->nr_waiting, "waiting %u",
	      a->nr_waiting);
	CHECK(a->cursor <= bits, "cursor %u", a->cursor);
	CHECK(a->class == class, "class %u", a->class);
	if (class != IOVA_HIGH)
		near_check(as, a);
	for (i = 0; i <= as->order; i++)
		CHECK(longest_run(busy, bits, i) <= a->longest[i],
		      "longest[%u] %u", i, a->longest[i]);
	for (i = 0; i < as->words; i++) {
		CHECK(!(waiting[i] & ~busy[i]), "waits and is not busy");
		CHECK(!(freed[i] & ~busy[i]), "given back and not busy");
		CHECK(!(freed[i] & waiting[i]), "given back twice");
	}
}

static unsigned long pool_check(struct iova_arenas *as, struct iova_pool *pool,
				enum iova_class class)
{
	unsigned int nr = 0, waiting = 0;
	struct iova_arena *a;

	CHECK(!pool->lock, "a pool is locked");
	list_for_each_entry(a, &pool->arenas[class], node) {
		CHECK(a->pool == pool, "pool");
		arena_check(as, class, a);
		waiting += a->nr_waiting;
		nr++;
	}
	CHECK(nr == pool->nr[class], "%u arenas, not %u", nr, pool->nr[class]);
	CHECK(waiting == pool->waiting[class], "%u wait, not %u", waiting,
	      pool->waiting[class]);
	return nr;
}

static void freed_check(struct iova_arenas *as)
{
	struct iova_range *range;
	unsigned int n = 0;
	s64 stamp = 0;

	for (range = as->freed; range; range = range->next, n++) {
		CHECK(range->stamp >= stamp, "stamps are not in order");
		stamp = range->stamp;
	}
	CHECK(n == as->nr_freed, "%u wait, not %u", n, as->nr_freed);
}

void arenas_check(struct iova_arenas *as, unsigned int reserved)
{
	unsigned long n = 0, limited = 0, places = 0;
	enum iova_class class;
	unsigned int i;
	int cpu;

	for_each_possible_cpu(cpu) {
		struct iova_cpu *owner = per_cpu_ptr(as->cpus, cpu);

		for (i = 0; i < CPU_POOLS; i++) {
			places += bitmap_weight(owner->pool[i].near,
						NEAR_PLACES);
			for (class = 0; class < IOVA_CLASSES; class++) {
				unsigned int nr;

				nr = pool_check(as, &owner->pool[i], class);
				n += nr;
				limited += class != IOVA_HIGH ? nr : 0;
			}
		}
	}
	CHECK(places == limited, "%lu places, not %lu", places, limited);
	CHECK(n == as->nr_arenas, "%lu arenas, not %lu", n, as->nr_arenas);
	CHECK(atomic_read(&as->departed) == atomic_read(&as->arrived),
	      "arenas are on their way");
	CHECK(limited == as->nr_limited, "limited: %lu, not %lu", limited,
	      as->nr_limited);
	CHECK(tree_check(&as->tree) == n + reserved + as->nr_ranges,
	      "%lu ranges", as->nr_ranges);
	freed_check(as);
}

/*
 * Free pages that no arena was told of, in its second word: who allocates them
 * has searched it. The first one may be where its cursor is, which is no search.
 * The second call takes them away.
 */
void arenas_plant(struct iova_arenas *as, unsigned long *words)
{
	unsigned long n = min((min(as->end, as->last32) >> as->order) + 1,
			      NEAR_PLACES), i;

	for (i = 0; i < n; i++)
		if (as->near[i])
			swap(arena_busy(as, as->near[i])[1], words[i]);
}

/* Arenas below 4 GiB that are in no pool; none if one is locked */
unsigned int arenas_on_their_way(struct iova_arenas *as)
{
	unsigned int i, n = as->nr_limited;
	int cpu;

	for_each_possible_cpu(cpu) {
		for (i = 0; i < CPU_POOLS; i++) {
			struct iova_pool *pool = &as->cpus[cpu].pool[i];

			if (pool->lock)
				return 0;
			n -= pool->nr[IOVA_NARROW] + pool->nr[IOVA_LOW];
		}
	}
	return n;
}

unsigned int arenas_unflushed(struct iova_arenas *as)
{
	return as->nr_unflushed;
}

unsigned int *arenas_lock(struct iova_arenas *as, int cpu)
{
	return &per_cpu_ptr(as->cpus, cpu)->pool[0].lock;
}

/* An arena of a pool's list, by its number in the space */
unsigned long arenas_nth(struct iova_arenas *as, int cpu, unsigned int n)
{
	struct iova_pool *pool = &per_cpu_ptr(as->cpus, cpu)->pool[0];
	struct iova_arena *a;

	list_for_each_entry(a, &pool->arenas[IOVA_LOW], node)
		if (!n--)
			return a->range.lo >> as->order;
	return 0;
}

unsigned int arenas_order(struct iova_arenas *as)
{
	return as->order;
}

bool arenas_is_high(struct iova_arenas *as, unsigned long limit)
{
	return min(limit, as->end) > as->last32;
}

static bool gap_has_room(struct iova_arenas *as, const struct iova_request *rq,
			 unsigned long lo, unsigned long hi)
{
	unsigned long mask = (1UL << rq->order) - 1;
	unsigned long at;

	for (at = lo; at <= hi && hi - at + 1 >= rq->size; at++) {
		if (at + rq->size - 1 > rq->limit)
			return false;
		/* Room for the skew is asked for below it as well. */
		if (((at - rq->skew) & mask) || at - lo < rq->skew)
			continue;
		/* Even 4 GiB and more begin above the first 4 GiB or end below. */
		if (at <= as->last32 && at + rq->size - 1 > as->last32)
			continue;
		if (!crosses_4g(as, at, rq->size))
			return true;
	}
	return false;
}

static bool arena_has_room(struct iova_arenas *as, struct iova_arena *a,
			   const struct iova_request *rq)
{
	unsigned long mask = (1UL << rq->order) - 1;
	unsigned int i, at, bits = 1U << as->order;

	if (!fits_arena(as, rq) || a->range.hi > rq->limit)
		return false;
	for (at = 0; at + rq->size <= bits; at++) {
		if ((a->range.lo + at - rq->skew) & mask)
			continue;
		for (i = 0; i < rq->size; i++)
			if (test_bit(at + i, arena_busy(as, a)))
				break;
		if (i == rq->size)
			return true;
	}
	return false;
}

static bool class_has_room(struct iova_arenas *as, enum iova_class class,
			   const struct iova_request *rq)
{
	struct iova_arena *a;
	unsigned int i;
	int cpu;

	for_each_possible_cpu(cpu) {
		struct iova_cpu *owner = per_cpu_ptr(as->cpus, cpu);

		for (i = 0; i < CPU_POOLS; i++)
			list_for_each_entry(a, &owner->pool[i].arenas[class],
					    node)
				if (arena_has_room(as, a, rq))
					return true;
	}
	return false;
}

/* Is there room that a request which failed should have found? */
enum room arenas_room(struct iova_arenas *as, const struct iova_request *rq)
{
	enum iova_class class = class_of(as, min(rq->limit, as->end));
	struct rb_node *node;

	for (node = rb_first(&as->tree.root); node; node = rb_next(node)) {
		struct iova_range *range = to_range(node);

		if (range->floor < range->lo &&
		    gap_has_room(as, rq, range->floor, range->lo - 1))
			return ROOM_TREE;
	}
	if (class_has_room(as, class, rq) ||
	    (class == IOVA_HIGH && class_has_room(as, IOVA_LOW, rq)))
		return ROOM_ARENA;
	return ROOM_NONE;
}

/* The file in debugfs; returns how many arenas there are. */
unsigned int arenas_show(struct iova_arenas *as, char *text, size_t size)
{
	struct seq_file m = { .private = as->debugfs->data };

	memset(text, 0, size);
	m.out = fmemopen(text, size - 1, "w");
	as->debugfs->fops->show(&m, NULL);
	fclose(m.out);
	return as->nr_arenas;
}
