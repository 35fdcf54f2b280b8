// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of sets of DMA windows and of the search for a hole.
 */
#include <kunit/test.h>
#include <linux/array_size.h>
#include <linux/atomic.h>
#include <linux/delay.h>
#include <linux/dma-mapping.h>
#include <linux/err.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/minmax.h>
#include <linux/prandom.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#include "dma-window.h"

#define DIRECT(_first, _last, _phys) \
	{ .first = _first, .last = _last, .phys = _phys, \
	  .kind = DMA_WINDOW_DIRECT }
#define TRANSLATED(_first, _last) \
	{ .first = _first, .last = _last, .kind = DMA_WINDOW_TRANSLATED }
#define MEMORY(_first, _last) \
	{ .first = _first, .last = _last, .memory = true }
#define OTHER(_first, _last) \
	{ .first = _first, .last = _last }

/* Addresses of the model, and of its random cases */
#define MODEL_SIZE	96
#define MODEL_ROUNDS	400
#define MAPPERS		3

static void destroy_set(void *set)
{
	dma_windows_destroy(set);
}

static struct dma_windows *windows(struct kunit *test,
				   const struct dma_window *w,
				   unsigned int count)
{
	struct dma_windows *set = dma_windows_create(w, count);

	KUNIT_ASSERT_FALSE(test, IS_ERR(set));
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, destroy_set,
							   set));
	return set;
}

/* Where @phys is seen, 0 if it is not: no window of the tests gives out 0. */
static dma_addr_t to_bus(struct dma_windows *set, phys_addr_t phys, size_t size,
			 u64 limit)
{
	dma_addr_t bus = 0;

	return dma_windows_to_bus(set, phys, size, limit, &bus) ? bus : 0;
}

static void expect_direct(struct kunit *test, struct dma_windows *set,
			  phys_addr_t phys, dma_addr_t bus)
{
	phys_addr_t back = ~phys;

	KUNIT_EXPECT_EQ(test, to_bus(set, phys, SZ_4K, U64_MAX), bus);
	KUNIT_EXPECT_TRUE(test, dma_windows_to_phys(set, bus, &back));
	KUNIT_EXPECT_EQ(test, back, phys);
}

static void expect_not_direct(struct kunit *test, struct dma_windows *set,
			      phys_addr_t phys)
{
	KUNIT_EXPECT_EQ(test, to_bus(set, phys, SZ_4K, U64_MAX), 0);
}

/* VT-d pass-through: memory at its own address, less a hole */
static void windows_like_pass_through(struct kunit *test)
{
	static const struct dma_window w[] = {
		TRANSLATED(SZ_1G, SZ_2G - 1),
		DIRECT(0, SZ_1G - 1, 0),
		DIRECT(SZ_2G, 6ULL * SZ_1G - 1, SZ_2G),
	};
	struct dma_windows *set = windows(test, w, ARRAY_SIZE(w));
	phys_addr_t phys;

	expect_direct(test, set, SZ_4K, SZ_4K);
	expect_direct(test, set, SZ_1G - SZ_4K, SZ_1G - SZ_4K);
	expect_direct(test, set, SZ_2G, SZ_2G);
	expect_not_direct(test, set, SZ_1G);
	expect_not_direct(test, set, SZ_2G - SZ_4K);
	expect_not_direct(test, set, 6ULL * SZ_1G);
	/* It begins in a window, and ends in the next */
	KUNIT_EXPECT_EQ(test, to_bus(set, SZ_1G - SZ_4K, SZ_4K + 1, U64_MAX), 0);
	KUNIT_EXPECT_EQ(test, to_bus(set, SZ_1G - SZ_4K, SZ_2G, U64_MAX), 0);
	/* The mask decides, to the byte */
	KUNIT_EXPECT_EQ(test, to_bus(set, 5ULL * SZ_1G, SZ_4K, U32_MAX), 0);
	KUNIT_EXPECT_EQ(test, to_bus(set, SZ_4G - SZ_4K, SZ_4K, U32_MAX),
			SZ_4G - SZ_4K);
	KUNIT_EXPECT_EQ(test, to_bus(set, SZ_4G - SZ_4K, SZ_4K + 1, U32_MAX), 0);
	KUNIT_EXPECT_FALSE(test, dma_windows_to_phys(set, SZ_1G, &phys));
	KUNIT_EXPECT_FALSE(test, dma_windows_to_phys(set, 6ULL * SZ_1G, &phys));
	KUNIT_EXPECT_EQ(test, dma_windows_translated(set)->first, SZ_1G);
}

