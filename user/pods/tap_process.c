/* SPDX-License-Identifier: GPL-2.0-only */
#include "tap_process.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cgroup_path.h"
#include "runtime_files.h"

#define FDS_MAX 65536
#define FILE_MAX 8192

/* A file of the process; its length (cut at size - 1, a NUL is put behind), 0: not to be had. */
static size_t read_of(int proc, const char *name, char *buf, size_t size)
{
	int fd = openat(proc, name, O_RDONLY | O_CLOEXEC);
	ssize_t n = 0;
	size_t len = 0;

	while (fd >= 0 && len < size - 1 && (n = read(fd, buf + len, size - 1 - len)) > 0)
		len += (size_t)n;
	if (fd >= 0)
		close(fd);
	buf[len] = '\0';
	return len;
}

static bool is_tap(int proc, const char *number, const char *device)
{
	char name[64], link[64], text[1024], want[64];
	ssize_t n;

	snprintf(name, sizeof(name), "fd/%.20s", number);
	n = readlinkat(proc, name, link, sizeof(link) - 1);
	link[n > 0 ? n : 0] = '\0';
	if (strcmp(link, "/dev/net/tun"))
		return false;
	snprintf(name, sizeof(name), "fdinfo/%.20s", number);
	snprintf(want, sizeof(want), "\niff:\t%s\n", device);
	return read_of(proc, name, text, sizeof(text)) && strstr(text, want);
}

static bool has_tap(int proc, const char *device, int *left)
{
	int fd = openat(proc, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *de;
	bool found = false;

	if (!dir) {
		if (fd >= 0)
			close(fd);
		return false;
	}
	while (!found && *left > 0 && (de = readdir(dir)))
		if (de->d_name[0] != '.') {
			--*left;
			found = is_tap(proc, de->d_name, device);
		}
	closedir(dir);
	return found;
}

static int open_process(int pid)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/%d", pid);
	return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* Spares the walk through all descriptors for a device of another kind. */
static bool is_tun(const char *device)
{
	struct ethtool_drvinfo info = { .cmd = ETHTOOL_GDRVINFO };
	struct ifreq ifr = { .ifr_data = (void *)&info };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool is;

	memcpy(ifr.ifr_name, device, strnlen(device, sizeof(ifr.ifr_name) - 1));
	is = fd >= 0 && !ioctl(fd, SIOCETHTOOL, &ifr) && !strcmp(info.driver, "tun");
	if (fd >= 0)
		close(fd);
	return is;
}

static bool is_in(int proc, const struct stat *netns)
{
	struct stat st;

	return !fstatat(proc, "ns/net", &st, 0) && st.st_ino == netns->st_ino && st.st_dev == netns->st_dev;
}

int tap_process_find(const char *device)
{
	struct stat own;
	DIR *dir = is_tun(device) ? opendir("/proc") : NULL;
	int left = FDS_MAX, found = 0;
	const struct dirent *de;

	if (dir && stat("/proc/self/ns/net", &own))
		left = 0;
	while (dir && left > 0 && (de = readdir(dir))) {
		int pid = (int)strtol(de->d_name, NULL, 10), proc = pid > 0 ? open_process(pid) : -1;

		if (proc < 0)
			continue;
		if (is_in(proc, &own) && has_tap(proc, device, &left)) {
			/* one of them only passed it on */
			left = found ? 0 : left;
			found = found ? 0 : pid;
		}
		close(proc);
	}
	if (dir)
		closedir(dir);
	return found;
}

bool tap_process_machine(int pid, char *ret_name, size_t len)
{
	int proc = open_process(pid);
	char text[FILE_MAX];
	size_t n = proc < 0 ? 0 : read_of(proc, "cmdline", text, sizeof(text));

	if (proc >= 0)
		close(proc);
	return n && runtime_parse_machine_arguments(text, n, ret_name, len);
}

bool tap_process_cgroup(int pid, char *ret_path, size_t len)
{
	int proc = open_process(pid);
	char text[FILE_MAX];
	size_t n = proc < 0 ? 0 : read_of(proc, "cgroup", text, sizeof(text)), path_len;
	const char *path;

	if (proc >= 0)
		close(proc);
	if (!n || cgroup_path_from_proc(text, n, &path, &path_len) || path_len < 2 || path_len > len)
		return false;
	memcpy(ret_path, path + 1, path_len - 1);
	ret_path[path_len - 1] = '\0';
	return true;
}
