// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is done to the registers of a PHB, and in which order.
 *
 * There is one way to make a chip forget TCEs: to write TAR, which drops all
 * that the PHB has cached. DMA has to be drained before. So each change of TAR
 * while a PHB translates is made between quiesce() and resume(), which are all
 * that differs between Calgary and CalIOC2.
 *
 * Calgary: AER stops arbitration, so that no new request comes; reading PLSSR
 * pushes posted writes; then the split queue has to run empty. If it does not,
 * we go on, as there is no more that could be done.
 *
 * CalIOC2: it is asked for a SoftStop, and its split queue runs empty. PMDR
 * says whether the stop failed. Otherwise reading PMCR turns the SoftStop into
 * a HardStop. A chip that never stops may use stale TCEs for ever, into memory
 * that others own by then. So its slots are switched off.
 *
 * All of it may run with interrupts off. So it is bounded by a number of reads
 * for each try, a number of tries, and by time, once there were some of either,
 * and says nothing: what there is to be said calgary_phb_check() finds.
 *
 * Entries that are not mapped are not flushed when they become mapped: drivers
 * have used these chips for twelve years without that, with TCEs side by side
 * in each cache line, so chips do not keep entries that permit nothing. One
 * that was mapped before has been flushed before its address was given out
 * again, which is what the IOMMU core sees to.
 */
#include <linux/cleanup.h>
#include <linux/errno.h>
#include <linux/minmax.h>
#include <linux/time64.h>

#include "calgary.h"

#define MAX_READS	100
#define MAX_TRIES	100
#define MIN_TRIES	10	/* of either: CPUs may be stopped for long */
#define MAX_NS		(2 * NSEC_PER_MSEC)	/* all tries together */

/* Read after an error: PLSSR, CSMR, MCK, and what nobody has told of */
const u16 calgary_detail_regs[CALGARY_NR_DETAILS] = {
	PHB_PLSSR, PHB_CSMR, PHB_MCK, 0x810, 0x820, 0x830, 0x840, 0x850, 0x860,
	0x870, PHB_ROOT_STATUS,
};

static u32 read_phb(struct calgary_phb *phb, unsigned int offset)
{
	return phb->chip->io->read32(phb->chip->regs +
				     CALGARY_PHB_BASE(phb->nr) + offset);
}

static void write_phb(struct calgary_phb *phb, unsigned int offset, u32 value)
{
	phb->chip->io->write32(value, phb->chip->regs +
				      CALGARY_PHB_BASE(phb->nr) + offset);
}

static u64 read64(struct calgary_phb *phb, unsigned int offset)
{
	return phb->chip->io->read64(phb->chip->regs + offset);
}

static void write64(struct calgary_phb *phb, unsigned int offset, u64 value)
{
	phb->chip->io->write64(value, phb->chip->regs + offset);
}

/* Give TAR what it should have; that drops what the PHB has cached. */
static void write_tar(struct calgary_phb *phb)
{
	u64 tar = read64(phb, CALGARY_TAR(phb->nr));

	write64(phb, CALGARY_TAR(phb->nr), (tar & ~TAR_OURS) | phb->tar);
	/* Reading it back makes sure that it has got there. */
	read64(phb, CALGARY_TAR(phb->nr));
}

static void change_config(struct calgary_phb *phb, u32 clear, u32 set)
{
	u32 config = read_phb(phb, PHB_CONFIG_RW);

	write_phb(phb, PHB_CONFIG_RW, (config & ~clear) | set);
	read_phb(phb, PHB_CONFIG_RW);
}

/* A clock that any context may read steps back at times, which ends nothing. */
static bool is_late(struct calgary_phb *phb, u64 begin, unsigned int tries)
{
	return tries >= MIN_TRIES &&
	       (s64)(phb->chip->io->now() - begin) > MAX_NS;
}

