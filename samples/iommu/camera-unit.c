// SPDX-License-Identifier: GPL-2.0-only
/*
 * A driver for the channels of the camera: frames for, and from, user space
 *
 * Buffers come from each of the DMA API's sources. Nothing here knows that the
 * device is behind an MMU of its own, or whether it is coherent.
 */
#include <linux/dma-buf.h>
#include <linux/dma-mapping.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>

#include "camera-regs.h"
#include "camera.h"

#define RING_ENTRIES	1024
#define RING_BYTES	(RING_ENTRIES * CAM_DESC_WORDS * 4)

/* Memory that can outlive the unit: a dma-buf has a reference */
struct camera_pages {
	struct kref ref;
	unsigned int count;
	struct page *page[];
};

struct camera_buffer {
	enum camera_kind kind;
	bool queued;
	size_t size;
	unsigned int last;		/* its last descriptor */
	unsigned int descriptors;
	struct sg_table *sgt;
	void *coherent;
	dma_addr_t dma;
	struct camera_pages *pages;
	struct sg_table sgt_of_pages;
	struct dma_buf_attachment *attachment;
};

/* One for each unit, and one reference for the unit and for its user */
struct camera_node {
	struct kref ref;
	struct miscdevice misc;
	struct mutex lock;		/* all that follows */
	struct device *dev;		/* NULL: the driver is unbound */
	struct camera_unit *unit;	/* a reference: for its wait queue */
	enum dma_data_direction direction;
	struct address_space *mapping;	/* of the user, if there is one */
	__le32 *ring;
	dma_addr_t ring_dma;
	unsigned int head, used;
	struct camera_buffer *buffer[CAMERA_BUFFERS];
	atomic_t mmaps[CAMERA_BUFFERS];	/* not under the lock */
	unsigned int fifo[CAMERA_BUFFERS], queued;
};

static void node_free(struct kref *ref)
{
	struct camera_node *node = container_of(ref, struct camera_node, ref);

	put_device(&node->unit->aux.dev);
	kfree(node);
}

static unsigned long coherent_attrs(const struct camera_buffer *buf)
{
	return buf->kind == CAMERA_COMBINED ? DMA_ATTR_WRITE_COMBINE : 0;
}

/*
 * Pages, which are exported
 */
static void pages_free(struct kref *ref)
{
	struct camera_pages *pages = container_of(ref, struct camera_pages, ref);
	unsigned int i;

	for (i = 0; i < pages->count; i++)
		put_page(pages->page[i]);
	kvfree(pages);
}

static struct camera_pages *pages_alloc(size_t size)
{
	struct camera_pages *pages;
	unsigned int i;

	pages = kvzalloc_flex(*pages, page, size >> PAGE_SHIFT);
	if (!pages)
		return NULL;
	kref_init(&pages->ref);
	for (i = 0; i < size >> PAGE_SHIFT; i++) {
		pages->page[i] = alloc_page(GFP_KERNEL | __GFP_ZERO);
		if (!pages->page[i]) {
			kref_put(&pages->ref, pages_free);
			return NULL;
		}
		pages->count++;
	}
	return pages;
}

static int pages_map(struct camera_pages *pages, struct device *dev,
		     struct sg_table *sgt, enum dma_data_direction direction)
{
	int ret = sg_alloc_table_from_pages(sgt, pages->page, pages->count, 0,
					    (size_t)pages->count << PAGE_SHIFT,
					    GFP_KERNEL);

	if (ret)
		return ret;
	ret = dma_map_sgtable(dev, sgt, direction, 0);
	if (ret)
		sg_free_table(sgt);
	return ret;
}

static struct sg_table *export_map(struct dma_buf_attachment *attachment,
				   enum dma_data_direction direction)
{
	struct sg_table *sgt = kzalloc_obj(*sgt);
	int ret;

	if (!sgt)
		return ERR_PTR(-ENOMEM);
	ret = pages_map(attachment->dmabuf->priv, attachment->dev, sgt,
			direction);
	if (!ret)
		return sgt;
	kfree(sgt);
	return ERR_PTR(ret);
}

