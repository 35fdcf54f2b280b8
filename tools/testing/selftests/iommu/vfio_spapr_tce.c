// SPDX-License-Identifier: GPL-2.0-only
/*
 * DMA windows of VFIO's sPAPR TCE v2 IOMMU, with a device that moves data:
 * QEMU's "edu" card, bound to vfio-pci, alone in its group.
 *
 * VFIO_TCE_DEVICE is its PCI address, VFIO_TCE_START where the second window
 * begins on this machine. VFIO_TCE_SHARES is another such card, and
 * VFIO_TCE_DIFFERS one whose second window begins elsewhere.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>
#include <linux/kvm.h>
#include <linux/pci_regs.h>
#include <linux/types.h>
#include <linux/vfio.h>

#include "kselftest_harness.h"

#define KIB(n)		((uint64_t)(n) << 10)
#define MIB(n)		((uint64_t)(n) << 20)
#define GIB(n)		((uint64_t)(n) << 30)

#define TCE_SHIFT	16
#define TCE		KIB(64)
#define MEMORY		MIB(1)
/* At 4 GB, a table of 8 GB: no smaller one has a window there of its size. */
#define WINDOW		GIB(4)

#define EDU_REGISTERS	0x1000
#define EDU_BUFFER	0x40000
#define EDU_DMA_SRC	0x80
#define EDU_DMA_DST	0x88
#define EDU_DMA_COUNT	0x90
#define EDU_DMA_CMD	0x98
#define EDU_RUN		1
#define EDU_TO_MEMORY	2
#define EDU_LEN		2048

#define INFO_DDW_START	2
#define INFO_SIZE	40

/* As it is now: headers may be older, and programs are. */
union tce_info {
	struct {
		__u32 argsz;
		__u32 flags;
		__u32 dma32_window_start;
		__u32 dma32_window_size;
		__u64 pgsizes;
		__u32 max_windows;
		__u32 levels;
		__u64 dma64_window_start;
	};
	unsigned char bytes[2 * INFO_SIZE];
};

static int open_group(const char *device)
{
	char path[PATH_MAX], group[PATH_MAX];
	ssize_t len;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/iommu_group",
		 device);
	len = readlink(path, group, sizeof(group) - 1);
	if (len < 0)
		return -1;
	group[len] = '\0';
	snprintf(path, sizeof(path), "/dev/vfio%s", strrchr(group, '/'));
	return open(path, O_RDWR | O_CLOEXEC);
}

static int open_container(void)
{
	return open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC);
}

static int join(int group, int container)
{
	return ioctl(group, VFIO_GROUP_SET_CONTAINER, &container) ? -errno : 0;
}

static int set_iommu(int container)
{
	return ioctl(container, VFIO_SET_IOMMU, VFIO_SPAPR_TCE_v2_IOMMU) ?
		-errno : 0;
}

static int register_memory(int container, void *memory, uint64_t size)
{
	struct vfio_iommu_spapr_register_memory arg = {
		.argsz = sizeof(arg), .vaddr = (uintptr_t)memory, .size = size,
	};

	return ioctl(container, VFIO_IOMMU_SPAPR_REGISTER_MEMORY, &arg) ?
		-errno : 0;
}

static int unregister_memory(int container, void *memory, uint64_t size)
{
	struct vfio_iommu_spapr_register_memory arg = {
		.argsz = sizeof(arg), .vaddr = (uintptr_t)memory, .size = size,
	};

	return ioctl(container, VFIO_IOMMU_SPAPR_UNREGISTER_MEMORY, &arg) ?
		-errno : 0;
}

FIXTURE(tce)
{
	int container, group, device;
	unsigned char *memory;
	uint64_t *edu;
	uint64_t start;
};

FIXTURE_SETUP(tce)
{
	const char *device = getenv("VFIO_TCE_DEVICE");
	const char *start = getenv("VFIO_TCE_START");

	self->device = -1;
	if (!device || !start)
		SKIP(return, "VFIO_TCE_DEVICE and VFIO_TCE_START are not set");
	self->start = strtoull(start, NULL, 0);
	self->container = open_container();
	ASSERT_LE(0, self->container);
	self->group = open_group(device);
	ASSERT_LE(0, self->group);
	ASSERT_EQ(0, join(self->group, self->container));
	ASSERT_EQ(0, set_iommu(self->container));
	self->memory = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	ASSERT_NE(MAP_FAILED, self->memory);
	ASSERT_EQ(0, register_memory(self->container, self->memory, MEMORY));
}

