// SPDX-License-Identifier: GPL-2.0-only
/*
 * What users see of the DMA paths of devices: dma_path/ in each device's sysfs
 * directory, and dma/ in debugfs.
 *
 * Layers are changed on devices that no driver uses.  Unbinding and binding
 * needs a device that the machine can do without: QEMU's "edu" card, or the
 * one that the environment variable DMA_PATH_DEVICE names by its directory
 * below /sys/bus, for example pci/devices/0000:00:05.0.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kselftest_harness.h"

#define DEBUGFS		"/sys/kernel/debug"
#define DMA_ROOT	DEBUGFS "/dma"
#define FAILSLAB	DEBUGFS "/failslab"
#define FILE_MAX	(256 * 1024)
#define DEVICES_MAX	1024
#define LAYERS_MAX	8
#define FAULTS_MAX	500

/* Layers that the kernel may have. */
static const char * const known_layers[] = { "stats", "fault", "nodma" };

/* A file of /sys: text without the newline at its end, or -errno. */
static int read_file(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t len = 0;
	ssize_t n;

	*buf = '\0';
	if (fd < 0)
		return -errno;
	while ((n = read(fd, buf + len, size - 1 - len)) > 0)
		len += n;
	n = n < 0 ? -errno : 0;
	close(fd);
	while (len && buf[len - 1] == '\n')
		len--;
	buf[len] = '\0';
	return n < 0 ? n : (int)len;
}

/* One write, as the kernel takes it: 0 or -errno. */
static int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = write(fd, text, strlen(text));
	n = n < 0 ? -errno : 0;
	close(fd);
	return n;
}

static void device_file(char *path, const char *device, const char *file)
{
	if (snprintf(path, PATH_MAX, "%s/%s", device, file) >= PATH_MAX)
		abort();
}

static int read_attr(const char *device, const char *name, char *buf,
		     size_t size)
{
	char path[PATH_MAX];

	device_file(path, device, name);
	return read_file(path, buf, size);
}

static int set_layers(const char *device, const char *layers)
{
	char path[PATH_MAX];

	device_file(path, device, "dma_path/layers");
	return write_file(path, layers);
}

static bool is_bound(const char *device)
{
	char path[PATH_MAX];

	device_file(path, device, "driver");
	return !access(path, F_OK);
}

/*
 * Devices with a DMA path
 */

struct devices {
	char *path[DEVICES_MAX];
	unsigned int count;
};

static void add_bus(struct devices *devices, const char *bus)
{
	char dir[PATH_MAX], path[2 * PATH_MAX];
	struct dirent *entry;
	DIR *d;

	snprintf(dir, sizeof(dir), "/sys/bus/%s/devices", bus);
	d = opendir(dir);
	if (!d)
		return;
	while ((entry = readdir(d)) && devices->count < DEVICES_MAX) {
		if (*entry->d_name == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s/dma_path", dir,
			 entry->d_name);
		if (access(path, F_OK))
			continue;
		*strrchr(path, '/') = '\0';
		devices->path[devices->count++] = strdup(path);
	}
	closedir(d);
}

static void find_devices(struct devices *devices)
{
	struct dirent *entry;
	DIR *d = opendir("/sys/bus");

	devices->count = 0;
	if (!d)
		return;
	while ((entry = readdir(d))) {
		if (*entry->d_name != '.')
			add_bus(devices, entry->d_name);
	}
	closedir(d);
}

static void free_devices(struct devices *devices)
{
	while (devices->count)
		free(devices->path[--devices->count]);
}

/* A device that is bound, or not, and carries no layer; NULL without one. */
static const char *pick_device(struct devices *devices, bool bound)
{
	char layers[256];
	unsigned int i;

	for (i = 0; i < devices->count; i++) {
		const char *device = devices->path[i];

		if (is_bound(device) == bound &&
		    read_attr(device, "dma_path/layers", layers,
			      sizeof(layers)) > 0 && !strcmp(layers, "none"))
			return device;
	}
	return NULL;
}

