/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef EDU_H
#define EDU_H

#include <stdint.h>

#define EDU_REGISTERS	0x1000
#define EDU_BUFFER	0x40000
/* Bytes that the card copies at once: QEMU 7.2 does not survive 4096. */
#define EDU_PIECE	2048

/* Flags of a copy: without, it is one to the card. */
#define EDU_TO_MEMORY	2u

/*
 * Has the card whose registers are there copy a piece of memory to its buffer
 * or back; 0 when its engine has come to its end, however that went.
 */
int edu_copy(volatile void *registers, uint64_t address, uint64_t flags);

#endif