FIXTURE_TEARDOWN(tce)
{
	if (self->device >= 0)
		close(self->device);
	close(self->group);
	close(self->container);
}

/* What GET_INFO says to a program that knows so much of the structure */
static int get_info(int container, union tce_info *info, unsigned int argsz)
{
	memset(info, 0xa5, sizeof(*info));
	info->argsz = argsz;
	return ioctl(container, VFIO_IOMMU_SPAPR_TCE_GET_INFO, info);
}

static int untouched(const union tce_info *info, size_t from)
{
	for (; from < sizeof(info->bytes); from++)
		if (info->bytes[from] != 0xa5)
			return 0;
	return 1;
}

static int create(int container, unsigned int shift, uint64_t size,
		  unsigned int levels, uint64_t *start)
{
	struct vfio_iommu_spapr_tce_create arg = {
		.argsz = sizeof(arg), .page_shift = shift,
		.window_size = size, .levels = levels,
	};

	int err = ioctl(container, VFIO_IOMMU_SPAPR_TCE_CREATE, &arg);

	*start = arg.start_addr;
	return err ? -errno : 0;
}

static int remove_window(int container, uint64_t start)
{
	struct vfio_iommu_spapr_tce_remove arg = {
		.argsz = sizeof(arg), .start_addr = start,
	};

	return ioctl(container, VFIO_IOMMU_SPAPR_TCE_REMOVE, &arg) ? -errno : 0;
}

static int map(int container, void *memory, uint64_t iova, uint64_t size)
{
	struct vfio_iommu_type1_dma_map arg = {
		.argsz = sizeof(arg), .iova = iova, .size = size,
		.vaddr = (uintptr_t)memory,
		.flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE,
	};

	return ioctl(container, VFIO_IOMMU_MAP_DMA, &arg) ? -errno : 0;
}

static int unmap(int container, uint64_t iova, uint64_t size)
{
	struct vfio_iommu_type1_dma_unmap arg = {
		.argsz = sizeof(arg), .iova = iova, .size = size,
	};

	return ioctl(container, VFIO_IOMMU_UNMAP_DMA, &arg) ? -errno : 0;
}

/* Programs of any age get what they have room for, and not a byte more. */
TEST_F(tce, info)
{
	static const unsigned int sizes[] = { 16, 24, 32, 39, 40, 80 };
	union tce_info info;
	size_t i;

	ASSERT_EQ(-1, get_info(self->container, &info, 15));
	EXPECT_EQ(EINVAL, errno);
	for (i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		size_t known = sizes[i] < 32 ? 16 : sizes[i] < 40 ? 32 : 40;

		ASSERT_EQ(0, get_info(self->container, &info, sizes[i]));
		EXPECT_TRUE(untouched(&info, known)) {
			TH_LOG("more than %zu bytes for argsz %u", known,
			       sizes[i]);
		}
		EXPECT_EQ(VFIO_IOMMU_SPAPR_INFO_DDW |
			  (known == 40 ? INFO_DDW_START : 0), info.flags);
		EXPECT_EQ(0, info.dma32_window_start);
		if (known >= 32)
			EXPECT_EQ(2, info.max_windows);
		if (known == 40)
			EXPECT_EQ(self->start, info.dma64_window_start);
	}
}

TEST_F(tce, create_and_remove)
{
	const int c = self->container;
	uint64_t start, first;

	ASSERT_EQ(0, create(c, TCE_SHIFT, WINDOW, 1, &start));
	EXPECT_EQ(self->start, start);
	EXPECT_EQ(-ENOSPC, create(c, TCE_SHIFT, WINDOW, 1, &first));
	/* Address 0 is of the first window alone, also when that is gone. */
	EXPECT_EQ(0, remove_window(c, 0));
	EXPECT_EQ(-EINVAL, remove_window(c, 0));
	EXPECT_EQ(-EINVAL, remove_window(c, start - 1));
	EXPECT_EQ(-EINVAL, remove_window(c, start + WINDOW));
	ASSERT_EQ(0, create(c, TCE_SHIFT, WINDOW, 1, &first));
	EXPECT_EQ(0, first);
	EXPECT_EQ(0, remove_window(c, start));
	EXPECT_EQ(-EINVAL, remove_window(c, start));
	EXPECT_EQ(0, remove_window(c, 0));
}

