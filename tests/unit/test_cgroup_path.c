/* SPDX-License-Identifier: GPL-2.0-only */
/* needs: user/pods/cgroup_path.c user/pods/log_names.c */
#include "../../user/pods/cgroup_path.h"
#include "../../user/pods/log_names.h"
#include "unit.h"

#define U1 "0a1b2c3d-1111-4222-8333-0123456789ab"
#define U1_ "0a1b2c3d_1111_4222_8333_0123456789ab"
#define U2 "ffffffff-eeee-4ddd-8ccc-bbbbbbbbbbbb"
#define U2_ "ffffffff_eeee_4ddd_8ccc_bbbbbbbbbbbb"
#define STATIC "0123456789abcdef0123456789abcdef"
#define C1 "1111111111111111111111111111111111111111111111111111111111111111"
#define C2 "abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789"

static const struct path_case {
	const char *name, *path, *uid, *id;
} paths[] = {
	{ "systemd, burstable, containerd",
	  "kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" U1_ ".slice/cri-containerd-" C1 ".scope", U1,
	  C1 },
	{ "leading slash", "/kubepods.slice/kubepods-pod" U1_ ".slice/cri-containerd-" C1 ".scope", U1, C1 },
	{ "systemd, guaranteed, cri-o", "kubepods.slice/kubepods-pod" U1_ ".slice/crio-" C2 ".scope", U1, C2 },
	{ "cri-o without systemd", "kubepods/pod" U1 "/crio-" C2, U1, C2 },
	{ "cri-o's sub-cgroup", "kubepods.slice/kubepods-pod" U1_ ".slice/crio-" C2 ".scope/container", U1, C2 },
	{ "crio-conmon is the pod's, not the container's",
	  "kubepods.slice/kubepods-pod" U1_ ".slice/crio-conmon-" C2 ".scope", U1, "" },
	{ "crio-conmon in runc's literal form", "kubepods-pod" U1_ ".slice:crio-conmon:" C2, U1, "" },
	{ "cgroupfs, besteffort", "kubepods/besteffort/pod" U1 "/" C1, U1, C1 },
	{ "cgroupfs, guaranteed", "kubepods/pod" U1 "/" C1, U1, C1 },
	{ "pod level", "kubepods/burstable/pod" U1, U1, "" },
	{ "pod level, systemd", "kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod" U1_ ".slice", U1, "" },
	{ "static pod",
	  "kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" STATIC ".slice/cri-containerd-" C1 ".scope",
	  STATIC, C1 },
	{ "static pod, cgroupfs", "kubepods/burstable/pod" STATIC "/" C1, STATIC, C1 },
	{ "runc's literal form",
	  "system.slice/containerd.service/kubepods-besteffort-pod" U1_ ".slice:cri-containerd:" C1, U1, C1 },
	{ "docker, systemd", "system.slice/docker-" C1 ".scope", "", C1 },
	{ "docker, cgroupfs", "docker/" C1, "", C1 },
	{ "cri-dockerd, systemd", "kubepods.slice/kubepods-pod" U1_ ".slice/docker-" C1 ".scope", U1, C1 },
	{ "cri-dockerd, cgroupfs", "kubepods/burstable/pod" U1 "/" C1 "/sub", U1, C1 },
	{ "kind",
	  "system.slice/docker-" C1 ".scope/kubelet.slice/kubelet-kubepods.slice/"
	  "kubelet-kubepods-besteffort.slice/kubelet-kubepods-besteffort-pod" U1_ ".slice/cri-containerd-" C2 ".scope",
	  U1, C2 },
	{ "kind, cgroupfs", "docker/" C1 "/kubelet/kubepods/besteffort/pod" U1 "/" C2, U1, C2 },
	{ "kind's pod level does not take the node's id", "docker/" C1 "/kubelet/kubepods/pod" U1, U1, "" },
	{ "kind's node itself", "docker/" C1 "/system.slice/kubelet.service", "", C1 },
	{ "a pod in a pod is its tenant's affair",
	  "kubepods/pod" U1 "/" C1 "/docker/" C1 "/kubelet/kubepods/pod" U2 "/" C2, U1, C1 },
	{ "docker in a pod: the kubelet knows the outer one", "kubepods/pod" U1 "/" C1 "/docker/" C2, U1, C1 },
	{ "LXC", "lxc/node1/kubepods/pod" U1 "/" C1, U1, C1 },
	{ "LXD", "lxc.payload.node1/kubepods.slice/kubepods-pod" U1_ ".slice/cri-containerd-" C1 ".scope", U1, C1 },
	{ "from within a cgroup namespace", "/../../pod" U1 "/" C1, U1, C1 },
	{ "podman", "machine.slice/libpod-" C1 ".scope", "", C1 },
	{ "podman's sub-cgroup", "machine.slice/libpod-" C1 ".scope/container", "", C1 },
	{ "podman, split", "system.slice/web.service/libpod-payload-" C1, "", C1 },
	{ "podman's monitor", "machine.slice/libpod-conmon-" C1 ".scope", "", "" },
	{ "podman's own pod is a slice", "machine.slice/machine-libpod_pod_" C1 ".slice", "", "" },
	{ "in podman's pod", "machine.slice/machine-libpod_pod_" C1 ".slice/libpod-" C2 ".scope", "", C2 },
	{ "systemd in a container", "kubepods/pod" U1 "/" C1 "/system.slice/dbus.service", U1, C1 },
	{ "ECS", "ecs/0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f/" C1, "", C1 },
	{ "empty", "", "", "" },
	{ "root", "/", "", "" },
	{ "host service", "system.slice/docker.service", "", "" },
	{ "63 digits", "docker/111111111111111111111111111111111111111111111111111111111111111", "", "" },
	{ "65 digits", "docker/1" C1, "", "" },
	{ "upper case", "docker/ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef0123456789", "", "" },
	{ "UID mixed of dashes and underscores", "kubepods/pod0a1b2c3d-1111_4222-8333-0123456789ab", "", "" },
	{ "UID one short", "kubepods/pod0a1b2c3d-1111-4222-8333-0123456789a", "", "" },
	{ "word before pod", "kubepods/xpod" U1, "", "" },
	{ "underscore before pod", "libpod_pod" STATIC, "", "" },
};

