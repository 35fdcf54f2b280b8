/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * For the KUnit suites of the layers: a device, and DMA operations for it that
 * map nothing, count everything, and fail when told.
 */
#ifndef _KERNEL_DMA_LAYER_KUNIT_H
#define _KERNEL_DMA_LAYER_KUNIT_H

#include <kunit/test.h>
#include <linux/device.h>
#include <linux/dma-layer.h>
#include <linux/dma-map-ops.h>
#include <linux/platform_device.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>
#include "layer-types.h"

/* Bus addresses differ from physical ones, so that mixing them up shows. */
#define FAKE_BUS_OFFSET		BIT_ULL(44)

#define FAKE_PAGES		16

/* The tests map the same memory more than once, which dma-debug would report */
#define TEST_ATTRS		DMA_ATTR_DEBUGGING_IGNORE_CACHELINES

/**
 * struct fake_bus - what serves the test's device below its layers
 * @fail_in: the n-th of the following requests fails; 0 for none
 * @maps: mappings that exist
 * @allocs: allocations that exist
 * @syncs: syncs that arrived
 * @bytes: length of the mappings that exist
 * @attrs: of the last mapping
 * @pages: what the allocations return, in this order, as long as there are any
 * @nr_pages: number of @pages that are left
 */
struct fake_bus {
	int fail_in;
	int maps;
	int allocs;
	int syncs;
	long bytes;
	unsigned long attrs;
	struct page *pages[FAKE_PAGES];
	int nr_pages;
};

static inline dma_addr_t fake_addr(phys_addr_t phys)
{
	return phys + FAKE_BUS_OFFSET;
}

static inline phys_addr_t fake_phys(dma_addr_t addr)
{
	return addr - FAKE_BUS_OFFSET;
}

static bool fake_fails(struct fake_bus *bus)
{
	return bus->fail_in && !--bus->fail_in;
}

static struct page *fake_take_page(struct device *dev, dma_addr_t *handle)
{
	struct fake_bus *bus = dev_get_drvdata(dev);
	struct page *page;

	if (fake_fails(bus) || !bus->nr_pages)
		return NULL;
	page = bus->pages[--bus->nr_pages];
	bus->allocs++;
	*handle = fake_addr(page_to_phys(page));
	return page;
}

static void fake_give_page(struct device *dev, struct page *page)
{
	struct fake_bus *bus = dev_get_drvdata(dev);

	bus->pages[bus->nr_pages++] = page;
	bus->allocs--;
}

static void *fake_alloc(struct device *dev, size_t size, dma_addr_t *handle,
			gfp_t gfp, unsigned long attrs)
{
	struct page *page = fake_take_page(dev, handle);

	return page ? page_address(page) : NULL;
}

static void fake_free(struct device *dev, size_t size, void *vaddr,
		      dma_addr_t handle, unsigned long attrs)
{
	fake_give_page(dev, virt_to_page(vaddr));
}

static struct page *fake_alloc_pages(struct device *dev, size_t size,
				     dma_addr_t *handle,
				     enum dma_data_direction dir, gfp_t gfp)
{
	return fake_take_page(dev, handle);
}

static void fake_free_pages(struct device *dev, size_t size, struct page *page,
			    dma_addr_t handle, enum dma_data_direction dir)
{
	fake_give_page(dev, page);
}

static dma_addr_t fake_map_phys(struct device *dev, phys_addr_t phys,
				size_t size, enum dma_data_direction dir,
				unsigned long attrs)
{
	struct fake_bus *bus = dev_get_drvdata(dev);

	if (fake_fails(bus))
		return DMA_MAPPING_ERROR;
	bus->maps++;
	bus->bytes += size;
	bus->attrs = attrs;
	return fake_addr(phys);
}

static void fake_unmap_phys(struct device *dev, dma_addr_t addr, size_t size,
			    enum dma_data_direction dir, unsigned long attrs)
{
	struct fake_bus *bus = dev_get_drvdata(dev);

	bus->maps--;
	bus->bytes -= size;
}

static int fake_map_sg(struct device *dev, struct scatterlist *sgl, int nents,
		       enum dma_data_direction dir, unsigned long attrs)
{
	struct fake_bus *bus = dev_get_drvdata(dev);
	struct scatterlist *sg;
	int i;

	if (fake_fails(bus))
		return -ENOMEM;
	for_each_sg(sgl, sg, nents, i) {
		sg_dma_address(sg) = fake_addr(sg_phys(sg));
		sg_dma_len(sg) = sg->length;
		bus->bytes += sg->length;
	}
	bus->maps++;
	return nents;
}

