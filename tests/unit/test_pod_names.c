/* SPDX-License-Identifier: GPL-2.0-only */
/* needs: user/pods/pod_names.c user/pods/log_dirs.c user/pods/log_names.c */
/* needs: user/pods/cgroup_tree.c user/pods/cgroup_path.c user/pods/runtime_names.c */
/* needs: user/pods/runtime_files.c user/pods/safe_file.c user/pods/workload.c */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../user/pods/pod_names_env.h"
#include "unit.h"
#include "tree.h"

#define SEC 1000000000ull
#define MSEC 1000000ull
#define U1 "0a1b2c3d-1111-4222-8333-0123456789ab"
#define U1_ "0a1b2c3d_1111_4222_8333_0123456789ab"
#define U2 "ffffffff-eeee-4ddd-8ccc-bbbbbbbbbbbb"
#define C1 "1111111111111111111111111111111111111111111111111111111111111111"
#define C2 "abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789"
#define C3 "3333333333333333333333333333333333333333333333333333333333333333"
#define SYSTEMD1 "kubepods.slice/kubepods-pod" U1_ ".slice/cri-containerd-" C1 ".scope"
#define X10 "xxxxxxxxxx"
#define X60 X10 X10 X10 X10 X10 X10

struct fixture {
	char root[64]; /* holds cgroup, pods, containers, proc */
	char pods[96], links[96], proc[96];
	int fd, cgroup_fd;
	struct pod_names *names;
};

static uint64_t clock_now = SEC; /* of the test; each step is long enough for the folders to be looked at */

static uint64_t clock_moves; /* by this at each look */

static uint64_t fake_now(void)
{
	return clock_now += clock_moves;
}

static uint64_t step(uint64_t ns)
{
	return clock_now += ns;
}

static void make_link(const struct fixture *f, const char *name, const char *target)
{
	char path[512];

	snprintf(path, sizeof(path), "containers/%s", name);
	assert_int_equal(symlinkat(target, f->fd, path), 0);
}

static uint64_t make_cgroup(const struct fixture *f, const char *path)
{
	char full[1024];

	snprintf(full, sizeof(full), "cgroup/%s", path);
	return tree_folder(f->fd, full);
}

