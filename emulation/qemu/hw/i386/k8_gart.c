/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The GART of AMD's processors of families 0Fh and 10h: function 3 of the
 * northbridges at 00:18 and up, one for each node
 *
 * Each node translates with its own registers and keeps its own PTEs, until
 * its own InvGart: a flush that is missing, or that leaves a node out, shows
 * itself as data in the wrong place. A real cache is smaller, and forgets by
 * itself now and then. Devices on the root bus, and what is behind them,
 * belong to the nodes by turns, slot by slot; so do the processors.
 */

#include "qemu/osdep.h"
#include "qemu/log.h"
#include "qemu/units.h"
#include "qapi/error.h"
#include "hw/core/cpu.h"
#include "hw/i386/x86.h"
#include "hw/pci/pci_device.h"
#include "hw/pci/pci_bus.h"
#include "hw/qdev-properties.h"
#include "migration/vmstate.h"
#include "trace.h"

#define TYPE_K8_GART "k8-gart"
#define TYPE_K8_GART_REGION "k8-gart-region"
OBJECT_DECLARE_SIMPLE_TYPE(K8GartState, K8_GART)

#define PCI_DEVICE_ID_AMD_K8_MISC 0x1103
#define FIRST_SLOT      0x18
#define NODES_MAX       8

#define REG_MCA         0x40
#define REG_CONTROL     0x90
#define   CONTROL_ENABLE        (1 << 0)
#define   CONTROL_NO_CPU        (1 << 4)
#define   CONTROL_NO_IO         (1 << 5)
#define   CONTROL_NO_PROBES     (1 << 6)
#define   CONTROL_ORDER(reg)    (((reg) >> 1) & 7)
#define REG_BASE        0x94
#define REG_TABLE       0x98
#define REG_CACHE       0x9c
#define   CACHE_INVALIDATE      (1 << 0)
#define   CACHE_PTE_ERROR       (1 << 1)

#define ORDER_MAX       6
#define UNIT_SHIFT      25              /* of base and size: 32 MiB */
#define PAGE_SHIFT      12
#define PAGE_LOW_BITS   0xfff
#define PTE_VALID       (1 << 0)
#define PTE_COHERENT    (1 << 1)
#define PTE_ZERO        (3 << 2)
#define LINE_PTES       16
#define PTES_MAX        (1 << (UNIT_SHIFT + CONTROL_ORDER(~0) - PAGE_SHIFT))

#define MSI_BASE        0xfee00000
#define MSI_SIZE        0x100000

