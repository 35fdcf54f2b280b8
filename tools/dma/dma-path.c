// SPDX-License-Identifier: GPL-2.0-only
/*
 * dma-path - shows how each device reaches memory
 *
 * Reads /sys/kernel/debug/dma/devices: one line per device, "key=value" words.
 * Prints a table, with --json a list of objects that carry every key, and for
 * each device named on the command line only that device.
 */
#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SUMMARY		"/sys/kernel/debug/dma/devices"
#define MAX_KEYS	64
#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

struct pair {
	char *key;
	char *value;
};

struct record {
	char *line;
	struct pair pairs[MAX_KEYS];
	size_t count;
};

struct column {
	const char *key;
	const char *title;
	bool right;
};

static const struct column columns[] = {
	{ "device", "DEVICE", false },
	{ "driver", "DRIVER", false },
	{ "path", "PATH", false },
	{ "backend", "BACKEND", false },
	{ "layers", "LAYERS", false },
	{ "domain", "DOMAIN", false },
	{ "windows_for", "WINDOWS", false },
	{ "dma_mask", "MASK", true },
	{ "coherent_mask", "COHERENT", true },
	{ "live", "LIVE", true },
	{ "peak", "PEAK", true },
	{ "bytes", "BYTES", true },
	{ "flushes", "FLUSHES", true },
	{ "bounced", "BOUNCED", true },
};

static const char *lookup(const struct record *rec, const char *key)
{
	size_t i;

	for (i = 0; i < rec->count; i++)
		if (!strcmp(rec->pairs[i].key, key))
			return rec->pairs[i].value;
	return "-";
}

/* Takes ownership of @line.  False when it is not a record. */
static bool parse(struct record *rec, char *line)
{
	char *save, *word;

	rec->line = line;
	rec->count = 0;
	for (word = strtok_r(line, "\n ", &save); word;
	     word = strtok_r(NULL, "\n ", &save)) {
		char *equals = strchr(word, '=');

		if (!equals || rec->count == MAX_KEYS)
			return false;
		*equals = '\0';
		rec->pairs[rec->count].key = word;
		rec->pairs[rec->count].value = equals + 1;
		rec->count++;
	}
	return rec->count;
}

static void print_string(const char *text, size_t len)
{
	putchar('"');
	for (; len; len--, text++) {
		if (*text == '"' || *text == '\\')
			putchar('\\');
		if (iscntrl((unsigned char)*text))
			printf("\\u%04x", (unsigned char)*text);
		else
			putchar(*text);
	}
	putchar('"');
}

static bool is_decimal(const char *text)
{
	/* JSON knows no leading zeros. */
	if (text[0] == '0' && text[1])
		return false;
	return *text && strspn(text, "0123456789") == strlen(text);
}

/* Windows are a list; a value that the kernel does not know is null. */
static void print_value(const char *key, const char *value)
{
	size_t len;

	if (!strcmp(key, "windows")) {
		putchar('[');
		if (!strcmp(value, "-"))
			value = "";
		while (*value) {
			len = strcspn(value, ",");
			print_string(value, len);
			value += len;
			if (*value == ',') {
				printf(", ");
				value++;
			}
		}
		putchar(']');
	} else if (!*value || !strcmp(value, "-")) {
		printf("null");
	} else if (is_decimal(value)) {
		printf("%s", value);
	} else {
		print_string(value, strlen(value));
	}
}

static void print_json(const struct record *recs, size_t count)
{
	size_t i, k;

	printf("[");
	for (i = 0; i < count; i++) {
		printf(i ? ",\n {" : "\n {");
		for (k = 0; k < recs[i].count; k++) {
			const struct pair *pair = &recs[i].pairs[k];

			printf(k ? ", " : "");
			print_string(pair->key, strlen(pair->key));
			printf(": ");
			print_value(pair->key, pair->value);
		}
		printf("}");
	}
	printf(count ? "\n]\n" : "]\n");
}

static void print_cell(const struct column *col, const char *text, int width,
		       bool last)
{
	if (col->right)
		printf("%*s", width, text);
	else
		printf("%-*s", last ? 0 : width, text);
	printf(last ? "\n" : "  ");
}

static void print_table(const struct record *recs, size_t count)
{
	int width[ARRAY_SIZE(columns)];
	size_t i, c;

	for (c = 0; c < ARRAY_SIZE(columns); c++) {
		width[c] = (int)strlen(columns[c].title);
		for (i = 0; i < count; i++) {
			int len = (int)strlen(lookup(&recs[i], columns[c].key));

			if (len > width[c])
				width[c] = len;
		}
	}
	for (c = 0; c < ARRAY_SIZE(columns); c++)
		print_cell(&columns[c], columns[c].title, width[c],
			   c + 1 == ARRAY_SIZE(columns));
	for (i = 0; i < count; i++)
		for (c = 0; c < ARRAY_SIZE(columns); c++)
			print_cell(&columns[c], lookup(&recs[i],
						       columns[c].key),
				   width[c], c + 1 == ARRAY_SIZE(columns));
}

static bool wanted(const struct record *rec, char **names, int count)
{
	int i;

	for (i = 0; i < count; i++)
		if (!strcmp(lookup(rec, "device"), names[i]))
			return true;
	return !count;
}

/* Number of records, or -1 with a message. */
static long load(const char *path, struct record **recs, char **names,
		 int named)
{
	FILE *file = fopen(path, "r");
	size_t size = 0, count = 0;
	char *line = NULL;

	if (!file) {
		fprintf(stderr, "dma-path: %s: %s\n", path, strerror(errno));
		return -1;
	}
	*recs = NULL;
	for (; getline(&line, &size, file) >= 0; line = NULL, size = 0) {
		*recs = realloc(*recs, (count + 1) * sizeof(**recs));
		if (!*recs || !parse(&(*recs)[count], line)) {
			fprintf(stderr, "dma-path: %s: line %zu: no record\n",
				path, count + 1);
			return -1;
		}
		if (wanted(&(*recs)[count], names, named))
			count++;
		else
			free(line);
	}
	free(line);
	fclose(file);
	return (long)count;
}

static int usage(FILE *out)
{
	fprintf(out,
		"Usage: dma-path [--json] [--file FILE] [DEVICE]...\n"
		"Shows back end, layers, masks and traffic of DMA devices.\n"
		"  -j, --json       print JSON\n"
		"  -f, --file FILE  read FILE instead of " SUMMARY "\n"
		"  -h, --help       print this text\n");
	return out == stderr ? 2 : 0;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "file", required_argument, NULL, 'f' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	const char *path = SUMMARY;
	struct record *recs;
	bool json = false;
	long count, i;
	int opt;

	while ((opt = getopt_long(argc, argv, "jf:h", options, NULL)) >= 0) {
		if (opt == 'j')
			json = true;
		else if (opt == 'f')
			path = optarg;
		else
			return usage(opt == 'h' ? stdout : stderr);
	}
	count = load(path, &recs, argv + optind, argc - optind);
	if (count < 0)
		return 1;
	if (json)
		print_json(recs, (size_t)count);
	else
		print_table(recs, (size_t)count);
	for (i = 0; i < count; i++)
		free(recs[i].line);
	free(recs);
	return optind < argc && !count;
}