static void remove_at(const struct fixture *f, const char *path)
{
	assert_int_equal(unlinkat(f->fd, path, AT_REMOVEDIR), 0);
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	strcpy(f->root, "/tmp/test_pod_names.XXXXXX");
	f->fd = tree_new(f->root);
	snprintf(f->pods, sizeof(f->pods), "%s/pods", f->root);
	snprintf(f->links, sizeof(f->links), "%s/containers", f->root);
	snprintf(f->proc, sizeof(f->proc), "%s/proc", f->root);
	tree_folder(f->fd, "cgroup");
	tree_folder(f->fd, "pods");
	tree_folder(f->fd, "containers");
	tree_folder(f->fd, "proc/self");
	tree_put(f->fd, "proc/self/cgroup", "0::/x\n");
	f->cgroup_fd = openat(f->fd, "cgroup", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	pod_names_free(f->names);
	close(f->cgroup_fd);
	tree_remove(f->root, f->fd);
	free(f);
	return 0;
}

static struct pod_names *start_of(struct fixture *f, const struct pod_names_options *options)
{
	const struct pod_names_env env = { .proc = f->proc, .now_ns = fake_now };

	assert_int_equal(pod_names_new_in(options, &env, &f->names), 0);
	return f->names;
}

static struct pod_names *start_with(struct fixture *f, const char *pods, const char *links, size_t max)
{
	const struct pod_names_options options = {
		.cgroup_fd = f->cgroup_fd,
		.pod_logs = pods,
		.container_logs = links,
		.max_entries = max,
	};

	return start_of(f, &options);
}

static struct pod_names *start(struct fixture *f)
{
	return start_with(f, f->pods, f->links, 100);
}

#define assert_who(who, ns, pod_name, container_name)              \
	do {                                                       \
		const struct pod_identity *w = (who);              \
		assert_string_equal(w->namespace, ns);             \
		assert_string_equal(w->pod, pod_name);             \
		assert_string_equal(w->container, container_name); \
	} while (0)

static struct pod_names_stats stats(const struct fixture *f)
{
	struct pod_names_stats s;

	pod_names_get_stats(f->names, &s);
	return s;
}

static void running_pod_is_named_in_full(void **state)
{
	struct fixture *f = *state;
	uint64_t id = make_cgroup(f, SYSTEMD1), sub = make_cgroup(f, SYSTEMD1 "/init");
	const struct pod_identity *who;

	tree_folder(f->fd, "pods/default_web-0_" U1 "/app");
	make_link(f, "web-0_default_app-" C1 ".log", "/nowhere");
	start(f);
	who = pod_names_get(f->names, id, 0, step(SEC));
	assert_who(who, "default", "web-0", "app");
	assert_string_equal(who->pod_uid, U1);
	assert_string_equal(who->container_id, C1);
	assert_string_equal(who->cgroup, SYSTEMD1);
	assert_true(who->cgroup_id == id);
	assert_who(pod_names_get(f->names, sub, 0, step(SEC)), "default", "web-0", "app");
	assert_int_equal(stats(f).unnamed + stats(f).unknown, 0);
	assert_int_equal(stats(f).rescans, 0);
}

static void host_service_and_unknown_id_show_their_cgroup(void **state)
{
	struct fixture *f = *state;
	uint64_t id = make_cgroup(f, "system.slice/docker.service");
	uint64_t odd = make_cgroup(f, "user.slice/\033[2J\xc2\x9b\xff\xc3\xa9.service");
	struct stat st;

	start(f);
	assert_who(pod_names_get(f->names, id, 0, step(SEC)), "", "", "");
	assert_string_equal(pod_names_get(f->names, id, 0, step(SEC))->cgroup, "system.slice/docker.service");
	/* what is no text is shown as U+FFFD everywhere: one name, so that no two rows look alike */
	assert_string_equal(pod_names_get(f->names, odd, 0, step(SEC))->cgroup,
			    "user.slice/\xef\xbf\xbd[2J\xef\xbf\xbd\xef\xbf\xbd\xc3\xa9.service");
	assert_string_equal(pod_names_get(f->names, odd, 0, step(SEC))->workload,
			    "\xef\xbf\xbd[2J\xef\xbf\xbd\xef\xbf\xbd\xc3\xa9");
	assert_int_equal(stats(f).unnamed, 0);
	assert_int_equal(fstat(f->cgroup_fd, &st), 0);
	assert_string_equal(pod_names_get(f->names, st.st_ino, 0, step(SEC))->cgroup, "/");
	assert_int_equal(stats(f).unknown, 0);
	assert_string_equal(pod_names_get(f->names, UINT64_MAX, 7, step(SEC))->cgroup, "cgroup:18446744073709551615");
	assert_string_equal(pod_names_get(f->names, 0, 0, step(SEC))->cgroup, "cgroup:0");
	assert_int_equal(stats(f).unknown, 2);
}

static void container_without_log_link_is_the_pause_container(void **state)
{
	struct fixture *f = *state;
	uint64_t id = make_cgroup(f, SYSTEMD1);

	tree_folder(f->fd, "pods/default_web-0_" U1 "/app");
	make_link(f, "web-0_default_app-" C2 ".log", "/nowhere");
	start(f);
	assert_who(pod_names_get(f->names, id, 0, step(SEC)), "default", "web-0", "");
	assert_int_equal(stats(f).unnamed, 0);
}

static void link_alone_names_the_pod_too(void **state)
{
	struct fixture *f = *state;
	uint64_t id = make_cgroup(f, "docker/" C2);

	make_link(f, "web-0_default_app-" C2 ".log", "/nowhere");
	start(f);
	assert_who(pod_names_get(f->names, id, 0, step(SEC)), "default", "web-0", "app");
}

static void docker_in_a_pod_has_the_name_of_the_pods_container(void **state)
{
	struct fixture *f = *state;
	uint64_t id = make_cgroup(f, "kubepods/pod" U1 "/" C1 "/docker/" C2);
	const struct pod_identity *who;

	tree_folder(f->fd, "pods/ci_runner_" U1);
	make_link(f, "runner_ci_dind-" C1 ".log", "/nowhere");
	start(f);
	who = pod_names_get(f->names, id, 0, step(SEC));
	assert_who(who, "ci", "runner", "dind");
	assert_string_equal(who->container_id, C1); /* what is inside is its tenant's */
}

static void names_that_come_late_are_found(void **state)
{
	struct fixture *f = *state;
	uint64_t id = make_cgroup(f, SYSTEMD1);

	start(f);
	assert_who(pod_names_get(f->names, id, 0, step(SEC)), "", "", "");
	assert_who(pod_names_get(f->names, id, 0, step(SEC)), "", "", "");
	assert_int_equal(stats(f).unnamed, 1);
	tree_folder(f->fd, "pods/default_web-0_" U1);
	assert_who(pod_names_get(f->names, id, 0, step(SEC)), "default", "web-0", "");
	make_link(f, "web-0_default_app-" C1 ".log", "/nowhere");
	assert_who(pod_names_get(f->names, id, 0, step(SEC)), "default", "web-0", "app");
}

static void change_within_the_same_tick_is_not_missed(void **state)
{
	struct fixture *f = *state;
	struct timespec times[2];
	struct stat st;

	assert_int_equal(utimensat(AT_FDCWD, f->pods, NULL, 0), 0);
	start(f);
	assert_int_equal(stat(f->pods, &st), 0);
	tree_folder(f->fd, "pods/default_web-0_" U1);
	times[0] = st.st_atim;
	times[1] = st.st_mtim;
	assert_int_equal(utimensat(AT_FDCWD, f->pods, times, 0), 0);
	step(SEC);
	pod_names_on_mkdir(f->names, 4242, "/kubepods/pod" U1);
	assert_who(pod_names_get(f->names, 4242, 0, step(0)), "default", "web-0", "");
}

static void what_comes_and_goes_elsewhere_takes_no_room(void **state)
{
	struct fixture *f = *state;
	const struct pod_names_options options = {
		.cgroup_fd = f->cgroup_fd,
		.pod_logs = f->pods,
		.container_logs = f->links,
		.max_entries = 100,
		.watched = "kubepods",
	};
	char tail[300];
	struct pod_names_stats before, after;

	start_of(f, &options);
	pod_names_get_stats(f->names, &before);
	pod_names_on_mkdir(f->names, 4242, "/system.slice/cron.service");
	pod_names_on_mkdir(f->names, 4243, "/kubepods.slice/pod" U1);
	pod_names_on_rmdir(f->names, 4242, step(SEC));
	pod_names_get_stats(f->names, &after);
	assert_int_equal(after.cgroups, before.cgroups);

	pod_names_on_mkdir(f->names, 4244, "/kubepods/pod" U1 "/" C1);
	assert_true(pod_names_is_alive(f->names, 4244));
	memset(tail, 'x', sizeof(tail) - 1); /* of a path whose beginning is not known */
	tail[sizeof(tail) - 1] = '\0';
	pod_names_on_mkdir(f->names, 4245, tail);
	assert_true(pod_names_is_alive(f->names, 4245));
}

static void ephemeral_pod_keeps_its_name_when_all_is_deleted(void **state)
{
	struct fixture *f = *state;

	start(f);
	tree_folder(f->fd, "pods/default_job_" U1);
	make_link(f, "job_default_main-" C1 ".log", "/nowhere");
	step(20 * MSEC);
	pod_names_on_mkdir(f->names, 4242, "/kubepods/pod" U1 "/" C1);
	assert_true(pod_names_is_alive(f->names, 4242));
	remove_at(f, "pods/default_job_" U1);
	assert_int_equal(unlinkat(f->fd, "containers/job_default_main-" C1 ".log", 0), 0);
	pod_names_on_rmdir(f->names, 4242, step(50 * MSEC));
	assert_false(pod_names_is_alive(f->names, 4242));
	assert_who(pod_names_get(f->names, 4242, 0, step(2 * SEC)), "default", "job", "main");
	pod_names_expire(f->names, step(0), 5 * SEC);
	assert_who(pod_names_get(f->names, 4242, 0, step(0)), "default", "job", "main");
	pod_names_expire(f->names, step(10 * SEC), 5 * SEC);
	assert_string_equal(pod_names_get(f->names, 4242, 0, step(0))->cgroup, "cgroup:4242");
}

static void log_folder_that_lived_between_two_lookups_is_remembered(void **state)
{
	struct fixture *f = *state;

	start(f);
	pod_names_on_mkdir(f->names, 4242, "/kubepods/pod" U1 "/" C1);
	tree_folder(f->fd, "pods/default_job_" U1);
	pod_names_expire(f->names, step(20 * MSEC), 60 * SEC); /* the tick looks for folders of newly born pods */
	remove_at(f, "pods/default_job_" U1);
	step(SEC);
	assert_who(pod_names_get(f->names, 4242, 0, step(30 * SEC)), "default", "job", "");
}

/* A read that takes 30 ms is followed by 300 ms without one. */
static void folder_that_is_slow_to_read_is_read_less_often(void **state)
{
	struct fixture *f = *state;

	clock_moves = 30 * MSEC;
	start(f);
	clock_moves = 0;
	pod_names_on_mkdir(f->names, 4242, "/kubepods/pod" U1 "/" C1);
	tree_folder(f->fd, "pods/default_job_" U1);
	assert_who(pod_names_get(f->names, 4242, 0, step(150 * MSEC)), "", "", "");
	assert_who(pod_names_get(f->names, 4242, 0, step(150 * MSEC)), "default", "job", "");
}

static void vanished_log_folders_are_forgotten_after_a_minute(void **state)
{
	struct fixture *f = *state;

	tree_folder(f->fd, "pods/default_job_" U1);
	start(f);
	remove_at(f, "pods/default_job_" U1);
	pod_names_on_mkdir(f->names, 1000001, "/kubepods/pod" U2); /* a miss: the folder is read, the job gone */
	step(SEC);
	pod_names_get(f->names, 1000001, 0, step(SEC));
	tree_folder(f->fd, "pods/default_other_ffffffff-eeee-4ddd-8ccc-cccccccccccc");
	pod_names_get(f->names, 1000001, 0, step(70 * SEC));
	pod_names_on_mkdir(f->names, 1000002, "/kubepods/pod" U1);
	assert_who(pod_names_get(f->names, 1000002, 0, step(SEC)), "", "", "");
}

static void on_owner(void *arg, uint64_t cgroup_id)
{
	*(uint64_t *)arg += cgroup_id >= 4242;
}

/* Of a long path only the tail is known: it may be another pod's, below a container of one's own. */
static void tail_of_a_path_makes_no_owner(void **state)
{
	struct fixture *f = *state;
	char path[1024], pad[256];
	uint64_t owners = 0;

	tree_folder(f->fd, "pods/default_job_" U1);
	start(f);
	memset(pad, 'x', 250);
	pad[250] = '\0';
	snprintf(path, sizeof(path), "/%s/kubepods/pod" U1, pad);
	pod_names_on_mkdir(f->names, 4242, path); /* a record's */
	snprintf(path, sizeof(path), "/kubepods/pod" U2 "/" C3 "/%s/%s/kubepods/pod" U1, pad, pad);
	pod_names_on_mkdir(f->names, 4243, path); /* all that is kept */
	assert_int_equal(pod_names_owner_depth(f->names, 4242), -1);
	assert_int_equal(pod_names_owner_depth(f->names, 4243), -1);
	pod_names_each_owner(f->names, on_owner, &owners);
	assert_int_equal(owners, 0);
	pod_names_on_mkdir(f->names, 4244, "/kubepods/pod" U1);
	assert_int_equal(pod_names_owner_depth(f->names, 4244), 1);
	pod_names_each_owner(f->names, on_owner, &owners);
	assert_int_equal(owners, 1);
}

#define USER "user.slice/user-1000.slice/user@1000.service/app.slice/"

/* In its own tree a user makes what is named as a pod of the node's; a pod that is there alone (a rootless kubelet) is one. */
static void a_user_takes_no_pods_name(void **state)
{
	struct fixture *f = *state;
	uint64_t forged = make_cgroup(f, USER SYSTEMD1), container = make_cgroup(f, USER "docker-" C1 ".scope");
	uint64_t real = make_cgroup(f, SYSTEMD1), own = make_cgroup(f, USER "kubepods/pod" U2 "/" C3);

	tree_folder(f->fd, "pods/default_web-0_" U1 "/app");
	make_link(f, "web-0_default_app-" C1 ".log", "/nowhere");
	tree_folder(f->fd, "pods/default_own_" U2 "/app");
	make_link(f, "own_default_app-" C3 ".log", "/nowhere");
	start(f);
	assert_who(pod_names_get(f->names, real, 0, step(SEC)), "default", "web-0", "app");
	assert_who(pod_names_get(f->names, forged, 0, step(SEC)), "", "", "");
	assert_string_equal(pod_names_get(f->names, forged, 0, step(SEC))->container_id, "");
	assert_who(pod_names_get(f->names, container, 0, step(SEC)), "", "", "");
	assert_string_equal(pod_names_get(f->names, container, 0, step(SEC))->container_id, "");
	assert_who(pod_names_get(f->names, own, 0, step(SEC)), "default", "own", "app");
}

/* Who may make cgroups in its own makes ten times what the table holds; another pod that went keeps its name. */
static void folders_of_a_tenant_fill_its_share_only(void **state)
{
	struct fixture *f = *state;
	char path[1024], pad[400];
	uint64_t maker;

	tree_folder(f->fd, "pods/default_job_" U1);
	make_link(f, "job_default_main-" C1 ".log", "/nowhere");
	start(f);
	pod_names_on_mkdir(f->names, 4242, "/kubepods/pod" U1 "/" C1);
	pod_names_on_rmdir(f->names, 4242, step(SEC));
	for (int i = 0; i < 1000; i++) {
		snprintf(path, sizeof(path), "/kubepods/pod" U2 "/" C3 "/kubepods/pod%d", i);
		pod_names_on_mkdir(f->names, 100000 + i, path);
		if (i % 2) /* the others live on */
			pod_names_on_rmdir(f->names, 100000 + i, step(MSEC));
	}
	assert_who(pod_names_get(f->names, 4242, 0, step(MSEC)), "default", "job", "main");
	assert_true(stats(f).cgroups <= 32 + 20);
	assert_int_equal(stats(f).evicted, 0);
	assert_in_range(stats(f).beyond_share, 1000 - 32, 1000);
	assert_string_equal(pod_names_most_beyond(f->names, step(MSEC))->container_id, C3);
	/* what gave way is its own all the same */
	maker = pod_names_get(f->names, 100999, 0, step(MSEC))->maker;
	assert_string_equal(pod_names_get(f->names, 100950, 0, step(MSEC))->cgroup, "cgroup:100950");
	assert_int_equal(pod_names_get(f->names, 100950, 0, step(MSEC))->maker, maker);
	assert_int_not_equal(pod_names_get(f->names, 4242, 0, step(MSEC))->maker, maker);
	/* so deep that its own container is not in what is left of the path: each time below another's */
	memset(pad, 'x', sizeof(pad) - 1);
	pad[sizeof(pad) - 1] = '\0';
	for (int i = 0; i < 1000; i++) {
		snprintf(path, sizeof(path), "/kubepods/pod%08x-1111-4222-8333-0123456789ab/" C1 "/%s", (unsigned int)i,
			 pad);
		pod_names_on_mkdir(f->names, 200000 + i, path);
	}
	assert_who(pod_names_get(f->names, 4242, 0, step(MSEC)), "default", "job", "main");
	assert_int_equal(stats(f).evicted, 0);
	/* whatever their tails say, these may be anybody's, and have one share as what nobody knows has */
	assert_int_equal(pod_names_get(f->names, 200999, 0, step(MSEC))->maker,
			 pod_names_get(f->names, 999999, 0, step(MSEC))->maker);
	/* what it has made last, or uses, is known */
	assert_string_equal(pod_names_get(f->names, 100999, 0, step(MSEC))->pod_uid, U2);
}

/* The tick looks at the folder though nobody asks for a name: it may have gone, and come back. */
static void folder_that_goes_and_comes_is_told(void **state)
{
	struct fixture *f = *state;

	start(f);
	assert_int_equal(stats(f).pod_logs_err, 0);
	remove_at(f, "pods");
	pod_names_expire(f->names, step(60 * SEC), 60 * SEC);
	assert_int_equal(stats(f).pod_logs_err, -ENOENT);
	tree_folder(f->fd, "pods");
	pod_names_expire(f->names, step(SEC), 60 * SEC);
	assert_int_equal(stats(f).pod_logs_err, 0);
}

static void unknown_id_is_scanned_for_once_a_second_and_once_in_its_life(void **state)
{
	struct fixture *f = *state;
	uint64_t id;

	start(f);
	assert_string_equal(pod_names_get(f->names, 99999999, 0, step(SEC))->cgroup, "cgroup:99999999");
	assert_int_equal(stats(f).rescans, 1);
	id = make_cgroup(f, "late");
	assert_string_not_equal(pod_names_get(f->names, id, 0, step(SEC / 2))->cgroup, "late");
	assert_int_equal(stats(f).rescans, 1);
	assert_string_equal(pod_names_get(f->names, id, 0, step(SEC / 2))->cgroup, "late");
	assert_int_equal(stats(f).rescans, 2);
	for (int i = 0; i < 10; i++)
		pod_names_get(f->names, 99999999, 0, step(2 * SEC));
	assert_int_equal(stats(f).rescans, 2);
}

static void cut_link_is_found_by_the_rest_of_its_id_or_by_its_target(void **state)
{
	struct fixture *f = *state;
	uint64_t by_id = make_cgroup(f, "kubepods/pod" U1 "/" C1), by_target = make_cgroup(f, "kubepods/pod" U2 "/" C2);

	make_link(f, X60 X60 X60 "_" X10 "_" X10 "-111111111111111111111111111111111111111111111111.log", "/nowhere");
	make_link(f, X60 X60 X60 "_" X10 X10 "_" X10 X10 X10 X10 "-abcdef01.log",
		  "/var/log/pods/ns_long_" U2 "/" X10 X10 X10 X10 "/0.log");
	tree_folder(f->fd, "pods/ns_long_" U2 "/" X10 X10 X10 X10);
	start(f);
	assert_who(pod_names_get(f->names, by_id, 0, step(SEC)), X10, X60 X60 X60, X10);
	assert_who(pod_names_get(f->names, by_target, 0, step(SEC)), "ns", "long", X10 X10 X10 X10);
	/* a second container, whose link comes after it: which is which cannot be told */
	tree_folder(f->fd, "pods/ns_long_" U2 "/other");
	pod_names_on_mkdir(f->names, 7777777, "kubepods/pod" U2 "/" C3);
	assert_who(pod_names_get(f->names, 7777777, 0, step(SEC)), "ns", "long", "");
}

static void only_container_of_a_pod_is_named_without_links(void **state)
{
	struct fixture *f = *state;
	uint64_t one = make_cgroup(f, "kubepods/pod" U1 "/" C1), two = make_cgroup(f, "kubepods/pod" U2 "/" C2);

	tree_folder(f->fd, "pods/default_one_" U1 "/app");
	tree_folder(f->fd, "pods/default_two_" U2 "/app");
	tree_folder(f->fd, "pods/default_two_" U2 "/sidecar");
	start_with(f, f->pods, "/does/not/exist", 100);
	assert_who(pod_names_get(f->names, one, 0, step(SEC)), "default", "one", "app");
	assert_who(pod_names_get(f->names, two, 0, step(SEC)), "default", "two", "");
	assert_int_equal(stats(f).container_logs_err, -ENOENT);
	assert_int_equal(stats(f).pod_logs_err, 0);
}

static void broken_log_folder_is_told_and_healed(void **state)
{
	struct fixture *f = *state;
	uint64_t id = make_cgroup(f, "kubepods/pod" U1 "/" C1);

	start_with(f, NULL, f->links, 100);
	assert_int_equal(stats(f).pod_logs_err, -ENOENT);
	pod_names_free(f->names);
	remove_at(f, "pods");
	assert_int_equal(symlinkat("pods", f->fd, "pods"), 0);
	start(f);
	assert_int_equal(stats(f).pod_logs_err, -ELOOP);
	assert_who(pod_names_get(f->names, id, 0, step(SEC)), "", "", "");
	assert_int_equal(unlinkat(f->fd, "pods", 0), 0);
	tree_put(f->fd, "pods", "");
	pod_names_get(f->names, id, 0, step(SEC));
	assert_int_equal(stats(f).pod_logs_err, -ENOTDIR);
	assert_int_equal(unlinkat(f->fd, "pods", 0), 0);
	tree_folder(f->fd, "real/default_web-0_" U1);
	assert_int_equal(symlinkat("real", f->fd, "pods"), 0); /* a link to a folder is fine */
	assert_who(pod_names_get(f->names, id, 0, step(SEC)), "default", "web-0", "");
	assert_int_equal(stats(f).pod_logs_err, 0);
}

static void odd_entries_are_passed_over(void **state)
{
	struct fixture *f = *state;
	uint64_t id = make_cgroup(f, "kubepods/pod" U1 "/" C1);

	tree_folder(f->fd, "pods/default_a\nb_" U1);
	tree_folder(f->fd, "pods/lost+found");
	tree_put(f->fd, "pods/default_file_" U1, "");
	assert_int_equal(symlinkat("/", f->fd, "pods/default_link_" U1), 0);
	tree_put(f->fd, "containers/README", "");
	start(f);
	assert_who(pod_names_get(f->names, id, 0, step(SEC)), "", "", "");
	tree_folder(f->fd, "pods/default_<img src=x>_" U1);
	assert_who(pod_names_get(f->names, id, 0, step(SEC)), "default", "<img src=x>", "");
}

static void cgroup_v1_is_asked_by_pid_and_remembered(void **state)
{
	struct fixture *f = *state;
	struct stat st;

	tree_folder(f->fd, "pods/default_web-0_" U1);
	make_link(f, "web-0_default_app-" C1 ".log", "/nowhere");
	tree_folder(f->fd, "proc/12");
	tree_put(f->fd, "proc/self/cgroup", "2:memory:/\n1:name=systemd:/\n0::/\n");
	tree_put(f->fd, "proc/12/cgroup", "2:memory:/kubepods/pod" U1 "/" C1 "\n0::/\n");
	assert_int_equal(fstat(f->cgroup_fd, &st), 0);
	start(f);
	assert_who(pod_names_get(f->names, st.st_ino, 12, step(SEC)), "default", "web-0", "app");
	assert_true(pod_names_get(f->names, st.st_ino, 12, step(SEC))->cgroup_id == st.st_ino);
	assert_string_equal(pod_names_get(f->names, st.st_ino, 0, step(SEC))->cgroup, "/");
	assert_string_equal(pod_names_get(f->names, st.st_ino, 13, step(SEC))->cgroup, "/");
	/* the process is gone: its name stays; the pid is another's: the new one's name */
	assert_int_equal(unlinkat(f->fd, "proc/12/cgroup", 0), 0);
	assert_who(pod_names_get(f->names, st.st_ino, 12, step(5 * SEC)), "default", "web-0", "app");
	tree_put(f->fd, "proc/12/cgroup", "2:memory:/docker/" C2 "\n0::/\n");
	assert_string_equal(pod_names_get(f->names, st.st_ino, 12, step(SEC))->container_id, C2);
	/* one that began after the request has only got its pid */
	tree_folder(f->fd, "proc/14");
	tree_put(f->fd, "proc/14/cgroup", "2:memory:/docker/" C2 "\n0::/\n");
	tree_put(f->fd, "proc/14/stat", "14 (a) b) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 99999999999 0 0\n");
	assert_string_equal(pod_names_get(f->names, st.st_ino, 14, step(SEC))->cgroup, "/");
	tree_put(f->fd, "proc/14/stat", "14 (a) b) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 7 0 0\n");
	assert_string_equal(pod_names_get(f->names, st.st_ino, 14, step(SEC))->container_id, C2);
}

static void pid_is_believed_on_cgroup_v2_only_for_its_very_cgroup(void **state)
{
	struct fixture *f = *state;
	uint64_t id;

	start(f);
	id = make_cgroup(f, "kubepods/pod" U1 "/" C1);
	tree_folder(f->fd, "proc/12");
	tree_put(f->fd, "proc/12/cgroup", "0::/kubepods/pod" U1 "/" C1 "\n");
	assert_string_equal(pod_names_get(f->names, 88888888, 12, step(SEC))->cgroup, "cgroup:88888888");
	assert_int_equal(stats(f).rescans, 1);
	assert_string_equal(pod_names_get(f->names, id, 12, step(0))->pod_uid, U1);
	assert_true(pod_names_is_alive(f->names, id));
}

static int collect(void *arg, const struct pod_identity *who)
{
	strcat(arg, who->container);
	strcat(arg, ";");
	return !strcmp(who->container, "stop") ? 7 : 0;
}

static void for_each_gives_living_containers(void **state)
{
	struct fixture *f = *state;
	uint64_t gone = make_cgroup(f, "kubepods/pod" U2 "/" C2);
	char seen[256] = "";

	make_cgroup(f, "kubepods/pod" U1 "/" C1);
	make_cgroup(f, "system.slice/a.service");
	make_link(f, "web-0_default_app-" C1 ".log", "/nowhere");
	make_link(f, "web-1_default_gone-" C2 ".log", "/nowhere");
	start(f);
	pod_names_on_rmdir(f->names, gone, step(SEC));
	remove_at(f, "cgroup/kubepods/pod" U2 "/" C2);
	assert_int_equal(pod_names_for_each(f->names, step(SEC), collect, seen), 0);
	assert_string_equal(seen, "app;");
	make_link(f, "web-2_default_stop-" C3 ".log", "/nowhere");
	pod_names_on_mkdir(f->names, 5555555, "/kubepods/pod" U2 "/" C3);
	assert_int_equal(pod_names_for_each(f->names, step(SEC / 2), collect, seen), 7);
}

static void churn_stays_within_the_bound(void **state)
{
	struct fixture *f = *state;
	char path[200];

	start_with(f, f->pods, f->links, 50);
	for (uint64_t i = 0; i < 10000; i++) {
		snprintf(path, sizeof(path), "/kubepods/pod%08x-1111-4222-8333-0123456789ab/" C1, (unsigned int)i);
		pod_names_on_mkdir(f->names, 1000000 + i, path);
		if (i % 3)
			pod_names_on_rmdir(f->names, 1000000 + i, step(MSEC));
	}
	assert_int_equal(stats(f).cgroups, 50);
	assert_int_equal(stats(f).limit, 50);
	assert_int_equal(stats(f).evicted, 1 + 10000 - 50);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(running_pod_is_named_in_full),
		T(host_service_and_unknown_id_show_their_cgroup),
		T(container_without_log_link_is_the_pause_container),
		T(link_alone_names_the_pod_too),
		T(docker_in_a_pod_has_the_name_of_the_pods_container),
		T(names_that_come_late_are_found),
		T(change_within_the_same_tick_is_not_missed),
		T(what_comes_and_goes_elsewhere_takes_no_room),
		T(ephemeral_pod_keeps_its_name_when_all_is_deleted),
		T(log_folder_that_lived_between_two_lookups_is_remembered),
		T(folder_that_is_slow_to_read_is_read_less_often),
		T(vanished_log_folders_are_forgotten_after_a_minute),
		T(tail_of_a_path_makes_no_owner),
		T(a_user_takes_no_pods_name),
		T(folders_of_a_tenant_fill_its_share_only),
		T(folder_that_goes_and_comes_is_told),
		T(unknown_id_is_scanned_for_once_a_second_and_once_in_its_life),
		T(cut_link_is_found_by_the_rest_of_its_id_or_by_its_target),
		T(only_container_of_a_pod_is_named_without_links),
		T(broken_log_folder_is_told_and_healed),
		T(odd_entries_are_passed_over),
		T(cgroup_v1_is_asked_by_pid_and_remembered),
		T(pid_is_believed_on_cgroup_v2_only_for_its_very_cgroup),
		T(for_each_gives_living_containers),
		T(churn_stays_within_the_bound),
	};

	return cmocka_run_group_tests_name("pod_names", tests, NULL, NULL);
}