/* POWER: all memory far up, a translated window at the bottom */
static void windows_like_power(struct kunit *test)
{
	static const struct dma_window w[] = {
		DIRECT(1ULL << 59, (1ULL << 59) + SZ_64G - 1, 0),
		TRANSLATED(SZ_4K, SZ_2G - 1),
	};
	struct dma_windows *set = windows(test, w, ARRAY_SIZE(w));

	expect_direct(test, set, 0, 1ULL << 59);
	expect_direct(test, set, SZ_64G - SZ_4K, (1ULL << 59) + SZ_64G - SZ_4K);
	expect_not_direct(test, set, SZ_64G);
	KUNIT_EXPECT_EQ(test, to_bus(set, SZ_4K, SZ_4K, (1ULL << 59) - 1), 0);
	KUNIT_EXPECT_EQ(test, dma_windows_translated(set)->last, SZ_2G - 1);
}

/* GART: an aperture in the middle of what is seen directly */
static void windows_like_gart(struct kunit *test)
{
	static const struct dma_window w[] = {
		DIRECT(0, 0x0fffffff, 0),
		TRANSLATED(0x10000000, 0x13ffffff),
		DIRECT(0x14000000, 0xffffffff, 0x14000000),
	};
	struct dma_windows *set = windows(test, w, ARRAY_SIZE(w));

	expect_direct(test, set, 0x0ffff000, 0x0ffff000);
	expect_not_direct(test, set, 0x10000000);
	expect_direct(test, set, 0x14000000, 0x14000000);
	expect_not_direct(test, set, 0x100000000);
}

/* Calgary, untranslated bus: nothing is translated; and one without direct */
static void windows_of_one_kind(struct kunit *test)
{
	static const struct dma_window direct[] = { DIRECT(0, SZ_1G, 0) };
	static const struct dma_window translated[] = {
		TRANSLATED(SZ_1M, SZ_1G),
	};
	struct dma_windows *set = windows(test, direct, ARRAY_SIZE(direct));
	phys_addr_t phys;

	KUNIT_EXPECT_NULL(test, dma_windows_translated(set));
	KUNIT_EXPECT_FALSE(test, dma_windows_enter(set));
	KUNIT_EXPECT_TRUE(test, dma_windows_use_direct(set));
	expect_direct(test, set, SZ_1M, SZ_1M);
	set = windows(test, translated, ARRAY_SIZE(translated));
	expect_not_direct(test, set, SZ_1M);
	KUNIT_EXPECT_FALSE(test, dma_windows_to_phys(set, SZ_1M, &phys));
}

