/* SPDX-License-Identifier: GPL-2.0-only */
/* needs: user/pods/runtime_names.c user/pods/runtime_files.c user/pods/safe_file.c user/pods/workload.c */
/* needs: user/pods/cgroup_path.c */
/* Files as the runtimes write them, cut down to what surrounds the names; and files that a tenant or a crash left. */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../user/pods/runtime_names.h"
#include "../../user/pods/safe_file.h"
#include "unit.h"
#include "tree.h"

#define SEC 1000000000ull
#define C1 "1111111111111111111111111111111111111111111111111111111111111111"
#define C2 "abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789"
#define C3 "3333333333333333333333333333333333333333333333333333333333333333"
#define C4 "4444444444444444444444444444444444444444444444444444444444444444"
#define DOCKER "var/lib/docker/containers/"
#define TASKS "run/containerd/io.containerd.runtime.v2.task/"

struct fixture {
	char root[64];
	int fd;
	struct runtime_names *names;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	strcpy(f->root, "/tmp/test_runtime_names.XXXXXX");
	f->fd = tree_new(f->root);
	assert_int_equal(runtime_names_new(f->root, 64, &f->names), 0);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	runtime_names_free(f->names);
	tree_remove(f->root, f->fd);
	free(f);
	return 0;
}

static void is(const struct runtime_who *who, enum runtime runtime, const char *ns, const char *pod,
	       const char *container, const char *workload, const char *project)
{
	assert_non_null(who);
	assert_int_equal(who->runtime, runtime);
	assert_string_equal(who->part[RUNTIME_PART_NAMESPACE], ns);
	assert_string_equal(who->part[RUNTIME_PART_POD], pod);
	assert_string_equal(who->part[RUNTIME_PART_CONTAINER], container);
	assert_string_equal(who->part[RUNTIME_PART_WORKLOAD], workload);
	assert_string_equal(who->part[RUNTIME_PART_PROJECT], project);
}

static uint64_t skipped(const struct fixture *f)
{
	struct runtime_names_stats stats;

	runtime_names_get_stats(f->names, &stats);
	return stats.skipped;
}

