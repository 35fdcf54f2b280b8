// SPDX-License-Identifier: GPL-2.0-only
/*
 * DMA windows at 4 GB.
 *
 * A PE has two windows. The first has TCEs for what is mapped below 4 GB. The
 * second reaches all memory: at bit 59 without a table or, with
 * "iommu=iommu_bypass", at 4 GB, where devices with less than 60 bits come as
 * well. The hardware adds no offset without a table, hence all PEs of a PHB
 * share one that maps all memory.
 */
#define pr_fmt(fmt) "PowerNV: " fmt

#include <kunit/static_stub.h>
#include <kunit/visibility.h>
#include <linux/dma-mapping.h>
#include <linux/init.h>
#include <linux/iommu-words.h>
#include <linux/memblock.h>
#include <linux/mmzone.h>
#include <linux/mutex.h>

#include <asm/iommu.h>
#include <asm/opal.h>
#include <asm/pci-bridge.h>
#include <asm/ppc-pci.h>
#include "pci.h"
#include "tce-layout.h"

enum pnv_bypass_mode pnv_bypass_mode __ro_after_init;

/* Does any PHB have its windows at 4 GB? */
bool pnv_window_exists __ro_after_init;

/* Serialises what changes the list of the PEs that share a table. */
static DEFINE_MUTEX(pnv_window_mutex);

static int __init set_nobypass(const char *name, const char *value)
{
	pnv_bypass_mode = PNV_BYPASS_NONE;
	pr_info("IOMMU bypass window disabled.\n");
	return 0;
}

static int __init set_iommu_bypass(const char *name, const char *value)
{
	pnv_bypass_mode = PNV_BYPASS_AT_4GB;
	return 0;
}

DEFINE_IOMMU_WORDS(pnv_iommu_words) = {
	{ "nobypass",		NULL,	set_nobypass },
	{ "iommu_bypass",	NULL,	set_iommu_bypass },
};

/* That a call is there does not mean that the PHB knows the option. */
VISIBLE_IF_KUNIT s64 pnv_set_option(struct pnv_phb *phb, bool at_4gb)
{
	KUNIT_STATIC_STUB_REDIRECT(pnv_set_option, phb, at_4gb);
	if (!opal_check_token(OPAL_PHB_SET_OPTION))
		return OPAL_UNSUPPORTED;
	return opal_phb_set_option(phb->opal_id, OPAL_PHB_OPTION_TVE1_4GB,
				   at_4gb);
}

VISIBLE_IF_KUNIT s64 pnv_get_option(struct pnv_phb *phb, __be64 *at_4gb)
{
	KUNIT_STATIC_STUB_REDIRECT(pnv_get_option, phb, at_4gb);
	if (!opal_check_token(OPAL_PHB_GET_OPTION))
		return OPAL_UNSUPPORTED;
	return opal_phb_get_option(phb->opal_id, OPAL_PHB_OPTION_TVE1_4GB,
				   at_4gb);
}

VISIBLE_IF_KUNIT s64 pnv_window_option(struct pnv_phb *phb, bool at_4gb)
{
	__be64 now = 0;
	s64 rc;

	rc = pnv_set_option(phb, at_4gb);
	if (rc == OPAL_SUCCESS)
		rc = pnv_get_option(phb, &now);
	if (rc == OPAL_SUCCESS && be64_to_cpu(now) != at_4gb)
		rc = OPAL_WRONG_STATE;
	/* Windows at bit 59 must not meet it half set. */
	if (rc != OPAL_SUCCESS && at_4gb)
		pnv_set_option(phb, false);
	return rc;
}

/*
 * Map what is memory and what may become memory, in whole TCEs. A device can
 * reach no more than at bit 59, where there is no table.
 */
static int pnv_window_map_all(struct iommu_table *tbl)
{
	unsigned long page;

	for (page = 0; page < tbl->it_size; page++) {
		unsigned long hpa = page << tbl->it_page_shift;
		enum dma_data_direction dir = DMA_BIDIRECTIONAL;
		int err;

		err = pnv_tce_xchg(tbl, tbl->it_offset + page, &hpa, &dir);
		if (err)
			return err;
	}
	return 0;
}

static struct iommu_table *pnv_window_table(struct pnv_phb *phb)
{
	u64 size = roundup_pow_of_two(memory_hotplug_max());
	unsigned int shift = pnv_window_shift(pnv_ioda_parse_tce_sizes(phb));
	struct iommu_table *tbl;
	unsigned int levels;

	levels = pnv_tce_levels(ilog2(pnv_tce_span(PNV_WINDOW_AT_4GB, size)) -
				shift, PAGE_SHIFT + MAX_PAGE_ORDER);
	if (pnv_pci_ioda2_new_table(phb->hose->node, PNV_WINDOW_AT_4GB, shift,
				    size, levels, false, &tbl))
		return NULL;
	if (!pnv_window_map_all(tbl))
		return tbl;
	iommu_tce_table_put(tbl);
	return NULL;
}

