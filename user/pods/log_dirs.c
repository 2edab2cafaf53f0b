/* SPDX-License-Identifier: GPL-2.0-only */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "../base/clock.h"
#include "../base/hash.h"
#include "cgroup_path.h"
#include "log_dirs.h"
#include "log_names.h"

#define MSEC 1000000ll
#define CHECK_NS (5 * MSEC)	  /* a stat(2) is 1 us: a pod that lives 50 ms is still met */
#define READ_SHARE 10		  /* at most a tenth of the time goes into reading one folder */
#define READ_MAX_NS (1000 * MSEC) /* but a changed folder never waits longer than this */
#define SETTLE_NS (50 * MSEC)	  /* coarser than the tick that mtime moves by (10 ms at HZ=100) */
#define NAMES_PER_READ 262144	  /* folder entries looked at, so that a read always ends */
#define KEY_LEN 16		  /* a UID or the first 32 digits of an id, as bytes */

struct entry {
	unsigned char key[KEY_LEN];
	uint64_t gone_ns; /* 0: listed */
	uint32_t pass;	  /* the newest read that met it */
	UT_hash_handle hh;
	char text[]; /* namespace, pod, container, each with its NUL */
};

typedef int (*parse_fn)(int fd, const struct dirent *de, struct log_name *ret_name, char *buf);

struct folder {
	char *path;
	parse_fn parse;
	int err;
	int looked;
	int settled; /* mtime was old enough when we read, so that a later change must move it */
	dev_t dev;
	ino_t ino;
	struct timespec mtime;
	uint64_t read_after_ns;
	uint32_t pass;
	uint64_t dropped;
	size_t limit;
	struct entry *entries;
};

struct log_dirs {
	struct folder pods;
	struct folder links;
	uint64_t (*clock)(void);
	uint64_t check_after_ns;
	uint32_t version;
	char only[NAME_MAX + 1]; /* container found in a pod's folder */
};

static int parse_pod_folder(int fd, const struct dirent *de, struct log_name *ret_name, char *buf)
{
	(void)fd;
	(void)buf;
	if (de->d_type != DT_DIR && de->d_type != DT_UNKNOWN)
		return -EINVAL;
	return log_names_parse_pod(de->d_name, ret_name);
}

/* Of a link whose name was cut in front of its id, the target still tells whose it is: key UID. buf: PATH_MAX bytes. */
static int parse_link(int fd, const struct dirent *de, struct log_name *ret_name, char *buf)
{
	ssize_t n;
	int err = log_names_parse_link(de->d_name, ret_name);

	if (err || ret_name->id.len)
		return err;
	n = readlinkat(fd, de->d_name, buf, PATH_MAX - 1);
	if (n < 0)
		return -errno;
	buf[n] = '\0';
	return log_names_parse_target(buf, ret_name);
}

/* The first 32 hex digits of s, dashes left out. False when there are fewer. */
static int make_key(const char *s, size_t len, unsigned char key[KEY_LEN])
{
	size_t n = 0;

	memset(key, 0, KEY_LEN);
	for (size_t i = 0; i < len && n < 2 * KEY_LEN; i++) {
		if (s[i] == '-')
			continue;
		if (!cgroup_path_hex_span(s + i, 1))
			return 0;
		key[n / 2] |= (s[i] <= '9' ? s[i] - '0' : s[i] - 'a' + 10) << (n % 2 ? 0 : 4);
		n++;
	}
	return n == 2 * KEY_LEN;
}

static struct entry *find(struct folder *folder, const char *s)
{
	unsigned char key[KEY_LEN];
	struct entry *entry = NULL;

	if (make_key(s, strlen(s), key))
		HASH_FIND(hh, folder->entries, key, KEY_LEN, entry);
	return entry;
}

static void drop(struct folder *folder, struct entry *entry)
{
	HASH_DEL(folder->entries, entry);
	free(entry);
}

static char *append(char *to, struct log_part part)
{
	if (part.len)
		memcpy(to, part.s, part.len);
	to[part.len] = '\0';
	return to + part.len + 1;
}

static int same_text(const char *a, const char *b)
{
	for (int part = 0; part < 3; part++) {
		if (strcmp(a, b))
			return 0;
		a += strlen(a) + 1;
		b += strlen(b) + 1;
	}
	return 1;
}

