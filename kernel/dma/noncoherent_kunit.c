// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of devices that do not snoop the CPU's caches.
 *
 * What is flushed is recorded in place of flushing it: no device of a test
 * does DMA.  Memory types are read from the page tables.  Each test runs over
 * direct mapping, with a platform device of its own, and over iommu-dma, with
 * a device that no driver uses, if the machine has one.
 */
#include <kunit/static_stub.h>
#include <kunit/test.h>
#include <linux/anon_inodes.h>
#include <linux/array_size.h>
#include <linux/cleanup.h>
#include <linux/delay.h>
#include <linux/device.h>
#include <linux/dma-direct.h>
#include <linux/dma-layer.h>
#include <linux/dma-map-ops.h>
#include <linux/dma-noncoherent.h>
#include <linux/dma-path.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/pgtable.h>
#include <linux/platform_device.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/swiotlb.h>
#include <linux/vmalloc.h>
#include <asm/dma-noncoherent.h>
#include <asm/memtype.h>
#include "path.h"

#define NC_PAGES	3
#define NC_SIZE		(NC_PAGES * PAGE_SIZE)
#define NC_RECORDS	8
#define NC_ATTRS	DMA_ATTR_DEBUGGING_IGNORE_CACHELINES

/* What was flushed since nc_forget() */
static struct nc_record {
	phys_addr_t phys;
	size_t size;
} nc_records[NC_RECORDS];

static unsigned int nc_count;

static void nc_record_flush(phys_addr_t phys, size_t size)
{
	if (nc_count < NC_RECORDS)
		nc_records[nc_count] = (struct nc_record){ phys, size };
	nc_count++;
}

static void nc_forget(void)
{
	nc_count = 0;
}

/* Were exactly these @nr pieces of @size bytes flushed? */
static void nc_expect_pieces(struct kunit *test, const char *when,
			     const phys_addr_t *phys, unsigned int nr,
			     size_t size)
{
	unsigned int i;

	KUNIT_EXPECT_EQ_MSG(test, nc_count, nr, "%s", when);
	for (i = 0; i < min(nc_count, nr); i++) {
		KUNIT_EXPECT_EQ_MSG(test, nc_records[i].phys, phys[i], "%s",
				    when);
		KUNIT_EXPECT_EQ_MSG(test, nc_records[i].size, size, "%s",
				    when);
	}
	nc_forget();
}

static void nc_expect(struct kunit *test, const char *when, bool flushed,
		      phys_addr_t phys, size_t size)
{
	nc_expect_pieces(test, when, &phys, flushed, size);
}

/*
 * Where the tests run
 */

struct nc_kind {
	const char *name;
	bool iommu;
};

static const struct nc_kind nc_kinds[] = {
	{ "direct", false },
	{ "iommu", true },
};

static void nc_kind_name(const struct nc_kind *kind, char *desc)
{
	strscpy(desc, kind->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(nc_kind, nc_kinds, nc_kind_name);

static struct device *nc_find_iommu_device(void)
{
	struct dma_path *path;

	guard(mutex)(&dma_path_mutex);
	list_for_each_entry(path, &dma_paths, node) {
		if (path->base_iommu && !path->dev->driver &&
		    path->dev->dma_mask && !dma_is_noncoherent(path->dev))
			return get_device(path->dev);
	}
	return NULL;
}

KUNIT_DEFINE_ACTION_WRAPPER(nc_put_device, put_device, struct device *);
KUNIT_DEFINE_ACTION_WRAPPER(nc_unregister, platform_device_unregister,
			    struct platform_device *);

static struct device *nc_direct_device(struct kunit *test)
{
	struct platform_device *pdev;

	pdev = platform_device_register_simple("dma-noncoherent-test",
					       PLATFORM_DEVID_AUTO, NULL, 0);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, pdev);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, nc_unregister,
							   pdev));
	if (dma_base_ops(&pdev->dev) &&
	    dma_base_ops(&pdev->dev) != &dma_base_direct_ops)
		kunit_skip(test, "no direct mapping in this system");
	KUNIT_ASSERT_EQ(test, 0, dma_set_mask_and_coherent(&pdev->dev,
							   DMA_BIT_MASK(64)));
	return &pdev->dev;
}

static struct device *nc_device(struct kunit *test)
{
	const struct nc_kind *kind = test->param_value;
	struct device *dev;

