/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tests of pt_iommu_ops->map_sg(): whatever way a list is cut into elements,
 * the table must be the one that map_range() makes of its physical ranges.
 * Included by kunit_iommu_pt.h.
 */
#ifndef __GENERIC_PT_KUNIT_IOMMU_SG_H
#define __GENERIC_PT_KUNIT_IOMMU_SG_H

#include <kunit/static_stub.h>
#include <linux/random.h>
#include <linux/scatterlist.h>

#define SG_TEST_RANGES 48
#define SG_TEST_NENTS (SG_TEST_RANGES * 4)
#define SG_TEST_PROT (IOMMU_READ | IOMMU_WRITE)
/* Large pages up to this size are worth the time that the checks take */
#define SG_TEST_LARGE_LG2 22

struct sg_test_range {
	phys_addr_t paddr;
	size_t len;
};

struct sg_test {
	struct sg_test_range ranges[SG_TEST_RANGES];
	unsigned int num_ranges;
	struct sg_table sgt;
	unsigned int nents;
	size_t len;
	/* Allocations of tables until one fails, 0 for never */
	unsigned int fail_nth;
	unsigned int num_allocs;
};

/*
 * The lists are of memory that does not exist. A page of it is no more than a
 * pointer, if the memory model calculates it.
 */
static struct sg_test *sg_test_alloc(struct kunit *test)
{
	struct sg_test *sgt;

	if (IS_32BIT || (IS_ENABLED(CONFIG_SPARSEMEM) &&
			 !IS_ENABLED(CONFIG_SPARSEMEM_VMEMMAP)))
		kunit_skip(test, "No pages without memory");

	sgt = kunit_kzalloc(test, sizeof(*sgt), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, sgt);
	/* Longer than a page, so it is chained where the platform can. */
	KUNIT_ASSERT_NO_ERRNO(test, sg_alloc_table(&sgt->sgt, SG_TEST_NENTS,
						   GFP_KERNEL));
	return sgt;
}

static void sg_test_free(struct kunit *test, struct sg_test *sgt)
{
	sg_free_table(&sgt->sgt);
	kunit_kfree(test, sgt);
}

/* A length that suits one of the page sizes, up to a limit */
static size_t sg_random_len(struct kunit_iommu_priv *priv)
{
	unsigned int lg2;

	switch (get_random_u32_below(4)) {
	case 0:
	case 1:
		return priv->smallest_pgsz;
	case 2:
		return priv->smallest_pgsz * get_random_u32_inclusive(1, 40);
	}

	do {
		lg2 = get_random_u32_inclusive(priv->smallest_pgsz_lg2,
					       SG_TEST_LARGE_LG2);
	} while (!(priv->safe_pgsize_bitmap & log2_to_int(lg2)));
	return log2_to_int(lg2) +
	       priv->smallest_pgsz * get_random_u32_below(3);
}

static phys_addr_t sg_random_paddr(struct kunit_iommu_priv *priv, pt_vaddr_t va)
{
	unsigned int oasz_lg2 =
		min_t(unsigned int, priv->common->max_oasz_lg2, 40);
	phys_addr_t paddr = get_random_u64() & (BIT_ULL(oasz_lg2 - 1) - 1);

	/* Random addresses are hardly ever aligned to a large page */
	if (get_random_u32_below(2))
		paddr = log2_set_mod(paddr, va, SG_TEST_LARGE_LG2);
	return ALIGN_DOWN(paddr, priv->smallest_pgsz);
}

static void sg_random_ranges(struct kunit *test, struct sg_test *sgt,
			     pt_vaddr_t va)
{
	struct kunit_iommu_priv *priv = test->priv;
	struct sg_test_range *range, *prev = NULL;
	unsigned int i;

	sgt->len = 0;
	sgt->num_ranges = get_random_u32_inclusive(1, SG_TEST_RANGES);
	for (i = 0; i != sgt->num_ranges; i++) {
		range = &sgt->ranges[i];
		range->len = sg_random_len(priv);
		do {
			range->paddr = sg_random_paddr(priv, va + sgt->len);
		} while (prev && range->paddr == prev->paddr + prev->len);
		sgt->len += range->len;
		prev = range;
	}
}

