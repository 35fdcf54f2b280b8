// SPDX-License-Identifier: GPL-2.0-only
/*
 * One grammar for the "iommu=" boot option: exact words from one table.
 *
 * A word is looked up by its whole name, so that no word can swallow another
 * one that starts alike. What cannot be honoured costs one message, which
 * names the word and lists what would have been accepted; the words around it
 * count as usual, and of two words that contradict each other the later wins.
 */
#define pr_fmt(fmt) "iommu: " fmt

#include <linux/ctype.h>
#include <linux/errno.h>
#include <linux/init.h>
#include <linux/iommu-words.h>
#include <linux/minmax.h>
#include <linux/printk.h>
#include <linux/seq_buf.h>
#include <linux/string.h>

/* Longer values cannot be valid: the longest is a 64-bit number. */
#define VALUE_MAX	32

/* So much of a refused word is shown. */
#define SHOWN_MAX	40

/* The kernel cuts longer lines of its log. */
static char message[900] __initdata;

static bool __init same_word(const struct iommu_word *a,
			     const struct iommu_word *b)
{
	if (!a->name || !b->name)
		return a->name == b->name && !strcmp(a->value, b->value);
	return !strcmp(a->name, b->name);
}

/* List each word once, even if several tables have it. */
static void __init list_words(struct seq_buf *s, const struct iommu_word *first,
			      const struct iommu_word *end)
{
	const struct iommu_word *word, *seen;

	for (word = first; word < end; word++) {
		for (seen = first; !same_word(seen, word); seen++)
			;
		if (seen == word)
			seq_buf_printf(s, " %s%s", word->name ?: "",
				       word->value ?: "");
	}
}

/* Does @word serve the text of @len characters, whose name has @name_len? */
static bool __init word_matches(const struct iommu_word *word, const char *text,
				size_t name_len)
{
	if (!word->name)
		return isdigit(*text);
	return strlen(word->name) == name_len &&
	       !memcmp(word->name, text, name_len);
}

/* Call every handler for one word; NULL or the reason why it is refused. */
static const char * __init apply_word(const struct iommu_word *first,
				      const struct iommu_word *end,
				      const char *text, size_t len)
{
	const char *equals = memchr(text, '=', len);
	size_t name_len = equals ? equals - text : len;
	const char *start = isdigit(*text) ? text : equals ? equals + 1 : NULL;
	const char *reason = "unknown word";
	const struct iommu_word *word;
	char value[VALUE_MAX] = "";
	bool fits = true;

	if (start) {
		size_t value_len = text + len - start;

		fits = value_len < sizeof(value);
		memcpy(value, start, fits ? value_len : 0);
	}

	for (word = first; word < end; word++) {
		if (!word_matches(word, text, name_len))
			continue;
		if ((start && !word->value) || !fits ||
		    word->set(word->name, start ? value : NULL))
			return "bad value in";
		reason = NULL;
	}
	return reason;
}

/**
 * iommu_words_apply - apply a list of words by a given table
 * @first: first entry of the table
 * @end: end of the table, behind the last entry
 * @list: words separated by commas; empty ones are skipped
 * @refuse: called once for each word that cannot be honoured, with a message
 *	that names the word and lists what is accepted
 *
 * Context: while init memory exists, on one CPU; does not allocate.
 */
void __init iommu_words_apply(const struct iommu_word *first,
			      const struct iommu_word *end, const char *list,
			      void (*refuse)(const char *message))
{
	while (*list) {
		size_t len = strcspn(list, ",");
		const char *reason = NULL;

		if (len)
			reason = apply_word(first, end, list, len);
		if (reason) {
			struct seq_buf s;

			seq_buf_init(&s, message, sizeof(message));
			seq_buf_printf(&s, "%s '%.*s%s' ignored, accepted are:",
				       reason, (int)min(len, SHOWN_MAX), list,
				       len > SHOWN_MAX ? "..." : "");
			list_words(&s, first, end);
			refuse(seq_buf_str(&s));
		}
		list += len;
		if (*list)
			list++;
	}
}

static void __init refuse_word(const char *message)
{
	pr_warn("%s\n", message);
}

/**
 * iommu_words_parse - apply the words of an "iommu=" boot option
 * @list: what follows "iommu=", or NULL when there is no "="
 *
 * For the early_param() handler of an architecture.
 *
 * Return: 0, or -EINVAL when @list is NULL.
 */
int __init iommu_words_parse(char *list)
{
	if (!list)
		return -EINVAL;

	iommu_words_apply(__iommu_words_start, __iommu_words_end, list,
			  refuse_word);
	return 0;
}
