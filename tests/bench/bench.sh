# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# shellcheck disable=SC2034
#
# For scripts/bench: rows, medians, tools to compare with, and what a process costs. Sourced after tests/lib/lab.sh.

BENCH_OUT=${BENCH_OUT:-$LAB_TREE/build/bench}
BENCH_ROUNDS=5
BENCH_SECONDS=1			# a round
TOOL_PIDS=()

note() { [ -n "${BENCH_QUIET:-}" ] || printf 'bench: %s\n' "$*" >&2; }

# row NAME VALUE UNIT BOUND [REFERENCE RATIO]: BOUND is "<= 5", ">= 0.97" or "== 1" and holds for RATIO if that is given, else for
# VALUE; "-": a figure to know, nothing to hold.
row() {
	awk -v OFS='\t' -v name="$1" -v v="$2" -v unit="$3" -v bound="$4" -v ref="${5:--}" -v ratio="${6:--}" 'BEGIN {
		ok = "-"
		if (v == "") v = "-"		# nothing was measured
		split(bound, b, " ")
		x = ratio != "-" ? ratio : v
		if (bound != "-") ok = (v == "-" ? "NO" : (b[1] == "<=" ? x + 0 <= b[2] + 0 : b[1] == "==" ? x + 0 == b[2] + 0 : x + 0 >= b[2] + 0) ? "yes" : "NO")
		print name, v, unit, bound, ref, ratio, ok
	}' >>"$BENCH_OUT/rows.tsv"
}

print_table() {
	{ printf 'name\tvalue\tunit\tbound\treference\tratio\tok\n'; cat "$BENCH_OUT/rows.tsv"; } | column -t -s "$(printf '\t')"
}

print_json() {
	jq -Rn '[inputs | split("\t") | map(if . == "-" then null else . end)
		| {name: .[0], value: (.[1] | if . then tonumber else null end), unit: .[2], bound: .[3],
		   reference: (.[4] | if . then tonumber else null end), ratio: (.[5] | if . then tonumber else null end),
		   ok: (if .[6] == "yes" then true elif .[6] == "NO" then false else null end)}] | {rows: .}' "$BENCH_OUT/rows.tsv"
}

median() { sort -n | awk '{ v[NR] = $1 } END { print NR ? v[int((NR + 1) / 2)] : 0 }'; }
calc() { awk "BEGIN { printf \"%.${2:-3}f\\n\", $1 }"; }
now_us() { printf '%s' "${EPOCHREALTIME/[.,]/}"; }

# --- tools that run beside the work ----------------------------------------------------------------------------------

# tool_start NAME: none, imdsnoop, floor, tcpdump, bpftrace, tcplife, tcpstates. Returns when it has attached; 1: not here.
# Sets TOOL_PIDS to its processes.
tool_start() {
	local log=$BENCH_OUT/tool.$1
	TOOL_PIDS=()
	rm -f "$log" "$log.out"
	case $1 in
	none) return 0 ;;
	imdsnoop)
		"$IMDSNOOP" trace --cgroup "$LAB_CG" --pod-logs "$LAB_ROOT/node/log/pods" --container-logs \
			"$LAB_ROOT/node/log/containers" --json --output "$log" >"$log.out" 2>&1 &
		TOOL_PIDS=($!)
		lab_wait_for 10 grep -qs '"start"' "$log" ;;
	floor)
		"$LAB_BIN/bench_net" floor "$LAB_CG" >"$log" 2>&1 &
		TOOL_PIDS=($!)
		lab_wait_for 5 grep -qs ready "$log" ;;
	tcpdump)
		command -v tcpdump >/dev/null || return 1
		lab_in node tcpdump -q -n -i any -w "$log" host "$LAB_IMDS4" >"$log.out" 2>&1 &
		TOOL_PIDS=($!)
		lab_wait_for 5 grep -qs listening "$log.out" ;;
	bpftrace)
		command -v bpftrace >/dev/null || return 1
		# shellcheck disable=SC2016
		bpftrace -e 'tracepoint:skb:kfree_skb {
			$skb = (struct sk_buff *)args->skbaddr; $ip = (struct iphdr *)($skb->head + $skb->network_header);
			if ($ip->saddr == 0xfea9fea9 || $ip->daddr == 0xfea9fea9) { @[args->location] = count(); } }
			BEGIN { printf("ready\n"); }' >"$log" 2>&1 &
		TOOL_PIDS=($!)
		lab_wait_for 20 grep -qs ready "$log" ;;
	tcplife|tcpstates)
		command -v "$1" >/dev/null || return 1
		stdbuf -oL "$1" >"$log" 2>&1 &
		TOOL_PIDS=($!)
		sleep 2
		[ -d "/proc/${TOOL_PIDS[0]}" ] ;;
	esac
}

tool_stop() {
	local pid
	for pid in "${TOOL_PIDS[@]}"; do
		kill -TERM "$pid" 2>/dev/null
		lab_wait_for 10 lab_is_gone "$pid" || kill -KILL "$pid" 2>/dev/null
		wait "$pid" 2>/dev/null
	done
	TOOL_PIDS=()
	return 0
}

