// SPDX-License-Identifier: GPL-2.0-only
/*
 * calgary= on the command line, and the word of iommu= that is for Calgary.
 */
#define pr_fmt(fmt) "calgary: " fmt

#include <linux/init.h>
#include <linux/iommu-words.h>
#include <linux/kstrtox.h>
#include <linux/printk.h>
#include <linux/string.h>

#include "calgary.h"

struct calgary_options calgary_options = {
	.on = IS_ENABLED(CONFIG_CALGARY_IOMMU_ENABLED_BY_DEFAULT),
	.code = CALGARY_MAX_CODE,
};

static const char * const sizes[] __initconst = {
	"64k", "128k", "256k", "512k", "1M", "2M", "4M", "8M",
};

/* "disable=3,5": the second number is a word of its own for the parser. */
static bool in_list __initdata;

static int __init set_bus(const char *name, const char *value)
{
	u8 bus;

	in_list = value && !kstrtou8(value, 0, &bus);
	if (!in_list)
		return -EINVAL;
	set_bit(bus, calgary_options.disabled);
	return 0;
}

static int __init set_size_or_bus(const char *name, const char *value)
{
	int code = match_string(sizes, CALGARY_MAX_CODE + 1, value);

	if (code < 0)
		return in_list ? set_bus(name, value) : -EINVAL;
	in_list = false;
	calgary_options.code = code;
	return 0;
}

static int __init set_empty_slots(const char *name, const char *value)
{
	in_list = false;
	calgary_options.empty_slots = true;
	return 0;
}

static const struct iommu_word words[] __initconst = {
	{ NULL, CALGARY_MAX_CODE == 7 ? "64k|128k|256k|512k|1M|2M|4M|8M"
				      : "64k|128k|256k|512k|1M|2M|4M",
	  set_size_or_bus },
	{ "translate_empty_slots", NULL, set_empty_slots },
	{ "disable", "=<bus>[,<bus>...]", set_bus },
};

/**
 * calgary_parse - apply what follows "calgary="
 * @list: words, separated by commas
 * @refuse: called with a message for each word that is not accepted
 */
void __init calgary_parse(const char *list, void (*refuse)(const char *message))
{
	in_list = false;
	iommu_words_apply(words, words + ARRAY_SIZE(words), list, refuse);
}

static void __init refuse_word(const char *message)
{
	pr_warn("%s\n", message);
}

static int __init calgary_setup(char *list)
{
	if (!list)
		return -EINVAL;
	calgary_parse(list, refuse_word);
	return 0;
}
early_param("calgary", calgary_setup);

static int __init set_calgary(const char *name, const char *value)
{
	calgary_options.on = true;
	return 0;
}

DEFINE_IOMMU_WORDS(calgary_iommu_words) = {
	{ "calgary",	NULL,	set_calgary },
};
