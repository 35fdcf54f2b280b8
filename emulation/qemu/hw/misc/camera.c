/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A camera: an imaginary PCI function with a two-level MMU of its own, and
 * channels that write frames to memory or read them
 *
 * What there is to know for a driver is in camera_regs.h. What the MMU has
 * read of its tables stays until software invalidates it: a real one is
 * smaller, and forgets by itself now and then. Without coherent=on nothing of
 * what it does in memory goes through the caches of the processors, the reads
 * of tables and descriptors included.
 */

#include "qemu/osdep.h"
#include "qemu/log.h"
#include "qemu/timer.h"
#include "qapi/error.h"
#include "hw/i386/cpu_cache.h"
#include "hw/misc/camera_regs.h"
#include "hw/pci/msi.h"
#include "hw/pci/pci_device.h"
#include "hw/qdev-properties.h"
#include "migration/vmstate.h"
#include "trace.h"

#define TYPE_CAMERA "camera"
OBJECT_DECLARE_SIMPLE_TYPE(CameraState, CAMERA)

#define CHANNELS_MAX    8
#define PAGE_SIZE       4096
#define TABLE_ENTRIES   1024
#define PACE_MIN        1000
#define DESC_SIZE       (CAM_DESC_WORDS * sizeof(uint32_t))