	if (!kind->iommu)
		return nc_direct_device(test);
	dev = nc_find_iommu_device();
	if (!dev)
		kunit_skip(test, "no unbound device behind an IOMMU");
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, nc_put_device,
							   dev));
	return dev;
}

/*
 * Runs @body with a device that does not snoop.  The device may be the
 * machine's: it is locked, so @body expects, but does not assert.
 */
static void nc_run(struct kunit *test,
		   void (*body)(struct kunit *test, struct device *dev))
{
	struct device *dev = nc_device(test);

	kunit_activate_static_stub(test, x86_dma_flush, nc_record_flush);
	nc_forget();
	guard(device)(dev);
	if (dev->driver) {
		kunit_info(test, "%s has a driver by now\n", dev_name(dev));
		return;
	}
	KUNIT_EXPECT_EQ(test, dma_set_noncoherent(dev), 0);
	body(test, dev);
	dma_path_set_coherent(dev, true);
}

static void *nc_buffer(struct kunit *test)
{
	void *buf = alloc_pages_exact(NC_SIZE, GFP_KERNEL | __GFP_ZERO);

	KUNIT_EXPECT_NOT_NULL(test, buf);
	return buf;
}

/*
 * Streaming
 */

static const enum dma_data_direction nc_dirs[] = {
	DMA_TO_DEVICE, DMA_FROM_DEVICE, DMA_BIDIRECTIONAL,
};

static const char * const nc_dir_names[] = {
	[DMA_TO_DEVICE] = "to the device",
	[DMA_FROM_DEVICE] = "from the device",
	[DMA_BIDIRECTIONAL] = "both ways",
};

static void nc_map_one(struct kunit *test, struct device *dev, void *buf,
		       enum dma_data_direction dir)
{
	bool reads = dir != DMA_TO_DEVICE;
	const char *how = nc_dir_names[dir];
	phys_addr_t phys = virt_to_phys(buf);
	dma_addr_t addr;

	addr = dma_map_single_attrs(dev, buf, NC_SIZE, dir, NC_ATTRS);
	if (dma_mapping_error(dev, addr)) {
		KUNIT_FAIL(test, "not mapped, %s", how);
		return;
	}
	nc_expect(test, how, true, phys, NC_SIZE);
	dma_sync_single_for_cpu(dev, addr + 256, 128, dir);
	nc_expect(test, how, reads, phys + 256, 128);
	dma_sync_single_for_device(dev, addr + 512, 64, dir);
	nc_expect(test, how, true, phys + 512, 64);
	dma_unmap_single_attrs(dev, addr, NC_SIZE, dir, NC_ATTRS);
	nc_expect(test, how, reads, phys, NC_SIZE);
}

static void nc_map_unflushed(struct kunit *test, struct device *dev, void *buf)
{
	const unsigned long attrs = NC_ATTRS | DMA_ATTR_SKIP_CPU_SYNC;
	dma_addr_t addr;

	addr = dma_map_single_attrs(dev, buf, NC_SIZE, DMA_BIDIRECTIONAL,
				    attrs);
	KUNIT_EXPECT_EQ(test, dma_mapping_error(dev, addr), 0);
	if (addr != DMA_MAPPING_ERROR)
		dma_unmap_single_attrs(dev, addr, NC_SIZE, DMA_BIDIRECTIONAL,
				       attrs);
	nc_expect(test, "without sync", false, 0, 0);

	addr = dma_map_single_attrs(dev, buf, NC_SIZE, DMA_TO_DEVICE,
				    NC_ATTRS | DMA_ATTR_REQUIRE_COHERENT);
	KUNIT_EXPECT_NE(test, dma_mapping_error(dev, addr), 0);
	nc_expect(test, "refused", false, 0, 0);
}

static void nc_single_body(struct kunit *test, struct device *dev)
{
	void *buf = nc_buffer(test);
	int i;

	if (!buf)
		return;
	for (i = 0; i < ARRAY_SIZE(nc_dirs); i++)
		nc_map_one(test, dev, buf, nc_dirs[i]);
	nc_map_unflushed(test, dev, buf);
	free_pages_exact(buf, NC_SIZE);
}

static void buffer_is_flushed(struct kunit *test)
{
	nc_run(test, nc_single_body);
}

