#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# probe asks from inside pods that are silent, tells who gets a token, and sees the switch when the hop limit changes.
# shellcheck source=tests/lib/e2e.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/e2e.sh"
e2e_lab --hop-limit 1
lab_pod_bridge web-1 --namespace shop
lab_sidecar web-1 proxy
lab_pod_extra deep-1 --namespace shop
lab_pod_host agent-1 --namespace kube-system
lab_pod_host agent-2 --namespace kube-system
lab_pod_bridge block-1 --namespace shop
lab_pod_bridge reject-1 --namespace shop
lab_pod_v6 six-1 --namespace six
lab_pod_bridge idle-1 --namespace shop		# nothing runs in it
settled() {			# settled POD: its process runs
	local pod_name pod_namespace pod_container pod_uid pod_id pod_node pod_netns pod_ip pod_router pod_cgroup
	lab_pod_load "$1" && test "$(cat "/proc/$(head -1 "$pod_cgroup/cgroup.procs")/comm")" = sleep
}
for p in web-1 web-1+proxy deep-1 agent-1 agent-2 block-1 reject-1 six-1; do lab_exec $p sleep 1000 & disown; done
for p in web-1 web-1+proxy deep-1 agent-1 agent-2 block-1 reject-1 six-1; do lab_wait_for 5 settled $p 2>/dev/null || lab_fail "$p does not start"; done
lab_drop block-1
lab_reject reject-1
t=$LAB_ROOT/probe

probe() { lab_imdsnoop probe "$@"; }
lines() { jq -c 'select(.type == "probe")' "$t"; }
asked() { grep -c 'PUT /latest/api/token' "$(lab_server_log)"; }
probed() { expect_trace "$t" "$1: $2" "map(select(.type == \"probe\" and .pod == \"$1\")) | length == 1 and all_are($3)"; }

probe --all --json --exit-code >"$t" 2>"$t.err"
check "--exit-code: 10 when a pod gets no token" equal $? 10
check "it says first what it will send, and how often" grep -q "one 'PUT /latest/api/token'.*6 network namespaces, one at a time" "$t.err"
expect_trace "$t" "start, a line for each network, end" '.[0].type == "start" and .[-1].type == "end" and length == 8'
probed web-1 "exhausted, proven, needs 2" '.outcome == "hop-limit" and .confidence == "proven" and .required_hop_limit == 2 and
	.hops == 1 and .ttl_dropped == 1 and .ttl_synack == 63 and (.drop_location | test("ip_forward")) and .token == false and
	.container == "app" and .connect_us > 0 and .status == null'
probed deep-1 "two forwards, needs 3" '.outcome == "hop-limit" and .confidence == "proven" and .required_hop_limit == 3'
probed agent-1 "host network: fine, and asked once for all" '.outcome == "ok" and .token and .hops == 0 and
	.required_hop_limit == 1 and .ttl_response == 1 and .status == 200 and .also == 1 and .first_byte_us > 0'
probed block-1 "blocked by DROP" '.outcome == "blocked" and .confidence == null'
probed reject-1 "blocked by REJECT" '.outcome == "blocked" or .outcome == "refused"'
probed six-1 "without IPv4: asked over IPv6, dies too" '.endpoint == "[fd00:ec2::254]:80" and .outcome == "hop-limit" and
	.confidence == "proven" and (.drop_location | test("ip6_forward"))'
expect_trace "$t" "nobody is named where nothing runs" 'map(select(.pod == "idle-1")) | length == 0'
expect_trace "$t" "the end adds up" '.[-1] | .asked == 6 and .without_token == 5 and .not_asked == 0 and .required_hop_limit == 3'
check "nothing of a token is kept" sh -c "! grep -qE 'AQA|token-[0-9]' '$t' '$t.err'"
check "no process is left behind" sh -c "! pgrep -x imdsnoop -g 0 >/dev/null"