static struct scatterlist *sg_add(struct sg_test *sgt, struct scatterlist *sg,
				  phys_addr_t paddr, size_t len)
{
	sg_dma_unmark_bus_address(sg);
	sg_set_page(sg, pfn_to_page(PHYS_PFN(paddr)), len,
		    offset_in_page(paddr));
	sgt->nents++;
	return sg_next(sg);
}

/* Elements that have nothing to map, a bus address or no length */
static struct scatterlist *sg_add_nothing(struct sg_test *sgt,
					  struct scatterlist *sg,
					  phys_addr_t paddr)
{
	struct scatterlist *next;

	if (!IS_ENABLED(CONFIG_NEED_SG_DMA_FLAGS) || get_random_u32_below(2))
		return sg_add(sgt, sg, paddr, 0);

	next = sg_add(sgt, sg, paddr, PAGE_SIZE);
	sg_dma_mark_bus_address(sg);
	return next;
}

/* Cut the ranges into elements */
static void sg_random_list(struct kunit *test, struct sg_test *sgt)
{
	struct kunit_iommu_priv *priv = test->priv;
	struct scatterlist *sg = sgt->sgt.sgl;
	unsigned int i;

	sgt->nents = 0;
	for (i = 0; i != sgt->num_ranges; i++) {
		phys_addr_t paddr = sgt->ranges[i].paddr;
		size_t len = sgt->ranges[i].len;
		size_t cut;

		if (!get_random_u32_below(8))
			sg = sg_add_nothing(sgt, sg, paddr);
		if (get_random_u32_below(2)) {
			cut = ALIGN(get_random_u32_below(len),
				    priv->smallest_pgsz);
			sg = sg_add(sgt, sg, paddr, cut);
			paddr += cut;
			len -= cut;
		}
		if (len)
			sg = sg_add(sgt, sg, paddr, len);
	}
}

static void sg_check_iova(struct kunit *test, struct sg_test *sgt,
			  pt_vaddr_t va)
{
	unsigned int i;

	for (i = 0; i != sgt->num_ranges; i++) {
		check_iova(test, va, sgt->ranges[i].paddr, sgt->ranges[i].len);
		va += sgt->ranges[i].len;
	}
}

static void sg_count_valids(struct kunit *test, struct count_valids *valids)
{
	struct kunit_iommu_priv *priv = test->priv;
	struct pt_range range = pt_top_range(priv->common);

	memset(valids, 0, sizeof(*valids));
	KUNIT_ASSERT_NO_ERRNO(test,
			      pt_walk_range(&range, __count_valids, valids));
}

/* The way that the core has mapped a list before there was map_sg() */
static void sg_map_ranges(struct kunit *test, struct sg_test *sgt,
			  pt_vaddr_t va)
{
	struct kunit_iommu_priv *priv = test->priv;
	unsigned int i;

	for (i = 0; i != sgt->num_ranges; i++) {
		size_t mapped = 0;
		int ret;

		ret = priv->iommu->ops->map_range(priv->iommu, va,
						  sgt->ranges[i].paddr,
						  sgt->ranges[i].len,
						  SG_TEST_PROT, GFP_KERNEL,
						  &mapped);
		KUNIT_ASSERT_NO_ERRNO_FN(test, "map_range", ret);
		KUNIT_ASSERT_EQ(test, mapped, sgt->ranges[i].len);
		va += mapped;
	}
}

static pt_vaddr_t sg_random_va(struct kunit *test)
{
	struct kunit_iommu_priv *priv = test->priv;
	struct pt_range range = pt_top_range(priv->common);

	clamp_range(test, &range);
	/* The longest list has to fit behind it */
	return range.va + ALIGN_DOWN(get_random_u32_below(SZ_32M),
				     priv->smallest_pgsz);
}