static void paths_are_parsed(void **state)
{
	struct cgroup_ids ids;

	(void)state;
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		const struct path_case *c = &paths[i];
		int want = c->uid[0] || c->id[0] ? 0 : -ENOENT, err = cgroup_path_parse(c->path, strlen(c->path), &ids);

		if (err != want || strcmp(ids.pod_uid, c->uid) || strcmp(ids.container_id, c->id))
			fail_msg("%s: %d '%s' '%s'", c->name, err, ids.pod_uid, ids.container_id);
	}
}

static const struct {
	const char *path;
	enum runtime runtime;
} makers[] = {
	{ "kubepods/besteffort/pod" U1 "/" C1, RUNTIME_KUBERNETES },		     /* k3s, microk8s, Talos */
	{ "kubepods.slice/kubepods-pod" U1_ ".slice/kata_" C1, RUNTIME_KUBERNETES }, /* Kata's machine, the pod's own */
	{ "docker/" C1, RUNTIME_DOCKER },
	{ "/system.slice/docker-" C1 ".scope", RUNTIME_DOCKER },
	{ "user.slice/user-1000.slice/user@1000.service/user.slice/docker-" C1 ".scope", RUNTIME_DOCKER }, /* rootless */
	{ "system.slice/system.slice:docker:jvifp9a6b1lxa1kuw8bwfcovf", RUNTIME_DOCKER }, /* docker build */
	{ "docker/buildkit/jvifp9a6b1lxa1kuw8bwfcovf", RUNTIME_DOCKER },
	{ "system.slice/docker-" C1 ".scope/buildkit/jvifp9a6b1lxa1kuw8bwfcovf", RUNTIME_DOCKER }, /* buildx's container */
	{ "ecs/0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f/" C1, RUNTIME_ECS },
	{ "ecstasks.slice/ecstasks-0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f.slice/docker-" C1 ".scope", RUNTIME_ECS },
	{ "libpod_parent/libpod-" C1, RUNTIME_PODMAN },
	{ "user.slice/user-1000.slice/user@1000.service/user.slice/nerdctl-" C1 ".scope", RUNTIME_CONTAINERD },
	{ "nomad.slice/share.slice/0a1b2c3d-1111-4222-8333-0123456789ab.web.scope", RUNTIME_SYSTEMD },
	{ "system.slice/slurmstepd.scope/job_42/step_0", RUNTIME_SYSTEMD },
	{ "lxc.payload.web", RUNTIME_NONE },
	{ "openrc.docker", RUNTIME_NONE },
	{ "buildkit/jvifp9a6b1lxa1kuw8bwfcovf", RUNTIME_NONE },
};

