// SPDX-License-Identifier: GPL-2.0-only
/*
 * The option of a PHB that moves its windows, with a firmware that fails.
 */
#include <kunit/static_stub.h>
#include <kunit/test.h>

#include <asm/opal.h>
#include <asm/pci-bridge.h>
#include "pci.h"
#include "tce-layout.h"

/* A firmware with one PHB */
static struct {
	s64 set_rc;		/* what setting the option returns */
	s64 get_rc;		/* and asking for it */
	bool fails_late;	/* the option is set although setting fails */
	bool deaf;		/* setting succeeds and changes nothing */
	bool at_4gb;		/* the option */
	u64 other;		/* what is said instead of it, if not 0 */
	unsigned int calls;
} firmware;

static s64 firmware_set(struct pnv_phb *phb, bool at_4gb)
{
	firmware.calls++;
	if (!at_4gb) {
		firmware.at_4gb = false;
		return OPAL_SUCCESS;
	}
	if (!firmware.deaf && (!firmware.set_rc || firmware.fails_late))
		firmware.at_4gb = true;
	return firmware.set_rc;
}

static s64 firmware_get(struct pnv_phb *phb, __be64 *at_4gb)
{
	firmware.calls++;
	*at_4gb = cpu_to_be64(firmware.other ?: firmware.at_4gb);
	return firmware.get_rc;
}

static const s64 codes[] = {
	OPAL_PARAMETER, OPAL_BUSY, OPAL_CLOSED, OPAL_HARDWARE,
	OPAL_UNSUPPORTED, OPAL_PERMISSION, OPAL_NO_MEM, OPAL_RESOURCE,
	OPAL_INTERNAL_ERROR, OPAL_WRONG_STATE,
};

static int pci_window_init(struct kunit *test)
{
	struct pci_controller *hose;
	struct pnv_phb *phb;

	memset(&firmware, 0, sizeof(firmware));
	kunit_activate_static_stub(test, pnv_set_option, firmware_set);
	kunit_activate_static_stub(test, pnv_get_option, firmware_get);
	hose = kunit_kzalloc(test, sizeof(*hose), GFP_KERNEL);
	phb = kunit_kzalloc(test, sizeof(*phb), GFP_KERNEL);
	if (!hose || !phb)
		return -ENOMEM;
	phb->hose = hose;
	test->priv = phb;
	return 0;
}

static void option_is_set_and_cleared(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, pnv_window_option(test->priv, true),
			OPAL_SUCCESS);
	KUNIT_EXPECT_TRUE(test, firmware.at_4gb);
	KUNIT_EXPECT_EQ(test, pnv_window_option(test->priv, false),
			OPAL_SUCCESS);
	KUNIT_EXPECT_FALSE(test, firmware.at_4gb);
}

/* Whatever fails when it is set, windows at bit 59 do not meet the option. */
static void refused_option_is_off(struct kunit *test)
{
	unsigned int i, late;

	for (i = 0; i < ARRAY_SIZE(codes); i++) {
		for (late = 0; late < 2; late++) {
			firmware.set_rc = codes[i];
			firmware.fails_late = late;
			KUNIT_EXPECT_EQ(test,
					pnv_window_option(test->priv, true),
					codes[i]);
			KUNIT_EXPECT_FALSE(test, firmware.at_4gb);
		}
		firmware.set_rc = OPAL_SUCCESS;
		firmware.get_rc = codes[i];
		KUNIT_EXPECT_EQ(test, pnv_window_option(test->priv, true),
				codes[i]);
		KUNIT_EXPECT_FALSE(test, firmware.at_4gb);
		firmware.get_rc = OPAL_SUCCESS;
	}
}

static void option_that_is_not_kept_is_refused(struct kunit *test)
{
	firmware.deaf = true;
	KUNIT_EXPECT_EQ(test, pnv_window_option(test->priv, true),
			OPAL_WRONG_STATE);
	KUNIT_EXPECT_FALSE(test, firmware.at_4gb);
}

/* All of the big-endian number counts, not only that it is none. */
static void option_that_is_no_option_is_refused(struct kunit *test)
{
	static const u64 others[] = { 2, 3, BIT_ULL(32) + 1, BIT_ULL(56) };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(others); i++) {
		firmware.other = others[i];
		KUNIT_EXPECT_EQ(test, pnv_window_option(test->priv, true),
				OPAL_WRONG_STATE);
		KUNIT_EXPECT_FALSE(test, firmware.at_4gb);
		KUNIT_EXPECT_EQ(test, pnv_window_option(test->priv, false),
				OPAL_WRONG_STATE);
	}
}

