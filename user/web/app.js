/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The status page. Draws what /api/v1/report says and concludes nothing itself; updates what changed in place: open rows, focus and selection stay. Everything
 * from outside goes through textContent or setAttribute of names of ours; no markup is ever made of data.
 */
"use strict";
(() => {
const REFRESH_MS = 2000;
const SVG = "http://www.w3.org/2000/svg";
const BOUNDS = [100, 250, 500, 1000, 2500, 5000, 10000, 50000, 100000, 250000, 500000, 1000000, 5000000, Infinity];
const BOUND_WORDS = ["100 µs", "", "500 µs", "", "2.5 ms", "", "10 ms", "", "100 ms", "", "500 ms", "", "5 s", ""];
const SLOW_FROM = 12;			/* the first bucket that holds only what took longer than 1 s */
const CLASSES = { problem: "error", warning: "warning", blind: "warning", note: "good", ok: "good", quiet: "wait" };

const $ = (id) => document.getElementById(id);
const state = { live: true, report: null, timer: 0, newest: 0, rows: new Map(), open: new Set(), folds: new Map() };

/* --- small tools --- */

function make(tag, className, text) {
	const e = document.createElement(tag);
	if (className)
		e.className = className;
	if (text !== undefined)
		e.textContent = text;
	return e;
}

function setText(e, text) {
	if (e.textContent !== text)
		e.textContent = text;
}

function setClass(e, className) {
	if (e.className !== className)
		e.className = className;
}

/* Calls build only when value differs from last time, so that a steady part of the page is never touched. */
function whenChanged(e, value, build) {
	const mark = JSON.stringify(value);
	if (e.imdsnoopMark === mark)
		return;
	e.imdsnoopMark = mark;
	build(value);
}

function duration(us) {
	if (us === null || us === undefined)
		return "–";
	if (us < 1000)
		return us + " µs";
	if (us < 1e6)
		return (us < 1e4 ? (us / 1e3).toFixed(1) : Math.round(us / 1e3)) + " ms";
	return seconds(us / 1e6);
}

function seconds(s) {
	if (s < 100)
		return (s < 10 ? s.toFixed(1) : Math.round(s)) + " s";
	if (s < 7200)
		return Math.round(s / 60) + " min";
	return s < 172800 ? Math.round(s / 3600) + " h" : Math.round(s / 86400) + " days";
}

const number = new Intl.NumberFormat("en").format;
const count = (map, key) => (map && map[key]) || 0;
const plural = (n, word) => number(n) + " " + word + (n === 1 ? "" : "s");
const isUnnamed = (p) => !p.pod;

const keyOf = (p) => p.other ? "other" : p.container_id || p.cgroup;
function nameOf(p) {
	if (p.other)
		return "other";
	return isUnnamed(p) ? p.cgroup || "/" : p.pod;
}
function placeOf(p) {
	if (p.other)
		return "more pods than --max-pods";
	if (isUnnamed(p))
		return p.pod_uid ? "pod " + p.pod_uid + ", name unknown" : "not a pod";
	return p.namespace + (p.container ? " · " + p.container : "") + (p.host_network ? " · host network" : "");
}

/* A finding names the pod that stands for it, and all that it is about. */
function isAbout(f, p) {
	const same = (x) => x.pod ? x.pod === p.pod && x.namespace === p.namespace && x.container === p.container :
		Boolean(x.cgroup) && x.cgroup === p.cgroup;
	return same(f) || f.pods.some(same);
}

/* --- pictures --- */

function svg(tag, attributes) {
	const e = document.createElementNS(SVG, tag);
	for (const key in attributes)
		e.setAttribute(key, attributes[key]);
	return e;
}

function bucketsOf(p) {
	const map = p.latency_buckets_us || {};
	return BOUNDS.map((bound) => count(map, bound === Infinity ? "inf" : String(bound)));
}

/* Heights grow with the square root: one slow answer among thousands still shows. */
function drawColumns(into, buckets, x0, y0, width, height, gap) {
	const most = Math.max(...buckets, 1), step = width / buckets.length;
	buckets.forEach((n, i) => {
		const h = n ? Math.max(2, height * Math.sqrt(n / most)) : 0;
		if (h)
			into.append(svg("rect", { class: i >= SLOW_FROM ? "column slow" : "column", x: x0 + i * step + gap / 2,
						  y: y0 + height - h, width: step - gap, height: h, rx: 1.5 }));
	});
}

function describeLatency(p) {
	const l = p.latency_us;
	if (l.max === null)
		return "no request answered";
	return "latency of answered requests: half within " + duration(l.p50) + ", 99 % within " + duration(l.p99) +
	       ", longest " + duration(l.max);
}

function drawSpark(p) {
	const s = svg("svg", { class: "spark", viewBox: "0 0 128 26", role: "img", "aria-label": describeLatency(p) });
	s.append(svg("line", { class: "axis", x1: 0, x2: 128, y1: 25.5, y2: 25.5 }));
	drawColumns(s, bucketsOf(p), 0, 1, 128, 24, 2);
	return s;
}

function drawChart(p) {
	const s = svg("svg", { class: "chart", viewBox: "0 0 560 150", role: "img", "aria-label": describeLatency(p) });
	const buckets = bucketsOf(p), step = 540 / buckets.length, most = Math.max(...buckets, 1);
	s.append(svg("line", { class: "axis", x1: 10, x2: 550, y1: 124.5, y2: 124.5 }));
	drawColumns(s, buckets, 10, 20, 540, 104, 6);
	buckets.forEach((n, i) => {
		if (n) {
			const t = svg("text", { class: "count", x: 10 + (i + 0.5) * step, "text-anchor": "middle",
						y: 124 - Math.max(2, 104 * Math.sqrt(n / most)) - 5 });
			t.textContent = number(n);
			s.append(t);
		}
		if (BOUND_WORDS[i]) {
			const t = svg("text", { x: 10 + (i + 1) * step, y: 142, "text-anchor": "middle" });
			t.textContent = BOUND_WORDS[i];
			s.append(t);
		}
	});
	return s;
}

/* --- the path of the packet --- */

function link(station) {
	const e = make("li", station.reached ? "link" : "link lost");
	e.append(make("span", "", station.ttl && station.reached ? "TTL " + station.ttl : ""));
	return e;
}

function drawStation(station, isLast) {
	const className = station.died ? " dead" : !station.reached ? " ghost" : isLast ? " fine" : "";
	const e = make("li", "stop" + className, station.name);
	if (station.note || className === " fine")
		e.append(make("small", "", station.died ? "✖ " + station.note : station.note || "✔ arrives"));
	return e;
}

const drawPath = (way) => way.flatMap((station, i) => [...(i ? [link(station)] : []),
	drawStation(station, i === way.length - 1 && !station.note)]);

/* --- findings --- */

function copyText(text, button) {
	const done = () => {
		setText(button, "Copied");
		setText($("said"), "Copied");
		setTimeout(() => { setText(button, "Copy"); setText($("said"), ""); }, 1500);
	};
	const byHand = () => {			/* plain http to another host: no clipboard there */
		const range = document.createRange();
		range.selectNodeContents(button.previousSibling);
		getSelection().removeAllRanges();
		getSelection().addRange(range);
		if (document.execCommand("copy"))
			done();
	};
	if (navigator.clipboard && window.isSecureContext)
		navigator.clipboard.writeText(text).then(done, byHand);
	else
		byHand();
}

function drawAdvice(line) {
	if (!line.startsWith("  "))
		return make("p", "advice", line);
	const box = make("div", "copy"), text = line.trim(), button = make("button", "", "Copy");
	button.type = "button";
	button.setAttribute("aria-label", "Copy: " + text);
	button.addEventListener("click", () => copyText(text, button));
	box.append(make("code", "", text), button);
	return box;
}

function nameOfFinding(f) {
	return f.pod ? f.namespace + "/" + f.pod + (f.container ? " (" + f.container + ")" : "") : f.cgroup || "this node";
}

/* Folded; what a person unfolded stays so when the finding's figures change. */
function drawFinding(f, place, unfolded) {
	const e = make("li", "finding " + f.severity), fold = make("details"), summary = make("summary"), body = make("div", "body");
	const key = place + " " + f.code + " " + nameOfFinding(f);
	fold.open = state.folds.has(key) ? state.folds.get(key) : unfolded;
	fold.addEventListener("toggle", () => state.folds.set(key, fold.open));
	summary.setAttribute("aria-label", f.severity + ": " + f.summary);
	summary.append(make("span", "summary", f.summary), make("span", "code", f.code));
	if (f.pods.length > 1)
		body.append(make("p", "advice", f.pods.map((p) => p.pod).join(", ")));
	if (f.evidence.length) {
		const list = make("ul");
		for (const line of f.evidence)
			list.append(make("li", "", line));
		body.append(list);
	}
	for (const line of f.advice)
		body.append(drawAdvice(line));
	fold.append(summary, body);
	e.append(fold);
	return e;
}

/* --- rows --- */

const COLUMNS = [
	["requests", (p) => number(p.requests)],
	["failed", (p) => number(p.failed), (p) => p.failed > 0],
	["lost", (p) => p.seconds_lost ? seconds(p.seconds_lost) : "–", (p) => p.seconds_lost > 0],
	["p50", (p) => duration(p.latency_us.p50)],
	["p99", (p) => duration(p.latency_us.p99)],
];

function makeRow(key) {
	const li = make("li", "pod"), button = make("button", "row"), name = make("span", "name");
	const row = { li, button, dot: make("span", "dot"), title: make("b"), place: make("small"), cells: [],
		      spark: make("span", "spark-cell"), word: make("span", "hide"), detail: null };
	button.type = "button";
	button.setAttribute("aria-expanded", "false");
	row.dot.setAttribute("aria-hidden", "true");
	name.append(row.title, row.word, row.place);
	button.append(row.dot, name);
	for (const [label] of COLUMNS) {
		const cell = make("span", "n"), value = make("span");
		cell.append(make("span", "label", label + " "), value);
		button.append(cell);
		row.cells.push({ cell, value });
	}
	button.append(row.spark);
	button.addEventListener("click", () => toggle(key, row));
	li.append(button);
	return row;
}

function toggle(key, row) {
	if (!state.open.delete(key))
		state.open.add(key);
	updateRow(row, row.pod, state.report);
}

function figure(list, label, value) {
	if (value)
		list.append(make("dt", "", label), make("dd", "", value));
}

const countsWords = (map) => Object.keys(map || {}).map((key) => number(map[key]) + " " + key).join(", ");

function drawFigures(p) {
	const list = make("dl", "figures");
	figure(list, "Causes", countsWords(p.causes));
	figure(list, "Outcomes", countsWords(p.outcomes));
	figure(list, "Asked for", countsWords(p.kinds));
	figure(list, "HTTP", countsWords(p.responses));
	figure(list, "IMDS version", [p.v1_requests && number(p.v1_requests) + " v1", p.v2_requests && number(p.v2_requests) + " v2"]
		.filter(Boolean).join(", "));
	figure(list, "Tokens", p.token_requests ? number(p.token_answered) + " of " + number(p.token_requests) + " answered" : "");
	figure(list, "Fell back to v1", p.fallbacks ? plural(p.fallbacks, "time") : "");
	figure(list, "In flight", p.in_flight ? number(p.in_flight) : "");
	figure(list, "Hop limit", p.hop_limit === "unknown" && !p.required_hop_limit ? "" : p.hop_limit +
		(p.required_hop_limit ? ", needs " + p.required_hop_limit : "") + (p.confidence ? ", " + p.confidence : ""));
	figure(list, "TTL received", [p.ttl_synack && p.ttl_synack + " (SYN-ACK)", p.ttl_response && p.ttl_response + " (answer)",
		p.ttl_dropped && p.ttl_dropped + " (dropped)"].filter(Boolean).join(", "));
	figure(list, "Packets dropped", countsWords(p.drops));
	figure(list, "Processes", p.processes.map((c) => c.comm + " (" + number(c.requests) + ")").join(", "));
	figure(list, "Cgroup", p.cgroup);
	if (p.cgroup)
		list.lastChild.className = "path";
	return list;
}

function part(title, ...content) {
	const e = make("div");
	e.append(make("h3", "", title), ...content);
	return e;
}

function drawDetail(p, report) {
	const way = make("ul", "way"), pair = make("div", "pair"), about = report.findings.filter((f) => isAbout(f, p));
	const parts = [];
	way.append(...drawPath(p.way));
	if (p.way.length)
		parts.push(part("The path of the packet", way));
	if (p.latency_us.max !== null)
		pair.append(part("Latency of answered requests", drawChart(p)));
	else
		pair.append(part("Latency", make("p", "muted", "No request was answered.")));
	pair.append(part("Figures", drawFigures(p)));
	parts.push(pair);
	if (about.length) {
		const list = make("ul", "findings");
		list.append(...about.map((f, i) => drawFinding(f, "pod", i === 0)));
		parts.push(part("What to do", list));
	}
	return parts;
}

/* Text that a person is marking now is left alone until they are done. */
function isBeingRead(e) {
	const s = getSelection();
	return s && !s.isCollapsed && s.anchorNode && e.contains(s.anchorNode);
}

/* Rebuilds a part of the page; the button or fold in it that had the focus has it again, found by its place. */
function keepFocus(e, rebuild) {
	const tags = "button, summary", at = [...e.querySelectorAll(tags)].indexOf(document.activeElement);
	rebuild();
	const again = at < 0 ? null : e.querySelectorAll(tags)[at];
	if (again)
		again.focus({ preventScroll: true });
}

function updateDetail(row, p, report) {
	const open = state.open.has(keyOf(p));
	row.button.setAttribute("aria-expanded", String(open));
	setClass(row.li, open ? "pod open" : "pod");
	if (!open) {
		if (row.detail)
			row.detail.remove();
		row.detail = null;
		return;
	}
	if (!row.detail) {
		row.detail = make("div", "detail");
		row.li.append(row.detail);
	}
	if (isBeingRead(row.detail))
		return;
	whenChanged(row.detail, [p, report.findings.filter((f) => isAbout(f, p))], () => {
		keepFocus(row.detail, () => row.detail.replaceChildren(...drawDetail(p, report)));
	});
}

function updateRow(row, p, report) {
	row.pod = p;
	setClass(row.dot, "dot " + CLASSES[p.level]);
	setText(row.word, " (" + p.level + ")");
	setText(row.title, nameOf(p));
	setText(row.place, p.cause_text + " · " + placeOf(p));
	COLUMNS.forEach(([, value, isBad], i) => {
		setText(row.cells[i].value, value(p));
		setClass(row.cells[i].cell, isBad && isBad(p) ? "n bad" : "n");
	});
	whenChanged(row.spark, [p.latency_buckets_us, p.latency_us], () => row.spark.replaceChildren(drawSpark(p)));
	updateDetail(row, p, report);
}

function isWanted(p) {
	const words = $("search").value.toLowerCase().split(/\s+/).filter(Boolean), namespace = $("namespace").value;
	const text = [p.namespace, nameOf(p), p.container, p.cgroup, ...p.processes.map((c) => c.comm)].join(" ").toLowerCase();
	return (!namespace || p.namespace === namespace) && words.every((w) => text.includes(w)) &&
	       (!$("problems").checked || CLASSES[p.level] !== "good");
}

/* Puts the rows wanted in order, moving as few as possible and never the focused one's neighbourhood without need. */
function placeRows(list, wanted) {
	const focused = list.contains(document.activeElement) ? document.activeElement : null;
	let at = list.firstChild;
	const keep = new Set(wanted);
	for (let e = at; e;) {
		const next = e.nextSibling;
		if (!keep.has(e))
			e.remove();
		e = next;
	}
	at = list.firstChild;
	for (const e of wanted) {
		if (e === at)
			at = at.nextSibling;
		else
			list.insertBefore(e, at);
	}
	if (focused && document.activeElement !== focused && focused.isConnected)
		focused.focus({ preventScroll: true });
}

function showPods() {
	const report = state.report, list = $("pods"), wanted = [], seen = new Set();
	for (const p of report.pods) {
		const key = keyOf(p);
		let row = state.rows.get(key);
		seen.add(key);
		if (!row) {
			row = makeRow(key);
			state.rows.set(key, row);
		}
		row.pod = p;
		if (!isWanted(p))
			continue;
		updateRow(row, p, report);
		wanted.push(row.li);
	}
	for (const key of [...state.rows.keys()])
		if (!seen.has(key)) {
			state.rows.delete(key);
			state.open.delete(key);
		}
	if (!isBeingRead(list))
		placeRows(list, wanted);
	setText($("shown"), wanted.length === report.pods.length ? number(wanted.length) :
		number(wanted.length) + " of " + number(report.pods.length));
	$("empty").hidden = wanted.length > 0;
	setText($("empty"), report.pods.length ? "No pod matches." : "No pod has asked the metadata service yet.");
}

/* --- the rest of the page --- */

function showVerdict(report) {
	const { level, text } = report.headline;
	setClass($("verdict"), "verdict " + CLASSES[level]);
	setText($("headline"), level.toUpperCase() + ": " + text);
}

const TILES = [
	["Requests", (t) => number(t.requests)],
	["Answered", (t) => number(t.answered)],
	["Failed", (t) => number(t.failed), (t) => t.failed > 0],
	["Time lost", (t) => t.seconds_lost ? seconds(t.seconds_lost) : "–", (t) => t.seconds_lost > 0],
	["Fell back to v1", (t) => number(t.fallbacks), (t) => t.fallbacks > 0],
	["p99 latency", (t) => duration(t.latency_us.p99)],
];

function showTiles(report) {
	const list = $("tiles");
	if (!list.firstChild)
		for (const [label] of TILES) {
			const box = make("div");
			box.append(make("dt", "", label), make("dd"));
			list.append(box);
		}
	TILES.forEach(([, value, isBad], i) => {
		setText(list.children[i].lastChild, value(report.totals));
		setClass(list.children[i], isBad && isBad(report.totals) ? "bad" : "");
	});
}

function showNamespaces(report) {
	const select = $("namespace"), names = [...new Set(report.pods.map((p) => p.namespace).filter(Boolean))].sort();
	if (select.value && !names.includes(select.value))
		names.push(select.value);
	whenChanged(select, names, () => {
		const chosen = select.value;
		while (select.options.length > 1)
			select.remove(1);
		for (const name of names) {
			const option = make("option", "", name);
			option.value = name;
			select.append(option);
		}
		select.value = chosen;
	});
}

function showFindings(report) {
	const list = $("findings");
	setText($("findings-count"), report.findings.length ? number(report.findings.length) : "");
	if (isBeingRead(list))
		return;
	whenChanged(list, report.findings, (findings) => keepFocus(list, () => {
		list.replaceChildren(...findings.map((f) => drawFinding(f, "all", false)));
		if (!findings.length)
			list.append(make("li", "note", "None."));
	}));
}

function showNodeFacts(report) {
	whenChanged($("features"), report.features, (features) => $("features").replaceChildren(...features.map((f) => {
		const e = make("li");
		e.append(make("span", "", f.name), make("span", f.state, f.state));
		if (f.why)
			e.append(make("small", "", f.why));
		return e;
	})));
	whenChanged($("losses"), report.losses, (losses) => {
		const names = Object.keys(losses).filter((name) => losses[name]);
		$("losses").replaceChildren(...names.map((name) => {
			const e = make("li");
			e.append(make("span", "", name.replaceAll("_", " ")), make("span", "lost", number(losses[name])));
			return e;
		}));
		if (!names.length)
			$("losses").append(make("li", "", "Nothing was lost."));
	});
}

function showHead(report) {
	const covers = report.window ? "last " + seconds(report.window.covered_s) : "watching for " + seconds(report.duration_s);
	setText($("node"), report.node);
	setText($("facts"), "Linux " + report.kernel + " · " + covers);
	setText($("version"), "imdsnoop " + report.version);
	const title = (report.headline.level === "problem" ? "✖ " : "") + report.node + " – imdsnoop";
	if (document.title !== title)
		document.title = title;
}

function show() {
	const report = state.report;
	if (!report)
		return;
	showHead(report);
	showVerdict(report);
	showTiles(report);
	showNamespaces(report);
	showPods();
	showFindings(report);
	showNodeFacts(report);
}

/* --- refresh --- */

function showOffline(why) {
	$("offline").hidden = !why;
	setClass($("live"), why ? "off" : "");
	if (why)
		setText($("offline"), "The agent does not answer (" + why + "). " + (state.report ? "The figures are old." : ""));
}

async function refresh() {
	const since = $("since").value, mine = ++state.newest;
	clearTimeout(state.timer);
	try {
		const answer = await fetch("/api/v1/report" + (since ? "?since=" + since : ""), { cache: "no-store" });
		if (!answer.ok)
			throw new Error("status " + answer.status);
		const report = await answer.json();
		if (mine !== state.newest)
			return;				/* an older question's answer */
		state.report = report;
		showOffline("");
		show();
	} catch (error) {
		if (mine !== state.newest)
			return;
		showOffline(error.message);
	}
	schedule();
}

function schedule() {
	clearTimeout(state.timer);
	if (state.live && !document.hidden)
		state.timer = setTimeout(refresh, REFRESH_MS);
}

function setLive(live) {
	state.live = live;
	$("live").setAttribute("aria-pressed", String(live));
	setText($("live-text"), live ? "Live" : "Paused");
	if (live)
		refresh();
	else
		schedule();
}

function start() {
	$("live").addEventListener("click", () => setLive(!state.live));
	for (const id of ["search", "namespace", "problems"])
		$(id).addEventListener("input", () => state.report && showPods());
	$("since").addEventListener("change", refresh);
	document.addEventListener("visibilitychange", () => document.hidden ? schedule() : state.live && refresh());
	document.addEventListener("keydown", (e) => {
		if (e.key === "/" && !/^(INPUT|SELECT|TEXTAREA)$/.test(e.target.tagName) && !e.ctrlKey && !e.metaKey && !e.altKey) {
			e.preventDefault();
			$("search").focus();
		}
	});
	refresh();
}

start();
})();
