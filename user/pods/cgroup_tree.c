/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Two tables share the nodes: cgroups that exist, and gone ones. uthash keeps the order of insertion, so a node that is put
 * in anew whenever it is used makes each table's order the order of use, and its head the one to throw out. The list of a
 * maker's nodes is kept in that order, too.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utlist.h>

#include "cgroup_tree.h"

#define DEPTH_MAX 32 /* folders below the root; a kind node's pods are about 8 deep */
#define LIMIT_MIN 16
#define SHARE_PART 8   /* of the nodes, what one maker of cgroups may have */
#define SHARE_FLOOR 32 /* but so many at least */

struct cgroup_maker {
	uint64_t number;
	uint64_t beyond; /* nodes that it had no place for */
	size_t len;
	struct cgroup_node *oldest;
	UT_hash_handle hh;
};

/* Whose a cgroup was that gave way. */
struct forgotten {
	uint64_t id, maker;
};

struct cgroup_tree {
	int fd;
	dev_t dev;
	uint64_t root_id;
	size_t limit;
	uint64_t evicted, beyond_share;
	uint64_t most_beyond, most_maker; /* the largest that was met of a maker's `beyond`, and whose */
	uint64_t unreadable;
	uint32_t scan;
	cgroup_maker_fn maker_of;
	struct cgroup_maker *makers;
	struct forgotten *forgotten; /* limit places; ids are given out one by one, so that the oldest gives way */
	struct cgroup_node *alive;
	struct cgroup_node *gone;
};

struct walk {
	struct cgroup_tree *tree;
	uint64_t wanted;
	size_t len;
	char path[4096]; /* PATH_MAX: DEPTH_MAX names may be longer, then we do not go deeper */
};

static struct cgroup_node *find(struct cgroup_node *table, uint64_t id)
{
	struct cgroup_node *node;

	HASH_FIND(hh, table, &id, sizeof(id), node);
	return node;
}

static void remember_maker(struct cgroup_tree *tree, uint64_t id, uint64_t maker)
{
	tree->forgotten[id % tree->limit] = (struct forgotten){ .id = id, .maker = maker };
}

static void leave_maker(struct cgroup_tree *tree, struct cgroup_node *node)
{
	struct cgroup_maker *m = node->maker;

	if (!m)
		return;
	DL_DELETE(m->oldest, node);
	if (--m->len)
		return;
	HASH_DEL(tree->makers, m);
	free(m);
}

static void free_node(struct cgroup_tree *tree, struct cgroup_node *node)
{
	leave_maker(tree, node);
	free(node->note);
	free(node);
}

/* False: no memory, and the node is gone. */
static int insert(struct cgroup_tree *tree, struct cgroup_node **table, struct cgroup_node *node)
{
	HASH_ADD_KEYPTR(hh, *table, &node->id, sizeof(node->id), node);
	if (node->hh.tbl)
		return 1;
	free_node(tree, node);
	return 0;
}

static void drop(struct cgroup_tree *tree, struct cgroup_node *node)
{
	if (node->gone_ns)
		HASH_DEL(tree->gone, node);
	else
		HASH_DEL(tree->alive, node);
	free_node(tree, node);
}

static int make_room(struct cgroup_tree *tree, int only_gone)
{
	struct cgroup_node *victim = tree->gone;

	if (cgroup_tree_count(tree) < tree->limit)
		return 1;
	tree->evicted++;
	if (!victim && only_gone)
		return 0;
	if (!victim)
		victim = tree->alive->id == tree->root_id ? tree->alive->hh.next : tree->alive;
	if (victim->maker)
		remember_maker(tree, victim->id, victim->maker->number);
	drop(tree, victim);
	return 1;
}

static struct cgroup_maker *find_maker(const struct cgroup_tree *tree, uint64_t number)
{
	struct cgroup_maker *m;

	HASH_FIND(hh, tree->makers, &number, sizeof(number), m);
	return m;
}

static void count_beyond(struct cgroup_tree *tree, struct cgroup_maker *m)
{
	tree->beyond_share++;
	if (++m->beyond <= tree->most_beyond)
		return;
	tree->most_beyond = m->beyond;
	tree->most_maker = m->number;
}

/* Puts node under its maker, whose own oldest one gives way; false: there is no memory, or only_known and it would. */
static bool join_maker(struct cgroup_tree *tree, struct cgroup_node *node, int only_known)
{
	const size_t share = tree->limit / SHARE_PART > SHARE_FLOOR ? tree->limit / SHARE_PART : SHARE_FLOOR;
	uint64_t number = tree->maker_of && node->id != tree->root_id ? tree->maker_of(node->path, node->cut) : 0;
	struct cgroup_maker *m = find_maker(tree, number);

	if (!number)
		return true;
	if (m && m->len >= share) {
		/* what later scans do not take has been counted */
		if (!only_known || tree->scan == 1)
			count_beyond(tree, m);
		if (only_known) {
			remember_maker(tree, node->id, number);
			return false;
		}
		remember_maker(tree, m->oldest->id, number);
		drop(tree, m->oldest);
	} else if (!m) {
		m = calloc(1, sizeof(*m));
		if (!m)
			return false;
		m->number = number;
		HASH_ADD(hh, tree->makers, number, sizeof(number), m);
		if (!HASH_ADDED(m))
			return false;
	}
	m->len++;
	node->maker = m;
	DL_APPEND(m->oldest, node);
	return true;
}

