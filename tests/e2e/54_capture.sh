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
CAPTURE_PODS_ON=eth0

scenario() {			# scenario NAME
	local p asking=()
	capture_start "$LAB_ROOT/$1"
	trace_start "$dir/live"
	for p in $pods agent-1; do
		{ put "$p" 0.8; get "$p" 0.8; } >/dev/null &
		asking+=($!)
	done
	wait "${asking[@]}"
	# half-closed is not gone
	raw web-1 'send:GET /latest/user-data HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n' shutdown expect: close >/dev/null
	raw web-1 'send:GET /latest/meta-data/ami-id HTTP/1.1\r\nHost: a\r\n\r\n' 'expect:HTTP/1.1 ' \
		'send:GET /latest/meta-data/placement/region HTTP/1.1\r\nHost: a\r\n\r\n' 'expect:HTTP/1.1 ' close >/dev/null
	sleep 0.5
	trace_stop
	capture_stop
	capture_judge "$dir/live"
	check "$1: the node's captures have all pods" test "$(capture_known "$dir/live" any)" -ge 10
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
timeout 10 "$IMDSNOOP" report --from "$dir/any.pcap" --names /dev/zero >/dev/null 2>"$LAB_ROOT/err"
check "names without an end" equal $? 1
check "names without an end: it is told that the names are wrong" equal "$(sed 's/: give.*//' "$LAB_ROOT/err")" \
	"imdsnoop: cannot read: '/dev/zero', line 1"
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

# The same packets in other files: FILE SAME|WEAKER OF COMMAND... Nothing changes, but for what a cut packet cannot show.
same_requests() {		# same_requests PLACE FILE: times and all
	diff <(jq -c 'select(.type == "request")' "$dir/$1.jsonl") <(jq -c 'select(.type == "request")' "$dir/$2.jsonl")
}
recapture() { node "$LAB_DIR/recapture.js" "${@:3}" <"$1" >"$2"; }
cut_to() { editcap -s "$3" "$1" "$2"; }
format() { editcap -F "$3" "$1" "$2"; }
only() { tcpdump -r "$1" -w "$2" "$3" 2>/dev/null; }
# several Ethernet places as if they were one, and several links in one file
merge() { mergecap -F "$3" -w "$2" "$dir/uplink.pcap" "$dir/web-1.pcap" "${@:4}"; }
if command -v editcap mergecap node >/dev/null; then
	while read -r file how of command; do
		# shellcheck disable=SC2086
		eval "${command/ / \"\$dir/$of.pcap\" \"\$dir/$file\" }" 2>"$dir/$file.err" || cat "$dir/$file.err"
		capture_read "$file" "$file"
		case $how in
		same) check "$file: the same requests" same_requests "$of" "$file" ;;
		weaker) check "$file: as live, or weaker" capture_agrees "$dir/live" "$file" ;;
		esac
	done <<-'EOF'
	ns.pcap		same	web-1	format nsecpcap
	ng.pcapng	same	web-1	format pcapng
	vlan.pcap	same	web-1	recapture vlan 0x8100
	qinq.pcap	same	web-1	recapture vlan 0x88a8 0x8100
	raw.pcap	same	web-1	recapture raw
	big.pcap	same	any	recapture big
	twice.pcap	weaker	any	recapture twice
	short.pcap	weaker	any	cut_to 120
	short96.pcap	weaker	any	cut_to 96
	heads.pcap	weaker	any	cut_to 70
	shuffled.pcap	same	any	recapture shuffle 20000
	uplink-no-synack.pcap weaker uplink	only 'not (tcp[13] = 18)'
	uplink-shuffled.pcap same uplink recapture shuffle 3000
	late.pcap	weaker	any	recapture skip 7
	raw-any.pcap	weaker	any	recapture raw
	out.pcap	weaker	any	only 'dst host 169.254.169.254'
	in.pcap		weaker	any	only 'src host 169.254.169.254'
	joined.pcap	weaker	-	merge pcap
	merged.pcapng	weaker	-	merge pcapng "$dir/any.pcap"
	EOF
	editcap -F pcap -c 20 "$dir/web-1.pcap" "$dir/rotated.pcap" 2>/dev/null
	gzip -f "$dir"/rotated_00001*.pcap
	froms=()
	for f in "$dir"/rotated_*; do froms+=(--from "$f"); done
	"$IMDSNOOP" trace --json "${froms[@]}" >"$dir/rotated.jsonl" 2>/dev/null
	check "rotated files, one of them by gzip: the same requests" same_requests web-1 rotated
	expect_trace "$dir/short.pcap.jsonl" "a GET whose head is cut is not called v1" 'requests | map(select(.method == "GET")) | all_are(.imds_version == "unknown")'
	expect_trace "$dir/short.pcap.jsonl" "120 bytes of a packet are enough for the proof" 'requests | map(select(.kind == "token" and .outcome == "hop-limit" and .confidence == "proven")) | length >= 3'
	expect_trace "$dir/heads.pcap.jsonl" "heads alone: an answer that dies still does, whatever was asked" 'requests |
		map(select(.outcome == "hop-limit")) | length >= 3 and all(.[]; .kind == "other" and .ttl_dropped == 1)'
	for f in merged.pcapng joined.pcap; do
		expect_trace "$dir/$f.jsonl" "$f, several places: proven" 'requests | map(select(.kind == "token" and .outcome == "hop-limit" and .confidence == "proven")) | length >= 1'
	done
	for f in in out heads; do
		"$IMDSNOOP" report --json --from "$dir/$f.pcap" 2>/dev/null >"$LAB_ROOT/report"
		expect_report "$LAB_ROOT/report" "$f.pcap: what is missing is told" '.losses | .capture_answers_missing + .capture_requests_missing + .capture_status_missing > 0'
	done
	"$IMDSNOOP" report --json --from "$dir/in.pcap" 2>/dev/null >"$LAB_ROOT/report"
	expect_report "$LAB_ROOT/report" "answers without their requests are not called quiet" '.headline.level == "blind"'
