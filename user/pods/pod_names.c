/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The names of a cgroup are found once and kept in its node's note; UID and container id are cut out of its path at
 * each call, which costs less than 1 us and saves 100 bytes a cgroup.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#include "../base/clock.h"
#include "../base/hash.h"
#include "../base/utf8.h"
#include "cgroup_path.h"
#include "cgroup_tree.h"
#include "log_dirs.h"
#include "pod_names_env.h"
#include "runtime_names.h"
#include "workload.h"

#define SEC 1000000000ull
#define RESCAN_NS SEC		  /* a scan of 5,000 cgroups takes tens of ms */
#define START_SLACK_NS (SEC / 20) /* the clocks are not read at once */
#define PROC_TEXT_MAX 16384	  /* /proc/PID/cgroup: a dozen lines, each with a path */
#define TAIL_MIN 255		  /* no shorter is the tail that the kernel side gives of a long path */
/* Key of what is known of a process only. Cgroup ids never have this bit: their upper half counts generations. */
#define PID_KEY (1ull << 63)
#define UNKNOWN_MAKER 1 /* of all cgroups whose maker cannot be told: anybody may have made them */

struct pod_names {
	struct pod_names_env env;
	struct cgroup_tree *tree;
	struct log_dirs *logs;
	struct runtime_names *runtimes; /* NULL: not asked */
	int cgroup_fd;
	char node[256];
	char watched[TAIL_MIN]; /* "": all; so is a longer one */
	uint64_t rescan_after_ns;
	uint64_t unknown;
	uint64_t unnamed;
	uint64_t rescans;
	bool whole;
	int has_v1;	       /* cgroup v1 hierarchies exist: a v2 path may tell less than they do */
	struct cgroup_ids ids; /* what the last identity points to */
	char text[sizeof("cgroup:18446744073709551615")];
	char shown[3 * CGROUP_PATH_MAX + 1]; /* a path with bytes that are no text */
	char unit[WORKLOAD_LEN];
	struct pod_identity who;
};

