/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writes to the TCE tables of a POWER9 PCI host bridge
 *
 * The tables are memory like any other, and hardware sees no write to them.
 * When writes are traced, a region lies over each level of a table that a TVE
 * names: each store of software is seen, whether it changes something or not,
 * and whether a kill follows or not.
 */

#include "qemu/osdep.h"
#include "qemu/bswap.h"
#include "qemu/rcu.h"
#include "exec/address-spaces.h"
#include "hw/pci-host/pnv_phb4.h"
#include "hw/pci-host/pnv_phb4_regs.h"
#include "hw/pci-host/phb4_tce_watch.h"
#include "trace.h"

#define TCE_ALLOWS 3

struct Phb4TceLevel {
    struct rcu_head rcu;
    MemoryRegion io;
    Phb4TceWatch *watch;
    Object *phb;
    uint8_t *ram;
    uint64_t base;
    unsigned shift; /* of the number of entries */
    unsigned below; /* levels between this one and the pages */
    QLIST_ENTRY(Phb4TceLevel) next;
};

static void watch_level(Phb4TceWatch *watch, Object *phb, uint64_t base,
                        unsigned shift, unsigned below);

static void watch_below(Phb4TceLevel *level, unsigned entry)
{
    uint64_t tce = ldq_be_p(level->ram + entry * sizeof(tce));

    if (tce & TCE_ALLOWS) {
        watch_level(level->watch, level->phb, tce & ~0xfffull, level->shift,
                    level->below - 1);
    }
}

static uint64_t level_read(void *opaque, hwaddr addr, unsigned size)
{
    Phb4TceLevel *level = opaque;

    return ldn_le_p(level->ram + addr, size);
}

static void level_write(void *opaque, hwaddr addr, uint64_t val, unsigned size)
{
    Phb4TceLevel *level = opaque;
    unsigned entry = addr / sizeof(uint64_t);

    stn_le_p(level->ram + addr, size, val);
    if (level->below) {
        watch_below(level, entry);
    } else {
        trace_phb4_table_write(level->base + addr,
                               ldq_be_p(level->ram + entry * sizeof(val)));
    }
}

static const MemoryRegionOps level_ops = {
    .read = level_read,
    .write = level_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid.min_access_size = 1,
    .valid.max_access_size = 8,
    .impl.min_access_size = 1,
    .impl.max_access_size = 8,
};

/* What is no memory is watched already: devices may share a table. */
static void watch_level(Phb4TceWatch *watch, Object *phb, uint64_t base,
                        unsigned shift, unsigned below)
{
    uint64_t size = sizeof(uint64_t) << shift;
    MemoryRegionSection found = memory_region_find(get_system_memory(), base,
                                                   size);
    Phb4TceLevel *level;
    unsigned entry;

    if (!found.mr) {
        return;
    }
    if (memory_region_is_ram(found.mr) && int128_get64(found.size) == size) {
        level = g_new0(Phb4TceLevel, 1);
        level->watch = watch;
        level->phb = phb;
        level->ram = memory_region_get_ram_ptr(found.mr) +
                     found.offset_within_region;
        level->base = base;
        level->shift = shift;
        level->below = below;
        memory_region_init_io(&level->io, phb, &level_ops, level,
                              "phb4-tce-level[*]", size);
        memory_region_add_subregion_overlap(get_system_memory(), base,
                                            &level->io, 1);
        QLIST_INSERT_HEAD(&watch->levels, level, next);
        for (entry = 0; below && entry < 1u << shift; entry++) {
            watch_below(level, entry);
        }
        if (!below) {
            trace_phb4_table_watched(base, 1u << shift);
        }
    }
    memory_region_unref(found.mr);
}

static void forget_levels(Phb4TceWatch *watch)
{
    Phb4TceLevel *level, *next;

    memory_region_transaction_begin();
    QLIST_FOREACH(level, &watch->levels, next) {
        memory_region_del_subregion(get_system_memory(), &level->io);
    }
    memory_region_transaction_commit();
    QLIST_FOREACH_SAFE(level, &watch->levels, next, next) {
        QLIST_REMOVE(level, next);
        object_unparent(OBJECT(&level->io));
        g_free_rcu(level, rcu);
    }
}

void phb4_tce_watch(Phb4TceWatch *watch, Object *phb, const uint64_t *tvt,
                    unsigned count)
{
    unsigned tve;

    if (!trace_event_get_state_backends(TRACE_PHB4_TABLE_WRITE)) {
        return;
    }
    forget_levels(watch);
    for (tve = 0; tve < count; tve++) {
        unsigned size = GETFIELD(IODA3_TVT_TCE_TABLE_SIZE, tvt[tve]);

        if (size && GETFIELD(IODA3_TVT_IO_PSIZE, tvt[tve])) {
            watch_level(watch, phb,
                        GETFIELD(IODA3_TVT_TABLE_ADDR, tvt[tve]) << 12,
                        size + 8, GETFIELD(IODA3_TVT_NUM_LEVELS, tvt[tve]));
        }
    }
}
