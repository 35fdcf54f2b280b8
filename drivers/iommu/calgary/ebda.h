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
 * enum calgary_ebda_flaw - why an entry of the table is not used
 * @CALGARY_BBAR_ZERO: it has no address
 * @CALGARY_BBAR_UNALIGNED: its address is no multiple of 1 MB
 * @CALGARY_BBAR_TAKEN: RAM or interrupt controllers are at its address
 * @CALGARY_BBAR_TWICE: an entry before it has the same address
 * @CALGARY_TOO_MANY: there are more chips before it than there can be buses for
 * @CALGARY_NR_FLAWS: number of these
 */
enum calgary_ebda_flaw {
	CALGARY_BBAR_ZERO,
	CALGARY_BBAR_UNALIGNED,
	CALGARY_BBAR_TAKEN,
	CALGARY_BBAR_TWICE,
	CALGARY_TOO_MANY,
	CALGARY_NR_FLAWS
};

/**
 * struct calgary_ebda_chip - a chip that translates, as the table has it
 * @bbar: physical address of its registers
 * @second: it is on the second planar, otherwise it has the legacy devices
 * @node: its node id
 * @owner: node id of the Hurricane chip that owns it
 * @first_slot: number of the first slot that it serves
 * @chassis: number of the chassis from 1, 0 when the table does not say
 */
struct calgary_ebda_chip {
	u32 bbar;
	bool second;
	u8 node;
	u8 owner;
	u8 first_slot;
	u8 chassis;
};

/**
 * struct calgary_ebda - what the table says
 * @version: of the table, 2 or 3
 * @nr_chips: number of @chips
 * @flaws: number of entries that are not used, for each reason
 * @chips: in the table's order
 */
struct calgary_ebda {
	unsigned int version;
	unsigned int nr_chips;
	unsigned int flaws[CALGARY_NR_FLAWS];
	struct calgary_ebda_chip chips[CALGARY_MAX_CHIPS];
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
