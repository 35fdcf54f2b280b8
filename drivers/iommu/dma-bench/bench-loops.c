// SPDX-License-Identifier: GPL-2.0-only
/*
 * Benchmark of DMA mappings: works that repeat a step at full speed.
 */

#include <linux/kernel.h>
#include <linux/ktime.h>
#include <linux/math64.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#include "bench.h"

/*
 * How long a pass takes, about, and at most how many steps it has. Short, so
 * that most passes are not disturbed by whatever else the machine does.
 */
#define PASS_NS		(2 * NSEC_PER_MSEC)
#define PASS_STEPS	100000
#define PASS_MIN_STEPS	32
#define WARM_UPS	16
/* Mappings that the work about mixed masks has on each device */
#define MIXED_SLOTS	64
/* Pairs in a step that only measures the machine */
#define IDLE_PAIRS	64

/* Steps */

static int bench_map(struct bench_thread *t, struct device *dev,
		     struct bench_slot *slot, size_t size)
{
	slot->addr = dma_map_phys(dev, bench_phys(), size, DMA_TO_DEVICE, 0);
	slot->size = size;
	return dma_mapping_error(dev, slot->addr);
}

static void bench_unmap(struct device *dev, const struct bench_slot *slot)
{
	dma_unmap_phys(dev, slot->addr, slot->size, DMA_TO_DEVICE, 0);
}

/* One mapping after the other, all of them released in the same order */
static int step_map(struct bench_thread *t)
{
	unsigned int i, mapped;
	int ret = 0;

	for (mapped = 0; mapped < t->work->items; mapped++) {
		ret = bench_map(t, t->dev, &t->slots[mapped], t->work->size);
		if (ret)
			break;
	}
	for (i = 0; i < mapped; i++)
		bench_unmap(t->dev, &t->slots[i]);
	return ret;
}

static int step_sg(struct bench_thread *t)
{
	int ret;

	ret = dma_map_sgtable(t->dev, &t->sgt, DMA_TO_DEVICE, 0);
	if (!ret)
		dma_unmap_sgtable(t->dev, &t->sgt, DMA_TO_DEVICE, 0);
	return ret;
}

/* A request as NVMe makes it: allocate, link each element, sync, destroy */
static int step_iova(struct bench_thread *t)
{
	size_t part = t->work->size / t->work->items;
	struct dma_iova_state state;
	size_t at;
	int ret = 0;

	if (!dma_iova_try_alloc(t->dev, &state, 0, t->work->size))
		return -ENOSPC;
	for (at = 0; at < t->work->size && !ret; at += part)
		ret = dma_iova_link(t->dev, &state,
				    bench_phys() + 2 * at % BENCH_BUFFER, at,
				    part, DMA_TO_DEVICE, 0);
	if (ret)
		at -= part;
	else
		ret = dma_iova_sync(t->dev, &state, 0, t->work->size);
	dma_iova_destroy(t->dev, &state, at, DMA_TO_DEVICE, 0);
	return ret;
}

/* Replace a random mapping, of either device */
static int step_mixed(struct bench_thread *t)
{
	u32 r = prandom_u32_state(&t->rnd);
	struct device *dev = r & 1 ? t->dev : t->dev2;
	struct bench_slot *slot;
	int ret;

	slot = &t->slots[(r & 1) * MIXED_SLOTS + (r >> 1) % MIXED_SLOTS];
	if (slot->size)
		bench_unmap(dev, slot);
	slot->size = 0;
	ret = bench_map(t, dev, slot, t->work->size << (r >> 16) % 4);
	if (ret)
		slot->size = 0;
	return ret;
}

static int step_irqsave(struct bench_thread *t)
{
	unsigned long flags;
	unsigned int i;

	for (i = 0; i < IDLE_PAIRS; i++) {
		local_irq_save(flags);
		local_irq_restore(flags);
	}
	return 0;
}

static int step_clock(struct bench_thread *t)
{
	unsigned int i;

	for (i = 0; i < IDLE_PAIRS; i++)
		ktime_get_ns();
	return 0;
}

/* Passes */

