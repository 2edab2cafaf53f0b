#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# scripts/k8s without a cluster: kustomize builds base and overlays, the API's schema knows every field, what they ask for
# is no more than said, and `kubectl imdsnoop` makes, awaits, joins and removes its Jobs against a recording kubectl.
# shellcheck disable=SC2016	# $ENV is jq's
# shellcheck source=tests/lib/e2e.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/e2e.sh"
e2e_need node curl jq
PATH+=:$LAB_TREE/build/debian/kubectl/usr/bin
k8s=$LAB_TREE/scripts/k8s npm=${NPM_K8S:-$LAB_TREE/build/npm-k8s}
work=$(mktemp -d)
e2e_later rm -rf "$work"
"$LAB_DIR/fetch_npm" "$npm" "$LAB_DIR/npm-k8s" 2>"$work/npm" || e2e_skip_all "cannot get the npm packages: $(head -1 "$work/npm")"
strict() { node "$LAB_DIR/k8s_check.js" "$npm" >"$1"; }		# strict FILE <YAML
shows() { e2e_jq "$work/$1" "$2"; }				# shows NAME FILTER

check "PrometheusRule: is what the rules' files say" cmp <("$LAB_TREE/scripts/prometheus/prometheusrule") \
	"$k8s/overlays/prometheusrule/prometheusrule.yaml"

# --- manifests -------------------------------------------------------------------------------------------------------

check "schema check: finds a misspelt field" equal "$(sed 's/readOnlyRootFilesystem/readOnlyRootFileSystem/' \
	"$k8s/overlays/node-report/job.yaml" | strict "$work/x" 2>&1)" \
	"Job imdsnoop-report: unknown field /spec/template/spec/containers/0/securityContext/readOnlyRootFileSystem"

