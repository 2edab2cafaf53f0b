/* SPDX-License-Identifier: GPL-2.0-only */
/* needs: user/net/probe.c user/model/verdict.c user/model/cause.c */
/* The answer's head byte by byte, a real exchange over loopback, and what is concluded. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../user/model/verdict.h"
#include "../../user/net/probe.h"
#include "unit.h"

struct answer_case {
	const char *text;
	unsigned int status;
	bool bad, complete;
	uint32_t body;
	bool no_token;
};

static const struct answer_case answers[] = {
	{ "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabcd", 200, false, true, 4 },
	{ "HTTP/1.1 200 OK\r\ncontent-length:4\r\nX: y\r\n\r\nabc", 200, false, false, 3 },
	{ "HTTP/1.0 404 Not Found\n\nx", 404, false, false, 1 },
	{ "HTTP/1.1 401\r\nContent-Length: 0\r\n\r\n", 401, false, true, 0 },
	{ "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nt", 200, false, true, 1 },
	{ "HTTP/1.1 200 OK\r\nX-Content-Length: 1\r\n\r\nt", 200, false, false, 1 },
	{ "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999\r\n\r\nt", 200, false, false, 1 },
	{ "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n", 200, false, false, 0 },
	{ "HTTP/1.1 204 No Content\r\n\r\n", 204, false, true, 0 },
	{ "HTTP/1.1 304 Not Modified\r\n\r\n", 304, false, true, 0 },
	{ "HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nAQAa+/0-_=\n", 200, false, true, 11 },
	{ "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>", 200, false, true, 6, true },
	{ "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nlog in!", 200, false, true, 7, true },
	{ "SSH-2.0-OpenSSH\r\n", 0, true, false, 0 },
	{ "HTTP/1.1 2x0 OK\r\n\r\n", 2, true, false, 0 },
	{ "\r\n\r\n", 0, true, false, 0 },
	{ "HTTP/1.1\r\n\r\n", 0, true, false, 0 },
};

static void answer_is_read_however_it_is_split(void **state)
{
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		const struct answer_case *c = &answers[i];
		size_t len = strlen(c->text);

		for (size_t split = 0; split <= len; split++) {
			struct probe_answer a = { .status = 0 };

			probe_answer_feed(&a, c->text, split);
			probe_answer_feed(&a, c->text + split, len - split);
			assert_int_equal(a.bad, c->bad);
			assert_int_equal(a.status, c->status);
			assert_int_equal(a.complete, c->complete);
			if (!c->bad)
				assert_int_equal(a.body, c->body);
			assert_int_equal(a.no_token, c->no_token);
		}
	}
}

static void endless_line_is_no_answer(void **state)
{
	struct probe_answer a = { .status = 0 };
	char junk[1000];

	memset(junk, 'x', sizeof(junk));
	probe_answer_feed(&a, "HTTP/1.1 200 OK\r\n", 17);
	for (int i = 0; i < 100 && !a.bad; i++)
		probe_answer_feed(&a, junk, sizeof(junk));
	assert_true(a.bad);
}

static struct imds_endpoint loopback(uint16_t port)
{
	struct imds_endpoint e = { .port = port, .class = IMDS_EP_IMDS };

	e.addr.b[10] = e.addr.b[11] = 0xff;
	e.addr.b[12] = 127;
	e.addr.b[15] = 1;
	return e;
}

/* A server for one connection that says `answer`; NULL: says nothing. Returns its port. */
static uint16_t serve(const char *answer, pid_t *ret_pid)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(sa);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char buf[1024] = "";
	ssize_t n;

	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&sa, &len), 0);
	*ret_pid = fork();
	if (!*ret_pid) {
		int c = accept(fd, NULL, NULL);

		n = read(c, buf, sizeof(buf) - 1);
		if (answer && write(c, answer, strlen(answer)) < 0)
			_exit(2);
		if (!answer || !strstr(answer, "Length"))
			usleep(answer ? 0 : 2000000);
		_exit(!(n > 0 && !strncmp(buf, "PUT /latest/api/token HTTP/1.1\r\n", 32) &&
			strstr(buf, "\r\nHost: 127.0.0.1\r\n") &&
			strstr(buf, "\r\nX-aws-ec2-metadata-token-ttl-seconds: 1\r\n") &&
			!strcmp(buf + n - 4, "\r\n\r\n")));
	}
	close(fd);
	return ntohs(sa.sin_port);
}

