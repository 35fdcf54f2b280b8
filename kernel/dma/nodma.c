// SPDX-License-Identifier: GPL-2.0-only
/*
 * No-DMA ranges: where they come from, and the bounce slots that replace them.
 *
 * The nodma layer may be a module.  What has to exist before modules do, or
 * needs symbols that modules do not see, is here: the boot parameter, the API
 * for platform code, and access to swiotlb.
 *
 * A device takes over its ranges when it gets the layer.  From then on nobody
 * but the layer itself changes them, and only while no driver is bound, so that
 * mapping reads them without a lock.
 */
#define pr_fmt(fmt) "dma-nodma: " fmt

#include <linux/cleanup.h>
#include <linux/ctype.h>
#include <linux/device.h>
#include <linux/dma-direct.h>
#include <linux/dma-nodma.h>
#include <linux/dma-path.h>
#include <linux/export.h>
#include <linux/init.h>
#include <linux/mutex.h>
#include <linux/overflow.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/swiotlb.h>
#include <kunit/static_stub.h>
#include "nodma.h"
#include "path.h"

/* Room for all dma_nodma= words of the command line. */
#define NODMA_CMDLINE		1024

/* Who may use what is exported here; nodma.h has the declarations. */
#define NODMA_MODULES		"dma-layer-nodma*"

/**
 * struct nodma_source - ranges of one device, or of several
 * @node: on nodma_sources
 * @pattern: devices as on the command line, or NULL
 * @bus: with @name, bus of the one device meant
 * @name: name of the one device meant, or NULL for every device
 * @set: the ranges
 */
struct nodma_source {
	struct list_head node;
	const char *pattern;
	const struct bus_type *bus;
	const char *name;
	struct nodma_ranges set;
};

/* Protects the lists; nests inside the device lock and dma_path_mutex. */
static DEFINE_MUTEX(nodma_lock);
static LIST_HEAD(nodma_sources);
static LIST_HEAD(nodma_users);

static char nodma_cmdline[NODMA_CMDLINE] __initdata;
static bool nodma_cmdline_cut __initdata;

/*
 * Sets of ranges
 */

/**
 * nodma_ranges_hit - does a buffer touch a range of a set?
 * @set: the set
 * @start: first byte of the buffer
 * @size: its length; an empty buffer counts as one byte
 *
 * Context: any.
 * Return: true if it does, or if the buffer wraps around.
 */
bool nodma_ranges_hit(const struct nodma_ranges *set, phys_addr_t start,
		      size_t size)
{
	unsigned int low = 0, high = set->nr;
	phys_addr_t last;

	if (!high)
		return false;
	if (check_add_overflow(start, (phys_addr_t)(size ? size - 1 : 0),
			       &last))
		return true;

	/* Find the first range that ends at or after the buffer's start. */
	while (low < high) {
		unsigned int mid = (low + high) / 2;

		if (set->range[mid].last < start)
			low = mid + 1;
		else
			high = mid;
	}
	return low < set->nr && set->range[low].start <= last;
}
EXPORT_SYMBOL_FOR_MODULES(nodma_ranges_hit, NODMA_MODULES);

static bool nodma_range_touches(const struct nodma_range *a,
				const struct nodma_range *b)
{
	/* Written so that the top of the address space cannot wrap. */
	if (a->last < b->start)
		return b->start - a->last == 1;
	if (b->last < a->start)
		return a->start - b->last == 1;
	return true;
}

/**
 * nodma_ranges_add - add a range to a set
 * @set: the set
 * @start: first byte
 * @last: last byte
 *
 * Return: 0, -EINVAL when @last lies before @start, -ENOSPC when the set is
 * full.  The set is unchanged after an error.
 */
int nodma_ranges_add(struct nodma_ranges *set, phys_addr_t start,
		     phys_addr_t last)
{
	struct nodma_range new = { start, last };
	unsigned int i = 0, end;

	if (last < start)
		return -EINVAL;

	while (i < set->nr && set->range[i].last < start &&
	       !nodma_range_touches(&set->range[i], &new))
		i++;
	for (end = i; end < set->nr; end++) {
		if (!nodma_range_touches(&set->range[end], &new))
			break;
		new.start = min(new.start, set->range[end].start);
		new.last = max(new.last, set->range[end].last);
	}
	if (end == i && set->nr == NODMA_RANGES_MAX)
		return -ENOSPC;

	/* [i, end) becomes one range. */
	memmove(&set->range[i + 1], &set->range[end],
		(set->nr - end) * sizeof(new));
	set->nr = set->nr - (end - i) + 1;
	set->range[i] = new;
	return 0;
}
EXPORT_SYMBOL_FOR_MODULES(nodma_ranges_add, NODMA_MODULES);

