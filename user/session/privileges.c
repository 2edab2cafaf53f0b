/* SPDX-License-Identifier: GPL-2.0-only */
#include "privileges.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <pwd.h>
#include <seccomp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "../base/small.h"
#include "../base/text_add.h"

#ifndef CAP_BPF
#define CAP_BPF 39 /* Linux 5.8 */
#endif
#define NOBODY 65534 /* nobody and nogroup, where no /etc/passwd says otherwise (a container FROM scratch) */

typedef uint64_t cap_set;
#define CAP(cap) (1ull << (cap))

/* --- capabilities ------------------------------------------------------------------------------------------------- */

/* By the system calls: their wrappers in libcap are one more library for two calls. */
static int caps_get(cap_set *ret_permitted)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &head, data))
		return -errno;
	*ret_permitted = (cap_set)data[1].permitted << 32 | data[0].permitted;
	return 0;
}

static int caps_set(cap_set effective, cap_set permitted)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = {
		{ .effective = (uint32_t)effective, .permitted = (uint32_t)permitted },
		{ .effective = (uint32_t)(effective >> 32), .permitted = (uint32_t)(permitted >> 32) },
	};

	return syscall(SYS_capset, &head, data) ? -errno : 0;
}

/* --- what is still needed, asked with the capability switched off ------------------------------------------------- */

/*
 * Reading maps by their own descriptors needs CAP_BPF (before 5.8 CAP_SYS_ADMIN) where kernel.unprivileged_bpf_disabled
 * closes bpf(2) as a whole, which it did until 5.19. A descriptor that cannot be tells: EBADF or EPERM.
 */
static bool may_read_maps(void)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.map_fd = (uint32_t)-1;
	return !syscall(SYS_bpf, BPF_MAP_LOOKUP_ELEM, &attr, sizeof(attr)) || errno != EPERM;
}

/* The place of a drop is resolved when it is first seen; kptr_restrict shows addresses to CAP_SYSLOG only. */
static bool may_read_symbols(void)
{
	char line[64] = "";
	FILE *f = fopen("/proc/kallsyms", "re");
	bool shown = false;

	if (!f)
		return true; /* no capability would help */
	while (!shown && fgets(line, sizeof(line), f)) {
		shown = strtoull(line, NULL, 16) != 0;
		if (ftell(f) > 4096) /* the first few symbols of some kernels are per-CPU offsets: zero */
			break;
	}
	fclose(f);
	return shown;
}

