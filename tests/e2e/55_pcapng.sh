#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# --pcapng: heads of the watched packets with verdicts as comments, drops by their place; no byte of payload; readable by
# tshark and by --from.
# shellcheck source=tests/lib/e2e.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/e2e.sh"
e2e_need tshark capinfos
e2e_lab --hop-limit 1
lab_pod_bridge web-1
lab_pod_routed cni-1
lab_pod_v6 six-1
lab_pod_host agent-1
lab_pod_bridge block-1
lab_drop block-1
lab_load_pod() { lab_pod_load "$1"; echo "$pod_ip"; }
f=$LAB_ROOT/seen.pcapng

trace_start "$LAB_ROOT/live" --pcapng "$f"
for p in web-1 cni-1 six-1 block-1; do put $p 0.8 >/dev/null; done
get web-1 >/dev/null
get web-1 2 '/latest/meta-data/iam/security-credentials/node-role?PLANTEDSECRETquery' >/dev/null
token=$(lab_exec agent-1 curl -s -X PUT -H "$E2E_TTL" "http://$LAB_IMDS4/latest/api/token")
lab_exec agent-1 curl -s -o /dev/null -H "X-aws-ec2-metadata-token: $token" -A PLANTEDSECRETagent \
	"http://$LAB_IMDS4/latest/meta-data/iam/security-credentials/node-role" "http://$LAB_IMDS4/latest/user-data"
sleep 1
trace_stop

tshark_of() { tshark -r "$f" "$@" 2>"$LAB_ROOT/tshark.err"; }
count_of() { tshark_of -Y "$1" -T fields -e frame.number | wc -l; }
shark_is_silent() {
	tshark_of >/dev/null || return
	# running as root is what it always says of itself
	equal "$(grep -v 'Running as user "root"' "$LAB_ROOT/tshark.err")" ''
}
check "the file is ours alone" equal "$(stat -c %a "$f")" 600
check "tshark reads it without a warning" shark_is_silent
# shellcheck disable=SC2016
check "capinfos: pcapng, in the order of time, nanoseconds" sh -c 'capinfos "$0" >"$0.info" && grep -q "File type: *Wireshark.*pcapng" "$0.info" &&
	grep -q "Strict time order: *True" "$0.info" && grep -q "nanoseconds" "$0.info"' "$f"
check "malformed is nothing" equal "$(count_of _ws.malformed)" 0
check "packets are found by pod and verdict" test "$(count_of 'frame.comment contains "web-1" && frame.comment contains "hop-limit (proven)"')" -ge 5
check "and by the request" test "$(count_of 'frame.comment contains "PUT /latest/api/token: no answer"')" -ge 10
check "IPv6 too" test "$(count_of 'ipv6 && frame.comment contains "six-1" && frame.comment contains "hop-limit"')" -ge 3
check "an answer of 200 says so" test "$(count_of 'frame.comment contains "agent-1" && frame.comment contains "PUT /latest/api/token: 200, ok"')" -ge 5
check "dead answers: by place, reason, TTL" test "$(count_of 'frame.interface_name == "ip_forward" && frame.comment contains "IP_INHDR" && ip.ttl == 1 && tcp.srcport == 80 && frame.comment contains "hop-limit"')" -ge 1
check "the filter's drops are there" test "$(count_of 'frame.comment contains "NETFILTER_DROP" && frame.comment contains "block-1" && frame.comment contains "blocked"')" -ge 1
check "what the pod sent, what it received" test "$(count_of 'frame.interface_name == "sockets" && ip.dst == 169.254.169.254 && frame.p2p_dir != 1 || frame.packet_flags_direction == 2')" -ge 10
check "each packet has a comment" equal "$(count_of '!frame.comment')" 0
check "a segment with payload is cut behind its header" equal "$(count_of 'tcp.len > 0 && frame.cap_len >= frame.len')" 0
check "no query" equal "$(count_of 'frame.comment contains "query"')" 0
no_secrets() {
	! grep -aq -e PLANTEDSECRET -e "${token:-none}" -e HTTP/1 -e ttl-seconds "$f"
}
check "no token, no header, no payload byte" no_secrets
heads_only() {			# captured bytes are those of the headers, by tshark's own count
	tshark_of -T fields -e frame.cap_len -e ip.hdr_len -e ipv6.plen -e tcp.hdr_len |
		awk -F'\t' '{ want = ($2 != "" ? $2 : 40) + $4; if ($1 != want) { print; bad = 1 } } END { exit bad || !NR }'
}
check "nothing but headers" heads_only

