/* SPDX-License-Identifier: GPL-2.0-only */
/* needs: user/model/figures.c user/report/compare.c user/pods/workload.c user/model/words.c */
#include "../../user/report/compare.h"
#include "unit.h"

static struct report_pod pod(const char *name, uint64_t requests, int64_t p99_us, double lost)
{
	struct report_pod p = { .who = { "shop", name, "app", "" },
				.requests = requests,
				.p50_us = p99_us / 2,
				.p99_us = p99_us,
				.seconds_lost = lost };

	workload_name(name, "", p.workload, sizeof(p.workload));
	return p;
}

static struct report_finding finding(const char *code, const char *pod_name, enum severity severity)
{
	static const char *none[] = { NULL };
	struct report_finding f = { severity, code, .who = { "shop", pod_name, "app", "" }, .summary = "what",
				    .advice = none };

	workload_name(pod_name, "", f.workload, sizeof(f.workload));
	return f;
}

static void workloads(void **state)
{
	static const struct {
		const char *pod, *node, *workload;
	} rows[] = {
		{ "cart-7d9f6c5b8-x2x4q", "", "cart" }, /* ReplicaSet */
		{ "cart-api-5d4f7c9d66-zz9zk", "", "cart-api" },
		{ "batch-29301445-9sd2k", "", "batch" }, /* CronJob */
		{ "agent-5k2p9", "", "agent" },		 /* DaemonSet, Job */
		{ "db-0", "", "db" },
		{ "db-12", "", "db" },
		{ "kube-proxy-ip-10-0-1-17", "ip-10-0-1-17", "kube-proxy" },
		{ "batch-1758086700-9sd2k", "", "batch" },     /* CronJob before 1.21: seconds */
		{ "web-68c9b4d5f-4n8bz", "", "web" },	       /* hash of 9 */
		{ "coredns-76f75df574-8kz7x", "", "coredns" }, /* of 10 */
		{ "api-v2-5d69f8c7b9-wq4tz", "", "api-v2" },
		{ "redis-cluster-11", "", "redis-cluster" },
		{ "aws-node-x7k2m", "", "aws-node" },
		{ "migrate-3-qwrtp", "", "migrate-3" },	   /* Job named by a person */
		{ "batch-29301445-7-9sd2k", "", "batch" }, /* CronJob, indexed */
		{ "batch-29301445-07-9sd2k", "", "batch-29301445-07" },
		{ "cart-5d9f7b6-x2x4q", "", "cart" }, /* a small hash: 7 digits */
		{ "cart-fb5678-x2x4q", "", "cart" },
		{ "cart-x2x4q-x2x4q", "", "cart-x2x4q" },
		{ "hello-00001-deployment-7d9f8b6c5-x2x4q", "", "hello" }, /* Knative */
		{ "hello-world-00012-deployment-5d69f8c7b9-wq4tz", "", "hello-world" },
		{ "tool-deployment-5d69f8c7b9-wq4tz", "", "tool-deployment" },
		{ "tool-2024-deployment-5d69f8c7b9-wq4tz", "", "tool-2024-deployment" },
		{ "hello-00001-deployment", "", "hello-00001-deployment" },
		{ "00001-deployment-5d69f8c7b9-wq4tz", "", "00001-deployment" },
		{ "guestbook-canary-6d8b7f5c4-mmb5d", "", "guestbook-canary" }, /* Argo Rollouts */
		/* CI and batch: what a run or a version of it is called by */
		{ "arc-runner-set-9vxd2-runner-4dz2l", "", "arc-runner-set" }, /* GitHub */
		{ "my-runner-4dz2l", "", "my-runner" },
		{ "my-build-runner-4dz2l", "", "my-build-runner" },
		{ "shop-https-runner-4dz2l", "", "shop-https-runner" }, /* a word, and no mark */
		{ "shop-httpd-runner-7d9f8b6c5-x2x4q", "", "shop-httpd-runner" },
		{ "image-9vxd2-pod", "", "image" }, /* Tekton, a run by generateName; once with a suffix */
		{ "image-9vxd2-pod-4dz2l", "", "image" },
		{ "build-push-run-r4d9t-fetch-source-pod", "", "build-push-run" }, /* a task of a pipeline's run */
		{ "build-push-run-r4d9t-fetch-source-pod-4dz2l", "", "build-push-run" },
		{ "build-r4d9t-fetch-9vxd2-source-pod", "", "build-r4d9t-fetch-9vxd2-source-pod" }, /* which? */
		{ "r4d9t-fetch-source-pod", "", "r4d9t-fetch-source-pod" },
		{ "shop-https-proxy-pod", "", "shop-https-proxy-pod" },
		{ "hello-world-2x4kq-1340600742", "", "hello-world" }, /* Argo Workflows */
		{ "dag-diamond-tqk8l-echo-432519421", "", "dag-diamond" },
		{ "cron-wf-1758086700-hello-1432519421", "", "cron-wf" },
		{ "nightly-clone-1432519421", "", "nightly-clone-1432519421" }, /* a run with a name of its own */
		{ "dag-tqk8l-b9jc7-1432519421", "", "dag-tqk8l-b9jc7-1432519421" },
		{ "dump-2x4kq-20260102", "", "dump-2x4kq-20260102" },
		{ "dump-2x4kq-4294967296", "", "dump-2x4kq-4294967296" },
		{ "dump-https-1432519421", "", "dump-https-1432519421" },
		{ "a-2x4kq-1340600742-7d9f8b6c5-x2x4q", "", "a-2x4kq-1340600742" },
		{ "image-of-a-person-pod", "", "image-of-a-person-pod" },
		{ "shop-mssql-pod", "", "shop-mssql-pod" },
		{ "runner-t2mvtdfz-project-2-concurrent-0-7t40yuqh", "", "runner-t2mvtdfz-project-2" }, /* GitLab */
		{ "runner-t2mvtdfz-project-2-concurrent-11-9sd2k", "", "runner-t2mvtdfz-project-2" },
		{ "runner-t2mvtdfz-project-2-concurrent-x-y", "", "runner-t2mvtdfz-project-2-concurrent-x-y" },
		{ "non-concurrent-0", "", "non-concurrent" },
		{ "spark-pi-3a4b5c6d7e8f9a0b-exec-12", "", "spark-pi" }, /* Spark */
		{ "spark-pi-3a4b5c6d7e8f9a0b-driver", "", "spark-pi" },
		{ "spark-pi-driver", "", "spark-pi-driver" },
		{ "my-exec-3", "", "my-exec" },
		{ "cart-3-x2x4q", "", "cart-3" }, /* OpenShift's DeploymentConfig: as a Job of that name */
		{ "cart-3-deploy", "", "cart-3-deploy" },
		{ "cart-3-build", "", "cart-3-build" },
		{ "virt-launcher-web-x2x4q", "", "virt-launcher-web" },
		{ "etcd-ip-10-0-1-17.ec2.internal", "ip-10-0-1-17.ec2.internal", "etcd" },
		/* static pods: the kubelet's name of the node and ours may differ in case and domain */
		{ "etcd-node1", "Node1", "etcd" },
		{ "etcd-node1.example.com", "node1", "etcd" },
		{ "etcd-node1", "node1.example.com", "etcd" },
		{ "etcd-node1.example.com", "node1.example.org", "etcd-node1.example.com" },
		{ "kube-proxy-ip-10-0-1-17", "", "kube-proxy" },
		{ "kube-proxy-ip-10-0-1-17.eu-west-1.compute.internal", "other", "kube-proxy" },
		{ "kube-proxy-i-0123456789abcdef0.eu-west-1.compute.internal", "", "kube-proxy" },
		{ "etcd-kind-control-plane", "kind-control-plane", "etcd" },
		{ "etcd-kind-control-plane", "laptop", "etcd-kind-control-plane" },
		{ "zip-10-0-1-17", "", "zip-10-0-1" }, /* a StatefulSet's */
		{ "cart-ip-10-0-1", "", "cart-ip-10-0" },
		{ "ip-10-0-1-17", "", "ip-10-0-1" },
		{ "my-node12", "node1", "my-node12" },
		{ "node1", "node1", "node1" },
		{ "-node1", "node1", "-node1" },
		{ "ingress-nginx-admission-create-4f5gh", "", "ingress-nginx-admission-create" },
		/* cut at 58 bytes before the suffix: a whole hash, half of one, and none of it */
		{ "a123456789-b123456789-c123456789-d123456789-7d9f8b6c5-x2x4q", "",
		  "a123456789-b123456789-c123456789-d123456789" },
		{ "a123456789-b123456789-c123456789-d123456789-e1234-7d9f8b6cx2x4q", "",
		  "a123456789-b123456789-c123456789-d123456789-e1234" },
		{ "a123456789-b123456789-c123456789-d123456789-e123456789-f123x2x4q", "",
		  "a123456789-b123456789-c123456789-d123456789-e123456789-f123x2x4q" }, /* 64: no pod's */
		/* they only look so */
		{ "data-exporter-proxy", "", "data-exporter-proxy" },
		{ "web-https", "", "web-https" },
		{ "my-httpd", "", "my-httpd" },
		{ "orders-pgsql", "", "orders-pgsql" },
		{ "edge-http2", "", "edge-http2" },
		{ "web-7d9f8b6c5", "", "web-7d9f8b6c5" }, /* no suffix behind it */
		{ "cart-x2a1q", "", "cart-x2a1q" },	  /* 'a' and '1' are never drawn */
		{ "node-01", "", "node-01" },		  /* no ordinal begins with 0 */
		{ "report-20260102", "", "report-20260102" },
		{ "log4j-x2x4qq", "", "log4j-x2x4qq" },
		{ "cart-7d9f8b6c5-checkout", "", "cart-7d9f8b6c5-checkout" },
		{ "my-database-proxy", "", "my-database-proxy" },
		{ "plain", "", "plain" },
		{ "-0", "", "-0" },
		{ "a-", "", "a-" },
		{ "", "", "" },
	};
	static const struct {
		const char *name, *workload;
	} containers[] = {
		{ "cart", "cart" },
		{ "worker_2", "worker_2" }, /* compose's names are told by labels, not by looks */
		{ "ecs-cart-3-app-9cb5a3d2e1f0b4c6a801", "cart" },
		{ "ecs-cart-api-12-side-car-9cb5a3d2e1f0b4c6a801", "cart-api" },
		{ "ecs-api-v2-12-app-9cb5a3d2e1f0b4c6a801", "api-v2" },
		{ "ecs-api-2024-prod-7-app-9cb5a3d2e1f0b4c6a801", "ecs-api-2024-prod-7-app-9cb5a3d2e1f0b4c6a801" },
		{ "ecs-agent", "ecs-agent" },
		{ "ecs-cart-3-app-cafe", "ecs-cart-3-app-cafe" },
		{ "web-0a1b2c3d-1111-4222-8333-0123456789ab", "web" },
		{ "runner-ygo5xzkg-project-7-concurrent-0-962f2e14b635e7f3-build", "runner-ygo5xzkg-project-7" },
		{ "buildx_buildkit_default0", "buildx_buildkit_default0" },
		{ "0a1b2c3d-1111-4222-8333-0123456789ab", "0a1b2c3d-1111-4222-8333-0123456789ab" },
	};
	static const struct {
		const char *cgroup, *workload;
	} units[] = {
		{ "system.slice/web.service", "web" },
		{ "system.slice/system-getty.slice/getty@tty1.service", "getty" },
		{ "user.slice/user-1000.slice/user@1000.service/app.slice/x.service/y", "x" },
		{ "user.slice/user-1000.slice/session-3.scope", "" },
		{ "user.slice/user-1000.slice/user@1000.service/app.slice", "user@1000" },
		{ ".service", "" },
		/* machines: what is inside is a tenant's */
		{ "machine.slice/systemd-nspawn@web.service/payload/system.slice/cron.service", "web" },
		{ "machine.slice/machine-qemu\\x2d3\\x2dweb\\x2d1.scope/libvirt/emulator", "web-1" },
		{ "machine.slice/machine-web.scope", "web" },
		{ "machine.slice/machine-qemu\\x2dweb.scope", "qemu-web" }, /* no number: a name of a person's */
		{ "machine.slice/machine-.scope", "" },
		{ "machine.slice/machine-a\\x2.scope", "a\\x2" },
		{ "machine.slice/machine-a\\x2fb\\x1b.scope", "a/b\\x1b" },
		{ "lxc.payload.web/system.slice/kubelet.service", "web" },
		{ "lxc.payload.", "" },
		{ "nomad.slice/share.slice/0a1b2c3d-1111-4222-8333-0123456789ab.web.scope", "web" },
		{ "nomad.slice/share.slice/0a1b2c3d-1111-4222-8333-0123456789ab..scope", "" },
		{ "nomad.slice/share.slice/0a1b2c3d-1111-4222-8333-0123456789ab.scope", "" },
		{ "nomad/share/0a1b2c3d-1111-4222-8333-0123456789ab.web", "web" }, /* cgroup v1 */
		{ "lxc/web/init.scope", "web" },
		{ "lxc.payload/web/system.slice/x.service", "web" },
		{ "lxc.payload.shop_web/init.scope", "shop_web" }, /* Incus, project shop */
		{ "system.slice/lxc/web", "" },
		{ "openrc.nginx", "nginx" },
		{ "rc/nginx", "nginx" },
		{ "rc", "" },
		{ "system.slice/slurmstepd.scope/job_42/step_0/user/task_0", "job_42" },
		{ "system.slice/node1_slurmstepd.scope/job_42/step_batch/user/task_special", "job_42" },
		{ "system.slice/slurmstepd.scope/system", "" },
		{ "system.slice/system.slice:docker:jvifp9a6b1lxa1kuw8bwfcovf", "docker build" },
		{ "docker/buildkit/jvifp9a6b1lxa1kuw8bwfcovf", "docker build" },
		{ "buildkit/jvifp9a6b1lxa1kuw8bwfcovf", "buildkit" },
		{ "system.slice/actions.runner.my-org-my-repo.my-host.service",
		  "actions.runner.my-org-my-repo.my-host" },
		{ "system.slice/host-containers@admin.service", "host-containers" }, /* Bottlerocket */
		{ "podruntime/kubelet", "" },					     /* Talos */
		{ "garden/0a1b2c3d-1111-4222-8333-0123456789ab", "" },
		{ "mesos/0a1b2c3d-1111-4222-8333-0123456789ab", "" },
		{ "default/web", "" },
	};
	char buf[WORKLOAD_LEN];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_string_equal(workload_name(rows[i].pod, rows[i].node, buf, sizeof(buf)), rows[i].workload);
	assert_string_equal(workload_name("abcdef", "", buf, 4), "abc");
	for (size_t i = 0; i < sizeof(containers) / sizeof(containers[0]); i++)
		assert_string_equal(workload_of_container(containers[i].name, buf, sizeof(buf)), containers[i].workload);
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		assert_string_equal(workload_of_unit(units[i].cgroup, buf, sizeof(buf)), units[i].workload);
	assert_string_equal(workload_of_unit("lxc.payload.web", buf, 3), "we");
}

