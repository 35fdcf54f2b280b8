// SPDX-License-Identifier: GPL-2.0-only
/* Flush epochs. */
#include "test.h"

static struct dma_flush flush;
static unsigned int begun, done, told;
static void (*in_flush)(void);

static void fake_flush(struct iommu_domain *domain)
{
	CHECK(!shim_nr_locks, "a flush under a spinlock");
	begun++;
	if (in_flush)
		in_flush();
	done++;
}

static const struct iommu_domain_ops fake_ops = {
	.flush_iotlb_all = fake_flush,
};

static struct iommu_domain domain = { .ops = &fake_ops };

static void fake_done(struct dma_flush *unused)
{
	told++;
}

/* A page of a page table, and how many flushes had begun when it was cut. */
struct table {
	struct list_head node;
	unsigned int begun;
};

static unsigned int nr_tables;

void iommu_put_pages_list(struct iommu_pages_list *list)
{
	struct table *table, *next;

	list_for_each_entry_safe(table, next, &list->pages, node) {
		CHECK(done > table->begun, "cut at flush %u, %u are done",
		      table->begun, done);
		free(table);
		nr_tables--;
	}
}

static void start(void)
{
	dma_flush_init(&flush, &domain, 10, fake_done);
}

static void on_time(void)
{
	unsigned int i;

	start();
	shim_advance(10);
	CHECK(!begun, "%u flushes for nothing", begun);
	for (i = 1; i < 10; i++) {
		s64 stamp = dma_flush_stamp(&flush);

		dma_flush_arm(&flush);
		dma_flush_arm(&flush);
		CHECK(!dma_flush_passed(&flush, stamp), "passed at once");
		/* 10 ms are a tick. */
		shim_advance(1);
		CHECK(dma_flush_passed(&flush, stamp), "not after 10 ms");
		shim_advance(10);
		CHECK(begun == i && told == i, "%u flushes, told of %u", begun,
		      told);
	}
	dma_flush_exit(&flush);
	dma_flush_arm(&flush);
	shim_advance(10);
	CHECK(told == i - 1, "a timer after the end");
}

static s64 stamp_in_flush, stamp_before;

static void take_stamp(void)
{
	stamp_in_flush = dma_flush_stamp(&flush);
	in_flush = NULL;
}

/* A flush that has begun already does not count. */
static void overlap(void)
{
	start();
	in_flush = take_stamp;
	dma_flush_now(&flush);
	CHECK(!dma_flush_passed(&flush, stamp_in_flush), "too early");
	dma_flush_now(&flush);
	CHECK(dma_flush_passed(&flush, stamp_in_flush), "not passed");
	CHECK(!told, "only the timer tells");
	dma_flush_exit(&flush);
}

static void nested(void)
{
	static unsigned int depth;

	if (!depth++) {
		stamp_before = dma_flush_stamp(&flush);
		/* One that begins now is over before the outer one. */
		dma_flush_now(&flush);
		CHECK(dma_flush_passed(&flush, stamp_before), "hidden");
		stamp_in_flush = dma_flush_stamp(&flush);
	}
	depth--;
}

static void two_at_once(void)
{
	start();
	in_flush = nested;
	dma_flush_now(&flush);
	in_flush = NULL;
	/* The older one, which ends last, changes nothing. */
	CHECK(dma_flush_passed(&flush, stamp_before), "forgotten");
	CHECK(!dma_flush_passed(&flush, stamp_in_flush), "too early");
	dma_flush_now(&flush);
	CHECK(dma_flush_passed(&flush, stamp_in_flush), "not passed");
	dma_flush_exit(&flush);
}

static void cut_table(void)
{
	struct iommu_pages_list list = IOMMU_PAGES_LIST_INIT(list);
	struct table *table = malloc(sizeof(*table));

	table->begun = begun;
	list_add(&table->node, &list.pages);
	nr_tables++;
	dma_flush_add_pages(&flush, &list);
	CHECK(list_empty(&list.pages), "the caller's list is not empty");
}

/* Page-table pages are freed after a flush that began when they were cut. */
static void tables(void)
{
	unsigned int i, most = 0;

	start();
	for (i = 0; i < 20000; i++) {
		cut_table();
		most = max(most, nr_tables);
		if (rnd_below(200) == 0) {
			in_flush = cut_table;
			dma_flush_now(&flush);
			in_flush = NULL;
			CHECK(nr_tables == 1, "%u are left", nr_tables);
		}
	}
	CHECK(most > 100 && most <= 257, "at most %u waited", most);
	/* At the end of the domain nothing walks them any more. */
	done += 2;
	dma_flush_exit(&flush);
	CHECK(!nr_tables, "%u are left", nr_tables);
}

const struct test flush_tests[] = {
	{ "flush: the timer", on_time },
	{ "flush: one that has begun already", overlap },
	{ "flush: two at once", two_at_once },
	{ "flush: pages of page tables", tables },
	{ }
};
