#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# Captures as other tools write them, and packets as overlays and mirrors wrap them: judged as the bare ones, or it is said why not.
# shellcheck source=tests/lib/e2e.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/e2e.sh"
# shellcheck source=tests/lib/capture.sh
. "$LAB_DIR/capture.sh"
e2e_need tcpdump python3
e2e_lab --hop-limit 1
lab_pod_bridge web-1
lab_pod_host agent-1
CAPTURE_PODS_ON=eth0
capture_start "$LAB_ROOT/c"
put web-1 0.8 >/dev/null
get web-1 >/dev/null
put agent-1 >/dev/null
facts() { "$IMDSNOOP" trace --json --from "$@" 2>/dev/null | jq -c 'select(.type == "request") | [.time[0:22], .local, .kind, .outcome, .confidence, .status, .ttl_synack, .ttl_dropped, .hops, .retransmits]'; }
has_all() { [ "$(facts "$LAB_ROOT/c/uplink.pcap" | jq -r '.[3]' | sort | tr '\n' ' ')" = "hop-limit ok ok " ]; }
lab_wait_for 10 has_all		# tcpdump writes when it comes to it
capture_stop

cat >"$LAB_ROOT/wrap.py" <<'END'
import struct, sys
source, folder = sys.argv[1:]
data = open(source, "rb").read()
packets, at = [], 24
while at < len(data):
    s, us, n, length = struct.unpack_from("<IIII", data, at)
    packets.append((s * 10**6 + us, data[at + 16:at + 16 + n], length))
    at += 16 + n

def put(name, blocks):
    open(f"{folder}/{name}", "wb").write(b"".join(blocks))

def ip(proto, rest):
    return struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(rest), 7, 0, 64, proto, 0, bytes([10, 9, 9, 1]), bytes([10, 9, 9, 2])) + rest

def outer(proto, rest):
    return bytes(12) + b"\x08\x00" + ip(proto, rest)

def udp(port, rest):
    return outer(17, struct.pack(">HHHH", 40000, port, 8 + len(rest), 0) + rest)

def tagged(tags, p):
    return p[:12] + tags + p[12:]