static void export_unmap(struct dma_buf_attachment *attachment,
			 struct sg_table *sgt,
			 enum dma_data_direction direction)
{
	dma_unmap_sgtable(attachment->dev, sgt, direction, 0);
	sg_free_table(sgt);
	kfree(sgt);
}

static int export_mmap(struct dma_buf *dmabuf, struct vm_area_struct *vma)
{
	struct camera_pages *pages = dmabuf->priv;

	return vm_map_pages(vma, pages->page, pages->count);
}

static int export_vmap(struct dma_buf *dmabuf, struct iosys_map *map)
{
	struct camera_pages *pages = dmabuf->priv;
	void *vaddr = vmap(pages->page, pages->count, VM_MAP, PAGE_KERNEL);

	if (!vaddr)
		return -ENOMEM;
	iosys_map_set_vaddr(map, vaddr);
	return 0;
}

static void export_vunmap(struct dma_buf *dmabuf, struct iosys_map *map)
{
	vunmap(map->vaddr);
}

static void export_release(struct dma_buf *dmabuf)
{
	struct camera_pages *pages = dmabuf->priv;

	kref_put(&pages->ref, pages_free);
}

/* Caches are maintained where an importer maps and unmaps. */
static const struct dma_buf_ops export_ops = {
	.map_dma_buf = export_map,
	.unmap_dma_buf = export_unmap,
	.mmap = export_mmap,
	.vmap = export_vmap,
	.vunmap = export_vunmap,
	.release = export_release,
};

static int export_pages(struct camera_pages *pages)
{
	DEFINE_DMA_BUF_EXPORT_INFO(info);
	struct dma_buf *dmabuf;
	int fd;

	info.ops = &export_ops;
	info.size = (size_t)pages->count << PAGE_SHIFT;
	info.flags = O_RDWR;
	info.priv = pages;
	kref_get(&pages->ref);
	dmabuf = dma_buf_export(&info);
	if (IS_ERR(dmabuf)) {
		kref_put(&pages->ref, pages_free);
		return PTR_ERR(dmabuf);
	}
	fd = dma_buf_fd(dmabuf, O_CLOEXEC);
	if (fd < 0)
		dma_buf_put(dmabuf);
	return fd;
}

/*
 * Buffers
 */
static int buffer_init_pages(struct camera_node *node,
			     struct camera_buffer *buf)
{
	int ret;

	buf->pages = pages_alloc(buf->size);
	if (!buf->pages)
		return -ENOMEM;
	ret = pages_map(buf->pages, node->dev, &buf->sgt_of_pages,
			node->direction);
	if (ret)
		kref_put(&buf->pages->ref, pages_free);
	else
		buf->sgt = &buf->sgt_of_pages;
	return ret;
}

static int buffer_init_import(struct camera_node *node,
			      struct camera_buffer *buf, int fd)
{
	struct dma_buf *dmabuf = dma_buf_get(fd);

	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);
	buf->attachment = dmabuf->size != buf->size ? ERR_PTR(-EINVAL) :
			  dma_buf_attach(dmabuf, node->dev);
	if (IS_ERR(buf->attachment)) {
		dma_buf_put(dmabuf);
		return PTR_ERR(buf->attachment);
	}
	return 0;
}

static int buffer_init(struct camera_node *node, struct camera_buffer *buf,
		       int fd)
{
	switch (buf->kind) {
	case CAMERA_COHERENT:
	case CAMERA_COMBINED:
		buf->coherent = dma_alloc_attrs(node->dev, buf->size,
						&buf->dma, GFP_KERNEL,
						coherent_attrs(buf));
		return buf->coherent ? 0 : -ENOMEM;
	case CAMERA_NONCONTIGUOUS:
		buf->sgt = dma_alloc_noncontiguous(node->dev, buf->size,
						   node->direction,
						   GFP_KERNEL | __GFP_ZERO, 0);
		return buf->sgt ? 0 : -ENOMEM;
	case CAMERA_PAGES:
		return buffer_init_pages(node, buf);
	case CAMERA_IMPORT:
		return buffer_init_import(node, buf, fd);
	}
	return -EINVAL;
}

