#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# Containers of a real dockerd at hop limit 1, each by the name that its people use: docker run, compose's and ECS's labels,
# shellcheck disable=SC2015,SC2016	# the second fails only where the first did not; $ is for eval and jq
# the host's network, and two daemons whose networks have the same addresses.
# shellcheck source=tests/lib/e2e.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/e2e.sh"
# shellcheck source=tests/lib/docker.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/docker.sh"
dk_need
e2e_lab --hop-limit 1
lab_node other
e2e_later part
part() { umount "$LAB_ROOT/root/var/lib/docker" "$LAB_ROOT/root/var/snap/docker/common/var-lib-docker" 2>/dev/null; }
e2e_later dk_down node
e2e_later dk_down other
check "dockerd starts" dk_up || exit
check "a second one starts, with the same addresses" eval 'LAB_NODE=other dk_up' || exit

# both daemons' containers are seen; names come from both, joined to one root
mkdir -p "$LAB_ROOT/root/var/lib/docker" "$LAB_ROOT/root/var/snap/docker/common/var-lib-docker"
mount --bind "$LAB_ROOT/node/root/var/lib/docker" "$LAB_ROOT/root/var/lib/docker" &&
	mount --bind "$LAB_ROOT/other/root/var/lib/docker" "$LAB_ROOT/root/var/snap/docker/common/var-lib-docker" ||
	e2e_die "the daemons' folders are joined"
r=$LAB_ROOT/report t=$LAB_ROOT/trace
names=(--cgroup "$LAB_CG" --runtime-dirs "$LAB_ROOT/root")
report_start "$r" "${names[@]}"
trace_start "$t" "${names[@]}" --container cart
"$IMDSNOOP" report --cgroup "$LAB_CG" --runtime-dirs "$LAB_ROOT/root" --workload shop/checkout --json --duration 60s \
	--output "$r.one" 2>"$r.err" &
one=$!
lab_attached $one || e2e_die "report --workload attaches"

check "docker run --name cart: gets no token" dk run --rm --name cart client:1 "${DK_PUT[@]}"
check "docker run: gets v1 data" dk run --rm --name cart-v1 client:1 "${DK_GET[@]}"
compose() { dk run --rm --name "shop-$1-$2" --label com.docker.compose.project=shop --label "com.docker.compose.service=$1" \
	--label "com.docker.compose.container-number=$2" client:1 "${DK_PUT[@]}"; }
check "compose service: gets no token" compose checkout 2
check "ECS task: gets no token" dk run --rm --name ecs-cart-3-app-9cb5a3d2e1f0b4c6a801 \
	--label com.amazonaws.ecs.cluster=prod --label com.amazonaws.ecs.container-name=app \
	--label com.amazonaws.ecs.task-definition-family=cart client:1 "${DK_PUT[@]}"
check "--network host: gets a token" dk run --rm --name agent --network host client:1 "${DK_PUT[@]}"
check "the other daemon's: gets no token" eval 'LAB_NODE=other dk run --rm --name other client:1 "${DK_PUT[@]}"'
trace_stop
report_stop
check "report ends well" equal $? 0
kill -INT $one && wait $one
check "report --workload ends well" equal $? 0

for c in cart other shop-checkout-2 app; do
	expect_report "$r" "$c: exhausted, proven, needs 2" "[.pods[] | select(.container == \"$c\")] | length == 1 and
		(.[0] | .requests == 1 and .hop_limit == \"exhausted\" and .confidences == { proven: 1 } and
		.required_hop_limit == 2)"
done
named='def named($c): .pods[] | select(.container == $c) | [.runtime, .project, .workload, .namespace, .pod];'
expect_report "$r" "docker run: its name" "$named"'named("cart") == ["docker", "", "cart", "", ""]'
expect_report "$r" "compose: project and service" "$named"'named("shop-checkout-2") == ["docker", "shop", "checkout", "", ""]'
expect_report "$r" "ECS: cluster, family, container" "$named"'named("app") == ["ecs", "prod", "cart", "", ""]'
expect_report "$r" "host network: ok, needs 1" '.pods[] | select(.container == "agent") | .hop_limit == "ok" and
	.required_hop_limit == 1'
expect_report "$r" "who only asks v1 is not blamed for the hop limit" '[.findings[] | select(.container == "cart-v1" and
	.code == "hop-limit-exhausted")] == []'
expect_report "$r" "findings say the name" '[.findings[] | select(.code == "hop-limit-exhausted") | .summary] | join("\n") |
	test("cart") and test("shop-checkout-2") and test("prod/cart") and (test("[0-9a-f]{64}") | not)'
expect_nothing_lost "$r" "nothing lost"
expect_trace "$t" "--container cart shows it alone" 'requests | length == 1 and all_are(.container == "cart" and
	.runtime == "docker" and .outcome == "hop-limit" and .confidence == "proven" and (.local | startswith("10.201.0.")))'
expect_report "$r.one" "--workload shop/checkout shows it alone" '[.pods[].container] == ["shop-checkout-2"]'
check "check counts the containers of Docker" eval '"$IMDSNOOP" check --runtime-dirs "$LAB_ROOT/root" --json |
	jq -e ".features[] | select(.name == \"docker\") | .state == \"ok\" and (.why | test(\"container\"))"'
