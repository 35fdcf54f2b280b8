// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of what is done to the registers of a PHB.
 *
 * A fake chip has registers, notes each access, and behaves as a real one
 * where that matters: its split queue takes a while to run empty, a SoftStop
 * may fail, reading PMCR turns it into a HardStop. It complains when TAR
 * changes while DMA could be going on.
 *
 * Notes: "r160" is a read and "w160=1" a write of the PHB's register 0x160, "t"
 * and "t=1" are those of its TAR, "q" is a read of its split queue, "c" and
 * "c=1" are those of CCR. Numbers are hexadecimal. They are those of the
 * hardware's description, on purpose not the names that the driver uses.
 */
#include <kunit/test.h>
#include <linux/seq_buf.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "calgary.h"

#define TAR_OTHERS	0xabcd000000005670ULL
#define AER		0xc0de
#define CONFIG		0x00080001	/* bits that are none of ours */
#define TABLE		0x12800000

/* Whether a chip is a CalIOC2 */
#define CALGARY		false
#define CALIOC2		true

enum stop { RUNS, SOFT, HARD };

struct fake {
	struct calgary_chip chip;
	struct calgary_phb *phb;
	u32 regs[0x1000 / 4];
	u64 tar;
	u64 ccr;
	u64 ns_per_access;
	/* Reads of the split queue until it is empty, and how many are left */
	unsigned int busy;
	unsigned int left;
	/* SoftStops that fail */
	unsigned int faults;
	unsigned int failed;
	enum stop stop;
	bool pushed;
	bool drained;
	/* Slots that are off stay so */
	bool dead;
	unsigned int queue_reads;
	unsigned int bad;
	struct seq_buf log;
	char notes[2000];
};

/* Tests come one by one. */
static u64 fake_ns;
/* How much the clock steps back, once it has been read */
static u64 fake_back;

/* Where registers seem to be, a fake is: at a multiple of this. */
#define FAKE_SPACE	SZ_64K

static struct fake *to_fake(const void __iomem *reg)
{
	return (struct fake *)((unsigned long)reg & ~(FAKE_SPACE - 1UL));
}

static unsigned int to_offset(const void __iomem *reg)
{
	return (unsigned long)reg & (FAKE_SPACE - 1);
}

static u32 *at(struct fake *f, unsigned int offset)
{
	/* Those of another PHB are none of its business. */
	if (offset >> 12 != 8 + f->phb->nr)
		f->bad++;
	return &f->regs[(offset & 0xfff) / 4];
}

static u32 fake_read32(const void __iomem *reg)
{
	unsigned int offset = to_offset(reg);
	struct fake *f = to_fake(reg);
	u32 value = *at(f, offset);

	fake_ns += f->ns_per_access;
	offset &= 0xfff;
	seq_buf_printf(&f->log, "r%x ", offset);
	switch (offset) {
	case 0x120:
		f->pushed = !f->regs[0x200 / 4];
		break;
	case 0xda0:
		if (f->stop == SOFT && f->faults) {
			f->faults--;
			f->failed++;
			return 0x40000000;
		}
		break;
	case 0xda8:
		if (f->stop == SOFT && f->queue_reads)
			f->stop = HARD;
		break;
	}
	return value;
}

static void fake_write32(u32 value, void __iomem *reg)
{
	unsigned int offset = to_offset(reg);
	struct fake *f = to_fake(reg);

	fake_ns += f->ns_per_access;
	if (f->dead && (offset & 0xfff) == 0x160)
		value |= *at(f, offset) & 0x1c000000;
	*at(f, offset) = value;
	offset &= 0xfff;
	seq_buf_printf(&f->log, "w%x=%x ", offset, value);
	if (offset == 0x200) {
		f->pushed = false;
		f->drained = false;
	}
	if (offset == 0x200 || offset == 0xda8)
		f->left = f->busy;
	if (offset == 0xda8) {
		f->stop = value & 0x80000000 ? SOFT : RUNS;
		f->queue_reads = 0;
	}
}

static u64 fake_read64(const void __iomem *reg)
{
	unsigned int offset = to_offset(reg);
	struct fake *f = to_fake(reg);
	unsigned int nr = f->phb->nr;

	fake_ns += f->ns_per_access;
	if (offset == 0x108) {
		seq_buf_puts(&f->log, "c ");
		return f->ccr;
	}
	if (offset == 0x580 + 8 * nr) {
		seq_buf_puts(&f->log, "t ");
		return f->tar;
	}
	if (offset != 0x4870 + 0x1000 * nr)
		f->bad++;
	seq_buf_puts(&f->log, "q ");
	f->queue_reads++;
	if (f->left) {
		f->left--;
		/* All but the byte at the lowest address */
		return 0x7fffffffffffffff;
	}
	f->drained = f->pushed;
	return 0xff00000000000000;
}

static void fake_write64(u64 value, void __iomem *reg)
{
	unsigned int offset = to_offset(reg);
	struct fake *f = to_fake(reg);
	bool on = f->regs[0x160 / 4] & 0x20000000;
	bool off = (f->regs[0x160 / 4] & 0x1c000000) == 0x1c000000;

	fake_ns += f->ns_per_access;
	if (offset == 0x108) {
		seq_buf_printf(&f->log, "c=%llx ", value);
		f->ccr = value;
		return;
	}
	if (offset != 0x580 + 8 * f->phb->nr || (value & 0xffff000000007ff0) !=
	    TAR_OTHERS)
		f->bad++;
	if (on && !off && f->stop != HARD && !f->drained && f->busy < 100)
		f->bad++;
	seq_buf_printf(&f->log, "t=%llx ", value);
	f->tar = value;
}

static u64 fake_now(void)
{
	u64 ns = fake_ns;

	fake_ns -= fake_back;
	fake_back = 0;
	return ns;
}

