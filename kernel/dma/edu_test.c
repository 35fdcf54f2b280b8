// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of the DMA API with a device that moves real data: QEMU's "edu" card
 * (docs/specs/edu in QEMU).  It has a buffer of 4 KiB, an engine that copies
 * between it and memory, and an address mask of 28 bits unless QEMU is told
 * otherwise.  The engine silently cuts an address down to that mask, so this
 * driver never gives it one that does not fit.
 *
 * Write "1" to <debugfs>/dma_edu_test/<device>/run to run the tests, or the name
 * of one; read "ktap" there for the result.  "cost" is what mapping and unmapping
 * takes, in ticks of the time stamp counter, call by call: on a machine whose
 * time is the number of its instructions these are instructions.
 */
#include <linux/completion.h>
#include <linux/debugfs.h>
#include <linux/delay.h>
#include <linux/dma-direct.h>
#include <linux/dma-mapping.h>
#include <linux/highmem.h>
#include <linux/interrupt.h>
#include <linux/io.h>
#include <linux/iommu.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/nodemask.h>
#include <linux/pci.h>
#include <linux/pci-p2pdma.h>
#include <linux/prandom.h>
#include <linux/rwsem.h>
#include <linux/scatterlist.h>
#include <linux/sched/signal.h>
#include <linux/seq_buf.h>
#include <linux/seq_file.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/timex.h>

#define EDU_VENDOR		0x1234
#define EDU_DEVICE		0x11e8

#define EDU_ID			0x00
#define EDU_ID_MASK		0xffff
#define EDU_ID_VALUE		0x00ed
#define EDU_IRQ_STATUS		0x24
#define EDU_IRQ_ACK		0x64
#define EDU_DMA_SRC		0x80
#define EDU_DMA_DST		0x88
#define EDU_DMA_COUNT		0x90
#define EDU_DMA_CMD		0x98

#define EDU_CMD_RUN		BIT(0)
#define EDU_CMD_TO_MEMORY	BIT(1)
#define EDU_CMD_IRQ		BIT(2)
#define EDU_IRQ_DMA		BIT(8)

#define EDU_BUFFER		0x40000
/* Half of the device's buffer: QEMU 7.2 aborts when all of it is asked for. */
#define EDU_MAX			2048
#define EDU_ORDER		2
#define EDU_BLOCK		(PAGE_SIZE << EDU_ORDER)
#define EDU_FILL		0x5a
#define EDU_SKIP		1
#define EDU_REPORT_SIZE		SZ_8K
/* Pieces of what is mapped at once: swiotlb takes no larger ones. */
#define EDU_PIECE		SZ_256K
/* Pages that find room where no piece does, at most */
#define EDU_GAPS		16384
/* What fills a window, and how often at most */
#define EDU_FILLING		SZ_4M
#define EDU_FILLINGS		512
/* More allocations than a change of masks makes */
#define EDU_FAULTS		500
#define EDU_SAMPLES		4
/* How often a cost is measured, and the largest of the sizes */
#define EDU_COST_ROUNDS		512
#define EDU_COST_MAX		SZ_1M
#define EDU_COST_TEXT		SZ_64K

static unsigned int mask_bits = 28;
module_param(mask_bits, uint, 0444);
MODULE_PARM_DESC(mask_bits, "width of the devices' DMA mask (default 28)");

static char *masks;
module_param(masks, charp, 0444);
MODULE_PARM_DESC(masks,
		 "<PCI address>=<bits>[,...] for devices with another mask");

static unsigned int transfers = 4;
module_param(transfers, uint, 0644);
MODULE_PARM_DESC(transfers, "round trips of the random test (default 4)");

static unsigned int inflight_mib = 512;
module_param(inflight_mib, uint, 0644);
MODULE_PARM_DESC(inflight_mib, "MiB mapped at once (default 512)");

static unsigned int fill_ms;
module_param(fill_ms, uint, 0644);
MODULE_PARM_DESC(fill_ms,
		 "how long a window that has no room for these is kept full (default 0: there has to be room)");

static unsigned int seed = 1;
module_param(seed, uint, 0644);
MODULE_PARM_DESC(seed, "where the generated data starts (default 1)");

static unsigned int timeout_ms = 60000;
module_param(timeout_ms, uint, 0644);
MODULE_PARM_DESC(timeout_ms, "limit for one transfer (default 60000)");

static bool spoil;
module_param(spoil, bool, 0644);
MODULE_PARM_DESC(spoil, "damage received data: the tests have to fail");

static bool leak;
module_param(leak, bool, 0644);
MODULE_PARM_DESC(leak, "leave a mapping behind at removal, on purpose");

static char *skip;
module_param(skip, charp, 0444);
MODULE_PARM_DESC(skip, "a test that only runs when it is named");

static struct dentry *edu_root;

/**
 * struct edu - one card
 * @pdev: the card
 * @regs: its registers
 * @swapped: they have the byte order of a big-endian machine
 * @mask: what the engine can address, also the DMA mask
 * @changing: a thread changes the DMA masks
 * @done: the engine has finished
 * @lock: one run at a time; protects everything below but @dir
 * @random: state of the data generator
 * @expect: what the device should bring back
 * @note: why the current test failed or was skipped
 * @report: KTAP of the last run
 * @text: its bytes
 * @dir: debugfs directory
 */
struct edu {
	struct pci_dev *pdev;
	void __iomem *regs;
	bool swapped;
	u64 mask;
	bool changing;
	struct completion done;
	struct mutex lock;	/* one run at a time, and what follows */
	struct rnd_state random;
	u8 expect[EDU_MAX];
	char note[128];
	struct seq_buf report;
	char *text;
	struct dentry *dir;
};

struct edu_test {
	const char *name;
	int (*run)(struct edu *edu);
};

static struct device *edu_dev(struct edu *edu)
{
	return &edu->pdev->dev;
}

static __printf(3, 4) int edu_fail(struct edu *edu, int err,
				   const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vscnprintf(edu->note, sizeof(edu->note), fmt, args);
	va_end(args);
	return err;
}

/* QEMU gives the registers the byte order that it takes for the machine's. */
static u32 edu_read(struct edu *edu, unsigned int reg)
{
	u32 value = readl(edu->regs + reg);

	return edu->swapped ? swab32(value) : value;
}

static void edu_write(struct edu *edu, unsigned int reg, u32 value)
{
	writel(edu->swapped ? swab32(value) : value, edu->regs + reg);
}

static u64 edu_read64(struct edu *edu, unsigned int reg)
{
	u64 value = readq(edu->regs + reg);

	return edu->swapped ? swab64(value) : value;
}

static void edu_write64(struct edu *edu, unsigned int reg, u64 value)
{
	writeq(edu->swapped ? swab64(value) : value, edu->regs + reg);
}

static irqreturn_t edu_irq(int irq, void *data)
{
	struct edu *edu = data;
	u32 status = edu_read(edu, EDU_IRQ_STATUS);

	/* All ones: the card has been pulled out. */
	if (!status || status == U32_MAX)
		return IRQ_NONE;
	edu_write(edu, EDU_IRQ_ACK, status);
	if (status & EDU_IRQ_DMA)
		complete(&edu->done);
	return IRQ_HANDLED;
}