static const struct docker_case {
	const char *name, *text;
	enum runtime runtime;
	const char *ns, *pod, *container, *workload, *project;
} dockers[] = {
	{ "docker run --name cart",
	  "{\"StreamConfig\":{},\"State\":{\"Running\":true,\"Pid\":4711},\"ID\":\"" C1
	  "\",\"Created\":\"2026-01-02T03:04:05Z\","
	  "\"Path\":\"node\",\"Args\":[],\"Config\":{\"Hostname\":\"1111\",\"Env\":[\"A=b\"],\"Labels\":{}},\"Name\":"
	  "\"/cart\"}",
	  RUNTIME_DOCKER, "", "", "cart", "cart", "" },
	{ "no labels at all", "{\"ID\":\"" C1 "\",\"Config\":{\"Labels\":null},\"Name\":\"/adoring_wozniak\"}",
	  RUNTIME_DOCKER, "", "", "adoring_wozniak", "adoring_wozniak", "" },
	{ "compose",
	  "{\"ID\":\"" C1 "\",\"Config\":{\"Labels\":{\"com.docker.compose.container-number\":\"2\","
	  "\"com.docker.compose.oneoff\":\"False\",\"com.docker.compose.project\":\"shop\","
	  "\"com.docker.compose.service\":\"checkout\"}},\"Name\":\"/shop-checkout-2\"}",
	  RUNTIME_DOCKER, "", "", "shop-checkout-2", "checkout", "shop" },
	{ "swarm",
	  "{\"ID\":\"" C1 "\",\"Config\":{\"Labels\":{\"com.docker.stack.namespace\":\"shop\","
	  "\"com.docker.swarm.service.name\":\"shop_cart\"}},\"Name\":\"/shop_cart.1.x1y2z3\"}",
	  RUNTIME_DOCKER, "", "", "shop_cart.1.x1y2z3", "shop_cart", "shop" },
	{ "an image that compose built, run by hand",
	  "{\"ID\":\"" C1 "\",\"Config\":{\"Labels\":{\"com.docker.compose.project\":\"shop\","
	  "\"com.docker.compose.service\":\"checkout\",\"com.docker.compose.version\":\"2.29.1\"}},\"Name\":\"/cart\"}",
	  RUNTIME_DOCKER, "", "", "cart", "cart", "" },
	{ "compose, a run of one time",
	  "{\"ID\":\"" C1 "\",\"Config\":{\"Labels\":{\"com.docker.compose.config-hash\":\"0a1b\","
	  "\"com.docker.compose.oneoff\":\"True\",\"com.docker.compose.project\":\"shop\","
	  "\"com.docker.compose.service\":\"checkout\",\"com.docker.compose.version\":\"2.29.1\"}},"
	  "\"Name\":\"/shop-checkout-run-6f1c\"}",
	  RUNTIME_DOCKER, "", "", "shop-checkout-run-6f1c", "checkout", "shop" },
	{ "swarm, without a stack, of such an image",
	  "{\"ID\":\"" C1 "\",\"Config\":{\"Labels\":{\"com.docker.compose.project\":\"src\","
	  "\"com.docker.compose.service\":\"app\",\"com.docker.compose.version\":\"2.29.1\","
	  "\"com.docker.swarm.service.name\":\"cart\",\"com.docker.swarm.task.name\":\"cart.1.x1y2z3\"}},"
	  "\"Name\":\"/cart.1.x1y2z3\"}",
	  RUNTIME_DOCKER, "", "", "cart.1.x1y2z3", "cart", "" },
	{ "Nomad, its labels asked for",
	  "{\"ID\":\"" C1 "\",\"Config\":{\"Labels\":{\"com.hashicorp.nomad.alloc_id\":\"0a1b\","
	  "\"com.hashicorp.nomad.job_name\":\"shop\",\"com.hashicorp.nomad.task_name\":\"web\"}},"
	  "\"Name\":\"/web-0a1b2c3d-1111-4222-8333-0123456789ab\"}",
	  RUNTIME_DOCKER, "", "", "web-0a1b2c3d-1111-4222-8333-0123456789ab", "web", "shop" },
	{ "Nomad",
	  "{\"ID\":\"" C1 "\",\"Config\":{\"Labels\":{\"com.hashicorp.nomad.alloc_id\":\"0a1b\"}},"
	  "\"Name\":\"/web-0a1b2c3d-1111-4222-8333-0123456789ab\"}",
	  RUNTIME_DOCKER, "", "", "web-0a1b2c3d-1111-4222-8333-0123456789ab", "web", "" },
	{ "cri-dockerd, an image that compose made a container of",
	  "{\"ID\":\"" C1 "\",\"Config\":{\"Labels\":{\"com.docker.compose.container-number\":\"1\","
	  "\"com.docker.compose.project\":\"src\",\"io.kubernetes.container.name\":\"app\","
	  "\"io.kubernetes.pod.name\":\"cart-1\",\"io.kubernetes.pod.namespace\":\"shop\"}},"
	  "\"Name\":\"/k8s_app_cart-1_shop_0a1b_0\"}",
	  RUNTIME_KUBERNETES, "shop", "cart-1", "app", "", "" },
	{ "ECS",
	  "{\"ID\":\"" C1 "\",\"Config\":{\"Labels\":{\"com.amazonaws.ecs.cluster\":\"prod\","
	  "\"com.amazonaws.ecs.container-name\":\"app\",\"com.amazonaws.ecs.task-arn\":"
	  "\"arn:aws:ecs:eu-west-1:123456789012:task/prod/0f0f\",\"com.amazonaws.ecs.task-definition-family\":\"cart\","
	  "\"com.amazonaws.ecs.task-definition-version\":\"3\"}},\"Name\":\"/ecs-cart-3-app-9cb5a3d2e1f0b4c6a801\"}",
	  RUNTIME_ECS, "", "", "app", "cart", "prod" },
	{ "ECS, cluster by its ARN",
	  "{\"ID\":\"" C1 "\",\"Config\":{\"Labels\":{\"com.amazonaws.ecs.cluster\":"
	  "\"arn:aws:ecs:eu-west-1:123456789012:cluster/prod\",\"com.amazonaws.ecs.container-name\":\"app\","
	  "\"com.amazonaws.ecs.task-definition-family\":\"cart\"}},\"Name\":\"/x\"}",
	  RUNTIME_ECS, "", "", "app", "cart", "prod" },
	{ "cri-dockerd",
	  "{\"ID\":\"" C1
	  "\",\"Config\":{\"Labels\":{\"io.kubernetes.container.name\":\"app\",\"io.kubernetes.docker.type\":"
	  "\"container\",\"io.kubernetes.pod.name\":\"cart-1\",\"io.kubernetes.pod.namespace\":\"shop\"}},"
	  "\"Name\":\"/k8s_app_cart-1_shop_0a1b_0\"}",
	  RUNTIME_KUBERNETES, "shop", "cart-1", "app", "", "" },
	{ "cri-dockerd's sandbox",
	  "{\"ID\":\"" C1
	  "\",\"Config\":{\"Labels\":{\"io.kubernetes.container.name\":\"POD\",\"io.kubernetes.docker.type\":"
	  "\"podsandbox\",\"io.kubernetes.pod.name\":\"cart-1\",\"io.kubernetes.pod.namespace\":\"shop\"}},\"Name\":\"/"
	  "k8s_POD_cart-1_shop_0a1b_0\"}",
	  RUNTIME_KUBERNETES, "shop", "cart-1", "", "", "" },
	{ "an image that says it is a pod's",
	  "{\"ID\":\"" C1 "\",\"Config\":{\"Labels\":{\"io.kubernetes.container.name\":\"app\","
	  "\"io.kubernetes.pod.name\":\"cart-1\",\"io.kubernetes.pod.namespace\":\"shop\"}},\"Name\":\"/cart\"}",
	  RUNTIME_DOCKER, "", "", "cart", "cart", "" },
	{ "a label that is no text, and one with a control character",
	  "{\"ID\":\"" C1 "\",\"Config\":{\"Labels\":{\"com.docker.compose.project\":7,"
	  "\"com.docker.compose.service\":\"a\\u001b[31m\"}},\"Name\":\"/cart\"}",
	  RUNTIME_DOCKER, "", "", "cart", "cart", "" },
};