/**
 * nodma_ranges_cut - take addresses out of a set
 * @set: the set
 * @start: first byte
 * @last: last byte
 *
 * Context: process, may sleep.
 * Return: 0, -EINVAL when @last lies before @start, -ENOENT when the set holds
 * none of the addresses, -ENOSPC when the result has too many ranges, -ENOMEM.
 * The set is unchanged after an error.
 */
int nodma_ranges_cut(struct nodma_ranges *set, phys_addr_t start,
		     phys_addr_t last)
{
	struct nodma_ranges *out __free(kfree) = NULL;
	bool found = false;
	unsigned int i;
	int ret;

	if (last < start)
		return -EINVAL;
	out = kzalloc_obj(*out);
	if (!out)
		return -ENOMEM;
	for (i = 0; i < set->nr; i++) {
		const struct nodma_range *r = &set->range[i];

		if (r->last < start || r->start > last) {
			ret = nodma_ranges_add(out, r->start, r->last);
			if (ret)
				return ret;
			continue;
		}
		found = true;
		if (r->start < start &&
		    nodma_ranges_add(out, r->start, start - 1))
			return -ENOSPC;
		if (r->last > last &&
		    nodma_ranges_add(out, last + 1, r->last))
			return -ENOSPC;
	}
	if (!found)
		return -ENOENT;
	*set = *out;
	return 0;
}
EXPORT_SYMBOL_FOR_MODULES(nodma_ranges_cut, NODMA_MODULES);

static int nodma_ranges_merge(struct nodma_ranges *set,
			      const struct nodma_ranges *other)
{
	unsigned int i;
	int ret;

	for (i = 0; i < other->nr; i++) {
		ret = nodma_ranges_add(set, other->range[i].start,
				       other->range[i].last);
		if (ret)
			return ret;
	}
	return 0;
}

/*
 * Text
 */

/* A number with an optional K, M, G or T.  memparse() would let it wrap. */
static int nodma_parse_number(char *text, phys_addr_t *value)
{
	size_t len = strlen(text);
	unsigned int shift = 0;
	u64 number;

	if (!len || !isdigit(*text))
		return -EINVAL;
	switch (toupper(text[len - 1])) {
	case 'T':
		shift += 10;
		fallthrough;
	case 'G':
		shift += 10;
		fallthrough;
	case 'M':
		shift += 10;
		fallthrough;
	case 'K':
		shift += 10;
		text[len - 1] = '\0';
		break;
	default:
		break;
	}
	if (kstrtou64(text, 0, &number) ||
	    number > (U64_MAX >> shift) ||
	    overflows_type(number << shift, *value))
		return -EINVAL;
	*value = number << shift;
	return 0;
}

/* "<start>-<last>" or "<size>@<start>" */
static int nodma_parse_range(char *text, struct nodma_range *range)
{
	char *second = strpbrk(text, "-@");
	phys_addr_t a, b;
	bool sized;

	if (!second)
		return -EINVAL;
	sized = *second == '@';
	*second++ = '\0';
	if (nodma_parse_number(text, &a) || nodma_parse_number(second, &b))
		return -EINVAL;
	if (!sized) {
		*range = (struct nodma_range){ a, b };
		return a <= b ? 0 : -EINVAL;
	}
	range->start = b;
	if (!a || check_add_overflow(b, a - 1, &range->last))
		return -EINVAL;
	return 0;
}

/* Ranges joined by "+" */
static int nodma_parse_word(char *word, struct nodma_ranges *set)
{
	struct nodma_range range;
	char *piece;
	int ret;

	while ((piece = strsep(&word, "+"))) {
		if (nodma_parse_range(piece, &range))
			return -EINVAL;
		ret = nodma_ranges_add(set, range.start, range.last);
		if (ret)
			return ret;
	}
	return 0;
}

/**
 * nodma_ranges_parse - read a list of ranges
 * @text: ranges joined by "+" or separated by white space
 * @set: receives them
 *
 * Context: process, may sleep.
 * Return: 0, -EINVAL when @text is malformed or empty, -ENOSPC, -ENOMEM.  @set
 * is unchanged after an error.
 */