static void add(struct folder *folder, const struct log_name *name)
{
	struct log_part id = name->id.len ? name->id : name->uid;
	size_t size = name->ns.len + name->pod.len + name->container.len + 3;
	struct entry *entry, *old;

	entry = calloc(1, sizeof(*entry) + size);
	if (!entry) {
		folder->dropped++;
		return;
	}
	make_key(id.s, id.len, entry->key);
	append(append(append(entry->text, name->ns), name->pod), name->container);
	entry->pass = folder->pass;
	HASH_FIND(hh, folder->entries, entry->key, KEY_LEN, old);
	if (old) {
		if (same_text(old->text, entry->text)) {
			old->pass = folder->pass;
			old->gone_ns = 0;
			free(entry);
			return;
		}
		drop(folder, old);
	}
	if (HASH_COUNT(folder->entries) >= folder->limit) {
		folder->dropped++;
		free(entry);
		return;
	}
	HASH_ADD(hh, folder->entries, key, KEY_LEN, entry);
	if (!HASH_ADDED(entry))
		folder->dropped++;
}

/* Everything that the read did not meet is gone; after a while it is forgotten. */
static void age(struct folder *folder, uint64_t now_ns)
{
	struct entry *entry, *next;

	HASH_ITER (hh, folder->entries, entry, next) {
		if (entry->pass == folder->pass)
			continue;
		if (!entry->gone_ns)
			entry->gone_ns = now_ns ? now_ns : 1;
		else if (now_ns > entry->gone_ns && now_ns - entry->gone_ns > LOG_DIRS_KEEP_NS)
			drop(folder, entry);
	}
}

static int read_folder(struct folder *folder, uint64_t now_ns)
{
	/* A link in the path itself is followed: /var/log may be one. */
	int fd = open(folder->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK);
	char buf[PATH_MAX];
	struct log_name name;
	struct dirent *de;
	DIR *dir;
	int err;

	if (fd < 0)
		return -errno;
	dir = fdopendir(fd);
	if (!dir) {
		err = -errno;
		close(fd);
		return err;
	}
	folder->pass++;
	errno = 0;
	for (size_t n = 0; n < NAMES_PER_READ && (de = readdir(dir)); n++) {
		if (!folder->parse(fd, de, &name, buf))
			add(folder, &name);
		errno = 0;
	}
	err = -errno;
	closedir(dir);
	if (!err)
		age(folder, now_ns);
	return err;
}

/* Returns true when the tables or the error may have changed. */
static int look(struct folder *folder, uint64_t now_ns, uint64_t (*clock)(void))
{
	int was_looked = folder->looked, was_err = folder->err;
	uint64_t start, cost;
	struct stat st;
	int64_t mtime_age;

	folder->looked = 1;
	if (!folder->path || stat(folder->path, &st)) {
		folder->err = folder->path ? -errno : -ENOENT;
		folder->settled = 0;
		return !was_looked || folder->err != was_err;
	}
	if (was_looked && !was_err && folder->settled && st.st_dev == folder->dev && st.st_ino == folder->ino &&
	    st.st_mtim.tv_sec == folder->mtime.tv_sec && st.st_mtim.tv_nsec == folder->mtime.tv_nsec)
		return 0;
	if (now_ns < folder->read_after_ns)
		return 0;
	mtime_age = (int64_t)(clock_ns(CLOCK_REALTIME) - (st.st_mtim.tv_sec * 1000000000ull + st.st_mtim.tv_nsec));
	folder->settled = mtime_age > SETTLE_NS || mtime_age < -SETTLE_NS; /* ahead: the clock was set back */
	folder->dev = st.st_dev;
	folder->ino = st.st_ino;
	folder->mtime = st.st_mtim;
	start = clock();
	folder->err = read_folder(folder, now_ns);
	cost = (clock() - start) * READ_SHARE;
	folder->read_after_ns = now_ns + (cost < READ_MAX_NS ? cost : READ_MAX_NS);
	return !was_looked || !folder->err || folder->err != was_err;
}

