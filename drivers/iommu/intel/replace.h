/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Change the domain of a device while the device does DMA.
 */
#ifndef __INTEL_REPLACE_H
#define __INTEL_REPLACE_H

#include <linux/atomic.h>
#include <linux/types.h>

struct device;
struct iommu_domain;

bool intel_replace_supported(struct device *dev);
int intel_replace_domain(struct iommu_domain *domain, struct device *dev,
			 struct iommu_domain *old);

#ifdef system_has_cmpxchg128
static inline bool intel_entry_atomic(void)
{
	return system_has_cmpxchg128();
}

/*
 * Writes 128 bits, aligned, that the hardware may be reading. All writers hold
 * a lock.
 */
static inline void intel_entry_write(u64 *entry, u64 lo, u64 hi)
{
	u128 old = (u128)entry[1] << 64 | entry[0];

	while (!try_cmpxchg128((u128 *)entry, &old, (u128)hi << 64 | lo))
		;
}
#else
static inline bool intel_entry_atomic(void)
{
	return false;
}

static inline void intel_entry_write(u64 *entry, u64 lo, u64 hi)
{
}
#endif

#endif /* __INTEL_REPLACE_H */
