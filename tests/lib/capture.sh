# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shellcheck disable=SC2154	# $dir is the caller's
#
# What tcpdump saw is judged as the live session judged it, or weaker: captures of a lab's node and pods, and the comparison.
# A test that sets E2E_CAPTURES=1 has it of what happens between trace_start and trace_stop.

CAPTURE_PIDS=()

capture_at() {			# capture_at FILE NETNS-SUFFIX ARGS...: into $dir
	local file=$1 ns=$2
	shift 2
	nsenter --net="/run/netns/$LAB_ID-$ns" -- tcpdump -Z root -U -w "$dir/$file.pcap" "$@" 2>"$dir/$file.err" </dev/null &
	CAPTURE_PIDS+=($!)
}

capture_pods() {		# pods with a network of their own
	local ns
	for ns in "/run/netns/$LAB_ID"-p-*; do [ ! -e "$ns" ] || echo "${ns#/run/netns/"$LAB_ID"-p-}"; done
}

capture_start() {		# capture_start DIR: on the uplink, on any interface of the node, twice, and in each pod
	local p
	dir=$1
	mkdir -p "$dir"
	CAPTURE_PIDS=()
	CAPTURE_PLACES="uplink any cooked $(capture_pods)"
	capture_at uplink node -i eth0
	capture_at any node -i any
	capture_at cooked node -y LINUX_SLL -i any
	# any: what a sidecar's redirection does is on lo
	for p in $(capture_pods); do capture_at "$p" "p-$p" -i "${CAPTURE_PODS_ON:-any}"; done
	for p in $CAPTURE_PLACES; do lab_wait_for 10 grep -q 'listening on' "$dir/$p.err" || e2e_die "tcpdump runs at $p"; done
}

capture_stop() {
	[ ${#CAPTURE_PIDS[@]} -gt 0 ] || return 0
	sleep 1.2			# libpcap's packets wait in the kernel for up to a second; those that do are lost at its end
	kill "${CAPTURE_PIDS[@]}" 2>/dev/null
	wait "${CAPTURE_PIDS[@]}" 2>/dev/null
	CAPTURE_PIDS=()
}

capture_read() {		# capture_read FILE PLACE: $dir/FILE into $dir/PLACE.jsonl
	"$IMDSNOOP" trace --json --from "$dir/$1" >"$dir/$2.jsonl" 2>"$dir/$2.out" || cat "$dir/$2.out"
}

# Prints what is judged otherwise than by being weaker. Requests are joined by connection and their number in it; on the
# uplink, behind NAT, by the port alone.
capture_compare() {		# capture_compare LIVE PLACE
	# shellcheck disable=SC2016
	jq -n -r --slurpfile live "$1" --slurpfile here "$dir/$2.jsonl" --arg place "$2" '
		def key: if $place | startswith("uplink") then (.local | sub(".*:"; "")) + " " + .endpoint else .local + " " + .endpoint end;
		def requests: map(select(.type == "request") | . + {key: key}) | group_by(.key) |
			map(sort_by(.time) | to_entries | map(.value + {key: (.value.key + " " + (.key | tostring))})) | add // [];
		def weak: {"proven": 3, "strong": 2, "likely": 1}[. // ""] // 0;
		def failed: IN("ok", "http-error") | not;
		(($live | requests) | map({key, value: .}) | from_entries) as $l | ($here | requests)[] | . as $r |
		$l[.key] as $w | select($w != null) |
		select(
			# a cut head leaves unknown what it held
			(.kind != $w.kind and [.kind, .path] != ["other", ""]) or (.method != $w.method and .method != "") or
			(.path != $w.path and .path != "") or (.imds_version != $w.imds_version and (.imds_version // "unknown") != "unknown") or
			(.hops != null and $w.hops != null and .hops != $w.hops) or (.status != null and .status != $w.status) or
			(.ttl_synack != null and .ttl_synack != $w.ttl_synack) or
			(if .outcome == "hop-limit" then $w.outcome != "hop-limit" or (.confidence | weak) > ($w.confidence | weak)
			 elif .outcome == "no-response" or .outcome == "aborted" then $w.outcome | failed | not
			 # its ICMP error is in the capture; the socket has only the end that it made
			 elif .outcome == "blocked" and $w.outcome == "refused" then .drop_location | endswith("told so by ICMP)") | not
			 elif .outcome == "ok" and .status == null then $w.outcome | failed	# the report says how many are so
			 else .outcome != $w.outcome end)) |
		["live", $w.pod, $w.local, $w.kind, $w.path, $w.outcome, $w.cause, $w.confidence, $w.hops, $w.ttl_synack, $w.status,
			"here", .kind, .path, .outcome, .cause, .confidence, .hops, .ttl_synack, .status] | tostring' 2>&1
}
capture_agrees() { equal "$(capture_compare "$@")" ''; }

capture_judge() {		# capture_judge LIVE: all places of the last captures
	local p
	for p in $CAPTURE_PLACES; do
		capture_read "$p.pcap" "$p"
		check "capture $p of ${1##*/}: as live, or weaker" capture_agrees "$1" "$p"
	done
}

capture_known() {		# capture_known LIVE PLACE: how many requests of PLACE the live session knows by their address
	# shellcheck disable=SC2016
	jq -n --slurpfile live "$1" --slurpfile here "$dir/$2.jsonl" '[$here[] | select(.type == "request") | . as $r |
		$live[] | select(.type == "request" and .local == $r.local)] | length'
}