static void runtimes_are_told_by_the_form(void **state)
{
	struct cgroup_ids ids;

	(void)state;
	for (size_t i = 0; i < sizeof(makers) / sizeof(makers[0]); i++) {
		cgroup_path_parse(makers[i].path, strlen(makers[i].path), &ids);
		if (cgroup_path_runtime(makers[i].path, &ids) != makers[i].runtime)
			fail_msg("%s: %d", makers[i].path, cgroup_path_runtime(makers[i].path, &ids));
	}
}

static const struct {
	const char *name, *text, *path;
} procs[] = {
	{ "v2 alone", "0::/system.slice/a.service\n", "/system.slice/a.service" },
	{ "v2 in the root, v1 tells",
	  "12:memory:/kubepods/pod" U1 "/" C1 "\n1:name=systemd:/kubepods/pod" U1 "/" C2 "\n0::/\n",
	  "/kubepods/pod" U1 "/" C2 },
	{ "a pod beats the v2 line", "9:memory:/kubepods/pod" U1 "/" C1 "\n0::/system.slice/containerd.service\n",
	  "/kubepods/pod" U1 "/" C1 },
	{ "container beats pod level", "3:cpu:/kubepods/pod" U1 "\n2:cpuset:/kubepods/pod" U1 "/" C1 "\n",
	  "/kubepods/pod" U1 "/" C1 },
	{ "any path beats the root", "2:pids:/user.slice\n0::/\n", "/user.slice" },
	{ "only the root", "0::/\n", "/" },
	{ "deleted", "0::/kubepods/pod" U1 "/" C1 " (deleted)\n", "/kubepods/pod" U1 "/" C1 },
	{ "colons in the path", "0::/a/kubepods-pod" U1_ ".slice:cri-containerd:" C1 "\n",
	  "/a/kubepods-pod" U1_ ".slice:cri-containerd:" C1 },
	{ "no end of line", "0::/a", "/a" },
	{ "nonsense lines", "\n::\n0:\n0::x\n0::\n4:cpu,cpuacct:/b\n", "/b" },
	{ "nothing", "", NULL },
	{ "no path at all", "hello\n0::\n", NULL },
};

static void proc_text_gives_the_most_telling_path(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(procs) / sizeof(procs[0]); i++) {
		const char *path = NULL;
		size_t len = 0;
		int err = cgroup_path_from_proc(procs[i].text, strlen(procs[i].text), &path, &len);

		if (err != (procs[i].path ? 0 : -ENOENT))
			fail_msg("%s: %d", procs[i].name, err);
		if (!err && (len != strlen(procs[i].path) || memcmp(path, procs[i].path, len)))
			fail_msg("%s: '%.*s'", procs[i].name, (int)len, path);
	}
}

#define X10 "xxxxxxxxxx"
#define X60 X10 X10 X10 X10 X10 X10