static void pods_of_other_names_meet(void **state)
{
	struct report_pod before[] = { pod("cart-7d9f6c5b8-x2x4q", 3, 9000, 2.0),
				       pod("cart-7d9f6c5b8-b2b4b", 1, 7000, 1.0), pod("gone-5k2p9", 1, 100, 0) };
	struct report_pod after[] = { pod("cart-66b7d9f6c5-zzzzz", 2, 800, 0), pod("new-5k2p9", 1, -1, 5.0) };
	struct report_doc a = { .node = "n", .pods = before, .pods_len = 3 },
			  b = { .node = "n", .pods = after, .pods_len = 2 };
	struct changes c;

	assert_int_equal(compare_reports(&a, &b, &c), 0);
	assert_int_equal(c.workloads_len, 3);
	assert_string_equal(c.workloads[0].workload, "new"); /* most lost */
	assert_int_equal(c.workloads[0].before.pods, 0);
	assert_int_equal(c.workloads[0].after.p99_us, -1);
	assert_string_equal(c.workloads[1].workload, "cart");
	assert_int_equal(c.workloads[1].before.pods, 2);
	assert_int_equal(c.workloads[1].before.requests, 4);
	assert_int_equal(c.workloads[1].before.p99_us, 9000);
	assert_true(c.workloads[1].before.seconds_lost == 3.0);
	assert_int_equal(c.workloads[1].after.requests, 2);
	assert_int_equal(c.workloads[1].after.p99_us, 800);
	assert_string_equal(c.workloads[2].workload, "gone");
	assert_int_equal(c.workloads[2].after.pods, 0);
	compare_clear(&c);
}

