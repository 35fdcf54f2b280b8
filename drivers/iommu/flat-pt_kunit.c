// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of flat page tables, against an array of addresses.
 */
#include <kunit/test.h>
#include <linux/array_size.h>
#include <linux/bits.h>
#include <linux/iommu.h>
#include <linux/minmax.h>
#include <linux/prandom.h>
#include <linux/sizes.h>
#include <linux/string.h>

#include "flat-pt.h"

#define PAGES	61
#define ROUNDS	4000
#define GUARD	8
#define GUARDED	0xa5
#define BASE	SZ_64M
#define PROT	(IOMMU_READ | IOMMU_WRITE)

/* As in the GART: 40 bits, no permissions */
static const struct flat_pt_format gart_like = {
	.phys = { { GENMASK_ULL(31, 12), 0 }, { GENMASK_ULL(39, 32), -28 } },
	.always = BIT(0) | BIT(1),
	.present = BIT(0),
	.entry = FLAT_PT_LE32,
	.page_shift = 12,
};

static const struct flat_pt_format big_gart_like = {
	.phys = { { GENMASK_ULL(31, 12), 0 }, { GENMASK_ULL(39, 32), -28 } },
	.always = BIT(0),
	.present = BIT(0),
	.entry = FLAT_PT_BE32,
	.page_shift = 12,
};

/* As in Calgary: permissions are all that says that there is something */
static const struct flat_pt_format tce_like = {
	.phys = { { GENMASK_ULL(47, 12), 0 } },
	.read = BIT(0),
	.write = BIT(1),
	.present = BIT(0) | BIT(1),
	.entry = FLAT_PT_BE64,
	.page_shift = 12,
};

/* Larger pages; the address is moved to the left */
static const struct flat_pt_format moved = {
	.phys = { { GENMASK_ULL(43, 16), 4 } },
	.always = BIT_ULL(63),
	.read = BIT(2),
	.write = BIT(1),
	.present = BIT_ULL(63),
	.entry = FLAT_PT_LE64,
	.page_shift = 16,
};

static const struct kind {
	const char *name;
	const struct flat_pt_format *format;
	u64 empty;
	bool publish;
} kinds[] = {
	{ "gart", &gart_like, 0x12345003, false },
	{ "gart-zero", &gart_like, 0, true },
	{ "big-gart", &big_gart_like, 0x00042011, true },
	{ "tce", &tce_like, 0, false },
	{ "tce-published", &tce_like, 0, true },
	{ "moved", &moved, BIT_ULL(63) | 6 | 0x777700000ULL, true },
};

KUNIT_ARRAY_PARAM_DESC(kinds, kinds, name);

struct world {
	const struct kind *kind;
	struct flat_pt pt;
	/* What the hardware sees: only what was published, if need be */
	u8 seen[PAGES * 8];
	u8 memory[GUARD + PAGES * 8 + GUARD] __aligned(8);
	/* The model: entry of each page */
	u64 entry[PAGES];
	u64 phys[PAGES];
	struct rnd_state rnd;
};

/* Calls of publish() come without a pointer to what they are for. */
static struct world *publisher;

static void publish(void *start, unsigned int bytes)
{
	struct world *w = publisher;
	size_t offset = (u8 *)start - (u8 *)w->pt.table;

	memcpy(w->seen + offset, start, bytes);
}

static unsigned int entry_size(const struct world *w)
{
	return w->pt.format == &gart_like || w->pt.format == &big_gart_like ?
	       4 : 8;
}

/* An entry, byte by byte */
static u64 seen_entry(const struct world *w, unsigned int i)
{
	enum flat_pt_entry kind = w->pt.format->entry;
	unsigned int size = entry_size(w), at;
	const u8 *bytes = w->pt.publish ? w->seen : w->memory + GUARD;
	u64 entry = 0;

	for (at = 0; at < size; at++) {
		bool big = kind == FLAT_PT_BE32 || kind == FLAT_PT_BE64;
		unsigned int shift = 8 * (big ? size - 1 - at : at);

		entry |= (u64)bytes[i * size + at] << shift;
	}
	return entry;
}