#define rule(s, fmt, ...)                                               \
    qemu_log_mask(LOG_GUEST_ERROR, "%s: " fmt "\n",                     \
                  (s)->parent_obj.name, ## __VA_ARGS__)

typedef struct CameraChannel {
    CameraState *camera;
    unsigned number;
    QEMUTimer timer;
    uint32_t regs[0x40 / 4];
    /* The descriptor in work, and the frame that it belongs to */
    bool fetched;
    uint32_t desc[CAM_DESC_WORDS];
    uint32_t done;      /* bytes of the descriptor */
    uint32_t words;     /* of the frame */
    uint32_t sequence;
    uint32_t sum;
} CameraChannel;

struct CameraState {
    PCIDevice parent_obj;

    MemoryRegion io;
    uint32_t irq_status;
    uint32_t irq_enable;
    uint32_t mmu_ctrl;
    uint32_t mmu_table;
    uint32_t inv_first;
    uint32_t fault_status;
    uint32_t fault_addr;
    /* Valid entries that were read: 0 is none */
    uint32_t level_1[TABLE_ENTRIES];
    GHashTable *level_2;        /* page of IOVA -> entry */
    CameraChannel channel[CHANNELS_MAX];

    bool coherent;
    uint8_t channels;
};

static void camera_update_irq(CameraState *s)
{
    PCIDevice *dev = PCI_DEVICE(s);
    bool level = s->irq_status & s->irq_enable;

    if (!msi_enabled(dev)) {
        pci_set_irq(dev, level);
    } else if (level) {
        msi_notify(dev, 0);
    }
}

static void camera_event(CameraState *s, uint32_t bit)
{
    s->irq_status |= bit;
    camera_update_irq(s);
}

/* Physical memory, within one page */
static bool camera_memory(CameraState *s, uint64_t addr, void *data,
                          uint32_t size, bool write)
{
    AddressSpace *as = pci_get_address_space(PCI_DEVICE(s));

    if (!s->coherent) {
        return cpu_cache_dma(as, addr, data, size, write) == MEMTX_OK;
    }
    return address_space_rw(as, addr, MEMTXATTRS_UNSPECIFIED, data, size,
                            write) == MEMTX_OK;
}

static void camera_fault(CameraChannel *ch, uint32_t iova, bool write,
                         unsigned why)
{
    CameraState *s = ch->camera;

    trace_camera_fault(ch->number, iova, write ? "write" : "read", why);
    ch->regs[CAM_CH_STATUS / 4] |= CAM_CH_FAULTED;
    if (s->fault_status & CAM_FAULT_VALID) {
        s->fault_status |= CAM_FAULT_MORE;
    } else {
        s->fault_addr = iova;
        s->fault_status = CAM_FAULT_VALID | (write ? CAM_FAULT_WRITE : 0) |
                          why << 4 | ch->number << 8;
    }
    camera_event(s, CAM_IRQ_FAULT);
}

/* An entry of a table, or 0; *why tells what it was when it is of no use. */
static uint32_t camera_entry(CameraState *s, uint64_t table, unsigned index,
                             unsigned level, unsigned *why)
{
    uint32_t entry;

    *why = CAM_WHY_BUS;
    if (!camera_memory(s, table + index * sizeof(entry), &entry,
                       sizeof(entry), false)) {
        return 0;
    }
    *why = level;
    entry = le32_to_cpu(entry);
    trace_camera_walk(level, index, entry);
    if (entry & CAM_PTE_VALID && entry & 0xc) {
        rule(s, "entry %u of level %u has bits that must be 0: 0x%x", index,
             level, entry);
    }
    return entry & CAM_PTE_VALID ? entry : 0;
}

static uint32_t camera_walk(CameraState *s, uint32_t iova, unsigned *why)
{
    gpointer page = GUINT_TO_POINTER(iova / PAGE_SIZE);
    unsigned index = iova / PAGE_SIZE / TABLE_ENTRIES;
    uint32_t entry;

    entry = GPOINTER_TO_UINT(g_hash_table_lookup(s->level_2, page));
    if (entry) {
        return entry;
    }
    if (!s->level_1[index]) {
        s->level_1[index] = camera_entry(s, (uint64_t)s->mmu_table * PAGE_SIZE,
                                         index, CAM_WHY_LEVEL_1, why);
    }
    if (!s->level_1[index]) {
        return 0;
    }
    entry = camera_entry(s, CAM_PTE_ADDR(s->level_1[index]),
                         iova / PAGE_SIZE % TABLE_ENTRIES, CAM_WHY_LEVEL_2,
                         why);
    if (entry) {
        g_hash_table_insert(s->level_2, page, GUINT_TO_POINTER(entry));
    }
    return entry;
}

/* Memory behind the MMU, within one page */
static bool camera_dma(CameraChannel *ch, uint32_t iova, void *data,
                       uint32_t size, bool write)
{
    CameraState *s = ch->camera;
    unsigned why = CAM_WHY_OFF;
    uint32_t entry = 0;

    if (s->mmu_ctrl & CAM_MMU_ENABLE) {
        entry = camera_walk(s, iova, &why);
    }
    if (entry && write && !(entry & CAM_PTE_WRITE)) {
        why = CAM_WHY_READ_ONLY;
    } else if (entry) {
        why = CAM_WHY_BUS;
        if (camera_memory(s, CAM_PTE_ADDR(entry) | iova % PAGE_SIZE, data,
                          size, write)) {
            return true;
        }
    }
    camera_fault(ch, iova, write, why);
    return false;
}

static gboolean camera_touches(gpointer page, gpointer entry, gpointer range)
{
    const uint32_t *pages = range;
    uint32_t number = GPOINTER_TO_UINT(page);

    return number >= pages[0] && number <= pages[1];
}

static void camera_invalidate(CameraState *s, uint32_t first, uint32_t last)
{
    uint32_t pages[] = { first / PAGE_SIZE, last / PAGE_SIZE };

    if (first > last) {
        rule(s, "invalidation from 0x%x to 0x%x", first, last);
        return;
    }
    trace_camera_invalidate(first, last);
    memset(&s->level_1[pages[0] / TABLE_ENTRIES], 0,
           (pages[1] / TABLE_ENTRIES - pages[0] / TABLE_ENTRIES + 1) *
           sizeof(s->level_1[0]));
    if (pages[0] == pages[1]) {
        g_hash_table_remove(s->level_2, GUINT_TO_POINTER(pages[0]));
    } else {
        g_hash_table_foreach_remove(s->level_2, camera_touches, pages);
    }
}

static bool camera_writes(const CameraChannel *ch)
{
    return !(ch->number & 1);
}

static uint32_t camera_desc_addr(const CameraChannel *ch)
{
    return ch->regs[CAM_CH_RING / 4] + ch->regs[CAM_CH_TAIL / 4] * DESC_SIZE;
}

/* What is wrong with the ring or the descriptor is up to the driver to mend. */
static bool camera_bad(CameraChannel *ch, const char *what)
{
    rule(ch->camera, "channel %u, descriptor %u: %s", ch->number,
         ch->regs[CAM_CH_TAIL / 4], what);
    ch->regs[CAM_CH_STATUS / 4] |= CAM_CH_BAD;
    camera_event(ch->camera, CAM_IRQ_CHANNEL(ch->number));
    return false;
}

static bool camera_fetch(CameraChannel *ch)
{
    uint32_t *desc = ch->desc;

    if (!camera_dma(ch, camera_desc_addr(ch), desc, DESC_SIZE, false)) {
        return false;
    }
    for (int i = 0; i < CAM_DESC_WORDS; i++) {
        desc[i] = le32_to_cpu(desc[i]);
    }
    if (!desc[CAM_DESC_LENGTH] || desc[CAM_DESC_LENGTH] & 3 ||
        desc[CAM_DESC_ADDR] & 3) {
        return camera_bad(ch, "address or length");
    }
    if (desc[CAM_DESC_FLAGS] & ~(CAM_DESC_LAST | CAM_DESC_IRQ)) {
        return camera_bad(ch, "flags");
    }
    if (!ch->words) {
        ch->sum = CAM_SUM_START;
        ch->sequence = ch->regs[CAM_CH_SEQUENCE / 4];
    }
    ch->done = 0;
    ch->fetched = true;
    return true;
}

/* The next piece of the descriptor's memory */
static bool camera_move(CameraChannel *ch)
{
    uint32_t data[PAGE_SIZE / 4];
    uint32_t iova = ch->desc[CAM_DESC_ADDR] + ch->done;
    uint32_t size = MIN(ch->desc[CAM_DESC_LENGTH] - ch->done,
                        PAGE_SIZE - iova % PAGE_SIZE);
    bool write = camera_writes(ch);

    for (uint32_t i = 0; write && i < size / 4; i++) {
        data[i] = cpu_to_le32(cam_frame_word(ch->sequence, ch->words + i));
    }
    if (!camera_dma(ch, iova, data, size, write)) {
        return false;
    }
    for (uint32_t i = 0; i < size / 4; i++) {
        uint32_t word = le32_to_cpu(data[i]);

        if (!write && ch->words + i == 1) {
            ch->sequence = word;
        }
        ch->sum = cam_sum(ch->sum, word);
    }
    ch->done += size;
    ch->words += size / 4;
    return true;
}

static bool camera_complete(CameraChannel *ch)
{
    CameraState *s = ch->camera;
    uint32_t *regs = ch->regs;
    bool last = ch->desc[CAM_DESC_FLAGS] & CAM_DESC_LAST;
    uint32_t result[] = {
        cpu_to_le32(CAM_DESC_DONE),
        cpu_to_le32(last ? ch->sequence : 0),
        cpu_to_le32(last ? ch->sum : 0),
        cpu_to_le32(last ? ch->words * 4 : 0),
    };

    if (!camera_dma(ch, camera_desc_addr(ch) + CAM_DESC_STATUS * 4, result,
                    sizeof(result), true)) {
        return false;
    }
    trace_camera_done(ch->number, regs[CAM_CH_TAIL / 4], ch->sequence,
                      ch->sum, ch->words);
    ch->fetched = false;
    regs[CAM_CH_TAIL / 4] = (regs[CAM_CH_TAIL / 4] + 1) %
                            regs[CAM_CH_ENTRIES / 4];
    if (last) {
        ch->words = 0;
        if (camera_writes(ch)) {
            regs[CAM_CH_SEQUENCE / 4]++;
        }
    }
    if (ch->desc[CAM_DESC_FLAGS] & CAM_DESC_IRQ) {
        camera_event(s, CAM_IRQ_CHANNEL(ch->number));
    }
    return true;
}

static bool camera_busy(const CameraChannel *ch)
{
    return ch->regs[CAM_CH_CTRL / 4] & CAM_CH_RUN &&
           !(ch->regs[CAM_CH_STATUS / 4] & (CAM_CH_FAULTED | CAM_CH_BAD)) &&
           ch->regs[CAM_CH_TAIL / 4] != ch->regs[CAM_CH_HEAD / 4];
}

static void camera_schedule(CameraChannel *ch)
{
    uint32_t pace = MAX(ch->regs[CAM_CH_PACE / 4], PACE_MIN);

    if (!camera_busy(ch)) {
        timer_del(&ch->timer);
    } else if (!timer_pending(&ch->timer)) {
        timer_mod(&ch->timer, qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL) + pace);
    }
}

