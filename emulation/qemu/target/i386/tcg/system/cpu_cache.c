/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A write-back cache between processors and memory
 *
 * To QEMU memory is what processors see: their caches are always coherent
 * with each other, and with most devices. A device that does not look into
 * them sees, and writes, memory behind the caches, which lies here. As a cache
 * that is as large as memory and never drops a line by itself:
 *
 *  - What processors write reaches the device when they flush the line, which
 *    overwrites what the device wrote there meanwhile.
 *  - What the device writes reaches processors when they flush the line, if
 *    they have not written to it.
 *  - A line that was never flushed is written, as far as anybody knows.
 *  - Processors do not use the cache in a page that they have mapped
 *    uncached or write-combining: device and processors share memory there,
 *    once the lines that were in the cache are flushed.
 *
 * So each flush that is missing shows itself, at once and not now and then.
 * Which kind of mapping a page has is seen when it enters a TLB: of several
 * kinds the last one counts. A store of what is there already counts as none.
 * Not modelled: WBINVD, CLWB, MTRRs, and the order that write-combining and
 * CLFLUSHOPT leave open.
 */

#include "qemu/osdep.h"
#include "qemu/lockable.h"
#include "qemu/rcu.h"
#include "qapi/error.h"
#include "cpu.h"
#include "exec/address-spaces.h"
#include "exec/cpu_ldst.h"
#include "exec/exec-all.h"
#include "exec/helper-proto.h"
#include "exec/memory.h"
#include "hw/i386/cpu_cache.h"
#include "system/qtest.h"
#include "system/tcg.h"
#include "trace.h"

#define LINE            64
#define PAGE_LINES      (TARGET_PAGE_SIZE / LINE)
/* What memory has where nothing was ever flushed; no valid pointer to much */
#define NEVER_WRITTEN   0xde

/* Memory behind the cache, and what the cache has got from it; bits of lines */
typedef struct CachePage {
    bool uncached;
    uint64_t fetched;   /* the line in the cache was .base before writes */
    uint64_t shared;    /* nothing in the cache, no copy here */
    uint8_t memory[TARGET_PAGE_SIZE];
    uint8_t base[TARGET_PAGE_SIZE];
} CachePage;

/* A page as processors see it */
typedef struct SeenPage {
    AddressSpace *as;
    hwaddr addr;
    uint8_t *ram;
    CachePage *cache;
} SeenPage;

QEMU_BUILD_BUG_ON(PAGE_LINES != 64);

static bool cache_enabled;
static QemuMutex cache_lock;
static GHashTable *cache_pages;

bool cpu_cache_enabled(void)
{
    return qatomic_load_acquire(&cache_enabled);
}

bool cpu_cache_enable(Error **errp)
{
    if (!tcg_enabled() && !qtest_enabled()) {
        error_setg(errp, "a device that is not coherent needs accel=tcg");
        return false;
    }
    if (!cache_enabled) {
        qemu_mutex_init(&cache_lock);
        cache_pages = g_hash_table_new(NULL, NULL);
        qatomic_store_release(&cache_enabled, true);
    }
    return true;
}

static CachePage *new_page(gpointer key)
{
    CachePage *page = g_new0(CachePage, 1);

    memset(page->memory, NEVER_WRITTEN, sizeof(page->memory));
    g_hash_table_insert(cache_pages, key, page);
    return page;
}

/* False: no memory, or nothing is known of it and nothing has to be */
static bool find_page(SeenPage *seen, AddressSpace *as, hwaddr addr,
                      bool write, bool make)
{
    hwaddr offset, size = TARGET_PAGE_SIZE;
    MemoryRegion *mr;
    gpointer key;

    seen->as = as;
    seen->addr = addr & TARGET_PAGE_MASK;
    mr = address_space_translate(as, seen->addr, &offset, &size, write,
                                 MEMTXATTRS_UNSPECIFIED);
    if (!memory_region_is_ram(mr) || size < TARGET_PAGE_SIZE) {
        return false;
    }
    key = (gpointer)(uintptr_t)(memory_region_get_ram_addr(mr) + offset);
    seen->ram = memory_region_get_ram_ptr(mr) + offset;
    seen->cache = g_hash_table_lookup(cache_pages, key);
    if (!seen->cache && make) {
        seen->cache = new_page(key);
    }
    return seen->cache;
}

