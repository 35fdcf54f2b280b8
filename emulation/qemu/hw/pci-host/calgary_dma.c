/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * IBM Calgary and CalIOC2: how devices see memory
 */

#include "qemu/osdep.h"
#include "qemu/module.h"
#include "exec/address-spaces.h"
#include "hw/pci/pci_bridge.h"
#include "hw/pci/pci_bus.h"
#include "hw/pci-host/calgary.h"
#include "trace.h"

#define CSR_ERRORS 0xffe0ffff
#define CSR_AGENT_SHIFT 16
#define CSR_NO_TCE 0x80000000
#define CSR_NO_PERMISSION 0x40000000
#define CSR_BEYOND_TABLE 0x20000000
#define CSR_DAC 0x10000000

#define TCE_READ 1
#define TCE_WRITE 2
#define TCE_PAGE 0x0000fffffffff000ull
#define TCE_SHIFT 12
#define TCE_LINE 16
#define TCES_MAX (8 * MiB / sizeof(uint64_t))

#define HOLE_START 0xa0000
#define HOLE_END 0xfffff
#define MSI_START 0xfee00000
#define MSI_END 0xfeefffff
#define MEM_GRANULE 0xfffff

#define TYPE_CALGARY_MEMORY "calgary-iommu-memory-region"

/* How one device sees memory */
struct PhbView {
    IOMMUMemoryRegion memory;
    AddressSpace space;
    Phb *phb;
    PCIBus *bus;
    int devfn;
    QLIST_ENTRY(PhbView) next;
};

static uint64_t pair(Phb *phb, unsigned high, unsigned low)
{
    return (uint64_t)*reg(phb, high) << 32 | *reg(phb, low);
}

static uint64_t table_entries(Phb *phb)
{
    return 8 * KiB << (phb->tar & TAR_SIZE);
}

static bool stopped(Phb *phb)
{
    return !*reg(phb, AER) || *reg(phb, PMDR);
}

void calgary_dma_forget(Phb *phb)
{
    g_clear_pointer(&phb->tces, g_free);
    phb->kept = 0;
}

/* Only what permits something is kept: drivers do not flush what was empty. */
static void keep(Phb *phb, uint64_t entry, uint64_t tce)
{
    if (!(tce & (TCE_READ | TCE_WRITE))) {
        return;
    }
    if (!phb->tces) {
        phb->tces = g_new0(uint64_t, TCES_MAX);
    }
    if (!phb->tces[entry]) {
        phb->tces[entry] = tce;
        phb->kept++;
    }
}

static uint64_t walk(Phb *phb, uint64_t entry, bool to_keep)
{
    bool whole = to_keep && phb->chip->prefetch;
    uint64_t first = whole ? entry & ~(uint64_t)(TCE_LINE - 1) : entry;
    unsigned i, count = whole ? TCE_LINE : 1;
    uint64_t line[TCE_LINE] = { 0 };
    uint64_t tce;

    address_space_read(&address_space_memory,
                       (phb->tar & TAR_BASE) + first * sizeof(*line),
                       MEMTXATTRS_UNSPECIFIED, line, count * sizeof(*line));
    for (i = 0; to_keep && i < count; i++) {
        keep(phb, first + i, be64_to_cpu(line[i]));
    }
    tce = be64_to_cpu(line[entry - first]);
    trace_calgary_tce_walk(phb->chip->bbar, phb->index, entry << TCE_SHIFT,
                           tce);
    if (tce & ~(TCE_PAGE | TCE_READ | TCE_WRITE)) {
        calgary_wrong(phb, "TCE %" PRIu64 " has reserved bits: 0x%" PRIx64,
                      entry, tce);
    }
    return tce;
}

/*
 * While a PHB is stopped, requests of devices wait.  They cannot here; they see
 * what they would see afterwards, the table as it is.  With drop=on they get
 * lost, which shows that they were stopped.
 */
static uint64_t look_up(Phb *phb, uint64_t entry)
{
    if (stopped(phb)) {
        trace_calgary_held(phb->chip->bbar, phb->index, entry << TCE_SHIFT);
        return walk(phb, entry, false);
    }
    if (phb->tces && phb->tces[entry]) {
        return phb->tces[entry];
    }
    return walk(phb, entry, true);
}

/* Where a device is in the PHB's slots; behind a CalIOC2 it is its port's */
static unsigned agent_of(const PhbView *view)
{
    PCIBus *top = pci_get_bus(view->phb->function);
    PCIBus *bus = view->bus;
    int devfn = view->devfn;

    if (view->phb->chip->calioc2) {
        top = pci_bridge_get_sec_bus(PCI_BRIDGE(view->phb->function));
    }
    while (bus != top && bus->parent_dev) {
        devfn = bus->parent_dev->devfn;
        bus = pci_get_bus(bus->parent_dev);
    }
    return PCI_SLOT(devfn);
}

