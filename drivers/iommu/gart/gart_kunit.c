// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of the GART driver, against northbridges that check each write, and
 * that cache their table by lines.
 */
#include <kunit/test.h>
#include <linux/array_size.h>
#include <linux/bits.h>
#include <linux/completion.h>
#include <linux/iommu.h>
#include <linux/kthread.h>
#include <linux/prandom.h>
#include <linux/sizes.h>
#include <linux/string.h>

#include "gart-core.h"

#define NODES		GART_NODES_MAX
#define APERTURE	0xc0000000ULL
#define TABLE		0x12345678000ULL
#define TABLE_OK	0x9876543000ULL

/* The registers of a node, and what becomes of it */
struct node {
	u32 control;
	u32 base;
	u32 table;
	u32 cache;
	/* Reads of GART_CACHE until a flush has ended */
	unsigned int busy;
	unsigned int flushes;
	/* Flushes that end by themselves; the others never do */
	bool stuck;
	/* Reads as ones */
	bool gone;
	bool no_writes;
};

/* What tests map is in these lines, from the aperture's first on. */
#define LINES		6
#define ENTRIES		(LINES * GART_LINE_ENTRIES)
#define PHYS		0x100000000ULL
#define SCRATCH		0x7654321000ULL

/* What a node knows of the table */
struct cache {
	bool have[LINES];
	u32 entry[ENTRIES];
};

#define MAPPERS		4
#define MAPPER_ROUNDS	500

struct machine;

/* A thread that changes its entry of a table, and asks for a flush */
struct mapper {
	struct machine *machine;
	struct completion done;
	unsigned int entry;
	/* What each node found there when it began to forget */
	unsigned int seen[NODES];
	unsigned int stale;
};

struct machine {
	struct gart_hw hw;
	struct mapper mappers[MAPPERS];
	struct node nodes[NODES];
	/* How long a flush takes, in reads */
	unsigned int slow;
	unsigned int reads;
	struct flat_pt pt;
	struct cache cache[NODES];
	/* Called when all nodes have begun to flush, once */
	void (*meanwhile)(struct machine *m);
	/* The first rule that was broken */
	const char *broken;
};

static struct machine *machine_of(struct gart_hw *hw)
{
	return container_of(hw, struct machine, hw);
}

static void rule(struct machine *m, bool kept, const char *what)
{
	if (!kept && !m->broken)
		m->broken = what;
}

static bool any_enabled(const struct machine *m)
{
	unsigned int i;

	for (i = 0; i < m->hw.nodes; i++)
		if (m->nodes[i].control & GART_CONTROL_ENABLE)
			return true;
	return false;
}

/* All that a node must be told before it translates, and all must agree on */
static void check_enable(struct machine *m, unsigned int node, u32 value)
{
	const struct node *n = &m->nodes[node], *other;
	u64 size = (u64)SZ_32M << (value >> 1 & 7);
	u64 first = (u64)n->base << 25;

	rule(m, value & BIT(6), "enabled with probes");
	rule(m, !(value & BIT(5)), "enabled without devices");
	rule(m, first && !(first % size) && first + size <= BIT_ULL(32),
	     "enabled with a bad aperture");
	rule(m, n->table, "enabled without a table");
	for (other = m->nodes; other < m->nodes + m->hw.nodes; other++)
		rule(m, other->base == n->base && other->table == n->table &&
		     (other->control & 0xe) == (value & 0xe),
		     "enabled before all nodes agree");
}

static void write_control(struct machine *m, unsigned int node, u32 value)
{
	struct node *n = &m->nodes[node];

	if ((value ^ n->control) & 0xe)
		rule(m, !any_enabled(m), "size changed while enabled");
	rule(m, !(value & ~0x7f), "unknown bit of the control register");
	if (value & GART_CONTROL_ENABLE)
		check_enable(m, node, value);
	n->control = value;
}

static void write_cache(struct machine *m, unsigned int node, u32 value)
{
	struct node *n = &m->nodes[node];
	unsigned int i;

	if (value & GART_CACHE_ERROR)
		n->cache &= ~GART_CACHE_ERROR;
	rule(m, (value & ~3) == (n->cache & ~3), "other bits of 0x9c changed");
	if (value & GART_CACHE_FLUSH) {
		for (i = 0; i < MAPPERS; i++)
			WRITE_ONCE(m->mappers[i].seen[node],
				   READ_ONCE(m->mappers[i].entry));
		n->flushes++;
		n->busy = m->slow;
		n->cache |= GART_CACHE_FLUSH;
		memset(&m->cache[node], 0, sizeof(m->cache[node]));
	}
}

static int fake_write(struct gart_hw *hw, unsigned int node, int reg, u32 value)
{
	struct machine *m = machine_of(hw);
	struct node *n = &m->nodes[node];

	rule(m, node < hw->nodes, "no such node");
	if (n->no_writes)
		return -EIO;
	switch (reg) {
	case GART_CONTROL:
		write_control(m, node, value);
		break;
	case GART_BASE:
		rule(m, value == n->base || !any_enabled(m),
		     "base changed while enabled");
		n->base = value;
		break;
	case GART_TABLE:
		rule(m, !(value & 0xf), "reserved bits of the table's address");
		rule(m, !(n->control & GART_CONTROL_ENABLE),
		     "table changed while enabled");
		n->table = value;
		break;
	case GART_CACHE:
		write_cache(m, node, value);
		break;
	default:
		rule(m, false, "unknown register written");
	}
	return 0;
}

