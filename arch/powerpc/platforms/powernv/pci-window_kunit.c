// SPDX-License-Identifier: GPL-2.0-only
/*
 * The option of a PHB that moves its windows, with a firmware that fails.
 */
#include <kunit/static_stub.h>
#include <kunit/test.h>
#include <linux/dma-direct.h>
#include <linux/dma-map-ops.h>
#include <linux/dma-mapping.h>
#include <linux/kmsg_dump.h>
#include <linux/list.h>
#include <linux/memblock.h>
#include <linux/pci.h>
#include <linux/string.h>

#include <asm/iommu.h>
#include <asm/opal.h>
#include <asm/pci-bridge.h>
#include <asm/tce.h>
#include "pci.h"
#include "tce-layout.h"

#define PES	2

/* A firmware with one PHB */
static struct {
	s64 set_rc;		/* what setting the option returns */
	s64 get_rc;		/* and asking for it */
	bool fails_late;	/* the option is set although setting fails */
	bool deaf;		/* setting succeeds and changes nothing */
	bool at_4gb;		/* the option */
	u64 other;		/* what is said instead of it, if not 0 */
	unsigned int calls;
	s64 map_rc;		/* what giving a window to a PE returns */
	u64 table[PES];		/* and whose table is its second one */
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

static s64 firmware_map(struct pnv_ioda_pe *pe, int num, u16 levels, u64 table,
			u64 size, u64 page)
{
	if (levels && firmware.map_rc)
		return firmware.map_rc;
	if (num == 1)
		firmware.table[pe->pe_number] = levels ? table : 0;
	return OPAL_SUCCESS;
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

/* A PE of one device */
static struct pnv_ioda_pe *new_pe(struct kunit *test, unsigned int number)
{
	struct pnv_ioda_pe *pe = kunit_kzalloc(test, sizeof(*pe), GFP_KERNEL);
	struct pci_dev *pdev = kunit_kzalloc(test, sizeof(*pdev), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, pe);
	KUNIT_ASSERT_NOT_NULL(test, pdev);
	pdev->dev.init_name = "device-of-a-test";
	pe->phb = test->priv;
	pe->pe_number = number;
	pe->flags = PNV_IODA_PE_DEV;
	pe->pdev = pdev;
	return pe;
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

	first = new_pe(test, 0);
	second = new_pe(test, 1);
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

#define KILL_REGISTER	0x210

/* A PHB whose TCEs are killed by a register, and where that is in memory */
static __be64 *new_kill_register(struct kunit *test)
{
	struct pnv_phb *phb = test->priv;
	char *regs = kunit_kzalloc(test, KILL_REGISTER + 8, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, regs);
	phb->model = PNV_PHB_MODEL_PHB3;
	phb->regs = (void __iomem __force *)regs;
	return (__be64 *)(regs + KILL_REGISTER);
}

/* A table at 4 GB, and a firmware that is asked to give it to PEs */
static struct iommu_table *new_shared_table(struct kunit *test)
{
	struct pnv_phb *phb = test->priv;
	struct iommu_table *tbl = NULL;
	long err;

	kunit_activate_static_stub(test, pnv_map_window, firmware_map);
	err = pnv_pci_ioda2_new_table(NUMA_NO_NODE, PNV_WINDOW_AT_4GB, 30,
				      SZ_4G, 1, false, &tbl);
	KUNIT_ASSERT_EQ(test, err, 0);
	phb->window_tbl = tbl;
	return tbl;
}

static void expect_pes(struct kunit *test, struct iommu_table *tbl, int pes)
{
	KUNIT_EXPECT_EQ(test, list_count_nodes(&tbl->it_group_list), pes);
	KUNIT_EXPECT_EQ(test, kref_read(&tbl->it_kref), pes + 1);
}

static void expect_window(struct kunit *test, struct pnv_ioda_pe *pe,
			  struct iommu_table *tbl)
{
	KUNIT_EXPECT_PTR_EQ(test, pe->table_group.tables[1], tbl);
	KUNIT_EXPECT_EQ(test, firmware.table[pe->pe_number],
			tbl ? __pa(tbl->it_base) : 0);
}

static void refused_window_is_unlinked(struct kunit *test)
{
	struct iommu_table *tbl = new_shared_table(test);
	struct pnv_ioda_pe *pe = new_pe(test, 0);

	new_kill_register(test);
	firmware.map_rc = OPAL_HARDWARE;
	KUNIT_EXPECT_FALSE(test, pnv_window_set(pe, true));
	expect_window(test, pe, NULL);
	expect_pes(test, tbl, 0);
	KUNIT_EXPECT_EQ(test, iommu_tce_table_put(tbl), 1);
}

/* What a PE has no more, neither firmware nor the list of PEs knows. */
static void window_is_taken_away(struct kunit *test)
{
	struct pnv_ioda_pe *first = new_pe(test, 0), *second = new_pe(test, 1);
	struct iommu_table *tbl = new_shared_table(test);
	__be64 *kill = new_kill_register(test);

	KUNIT_EXPECT_TRUE(test, pnv_window_set(first, true));
	KUNIT_EXPECT_TRUE(test, pnv_window_set(second, true));
	expect_window(test, first, tbl);
	expect_window(test, second, tbl);
	expect_pes(test, tbl, 2);

	*kill = 0;
	KUNIT_EXPECT_TRUE(test, pnv_window_set(first, false));
	KUNIT_EXPECT_EQ(test, be64_to_cpu(*kill), PPC_BIT(1));
	expect_window(test, first, NULL);
	expect_window(test, second, tbl);
	expect_pes(test, tbl, 1);
	KUNIT_EXPECT_FALSE(test, pnv_window_set(first, false));
	expect_pes(test, tbl, 1);

	KUNIT_EXPECT_TRUE(test, pnv_window_set(second, false));
	expect_window(test, second, NULL);
	expect_pes(test, tbl, 0);
	KUNIT_EXPECT_EQ(test, iommu_tce_table_put(tbl), 1);
}

/* What the hardware finds at an address; bit 59 is no part of the index. */
static u64 tce_at(const struct iommu_table *tbl, u64 addr)
{
	const unsigned int bits = ilog2(pnv_tce_top_entries(tbl));
	const u64 index = (addr & ~BIT_ULL(59)) >> tbl->it_page_shift;
	const __be64 *level = (const __be64 *)tbl->it_base;
	unsigned int above;
	u64 tce;

	for (above = tbl->it_indirect_levels; ; above--) {
		tce = be64_to_cpu(level[index >> above * bits &
					GENMASK_ULL(bits - 1, 0)]);
		if (!above || !tce)
			return tce;
		level = __va(tce & ~(u64)(TCE_PCI_READ | TCE_PCI_WRITE));
	}
}

static void set_tce(struct kunit *test, struct iommu_table *tbl, u64 addr,
		    u64 phys)
{
	enum dma_data_direction dir = DMA_BIDIRECTIONAL;
	unsigned long hpa = phys;

	KUNIT_ASSERT_EQ(test, pnv_tce_xchg(tbl, addr >> tbl->it_page_shift,
					   &hpa, &dir), 0);
	KUNIT_EXPECT_EQ(test, hpa, 0);
}

static void window_has_tces(struct kunit *test, u64 start, unsigned int shift,
			    unsigned int levels)
{
	const u64 page = BIT_ULL(shift), flags = TCE_PCI_READ | TCE_PCI_WRITE;
	struct iommu_table *tbl = NULL;
	u64 last;
	long err;

	err = pnv_pci_ioda2_new_table(NUMA_NO_NODE, start, shift, 64ULL * SZ_1G,
				      levels, false, &tbl);
	KUNIT_ASSERT_EQ_MSG(test, err, 0, "1 << %u in %u levels", shift,
			    levels);
	last = start + ((u64)tbl->it_size << shift) - 1;
	KUNIT_EXPECT_GE(test, last, start + 64ULL * SZ_1G - 1);
	set_tce(test, tbl, start, 5 * page);
	set_tce(test, tbl, last, 7 * page);
	KUNIT_EXPECT_EQ_MSG(test, tce_at(tbl, start), 5 * page | flags,
			    "%llx: 1 << %u in %u levels", start, shift, levels);
	KUNIT_EXPECT_EQ_MSG(test, tce_at(tbl, last), 7 * page | flags,
			    "%llx: 1 << %u in %u levels", start, shift, levels);
	KUNIT_EXPECT_EQ(test, tce_at(tbl, start + page), 0);
	KUNIT_EXPECT_EQ(test, tce_at(tbl, last - page), 0);
	if (start == PNV_WINDOW_AT_4GB) {
		KUNIT_EXPECT_EQ(test, tce_at(tbl, 0), 0);
		KUNIT_EXPECT_EQ(test, tce_at(tbl, start - 1), 0);
	}
	KUNIT_EXPECT_EQ(test, iommu_tce_table_put(tbl), 1);
}

/* Windows of user space have pages of any size, in several levels. */
static void tces_are_where_hardware_looks(struct kunit *test)
{
	static const u64 starts[] = {
		0, PNV_WINDOW_AT_4GB, PNV_WINDOW_AT_BIT_59,
	};
	static const struct {
		unsigned int shift, levels;
	} all[] = {
		{ 12, 2 }, { 12, 3 }, { 12, 4 }, { 16, 1 }, { 16, 2 },
		{ 16, 4 }, { 21, 1 }, { 21, 2 }, { 21, 3 }, { 30, 1 },
		{ 30, 2 },
	};
	unsigned int i, at;

	for (at = 0; at < ARRAY_SIZE(starts); at++) {
		for (i = 0; i < ARRAY_SIZE(all); i++)
			window_has_tces(test, starts[at], all[i].shift,
					all[i].levels);
	}
}

static bool window_reaches(struct pci_dev *pdev, u64 mask)
{
	return mask >= phys_to_dma(&pdev->dev, memblock_end_of_DRAM() - 1);
}

/* A device with a window at 4 GB and TCEs, of which it has had none yet */
static struct device *new_device(struct kunit *test, struct iommu_table *tbl)
{
	struct pci_bus *bus = kunit_kzalloc(test, sizeof(*bus), GFP_KERNEL);
	struct pci_dev *pdev = new_pe(test, 0)->pdev;
	struct pnv_phb *phb = test->priv;

	KUNIT_ASSERT_NOT_NULL(test, bus);
	bus->sysdata = phb->hose;
	phb->hose->controller_ops.iommu_bypass_supported = window_reaches;
	pdev->bus = bus;
	pdev->dev.bus = &pci_bus_type;
	pdev->dma_mask = DMA_BIT_MASK(32);
	pdev->dev.dma_mask = &pdev->dma_mask;
	pdev->dev.coherent_dma_mask = DMA_BIT_MASK(32);
	pdev->dev.archdata.dma_offset = PNV_WINDOW_AT_4GB;
	set_iommu_table_base(&pdev->dev, tbl);
	set_dma_ops(&pdev->dev, &dma_iommu_ops);
	return &pdev->dev;
}

/* Whichever mask comes last: each way of mapping has its own. */
static void small_coherent_mask_leaves_streaming_direct(struct kunit *test)
{
	struct iommu_table table = { .it_page_shift = PAGE_SHIFT };
	void *memory = kunit_kzalloc(test, SZ_4K, GFP_KERNEL);
	phys_addr_t end = __pa(memory) + SZ_4K;
	u64 wide = DMA_BIT_MASK(64);
	struct device *dev;
	dma_addr_t addr;
	int last;

	KUNIT_ASSERT_NOT_NULL(test, memory);
	for (last = 0; last < 2; last++) {
		dev = new_device(test, &table);
		if (last)
			dma_set_coherent_mask(dev, DMA_BIT_MASK(32));
		KUNIT_EXPECT_EQ(test, dma_set_mask(dev, wide), 0);
		if (!last)
			dma_set_coherent_mask(dev, DMA_BIT_MASK(32));
		KUNIT_EXPECT_FALSE(test, arch_dma_alloc_direct(dev));
		/* Nothing maps by a table that has no TCEs. */
		KUNIT_ASSERT_TRUE(test,
				  arch_dma_map_phys_direct(dev, end, wide));
		addr = dma_map_single(dev, memory, SZ_4K, DMA_TO_DEVICE);
		KUNIT_EXPECT_EQ(test, addr, PNV_WINDOW_AT_4GB + __pa(memory));
		dma_unmap_single(dev, addr, SZ_4K, DMA_TO_DEVICE);
	}
}

static struct kunit_case pci_window_cases[] = {
	KUNIT_CASE(option_is_set_and_cleared),
	KUNIT_CASE(refused_option_is_off),
	KUNIT_CASE(option_that_is_not_kept_is_refused),
	KUNIT_CASE(option_that_is_no_option_is_refused),
	KUNIT_CASE(reset_is_survived),
	KUNIT_CASE(shutdown_clears_only_what_was_set),
	KUNIT_CASE(pe_falls_back_alone),
	KUNIT_CASE(refused_window_is_unlinked),
	KUNIT_CASE(window_is_taken_away),
	KUNIT_CASE(tces_are_where_hardware_looks),
	KUNIT_CASE(small_coherent_mask_leaves_streaming_direct),
	{}
};

static struct kunit_suite pci_window_suite = {
	.name = "powernv-pci-window",
	.init = pci_window_init,
	.test_cases = pci_window_cases,
};

kunit_test_suite(pci_window_suite);

/* Lines of the kernel's log with both of these, since it booted */
static unsigned int __init said(const char *what, const char *why)
{
	struct kmsg_dump_iter iter;
	unsigned int lines = 0;
	char line[256];
	size_t len;

	kmsg_dump_rewind(&iter);
	while (kmsg_dump_get_line(&iter, false, line, sizeof(line) - 1, &len)) {
		line[len] = '\0';
		if (strstr(line, what) && strstr(line, why))
			lines++;
	}
	return lines;
}

static enum pnv_bypass_mode bypass_mode_before __initdata;
static bool window_existed __initdata;

static int __init init_begins(struct kunit *test)
{
	bypass_mode_before = pnv_bypass_mode;
	window_existed = pnv_window_exists;
	pnv_window_exists = false;
	return pci_window_init(test);
}

static void __init init_ends(struct kunit *test)
{
	pnv_bypass_mode = bypass_mode_before;
	pnv_window_exists = window_existed;
}

/* A PHB as it is when a kernel begins that was started by one like ours */
static void __init begin(struct kunit *test, enum pnv_bypass_mode mode)
{
	struct pnv_phb *phb = test->priv;

	pnv_bypass_mode = mode;
	firmware.at_4gb = true;
	pnv_window_init(phb);
	KUNIT_EXPECT_FALSE(test, firmware.at_4gb);
	KUNIT_EXPECT_NULL(test, phb->window_tbl);
	KUNIT_EXPECT_EQ(test, pnv_window_start(phb), PNV_WINDOW_AT_BIT_59);
	/* Table and copy have no TCEs for what is below a window at 4 GB. */
	if (IS_ENABLED(CONFIG_IOMMU_API))
		KUNIT_EXPECT_EQ(test,
				pnv_pci_ioda2_get_table_size(PAGE_SHIFT, SZ_4G,
							     1),
				2 * (SZ_4G >> PAGE_SHIFT << 3));
}

/* Also a kernel that wants no window at 4 GB may have that one before it. */
static void __init option_of_another_kernel_is_cleared(struct kunit *test)
{
	begin(test, PNV_BYPASS_NONE);
	begin(test, PNV_BYPASS_AT_BIT_59);
}

static long __init no_table(int nid, u64 start, u32 page_shift, u64 size,
			    u32 levels, bool user_copy,
			    struct iommu_table **ptbl)
{
	return -ENOMEM;
}

/* Of several PHBs the first one that has no memory says so. */
static void __init no_memory_for_a_table(struct kunit *test)
{
	kunit_activate_static_stub(test, pnv_pci_ioda2_new_table, no_table);
	begin(test, PNV_BYPASS_AT_4GB);
	begin(test, PNV_BYPASS_AT_4GB);
	KUNIT_EXPECT_EQ(test, said("iommu_bypass: ", "no memory for a table"),
			1);
}

/* The option is cleared although firmware cannot say so. */
static void __init firmware_does_not_tell_the_option(struct kunit *test)
{
	firmware.get_rc = OPAL_HARDWARE;
	begin(test, PNV_BYPASS_AT_BIT_59);
	begin(test, PNV_BYPASS_AT_4GB);
	begin(test, PNV_BYPASS_AT_4GB);
	KUNIT_EXPECT_EQ(test, said("iommu_bypass: ", "stay at bit 59") -
			said("iommu_bypass: ", "no memory for a table"), 1);
}

static struct kunit_case pci_window_init_cases[] __refdata = {
	KUNIT_CASE(option_of_another_kernel_is_cleared),
	KUNIT_CASE(no_memory_for_a_table),
	KUNIT_CASE(firmware_does_not_tell_the_option),
	{}
};

static struct kunit_suite pci_window_init_suite __refdata = {
	.name = "powernv-pci-window-init",
	.init = init_begins,
	.exit = init_ends,
	.test_cases = pci_window_init_cases,
};

kunit_test_init_section_suite(pci_window_init_suite);

MODULE_DESCRIPTION("KUnit tests of the DMA windows of powernv");
MODULE_LICENSE("GPL");