static void docker_names_are_read(void **state)
{
	struct runtime_text got;

	(void)state;
	for (size_t i = 0; i < sizeof(dockers) / sizeof(dockers[0]); i++) {
		const struct docker_case *c = &dockers[i];
		int err = runtime_parse_docker(c->text, strlen(c->text), C1, &got);

		if (err || got.runtime != c->runtime || strcmp(got.part[RUNTIME_PART_NAMESPACE], c->ns) ||
		    strcmp(got.part[RUNTIME_PART_POD], c->pod) || strcmp(got.part[RUNTIME_PART_CONTAINER], c->container) ||
		    strcmp(got.part[RUNTIME_PART_WORKLOAD], c->workload) ||
		    strcmp(got.part[RUNTIME_PART_PROJECT], c->project))
			fail_msg("%s: %d, '%s' '%s' '%s'", c->name, err, got.part[RUNTIME_PART_CONTAINER],
				 got.part[RUNTIME_PART_WORKLOAD], got.part[RUNTIME_PART_PROJECT]);
	}
	assert_int_equal(runtime_parse_docker(dockers[0].text, strlen(dockers[0].text), C2, &got), -EINVAL);
	assert_int_equal(runtime_parse_docker(dockers[0].text, 40, C1, &got), -EINVAL); /* half written */
	assert_int_equal(runtime_parse_docker("[]", 2, C1, &got), -EINVAL);
	assert_int_equal(runtime_parse_docker("", 0, C1, &got), -EINVAL);
}

