/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The words of the "iommu=" boot option.
 *
 * The option is a comma separated list of words. A word is either a name,
 * possibly followed by "=" and a value, or a bare number. Every file that
 * understands some of them has a table of &struct iommu_word, made with
 * DEFINE_IOMMU_WORDS(); the linker joins these tables into one, and the
 * architecture hands the option to iommu_words_parse().
 */
#ifndef _LINUX_IOMMU_WORDS_H
#define _LINUX_IOMMU_WORDS_H

#include <linux/compiler.h>
#include <linux/init.h>

/**
 * struct iommu_word - one word of the "iommu=" boot option
 * @name: the exact word, without ',' and '=' and not starting with a digit;
 *	NULL stands for a word that is a number
 * @value: NULL when the word takes no value, otherwise how the value is shown
 *	in the list of accepted words, for example "[=<order>]" or, for a
 *	number, "<size>"
 * @set: called for each such word, in the order of the option. It gets @name
 *	and the value: the text behind "=", the number itself, or NULL when
 *	the user gave none. Returns 0, or a negative errno to refuse the value.
 *
 * Several tables may hold the same name; then each of them is called.
 *
 * Context: early_param() time: no allocation, no sleeping.
 */
struct iommu_word {
	const char *name;
	const char *value;
	int (*set)(const char *name, const char *value);
};

/* Followed by "= { ... };" with the words that a file understands. */
#define DEFINE_IOMMU_WORDS(table)					\
	static const struct iommu_word table[]				\
	__used __section(".init.iommu_words")				\
	__aligned(__alignof__(struct iommu_word))

/* The joined table; bounds set by the linker script. */
extern const struct iommu_word __iommu_words_start[], __iommu_words_end[];

void iommu_words_apply(const struct iommu_word *first,
		       const struct iommu_word *end, const char *list,
		       void (*refuse)(const char *message));
int iommu_words_parse(char *list);

#endif /* _LINUX_IOMMU_WORDS_H */
