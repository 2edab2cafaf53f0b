/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One table of places, each with a way to read it; a place that is not there costs a few openat(2). Files are opened
 * below the place's folder without following links, so that a name cannot be had from elsewhere.
 */
#include "runtime_names.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../base/hash.h"
#include "../base/small.h"
#include "cgroup_path.h"
#include "safe_file.h"

#define SEC 1000000000ull
#define FOUND_NS (300 * SEC)	 /* a container may be renamed */
#define MISSING_MIN_NS (SEC / 5) /* a container's state is written before its process starts, so mostly found at once */
#define MISSING_MAX_NS (30 * SEC)
#define FILE_MAX (1u << 20)    /* a configuration has 5 to 50 KB */
#define STORAGE_MAX (4u << 20) /* podman's list: 500 bytes a container */
#define STORAGE_CONTAINERS 8192
#define BUDGET_NODE (16u << 20) /* bytes read in a second, the node's own stores */
#define BUDGET_USERS (4u << 20) /* and those of all users, who may write what they like */
#define READ_COST 512		/* of it, for each file that is looked for, there or not */
#define LOOKS_NODE 2000		/* look-ups in a second that are not answered from memory */
#define LOOKS_USERS 200
#define FOLDER_MAX 65536 /* entries of a folder looked at, for what is counted */
#define NAMESPACES_MAX 32
#define REMAPS_MAX 256 /* entries of Docker's folder */
#define NAMES_MAX 1024 /* of nerdctl, in one namespace */
#define PATH_LEN 1024
#define KEY_LEN (RUNTIME_TEXT_LEN + 16)

/* <place>/containers/ID/config.v2.json */
static const char *const docker_roots[] = {
	"/var/lib/docker",
	"/var/snap/docker/common/var-lib-docker",
};
/* <place>/NAMESPACE/ID/config.json */
static const char *const task_roots[] = {
	"/run/containerd/io.containerd.runtime.v2.task",
	"/run/containerd/io.containerd.runtime.v1.linux",    /* containerd before 1.4, Docker 19.03 */
	"/run/k3s/containerd/io.containerd.runtime.v2.task", /* RKE2 too */
	"/run/k0s/containerd/io.containerd.runtime.v2.task",
	"/var/snap/microk8s/common/run/containerd/io.containerd.runtime.v2.task",
};
/* <place>/DRIVER-containers/ID/userdata/config.json (CRI-O), <place>/DRIVER-containers/containers.json (podman) */
static const char *const storage_roots[] = {
	"/var/lib/containers/storage",
	"/run/containers/storage",
};
static const char *const storage_drivers[] = { "overlay", "vfs", "btrfs", "zfs" };
/* containers run with --rm are in the other list (containers/storage 1.45) */
static const char *const storage_lists[] = { "containers.json", "volatile-containers.json" };

enum home_of { HOME_DOCKER, HOME_TASKS, HOME_STORAGE, HOMES };

struct entry {
	UT_hash_handle hh;
	uint64_t until_ns; /* looked up again after */
	uint64_t wait_ns;  /* of one that was not found */
	bool known;
	enum runtime runtime;
	char *text; /* the parts, each with its NUL; in the same allocation as key, behind it */
	char key[];
};

struct budget {
	uint64_t second;
	uint32_t bytes, looks;
};

struct runtime_names {
	int root_fd; /* -1: not there */
	size_t limit;
	struct entry *entries;
	struct budget budgets[2]; /* the node's, the users' */
	struct runtime_names_stats stats;
	struct runtime_who who;
	char told[HOMES][PATH_LEN]; /* data folders elsewhere, as a state points to them */
};

int runtime_names_new(const char *root, size_t limit, struct runtime_names **ret_names)
{
	struct runtime_names *names = calloc(1, sizeof(*names));

	if (!names)
		return -ENOMEM;
	names->limit = limit;
	names->root_fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*ret_names = names;
	return 0;
}

static void drop(struct runtime_names *names, struct entry *e)
{
	HASH_DEL(names->entries, e);
	free(e);
}

