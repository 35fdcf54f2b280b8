// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of IOVA arenas and flush epochs.
 *
 * A software IOTLB keeps what was unmapped until a flush that began after the
 * unmapping is over: for each page the number of the flush that the page needs.
 */
#include <kunit/test.h>
#include <linux/cpumask.h>
#include <linux/delay.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/prandom.h>
#include <linux/sizes.h>

#include "dma-flush.h"
#include "iova-arena.h"

/* Pages so large that a small table covers more than 4 GiB of them. */
#define SMALL_GRANULE	SZ_16M
#define SMALL_END	1100
#define SMALL_STEPS	40000
#define SMALL_LIVE	600
/* Ranges of 1 to 16 pages in 4 GiB of pages of 64 KiB, and more. */
#define HOLES_LIVE	16384
#define RACE_GRANULE	SZ_64K
#define RACE_END	80000
#define RACE_SLOTS	64
#define RACE_THREADS	4
/* KCSAN makes it a hundred times slower, and needs less to see a race. */
#define RACE_OPS	(IS_ENABLED(CONFIG_KCSAN) ? 20000 : 600000)

struct piece {
	unsigned long pfn;
	unsigned long size;
};

/**
 * struct space - a space with its software IOTLB
 * @domain: for the flushes
 * @flush: the flushes
 * @as: the space
 * @lazy: whether it uses @flush
 * @end: last page
 * @begun: flushes that began
 * @done: the highest number of those that are over
 * @owner: for each page, who has it
 * @stale: for each page, the flush that it needs
 */
struct space {
	struct iommu_domain domain;
	struct dma_flush flush;
	struct iova_arenas *as;
	bool lazy;
	unsigned long end;
	atomic_t begun;
	atomic_t done;
	atomic_t *owner;
	atomic_t *stale;
};

static void space_flush(struct iommu_domain *domain)
{
	struct space *s = container_of(domain, struct space, domain);
	int number = atomic_inc_return(&s->begun);
	int done = atomic_read(&s->done);

	while (done < number && !atomic_try_cmpxchg(&s->done, &done, number))
		;
}

static const struct iommu_domain_ops space_ops = {
	.flush_iotlb_all = space_flush,
};

static void space_flushed(struct dma_flush *flush)
{
	iova_arenas_flushed(container_of(flush, struct space, flush)->as);
}

static void space_free_table(void *table)
{
	kvfree(table);
}

static void *space_table(struct kunit *test, unsigned long end)
{
	void *table = kvcalloc(end + 1, sizeof(atomic_t), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, table);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test,
							   space_free_table,
							   table));
	return table;
}

static void space_exit(void *data)
{
	struct space *s = data;

	if (s->lazy)
		dma_flush_exit(&s->flush);
	iova_arenas_destroy(s->as);
}

static struct space *space_new(struct kunit *test, unsigned long granule,
			       unsigned long end, bool lazy)
{
	struct space *s = kunit_kzalloc(test, sizeof(*s), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, s);
	s->domain.ops = &space_ops;
	s->end = end;
	s->owner = space_table(test, end);
	s->stale = space_table(test, end);
	s->as = iova_arenas_create(granule, 1, end);
	KUNIT_ASSERT_NOT_NULL(test, s->as);
	if (lazy) {
		s->lazy = true;
		dma_flush_init(&s->flush, &s->domain, 10, space_flushed);
		iova_arenas_defer(s->as, &s->flush, 64);
	}
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, space_exit,
							   s));
	return s;
}

/* Returns NULL, or what is wrong with what was allocated. */
static const char *space_map(struct space *s, const struct iova_request *rq,
			     unsigned long pfn)
{
	unsigned long i;

	if (!pfn || pfn + rq->size - 1 > min(rq->limit, s->end))
		return "outside of the limits";
	if ((pfn - rq->skew) & ((1UL << rq->order) - 1))
		return "not aligned";
	for (i = pfn; i < pfn + rq->size; i++) {
		if (atomic_xchg(&s->owner[i], 1))
			return "a page has two owners";
		if (s->lazy && atomic_read(&s->stale[i]) >
		    atomic_read(&s->done))
			return "a page is in the IOTLB";
	}
	return NULL;
}

