/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * IBM Calgary and CalIOC2: PCI host bridges that translate what devices do.
 *
 * A chip has four PHBs.  Each has one table of TCEs for all of its devices, and
 * keeps the TCEs that it has read until its table address register (TAR) is
 * written.  Software must have stopped the PHB before that: LOG_GUEST_ERROR
 * tells where it has not.
 *
 * -device calgary is the chip: registers, and the Rio table that firmware
 * leaves in the EBDA.  -device calgary-phb, or calioc2-phb with calioc2=on, is
 * what is seen of a PHB on its bus, always device 0.  The bus may be that of a
 * pci-bridge, or for CalIOC2, itself a port, that of a pxb-pcie.
 *
 * What status bits mean is not public, so they are chosen here.  Slots that are
 * cut off still answer processors.
 */

#include "qemu/osdep.h"
#include "qemu/log.h"
#include "qemu/module.h"
#include "qapi/error.h"
#include "exec/address-spaces.h"
#include "hw/pci-host/calgary.h"
#include "hw/pci/pci_bridge.h"
#include "hw/pci/pci_bus.h"
#include "hw/pci/pcie_port.h"
#include "hw/qdev-properties.h"
#include "system/reset.h"
#include "trace.h"

/* Of the chip, 64 bits each */
#define CCR 0x108
#define TAR0 0x580

/* In the 4 KiB of a PHB for debugging: 32 and 64 bits */
#define DEBUG_FIRST 4
#define BUS_RANGE 0x020
#define SPLIT_QUEUE 0x870

#define PHB_FIRST 8

#define EBDA_FIRST_BLOCK 0x180
#define RIO_ID 0x4752
#define RIO_HEADER 7

static QTAILQ_HEAD(, Calgary) chips = QTAILQ_HEAD_INITIALIZER(chips);

enum {
    PLAIN,
    STATUS = 1,   /* software can only clear bits */
    FIXED = 2,
    CALIOC2 = 4,
};

static const struct PhbRegister {
    uint16_t offset;
    uint16_t what;
    const char *name;
} known[] = {
    { CSR, STATUS, "CSR" },
    { PLSSR, STATUS, "PLSSR" },
    { CONFIG_RW, PLAIN, "CONFIG_RW" },
    { 0x170, PLAIN, "IO_LOW" },
    { 0x180, PLAIN, "IO_HIGH" },
    { MEM_1_LOW, PLAIN, "MEM_1_LOW" },
    { MEM_1_HIGH, PLAIN, "MEM_1_HIGH" },
    { 0x1b0, PLAIN, "IO_SIZE" },
    { MEM_1_LIMIT, PLAIN, "MEM_1_LIMIT" },
    { 0x1d0, PLAIN, "MEM_ST" },
    { AER, PLAIN, "AER" },
    { 0x220, PLAIN, "CONFIG_0_HIGH" },
    { 0x230, PLAIN, "CONFIG_0_LOW" },
    { 0x240, PLAIN, "CONFIG_0_END" },
    { 0x290, PLAIN, "CSMR" },
    { MEM_2_LOW, PLAIN, "MEM_2_LOW" },
    { MEM_2_HIGH, PLAIN, "MEM_2_HIGH" },
    { MEM_2_LIMIT_HIGH, PLAIN, "MEM_2_LIMIT_HIGH" },
    { MEM_2_LIMIT_LOW, PLAIN, "MEM_2_LIMIT_LOW" },
    { 0x800, STATUS, "MCK" },
    { DETAIL, STATUS, "DETAIL_0" },
    { DETAIL + 0x10, STATUS, "DETAIL_1" },
    { DETAIL + 0x20, STATUS, "DETAIL_2" },
    { DETAIL + 0x30, STATUS, "DETAIL_3" },
    { DETAIL + 0x40, STATUS, "DETAIL_4" },
    { DETAIL + 0x50, STATUS, "DETAIL_5" },
    { DETAIL + 0x60, STATUS, "DETAIL_6" },
    { 0x8e0, PLAIN, "DOSHOLE" },
    { ROOT_COMPLEX, CALIOC2 | STATUS, "ROOT_COMPLEX" },
    { PMDR, CALIOC2 | FIXED, "PMDR" },
    { PMCR, CALIOC2, "PMCR" },
    { SAVIOR, CALIOC2, "SAVIOR" },
};