static const char *pick_expendable(struct devices *devices)
{
	const char *named = getenv("DMA_PATH_DEVICE");
	char vendor[16], id[16];
	unsigned int i;

	for (i = 0; i < devices->count; i++) {
		const char *device = devices->path[i];

		if (named && !strcmp(device + strlen("/sys/bus/"), named))
			return device;
		if (!named && is_bound(device) &&
		    read_attr(device, "vendor", vendor, sizeof(vendor)) > 0 &&
		    read_attr(device, "device", id, sizeof(id)) > 0 &&
		    !strcmp(vendor, "0x1234") && !strcmp(id, "0x11e8"))
			return device;
	}
	return NULL;
}

/* Outside of tests, where the harness has no log. */
#define complain(fmt, ...)	printf("# " fmt "\n", ##__VA_ARGS__)

/*
 * Forms of values
 */

static bool is_name(const char *s)
{
	return *s && !strpbrk(s, " \t\n");
}

static bool is_number(const char *s)
{
	return *s && strspn(s, "0123456789") == strlen(s);
}

static bool is_hex(const char *s)
{
	return !strncmp(s, "0x", 2) && s[2] &&
	       strspn(s + 2, "0123456789abcdef") == strlen(s + 2);
}

static bool is_dash(const char *s)
{
	return !strcmp(s, "-");
}

static bool is_number_or_dash(const char *s)
{
	return is_dash(s) || is_number(s);
}

static bool is_hex_or_dash(const char *s)
{
	return is_dash(s) || is_hex(s);
}

static bool is_path(const char *s)
{
	return !strcmp(s, "direct") || !strcmp(s, "iommu") ||
	       !strcmp(s, "ops");
}

static bool is_domain(const char *s)
{
	static const char * const types[] = {
		"-", "DMA", "DMA-FQ", "identity", "blocked", "unmanaged",
		"unknown",
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(types); i++) {
		if (!strcmp(s, types[i]))
			return true;
	}
	return false;
}

/* "none", or up to LAYERS_MAX names joined by "+". */
static bool is_layers(const char *s)
{
	unsigned int n = 0;

	if (!strcmp(s, "none"))
		return true;
	while (n++ < LAYERS_MAX) {
		size_t len = strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789");

		if (!len || len > 15)
			return false;
		s += len;
		if (!*s)
			return true;
		if (*s++ != '+')
			return false;
	}
	return false;
}

/* "-", or "<kind>:<start>-<last>" joined by ",". */
static bool is_windows(const char *s)
{
	unsigned long long start, last;
	char kind[16];
	int len;

	if (is_dash(s))
		return true;
	for (;;) {
		len = 0;
		if (sscanf(s, "%15[a-z]:0x%llx-0x%llx%n", kind, &start, &last,
			   &len) < 3 || !len)
			return false;
		if (strcmp(kind, "direct") && strcmp(kind, "translated"))
			return false;
		if (start > last)
			return false;
		s += len;
		if (!*s)
			return true;
		if (*s++ != ',')
			return false;
	}
}

static const struct key {
	const char *name;
	bool (*valid)(const char *value);
} keys[] = {
	{ "device", is_name },
	{ "bus", is_name },
	{ "driver", is_name },
	{ "path", is_path },
	{ "backend", is_name },
	{ "layers", is_layers },
	{ "dma_mask", is_hex_or_dash },
	{ "coherent_mask", is_hex },
	{ "domain", is_domain },
	{ "windows", is_windows },
	{ "flushes", is_number_or_dash },
	{ "live", is_number_or_dash },
	{ "peak", is_number_or_dash },
	{ "maps", is_number_or_dash },
	{ "bytes", is_number_or_dash },
	{ "bounced", is_number_or_dash },
};

#define KEYS	ARRAY_SIZE(keys)

struct record {
	char *value[KEYS];
};

