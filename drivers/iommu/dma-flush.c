// SPDX-License-Identifier: GPL-2.0-only
/*
 * Deferred IOTLB flushes.
 *
 * In lazy mode unmapping clears the page table at once, and leaves the IOTLB to
 * a flush that serves many of them. Nothing is queued for it: flushes are
 * numbered as they begin, the last one that is over is known, and who wants to use
 * an address again compares with the number at the time it was given back.
 * Whichever flush comes first will do, whoever asked for it, because all are of
 * the whole domain: ranges would have to be queued. Strict mode has no part in
 * this; see Documentation/core-api/dma-iova.rst for the reasons.
 */
#include <kunit/visibility.h>
#include <linux/jiffies.h>
#include <linux/preempt.h>

#include "dma-flush.h"
#include "iommu-pages.h"

/* Unmappings with page-table pages to free that may wait for one flush. */
#define DMA_FLUSH_MAX_UNMAPS	256

/* A later flush may be over before, and be known for it. */
static void dma_flush_finish(struct dma_flush *flush, s64 mine)
{
	s64 last;

	/* Orders what the hardware did even when nothing is stored. */
	smp_mb();
	last = atomic64_read(&flush->finished);
	while (last < mine &&
	       !atomic64_try_cmpxchg(&flush->finished, &last, mine))
		;
}

/**
 * dma_flush_now - flush the whole domain
 * @flush: flushes
 *
 * Page-table pages that were waiting for it are freed.
 *
 * Context: any; no lock is held while the hardware works.
 */
void dma_flush_now(struct dma_flush *flush)
{
	struct iommu_pages_list pages = IOMMU_PAGES_LIST_INIT(pages);
	s64 mine;

	scoped_guard(spinlock_irqsave, &flush->lock) {
		iommu_pages_list_splice(&flush->pages, &pages);
		INIT_LIST_HEAD(&flush->pages.pages);
		flush->nr_unmaps = 0;
	}

	/* A full barrier; see dma_flush_passed() for its pair. */
	mine = atomic64_inc_return(&flush->started);
	flush->domain->ops->flush_iotlb_all(flush->domain);
	dma_flush_finish(flush, mine);

	iommu_put_pages_list(&pages);
}

static void dma_flush_timeout(struct timer_list *timer)
{
	struct dma_flush *flush = timer_container_of(flush, timer, timer);

	atomic_set(&flush->armed, 0);
	/* Pairs with the barrier before dma_flush_arm(). */
	smp_mb();
	dma_flush_now(flush);
	flush->done(flush);
}

/**
 * dma_flush_start_timer - the slow half of dma_flush_arm()
 * @flush: flushes
 *
 * Context: any
 */
void dma_flush_start_timer(struct dma_flush *flush)
{
	/* Others rely on the timer as soon as it is said to run. */
	preempt_disable();
	if (!atomic_xchg(&flush->armed, 1))
		mod_timer(&flush->timer, jiffies + flush->delay);
	preempt_enable();
}
EXPORT_SYMBOL_IF_KUNIT(dma_flush_start_timer);

/**
 * dma_flush_add_pages - keep page-table pages until after the next flush
 * @flush: flushes
 * @pages: what unmapping has taken out of the page table; empty afterwards
 *
 * Context: any
 */
void dma_flush_add_pages(struct dma_flush *flush,
			 struct iommu_pages_list *pages)
{
	bool full;

	scoped_guard(spinlock_irqsave, &flush->lock) {
		iommu_pages_list_splice(pages, &flush->pages);
		full = ++flush->nr_unmaps >= DMA_FLUSH_MAX_UNMAPS;
	}
	INIT_LIST_HEAD(&pages->pages);
	if (full)
		dma_flush_now(flush);
}

/**
 * dma_flush_init - prepare for deferred flushes
 * @flush: flushes
 * @domain: domain whose IOTLB they flush
 * @delay_ms: how long what was unmapped may stay in the IOTLB
 * @done: called after the timer's flushes, from a timer
 */
void dma_flush_init(struct dma_flush *flush, struct iommu_domain *domain,
		    unsigned int delay_ms,
		    void (*done)(struct dma_flush *flush))
{
	flush->domain = domain;
	flush->delay = msecs_to_jiffies(delay_ms);
	flush->done = done;
	atomic64_set(&flush->started, 0);
	atomic64_set(&flush->finished, 0);
	atomic_set(&flush->armed, 0);
	spin_lock_init(&flush->lock);
	flush->pages = IOMMU_PAGES_LIST_INIT(flush->pages);
	flush->nr_unmaps = 0;
	timer_setup(&flush->timer, dma_flush_timeout, 0);
}
EXPORT_SYMBOL_IF_KUNIT(dma_flush_init);

/**
 * dma_flush_exit - the domain goes away
 * @flush: flushes
 *
 * Context: process, may sleep; nobody maps or unmaps any more.
 */
void dma_flush_exit(struct dma_flush *flush)
{
	timer_shutdown_sync(&flush->timer);
	iommu_put_pages_list(&flush->pages);
}
EXPORT_SYMBOL_IF_KUNIT(dma_flush_exit);