# kustomize before 5.0 (kubectl 1.27) does not know `labels` with includeTemplates, or no folder among resources
if kubectl kustomize "$k8s/base" >"$work/base.yaml" 2>"$work/error"; then
	for what in base overlays/podmonitor overlays/servicemonitor overlays/sys-admin overlays/node-report overlays/prometheusrule \
			overlays/ledger ../grafana; do
		name=${what##*/}
		check "kustomize: $what builds, the API knows every field" eval \
			"kubectl kustomize '$k8s/$what' | strict '$work/$name'; [ \${PIPESTATUS[0]} = 0 ]"
	done
	check "kustomize: says nothing about deprecation" equal "$(kubectl kustomize "$k8s/overlays/sys-admin" 2>&1 >/dev/null)" ""
else
	echo "skip no kubectl with kustomize 5 here: $(head -c 150 "$work/error")"
	for name in base podmonitor sys-admin node-report; do echo '[]' >"$work/$name"; done
	for file in "$k8s"/base/daemonset.yaml "$k8s"/base/[ns]*.yaml; do echo ---; cat "$file"; done | strict "$work/base" 2>/dev/null
	strict "$work/node-report" <"$k8s/overlays/node-report/job.yaml" 2>/dev/null
fi
[ -s "$work/base.yaml" ] && {
	check "base: one of each, in one namespace" shows base '(map(.kind) | sort) == ["DaemonSet", "Namespace", "NetworkPolicy", "Service",
		"ServiceAccount"] and all(.[] | select(.kind != "Namespace"); .metadata.namespace == "imdsnoop")'
	check "base: nothing makes a Prometheus scrape it that would rename the pods that asked" shows base \
		'[.. | .annotations? // empty | keys[] | select(startswith("prometheus.io"))] == []'
	check "ledger: an upgrade starts no second writer beside the first" shows ledger \
		'.[] | select(.kind == "DaemonSet") | .spec.updateStrategy.rollingUpdate == { maxSurge: 0, maxUnavailable: "10%" }'
	check "ledger: differs from the base by one folder, and is told of it" shows ledger \
		'.[] | select(.kind == "DaemonSet") | .spec.template.spec | (.volumes | length) == 5 and .volumes[4].hostPath.path == "/var/lib/imdsnoop" and
		.containers[0].volumeMounts[4].mountPath == "/state" and (.containers[0].args | index("--state=/state"))'
	check "base: no role of any kind" shows base 'all(.[]; .kind | test("Role") | not)'
	check "base: the service finds the agent" shows base '(.[] | select(.kind == "Service") | .spec) as $s |
		(.[] | select(.kind == "DaemonSet") | .spec.template) as $t | $s.selector == $t.metadata.labels and
		$s.clusterIP == "None" and ($t.spec.containers[0].ports | map(.name) | index($s.ports[0].targetPort) != null)'
	check "podmonitor: finds the agent, keeps the labels of the pods that asked" shows podmonitor \
		'(.[] | select(.kind == "DaemonSet") | .spec.template) as $t | .[] | select(.kind == "PodMonitor") | .spec |
		.selector.matchLabels == $t.metadata.labels and (.podMetricsEndpoints[0] | .honorLabels and .path == "/metrics" and
		.port == $t.spec.containers[0].ports[0].name)'
	check "base: no pod waits where none can run, and only where the image runs" shows base \
		'.[] | select(.kind == "DaemonSet") | [.. | .matchExpressions? // empty | .[] | [.key, .operator, .values[]] | join(" ")] |
		index("eks.amazonaws.com/compute-type NotIn fargate") and index("kubernetes.io/arch In amd64 arm64")'
	check "openshift: builds; its constraints allow what the pod asks for" equal "$(kubectl kustomize "$k8s/overlays/openshift" |
		node -e 'const y = require(process.argv[1] + "/node_modules/yaml"); const all = y.parseAllDocuments(require("fs").readFileSync(0, "utf8")).map((d) => d.toJS());
			const scc = all.find((o) => o.kind === "SecurityContextConstraints"); const c = all.find((o) => o.kind === "DaemonSet").spec.template.spec.containers[0];
			console.log(c.securityContext.capabilities.add.every((x) => scc.allowedCapabilities.includes(x)), c.securityContext.seLinuxOptions.type, scc.users[0])' "$npm")" \
		"true spc_t system:serviceaccount:imdsnoop:imdsnoop"
	check "the images have the version of the program" equal "$(grep -rh newTag "$k8s" | sort -u)" "    newTag: $(make -s -C "$LAB_TREE" version)"
	check "sys-admin: differs from the base by two capabilities only" equal \
		"$(jq -c '(.. | .add? // empty) -= ["SYS_ADMIN", "SYS_RESOURCE"]' "$work/sys-admin")" "$(jq -c . "$work/base")"
	check "sys-admin: has them" shows sys-admin '[.. | .add? // empty][0] | index("SYS_ADMIN") and index("SYS_RESOURCE")'
}
pod='[.. | objects | select(has("containers"))][0]'
for name in base node-report; do
	check "$name: no token, no host namespaces" shows $name "$pod"' | .automountServiceAccountToken == false and
		.hostNetwork == false and .hostPID == false and .hostIPC == false'
	check "$name: no root file system, no more rights than said" shows $name "$pod"' | .containers | length == 1 and (.[0] |
		.securityContext | .readOnlyRootFilesystem and .allowPrivilegeEscalation == false and .privileged == false and
		.seccompProfile.type == "RuntimeDefault" and .capabilities.drop == ["ALL"] and
		(.capabilities.add - ["BPF", "PERFMON", "NET_ADMIN", "SYSLOG", "SETUID", "SETGID"]) == [])'
	check "$name: host folders are these four, all read-only" shows $name "$pod"' | ([.volumes[].hostPath.path] | sort) ==
		["/sys/fs/cgroup", "/sys/kernel/btf", "/var/log/containers", "/var/log/pods"] and (.volumes | length) == 4 and
		(.containers[0].volumeMounts | length == 4 and all(.[]; .readOnly)) and
		([.volumes[] | [.name, .hostPath.path]] | sort) == ([.containers[0].volumeMounts[] | [.name, .mountPath]] | sort)'
	check "$name: runs on every node" shows $name "$pod"' | .tolerations == [{ operator: "Exists" }]'
	check "$name: is bounded" shows $name "$pod"' | .containers[0].resources | .limits.memory and .requests.memory and
		.requests.cpu and (.limits.cpu | not)'
	check "$name: imdsnoop knows its arguments" equal "$(jq -r "$pod"' | .containers[0].args[]' "$work/$name" |
		sed 's/\$(NODE_NAME)/n/' | { mapfile -t a; "$IMDSNOOP" "${a[@]}" --help; } 2>&1 | head -1 | grep -c '^Usage')" 1
done
check "base: an upgrade leaves no gap" shows base '.[] | select(.kind == "DaemonSet") | .spec.updateStrategy.rollingUpdate |
	.maxUnavailable == 0 and .maxSurge != 0'