static int run_steps(struct bench_thread *t)
{
	u64 begin, now;
	unsigned long n;
	int ret;

	if (!t->each) {
		for (n = 0; n < t->steps && !READ_ONCE(t->pass->stop); n++) {
			ret = t->work->step(t);
			if (ret)
				return ret;
		}
		return 0;
	}
	begin = ktime_get_ns();
	for (n = 0; n < t->steps && !READ_ONCE(t->pass->stop); n++) {
		ret = t->work->step(t);
		if (ret)
			return ret;
		now = ktime_get_ns();
		t->worst_ns = max(t->worst_ns, now - begin);
		begin = now;
	}
	return 0;
}

/*
 * Thread 0 maps into a ring of slots, thread 1 unmaps. As on a device's ring,
 * what is unmapped was mapped a while ago, and completions come in bundles.
 */
#define CROSS_BUNDLE	32

/* Waits until an index has come so far; false when the other one stopped. */
static bool cross_wait(struct bench_pass *pass, unsigned long *index,
		       unsigned long until)
{
	/* Pairs with the release in the other thread */
	while (smp_load_acquire(index) < until) {
		if (READ_ONCE(pass->stop))
			return false;
		cpu_relax();
	}
	return true;
}

/* After step @n: in bundles, the other thread hears how far this one is. */
static void cross_done(struct bench_thread *t, unsigned long *index,
		       unsigned long n)
{
	if ((n + 1) % CROSS_BUNDLE == 0 || n + 1 == t->steps) {
		/* Pairs with the acquire in cross_wait() */
		smp_store_release(index, n + 1);
	}
}

static int run_mapper(struct bench_thread *t)
{
	struct bench_pass *pass = t->pass;
	unsigned long n;
	u64 begin;
	int ret;

	for (n = 0; n < t->steps; n++) {
		if (n % CROSS_BUNDLE == 0 && n >= BENCH_SLOTS &&
		    !cross_wait(pass, &pass->tail,
				n + CROSS_BUNDLE - BENCH_SLOTS))
			return 0;
		begin = t->each ? ktime_get_ns() : 0;
		ret = bench_map(t, t->dev,
				&pass->thread[0].slots[n % BENCH_SLOTS],
				t->work->size);
		if (ret)
			return ret;
		if (t->each)
			t->worst_ns = max(t->worst_ns, ktime_get_ns() - begin);
		cross_done(t, &pass->head, n);
	}
	return 0;
}

static int run_unmapper(struct bench_thread *t)
{
	struct bench_pass *pass = t->pass;
	unsigned long n;
	u64 begin;

	for (n = 0; n < t->steps; n++) {
		if (n % CROSS_BUNDLE == 0 &&
		    !cross_wait(pass, &pass->head,
				min(n + BENCH_SLOTS / 2, t->steps)))
			return 0;
		begin = t->each ? ktime_get_ns() : 0;
		bench_unmap(t->dev, &pass->thread[0].slots[n % BENCH_SLOTS]);
		if (t->each)
			t->worst_ns = max(t->worst_ns, ktime_get_ns() - begin);
		cross_done(t, &pass->tail, n);
	}
	return 0;
}

static int run_cross(struct bench_thread *t)
{
	return t->index ? run_unmapper(t) : run_mapper(t);
}

/* Loops */

struct bench_loop {
	struct bench_pass pass[BENCH_SIDES];
	/* The same for both sides, found by the first that is measured */
	unsigned long steps;
};

/* Elements that are not adjacent, so that none can be merged */
static int loop_init_sg(struct bench_thread *t)
{
	const struct bench_work *work = t->work;
	struct scatterlist *sg;
	unsigned int i;
	int ret;

	ret = sg_alloc_table(&t->sgt, work->items, GFP_KERNEL);
	if (ret)
		return ret;
	for_each_sgtable_sg(&t->sgt, sg, i)
		sg_set_page(sg, phys_to_page(bench_phys() +
					     2 * i * work->size),
			    work->size, 0);
	return 0;
}

