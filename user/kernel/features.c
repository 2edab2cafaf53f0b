/* SPDX-License-Identifier: GPL-2.0-only */
#include "features.h"
#include "../base/small.h"
#include "hooks.h"
#include "kernel_btf.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/magic.h>
#include <mntent.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <unistd.h>

#define BTF_PATH "/sys/kernel/btf/vmlinux"
#define BOOT_ID_PATH "/proc/sys/kernel/random/boot_id"
#define LOCKDOWN_PATH "/sys/kernel/security/lockdown"
#define JIT_PATH "/proc/sys/net/core/bpf_jit_enable"

/* include/uapi/linux/capability.h; by number, since older headers lack the last two (5.8) */
#define CAP_BIT(n) (1ull << (n))
#define HAS_NET_ADMIN CAP_BIT(12)
#define HAS_SYS_ADMIN CAP_BIT(21)
#define HAS_SYS_RESOURCE CAP_BIT(24)
#define HAS_PERFMON CAP_BIT(38)
#define HAS_BPF CAP_BIT(39)

#define USER_NS_INIT_INO 0xEFFFFFFDul /* PROC_USER_INIT_INO, include/linux/proc_ns.h: the initial user namespace */
#define CGROUP_ROOT_INO 1	      /* kernfs: inode of the whole tree's root; a namespace's root has another */

static const char OK[] = "ok", DEGRADED[] = "degraded", MISSING[] = "missing", OFF[] = "off";

static struct feature *row_find(struct features *f, const char *name)
{
	for (size_t i = 0; i < f->rows_len; i++)
		if (!strcmp(f->rows[i].name, name))
			return &f->rows[i];
	return NULL;
}

const struct feature *features_find(const struct features *f, const char *name)
{
	return row_find((struct features *)f, name);
}

void features_note(struct features *f, const char *name, const char *state, const char *why)
{
	struct feature *row = row_find(f, name);
	size_t i;

	if (!row) {
		if (f->rows_len == FEATURES_MAX)
			return;
		i = f->rows_len++;
		row = &f->rows[i];
		snprintf(f->names[i], FEATURES_NAME_LEN, "%s", name);
		row->name = f->names[i];
	}
	i = row - f->rows;
	row->state = state;
	/* why may be the row's own old text */
	memmove(f->whys[i], why, strnlen(why, FEATURES_WHY_LEN - 1) + 1);
	f->whys[i][FEATURES_WHY_LEN - 1] = '\0';
	row->why = f->whys[i];
}

__attribute__((format(printf, 4, 5))) static void note(struct features *f, const char *name, const char *state,
						       const char *format, ...)
{
	char why[FEATURES_WHY_LEN];
	va_list ap;

	va_start(ap, format);
	vsnprintf(why, sizeof(why), format, ap);
	va_end(ap);
	features_note(f, name, state, why);
}

/* OK where it holds, else state and why. */
static void note_if(struct features *f, const char *name, bool holds, const char *state, const char *why)
{
	features_note(f, name, holds ? OK : state, holds ? "" : why);
}

/* First len - 1 bytes of a small file, "" when it cannot be read. Returns 0 or a negative errno. */
static int read_text(const char *path, char *buf, size_t len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), err = 0;
	ssize_t n;

	*buf = '\0';
	if (fd < 0)
		return -errno;
	n = read(fd, buf, len - 1);
	if (n < 0)
		err = -errno;
	buf[n < 0 ? 0 : n] = '\0';
	close(fd);
	return err;
}

/* Counts of cgroup mounts; the v2 root goes to buf, by preference one that shows the whole tree. */
static int find_cgroup_mounts(char *buf, size_t len, unsigned int *ret_v1, bool *ret_whole)
{
	FILE *mounts = setmntent("/proc/self/mounts", "re");
	bool found = false, whole = false;
	struct mntent *m, entry;
	char line[4096];
	struct stat st;
	int err = 0;

	*ret_v1 = 0;
	*ret_whole = false;
	if (!mounts)
		return -errno;
	while (!whole && (m = getmntent_r(mounts, &entry, line, sizeof(line)))) {
		*ret_v1 += !strcmp(m->mnt_type, "cgroup");
		if (strcmp(m->mnt_type, "cgroup2"))
			continue;
		whole = !stat(m->mnt_dir, &st) && st.st_ino == CGROUP_ROOT_INO;
		if (found && !whole)
			continue;
		if (strlen(m->mnt_dir) >= len) {
			err = -ENAMETOOLONG;
			whole = false;
			continue;
		}
		strcpy(buf, m->mnt_dir);
		found = true;
	}
	while ((m = getmntent_r(mounts, &entry, line, sizeof(line))))
		*ret_v1 += !strcmp(m->mnt_type, "cgroup");
	endmntent(mounts);
	*ret_whole = whole;
	return found ? 0 : err ? err : -ENOENT;
}