check "base: others than Prometheus do not reach it, and it reaches nobody" shows base \
	'.[] | select(.kind == "NetworkPolicy") | .spec | .policyTypes == ["Ingress", "Egress"] and (.egress | not) and
	(.ingress | length == 1) and (.ingress[0] | .ports == [{ protocol: "TCP", port: 9754 }] and .from != null)'
# what it takes at most, with every table full, and a quarter more
most=$("$IMDSNOOP" check --json | jq -r '.features[] | select(.name == "memory") | .why' | sed -n 's/^at most \([0-9]*\) MiB.*/\1/p')
fits() { [ -n "$most" ] && [ "$2" = "$(printf '%sMi' "${2%Mi}")" ] && [ $((most * 5 / 4)) -le "${2%Mi}" ] || { echo "$1: $2, it may take $most"; return 1; }; }
check "base: the memory limit holds with 20 % to spare" fits DaemonSet "$(jq -r "$pod"' | .containers[0].resources.limits.memory' "$work/base")"
check "systemd: so does the unit's" fits unit "$(sed -n 's/^MemoryMax=\([0-9]*\)M$/\1Mi/p' "$LAB_DIR/../../scripts/systemd/imdsnoop.service")"
check "systemd: the unit allows each kind of socket that we make" equal "$(grep -rhoE '\bAF_(UNIX|INET6?|NETLINK|PACKET)\b' \
	"$LAB_TREE/user" | sort -u | grep -vxF -f <(sed -n 's/^RestrictAddressFamilies=//p' "$LAB_TREE/scripts/systemd/imdsnoop.service" |
	tr ' ' '\n'))" ""
check "ECS: so does the task's" fits task "$(jq -r '.containerDefinitions[0].memory' "$LAB_DIR/../../scripts/ecs/task.json")Mi"
check "base: probes ask what the agent serves" shows base "$pod"' | .containers[0] | [.startupProbe, .readinessProbe, .livenessProbe |
	.httpGet | .path, .port] == ["/readyz", "http", "/readyz", "http", "/healthz", "http"]'
check "base: listens where it is probed" shows base "$pod"' | .containers[0] | .ports[0].containerPort as $p |
	.args | index("--listen=0.0.0.0:\($p)") != null'

# --- kubectl imdsnoop ------------------------------------------------------------------------------------------------

export FAKE=$work/fake KUBECTL=$LAB_DIR/fake_kubectl IMDSNOOP_IMAGE=registry.example/imdsnoop:1 IMDSNOOP
plugin=$k8s/kubectl-imdsnoop
fresh() { rm -rf "$FAKE"; mkdir "$FAKE"; printf '%s\n' node-a node-b.example node-c >"$FAKE/nodes"; }
report_of() {			# report_of NODE: a report as a pod's log holds it
	jq -n --arg node "$1" '{ schema: "imdsnoop.report/1", version: "0.1.0", node: $node, kernel: "6.1.0",
		started: "2026-01-01T00:00:00.000000Z", duration_s: 30, endpoints: [], features: [], losses: {}, totals: {},
		pods: [], findings: [{ severity: "error", code: "hop-limit-exhausted", namespace: "shop", pod: "web-1",
		container: "app", summary: "s", evidence: ["e"], advice: ["a"] }] }'
}
calls() { sed -E 's/imdsnoop-report-[0-9]+-[0-9]+/JOB/g; s/run=[0-9]+-[0-9]+/RUN/; s/-f [^ ]+/-f FILE/; s/ -o .*//' "$FAKE/calls" | grep -v '^get pods' | uniq; }

fresh
echo "the report" >"$FAKE/result.1"
echo 2 >"$FAKE/pending"
check "plugin: one node prints its pod's report" equal "$("$plugin" --duration 5s node-a 2>/dev/null)" "the report"
check "plugin: makes, awaits, reads, removes" equal "$(calls)" "create -n kube-system -f FILE
get jobs -n kube-system -l imdsnoop/RUN
logs -n kube-system --limit-bytes=16777216 job/JOB-1
delete jobs -n kube-system -l imdsnoop/RUN --wait=false --ignore-not-found"
check "plugin: waits for the end" equal "$(grep -c '^get jobs' "$FAKE/calls")" 3
check "plugin: its Job passes the schema" strict "$work/plugin" <"$FAKE/created.yaml"
check "plugin: its pod is the overlay's" equal \
	"$(jq -S '.[0].spec.template.spec' "$work/plugin" | sed 's|registry.example/imdsnoop:1|imdsnoop|; s/duration=5s/duration=30s/; s/node-a/node-1/')" \
	"$(strict "$work/job" <"$k8s/overlays/node-report/job.yaml" && jq -S '.[0].spec.template.spec' "$work/job")"

