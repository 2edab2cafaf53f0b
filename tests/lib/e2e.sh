# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# For end-to-end tests: the lab, checks that count, and questions to what imdsnoop wrote. A test sources it, brings a lab
# up with e2e_lab, does things, and states facts. tests/e2e/run counts the lines "ok NAME", "not ok NAME", "skip NAME".

set -u
# shellcheck source=tests/lib/lab.sh
. "$(dirname "${BASH_SOURCE[0]}")/lab.sh"
E2E_FAILED=0
E2E_LATER=()

e2e_later() { E2E_LATER+=("$(printf '%q ' "$@")"); }	# e2e_later COMMAND...: when the test ends, however it ends

e2e_end() {
	local code=$? later
	trap - EXIT
	for later in "${E2E_LATER[@]}"; do eval "$later"; done
	lab_down || { echo "not ok the lab is removed completely"; code=1; }
	[ $code -ne 0 ] || code=$E2E_FAILED
	exit $code
}
trap e2e_end EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

e2e_die() { echo "not ok $*"; exit 1; }
e2e_skip_all() { echo "skip: $*"; exit 77; }

e2e_lab() {			# e2e_lab [SERVER OPTIONS...]
	lab_up "$@" || e2e_die "the lab comes up"
}

e2e_need() {			# e2e_need COMMAND...: or the whole test is skipped
	local c
	for c; do command -v "$c" >/dev/null || e2e_skip_all "no $c here"; done
}

check() {			# check NAME COMMAND...: runs it in a subshell; what it prints is shown when it fails
	local name=$1 out
	shift
	if out=$("$@" 2>&1); then
		echo "ok $name"
		return 0
	fi
	E2E_FAILED=1
	echo "not ok $name"
	printf '%s\n' "    $*" "$out" | cut -c1-1000 | head -60 | sed 's/^/    # /'
	return 1
}

equal() {			# equal GOT WANTED
	[ "$1" = "$2" ] || { echo "got '$1', wanted '$2'"; return 1; }
}

# Functions for jq: lists of requests and findings.
# shellcheck disable=SC2016
E2E_JQ='
def requests: map(select(.type == "request"));
def stalls: map(select(.type == "stall"));
def of($pod): requests | map(select(.pod == $pod));
def tokens($pod): of($pod) | map(select(.kind == "token"));
def gets($pod): of($pod) | map(select(.method == "GET"));
def all_are(f): length > 0 and all(.[]; f);
def pod($pod): .pods | map(select(.pod == $pod)) | first;
def codes($pod): [.findings[] | select(.pod == $pod) | .code];
def blames: [.findings[] | select(.severity != "info")];
'

e2e_jq() {			# e2e_jq FILE FILTER [JQ OPTIONS]: true when the filter gives true; else shows what there is
	local file=$1 filter=$2
	shift 2
	jq -e "$@" "$E2E_JQ $filter" "$file" >/dev/null && return
	echo "is not true: $filter"
	if [ "${1:-}" = -s ]; then
		jq -c 'select(.type == "request" or .type == "stall") | [.type, .pod, .container, .comm, .local, .endpoint,
			.provider, .kind, .imds_version, .method, .path, .status, .outcome, .confidence, .duration_us,
			"ttl", .ttl_synack, .ttl_response, .ttl_dropped, "hops", .hops, .required_hop_limit,
			"drops", .drops, .drop_reason, .drop_location, .drop_match, "fallback", .fallback]' "$file" 2>&1 | tail -30
	else
		jq -c '(.losses | with_entries(select(.value != 0))), .totals, (.pods[] | del(.latency_us, .cgroup)), .findings[]' \
			"$file" 2>&1
	fi
	return 1
}

expect_trace() {		# expect_trace FILE NAME FILTER: the filter reads the array of all lines
	check "$2" e2e_jq "$1" "$3" -s
}

expect_report() {		# expect_report FILE NAME FILTER: the filter reads the report
	check "$2" e2e_jq "$1" "$3"
}

