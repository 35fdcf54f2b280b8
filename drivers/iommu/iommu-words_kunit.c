// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests for the parser of the "iommu=" boot option.
 *
 * Most tests use a table of their own, whose handlers write what they are
 * called with into a log; "!" and the message stand there for a refused word.
 */
#include <kunit/test.h>
#include <linux/array_size.h>
#include <linux/ctype.h>
#include <linux/errno.h>
#include <linux/init.h>
#include <linux/iommu-words.h>
#include <linux/kstrtox.h>
#include <linux/seq_buf.h>
#include <linux/sprintf.h>
#include <linux/string.h>

static char log_buf[2048] __initdata;
static struct seq_buf log __initdata;
static unsigned int refused __initdata;
static bool on __initdata;

static int __init log_word(const char *name, const char *value)
{
	seq_buf_printf(&log, "[%s", name ?: "#");
	if (value)
		seq_buf_printf(&log, ":%s", value);
	seq_buf_puts(&log, "]");
	return 0;
}

static int __init log_number(const char *name, const char *value)
{
	unsigned int number;

	if (kstrtouint(value, 0, &number))
		return -EINVAL;
	seq_buf_printf(&log, "[#%u]", number);
	return 0;
}

static int __init set_on(const char *name, const char *value)
{
	on = true;
	return 0;
}

static int __init set_noon(const char *name, const char *value)
{
	on = false;
	return 0;
}

static void __init log_refusal(const char *message)
{
	refused++;
	seq_buf_printf(&log, "!%s", message);
}

/* Names that begin alike, a name that is there twice, values and numbers. */
static const struct iommu_word test_words[] __initconst = {
	{ "force",	NULL,		log_word },
	{ "forcesac",	NULL,		log_word },
	{ "noforce",	NULL,		log_word },
	{ "pt",		NULL,		log_word },
	{ "aper",	"[=<order>]",	log_word },
	{ "twice",	NULL,		log_word },
	{ NULL,		"<size>",	log_number },
	{ "twice",	NULL,		log_word },
	{ "on",		NULL,		set_on },
	{ "noon",	NULL,		set_noon },
};

#define ACCEPTED " ignored, accepted are: force forcesac noforce pt aper[=<order>] twice <size> on noon"

static const char * __init apply_table(const struct iommu_word *words,
				       size_t nr, const char *list)
{
	refused = 0;
	seq_buf_init(&log, log_buf, sizeof(log_buf));
	iommu_words_apply(words, words + nr, list, log_refusal);
	return seq_buf_str(&log);
}

static const char * __init apply(const char *list)
{
	return apply_table(test_words, ARRAY_SIZE(test_words), list);
}

static void __init words_are_exact(struct kunit *test)
{
	KUNIT_EXPECT_STREQ(test, apply("force"), "[force]");
	KUNIT_EXPECT_STREQ(test, apply("forcesac"), "[forcesac]");
	KUNIT_EXPECT_STREQ(test, apply("noforce"), "[noforce]");
	KUNIT_EXPECT_STREQ(test, apply("forc"), "!unknown word 'forc'" ACCEPTED);
	KUNIT_EXPECT_STREQ(test, apply("forces"), "!unknown word 'forces'" ACCEPTED);
	KUNIT_EXPECT_STREQ(test, apply("Force"), "!unknown word 'Force'" ACCEPTED);
	KUNIT_EXPECT_STREQ(test, apply(" pt"), "!unknown word ' pt'" ACCEPTED);
}

static void __init no_word_swallows_another(struct kunit *test)
{
	KUNIT_EXPECT_STREQ(test, apply("forcesac,pt,aper=2,7,force"),
			   "[forcesac][pt][aper:2][#7][force]");
}

static void __init later_word_wins(struct kunit *test)
{
	on = false;
	apply("on");
	KUNIT_EXPECT_TRUE(test, on);
	apply("on,noon");
	KUNIT_EXPECT_FALSE(test, on);
	apply("noon,on,pt");
	KUNIT_EXPECT_TRUE(test, on);
}

static void __init same_name_in_two_tables(struct kunit *test)
{
	KUNIT_EXPECT_STREQ(test, apply("twice"), "[twice][twice]");
}

static void __init empty_words_are_skipped(struct kunit *test)
{
	KUNIT_EXPECT_STREQ(test, apply(""), "");
	KUNIT_EXPECT_STREQ(test, apply(","), "");
	KUNIT_EXPECT_STREQ(test, apply(",,pt"), "[pt]");
	KUNIT_EXPECT_STREQ(test, apply("pt,"), "[pt]");
	KUNIT_EXPECT_STREQ(test, apply("pt,,force"), "[pt][force]");
}

static void __init values_are_passed(struct kunit *test)
{
	KUNIT_EXPECT_STREQ(test, apply("aper"), "[aper]");
	KUNIT_EXPECT_STREQ(test, apply("aper="), "[aper:]");
	KUNIT_EXPECT_STREQ(test, apply("aper=3"), "[aper:3]");
	KUNIT_EXPECT_STREQ(test, apply("aper=a=b,pt"), "[aper:a=b][pt]");
}

static void __init unwanted_values_are_refused(struct kunit *test)
{
	KUNIT_EXPECT_STREQ(test, apply("pt=1"), "!bad value in 'pt=1'" ACCEPTED);
	KUNIT_EXPECT_STREQ(test, apply("pt="), "!bad value in 'pt='" ACCEPTED);
	KUNIT_EXPECT_STREQ(test, apply("="), "!unknown word '='" ACCEPTED);
	KUNIT_EXPECT_STREQ(test, apply("=3"), "!unknown word '=3'" ACCEPTED);
}

