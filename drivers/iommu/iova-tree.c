// SPDX-License-Identifier: GPL-2.0-only
/*
 * Taken ranges of an address space in a red-black tree.
 *
 * Each range stands for the gap below it as well. For each alignment the nodes
 * carry the largest run that a gap of their subtree has room for, so that a
 * search walks down to a gap that fits exactly, whatever the alignment, and
 * never meets one that does not: O(log n), also for the search that fails.
 *
 * No function here allocates memory. The caller serialises.
 */
#include <kunit/visibility.h>
#include <linux/align.h>
#include <linux/kernel.h>
#include <linux/limits.h>
#include <linux/minmax.h>
#include <linux/rbtree_augmented.h>
#include <linux/string.h>

#include "iova-tree.h"

static struct iova_range *to_range(struct rb_node *node)
{
	return rb_entry_safe(node, struct iova_range, node);
}

/* Pages in the gap below @range from its first aligned one on. */
static u32 gap_fit(struct iova_range *range, unsigned int order)
{
	unsigned long start = ALIGN(range->floor, 1UL << order);

	if (start < range->floor || start >= range->lo)
		return 0;
	return min(range->lo - start, U32_MAX);
}

static u32 fit_below(struct rb_node *child, unsigned int order)
{
	return child ? to_range(child)->fit[order] : 0;
}

/*
 * Returns false when nothing changed, also not for those above. What fits with
 * an order fits with those below it: above the first without any room, before
 * and now, there is nothing.
 */
static bool range_update(struct iova_range *range)
{
	struct rb_node *left = range->node.rb_left;
	struct rb_node *right = range->node.rb_right;
	unsigned int order = 0;
	bool changed = false;
	u32 fit, before;

	do {
		fit = max3(gap_fit(range, order), fit_below(left, order),
			   fit_below(right, order));
		before = range->fit[order];
		range->fit[order] = fit;
		changed |= fit != before;
	} while (++order < IOVA_TREE_ORDERS && (fit || before));
	return changed;
}

static void range_propagate(struct rb_node *node, struct rb_node *stop)
{
	while (node != stop && range_update(to_range(node)))
		node = rb_parent(node);
}

static void range_copy(struct rb_node *from, struct rb_node *to)
{
	memcpy(to_range(to)->fit, to_range(from)->fit,
	       sizeof(to_range(to)->fit));
}

static void range_rotate(struct rb_node *from, struct rb_node *to)
{
	range_copy(from, to);
	range_update(to_range(from));
}

static const struct rb_augment_callbacks range_callbacks = {
	.propagate = range_propagate,
	.copy = range_copy,
	.rotate = range_rotate,
};

/**
 * iova_tree_init - a space in which nothing is taken
 * @tree: tree
 * @lo: first page of the space
 * @hi: last page of the space, below ULONG_MAX
 */
void iova_tree_init(struct iova_tree *tree, unsigned long lo, unsigned long hi)
{
	tree->root = RB_ROOT;
	tree->top.lo = hi + 1;
	tree->top.hi = ULONG_MAX;
	tree->top.floor = lo;
	memset(tree->top.fit, 0, sizeof(tree->top.fit));
	rb_link_node(&tree->top.node, NULL, &tree->root.rb_node);
	range_update(&tree->top);
	rb_insert_augmented(&tree->top.node, &tree->root, &range_callbacks);
}
EXPORT_SYMBOL_IF_KUNIT(iova_tree_init);

/* Does a subtree have a gap for @size aligned pages? */
static bool fits_below(struct rb_node *node, unsigned long size,
		       unsigned int order)
{
	return node && to_range(node)->fit[order] >= size;
}

/* The last page in the gap below @range, short of @end, from which it fits. */
static bool place_last(struct iova_range *range, unsigned long end,
		       unsigned long size, unsigned int order,
		       unsigned long *pfn)
{
	end = min(end, range->lo);
	if (end < size || end - size < range->floor)
		return false;
	*pfn = ALIGN_DOWN(end - size, 1UL << order);
	return *pfn >= range->floor;
}

static bool place_first(struct iova_range *range, unsigned long from,
			unsigned long size, unsigned int order,
			unsigned long *pfn)
{
	from = max(from, range->floor);
	*pfn = ALIGN(from, 1UL << order);
	return *pfn >= from && *pfn < range->lo && range->lo - *pfn >= size;
}

/**
 * iova_tree_find_last - find the highest place below a limit
 * @tree: tree
 * @size: pages, below U32_MAX
 * @order: alignment is 2^@order pages, below %IOVA_TREE_ORDERS
 * @limit: highest page that may be used
 * @pfn: where to store the first page
 *
 * Return: whether there is one.
 */
