#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# Captures that lack packets, and TTLs that are not what they look like: nobody is blamed for what the capture does not have.
# Connections that are told apart, and answers that end, as in the kernel.
# shellcheck source=tests/lib/e2e.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/e2e.sh"
e2e_need python3
work=$(mktemp -d)
e2e_later rm -rf "$work"

cat >"$work/make.py" <<'PY'
import gzip, struct, sys
sys.path.insert(0, sys.argv[2])
from made_capture import *
folder = Connection.folder = sys.argv[1]

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
c.write("dies-once-mirrored", copies=2)
for name, data in ("told-of-acks", b""), ("told-of-answers", ANSWER):
    c = Connection(client_ttl=63)
    c.stands(); c.ask(1, TOKEN); c.told(2, c.back, data); c.put(203, True, ACK, c.out - len(TOKEN), c.back, TOKEN); c.fin(1500)
    c.write(name)
# the client's TTL begins with 100, and its own filter keeps the answer from it
c = Connection(client_ttl=100, service_ttl=63)
c.stands(); c.ask(1, TOKEN); c.taken(1.2); c.dies(2, 203, 604, ttl=1); c.fin(1500)
c.write("begins-with-100")
# what nobody acknowledges is sent again: one that is silent for so long is not all there
d = Connection(isn=3000000)
d.stands(9000)
c = Connection()
c.ask(1, DATA)
c.write("requests-alone"); c.write("requests-alone-on", d)
c = Connection()
c.syn(0)
c.write("syns-alone", until=1)
c.syn(1005)
c.write("syns-resent")
c = Connection()
c.stands(); c.ask(1, TOKEN)
c.write("rest-missing", d)
# a client does not stop without a word: its end is missing, and with it, may be, the answer; one that asks whether the other
# is there still has nothing
c = Connection()
c.stands(); c.ask(1, TOKEN); c.taken(1.2)
c.write("end-missing", d)
c.put(60001, True, ACK, c.out - 1, c.back); c.put(60001.1, False, ACK, c.back, c.out)
c.write("kept-alive")
# seen on the uplink: what became of it is not known
c = Connection(client_ttl=63)
c.stands(); c.ask(1, TOKEN); c.answer(2)
c.write("on-its-way")
c.write("on-its-way-on", d)
# the pod and the uplink, by clocks that differ
for name, ttl in ("pod", 64), ("uplink", 63):
    for port, again in (40001, ""), (40000, "reused-"):
        c, e = Connection(client_ttl=ttl, service_ttl=ttl ^ 127), Connection(client_ttl=ttl, service_ttl=ttl ^ 127, isn=3000000, client_port=port)
        c.stands(); c.ask(1, TOKEN); c.taken(1.2); c.fin(1500)
        e.stands(2000); e.ask(2001, TOKEN); e.answer(2002, ttl=ttl ^ 127); e.ack(2003); e.fin(2004)
        if name == "uplink":
            c.dies(2, 203, 604, ttl=1)
        for late in 0, 4000, 300000:
            c.write(f"{name}-{again}{late}", e, late=late)
