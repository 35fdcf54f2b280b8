// SPDX-License-Identifier: GPL-2.0-only
/*
 * Benchmark of DMA mappings: works about the address space and its memory.
 */

#include <linux/cleanup.h>
#include <linux/delay.h>
#include <linux/irqflags.h>
#include <linux/kernel.h>
#include <linux/ktime.h>
#include <linux/math64.h>
#include <linux/mm.h>
#include <linux/mmzone.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/sort.h>
#include <linux/vmstat.h>

#include "bench.h"

/*
 * Ageing: a network card, a disk and a GPU share a domain
 *
 * The card's receive ring is refilled in order, one page each. Its transmit
 * buffers and the disk's requests have many sizes and end in any order. The
 * GPU maps large buffers, rarely, and keeps them.
 */

#define AGED_RX		2048
#define AGED_TX		512
#define AGED_DISK	256
#define AGED_GPU	64
#define AGED_SLOTS	(AGED_RX + AGED_TX + AGED_DISK + AGED_GPU)
/* Operations whose mean is one sample */
#define AGED_CHUNK	64

/* A mapping, or a request that consists of several */
struct aged_slot {
	dma_addr_t addr;
	size_t size;
	struct dma_iova_state state;
};

struct aged_side {
	struct device *dev;
	struct rnd_state rnd;
	unsigned int next_rx;
	u32 *samples;
	unsigned int nr_samples;
	struct aged_slot slots[AGED_SLOTS];
};

struct aged {
	unsigned int life;
	unsigned int turn[BENCH_SIDES];
	struct aged_side side[BENCH_SIDES];
};

static void aged_unmap(struct aged_side *side, struct aged_slot *slot)
{
	if (!slot->size)
		return;
	if (dma_use_iova(&slot->state))
		dma_iova_destroy(side->dev, &slot->state, slot->size,
				 DMA_FROM_DEVICE, 0);
	else
		dma_unmap_phys(side->dev, slot->addr, slot->size,
			       DMA_FROM_DEVICE, 0);
	slot->size = 0;
	slot->state = (struct dma_iova_state){};
}

static int aged_map(struct aged_side *side, struct aged_slot *slot,
		    size_t size)
{
	slot->addr = dma_map_phys(side->dev, bench_phys(), size,
				  DMA_FROM_DEVICE, 0);
	if (dma_mapping_error(side->dev, slot->addr))
		return -ENOSPC;
	slot->size = size;
	return 0;
}

/* Map a request that consists of @part bytes again and again */
static int aged_request(struct aged_side *side, struct aged_slot *slot,
			size_t size, size_t part)
{
	size_t at;
	int ret = 0;

	if (!dma_iova_try_alloc(side->dev, &slot->state, 0, size))
		return -ENOSPC;
	for (at = 0; at < size && !ret; at += part)
		ret = dma_iova_link(side->dev, &slot->state, bench_phys(), at,
				    min(part, size - at), DMA_FROM_DEVICE, 0);
	if (ret) {
		dma_iova_destroy(side->dev, &slot->state, at - part,
				 DMA_FROM_DEVICE, 0);
		slot->state = (struct dma_iova_state){};
		return ret;
	}
	slot->size = size;
	return dma_iova_sync(side->dev, &slot->state, 0, size);
}

static size_t aged_disk_size(u32 r)
{
	static const u16 pages[16] = {
		1, 1, 1, 1, 1, 1, 2, 4, 7, 16, 16, 32, 32, 33, 64, 256,
	};

	return (size_t)pages[r % ARRAY_SIZE(pages)] << PAGE_SHIFT;
}

static int aged_fill(struct aged_side *side, unsigned int i)
{
	u32 r = prandom_u32_state(&side->rnd);
	struct aged_slot *slot = &side->slots[i];

	aged_unmap(side, slot);
	if (i < AGED_RX)
		return aged_map(side, slot, PAGE_SIZE);
	if (i < AGED_RX + AGED_TX)
		return aged_map(side, slot, 1 + r % SZ_64K);
	if (i < AGED_RX + AGED_TX + AGED_DISK)
		return aged_request(side, slot, aged_disk_size(r), SZ_64K);
	/* 2 to 32 MB, not always a multiple of large pages */
	return aged_request(side, slot, SZ_2M + (r % 480) * SZ_64K, SZ_2M);
}