uint32_t log_dirs_refresh(struct log_dirs *dirs, uint64_t now_ns)
{
	int changed;

	/* a time that went back is no reason to wait */
	if (dirs->version && now_ns < dirs->check_after_ns && dirs->check_after_ns - now_ns <= CHECK_NS)
		return dirs->version;
	dirs->check_after_ns = now_ns + CHECK_NS;
	changed = look(&dirs->pods, now_ns, dirs->clock);
	changed |= look(&dirs->links, now_ns, dirs->clock);
	if (changed && !++dirs->version)
		dirs->version = 1;
	return dirs->version;
}

/*
 * The name of the only container of a pod, where links do not tell: no folder of links, or their ids were cut off. The
 * kubelet makes a container's folder before the container and its link after it. False: none or several.
 */
static int only_container(const struct log_dirs *dirs, const struct log_who *who, const char *uid, char ret[NAME_MAX + 1])
{
	char path[PATH_MAX];
	struct dirent *de;
	int n, fd, found = 0;
	DIR *dir;

	n = snprintf(path, sizeof(path), "%s/%s_%s_%s", dirs->pods.path, who->ns, who->pod, uid);
	if (n < 0 || (size_t)n >= sizeof(path))
		return 0;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return 0;
	dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return 0;
	}
	while (found < 2 && (de = readdir(dir)))
		if (de->d_name[0] != '.' && (de->d_type == DT_DIR || de->d_type == DT_UNKNOWN) && !found++)
			memcpy(ret, de->d_name, strlen(de->d_name) + 1);
	closedir(dir);
	return found == 1 && log_names_is_container(ret);
}

static void read_text(const struct entry *entry, struct log_who *ret_who)
{
	ret_who->ns = entry->text;
	ret_who->pod = ret_who->ns + strlen(ret_who->ns) + 1;
	ret_who->container = ret_who->pod + strlen(ret_who->pod) + 1;
}

int log_dirs_find(struct log_dirs *dirs, const char *uid, const char *id, struct log_who *ret_who)
{
	struct entry *pod = find(&dirs->pods, uid), *link = find(&dirs->links, id);
	struct log_who from_link;

	ret_who->ns = ret_who->pod = ret_who->container = "";
	if (pod)
		read_text(pod, ret_who);
	if (!id[0])
		return pod ? 0 : -ENOENT;
	if (link) {
		read_text(link, &from_link);
		if (!pod)
			*ret_who = from_link;
		ret_who->container = from_link.container;
	} else if (pod && (dirs->links.err || find(&dirs->links, uid)) && only_container(dirs, ret_who, uid, dirs->only)) {
		ret_who->container = dirs->only;
	}
	return pod || link ? 0 : -ENOENT;
}

static int init_folder(struct folder *folder, const char *path, size_t limit, parse_fn parse)
{
	folder->parse = parse;
	folder->limit = limit;
	folder->path = path ? strdup(path) : NULL;
	return path && !folder->path ? -ENOMEM : 0;
}

int log_dirs_new(const char *pod_logs, const char *container_logs, size_t limit, uint64_t (*clock)(void),
		 struct log_dirs **ret_dirs)
{
	struct log_dirs *dirs = calloc(1, sizeof(*dirs));

	if (!dirs)
		return -ENOMEM;
	dirs->clock = clock;
	if (init_folder(&dirs->pods, pod_logs, limit, parse_pod_folder) ||
	    init_folder(&dirs->links, container_logs, limit, parse_link)) {
		log_dirs_free(dirs);
		return -ENOMEM;
	}
	*ret_dirs = dirs;
	return 0;
}

static void clear_folder(struct folder *folder)
{
	struct entry *entry, *next;

	HASH_ITER (hh, folder->entries, entry, next)
		drop(folder, entry);
	free(folder->path);
}

void log_dirs_free(struct log_dirs *dirs)
{
	if (!dirs)
		return;
	clear_folder(&dirs->pods);
	clear_folder(&dirs->links);
	free(dirs);
}

int log_dirs_pod_err(const struct log_dirs *dirs)
{
	return dirs->pods.looked ? dirs->pods.err : -EAGAIN;
}

int log_dirs_container_err(const struct log_dirs *dirs)
{
	return dirs->links.looked ? dirs->links.err : -EAGAIN;
}

uint64_t log_dirs_dropped(const struct log_dirs *dirs)
{
	return dirs->pods.dropped + dirs->links.dropped;
}
