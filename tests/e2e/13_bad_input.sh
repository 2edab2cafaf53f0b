#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# One line that says what failed, the right exit code, nothing left attached.
# shellcheck source=tests/lib/e2e.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/e2e.sh"
e2e_need bpftool setpriv
e2e_lab --hop-limit 1

# refused NAME CODE WORDS COMMAND...: exit code, exactly one line on stderr that matches, nothing on stdout
refused() {
	local name=$1 code=$2 words=$3
	shift 3
	check "$name" fails_with "$code" "$words" "$@"
}
fails_with() {
	local code=$1 words=$2 got
	shift 2
	timeout 10 "$@" >"$LAB_ROOT/out" 2>"$LAB_ROOT/err" </dev/null
	got=$?
	cat "$LAB_ROOT/err" "$LAB_ROOT/out"
	equal "$got" "$code" && equal "$(wc -l <"$LAB_ROOT/err")" 1 && equal "$(wc -c <"$LAB_ROOT/out")" 0 &&
		grep -qiE -e "$words" "$LAB_ROOT/err"
}

refused "unknown command" 2 frobnicate "$IMDSNOOP" frobnicate
refused "no command" 2 command "$IMDSNOOP"
refused "unknown option" 2 frobnicate "$IMDSNOOP" trace --frobnicate
refused "option without its value" 2 duration "$IMDSNOOP" trace --duration
refused "endpoint that is no address" 2 '300\.1\.1\.1' "$IMDSNOOP" trace --endpoint 300.1.1.1
refused "endpoint with a bad port" 2 99999 "$IMDSNOOP" trace --endpoint 169.254.169.254:99999
refused "duration without sense" 2 soon "$IMDSNOOP" trace --duration soon
refused "number without sense" 2 -- "$IMDSNOOP" trace --count -3
refused "unknown format" 2 yaml "$IMDSNOOP" report --format yaml
many=()
for i in $(seq 17); do many+=(--endpoint "10.0.0.$i"); done
refused "too many endpoints" 2 16 "$IMDSNOOP" trace "${many[@]}"
refused "stray argument" 2 stray "$IMDSNOOP" trace stray
refused "a trace without an end" 1 'start line' "$IMDSNOOP" report --from /dev/zero
refused "no such cgroup" 1 nowhere "$IMDSNOOP" trace --duration 1s --cgroup /nowhere
refused "folder that is no cgroup v2" 1 cgroup "$IMDSNOOP" trace --duration 1s --cgroup "$LAB_ROOT"
refused "not a folder" 1 passwd "$IMDSNOOP" trace --duration 1s --cgroup /etc/passwd
refused "output that cannot be written" 1 nowhere "$IMDSNOOP" trace --duration 1s --cgroup "$(lab_cgroup)" \
	--output /nowhere/file
refused "not root" 1 'root|privilege|capabilit|CAP_' setpriv --reuid 65534 --regid 65534 --clear-groups \
	"$IMDSNOOP" trace --duration 1s --cgroup "$(lab_cgroup)"
refused "root without capabilities" 1 'root|privilege|capabilit|CAP_' setpriv --bounding-set=-all --inh-caps=-all \
	"$IMDSNOOP" trace --duration 1s --cgroup "$(lab_cgroup)"

# Another program that allows no second one: flags 0.
pin=/sys/fs/bpf/$LAB_ID
bpftool prog load "$LAB_BIN/cgroup_pass.bpf.o" "$pin" || e2e_die "the other program loads"
e2e_later rm -f "$pin"
bpftool cgroup attach "$(lab_cgroup)" egress pinned "$pin" || e2e_die "the other program attaches"
refused "attach refused by another program's flags" 1 'attach.*(another|other|program|flag|EPERM|permit)' \
	"$IMDSNOOP" trace --duration 1s --cgroup "$(lab_cgroup)"
bpftool cgroup detach "$(lab_cgroup)" egress pinned "$pin"
check "after all this nothing is attached" equal "$(bpftool cgroup show "$(lab_cgroup)" | grep -c imds)" 0

# Missing log folders are no reason to stop.
mv "$LAB_ROOT/node/log" "$LAB_ROOT/node/gone"
check "without log folders it runs" lab_imdsnoop trace --duration 300ms --output "$LAB_ROOT/t"
check "--version" sh -c "'$IMDSNOOP' --version | grep -qE '^imdsnoop [0-9]'"
check "--help names every command" sh -c "h=\$('$IMDSNOOP' --help) && for c in trace top report serve probe check merge; do
	printf '%s' \"\$h\" | grep -qw \$c || exit 1; done"
