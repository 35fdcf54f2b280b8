/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _ASM_X86_DMA_NONCOHERENT_H
#define _ASM_X86_DMA_NONCOHERENT_H

#include <linux/processor.h>
#include <linux/types.h>

/* Bytes that a write to memory by the CPU may take along. */
static inline unsigned int x86_dma_line_size(void)
{
	return boot_cpu_data.x86_clflush_size;
}

void x86_dma_flush(phys_addr_t phys, size_t size);
int x86_dma_uncache(void *vaddr, size_t size, bool write_combine);
int x86_dma_recache(void *vaddr, size_t size);

#endif /* _ASM_X86_DMA_NONCOHERENT_H */
