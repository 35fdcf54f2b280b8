// SPDX-License-Identifier: GPL-2.0-only
/* The tree of gaps against brute force. */
#include "test.h"

#define MAX_PAGES	4096

/* A space with a byte for each page. */
struct field {
	struct iova_tree tree;
	unsigned long lo;
	unsigned long pages;
	unsigned char taken[MAX_PAGES];
	struct iova_range *ranges[MAX_PAGES];
	unsigned int nr;
};

static void field_init(struct field *f, unsigned long lo, unsigned long pages)
{
	memset(f, 0, sizeof(*f));
	f->lo = lo;
	f->pages = pages;
	iova_tree_init(&f->tree, lo, lo + pages - 1);
}

static void field_take(struct field *f, unsigned long lo, unsigned long size)
{
	struct iova_range *range = malloc(sizeof(*range));

	memset(range, 0xff, sizeof(*range));
	iova_tree_insert(&f->tree, range, lo, lo + size - 1);
	memset(f->taken + (lo - f->lo), 1, size);
	f->ranges[f->nr++] = range;
}

static void field_give(struct field *f, unsigned int nr)
{
	struct iova_range *range = f->ranges[nr];

	iova_tree_erase(&f->tree, range);
	memset(f->taken + (range->lo - f->lo), 0, range->hi - range->lo + 1);
	f->ranges[nr] = f->ranges[--f->nr];
	free(range);
}

static void field_exit(struct field *f)
{
	while (f->nr)
		field_give(f, f->nr - 1);
	CHECK(!tree_check(&f->tree), "not empty");
}

static bool is_free(struct field *f, unsigned long pfn, unsigned long size)
{
	unsigned long i;

	for (i = 0; i < size; i++)
		if (f->taken[pfn - f->lo + i])
			return false;
	return true;
}

/* Each place that is aligned, from one side or the other. */
static bool slow_find(struct field *f, unsigned long size, unsigned int order,
		      unsigned long lo, unsigned long limit, bool last,
		      unsigned long *pfn)
{
	unsigned long n = f->pages, i, at;

	for (i = 0; i < n; i++) {
		at = f->lo + (last ? n - 1 - i : i);
		if (at < lo || (at & ((1UL << order) - 1)))
			continue;
		if (f->lo + n - at < size || limit - at + 1 < size ||
		    at > limit)
			continue;
		if (is_free(f, at, size)) {
			*pfn = at;
			return true;
		}
	}
	return false;
}

static void compare(struct field *f, unsigned long size, unsigned int order,
		    unsigned long where)
{
	unsigned long pfn, want;
	bool found, exists;

	found = iova_tree_find_last(&f->tree, size, order, where, &pfn);
	exists = slow_find(f, size, order, f->lo, where, true, &want);
	CHECK(found == exists, "last %lu order %u limit 0x%lx: %s", size,
	      order, where, found ? "not there" : "not found");
	CHECK(!found || pfn == want,
	      "last %lu order %u limit 0x%lx: 0x%lx, not 0x%lx", size, order,
	      where, pfn, want);

	found = iova_tree_find_first(&f->tree, size, order, where, &pfn);
	exists = slow_find(f, size, order, where, ULONG_MAX, false, &want);
	CHECK(found == exists, "first %lu order %u from 0x%lx: %s", size,
	      order, where, found ? "not there" : "not found");
	CHECK(!found || pfn == want,
	      "first %lu order %u from 0x%lx: 0x%lx, not 0x%lx", size, order,
	      where, pfn, want);
}

static void compare_from(struct field *f)
{
	unsigned long i = rnd_below(f->pages), at = f->lo + i;
	struct iova_range *range = iova_tree_from(&f->tree, at);

	while (i < f->pages && !f->taken[i])
		i++;
	if (i == f->pages)
		CHECK(range == &f->tree.top, "a range from 0x%lx on", at);
	else
		CHECK(range->lo <= f->lo + i && range->hi >= f->lo + i,
		      "from 0x%lx: 0x%lx-0x%lx", at, range->lo, range->hi);
}

static void step(struct field *f, unsigned int fill)
{
	unsigned long lo, size;

	if (f->nr && rnd_below(100) >= fill) {
		field_give(f, rnd_below(f->nr));
		return;
	}
	size = rnd_size(max(f->pages / 8, 1));
	lo = f->lo + rnd_below(f->pages - size + 1);
	if (is_free(f, lo, size))
		field_take(f, lo, size);
}

static void search(struct field *f, unsigned int max_order)
{
	/* Beside the space as well. */
	unsigned long where = f->lo + rnd_below(f->pages + 4) - 2;

	compare(f, rnd_size(f->pages), rnd_below(max_order + 1), where);
}

static void random_ops(void)
{
	static const unsigned long bases[] = {
		1, 3, 64, 0xfffff, 0x100000, 0xfffff000, ULONG_MAX - MAX_PAGES,
	};
	static struct field f;
	unsigned int i, round;

	for (round = 0; round < 300; round++) {
		unsigned long base = bases[rnd_below(ARRAY_SIZE(bases))];
		unsigned int fill = 30 + rnd_below(65);

		field_init(&f, base, 1 + rnd_size(MAX_PAGES - 1));
		for (i = 0; i < 200; i++) {
			step(&f, f.pages < 8 ? 100 : fill);
			tree_check(&f.tree);
			compare_from(&f);
			search(&f, 12);
			search(&f, 5);
		}
		field_exit(&f);
	}
}