static void __init length_of_a_value(struct kunit *test)
{
	/* 31 and 32 characters */
	KUNIT_EXPECT_STREQ(test, apply("aper=0123456789012345678901234567890"),
			   "[aper:0123456789012345678901234567890]");
	KUNIT_EXPECT_STREQ(test, apply("aper=01234567890123456789012345678901"),
			   "!bad value in 'aper=01234567890123456789012345678901'" ACCEPTED);
}

static void __init numbers_are_words(struct kunit *test)
{
	KUNIT_EXPECT_STREQ(test, apply("4096,pt"), "[#4096][pt]");
	KUNIT_EXPECT_STREQ(test, apply("0x20"), "[#32]");
	KUNIT_EXPECT_STREQ(test, apply("12k"), "!bad value in '12k'" ACCEPTED);
	KUNIT_EXPECT_STREQ(test, apply("1=2"), "!bad value in '1=2'" ACCEPTED);
	KUNIT_EXPECT_STREQ(test, apply("-1"), "!unknown word '-1'" ACCEPTED);
	/* the first word takes no number */
	KUNIT_EXPECT_STREQ(test, apply_table(test_words, 1, "5"),
			   "!unknown word '5' ignored, accepted are: force");
}

static void __init one_message_per_bad_word(struct kunit *test)
{
	KUNIT_EXPECT_STREQ(test, apply("pt,bogus,force"),
			   "[pt]!unknown word 'bogus'" ACCEPTED "[force]");
	KUNIT_EXPECT_EQ(test, refused, 1);
	apply("x,pt,y,,z");
	KUNIT_EXPECT_EQ(test, refused, 3);
}

static void __init long_word_is_cut(struct kunit *test)
{
	const char *const forty = "abcdefghijklmnopqrstuvwxyzabcdefghijklmn";
	char *list, *expected;

	list = kunit_kzalloc(test, 4096, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, list);
	expected = kunit_kzalloc(test, 512, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, expected);

	strscpy(list, forty, 4096);
	snprintf(expected, 512, "!unknown word '%s'" ACCEPTED, forty);
	KUNIT_EXPECT_STREQ(test, apply(list), expected);

	memset(list + 40, 'x', 3960);
	strscpy(list + 4000, ",pt", 96);
	snprintf(expected, 512, "!unknown word '%s...'" ACCEPTED "[pt]", forty);
	KUNIT_EXPECT_STREQ(test, apply(list), expected);
}

/* A table too large for one line of the log costs words, nothing else. */
static void __init long_table_is_cut(struct kunit *test)
{
	const unsigned int nr = 200;
	struct iommu_word *words;
	char (*names)[8];
	const char *seen;
	unsigned int i;

	words = kunit_kcalloc(test, nr, sizeof(*words), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, words);
	names = kunit_kcalloc(test, nr, sizeof(*names), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, names);
	for (i = 0; i < nr; i++) {
		snprintf(names[i], sizeof(names[i]), "word%u", i);
		words[i].name = names[i];
		words[i].set = log_word;
	}

	seen = apply_table(words, nr, "bogus");
	KUNIT_EXPECT_EQ(test, refused, 1);
	KUNIT_EXPECT_NOT_NULL(test, strstr(seen, "'bogus'"));
	KUNIT_EXPECT_NOT_NULL(test, strstr(seen, " word99 "));
	KUNIT_EXPECT_LT(test, strlen(seen), 900 + 1);
	KUNIT_EXPECT_STREQ(test, apply_table(words, nr, "word199"), "[word199]");
}

static void __init no_table_at_all(struct kunit *test)
{
	KUNIT_EXPECT_STREQ(test, apply_table(test_words, 0, "pt"),
			   "!unknown word 'pt' ignored, accepted are:");
}

/* The entries that are linked into this kernel can be reached by their name. */
static void __init kernel_table_is_sound(struct kunit *test)
{
	const struct iommu_word *word;

	for (word = __iommu_words_start; word < __iommu_words_end; word++) {
		KUNIT_EXPECT_NOT_NULL(test, word->set);
		if (!word->name) {
			KUNIT_EXPECT_NOT_NULL(test, word->value);
			continue;
		}
		KUNIT_EXPECT_NE(test, *word->name, '\0');
		KUNIT_EXPECT_FALSE(test, isdigit(*word->name));
		KUNIT_EXPECT_NULL(test, strpbrk(word->name, ",= "));
	}
}

static void __init option_without_list(struct kunit *test)
{
	char empty[] = "";

	KUNIT_EXPECT_EQ(test, iommu_words_parse(NULL), -EINVAL);
	KUNIT_EXPECT_EQ(test, iommu_words_parse(empty), 0);
}

static struct kunit_case iommu_words_cases[] __refdata = {
	KUNIT_CASE(words_are_exact),
	KUNIT_CASE(no_word_swallows_another),
	KUNIT_CASE(later_word_wins),
	KUNIT_CASE(same_name_in_two_tables),
	KUNIT_CASE(empty_words_are_skipped),
	KUNIT_CASE(values_are_passed),
	KUNIT_CASE(unwanted_values_are_refused),
	KUNIT_CASE(length_of_a_value),
	KUNIT_CASE(numbers_are_words),
	KUNIT_CASE(one_message_per_bad_word),
	KUNIT_CASE(long_word_is_cut),
	KUNIT_CASE(long_table_is_cut),
	KUNIT_CASE(no_table_at_all),
	KUNIT_CASE(kernel_table_is_sound),
	KUNIT_CASE(option_without_list),
	{}
};

static struct kunit_suite iommu_words_suite = {
	.name = "iommu_words",
	.test_cases = iommu_words_cases,
};

kunit_test_init_section_suite(iommu_words_suite);
