/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * IBM Calgary and CalIOC2.
 *
 * A chip has four PHBs (PCI host bridges). Each has one table of TCEs, its
 * translations, which all devices behind it share. The parts, from bottom to
 * top, each without knowledge of the next:
 *
 *	ebda.c		where firmware says that chips are
 *	table.c		tables of TCEs
 *	phb.c		what is done to the registers, and in which order
 *	calgary.c	an IOMMU driver
 *	options.c	calgary= on the command line
 *	x86.c		the machine: firmware's table, registers, shutdown
 */
#ifndef _CALGARY_H
#define _CALGARY_H

#include <linux/atomic.h>
#include <linux/bitmap.h>
#include <linux/iommu.h>
#include <linux/range.h>
#include <linux/sizes.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>

#include "../flat-pt.h"
#include "ebda.h"
#include "regs.h"

/* The largest table has 8 MB, or 4 MB, all that is in one piece without this */
#define CALGARY_MAX_CODE	(IS_ENABLED(CONFIG_CONTIG_ALLOC) ? 7 : 6)

/* The size of a table by its code */
#define CALGARY_TABLE_BYTES(code)	(0x10000UL << (code))

/**
 * struct calgary_io - how to get at a machine; tests have their own
 * @read32: read a register of 32 bits, which is big endian
 * @write32: write one
 * @read64: read a register of 64 bits, by one access
 * @write64: write one
 * @now: time in ns
 * @map: get at a table that a kernel which crashed has left; NULL when it
 *	cannot be where it seems to be
 * @unmap: undo @map
 * @publish: bring TCEs from the CPU's caches to memory. Chips do not look
 *	into caches; NULL only in tests
 */
struct calgary_io {
	u32 (*read32)(const void __iomem *reg);
	void (*write32)(u32 value, void __iomem *reg);
	u64 (*read64)(const void __iomem *reg);
	void (*write64)(u64 value, void __iomem *reg);
	u64 (*now)(void);
	void *(*map)(u64 start, size_t bytes);
	void (*unmap)(void *entries);
	void (*publish)(void *start, unsigned int bytes);
};

/* What becomes of DMA */
enum calgary_state {
	CALGARY_OFF,		/* it is not translated */
	CALGARY_ON,		/* it is translated */
	CALGARY_ISOLATED,	/* there is none: slots are off after an error */
};

/**
 * struct calgary_table - a table of TCEs
 * @flat: what the IOMMU core knows, and the library that fills it
 * @phb: whose devices it is for
 * @tar: what TAR has to say of it: address and size
 * @unmap: gives back a table that is another kernel's, else NULL
 */
struct calgary_table {
	struct flat_pt_domain flat;
	struct calgary_phb *phb;
	u64 tar;
	void (*unmap)(void *entries);
};

/* All IOVAs that there can be, in MB */
#define CALGARY_MB		(SZ_4G / SZ_1M)

/* Ranges that a PHB does not translate: no more than these */
#define CALGARY_MAX_RANGES	4

/**
 * struct calgary_errors - registers that tell of an error
 * @csr: status of DMA, with the bits of an error
 * @details: what other registers had, those of calgary_detail_regs
 * @news: what went wrong when DMA had to stop, or NULL
 */
struct calgary_errors {
	u32 csr;
	u32 details[CALGARY_NR_DETAILS];
	const char *news;
};

/**
 * struct calgary_phb - a PCI host bridge
 * @chip: where it is
 * @nr: which one of the chip
 * @calioc2: it is a CalIOC2's, otherwise a Calgary's
 * @first_bus: first bus behind it
 * @last_bus: last bus behind it
 * @lenient: errors are reported, but do not isolate, and a kernel that died may
 *	have stopped arbitration
 * @inherited: table of a kernel that crashed and has had it translate: what
 *	TAR says of address and size, or 0
 * @lock: protects what follows up to @wanted, and makes sequences of register
 *	accesses whole
 * @state: what becomes of DMA
 * @tar: of the table in use; 0 while there is none
 * @aer: what AER had before DMA was stopped
 * @slots: slots that were off before all were, in isolation
 * @news: what went wrong last, see &struct calgary_errors
 * @told: what of that has been told
 * @done: flushes that were wanted when the last one that is done began
 * @wanted: number of flushes that were wanted
 * @old: MB of IOVAs that another kernel's table keeps from being used; set
 *	before anybody sees the PHB
 * @table: the one in use, or NULL; the group's mutex protects it
 * @spare: a table made in advance, or NULL; goes from hand to hand by xchg()
 * @node: in the list of all PHBs that translate
 * @iommu: what the core knows
 * @watchdog: looks for errors
 */
struct calgary_phb {
	struct calgary_chip *chip;
	unsigned int nr;
	bool calioc2;
	u8 first_bus;
	u8 last_bus;
	bool lenient;
	u64 inherited;

	/* For what follows, up to @wanted */
	spinlock_t lock;
	enum calgary_state state;
	u64 tar;
	u32 aer;
	u32 slots;
	const char *news;
	const char *told;
	u64 done;
	atomic64_t wanted;

	DECLARE_BITMAP(old, CALGARY_MB);
	struct calgary_table *table;
	struct calgary_table *spare;
	struct list_head node;
	struct iommu_device iommu;
	struct delayed_work watchdog;
};

/**
 * struct calgary_chip - a chip
 * @io: how to get at registers
 * @regs: where they are
 * @nr: its number
 * @phbs: its PHBs
 */
struct calgary_chip {
	const struct calgary_io *io;
	void __iomem *regs;
	unsigned int nr;
	struct calgary_phb phbs[CALGARY_PHBS];
};

/* table.c */
struct calgary_table *calgary_table_alloc(const struct calgary_io *io,
					  unsigned int code);
struct calgary_table *calgary_table_adopt(const struct calgary_io *io, u64 tar,
					  unsigned long *used);
void calgary_table_free(struct calgary_table *table);

/* phb.c */
extern const u16 calgary_detail_regs[CALGARY_NR_DETAILS];
void calgary_phb_init(struct calgary_chip *chip, unsigned int nr);
int calgary_phb_use(struct calgary_phb *phb, u64 tar);
void calgary_phb_leave(struct calgary_phb *phb);
void calgary_phb_restore(struct calgary_phb *phb);
int calgary_phb_flush(struct calgary_phb *phb);
bool calgary_phb_check(struct calgary_phb *phb, struct calgary_errors *errors);
int calgary_phb_enable(struct calgary_phb *phb);
unsigned int calgary_phb_ranges(struct calgary_phb *phb, struct range *ranges);

/* options.c */
struct calgary_options {
	bool on;
	bool empty_slots;
	unsigned int code;
	DECLARE_BITMAP(disabled, 256);
};

extern struct calgary_options calgary_options;

void calgary_parse(const char *list, void (*refuse)(const char *message));

/* calgary.c */
void calgary_add_chip(struct calgary_chip *chip);
bool calgary_start(const struct calgary_io *io);
void calgary_shutdown(void);
void calgary_resume(void *data);

#endif /* _CALGARY_H */