static int aged_op(struct aged_side *side)
{
	u32 r = prandom_u32_state(&side->rnd), kind = r >> 16;

	if (kind % 4096 == 0)
		return aged_fill(side, AGED_SLOTS - 1 - r % AGED_GPU);
	if (kind & 1)
		return aged_fill(side, side->next_rx++ % AGED_RX);
	if (kind & 2)
		return aged_fill(side, AGED_RX + r % AGED_TX);
	return aged_fill(side, AGED_RX + AGED_TX + r % AGED_DISK);
}

static int aged_run(struct bench_thread *t)
{
	struct aged_side *side = t->data;
	u64 begin = ktime_get_ns(), now;
	unsigned int i, j;
	int ret;

	for (i = 0; i < side->nr_samples; i++) {
		for (j = 0; j < AGED_CHUNK; j++) {
			ret = aged_op(side);
			if (ret)
				return ret;
		}
		now = ktime_get_ns();
		side->samples[i] = div_u64((now - begin) * 10, AGED_CHUNK);
		begin = now;
	}
	return 0;
}

static int aged_start(struct bench_thread *t)
{
	struct aged_side *side = t->data;
	unsigned int i;
	int ret = 0;

	for (i = 0; i < AGED_SLOTS && !ret; i++)
		ret = aged_fill(side, i);
	return ret;
}

static int compare_u32(const void *a, const void *b)
{
	u32 x = *(const u32 *)a, y = *(const u32 *)b;

	return x < y ? -1 : x > y;
}

static int aged_turn(const struct bench_work *work, enum bench_side which,
		     void *data, struct bench_record *record)
{
	struct aged *aged = data;
	struct aged_side *side = &aged->side[which];
	struct soft_iommu_counts before;
	int ret;

	soft_iommu_read_counts(side->dev, &before);
	ret = bench_on_cpu(work, aged_run, side);
	if (ret)
		return ret;
	bench_count_since(side->dev, &before, record);
	sort(side->samples, side->nr_samples, sizeof(*side->samples),
	     compare_u32, NULL);
	record->value = side->samples[side->nr_samples / 2] * 100ULL;
	record->ops = side->nr_samples * AGED_CHUNK;
	record->unmaps = record->ops;
	record->tenth = ++aged->turn[which];
	bench_print(work, which, aged->life, record);
	return 1;
}

static int aged_init_side(const struct bench_work *work, enum bench_side which,
			  struct aged_side *side)
{
	side->nr_samples = max(bench_aged_ops / 10 / AGED_CHUNK, 1U);
	side->samples = kvcalloc(side->nr_samples, sizeof(*side->samples),
				 GFP_KERNEL);
	if (!side->samples)
		return -ENOMEM;
	prandom_seed_state(&side->rnd, bench_seed());
	side->dev = bench_device(work, which, 64, NULL);
	if (IS_ERR(side->dev))
		return PTR_ERR(side->dev);
	return bench_on_cpu(work, aged_start, side);
}

static void aged_exit_side(struct aged_side *side)
{
	unsigned int i;

	kvfree(side->samples);
	if (IS_ERR_OR_NULL(side->dev))
		return;
	for (i = 0; i < AGED_SLOTS; i++)
		aged_unmap(side, &side->slots[i]);
	soft_iommu_device_destroy(side->dev);
}

static void aged_free(struct aged *aged)
{
	int i;

	if (!aged)
		return;
	for (i = 0; i < BENCH_SIDES; i++)
		aged_exit_side(&aged->side[i]);
	kvfree(aged);
}

DEFINE_FREE(aged_free, struct aged *, aged_free(_T))

/* Both sides, or an error pointer */
static struct aged *aged_new(const struct bench_work *work)
{
	struct aged *aged __free(aged_free) = kvzalloc_obj(*aged);
	int i, ret;

	if (!aged)
		return ERR_PTR(-ENOMEM);
	for (i = 0; i < BENCH_SIDES; i++) {
		if (!bench_has_side(i))
			continue;
		ret = aged_init_side(work, i, &aged->side[i]);
		if (ret)
			return ERR_PTR(ret);
	}
	return no_free_ptr(aged);
}