static void each_runtime_is_found(void **state)
{
	static const char *const places[] = {
		"run/k3s/containerd/io.containerd.runtime.v2.task",
		"run/k0s/containerd/io.containerd.runtime.v2.task",
		"var/snap/microk8s/common/run/containerd/io.containerd.runtime.v2.task",
		"run/containerd/io.containerd.runtime.v1.linux",
	};
	struct fixture *f = *state;
	struct runtime_state states[RUNTIME_STATES];
	char path[256], text[256];

	tree_put(f->fd, DOCKER C1 "/config.v2.json", dockers[0].text);
	tree_put(f->fd, TASKS "moby/" C1 "/config.json", "{\"ociVersion\":\"1.0.2\",\"annotations\":{}}");
	tree_put(f->fd, TASKS "k8s.io/" C2 "/config.json",
		 "{\"ociVersion\":\"1.0.2\",\"annotations\":{\"io.kubernetes.cri.container-name\":\"app\","
		 "\"io.kubernetes.cri.container-type\":\"container\",\"io.kubernetes.cri.sandbox-name\":\"cart-1\","
		 "\"io.kubernetes.cri.sandbox-namespace\":\"shop\"}}");
	tree_put(f->fd, TASKS "default/" C3 "/config.json",
		 "{\"annotations\":{\"nerdctl/name\":\"web\",\"nerdctl/namespace\":\"default\"}}");
	tree_put(f->fd, TASKS "default/cart/config.json", "{}");
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		snprintf(path, sizeof(path), "%s/k8s.io/%064zx/config.json", places[i], i);
		snprintf(text, sizeof(text),
			 "{\"annotations\":{\"io.kubernetes.cri.container-name\":\"app\","
			 "\"io.kubernetes.cri.sandbox-name\":\"cart-%zu\",\"io.kubernetes.cri.sandbox-namespace\":"
			 "\"shop\"}}",
			 i);
		tree_put(f->fd, path, text);
	}
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		snprintf(path, sizeof(path), "%064zx", i);
		snprintf(text, sizeof(text), "cart-%zu", i);
		is(runtime_names_find(f->names, path, 0, SEC), RUNTIME_KUBERNETES, "shop", text, "app", "", "");
	}
	is(runtime_names_find(f->names, C1, 0, SEC), RUNTIME_DOCKER, "", "", "cart", "cart", "");
	is(runtime_names_find(f->names, C2, 0, SEC), RUNTIME_KUBERNETES, "shop", "cart-1", "app", "", "");
	is(runtime_names_find(f->names, C3, 0, SEC), RUNTIME_CONTAINERD, "", "", "web", "web", "");
	is(runtime_names_find_task(f->names, "default/cart", SEC), RUNTIME_CONTAINERD, "", "", "cart", "cart", "");
	assert_null(runtime_names_find_task(f->names, "default/other", SEC));
	assert_null(runtime_names_find_task(f->names, "system.slice", SEC));
	assert_null(runtime_names_find_task(f->names, "../cart", SEC));
	runtime_names_state(f->names, states);
	assert_int_equal(states[0].err, 0);
	assert_int_equal(states[0].containers, 1);
	assert_int_equal(states[1].containers, 7);
	assert_int_equal(states[2].err, -ENOENT);
	assert_int_equal(skipped(f), 0);
}

static void crio_and_podman_share_a_folder(void **state)
{
	struct runtime_state states[RUNTIME_STATES];
	struct fixture *f = *state;

	tree_put(f->fd, "run/containers/storage/overlay-containers/" C1 "/userdata/config.json",
		 "{\"annotations\":{\"io.kubernetes.container.name\":\"app\",\"io.kubernetes.cri-o.ContainerType\":"
		 "\"container\","
		 "\"io.kubernetes.pod.name\":\"cart-1\",\"io.kubernetes.pod.namespace\":\"shop\"}}");
	tree_put(f->fd, "var/lib/containers/storage/overlay-containers/" C2 "/userdata/config.json",
		 "{\"annotations\":{\"io.container.manager\":\"libpod\"}}");
	tree_put(f->fd, "var/lib/containers/storage/overlay-containers/containers.json",
		 "[{\"id\":\"" C1 "\",\"names\":[\"k8s_app_cart-1_shop_0a1b_0\"]},{\"id\":\"" C2
		 "\",\"names\":[\"cart\"],"
		 "\"image\":\"aa\",\"metadata\":\"{\\\"name\\\":\\\"cart\\\"}\"}]");
	tree_put(f->fd, "var/lib/containers/storage/overlay-containers/volatile-containers.json",
		 "[{\"id\":\"" C3 "\",\"names\":[\"web-0a1b2c3d-1111-4222-8333-0123456789ab\"]},"
		 "{\"id\":\"" C4 "\",\"names\":[\"k8s_test\"]}]");
	is(runtime_names_find(f->names, C1, 0, SEC), RUNTIME_KUBERNETES, "shop", "cart-1", "app", "", "");
	is(runtime_names_find(f->names, C2, 0, SEC), RUNTIME_PODMAN, "", "", "cart", "cart", "");
	is(runtime_names_find(f->names, C3, 0, SEC), RUNTIME_PODMAN, "", "", "web-0a1b2c3d-1111-4222-8333-0123456789ab",
	   "web", ""); /* Nomad's podman driver */
	is(runtime_names_find(f->names, C4, 0, SEC), RUNTIME_PODMAN, "", "", "k8s_test", "k8s_test", "");
	runtime_names_state(f->names, states);
	assert_string_equal(states[2].name, "crio");
	assert_int_equal(states[2].containers, 1);
	assert_string_equal(states[3].name, "podman");
	assert_int_equal(states[3].containers, 3);
}

