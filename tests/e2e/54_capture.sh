#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# alone: the kernel limits how many ICMP errors it sends a second, and labs beside this one count too.
# report and trace --from CAPTURE: what tcpdump saw on the uplink, on any interface and in the pod is judged as the live
# session judged it, or weaker; never otherwise.
# shellcheck source=tests/lib/e2e.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/e2e.sh"
e2e_need tcpdump
e2e_lab --hop-limit 1
lab_pod_bridge web-1
lab_pod_extra deep-1
lab_pod_routed cni-1
lab_pod_v6 six-1
lab_pod_host agent-1
lab_pod_bridge block-1
lab_pod_bridge reject-1
# all the dead answers are one peer's
nsenter --net="/run/netns/$LAB_ID-node" -- sysctl -qw net.ipv4.icmp_ratelimit=0 net.ipv6.icmp.ratelimit=0
lab_drop block-1
lab_reject reject-1
pods="web-1 deep-1 cni-1 six-1 block-1 reject-1"
places="uplink any cooked $pods"

capture_start() {		# capture_start: into $dir
	capture_pids=()
	capture_at() {		# capture_at FILE NETNS ARGS...
		local file=$1 ns=$2
		shift 2
		nsenter --net="/run/netns/$LAB_ID-$ns" -- tcpdump -Z root -U -w "$dir/$file.pcap" "$@" 2>"$dir/$file.err" </dev/null &
		capture_pids+=($!)
	}
	mkdir -p "$dir"
	capture_at uplink node -i eth0
	capture_at any node -i any
	capture_at cooked node -y LINUX_SLL -i any
	local p
	for p in $pods; do capture_at "$p" "p-$p" -i eth0; done
	for p in $places; do lab_wait_for 10 grep -q 'listening on' "$dir/$p.err" || e2e_die "tcpdump runs at $p"; done
}
capture_stop() {
	sleep 0.5
	kill "${capture_pids[@]}"
	wait "${capture_pids[@]}" 2>/dev/null
}
# shellcheck disable=SC2016
e2e_later eval 'kill "${capture_pids[@]}" 2>/dev/null'

# Requests of a connection in both, by the client's address as the capture calls it.
compare() {			# compare SCENARIO PLACE: jq over both; prints what differs otherwise than by being weaker
	# shellcheck disable=SC2016
	jq -n -r --slurpfile live "$dir/live" --slurpfile here "$dir/$2.jsonl" '
		def requests: map(select(.type == "request"));
		def weak: {"proven": 3, "strong": 2, "likely": 1}[. // ""] // 0;
		($live | requests) as $l | ($here | requests)[] | . as $r |
		($l | map(select(.local == $r.local and .endpoint == $r.endpoint)) | first) as $w | select($w != null) |
		select(
			((.kind != $w.kind or .method != $w.method or (.path != $w.path and .path != "") or (.imds_version != $w.imds_version and .imds_version != null)) and
				[.kind, .method, .path, .imds_version] != ["other", "", "", null]) or	# unknown: a cut head
			(.hops != null and .hops != $w.hops) or (.status != null and .status != $w.status) or
			(.ttl_synack != null and .ttl_synack != $w.ttl_synack) or
			(if .outcome == "hop-limit" then $w.outcome != "hop-limit" or (.confidence | weak) > ($w.confidence | weak)
			 elif .outcome == "no-response" or .outcome == "aborted" then ($w.outcome | IN("ok", "http-error"))
			 else .outcome != $w.outcome end)) |
		[$w.local, $w.kind, $w.outcome, $w.confidence, $w.hops, "here", .kind, .outcome, .confidence, .hops, .status] | tostring' 2>&1
}
agrees() { equal "$(compare "$@")" ''; }
same_local() {			# how many of PLACE's requests the live session knows by their address
	# shellcheck disable=SC2016
	jq -n --slurpfile live "$dir/live" --slurpfile here "$dir/$1.jsonl" '[$here[] | select(.type == "request") | . as $r |
		$live[] | select(.type == "request" and .local == $r.local)] | length'
}