c = Connection(client_ttl=63)
c.stands(); c.ask(1, TOKEN); c.taken(1.2); c.dies(2, 203, ahead=70000, ttl=1); c.fin(1500)
c.write("forged")
c = Connection(client_ttl=40, service_ttl=20)
c.stands(); c.ask(1, TOKEN); c.taken(1.2); c.dies(2, 203, 604); c.fin(1500)
c.write("odd-ttl")
c = Connection(client_ttl=60)
c.stands(); c.ask(1, TOKEN); c.taken(1.2); c.dies(2, 203, 604, ttl=3); c.fin(1500)
c.write("begins-with-60")
c = Connection(client_ttl=124)
c.stands(); c.ask(1, TOKEN); c.answer(2); c.ack(3); c.fin(4)
c.write("begins-with-124")
c = Connection(client_ttl=127, service_ttl=1)
c.stands(); c.ask(1, TOKEN); c.answer(2); c.ack(3); c.fin(4)
c.write("odd-ttl-answered")
c = Connection()
c.stands(); c.ask(1, TOKEN); c.taken(1.2); c.dies(2, 203, 604, 1405); c.fin(1900)
c.write("never-taken")
c = Connection()
c.stands(); c.ask(1, TOKEN); c.answer(2); c.fin(1900)
c.write("taken-by-fin")
c = Connection()
c.stands(); c.ask(1, TOKEN); c.taken(1.2); c.dies(2, 203, 604, 1405, 3000); c.fin(5000)
c.write("never-taken-for-long")
c = Connection()
c.stands(); c.ask(1, TOKEN); c.taken(1.2); c.answer(2, data=ANSWER[:20]); c.ack(2.1); c.fin(3000); c.taken(3000.1)
c.write("half")
c = Connection(client_ttl=63)
c.stands(); c.ask(1, TOKEN); c.taken(1.2); c.fin(1000); c.put(1000.1, False, ACK, c.back, c.out + 1); c.put(3000, False, ACK, c.back, c.out + 1, ANSWER)
c.put(3000.2, True, RST, c.out + 1, 0)
c.write("late-on-the-uplink")
c = Connection()
c.stands(); c.ask(1, DATA); c.answer(2, data=b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n"); c.ack(3); c.fin(4)
c.write("refused-and-cut", snap=96)
c = Connection()
c.stands(); c.ask(1, TOKEN); c.taken(1.2); c.answer(2, ttl=1); c.back -= len(ANSWER); c.fin(400); c.fin(608)
c.write("still-without")
# where the service's packets were seen no client's was: nobody knows how far it is from there
c, d = Connection(), Connection()
c.stands(); c.ask(1, TOKEN)
d.put(0.1, False, SYN | ACK, d.back - 1, d.out, ttl=64); d.out = c.out; d.answer(2, ttl=1)
c.write("here"); d.write("there")
c = Connection()
c.stands(); c.ask(1, DATA); c.fin(1.5); c.answer(2)
c.write("ends-early")
c.put(3000, True, ACK, c.out, c.back - len(ANSWER), ttl=64)
c.write("late-ack")
c.packets[-1:] = []
c.put(2.1, True, RST, c.back, 0)
c.write("gone")
c, d = Connection(), Connection(isn=3000000)
c.stands(); d.stands(1); c.ask(2, TOKEN); c.taken(2.1); d.ask(3, DATA); d.answer(5); d.ack(7); d.fin(9); c.fin(1500); c.taken(1501)
c.write("two-networks", d)
for name, data in ("no-length", b"HTTP/1.1 200 OK\r\n\r\nabc"), ("not-http", b"\1\2\3"):
    c = Connection()
    c.stands(); c.ask(1, DATA); c.answer(2, data=data); c.ask(10, DATA); c.answer(11, data=data); c.ack(12); c.fin(13)
    c.write(name)
c = Connection()
c.stands(); c.ask(1, TOKEN); c.answer(2, data=b"HTTP/1.1 100 Continue\r\n\r\n"); c.ack(3); c.fin(1500); c.taken(1501)
c.write("interim")
REFUSED = b"HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\n\r\n"
for name, first, answer in (("tunnel", b"CONNECT md:443 HTTP/1.1\r\nHost: md\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n"),
                            ("no-tunnel", b"CONNECT md:443 HTTP/1.1\r\nHost: md\r\n\r\n", REFUSED),
                            ("preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9), REFUSED)):
    c = Connection()
    c.stands(); c.ask(1, first); c.answer(2, data=answer); c.ack(3)
    if name != "preface":
        c.ask(4, DATA); c.answer(5); c.ack(6)
    c.fin(7)
    c.write(name)
c = Connection(client=SERVICE, service_ttl=64)
c.stands(); c.ask(1, TOKEN); c.answer(2); c.ack(3); c.fin(4)
c.write("own-address")
c = Connection(port=8080)
c.stands(); c.ask(1, TOKEN); c.answer(2); c.ack(3); c.fin(4)
c.write("other-server")
c = Connection(port=443)
c.stands(); c.ask(1, DATA); c.ask(1.5, DATA); c.answer(2); c.ack(3); c.fin(4)
c.write("tls")
# at two places at once, each of whose tools began a new file in between; nothing but the names tells which belong together
inside, uplink = Connection(), Connection(client_ttl=63, service_ttl=64)
for c in inside, uplink:
    c.stands(); c.ask(1, TOKEN); c.taken(1.2); c.fin(1900)
uplink.dies(2, 1203, 1604, ttl=1)
for name, c in ("veth", inside), ("eth0", uplink):
    c.write(f"{name}.pcap0", until=1000); c.write(f"{name}.pcap1", since=1000)

c, d = Connection(), Connection(isn=3000000)
c.stands(); c.ask(1, TOKEN); c.taken(1.2); c.fin(900); c.taken(901)
d.stands(1000); d.ask(1001, DATA); d.answer(1002); d.ack(1003); d.fin(1004)
c.write("silence", d)
# behind NAT: the one waits in vain, and then another, at the same distance or not, asks without a token
for name, ttl in ("one-behind-nat", 63), ("several-behind-nat", 62):
    c, d = Connection(client_ttl=63, service_ttl=64), Connection(client_ttl=ttl, service_ttl=64, isn=3000000)
    c.stands(); c.ask(1, TOKEN); c.taken(1.2); c.dies(2, 203, 604, ttl=1); c.fin(900)
    d.stands(1000); d.ask(1001, DATA); d.answer(1002); d.ack(1003); d.fin(1004)
    c.write(name, d)

def block(kind, body):
    return struct.pack("<II", kind, len(body) + 12) + body + struct.pack("<I", len(body) + 12)

c = Connection()
c.stands(); c.ask(1, DATA.replace(b"latest", b"opc")); c.answer(2); c.ack(3); c.fin(4)
c.write("whole")
statistics = struct.pack("<III", 0, 0, 0) + b"".join(struct.pack("<HHQ", code, 8, n) for code, n in ((4, 99), (5, 7), (7, 2**64 - 1)))
with open(f"{folder}/lossy", "wb") as f:
    f.write(block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1)) + block(1, struct.pack("<HHI", 1, 0, 0)))
    for us, p in c.packets:
        f.write(block(6, struct.pack("<IIIII", 0, us >> 32, us & 0xFFFFFFFF, len(p), len(p)) + p + bytes(-len(p) % 4)))
    f.write(block(5, statistics) + block(5, statistics))
with open(f"{folder}/whole", "rb") as f, open(f"{folder}/cut.gz", "wb") as cut:
    data = gzip.compress(f.read())
    cut.write(data[:-6])
    for name, behind in ("padded.gz", bytes(512)), ("junk.gz", b"junk"):
        with open(f"{folder}/{name}", "wb") as out:
            out.write(data + behind)
PY
PYTHONDONTWRITEBYTECODE=1 python3 "$work/make.py" "$work" "$LAB_DIR" || e2e_die "make.py"
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
check "also when a mirror makes two of it" said dies-once-mirrored "token hop-limit likely hop-limit"
check "a router tells of bare acknowledgements that died: no answer was seen" said told-of-acks "token hop-limit likely hop-limit"
check "of answers: proven" said told-of-answers "token hop-limit proven hop-limit"
check "no way has so many routers" said begins-with-100 "token no-response - silent"
unseen='.headline.level == "blind" and .losses.capture_answers_missing == 1 and .totals.requests == 0'
for name in requests-alone-on rest-missing end-missing on-its-way; do
	check "$name: not told, and it is said" lost $name "$unseen"
done
check "requests-alone: blind" lost requests-alone '.headline.level == "blind" and .totals.requests == 0'
check "syns-alone: blind" lost syns-alone '.headline.level == "blind" and .totals.requests == 0'
check "a SYN that is sent again has no answer" said syns-resent "connect-only no-response - silent"
check "an answer on its way that is not sent again came" said on-its-way-on "token ok - -"
apart() { # apart POD UPLINK: a request of each connection is told once
	"$IMDSNOOP" trace --json --from "$work/pod-$1" --from "$work/uplink-$2" >"$work/trace" 2>/dev/null
	"$IMDSNOOP" report --json --from "$work/pod-$1" --from "$work/uplink-$2" >"$work/report" 2>/dev/null
	equal "$(jq -rc 'select(.type == "request") | .outcome' "$work/trace" | sort | paste -sd,)" "$3" &&
		equal "$(jq '.losses.capture_clocks_apart // 0' "$work/report")" "$4"
}
check "clocks agree" apart 0 0 hop-limit,ok 0
check "the uplink's clock is late by 4 s: what it saw is of the same connection" apart 0 4000 hop-limit,ok 1
for port in "" reused-; do
	for late in 4000 300000; do
		[ "$port$late" = 4000 ] || check "the uplink's clock is late by $port$late ms: told once, and it is said" \
			apart "${port}0" "$port$late" no-response,ok 1
		check "the pod's clock is late by $port$late ms: told once" apart "$port$late" "${port}0" hop-limit,ok 1
	done
done
check "a segment that the client does not wait for is no answer" said forged "token no-response - silent"
check "a client whose TTL is unusual: its SYN-ACK came with such a TTL" said odd-ttl "token no-response - silent"
check "and one whose TTL is no router's doing: no node has so many" said begins-with-60 "token no-response - silent"
check "nor is its distance told" equal "$("$IMDSNOOP" trace --json --from "$work/begins-with-124" 2>/dev/null |
	jq -rc 'select(.type == "request") | [.outcome, .hops, .required_hop_limit]')" '["ok",null,null]'