/* What stands in an entry, by the description of each format */
static u64 model_entry(const struct world *w, u64 phys, int prot)
{
	u64 read = prot & IOMMU_READ ? 1 : 0;
	u64 write = prot & IOMMU_WRITE ? 1 : 0;

	if (w->pt.format == &gart_like)
		return (phys & 0xfffff000) | phys >> 32 << 4 | 3;
	if (w->pt.format == &big_gart_like)
		return (phys & 0xfffff000) | phys >> 32 << 4 | 1;
	if (w->pt.format == &tce_like)
		return phys | read | write << 1;
	return phys << 4 | 1ULL << 63 | read << 2 | write << 1;
}

static u64 iova_of(const struct world *w, unsigned int page)
{
	return BASE + ((u64)page << w->pt.format->page_shift);
}

static void check_all(struct kunit *test, struct world *w)
{
	unsigned int i, shift = w->pt.format->page_shift;

	for (i = 0; i < PAGES; i++) {
		u64 offset = prandom_u32_state(&w->rnd) & (BIT(shift) - 1);
		u64 phys = w->phys[i] ? w->phys[i] + offset : 0;

		KUNIT_ASSERT_EQ_MSG(test, seen_entry(w, i), w->entry[i],
				    "page %u", i);
		KUNIT_ASSERT_EQ(test, phys,
				flat_pt_iova_to_phys(&w->pt, iova_of(w, i) +
						     offset));
	}
	for (i = 0; i < GUARD; i++) {
		size_t end = GUARD + flat_pt_bytes(&w->pt);

		KUNIT_ASSERT_EQ(test, w->memory[i], GUARDED);
		KUNIT_ASSERT_EQ(test, w->memory[end + i], GUARDED);
	}
}

static struct world *make_world(struct kunit *test, const struct kind *kind)
{
	struct world *w = kunit_kzalloc(test, sizeof(*w), GFP_KERNEL);
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, w);
	memset(w->memory, GUARDED, sizeof(w->memory));
	prandom_seed_state(&w->rnd, 0x666c6174);
	publisher = w;
	w->kind = kind;
	w->pt = (struct flat_pt){
		.format = kind->format,
		.table = w->memory + GUARD,
		.first = BASE,
		.pages = PAGES,
		.empty = kind->empty,
		.publish = kind->publish ? publish : NULL,
	};
	KUNIT_ASSERT_EQ(test, 0, flat_pt_check(&w->pt));
	KUNIT_ASSERT_EQ(test, flat_pt_bytes(&w->pt), PAGES * entry_size(w));
	flat_pt_clear(&w->pt);
	for (i = 0; i < PAGES; i++)
		w->entry[i] = kind->empty;
	return w;
}

static int random_prot(struct world *w)
{
	return 1 + prandom_u32_state(&w->rnd) % 3;
}

/*
 * A page that the format can name, sometimes the last ones that it can, or that
 * the first field can, or beyond
 */
static u64 random_phys(struct world *w)
{
	unsigned int shift = w->pt.format->page_shift;
	u64 low = w->pt.format->phys[0].mask;
	u64 mask = low | w->pt.format->phys[1].mask;
	u64 phys = (u64)prandom_u32_state(&w->rnd) << 32 |
		   prandom_u32_state(&w->rnd);

	phys &= mask;
	if (prandom_u32_state(&w->rnd) % 8 == 0)
		phys = mask - ((phys >> shift) % 8 << shift);
	if (prandom_u32_state(&w->rnd) % 8 == 0)
		phys = (phys & ~low) | (low - ((phys >> shift) % 8 << shift));
	if (prandom_u32_state(&w->rnd) % 16 == 0)
		phys |= mask + BIT_ULL(shift);
	return phys ?: BIT_ULL(shift);
}

