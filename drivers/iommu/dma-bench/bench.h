/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Benchmark of DMA mappings: what its parts share.
 *
 * A *work* is one thing that is measured, a *side* is who does it: the stock
 * code or the new one. Rounds of both sides alternate, so that whatever
 * disturbs the machine disturbs both. A *step* is what a loop repeats.
 */
#ifndef __DMA_BENCH_H
#define __DMA_BENCH_H

#include <linux/completion.h>
#include <linux/dma-mapping.h>
#include <linux/prandom.h>
#include <linux/scatterlist.h>
#include <linux/types.h>

#include "../soft/soft-iommu.h"

#define BENCH_CPUS	2
#define BENCH_SLOTS	1024
/* Every mapping is of this block; no device ever touches it. */
#define BENCH_BUFFER	SZ_4M

enum bench_side {
	BENCH_STOCK,
	BENCH_NEW,
	BENCH_SIDES,
};

struct bench_work;

/* A mapping that a work keeps for a while: what a driver notes of one */
struct bench_slot {
	dma_addr_t addr;
	size_t size;
};

/* What one CPU does in a pass */
struct bench_thread {
	const struct bench_work *work;
	/* Both are the same unless the work is about mixed masks */
	struct device *dev, *dev2;
	int (*run)(struct bench_thread *t);
	/* For a @run that is not about steps */
	void *data;
	unsigned int index;
	unsigned long steps;
	/* Measure each step, for worst_ns */
	bool each;
	u64 worst_ns;
	u64 begin_ns, end_ns;
	int error;
	struct completion done;
	struct rnd_state rnd;
	struct sg_table sgt;
	struct bench_slot *slots;
	struct bench_pass *pass;
};

/* The CPUs that work at the same time */
struct bench_pass {
	atomic_t arrived;
	unsigned int cpus;
	/* Set by a thread that fails, so that no other waits for it */
	bool stop;
	/* Slots that thread 0 has filled, and thread 1 has emptied */
	unsigned long head ____cacheline_aligned_in_smp;
	unsigned long tail ____cacheline_aligned_in_smp;
	struct bench_thread thread[BENCH_CPUS];
};

/* What one round of one side measured */
struct bench_record {
	/* In thousandths of the work's unit */
	u64 value;
	u64 worst_ns;
	u64 ops;
	/* Unmaps that the counts are about */
	u64 unmaps;
	struct soft_iommu_counts counts;
	/* 1 to 10 in the work about ageing, else 0 */
	unsigned int tenth;
};

/**
 * struct bench_work - something to measure
 * @name: its name
 * @unit: what the value is
 * @run: what a thread does instead of repeating @step
 * @step: what a thread repeats
 * @measure: for works that are not loops; @run and @step are not used
 * @size: bytes of a mapping, or of an element
 * @items: mappings in a step, or elements of a list
 * @cpus: how many CPUs do it at once
 * @divide: run that many times less rounds than asked for
 * @flush_ns: what a flush costs
 * @iotlb_lg2: the IOTLB is modelled, with that many slots as a power of two
 * @strict: not lazy
 * @both_parallel: the software IOMMU of neither side holds a lock
 * @mixed: a second device with a 32-bit mask shares the domain
 * @windows: both sides are the new one, for a device with a 32-bit mask; the
 *	domain of BENCH_NEW has windows
 */
struct bench_work {
	const char *name;
	const char *unit;
	int (*run)(struct bench_thread *t);
	int (*step)(struct bench_thread *t);
	int (*measure)(const struct bench_work *work);
	size_t size;
	unsigned int items;
	unsigned int cpus;
	unsigned int divide;
	unsigned int flush_ns;
	unsigned int iotlb_lg2;
	bool strict;
	bool both_parallel;
	bool mixed;
	bool windows;
};

extern const struct bench_work bench_loops[];
extern const struct bench_work bench_spaces[];
extern const struct bench_work bench_iotlbs[];

/* One round of one side; @data is for the caller of bench_turns() */
typedef int (*bench_fn)(const struct bench_work *work, enum bench_side side,
			void *data, struct bench_record *record);

/* bench.c */
extern unsigned int bench_aged_ops, bench_aged_seconds;
unsigned int bench_rounds(const struct bench_work *work);
phys_addr_t bench_phys(void);
u64 bench_seed(void);
bool bench_has_side(enum bench_side side);
struct device *bench_device(const struct bench_work *work,
			    enum bench_side side, unsigned int dma_bits,
			    struct device *peer);
struct device *bench_device_mode(const struct bench_work *work,
				 enum bench_side side,
				 enum soft_iommu_mode mode);
int bench_pass_run(struct bench_pass *pass);
int bench_on_cpu(const struct bench_work *work,
		 int (*fn)(struct bench_thread *t), void *data);
void bench_count_since(struct device *dev,
		       const struct soft_iommu_counts *before,
		       struct bench_record *r);
int bench_turns(const struct bench_work *work, unsigned int rounds,
		bench_fn fn, void *data);
void bench_print(const struct bench_work *work, enum bench_side side,
		 unsigned int round, const struct bench_record *record);

/* bench-windows.c, with CONFIG_DMA_BENCH_WINDOWS */
int bench_attach_windows(struct iommu_domain *domain, struct device *dev);

/* bench-loops.c */
int bench_loop(const struct bench_work *work);

#endif /* __DMA_BENCH_H */
