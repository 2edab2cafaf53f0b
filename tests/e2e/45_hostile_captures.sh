#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# A capture from somebody else costs time by its size, whatever its packets have in common. Each of these took a minute once.
# shellcheck source=tests/lib/e2e.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/e2e.sh"
e2e_need python3
work=$(mktemp -d)
e2e_later rm -rf "$work"

cat >"$work/make.py" <<'PY'
import struct, sys
folder, N = sys.argv[1], 80000
SERVICE = bytes([0xFD, 0, 0x0E, 0xC2]) + bytes(10) + bytes([2, 0x54])
SYN, ACK, ALL = 2, 16, (1 << 64) - 1
GOLDEN, GOLDEN32 = 0x9E3779B97F4A7C15, 0x9E3779B1  # factors that hashes often have: what falls into one bucket with them
inverse, inverse32 = pow(GOLDEN, -1, 1 << 64), pow(GOLDEN32, -1, 1 << 32)
service = struct.unpack("<QQ", SERVICE)

def write(name, packets):
    with open(f"{folder}/{name}", "wb") as f:
        f.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 101))
        for us, source, seq, flags, data in packets:
            tcp = struct.pack(">HHIIBBHHH", 40000, 80, seq, 1, 0x50, flags, 64240, 0, 0) + data
            p = struct.pack(">IHBB", 0x60000000, len(tcp), 6, 64) + source + SERVICE + tcp
            f.write(struct.pack("<IIII", 1700000000, us, len(p), len(p)) + p)

def colliding(i):
    rest = (GOLDEN & ALL) ^ service[0] ^ service[1] ^ 40000 << 16 ^ 80
    return struct.pack("<QQ", (i + 1) * inverse & ALL ^ rest, 1)

def another(i):
    return struct.pack(">QQ", 0xFD00 << 48 | i, 1)

write("one-tuple", ((i, another(0), i * 2654435761 & 0xFFFFFFFF, SYN, b"") for i in range(N)))
write("one-bucket", ((i, colliding(i), i * 2654435761 & 0xFFFFFFFF, SYN, b"") for i in range(N)))
write("one-bucket-of-numbers", ((i, another(i), (i & 0xFFFF) * inverse32 & 0xFFFFFFFF, SYN, b"") for i in range(N)))
write("one-number", ((i, another(i), 77, ACK, b"GET ") for i in range(N)))
write("back-in-time", ((99000 - i % 9000 * 11 + i // 9000, another(0), 1, SYN, b"") for i in range(9 * N)))
PY
python3 "$work/make.py" "$work" || e2e_die "make.py"
soon() {			# soon FILE: a report, in the time of an honest one
	timeout 6 "$IMDSNOOP" report --json --from "$work/$1" >"$work/report" 2>/dev/null || return
	e2e_jq "$work/report" '.totals.requests >= 0'
}
for kind in one-tuple one-bucket one-bucket-of-numbers one-number back-in-time; do check "$kind" soon $kind; done