/* Every size, alignment and limit, in small spaces. */
static void all_limits(void)
{
	unsigned long size, limit;
	static struct field f;
	unsigned int i, order, round;

	for (round = 0; round < 150; round++) {
		field_init(&f, 1 + rnd_below(70), 40);
		for (i = rnd_below(30); i; i--)
			step(&f, 90);
		for (size = 1; size <= f.pages + 1; size++)
			for (order = 0; order <= 6; order++)
				for (limit = 0; limit < f.lo + 44; limit++)
					compare(&f, size, order, limit);
		field_exit(&f);
	}
}

/* A hole that fits exactly, among many that are a page short or not aligned. */
static void exact_hole(void)
{
	unsigned int order, i, round;
	static struct field f;
	unsigned long pfn, at;

	for (round = 0; round < 400; round++) {
		unsigned long unit, hole;

		order = rnd_below(7);
		unit = 1UL << order;
		hole = rnd_below(MAX_PAGES / (4 * unit) - 1) + 1;
		field_init(&f, 4096, MAX_PAGES);
		/* In each piece one page is taken; in one it is the next. */
		for (i = 0; i < MAX_PAGES / (4 * unit); i++) {
			at = f.lo + i * 4 * unit;
			field_take(&f, at, unit);
			field_take(&f, at + 3 * unit - (i == hole ? 0 : 1),
				   unit + (i == hole ? 0 : 1));
		}
		tree_check(&f.tree);
		at = f.lo + hole * 4 * unit + unit;
		CHECK(iova_tree_find_last(&f.tree, 2 * unit, order,
					  ULONG_MAX, &pfn) && pfn == at,
		      "last %lu", 2 * unit);
		CHECK(iova_tree_find_first(&f.tree, 2 * unit, order, 0,
					   &pfn) && pfn == at,
		      "first %lu", 2 * unit);
		field_exit(&f);
	}
}

/* Gaps of more than 2^32 pages: sizes saturate. */
static void huge_gaps(void)
{
	static const unsigned long hi = 1UL << 52;
	struct iova_range range[64] = {};
	struct iova_tree tree;
	unsigned int n, order;
	unsigned long pfn;

	for (n = 0; n < 2000; n++) {
		unsigned long size = 1 + rnd_below(U32_MAX - 1);
		unsigned long at[2];
		unsigned int i;

		iova_tree_init(&tree, 1, hi);
		at[0] = 1 + rnd_below(1UL << rnd_below(52));
		at[1] = at[0] + 1 + rnd_below((1UL << 51));
		for (i = 0; i < 2; i++)
			iova_tree_insert(&tree, &range[i], at[i], at[i]);
		tree_check(&tree);
		order = rnd_below(IOVA_TREE_ORDERS);
		CHECK(iova_tree_find_last(&tree, size, order, hi, &pfn),
		      "no room for %lu at the top", size);
		CHECK(pfn == ALIGN_DOWN(hi + 1 - size, 1UL << order),
		      "0x%lx", pfn);
		if (at[1] - at[0] - 1 > size + (1UL << order)) {
			CHECK(iova_tree_find_last(&tree, size, order,
						  at[1] - 1, &pfn), "middle");
			CHECK(pfn == ALIGN_DOWN(at[1] - size, 1UL << order),
			      "0x%lx", pfn);
			CHECK(iova_tree_find_first(&tree, size, order, at[0],
						   &pfn), "middle, upwards");
			CHECK(pfn == ALIGN(at[0] + 1, 1UL << order), "0x%lx",
			      pfn);
		}
	}
}

/* Nanoseconds for a search that finds nothing, below different limits */
static double search_in_vain(struct iova_tree *tree, unsigned long end)
{
	struct timespec a, b;
	unsigned long pfn;
	unsigned int i;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);
	for (i = 0; i < 1000; i++)
		CHECK(!iova_tree_find_last(tree, 2, 0, rnd_below(end), &pfn),
		      "found");
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b);
	return ((b.tv_sec - a.tv_sec) * 1e9 + b.tv_nsec - a.tv_nsec) / 1000;
}

/* 131000 ranges with single holes: a search looks at few nodes. */
static void fragmented(void)
{
	unsigned int i, n = 131000, batch;
	struct iova_range *range = calloc(n, sizeof(*range));
	double ns = 1e18;
	struct iova_tree tree;

	iova_tree_init(&tree, 1, 2 * n);
	for (i = 0; i < n; i++)
		iova_tree_insert(&tree, &range[i], 2 * i + 2, 2 * i + 2);
	tree_check(&tree);
	/* The best counts: a busy machine may take any of them apart. */
	for (batch = 0; batch < 20; batch++) {
		double took = search_in_vain(&tree, 2 * n);

		if (took < ns)
			ns = took;
	}
	printf("# a failing search in 131000 ranges: %.0f ns\n", ns);
	/* Linear, it would be 100 times as long, without a sanitizer. */
	CHECK(ns < 20000, "%.0f ns for a search", ns);
	free(range);
}

const struct test tree_tests[] = {
	{ "tree: random ranges", random_ops },
	{ "tree: every size, alignment and limit", all_limits },
	{ "tree: the one hole that fits exactly", exact_hole },
	{ "tree: gaps of more than 2^32 pages", huge_gaps },
	{ "tree: 131000 single holes", fragmented },
	{ }
};