/* A kernel that has a table at 4 GB, and a reset of the whole PHB */
static void reset_is_survived(struct kunit *test)
{
	struct pnv_phb *phb = test->priv;
	struct iommu_table table = {};

	KUNIT_EXPECT_EQ(test, pnv_window_restore(phb), OPAL_SUCCESS);
	KUNIT_EXPECT_EQ(test, firmware.calls, 0);
	phb->window_tbl = &table;
	KUNIT_EXPECT_EQ(test, pnv_window_restore(phb), OPAL_SUCCESS);
	KUNIT_EXPECT_TRUE(test, firmware.at_4gb);
	firmware.set_rc = OPAL_HARDWARE;
	KUNIT_EXPECT_EQ(test, pnv_window_restore(phb), OPAL_HARDWARE);
	KUNIT_EXPECT_FALSE(test, firmware.at_4gb);
}

static void shutdown_clears_only_what_was_set(struct kunit *test)
{
	struct pnv_phb *phb = test->priv;
	struct iommu_table table = {};

	firmware.at_4gb = true;
	pnv_window_shutdown(phb);
	KUNIT_EXPECT_EQ(test, firmware.calls, 0);
	phb->window_tbl = &table;
	pnv_window_shutdown(phb);
	KUNIT_EXPECT_FALSE(test, firmware.at_4gb);
}

static long window_is_set(struct iommu_table_group *group, int num,
			  struct iommu_table *tbl)
{
	group->tables[num] = tbl;
	return 0;
}

static long window_is_refused(struct iommu_table_group *group, int num,
			      struct iommu_table *tbl)
{
	return OPAL_RESOURCE;
}

/* What happens to one PE, with its window at bit 59, is its own affair. */
static void pe_falls_back_alone(struct kunit *test)
{
	struct pnv_phb *phb = test->priv;
	struct iommu_table table = { .it_page_shift = 30, .it_offset = 4,
				     .it_size = 4 };
	struct pnv_ioda_pe *first, *second;

	first = kunit_kzalloc(test, sizeof(*first), GFP_KERNEL);
	second = kunit_kzalloc(test, sizeof(*second), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, first);
	KUNIT_ASSERT_NOT_NULL(test, second);
	first->phb = phb;
	second->phb = phb;
	KUNIT_EXPECT_FALSE(test, pnv_window_set(first, true));
	KUNIT_EXPECT_EQ(test, first->tce_bypass_base, PNV_WINDOW_AT_BIT_59);
	KUNIT_EXPECT_EQ(test, pnv_window_limit(first), 0);

	phb->window_tbl = &table;
	kunit_activate_static_stub(test, pnv_pci_ioda2_set_window,
				   window_is_set);
	KUNIT_EXPECT_TRUE(test, pnv_window_set(first, true));
	kunit_activate_static_stub(test, pnv_pci_ioda2_set_window,
				   window_is_refused);
	KUNIT_EXPECT_FALSE(test, pnv_window_set(second, true));
	KUNIT_EXPECT_EQ(test, second->tce_bypass_base, PNV_WINDOW_AT_BIT_59);
	KUNIT_EXPECT_EQ(test, pnv_window_limit(second), 0);
	KUNIT_EXPECT_EQ(test, first->tce_bypass_base, PNV_WINDOW_AT_4GB);
	KUNIT_EXPECT_EQ(test, pnv_window_limit(first), 8ULL * SZ_1G - 1);
	KUNIT_EXPECT_PTR_EQ(test, phb->window_tbl, &table);
	/* It has nothing that could be taken from it. */
	KUNIT_EXPECT_FALSE(test, pnv_window_set(second, false));
}

static struct kunit_case pci_window_cases[] = {
	KUNIT_CASE(option_is_set_and_cleared),
	KUNIT_CASE(refused_option_is_off),
	KUNIT_CASE(option_that_is_not_kept_is_refused),
	KUNIT_CASE(option_that_is_no_option_is_refused),
	KUNIT_CASE(reset_is_survived),
	KUNIT_CASE(shutdown_clears_only_what_was_set),
	KUNIT_CASE(pe_falls_back_alone),
	{}
};

static struct kunit_suite pci_window_suite = {
	.name = "powernv-pci-window",
	.init = pci_window_init,
	.test_cases = pci_window_cases,
};

kunit_test_suite(pci_window_suite);

MODULE_DESCRIPTION("KUnit tests of the DMA windows of powernv");
MODULE_LICENSE("GPL");