int nodma_ranges_parse(const char *text, struct nodma_ranges *set)
{
	struct nodma_ranges *out __free(kfree) = kzalloc_obj(*out);
	char *copy __free(kfree) = kstrdup(text, GFP_KERNEL);
	char *pos = copy, *word;
	int ret;

	if (!out || !copy)
		return -ENOMEM;
	while ((word = strsep(&pos, " \t\n"))) {
		if (!*word)
			continue;
		ret = nodma_parse_word(word, out);
		if (ret)
			return ret;
	}
	if (!out->nr)
		return -EINVAL;
	*set = *out;
	return 0;
}
EXPORT_SYMBOL_FOR_MODULES(nodma_ranges_parse, NODMA_MODULES);

/**
 * nodma_entry_parse - read an entry of dma_nodma=
 * @entry: "<device>:<ranges>"; the last colon counts, devices have some too
 * @pattern: receives the device, to be freed by the caller
 * @set: receives the ranges
 *
 * Context: process, may sleep.
 * Return: as nodma_ranges_parse(); @pattern and @set are unchanged after an
 * error.
 */
int nodma_entry_parse(const char *entry, const char **pattern,
		      struct nodma_ranges *set)
{
	const char *colon = strrchr(entry, ':');
	char *device;
	int ret;

	if (!colon || colon == entry)
		return -EINVAL;
	device = kmemdup_nul(entry, colon - entry, GFP_KERNEL);
	if (!device)
		return -ENOMEM;
	ret = nodma_ranges_parse(colon + 1, set);
	if (ret)
		kfree(device);
	else
		*pattern = device;
	return ret;
}
EXPORT_SYMBOL_FOR_MODULES(nodma_entry_parse, NODMA_MODULES);

/**
 * nodma_ranges_edit - change a set as text asks
 * @text: "+<ranges>" adds, "-<ranges>" takes out, "<ranges>" replaces, "none"
 *	empties
 * @set: the set
 *
 * Context: process, may sleep.
 * Return: as nodma_ranges_parse(); -ENOENT when nothing of a range that is to be
 * taken out is there.  @set is unchanged after an error.
 */
int nodma_ranges_edit(const char *text, struct nodma_ranges *set)
{
	struct nodma_ranges *listed __free(kfree) = kzalloc_obj(*listed);
	struct nodma_ranges *out __free(kfree) = kmemdup(set, sizeof(*set),
							  GFP_KERNEL);
	unsigned int i;
	int ret = 0;

	if (!listed || !out)
		return -ENOMEM;
	text = skip_spaces(text);
	if (sysfs_streq(text, "none")) {
		set->nr = 0;
		return 0;
	}
	ret = nodma_ranges_parse(text + (*text == '+' || *text == '-'), listed);
	if (ret)
		return ret;

	if (*text == '-') {
		for (i = 0; !ret && i < listed->nr; i++)
			ret = nodma_ranges_cut(out, listed->range[i].start,
					       listed->range[i].last);
	} else {
		if (*text != '+')
			out->nr = 0;
		ret = nodma_ranges_merge(out, listed);
	}
	if (!ret)
		*set = *out;
	return ret;
}
EXPORT_SYMBOL_FOR_MODULES(nodma_ranges_edit, NODMA_MODULES);

/*
 * Sources
 */

static bool nodma_source_matches(const struct nodma_source *source,
				 struct device *dev)
{
	if (source->pattern)
		return dma_pattern_match(source->pattern, dev);
	if (source->name)
		return source->bus == dev->bus &&
		       !strcmp(source->name, dev_name(dev));
	return true;
}

/**
 * nodma_user_add - a device gets the layer
 * @user: entry for the list of such devices
 * @dev: the device
 * @set: receives the ranges that were stated for it
 *
 * Context: process, may sleep.
 * Return: 0, or -ENOSPC when there are too many ranges.
 */
int nodma_user_add(struct nodma_user *user, struct device *dev,
		   struct nodma_ranges *set)
{
	struct nodma_source *source;
	int ret;

	guard(mutex)(&nodma_lock);
	set->nr = 0;
	list_for_each_entry(source, &nodma_sources, node) {
		if (!nodma_source_matches(source, dev))
			continue;
		ret = nodma_ranges_merge(set, &source->set);
		if (ret)
			return ret;
	}
	user->dev = dev;
	list_add(&user->node, &nodma_users);
	return 0;
}
EXPORT_SYMBOL_FOR_MODULES(nodma_user_add, NODMA_MODULES);