void runtime_names_free(struct runtime_names *names)
{
	struct entry *e, *tmp;

	if (!names)
		return;
	HASH_ITER (hh, names->entries, e, tmp)
		drop(names, e);
	if (names->root_fd >= 0)
		close(names->root_fd);
	free(names);
}

/* --- one look ----------------------------------------------------------------------------------------------------- */

struct look {
	struct runtime_names *names;
	struct budget *budget;
	uint32_t bytes_max;
	const char *id;
	struct runtime_text *ret;
	bool found;
};

/* False: there is no such file, or it is not to be trusted (then it is counted). */
static bool read_file(struct look *l, int dir_fd, const char *path, size_t max, char **ret_text, size_t *ret_len)
{
	long n;

	if (l->budget->bytes >= l->bytes_max) {
		l->names->stats.deferred++;
		return false;
	}
	l->budget->bytes += READ_COST;
	n = safe_read_file(dir_fd, path, max, ret_text);
	if (n < 0) {
		l->names->stats.skipped += n == -EFBIG || n == -EINVAL || n == -ELOOP;
		return false;
	}
	l->budget->bytes += (uint32_t)n;
	*ret_len = n;
	return true;
}

/* False: it is found, or what may be read in this second is: a folder may hold names without end. */
static bool goes_on(const struct look *l)
{
	return !l->found && l->budget->bytes < l->bytes_max;
}

static void take(struct look *l, int err)
{
	if (err)
		l->names->stats.skipped++;
	else
		l->found = true;
}

/* dir_fd: what holds containers/ */
static void look_docker_at(struct look *l, int dir_fd, const char *below)
{
	char path[PATH_LEN], *text;
	size_t len;

	snprintf(path, sizeof(path), "%scontainers/%s/config.v2.json", below, l->id);
	if (!read_file(l, dir_fd, path, FILE_MAX, &text, &len))
		return;
	take(l, runtime_parse_docker(text, len, l->id, l->ret));
	free(text);
}

/* "100000.100000": with userns-remap all that Docker has is below a folder named by the first ids. */
static bool is_remap(const char *name)
{
	size_t n = strspn(name, "0123456789");

	return n && name[n] == '.' && name[n + 1] && !name[n + 1 + strspn(name + n + 1, "0123456789")];
}

/* What calls look at, folder by folder: false ends it. */
typedef bool (*entry_fn)(void *arg, int dir_fd, const char *name);

/* Of the folder below dir_fd ("." itself), at most max entries; hidden ones are none, and count. */
static void each_entry(int dir_fd, const char *below, int max, entry_fn fn, void *arg)
{
	int fd = safe_open_dir(dir_fd, below);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *de;

	if (!dir) {
		if (fd >= 0)
			close(fd);
		return;
	}
	for (int i = -2; i < max && (de = readdir(dir)); i++) /* "." and ".." are there too */
		if (de->d_name[0] != '.' && !fn(arg, fd, de->d_name))
			break;
	closedir(dir);
}

static bool on_remap(void *arg, int dir_fd, const char *name)
{
	struct look *l = arg;
	char below[NAME_MAX + 2];

	if (is_remap(name)) {
		snprintf(below, sizeof(below), "%s/", name);
		look_docker_at(l, dir_fd, below);
	}
	return goes_on(l);
}

static void look_docker(struct look *l, int fd)
{
	look_docker_at(l, fd, "");
	if (!l->found)
		each_entry(fd, ".", REMAPS_MAX, on_remap, l);
}

static void look_bundle(struct look *l, int fd, const char *path)
{
	struct runtime_text got;
	size_t len;
	char *text;
	int err;

	if (!read_file(l, fd, path, FILE_MAX, &text, &len))
		return;
	err = runtime_parse_bundle(text, len, &got);
	free(text);
	/* annotations that name nobody: another runtime's bundle, or a bare one */
	if (!err && !got.part[RUNTIME_PART_POD][0] && !got.part[RUNTIME_PART_CONTAINER][0])
		return;
	*l->ret = got;
	take(l, err);
}