static const struct calgary_io fake_io = {
	.read32 = fake_read32,
	.write32 = fake_write32,
	.read64 = fake_read64,
	.write64 = fake_write64,
	.now = fake_now,
};

static void forget(struct fake *f)
{
	memset(f->notes, 0, sizeof(f->notes));
	seq_buf_init(&f->log, f->notes, sizeof(f->notes));
	f->queue_reads = 0;
	fake_ns = 0;
}

static struct fake *new_fake(struct kunit *test, bool calioc2,
			     unsigned int nr)
{
	struct fake *f = kunit_kzalloc(test, FAKE_SPACE, GFP_KERNEL);

	BUILD_BUG_ON(sizeof(*f) > FAKE_SPACE);
	KUNIT_ASSERT_NOT_NULL(test, f);
	KUNIT_ASSERT_TRUE(test, IS_ALIGNED((unsigned long)f, FAKE_SPACE));
	f->chip.io = &fake_io;
	f->chip.regs = (void __iomem *)f;
	f->phb = &f->chip.phbs[nr];
	f->regs[0x160 / 4] = CONFIG;
	f->phb->nr = nr;
	forget(f);
	calgary_phb_init(&f->chip, nr);
	f->phb->calioc2 = calioc2;
	f->phb->first_bus = 2;
	f->tar = TAR_OTHERS;
	f->regs[0x200 / 4] = AER;
	forget(f);
	return f;
}

/* One that translates by the largest table */
static struct fake *started(struct kunit *test, bool calioc2)
{
	struct fake *f = new_fake(test, calioc2, 0);

	KUNIT_ASSERT_EQ(test, calgary_phb_use(f->phb, TABLE | 7), 0);
	forget(f);
	return f;
}

static void expect_notes(struct kunit *test, struct fake *f, const char *text)
{
	KUNIT_EXPECT_STREQ(test, f->notes, text);
	KUNIT_EXPECT_EQ(test, f->bad, 0);
}

#define TAR_WRITE	"t t=abcd000012805677 t "
#define CALGARY_FLUSH	"r200 w200=0 r120 q t t=abcd000012805677 t w200=c0de r200 "
#define SOFT_STOP	"rda8 wda8=80000000 q rda0 "
#define FAILED_STOP	"rda8 wda8=80000000 q rda0 wda8=0 rda8 "
#define HARD_STOP	"rda8 rda0 "
#define CALIOC2_RESUME	"rda8 wda8=0 rda8 "
#define CALIOC2_FLUSH	"rda8 wda8=80000000 q rda0 rda8 rda0 t t=abcd000012805677 t rda8 wda8=0 rda8 "
#define ISOLATE		"r160 r160 w160=3d180001 r160 "
#define DETAILS		"r290 r800 r810 r820 r830 r840 r850 r860 r870 "
#define START		"r160 r160 w160=80001 r160 " TAR_WRITE

static void calgary_is_started_table_first(struct kunit *test)
{
	unsigned int nr;

	for (nr = 0; nr < 4; nr++) {
		struct fake *f = new_fake(test, CALGARY, nr);

		KUNIT_EXPECT_EQ(test, calgary_phb_use(f->phb, TABLE | 7), 0);
		expect_notes(test, f, START "w110=0 r160 w160=21180001 r160 ");
		KUNIT_EXPECT_EQ(test, f->phb->state, CALGARY_ON);
	}
}

static void calioc2_is_started_with_its_quirk(struct kunit *test)
{
	struct fake *f = new_fake(test, CALIOC2, 0);

	f->phb->first_bus = 1;
	f->regs[0xdb0 / 4] = 5;
	KUNIT_EXPECT_EQ(test, calgary_phb_use(f->phb, TABLE | 7), 0);
	expect_notes(test, f, START
		     "w110=0 rdb0 wdb0=800005 r160 w160=21180001 r160 ");
}

static void bus_1_of_calgary_waits_longer(struct kunit *test)
{
	/* IBM bits 16-19, 20-23, 24-27 and 32-35 */
	static const u64 values[] = {
		0x1111e11111111111, 0x11111e1111111111, 0x111111e111111111,
		0x11111111e1111111,
	};
	unsigned int nr;

	for (nr = 0; nr < 4; nr++) {
		struct fake *f = new_fake(test, CALGARY, nr);

		f->phb->first_bus = 1;
		f->ccr = 0x1111111111111111;
		KUNIT_EXPECT_EQ(test, calgary_phb_use(f->phb, TABLE | 7), 0);
		KUNIT_EXPECT_EQ(test, f->ccr, values[nr]);
		KUNIT_EXPECT_EQ(test, f->bad, 0);
	}
}

static void each_size_has_its_code(struct kunit *test)
{
	unsigned int code;

	for (code = 0; code <= 7; code++) {
		struct fake *f = new_fake(test, CALGARY, 0);

		calgary_phb_use(f->phb, TABLE | code);
		KUNIT_EXPECT_EQ(test, f->tar, TAR_OTHERS | TABLE | code);
		KUNIT_EXPECT_EQ(test, CALGARY_TABLE_BYTES(code),
				SZ_64K << code);
	}
}

static void calgary_flush_drains_first(struct kunit *test)
{
	struct fake *f = started(test, CALGARY);

	KUNIT_EXPECT_EQ(test, calgary_phb_flush(f->phb), 0);
	expect_notes(test, f, CALGARY_FLUSH);
	f->busy = 3;
	forget(f);
	KUNIT_EXPECT_EQ(test, calgary_phb_flush(f->phb), 0);
	expect_notes(test, f, "r200 w200=0 r120 q q q q " TAR_WRITE
		     "w200=c0de r200 ");
}