static int key_index(const char *name)
{
	unsigned int i;

	for (i = 0; i < KEYS; i++) {
		if (!strcmp(keys[i].name, name))
			return i;
	}
	return -1;
}

/* Keys may be added, so one that is not known is no mistake. */
static bool take_field(struct record *record, const char *name, char *value)
{
	int i = key_index(name);

	if (i < 0)
		return true;
	if (record->value[i]) {
		complain("key %s comes twice", name);
		return false;
	}
	if (!keys[i].valid(value)) {
		complain("key %s has the value \"%s\"", name, value);
		return false;
	}
	record->value[i] = value;
	return true;
}

static bool is_complete(const struct record *record)
{
	unsigned int i;

	for (i = 0; i < KEYS; i++) {
		if (record->value[i])
			continue;
		complain("key %s is missing", keys[i].name);
		return false;
	}
	return true;
}

static const char *value_of(const struct record *record, const char *name)
{
	return record->value[key_index(name)];
}

/* "key=value key=value ..."; @line is cut into pieces. */
static bool parse_line(struct record *record, char *line)
{
	char *field, *value;

	memset(record, 0, sizeof(*record));
	while ((field = strsep(&line, " "))) {
		value = strchr(field, '=');
		if (!value || value == field) {
			complain("no key in \"%s\"", field);
			return false;
		}
		*value++ = '\0';
		if (!take_field(record, field, value))
			return false;
	}
	return is_complete(record);
}

/* Is @name a layer of the list @layers, be it cut at a dot? */
static bool has_layer(const char *layers, const char *name)
{
	size_t len = strcspn(name, ".");

	for (;;) {
		if (strcspn(layers, "+") == len && !strncmp(layers, name, len))
			return true;
		layers = strchr(layers, '+');
		if (!layers)
			return false;
		layers++;
	}
}

/* "key: value" lines, those of layers as "layer.key: value". */
static bool parse_status(struct record *record, char *text)
{
	char *line, *value;

	memset(record, 0, sizeof(*record));
	while ((line = strsep(&text, "\n"))) {
		value = strstr(line, ": ");
		if (!value || value == line) {
			complain("no key in \"%s\"", line);
			return false;
		}
		*value = '\0';
		value += 2;
		if (strchr(line, '.') &&
		    !has_layer(value_of(record, "layers") ?: "none", line)) {
			complain("\"%s\" of a layer that is not there", line);
			return false;
		}
		if (!take_field(record, line, value))
			return false;
	}
	return is_complete(record);
}

/*
 * Everything that can be read
 */

FIXTURE(readout)
{
	struct devices devices;
	char *text;
	char *status;
};

FIXTURE_SETUP(readout)
{
	memset(self, 0, sizeof(*self));
	if (geteuid())
		SKIP(return, "must be root");
	mount("debugfs", DEBUGFS, "debugfs", 0, NULL);
	find_devices(&self->devices);
	if (access(DMA_ROOT "/devices", R_OK) && !self->devices.count)
		SKIP(return, "the kernel lacks CONFIG_DMA_LAYERS");
	ASSERT_GT(self->devices.count, 0);
	self->text = malloc(FILE_MAX);
	self->status = malloc(FILE_MAX);
	ASSERT_NE(NULL, self->text);
	ASSERT_NE(NULL, self->status);
	if (access(DMA_ROOT "/devices", R_OK))
		SKIP(return, "the kernel lacks CONFIG_DEBUG_FS");
}

FIXTURE_TEARDOWN(readout)
{
	free(self->text);
	free(self->status);
	free_devices(&self->devices);
}