static void windows_that_cannot_be(struct kunit *test)
{
	static const struct dma_window overlap[] = {
		DIRECT(0, SZ_1G, 0), TRANSLATED(SZ_1G, SZ_2G),
	};
	static const struct dma_window reversed[] = { DIRECT(2, 1, 0) };
	static const struct dma_window wraps[] = {
		DIRECT(0, SZ_4K, PHYS_ADDR_MAX - 5),
	};
	static const struct dma_window two[] = {
		TRANSLATED(SZ_1M, SZ_1G), DIRECT(0, SZ_4K, 0),
		TRANSLATED(SZ_2G, SZ_4G),
	};

	KUNIT_EXPECT_EQ(test, PTR_ERR(dma_windows_create(overlap, 2)), -EINVAL);
	KUNIT_EXPECT_EQ(test, PTR_ERR(dma_windows_create(reversed, 1)),
			-EINVAL);
	KUNIT_EXPECT_EQ(test, PTR_ERR(dma_windows_create(wraps, 1)), -EINVAL);
	KUNIT_EXPECT_EQ(test, PTR_ERR(dma_windows_create(two, 3)), -EINVAL);
	windows(test, two, 2);
	KUNIT_EXPECT_EQ(test, PTR_ERR(dma_windows_create(overlap, 0)), -EINVAL);
	KUNIT_EXPECT_EQ(test, PTR_ERR(dma_windows_create(overlap,
							 DMA_WINDOWS_MAX + 1)),
			-EINVAL);
}

/* A byte for each bus address: 0 nothing, 1 translated, else memory + 2 */
struct model {
	struct rnd_state rnd;
	u8 bus[MODEL_SIZE];
	struct dma_window w[DMA_WINDOWS_MAX];
	unsigned int count;
};

static u32 rnd_below(struct model *m, u32 below)
{
	return prandom_u32_state(&m->rnd) % below;
}

static void model_add(struct model *m, u32 first, u32 last)
{
	/* One window at most is translated. */
	bool direct = memchr(m->bus, 1, sizeof(m->bus)) || rnd_below(m, 3);
	u32 phys = rnd_below(m, MODEL_SIZE - (last - first)), i;

	m->w[m->count++] = (struct dma_window){
		.first = first,
		.last = last,
		.phys = direct ? phys : 0,
		.kind = direct ? DMA_WINDOW_DIRECT : DMA_WINDOW_TRANSLATED,
	};
	for (i = first; i <= last; i++)
		m->bus[i] = direct ? phys + (i - first) + 2 : 1;
}

/* Windows with gaps between them, in random order */
static void model_fill(struct model *m)
{
	u32 at = rnd_below(m, 8) + 1, i;

	memset(m->bus, 0, sizeof(m->bus));
	m->count = 0;
	while (m->count < DMA_WINDOWS_MAX && at < MODEL_SIZE) {
		u32 last = min(at + rnd_below(m, 30), MODEL_SIZE - 1);

		model_add(m, at, last);
		at = last + 1 + rnd_below(m, 3) * rnd_below(m, 6);
	}
	for (i = m->count - 1; i; i--) {
		u32 with = rnd_below(m, i + 1);

		swap(m->w[i], m->w[with]);
	}
}

/* Is all of the memory at @bus, in one window? */
static bool model_is_at(struct model *m, u32 bus, u32 phys, u32 size)
{
	const struct dma_window *w;

	for (w = m->w; w < m->w + m->count; w++)
		if (w->kind == DMA_WINDOW_DIRECT && bus >= w->first &&
		    bus + size - 1 <= w->last)
			return m->bus[bus] == phys + 2;
	return false;
}

/* The lowest address at which a device with that limit sees the memory */
static u32 model_to_bus(struct model *m, u32 phys, u32 size, u32 limit)
{
	u32 bus;

	for (bus = 1; bus + size - 1 <= min(limit, MODEL_SIZE - 1); bus++)
		if (model_is_at(m, bus, phys, size))
			return bus;
	return 0;
}

static void model_compare(struct kunit *test, struct model *m,
			  struct dma_windows *set)
{
	u32 i, bus, phys, size, limit;
	phys_addr_t back;