static u32 read_cache(struct machine *m, struct node *n)
{
	void (*meanwhile)(struct machine *m) = m->meanwhile;

	m->meanwhile = NULL;
	if (meanwhile)
		meanwhile(m);
	m->reads++;
	if (!n->stuck && !n->busy)
		n->cache &= ~GART_CACHE_FLUSH;
	if (n->busy)
		n->busy--;
	return n->cache;
}

static int fake_read(struct gart_hw *hw, unsigned int node, int reg, u32 *value)
{
	struct machine *m = machine_of(hw);
	struct node *n = &m->nodes[node];

	rule(m, node < hw->nodes, "no such node");
	switch (reg) {
	case GART_CONTROL:
		*value = n->control;
		break;
	case GART_BASE:
		*value = n->base;
		break;
	case GART_TABLE:
		*value = n->table;
		break;
	case GART_CACHE:
		*value = read_cache(m, n);
		break;
	default:
		rule(m, false, "unknown register read");
	}
	if (n->gone)
		*value = ~0U;
	return 0;
}

static const struct gart_hw_ops fake_ops = {
	.read = fake_read,
	.write = fake_write,
};

/* As firmware leaves it, with an aperture of 64 MiB */
static struct machine *make_machine(struct kunit *test, unsigned int nodes)
{
	struct machine *m = kunit_kzalloc(test, sizeof(*m), GFP_KERNEL);
	struct node *n;

	KUNIT_ASSERT_NOT_NULL(test, m);
	m->hw.ops = &fake_ops;
	m->hw.nodes = nodes;
	for (n = m->nodes; n < m->nodes + nodes; n++) {
		n->control = 1 << 1;
		n->base = APERTURE >> 25;
		/* Bits of 0x9c that nobody knows stay as they are. */
		n->cache = 0x50;
	}
	return m;
}

static void expect_rules_kept(struct kunit *test, const struct machine *m)
{
	KUNIT_EXPECT_STREQ(test, m->broken ?: "", "");
}

static void gart_find_takes_what_nodes_agree_on(struct kunit *test)
{
	struct machine *m = make_machine(test, NODES);

	KUNIT_ASSERT_EQ(test, 0, gart_find(&m->hw));
	KUNIT_EXPECT_EQ(test, m->hw.first, APERTURE);
	KUNIT_EXPECT_EQ(test, m->hw.bytes, SZ_64M);
	expect_rules_kept(test, m);
}

static void gart_find_refuses_nodes_that_disagree(struct kunit *test)
{
	struct machine *m = make_machine(test, 3);

	m->nodes[2].control = 2 << 1;
	KUNIT_EXPECT_EQ(test, -EINVAL, gart_find(&m->hw));
	m->nodes[2].control = 1 << 1;
	m->nodes[2].base += 2;
	KUNIT_EXPECT_EQ(test, -EINVAL, gart_find(&m->hw));
	m->nodes[2].base -= 2;
	KUNIT_EXPECT_EQ(test, 0, gart_find(&m->hw));
	m->nodes[2].gone = true;
	KUNIT_EXPECT_EQ(test, -EIO, gart_find(&m->hw));
	m->hw.nodes = 0;
	KUNIT_EXPECT_EQ(test, -ENODEV, gart_find(&m->hw));
	m->hw.nodes = NODES + 1;
	KUNIT_EXPECT_EQ(test, -ENODEV, gart_find(&m->hw));
}

/* All values of both registers that have room in them */
static void gart_find_refuses_garbage(struct kunit *test)
{
	struct machine *m = make_machine(test, 1);
	unsigned int code, good = 0;
	u32 base;

	for (code = 0; code < 8; code++) {
		for (base = 0; base < BIT(15); base++) {
			u64 size = 32ULL << 20 << code, first = (u64)base << 25;
			bool fine = code < 7 && first && !(first % size) &&
				    first + size <= 1ULL << 32;

			/* Bits that do not count */
			m->nodes[0].control = code << 1 | 0x71;
			m->nodes[0].base = base | 0x7fff8000;
			if (code == 7 && base % 64)
				continue;
			KUNIT_ASSERT_EQ_MSG(test, gart_find(&m->hw),
					    fine ? 0 : -EINVAL,
					    "code %u base %#x", code, base);
			good += fine;
			/* The message of each costs time. */
			if (!fine && first >= 1ULL << 33)
				base += 1021;
		}
	}
	/* 127 of 32 MiB, 63 of 64, ..., 1 of 2 GiB; none at 0 */
	KUNIT_EXPECT_EQ(test, good, 127 + 63 + 31 + 15 + 7 + 3 + 1);
}

static void gart_start_goes_step_by_step(struct kunit *test)
{
	struct machine *m = make_machine(test, NODES);
	unsigned int i;

	m->slow = 3;
	KUNIT_ASSERT_EQ(test, 0, gart_find(&m->hw));
	KUNIT_ASSERT_EQ(test, 0, gart_start(&m->hw, TABLE_OK));
	for (i = 0; i < NODES; i++) {
		const struct node *n = &m->nodes[i];

		KUNIT_EXPECT_EQ(test, n->control, 1 | 1 << 1 | BIT(6));
		KUNIT_EXPECT_EQ(test, n->base, APERTURE >> 25);
		KUNIT_EXPECT_EQ(test, n->table, 0x98765430);
		KUNIT_EXPECT_EQ(test, n->flushes, 1);
		KUNIT_EXPECT_EQ(test, n->cache, 0x50);
	}
	expect_rules_kept(test, m);
}