/* KiB that the kernel has taken from what this process may lock */
static long locked(void)
{
	char line[128];
	FILE *f = fopen("/proc/self/status", "re");
	long kib = -1;

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "VmLck: %ld", &kib) == 1)
			break;
	if (f)
		fclose(f);
	return kib;
}

/* Without bit 59, nothing of the first window is seen above 4 GB. */
TEST_F(tce, first_window_ends_at_second)
{
	static const struct { unsigned int shift; uint64_t size; } large[] = {
		{ TCE_SHIFT, GIB(8) },
		/* The smallest table of these has 512. */
		{ 30, GIB(1) },
	};
	const int c = self->container;
	uint64_t first, second;
	long before;
	size_t i;

	ASSERT_EQ(0, remove_window(c, 0));
	before = locked();
	ASSERT_LE(0, before);
	for (i = 0; i < sizeof(large) / sizeof(*large); i++) {
		int err = create(c, large[i].shift, large[i].size, 1, &first);

		if (self->start == GIB(4)) {
			EXPECT_EQ(-ENOSPC, err);
		} else {
			ASSERT_EQ(0, err);
			EXPECT_EQ(0, first);
			if (large[i].shift == TCE_SHIFT)
				EXPECT_EQ(0, map(c, self->memory, GIB(4), TCE));
			EXPECT_EQ(0, remove_window(c, 0));
		}
		EXPECT_EQ(before, locked());
	}
	/* What was refused is in nobody's way. */
	ASSERT_EQ(0, create(c, TCE_SHIFT, GIB(4), 1, &first));
	EXPECT_EQ(0, first);
	EXPECT_EQ(0, map(c, self->memory, GIB(4) - TCE, TCE));
	ASSERT_EQ(0, create(c, TCE_SHIFT, GIB(8), 1, &second));
	EXPECT_EQ(self->start, second);
	EXPECT_EQ(0, map(c, self->memory, second + GIB(8) - TCE, TCE));
	EXPECT_EQ(0, remove_window(c, second));
	EXPECT_EQ(0, remove_window(c, 0));
	EXPECT_EQ(before, locked());
}

TEST_F(tce, sizes_and_levels)
{
	static const struct { unsigned int shift, levels; } all[] = {
		{ 12, 2 }, { 12, 3 }, { 16, 1 }, { 16, 2 }, { 16, 3 },
		{ 21, 1 }, { 21, 2 }, { 30, 1 }, { 30, 2 },
	};
	uint64_t start;
	size_t i;

	for (i = 0; i < sizeof(all) / sizeof(*all); i++) {
		ASSERT_EQ(0, create(self->container, all[i].shift, GIB(64),
				    all[i].levels, &start)) {
			TH_LOG("pages of 1 << %u in %u levels", all[i].shift,
			       all[i].levels);
		}
		EXPECT_EQ(self->start, start);
		if (all[i].shift <= TCE_SHIFT)
			EXPECT_EQ(0, map(self->container, self->memory,
					 start + GIB(64) - TCE, TCE));
		EXPECT_EQ(0, remove_window(self->container, start));
	}
}

TEST_F(tce, borders)
{
	const int c = self->container;
	void *mem = self->memory;
	uint64_t start, end;

	ASSERT_EQ(0, create(c, TCE_SHIFT, WINDOW, 1, &start));
	end = start + WINDOW;
	EXPECT_EQ(0, map(c, mem, start, 2 * TCE));
	EXPECT_EQ(0, map(c, mem, end - TCE, TCE));
	/* Below, above, across; between the first window and this one */
	EXPECT_EQ(-ENXIO, map(c, mem, start - TCE, TCE));
	EXPECT_EQ(-ENXIO, map(c, mem, start - TCE, 2 * TCE));
	EXPECT_EQ(-ENXIO, map(c, mem, end, TCE));
	EXPECT_NE(0, map(c, mem, end - TCE, 2 * TCE));
	EXPECT_EQ(-ENXIO, map(c, mem, GIB(3), TCE));
	EXPECT_EQ(-ENXIO, unmap(c, start - TCE, TCE));
	EXPECT_EQ(-ENXIO, unmap(c, start - TCE, 2 * TCE));
	EXPECT_EQ(-ENXIO, unmap(c, end, TCE));
	EXPECT_NE(0, unmap(c, end - TCE, 2 * TCE));
	/* Nothing of what is mapped went with these. */
	EXPECT_EQ(0, unmap(c, start, 2 * TCE));
	EXPECT_EQ(0, unmap(c, end - TCE, TCE));
}