static void data_elsewhere_is_found_by_the_configuration(void **state)
{
	struct runtime_state states[RUNTIME_STATES];
	struct fixture *f = *state;

	tree_put(f->fd, "etc/docker/daemon.json", "{ \"log-driver\": \"local\", \"data-root\": \"/mnt/docker\" }");
	tree_put(f->fd, "mnt/docker/containers/" C1 "/config.v2.json", dockers[0].text);
	tree_put(f->fd, "etc/containers/storage.conf",
		 "[storage]\ndriver = \"vfs\"\n# graphroot = \"/no\"\ngraphroot = \"/mnt/podman\"\n");
	tree_put(f->fd, "etc/containerd/config.toml",
		 "version = 2\nroot = \"/no\"\nstate = \"/mnt/run/containerd\"\n[debug]\n  state = \"/no\"\n");
	tree_put(f->fd, "mnt/run/containerd/io.containerd.runtime.v2.task/default/" C3 "/config.json",
		 "{\"annotations\":{\"nerdctl/name\":\"web\"}}");
	tree_put(f->fd, "mnt/run/containerd/io.containerd.runtime.v2.task/default/batch/config.json", "{}");
	tree_put(f->fd, "mnt/podman/vfs-containers/containers.json", "[{\"id\":\"" C2 "\",\"names\":[\"cart\"]}]");
	is(runtime_names_find(f->names, C1, 0, SEC), RUNTIME_DOCKER, "", "", "cart", "cart", "");
	is(runtime_names_find(f->names, C2, 0, SEC), RUNTIME_PODMAN, "", "", "cart", "cart", "");
	is(runtime_names_find(f->names, C3, 0, SEC), RUNTIME_CONTAINERD, "", "", "web", "web", "");
	is(runtime_names_find_task(f->names, "default/batch", SEC), RUNTIME_CONTAINERD, "", "", "batch", "batch", "");
	runtime_names_state(f->names, states);
	for (size_t i = 0; i < RUNTIME_STATES; i++) {
		assert_int_equal(states[i].err, 0);
		assert_int_equal(strncmp(states[i].place, "/mnt/", 5), 0);
	}
}

static void user_namespaces_move_docker_down(void **state)
{
	struct fixture *f = *state;

	tree_put(f->fd, "var/lib/docker/100000.100000/containers/" C1 "/config.v2.json", dockers[0].text);
	is(runtime_names_find(f->names, C1, 0, SEC), RUNTIME_DOCKER, "", "", "cart", "cart", "");
}

static void a_user_names_its_own_and_nobody_elses(void **state)
{
	struct fixture *f = *state;

	tree_put(f->fd, "etc/passwd", "root:x:0:0::/root:/bin/sh\nmallory:x:1000:1000:M:/home/mallory:/bin/sh\n");
	tree_put(f->fd, "home/mallory/.local/share/containers/storage/overlay-containers/containers.json",
		 "[{\"id\":\"" C1 "\",\"names\":[\"false\"]},{\"id\":\"" C2 "\",\"names\":[\"mine\"]}]");
	tree_put(f->fd, "home/mallory/.local/share/nerdctl/1935db59/names/default/web", C3);
	tree_put(f->fd, "home/mallory/.local/share/nerdctl/1935db59/names/default/we\x1b", C4);
	tree_put(f->fd, DOCKER C1 "/config.v2.json", dockers[0].text);
	is(runtime_names_find(f->names, C3, 1000, SEC), RUNTIME_CONTAINERD, "", "", "web", "web", "");
	assert_null(runtime_names_find(f->names, C3, 0, SEC));
	assert_null(runtime_names_find(f->names, C4, 1000, SEC));
	is(runtime_names_find(f->names, C2, 1000, SEC), RUNTIME_PODMAN, "", "", "mine", "mine", "");
	assert_null(runtime_names_find(f->names, C2, 0, SEC));
	assert_null(runtime_names_find(f->names, C2, 1001, SEC));
	is(runtime_names_find(f->names, C1, 0, SEC), RUNTIME_DOCKER, "", "", "cart", "cart", "");
	is(runtime_names_find(f->names, C1, 1000, SEC), RUNTIME_PODMAN, "", "", "false", "false", "");
}

