// SPDX-License-Identifier: GPL-2.0-only
/*
 * Benchmark of DMA mappings: a domain with windows as VT-d makes them.
 */

#include <linux/dma-window.h>
#include <linux/sizes.h>

#include "bench.h"

/* There is no memory; so all that a work maps is translated. */
#define BENCH_NOWHERE	BIT_ULL(40)

/**
 * bench_attach_windows - give a domain windows, of which one translates
 * @domain: the domain
 * @dev: its first device
 *
 * Return: 0 or an error
 */
int bench_attach_windows(struct iommu_domain *domain, struct device *dev)
{
	static const struct dma_window windows[] = {
		{ .first = 0, .last = SZ_1G - 1, .phys = BENCH_NOWHERE,
		  .kind = DMA_WINDOW_DIRECT },
		{ .first = SZ_1G, .last = SZ_2G - 1,
		  .kind = DMA_WINDOW_TRANSLATED },
		{ .first = SZ_2G, .last = SZ_8G - 1,
		  .phys = BENCH_NOWHERE + SZ_2G, .kind = DMA_WINDOW_DIRECT },
	};

	return iommu_dma_set_windows(domain, windows, ARRAY_SIZE(windows));
}