TEST_F(readout, sysfs_files)
{
	static const struct {
		const char *name;
		mode_t mode;
		bool (*valid)(const char *value);
	} files[] = {
		{ "dma_path/layers", 0644, is_layers },
		{ "dma_path/backend", 0444, is_name },
		{ "dma_path/path", 0444, is_path },
	};
	char path[PATH_MAX], value[256];
	struct stat st;
	unsigned int i, f;

	for (i = 0; i < self->devices.count; i++) {
		for (f = 0; f < ARRAY_SIZE(files); f++) {
			device_file(path, self->devices.path[i],
				    files[f].name);
			ASSERT_EQ(0, stat(path, &st)) TH_LOG("%s", path);
			EXPECT_EQ(files[f].mode, st.st_mode & 07777);
			ASSERT_LT(0, read_file(path, value, sizeof(value)));
			EXPECT_TRUE(files[f].valid(value))
				TH_LOG("%s: %s", path, value);
		}
	}
}

TEST_F(readout, one_line_for_each_device)
{
	unsigned int lines = 0;
	struct record record;
	char *line, *rest = self->text;

	ASSERT_LT(0, read_file(DMA_ROOT "/devices", self->text, FILE_MAX));
	while ((line = strsep(&rest, "\n"))) {
		lines++;
		ASSERT_TRUE(parse_line(&record, line));
	}
	EXPECT_EQ(self->devices.count, lines);
}

TEST_F(readout, lines_agree_with_sysfs)
{
	static const char * const names[] = { "backend", "layers", "path" };
	char device[PATH_MAX], value[256], file[32];
	char *line, *rest = self->text;
	struct record record;
	unsigned int i;

	ASSERT_LT(0, read_file(DMA_ROOT "/devices", self->text, FILE_MAX));
	while ((line = strsep(&rest, "\n"))) {
		ASSERT_TRUE(parse_line(&record, line));
		snprintf(device, sizeof(device), "/sys/bus/%s/devices/%s",
			 value_of(&record, "bus"), value_of(&record, "device"));
		for (i = 0; i < ARRAY_SIZE(names); i++) {
			snprintf(file, sizeof(file), "dma_path/%s", names[i]);
			ASSERT_LT(0, read_attr(device, file, value,
					       sizeof(value)))
				TH_LOG("%s", device);
			EXPECT_STREQ(value, value_of(&record, names[i]));
		}
		EXPECT_EQ(is_bound(device),
			  !is_dash(value_of(&record, "driver")));
	}
}

TEST_F(readout, status_has_every_key)
{
	static const char * const stable[] = {
		"device", "bus", "driver", "path", "backend", "layers",
		"dma_mask", "coherent_mask", "domain", "windows",
	};
	struct record in_line, in_status;
	char *line, *rest = self->text;
	char path[PATH_MAX];
	unsigned int i;

	ASSERT_LT(0, read_file(DMA_ROOT "/devices", self->text, FILE_MAX));
	while ((line = strsep(&rest, "\n"))) {
		ASSERT_TRUE(parse_line(&in_line, line));
		snprintf(path, sizeof(path), DMA_ROOT "/%s/status",
			 value_of(&in_line, "device"));
		ASSERT_LT(0, read_file(path, self->status, FILE_MAX))
			TH_LOG("%s", path);
		ASSERT_TRUE(parse_status(&in_status, self->status))
			TH_LOG("%s", path);
		for (i = 0; i < ARRAY_SIZE(stable); i++)
			EXPECT_STREQ(value_of(&in_line, stable[i]),
				     value_of(&in_status, stable[i]));
	}
}

TEST_F(readout, driver_and_masks_are_those_of_the_device)
{
	char device[PATH_MAX], link[PATH_MAX], path[PATH_MAX];
	char *line, *rest = self->text;
	struct record record;
	ssize_t len;

	ASSERT_LT(0, read_file(DMA_ROOT "/devices", self->text, FILE_MAX));
	while ((line = strsep(&rest, "\n"))) {
		ASSERT_TRUE(parse_line(&record, line));
		snprintf(device, sizeof(device), "/sys/bus/%s/devices/%s",
			 value_of(&record, "bus"), value_of(&record, "device"));
		device_file(path, device, "driver");
		len = readlink(path, link, sizeof(link) - 1);
		if (len > 0) {
			link[len] = '\0';
			EXPECT_STREQ(strrchr(link, '/') + 1,
				     value_of(&record, "driver"));
		}
		/* PCI shows both masks by their number of bits. */
		if (read_attr(device, "dma_mask_bits", link,
			      sizeof(link)) > 0) {
			unsigned long long mask =
				strtoull(value_of(&record, "dma_mask"), NULL,
					 0);

			EXPECT_EQ(atoi(link), mask ? 64 - __builtin_clzll(mask)
						   : 0);
		}
	}
}