/* What kexec or a resume leaves: enabled, each node something else */
static void gart_start_begins_anew(struct kunit *test)
{
	struct machine *m = make_machine(test, 4);
	unsigned int i;

	KUNIT_ASSERT_EQ(test, 0, gart_find(&m->hw));
	for (i = 0; i < 4; i++) {
		m->nodes[i].control = 0x30 | i << 1 | 1;
		m->nodes[i].base = 0x20 + i;
		m->nodes[i].table = 0x1000 * i;
	}
	KUNIT_ASSERT_EQ(test, 0, gart_start(&m->hw, TABLE_OK));
	for (i = 0; i < 4; i++) {
		KUNIT_EXPECT_EQ(test, m->nodes[i].control, 0x43);
		KUNIT_EXPECT_EQ(test, m->nodes[i].base, APERTURE >> 25);
	}
	expect_rules_kept(test, m);

	gart_stop(&m->hw);
	KUNIT_EXPECT_FALSE(test, any_enabled(m));
	expect_rules_kept(test, m);
}

static void gart_start_refuses_a_table_beyond_40_bits(struct kunit *test)
{
	struct machine *m = make_machine(test, 1);

	KUNIT_ASSERT_EQ(test, 0, gart_find(&m->hw));
	KUNIT_EXPECT_EQ(test, -EINVAL, gart_start(&m->hw, TABLE));
	KUNIT_EXPECT_EQ(test, -EINVAL, gart_start(&m->hw, TABLE_OK + 0x800));
	KUNIT_EXPECT_FALSE(test, any_enabled(m));
}

static void gart_start_stops_when_it_fails(struct kunit *test)
{
	struct machine *m = make_machine(test, 3);

	KUNIT_ASSERT_EQ(test, 0, gart_find(&m->hw));
	m->nodes[1].no_writes = true;
	KUNIT_EXPECT_EQ(test, -EIO, gart_start(&m->hw, TABLE_OK));
	KUNIT_EXPECT_FALSE(test, any_enabled(m));
	m->nodes[1].no_writes = false;
	m->nodes[2].stuck = true;
	KUNIT_EXPECT_EQ(test, -ETIMEDOUT, gart_start(&m->hw, TABLE_OK));
	KUNIT_EXPECT_FALSE(test, any_enabled(m));
	m->nodes[2].stuck = false;
	KUNIT_EXPECT_EQ(test, 0, gart_start(&m->hw, TABLE_OK));
	expect_rules_kept(test, m);
}

static void gart_flush_waits_for_all_nodes(struct kunit *test)
{
	struct machine *m = make_machine(test, 5);
	unsigned int i;

	KUNIT_ASSERT_EQ(test, 0, gart_find(&m->hw));
	m->slow = 7;
	KUNIT_EXPECT_EQ(test, 0, gart_flush(&m->hw));
	KUNIT_EXPECT_EQ(test, 0, gart_flush(&m->hw));
	for (i = 0; i < 5; i++) {
		KUNIT_EXPECT_EQ(test, m->nodes[i].flushes, 2);
		KUNIT_EXPECT_FALSE(test, m->nodes[i].cache & GART_CACHE_FLUSH);
	}
	expect_rules_kept(test, m);
}

static int mapper_thread(void *data)
{
	struct mapper *me = data;
	struct machine *m = me->machine;
	unsigned int i, node;

	for (i = 1; i <= MAPPER_ROUNDS; i++) {
		WRITE_ONCE(me->entry, i);
		if (gart_flush(&m->hw))
			me->stale++;
		for (node = 0; node < m->hw.nodes; node++)
			if (READ_ONCE(me->seen[node]) < i)
				me->stale++;
		cond_resched();
	}
	kthread_complete_and_exit(&me->done, 0);
}

/* Who is content with the flush of another has changed the table before. */
static void gart_flush_may_be_shared(struct kunit *test)
{
	struct machine *m = make_machine(test, 2);
	struct task_struct *task;
	struct mapper *me;

	KUNIT_ASSERT_EQ(test, 0, gart_find(&m->hw));
	m->slow = 20;
	for (me = m->mappers; me < m->mappers + MAPPERS; me++) {
		me->machine = m;
		init_completion(&me->done);
		task = kthread_run(mapper_thread, me, "gart-mapper");
		if (IS_ERR(task))
			complete(&me->done);
		KUNIT_EXPECT_FALSE(test, IS_ERR(task));
	}
	for (me = m->mappers; me < m->mappers + MAPPERS; me++) {
		wait_for_completion(&me->done);
		KUNIT_EXPECT_EQ(test, me->stale, 0);
	}
	KUNIT_EXPECT_LE(test, m->nodes[0].flushes, MAPPERS * MAPPER_ROUNDS);
	expect_rules_kept(test, m);
}