static bool on_task_namespace(void *arg, int dir_fd, const char *name)
{
	struct look *l = arg;
	char path[PATH_LEN];

	snprintf(path, sizeof(path), "%s/%s/config.json", name, l->id);
	look_bundle(l, dir_fd, path);
	return goes_on(l);
}

static void look_tasks(struct look *l, int fd)
{
	each_entry(fd, ".", NAMESPACES_MAX, on_task_namespace, l);
}

/*
 * nerdctl's store of names, <hash of the daemon's address>/names/NAMESPACE/NAME, a file with the id (nerdctl
 * pkg/namestore). A rootless containerd's own state is in a mount namespace of its user's.
 */
static bool on_nerdctl_name(void *arg, int dir_fd, const char *name)
{
	struct look *l = arg;
	size_t len;
	char *text;

	if (!read_file(l, dir_fd, name, 256, &text, &len))
		return goes_on(l);
	if (!strncmp(text, l->id, CONTAINER_ID_SIZE - 1) &&
	    !text[CONTAINER_ID_SIZE - 1 + strspn(text + CONTAINER_ID_SIZE - 1, "\n")])
		take(l, runtime_name_container(name, RUNTIME_CONTAINERD, l->ret));
	free(text);
	return goes_on(l);
}

static bool on_nerdctl_namespace(void *arg, int dir_fd, const char *name)
{
	struct look *l = arg;

	each_entry(dir_fd, name, NAMES_MAX, on_nerdctl_name, l);
	return goes_on(l);
}

static bool on_nerdctl_store(void *arg, int dir_fd, const char *name)
{
	struct look *l = arg;
	char below[PATH_LEN];

	snprintf(below, sizeof(below), "%s/names", name);
	each_entry(dir_fd, below, NAMESPACES_MAX, on_nerdctl_namespace, l);
	return goes_on(l);
}

static void look_nerdctl(struct look *l, int fd)
{
	each_entry(fd, ".", NAMESPACES_MAX, on_nerdctl_store, l);
}

static void on_stored(void *arg, const char *id, const struct runtime_text *what)
{
	struct look *l = arg;

	if (strcmp(id, l->id) || what->runtime == RUNTIME_KUBERNETES)
		return;
	*l->ret = *what;
	l->found = true;
}

static void look_storage(struct look *l, int fd)
{
	char path[PATH_LEN], *text;
	size_t len, over;

	for (size_t d = 0; d < LEN(storage_drivers) && !l->found; d++) {
		snprintf(path, sizeof(path), "%s-containers/%s/userdata/config.json", storage_drivers[d], l->id);
		look_bundle(l, fd, path);
		for (size_t i = 0; i < LEN(storage_lists) && !l->found; i++) {
			snprintf(path, sizeof(path), "%s-containers/%s", storage_drivers[d], storage_lists[i]);
			if (!read_file(l, fd, path, STORAGE_MAX, &text, &len))
				continue;
			if (runtime_parse_storage(text, len, STORAGE_CONTAINERS, on_stored, l, &over) || over)
				l->names->stats.skipped++;
			free(text);
		}
	}
}

typedef void (*look_fn)(struct look *l, int fd);

static void look_at(struct look *l, const char *path, look_fn fn)
{
	int fd;

	if (l->found || l->names->root_fd < 0)
		return;
	fd = safe_open_root(l->names->root_fd, path);
	if (fd < 0)
		return;
	fn(l, fd);
	close(fd);
}

typedef int (*parse_path_fn)(const char *text, size_t len, char *buf, size_t buf_len);

/* What holds a runtime's containers: the usual places, and the one that a file of settings names instead. */
static const struct home {
	const char *folder, *file;
	parse_path_fn parse;
	const char *below; /* of what the file names */
	const char *const *places;
	size_t len;
} homes[] = {
	[HOME_DOCKER] = { "/etc/docker", "daemon.json", runtime_parse_data_root, "", docker_roots, LEN(docker_roots) },
	[HOME_TASKS] = { "/etc/containerd", "config.toml", runtime_parse_state_dir, "/io.containerd.runtime.v2.task",
			 task_roots, LEN(task_roots) },
	[HOME_STORAGE] = { "/etc/containers", "storage.conf", runtime_parse_graphroot, "", storage_roots,
			   LEN(storage_roots) },
};