static void test_sg_random(struct kunit *test)
{
	struct sg_test *sgt = sg_test_alloc(test);
	struct kunit_iommu_priv *priv = test->priv;
	struct count_valids one_walk, by_range;
	unsigned int iter;

	for (iter = 0; iter != 100; iter++) {
		pt_vaddr_t va = sg_random_va(test);
		size_t mapped = 0;
		int ret;

		sg_random_ranges(test, sgt, va);
		sg_random_list(test, sgt);

		ret = priv->iommu->ops->map_sg(priv->iommu, va, sgt->sgt.sgl,
					       sgt->nents, SG_TEST_PROT,
					       GFP_KERNEL, &mapped);
		KUNIT_ASSERT_NO_ERRNO_FN(test, "map_sg", ret);
		KUNIT_ASSERT_EQ(test, mapped, sgt->len);
		sg_check_iova(test, sgt, va);
		sg_count_valids(test, &one_walk);
		do_unmap(test, va, sgt->len);
		KUNIT_ASSERT_EQ(test, count_valids(test), 0);

		sg_map_ranges(test, sgt, va);
		sg_count_valids(test, &by_range);
		KUNIT_ASSERT_MEMEQ(test, &one_walk, &by_range,
				   sizeof(one_walk));
		do_unmap(test, va, sgt->len);
		cond_resched();
	}
	sg_test_free(test, sgt);
}

/* Check what a map that failed has left behind, and remove it */
static void sg_check_partial(struct kunit *test, struct sg_test *sgt,
			     pt_vaddr_t va, size_t mapped)
{
	pt_vaddr_t cur = va;
	size_t left = mapped;
	unsigned int i;

	KUNIT_ASSERT_LT(test, mapped, sgt->len);
	for (i = 0; left; i++) {
		size_t len = min(left, sgt->ranges[i].len);

		check_iova(test, cur, sgt->ranges[i].paddr, len);
		cur += len;
		left -= len;
	}
	if (mapped)
		do_unmap(test, va, mapped);
}

/* Something in the way at a random place of the list */
static void test_sg_in_use(struct kunit *test)
{
	struct sg_test *sgt = sg_test_alloc(test);
	struct kunit_iommu_priv *priv = test->priv;
	unsigned int iter;

	for (iter = 0; iter != 100; iter++) {
		pt_vaddr_t va = sg_random_va(test);
		pt_vaddr_t used_va;
		size_t mapped = 0;
		int ret;

		sg_random_ranges(test, sgt, va);
		sg_random_list(test, sgt);
		used_va = va + ALIGN_DOWN(get_random_u32_below(sgt->len),
					  priv->smallest_pgsz);
		do_map(test, used_va, priv->smallest_pgsz, priv->smallest_pgsz);

		ret = priv->iommu->ops->map_sg(priv->iommu, va, sgt->sgt.sgl,
					       sgt->nents, SG_TEST_PROT,
					       GFP_KERNEL, &mapped);
		KUNIT_ASSERT_EQ(test, ret, -EADDRINUSE);
		KUNIT_ASSERT_LE(test, va + mapped, used_va);
		sg_check_partial(test, sgt, va, mapped);
		check_iova(test, used_va, priv->smallest_pgsz,
			   priv->smallest_pgsz);
		do_unmap(test, used_va, priv->smallest_pgsz);
		KUNIT_ASSERT_EQ(test, count_valids(test), 0);
	}
	sg_test_free(test, sgt);
}

