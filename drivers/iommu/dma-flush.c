// SPDX-License-Identifier: GPL-2.0-only
/*
 * Deferred IOTLB flushes.
 *
 * In lazy mode unmapping clears the page table at once, and leaves the IOTLB to
 * a flush that serves many of them. Nothing is queued for it: flushes are
 * counted when they begin and when they end, and who wants to use an address
 * again compares with the count at the time it was given back. Whichever flush
 * comes first will do, whoever asked for it.
 */
#include <kunit/visibility.h>
#include <linux/jiffies.h>

#include "dma-flush.h"
#include "iommu-pages.h"

/* Unmappings with page-table pages to free that may wait for one flush. */
#define DMA_FLUSH_MAX_UNMAPS	256

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

	scoped_guard(spinlock_irqsave, &flush->lock) {
		iommu_pages_list_splice(&flush->pages, &pages);
		INIT_LIST_HEAD(&flush->pages.pages);
		flush->nr_unmaps = 0;
	}

	/* Both are full barriers; see dma_flush_passed() for the pairs. */
	atomic64_inc_return(&flush->started);
	flush->domain->ops->flush_iotlb_all(flush->domain);
	atomic64_inc_return(&flush->finished);

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
	if (!atomic_xchg(&flush->armed, 1))
		mod_timer(&flush->timer, jiffies + flush->delay);
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