/*
 * A mount of our own that nobody else sees and that ends with us (fsopen(2) and fsmount(2), Linux 5.2; CAP_SYS_ADMIN): the
 * v2 tree always exists, mounting it takes no controller from v1. By system call: glibc has them since 2.36.
 */
static int mount_own(char *buf, size_t len, bool *ret_whole)
{
	int fs = (int)syscall(SYS_fsopen, "cgroup2", 1 /* FSOPEN_CLOEXEC */), fd = -1;
	struct stat st;

	if (fs >= 0 && !syscall(SYS_fsconfig, fs, 6 /* FSCONFIG_CMD_CREATE */, NULL, NULL, 0))
		fd = (int)syscall(SYS_fsmount, fs, 1 /* FSMOUNT_CLOEXEC */,
				  0x2 | 0x4 | 0x8 /* MOUNT_ATTR_NOSUID, NODEV, NOEXEC */);
	if (fs >= 0)
		close(fs);
	if (fd < 0 || (size_t)snprintf(buf, len, "/proc/self/fd/%d", fd) >= len) {
		if (fd >= 0)
			close(fd);
		return -ENOENT;
	}
	*ret_whole = !fstat(fd, &st) && st.st_ino == CGROUP_ROOT_INO;
	return 0;
}

int features_find_cgroup_v2(char *buf, size_t len)
{
	unsigned int v1;
	bool whole;
	int err = find_cgroup_mounts(buf, len, &v1, &whole);

	return err == -ENOENT ? mount_own(buf, len, &whole) : err;
}

static int probe_cgroup_v2(const struct features_options *o, struct features *f)
{
	static const char only_v1[] = "only cgroup v1 is mounted, and a v2 tree of our own needs CAP_SYS_ADMIN and "
				      "Linux 5.2: boot with systemd.unified_cgroup_hierarchy=1, or "
				      "mount -t cgroup2 none /sys/fs/cgroup/unified";
	static const char none[] = "no cgroup v2 mount: mount -t cgroup2 none /sys/fs/cgroup, or in a container mount "
				   "the node's /sys/fs/cgroup";
	unsigned int v1;
	struct statfs fs;
	struct stat st;
	bool whole, own;
	int err = find_cgroup_mounts(f->cgroup_v2, sizeof(f->cgroup_v2), &v1, &whole);

	own = err == -ENOENT && !mount_own(f->cgroup_v2, sizeof(f->cgroup_v2), &whole);
	if (err && !own) {
		f->cgroup_v2[0] = '\0';
		features_note(f, "cgroup_v2", MISSING, v1 ? only_v1 : none);
		return err;
	}
	if (o->cgroup && (statfs(o->cgroup, &fs) || fs.f_type != CGROUP2_SUPER_MAGIC)) {
		note(f, "cgroup_v2", MISSING, "'%.120s' is no cgroup v2 folder: give one below '%.80s'", o->cgroup,
		     f->cgroup_v2);
		return -ENOTDIR;
	}
	if (o->cgroup)
		whole = !stat(o->cgroup, &st) && st.st_ino == CGROUP_ROOT_INO;
	if (!whole)
		snprintf(f->part, sizeof(f->part), "%s", o->cgroup ? o->cgroup : f->cgroup_v2);
	if (!whole && !o->cgroup)
		note(f, "cgroup_v2", DEGRADED,
		     "'%.80s' is only a part of the node's cgroup tree: mount the node's "
		     "/sys/fs/cgroup and give it with --cgroup",
		     f->cgroup_v2);
	else if (own)
		features_note(f, "cgroup_v2", OK, "no v2 mount here: mounted for itself, until it ends");
	else if (v1)
		note(f, "cgroup_v2", OK, "beside cgroup v1 (hybrid), at '%.120s'", f->cgroup_v2);
	else
		note(f, "cgroup_v2", OK, "%s", "");
	return 0;
}

static uint64_t effective_capabilities(void)
{
	char status[8192], *at;

	if (read_text("/proc/self/status", status, sizeof(status)))
		return 0;
	at = strstr(status, "\nCapEff:");
	return at ? strtoull(at + strlen("\nCapEff:"), NULL, 16) : 0;
}

static bool kernel_below(const struct features *f, int major, int minor)
{
	int a = 0, b = 0;

	sscanf(f->kernel, "%d.%d", &a, &b);
	return a < major || (a == major && b < minor);
}