/* Lets the engine copy @len bytes between @addr and its buffer at @offset. */
static int edu_copy(struct edu *edu, dma_addr_t addr, size_t len,
		    size_t offset, bool to_memory)
{
	u64 buffer = EDU_BUFFER + offset;
	u64 cmd = EDU_CMD_RUN | EDU_CMD_IRQ;

	if (addr + len - 1 > edu->mask)
		return edu_fail(edu, -ERANGE, "%pad+%zu is beyond the mask %#llx",
				&addr, len, edu->mask);
	if (to_memory)
		cmd |= EDU_CMD_TO_MEMORY;
	reinit_completion(&edu->done);
	edu_write64(edu, EDU_DMA_SRC, to_memory ? buffer : addr);
	edu_write64(edu, EDU_DMA_DST, to_memory ? addr : buffer);
	edu_write64(edu, EDU_DMA_COUNT, len);
	edu_write64(edu, EDU_DMA_CMD, cmd);
	if (wait_for_completion_timeout(&edu->done,
					msecs_to_jiffies(timeout_ms)))
		return 0;
	cmd = edu_read64(edu, EDU_DMA_CMD);
	return edu_fail(edu, -ETIMEDOUT, "no interrupt, engine %s",
			cmd & EDU_CMD_RUN ? "still busy" : "idle");
}

static int edu_send(struct edu *edu, dma_addr_t addr, size_t len, size_t offset)
{
	return edu_copy(edu, addr, len, offset, false);
}

static int edu_fetch(struct edu *edu, dma_addr_t addr, size_t len,
		     size_t offset)
{
	return edu_copy(edu, addr, len, offset, true);
}

static void edu_generate(struct edu *edu, void *to, size_t len)
{
	prandom_bytes_state(&edu->random, edu->expect, len);
	memcpy(to, edu->expect, len);
}

static int edu_compare(struct edu *edu, void *got, size_t len)
{
	u8 *bytes = got;
	size_t i;

	if (spoil)
		bytes[len / 2] ^= 1;
	for (i = 0; i < len; i++)
		if (bytes[i] != edu->expect[i])
			return edu_fail(edu, -EBADMSG,
					"byte %zu of %zu is %#x, sent was %#x",
					i, len, bytes[i], edu->expect[i]);
	return 0;
}

/* Nothing outside [@offset, @offset + @len) of a block may have changed. */
static int edu_check_rest(struct edu *edu, void *block, size_t offset,
			  size_t len)
{
	size_t end = offset + len;

	if (memchr_inv(block, EDU_FILL, offset) ||
	    memchr_inv(block + end, EDU_FILL, EDU_BLOCK - end))
		return edu_fail(edu, -EBADMSG, "bytes beside the %zu were hit",
				len);
	return 0;
}

static int edu_map_failed(struct edu *edu, phys_addr_t phys, size_t len)
{
	return edu_fail(edu, -ENOMEM, "mapping of %pap+%zu refused", &phys,
			len);
}

/* One mapping for one copy, as a driver makes it for one request. */
static int edu_map_and_copy(struct edu *edu, struct page *page, size_t offset,
			    size_t len, enum dma_data_direction dir)
{
	dma_addr_t addr = dma_map_page(edu_dev(edu), page, offset, len, dir);
	int err;

	if (dma_mapping_error(edu_dev(edu), addr))
		return edu_map_failed(edu, page_to_phys(page) + offset, len);
	err = edu_copy(edu, addr, len, 0, dir == DMA_FROM_DEVICE);
	dma_unmap_page(edu_dev(edu), addr, len, dir);
	return err;
}

/* To the device, and back into the same place. */
static int edu_round_trip(struct edu *edu, struct page *page, size_t offset,
			  size_t len)
{
	void *block = page_address(page);
	int err;

	edu_generate(edu, block + offset, len);
	err = edu_map_and_copy(edu, page, offset, len, DMA_TO_DEVICE);
	if (err)
		return err;
	memset(block, EDU_FILL, EDU_BLOCK);
	err = edu_map_and_copy(edu, page, offset, len, DMA_FROM_DEVICE);
	if (!err)
		err = edu_compare(edu, block + offset, len);
	if (!err)
		err = edu_check_rest(edu, block, offset, len);
	return err;
}

static bool edu_reaches(struct edu *edu, struct page *page)
{
	return page_to_phys(page) + EDU_BLOCK - 1 <= edu->mask;
}

/* Held by the card whose search for memory above 4 GiB has all that is below. */
static DEFINE_MUTEX(edu_search);

/* A block that the device can address without help; NULL if there is none. */
static struct page *edu_block_below(struct edu *edu)
{
	static const gfp_t zones[] = { 0, GFP_DMA32, GFP_DMA };
	struct page *page;
	size_t i;

	guard(mutex)(&edu_search);
	for (i = 0; i < ARRAY_SIZE(zones); i++) {
		page = alloc_pages(GFP_KERNEL | zones[i], EDU_ORDER);
		if (!page || edu_reaches(edu, page))
			return page;
		__free_pages(page, EDU_ORDER);
	}
	return NULL;
}

/* From the upper end of memory, which is what applications get. */
static struct page *edu_block_high(void)
{
	return alloc_pages(GFP_HIGHUSER, EDU_ORDER);
}

static int edu_sizes(struct edu *edu, struct page *page)
{
	static const struct { size_t offset, len; } trips[] = {
		{ 0, 4 }, { 13, 61 }, { 512, EDU_MAX },
		{ PAGE_SIZE - 1000, EDU_MAX },
	};
	int err = 0;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(trips) && !err; i++)
		err = edu_round_trip(edu, page, trips[i].offset, trips[i].len);
	return err;
}

static int edu_streaming_below(struct edu *edu)
{
	struct page *page = edu_block_below(edu);
	int err;

	if (!page)
		return edu_fail(edu, EDU_SKIP, "no memory below the mask");
	err = edu_sizes(edu, page);
	__free_pages(page, EDU_ORDER);
	return err;
}

static int edu_streaming_above(struct edu *edu)
{
	struct page *page = edu_block_high();
	int err;

	if (!page)
		return -ENOMEM;
	if (edu_reaches(edu, page))
		err = edu_fail(edu, EDU_SKIP, "no memory above the mask");
	else
		err = edu_sizes(edu, page);
	__free_pages(page, EDU_ORDER);
	return err;
}

/* Leaves enough for others, and does nothing where all memory is below. */
static bool edu_may_search(void)
{
	struct sysinfo info;

	si_meminfo(&info);
	return (u64)info.totalram * info.mem_unit > SZ_4G &&
	       (u64)info.freeram * info.mem_unit > SZ_512M;
}

/* Where no zone begins at 4 GiB, what lies below is held until one is above. */
static int edu_streaming_search(struct edu *edu)
{
	struct page *page, *next;
	LIST_HEAD(held);
	int err;

	guard(mutex)(&edu_search);
	do {
		page = edu_may_search() ?
			alloc_pages(GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN,
				    MAX_PAGE_ORDER) : NULL;
		if (page)
			list_add(&page->lru, &held);
	} while (page && page_to_phys(page) < SZ_4G);
	if (page)
		err = edu_round_trip(edu, page, 0, EDU_MAX);
	else
		err = edu_fail(edu, EDU_SKIP, "no memory above 4 GiB");
	list_for_each_entry_safe(page, next, &held, lru)
		__free_pages(page, MAX_PAGE_ORDER);
	return err;
}