scenario() {			# scenario NAME
	local p
	dir=$LAB_ROOT/$1
	capture_start
	trace_start "$dir/live"
	for p in $pods agent-1; do
		put "$p" 0.8 >/dev/null
		get "$p" 0.8 >/dev/null
	done
	# half-closed is not gone
	raw web-1 'send:GET /latest/user-data HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n' shutdown expect: close >/dev/null
	sleep 1
	trace_stop
	capture_stop
	for p in $places; do
		"$IMDSNOOP" trace --json --from "$dir/$p.pcap" >"$dir/$p.jsonl" 2>"$dir/$p.out" || cat "$dir/$p.out"
		check "$1, $p: as live, or weaker" agrees "$1" "$p"
	done
	check "$1: the node's captures have all pods" test "$(same_local any)" -ge 10
}

found() {			# found PLACE ADDRESS FILTER: of its token request
	expect_trace "$dir/$1.jsonl" "$2" "requests | map(select(.kind == \"token\" and .cgroup == \"$3\")) | all_are($4)"
}
scenario exhausted
addr() { lab_pod_load "$1"; echo "$pod_ip"; }
for place in any cooked; do
	for p in web-1 deep-1 cni-1; do found $place "exhausted, $place: $p proven" "$(addr $p)" '.outcome == "hop-limit" and .confidence == "proven"'; done
done
expect_trace "$dir/uplink.jsonl" "exhausted, uplink: proven by ICMP, host network fine" 'requests | map(select(.kind == "token")) |
	(map(select(.outcome == "hop-limit" and .confidence == "proven")) | length == 4) and (map(select(.outcome == "ok" and .hops == 0)) | length == 1)'
found web-1 "exhausted, in the pod: likely" "$(addr web-1)" '.outcome == "hop-limit" and .confidence == "likely" and .required_hop_limit == 2'
"$IMDSNOOP" report --json --from "$dir/any.pcap" >"$LAB_ROOT/report" 2>/dev/null
expect_report "$LAB_ROOT/report" "the report blames the hop limit" '.findings | map(.code) | index("hop-limit-exhausted") != null'
printf '%s shop/web-1/app\n' "$(addr web-1)" >"$LAB_ROOT/names"
"$IMDSNOOP" report --json --from "$dir/any.pcap" --names "$LAB_ROOT/names" >"$LAB_ROOT/report" 2>/dev/null
expect_report "$LAB_ROOT/report" "--names gives names" '.pods | map(select(.pod == "web-1" and .namespace == "shop" and .container == "app")) | length == 1'
# the uplink without the router's ICMP: seen dying, not told
tcpdump -r "$dir/uplink.pcap" -w "$dir/no-icmp.pcap" 'not icmp and not icmp6' 2>/dev/null
"$IMDSNOOP" trace --json --from "$dir/no-icmp.pcap" >"$dir/no-icmp.jsonl" 2>/dev/null
expect_trace "$dir/no-icmp.jsonl" "the uplink without ICMP: strong" 'requests | map(select(.kind == "token" and .outcome == "hop-limit")) |
	length == 4 and all(.[]; .confidence == "strong")'
# both sides in two files, no ICMP: not behind the router
tcpdump -r "$dir/web-1.pcap" -w "$dir/inside.pcap" 2>/dev/null
"$IMDSNOOP" trace --json --from "$dir/no-icmp.pcap" --from "$dir/inside.pcap" >"$dir/two.jsonl" 2>/dev/null
found two "two files of two places: proven" "$(addr web-1)" '.outcome == "hop-limit" and .confidence == "proven"'
gzip -k "$dir/any.pcap"
"$IMDSNOOP" trace --json --from - <"$dir/any.pcap.gz" >"$dir/gzip.jsonl" 2>/dev/null
# shellcheck disable=SC2016
check "gzip, by standard input: the same" sh -c 'grep request "$0/any.jsonl" | cmp - "$0/gzip.jsonl.r" 2>/dev/null || grep -c request "$0/gzip.jsonl" | grep -qx "$(grep -c request "$0/any.jsonl")"' "$dir"

