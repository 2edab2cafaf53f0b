#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# Captures that lack packets, and TTLs that are not what they look like: nobody is blamed for what the capture does not have.
# shellcheck source=tests/lib/e2e.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/e2e.sh"
e2e_need python3
work=$(mktemp -d)
e2e_later rm -rf "$work"

cat >"$work/make.py" <<'PY'
import struct, sys
folder = sys.argv[1]
TOKEN = b"PUT /latest/api/token HTTP/1.1\r\nHost: md\r\nX-aws-ec2-metadata-token-ttl-seconds: 60\r\n\r\n"
DATA = b"GET /latest/meta-data/ HTTP/1.1\r\nHost: md\r\n\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabcd"
FIN, SYN, ACK = 1, 2, 16
POD, SERVICE = bytes([10, 0, 0, 2]), bytes([169, 254, 169, 254])

class Connection:
    """TTLs: the client's and the service's packets as the capture sees them. Times in ms."""
    def __init__(self, client_ttl=64, service_ttl=63):
        self.ttl, self.packets = (service_ttl, client_ttl), []
        self.out, self.back = 1001, 5001

    def put(self, ms, from_client, flags, seq, ack, data=b"", ttl=None):
        ports, ends = ((40000, 80), POD + SERVICE) if from_client else ((80, 40000), SERVICE + POD)
        tcp = struct.pack(">HHIIBBHHH", *ports, seq, ack, 0x50, flags, 64240, 0, 0) + data
        ip = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(tcp), 1, 0x4000, ttl or self.ttl[from_client], 6, 0) + ends
        self.packets.append((1700000000 * 10**6 + int(ms * 1000), bytes(12) + b"\x08\x00" + ip + tcp))

    def syn(self, ms): self.put(ms, True, SYN, 1000, 0)
    def ack(self, ms): self.put(ms, True, ACK, self.out, self.back)
    def fin(self, ms): self.put(ms, True, FIN | ACK, self.out, self.back)
    def taken(self, ms): self.put(ms, False, ACK, self.back, self.out)

    def stands(self):
        self.syn(0)
        self.put(0.1, False, SYN | ACK, 5000, 1001)
        self.ack(0.2)

    def ask(self, ms, request, captured=True):
        if captured:
            self.put(ms, True, ACK, self.out, self.back, request)
        self.out += len(request)

    def answer(self, ms, captured=True, ttl=None):
        if captured:
            self.put(ms, False, ACK, self.back, self.out, ANSWER, ttl)
        self.back += len(ANSWER)

    def dies(self, *at, ahead=0, ttl=None):
        for ms in at:
            self.put(ms, False, ACK, self.back + ahead, self.out, ANSWER, ttl)

    def write(self, name):
        with open(f"{folder}/{name}", "wb") as f:
            f.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1))
            for us, p in self.packets:
                f.write(struct.pack("<IIII", us // 10**6, us % 10**6, len(p), len(p)) + p)

for name, acknowledged in (("first-missing", True), ("first-missing-unacknowledged", False)):
    c = Connection()
    c.syn(0); c.ask(2, TOKEN, captured=False); c.answer(3, captured=False)
    if acknowledged:
        c.ack(4)
    c.ask(10, DATA); c.answer(11); c.ack(12); c.fin(20)
    c.write(name)
c = Connection()
c.syn(0); c.ask(2, TOKEN, captured=False); c.answer(3, captured=False); c.fin(5)
c.write("all-missing")
c = Connection(client_ttl=63)
c.stands(); c.ask(1, TOKEN); c.taken(1.2); c.dies(2, 203, 604, ttl=1); c.fin(1500)
c.write("dies")
c = Connection(client_ttl=63)
c.stands(); c.ask(1, TOKEN); c.taken(1.2); c.dies(2, ttl=1); c.fin(1500)
c.write("dies-once")
c = Connection(client_ttl=63)
c.stands(); c.ask(1, TOKEN); c.taken(1.2); c.dies(2, 203, ahead=70000, ttl=1); c.fin(1500)
c.write("forged")
c = Connection(client_ttl=40, service_ttl=20)
c.stands(); c.ask(1, TOKEN); c.taken(1.2); c.dies(2, 203, 604); c.fin(1500)
c.write("odd-ttl")
c = Connection(client_ttl=127, service_ttl=1)
c.stands(); c.ask(1, TOKEN); c.answer(2); c.ack(3); c.fin(4)
c.write("odd-ttl-answered")
c = Connection()
c.stands(); c.ask(1, TOKEN); c.taken(1.2); c.dies(2, 203, 604, 1405); c.fin(1900)
c.write("never-taken")
c = Connection()
c.stands(); c.ask(1, TOKEN); c.answer(2); c.fin(1900)
c.write("taken-by-fin")
PY
python3 "$work/make.py" "$work" || e2e_die "make.py"
said() { # said NAME WANTED: kinds and outcomes of the requests that are told
	equal "$("$IMDSNOOP" trace --json --from "$work/$1" 2>/dev/null |
		jq -rc 'select(.type == "request") | [.kind, .outcome, .confidence // "-", .cause // "-"] | join(" ")' | paste -sd,)" "$2"
}
lost() { # lost NAME FILTER
	"$IMDSNOOP" report --json --from "$work/$1" >"$work/report" 2>/dev/null
	e2e_jq "$work/report" "$2"
}
unknown='.headline.level == "blind" and .losses.capture_answers_missing == 1 and .losses.capture_gaps == 1'
for name in first-missing first-missing-unacknowledged; do
	check "$name: the second request has its own answer" said $name "data ok - -"
	check "$name: of the first it is said that the capture lacks it" lost $name "$unknown"
done
check "all missing: no request is told" said all-missing ""
check "all missing: it is said" lost all-missing "$unknown"
check "an answer that dies, sent again and again" said dies "token hop-limit strong hop-limit"
check "seen once, and what came of it is not in the capture: a guess" said dies-once "token hop-limit likely hop-limit"
check "a segment that the client does not wait for is no answer" said forged "token no-response - silent"
check "a client whose TTL is unusual: its SYN-ACK came with such a TTL" said odd-ttl "token no-response - silent"
check "the same, with an answer" said odd-ttl-answered "token ok - -"
check "the client closes long behind an answer, without it: it did not get it" said never-taken "token no-response - silent"
check "an acknowledgement that is not in the capture, and a FIN that takes the answer" said taken-by-fin "token ok - -"