static int loop_init_devices(struct bench_thread *t, enum bench_side side)
{
	const struct bench_work *work = t->work;

	t->dev = bench_device(work, side, work->windows ? 32 : 64, NULL);
	if (IS_ERR(t->dev)) {
		int ret = PTR_ERR(t->dev);

		t->dev = NULL;
		return ret;
	}
	t->dev2 = t->dev;
	if (work->mixed)
		t->dev2 = bench_device(work, side, 32, t->dev);
	if (IS_ERR(t->dev2)) {
		int ret = PTR_ERR(t->dev2);

		t->dev2 = t->dev;
		return ret;
	}
	return 0;
}

static int loop_init_side(const struct bench_work *work, enum bench_side side,
			  struct bench_pass *pass)
{
	unsigned int i;
	int ret;

	pass->cpus = work->cpus;
	for (i = 0; i < pass->cpus; i++) {
		struct bench_thread *t = &pass->thread[i];

		t->work = work;
		t->run = work->run ?: run_steps;
		t->index = i;
		prandom_seed_state(&t->rnd, bench_seed() + i);
		t->slots = kvcalloc(BENCH_SLOTS, sizeof(*t->slots),
				    GFP_KERNEL);
		if (!t->slots)
			return -ENOMEM;
		if (work->step == step_sg) {
			ret = loop_init_sg(t);
			if (ret)
				return ret;
		}
	}
	ret = loop_init_devices(&pass->thread[0], side);
	for (i = 1; i < pass->cpus; i++) {
		pass->thread[i].dev = pass->thread[0].dev;
		pass->thread[i].dev2 = pass->thread[0].dev2;
	}
	return ret;
}

static void loop_exit_side(struct bench_pass *pass)
{
	struct bench_thread *first = &pass->thread[0];
	unsigned int i, j;

	for (i = 0; i < pass->cpus; i++) {
		struct bench_thread *t = &pass->thread[i];

		for (j = 0; t->work && t->work->mixed && t->slots &&
		     j < 2 * MIXED_SLOTS; j++)
			if (t->slots[j].size)
				bench_unmap(j < MIXED_SLOTS ? t->dev2 : t->dev,
					    &t->slots[j]);
		kvfree(t->slots);
		sg_free_table(&t->sgt);
	}
	if (first->dev2 != first->dev)
		soft_iommu_device_destroy(first->dev2);
	if (first->dev)
		soft_iommu_device_destroy(first->dev);
}

/* How many operations so many steps are; a list or a request is one */
static u64 operations(const struct bench_work *work, u64 steps)
{
	return work->step == step_sg || work->step == step_iova ?
	       steps : steps * max(work->items, 1U);
}

/* A pass of @steps; @ns is the time from the first start to the last end */
static int loop_pass(struct bench_pass *pass, unsigned long steps, bool each,
		     u64 *ns)
{
	u64 begin = U64_MAX, end = 0;
	unsigned int i;
	int ret;

	for (i = 0; i < pass->cpus; i++) {
		pass->thread[i].steps = steps;
		pass->thread[i].each = each;
		pass->thread[i].worst_ns = 0;
	}
	ret = bench_pass_run(pass);
	for (i = 0; i < pass->cpus; i++) {
		begin = min(begin, pass->thread[i].begin_ns);
		end = max(end, pass->thread[i].end_ns);
	}
	*ns = end - begin;
	return ret;
}

/*
 * Warm up, and find how many steps make a pass. The fastest of several passes
 * says how long a step takes, the others were disturbed.
 */
static int loop_warm_up(struct bench_loop *loop, struct bench_pass *pass)
{
	unsigned long steps = loop->steps ?: PASS_MIN_STEPS;
	u64 ns, best = U64_MAX;
	unsigned int n;
	int ret;

	for (n = 0; n < WARM_UPS; n++) {
		ret = loop_pass(pass, steps, false, &ns);
		if (ret || loop->steps)
			return ret;
		best = min(best, div64_u64(ns, steps) + 1);
		if (best * steps < PASS_NS / 2)
			steps *= 2;
	}
	loop->steps = clamp(div64_u64(PASS_NS, best), PASS_MIN_STEPS,
			    PASS_STEPS);
	return loop_pass(pass, loop->steps, false, &ns);
}

