/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The TCE cache of a POWER9 PCI host bridge
 */

#ifndef PCI_HOST_PHB4_TCE_CACHE_H
#define PCI_HOST_PHB4_TCE_CACHE_H

/* An entry, by the address and the size of the page that it translates */
typedef struct Phb4Tce {
    uint64_t iova;
    uint32_t pe;
    uint32_t shift;
    uint64_t tce;
} Phb4Tce;

/* Zeroed memory is an empty cache; all calls need the BQL. */
typedef struct Phb4TceCache {
    GHashTable *entries;
} Phb4TceCache;

/* Fills in @tce->tce if the cache has an entry for the page of @tce->iova. */
bool phb4_tce_cache_get(Phb4TceCache *cache, Phb4Tce *tce);

/* Keeps an entry that was read from the table. */
void phb4_tce_cache_put(Phb4TceCache *cache, const Phb4Tce *tce);

/* What a write to the register PHB_TCE_KILL does. */
void phb4_tce_cache_kill(Phb4TceCache *cache, uint64_t val);

#endif /* PCI_HOST_PHB4_TCE_CACHE_H */