static void calgary_goes_on_when_the_queue_stays_full(struct kunit *test)
{
	struct calgary_errors errors;
	struct fake *f = started(test, CALGARY);

	f->busy = UINT_MAX;
	KUNIT_EXPECT_EQ(test, calgary_phb_flush(f->phb), 0);
	KUNIT_EXPECT_EQ(test, f->queue_reads, 100);
	KUNIT_EXPECT_EQ(test, f->regs[0x200 / 4], AER);
	/* It is said once, and not in here. */
	KUNIT_EXPECT_FALSE(test, calgary_phb_check(f->phb, &errors));
	KUNIT_ASSERT_NOT_NULL(test, errors.news);
	KUNIT_EXPECT_NOT_NULL(test, strstr(errors.news, "still busy"));
	KUNIT_EXPECT_NOT_NULL(test, strstr(f->notes, "q " TAR_WRITE
					   "w200=c0de r200 "));
	KUNIT_EXPECT_EQ(test, f->phb->state, CALGARY_ON);
	/* Nor again, each time that somebody looks at one that is slow. */
	KUNIT_EXPECT_EQ(test, calgary_phb_flush(f->phb), 0);
	KUNIT_EXPECT_FALSE(test, calgary_phb_check(f->phb, &errors));
	KUNIT_EXPECT_NULL(test, errors.news);
}

/* All that there is to be said in the life of a CalIOC2 */
static void news_is_told_once_until_slots_go_on(struct kunit *test)
{
	struct calgary_errors errors;
	struct fake *f = started(test, CALIOC2);
	unsigned int i;

	for (i = 0; i < 2; i++) {
		f->busy = UINT_MAX;
		f->faults = 0;
		KUNIT_EXPECT_EQ(test, calgary_phb_flush(f->phb), 0);
		KUNIT_EXPECT_FALSE(test, calgary_phb_check(f->phb, &errors));
		KUNIT_ASSERT_NOT_NULL(test, errors.news);
		KUNIT_EXPECT_NOT_NULL(test, strstr(errors.news, "busy"));
		/* What it was before does not matter when it is off. */
		f->faults = UINT_MAX;
		KUNIT_EXPECT_EQ(test, i ? calgary_phb_use(f->phb, TABLE | 6)
					: calgary_phb_flush(f->phb), -EIO);
		KUNIT_EXPECT_FALSE(test, calgary_phb_check(f->phb, &errors));
		KUNIT_ASSERT_NOT_NULL(test, errors.news);
		KUNIT_EXPECT_STREQ(test, errors.news,
				   "does not stop: its slots are off");
		KUNIT_EXPECT_FALSE(test, calgary_phb_check(f->phb, &errors));
		KUNIT_EXPECT_NULL(test, errors.news);
		KUNIT_EXPECT_EQ(test, calgary_phb_enable(f->phb), 0);
		KUNIT_EXPECT_FALSE(test, calgary_phb_check(f->phb, &errors));
		KUNIT_EXPECT_NULL(test, errors.news);
	}
}

/* Nobody looks between. */
static void isolation_right_after_slots_go_on_is_news(struct kunit *test)
{
	struct fake *f = started(test, CALIOC2);
	struct calgary_errors errors;
	unsigned int i;

	f->busy = UINT_MAX;
	f->faults = UINT_MAX;
	for (i = 0; i < 2; i++) {
		KUNIT_EXPECT_EQ(test, calgary_phb_flush(f->phb), -EIO);
		KUNIT_EXPECT_FALSE(test, calgary_phb_check(f->phb, &errors));
		KUNIT_ASSERT_NOT_NULL(test, errors.news);
		KUNIT_EXPECT_STREQ(test, errors.news,
				   "does not stop: its slots are off");
		KUNIT_EXPECT_EQ(test, calgary_phb_enable(f->phb), 0);
	}
}

static void drain_is_bounded_by_time(struct kunit *test)
{
	struct fake *f = started(test, CALGARY);

	f->busy = UINT_MAX;
	f->ns_per_access = 500 * NSEC_PER_USEC;
	KUNIT_EXPECT_EQ(test, calgary_phb_flush(f->phb), 0);
	KUNIT_EXPECT_LE(test, f->queue_reads, 10);
	KUNIT_EXPECT_LE(test, fake_ns, 10 * NSEC_PER_MSEC);
	KUNIT_EXPECT_EQ(test, f->regs[0x200 / 4], AER);
}

static void clock_that_steps_back_ends_nothing(struct kunit *test)
{
	struct fake *f = started(test, CALGARY);

	f->busy = 3;
	fake_back = 50;
	KUNIT_EXPECT_EQ(test, calgary_phb_flush(f->phb), 0);
	KUNIT_EXPECT_EQ(test, fake_back, 0);
	KUNIT_EXPECT_EQ(test, f->queue_reads, 4);
	KUNIT_EXPECT_NULL(test, f->phb->news);
	f = started(test, CALIOC2);
	f->faults = 2;
	fake_back = 50;
	KUNIT_EXPECT_EQ(test, calgary_phb_flush(f->phb), 0);
	KUNIT_EXPECT_EQ(test, f->failed, 2);
	KUNIT_EXPECT_EQ(test, f->phb->state, CALGARY_ON);
}

/* As by firmware, or a hypervisor: the chip has seen a few accesses only. */
static void cpu_that_is_stopped_ends_nothing(struct kunit *test)
{
	struct fake *f = started(test, CALGARY);

	f->busy = 9;
	fake_back = -(u64)NSEC_PER_SEC;
	KUNIT_EXPECT_EQ(test, calgary_phb_flush(f->phb), 0);
	KUNIT_EXPECT_EQ(test, f->queue_reads, 10);
	KUNIT_EXPECT_NULL(test, f->phb->news);
	KUNIT_EXPECT_EQ(test, f->bad, 0);
	f = started(test, CALIOC2);
	f->faults = 9;
	fake_back = -(u64)NSEC_PER_SEC;
	KUNIT_EXPECT_EQ(test, calgary_phb_flush(f->phb), 0);
	KUNIT_EXPECT_EQ(test, f->failed, 9);
	KUNIT_EXPECT_EQ(test, f->phb->state, CALGARY_ON);
}

