// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of the driver with PCI devices that the kernel finds on a bus, the
 * IOMMU core and dma-iommu: what the old driver did by itself, and wrong.
 *
 * The bus is made up, as is the chip, whose registers are memory. There are but
 * config spaces behind it; no device does anything.
 */
#define pr_fmt(fmt) "calgary: " fmt

#include <kunit/test.h>
#include <linux/dma-mapping.h>
#include <linux/ioport.h>
#include <linux/pci.h>
#include <linux/scatterlist.h>
#include <linux/vmalloc.h>

#include "calgary.h"

static void add_chip(struct calgary_chip *chip);
static bool start(const struct calgary_io *io);
static void __maybe_unused shut_down(void);
static void __maybe_unused come_back(void *data);

#define calgary_add_chip		add_chip
#define calgary_start			start
#define calgary_shutdown		shut_down
#define calgary_resume			come_back
#include "calgary.c"

#define BUS		0xf0
#define HOST_SLOT	0
#define CARD_SLOT	3

/* The smallest table has this many TCEs, for 32 MB. */
#define TCES		0x2000

/* What a card's IOVAs must not be in: neither begin nor end of the table */
static struct resource window = DEFINE_RES_MEM(0x1800000, SZ_1M);
static struct resource buses = {
	.start = BUS, .end = BUS, .flags = IORESOURCE_BUS,
};

static bool plugged;

static u32 id_of(struct pci_bus *bus, unsigned int devfn)
{
	if (bus->number == BUS && devfn == PCI_DEVFN(HOST_SLOT, 0))
		return 0x02a1 << 16 | PCI_VENDOR_ID_IBM;
	if (bus->number == BUS && devfn == PCI_DEVFN(CARD_SLOT, 0) && plugged)
		return 0x7e57 << 16 | PCI_VENDOR_ID_IBM;
	return ~0;
}

/* All else is 0: no BARs, no capabilities. */
static int read_config(struct pci_bus *bus, unsigned int devfn, int where,
		       int size, u32 *value)
{
	u32 id = id_of(bus, devfn);

	*value = where < 4 || id == ~0 ? id >> 8 * (where & 3) : 0;
	if ((where & ~3) == PCI_CLASS_REVISION && id != ~0)
		*value = (PCI_CLASS_OTHERS << 24) >> 8 * (where & 3);
	return PCIBIOS_SUCCESSFUL;
}

static int write_config(struct pci_bus *bus, unsigned int devfn, int where,
			int size, u32 value)
{
	return PCIBIOS_SUCCESSFUL;
}

static struct pci_ops config_ops = {
	.read = read_config,
	.write = write_config,
};

/* A chip's registers are memory; all that was asked of it is done at once. */
static u32 read32(const void __iomem *reg)
{
	return *(__force u32 *)reg;
}

static void write32(u32 value, void __iomem *reg)
{
	*(__force u32 *)reg = value;
}

static u64 read64(const void __iomem *reg)
{
	return *(__force u64 *)reg;
}

static void write64(u64 value, void __iomem *reg)
{
	*(__force u64 *)reg = value;
}

static u64 now(void)
{
	return 0;
}

static const struct calgary_io io = {
	.read32 = read32,
	.write32 = write32,
	.read64 = read64,
	.write64 = write64,
	.now = now,
};

struct machine {
	struct pci_host_bridge *bridge;
	struct calgary_chip chip;
	struct calgary_phb *phb;
	struct pci_dev *card;
	/* What is mapped */
	struct page *page;
	dma_addr_t *addresses;
};

static struct calgary_options kept;

static u32 *reg32(struct machine *m, unsigned int offset)
{
	return (__force u32 *)(m->chip.regs + offset);
}

static struct pci_dev *find_card(void)
{
	return pci_get_domain_bus_and_slot(0, BUS, PCI_DEVFN(CARD_SLOT, 0));
}

