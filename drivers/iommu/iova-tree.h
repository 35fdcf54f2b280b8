/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Ranges of an address space that are taken, in a tree that knows the gaps
 * between them by size and alignment.
 */
#ifndef __DRIVERS_IOMMU_IOVA_TREE_H
#define __DRIVERS_IOMMU_IOVA_TREE_H

#include <linux/rbtree.h>
#include <linux/types.h>

/* Alignments from one page to 2^20 pages, which is 4 GiB of 4 KiB pages. */
#define IOVA_TREE_ORDERS	21

/**
 * struct iova_range - pages that are taken
 * @node: place in the tree
 * @lo: first page
 * @hi: last page
 * @floor: first page of the gap that ends below @lo; equal to @lo without one
 * @fit: for each order, the largest run of pages that starts aligned to the
 *	 order in a gap of this subtree, saturated
 * @next: for the owner's list
 * @stamp: for the owner
 */
struct iova_range {
	struct rb_node node;
	unsigned long lo;
	unsigned long hi;
	unsigned long floor;
	u32 fit[IOVA_TREE_ORDERS];
	struct iova_range *next;
	s64 stamp;
};

/**
 * struct iova_tree - taken ranges of a space
 * @root: the ranges by address
 * @top: takes what lies above the space, so that each gap has a range above
 */
struct iova_tree {
	struct rb_root root;
	struct iova_range top;
};

void iova_tree_init(struct iova_tree *tree, unsigned long lo,
		    unsigned long hi);
bool iova_tree_find_last(struct iova_tree *tree, unsigned long size,
			 unsigned int order, unsigned long limit,
			 unsigned long *pfn);
bool iova_tree_find_first(struct iova_tree *tree, unsigned long size,
			  unsigned int order, unsigned long from,
			  unsigned long *pfn);
void iova_tree_insert(struct iova_tree *tree, struct iova_range *range,
		      unsigned long lo, unsigned long hi);
void iova_tree_erase(struct iova_tree *tree, struct iova_range *range);
struct iova_range *iova_tree_from(struct iova_tree *tree, unsigned long pfn);

#endif /* __DRIVERS_IOMMU_IOVA_TREE_H */