static int edu_streaming_4g(struct edu *edu)
{
	struct page *page = edu_block_high();
	int err;

	if (!page)
		return -ENOMEM;
	if (page_to_phys(page) < SZ_4G)
		err = edu_streaming_search(edu);
	else
		err = edu_round_trip(edu, page, 0, EDU_MAX);
	__free_pages(page, EDU_ORDER);
	return err;
}

/* Windows reach the memory of all nodes, however far these are apart. */
static int edu_streaming_nodes(struct edu *edu)
{
	int nid, err = 0;

	if (num_node_state(N_MEMORY) < 2)
		return edu_fail(edu, EDU_SKIP, "all memory is of one node");
	for_each_node_state(nid, N_MEMORY) {
		struct page *page;

		page = alloc_pages_node(nid, GFP_KERNEL | __GFP_THISNODE,
					EDU_ORDER);
		if (!page)
			return edu_fail(edu, -ENOMEM, "no memory of node %d",
					nid);
		err = edu_sizes(edu, page);
		seq_buf_printf(&edu->report, "# node %d: at %#llx\n", nid,
			       (u64)page_to_phys(page));
		__free_pages(page, EDU_ORDER);
		if (err)
			break;
	}
	return err;
}

static int edu_copy_table(struct edu *edu, struct sg_table *table,
			  enum dma_data_direction dir)
{
	struct scatterlist *sg;
	size_t offset = 0;
	int err, i;

	err = dma_map_sgtable(edu_dev(edu), table, dir, 0);
	if (err)
		return edu_fail(edu, err, "mapping of the list refused: %d",
				err);
	for_each_sgtable_dma_sg(table, sg, i) {
		err = edu_copy(edu, sg_dma_address(sg), sg_dma_len(sg), offset,
			       dir == DMA_FROM_DEVICE);
		if (err)
			break;
		offset += sg_dma_len(sg);
	}
	dma_unmap_sgtable(edu_dev(edu), table, dir, 0);
	if (!err && offset != EDU_MAX)
		err = edu_fail(edu, -EMSGSIZE, "the list maps %zu bytes of %u",
			       offset, EDU_MAX);
	return err;
}

static int edu_use_table(struct edu *edu, struct sg_table *table)
{
	u8 *flat = kmalloc(EDU_MAX, GFP_KERNEL);
	int err;

	if (!flat)
		return -ENOMEM;
	edu_generate(edu, flat, EDU_MAX);
	sg_copy_from_buffer(table->sgl, table->orig_nents, flat, EDU_MAX);
	err = edu_copy_table(edu, table, DMA_TO_DEVICE);
	if (err)
		goto out;
	memset(flat, EDU_FILL, EDU_MAX);
	sg_copy_from_buffer(table->sgl, table->orig_nents, flat, EDU_MAX);
	err = edu_copy_table(edu, table, DMA_FROM_DEVICE);
	if (err)
		goto out;
	sg_copy_to_buffer(table->sgl, table->orig_nents, flat, EDU_MAX);
	err = edu_compare(edu, flat, EDU_MAX);
out:
	kfree(flat);
	return err;
}

/*
 * Elements from both ends of memory, whole pages apart. Where no zone ends at
 * the mask, only luck yields a block below it.
 */
static int edu_scatterlist(struct edu *edu)
{
	static const unsigned int offsets[] = { 0, 100, 3000 };
	static const unsigned int lengths[] = { 512, 700, 836 };
	struct page *pages[3] = { };
	struct sg_table table;
	int err = -ENOMEM;
	size_t i;

	if (sg_alloc_table(&table, ARRAY_SIZE(pages), GFP_KERNEL))
		return err;
	for (i = 0; i < ARRAY_SIZE(pages); i++) {
		if (i == 1) {
			pages[i] = edu_block_below(edu);
			if (!pages[i])
				seq_buf_puts(&edu->report, "# none is below\n");
		}
		if (!pages[i])
			pages[i] = edu_block_high();
		if (!pages[i])
			goto out;
		sg_set_page(&table.sgl[i], pages[i], lengths[i], offsets[i]);
	}
	err = edu_use_table(edu, &table);
out:
	for (i = 0; i < ARRAY_SIZE(pages); i++)
		if (pages[i])
			__free_pages(pages[i], EDU_ORDER);
	sg_free_table(&table);
	return err;
}

/* Data in memory of another card, between data in ours */
static int edu_use_peer(struct edu *edu, struct pci_dev *peer, void *there)
{
	pci_bus_addr_t bus = pci_p2pmem_virt_to_bus(peer, there);
	struct page *page = edu_block_high();
	struct sg_table table;
	int err = -ENOMEM;

	if (!page)
		return err;
	if (sg_alloc_table(&table, 3, GFP_KERNEL))
		goto out;
	sg_set_page(&table.sgl[0], page, 512, 100);
	sg_set_buf(&table.sgl[1], there, 1024);
	sg_set_page(&table.sgl[2], page, EDU_MAX - 1536, PAGE_SIZE);
	err = edu_use_table(edu, &table);
	if (!err && sg_dma_address(&table.sgl[1]) != bus)
		err = edu_fail(edu, -EADDRNOTAVAIL, "mapped to %pad, is at %#llx",
			       &sg_dma_address(&table.sgl[1]), (u64)bus);
	sg_free_table(&table);
out:
	__free_pages(page, EDU_ORDER);
	return err;
}

static int edu_peer_memory(struct edu *edu)
{
	struct pci_dev *peer = pci_p2pmem_find(edu_dev(edu));
	void *there;
	int err;

	if (!peer)
		return edu_fail(edu, EDU_SKIP, "no other card's memory in reach");
	there = pci_alloc_p2pmem(peer, PAGE_SIZE);
	if (!there)
		err = edu_fail(edu, -ENOMEM, "%s has no memory left",
			       pci_name(peer));
	else if (pci_p2pmem_virt_to_bus(peer, there) + PAGE_SIZE - 1 >
		 edu->mask)
		err = edu_fail(edu, EDU_SKIP, "%s is above the mask",
			       pci_name(peer));
	else
		err = edu_use_peer(edu, peer, there);
	if (there)
		pci_free_p2pmem(peer, there, PAGE_SIZE);
	pci_dev_put(peer);
	return err;
}

/* Round trip through memory that is mapped already and needs no sync. */
static int edu_use_coherent(struct edu *edu, void *cpu, dma_addr_t addr,
			    size_t len)
{
	int err;

	edu_generate(edu, cpu, len);
	err = edu_send(edu, addr, len, 0);
	if (err)
		return err;
	memset(cpu, EDU_FILL, len);
	err = edu_fetch(edu, addr, len, 0);
	return err ?: edu_compare(edu, cpu, len);
}

static int edu_coherent_size(struct edu *edu, size_t size)
{
	size_t len = min_t(size_t, size, EDU_MAX);
	/* While the masks change it is the larger one of two that counts. */
	u64 mask = edu->changing ? edu->mask : edu_dev(edu)->coherent_dma_mask;
	dma_addr_t addr;
	void *cpu;
	int err;

	cpu = dma_alloc_coherent(edu_dev(edu), size, &addr, GFP_KERNEL);
	if (!cpu)
		return edu_fail(edu, -ENOMEM, "no coherent memory (%zu bytes)",
				size);
	if (memchr_inv(cpu, 0, size))
		err = edu_fail(edu, -EBADMSG, "coherent memory was not zero");
	else if (addr + size - 1 > mask)
		err = edu_fail(edu, -ERANGE, "%pad+%zu is beyond the mask %#llx",
			       &addr, size, mask);
	else
		/* The end is what an address that is too high would miss. */
		err = edu_use_coherent(edu, cpu + size - len,
				       addr + size - len, len);
	dma_free_coherent(edu_dev(edu), size, cpu, addr);
	return err;
}