/* The place that the file names, into buf. */
static bool home_told(const struct runtime_names *names, const struct home *home, char buf[PATH_LEN])
{
	int fd = names->root_fd < 0 ? -1 : safe_open_root(names->root_fd, home->folder);
	char *text = NULL;
	bool found = false;
	long n;

	if (fd < 0)
		return false;
	n = safe_read_file(fd, home->file, FILE_MAX, &text);
	if (n >= 0)
		found = !home->parse(text, n, buf, PATH_LEN) && strlen(buf) + strlen(home->below) < PATH_LEN;
	if (found)
		strcat(buf, home->below);
	free(text);
	close(fd);
	return found;
}

static void look_home(struct look *l, const struct home *home, look_fn fn)
{
	char told[PATH_LEN];

	if (home_told(l->names, home, told))
		look_at(l, told, fn);
	for (size_t i = 0; i < home->len; i++)
		look_at(l, home->places[i], fn);
}

static void look_node(struct look *l)
{
	look_home(l, &homes[HOME_DOCKER], look_docker);
	look_home(l, &homes[HOME_TASKS], look_tasks);
	look_home(l, &homes[HOME_STORAGE], look_storage);
}

/* Rootless podman, Docker and nerdctl keep all below the user's home folder, where no link is followed: it is the user's. */
static void look_user(struct look *l, uint32_t uid)
{
	static const struct {
		const char *below;
		look_fn fn;
	} places[] = {
		{ ".local/share/containers/storage", look_storage },
		{ ".local/share/docker", look_docker },
		{ ".local/share/nerdctl", look_nerdctl },
	};
	char home[PATH_LEN], *text = NULL;
	int fd, home_fd;
	bool found;
	long n;

	fd = l->names->root_fd < 0 ? -1 : safe_open_root(l->names->root_fd, "/etc");
	if (fd < 0)
		return;
	n = safe_read_file(fd, "passwd", FILE_MAX, &text);
	found = n >= 0 && !runtime_parse_home(text, n, uid, home, sizeof(home));
	free(text);
	close(fd);
	home_fd = found ? safe_open_root(l->names->root_fd, home) : -1;
	if (home_fd < 0)
		return;
	for (size_t i = 0; i < LEN(places) && !l->found; i++) {
		fd = safe_open_dir(home_fd, places[i].below);
		if (fd < 0)
			continue;
		places[i].fn(l, fd);
		close(fd);
	}
	close(home_fd);
}

/* --- what is kept ------------------------------------------------------------------------------------------------- */

static bool may_look(struct runtime_names *names, bool user, uint64_t now_ns)
{
	struct budget *b = &names->budgets[user];

	if (b->second != now_ns / SEC) {
		b->second = now_ns / SEC;
		b->bytes = b->looks = 0;
	}
	if (b->looks >= (user ? LOOKS_USERS : LOOKS_NODE)) {
		names->stats.deferred++;
		return false;
	}
	b->looks++;
	return true;
}

static struct entry *find(struct runtime_names *names, const char *key)
{
	struct entry *e;

	HASH_FIND_STR(names->entries, key, e);
	if (!e || !e->hh.next)
		return e;
	/* put in anew, so that the order of the table is that of use and its head the one to throw out */
	HASH_DEL(names->entries, e);
	HASH_ADD_KEYPTR(hh, names->entries, e->key, strlen(e->key), e);
	return HASH_ADDED(e);
}

/* what NULL: it is known that nobody knows. Returns NULL without memory. */
static struct entry *keep(struct runtime_names *names, const char *key, const struct runtime_text *what)
{
	size_t key_len = strlen(key) + 1, len = 0;
	struct entry *e, *old;
	char *p;

