#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# probe --self in each kind of pod, as nobody, without capabilities: right, or unknown; never the hop limit for something else.
# shellcheck source=tests/lib/e2e.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/e2e.sh"
e2e_need setpriv
e2e_lab --hop-limit 1
lab_pod_bridge web-1
lab_pod_routed cni-1
lab_pod_extra deep-1
lab_pod_v6 six-1
lab_pod_host agent-1
lab_pod_bridge block-1
lab_pod_bridge reject-1
lab_drop block-1
lab_reject reject-1
t=$LAB_ROOT/self

# The program is copied to where nobody (uid 65534) may read it, and its root is made read-only.
mkdir -p "$LAB_ROOT/bin" && chmod 755 "$LAB_ROOT/bin" && chmod 711 "${LAB_ROOT%/*}" "$LAB_ROOT" && cp "$IMDSNOOP" "$LAB_ROOT/bin/imdsnoop"
self() {			# self POD [VARIABLE=VALUE...] -- [ARGS...]
	local pod=$1 env=()
	shift
	while [ "$1" != -- ]; do env+=("$1"); shift; done
	shift
	# shellcheck disable=SC2016
	lab_exec "$pod" unshare -m --propagation unchanged sh -c 'mount --make-rprivate / 2>/dev/null; mount -o remount,bind,ro / 2>/dev/null; exec "$@"' sh \
		setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all --bounding-set=-all --no-new-privs \
		env -i "${env[@]}" "$LAB_ROOT/bin/imdsnoop" probe --self --json "$@"
}
began() { date +%s%N; }
ask() {				# ask POD ...: as self, with its time and code
	local at
	at=$(began)
	self "$@" >"$t" 2>"$t.err"
	code=$?
	ms=$((($(began) - at) / 1000000))
}
says() { expect_trace "$t" "$1" "map(select(.type == \"probe\")) | ($2)"; }
v4='map(select(.endpoint | startswith("169"))) | all_are'
over_v6='map(select(.endpoint | startswith("["))) | all_are'
never='map(select(.confidence != null or .outcome == "hop-limit")) | length == 0'

ask agent-1 -- --exit-code
check "host network: exit 0" equal $code 0
says "host network: works, nothing to spare" "$v4(.outcome == \"ok\" and .token and .hops == 0 and .required_hop_limit == 1 and .spare == 0 and .status == 200 and .v1_status == 200)"
says "host network: over IPv6 too" "$over_v6(.outcome == \"ok\" and .hops == 0 and .spare == 0)"
for p in web-1 cni-1; do
	ask $p -- --exit-code
	check "$p: exit 10" equal $code 10
	check "$p: within 5 s" test $ms -lt 5000
	says "$p: hop limit, strong, needs 2" "$v4(.outcome == \"hop-limit\" and .confidence == \"strong\" and .cause == \"hop-limit\" and .hops == 1 and
		.required_hop_limit == 2 and .ttl_synack == 63 and .acked and .v1_status == 200 and .token == false)"
	expect_trace "$t" "$p: what an SDK does" '.[-1] | .token == false and (.sdk | test("IMDSv1"))'
done
ask deep-1 -- ; says "two routers: needs 3" "$v4(.outcome == \"hop-limit\" and .required_hop_limit == 3 and .confidence == \"strong\")"
ask six-1 -- --exit-code
says "IPv6 alone: hop limit" "$over_v6(.outcome == \"hop-limit\" and .confidence == \"strong\" and .required_hop_limit == 2)"
expect_trace "$t" "IPv6 alone: that is what it says" '.[-1].outcome == "hop-limit"'
ask block-1 -- --exit-code
check "blocked: exit 10" equal $code 10
check "blocked: within 5 s" test $ms -lt 5000
says "blocked: no hop limit" "($never) and ($v4(.outcome == \"no-response\" and (.why | test(\"blocked\"))))"
ask reject-1 -- ; says "rejected by a filter" "($never) and ($v4(.outcome == \"blocked\" and .cause == \"filtered\"))"

lab_server_set hop-limit 2
ask web-1 -- --exit-code
check "limit 2: exit 0" equal $code 0
says "limit 2: works, nothing to spare" "$v4(.outcome == \"ok\" and .spare == 0 and .hops == 1)"
ask deep-1 -- ; says "limit 2, two routers: too low" "$v4(.outcome == \"hop-limit\" and .required_hop_limit == 3)"
lab_server_set hop-limit 4
ask web-1 -- ; says "limit 4: 2 to spare" "$v4(.outcome == \"ok\" and .spare == 2)"
lab_server_set hop-limit 64
ask web-1 -- ; says "limit 64: plenty" "$v4(.outcome == \"ok\" and .spare == 62)"