/* What somebody else has mapped is ours from queue to dequeue only. */
static void import_unmap(struct camera_node *node, struct camera_buffer *buf)
{
	if (buf->attachment && buf->sgt) {
		dma_buf_unmap_attachment_unlocked(buf->attachment, buf->sgt,
						  node->direction);
		buf->sgt = NULL;
	}
}

static void buffer_free(struct camera_node *node, struct camera_buffer *buf)
{
	struct dma_buf *dmabuf;

	switch (buf->kind) {
	case CAMERA_COHERENT:
	case CAMERA_COMBINED:
		dma_free_attrs(node->dev, buf->size, buf->coherent, buf->dma,
			       coherent_attrs(buf));
		break;
	case CAMERA_NONCONTIGUOUS:
		dma_free_noncontiguous(node->dev, buf->size, buf->sgt,
				       node->direction);
		break;
	case CAMERA_PAGES:
		dma_unmap_sgtable(node->dev, buf->sgt, node->direction, 0);
		sg_free_table(buf->sgt);
		kref_put(&buf->pages->ref, pages_free);
		break;
	case CAMERA_IMPORT:
		import_unmap(node, buf);
		dmabuf = buf->attachment->dmabuf;
		dma_buf_detach(dmabuf, buf->attachment);
		dma_buf_put(dmabuf);
		break;
	}
	kfree(buf);
}

/* To the device, or to the processors; coherent memory needs neither. */
static int buffer_to_device(struct camera_node *node,
			    struct camera_buffer *buf)
{
	struct sg_table *sgt;

	if (buf->attachment) {
		sgt = dma_buf_map_attachment_unlocked(buf->attachment,
						      node->direction);
		if (IS_ERR(sgt))
			return PTR_ERR(sgt);
		buf->sgt = sgt;
	} else if (buf->sgt) {
		dma_sync_sgtable_for_device(node->dev, buf->sgt,
					    node->direction);
	}
	return 0;
}

static void buffer_to_cpu(struct camera_node *node, struct camera_buffer *buf)
{
	if (buf->attachment)
		import_unmap(node, buf);
	else if (buf->sgt)
		dma_sync_sgtable_for_cpu(node->dev, buf->sgt, node->direction);
}

static int buffer_mmap(struct camera_node *node, struct camera_buffer *buf,
		       struct vm_area_struct *vma)
{
	switch (buf->kind) {
	case CAMERA_COHERENT:
	case CAMERA_COMBINED:
		return dma_mmap_attrs(node->dev, vma, buf->coherent, buf->dma,
				      buf->size, coherent_attrs(buf));
	case CAMERA_NONCONTIGUOUS:
		return dma_mmap_noncontiguous(node->dev, vma, buf->size,
					      buf->sgt);
	case CAMERA_PAGES:
		return vm_map_pages(vma, buf->pages->page, buf->pages->count);
	case CAMERA_IMPORT:
		break;		/* The dma-buf itself can be mapped. */
	}
	return -EINVAL;
}

static u32 sum_of(const __le32 *words, size_t bytes)
{
	u32 sum = CAM_SUM_START;
	size_t i;

	for (i = 0; i < bytes / 4; i++)
		sum = cam_sum(sum, le32_to_cpu(words[i]));
	return sum;
}

static int buffer_sum(struct camera_node *node, struct camera_buffer *buf,
		      u32 *sum)
{
	void *vaddr = buf->coherent;

	if (buf->kind == CAMERA_NONCONTIGUOUS)
		vaddr = dma_vmap_noncontiguous(node->dev, buf->size, buf->sgt);
	else if (buf->kind == CAMERA_PAGES)
		vaddr = vmap(buf->pages->page, buf->pages->count, VM_MAP,
			     PAGE_KERNEL);
	if (!vaddr)
		return buf->kind == CAMERA_IMPORT ? -EINVAL : -ENOMEM;
	*sum = sum_of(vaddr, buf->size);
	if (buf->kind == CAMERA_NONCONTIGUOUS)
		dma_vunmap_noncontiguous(node->dev, vaddr);
	else if (buf->kind == CAMERA_PAGES)
		vunmap(vaddr);
	return 0;
}

/*
 * The ring
 */