/* The smallest tables; a window that the chip does not translate straddles. */
static int machine_init(struct kunit *test)
{
	struct machine *m = kunit_kzalloc(test, sizeof(*m), GFP_KERNEL);
	void *regs = kunit_kzalloc(test, SZ_64K, GFP_KERNEL);
	int err;

	if (!m || !regs)
		return -ENOMEM;
	test->priv = m;
	nr_chips = 2000;
	kept = calgary_options;
	calgary_options = (struct calgary_options){ .on = true };
	m->page = alloc_page(GFP_KERNEL);
	m->addresses = kunit_kcalloc(test, TCES, sizeof(dma_addr_t),
				     GFP_KERNEL);
	m->bridge = pci_alloc_host_bridge(0);
	if (!m->page || !m->addresses || !m->bridge)
		return -ENOMEM;
	m->bridge->ops = &config_ops;
	m->bridge->busnr = BUS;
	m->bridge->domain_nr = 0;
	pci_add_resource(&m->bridge->windows, &window);
	pci_add_resource(&m->bridge->windows, &buses);
	plugged = false;
	err = pci_scan_root_bus_bridge(m->bridge);
	if (err)
		return err;
	pci_bus_add_devices(m->bridge->bus);
	m->chip.io = &io;
	m->chip.regs = (void __iomem *)regs;
	m->phb = &m->chip.phbs[0];
	*reg32(m, 0x4020) = BUS << 16;
	*(u64 *)reg32(m, 0x4870) = U64_MAX;
	*reg32(m, 0x8200) = 0xc0de;
	*reg32(m, 0x8190) = 0x1f00000;
	*reg32(m, 0x81c0) = 0x2000000;
	add_chip(&m->chip);
	return start(&io) ? 0 : -ENODEV;
}

static void machine_exit(struct kunit *test)
{
	struct machine *m = test->priv;
	struct calgary_phb *phb, *next;

	if (!m)
		return;
	pci_dev_put(m->card);
	pci_lock_rescan_remove();
	if (m->bridge && m->bridge->bus) {
		pci_stop_root_bus(m->bridge->bus);
		pci_remove_root_bus(m->bridge->bus);
	} else if (m->bridge) {
		pci_free_host_bridge(m->bridge);
	}
	pci_unlock_rescan_remove();
	list_for_each_entry_safe(phb, next, &phbs, node) {
		iommu_device_unregister(&phb->iommu);
		drop_phb(phb);
	}
	calgary_table_free(empty_table);
	empty_table = NULL;
	calgary_options = kept;
	if (m->page)
		__free_page(m->page);
}

static void plug(struct kunit *test)
{
	struct machine *m = test->priv;

	plugged = true;
	pci_lock_rescan_remove();
	pci_rescan_bus(m->bridge->bus);
	pci_unlock_rescan_remove();
	m->card = find_card();
	KUNIT_ASSERT_NOT_NULL(test, m->card);
}

static unsigned int nr_tces(const struct calgary_phb *phb)
{
	unsigned int i, n = 0;

	for (i = 0; i < phb->table->flat.pt.pages; i++)
		n += !!((__be64 *)phb->table->flat.pt.table)[i];
	return n;
}

/* Neither a port without devices nor one whose devices have gone has a table. */
static void cards_may_come_and_go(struct kunit *test)
{
	struct machine *m = test->priv;
	dma_addr_t address;
	struct device *dev;

	KUNIT_EXPECT_NULL(test, m->phb->table);
	KUNIT_EXPECT_NULL(test, m->phb->spare);
	KUNIT_EXPECT_EQ(test, *reg32(m, 0x8160), 0);
	plug(test);
	dev = &m->card->dev;
	KUNIT_ASSERT_NOT_NULL(test, m->phb->table);
	KUNIT_EXPECT_PTR_NE(test, m->phb->table, empty_table);
	KUNIT_EXPECT_EQ(test, *(u64 *)reg32(m, 0x580), m->phb->table->tar);
	KUNIT_EXPECT_EQ(test, *reg32(m, 0x8160), 0x21100000);
	address = dma_map_page(dev, m->page, 0, PAGE_SIZE, DMA_TO_DEVICE);
	KUNIT_ASSERT_FALSE(test, dma_mapping_error(dev, address));
	KUNIT_EXPECT_EQ(test, nr_tces(m->phb), 1);
	KUNIT_EXPECT_EQ(test, be64_to_cpu(((__be64 *)m->phb->table->flat.pt.table)
					  [address / SZ_4K]),
			page_to_phys(m->page) | 1);
	dma_unmap_page(dev, address, PAGE_SIZE, DMA_TO_DEVICE);
	KUNIT_EXPECT_EQ(test, nr_tces(m->phb), 0);

	pci_stop_and_remove_bus_device_locked(m->card);
	KUNIT_EXPECT_PTR_EQ(test, m->phb->table, empty_table);
	KUNIT_EXPECT_EQ(test, *(u64 *)reg32(m, 0x580), empty_table->tar);
}