/**
 * nodma_user_remove - a device loses the layer
 * @user: as given to nodma_user_add()
 *
 * Context: process, may sleep.
 */
void nodma_user_remove(struct nodma_user *user)
{
	guard(mutex)(&nodma_lock);
	list_del(&user->node);
}
EXPORT_SYMBOL_FOR_MODULES(nodma_user_remove, NODMA_MODULES);

static int nodma_busy(struct device *dev)
{
	struct nodma_user *user;

	lockdep_assert_held(&nodma_lock);

	list_for_each_entry(user, &nodma_users, node) {
		if (dev && dev != user->dev)
			continue;
		dev_err(user->dev, "no-DMA ranges change only while the device does not carry the nodma layer\n");
		return -EBUSY;
	}
	return 0;
}

/* The source that dma_nodma_add_range() made for @dev, NULL for all devices. */
static struct nodma_source *nodma_source_find(struct device *dev)
{
	struct nodma_source *source;

	lockdep_assert_held(&nodma_lock);

	list_for_each_entry(source, &nodma_sources, node) {
		if (source->pattern || !source->name != !dev)
			continue;
		if (!dev || nodma_source_matches(source, dev))
			return source;
	}
	return NULL;
}

static void nodma_source_free(struct nodma_source *source)
{
	kfree(source->pattern);
	kfree(source->name);
	kfree(source);
}

static struct nodma_source *nodma_source_new(struct device *dev)
{
	struct nodma_source *source = kzalloc_obj(*source);

	if (!source || !dev)
		return source;
	source->bus = dev->bus;
	source->name = kstrdup(dev_name(dev), GFP_KERNEL);
	if (source->name)
		return source;
	nodma_source_free(source);
	return NULL;
}

/**
 * dma_nodma_add_range - name memory that a device must never touch
 * @dev: the device, or NULL for every device
 * @start: physical address of the first byte
 * @last: physical address of the last byte
 *
 * The range counts for devices that get the nodma layer afterwards; it stays
 * when the device goes, and is there again when one of the same name appears on
 * the same bus.
 *
 * Context: process, may sleep.
 * Return: 0; -EINVAL when @last lies before @start; -EBUSY when the device, or
 * with NULL any device, carries the layer already; -ENOSPC; -ENOMEM.
 */
int dma_nodma_add_range(struct device *dev, phys_addr_t start,
			phys_addr_t last)
{
	struct nodma_source *source, *new = NULL;
	int ret;

	guard(mutex)(&nodma_lock);
	ret = nodma_busy(dev);
	if (ret)
		return ret;
	source = nodma_source_find(dev);
	if (!source) {
		new = nodma_source_new(dev);
		if (!new)
			return -ENOMEM;
		source = new;
	}
	ret = nodma_ranges_add(&source->set, start, last);
	if (new && ret)
		nodma_source_free(new);
	else if (new)
		list_add_tail(&new->node, &nodma_sources);
	return ret;
}
EXPORT_SYMBOL_GPL(dma_nodma_add_range);

/**
 * dma_nodma_remove_range - undo dma_nodma_add_range()
 * @dev: as given there
 * @start: physical address of the first byte
 * @last: physical address of the last byte
 *
 * Addresses that were added by several calls are gone after one removal.
 *
 * Context: process, may sleep.
 * Return: 0; -ENOENT when nothing of the range was added; -EINVAL, -EBUSY and
 * -ENOSPC as dma_nodma_add_range().
 */
int dma_nodma_remove_range(struct device *dev, phys_addr_t start,
			   phys_addr_t last)
{
	struct nodma_source *source;
	int ret;

	guard(mutex)(&nodma_lock);
	ret = nodma_busy(dev);
	if (ret)
		return ret;
	source = nodma_source_find(dev);
	if (!source)
		return -ENOENT;
	ret = nodma_ranges_cut(&source->set, start, last);
	if (!ret && !source->set.nr) {
		list_del(&source->node);
		nodma_source_free(source);
	}
	return ret;
}
EXPORT_SYMBOL_GPL(dma_nodma_remove_range);

/*
 * Command line: dma_nodma=<device>:<ranges>[,<device>:<ranges>...]
 */

static int __init nodma_setup(char *text)
{
	size_t len = strlen(nodma_cmdline);

	/* Too early to allocate; the check below reports what did not fit. */
	if (len + strlen(text) + 2 > sizeof(nodma_cmdline)) {
		nodma_cmdline_cut = true;
		return 1;
	}
	scnprintf(nodma_cmdline + len, sizeof(nodma_cmdline) - len, "%s%s",
		  len ? "," : "", text);
	return 1;
}
__setup("dma_nodma=", nodma_setup);