static void calioc2_flush_stops_hard(struct kunit *test)
{
	struct fake *f = started(test, CALIOC2);

	KUNIT_EXPECT_EQ(test, calgary_phb_flush(f->phb), 0);
	expect_notes(test, f, CALIOC2_FLUSH);
	KUNIT_EXPECT_EQ(test, f->stop, RUNS);
}

static void failed_soft_stop_is_undone_and_tried_again(struct kunit *test)
{
	struct fake *f = started(test, CALIOC2);

	f->faults = 2;
	KUNIT_EXPECT_EQ(test, calgary_phb_flush(f->phb), 0);
	expect_notes(test, f, FAILED_STOP FAILED_STOP CALIOC2_FLUSH);
	KUNIT_EXPECT_EQ(test, f->failed, 2);
	KUNIT_EXPECT_EQ(test, f->phb->state, CALGARY_ON);
}

/* 60 reads are within the limit of each try, not within one of all tries. */
static void each_try_may_poll_as_often(struct kunit *test)
{
	struct fake *f = started(test, CALIOC2);

	f->faults = 2;
	f->busy = 60;
	KUNIT_EXPECT_EQ(test, calgary_phb_flush(f->phb), 0);
	KUNIT_EXPECT_EQ(test, f->failed, 2);
	KUNIT_EXPECT_EQ(test, f->bad, 0);
}

static void chip_that_never_stops_is_isolated(struct kunit *test)
{
	struct calgary_errors errors;
	struct fake *f = started(test, CALIOC2);
	u64 tar = f->tar;

	f->faults = UINT_MAX;
	KUNIT_EXPECT_EQ(test, calgary_phb_flush(f->phb), -EIO);
	KUNIT_EXPECT_EQ(test, f->failed, 100);
	KUNIT_EXPECT_FALSE(test, calgary_phb_check(f->phb, &errors));
	KUNIT_ASSERT_NOT_NULL(test, errors.news);
	KUNIT_EXPECT_NOT_NULL(test, strstr(errors.news, "not stop"));
	KUNIT_EXPECT_FALSE(test, calgary_phb_check(f->phb, &errors));
	KUNIT_EXPECT_NULL(test, errors.news);
	/* No stop stays half done, and no device is left with stale TCEs. */
	KUNIT_EXPECT_EQ(test, f->regs[0xda8 / 4], 0);
	KUNIT_EXPECT_EQ(test, f->regs[0x160 / 4], 0x3d180001);
	KUNIT_EXPECT_EQ(test, f->phb->state, CALGARY_ISOLATED);
	KUNIT_EXPECT_EQ(test, f->tar, tar);
	forget(f);
	KUNIT_EXPECT_EQ(test, calgary_phb_flush(f->phb), 0);
	expect_notes(test, f, "");
}

static void tries_are_bounded_by_time(struct kunit *test)
{
	struct fake *f = started(test, CALIOC2);

	f->faults = UINT_MAX;
	f->ns_per_access = 100 * NSEC_PER_USEC;
	KUNIT_EXPECT_EQ(test, calgary_phb_flush(f->phb), -EIO);
	KUNIT_EXPECT_LE(test, f->failed, 10);
	KUNIT_EXPECT_LE(test, fake_ns, 10 * NSEC_PER_MSEC);
	KUNIT_EXPECT_EQ(test, f->regs[0xda8 / 4], 0);
}

static void one_flush_does_for_all_that_wait(struct kunit *test)
{
	struct fake *f = started(test, CALGARY);

	/* As if another CPU had begun one after this one took its ticket */
	f->phb->done = 1;
	KUNIT_EXPECT_EQ(test, calgary_phb_flush(f->phb), 0);
	expect_notes(test, f, "");
	KUNIT_EXPECT_EQ(test, calgary_phb_flush(f->phb), 0);
	expect_notes(test, f, CALGARY_FLUSH);
	KUNIT_EXPECT_EQ(test, f->phb->done, 2);
}

static void nothing_is_flushed_that_does_not_translate(struct kunit *test)
{
	struct fake *f = new_fake(test, CALGARY, 0);

	KUNIT_EXPECT_EQ(test, calgary_phb_flush(f->phb), 0);
	expect_notes(test, f, "");
}

static void tables_are_replaced_without_dma(struct kunit *test)
{
	struct fake *f = started(test, CALGARY);

	KUNIT_EXPECT_EQ(test, calgary_phb_use(f->phb, 0x40000000 | 3), 0);
	expect_notes(test, f,
		     "r160 r200 w200=0 r120 q t t=abcd000040005673 t r160 w160=21180001 r160 w200=c0de r200 ");
	f = started(test, CALIOC2);
	KUNIT_EXPECT_EQ(test, calgary_phb_use(f->phb, 0x40000000 | 3), 0);
	expect_notes(test, f, "r160 " SOFT_STOP HARD_STOP
		     "t t=abcd000040005673 t rdb0 wdb0=800000 r160 w160=21180001 r160 "
		     CALIOC2_RESUME);
}

static void stop_leaves_what_is_not_ours(struct kunit *test)
{
	struct fake *f = started(test, CALGARY);

	KUNIT_EXPECT_EQ(test, calgary_phb_use(f->phb, 0), 0);
	expect_notes(test, f,
		     "r160 r200 w200=0 r120 q r160 w160=80001 r160 t t=abcd000000005670 t w200=c0de r200 ");
	KUNIT_EXPECT_EQ(test, f->phb->state, CALGARY_OFF);
	forget(f);
	KUNIT_EXPECT_EQ(test, calgary_phb_use(f->phb, 0), 0);
	KUNIT_EXPECT_EQ(test, f->regs[0x160 / 4], CONFIG);
	KUNIT_EXPECT_EQ(test, f->bad, 0);

	f = started(test, CALIOC2);
	KUNIT_EXPECT_EQ(test, calgary_phb_use(f->phb, 0), 0);
	expect_notes(test, f, "r160 " SOFT_STOP HARD_STOP
		     "r160 w160=80001 r160 t t=abcd000000005670 t "
		     CALIOC2_RESUME);
}

