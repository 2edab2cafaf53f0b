#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# A tenant with a user and a network namespace of its own is root there: routes, raw packets, any address, the service's too.
# Dead answers that it makes up leave room for those of others, which are told by name.
# shellcheck source=tests/lib/e2e.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/e2e.sh"
# shellcheck source=tests/lib/serve.sh
. "$LAB_DIR/serve.sh"
e2e_need curl jq python3 unshare
e2e_lab --hop-limit 1
r=$LAB_ROOT/report
request=$'PUT /latest/api/token HTTP/1.1\r\nHost: imds\r\nX-aws-ec2-metadata-token-ttl-seconds: 60\r\nContent-Length: 0\r\n\r\n'
lab_pod_bridge evil --namespace bad
lab_pod_bridge sandboxed --namespace shop	# with a network stack of its own, as gVisor: no socket of the node asks
lab_pod_load sandboxed
lab_ip "$pod_netns" addr flush dev eth0
(lab_exec sandboxed sleep 600 &) 2>/dev/null

# Answers of the service to so many addresses, TTL 1, into a namespace that is to forward them and has asked the service.
cat >"$LAB_ROOT/deaths.py" <<'P'
import socket, struct, subprocess, sys
subprocess.run("""ip link set lo up; ip link add v0 type veth peer name v1; ip addr add 10.9.0.1/24 dev v1
ip link set v0 up; ip link set v1 up; ip route add default via 10.9.0.2; echo 1 >/proc/sys/net/ipv4/ip_forward
for i in all v1; do echo 0 >/proc/sys/net/ipv4/conf/$i/rp_filter; done""", shell=True, check=True)
asks = socket.socket()
asks.setblocking(False)
asks.connect_ex(("169.254.169.254", 80))
raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
raw.bind(("v0", 0x0800))
to = subprocess.check_output(["ip", "-o", "link", "show", "v1"], text=True).split("link/ether ")[1][:17]
for i in range(int(sys.argv[1])):
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 60, i, 0, 1, 6, 0, socket.inet_aton("169.254.169.254"), bytes([10, 244, i >> 8, i & 255]))
    s = sum(struct.unpack("!10H", ip))
    s = ~((s >> 16) + (s & 0xffff)) & 0xffff
    tcp = struct.pack("!HHIIBBHHH", 80, 40000, i, i, 0x50, 0x18, 100, 0, 0) + b"x" * 20
    raw.send(bytes.fromhex(to.replace(":", "")) + b"\2\0\0\0\0\1\x08\0" + ip[:10] + struct.pack("!H", s) + ip[12:] + tcp)
P

# The same from where the pod is, by its own interface: the node is to forward them.
cat >"$LAB_ROOT/forged.py" <<'P'
import socket, struct, sys
raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
tcp = struct.pack("!HHIIBBHHH", 80, 40000, 1, 1, 0x50, 0x18, 100, 0, 0) + b"x" * 20
for i in range(int(sys.argv[1])):
    to = bytes([10, 99, i >> 8, i & 255])
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 60, i, 0, 1, 6, 0, socket.inet_aton("169.254.169.254"), to)
    raw.sendto(ip + tcp, (socket.inet_ntoa(to), 0))
P

# as on a node: deaths in its own network namespace are of its pods
IMDSNOOP=$(e2e_in_node) report_start "$r"
check "it is root in a namespace of its own" lab_exec evil unshare -Urn python3 "$LAB_ROOT/deaths.py" 600
check "it has raw sockets, as containers do by default" lab_exec evil python3 "$LAB_ROOT/forged.py" 600
lab_pod_load sandboxed
lab_in "$pod_netns" "$LAB_BIN/packet_client" eth0 02:42:00:00:00:01 "$pod_ip" "$LAB_IMDS4" 80 "$request" 300 >/dev/null
sleep 1.5
report_stop
check "it ends well" equal $? 0
expect_report "$r" "what is beyond its share of the table is counted" '.losses.unowned_full > 800'
expect_report "$r" "the other's deaths are told, by name" '.unowned[] | select(.name == "shop/sandboxed") | .packets > 0'

# --- for long ---

# as serve is, but what is over leaves after 2 s
IMDSNOOP=$LAB_BIN/imdsnoop serve_start
full() { metric 'imdsnoop_events_lost_total{loss="unowned_full"}'; }
lab_exec evil unshare -Urn python3 "$LAB_ROOT/deaths.py" 600
before=$(full)
check "the table is full" test "$before" -gt 0
sleep 2.5
for _ in 1 2; do ask /api/v1/report -o /dev/null; sleep 1.1; done
lab_exec evil unshare -Urn python3 "$LAB_ROOT/deaths.py" 10
sleep 1.1
check "what is over leaves its place to what comes" equal "$(full) $(ask /api/v1/report | jq '.unowned | length')" "$before 10"
serve_stop
check "serve ends well" equal $? 0