/* Without physical neighbours */
static void nc_sg_fill(struct scatterlist *sg, struct page **pages,
		       phys_addr_t *phys)
{
	int i;

	sg_init_table(sg, NC_PAGES);
	for (i = 0; i < NC_PAGES; i++) {
		sg_set_page(&sg[i], pages[i], PAGE_SIZE, 0);
		phys[i] = page_to_phys(pages[i]);
	}
}

static void nc_map_list(struct kunit *test, struct device *dev,
			struct scatterlist *sg, const phys_addr_t *phys,
			enum dma_data_direction dir)
{
	const char *how = nc_dir_names[dir];
	int reads = dir == DMA_TO_DEVICE ? 0 : NC_PAGES;

	if (!dma_map_sg_attrs(dev, sg, NC_PAGES, dir, NC_ATTRS)) {
		KUNIT_FAIL(test, "not mapped, %s", how);
		return;
	}
	nc_expect_pieces(test, how, phys, NC_PAGES, PAGE_SIZE);
	dma_sync_sg_for_cpu(dev, sg, NC_PAGES, dir);
	nc_expect_pieces(test, how, phys, reads, PAGE_SIZE);
	dma_sync_sg_for_device(dev, sg, NC_PAGES, dir);
	nc_expect_pieces(test, how, phys, NC_PAGES, PAGE_SIZE);
	dma_unmap_sg_attrs(dev, sg, NC_PAGES, dir, NC_ATTRS);
	nc_expect_pieces(test, how, phys, reads, PAGE_SIZE);
}

static void nc_list_body(struct kunit *test, struct device *dev)
{
	struct page *pages[2 * NC_PAGES], *used[NC_PAGES];
	struct scatterlist sg[NC_PAGES];
	phys_addr_t phys[NC_PAGES];
	int i;

	if (alloc_pages_bulk(GFP_KERNEL, 2 * NC_PAGES,
			     memset(pages, 0, sizeof(pages))) !=
	    2 * NC_PAGES) {
		KUNIT_FAIL(test, "no memory");
		return;
	}
	for (i = 0; i < NC_PAGES; i++)
		used[i] = pages[2 * i];
	nc_sg_fill(sg, used, phys);
	for (i = 0; i < ARRAY_SIZE(nc_dirs); i++)
		nc_map_list(test, dev, sg, phys, nc_dirs[i]);
	for (i = 0; i < 2 * NC_PAGES; i++)
		__free_page(pages[i]);
}

static void list_is_flushed(struct kunit *test)
{
	nc_run(test, nc_list_body);
}

/* Memory that a device sees at an address */
static phys_addr_t nc_seen(struct device *dev, dma_addr_t addr)
{
	return dma_ends_in_iommu(dev) ? iommu_dma_to_phys(dev, addr) :
					dma_to_phys(dev, addr);
}

static void nc_bounce_one(struct kunit *test, struct device *dev, u8 *buf)
{
	const size_t size = 100;
	phys_addr_t seen;
	dma_addr_t addr;

	addr = dma_map_single_attrs(dev, buf + 8, size, DMA_FROM_DEVICE,
				    NC_ATTRS);
	if (dma_mapping_error(dev, addr)) {
		KUNIT_FAIL(test, "not mapped");
		return;
	}
	seen = nc_seen(dev, addr);
	KUNIT_EXPECT_NE(test, seen, virt_to_phys(buf + 8));
	nc_expect(test, "map", true, seen, size);

	/* The device writes, and so does the CPU, beside it. */
	memset(phys_to_virt(seen), 0x11, size);
	buf[7] = 0x77;
	dma_sync_single_for_cpu(dev, addr, size, DMA_FROM_DEVICE);
	nc_expect(test, "sync", true, seen, size);
	KUNIT_EXPECT_EQ(test, buf[8], 0x11);
	dma_sync_single_for_device(dev, addr, size, DMA_FROM_DEVICE);
	nc_expect(test, "sync for device", true, seen, size);
	memset(phys_to_virt(seen), 0x22, size);
	dma_unmap_single_attrs(dev, addr, size, DMA_FROM_DEVICE, NC_ATTRS);
	nc_expect(test, "unmap", true, seen, size);
	KUNIT_EXPECT_EQ(test, buf[7], 0x77);
	KUNIT_EXPECT_NULL(test, memchr_inv(buf + 8, 0x22, size));
	KUNIT_EXPECT_EQ(test, buf[8 + size], 0);
}