/* The first error stays until it is cleared. */
static void fail(PhbView *view, uint64_t addr, uint32_t bit, const char *what)
{
    Phb *phb = view->phb;
    unsigned agent = agent_of(view);

    trace_calgary_fault(phb->chip->bbar, phb->index, agent, addr, what);
    if (!(*reg(phb, CSR) & CSR_ERRORS)) {
        *reg(phb, CSR) = agent << CSR_AGENT_SHIFT;
        *reg(phb, DETAIL) = addr >> 32;
        *reg(phb, DETAIL + 0x10) = addr;
        *reg(phb, DETAIL + 0x20) = PCI_BUILD_BDF(pci_bus_num(view->bus),
                                                 view->devfn);
        *reg(phb, ROOT_COMPLEX) = phb->chip->calioc2;
    }
    *reg(phb, CSR) |= bit;
}

static bool within(uint64_t addr, uint64_t first, uint64_t last)
{
    return addr >= first && addr <= last;
}

/* Interrupts pass: on real machines they are presumably in a window. */
static bool untranslated(Phb *phb, uint64_t addr)
{
    return within(addr, HOLE_START, HOLE_END) ||
           within(addr, MSI_START, MSI_END) ||
           within(addr, pair(phb, MEM_1_HIGH, MEM_1_LOW),
                  *reg(phb, MEM_1_LIMIT) | MEM_GRANULE) ||
           (*reg(phb, CONFIG_RW) & CONFIG_MEM_2 &&
            within(addr, pair(phb, MEM_2_HIGH, MEM_2_LOW),
                   pair(phb, MEM_2_LIMIT_HIGH, MEM_2_LIMIT_LOW) |
                   MEM_GRANULE));
}

static void translate_page(PhbView *view, IOMMUTLBEntry *found,
                           IOMMUAccessFlags flag)
{
    Phb *phb = view->phb;
    uint64_t addr = found->iova;
    uint64_t tce;

    if (addr >> TCE_SHIFT >= table_entries(phb)) {
        fail(view, addr, CSR_BEYOND_TABLE, "beyond the table");
        return;
    }
    tce = look_up(phb, addr >> TCE_SHIFT);
    found->translated_addr = tce & TCE_PAGE;
    found->perm = IOMMU_ACCESS_FLAG(tce & TCE_READ, tce & TCE_WRITE);
    if (flag & ~found->perm) {
        if (found->perm) {
            fail(view, addr, CSR_NO_PERMISSION, "no permission");
        } else {
            fail(view, addr, CSR_NO_TCE, "no TCE");
        }
    }
}

static IOMMUTLBEntry translate(IOMMUMemoryRegion *memory, hwaddr addr,
                               IOMMUAccessFlags flag, int index)
{
    PhbView *view = container_of(memory, PhbView, memory);
    Phb *phb = view->phb;
    uint32_t config = *reg(phb, CONFIG_RW);
    hwaddr page = addr & ~(hwaddr)MAKE_64BIT_MASK(0, TCE_SHIFT);
    IOMMUTLBEntry found = {
        .target_as = &address_space_memory,
        .iova = page,
        .translated_addr = page,
        .addr_mask = MAKE_64BIT_MASK(0, TCE_SHIFT),
        .perm = IOMMU_NONE,
    };

    if ((config & CONFIG_SLOTS_OFF) == CONFIG_SLOTS_OFF ||
        (stopped(phb) && phb->chip->drop)) {
        trace_calgary_held(phb->chip->bbar, phb->index, addr);
    } else if (addr >> 32 && config & CONFIG_DAC_OFF) {
        fail(view, addr, CSR_DAC, "address of 64 bits");
    } else if (!(config & CONFIG_TCE_ENABLE) || untranslated(phb, addr)) {
        found.perm = IOMMU_RW;
    } else {
        translate_page(view, &found, flag);
    }
    return found;
}

static AddressSpace *view_of(PCIBus *bus, void *opaque, int devfn)
{
    Phb *phb = opaque;
    g_autofree char *name = NULL;
    PhbView *view;

    QLIST_FOREACH(view, &phb->views, next) {
        if (view->bus == bus && view->devfn == devfn) {
            return &view->space;
        }
    }
    view = g_new0(PhbView, 1);
    view->phb = phb;
    view->bus = bus;
    view->devfn = devfn;
    name = g_strdup_printf("calgary-%x.%u-%02x.%x[*]", phb->chip->bbar,
                           phb->index, PCI_SLOT(devfn), PCI_FUNC(devfn));
    memory_region_init_iommu(&view->memory, sizeof(view->memory),
                             TYPE_CALGARY_MEMORY, OBJECT(phb->chip), name,
                             UINT64_MAX);
    address_space_init(&view->space, MEMORY_REGION(&view->memory), name);
    QLIST_INSERT_HEAD(&phb->views, view, next);
    return &view->space;
}

static const PCIIOMMUOps iommu_ops = {
    .get_address_space = view_of,
};

void calgary_dma_attach(Phb *phb, PCIBus *bus)
{
    pci_setup_iommu(bus, &iommu_ops, phb);
}

static void memory_class_init(ObjectClass *klass, void *data)
{
    IOMMU_MEMORY_REGION_CLASS(klass)->translate = translate;
}

static const TypeInfo memory_types[] = {
    {
        .name = TYPE_CALGARY_MEMORY,
        .parent = TYPE_IOMMU_MEMORY_REGION,
        .class_init = memory_class_init,
    },
};

DEFINE_TYPES(memory_types)