static void camera_step(void *opaque)
{
    CameraChannel *ch = opaque;

    if ((ch->fetched || camera_fetch(ch)) && camera_move(ch) &&
        ch->done == ch->desc[CAM_DESC_LENGTH]) {
        camera_complete(ch);
    }
    camera_schedule(ch);
}

static void camera_run(CameraChannel *ch, bool run)
{
    uint32_t *regs = ch->regs;

    regs[CAM_CH_CTRL / 4] = run ? CAM_CH_RUN : 0;
    regs[CAM_CH_STATUS / 4] = 0;
    regs[CAM_CH_HEAD / 4] = 0;
    regs[CAM_CH_TAIL / 4] = 0;
    ch->fetched = false;
    ch->words = 0;
    if (run && (regs[CAM_CH_RING / 4] % DESC_SIZE ||
                regs[CAM_CH_ENTRIES / 4] < 2 ||
                regs[CAM_CH_ENTRIES / 4] > CAM_CH_ENTRIES_MAX)) {
        camera_bad(ch, "no such ring");
    }
}

static void camera_channel_write(CameraChannel *ch, hwaddr reg, uint32_t val)
{
    bool runs = ch->regs[CAM_CH_CTRL / 4] & CAM_CH_RUN;

    switch (reg) {
    case CAM_CH_CTRL:
        if (runs != !!(val & CAM_CH_RUN)) {
            camera_run(ch, !runs);
        }
        break;
    case CAM_CH_HEAD:
        if (!runs || val >= ch->regs[CAM_CH_ENTRIES / 4]) {
            rule(ch->camera, "channel %u: no descriptor %u", ch->number, val);
            return;
        }
        ch->regs[reg / 4] = val;
        break;
    case CAM_CH_RING:
    case CAM_CH_ENTRIES:
        if (runs) {
            rule(ch->camera, "channel %u: the ring in use changes",
                 ch->number);
            return;
        }
        ch->regs[reg / 4] = val;
        break;
    case CAM_CH_PACE:
    case CAM_CH_SEQUENCE:
        ch->regs[reg / 4] = val;
        break;
    }
    camera_schedule(ch);
}

