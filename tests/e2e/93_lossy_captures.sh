#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# Captures of connections whose ends are known, with packets left out, cut, doubled and disordered by a seed: each request is
# told as it was, or weaker, or not at all. SEED=7 SEEDS=1000 tests/e2e/93_lossy_captures.sh tries others.
# shellcheck source=tests/lib/e2e.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/e2e.sh"
e2e_need python3
work=$(mktemp -d)
e2e_later rm -rf "$work"

cat >"$work/lose.py" <<'PY'
import json, random, struct, subprocess, sys
sys.path.insert(0, sys.argv[2])
from made_capture import *
binary, work, how, place = sys.argv[1], sys.argv[3], sys.argv[4], sys.argv[5]
seed, seeds = int(sys.argv[6]), int(sys.argv[7])
inside = None  # whether the place is the pod; else behind a router, which dropped what dies
GET, USER = b"GET /latest/meta-data/q HTTP/1.1\r\nHost: md\r\n\r\n", b"GET /latest/user-data HTTP/1.1\r\nHost: md\r\n\r\n"
REFUSED = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
MISSING = b"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnope"
LONG = b"HTTP/1.1 200 OK\r\nContent-Length: 4344\r\n\r\n" + b"x" * 4344

def ends(c, t):
    c.fin(t); c.put(t + 0.2, False, FIN | ACK, c.back, c.out + 1); c.put(t + 0.3, True, ACK, c.out + 1, c.back + 1)

def asks(c, t, request=GET, taken=True):
    c.stands(t); c.ask(t + 1, request)
    if taken:
        c.taken(t + 1.2)

def answered(c, t, request=TOKEN, *parts, after=1):
    asks(c, t, request)
    for n, part in enumerate(parts or [ANSWER]):
        c.answer(t + 1 + after + n / 10, data=part)
    c.ack(t + 2 + after); ends(c, t + 3 + after)

def twice(c, t):
    asks(c, t, TOKEN); c.answer(t + 2); c.ack(t + 2.1); c.ask(t + 5, GET); c.taken(t + 5.2); c.answer(t + 6); c.ack(t + 6.1); ends(c, t + 7)

def dies(c, t):
    asks(c, t, TOKEN)
    if not inside:
        c.dies(t + 2, t + 203, t + 604, ttl=1)
    c.fin(t + 1000)
    c.put(t + 1000.2, False, ACK, c.back, c.out + 1, ttl=1) if not inside else None
    c.fin(t + 1201)

def silent(c, t):
    asks(c, t); c.fin(t + 1000); c.put(t + 1000.2, False, ACK, c.back, c.out + 1)

def lost(c, t):
    asks(c, t, taken=False)
    for ms in 201, 602, 1403:
        c.put(t + ms, True, ACK, c.out - len(GET), c.back, GET)
    c.fin(t + 2000); c.fin(t + 2200)

def refused(c, t): c.syn(t); c.put(t + 0.2, False, RST | ACK, 0, c.out)
def unheard(c, t): c.syn(t); c.syn(t + 1020); c.syn(t + 3040)
def reset(c, t): asks(c, t); c.put(t + 2, False, RST | ACK, c.back, c.out)
def left(c, t): asks(c, t); c.put(t + 1000, True, RST | ACK, c.out, c.back)

def late(c, t):
    asks(c, t); c.fin(t + 1000); c.put(t + 1000.1, False, ACK, c.back, c.out + 1)
    c.put(t + 3000, False, ACK, c.back, c.out + 1, ANSWER); c.put(t + 3000.1, True, RST, c.out + 1, 0)

kinds = {  # and what it may be told as
    "token": (answered, "ok"), "refused-401": (lambda c, t: answered(c, t, GET, REFUSED), "http-error"),
    "missing-404": (lambda c, t: answered(c, t, GET, MISSING), "http-error"), "twice": (twice, "ok"),
    "long": (lambda c, t: answered(c, t, USER, LONG[:1448], LONG[1448:2896], LONG[2896:]), "ok"),
    "chunked": (lambda c, t: answered(c, t, USER, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"5\r\nhello\r\n", b"0\r\n\r\n"), "ok"),
    "slow": (lambda c, t: answered(c, t, GET, after=3000), "ok"), "dies": (dies, "hop-limit", "no-response"),
    "silent": (silent, "no-response"), "lost": (lost, "no-response"), "refused": (refused, "refused"),
    "unheard": (unheard, "no-response"), "reset": (reset, "reset"), "left": (left, "no-response", "aborted"),
    "late": (late, "no-response", "aborted")}