static const struct PhbRegister *find_register(const Calgary *s, hwaddr offset)
{
    unsigned i;

    for (i = 0; i < ARRAY_SIZE(known); i++) {
        if (known[i].offset == offset &&
            (s->calioc2 || !(known[i].what & CALIOC2))) {
            return &known[i];
        }
    }
    return NULL;
}

void calgary_wrong(Phb *phb, const char *format, ...)
{
    g_autofree char *text = NULL;
    va_list args;

    va_start(args, format);
    text = g_strdup_vprintf(format, args);
    va_end(args);
    qemu_log_mask(LOG_GUEST_ERROR, "calgary %x.%u: %s\n", phb->chip->bbar,
                  phb->index, text);
}

/* --- sequences ---------------------------------------------------------- */

static void begin_drain(Phb *phb)
{
    phb->busy = phb->chip->split_busy;
    phb->pushed = false;
    phb->empty = false;
}

static bool drained(Phb *phb)
{
    if (phb->chip->calioc2) {
        return *reg(phb, PMDR) & PM_HARD_STOP;
    }
    return !*reg(phb, AER) && phb->pushed && phb->empty;
}

static void write_tar(Phb *phb, uint64_t val)
{
    uint64_t base = val & TAR_BASE;
    uint64_t size = 64 * KiB << (val & TAR_SIZE);

    trace_calgary_tar_write(phb->chip->bbar, phb->index, val, phb->kept);
    if (*reg(phb, CONFIG_RW) & CONFIG_TCE_ENABLE && !drained(phb)) {
        calgary_wrong(phb, "TAR written and the PHB not drained");
    }
    if ((val ^ phb->tar) & ~TAR_SOFTWARE) {
        calgary_wrong(phb, "TAR's other bits changed");
    }
    if (base & (size - 1)) {
        calgary_wrong(phb, "table at 0x%" PRIx64 " is not aligned to 0x%"
                      PRIx64, base, size);
    }
    phb->tar = val;
    calgary_dma_forget(phb);
}

static uint64_t read_split_queue(Phb *phb)
{
    if (phb->busy) {
        phb->busy--;
        return 0x7f00000000000000ull | phb->busy;
    }
    phb->empty = true;
    return 0xff00000000000000ull;
}

/* Reading it is what makes the PHB stop hard, once nothing is in flight. */
static uint32_t read_pmcr(Phb *phb)
{
    uint32_t val = *reg(phb, PMCR);

    if (*reg(phb, PMDR) == PM_SOFT_STOP) {
        if (phb->empty) {
            *reg(phb, PMDR) = PM_HARD_STOP;
            *reg(phb, PMCR) = PM_HARD_STOP;
        } else {
            calgary_wrong(phb, "PMCR read in SoftStop, split queue not empty");
        }
    }
    return val;
}

static void write_pmcr(Phb *phb, uint32_t val)
{
    *reg(phb, PMCR) = val & PM_SOFT_STOP;
    *reg(phb, PMDR) = val & PM_SOFT_STOP;
    if (!(val & PM_SOFT_STOP)) {
        return;
    }
    begin_drain(phb);
    if (phb->chip->soft_stop_faults) {
        phb->chip->soft_stop_faults--;
        *reg(phb, PMDR) |= PM_SOFT_STOP_FAULT;
    }
}

static void write_config(Phb *phb, uint32_t val)
{
    if (val & ~*reg(phb, CONFIG_RW) & CONFIG_TCE_ENABLE) {
        if (!(phb->tar & TAR_BASE)) {
            calgary_wrong(phb, "translation enabled without a table");
        }
        if (phb->chip->calioc2 && !(*reg(phb, SAVIOR) & SAVIOR_QUIRK)) {
            calgary_wrong(phb, "translation enabled without bit 8 of 0xdb0");
        }
    }
    *reg(phb, CONFIG_RW) = val;
}