static void random_map(struct kunit *test, struct world *w)
{
	u64 last = w->pt.format->phys[0].mask | w->pt.format->phys[1].mask;
	unsigned int at = prandom_u32_state(&w->rnd) % PAGES;
	unsigned int count = 1 + prandom_u32_state(&w->rnd) % 12, i;
	unsigned int shift = w->pt.format->page_shift;
	u64 phys = random_phys(w);
	int prot = random_prot(w), expect = 0;
	size_t mapped = 1000, done = 0;
	int ret;

	if (at + count > PAGES || phys + ((u64)(count - 1) << shift) > last)
		expect = -ERANGE;
	for (i = 0; i < count && !expect; i++) {
		if (w->phys[at + i]) {
			expect = -EADDRINUSE;
			break;
		}
		w->phys[at + i] = phys + ((u64)i << shift);
		w->entry[at + i] = model_entry(w, w->phys[at + i], prot);
		done++;
	}
	ret = flat_pt_map(&w->pt, iova_of(w, at), phys, count, prot, &mapped);
	KUNIT_ASSERT_EQ(test, ret, expect);
	KUNIT_ASSERT_EQ(test, mapped, 1000 + (done << shift));
}

static void random_unmap(struct kunit *test, struct world *w)
{
	unsigned int at = prandom_u32_state(&w->rnd) % PAGES;
	unsigned int count = prandom_u32_state(&w->rnd) % 20, i;

	for (i = 0; i < count && at + i < PAGES && w->phys[at + i]; i++) {
		w->phys[at + i] = 0;
		w->entry[at + i] = w->kind->empty;
	}
	KUNIT_ASSERT_EQ(test, flat_pt_unmap(&w->pt, iova_of(w, at), count),
			(size_t)i << w->pt.format->page_shift);
}

static void flat_pt_does_what_an_array_does(struct kunit *test)
{
	struct world *w = make_world(test, test->param_value);
	unsigned int round;

	check_all(test, w);
	for (round = 0; round < ROUNDS; round++) {
		if (prandom_u32_state(&w->rnd) % 2)
			random_map(test, w);
		else
			random_unmap(test, w);
		if (round % 16 == 0)
			check_all(test, w);
	}
	check_all(test, w);
}

static void flat_pt_map_refuses_what_is_no_page(struct kunit *test)
{
	struct world *w = make_world(test, test->param_value);
	u64 page = BIT_ULL(w->pt.format->page_shift);
	size_t mapped = 0;

	KUNIT_EXPECT_EQ(test, -EINVAL, flat_pt_map(&w->pt, BASE + 1, page, 1,
						   PROT, &mapped));
	KUNIT_EXPECT_EQ(test, -EINVAL, flat_pt_map(&w->pt, BASE, page / 2, 1,
						   PROT, &mapped));
	KUNIT_EXPECT_EQ(test, -EINVAL, flat_pt_map(&w->pt, BASE, page, 0,
						   PROT, &mapped));
	KUNIT_EXPECT_EQ(test, -EINVAL, flat_pt_map(&w->pt, BASE, page, 1, 0,
						   &mapped));
	KUNIT_EXPECT_EQ(test, -ERANGE, flat_pt_map(&w->pt, BASE - page, page,
						   1, PROT, &mapped));
	KUNIT_EXPECT_EQ(test, -ERANGE, flat_pt_map(&w->pt, BASE, page,
						   SIZE_MAX, PROT, &mapped));
	KUNIT_EXPECT_EQ(test, -ERANGE, flat_pt_map(&w->pt, BASE, -page, 2,
						   PROT, &mapped));
	KUNIT_EXPECT_EQ(test, 0, mapped);
	KUNIT_EXPECT_EQ(test, 0, flat_pt_unmap(&w->pt, BASE - page, 1));
	KUNIT_EXPECT_EQ(test, 0, flat_pt_unmap(&w->pt, iova_of(w, PAGES), 1));
	KUNIT_EXPECT_EQ(test, 0, flat_pt_iova_to_phys(&w->pt, BASE - 1));
	KUNIT_EXPECT_EQ(test, 0,
			flat_pt_iova_to_phys(&w->pt, iova_of(w, PAGES)));
	check_all(test, w);

	KUNIT_EXPECT_EQ(test, 0, flat_pt_map(&w->pt, BASE, page, 1, PROT,
					     &mapped));
	KUNIT_EXPECT_EQ(test, 0, flat_pt_unmap(&w->pt, BASE + 1, 1));
	KUNIT_EXPECT_EQ(test, page, flat_pt_iova_to_phys(&w->pt, BASE));
}