	for (i = 0; i < MODEL_SIZE; i++) {
		phys = rnd_below(m, MODEL_SIZE);
		size = rnd_below(m, 12) + 1;
		limit = rnd_below(m, MODEL_SIZE + 5);
		bus = to_bus(set, phys, size, limit);
		KUNIT_ASSERT_EQ(test, bus, model_to_bus(m, phys, size, limit));
		if (!bus)
			continue;
		/* What map says, unmap must understand. */
		KUNIT_ASSERT_TRUE(test, dma_windows_to_phys(set, bus, &back));
		KUNIT_ASSERT_EQ(test, back, phys);
	}
	for (bus = 0; bus < MODEL_SIZE; bus++) {
		back = 0;
		KUNIT_ASSERT_EQ(test, dma_windows_to_phys(set, bus, &back),
				m->bus[bus] > 1);
		if (m->bus[bus] > 1)
			KUNIT_ASSERT_EQ(test, back, m->bus[bus] - 2);
	}
}

static void windows_agree_with_brute_force(struct kunit *test)
{
	struct model *m = kunit_kzalloc(test, sizeof(*m), GFP_KERNEL);
	struct dma_windows *set;
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, m);
	prandom_seed_state(&m->rnd, 59);
	for (i = 0; i < MODEL_ROUNDS; i++) {
		model_fill(m);
		set = dma_windows_create(m->w, m->count);
		KUNIT_ASSERT_FALSE(test, IS_ERR(set));
		model_compare(test, m, set);
		dma_windows_destroy(set);
	}
}

/* No mapping while closed; not closed while there is one */
static void windows_close_and_open(struct kunit *test)
{
	static const struct dma_window w[] = {
		DIRECT(0, SZ_1G - 1, 0), TRANSLATED(SZ_1G, SZ_2G - 1),
	};
	struct dma_windows *set = windows(test, w, ARRAY_SIZE(w));
	bool unused = false;

	KUNIT_EXPECT_TRUE(test, dma_windows_enter(set));
	KUNIT_EXPECT_FALSE(test, dma_windows_close(set, NULL));
	KUNIT_EXPECT_TRUE(test, dma_windows_enter(set));
	KUNIT_EXPECT_EQ(test, dma_windows_live(set), 2);
	dma_windows_leave(set);
	dma_windows_leave(set);
	KUNIT_EXPECT_TRUE(test, dma_windows_close(set, &unused));
	KUNIT_EXPECT_TRUE(test, unused);
	KUNIT_EXPECT_FALSE(test, dma_windows_enter(set));
	/* The first direct address would be given out too late. */
	KUNIT_EXPECT_FALSE(test, dma_windows_use_direct(set));
	dma_windows_open(set);
	KUNIT_EXPECT_TRUE(test, dma_windows_use_direct(set));
	KUNIT_EXPECT_TRUE(test, dma_windows_enter(set));
	dma_windows_leave(set);
	KUNIT_EXPECT_TRUE(test, dma_windows_close(set, &unused));
	KUNIT_EXPECT_FALSE(test, unused);
	/* Others know of that one already. */
	KUNIT_EXPECT_TRUE(test, dma_windows_use_direct(set));
}

/* Mappings that begin and end on other CPUs while windows are closed */
struct mappers {
	struct dma_windows *set;
	atomic_t inside;
	atomic_t entered;
};

static int mapper(void *data)
{
	struct mappers *m = data;
	unsigned int i;

	while (!kthread_should_stop()) {
		for (i = 0; i < 64 && dma_windows_enter(m->set); i++) {
			atomic_inc(&m->inside);
			atomic_inc(&m->entered);
			atomic_dec(&m->inside);
			dma_windows_leave(m->set);
		}
		cond_resched();
	}
	return 0;
}

static void close_and_look(struct kunit *test, struct mappers *m,
			   unsigned int *closed)
{
	if (!dma_windows_close(m->set, NULL))
		return;
	++*closed;
	for (unsigned int i = 0; i < 100; i++) {
		KUNIT_EXPECT_EQ(test, atomic_read(&m->inside), 0);
		cond_resched();
	}
	KUNIT_EXPECT_EQ(test, dma_windows_live(m->set), 0);
	dma_windows_open(m->set);
}

