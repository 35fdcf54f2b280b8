// SPDX-License-Identifier: GPL-2.0-only
/*
 * The choice of a PE's DMA window in sysfs.
 *
 * A PE whose ownership is given back to the kernel has its windows set up anew.
 * So the choice is made while they are taken away, which needs that no driver
 * uses one of its devices, and keeps drivers away meanwhile.
 */
#include <linux/device.h>
#include <linux/iommu.h>
#include <linux/pci.h>
#include <linux/string.h>
#include <linux/sysfs.h>

#include <asm/machdep.h>
#include "pci.h"

static const char * const pnv_window_names[] = { "4GB", "bit59" };

static ssize_t dma_window_show(struct device *dev,
			       struct device_attribute *attr, char *buf)
{
	struct pnv_ioda_pe *pe = pnv_ioda_get_pe(to_pci_dev(dev));
	bool at_bit_59;

	if (!pe)
		return -ENODEV;
	if (!pe->tce_bypass_enabled)
		return sysfs_emit(buf, "none\n");
	at_bit_59 = pe->tce_bypass_base == PNV_WINDOW_AT_BIT_59;
	return sysfs_emit(buf, "%s\n", pnv_window_names[at_bit_59]);
}

static int pnv_window_set_up(struct pnv_ioda_pe *pe, bool at_bit_59)
{
	int err = iommu_group_claim_dma_owner(pe->table_group.group, pe);

	if (err)
		return err == -EPERM ? -EBUSY : err;
	pe->window_at_bit_59 = at_bit_59;
	iommu_group_release_dma_owner(pe->table_group.group);
	return 0;
}

static int pnv_window_choose(struct pnv_ioda_pe *pe, bool at_bit_59)
{
	u64 base = at_bit_59 ? PNV_WINDOW_AT_BIT_59 : PNV_WINDOW_AT_4GB;
	bool before = pe->window_at_bit_59;
	int err;

	err = pnv_window_set_up(pe, at_bit_59);
	if (err)
		return err;
	if (pe->table_group.tables[0] && pe->tce_bypass_enabled &&
	    pe->tce_bypass_base == base)
		return 0;
	pnv_window_set_up(pe, before);
	return -EIO;
}

static ssize_t dma_window_store(struct device *dev,
				struct device_attribute *attr,
				const char *buf, size_t count)
{
	struct pnv_ioda_pe *pe = pnv_ioda_get_pe(to_pci_dev(dev));
	int at_bit_59 = sysfs_match_string(pnv_window_names, buf);
	int err;

	if (at_bit_59 < 0)
		return at_bit_59;
	if (!pe || !pe->table_group.group)
		return -ENODEV;
	err = pnv_window_choose(pe, at_bit_59);
	return err ?: count;
}

static DEVICE_ATTR_RW(dma_window);

static struct attribute *pnv_window_attrs[] = {
	&dev_attr_dma_window.attr,
	NULL
};

/* There is a choice where the PHB has both. */
static umode_t pnv_window_visible(struct kobject *kobj, struct attribute *attr,
				  int n)
{
	struct pci_dev *pdev = to_pci_dev(kobj_to_dev(kobj));

	if (!machine_is(powernv) || pci_is_bridge(pdev) ||
	    !pci_bus_to_pnvhb(pdev->bus)->window_tbl)
		return 0;
	return attr->mode;
}

/* The files go, and nobody is in them any more, before the device does. */
const struct attribute_group pnv_window_attr_group = {
	.attrs = pnv_window_attrs,
	.is_visible = pnv_window_visible,
};
