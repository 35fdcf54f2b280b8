/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * IOVAs of a DMA domain out of arenas, with deferred flushes.
 */
#ifndef __DRIVERS_IOMMU_DMA_ARENA_H
#define __DRIVERS_IOMMU_DMA_ARENA_H

#include <linux/types.h>

struct device;
struct dma_arena;
struct iommu_domain;
struct iommu_iotlb_gather;

/**
 * struct dma_arena_like - memory whose alignment the addresses should share
 * @phys: memory
 * @size: bytes of it in one piece
 * @offset: where in the mapping it will be
 */
struct dma_arena_like {
	phys_addr_t phys;
	size_t size;
	size_t offset;
};

#ifdef CONFIG_IOMMU_IOVA_ARENA
bool dma_arena_wanted(struct device *dev);
struct dma_arena *dma_arena_create(struct iommu_domain *domain,
				   struct device *dev, unsigned int shift,
				   unsigned long start);
void dma_arena_set_line(struct dma_arena *arena, unsigned int line);
void dma_arena_destroy(struct dma_arena *arena);
void dma_arena_defer(struct dma_arena *arena, struct iommu_domain *domain,
		     unsigned int delay_ms, unsigned int batch);
int dma_arena_reserve(struct dma_arena *arena, unsigned long lo,
		      unsigned long hi);
dma_addr_t dma_arena_alloc(struct dma_arena *arena, struct device *dev,
			   size_t size, u64 limit,
			   const struct dma_arena_like *like, bool hard);
void dma_arena_free(struct dma_arena *arena, dma_addr_t iova, size_t size,
		    struct iommu_iotlb_gather *gather);
bool dma_arena_next(struct dma_arena *arena, unsigned long *lo,
		    unsigned long *hi);
size_t dma_arena_opt_size(struct dma_arena *arena);
u64 dma_arena_flushes(struct dma_arena *arena);
#else
static inline bool dma_arena_wanted(struct device *dev)
{
	return false;
}

static inline struct dma_arena *dma_arena_create(struct iommu_domain *domain,
						 struct device *dev,
						 unsigned int shift,
						 unsigned long start)
{
	return NULL;
}

static inline void dma_arena_set_line(struct dma_arena *arena,
				      unsigned int line)
{
}

static inline void dma_arena_destroy(struct dma_arena *arena) {}

static inline void dma_arena_defer(struct dma_arena *arena,
				   struct iommu_domain *domain,
				   unsigned int delay_ms, unsigned int batch)
{
}

static inline int dma_arena_reserve(struct dma_arena *arena, unsigned long lo,
				    unsigned long hi)
{
	return 0;
}

static inline dma_addr_t dma_arena_alloc(struct dma_arena *arena,
					 struct device *dev, size_t size,
					 u64 limit,
					 const struct dma_arena_like *like,
					 bool hard)
{
	return 0;
}

static inline void dma_arena_free(struct dma_arena *arena, dma_addr_t iova,
				  size_t size,
				  struct iommu_iotlb_gather *gather)
{
}

static inline bool dma_arena_next(struct dma_arena *arena, unsigned long *lo,
				  unsigned long *hi)
{
	return false;
}

static inline size_t dma_arena_opt_size(struct dma_arena *arena)
{
	return 0;
}

static inline u64 dma_arena_flushes(struct dma_arena *arena)
{
	return 0;
}
#endif

#endif /* __DRIVERS_IOMMU_DMA_ARENA_H */