static int aged_life(const struct bench_work *work, unsigned int life)
{
	struct aged *aged = aged_new(work);
	int ret;

	if (IS_ERR(aged))
		return PTR_ERR(aged);
	aged->life = life;
	ret = bench_turns(work, 10, aged_turn, aged);
	aged_free(aged);
	return ret;
}

/* As many operations as take the wanted time, by the speed of the first. */
static int aged_fit_time(const struct bench_work *work)
{
	struct aged *aged = aged_new(work);
	u64 begin = ktime_get_ns(), ops = 0;
	int i, ret = 0;

	if (IS_ERR(aged))
		return PTR_ERR(aged);
	for (i = 0; i < BENCH_SIDES && !ret; i++) {
		if (!bench_has_side(i))
			continue;
		ops = aged->side[i].nr_samples * AGED_CHUNK;
		ret = bench_on_cpu(work, aged_run, &aged->side[i]);
	}
	ops = div64_u64(ops * bench_aged_seconds * NSEC_PER_SEC,
			ktime_get_ns() - begin);
	bench_aged_ops = min(ops, U32_MAX);
	aged_free(aged);
	return ret;
}

static int measure_aged(const struct bench_work *work)
{
	unsigned int life, lives = bench_rounds(work);
	int ret = 0;

	if (bench_aged_seconds) {
		lives = 1;
		ret = aged_fit_time(work);
	}
	for (life = 1; life <= lives && !ret; life++)
		ret = aged_life(work, life);
	return ret;
}

/*
 * Allocation in a crowded space below 4 GB, without any mapping
 *
 * Fragmented: 16 KB ranges fill it, and every second one is freed: some
 * 131 000 remain, and as many holes. Only a few ranges of 256 KB, the
 * victims, are freed and allocated again in each round; a request for 512 KB
 * never finds room.
 *
 * Full: ranges of 1 to 16 pages fill it, one in a hundred is freed, then some
 * are replaced in each round.
 */

#define SPACE_RANGES	(SZ_256K + SPACE_VICTIMS)
#define SPACE_VICTIMS	64
#define SPACE_REPLACED	1000

struct space_side {
	struct device *dev;
	struct rnd_state rnd;
	u64 worst_ns, ops;
	unsigned int nr;
	struct dma_iova_state *ranges;
};

struct space {
	struct space_side side[BENCH_SIDES];
	int (*run)(struct bench_thread *t);
};

static void space_free(struct space_side *side, unsigned int i)
{
	if (dma_iova_size(&side->ranges[i]))
		dma_iova_free(side->dev, &side->ranges[i]);
	side->ranges[i] = (struct dma_iova_state){};
}

/* With interrupts off, like many a driver: a timer's work is not measured. */
static bool space_alloc(struct space_side *side, unsigned int i, size_t size)
{
	u64 begin, took;
	bool ret;

	scoped_guard(irqsave) {
		begin = ktime_get_ns();
		ret = dma_iova_try_alloc(side->dev, &side->ranges[i], 0, size);
		took = ktime_get_ns() - begin;
	}
	side->worst_ns = max(side->worst_ns, took);
	side->ops++;
	return ret;
}

static int space_fill_fragmented(struct bench_thread *t)
{
	struct space_side *side = t->data;
	unsigned int i;

	for (i = 0; i < SPACE_VICTIMS; i++)
		if (!space_alloc(side, i, SZ_256K))
			return -ENOSPC;
	for (; i < SPACE_RANGES; i++)
		if (!space_alloc(side, i, SZ_16K))
			break;
	side->nr = i;
	for (i = SPACE_VICTIMS; i < side->nr; i += 2)
		space_free(side, i);
	return side->nr < SPACE_RANGES / 2 ? -ENOSPC : 0;
}

/* The first request that fails, while all that was freed lies in caches */
static int space_first(struct bench_thread *t)
{
	struct space_side *side = t->data;

	side->worst_ns = 0;
	if (space_alloc(side, SPACE_VICTIMS, SZ_512K))
		space_free(side, SPACE_VICTIMS);
	return 0;
}

static int space_run_fragmented(struct bench_thread *t)
{
	struct space_side *side = t->data;
	unsigned int i;

	for (i = 0; i < SPACE_VICTIMS; i++) {
		space_free(side, i);
		if (space_alloc(side, i, SZ_512K))
			space_free(side, i);
		/* Another CPU's view of what is free may fail this, rarely. */
		space_alloc(side, i, SZ_256K);
	}
	return 0;
}