/* --- registers ---------------------------------------------------------- */

static void last_bus(PCIBus *bus, PCIDevice *dev, void *opaque)
{
    unsigned *last = opaque;

    if (IS_PCI_BRIDGE(dev)) {
        *last = MAX(*last, dev->config[PCI_SUBORDINATE_BUS]);
    }
}

/* The last bus is 0 when there is no second one. */
static uint32_t bus_range(Phb *phb)
{
    unsigned last = 0;
    PCIBus *bus;

    if (!phb->function) {
        return 0xffff00;
    }
    bus = pci_get_bus(phb->function);
    pci_for_each_device_under_bus(bus, last_bus, &last);
    return pci_bus_num(bus) << 16 | last << 8;
}

static uint32_t read_phb(Phb *phb, const struct PhbRegister *which)
{
    switch (which->offset) {
    case PLSSR:
        phb->pushed = true;
        break;
    case PMCR:
        return read_pmcr(phb);
    }
    return *reg(phb, which->offset);
}

static void write_phb(Phb *phb, const struct PhbRegister *which, uint32_t val)
{
    switch (which->offset) {
    case CONFIG_RW:
        write_config(phb, val);
        return;
    case AER:
        begin_drain(phb);
        break;
    case PMCR:
        write_pmcr(phb, val);
        return;
    }
    if (which->what & STATUS) {
        *reg(phb, which->offset) &= val;
    } else if (!(which->what & FIXED)) {
        *reg(phb, which->offset) = val;
    }
}

static void no_register(Calgary *s, hwaddr addr, unsigned size)
{
    qemu_log_mask(LOG_GUEST_ERROR, "calgary %x: no register of %u bytes at "
                  "0x%" HWADDR_PRIx "\n", s->bbar, size, addr);
}

/* A register of 32 bits, but for the bus range, lies in a PHB's own block. */
static const struct PhbRegister *narrow(Calgary *s, hwaddr addr, unsigned size,
                                        Phb **phb)
{
    unsigned block = addr >> 12;

    if (size != 4 || block < PHB_FIRST || block >= PHB_FIRST + PHBS) {
        return NULL;
    }
    *phb = &s->phb[block - PHB_FIRST];
    return find_register(s, addr & 0xfff);
}

/* Is this address a register that each PHB has, at the given distance? */
static bool each(Calgary *s, hwaddr addr, hwaddr first, unsigned distance,
                 Phb **phb)
{
    if (addr < first || (addr - first) % distance ||
        addr - first >= PHBS * distance) {
        return false;
    }
    *phb = &s->phb[(addr - first) / distance];
    return true;
}

static bool is_split_queue(Calgary *s, hwaddr addr, Phb **phb)
{
    return each(s, addr, (DEBUG_FIRST << 12) + SPLIT_QUEUE, 0x1000, phb);
}

static bool is_bus_range(Calgary *s, hwaddr addr, Phb **phb)
{
    return each(s, addr, (DEBUG_FIRST << 12) + BUS_RANGE, 0x1000, phb);
}

static bool is_tar(Calgary *s, hwaddr addr, Phb **phb)
{
    return each(s, addr, TAR0, sizeof(uint64_t), phb);
}

static uint64_t chip_read(void *opaque, hwaddr addr, unsigned size)
{
    Calgary *s = opaque;
    uint64_t val = 0;
    Phb *phb;
    const struct PhbRegister *which = narrow(s, addr, size, &phb);

    if (size == 8 && addr == CCR) {
        val = s->ccr;
    } else if (size == 8 && is_tar(s, addr, &phb)) {
        val = phb->tar;
    } else if (size == 8 && is_split_queue(s, addr, &phb)) {
        val = read_split_queue(phb);
    } else if (size == 4 && is_bus_range(s, addr, &phb)) {
        val = bus_range(phb);
    } else if (which) {
        val = read_phb(phb, which);
        trace_calgary_reg_read(s->bbar, phb->index, which->name, val);
        return val;
    } else {
        no_register(s, addr, size);
    }
    trace_calgary_chip_read(s->bbar, addr, val);
    return val;
}

