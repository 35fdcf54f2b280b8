/* SPDX-License-Identifier: GPL-2.0-only */
/* The camera's function, and what it asks of the code of its MMU */
#ifndef CAMERA_CORE_H
#define CAMERA_CORE_H

#include <linux/types.h>

#define CAMERA_UNITS	8

struct camera_mmu;
struct camera_unit;
struct device;

struct camera {
	struct camera_mmu *mmu;
	struct device *dev;
	void __iomem *regs;
	unsigned int units;
	struct camera_unit *unit[CAMERA_UNITS];
};

int camera_mmu_init(struct camera *cam);
void camera_mmu_exit(struct camera *cam);
/* Before a channel's device is added, and thereafter: does the MMU serve it? */
int camera_mmu_add(struct camera *cam, struct device *unit);
int camera_mmu_check(struct camera *cam, struct device *unit);
void camera_mmu_remove(struct camera *cam, struct device *unit);

#endif