	for (int i = 0; what && i < RUNTIME_PART_COUNT; i++)
		len += strlen(what->part[i]) + 1;
	e = calloc(1, sizeof(*e) + key_len + len);
	if (!e)
		return NULL;
	memcpy(e->key, key, key_len);
	e->text = e->key + key_len;
	e->known = what;
	p = e->text;
	for (int i = 0; what && i < RUNTIME_PART_COUNT; i++)
		p = stpcpy(p, what->part[i]) + 1;
	if (what)
		e->runtime = what->runtime;
	HASH_FIND_STR(names->entries, key, old);
	if (old) {
		e->wait_ns = old->wait_ns;
		drop(names, old);
	}
	if (HASH_COUNT(names->entries) >= names->limit && names->entries) {
		names->stats.evicted++;
		drop(names, names->entries);
	}
	HASH_ADD_KEYPTR(hh, names->entries, e->key, strlen(e->key), e);
	return HASH_ADDED(e);
}

static const struct runtime_who *answer(struct runtime_names *names, const struct entry *e)
{
	const char *p;

	if (!e || !e->known)
		return NULL;
	p = e->text;
	names->who.runtime = e->runtime;
	for (int i = 0; i < RUNTIME_PART_COUNT; i++) {
		names->who.part[i] = p;
		p += strlen(p) + 1;
	}
	return &names->who;
}

/* What the look found, or that it found nothing; an entry that once was known stays so when its container is gone. */
static struct entry *conclude(struct runtime_names *names, const char *key, const struct look *l, uint64_t now_ns)
{
	struct entry *e = find(names, key);

	if (l->found)
		e = keep(names, key, l->ret);
	else if (!e)
		e = keep(names, key, NULL);
	if (!e)
		return NULL;
	if (e->known) {
		e->until_ns = now_ns + FOUND_NS;
	} else {
		e->wait_ns = e->wait_ns ? 2 * e->wait_ns : MISSING_MIN_NS;
		if (e->wait_ns > MISSING_MAX_NS)
			e->wait_ns = MISSING_MAX_NS;
		e->until_ns = now_ns + e->wait_ns;
	}
	return e;
}

static bool is_fresh(const struct entry *e, uint64_t now_ns)
{
	return e && now_ns < e->until_ns && e->until_ns - now_ns <= FOUND_NS;
}

static struct look begin_look(struct runtime_names *names, const char *id, bool user, struct runtime_text *text)
{
	return (struct look){
		.names = names,
		.budget = &names->budgets[user],
		.bytes_max = user ? BUDGET_USERS : BUDGET_NODE,
		.id = id,
		.ret = text,
	};
}

const struct runtime_who *runtime_names_find(struct runtime_names *names, const char *id, uint32_t owner, uint64_t now_ns)
{
	struct runtime_text text;
	char key[KEY_LEN];
	struct entry *e;
	struct look l;

	if (strlen(id) != CONTAINER_ID_SIZE - 1 ||
	    cgroup_path_hex_span(id, CONTAINER_ID_SIZE - 1) != CONTAINER_ID_SIZE - 1)
		return NULL;
	snprintf(key, sizeof(key), "%u %s", owner, id);
	e = find(names, key);
	if (is_fresh(e, now_ns) || !may_look(names, owner, now_ns))
		return answer(names, e);
	l = begin_look(names, id, owner, &text);
	if (owner)
		look_user(&l, owner);
	else
		look_node(&l);
	return answer(names, conclude(names, key, &l, now_ns));
}

/* --- ctr ---------------------------------------------------------------------------------------------------------- */

/* A task folder of that name is there: ctr writes no annotation, but its ids are names. */
static void look_task(struct look *l, int fd)
{
	int task = safe_open_dir(fd, l->id);
	const char *slash = strchr(l->id, '/');

	if (task < 0)
		return;
	close(task);
	take(l, runtime_name_container(slash + 1, RUNTIME_CONTAINERD, l->ret));
}

const struct runtime_who *runtime_names_find_task(struct runtime_names *names, const char *path, uint64_t now_ns)
{
	const char *slash = strchr(path, '/');
	struct runtime_text text;
	struct entry *e;
	struct look l;

	if (!slash || slash == path || !slash[1] || strchr(slash + 1, '/') || strlen(path) >= RUNTIME_TEXT_LEN ||
	    *path == '.' || slash[1] == '.')
		return NULL;
	e = find(names, path);
	if (is_fresh(e, now_ns) || !may_look(names, false, now_ns))
		return answer(names, e);
	l = begin_look(names, path, false, &text);
	look_home(&l, &homes[HOME_TASKS], look_task);
	return answer(names, conclude(names, path, &l, now_ns));
}