/* One element with a line that it shares: all are mapped one by one. */
static void nc_bounce_list(struct kunit *test, struct device *dev, u8 *buf)
{
	struct scatterlist sg[2];
	phys_addr_t seen[2];

	sg_init_table(sg, 2);
	sg_set_buf(&sg[0], buf, 64);
	sg_set_buf(&sg[1], buf + PAGE_SIZE, 72);
	if (!dma_map_sg_attrs(dev, sg, 2, DMA_FROM_DEVICE, NC_ATTRS)) {
		KUNIT_FAIL(test, "not mapped");
		return;
	}
	seen[0] = nc_seen(dev, sg_dma_address(&sg[0]));
	seen[1] = nc_seen(dev, sg_dma_address(&sg[1]));
	KUNIT_EXPECT_EQ(test, seen[0], virt_to_phys(buf));
	KUNIT_EXPECT_NE(test, seen[1], virt_to_phys(buf + PAGE_SIZE));
	KUNIT_EXPECT_EQ(test, nc_count, 2);
	KUNIT_EXPECT_EQ(test, nc_records[1].phys, seen[1]);
	nc_forget();
	memset(phys_to_virt(seen[1]), 0x33, 72);
	dma_sync_sg_for_cpu(dev, sg, 2, DMA_FROM_DEVICE);
	KUNIT_EXPECT_EQ(test, buf[PAGE_SIZE + 71], 0x33);
	KUNIT_EXPECT_EQ(test, nc_records[1].phys, seen[1]);
	nc_forget();
	memset(phys_to_virt(seen[1]), 0x44, 72);
	dma_unmap_sg_attrs(dev, sg, 2, DMA_FROM_DEVICE, NC_ATTRS);
	KUNIT_EXPECT_EQ(test, nc_count, 2);
	KUNIT_EXPECT_EQ(test, buf[PAGE_SIZE + 71], 0x44);
	KUNIT_EXPECT_EQ(test, buf[PAGE_SIZE + 72], 0);
	/* Others may map the list anew, in their way. */
	KUNIT_EXPECT_FALSE(test, sg_dma_is_swiotlb(&sg[0]));
}

static void nc_bounce_body(struct kunit *test, struct device *dev)
{
	u8 *buf = nc_buffer(test);
	dma_addr_t addr;

	if (!buf)
		return;
	nc_bounce_one(test, dev, buf);
	nc_bounce_list(test, dev, buf);
	/* What the device reads only may share lines. */
	nc_forget();
	addr = dma_map_single_attrs(dev, buf + 8, 100, DMA_TO_DEVICE, NC_ATTRS);
	KUNIT_EXPECT_EQ(test, dma_mapping_error(dev, addr), 0);
	nc_expect(test, "in place", true, virt_to_phys(buf + 8), 100);
	if (addr != DMA_MAPPING_ERROR)
		dma_unmap_single_attrs(dev, addr, 100, DMA_TO_DEVICE,
				       NC_ATTRS);
	free_pages_exact(buf, NC_SIZE);
}

static void shared_lines_are_bounced(struct kunit *test)
{
	if (!is_swiotlb_active(nc_device(test)))
		kunit_skip(test, "no bounce buffers in this system");
	nc_run(test, nc_bounce_body);
}

/*
 * Memory types
 */

/* Memory that is free may be hidden, by debug_pagealloc=, but has its type. */
static int nc_mode(void *vaddr)
{
	unsigned int level;
	pte_t *pte = lookup_address((unsigned long)vaddr, &level);
	pgprot_t prot;

	if (!pte || pte_none(*pte))
		return -1;
	prot = pte_pgprot(*pte);
	if (level != PG_LEVEL_4K)
		prot = pgprot_large_2_4k(prot);
	return pgprot2cachemode(prot);
}

/* Without PAT there is none for collected writes. */
static int nc_mode_wc(void)
{
	return pgprot2cachemode(pgprot_writecombine(PAGE_KERNEL));
}

static struct page *nc_page(void *vaddr, int i)
{
	vaddr += i * PAGE_SIZE;
	return is_vmalloc_addr(vaddr) ? vmalloc_to_page(vaddr) :
					virt_to_page(vaddr);
}