static void fake_unmap_sg(struct device *dev, struct scatterlist *sgl,
			  int nents, enum dma_data_direction dir,
			  unsigned long attrs)
{
	struct fake_bus *bus = dev_get_drvdata(dev);
	struct scatterlist *sg;
	int i;

	for_each_sg(sgl, sg, nents, i)
		bus->bytes -= sg_dma_len(sg);
	bus->maps--;
}

static void fake_sync(struct device *dev, dma_addr_t addr, size_t size,
		      enum dma_data_direction dir)
{
	struct fake_bus *bus = dev_get_drvdata(dev);

	bus->syncs++;
}

static void fake_sync_sg(struct device *dev, struct scatterlist *sgl, int nents,
			 enum dma_data_direction dir)
{
	struct fake_bus *bus = dev_get_drvdata(dev);

	bus->syncs++;
}

static unsigned long fake_get_merge_boundary(struct device *dev)
{
	return PAGE_SIZE - 1;
}

static const struct dma_map_ops fake_ops = {
	.alloc = fake_alloc,
	.free = fake_free,
	.alloc_pages_op = fake_alloc_pages,
	.free_pages = fake_free_pages,
	.map_phys = fake_map_phys,
	.unmap_phys = fake_unmap_phys,
	.map_sg = fake_map_sg,
	.unmap_sg = fake_unmap_sg,
	.sync_single_for_cpu = fake_sync,
	.sync_single_for_device = fake_sync,
	.sync_sg_for_cpu = fake_sync_sg,
	.sync_sg_for_device = fake_sync_sg,
	.get_merge_boundary = fake_get_merge_boundary,
};

/**
 * struct layer_test - what a test works with
 * @dev: a device without a driver
 * @bus: what serves it, or NULL for direct mapping
 */
struct layer_test {
	struct device *dev;
	struct fake_bus *bus;
};

static void layer_test_unregister(void *pdev)
{
	platform_device_unregister(pdev);
}

/* A device, with @fake_ops unless @direct. */
static void layer_test_init(struct kunit *test, struct layer_test *t,
			    const char *name, bool direct)
{
	struct platform_device *pdev;

	pdev = platform_device_register_simple(name, PLATFORM_DEVID_AUTO, NULL,
					       0);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, pdev);
	KUNIT_ASSERT_EQ(test, 0,
			kunit_add_action_or_reset(test, layer_test_unregister,
						  pdev));
	t->dev = &pdev->dev;
	t->bus = NULL;
	if (direct) {
		if (get_dma_ops(t->dev))
			kunit_skip(test, "no direct mapping in this system");
	} else {
		t->bus = kunit_kzalloc(test, sizeof(*t->bus), GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, t->bus);
		dev_set_drvdata(t->dev, t->bus);
		set_dma_ops(t->dev, &fake_ops);
	}
	KUNIT_ASSERT_EQ(test, 0,
			dma_set_mask_and_coherent(t->dev, DMA_BIT_MASK(64)));
}

/* Put a layer on the device and return it. */
static struct dma_layer *layer_test_push(struct kunit *test,
					 struct layer_test *t,
					 const struct dma_layer_type *type)
{
	struct dma_layer *layer;
	int ret;

	device_lock(t->dev);
	ret = dma_layer_push(t->dev, type->name);
	device_unlock(t->dev);
	KUNIT_ASSERT_EQ(test, 0, ret);
	layer = dma_layer_get(t->dev, type);
	KUNIT_ASSERT_NOT_NULL(test, layer);
	return layer;
}

/* Map a buffer; dma-debug insists that dma_mapping_error() is asked. */
static dma_addr_t __maybe_unused test_map(struct device *dev, phys_addr_t phys,
					  size_t size,
					  enum dma_data_direction dir,
					  unsigned long attrs)
{
	dma_addr_t addr = dma_map_phys(dev, phys, size, dir, attrs);

	return dma_mapping_error(dev, addr) ? DMA_MAPPING_ERROR : addr;
}

/* A zeroed page that lives as long as the test. */
static void layer_test_free_page(void *page)
{
	__free_page(page);
}

static struct page *layer_test_page(struct kunit *test)
{
	struct page *page = alloc_page(GFP_KERNEL | __GFP_ZERO);

	KUNIT_ASSERT_NOT_NULL(test, page);
	KUNIT_ASSERT_EQ(test, 0,
			kunit_add_action_or_reset(test, layer_test_free_page,
						  page));
	return page;
}

#endif /* _KERNEL_DMA_LAYER_KUNIT_H */
