// SPDX-License-Identifier: GPL-2.0-only
/*
 * Containers that live for one request each: makes pods below a kubepods.slice, starts a child inside each (clone3, so that
 * no process is moved and nothing waits for RCU: Linux 5.7), lets it ask and, once --alive younger ones are there, removes
 * the folders again. With --logs there are log folders and links, too, as the kubelet and the runtime make them: the folder
 * before the container, the link after it, both gone with the pod. Prints what load_client prints, as far as it applies.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hash.h"

#define ALIVE_MAX 1024
#define PATH_LEN (PATH_MAX / 4)

static const char request[] = "GET /latest/meta-data/instance-id HTTP/1.1\r\nHost: imds\r\nConnection: close\r\n\r\n";

struct result { /* shared with the children */
	atomic_uint ok, bodies;
};

struct pod {
	pid_t pid;
	char cgroup[PATH_LEN], container[PATH_LEN];
	char logs[PATH_LEN], container_logs[PATH_LEN], link[PATH_LEN]; /* empty: none */
};

static const char *base, *logs;
static struct sockaddr_in to = { .sin_family = AF_INET };
static struct result *result;

static int ask(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct timeval timeout = { .tv_sec = 5 };
	char buf[4096 + 1], *body;
	size_t len = 0;
	ssize_t n;

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
	if (connect(fd, (const struct sockaddr *)&to, sizeof(to)) || write(fd, request, sizeof(request) - 1) < 0)
		return 1;
	while ((n = read(fd, buf + len, sizeof(buf) - 1 - len)) > 0)
		len += n;
	buf[len] = '\0';
	body = strstr(buf, "\r\n\r\n");
	if (n < 0 || !body)
		return 1;
	atomic_fetch_add(&result->ok, 1);
	atomic_fetch_add(&result->bodies, hash_bytes(HASH_START, body + 4, buf + len - body - 4));
	return 0;
}

static int make_logs(struct pod *pod, int i, const char *id)
{
	if (!logs)
		return 0;
	snprintf(pod->logs, PATH_LEN, "%s/pods/shop_churn-%d_%08x-0000-4000-8000-000000000000", logs, i, i);
	snprintf(pod->link, PATH_LEN, "%s/containers/churn-%d_shop_app-%s.log", logs, i, id);
	if ((size_t)snprintf(pod->container_logs, PATH_LEN, "%s/app", pod->logs) >= PATH_LEN)
		return -ENAMETOOLONG;
	return mkdir(pod->logs, 0755) || mkdir(pod->container_logs, 0755) ? -errno : 0;
}

static int start(struct pod *pod, int i)
{
	struct clone_args args = { .flags = CLONE_INTO_CGROUP, .exit_signal = SIGCHLD };
	char id[65], target[2 * PATH_LEN];
	int fd, err;

	memset(pod, 0, sizeof(*pod));
	snprintf(id, sizeof(id), "%064x", i);
	snprintf(pod->cgroup, PATH_LEN, "%s/kubepods.slice/kubepods-pod%08x_0000_4000_8000_000000000000.slice", base, i);
	if ((size_t)snprintf(pod->container, PATH_LEN, "%s/cri-containerd-%s.scope", pod->cgroup, id) >= PATH_LEN)
		return -ENAMETOOLONG;
	if (mkdir(pod->cgroup, 0755))
		return -errno;
	err = make_logs(pod, i, id);
	if (err)
		return err;
	if (mkdir(pod->container, 0755))
		return -errno;
	snprintf(target, sizeof(target), "%s/0.log", pod->container_logs);
	if (logs && symlink(target, pod->link))
		return -errno;
	fd = open(pod->container, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	args.cgroup = fd;
	pod->pid = syscall(SYS_clone3, &args, sizeof(args));
	if (!pod->pid)
		_exit(ask());
	close(fd);
	return pod->pid < 0 ? -errno : 0;
}

static int end(const struct pod *pod)
{
	if (waitpid(pod->pid, NULL, 0) != pod->pid || rmdir(pod->container) || rmdir(pod->cgroup))
		return -errno;
	if (logs && (unlink(pod->link) || rmdir(pod->container_logs) || rmdir(pod->logs)))
		return -errno;
	return 0;
}

static const struct option options[] = { { "cgroup", required_argument, NULL, 'c' },
					 { "logs", required_argument, NULL, 'l' },
					 { "alive", required_argument, NULL, 'a' },
					 { "first", required_argument, NULL, 'f' },
					 { "pods", required_argument, NULL, 'n' },
					 { "target", required_argument, NULL, 't' },
					 { 0 } };

int main(int argc, char **argv)
{
	static struct pod pods[ALIVE_MAX];
	int c, port = 0, first = 1, n = 0, alive = 1, err = 0;
	char host[32];
	unsigned int ok;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 'c':
			base = optarg;
			break;
		case 'l':
			logs = optarg;
			break;
		case 'a':
			alive = atoi(optarg);
			break;
		case 'f':
			first = atoi(optarg);
			break;
		case 'n':
			n = atoi(optarg);
			break;
		case 't':
			if (sscanf(optarg, "%31[^:]:%d", host, &port) != 2 || inet_pton(AF_INET, host, &to.sin_addr) != 1)
				port = 0;
			break;
		default:
			return 2;
		}
	}
	if (!base || !port || n < 1 || alive < 1 || alive > ALIVE_MAX) {
		fprintf(
		    stderr,
		    "usage: churn --cgroup DIR --pods N --target ADDR:PORT [--first I] [--alive N<=%d] [--logs DIR]\n",
		    ALIVE_MAX);
		return 2;
	}
	to.sin_port = htons(port);
	result = mmap(NULL, sizeof(*result), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (result == MAP_FAILED)
		return 1;
	for (int i = 0; i < n + alive && !err; i++) {
		if (i >= alive)
			err = end(&pods[i % alive]);
		if (!err && i < n)
			err = start(&pods[i % alive], first + i);
		if (err)
			fprintf(stderr, "churn: pod %d: %s\n", first + i, strerror(-err));
	}
	ok = atomic_load(&result->ok);
	printf("{\"sent\":%d,\"ok\":%u,\"failed\":%u,\"requests_hash\":%u,\"bodies_hash\":%u}\n", n, ok, n - ok,
	       (uint32_t)n * hash_bytes(HASH_START, request, sizeof(request) - 1), atomic_load(&result->bodies));
	return err ? 1 : 0;
}
