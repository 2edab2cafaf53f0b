#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# No planted token, credential or header value is in any output, map, ring, memory or core of trace, report and serve.
# shellcheck source=tests/lib/e2e.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/e2e.sh"
# shellcheck source=tests/lib/serve.sh
. "$LAB_DIR/serve.sh"
e2e_need bpftool
e2e_lab --hop-limit 2
lab_pod_bridge web-1
t=$LAB_ROOT/trace r=$LAB_ROOT/report
api=http://169.254.169.254

secrets_flow() {
	local token
	token=$(lab_exec web-1 curl -s -X PUT -H "$E2E_TTL" $api/latest/api/token)
	equal "${#token}" 56 || return
	lab_exec web-1 curl -s -H "X-aws-ec2-metadata-token: $token" \
		"$api/latest/meta-data/iam/security-credentials/node-role?PLANTEDSECRETquery=$token" | grep -q PLANTEDSECRET || return
	lab_exec web-1 curl -s -H "X-aws-ec2-metadata-token: $token" $api/latest/user-data | grep -q PLANTEDSECRET || return
	lab_exec web-1 curl -s -o /dev/null -X POST -H 'Authorization: PLANTEDSECRETauthorization' \
		-d 'body=PLANTEDSECRETbody' $api/v1/credentials
	lab_exec web-1 env PLANTED=PLANTEDSECRETenv curl -s -o /dev/null -A PLANTEDSECRETagent -H 'Metadata-Flavor: Google' \
		$api/computeMetadata/v1/instance/service-accounts/default/token
}
# Everything readable in a process, the ring's pages included; the kernel's own three pages of clocks cannot be read. Fails when
# a mapping could not be read to its end.
memory() {
	local pid=$1 range perms _ name size all=0
	while read -r range perms _ _ _ name; do
		case $perms$name in r*'[v'*) continue ;; r*) ;; *) continue ;; esac
		size=$((0x${range#*-} - 0x${range%-*}))
		dd if="/proc/$pid/mem" bs=64k iflag=skip_bytes,count_bytes skip=$((0x${range%-*})) count=$size 2>/dev/null |
			tee >(wc -c >"$LAB_ROOT/size") >>"$LAB_ROOT/memory"
		lab_wait_for 2 test -s "$LAB_ROOT/size"
		[ "$(cat "$LAB_ROOT/size")" = $size ] || { echo "$range $name: $(cat "$LAB_ROOT/size") of $size bytes"; all=1; }
		: >"$LAB_ROOT/size"
	done <"/proc/$pid/maps"
	return $all
}
maps() {			# every map that a process holds, values as bytes
	local id
	sed -n 's/^map_id:[[:space:]]*//p' "/proc/$1/fdinfo/"* 2>/dev/null | sort -un | while read -r id; do
		bpftool -j map dump id "$id" 2>/dev/null
	done
}
hex() { printf '%s' "$1" | od -An -v -tx1 | tr -d '\n' | sed 's/^ //; s/ /","0x/g; s/^/"0x/; s/$/"/'; }

in_flight() {			# a token on its way, and its request waiting
	lab_server_set slow-ms 30000
	lab_exec web-1 curl -s -o /dev/null -H 'X-aws-ec2-metadata-token: PLANTEDTOKENinflight' $api/latest/meta-data/ami-id &
	client=$!
	sleep 0.4
}
landed() {
	local pid
	lab_pod_load web-1
	while read -r pid; do kill "$pid"; done <"$pod_cgroup/cgroup.procs"
	wait "$client" 2>/dev/null
	lab_server_set slow-ms 0
}

report_start "$r"
trace_start "$t"
serve_start --drop-privileges root	# with another user it would leave no core, below
check "lab: secrets travel" secrets_flow
in_flight
for pid in "$LAB_TRACE_PID" "$E2E_REPORT_PID" "$SERVE_PID"; do
	check "memory of $(tr '\0' ' ' <"/proc/$pid/cmdline" | cut -d' ' -f2) is read whole" memory "$pid"
	maps "$pid" >>"$LAB_ROOT/maps"
done
for path in /metrics /api/v1/report '/api/v1/report?since=10s' / /app.js; do ask "$path" -D -; done >"$LAB_ROOT/http"
landed
for path in /metrics /api/v1/report /; do ask "$path" -D - -H 'Accept: application/openmetrics-text'; done >>"$LAB_ROOT/http"
trace_stop
report_stop

check "search works: memory has a path" grep -q -a /latest/meta-data/ami-id "$LAB_ROOT/memory"
check "search works: a map has the running request's path" grep -q -F -e "$(hex /latest/meta-data/ami-id)" "$LAB_ROOT/maps"
check "search works: metrics and report have the pod" test "$(grep -c web-1 "$LAB_ROOT/http")" -ge 2
check "memory and ring have no secret" sh -c "! grep -a -o -m3 -E 'PLANTED[A-Z]*' '$LAB_ROOT/memory'"
check "maps have no secret" sh -c "! grep -c -F -e '$(hex PLANTED)' '$LAB_ROOT/maps'"
check "trace has no secret" sh -c "! grep PLANTED '$t' '$t.out' '$t.err'"
check "report has no secret" sh -c "! grep PLANTED '$r' '$r.out' '$r.err'"
check "metrics, API, page and log of serve have no secret" sh -c "! grep PLANTED '$LAB_ROOT/http' '$LAB_ROOT/serve.out' '$SERVE_ERR'"
expect_trace "$t" "the requests were seen all the same" 'of("web-1") | length == 6 and
	(map(.kind) | index("token") != null and index("credentials") != null and index("user-data") != null)'

# Cores hold what /proc/PID/mem does, less the ring (the kernel leaves such mappings out), and the registers.
aborted() {			# aborted NAME PID: ends it with a core in the folder that it was started in
	prlimit --pid "$2" --core=unlimited
	echo 0x3f >"/proc/$2/coredump_filter"	# shared mappings, too
	kill -ABRT "$2"
	lab_wait_for 10 lab_is_gone "$2"
	wait "$2"
	set -- "$1" "$LAB_ROOT/core.$1"/core*
	[ -s "$2" ] || { echo "no core in $LAB_ROOT/core.$1"; return 1; }
	grep -q -a web-1 "$2" || { echo "the core does not even have the pod's name"; return 1; }
	! grep -a -o -m3 -E 'PLANTED[A-Z]*' "$2"
}
case $(cat /proc/sys/kernel/core_pattern) in
'|'*|*/*) echo "skip core: kernel.core_pattern sends them elsewhere" ;;
*)
	serve_stop
	mkdir "$LAB_ROOT"/core.{trace,report,serve}
	cd "$LAB_ROOT/core.trace" && trace_start "$t.core"
	cd "$LAB_ROOT/core.report" && report_start "$r.core"
	cd "$LAB_ROOT/core.serve" && serve_start --drop-privileges root
	cd /
	secrets_flow >/dev/null
	in_flight
	check "core of trace has no secret" aborted trace "$LAB_TRACE_PID"
	check "core of report has no secret" aborted report "$E2E_REPORT_PID"
	check "core of serve has no secret" aborted serve "$SERVE_PID"
	landed ;;
esac

trace_start "$t" --redact-paths
get web-1 2 /latest/meta-data/iam/security-credentials/node-role >/dev/null
trace_stop
expect_trace "$t" "--redact-paths keeps the kind and drops the path" \
	'of("web-1") | length == 1 and all_are(.kind == "credentials" and (.path // "" | contains("node-role") | not))'
check "--redact-paths: the role's name is nowhere" sh -c "! grep node-role '$t'"
