// SPDX-License-Identifier: GPL-2.0-only
/*
 * Change the domain of a device while the device does DMA.
 *
 * The hardware reads a context entry of legacy mode at once, and a PASID table
 * entry in pieces of 128 bits. What tells pass-through from translation, and
 * one page table from another, is in 128 bits, but for the page table of first
 * stage, which is ignored in pass-through. So each entry is either the old one
 * or the new one at any time, and DMA to what both domains map alike goes on.
 */
#include <linux/cleanup.h>
#include <linux/iommu.h>
#include <linux/pci.h>
#include <linux/spinlock.h>

#include "iommu.h"
#include "pasid.h"
#include "replace.h"

/**
 * intel_replace_supported - can the domain of a device be replaced?
 * @dev: device
 *
 * Devices that have translations of their own, with ATS, or several domains,
 * with PASID, are left to those who know about that.
 *
 * Context: any
 * Return: true if intel_replace_domain() works.
 */
bool intel_replace_supported(struct device *dev)
{
	struct device_domain_info *info = dev_iommu_priv_get(dev);

	return intel_entry_atomic() && !info->ats_supported &&
	       !info->pasid_supported && !dev_is_real_dma_subdevice(dev);
}

static bool is_replaceable(struct iommu_domain *domain)
{
	return domain->type == IOMMU_DOMAIN_IDENTITY ||
	       iommu_is_dma_domain(domain);
}

/* The context entry of a device in the domain; NULL: in pass-through */
static void context_entry_fill(struct intel_iommu *iommu,
			       struct dmar_domain *domain,
			       struct context_entry *entry)
{
	struct pt_iommu_vtdss_hw_info table;

	context_clear_entry(entry);
	if (domain) {
		pt_iommu_vtdss_hw_info(&domain->sspt, &table);
		context_set_domain_id(entry, domain_id_iommu(domain, iommu));
		context_set_address_root(entry, table.ssptptr);
		context_set_address_width(entry, table.aw);
		context_set_translation_type(entry, CONTEXT_TT_MULTI_LEVEL);
	} else {
		context_set_domain_id(entry, FLPT_DEFAULT_DID);
		context_set_address_width(entry, iommu->msagaw);
		context_set_translation_type(entry, CONTEXT_TT_PASS_THROUGH);
	}
	context_set_fault_enable(entry);
	context_set_present(entry);
}

static int context_replace_one(struct device_domain_info *info, u8 bus,
			       u8 devfn, struct dmar_domain *domain)
{
	struct intel_iommu *iommu = info->iommu;
	struct context_entry *context, entry;
	u16 did;

	scoped_guard(spinlock, &iommu->lock) {
		context = iommu_context_addr(iommu, bus, devfn, 0);
		if (!context || !context_present(context) ||
		    context_copied(iommu, bus, devfn))
			return -ENODEV;
		did = context_domain_id(context);
		context_entry_fill(iommu, domain, &entry);
		intel_entry_write(&context->lo, entry.lo, entry.hi);
		__iommu_flush_cache(iommu, context, sizeof(*context));
	}
	intel_context_flush_no_pasid(info, context, did,
				     PCI_DEVID(bus, devfn));
	return 0;
}

struct context_replace {
	struct device_domain_info *info;
	struct dmar_domain *domain;
};

static int context_replace_alias(struct pci_dev *pdev, u16 alias, void *data)
{
	struct context_replace *r = data;

	return context_replace_one(r->info, PCI_BUS_NUM(alias), alias & 0xff,
				   r->domain);
}

static int context_replace(struct device_domain_info *info,
			   struct dmar_domain *domain)
{
	struct context_replace r = { .info = info, .domain = domain };

	if (!dev_is_pci(info->dev))
		return context_replace_one(info, info->bus, info->devfn,
					   domain);
	return pci_for_each_dma_alias(to_pci_dev(info->dev),
				      context_replace_alias, &r);
}

/* From one first-stage table to another there is a way over pass-through. */
static int pasid_replace(struct device_domain_info *info,
			 struct dmar_domain *domain)
{
	struct intel_iommu *iommu = info->iommu;
	int ret;

	if (domain && !intel_domain_is_fs_paging(domain))
		return intel_pasid_replace_second_level(iommu, domain,
							info->dev,
							IOMMU_NO_PASID);
	ret = intel_pasid_replace_pass_through(iommu, info->dev,
					       IOMMU_NO_PASID);
	if (ret || !domain)
		return ret;
	return intel_pasid_replace_first_level(iommu, domain, info->dev,
					       IOMMU_NO_PASID);
}

/* Cache tags come before the hardware can cache anything of the domain. */
static int replace_attach(struct device_domain_info *info,
			  struct dmar_domain *domain)
{
	int ret;

	if (!domain)
		return 0;
	ret = domain_attach_iommu(domain, info->iommu);
	if (ret)
		return ret;
	ret = cache_tag_assign_domain(domain, info->dev, IOMMU_NO_PASID);
	if (ret)
		domain_detach_iommu(domain, info->iommu);
	return ret;
}

static void replace_detach(struct device_domain_info *info,
			   struct dmar_domain *domain)
{
	if (!domain)
		return;
	cache_tag_unassign_domain(domain, info->dev, IOMMU_NO_PASID);
	domain_detach_iommu(domain, info->iommu);
}

static void replace_link(struct device_domain_info *info,
			 struct dmar_domain *domain)
{
	if (info->domain) {
		guard(spinlock_irqsave)(&info->domain->lock);
		list_del(&info->link);
	}
	info->domain = domain;
	if (domain) {
		guard(spinlock_irqsave)(&domain->lock);
		list_add(&info->link, &domain->devices);
	}
}

/**
 * intel_replace_domain - attach a domain without a moment in which none is
 * @domain: identity domain, or DMA domain that suits the device
 * @dev: device
 * @old: its domain
 *
 * Context: process, may sleep; the mutex of the device's group is held
 * Return: 0; -EOPNOTSUPP if it has to be done in another way, which begins with
 * blocking the device; another error, with nothing changed.
 */
int intel_replace_domain(struct iommu_domain *domain, struct device *dev,
			 struct iommu_domain *old)
{
	struct device_domain_info *info = dev_iommu_priv_get(dev);
	struct dmar_domain *from = info->domain, *to = NULL;
	int ret;

	if (!old || !info->domain_attached || !is_replaceable(old) ||
	    !is_replaceable(domain) || !intel_replace_supported(dev))
		return -EOPNOTSUPP;
	if (domain->type != IOMMU_DOMAIN_IDENTITY)
		to = to_dmar_domain(domain);

	ret = replace_attach(info, to);
	if (ret)
		return ret;
	ret = sm_supported(info->iommu) ? pasid_replace(info, to) :
					  context_replace(info, to);
	if (ret) {
		/* Of its entries some may be new ones. */
		replace_detach(info, to);
		return -EOPNOTSUPP;
	}
	replace_link(info, to);
	replace_detach(info, from);
	return 0;
}