static void watchdog_of_calgary_isolates(struct kunit *test)
{
	struct calgary_errors errors;
	struct fake *f = started(test, CALGARY);

	/* An agent without an error is none. */
	f->regs[0x110 / 4] = 0x001f0000;
	KUNIT_EXPECT_FALSE(test, calgary_phb_check(f->phb, &errors));
	expect_notes(test, f, "r110 ");

	f->regs[0x110 / 4] = 0x80030000;
	f->regs[0x120 / 4] = 0x1234;
	forget(f);
	KUNIT_EXPECT_TRUE(test, calgary_phb_check(f->phb, &errors));
	expect_notes(test, f, "r110 r120 " DETAILS "w110=0 " ISOLATE);
	KUNIT_EXPECT_EQ(test, errors.csr, 0x80030000);
	KUNIT_EXPECT_EQ(test, errors.details[0], 0x1234);

	/* Once isolated, it is left alone. */
	f->regs[0x110 / 4] = 0x80030000;
	forget(f);
	KUNIT_EXPECT_FALSE(test, calgary_phb_check(f->phb, &errors));
	expect_notes(test, f, "");
}

static void each_error_bit_counts(struct kunit *test)
{
	struct calgary_errors errors;
	unsigned int bit;

	for (bit = 0; bit < 32; bit++) {
		struct fake *f = started(test, CALGARY);

		f->regs[0x110 / 4] = BIT(bit);
		KUNIT_EXPECT_EQ(test, calgary_phb_check(f->phb, &errors),
				bit < 16 || bit > 20);
	}
}

static void watchdog_of_calioc2_reads_details(struct kunit *test)
{
	struct calgary_errors errors;
	struct fake *f = started(test, CALIOC2);
	unsigned int i;

	f->regs[0x110 / 4] = 1;
	f->regs[0x290 / 4] = 2;
	f->regs[0x800 / 4] = 3;
	f->regs[0xcb0 / 4] = 4;
	for (i = 0; i < 7; i++)
		f->regs[(0x810 + i * 0x10) / 4] = 10 + i;
	KUNIT_EXPECT_TRUE(test, calgary_phb_check(f->phb, &errors));
	expect_notes(test, f,
		     "r110 r120 " DETAILS "rcb0 w110=0 " ISOLATE);
	KUNIT_EXPECT_EQ(test, errors.details[1], 2);
	KUNIT_EXPECT_EQ(test, errors.details[2], 3);
	for (i = 0; i < 7; i++)
		KUNIT_EXPECT_EQ(test, errors.details[3 + i], 10 + i);
	KUNIT_EXPECT_EQ(test, errors.details[10], 4);
}

static struct fake *isolated(struct kunit *test, bool calioc2)
{
	struct calgary_errors errors;
	struct fake *f = started(test, calioc2);

	/* Firmware had one slot off. */
	f->regs[0x160 / 4] |= 0x04000000;
	f->regs[0x110 / 4] = 1;
	KUNIT_ASSERT_TRUE(test, calgary_phb_check(f->phb, &errors));
	KUNIT_ASSERT_EQ(test, f->regs[0x160 / 4], 0x3d180001);
	forget(f);
	return f;
}

/* Without DMA a chip need not be stopped, so that it need not be able to. */
static void enabling_forgets_first(struct kunit *test)
{
	static const bool kinds[] = { CALGARY, CALIOC2 };
	unsigned int i;

	for (i = 0; i < 2; i++) {
		struct fake *f = isolated(test, kinds[i]);

		f->faults = UINT_MAX;
		KUNIT_EXPECT_EQ(test, calgary_phb_enable(f->phb), 0);
		expect_notes(test, f,
			     "w110=0 r160 w160=1c080001 r160 " TAR_WRITE
			     "r160 w160=3d180001 r160 r160 w160=25180001 r160 r160 ");
		KUNIT_EXPECT_EQ(test, f->phb->state, CALGARY_ON);
		forget(f);
		KUNIT_EXPECT_EQ(test, calgary_phb_enable(f->phb), 0);
		expect_notes(test, f, "");
	}
}

static void slots_that_stay_off(struct kunit *test)
{
	struct fake *f = isolated(test, CALGARY);

	f->dead = true;
	KUNIT_EXPECT_EQ(test, calgary_phb_enable(f->phb), -EIO);
	KUNIT_EXPECT_EQ(test, f->phb->state, CALGARY_ISOLATED);
	f->dead = false;
	KUNIT_EXPECT_EQ(test, calgary_phb_enable(f->phb), 0);
	/* The one of firmware's, after all that */
	KUNIT_EXPECT_EQ(test, f->regs[0x160 / 4], 0x25180001);
}

static void tables_change_in_isolation(struct kunit *test)
{
	struct fake *f = isolated(test, CALGARY);

	KUNIT_EXPECT_EQ(test, calgary_phb_use(f->phb, 0x40000000 | 1), 0);
	expect_notes(test, f,
		     "r160 w160=1c080001 r160 t t=abcd000040005671 t r160 w160=3d180001 r160 ");
	KUNIT_EXPECT_EQ(test, f->phb->state, CALGARY_ISOLATED);
	KUNIT_EXPECT_EQ(test, calgary_phb_use(f->phb, 0), 0);
	KUNIT_EXPECT_EQ(test, f->regs[0x160 / 4], 0x1c080001);
	KUNIT_EXPECT_EQ(test, calgary_phb_use(f->phb, 0x40000000 | 2), 0);
	KUNIT_EXPECT_EQ(test, calgary_phb_enable(f->phb), 0);
	KUNIT_EXPECT_EQ(test, f->regs[0x160 / 4], 0x25180001);
	KUNIT_EXPECT_EQ(test, f->tar, TAR_OTHERS | 0x40000002);
	KUNIT_EXPECT_EQ(test, f->phb->state, CALGARY_ON);

	f = isolated(test, CALGARY);
	KUNIT_EXPECT_EQ(test, calgary_phb_use(f->phb, 0), 0);
	KUNIT_EXPECT_EQ(test, calgary_phb_enable(f->phb), 0);
	KUNIT_EXPECT_EQ(test, f->phb->state, CALGARY_OFF);
	KUNIT_EXPECT_EQ(test, f->regs[0x160 / 4], 0x04080001);
	KUNIT_EXPECT_EQ(test, f->bad, 0);
}

