/* SPDX-License-Identifier: GPL-2.0-only */
#include "probe.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/errqueue.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../base/address.h"
#include "../base/clock.h"

#define DEPTH_MAX 8	 /* cgroups that a container makes below its own */
#define PROCESSES_MAX 64 /* tried in one cgroup: some may be dying */
#define ANSWER_MAX 65536 /* a token answer has some 300 bytes */
#define LINE_MAX_LEN 8192

#ifndef IPV6_MINHOPCOUNT
#define IPV6_MINHOPCOUNT 73 /* Linux 2.6.35 */
#endif
#ifndef SO_COOKIE
#define SO_COOKIE 57 /* Linux 4.12 */
#endif

/* --- a process of a cgroup --------------------------------------------------------------------------------------- */

static FILE *open_procs(int dir)
{
	int fd = openat(dir, "cgroup.procs", O_RDONLY | O_CLOEXEC);
	FILE *f = fd < 0 ? NULL : fdopen(fd, "r");

	if (!f && fd >= 0)
		close(fd);
	return f;
}

/* Still there: its pid has not become another process's since it was read. */
static bool is_member(int dir, long pid)
{
	FILE *f = open_procs(dir);
	bool found = false;
	long n;

	if (!f)
		return false;
	while (!found && fscanf(f, "%ld", &n) == 1)
		found = n == pid;
	fclose(f);
	return found;
}

static int open_from_procs(int dir)
{
	FILE *f = open_procs(dir);
	int ret = -ESRCH;
	char path[64];
	long pid;

	if (!f)
		return errno == ENOENT || errno == ENODEV ? -ESRCH : -errno;
	for (int i = 0; i < PROCESSES_MAX && ret < 0 && fscanf(f, "%ld", &pid) == 1; i++) {
		if (pid <= 0) { /* cgroup_procs_show() writes 0 for processes of other pid namespaces */
			ret = -ENXIO;
			continue;
		}
		snprintf(path, sizeof(path), "/proc/%ld/ns/net", pid);
		ret = open(path, O_RDONLY | O_CLOEXEC);
		if (ret < 0) {
			ret = errno == ENOENT ? -ESRCH : -errno;
		} else if (!is_member(dir, pid)) {
			close(ret);
			ret = -ESRCH;
		}
	}
	fclose(f);
	return ret;
}

