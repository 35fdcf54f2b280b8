/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Registers and memory of the camera, an imaginary PCI function with an own
 * MMU: the model of emulation/qemu and the driver of samples/iommu share them
 *
 * All that is in registers and in memory is little-endian; registers have 32
 * bits. Addresses of channels (IOVAs) have 32 bits, and all of them go through
 * the MMU; while that is off, each is a fault.
 */
#ifndef CAMERA_REGS_H
#define CAMERA_REGS_H

#define CAM_VENDOR_ID		0x1234
#define CAM_DEVICE_ID		0x11ca
#define CAM_BAR_SIZE		0x1000

#define CAM_ID			0x000	/* ro */
#define   CAM_ID_VALUE		0x314d4143
#define CAM_CAPS		0x004	/* ro */
/* Sees what processors have in their caches, and they see what it wrote */
#define   CAM_CAPS_COHERENT	0x1
#define   CAM_CAPS_CHANNELS(v)	(((v) >> 8) & 0xff)
/* A bit is set by an event, and cleared by writing 1 */
#define CAM_IRQ_STATUS		0x008
#define CAM_IRQ_ENABLE		0x00c
#define   CAM_IRQ_CHANNEL(n)	(1u << (n))
#define   CAM_IRQ_FAULT		0x80000000
/* Written with anything: all registers and the MMU as after power-on */
#define CAM_RESET		0x010

/*
 * MMU: two levels of 1024 entries of 32 bits, pages of 4 KiB. What it has
 * read of tables it uses until an invalidation covers it, whatever has been
 * written to the tables meanwhile. It does not hold entries without
 * CAM_PTE_VALID. An invalidation has ended when the write has arrived.
 */
#define CAM_MMU_CTRL		0x040
#define   CAM_MMU_ENABLE	0x1
/* Page number of the first level's table */
#define CAM_MMU_TABLE		0x044
/* The page with this IOVA, and what leads to it */
#define CAM_MMU_INV_PAGE	0x048	/* wo */
/* All that touches first to last; last, written, starts it */
#define CAM_MMU_INV_FIRST	0x04c
#define CAM_MMU_INV_LAST	0x050	/* wo */
#define CAM_MMU_INV_ALL		0x054	/* wo */
/* The first fault since the register was written */
#define CAM_FAULT_STATUS	0x058
#define   CAM_FAULT_VALID	0x1
#define   CAM_FAULT_WRITE	0x2
#define   CAM_FAULT_MORE	0x4	  /* others came after it */
#define   CAM_FAULT_WHY(v)	(((v) >> 4) & 7)
#define     CAM_WHY_OFF		0	/* the MMU is off */
#define     CAM_WHY_LEVEL_1	1	/* no valid entry */
#define     CAM_WHY_LEVEL_2	2
#define     CAM_WHY_READ_ONLY	3
#define     CAM_WHY_BUS		4	/* memory did not answer */
#define   CAM_FAULT_CHANNEL(v)	(((v) >> 8) & 0xff)
#define CAM_FAULT_ADDR		0x05c	/* ro */

/* Entries of both levels; CAM_PTE_WRITE counts in the second one */
#define CAM_PTE_VALID		0x1
#define CAM_PTE_WRITE		0x2
#define CAM_PTE(addr)		((unsigned int)((addr) >> 12 << 4))
#define CAM_PTE_ADDR(pte)	((unsigned long long)((pte) >> 4) << 12)

/*
 * Channels: even ones write frames, odd ones read them. A channel has a ring
 * of descriptors in memory; those from tail up to head, without head, are the
 * channel's. It starts with head and tail at 0 when CAM_CH_RUN is set, and is
 * at rest as soon as the write that clears it has arrived. After a fault or a
 * bad descriptor it waits for being stopped.
 */
#define CAM_CH(n)		(0x100 + 0x40 * (n))
#define CAM_CH_CTRL		0x00
#define   CAM_CH_RUN		0x1
#define CAM_CH_STATUS		0x04	/* ro */
#define   CAM_CH_BUSY		0x1
#define   CAM_CH_FAULTED	0x2
#define   CAM_CH_BAD		0x4
#define CAM_CH_RING		0x08	/* IOVA, a multiple of 32 */
#define CAM_CH_ENTRIES		0x0c
#define   CAM_CH_ENTRIES_MAX	4096
#define CAM_CH_HEAD		0x10
#define CAM_CH_TAIL		0x14	/* ro */
/* Nanoseconds between two pieces, each of which is within one page */
#define CAM_CH_PACE		0x18
/* Number of the next frame that is written */
#define CAM_CH_SEQUENCE		0x1c

/*
 * A descriptor: words. Address and length are multiples of 4. A frame can have
 * several descriptors; in the last one sequence, sum and bytes are valid when
 * it is done.
 */
#define CAM_DESC_ADDR		0
#define CAM_DESC_LENGTH		1
#define CAM_DESC_FLAGS		2
#define   CAM_DESC_LAST		0x1	  /* of its frame */
#define   CAM_DESC_IRQ		0x2	  /* when it is done */
/* These four are written by the channel */
#define CAM_DESC_STATUS		3
#define   CAM_DESC_DONE		0x1
#define CAM_DESC_SEQUENCE	4
#define CAM_DESC_SUM		5
#define CAM_DESC_BYTES		6
#define CAM_DESC_WORDS		8

/*
 * A frame: its words are the magic, its number, and then what this function
 * says. The sum starts with CAM_SUM_START and takes all words in.
 */
#define CAM_FRAME_MAGIC		0x454d5246
#define CAM_SUM_START		0x811c9dc5u

static inline unsigned int cam_frame_word(unsigned int sequence,
					  unsigned int index)
{
	if (index < 2)
		return index ? sequence : CAM_FRAME_MAGIC;
	return ((sequence * 0x9e3779b1u + index) * 0x85ebca6bu) ^ index;
}

static inline unsigned int cam_sum(unsigned int sum, unsigned int word)
{
	return (sum ^ word) * 0x01000193u;
}

#endif