static void space_unmap(struct space *s, struct piece piece)
{
	unsigned long i;

	for (i = piece.pfn; i < piece.pfn + piece.size; i++) {
		atomic_set(&s->owner[i], 0);
		/* No later than the unmapping itself. */
		atomic_set(&s->stale[i], atomic_read(&s->begun) + 1);
	}
	iova_arenas_free(s->as, piece.pfn, piece.size);
}

/* As iommu-dma does it: most pages are at hand. */
static bool space_alloc(struct space *s, const struct iova_request *rq,
			unsigned long *pfn)
{
	*pfn = rq->size == 1 && !rq->skew ?
	       iova_arenas_alloc_page(s->as, rq->order, rq->limit) : 0;
	return *pfn || iova_arenas_alloc(s->as, rq, pfn);
}

static struct iova_request random_request(struct rnd_state *rnd, int max_size)
{
	struct iova_request rq = {
		.size = 1 + prandom_u32_state(rnd) % max_size,
		.hard = prandom_u32_state(rnd) & 1,
	};
	u32 how = prandom_u32_state(rnd);

	rq.limit = how & 1 ? ULONG_MAX : (1UL << (6 + (how >> 8) % 20)) - 1;
	if (how & 2)
		rq.order = (how >> 16) % 7;
	if (how & 4)
		rq.skew = (how >> 24) & ((1UL << rq.order) - 1);
	return rq;
}

static void expect_empty(struct kunit *test, struct space *s)
{
	struct iova_arena_stats stats;

	iova_arenas_trim(s->as);
	iova_arenas_get_stats(s->as, &stats);
	KUNIT_EXPECT_EQ(test, stats.arenas, 0);
	KUNIT_EXPECT_EQ(test, stats.limited, 0);
	KUNIT_EXPECT_EQ(test, stats.ranges, 0);
}

static void random_steps(struct kunit *test, struct space *s)
{
	struct piece *live = kunit_kcalloc(test, SMALL_LIVE, sizeof(*live),
					   GFP_KERNEL);
	struct rnd_state rnd;
	unsigned int nr = 0;
	int i;

	KUNIT_ASSERT_NOT_NULL(test, live);
	prandom_seed_state(&rnd, 42);
	for (i = 0; i < SMALL_STEPS; i++) {
		struct iova_request rq = random_request(&rnd, i % 8 ? 6 : 90);
		unsigned long pfn;

		if (nr == SMALL_LIVE || (nr && i / 1000 % 2 +
					 prandom_u32_state(&rnd) % 3 > 1)) {
			unsigned int n = prandom_u32_state(&rnd) % nr;

			space_unmap(s, live[n]);
			live[n] = live[--nr];
		} else if (space_alloc(s, &rq, &pfn)) {
			const char *wrong = space_map(s, &rq, pfn);

			KUNIT_ASSERT_NULL_MSG(test, wrong, "%lx + %lx: %s",
					      pfn, rq.size, wrong);
			live[nr++] = (struct piece){ pfn, rq.size };
		}
		if (i % 5000 == 0)
			iova_arenas_trim(s->as);
	}
	while (nr)
		space_unmap(s, live[--nr]);
	expect_empty(test, s);
}

static void arenas_strict_give_no_page_twice(struct kunit *test)
{
	random_steps(test, space_new(test, SMALL_GRANULE, SMALL_END, false));
}

static void arenas_lazy_give_no_page_before_a_flush(struct kunit *test)
{
	random_steps(test, space_new(test, SMALL_GRANULE, SMALL_END, true));
}

/* Fill the space by single pages; each that comes back is found again. */
static void exhaust(struct kunit *test, bool lazy)
{
	struct space *s = space_new(test, SMALL_GRANULE, SMALL_END, lazy);
	struct iova_request rq = { .size = 1, .limit = ULONG_MAX,
				   .hard = true };
	unsigned long pfn, nr = 0;

	while (iova_arenas_alloc(s->as, &rq, &pfn)) {
		KUNIT_ASSERT_NULL(test, space_map(s, &rq, pfn));
		nr++;
	}
	KUNIT_EXPECT_EQ(test, nr, SMALL_END);
	for (nr = 1; nr <= SMALL_END; nr++) {
		space_unmap(s, (struct piece){ nr, 1 });
		KUNIT_ASSERT_TRUE(test, iova_arenas_alloc(s->as, &rq, &pfn));
		KUNIT_ASSERT_NULL(test, space_map(s, &rq, pfn));
		KUNIT_ASSERT_EQ(test, pfn, nr);
	}
	for (nr = 1; nr <= SMALL_END; nr++)
		space_unmap(s, (struct piece){ nr, 1 });
	expect_empty(test, s);
}

