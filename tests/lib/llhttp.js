// SPDX-License-Identifier: GPL-2.0-only
// Conversations and what node's own parser (llhttp) makes of them: node llhttp.js COUNT SEED, both numbers. Writes one
// record a conversation to standard output, as tests/unit/llhttp.h says. The same seed gives the same bytes.
'use strict';
process.noDeprecation = true;
const { HTTPParser, allMethods } = process.binding('http_parser');
const { writeSync } = require('fs');
const methodNames = allMethods || process.binding('http_parser').methods;

let state;
function random() {			// mulberry32
	state = (state + 0x6d2b79f5) | 0;
	let t = Math.imul(state ^ (state >>> 15), 1 | state);
	t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
	return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
}
const below = (n) => Math.floor(random() * n);
const one = (list) => list[below(list.length)];
const chance = (p) => random() < p;
const times = (n, fn) => Array.from({ length: n }, fn).join('');

// --- messages ------------------------------------------------------------------------------------------------------

const targets = ['/latest/api/token', '/latest/meta-data/', '/latest/meta-data/iam/security-credentials/role-1',
	'/latest/dynamic/instance-identity/document', '/latest/user-data', '/1.0/meta-data', '/2021-07-15/api/token', '//latest//api//token',
	'/computeMetadata/v1/instance/service-accounts/default/token', '/computeMetadata/v1/?recursive=true&wait_for_change=true',
	'/metadata/instance?api-version=2021-02-01', '/metadata/identity/oauth2/token?resource=x', '/metadata/attested/document',
	'/openstack/latest/meta_data.json', '/opc/v2/instance/', '/v1/token', '/v1/credentials', '/instance_identity/v1/token',
	'/identity/v1/iam_tokens', '/instance_identity/v1/iam_token', '/latest/api/token?x=/latest/meta-data', '/latest/api/token/x', '/latest/apix/token',
	'http://169.254.169.254/latest/api/token', 'HTTP://169.254.169.254:80/latest/user-data?a', 'https://a/latest', 'http://a?x', '/',
	'/metadata', '/' + 'a'.repeat(200), '/latest/' + 'b/'.repeat(70) + 'token', '/latest/meta-data/%2e%2e/api/token', '/a#b', '/userdata', '/user_data?x y'];
const names = ['X-aws-ec2-metadata-token', 'x-aws-ec2-metadata-token-ttl-seconds', 'X-AWS-EC2-METADATA-TOKEN', 'X-aws-ec2-metadata-tokens',
	'X-aliyun-ecs-metadata-token', 'X-aliyun-ecs-metadata-token-ttl-seconds', 'X-aliyun-ecs-x', 'Metadata-Token', 'Metadata-Token-Expiry-Seconds',
	'Metadata-Flavor', 'X-Forwarded-For', 'Metadata', 'Authorization', 'Host', 'User-Agent', 'Accept', 'Server', 'Date', 'X', 'ETag'];
const values = ['true', 'True', 'true ', 'Bearer Oracle', 'bearer oracle', 'Google', '21600', 'AQAA==', '169.254.169.254', '*/*', '', 'a: b', '10.0.0.1, 10.0.0.2',
	'x'.repeat(300), '\tv', 'chunked', 'text/plain; charset=utf-8'];
const statuses = [200, 200, 200, 200, 201, 204, 206, 301, 304, 400, 401, 403, 404, 405, 429, 500, 503];