/* Map until there is no room; how many there are */
static unsigned int fill(struct kunit *test, struct machine *m)
{
	unsigned int n;

	for (n = 0; n < TCES; n++) {
		m->addresses[n] = dma_map_page(&m->card->dev, m->page, 0,
					       PAGE_SIZE, DMA_TO_DEVICE);
		if (dma_mapping_error(&m->card->dev, m->addresses[n]))
			break;
	}
	KUNIT_EXPECT_EQ(test, nr_tces(m->phb), n);
	return n;
}

static void drain_all(struct kunit *test, struct machine *m, unsigned int n)
{
	while (n--)
		dma_unmap_page(&m->card->dev, m->addresses[n], PAGE_SIZE,
			       DMA_TO_DEVICE);
	KUNIT_EXPECT_EQ(test, nr_tces(m->phb), 0);
}

/*
 * What is not translated, also where it ends behind the table, and where BARs
 * may be, whether swiotlb is there or not
 */
static void reserved_addresses_are_not_handed_out(struct kunit *test)
{
	static const struct range holes[] = {
		{ 0, 0xfff }, { 0xa0000, 0xfffff }, { 0x1800000, 0x18fffff },
		{ 0x1f00000, U32_MAX },
	};
	struct machine *m = test->priv;
	unsigned int i, n, hole, bad = 0, room = TCES;

	plug(test);
	n = fill(test, m);
	for (hole = 0; hole < ARRAY_SIZE(holes); hole++) {
		room -= (min(holes[hole].end, (u64)SZ_32M - 1) + 1 -
			 holes[hole].start) / SZ_4K;
		for (i = 0; i < n; i++)
			bad += m->addresses[i] >= holes[hole].start &&
			       m->addresses[i] <= holes[hole].end;
	}
	KUNIT_EXPECT_EQ(test, bad, 0);
	/* All else is. */
	KUNIT_EXPECT_EQ(test, n, room);
	drain_all(test, m, n);
}

/* A list that finds no room, or cannot be mapped, leaves nothing behind. */
static void lists_that_fail_leave_nothing(struct kunit *test)
{
	struct machine *m = test->priv;
	struct device *dev;
	struct iommu_domain *domain;
	struct scatterlist list[4];
	unsigned int i, n;

	plug(test);
	dev = &m->card->dev;
	sg_init_table(list, 4);
	for (i = 0; i < 4; i++)
		sg_set_page(&list[i], m->page, PAGE_SIZE, 0);
	n = fill(test, m);
	KUNIT_EXPECT_EQ(test, dma_map_sg(dev, list, 4, DMA_TO_DEVICE), 0);
	KUNIT_EXPECT_EQ(test, nr_tces(m->phb), n);
	drain_all(test, m, n);

	/* The third page of four is taken. */
	domain = iommu_get_domain_for_dev(dev);
	KUNIT_ASSERT_NOT_NULL(test, domain);
	KUNIT_EXPECT_EQ(test, iommu_map(domain, 0x1002000,
					page_to_phys(m->page), SZ_4K,
					IOMMU_READ, GFP_KERNEL), 0);
	KUNIT_EXPECT_LT(test, iommu_map_sg(domain, 0x1000000, list, 4,
					   IOMMU_READ, GFP_KERNEL), 0);
	KUNIT_EXPECT_EQ(test, nr_tces(m->phb), 1);
	KUNIT_EXPECT_EQ(test, iommu_unmap(domain, 0x1002000, SZ_4K), SZ_4K);
}

static struct kunit_case calgary_pci_cases[] = {
	KUNIT_CASE(cards_may_come_and_go),
	KUNIT_CASE(reserved_addresses_are_not_handed_out),
	KUNIT_CASE(lists_that_fail_leave_nothing),
	{}
};

static struct kunit_suite calgary_pci_suite = {
	.name = "iommu-calgary-pci",
	.init = machine_init,
	.exit = machine_exit,
	.test_cases = calgary_pci_cases,
};

kunit_test_suite(calgary_pci_suite);