static void links_do_not_lead_out(void **state)
{
	struct fixture *f = *state;
	char *text;
	int fd;

	/* the place itself may be a link, as seen from the root: a disk of its own */
	tree_put(f->fd, "mnt/disk/containers/" C1 "/config.v2.json", dockers[0].text);
	tree_above(f->fd, "var/lib/x");
	assert_int_equal(symlinkat("../../mnt/../../../mnt/disk", f->fd, "var/lib/docker"), 0);
	is(runtime_names_find(f->names, C1, 0, SEC), RUNTIME_DOCKER, "", "", "cart", "cart", "");
	/* what stands below it is none */
	tree_put(f->fd, "secret", "{\"Name\":\"/stolen\"}");
	tree_above(f->fd, "mnt/disk/containers/" C2 "/x");
	assert_int_equal(symlinkat("../../../../secret", f->fd, "mnt/disk/containers/" C2 "/config.v2.json"), 0);
	assert_null(runtime_names_find(f->names, C2, 0, SEC));
	assert_int_equal(skipped(f), 1);
	assert_int_equal(symlinkat(C1, f->fd, "mnt/disk/containers/" C3), 0);
	assert_null(runtime_names_find(f->names, C3, 0, SEC));
	assert_int_equal(symlinkat("loop", f->fd, "loop"), 0);
	assert_int_equal(safe_open_root(f->fd, "/loop/x"), -ELOOP);
	assert_int_equal(safe_read_file(f->fd, "../etc/passwd", 4096, &text), -EINVAL);
	assert_int_equal(safe_open_dir(f->fd, "mnt/.."), -EINVAL);
	fd = safe_open_root(f->fd, "/../../..");
	assert_true(fd >= 0);
	close(fd);
}

static void what_cannot_be_read_is_skipped_and_counted(void **state)
{
	struct fixture *f = *state;
	char *huge = malloc((1u << 20) + 2);

	tree_put(f->fd, DOCKER C1 "/config.v2.json", "{\"ID\":\"" C1 "\",\"Na");
	assert_null(runtime_names_find(f->names, C1, 0, SEC));
	assert_int_equal(skipped(f), 1);
	memset(huge, ' ', (1u << 20) + 1);
	huge[(1u << 20) + 1] = '\0';
	tree_put(f->fd, DOCKER C2 "/config.v2.json", huge);
	free(huge);
	assert_null(runtime_names_find(f->names, C2, 0, SEC));
	assert_int_equal(skipped(f), 2);
	tree_above(f->fd, DOCKER C3 "/x");
	assert_int_equal(mkfifoat(f->fd, DOCKER C3 "/config.v2.json", 0600), 0);
	assert_null(runtime_names_find(f->names, C3, 0, SEC));
	assert_int_equal(skipped(f), 3);
	assert_null(runtime_names_find(f->names, "../../../etc", 0, SEC));
}

static void what_was_not_there_is_asked_for_again(void **state)
{
	struct fixture *f = *state;

	assert_null(runtime_names_find(f->names, C1, 0, SEC));
	tree_put(f->fd, DOCKER C1 "/config.v2.json", dockers[0].text);
	assert_null(runtime_names_find(f->names, C1, 0, SEC + SEC / 10));
	is(runtime_names_find(f->names, C1, 0, SEC + SEC / 2), RUNTIME_DOCKER, "", "", "cart", "cart", "");
	/* the container is gone: its requests are still its */
	assert_int_equal(unlinkat(f->fd, DOCKER C1 "/config.v2.json", 0), 0);
	is(runtime_names_find(f->names, C1, 0, 1000 * SEC), RUNTIME_DOCKER, "", "", "cart", "cart", "");
}

