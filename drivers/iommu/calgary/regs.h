/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Registers of Calgary and CalIOC2.
 *
 * A chip has 1 MB of registers, all big endian. Most have 32 bits; those of
 * 64 bits are marked. Offsets count from the start of that space, those of a
 * PHB from CALGARY_PHB_BASE().
 */
#ifndef _CALGARY_REGS_H
#define _CALGARY_REGS_H

#include <linux/bits.h>

#define CALGARY_PHBS		4	/* of a chip */

/* Ids of the function at device 0 of each bus that a PHB roots */
#define PCI_DEVICE_ID_CALGARY	0x02a1
#define PCI_DEVICE_ID_CALIOC2	0x0308

/* Of the chip; 64; time-outs of split completions, 4 bits for each PHB */
#define CCR			0x108
#define CCR_TIMEOUT_2S		0xeULL
#define CCR_TIMEOUT_MASK	0xfULL

/* Of the chip, one for each PHB */
#define CALGARY_TAR(phb)	(0x580 + 8 * (phb))		/* 64 */
#define CALGARY_BUS_RANGE(phb)	(0x4020 + 0x1000 * (phb))
#define CALGARY_SPLIT_QUEUE(phb) (0x4870 + 0x1000 * (phb))	/* 64 */
#define CALGARY_PHB_BASE(phb)	(0x8000 + 0x1000 * (phb))

#define BUS_RANGE_FIRST		GENMASK(23, 16)
#define BUS_RANGE_LAST		GENMASK(15, 8)

#define TAR_BASE		GENMASK_ULL(47, 15)
#define TAR_SIZE		GENMASK_ULL(2, 0)
#define TAR_OURS		(TAR_BASE | BIT_ULL(3) | TAR_SIZE)

/* From here on all bits of the byte at the lowest address are set. */
#define SPLIT_QUEUE_EMPTY	GENMASK_ULL(63, 56)

/* Of a PHB */
#define PHB_CSR			0x110	/* status of DMA */
#define PHB_PLSSR		0x120	/* status of loads and stores */
#define PHB_CONFIG_RW		0x160
#define PHB_MEM1_LOW		0x190
#define PHB_MEM1_HIGH		0x1a0
#define PHB_MEM1_LIMIT		0x1c0
#define PHB_AER			0x200	/* enables arbitration */
#define AER_ALL			0xffffffff
#define PHB_CSMR		0x290
#define PHB_MEM2_LOW		0x2b0
#define PHB_MEM2_HIGH		0x2c0
#define PHB_MEM2_LIMIT_HIGH	0x2d0
#define PHB_MEM2_LIMIT_LOW	0x2e0
#define PHB_MCK			0x800	/* and seven more, of errors */
#define PHB_ROOT_STATUS		0xcb0	/* this and the rest: CalIOC2 */
#define PHB_PMDR		0xda0
#define PHB_PMCR		0xda8
#define PHB_SAVIOR		0xdb0

#define CALGARY_NR_DETAILS	11	/* what is read after an error */
/*
 * No document tells what 0x810 to 0x870 have. That 0x820 has the address, or
 * its low word, is true of QEMU's model and a guess for chips.
 */
#define CALGARY_DETAIL_ADDRESS	4

#define CSR_ERROR		0xffe0ffff
#define CSR_AGENT		GENMASK(20, 16)

#define CONFIG_TCE		BIT(29)
#define CONFIG_SLOTS_OFF	GENMASK(28, 26)
#define CONFIG_DAC_OFF		BIT(24)
#define CONFIG_MEM2		BIT(22)
#define CONFIG_MCSR		BIT(20)
#define CONFIG_OURS		(CONFIG_TCE | CONFIG_DAC_OFF | CONFIG_MCSR)

#define PM_SOFT_STOP		BIT(31)
#define PM_SOFT_STOP_FAULT	BIT(30)

#define SAVIOR_QUIRK		BIT(23)

/* Windows end at the last byte of a MB. */
#define CALGARY_WINDOW_LAST	0xfffff

/* Writes to here are interrupts. */
#define CALGARY_MSI		0xfee00000
#define CALGARY_MSI_LAST	0xfeefffff

/* A TCE */
#define TCE_READ		BIT_ULL(0)
#define TCE_WRITE		BIT_ULL(1)
#define TCE_PHYS		GENMASK_ULL(47, 12)

#endif /* _CALGARY_REGS_H */
