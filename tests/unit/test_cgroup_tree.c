/* SPDX-License-Identifier: GPL-2.0-only */
/* needs: user/pods/cgroup_tree.c */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../user/pods/cgroup_tree.h"
#include "unit.h"
#include "tree.h"

#define SEC 1000000000ull

struct fixture {
	char root[64];
	int fd;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	strcpy(f->root, "/tmp/test_cgroup_tree.XXXXXX");
	f->fd = tree_new(f->root);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	tree_remove(f->root, f->fd);
	free(f);
	return 0;
}

static struct cgroup_tree *scan(const struct fixture *f, size_t limit)
{
	struct cgroup_tree *tree;

	assert_int_equal(cgroup_tree_new(f->fd, limit, NULL, &tree), 0);
	return tree;
}

static void scan_finds_every_folder_and_only_folders(void **state)
{
	struct fixture *f = *state;
	uint64_t a = tree_folder(f->fd, "a"), ab = tree_folder(f->fd, "a/b"), abc = tree_folder(f->fd, "a/b/c"),
		 d = tree_folder(f->fd, "d");
	struct cgroup_tree *tree;
	struct stat st;

	close(openat(f->fd, "a/cgroup.procs", O_CREAT | O_WRONLY, 0600));
	assert_int_equal(symlinkat("..", f->fd, "a/up"), 0);
	assert_int_equal(symlinkat("loop", f->fd, "loop"), 0);
	tree = scan(f, 100);
	assert_string_equal(cgroup_tree_find(tree, a)->path, "a");
	assert_string_equal(cgroup_tree_find(tree, ab)->path, "a/b");
	assert_string_equal(cgroup_tree_find(tree, abc)->path, "a/b/c");
	assert_string_equal(cgroup_tree_find(tree, d)->path, "d");
	assert_string_equal(cgroup_tree_find(tree, cgroup_tree_root_id(tree))->path, "/");
	assert_int_equal(cgroup_tree_count(tree), 5);
	assert_int_equal(fstatat(f->fd, "a/up", &st, AT_SYMLINK_NOFOLLOW), 0);
	assert_null(cgroup_tree_find(tree, st.st_ino));
	cgroup_tree_free(tree);
}

static void rescan_takes_new_ones_and_retires_gone_ones(void **state)
{
	struct fixture *f = *state;
	uint64_t a = tree_folder(f->fd, "a"), b = tree_folder(f->fd, "b"), c;
	struct cgroup_tree *tree = scan(f, 100);

	c = tree_folder(f->fd, "b/c"); /* first, or the file system gives it the inode of a; cgroups never do */
	assert_int_equal(unlinkat(f->fd, "a", AT_REMOVEDIR), 0);
	cgroup_tree_scan(tree, c, 5 * SEC);
	assert_false(cgroup_tree_is_alive(tree, a));
	assert_string_equal(cgroup_tree_find(tree, a)->path, "a");
	assert_int_equal(cgroup_tree_find(tree, a)->gone_ns, 5 * SEC);
	assert_true(cgroup_tree_is_alive(tree, b) && cgroup_tree_is_alive(tree, c));
	cgroup_tree_expire(tree, 15 * SEC, 10 * SEC);
	assert_non_null(cgroup_tree_find(tree, a));
	cgroup_tree_expire(tree, 15 * SEC + 1, 10 * SEC);
	assert_null(cgroup_tree_find(tree, a));
	cgroup_tree_free(tree);
}

static void folders_below_the_depth_bound_stay_if_told_by_mkdir(void **state)
{
	struct fixture *f = *state;
	char path[200] = "d";
	struct cgroup_tree *tree;
	uint64_t id = tree_folder(f->fd, path);

	for (int i = 1; i < 60; i++)
		id = tree_folder(f->fd, strcat(path, "/d"));
	tree = scan(f, 100);
	assert_null(cgroup_tree_find(tree, id));
	assert_in_range(cgroup_tree_count(tree), 30, 40);
	assert_non_null(cgroup_tree_add(tree, id, path, strlen(path), false));
	cgroup_tree_scan(tree, 0, SEC);
	assert_true(cgroup_tree_is_alive(tree, id));
	cgroup_tree_free(tree);
}

