// SPDX-License-Identifier: GPL-2.0-only
/*
 * A driver for a PCI function with an own MMU: the function, its interrupt, and
 * a device for each channel, which the MMU of camera-mmu.c serves
 *
 * The function exists in emulators only. Documentation/driver-api/dma-mmu.rst
 * walks through this file and that of the MMU.
 */
#include <linux/dma-mapping.h>
#include <linux/dma-noncoherent.h>
#include <linux/interrupt.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/slab.h>

#include "camera-core.h"
#include "camera-regs.h"
#include "camera.h"

static irqreturn_t camera_interrupt(int irq, void *data)
{
	struct camera *cam = data;
	u32 status, fault;
	unsigned int i;

	/* A line may be shared, and others use it when this one is disabled. */
	status = readl(cam->regs + CAM_IRQ_STATUS) &
		 readl(cam->regs + CAM_IRQ_ENABLE);
	if (!status || status == U32_MAX)
		return IRQ_NONE;
	writel(status, cam->regs + CAM_IRQ_STATUS);
	if (status & CAM_IRQ_FAULT) {
		fault = readl(cam->regs + CAM_FAULT_STATUS);
		dev_err_ratelimited(cam->dev, "channel %u: %s of %#x: fault %u\n",
				    CAM_FAULT_CHANNEL(fault),
				    fault & CAM_FAULT_WRITE ? "write" : "read",
				    readl(cam->regs + CAM_FAULT_ADDR),
				    CAM_FAULT_WHY(fault));
		writel(0, cam->regs + CAM_FAULT_STATUS);
	}
	for (i = 0; i < cam->units; i++)
		wake_up(&cam->unit[i]->wait);
	return IRQ_HANDLED;
}

static void camera_unit_release(struct device *dev)
{
	kfree(container_of(dev, struct camera_unit, aux.dev));
}

static void camera_del_unit(struct camera *cam, struct camera_unit *unit)
{
	camera_mmu_remove(cam, &unit->aux.dev);
	auxiliary_device_uninit(&unit->aux);
}

static void camera_del_units(struct camera *cam)
{
	unsigned int i;

	/* No interrupt wakes anybody any more. */
	writel(0, cam->regs + CAM_IRQ_ENABLE);
	synchronize_irq(pci_irq_vector(to_pci_dev(cam->dev), 0));
	while (cam->units) {
		i = --cam->units;
		auxiliary_device_delete(&cam->unit[i]->aux);
		camera_del_unit(cam, cam->unit[i]);
	}
}

static int camera_add_unit(struct camera *cam, unsigned int channel)
{
	struct camera_unit *unit = kzalloc_obj(*unit);
	int ret;

	if (!unit)
		return -ENOMEM;
	unit->regs = cam->regs + CAM_CH(channel);
	unit->captures = !(channel & 1);
	init_waitqueue_head(&unit->wait);
	unit->aux.name = unit->captures ? "capture" : "readback";
	unit->aux.id = pci_dev_id(to_pci_dev(cam->dev)) * CAMERA_UNITS + channel;
	unit->aux.dev.parent = cam->dev;
	unit->aux.dev.release = camera_unit_release;
	ret = auxiliary_device_init(&unit->aux);
	if (ret) {
		kfree(unit);
		return ret;
	}
	ret = camera_mmu_add(cam, &unit->aux.dev);
	if (ret) {
		auxiliary_device_uninit(&unit->aux);
		return ret;
	}
	ret = auxiliary_device_add(&unit->aux);
	if (ret) {
		camera_del_unit(cam, unit);
		return ret;
	}
	cam->unit[channel] = unit;
	cam->units = channel + 1;
	return camera_mmu_check(cam, &unit->aux.dev);
}

static int camera_add_units(struct camera *cam, unsigned int channels)
{
	unsigned int i;
	int ret = 0;

	for (i = 0; i < min(channels, CAMERA_UNITS) && !ret; i++)
		ret = camera_add_unit(cam, i);
	if (ret)
		camera_del_units(cam);
	else
		writel(U32_MAX, cam->regs + CAM_IRQ_ENABLE);
	return ret;
}

static int camera_init_function(struct camera *cam, struct pci_dev *pdev)
{
	int ret = pcim_enable_device(pdev);

	if (ret)
		return ret;
	cam->regs = pcim_iomap_region(pdev, 0, KBUILD_MODNAME);
	if (IS_ERR(cam->regs))
		return PTR_ERR(cam->regs);
	if (readl(cam->regs + CAM_ID) != CAM_ID_VALUE)
		return -ENODEV;
	writel(0, cam->regs + CAM_RESET);
	pci_set_master(pdev);
	if (!(readl(cam->regs + CAM_CAPS) & CAM_CAPS_COHERENT)) {
		ret = dma_set_noncoherent(&pdev->dev);
		if (ret)
			return ret;
	}
	ret = dma_set_mask_and_coherent(&pdev->dev, DMA_BIT_MASK(40));
	if (ret)
		return ret;
	ret = pci_alloc_irq_vectors(pdev, 1, 1, PCI_IRQ_ALL_TYPES);
	return ret < 0 ? ret : 0;
}

static int camera_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct camera *cam = devm_kzalloc(&pdev->dev, sizeof(*cam), GFP_KERNEL);
	int ret;

	if (!cam)
		return -ENOMEM;
	cam->dev = &pdev->dev;
	pci_set_drvdata(pdev, cam);
	ret = camera_init_function(cam, pdev);
	if (ret)
		return ret;
	ret = request_irq(pci_irq_vector(pdev, 0), camera_interrupt,
			  IRQF_SHARED, KBUILD_MODNAME, cam);
	if (ret)
		goto free_vectors;
	ret = camera_mmu_init(cam);
	if (ret)
		goto free_interrupt;
	ret = camera_add_units(cam,
			       CAM_CAPS_CHANNELS(readl(cam->regs + CAM_CAPS)));
	if (!ret)
		return 0;
	camera_mmu_exit(cam);
free_interrupt:
	free_irq(pci_irq_vector(pdev, 0), cam);
free_vectors:
	pci_free_irq_vectors(pdev);
	return ret;
}

static void camera_remove(struct pci_dev *pdev)
{
	struct camera *cam = pci_get_drvdata(pdev);

	camera_del_units(cam);
	camera_mmu_exit(cam);
	free_irq(pci_irq_vector(pdev, 0), cam);
	pci_free_irq_vectors(pdev);
}

static const struct pci_device_id camera_ids[] = {
	{ PCI_DEVICE(CAM_VENDOR_ID, CAM_DEVICE_ID) },
	{ }
};
MODULE_DEVICE_TABLE(pci, camera_ids);

static struct pci_driver camera_driver = {
	.name = KBUILD_MODNAME,
	.id_table = camera_ids,
	.probe = camera_probe,
	.remove = camera_remove,
};

static int __init camera_init(void)
{
	int ret = auxiliary_driver_register(&camera_unit_driver);

	if (ret)
		return ret;
	ret = pci_register_driver(&camera_driver);
	if (ret)
		auxiliary_driver_unregister(&camera_unit_driver);
	return ret;
}
module_init(camera_init);

static void __exit camera_exit(void)
{
	pci_unregister_driver(&camera_driver);
	auxiliary_driver_unregister(&camera_unit_driver);
}
module_exit(camera_exit);

MODULE_DESCRIPTION("Sample: a PCI function with an own MMU");
MODULE_IMPORT_NS("DMA_BUF");
MODULE_LICENSE("GPL");