static uint32_t camera_channel_read(const CameraChannel *ch, hwaddr reg)
{
    if (reg == CAM_CH_STATUS) {
        return ch->regs[reg / 4] | (camera_busy(ch) ? CAM_CH_BUSY : 0);
    }
    return ch->regs[reg / 4];
}

static CameraChannel *camera_channel(CameraState *s, hwaddr *reg)
{
    hwaddr number = (*reg - CAM_CH(0)) / (CAM_CH(1) - CAM_CH(0));

    *reg %= CAM_CH(1) - CAM_CH(0);
    return number < s->channels ? &s->channel[number] : NULL;
}

static void camera_clear(CameraState *s)
{
    for (int i = 0; i < s->channels; i++) {
        memset(s->channel[i].regs, 0, sizeof(s->channel[i].regs));
        s->channel[i].fetched = false;
        s->channel[i].words = 0;
        camera_schedule(&s->channel[i]);
    }
    s->irq_status = 0;
    s->irq_enable = 0;
    s->mmu_ctrl = 0;
    s->mmu_table = 0;
    s->inv_first = 0;
    s->fault_status = 0;
    s->fault_addr = 0;
    memset(s->level_1, 0, sizeof(s->level_1));
    g_hash_table_remove_all(s->level_2);
    camera_update_irq(s);
}

static uint64_t camera_read(void *opaque, hwaddr reg, unsigned size)
{
    CameraState *s = opaque;
    CameraChannel *ch = reg < CAM_CH(0) ? NULL : camera_channel(s, &reg);

    if (ch) {
        return camera_channel_read(ch, reg);
    }
    switch (reg) {
    case CAM_ID:
        return CAM_ID_VALUE;
    case CAM_CAPS:
        return s->channels << 8 | (s->coherent ? CAM_CAPS_COHERENT : 0);
    case CAM_IRQ_STATUS:
        return s->irq_status;
    case CAM_IRQ_ENABLE:
        return s->irq_enable;
    case CAM_MMU_CTRL:
        return s->mmu_ctrl;
    case CAM_MMU_TABLE:
        return s->mmu_table;
    case CAM_MMU_INV_FIRST:
        return s->inv_first;
    case CAM_FAULT_STATUS:
        return s->fault_status;
    case CAM_FAULT_ADDR:
        return s->fault_addr;
    default:
        return 0;
    }
}