TEST_F(readout, files_refuse_writes)
{
	char path[PATH_MAX];
	int fd;

	/* Root may open them all the same; there is nothing that takes it. */
	fd = open(DMA_ROOT "/devices", O_WRONLY | O_CLOEXEC);
	if (fd >= 0) {
		EXPECT_GT(0, write(fd, "x", 1));
		close(fd);
	}
	device_file(path, self->devices.path[0], "dma_path/backend");
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd >= 0) {
		EXPECT_GT(0, write(fd, "x", 1));
		close(fd);
	}
}

/*
 * Changing layers
 */

FIXTURE(layers)
{
	struct devices devices;
	const char *unbound;
	const char *layer[ARRAY_SIZE(known_layers)];
	unsigned int count;
};

FIXTURE_SETUP(layers)
{
	unsigned int i;

	memset(self, 0, sizeof(*self));
	if (geteuid())
		SKIP(return, "must be root");
	mount("debugfs", DEBUGFS, "debugfs", 0, NULL);
	find_devices(&self->devices);
	if (!self->devices.count)
		SKIP(return, "the kernel lacks CONFIG_DMA_LAYERS");
	self->unbound = pick_device(&self->devices, false);
	if (!self->unbound)
		SKIP(return, "every device has a driver");
	for (i = 0; i < ARRAY_SIZE(known_layers); i++) {
		if (!set_layers(self->unbound, known_layers[i]))
			self->layer[self->count++] = known_layers[i];
	}
	ASSERT_EQ(0, set_layers(self->unbound, "none"));
	if (!self->count)
		SKIP(return, "the kernel has no layer");
}

FIXTURE_TEARDOWN(layers)
{
	if (self->unbound)
		set_layers(self->unbound, "none");
	free_devices(&self->devices);
}

#define EXPECT_LAYERS(device, expected)					\
do {									\
	char _now[256];							\
									\
	ASSERT_LT(0, read_attr(device, "dma_path/layers", _now,		\
			       sizeof(_now)));				\
	EXPECT_STREQ(expected, _now);					\
} while (0)

TEST_F(layers, each_alone)
{
	unsigned int i;

	for (i = 0; i < self->count; i++) {
		EXPECT_EQ(0, set_layers(self->unbound, self->layer[i]));
		EXPECT_LAYERS(self->unbound, self->layer[i]);
		EXPECT_EQ(0, set_layers(self->unbound, "none\n"));
		EXPECT_LAYERS(self->unbound, "none");
	}
}

TEST_F(layers, in_both_orders)
{
	char spec[64];

	if (self->count < 2)
		SKIP(return, "needs two layers");
	snprintf(spec, sizeof(spec), "%s+%s", self->layer[0], self->layer[1]);
	EXPECT_EQ(0, set_layers(self->unbound, spec));
	EXPECT_LAYERS(self->unbound, spec);
	snprintf(spec, sizeof(spec), "%s+%s", self->layer[1], self->layer[0]);
	EXPECT_EQ(0, set_layers(self->unbound, spec));
	EXPECT_LAYERS(self->unbound, spec);
}

