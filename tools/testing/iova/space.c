// SPDX-License-Identifier: GPL-2.0-only
/* An address space, and a model of it: a byte for each page. */
#include "test.h"

enum state {
	FREE,
	TAKEN,
	RESERVED,
};

static void fake_flush(struct iommu_domain *domain)
{
	struct space *s = container_of(domain, struct space, domain);
	unsigned int number;

	CHECK(!shim_nr_locks, "a flush under a spinlock");
	number = ++s->begun;
	if (s->in_flush)
		s->in_flush(s);
	s->done = max(s->done, number);
}

static const struct iommu_domain_ops fake_ops = {
	.flush_iotlb_all = fake_flush,
};

static void fake_flushed(struct dma_flush *flush)
{
	iova_arenas_flushed(container_of(flush, struct space, flush)->as);
}

void space_init(struct space *s, unsigned long granule, unsigned long start,
		unsigned long end)
{
	memset(s, 0, sizeof(*s));
	s->nr_allocated = shim_nr_allocated;
	s->domain.ops = &fake_ops;
	s->granule = granule;
	s->start = start;
	s->end = end;
	s->last32 = (SZ_4G - 1) / granule;
	s->state = calloc(end + 1, 1);
	s->stale = calloc(end + 1, sizeof(*s->stale));
	s->as = iova_arenas_create(granule, start, end);
}

void space_defer(struct space *s, unsigned int batch)
{
	s->lazy = true;
	dma_flush_init(&s->flush, &s->domain, 10, fake_flushed);
	iova_arenas_defer(s->as, &s->flush, batch);
}

void space_reserve(struct space *s, unsigned long lo, unsigned long hi)
{
	unsigned long pfn;
	unsigned char before = FREE;
	int ret = iova_arenas_reserve(s->as, lo, hi);

	CHECK(!ret, "reserve: %d", ret);
	/* As many ranges as there are gaps. */
	for (pfn = max(lo, s->start); pfn <= min(hi, s->end); pfn++) {
		if (s->state[pfn] == FREE &&
		    (before != FREE || pfn == max(lo, s->start)))
			s->reserved++;
		before = s->state[pfn];
		s->state[pfn] = RESERVED;
	}
}

static void check_place(struct space *s, const struct iova_request *rq,
			unsigned long pfn)
{
	unsigned long last = pfn + rq->size - 1;
	unsigned long mask = (1UL << rq->order) - 1, i;

	CHECK(last >= pfn && pfn >= s->start, "0x%lx + %lu", pfn, rq->size);
	CHECK(last <= rq->limit, "0x%lx above 0x%lx", last, rq->limit);
	CHECK(last <= s->end, "0x%lx above 0x%lx", last, s->end);
	CHECK(!((pfn - rq->skew) & mask), "0x%lx for order %u skew 0x%lx", pfn,
	      rq->order, rq->skew);
	CHECK(rq->size > s->last32 ||
	      pfn / (s->last32 + 1) == last / (s->last32 + 1),
	      "0x%lx-0x%lx crosses 4 GiB", pfn, last);
	for (i = pfn; i <= last; i++) {
		CHECK(s->state[i] == FREE, "page 0x%lx of 0x%lx-0x%lx is %s",
		      i, pfn, last, s->state[i] == TAKEN ? "taken" :
		      "reserved");
		CHECK(!s->lazy || s->stale[i] <= s->done,
		      "page 0x%lx: flush %u had begun, %u is done", i,
		      s->stale[i] - 1, s->done);
		s->state[i] = TAKEN;
	}
}

bool space_alloc(struct space *s, const struct iova_request *rq)
{
	unsigned long pfn = 0;

	/* Every other page in the way that a page alone is mapped in */
	if (rq->size == 1 && !rq->skew && s->nr % 2)
		pfn = iova_arenas_alloc_page(s->as, rq->order, rq->limit);
	if (!pfn && !iova_arenas_alloc(s->as, rq, &pfn))
		return false;
	check_place(s, rq, pfn);
	if (s->nr == s->max) {
		s->max = max(64, 2 * s->max);
		s->allocs = realloc(s->allocs, s->max * sizeof(*s->allocs));
	}
	s->allocs[s->nr].pfn = pfn;
	s->allocs[s->nr++].size = rq->size;
	s->pages += rq->size;
	return true;
}

void space_free(struct space *s, unsigned long nr)
{
	struct alloc a = s->allocs[nr];
	unsigned long i;

	s->allocs[nr] = s->allocs[--s->nr];
	s->pages -= a.size;
	for (i = a.pfn; i < a.pfn + a.size; i++) {
		s->state[i] = FREE;
		s->stale[i] = s->begun + 1;
	}
	iova_arenas_free(s->as, a.pfn, a.size);
}

void space_free_all(struct space *s)
{
	while (s->nr)
		space_free(s, s->nr - 1);
}

void space_check(struct space *s)
{
	arenas_check(s->as, s->reserved);
}

/* All that was used must come back. */
void space_exit(struct space *s)
{
	struct iova_arena_stats stats;

	s->in_flush = NULL;
	space_free_all(s);
	iova_arenas_trim(s->as);
	space_check(s);
	iova_arenas_get_stats(s->as, &stats);
	CHECK(!stats.arenas && !stats.limited && !stats.ranges,
	      "%lu arenas and %lu ranges are left", stats.arenas,
	      stats.ranges);
	if (s->lazy)
		dma_flush_exit(&s->flush);
	iova_arenas_destroy(s->as);
	CHECK(shim_nr_allocated == s->nr_allocated, "%ld objects are left",
	      shim_nr_allocated - s->nr_allocated);
	free(s->state);
	free(s->stale);
	free(s->allocs);
}
