/* SPDX-License-Identifier: GPL-2.0-only */
#include "base/hash.h"
#include "cmd/command.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#define OBSERVES (OPTIONS_COMMON | OPTIONS_OBSERVE | OPTIONS_NODE | OPTIONS_NAME | OPTIONS_ENDPOINTS)

static const struct command commands[] = {
	{ "trace",
	  "one line per metadata request as it finishes, and one per stalled request",
	  "",
	  { "imdsnoop trace --problems", "imdsnoop trace --json --duration 1m --output trace.jsonl" },
	  OBSERVES | OPTIONS_SELECT | OPTIONS_PICK | OPTIONS_FORMAT | OPTIONS_OUTPUT | OPTIONS_UNTIL | OPTIONS_FROM,
	  cmd_trace },
	{ "top",
	  "live table of pods, worst first",
	  "",
	  { "imdsnoop top", "imdsnoop top --namespace shop" },
	  OBSERVES | OPTIONS_SELECT | OPTIONS_PICK | OPTIONS_UNTIL,
	  cmd_top },
	{ "report",
	  "watches for a while, then names the pods, the cause, the evidence and what to do",
	  "",
	  { "imdsnoop report -n shop -d 2m", "imdsnoop report --what-if hop-limit=1,tokens=required" },
	  OBSERVES | OPTIONS_SELECT | OPTIONS_PICK | OPTIONS_HTML | OPTIONS_OUTPUT | OPTIONS_REPORT | OPTIONS_FROM,
	  cmd_report },
	{ "serve",
	  "agent: metrics, health, report and status page over HTTP",
	  "",
	  { "imdsnoop serve", "imdsnoop serve --metrics workload --state /var/lib/imdsnoop" },
	  OBSERVES | OPTIONS_UNTIL | OPTIONS_SERVE,
	  cmd_serve },
	{ "probe",
	  "asks for a token now from inside pods, and measures hops and latency",
	  "",
	  { "imdsnoop probe --namespace shop --pod 'cart-*'", "imdsnoop probe --all --exit-code" },
	  OPTIONS_COMMON | OPTIONS_NODE | OPTIONS_NAME | OPTIONS_ENDPOINTS | OPTIONS_SELECT | OPTIONS_FORMAT |
	      OPTIONS_OUTPUT | OPTIONS_UNTIL | OPTIONS_PROBE,
	  cmd_probe },
	{ "check",
	  "what this node offers, and what is missing and why",
	  "",
	  { "imdsnoop check", "imdsnoop check --json" },
	  OPTIONS_COMMON | OPTIONS_CHECK | OPTIONS_NODE | OPTIONS_NAME | OPTIONS_FORMAT | OPTIONS_OUTPUT,
	  cmd_check },
	{ "merge",
	  "joins the JSON reports of many nodes into one",
	  "FILE...",
	  { "imdsnoop merge node-*.json", "imdsnoop merge --format html --output cluster.html node-*.json" },
	  OPTIONS_COMMON | OPTIONS_HTML | OPTIONS_OUTPUT | OPTIONS_FILES,
	  cmd_merge },
	{ "ready",
	  "which workloads are safe with hop limit 1 and tokens required: yes, no, or unknown",
	  "[FILE...]",
	  { "imdsnoop ready --from-state /var/lib/imdsnoop",
	    "imdsnoop ready --what-if hop-limit=2 node-*.db node-*.json" },
	  OPTIONS_COMMON | OPTIONS_FORMAT | OPTIONS_OUTPUT | OPTIONS_READY,
	  cmd_ready },
	{ .name = NULL }
};

/*
 * A descriptor 0 to 2 that the caller closed would be handed to the first file or BPF map that is opened. Held open so
 * that using it fails (EBADF) instead of reading or writing something else.
 */
static int hold_standard_files(void)
{
	for (int fd = 0; fd < 3; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd ? O_RDONLY : O_WRONLY) != fd)
			return -errno;
	return 0;
}

/*
 * What ends us does so from the first moment on, whoever starts us: a shell's background job has SIGINT ignored until a
 * handler is set, which comes with the programs' attaching, and a mask stays for good.
 */
static void hear_signals(void)
{
	sigset_t none;

	sigemptyset(&none);
	signal(SIGINT, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_IGN); /* a reader that left shows as EPIPE, and all is detached in order */
}

int main(int argc, char **argv)
{
	struct options o;
	int code;

	if (hold_standard_files())
		return EXIT_CANNOT_RUN;
	hear_signals();
	hash_draw_secret();
	code = options_parse(commands, argc, argv, stdout, stderr, &o);
	if (code < 0)
		code = o.command->run(&o);
	/* a command that failed has told why; EPIPE: `| head` has what it wanted */
	if ((fflush(stdout) || ferror(stdout)) && code != EXIT_CANNOT_RUN && errno != EPIPE) {
		fprintf(stderr, "imdsnoop: cannot write to standard output: %s\n", strerror(errno));
		return EXIT_CANNOT_RUN;
	}
	return code;
}
