#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# Everything that looks alike and must never be blamed on the hop limit; each pod is one case.
# shellcheck source=tests/lib/e2e.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/e2e.sh"
e2e_lab --hop-limit 2
E2E_CAPTURES=1
for p in slow giveup abort e401 e403 e429 e503 e404 xff badttl idle silent reset closed dropped rejected beyond down; do
	lab_pod_bridge $p || e2e_die "pod $p comes up"
done
t=$LAB_ROOT/trace r=$LAB_ROOT/report

# set_for SETTING COMMAND...: the server's setting holds for this command only
set_for() {
	local setting=$1
	shift
	lab_server_set "$setting" && "$@" >/dev/null
	lab_server_set "${setting%% *}" "$(case $setting in tokens*) echo optional ;; *) echo 0 ;; esac)"
}

report_start "$r"
trace_start "$t"
for p in slow giveup abort dropped rejected silent; do get $p >/dev/null; done	# each was answered before
set_for "slow-token-ms 1200" put slow 3
set_for "slow-token-ms 1200" put giveup 0.6
set_for "slow-ms 500" put abort 0.05
set_for "tokens required" get e401
set_for "status 403" get e403
set_for "status 429" get e429
set_for "status 503" put e503
get e404 2 /latest/meta-data/nothing >/dev/null
lab_exec xff curl -s -o /dev/null -X PUT -H "$E2E_TTL" -H 'X-Forwarded-For: 10.0.0.1' http://169.254.169.254/latest/api/token
lab_exec badttl curl -s -o /dev/null -X PUT -H "${E2E_TTL%:*}: 99999" http://169.254.169.254/latest/api/token
raw idle connect sleep:400 close
set_for "silent-token 1" put silent 0.6
set_for "reset-token 1" put reset
set_for "close-token 1" put closed
lab_server_set hop-limit 1		# a packet filter stays one at limit 1
lab_drop dropped
lab_reject rejected
put dropped 0.8 >/dev/null
put rejected 0.8 >/dev/null
lab_iptables imds -I INPUT -p tcp --dport 80 -j REJECT
# its SYN's error comes while connect(2) runs, which waits on, so the next SYN's tells; curl reads the first one, and may close late
raw beyond connect close >/dev/null 2>&1
lab_iptables imds -F INPUT
lab_server_stop
put down >/dev/null
trace_stop
report_stop

expect_trace "$t" "nothing is called hop-limit" '(requests + stalls) | all_are(.outcome != "hop-limit" and .confidence == null)'
expect_report "$r" "no finding names the hop limit" '.findings | all(.[]; .code != "hop-limit-exhausted")'
case_is() { expect_trace "$t" "$1: $2" "of(\"$1\") | last | $3"; }
case_is slow "ok, slow" '.outcome == "ok" and .first_byte_us > 1100000 and .first_byte_us < 2000000 and .status == 200'
case_is giveup "no-response: the answer came too late" '.outcome == "no-response" and .status == null and .drops == 0 and .cause == "slow"'
case_is abort "aborted" '.outcome == "aborted" and .duration_us < 250000'
case_is e401 "http-error" '.outcome == "http-error" and .status == 401'
case_is e403 "http-error" '.outcome == "http-error" and .status == 403'
case_is e429 "http-error" '.outcome == "http-error" and .status == 429'
case_is e503 "http-error" '.outcome == "http-error" and .status == 503 and .kind == "token"'
case_is e404 "http-error" '.outcome == "http-error" and .status == 404'
case_is xff "refused token is an http-error" '.outcome == "http-error" and .status == 403 and .kind == "token"'
case_is badttl "bad token lifetime is an http-error" '.outcome == "http-error" and .status == 400 and .kind == "token"'
case_is idle "connection without a request" '.kind == "connect-only" and .method == "" and .status == null'
case_is silent "no-response" '.outcome == "no-response" and .drops == 0'
case_is reset "reset" '.outcome == "reset"'
case_is closed "cut without an answer" '.outcome == "reset" or .outcome == "no-response"'
case_is dropped "blocked by DROP" '.outcome == "blocked" and .kind == "connect-only" and (.drop_reason | test("NETFILTER|^$"))'
case_is rejected "blocked by REJECT" '.outcome == "blocked" or .outcome == "refused"'
case_is beyond "refused by ICMP from behind the node" '.outcome == "refused" and .drops == 0'
case_is down "refused" '.outcome == "refused"'
finding_is() { expect_report "$r" "$1: finding $2" "codes(\"$1\") | index(\"$2\") != null"; }
finding_is slow slow
finding_is e401 token-required
finding_is e403 endpoint-disabled
finding_is e429 throttled
finding_is e503 throttled
finding_is dropped blocked-by-policy
finding_is silent no-response
finding_is down endpoint-refused
finding_is giveup slow
said() { expect_words "$r" "$@"; }
said giveup "answered when the client had left, with both times" \
	'test("answered too late") and test("waited [4-6][0-9]{2} ms, the answer arrived 1.[2-9] s") and (test("cause not seen") | not)'
said beyond "by an ICMP error, not by the service" 'test("by an ICMP error") and (test("Nothing listens") | not)'
expect_report "$r" "giveup: its row says so" 'pod("giveup").causes == {"slow": 1} and pod("giveup").cause_text == "answered too late"'