static void gart_flush_gives_up_in_time(struct kunit *test)
{
	struct machine *m = make_machine(test, 2);

	KUNIT_ASSERT_EQ(test, 0, gart_find(&m->hw));
	m->nodes[0].stuck = true;
	m->reads = 0;
	KUNIT_EXPECT_EQ(test, -ETIMEDOUT, gart_flush(&m->hw));
	KUNIT_EXPECT_LE(test, m->reads, GART_FLUSH_TRIES + 1);
	KUNIT_EXPECT_EQ(test, m->nodes[1].flushes, 1);
	/* One that failed is not good for who asked before it. */
	KUNIT_EXPECT_EQ(test, -ETIMEDOUT, gart_flush(&m->hw));
	m->nodes[0].stuck = false;
	KUNIT_EXPECT_EQ(test, 0, gart_flush(&m->hw));
	m->nodes[0].no_writes = true;
	KUNIT_EXPECT_EQ(test, -EIO, gart_flush(&m->hw));
	m->nodes[0].no_writes = false;
	m->nodes[0].gone = true;
	KUNIT_EXPECT_EQ(test, -ETIMEDOUT, gart_flush(&m->hw));
	expect_rules_kept(test, m);
}

static void gart_flush_clears_a_reported_error(struct kunit *test)
{
	struct machine *m = make_machine(test, 2);

	KUNIT_ASSERT_EQ(test, 0, gart_find(&m->hw));
	m->nodes[1].cache |= GART_CACHE_ERROR;
	KUNIT_EXPECT_EQ(test, 0, gart_flush(&m->hw));
	KUNIT_EXPECT_EQ(test, m->nodes[1].cache, 0x50);
	expect_rules_kept(test, m);
}

static void gart_table_is_all_scratch_from_the_start(struct kunit *test)
{
	struct machine *m = make_machine(test, 1);
	size_t mapped = 0;
	struct flat_pt pt;
	unsigned int i;
	u8 *table;

	KUNIT_ASSERT_EQ(test, 0, gart_find(&m->hw));
	table = kunit_kzalloc(test, SZ_64K, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, table);
	KUNIT_ASSERT_EQ(test, 0, gart_table_init(&pt, &m->hw, table,
						 0x7654321000ULL));
	KUNIT_EXPECT_EQ(test, SZ_64K, flat_pt_bytes(&pt));
	KUNIT_EXPECT_EQ(test, 0, flat_pt_map(&pt, APERTURE + SZ_16K,
					     0xff12345000ULL, 3, IOMMU_READ,
					     &mapped));
	KUNIT_EXPECT_EQ(test, SZ_8K + SZ_4K, mapped);
	/* 0xff12347000: valid, coherent, bits 39 to 32 in bits 11 to 4 */
	KUNIT_EXPECT_EQ(test, 0, memcmp(table + 24, "\xf3\x7f\x34\x12", 4));
	KUNIT_EXPECT_EQ(test, mapped,
			flat_pt_unmap(&pt, APERTURE + SZ_16K, 3));
	for (i = 0; i < SZ_64K; i += 4)
		KUNIT_ASSERT_EQ(test, 0,
				memcmp(table + i, "\x63\x17\x32\x54", 4));
}

static void gart_table_has_40_bits(struct kunit *test)
{
	struct machine *m = make_machine(test, 1);
	size_t mapped = 0;
	struct flat_pt pt;
	void *table;

	KUNIT_ASSERT_EQ(test, 0, gart_find(&m->hw));
	table = kunit_kzalloc(test, SZ_64K, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, table);
	KUNIT_EXPECT_EQ(test, -ERANGE, gart_table_init(&pt, &m->hw, table,
						       BIT_ULL(40)));
	KUNIT_ASSERT_EQ(test, 0, gart_table_init(&pt, &m->hw, table, SZ_4K));
	KUNIT_EXPECT_EQ(test, -ERANGE, flat_pt_map(&pt, APERTURE, BIT_ULL(40),
						   1, IOMMU_READ, &mapped));
	KUNIT_EXPECT_EQ(test, -ERANGE, flat_pt_map(&pt, APERTURE,
						   BIT_ULL(40) - SZ_4K, 2,
						   IOMMU_READ, &mapped));
	KUNIT_EXPECT_EQ(test, 0, mapped);
	KUNIT_EXPECT_EQ(test, 0, flat_pt_map(&pt, APERTURE,
					     BIT_ULL(40) - SZ_4K, 1,
					     IOMMU_READ, &mapped));
	KUNIT_EXPECT_EQ(test, BIT_ULL(40) - SZ_4K,
			flat_pt_iova_to_phys(&pt, APERTURE));
}

/* Running, with a table, and no flush counted */
static struct machine *make_running(struct kunit *test, unsigned int nodes)
{
	struct machine *m = make_machine(test, nodes);
	unsigned int i;
	void *table;

	KUNIT_ASSERT_EQ(test, 0, gart_find(&m->hw));
	table = kunit_kzalloc(test, SZ_64K, GFP_KERNEL);
	m->hw.lines = kunit_kcalloc(test, gart_lines(&m->hw),
				    sizeof(*m->hw.lines), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, table);
	KUNIT_ASSERT_NOT_NULL(test, m->hw.lines);
	KUNIT_ASSERT_EQ(test, 0, gart_table_init(&m->pt, &m->hw, table,
						 SCRATCH));
	KUNIT_ASSERT_EQ(test, 0, gart_start(&m->hw, TABLE_OK));
	/* Nothing lies before the aperture, but in one of the cases. */
	atomic64_set(&m->hw.lines[0], 0);
	for (i = 0; i < nodes; i++)
		m->nodes[i].flushes = 0;
	return m;
}