static const char *pnv_window_refused(s64 rc)
{
	switch (rc) {
	case OPAL_UNSUPPORTED:
		return "firmware or PHB does not know it";
	case OPAL_PARAMETER:
		return "firmware takes it for a mistake";
	case OPAL_WRONG_STATE:
		return "PHB does not keep it";
	default:
		return "firmware failed";
	}
}

/**
 * pnv_window_init - decide where the second window of a PHB's PEs is
 * @phb: a PHB, none of whose PEs has a window
 *
 * Whatever the option was, another kernel may have left it.
 */
void __init pnv_window_init(struct pnv_phb *phb)
{
	struct iommu_table *tbl;
	s64 rc;

	rc = pnv_window_option(phb, false);
	if (rc != OPAL_SUCCESS && rc != OPAL_UNSUPPORTED)
		pr_warn("PHB#%x: where DMA windows are cannot be said: %s (%lld)\n",
			phb->hose->global_number, pnv_window_refused(rc), rc);
	if (pnv_bypass_mode != PNV_BYPASS_AT_4GB)
		return;
	if (rc == OPAL_SUCCESS)
		rc = pnv_window_option(phb, true);
	if (rc != OPAL_SUCCESS) {
		pr_warn_once("iommu_bypass: %s (%lld), DMA windows stay at bit 59\n",
			     pnv_window_refused(rc), rc);
		return;
	}
	tbl = pnv_window_table(phb);
	if (!tbl) {
		pnv_window_option(phb, false);
		pr_warn_once("iommu_bypass: no memory for a table, DMA windows stay at bit 59\n");
		return;
	}
	phb->window_tbl = tbl;
	pnv_window_exists = true;
	pr_info("PHB#%x: DMA window at 4 GB, TCEs of %lu MB in %lu levels\n",
		phb->hose->global_number, IOMMU_PAGE_SIZE(tbl) / SZ_1M,
		tbl->it_indirect_levels + 1);
}

/**
 * pnv_window_shutdown - leave the PHB as a kernel that knows nothing wants it
 * @phb: a PHB that does no DMA any more
 */
void pnv_window_shutdown(struct pnv_phb *phb)
{
	if (phb->window_tbl)
		pnv_window_option(phb, false);
}

/**
 * pnv_window_restore - set again what a reset of the whole PHB has cleared
 * @phb: a PHB that does no DMA yet
 *
 * Return: OPAL_SUCCESS, or why the PHB cannot be used: the tables of its PEs
 * are made for a window at 4 GB.
 */
s64 pnv_window_restore(struct pnv_phb *phb)
{
	s64 rc;

	if (!phb->window_tbl)
		return OPAL_SUCCESS;
	rc = pnv_window_option(phb, true);
	if (rc != OPAL_SUCCESS)
		pr_err("PHB#%x: no DMA window at 4 GB after reset: %s (%lld)\n",
		       phb->hose->global_number, pnv_window_refused(rc), rc);
	return rc;
}

/* Does the table that all PEs share serve this one? */
static bool pnv_window_is_shared(struct pnv_ioda_pe *pe)
{
	return pe->phb->window_tbl &&
	       pe->table_group.tables[1] == pe->phb->window_tbl;
}

/**
 * pnv_window_set - give a PE the window at 4 GB or take it away
 * @pe: the PE
 * @enable: which of them
 *
 * Sets where the PE's second window is when it gets it.
 *
 * Return: true when that is done; otherwise the window is or was at bit 59.
 */
bool pnv_window_set(struct pnv_ioda_pe *pe, bool enable)
{
	struct iommu_table *tbl = pe->phb->window_tbl;
	bool done;

	guard(mutex)(&pnv_window_mutex);
	if (!enable) {
		done = pnv_window_is_shared(pe);
		if (done)
			pnv_pci_ioda2_unset_window(&pe->table_group, 1);
		return done;
	}
	done = tbl && !pnv_pci_ioda2_set_window(&pe->table_group, 1, tbl);
	pe->tce_bypass_base = done ? PNV_WINDOW_AT_4GB : PNV_WINDOW_AT_BIT_59;
	if (tbl && !done)
		pe_warn(pe, "no DMA window at 4 GB\n");
	return done;
}

/**
 * pnv_window_limit - how far the devices of a PE see memory directly
 * @pe: the PE
 *
 * There is room for all memory that the firmware knows of.
 *
 * Return: the last address of the window at 4 GB, or 0 if that is not where
 * the PE has its window.
 */
u64 pnv_window_limit(struct pnv_ioda_pe *pe)
{
	struct iommu_table *tbl = pe->phb->window_tbl;

	if (!tbl || pe->tce_bypass_base != PNV_WINDOW_AT_4GB)
		return 0;
	return ((tbl->it_offset + tbl->it_size) << tbl->it_page_shift) - 1;
}