/* The bytes of some entries, as manuals have them */
static void flat_pt_entries_are_those_of_the_manuals(struct kunit *test)
{
	u64 entry;

	KUNIT_EXPECT_EQ(test, 0, flat_pt_encode(&gart_like, 0xab12345000ULL,
						PROT, &entry));
	KUNIT_EXPECT_EQ(test, entry, 0x12345ab3);
	KUNIT_EXPECT_EQ(test, -ERANGE, flat_pt_encode(&gart_like, BIT_ULL(40),
						      PROT, &entry));
	KUNIT_EXPECT_EQ(test, 0, flat_pt_encode(&tce_like, 0xab12345000ULL,
						IOMMU_WRITE, &entry));
	KUNIT_EXPECT_EQ(test, entry, 0xab12345002ULL);
	KUNIT_EXPECT_EQ(test, -EINVAL, flat_pt_encode(&tce_like, 0x1000, 0,
						      &entry));
	KUNIT_EXPECT_EQ(test, -EINVAL, flat_pt_encode(&tce_like, 0x1800, PROT,
						      &entry));
}

static void expect_bad(struct kunit *test, const char *what,
		       const struct flat_pt_format *format, u64 empty)
{
	u64 table[4] = {};
	const struct flat_pt pt = {
		.format = format,
		.table = table,
		.pages = 4,
		.empty = empty,
	};

	KUNIT_EXPECT_EQ_MSG(test, -EINVAL, flat_pt_check(&pt), "%s", what);
}

static void flat_pt_check_refuses_nonsense(struct kunit *test)
{
	struct flat_pt_format f;
	u64 table[4] = {};
	struct flat_pt pt = { .format = &tce_like, .table = table, .pages = 4 };

	KUNIT_EXPECT_EQ(test, 0, flat_pt_check(&pt));
	pt.first = 0x800;
	KUNIT_EXPECT_EQ(test, -EINVAL, flat_pt_check(&pt));
	pt.first = -SZ_8K;
	KUNIT_EXPECT_EQ(test, -EINVAL, flat_pt_check(&pt));
	pt.first = -SZ_16K;
	KUNIT_EXPECT_EQ(test, 0, flat_pt_check(&pt));
	pt.first = 0;
	pt.pages = SZ_1G;
	KUNIT_EXPECT_EQ(test, -EINVAL, flat_pt_check(&pt));
	pt.pages = 0;
	KUNIT_EXPECT_EQ(test, -EINVAL, flat_pt_check(&pt));
	pt.pages = 3;
	pt.table = (u8 *)table + 4;
	KUNIT_EXPECT_EQ(test, -EINVAL, flat_pt_check(&pt));

	expect_bad(test, "empty entry too wide", &gart_like, BIT_ULL(32));
	f = gart_like;
	f.phys[1].left = 0;
	expect_bad(test, "address beyond the entry", &f, 0);
	f = gart_like;
	f.phys[1].left = -20;
	expect_bad(test, "fields overlap", &f, 0);
	f = gart_like;
	f.phys[1].mask = GENMASK_ULL(40, 33);
	expect_bad(test, "hole in the address", &f, 0);
	f = gart_like;
	swap(f.phys[0], f.phys[1]);
	expect_bad(test, "fields in the other order", &f, 0);
	f = gart_like;
	f.always |= BIT(12);
	expect_bad(test, "flags in the address", &f, 0);
	f = tce_like;
	f.present = BIT(2);
	expect_bad(test, "present by a bit that is never set", &f, 0);
	f = tce_like;
	f.present = 0;
	expect_bad(test, "never present", &f, 0);
	f = tce_like;
	f.page_shift = 16;
	expect_bad(test, "address within a page", &f, 0);
}