# --- costs -----------------------------------------------------------------------------------------------------------

cpu_ms() { awk -v hz="$(getconf CLK_TCK)" '{ sub(/.*\) /, ""); print ($12 + $13) * 1000 / hz }' "/proc/$1/stat"; }
# Resident memory of a process in MiB, kernel maps told apart: "own mapped peak". mapped: pages of BPF maps that the process
# has in its address space (the ring's are there twice), which are kernel memory and part of maps_mib; peak: the highest
# sum of both so far.
memory_mib() {
	awk '/^[0-9a-f]+-[0-9a-f]+ / { map = /anon_inode:bpf-map/ } /^Rss:/ { if (map) m += $2; else own += $2 }
		/^VmHWM:/ { peak = $2 } END { printf "%.2f %.2f %.2f\n", own / 1024, m / 1024, peak / 1024 }' \
		"/proc/$1/smaps" "/proc/$1/status"
}
maps_mib() {		# memory of the BPF maps that a process holds, as the kernel tells
	cat /proc/"$1"/fdinfo/* 2>/dev/null | awk '/^map_type/ { m = 1 } /^prog_type/ { m = 0 } /^pos:/ { m = 0 }
		/^memlock/ && m { s += $2 } END { printf "%.2f\n", s / 1048576 }'
}
busiest_program_ns() {	# busiest_program_ns PID TYPE: "nanoseconds-a-run runs" of its program with most runs; needs bpf_stats
	local type=$2
	cat /proc/"$1"/fdinfo/* 2>/dev/null | awk -v type="$type" '/^prog_type/ { t = $2 } /^run_time_ns/ { ns = $2 }
		/^run_cnt/ && t == type && $2 > best { best = $2; r = ns / $2 } END { printf "%.1f %d\n", r, best }'
}

# --- plots -----------------------------------------------------------------------------------------------------------

# plot FILE TITLE X-LABEL Y-LABEL <POINTS: lines "x y", x on a logarithmic axis, as SVG
plot() {
	awk -v title="$2" -v xl="$3" -v yl="$4" '
	{ x[NR] = log($1) / log(10); y[NR] = $2; l[NR] = $1; if ($2 > top) top = $2 }
	END {
		if (NR < 2) exit
		if (top <= 0) top = 1
		print "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 480 300\" font-family=\"sans-serif\" font-size=\"11\">"
		print "<rect width=\"480\" height=\"300\" fill=\"#fff\"/><text x=\"240\" y=\"20\" text-anchor=\"middle\" font-size=\"14\">" title "</text>"
		print "<path d=\"M60 40V250H460\" fill=\"none\" stroke=\"#333\"/>"
		for (i = 0; i <= 4; i++) {
			h = 250 - i * 50
			printf "<path d=\"M60 %dH460\" stroke=\"#ddd\"/><text x=\"55\" y=\"%d\" text-anchor=\"end\">%.3g</text>\n", h, h + 4, top * i / 4
		}
		for (i = 1; i <= NR; i++) {
			px = 60 + 390 * (x[i] - x[1]) / (x[NR] - x[1]); py = 250 - 200 * y[i] / top
			p = p sprintf("%s%.1f %.1f", i == 1 ? "M" : "L", px, py)
			printf "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3\" fill=\"#06c\"/><text x=\"%.1f\" y=\"265\" text-anchor=\"middle\">%s</text>\n", px, py, px, l[i]
		}
		print "<path d=\"" p "\" fill=\"none\" stroke=\"#06c\" stroke-width=\"2\"/>"
		print "<text x=\"260\" y=\"288\" text-anchor=\"middle\">" xl "</text><text x=\"14\" y=\"150\" text-anchor=\"middle\" transform=\"rotate(-90 14 150)\">" yl "</text></svg>"
	}' >"$BENCH_OUT/$1.svg"
}

# The path of a VictoriaMetrics; fetched by a list of packages of its own, so that the system's suites stay as they are.
victoria_get() {
	local dir=$LAB_TREE/build/victoria apt program
	program=$(command -v victoria-metrics || ls "$dir/usr/bin/victoria-metrics" 2>/dev/null) && { echo "$program"; return; }
	mkdir -p "$dir/lists/partial" "$dir/archives/partial"
	: >"$dir/status"
	echo 'deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian sid main' >"$dir/sid.list"
	apt=(-q -o "Dir::State=$dir" -o "Dir::State::Lists=$dir/lists" -o "Dir::State::status=$dir/status" -o "Dir::Cache=$dir"
		-o "Dir::Etc::SourceList=$dir/sid.list" -o Dir::Etc::SourceParts=/dev/null -o APT::Sandbox::User=root)
	(cd "$dir" && apt-get "${apt[@]}" update && apt-get "${apt[@]}" download victoria-metrics && dpkg -x victoria-metrics_*.deb .) >&2 &&
		echo "$dir/usr/bin/victoria-metrics"
}