static int edu_coherent(struct edu *edu)
{
	int err = edu_coherent_size(edu, 64);

	return err ?: edu_coherent_size(edu, 4 * PAGE_SIZE);
}

/* Round trip through a mapping that stays, with the syncs that it needs. */
static int edu_use_synced(struct edu *edu, void *cpu, dma_addr_t addr,
			  size_t len)
{
	struct device *dev = edu_dev(edu);
	int err;

	dma_sync_single_for_cpu(dev, addr, len, DMA_BIDIRECTIONAL);
	edu_generate(edu, cpu, len);
	dma_sync_single_for_device(dev, addr, len, DMA_BIDIRECTIONAL);
	err = edu_send(edu, addr, len, 0);
	if (err)
		return err;
	dma_sync_single_for_cpu(dev, addr, len, DMA_BIDIRECTIONAL);
	memset(cpu, EDU_FILL, len);
	dma_sync_single_for_device(dev, addr, len, DMA_BIDIRECTIONAL);
	err = edu_fetch(edu, addr, len, 0);
	if (err)
		return err;
	dma_sync_single_for_cpu(dev, addr, len, DMA_BIDIRECTIONAL);
	return edu_compare(edu, cpu, len);
}

static int edu_sync_reuse(struct edu *edu)
{
	struct page *page = edu_block_high();
	dma_addr_t addr;
	int err, i;

	if (!page)
		return -ENOMEM;
	addr = dma_map_page(edu_dev(edu), page, 0, EDU_MAX, DMA_BIDIRECTIONAL);
	if (dma_mapping_error(edu_dev(edu), addr)) {
		err = edu_map_failed(edu, page_to_phys(page), EDU_MAX);
		goto out;
	}
	for (i = 0, err = 0; i < 2 && !err; i++)
		err = edu_use_synced(edu, page_address(page), addr, EDU_MAX);
	dma_unmap_page(edu_dev(edu), addr, EDU_MAX, DMA_BIDIRECTIONAL);
out:
	__free_pages(page, EDU_ORDER);
	return err;
}

/* Pages of dma_alloc_pages(); @missing is the result if there are none. */
static int edu_pages(struct edu *edu, int missing,
		     int (*use)(struct edu *edu, void *cpu, dma_addr_t addr,
				size_t len))
{
	struct page *page;
	dma_addr_t addr;
	int err;

	page = dma_alloc_pages(edu_dev(edu), PAGE_SIZE, &addr,
			       DMA_BIDIRECTIONAL, GFP_KERNEL);
	if (!page)
		return edu_fail(edu, missing, "dma_alloc_pages refused");
	err = use(edu, page_address(page), addr, EDU_MAX);
	dma_free_pages(edu_dev(edu), PAGE_SIZE, page, addr, DMA_BIDIRECTIONAL);
	return err;
}

static int edu_alloc_pages(struct edu *edu)
{
	return edu_pages(edu, -ENOMEM, edu_use_synced);
}

static int edu_use_noncontiguous(struct edu *edu, struct sg_table *table,
				 size_t size)
{
	dma_addr_t addr = sg_dma_address(table->sgl);
	size_t len = min_t(size_t, sg_dma_len(table->sgl), EDU_MAX);
	void *cpu = dma_vmap_noncontiguous(edu_dev(edu), size, table);
	int err;

	if (!cpu)
		return edu_fail(edu, -ENOMEM, "dma_vmap_noncontiguous refused");
	edu_generate(edu, cpu, len);
	flush_kernel_vmap_range(cpu, size);
	dma_sync_sgtable_for_device(edu_dev(edu), table, DMA_BIDIRECTIONAL);
	err = edu_send(edu, addr, len, 0);
	if (err)
		goto out;
	dma_sync_sgtable_for_cpu(edu_dev(edu), table, DMA_BIDIRECTIONAL);
	memset(cpu, EDU_FILL, len);
	flush_kernel_vmap_range(cpu, size);
	dma_sync_sgtable_for_device(edu_dev(edu), table, DMA_BIDIRECTIONAL);
	err = edu_fetch(edu, addr, len, 0);
	if (err)
		goto out;
	dma_sync_sgtable_for_cpu(edu_dev(edu), table, DMA_BIDIRECTIONAL);
	invalidate_kernel_vmap_range(cpu, size);
	err = edu_compare(edu, cpu, len);
out:
	dma_vunmap_noncontiguous(edu_dev(edu), cpu);
	return err;
}

static int edu_alloc_noncontiguous(struct edu *edu)
{
	size_t size = 4 * PAGE_SIZE;
	struct sg_table *table;
	int err;

	table = dma_alloc_noncontiguous(edu_dev(edu), size, DMA_BIDIRECTIONAL,
					GFP_KERNEL, 0);
	if (!table)
		return edu_fail(edu, -ENOMEM, "dma_alloc_noncontiguous refused");
	err = edu_use_noncontiguous(edu, table, size);
	dma_free_noncontiguous(edu_dev(edu), size, table, DMA_BIDIRECTIONAL);
	return err;
}

static int edu_random(struct edu *edu)
{
	struct page *page = edu_block_high();
	unsigned int i;
	int err = 0;

	if (!page)
		return -ENOMEM;
	for (i = 0; i < transfers && !err; i++) {
		size_t len = 1 + prandom_u32_state(&edu->random) % EDU_MAX;
		size_t offset = prandom_u32_state(&edu->random) %
				(EDU_BLOCK - len);

		err = edu_round_trip(edu, page, offset, len);
	}
	__free_pages(page, EDU_ORDER);
	return err;
}

/* Time for deferred flushes, which are due after 10 ms. */
#define EDU_FLUSH_MS		100

/* The device has used an address, and uses it again when it is unmapped. */
static int edu_use_stale(struct edu *edu, struct page *page, bool lazy)
{
	void *block = page_address(page);
	dma_addr_t addr;
	int err;

	addr = dma_map_page(edu_dev(edu), page, 0, EDU_MAX, DMA_FROM_DEVICE);
	if (dma_mapping_error(edu_dev(edu), addr))
		return edu_map_failed(edu, page_to_phys(page), EDU_MAX);
	err = edu_fetch(edu, addr, EDU_MAX, 0);
	dma_unmap_page(edu_dev(edu), addr, EDU_MAX, DMA_FROM_DEVICE);
	if (err)
		return err;
	if (addr == page_to_phys(page))
		return edu_fail(edu, EDU_SKIP, "the memory is seen directly");
	memset(block, EDU_FILL, EDU_BLOCK);
	if (lazy)
		msleep(EDU_FLUSH_MS);
	/* For who reads the log: faults at this address are wanted. */
	seq_buf_printf(&edu->report, "# stale address: %pad\n", &addr);
	err = edu_fetch(edu, addr, EDU_MAX, 0);
	if (err)
		return err;
	if (memchr_inv(block, EDU_FILL, EDU_BLOCK))
		return edu_fail(edu, -EBADMSG,
				"memory was reached through %pad after unmapping",
				&addr);
	return 0;
}