static struct cgroup_node *new_node(uint64_t id, const char *path, size_t len, bool cut)
{
	struct cgroup_node *node;

	if (len > CGROUP_PATH_MAX) {
		cut = true;
		path += len - CGROUP_PATH_MAX;
		len = CGROUP_PATH_MAX;
	}
	node = calloc(1, sizeof(*node) + len + 1);
	if (!node)
		return NULL;
	node->id = id;
	node->cut = cut;
	memcpy(node->path, path, len);
	return node;
}

static struct cgroup_node *put(struct cgroup_tree *tree, uint64_t id, const char *path, size_t len, bool cut,
			       int only_gone)
{
	struct cgroup_node *node = new_node(id, path, len, cut), *old;

	if (!node)
		return NULL;
	if ((old = find(tree->alive, id)) && !strcmp(old->path, node->path)) {
		free_node(tree, node);
		return old;
	}
	if (old)
		drop(tree, old);
	old = find(tree->gone, id);
	if (old && strcmp(old->path, node->path)) {
		drop(tree, old);
	} else if (old) { /* it exists after all: keep the note, and its place */
		free_node(tree, node);
		HASH_DEL(tree->gone, old);
		old->gone_ns = 0;
		return insert(tree, &tree->alive, old) ? old : NULL;
	}
	if (!join_maker(tree, node, only_gone) || !make_room(tree, only_gone)) {
		free_node(tree, node);
		return NULL;
	}
	return insert(tree, &tree->alive, node) ? node : NULL;
}

struct cgroup_node *cgroup_tree_add(struct cgroup_tree *tree, uint64_t id, const char *path, size_t len, bool cut)
{
	return put(tree, id, path, len, cut, 0);
}

struct cgroup_node *cgroup_tree_add_gone(struct cgroup_tree *tree, uint64_t id, const char *path, size_t len,
					 uint64_t now_ns)
{
	struct cgroup_node *node = put(tree, id, path, len, false, 0);

	return node ? cgroup_tree_remove(tree, id, now_ns) : NULL;
}

struct cgroup_node *cgroup_tree_remove(struct cgroup_tree *tree, uint64_t id, uint64_t now_ns)
{
	struct cgroup_node *node = find(tree->alive, id);

	if (!node)
		return find(tree->gone, id);
	HASH_DEL(tree->alive, node);
	node->gone_ns = now_ns ? now_ns : 1;
	return insert(tree, &tree->gone, node) ? node : NULL;
}

struct cgroup_node *cgroup_tree_find(struct cgroup_tree *tree, uint64_t id)
{
	struct cgroup_node **table = &tree->alive, *node = find(tree->alive, id);

	if (!node) {
		table = &tree->gone;
		node = find(tree->gone, id);
	}
	if (!node || !node->hh.next) /* the last one is the most recently used already */
		return node;
	if (node->maker) {
		DL_DELETE(node->maker->oldest, node);
		DL_APPEND(node->maker->oldest, node);
	}
	HASH_DEL(*table, node);
	return insert(tree, table, node) ? node : NULL;
}

struct cgroup_node *cgroup_tree_peek(const struct cgroup_tree *tree, uint64_t id)
{
	return find(tree->alive, id);
}

int cgroup_tree_is_alive(const struct cgroup_tree *tree, uint64_t id)
{
	return find(tree->alive, id) != NULL;
}

uint64_t cgroup_tree_forgotten_maker(const struct cgroup_tree *tree, uint64_t id)
{
	const struct forgotten *f = &tree->forgotten[id % tree->limit];

	return f->id == id ? f->maker : 0;
}

bool cgroup_tree_has_maker(const struct cgroup_tree *tree, uint64_t number)
{
	return find_maker(tree, number);
}

static const char *relative(const char *path)
{
	return strcmp(path, "/") ? path : ".";
}

int cgroup_tree_has(const struct cgroup_tree *tree, uint64_t id, const char *path)
{
	struct stat st;

	return path[0] && !fstatat(tree->fd, relative(path), &st, AT_SYMLINK_NOFOLLOW) && S_ISDIR(st.st_mode) &&
	       st.st_dev == tree->dev && st.st_ino == id;
}

/*
 * Takes folder fd (consumed) and what is below it. Cgroups may vanish at any time: what cannot be opened or stat'ed is
 * left out. Links and other mounts are not followed.
 */