static void nc_alloc(struct kunit *test, struct device *dev,
		     unsigned long attrs, int mode)
{
	struct page *pages[NC_PAGES];
	dma_addr_t handle;
	void *vaddr;
	int i;

	vaddr = dma_alloc_attrs(dev, NC_SIZE, &handle, GFP_KERNEL, attrs);
	if (!vaddr) {
		KUNIT_FAIL(test, "no memory with %#lx", attrs);
		return;
	}
	KUNIT_EXPECT_NULL(test, memchr_inv(vaddr, 0, NC_SIZE));
	for (i = 0; i < NC_PAGES; i++) {
		pages[i] = nc_page(vaddr, i);
		KUNIT_EXPECT_EQ(test, nc_seen(dev, handle + i * PAGE_SIZE),
				page_to_phys(pages[i]));
		KUNIT_EXPECT_EQ_MSG(test, nc_mode(vaddr + i * PAGE_SIZE), mode,
				    "attrs %#lx page %d", attrs, i);
		KUNIT_EXPECT_EQ_MSG(test, nc_mode(page_address(pages[i])), mode,
				    "attrs %#lx page %d", attrs, i);
	}
	dma_free_attrs(dev, NC_SIZE, vaddr, handle, attrs);
	for (i = 0; i < NC_PAGES; i++)
		KUNIT_EXPECT_EQ_MSG(test, nc_mode(page_address(pages[i])),
				    _PAGE_CACHE_MODE_WB,
				    "attrs %#lx page %d", attrs, i);
}

static int nc_no_memory(void *vaddr, size_t size, bool write_combine)
{
	return -ENOMEM;
}

static void nc_alloc_body(struct kunit *test, struct device *dev)
{
	dma_addr_t handle;
	void *vaddr;

	nc_alloc(test, dev, 0, _PAGE_CACHE_MODE_UC_MINUS);
	nc_alloc(test, dev, DMA_ATTR_FORCE_CONTIGUOUS,
		 _PAGE_CACHE_MODE_UC_MINUS);
	nc_alloc(test, dev, DMA_ATTR_WRITE_COMBINE, nc_mode_wc());
	nc_alloc(test, dev, DMA_ATTR_WRITE_COMBINE | DMA_ATTR_FORCE_CONTIGUOUS,
		 nc_mode_wc());
	nc_alloc(test, dev, DMA_ATTR_NO_KERNEL_MAPPING,
		 _PAGE_CACHE_MODE_UC_MINUS);

	kunit_activate_static_stub(test, x86_dma_uncache, nc_no_memory);
	vaddr = dma_alloc_coherent(dev, NC_SIZE, &handle, GFP_KERNEL);
	KUNIT_EXPECT_NULL(test, vaddr);
	kunit_deactivate_static_stub(test, x86_dma_uncache);
}

static void coherent_memory_is_uncached(struct kunit *test)
{
	nc_run(test, nc_alloc_body);
}

#define NC_ATOMIC	40

/* More than the pool has at first, so that it has to grow. */
static void nc_atomic_body(struct kunit *test, struct device *dev)
{
	dma_addr_t handle[NC_ATOMIC];
	void *vaddr[NC_ATOMIC];
	int i, tries, got = 0;

	for (tries = 0; tries < 200 && got < NC_ATOMIC; tries++) {
		vaddr[got] = dma_alloc_coherent(dev, NC_SIZE, &handle[got],
						GFP_ATOMIC);
		if (!vaddr[got]) {
			msleep(20);
			continue;
		}
		KUNIT_EXPECT_EQ(test, nc_mode(vaddr[got]),
				_PAGE_CACHE_MODE_UC_MINUS);
		KUNIT_EXPECT_NULL(test, memchr_inv(vaddr[got], 0, NC_SIZE));
		KUNIT_EXPECT_EQ(test, nc_seen(dev, handle[got]),
				virt_to_phys(vaddr[got]));
		memset(vaddr[got], 0x55, NC_SIZE);
		got++;
	}
	KUNIT_EXPECT_EQ(test, got, NC_ATOMIC);
	for (i = 0; i < got; i++) {
		dma_free_coherent(dev, NC_SIZE, vaddr[i], handle[i]);
		/* It stays the pool's. */
		KUNIT_EXPECT_EQ(test, nc_mode(vaddr[i]),
				_PAGE_CACHE_MODE_UC_MINUS);
	}
}

static void atomic_memory_is_pooled(struct kunit *test)
{
	nc_run(test, nc_atomic_body);
}