/* A kernel that crashed left this. */
static struct fake *left_on(struct kunit *test, bool calioc2)
{
	struct fake *f = new_fake(test, calioc2, 0);

	f->regs[0x160 / 4] = 0x21180001;
	f->regs[0xdb0 / 4] = 0x800000;
	f->tar = TAR_OTHERS | TABLE | 7;
	return f;
}

static void running_table_is_taken_over_without_dma(struct kunit *test)
{
	struct fake *f = left_on(test, CALGARY);

	KUNIT_EXPECT_EQ(test, calgary_phb_use(f->phb, TABLE | 7), 0);
	expect_notes(test, f, "r160 r200 w200=0 r120 q " TAR_WRITE
		     "w110=0 r160 w160=21180001 r160 w200=c0de r200 ");
	f = left_on(test, CALIOC2);
	KUNIT_EXPECT_EQ(test, calgary_phb_use(f->phb, TABLE | 7), 0);
	expect_notes(test, f, "r160 " SOFT_STOP HARD_STOP TAR_WRITE
		     "w110=0 rdb0 wdb0=800000 r160 w160=21180001 r160 "
		     CALIOC2_RESUME);
}

static void running_table_is_stopped_without_dma(struct kunit *test)
{
	struct fake *f = left_on(test, CALGARY);

	KUNIT_EXPECT_EQ(test, calgary_phb_use(f->phb, 0), 0);
	KUNIT_EXPECT_EQ(test, f->tar, TAR_OTHERS);
	KUNIT_EXPECT_EQ(test, f->regs[0x160 / 4], CONFIG);
	KUNIT_EXPECT_EQ(test, f->bad, 0);
}

/* There is nobody yet who could have done it. */
static void old_errors_are_dropped(struct kunit *test)
{
	static const bool kinds[] = { CALGARY, CALIOC2 };
	struct calgary_errors errors;
	struct fake *f;
	unsigned int i;

	for (i = 0; i < 2; i++) {
		f = left_on(test, kinds[i]);
		f->regs[0x110 / 4] = 0x80030000;
		KUNIT_EXPECT_EQ(test, calgary_phb_use(f->phb, TABLE | 7), 0);
		KUNIT_EXPECT_FALSE(test, calgary_phb_check(f->phb, &errors));
		KUNIT_EXPECT_EQ(test, f->phb->state, CALGARY_ON);

		/* While it did not translate, nothing was an error. */
		KUNIT_EXPECT_EQ(test, calgary_phb_use(f->phb, 0), 0);
		f->regs[0x110 / 4] = 0x80030000;
		KUNIT_EXPECT_FALSE(test, calgary_phb_check(f->phb, &errors));
		KUNIT_EXPECT_EQ(test, calgary_phb_use(f->phb, TABLE | 7), 0);
		KUNIT_EXPECT_FALSE(test, calgary_phb_check(f->phb, &errors));

		/* One table for another does not hide what was done. */
		f->regs[0x110 / 4] = 0x80030000;
		KUNIT_EXPECT_EQ(test, calgary_phb_use(f->phb, TABLE | 6), 0);
		KUNIT_EXPECT_TRUE(test, calgary_phb_check(f->phb, &errors));
		KUNIT_EXPECT_EQ(test, f->bad, 0);
	}
}

static void lenient_ones_go_on_after_an_error(struct kunit *test)
{
	struct fake *f = started(test, CALGARY);
	struct calgary_errors errors;

	f->phb->lenient = true;
	f->regs[0x110 / 4] = 0x80030000;
	KUNIT_EXPECT_TRUE(test, calgary_phb_check(f->phb, &errors));
	expect_notes(test, f, "r110 r120 " DETAILS "w110=0 ");
	KUNIT_EXPECT_EQ(test, errors.csr, 0x80030000);
	KUNIT_EXPECT_EQ(test, f->phb->state, CALGARY_ON);
	KUNIT_EXPECT_FALSE(test, calgary_phb_check(f->phb, &errors));
}

/* The kernel that stopped arbitration is dead. */
static void arbitration_that_another_kernel_left_off(struct kunit *test)
{
	struct fake *f = left_on(test, CALGARY);

	f->regs[0x200 / 4] = 0;
	f->phb->lenient = true;
	KUNIT_EXPECT_EQ(test, calgary_phb_use(f->phb, TABLE | 7), 0);
	KUNIT_EXPECT_EQ(test, f->regs[0x200 / 4], 0xffffffff);
	KUNIT_EXPECT_EQ(test, f->bad, 0);
	f = left_on(test, CALIOC2);
	f->regs[0xda8 / 4] = 0x80000000;
	f->stop = SOFT;
	KUNIT_EXPECT_EQ(test, calgary_phb_use(f->phb, TABLE | 7), 0);
	KUNIT_EXPECT_EQ(test, f->stop, RUNS);
	KUNIT_EXPECT_EQ(test, f->bad, 0);
}

static void tables_that_another_kernel_left(struct kunit *test)
{
	struct fake *f = left_on(test, CALGARY);

	f->tar |= 8;
	calgary_phb_init(&f->chip, 0);
	KUNIT_EXPECT_EQ(test, f->phb->inherited, TABLE | 7);
	expect_notes(test, f, "r160 t ");
	f = left_on(test, CALGARY);
	f->regs[0x160 / 4] = CONFIG;
	calgary_phb_init(&f->chip, 0);
	KUNIT_EXPECT_EQ(test, f->phb->inherited, 0);
}