static int __init nodma_source_parse(const char *entry)
{
	struct nodma_source *source = kzalloc_obj(*source);
	int ret;

	if (!source)
		return -ENOMEM;
	ret = nodma_entry_parse(entry, &source->pattern, &source->set);
	if (ret) {
		nodma_source_free(source);
		return ret;
	}
	guard(mutex)(&nodma_lock);
	list_add_tail(&source->node, &nodma_sources);
	return 0;
}

static int __init nodma_parse_cmdline(void)
{
	char *pos = nodma_cmdline, *entry;

	if (nodma_cmdline_cut)
		pr_err("dma_nodma: more than %d characters in all; what does not fit is ignored\n",
		       NODMA_CMDLINE);
	if (!*nodma_cmdline)
		return 0;
	while ((entry = strsep(&pos, ","))) {
		int ret = nodma_source_parse(entry);

		if (ret)
			pr_err("dma_nodma: \"%s\" ignored (%pe); accepted: <device>:<ranges>, where <device> is as in dma_layers= and <ranges> is %s\n",
			       entry, ERR_PTR(ret), NODMA_ACCEPTED);
	}
	return 0;
}
core_initcall(nodma_parse_cmdline);

/*
 * Bounce slots
 */

/**
 * nodma_slots_present - can buffers of a device be bounced at all?
 * @dev: device
 *
 * Context: any.
 * Return: true if they can.
 */
bool nodma_slots_present(struct device *dev)
{
	KUNIT_STATIC_STUB_REDIRECT(nodma_slots_present, dev);

	return is_swiotlb_active(dev);
}
EXPORT_SYMBOL_FOR_MODULES(nodma_slots_present, NODMA_MODULES);

/**
 * nodma_slots_hit - does the pool of bounce slots itself touch a range?
 * @dev: device
 * @set: ranges
 *
 * Context: any.
 * Return: true if it does.
 */
bool nodma_slots_hit(struct device *dev, const struct nodma_ranges *set)
{
#ifdef CONFIG_SWIOTLB
	struct io_tlb_pool *pool;

	if (is_swiotlb_active(dev)) {
		pool = &dev->dma_io_tlb_mem->defpool;
		return pool->end > pool->start &&
		       nodma_ranges_hit(set, pool->start,
					pool->end - pool->start);
	}
#endif
	return false;
}
EXPORT_SYMBOL_FOR_MODULES(nodma_slots_hit, NODMA_MODULES);

/**
 * nodma_slots_forced - does direct mapping bounce every buffer of a device?
 * @dev: device
 *
 * Context: any.
 * Return: true if it does.
 */
bool nodma_slots_forced(struct device *dev)
{
	return is_swiotlb_force_bounce(dev);
}
EXPORT_SYMBOL_FOR_MODULES(nodma_slots_forced, NODMA_MODULES);

/**
 * nodma_slot_max - longest buffer that can be bounced
 * @dev: device
 *
 * Context: any.
 * Return: length in bytes, SIZE_MAX when there are no bounce slots.
 */
size_t nodma_slot_max(struct device *dev)
{
	KUNIT_STATIC_STUB_REDIRECT(nodma_slot_max, dev);

	return nodma_slots_present(dev) ? swiotlb_max_mapping_size(dev) :
					  SIZE_MAX;
}
EXPORT_SYMBOL_FOR_MODULES(nodma_slot_max, NODMA_MODULES);

/**
 * nodma_dev_unencrypted - does a device need memory that is not encrypted?
 * @dev: device
 *
 * Context: any.
 * Return: true if it does.
 */
bool nodma_dev_unencrypted(struct device *dev)
{
	return force_dma_unencrypted(dev);
}
EXPORT_SYMBOL_FOR_MODULES(nodma_dev_unencrypted, NODMA_MODULES);

/**
 * nodma_base_iommu - does iommu-dma serve a device below its layers?
 * @dev: device
 *
 * Context: any.
 * Return: true if it does.
 */
bool nodma_base_iommu(struct device *dev)
{
	return dma_ends_in_iommu(dev);
}
EXPORT_SYMBOL_FOR_MODULES(nodma_base_iommu, NODMA_MODULES);

