// SPDX-License-Identifier: GPL-2.0-only
/*
 * The option of a PHB that moves its windows, with a firmware that fails.
 */
#include <kunit/static_stub.h>
#include <kunit/test.h>

#include <asm/opal.h>
#include <asm/pci-bridge.h>
#include "pci.h"

/* A firmware with one PHB */
static struct {
	s64 set_rc;		/* what setting the option returns */
	s64 get_rc;		/* and asking for it */
	bool fails_late;	/* the option is set although setting fails */
	bool deaf;		/* setting succeeds and changes nothing */
	bool at_4gb;		/* the option */
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

static s64 firmware_get(struct pnv_phb *phb, bool *at_4gb)
{
	firmware.calls++;
	*at_4gb = firmware.at_4gb;
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

static struct kunit_case pci_window_cases[] = {
	KUNIT_CASE(option_is_set_and_cleared),
	KUNIT_CASE(refused_option_is_off),
	KUNIT_CASE(option_that_is_not_kept_is_refused),
	KUNIT_CASE(reset_is_survived),
	KUNIT_CASE(shutdown_clears_only_what_was_set),
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