/* Wait until the split queue is empty, but not for ever */
static void drain(struct calgary_phb *phb, u64 begin)
{
	unsigned int n;

	for (n = 0; n < MAX_READS && !is_late(phb, begin, n); n++)
		if (read64(phb, CALGARY_SPLIT_QUEUE(phb->nr)) >= SPLIT_QUEUE_EMPTY)
			return;
	phb->news = "was still busy when DMA had to stop";
}

static bool soft_stop(struct calgary_phb *phb, u64 begin)
{
	write_phb(phb, PHB_PMCR, read_phb(phb, PHB_PMCR) | PM_SOFT_STOP);
	drain(phb, begin);
	if (read_phb(phb, PHB_PMDR) & PM_SOFT_STOP_FAULT) {
		/* A stop that has failed must not stay half done. */
		write_phb(phb, PHB_PMCR, 0);
		read_phb(phb, PHB_PMCR);
		return false;
	}
	/* This read turns the SoftStop into a HardStop. */
	read_phb(phb, PHB_PMCR);
	read_phb(phb, PHB_PMDR);
	return true;
}

static void isolate(struct calgary_phb *phb)
{
	phb->slots = read_phb(phb, PHB_CONFIG_RW) & CONFIG_SLOTS_OFF;
	change_config(phb, 0, CONFIG_SLOTS_OFF);
	phb->state = CALGARY_ISOLATED;
}

/* Stop all DMA, of a chip that does not stop in another way */
static int quiesce(struct calgary_phb *phb)
{
	u64 begin = phb->chip->io->now();
	unsigned int n;

	lockdep_assert_held(&phb->lock);
	if (!phb->calioc2) {
		phb->aer = read_phb(phb, PHB_AER);
		/* A kernel that died meanwhile has left but this 0. */
		if (!phb->aer && phb->lenient)
			phb->aer = AER_ALL;
		write_phb(phb, PHB_AER, 0);
		read_phb(phb, PHB_PLSSR);
		drain(phb, begin);
		return 0;
	}
	for (n = 0; n < MAX_TRIES && !is_late(phb, begin, n); n++)
		if (soft_stop(phb, begin))
			return 0;
	phb->news = "does not stop: its slots are off";
	isolate(phb);
	return -EIO;
}

static void resume(struct calgary_phb *phb)
{
	if (!phb->calioc2) {
		write_phb(phb, PHB_AER, phb->aer);
		read_phb(phb, PHB_AER);
		return;
	}
	read_phb(phb, PHB_PMCR);
	write_phb(phb, PHB_PMCR, 0);
	read_phb(phb, PHB_PMCR);
}

/*
 * An on-board SAS controller on bus 1 of PCI-X machines keeps others waiting
 * for longer than the default, see bug 7180 of bugzilla.kernel.org.
 */
static void quirks(struct calgary_phb *phb)
{
	unsigned int shift = phb->nr == 3 ? 28 : 44 - 4 * phb->nr;
	u64 ccr;

	if (phb->calioc2) {
		write_phb(phb, PHB_SAVIOR,
			  read_phb(phb, PHB_SAVIOR) | SAVIOR_QUIRK);
	} else if (phb->first_bus == 1) {
		ccr = read64(phb, CCR) & ~(CCR_TIMEOUT_MASK << shift);
		write64(phb, CCR, ccr | CCR_TIMEOUT_2S << shift);
	}
}

/**
 * calgary_phb_init - look at a PHB, without changing anything
 * @chip: where it is
 * @nr: which one of the chip
 *
 * Another kernel may have left its devices isolated. So they are until
 * calgary_phb_enable() is called. It may have left it translating, too.
 */
void calgary_phb_init(struct calgary_chip *chip, unsigned int nr)
{
	struct calgary_phb *phb = &chip->phbs[nr];
	u32 config;

	phb->chip = chip;
	phb->nr = nr;
	spin_lock_init(&phb->lock);
	config = read_phb(phb, PHB_CONFIG_RW);
	if ((config & CONFIG_SLOTS_OFF) == CONFIG_SLOTS_OFF)
		phb->state = CALGARY_ISOLATED;
	if (config & CONFIG_TCE)
		phb->inherited = read64(phb, CALGARY_TAR(nr)) &
				 (TAR_BASE | TAR_SIZE);
}