fresh
for i in 1 2 3; do report_of "$(sed -n ${i}p "$FAKE/nodes")" >"$FAKE/result.$i"; done
check "plugin: all nodes succeed" "$plugin" --all --format json
"$plugin" --all --format json >"$work/joined" 2>/dev/null
check "plugin: one Job a node" equal "$(sed -n 's/^ *nodeName: "\(.*\)"/\1/p' "$FAKE/created.yaml" | xargs)" "node-a node-b.example node-c"
check "plugin: the joined report has all three" equal "$(jq -c '[.nodes[].node] | sort' "$work/joined")" \
	'["node-a","node-b.example","node-c"]'
check "plugin: text, too" eval '"$plugin" --all 2>/dev/null | grep -q hop-limit-exhausted'
check "plugin: a selector goes to the API" eval '"$plugin" -l role=web --format json >/dev/null &&
	grep -q "^get nodes -l kubernetes.io/os=linux,role=web" "$FAKE/calls"'

fresh
report_of node-a >"$FAKE/result.1"
check "plugin: a failed node is told, the others shown, exit 1" equal \
	"$("$plugin" node-a node-x --format json 2>"$work/error" | jq -r '.nodes[].node'; echo "${PIPESTATUS[0]}")" "node-a
1"
check "plugin: says which and why" grep -q "no report of 'node-x'" "$work/error"
check "plugin: and what it said" grep -q "cannot watch: no such thing" "$work/error"
check "plugin: removes its Jobs all the same" grep -q '^delete jobs' "$FAKE/calls"

fresh
echo 1000 >"$FAKE/pending"
timeout -s INT 2 "$plugin" node-a >/dev/null 2>&1
check "plugin: Ctrl-C removes its Jobs" grep -q '^delete jobs' "$FAKE/calls"
fresh
: >"$FAKE/refuse"
check "plugin: what the API refuses fails" equal "$("$plugin" node-a >/dev/null 2>&1; echo $?)" 1
fresh
for bad in 'a b' 'x;id' 'a:{b}' $'a\nb' '$(id)' -rf; do
	check "plugin: '${bad//$'\n'/\\n}' is no node" equal "$("$plugin" "$bad" >/dev/null 2>&1; echo $?)" 2
done
for bad in 5 5h 0s 99999s '5s}'; do
	check "plugin: '$bad' is no duration" equal "$("$plugin" --duration "$bad" node-a >/dev/null 2>&1; echo $?)" 2
done
check "plugin: an image is needed" equal "$(IMDSNOOP_IMAGE='' "$plugin" node-a >/dev/null 2>&1; echo $?)" 2
check "plugin: nothing was asked of the API for these" test ! -e "$FAKE/calls"

# --- commands: pods choose what is shown, agents are asked first --------------------------------------------------------

fresh
echo "node-a shop web-1" >"$FAKE/pods"
echo "node-a imdsnoop-x1 Running" >"$FAKE/agents"
report_of node-a | jq '.findings += [.findings[0] | .pod = "other-1"] | .headline = { level: "problem", text: "t" }' >"$FAKE/agent.imdsnoop-x1"
check "plugin report: asks the agent of the pod's node, makes no Job" eval '"$plugin" report -n shop web-1 --since 5m --format json >"$work/joined" &&
	grep -q "^get --raw /api/v1/namespaces/imdsnoop/pods/http:imdsnoop-x1:9754/proxy/api/v1/report?since=5m\$" "$FAKE/calls" &&
	! grep -q "^create" "$FAKE/calls"'
check "plugin report: shows only the pods that were chosen" equal "$("$plugin" report -n shop web-1 | grep -c other-1)" 0
check "plugin report: a selector chooses pods" eval '"$plugin" report -l app=web >/dev/null && grep -q "^get pods.* -A -l app=web" "$FAKE/calls"'
check "plugin report: without imdsnoop here, by jq" eval 'IMDSNOOP=$work/none "$plugin" report web-1 -n shop | grep -q "^PROBLEM  node-a: t"'
printf 'x\033]0;pwned\007y\302\233z' >"$FAKE/agent.imdsnoop-x1"
check "plugin report: no control byte of a node comes out" eval '! "$plugin" report -n shop web-1 2>&1 | LC_ALL=C tr -d "\n\t" | LC_ALL=C grep -q "[[:cntrl:]]"'
check "plugin report: no agent and no image says so" eval ': >"$FAKE/agents"; ! IMDSNOOP_IMAGE= "$plugin" report -n shop web-1 2>"$work/error" &&
	grep -q -- "--image is missing" "$work/error"'
