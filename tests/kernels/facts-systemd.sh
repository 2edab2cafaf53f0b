# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154
# Judges what tests/kernels/guest-systemd printed: the unit under a real systemd. Sourced by facts.

web='namespace=shop,pod=web-1,container=app'
[ ! -s "$work/lab.err" ] || { echo "not ok the lab comes up"; sed 's/^/    # /' "$work/lab.err"; failed=1; }

# unit NAME DOCUMENT PROPERTY=VALUE...: all of these are in what systemctl show told then
unit() {
	local name=$1 document=$2 want
	shift 2
	for want; do
		grep -qx "$want" "$work/$document" && continue
		holds "$name" "$document" grep -x "$want" "$work/$document"
		return
	done
	echo "ok $name"
}

ended start 0
unit "systemctl start returns when it was told READY" started Type=notify ActiveState=active SubState=running Result=success NRestarts=0
is "the unit's limits hide nothing that it reads" first.report '[.features[] | select(.state != "ok") | .name] == []'
is "answers (readyz)" first.readyz.code '. == 200'
is "blames hop limit for the pod, proven" first.report '.findings[] | select(.code == "hop-limit-exhausted") |
	.pod == "web-1" and (.evidence | join(" ") | test("proven"))'
text "counts what the pod asked before and after SIGHUP" first.metrics \
	'metric("imdsnoop_requests_total{'$web',kind=token,imds_version=v2,outcome=hop-limit}") == "1" and
	metric("imdsnoop_fallbacks_total{'$web'}") == "1" and
	metric("imdsnoop_requests_total{'$web',kind=token,imds_version=v2,outcome=ok}") == "1"'
ended containerd 0
is "a container of containerd by systemd's cgroup driver gets no token: hop limit, proven, needs 2, by its names" first.report \
	'[.pods[] | select(.pod == "cart-7d9f8b6c5-x2x4q")] | length == 1 and (.[0] | .runtime == "kubernetes" and
	.namespace == "shop" and .container == "app" and .workload == "cart" and .hop_limit == "exhausted" and
	.required_hop_limit == 2 and .confidences.proven == 1 and (.cgroup | test("^/?kubepods[.]slice/.*[.]scope")))'
ended hup 0
unit "SIGHUP does no harm" reloaded ActiveState=active SubState=running NRestarts=0 "$(grep MainPID= "$work/started")"
text "runs as a user of its own, for good, behind a filter" status \
	'(capture("Uid: (?<uid>[0-9]+) (?<saved>[0-9]+)") | (.uid | tonumber) >= 61184 and (.uid | tonumber) <= 65519 and .uid == .saved) and test("NoNewPrivs: 1\n") and test("Seccomp: 2\n") and test("CapBnd: 0+\n")'
unit "is started again after kill -9" restarted ActiveState=active SubState=running NRestarts=1
is "is ready again" second.readyz.code '. == 200'
text "counts anew" second.metrics 'metric("imdsnoop_requests_total{'$web',kind=token,imds_version=v2,outcome=ok}") == "1" and
	metric("imdsnoop_fallbacks_total{'$web'}") == "0"'
text "keeps the ledger in its StateDirectory, closed to others" ledger \
	'test("/var/lib/imdsnoop [0-9]+ 700\n") and test("/var/lib/imdsnoop/[a-z.]+ [1-9][0-9]{3,} 600\n")'
ended stop 0
is "systemctl stop takes less than 10 s" stop.ms '. < 10000'
unit "stops well" stopped ActiveState=inactive SubState=dead Result=success ExecMainStatus=0
holds "no system call was refused" refused sh -c '[ -e "$0" ] && [ ! -s "$0" ]' "$work/refused"
text "systemd-analyze security: exposure below 4" security \
	'capture("Overall exposure level for imdsnoop.service: (?<level>[0-9.]+)").level | tonumber < 4'
echo "note $(cat "$work/systemd" 2>/dev/null): $(sed -n 's/^[^A-Za-z]*\(Overall exposure.*[0-9]\) .*/\1/p' "$work/security"), started in $(
	cat "$work/start.ms") ms, stopped in $(cat "$work/stop.ms") ms; containerd in $(cat "$work/containerd.ms") ms, its container took $(
	cat "$work/container.ms") ms"
echo "row $release"