static void channel_start(struct camera_node *node)
{
	void __iomem *regs = node->unit->regs;

	writel(0, regs + CAM_CH_CTRL);
	writel(lower_32_bits(node->ring_dma), regs + CAM_CH_RING);
	writel(RING_ENTRIES, regs + CAM_CH_ENTRIES);
	writel(CAM_CH_RUN, regs + CAM_CH_CTRL);
	node->head = 0;
	node->used = 0;
}

/* The channel is at rest when the write has arrived. */
static void channel_stop(struct camera_node *node)
{
	writel(0, node->unit->regs + CAM_CH_CTRL);
	readl(node->unit->regs + CAM_CH_CTRL);
	while (node->queued) {
		struct camera_buffer *buf =
			node->buffer[node->fifo[--node->queued]];

		buffer_to_cpu(node, buf);
		buf->queued = false;
	}
}

static void describe(struct camera_node *node, dma_addr_t addr, u32 length,
		     u32 flags)
{
	__le32 *desc = node->ring + node->head * CAM_DESC_WORDS;

	desc[CAM_DESC_ADDR] = cpu_to_le32(lower_32_bits(addr));
	desc[CAM_DESC_LENGTH] = cpu_to_le32(length);
	desc[CAM_DESC_FLAGS] = cpu_to_le32(flags);
	desc[CAM_DESC_STATUS] = 0;
	node->head = (node->head + 1) % RING_ENTRIES;
	node->used++;
}

static int buffer_queue(struct camera_node *node, unsigned int index)
{
	struct camera_buffer *buf = node->buffer[index];
	const u32 end = CAM_DESC_LAST | CAM_DESC_IRQ;
	struct scatterlist *sg;
	unsigned int i, count;
	int ret = buffer_to_device(node, buf);

	if (ret)
		return ret;
	count = buf->sgt ? buf->sgt->nents : 1;
	if (node->used + count >= RING_ENTRIES) {
		buffer_to_cpu(node, buf);
		return -EBUSY;
	}
	if (!buf->sgt)
		describe(node, buf->dma, buf->size, end);
	else
		for_each_sgtable_dma_sg(buf->sgt, sg, i)
			describe(node, sg_dma_address(sg), sg_dma_len(sg),
				 i == count - 1 ? end : 0);
	buf->last = (node->head ?: RING_ENTRIES) - 1;
	buf->descriptors = count;
	buf->queued = true;
	node->fifo[node->queued++] = index;
	dma_wmb();	/* the descriptors before the bell */
	writel(node->head, node->unit->regs + CAM_CH_HEAD);
	return 0;
}

/* -EAGAIN: not yet */
static int buffer_dequeue(struct camera_node *node, struct camera_frame *frame)
{
	unsigned int index = node->fifo[0];
	struct camera_buffer *buf;
	__le32 *desc;

	if (!node->queued)
		return -EINVAL;
	buf = node->buffer[index];
	desc = node->ring + buf->last * CAM_DESC_WORDS;
	if (!(le32_to_cpu(READ_ONCE(desc[CAM_DESC_STATUS])) & CAM_DESC_DONE)) {
		if (!(readl(node->unit->regs + CAM_CH_STATUS) &
		      (CAM_CH_FAULTED | CAM_CH_BAD)))
			return -EAGAIN;
		channel_stop(node);
		channel_start(node);
		return -EIO;
	}
	dma_rmb();	/* the status before the rest */
	frame->buffer = index;
	frame->sequence = le32_to_cpu(desc[CAM_DESC_SEQUENCE]);
	frame->sum = le32_to_cpu(desc[CAM_DESC_SUM]);
	frame->bytes = le32_to_cpu(desc[CAM_DESC_BYTES]);
	node->queued--;
	memmove(node->fifo, node->fifo + 1, node->queued * sizeof(*node->fifo));
	node->used -= buf->descriptors;
	buf->queued = false;
	buffer_to_cpu(node, buf);
	return 0;
}

/*
 * User space
 */
static void node_stop(struct camera_node *node)
{
	unsigned int i;

	channel_stop(node);
	for (i = 0; i < CAMERA_BUFFERS; i++) {
		if (node->buffer[i])
			buffer_free(node, node->buffer[i]);
		node->buffer[i] = NULL;
	}
	dma_free_coherent(node->dev, RING_BYTES, node->ring, node->ring_dma);
}

