/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * IBM Calgary and CalIOC2: what registers and translation share
 */

#ifndef HW_PCI_HOST_CALGARY_H
#define HW_PCI_HOST_CALGARY_H

#include "qemu/queue.h"
#include "qemu/units.h"
#include "hw/pci/pci_device.h"

#define PHBS 4

/* In the 4 KiB of a PHB, 32 bits each */
#define CSR 0x110
#define PLSSR 0x120
#define CONFIG_RW 0x160
#define MEM_1_LOW 0x190
#define MEM_1_HIGH 0x1a0
#define MEM_1_LIMIT 0x1c0
#define AER 0x200
#define MEM_2_LOW 0x2b0
#define MEM_2_HIGH 0x2c0
#define MEM_2_LIMIT_HIGH 0x2d0
#define MEM_2_LIMIT_LOW 0x2e0
#define DETAIL 0x810
#define ROOT_COMPLEX 0xcb0
#define PMDR 0xda0
#define PMCR 0xda8
#define SAVIOR 0xdb0

#define CONFIG_TCE_ENABLE 0x20000000
#define CONFIG_SLOTS_OFF 0x1c000000
#define CONFIG_DAC_OFF 0x01000000
#define CONFIG_MEM_2 0x00400000
#define AER_ALL 0xf0000000
#define PM_SOFT_STOP 0x80000000
#define PM_SOFT_STOP_FAULT 0x40000000
#define PM_HARD_STOP 0x20000000
#define SAVIOR_QUIRK 0x00800000

#define TAR_BASE 0x0000ffffffff8000ull
#define TAR_SOFTWARE 0x0000ffffffff800full
#define TAR_RESET 0x5a00000000000120ull /* what software has to preserve */
#define TAR_SIZE 7

#define TYPE_CALGARY "calgary"
OBJECT_DECLARE_SIMPLE_TYPE(Calgary, CALGARY)

typedef struct Phb Phb;

typedef struct PhbView PhbView;

struct Phb {
    Calgary *chip;
    unsigned index;
    PCIDevice *function; /* NULL: there is no such bus */
    uint64_t tar;
    uint32_t regs[4 * KiB / sizeof(uint32_t)];
    uint64_t *tces; /* read and not dropped yet, 0: not read */
    unsigned kept;
    uint32_t busy;  /* reads of the split queue until it is empty */
    bool pushed;    /* since the PHB was stopped */
    bool empty;     /* since then */
    QLIST_HEAD(, PhbView) views;
};

struct Calgary {
    DeviceState parent_obj;
    MemoryRegion registers;
    Phb phb[PHBS];
    uint64_t ccr;
    /* Properties */
    bool calioc2;
    bool prefetch;
    bool drop;
    uint8_t rio_version;
    uint8_t chassis;
    uint8_t first_slot;
    uint32_t bbar;
    uint32_t ebda;
    uint64_t mem1_base, mem1_limit;
    uint64_t mem2_base, mem2_limit;
    /* The same, but they may change at any time */
    uint32_t split_busy;
    uint32_t soft_stop_faults;
    QTAILQ_ENTRY(Calgary) next;
};

static inline uint32_t *reg(Phb *phb, unsigned offset)
{
    return &phb->regs[offset / sizeof(uint32_t)];
}

/* Software has broken a rule. */
void G_GNUC_PRINTF(2, 3) calgary_wrong(Phb *phb, const char *format, ...);

/* The PHB translates for a bus. */
void calgary_dma_attach(Phb *phb, PCIBus *bus);

/* The PHB has read no TCE. */
void calgary_dma_forget(Phb *phb);

#endif