/* dir is closed. */
static int open_below(int dir, int depth)
{
	int ret = open_from_procs(dir), err;
	struct dirent *e;
	DIR *d;

	if (ret >= 0 || depth == DEPTH_MAX) {
		close(dir);
		return ret;
	}
	d = fdopendir(dir);
	if (!d) {
		err = -errno;
		close(dir);
		return err;
	}
	while (ret < 0 && (e = readdir(d))) {
		int sub;

		if (e->d_type != DT_DIR || e->d_name[0] == '.')
			continue;
		sub = openat(dirfd(d), e->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (sub < 0)
			continue;
		err = open_below(sub, depth + 1);
		if (err >= 0 || ret == -ESRCH) /* of several errors, one that says more than "nobody there" */
			ret = err;
	}
	closedir(d);
	return ret;
}

int probe_open_netns(int cgroup_fd, const char *path)
{
	int dir = openat(cgroup_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (dir < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	return open_below(dir, 0);
}

/* --- the answer -------------------------------------------------------------------------------------------------- */

static void feed_status(struct probe_answer *a, char c)
{
	static const char start[] = "HTTP/1.";

	if (a->at < sizeof(start) - 1)
		a->bad |= c != start[a->at];
	else if (a->at == sizeof(start) - 1)
		a->bad |= !isdigit((unsigned char)c);
	else if (a->at == sizeof(start))
		a->bad |= c != ' ';
	else if (a->at <= sizeof(start) + 3 && isdigit((unsigned char)c))
		a->status = a->status * 10 + (c - '0');
	else if (a->at <= sizeof(start) + 3)
		a->bad = true;
}

static void feed_header(struct probe_answer *a, char c)
{
	static const char name[] = "content-length:";
	const uint8_t whole = sizeof(name) - 1;

	if (a->matched < whole) {
		if (a->at == a->matched && tolower((unsigned char)c) == name[a->matched])
			a->matched++;
		return;
	}
	if (isdigit((unsigned char)c) && a->length < ANSWER_MAX) {
		a->length = a->length * 10 + (c - '0');
		a->has_length = true;
	}
}

static void end_line(struct probe_answer *a, bool empty)
{
	if (empty && a->status >= 100 && a->status < 200)
		*a = (struct probe_answer){ .status = 0 }; /* 1xx: the answer itself follows (RFC 9110, 15.2) */
	else if (empty)
		a->in_body = true;
	a->at = 0;
	a->matched = 0;
}

void probe_answer_feed(struct probe_answer *a, const char *bytes, size_t len)
{
	for (size_t i = 0; i < len && !a->bad; i++) {
		char c = bytes[i];

		if (a->in_body) {
			a->markup |= !a->body && c == '<';
			a->object |= !a->markup && c == '{';
			a->body++;
			a->no_token |= !isalnum((unsigned char)c) && !strchr("-._~+/=\r\n", c ? c : ' ');
			continue;
		}
		if (c == '\r')
			continue;
		if (c == '\n') {
			if (a->status < 100) { /* the status line comes first */
				a->bad = true;
				break;
			}
			end_line(a, !a->at);
			continue;
		}
		if (a->status < 100)
			feed_status(a, c);
		else
			feed_header(a, c); /* the rest of the status line never matches: its `at` is not 0 */
		if (++a->at > LINE_MAX_LEN)
			a->bad = true;
	}
	a->complete = a->in_body && ((a->has_length && a->body >= a->length) || a->status == 204 || a->status == 304);
}

/* --- asking ------------------------------------------------------------------------------------------------------ */

/* Milliseconds to the deadline, rounded up; 0 when it has passed. */
static int left_ms(uint64_t deadline_ns)
{
	uint64_t now = clock_now_ns();

	return now >= deadline_ns ? 0 : (int)((deadline_ns - now + 999999) / 1000000);
}

static int wait_for(int fd, short events, uint64_t deadline_ns)
{
	struct pollfd p = { .fd = fd, .events = events };
	int n;

	do {
		n = poll(&p, 1, left_ms(deadline_ns));
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n ? 0 : -ETIMEDOUT;
}

static socklen_t fill_sockaddr(const struct imds_endpoint *e, struct sockaddr_storage *ret)
{
	uint16_t port = htons(e->port ? e->port : 80);

	memset(ret, 0, sizeof(*ret));
	if (address_is_v4(&e->addr)) {
		struct sockaddr_in *in = (struct sockaddr_in *)ret;

		in->sin_family = AF_INET;
		in->sin_port = port;
		memcpy(&in->sin_addr, e->addr.b + 12, 4);
		return sizeof(*in);
	} else {
		struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ret;

		in6->sin6_family = AF_INET6;
		in6->sin6_port = port;
		memcpy(&in6->sin6_addr, e->addr.b, 16);
		return sizeof(*in6);
	}
}

static void read_local(int fd, struct probe_result *r)
{
	struct sockaddr_storage sa;
	socklen_t len = sizeof(sa);

	if (getsockname(fd, (struct sockaddr *)&sa, &len))
		return;
	/* NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult): as in http_server.c, getsockname() wrote it */
	if (sa.ss_family == AF_INET) {
		const struct sockaddr_in *in = (struct sockaddr_in *)&sa;

		r->local.b[10] = r->local.b[11] = 0xff;
		memcpy(r->local.b + 12, &in->sin_addr, 4);
		r->local_port = ntohs(in->sin_port);
	} else {
		const struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&sa;

		memcpy(r->local.b, &in6->sin6_addr, 16);
		r->local_port = ntohs(in6->sin6_port);
	}
}

static void read_tcp_info(int fd, struct probe_result *r)
{
	struct tcp_info info = { .tcpi_unacked = 1 };
	socklen_t len = sizeof(info);

	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len))
		return;
	r->retransmits = info.tcpi_total_retrans;
	r->acked = r->sent_ns && !info.tcpi_unacked && info.tcpi_state == 1 /* TCP_ESTABLISHED */;
}

/* The service's word on our end of the connection: FIN_WAIT2, or less than FIN_WAIT1 where it has closed itself. */
static bool fin_is_acked(int fd, uint64_t deadline_ns)
{
	struct tcp_info info = { .tcpi_state = 0 };
	socklen_t len = sizeof(info);

	if (shutdown(fd, SHUT_WR))
		return false;
	do {
		const struct timespec pause = { .tv_nsec = 5000000 };

		nanosleep(&pause, NULL);
		len = sizeof(info);
		if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len))
			return false;
	} while (info.tcpi_state == 4 /* TCP_FIN_WAIT1 */ && left_ms(deadline_ns));
	return info.tcpi_state != 4;
}