let eol;
const line = (text) => text + (eol === 2 ? one(['\r\n', '\n']) : eol ? '\n' : '\r\n');
function headers() {
	return times(below(7), () => {
		const fold = chance(0.03) ? line('') + one([' ', '\t']) + one(['folded', 'chunked', '7', 'true']) : '';
		return line(one(names) + ':' + one([' ', ' ', ' ', '', '  ', '\t']) + one(values) + fold);
	}) + (chance(0.04) ? line('Connection: ' + one(['close', 'keep-alive', 'Upgrade', 'Keep-Alive, x'])) : '') +
		(chance(0.02) ? line('Upgrade: websocket') : '');
}
const text = (n) => times(n, () => one('abcdefgh \r\nHTTP/1.0GET:'));
function chunks() {
	return times(below(4), () => {
		const n = 1 + below(40), hex = n.toString(16);
		return line(one(['', '', '0', '000']) + (chance(0.5) ? hex : hex.toUpperCase()) + one(['', '', '', ';a=b', ';a="b;c"', ' ;x', ' '])) + text(n) + line('');
	}) + line(one(['0', '0', '00', '0;x=y'])) + (chance(0.2) ? line('Trailer-1: v') + line('ETag: "x"') : '') + line('');
}
function body(mostly) {			// [headers, body]
	const n = below(80), kind = chance(mostly) ? 1 + below(2) : below(12);

	switch (kind) {
	case 1: return [line('Content-Length:' + one([' ', '', '\t']) + one(['', '', '0']) + n + one(['', '', ' '])), text(n)];
	case 2: return [line(one(['Transfer-Encoding', 'transfer-encoding']) + ': ' + one(['chunked', 'Chunked', 'gzip, chunked'])), chunks()];
	case 3: return [line('Content-Length: ' + n) + line('Transfer-Encoding: chunked'), chunks()];
	case 4: return [line('Content-Length: ' + n) + line('Content-Length: ' + n), text(n)];
	case 5: return [line('Transfer-Encoding: gzip'), ''];
	case 6: return [line('Content-Length: ' + one(['x', '-1', '1 2', '1,1', '99999999999999999999', '+4'])), text(4)];
	default: return ['', ''];
	}
}
function shuffled(a, b) {
	return chance(0.5) ? a + b : b + a;
}
function request() {
	const method = one(['GET', 'GET', 'GET', 'PUT', 'PUT', 'HEAD', 'POST', 'OPTIONS', 'DELETE', 'M-SEARCH', 'get', 'TRACE', 'CONNECT', 'PURGE']);
	const b = body(method === 'POST' || chance(0.1) ? 0.8 : 0);
	const target = method === 'CONNECT' ? 'a:80' : method === 'OPTIONS' && chance(0.5) ? '*' : one(targets);
	const version = chance(0.9) ? 'HTTP/1.1' : one(['HTTP/1.0', 'HTTP/1.1 ', 'HTTP/2.0', 'HTTP/0.9', 'http/1.1', 'HTTP/1.10']);
	return (chance(0.03) ? line('') : '') + line(method + one([' ', ' ', ' ', ' ', ' ', ' ', '  ']) + target + ' ' + version) + shuffled(headers(), b[0]) + line('') + b[1];
}
function answer(head) {
	const status = one(statuses), b = status === 204 || status === 304 ? (chance(0.8) ? ['', ''] : body(0)) : body(0.9);
	const interim = chance(0.05) ? line('HTTP/1.1 ' + one(['100 Continue', '103 Early Hints', '102 Processing'])) + (chance(0.3) ? line('Link: x') : '') + line('') : '';
	const version = chance(0.9) ? 'HTTP/1.1' : one(['HTTP/1.0', 'HTTP/1.1', 'HTTP/2.0', 'http/1.1']);
	return interim + line(version + ' ' + (chance(0.01) ? '101' : status) + one([' OK', ' OK', ' Not Found', '', ' ', ' a b'])) + shuffled(headers(), b[0]) + line('') + (head ? '' : b[1]);
}
function mutated(s) {
	for (let n = 1 + below(3); n--;) {
		const at = below(s.length + 1), len = below(6);
		const c = one(['\r', '\n', ' ', '\t', ':', '/', '\0', '\x80', '\xff', '0', 'G', 'chunked', '\r\n', ',', '?', ';', String.fromCharCode(below(256))]);
		switch (below(5)) {
		case 0: s = s.slice(0, at) + c + s.slice(at); break;
		case 1: s = s.slice(0, at) + s.slice(at + len); break;
		case 2: s = s.slice(0, at) + c + s.slice(at + c.length); break;
		case 3: s = s.slice(0, at) + s.slice(at, at + len) + s.slice(at); break;
		case 4: s = s.slice(0, at); break;
		}
	}
	return s;
}

// --- the oracle ----------------------------------------------------------------------------------------------------