def changed(r, packets, of):
    seen, keep = {}, {n: r.randrange(1, 12) for n in kinds}
    share, end = r.choice([0.05, 0.15, 0.3, 0.5]), max(us for us, _ in packets)
    for us, p in packets:
        name = of(p)
        seen[name] = seen.get(name, 0) + 1
        if how == "lose":
            times = r.random() > share
        elif how == "tail":
            times = seen[name] <= keep[name]
        elif how == "head":
            times = seen[name] >= keep[name]
        elif how == "double":
            times = r.choice([1, 1, 2])
        elif how == "one-way":
            times = (p[30:34] == SERVICE) == seed % 2
        else:
            times = 1
        for _ in range(times):
            yield us + r.randrange(5000) * (how == "disorder"), p

told, wrong = 0, 0
for seed in range(seed, seed + seeds):
    r, files = random.Random(seed), []
    order, gaps = r.sample(sorted(kinds), len(kinds)), [r.choice([50, 700, 4000]) for _ in kinds]
    names = {first + n: name for first in (41000, 61000) for n, name in enumerate(order)}
    of = lambda p: next(names[n] for n in struct.unpack(">HH", p[34:38]) if n in names)
    for inside in (True, False) if place in ("both", "any", "late") else (place == "pod",):
        at, packets = 0, []
        for n, name in enumerate(order):
            c = Connection(64 if inside else 63, 63 if inside else 64, isn=(41000 + n) * 10000, client_port=41000 + n)
            if place in ("both", "any", "late") and not inside:  # behind NAT
                c.client_port, c.client = 61000 + n, bytes([192, 0, 2, 1])
            kinds[name][0](c, at if inside else at + (3000 if place == "late" else 0.02))
            packets += c.packets
            at += gaps[n]
        packets = sorted(changed(r, sorted(packets, key=lambda p: p[0]), of), key=lambda p: p[0])
        snap = r.choice([54, 68, 96, 128]) if how == "cut" else 262144
        if how == "pause":
            for _ in range(r.randrange(1, 5)):
                a = 1700000000000 + r.randrange(at)
                b = a + r.choice([2, 5, 100, 1000, 3000])
                packets = [p for p in packets if not a <= p[0] / 1000 < b]
        kept = kept + packets if place == "any" and not inside else packets
        files = ([] if place == "any" else files) + ["--from", f"{work}/capture.{inside}"]
        with open(files[-1], "wb") as f:
            f.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1))
            for us, p in sorted(kept, key=lambda p: p[0]):
                f.write(struct.pack("<IIII", us // 10**6, us % 10**6, len(p[:snap]), len(p)) + p[:snap])
    out = subprocess.run([binary, "trace", "--json", *files], capture_output=True, text=True)
    for line in map(json.loads, out.stdout.splitlines()):
        if line["type"] != "request":
            continue
        told += 1
        name = names[int(line["local"].split(":")[1])]
        told_as = kinds[name][1:]
        if how == "cut" and line["outcome"] == "ok" and line["status"] is None:
            told_as += ("ok",) if "http-error" in told_as else ()  # an answer it is; which one is counted as not known
        if line["outcome"] not in told_as or (place == "pod" and line["confidence"] not in (None, "likely")):
            wrong += 1
            print("seed", seed, name, "is told as", line["kind"], line["outcome"], line["confidence"], line["status"])
print(f"{told} told, {wrong} wrong", file=sys.stderr)
sys.exit(wrong != 0 or (told != seeds * (len(kinds) + 1) if how in ("nothing", "double") else not told))
PY
loses() {			# loses HOW PLACE
	PYTHONDONTWRITEBYTECODE=1 python3 "$work/lose.py" "$IMDSNOOP" "$LAB_DIR" "$work" "$1" "$2" "${SEED:-1}" "${SEEDS:-30}"
}
for place in pod uplink both any; do
	for how in nothing lose tail head pause double disorder cut; do
		check "$place, $how: nothing else than it was" loses $how $place
	done
done
for how in nothing lose tail; do check "the uplink's clock is late, $how: copies are nothing that is sent again" loses $how late; done
check "one way alone tells of what was sent again, and of no more" loses one-way uplink