static bool may_read_folder(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *e;
	bool ok = true;
	int fd;

	if (!dir)
		return errno == ENOENT;
	for (int looked = 0; ok && looked < 16 && (e = readdir(dir)); looked++) {
		if (e->d_name[0] == '.' || e->d_type == DT_LNK)
			continue;
		fd = openat(dirfd(dir), e->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		ok = fd >= 0 || (errno != EACCES && errno != EPERM);
		if (fd >= 0)
			close(fd);
	}
	closedir(dir);
	return ok;
}

static bool may_read_folders(const char *const *folders)
{
	for (; folders && *folders; folders++)
		if (**folders && !may_read_folder(*folders))
			return false;
	return true;
}

/* --- user --------------------------------------------------------------------------------------------------------- */

static int parse_id(const char *text, const char **ret_end, uint32_t *ret_id)
{
	unsigned long long n = 0;
	const char *p = text;

	for (; *p >= '0' && *p <= '9' && n < UINT32_MAX; p++)
		n = n * 10 + (unsigned long long)(*p - '0');
	if (p == text || n >= UINT32_MAX)
		return -EINVAL;
	*ret_end = p;
	*ret_id = n;
	return 0;
}

/* getpwnam(3) of a static glibc loads libraries of the very version it was linked with: /etc/passwd is read by hand. */
static int find_user(const char *name, uid_t *ret_uid, gid_t *ret_gid)
{
	const char *end;
	struct passwd *p = NULL;
	FILE *f;

	if (!parse_id(name, &end, ret_uid)) {
		*ret_gid = *ret_uid;
		if (*end == ':' && parse_id(end + 1, &end, ret_gid))
			return -EINVAL;
		return *end ? -EINVAL : 0;
	}
	f = fopen("/etc/passwd", "re");
	while (f && (p = fgetpwent(f)) && strcmp(p->pw_name, name))
		;
	*ret_uid = p ? p->pw_uid : NOBODY;
	*ret_gid = p ? p->pw_gid : NOBODY;
	if (f)
		fclose(f);
	return p || !strcmp(name, "nobody") ? 0 : -ENOENT;
}

static int set_user(uid_t uid, gid_t gid)
{
	if (setgroups(0, NULL) || setresgid(gid, gid, gid) || setresuid(uid, uid, uid))
		return -errno;
	return 0;
}

/* --- seccomp ------------------------------------------------------------------------------------------------------ */

/*
 * What the loop, libevent, libbpf and glibc use once all is open; found by running it, on x86-64 and arm64, and rounded up
 * to what glibc may choose instead. Names that an architecture does not have are left out. No new sockets but accepted
 * ones, no programs, nothing opened for writing. What is refused fails with EPERM, since an agent must not die of it, and
 * is told in the kernel's log or to auditd (audit type 1326). alarm: guard_signals().
 */
/* clang-format off */
static const char *const allowed[] = {
	"read", "readv", "pread64", "write", "writev", "sendto", "sendmsg", "recvfrom", "recvmsg", "close", "lseek",
	"fcntl", "ioctl", "accept", "accept4", "shutdown", "getsockopt", "setsockopt", "getsockname", "getpeername",
	"stat", "lstat", "fstat", "newfstatat", "statx", "access", "faccessat", "faccessat2", "readlink",
	"readlinkat", "getdents", "getdents64", "epoll_wait", "epoll_pwait", "epoll_pwait2", "epoll_ctl", "poll",
	"ppoll", "select", "pselect6", "timerfd_settime", "brk", "mmap", "munmap", "mremap", "madvise", "mprotect",
	"clock_gettime", "clock_getres", "clock_nanosleep", "nanosleep", "gettimeofday", "time", "times",
	"getrusage", "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "alarm", "setitimer", "sigaltstack",
	"restart_syscall", "futex", "getrandom", "getpid", "gettid", "getuid", "geteuid", "getgid", "getegid",
	"tgkill", "tkill", "exit", "exit_group", "sysinfo", "uname", "prlimit64", "getrlimit", "sched_getaffinity",
	"sched_yield", "membarrier", "getcpu",
};
/* clang-format on */
/* What SQLite does with files that are open; it opens none any more. */
static const char *const allowed_writing[] = { "pwrite64", "pwritev", "ftruncate", "fsync", "fdatasync" };
static const int allowed_bpf[] = {
	BPF_MAP_LOOKUP_ELEM,  BPF_MAP_UPDATE_ELEM,    BPF_MAP_DELETE_ELEM,
	BPF_MAP_GET_NEXT_KEY, BPF_OBJ_GET_INFO_BY_FD, BPF_MAP_LOOKUP_BATCH,
};
static const struct {
	const char *name;
	unsigned int flags_at; /* number of the argument with O_* */
} opens[] = { { "open", 1 }, { "openat", 2 } };

static int allow(scmp_filter_ctx filter, const char *const *names, size_t len)
{
	int err = 0;

	for (size_t i = 0; !err && i < len; i++) {
		int nr = seccomp_syscall_resolve_name(names[i]);

		err = nr < 0 ? 0 : seccomp_rule_add(filter, SCMP_ACT_ALLOW, nr, 0);
	}
	return err;
}

static int add_rules(scmp_filter_ctx filter, bool writes)
{
	int err = allow(filter, allowed, LEN(allowed)), nr;

	if (!err && writes)
		err = allow(filter, allowed_writing, LEN(allowed_writing));
	for (size_t i = 0; !err && i < LEN(allowed_bpf); i++)
		err = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(bpf), 1,
				       SCMP_A0(SCMP_CMP_EQ, (unsigned int)allowed_bpf[i], 0));
	for (size_t i = 0; !err && i < LEN(opens); i++) {
		nr = seccomp_syscall_resolve_name(opens[i].name);
		if (nr >= 0)
			err = seccomp_rule_add(
			    filter, SCMP_ACT_ALLOW, nr, 1,
			    SCMP_CMP(opens[i].flags_at, SCMP_CMP_MASKED_EQ, O_ACCMODE | O_CREAT | O_TRUNC, O_RDONLY));
	}
	return err;
}

/* Needs no_new_privs. */
static int set_filter(bool writes)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int err;

	if (!filter)
		return -ENOMEM;
	seccomp_attr_set(filter, SCMP_FLTATR_CTL_LOG, 1); /* Linux 4.14; without it nothing is told */
	err = add_rules(filter, writes);
	if (!err)
		err = seccomp_load(filter);
	seccomp_release(filter);
	return err;
}

/* --- all of it ---------------------------------------------------------------------------------------------------- */