/* --- what there is ------------------------------------------------------------------------------------------------ */

static bool count_id(void *arg, int dir_fd, const char *name)
{
	(void)dir_fd;
	*(size_t *)arg += strlen(name) == CONTAINER_ID_SIZE - 1;
	return true;
}

static size_t count_ids(int fd)
{
	size_t n = 0;

	each_entry(fd, ".", FOLDER_MAX, count_id, &n);
	return n;
}

static bool count_ids_below(void *arg, int dir_fd, const char *name)
{
	each_entry(dir_fd, name, FOLDER_MAX, count_id, arg);
	return true;
}

static size_t count_tasks(int fd)
{
	size_t n = 0;

	each_entry(fd, ".", FOLDER_MAX, count_ids_below, &n);
	return n;
}

static void count_stored(void *arg, const char *id, const struct runtime_text *what)
{
	size_t *counts = arg;

	(void)id;
	counts[what->runtime]++;
}

static size_t count_storage(int fd, enum runtime of)
{
	size_t counts[RUNTIME_COUNT] = { 0 }, over;
	char path[PATH_LEN], *text;
	long len;

	for (size_t d = 0; d < LEN(storage_drivers); d++)
		for (size_t i = 0; i < LEN(storage_lists); i++) {
			snprintf(path, sizeof(path), "%s-containers/%s", storage_drivers[d], storage_lists[i]);
			len = safe_read_file(fd, path, STORAGE_MAX, &text);
			if (len < 0)
				continue;
			runtime_parse_storage(text, (size_t)len, STORAGE_CONTAINERS, count_stored, counts, &over);
			free(text);
		}
	return counts[of];
}

static size_t count_crio(int fd)
{
	return count_storage(fd, RUNTIME_KUBERNETES);
}

static size_t count_podman(int fd)
{
	return count_storage(fd, RUNTIME_PODMAN);
}

/* Adds the place to the state: the first that is there decides, or the first that may not be read. */
static void add_place(const struct runtime_names *names, struct runtime_state *s, const char *place,
		      size_t (*count)(int fd))
{
	char path[PATH_LEN];
	int fd;

	snprintf(path, sizeof(path), "%s%s", place, s->below);
	fd = safe_open_root(names->root_fd, path);
	if (fd < 0) {
		if (s->err == -ENOENT && fd != -ENOENT) {
			s->err = fd;
			s->place = place;
		}
		return;
	}
	if (s->err) {
		s->err = 0;
		s->place = place;
	}
	s->containers += count(fd);
	close(fd);
}

void runtime_names_state(struct runtime_names *names, struct runtime_state ret[RUNTIME_STATES])
{
	static const struct {
		const char *name;
		enum home_of of;
		const char *below;
		size_t (*count)(int fd);
	} rows[RUNTIME_STATES] = {
		{ "docker", HOME_DOCKER, "/containers", count_ids },
		{ "containerd", HOME_TASKS, "", count_tasks },
		{ "crio", HOME_STORAGE, "", count_crio },
		{ "podman", HOME_STORAGE, "", count_podman },
	};

	for (size_t r = 0; r < RUNTIME_STATES; r++) {
		const struct home *home = &homes[rows[r].of];
		char *told = names->told[rows[r].of];

		ret[r] = (struct runtime_state){ rows[r].name, home->places[0], rows[r].below, -ENOENT, 0 };
		if (names->root_fd < 0)
			continue;
		if (home_told(names, home, told))
			add_place(names, &ret[r], told, rows[r].count);
		for (size_t i = 0; i < home->len; i++)
			add_place(names, &ret[r], home->places[i], rows[r].count);
	}
}

void runtime_names_get_stats(const struct runtime_names *names, struct runtime_names_stats *ret_stats)
{
	*ret_stats = names->stats;
	ret_stats->entries = HASH_COUNT(names->entries);
}