static void windows_close_while_others_map(struct kunit *test)
{
	static const struct dma_window w[] = { TRANSLATED(SZ_1G, SZ_2G - 1) };
	struct mappers m = { .set = windows(test, w, ARRAY_SIZE(w)) };
	unsigned long end = jiffies + 30 * HZ;
	struct task_struct *tasks[MAPPERS];
	unsigned int i, closed = 0;

	for (i = 0; i < MAPPERS; i++) {
		tasks[i] = kthread_run(mapper, &m, "dma-window-%u", i);
		if (IS_ERR(tasks[i]))
			break;
	}
	KUNIT_EXPECT_EQ(test, i, MAPPERS);
	/* On a busy machine they may be inside for long, or not get there. */
	for (unsigned int n = 0; n < MODEL_ROUNDS ||
	     ((!closed || !atomic_read(&m.entered)) &&
	      time_before(jiffies, end)); n++) {
		close_and_look(test, &m, &closed);
		cond_resched();
	}
	while (i--)
		kthread_stop(tasks[i]);
	KUNIT_EXPECT_GT(test, closed, 0);
	KUNIT_EXPECT_GT(test, atomic_read(&m.entered), 0);
	KUNIT_EXPECT_EQ(test, dma_windows_live(m.set), 0);
}

/* While the hardware translates nothing, all memory is where it is */
static void windows_pass_through(struct kunit *test)
{
	static const struct dma_window w[] = {
		DIRECT(0, SZ_1G - 1, 0), TRANSLATED(SZ_1G, SZ_2G - 1),
	};
	struct dma_windows *set = windows(test, w, ARRAY_SIZE(w));

	KUNIT_ASSERT_TRUE(test, dma_windows_close(set, NULL));
	expect_not_direct(test, set, SZ_1G);
	WRITE_ONCE(set->passthrough, true);
	expect_direct(test, set, SZ_1G, SZ_1G);
	expect_direct(test, set, 3ULL * SZ_1G, 3ULL * SZ_1G);
	KUNIT_EXPECT_EQ(test, to_bus(set, SZ_1G, SZ_4K, SZ_1G + SZ_4K - 2), 0);
	KUNIT_EXPECT_EQ(test, to_bus(set, SZ_1G, SZ_4K, SZ_1G + SZ_4K - 1),
			SZ_1G);
	KUNIT_EXPECT_TRUE(test, dma_windows_use_direct(set));
	dma_windows_open(set);
	expect_not_direct(test, set, SZ_1G);
}

/* Holes */

/* As on QEMU's q35 with 6 GiB */
static const struct dma_window_range pc[] = {
	MEMORY(0, 0x9fbff),
	OTHER(0x9fc00, 0xfffff),
	MEMORY(SZ_1M, 0x7ffdffff),
	OTHER(0x7ffe0000, 0x7fffffff),
	OTHER(0x80000000, 0xffffffff),
	MEMORY(SZ_4G, 6ULL * SZ_1G - 1),
};

/* The same, and no address from 2 to 3 GiB means anything */
static const struct dma_window_range gap[] = {
	MEMORY(0, SZ_2G - 1),
	OTHER(0xc0000000, 0xffffffff),
	MEMORY(SZ_4G, 18ULL * SZ_1G - 1),
};

static void expect_hole(struct kunit *test,
			const struct dma_window_range *ranges,
			unsigned int count, unsigned int bits, bool carve,
			u64 first, u64 last, bool carved)
{
	struct dma_window_hole hole = {};

	KUNIT_EXPECT_EQ(test, dma_window_find_hole(ranges, count,
						   BIT_ULL(bits) - 1, carve,
						   &hole), 0);
	KUNIT_EXPECT_EQ_MSG(test, hole.first, first, "%u bits", bits);
	KUNIT_EXPECT_EQ_MSG(test, hole.last, last, "%u bits", bits);
	KUNIT_EXPECT_EQ_MSG(test, hole.carved, carved, "%u bits", bits);
}

