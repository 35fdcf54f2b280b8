// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of calgary=. What parses it is gone after boot, and so are they.
 */
#include <kunit/test.h>
#include <linux/bitmap.h>
#include <linux/string.h>

#include "calgary.h"

static char refusal[900] __initdata;
static unsigned int refused __initdata;
static struct calgary_options kept __initdata;

static void __init note(const char *message)
{
	refused++;
	strscpy(refusal, message);
}

/* Parse with options as they are without any; the machine's come back. */
static struct calgary_options __init parse(const char *list)
{
	struct calgary_options found;

	kept = calgary_options;
	calgary_options = (struct calgary_options){ .code = CALGARY_MAX_CODE };
	refused = 0;
	refusal[0] = 0;
	calgary_parse(list, note);
	found = calgary_options;
	calgary_options = kept;
	return found;
}

static void __init each_size_is_accepted(struct kunit *test)
{
	static const char * const sizes[] = {
		"64k", "128k", "256k", "512k", "1M", "2M", "4M", "8M",
	};
	unsigned int i;

	for (i = 0; i <= CALGARY_MAX_CODE; i++) {
		KUNIT_EXPECT_EQ(test, parse(sizes[i]).code, i);
		KUNIT_EXPECT_EQ(test, refused, 0);
	}
	/* Of a table that cannot be had, it is said that it cannot. */
	if (!IS_ENABLED(CONFIG_CONTIG_ALLOC)) {
		KUNIT_EXPECT_EQ(test, parse("8M").code, CALGARY_MAX_CODE);
		KUNIT_EXPECT_EQ(test, refused, 1);
		KUNIT_EXPECT_NOT_NULL(test, strstr(refusal, "'8M'"));
		KUNIT_EXPECT_NOT_NULL(test, strstr(refusal, "|2M|4M "));
	}
}

static void __init buses_follow_disable(struct kunit *test)
{
	struct calgary_options o = parse("disable=3,0x1f,255,64k,disable=0");

	KUNIT_EXPECT_EQ(test, refused, 0);
	KUNIT_EXPECT_EQ(test, bitmap_weight(o.disabled, 256), 4);
	KUNIT_EXPECT_TRUE(test, test_bit(3, o.disabled));
	KUNIT_EXPECT_TRUE(test, test_bit(0x1f, o.disabled));
	KUNIT_EXPECT_TRUE(test, test_bit(255, o.disabled));
	KUNIT_EXPECT_TRUE(test, test_bit(0, o.disabled));
	KUNIT_EXPECT_EQ(test, o.code, 0);
}

static void __init words_join(struct kunit *test)
{
	struct calgary_options o = parse("2M,translate_empty_slots,disable=4");

	KUNIT_EXPECT_EQ(test, refused, 0);
	KUNIT_EXPECT_EQ(test, o.code, 5);
	KUNIT_EXPECT_TRUE(test, o.empty_slots);
	KUNIT_EXPECT_TRUE(test, test_bit(4, o.disabled));
}

static void __init others_are_refused_by_name(struct kunit *test)
{
	static const char * const bad[] = {
		"off", "64K", "8m", "64", "16M", "64kx", "disable", "disable=",
		"disable=256", "disable=-1", "disable=x", "translate_empty",
		"translate_empty_slots=1", "5", "64k,5",
		"disable=1,translate_empty_slots,5", "disable=1,64k,5",
	};
	static const char sizes[] =
		"accepted are: 64k|128k|256k|512k|1M|2M|4M";
	static const char words[] =
		" translate_empty_slots disable=<bus>[,<bus>...]";
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		parse(bad[i]);
		KUNIT_EXPECT_EQ_MSG(test, refused, 1, "%s", bad[i]);
		KUNIT_EXPECT_NOT_NULL(test, strstr(refusal, sizes));
		KUNIT_EXPECT_NOT_NULL(test, strstr(refusal, words));
	}
	/* What is around it counts. */
	KUNIT_EXPECT_EQ(test, parse("bogus,1M").code, 4);
	KUNIT_EXPECT_NOT_NULL(test, strstr(refusal, "'bogus'"));
}

static struct kunit_case calgary_options_cases[] __refdata = {
	KUNIT_CASE(each_size_is_accepted),
	KUNIT_CASE(buses_follow_disable),
	KUNIT_CASE(words_join),
	KUNIT_CASE(others_are_refused_by_name),
	{}
};

static struct kunit_suite calgary_options_suite __refdata = {
	.name = "iommu-calgary-options",
	.test_cases = calgary_options_cases,
};

kunit_test_init_section_suite(calgary_options_suite);