static void looks_and_entries_are_bounded(void **state)
{
	struct fixture *f = *state;
	struct runtime_names_stats stats;
	char id[65];

	for (int i = 0; i < 300; i++) {
		snprintf(id, sizeof(id), "%064x", i);
		assert_null(runtime_names_find(f->names, id, 1000, SEC));
	}
	runtime_names_get_stats(f->names, &stats);
	assert_int_equal(stats.entries, 64);
	assert_int_equal(stats.evicted, 200 - 64);
	assert_int_equal(stats.deferred, 100);
	/* a user that asks too much takes nothing from the node's own */
	tree_put(f->fd, DOCKER C1 "/config.v2.json", dockers[0].text);
	is(runtime_names_find(f->names, C1, 0, SEC), RUNTIME_DOCKER, "", "", "cart", "cart", "");
}

static void none(void *arg, const char *id, const struct runtime_text *what)
{
	fail_msg("%s", id);
}

/* A home folder is its user's: files without end in it take no more than the users' share of a second. */
static void a_users_files_cost_a_share_at_most(void **state)
{
	static const char store[] = "home/mallory/.local/share/nerdctl/1/names";
	static char list[4 << 20];
	struct fixture *f = *state;
	struct runtime_names_stats stats;
	char path[200], first[200];
	size_t over;

	tree_put(f->fd, "etc/passwd", "mallory:x:1000:1000:M:/home/mallory:/bin/sh\n");
	for (int i = 0; i < 9000; i++) {
		snprintf(path, sizeof(path), "%s/%d/%d", store, i / 1000, i);
		if (i % 1000 == 0) {
			tree_put(f->fd, path, "");
			strcpy(first, path);
		} else {
			assert_int_equal(linkat(f->fd, first, f->fd, path, 0), 0);
		}
	}
	assert_null(runtime_names_find(f->names, C1, 1000, SEC));
	assert_null(runtime_names_find(f->names, C2, 1000, SEC));
	runtime_names_get_stats(f->names, &stats);
	assert_int_not_equal(stats.deferred, 0);
	/* nor as many values as make 300 MiB of 4 */
	for (size_t i = 0; i + 3 <= sizeof(list); i += 3)
		memcpy(list + i, i ? ",{}" : "[{}", 3);
	list[sizeof(list) - 1] = ']';
	assert_int_equal(runtime_parse_storage(list, sizeof(list), 8192, none, NULL, &over), -EINVAL);
}

static void a_root_that_is_not_there_is_no_error(void **state)
{
	struct runtime_state states[RUNTIME_STATES];
	struct runtime_names *names;

	(void)state;
	assert_int_equal(runtime_names_new("/nonexistent", 4, &names), 0);
	assert_null(runtime_names_find(names, C1, 0, SEC));
	runtime_names_state(names, states);
	assert_int_equal(states[0].err, -ENOENT);
	runtime_names_free(names);
}

static void cni_files_give_the_container(void **state)
{
	static const char host_local[] = C1 "\r\neth0";
	static const char result[] =
	    "{\"kind\":\"cniCacheV1\",\"containerId\":\"" C2 "\",\"ifName\":\"eth0\",\"networkName\":\"n\","
	    "\"result\":{\"cniVersion\":\"0.4.0\",\"ips\":[{\"address\":\"10.1.0.5/24\",\"version\":\"4\"}]}}";
	char id[128];

	(void)state;
	assert_true(runtime_parse_host_local(host_local, strlen(host_local), id, sizeof(id)));
	assert_string_equal(id, C1);
	assert_false(runtime_parse_host_local("", 0, id, sizeof(id)));
	assert_false(runtime_parse_host_local("../x\n", 5, id, sizeof(id)));
	assert_true(runtime_parse_cni_result(result, strlen(result), "10.1.0.5", id, sizeof(id)));
	assert_string_equal(id, C2);
	assert_false(runtime_parse_cni_result(result, strlen(result), "10.1.0.50", id, sizeof(id)));
	assert_false(runtime_parse_cni_result(result, strlen(result), "10.1.0", id, sizeof(id)));
	assert_false(runtime_parse_cni_result(result, 60, "10.1.0.5", id, sizeof(id)));
}

