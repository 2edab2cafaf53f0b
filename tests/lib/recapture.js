// SPDX-License-Identifier: GPL-2.0-only
// The packets of a capture (pcap, this machine's byte order, any link) in another file: node recapture.js HOW [ARGUMENTS] <in >out
'use strict';
const data = require('fs').readFileSync(0), header = Buffer.from(data.subarray(0, 24)), packets = [];
for (let at = 24; at + 16 <= data.length;) {
	const captured = data.readUInt32LE(at + 8);
	packets.push({ s: data.readUInt32LE(at), us: data.readUInt32LE(at + 4), length: data.readUInt32LE(at + 12),
		bytes: data.subarray(at + 16, at + 16 + captured) });
	at += 16 + captured;
}
const [how, ...rest] = process.argv.slice(2), arg = rest.map(Number);
const linkSize = { 1: 14, 113: 16, 276: 20 }[header.readUInt32LE(20)];
let big = false, list = packets;
const each = (change) => packets.map((p) => {
	const bytes = change(p.bytes);
	return { ...p, bytes, length: p.length + bytes.length - p.bytes.length };
});
const isIp = (p) => [0x45, 0x60].includes(p.bytes[linkSize] & 0xf5);
const options = {
	// vlan ETHERTYPE...: tags, outermost first
	vlan: () => {
		const tags = Buffer.concat(arg.map((type, i) => Buffer.from([type >> 8, type & 255, 0, 7 + i])));
		list = each((b) => Buffer.concat([b.subarray(0, 12), tags, b.subarray(12)]));
	},
	raw: () => {		// no link's header
		list = packets.filter(isIp);
		list = list.map((p) => ({ ...p, bytes: p.bytes.subarray(linkSize), length: p.length - linkSize }));
		header.writeUInt32LE(101, 20);
	},
	big: () => { big = true; },
	twice: () => { list = packets.flatMap((p) => [p, p]); },
	// shuffle US: out of order by up to so much, their times stay with them; those of the same time stay in order
	shuffle: () => {
		const late = (p) => p.s * 1e6 + p.us + (p.us * 7919 + p.s) % arg[0];
		list = [...packets].sort((a, b) => late(a) - late(b));
	},
	// step N S: from packet N on the clock is late by so many seconds
	step: () => {
		list = packets.map((p, i) => {
			const us = p.s * 1e6 + p.us - (i < arg[0] ? 0 : Math.round(arg[1] * 1e6));
			return { ...p, s: Math.floor(us / 1e6), us: us % 1e6 };
		});
	},
	lose: () => { list = packets.filter((p, i) => !arg.includes(i)); },	// lose N...
	skip: () => { list = packets.slice(arg[0]); },
};
options[how]();
const u32 = (b, at, v) => big ? b.writeUInt32BE(v, at) : b.writeUInt32LE(v, at);
const out = [Buffer.from(header)];
if (big) {
	for (const at of [0, 8, 12, 16, 20]) out[0].writeUInt32BE(header.readUInt32LE(at), at);
	for (const at of [4, 6]) out[0].writeUInt16BE(header.readUInt16LE(at), at);
}
for (const p of list) {
	const head = Buffer.alloc(16);
	[p.s, p.us, p.bytes.length, p.length].forEach((v, i) => u32(head, 4 * i, v));
	out.push(head, p.bytes);
}
process.stdout.write(Buffer.concat(out));