static void hole_is_carved_out_of_memory(struct kunit *test)
{
	const unsigned int n = ARRAY_SIZE(pc);

	expect_hole(test, pc, n, 24, true, 0x800000, 0xffffff, true);
	expect_hole(test, pc, n, 28, true, SZ_16M, SZ_16M + SZ_128M - 1, true);
	expect_hole(test, pc, n, 30, true, SZ_16M, SZ_16M + SZ_512M - 1, true);
	expect_hole(test, pc, n, 31, true, SZ_16M, SZ_16M + SZ_1G - 1, true);
	expect_hole(test, pc, n, 32, true, SZ_16M, SZ_16M + SZ_1G - 1, true);
}

static void hole_is_where_nothing_is(struct kunit *test)
{
	const unsigned int n = ARRAY_SIZE(gap);

	expect_hole(test, gap, n, 32, true, SZ_2G, 3ULL * SZ_1G - 1, false);
	expect_hole(test, gap, n, 32, false, SZ_2G, 3ULL * SZ_1G - 1, false);
	expect_hole(test, gap, n, 31, true, SZ_16M, SZ_16M + SZ_1G - 1, true);
	expect_hole(test, gap, n, 36, true, 48ULL * SZ_1G, SZ_64G - 1, false);
	expect_hole(test, gap, n, 40, true, 960ULL * SZ_1G, 1024ULL * SZ_1G - 1,
		    false);
	expect_hole(test, gap, n, 44, true, 16320ULL * SZ_1G,
		    16384ULL * SZ_1G - 1, false);
	/* 3 GiB of 34 bits are free, 4 are wanted: memory has them */
	expect_hole(test, gap, n, 34, true, SZ_4G, SZ_8G - 1, true);
	expect_hole(test, gap, n, 34, false, SZ_2G, 3ULL * SZ_1G - 1, false);
}

/* Is there enough below a narrower mask? */
static void windows_serve_narrower_masks(struct kunit *test)
{
	static const struct dma_window w[] = {
		DIRECT(0, SZ_16M - 1, 0),
		TRANSLATED(SZ_16M, SZ_16M + SZ_128M - 1),
	};
	static const struct dma_window direct[] = { DIRECT(0, SZ_1G, 0) };
	struct dma_windows *set = windows(test, w, ARRAY_SIZE(w));

	KUNIT_EXPECT_TRUE(test, dma_windows_serve(set, DMA_BIT_MASK(28)));
	KUNIT_EXPECT_TRUE(test, dma_windows_serve(set, DMA_BIT_MASK(27)));
	KUNIT_EXPECT_TRUE(test, dma_windows_serve(set, DMA_BIT_MASK(25)));
	KUNIT_EXPECT_FALSE(test, dma_windows_serve(set, DMA_BIT_MASK(24)));
	/* Half of 16 MiB, and a page less */
	KUNIT_EXPECT_TRUE(test, dma_windows_serve(set, SZ_32M - 1));
	KUNIT_EXPECT_TRUE(test, dma_windows_serve(set, SZ_16M + SZ_4M - 1));
	KUNIT_EXPECT_FALSE(test, dma_windows_serve(set, SZ_16M + SZ_2M));
	/* Whatever a wider mask would allow */
	KUNIT_EXPECT_TRUE(test, dma_windows_serve(set, DMA_BIT_MASK(44)));
	set = windows(test, direct, ARRAY_SIZE(direct));
	KUNIT_EXPECT_FALSE(test, dma_windows_serve(set, DMA_BIT_MASK(32)));
}

