/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The TCE cache of a POWER9 PCI host bridge
 *
 * What a device has used stays here until software kills it, whatever becomes
 * of the table in memory: a missing kill shows itself as data in the wrong
 * place. A real cache is smaller, and forgets by itself now and then.
 */

#include "qemu/osdep.h"
#include "hw/pci-host/pnv_phb4.h"
#include "hw/pci-host/pnv_phb4_regs.h"
#include "hw/pci-host/phb4_tce_cache.h"
#include "trace.h"

/* So much is kept at most: translations of 64 GiB in pages of 64 KiB */
#define ENTRIES_MAX (1 << 20)

static guint tce_hash(gconstpointer key)
{
    const Phb4Tce *tce = key;
    uint64_t page = tce->iova >> tce->shift;

    return page ^ (page >> 32) ^ (tce->pe << 20) ^ (tce->shift << 29);
}

static gboolean tce_equal(gconstpointer a, gconstpointer b)
{
    const Phb4Tce *one = a, *other = b;

    return one->iova >> one->shift == other->iova >> other->shift &&
           one->pe == other->pe && one->shift == other->shift;
}

bool phb4_tce_cache_get(Phb4TceCache *cache, Phb4Tce *tce)
{
    Phb4Tce *found = NULL;

    if (cache->entries) {
        found = g_hash_table_lookup(cache->entries, tce);
    }
    if (found) {
        tce->tce = found->tce;
    }
    return found;
}

void phb4_tce_cache_put(Phb4TceCache *cache, const Phb4Tce *tce)
{
    if (!cache->entries) {
        cache->entries = g_hash_table_new_full(tce_hash, tce_equal, g_free,
                                               NULL);
    } else if (g_hash_table_size(cache->entries) >= ENTRIES_MAX) {
        g_hash_table_remove_all(cache->entries);
    }
    g_hash_table_add(cache->entries, g_memdup2(tce, sizeof(*tce)));
}

static gboolean of_pe(gpointer key, gpointer value, gpointer data)
{
    const Phb4Tce *tce = key, *killed = data;

    return tce->pe == killed->pe;
}

static gboolean of_page(gpointer key, gpointer value, gpointer data)
{
    const Phb4Tce *tce = key, *killed = data;

    return tce->pe == killed->pe &&
           tce->iova >> tce->shift == killed->iova >> tce->shift;
}

void phb4_tce_cache_kill(Phb4TceCache *cache, uint64_t val)
{
    Phb4Tce killed = {
        .pe = GETFIELD(PHB_TCE_KILL_PENUM, val),
        .iova = val & PPC_BITMASK(4, 51),
    };
    GHRFunc which = NULL;
    unsigned count;

    /* With a page size, its code is where the address has zeros. */
    if (val & PHB_TCE_KILL_PSEL) {
        killed.iova &= ~(uint64_t)PHB_TCE_KILL_1G;
    }
    if (val & PHB_TCE_KILL_PE) {
        which = of_pe;
    } else if (val & PHB_TCE_KILL_ONE) {
        which = of_page;
    }

    trace_phb4_tce_kill(val);
    if (!cache->entries) {
        return;
    }
    if (val & PHB_TCE_KILL_ALL) {
        /* What firmware does when it resets a bridge */
        g_hash_table_remove_all(cache->entries);
    } else if (which) {
        count = g_hash_table_foreach_remove(cache->entries, which, &killed);
        if (count) {
            trace_phb4_tce_forgotten(killed.pe, count);
        }
    }
}