static void arenas_strict_are_used_up(struct kunit *test)
{
	exhaust(test, false);
}

static void arenas_lazy_are_used_up(struct kunit *test)
{
	exhaust(test, true);
}

/* In a full space of many arenas, each hole is found, wherever it is. */
static void arenas_find_each_hole(struct kunit *test)
{
	struct space *s = space_new(test, RACE_GRANULE, 0xffff, true);
	struct iova_request rq = { .limit = 0xffff, .hard = true };
	unsigned long pfn, nr = 0, i;
	struct rnd_state rnd;
	struct piece *live;

	live = kunit_kcalloc(test, HOLES_LIVE, sizeof(*live), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, live);
	prandom_seed_state(&rnd, 43);
	rq.size = 16;
	while (nr < HOLES_LIVE && iova_arenas_alloc(s->as, &rq, &pfn)) {
		KUNIT_ASSERT_NULL(test, space_map(s, &rq, pfn));
		live[nr++] = (struct piece){ pfn, rq.size };
		rq.size = 1 + prandom_u32_state(&rnd) % 16;
	}
	KUNIT_ASSERT_LT(test, nr, HOLES_LIVE);
	for (i = 0; i < 2000; i++) {
		struct piece *hole = &live[prandom_u32_state(&rnd) % nr];

		space_unmap(s, *hole);
		rq.size = hole->size;
		KUNIT_ASSERT_TRUE(test, iova_arenas_alloc(s->as, &rq, &pfn));
		KUNIT_ASSERT_NULL(test, space_map(s, &rq, pfn));
		hole->pfn = pfn;
	}
	while (nr)
		space_unmap(s, live[--nr]);
	expect_empty(test, s);
}

static void arenas_fail_for_small_masks_only(struct kunit *test)
{
	struct space *s = space_new(test, SZ_4K, RACE_END, false);
	struct iova_request narrow = { .limit = 0xfff };
	struct iova_request wide = { .limit = 0xfffff };
	unsigned long pfn;
	int i;

	for (i = 0; i < 200; i++) {
		narrow.size = 1 + i * 7 % 300;
		wide.size = narrow.size;
		while (iova_arenas_alloc(s->as, &narrow, &pfn))
			KUNIT_ASSERT_NULL(test, space_map(s, &narrow, pfn));
		KUNIT_ASSERT_TRUE(test, iova_arenas_alloc(s->as, &wide, &pfn));
		KUNIT_ASSERT_NULL(test, space_map(s, &wide, pfn));
	}
}

/* What is reserved, more than once and beyond the end, is never handed out. */
static void arenas_keep_off_reserved_pages(struct kunit *test)
{
	struct space *s = space_new(test, SMALL_GRANULE, SMALL_END, false);
	struct iova_request rq = { .size = 1, .limit = ULONG_MAX,
				   .hard = true };
	unsigned long pfn, nr = 0;

	KUNIT_EXPECT_EQ(test, iova_arenas_reserve(s->as, 100, 199), 0);
	KUNIT_EXPECT_EQ(test, iova_arenas_reserve(s->as, 150, 249), 0);
	KUNIT_EXPECT_EQ(test, iova_arenas_reserve(s->as, 90, 259), 0);
	KUNIT_EXPECT_EQ(test, iova_arenas_reserve(s->as, 0, 9), 0);
	KUNIT_EXPECT_EQ(test, iova_arenas_reserve(s->as, SMALL_END - 9,
						  ULONG_MAX), 0);
	while (iova_arenas_alloc(s->as, &rq, &pfn)) {
		KUNIT_ASSERT_NULL(test, space_map(s, &rq, pfn));
		KUNIT_ASSERT_FALSE(test, pfn < 10 || pfn > SMALL_END - 10 ||
				   (pfn >= 90 && pfn < 260));
		nr++;
	}
	KUNIT_EXPECT_EQ(test, nr, SMALL_END - 9 - 10 - 170);
}