lab_server_set silent-token 1
ask web-1 -- ; says "a service that keeps still is not the hop limit" "($never) and ($v4(.outcome == \"no-response\" and .v1_status == 200))"
ask agent-1 -- ; says "nor on the node" "$never"
lab_server_set silent-token 0
lab_server_set silent 1
ask web-1 -- ; says "silent to all" "($never) and ($v4(.outcome == \"no-response\"))"
check "silent to all: within 5 s" test $ms -lt 5000
lab_server_set silent 0
lab_server_set slow-ms 1500
ask web-1 -- ; says "slow" "($never) and ($v4(.token == false))"
lab_server_set slow-ms 0
lab_server_set hop-limit 1
lab_iptables node -t mangle -A FORWARD -s $LAB_IMDS4 -j TTL --ttl-set 64
ask web-1 -- --exit-code
check "a rule sets TTLs: exit 10" equal $code 10
says "a rule sets TTLs: no hops are counted, and the limit is not ruled out" "$v4(.hops == null and .required_hop_limit == null and .confidence == \"likely\")"
check "a rule sets TTLs: within 5 s" test $ms -lt 5000
lab_iptables node -t mangle -D FORWARD -s $LAB_IMDS4 -j TTL --ttl-set 64
lab_exec web-1 iptables -w -t mangle -A OUTPUT -d $LAB_IMDS4 -j TTL --ttl-set 1
ask web-1 -- ; says "its own packets use up their TTL" "($never) and ($v4((.why | test(\"own packets.*time exceeded\")) and .cause == \"silent\"))"
lab_exec web-1 iptables -w -t mangle -D OUTPUT -d $LAB_IMDS4 -j TTL --ttl-set 1
lab_server_set hop-limit 64
# answers over 150 bytes lost: acknowledgements still pass, so it is none of the hop limit's
lab_iptables node -I FORWARD -s $LAB_IMDS4 -m length --length 150:2000 -j DROP
ask web-1 -- ; says "answers filtered by their length" "$never"
lab_iptables node -D FORWARD -s $LAB_IMDS4 -m length --length 150:2000 -j DROP
lab_iptables node -I FORWARD -d $LAB_IMDS4 -m string --string "PUT /latest/api/token" --algo bm -j DROP
ask web-1 -- ; says "the request filtered by its words" "$never"
lab_iptables node -D FORWARD -d $LAB_IMDS4 -m string --string "PUT /latest/api/token" --algo bm -j DROP

token=c2VjcmV0LW9mLXRoZS1wb2Q
ask web-1 HTTP_PROXY=http://user:pw-$token@10.0.0.9:3128 NO_PROXY=localhost -- ; expect_trace "$t" "a proxy in the way" '.[-1] | .proxy == "HTTP_PROXY" and (.sdk | test("proxy"))'
check "a proxy's password is not shown" sh -c "! grep -q '$token' '$t' '$t.err'"
ask web-1 HTTP_PROXY=http://10.0.0.9:3128 NO_PROXY=localhost,169.254.0.0/16 -- ; expect_trace "$t" "NO_PROXY names it" '.[-1].proxy == null'
exempt() {			# exempt NO_PROXY WORDS: whether its SDK is told to go to the proxy
	ask agent-1 http_proxy=http://10.0.0.9:3128 no_proxy="$1" --
	expect_trace "$t" "no_proxy=$1: $2" ".[-1].sdk | test(\"$2\")"
}
exempt '10.0.0.0/8, 169.254.169.254' 'works with IMDSv2$'
exempt .169.254 'works with IMDSv2$'
exempt 169.254.169.254:80 'botocore and the AWS CLI'
exempt 169.254.169.254/32 'botocore and the AWS CLI'
for words in 169.254.169.254:8080 9.254 169.254.0.0/33 169.254.169.253/32 fd00:ec2::/32; do exempt $words 'the proxy, which answers'; done
ask agent-1 AWS_CONTAINER_CREDENTIALS_RELATIVE_URI=/v2/credentials/id-$token AWS_CONTAINER_AUTHORIZATION_TOKEN=$token -- --exit-code
expect_trace "$t" "ECS credentials asked" 'map(select(.type == "credentials")) | all_are(.asked and .status != null)'
check "its identifier, its token and the answer are not shown" sh -c "! grep -qE '$token|AKIA|SecretAccess' '$t' '$t.err'"
ask web-1 AWS_CONTAINER_CREDENTIALS_FULL_URI=http://10.0.0.9/x AWS_CONTAINER_AUTHORIZATION_TOKEN=$token -- ; expect_trace "$t" "a token goes to no other address" 'map(select(.type == "credentials")) | all_are(.asked == false)'

lab_ip "p-web-1" route del default
ask web-1 -- --exit-code
check "no route: exit 10" equal $code 10
says "no route: not sent" "($never) and ($v4(.outcome == \"not-sent\"))"
check "no route: it is the address that is asked first of which the text speaks" eval \
	'lab_exec web-1 "$IMDSNOOP" probe --self | grep -q "^169.254.169.254: not-sent"'
lab_ip node route del $LAB_IMDS4/32
lab_ip node route add $LAB_IMDS4/32 dev eth0
lab_in imds sysctl -qw net.ipv4.conf.all.arp_ignore=8
lab_ip node neigh flush all
ask cni-1 -- ; says "nobody has the address" "($never) and ($v4(.outcome == \"no-response\" and .cause == \"no-neighbour\"))"
check "nobody has the address: within 5 s" test $ms -lt 5000
lab_ip node route replace $LAB_IMDS4/32 via 172.31.0.1 dev eth0
lab_in imds sysctl -qw net.ipv4.conf.all.arp_ignore=0
lab_server_stop
ask cni-1 -- --exit-code
says "refused" "($never) and ($v4(.outcome == \"refused\" and .cause == \"refused\"))"
lab_args
"$LAB_ROOT/bin/imdsnoop" probe --self --all >"$t" 2>&1
check "--self and --all: usage" equal $? 2