static const struct {
	int cap;
	const char *name;
} kept[] = {
	{ CAP_BPF, "bpf" },			    /* may_read_maps() */
	{ CAP_SYS_ADMIN, "sys_admin" },		    /* likewise, before 5.8 */
	{ CAP_SYSLOG, "syslog" },		    /* may_read_symbols() */
	{ CAP_DAC_READ_SEARCH, "dac_read_search" }, /* may_read_folders(): /var/log/pods is 0750 on some nodes */
};

/* Which of the capabilities held are still needed; asked as the user that we are, with none effective. */
static cap_set still_needed(const struct privileges_options *o, cap_set held)
{
	cap_set keep = 0;

	if (!may_read_maps())
		keep |= held & CAP(CAP_BPF) ? CAP(CAP_BPF) : CAP(CAP_SYS_ADMIN);
	if (!may_read_symbols())
		keep |= CAP(CAP_SYSLOG);
	if (!may_read_folders(o->folders))
		keep |= CAP(CAP_DAC_READ_SEARCH);
	return keep & held;
}

static void describe(cap_set caps, bool filtered, const char *user_note, char *msg, size_t len)
{
	bool any = false;

	snprintf(msg, len, "user %u%s, capabilities", geteuid(), user_note);
	for (size_t i = 0; i < LEN(kept); i++)
		if (caps & CAP(kept[i].cap)) {
			text_add(msg, len, "%s %s", any ? "," : "", kept[i].name);
			any = true;
		}
	text_add(msg, len, "%s, seccomp %s", any ? "" : " none", filtered ? "on" : "off");
}

/*
 * Root that has lost the right to read past permissions (a container with few capabilities) reads the log folders as
 * their owner: then names are worth more than another user id, and root stays, without capabilities.
 */
static bool user_would_lose_folders(const struct privileges_options *o, uid_t uid, gid_t gid, cap_set held)
{
	bool lost = false;

	if ((held & CAP(CAP_DAC_READ_SEARCH)) || setegid(gid))
		return false;
	if (!seteuid(uid)) {
		lost = !may_read_folders(o->folders);
		if (seteuid(0))
			return true;
	}
	return setegid(0) || lost;
}

int privileges_drop(const struct privileges_options *o, char *msg, size_t len)
{
	bool change = *o->user && strcmp(o->user, "root") && geteuid() == 0, filtered;
	const char *note = "";
	cap_set held = 0, keep;
	uid_t uid = 0;
	gid_t gid = 0;
	int err;

	err = change ? find_user(o->user, &uid, &gid) : 0;
	if (err) {
		snprintf(msg, len, "no user '%s' in /etc/passwd: give a UID", o->user);
		return err;
	}
	err = caps_get(&held);
	if (err)
		goto fail;
	if (change && user_would_lose_folders(o, uid, gid, held)) {
		change = false;
		note = " (kept: the log folders are its own)";
	}
	/* fails without CAP_SETPCAP; with no_new_privs nothing can be gained again anyway */
	for (int cap = 0; cap < 64; cap++)
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0))
			break;
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	if (change) {
		if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0)) {
			err = -errno;
			goto fail;
		}
		err = set_user(uid, gid);
		if (err == -EPERM && !(held & CAP(CAP_SETUID) && held & CAP(CAP_SETGID))) {
			note = " (kept: no right to change it)";
			err = 0;
		}
		if (err)
			goto fail;
	}
	err = caps_set(0, held);
	if (err)
		goto fail;
	keep = still_needed(o, held);
	err = caps_set(keep, keep);
	if (err)
		goto fail;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)) {
		err = -errno;
		goto fail;
	}
	filtered = !set_filter(o->writes);
	describe(keep, filtered, note, msg, len);
	return 0;
fail:
	snprintf(msg, len, "cannot drop privileges: %s", strerror(-err));
	return err;
}

int privileges_notify_open(void)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	size_t len = path ? strlen(path) : 0;
	int fd;

	if (!len || (path[0] != '/' && path[0] != '@') || len >= sizeof(to.sun_path))
		return -1;
	memcpy(to.sun_path, path, len);
	if (path[0] == '@')
		to.sun_path[0] = '\0'; /* abstract name */
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	if (connect(fd, (struct sockaddr *)&to, offsetof(struct sockaddr_un, sun_path) + len)) {
		close(fd);
		return -1;
	}
	return fd;
}

void privileges_notify(int fd, const char *state)
{
	/* nobody to tell if it fails: the manager then says that we did not report */
	if (fd >= 0 && write(fd, state, strlen(state)) < 0)
		errno = 0;
}