/* Does what serves the device map this block, and not only add an offset? */
static bool edu_is_translated(struct edu *edu, struct page *page)
{
	struct iommu_domain *domain = iommu_get_domain_for_dev(edu_dev(edu));
	dma_addr_t addr;

	if (!domain || domain->type != IOMMU_DOMAIN_PLATFORM)
		return domain && domain->type & __IOMMU_DOMAIN_DMA_API;
	addr = dma_map_page(edu_dev(edu), page, 0, EDU_MAX, DMA_FROM_DEVICE);
	if (dma_mapping_error(edu_dev(edu), addr))
		return true;
	dma_unmap_page(edu_dev(edu), addr, EDU_MAX, DMA_FROM_DEVICE);
	return addr != phys_to_dma(edu_dev(edu), page_to_phys(page));
}

static bool edu_is_lazy(struct edu *edu)
{
	struct iommu_domain *domain = iommu_get_domain_for_dev(edu_dev(edu));

	return domain && domain->type == IOMMU_DOMAIN_DMA_FQ;
}

static int edu_stale_address(struct edu *edu)
{
	/* What lies below the mask may be seen without a mapping. */
	struct page *page = edu_block_high();
	int err;

	if (!page)
		return -ENOMEM;
	if (edu_is_translated(edu, page))
		err = edu_use_stale(edu, page, edu_is_lazy(edu));
	else
		err = edu_fail(edu, EDU_SKIP, "no IOMMU translates");
	__free_pages(page, EDU_ORDER);
	return err;
}

static int edu_limits(struct edu *edu)
{
	size_t limit = dma_max_mapping_size(edu_dev(edu));
	u64 mask = dma_get_mask(edu_dev(edu));

	if (limit < EDU_BLOCK)
		return edu_fail(edu, -ERANGE, "only %zu bytes can be mapped",
				limit);
	if (mask != edu->mask || edu_dev(edu)->coherent_dma_mask != edu->mask)
		return edu_fail(edu, -ERANGE, "masks are %#llx and %#llx", mask,
				edu_dev(edu)->coherent_dma_mask);
	if (!dma_get_required_mask(edu_dev(edu)))
		return edu_fail(edu, -ERANGE, "the required mask is 0");
	return 0;
}

/* One buffer of many that are mapped at the same time. */
struct edu_piece {
	struct page *page;
	dma_addr_t addr;
};

static int edu_map_piece(struct edu *edu, struct edu_piece *piece)
{
	piece->page = alloc_pages(GFP_HIGHUSER, get_order(EDU_PIECE));
	if (!piece->page)
		return edu_fail(edu, -ENOMEM, "no memory left");
	piece->addr = dma_map_page(edu_dev(edu), piece->page, 0, EDU_PIECE,
				   DMA_BIDIRECTIONAL);
	if (!dma_mapping_error(edu_dev(edu), piece->addr))
		return 0;
	edu_map_failed(edu, page_to_phys(piece->page), EDU_PIECE);
	__free_pages(piece->page, get_order(EDU_PIECE));
	return -ENOMEM;
}

static void edu_unmap_piece(struct edu *edu, struct edu_piece *piece)
{
	dma_unmap_page(edu_dev(edu), piece->addr, EDU_PIECE, DMA_BIDIRECTIONAL);
	__free_pages(piece->page, get_order(EDU_PIECE));
}

/* A round trip through the last bytes of some of them. */
static int edu_use_pieces(struct edu *edu, struct edu_piece *pieces,
			  size_t count)
{
	size_t offset = EDU_PIECE - EDU_MAX, i;
	int err = 0;

	for (i = 0; i < EDU_SAMPLES && !err; i++) {
		struct edu_piece *piece = &pieces[i * (count - 1) /
						  (EDU_SAMPLES - 1)];

		err = edu_use_synced(edu, page_address(piece->page) + offset,
				     piece->addr + offset, EDU_MAX);
	}
	return err;
}

static bool edu_reaches_high(struct edu *edu)
{
	struct page *page = edu_block_high();
	bool reached = page && edu_reaches(edu, page);

	if (page)
		__free_pages(page, EDU_ORDER);
	return reached;
}

/* Between the pieces, all that a page fits into; one page is enough for that. */
static size_t edu_fill_gaps(struct edu *edu, struct page *page,
			    dma_addr_t *addrs)
{
	size_t n;

	for (n = 0; n < EDU_GAPS; n++) {
		addrs[n] = dma_map_page(edu_dev(edu), page, 0, PAGE_SIZE,
					DMA_TO_DEVICE);
		if (dma_mapping_error(edu_dev(edu), addrs[n]))
			break;
		cond_resched();
	}
	return n;
}

/* What was mapped before the first refusal is good, while others are refused. */
static int edu_keep_full(struct edu *edu, struct edu_piece *pieces,
			 size_t count)
{
	dma_addr_t *addrs = kvcalloc(EDU_GAPS, sizeof(*addrs), GFP_KERNEL);
	size_t n;
	int err;

	if (!addrs)
		return -ENOMEM;
	n = edu_fill_gaps(edu, pieces[0].page, addrs);
	seq_buf_printf(&edu->report, "# full: %zu MiB, and %zu pages\n",
		       count * EDU_PIECE / SZ_1M, n);
	msleep(fill_ms);
	while (n)
		dma_unmap_page(edu_dev(edu), addrs[--n], PAGE_SIZE,
			       DMA_TO_DEVICE);
	err = edu_use_pieces(edu, pieces, count);
	kvfree(addrs);
	return err;
}

/* Far more than swiotlb has, by a device that does not reach it itself. */
static int edu_in_flight(struct edu *edu)
{
	size_t count = (size_t)inflight_mib * SZ_1M / EDU_PIECE, mapped;
	struct edu_piece *pieces;
	int err = 0;

	if (edu->mask < DMA_BIT_MASK(32) || count < 2)
		return edu_fail(edu, EDU_SKIP, "they would not fit the mask");
	if (edu_reaches_high(edu))
		return edu_fail(edu, EDU_SKIP, "no memory above the mask");
	pieces = kvcalloc(count, sizeof(*pieces), GFP_KERNEL);
	if (!pieces)
		return -ENOMEM;
	for (mapped = 0; mapped < count; mapped++) {
		err = edu_map_piece(edu, &pieces[mapped]);
		if (err)
			break;
		cond_resched();
	}
	if (!err && fill_ms)
		err = edu_fail(edu, -ENOSPC, "there was room for all");
	else if (!err)
		err = edu_use_pieces(edu, pieces, count);
	else if (fill_ms && mapped > 1)
		err = edu_keep_full(edu, pieces, mapped);
	/* Nothing is said of those that have moved wrong data. */
	if (!err || mapped < count)
		seq_buf_printf(&edu->report, "# in flight: %zu MiB\n",
			       mapped * EDU_PIECE / SZ_1M);
	while (mapped)
		edu_unmap_piece(edu, &pieces[--mapped]);
	kvfree(pieces);
	return err;
}

/* Less than the card can do: 32 bits, or one less when it cannot do more. */
static u64 edu_smaller_mask(struct edu *edu)
{
	return edu->mask > DMA_BIT_MASK(32) ? DMA_BIT_MASK(32) : edu->mask >> 1;
}