static struct camera_node *node_of(struct file *file)
{
	return container_of(file->private_data, struct camera_node, misc);
}

static int camera_open(struct inode *inode, struct file *file)
{
	struct camera_node *node = node_of(file);

	guard(mutex)(&node->lock);
	if (!node->dev)
		return -ENODEV;
	if (node->mapping)
		return -EBUSY;
	node->ring = dma_alloc_coherent(node->dev, RING_BYTES, &node->ring_dma,
					GFP_KERNEL);
	if (!node->ring)
		return -ENOMEM;
	channel_start(node);
	node->mapping = inode->i_mapping;
	kref_get(&node->ref);
	return 0;
}

static int camera_release(struct inode *inode, struct file *file)
{
	struct camera_node *node = node_of(file);

	scoped_guard(mutex, &node->lock) {
		if (node->dev)
			node_stop(node);
		node->mapping = NULL;
	}
	kref_put(&node->ref, node_free);
	return 0;
}

static void camera_vm_open(struct vm_area_struct *vma)
{
	atomic_inc(vma->vm_private_data);
}

static void camera_vm_close(struct vm_area_struct *vma)
{
	atomic_dec(vma->vm_private_data);
}

static const struct vm_operations_struct camera_vm_ops = {
	.open = camera_vm_open,
	.close = camera_vm_close,
};

static int camera_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct camera_node *node = node_of(file);
	unsigned long index = vma->vm_pgoff >> (CAMERA_MMAP_SHIFT - PAGE_SHIFT);
	int ret;

	guard(mutex)(&node->lock);
	if (!node->dev)
		return -ENODEV;
	if (index >= CAMERA_BUFFERS || !node->buffer[index])
		return -EINVAL;
	vma->vm_pgoff = 0;
	vm_flags_set(vma, VM_DONTEXPAND | VM_DONTDUMP);
	ret = buffer_mmap(node, node->buffer[index], vma);
	if (ret)
		return ret;
	vma->vm_private_data = &node->mmaps[index];
	vma->vm_ops = &camera_vm_ops;
	camera_vm_open(vma);
	return 0;
}

static int get_buffer(struct camera_node *node, const struct camera_get *get)
{
	struct camera_buffer *buf;
	unsigned int index;
	int ret;

	if (!get->size || get->size & ~PAGE_MASK || get->reserved ||
	    get->size > 1 << CAMERA_MMAP_SHIFT)
		return -EINVAL;
	for (index = 0; index < CAMERA_BUFFERS && node->buffer[index]; index++)
		;
	if (index == CAMERA_BUFFERS)
		return -ENOSPC;
	buf = kzalloc_obj(*buf);
	if (!buf)
		return -ENOMEM;
	buf->kind = get->kind;
	buf->size = get->size;
	ret = buffer_init(node, buf, get->fd);
	if (ret) {
		kfree(buf);
		return ret;
	}
	node->buffer[index] = buf;
	return index;
}

/* Mappings of user space need the memory; with the lock no more are made. */
static int put_buffer(struct camera_node *node, unsigned int index)
{
	if (atomic_read(&node->mmaps[index]))
		return -EBUSY;
	buffer_free(node, node->buffer[index]);
	node->buffer[index] = NULL;
	return 0;
}

/* With the number of a buffer that is not queued; may replace the number */
static int buffer_command(struct camera_node *node, unsigned int command,
			  u32 *number)
{
	struct camera_buffer *buf;

	if (*number >= CAMERA_BUFFERS || !node->buffer[*number])
		return -EINVAL;
	buf = node->buffer[*number];
	if (buf->queued)
		return -EBUSY;
	switch (command) {
	case CAMERA_PUT:
		return put_buffer(node, *number);
	case CAMERA_QUEUE:
		return buffer_queue(node, *number);
	case CAMERA_SUM:
		return buffer_sum(node, buf, number);
	case CAMERA_EXPORT:
		return buf->pages ? export_pages(buf->pages) : -EINVAL;
	}
	return -ENOTTY;
}