enum how { POD, LINK, TARGET };
static const struct log_case {
	const char *name;
	enum how how;
	const char *in, *ns, *pod, *container, *uid, *id;
} logs[] = {
	{ "pod folder", POD, "default_web-0_" U1, "default", "web-0", "", U1, "" },
	{ "static pod folder", POD, "kube-system_etcd-node1_" STATIC, "kube-system", "etcd-node1", "", STATIC, "" },
	{ "dots", POD, "a_b.c.d_" U1, "a", "b.c.d", "", U1, "" },
	{ "markup is bytes", POD, "default_<img src=x>_" U1, "default", "<img src=x>", "", U1, "" },
	{ "control byte", POD, "default_a\033[2J_" U1, NULL, NULL, NULL, NULL, NULL },
	{ "DEL", POD, "default_a\177_" U1, NULL, NULL, NULL, NULL, NULL },
	{ "8-bit byte", POD, "default_\xc3\xa9_" U1, NULL, NULL, NULL, NULL, NULL },
	{ "slash", POD, "default_a/b_" U1, NULL, NULL, NULL, NULL, NULL },
	{ "bad UID", POD, "default_web_0123", NULL, NULL, NULL, NULL, NULL },
	{ "UID with underscores", POD, "default_web_" U1_, NULL, NULL, NULL, NULL, NULL },
	{ "empty namespace", POD, "_web_" U1, NULL, NULL, NULL, NULL, NULL },
	{ "empty pod", POD, "default__" U1, NULL, NULL, NULL, NULL, NULL },
	{ "two parts", POD, "default_" U1, NULL, NULL, NULL, NULL, NULL },
	{ "four parts", POD, "a_b_c_" U1, NULL, NULL, NULL, NULL, NULL },
	{ "namespace of 63", POD, X60 "xxx_p_" U1, X60 "xxx", "p", "", U1, "" },
	{ "namespace of 64", POD, X60 "xxxx_p_" U1, NULL, NULL, NULL, NULL, NULL },
	{ "pod of 254", POD, "n_" X60 X60 X60 X60 X10 "xxxx_" U1, NULL, NULL, NULL, NULL, NULL },
	{ "link", LINK, "web-0_default_app-" C1 ".log", "default", "web-0", "app", "", C1 },
	{ "dashes in the container", LINK, "w_d_my-app-" C2 ".log", "d", "w", "my-app", "", C2 },
	{ "link without an id", LINK, "w_d_app.log", NULL, NULL, NULL, NULL, NULL },
	{ "short link with half an id", LINK, "w_d_app-" STATIC ".log", NULL, NULL, NULL, NULL, NULL },
	{ "link without .log", LINK, "w_d_app-" C1, NULL, NULL, NULL, NULL, NULL },
	{ "link without container", LINK, "w_d_-" C1 ".log", NULL, NULL, NULL, NULL, NULL },
	{ "control byte in link", LINK, "w_d_a\np-" C1 ".log", NULL, NULL, NULL, NULL, NULL },
	{ "container of 64", LINK, "w_d_" X60 "xxxx-" C1 ".log", NULL, NULL, NULL, NULL, NULL },
	{ "empty link", LINK, "", NULL, NULL, NULL, NULL, NULL },
	/* 180 + 1 + 10 + 1 + 10 + 1 + 48 + 4 = 255 */
	{ "cut in the id", LINK, X60 X60 X60 "_" X10 "_" X10 "-111111111111111111111111111111111111111111111111.log",
	  X10, X60 X60 X60, X10, "", "111111111111111111111111111111111111111111111111" },
	/* 180 + 1 + 20 + 1 + 40 + 1 + 8 + 4 = 255 */
	{ "cut too near to the container", LINK, X60 X60 X60 "_" X10 X10 "_" X10 X10 X10 X10 "-11111111.log", X10 X10,
	  X60 X60 X60, "", "", "" },
	{ "target", TARGET, "/var/log/pods/default_web-0_" U1 "/app/0.log", "default", "web-0", "app", U1, "" },
	{ "target, relative", TARGET, "default_web-0_" U1 "/app/12.log", "default", "web-0", "app", U1, "" },
	{ "target without container", TARGET, "default_web-0_" U1 "/0.log", NULL, NULL, NULL, NULL, NULL },
	{ "target is a folder", TARGET, "/p/default_web-0_" U1 "/app/", NULL, NULL, NULL, NULL, NULL },
	{ "target elsewhere", TARGET, "/var/lib/docker/containers/" C1 "/" C1 "-json.log", NULL, NULL, NULL, NULL, NULL },
	{ "target empty", TARGET, "", NULL, NULL, NULL, NULL, NULL },
	{ "target slash", TARGET, "/", NULL, NULL, NULL, NULL, NULL },
};

static int same(struct log_part part, const char *want)
{
	return part.len == strlen(want) && (!part.len || !memcmp(part.s, want, part.len));
}

static void log_names_are_parsed(void **state)
{
	static int (*const parse[])(const char *, struct log_name *) = {
		[POD] = log_names_parse_pod,
		[LINK] = log_names_parse_link,
		[TARGET] = log_names_parse_target,
	};

	(void)state;
	for (size_t i = 0; i < sizeof(logs) / sizeof(logs[0]); i++) {
		const struct log_case *c = &logs[i];
		struct log_name n;
		int err = parse[c->how](c->in, &n);

		if (err != (c->ns ? 0 : -EINVAL))
			fail_msg("%s: %d", c->name, err);
		if (!err && (!same(n.ns, c->ns) || !same(n.pod, c->pod) || !same(n.container, c->container) ||
			     !same(n.uid, c->uid) || !same(n.id, c->id)))
			fail_msg("%s: '%.*s' '%.*s' '%.*s' '%.*s' '%.*s'", c->name, (int)n.ns.len, n.ns.s,
				 (int)n.pod.len, n.pod.s, (int)n.container.len, n.container.s, (int)n.uid.len, n.uid.s,
				 (int)n.id.len, n.id.s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(paths_are_parsed),
		cmocka_unit_test(runtimes_are_told_by_the_form),
		cmocka_unit_test(proc_text_gives_the_most_telling_path),
		cmocka_unit_test(log_names_are_parsed),
	};

	return cmocka_run_group_tests_name("cgroup_path", tests, NULL, NULL);
}
