// SPDX-License-Identifier: GPL-2.0-only
/* The DMA engine of QEMU's edu card, driven from user space. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#include "edu.h"

#define DMA_SRC		0x80
#define DMA_DST		0x88
#define DMA_COUNT	0x90
#define DMA_CMD		0x98
#define CMD_RUN		1u
#define LIMIT_MS	10000

static volatile uint64_t *at(volatile void *registers, size_t reg)
{
	return (volatile uint64_t *)((volatile char *)registers + reg);
}

int edu_copy(volatile void *registers, uint64_t address, uint64_t flags)
{
	const struct timespec pause = { .tv_nsec = 1000000 };
	int back = !!(flags & EDU_TO_MEMORY);
	int i;

	*at(registers, DMA_SRC) = back ? EDU_BUFFER : address;
	*at(registers, DMA_DST) = back ? address : EDU_BUFFER;
	*at(registers, DMA_COUNT) = EDU_PIECE;
	*at(registers, DMA_CMD) = flags | CMD_RUN;
	for (i = 0; i < LIMIT_MS; i++) {
		if (!(*at(registers, DMA_CMD) & CMD_RUN))
			return 0;
		nanosleep(&pause, NULL);
	}
	fprintf(stderr, "edu: the engine does not end\n");
	return 1;
}