static void walk_folder(struct walk *w, int fd, int depth)
{
	struct cgroup_tree *tree = w->tree;
	size_t base = w->len;
	struct dirent *de;
	DIR *dir = fdopendir(fd);

	if (!dir) {
		close(fd);
		return;
	}
	while ((de = readdir(dir))) {
		struct cgroup_node *node;
		struct stat st;
		size_t n;
		int sub;

		if ((de->d_type != DT_DIR && de->d_type != DT_UNKNOWN) || !strcmp(de->d_name, ".") ||
		    !strcmp(de->d_name, ".."))
			continue;
		if (fstatat(fd, de->d_name, &st, AT_SYMLINK_NOFOLLOW) || !S_ISDIR(st.st_mode) || st.st_dev != tree->dev)
			continue;
		n = strlen(de->d_name);
		if (base + n + 2 > sizeof(w->path))
			continue;
		if (base)
			w->path[w->len++] = '/';
		memcpy(w->path + w->len, de->d_name, n + 1);
		w->len += n;
		node = put(tree, st.st_ino, w->path, w->len, false, st.st_ino != w->wanted);
		if (node) {
			node->scan = tree->scan;
			node->cut = w->len > CGROUP_PATH_MAX;
		}
		/* 2 links: no folder inside (kernfs sets subdirs + 2). Saves reading some 60 files of each leaf. */
		if (depth < DEPTH_MAX && st.st_nlink != 2) {
			sub = openat(fd, de->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
			if (sub >= 0)
				walk_folder(w, sub, depth + 1);
			else if (errno == EACCES || errno == EPERM)
				tree->unreadable++;
		}
		w->len = base;
	}
	closedir(dir);
}

void cgroup_tree_scan(struct cgroup_tree *tree, uint64_t wanted, uint64_t now_ns)
{
	struct walk w = { .tree = tree, .wanted = wanted };
	struct cgroup_node *node, *next;
	int fd = openat(tree->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	tree->scan = (tree->scan + 1) & 0x7ffffff;
	node = put(tree, tree->root_id, "/", 1, false, 0);
	if (node)
		node->scan = tree->scan;
	if (fd >= 0)
		walk_folder(&w, fd, 0);
	/* What the walk did not meet may be too deep or unreadable: ask for each before giving it up. */
	HASH_ITER (hh, tree->alive, node, next) {
		struct stat st;

		if (node->scan == tree->scan || cgroup_tree_has(tree, node->id, node->path))
			continue;
		if (fstatat(tree->fd, relative(node->path), &st, AT_SYMLINK_NOFOLLOW) && errno != ENOENT &&
		    errno != ENOTDIR && errno != ENODEV)
			continue;
		cgroup_tree_remove(tree, node->id, now_ns);
	}
}

int cgroup_tree_new(int cgroup_fd, size_t limit, cgroup_maker_fn maker_of, struct cgroup_tree **ret_tree)
{
	struct cgroup_tree *tree;
	struct stat st;

	if (fstat(cgroup_fd, &st))
		return -errno;
	if (!S_ISDIR(st.st_mode))
		return -ENOTDIR;
	tree = calloc(1, sizeof(*tree));
	if (!tree)
		return -ENOMEM;
	tree->fd = cgroup_fd;
	tree->dev = st.st_dev;
	tree->root_id = st.st_ino;
	tree->limit = limit < LIMIT_MIN ? LIMIT_MIN : limit;
	tree->forgotten = calloc(tree->limit, sizeof(*tree->forgotten));
	if (!tree->forgotten) {
		free(tree);
		return -ENOMEM;
	}
	tree->maker_of = maker_of;
	cgroup_tree_scan(tree, 0, 0);
	*ret_tree = tree;
	return 0;
}

void cgroup_tree_free(struct cgroup_tree *tree)
{
	struct cgroup_node *node, *next;

	if (!tree)
		return;
	HASH_ITER (hh, tree->alive, node, next)
		drop(tree, node);
	HASH_ITER (hh, tree->gone, node, next)
		drop(tree, node);
	free(tree->forgotten);
	free(tree);
}

void cgroup_tree_expire(struct cgroup_tree *tree, uint64_t now_ns, uint64_t keep_ns)
{
	struct cgroup_node *node, *next;

	HASH_ITER (hh, tree->gone, node, next)
		if (now_ns > node->gone_ns && now_ns - node->gone_ns > keep_ns)
			drop(tree, node);
}

struct cgroup_node *cgroup_tree_first(const struct cgroup_tree *tree)
{
	return tree->alive;
}

uint64_t cgroup_tree_root_id(const struct cgroup_tree *tree)
{
	return tree->root_id;
}

size_t cgroup_tree_count(const struct cgroup_tree *tree)
{
	return HASH_COUNT(tree->alive) + HASH_COUNT(tree->gone);
}

size_t cgroup_tree_limit(const struct cgroup_tree *tree)
{
	return tree->limit;
}

uint64_t cgroup_tree_evicted(const struct cgroup_tree *tree)
{
	return tree->evicted;
}

uint64_t cgroup_tree_beyond_share(const struct cgroup_tree *tree)
{
	return tree->beyond_share;
}

struct cgroup_node *cgroup_tree_most_beyond(const struct cgroup_tree *tree)
{
	struct cgroup_maker *m = tree->most_beyond ? find_maker(tree, tree->most_maker) : NULL;

	return m ? m->oldest : NULL;
}

uint64_t cgroup_tree_unreadable(const struct cgroup_tree *tree)
{
	return tree->unreadable;
}