#define rule(s, fmt, ...)                                               \
    qemu_log_mask(LOG_GUEST_ERROR, "k8-gart: node %u: " fmt "\n",       \
                  (s)->node, ## __VA_ARGS__)

/* A PTE that was read; it counts while the node is in that generation */
typedef struct K8GartEntry {
    uint32_t generation;
    uint32_t pte;
} K8GartEntry;

struct K8GartState {
    PCIDevice parent_obj;

    K8GartState *first;
    unsigned node;
    IOMMUMemoryRegion io;
    AddressSpace io_as;
    K8GartEntry *cache;
    uint32_t generation;
    unsigned cached;
    uint32_t busy;

    /* Of the first node, for all of them */
    K8GartState *nodes[NODES_MAX];
    unsigned count;
    MemoryRegion cpu_window;
    MemoryRegion beneath;
    MemoryRegion beneath_ram;
    AddressSpace beneath_as;

    /* What firmware leaves in the registers; 0: nothing */
    uint64_t aperture;
    uint8_t order;
    /* A walk reads the whole line of PTEs */
    bool prefetch;
    /* Reads of the register until InvGart has ended */
    uint32_t inv_reads;
    /* Else all devices belong to node 0 */
    bool spread;
};

static uint32_t k8_gart_reg(const K8GartState *s, int where)
{
    return pci_get_long(s->parent_obj.config + where);
}

static uint64_t k8_gart_size(const K8GartState *s)
{
    return 1ull << (UNIT_SHIFT + CONTROL_ORDER(k8_gart_reg(s, REG_CONTROL)));
}

static uint64_t k8_gart_base(const K8GartState *s)
{
    return (uint64_t)k8_gart_reg(s, REG_BASE) << UNIT_SHIFT;
}

static uint64_t k8_gart_table(const K8GartState *s)
{
    return (uint64_t)k8_gart_reg(s, REG_TABLE) << 8;
}

static bool k8_gart_enabled(const K8GartState *s)
{
    return k8_gart_reg(s, REG_CONTROL) & CONTROL_ENABLE;
}

static bool k8_gart_covers(const K8GartState *s, hwaddr addr)
{
    return addr - k8_gart_base(s) < k8_gart_size(s);
}

/* Nothing is translated twice: where the result lies in the aperture again */
static AddressSpace *k8_gart_memory(K8GartState *s, hwaddr addr)
{
    MemoryRegion *window = &s->first->cpu_window;

    return window->enabled && addr - window->addr < memory_region_size(window) ?
           &s->first->beneath_as : &address_space_memory;
}

static uint32_t k8_gart_read_pte(K8GartState *s, unsigned index)
{
    hwaddr addr = k8_gart_table(s) + index * sizeof(uint32_t);

    return address_space_ldl_le(k8_gart_memory(s, addr), addr,
                                MEMTXATTRS_UNSPECIFIED, NULL);
}

/* The PTE that the node knows, or the one in memory */
static uint32_t k8_gart_pte(K8GartState *s, unsigned index)
{
    K8GartEntry *entry = &s->cache[index];
    unsigned from = s->prefetch ? index & -LINE_PTES : index;
    unsigned count = s->prefetch ? LINE_PTES : 1;

    if (entry->generation == s->generation) {
        if (trace_event_get_state_backends(TRACE_K8_GART_STALE) &&
            k8_gart_read_pte(s, index) != entry->pte) {
            trace_k8_gart_stale(s->node, index, entry->pte);
        }
        return entry->pte;
    }
    for (unsigned i = from; i < from + count; i++) {
        s->cache[i].generation = s->generation;
        s->cache[i].pte = k8_gart_read_pte(s, i);
    }
    s->cached += count;
    trace_k8_gart_walk(s->node, index, entry->pte);
    if (entry->pte & PTE_VALID &&
        (entry->pte & (PTE_COHERENT | PTE_ZERO)) != PTE_COHERENT) {
        rule(s, "PTE %u is valid, not coherent or has bits that must be 0: "
             "0x%08x", index, entry->pte);
    }
    return entry->pte;
}

static void k8_gart_fault(K8GartState *s, hwaddr addr, uint32_t pte,
                          bool write)
{
    trace_k8_gart_fault(s->node, addr, pte, write ? "write" : "read");
    rule(s, "invalid PTE 0x%08x for a %s at 0x%" HWADDR_PRIx, pte,
         write ? "write" : "read", addr);
    pci_long_test_and_set_mask(s->parent_obj.config + REG_CACHE,
                               CACHE_PTE_ERROR);
}

/* @off: the bit that switches accesses of this kind off */
static IOMMUTLBEntry k8_gart_translate(K8GartState *s, hwaddr addr,
                                       bool write, uint32_t off)
{
    IOMMUTLBEntry to = {
        .target_as = &address_space_memory,
        .iova = addr & ~(hwaddr)PAGE_LOW_BITS,
        .translated_addr = addr & ~(hwaddr)PAGE_LOW_BITS,
        .addr_mask = PAGE_LOW_BITS,
        .perm = IOMMU_RW,
    };
    uint32_t pte;

    if (addr - MSI_BASE < MSI_SIZE) {
        return to;
    }
    if (k8_gart_enabled(s) && !(k8_gart_reg(s, REG_CONTROL) & off) &&
        k8_gart_covers(s, addr)) {
        pte = k8_gart_pte(s, (addr - k8_gart_base(s)) >> PAGE_SHIFT);
        to.translated_addr = (pte & ~PAGE_LOW_BITS) |
                             (uint64_t)(pte & 0xff0) << 28;
        if (!(pte & PTE_VALID)) {
            /* Erratum 156: the page that it names is read nevertheless. */
            k8_gart_fault(s, addr, pte, write);
            to.perm = IOMMU_RO;
        }
    }
    to.target_as = k8_gart_memory(s, to.translated_addr);
    return to;
}

static IOMMUTLBEntry k8_gart_io(IOMMUMemoryRegion *io, hwaddr addr,
                                IOMMUAccessFlags flag, int index)
{
    return k8_gart_translate(container_of(io, K8GartState, io), addr,
                             flag & IOMMU_WO, CONTROL_NO_IO);
}

static MemTxResult k8_gart_cpu(K8GartState *first, hwaddr addr, void *data,
                               unsigned size, MemTxAttrs attrs, bool write)
{
    unsigned cpus = MACHINE(qdev_get_machine())->smp.max_cpus;
    unsigned cpu = current_cpu ? current_cpu->cpu_index : 0;
    K8GartState *s = first->nodes[cpu * first->count / cpus];
    IOMMUTLBEntry to;

    addr += first->cpu_window.addr;
    to = k8_gart_translate(s, addr, write, CONTROL_NO_CPU);
    if (write && !(to.perm & IOMMU_WO)) {
        return MEMTX_OK;
    }
    return address_space_rw(to.target_as,
                            to.translated_addr | (addr & PAGE_LOW_BITS),
                            attrs, data, size, write);
}

static MemTxResult k8_gart_cpu_read(void *opaque, hwaddr addr, uint64_t *data,
                                    unsigned size, MemTxAttrs attrs)
{
    uint8_t bytes[8] = { 0 };
    MemTxResult result = k8_gart_cpu(opaque, addr, bytes, size, attrs, false);

    *data = ldn_le_p(bytes, size);
    return result;
}

static MemTxResult k8_gart_cpu_write(void *opaque, hwaddr addr, uint64_t data,
                                     unsigned size, MemTxAttrs attrs)
{
    uint8_t bytes[8];

    stn_le_p(bytes, size, data);
    return k8_gart_cpu(opaque, addr, bytes, size, attrs, true);
}

static const MemoryRegionOps k8_gart_cpu_ops = {
    .read_with_attrs = k8_gart_cpu_read,
    .write_with_attrs = k8_gart_cpu_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = { .min_access_size = 1, .max_access_size = 8, .unaligned = true },
    .impl = { .min_access_size = 1, .max_access_size = 8, .unaligned = true },
};

static void k8_gart_update_window(K8GartState *first)
{
    uint32_t control = k8_gart_reg(first, REG_CONTROL);

    memory_region_transaction_begin();
    memory_region_set_address(&first->cpu_window, k8_gart_base(first));
    memory_region_set_size(&first->cpu_window, k8_gart_size(first));
    memory_region_set_enabled(&first->cpu_window,
                              (control & (CONTROL_ENABLE | CONTROL_NO_CPU)) ==
                              CONTROL_ENABLE);
    memory_region_transaction_commit();
}

static bool k8_gart_same(const K8GartState *s, const K8GartState *other)
{
    return k8_gart_base(s) == k8_gart_base(other) &&
           k8_gart_size(s) == k8_gart_size(other) &&
           k8_gart_table(s) == k8_gart_table(other);
}

static void k8_gart_check_enable(K8GartState *s)
{
    uint64_t base = k8_gart_base(s), size = k8_gart_size(s);

    if (!base || base & (size - 1) || base + size > 4 * GiB) {
        rule(s, "enabled with an aperture at 0x%" PRIx64 ", size 0x%" PRIx64,
             base, size);
    }
    if (!(k8_gart_reg(s, REG_CONTROL) & CONTROL_NO_PROBES)) {
        rule(s, "enabled with table walk probes");
    }
    for (unsigned i = 0; i < s->first->count; i++) {
        K8GartState *other = s->first->nodes[i];

        if (k8_gart_enabled(other) && !k8_gart_same(s, other)) {
            rule(s, "enabled and not programmed like node %u", i);
        }
    }
}

static void k8_gart_check_change(K8GartState *s, bool was, bool table)
{
    for (unsigned i = 0; i < s->first->count; i++) {
        K8GartState *other = s->first->nodes[i];

        if (other == s ? was : k8_gart_enabled(other) && !table) {
            rule(s, "%s changed while node %u is enabled",
                 table ? "table" : "aperture", i);
        }
    }
}

static void k8_gart_drop(K8GartState *s)
{
    trace_k8_gart_flush(s->node, s->cached);
    s->generation++;
    s->cached = 0;
    pci_long_test_and_clear_mask(s->parent_obj.config + REG_CACHE,
                                 CACHE_INVALIDATE);
}

static uint32_t k8_gart_config_read(PCIDevice *dev, uint32_t where, int len)
{
    K8GartState *s = K8_GART(dev);

    if (ranges_overlap(where, len, REG_CACHE, 1) &&
        k8_gart_reg(s, REG_CACHE) & CACHE_INVALIDATE) {
        if (!s->busy) {
            k8_gart_drop(s);
        } else {
            s->busy--;
        }
    }
    return pci_default_read_config(dev, where, len);
}

static void k8_gart_config_write(PCIDevice *dev, uint32_t where, uint32_t val,
                                 int len)
{
    K8GartState *s = K8_GART(dev);
    uint32_t control = k8_gart_reg(s, REG_CONTROL);
    uint64_t base = k8_gart_base(s), size = k8_gart_size(s);
    uint64_t table = k8_gart_table(s);
    bool was = control & CONTROL_ENABLE;

    pci_default_write_config(dev, where, val, len);
    if (where < REG_MCA) {
        return;
    }
    trace_k8_gart_write(s->node, where, val);
    if (base != k8_gart_base(s) || size != k8_gart_size(s)) {
        k8_gart_check_change(s, was, false);
    }
    if (table != k8_gart_table(s)) {
        k8_gart_check_change(s, was, true);
    }
    if (!was && k8_gart_enabled(s)) {
        k8_gart_check_enable(s);
    }
    if (s == s->first) {
        k8_gart_update_window(s);
    }
    if (ranges_overlap(where, len, REG_CACHE, 1) &&
        val >> 8 * (REG_CACHE - where) & CACHE_INVALIDATE) {
        pci_long_test_and_set_mask(dev->config + REG_CACHE, CACHE_INVALIDATE);
        s->busy = s->inv_reads;
        if (!s->busy) {
            k8_gart_drop(s);
        }
    }
}

static void k8_gart_reset(DeviceState *qdev)
{
    K8GartState *s = K8_GART(qdev);
    uint8_t *config = s->parent_obj.config;

    pci_set_long(config + REG_MCA, 0);
    pci_set_long(config + REG_CONTROL, s->order << 1);
    pci_set_long(config + REG_BASE, s->aperture >> UNIT_SHIFT);
    pci_set_long(config + REG_TABLE, 0);
    pci_set_long(config + REG_CACHE, 0);
    s->generation++;
    s->cached = 0;
    if (s == s->first) {
        k8_gart_update_window(s);
    }
}

static AddressSpace *k8_gart_address_space(PCIBus *bus, void *opaque,
                                           int devfn)
{
    K8GartState *first = opaque;
    unsigned slot;

    while (!pci_bus_is_root(bus)) {
        devfn = bus->parent_dev->devfn;
        bus = pci_get_bus(bus->parent_dev);
    }
    slot = PCI_SLOT(devfn);
    return &first->nodes[first->spread ? slot % first->count : 0]->io_as;
}

static const PCIIOMMUOps k8_gart_iommu_ops = {
    .get_address_space = k8_gart_address_space,
};

static void k8_gart_realize_first(K8GartState *s, PCIBus *bus)
{
    X86MachineState *machine = X86_MACHINE(qdev_get_machine());

    memory_region_init(&s->beneath, OBJECT(s), "k8-gart-beneath", UINT64_MAX);
    memory_region_init_alias(&s->beneath_ram, OBJECT(s), "k8-gart-ram",
                             MACHINE(machine)->ram, 0,
                             machine->below_4g_mem_size);
    memory_region_add_subregion(&s->beneath, 0, &s->beneath_ram);
    address_space_init(&s->beneath_as, &s->beneath, "k8-gart-beneath");

    memory_region_init_io(&s->cpu_window, OBJECT(s), &k8_gart_cpu_ops, s,
                          "k8-gart-cpu", 1ull << UNIT_SHIFT);
    memory_region_set_enabled(&s->cpu_window, false);
    memory_region_add_subregion_overlap(address_space_memory.root, 0,
                                        &s->cpu_window, 1);
    pci_setup_iommu(bus, &k8_gart_iommu_ops, s);
}

static void k8_gart_realize(PCIDevice *dev, Error **errp)
{
    K8GartState *s = K8_GART(dev);
    PCIBus *bus = pci_get_bus(dev);
    static const struct { int where; uint32_t mask; } writable[] = {
        { REG_MCA, ~0 }, { REG_CONTROL, 0x7f }, { REG_BASE, 0x7fff },
        { REG_TABLE, ~0xf }, { REG_CACHE, 0 },
    };

    s->node = PCI_SLOT(dev->devfn) - FIRST_SLOT;
    if (!pci_bus_is_root(bus) || PCI_FUNC(dev->devfn) != 3 ||
        s->node >= NODES_MAX) {
        error_setg(errp, "k8-gart is function 3 of slots 18 to 1f, bus 0");
        return;
    }
    if (s->order > ORDER_MAX || s->aperture & ((32 * MiB << s->order) - 1)) {
        error_setg(errp, "k8-gart: no such aperture");
        return;
    }
    if (!s->node && !bus->iommu_ops) {
        k8_gart_realize_first(s, bus);
    } else if (bus->iommu_ops != &k8_gart_iommu_ops) {
        error_setg(errp, "k8-gart: no node 0, or another IOMMU");
        return;
    }
    s->first = bus->iommu_opaque;
    if (s->first->count != s->node) {
        error_setg(errp, "k8-gart: node %u is not the next one", s->node);
        return;
    }
    s->first->nodes[s->first->count++] = s;

    s->cache = g_new0(K8GartEntry, PTES_MAX);
    memory_region_init_iommu(&s->io, sizeof(s->io), TYPE_K8_GART_REGION,
                             OBJECT(s), "k8-gart-io", UINT64_MAX);
    address_space_init(&s->io_as, MEMORY_REGION(&s->io), "k8-gart-io");
    for (int i = 0; i < ARRAY_SIZE(writable); i++) {
        pci_set_long(dev->wmask + writable[i].where, writable[i].mask);
    }
    pci_set_long(dev->w1cmask + REG_CACHE, CACHE_PTE_ERROR);
}

static const Property k8_gart_properties[] = {
    DEFINE_PROP_UINT64("aperture", K8GartState, aperture, 0),
    DEFINE_PROP_UINT8("order", K8GartState, order, 0),
    DEFINE_PROP_BOOL("prefetch", K8GartState, prefetch, false),
    DEFINE_PROP_UINT32("inv-reads", K8GartState, inv_reads, 0),
    DEFINE_PROP_BOOL("spread", K8GartState, spread, true),
};

static const VMStateDescription k8_gart_vmstate = {
    .name = TYPE_K8_GART,
    .unmigratable = 1,
};

static void k8_gart_class_init(ObjectClass *klass, void *data)
{
    DeviceClass *dc = DEVICE_CLASS(klass);
    PCIDeviceClass *pc = PCI_DEVICE_CLASS(klass);

    pc->realize = k8_gart_realize;
    pc->config_read = k8_gart_config_read;
    pc->config_write = k8_gart_config_write;
    pc->vendor_id = PCI_VENDOR_ID_AMD;
    pc->device_id = PCI_DEVICE_ID_AMD_K8_MISC;
    pc->class_id = PCI_CLASS_BRIDGE_HOST;
    dc->desc = "GART of an AMD K8 northbridge";
    dc->hotpluggable = false;
    dc->vmsd = &k8_gart_vmstate;
    device_class_set_legacy_reset(dc, k8_gart_reset);
    device_class_set_props(dc, k8_gart_properties);
}

static void k8_gart_region_class_init(ObjectClass *klass, void *data)
{
    IOMMU_MEMORY_REGION_CLASS(klass)->translate = k8_gart_io;
}

/* The functions' type: QEMU 10.1 makes their data const. */
static const TypeInfo k8_gart_types[] = {
    {
        .name = TYPE_K8_GART,
        .parent = TYPE_PCI_DEVICE,
        .instance_size = sizeof(K8GartState),
        .class_init = (void *)k8_gart_class_init,
        .interfaces = (InterfaceInfo[]) {
            { INTERFACE_CONVENTIONAL_PCI_DEVICE }, { }
        },
    }, {
        .name = TYPE_K8_GART_REGION,
        .parent = TYPE_IOMMU_MEMORY_REGION,
        .class_init = (void *)k8_gart_region_class_init,
    },
};

DEFINE_TYPES(k8_gart_types)