static int loop_round(const struct bench_work *work, enum bench_side side,
		      void *data, struct bench_record *r)
{
	struct bench_loop *loop = data;
	struct bench_pass *pass = &loop->pass[side];
	struct soft_iommu_counts before;
	unsigned int i;
	u64 ns, per;
	int ret;

	soft_iommu_read_counts(pass->thread[0].dev, &before);
	ret = loop_pass(pass, loop->steps, false, &ns);
	if (ret)
		return ret;
	bench_count_since(pass->thread[0].dev, &before, r);
	per = operations(work, loop->steps);
	r->value = div64_u64(ns * 1000, per);
	r->ops = per;
	r->unmaps = work->run == run_cross ? per : per * work->cpus;

	ret = loop_pass(pass, max(loop->steps / 4, 1UL), true, &ns);
	for (i = 0; i < pass->cpus; i++)
		r->worst_ns = max(r->worst_ns, pass->thread[i].worst_ns);
	return ret;
}

/**
 * bench_loop - measure a work that is a loop
 * @work: the work
 *
 * Return: 0, or the error of a mapping
 */
int bench_loop(const struct bench_work *work)
{
	struct bench_loop *loop;
	int side, ret = 0;

	loop = kvzalloc_obj(*loop);
	if (!loop)
		return -ENOMEM;
	for (side = 0; side < BENCH_SIDES && !ret; side++)
		if (bench_has_side(side))
			ret = loop_init_side(work, side, &loop->pass[side]);
	for (side = 0; side < BENCH_SIDES && !ret; side++)
		if (bench_has_side(side))
			ret = loop_warm_up(loop, &loop->pass[side]);
	if (!ret)
		ret = bench_turns(work, bench_rounds(work), loop_round, loop);
	for (side = 0; side < BENCH_SIDES; side++)
		loop_exit_side(&loop->pass[side]);
	kvfree(loop);
	return ret;
}

#define LOOP(_name, _step, _size, _items, _cpus, _flush_ns, ...)	\
	{								\
		.name = _name, .unit = "ns",				\
		.step = _step, .size = _size, .items = _items,		\
		.cpus = _cpus, .flush_ns = _flush_ns, __VA_ARGS__	\
	}

/* Up to which sizes it is cheap. Requests have parts of 64 KiB. */
#define SWEEP_MAP(_cpus, _name, _size)					\
	LOOP("sweep-map-" #_cpus "-" _name, step_map, _size, 1, _cpus,	\
	     1000, .divide = 2)
#define SWEEP_IOVA(_cpus, _name, _size, _parts)				\
	LOOP("sweep-iova-" #_cpus "-" _name, step_iova, _size, _parts,	\
	     _cpus, 1000, .divide = 2)