static void nc_cached_body(struct kunit *test, struct device *dev)
{
	dma_addr_t handle;
	struct page *page;
	void *vaddr;

	page = dma_alloc_pages(dev, NC_SIZE, &handle, DMA_FROM_DEVICE,
			       GFP_KERNEL);
	KUNIT_EXPECT_NOT_NULL(test, page);
	if (page) {
		KUNIT_EXPECT_EQ(test, nc_mode(page_address(page)),
				_PAGE_CACHE_MODE_WB);
		dma_free_pages(dev, NC_SIZE, page, handle, DMA_FROM_DEVICE);
	}
	vaddr = dma_alloc_noncoherent(dev, NC_SIZE, &handle, DMA_TO_DEVICE,
				      GFP_KERNEL);
	KUNIT_EXPECT_NOT_NULL(test, vaddr);
	if (!vaddr)
		return;
	KUNIT_EXPECT_EQ(test, nc_mode(vaddr), _PAGE_CACHE_MODE_WB);
	nc_forget();
	dma_sync_single_for_device(dev, handle, NC_SIZE, DMA_TO_DEVICE);
	nc_expect(test, "sync", true, virt_to_phys(vaddr), NC_SIZE);
	dma_free_noncoherent(dev, NC_SIZE, vaddr, handle, DMA_TO_DEVICE);
}

static void pages_stay_cached(struct kunit *test)
{
	nc_run(test, nc_cached_body);
}

static size_t nc_flushed_bytes(void)
{
	size_t bytes = 0;
	int i;

	for (i = 0; i < min(nc_count, NC_RECORDS); i++)
		bytes += nc_records[i].size;
	return bytes;
}

static void nc_noncontiguous_body(struct kunit *test, struct device *dev)
{
	struct sg_table *sgt;
	void *vaddr;
	int i;

	sgt = dma_alloc_noncontiguous(dev, NC_SIZE, DMA_BIDIRECTIONAL,
				      GFP_KERNEL, 0);
	if (!sgt) {
		KUNIT_FAIL(test, "no memory");
		return;
	}
	nc_forget();
	dma_sync_sgtable_for_device(dev, sgt, DMA_BIDIRECTIONAL);
	KUNIT_EXPECT_EQ(test, nc_flushed_bytes(), NC_SIZE);
	nc_forget();
	dma_sync_sgtable_for_cpu(dev, sgt, DMA_BIDIRECTIONAL);
	KUNIT_EXPECT_EQ(test, nc_flushed_bytes(), NC_SIZE);

	vaddr = dma_vmap_noncontiguous(dev, NC_SIZE, sgt);
	KUNIT_EXPECT_NOT_NULL(test, vaddr);
	for (i = 0; vaddr && i < NC_PAGES; i++)
		KUNIT_EXPECT_EQ(test, nc_mode(vaddr + i * PAGE_SIZE),
				_PAGE_CACHE_MODE_WB);
	if (vaddr)
		dma_vunmap_noncontiguous(dev, vaddr);
	dma_free_noncontiguous(dev, NC_SIZE, sgt, DMA_BIDIRECTIONAL);
}

static void noncontiguous_memory_is_flushed(struct kunit *test)
{
	nc_run(test, nc_noncontiguous_body);
}

/*
 * User space
 */

/* What the file below shows, and the memory type that the mapping got */
struct nc_user {
	struct device *dev;
	void *vaddr;
	dma_addr_t handle;
	unsigned long attrs;
	int mode;
	int pte_mode;
};

static int nc_user_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct nc_user *user = file->private_data;
	struct follow_pfnmap_args args = {
		.vma = vma,
		.address = vma->vm_start,
	};
	int ret;

	ret = dma_mmap_attrs(user->dev, vma, user->vaddr, user->handle, NC_SIZE,
			     user->attrs);
	if (ret)
		return ret;
	user->mode = pgprot2cachemode(vma->vm_page_prot);
	/* Pages of their own are in the table as the area says. */
	user->pte_mode = user->mode;
	if ((vma->vm_flags & VM_PFNMAP) && !follow_pfnmap_start(&args)) {
		user->pte_mode = pgprot2cachemode(args.pgprot);
		follow_pfnmap_end(&args);
	}
	return 0;
}

static const struct file_operations nc_user_fops = {
	.mmap = nc_user_mmap,
};