/* A device of some node accesses a page, and the node reads the whole line. */
static u32 access(struct machine *m, unsigned int node, unsigned int page)
{
	unsigned int line = page / GART_LINE_ENTRIES;
	struct cache *cache = &m->cache[node];

	if (page >= ENTRIES)
		return 0;
	if (!cache->have[line])
		memcpy(&cache->entry[line * GART_LINE_ENTRIES],
		       m->pt.table + line * 64, 64);
	cache->have[line] = true;
	return cache->entry[page];
}

/*
 * Devices of all nodes access some pages, and bridges read on behind the end.
 * Returns how many pages are not where the table says.
 */
static unsigned int use(struct machine *m, unsigned int page, unsigned int n)
{
	unsigned int node, i, stale = 0;

	for (node = 0; node < m->hw.nodes; node++) {
		access(m, node, page + n);
		for (i = page; i < page + n; i++)
			stale += access(m, node, i) !=
				 ((u32 *)m->pt.table)[i];
	}
	return stale;
}

static u64 iova_of(unsigned int page)
{
	return APERTURE + page * SZ_4K;
}

/* In pieces of @piece pages; returns what gart_use() does */
static int map_pieces(struct machine *m, unsigned int page, unsigned int n,
		      unsigned int piece, u64 phys)
{
	size_t mapped = 0;
	unsigned int i;

	for (i = 0; i < n; i += piece)
		flat_pt_map(&m->pt, iova_of(page + i), phys + i * SZ_4K,
			    min(piece, n - i), IOMMU_READ, &mapped);
	rule(m, mapped == n * SZ_4K, "not mapped");
	return gart_use(&m->hw, iova_of(page), n * SZ_4K);
}

static void unmap(struct machine *m, unsigned int page, unsigned int n)
{
	rule(m, flat_pt_unmap(&m->pt, iova_of(page), n) == n * SZ_4K,
	     "not unmapped");
	gart_leave(&m->hw, iova_of(page), n * SZ_4K);
}

/* Maps, uses; the number of flushes that it took, or an error */
static int map_and_use(struct machine *m, unsigned int page, unsigned int n)
{
	unsigned int before = m->nodes[0].flushes;
	int ret = map_pieces(m, page, n, 1, PHYS + page * SZ_4K);

	if (ret)
		return ret;
	rule(m, !use(m, page, n), "old entries were used");
	return m->nodes[0].flushes - before;
}

static void gart_use_of_fresh_lines_needs_no_flush(struct kunit *test)
{
	struct machine *m = make_running(test, 2);
	unsigned int round;

	for (round = 0; round < 3; round++) {
		/* One page, a line but for its last one, and more than a line */
		KUNIT_EXPECT_EQ(test, 0, map_and_use(m, 0, 1));
		KUNIT_EXPECT_EQ(test, 0, map_and_use(m, 16, 15));
		KUNIT_EXPECT_EQ(test, 0, map_and_use(m, 32, 17));
		KUNIT_EXPECT_EQ(test, 0, map_and_use(m, 64, 3));
		unmap(m, 0, 1);
		unmap(m, 16, 15);
		/* In parts */
		unmap(m, 47, 2);
		unmap(m, 32, 15);
		unmap(m, 64, 3);
		KUNIT_EXPECT_EQ(test, 0, gart_flush(&m->hw));
	}
	expect_rules_kept(test, m);
}

static void gart_use_of_used_lines_flushes(struct kunit *test)
{
	struct machine *m = make_running(test, 2);

	KUNIT_EXPECT_EQ(test, 0, map_and_use(m, 0, 1));
	KUNIT_EXPECT_EQ(test, 1, map_and_use(m, 1, 1));
	/* Nothing has been left, so that a flush does not help. */
	KUNIT_EXPECT_EQ(test, 0, gart_flush(&m->hw));
	rule(m, !use(m, 0, 2), "old entries were used");
	KUNIT_EXPECT_EQ(test, 1, map_and_use(m, 15, 1));
	/* Behind an end */
	KUNIT_EXPECT_EQ(test, 1, map_and_use(m, 16, 16));
	KUNIT_EXPECT_EQ(test, 1, map_and_use(m, 47, 1));
	unmap(m, 16, 16);
	KUNIT_EXPECT_EQ(test, 0, gart_flush(&m->hw));
	rule(m, !use(m, 15, 1), "old entries were used");
	rule(m, !use(m, 47, 1), "old entries were used");
	KUNIT_EXPECT_EQ(test, 1, map_and_use(m, 17, 1));
	KUNIT_EXPECT_EQ(test, 1, map_and_use(m, 48, 1));
	expect_rules_kept(test, m);
}

static void gart_use_of_left_lines_flushes(struct kunit *test)
{
	struct machine *m = make_running(test, 2);

	KUNIT_EXPECT_EQ(test, 0, map_and_use(m, 0, 1));
	unmap(m, 0, 1);
	KUNIT_EXPECT_EQ(test, 1, map_and_use(m, 1, 1));
	unmap(m, 1, 1);
	KUNIT_EXPECT_EQ(test, 1, map_and_use(m, 0, 1));
	/* The line behind an end is left, too. */
	KUNIT_EXPECT_EQ(test, 0, map_and_use(m, 32, 16));
	unmap(m, 32, 16);
	KUNIT_EXPECT_EQ(test, 1, map_and_use(m, 48, 1));
	/* One flush was enough for both lines. */
	KUNIT_EXPECT_EQ(test, 0, map_and_use(m, 40, 1));
	unmap(m, 40, 1);
	KUNIT_EXPECT_EQ(test, 1, map_and_use(m, 33, 1));
	/* The last line of the aperture has none behind it. */
	KUNIT_EXPECT_EQ(test, 0, gart_use(&m->hw, m->hw.first + m->hw.bytes -
					  SZ_64K, SZ_64K));
	gart_leave(&m->hw, m->hw.first + m->hw.bytes - SZ_64K, SZ_64K);
	expect_rules_kept(test, m);
}

