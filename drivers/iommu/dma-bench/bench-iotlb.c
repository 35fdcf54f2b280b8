// SPDX-License-Identifier: GPL-2.0-only
/*
 * Benchmark of DMA mappings: what flushes cost the device afterwards.
 *
 * A device has a standing set of pages, as rings of descriptors are, which it
 * uses all the time, beside mappings that come and go, whose pages it uses
 * once. The figure is how often the IOTLB misses in the standing set: because
 * of a flush, or because another page had to have the slot. Strict mode only
 * flushes what was unmapped, so it shows how often the latter is.
 */

#include <linux/kernel.h>
#include <linux/math64.h>
#include <linux/slab.h>

#include "bench.h"

#define IOTLB_STANDING	64
#define IOTLB_MAPPINGS	256
/* What the device uses of the standing set for each page of a mapping */
#define IOTLB_ACCESSES	8
/* Pages that the device goes through in a round */
#define IOTLB_PAGES	200000

struct iotlb_side {
	struct device *dev;
	struct rnd_state rnd;
	unsigned int next;
	u64 misses;
	dma_addr_t standing[IOTLB_STANDING];
	struct bench_slot mappings[IOTLB_MAPPINGS];
};

static phys_addr_t iotlb_phys(unsigned int i)
{
	return bench_phys() + i * SZ_4K;
}

/* Returns whether it missed, or an error: what is mapped has to be reached */
static int iotlb_access(struct iotlb_side *side, dma_addr_t addr,
			phys_addr_t right)
{
	phys_addr_t phys = 0;
	int ret = soft_iommu_access(side->dev, addr, &phys);

	if (ret >= 0 && phys != right)
		ret = -EIO;
	return ret < 0 ? ret : !ret;
}

/* The device reads a page, for which it needs the standing set */
static int iotlb_use(struct iotlb_side *side, dma_addr_t addr,
		     phys_addr_t phys)
{
	int ret = iotlb_access(side, addr, phys);
	unsigned int i;

	for (i = 0; i < IOTLB_ACCESSES && ret >= 0; i++) {
		unsigned int n = side->next++ % IOTLB_STANDING;

		ret = iotlb_access(side, side->standing[n], iotlb_phys(n));
		side->misses += ret == 1;
	}
	return min(ret, 0);
}

static void iotlb_unmap(struct iotlb_side *side, struct bench_slot *slot)
{
	if (slot->size)
		dma_unmap_phys(side->dev, slot->addr, slot->size,
			       DMA_TO_DEVICE, 0);
	slot->size = 0;
}

static int iotlb_map(struct iotlb_side *side, struct bench_slot *slot,
		     size_t size)
{
	slot->addr = dma_map_phys(side->dev, bench_phys(), size,
				  DMA_TO_DEVICE, 0);
	if (dma_mapping_error(side->dev, slot->addr))
		return -ENOSPC;
	slot->size = size;
	return 0;
}

static u64 iotlb_unmaps(const struct bench_work *work)
{
	return IOTLB_PAGES / (work->size / SZ_4K);
}

static int iotlb_run(struct bench_thread *t)
{
	size_t size = t->work->size, at;
	struct iotlb_side *side = t->data;
	u64 n;
	int ret;

	for (n = 0; n < iotlb_unmaps(t->work); n++) {
		u32 r = prandom_u32_state(&side->rnd);
		struct bench_slot *slot = &side->mappings[r % IOTLB_MAPPINGS];

		iotlb_unmap(side, slot);
		ret = iotlb_map(side, slot, size);
		for (at = 0; at < size && !ret; at += SZ_4K)
			ret = iotlb_use(side, slot->addr + at,
					bench_phys() + at);
		if (ret)
			return ret;
	}
	return 0;
}

/* Standing pages come first, as when a driver probes: one beside the other */
static int iotlb_start(struct bench_thread *t)
{
	struct iotlb_side *side = t->data;
	unsigned int i;
	int ret;

	for (i = 0; i < IOTLB_STANDING; i++) {
		dma_addr_t *addr = &side->standing[i];

		*addr = dma_map_phys(side->dev, iotlb_phys(i), SZ_4K,
				     DMA_BIDIRECTIONAL, 0);
		if (dma_mapping_error(side->dev, *addr))
			return -ENOSPC;
	}
	for (i = 0; i < IOTLB_MAPPINGS; i++) {
		ret = iotlb_map(side, &side->mappings[i], t->work->size);
		if (ret)
			return ret;
	}
	/* A round that does not count, until caches of addresses are full */
	return iotlb_run(t);
}

static int iotlb_turn(const struct bench_work *work, enum bench_side which,
		      void *data, struct bench_record *r)
{
	struct iotlb_side *side = (struct iotlb_side *)data + which;
	struct soft_iommu_counts before;
	int ret;

	side->misses = 0;
	soft_iommu_read_counts(side->dev, &before);
	ret = bench_on_cpu(work, iotlb_run, side);
	bench_count_since(side->dev, &before, r);
	r->unmaps = iotlb_unmaps(work);
	r->ops = r->unmaps;
	r->value = div64_u64(side->misses * 1000000000ULL, r->unmaps);
	return ret;
}

static int iotlb_init_side(const struct bench_work *work,
			   enum bench_side which, struct iotlb_side *side)
{
	unsigned int i;

	for (i = 0; i < IOTLB_STANDING; i++)
		side->standing[i] = DMA_MAPPING_ERROR;
	prandom_seed_state(&side->rnd, bench_seed());
	side->dev = bench_device(work, which, 64, NULL);
	if (IS_ERR(side->dev))
		return PTR_ERR(side->dev);
	return bench_on_cpu(work, iotlb_start, side);
}

static void iotlb_exit_side(struct iotlb_side *side)
{
	unsigned int i;

	if (IS_ERR_OR_NULL(side->dev))
		return;
	for (i = 0; i < IOTLB_MAPPINGS; i++)
		iotlb_unmap(side, &side->mappings[i]);
	for (i = 0; i < IOTLB_STANDING; i++)
		if (side->standing[i] != DMA_MAPPING_ERROR)
			dma_unmap_phys(side->dev, side->standing[i], SZ_4K,
				       DMA_BIDIRECTIONAL, 0);
	soft_iommu_device_destroy(side->dev);
}

static int measure_iotlb(const struct bench_work *work)
{
	struct iotlb_side *sides;
	int i, ret = 0;

	sides = kvcalloc(BENCH_SIDES, sizeof(*sides), GFP_KERNEL);
	if (!sides)
		return -ENOMEM;
	for (i = 0; i < BENCH_SIDES && !ret; i++)
		if (bench_has_side(i))
			ret = iotlb_init_side(work, i, &sides[i]);
	if (!ret)
		ret = bench_turns(work, bench_rounds(work), iotlb_turn, sides);
	for (i = 0; i < BENCH_SIDES; i++)
		iotlb_exit_side(&sides[i]);
	kvfree(sides);
	return ret;
}

/* 512 pages are in the IOTLB at most */
#define IOTLB(_name, _size, _strict)					\
	{								\
		.name = _name, .unit = "misses",			\
		.measure = measure_iotlb, .size = _size, .cpus = 1,	\
		.divide = 10, .flush_ns = 1000, .strict = _strict,	\
		.iotlb_lg2 = 9,						\
	}

const struct bench_work bench_iotlbs[] = {
	IOTLB("iotlb-4k", SZ_4K, false),
	IOTLB("iotlb-256k", SZ_256K, false),
	IOTLB("iotlb-strict-4k", SZ_4K, true),
	{}
};