fresh
echo "node-a shop web-1" >"$FAKE/pods"
echo "asked" >"$FAKE/result.1"
check "plugin what-if: a Job with the question" eval '"$plugin" what-if hop-limit=1,tokens=required -n shop web-1 >/dev/null 2>&1 &&
	strict "$work/plugin" <"$FAKE/created.yaml" && jq -e ".[0].spec.template.spec.containers[0].args | index(\"--what-if=hop-limit=1,tokens=required\") and index(\"--pod=web-1\") and index(\"--namespace=shop\")" "$work/plugin"'
check "plugin probe: may enter the pods" eval '"$plugin" probe -n shop web-1 >/dev/null 2>&1; strict "$work/plugin" <"$FAKE/created.yaml" &&
	jq -e ".[0].spec.template.spec | .hostPID and (.containers[0].securityContext.capabilities.add | index(\"SYS_ADMIN\"))" "$work/plugin"'
for what in "report --duration=1s" "what-if hop-limit=1" trace probe; do
	# shellcheck disable=SC2086
	"$plugin" $what -n shop web-1 >/dev/null 2>&1
	strict "$work/plugin" <"$FAKE/created.yaml"
	check "plugin ${what%% *}: imdsnoop knows its arguments" equal "$(jq -r '.[0].spec.template.spec.containers[0].args[]' "$work/plugin" |
		sed 's/\$(NODE_NAME)/n/' | { mapfile -t a; "$IMDSNOOP" "${a[@]}" --help; } 2>&1 | head -1 | grep -c '^Usage')" 1
done
fresh
printf '%s\n' "node-a shop web-1" "node-b.example shop web-2" >"$FAKE/pods"
echo "of the first" >"$FAKE/result.1"
echo "of the second" >"$FAKE/result.2"
check "plugin probe: of several nodes, one after the other" equal "$("$plugin" probe -n shop 2>/dev/null)" "node node-a
of the first
node node-b.example
of the second"
check "plugin trace: of several nodes, as text, each line with its node" equal "$("$plugin" trace -n shop 2>/dev/null | sort)" \
	"node-a  of the first
node-b.example  of the second"
echo "node-a shop web-1" >"$FAKE/pods"
: >"$FAKE/live"
"$plugin" trace -n shop >"$work/live" 2>/dev/null &
check "plugin trace: a line is there when it happens" lab_wait_for 5 grep -q "^first line" "$work/live"
rm "$FAKE/live"
wait $!
fresh
echo "node-a shop web-1" >"$FAKE/pods"
report_of node-a | jq '.findings += [.findings[0] | .pod = "other-1"] | .headline = { level: "problem", text: "t" } |
	.pods = [{ namespace: "shop", pod: "web-1", requests: 3 }, { namespace: "shop", pod: "other-1", requests: 4 }]' >"$FAKE/result.1"
for how in "-l app=web" "web-1 web-3 -n shop"; do
	# shellcheck disable=SC2086
	"$plugin" report $how >"$work/shown" 2>/dev/null
	check "plugin report $how: one Job's report is cut to these pods, too, and says of whom its headline is" eval \
		'grep -q "shop/web-1" "$work/shown" && ! grep -q "other-1" "$work/shown" && grep -q "^PROBLEM  of all pods of the node: t" "$work/shown" && grep -q ", 3 requests" "$work/shown"'
done
mkdir "$work/few"
for tool in sh awk cat cut date grep head mktemp rm sed sleep sort tr wc cp; do ln -s "$(command -v $tool)" "$work/few"; done
check "plugin report: what cannot be cut without jq is told" eval 'PATH="$work/few" "$plugin" report -l app=web 2>&1 >/dev/null |
	grep -q "no jq here.*so other pods of these nodes are shown, too"'
echo "not JSON" >"$FAKE/agent.imdsnoop-x1"
echo "node-a imdsnoop-x1 Running" >"$FAKE/agents"
check "plugin report: what imdsnoop cannot join fails" eval '! PATH="$work/few" "$plugin" report -n shop >/dev/null 2>&1'
rm "$FAKE/agents"
# what BSD's tools and macOS' shell do not know: \x in sed, and wc that pads with spaces
check "plugin: on macOS, one pod is one pod" eval 'printf "#!/bin/sh\nexec %s \"\$@\" | sed \"s/^/       /\"\n" "$(command -v wc)" >"$work/wc" && chmod +x "$work/wc" &&
	ln -sf "$work/wc" "$work/few/wc" && { PATH="$work/few" "$plugin" what-if hop-limit=1 web-1 >/dev/null 2>&1; grep -q -- "--pod=web-1" "$FAKE/created.yaml"; }'
