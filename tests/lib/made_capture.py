# SPDX-License-Identifier: GPL-2.0-only
"""Connections to a metadata service, packet by packet, as a capture file has them."""
import struct

TOKEN = b"PUT /latest/api/token HTTP/1.1\r\nHost: md\r\nX-aws-ec2-metadata-token-ttl-seconds: 60\r\n\r\n"
DATA = b"GET /latest/meta-data/ HTTP/1.1\r\nHost: md\r\n\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabcd"
FIN, SYN, RST, ACK = 1, 2, 4, 16
POD, SERVICE = bytes([10, 0, 0, 2]), bytes([169, 254, 169, 254])

class Connection:
    """TTLs: the client's and the service's packets as the capture sees them. Times in ms."""
    folder = "."  # where captures are written
    def __init__(self, client_ttl=64, service_ttl=63, isn=1000, port=80, client_port=40000, client=POD):
        self.ttl, self.packets = (service_ttl, client_ttl), []
        self.isn, self.port, self.client_port, self.client = isn, port, client_port, client
        self.out, self.back = isn + 1, isn + 4001

    def put(self, ms, from_client, flags, seq, ack, data=b"", ttl=None):
        ports, ends = ((self.client_port, self.port), self.client + SERVICE) if from_client else ((self.port, self.client_port), SERVICE + self.client)
        tcp = struct.pack(">HHIIBBHHH", *ports, seq, ack, 0x50, flags, 64240, 0, 0) + data
        ip = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(tcp), 1, 0x4000, ttl or self.ttl[from_client], 6, 0) + ends
        self.packets.append((1700000000 * 10**6 + int(ms * 1000), bytes(12) + b"\x08\x00" + ip + tcp))

    def told(self, ms, seq, data=b""):
        """a router tells the service of a packet of it that died there"""
        quoted = struct.pack(">BBHHHBBH", 0x45, 0, 40 + len(data), 1, 0x4000, 1, 6, 0) + SERVICE + self.client
        quoted += struct.pack(">HHIIBBHHH", self.port, self.client_port, seq, self.out, 0x50, ACK, 64240, 0, 0) + data
        icmp = struct.pack(">BBHHH", 11, 0, 0, 0, 0) + quoted
        ip = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(icmp), 1, 0, 64, 1, 0) + bytes([10, 0, 0, 1]) + SERVICE
        self.packets.append((1700000000 * 10**6 + int(ms * 1000), bytes(12) + b"\x08\x00" + ip + icmp))

    def syn(self, ms): self.put(ms, True, SYN, self.isn, 0)
    def ack(self, ms): self.put(ms, True, ACK, self.out, self.back)
    def fin(self, ms): self.put(ms, True, FIN | ACK, self.out, self.back)
    def taken(self, ms): self.put(ms, False, ACK, self.back, self.out)

    def stands(self, ms=0):
        self.syn(ms)
        self.put(ms + 0.1, False, SYN | ACK, self.back - 1, self.out)
        self.ack(ms + 0.2)

    def ask(self, ms, request, captured=True):
        if captured:
            self.put(ms, True, ACK, self.out, self.back, request)
        self.out += len(request)

    def answer(self, ms, captured=True, ttl=None, data=ANSWER):
        if captured:
            self.put(ms, False, ACK, self.back, self.out, data, ttl)
        self.back += len(data)

    def dies(self, *at, ahead=0, ttl=None):
        for ms in at:
            self.put(ms, False, ACK, self.back + ahead, self.out, ANSWER, ttl)

    def write(self, name, *others, since=0, until=10**9, copies=1, late=0, snap=262144):
        with open(f"{self.folder}/{name}", "wb") as f:
            f.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1))
            for us, p in sorted(sum((c.packets for c in others), self.packets), key=lambda p: p[0]):
                if since <= us // 1000 - 1700000000 * 1000 < until:
                    us += late * 1000
                    f.write((struct.pack("<IIII", us // 10**6, us % 10**6, len(p[:snap]), len(p)) + p[:snap]) * copies)