/* Those of a PHB that this kernel does not use reach memory as it is. */
static void unused_ones_are_left_untranslated(struct kunit *test)
{
	struct fake *f = left_on(test, CALGARY);

	calgary_phb_leave(f->phb);
	KUNIT_EXPECT_EQ(test, f->regs[0x160 / 4], CONFIG);
	KUNIT_EXPECT_EQ(test, f->tar, TAR_OTHERS);
	KUNIT_EXPECT_EQ(test, f->regs[0x200 / 4], AER);
	KUNIT_EXPECT_EQ(test, f->bad, 0);

	/* Nothing was done to it, by whomever. */
	f = new_fake(test, CALGARY, 0);
	calgary_phb_leave(f->phb);
	expect_notes(test, f, "r160 ");

	/* The kernel before died when all was done but for its arbitration. */
	f->phb->lenient = true;
	calgary_phb_leave(f->phb);
	KUNIT_EXPECT_EQ(test, f->regs[0x200 / 4], AER);
	f->regs[0x200 / 4] = 0;
	calgary_phb_leave(f->phb);
	KUNIT_EXPECT_EQ(test, f->regs[0x200 / 4], 0xffffffff);
	KUNIT_EXPECT_EQ(test, f->bad, 0);

	/* It was shut down while its slots were off. */
	f = new_fake(test, CALIOC2, 0);
	f->regs[0x160 / 4] |= 0x1c000000;
	calgary_phb_init(&f->chip, 0);
	calgary_phb_leave(f->phb);
	KUNIT_EXPECT_EQ(test, f->regs[0x160 / 4], CONFIG);
	KUNIT_EXPECT_EQ(test, f->phb->state, CALGARY_OFF);
}

/* As after suspend to RAM */
static void lose_all(struct fake *f)
{
	memset(f->regs, 0, sizeof(f->regs));
	f->regs[0x160 / 4] = CONFIG;
	f->regs[0x200 / 4] = AER;
	f->regs[0x110 / 4] = 1;
	f->tar = TAR_OTHERS;
	f->ccr = 0;
	forget(f);
}

static void all_is_restored(struct kunit *test)
{
	struct calgary_errors errors;
	struct fake *f = started(test, CALGARY);

	lose_all(f);
	calgary_phb_restore(f->phb);
	expect_notes(test, f, "w110=0 r160 r160 w160=80001 r160 " TAR_WRITE
		     "r160 w160=21180001 r160 ");
	KUNIT_EXPECT_FALSE(test, calgary_phb_check(f->phb, &errors));
	/* It may have lost nothing. */
	forget(f);
	calgary_phb_restore(f->phb);
	KUNIT_EXPECT_EQ(test, f->regs[0x160 / 4], 0x21180001);
	KUNIT_EXPECT_EQ(test, f->tar, TAR_OTHERS | TABLE | 7);
	KUNIT_EXPECT_EQ(test, f->bad, 0);

	f = started(test, CALIOC2);
	lose_all(f);
	calgary_phb_restore(f->phb);
	expect_notes(test, f, "w110=0 r160 r160 w160=80001 r160 " TAR_WRITE
		     "rdb0 wdb0=800000 r160 w160=21180001 r160 ");
}

static void isolation_and_pass_through_are_restored(struct kunit *test)
{
	struct fake *f = isolated(test, CALGARY);

	lose_all(f);
	calgary_phb_restore(f->phb);
	KUNIT_EXPECT_EQ(test, f->regs[0x160 / 4], 0x3d180001);
	KUNIT_EXPECT_EQ(test, f->tar, TAR_OTHERS | TABLE | 7);
	KUNIT_EXPECT_EQ(test, f->phb->state, CALGARY_ISOLATED);
	KUNIT_EXPECT_EQ(test, calgary_phb_enable(f->phb), 0);
	KUNIT_EXPECT_EQ(test, f->regs[0x160 / 4], 0x25180001);

	f = started(test, CALGARY);
	KUNIT_EXPECT_EQ(test, calgary_phb_use(f->phb, 0), 0);
	lose_all(f);
	calgary_phb_restore(f->phb);
	KUNIT_EXPECT_EQ(test, f->regs[0x160 / 4], CONFIG);
	KUNIT_EXPECT_EQ(test, f->tar, TAR_OTHERS);
}

static void slots_that_another_kernel_left_off(struct kunit *test)
{
	struct fake *f = left_on(test, CALGARY);

	f->regs[0x160 / 4] |= 0x1c000000;
	f->regs[0x110 / 4] = 1;
	calgary_phb_init(&f->chip, 0);
	KUNIT_EXPECT_EQ(test, calgary_phb_use(f->phb, TABLE | 7), 0);
	KUNIT_EXPECT_EQ(test, f->phb->state, CALGARY_ISOLATED);
	KUNIT_EXPECT_EQ(test, calgary_phb_enable(f->phb), 0);
	KUNIT_EXPECT_EQ(test, f->regs[0x160 / 4], 0x21180001);
	KUNIT_EXPECT_EQ(test, f->regs[0x110 / 4], 0);
	KUNIT_EXPECT_EQ(test, f->bad, 0);
	/* One slot that is off is firmware's choice. */
	f = new_fake(test, CALGARY, 0);
	f->regs[0x160 / 4] |= 0x08000000;
	calgary_phb_init(&f->chip, 0);
	KUNIT_EXPECT_EQ(test, calgary_phb_use(f->phb, TABLE | 7), 0);
	KUNIT_EXPECT_EQ(test, f->regs[0x160 / 4], 0x29180001);
}

