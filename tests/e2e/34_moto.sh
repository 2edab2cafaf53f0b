#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# moto (Debian's sid) as EC2's metadata service, with the response hop limit set by nftables in its namespace: what is said of
# the same requests to it and to the lab's server is the same, at hop limit 1 and 2.
# shellcheck source=tests/lib/e2e.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/e2e.sh"
e2e_need nft chroot
"$LAB_DIR/fetch_debian" sid || e2e_skip_all "no mirror gives moto"
root=$LAB_TREE/build/debian/sid
e2e_lab --hop-limit 1
lab_pod_bridge lab-1
lab_pod_bridge moto-1
nsenter --net="/run/netns/$LAB_ID-imds" -- env -i PATH="$PATH" PYTHONDONTWRITEBYTECODE=1 chroot "$root" /usr/bin/python3 -c 'from moto.server import main; main()' \
	-H "$LAB_IMDS4" -p 8086 </dev/null >"$LAB_ROOT/moto.log" 2>&1 &
moto=$!
stop() { kill $moto 2>/dev/null; wait $moto 2>/dev/null; }
e2e_later stop
# Answers to PUT, as EC2 does: a client's segment with payload marks its connection, behind a TCP header of 32 bytes.
limit() {
	lab_server_set hop-limit "$1"
	lab_in imds nft -f - <<-END
		table ip moto
		delete table ip moto
		table ip moto {
			chain asked { type filter hook input priority 0
				tcp dport 8086 @th,256,32 0x50555420 ct mark set 1
				tcp dport 8086 @th,256,32 0x47455420 ct mark set 2
			}
			chain answered { type route hook output priority 0
				tcp sport 8086 ct mark 1 ip length > 52 ip ttl set $1
			}
		}
	END
}
check "the response hop limit can be set" limit 1 || e2e_skip_all "nftables cannot do it here"
serves() { lab_is_gone $moto || lab_in imds curl -s -o /dev/null -m 2 "http://$LAB_IMDS4:8086/latest/meta-data/instance-id"; }
lab_wait_for 60 serves
! lab_is_gone $moto || { tail -5 "$LAB_ROOT/moto.log"; e2e_skip_all "moto does not start here"; }

ask() {				# ask POD PORT: a client that asks for a token, falls back to v1, and asks for more
	local u=http://$LAB_IMDS4:$2/latest token
	token=$(lab_exec "$1" curl -s -m 1 -X PUT -H "$E2E_TTL" "$u/api/token")
	for path in instance-id iam/security-credentials/ placement/region; do
		lab_exec "$1" curl -s -o /dev/null -m 2 ${token:+-H "X-aws-ec2-metadata-token: $token"} "$u/meta-data/$path"
	done
	lab_exec "$1" curl -s -o /dev/null -m 1 -X PUT -H "$E2E_TTL" "$u/api/token"
}
said() {			# said POD FILE: what is told, without addresses and times
	jq -c --arg pod "$1" 'select(.type == "request" and .pod == $pod) | [.provider, .kind, .imds_version, .method, .path, .status,
		.outcome, .cause, .confidence, .hops, .required_hop_limit, .ttl_dropped, .fallback, .drop_reason, .drop_location]' "$2"
}
for n in 1 2; do
	t=$LAB_ROOT/trace.$n
	limit $n
	trace_start "$t" --endpoint "$LAB_IMDS4:80" --endpoint "$LAB_IMDS4:8086"
	ask lab-1 80 &
	ask moto-1 8086
	wait $!
	trace_stop
	check "hop limit $n: the same is told of both" equal "$(said moto-1 "$t")" "$(said lab-1 "$t")"
done
expect_trace "$LAB_ROOT/trace.1" "1: tokens die, proven, needs 2; then v1" 'tokens("moto-1") | length == 2 and
	all_are(.outcome == "hop-limit" and .confidence == "proven" and .required_hop_limit == 2 and .ttl_dropped == 1)'
expect_trace "$LAB_ROOT/trace.1" "1: what follows is a fallback and is answered" 'requests | map(select(.pod == "moto-1" and
	.method == "GET")) | length >= 3 and all_are(.status == 200) and any(.fallback)'
expect_trace "$LAB_ROOT/trace.2" "2: tokens come" 'tokens("moto-1") | length == 2 and all_are(.outcome == "ok" and .status == 200)'