check "plugin: --kubeconfig is kubectl's" eval 'printf "#!/bin/sh\necho \"\$KUBECONFIG\" >&2; exit 1\n" >"$work/says" && chmod +x "$work/says" &&
	KUBECTL=$work/says "$plugin" report --kubeconfig "$work/a b" 2>&1 | grep -qx "$work/a b"'
fresh
echo 1000 >"$FAKE/pending"
echo "ErrImagePull no such image" >"$FAKE/waiting"
export start=$SECONDS
"$plugin" node-a >/dev/null 2>"$work/error"
check "plugin: a pod that cannot start is told at once, and why" eval '[ $((SECONDS - start)) -lt 10 ] &&
	grep -q "the pod on .node-a. does not start: ErrImagePull no such image" "$work/error"'
check "plugin: unknown pods" eval ': >"$FAKE/pods"; ! "$plugin" report -n shop nope 2>"$work/error" && grep -q "no such pod" "$work/error"'

# ECS's own form
ecs=$LAB_TREE/scripts/ecs/task.json
check "ECS task: every folder of the node is read-only, and each mount has its volume" jq -e '.containerDefinitions[0] as $c |
	($c.mountPoints | all(.[]; .readOnly)) and ([$c.mountPoints[].sourceVolume] | sort) == ([.volumes[].name] | sort) and
	$c.readonlyRootFilesystem and ($c.privileged | not) and $c.linuxParameters.capabilities.drop == ["ALL"]' "$ecs"
check "ECS task: Docker's names are where imdsnoop looks" jq -e '.containerDefinitions[0] |
	(.command | index("--runtime-dirs=/host")) and ([.mountPoints[].containerPath] | index("/host/var/lib/docker/containers"))' "$ecs"

# --- with the real kubectl, against an API server that speaks as much as that needs ----------------------------------

cat >"$work/api.pods" <<-END
	[{ "namespace": "shop", "name": "web-1", "node": "node-a", "labels": { "app": "web" } },
	 { "namespace": "shop", "name": "db-1", "node": "node-b", "labels": { "app": "db" } },
	 { "namespace": "imdsnoop", "name": "imdsnoop-aaaaa", "node": "node-a", "labels": { "app.kubernetes.io/name": "imdsnoop" },
	   "report": "$work/api.report" }]
END
report_of node-a | jq '.pods = [] | .headline = { level: "problem", text: "t" }' >"$work/api.report"
node "$LAB_DIR/fake_api.js" "$work/api.pods" "$work/api.address" >"$work/api.log" 2>&1 &
api=$!
e2e_later kill $api
if command -v kubectl >/dev/null && lab_wait_for 5 test -s "$work/api.address"; then
	printf '#!/bin/sh\nexec kubectl --kubeconfig=/dev/null --cache-dir="%s" --server="%s" "$@"\n' "$work/cache" "$(cat "$work/api.address")" >"$work/kubectl"
	chmod +x "$work/kubectl"
	real() { KUBECTL=$work/kubectl "$plugin" "$@"; }
	unset IMDSNOOP_IMAGE
	check "real kubectl: the agent's report comes through the proxy" eval 'real report web-1 -n shop --format json | jq -e ".nodes[0].node == \"node-a\""'
	check "real kubectl: it asked for that" grep -q '^GET /api/v1/namespaces/imdsnoop/pods/http:imdsnoop-aaaaa:9754/proxy/api/v1/report' "$work/api.log"
	check "real kubectl: pods by label, and the window" eval 'real report -n shop -l app=web --since 5m --format text | grep -q hop-limit-exhausted &&
		grep -q "^GET /api/v1/namespaces/shop/pods?.*labelSelector=app%3Dweb" "$work/api.log" && grep -q "report?since=5m 200" "$work/api.log"'
	check "real kubectl: a node without an agent is told" equal "$(real report db-1 -n shop 2>&1 | grep -c 'no agent is there to ask')" 1
	check "real kubectl: a pod that is not there is told" equal "$(real report gone-1 -n shop 2>&1 | grep -c 'cannot list the pods')" 1
else
	echo "skip real kubectl: none here, or no server"
fi
