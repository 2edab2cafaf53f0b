/* SPDX-License-Identifier: GPL-2.0-only */
/* The workload behind a pod or container: its name without what a controller generated. Pure. */
#ifndef IMDSNOOP_WORKLOAD_H
#define IMDSNOOP_WORKLOAD_H

#include <stddef.h>

#define WORKLOAD_LEN 254 /* a pod's name has at most 253 bytes */

/*
 * "cart-7d9f6c5b8-x2x4q" (ReplicaSet, CronJob) gives "cart", "agent-5k2p9" (DaemonSet, Job) "agent", "db-0"
 * (StatefulSet) "db", "kube-proxy-NODE" (static pod) "kube-proxy", "hello-00001-deployment-…" (Knative) "hello",
 * "pi-1a2b3c4d5e6f7a8b-exec-1" (Spark) "pi", "ci-9jc7k-clone-1187431099" (Argo) and "ci-9jc7k-clone-pod" (Tekton) "ci",
 * "runner-TOKEN-project-7-concurrent-0-…" (GitLab) "runner-TOKEN-project-7";
 * anything else is itself. node may be "". Cut at len. Returns buf.
 */
char *workload_name(const char *pod, const char *node, char *buf, size_t len);

/*
 * Of a container outside Kubernetes, where no label tells: "ecs-cart-3-app-9cb5…" (the ECS agent's form) gives the task
 * family "cart", "web-<UUID>" (Nomad's Docker driver) "web"; anything else is itself. Cut at len. Returns buf.
 */
char *workload_of_container(const char *name, char *buf, size_t len);

/*
 * "web.service" gives "web", "getty@tty1.service" "getty", "user@1000.service" itself. What is in a machine gives that one's
 * name: "web" in "systemd-nspawn@web.service", "machine-qemu\x2d3\x2dweb.scope", "lxc.payload.web"; Nomad's
 * "<UUID>.web.scope" and OpenRC's "openrc.web" too, Slurm's "job_42" as it is, steps of `docker build` that. "" for what is
 * none of these. Cut at len. Returns buf.
 */
char *workload_of_unit(const char *cgroup, char *buf, size_t len);

#endif