/* While a flush is under way, a device uses what it has, for the last time. */
static void leave_meanwhile(struct machine *m)
{
	use(m, 0, 16);
	unmap(m, 0, 16);
}

static void gart_leave_waits_for_the_next_flush(struct kunit *test)
{
	struct machine *m = make_running(test, 2);

	KUNIT_EXPECT_EQ(test, 0, map_and_use(m, 0, 16));
	m->meanwhile = leave_meanwhile;
	KUNIT_EXPECT_EQ(test, 0, gart_flush(&m->hw));
	KUNIT_EXPECT_EQ(test, 1, map_and_use(m, 0, 1));
	KUNIT_EXPECT_EQ(test, 0, map_and_use(m, 16, 1));
	expect_rules_kept(test, m);

	/* In the line of one that left before it, and behind it */
	unmap(m, 0, 1);
	unmap(m, 16, 1);
	KUNIT_EXPECT_EQ(test, 0, gart_flush(&m->hw));
	KUNIT_EXPECT_EQ(test, 0, map_and_use(m, 0, 16));
	m->meanwhile = leave_meanwhile;
	KUNIT_EXPECT_EQ(test, 0, gart_flush(&m->hw));
	KUNIT_EXPECT_EQ(test, 1, map_and_use(m, 17, 1));
	expect_rules_kept(test, m);
}

/* A bridge reads on from memory that lies before the aperture. */
static void gart_use_of_the_first_line_flushes(struct kunit *test)
{
	struct machine *m = make_running(test, 1);
	unsigned int round;

	KUNIT_ASSERT_EQ(test, 0, gart_start(&m->hw, TABLE_OK));
	for (round = 0; round < 3; round++) {
		access(m, 0, 0);
		KUNIT_EXPECT_EQ(test, 1, map_and_use(m, 0, 1));
		unmap(m, 0, 1);
		KUNIT_EXPECT_EQ(test, 0, gart_flush(&m->hw));
	}
	KUNIT_EXPECT_EQ(test, 0, map_and_use(m, 16, 1));
	expect_rules_kept(test, m);
}

/* A device that uses what it was never given is no danger to others then. */
static void gart_use_flushes_always(struct kunit *test)
{
	struct machine *m = make_running(test, 1);

	m->hw.always = true;
	access(m, 0, 17);
	KUNIT_EXPECT_EQ(test, 1, map_and_use(m, 16, 1));
	KUNIT_EXPECT_EQ(test, 1, map_and_use(m, 32, 1));
	expect_rules_kept(test, m);
}

/* What could not be flushed is in the way of later mappings, but of no others. */
static void gart_use_remembers_what_was_not_flushed(struct kunit *test)
{
	struct machine *m = make_running(test, 2);

	KUNIT_EXPECT_EQ(test, 0, map_and_use(m, 0, 1));
	unmap(m, 0, 1);
	m->nodes[1].stuck = true;
	KUNIT_EXPECT_EQ(test, -ETIMEDOUT, gart_flush(&m->hw));
	KUNIT_EXPECT_EQ(test, -ETIMEDOUT, map_and_use(m, 0, 1));
	unmap(m, 0, 1);
	KUNIT_EXPECT_EQ(test, 0, map_and_use(m, 16, 1));
	m->nodes[1].stuck = false;
	KUNIT_EXPECT_EQ(test, 1, map_and_use(m, 0, 1));
	expect_rules_kept(test, m);
}

/* What the compiler knows of the table is so: any request ends the same way. */
static void gart_known_table_is_the_table(struct kunit *test)
{
	struct machine *m = make_running(test, 1), *k = make_running(test, 1);
	const struct flat_pt known = gart_known_table(&k->pt);
	unsigned int i, n, page, done = 0;
	size_t mapped = 0, same = 0;
	struct rnd_state rnd;
	int prot, ret;
	u64 phys;

	KUNIT_EXPECT_PTR_EQ(test, m->pt.publish, known.publish);
	prandom_seed_state(&rnd, 40);
	for (i = 0; i < 4000; i++) {
		page = prandom_u32_state(&rnd) % (SZ_64K / 4 + 8);
		n = prandom_u32_state(&rnd) % 12;
		prot = prandom_u32_state(&rnd) % 4;
		/* Some above 40 bits, and some that are no pages */
		phys = (u64)prandom_u32_state(&rnd) << (8 + i % 2);
		phys &= i % 16 ? ~(SZ_4K - 1ULL) : ~0ULL;
		ret = flat_pt_map(&m->pt, iova_of(page), phys, n, prot, &mapped);
		KUNIT_EXPECT_EQ(test, ret,
				flat_pt_map_inline(&known, iova_of(page), phys,
						   n, prot, &same));
		KUNIT_EXPECT_EQ(test, mapped, same);
		done += !ret;
		page = prandom_u32_state(&rnd) % (SZ_64K / 4 + 8);
		KUNIT_EXPECT_EQ(test, flat_pt_unmap(&m->pt, iova_of(page), n),
				flat_pt_unmap_inline(&known, iova_of(page), n));
	}
	KUNIT_EXPECT_GT(test, done, 100);
	KUNIT_EXPECT_MEMEQ(test, m->pt.table, k->pt.table, SZ_64K);
}