/* A format whose entries are present only if devices may read */
static void flat_pt_maps_one_way_only(struct kunit *test)
{
	struct flat_pt_format readable = tce_like;
	size_t mapped = 0;
	u64 table[4] = {};
	struct flat_pt pt = { .format = &readable, .table = table, .pages = 4 };

	readable.write = 0;
	readable.present = BIT(0);
	KUNIT_ASSERT_EQ(test, 0, flat_pt_check(&pt));
	KUNIT_EXPECT_EQ(test, 0, flat_pt_map(&pt, 0, SZ_4K, 1, IOMMU_READ,
					     &mapped));
	/* An entry that would not be present cannot be told from none. */
	KUNIT_EXPECT_EQ(test, -EINVAL, flat_pt_map(&pt, SZ_4K, SZ_4K, 1,
						   IOMMU_WRITE, &mapped));
	KUNIT_EXPECT_EQ(test, SZ_4K, mapped);
}

/* What is unmapped is to be flushed, and nothing else. */
static void flat_pt_domain_gathers_what_it_unmaps(struct kunit *test)
{
	struct iommu_iotlb_gather gather;
	size_t mapped = 0;
	u64 table[4] = {};
	struct flat_pt_domain d = {
		.pt = { .format = &tce_like, .table = table, .pages = 4 },
	};

	iommu_iotlb_gather_init(&gather);
	KUNIT_EXPECT_EQ(test, 0, flat_pt_map_pages(&d.domain, SZ_4K, SZ_1M,
						   SZ_4K, 2, PROT, GFP_KERNEL,
						   &mapped));
	KUNIT_EXPECT_EQ(test, SZ_8K, mapped);
	KUNIT_EXPECT_EQ(test, SZ_1M + SZ_4K + 5,
			flat_pt_domain_phys(&d.domain, SZ_8K + 5));
	KUNIT_EXPECT_EQ(test, 0, flat_pt_unmap_pages(&d.domain, 0, SZ_4K, 1,
						     &gather));
	KUNIT_EXPECT_EQ(test, ULONG_MAX, gather.start);
	KUNIT_EXPECT_EQ(test, 0, gather.end);
	KUNIT_EXPECT_EQ(test, SZ_8K, flat_pt_unmap_pages(&d.domain, SZ_4K,
							 SZ_4K, 3, &gather));
	KUNIT_EXPECT_EQ(test, SZ_4K, gather.start);
	KUNIT_EXPECT_EQ(test, SZ_4K + SZ_8K - 1, gather.end);
}

/**
 * struct asked - a domain that notes what the core asks of it
 * @domain: what the core knows
 * @pgsize: of the first call
 * @count: of the first call
 * @end: of the pages that were done in the last call
 * @most: pages that are done in one call
 * @calls: how many there were
 */
struct asked {
	struct iommu_domain domain;
	size_t pgsize;
	size_t count;
	u64 end;
	size_t most;
	unsigned int calls;
};

static size_t note_call(struct iommu_domain *domain, u64 iova, size_t pgsize,
			size_t count)
{
	struct asked *asked = container_of(domain, struct asked, domain);

	if (!asked->calls++) {
		asked->pgsize = pgsize;
		asked->count = count;
	}
	count = min(count, asked->most);
	asked->end = iova + count * pgsize;
	return count * pgsize;
}