static void findings_are_new_still_or_gone(void **state)
{
	struct report_pod pods[] = { pod("cart-66b7d9f6c5-zzzzz", 2, 800, 0) };
	struct report_finding before[] = {
		finding("hop-limit-exhausted", "cart-7d9f6c5b8-x2x4q", SEVERITY_ERROR),
		finding("imdsv1-in-use", "cart-7d9f6c5b8-x2x4q", SEVERITY_INFO),
		finding("slow", "silent-5k2p9", SEVERITY_WARNING),
		finding("would-break", "cart-7d9f6c5b8-x2x4q", SEVERITY_ERROR),
	};
	struct report_finding after[] = {
		finding("imdsv1-in-use", "cart-66b7d9f6c5-zzzzz", SEVERITY_INFO),
		finding("slow", "cart-66b7d9f6c5-zzzzz", SEVERITY_WARNING),
	};
	struct report_doc a = { .findings = before, .findings_len = 4 };
	struct report_doc b = { .pods = pods, .pods_len = 1, .findings = after, .findings_len = 2 };
	struct changes c;

	assert_int_equal(compare_reports(&a, &b, &c), 0);
	assert_int_equal(c.findings_len, 4); /* a dry run is no finding of before */
	assert_int_equal(c.counts[CHANGE_NEW], 1);
	assert_int_equal(c.counts[CHANGE_STILL], 1);
	assert_int_equal(c.counts[CHANGE_UNKNOWN], 2);
	assert_int_equal(c.counts[CHANGE_GONE], 0);
	assert_ptr_equal(c.findings[0].after, &after[1]);
	assert_null(c.findings[0].before);
	assert_ptr_equal(c.findings[1].before, &before[1]);
	assert_ptr_equal(c.findings[1].after, &after[0]);
	assert_ptr_equal(c.findings[2].before, &before[0]); /* it asked, but for no token: nothing is proven about these */
	assert_ptr_equal(c.findings[3].before, &before[2]); /* it did not ask: no proof of a cure */
	compare_clear(&c);
	pods[0].answered = pods[0].token_requests = pods[0].token_answered = 1;
	assert_int_equal(compare_reports(&a, &b, &c), 0);
	assert_int_equal(c.findings[3].kind, CHANGE_GONE);
	assert_ptr_equal(c.findings[3].before, &before[0]);
	compare_clear(&c);
}

