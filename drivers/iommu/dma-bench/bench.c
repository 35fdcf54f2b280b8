// SPDX-License-Identifier: GPL-2.0-only
/*
 * Benchmark of DMA mappings: parameters, rounds, threads, output.
 *
 * One line for each round of each side, all of them key=value:
 *
 *	dma-bench: work=map-4k side=new round=3 unit=ns value=123.456
 *		worst_ns=789 ops=20000 unmaps=20000 all=16 ranged=0 pages=0
 *
 * (in one line). "all", "ranged" and "pages" are flushes of the whole domain,
 * flushes of a range, and the pages in those ranges.
 */

#define pr_fmt(fmt) "dma-bench: " fmt

#include <linux/completion.h>
#include <linux/gfp.h>
#include <linux/glob.h>
#include <linux/init.h>
#include <linux/kthread.h>
#include <linux/ktime.h>
#include <linux/math64.h>
#include <linux/moduleparam.h>
#include <linux/reboot.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "bench.h"

static char *run;
module_param(run, charp, 0444);
MODULE_PARM_DESC(run, "works, with wildcards and separated by commas, \"all\" or \"list\"");

static unsigned int rounds = 50;
module_param(rounds, uint, 0444);
MODULE_PARM_DESC(rounds, "rounds of each work");

static char *sides = "stock,new";
module_param(sides, charp, 0444);
MODULE_PARM_DESC(sides, "the sides to measure: stock, new");

/* As VT-d and AMD-Vi of the kernel that each side stands for */
static char *serial = IS_ENABLED(CONFIG_IOMMU_IOVA_ARENA) ? "stock"
							  : "stock,new";
module_param(serial, charp, 0444);
MODULE_PARM_DESC(serial, "the sides whose IOMMU driver holds a lock over a flush");

static unsigned long seed = 1;
module_param(seed, ulong, 0444);
MODULE_PARM_DESC(seed, "of all generated traces");

unsigned int bench_aged_ops = 1000000;
module_param_named(aged_ops, bench_aged_ops, uint, 0444);
MODULE_PARM_DESC(aged_ops, "operations in the life of an aged space");

unsigned int bench_aged_seconds;
module_param_named(aged_seconds, bench_aged_seconds, uint, 0444);
MODULE_PARM_DESC(aged_seconds, "how long both sides age together, instead of aged_ops, once");

static bool poweroff;
module_param(poweroff, bool, 0444);
MODULE_PARM_DESC(poweroff, "power the machine off afterwards");

static const char * const side_names[BENCH_SIDES] = {
	[BENCH_STOCK] = "stock",
	[BENCH_NEW] = "new",
};

static struct page *bench_pages;

phys_addr_t bench_phys(void)
{
	return page_to_phys(bench_pages);
}

u64 bench_seed(void)
{
	return seed;
}

/* Long works divide the number of rounds */
unsigned int bench_rounds(const struct bench_work *work)
{
	return max(rounds / max(work->divide, 1U), 1U);
}

/* Whether @name is one of the words in @list */
static bool listed(const char *list, const char *name)
{
	char word[64];
	size_t len;

	for (; *list; list += len + (list[len] == ',')) {
		len = strcspn(list, ",");
		if (len >= sizeof(word))
			continue;
		strscpy(word, list, len + 1);
		if (glob_match(word, name))
			return true;
	}
	return false;
}

bool bench_has_side(enum bench_side side)
{
	return listed(sides, side_names[side]);
}

static struct soft_iommu_config bench_config(const struct bench_work *work,
					     enum bench_side side)
{
	struct soft_iommu_config config = {
		.mode = work->strict ? SOFT_IOMMU_STRICT : SOFT_IOMMU_LAZY,
		.flush_ns = work->flush_ns,
		.iotlb_lg2 = work->iotlb_lg2,
		.serial = !work->both_parallel &&
			  listed(serial, side_names[side]),
		.stock = side == BENCH_STOCK && !work->windows,
	};