TEST_F(layers, each_has_a_directory_in_debugfs)
{
	const char *name = strrchr(self->unbound, '/') + 1;
	char path[PATH_MAX];
	unsigned int i;

	if (access(DMA_ROOT, F_OK))
		SKIP(return, "the kernel lacks CONFIG_DEBUG_FS");
	for (i = 0; i < self->count; i++) {
		snprintf(path, sizeof(path), DMA_ROOT "/%s/%s", name,
			 self->layer[i]);
		EXPECT_NE(0, access(path, F_OK));
		ASSERT_EQ(0, set_layers(self->unbound, self->layer[i]));
		EXPECT_EQ(0, access(path, F_OK)) TH_LOG("%s", path);
		ASSERT_EQ(0, set_layers(self->unbound, "none"));
		EXPECT_NE(0, access(path, F_OK)) TH_LOG("%s", path);
	}
}

TEST_F(layers, bad_lists_are_refused)
{
	static const struct {
		const char *spec;
		int ret;
	} bad[] = {
		{ "\n", -EINVAL },
		{ "+", -EINVAL },
		{ "@+", -EINVAL },
		{ "+@", -EINVAL },
		{ "@ +@", -EINVAL },
		{ "@,@", -EINVAL },
		{ "@/@", -EINVAL },
		{ "No", -EINVAL },
		{ "no_such", -EINVAL },
		{ "nosuchlayer0123456789", -EINVAL },
		{ "nosuchlayer", -ENOENT },
		{ "none+@", -ENOENT },
		{ "@+nosuchlayer", -ENOENT },
		{ "@+@", -EEXIST },
		{ "@+@+@+@+@+@+@+@+@", -ENOSPC },
	};
	char spec[256];
	unsigned int i;
	const char *c;
	size_t n;

	ASSERT_EQ(0, set_layers(self->unbound, self->layer[0]));
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		/* @ stands for a layer that exists. */
		for (c = bad[i].spec, n = 0; *c; c++) {
			if (*c == '@')
				n += snprintf(spec + n, sizeof(spec) - n, "%s",
					      self->layer[0]);
			else
				spec[n++] = *c;
		}
		spec[n] = '\0';
		EXPECT_EQ(bad[i].ret, set_layers(self->unbound, spec))
			TH_LOG("\"%s\"", spec);
		EXPECT_LAYERS(self->unbound, self->layer[0]);
	}
}

TEST_F(layers, busy_with_a_driver)
{
	const char *bound = pick_device(&self->devices, true);

	if (!bound)
		SKIP(return, "no device has a driver");
	EXPECT_EQ(-EBUSY, set_layers(bound, self->layer[0]));
	EXPECT_EQ(-EBUSY, set_layers(bound, "none"));
	EXPECT_LAYERS(bound, "none");
}

static int rebind(const char *device, bool bind, const char *driver)
{
	const char *name = strrchr(device, '/') + 1;
	char path[PATH_MAX + 16];

	snprintf(path, sizeof(path), "%s/%s", driver, bind ? "bind" : "unbind");
	return write_file(path, name);
}

TEST_F(layers, survive_unbind_and_rebind)
{
	const char *device = pick_expendable(&self->devices);
	char link[PATH_MAX], driver[PATH_MAX], backend[64], now[64];

	if (!device || !is_bound(device))
		SKIP(return, "no bound device may be unbound; see DMA_PATH_DEVICE");
	device_file(link, device, "driver");
	ASSERT_NE(NULL, realpath(link, driver));
	ASSERT_LT(0, read_attr(device, "dma_path/backend", backend,
			       sizeof(backend)));

	ASSERT_EQ(0, rebind(device, false, driver));
	EXPECT_EQ(0, set_layers(device, self->layer[0]));
	EXPECT_LAYERS(device, self->layer[0]);
	EXPECT_EQ(0, rebind(device, true, driver));
	EXPECT_LAYERS(device, self->layer[0]);
	EXPECT_EQ(-EBUSY, set_layers(device, "none"));
	EXPECT_EQ(0, rebind(device, false, driver));
	EXPECT_LAYERS(device, self->layer[0]);
	EXPECT_EQ(0, set_layers(device, "none"));
	EXPECT_EQ(0, rebind(device, true, driver));
	EXPECT_LAYERS(device, "none");
	EXPECT_LT(0, read_attr(device, "dma_path/backend", now, sizeof(now)));
	EXPECT_STREQ(backend, now);
}