# the same packets in other files: nothing changes, but for what a cut packet cannot show
others="ns.pcap ng.pcapng vlan.pcap qinq.pcap short.pcap heads.pcap merged.pcapng rotated"
same_requests() {		# same_requests PLACE: as that of web-1, times and all
	diff <(jq -c 'select(.type == "request")' "$dir/web-1.jsonl") <(jq -c 'select(.type == "request")' "$dir/$1.jsonl")
}
if command -v editcap mergecap node >/dev/null; then
	editcap -F nsecpcap "$dir/web-1.pcap" "$dir/ns.pcap"
	editcap -F pcapng "$dir/web-1.pcap" "$dir/ng.pcapng"
	node "$LAB_DIR/vlan.js" 0x8100 <"$dir/web-1.pcap" >"$dir/vlan.pcap"
	node "$LAB_DIR/vlan.js" 0x88a8 0x8100 <"$dir/web-1.pcap" >"$dir/qinq.pcap"
	editcap -s 120 "$dir/any.pcap" "$dir/short.pcap"
	editcap -s 70 "$dir/any.pcap" "$dir/heads.pcap"
	# Ethernet and cooked interfaces in one file
	mergecap -w "$dir/merged.pcapng" "$dir/uplink.pcap" "$dir/any.pcap" "$dir/web-1.pcap"
	editcap -F pcap -c 20 "$dir/web-1.pcap" "$dir/rotated.pcap" 2>/dev/null
	gzip -f "$dir"/rotated_00001*.pcap
	froms=()
	for f in "$dir"/rotated_*; do froms+=(--from "$f"); done
	"$IMDSNOOP" trace --json "${froms[@]}" >"$dir/rotated.jsonl" 2>/dev/null
	for f in $others; do
		[ "$f" = rotated ] || "$IMDSNOOP" trace --json --from "$dir/$f" >"${dir}/${f%.*}.jsonl" 2>"$dir/$f.out" || cat "$dir/$f.out"
		case $f in
		short*|heads*|merged*) check "$f: as live, or weaker" agrees exhausted "${f%.*}" ;;
		*) check "$f: the same requests" same_requests "${f%.*}" ;;
		esac
	done
	expect_trace "$dir/short.jsonl" "a GET whose head is cut is not called v1" 'requests | map(select(.method == "GET")) | all_are(.imds_version == null)'
	expect_trace "$dir/short.jsonl" "120 bytes of a packet are enough for the proof" 'requests | map(select(.kind == "token" and .outcome == "hop-limit" and .confidence == "proven")) | length >= 3'
	expect_trace "$dir/heads.jsonl" "heads alone: an answer that dies still does, whatever was asked" 'requests |
		map(select(.outcome == "hop-limit")) | length >= 3 and all(.[]; .kind == "other" and .ttl_dropped == 1)'
	expect_trace "$dir/merged.jsonl" "several interfaces in one file: proven" 'requests | map(select(.kind == "token" and .outcome == "hop-limit" and .confidence == "proven")) | length >= 3'
else
	for f in $others; do echo "skip $f: no editcap, mergecap or node here"; done
fi

lab_server_set hop-limit 64
lab_server_set silent-token 1
scenario silent-token
expect_trace "$dir/web-1.jsonl" "silent-token, in the pod: not the hop limit, its FIN is acknowledged" 'requests | map(select(.outcome == "hop-limit")) | length == 0'
lab_server_set silent-token 0
lab_server_set hop-limit 2
scenario limit-2
expect_trace "$dir/web-1.jsonl" "half-closed, then answered" 'requests | map(select(.path == "/latest/user-data")) | all_are(.outcome == "ok" and .status == 200)'

# what is no capture, or half of one
printf 'GIF89a' >"$LAB_ROOT/bad"
head -c 3000 "$dir/any.pcap" >"$LAB_ROOT/cut"
: >"$LAB_ROOT/empty"
for f in bad empty; do
	"$IMDSNOOP" report --from "$LAB_ROOT/$f" >"$LAB_ROOT/out" 2>&1
	check "$f: exit 1" equal $? 1
done
"$IMDSNOOP" report --from "$LAB_ROOT/cut" >"$LAB_ROOT/out" 2>&1
check "a cut capture is used as far as it goes" equal $? 0
check "and it says so" grep -q 'cut off in the middle' "$LAB_ROOT/out"
setpriv --reuid 65534 --clear-groups true 2>/dev/null && {
	"$IMDSNOOP" trace --from - --json <"$dir/any.pcap" >"$LAB_ROOT/root" 2>/dev/null
	setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all --bounding-set=-all "$IMDSNOOP" trace --from - --json \
		<"$dir/any.pcap" >"$LAB_ROOT/nobody" 2>/dev/null
	check "needs no rights" cmp "$LAB_ROOT/root" "$LAB_ROOT/nobody"
}