/* Sizes just above a power of two. */
static void arenas_fill_four_gigabytes(struct kunit *test)
{
	unsigned long pfn, pages, size;
	struct space *s;

	for (size = 33; size <= 1025; size = size * 2 - 1) {
		struct iova_request rq = { .size = size, .limit = 0xffff };

		s = space_new(test, RACE_GRANULE, RACE_END, false);
		for (pages = 0; iova_arenas_alloc(s->as, &rq, &pfn);
		     pages += size)
			KUNIT_ASSERT_NULL(test, space_map(s, &rq, pfn));
		KUNIT_EXPECT_GE_MSG(test, pages, 65536 * 95 / 100,
				    "ranges of %lu pages", size);
		kunit_release_action(test, space_exit, s);
	}
}

/* The next one of the arena in use, and no other */
static void pages_at_hand_follow_the_last(struct kunit *test)
{
	struct space *s = space_new(test, RACE_GRANULE, RACE_END, false);
	struct iova_request rq = { .size = 1, .limit = ULONG_MAX };
	unsigned long first, last, pfn;

	migrate_disable();
	KUNIT_EXPECT_EQ(test, iova_arenas_alloc_page(s->as, 0, ULONG_MAX), 0);
	KUNIT_EXPECT_TRUE(test, iova_arenas_alloc(s->as, &rq, &first));
	KUNIT_EXPECT_EQ(test, iova_arenas_alloc_page(s->as, 0, ULONG_MAX),
			first + 1);
	KUNIT_EXPECT_EQ(test, iova_arenas_alloc_page(s->as, 4, ULONG_MAX),
			ALIGN(first + 2, 16));
	KUNIT_EXPECT_EQ(test, iova_arenas_alloc_page(s->as, 0, ULONG_MAX),
			ALIGN(first + 2, 16) + 1);
	/* Of no arena, of one that ends above the limit, aligned to more */
	KUNIT_EXPECT_EQ(test, iova_arenas_alloc_page(s->as, 0, 0xffff), 0);
	KUNIT_EXPECT_EQ(test, iova_arenas_alloc_page(s->as, 0, first + 99), 0);
	KUNIT_EXPECT_EQ(test, iova_arenas_alloc_page(s->as, 20, ULONG_MAX), 0);
	KUNIT_EXPECT_EQ(test, iova_arenas_alloc_page(s->as, 0, ULONG_MAX),
			ALIGN(first + 2, 16) + 2);
	for (last = 0; (pfn = iova_arenas_alloc_page(s->as, 0, ULONG_MAX));
	     last = pfn)
		KUNIT_EXPECT_LT(test, last, pfn);
	KUNIT_EXPECT_EQ(test, last, first + 1023);
	/* What was passed over takes a search, and what follows is at hand. */
	KUNIT_EXPECT_TRUE(test, iova_arenas_alloc(s->as, &rq, &pfn));
	KUNIT_EXPECT_EQ(test, pfn, first + 2);
	for (pfn = first + 3; pfn < first + 16; pfn++)
		KUNIT_EXPECT_EQ(test, pfn,
				iova_arenas_alloc_page(s->as, 0, ULONG_MAX));
	KUNIT_EXPECT_EQ(test, iova_arenas_alloc_page(s->as, 0, ULONG_MAX), 0);
	migrate_enable();
}

static void arenas_of_a_lost_cpu_are_used(struct kunit *test)
{
	struct space *s = space_new(test, SZ_4K, RACE_END, false);
	struct iova_request rq = { .size = 1, .limit = ULONG_MAX };
	struct iova_arena_stats before, after;
	unsigned int cpu;
	unsigned long pfn;

	if (num_possible_cpus() < 2)
		kunit_skip(test, "there is one CPU only");
	migrate_disable();
	KUNIT_EXPECT_TRUE(test, iova_arenas_alloc(s->as, &rq, &pfn));
	iova_arenas_get_stats(s->as, &before);
	/* To another CPU and back, as if each of them were lost in turn. */
	for_each_possible_cpu(cpu) {
		if (cpu != smp_processor_id())
			iova_arenas_lose_cpu(s->as, cpu);
	}
	KUNIT_EXPECT_TRUE(test, iova_arenas_alloc(s->as, &rq, &pfn));
	iova_arenas_get_stats(s->as, &after);
	migrate_enable();
	KUNIT_EXPECT_EQ(test, before.created, 1);
	KUNIT_EXPECT_EQ(test, after.created, 1);
}