static size_t space_size(struct space_side *side)
{
	return (1 + prandom_u32_state(&side->rnd) % 16) * SZ_4K;
}

static int space_fill_full(struct bench_thread *t)
{
	struct space_side *side = t->data;
	unsigned int i;

	for (i = 0; i < SPACE_RANGES; i++)
		if (!space_alloc(side, i, space_size(side)))
			break;
	side->nr = i;
	for (i = 0; i < side->nr; i += 100)
		space_free(side, i);
	return side->nr < SPACE_REPLACED ? -ENOSPC : 0;
}

static int space_run_full(struct bench_thread *t)
{
	struct space_side *side = t->data;
	unsigned int i, n;

	for (n = 0; n < SPACE_REPLACED; n++) {
		i = prandom_u32_state(&side->rnd) % side->nr;
		space_free(side, i);
		/* A failure is an answer too, and the space is nearly full. */
		space_alloc(side, i, space_size(side));
	}
	return 0;
}

static int space_turn(const struct bench_work *work, enum bench_side which,
		      void *data, struct bench_record *record)
{
	struct space *space = data;
	struct space_side *side = &space->side[which];
	int ret;

	side->worst_ns = 0;
	side->ops = 0;
	ret = bench_on_cpu(work, space->run, side);
	record->worst_ns = side->worst_ns;
	record->value = side->worst_ns * 1000;
	record->ops = side->ops;
	return ret;
}

static int space_init_side(const struct bench_work *work,
			   enum bench_side which, struct space_side *side,
			   int (*fill)(struct bench_thread *t))
{
	side->ranges = kvcalloc(SPACE_RANGES, sizeof(*side->ranges),
				GFP_KERNEL);
	if (!side->ranges)
		return -ENOMEM;
	prandom_seed_state(&side->rnd, bench_seed());
	side->dev = bench_device(work, which, 32, NULL);
	if (IS_ERR(side->dev))
		return PTR_ERR(side->dev);
	return bench_on_cpu(work, fill, side);
}

static void space_exit_side(struct space_side *side)
{
	unsigned int i;

	if (!IS_ERR_OR_NULL(side->dev)) {
		for (i = 0; i < SPACE_RANGES; i++)
			space_free(side, i);
		soft_iommu_device_destroy(side->dev);
	}
	kvfree(side->ranges);
}

static int space_life(const struct bench_work *work, unsigned int turns,
		      int (*fill)(struct bench_thread *t),
		      int (*run)(struct bench_thread *t))
{
	struct space *space;
	int i, ret = 0;

	space = kzalloc_obj(*space);
	if (!space)
		return -ENOMEM;
	space->run = run;
	for (i = 0; i < BENCH_SIDES && !ret; i++)
		if (bench_has_side(i))
			ret = space_init_side(work, i, &space->side[i], fill);
	/* The first call that fails does what later ones need not repeat. */
	for (i = 0; i < BENCH_SIDES && !ret && run != space_first; i++)
		if (bench_has_side(i))
			ret = bench_on_cpu(work, space_first, &space->side[i]);
	if (!ret)
		ret = bench_turns(work, turns, space_turn, space);
	for (i = 0; i < BENCH_SIDES; i++)
		space_exit_side(&space->side[i]);
	kfree(space);
	return ret;
}

static int measure_first(const struct bench_work *work)
{
	unsigned int i;
	int ret = 0;

	for (i = 0; i < bench_rounds(work) && !ret; i++)
		ret = space_life(work, 1, space_fill_fragmented, space_first);
	return ret;
}

static int measure_fragmented(const struct bench_work *work)
{
	return space_life(work, bench_rounds(work), space_fill_fragmented,
			  space_run_fragmented);
}

static int measure_full(const struct bench_work *work)
{
	return space_life(work, bench_rounds(work), space_fill_full,
			  space_run_full);
}

/* Memory: what many domains take from the free pages, each its share */

#define MEMORY_DOMAINS	200

struct memory {
	struct device *dev[MEMORY_DOMAINS];
};

/* Free pages, those that CPUs keep for themselves included */
static long memory_free(void)
{
	struct zone *zone;
	long pages;
	int cpu;

	/* Let go what is only waiting to be freed. */
	rcu_barrier();
	msleep(20);
	pages = global_zone_page_state(NR_FREE_PAGES);
	for_each_populated_zone(zone)
		for_each_online_cpu(cpu)
			pages += per_cpu_ptr(zone->per_cpu_pageset, cpu)->count;
	return pages;
}