/* Not only this kernel may have switched it on. */
static bool translates(struct calgary_phb *phb)
{
	return read_phb(phb, PHB_CONFIG_RW) & CONFIG_TCE;
}

/**
 * calgary_phb_use - translate by a table, or no more
 * @phb: the PHB
 * @tar: address and size of the table, 0 for none
 *
 * Devices that are isolated stay so; the table is used once they no longer are.
 *
 * Context: Any.
 *
 * Return: 0, or -EIO when the chip cannot be stopped to replace the old table.
 * Its devices are isolated then.
 */
int calgary_phb_use(struct calgary_phb *phb, u64 tar)
{
	bool running;

	guard(spinlock_irqsave)(&phb->lock);
	phb->tar = tar;
	running = phb->state != CALGARY_ISOLATED && translates(phb);
	if (running && quiesce(phb))
		return -EIO;
	if (!running || !tar)
		change_config(phb, CONFIG_OURS, 0);
	write_tar(phb);
	if (tar) {
		/* Errors from before are none of those who are served now. */
		if (phb->state == CALGARY_OFF)
			write_phb(phb, PHB_CSR, 0);
		quirks(phb);
		change_config(phb, 0, CONFIG_OURS);
	}
	if (running)
		resume(phb);
	if (phb->state != CALGARY_ISOLATED)
		phb->state = tar ? CALGARY_ON : CALGARY_OFF;
	return 0;
}

/**
 * calgary_phb_leave - do not translate what another kernel has had translated
 * @phb: a PHB that is not used
 *
 * Context: Any.
 */
void calgary_phb_leave(struct calgary_phb *phb)
{
	if (translates(phb) || phb->state == CALGARY_ISOLATED) {
		calgary_phb_use(phb, 0);
		calgary_phb_enable(phb);
	} else if (phb->lenient && !phb->calioc2 && !read_phb(phb, PHB_AER)) {
		/* The kernel before has died when all but this was done. */
		write_phb(phb, PHB_AER, AER_ALL);
	}
}

/**
 * calgary_phb_restore - go on after registers have lost what they had, or not
 * @phb: a PHB whose devices are suspended
 *
 * Context: One CPU, interrupts off.
 */
void calgary_phb_restore(struct calgary_phb *phb)
{
	if (phb->state == CALGARY_ISOLATED)
		change_config(phb, 0, CONFIG_SLOTS_OFF);
	write_phb(phb, PHB_CSR, 0);
	calgary_phb_use(phb, phb->tar);
}

/**
 * calgary_phb_flush - drop all TCEs that a PHB has cached
 * @phb: the PHB
 *
 * A flush that begins after this is called, on any CPU, will do.
 *
 * Context: Any. Takes time, all DMA stops meanwhile.
 *
 * Return: 0, or -EIO when the chip cannot be stopped. Its devices are isolated
 * then, so that in either case none of them uses a stale TCE.
 */
int calgary_phb_flush(struct calgary_phb *phb)
{
	/* Fully ordered: what was stored to the table comes before. */
	u64 wanted, ticket = atomic64_inc_return(&phb->wanted);

	guard(spinlock_irqsave)(&phb->lock);
	if (phb->state != CALGARY_ON || phb->done >= ticket)
		return 0;
	wanted = atomic64_read(&phb->wanted);
	if (quiesce(phb))
		return -EIO;
	write_tar(phb);
	resume(phb);
	phb->done = wanted;
	return 0;
}

/**
 * calgary_phb_check - isolate the devices of a PHB if there was an error
 * @phb: the PHB
 * @errors: where to store what the registers say of it, and what happened to
 *	flushes since the last call
 *
 * A PHB that is lenient goes on.
 *
 * Context: Any.
 *
 * Return: whether there was an error.
 */