probe --pod 'web-*' >"$t" 2>"$t.err"
check "text: exits 0 without --exit-code" equal $? 0
check "text: says what is wrong" grep -qE '^shop/web-1.*hop-limit proven +1 +2 +63.*died at TTL 1 in ip_forward' "$t"
check "text: says which limit would do" grep -q '^0 of 1 get a token; 1 would with hop limit 2$' "$t"
probe --pod web-1 --endpoint fd00:ec2::254 --json >"$t" 2>/dev/null
expect_trace "$t" "no route is no hop limit" 'map(select(.type == "probe")) | all_are(.outcome == "not-sent" and .confidence == null)'


# Without BTF no drops are seen: a limit can be suspected only, and not against what others got. Run on the node, so
# that host networking is known to be that.
on_node() {			# on_node COMMAND... --: what runs imdsnoop
	local LAB_ARGS with=()
	while [ "$1" != -- ]; do with+=("$1"); shift; done
	shift
	lab_args
	lab_in node "${with[@]}" "$IMDSNOOP" probe "${LAB_ARGS[@]}" "$@"
}
# shellcheck disable=SC2016
# unshare's own way of keeping mounts apart needs a root that is a mount point, which a chroot's is not
no_drops() { on_node unshare -m --propagation unchanged sh -c 'mount --make-rprivate /sys && mount -t tmpfs none /sys/kernel/btf && exec "$0" "$@"' -- "$@"; }
no_hooks() { on_node "$LAB_BIN/without_bpf" -- "$@"; }
fine='.outcome == "ok" and .status == 200 and .bytes_in > 100'
in_node='.host_network and .hops == 0 and .required_hop_limit == 1'
for less in no_drops no_hooks; do
	lab_server_set hop-limit 1
	$less --all --json >"$t" 2>"$t.err"
	expect_trace "$t" "$less: nothing is proven" 'map(select(.type == "probe")) | length == 6 and
		all(.[]; .confidence == null or .confidence == "likely")'
	probed web-1 "$less: likely" '.outcome == "hop-limit" and .confidence == "likely"'
	probed agent-1 "$less: fine" "$fine"
	probed agent-1 "$less: host network, known by its namespace" "$in_node"
	probed block-1 "$less: no answer, and no hop limit" '.outcome == "no-response"'
	probed reject-1 "$less: refused" '.outcome == "refused"'
	case $less in
	no_drops) probed web-1 "$less: how far it is" '.ttl_synack == 63 and .required_hop_limit == 2' ;;
	no_hooks) probed web-1 "$less: the socket knows no TTL" '.ttl_synack == null and .hops == null' ;;
	esac
	lab_server_set hop-limit 2
	$less --pod '*-1' --namespace shop --json >"$t" 2>/dev/null
	probed web-1 "$less, limit 2: near pod ok" '.outcome == "ok"'
	case $less in
	no_drops) probed deep-1 "$less, limit 2: far pod likely" '.outcome == "hop-limit" and .required_hop_limit == 3' ;;
	no_hooks) probed deep-1 "$less, limit 2: another gets one, so not blamed" '.outcome == "no-response"' ;;
	esac
	lab_server_set silent-token 1
	$less --all --json >"$t" 2>/dev/null
	probed web-1 "$less: the node gets none either, so it is no hop limit" '.outcome == "no-response"'
	lab_server_set silent-token 0
done
check "without hooks: it says so" grep -q 'without hooks' "$t.err"
lab_server_set hop-limit 1

# How long it waits for an answer: --stall, 1 s without it.
lab_server_set hop-limit 2
lab_server_set slow-ms 1500
probe --pod web-1 --json >"$t" 2>"$t.err"
probed web-1 "an answer after 1.5 s is none within 1 s" '.token == false and .outcome == "no-response"'
probe --pod web-1 --json --stall 3s >"$t" 2>"$t.err"
probed web-1 "--stall 3s: it is one" '.token and .outcome == "ok" and .first_byte_us > 1400000'
check "--stall 3s: it says so" grep -q 'at most 3 s each' "$t.err"
lab_server_set slow-ms 300
probe --pod web-1 --json --stall 100ms >"$t" 2>"$t.err"
probed web-1 "--stall 100ms: an answer after 0.3 s is none" '.token == false'
lab_server_set slow-ms 0
lab_server_set hop-limit 1