static void nc_user_map(struct kunit *test, struct device *dev, gfp_t gfp,
			unsigned long attrs, int mode)
{
	struct nc_user user = {
		.dev = dev,
		.attrs = attrs,
		.mode = -1,
		.pte_mode = -1,
	};
	struct file *file;
	unsigned long addr;

	user.vaddr = dma_alloc_attrs(dev, NC_SIZE, &user.handle, gfp, attrs);
	KUNIT_EXPECT_NOT_NULL(test, user.vaddr);
	if (!user.vaddr)
		return;
	file = anon_inode_getfile("dma-noncoherent-test", &nc_user_fops, &user,
				  O_RDWR);
	KUNIT_EXPECT_FALSE(test, IS_ERR(file));
	if (!IS_ERR(file)) {
		addr = vm_mmap(file, 0, NC_SIZE, PROT_READ | PROT_WRITE,
			       MAP_SHARED, 0);
		KUNIT_EXPECT_FALSE(test, IS_ERR_VALUE(addr));
		KUNIT_EXPECT_EQ(test, user.mode, mode);
		KUNIT_EXPECT_EQ(test, user.pte_mode, mode);
		if (!IS_ERR_VALUE(addr))
			vm_munmap(addr, NC_SIZE);
		fput(file);
	}
	dma_free_attrs(dev, NC_SIZE, user.vaddr, user.handle, attrs);
}

static void nc_user_body(struct kunit *test, struct device *dev)
{
	nc_user_map(test, dev, GFP_KERNEL, 0, _PAGE_CACHE_MODE_UC_MINUS);
	nc_user_map(test, dev, GFP_KERNEL, DMA_ATTR_FORCE_CONTIGUOUS,
		    _PAGE_CACHE_MODE_UC_MINUS);
	nc_user_map(test, dev, GFP_KERNEL, DMA_ATTR_WRITE_COMBINE,
		    nc_mode_wc());
	nc_user_map(test, dev, GFP_KERNEL,
		    DMA_ATTR_WRITE_COMBINE | DMA_ATTR_FORCE_CONTIGUOUS,
		    nc_mode_wc());
	/* The pool is uncached, whatever was asked for. */
	nc_user_map(test, dev, GFP_ATOMIC, DMA_ATTR_WRITE_COMBINE,
		    _PAGE_CACHE_MODE_UC_MINUS);
}

static void user_space_sees_it_uncached(struct kunit *test)
{
	KUNIT_ASSERT_EQ(test, 0, kunit_attach_mm());
	nc_run(test, nc_user_body);
}

/*
 * Which devices
 */

/* Not marked, a device has no operations, and nothing is flushed for it. */
static void other_devices_are_left_alone(struct kunit *test)
{
	struct device *dev = nc_direct_device(test);
	const struct dma_map_ops *ops = dev->dma_ops;
	void *buf = kunit_kzalloc(test, PAGE_SIZE, GFP_KERNEL);
	dma_addr_t addr;

	KUNIT_ASSERT_NOT_NULL(test, buf);
	kunit_activate_static_stub(test, x86_dma_flush, nc_record_flush);
	nc_forget();
	KUNIT_EXPECT_FALSE(test, dma_is_noncoherent(dev));
	addr = dma_map_single(dev, buf, PAGE_SIZE, DMA_BIDIRECTIONAL);
	KUNIT_EXPECT_EQ(test, dma_mapping_error(dev, addr), 0);
	dma_unmap_single(dev, addr, PAGE_SIZE, DMA_BIDIRECTIONAL);
	nc_expect(test, "map", false, 0, 0);

	arch_setup_dma_ops(dev, true);
	KUNIT_EXPECT_PTR_EQ(test, dev->dma_ops, ops);
	arch_setup_dma_ops(dev, false);
	KUNIT_EXPECT_TRUE(test, dma_is_noncoherent(dev));
	KUNIT_EXPECT_TRUE(test, dma_ops_stacked(get_dma_ops(dev)));
	KUNIT_EXPECT_PTR_EQ(test, dev->archdata.dma_path->base,
			    &dma_noncoherent_ops);
	/* Firmware is asked again, when a driver is bound. */
	arch_setup_dma_ops(dev, true);
	KUNIT_EXPECT_TRUE(test, dma_is_noncoherent(dev));
	dma_path_set_coherent(dev, true);
	KUNIT_EXPECT_PTR_EQ(test, dev->dma_ops, ops);
}