/* Returns 0 or -EPERM; *ret_tracing: tracing programs may be loaded. */
static int probe_capabilities(struct features *f, bool *ret_tracing)
{
	uint64_t caps = effective_capabilities();
	bool admin = caps & HAS_SYS_ADMIN, bpf = admin || caps & HAS_BPF, net = caps & HAS_NET_ADMIN;
	struct stat st;

	*ret_tracing = false;
	if (!stat("/proc/self/ns/user", &st) && st.st_ino != USER_NS_INIT_INO) {
		note(f, "capabilities", MISSING,
		     "root inside a user namespace is not enough: run on the node itself, or in a pod "
		     "without hostUsers: false");
		return -EPERM;
	}
	if (!bpf || !net) {
		note(f, "capabilities", MISSING, "needs %s%s%s: run with sudo, or grant them to the container",
		     bpf		     ? ""
		     : kernel_below(f, 5, 8) ? "CAP_SYS_ADMIN"
					     : "CAP_BPF (or CAP_SYS_ADMIN)",
		     bpf || net ? "" : " and ", net ? "" : "CAP_NET_ADMIN");
		return -EPERM;
	}
	*ret_tracing = admin || caps & HAS_PERFMON;
	f->lite = !*ret_tracing;
	/*
	 * Then the verifier also follows what a CPU might only guess, and before 6.3 its regsafe() took no two states with a
	 * number in them for equal, once a pointer had been moved by one: it gives up after a million instructions. Seen on
	 * 5.10 and 6.1; loads on 6.12, 6.18 and 7.3.
	 */
	if (f->lite && kernel_below(f, 6, 3)) {
		note(f, "capabilities", MISSING, "%s",
		     "needs CAP_PERFMON (or CAP_SYS_ADMIN): without it the verifier of this kernel (before 6.3) gives "
		     "up on our programs; grant it to the container");
		return -EPERM;
	}
	if (f->lite)
		note(f, "capabilities", DEGRADED, "%s",
		     "without CAP_PERFMON (or CAP_SYS_ADMIN) the kernel takes simpler programs only: no drops, no "
		     "parent processes, the first KiB of a request; grant it to the container");
	else if (kernel_below(f, 5, 11) && !(caps & HAS_SYS_RESOURCE))
		note(f, "capabilities", DEGRADED,
		     "before 5.11 maps count against RLIMIT_MEMLOCK: grant CAP_SYS_RESOURCE, or raise ulimit -l");
	else
		note(f, "capabilities", OK, "%s", "");
	return 0;
}

/*
 * Can a program of this type be loaded and linked to a cgroup? Linking to descriptor -1 ends in EBADF where the
 * attach type is known, in EINVAL where not. Returns 0, -EPERM, or another negative errno: not offered.
 */
static int probe_cgroup_hook(enum bpf_prog_type type, enum bpf_attach_type attach)
{
	const struct bpf_insn insns[] = {
		/* r0 = 1, let the packet pass; exit */
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 1 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = attach);
	int prog, link, err;

	prog = bpf_prog_load(type, "imds_probe", "GPL", insns, 2, &opts);
	if (prog < 0)
		return prog;
	link = bpf_link_create(prog, -1, attach, NULL);
	err = link == -EBADF ? 0 : link < 0 ? link : -EINVAL;
	if (link >= 0)
		close(link);
	close(prog);
	return err;
}