static bool is_clean(const SeenPage *seen, unsigned line)
{
    return seen->cache->fetched >> line & 1 &&
           !memcmp(seen->ram + line * LINE, seen->cache->base + line * LINE,
                   LINE);
}

/* The line leaves the cache, and is there again as soon as somebody looks */
static void flush_line(SeenPage *seen, unsigned line)
{
    CachePage *cache = seen->cache;
    uint8_t *ram = seen->ram + line * LINE;
    uint8_t *memory = cache->memory + line * LINE;
    bool clean = is_clean(seen, line);

    trace_cpu_cache_flush(seen->addr + line * LINE,
                          clean ? "clean" : "written");
    if (memcmp(memory, ram, LINE)) {
        if (clean) {
            address_space_write(seen->as, seen->addr + line * LINE,
                                MEMTXATTRS_UNSPECIFIED, memory, LINE);
        } else {
            memcpy(memory, ram, LINE);
        }
    }
    memcpy(cache->base + line * LINE, memory, LINE);
    cache->fetched |= 1ull << line;
    if (cache->uncached) {
        cache->shared |= 1ull << line;
    }
}

void cpu_cache_flush(AddressSpace *as, hwaddr addr)
{
    unsigned line = (addr & ~TARGET_PAGE_MASK) / LINE;
    SeenPage seen;

    RCU_READ_LOCK_GUARD();
    QEMU_LOCK_GUARD(&cache_lock);
    if (find_page(&seen, as, addr, true, true) &&
        !(seen.cache->shared >> line & 1)) {
        flush_line(&seen, line);
    }
}

void cpu_cache_mapped(AddressSpace *as, hwaddr addr, bool uncached)
{
    CachePage *cache;
    SeenPage seen;

    RCU_READ_LOCK_GUARD();
    QEMU_LOCK_GUARD(&cache_lock);
    if (!find_page(&seen, as, addr, true, uncached) ||
        seen.cache->uncached == uncached) {
        return;
    }
    cache = seen.cache;
    trace_cpu_cache_mapped(seen.addr, uncached ? "uncached" : "cached");
    cache->uncached = uncached;
    for (unsigned line = 0; line < PAGE_LINES; line++) {
        if (uncached && is_clean(&seen, line)) {
            flush_line(&seen, line);
        } else if (cache->shared >> line & 1) {
            memcpy(cache->memory + line * LINE, seen.ram + line * LINE, LINE);
            memcpy(cache->base + line * LINE, seen.ram + line * LINE, LINE);
            cache->fetched |= 1ull << line;
        }
    }
    if (!uncached) {
        cache->shared = 0;
    }
}

/* Within one line */
static void dma_line(SeenPage *seen, hwaddr offset, uint8_t *data,
                     hwaddr size, bool write)
{
    uint8_t *memory = seen->cache->memory + offset;

    if (seen->cache->shared >> (offset / LINE) & 1) {
        address_space_rw(seen->as, seen->addr + offset,
                         MEMTXATTRS_UNSPECIFIED, data, size, write);
    } else if (write) {
        memcpy(memory, data, size);
    } else {
        memcpy(data, memory, size);
        if (memcmp(memory, seen->ram + offset, size)) {
            trace_cpu_cache_stale(seen->addr + offset, size);
        }
    }
}

MemTxResult cpu_cache_dma(AddressSpace *as, hwaddr addr, void *data,
                          hwaddr size, bool write)
{
    SeenPage seen;
    hwaddr offset, part;

    RCU_READ_LOCK_GUARD();
    QEMU_LOCK_GUARD(&cache_lock);
    for (; size; addr += part, data += part, size -= part) {
        offset = addr & ~TARGET_PAGE_MASK;
        part = MIN(size, LINE - offset % LINE);
        if (!find_page(&seen, as, addr, write, true)) {
            return MEMTX_DECODE_ERROR;
        }
        dma_line(&seen, offset, data, part, write);
    }
    return MEMTX_OK;
}

void helper_clflush(CPUX86State *env, target_ulong addr)
{
    CPUState *cs = env_cpu(env);
    CPUTLBEntryFull *full;
    void *ram;

    if (!cpu_cache_enabled()) {
        return;
    }
    probe_access_full(env, addr, 0, MMU_DATA_LOAD, cpu_mmu_index(cs, false),
                      false, &ram, &full, GETPC());
    if (ram) {
        cpu_cache_flush(cs->as, (full->phys_addr & TARGET_PAGE_MASK) |
                        (addr & ~TARGET_PAGE_MASK));
    }
}