static void device_may_be_marked_before_it_is_added(struct kunit *test)
{
	struct platform_device *pdev;
	struct device *dev;

	pdev = platform_device_alloc("dma-noncoherent-test",
				     PLATFORM_DEVID_AUTO);
	KUNIT_ASSERT_NOT_NULL(test, pdev);
	dev = &pdev->dev;
	KUNIT_EXPECT_EQ(test, dma_set_noncoherent(dev), 0);
	if (platform_device_add(pdev)) {
		platform_device_put(pdev);
		KUNIT_FAIL(test, "not added");
		return;
	}
	KUNIT_EXPECT_TRUE(test, dma_ops_stacked(get_dma_ops(dev)));
	KUNIT_EXPECT_PTR_EQ(test, dev->archdata.dma_path->base,
			    &dma_noncoherent_ops);
	get_device(dev);
	platform_device_unregister(pdev);
	/* The stack is gone with the path that it looks at. */
	KUNIT_EXPECT_FALSE(test, dma_ops_stacked(get_dma_ops(dev)));
	put_device(dev);
}

static dma_addr_t nc_foreign_map(struct device *dev, phys_addr_t phys,
				 size_t size, enum dma_data_direction dir,
				 unsigned long attrs)
{
	return phys;
}

static const struct dma_map_ops nc_foreign_ops = {
	.map_phys = nc_foreign_map,
};

/* Other operations do not say where memory is: nothing may be mapped then. */
static void other_operations_are_refused(struct kunit *test)
{
	struct device *dev = nc_direct_device(test);
	void *buf = kunit_kzalloc(test, PAGE_SIZE, GFP_KERNEL);
	dma_addr_t addr;

	KUNIT_ASSERT_NOT_NULL(test, buf);
	KUNIT_ASSERT_EQ(test, dma_set_noncoherent(dev), 0);
	set_dma_ops(dev, &nc_foreign_ops);
	addr = dma_map_single(dev, buf, PAGE_SIZE, DMA_TO_DEVICE);
	KUNIT_EXPECT_NE(test, dma_mapping_error(dev, addr), 0);
	KUNIT_EXPECT_NULL(test, dma_alloc_coherent(dev, PAGE_SIZE, &addr,
						   GFP_KERNEL));
	set_dma_ops(dev, NULL);
	addr = dma_map_single(dev, buf, PAGE_SIZE, DMA_TO_DEVICE);
	KUNIT_EXPECT_EQ(test, dma_mapping_error(dev, addr), 0);
	dma_unmap_single(dev, addr, PAGE_SIZE, DMA_TO_DEVICE);
}

/* Slots of a layer are mapped as coherent, which they would not be. */
static void layer_nodma_is_refused(struct kunit *test)
{
	struct device *dev = nc_direct_device(test);

	if (!IS_REACHABLE(CONFIG_DMA_LAYER_NODMA))
		kunit_skip(test, "there is no such layer");
	guard(device)(dev);
	KUNIT_ASSERT_EQ(test, dma_set_noncoherent(dev), 0);
	KUNIT_EXPECT_EQ(test, dma_layer_push(dev, "nodma"), -EOPNOTSUPP);
}

static struct kunit_case nc_cases[] = {
	KUNIT_CASE_PARAM(buffer_is_flushed, nc_kind_gen_params),
	KUNIT_CASE_PARAM(list_is_flushed, nc_kind_gen_params),
	KUNIT_CASE_PARAM(shared_lines_are_bounced, nc_kind_gen_params),
	KUNIT_CASE_PARAM(coherent_memory_is_uncached, nc_kind_gen_params),
	KUNIT_CASE_PARAM(atomic_memory_is_pooled, nc_kind_gen_params),
	KUNIT_CASE_PARAM(pages_stay_cached, nc_kind_gen_params),
	KUNIT_CASE_PARAM(noncontiguous_memory_is_flushed, nc_kind_gen_params),
	KUNIT_CASE_PARAM(user_space_sees_it_uncached, nc_kind_gen_params),
	KUNIT_CASE(other_devices_are_left_alone),
	KUNIT_CASE(device_may_be_marked_before_it_is_added),
	KUNIT_CASE(other_operations_are_refused),
	KUNIT_CASE(layer_nodma_is_refused),
	{ }
};

static struct kunit_suite nc_suite = {
	.name = "dma-noncoherent",
	.test_cases = nc_cases,
};

kunit_test_suite(nc_suite);