static int memory_touch(struct bench_thread *t)
{
	dma_addr_t addr;

	addr = dma_map_phys(t->dev, bench_phys(), SZ_4K, DMA_TO_DEVICE, 0);
	if (dma_mapping_error(t->dev, addr))
		return -ENOSPC;
	dma_unmap_phys(t->dev, addr, SZ_4K, DMA_TO_DEVICE, 0);
	return 0;
}

/* One mapping on each CPU */
static int memory_use(const struct bench_work *work, struct device *dev)
{
	struct bench_pass *pass;
	int i, ret;

	pass = kzalloc_obj(*pass);
	if (!pass)
		return -ENOMEM;
	pass->cpus = work->cpus;
	for (i = 0; i < pass->cpus; i++) {
		pass->thread[i].work = work;
		pass->thread[i].run = memory_touch;
		pass->thread[i].dev = dev;
	}
	ret = bench_pass_run(pass);
	kfree(pass);
	return ret;
}

/* Sets @bytes to what the domains take, or returns an error */
static int memory_of_domains(const struct bench_work *work,
			     enum bench_side side, enum soft_iommu_mode mode,
			     struct memory *memory, long *bytes)
{
	long before = memory_free();
	unsigned int i, made;
	int ret = 0;

	for (made = 0; made < MEMORY_DOMAINS; made++) {
		memory->dev[made] = bench_device_mode(work, side, mode);
		if (IS_ERR(memory->dev[made])) {
			ret = PTR_ERR(memory->dev[made]);
			break;
		}
	}
	for (i = 0; work->items && mode != SOFT_IOMMU_IDENTITY && i < made &&
	     !ret; i++)
		ret = memory_use(work, memory->dev[i]);
	/* Lazy flushes are over after that. */
	msleep(100);
	*bytes = (before - memory_free()) * (long)PAGE_SIZE;
	for (i = 0; i < made; i++)
		soft_iommu_device_destroy(memory->dev[i]);
	return ret;
}

static int memory_turn(const struct bench_work *work, enum bench_side side,
		       void *data, struct bench_record *record)
{
	long bare, full;
	int ret;

	ret = memory_of_domains(work, side, SOFT_IOMMU_IDENTITY, data, &bare);
	if (ret)
		return ret;
	ret = memory_of_domains(work, side, SOFT_IOMMU_LAZY, data, &full);
	if (ret)
		return ret;
	record->value = max(full - bare, 0L) * 1000 / MEMORY_DOMAINS;
	record->ops = MEMORY_DOMAINS;
	return 0;
}

static int measure_memory(const struct bench_work *work)
{
	struct memory *memory;
	long bytes;
	int ret;

	memory = kvzalloc_obj(*memory);
	if (!memory)
		return -ENOMEM;
	/* Both ways once, for what the first of its kind leaves behind */
	ret = memory_of_domains(work, BENCH_STOCK, SOFT_IOMMU_LAZY, memory,
				&bytes);
	if (!ret)
		ret = memory_of_domains(work, BENCH_NEW, SOFT_IOMMU_LAZY,
					memory, &bytes);
	if (!ret)
		ret = bench_turns(work, bench_rounds(work), memory_turn,
				  memory);
	kvfree(memory);
	return ret;
}

const struct bench_work bench_spaces[] = {
	{ .name = "alloc-fragmented", .unit = "ns",
	  .measure = measure_fragmented, .cpus = 1, .divide = 2 },
	{ .name = "alloc-fragmented-first", .unit = "ns",
	  .measure = measure_first, .cpus = 1, .divide = 10 },
	{ .name = "alloc-full", .unit = "ns", .measure = measure_full,
	  .cpus = 1 },
	{ .name = "memory-idle", .unit = "bytes", .measure = measure_memory,
	  .cpus = 1, .divide = 10 },
	{ .name = "memory-used", .unit = "bytes", .measure = measure_memory,
	  .cpus = 2, .items = 1, .divide = 10 },
	{ .name = "aged", .unit = "ns", .measure = measure_aged, .cpus = 1,
	  .flush_ns = 1000, .divide = 15 },
	{}
};
