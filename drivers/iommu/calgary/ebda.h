/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The "Rio Grande" table, by which firmware tells where Calgary and CalIOC2
 * chips are. It lies in the extended BIOS data area (EBDA).
 */
#ifndef _CALGARY_EBDA_H
#define _CALGARY_EBDA_H

#include <linux/types.h>

/* Each chip roots four buses, and there are no more than 256 of them. */
#define CALGARY_MAX_CHIPS	64

/* Size of the register space of a chip; its address is a multiple of it. */
#define CALGARY_BBAR_SIZE	0x100000

/**
 * struct calgary_ebda - what the table says of chips that translate
 * @nr_chips: number of chips that are used
 * @nr_bad: number of those that are not
 * @flaw: what the first of these has, or NULL
 * @bbars: physical addresses of the registers of those that are used, in the
 *	table's order
 */
struct calgary_ebda {
	unsigned int nr_chips;
	unsigned int nr_bad;
	const char *flaw;
	u32 bbars[CALGARY_MAX_CHIPS];
};

/**
 * typedef calgary_ebda_is_ram - is there RAM in a range of physical memory?
 * @start: first byte
 * @last: last byte
 */
typedef bool (*calgary_ebda_is_ram)(u64 start, u64 last);

int calgary_ebda_parse(const u8 *ebda, size_t size, calgary_ebda_is_ram is_ram,
		       struct calgary_ebda *found);

#endif /* _CALGARY_EBDA_H */
