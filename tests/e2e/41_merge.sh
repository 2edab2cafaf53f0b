#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# merge: the reports of two nodes in three forms, and files that are none.
# shellcheck source=tests/lib/e2e.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/e2e.sh"
e2e_lab --hop-limit 1
lab_pod_bridge cart-7d9f6c5b8-x2x4q --namespace shop --container app
lab_pod_host agent-5k2p9 --namespace kube-system --container agent
a=$LAB_ROOT/node-a.json b=$LAB_ROOT/node-b.json out=$LAB_ROOT/out err=$LAB_ROOT/err

merge() { "$IMDSNOOP" merge "$@" >"$out" 2>"$err"; }

report_start "$a" --node node-a
put cart-7d9f6c5b8-x2x4q >/dev/null
put agent-5k2p9 >/dev/null
report_stop
# the second node: another kernel, another pod of the same workload
jq '.node = "node-b" | .kernel = "6.1.0-other" | (.pods[], .findings[], .findings[].pods[]) |=
	(if .pod == "cart-7d9f6c5b8-x2x4q" then .pod = "cart-7d9f6c5b8-b2b4b" else . end)' "$a" >"$b"

merge --json "$a" "$b"
check "merge: fine" equal $? 0
check "merge: quiet" equal "$(cat "$err")" ""
check "merge: both nodes, all pods, worst first" e2e_jq "$out" '.schema == "imdsnoop.merge/1" and
	([.nodes[].node] == ["node-a", "node-b"]) and (.pods | length == 4) and
	([.pods[0, 1].pod] | sort == ["cart-7d9f6c5b8-b2b4b", "cart-7d9f6c5b8-x2x4q"])'
check "merge: grouped by workload" e2e_jq "$out" '.findings | map(select(.code == "hop-limit-exhausted")) |
	length == 1 and (.[0] | .workload == "cart" and .pods == 2 and .nodes == 2 and .required_hop_limit == 2 and
	.seconds_lost > 1 and (.advice | length > 0))'
check "merge: highest required hop limit" e2e_jq "$out" \
	'.totals.required_hop_limit == 2 and .totals.hop_limit_pods == 2'
check "merge: in what they differ" e2e_jq "$out" '.differences | length == 1 and .[0].what == "kernel" and
	(.[0].values | map(.nodes[]) | sort == ["node-a", "node-b"])'
check "merge: standard input" equal "$("$IMDSNOOP" merge --json - "$b" <"$a" | jq '.nodes | length')" 2

merge "$a" "$b"
check "merge: text" grep -q '^PROBLEM  2 pods on 2 nodes: no metadata token' "$out"
merge --format html --output "$LAB_ROOT/page.html" "$a" "$b"
check "merge: html" grep -q 'shop/cart (app)' "$LAB_ROOT/page.html"
no_outside() { ! grep -Eio '<script|src=|href=|@import|url\(|https?:/' "$LAB_ROOT/page.html"; }
check "merge: html without script or outside address" no_outside

# --- two watches of one node -----------------------------------------------------------------------------------------
jq '.duration_s = 60' "$a" >"$LAB_ROOT/long"
jq '.duration_s = 60 | .started |= (.[0:19] + "Z" | fromdate + 30 | todate)' "$a" >"$LAB_ROOT/later"
merge --json "$LAB_ROOT/long" "$LAB_ROOT/later"
# shellcheck disable=SC2016
check "one node: it is one, and what both saw counts once" e2e_jq "$out" '.totals.nodes == 1 and
	.totals.requests == $a[0].totals.requests and (.pods | length) == ($a[0].pods | length) and
	(.note | test("1 report overlaps")) and (.findings | all(.[]; .nodes == 1))' --slurpfile a "$a"
merge "$LAB_ROOT/long" "$LAB_ROOT/later"
check "one node: text says so" grep -q '^1 report overlaps in time with another one of the same node' "$out"