check "a client that still waits says so" said kept-alive "token no-response - silent"
check "the same, with an answer" said odd-ttl-answered "token ok - -"
check "the client closes long behind an answer, without it: it did not get it" said never-taken "token no-response - silent"
check "nor when it is sent again and again, for long" said never-taken-for-long "token no-response - silent"
check "half an answer came, in time" said half "token aborted - aborted"
check "on the uplink: it came to a client that was gone" said late-on-the-uplink "token no-response - slow"
check "401, and whether a token was given is cut off: no OK" lost refused-and-cut '.headline.level == "warning" and .findings[0].code == "credentials-refused"'
check "an acknowledgement that is not in the capture, and a FIN that takes the answer" said taken-by-fin "token ok - -"
check "nor does it take it with the FIN that it sends again" said still-without "token no-response - silent"
doubt() {
	"$IMDSNOOP" report --json --from "$work/here" --from "$work/there" >"$work/report" 2>/dev/null
	e2e_jq "$work/report" '.totals.requests == 0 and .headline.level == "blind" and .losses.capture_requests_missing > 0'
}
check "an answer that may die farther on, and no word of the client: it is not told" doubt
check "a capture that ends before a client that half-closed takes its answer" lost ends-early \
	'.totals.requests == 0 and .headline.level == "blind" and .losses.capture_answers_missing == 1'