static enum outcome conclude(const struct probe_result *r, const struct imds_endpoint *e, enum confidence *ret)
{
	struct imds_rec_request rec;
	struct verdict_input in = {
		.rec = &rec, .drop_reason = "", .drop_location = "", .others_answered = true, .hops = -1, .stall_ns = 100000000
	};
	struct verdict v;

	probe_record(r, e, false, &rec);
	v = verdict_judge(&in);
	*ret = v.confidence;
	return v.outcome;
}

static void exchanges(void **state)
{
	static const struct {
		const char *answer;
		int step, err;
		unsigned int status;
		enum outcome outcome;
		enum confidence confidence;
	} cases[] = {
		{ "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nTOKEN", PROBE_DONE, 0, 200, OUTCOME_OK, CONFIDENCE_NONE },
		{ "HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n", PROBE_DONE, 0, 403, OUTCOME_HTTP_ERROR,
		  CONFIDENCE_NONE },
		{ "HTTP/1.0 200 OK\r\n\r\nTOKEN", PROBE_DONE, 0, 200, OUTCOME_OK, CONFIDENCE_NONE },
		{ "HTTP/1.1 200 OK\r\n", PROBE_ANSWER, -ECONNRESET, 200, OUTCOME_RESET, CONFIDENCE_NONE },
		{ NULL, PROBE_ANSWER, -ETIMEDOUT, 0, OUTCOME_HOP_LIMIT, CONFIDENCE_LIKELY },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		enum confidence confidence;
		struct imds_endpoint e;
		struct probe_result r;
		int status;
		pid_t pid;

		e = loopback(serve(cases[i].answer, &pid));
		probe_ask(&e, 1, 400, &r);
		assert_int_equal(r.step, cases[i].step);
		assert_int_equal(r.err, cases[i].err);
		assert_int_equal(r.status, cases[i].status);
		assert_true(r.cookie && r.connected_ns >= r.start_ns && r.sent_ns >= r.connected_ns &&
			    r.end_ns >= r.sent_ns);
		assert_true(r.end_ns - r.start_ns < 1000000000ull);
		if (cases[i].answer)
			assert_int_equal(r.bytes_in, strlen(cases[i].answer));
		else
			assert_int_equal(r.acked, 1);
		assert_int_equal(conclude(&r, &e, &confidence), cases[i].outcome);
		assert_int_equal(confidence, cases[i].confidence);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0); /* the request was as it should be */
	}
}

static void closed_port_is_refused(void **state)
{
	struct imds_endpoint e = loopback(1);
	enum confidence confidence;
	struct probe_result r;

	probe_ask(&e, 1, 400, &r);
	assert_int_equal(r.step, PROBE_CONNECT);
	assert_int_equal(r.err, -ECONNREFUSED);
	assert_int_equal(conclude(&r, &e, &confidence), OUTCOME_REFUSED);
}

static void child_that_may_not_enter_says_so(void **state)
{
	struct imds_endpoint e = loopback(1);
	struct probe_result r;
	int null = open("/dev/null", O_RDONLY), fd;
	struct pollfd p;
	pid_t pid;

	fd = probe_start(null, &e, 1, 400, &pid);
	assert_true(fd >= 0);
	p = (struct pollfd){ .fd = fd, .events = POLLIN };
	assert_int_equal(poll(&p, 1, 2000), 1);
	assert_int_equal(probe_take(fd, pid, 0, &r, sizeof(r)), 0);
	assert_int_equal(r.step, PROBE_ENTER);
	assert_true(r.err < 0);
	close(null);
}

static void unfinished_child_is_killed(void **state)
{
	struct imds_endpoint e;
	struct probe_result r;
	int netns = open("/proc/self/ns/net", O_RDONLY), fd;
	pid_t server, pid;

	e = loopback(serve(NULL, &server));
	fd = probe_start(netns, &e, 1, 60000, &pid);
	assert_true(fd >= 0);
	assert_int_equal(probe_take(fd, pid, 0, &r, sizeof(r)), -EIO);
	assert_int_equal(waitpid(pid, NULL, WNOHANG), -1); /* reaped */
	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
	close(netns);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answer_is_read_however_it_is_split),
		cmocka_unit_test(endless_line_is_no_answer),
		cmocka_unit_test(exchanges),
		cmocka_unit_test(closed_port_is_refused),
		cmocka_unit_test(child_that_may_not_enter_says_so),
		cmocka_unit_test(unfinished_child_is_killed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