# --- files that are none ---------------------------------------------------------------------------------------------
head -c 100 "$a" >"$LAB_ROOT/cut"
echo '{"schema":"other/1"}' >"$LAB_ROOT/foreign"
truncate -s 65M "$LAB_ROOT/huge"
merge --json "$a" "$LAB_ROOT/cut" "$LAB_ROOT/foreign" "$LAB_ROOT/huge" "$LAB_ROOT/none" "$a" "$b"
check "broken files: exit 1" equal $? 1
check "broken files: a report of the rest" e2e_jq "$out" '.nodes | length == 2'
for f in cut foreign huge none node-a.json; do
	check "broken files: $f is named" grep -q "skipped '.*/$f'" "$err"
done
check "broken files: one line each" equal "$(wc -l <"$err")" 5
check "broken files: the size is told" grep -q 'huge.*larger than 64 MiB' "$err"
printf '{"a": \033]0;x\007\302\2330m\n' >"$LAB_ROOT/escapes"
merge --json "$a" "$LAB_ROOT/escapes"
check "a broken file's bytes: no control byte reaches the terminal" equal "$(LC_ALL=C grep -c $'[^ -~]' "$err") $(grep -c escapes "$err")" "0 1"
merge --json "$LAB_ROOT/cut"
check "nothing to merge: exit 1" equal $? 1
check "nothing to merge: no report" equal "$(wc -c <"$out")" 0
check "nothing to merge: one file, one line" equal "$(sed 's/: not JSON.*//' "$err")" "imdsnoop: cannot read '$LAB_ROOT/cut'"
merge --json "$LAB_ROOT/cut" "$LAB_ROOT/none"
check "nothing to merge: of several, each, and that none is left" equal "$(sed "s/'.*//" "$err")" \
	$'imdsnoop: skipped \nimdsnoop: skipped \nimdsnoop: no report to merge'

# --- hostile files and many of them ------------------------------------------------------------------------------------
within() {			# within SECONDS MIB NAME ARGS...: processor time and memory of merge --json ARGS
	local seconds=$1 mib=$2 name=$3 cpu kib
	shift 3
	/usr/bin/time -f '%U %S %M' -o "$LAB_ROOT/time" "$IMDSNOOP" merge --json "$@" >"$out" 2>"$err"
	read -r cpu kib < <(tail -1 "$LAB_ROOT/time" | awk '{ print $1 + $2, $3 }')
	check "$name: within $seconds s" awk -v s="$cpu" -v most="$seconds" 'BEGIN { exit !(s <= most) }'
	check "$name: within $mib MiB" test "$kib" -le $((mib * 1024))
}
if [ -x /usr/bin/time ]; then
	jq -c '.features = [range(60000) | { name: "f\(.)", state: "ok" }] | .node = "evil"' "$a" >"$LAB_ROOT/features"
	within 3 512 "60,000 features" "$a" "$LAB_ROOT/features"
	check "60,000 features: what was not read is told" grep -q '59936 rows beyond what a report has' "$err"
	{ head -c -2 "$a"; printf ',"x":['; yes '[],' | head -n 15000000 | tr -d '\n'; printf '[]]}'; } >"$LAB_ROOT/lists"
	within 10 512 "15 million lists" "$a" "$LAB_ROOT/lists"
	check "15 million lists: refused, and why" grep -q 'more values than any report' "$err"
	mkdir "$LAB_ROOT/many"
	jq -c '.pods |= [range(100) as $i | .[0] | .pod = "cart-7d9f6c5b8-\(100 + $i)"]' "$a" >"$LAB_ROOT/wide"
	for i in {1..1000}; do sed "s/\"node-a\"/\"node-$i\"/" "$LAB_ROOT/wide" >"$LAB_ROOT/many/$i"; done
	within 60 256 "1,000 nodes with 100 pods" "$LAB_ROOT/many"/*
	check "1,000 nodes with 100 pods: all are there" e2e_jq "$out" '.totals.pods == 100000 and (.pods | length == 100000) and
		(.nodes | length == 1000) and .totals.pods_left_out == 0'
else
	echo "skip merge: no /usr/bin/time here"
fi