# read back: names by comment, deaths by the drops that are in it, and what was asked is not known
"$IMDSNOOP" trace --json --from "$f" >"$LAB_ROOT/back" 2>/dev/null
expect_trace "$LAB_ROOT/back" "comments name the pods again" 'requests | map(.pod) | index("web-1") != null and index("six-1") != null and index("agent-1") != null'
expect_trace "$LAB_ROOT/back" "answers whose status is not there are counted" '.[-1].losses.capture_status_missing > 0 and
	(requests | map(select(.outcome == "ok" and .kind != "connect-only")) | all(.[]; .status == null))'
# shellcheck disable=SC2016
check "each death is one again, no answer is made one" equal "$(jq -n -c --slurpfile live "$LAB_ROOT/live" --slurpfile back "$LAB_ROOT/back" '$live[] |
	select(.type == "request") | . as $l | $back[] | select(.type == "request" and .local == $l.local) |
	select((.outcome == "hop-limit") != ($l.outcome == "hop-limit") or ((.outcome == "ok") and ($l.outcome | IN("ok", "http-error") | not))) | [$l, .]')" ''
expect_trace "$LAB_ROOT/back" "as proven as they were" 'requests | map(select(.outcome == "hop-limit")) | length >= 3 and
	all(.[]; .confidence == "proven" and .required_hop_limit == 2)'
"$IMDSNOOP" report --from "$f" --json >"$LAB_ROOT/report" 2>/dev/null
expect_report "$LAB_ROOT/report" "a death that is proven was seen" '[.findings[] | select(.code == "hop-limit-exhausted") | .evidence | tostring] |
	length > 0 and all(.[]; test("death of an answer was seen") and (test("no drop was seen") | not))'
expect_report "$LAB_ROOT/report" "and why the rest is not" '[.features[] | select(.name == "capture") | .why] | first | test("payload was not captured")'

# filters, standard output, what cannot be written
trace_start "$LAB_ROOT/live2" --pcapng "$f" --pod agent-1
put web-1 0.3 >/dev/null
get agent-1 >/dev/null
sleep 0.8
trace_stop
check "--pod: nobody else's packets" equal "$(count_of 'frame.comment contains "web-1"') $(count_of 'frame.comment contains "agent-1"' | sed 's/^[1-9].*/some/')" "0 some"
lab_args
"$IMDSNOOP" report "${LAB_ARGS[@]}" --duration 1s --pcapng - --output "$LAB_ROOT/out" 2>/dev/null | tshark -r - >/dev/null 2>&1
check "to standard output" equal "${PIPESTATUS[*]}" "0 0"
"$IMDSNOOP" report "${LAB_ARGS[@]}" --duration 1s --pcapng /nowhere/x >"$LAB_ROOT/out" 2>&1
check "a folder that is not there: exit 1, and why" equal "$? $(grep -c "cannot write to '/nowhere/x'" "$LAB_ROOT/out")" "1 1"
"$IMDSNOOP" report "${LAB_ARGS[@]}" --duration 1s --pcapng /dev/full >"$LAB_ROOT/out" 2>&1
check "a full disk: exit 1" equal $? 1
check "a full disk: why, and the report all the same" equal "$(grep -c 'cannot write to ./dev/full.: No space left' "$LAB_ROOT/out") $(grep -c '^QUIET' "$LAB_ROOT/out")" "1 2"
"$IMDSNOOP" trace --pcapng - >"$LAB_ROOT/out" 2>&1
check "two to standard output: usage" equal $? 2