const W = { TOKEN_H: 1, TTL: 2, METADATA: 4, FLAVOR: 8, ALIBABA: 16, ORACLE_H: 32, FORWARDED: 64, LENGTH: 128, CHUNKED: 256, EC2: 512, API: 1024, TOKEN: 2048,
	SECURITY_CREDS: 4096, CREDENTIALS: 8192, IDENTITY: 16384, USER_DATA: 32768, META_DATA: 65536, GCE: 1 << 17, AZURE: 1 << 18, OPENSTACK: 1 << 19,
	ORACLE: 1 << 20, SERVICE_ACCTS: 1 << 21, HTTP: 1 << 22, V1: 1 << 23, ATTESTED: 1 << 24, IBM: 1 << 25, WAIT: 1 << 26 };
const byHeader = { 'x-aws-ec2-metadata-token': W.TOKEN_H, 'x-aliyun-ecs-metadata-token': W.TOKEN_H, 'metadata-token': W.TOKEN_H,
	'x-aws-ec2-metadata-token-ttl-seconds': W.TTL, 'x-aliyun-ecs-metadata-token-ttl-seconds': W.TTL, 'metadata-token-expiry-seconds': W.TTL,
	'metadata-flavor': W.FLAVOR, 'x-forwarded-for': W.FORWARDED };
const byFirst = [[/^(latest|1\.0|20\d\d-\d\d-\d\d)$/, W.EC2], [/^computeMetadata$/, W.GCE], [/^metadata$/, W.AZURE], [/^openstack$/, W.OPENSTACK],
	[/^opc$/, W.ORACLE], [/^v1$/, W.V1], [/^(instance_)?identity$/, W.IBM]];
const bySegment = { token: W.TOKEN, 'security-credentials': W.SECURITY_CREDS, credentials: W.CREDENTIALS, iam_token: W.CREDENTIALS, 'instance-identity': W.IDENTITY,
	identity: W.IDENTITY, attested: W.ATTESTED, 'user-data': W.USER_DATA, user_data: W.USER_DATA, userdata: W.USER_DATA, 'meta-data': W.META_DATA, dynamic: W.META_DATA,
	'service-accounts': W.SERVICE_ACCTS };
const own = (o, k) => Object.prototype.hasOwnProperty.call(o, k) ? o[k] : 0;