bool calgary_phb_check(struct calgary_phb *phb, struct calgary_errors *errors)
{
	unsigned int i;

	guard(spinlock_irqsave)(&phb->lock);
	*errors = (struct calgary_errors){};
	/* A chip that is always busy is one piece of news. */
	errors->news = phb->news != phb->told ? phb->news : NULL;
	phb->told = phb->news;
	if (phb->state != CALGARY_ON)
		return false;
	errors->csr = read_phb(phb, PHB_CSR);
	if (!(errors->csr & CSR_ERROR))
		return false;
	/* Calgary has no root complex. */
	for (i = 0; i < CALGARY_NR_DETAILS - !phb->calioc2; i++)
		errors->details[i] = read_phb(phb, calgary_detail_regs[i]);
	write_phb(phb, PHB_CSR, 0);
	if (!phb->lenient)
		isolate(phb);
	return true;
}

/**
 * calgary_phb_enable - let the devices of a PHB do DMA again after an error
 * @phb: the PHB
 *
 * Stale TCEs and old errors are gone before that.
 *
 * Context: Any.
 *
 * Return: 0, or -EIO when the chip keeps the slots off.
 */
int calgary_phb_enable(struct calgary_phb *phb)
{
	guard(spinlock_irqsave)(&phb->lock);
	if (phb->state != CALGARY_ISOLATED)
		return 0;
	write_phb(phb, PHB_CSR, 0);
	/* No DMA is there to be stopped. */
	change_config(phb, CONFIG_OURS, 0);
	write_tar(phb);
	change_config(phb, 0, phb->tar ? CONFIG_OURS : 0);
	change_config(phb, CONFIG_SLOTS_OFF, phb->slots);
	if ((read_phb(phb, PHB_CONFIG_RW) & CONFIG_SLOTS_OFF) != phb->slots)
		return -EIO;
	phb->state = phb->tar ? CALGARY_ON : CALGARY_OFF;
	phb->news = NULL;
	phb->told = NULL;
	return 0;
}

static u64 read_pair(struct calgary_phb *phb, unsigned int high,
		     unsigned int low)
{
	return (u64)read_phb(phb, high) << 32 | read_phb(phb, low);
}

/**
 * calgary_phb_ranges - which IOVAs a PHB does not translate
 * @phb: the PHB
 * @ranges: room for CALGARY_MAX_RANGES
 *
 * They may be beyond the end of a table, where no IOVA is, but not beyond 4 GB.
 *
 * Return: number of ranges.
 */
unsigned int calgary_phb_ranges(struct calgary_phb *phb, struct range *ranges)
{
	const u64 last = SZ_4G - 1;
	unsigned int n;

	guard(spinlock_irqsave)(&phb->lock);
	/*
	 * Registers may have nonsense, of which none is a range. From CalIOC2's
	 * point of view, all of the first MB is legacy.
	 */
	n = add_range(ranges, CALGARY_MAX_RANGES, 0,
		      phb->calioc2 ? 0 : 0xa0000, CALGARY_WINDOW_LAST);
	/* What the old name of the register calls a size is a limit. */
	n = add_range(ranges, CALGARY_MAX_RANGES, n,
		      read_pair(phb, PHB_MEM1_HIGH, PHB_MEM1_LOW),
		      read_phb(phb, PHB_MEM1_LIMIT) | CALGARY_WINDOW_LAST);
	if (read_phb(phb, PHB_CONFIG_RW) & CONFIG_MEM2)
		n = add_range(ranges, CALGARY_MAX_RANGES, n,
			      read_pair(phb, PHB_MEM2_HIGH, PHB_MEM2_LOW),
			      min(read_pair(phb, PHB_MEM2_LIMIT_HIGH,
					    PHB_MEM2_LIMIT_LOW) |
				  CALGARY_WINDOW_LAST, last));
	/* Interrupts; in a window or not, none says. */
	return add_range(ranges, CALGARY_MAX_RANGES, n, CALGARY_MSI,
			 CALGARY_MSI_LAST);
}
