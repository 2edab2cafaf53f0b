// SPDX-License-Identifier: GPL-2.0-only
/*
 * Containers that live for one request each: churn CGROUP N ADDR:PORT makes pods 1..N below a kubepods.slice, starts a
 * child inside each (clone3, so that no process is moved and nothing waits for RCU: Linux 5.7), lets it ask and removes
 * the folders again. Prints how many got an answer.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static int ask(const struct sockaddr_in *to)
{
	static const char request[] = "GET /latest/meta-data/instance-id HTTP/1.1\r\nHost: imds\r\nConnection: close\r\n\r\n";
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), ok;
	struct timeval timeout = { .tv_sec = 5 };
	char buf[4096];

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
	if (connect(fd, (const struct sockaddr *)to, sizeof(*to)) || write(fd, request, sizeof(request) - 1) < 0)
		return 1;
	ok = read(fd, buf, sizeof(buf)) > 0;
	while (read(fd, buf, sizeof(buf)) > 0)
		;
	return !ok;
}

static int one(const char *base, int i, const struct sockaddr_in *to)
{
	struct clone_args args = { .flags = CLONE_INTO_CGROUP, .exit_signal = SIGCHLD };
	char pod[PATH_MAX / 2], container[PATH_MAX];
	int fd, status = 1;
	pid_t pid;

	snprintf(pod, sizeof(pod), "%s/kubepods.slice/kubepods-pod%08x_0000_4000_8000_000000000000.slice", base, i);
	snprintf(container, sizeof(container), "%s/cri-containerd-%064x.scope", pod, i);
	if (mkdir(pod, 0755) || mkdir(container, 0755))
		return -errno;
	fd = open(container, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	args.cgroup = fd;
	pid = syscall(SYS_clone3, &args, sizeof(args));
	if (!pid)
		_exit(ask(to));
	close(fd);
	if (pid < 0 || waitpid(pid, &status, 0) != pid || rmdir(container) || rmdir(pod))
		return -errno;
	return !status;
}

int main(int argc, char **argv)
{
	struct sockaddr_in to = { .sin_family = AF_INET };
	char host[32];
	int port, n, answered = 0;

	if (argc != 4 || sscanf(argv[3], "%31[^:]:%d", host, &port) != 2 || inet_pton(AF_INET, host, &to.sin_addr) != 1) {
		fprintf(stderr, "usage: churn CGROUP N ADDR:PORT\n");
		return 2;
	}
	to.sin_port = htons(port);
	for (int i = 1; i <= atoi(argv[2]); i++) {
		n = one(argv[1], i, &to);
		if (n < 0) {
			fprintf(stderr, "churn: pod %d: %s\n", i, strerror(-n));
			return 1;
		}
		answered += n;
	}
	printf("%d\n", answered);
	return 0;
}