static int alloc_one(void *data)
{
	struct space *s = data;
	struct iova_request rq = { .size = 1, .limit = ULONG_MAX };
	unsigned long pfn;

	return iova_arenas_alloc(s->as, &rq, &pfn) ? 0 : -ENOSPC;
}

/* What another CPU had is this one's, once that one is gone. */
static void arenas_move_from_a_lost_cpu(struct kunit *test)
{
	struct space *s = space_new(test, SZ_4K, RACE_END, false);
	struct iova_arena_stats stats;
	int here, there;

	migrate_disable();
	here = smp_processor_id();
	there = cpumask_any_but(cpu_online_mask, here);
	if (there < nr_cpu_ids) {
		KUNIT_EXPECT_EQ(test, 0, smp_call_on_cpu(there, alloc_one, s,
							 false));
		iova_arenas_lose_cpu(s->as, there);
		KUNIT_EXPECT_EQ(test, 0, alloc_one(s));
		iova_arenas_get_stats(s->as, &stats);
		KUNIT_EXPECT_EQ(test, stats.created, 1);
		KUNIT_EXPECT_EQ(test, stats.steals, 0);
	}
	migrate_enable();
	if (there >= nr_cpu_ids)
		kunit_skip(test, "there is one CPU only");
}

static void idle_space_gives_all_back(struct kunit *test)
{
	struct space *s = space_new(test, SZ_4K, RACE_END, true);
	struct iova_request rq = { .size = 3, .limit = ULONG_MAX };
	struct iova_arena_stats stats;
	unsigned long pfn;
	int i;

	KUNIT_ASSERT_TRUE(test, iova_arenas_alloc(s->as, &rq, &pfn));
	iova_arenas_free(s->as, pfn, rq.size);
	/* The trimmer needs three seconds, and two flushes. */
	for (i = 0; i < 100; i++) {
		iova_arenas_get_stats(s->as, &stats);
		if (!stats.arenas)
			return;
		msleep(100);
	}
	KUNIT_FAIL(test, "%lu arenas are left after 10 s", stats.arenas);
}

/**
 * struct race - threads that use a space
 * @s: the space
 * @handed: what one leaves for whoever comes by next: page, CPU and size
 * @running: threads that are not through
 * @ops: allocations
 * @away: those that another CPU has freed
 * @wrong: what was noticed first
 * @end: jiffies when it is enough in any case
 */
struct race {
	struct space *s;
	atomic64_t handed[RACE_SLOTS];
	atomic_t running;
	atomic_t ops;
	atomic_t away;
	const char *wrong;
	unsigned long end;
};

static u64 race_map(struct race *race, struct rnd_state *rnd)
{
	/* Some are too large for an arena, which serves up to 64. */
	struct iova_request rq = random_request(rnd, 100);
	unsigned long pfn;
	const char *wrong;

	rq.limit |= 0xfff;
	if (!space_alloc(race->s, &rq, &pfn))
		return 0;
	atomic_inc(&race->ops);
	wrong = space_map(race->s, &rq, pfn);
	if (wrong)
		WRITE_ONCE(race->wrong, wrong);
	return (u64)pfn << 16 | (u8)raw_smp_processor_id() << 8 | rq.size;
}

static void race_unmap(struct race *race, u64 what)
{
	if (!what)
		return;
	if ((u8)(what >> 8) != (u8)raw_smp_processor_id())
		atomic_inc(&race->away);
	space_unmap(race->s, (struct piece){ what >> 16, what & 0xff });
}

/* On a busy machine one CPU may be through before another has begun. */
static bool race_is_over(struct race *race, int ops)
{
	if (READ_ONCE(race->wrong))
		return true;
	return ops >= RACE_OPS && (num_online_cpus() == 1 ||
				   atomic_read(&race->away) > RACE_OPS / 10 ||
				   time_after(jiffies, race->end));
}