/* What a router or a filter said of our packets: the error queue keeps it, with its sender (ip(7), IP_RECVERR). */
static void read_icmp(int fd, struct probe_result *r)
{
	union {
		char bytes[512];
		struct cmsghdr align;
	} control;
	char payload[64];
	struct iovec iov = { .iov_base = payload, .iov_len = sizeof(payload) };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
	};

	while (recvmsg(fd, &msg, MSG_ERRQUEUE | MSG_DONTWAIT) >= 0) {
		for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c)) {
			const struct sock_extended_err *e = (const void *)CMSG_DATA(c);

			if (!(c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVERR) &&
			    !(c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_RECVERR))
				continue;
			if (e->ee_origin != SO_EE_ORIGIN_ICMP && e->ee_origin != SO_EE_ORIGIN_ICMP6)
				continue;
			r->icmp_seen = e->ee_origin;
			r->icmp_type = e->ee_type;
			r->icmp_code = e->ee_code;
		}
		msg.msg_controllen = sizeof(control);
	}
}

/* Packets below this TTL are dropped by our own kernel, and by nobody else: no right is needed to ask for that. */
static void set_min_ttl(int fd, bool v6, int ttl)
{
	if (v6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_MINHOPCOUNT, &ttl, sizeof(ttl));
	else
		setsockopt(fd, IPPROTO_IP, IP_MINTTL, &ttl, sizeof(ttl));
}

/* An open socket, or a negative errno; -EINPROGRESS never. */
static int connect_to(const struct imds_endpoint *e, const struct probe_question *q, uint64_t deadline_ns,
		      struct probe_result *r)
{
	const int on = 1;
	struct sockaddr_storage sa;
	socklen_t len = fill_sockaddr(e, &sa), size = sizeof(r->cookie);
	int fd = socket(sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP), err = 0;
	const struct linger reset = { .l_onoff = 1 };

	if (fd < 0) {
		r->refused_at_once = 1;
		return -errno;
	}
	/* A reset at close: neither side goes on to send what nobody waits for, and no port stays in TIME_WAIT. */
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	getsockopt(fd, SOL_SOCKET, SO_COOKIE, &r->cookie, &size);
	if (sa.ss_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_RECVERR, &on, sizeof(on));
	else
		setsockopt(fd, IPPROTO_IP, IP_RECVERR, &on, sizeof(on));
	if (q->connect_min_ttl)
		set_min_ttl(fd, sa.ss_family == AF_INET6, q->connect_min_ttl);
	if (q->connect_ttl && sa.ss_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, &q->connect_ttl, sizeof(q->connect_ttl));
	else if (q->connect_ttl)
		setsockopt(fd, IPPROTO_IP, IP_TTL, &q->connect_ttl, sizeof(q->connect_ttl));
	if (connect(fd, (struct sockaddr *)&sa, len)) {
		err = -errno;
		if (err != -EINPROGRESS) {
			r->refused_at_once = 1;
		} else {
			read_local(fd, r);
			size = sizeof(err);
			err = wait_for(fd, POLLOUT, deadline_ns);
			if (!err && getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &size))
				err = errno;
			err = err > 0 ? -err : err;
		}
	}
	if (err) {
		read_tcp_info(fd, r);
		read_icmp(fd, r);
		close(fd);
		return err;
	}
	read_local(fd, r);
	return fd;
}

static int read_answer(int fd, uint64_t deadline_ns, struct probe_result *r)
{
	struct probe_answer answer = { .status = 0 };
	char buf[512];
	int err = 0;
	ssize_t n;

	while (!answer.complete && !answer.bad) {
		err = wait_for(fd, POLLIN, deadline_ns);
		if (err)
			break;
		n = recv(fd, buf, sizeof(buf), 0);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			continue;
		if (n < 0)
			err = -errno;
		if (n <= 0)
			break;
		r->last_byte_ns = clock_now_ns();
		if (!r->first_byte_ns)
			r->first_byte_ns = r->last_byte_ns;
		r->bytes_in += n;
		probe_answer_feed(&answer, buf, n);
		explicit_bzero(buf, n);
		if (r->bytes_in > ANSWER_MAX)
			break;
	}
	r->status = answer.bad || answer.status < 100 ? 0 : answer.status;
	if (!answer.bad && !answer.complete && r->bytes_in <= ANSWER_MAX &&
	    !err) /* closed: the end, where no length was told */
		err = answer.in_body && !answer.has_length ? 0 : -ECONNRESET;
	r->object = !err && answer.object;
	r->token =
	    !err && !answer.bad && answer.status == 200 && answer.body && !answer.no_token && r->bytes_in <= ANSWER_MAX;
	return err;
}