/* The card's registers have the byte order of a big-endian machine. */
static void edu_put(uint64_t *edu, size_t reg, uint64_t value)
{
	__atomic_store_n(&edu[reg / 8], htobe64(value), __ATOMIC_SEQ_CST);
}

static int edu_copy(uint64_t *edu, uint64_t from, uint64_t to,
		    uint64_t cmd)
{
	uint64_t left;
	int i;

	edu_put(edu, EDU_DMA_SRC, from);
	edu_put(edu, EDU_DMA_DST, to);
	edu_put(edu, EDU_DMA_COUNT, EDU_LEN);
	edu_put(edu, EDU_DMA_CMD, cmd | EDU_RUN);
	for (i = 0; i < 10000; i++) {
		left = __atomic_load_n(&edu[EDU_DMA_CMD / 8], __ATOMIC_SEQ_CST);
		if (!(be64toh(left) & EDU_RUN))
			return 0;
		usleep(1000);
	}
	return -1;
}

/* 1: what is sent to @iova arrives at @memory and comes back, 0: neither. */
static int reaches(uint64_t *edu, unsigned char *memory, uint64_t iova)
{
	unsigned char there[EDU_LEN], other[EDU_LEN];
	int i, out, in;

	for (i = 0; i < EDU_LEN; i++) {
		there[i] = i * 7 + (iova >> TCE_SHIFT) + 1;
		other[i] = ~there[i];
	}
	memcpy(memory, there, EDU_LEN);
	if (edu_copy(edu, iova, EDU_BUFFER, 0))
		return -1;
	memcpy(memory, other, EDU_LEN);
	if (edu_copy(edu, EDU_BUFFER, iova, EDU_TO_MEMORY))
		return -1;
	out = !memcmp(memory, there, EDU_LEN);
	in = !memcmp(memory, other, EDU_LEN);
	return out ? 1 : in ? 0 : -2;
}

