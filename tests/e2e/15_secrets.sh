#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# No planted token, credential or header value is in output, maps, ring or memory.
# shellcheck source=tests/lib/e2e.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/e2e.sh"
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
	lab_exec web-1 curl -s -o /dev/null -A PLANTEDSECRETagent -H 'Metadata-Flavor: Google' \
		$api/computeMetadata/v1/instance/service-accounts/default/token
}
memory() {			# everything readable in a process, the ring's pages included
	local pid=$1 range perms _ name
	while read -r range perms _ _ _ name; do
		case $perms$name in r*'[v'*) continue ;; r*) ;; *) continue ;; esac
		dd if="/proc/$pid/mem" bs=64k iflag=skip_bytes,count_bytes skip=$((0x${range%-*})) \
			count=$((0x${range#*-} - 0x${range%-*})) 2>/dev/null
	done <"/proc/$pid/maps"
}
maps() {			# every map that a process holds, values as bytes
	local id
	sed -n 's/^map_id:[[:space:]]*//p' "/proc/$1/fdinfo/"* 2>/dev/null | sort -un | while read -r id; do
		bpftool -j map dump id "$id" 2>/dev/null
	done
}
hex() { printf '%s' "$1" | od -An -v -tx1 | tr -d '\n' | sed 's/^ //; s/ /","0x/g; s/^/"0x/; s/$/"/'; }

report_start "$r"
trace_start "$t"
check "lab: secrets travel" secrets_flow
lab_server_set slow-ms 30000
lab_exec web-1 curl -s -o /dev/null -H 'X-aws-ec2-metadata-token: PLANTEDTOKENinflight' $api/latest/meta-data/ami-id &
client=$!
sleep 0.4
memory "$LAB_TRACE_PID" >"$LAB_ROOT/memory"
memory "$E2E_REPORT_PID" >>"$LAB_ROOT/memory"
maps "$LAB_TRACE_PID" >"$LAB_ROOT/maps"
lab_pod_load web-1
while read -r pid; do kill "$pid"; done <"$pod_cgroup/cgroup.procs"
wait "$client" 2>/dev/null
trace_stop
report_stop

check "search works: memory has a path" grep -q -a /latest/meta-data/ami-id "$LAB_ROOT/memory"
check "search works: a map has the running request's path" grep -q -F -e "$(hex /latest/meta-data/ami-id)" "$LAB_ROOT/maps"
check "memory and ring have no secret" sh -c "! grep -a -o -m3 -E 'PLANTED[A-Z]*' '$LAB_ROOT/memory'"
check "maps have no secret" sh -c "! grep -c -F -e '$(hex PLANTED)' '$LAB_ROOT/maps'"
check "trace has no secret" sh -c "! grep PLANTED '$t' '$t.out' '$t.err'"
check "report has no secret" sh -c "! grep PLANTED '$r' '$r.out' '$r.err'"
expect_trace "$t" "the requests were seen all the same" 'of("web-1") | length == 6 and
	(map(.kind) | index("token") != null and index("credentials") != null and index("user-data") != null)'

lab_server_set slow-ms 0
trace_start "$t" --redact-paths
get web-1 2 /latest/meta-data/iam/security-credentials/node-role >/dev/null
trace_stop
expect_trace "$t" "--redact-paths keeps the kind and drops the path" \
	'of("web-1") | length == 1 and all_are(.kind == "credentials" and (.path // "" | contains("node-role") | not))'
check "--redact-paths: the role's name is nowhere" sh -c "! grep node-role '$t'"