	if (IS_ENABLED(CONFIG_DMA_BENCH_WINDOWS) && work->windows &&
	    side == BENCH_NEW)
		config.attach = bench_attach_windows;
	return config;
}

/**
 * bench_device - make the device that a work needs
 * @work: the work
 * @side: whose code serves the device
 * @dma_bits: its mask; a 64-bit device tries low addresses first, as PCI does
 * @peer: a device whose domain it shares, or NULL
 *
 * Return: the device or an error pointer
 */
struct device *bench_device(const struct bench_work *work,
			    enum bench_side side, unsigned int dma_bits,
			    struct device *peer)
{
	struct soft_iommu_config config = bench_config(work, side);

	config.dma_bits = dma_bits;
	config.low_first = dma_bits > 32 && !work->mixed;
	return soft_iommu_device_create(&config, peer);
}

/**
 * bench_device_mode - make a device with a given type of domain
 * @work: the work
 * @side: whose code serves the device
 * @mode: the type
 *
 * Return: the device or an error pointer
 */
struct device *bench_device_mode(const struct bench_work *work,
				 enum bench_side side,
				 enum soft_iommu_mode mode)
{
	struct soft_iommu_config config = bench_config(work, side);

	config.mode = mode;
	return soft_iommu_device_create(&config, NULL);
}

static int bench_thread(void *data)
{
	struct bench_thread *t = data;
	struct bench_pass *pass = t->pass;

	atomic_inc(&pass->arrived);
	while (atomic_read(&pass->arrived) < pass->cpus)
		cpu_relax();
	t->begin_ns = ktime_get_ns();
	t->error = t->run(t);
	t->end_ns = ktime_get_ns();
	if (t->error)
		WRITE_ONCE(pass->stop, true);
	kthread_complete_and_exit(&t->done, 0);
}

/**
 * bench_pass_run - let all threads of a pass run, each on its own CPU
 * @pass: work, devices and number of steps of each thread are filled in
 *
 * Return: 0, or the first error of a thread
 */
int bench_pass_run(struct bench_pass *pass)
{
	struct task_struct *task[BENCH_CPUS];
	unsigned int i, cpu = cpumask_first(cpu_online_mask);
	int ret = 0;

	atomic_set(&pass->arrived, 0);
	pass->stop = false;
	pass->head = 0;
	pass->tail = 0;
	for (i = 0; i < pass->cpus; i++) {
		struct bench_thread *t = &pass->thread[i];

		t->pass = pass;
		init_completion(&t->done);
		task[i] = kthread_create(bench_thread, t, "dma-bench/%u", i);
		if (IS_ERR(task[i])) {
			while (i--)
				kthread_stop(task[i]);
			return -ENOMEM;
		}
		kthread_bind(task[i], cpu);
		cpu = cpumask_next(cpu, cpu_online_mask);
	}
	for (i = 0; i < pass->cpus; i++)
		wake_up_process(task[i]);
	for (i = 0; i < pass->cpus; i++) {
		wait_for_completion(&pass->thread[i].done);
		ret = ret ?: pass->thread[i].error;
	}
	return ret;
}

/**
 * bench_on_cpu - run a function on a CPU of its own, as the steps of loops are
 * @work: the work
 * @fn: the function
 * @data: what it finds in &bench_thread.data
 *
 * Return: 0 or the error of @fn
 */
int bench_on_cpu(const struct bench_work *work,
		 int (*fn)(struct bench_thread *t), void *data)
{
	struct bench_pass *pass;
	int ret;

	pass = kzalloc_obj(*pass);
	if (!pass)
		return -ENOMEM;
	pass->cpus = 1;
	pass->thread[0].work = work;
	pass->thread[0].run = fn;
	pass->thread[0].data = data;
	ret = bench_pass_run(pass);
	kfree(pass);
	return ret;
}

/**
 * bench_count_since - note what was flushed in a round
 * @dev: the device
 * @before: what soft_iommu_read_counts() said when it began
 * @r: where to note it
 */