static int edu_put_masks(struct edu *edu, u64 streaming, u64 coherent)
{
	int err = dma_set_mask(edu_dev(edu), streaming);

	if (!err)
		err = dma_set_coherent_mask(edu_dev(edu), coherent);
	return err ? edu_fail(edu, err, "masks %#llx and %#llx refused",
			      streaming, coherent) : 0;
}

/* Both ways of mapping, each of which has a mask of its own to keep to. */
static int edu_use_masks(struct edu *edu, u64 streaming, u64 coherent)
{
	int err = edu_put_masks(edu, streaming, coherent);

	err = err ?: edu_coherent(edu);
	return err ?: edu_streaming_4g(edu);
}

static int edu_masks_differ(struct edu *edu)
{
	u64 smaller = edu_smaller_mask(edu);
	int err;

	err = edu_use_masks(edu, edu->mask, smaller);
	if (err >= 0)
		err = edu_use_masks(edu, smaller, edu->mask);
	if (edu_put_masks(edu, edu->mask, edu->mask) && err >= 0)
		err = -EIO;
	return err;
}

static int edu_toggle_masks(void *data)
{
	struct edu *edu = data;
	u64 smaller = edu_smaller_mask(edu);
	int err = 0;

	while (!kthread_should_stop()) {
		err = err ?: edu_put_masks(edu, smaller, edu->mask);
		usleep_range(50, 500);
		err = err ?: edu_put_masks(edu, edu->mask, smaller);
		usleep_range(50, 500);
	}
	return err;
}

/* Mappings of every age while the masks change, and one that stays. */
static int edu_map_meanwhile(struct edu *edu, struct page *stays)
{
	struct page *page = edu_block_high();
	dma_addr_t addr;
	unsigned int i;
	int err = 0;

	if (!page)
		return -ENOMEM;
	addr = dma_map_page(edu_dev(edu), stays, 0, EDU_MAX, DMA_BIDIRECTIONAL);
	if (dma_mapping_error(edu_dev(edu), addr)) {
		err = edu_map_failed(edu, page_to_phys(stays), EDU_MAX);
		goto out;
	}
	for (i = 0; i < transfers && !err; i++) {
		err = edu_round_trip(edu, page, 0, EDU_MAX);
		if (!err)
			err = edu_coherent_size(edu, PAGE_SIZE);
		if (!err)
			err = edu_use_synced(edu, page_address(stays), addr,
					     EDU_MAX);
	}
	dma_unmap_page(edu_dev(edu), addr, EDU_MAX, DMA_BIDIRECTIONAL);
out:
	__free_pages(page, EDU_ORDER);
	return err;
}

static int edu_mask_change(struct edu *edu)
{
	struct page *stays = edu_block_high();
	struct task_struct *task;
	int err, stopped;

	if (!stays)
		return -ENOMEM;
	task = kthread_run(edu_toggle_masks, edu, "edu-masks");
	if (IS_ERR(task)) {
		err = PTR_ERR(task);
		goto out;
	}
	edu->changing = true;
	err = edu_map_meanwhile(edu, stays);
	edu->changing = false;
	stopped = kthread_stop(task);
	err = err ?: stopped;
	stopped = edu_put_masks(edu, edu->mask, edu->mask);
	err = err ?: stopped;
out:
	__free_pages(stays, EDU_ORDER);
	return err;
}

#ifdef CONFIG_FAULT_INJECTION
/* One allocation of this task, or all of them, fail from now on. */
static void edu_faults_begin(unsigned int nth)
{
	current->fail_nth = nth;
	current->make_it_fail = !nth;
}

/* Was there an nth allocation? */
static bool edu_faults_end(void)
{
	current->make_it_fail = 0;
	return !xchg(&current->fail_nth, 0);
}
#else
static void edu_faults_begin(unsigned int nth)
{
}

static bool edu_faults_end(void)
{
	return false;
}
#endif

/* The device goes on with what it had when its masks become narrower in vain. */
static int edu_mask_fault(struct edu *edu, struct page *page, unsigned int nth,
			  bool *failed)
{
	int err;

	err = edu_put_masks(edu, DMA_BIT_MASK(64), DMA_BIT_MASK(64));
	if (err)
		return err;
	edu_faults_begin(nth);
	edu_put_masks(edu, edu->mask, edu->mask);
	*failed = edu_faults_end();
	err = edu_round_trip(edu, page, 0, EDU_MAX);
	/* Nothing fails any more. */
	return err ?: edu_put_masks(edu, edu->mask, edu->mask) ?:
	       edu_round_trip(edu, page, 0, EDU_MAX);
}

/*
 * All allocations fail, once more after the windows were there, and then each
 * one alone.
 */
static int edu_mask_faults(struct edu *edu)
{
	struct page *page = edu_block_high();
	unsigned int nth = 0, all;
	bool failed = true;
	int err = 0;

	if (!page)
		return -ENOMEM;
	for (all = 0; all < 2 && !err; all++)
		err = edu_mask_fault(edu, page, 0, &failed);
	for (failed = true; failed && nth < EDU_FAULTS && !err;)
		err = edu_mask_fault(edu, page, ++nth, &failed);
	__free_pages(page, EDU_ORDER);
	if (!err && failed)
		return edu_fail(edu, -E2BIG, "there are more allocations");
	if (!err && nth == 1)
		return edu_fail(edu, EDU_SKIP, "no allocation can fail");
	return err;
}

static int edu_count(struct device *dev, void *count)
{
	++*(int *)count;
	return 0;
}

/* Is there a page table with this device alone? */
static bool edu_has_table(struct edu *edu)
{
	struct iommu_domain *domain = iommu_get_domain_for_dev(edu_dev(edu));
	int count = 0;

	if (!domain || !(domain->type & __IOMMU_DOMAIN_DMA_API))
		return false;
	iommu_group_for_each_dev(edu_dev(edu)->iommu_group, &count, edu_count);
	return count == 1;
}

struct edu_filling {
	dma_addr_t addr;
	size_t size;
};

/* Maps a block, and then parts of it, until no page has room any more. */
static unsigned int edu_fill(struct edu *edu, struct page *block,
			     struct edu_filling *fillings)
{
	size_t size = EDU_FILLING;
	unsigned int count = 0;
	dma_addr_t addr;

	while (count < EDU_FILLINGS && size >= PAGE_SIZE) {
		/* Not bounced, that is. */
		addr = dma_map_page_attrs(edu_dev(edu), block, 0, size,
					  DMA_TO_DEVICE,
					  DMA_ATTR_REQUIRE_COHERENT);
		if (dma_mapping_error(edu_dev(edu), addr))
			size /= 2;
		else
			fillings[count++] = (struct edu_filling){ addr, size };
	}
	return count;
}

/*
 * Memory that needs no sync, which a bounce buffer would. All that a domain
 * without windows has is in use.
 */
static int edu_use_last_pages(struct edu *edu)
{
	int err = edu_pages(edu, EDU_SKIP, edu_use_coherent);

	return err ?: edu_coherent_size(edu, 4 * PAGE_SIZE);
}