/* /proc/<process>/cgroup into buf of PROC_TEXT_MAX bytes, no NUL. Returns the length or a negative errno. */
static ssize_t read_proc(const struct pod_names *names, const char *process, char *buf)
{
	char file[512];
	size_t len = 0;
	ssize_t n;
	int fd;

	if ((size_t)snprintf(file, sizeof(file), "%s/%s/cgroup", names->env.proc, process) >= sizeof(file))
		return -ENAMETOOLONG;
	fd = open(file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	while (len < PROC_TEXT_MAX && (n = read(fd, buf + len, PROC_TEXT_MAX - len)) > 0)
		len += n;
	close(fd);
	return len;
}

static int find_v1(const struct pod_names *names)
{
	char buf[PROC_TEXT_MAX];
	ssize_t len = read_proc(names, "self", buf);

	/* with v2 alone the text is one line, "0::<path>" */
	return len > 0 && (memcmp(buf, "0", 1) || memchr(buf, '\n', len - 1));
}

#define FOLDERS 2 /* of a path without ids that tell one maker from another: /user.slice/x, /system.slice/x */

/* 0 is nobody. */
static uint64_t maker_number(const void *key, size_t len)
{
	return hash_key(0, key, len) | 1;
}

/* Whatever names a tenant gives to what it makes, it is one maker: that of the outermost thing which is its own. */
static uint64_t maker_of(const char *path, const struct cgroup_ids *ids)
{
	const char *id = *ids->around_id ? ids->around_id : *ids->pod_uid ? ids->pod_uid : ids->container_id;
	unsigned int user = cgroup_path_user(path, strlen(path));
	size_t len = 0;

	if (user)
		return maker_number(&user, sizeof(user));
	if (*id)
		return maker_number(id, strlen(id));
	for (int i = 0; i < FOLDERS && path[len]; i++)
		len += strcspn(path + len, "/") + (path[len + strcspn(path + len, "/")] == '/');
	return maker_number(path, len);
}

/* The same of a path alone. Of one that was cut the head, which would tell, is not there: these are all one maker's. */
static uint64_t maker_of_path(const char *path, bool cut)
{
	struct cgroup_ids ids;

	if (!*path || cut)
		return cut ? UNKNOWN_MAKER : 0;
	cgroup_path_parse(path, strlen(path), &ids);
	return maker_of(path, &ids);
}

int pod_names_new(const struct pod_names_options *options, struct pod_names **ret_names)
{
	const struct pod_names_env env = { .proc = "/proc", .now_ns = clock_now_ns };

	return pod_names_new_in(options, &env, ret_names);
}

int pod_names_new_in(const struct pod_names_options *options, const struct pod_names_env *env,
		     struct pod_names **ret_names)
{
	struct pod_names *names = calloc(1, sizeof(*names));
	int err;

	if (!names)
		return -ENOMEM;
	names->env = *env;
	names->cgroup_fd = options->cgroup_fd;
	names->whole = options->whole;
	snprintf(names->node, sizeof(names->node), "%s", options->node ? options->node : "");
	if (options->watched && strlen(options->watched) < sizeof(names->watched))
		strcpy(names->watched, options->watched);
	if ((options->runtime_dirs &&
	     (err = runtime_names_new(options->runtime_dirs, options->max_entries + 1024, &names->runtimes))) ||
	    (err = log_dirs_new(options->pod_logs, options->container_logs, 2 * options->max_entries + 1024,
				env->now_ns, &names->logs)) ||
	    (err = cgroup_tree_new(options->cgroup_fd, options->max_entries, maker_of_path, &names->tree))) {
		pod_names_free(names);
		return err;
	}
	names->has_v1 = find_v1(names);
	log_dirs_refresh(names->logs, env->now_ns());
	*ret_names = names;
	return 0;
}

void pod_names_free(struct pod_names *names)
{
	if (!names)
		return;
	cgroup_tree_free(names->tree);
	log_dirs_free(names->logs);
	runtime_names_free(names->runtimes);
	free(names);
}

/* What is known of a node's names. In its note: the runtime's number, then each part with its NUL. */
struct naming {
	enum runtime runtime;
	const char *part[RUNTIME_PART_COUNT]; /* never NULL */
};

static void read_note(const char *note, struct naming *ret)
{
	ret->runtime = note ? (enum runtime) * note++ : RUNTIME_NONE;
	for (int i = 0; i < RUNTIME_PART_COUNT; i++) {
		ret->part[i] = note ? note : "";
		note = note ? note + strlen(note) + 1 : NULL;
	}
}

static void write_note(struct cgroup_node *node, const struct naming *what)
{
	size_t len = 1;
	char *note, *p;

	for (int i = 0; i < RUNTIME_PART_COUNT; i++)
		len += strlen(what->part[i]) + 1;
	note = malloc(len);
	if (!note)
		return;
	*note = (char)what->runtime;
	p = note + 1;
	for (int i = 0; i < RUNTIME_PART_COUNT; i++)
		p = stpcpy(p, what->part[i]) + 1;
	free(node->note);
	node->note = note;
}

/* A pod with its container's name, or a container outside Kubernetes. */
static int is_complete(const struct cgroup_node *node, const struct cgroup_ids *ids)
{
	struct naming is;

	read_note(node->note, &is);
	if (!ids->pod_uid[0] && is.part[RUNTIME_PART_CONTAINER][0])
		return 1;
	return is.part[RUNTIME_PART_POD][0] && (is.part[RUNTIME_PART_CONTAINER][0] || !ids->container_id[0]);
}

static int knows_uid(const struct pod_names *names, const char *uid)
{
	struct log_who who;

	return uid[0] && !log_dirs_find(names->logs, uid, "", &who);
}

/* Whether that pod or container has a cgroup of its own, below no other. */
static bool is_elsewhere(const struct pod_names *names, const char *id)
{
	return cgroup_tree_has_maker(names->tree, maker_number(id, strlen(id)));
}

/* The container around it, or nobody: the pod is its tenant's forgery. */
static void take_around(struct cgroup_ids *ids)
{
	ids->pod_uid[0] = '\0';
	memcpy(ids->container_id, ids->around_id, sizeof(ids->container_id));
	ids->container_at = ids->around_at;
	ids->owner_len = 0;
}

/*
 * Whose node it is. What a tenant makes below its own cgroup names nobody: the outermost pod counts, unless the kubelet
 * knows only one inside (we are in a node that is itself in a pod). What is inside a container (kind), another pod, or a
 * user's own tree, and what the tail of a long path tells, is believed unless that pod or container is also elsewhere.
 */
static int node_ids(const struct pod_names *names, struct cgroup_node *node, struct cgroup_ids *ret_ids)
{
	size_t len = strlen(node->path), at;
	struct cgroup_ids inner;
	struct log_who who;
	const char *id;
	bool by_user;

	if (cgroup_path_parse(node->path, len, ret_ids))
		return -ENOENT;
	at = ret_ids->owner_len;
	if (ret_ids->pod_uid[0] && !cgroup_path_parse(node->path + at, len - at, &inner) && inner.pod_uid[0] &&
	    !knows_uid(names, ret_ids->pod_uid) && knows_uid(names, inner.pod_uid) &&
	    !(names->whole && is_elsewhere(names, inner.pod_uid))) {
		inner.container_at += at;
		inner.owner_len += at;
		*ret_ids = inner;
		return 0;
	}
	by_user = cgroup_path_user(node->path, len);
	if (!ret_ids->around_id[0] && !node->cut && !by_user)
		return 0;
	id = ret_ids->pod_uid[0] ? ret_ids->pod_uid : ret_ids->container_id;
	node->forged |=
	    is_elsewhere(names, id) || (by_user && !ret_ids->pod_uid[0] && !log_dirs_find(names->logs, "", id, &who));
	if (node->forged)
		take_around(ret_ids);
	return ret_ids->pod_uid[0] || ret_ids->container_id[0] ? 0 : -ENOENT;
}

/* The user that could make the folder at len of node's path: that of the nearest folder above it that is still there. */
static uint32_t find_owner(const struct pod_names *names, const struct cgroup_node *node, size_t len)
{
	uint32_t user = cgroup_path_user(node->path, len);
	char path[CGROUP_PATH_MAX + 1];
	struct stat st;

	if (user || (node->id & PID_KEY)) /* the path is of another hierarchy then */
		return user;
	memcpy(path, node->path, len);
	for (;;) {
		while (len && path[len - 1] == '/')
			len--;
		path[len] = '\0';
		if (!fstatat(names->cgroup_fd, len ? path : ".", &st, AT_SYMLINK_NOFOLLOW))
			return st.st_uid;
		if (!len)
			return 0;
		while (len && path[len - 1] != '/')
			len--;
	}
}

/* What the kubelet's folders tell; looked at again when they have changed since the last try. */
static int name_by_logs(struct pod_names *names, struct cgroup_node *node, const struct cgroup_ids *ids,
			uint64_t now_ns, struct naming *is)
{
	uint32_t version = log_dirs_refresh(names->logs, now_ns);
	struct log_who who;

	if (version == node->note_version)
		return 0;
	node->note_version = version;
	if (log_dirs_find(names->logs, ids->pod_uid, ids->container_id, &who) ||
	    (!who.container[0] && is->part[RUNTIME_PART_POD][0]))
		return 0;
	is->runtime = RUNTIME_KUBERNETES;
	is->part[RUNTIME_PART_NAMESPACE] = who.ns;
	is->part[RUNTIME_PART_POD] = who.pod;
	is->part[RUNTIME_PART_CONTAINER] = who.container;
	return 1;
}

/* Of a folder without any id, "…/<namespace>/<id>" as `ctr` makes it. */
static const struct runtime_who *find_task(struct pod_names *names, const struct cgroup_node *node, uint64_t now_ns)
{
	const char *at = node->path + strlen(node->path);

	for (int part = 0; part < 2; part++) {
		while (at > node->path && at[-1] != '/')
			at--;
		if (!part && at == node->path)
			return NULL;
		at -= !part;
	}
	return find_owner(names, node, at - node->path) ? NULL : runtime_names_find_task(names->runtimes, at, now_ns);
}

/* What the container's runtime tells. Of a pod that the kubelet named only the container is taken. */
static int name_by_runtime(struct pod_names *names, const struct cgroup_node *node, const struct cgroup_ids *ids,
			   uint64_t now_ns, struct naming *is)
{
	const struct runtime_who *who;

	if (!names->runtimes)
		return 0;
	if (ids->container_id[0])
		who = runtime_names_find(names->runtimes, ids->container_id, find_owner(names, node, ids->container_at),
					 now_ns);
	else
		who = ids->pod_uid[0] ? NULL : find_task(names, node, now_ns);
	if (!who)
		return 0;
	if (!is->part[RUNTIME_PART_POD][0]) {
		is->runtime = who->runtime;
		memcpy(is->part, who->part, sizeof(is->part));
	} else if (!is->part[RUNTIME_PART_CONTAINER][0] &&
		   !strcmp(is->part[RUNTIME_PART_POD], who->part[RUNTIME_PART_POD])) {
		is->part[RUNTIME_PART_CONTAINER] = who->part[RUNTIME_PART_CONTAINER];
	} else {
		return 0;
	}
	return 1;
}

/* Looks for the names that node still lacks. */
static void name_node(struct pod_names *names, struct cgroup_node *node, const struct cgroup_ids *ids, uint64_t now_ns)
{
	char workload[WORKLOAD_LEN];
	struct naming is;
	int found;

	if (is_complete(node, ids))
		return;
	log_dirs_refresh(names->logs, now_ns);
	/* an id that a tenant may have chosen is that of a pod which the kubelet knows, or nobody's */
	if ((ids->around_id[0] || node->cut) && !knows_uid(names, ids->pod_uid))
		return;
	read_note(node->note, &is);
	found = (ids->pod_uid[0] || ids->container_id[0]) && name_by_logs(names, node, ids, now_ns, &is);
	if (!is.part[RUNTIME_PART_POD][0] || !is.part[RUNTIME_PART_CONTAINER][0])
		found |= name_by_runtime(names, node, ids, now_ns, &is);
	if (!found)
		return;
	if (is.part[RUNTIME_PART_POD][0])
		is.part[RUNTIME_PART_WORKLOAD] =
		    workload_name(is.part[RUNTIME_PART_POD], names->node, workload, sizeof(workload));
	write_note(node, &is);
}

/* So many of its cgroups as it likes give way in the table, and are its own all the same. */
static uint64_t row_maker(const struct pod_names *names, const struct cgroup_node *node, uint64_t cgroup_id)
{
	uint64_t forgotten;

	if (node && node->path[0])
		return node->cut ? UNKNOWN_MAKER : maker_of(node->path, &names->ids);
	forgotten = cgroup_tree_forgotten_maker(names->tree, cgroup_id);
	return forgotten ? forgotten : UNKNOWN_MAKER;
}

static const struct pod_identity *fill(struct pod_names *names, const struct cgroup_node *node, uint64_t cgroup_id)
{
	struct pod_identity *who = &names->who;
	struct naming is;

	read_note(node ? node->note : NULL, &is);
	who->cgroup_id = cgroup_id;
	who->namespace = is.part[RUNTIME_PART_NAMESPACE];
	who->pod = is.part[RUNTIME_PART_POD];
	who->container = is.part[RUNTIME_PART_CONTAINER];
	who->workload = is.part[RUNTIME_PART_WORKLOAD];
	who->project = is.part[RUNTIME_PART_PROJECT];
	who->runtime = is.runtime;
	who->pod_uid = names->ids.pod_uid;
	who->container_id = names->ids.container_id;
	who->cgroup = node && node->path[0] ? utf8_clean(node->path, names->shown, sizeof(names->shown)) : names->text;
	who->maker = row_maker(names, node, cgroup_id);
	if (!who->runtime && node && node->path[0])
		who->runtime = cgroup_path_runtime(node->path, &names->ids);
	/* by its folder's form: a unit, a machine, a job */
	if (node && !who->workload[0] && !names->ids.container_id[0] && !names->ids.pod_uid[0])
		who->workload = workload_of_unit(who->cgroup, names->unit, sizeof(names->unit));
	return who;
}

static const char *skip_slashes(const char *path)
{
	while (*path == '/')
		path++;
	return path;
}

/* Of a long path only its tail is there: then it may be below. */
static bool is_watched(const struct pod_names *names, const char *path)
{
	size_t len = strlen(names->watched);

	if (!len || strlen(path) >= TAIL_MIN)
		return true;
	return !strncmp(path, names->watched, len) && (!path[len] || path[len] == '/');
}

void pod_names_on_mkdir(struct pod_names *names, uint64_t cgroup_id, const char *path)
{
	struct cgroup_node *node;
	struct cgroup_ids ids;
	uint64_t now_ns;
	bool cut;

	path = skip_slashes(path);
	if (!cgroup_id || (cgroup_id & PID_KEY) || !path[0] || !is_watched(names, path))
		return;
	cut = strlen(path) >= TAIL_MIN && !cgroup_tree_has(names->tree, cgroup_id, path);
	node = cgroup_tree_add(names->tree, cgroup_id, path, strlen(path), cut);
	if (!node || node_ids(names, node, &ids))
		return;
	/* At once: a pod may live 50 ms only, and its log folder be deleted with it. */
	now_ns = names->env.now_ns();
	name_node(names, node, &ids, now_ns);
}

void pod_names_on_rmdir(struct pod_names *names, uint64_t cgroup_id, uint64_t now_ns)
{
	struct cgroup_node *node = cgroup_tree_remove(names->tree, cgroup_id, now_ns);
	struct cgroup_ids ids;

	if (node && !node_ids(names, node, &ids))
		name_node(names, node, &ids, now_ns);
}

/* When the process began, CLOCK_MONOTONIC, to 10 ms (proc(5), field 22); 0: not known. */
static uint64_t process_start_ns(const struct pod_names *names, const char *process)
{
	char file[512], buf[1024], *at;
	struct timespec boot, mono;
	uint64_t ticks, ns, asleep;
	ssize_t n;
	int fd;

	if ((size_t)snprintf(file, sizeof(file), "%s/%s/stat", names->env.proc, process) >= sizeof(file))
		return 0;
	fd = open(file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return 0;
	n = read(fd, buf, sizeof(buf) - 1);
	close(fd);
	buf[n > 0 ? n : 0] = '\0';
	at = strrchr(buf, ')'); /* the name may hold anything */
	for (int field = 2; at && field < 22; field++)
		at = strchr(at + 1, ' ');
	if (!at)
		return 0;
	ticks = strtoull(at, NULL, 10);
	/* it counts the time that the machine was suspended too */
	clock_gettime(CLOCK_BOOTTIME, &boot);
	clock_gettime(CLOCK_MONOTONIC, &mono);
	asleep = (uint64_t)(boot.tv_sec - mono.tv_sec) * SEC;
	ns = ticks * (SEC / (uint64_t)sysconf(_SC_CLK_TCK));
	return ns > asleep ? ns - asleep : 0;
}

/*
 * Where the v2 id says too little (cgroup v1: all sockets may be in the root; or an id that we do not know) the process
 * tells its cgroup. What only a v1 hierarchy tells is kept under the pid, as the process may be gone the next time, and
 * asked again after a second, as the pid may be another's then.
 */
static struct cgroup_node *find_by_pid(struct pod_names *names, uint64_t cgroup_id, uint32_t pid, uint64_t since_ns,
				       uint64_t now_ns)
{
	struct cgroup_node *node = cgroup_tree_find(names->tree, PID_KEY | pid);
	char buf[PROC_TEXT_MAX + 1], process[16], *path;
	const char *found;
	ssize_t n;
	size_t len;

	if (node && now_ns - node->gone_ns < SEC)
		return node;
	snprintf(process, sizeof(process), "%" PRIu32, pid);
	n = read_proc(names, process, buf);
	if (n <= 0 || cgroup_path_from_proc(buf, n, &found, &len))
		return node;
	/* asked after its cgroup was read: a pid that changed hands in between is not believed either */
	if (process_start_ns(names, process) > since_ns + START_SLACK_NS)
		return node && since_ns < node->gone_ns + SEC ? node : NULL;
	path = buf + (found - buf);
	path[len] = '\0';
	while (*path == '/')
		path++;
	if (!*path)
		return NULL;
	if (cgroup_id != cgroup_tree_root_id(names->tree) && cgroup_tree_has(names->tree, cgroup_id, path))
		return cgroup_tree_add(names->tree, cgroup_id, path, strlen(path), false);
	if (!names->has_v1) /* the process has moved, or the pid is another's */
		return NULL;
	return cgroup_tree_add_gone(names->tree, PID_KEY | pid, path, strlen(path), now_ns);
}

/* A node that says nothing about containers, on a node where cgroup v1 may. */
static int is_v1_suspect(const struct pod_names *names, const struct cgroup_node *node)
{
	struct cgroup_ids ids;

	return names->has_v1 && cgroup_path_parse(node->path, strlen(node->path), &ids);
}

static void rescan(struct pod_names *names, uint64_t wanted, uint64_t now_ns)
{
	names->rescan_after_ns = now_ns + RESCAN_NS;
	names->rescans++;
	cgroup_tree_scan(names->tree, wanted, now_ns);
}

static struct cgroup_node *find_node(struct pod_names *names, uint64_t cgroup_id, uint32_t pid, uint64_t since_ns,
				     uint64_t now_ns)
{
	struct cgroup_node *node = cgroup_tree_find(names->tree, cgroup_id), *by_pid;

	if (pid && (!node || !node->path[0] || is_v1_suspect(names, node))) {
		by_pid = find_by_pid(names, cgroup_id, pid, since_ns, now_ns);
		if (by_pid)
			return by_pid;
		node = cgroup_tree_find(names->tree, cgroup_id); /* a full table may have thrown it out */
	}
	if (node || now_ns < names->rescan_after_ns)
		return node;
	rescan(names, cgroup_id, now_ns);
	node = cgroup_tree_find(names->tree, cgroup_id);
	/* Ids are never used twice: one that a scan did not meet is not worth another scan. */
	return node ? node : cgroup_tree_add_gone(names->tree, cgroup_id, "", 0, now_ns);
}

const struct pod_identity *pod_names_get(struct pod_names *names, uint64_t cgroup_id, uint32_t pid, uint64_t now_ns)
{
	return pod_names_get_since(names, cgroup_id, pid, now_ns, now_ns);
}

const struct pod_identity *pod_names_get_since(struct pod_names *names, uint64_t cgroup_id, uint32_t pid,
					       uint64_t since_ns, uint64_t now_ns)
{
	struct cgroup_node *node = cgroup_id & PID_KEY ? NULL : find_node(names, cgroup_id, pid, since_ns, now_ns);

	memset(&names->ids, 0, sizeof(names->ids));
	if (!node || !node->path[0]) {
		names->unknown++;
		snprintf(names->text, sizeof(names->text), "cgroup:%" PRIu64, cgroup_id);
		return fill(names, node, cgroup_id);
	}
	node_ids(names, node, &names->ids);
	name_node(names, node, &names->ids, now_ns);
	if (!node->note && node->note_version && !node->counted) {
		node->counted = 1;
		names->unnamed++;
	}
	return fill(names, node, cgroup_id);
}

const struct pod_identity *pod_names_most_beyond(struct pod_names *names, uint64_t now_ns)
{
	struct cgroup_node *node = cgroup_tree_most_beyond(names->tree);

	memset(&names->ids, 0, sizeof(names->ids));
	if (!node || !node->path[0] || node->cut)
		return NULL;
	if (!node_ids(names, node, &names->ids)) {
		if (names->ids.around_id[0] && !knows_uid(names, names->ids.pod_uid))
			take_around(&names->ids);
		name_node(names, node, &names->ids, now_ns);
	}
	return fill(names, node, node->id);
}

void pod_names_expire(struct pod_names *names, uint64_t now_ns, uint64_t keep_ns)
{
	/* The log folders of cgroups that nobody asked for yet may be gone when somebody does; and the folder itself may. */
	log_dirs_refresh(names->logs, now_ns);
	cgroup_tree_expire(names->tree, now_ns, keep_ns);
}

int pod_names_is_alive(const struct pod_names *names, uint64_t cgroup_id)
{
	return cgroup_tree_is_alive(names->tree, cgroup_id);
}

int pod_names_for_each(struct pod_names *names, uint64_t now_ns, pod_names_fn fn, void *arg)
{
	struct cgroup_node *node;
	int ret;

	if (now_ns >= names->rescan_after_ns) /* the tracepoints may be missing, or a record was lost */
		rescan(names, 0, now_ns);
	for (node = cgroup_tree_first(names->tree); node; node = node->hh.next) {
		if (node->cut || node_ids(names, node, &names->ids) || !names->ids.container_id[0])
			continue;
		name_node(names, node, &names->ids, now_ns);
		ret = fn(arg, fill(names, node, node->id));
		if (ret)
			return ret;
	}
	return 0;
}

/* Whether it is a pod or container itself. Of a path that was cut the tail may be a tenant's, which has another's names. */
static bool is_owner(const struct pod_names *names, struct cgroup_node *node, struct cgroup_ids *ret_ids)
{
	return !node->cut && !node_ids(names, node, ret_ids) && ret_ids->owner_len == strlen(node->path);
}

/* Rows of a pod are told apart by its containers, one folder below; outside a pod there is no such rule. */
int pod_names_owner_depth(struct pod_names *names, uint64_t cgroup_id)
{
	struct cgroup_node *node = cgroup_tree_peek(names->tree, cgroup_id);
	struct cgroup_ids ids;

	if (!node || !is_owner(names, node, &ids))
		return -1;
	if (!ids.pod_uid[0])
		return POD_NAMES_ANY_DEPTH;
	/* one pod in another, or in a container that no kubelet knows, is its tenant's own affair */
	if (ids.around_id[0] && !knows_uid(names, ids.pod_uid))
		return -1;
	return ids.container_id[0] ? 0 : 1;
}

void pod_names_each_owner(struct pod_names *names, pod_names_owner_fn fn, void *arg)
{
	struct cgroup_node *node;
	struct cgroup_ids ids;

	for (node = cgroup_tree_first(names->tree); node; node = node->hh.next)
		if (is_owner(names, node, &ids))
			fn(arg, node->id);
}

void pod_names_get_stats(const struct pod_names *names, struct pod_names_stats *ret_stats)
{
	struct runtime_names_stats runtimes = { 0 };

	if (names->runtimes)
		runtime_names_get_stats(names->runtimes, &runtimes);
	*ret_stats = (struct pod_names_stats){
		.cgroups = cgroup_tree_count(names->tree),
		.limit = cgroup_tree_limit(names->tree),
		.unknown = names->unknown,
		.unnamed = names->unnamed,
		.evicted = cgroup_tree_evicted(names->tree) + log_dirs_dropped(names->logs),
		.beyond_share = cgroup_tree_beyond_share(names->tree),
		.unreadable = cgroup_tree_unreadable(names->tree),
		.rescans = names->rescans,
		.files_skipped = runtimes.skipped,
		.deferred = runtimes.deferred,
		.pod_logs_err = log_dirs_pod_err(names->logs),
		.container_logs_err = log_dirs_container_err(names->logs),
	};
}