/**
 * nodma_direct_reaches - does direct mapping fit memory under a mask?
 * @dev: device
 * @phys: first byte
 * @size: length in bytes
 * @mask: the mask
 * @attrs: DMA_ATTR_CC_SHARED when the memory is not encrypted
 *
 * Context: any.
 * Return: true if it does.
 */
bool nodma_direct_reaches(struct device *dev, phys_addr_t phys, size_t size,
			  u64 mask, unsigned long attrs)
{
	dma_addr_t addr;

	if (attrs & DMA_ATTR_CC_SHARED)
		addr = phys_to_dma_unencrypted(dev, phys);
	else
		addr = phys_to_dma_encrypted(dev, phys);
	return dma_capable(dev, addr, size, true, attrs) &&
	       addr + size - 1 <= mask;
}
EXPORT_SYMBOL_FOR_MODULES(nodma_direct_reaches, NODMA_MODULES);

/**
 * nodma_slot_map - take a bounce slot and copy a buffer to it
 * @dev: device
 * @phys: the buffer
 * @size: its length
 * @whole_pages: give no part of the slot's pages to others
 * @dir: direction of the transfer
 * @attrs: of the mapping; changed to fit the slot
 *
 * Context: any.
 * Return: physical address of the slot, DMA_MAPPING_ERROR when there is none.
 */
phys_addr_t nodma_slot_map(struct device *dev, phys_addr_t phys, size_t size,
			   bool whole_pages, enum dma_data_direction dir,
			   unsigned long *attrs)
{
	KUNIT_STATIC_STUB_REDIRECT(nodma_slot_map, dev, phys, size, whole_pages,
				   dir, attrs);

	if (!IS_ENABLED(CONFIG_SWIOTLB) || !is_swiotlb_active(dev))
		return (phys_addr_t)DMA_MAPPING_ERROR;
	return swiotlb_tbl_map_single(dev, phys, size,
				      whole_pages ? PAGE_SIZE - 1 : 0, dir,
				      attrs);
}
EXPORT_SYMBOL_FOR_MODULES(nodma_slot_map, NODMA_MODULES);

/**
 * nodma_slot_unmap - copy a bounce slot back and release it
 * @dev: device
 * @slot: physical address of the slot
 * @size: length of the buffer
 * @dir: direction of the transfer
 * @attrs: DMA_ATTR_SKIP_CPU_SYNC releases without copying
 *
 * Context: any.
 */
void nodma_slot_unmap(struct device *dev, phys_addr_t slot, size_t size,
		      enum dma_data_direction dir, unsigned long attrs)
{
	KUNIT_STATIC_STUB_REDIRECT(nodma_slot_unmap, dev, slot, size, dir,
				   attrs);

	if (IS_ENABLED(CONFIG_SWIOTLB))
		swiotlb_tbl_unmap_single(dev, slot, size, dir, attrs);
}
EXPORT_SYMBOL_FOR_MODULES(nodma_slot_unmap, NODMA_MODULES);

/**
 * nodma_slot_sync_for_cpu - copy part of a bounce slot to its buffer
 * @dev: device
 * @slot: physical address within the slot
 * @size: length of the part
 * @dir: direction of the mapping
 *
 * Context: any.
 */
void nodma_slot_sync_for_cpu(struct device *dev, phys_addr_t slot, size_t size,
			     enum dma_data_direction dir)
{
	KUNIT_STATIC_STUB_REDIRECT(nodma_slot_sync_for_cpu, dev, slot, size,
				   dir);

	if (IS_ENABLED(CONFIG_SWIOTLB))
		swiotlb_sync_single_for_cpu(dev, slot, size, dir);
}
EXPORT_SYMBOL_FOR_MODULES(nodma_slot_sync_for_cpu, NODMA_MODULES);

/**
 * nodma_slot_sync_for_device - copy part of a buffer to its bounce slot
 * @dev: device
 * @slot: physical address within the slot
 * @size: length of the part
 * @dir: direction of the mapping
 *
 * Context: any.
 */
void nodma_slot_sync_for_device(struct device *dev, phys_addr_t slot,
				size_t size, enum dma_data_direction dir)
{
	KUNIT_STATIC_STUB_REDIRECT(nodma_slot_sync_for_device, dev, slot, size,
				   dir);

	if (IS_ENABLED(CONFIG_SWIOTLB))
		swiotlb_sync_single_for_device(dev, slot, size, dir);
}
EXPORT_SYMBOL_FOR_MODULES(nodma_slot_sync_for_device, NODMA_MODULES);