static const char *host_of(const struct imds_endpoint *e, char *buf, size_t len)
{
	if (address_is_v4(&e->addr))
		return inet_ntop(AF_INET, e->addr.b + 12, buf, len);
	inet_ntop(AF_INET6, e->addr.b, buf + 1, len - 2);
	buf[0] = '[';
	return strcat(buf, "]");
}

/* The socket is connected: sends, waits, closes. */
static void ask_on(int fd, const struct imds_endpoint *e, const struct probe_question *q, struct probe_result *ret)
{
	char request[PROBE_REQUEST_MAX], host[INET6_ADDRSTRLEN + 2];
	uint64_t deadline_ns;
	int n;

	ret->step = PROBE_SEND;
	n = snprintf(request, sizeof(request),
		     "%s HTTP/1.1\r\nHost: %s\r\nUser-Agent: imdsnoop-probe\r\n%sConnection: close\r\n\r\n", q->line,
		     host_of(e, host, sizeof(host)), q->headers);
	if (q->answer_min_ttl)
		set_min_ttl(fd, !address_is_v4(&e->addr), q->answer_min_ttl);
	/* An empty send buffer takes it whole. */
	if (n >= (int)sizeof(request)) {
		ret->err = -E2BIG;
	} else if (send(fd, request, n, MSG_NOSIGNAL) != n) {
		ret->err = errno ? -errno : -EIO;
	} else {
		ret->sent_ns = clock_now_ns();
		ret->bytes_out = n;
		ret->step = PROBE_ANSWER;
		deadline_ns = q->answer_ms ? ret->sent_ns + q->answer_ms * 1000000ull : q->deadline_ns;
		ret->err = read_answer(fd, deadline_ns < q->deadline_ns ? deadline_ns : q->deadline_ns, ret);
		if (!ret->err)
			ret->step = PROBE_DONE;
	}
	explicit_bzero(request, sizeof(request));
	read_tcp_info(fd, ret);
	read_icmp(fd, ret);
	if (ret->err == -ETIMEDOUT && q->fin_ms)
		ret->fin_acked = fin_is_acked(fd, clock_now_ns() + q->fin_ms * 1000000ull);
}

void probe_exchange(const struct imds_endpoint *e, const struct probe_question *q, struct probe_result *ret)
{
	uint64_t deadline_ns = q->connect_ms ? clock_now_ns() + q->connect_ms * 1000000ull : q->deadline_ns;
	int fd;

	*ret = (struct probe_result){ .step = PROBE_CONNECT, .start_ns = clock_now_ns() };
	fd = connect_to(e, q, deadline_ns < q->deadline_ns ? deadline_ns : q->deadline_ns, ret);
	if (fd < 0) {
		ret->err = fd;
		ret->end_ns = clock_now_ns();
		return;
	}
	ret->connected_ns = clock_now_ns();
	if (q->line)
		ask_on(fd, e, q, ret);
	else
		ret->step = PROBE_DONE;
	close(fd);
	ret->end_ns = clock_now_ns();
}

void probe_ask(const struct imds_endpoint *endpoints, size_t len, unsigned int wait_ms, struct probe_result *ret)
{
	const struct probe_question q = { .line = PROBE_TOKEN_LINE,
					  .headers = PROBE_TOKEN_HEADERS,
					  .deadline_ns = clock_now_ns() + wait_ms * 1000000ull };

	*ret = (struct probe_result){ .step = PROBE_CONNECT, .err = -ENETUNREACH };
	for (size_t i = 0; i < len; i++) {
		probe_exchange(&endpoints[i], &q, ret);
		ret->endpoint = i;
		if (!ret->refused_at_once)
			break; /* else this pod has no such family, or no route */
	}
}

/* --- the child --------------------------------------------------------------------------------------------------- */

static void run_child(int netns_fd, const struct imds_endpoint *endpoints, size_t len, unsigned int wait_ms, int out)
{
	struct probe_result r = { .step = PROBE_ENTER };
	struct sigaction dfl = { .sa_handler = SIG_DFL };

	for (int sig = 1; sig < NSIG; sig++) /* the event loop's handlers are the parent's */
		sigaction(sig, &dfl, NULL);
	if (setns(netns_fd, CLONE_NEWNET)) {
		r.err = -errno;
		r.start_ns = r.end_ns = clock_now_ns();
	} else {
		probe_ask(endpoints, len, wait_ms, &r);
	}
	_exit(write(out, &r, sizeof(r)) != sizeof(r));
}