void bench_count_since(struct device *dev,
		       const struct soft_iommu_counts *before,
		       struct bench_record *r)
{
	soft_iommu_read_counts(dev, &r->counts);
	r->counts.all -= before->all;
	r->counts.ranged -= before->ranged;
	r->counts.pages -= before->pages;
}

void bench_print(const struct bench_work *work, enum bench_side side,
		 unsigned int round, const struct bench_record *r)
{
	u32 rest;
	u64 whole = div_u64_rem(r->value, 1000, &rest);
	char tenth[24] = "";

	if (r->tenth)
		snprintf(tenth, sizeof(tenth), " tenth=%u", r->tenth);
	pr_info("work=%s side=%s round=%u%s unit=%s value=%llu.%03u worst_ns=%llu ops=%llu unmaps=%llu all=%llu ranged=%llu pages=%llu\n",
		work->name, side_names[side], round, tenth, work->unit, whole,
		rest, r->worst_ns, r->ops, r->unmaps, r->counts.all,
		r->counts.ranged, r->counts.pages);
}

/**
 * bench_turns - run rounds of both sides, which take turns in being first
 * @work: the work
 * @rounds: how many
 * @fn: one round of one side; it may print records itself and return 1
 * @data: passed to @fn
 *
 * Return: 0, or the error of @fn that ended it
 */
int bench_turns(const struct bench_work *work, unsigned int rounds,
		bench_fn fn, void *data)
{
	unsigned int round, i;

	for (round = 1; round <= rounds; round++) {
		for (i = 0; i < BENCH_SIDES; i++) {
			enum bench_side side = (i ^ round) & 1 ? BENCH_STOCK
							       : BENCH_NEW;
			struct bench_record record = {};
			int ret;

			if (!bench_has_side(side))
				continue;
			ret = fn(work, side, data, &record);
			if (ret < 0)
				return ret;
			if (!ret)
				bench_print(work, side, round, &record);
			cond_resched();
		}
	}
	return 0;
}

static int bench_work(const struct bench_work *work)
{
	int ret;

	if (!listed(run, work->name) && strcmp(run, "all"))
		return 0;
	if (work->cpus > num_online_cpus()) {
		pr_info("work=%s skip=needs %u CPUs\n", work->name, work->cpus);
		return 0;
	}
	if (work->windows && !IS_ENABLED(CONFIG_DMA_BENCH_WINDOWS)) {
		pr_info("work=%s skip=needs DMA windows\n", work->name);
		return 0;
	}
	ret = work->measure ? work->measure(work) : bench_loop(work);
	if (ret)
		pr_err("work=%s error=%pe\n", work->name, ERR_PTR(ret));
	return ret;
}

/* Returns the last error; one work that fails does not end the others */
static int bench_works(const struct bench_work *work)
{
	int ret = 0;

	for (; work->name; work++) {
		if (!strcmp(run, "list"))
			pr_info("work=%s unit=%s cpus=%u\n", work->name,
				work->unit, work->cpus);
		else
			ret = bench_work(work) ?: ret;
	}
	return ret;
}

static int __init bench_init(void)
{
	int ret;

	if (!run)
		return 0;
	bench_pages = alloc_pages(GFP_KERNEL, get_order(BENCH_BUFFER));
	if (!bench_pages)
		return -ENOMEM;
	pr_info("begin arena=%d cpus=%u rounds=%u seed=%lu serial=%s\n",
		IS_ENABLED(CONFIG_IOMMU_IOVA_ARENA), num_online_cpus(), rounds,
		seed, serial);
	ret = bench_works(bench_loops);
	ret = bench_works(bench_spaces) ?: ret;
	ret = bench_works(bench_iotlbs) ?: ret;
	pr_info("end error=%d\n", ret);
	__free_pages(bench_pages, get_order(BENCH_BUFFER));
	if (poweroff)
		kernel_power_off();
	return ret;
}
late_initcall(bench_init);
