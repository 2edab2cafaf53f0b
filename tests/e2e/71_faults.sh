#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# What it reads and writes breaks while it runs: it lives, goes on counting, says what is wrong in one line, and every byte
# passes unharmed.
# shellcheck disable=SC2016	# sh -c expands
# shellcheck source=tests/lib/e2e.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/e2e.sh"
e2e_lab --hop-limit 2
lab_pod_bridge web-1 --namespace shop
r=$LAB_ROOT/report t=$LAB_ROOT/trace
logs=$LAB_ROOT/node/log

# --- the kubelet's log folders ---

load() {			# load POD N: N requests at 100/s, told apart by their query
	lab_exec "$1" "$LAB_BIN/load_client" --target 169.254.169.254:80 --rate 100 --seconds "$(($2 / 100))" \
		--path "/latest/meta-data/instance-id?load"
}
whole() {			# whole NAME N RESULT-FILE
	check "$1: the traffic went on" e2e_jq "$3" ".failed == 0 and .ok == $2"
	BYTES_QUERY=load check "$1: hashes at both ends agree" bytes_agree "$3"
}
cpu_ticks() { awk '{ print $14 + $15 }' "/proc/$1/stat"; }
lab_pod_host load-1 --namespace shop
trace_start "$t"
bytes_mark
load load-1 300 >"$LAB_ROOT/load" &
load=$!
get web-1 >/dev/null
mv "$logs" "$logs.gone"
lab_pod_host gone-1 --namespace shop --no-logs
get gone-1 >/dev/null
mkdir -p "$logs"
ln -s loop "$logs/loop"
ln -s loop/pods "$logs/pods"
ln -s ../log/containers "$logs/containers"
lab_pod_host loop-1 --namespace shop --no-logs
get loop-1 >/dev/null
rm "$logs/pods" "$logs/containers" "$logs/loop"
: >"$logs/pods"
: >"$logs/containers"
lab_pod_host file-1 --namespace shop --no-logs
before=$(cpu_ticks "$LAB_TRACE_PID")
get file-1 >/dev/null
sleep 1
check "log folders: broken ones cost no CPU" test $(($(cpu_ticks "$LAB_TRACE_PID") - before)) -le 20
get web-1 >/dev/null
rm -r "$logs"
mv "$logs.gone" "$logs"
lab_pod_host back-1 --namespace shop
get back-1 >/dev/null
wait $load
trace_stop
check "log folders: it lived" equal $? 0
whole "log folders" 300 "$LAB_ROOT/load"
expect_trace "$t" "log folders: all of it was counted" 'of("load-1") | length == 300'
for p in gone loop file; do
	lab_pod_load $p-1
	expect_trace "$t" "log folders: $p: seen, by its identifiers, without a name" "requests |
		map(select(.container_id == \"$pod_id\")) | length == 1 and
		(.[0] | .pod_uid == \"$pod_uid\" and .pod == \"\" and .namespace == \"\" and .outcome == \"ok\")"
done
expect_trace "$t" "log folders: a known name stays" 'of("web-1") | length == 2 and all_are(.namespace == "shop")'
expect_trace "$t" "log folders: names again when they are back" 'of("back-1") | length == 1 and .[0].namespace == "shop"'

# --- output that takes no more ---

fails_in_one_line() {		# fails_in_one_line WORDS COMMAND...
	local words=$1 code
	shift
	timeout 20 "$@" 2>"$LAB_ROOT/err" </dev/null
	code=$?
	cat "$LAB_ROOT/err"
	equal $code 1 && equal "$(grep -vc watching "$LAB_ROOT/err")" 1 && grep -qE "$words" "$LAB_ROOT/err"
}
lab_args
full='cannot write to .*No space left'
check "disk full: trace says so at once" fails_in_one_line "$full" "$IMDSNOOP" trace "${LAB_ARGS[@]}" --quiet --output /dev/full
check "disk full: trace --json, too" fails_in_one_line "$full" "$IMDSNOOP" trace "${LAB_ARGS[@]}" --json --output /dev/full
check "disk full: report says so" fails_in_one_line "$full" "$IMDSNOOP" report "${LAB_ARGS[@]}" --duration 200ms \
	--output /dev/full
check "disk full: report to standard output, too" fails_in_one_line "$full" sh -c 'exec "$0" "$@" >/dev/full' \
	"$IMDSNOOP" report "${LAB_ARGS[@]}" --duration 200ms --json

mkdir "$LAB_ROOT/small"
mount -t tmpfs -o size=64k none "$LAB_ROOT/small" || e2e_die "a small tmpfs"
e2e_later umount -l "$LAB_ROOT/small"
trace_start "$LAB_ROOT/small/trace"
pid=$LAB_TRACE_PID
bytes_mark
load web-1 200 >"$LAB_ROOT/load"
check "disk full later: it ends by itself" lab_wait_for 5 lab_is_gone "$pid"
LAB_TRACE_PID=
wait "$pid"
check "disk full later: exit code 1" equal $? 1
whole "disk full later" 200 "$LAB_ROOT/load"

# --- standard output closed ---

closed='standard output|file descriptor'
check "no stdout: report says so" fails_in_one_line "$closed" sh -c 'exec "$0" "$@" >&-' \
	"$IMDSNOOP" report "${LAB_ARGS[@]}" --duration 200ms
check "no stdout: trace says so" fails_in_one_line "$closed" sh -c 'exec "$0" "$@" >&-' \
	"$IMDSNOOP" trace "${LAB_ARGS[@]}" --quiet
check "no stdin, stdout, stderr: --output is written all the same" sh -c 'exec "$0" "$@" <&- >&- 2>&-' \
	"$IMDSNOOP" report "${LAB_ARGS[@]}" --duration 200ms --json --output "$r"
expect_report "$r" "no stdin, stdout, stderr: and whole" '.schema == "imdsnoop.report/1"'

# --- a reader that leaves under load ---

mkfifo "$LAB_ROOT/pipe"
for format in text json; do
	head -n 3 "$LAB_ROOT/pipe" >"$LAB_ROOT/lines" &
	"$IMDSNOOP" trace "${LAB_ARGS[@]}" --format $format --quiet >"$LAB_ROOT/pipe" 2>"$LAB_ROOT/err" </dev/null &
	pid=$!
	lab_attached $pid
	bytes_mark
	load web-1 100 >"$LAB_ROOT/load"
	check "reader left, $format: it ends by itself" lab_wait_for 5 lab_is_gone $pid
	wait $pid
	check "reader left, $format: well, and quietly" equal "$? $(cat "$LAB_ROOT/err")" "0 "
	check "reader left, $format: the reader has its lines" equal "$(wc -l <"$LAB_ROOT/lines")" 3
	whole "reader left, $format" 100 "$LAB_ROOT/load"
done
check "reader left: report ends well, and quietly, too" equal "$("$IMDSNOOP" report "${LAB_ARGS[@]}" --duration 200ms --quiet --json \
	2>&1 >/dev/full | grep -c 'No space left') $(bash -c '"$0" "$@" | :; echo "${PIPESTATUS[0]}"' "$IMDSNOOP" report "${LAB_ARGS[@]}" \
	--duration 200ms --quiet --json 2>&1)" "1 0"

# --- paths on request only ---

trace_start "$t" --redact-paths --stall 100ms
report_start "$r" --redact-paths
lab_server_set slow-ms 400
get web-1 3 /latest/meta-data/iam/security-credentials/role-of-mine >/dev/null
lab_server_set slow-ms 0
"$IMDSNOOP" trace "${LAB_ARGS[@]}" --redact-paths --count 1 --duration 20s >"$t.text" 2>&1 &
pid=$!
lab_attached $pid
get web-1 2 /latest/meta-data/iam/security-credentials/role-of-mine >/dev/null
wait $pid
trace_stop
report_stop
expect_trace "$t" "--redact-paths: stall and request have kind and no path" '(stalls | length == 1) and (requests | length == 2) and
	(stalls + requests | all_are(.kind == "credentials" and (.path // "") == ""))'
check "--redact-paths: the text has the request" grep -q credentials "$t.text"
check "--redact-paths: the role is in no output" sh -c "! grep -H role-of-mine '$t' '$t.text' '$t.err' '$r' '$r.err'"
