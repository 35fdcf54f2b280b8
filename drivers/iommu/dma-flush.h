/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Deferred IOTLB flushes: when may be used again what was unmapped?
 */
#ifndef __DRIVERS_IOMMU_DMA_FLUSH_H
#define __DRIVERS_IOMMU_DMA_FLUSH_H

#include <linux/atomic.h>
#include <linux/iommu.h>
#include <linux/spinlock.h>
#include <linux/timer.h>

/**
 * struct dma_flush - the flushes of a domain
 * @domain: domain
 * @started: flushes of the whole domain that have begun
 * @finished: the number of the latest of them that is over
 * @armed: the timer runs
 * @delay: jiffies that what was unmapped may stay in the IOTLB
 * @timer: flushes at the latest after @delay
 * @lock: protects @pages
 * @pages: page-table pages that the hardware may still walk
 * @nr_unmaps: unmappings that had such pages since the last flush
 * @done: called after a flush of the timer, in its context
 */
struct dma_flush {
	struct iommu_domain *domain;
	atomic64_t started;
	atomic64_t finished;
	atomic_t armed;
	unsigned long delay;
	struct timer_list timer;
	spinlock_t lock;	/* @pages, @nr_unmaps */
	struct iommu_pages_list pages;
	unsigned int nr_unmaps;
	void (*done)(struct dma_flush *flush);
};

void dma_flush_init(struct dma_flush *flush, struct iommu_domain *domain,
		    unsigned int delay_ms,
		    void (*done)(struct dma_flush *flush));
void dma_flush_exit(struct dma_flush *flush);
void dma_flush_now(struct dma_flush *flush);
void dma_flush_add_pages(struct dma_flush *flush,
			 struct iommu_pages_list *pages);
void dma_flush_start_timer(struct dma_flush *flush);

/**
 * dma_flush_stamp - the epoch of what was unmapped up to now
 * @flush: flushes
 *
 * The caller has read of the unmapping with a full barrier, see
 * dma_flush_passed().
 *
 * Return: a stamp for dma_flush_passed().
 */
static inline s64 dma_flush_stamp(struct dma_flush *flush)
{
	return atomic64_read(&flush->started);
}

/**
 * dma_flush_passed - has a flush that began after the stamp ended?
 * @flush: flushes
 * @stamp: from dma_flush_stamp()
 *
 * @stamp flushes had begun. One with a higher number began later. The barrier in
 * dma_flush_now() when it takes its number pairs with that between an unmapping
 * and its stamp: the hardware cannot have read the page table, for the IOTLB that
 * this flush left, before the unmapping.
 *
 * Return: true when nothing unmapped before the stamp is in the IOTLB.
 */
static inline bool dma_flush_passed(struct dma_flush *flush, s64 stamp)
{
	return atomic64_read_acquire(&flush->finished) > stamp;
}

/**
 * dma_flush_armed - is the timer running?
 * @flush: flushes
 *
 * Context: as for dma_flush_arm()
 * Return: whether it is, and dma_flush_arm() has nothing to do.
 */
static inline bool dma_flush_armed(struct dma_flush *flush)
{
	return atomic_read(&flush->armed);
}

/**
 * dma_flush_arm - something was unmapped and not flushed
 * @flush: flushes
 *
 * The caller's page-table write is ordered before this by a full barrier,
 * which pairs with the one in the timer: either this sees that the timer is
 * off, or the timer's flush comes after the write.
 */
static inline void dma_flush_arm(struct dma_flush *flush)
{
	if (!dma_flush_armed(flush))
		dma_flush_start_timer(flush);
}

#endif /* __DRIVERS_IOMMU_DMA_FLUSH_H */