static int note_map(struct iommu_domain *domain, unsigned long iova,
		    phys_addr_t phys, size_t pgsize, size_t pgcount, int prot,
		    gfp_t gfp, size_t *mapped)
{
	*mapped += note_call(domain, iova, pgsize, pgcount);
	return 0;
}

static size_t note_unmap(struct iommu_domain *domain, unsigned long iova,
			 size_t pgsize, size_t pgcount,
			 struct iommu_iotlb_gather *gather)
{
	return note_call(domain, iova, pgsize, pgcount);
}

/* iommu.debug_pagealloc= looks up what is unmapped. */
static phys_addr_t note_iova_to_phys(struct iommu_domain *domain,
				     dma_addr_t iova)
{
	return 0;
}

static const struct iommu_domain_ops note_ops = {
	.map_pages = note_map,
	.unmap_pages = note_unmap,
	.iova_to_phys = note_iova_to_phys,
};

static struct asked asked_of(unsigned long pgsizes, size_t most)
{
	return (struct asked){
		.domain = {
			.type = __IOMMU_DOMAIN_PAGING,
			.pgsize_bitmap = pgsizes,
			.ops = &note_ops,
		},
		.most = most,
	};
}

/* No memory is here: nobody may believe that a page of it is mapped. */
#define NOWHERE		BIT_ULL(45)

static void expect_asked(struct kunit *test, struct asked *asked, u64 iova,
			 u64 phys, size_t size, size_t pgsize, size_t count)
{
	asked->calls = 0;
	KUNIT_EXPECT_EQ(test, pgsize ? 0 : -EINVAL,
			iommu_map(&asked->domain, iova, NOWHERE + phys, size,
				  IOMMU_READ, GFP_KERNEL));
	KUNIT_EXPECT_EQ(test, asked->calls, pgsize ? 1 : 0);
	if (pgsize) {
		KUNIT_EXPECT_EQ(test, asked->pgsize, pgsize);
		KUNIT_EXPECT_EQ(test, asked->count, count);
	}
	/* Unmapping has an address only. */
	if (phys != iova)
		return;
	asked->calls = 0;
	KUNIT_EXPECT_EQ(test, pgsize ? size : 0,
			iommu_unmap(&asked->domain, iova, size));
	KUNIT_EXPECT_EQ(test, asked->calls, pgsize ? 1 : 0);
	if (pgsize) {
		KUNIT_EXPECT_EQ(test, asked->pgsize, pgsize);
		KUNIT_EXPECT_EQ(test, asked->count, count);
	}
}

/* One page of the smallest size has a way of its own through the core. */
static void core_asks_for_pages_that_fit(struct kunit *test)
{
	struct asked asked = asked_of(SZ_4K | SZ_64K | SZ_2M, SIZE_MAX);

	expect_asked(test, &asked, SZ_4K, SZ_4K, SZ_4K, SZ_4K, 1);
	expect_asked(test, &asked, SZ_4K, SZ_64K, SZ_4K, SZ_4K, 1);
	expect_asked(test, &asked, SZ_4K, SZ_4K, SZ_8K, SZ_4K, 2);
	expect_asked(test, &asked, SZ_64K, SZ_128K, SZ_64K, SZ_64K, 1);
	expect_asked(test, &asked, SZ_64K, SZ_64K, SZ_64K, SZ_64K, 1);
	expect_asked(test, &asked, SZ_64K, SZ_4K, SZ_64K, SZ_4K, 16);
	expect_asked(test, &asked, SZ_2M, SZ_2M, SZ_4M, SZ_2M, 2);
	expect_asked(test, &asked, SZ_4K + SZ_512, SZ_4K, SZ_4K, 0, 0);
	expect_asked(test, &asked, SZ_4K, SZ_4K + SZ_512, SZ_4K, 0, 0);
	expect_asked(test, &asked, SZ_512, SZ_512, SZ_4K, 0, 0);
	expect_asked(test, &asked, SZ_4K, SZ_4K, SZ_512, 0, 0);
	asked.domain.pgsize_bitmap = SZ_64K;
	expect_asked(test, &asked, SZ_64K, SZ_64K, SZ_64K, SZ_64K, 1);
	expect_asked(test, &asked, SZ_64K, SZ_64K, SZ_128K, SZ_64K, 2);
	expect_asked(test, &asked, SZ_4K, SZ_4K, SZ_64K, 0, 0);
	expect_asked(test, &asked, SZ_64K, SZ_64K, SZ_4K, 0, 0);
	expect_asked(test, &asked, SZ_64K, SZ_64K, SZ_64K + SZ_4K, 0, 0);
}