/* Allocations when nothing more can be translated */
static int edu_full_window(struct edu *edu)
{
	struct edu_filling *fillings;
	struct page *block;
	unsigned int count;
	int err = -ENOMEM;

	if (!edu_has_table(edu))
		return edu_fail(edu, EDU_SKIP, "no page table of its own");
	fillings = kvcalloc(EDU_FILLINGS, sizeof(*fillings), GFP_KERNEL);
	block = alloc_pages(GFP_HIGHUSER, get_order(EDU_FILLING));
	if (!fillings || !block)
		goto out;
	if (edu_reaches(edu, block)) {
		err = edu_fail(edu, EDU_SKIP, "no memory above the mask");
		goto out;
	}
	count = edu_fill(edu, block, fillings);
	if (count < EDU_FILLINGS)
		err = edu_use_last_pages(edu);
	else
		err = edu_fail(edu, EDU_SKIP, "there is room for more");
	while (count--)
		dma_unmap_page_attrs(edu_dev(edu), fillings[count].addr,
				     fillings[count].size, DMA_TO_DEVICE,
				     DMA_ATTR_REQUIRE_COHERENT);
out:
	if (block)
		__free_pages(block, get_order(EDU_FILLING));
	kvfree(fillings);
	return err;
}

static const struct edu_test edu_tests[] = {
	{ "limits", edu_limits },
	{ "streaming-below-mask", edu_streaming_below },
	{ "streaming-above-mask", edu_streaming_above },
	{ "streaming-above-4g", edu_streaming_4g },
	{ "streaming-each-node", edu_streaming_nodes },
	{ "scatterlist", edu_scatterlist },
	{ "peer-memory", edu_peer_memory },
	{ "coherent", edu_coherent },
	{ "sync-reuse", edu_sync_reuse },
	{ "alloc-pages", edu_alloc_pages },
	{ "alloc-noncontiguous", edu_alloc_noncontiguous },
	{ "random", edu_random },
	{ "stale-address", edu_stale_address },
	{ "masks-differ", edu_masks_differ },
	{ "mask-change", edu_mask_change },
	{ "in-flight", edu_in_flight },
	{ "full-window", edu_full_window },
};

/* Only when it is named: somebody has to have set up which allocations fail. */
static const struct edu_test edu_fault_test = {
	"mask-change-faults", edu_mask_faults
};

/*
 * In a group, the address that a card uses after unmapping may be what another
 * card was given meanwhile.
 */
static DECLARE_RWSEM(edu_addresses);

static int edu_run_one(struct edu *edu, const struct edu_test *test)
{
	if (test->run == edu_stale_address) {
		guard(rwsem_write)(&edu_addresses);
		return test->run(edu);
	}
	guard(rwsem_read)(&edu_addresses);
	return test->run(edu);
}

static void edu_report_one(struct edu *edu, size_t number, const char *name,
			   int err)
{
	if (err == EDU_SKIP) {
		seq_buf_printf(&edu->report, "ok %zu %s # SKIP %s\n", number,
			       name, edu->note);
		return;
	}
	if (err)
		seq_buf_printf(&edu->report, "# %s: error %d %s\n", name, err,
			       edu->note);
	seq_buf_printf(&edu->report, "%s %zu %s\n", err ? "not ok" : "ok",
		       number, name);
}

/* @count tests from @tests on. */
static int edu_run(struct edu *edu, const struct edu_test *tests, size_t count)
{
	size_t passed = 0, failed = 0, skipped = 0, i;

	seq_buf_clear(&edu->report);
	prandom_seed_state(&edu->random, seed);
	seq_buf_printf(&edu->report,
		       "KTAP version 1\n# mask: %#llx seed: %u\n1..%zu\n",
		       edu->mask, seed, count);
	for (i = 0; i < count; i++) {
		int err;

		if (signal_pending(current))
			return -EINTR;
		edu->note[0] = '\0';
		if (count > 1 && skip && !strcmp(skip, tests[i].name))
			err = edu_fail(edu, EDU_SKIP, "left out");
		else
			err = edu_run_one(edu, &tests[i]);
		edu_report_one(edu, i + 1, tests[i].name, err);
		if (err == EDU_SKIP)
			skipped++;
		else if (err)
			failed++;
		else
			passed++;
	}
	seq_buf_printf(&edu->report,
		       "# Totals: pass:%zu fail:%zu skip:%zu error:0\n",
		       passed, failed, skipped);
	return 0;
}

/* "1" for all tests, or the name of one. */
static int edu_run_chosen(struct edu *edu, const char *which)
{
	size_t i;

	if (!strcmp(which, "1"))
		return edu_run(edu, edu_tests, ARRAY_SIZE(edu_tests));
	for (i = 0; i < ARRAY_SIZE(edu_tests); i++) {
		if (!strcmp(which, edu_tests[i].name))
			return edu_run(edu, &edu_tests[i], 1);
	}
	if (!strcmp(which, edu_fault_test.name))
		return edu_run(edu, &edu_fault_test, 1);
	return -EINVAL;
}

static ssize_t edu_run_write(struct file *file, const char __user *user,
			     size_t count, loff_t *pos)
{
	struct edu *edu = file->private_data;
	char which[32];
	ssize_t len;
	int err;

	len = simple_write_to_buffer(which, sizeof(which) - 1, pos, user,
				     count);
	if (len < 0)
		return len;
	which[len] = '\0';
	err = mutex_lock_interruptible(&edu->lock);
	if (err)
		return err;
	err = edu_run_chosen(edu, strim(which));
	mutex_unlock(&edu->lock);
	return err ?: count;
}

static const struct file_operations edu_run_fops = {
	.owner = THIS_MODULE,
	.open = simple_open,
	.write = edu_run_write,
};