check "one that did not take it is told" said late-ack "data aborted - aborted"
check "one that was gone is told" said gone "data aborted - aborted"
check "two networks with the same addresses and ports, at once" said two-networks "data ok - -,token no-response - silent"
check "the client asks again, or leaves: what has no end of its own was whole" said no-length "data ok - -,data ok - -"
check "and what is not HTTP" said not-http "data ok - -,data ok - -"
check "100 is no answer" said interim "token no-response - silent"
check "what goes through a tunnel is no request" said tunnel "other ok - -"
check "where it is refused it is one" said no-tunnel "other http-error - answered-with-error,data ok - -"
check "the preface of HTTP/2 is one request" said preface "other http-error - answered-with-error"
check "a node asks an address of its own" said own-address "token ok - -"
check "another server's port has no tokens" said other-server "other ok - -"
check "hidden by TLS: all until an answer comes is one request" said tls "other ok - -"
for order in "veth.pcap0 eth0.pcap0 veth.pcap1 eth0.pcap1" "eth0.pcap1 veth.pcap1 eth0.pcap0 veth.pcap0"; do
	froms=()
	for f in $order; do froms+=(--from "$work/$f"); done
	check "two places, rotated: $order" equal "$("$IMDSNOOP" trace --json "${froms[@]}" 2>/dev/null |
		jq -rc 'select(.type == "request") | [.outcome, .confidence, .required_hop_limit]')" '["hop-limit","proven",2]'
done
fallbacks() { "$IMDSNOOP" trace --json --from "$work/$1" 2>/dev/null | jq -rc 'select(.type == "request") | .fallback' | paste -sd,; }
check "a client that waited in vain asks without a token" equal "$(fallbacks one-behind-nat)" false,true
check "also where nothing tells why it waited" equal "$(fallbacks silence)" true,false
check "what asks there is another one, behind one more router" equal "$(fallbacks several-behind-nat)" false,false
check "nothing is missing" lost whole '.headline.level == "ok" and (.losses | add // 0) == 0'
check "the tool that captured says what it lost" lost lossy '.headline.level == "blind" and .losses.capture_packets_lost == 7'
check "a gzip that lacks its end" lost cut.gz '.headline.level == "blind" and .losses.capture_files_bad == 1'
check "zeros behind a gzip are padding" lost padded.gz '.headline.level == "ok" and (.losses | add // 0) == 0'
check "what else is there is said" lost junk.gz '.losses.capture_files_bad == 1'