pid_t probe_fork(int *ret_fd)
{
	int fds[2], err;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC))
		return -errno;
	pid = fork();
	err = -errno;
	*ret_fd = pid ? fds[0] : fds[1];
	if (pid < 0)
		close(fds[0]);
	close(pid ? fds[1] : fds[0]);
	if (!pid)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	return pid < 0 ? err : pid;
}

int probe_start(int netns_fd, const struct imds_endpoint *endpoints, size_t len, unsigned int wait_ms, pid_t *ret_pid)
{
	int fd = -1;

	_Static_assert(sizeof(struct probe_result) <= 512, "written at once: _POSIX_PIPE_BUF");
	*ret_pid = probe_fork(&fd);
	if (!*ret_pid)
		run_child(netns_fd, endpoints, len, wait_ms, fd);
	return *ret_pid < 0 ? *ret_pid : fd;
}

int probe_take(int fd, pid_t pid, unsigned int wait_ms, void *ret, size_t len)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	ssize_t n = -1;

	if (poll(&p, 1, (int)wait_ms) == 1 && (p.revents & POLLIN))
		n = read(fd, ret, len);
	else
		kill(pid, SIGKILL);
	close(fd);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return n == (ssize_t)len ? 0 : -EIO;
}

/* --- as a record ------------------------------------------------------------------------------------------------- */

static enum imds_end end_of(const struct probe_result *r)
{
	if (r->step == PROBE_DONE)
		return IMDS_END_ANSWERED;
	if (r->err == -ECONNREFUSED)
		return IMDS_END_REFUSED;
	if (r->err == -ECONNRESET || r->err == -EPIPE)
		return r->connected_ns ? IMDS_END_PEER_RST : IMDS_END_REFUSED;
	return IMDS_END_CLOSED;
}

void probe_record(const struct probe_result *r, const struct imds_endpoint *e, bool host, struct imds_rec_request *ret)
{
	struct imds_request *q = &ret->req;

	*ret = (struct imds_rec_request){
		.hdr = { .type = IMDS_REC_REQUEST, .len = sizeof(*ret), .ts_ns = r->end_ns },
		.peer = {
			.cookie = r->cookie, .local = r->local, .remote = e->addr, .local_port = r->local_port,
			.remote_port = e->port ? e->port : 80, .proto = IPPROTO_TCP, .family = address_is_v4(&e->addr) ? 4 : 6,
			.pid = getpid(),
		},
		.syn_ns = r->refused_at_once ? 0 : r->start_ns,
		.synack_ns = r->connected_ns,
		.connect_call_ns = r->start_ns,
	};
	q->sent_ns = r->sent_ns;
	q->start_ns = r->connected_ns ? r->connected_ns : r->start_ns;
	q->first_byte_ns = r->first_byte_ns;
	q->last_byte_ns = r->last_byte_ns;
	q->end_ns = r->end_ns;
	q->flags = IMDS_F_FIRST | IMDS_F_CONNECT_SEEN | IMDS_F_RELEASED | IMDS_F_NETNS_KNOWN |
		   (host ? IMDS_F_HOST_NETNS : 0) | (r->refused_at_once ? 0 : IMDS_F_SYN_SEEN) |
		   (r->sent_ns ? IMDS_F_HEAD_COMPLETE : 0) | (r->acked ? IMDS_F_REQUEST_ACKED : 0);
	q->bytes_out = r->bytes_out;
	q->bytes_in = r->bytes_in;
	q->retransmits = r->retransmits < UINT16_MAX ? r->retransmits : UINT16_MAX;
	q->status = r->status;
	q->end = end_of(r);
	q->kind = IMDS_KIND_CONNECT_ONLY;
	if (!r->sent_ns)
		return;
	q->method = IMDS_METHOD_PUT;
	q->kind = IMDS_KIND_TOKEN;
	q->version = IMDS_VERSION_V2;
	q->words = IMDS_W_P_EC2 | IMDS_W_P_API | IMDS_W_P_TOKEN | IMDS_W_H_TOKEN_TTL | IMDS_W_HTTP;
	q->path_len = snprintf(q->path, sizeof(q->path), "/latest/api/token");
}