static void a_tap_device_gives_the_machine(void **state)
{
	static const char text[] =
	    "<!--\nWARNING: THIS IS AN AUTO-GENERATED FILE.\n-->\n<domstatus state='running' reason='booted' "
	    "pid='4711'>\n  <domain type='kvm' id='1'>\n    <name>web-1</name>\n    <devices>\n"
	    "      <disk type='file'><target dev='vda' bus='virtio'/></disk>\n"
	    "      <interface type='bridge'>\n        <target dev='vnet7'/>\n      </interface>\n";
	char name[16];

	(void)state;
	assert_true(runtime_parse_domain(text, strlen(text), "vnet7", name, sizeof(name)));
	assert_string_equal(name, "web-1");
	assert_false(runtime_parse_domain(text, strlen(text), "vnet", name, sizeof(name)));
	assert_false(runtime_parse_domain(text, strlen(text), "vda", name, sizeof(name)));
	assert_false(runtime_parse_domain(text, strlen(text), "", name, sizeof(name)));
	assert_false(runtime_parse_domain(text, 150, "vnet7", name, sizeof(name))); /* half written */
	assert_false(runtime_parse_domain(text, strlen(text), "vnet7", name, 4));
}

static void arguments_give_the_machine(void **state)
{
	static const struct {
		const char *text;
		size_t len;
		const char *name; /* NULL: none */
	} rows[] = {
#define ARGUMENTS(text, name) { text, sizeof(text), name }
		ARGUMENTS("firecracker\0--api-sock\0/run/a\0--id\0web-1", "web-1"),
		ARGUMENTS("/firecracker\0--id=551e7604-e35c-42b3-b825-416853441234\0--start-time-us=1",
			  "551e7604-e35c-42b3-b825-416853441234"),
		ARGUMENTS("qemu-system-x86_64\0-name\0web", "web"),
		ARGUMENTS("qemu-system-x86_64\0-name\0guest=web,debug-threads=on\0-m\0512", "web"),
		ARGUMENTS("qemu-system-x86_64\0-name\0web,process=x", "web"),
		ARGUMENTS("qemu-system-x86_64\0-name", NULL),
		ARGUMENTS("qemu-system-x86_64\0-name\0", NULL),
		ARGUMENTS("x\0--identity\0a", NULL),
		ARGUMENTS("x\0--id\0../a", NULL),
		ARGUMENTS("x\0--id\0a\x1b[m", NULL),
		ARGUMENTS("", NULL),
	};
	char name[64];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		bool found = runtime_parse_machine_arguments(rows[i].text, rows[i].len, name, sizeof(name));

		if (found != (rows[i].name != NULL) || (found && strcmp(name, rows[i].name)))
			fail_msg("row %zu: %d '%s'", i, found, found ? name : "");
	}
	assert_false(runtime_parse_machine_arguments("x\0--id=", 7, name, sizeof(name)));
	assert_false(runtime_parse_machine_arguments("x\0--id=ab", 8, name, 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(docker_names_are_read),
		cmocka_unit_test_setup_teardown(each_runtime_is_found, set_up, tear_down),
		cmocka_unit_test_setup_teardown(crio_and_podman_share_a_folder, set_up, tear_down),
		cmocka_unit_test_setup_teardown(data_elsewhere_is_found_by_the_configuration, set_up, tear_down),
		cmocka_unit_test_setup_teardown(user_namespaces_move_docker_down, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_user_names_its_own_and_nobody_elses, set_up, tear_down),
		cmocka_unit_test_setup_teardown(links_do_not_lead_out, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_cannot_be_read_is_skipped_and_counted, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_was_not_there_is_asked_for_again, set_up, tear_down),
		cmocka_unit_test_setup_teardown(looks_and_entries_are_bounded, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_users_files_cost_a_share_at_most, set_up, tear_down),
		cmocka_unit_test(a_root_that_is_not_there_is_no_error),
		cmocka_unit_test(cni_files_give_the_container),
		cmocka_unit_test(a_tap_device_gives_the_machine),
		cmocka_unit_test(arguments_give_the_machine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