bool iova_tree_find_last(struct iova_tree *tree, unsigned long size,
			 unsigned int order, unsigned long limit,
			 unsigned long *pfn)
{
	struct rb_node *node = tree->root.rb_node;
	struct iova_range *best = NULL, *over = NULL;
	unsigned long end = min(limit, ULONG_MAX - 1) + 1;

	/*
	 * On the way to the limit: the deepest node whose own gap or whose left
	 * subtree has room is the highest; all of that ends below the limit.
	 */
	while (node) {
		struct iova_range *range = to_range(node);

		if (range->lo > end) {
			over = range;
			node = node->rb_left;
			continue;
		}
		if (gap_fit(range, order) >= size ||
		    fits_below(node->rb_left, size, order))
			best = range;
		node = node->rb_right;
	}
	/* The limit may cut a gap in two. */
	if (over && place_last(over, end, size, order, pfn))
		return true;
	if (!best)
		return false;
	if (place_last(best, end, size, order, pfn))
		return true;

	node = best->node.rb_left;
	while (true) {
		if (fits_below(node->rb_right, size, order))
			node = node->rb_right;
		else if (gap_fit(to_range(node), order) >= size)
			return place_last(to_range(node), end, size, order,
					  pfn);
		else
			node = node->rb_left;
	}
}
EXPORT_SYMBOL_IF_KUNIT(iova_tree_find_last);

/**
 * iova_tree_find_first - find the lowest place from a page on
 * @tree: tree
 * @size: pages, below U32_MAX
 * @order: alignment is 2^@order pages, below %IOVA_TREE_ORDERS
 * @from: lowest page that may be used
 * @pfn: where to store the first page
 *
 * Return: whether there is one.
 */
bool iova_tree_find_first(struct iova_tree *tree, unsigned long size,
			  unsigned int order, unsigned long from,
			  unsigned long *pfn)
{
	struct rb_node *node = tree->root.rb_node;
	struct iova_range *best = NULL, *cut = NULL;

	/* The mirror image: all to the right of the gap that @from cuts. */
	while (node) {
		struct iova_range *range = to_range(node);

		if (range->floor >= from) {
			if (gap_fit(range, order) >= size ||
			    fits_below(node->rb_right, size, order))
				best = range;
			node = node->rb_left;
		} else {
			cut = range;
			node = node->rb_right;
		}
	}
	if (cut && place_first(cut, from, size, order, pfn))
		return true;
	if (!best)
		return false;
	if (place_first(best, from, size, order, pfn))
		return true;

	node = best->node.rb_right;
	while (true) {
		if (fits_below(node->rb_left, size, order))
			node = node->rb_left;
		else if (gap_fit(to_range(node), order) >= size)
			return place_first(to_range(node), from, size, order,
					   pfn);
		else
			node = node->rb_right;
	}
}
EXPORT_SYMBOL_IF_KUNIT(iova_tree_find_first);

/**
 * iova_tree_insert - take a range
 * @tree: tree
 * @range: range, whose memory is the tree's until iova_tree_erase()
 * @lo: first page
 * @hi: last page; nothing from @lo to @hi is taken yet
 */
void iova_tree_insert(struct iova_tree *tree, struct iova_range *range,
		      unsigned long lo, unsigned long hi)
{
	struct rb_node **link = &tree->root.rb_node, *parent = NULL;
	struct iova_range *above;

	while (*link) {
		parent = *link;
		link = lo < to_range(parent)->lo ? &parent->rb_left
						 : &parent->rb_right;
	}
	rb_link_node(&range->node, parent, link);
	above = to_range(rb_next(&range->node));
	range->lo = lo;
	range->hi = hi;
	range->floor = above->floor;
	memset(range->fit, 0, sizeof(range->fit));
	range_propagate(&range->node, NULL);
	rb_insert_augmented(&range->node, &tree->root, &range_callbacks);

	/* Only now: rotations rely on values that agree with each other. */
	above->floor = hi + 1;
	range_propagate(&above->node, NULL);
}
EXPORT_SYMBOL_IF_KUNIT(iova_tree_insert);

/**
 * iova_tree_erase - give a range back
 * @tree: tree
 * @range: range in the tree
 */
void iova_tree_erase(struct iova_tree *tree, struct iova_range *range)
{
	struct iova_range *above = to_range(rb_next(&range->node));

	rb_erase_augmented(&range->node, &tree->root, &range_callbacks);
	above->floor = range->floor;
	range_propagate(&above->node, NULL);
}
EXPORT_SYMBOL_IF_KUNIT(iova_tree_erase);

/**
 * iova_tree_from - find the first range that ends at a page or above
 * @tree: tree
 * @pfn: page
 *
 * Return: the range; the one that takes what lies above the space at last.
 */
struct iova_range *iova_tree_from(struct iova_tree *tree, unsigned long pfn)
{
	struct rb_node *node = tree->root.rb_node;
	struct iova_range *found = NULL;

	while (node) {
		struct iova_range *range = to_range(node);

		if (range->hi >= pfn) {
			found = range;
			node = node->rb_left;
		} else {
			node = node->rb_right;
		}
	}
	return found;
}
EXPORT_SYMBOL_IF_KUNIT(iova_tree_from);