expect_finding() {		# expect_finding FILE POD CODE NAME FILTER: reads its one finding of that code; $all is all its words
	expect_report "$1" "$2: $4" ".findings | map(select(.pod == \"$2\" and .code == \"$3\")) | length == 1 and
		(.[0] | ([.summary, .evidence[], .advice[]] | join(\" \")) as \$all | $5)"
}

expect_words() {		# expect_words FILE POD NAME FILTER: reads all the words of the pod's findings
	expect_report "$1" "$2: $3" "[.findings[] | select(.pod == \"$2\") | .summary, .evidence[], .advice[]] | join(\" \") | $4"
}

e2e_with_status() {		# e2e_with_status STATUS COMMAND...: the service answers this status meanwhile
	lab_server_set status "$1"
	"${@:2}"
	lab_server_set status 0
}

# --- clients ---------------------------------------------------------------------------------------------------------

E2E_TTL='X-aws-ec2-metadata-token-ttl-seconds: 21600'

e2e_host() {			# the service's address as POD must write it in a URL
	local pod_ip
	lab_pod_load "$1"
	case $pod_ip in
	*:*) echo "[$LAB_IMDS6]" ;;
	*) echo "$LAB_IMDS4" ;;
	esac
}

# put POD [SECONDS] and get POD [SECONDS] [PATH]: print the status, 000 without an answer. 0.6 s is longer than --stall.
put() {
	lab_exec "$1" curl -s -o /dev/null -m "${2:-0.6}" -w '%{http_code}' -X PUT -H "$E2E_TTL" \
		"http://$(e2e_host "$1")/latest/api/token"
}
get() {
	lab_exec "$1" curl -s -o /dev/null -m "${2:-2}" -w '%{http_code}' \
		"http://$(e2e_host "$1")${3:-/latest/meta-data/instance-id}"
}
raw() {				# raw POD STEPS...: see raw_client.c
	local pod=$1 host
	shift
	host=$(e2e_host "$pod")
	host=${host#[}
	lab_exec "$pod" "$LAB_BIN/raw_client" "${host%]}" 80 "$@"
}

# Bytes that passed unharmed: load_client and churn print sums of hashes of what they sent and received, the server logs its
# own. bytes_mark, then requests by these clients, each of them answered, then bytes_agree RESULT-FILE... Where others ask
# too, theirs have a query of their own: BYTES_QUERY.
bytes_mark() { E2E_MARK=$(wc -l <"$(lab_server_log)"); }
bytes_agree() {
	equal "$(jq -cs '[(map(.sent) | add), (map(.requests_hash) | add % 4294967296), (map(.bodies_hash) | add % 4294967296)]' "$@")" \
		"$(tail -n "+$((E2E_MARK + 1))" "$(lab_server_log)" |
			jq -cs --arg query "${BYTES_QUERY:-}" 'map(select(.query == $query)) | [length, (map(.head_hash) | add % 4294967296), (map(.body_hash) | add % 4294967296)]')"
}

# --- imdsnoop in the background --------------------------------------------------------------------------------------

# A program that runs imdsnoop in the network namespace of $LAB_NODE, as on a real node; the default is the machine's.
e2e_in_node() {
	printf '#!/bin/sh\nexec nsenter --net=%s -- %s "$@"\n' "/run/netns/$LAB_ID-$LAB_NODE" "$IMDSNOOP" >"$LAB_ROOT/in-$LAB_NODE"
	chmod +x "$LAB_ROOT/in-$LAB_NODE"
	echo "$LAB_ROOT/in-$LAB_NODE"
}

report_start() {		# report_start FILE [ARGS...]
	local file=$1 LAB_ARGS
	shift
	lab_args
	"$IMDSNOOP" report "${LAB_ARGS[@]}" --format json --output "$file" --duration 60s "$@" </dev/null \
		>"$file.out" 2>"$file.err" &
	E2E_REPORT_PID=$!
	E2E_MISSED[E2E_REPORT_PID]=$file.missed
	lab_attached $E2E_REPORT_PID || { cat "$file.err"; kill -KILL $E2E_REPORT_PID; e2e_die "imdsnoop report attaches"; }
}

# The drop hook is the whole machine's: while other labs drop packets, one drop's program may interrupt another's, which the
# kernel counts. e2e_missed PID: what it has counted so far for that imdsnoop; E2E_MISSED[PID]: where a test looks for it.
E2E_MISSED=()
e2e_missed() { cat "/proc/$1/fdinfo/"* 2>/dev/null | awk '/^recursion_misses:/ { n += $2 } END { print n + 0 }'; }

e2e_note_missed() { [ -z "${E2E_MISSED[$1]:-}" ] || e2e_missed "$1" >"${E2E_MISSED[$1]}"; }

# expect_nothing_lost FILE NAME [JQ OPTIONS]: of FILE's losses, the last ones when it is a trace, all are 0 but those that the
# kernel had counted before the end.
expect_nothing_lost() {
	[ -e "$1.missed" ] || echo 0 >"$1.missed"
	check "$2" e2e_jq "$1" '(if type == "array" then .[-1] else . end).losses | .events_missed >= $missed and
		(del(.events_missed) | length > 10 and all(.[]; . == 0))' "${@:3}" --argjson missed "$(cat "$1.missed")"
}

report_stop() {			# Ctrl-C still prints the report; returns the exit code
	sleep 0.4		# more than the 250 ms tick
	e2e_note_missed "$E2E_REPORT_PID"
	kill -INT "$E2E_REPORT_PID"
	lab_wait_for 10 lab_is_gone "$E2E_REPORT_PID" || kill -KILL "$E2E_REPORT_PID"
	wait "$E2E_REPORT_PID"
}

# shellcheck source=tests/lib/capture.sh
. "$LAB_DIR/capture.sh"
trace_start() {			# trace_start FILE [ARGS...]
	E2E_LIVE=$1
	[ -z "${E2E_CAPTURES:-}" ] || capture_start "$1.captures"
	lab_trace_start "$@" || e2e_die "imdsnoop trace attaches"
	E2E_MISSED[LAB_TRACE_PID]=$1.missed
}

trace_stop() {
	local code
	sleep 0.4
	e2e_note_missed "$LAB_TRACE_PID"
	lab_trace_stop
	code=$?
	[ -z "${E2E_CAPTURES:-}" ] || { capture_stop; capture_judge "$E2E_LIVE"; }
	return $code
}