static int race_thread(void *data)
{
	struct race *race = data;
	struct rnd_state rnd;
	int i;

	prandom_seed_state(&rnd, current->pid);
	for (i = 0; !race_is_over(race, i); i++) {
		u32 n = prandom_u32_state(&rnd);
		u64 what = n & 0xff00 ? race_map(race, &rnd) : 0;

		what = atomic64_xchg(&race->handed[n % RACE_SLOTS], what);
		race_unmap(race, what);
		if (i % 1024 == 0)
			cond_resched();
	}
	atomic_dec(&race->running);
	return 0;
}

static void race_run(struct kunit *test, struct race *race)
{
	struct task_struct *task[RACE_THREADS];
	int i, cpu = -1;

	race->end = jiffies + 30 * HZ;
	atomic_set(&race->running, RACE_THREADS);
	for (i = 0; i < RACE_THREADS; i++) {
		/* In turn, so that no CPU is left out. */
		cpu = cpumask_next_wrap(cpu, cpu_online_mask);
		task[i] = kthread_create_on_cpu(race_thread, race, cpu,
						"iova-race/%u");
		if (IS_ERR(task[i]))
			atomic_dec(&race->running);
		else
			wake_up_process(task[i]);
	}
	/* Meanwhile arenas come and go. */
	while (atomic_read(&race->running)) {
		iova_arenas_trim(race->s->as);
		msleep(20);
	}
	for (i = 0; i < RACE_THREADS; i++)
		KUNIT_EXPECT_FALSE(test, IS_ERR(task[i]));
}

static void race(struct kunit *test, bool lazy)
{
	struct race *race = kunit_kzalloc(test, sizeof(*race), GFP_KERNEL);
	int i;

	KUNIT_ASSERT_NOT_NULL(test, race);
	race->s = space_new(test, RACE_GRANULE, RACE_END, lazy);
	race_run(test, race);
	KUNIT_EXPECT_NULL_MSG(test, race->wrong, "%s", race->wrong);
	for (i = 0; i < RACE_SLOTS; i++)
		race_unmap(race, atomic64_read(&race->handed[i]));
	kunit_info(test, "%d allocations, %d freed elsewhere, %d flushes\n",
		   atomic_read(&race->ops), atomic_read(&race->away),
		   atomic_read(&race->s->begun));
	KUNIT_EXPECT_GT(test, atomic_read(&race->ops), RACE_OPS);
	if (num_online_cpus() > 1)
		KUNIT_EXPECT_GT(test, atomic_read(&race->away), RACE_OPS / 10);
	expect_empty(test, race->s);
}

static void strict_threads_share_no_page(struct kunit *test)
{
	race(test, false);
}

static void lazy_threads_meet_no_stale_entry(struct kunit *test)
{
	race(test, true);
}

static struct kunit_case arena_cases[] = {
	KUNIT_CASE(arenas_strict_give_no_page_twice),
	KUNIT_CASE(arenas_lazy_give_no_page_before_a_flush),
	KUNIT_CASE(arenas_strict_are_used_up),
	KUNIT_CASE(arenas_lazy_are_used_up),
	KUNIT_CASE(arenas_find_each_hole),
	KUNIT_CASE(arenas_fail_for_small_masks_only),
	KUNIT_CASE(arenas_keep_off_reserved_pages),
	KUNIT_CASE(arenas_fill_four_gigabytes),
	KUNIT_CASE(pages_at_hand_follow_the_last),
	KUNIT_CASE(arenas_of_a_lost_cpu_are_used),
	KUNIT_CASE(arenas_move_from_a_lost_cpu),
	KUNIT_CASE_SLOW(idle_space_gives_all_back),
	KUNIT_CASE_SLOW(strict_threads_share_no_page),
	KUNIT_CASE_SLOW(lazy_threads_meet_no_stale_entry),
	{}
};

static struct kunit_suite arena_suite = {
	.name = "iova-arena",
	.test_cases = arena_cases,
};

kunit_test_suite(arena_suite);

MODULE_IMPORT_NS("EXPORTED_FOR_KUNIT_TESTING");
MODULE_DESCRIPTION("KUnit tests of IOVA arenas and flush epochs");
MODULE_LICENSE("GPL");