static int open_device(int group, const char *name, uint64_t **edu)
{
	struct vfio_region_info region = {
		.argsz = sizeof(region), .index = VFIO_PCI_CONFIG_REGION_INDEX,
	};
	uint16_t command = htole16(PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	int device;

	device = ioctl(group, VFIO_GROUP_GET_DEVICE_FD, name);
	if (device < 0)
		return -1;
	if (ioctl(device, VFIO_DEVICE_GET_REGION_INFO, &region) ||
	    pwrite(device, &command, 2, region.offset + PCI_COMMAND) != 2)
		return -1;
	region.index = VFIO_PCI_BAR0_REGION_INDEX;
	if (ioctl(device, VFIO_DEVICE_GET_REGION_INFO, &region))
		return -1;
	*edu = mmap(NULL, EDU_REGISTERS, PROT_READ | PROT_WRITE, MAP_SHARED,
		    device, region.offset);
	return *edu == MAP_FAILED ? -1 : device;
}

TEST_F_TIMEOUT(tce, moves_data, 600)
{
	const int c = self->container;
	unsigned char *mem = self->memory;
	uint64_t start, end;

	self->device = open_device(self->group, getenv("VFIO_TCE_DEVICE"),
				   &self->edu);
	ASSERT_LE(0, self->device);
	ASSERT_EQ(0, create(c, TCE_SHIFT, WINDOW, 2, &start));
	end = start + WINDOW;
	ASSERT_EQ(0, map(c, mem, start, TCE));
	ASSERT_EQ(0, map(c, mem + TCE, end - TCE, TCE));
	ASSERT_EQ(0, map(c, mem + 2 * TCE, MIB(64), TCE));
	EXPECT_EQ(1, reaches(self->edu, mem, start));
	EXPECT_EQ(1, reaches(self->edu, mem + 2 * TCE - EDU_LEN, end - EDU_LEN));
	EXPECT_EQ(1, reaches(self->edu, mem + 2 * TCE, MIB(64)));
	/* The first window is its own: its start is not the other one's. */
	EXPECT_EQ(0, reaches(self->edu, mem, 0));
	EXPECT_EQ(0, reaches(self->edu, mem, start + TCE));
	EXPECT_EQ(0, reaches(self->edu, mem, end));
	/* An index that lost its upper bits would be that of the start. */
	EXPECT_EQ(0, reaches(self->edu, mem, start + GIB(1024)));
	ASSERT_EQ(0, unmap(c, start, TCE));
	EXPECT_EQ(0, reaches(self->edu, mem, start));
	ASSERT_EQ(0, map(c, mem + 3 * TCE, start, TCE));
	EXPECT_EQ(1, reaches(self->edu, mem + 3 * TCE, start));
	ASSERT_EQ(0, remove_window(c, start));
	EXPECT_EQ(0, reaches(self->edu, mem + 3 * TCE, start));
	EXPECT_EQ(1, reaches(self->edu, mem + 2 * TCE, MIB(64)));
}

/*
 * Large TCEs need memory of hugetlb. What follows it in @memory are small pages,
 * as many as one such TCE would take.
 */
FIXTURE(tce_large)
{
	int container, group, device;
	unsigned char *memory, *small;
	uint64_t *edu;
	uint64_t start, size, huge;
};

FIXTURE_VARIANT(tce_large)
{
	unsigned int shift, pages, levels;
};

/* More levels than so many cover more bits than the hardware has. */
FIXTURE_VARIANT_ADD(tce_large, 2mb)
{
	.shift = 21, .pages = 2, .levels = 3,
};

FIXTURE_VARIANT_ADD(tce_large, 1gb)
{
	.shift = 30, .pages = 1, .levels = 2,
};

/* Address space that begins at a multiple of @align */
static void *reserve(uint64_t size, uint64_t align)
{
	char *at = mmap(NULL, size + align, PROT_NONE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (at == MAP_FAILED)
		return NULL;
	return at + (-(uintptr_t)at & (align - 1));
}

static void *map_at(void *at, uint64_t size, int flags)
{
	return mmap(at, size, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_POPULATE |
		    flags, -1, 0);
}

FIXTURE_SETUP(tce_large)
{
	const char *device = getenv("VFIO_TCE_DEVICE");
	const char *start = getenv("VFIO_TCE_START");
	unsigned int tries = 0;
	union tce_info info;

	self->device = -1;
	if (!device || !start)
		SKIP(return, "VFIO_TCE_DEVICE and VFIO_TCE_START are not set");
	self->start = strtoull(start, NULL, 0);
	self->size = 1ULL << variant->shift;
	self->huge = variant->pages * self->size;
	self->container = open_container();
	ASSERT_LE(0, self->container);
	self->group = open_group(device);
	ASSERT_LE(0, self->group);
	ASSERT_EQ(0, join(self->group, self->container));
	ASSERT_EQ(0, set_iommu(self->container));
	ASSERT_EQ(0, get_info(self->container, &info, INFO_SIZE));
	if (!(info.pgsizes & self->size))
		SKIP(return, "no such TCEs here, their sizes are %#llx",
		     (unsigned long long)info.pgsizes);
	self->memory = reserve(self->huge + self->size, self->size);
	ASSERT_NE(NULL, self->memory);
	/* Pages that another test had registered come back a little later. */
	while (map_at(self->memory, self->huge, MAP_HUGETLB |
		      variant->shift << MAP_HUGE_SHIFT) == MAP_FAILED) {
		if (errno != ENOMEM || tries++ == 50)
			SKIP(return, "no memory in pages of 1 << %u: %s",
			     variant->shift, strerror(errno));
		usleep(100000);
	}
	self->small = self->memory + self->huge;
	self->device = open_device(self->group, device, &self->edu);
	ASSERT_LE(0, self->device);
}

FIXTURE_TEARDOWN(tce_large)
{
	if (self->device >= 0)
		close(self->device);
	close(self->group);
	close(self->container);
}

TEST_F_TIMEOUT(tce_large, moves_data, 600)
{
	const uint64_t size = self->size;
	const int c = self->container;
	unsigned char *mem = self->memory;
	unsigned char *last = mem + self->huge - size;
	uint64_t start, end;
	unsigned int n;
	long before;

	ASSERT_EQ(0, register_memory(c, mem, self->huge));
	for (n = 1; n <= variant->levels; n++) {
		ASSERT_EQ(0, create(c, variant->shift, GIB(64), n, &start)) {
			TH_LOG("%u levels", n);
		}
		ASSERT_EQ(self->start, start);
		end = start + GIB(64);
		ASSERT_EQ(0, map(c, mem, start, size));
		ASSERT_EQ(0, map(c, last, end - size, size));
		/* The first and the last bytes of a TCE, and of the window */
		EXPECT_EQ(1, reaches(self->edu, mem + size - EDU_LEN,
				     start + size - EDU_LEN));
		EXPECT_EQ(1, reaches(self->edu, last, end - size));
		EXPECT_EQ(1, reaches(self->edu, last + size - EDU_LEN,
				     end - EDU_LEN));
		if (n == 1) {
			/* Beside these there is nothing. */
			EXPECT_EQ(0, reaches(self->edu, mem, start + size));
			EXPECT_EQ(0, reaches(self->edu, last + size - EDU_LEN,
					     end - size - EDU_LEN));
			ASSERT_EQ(0, unmap(c, start, size));
			EXPECT_EQ(0, reaches(self->edu, mem, start));
		}
		ASSERT_EQ(0, remove_window(c, start));
		EXPECT_EQ(0, reaches(self->edu, mem, start));
	}
	before = locked();
	ASSERT_LE(0, before);
	EXPECT_EQ(-EINVAL, create(c, variant->shift, GIB(64), n, &start));
	/* A table of large TCEs may have less than a page to give back. */
	EXPECT_EQ(-EINVAL, create(c, TCE_SHIFT, GIB(64), 5, &start));
	EXPECT_EQ(before, locked());
	EXPECT_EQ(0, unregister_memory(c, mem, self->huge));
}

TEST_F_TIMEOUT(tce_large, refuses_what_does_not_fit, 600)
{
	const uint64_t size = self->size, all = self->huge;
	const int c = self->container;
	unsigned char *mem = self->memory;
	uint64_t start;

	ASSERT_NE(MAP_FAILED, map_at(self->small, size, 0));
	ASSERT_EQ(0, register_memory(c, mem, all));
	ASSERT_EQ(0, register_memory(c, self->small, size));
	ASSERT_EQ(0, create(c, variant->shift, GIB(64), 1, &start));
	/* Address of memory, size, address of the device */
	EXPECT_EQ(-EINVAL, map(c, mem + TCE, start, size));
	EXPECT_EQ(-EINVAL, map(c, mem, start, size / 2));
	EXPECT_EQ(-EINVAL, map(c, mem, start, size - TCE));
	EXPECT_EQ(-EINVAL, map(c, mem, start + TCE, size));
	EXPECT_EQ(-EINVAL, map(c, mem, start + size / 2, size));
	/* Small pages, alone and after what was good, which goes with them */
	EXPECT_EQ(-EINVAL, map(c, self->small, start, size));
	EXPECT_EQ(-EINVAL, map(c, mem, start, all + size));
	EXPECT_EQ(-EINVAL, map(c, mem - size, start, size));
	EXPECT_EQ(0, reaches(self->edu, mem, start));
	/* They do for small TCEs. */
	EXPECT_EQ(0, unregister_memory(c, mem, all));
	EXPECT_EQ(0, unregister_memory(c, self->small, size));
	ASSERT_EQ(0, remove_window(c, start));
	ASSERT_EQ(0, register_memory(c, mem, all + size));
	/* What begins with large pages is not large as a whole. */
	ASSERT_EQ(0, create(c, variant->shift, GIB(64), 1, &start));
	EXPECT_EQ(-EINVAL, map(c, self->small, start, size));
	ASSERT_EQ(0, remove_window(c, start));
	ASSERT_EQ(0, create(c, TCE_SHIFT, GIB(64), 2, &start));
	EXPECT_EQ(0, map(c, self->small - TCE, start, 2 * TCE));
	EXPECT_EQ(1, reaches(self->edu, self->small - EDU_LEN / 2,
			     start + TCE - EDU_LEN / 2));
	EXPECT_EQ(0, unmap(c, start, 2 * TCE));
	EXPECT_EQ(0, unregister_memory(c, mem, all + size));
}

/* Is all of it in transparent huge pages? */
static int is_transparent(void *at, uint64_t size)
{
	unsigned long from, to, kib, found = 0, huge = 0;
	FILE *f = fopen("/proc/self/smaps", "re");
	char line[256];

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
			found = from;
		if (sscanf(line, "AnonHugePages: %lu", &kib) == 1 &&
		    found == (uintptr_t)at)
			huge = kib;
	}
	if (f)
		fclose(f);
	return huge == size >> 10;
}

/*
 * Transparent huge pages that were moved by less than their size are as good as
 * small ones, also in a range that begins with hugetlb.
 */
TEST_F_TIMEOUT(tce_large, refuses_transparent_huge_pages, 600)
{
	const uint64_t size = self->size;
	const int c = self->container;
	unsigned char *mem = self->memory;
	unsigned char *thp = reserve(2 * size, size);
	uint64_t start;

	if (variant->shift > 21)
		SKIP(return, "they are not that large");
	ASSERT_NE(NULL, thp);
	ASSERT_NE(MAP_FAILED, mmap(thp, 2 * size, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
				   -1, 0));
	madvise(thp, 2 * size, MADV_HUGEPAGE);
	memset(thp, 1, 2 * size);
	if (!is_transparent(thp, 2 * size))
		SKIP(return, "no transparent huge pages");
	ASSERT_EQ(self->small, mremap(thp + TCE, size, size,
				      MREMAP_MAYMOVE | MREMAP_FIXED,
				      self->small));
	ASSERT_EQ(0, register_memory(c, mem, self->huge + size));
	ASSERT_EQ(0, create(c, variant->shift, GIB(64), 1, &start));
	EXPECT_EQ(-EINVAL, map(c, self->small, start, size));
	EXPECT_EQ(-EINVAL, map(c, mem, start, self->huge + size));
	EXPECT_EQ(0, unregister_memory(c, mem, self->huge + size));
}

static int leave(int group)
{
	return ioctl(group, VFIO_GROUP_UNSET_CONTAINER) ? -errno : 0;
}

static uint64_t second_window(int container)
{
	union tce_info info;

	return get_info(container, &info, INFO_SIZE) ? 0 :
						       info.dma64_window_start;
}

TEST_F_TIMEOUT(tce, groups_share_windows, 600)
{
	const char *name = getenv("VFIO_TCE_SHARES");
	const int c = self->container;
	unsigned char *mem = self->memory;
	int group, device, turn;
	uint64_t *edu, start;

	if (!name)
		SKIP(return, "VFIO_TCE_SHARES is not set");
	group = open_group(name);
	ASSERT_LE(0, group);
	self->device = open_device(self->group, getenv("VFIO_TCE_DEVICE"),
				   &self->edu);
	ASSERT_LE(0, self->device);
	/* It comes before the windows, and after them. */
	for (turn = 0; turn < 2; turn++) {
		if (!turn)
			ASSERT_EQ(0, join(group, c));
		EXPECT_EQ(self->start, second_window(c));
		ASSERT_EQ(0, create(c, TCE_SHIFT, WINDOW, 1, &start));
		EXPECT_EQ(self->start, start);
		ASSERT_EQ(0, map(c, mem, start, TCE));
		ASSERT_EQ(0, map(c, mem + TCE, MIB(64), TCE));
		if (turn)
			ASSERT_EQ(0, join(group, c));
		EXPECT_EQ(self->start, second_window(c));
		device = open_device(group, name, &edu);
		ASSERT_LE(0, device);
		EXPECT_EQ(1, reaches(edu, mem, start));
		EXPECT_EQ(1, reaches(edu, mem + TCE, MIB(64)));
		EXPECT_EQ(0, reaches(edu, mem, start + TCE));
		EXPECT_EQ(1, reaches(self->edu, mem, start));
		munmap(edu, EDU_REGISTERS);
		close(device);
		ASSERT_EQ(0, leave(group));
		/* Who stays keeps what is mapped. */
		EXPECT_EQ(1, reaches(self->edu, mem, start));
		EXPECT_EQ(1, reaches(self->edu, mem + TCE, MIB(64)));
		ASSERT_EQ(0, remove_window(c, start));
		EXPECT_EQ(0, unmap(c, MIB(64), TCE));
	}
	close(group);
}

TEST_F_TIMEOUT(tce, groups_that_differ, 600)
{
	const char *name = getenv("VFIO_TCE_DIFFERS");
	int group, other, turn;
	uint64_t start, there;

	if (!name)
		SKIP(return, "all windows begin at one address");
	group = open_group(name);
	ASSERT_LE(0, group);
	/* Without a window and with one, the other group as the second */
	for (turn = 0; turn < 2; turn++) {
		EXPECT_EQ(-EPERM, join(group, self->container));
		EXPECT_EQ(self->start, second_window(self->container));
		ASSERT_EQ(0, create(self->container, TCE_SHIFT, WINDOW, 1,
				    &start));
		EXPECT_EQ(self->start, start);
		EXPECT_EQ(-EPERM, join(group, self->container));
		EXPECT_EQ(0, map(self->container, self->memory, start, TCE));
		ASSERT_EQ(0, remove_window(self->container, start));
	}
	other = open_container();
	ASSERT_LE(0, other);
	ASSERT_EQ(0, join(group, other));
	ASSERT_EQ(0, set_iommu(other));
	there = second_window(other);
	EXPECT_NE(0, there);
	EXPECT_NE(self->start, there);
	ASSERT_EQ(0, create(other, TCE_SHIFT, WINDOW, 1, &start));
	EXPECT_EQ(there, start);
	/* As the first one, and both before there is an IOMMU */
	ASSERT_EQ(0, leave(self->group));
	EXPECT_EQ(-EPERM, join(self->group, other));
	EXPECT_EQ(there, second_window(other));
	ASSERT_EQ(0, leave(group));
	ASSERT_EQ(0, join(group, other));
	ASSERT_EQ(0, join(self->group, other));
	EXPECT_EQ(-EPERM, set_iommu(other));
	ASSERT_EQ(0, leave(group));
	EXPECT_EQ(0, set_iommu(other));
	EXPECT_EQ(self->start, second_window(other));
	close(group);
	close(other);
}

#ifdef __KVM_HAVE_SPAPR_TCE
/* A hypervisor's table for the addresses of a guest's window */
static int guest_table(int vm, uint64_t liobn, uint64_t start)
{
	struct kvm_create_spapr_tce_64 arg = {
		.liobn = liobn, .page_shift = TCE_SHIFT,
		.offset = start >> TCE_SHIFT, .size = WINDOW >> TCE_SHIFT,
	};

	return ioctl(vm, KVM_CREATE_SPAPR_TCE_64, &arg);
}

static int set_attr(int device, uint64_t attr, void *addr)
{
	struct kvm_device_attr arg = {
		.group = KVM_DEV_VFIO_GROUP, .attr = attr,
		.addr = (uintptr_t)addr,
	};

	return ioctl(device, KVM_SET_DEVICE_ATTR, &arg) ? -errno : 0;
}

/* A guest's window takes the hardware's table where both begin, only there. */
TEST_F(tce, guest_attaches)
{
	struct kvm_create_device device = { .type = KVM_DEV_TYPE_VFIO };
	struct kvm_vfio_spapr_tce attach = { .groupfd = self->group };
	const uint64_t wrong[] = {
		0, GIB(4), self->start - TCE, self->start + TCE,
	};
	uint64_t start;
	int kvm, vm, i;

	kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (kvm < 0)
		SKIP(return, "no KVM here");
	vm = ioctl(kvm, KVM_CREATE_VM, 0);
	ASSERT_LE(0, vm);
	ASSERT_EQ(0, ioctl(vm, KVM_CREATE_DEVICE, &device));
	ASSERT_EQ(0, set_attr(device.fd, KVM_DEV_VFIO_GROUP_ADD, &self->group));
	ASSERT_EQ(0, create(self->container, TCE_SHIFT, WINDOW, 1, &start));
	ASSERT_EQ(self->start, start);
	for (i = 0; i < 4; i++) {
		attach.tablefd = guest_table(vm, i, wrong[i]);
		ASSERT_LE(0, attach.tablefd);
		EXPECT_EQ(wrong[i] == start ? 0 : -EINVAL,
			  set_attr(device.fd, KVM_DEV_VFIO_GROUP_SET_SPAPR_TCE,
				   &attach)) {
			TH_LOG("a window at %#llx",
			       (unsigned long long)wrong[i]);
		}
		close(attach.tablefd);
	}
	attach.tablefd = guest_table(vm, 4, start);
	ASSERT_LE(0, attach.tablefd);
	EXPECT_EQ(0, set_attr(device.fd, KVM_DEV_VFIO_GROUP_SET_SPAPR_TCE,
			      &attach));
	close(attach.tablefd);
	EXPECT_EQ(0, set_attr(device.fd, KVM_DEV_VFIO_GROUP_DEL, &self->group));
	close(device.fd);
	close(vm);
	close(kvm);
}
#endif

TEST_HARNESS_MAIN