static void probe_hooks(const struct features_options *o, struct features *f)
{
	int skb = probe_cgroup_hook(BPF_PROG_TYPE_CGROUP_SKB, BPF_CGROUP_INET_EGRESS);
	int connect = probe_cgroup_hook(BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_CGROUP_INET4_CONNECT);
	int connect6 = probe_cgroup_hook(BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_CGROUP_INET6_CONNECT);
	int release = probe_cgroup_hook(BPF_PROG_TYPE_CGROUP_SOCK, BPF_CGROUP_INET_SOCK_RELEASE);

	f->has_ringbuf = libbpf_probe_bpf_map_type(BPF_MAP_TYPE_RINGBUF, NULL) == 1;
	f->has_cgroup_skb = !skb && f->has_ringbuf;
	f->has_connect = !connect && !connect6;
	f->has_release = !release;
	f->has_netns_cookie =
	    libbpf_probe_bpf_helper(BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_FUNC_get_netns_cookie, NULL) == 1;

	if (!skb)
		features_note(f, "cgroup_skb", OK, "");
	else if (skb == -EPERM || skb == -EACCES)
		features_note(f, "cgroup_skb", MISSING,
			      "bpf() is not permitted: see capabilities and lockdown; in a container a "
			      "seccomp or SELinux profile may forbid it too");
	else if (skb == -ENOSYS)
		features_note(f, "cgroup_skb", MISSING, "this kernel has no bpf() (CONFIG_BPF_SYSCALL)");
	else
		note(f, "cgroup_skb", MISSING, "needs Linux 5.8 or newer with CONFIG_CGROUP_BPF: %s", strerror(-skb));
	note_if(f, "ring_buffer", f->has_ringbuf, MISSING, "needs Linux 5.8 or newer, and the right to create maps");
	if (o->no_process)
		features_note(f, "process", OFF, "switched off by --no-process");
	else if (!f->has_connect)
		features_note(f, "process", MISSING,
			      "cgroup/connect4 and connect6 cannot be used: process names and unanswered "
			      "connects of theirs stay unknown");
	else
		note_if(f, "process", f->has_btf, DEGRADED, "without kernel BTF the parents of a process stay unknown");
	note_if(f, "release", f->has_release, MISSING, "needs Linux 5.9: when a client gave up shows by its FIN only");
	note_if(f, "netns_cookie", f->has_netns_cookie, MISSING,
		"needs Linux 5.7: pods with host networking are not told apart");
}

int features_tracepoint_args(const struct btf *btf, const char *name)
{
	const struct btf_type *t;
	char typedef_name[64];
	int id;

	if (!btf)
		return 0;
	/* typedef void (*btf_trace_<name>)(void *__data, <args>): include/trace/bpf_probe.h */
	snprintf(typedef_name, sizeof(typedef_name), "btf_trace_%s", name);
	id = btf__find_by_name_kind(btf, typedef_name, BTF_KIND_TYPEDEF);
	if (id <= 0)
		return 0;
	t = btf__type_by_id(btf, btf__type_by_id(btf, id)->type);
	if (!t || !btf_is_ptr(t))
		return 0;
	t = btf__type_by_id(btf, t->type);
	return t && btf_is_func_proto(t) && btf_vlen(t) ? btf_vlen(t) - 1 : 0;
}

static void probe_btf(struct features *f)
{
	static const char *const tracepoints[] = { "kfree_skb", "cgroup_mkdir", "cgroup_rmdir", NULL };
	static const char *const enums[] = { "skb_drop_reason", NULL };
	int err;

	if (access(BTF_PATH, R_OK)) {
		note(f, "btf", MISSING, "%s: %s (kernel built without CONFIG_DEBUG_INFO_BTF, or /sys not mounted)",
		     BTF_PATH, strerror(errno));
		return;
	}
	err = kernel_btf_load(BTF_PATH, tracepoints, enums, &f->btf);
	if (err) {
		note(f, "btf", MISSING, "%s cannot be parsed: %s", BTF_PATH, strerror(-err));
		return;
	}
	f->has_btf = true;
	features_note(f, "btf", OK, "");
}

/* True in the mode that forbids programs to read kernel memory (5.4, LOCKDOWN_BPF_READ_KERNEL). */
static bool probe_lockdown(struct features *f)
{
	char mode[64];
	bool locked = !read_text(LOCKDOWN_PATH, mode, sizeof(mode)) && strstr(mode, "[confidentiality]");

	note_if(f, "lockdown", !locked, DEGRADED,
		"kernel lockdown is 'confidentiality': programs may not read kernel memory, so no drops and no parent "
		"processes (boot with lockdown=integrity)");
	return locked;
}

/* Addresses read as zero without CAP_SYSLOG or with kernel.kptr_restrict=2. Some are 0 by right: look further. */
static bool kallsyms_visible(void)
{
	FILE *f = fopen("/proc/kallsyms", "re");
	unsigned long long address = 0;
	char line[512];

	for (int i = 0; f && i < 4096 && !address && fgets(line, sizeof(line), f); i++)
		address = strtoull(line, NULL, 16);
	if (f)
		fclose(f);
	return address != 0;
}