static void chip_write(void *opaque, hwaddr addr, uint64_t val, unsigned size)
{
    Calgary *s = opaque;
    Phb *phb;
    const struct PhbRegister *which = narrow(s, addr, size, &phb);

    if (size == 8 && addr == CCR) {
        trace_calgary_chip_write(s->bbar, addr, val);
        s->ccr = val;
    } else if (size == 8 && is_tar(s, addr, &phb)) {
        write_tar(phb, val);
    } else if (which) {
        trace_calgary_reg_write(s->bbar, phb->index, which->name, val);
        write_phb(phb, which, val);
    } else {
        no_register(s, addr, size);
    }
}

static const MemoryRegionOps chip_ops = {
    .read = chip_read,
    .write = chip_write,
    .endianness = DEVICE_BIG_ENDIAN,
    .valid.min_access_size = 4,
    .valid.max_access_size = 8,
    .impl.min_access_size = 4,
    .impl.max_access_size = 8,
};

/* --- the chip ----------------------------------------------------------- */

static size_t scalability_size(unsigned version)
{
    return version == 2 ? 11 : 12;
}

static size_t rio_size(unsigned version)
{
    return version == 2 ? 13 : 15;
}

/* What version 2 lacks lies behind its entries, and is written over. */
static uint8_t *put_rio(uint8_t *entry, const Calgary *s, unsigned number)
{
    entry[0] = number + 2;
    stl_le_p(entry + 1, s->bbar);
    entry[5] = number ? 5 : 4; /* the first one has the legacy devices */
    entry[6] = 0;
    memset(entry + 7, 0xff, 4);
    entry[11] = s->first_slot;
    entry[12] = 1;
    entry[13] = number;
    entry[14] = s->chassis;
    return entry + rio_size(QTAILQ_FIRST(&chips)->rio_version);
}

/* One table for all chips, as firmware leaves it; each chip writes it whole. */
static void put_table(Calgary *first)
{
    unsigned version = first->rio_version;
    unsigned count = 0;
    uint8_t table[1 * KiB - EBDA_FIRST_BLOCK] = { 0 };
    uint8_t *scalability = table + RIO_HEADER;
    uint8_t *entry = scalability + scalability_size(version);
    Calgary *s;

    scalability[0] = 0;
    stl_le_p(scalability + 1, 0xfe000000);
    memset(scalability + 5, 0xff, 6);
    scalability[11] = first->chassis;
    QTAILQ_FOREACH(s, &chips, next) {
        if (entry + rio_size(3) > table + sizeof(table)) {
            break;
        }
        entry = put_rio(entry, s, count++);
    }
    stw_le_p(table + 2, RIO_ID);
    table[4] = version;
    table[5] = 1;
    table[6] = count;
    address_space_write(&address_space_memory, first->ebda + EBDA_FIRST_BLOCK,
                        MEMTXATTRS_UNSPECIFIED, table, entry - table);
}

/* Windows are there as firmware has set them. */
static void reset_phb(Phb *phb)
{
    const Calgary *s = phb->chip;

    calgary_dma_forget(phb);
    memset(phb->regs, 0, sizeof(phb->regs));
    phb->tar = TAR_RESET;
    phb->busy = 0;
    phb->pushed = false;
    phb->empty = false;
    *reg(phb, AER) = AER_ALL;
    *reg(phb, MEM_1_LOW) = s->mem1_base;
    *reg(phb, MEM_1_HIGH) = s->mem1_base >> 32;
    *reg(phb, MEM_1_LIMIT) = s->mem1_limit;
    if (s->mem2_limit) {
        *reg(phb, CONFIG_RW) = CONFIG_MEM_2;
        *reg(phb, MEM_2_LOW) = s->mem2_base;
        *reg(phb, MEM_2_HIGH) = s->mem2_base >> 32;
        *reg(phb, MEM_2_LIMIT_LOW) = s->mem2_limit;
        *reg(phb, MEM_2_LIMIT_HIGH) = s->mem2_limit >> 32;
    }
}

