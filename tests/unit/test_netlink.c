/* SPDX-License-Identifier: GPL-2.0-only */
/* needs: user/kernel/netlink.c */
/* When an answer is over: a kernel is played by the other end of a pair of sockets. */
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../user/kernel/netlink.h"
#include "unit.h"

static void count(void *arg, const struct nlmsghdr *h)
{
	(void)h;
	++*(int *)arg;
}

/* Answers one question with so many messages of these flags, and an end if there is to be one. */
static void answer(int fd, int messages, uint16_t flags, int end_type)
{
	char question[4096];
	const struct nlmsghdr *q = (const void *)question;
	struct nlmsghdr h = { .nlmsg_len = sizeof(h), .nlmsg_type = 0x100, .nlmsg_flags = flags };

	if (recv(fd, question, sizeof(question), 0) < (ssize_t)sizeof(*q))
		_exit(1);
	h.nlmsg_seq = q->nlmsg_seq;
	for (int i = 0; i < messages; i++)
		send(fd, &h, sizeof(h), 0);
	h.nlmsg_type = (uint16_t)end_type;
	if (end_type)
		send(fd, &h, sizeof(h), 0);
	recv(fd, question, 1, 0); /* it stays open: an end of the socket is no end of an answer */
	_exit(0);
}

static int ask(uint16_t question_flags, int messages, uint16_t flags, int end_type, int *ret_seen)
{
	struct timeval second = { .tv_sec = 1 };
	struct netlink_question q;
	int fd[2], err;
	pid_t pid;

	*ret_seen = 0;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fd), 0);
	setsockopt(fd[0], SOL_SOCKET, SO_RCVTIMEO, &second, sizeof(second));
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		close(fd[0]);
		answer(fd[1], messages, flags, end_type);
	}
	close(fd[1]);
	netlink_begin(&q, 0x101, question_flags, sizeof(uint32_t));
	err = netlink_ask(fd[0], &q, count, ret_seen);
	close(fd[0]);
	waitpid(pid, NULL, 0);
	return err;
}

static void a_single_answer_is_the_end(void **state)
{
	int seen;

	assert_int_equal(ask(0, 1, 0, 0, &seen), 0);
	assert_int_equal(seen, 1);
	/* as conntrack has it, without an end; waiting for one would be -EAGAIN after a second */
	assert_int_equal(ask(0, 1, NLM_F_MULTI, 0, &seen), 0);
	assert_int_equal(seen, 1);
}

static void all_of_many_are_waited_for(void **state)
{
	int seen;

	assert_int_equal(ask(NLM_F_DUMP, 3, NLM_F_MULTI, NLMSG_DONE, &seen), 0);
	assert_int_equal(seen, 3);
	assert_int_equal(ask(NLM_F_DUMP, 2, NLM_F_MULTI, 0, &seen), -EAGAIN);
	assert_int_equal(seen, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_single_answer_is_the_end),
		cmocka_unit_test(all_of_many_are_waited_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