/* A node that could not be started keeps devices from what was beneath. */
static void gart_use_fails_while_nothing_translates(struct kunit *test)
{
	struct machine *m = make_running(test, 2);

	m->nodes[1].no_writes = true;
	KUNIT_EXPECT_EQ(test, -EIO, gart_start(&m->hw, TABLE_OK));
	KUNIT_EXPECT_EQ(test, -EIO, map_and_use(m, 32, 1));
	unmap(m, 32, 1);
	m->nodes[1].no_writes = false;
	KUNIT_EXPECT_EQ(test, -EIO, map_and_use(m, 48, 1));
	unmap(m, 48, 1);
	KUNIT_EXPECT_EQ(test, 0, gart_start(&m->hw, TABLE_OK));
	KUNIT_EXPECT_EQ(test, 1, map_and_use(m, 32, 1));
	expect_rules_kept(test, m);
}

static void gart_running_is_what_nodes_agree_on(struct kunit *test)
{
	struct machine *m = make_machine(test, 3);
	phys_addr_t at = 1;

	KUNIT_ASSERT_EQ(test, 0, gart_find(&m->hw));
	KUNIT_EXPECT_EQ(test, 0, gart_running(&m->hw, &at));
	KUNIT_EXPECT_EQ(test, at, 0);
	KUNIT_ASSERT_EQ(test, 0, gart_start(&m->hw, TABLE_OK));
	/* Reserved bits */
	m->nodes[1].table |= 0xf;
	KUNIT_EXPECT_EQ(test, 0, gart_running(&m->hw, &at));
	KUNIT_EXPECT_EQ(test, at, TABLE_OK);
	m->nodes[2].table += 0x10;
	KUNIT_EXPECT_EQ(test, -EBUSY, gart_running(&m->hw, &at));
	m->nodes[2].table -= 0x10;
	m->nodes[2].control &= ~1;
	KUNIT_EXPECT_EQ(test, -EBUSY, gart_running(&m->hw, &at));
	m->nodes[2].control |= 1;
	KUNIT_EXPECT_EQ(test, 0, gart_running(&m->hw, &at));
	m->nodes[2].gone = true;
	KUNIT_EXPECT_EQ(test, -EIO, gart_running(&m->hw, &at));
	expect_rules_kept(test, m);
}

/* Pages 256 to 258, and the last one; its MB are numbers 1 and 63. */
static void map_before_the_crash(struct kunit *test, struct machine *m)
{
	size_t mapped = 0;

	KUNIT_ASSERT_EQ(test, 0, flat_pt_map(&m->pt, iova_of(256), PHYS, 3,
					     IOMMU_READ, &mapped));
	KUNIT_ASSERT_EQ(test, 0, flat_pt_map(&m->pt, iova_of(SZ_64K / 4 - 1),
					     PHYS, 1, IOMMU_READ, &mapped));
}

static void gart_table_adopt_keeps_what_is_mapped(struct kunit *test)
{
	struct machine *m = make_running(test, 1);
	unsigned long used = 0;
	struct flat_pt pt;
	size_t mapped = 0;

	map_before_the_crash(test, m);
	KUNIT_ASSERT_EQ(test, 0, gart_table_adopt(&pt, &m->hw, m->pt.table,
						  &used));
	KUNIT_EXPECT_EQ(test, used, BIT(1) | BIT(63));
	KUNIT_EXPECT_EQ(test, pt.empty, m->pt.empty);
	KUNIT_EXPECT_EQ(test, pt.first, m->pt.first);
	KUNIT_EXPECT_EQ(test, pt.pages, m->pt.pages);
	KUNIT_EXPECT_EQ(test, -EADDRINUSE,
			flat_pt_map(&pt, iova_of(258), 0, 1, IOMMU_READ,
				    &mapped));
	KUNIT_EXPECT_EQ(test, 0, flat_pt_map(&pt, iova_of(0), 0, 256,
					     IOMMU_READ, &mapped));
	KUNIT_EXPECT_EQ(test, flat_pt_unmap(&pt, iova_of(0), 256), SZ_1M);
	KUNIT_EXPECT_EQ(test, flat_pt_iova_to_phys(&pt, iova_of(257)),
			PHYS + SZ_4K);
}

static void gart_table_adopt_refuses_what_is_no_table(struct kunit *test)
{
	struct machine *m = make_running(test, 1);
	__le32 *entries = m->pt.table;
	const __le32 good = entries[5];
	unsigned int bit;
	unsigned long used = 0;
	struct flat_pt pt;

	for (bit = 0; bit < 32; bit++) {
		/* Each node has it valid. Two bits are reserved. */
		int want = bit == 0 || bit == 2 || bit == 3 ? -EINVAL : 0;

		entries[5] = good ^ cpu_to_le32(BIT(bit));
		KUNIT_EXPECT_EQ_MSG(test, want,
				    gart_table_adopt(&pt, &m->hw, entries,
						     &used), "bit %u", bit);
	}
	memset(entries, 0, SZ_64K);
	KUNIT_EXPECT_EQ(test, -EINVAL, gart_table_adopt(&pt, &m->hw, entries,
							&used));
}