static int edu_ktap_show(struct seq_file *m, void *unused)
{
	struct edu *edu = m->private;

	mutex_lock(&edu->lock);
	seq_write(m, edu->text, seq_buf_used(&edu->report));
	mutex_unlock(&edu->lock);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(edu_ktap);

/* As drivers do it: a list when there is more than one element */
static int edu_map_and_unmap(struct edu *edu, struct sg_table *table,
			     enum dma_data_direction dir)
{
	struct scatterlist *sg = table->sgl;
	dma_addr_t addr;
	int err;

	if (table->orig_nents > 1) {
		err = dma_map_sgtable(edu_dev(edu), table, dir, 0);
		if (!err)
			dma_unmap_sgtable(edu_dev(edu), table, dir, 0);
		return err;
	}
	addr = dma_map_page(edu_dev(edu), sg_page(sg), 0, sg->length, dir);
	err = dma_mapping_error(edu_dev(edu), addr);
	if (!err)
		dma_unmap_page(edu_dev(edu), addr, sg->length, dir);
	return err;
}

/* One line: size, direction, ticks of each round */
static int edu_cost_measure(struct seq_file *m, struct edu *edu,
			    struct sg_table *table, size_t size,
			    enum dma_data_direction dir)
{
	unsigned long flags;
	cycles_t ticks;
	int err = 0, i;

	seq_printf(m, "%zu %s", size, dir == DMA_TO_DEVICE ? "to" : "from");
	for (i = 0; i < EDU_COST_ROUNDS && !err; i++) {
		local_irq_save(flags);
		ticks = get_cycles();
		err = edu_map_and_unmap(edu, table, dir);
		ticks = get_cycles() - ticks;
		local_irq_restore(flags);
		seq_printf(m, " %llu", (u64)ticks);
		cond_resched();
	}
	seq_putc(m, '\n');
	return err;
}

static int edu_cost_size(struct seq_file *m, struct edu *edu,
			 struct page *page, size_t size)
{
	struct scatterlist *sg;
	struct sg_table table;
	int err, i;

	err = sg_alloc_table(&table, DIV_ROUND_UP(size, EDU_PIECE), GFP_KERNEL);
	if (err)
		return err;
	for_each_sgtable_sg(&table, sg, i)
		sg_set_page(sg, page + i * (EDU_PIECE / PAGE_SIZE),
			    min(size, EDU_PIECE), 0);
	err = edu_cost_measure(m, edu, &table, size, DMA_TO_DEVICE);
	err = err ?: edu_cost_measure(m, edu, &table, size, DMA_FROM_DEVICE);
	sg_free_table(&table);
	return err;
}

static int edu_cost_show(struct seq_file *m, void *unused)
{
	static const size_t sizes[] = { SZ_4K, SZ_64K, EDU_COST_MAX };
	struct edu *edu = m->private;
	struct page *page;
	int err = 0, i;

	page = alloc_pages(GFP_HIGHUSER, get_order(EDU_COST_MAX));
	if (!page)
		return -ENOMEM;
	mutex_lock(&edu->lock);
	seq_printf(m, "memory %pap\n", &(phys_addr_t){ page_to_phys(page) });
	for (i = 0; i < ARRAY_SIZE(sizes) && !err; i++)
		err = edu_cost_size(m, edu, page, sizes[i]);
	mutex_unlock(&edu->lock);
	__free_pages(page, get_order(EDU_COST_MAX));
	return err;
}

/* With room for all of it, so that nothing is measured twice */
static int edu_cost_open(struct inode *inode, struct file *file)
{
	return single_open_size(file, edu_cost_show, inode->i_private,
				EDU_COST_TEXT);
}

static const struct file_operations edu_cost_fops = {
	.owner = THIS_MODULE,
	.open = edu_cost_open,
	.read = seq_read,
	.llseek = seq_lseek,
	.release = single_release,
};

/* The parameter "masks" may name this device. */
static unsigned int edu_mask_bits(struct pci_dev *pdev)
{
	const char *entry = masks;
	char name[16];
	unsigned int bits;

	while (entry) {
		if (sscanf(entry, "%15[^=]=%u", name, &bits) == 2 &&
		    !strcmp(name, pci_name(pdev)))
			return bits;
		entry = strchr(entry, ',');
		if (entry)
			entry++;
	}
	return mask_bits;
}

static int edu_set_mask(struct edu *edu)
{
	unsigned int bits = edu_mask_bits(edu->pdev);
	int err;

	if (bits < 1 || bits > 64)
		return dev_err_probe(edu_dev(edu), -EINVAL,
				     "a mask of %u bits: 1 to 64 are possible\n",
				     bits);
	edu->mask = DMA_BIT_MASK(bits);
	err = dma_set_mask_and_coherent(edu_dev(edu), edu->mask);
	if (err)
		return dev_err_probe(edu_dev(edu), err,
				     "DMA mask of %u bits refused\n", bits);
	return 0;
}

static int edu_map_registers(struct edu *edu)
{
	struct pci_dev *pdev = edu->pdev;
	u32 id;
	int err;

	err = pcim_enable_device(pdev);
	if (err)
		return err;
	edu->regs = pcim_iomap_region(pdev, 0, KBUILD_MODNAME);
	if (IS_ERR(edu->regs))
		return PTR_ERR(edu->regs);
	id = readl(edu->regs + EDU_ID);
	edu->swapped = (swab32(id) & EDU_ID_MASK) == EDU_ID_VALUE;
	id = edu_read(edu, EDU_ID);
	if ((id & EDU_ID_MASK) != EDU_ID_VALUE)
		return dev_err_probe(edu_dev(edu), -ENODEV,
				     "%#x is not the id of an edu card\n", id);
	return edu_set_mask(edu);
}

static int edu_setup_irq(struct edu *edu)
{
	struct pci_dev *pdev = edu->pdev;
	int err;

	err = pci_alloc_irq_vectors(pdev, 1, 1, PCI_IRQ_ALL_TYPES);
	if (err < 0)
		return err;
	/* Whatever an earlier driver left pending. */
	edu_write(edu, EDU_IRQ_ACK, edu_read(edu, EDU_IRQ_STATUS));
	err = request_irq(pci_irq_vector(pdev, 0), edu_irq, IRQF_SHARED,
			  KBUILD_MODNAME, edu);
	if (err)
		pci_free_irq_vectors(pdev);
	return err;
}

static int edu_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct edu *edu;
	int err;

	edu = devm_kzalloc(&pdev->dev, sizeof(*edu), GFP_KERNEL);
	if (!edu)
		return -ENOMEM;
	edu->text = devm_kzalloc(&pdev->dev, EDU_REPORT_SIZE, GFP_KERNEL);
	if (!edu->text)
		return -ENOMEM;
	edu->pdev = pdev;
	seq_buf_init(&edu->report, edu->text, EDU_REPORT_SIZE);
	init_completion(&edu->done);
	mutex_init(&edu->lock);
	err = edu_map_registers(edu);
	if (err)
		return err;
	err = edu_setup_irq(edu);
	if (err)
		return err;
	dma_set_max_seg_size(&pdev->dev, EDU_PIECE);
	pci_set_master(pdev);
	pci_set_drvdata(pdev, edu);
	edu->dir = debugfs_create_dir(pci_name(pdev), edu_root);
	debugfs_create_file("run", 0200, edu->dir, edu, &edu_run_fops);
	debugfs_create_file("ktap", 0444, edu->dir, edu, &edu_ktap_fops);
	debugfs_create_file("cost", 0400, edu->dir, edu, &edu_cost_fops);
	return 0;
}

/* What a careless driver does: frees a page that is still mapped. */
static void edu_leave_mapping(struct edu *edu)
{
	struct page *page = edu_block_high();

	if (!page)
		return;
	dma_map_page(edu_dev(edu), page, 0, EDU_MAX, DMA_FROM_DEVICE);
	__free_pages(page, EDU_ORDER);
}

static void edu_remove(struct pci_dev *pdev)
{
	struct edu *edu = pci_get_drvdata(pdev);

	/* Waits until nobody is in these files any more. */
	debugfs_remove(edu->dir);
	if (leak)
		edu_leave_mapping(edu);
	pci_clear_master(pdev);
	free_irq(pci_irq_vector(pdev, 0), edu);
	pci_free_irq_vectors(pdev);
}

static const struct pci_device_id edu_ids[] = {
	{ PCI_DEVICE(EDU_VENDOR, EDU_DEVICE) },
	{ }
};
MODULE_DEVICE_TABLE(pci, edu_ids);

static struct pci_driver edu_driver = {
	.name = "dma_edu_test",
	.id_table = edu_ids,
	.probe = edu_probe,
	.remove = edu_remove,
};

static int __init edu_init(void)
{
	int err;

	edu_root = debugfs_create_dir("dma_edu_test", NULL);
	err = pci_register_driver(&edu_driver);
	if (err)
		debugfs_remove(edu_root);
	return err;
}
module_init(edu_init);

static void __exit edu_exit(void)
{
	pci_unregister_driver(&edu_driver);
	debugfs_remove(edu_root);
}
module_exit(edu_exit);

MODULE_DESCRIPTION("DMA API tests with QEMU's edu device");
MODULE_LICENSE("GPL");