# As a runtime begins a container: in its cgroup at once, in the node's network still.
lab_pod_bridge starting-1 --namespace shop
lab_pod_load starting-1
lab_in node sh -c 'echo $$ >"$0" && until [ -e "$1" ]; do :; done; exec nsenter --net="$2" -- sleep 1000' \
	"$pod_cgroup/cgroup.procs" "$LAB_ROOT/started" "/run/netns/$LAB_ID-$pod_netns" & disown
lab_wait_for 5 grep -q . "$pod_cgroup/cgroup.procs" || lab_fail "starting-1 does not start"
lab_server_set hop-limit 64
lab_server_set slow-ms 6000
probe --pod starting-1 --json --stall 9s >"$t" 2>"$t.err" &
pid=$!
lab_wait_for 10 grep -q 'PUT /latest' "$t.err"
touch "$LAB_ROOT/started"
wait $pid
probed starting-1 "the network of a moment ago is not taken for its own" '.asked == false and .token == false and .outcome == null and (.why | test("changed their network"))'
lab_server_set slow-ms 0
probe --pod starting-1 --json >"$t" 2>"$t.err"
probed starting-1 "asked again: its own" '.token and .hops == 1 and .host_network == false'
lab_server_set hop-limit 1

# The switch, seen live.
t=$LAB_ROOT/watch
lab_args
"$IMDSNOOP" probe "${LAB_ARGS[@]}" --pod 'web-*' --watch --json >"$t" 2>"$t.err" </dev/null &
pid=$!
states() { jq -r 'select(.type == "probe") | .outcome' "$t" | tr '\n' ' '; }
is_states() { equal "$(states)" "$1"; }
check "--watch: exhausted first" lab_wait_for 10 is_states "hop-limit "
lab_server_set hop-limit 2
check "--watch: ok once the limit is 2" lab_wait_for 10 is_states "hop-limit ok "
sleep 2.5
check "--watch: a line for a change only" is_states "hop-limit ok "
lab_server_set hop-limit 1
check "--watch: and back" lab_wait_for 10 is_states "hop-limit ok hop-limit "
lab_drop web-1
check "--watch: a policy comes" lab_wait_for 10 is_states "hop-limit ok hop-limit blocked "
lab_pod_delete web-1
check "--watch: the pod goes" lab_wait_for 10 sh -c "grep -q '\"gone\".*\"web-1\"' '$t'"
kill -INT $pid
wait $pid
check "--watch: ends well on Ctrl-C" equal $? 0
check "--watch: ends with a sum" sh -c "tail -1 '$t' | grep -q '\"end\"'"
start=$(date +%s%N)
probe --pod 'agent-*' --watch --duration 1500ms >"$t" 2>/dev/null
check "--watch --duration: ends by itself" test $? = 0 -a $((($(date +%s%N) - start) / 1000000)) -lt 5000

probe >"$t" 2>"$t.err"
check "without a choice of pods: exit 2" equal $? 2
check "and one line that says what to do" sh -c "grep -q -- '--all' '$t.err' && [ \$(wc -l <'$t.err') = 1 ]"
before=$(asked)
probe --all --endpoint 169.254.170.2 >"$t" 2>"$t.err"
check "only the metadata service is asked: exit 2" equal $? 2
probe --namespace nobody >"$t" 2>"$t.err"
check "no pod matches: exit 1" equal $? 1
check "no pod matches: says that nothing was sent" grep -q 'nothing was sent' "$t.err"
check "and nothing was" equal "$(asked)" "$before"