wraps = {
    "vlan": lambda p: tagged(b"\x81\x00\x00\x05", p),
    "qinq": lambda p: tagged(b"\x88\xa8\x00\x05\x81\x00\x00\x06", p),
    "qinq-old": lambda p: tagged(b"\x91\x00\x00\x05\x81\x00\x00\x06", p),
    "mpls": lambda p: p[:12] + b"\x88\x47\x00\x01\x00\x40\x00\x02\x01\x40" + p[14:],
    "pppoe": lambda p: p[:12] + b"\x88\x64\x11\x00\x00\x01" + struct.pack(">H", len(p) - 12) + b"\x00\x21" + p[14:],
    "ipip": lambda p: outer(4, p[14:]),
    "gre": lambda p: outer(47, b"\x00\x00\x08\x00" + p[14:]),
    "gretap-keyed": lambda p: outer(47, b"\x20\x00\x65\x58\x00\x00\x00\x09" + p),
    "vxlan": lambda p: udp(4789, b"\x08\x00\x00\x00\x00\x00\x09\x00" + p),
    "vxlan-flannel": lambda p: udp(8472, b"\x08\x00\x00\x00\x00\x00\x09\x00" + p),
    "geneve": lambda p: udp(6081, b"\x01\x00\x65\x58\x00\x00\x09\x00" + bytes(4) + p),
    "erspan-1": lambda p: outer(47, b"\x00\x00\x88\xbe" + p),
    "erspan-2": lambda p: outer(47, b"\x10\x00\x88\xbe\x00\x00\x00\x01" + bytes(8) + p),
    "erspan-3": lambda p: outer(47, b"\x10\x00\x22\xeb\x00\x00\x00\x01" + bytes(11) + b"\x01" + bytes(8) + p),
    "vxlan-in-vlan": lambda p: tagged(b"\x81\x00\x00\x05", udp(4789, b"\x08\x00\x00\x00\x00\x00\x09\x00" + p)),
}
for name, wrap in wraps.items():
    blocks = [struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1)]
    for us, p, length in packets:
        w = wrap(p) if p[12:14] == b"\x08\x00" else p
        blocks += [struct.pack("<IIII", us // 10**6, us % 10**6, len(w), len(w)), w]
    put(name, blocks)
put("nanoseconds", [struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 262144, 1)] +
    [struct.pack("<IIII", us // 10**6, us % 10**6 * 1000, len(p), length) + p for us, p, length in packets])
put("big-endian", [struct.pack(">IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1)] +
    [struct.pack(">IIII", us // 10**6, us % 10**6, len(p), length) + p for us, p, length in packets])

def pad(b):
    return b + bytes(-len(b) % 4)

def block(e, kind, body):
    return struct.pack(e + "II", kind, len(body) + 12) + body + struct.pack(e + "I", len(body) + 12)

def option(e, code, value):
    return struct.pack(e + "HH", code, len(value)) + pad(value)

def section(e):
    return block(e, 0x0A0D0D0A, struct.pack(e + "IHHq", 0x1A2B3C4D, 1, 0, -1) + option(e, 4, b"Dumpcap (Wireshark) 4.6") + bytes(4))

def interface(e, *options):
    return block(e, 1, struct.pack(e + "HHI", 1, 0, 262144) + option(e, 2, b"eth0") + b"".join(options) + bytes(4))

def packet(e, ticks, p, length):
    return block(e, 6, struct.pack(e + "IIIII", 0, ticks >> 32, ticks & 0xFFFFFFFF, len(p), length) + pad(p) + option(e, 2, bytes(4)) + bytes(4))

def others(e):  # names, statistics, a journal entry, secrets, custom blocks of both kinds
    return [block(e, 4, struct.pack(e + "HH", 1, 8) + bytes([169, 254, 169, 254]) + b"md\0\0" + bytes(4)),
            block(e, 5, struct.pack(e + "III", 0, 0, 0)), block(e, 9, pad(b"__CURSOR=x\nMESSAGE=y\n")),
            block(e, 10, struct.pack(e + "II", 0x544C534B, 4) + b"abcd"),
            block(e, 0xBAD, struct.pack(e + "I", 32473) + bytes(8)), block(e, 0x40000BAD, struct.pack(e + "I", 32473) + bytes(8))]

for e, order in (("<", "little"), (">", "big")):
    plain = [packet(e, us, p, n) for us, p, n in packets]
    half = len(plain) // 2
    put(f"ng-{order}", [section(e), interface(e)] + plain + others(e))
    put(f"ng-{order}-others", [section(e)] + others(e) + [interface(e)] + others(e) + plain[:half] + others(e) + plain[half:])
    put(f"ng-{order}-nanoseconds", [section(e), interface(e, option(e, 9, b"\x09"))] + [packet(e, us * 1000, p, n) for us, p, n in packets])
    put(f"ng-{order}-binary", [section(e), interface(e, option(e, 9, bytes([0x80 | 24])))] + [packet(e, (us << 24) // 10**6, p, n) for us, p, n in packets])
    put(f"ng-{order}-offset", [section(e), interface(e, option(e, 14, struct.pack(e + "q", 1700000000)))] +
        [packet(e, us - 1700000000 * 10**6, p, n) for us, p, n in packets])
    put(f"ng-{order}-sections", [section(e), interface(e)] + plain[:half] + [section(e), interface(e)] + plain[half:])
put("ng-both-orders", [section("<"), interface("<")] + [packet("<", us, p, n) for us, p, n in packets[:half]] +
    [section(">"), interface(">")] + [packet(">", us, p, n) for us, p, n in packets[half:]])
put("simple", [section("<"), interface("<")] + [block("<", 3, struct.pack("<I", n) + pad(p)) for _, p, n in packets])
def nflog(p):  # as a rule in PREROUTING gives it
    t = struct.pack("<HH", len(p) + 4, 9) + p
    return b"\x02\x00\x00\x00" + struct.pack("<HH", 8, 1) + b"\x08\x00\x00\x00" + pad(t)

put("nflog", [struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 239)] +
    [struct.pack("<IIII", us // 10**6, us % 10**6, len(nflog(p[14:])), len(nflog(p[14:]))) + nflog(p[14:]) for us, p, n in packets])
for snaplen in 68, 96:
    put(f"snap-{snaplen}", [struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, snaplen, 1)] +
        [struct.pack("<IIII", us // 10**6, us % 10**6, min(len(p), snaplen), n) + p[:snaplen] for us, p, n in packets])
END
mkdir "$LAB_ROOT/as"
python3 "$LAB_ROOT/wrap.py" "$LAB_ROOT/c/uplink.pcap" "$LAB_ROOT/as" || e2e_die "wrap.py"
facts "$LAB_ROOT/c/uplink.pcap" >"$LAB_ROOT/want"
check "bare: the answer that dies, and those that come" has_all
for tool in editcap mergecap; do
	command -v $tool >/dev/null || { echo "skip $tool: not here"; continue; }
	case $tool in
	editcap) editcap -F nsecpcap "$LAB_ROOT/c/uplink.pcap" "$LAB_ROOT/as/editcap" && editcap -F pcapng -c 7 "$LAB_ROOT/c/uplink.pcap" "$LAB_ROOT/parts" ;;
	mergecap) mergecap -F pcapng -w "$LAB_ROOT/as/mergecap" "$LAB_ROOT"/parts* ;;
	esac
done
for file in "$LAB_ROOT"/as/*; do
	name=${file##*/}
	case $name in snap-*|simple|nflog) continue ;; esac
	check "$name: judged as the bare packets" equal "$(facts "$file")" "$(cat "$LAB_ROOT/want")"
done
if [ -e "$LAB_ROOT/as/mergecap" ]; then
	rotated=()
	for file in "$LAB_ROOT"/parts*; do rotated=(--from "$file" "${rotated[@]}"); done
	check "rotated files, given together, in any order" equal "$(facts "${rotated[@]:1}")" "$(cat "$LAB_ROOT/want")"
fi
said() { "$IMDSNOOP" report --json --from "$LAB_ROOT/as/$1" 2>/dev/null >"$LAB_ROOT/report"; }
said nflog
check "packets of NFLOG rules, whose TTLs depend on the hook: it is said, and nothing judged" e2e_jq "$LAB_ROOT/report" \
	'.losses.capture_nflog > 10 and .headline.level == "blind" and .totals.requests == 0'
said simple
check "packets without a time: it is said, and never that nobody asked" e2e_jq "$LAB_ROOT/report" \
	'.losses.capture_packets_timeless > 10 and .headline.level == "blind"'
for n in 68 96; do
	said snap-$n
	check "cut at $n bytes: still no other cause, no quiet" e2e_jq "$LAB_ROOT/report" \
		'.headline.level != "quiet" and .headline.level != "ok" and (.pods | map(.causes | keys) | add - ["hop-limit", "silent"] == [])'
done
