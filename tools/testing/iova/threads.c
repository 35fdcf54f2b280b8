// SPDX-License-Identifier: GPL-2.0-only
/*
 * Threads as CPUs: they allocate, hand over, and give back what another one
 * allocated. For each page there is its owner, and the number of the flush up
 * to which it may be in the IOTLB.
 */
#include <sched.h>
#include <unistd.h>

#include "test.h"

#define PAGES		0x200000UL
#define RINGS		64
#define OPS		60000

static struct iova_arenas *as;
static struct dma_flush flush;
static bool lazy;

static unsigned int owner[PAGES];
static unsigned int stale[PAGES];
static unsigned int begun, done;
static unsigned int ids, stop;
static u64 handed[RINGS];
static unsigned long nr_allocs, nr_failed;

#define LOAD(x)		__atomic_load_n(&(x), __ATOMIC_SEQ_CST)
#define STORE(x, v)	__atomic_store_n(&(x), v, __ATOMIC_SEQ_CST)
#define ADD(x, v)	__atomic_add_fetch(&(x), v, __ATOMIC_SEQ_CST)

static void fake_flush(struct iommu_domain *domain)
{
	unsigned int number, old;

	CHECK(!shim_nr_locks, "a flush under a spinlock");
	number = ADD(begun, 1);
	if (rnd_below(4) == 0)
		sched_yield();
	old = LOAD(done);
	while (old < number &&
	       !__atomic_compare_exchange_n(&done, &old, number, false,
					    __ATOMIC_SEQ_CST,
					    __ATOMIC_SEQ_CST))
		;
}

static const struct iommu_domain_ops fake_ops = {
	.flush_iotlb_all = fake_flush,
};

static struct iommu_domain domain = { .ops = &fake_ops };

static void fake_flushed(struct dma_flush *unused)
{
	iova_arenas_flushed(as);
}

/* An allocation in a word: page, pages below 2^14. */
static u64 alloc_one(void)
{
	struct iova_request rq = {
		.size = rnd_size(rnd_below(20) ? 32 : 1000),
		.limit = rnd_below(2) ? 0xfffff : ULONG_MAX,
		.hard = rnd_below(4) == 0,
	};
	unsigned int id = ADD(ids, 1);
	unsigned long pfn = 0, i;

	if (rnd_below(8) == 0) {
		rq.order = rnd_below(10);
		rq.skew = rnd_below(1UL << rq.order);
	}
	if (rq.size == 1 && !rq.skew && rnd_below(2))
		pfn = iova_arenas_alloc_page(as, rq.order, rq.limit);
	if (!pfn && !iova_arenas_alloc(as, &rq, &pfn)) {
		ADD(nr_failed, 1);
		return 0;
	}
	CHECK(pfn + rq.size <= PAGES, "0x%lx", pfn);
	for (i = pfn; i < pfn + rq.size; i++) {
		unsigned int old = __atomic_exchange_n(&owner[i], id,
						       __ATOMIC_SEQ_CST);

		CHECK(!old, "page 0x%lx has two owners", i);
		CHECK(!lazy || LOAD(stale[i]) <= LOAD(done),
		      "page 0x%lx is in the IOTLB", i);
	}
	ADD(nr_allocs, 1);
	return (u64)pfn << 14 | rq.size;
}

static void free_one(u64 what)
{
	unsigned long pfn = what >> 14, size = what & 0x3fff, i;
	unsigned int id = LOAD(owner[pfn]);

	for (i = pfn; i < pfn + size; i++) {
		CHECK(LOAD(owner[i]) == id, "page 0x%lx has another owner", i);
		STORE(owner[i], 0);
		STORE(stale[i], LOAD(begun) + 1);
	}
	iova_arenas_free(as, pfn, size);
}

static void *worker(void *data)
{
	unsigned int i;

	shim_cpu = (long)data;
	for (i = 0; i < OPS; i++) {
		u64 *slot = &handed[rnd_below(RINGS)];
		u64 what = rnd_below(4) ? alloc_one() : 0;

		/* Whoever comes by next, on whichever CPU, gives it back. */
		what = __atomic_exchange_n(slot, what, __ATOMIC_SEQ_CST);
		if (what)
			free_one(what);
	}
	return NULL;
}

/* Timers, the trimmer, lost CPUs. */
static void *clockwork(void *data)
{
	unsigned int n = 0;

	shim_cpu = SHIM_CPUS - 1;
	while (!LOAD(stop)) {
		shim_advance(1);
		if (++n % 16 == 0)
			shim_lose_cpu(rnd_below(SHIM_CPUS - 1));
		if (n % 64 == 0)
			iova_arenas_trim(as);
		usleep(200);
	}
	return NULL;
}

static void run(unsigned long end)
{
	pthread_t threads[SHIM_CPUS - 1], ticker;
	struct iova_arena_stats stats;
	unsigned long i;

	as = iova_arenas_create(SZ_4K, 1, end);
	if (lazy) {
		dma_flush_init(&flush, &domain, 10, fake_flushed);
		iova_arenas_defer(as, &flush, 256);
	}
	pthread_create(&ticker, NULL, clockwork, NULL);
	for (i = 0; i < ARRAY_SIZE(threads); i++)
		pthread_create(&threads[i], NULL, worker, (void *)i);
	for (i = 0; i < ARRAY_SIZE(threads); i++)
		pthread_join(threads[i], NULL);
	STORE(stop, 1);
	pthread_join(ticker, NULL);
	for (i = 0; i < RINGS; i++)
		if (handed[i])
			free_one(handed[i]);
	iova_arenas_trim(as);
	arenas_check(as, 0);
	iova_arenas_get_stats(as, &stats);
	printf("# %lu allocations, %lu failed, %u flushes, %lu steals\n",
	       nr_allocs, nr_failed, begun, stats.steals);
	CHECK(!stats.arenas && !stats.ranges, "%lu arenas, %lu ranges left",
	      stats.arenas, stats.ranges);
	CHECK(nr_allocs > OPS, "%lu allocations only", nr_allocs);
	if (lazy)
		dma_flush_exit(&flush);
	iova_arenas_destroy(as);
	CHECK(!shim_nr_allocated, "%ld objects are left", shim_nr_allocated);
}

static void roomy_strict(void)
{
	run(PAGES - 1);
}

static void roomy_lazy(void)
{
	lazy = true;
	run(PAGES - 1);
}

/* So little space that they take from each other, and that it runs out. */
static void tight_strict(void)
{
	run(2047);
}

static void tight_lazy(void)
{
	lazy = true;
	run(2047);
}

const struct test thread_tests[] = {
	{ "threads: much space, strict", roomy_strict },
	{ "threads: much space, lazy", roomy_lazy },
	{ "threads: little space, strict", tight_strict },
	{ "threads: little space, lazy", tight_lazy },
	{ }
};