static void chip_reset(void *opaque)
{
    Calgary *s = opaque;
    unsigned i;

    s->ccr = 0;
    for (i = 0; i < PHBS; i++) {
        reset_phb(&s->phb[i]);
    }
    if (QTAILQ_FIRST(&chips)->rio_version) {
        put_table(QTAILQ_FIRST(&chips));
    }
}

static void chip_realize(DeviceState *dev, Error **errp)
{
    Calgary *s = CALGARY(dev);
    unsigned i;

    if (s->bbar % MiB) {
        error_setg(errp, "bbar must be a multiple of 1 MiB");
        return;
    }
    if (s->rio_version == 1 || s->rio_version > 3) {
        error_setg(errp, "rio-version must be 2 or 3, or 0 for no table");
        return;
    }
    for (i = 0; i < PHBS; i++) {
        s->phb[i].chip = s;
        s->phb[i].index = i;
        QLIST_INIT(&s->phb[i].views);
    }
    memory_region_init_io(&s->registers, OBJECT(dev), &chip_ops, s,
                          "calgary", 1 * MiB);
    memory_region_add_subregion(get_system_memory(), s->bbar, &s->registers);
    QTAILQ_INSERT_TAIL(&chips, s, next);
    qemu_register_reset(chip_reset, s);
}

static void chip_instance_init(Object *obj)
{
    Calgary *s = CALGARY(obj);

    object_property_add_uint32_ptr(obj, "split-busy", &s->split_busy,
                                   OBJ_PROP_FLAG_READWRITE);
    object_property_add_uint32_ptr(obj, "soft-stop-faults",
                                   &s->soft_stop_faults,
                                   OBJ_PROP_FLAG_READWRITE);
}

/* Below the firmware's flash there is nothing else on a q35. */
static const Property chip_properties[] = {
    DEFINE_PROP_BOOL("calioc2", Calgary, calioc2, false),
    DEFINE_PROP_BOOL("prefetch", Calgary, prefetch, false),
    DEFINE_PROP_BOOL("drop", Calgary, drop, false),
    DEFINE_PROP_UINT8("rio-version", Calgary, rio_version, 3),
    DEFINE_PROP_UINT8("chassis", Calgary, chassis, 1),
    DEFINE_PROP_UINT8("first-slot", Calgary, first_slot, 1),
    DEFINE_PROP_UINT32("bbar", Calgary, bbar, 0xff000000),
    DEFINE_PROP_UINT32("ebda", Calgary, ebda, 0x9fc00),
    DEFINE_PROP_UINT64("mem1-base", Calgary, mem1_base, 0xc0000000),
    DEFINE_PROP_UINT64("mem1-limit", Calgary, mem1_limit, 0xfeffffff),
    DEFINE_PROP_UINT64("mem2-base", Calgary, mem2_base, 0),
    DEFINE_PROP_UINT64("mem2-limit", Calgary, mem2_limit, 0),
};

static void chip_class_init(ObjectClass *klass, void *data)
{
    DeviceClass *dc = DEVICE_CLASS(klass);

    dc->realize = chip_realize;
    dc->desc = "IBM Calgary or CalIOC2";
    dc->hotpluggable = false;
    device_class_set_props(dc, chip_properties);
    set_bit(DEVICE_CATEGORY_BRIDGE, dc->categories);
}

/* --- what is seen on the buses ------------------------------------------ */

#define TYPE_CALGARY_PHB "calgary-phb"
OBJECT_DECLARE_SIMPLE_TYPE(CalgaryPhb, CALGARY_PHB)
#define TYPE_CALIOC2_PHB "calioc2-phb"
OBJECT_DECLARE_SIMPLE_TYPE(Calioc2Phb, CALIOC2_PHB)

struct CalgaryPhb {
    PCIDevice parent_obj;
    Calgary *chip;
    uint8_t phb;
};

struct Calioc2Phb {
    PCIESlot parent_obj;
    Calgary *chip;
    uint8_t phb;
};