static int wait_for_frame(struct camera_node *node, struct camera_frame *frame)
{
	DEFINE_WAIT_FUNC(wait, woken_wake_function);
	int ret;

	add_wait_queue(&node->unit->wait, &wait);
	for (;;) {
		scoped_guard(mutex, &node->lock)
			ret = node->dev ? buffer_dequeue(node, frame) : -ENODEV;
		if (ret != -EAGAIN)
			break;
		if (signal_pending(current)) {
			ret = -ERESTARTSYS;
			break;
		}
		wait_woken(&wait, TASK_INTERRUPTIBLE, MAX_SCHEDULE_TIMEOUT);
	}
	remove_wait_queue(&node->unit->wait, &wait);
	return ret;
}

static long camera_ioctl(struct file *file, unsigned int command,
			 unsigned long arg)
{
	struct camera_node *node = node_of(file);
	void __user *user = (void __user *)arg;
	struct camera_frame frame;
	struct camera_get get;
	u32 number;
	long ret;

	switch (command) {
	case CAMERA_GET:
		if (copy_from_user(&get, user, sizeof(get)))
			return -EFAULT;
		scoped_guard(mutex, &node->lock)
			ret = node->dev ? get_buffer(node, &get) : -ENODEV;
		return ret;
	case CAMERA_DEQUEUE:
		ret = wait_for_frame(node, &frame);
		if (!ret && copy_to_user(user, &frame, sizeof(frame)))
			return -EFAULT;
		return ret;
	}
	if (get_user(number, (u32 __user *)user))
		return -EFAULT;
	scoped_guard(mutex, &node->lock)
		ret = node->dev ? buffer_command(node, command, &number) :
				  -ENODEV;
	if (!ret && command == CAMERA_SUM && put_user(number, (u32 __user *)user))
		return -EFAULT;
	return ret;
}

static const struct file_operations camera_fops = {
	.owner = THIS_MODULE,
	.open = camera_open,
	.release = camera_release,
	.mmap = camera_mmap,
	.unlocked_ioctl = camera_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};

static int camera_unit_probe(struct auxiliary_device *aux,
			     const struct auxiliary_device_id *id)
{
	struct camera_node *node;
	int ret;

	ret = dma_set_mask_and_coherent(&aux->dev, DMA_BIT_MASK(32));
	if (ret)
		return ret;
	node = kzalloc_obj(*node);
	if (!node)
		return -ENOMEM;
	kref_init(&node->ref);
	mutex_init(&node->lock);
	node->unit = container_of(aux, struct camera_unit, aux);
	node->dev = get_device(&aux->dev);
	node->direction = node->unit->captures ? DMA_FROM_DEVICE :
						 DMA_TO_DEVICE;
	node->misc.minor = MISC_DYNAMIC_MINOR;
	node->misc.name = dev_name(&aux->dev);
	node->misc.fops = &camera_fops;
	node->misc.parent = &aux->dev;
	ret = misc_register(&node->misc);
	if (ret)
		kref_put(&node->ref, node_free);
	else
		auxiliary_set_drvdata(aux, node);
	return ret;
}

/* The user may still have the file, and memory of his that he no more sees. */
static void camera_unit_remove(struct auxiliary_device *aux)
{
	struct camera_node *node = auxiliary_get_drvdata(aux);

	misc_deregister(&node->misc);
	scoped_guard(mutex, &node->lock) {
		if (node->mapping) {
			unmap_mapping_range(node->mapping, 0, 0, 1);
			node_stop(node);
		}
		node->dev = NULL;
	}
	wake_up_all(&node->unit->wait);
	kref_put(&node->ref, node_free);
}

static const struct auxiliary_device_id camera_unit_ids[] = {
	{ .name = KBUILD_MODNAME ".capture" },
	{ .name = KBUILD_MODNAME ".readback" },
	{ }
};
MODULE_DEVICE_TABLE(auxiliary, camera_unit_ids);

struct auxiliary_driver camera_unit_driver = {
	.name = "unit",
	.id_table = camera_unit_ids,
	.probe = camera_unit_probe,
	.remove = camera_unit_remove,
};