static void expect_range(struct kunit *test, const struct range *range,
			 u64 start, u64 last)
{
	KUNIT_EXPECT_EQ(test, range->start, start);
	KUNIT_EXPECT_EQ(test, range->end, last);
}

/* Low words come first where windows begin, high ones where they end. */
static void windows_are_limits(struct kunit *test)
{
	struct range ranges[CALGARY_MAX_RANGES];
	struct fake *f = new_fake(test, CALGARY, 0);

	f->regs[0x190 / 4] = 0xd0000000;
	f->regs[0x1a0 / 4] = 0;
	f->regs[0x1c0 / 4] = 0xefe00000;
	f->regs[0x2b0 / 4] = 0x34500000;
	f->regs[0x2c0 / 4] = 0x12;
	f->regs[0x2d0 / 4] = 0x13;
	f->regs[0x2e0 / 4] = 0x01200000;
	KUNIT_ASSERT_EQ(test, calgary_phb_ranges(f->phb, ranges), 3);
	expect_range(test, &ranges[0], 0xa0000, 0xfffff);
	expect_range(test, &ranges[1], 0xd0000000, 0xefefffff);
	expect_range(test, &ranges[2], 0xfee00000, 0xfeefffff);

	f->phb->calioc2 = true;
	f->regs[0x160 / 4] |= 0x00400000;
	KUNIT_ASSERT_EQ(test, calgary_phb_ranges(f->phb, ranges), 3);
	expect_range(test, &ranges[0], 0, 0xfffff);
	f->regs[0x2c0 / 4] = 0;
	KUNIT_ASSERT_EQ(test, calgary_phb_ranges(f->phb, ranges), 4);
	expect_range(test, &ranges[1], 0xd0000000, 0xefefffff);
	expect_range(test, &ranges[2], 0x34500000, 0xffffffff);
	expect_range(test, &ranges[3], 0xfee00000, 0xfeefffff);
	f->regs[0x2d0 / 4] = 0;
	f->regs[0x2e0 / 4] = 0x45600000;
	KUNIT_ASSERT_EQ(test, calgary_phb_ranges(f->phb, ranges), 4);
	expect_range(test, &ranges[2], 0x34500000, 0x456fffff);
}

static void windows_of_nonsense_are_left_out(struct kunit *test)
{
	static const struct range cases[] = {
		{ 0x1f00000, 0x1ffffff }, { 0x1f00000, 0x20fffff },
		{ 0xd0000000, 0xffffffff }, { 0x100000000, 0xffffffff },
		{ 0x1000000, 0xfffff }, { 0x123400000000, 0xffffffff },
	};
	struct range ranges[CALGARY_MAX_RANGES];
	struct fake *f = new_fake(test, CALGARY, 0);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct range *r = &cases[i];

		f->regs[0x190 / 4] = r->start;
		f->regs[0x1a0 / 4] = r->start >> 32;
		f->regs[0x1c0 / 4] = r->end - 0xfffff;
		KUNIT_EXPECT_EQ(test, calgary_phb_ranges(f->phb, ranges),
				2 + (r->start <= r->end));
		if (r->start <= r->end)
			expect_range(test, &ranges[1], r->start, r->end);
	}
}

static struct kunit_case calgary_phb_cases[] = {
	KUNIT_CASE(calgary_is_started_table_first),
	KUNIT_CASE(calioc2_is_started_with_its_quirk),
	KUNIT_CASE(bus_1_of_calgary_waits_longer),
	KUNIT_CASE(each_size_has_its_code),
	KUNIT_CASE(calgary_flush_drains_first),
	KUNIT_CASE(calgary_goes_on_when_the_queue_stays_full),
	KUNIT_CASE(news_is_told_once_until_slots_go_on),
	KUNIT_CASE(isolation_right_after_slots_go_on_is_news),
	KUNIT_CASE(drain_is_bounded_by_time),
	KUNIT_CASE(clock_that_steps_back_ends_nothing),
	KUNIT_CASE(cpu_that_is_stopped_ends_nothing),
	KUNIT_CASE(calioc2_flush_stops_hard),
	KUNIT_CASE(failed_soft_stop_is_undone_and_tried_again),
	KUNIT_CASE(each_try_may_poll_as_often),
	KUNIT_CASE(chip_that_never_stops_is_isolated),
	KUNIT_CASE(tries_are_bounded_by_time),
	KUNIT_CASE(one_flush_does_for_all_that_wait),
	KUNIT_CASE(nothing_is_flushed_that_does_not_translate),
	KUNIT_CASE(tables_are_replaced_without_dma),
	KUNIT_CASE(stop_leaves_what_is_not_ours),
	KUNIT_CASE(watchdog_of_calgary_isolates),
	KUNIT_CASE(each_error_bit_counts),
	KUNIT_CASE(watchdog_of_calioc2_reads_details),
	KUNIT_CASE(enabling_forgets_first),
	KUNIT_CASE(slots_that_stay_off),
	KUNIT_CASE(tables_change_in_isolation),
	KUNIT_CASE(running_table_is_taken_over_without_dma),
	KUNIT_CASE(running_table_is_stopped_without_dma),
	KUNIT_CASE(old_errors_are_dropped),
	KUNIT_CASE(lenient_ones_go_on_after_an_error),
	KUNIT_CASE(arbitration_that_another_kernel_left_off),
	KUNIT_CASE(tables_that_another_kernel_left),
	KUNIT_CASE(unused_ones_are_left_untranslated),
	KUNIT_CASE(all_is_restored),
	KUNIT_CASE(isolation_and_pass_through_are_restored),
	KUNIT_CASE(slots_that_another_kernel_left_off),
	KUNIT_CASE(windows_are_limits),
	KUNIT_CASE(windows_of_nonsense_are_left_out),
	{}
};

static struct kunit_suite calgary_phb_suite = {
	.name = "iommu-calgary-phb",
	.test_cases = calgary_phb_cases,
};

kunit_test_suite(calgary_phb_suite);