/* More than half have to be empty, wherever they are. */
static void gart_table_adopt_refuses_a_full_table(struct kunit *test)
{
	struct machine *m = make_running(test, 1);
	unsigned long pages = m->pt.pages, i, used = 0;
	struct flat_pt pt;
	size_t mapped = 0;

	for (i = 0; i < pages / 2; i++)
		KUNIT_ASSERT_EQ(test, 0,
				flat_pt_map(&m->pt, iova_of(2 * i),
					    i % 3 ? PHYS : PHYS + i * SZ_4K, 1,
					    IOMMU_READ, &mapped));
	KUNIT_EXPECT_EQ(test, -ENOSPC, gart_table_adopt(&pt, &m->hw,
							m->pt.table, &used));
	flat_pt_unmap(&m->pt, iova_of(0), 1);
	KUNIT_EXPECT_EQ(test, 0, gart_table_adopt(&pt, &m->hw, m->pt.table,
						  &used));
	KUNIT_EXPECT_EQ(test, pt.empty, m->pt.empty);
}

/* Where is room for a random range? */
static bool find_room(struct rnd_state *rnd, const unsigned int *sizes,
		      unsigned int *page, unsigned int *n)
{
	unsigned int i, end;

	*n = 1 + prandom_u32_state(rnd) % (prandom_u32_state(rnd) % 4 ? 3 : 33);
	*page = prandom_u32_state(rnd) % ENTRIES;
	/* Ends of lines are where it is easy to be wrong. */
	if (prandom_u32_state(rnd) % 2)
		*page = *page & ~15;
	if (*page + *n > ENTRIES)
		return false;
	for (i = 0; i < *page + *n; i++) {
		end = i + sizes[i];
		if (sizes[i] && end > *page)
			return false;
	}
	return true;
}

/* Mappings come and go and are used, in any order; none shows old memory. */
static void gart_lines_at_random(struct kunit *test)
{
	struct machine *m = make_running(test, 3);
	unsigned int sizes[ENTRIES] = {};
	unsigned int i, page, n, maps = 0, stale = 0;
	struct rnd_state rnd;
	u64 phys = PHYS;

	prandom_seed_state(&rnd, 156);
	for (i = 0; i < 40000; i++) {
		page = prandom_u32_state(&rnd) % ENTRIES;
		switch (prandom_u32_state(&rnd) % 4) {
		case 0:
			if (!find_room(&rnd, sizes, &page, &n))
				break;
			sizes[page] = n;
			KUNIT_EXPECT_EQ(test, 0, map_pieces(m, page, n, 1 +
					prandom_u32_state(&rnd) % 8, phys));
			phys += n * SZ_4K;
			maps++;
			break;
		case 1:
			if (sizes[page])
				unmap(m, page, sizes[page]);
			sizes[page] = 0;
			break;
		case 2:
			if (prandom_u32_state(&rnd) % 16 == 0)
				KUNIT_EXPECT_EQ(test, 0, gart_flush(&m->hw));
			break;
		}
		page = prandom_u32_state(&rnd) % ENTRIES;
		if (sizes[page])
			stale += use(m, page, sizes[page]);
	}
	KUNIT_EXPECT_EQ(test, stale, 0);
	KUNIT_EXPECT_GT(test, maps, 1000);
	expect_rules_kept(test, m);
}

static struct kunit_case gart_cases[] = {
	KUNIT_CASE(gart_find_takes_what_nodes_agree_on),
	KUNIT_CASE(gart_find_refuses_nodes_that_disagree),
	KUNIT_CASE(gart_find_refuses_garbage),
	KUNIT_CASE(gart_start_goes_step_by_step),
	KUNIT_CASE(gart_start_begins_anew),
	KUNIT_CASE(gart_start_refuses_a_table_beyond_40_bits),
	KUNIT_CASE(gart_start_stops_when_it_fails),
	KUNIT_CASE(gart_flush_waits_for_all_nodes),
	KUNIT_CASE(gart_flush_may_be_shared),
	KUNIT_CASE(gart_flush_gives_up_in_time),
	KUNIT_CASE(gart_flush_clears_a_reported_error),
	KUNIT_CASE(gart_table_is_all_scratch_from_the_start),
	KUNIT_CASE(gart_table_has_40_bits),
	KUNIT_CASE(gart_use_of_fresh_lines_needs_no_flush),
	KUNIT_CASE(gart_use_of_used_lines_flushes),
	KUNIT_CASE(gart_use_of_left_lines_flushes),
	KUNIT_CASE(gart_use_of_the_first_line_flushes),
	KUNIT_CASE(gart_use_flushes_always),
	KUNIT_CASE(gart_leave_waits_for_the_next_flush),
	KUNIT_CASE(gart_use_remembers_what_was_not_flushed),
	KUNIT_CASE(gart_known_table_is_the_table),
	KUNIT_CASE(gart_use_fails_while_nothing_translates),
	KUNIT_CASE(gart_running_is_what_nodes_agree_on),
	KUNIT_CASE(gart_table_adopt_keeps_what_is_mapped),
	KUNIT_CASE(gart_table_adopt_refuses_what_is_no_table),
	KUNIT_CASE(gart_table_adopt_refuses_a_full_table),
	KUNIT_CASE(gart_lines_at_random),
	{}
};

static struct kunit_suite gart_suite = {
	.name = "gart",
	.test_cases = gart_cases,
};

kunit_test_suite(gart_suite);

MODULE_DESCRIPTION("KUnit tests of the GART driver");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS("EXPORTED_FOR_KUNIT_TESTING");
