// SPDX-License-Identifier: GPL-2.0-only
// An Ethernet capture (pcap, this machine's byte order) with VLAN tags: node vlan.js ETHERTYPE... <in >out, outermost first.
'use strict';
const data = require('fs').readFileSync(0), out = [data.subarray(0, 24)];
const tags = Buffer.concat(process.argv.slice(2).map((type, i) => Buffer.from([Number(type) >> 8, Number(type) & 255, 0, 7 + i])));
for (let at = 24; at + 16 <= data.length;) {
	const head = Buffer.from(data.subarray(at, at + 16)), captured = head.readUInt32LE(8);
	const packet = data.subarray(at + 16, at + 16 + captured);
	head.writeUInt32LE(captured + tags.length, 8);
	head.writeUInt32LE(head.readUInt32LE(12) + tags.length, 12);
	out.push(head, packet.subarray(0, 12), tags, packet.subarray(12));
	at += 16 + captured;
}
process.stdout.write(Buffer.concat(out));
