/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * Camera units in user space: a node for each channel, /dev/camera.capture.*
 * and /dev/camera.readback.*, opened by one process at a time
 *
 * A buffer is mapped at its number << CAMERA_MMAP_SHIFT.
 */
#ifndef CAMERA_H
#define CAMERA_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define CAMERA_BUFFERS		16
#define CAMERA_MMAP_SHIFT	24

enum camera_kind {
	CAMERA_COHERENT,	/* dma_alloc_coherent() */
	CAMERA_COMBINED,	/* the same, write-combining */
	CAMERA_NONCONTIGUOUS,	/* dma_alloc_noncontiguous() */
	CAMERA_PAGES,		/* pages of the driver; can be exported */
	CAMERA_IMPORT,		/* a dma-buf of somebody else */
};

/* Get a buffer: its number is the result */
struct camera_get {
	__u32 kind;
	__u32 size;
	__s32 fd;		/* CAMERA_IMPORT: of the dma-buf */
	__u32 reserved;
};

/* The oldest buffer that was queued, when the device is done with it */
struct camera_frame {
	__u32 buffer;
	__u32 sequence;
	__u32 sum;
	__u32 bytes;
};

#define CAMERA_GET	_IOW('C', 0x40, struct camera_get)
#define CAMERA_PUT	_IOW('C', 0x41, __u32)
#define CAMERA_QUEUE	_IOW('C', 0x42, __u32)
#define CAMERA_DEQUEUE	_IOR('C', 0x43, struct camera_frame)
/* The sum as the kernel's mapping shows it; __u32 is the number, then the sum */
#define CAMERA_SUM	_IOWR('C', 0x44, __u32)
/* A dma-buf: the file descriptor is the result */
#define CAMERA_EXPORT	_IOW('C', 0x45, __u32)

#ifdef __KERNEL__
#include <linux/auxiliary_bus.h>
#include <linux/wait.h>

/* A channel, the device that its driver binds to */
struct camera_unit {
	struct auxiliary_device aux;
	void __iomem *regs;
	wait_queue_head_t wait;		/* woken by each interrupt */
	bool captures;
};

extern struct auxiliary_driver camera_unit_driver;
#endif

#endif