/* As those do whose table has a page for each part of the addresses */
static void core_goes_on_where_a_driver_ends(struct kunit *test)
{
	struct asked asked = asked_of(SZ_4K, 3);

	KUNIT_EXPECT_EQ(test, 0, iommu_map(&asked.domain, SZ_64K, NOWHERE,
					   SZ_32K, IOMMU_READ, GFP_KERNEL));
	KUNIT_EXPECT_EQ(test, asked.calls, 3);
	KUNIT_EXPECT_EQ(test, asked.end, SZ_64K + SZ_32K);
	asked.calls = 0;
	KUNIT_EXPECT_EQ(test, SZ_32K, iommu_unmap(&asked.domain, SZ_64K,
						  SZ_32K));
	KUNIT_EXPECT_EQ(test, asked.calls, 3);
	KUNIT_EXPECT_EQ(test, asked.count, 8);
	KUNIT_EXPECT_EQ(test, asked.end, SZ_64K + SZ_32K);
	asked.most = 0;
	asked.calls = 0;
	KUNIT_EXPECT_EQ(test, 0, iommu_unmap(&asked.domain, SZ_64K, SZ_32K));
	KUNIT_EXPECT_EQ(test, asked.calls, 1);
}

/* A driver that does not say what is to be flushed has it flushed. */
static void core_gathers_what_it_unmaps(struct kunit *test)
{
	struct asked asked = asked_of(SZ_4K, 0);
	struct iommu_iotlb_gather gather;

	iommu_iotlb_gather_init(&gather);
	KUNIT_EXPECT_EQ(test, 0, iommu_unmap_fast(&asked.domain, SZ_8K, SZ_4K,
						  &gather));
	KUNIT_EXPECT_EQ(test, ULONG_MAX, gather.start);
	asked.most = SIZE_MAX;
	KUNIT_EXPECT_EQ(test, SZ_4K, iommu_unmap_fast(&asked.domain, SZ_8K,
						      SZ_4K, &gather));
	KUNIT_EXPECT_EQ(test, SZ_8K, gather.start);
	KUNIT_EXPECT_EQ(test, SZ_8K + SZ_4K - 1, gather.end);
}

static struct kunit_case flat_pt_cases[] = {
	KUNIT_CASE_PARAM(flat_pt_does_what_an_array_does, kinds_gen_params),
	KUNIT_CASE_PARAM(flat_pt_map_refuses_what_is_no_page,
			 kinds_gen_params),
	KUNIT_CASE(flat_pt_entries_are_those_of_the_manuals),
	KUNIT_CASE(flat_pt_check_refuses_nonsense),
	KUNIT_CASE(flat_pt_maps_one_way_only),
	KUNIT_CASE(flat_pt_domain_gathers_what_it_unmaps),
	KUNIT_CASE(core_asks_for_pages_that_fit),
	KUNIT_CASE(core_goes_on_where_a_driver_ends),
	KUNIT_CASE(core_gathers_what_it_unmaps),
	{}
};

static struct kunit_suite flat_pt_suite = {
	.name = "flat-pt",
	.test_cases = flat_pt_cases,
};

kunit_test_suite(flat_pt_suite);

MODULE_DESCRIPTION("KUnit tests of flat page tables");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS("EXPORTED_FOR_KUNIT_TESTING");