static void hole_shrinks(struct kunit *test)
{
	/* Between what must stay, 3 MiB at 5 MiB are the most there is */
	static const struct dma_window_range tight[] = {
		OTHER(0, 5 * SZ_1M - 1),
		OTHER(8 * SZ_1M, U32_MAX),
		OTHER(7 * SZ_1M, SZ_1G),
	};
	struct dma_window_hole hole;

	expect_hole(test, tight, 2, 32, true, 6 * SZ_1M, 8 * SZ_1M - 1, false);
	expect_hole(test, tight, 3, 32, true, 6 * SZ_1M, 7 * SZ_1M - 1, false);
	KUNIT_EXPECT_EQ(test, dma_window_find_hole(tight, 3, SZ_4M - 1, true,
						   &hole), -ENOSPC);
	/* Devices that can address less than 2 MiB get none. */
	KUNIT_EXPECT_EQ(test, dma_window_find_hole(NULL, 0, SZ_2M - 2, true,
						   &hole), -ENOSPC);
	expect_hole(test, NULL, 0, 21, true, SZ_1M, SZ_2M - 1, false);
}

/* Whatever the machine: in bounds, beside what must stay, as said */
static void hole_check(struct kunit *test, const struct dma_window_range *r,
		       unsigned int n, u64 limit, bool carve)
{
	struct dma_window_hole hole;
	unsigned int i;

	if (dma_window_find_hole(r, n, limit, carve, &hole))
		return;
	KUNIT_ASSERT_GT(test, hole.first, 0);
	KUNIT_ASSERT_GE(test, hole.last, hole.first + SZ_1M - 1);
	KUNIT_ASSERT_LE(test, hole.last, limit);
	KUNIT_ASSERT_FALSE(test, hole.carved && !carve);
	for (i = 0; i < n; i++) {
		if (r[i].first > hole.last || r[i].last < hole.first)
			continue;
		KUNIT_ASSERT_TRUE(test, hole.carved && r[i].memory);
	}
}

static void hole_in_random_machines(struct kunit *test)
{
	struct dma_window_range r[12];
	unsigned int i, j, bits;
	struct rnd_state rnd;

	prandom_seed_state(&rnd, 20090101);
	for (i = 0; i < 3000; i++) {
		for (j = 0; j < ARRAY_SIZE(r); j++) {
			bits = 20 + prandom_u32_state(&rnd) % 25;
			r[j].first = ((u64)prandom_u32_state(&rnd) << 12) &
				     (BIT_ULL(bits) - 1);
			r[j].last = r[j].first +
				    (prandom_u32_state(&rnd) >>
				     (prandom_u32_state(&rnd) % 24));
			r[j].memory = prandom_u32_state(&rnd) & 1;
		}
		bits = 20 + prandom_u32_state(&rnd) % 25;
		hole_check(test, r, ARRAY_SIZE(r), BIT_ULL(bits) - 1, i & 1);
	}
}

static struct kunit_case dma_window_cases[] = {
	KUNIT_CASE(windows_like_pass_through),
	KUNIT_CASE(windows_like_power),
	KUNIT_CASE(windows_like_gart),
	KUNIT_CASE(windows_of_one_kind),
	KUNIT_CASE(windows_that_cannot_be),
	KUNIT_CASE(windows_agree_with_brute_force),
	KUNIT_CASE(windows_close_and_open),
	KUNIT_CASE(windows_close_while_others_map),
	KUNIT_CASE(windows_pass_through),
	KUNIT_CASE(windows_serve_narrower_masks),
	KUNIT_CASE(hole_is_carved_out_of_memory),
	KUNIT_CASE(hole_is_where_nothing_is),
	KUNIT_CASE(hole_shrinks),
	KUNIT_CASE(hole_in_random_machines),
	{}
};

static struct kunit_suite dma_window_suite = {
	.name = "dma-window",
	.test_cases = dma_window_cases,
};

kunit_test_suite(dma_window_suite);

MODULE_IMPORT_NS("EXPORTED_FOR_KUNIT_TESTING");
MODULE_DESCRIPTION("KUnit tests of DMA windows");
MODULE_LICENSE("GPL");