/*
 * Allocations that fail
 */

FIXTURE(faults)
{
	struct devices devices;
	const char *unbound;
	const char *layer;
	char wait[16];
	char verbose[16];
	bool changed;
};

FIXTURE_SETUP(faults)
{
	unsigned int i;

	memset(self, 0, sizeof(*self));
	if (geteuid())
		SKIP(return, "must be root");
	mount("debugfs", DEBUGFS, "debugfs", 0, NULL);
	if (access(FAILSLAB, F_OK) || access("/proc/self/fail-nth", F_OK))
		SKIP(return, "the kernel lacks CONFIG_FAILSLAB");
	find_devices(&self->devices);
	self->unbound = pick_device(&self->devices, false);
	if (!self->unbound)
		SKIP(return, "every device has a driver");
	for (i = 0; i < ARRAY_SIZE(known_layers) && !self->layer; i++) {
		if (!set_layers(self->unbound, known_layers[i]))
			self->layer = known_layers[i];
	}
	set_layers(self->unbound, "none");
	if (!self->layer)
		SKIP(return, "the kernel has no layer");
	ASSERT_LT(0, read_file(FAILSLAB "/ignore-gfp-wait", self->wait,
			       sizeof(self->wait)));
	ASSERT_LT(0, read_file(FAILSLAB "/verbose", self->verbose,
			       sizeof(self->verbose)));
	self->changed = true;
	ASSERT_EQ(0, write_file(FAILSLAB "/ignore-gfp-wait", "N"));
	ASSERT_EQ(0, write_file(FAILSLAB "/verbose", "0"));
}

FIXTURE_TEARDOWN(faults)
{
	if (self->changed) {
		write_file(FAILSLAB "/ignore-gfp-wait", self->wait);
		write_file(FAILSLAB "/verbose", self->verbose);
	}
	if (self->unbound)
		set_layers(self->unbound, "none");
	free_devices(&self->devices);
}

/* Writes with the nth allocation failing; true when there was such a one. */
static bool write_with_fault(const char *path, const char *text,
			     unsigned int nth, int *ret)
{
	int nth_fd = open("/proc/self/fail-nth", O_RDWR | O_CLOEXEC);
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	char number[16];
	ssize_t n;

	n = snprintf(number, sizeof(number), "%u", nth);
	if (nth_fd < 0 || fd < 0 || write(nth_fd, number, n) != n) {
		*ret = -EIO;
		n = 0;
	} else {
		n = write(fd, text, strlen(text));
		*ret = n < 0 ? -errno : 0;
		n = pread(nth_fd, number, sizeof(number) - 1, 0);
		pwrite(nth_fd, "0", 1, 0);
	}
	number[n > 0 ? n : 0] = '\0';
	close(fd);
	close(nth_fd);
	return n > 0 && !atoi(number);
}

TEST_F(faults, each_allocation_of_a_change)
{
	unsigned int nth, failures = 0;
	char path[PATH_MAX];
	bool failed = true;
	int ret;

	device_file(path, self->unbound, "dma_path/layers");
	for (nth = 1; nth < FAULTS_MAX && failed; nth++) {
		failed = write_with_fault(path, self->layer, nth, &ret);
		failures += !!ret;
		if (ret)
			EXPECT_EQ(-ENOMEM, ret) TH_LOG("allocation %u", nth);
		EXPECT_LAYERS(self->unbound, ret ? "none" : self->layer);
		ASSERT_EQ(0, set_layers(self->unbound, "none"));
	}
	EXPECT_FALSE(failed);
	EXPECT_GT(failures, 0);
}

TEST_HARNESS_MAIN