static void probe_tracepoints(const struct features_options *o, struct features *f, bool tracing, bool locked)
{
	static const char *const of_drops[] = { "drops", "drop_reasons", "drop_locations" };
	const char *no_right = locked ? "kernel lockdown forbids it" : "needs CAP_PERFMON (or CAP_SYS_ADMIN)", *no_drops;
	bool names;

	f->has_tp_btf = f->has_btf && tracing && !locked;
	f->kfree_skb_args = f->has_btf ? features_tracepoint_args(f->btf, "kfree_skb") : 0;
	f->has_drop_reasons =
	    f->kfree_skb_args >= 3 && btf__find_by_name_kind(f->btf, "skb_drop_reason", BTF_KIND_ENUM) > 0;
	f->has_drop_locations = kallsyms_visible();
	names = features_tracepoint_args(f->btf, "cgroup_mkdir") && features_tracepoint_args(f->btf, "cgroup_rmdir");
	f->has_cgroup_names = names && f->has_tp_btf;

	no_drops = !f->has_btf		? "needs kernel BTF"
		   : !f->kfree_skb_args ? "this kernel has no BTF tracepoint kfree_skb"
		   : !f->has_tp_btf	? no_right
					: NULL;
	if (no_drops)
		note(f, "drops", MISSING,
		     "%s: dropped packets stay unseen, and hop-limit verdicts are 'likely' at most", no_drops);
	else
		features_note(f, "drops", OK, "");
	note_if(f, "drop_reasons", f->has_drop_reasons, MISSING,
		"the kernel names no drop reasons (5.17 and later do): place and TTL of a drop decide");
	note_if(f, "drop_locations", f->has_drop_locations, MISSING,
		"/proc/kallsyms shows no addresses: run as root or with CAP_SYSLOG, and kernel.kptr_restrict below 2");
	for (size_t i = 0; i < LEN(of_drops) && o->no_drops; i++)
		features_note(f, of_drops[i], OFF, "switched off by --no-drops");

	if (f->has_cgroup_names)
		features_note(f, "names", OK, "");
	else
		note(f, "names", DEGRADED,
		     "no cgroup tracepoints (%s): a pod that lives less than a second may stay unnamed",
		     !f->has_btf ? "needs kernel BTF"
		     : !names	 ? "not in this kernel"
				 : no_right);
}

static void probe_folder(struct features *f, const char *name, const char *option, const char *what, const char *path)
{
	struct stat st;

	if (stat(path, &st))
		note(f, name, MISSING, "'%.80s': %s; %s (no kubelet here? else mount it or give %s)", path,
		     strerror(errno), what, option);
	else if (!S_ISDIR(st.st_mode))
		note(f, name, MISSING, "'%.80s' is no folder; %s (give %s)", path, what, option);
	else if (access(path, R_OK | X_OK))
		note(f, name, MISSING, "'%.80s': %s; %s", path, strerror(errno), what);
	else
		features_note(f, name, OK, "");
}

/* Another program at connect(2), such as Cilium's, may send a connection to the endpoint elsewhere before we see it. */
static void probe_other_programs(const struct features_options *o, struct features *f)
{
	char names[120];
	int n = hooks_other_connects(o->cgroup ? o->cgroup : f->cgroup_v2, names, sizeof(names));

	if (n > 0)
		note(f, "other_programs", DEGRADED,
		     "%d other program%s at connect (%s) may rewrite connections to the metadata service: these are "
		     "seen as redirected or not at all",
		     n, ENDING(n), names);
	else if (n < 0)
		note(f, "other_programs", OFF, "cannot ask for other programs at connect: %s", strerror(-n));
	else
		features_note(f, "other_programs", OK, "");
}

int features_probe(const struct features_options *o, struct features *ret)
{
	int err_caps, err_cgroup;
	struct utsname uts;
	bool tracing, locked;
	char jit[8];

	memset(ret, 0, sizeof(*ret));
	if (!uname(&uts))
		snprintf(ret->kernel, sizeof(ret->kernel), "%s", uts.release);
	if (read_text(BOOT_ID_PATH, ret->boot_id, sizeof(ret->boot_id)))
		ret->boot_id[0] = '\0';

	err_caps = probe_capabilities(ret, &tracing);
	err_cgroup = probe_cgroup_v2(o, ret);
	probe_btf(ret);
	probe_hooks(o, ret);
	locked = probe_lockdown(ret);
	probe_tracepoints(o, ret, tracing, locked);
	if (!err_caps && !err_cgroup)
		probe_other_programs(o, ret);
	probe_folder(ret, "pod_logs", "--pod-logs", "pods are shown by their UID", o->pod_logs);
	probe_folder(ret, "container_logs", "--container-logs", "containers are shown by their id", o->container_logs);
	note_if(ret, "jit", read_text(JIT_PATH, jit, sizeof(jit)) || *jit != '0', DEGRADED,
		"programs are interpreted, about ten times slower: sysctl net.core.bpf_jit_enable=1");

	if (err_caps)
		return err_caps;
	if (err_cgroup)
		return err_cgroup;
	return ret->has_cgroup_skb ? 0 : -EOPNOTSUPP;
}

void features_free_btf(struct features *f)
{
	btf__free(f->btf);
	f->btf = NULL;
}