static void full_table_throws_out_the_least_recently_used_gone_one_first(void **state)
{
	struct cgroup_tree *tree = scan(*state, 20);
	char name[16];

	for (uint64_t id = 1000000; id < 1000019; id++)
		cgroup_tree_add(tree, id, name, sprintf(name, "%d", (int)id), false);
	assert_int_equal(cgroup_tree_count(tree), 20);
	assert_int_equal(cgroup_tree_evicted(tree), 0);
	cgroup_tree_remove(tree, 1000003, 1);
	cgroup_tree_remove(tree, 1000004, 2);
	cgroup_tree_find(tree, 1000003); /* used: 1000004 is next to go */
	cgroup_tree_add(tree, 2000000, "x", 1, false);
	assert_null(cgroup_tree_find(tree, 1000004));
	assert_non_null(cgroup_tree_find(tree, 1000003));
	cgroup_tree_add(tree, 2000001, "y", 1, false);
	assert_null(cgroup_tree_find(tree, 1000003));
	/* none is gone: the oldest living one, but never the root */
	cgroup_tree_add(tree, 2000002, "z", 1, false);
	assert_null(cgroup_tree_find(tree, 1000000));
	assert_non_null(cgroup_tree_find(tree, cgroup_tree_root_id(tree)));
	assert_int_equal(cgroup_tree_count(tree), 20);
	assert_int_equal(cgroup_tree_evicted(tree), 3);
	cgroup_tree_free(tree);
}

static void scan_of_more_than_the_limit_is_bounded_but_finds_the_wanted_one(void **state)
{
	struct fixture *f = *state;
	struct cgroup_tree *tree;
	uint64_t id[40];
	char name[16];
	size_t known = 0;

	for (int i = 0; i < 40; i++) {
		sprintf(name, "c%d", i);
		id[i] = tree_folder(f->fd, name);
	}
	tree = scan(f, 20);
	assert_int_equal(cgroup_tree_count(tree), 20);
	assert_int_equal(cgroup_tree_evicted(tree), 21);
	for (int i = 0; i < 40; i++)
		known += cgroup_tree_is_alive(tree, id[i]);
	assert_in_range(known, 19, 20); /* the root may be one of them */
	for (int i = 0; i < 40;
	     i++) { /* in the order of the folder each may be the next to go: tmpfs gives the newest first */
		if (!cgroup_tree_is_alive(tree, id[i]))
			cgroup_tree_scan(tree, id[i], SEC);
		assert_true(cgroup_tree_is_alive(tree, id[i]));
	}
	assert_int_equal(cgroup_tree_count(tree), 20);
	cgroup_tree_free(tree);
}

static void node_that_comes_back_keeps_its_note_only_with_its_path(void **state)
{
	struct cgroup_tree *tree = scan(*state, 100);
	struct cgroup_node *node = cgroup_tree_add(tree, 42, "a", 1, false);

	node->note = strdup("n");
	cgroup_tree_remove(tree, 42, SEC);
	assert_string_equal(cgroup_tree_add(tree, 42, "a", 1, false)->note, "n");
	assert_true(cgroup_tree_is_alive(tree, 42));
	cgroup_tree_remove(tree, 42, SEC);
	assert_null(cgroup_tree_add(tree, 42, "b", 1, false)->note);
	assert_int_equal(cgroup_tree_count(tree), 2);
	cgroup_tree_free(tree);
}

static void long_path_keeps_its_tail(void **state)
{
	struct cgroup_tree *tree = scan(*state, 100);
	struct cgroup_node *node;
	char path[1000];

	memset(path, 'x', sizeof(path));
	memcpy(path + sizeof(path) - 4, "/end", 4);
	node = cgroup_tree_add(tree, 42, path, sizeof(path), false);
	assert_int_equal(strlen(node->path), CGROUP_PATH_MAX);
	assert_string_equal(node->path + CGROUP_PATH_MAX - 4, "/end");
	cgroup_tree_free(tree);
}

static void no_folder_is_an_error(void **state)
{
	struct cgroup_tree *tree;
	int fd = open("/dev/null", O_RDONLY);

	(void)state;
	assert_int_equal(cgroup_tree_new(-1, 100, NULL, &tree), -EBADF);
	assert_int_equal(cgroup_tree_new(fd, 100, NULL, &tree), -ENOTDIR);
	close(fd);
	cgroup_tree_free(NULL);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(scan_finds_every_folder_and_only_folders),
		T(rescan_takes_new_ones_and_retires_gone_ones),
		T(folders_below_the_depth_bound_stay_if_told_by_mkdir),
		T(full_table_throws_out_the_least_recently_used_gone_one_first),
		T(scan_of_more_than_the_limit_is_bounded_but_finds_the_wanted_one),
		T(node_that_comes_back_keeps_its_note_only_with_its_path),
		T(long_path_keeps_its_tail),
		T(no_folder_is_an_error),
	};

	return cmocka_run_group_tests_name("cgroup_tree", tests, NULL, NULL);
}