else
	echo "skip the same packets in other files: no editcap, mergecap or node here"
fi

lab_server_set hop-limit 64
lab_server_set silent-token 1
scenario silent-token
expect_trace "$dir/web-1.jsonl" "silent-token, in the pod: not the hop limit, its FIN is acknowledged" 'requests | map(select(.outcome == "hop-limit")) | length == 0'
only "$dir/web-1.pcap" "$dir/no-acks.pcap" 'not (src host 169.254.169.254 and tcp[13] = 16)'
capture_read no-acks.pcap no-acks
expect_trace "$dir/no-acks.jsonl" "silent-token, acknowledgements lost by the capture: no death, as nothing was sent again" 'requests |
	map(select(.kind == "token")) | all_are(.outcome == "no-response")'
lab_server_set silent-token 0
lab_server_set hop-limit 2
scenario limit-2
expect_trace "$dir/web-1.jsonl" "half-closed, then answered" 'requests | map(select(.path == "/latest/user-data")) | all_are(.outcome == "ok" and .status == 200)'

# each HOW ARGUMENT LAST STEP: web-1's packets changed at each of them
each() {
	local i
	for ((i = 1; i < $3; i += $4)); do
		recapture "$dir/web-1.pcap" "$dir/each.pcap" "$1" $i "$2"
		capture_read each.pcap each
		# where an answer is lost its request is not told, and the next one of the connection is the first
		capture_agrees "$dir/live" each >/dev/null || capture_agrees "$dir/live-later" each || { echo "at packet $i"; return 1; }
		[ "$1" = lose ] || equal "$(capture_known "$dir/live" each)" "$(capture_known "$dir/live" web-1)" || return
	done
}
lost_first() {			# of the connection with two requests, packet 1 and each of the next ones
	local i port
	port=$(jq -r 'select(.path == "/latest/meta-data/ami-id" and .pod == "web-1") | .local | sub(".*:"; "")' "$dir/live")
	only "$dir/web-1.pcap" "$dir/kept.pcap" "tcp port $port"
	for i in 2 3 4 5 6 7; do
		recapture "$dir/kept.pcap" "$dir/lost.pcap" lose 1 $i
		capture_read lost.pcap lost
		capture_agrees "$dir/live" lost >/dev/null || capture_agrees "$dir/live-later" lost || { echo "without packet $i"; return 1; }
	done
}
skewed() {			# two files of two hosts
	local late
	for late in -5 -0.001 0.0005 0.0002 0.00025 -0.0001 -0.00015 -0.0002 5; do
		recapture "$dir/uplink.pcap" "$dir/skewed.pcap" step 0 $late
		"$IMDSNOOP" trace --json --from "$dir/skewed.pcap" --from "$dir/web-1.pcap" >"$dir/skewed.jsonl" 2>/dev/null
		# what ends before its pod's own packets come is told under the address that the uplink has for it
		capture_agrees "$dir/live" skewed >/dev/null || capture_agrees "$dir/live-later" skewed || { echo "late by $late s"; return 1; }
	done
}
jq -c 'select(.path != "/latest/meta-data/ami-id")' "$dir/live" >"$dir/live-later"
if command -v node >/dev/null; then
	check "a clock that is set back in between changes no verdict" each step 60 40 3
	check "nor do clocks of two places that differ" skewed
	check "nor does a packet that the capture lost" each lose 0 60 1
	check "nor the first answer or its request together with the SYN-ACK" lost_first
fi

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