/* The table's format cannot map an element in the middle of the list */
static void test_sg_bad_element(struct kunit *test)
{
	struct sg_test *sgt = sg_test_alloc(test);
	struct kunit_iommu_priv *priv = test->priv;
	pt_vaddr_t va = sg_random_va(test);
	struct scatterlist *sg;
	size_t mapped = 0;
	int ret;

	sgt->num_ranges = 1;
	sgt->ranges[0].paddr = priv->smallest_pgsz;
	sgt->ranges[0].len = priv->smallest_pgsz;
	sgt->len = priv->smallest_pgsz * 2;
	sg = sg_add(sgt, sgt->sgt.sgl, priv->smallest_pgsz,
		    priv->smallest_pgsz);

	/* Not aligned */
	sg_add(sgt, sg, priv->smallest_pgsz * 5 + 512, priv->smallest_pgsz);
	ret = priv->iommu->ops->map_sg(priv->iommu, va, sgt->sgt.sgl, 2,
				       SG_TEST_PROT, GFP_KERNEL, &mapped);
	KUNIT_ASSERT_EQ(test, ret, -ENXIO);
	KUNIT_ASSERT_EQ(test, mapped, priv->smallest_pgsz);
	sg_check_partial(test, sgt, va, mapped);

	/* Shorter than a page */
	mapped = 0;
	sg_add(sgt, sg, priv->smallest_pgsz * 5, priv->smallest_pgsz / 2);
	ret = priv->iommu->ops->map_sg(priv->iommu, va, sgt->sgt.sgl, 2,
				       SG_TEST_PROT, GFP_KERNEL, &mapped);
	KUNIT_ASSERT_EQ(test, ret, -ENXIO);
	KUNIT_ASSERT_EQ(test, mapped, priv->smallest_pgsz);
	sg_check_partial(test, sgt, va, mapped);

	/* Beyond what the table can store */
	if (priv->common->max_oasz_lg2 < 60) {
		mapped = 0;
		sg_add(sgt, sg, BIT_ULL(priv->common->max_oasz_lg2),
		       priv->smallest_pgsz);
		ret = priv->iommu->ops->map_sg(priv->iommu, va, sgt->sgt.sgl,
					       2, SG_TEST_PROT, GFP_KERNEL,
					       &mapped);
		KUNIT_ASSERT_EQ(test, ret, -ERANGE);
		KUNIT_ASSERT_EQ(test, mapped, priv->smallest_pgsz);
		sg_check_partial(test, sgt, va, mapped);
	}
	KUNIT_ASSERT_EQ(test, count_valids(test), 0);
	sg_test_free(test, sgt);
}

static struct sg_test *sg_failing;

static void *sg_alloc_failing(int nid, gfp_t gfp, size_t size)
{
	struct kunit *test = kunit_get_current_test();
	void *mem;

	sg_failing->num_allocs++;
	if (sg_failing->fail_nth == sg_failing->num_allocs)
		return NULL;

	/* The real function looks for the stub too */
	kunit_deactivate_static_stub(test, iommu_alloc_pages_node_sz);
	mem = iommu_alloc_pages_node_sz(nid, gfp, size);
	kunit_activate_static_stub(test, iommu_alloc_pages_node_sz,
				   sg_alloc_failing);
	return mem;
}

/* Fail each allocation in turn, until there are fewer than that. */
static void test_sg_no_memory(struct kunit *test)
{
	struct sg_test *sgt = sg_test_alloc(test);
	struct kunit_iommu_priv *priv = test->priv;
	pt_vaddr_t va = sg_random_va(test);
	unsigned int fail_nth = 0;
	int ret;

	sg_failing = sgt;
	sg_random_ranges(test, sgt, va);
	do {
		size_t mapped = 0;

		sg_random_list(test, sgt);
		sgt->fail_nth = ++fail_nth;
		sgt->num_allocs = 0;
		kunit_activate_static_stub(test, iommu_alloc_pages_node_sz,
					   sg_alloc_failing);
		ret = priv->iommu->ops->map_sg(priv->iommu, va, sgt->sgt.sgl,
					       sgt->nents, SG_TEST_PROT,
					       GFP_KERNEL, &mapped);
		kunit_deactivate_static_stub(test, iommu_alloc_pages_node_sz);

		if (ret) {
			KUNIT_ASSERT_EQ(test, ret, -ENOMEM);
			KUNIT_ASSERT_EQ(test, sgt->num_allocs, fail_nth);
			sg_check_partial(test, sgt, va, mapped);
		} else {
			KUNIT_ASSERT_LT(test, sgt->num_allocs, fail_nth);
			KUNIT_ASSERT_EQ(test, mapped, sgt->len);
			sg_check_iova(test, sgt, va);
			do_unmap(test, va, sgt->len);
		}
		KUNIT_ASSERT_EQ(test, count_valids(test), 0);
	} while (ret);

	/* Otherwise nothing has failed */
	KUNIT_ASSERT_GT(test, fail_nth, 1);
	sg_test_free(test, sgt);
}

#endif
