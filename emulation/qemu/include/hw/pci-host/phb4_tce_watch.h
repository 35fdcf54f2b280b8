/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writes to the TCE tables of a POWER9 PCI host bridge
 */

#ifndef PCI_HOST_PHB4_TCE_WATCH_H
#define PCI_HOST_PHB4_TCE_WATCH_H

#include "qemu/queue.h"
#include "qom/object.h"

typedef struct Phb4TceLevel Phb4TceLevel;

/* Zeroed memory watches nothing; all calls need the BQL. */
typedef struct Phb4TceWatch {
    QLIST_HEAD(, Phb4TceLevel) levels;
} Phb4TceWatch;

/* Watches, if such writes are traced, the tables of all TVEs, and no others. */
void phb4_tce_watch(Phb4TceWatch *watch, Object *phb, const uint64_t *tvt,
                    unsigned count);

#endif /* PCI_HOST_PHB4_TCE_WATCH_H */