const struct bench_work bench_loops[] = {
	LOOP("machine-clock", step_clock, 0, IDLE_PAIRS, 1, 0),
	LOOP("machine-irqsave", step_irqsave, 0, IDLE_PAIRS, 1, 0),
	LOOP("map-4k-flush0", step_map, SZ_4K, 1, 1, 0),
	LOOP("map-4k", step_map, SZ_4K, 1, 1, 1000),
	LOOP("map-4k-flush5", step_map, SZ_4K, 1, 1, 5000),
	LOOP("map-64k", step_map, SZ_64K, 1, 1, 1000),
	LOOP("map-256k", step_map, SZ_256K, 1, 1, 1000),
	LOOP("map-1m", step_map, SZ_1M, 1, 1, 1000),
	LOOP("batch-4k", step_map, SZ_4K, 128, 1, 1000),
	LOOP("batch-64k", step_map, SZ_64K, 128, 1, 1000),
	LOOP("sg-16", step_sg, SZ_4K, 16, 1, 1000),
	LOOP("sg-256", step_sg, SZ_4K, 256, 1, 1000),
	LOOP("iova-128k", step_iova, SZ_128K, 8, 1, 1000),
	LOOP("iova-1m", step_iova, SZ_1M, 16, 1, 1000),
	LOOP("iova-128k-flush5", step_iova, SZ_128K, 8, 1, 5000),
	LOOP("iova-1m-flush5", step_iova, SZ_1M, 16, 1, 5000),
	LOOP("cross-4k", NULL, SZ_4K, 1, 2, 1000, .run = run_cross),
	LOOP("cross-64k", NULL, SZ_64K, 1, 2, 1000, .run = run_cross),
	LOOP("two-4k", step_map, SZ_4K, 1, 2, 1000),
	LOOP("two-64k", step_map, SZ_64K, 1, 2, 1000),
	LOOP("two-256k", step_map, SZ_256K, 1, 2, 1000),
	LOOP("two-1m", step_map, SZ_1M, 1, 2, 1000),
	LOOP("two-batch-4k", step_map, SZ_4K, 128, 2, 1000),
	LOOP("two-sg-256", step_sg, SZ_4K, 256, 2, 1000),
	LOOP("two-iova-1m", step_iova, SZ_1M, 16, 2, 1000),
	SWEEP_MAP(1, "64k", SZ_64K),
	SWEEP_MAP(1, "128k", SZ_128K),
	SWEEP_MAP(1, "256k", SZ_256K),
	SWEEP_MAP(1, "512k", SZ_512K),
	SWEEP_MAP(1, "1m", SZ_1M),
	SWEEP_MAP(1, "2m", SZ_2M),
	SWEEP_MAP(1, "4m", SZ_4M),
	SWEEP_MAP(2, "64k", SZ_64K),
	SWEEP_MAP(2, "128k", SZ_128K),
	SWEEP_MAP(2, "256k", SZ_256K),
	SWEEP_MAP(2, "512k", SZ_512K),
	SWEEP_MAP(2, "1m", SZ_1M),
	SWEEP_MAP(2, "2m", SZ_2M),
	SWEEP_MAP(2, "4m", SZ_4M),
	SWEEP_IOVA(1, "64k", SZ_64K, 1),
	SWEEP_IOVA(1, "128k", SZ_128K, 2),
	SWEEP_IOVA(1, "256k", SZ_256K, 4),
	SWEEP_IOVA(1, "512k", SZ_512K, 8),
	SWEEP_IOVA(1, "1m", SZ_1M, 16),
	SWEEP_IOVA(1, "2m", SZ_2M, 32),
	SWEEP_IOVA(1, "4m", SZ_4M, 64),
	SWEEP_IOVA(2, "64k", SZ_64K, 1),
	SWEEP_IOVA(2, "128k", SZ_128K, 2),
	SWEEP_IOVA(2, "256k", SZ_256K, 4),
	SWEEP_IOVA(2, "512k", SZ_512K, 8),
	SWEEP_IOVA(2, "1m", SZ_1M, 16),
	SWEEP_IOVA(2, "2m", SZ_2M, 32),
	SWEEP_IOVA(2, "4m", SZ_4M, 64),
	LOOP("mixed-masks", step_mixed, SZ_4K, 1, 1, 1000, .mixed = true),
	LOOP("two-mixed-masks", step_mixed, SZ_4K, 1, 2, 1000, .mixed = true),
	LOOP("window-4k", step_map, SZ_4K, 1, 1, 1000, .windows = true,
	     .both_parallel = true),
	LOOP("two-window-4k", step_map, SZ_4K, 1, 2, 1000, .windows = true,
	     .both_parallel = true),
	LOOP("strict-4k", step_map, SZ_4K, 1, 1, 1000, .strict = true),
	LOOP("strict-4k-flush5", step_map, SZ_4K, 1, 1, 5000, .strict = true),
	LOOP("strict-two-4k-flush5", step_map, SZ_4K, 1, 2, 5000,
	     .strict = true),
	LOOP("strict-two-4k-flush5-parallel", step_map, SZ_4K, 1, 2, 5000,
	     .strict = true, .both_parallel = true),
	LOOP("strict-two-sg-256-flush5", step_sg, SZ_4K, 256, 2, 5000,
	     .strict = true),
	{}
};