function pathOf(url) {
	const m = /^https?:\/\/[^/?#]*/i.exec(url), rest = m ? url.slice(m[0].length) : url;
	return rest[0] === '/' ? rest.replace(/[?#].*$/s, '') : '';
}
function wordsOf(list, url) {
	let w = W.HTTP, codings = null, lengths = [];
	for (let i = 0; i < list.length; i += 2) {
		const name = list[i].toLowerCase(), value = list[i + 1];
		w |= own(byHeader, name);
		if (name.startsWith('x-aliyun-ecs-')) w |= W.ALIBABA;
		if (name === 'metadata' && value.toLowerCase() === 'true') w |= W.METADATA;
		if (name === 'authorization' && value === 'Bearer Oracle') w |= W.ORACLE_H;
		if (name === 'content-length') lengths.push(value);
		if (name === 'transfer-encoding') codings = value;
	}
	if (lengths.length) w |= W.LENGTH;
	if (codings !== null && /(^|,)[ \t]*chunked$/i.test(codings)) w |= W.CHUNKED;
	if (url === null) return w;
	const path = pathOf(url), segments = path.split('/').filter((s) => s);
	if (/[?#].*wait_for_change.true/.test(url) && path) w |= W.WAIT;
	segments.forEach((s, i) => {
		if (!i) for (const [re, bit] of byFirst) if (re.test(s)) w |= bit;
		if (i === 1 && (w & W.EC2) && s === 'api') w |= W.API;
		w |= own(bySegment, s);
	});
	return w;
}
function isCoded(type, list) {		// otherwise than chunked, where that leaves the end open
	const w = wordsOf(list, null);
	return list.some((name, i) => !(i % 2) && name.toLowerCase() === 'transfer-encoding') && !(w & W.CHUNKED) && (type === HTTPParser.REQUEST || (w & W.LENGTH));
}
// enum imds_kind, from the services' documentation
function kindOf(method, url) {
	const s = pathOf(url).split('/').filter((x) => x), has = (...x) => x.some((y) => s.includes(y));
	const ec2 = s.length && /^(latest|1\.0|20\d\d-\d\d-\d\d)$/.test(s[0]), ibm = has('instance_identity', 'identity') && /^(instance_)?identity$/.test(s[0]);
	if (method === 'PUT' && has('token') && ((ec2 && s[1] === 'api') || s[0] === 'v1' || ibm)) return 1;
	if ((ec2 && has('security-credentials')) || (s[0] === 'computeMetadata' && has('service-accounts') && has('token')) ||
		(s[0] === 'metadata' && has('identity', 'instance-identity')) || (ibm && has('credentials', 'iam_token'))) return 2;
	if (!ec2 && !ibm && !['computeMetadata', 'metadata', 'openstack', 'opc', 'v1'].includes(s[0])) return 0;
	if (has('identity', 'instance-identity', 'attested')) return 3;
	return has('user-data', 'user_data', 'userdata') ? 4 : 5;
}

// All messages of text, of which [skip] have no body; each with where it ends. rest: how it is behind the last one.
function parse(type, text, lenient, skip) {
	const parser = new HTTPParser(), found = [], buf = Buffer.from(text, 'latin1');
	let at = 0, start = 0, now = null, r = 0, running = false, error = '', close = false;
	// leniently the first CR of two ends the line, the third LF the head, and a blank line of blanks too
	if (/\r\r|\n\n[\r\n]|HTTP\/1\.\d *\n\n|HTTP\/1\.\d[^\n]*\n[ \t]|:[ \t]*\r(?!\n)/.test(text)) lenient = 0;
	parser.initialize(type, {}, 0, lenient);
	let pending = [], pendingUrl = '', inHead = true;	// node hands headers out early when there are many, or trailers before
	parser[HTTPParser.kOnMessageBegin] = () => { running = inHead = true; pending = []; pendingUrl = ''; };
	parser[HTTPParser.kOnHeaders] = (list, url) => {
		if (!inHead) return;
		pending = pending.concat(list);
		pendingUrl += url;
	};
	parser[HTTPParser.kOnHeadersComplete] = (major, minor, list, method, url, status, phrase, upgrade, keepAlive) => {
		inHead = false;
		if (list === undefined) { list = pending; url = type === HTTPParser.REQUEST ? pendingUrl : undefined; }
		now = { major, minor, list, method: methodNames[method] || '', url: url === undefined ? null : url, status: status || 0, upgrade, keepAlive };
		return skip && skip[found.length] && (now.status < 100 || now.status >= 200) ? 1 : 0;
	};
	parser[HTTPParser.kOnBody] = () => {};
	parser[HTTPParser.kOnMessageComplete] = () => {
		running = false;
		if (type === HTTPParser.RESPONSE && now.status >= 100 && now.status < 200 && now.status !== 101) return;	// interim: the one that counts follows
		while (type === HTTPParser.REQUEST && start < buf.length && (buf[start] === 13 || buf[start] === 10)) start++;
		found.push(Object.assign(now, { length: Math.min(at + 1, buf.length) - start }));
		start = Math.min(at + 1, buf.length);
	};
	for (; at < buf.length; at++) {
		r = parser.execute(buf.subarray(at, at + 1));
		if (typeof r !== 'number') break;
		const last = found[found.length - 1];
		if (last && last.upgrade && !running) break;
	}
	if (typeof r !== 'number') error = r.code;
	else if (at === buf.length && type === HTTPParser.RESPONSE && running) parser.finish();
	parser.close();
	// where both may go on, but not at the same place: rows of the list in llhttp.c
	const stop = found.findIndex((m) => m.upgrade || m.status === 101 || m.major !== 1 || (m.url === null && m.status < 100) || !m.keepAlive || isCoded(type, m.list));
	if (stop >= 0) {
		const m = found[stop];
		error = m.major !== 1 ? 'VERSION' : m.url === null && m.status < 100 ? 'HPE_INVALID_STATUS' : m.upgrade || m.status === 101 ? 'UPGRADE' : isCoded(type, m.list) ? 'CODING' : 'CLOSE';
		m.anyLength = error === 'UPGRADE' || error === 'CODING';
		found.length = stop + (error !== 'VERSION' && error !== 'HPE_INVALID_STATUS');
	} else if (!error && running && now && (now.upgrade || isCoded(type, now.list))) {
		error = now.upgrade ? 'UPGRADE' : 'CODING';	// node hides errors in the body of a request to upgrade
	}
	const odd = /transfer-encoding:[^\n]*\n[ \t]/i.test(text) ? 'FOLD' : /chunked *\t|transfer-encoding:[^\n]*\0/i.test(text) ? 'TAB' : /(content-length|transfer-encoding)[ \t]+:/i.test(text) ? 'BLANK' : '';
	if (odd) {
		found.length = 0;
		error = odd;
	}
	if (type === HTTPParser.RESPONSE && /HTTP\/1\.\d +\d\d\d[^\r\n]*\r(?!\n)/.test(text)) {
		found.length = 0;
		error = 'CR';
	}
	return { found, error, running };
}

// --- records -------------------------------------------------------------------------------------------------------

const out = [];
let outLen = 0;
function put(buf) {
	out.push(buf);
	outLen += buf.length;
	if (outLen > 1 << 20) flush();
}
function flush() {
	const all = Buffer.concat(out);
	for (let at = 0; at < all.length;) at += writeSync(1, all, at);
	out.length = outLen = 0;
}
const METHODS = ['', 'GET', 'PUT', 'HEAD', 'POST'];

function write(id, type, lenient, client, service, r) {
	const clientBytes = Buffer.from(client, 'latin1'), serviceBytes = Buffer.from(service, 'latin1'), error = Buffer.from(r.error);
	const head = Buffer.alloc(24);
	head.writeUInt32LE(0x70747448, 0);
	head.writeUInt32LE(id, 4);
	head.writeUInt8(type === HTTPParser.RESPONSE ? 1 : 0, 8);
	head.writeUInt8(r.found.length, 9);
	head.writeUInt8(r.error ? 2 : r.running ? 1 : 0, 10);
	head.writeUInt8(error.length, 11);
	head.writeUInt32LE(clientBytes.length, 12);
	head.writeUInt32LE(serviceBytes.length, 16);
	head.writeUInt32LE(lenient, 20);
	put(head); put(error); put(clientBytes); put(serviceBytes);
	for (const m of r.found) {
		const path = Buffer.from(m.url === null ? '' : pathOf(m.url), 'latin1').subarray(0, 127), b = Buffer.alloc(16);
		b.writeUInt32LE(m.length, 0);
		b.writeUInt32LE(wordsOf(m.list, m.url) >>> 0, 4);
		b.writeUInt16LE(m.status, 8);
		b.writeUInt8(Math.max(0, METHODS.indexOf(m.method)) || 5, 10);
		b.writeUInt8(m.url === null ? 0 : kindOf(m.method, m.url), 11);
		b.writeUInt8(path.length, 12);
		b.writeUInt8((m.anyLength ? 1 : 0) | (/\n[ \t]/.test(client) ? 2 : 0), 13);
		put(b); put(path);
	}
}

// Without what no server takes: a line that ends with CR alone, chunks without a line end, any version.
const lenientMost = HTTPParser.kLenientAll & ~(HTTPParser.kLenientOptionalLFAfterCR | HTTPParser.kLenientOptionalCRLFAfterChunk | HTTPParser.kLenientVersion);
const count = Number(process.argv[2]), seed = Number(process.argv[3]);
let messages = 0;
for (let id = 0; messages < count; id++) {
	state = (Math.imul(seed, 0x9e3779b1) + Math.imul(id, 0x85ebca6b)) | 0;
	eol = chance(0.8) ? 0 : 1 + below(2);
	const lenient = chance(0.5) ? lenientMost : 0, n = 1 + below(4);
	if (chance(0.5)) {
		let client = times(n, request);
		if (chance(0.5)) client = mutated(client);
		const r = parse(HTTPParser.REQUEST, client, lenient, null);
		r.found.length = Math.min(r.found.length, 12);
		write(id, HTTPParser.REQUEST, lenient, client, '', r);
	} else {
		const head = Array.from({ length: n }, () => chance(0.2));
		const client = head.map((h) => (h ? 'HEAD' : one(['GET', 'PUT'])) + ' /latest/meta-data/ HTTP/1.1\r\n\r\n').join('');
		let service = head.map((h) => answer(h)).join('');
		if (chance(0.5)) service = mutated(service);
		const r = parse(HTTPParser.RESPONSE, service, lenient, head);
		r.found.length = Math.min(r.found.length, n);
		write(id, HTTPParser.RESPONSE, lenient, client, service, r);
	}
	messages += n;
}
flush();