static void camera_write(void *opaque, hwaddr reg, uint64_t val, unsigned size)
{
    CameraState *s = opaque;
    CameraChannel *ch = reg < CAM_CH(0) ? NULL : camera_channel(s, &reg);

    if (ch) {
        trace_camera_channel_write(ch->number, reg, val);
        camera_channel_write(ch, reg, val);
        return;
    }
    trace_camera_write(reg, val);
    switch (reg) {
    case CAM_IRQ_STATUS:
        s->irq_status &= ~val;
        camera_update_irq(s);
        break;
    case CAM_IRQ_ENABLE:
        s->irq_enable = val;
        camera_update_irq(s);
        break;
    case CAM_RESET:
        camera_clear(s);
        break;
    case CAM_MMU_CTRL:
        s->mmu_ctrl = val & CAM_MMU_ENABLE;
        break;
    case CAM_MMU_TABLE:
        if (s->mmu_ctrl & CAM_MMU_ENABLE) {
            rule(s, "the table in use changes");
        }
        s->mmu_table = val;
        break;
    case CAM_MMU_INV_PAGE:
        camera_invalidate(s, val, val);
        break;
    case CAM_MMU_INV_FIRST:
        s->inv_first = val;
        break;
    case CAM_MMU_INV_LAST:
        camera_invalidate(s, s->inv_first, val);
        break;
    case CAM_MMU_INV_ALL:
        camera_invalidate(s, 0, UINT32_MAX);
        break;
    case CAM_FAULT_STATUS:
        s->fault_status = 0;
        break;
    }
}

static const MemoryRegionOps camera_ops = {
    .read = camera_read,
    .write = camera_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = { .min_access_size = 4, .max_access_size = 4 },
    .impl = { .min_access_size = 4, .max_access_size = 4 },
};

static void camera_reset(DeviceState *qdev)
{
    camera_clear(CAMERA(qdev));
}

static void camera_realize(PCIDevice *dev, Error **errp)
{
    CameraState *s = CAMERA(dev);

    if (!s->channels || s->channels > CHANNELS_MAX) {
        error_setg(errp, "camera: channels is 1 to %u", CHANNELS_MAX);
        return;
    }
    if (!s->coherent && !cpu_cache_enable(errp)) {
        return;
    }
    if (msi_init(dev, 0, 1, true, false, errp)) {
        return;
    }
    pci_config_set_interrupt_pin(dev->config, 1);
    s->level_2 = g_hash_table_new(NULL, NULL);
    for (int i = 0; i < s->channels; i++) {
        s->channel[i].camera = s;
        s->channel[i].number = i;
        timer_init_ns(&s->channel[i].timer, QEMU_CLOCK_VIRTUAL, camera_step,
                      &s->channel[i]);
    }
    memory_region_init_io(&s->io, OBJECT(s), &camera_ops, s, "camera",
                          CAM_BAR_SIZE);
    pci_register_bar(dev, 0, PCI_BASE_ADDRESS_SPACE_MEMORY, &s->io);
}

static void camera_exit(PCIDevice *dev)
{
    CameraState *s = CAMERA(dev);

    for (int i = 0; i < s->channels; i++) {
        timer_del(&s->channel[i].timer);
    }
    g_hash_table_destroy(s->level_2);
    msi_uninit(dev);
}

static const Property camera_properties[] = {
    DEFINE_PROP_BOOL("coherent", CameraState, coherent, false),
    DEFINE_PROP_UINT8("channels", CameraState, channels, 2),
};

static const VMStateDescription camera_vmstate = {
    .name = TYPE_CAMERA,
    .unmigratable = 1,
};

static void camera_class_init(ObjectClass *klass, void *data)
{
    DeviceClass *dc = DEVICE_CLASS(klass);
    PCIDeviceClass *pc = PCI_DEVICE_CLASS(klass);

    pc->realize = camera_realize;
    pc->exit = camera_exit;
    pc->vendor_id = CAM_VENDOR_ID;
    pc->device_id = CAM_DEVICE_ID;
    pc->class_id = PCI_CLASS_MULTIMEDIA_OTHER;
    dc->desc = "camera with an own MMU";
    dc->vmsd = &camera_vmstate;
    device_class_set_legacy_reset(dc, camera_reset);
    device_class_set_props(dc, camera_properties);
}

/* The function's type: QEMU 10.1 makes its data const. */
static const TypeInfo camera_types[] = {
    {
        .name = TYPE_CAMERA,
        .parent = TYPE_PCI_DEVICE,
        .instance_size = sizeof(CameraState),
        .class_init = (void *)camera_class_init,
        .interfaces = (InterfaceInfo[]) {
            { INTERFACE_CONVENTIONAL_PCI_DEVICE }, { }
        },
    },
};

DEFINE_TYPES(camera_types)