/* What the workload of a finding did afterwards, and whether that shows a cure. */
static void gone_needs_an_answer_to_the_same(void **state)
{
	static const struct {
		const char *code;
		bool nobody; /* the finding is of the node, or of the pods beyond --max-pods */
		struct figures after;
		uint64_t tokens_before; /* asked for in vain */
		uint64_t credentials;
		enum change_kind kind;
	} rows[] = {
		{ "hop-limit-exhausted", .after = { .answered = 3, .v1_requests = 3 }, .kind = CHANGE_UNKNOWN },
		{ "hop-limit-exhausted", .after = { .answered = 3, .token_requests = 2 }, .kind = CHANGE_UNKNOWN },
		{ "hop-limit-exhausted", .after = { .answered = 3, .token_answered = 1 }, .kind = CHANGE_GONE },
		{ "blocked-by-policy", .after = { .requests = 3 }, .kind = CHANGE_UNKNOWN },
		{ "blocked-by-policy", .after = { .answered = 1 }, .kind = CHANGE_GONE },
		{ "blocked-by-policy", .after = { .answered = 1 }, .tokens_before = 1, .kind = CHANGE_UNKNOWN },
		{ "no-response", .after = { .answered = 1, .v1_requests = 1 }, .tokens_before = 1,
		  .kind = CHANGE_UNKNOWN },
		{ "no-response", .after = { .answered = 1, .token_answered = 1 }, .tokens_before = 1,
		  .kind = CHANGE_GONE },
		{ "imdsv1-in-use", .after = { .answered = 1 }, .kind = CHANGE_UNKNOWN },
		{ "imdsv1-in-use", .after = { .answered = 1, .v2_requests = 1 }, .kind = CHANGE_GONE },
		{ "credentials-refused", .after = { .answered = 1 }, .kind = CHANGE_UNKNOWN },
		{ "credentials-refused", .after = { .requests = 1 }, .credentials = 1, .kind = CHANGE_UNKNOWN },
		{ "no-role", .after = { .answered = 1 }, .credentials = 1, .kind = CHANGE_GONE },
		{ "hop-limit-exhausted", .nobody = true, .after = { .token_answered = 1 }, .kind = CHANGE_UNKNOWN },
		{ "unknown-owner", .nobody = true, .kind = CHANGE_UNKNOWN },
		{ "observation-incomplete", .nobody = true, .kind = CHANGE_GONE },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct report_pod p = pod("cart-66b7d9f6c5-zzzzz", 0, -1, 0), old = pod("cart-7d9f6c5b8-x2x4q", 0, -1, 0);
		struct report_finding f =
		    finding(rows[i].code, rows[i].nobody ? "" : "cart-7d9f6c5b8-x2x4q", SEVERITY_ERROR);
		struct report_doc a = { .pods = &old, .pods_len = 1, .findings = &f, .findings_len = 1 };
		struct report_doc b = { .pods = &p, .pods_len = 1 };
		struct changes c;

		old.figures.token_requests = rows[i].tokens_before;
		p.figures = rows[i].after;
		p.credentials = rows[i].credentials;
		if (rows[i].nobody)
			f.namespace = f.container = "";
		assert_int_equal(compare_reports(&a, &b, &c), 0);
		if (c.findings_len != 1 || c.findings[0].kind != rows[i].kind)
			fail_msg("row %zu, %s: %s", i, rows[i].code, change_word(c.findings[0].kind));
		compare_clear(&c);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(workloads),
		cmocka_unit_test(pods_of_other_names_meet),
		cmocka_unit_test(findings_are_new_still_or_gone),
		cmocka_unit_test(gone_needs_an_answer_to_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