static bool attach(PCIDevice *dev, Calgary *chip, unsigned phb, bool calioc2,
                   Error **errp)
{
    if (!chip || chip->calioc2 != calioc2) {
        error_setg(errp, "chip must be a calgary with calioc2=%s",
                   calioc2 ? "on" : "off");
    } else if (phb >= PHBS || chip->phb[phb].function) {
        error_setg(errp, "phb must be below %u, and not taken", PHBS);
    } else if (dev->devfn > 0 || pci_get_bus(dev)->iommu_ops) {
        error_setg(errp, "a PHB is device 0 of a bus of its own");
    } else {
        chip->phb[phb].function = dev;
        calgary_dma_attach(&chip->phb[phb], pci_get_bus(dev));
        return true;
    }
    return false;
}

static void calgary_phb_realize(PCIDevice *dev, Error **errp)
{
    CalgaryPhb *s = CALGARY_PHB(dev);

    attach(dev, s->chip, s->phb, false, errp);
}

static void calioc2_phb_realize(DeviceState *dev, Error **errp)
{
    Calioc2Phb *s = CALIOC2_PHB(dev);
    PCIERootPortClass *port = PCIE_ROOT_PORT_GET_CLASS(dev);

    if (attach(PCI_DEVICE(dev), s->chip, s->phb, true, errp)) {
        port->parent_realize(dev, errp);
    }
}

static const Property calgary_phb_properties[] = {
    DEFINE_PROP_LINK("chip", CalgaryPhb, chip, TYPE_CALGARY, Calgary *),
    DEFINE_PROP_UINT8("phb", CalgaryPhb, phb, 0),
};

static void calgary_phb_class_init(ObjectClass *klass, void *data)
{
    DeviceClass *dc = DEVICE_CLASS(klass);
    PCIDeviceClass *k = PCI_DEVICE_CLASS(klass);

    k->realize = calgary_phb_realize;
    k->vendor_id = PCI_VENDOR_ID_IBM;
    k->device_id = 0x02a1;
    k->class_id = PCI_CLASS_BRIDGE_HOST;
    dc->desc = "PHB of an IBM Calgary";
    dc->hotpluggable = false;
    device_class_set_props(dc, calgary_phb_properties);
    set_bit(DEVICE_CATEGORY_BRIDGE, dc->categories);
}

static const Property calioc2_phb_properties[] = {
    DEFINE_PROP_LINK("chip", Calioc2Phb, chip, TYPE_CALGARY, Calgary *),
    DEFINE_PROP_UINT8("phb", Calioc2Phb, phb, 0),
};

static void calioc2_phb_class_init(ObjectClass *klass, void *data)
{
    DeviceClass *dc = DEVICE_CLASS(klass);
    PCIDeviceClass *k = PCI_DEVICE_CLASS(klass);
    PCIERootPortClass *port = PCIE_ROOT_PORT_CLASS(klass);

    k->vendor_id = PCI_VENDOR_ID_IBM;
    k->device_id = 0x0308;
    port->ssvid_offset = 0x40;
    port->exp_offset = 0x90;
    port->aer_offset = 0x100;
    dc->desc = "PHB of an IBM CalIOC2";
    dc->hotpluggable = false;
    device_class_set_parent_realize(dc, calioc2_phb_realize,
                                    &port->parent_realize);
    device_class_set_props(dc, calioc2_phb_properties);
}

static const TypeInfo types[] = {
    {
        .name = TYPE_CALGARY,
        .parent = TYPE_DEVICE,
        .instance_size = sizeof(Calgary),
        .instance_init = chip_instance_init,
        .class_init = chip_class_init,
    }, {
        .name = TYPE_CALGARY_PHB,
        .parent = TYPE_PCI_DEVICE,
        .instance_size = sizeof(CalgaryPhb),
        .class_init = calgary_phb_class_init,
        .interfaces = (InterfaceInfo[]) {
            { INTERFACE_CONVENTIONAL_PCI_DEVICE },
            { },
        },
    }, {
        .name = TYPE_CALIOC2_PHB,
        .parent = TYPE_PCIE_ROOT_PORT,
        .instance_size = sizeof(Calioc2Phb),
        .class_init = calioc2_phb_class_init,
    },
};

DEFINE_TYPES(types)
